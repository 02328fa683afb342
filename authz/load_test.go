package authz

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// TestRefused: every fault is told with file, line and column, and with what was expected.
func TestRefused(t *testing.T) {
	const sound = "p, acme.x, *, employee, block, contact, true, deny, ,"
	when := func(condition string) string {
		return `p, acme.x, *, employee, block, contact, "` + condition + `", deny, ,`
	}
	for _, c := range []struct{ name, text, want string }{
		// The table.
		{"unknown section", "x, acme.x", `1:1: a line starts with p, g, g2 or #, not with "x"`},
		{"leading comma", ",a,b", `1:1: a line starts with p, g, g2 or #, not with ""`},
		{"a model's section", "m, true", `1:1: a line starts with p, g, g2 or #, not with "m"`},
		{"too few fields", "# comment\n\n  p, acme.x, *", `3:15: expected 10 fields (p, id, dom, role, act, target, when, eft, by, duty), found 3`},
		{"too many fields", sound + " , more", `1:57: expected 10 fields (p, id, dom, role, act, target, when, eft, by, duty), found 11`},
		{"g with a tail", "g, intern, employee, *, soon", `1:25: expected 4 fields (g, role, implied role, platform), found 5`},
		{"open quote", `p, acme.x, *, employee, block, contact, "true, deny, ,`, `no CSV`},
		{"inline comment", sound + " # why", `1:55: nobody fulfils a duty called "# why"`},
		{"byte order mark", "\ufeff" + sound, `1:1: the file starts with a byte order mark; save it as UTF-8 without one`},
		{"no UTF-8", "# \xd6\xd0\xce\xc4\n#文\xff", `1:3: not UTF-8; save the file as UTF-8`},
		{"lines that end as on old Macs", "# x\r" + sound + "\r", `1:4: an invisible character U+000D; save the file as plain text with one rule to a line`},
		{"a comment that shows as a rule", "# x\u2028" + sound, `1:4: an invisible character U+2028`},
		{"a comment that is written backwards", "# \u202e" + sound, `1:3: an invisible character U+202E`},
		{"UTF-16", "p\x00,\x00 \x00", `1:2: an invisible character U+0000`},
		{"zeros at the end", sound + "\n" + strings.Repeat("\x00", 512), `2:1: an invisible character U+0000`},
		{"a spreadsheet's columns", strings.ReplaceAll(sound, ",", ";"), `1:1: a line starts with p, g, g2 or #`},
		{"a spreadsheet's empty row", sound + "\n,,,,,,,,,", `2:1: a line starts with p, g, g2 or #, not with ""`},
		{"full-width comma", "p, acme.x\uff0c*, employee, block, contact, true, deny, ,", "1:10: a full-width \uff0c; fields are parted by the plain comma"},
		{"long line", "#" + strings.Repeat("x", 5000), `acme.csv:1: the line is over 4 KiB`},
		{"long file", strings.Repeat("# x\n", 300_000), `acme.csv: the file is over 1 MiB`},
		{"the same again", sound + "\n" + sound, `2:1: the same line stands at acme.csv:1`},

		// The words.
		{"effect", strings.Replace(sound, "deny", "Deny", 1), `1:47: unknown effect "Deny"; expected one of allow, review, deny; did you mean deny?`},
		{"effect in Chinese columns", `p, acme.x, *, employee, block, contact, "r.obj.Importance == 'KEY'", 拒绝, ,`, `1:70: unknown effect "拒绝"; expected one of allow, review, deny`},
		{"platform", strings.Replace(sound, "*", "wecmo", 1), `1:12: unknown platform "wecmo"; expected one of *, default, wecom, native, dingtalk, chat, pager; did you mean wecom?`},
		{"role", strings.Replace(sound, "employee", "emploee", 1), `1:15: unknown role "emploee"`},
		{"action", strings.Replace(sound, "block", "blok", 1), `1:25: unknown action "blok"`},
		{"target", strings.Replace(sound, "contact", "external", 1), `1:32: unknown target "external"`},
		{"id", strings.Replace(sound, "acme.x", "acme x", 1), `1:4: "acme x" is no id; expected letters, digits and . _ -`},
		{"review without by", strings.Replace(sound, "deny", "review", 1), `1:55: a review needs approvers`},
		{"by without review", strings.Replace(sound, "deny, ,", "deny, admin,", 1), `1:53: only a review has approvers`},
		{"by", strings.Replace(sound, "deny, ,", "review, legal+ admn,", 1), `1:62: nobody is an approver called "admn"`},
		{"by with none", strings.Replace(sound, "deny, ,", "review, legal+,", 1), `1:61: nobody is an approver called ""`},
		{"by counted", strings.Replace(sound, "deny, ,", "review, 2*group_owner,", 1), `1:55: group_owner cannot be counted`},
		{"by a number", strings.Replace(sound, "deny, ,", "review, 0*admin,", 1), `1:55: "0" is no number of approvers; expected 2 to 9 before the *`},
		{"by twice", strings.Replace(sound, "deny, ,", "review, admin+admin,", 1), `1:61: admin is named twice; two of them are 2*admin`},
		{"as_made elsewhere", strings.Replace(sound, "deny, ,", "review, as_made,", 1), `1:55: as_made stands for the approvers of the relationship that is ended`},
		{"duty", sound + " alert:X | undoo:72h", `1:65: nobody fulfils a duty called "undoo"; known are undo, undo_review, alert, notify, expire, cooldown, undo_trace, cuts, closes, risk, risk_level; did you mean undo?`},
		{"duty without unit", sound + " undo:72", `1:59: "72" says nothing to the duty undo; expected a duration such as 72h, or same_day`},
		{"duty of nobody", sound + " undo_review:bishop", `1:66: "bishop" says nothing to the duty undo_review`},
		{"scope of a command", sound + " scope:all", `1:55: scope is a duty of the action read, unmask of the action unmask`},
		{"scope", "p, read.contacts.employee, *, employee, read, contact, true, allow, , scope:folows", `1:71: read of contact shows no "scope:folows"; expected scope:… of all, departments_below, follows; did you mean follows?`},
		{"scope of another type", "p, read.contacts.employee, *, employee, read, contact, true, allow, , scope:in", `1:71: read of contact shows no "scope:in"`},
		{"read of nothing", "p, read.contacts.employee, *, employee, read, contact, true, allow, ,", `1:70: expected what shows, such as scope:all`},
		{"read under review", "p, read.contacts.employee, *, employee, read, contact, true, review, admin,", `1:62: nobody can review read; expected allow or deny`},
		{"read by row", "p, read.contacts.employee, *, employee, read, contact, r.obj.Verified, allow, , scope:all", `1:56: a scope is worked out before any row is looked at; only r.sub can be asked`},
		{"unmask by type", "p, unmask.employee, *, employee, unmask, member, true, allow, , unmask:all", `1:42: unmasking is asked for all targets at once; expected *`},

		// Conditions.
		{"attribute", when("r.sub.Rnk > 3"), `1:42: there is no attribute r.sub.Rnk; did you mean r.sub.Rank?`},
		{"attribute later", when("r.obj.Verified && (r.sub.Rank > 3 || r.sub.Wipe())"), `1:79: there is no attribute r.sub.Wipe`},
		{"bare name", when("Rank > 3"), `1:42: there is no attribute Rank`},
		{"word that never is", when("r.obj.Importance == 'key'"), `1:62: r.obj.Importance is never 'key'; it is one of '', 'NORMAL', 'KEY'; did you mean KEY?`},
		{"word in a list", when("r.sub.JobFunction in ('SALES', 'SELLING')"), `1:73: r.sub.JobFunction is never 'SELLING'`},
		{"types", when("r.sub.Rank == 'three'"), `1:56: r.sub.Rank is a number, 'three' is a word`},
		{"order of words", when("r.obj.Importance > 'KEY'"), `1:42: > compares numbers; r.obj.Importance is a word`},
		{"no comparison", when("r.sub.Rank"), `1:52: r.sub.Rank is a number; expected a comparison after it, found the end`},
		{"two literals", when("1 == 1"), `1:47: nothing to compare: neither 1 nor 1 is an attribute`},
		{"two numbers", when("1 < 2"), `1:42: nothing to compare`},
		{"an id in a file", when("r.sub.ID == 'linyue002'"), `1:54: r.sub.ID is an id; it can be compared with another id only`},
		{"a role that nobody has", when("'admn' in r.sub.Roles"), `1:42: no role is called 'admn'; did you mean admin?`},
		{"roles compared", when("r.sub.Roles == 'admin'"), `1:57: ask for a role as in 'admin' in r.sub.Roles`},
		{"in of no set", when("'admin' in r.sub.Rank"), `1:53: expected a list such as ('a', 'b'), r.sub.Roles or another set after in, found r.sub.Rank`},
		{"in of one", when("r.obj.Kind in ('BLOCK')"), `1:56: a list of one is no list to Casbin: write r.obj.Kind == 'BLOCK'`},
		{"in of numbers", when("r.obj.Kind in (1, 2)"), `1:57: expected a 'word' in the list, found 1`},
		{"single =", when("r.obj.Kind = 'BLOCK'"), `1:53: cannot read "="`},
		{"arithmetic", when("r.sub.Rank + 1 > 3"), `1:53: cannot read "+"`},
		{"open word", when("r.obj.Kind == 'BLOCK"), `1:56: the word that starts here has no closing '`},
		{"open parenthesis", when("(r.obj.Mine && r.obj.Pending"), `1:70: expected ), found the end`},
		{"tail", when("r.obj.Mine r.obj.Pending"), `1:53: found r.obj.Pending where && or || or the end was expected`},
		{"negated comparison", when("!r.obj.Mine == true"), `1:43: put what ! negates in parentheses`},
		{"negated twice", when("!!r.obj.Mine"), `1:42: cannot read "!!r.obj.Mine"`},
		{"negated number", when("!r.sub.Rank == 3"), `1:43: put what ! negates in parentheses`},
		{"operators that touch", when("r.obj.Mine &&!(r.obj.Pending)"), `1:53: cannot read "&&!(r.obj.Pending)"`},
		{"nothing", when(""), `1:42: expected an attribute, a 'word' or a number, found the end`},
		{"number", when("r.sub.Rank > 1.2.3"), `1:55: 1.2.3 is no number`},
		{"a quoted word in double quotes", when(`r.obj.Kind == ""BLOCK""`), `1:56: cannot read "\"BLOCK\""`},
		{"a quoted field with a space before", `p, acme.x, *, employee, block, contact, " r.sub.Rnk > 3", deny, ,`, `1:43: there is no attribute r.sub.Rnk`},

		// Whose business.
		{"a guardrail replaced", "p, C-01, *, anyone, block, *, false, deny, ,", `1:4: C-01 is a guardrail and cannot be replaced; a line with another id may tighten it`},
		{"a guardrail without a number replaced", "p, approval.not_requester, *, anyone, decide_approval, approval, false, deny, ,", `1:4: approval.not_requester is a guardrail and cannot be replaced`},
		{"a guardrail invented", "p, C-99, *, anyone, block, *, true, deny, ,", `1:4: C-99 is a guardrail`},
		{"an allowance of one's own", strings.Replace(sound, "deny", "allow", 1), `1:47: a company line with an id of its own denies, asks for review, or with the effect allow adds alert or notify or cooldown to what others allow, one of them at least and nothing else; to allow, it must replace a shipped line by its id`},
		{"a replacement that reaches farther", "p, wecom.member.external_only, *, anyone, *, *, true, allow, ,", `1:4: wecom.member.external_only replaces adapters/wecom/rules.csv:6 and must stay within its domain, action and target`},
		{"a shipped role extended", "g, employee, admin, *", `1:4: employee is a shipped name and means what it means`},
		{"anyone extended", "g, anyone, admin, *", `1:4: anyone is a shipped name`},
		{"a shipped set extended", "g2, lift, one_way", `1:11: one_way is a shipped name`},
		{"an action as a set", "g2, lift, block", `1:11: block is a shipped name`},
		{"role name", "g, Intern, employee, *", `1:4: "Intern" is no name; expected small letters, digits and _ : -`},
		{"implied role name", "g, intern, Employee, *", `1:12: "Employee" is no name`},
		{"link on an unknown platform", "g, intern, employee, wecmo", `1:22: unknown platform "wecmo"`},
		{"set of an unknown action", "g2, bloc, acme_set", `1:5: unknown action "bloc"`},
		{"circle", "g, a, b, *\ng, b, c, wecom\ng, c, a, native", `3:7: closes a circle: a already implies c`},
		{"circle of one", "g, a, a, *", `1:7: closes a circle: a already implies a`},
		{"roles without end", chain(1100), `acme.csv: more than 1024 roles`},
		{"deep", chain(10), `1:9: makes a chain of more than 9 links, farther than Casbin follows`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(sources(company(c.text)))
			got := problemsOf(t, err)
			if len(got) == 0 {
				t.Fatal("was accepted")
			}
			if !strings.Contains(got[0], c.want) || !strings.HasPrefix(got[0], "acme.csv") {
				t.Errorf("%s\nwant %s", strings.Join(got, "\n"), c.want)
			}
		})
	}
	for name, text := range map[string]string{
		"a sound line":        sound,
		"Windows line ends":   "# x\r\n" + sound + "\r\n",
		"both line ends":      "# x\r\n" + sound + "\n# y\r\n",
		"a chain of 9":        chain(9),
		"a named rule twice":  sound + "\n" + strings.Replace(sound, "contact", "member", 1),
		"a narrower default":  "p, default.block_member.employee, dingtalk, employee, block, member, true, review, hr,",
		"an empty file":       "",
		"spaces and tabs":     "\t p ,\tacme.x , * , employee,block , contact , true , deny , , ",
		"conditions together": `p, acme.x, *, employee, block, contact, "(((r.sub.Rank>=2)))&& !(r.obj.Kind in ('BLOCK','ISOLATION')||r.obj.ID!=r.sub.ID)", deny, ,`,
	} {
		if _, err := Build(sources(company(text))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// chain is n links from one role to the next.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "g, r%02d, r%02d, *\n", i, i+1)
	}
	return b.String()
}

// TestAllFaultsAtOnce: one pass tells of all, in reading order.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Build(sources(Layer{Name: CompanyLayer, Files: fstest.MapFS{
		"b.csv":       {Data: []byte("p, acme.1, *, employe, block, contact, r.sub.Rnk > 1, Deny, admin, nothing\nx\np, acme.2, *, employee, block, contact, true, review, ,\n")},
		"a.csv":       {Data: []byte("g, a, a, *\n,\n")},
		"reasons.csv": {Data: []byte("id,en,zh\nacme.9,Never.,从不。\nC-01,Once.,一次。\nC-01,Twice.,两次。\nC-02,,没有。\nC-03\n")},
		"notes.txt":   {Data: []byte("no policy")},
		"x.csv/y":     {Data: []byte("a directory")},
	}}))
	got := problemsOf(t, err)
	var places []string
	for _, p := range got {
		place, _, _ := strings.Cut(p, ": ")
		places = append(places, place)
	}
	want := []string{
		"x.csv", "a.csv:1:7", "a.csv:2:1", "b.csv:1:15", "b.csv:1:40", "b.csv:1:55", "b.csv:1:61", "b.csv:1:68", "b.csv:2:1", "b.csv:3:55",
		"reasons.csv:2:1", "reasons.csv:4:1", "reasons.csv:5:6", "reasons.csv:6:5",
	}
	if !slices.Equal(places, want) {
		t.Errorf("%s\nwant %v", strings.Join(got, "\n"), want)
	}
}

// TestLayers: who may write what.
func TestLayers(t *testing.T) {
	wecom := func(text string) Sources {
		s := Sources{Platforms: []Platform{{"wecom", true}, {"native", true}}, Duties: duties, Layers: Shipped(Layer{Name: "platform:wecom", Domain: "wecom", Files: csvFile("rules.csv", text)})}
		return s
	}
	own := func(name, text string) Sources {
		s := Sources{Platforms: []Platform{{"wecom", true}}, Duties: duties, Layers: Shipped()}
		for i, l := range s.Layers {
			if l.Name == name {
				s.Layers[i].Files = both{csvFile("extra.csv", text), l.Files}
			}
		}
		return s
	}
	for _, c := range []struct {
		name string
		s    Sources
		want string
	}{
		{"another domain", wecom("p, wecom.x, native, employee, block, member, true, allow, ,"), `adapters/wecom/rules.csv:1:13: the rules of wecom may name no platform but wecom, not "native"`},
		{"every domain", wecom("p, wecom.x, *, employee, block, member, true, deny, ,"), `adapters/wecom/rules.csv:1:13: the rules of wecom may name no platform but wecom, not "*"`},
		{"another's id", wecom("p, native.x, wecom, employee, block, member, true, deny, ,"), `adapters/wecom/rules.csv:1:4: ids of the rules of wecom start with wecom., unlike "native.x"`},
		{"a guardrail", wecom("p, C-01, wecom, employee, block, member, true, deny, ,"), `adapters/wecom/rules.csv:1:4: C-01 is a guardrail`},
		{"roles", wecom("g, intern, employee, wecom"), `adapters/wecom/rules.csv:1:1: an adapter's file holds p lines only`},
		{"a guardrail that allows", own(GuardLayer, "p, C-98, *, employee, block, member, true, allow, ,"), `authz/policies/extra.csv:1:44: a guardrail allows nothing`},
		{"a guardrail of one platform", own(GuardLayer, "p, C-98, wecom, employee, block, member, true, deny, ,"), `authz/policies/extra.csv:1:10: unknown domain of a guardrail "wecom"`},
		{"a default of one platform", own(DefaultLayer, "p, wecom.x, wecom, employee, block, member, true, deny, ,"), `authz/policies/extra.csv:1:13: unknown domain of a default "wecom"`},
		{"an unknown layer", Sources{Layers: []Layer{{Name: "guest", Files: csvFile("x.csv", "")}}}, `guest: expected a layer called guard`},
		{"a layer of no platform", Sources{Layers: []Layer{{Name: "platform:wecom", Domain: "wecom", Files: csvFile("x.csv", "")}}}, `platform:wecom: there is no platform "wecom"`},
		{"a company with a domain", Sources{Platforms: []Platform{{"wecom", true}}, Layers: []Layer{{Name: CompanyLayer, Domain: "wecom", Files: csvFile("x.csv", "")}}}, `company: expected a layer called`},
		{"a layer twice", Sources{Layers: []Layer{company(""), company("")}}, `company: the layer is given twice`},
		{"a layer without files", Sources{Layers: []Layer{{Name: CompanyLayer}}}, `company: the layer has no files`},
		{"a platform twice", Sources{Platforms: []Platform{{"wecom", true}, {"wecom", false}}}, `platforms: "wecom" is given twice`},
		{"a platform called default", Sources{Platforms: []Platform{{"default", true}}}, `platforms: "default" is given twice or is no name`},
		{"duties of nobody", Sources{Layers: Shipped()}, `nobody fulfils a duty called "alert"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Build(c.s)
			if got := strings.Join(problemsOf(t, err), "\n"); !strings.Contains(got, c.want) {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
	if _, err := Build(Sources{}); err != nil {
		t.Errorf("nothing at all: %v", err)
	}
}

// TestSaidWhy: what is refused, and what is without effect, says so in a sentence.
func TestSaidWhy(t *testing.T) {
	guarded := func(text string) Sources {
		s := sources()
		for i, l := range s.Layers {
			if l.Name == GuardLayer {
				s.Layers[i].Files = csvFile("guard.csv", text)
			}
		}
		return s
	}
	adapter := func(text string) Sources {
		s := sources()
		for i, l := range s.Layers {
			if l.Domain == "wecom" {
				s.Layers[i].Files = csvFile("rules.csv", text)
			}
		}
		return s
	}
	const (
		noGuard = "guard: no line stands in the guardrail files; the product brings guard.csv, put it back"
		noLine  = "company: no policy line stands in the company's directory: the shipped lines hold as they are"
	)
	for _, c := range []struct {
		name     string
		s        Sources
		severity string
		want     string
	}{
		{"no guardrail file", with(guarded(""), func(s *Sources) { s.Layers[0].Files = fstest.MapFS{} }), SeverityError, noGuard},
		{"an empty guardrail file", guarded(""), SeverityError, noGuard},
		{"a guardrail file with nothing but roles", guarded("# to do\ng, hr, employee, wecom\n"), SeverityError, noGuard},
		{"a guardrail loosened", sources(company("p, C-01, *, anyone, one_way, *, false, deny, ,")), SeverityError,
			"acme.csv:1:4: C-01 is a guardrail and cannot be replaced; a line with another id may tighten it"},
		{"a guardrail outweighed", sources(company("p, acme.boss, *, anyone, block, member, r.obj.Relation == 'superior', allow, ,")), SeverityError,
			"acme.csv:1:71: a company line with an id of its own denies, asks for review, or with the effect allow adds alert or notify or cooldown to what others allow, one of them at least and nothing else; to allow, it must replace a shipped line by its id"},
		{"an adapter's line for another platform", adapter("p, wecom.x, native, employee, block, member, true, allow, ,"), SeverityError,
			`adapters/wecom/rules.csv:1:13: the rules of wecom may name no platform but wecom, not "native"`},
		{"an empty company directory", sources(Layer{Name: CompanyLayer, Files: fstest.MapFS{}}), SeverityNote, noLine},
		{"a company file of comments", sources(company("# p, acme.x, *, employee, block, contact, true, deny, ,")), SeverityNote, noLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := Lint(c.s)
			if len(found) == 0 || found[0].String() != c.want || found[0].Severity != c.severity {
				t.Errorf("%v, not %s", found, c.want)
			}
			e, err := Build(c.s)
			if refused := err != nil; refused != (c.severity == SeverityError) {
				t.Fatalf("refused: %v", err)
			}
			if err == nil && !slices.EqualFunc(e.Rules(), build(t).Rules(), func(a, b Rule) bool { return a.Text == b.Text }) {
				t.Error("other rules are in force than those that are shipped")
			}
		})
	}
}

// TestDirectories: what stands in a directory is read, refused, or not policy by its name.
func TestDirectories(t *testing.T) {
	const sound = "p, acme.x, *, employee, block, contact, true, deny, ,\n"
	regular := &fstest.MapFile{Data: []byte(sound)}
	for _, c := range []struct {
		name string
		fs   fs.FS
		want string // a problem; empty: the rule is in force
	}{
		{"a file", fstest.MapFS{"acme.csv": regular}, ""},
		{"files of editors", fstest.MapFS{"acme.csv": regular, "._acme.csv": {Data: []byte("\x00\x05")}, ".#acme.csv": {Mode: fs.ModeNamedPipe}, "~$acme.csv": {Data: []byte("\x05")}, "acme.csv~": {Data: []byte("x")}}, ""},
		{"capitals", fstest.MapFS{"ACME.CSV": regular}, "ACME.CSV: only names that end in .csv, in small letters, are read; rename the file"},
		{"a pipe", fstest.MapFS{"acme.csv": {Mode: fs.ModeNamedPipe}}, "acme.csv: cannot be read: it is no file"},
		{"a directory", fstest.MapFS{"acme.csv/x": regular}, "acme.csv: cannot be read: it is no file"},
		{"a directory that is gone", os.DirFS(t.TempDir() + "/gone"), "company: the directory cannot be read: no such file or directory"},
	} {
		e, err := Build(sources(Layer{Name: CompanyLayer, Files: c.fs}))
		switch {
		case c.want != "":
			if got := problemsOf(t, err); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: %q, not %q", c.name, got, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case len(e.Rules()) != len(build(t).Rules())+1:
			t.Errorf("%s: the rule is not in force", c.name)
		}
	}
}

// heap is a file system with a hundred files, each of 100 MB, that counts what is read of them.
type heap struct{ read int }

func (h *heap) Open(name string) (fs.File, error) {
	if name == "." {
		files := fstest.MapFS{}
		for i := range 100 {
			files[fmt.Sprintf("%02d.csv", i)] = &fstest.MapFile{}
		}
		return files.Open(name)
	}
	return &heapFile{h, name, 100 << 20}, nil
}

type heapFile struct {
	h    *heap
	name string
	left int
}

func (f *heapFile) Stat() (fs.FileInfo, error) {
	return fstest.MapFS{f.name: {Data: nil}}.Stat(f.name)
}
func (f *heapFile) Close() error { return nil }

func (f *heapFile) Read(b []byte) (int, error) {
	n := min(len(b), f.left)
	for i := range n {
		b[i] = '\n'
	}
	f.left -= n
	f.h.read += n
	if f.left == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestMemory: neither a huge file nor many of them are taken into memory.
func TestMemory(t *testing.T) {
	h := &heap{}
	_, err := Build(sources(Layer{Name: CompanyLayer, Files: h}))
	got := problemsOf(t, err)
	if len(got) != 8 || !slices.Contains(got, "00.csv: the file is over 1 MiB") || !slices.Contains(got, "07.csv: the files up to this one are over 8 MiB together") {
		t.Errorf("%q", got)
	}
	if h.read > 9*maxFile {
		t.Errorf("%d bytes were read", h.read)
	}
}

// TestMessagesAreShort: a message does not repeat a long line.
func TestMessagesAreShort(t *testing.T) {
	_, err := Build(sources(company(strings.Repeat("\u7b56", 1300))))
	if got := problemsOf(t, err); len(got) != 1 || len(got[0]) > maxMessage+20 || !utf8.ValidString(got[0]) {
		t.Errorf("%q", got)
	}
}

// both lays one file system over another.
type both struct{ over, under fs.FS }

func (b both) Open(name string) (fs.File, error) {
	if f, err := b.over.Open(name); err == nil && name != "." {
		return f, nil
	}
	return b.under.Open(name)
}

func (b both) ReadDir(name string) ([]fs.DirEntry, error) {
	over, _ := fs.ReadDir(b.over, name)
	under, err := fs.ReadDir(b.under, name)
	return append(over, under...), err
}

// FuzzBuild: no bytes make the loader panic, what it refuses has a place in the file, and what it accepts Casbin reads as we do.
func FuzzBuild(f *testing.F) {
	f.Add("")
	f.Add(tangle)
	f.Add(chain(10))
	f.Add(",x,y\np, \"a,b\n\ufeffg2, block, x\n")
	f.Add("\ufeff# a\rb\u2028\x00\r\n\xff\xfe,\tp\r\n")
	f.Add("id,en,zh\nbase.x,No.,\"不，行。\"\n")
	var whole strings.Builder // what a default layer may say: all but the guardrails
	for _, name := range []string{"roles", "default", "approvals", "reads"} {
		b, err := os.ReadFile("policies/" + name + ".csv")
		if err != nil {
			f.Fatal(err)
		}
		whole.Write(b)
	}
	f.Add(whole.String())
	const base = "g, admin, employee, *\np, base.x, *, employee, block, *, true, allow, ,\n"
	requests := []Request{
		{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 1_200_000)},
		{Platform: "native", Action: ActionBlock, Actor: linyue, Object: superior},
		{Platform: "feishu", Action: ActionLift, Actor: standing(wangfang, "FROZEN"), Object: Object{Type: TypeRelationship, Mine: true}},
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, layers := range [][]Layer{
			{{Name: DefaultLayer, Files: csvFile("x.csv", text)}},
			{{Name: DefaultLayer, Files: csvFile("base.csv", base)}, company(text)},
			{{Name: DefaultLayer, Files: csvFile("base.csv", base)}, {Name: CompanyLayer, Files: csvFile(reasonsFile, text)}},
		} {
			e, err := Build(Sources{Platforms: []Platform{{"wecom", true}, {"native", true}}, Duties: duties, Layers: layers})
			if err != nil {
				problemsOf(t, err)
				for _, p := range err.(*Problems).List {
					if lines := strings.Split(text, "\n"); p.Line > len(lines) || p.Line > 0 && p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
						t.Errorf("%s stands nowhere", p)
					}
				}
				continue
			}
			if _, err := OpenBundle(e.Bundle()); err != nil {
				t.Error(err)
			}
			for _, r := range requests {
				got, err := e.Decide(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if want, err := e.Reference(t.Context(), r); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s by %s, casbin says %s by %s, %v", got.Outcome, names(got), want.Outcome, names(want), err)
				}
			}
		}
	})
}
