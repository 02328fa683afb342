package authz

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// grid enumerates requests: everybody in every standing, every action, and objects that differ in one fact at a time and
// in the pairs that rules combine.
func grid(visit func(Request)) {
	actors := []Actor{
		chenguang, linyue, zhaomin, wangfang, sunli, zhenglan, heyun, guping, tangxin, stranger,
		with(wangfang, func(a *Actor) { a.Roles = []string{"hr", "dept_manager"} }),
		with(guping, func(a *Actor) { a.Roles = []string{"auditor", "super_admin"} }),
		with(wangfang, func(a *Actor) { a.Roles = []string{"wizard", "employee"} }),
		with(tangxin, func(a *Actor) { a.Rank = 3 }),
		with(tangxin, func(a *Actor) { a.Rank = 4 }),
		standing(linyue, "FROZEN"), standing(wangfang, ""), standing(zhaomin, "EXPORT_ONLY"),
	}
	objects := []Object{
		{},
		{Relation: Superior}, {Relation: Subordinate}, {OwnsSharedGroup: true}, {ID: wangfang.ID}, {ID: chenguang.ID},
		{Importance: "KEY"}, {OpenValue: 0.01}, {OpenValue: 600_000}, {Importance: "NORMAL", Verified: true},
		{Importance: "KEY", OpenValue: 500_000}, {Importance: "KEY", OpenValue: 500_000.01},
		{OnBehalf: true}, {Scope: "WORKSPACE"},
		{Mine: true}, {Pending: true}, {Reviewed: true}, {Candidate: true}, {Party: true}, {Below: true},
		{Mine: true, Reviewed: true}, {Mine: true, Reviewed: true, Pending: true}, {Mine: true, Kind: "ISOLATION"}, {Mine: true, Candidate: true},
	}
	about := map[string][]string{
		ActionBlock: {TypeMember, TypeContact}, ActionIsolate: {TypeMember}, ActionBlacklist: {TypeContact}, ActionGroupBlock: {TypeMember},
		ActionLift: {TypeRelationship}, ActionDecideApproval: {TypeApproval}, ActionCancelApproval: {TypeApproval}, ActionCheckContact: {TypePair},
	}
	for _, platform := range []string{"wecom", "native", "dingtalk", "chat", "pager", "feishu"} {
		for _, action := range append([]string{"dance"}, actions...) {
			for _, t := range append([]string{"", "moon", TypeMember, TypeAudit}, about[action]...) {
				for _, a := range actors {
					for i, o := range objects {
						if i > 0 && !slices.Contains(about[action], t) {
							break
						}
						o.Type = t
						visit(Request{Platform: platform, Action: action, Actor: a, Object: o, Env: Env{CustomerContact: platform == "native"}})
					}
				}
			}
		}
	}
}

// tangle is a company file that uses what the shipped files do not: sets and roles of its own, links on one platform, every
// operator.
const tangle = `
g, intern, employee, wecom
g, wizard, intern, *
g2, lift, acme_touch
g2, block, acme_touch
p, acme.1, *, intern, acme_touch, *, r.sub.Rank <= 3 && r.sub.Rank >= 3 || r.obj.Mine != r.obj.Pending, deny, ,
p, acme.2, wecom, wizard, *, *, "!(r.obj.Mine == true) && !r.obj.Verified && 3 > r.sub.Rank", review, 2*legal+group_owner, alert:ACME
p, acme.3, default, anyone, block, contact, "r.obj.Importance in ('KEY', '') || r.sub.Rank != 5 && r.obj.OpenValue < 600000", review, hr, expire:1h
p, acme.4, native, dept_manager, block, *, (r.obj.Relation == '' || r.env.CustomerContact) && 'auditor' in r.sub.Roles, deny, ,
p, default.block_member.employee, dingtalk, employee, block, member, r.sub.ID != r.obj.ID && !r.obj.Mine, review, manager_of_actor, undo:same_day
`

// TestDifferential holds the index and our conditions equal to Casbin's enforcer and Casbin's evaluator: on the whole grid
// for the shipped files; with a company's on each fifth request (Casbin takes a while, and five divides no dimension).
func TestDifferential(t *testing.T) {
	for _, c := range []struct {
		name   string
		engine *Engine
		stride int
		least  int
	}{
		{"shipped", build(t), 1, 20_000},
		{"with a company", build(t, company(tangle)), 5, 5_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			met, compared, differ, outcomes := 0, 0, 0, map[string]int{}
			grid(func(r Request) {
				if met++; met%c.stride != 0 {
					return
				}
				got, err := c.engine.Decide(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				want, err := c.engine.Reference(t.Context(), r)
				if err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				compared++
				outcomes[string(got.Outcome)]++
				if !reflect.DeepEqual(got, want) && differ < 5 {
					differ++
					t.Errorf("%+v: %s by %s, casbin says %s by %s", r, got.Outcome, names(got), want.Outcome, names(want))
				}
			})
			t.Logf("%d decisions compared: %v", compared, outcomes)
			if compared < c.least || len(outcomes) != 3 {
				t.Errorf("the grid has shrunk: %d decisions, %v", compared, outcomes)
			}
		})
	}
}

// TestOrder: the order of lines and the spread over files never matter.
func TestOrder(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(tangle), "\n")
	slices.Reverse(lines)
	e, turned := build(t, company(tangle)), build(t, company(strings.Join(lines, "\n")))
	say := func(d Decision) string {
		rules := strings.Fields(names(d))
		slices.Sort(rules)
		return fmt.Sprint(d.Outcome, rules, d.Needs, d.Obligations)
	}
	grid(func(r Request) {
		a, _ := e.Decide(t.Context(), r)
		b, _ := turned.Decide(t.Context(), r)
		if say(a) != say(b) {
			t.Fatalf("%+v: %s, in reverse %s", r, say(a), say(b))
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	e := build(b)
	for _, c := range []struct {
		name string
		r    Request
	}{
		{"allow", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: spam}},
		{"review", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 1_200_000)}},
		{"deny", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: superior}},
		{"two roles", Request{Platform: "wecom", Action: ActionBlock, Actor: with(wangfang, func(a *Actor) { a.Roles = []string{"employee", "hr"} }), Object: spam}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decide(b.Context(), c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+", casbin", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Reference(b.Context(), c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScope(b *testing.B) {
	e := build(b)
	b.ReportAllocs()
	for b.Loop() {
		e.Scope(zhaomin, TypeContact)
	}
}

func BenchmarkBuild(b *testing.B) {
	s := sources()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(s); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocs keeps a decision within its budget of allocations.
func TestAllocs(t *testing.T) {
	e := build(t)
	r := Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 1_200_000)}
	got := testing.AllocsPerRun(100, func() {
		if _, err := e.Decide(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	})
	if got > 20 {
		t.Errorf("%v allocations for a decision", got)
	}
}
