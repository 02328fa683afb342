package policytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/guanxi-im/guanxi/authz"
)

// engine decides by rules of its own: the cases are what is tested here.
func engine(t testing.TB) *authz.Engine {
	t.Helper()
	file := func(text string) fstest.MapFS { return fstest.MapFS{"rules.csv": {Data: []byte(text)}} }
	e, err := authz.Build(authz.Sources{
		Platforms: []authz.Platform{{Name: "wecom", Organisation: true}, {Name: "native", Organisation: true}},
		Layers: []authz.Layer{
			{Name: authz.DefaultLayer, Files: file(`g, admin, dept_manager, *
g, dept_manager, employee, *
g, legal, employee, *
g2, block, one_way
p, may, *, employee, block, contact, true, allow, , undo:72h
p, boss, *, anyone, one_way, *, "r.obj.Relation in ('superior', 'subordinate')", deny, ,
p, ask, *, employee, block, contact, r.obj.Importance == 'KEY', review, 2*admin+manager_of_actor, alert:KEY | expire:24h
p, read, *, employee, read, contact, r.sub.Rank > 3, allow, , scope:follows
p, read.admin, *, admin, read, contact, true, allow, , scope:all
p, unmask, *, employee, unmask, *, true, allow, , unmask:own | unmask:follows
`)},
			{Name: "platform:native", Domain: "native", Files: file("p, native.day, native, employee, block, member, true, allow, , undo:same_day\n")},
		},
		Duties: []string{authz.DutyUndo, authz.DutyAlert, authz.DutyExpire},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const cast = `
people:
  anna: {Roles: employee, Rank: 3, manager: boris}
  boris: {Roles: dept_manager, r.sub.Rank: 7, manager: carl}
  carl: {Roles: [admin, legal], Rank: 9}
  dora: {}
things:
  customer: {is: contact, Importance: NORMAL}
  key: {is: contact, r.obj.Importance: KEY, OpenValue: 0.5, Verified: true}
`

// TestRefused: whatever is wrong is told with its place; a neighbour that is right is not.
func TestRefused(t *testing.T) {
	e := engine(t)
	const ask = "cases:\n  - {who: anna, on: wecom, does: block, to: customer, expect: allow"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"comments", "# to do\n", ""},
		{"null", "~\n", ""},
		{"no cases", "cases:\n", ""},
		{"sound", cast + ask + "}\n", ""},
		{"names without cases", cast, ""},

		{"no YAML", "cases: [", "1: no YAML: "},
		{"a tab", "cases:\n\t- {}\n", "no YAML: "},
		{"two documents", "cases: []\n---\ncases: []\n", "2:1: the file holds a second document"},
		{"a list", "- a\n", "1:1: expected a case file"},
		{"a word", "cases\n", "1:1: expected a case file"},
		{"unknown key", "case: []\n", "1:1: there is no key \"case\"; did you mean cases?"},
		{"key twice", "cases: []\ncases: []\n", "2:1: cases stands there twice"},
		{"key of a case", cast + ask + ", expects: deny}\n", "there is no key \"expects\"; did you mean expect?"},
		{"a comma", cast + ask + ", name: up to 100,000}\n", "\"000\" is no key with a value; a text that holds a comma stands in quotes"},
		{"key twice in a case", cast + ask + ", expect: deny}\n", "expect stands there twice"},
		{"no list", "cases: {}\n", "1:8: expected a list"},
		{"alias", "people: &a {}\nthings: *a\n", "1:9: anchors and aliases"},
		{"a bomb", "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n", "1:4: anchors and aliases"},
		{"merge key", cast + "cases:\n  - {<<: {who: anna}}\n", "there is no key \"<<\""},
		{"too large", strings.Repeat("#\n", 1<<19) + "#", "the file is over 1 MiB"},
		{"just large enough", strings.Repeat("#\n", 1<<19), ""},

		{"fact of a person", "people:\n  anna: {Renk: 3}\n", "2:10: there is no fact \"r.sub.Renk\"; did you mean r.sub.Rank?"},
		{"fact of a thing in a person", "people:\n  anna: {r.obj.Verified: true}\n", "2:10: r.obj.Verified is none of these facts: they start with r.sub."},
		{"value of a person", "people:\n  anna: {Rank: high}\n", "2:16: r.sub.Rank cannot be \"high\"; expected a whole number"},
		{"word of a person", "people:\n  anna: {JobFunction: SELLER}\n", "2:23: r.sub.JobFunction cannot be \"SELLER\"; expected one of"},
		{"role", "people:\n  anna: {Roles: [employee, wizard]}\n", "2:17: there is no role \"wizard\""},
		{"manager of nobody", "people:\n  anna: {manager: zoe}\n", "2:3: the manager \"zoe\" of anna is nobody"},
		{"his own manager", "people:\n  anna: {manager: boris}\n  boris: {manager: anna}\n", "2:3: anna is among his own superiors"},
		{"name twice", "people:\n  anna: {}\nthings:\n  anna: {is: contact}\n", "4:3: anna has been named at cases.yaml:2 already"},
		{"name of a type", "people:\n  contact: {}\n", "2:3: \"contact\" cannot be a name"},
		{"thing of no type", "things:\n  x: {Importance: KEY}\n", "2:3: what is x?"},
		{"thing of another type", "things:\n  x: {is: contract}\n", "2:11: there is no type of things \"contract\"; did you mean contact?"},
		{"fact of another type", "things:\n  x: {is: member, Importance: KEY}\n", "2:19: a member has no r.obj.Importance; it is of contact"},

		{"lacks", cast + "cases:\n  - {who: anna, expect: deny}\n", "the case lacks does"},
		{"nobody", cast + strings.Replace(ask, "anna", "anne", 1) + "}\n", "there is no person \"anne\"; did you mean anna?"},
		{"no platform", cast + strings.Replace(ask, "wecom", "wecon", 1) + "}\n", "there is no platform \"wecon\"; did you mean wecom?"},
		{"another platform", cast + strings.Replace(ask, "wecom", "other", 1) + "}\n", ""},
		{"no action", cast + strings.Replace(ask, "block", "blok", 1) + "}\n", "there is no action \"blok\"; did you mean block?"},
		{"nothing there", cast + strings.Replace(ask, "customer", "custmer", 1) + "}\n", "there is no thing or person \"custmer\"; did you mean customer?"},
		{"about nothing", cast + strings.Replace(ask, ", to: customer", "", 1) + "}\n", "block of what? the case lacks to"},
		{"a type", cast + strings.Replace(ask, "customer", "contact", 1) + "}\n", ""},
		{"no outcome", cast + strings.Replace(ask, "allow", "allowed", 1) + "}\n", "there is no outcome \"allowed\"; did you mean allow?"},
		{"a map in a list", cast + strings.Replace(ask, "wecom", "[wecom, {}]", 1) + "}\n", "expected a word"},

		{"with", cast + ask + ", with: {r.sub.Rank: 1, r.obj.OpenValue: 0.01, r.env.CustomerContact: true}}\n", ""},
		{"with what is no fact", cast + ask + ", with: {Rank: 1}}\n", "Rank is no fact; they are called as in policy files"},
		{"with an unknown fact", cast + ask + ", with: {r.env.Weather: 1}}\n", "there is no fact \"r.env.Weather\""},
		{"with another action", cast + ask + ", with: {r.act: lift}}\n", "r.act is said by on, does or to"},
		{"with a fact of another type", cast + ask + ", with: {r.obj.OwnsSharedGroup: true}}\n", "a contact has no r.obj.OwnsSharedGroup"},

		{"expects nothing", cast + strings.Replace(ask, "allow", "{}", 1) + "}\n", "expected one of outcome, rules, needs, duties, undo"},
		{"expects something else", cast + strings.Replace(ask, "allow", "{result: allow}", 1) + "}\n", "there is no key \"result\""},
		{"expects of nobody", cast + strings.Replace(ask, "allow", "{needs: admin+board}", 1) + "}\n", "nobody is an approver called \"board\""},
		{"expects an unknown duty", cast + strings.Replace(ask, "allow", "{duties: undoo:72h}", 1) + "}\n", "there is no duty \"undoo\"; did you mean undo?"},
		{"expects to see", cast + strings.Replace(ask, "allow", "{shows: all}", 1) + "}\n", "there is no key \"shows\""},

		{"reads", cast + "cases:\n  - {who: anna, does: read, to: contact, expect: {shows: follows}}\n", ""},
		{"reads on a platform", cast + "cases:\n  - {who: anna, on: wecom, does: read, to: contact, expect: {shows: follows}}\n", "what may be read does not depend on a platform"},
		{"reads another term", cast + "cases:\n  - {who: anna, does: read, to: contact, expect: {shows: in}}\n", "there is no term \"in\"; expected one of all, departments_below, follows"},
		{"reads and is allowed", cast + "cases:\n  - {who: anna, does: read, to: contact, expect: allow}\n", "expected what comes out"},
		{"unmasks something", cast + "cases:\n  - {who: anna, does: unmask, to: contact, expect: {shows: own}}\n", "unmasking is asked for all targets at once"},

		{"an undo", cast + "zone: Asia/Shanghai\nnow: 2026-11-21T08:00+08:00\n" + strings.Replace(ask, "allow", "{undo: open}", 1) + ", made: 2026-11-20T08:00:00Z}\n", ""},
		{"an undo of nothing", cast + strings.Replace(ask, "allow", "{undo: open}", 1) + "}\n", "the case lacks made"},
		{"an undo at no time", cast + "zone: Asia/Shanghai\n" + strings.Replace(ask, "allow", "{undo: open}", 1) + ", made: 2026-11-20T08:00:00Z}\n", "expected at, or now in the file"},
		{"an undo nowhere", cast + "now: 2026-11-21T08:00+08:00\n" + strings.Replace(ask, "allow", "{undo: open}", 1) + ", made: 2026-11-20T08:00:00Z}\n", "in which time zone is the workspace?"},
		{"an undo that is half open", cast + "zone: UTC\nnow: 2026-11-21T08:00+08:00\n" + strings.Replace(ask, "allow", "{undo: half}", 1) + ", made: 2026-11-20T08:00:00Z}\n", "there is no answer \"half\"; expected one of open, closed"},
		{"made for no reason", cast + "zone: UTC\nnow: 2026-11-21T08:00+08:00\n" + ask + ", made: 2026-11-20T08:00:00Z}\n", "expects nothing of an undo"},
		{"at without made", cast + ask + ", at: 2026-11-20T08:00:00Z}\n", "at says nothing without made"},
		{"no time", cast + "now: yesterday\n", "\"yesterday\" is no time"},
		{"no zone", cast + "zone: Shanghai\n", "there is no time zone \"Shanghai\""},
		{"not exact", cast + "exact: very\n", "expected true or false"},

		{"matrix", cast + "matrix:\n  - {who: [anna, boris], on: [wecom, native], does: [block customer], cells: {anna: {block customer: {wecom: allow}}, boris: {block customer: allow}}}\n", ""},
		{"matrix of whom", cast + "matrix:\n  - {on: wecom, does: block customer}\n", "the matrix lacks who"},
		{"row", cast + "matrix:\n  - {who: anna, on: wecom, does: block customer, cells: {boris: {}}}\n", "there is no row \"boris\""},
		{"column", cast + "matrix:\n  - {who: anna, on: wecom, does: block customer, cells: {anna: {block key: allow}}}\n", "there is no column \"block key\""},
		{"platform of a cell", cast + "matrix:\n  - {who: anna, on: wecom, does: block customer, cells: {anna: {block customer: {native: allow}}}}\n", "there is no platform of the matrix \"native\""},
		{"outcome of a cell", cast + "matrix:\n  - {who: anna, on: wecom, does: block customer, cells: {anna: {block customer: yes}}}\n", "there is no outcome \"yes\""},
		{"approver of a cell", cast + "matrix:\n  - {who: anna, on: wecom, does: block customer, cells: {anna: {block customer: review board}}}\n", "nobody is an approver called \"board\""},
		{"column of one word", cast + "matrix:\n  - {who: anna, on: wecom, does: block}\n", "expected what is done to what"},

		{"too many cases", cast + "cases:\n  - {who: " + many("anna", 150) + ", on: " + many("wecom", 150) + ", does: block, to: customer, expect: allow}\n", "that makes more than 20000 cases"},
		{"more cases than fit into memory", cast + "cases:\n  - {who: " + many("anna", 150) + ", on: " + many("wecom", 150) + ", does: " + many("block", 150) + ", to: " + many("customer", 150) + ", expect: allow}\n", "that makes more than 20000 cases"},
		{"too many cells", cast + "matrix:\n  - {who: " + many("anna", 150) + ", on: " + many("wecom", 150) + ", does: block customer}\n", "that makes more than 20000 cases"},
		{"too many files of cases", cast + "cases:\n" + strings.Repeat("  - {who: "+many("anna", 100)+", on: "+many("wecom", 100)+", does: block, to: customer, expect: allow}\n", 3), "that makes more than 20000 cases"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(e, nil, File{"cases.yaml", []byte(c.text)})
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			problems, ok := err.(*authz.Problems)
			if !ok || !slices.ContainsFunc(problems.List, func(p authz.Problem) bool {
				return strings.Contains(p.String(), c.want) && strings.HasPrefix(p.String(), "cases.yaml:") && (p.Line > 0 || c.name == "too large")
			}) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func many(word string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(word+", ", n), ", ") + "]"
}

// TestAllFaults: all that is wrong is told at once, in all files.
func TestAllFaults(t *testing.T) {
	_, err := Read(engine(t), nil,
		File{"a.yaml", []byte("people:\n  anna: {Renk: 1}\ncases:\n  - {who: anna, on: wecom, does: blok, to: contact, expect: deny}\n")},
		File{"b.yaml", []byte("cases:\n  - {who: anna, on: wecom, does: block, to: contact, expect: denied}\n")})
	problems, _ := err.(*authz.Problems)
	if problems == nil || len(problems.List) != 3 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"a.yaml:2:10: ", "a.yaml:4:34: ", "b.yaml:2:62: "} {
		if !strings.HasPrefix(problems.List[i].String(), want) {
			t.Errorf("%s, want %s", problems.List[i], want)
		}
	}
}

// TestCast: the names of a cast are known, all files of a reading share theirs, and may give names of the cast to others.
func TestCast(t *testing.T) {
	e := engine(t)
	shipped, err := Read(e, nil, File{"cast.yaml", []byte(cast)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(e, shipped.Cast,
		File{"a.yaml", []byte("cases:\n  - {who: anna, on: wecom, does: block, to: [customer, newcomer, carl], expect: deny}\n")},
		File{"b.yaml", []byte("people:\n  carl: {Roles: legal, Rank: 1}\nthings:\n  newcomer: {is: contact, Importance: KEY}\n")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Cases {
		got = append(got, authz.Compact(c.Request))
	}
	want := []string{
		"wecom block contact, by employee, r.obj.Importance 'NORMAL', r.sub.JobFunction '', r.sub.Rank 3",
		"wecom block contact, by employee, r.obj.Importance 'KEY', r.sub.JobFunction '', r.sub.Rank 3",
		"wecom block member, by employee, r.obj.Relation 'superior', r.sub.JobFunction '', r.sub.Rank 3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := Read(e, nil, File{"a.yaml", []byte("cases:\n  - {who: anna, on: wecom, does: block, to: contact, expect: deny}\n")}); err == nil {
		t.Error("a name without a cast is known")
	}
}

// TestFiles: a directory's cases are those at its root and in cases, and nothing else.
func TestFiles(t *testing.T) {
	dir := fstest.MapFS{"b.yaml": {}, "a.yaml": {}, "cases/c.yaml": {}, "cases/deep/d.yaml": {}, "x.csv": {}, "big.yaml": {Data: make([]byte, maxFile+10)}}
	files, err := Files(dir, "acme/")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name)
		if len(f.Text) > maxFile+1 {
			t.Errorf("%s: %d bytes were read", f.Name, len(f.Text))
		}
	}
	if want := []string{"acme/a.yaml", "acme/b.yaml", "acme/big.yaml", "acme/cases/c.yaml"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadPeople(t *testing.T) {
	e := engine(t)
	people, err := ReadPeople(File{"people.json", []byte(`{"people": {"王芳": {"Roles": ["employee"], "Rank": 3}, "李强": {"Roles": "legal", "manager": "王芳"}}}`)}, e)
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 2 || people[1].Name != "王芳" || people[1].Rank != 3 || people[1].Status != "ACTIVE" || !slices.Equal(people[0].Roles, []string{"legal"}) {
		t.Errorf("%+v", people)
	}
	for text, want := range map[string]string{
		"people:\n  anna: {Roles: wizard}\n": "people.yaml:2:17: there is no role \"wizard\"",
		"cases: []\n":                        "people.yaml:1:8: a file of people holds people and nothing else, not cases",
		"anna: {}\n":                         "people.yaml:1:1: there is no key \"anna\"",
	} {
		if _, err := ReadPeople(File{"people.yaml", []byte(text)}, e); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// FuzzRead: whatever the bytes are, they are read or refused with a place in the file, soon and without a panic.
func FuzzRead(f *testing.F) {
	e := engine(f)
	files, err := Files(authz.Cases(), "")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(file.Text)
	}
	f.Add([]byte(cast + "zone: UTC\nexact: true\ncases:\n  - {who: [anna, dora], on: wecom, does: [block, lift], to: key, with: {r.obj.Mine: true}, made: 2026-11-21T08:00Z, at: 2026-11-21T08:00Z, expect: {undo: open}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("people: {a: {manager: b}, b: {manager: a}}\nmatrix: [{who: a, on: wecom, does: 'block ', cells: {a: {'block ': {}}}}]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(e, nil, File{"fuzz.yaml", b})
		if problems, ok := err.(*authz.Problems); err != nil && (!ok || len(problems.List) == 0) {
			t.Fatalf("%T: %v", err, err)
		}
		if err != nil {
			return
		}
		if len(s.Cases) > maxCases {
			t.Fatal(fmt.Sprint(len(s.Cases), " cases"))
		}
		results, err := s.Run(t.Context(), e)
		if err != nil || len(results) != len(s.Cases) {
			t.Fatal(len(results), err)
		}
		for _, r := range results {
			_ = r.String()
		}
	})
}
