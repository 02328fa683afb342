package authz

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/im"
)

func explain(t *testing.T, e *Engine, r Request) Explanation {
	t.Helper()
	x, err := e.Explain(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Decide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(x.Decision, d) {
		t.Errorf("explained %s by %s, decided %s by %s", x.Decision.Outcome, names(x.Decision), d.Outcome, names(d))
	}
	return x
}

func (m NearMiss) String() string {
	return fmt.Sprintf("%s: %s: %s -> %s", m.Rule.Name, m.FailedTerm, m.Actual, m.Outcome)
}

func misses(x Explanation) string {
	var out []string
	for _, m := range x.NearMisses {
		out = append(out, m.String())
	}
	return strings.Join(out, "\n")
}

// policyOf is the lines of a company of their own, over no shipped ones but the roles.
func policyOf(t testing.TB, guard, rest string) *Engine {
	t.Helper()
	const base = "g, admin, dept_manager, *\ng, dept_manager, employee, *\ng, legal, employee, *\ng2, block, one_way\ng2, blacklist, one_way\n"
	layers := []Layer{{Name: DefaultLayer, Files: csvFile("default.csv", base+rest)}}
	if guard != "" {
		layers = append(layers, Layer{Name: GuardLayer, Files: csvFile("guard.csv", guard)})
	}
	e, err := Build(Sources{Platforms: []Platform{{"wecom", true}}, Layers: layers, Duties: duties})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestNearMisses: what one thing kept from deciding otherwise is told, with the term that failed and its value.
func TestNearMisses(t *testing.T) {
	const allow = "p, may, *, employee, block, contact, true, allow, ,\n"
	clerk := person("clerk", 2, im.Sales, "employee")
	nobody := person("nobody", 2, im.Sales)
	for _, c := range []struct {
		name        string
		guard, rest string
		actor       Actor
		object      Object
		want        string
	}{
		{"a threshold", "", "p, may, *, employee, block, contact, r.sub.Rank >= 3, allow, ,", clerk, spam, "may: r.sub.Rank >= 3: 2 -> ALLOW"},
		{"reached", "", "p, may, *, employee, block, contact, r.sub.Rank >= 2, allow, ,", clerk, spam, ""},
		{"a role", "", "p, may, *, admin, block, contact, true, allow, ,", clerk, spam, "may: role admin: employee -> ALLOW"},
		{"a role and a term", "", "p, may, *, admin, block, contact, r.sub.Rank >= 3, allow, ,", clerk, spam, ""},
		{"a role in the condition", "", "p, may, *, employee, block, contact, 'admin' in r.sub.Roles, allow, ,", clerk, spam, "may: 'admin' in r.sub.Roles: employee -> ALLOW"},
		{"a role too many", "", "p, may, *, anyone, block, contact, !('employee' in r.sub.Roles), allow, ,", clerk, spam, "may: !('employee' in r.sub.Roles): employee -> ALLOW"},
		{"two terms", "", "p, may, *, employee, block, contact, r.sub.Rank >= 3 && r.obj.Verified, allow, ,", clerk, spam, ""},
		{"one of two", "", "p, may, *, employee, block, contact, r.sub.Rank >= 1 && r.obj.Verified, allow, ,", clerk, spam, "may: r.obj.Verified: false -> ALLOW"},
		{"either would do", "", "p, may, *, employee, block, contact, r.sub.Rank >= 3 || r.obj.Verified, allow, ,", clerk, spam, "may: r.sub.Rank >= 3 || r.obj.Verified: r.obj.Verified false, r.sub.Rank 2 -> ALLOW"},
		{"either would do, in parentheses", "", "p, may, *, employee, block, contact, (r.sub.Rank >= 3 || r.obj.Verified) && !r.obj.Mine, allow, ,", clerk, spam, "may: r.sub.Rank >= 3 || r.obj.Verified: r.obj.Verified false, r.sub.Rank 2 -> ALLOW"},
		{"beaten then", "", "p, may, *, employee, block, contact, r.obj.Verified, allow, ,\np, ask, *, employee, block, contact, r.obj.Verified, review, admin,", clerk, spam, "ask: r.obj.Verified: false -> REVIEW"},
		{"the nearer side", "", "p, may, *, employee, block, contact, r.sub.Rank >= 3 && r.obj.Verified || r.obj.Importance == 'KEY', allow, ,", clerk, spam, "may: r.obj.Importance == 'KEY': 'NORMAL' -> ALLOW"},
		{"negated whole", "", "p, may, *, employee, block, contact, !(r.sub.Rank < 3 || r.obj.Verified), allow, ,", clerk, spam, "may: r.sub.Rank < 3: 2 -> ALLOW"},
		{"a list", "", "p, may, *, employee, block, contact, \"r.sub.JobFunction in ('HR', 'IT')\", allow, ,", clerk, spam, "may: r.sub.JobFunction in ('HR', 'IT'): 'SALES' -> ALLOW"},
		{"another action", "", "p, may, *, employee, lift, contact, r.sub.Rank >= 3, allow, ,", clerk, spam, ""},
		{"another object", "", "p, may, *, employee, block, member, r.sub.Rank >= 3, allow, ,", clerk, spam, ""},
		{"a denial", "", allow + "p, not, *, anyone, block, contact, r.sub.Rank < 2, deny, ,", clerk, spam, "not: r.sub.Rank < 2: 2 -> DENY"},
		{"a denial of oneself", "p, self, *, anyone, block, *, r.obj.ID == r.sub.ID, deny, ,", allow, clerk, spam, "self: r.obj.ID == r.sub.ID: r.obj.ID wm_spam, r.sub.ID clerk -> DENY"},
		{"a review", "", allow + "p, ask, *, employee, block, contact, r.obj.OpenValue > 100, review, admin,", clerk, with(spam, func(o *Object) { o.OpenValue = 100 }), "ask: r.obj.OpenValue > 100: 100 -> REVIEW"},
		{"another approver", "", "p, ask.1, *, employee, block, contact, true, review, legal,\np, ask.2, *, employee, block, contact, r.obj.Verified, review, admin,", clerk, spam, "ask.2: r.obj.Verified: false -> REVIEW"},
		{"no other approver", "", "p, ask.1, *, employee, block, contact, true, review, admin,\np, ask.2, *, employee, block, contact, r.obj.Verified, review, admin,", clerk, spam, ""},
		{"allowed already", "", allow + "p, may.2, *, admin, block, contact, true, allow, ,", clerk, spam, ""},
		{"denied all the same", "p, not, *, anyone, block, *, true, deny, ,", "p, may, *, employee, block, contact, r.sub.Rank >= 3, allow, ,", clerk, spam, ""},
		{"a guardrail grants nothing", "p, ask, *, anyone, block, contact, r.obj.Verified, review, admin,", "", clerk, spam, ""},
		{"the fact frees and denies", "p, not, *, anyone, block, *, !r.obj.Verified, deny, ,", "p, may, *, employee, block, contact, r.obj.Verified, allow, ,", clerk, spam, "may: r.obj.Verified: false -> ALLOW"},
		{"no role at all", "", allow, nobody, spam, "may: role employee:  -> ALLOW"},
	} {
		e := policyOf(t, c.guard, c.rest)
		x := explain(t, e, Request{Platform: "wecom", Action: ActionBlock, Actor: c.actor, Object: c.object})
		if got := misses(x); got != c.want {
			t.Errorf("%s:\n%s, want\n%s", c.name, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	e := build(t, company("p, acme.careful, *, employee, block, contact, r.sub.Rank < 9, review, legal,\n"))
	x := explain(t, e, Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 500_000)})
	var layers []string
	for _, l := range x.Layers {
		var rules []string
		for _, m := range l.Rules {
			rules = append(rules, m.Rule.Name)
		}
		layers = append(layers, fmt.Sprint(l.Name, " ", l.Outcome, " ", rules))
	}
	want := []string{"guard REVIEW [C-06]", "default  []", "platform:wecom ALLOW [wecom.block_external.employee]", "company REVIEW [acme.careful]"}
	if !reflect.DeepEqual(layers, want) {
		t.Errorf("layers %q, want %q", layers, want)
	}
	if values := x.Layers[3].Rules[0].Values; !reflect.DeepEqual(values, []Fact{{"r.sub.Rank", "3"}}) {
		t.Errorf("values %v", values)
	}
	if got := misses(x); !strings.Contains(got, "C-07: r.obj.OpenValue > 500000: 500000 -> REVIEW") {
		t.Errorf("near misses\n%s", got)
	}
	colleague := explain(t, e, Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: peer})
	if got := misses(colleague); !strings.Contains(got, "wecom.block_member.dept_manager: role dept_manager: employee -> ALLOW") {
		t.Errorf("near misses\n%s", got)
	}
}

// TestExplainEverything: on the whole grid an explanation says what was decided, its near misses are lines that did not
// match, and it is the same twice.
func TestExplainEverything(t *testing.T) {
	e := build(t)
	met, found := 0, 0
	grid(func(r Request) {
		if met++; met*2654435761>>8%32 != 0 {
			return
		}
		x := explain(t, e, r)
		matched := map[im.ID]bool{}
		for _, l := range x.Layers {
			for _, m := range l.Rules {
				matched[m.Rule.ID] = true
			}
		}
		for _, d := range x.Decision.Rules {
			if !matched[d.ID] {
				t.Fatalf("%+v: %s decided and is in no layer", r, d.Name)
			}
		}
		found += len(x.NearMisses)
		for _, m := range x.NearMisses {
			if matched[m.Rule.ID] || m.FailedTerm == "" || !strings.Contains(m.Rule.Text, strings.TrimPrefix(m.FailedTerm, "role ")) {
				t.Fatalf("%+v: %s", r, m)
			}
		}
		if len(x.NearMisses) > maxNearMisses || misses(x) != misses(explain(t, e, r)) {
			t.Fatalf("%+v: %d near misses, or not the same ones twice", r, len(x.NearMisses))
		}
	})
	if found < 100 {
		t.Errorf("%d near misses", found)
	}
}

func TestNearMissesBounded(t *testing.T) {
	var lines strings.Builder
	for i := range 50 {
		fmt.Fprintf(&lines, "p, may.%d, *, employee, block, contact, r.sub.Rank >= %d, allow, ,\n", i, 3+i)
	}
	x := explain(t, policyOf(t, "", lines.String()), Request{Platform: "wecom", Action: ActionBlock, Actor: tangxin, Object: spam})
	if len(x.NearMisses) != maxNearMisses || x.NearMisses[0].Rule.Name != "may.0" {
		t.Errorf("%d near misses, the first %v", len(x.NearMisses), x.NearMisses)
	}
}
