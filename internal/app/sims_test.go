package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/clock"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// stagedDemo is a demo's server as far as its simulators go: its clock is ahead of real time, and its routes are served.
type stagedDemo struct {
	*server
	sims *sims
	t    *testing.T
	url  string
	log  *lines
}

const ahead = 71 * time.Hour

func stage(t *testing.T, dsn string, elsewhere map[string]string) *stagedDemo {
	t.Helper()
	log := &lines{}
	d := &stagedDemo{t: t, log: log, server: &server{cfg: config.Config{Demo: true, Sim: elsewhere}, log: slog.New(slog.NewTextHandler(log, nil)), clock: clock.New(time.Time{}, ahead)}}
	var err error
	if d.sims, err = d.openSims(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, h := range d.demoRoutes(d.sims) {
		mux.Handle(pattern, h)
	}
	gateway := httptest.NewServer(mux)
	d.url = gateway.URL
	t.Cleanup(func() { gateway.Close(); d.stop() })
	return d
}

func (d *stagedDemo) stop() {
	if err := d.sims.close(); err != nil {
		d.t.Error(err)
	}
	d.sims = &sims{http: d.sims.http}
}

// control asks a simulator through the demo.
func (d *stagedDemo) control(method, path, body string, into any) (status int) {
	d.t.Helper()
	return ask(d.t, method, d.url+"/demo/sim/"+path, "", body, into)
}

func ask(t *testing.T, method, url, host, body string, into any) (status int) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %d: %s", method, url, res.StatusCode, text)
		}
	}
	return res.StatusCode
}

// adapter opens the demo's WeCom as the gateway does.
func (d *stagedDemo) adapter() adapters.Adapter {
	d.t.Helper()
	a, err := adapters.Open("wecom", d.sims.connections()["wecom-hq"], adapters.Env{HTTP: &http.Client{}, Log: slog.New(slog.DiscardHandler), Now: d.clock.Now})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = a.Close() })
	return a
}

type timedEntry struct {
	Seq      int64
	At       time.Time
	Method   string
	Path     string
	Callback string
}

func (d *stagedDemo) ledger(query string) (out []timedEntry) {
	d.t.Helper()
	if status := d.control("GET", "wecom/ledger"+query, "", &out); status != http.StatusOK {
		d.t.Fatalf("ledger: %d", status)
	}
	return out
}

// sees fails where the simulator's clock is not the gateway's: a call that it receives now is entered as of now, but for
// the time that it took to tell it.
func (d *stagedDemo) sees(a adapters.Adapter) {
	d.t.Helper()
	before := d.clock.Now()
	if err := a.Check(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	after := d.clock.Now()
	entries := d.ledger("")
	if at := entries[len(entries)-1].At; at.Before(before.Add(-time.Second)) || at.After(after) {
		d.t.Errorf("a call was received at %s, made between %s and %s", at, before, after)
	}
}

// Whether a simulator runs in the demo's process or elsewhere, the demo shows and controls it alike.
func TestControlsOfSimulators(t *testing.T) {
	t.Run("here", func(t *testing.T) { controls(t, stage(t, "sqlite::memory:", nil)) })
	t.Run("elsewhere", func(t *testing.T) {
		s := startSimulator(t, filepath.Join(t.TempDir(), "state"))
		d := stage(t, "sqlite::memory:", map[string]string{"wecom": s.url})
		controls(t, d)
		if direct := s.ledger(); len(direct) != len(d.ledger("")) {
			t.Errorf("%d entries there, %d here", len(direct), len(d.ledger("")))
		}
	})
}

func controls(t *testing.T, d *stagedDemo) {
	a := d.adapter()
	d.sees(a)
	n := len(d.ledger(""))
	if last := d.ledger(fmt.Sprint("?after=", n-1)); len(last) != 1 || last[0].Seq != int64(n) {
		t.Errorf("after %d of %d: %v", n-1, n, last)
	}

	var unknown struct{ Actions []string }
	if status := d.control("POST", "wecom/act", `{"action":"explode"}`, &unknown); status != http.StatusBadRequest || !slices.Contains(unknown.Actions, "dissolve_group") {
		t.Errorf("an act that is none: %d, %v", status, unknown)
	}
	var done timedEntry
	if status := d.control("POST", "wecom/act", `{"action":"dissolve_group","subject":"grp_haikang"}`, &done); status != http.StatusOK || done.Seq != int64(n+1) {
		t.Errorf("an act: %d, %v", status, done)
	}
	type group struct {
		ChatID    string
		Dissolved bool
	}
	var state struct{ Groups []group }
	d.control("GET", "wecom/state", "", &state)
	if !slices.Contains(state.Groups, group{"grp_haikang", true}) {
		t.Error("the act had no effect")
	}

	if status := d.control("POST", "wecom/faults", `{"rules":[{"match":"*","errcode":-1}]}`, nil); status != http.StatusOK {
		t.Errorf("faults: %d", status)
	}
	if err := a.Check(t.Context()); err == nil {
		t.Error("no fault was played")
	}
	if status := d.control("DELETE", "wecom/faults", "", nil); status != http.StatusOK {
		t.Errorf("no more faults: %d", status)
	}
	if _, err := d.clock.Advance(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	d.sims.setClock(t.Context(), d.clock.Now())
	d.sees(a)

	if status := d.control("GET", "nowhere/ledger", "", nil); status != http.StatusNotFound {
		t.Errorf("an unknown platform: %d", status)
	}
	for _, path := range []string{"wecom", "wecom/", "wecom/nothing", "wecom/..%2fcgi-bin/gettoken"} {
		if status := d.control("GET", path, "", nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status := d.control("DELETE", "wecom/ledger", "", nil); status != http.StatusMethodNotAllowed {
		t.Errorf("deleting the ledger: %d", status)
	}
	for _, url := range []string{d.url + "/demo/sim/wecom/ledger", d.sims.connections()["wecom-hq"]["base_url"] + "/cgi-bin/gettoken"} {
		if status := ask(t, "GET", url, "evil.example.com", "", nil); status != http.StatusForbidden {
			t.Errorf("%s for a page of another host: %d", url, status)
		}
	}
}

func TestOnlyKnownSimulatorsRunElsewhere(t *testing.T) {
	s := &server{cfg: config.Config{Demo: true, Sim: map[string]string{"wecome": "http://127.0.0.1:1"}}, clock: clock.New(time.Time{}, 0)}
	_, err := s.openSims(t.Context(), "sqlite::memory:", nil)
	if usage := (usageError{}); !errors.As(err, &usage) || err.Error() != `sim: no simulator for "wecome"; there are: wecom` {
		t.Errorf("got %v", err)
	}
	for _, args := range [][]string{
		{"serve", "--demo", "--sim", "wecom=http://192.168.1.1:1"},
		{"serve", "--sim", "wecom=http://127.0.0.1:1"},
	} {
		if code, stderr := runProgram(args...); code != exitUsage || !strings.Contains(stderr, "sim: ") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
}

// A simulator elsewhere that is not up yet holds nothing up, and gets the time once it is.
func TestSimulatorThatComesLate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d := stage(t, "sqlite::memory:", map[string]string{"wecom": "http://" + address})
	if status := d.control("GET", "wecom/ledger", "", nil); status != http.StatusBadGateway {
		t.Errorf("a simulator that is not there: %d", status)
	}
	d.sims.catchUp(t.Context(), d.clock.Now())
	if _, err := d.clock.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	d.sims.setClock(t.Context(), d.clock.Now())

	sim, err := openSimulator("wecom", demo.Company(im.NewIDs(time.Now), time.Now()), "")
	if err != nil {
		t.Fatal(err)
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skipf("somebody took the port: %v", err)
	}
	srv := simulatorServer(sim, slog.New(slog.DiscardHandler))
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _, _ = srv.Close(), sim.Close() })
	for range 3 {
		d.sims.catchUp(t.Context(), d.clock.Now())
	}
	d.sees(d.adapter())
	if warned, well := d.log.count("cannot be set yet"), d.log.count("is set again"); warned != 1 || well != 1 {
		t.Errorf("warned %d times, and said %d times that it is well again", warned, well)
	}
}

// A simulator that hangs delays who moves the clock, and no more.
func TestSimulatorThatHangs(t *testing.T) {
	released := make(chan struct{})
	sim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	t.Cleanup(sim.Close)
	t.Cleanup(func() { close(released) })
	began := time.Now()
	d := stage(t, "sqlite::memory:", map[string]string{"wecom": sim.URL})
	if took := time.Since(began); took > 2*simPatience || d.log.count("cannot be set yet") != 1 {
		t.Errorf("the demo opened after %s", took)
	}
}

// Of a time that was told while the platform was away and an older one that is told after it, the platform gets the later.
func TestLatestTimeIsTold(t *testing.T) {
	var told []time.Time
	up := false
	sim := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Set time.Time }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !up {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		told = append(told, in.Set)
	}))
	t.Cleanup(sim.Close)
	d := stage(t, "sqlite::memory:", map[string]string{"wecom": sim.URL})
	now := d.clock.Now()
	d.sims.setClock(t.Context(), now.Add(time.Hour))
	up = true
	d.sims.catchUp(t.Context(), now)
	d.sims.catchUp(t.Context(), now)
	if diff := cmp.Diff([]time.Time{now.Add(time.Hour)}, told); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A demo that is opened again on its file finds its platform as it was.
func TestSimulatorBesideTheDatabase(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "demo.db")
	first := stage(t, dsn, nil)
	first.sees(first.adapter())
	before := first.ledger("")
	if _, err := first.openSims(t.Context(), dsn, nil); err == nil {
		t.Error("a second demo opened the platform of the first")
	}
	first.stop()

	second := stage(t, dsn, nil)
	if diff := cmp.Diff(before, second.ledger("")); diff != "" || len(before) == 0 {
		t.Errorf("(-want +got)\n%s", diff)
	}
	second.stop()

	company := demo.Company(im.NewIDs(time.Now), time.Now())
	_, err := second.openSims(t.Context(), dsn, &company)
	if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "demo.db.sim-wecom was left by a demo") {
		t.Errorf("a new database beside the platform of an old one: %v", err)
	}
	out, err := second.openSims(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "new.db"), &company)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.close(); err != nil {
		t.Error(err)
	}
}

func TestDatabasesWithoutAFileLeaveNone(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dsn := range []string{"sqlite::memory:", "postgres://localhost/guanxi"} {
		stage(t, dsn, nil).stop()
	}
	left, err := os.ReadDir(".")
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// What another replica did to the clock, this one and its simulators follow; and they never go back.
func TestFollowClock(t *testing.T) {
	d := stage(t, "sqlite::memory:", nil)
	var err error
	if d.store, err = db.Open(t.Context(), "sqlite::memory:", db.Options{Master: envelope.Demo(), Now: d.clock.Now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.store.Close() })
	if _, err := d.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := d.adapter()
	for _, step := range []struct {
		name       string
		kept, want time.Duration
	}{
		{"nobody has moved it", 0, ahead},
		{"another is ahead", ahead + 24*time.Hour, ahead + 24*time.Hour},
		{"another is behind", ahead + time.Hour, ahead + 24*time.Hour},
	} {
		if step.kept > 0 {
			if err := d.store.KeepOffset(t.Context(), step.kept); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.follow(t.Context(), d.sims); err != nil {
			t.Fatal(err)
		}
		if got := d.clock.Offset(); got != step.want {
			t.Errorf("%s: %s ahead, want %s", step.name, got, step.want)
		}
		d.sees(a)
	}
	if d.log.count("WARN") > 0 {
		t.Error("it warned")
	}

	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.follow(t.Context(), d.sims); err == nil {
		t.Error("a database that is gone goes unnoticed")
	}
}

// Secrets of a real server stand in files; what the adapter does not call a secret stands where it is.
func TestConnectionsOfARealServer(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	workspaces := []im.Workspace{{Name: "wecom-hq", Platform: "wecom"}, {Name: "native", Platform: "native"}}
	s := &server{cfg: config.Config{Workspaces: map[string]config.Connection{
		"wecom-hq": {"corp_id": "ww1", "secret_file": secret},
		"native":   {},
		"later":    {"secret": "of nobody knows what"},
	}}}
	got, err := s.connections(nil, workspaces)
	want := map[string]map[string]string{"wecom-hq": {"corp_id": "ww1", "secret": "canary"}, "native": {}, "later": {"secret": "of nobody knows what"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	s.cfg.Workspaces["wecom-hq"] = config.Connection{"corp_id": "ww1", "secret": "canary", "directory_secret": "canary"}
	_, err = s.connections(nil, workspaces)
	const complaint = `workspaces.wecom-hq.directory_secret: expected it in a file, which directory_secret_file names
workspaces.wecom-hq.secret: expected it in a file, which secret_file names`
	if usage := (usageError{}); !errors.As(err, &usage) || err.Error() != complaint {
		t.Errorf("got %v", err)
	}
}
