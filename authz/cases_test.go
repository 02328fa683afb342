package authz_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/authz/policytest"
)

func build(t testing.TB, s authz.Sources) *authz.Engine {
	t.Helper()
	e, err := authz.Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shippedCases reads the case files that the product brings.
func shippedCases(t testing.TB) *policytest.Suite {
	t.Helper()
	files, err := policytest.Files(authz.Cases(), authz.CasesPath)
	if err != nil {
		t.Fatal(err)
	}
	s, err := policytest.Read(build(t, authz.House()), nil, files...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCases holds the shipped files to the shipped cases, which leave no line and no condition out.
func TestCases(t *testing.T) {
	e, coverage := build(t, authz.House()).Covered()
	suite, start := shippedCases(t), time.Now()
	results, err := suite.Run(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range policytest.Failed(results) {
		t.Errorf("\n%s", r)
	}
	if took := time.Since(start); len(results) < 1000 || took > time.Second {
		t.Errorf("%d cases in %v", len(results), took)
	}
	if r := coverage.Report(); r.Percent() != 100 {
		t.Errorf("the cases do not cover the files:\n%s", r)
	}
}

// TestChecks: the tests that docs/policy-checks.md points to are there.
func TestChecks(t *testing.T) {
	page, err := os.ReadFile("../docs/policy-checks.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\[(\w+)\]\(\.\./([^)]+)\)`).FindAllStringSubmatch(string(page), -1)
	for _, l := range links {
		file, err := os.ReadFile("../" + l[2])
		if err != nil || !strings.Contains(string(file), "\nfunc "+l[1]+"(") {
			t.Errorf("%s holds no %s: %v", l[2], l[1], err)
		}
	}
	if rows := strings.Count(string(page), "\n| "); len(links) < rows || rows < 16 {
		t.Errorf("%d links in %d rows", len(links), rows)
	}
}

func decide(t testing.TB, e *authz.Engine, r authz.Request) authz.Decision {
	t.Helper()
	d, err := e.Decide(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// asked are the cases, and those that decide once more from people without a role.
func asked(s *policytest.Suite) []policytest.Case {
	return slices.Concat(s.Cases, stripped(s.Cases))
}

// stripped are the same requests from who has no role, or of a service without a scope: nothing is allowed, and the lines for
// anyone refuse him as they do the others.
func stripped(cases []policytest.Case) []policytest.Case {
	var out []policytest.Case
	for _, c := range cases {
		if c.Want[policytest.Shows] != "" || c.Request.Platform == "wechat" || slices.Contains(c.Request.Actor.Roles, "auditor") {
			continue
		}
		least := c.Want[policytest.Rules]
		if c.Want[policytest.Outcome] != "deny" || least == "none" {
			least = ""
		}
		c.Name += ", without a role"
		c.Want = map[policytest.What]string{policytest.Outcome: "deny", atLeast: least}
		roles := slices.DeleteFunc(slices.Clone(c.Request.Actor.Roles), func(role string) bool { return !authz.OfService(role) })
		if len(roles) > 0 {
			roles = []string{authz.RoleService}
		}
		c.Request.Actor.Roles = roles
		out = append(out, c)
	}
	return out
}

// atLeast is rules that are among those which decide.
const atLeast policytest.What = "at least rules"

// passes reports whether a case comes out as it should.
func passes(t testing.TB, e *authz.Engine, c policytest.Case) bool {
	t.Helper()
	r, err := c.Run(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for rule := range strings.SplitSeq(c.Want[atLeast], ", ") {
		if rule != "" && !slices.ContainsFunc(r.Decision.Rules, func(d authz.Rule) bool { return d.Name == rule }) {
			return false
		}
	}
	return r.Passed()
}

// TestCasesDifferently: whatever the cases ask, Casbin's own enforcer answers the same; so does a request that is made of its
// facts again, and an engine of the version as it was kept.
func TestCasesDifferently(t *testing.T) {
	e := build(t, authz.House())
	kept, err := authz.OpenEngine(e.Bundle(), authz.House().Duties)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Version() != e.Version() {
		t.Errorf("version %s became %s", e.Version(), kept.Version())
	}
	for _, c := range asked(shippedCases(t)) {
		want := decide(t, e, c.Request)
		if !passes(t, e, c) {
			t.Errorf("%s: %s by %v", c.Title(), want.Outcome, want.Refs())
		}
		if ref, err := e.Reference(t.Context(), c.Request); err != nil || !reflect.DeepEqual(want, ref) {
			t.Errorf("%s: %s, and casbin says %s by %v, %v", c.Title(), want.Outcome, ref.Outcome, ref.Refs(), err)
		}
		again, err := authz.RequestOf(c.Request.Facts())
		if err != nil {
			t.Fatalf("%s: %v", c.Title(), err)
		}
		if got := decide(t, e, again); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s, and of its facts %s by %v", c.Title(), want.Outcome, got.Outcome, got.Refs())
		}
		if got := decide(t, kept, c.Request); got.Outcome != want.Outcome || !reflect.DeepEqual(got.Rules, want.Rules) || !reflect.DeepEqual(got.Needs, want.Needs) {
			t.Errorf("%s: %s, and as kept %s by %v", c.Title(), want.Outcome, got.Outcome, got.Refs())
		}
	}
}

func TestVersionsThatCannotDecide(t *testing.T) {
	e := build(t, authz.House())
	if _, err := authz.OpenEngine([]byte("{"), authz.House().Duties); err == nil {
		t.Error("half a bundle makes an engine")
	}
	if _, err := authz.OpenEngine(e.Bundle(), nil); err == nil || !strings.Contains(err.Error(), "nobody fulfils") {
		t.Errorf("without duties: %v", err)
	}
}

// TestMutations changes each line by one step (its effect, a role, a number, a comparison, a part of its
// condition, an approver, a duty) and sees at least one case fail.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an engine for each step")
	}
	cases := asked(shippedCases(t))
	sound := authz.House()
	e := build(t, sound)
	made, refused, same := 0, 0, 0
	for _, r := range e.Rules() {
		for what, line := range mutants(r) {
			s := sound
			s.Layers = slices.Clone(sound.Layers)
			for i, l := range s.Layers {
				if l.Name == r.Layer {
					s.Layers[i].Files = edited{l.Files, path.Base(r.File), r.Text, line}
				}
			}
			mutant, err := authz.Build(s)
			if err != nil { // the line means nothing any more
				refused++
				continue
			}
			made++
			if slices.ContainsFunc(cases, func(c policytest.Case) bool { return !passes(t, mutant, c) }) {
				continue
			}
			if d := authz.Diff(e, mutant); d.Same() && d.Exhaustive {
				same++ // it says the same in other words
			} else {
				t.Errorf("%s:%d: %s: no case fails by\n%s", r.File, r.Line, what, line)
			}
		}
	}
	t.Logf("%d mutants, %d of them change no decision, %d more are refused", made, same, refused)
	if made < 1000 || refused > made/8 || same > made/20 {
		t.Error("the mutants have become few, or malformed")
	}
}

// edited is a layer's files with one line changed.
type edited struct {
	fs.FS
	file, line, by string
}

func (e edited) Open(name string) (fs.File, error) {
	if name != e.file {
		return e.FS.Open(name)
	}
	b, err := fs.ReadFile(e.FS, name)
	if err != nil {
		return nil, err
	}
	return fstest.MapFS{name: {Data: []byte(strings.Replace(string(b), e.line+"\n", e.by+"\n", 1))}}.Open(name)
}

func (e edited) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(e.FS, name) }

// mutants are the lines that differ from a rule's by one step; empty: without it.
func mutants(r authz.Rule) map[string]string {
	out := map[string]string{"gone": ""}
	add := func(what string, change func(*authz.Rule)) {
		m := r
		change(&m)
		if m != r {
			out[what] = fmt.Sprintf("p, %s, %s, %s, %s, %s, %q, %s, %s, %s", m.Name, m.Domain, m.Role, m.Action, m.Target, m.When, m.Effect, m.By, m.Duty)
		}
	}
	for _, step := range [][2]string{{"anyone", "employee"}, {"employee", "anyone"}, {"employee", "dept_manager"}, {"dept_manager", "employee"},
		{"dept_manager", "admin"}, {"admin", "dept_manager"}, {"admin", "super_admin"}, {"super_admin", "admin"}, {"hr", "it"}, {"it", "legal"},
		{"legal", "hr"}, {"hr", "employee"}, {"it", "employee"}, {"legal", "employee"}, {"auditor", "employee"}, {authz.RoleServiceBulk, authz.RoleService},
		{authz.RoleServiceContacts, authz.RoleService}, {authz.RoleServiceMembers, authz.RoleService}, {authz.RoleServiceUnmask, authz.RoleService},
		{authz.RoleServiceDirectory, authz.RoleService}, {authz.RoleServiceCheck, authz.RoleService}, {authz.RoleServiceCheck, authz.RoleServiceContacts},
		{authz.RoleServiceContacts, authz.RoleServiceCheck}, {authz.RoleServiceMembers, authz.RoleServiceCheck}, {authz.RoleService, authz.RoleServiceCheck}} {
		if r.Role == step[0] {
			add("role "+step[1], func(m *authz.Rule) { m.Role = step[1] })
		}
		if by := strings.Split(r.By, "+"); slices.Contains(by, step[0]) {
			add("by "+step[1], func(m *authz.Rule) { m.By = strings.ReplaceAll(r.By, step[0], step[1]) })
		}
		if role := "'" + step[0] + "' in"; strings.Contains(r.When, role) {
			add("asked role "+step[1], func(m *authz.Rule) { m.When = strings.ReplaceAll(r.When, role, "'"+step[1]+"' in") })
		}
	}
	if r.Effect == "allow" {
		add("review", func(m *authz.Rule) { m.Effect, m.By = "review", "hr" })
		add("deny", func(m *authz.Rule) { m.Effect = "deny" })
	} else if r.Layer != authz.GuardLayer {
		add("allow", func(m *authz.Rule) { m.Effect, m.By = "allow", "" })
	}
	add("another approver", func(m *authz.Rule) {
		m.By = strings.NewReplacer("2*admin", "3*admin", "group_owner", "manager_of_actor", "manager_of_actor", "owner_dept_manager", "owner_dept_manager", "manager_of_actor", "as_made", "admin").Replace(m.By)
	})
	add("one fewer approver", func(m *authz.Rule) { m.By = strings.ReplaceAll(m.By, "2*", "") })
	for _, duty := range strings.Split(r.Duty, "|") {
		add("without "+duty, func(m *authz.Rule) {
			m.Duty = strings.Join(slices.DeleteFunc(strings.Split(r.Duty, "|"), func(d string) bool { return d == duty }), "|")
		})
	}
	add("another time", func(m *authz.Rule) {
		m.Duty = strings.NewReplacer("72h", "71h", "24h", "25h", "15m", "16m", "same_day", "any_time", "any_time", "same_day").Replace(m.Duty)
	})
	at := func(expression, what string, turn func(string) string) {
		for _, place := range regexp.MustCompile(expression).FindAllStringIndex(r.When, -1) {
			add(fmt.Sprintf("%s at %d", what, place[0]), func(m *authz.Rule) {
				m.When = r.When[:place[0]] + turn(r.When[place[0]:place[1]]) + r.When[place[1]:]
			})
		}
	}
	number := func(step int) func(string) string {
		return func(s string) string { n, _ := strconv.Atoi(s); return strconv.Itoa(n + step) }
	}
	at(`\b\d+\b`, "one more", number(1))
	at(`\b[1-9]\d*\b`, "one less", number(-1))
	opposite := map[string]string{" > ": " >= ", " >= ": " > ", " < ": " <= ", " <= ": " < ", " == ": " != ", " != ": " == ", " && ": " || ", " || ": " && "}
	at(` (>=?|<=?|==|!=|&&|\|\|) `, "comparison", func(s string) string { return opposite[s] })
	at(`!r\.`, "not", func(string) string { return "r." })
	at(`'[A-Za-z_]+', '[A-Za-z_]+'`, "first word", func(s string) string { first, _, _ := strings.Cut(s, ", "); return "'', " + first })
	at(`'[A-Za-z_]+', '[A-Za-z_]+'`, "second word", func(s string) string { _, second, _ := strings.Cut(s, ", "); return "'', " + second })
	if r.When != "true" {
		add("always", func(m *authz.Rule) { m.When = "true" })
	}
	return out
}
