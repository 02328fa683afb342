package authz

import (
	"reflect"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/im"
)

// TestNarrowingAllows: a guardrail, or a company line with an id of its own, that allows adds its duties to what others allow
// or have reviewed. It grants nothing, and says nothing to a refusal.
func TestNarrowingAllows(t *testing.T) {
	const (
		guard = "p, slow, *, anyone, block, *, r.sub.RecentBlocks >= 3, allow, , cooldown:15m | alert:BURST\n"
		rest  = "g, admin, employee, *\np, may, *, employee, block, contact, true, allow, , undo:72h\np, ask, *, employee, block, contact, r.obj.Verified, review, admin, expire:1h\n" +
			"p, never, *, employee, block, contact, r.obj.OnBehalf, deny, ,\n"
	)
	plain, err := Build(Sources{Platforms: []Platform{{"wecom", true}}, Duties: duties, Layers: []Layer{
		{Name: GuardLayer, Files: csvFile("guard.csv", guard)}, {Name: DefaultLayer, Files: csvFile("default.csv", rest)},
		company("p, acme.slow, *, employee, block, contact, r.obj.Importance == 'KEY', allow, , cooldown:1h\n"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	quick, burst := wangfang, with(wangfang, func(a *Actor) { a.RecentBlocks = 3 })
	for _, c := range []struct {
		name    string
		actor   Actor
		object  Object
		outcome im.Outcome
		rules   string
		duties  string
	}{
		{"below the third", quick, spam, im.Allow, "may", "undo:72h"},
		{"the third", burst, spam, im.Allow, "slow may", "alert:BURST cooldown:15m undo:72h"},
		{"the third, reviewed", burst, verified, im.Review, "ask", "alert:BURST cooldown:15m expire:1h undo:72h"},
		{"the third, denied", burst, with(spam, func(o *Object) { o.OnBehalf = true }), im.Deny, "never", ""},
		{"the third of what nothing allows", burst, peer, im.Deny, "", ""},
		{"the company's own", quick, with(spam, func(o *Object) { o.Importance = "KEY" }), im.Allow, "may acme.slow", "cooldown:1h undo:72h"},
		{"both", burst, with(spam, func(o *Object) { o.Importance = "KEY" }), im.Allow, "slow may acme.slow", "alert:BURST cooldown:15m cooldown:1h undo:72h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, cover := plain.Covered()
			r := Request{Platform: "wecom", Action: ActionBlock, Actor: c.actor, Object: c.object}
			d, err := e.Decide(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if duties := strings.Join(d.Obligations, " "); d.Outcome != c.outcome || names(d) != c.rules || duties != c.duties {
				t.Errorf("%s by %s with %s; want %s by %s with %s", d.Outcome, names(d), duties, c.outcome, c.rules, c.duties)
			}
			ref, err := plain.Reference(t.Context(), r)
			if d, _ := plain.Decide(t.Context(), r); err != nil || !reflect.DeepEqual(ref, d) {
				t.Errorf("casbin says %s by %s with %v: %v", ref.Outcome, names(ref), ref.Obligations, err)
			}
			x, err := plain.Explain(t.Context(), r)
			if err != nil || x.Layers[0].Outcome != "" {
				t.Errorf("the guardrails say %s, %v", x.Layers[0].Outcome, err)
			}
			if told := len(x.Layers[0].Rules) > 0; told != (c.actor.RecentBlocks >= 3) {
				t.Errorf("the guardrail is told: %v", told)
			}
			if want := strings.Contains(c.duties, "BURST"); (cover.Report().Rules[0].Decided > 0) != want {
				t.Errorf("the guardrail decided: %v, want %v", !want, want)
			}
		})
	}
}

// TestNarrowingAllowsOfShipped: with every number of recent blocks that makes a difference, to Casbin as to us, C-11 changes
// no outcome.
func TestNarrowingAllowsOfShipped(t *testing.T) {
	e := buildHouse(t)
	for _, actor := range []Actor{wangfang, sunli, zhaomin, linyue, guping, stranger, crm, standing(wangfang, "FROZEN")} {
		for _, platform := range []string{"wecom", "native", "dingtalk", "feishu", "wechat", "agora"} {
			for _, object := range []Object{spam, verified, contact("KEY", 1_200_000), peer, superior} {
				for _, action := range []string{ActionBlock, ActionBlacklist, ActionBulk} {
					var before im.Outcome
					for _, n := range []int{0, 2, 3, 4, 1000} {
						actor.RecentBlocks = n
						r := Request{Platform: platform, Action: action, Actor: actor, Object: object}
						d, err := e.Decide(t.Context(), r)
						if err != nil {
							t.Fatal(err)
						}
						if n > 0 && d.Outcome != before {
							t.Errorf("%+v: %s, before %s", r, d.Outcome, before)
						}
						before = d.Outcome
						if ref, err := e.Reference(t.Context(), r); err != nil || !reflect.DeepEqual(d, ref) {
							t.Errorf("%+v: casbin says %s with %v: %v", r, ref.Outcome, ref.Obligations, err)
						}
						burst := n >= 3 && action == ActionBlock && object.Type == TypeContact && platform != "wechat" && d.Outcome != im.Deny
						if got := len(d.Obligations.Args(DutyCooldown)) > 0; got != burst {
							t.Errorf("%+v: cool-down %v, want %v", r, got, burst)
						}
					}
				}
			}
		}
	}
}

// TestNarrowingDuties: a line that only narrows allows for the sake of duties that tighten, and of nothing else.
func TestNarrowingDuties(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"a cool-down", "p, acme.x, *, employee, block, contact, true, allow, , cooldown:15m", ""},
		{"of all that keeps away", "p, acme.x, *, employee, keep_away, contact, true, allow, , cooldown:15m", ""},
		{"an alert", "p, acme.x, *, employee, block, contact, true, allow, , alert:ACME", ""},
		{"beside a review", "p, acme.x, *, employee, block, contact, true, review, admin, cooldown:15m", ""},
		{"no duty", "p, acme.x, *, employee, block, contact, true, allow, ,", "to allow, it must replace a shipped line by its id"},
		{"an undo window", "p, acme.x, *, employee, block, contact, true, allow, , cooldown:15m | undo:72h", "to allow, it must replace a shipped line by its id"},
		{"a scope", "p, acme.x, *, employee, read, contact, true, allow, , scope:all", "to allow, it must replace a shipped line by its id"},
		{"a scope and an alert", "p, acme.x, *, employee, read, contact, true, allow, , scope:all | alert:ACME", "to allow, it must replace a shipped line by its id"},
		{"no trace", "p, acme.x, *, employee, block, contact, true, review, admin, undo_trace:none", "only a line that grants may say so"},
		{"a cool-down of a lift", "p, acme.x, *, employee, lift, relationship, true, allow, , cooldown:15m", "cooldown is a duty of the actions block, isolate, blacklist, group_block"},
		{"a cool-down of everything", "p, acme.x, *, employee, *, contact, true, allow, , cooldown:15m", "cooldown is a duty of the actions"},
		{"a cool-down of leaving", "p, acme.x, *, employee, last_days, contact, true, allow, , cooldown:15m", "cooldown is a duty of the actions"},
		{"a department", "p, acme.x, dingtalk, anyone, keep_away, *, '销售部' in r.sub.Departments, deny, ,", ""},
		{"a department, of a lift", "p, acme.x, dingtalk, anyone, lift, *, '销售部' in r.sub.Departments, deny, ,", "r.sub.Departments is known of the actions block,"},
		{"a cool-down without a unit", "p, acme.x, *, employee, block, contact, true, allow, , cooldown:15", "expected a duration such as 15m"},
		{"a trace of another kind", "p, native.block_member.employee, native, employee, block, member, true, allow, , undo_trace:some", "expected none"},
	} {
		_, err := Build(house(company(c.line)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	// Nor does a guardrail grant what it reads like.
	e := policyOf(t, "p, slow, *, anyone, *, *, true, allow, , alert:X\n", "p, read.contacts, *, admin, read, contact, true, allow, , scope:all\n")
	if got := e.Scope(wangfang, TypeContact); len(got) > 0 {
		t.Errorf("a guardrail shows %v", got)
	}
}
