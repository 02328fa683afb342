package authz

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLintShipped: the product's own files do what they seem to, and that is found out in a moment.
func TestLintShipped(t *testing.T) {
	start := time.Now()
	for _, p := range Lint(sources()) {
		t.Errorf("%s\n    %s\n    %s", p, p.Hint, p.Example)
	}
	t.Log(time.Since(start))
}

// TestLint: each way in which a line does not do what it seems to is told, with its place and a request that shows it;
// its neighbour that does what it seems to is not.
func TestLint(t *testing.T) {
	const may = "p, may, *, employee, block, contact, true, allow, , undo:72h\n"
	for _, c := range []struct {
		name                 string
		guard, rest, company string
		want                 string // file:line:column: the start of the message; empty: nothing
		example              string // part of it
	}{
		{"sound", "p, C-01, *, anyone, block, contact, r.obj.Verified, deny, ,\n", may, "p, acme.x, *, legal, block, contact, true, review, admin,\n", "", ""},

		{"never true", "", may + "p, x, *, employee, block, contact, r.sub.Rank > 5 && r.sub.Rank <= 5, deny, ,\n", "", "default.csv:7:36: nobody with the role employee meets the condition", ""},
		{"true of one number", "", may + "p, x, *, employee, block, contact, r.sub.Rank >= 5 && r.sub.Rank <= 5, deny, ,\n", "", "", ""},
		{"between two whole numbers", "", may + "p, x, *, employee, block, contact, r.sub.Rank > 5 && r.sub.Rank < 6, deny, ,\n", "", "default.csv:7:36: nobody", ""},
		{"between two amounts", "", may + "p, x, *, employee, block, contact, r.obj.OpenValue > 5 && r.obj.OpenValue < 6, deny, ,\n", "", "", ""},
		{"two words at once", "", may + "p, x, *, employee, block, contact, r.obj.Importance == 'KEY' && r.obj.Importance == 'NORMAL', deny, ,\n", "", "default.csv:7:36: nobody", ""},
		{"every word", "", may + "p, x, *, employee, block, contact, r.obj.Importance != '' && r.obj.Importance != 'KEY' && r.obj.Importance != 'NORMAL', deny, ,\n", "", "default.csv:7:36: nobody", ""},
		{"all but one word", "", may + "p, x, *, employee, block, contact, r.obj.Importance != '' && r.obj.Importance != 'KEY', deny, ,\n", "", "", ""},
		{"a role that its role implies", "", may + "p, x, *, dept_manager, block, contact, !('employee' in r.sub.Roles), deny, ,\n", "", "default.csv:7:40: nobody with the role dept_manager", ""},
		{"a fact of another target", "", may + "p, x, *, employee, block, contact, r.obj.OwnsSharedGroup, deny, ,\n", "", "default.csv:7:36: nobody", ""},
		{"an action that the set does not hold", "", may + "p, x, *, employee, one_way, contact, r.act == 'lift', deny, ,\n", "", "default.csv:7:38: nobody", ""},
		{"false", "", may + "p, x, *, employee, block, contact, false, deny, ,\n", "", "default.csv:7:36: the condition is false", ""},
		{"switched off", "", may + "p, no, *, legal, block, contact, true, deny, ,\n", "p, no, *, legal, block, contact, false, deny, ,\n", "", ""},

		{"the same by another name", "", may + "p, may.too, *, employee, block, contact, true, allow, , undo:72h\n", "", "default.csv:7:4: may.too says nothing that may (authz/policies/default.csv:6) does not say already", "wecom block contact"},
		{"another duty", "", may + "p, may.too, *, employee, block, contact, true, allow, , alert:X\n", "", "", ""},
		{"narrower", "", may + "p, may.too, *, admin, block, contact, r.obj.Verified, allow, , undo:72h\n", "", "default.csv:7:4: may.too says nothing", "r.obj.Verified"},
		{"the narrower one first", "", "p, a, *, admin, block, contact, true, allow, ,\np, may, *, employee, block, contact, true, allow, ,\n", "", "default.csv:6:4: a says nothing that may", "by "},
		{"a higher threshold", "p, C-1, *, anyone, block, contact, r.obj.OpenValue > 100, deny, ,\np, C-2, *, anyone, block, contact, r.obj.OpenValue > 500, deny, ,\n", may, "", "guard.csv:2:4: C-2 says nothing that C-1", "r.obj.OpenValue 501"},
		{"fewer approvers", "p, C-1, *, anyone, block, contact, true, review, 2*admin+legal,\np, C-2, *, anyone, one_way, contact, r.act == 'block', review, admin,\n", may, "", "guard.csv:2:4: C-2 says nothing that C-1", ""},
		{"more approvers", "p, C-1, *, anyone, block, contact, true, review, admin,\np, C-2, *, legal, block, contact, true, review, 2*admin,\n", may, "", "", ""},
		{"a scope of its own", "", "p, r.1, *, employee, read, contact, true, allow, , scope:follows\np, r.2, *, admin, read, contact, true, allow, , scope:all\n", "", "", ""},
		{"a scope within all", "", "p, r.1, *, employee, read, contact, true, allow, , scope:all\np, r.2, *, admin, read, contact, true, allow, , scope:follows\n", "", "default.csv:7:4: r.2 says nothing that r.1", ""},

		{"always denied", "p, C-1, *, anyone, block, contact, r.sub.Rank < 3, deny, ,\np, C-2, *, anyone, block, contact, r.sub.Rank >= 3, deny, ,\n", may, "", "default.csv:6:44: may never decides: wherever it holds others deny, as C-", "wecom block contact"},
		{"denied but for a few", "p, C-1, *, anyone, block, contact, r.sub.Rank < 3, deny, ,\np, C-2, *, anyone, block, contact, r.sub.Rank > 3, deny, ,\n", may, "", "", ""},

		{"an action on what it is not about", "", may + "p, x, *, employee, lift, contact, true, allow, ,\n", "", "default.csv:7:26: nobody asks about lift of contact", ""},
		{"a wildcard over something", "", may + "p, x, *, legal, block, *, true, deny, ,\n", "", "", ""},
		{"no such platform", "", may, "p, acme.x, app, anyone, block, contact, true, deny, ,\n", "acme.csv:1:47: acme.x changes nothing: what it is about is allowed by no line anyway", ""},
		{"unused set", "", may + "g2, lift, ended\n", "", "default.csv:7:11: no line is about the set of actions ended", ""},

		{"approver of nobody", "g, legal, board, app\n", may, "p, acme.x, *, employee, block, contact, true, review, board,\n", "acme.csv:1:55: nobody has the role board on wecom, other platforms", ""},
		{"approver of somebody", "g, legal, board, *\n", may, "p, acme.x, *, employee, block, contact, true, review, board,\n", "", ""},
		{"owner of no group", "", strings.Replace(may, "allow, ", "review, group_owner", 1), "", "default.csv:6:52: the line is about no group", ""},
		{"owner of no contact", "", "p, x, *, employee, isolate, member, true, review, owner_dept_manager,\n", "", "default.csv:6:51: the line is about no contact", ""},

		{"denies what is denied", "p, C-1, *, anyone, block, contact, r.obj.OpenValue > 100, deny, ,\n", may, "p, acme.x, *, legal, block, contact, r.obj.OpenValue > 500, deny, , alert:X\n", "acme.csv:1:61: acme.x changes nothing: what it denies is denied already, as by C-1", "r.obj.OpenValue 501"},
		{"denies what nothing allows", "", may, "p, acme.x, *, legal, isolate, member, true, deny, ,\n", "acme.csv:1:45: acme.x changes nothing: what it is about is allowed by no line anyway", ""},
		{"reviews what nothing allows", "", "p, may, *, employee, block, contact, r.obj.Verified, allow, ,\n", "p, acme.x, *, legal, block, contact, !r.obj.Verified, review, admin,\n", "acme.csv:1:55: acme.x changes nothing", ""},
		{"replaces with the same", "", may, "p, may, *, employee, block, contact, !(r.obj.Verified && !r.obj.Verified), allow, , undo:72h\n", "acme.csv:1:4: may replaces authz/policies/default.csv:6 and changes no decision", ""},
		{"tightens by its id", "", may, "p, may, *, employee, block, contact, true, review, admin, undo:72h\n", "", ""},
		{"replaces with more", "", strings.Replace(may, "true", "r.obj.Verified", 1), may, "", ""},
		{"loosens what is denied", "p, C-1, *, anyone, block, contact, r.sub.Rank < 3, deny, ,\n", "p, may, *, employee, block, contact, r.sub.Rank >= 3, review, admin,\np, not, *, employee, block, contact, r.sub.Rank < 3, review, legal,\n",
			"p, not, *, employee, block, contact, r.sub.Rank < 3, allow, ,\n", "acme.csv:1:54: not never decides: wherever it holds others deny, as C-1", ""},
		{"pretends to loosen", "p, C-1, *, anyone, block, contact, true, review, legal,\n", "p, may, *, employee, block, contact, true, review, legal,\n",
			"p, may, *, employee, block, contact, r.obj.Verified, allow, ,\n", "acme.csv:1:54: may replaces authz/policies/default.csv:6 and allows nothing that was not allowed before", "block contact"},
		{"the company outdoes a shipped denial", "", may + "p, not, *, legal, block, contact, r.obj.Verified, deny, ,\n", "p, acme.x, *, employee, block, contact, r.obj.Verified, deny, ,\n", "", ""},
		{"the company denies all that is allowed", "", may, "p, acme.x, *, anyone, block, contact, true, deny, ,\n", "", ""},
		{"no company line", "", may, "# nothing yet\n", "company: no policy line stands in the company's directory", ""},
		{"refused", "", may, "p, acme.x, *, emploee, block, contact, true, deny, ,\n", "acme.csv:1:15: unknown role", ""},
		{"a circle", "", may + "g, employee, admin, *\n", "", "default.csv:", ""},
		{"twice", "", may + may, "", "default.csv:7:1: the same line stands at", ""},
	} {
		if c.company == "" {
			c.company = "p, acme.keep, *, anyone, lift, relationship, r.obj.Pending, deny, ,\n"
		}
		const base = "g, admin, dept_manager, *\ng, dept_manager, employee, *\ng, legal, employee, *\ng2, block, one_way\ng2, blacklist, one_way\n"
		found := Lint(Sources{
			Platforms: []Platform{{"wecom", true}, {"app", false}},
			Layers: []Layer{
				{Name: GuardLayer, Files: csvFile("guard.csv", c.guard+"p, C-99, *, anyone, lift, *, r.sub.Rank < 1, deny, ,\n")},
				{Name: DefaultLayer, Files: csvFile("default.csv", base+c.rest+"p, lift, *, employee, lift, relationship, true, allow, ,\np, keep, *, employee, one_way, member, true, allow, ,\n")},
				company(c.company),
			},
			Duties: duties,
		})
		var told []string
		for _, p := range found {
			told = append(told, p.String()+" | "+p.Example)
			if p.Severity != SeverityError && p.Severity != SeverityNote && p.Hint == "" {
				t.Errorf("%s: no hint: %s", c.name, p)
			}
		}
		fits := func(s string) bool {
			return strings.HasPrefix(strings.TrimPrefix(s, "authz/policies/"), c.want) && strings.Contains(s, c.example)
		}
		if c.want == "" && len(told) > 0 || c.want != "" && (len(told) != 1 || !slices.ContainsFunc(told, fits)) {
			t.Errorf("%s: want %q, got\n    %s", c.name, c.want, strings.Join(told, "\n    "))
		}
	}
}
