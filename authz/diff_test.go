package authz

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/guanxi-im/guanxi/internal/fault"
)

func moves(r Report) string {
	var out []string
	for _, m := range r.Moves {
		out = append(out, fmt.Sprintf("%s %s %v: %s", m.Action, m.Object, m.Platforms, m.change(fault.English)))
	}
	return strings.Join(out, "\n")
}

// TestDiff: each kind of change is told with those who meet it, and what changes nothing as such.
func TestDiff(t *testing.T) {
	const may = "p, may, *, employee, block, contact, true, allow, , undo:72h\n"
	people := []Subject{{"Wang Fang", wangfang}, {"Lin Yue", linyue}, {"Tang Xin", tangxin}, {"He Yun", heyun}}
	for _, c := range []struct {
		name           string
		guard          string
		old, new, want string
		people         string
	}{
		{"nothing", "", may, may, "", ""},
		{"an id, an order, a space, a comment", "", may + "p, not, *, legal, block, contact, r.obj.Verified, deny, ,\n", "# why\np, x, *, legal, block, contact,   r.obj.Verified , deny, ,\n" + strings.Replace(may, "may", "may.not", 1), "", ""},
		{"another spelling", "", "p, may, *, employee, block, contact, r.sub.Rank >= 3 && r.obj.Verified, allow, ,\n", "p, may, *, employee, block, contact, !(3 > r.sub.Rank || !(r.obj.Verified)), allow, ,\n", "", ""},
		{"one line made two", "", may, strings.Replace(may, "true", "r.obj.Verified", 1) + strings.Replace(may, "true", "!r.obj.Verified", 1), "", ""},
		{"a line of no account", "", may, may + "p, more, *, admin, block, contact, true, allow, , undo:72h\n", "", ""},
		{"a denial", "", may, may + "p, not, *, legal, block, contact, true, deny, ,\n", "block contact [other wecom]: was allowed, now is denied", "He Yun"},
		{"a threshold", "", strings.Replace(may, "true", "r.sub.Rank >= 3", 1), strings.Replace(may, "true", "r.sub.Rank >= 4", 1), "block contact [other wecom]: was allowed, now is denied", "Wang Fang"},
		{"a threshold of an amount", "", may + "p, ask, *, employee, block, contact, r.obj.OpenValue > 100, review, admin,\n", may + "p, ask, *, employee, block, contact, r.obj.OpenValue >= 100, review, admin,\n", "block contact [other wecom]: was allowed, now needs admin to agree", "Wang Fang, Lin Yue, Tang Xin, He Yun"},
		{"a role", "", may, strings.Replace(may, "employee", "dept_manager", 1), "block contact [other wecom]: was allowed, now is denied", "Wang Fang, Tang Xin, He Yun"},
		{"an undo window", "", may, strings.Replace(may, "72h", "24h", 1), "block contact [other wecom]: now goes with undo:24h instead of undo:72h", "Wang Fang, Lin Yue, Tang Xin, He Yun"},
		{"an approver", "", strings.Replace(may, "allow, ", "review, legal", 1), strings.Replace(may, "allow, ", "review, 2*admin", 1), "block contact [other wecom]: now needs 2*admin to agree instead of legal", "Wang Fang, Lin Yue, Tang Xin, He Yun"},
		{"what goes with a denial", "p, C-1, *, anyone, block, contact, r.obj.Importance == 'KEY', deny, ,\n", may + "p, not, *, employee, block, contact, r.obj.Verified, deny, , alert:X\n", may + "p, not, *, employee, block, contact, r.obj.Verified, deny, , alert:Y\n", "block contact [other wecom]: now goes with alert:Y instead of alert:X", "Wang Fang, Lin Yue, Tang Xin, He Yun"},
		{"one platform", "", may, may + "p, default.not, default, legal, block, contact, true, deny, ,\n", "block contact [other wecom]: was allowed, now is denied", "He Yun"},
		{"what a guardrail denies anyway", "p, C-01, *, legal, block, *, true, deny, ,\n", may, may + "p, not, *, legal, block, contact, true, deny, ,\n", "", ""},
		{"a review of what nothing allows", "", "", "p, x, *, employee, block, contact, false, allow, ,\n", "", ""},
		{"what may be read", "", "p, read, *, employee, read, contact, true, allow, , scope:follows\n", "p, read, *, employee, read, contact, true, allow, , scope:follows\np, read.legal, *, legal, read, contact, true, allow, , scope:all\n", "read contact []: now shows all instead of follows", "He Yun"},
		{"what a role implies", "", may + "p, read, *, admin, read, contact, true, allow, , scope:all\n", may + "p, read, *, admin, read, contact, true, allow, , scope:all\ng, legal, admin, *\n", "read contact []: now shows all", "He Yun"},
		{"a role that nobody asks for", "", may, may + "g, legal, scribe, *\n", "", ""},
	} {
		r := Diff(policyOf(t, c.guard, c.old), policyOf(t, c.guard, c.new), people...)
		if got := moves(r); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
		if !r.Exhaustive || r.Same() != (c.want == "") {
			t.Errorf("%s: exhaustive %v, same %v", c.name, r.Exhaustive, r.Same())
		}
		for _, m := range r.Moves {
			if got := strings.Join(m.People, ", "); got != c.people {
				t.Errorf("%s: meets %s, want %s", c.name, got, c.people)
			}
		}
		back := Diff(policyOf(t, c.guard, c.new), policyOf(t, c.guard, c.old))
		if len(back.Moves) != len(r.Moves) {
			t.Errorf("%s: %d moves, and %d back", c.name, len(r.Moves), len(back.Moves))
		}
	}
}

// TestDiffText: what is told is plain, and says how it was found.
func TestDiffText(t *testing.T) {
	old := build(t)
	changed := build(t, company("p, wecom.block_external.employee, wecom, employee, block, contact, true, review, dept_manager, undo:24h\n"))
	r := Diff(old, changed, Subject{"王芳", wangfang}, Subject{"林悦", linyue})
	en, zh := r.Text(fault.English), r.Text(fault.Chinese)
	for text, want := range map[string][]string{
		en: {"王芳: block contact on wecom: was allowed, now needs dept_manager to agree; now goes with undo:24h instead of undo:72h, undo_review:admin", "+ wecom.block_external.employee acme.csv:1", "- wecom.block_external.employee adapters/wecom/rules.csv:", "All ", "such as wecom block contact, by "},
		zh: {"林悦：屏蔽 外部联系人（wecom）：原为允许，现须经部门主管同意；现附带：24 小时内可撤销\n", "不再是：72 小时内可撤销、撤销须经管理员同意\n", "例如：wecom 屏蔽 外部联系人，操作人为员工\n", "已比较条件所能区分的全部"},
	} {
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("lacks %q:\n%s", w, text)
			}
		}
	}
	twice := Diff(policyOf(t, "", "p, may, *, employee, block, contact, true, allow, ,\n"), policyOf(t, "",
		"p, may, *, employee, block, contact, true, allow, ,\np, a, *, employee, block, contact, r.obj.Verified, deny, ,\np, b, *, employee, block, contact, !r.obj.Verified && r.sub.Rank > 3, deny, ,\n"))
	if text := twice.Text(fault.English); len(twice.Moves) != 2 || strings.Count(text, "whom it fits: block contact on other, wecom: was allowed, now is denied\n") != 1 || strings.Count(text, "    such as ") != 2 {
		t.Errorf("%d moves\n%s", len(twice.Moves), text)
	}
	if got := Diff(old, build(t)).Text(fault.English); got != "No decision changes: the same lines are about every request.\n" {
		t.Error(got)
	}
	const may = "p, may, *, employee, block, contact, %s, allow, ,\n"
	same := Diff(policyOf(t, "", fmt.Sprintf(may, "r.sub.Rank >= 3")), policyOf(t, "", fmt.Sprintf(may, "!(r.sub.Rank < 3)")))
	if got := same.Text(fault.English); !same.Same() || !strings.HasPrefix(got, "No decision changes: all ") || same.Cells == 0 {
		t.Error(got)
	}
	if got := same.Text(fault.Chinese); !strings.HasPrefix(got, "决策没有变化：已比较") {
		t.Error(got)
	}
}

// TestDiffInChinese: every word of the files that the product knows is said in Chinese.
func TestDiffInChinese(t *testing.T) {
	zh := diffTexts[fault.Chinese]
	shipped := buildHouse(t)
	words := slices.Concat(actions, types, approvers, shipped.hierarchy.names(), slices.Sorted(maps.Keys(readTerms)), []string{"other", "2*admin"})
	for _, r := range shipped.Rules() {
		for duty := range strings.SplitSeq(r.Duty, "|") {
			if duty = strings.TrimSpace(duty); duty != "" && !isScope(r.Action) {
				words = append(words, duty)
			}
		}
	}
	for _, w := range words {
		if w == "it" {
			continue // IT, in Chinese too
		}
		if got := zh.word(w); got == w || !strings.ContainsFunc(got, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
			t.Errorf("%s is %q", w, got)
		}
	}
	for w, want := range map[string]string{"undo:24h": "24 小时内可撤销", "undo_review:admin+hr": "撤销须经管理员、人事同意", "2*legal": "2 名法务", "acme_role": "acme_role", "undo:90m": "90m内可撤销"} {
		if got := zh.word(w); got != want {
			t.Errorf("%s is %q, want %q", w, got, want)
		}
	}
}

// unfit reports whether a request of the grid has facts that its object cannot have.
func unfit(r Request) bool {
	o := Request{Object: r.Object}
	for name, a := range attributes {
		if strings.HasPrefix(name, "r.obj.") && !fits(name, r.Object.Type) {
			f, none := &facts{Request: &o}, &facts{Request: &Request{}}
			switch a.kind {
			case truth:
				if a.truth(f) != a.truth(none) {
					return true
				}
			case number:
				if a.number(f) != a.number(none) {
					return true
				}
			case word:
				if a.text(f) != a.text(none) {
					return true
				}
			}
		}
	}
	return false
}

// TestDiffExample: the example has nothing out of the ordinary but what matters.
func TestDiffExample(t *testing.T) {
	const may = "p, may, *, employee, block, contact, true, allow, ,\n"
	r := Diff(policyOf(t, "", may), policyOf(t, "", may+
		"p, not, *, employee, block, contact, r.obj.Importance != 'KEY' && r.obj.Verified && r.sub.Rank < 3 && r.sub.Rank > 3 || r.obj.Importance == 'KEY', deny, ,\n"))
	if len(r.Moves) != 1 || r.Moves[0].Example != "wecom block contact, by employee, r.obj.Importance 'KEY'" && r.Moves[0].Example != "block contact, by employee, r.obj.Importance 'KEY'" {
		t.Errorf("%+v", r.Moves)
	}
}

// TestDiffInexact: where not all was tried it says so.
func TestDiffInexact(t *testing.T) {
	may := "p, may, *, employee, block, contact, %s, allow, ,\n"
	var roles strings.Builder
	for i := range 9 {
		fmt.Fprintf(&roles, "g, r%d, anyone, *\np, r.%[1]d, *, r%[1]d, block, contact, true, allow, , alert:%c\n", i, 'A'+i)
	}
	var amounts []string
	for _, name := range []string{"r.sub.Rank", "r.sub.LastHour", "r.obj.OpenValue", "r.obj.Rows"} {
		for i := range 14 {
			amounts = append(amounts, fmt.Sprintf("%s != %d", name, 2*i+1))
		}
	}
	for name, c := range map[string][2]string{
		"too many amounts":     {fmt.Sprintf(may, "true"), fmt.Sprintf(may, strings.Join(amounts, " && "))},
		"two numbers compared": {fmt.Sprintf(may, "true"), fmt.Sprintf(may, "r.sub.Rank <= r.obj.OpenValue")},
		"too many roles":       {roles.String() + fmt.Sprintf(may, "true"), roles.String() + fmt.Sprintf(may, "r.obj.Verified")},
	} {
		r := Diff(policyOf(t, "", c[0]), policyOf(t, "", c[1]))
		if r.Exhaustive || r.Same() || !strings.Contains(r.Text(fault.English), "that was not all") {
			t.Errorf("%s: exhaustive %v\n%s", name, r.Exhaustive, r.Text(fault.English))
		}
	}
}

// knot is a company file with sets and roles of its own, and conditions over everything.
const knot = `
g, intern, employee, wecom
g, wizard, intern, *
g2, lift, acme_touch
g2, block, acme_touch
p, acme.1, *, intern, acme_touch, *, r.sub.Rank <= 3 && r.sub.Rank >= 3 || r.obj.Mine != r.obj.Pending, deny, ,
p, acme.2, wecom, wizard, *, *, "!(r.obj.Mine == true) && !r.obj.Verified && 3 > r.sub.Rank", review, 2*legal+group_owner, alert:ACME
p, acme.3, default, anyone, block, contact, "r.obj.Importance in ('KEY', '') || r.sub.Rank != 5 && r.obj.OpenValue < 600000", review, hr, expire:1h
p, acme.4, native, dept_manager, block, *, (r.obj.Relation == '' || r.env.CustomerContact) && 'auditor' in r.sub.Roles, deny, ,
p, native.block_member.employee, native, employee, block, member, r.sub.ID != r.obj.ID && !r.obj.Mine, review, manager_of_actor, undo:same_day
`

// TestDiffComplete holds Diff to the grid: whatever two engines answer otherwise there it tells, with those answers on
// that platform; and where it tells nothing the grid has nothing.
func TestDiffComplete(t *testing.T) {
	shipped := build(t)
	for _, c := range []struct{ name, text string }{
		{"knot", knot},
		{"a threshold, back", "p, acme.rank, *, anyone, one_way, *, r.sub.Rank < 4, deny, ,\n"},
		{"a threshold", "p, acme.rank, *, anyone, one_way, *, r.sub.Rank < 4, deny, ,\n"},
		{"a role", "g, legal_head, legal, *\np, acme.no, *, legal, block, contact, r.obj.Verified, deny, ,\n"},
		{"a scope", "p, read.contacts.employee, *, employee, read, contact, r.sub.Rank > 2, allow, , scope:follows\n"},
		{"a duty", "p, native.block_member.employee, native, employee, block, member, true, allow, , undo:24h\n"},
		{"nothing", "p, acme.no, *, anyone, block, *, false, deny, ,\n"},
	} {
		start := time.Now()
		e := build(t, company(c.text))
		shipped := shipped
		if strings.HasSuffix(c.name, "back") {
			shipped, e = e, shipped
		}
		r := Diff(shipped, e, Subject{"a wizard", with(wangfang, func(a *Actor) { a.Roles = []string{"wizard", "employee"} })})
		t.Logf("%s: %d moves, %d places, %d cells, exhaustive %v, %v", c.name, len(r.Moves), r.Places, r.Cells, r.Exhaustive, time.Since(start))
		if !r.Exhaustive {
			t.Errorf("%s: not exhaustive", c.name)
		}
		met := map[*Move]bool{}
		n := 0
		grid(func(q Request) {
			if n++; !isScope(q.Action) && n*2654435761>>8%8 != 0 || !isAsked(q.Action, q.Object.Type) || unfit(q) {
				return
			}
			platform := q.Platform
			if shipped.sites[platform] == nil {
				platform = "other"
			}
			var from, to Answer
			if isScope(q.Action) {
				q.Platform = ""
				from.Scope, to.Scope = shipped.scope(q), e.scope(q)
			} else {
				from, to = answer(shipped.matching(&q, nil)), answer(e.matching(&q, nil))
			}
			if from.equal(to) {
				return
			}
			for i := range r.Moves {
				m := &r.Moves[i]
				if m.Action == q.Action && m.Object == q.Object.Type && (isScope(q.Action) || slices.Contains(m.Platforms, platform)) && fmt.Sprint(deltaOf(m.From, m.To)) == fmt.Sprint(deltaOf(from, to)) {
					met[m] = true
					return
				}
			}
			t.Fatalf("%s: %s: %+v, then %+v; not told", c.name, Compact(q), from, to)
		})
		if (c.name == "nothing") != r.Same() || !r.Same() && len(met) == 0 {
			t.Errorf("%s: %d moves told, %d of them met\n%s", c.name, len(r.Moves), len(met), r.Text(fault.English))
		}
	}
}
