package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tally is the smallest world: a number for each subject.
type tally map[string]int

func (w tally) Seed(text json.RawMessage) error { return json.Unmarshal(text, &w) }
func (w tally) State() any                      { return w }
func (w tally) Actions() []string               { return []string{"add"} }

func (w tally) Apply(e Effect) error {
	if e.Kind != "added" {
		return fmt.Errorf("no %s", e.Kind)
	}
	w[e.Subject]++
	return nil
}

func (w tally) Act(a Act, _ time.Time) (Effect, error) {
	if a.Subject == "" {
		return Effect{}, Refuse(http.StatusConflict, "add to what?")
	}
	return NewEffect("added", a.Subject, struct{}{}), nil
}

func open(t *testing.T, file string, now func() time.Time) (*Stage, tally) {
	t.Helper()
	w := tally{}
	s, err := Open(Options{Platform: "tally", World: w, Seed: tally{"a": 1}, File: file, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, w
}

func (s *Stage) add(t *testing.T, subject string) Verdict {
	return s.Receive(t.Context(), Call{Method: "POST", Path: "/add", Request: json.RawMessage(`{}`)},
		func(time.Time, Fault) Verdict {
			return Verdict{Code: "0", Effect: NewEffect("added", subject, struct{}{})}
		})
}

// Time does not go back: not when the machine's does, not on request, and not over a restart.
func TestClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	machine := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	real := func() time.Time { return machine }
	s, _ := open(t, file, real)
	ahead := machine.Add(71 * time.Hour)
	for _, set := range []time.Time{ahead, machine} { // the second is in the past by then
		if now, err := s.SetClock(set); err != nil || !now.Equal(ahead) {
			t.Errorf("set to %s: %s, %v", set, now, err)
		}
	}
	s.add(t, "a")
	machine = machine.Add(-time.Hour)
	s.add(t, "a")
	again, _ := open(t, file, real)
	again.add(t, "a")
	ledger, err := again.Ledger(0)
	if err != nil || len(ledger) != 3 {
		t.Fatal(ledger, err)
	}
	for _, e := range ledger {
		if !e.At.Equal(ahead) {
			t.Errorf("entry %d is at %s, not %s", e.Seq, e.At, ahead)
		}
	}
}

// What cannot be written is neither answered nor shown, then or later, and nothing comes of it. What is on disk shows.
func TestDiskFails(t *testing.T) {
	s, w := open(t, filepath.Join(t.TempDir(), "state"), nil)
	s.add(t, "a")
	_ = s.journal.file.Close()
	for range 2 {
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("answered, or died of %v", p)
				}
			}()
			s.add(t, "a")
		}()
	}
	if w["a"] != 2 {
		t.Errorf("a is %d, not 2", w["a"])
	}
	if _, err := s.Act(Act{Action: "add", Subject: "a"}); err == nil {
		t.Error("acted")
	}
	if _, err := s.SetClock(time.Now().Add(time.Hour)); err == nil {
		t.Error("set the clock")
	}
	if ledger, err := s.Ledger(0); err != nil || len(ledger) != 1 {
		t.Errorf("of the one call that is on disk the ledger shows %v, %v", ledger, err)
	}
}

func TestControl(t *testing.T) {
	s, _ := open(t, "", nil)
	h := http.StripPrefix("/demo/sim/tally", s.Control())
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // part of the answer
	}{
		{"GET", "ledger", "", 200, "[]\n"},
		{"GET", "state", "", 200, `{"a":1}`},
		{"POST", "act", `{"action":"add","subject":"b"}`, 200, `"code":"0","effect":{"kind":"added","subject":"b","detail":{}},"callback":"none is configured"}`},
		{"POST", "act", `{"action":"add"}`, 409, `{"error":"add to what?"}`},
		{"POST", "act", `{"action":"take"}`, 400, `{"actions":["add"],"error":"unknown action \"take\""}`},
		{"POST", "act", `{"verb":"take"}`, 400, `unknown field`},
		{"GET", "state", "", 200, `{"a":1,"b":1}`},
		{"GET", "ledger?after=1", "", 200, "[]\n"},
		{"GET", "ledger?after=-5", "", 200, `[{"seq":1,`},
		{"GET", "ledger?after=x", "", 400, `expected a number`},
		{"POST", "clock", `{}`, 400, `{\"set\":`},
		{"POST", "clock", `{"set":"2126-01-01T00:00:00+08:00"}`, 200, `{"now":"2125-12-31T16:00:00Z"}`},
		{"POST", "faults", `{"rules":[{"match":"/a*c","errcode":45009,"rate":0.5}]}`, 200, `"errcode":"45009","rate":0.5`},
		{"DELETE", "faults", ``, 200, `"rules":[]`},
		{"GET", "faults", ``, 405, ``},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, "/demo/sim/tally/"+c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}

func TestRulesAddUp(t *testing.T) {
	made, err := Faults{Rules: []Rule{
		{Match: "/a/*", Errcode: "1", Delay: "1s"}, {Match: "*", Errcode: "2", Delay: "2s", Times: 1}, {Match: "/b", DropResponse: true, VoidToken: true},
	}}.prepare()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"/a/b/c", "1 3s false [errcode delay errcode delay]"},
		{"/a/b/c", "1 1s false [errcode delay]"},
		{"/a", " 0s false []"},
		{"/b", " 0s true [voidToken dropResponse]"},
	} {
		f := made.draw(c.path)
		if got := fmt.Sprintf("%s %s %v %v", f.Code, f.delay, f.dropResponse && f.VoidToken, f.names); got != c.want {
			t.Errorf("%s: %q, not %q", c.path, got, c.want)
		}
	}
	if _, err := (Faults{Rules: []Rule{{Match: "*"}}}).prepare(); err == nil || !strings.HasPrefix(err.Error(), "rules[0]: ") {
		t.Error(err)
	}
	if refusal := (*Refusal)(nil); !errors.As(Refuse(404, "no %s", "a"), &refusal) || refusal.Status != 404 {
		t.Error(refusal)
	}
}
