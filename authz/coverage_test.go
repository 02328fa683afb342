package authz

import (
	"strings"
	"sync"
	"testing"
)

// TestCoverage: what decided, and what conditions were seen to be, is counted line by line; the engine counts nothing
// by itself.
func TestCoverage(t *testing.T) {
	plain := policyOf(t, "p, guard, *, anyone, block, contact, r.sub.Status != 'ACTIVE', deny, ,\n",
		"p, may, *, employee, block, contact, true, allow, ,\n"+
			"p, ask, *, employee, block, contact, r.obj.Verified, review, admin,\n"+
			"p, boss, *, admin, block, contact, r.sub.Rank > 3, review, legal,\n"+
			"p, read.contacts, *, employee, read, contact, r.sub.Rank > 3, allow, , scope:all\n")
	e, c := plain.Covered()
	decide := func(e *Engine, a Actor, o Object) {
		if _, err := e.Decide(t.Context(), Request{Platform: "wecom", Action: ActionBlock, Actor: a, Object: o}); err != nil {
			t.Fatal(err)
		}
	}
	const prefix = "authz/policies/"
	check := func(percent int, want ...string) {
		t.Helper()
		r := c.Report()
		if got := r.String(); got != strings.Join(want, "\n")+"\n" || r.Percent() != percent || len(r.Missing()) != len(want)-1 {
			t.Errorf("%d%%:\n%s", r.Percent(), got)
		}
	}
	decide(plain, wangfang, spam)
	check(0,
		prefix+"guard.csv:1: guard: never decided; its condition was never asked for",
		prefix+"default.csv:6: may: never decided",
		prefix+"default.csv:7: ask: never decided; its condition was never asked for",
		prefix+"default.csv:8: boss: never decided; its condition was never asked for",
		prefix+"default.csv:9: read.contacts: never decided; its condition was never asked for",
		"0 of 5 rules decided; 0 of 4 conditions were seen both true and false; 0%",
	)
	decide(e, standing(wangfang, "FROZEN"), verified)
	check(11,
		prefix+"guard.csv:1: guard: its condition was never false",
		prefix+"default.csv:6: may: matched and never decided",
		prefix+"default.csv:7: ask: matched and never decided; its condition was never false",
		prefix+"default.csv:8: boss: never decided; its condition was never asked for",
		prefix+"default.csv:9: read.contacts: never decided; its condition was never asked for",
		"1 of 5 rules decided; 0 of 4 conditions were seen both true and false; 11%",
	)
	decide(e, wangfang, verified)
	decide(e, wangfang, verified)
	check(44, // without what grants it nothing could be reviewed
		prefix+"default.csv:7: ask: its condition was never false",
		prefix+"default.csv:8: boss: never decided; its condition was never asked for",
		prefix+"default.csv:9: read.contacts: never decided; its condition was never asked for",
		"3 of 5 rules decided; 1 of 4 conditions were seen both true and false; 44%",
	)
	if r := c.Report().Rules[2]; r.Decided != 2 || r.Matched != 3 || r.True != 3 || r.False != 0 {
		t.Errorf("%+v", r)
	}
	decide(e, wangfang, spam)
	decide(e, linyue, spam)
	decide(e, with(linyue, func(a *Actor) { a.Rank = 3 }), spam)
	e.Scope(wangfang, TypeContact)
	e.Scope(sunli, TypeContact)
	check(100, "5 of 5 rules decided; 4 of 4 conditions were seen both true and false; 100%")
}

func TestCoverageConcurrent(t *testing.T) {
	e, c := build(t).Covered()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				if _, err := e.Decide(t.Context(), Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: spam}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, r := range c.Report().Rules {
		if r.Rule.Name == "wecom.block_external.employee" && r.Decided != 400 {
			t.Errorf("%d decisions counted", r.Decided)
		}
	}
}
