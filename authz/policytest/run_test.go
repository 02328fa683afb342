package policytest

import (
	"fmt"
	"strings"
	"testing"
)

func run(t *testing.T, text string) []Result {
	t.Helper()
	e := engine(t)
	s, err := Read(e, nil, File{"cases.yaml", []byte(cast + text)})
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Run(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// TestRun: what comes out as expected passes; each thing that is expected otherwise fails, and says what came instead.
func TestRun(t *testing.T) {
	const review = "{who: anna, on: wecom, does: block, to: key, "
	const undo = "{who: anna, on: native, does: block, to: dora, made: 2026-11-21T15:50Z, "
	for _, c := range []struct{ text, want string }{
		{review + "expect: review}", ""},
		{review + "expect: allow}", "outcome: expected allow, came review"},
		{review + "expect: {outcome: review, rules: ask, needs: manager_of_actor+2*admin, duties: undo:72h | expire:24h | alert:KEY}}", ""},
		{review + "expect: {rules: [ask]}}", ""},
		{review + "expect: {rules: may}}", "rules: expected may, came ask"},
		{review + "expect: {rules: []}}", "rules: expected none, came ask"},
		{review + "expect: {rules: ask may}}", "rules: expected ask, may, came ask"},
		{review + "expect: {needs: [2*admin, manager_of_actor]}}", ""},
		{review + "expect: {needs: admin+manager_of_actor}}", "needs: expected admin, manager_of_actor, came 2*admin, manager_of_actor"},
		{review + "expect: {needs: 2*admin}}", "needs: expected 2*admin, came 2*admin, manager_of_actor"},
		{review + "expect: {duties: undo:71h|expire:24h|alert:KEY}}", "duties: expected alert:KEY, expire:24h, undo:71h, came alert:KEY, expire:24h, undo:72h"},
		{review + "expect: {duties: []}}", "duties: expected none, came alert:KEY, expire:24h, undo:72h"},
		{"{who: anna, on: wecom, does: block, to: customer, expect: {outcome: allow, needs: []}}", ""},

		// Where people stand to each other.
		{"{who: anna, on: native, does: block, to: [boris, carl], expect: {outcome: deny, rules: boss}}", ""},
		{"{who: carl, on: native, does: block, to: anna, expect: {outcome: deny, rules: boss}}", ""},
		{"{who: anna, on: native, does: block, to: [dora, anna], expect: allow}", ""},
		{"{who: anna, on: native, does: block, to: boris, with: {r.obj.Relation: \"\"}, expect: allow}", ""},
		{"{who: dora, on: native, does: block, to: boris, expect: {outcome: deny, rules: []}}", ""},

		// Reading.
		{"{who: anna, does: read, to: contact, expect: {shows: []}}", ""},
		{"{who: anna, does: read, to: contact, with: {r.sub.Rank: 4}, expect: {shows: follows}}", ""},
		{"{who: carl, does: read, to: contact, expect: {shows: follows}}", "shows: expected follows, came all"},
		{"{who: anna, does: unmask, expect: {shows: [own, follows]}}", ""},

		// Taking back: until the day ends in Shanghai.
		{undo + "at: 2026-11-21T15:59:59.999Z, expect: {undo: open}}", ""},
		{undo + "at: 2026-11-21T16:00Z, expect: {undo: closed}}", ""},
		{undo + "at: 2026-11-21T16:00Z, expect: {undo: open}}", "undo: expected open, came closed"},
		{undo + "expect: {undo: closed}}", ""}, // now
		{"{who: anna, on: wecom, does: block, to: customer, made: 2026-11-21T08:00Z, at: 2026-11-24T07:59:59Z, expect: {undo: open}}", ""},
		{"{who: anna, on: wecom, does: block, to: customer, made: 2026-11-21T08:00Z, at: 2026-11-24T08:00Z, expect: {undo: open}}", "undo: expected open, came closed"},
		{"{who: anna, on: wecom, does: block, to: dora, made: 2026-11-21T08:00Z, at: 2026-11-21T08:00Z, expect: {outcome: deny, undo: open}}", "undo: expected open, came closed"},
	} {
		results := run(t, "zone: Asia/Shanghai\nnow: 2027-01-01T00:00Z\ncases:\n  - "+c.text+"\n")
		var faults []string
		for _, r := range results {
			for _, f := range r.Faults {
				faults = append(faults, fmt.Sprintf("%s: expected %s, came %s", f.What, f.Expected, f.Came))
			}
			if !strings.Contains(r.String(), "cases.yaml:13  ") || strings.HasPrefix(r.String(), "ok") != r.Passed() {
				t.Errorf("%s", r)
			}
		}
		if got := strings.Join(faults, "; "); got != c.want {
			t.Errorf("%s:\n%s, want %s", c.text, got, c.want)
		}
	}
}

// TestExact: in an exact file what is left out is none.
func TestExact(t *testing.T) {
	for text, want := range map[string]int{
		"{who: anna, on: wecom, does: block, to: key, expect: {outcome: review, rules: ask, needs: 2*admin+manager_of_actor, duties: alert:KEY|expire:24h|undo:72h}}": 0,
		"{who: anna, on: wecom, does: block, to: key, expect: {outcome: review, rules: ask, needs: 2*admin+manager_of_actor}}":                                        1,
		"{who: anna, on: wecom, does: block, to: key, expect: {outcome: review}}":                                                                                     3,
		"{who: anna, on: wecom, does: block, to: key, expect: review}":                                                                                                3,
		"{who: anna, on: wecom, does: block, to: dora, expect: deny}":                                                                                                 0,
		"{who: anna, on: native, does: block, to: boris, expect: deny}":                                                                                               1,
	} {
		results := run(t, "exact: true\ncases:\n  - "+text+"\n")
		if got := len(results[0].Faults); got != want {
			t.Errorf("%s: %d faults, want %d: %s", text, got, want, results[0])
		}
	}
}

// TestMatrix: every cell is held to what is listed, and to a denial where nothing is.
func TestMatrix(t *testing.T) {
	const head = "matrix:\n  - name: who blocks\n    who: [anna, dora]\n    on: [wecom, native]\n    does: [block customer, block key, block carl]\n    cells:\n"
	for _, c := range []struct {
		cells string
		want  []string
	}{
		{"      anna: {block customer: allow, block key: review 2*admin+manager_of_actor}\n", nil},
		{"      anna: {block customer: {wecom: allow, native: allow}, block key: {wecom: review, native: review}}\n", nil},
		{"      anna: {block customer: {wecom: allow}, block key: review}\n", []string{"cases.yaml:11  who blocks (anna: block customer on native)\n      outcome: expected deny, came allow\n      authz/policies/rules.csv:5: p, may,"}},
		{"      anna: {block customer: allow, block key: review}\n      dora: {block customer: {native: allow}}\n", []string{"cases.yaml:17  who blocks (dora: block customer on native)\n      outcome: expected allow, came deny\n      no line allows it\n"}},
		{"      anna: {block customer: allow, block key: review admin}\n", []string{"needs: expected admin, came 2*admin, manager_of_actor", "needs: expected admin, came"}},
	} {
		results := run(t, head+c.cells)
		if len(results) != 12 {
			t.Fatalf("%d cells", len(results))
		}
		failed := Failed(results)
		if len(failed) != len(c.want) {
			t.Errorf("%s%d failed, want %d: %v", c.cells, len(failed), len(c.want), failed)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(failed[i].String(), want) {
				t.Errorf("%s%s, want %s", c.cells, failed[i], want)
			}
		}
	}
}
