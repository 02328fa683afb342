package authz

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

var duties = []string{DutyUndo, DutyUndoReview, DutyAlert, DutyNotify, DutyExpire, DutyCooldown, DutyUndoTrace, DutyCuts, DutyCloses, DutyRisk, DutyRiskLevel}

// chat is a platform without an organisation, with a rule of its own.
const chatRules = "p, chat.block.anyone, chat, anyone, block, *, true, allow, , undo:8760h\n"

func csvFile(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }

// sources is the shipped policy with the platforms of the repository, dingtalk that nobody wrote rules for, and more.
func sources(more ...Layer) Sources {
	layers := Shipped(
		Layer{Name: "platform:wecom", Domain: "wecom", Files: os.DirFS("../adapters/wecom")},
		Layer{Name: "platform:native", Domain: "native", Files: os.DirFS("../adapters/native")},
		Layer{Name: "platform:chat", Domain: "chat", Files: csvFile("rules.csv", chatRules)},
	)
	return Sources{
		Platforms: []Platform{{"wecom", true}, {"native", true}, {"dingtalk", true}, {"chat", false}, {"pager", false}},
		Layers:    append(layers, more...),
		Duties:    duties,
	}
}

// house is the shipped policy with every platform of the repository; agora is one that nobody wrote rules for, and pager has no
// organisation either.
func house(more ...Layer) Sources {
	s := Sources{Platforms: []Platform{{"agora", true}, {"pager", false}}, Duties: duties}
	var layers []Layer
	for _, name := range []string{"dingtalk", "feishu", "native", "wechat", "wecom"} {
		s.Platforms = append(s.Platforms, Platform{name, name != "wechat"})
		layers = append(layers, Layer{Name: PlatformLayer(name), Domain: name, Files: os.DirFS("../adapters/" + name)})
	}
	s.Layers = Shipped(append(layers, more...)...)
	return s
}

func buildHouse(t testing.TB, more ...Layer) *Engine {
	t.Helper()
	e, err := Build(house(more...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func company(text string) Layer {
	return Layer{Name: CompanyLayer, Files: csvFile("acme.csv", text)}
}

func build(t testing.TB, more ...Layer) *Engine {
	t.Helper()
	e, err := Build(sources(more...))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The people of the demo company.
func person(id string, rank int, job im.JobFunction, roles ...string) Actor {
	return Actor{ID: id, Roles: roles, Rank: rank, JobFunction: string(job), Status: "ACTIVE", Employment: "ACTIVE"}
}

var (
	chenguang = person("chenguang001", 10, im.Management, "super_admin")
	linyue    = person("linyue002", 8, im.IT, "admin")
	zhaomin   = person("zhaomin003", 7, im.Sales, "dept_manager")
	wangfang  = person("wangfang004", 3, im.Sales, "employee")
	sunli     = person("sunli006", 4, im.General, "employee")
	zhenglan  = person("zhenglan009", 6, im.HR, "hr")
	fengtao   = person("fengtao010", 5, im.IT, "it")
	heyun     = person("heyun011", 6, im.Legal, "legal")
	guping    = person("guping012", 6, im.General, "auditor")
	tangxin   = person("tangxin013", 2, im.CustomerService, "employee")
	mengjie   = person("mengjie015", 2, im.General, "employee")
	stranger  = person("nobody", 9, im.General)
	crm       = person("crm-demo", 0, "", RoleServiceBulk) // a service
)

func with[T any](v T, change func(*T)) T { change(&v); return v }

func standing(a Actor, status string) Actor { a.Status = status; return a }

var (
	peer     = Object{Type: TypeMember, ID: "peer"}
	superior = Object{Type: TypeMember, ID: "boss", Relation: Superior}
	spam     = Object{Type: TypeContact, ID: "wm_spam", Importance: "NORMAL"}
	verified = contact(im.NormalContact, 0)
)

func contact(importance im.Importance, open float64) Object {
	return Object{Type: TypeContact, ID: "wm", Importance: string(importance), OpenValue: open, Verified: true}
}

// names lists the deciding rules, each once.
func names(d Decision) string {
	var out []string
	for _, r := range d.Rules {
		if !slices.Contains(out, r.Name) {
			out = append(out, r.Name)
		}
	}
	return strings.Join(out, " ")
}

func needsOf(d Decision) string {
	var out []string
	for _, n := range d.Needs {
		out = append(out, strings.Repeat("*", n.Count-1)+n.Role)
	}
	return strings.Join(out, " ")
}

// TestUnknown: what policy has not heard of is refused, and guardrails hold there too.
func TestUnknown(t *testing.T) {
	e := buildHouse(t)
	wizard := with(wangfang, func(a *Actor) { a.Roles = []string{"wizard"} })
	for _, c := range []struct {
		name     string
		platform string
		actor    Actor
		action   string
		object   Object
		rules    string
	}{
		{"action", "wecom", linyue, "dance", peer, ""},
		{"action, not active", "wecom", standing(linyue, "FROZEN"), "dance", peer, "C-04"},
		{"target", "wecom", linyue, ActionBlock, Object{Type: "moon", ID: "x"}, ""},
		{"role", "native", wizard, ActionBlock, superior, "C-01"},
		{"platform without an organisation", "pager", wangfang, ActionBlock, peer, ""},
		{"platform", "zulip", wangfang, ActionBlock, superior, "C-01"},
	} {
		r := Request{Platform: c.platform, Action: c.action, Actor: c.actor, Object: c.object}
		d, err := e.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if d.Outcome != im.Deny || names(d) != c.rules {
			t.Errorf("%s: %s by %q, want a denial by %q", c.name, d.Outcome, names(d), c.rules)
		}
		if ref, err := e.Reference(t.Context(), r); err != nil || !reflect.DeepEqual(d, ref) {
			t.Errorf("%s: casbin says %s by %s, %v", c.name, ref.Outcome, names(ref), err)
		}
	}
	if got := e.Scope(linyue, "moon"); len(got) != 0 {
		t.Errorf("an unknown type shows %q", got)
	}
}

// A company says in one line what the people of a department may not.
func TestRestrictedDepartment(t *testing.T) {
	e := buildHouse(t, company("p, acme.dingtalk.sales, dingtalk, anyone, block, *, '销售部' in r.sub.Departments, deny, ,\n"))
	for _, c := range []struct {
		platform   string
		department []string
		want       im.Outcome
	}{{"dingtalk", []string{"总部", "销售部"}, im.Deny}, {"dingtalk", []string{"总部", "客服部"}, im.Allow}, {"dingtalk", nil, im.Allow}, {"native", []string{"销售部"}, im.Allow}} {
		a := with(wangfang, func(a *Actor) { a.Departments = c.department })
		r := Request{Platform: c.platform, Action: ActionBlock, Actor: a, Object: peer}
		d, _ := e.Decide(t.Context(), r)
		ref, err := e.Reference(t.Context(), r)
		if d.Outcome != c.want || err != nil || !reflect.DeepEqual(d, ref) {
			t.Errorf("%s of %q: %s by %s, casbin %s, %v", c.platform, c.department, d.Outcome, names(d), ref.Outcome, err)
		}
	}
}

func TestRoles(t *testing.T) {
	e := build(t, company("g, intern, employee, wecom\ng, deputy, dept_manager, *\n"))
	for _, c := range []struct{ roles, implied string }{
		{"admin", "admin anyone dept_manager employee"},
		{"auditor hr", "anyone auditor employee hr"},
		{"", "anyone"},
		{"wizard", "anyone wizard"},
		{"intern", "anyone intern"}, // on wecom alone
		{"deputy", "anyone dept_manager deputy employee"},
	} {
		if got := strings.Join(e.Roles(strings.Fields(c.roles)), " "); got != c.implied {
			t.Errorf("%s implies %s, want %s", c.roles, got, c.implied)
		}
	}
	if got := strings.Join(e.Implying("admin"), " "); got != "admin super_admin" {
		t.Errorf("admin is implied by %s", got)
	}
	if got := e.Implying("wizard"); got != nil {
		t.Errorf("an unknown role is implied by %v", got)
	}
	intern := with(wangfang, func(a *Actor) { a.Roles = []string{"intern"} })
	for platform, want := range map[string]im.Outcome{"wecom": im.Allow, "native": im.Deny} {
		r := Request{Platform: platform, Action: ActionBlock, Actor: intern, Object: spam}
		d, _ := e.Decide(t.Context(), r)
		ref, err := e.Reference(t.Context(), r)
		if d.Outcome != want || err != nil || !reflect.DeepEqual(d, ref) {
			t.Errorf("intern on %s: %s, casbin %s %v, want %s", platform, d.Outcome, ref.Outcome, err, want)
		}
	}
}

// TestCompany: a company's lines tighten, or take the place of shipped ones by id.
func TestCompany(t *testing.T) {
	decide := func(e *Engine, a Actor, platform string, o Object) Decision {
		d, err := e.Decide(t.Context(), Request{Platform: platform, Action: ActionBlock, Actor: a, Object: o})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Run("replaces all lines of an id", func(t *testing.T) {
		e := build(t, company("p, wecom.block_external.employee, wecom, employee, block, contact, true, review, 2*dept_manager, expire:24h\n"))
		d := decide(e, wangfang, "wecom", spam)
		if d.Outcome != im.Review || names(d) != "wecom.block_external.employee" || needsOf(d) != "*dept_manager" || d.Rules[0].File != "acme.csv" || d.Rules[0].Line != 1 {
			t.Errorf("%s by %s %+v", d.Outcome, names(d), d.Rules)
		}
		if d := decide(e, wangfang, "wecom", contact("KEY", 600_000)); needsOf(d) != "admin *dept_manager manager_of_actor" {
			t.Errorf("reviews add up to %s", needsOf(d))
		} else if w, ok := d.Obligations.Within(DutyExpire); !ok || w.Hours() != 24 {
			t.Errorf("the shortest expiry is %v", w)
		}
	})
	t.Run("of each role the most that one review wants", func(t *testing.T) {
		e := build(t, company("p, acme.a, *, employee, block, contact, true, review, admin+legal,\np, acme.b, *, employee, block, contact, true, review, 2*legal,\n"))
		if d := decide(e, wangfang, "native", contact("KEY", 600_000)); needsOf(d) != "admin *legal manager_of_actor" {
			t.Errorf("needs %s", needsOf(d))
		}
	})
	t.Run("adds a review and a denial", func(t *testing.T) {
		e := build(t, company("p, acme.careful, *, employee, block, contact, r.obj.Verified, review, dept_manager,\np, acme.no, native, anyone, block, member, r.sub.Rank < 3, deny, ,\n"))
		if d := decide(e, wangfang, "wecom", contact("NORMAL", 0)); d.Outcome != im.Review || names(d) != "acme.careful" || strings.Join(d.Obligations, " ") != "undo:72h undo_review:admin" {
			t.Errorf("%s by %s, %v", d.Outcome, names(d), d.Obligations)
		}
		if d := decide(e, mengjie, "native", peer); d.Outcome != im.Deny || names(d) != "acme.no" {
			t.Errorf("%s by %s", d.Outcome, names(d))
		}
		if d := decide(e, stranger, "wecom", contact("NORMAL", 0)); d.Outcome != im.Deny || names(d) != "" {
			t.Errorf("a company's review made something possible: %s by %s", d.Outcome, names(d))
		}
	})
	t.Run("rules of a company leave the defaults in force", func(t *testing.T) {
		e := build(t, company("p, acme.no, dingtalk, anyone, block, contact, true, deny, ,\n"))
		if d := decide(e, wangfang, "dingtalk", peer); names(d) != "default.block_member.employee" {
			t.Errorf("%s by %s", d.Outcome, names(d))
		}
	})
	t.Run("scopes", func(t *testing.T) {
		e := build(t, company("p, read.contacts.dept_manager, *, dept_manager, read, contact, true, deny, , scope:departments_below\n"))
		if got := strings.Join(e.Scope(zhaomin, TypeContact), " "); got != "" {
			t.Errorf("contacts %q", got)
		}
		if got := strings.Join(e.Scope(linyue, TypeContact), " "); got != "departments_below" {
			t.Errorf("contacts of an admin %q", got)
		}
	})
	t.Run("sentences", func(t *testing.T) {
		e := build(t, Layer{Name: CompanyLayer, Files: fstest.MapFS{"reasons.csv": {Data: []byte("C-01,Ask HR.,请联系人事。\n")}}})
		if got := Reason(decide(e, wangfang, "native", superior), fault.English); got != "Ask HR." {
			t.Error(got)
		}
	})
}

// A company that replaces a shipped rule may keep some of its lines, and is not explained by the shipped sentence any more.
func TestReplacedReason(t *testing.T) {
	line := "p, wecom.member.external_only, wecom, anyone, block, member, r.sub.Rank < 4, deny, ,\n"
	kept := "p, lift.initiator, *, employee, lift, relationship, r.obj.Mine && r.obj.Kind != 'ISOLATION' && (r.obj.Pending || !r.obj.Reviewed), allow, ,\n"
	r := Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: peer}
	for want, files := range map[string]fstest.MapFS{
		"Policy does not allow this.": {"acme.csv": {Data: []byte(line + kept)}},
		"Ask your lead.":              {"acme.csv": {Data: []byte(line)}, "reasons.csv": {Data: []byte("wecom.member.external_only,Ask your lead.,请联系主管。\n")}},
	} {
		e := build(t, Layer{Name: CompanyLayer, Files: files})
		d, err := e.Decide(t.Context(), r)
		if got := Reason(d, fault.English); err != nil || d.Outcome != im.Deny || got != want {
			t.Errorf("%s: %q, want %q (%v)", d.Outcome, got, want, err)
		}
	}
}

func TestReason(t *testing.T) {
	e := build(t)
	for _, c := range []struct {
		platform string
		actor    Actor
		object   Object
		en, zh   string
	}{
		{"wecom", wangfang, superior, "The reporting line stays open: nobody cuts off a superior or a subordinate.", "上下级之间须保持沟通，不得屏蔽或隔离自己的上级或下级。"},
		{"wecom", wangfang, peer, "On WeCom employees can block external contacts only; colleagues take a department manager or above.", "在企业微信上，普通员工只能屏蔽外部联系人；屏蔽同事须由部门主管及以上人员操作。"},
		{"wecom", wangfang, contact("KEY", 600_000), "This contact matters to the business, so a manager has to agree first.", "该联系人关系到公司业务，须先经主管同意。"},
		{"wecom", wangfang, spam, "Policy allows this.", "策略允许此操作。"},
		{"wecom", stranger, spam, "No rule allows you to do this here.", "没有任何规则允许您在此进行该操作。"},
	} {
		d, err := e.Decide(t.Context(), Request{Platform: c.platform, Action: ActionBlock, Actor: c.actor, Object: c.object})
		if err != nil {
			t.Fatal(err)
		}
		if got := Reason(d, fault.English); got != c.en {
			t.Errorf("%q, want %q", got, c.en)
		}
		if got := Reason(d, fault.Chinese); got != c.zh {
			t.Errorf("%q, want %q", got, c.zh)
		}
		if got := e.Reason(d.Outcome, d.Refs(), fault.Chinese); got != c.zh {
			t.Errorf("of a kept decision: %q, want %q", got, c.zh)
		}
	}
	// Every rule that can refuse or ask for review says why.
	shipped := buildHouse(t)
	for _, r := range shipped.Rules() {
		if r.Effect != "allow" && shipped.texts[r.Name] == nil {
			t.Errorf("%s:%d: %s has no sentence", r.File, r.Line, r.Name)
		}
	}
}

// TestBundle: a version is one blob, named by its content, and its rules can be shown when no engine decides by them.
func TestBundle(t *testing.T) {
	e, again := build(t), build(t)
	if e.Version() != again.Version() || string(e.Bundle()) != string(again.Bundle()) {
		t.Error("the same files make two versions")
	}
	d, _ := e.Decide(t.Context(), Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: superior})
	if d.Version != e.Version() || len(d.Version) != 64 {
		t.Errorf("version %q", d.Version)
	}
	next := build(t, company("p, acme.no, *, anyone, block, *, false, deny, ,\np, default.block_member.employee, default, employee, block, member, true, deny, ,\n"))
	if next.Version() == e.Version() {
		t.Error("another file, the same version")
	}
	old, err := OpenBundle(e.Bundle())
	if err != nil {
		t.Fatal(err)
	}
	if old.Version() != e.Version() {
		t.Errorf("version %s, want %s", old.Version(), e.Version())
	}
	if !reflect.DeepEqual(old.Rules(), e.Rules()) {
		t.Error("the rules of the bundle differ")
	}
	for _, r := range e.Rules() {
		got, ok := old.Rule(r.ID)
		if !ok || got != r {
			t.Fatalf("%s:%d: %+v", r.File, r.Line, got)
		}
		if _, ok := next.Rule(r.ID); ok {
			t.Fatalf("%s:%d is a rule of another version too", r.File, r.Line)
		}
		if files := strings.Split(r.Text, ","); strings.TrimSpace(files[1]) != r.Name {
			t.Errorf("%s:%d: %s", r.File, r.Line, r.Text)
		}
	}
	r := d.Rules[0]
	if r.Name != "C-01" || r.File != "authz/policies/guard.csv" || !strings.HasPrefix(r.Text, "p, C-01, *, anyone, one_way") {
		t.Errorf("%+v", r)
	}
	if got := old.Reason(d.Outcome, d.Refs(), fault.English); got != Reason(d, fault.English) {
		t.Error(got)
	}
	if _, ok := old.Rule(im.ID{1}); ok {
		t.Error("a rule of nobody")
	}
	if len(next.Rules()) != len(e.Rules())+1 {
		t.Errorf("%d rules in force after one was added and one replaced, %d before", len(next.Rules()), len(e.Rules()))
	}
	for _, broken := range []string{"", "{", `{"layers":[{"name":"guard","files":[{"path":"x.csv","text":"p, C-01"}]}]}`} {
		if _, err := OpenBundle([]byte(broken)); err == nil {
			t.Errorf("opened %q", broken)
		}
	}
	if !json.Valid(e.Bundle()) {
		t.Error("no JSON")
	}
}

func TestDecideEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := build(t).Decide(ctx, Request{Platform: "native", Action: ActionBlock, Actor: wangfang, Object: peer})
	if err == nil || d.Outcome != im.Deny {
		t.Errorf("%s, %v", d.Outcome, err)
	}
}

func problemsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	p, ok := errors.AsType[*Problems](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	var out []string
	for _, x := range p.List {
		if x.Severity != SeverityError {
			t.Errorf("severity %q", x.Severity)
		}
		out = append(out, x.String())
	}
	if err.Error() != strings.Join(out, "\n") {
		t.Errorf("the error says %q", err)
	}
	return out
}

// A line that cannot be evaluated is no refusal: whoever asks is told that policy cannot decide, and not that it says no.
func TestUndecided(t *testing.T) {
	e := buildHouse(t)
	r := Request{Action: ActionBlock, Platform: "native", Actor: Actor{Roles: []string{"employee"}, Status: "ACTIVE"}, Object: Object{Type: TypeMember}}
	if _, err := e.Decide(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for i := range e.lines {
		e.lines[i].when = func(*facts) bool { panic("no such attribute") }
	}
	d, err := e.Decide(t.Context(), r)
	if !fault.Is(err, fault.PolicyError) || d.Outcome != im.Deny || !strings.Contains(err.Error(), "no such attribute") {
		t.Errorf("%v %v", d.Outcome, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := e.Decide(over, r); !fault.Is(err, fault.DeadlineExceeded) || !errors.Is(err, context.Canceled) || d.Outcome != im.Deny {
		t.Errorf("nobody waits: %v %v", d.Outcome, err)
	}
}
