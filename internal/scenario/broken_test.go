package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	keeping "github.com/guanxi-im/guanxi/internal/policy"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// brokenLines are lines for which a file is refused, with what is said of them; § stands for a name of the file's own.
func brokenLines() [][2]string {
	when := func(condition string) string {
		return `p, §, *, employee, block, contact, "` + condition + `", deny, ,`
	}
	duty := func(duties string) string { return `p, §, *, employee, block, contact, true, deny, , ` + duties }
	return [][2]string{
		// What Casbin's own loader takes quietly, or dies of.
		{`p, §, *, employee, block, contact, true, Deny, ,`, `unknown effect "Deny"`},
		{`p, §, *, employee, block, contact, true, dney, ,`, `did you mean deny?`},
		{`p, §, *, employee, block, contact, true, 拒绝, ,`, `unknown effect`},
		{`p, §, *, employee, block, contact, true, , ,`, `unknown effect ""`},
		{`,§,wecom,block,allow`, `not with ""`},
		{`p, §, *, employee, block`, `expected 10 fields`},
		{`p, §, *, employee, block, contact, true, de`, `expected 10 fields`},
		{`p, §, *, employee, block, contact, true, deny, , # not on Sundays`, `nobody fulfils a duty`},
		{`m, true`, `not with "m"`},
		{`m = r.sub == p.sub`, `a line starts with p`},
		{`[matchers]`, `a line starts with p`},
		{`e, some(where (p.eft == allow))`, `not with "e"`},
		{`p2, §, *, employee, block, contact, true, deny, ,`, `not with "p2"`},
		{`ptype, v0, v1, v2, v3, v4, v5`, `not with "ptype"`},
		{`g, §, employee, *, 2026-01-01, 2027-01-01`, `expected 4 fields`},
		{`g2, block, §, *`, `expected 3 fields`},
		{`p, §, *, employee, block, contact, true, deny, , , surprise`, `expected 10 fields`},
		{`p; §; *; employee; block; contact; true; deny; ;`, `a line starts with p`},
		{"p\t§\t*\temployee\tblock\tcontact\ttrue\tdeny\t\t", `a line starts with p`},
		{`p，§，*，employee，block，contact，true，deny，，`, `full-width`},
		{`p, §, *, employee, block、blacklist, contact, true, deny, ,`, `full-width`},
		{`p, §, *, employee, block, contact, "true, deny, ,`, `no CSV`},
		{`p, §, *, employee, block, contact, r.obj.Kind == "BLOCK", deny, ,`, `no CSV`},
		{`p, §, *, employee, block, contact, ""r.obj.Mine"", deny, ,`, `no CSV`},
		{"p, §, *, employee, block, contact, true, deny\x00\x00\x00", `invisible character U+0000`},
		{strings.Repeat("\x00", 100), `invisible character U+0000`},
		{"# all of it\rp, §, *, employee, block, contact, true, deny, ,", `invisible character U+000D`},
		{"# all of it\u2028p, §, *, employee, block, contact, true, deny, ,", `invisible character U+2028`},
		{"# \u202e, ,yned ,eurt ,tcatnoc", `invisible character U+202E`},
		{"\ufeffp, §, *, employee, block, contact, true, deny, ,", ``},
		{"p, §\u200b, *, employee, block, contact, true, deny, ,", `is no id`},
		{"# \xc6\xc1\xb1\xce\xb9\xe6\xd4\xf2", `not UTF-8`}, // 屏蔽规则 in GB18030
		{"p, §, *, employee, block, contact, true, deny, \xff,", `not UTF-8`},
		{"#" + strings.Repeat("x", 5000), `over 4 KiB`},
		{strings.Repeat("x", 1<<20-1000), `over 4 KiB`},

		// Words that mean nothing.
		{`p, § !, *, employee, block, contact, true, deny, ,`, `is no id`},
		{`p, §, wecmo, employee, block, contact, true, deny, ,`, `unknown platform "wecmo"`},
		{`p, §, *, emploee, block, contact, true, deny, ,`, `unknown role`},
		{`p, §, *, employee, blok, contact, true, deny, ,`, `unknown action`},
		{`p, §, *, employee, block, external, true, deny, ,`, `unknown target`},
		{`p, §, *, employee, block, contact, true, review, ,`, `a review needs approvers`},
		{`p, §, *, employee, block, contact, true, review, bishop,`, `nobody is an approver`},
		{`p, §, *, employee, block, contact, true, review, 0*admin,`, `no number of approvers`},
		{`p, §, *, employee, block, contact, true, review, as_made,`, `as_made stands for`},
		{`p, §, *, employee, block, contact, true, deny, admin,`, `only a review has approvers`},
		{duty("strip_tags"), `nobody fulfils a duty`},
		{duty("undo:72"), `says nothing to the duty undo`},
		{duty("undo_review:bishop"), `says nothing to the duty undo_review`},
		{duty("scope:all"), `scope is a duty`},
		{`g, § §, employee, *`, `is no name`},
		{`g, group-§, employee, wecmo`, `unknown platform`},
		{`g, group-§, group-§, *`, `closes a circle`},
		{`g2, bloc, set-§`, `unknown action`},

		// Conditions.
		{when(`r.sub.Rnk > 3`), `no attribute r.sub.Rnk`},
		{when(`Rank > 3`), `no attribute Rank`},
		{when(`r.sub.Wipe()`), `no attribute r.sub.Wipe`},
		{when(`eval(r.sub.ID)`), ``},
		{when(`regexMatch(r.obj.ID, '(')`), ``},
		{when(`r.obj.Kind =~ '^[a-z]+$'`), `cannot read`},
		{when(`r.obj.Kind == '2024-01-01'`), `is never '2024-01-01'`},
		{when(`r.sub.Rank >= '3'`), `compares numbers`},
		{when(`r.obj.Importance == 'key'`), `did you mean KEY?`},
		{when(`r.obj.Importance > 'KEY'`), `compares numbers`},
		{when(`r.sub.Rank == nil`), ``},
		{when(`r.sub.Rank`), `expected a comparison`},
		{when(`r.sub.Rank + 1 > 3`), `cannot read`},
		{when(`r.obj.Kind = 'BLOCK'`), `cannot read`},
		{when(`r.obj.Kind == 'BLOCK`), `has no closing`},
		{when(`(r.obj.Mine && r.obj.Pending`), `expected )`},
		{when(`r.obj.Mine ?r.obj.Pending : true`), ``},
		{when(`!!r.obj.Mine`), `cannot read`},
		{when(`r.obj.Kind in ('BLOCK')`), `a list of one`},
		{when(`'bishop' in r.sub.Roles`), `no role is called`},
		{when(`1 == 1`), `nothing to compare`},
		{when(``), `expected an attribute`},

		// Whose business.
		{`p, C-01, *, anyone, block, *, r.sub.Rank < 1, deny, , alert:§`, `C-01 is a guardrail and cannot be replaced`},
		{`p, C-99, *, anyone, block, *, true, deny, , alert:§`, `C-99 is a guardrail`},
		{`p, §, *, employee, block, member, r.obj.Relation == 'superior', allow, ,`, `with an id of its own denies`},
		{`p, wecom.member.external_only, *, anyone, *, *, true, deny, , alert:§`, `must stay within`},
		{`g, employee, role-§, *`, `is a shipped name`},
		{`g2, lift, one_way`, `one_way is a shipped name`},
	}
}

// A brokenFile is one that somebody saves by mistake.
type brokenFile struct {
	name string
	line int    // at fault; 0: the file as a whole
	says string // what is said of it, among other things
	text string
	make func(path string) error // nil: the text is written
}

func (f brokenFile) save(dir string) error {
	path := filepath.Join(dir, f.name)
	if f.make != nil {
		return f.make(path)
	}
	return os.WriteFile(path, []byte(f.text), 0o600)
}

// trap is sound lines that would be seen to decide if anything of a broken file came into force.
const trap = "p, §.trap, wecom, anyone, block, contact, true, deny, ,\np, §.trap, *, anyone, check_contact, pair, true, deny, ,\n"

// brokenFiles is every broken line at four places of a file, and files that are broken as a whole.
func brokenFiles() (out []brokenFile) {
	add := func(ext string, line int, says, text string, make func(path string) error) {
		id := fmt.Sprintf("bad-%03d", len(out))
		out = append(out, brokenFile{id + ext, line, says, strings.ReplaceAll(text, "§", id), make})
	}
	whole := func(line int, says, text string) { add(".csv", line, says, text, nil) }
	for _, l := range brokenLines() {
		whole(1, l[1], l[0]+"\n"+trap)
		whole(3, l[1], trap+l[0]) // it has no end
		whole(4, l[1], strings.ReplaceAll("\n"+trap, "\n", "\r\n")+l[0]+"\r\n")
		whole(53, l[1], strings.Repeat("\n", 50)+trap+l[0]+"\n\n\n")
	}
	chain := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf("g, §-%02d, §-%02d, *\n", i, i+1)
		}
		return s
	}
	unicodeText := func(s string) string { // as a spreadsheet calls UTF-16
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	const sound = "p, §, *, employee, block, contact, true, deny, ,\n"
	whole(1, "byte order mark", "\ufeff"+trap)
	whole(1, "byte order mark", "\ufeff"+strings.ReplaceAll(trap, "\n", "\r\n"))
	whole(1, "not UTF-8", "\xff\xfe"+unicodeText("p, x"))
	whole(1, "U+0000", unicodeText("p, x"))
	whole(2, "the same line stands at", sound+sound)
	whole(2, "the same line stands at", sound+` p,§,*,employee,block,"contact",true,deny,,`)
	whole(2, "closes a circle", "g, §, role-§, *\ng, role-§, §, wecom\n")
	whole(9, "closes a circle", chain(8)+"g, §-08, §-00, *\n")
	whole(1, "more than 9 links", chain(10))
	whole(0, "more than 1024 roles", chain(1100))
	whole(0, "over 1 MiB", trap+strings.Repeat("\n", 1<<20))
	whole(10_000, "unknown effect", strings.Repeat("\n", 9_997)+trap+strings.Replace(sound, "deny", "Deny", 1))

	made := func(ext, says string, make func(path string) error) { add(ext, 0, says, "", make) }
	made(".csv", "it is no file", func(path string) error { return os.Mkdir(path, 0o700) })
	made(".csv", "it is no file", func(path string) error { return syscall.Mkfifo(path, 0o600) })
	made(".csv", "it is no file", func(path string) error { return os.Symlink("/dev/zero", path) })
	made(".csv", "cannot be read", func(path string) error { return os.Symlink(path+".gone", path) })
	made(".csv", "cannot be read", func(path string) error { return os.Symlink(path, path) })
	made(".csv", "over 1 MiB", huge)
	made(".CSV", "in small letters", func(path string) error { return os.WriteFile(path, []byte(trap), 0o600) })
	if os.Geteuid() != 0 { // root may read everything
		made(".csv", "permission denied", func(path string) error { return os.WriteFile(path, []byte(trap), 0) })
	}
	return out
}

// huge makes a file of 100 MB that takes no room on the disk.
func huge(path string) error {
	return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 100<<20))
}

// office is a keeper over the same directory as the server, for decisions that go by no network.
type office struct {
	*keeping.Keeper
	version atomic.Value
}

func (o *office) ActivePolicy(context.Context) (string, error) {
	v, _ := o.version.Load().(string)
	return v, nil
}
func (o *office) Post(_ context.Context, u ledger.Unit) error {
	o.version.Store(u.Policy.Version)
	return nil
}

// openOffice makes a keeper of the shipped rules and those of a directory.
func openOffice(t *testing.T, dir string) *office {
	t.Helper()
	s := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, p := range adapters.All() {
		s.Platforms = append(s.Platforms, authz.Platform{Name: p.Platform, Organisation: p.Organisation})
		if p.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(p.Platform), Domain: p.Platform, Files: p.Rules})
		}
	}
	files := os.DirFS(dir)
	s.Layers = authz.Shipped(append(more, authz.Layer{Name: authz.CompanyLayer, Files: files})...)
	o := &office{}
	var err error
	o.Keeper, err = keeping.Open(t.Context(), keeping.Options{Build: func() (*authz.Engine, error) { return authz.Build(s) }, Files: files,
		Store: o, Log: slog.New(slog.DiscardHandler), Now: time.Now, IDs: im.NewIDs(time.Now), Wake: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// mendTime is how long a mended file may take to be in force; a second, and slack for a machine that does other things.
const mendTime = 3 * time.Second

// wanted is what a decision on a block of wm_spam by wangfang004 is while acme.csv is in force, and whichever of the
// mended files. Any other one is wrong.
func wanted(outcome string, rules []string) bool {
	return outcome == "REVIEW" && slices.Contains(rules, "acme.careful") &&
		!slices.ContainsFunc(rules, func(name string) bool { return name != "acme.careful" && !strings.HasPrefix(name, "mended.") })
}

// Two hundred broken files and more change no decision, each is told with file and line in three places, and a mended one
// is in force at once.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, breakFiles)
}

func breakFiles(t *testing.T, dsn string) {
	dir := t.TempDir()
	save(t, dir, "acme.csv", careful)
	c := open(t, dsn, "--policies", dir)
	wang, lin := c.person("wangfang004"), c.person("linyue002")
	local := openOffice(t, dir)
	good := lin.policy().Version

	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	defer func() { stop(); busy.Wait() }()
	busy.Go(func() { local.Run(ctx) })

	// Four decide all the time: two here, two over GraphQL.
	var decided [4]atomic.Int64
	decide := func(n int, wrong func() string) {
		busy.Go(func() {
			for ctx.Err() == nil {
				if what := wrong(); what != "" {
					t.Errorf("wrong decision: %s", what)
					return
				}
				decided[n].Add(1)
			}
		})
	}
	spam := authz.Request{Platform: "wecom", Action: authz.ActionBlock, Object: authz.Object{Type: authz.TypeContact, ID: "wm_spam", Importance: "NORMAL"},
		Actor: authz.Actor{ID: "wangfang004", Roles: []string{"employee"}, Rank: 3, JobFunction: "SALES", Status: "ACTIVE", Employment: "ACTIVE"}}
	pair := spam
	pair.Action, pair.Object = authz.ActionCheckContact, authz.Object{Type: authz.TypePair, Party: true}
	for n := range 2 {
		decide(n, func() string {
			time.Sleep(100 * time.Microsecond)
			e := local.Engine()
			a, _ := e.Decide(ctx, spam)
			b, err := e.Decide(ctx, pair)
			if err != nil || wanted(string(a.Outcome), names(a.Rules)) && string(b.Outcome) == "ALLOW" {
				return ""
			}
			return fmt.Sprint(a.Outcome, names(a.Rules), b.Outcome, names(b.Rules))
		})
	}
	wish := c.wish(c.target("wm_spam"), nil)
	decide(2, func() string {
		a, err := wang.Ask(blockDocument, wish)
		if err != nil {
			return err.Error()
		}
		var rules []string
		all, _ := a.Get("block.results.0.decision.rules").([]any)
		for i := range all {
			rules = append(rules, a.Text(fmt.Sprintf("block.results.0.decision.rules.%d.name", i)))
		}
		if !wanted(a.Text("block.results.0.decision.outcome"), rules) {
			return a.Body
		}
		if _, err := wang.Ask(cancelDocument, vars{"id": a.Text("block.results.0.approval.id"), "r": "x"}); err != nil {
			return err.Error()
		}
		return ""
	})
	check := vars{"in": vars{"fromId": c.target("wangfang004"), "toId": c.target("wm_lanhai"), "channel": "DIRECT_MESSAGE"}}
	decide(3, func() string {
		time.Sleep(2 * time.Millisecond)
		if a, err := wang.Ask(checkDocument, check); err != nil || a.Get("contactCheck.allowed") != true {
			return fmt.Sprint(a.Body, err)
		}
		return ""
	})

	named := map[string]bool{}
	told := func(batch []brokenFile) {
		t.Helper()
		var p *policy
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			p = lin.policy()
			missing := slices.DeleteFunc(slices.Clone(batch), func(f brokenFile) bool { return tells(p, f) })
			if len(missing) == 0 {
				break
			}
			if time.Now().After(end) {
				f := missing[0]
				t.Fatalf("%d broken files are not told, among them %s:%d: %s; %+v", len(missing), f.name, f.line, f.says, p.Problems)
			}
		}
		expect(t, "version in force", p.Version, good)
		scraped, log := c.Send(http.MethodGet, "/metrics", "").Body, c.Log()
		for _, f := range batch {
			if want := fmt.Sprintf(`guanxi_policy_problems{file="%s",line="%d",severity="error"} `, f.name, f.line); !strings.Contains(scraped, want) {
				t.Errorf("%s:%d (%s) is not in /metrics", f.name, f.line, f.says)
			}
			place := regexp.QuoteMeta(f.name)
			if f.line > 0 {
				place = fmt.Sprintf("%s:%d", place, f.line)
			}
			if !regexp.MustCompile(` at="?` + place + `[:"\n]`).MatchString(log) {
				t.Errorf("%s (%s) is not in the log", place, f.says)
			}
			for _, x := range p.Problems {
				if x.File == f.name && x.Line != f.line {
					t.Errorf("%s: line %d is said to be broken, too: %s", place, x.Line, x.Message)
				}
			}
			named[f.name] = true
		}
	}
	remove := func(batch []brokenFile) {
		for _, f := range batch {
			if err := os.Remove(filepath.Join(dir, f.name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(batch []brokenFile) {
		for _, f := range batch {
			if err := f.save(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	// mend saves a sound file over a broken one, and waits for it to be in force.
	mend := func(f brokenFile) {
		t.Helper()
		if f.make != nil { // what is no file is not written over
			remove([]brokenFile{f})
		}
		rule := "mended." + f.name[:7]
		save(t, dir, f.name, fmt.Sprintf("p, %s, wecom, employee, block, contact, true, review, admin,\n", rule))
		within(t, mendTime, f.name+" is in force once it is mended", func() bool {
			d, err := local.Engine().Decide(t.Context(), spam)
			p := lin.policy()
			return err == nil && slices.Contains(names(d.Rules), rule) && slices.Contains(p.Sources, f.name) && len(p.Problems) == 0
		})
	}

	files := brokenFiles()
	began := time.Now()
	var singly, crowd []brokenFile
	for i, f := range files { // one in eighteen by itself, and all that are no lines
		if f.make != nil && f.name[7:] == ".csv" || i%18 == 0 {
			singly = append(singly, f)
		} else {
			crowd = append(crowd, f)
		}
	}
	for i, f := range singly {
		put([]brokenFile{f})
		told([]brokenFile{f})
		if f.make != nil { // it keeps nobody from seeing the files that come after it
			late := brokenFile{name: fmt.Sprintf("late-%03d.csv", i), line: 1, says: "a line starts with p", text: "x"}
			put([]brokenFile{late})
			told([]brokenFile{f, late})
			remove([]brokenFile{late})
		}
		if i%4 > 0 {
			remove([]brokenFile{f})
			continue
		}
		mend(f)
		good = lin.policy().Version
	}
	for batch := range slices.Chunk(crowd, 40) {
		put(batch)
		told(batch)
		for _, f := range batch[1:] {
			remove([]brokenFile{f})
		}
		mend(batch[0])
		good = lin.policy().Version
	}
	stop()
	busy.Wait()
	if len(named) < 200 || len(named) < len(files) {
		t.Errorf("%d broken files were told, of %d", len(named), len(files))
	}
	for n := range decided {
		if decided[n].Load() < 20 {
			t.Errorf("goroutine %d decided %d times", n, decided[n].Load())
		}
	}
	if regexp.MustCompile(`(?i)panic|level=ERROR`).MatchString(c.Log()) {
		t.Error("the log tells of a panic or an error")
	}
	t.Logf("%d broken files, %d of them singly, in %v; %d + %d decisions here, %d + %d over GraphQL", len(files), len(singly), time.Since(began).Round(time.Millisecond),
		decided[0].Load(), decided[1].Load(), decided[2].Load(), decided[3].Load())
}

// tells reports whether policy.problems names a broken file as it should.
func tells(p *policy, f brokenFile) bool {
	for _, x := range p.Problems {
		if x.File == f.name && x.Line == f.line && x.Severity == "error" && strings.Contains(x.Message, f.says) {
			return true
		}
	}
	return false
}

func names(rules []authz.Rule) (out []string) {
	for _, r := range rules {
		out = append(out, r.Name)
	}
	return out
}

// A huge file in the directory of policies is not taken into memory.
func TestHugePolicyFile(t *testing.T) { // not beside other tests, whose memory would be counted
	dir := t.TempDir()
	c := open(t, testkit.SQLite(t), "--policies", dir)
	lin := c.person("linyue002")
	used := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	before, most := used(), uint64(0)
	for i := range 3 {
		name := fmt.Sprintf("huge-%d.csv", i)
		if err := huge(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		within(t, 20*time.Second, "the huge file is told", func() bool {
			most = max(most, used())
			return tells(lin.policy(), brokenFile{name: name, says: "over 1 MiB"})
		})
	}
	if most > before+50<<20 {
		t.Errorf("the heap grew from %d to %d MB", before>>20, most>>20)
	}
}
