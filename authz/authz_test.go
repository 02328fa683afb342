package authz

import (
	"context"
	"encoding/json"
	"errors"
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

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

var duties = []string{DutyUndo, DutyUndoReview, DutyAlert, DutyExpire}

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
	zhoujie   = person("zhoujie007", 7, im.Management, "dept_manager")
	wuhao     = person("wuhao008", 3, im.General, "employee")
	zhenglan  = person("zhenglan009", 6, im.HR, "hr")
	fengtao   = person("fengtao010", 5, im.IT, "it")
	heyun     = person("heyun011", 6, im.Legal, "legal")
	guping    = person("guping012", 6, im.General, "auditor")
	tangxin   = person("tangxin013", 2, im.CustomerService, "employee")
	qinlang   = person("qinlang014", 6, im.CustomerService, "dept_manager")
	mengjie   = person("mengjie015", 2, im.General, "employee")
	stranger  = person("nobody", 9, im.General)
	crm       = person("crm-demo", 0, "", RoleServiceBulk) // a service
)

func with[T any](v T, change func(*T)) T { change(&v); return v }

func standing(a Actor, status string) Actor { a.Status = status; return a }

var (
	peer        = Object{Type: TypeMember, ID: "peer"}
	superior    = Object{Type: TypeMember, ID: "boss", Relation: Superior}
	subordinate = Object{Type: TypeMember, ID: "report", Relation: Subordinate}
	groupOwner  = Object{Type: TypeMember, ID: "owner", OwnsSharedGroup: true}
	spam        = Object{Type: TypeContact, ID: "wm_spam", Importance: "NORMAL"}
	verified    = contact(im.NormalContact, 0)
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

type decisionCase struct {
	name     string
	platform string
	actor    Actor
	action   string
	object   Object
	outcome  im.Outcome
	rules    string
	needs    string
	duties   string
}

// another ends the names of cases where a super_admin besides the actor can act.
const another = "beside another super_admin"

// houseCases are RULES: the worked cases, and every boundary on both sides.
func houseCases() []decisionCase {
	mine := func(o Object) Object { o.Type, o.Mine = TypeRelationship, true; return o }
	own := func(o Object, of Actor) Object { o.ID = of.ID; return o }
	const (
		undo       = "undo:72h"
		undoReview = "undo:72h undo_review:admin"
		expire     = "expire:72h"
		lost       = "alert:OPPORTUNITY_LOSS"
		alert      = "alert:KEY_CONTACT_BLOCKED expire:72h"
		sameDay    = "undo:same_day"
		anyTime    = "undo:any_time"
		day        = "expire:24h"
	)
	owned := with(verified, func(o *Object) { o.OwnDepartment = true })
	cases := []decisionCase{
		// The worked cases.
		{"spam", "wecom", wangfang, ActionBlock, spam, im.Allow, "wecom.block_external.employee", "", undoReview},
		{"haikang", "wecom", wangfang, ActionBlock, contact("KEY", 1_200_000), im.Review, "C-06 C-07", "admin manager_of_actor", "alert:KEY_CONTACT_BLOCKED expire:72h undo:72h undo_review:admin"},
		{"colleague on wecom", "wecom", wangfang, ActionBlock, peer, im.Deny, "wecom.member.external_only", "", ""},
		{"colleague on native", "native", wangfang, ActionBlock, peer, im.Allow, "native.block_member.employee", "", undo},
		{"manager on native", "native", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
		{"manager on wecom", "wecom", wangfang, ActionBlock, superior, im.Deny, "C-01 wecom.member.external_only", "", ""},
		{"manager where nobody wrote rules", "agora", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
		{"manager on an unknown platform", "zulip", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
		{"dept_manager blocks a member on wecom", "wecom", zhaomin, ActionBlock, peer, im.Allow, "wecom.block_member.dept_manager", "", undoReview},
		{"dept_manager blocks a subordinate who owns a group", "feishu", zhoujie, ActionBlock, with(subordinate, func(o *Object) { o.OwnsSharedGroup = true }), im.Deny, "C-01 C-02", "", ""},
		{"owner of a shared group", "feishu", sunli, ActionBlock, groupOwner, im.Deny, "C-02", "", ""},
		{"rank 2 may block on native", "native", mengjie, ActionBlock, peer, im.Allow, "native.block_member.employee", "", undo},
		{"owner of the lunch group", "native", wuhao, ActionBlock, groupOwner, im.Deny, "C-02", "", ""},
		{"auditor blocks a contact", "wecom", guping, ActionBlock, spam, im.Deny, "C-10", "", ""},
		{"auditor blocks a member", "native", guping, ActionBlock, peer, im.Deny, "C-10", "", ""},
		{"auditor with another role", "native", with(guping, func(a *Actor) { a.Roles = []string{"admin", "auditor"} }), ActionBlock, peer, im.Deny, "C-10", "", ""},
		{"rank 2 blacklists", "dingtalk", tangxin, ActionBlacklist, contact("NORMAL", 0), im.Deny, "C-05", "", ""},
		{"an isolation of one's superior", "wecom", linyue, ActionIsolate, superior, im.Deny, "C-01", "", ""},

		// C-01 on every kind; isolation downwards is for super_admin alone.
		{"subordinate", "native", zhaomin, ActionBlock, subordinate, im.Deny, "C-01", "", ""},
		{"blacklist of a superior", "native", chenguang, ActionBlacklist, superior, im.Deny, "C-01", "", ""},
		{"group-block of a subordinate", "native", zhaomin, ActionGroupBlock, subordinate, im.Deny, "C-01", "", ""},
		{"admin isolates a subordinate", "native", linyue, ActionIsolate, subordinate, im.Deny, "C-01", "", ""},
		{"super_admin isolates a subordinate", "native", chenguang, ActionIsolate, subordinate, im.Allow, "native.isolate.admin", "", undo},
		{"super_admin isolates his superior", "native", chenguang, ActionIsolate, superior, im.Deny, "C-01", "", ""},
		{"C-02 is for blocks", "native", linyue, ActionIsolate, groupOwner, im.Allow, "native.isolate.admin", "", undo},

		// C-03.
		{"oneself", "native", wangfang, ActionBlock, own(peer, wangfang), im.Deny, "C-03", "", ""},
		{"isolating oneself", "native", chenguang, ActionIsolate, own(peer, chenguang), im.Deny, "C-03", "", ""},

		// C-04.
		{"frozen", "native", standing(wangfang, "FROZEN"), ActionBlock, peer, im.Deny, "C-04", "", ""},
		{"export only", "native", standing(wangfang, "EXPORT_ONLY"), ActionBlock, peer, im.Deny, "C-04", "", ""},
		{"no account", "native", standing(wangfang, ""), ActionLift, mine(Object{}), im.Deny, "C-04", "", ""},
		{"frozen, and the superior", "wecom", standing(wangfang, "FROZEN"), ActionBlock, superior, im.Deny, "C-01 C-04 wecom.member.external_only", "", ""},
		{"frozen approver", "native", standing(linyue, "DORMANT"), ActionDecideApproval, Object{Type: TypeApproval, Candidate: true}, im.Deny, "C-04", "", ""},

		// C-05.
		{"rank 3 blacklists", "native", wuhao, ActionBlacklist, contact("NORMAL", 0), im.Allow, "native.blacklist.employee", "", undo},

		// C-06 and C-07, and their thresholds.
		{"sales, normal, no business", "native", wangfang, ActionBlock, contact("NORMAL", 0), im.Allow, "native.block_external.employee", "", undo},
		{"sales, normal, one cent", "native", wangfang, ActionBlock, contact("NORMAL", 0.01), im.Review, "C-06", "manager_of_actor", expire + " " + undo},
		{"sales, key, no business", "native", wangfang, ActionBlock, contact("KEY", 0), im.Review, "C-06", "manager_of_actor", alert + " " + undo},
		{"customer service, key", "native", tangxin, ActionBlock, contact("KEY", 0), im.Review, "C-06", "manager_of_actor", alert + " " + undo},
		{"others, key", "native", sunli, ActionBlock, contact("KEY", 0), im.Review, "C-06", "owner_dept_manager", alert + " " + undo},
		{"others, one cent", "native", sunli, ActionBlock, contact("NORMAL", 0.01), im.Review, "C-06", "owner_dept_manager", expire + " " + undo},
		{"others, nothing", "native", sunli, ActionBlock, contact("NORMAL", 0), im.Allow, "native.block_external.employee", "", undo},
		{"an admin too", "wecom", linyue, ActionBlock, contact("KEY", 0), im.Review, "C-06", "owner_dept_manager", alert + " " + undo},
		{"500,000 exactly", "native", wangfang, ActionBlock, contact("KEY", 500_000), im.Review, "C-06", "manager_of_actor", alert + " " + undo},
		{"a cent above 500,000", "native", wangfang, ActionBlock, contact("KEY", 500_000.01), im.Review, "C-06 C-07", "admin manager_of_actor", alert + " " + undo},
		{"much, but not key", "native", wangfang, ActionBlock, contact("NORMAL", 600_000), im.Review, "C-06", "manager_of_actor", expire + " " + undo},
		{"a guardrail's review allows nothing", "native", stranger, ActionBlock, contact("KEY", 0), im.Deny, "", "", ""},

		// Undo terms follow the initiator.
		{"admin blocks on wecom", "wecom", linyue, ActionBlock, spam, im.Allow, "wecom.block_external.admin", "", undo},
		{"admin blocks a member on wecom", "wecom", linyue, ActionBlock, peer, im.Allow, "wecom.block_member.admin", "", undo},
		{"hr is no dept_manager", "wecom", zhenglan, ActionBlock, peer, im.Deny, "wecom.member.external_only", "", ""},
		{"hr blocks spam", "wecom", zhenglan, ActionBlock, spam, im.Allow, "wecom.block_external.employee", "", undoReview},

		// For whom, and how far.
		{"on behalf", "native", linyue, ActionBlock, with(peer, func(o *Object) { o.OnBehalf = true }), im.Deny, "block.on_behalf", "", ""},
		{"isolation on behalf", "native", zhaomin, ActionIsolate, with(peer, func(o *Object) { o.OnBehalf = true }), im.Deny, "C-04 block.on_behalf", "", ""},
		{"whole workspace", "native", zhaomin, ActionBlock, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Deny, "block.workspace_scope", "", ""},
		{"whole workspace by an admin", "native", linyue, ActionBlock, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Allow, "native.block_member.employee", "", undo},
		{"initiator's view", "native", wangfang, ActionBlock, with(peer, func(o *Object) { o.Scope = "INITIATOR_VIEW" }), im.Allow, "native.block_member.employee", "", undo},

		// Where nobody wrote rules; where there is no organisation.
		{"default member", "agora", wangfang, ActionBlock, peer, im.Allow, "default.block_member.employee", "", undo},
		{"default contact", "agora", wangfang, ActionBlock, spam, im.Allow, "default.block_external.employee", "", undo},
		{"default on an unknown platform", "zulip", wangfang, ActionBlock, peer, im.Allow, "default.block_member.employee", "", undo},
		{"no guardrail without an organisation", "wechat", standing(guping, ""), ActionBlock, superior, im.Allow, "wechat.block_member.anyone", "", anyTime},
		{"no default without an organisation", "pager", wangfang, ActionBlock, peer, im.Deny, "", "", ""},
		{"no role", "native", stranger, ActionBlock, peer, im.Deny, "", "", ""},

		// Lifting.
		{"own", "wecom", wangfang, ActionLift, mine(Object{Kind: "BLOCK"}), im.Allow, "lift.initiator", "", ""},
		{"own, reviewed", "wecom", wangfang, ActionLift, mine(Object{Kind: "BLOCK", Reviewed: true}), im.Review, "lift.initiator", "as_made", expire},
		{"own, reviewed, pending", "wecom", wangfang, ActionLift, mine(Object{Kind: "BLOCK", Reviewed: true, Pending: true}), im.Allow, "lift.initiator", "", ""},
		{"of another", "wecom", zhaomin, ActionLift, Object{Type: TypeRelationship, Kind: "BLOCK"}, im.Deny, "", "", ""},
		{"by an admin", "wecom", linyue, ActionLift, Object{Type: TypeRelationship, Kind: "BLOCK"}, im.Allow, "lift.admin", "", ""},
		{"by an admin, reviewed", "wecom", linyue, ActionLift, Object{Type: TypeRelationship, Kind: "BLOCK", Reviewed: true}, im.Review, "lift.admin", "as_made", expire},
		{"by an admin, pending", "wecom", linyue, ActionLift, Object{Type: TypeRelationship, Reviewed: true, Pending: true}, im.Allow, "lift.admin", "", ""},
		// Blacklisting and taking back.
		{"verified contact", "wecom", sunli, ActionBlacklist, verified, im.Allow, "wecom.blacklist.employee", "", lost + " " + undoReview},
		{"verified contact by an admin", "wecom", linyue, ActionBlacklist, verified, im.Allow, "wecom.blacklist.admin", "", lost + " " + undo},
		{"verified contact by a salesman", "wecom", wangfang, ActionBlacklist, verified, im.Review, "C-06", "manager_of_actor", lost + " " + expire + " " + undoReview},
		{"contact who is not verified", "wecom", wangfang, ActionBlacklist, spam, im.Deny, "wecom.blacklist.verified_only", "", ""},
		{"contact who is not verified, by an admin", "wecom", linyue, ActionBlacklist, spam, im.Deny, "wecom.blacklist.verified_only", "", ""},
		{"rank 2", "dingtalk", tangxin, ActionBlacklist, verified, im.Deny, "C-05", "", ""},
		{"rank 6 in customer service", "dingtalk", qinlang, ActionBlacklist, owned, im.Review, "C-06", "manager_of_actor", expire + " " + sameDay},
		{"default", "zulip", sunli, ActionBlacklist, verified, im.Allow, "default.blacklist.employee", "", undo},
		{"native", "native", sunli, ActionBlacklist, spam, im.Allow, "native.blacklist.employee", "", undo},
		{"undo of own", "wecom", wangfang, ActionUndo, mine(Object{Kind: "BLACKLIST"}), im.Allow, "undo.initiator", "", ""},
		{"undo of own on terms", "wecom", wangfang, ActionUndo, mine(Object{Kind: "BLACKLIST", Reviewed: true}), im.Review, "undo.initiator", "as_made", expire},
		{"undo of another's", "wecom", zhaomin, ActionUndo, Object{Type: TypeRelationship, Kind: "BLACKLIST"}, im.Deny, "", "", ""},
		{"undo by an admin", "wecom", linyue, ActionUndo, Object{Type: TypeRelationship, Kind: "BLACKLIST"}, im.Allow, "undo.admin", "", ""},
		{"undo by an admin on terms", "wecom", linyue, ActionUndo, Object{Type: TypeRelationship, Kind: "BLACKLIST", Reviewed: true}, im.Review, "undo.admin", "as_made", expire},
		{"undo by an auditor", "wecom", guping, ActionUndo, mine(Object{Kind: "BLACKLIST"}), im.Deny, "C-10", "", ""},

		{"own isolation, below admin", "wecom", wangfang, ActionLift, mine(Object{Kind: "ISOLATION"}), im.Deny, "", "", ""},
		{"isolation by an admin", "wecom", linyue, ActionLift, Object{Type: TypeRelationship, Kind: "ISOLATION"}, im.Allow, "lift.admin", "", ""},
		{"by an auditor", "wecom", guping, ActionLift, mine(Object{Kind: "BLOCK"}), im.Deny, "C-10", "", ""},

		// Approvals.
		{"candidate", "wecom", zhaomin, ActionDecideApproval, Object{Type: TypeApproval, Candidate: true}, im.Allow, "approval.candidate", "", ""},
		{"no candidate", "wecom", linyue, ActionDecideApproval, Object{Type: TypeApproval}, im.Deny, "", "", ""},
		{"requester", "wecom", linyue, ActionDecideApproval, Object{Type: TypeApproval, Candidate: true, Mine: true}, im.Deny, "approval.not_requester", "", ""},
		{"without a workspace", "", linyue, ActionDecideApproval, Object{Type: TypeApproval, Candidate: true}, im.Allow, "approval.candidate", "", ""},
		{"cancelled by the requester", "wecom", wangfang, ActionCancelApproval, Object{Type: TypeApproval, Mine: true}, im.Allow, "approval.requester_cancels", "", ""},
		{"cancelled by an admin", "wecom", linyue, ActionCancelApproval, Object{Type: TypeApproval}, im.Deny, "", "", ""},

		// Contact checks.
		{"party", "wecom", wangfang, ActionCheckContact, Object{Type: TypePair, Party: true}, im.Allow, "check_contact.party", "", ""},
		{"no party", "wecom", wangfang, ActionCheckContact, Object{Type: TypePair}, im.Deny, "", "", ""},
		{"below, but no dept_manager", "wecom", wangfang, ActionCheckContact, Object{Type: TypePair, Below: true}, im.Deny, "", "", ""},
		{"below", "wecom", zhaomin, ActionCheckContact, Object{Type: TypePair, Below: true}, im.Allow, "check_contact.below", "", ""},
		{"not below", "wecom", zhaomin, ActionCheckContact, Object{Type: TypePair}, im.Deny, "", "", ""},
		{"admin", "wecom", linyue, ActionCheckContact, Object{Type: TypePair}, im.Allow, "check_contact.admin", "", ""},
		{"legal", "wecom", heyun, ActionCheckContact, Object{Type: TypePair}, im.Allow, "check_contact.legal", "", ""},
		{"auditor", "wecom", guping, ActionCheckContact, Object{Type: TypePair}, im.Allow, "check_contact.auditor", "", ""},
		{"auditor without an account there", "dingtalk", standing(guping, ""), ActionCheckContact, Object{Type: TypePair}, im.Allow, "check_contact.auditor", "", ""},
		{"frozen party", "wecom", standing(wangfang, "FROZEN"), ActionCheckContact, Object{Type: TypePair, Party: true}, im.Allow, "check_contact.party", "", ""},
		{"frozen admin", "wecom", standing(linyue, "FROZEN"), ActionCheckContact, Object{Type: TypePair}, im.Deny, "C-04", "", ""},
		{"it", "wecom", fengtao, ActionCheckContact, Object{Type: TypePair}, im.Deny, "", "", ""},

		// What policy has not heard of.
		{"unknown action", "wecom", linyue, "dance", peer, im.Deny, "", "", ""},
		{"unknown action, not active", "wecom", standing(linyue, "FROZEN"), "dance", peer, im.Deny, "C-04", "", ""},
		{"unknown target", "wecom", linyue, ActionBlock, Object{Type: "moon", ID: "x"}, im.Deny, "", "", ""},
		// What only a role beside the obvious one shows.
		{"customer service, one cent", "native", tangxin, ActionBlock, contact("NORMAL", 0.01), im.Review, "C-06", "manager_of_actor", expire + " " + undo},
		{"dept_manager blocks spam on wecom", "wecom", zhaomin, ActionBlock, spam, im.Allow, "wecom.block_external.employee", "", undoReview},
		{"dept_manager blacklists on wecom", "wecom", zhoujie, ActionBlacklist, verified, im.Allow, "wecom.blacklist.employee", "", lost + " " + undoReview},
		{"employee who is a candidate", "wecom", wuhao, ActionDecideApproval, Object{Type: TypeApproval, Candidate: true}, im.Allow, "approval.candidate", "", ""},
		{"of another, reviewed", "wecom", zhaomin, ActionLift, Object{Type: TypeRelationship, Kind: "BLOCK", Reviewed: true}, im.Deny, "", "", ""},
		{"group block of another, reviewed", "wecom", zhaomin, ActionLift, Object{Type: TypeRelationship, Kind: "GROUP_BLOCK", Reviewed: true}, im.Deny, "", "", ""},
		{"undo of another's on terms", "wecom", zhaomin, ActionUndo, Object{Type: TypeRelationship, Kind: "BLOCK", Reviewed: true}, im.Deny, "", "", ""},
		{"unknown role", "native", with(wangfang, func(a *Actor) { a.Roles = []string{"wizard"} }), ActionBlock, superior, im.Deny, "C-01", "", ""},
	}
	cases = append(cases, kindCases()...)
	cases = append(cases, guardCases()...)
	cases = append(cases, commandCases()...)
	return append(cases, strippedCases(cases)...)
}

// strippedCases are the same requests from who has no role, or of a service without a scope: nothing is allowed, and the lines for
// anyone refuse him as they do the others.
func strippedCases(cases []decisionCase) []decisionCase {
	var out []decisionCase
	for _, c := range cases {
		if c.platform == "wechat" || slices.Contains(c.actor.Roles, "auditor") {
			continue
		}
		if c.outcome != im.Deny {
			c.rules = ""
		}
		c.name, c.outcome, c.rules, c.needs, c.duties = c.name+", without a role", im.Deny, atLeast+c.rules, "", ""
		c.actor.Roles = slices.DeleteFunc(slices.Clone(c.actor.Roles), func(role string) bool { return role != RoleService && role != RoleServiceBulk })
		if len(c.actor.Roles) > 0 {
			c.actor.Roles = []string{RoleService}
		}
		out = append(out, c)
	}
	return out
}

// atLeast goes before the rules of a case where others may refuse as well.
const atLeast = "at least "

func (c decisionCase) request() Request {
	return Request{Platform: c.platform, Action: c.action, Actor: c.actor, Object: c.object, Env: Env{OtherSuperAdmin: strings.HasSuffix(c.name, another)}}
}

// faults says where a decision differs from what the case wants.
func (c decisionCase) faults(d Decision) (out []string) {
	for _, x := range []struct{ what, got, want string }{
		{"outcome", string(d.Outcome), string(c.outcome)}, {"rules", names(d), c.rules}, {"needs", needsOf(d), c.needs},
		{"obligations", strings.Join(d.Obligations, " "), c.duties},
	} {
		if least, ok := strings.CutPrefix(x.want, atLeast); ok {
			got := strings.Fields(x.got)
			if !slices.ContainsFunc(strings.Fields(least), func(rule string) bool { return !slices.Contains(got, rule) }) {
				continue
			}
		}
		if x.got != x.want {
			out = append(out, fmt.Sprintf("%s %q, want %q", x.what, x.got, x.want))
		}
	}
	return out
}

// TestDecide holds the shipped policy to RULES.
func TestDecide(t *testing.T) {
	e := buildHouse(t)
	seen := map[im.ID]bool{}
	for _, c := range houseCases() {
		t.Run(c.name, func(t *testing.T) {
			r := c.request()
			d, err := e.Decide(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range c.faults(d) {
				t.Error(f)
			}
			ref, err := e.Reference(t.Context(), r)
			if err != nil || !reflect.DeepEqual(d, ref) {
				t.Errorf("casbin says %s by %s, %v", ref.Outcome, names(ref), err)
			}
			for _, r := range d.Rules {
				seen[r.ID] = true
			}
			if c.action == ActionExport || c.action == ActionRequestArchiveAccess {
				for _, x := range e.matching(&r, nil) { // what grants it never decides alone: C-12 has it reviewed, always
					seen[e.rules[x.ordinal].ID] = true
				}
			}
		})
	}
	for _, r := range e.Rules() {
		if r.Action != ActionRead && r.Action != ActionUnmask && !seen[r.ID] {
			t.Errorf("no case is decided by %s:%d: %s", r.File, r.Line, r.Text)
		}
	}
}

// TestMutations changes each line that decides commands by one step (its effect, a role, a number, a comparison, a part of its
// condition, an approver, a duty) and sees at least one case fail.
func TestMutations(t *testing.T) {
	if testing.Short() {
		t.Skip("builds an engine for each step")
	}
	cases := houseCases()
	sound := house()
	e := buildHouse(t)
	made, refused := 0, 0
	for _, r := range e.Rules() {
		if r.Action == ActionRead || r.Action == ActionUnmask {
			continue
		}
		for what, line := range mutants(r) {
			s := sound
			s.Layers = slices.Clone(sound.Layers)
			for i, l := range s.Layers {
				if l.Name == r.Layer {
					s.Layers[i].Files = edited{l.Files, path.Base(r.File), r.Text, line}
				}
			}
			mutant, err := Build(s)
			if err != nil { // the line means nothing any more
				refused++
				continue
			}
			made++
			if !slices.ContainsFunc(cases, func(c decisionCase) bool {
				d, err := mutant.Decide(t.Context(), c.request())
				return err != nil || c.faults(d) != nil
			}) {
				t.Errorf("%s:%d: %s: no case fails by\n%s", r.File, r.Line, what, line)
			}
		}
	}
	t.Logf("%d mutants, %d more refused", made, refused)
	if made < 500 || refused > made/10 {
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
	return csvFile(name, strings.Replace(string(b), e.line+"\n", e.by+"\n", 1)).Open(name)
}

func (e edited) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(e.FS, name) }

// mutants are the lines that differ from a rule's by one step; empty: without it.
func mutants(r Rule) map[string]string {
	out := map[string]string{"gone": ""}
	add := func(what string, change func(*Rule)) {
		m := r
		change(&m)
		if m != r {
			out[what] = fmt.Sprintf("p, %s, %s, %s, %s, %s, %q, %s, %s, %s", m.Name, m.Domain, m.Role, m.Action, m.Target, m.When, m.Effect, m.By, m.Duty)
		}
	}
	for _, step := range [][2]string{{"anyone", "employee"}, {"employee", "anyone"}, {"employee", "dept_manager"}, {"dept_manager", "employee"},
		{"dept_manager", "admin"}, {"admin", "dept_manager"}, {"admin", "super_admin"}, {"super_admin", "admin"}, {"hr", "it"}, {"it", "legal"},
		{"legal", "hr"}, {"hr", "employee"}, {"it", "employee"}, {"legal", "employee"}, {"auditor", "employee"}, {RoleServiceBulk, RoleService}} {
		switch {
		case r.Role != step[0]:
		case r.Layer == GuardLayer && r.Effect == "review" && step[0] == Anyone: // who is no employee has nothing that could be reviewed
		case r.Name == "wecom.block_member.dept_manager" && step[1] == "employee": // whom wecom.member.external_only refuses
		default:
			add("role "+step[1], func(m *Rule) { m.Role = step[1] })
		}
		if by := strings.Split(r.By, "+"); slices.Contains(by, step[0]) {
			add("by "+step[1], func(m *Rule) { m.By = strings.ReplaceAll(r.By, step[0], step[1]) })
		}
		if role := "'" + step[0] + "' in"; strings.Contains(r.When, role) {
			add("asked role "+step[1], func(m *Rule) { m.When = strings.ReplaceAll(r.When, role, "'"+step[1]+"' in") })
		}
	}
	if r.Effect == "allow" {
		add("review", func(m *Rule) { m.Effect, m.By = "review", "hr" })
		add("deny", func(m *Rule) { m.Effect = "deny" })
	} else if r.Layer != GuardLayer {
		add("allow", func(m *Rule) { m.Effect, m.By = "allow", "" })
	}
	add("another approver", func(m *Rule) {
		m.By = strings.NewReplacer("2*admin", "3*admin", "group_owner", "manager_of_actor", "manager_of_actor", "owner_dept_manager", "owner_dept_manager", "manager_of_actor", "as_made", "admin").Replace(m.By)
	})
	add("one fewer approver", func(m *Rule) { m.By = strings.ReplaceAll(m.By, "2*", "") })
	for _, duty := range strings.Split(r.Duty, "|") {
		add("without "+duty, func(m *Rule) {
			m.Duty = strings.Join(slices.DeleteFunc(strings.Split(r.Duty, "|"), func(d string) bool { return d == duty }), "|")
		})
	}
	add("another time", func(m *Rule) {
		m.Duty = strings.NewReplacer("72h", "71h", "24h", "25h", "same_day", "any_time", "any_time", "same_day").Replace(m.Duty)
	})
	at := func(expression, what string, turn func(string) string) {
		for _, place := range regexp.MustCompile(expression).FindAllStringIndex(r.When, -1) {
			add(fmt.Sprintf("%s at %d", what, place[0]), func(m *Rule) {
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
		add("always", func(m *Rule) { m.When = "true" })
	}
	return out
}

// kindCases are the rows of platforms and kinds.
func kindCases() []decisionCase {
	const (
		undo     = "undo:72h"
		reviewed = "undo:72h undo_review:admin"
		sameDay  = "undo:same_day"
		anyTime  = "undo:any_time"
		day      = "expire:24h"
		lost     = "alert:OPPORTUNITY_LOSS"
	)
	in := func(actor, target string) Object {
		return Object{Type: TypeMember, ID: "peer", ActorPlace: actor, Place: target}
	}
	owned := with(verified, func(o *Object) { o.OwnDepartment = true })
	bulk := Object{Type: TypeBulk, Kind: "BLACKLIST", Rows: 1}
	part := func(o Object) Object { o.Bulk = BulkPlain; return o }
	of := func(kind im.RelationshipKind, mine bool) Object {
		return Object{Type: TypeRelationship, Kind: string(kind), Mine: mine}
	}
	cases := []decisionCase{
		// Blocks.
		{"dingtalk member", "dingtalk", tangxin, ActionBlock, peer, im.Allow, "dingtalk.block_member.employee", "", sameDay},
		{"dingtalk contact", "dingtalk", tangxin, ActionBlock, spam, im.Allow, "dingtalk.block_external.employee", "", sameDay},
		{"dingtalk, no role", "dingtalk", stranger, ActionBlock, peer, im.Deny, "", "", ""},
		{"dingtalk contact, no role", "dingtalk", stranger, ActionBlock, spam, im.Deny, "", "", ""},
		{"feishu member", "feishu", mengjie, ActionBlock, peer, im.Allow, "feishu.block_member.employee", "", anyTime},
		{"feishu, no role", "feishu", stranger, ActionBlock, peer, im.Deny, "", "", ""},
		{"feishu knows no contacts", "feishu", chenguang, ActionBlock, spam, im.Deny, "", "", ""},
		{"sunli006 blocks wuhao008", "feishu", sunli, ActionBlock, groupOwner, im.Deny, "C-02", "", ""},
		{"sunli006 blocks shanxiaoyu016", "feishu", sunli, ActionBlock, peer, im.Allow, "feishu.block_member.employee", "", anyTime},
		{"wechat, his superior at work", "wechat", wangfang, ActionBlock, superior, im.Allow, "wechat.block_member.anyone", "", anyTime},
		{"wechat, no role", "wechat", stranger, ActionBlock, peer, im.Allow, "wechat.block_member.anyone", "", anyTime},
		{"wechat, for another", "wechat", linyue, ActionBlock, with(peer, func(o *Object) { o.OnBehalf = true }), im.Deny, "", "", ""},
		{"wechat, for all", "wechat", linyue, ActionBlock, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Deny, "", "", ""},
		{"wechat contact", "wechat", wangfang, ActionBlock, spam, im.Deny, "", "", ""},
		{"wechat isolation", "wechat", chenguang, ActionIsolate, peer, im.Deny, "", "", ""},
		{"wechat blacklist", "wechat", wangfang, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"wechat group block", "wechat", wangfang, ActionGroupBlock, in(PlaceOwner, PlaceMember), im.Deny, "", "", ""},
		{"wechat bulk", "wechat", chenguang, ActionBulk, bulk, im.Deny, "", "", ""},

		// Isolation.
		{"linyue002 isolates wangfang004", "wecom", linyue, ActionIsolate, peer, im.Allow, "wecom.isolate.admin", "", reviewed},
		{"linyue002 isolates chenguang001", "wecom", linyue, ActionIsolate, superior, im.Deny, "C-01", "", ""},
		{"wecom isolation below admin", "wecom", zhaomin, ActionIsolate, peer, im.Deny, "", "", ""},
		{"dingtalk isolation by a super_admin", "dingtalk", chenguang, ActionIsolate, peer, im.Allow, "dingtalk.isolate.super_admin", "", sameDay},
		{"dingtalk isolation by an admin", "dingtalk", linyue, ActionIsolate, peer, im.Deny, "", "", ""},
		{"feishu isolation by an admin", "feishu", linyue, ActionIsolate, peer, im.Allow, "feishu.isolate.admin", "", anyTime},
		{"feishu isolation below admin", "feishu", zhoujie, ActionIsolate, peer, im.Deny, "", "", ""},
		{"native isolation by an admin", "native", linyue, ActionIsolate, peer, im.Allow, "native.isolate.admin", "", undo},
		{"native isolation below admin", "native", zhaomin, ActionIsolate, peer, im.Deny, "", "", ""},
		{"default isolation by an admin", "agora", linyue, ActionIsolate, peer, im.Allow, "default.isolate.admin", "", undo},
		{"default isolation below admin", "agora", zhaomin, ActionIsolate, peer, im.Deny, "", "", ""},
		{"isolation of a contact", "wecom", linyue, ActionIsolate, spam, im.Deny, "", "", ""},
		{"isolation of the workspace", "wecom", linyue, ActionIsolate, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Allow, "wecom.isolate.admin", "", reviewed},

		// Blacklists.
		{"dingtalk, own department", "dingtalk", zhoujie, ActionBlacklist, owned, im.Allow, "dingtalk.blacklist.dept_manager", "", sameDay},
		{"dingtalk, another department", "dingtalk", zhoujie, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"dingtalk, another department, admin", "dingtalk", linyue, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"dingtalk, below dept_manager", "dingtalk", sunli, ActionBlacklist, owned, im.Deny, "", "", ""},
		{"dingtalk, several at once", "dingtalk", zhoujie, ActionBlacklist, part(owned), im.Deny, "", "", ""},
		{"tangxin013 blacklists dt_maoyi", "dingtalk", tangxin, ActionBlacklist, owned, im.Deny, "C-05", "", ""},
		{"feishu blacklist", "feishu", chenguang, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"default blacklist, rank 2", "agora", mengjie, ActionBlacklist, verified, im.Deny, "C-05", "", ""},
		{"default blacklist, rank 3", "agora", wuhao, ActionBlacklist, verified, im.Allow, "default.blacklist.employee", "", undo},
		{"default blacklist, no role", "agora", stranger, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"wecom, rank 2", "wecom", mengjie, ActionBlacklist, verified, im.Deny, "C-05", "", ""},
		{"wecom, rank 3", "wecom", wuhao, ActionBlacklist, verified, im.Allow, "wecom.blacklist.employee", "", lost + " " + reviewed},
		{"wecom, rank 3, not verified", "wecom", wuhao, ActionBlacklist, spam, im.Deny, "wecom.blacklist.verified_only", "", ""},

		// Bulk.
		{"wecom bulk, dept_manager", "wecom", zhaomin, ActionBulk, bulk, im.Allow, "wecom.bulk.dept_manager", "", ""},
		{"wecom bulk, employee", "wecom", wangfang, ActionBulk, bulk, im.Deny, "", "", ""},
		{"wecom bulk, service", "wecom", crm, ActionBulk, bulk, im.Allow, "wecom.bulk.service", "", ""},
		{"wecom bulk, service without the scope", "wecom", with(crm, func(a *Actor) { a.Roles = []string{RoleService} }), ActionBulk, bulk, im.Deny, "", "", ""},
		{"wecom row of a service", "wecom", crm, ActionBlacklist, part(verified), im.Allow, "wecom.blacklist.service", "", lost + " " + reviewed},
		{"wecom row of a service, by itself", "wecom", crm, ActionBlacklist, verified, im.Deny, "", "", ""},
		{"wecom row of a service, not verified", "wecom", crm, ActionBlacklist, part(spam), im.Deny, "wecom.blacklist.verified_only", "", ""},
		{"wecom block by a service", "wecom", crm, ActionBlock, part(spam), im.Deny, "", "", ""},
		{"dingtalk bulk", "dingtalk", chenguang, ActionBulk, bulk, im.Deny, "", "", ""},
		{"dingtalk bulk, service", "dingtalk", crm, ActionBulk, bulk, im.Deny, "", "", ""},
		{"feishu bulk, admin", "feishu", linyue, ActionBulk, bulk, im.Allow, "feishu.bulk.admin", "", ""},
		{"feishu bulk, dept_manager", "feishu", zhoujie, ActionBulk, bulk, im.Deny, "", "", ""},
		{"feishu bulk, service", "feishu", crm, ActionBulk, bulk, im.Allow, "feishu.bulk.service", "", ""},
		{"feishu row of a service", "feishu", crm, ActionBlock, part(peer), im.Allow, "feishu.block_member.service", "", anyTime},
		{"feishu row of a service, by itself", "feishu", crm, ActionBlock, peer, im.Deny, "", "", ""},
		{"native bulk, dept_manager", "native", zhaomin, ActionBulk, bulk, im.Allow, "native.bulk.dept_manager", "", ""},
		{"native bulk, employee", "native", wangfang, ActionBulk, bulk, im.Deny, "", "", ""},
		{"native bulk, service", "native", crm, ActionBulk, bulk, im.Deny, "", "", ""},
		{"default bulk, dept_manager", "agora", zhaomin, ActionBulk, bulk, im.Allow, "default.bulk.dept_manager", "", ""},
		{"default bulk, employee", "agora", wangfang, ActionBulk, bulk, im.Deny, "", "", ""},
		{"default bulk, service", "agora", crm, ActionBulk, bulk, im.Deny, "", "", ""},

		// Taking back.
		{"dingtalk undo by a super_admin", "dingtalk", chenguang, ActionUndo, of(im.Block, false), im.Allow, "undo.admin", "", ""},
		{"dingtalk undo by an admin", "dingtalk", linyue, ActionUndo, of(im.Block, false), im.Deny, "dingtalk.undo.super_admin_only", "", ""},
		{"dingtalk undo by the initiator", "dingtalk", tangxin, ActionUndo, of(im.Block, true), im.Deny, "dingtalk.undo.super_admin_only", "", ""},
		{"dingtalk undo by a super_admin of his own", "dingtalk", chenguang, ActionUndo, of(im.Isolation, true), im.Allow, "undo.initiator undo.admin", "", ""},
		{"feishu undo by the initiator", "feishu", sunli, ActionUndo, of(im.Block, true), im.Allow, "undo.initiator", "", ""},
		{"feishu undo by an admin", "feishu", linyue, ActionUndo, of(im.Block, false), im.Deny, "feishu.undo.initiator_only", "", ""},
		{"feishu undo by a super_admin", "feishu", chenguang, ActionUndo, of(im.Block, false), im.Deny, "feishu.undo.initiator_only", "", ""},
		{"native undo by the initiator", "native", wangfang, ActionUndo, of(im.Block, true), im.Allow, "undo.initiator", "", ""},
		{"native undo by an admin", "native", linyue, ActionUndo, of(im.Block, false), im.Allow, "undo.admin", "", ""},
		{"native undo by a dept_manager", "native", zhaomin, ActionUndo, of(im.Block, false), im.Deny, "", "", ""},
		{"wechat undo", "wechat", wangfang, ActionUndo, of(im.Block, true), im.Allow, "wechat.undo.initiator", "", ""},
		{"wechat undo, no role", "wechat", stranger, ActionUndo, of(im.Block, true), im.Allow, "wechat.undo.initiator", "", ""},
		{"wechat lift, no role", "wechat", stranger, ActionLift, of(im.Block, true), im.Allow, "wechat.lift.initiator", "", ""},
		{"wechat check, no role", "wechat", stranger, ActionCheckContact, Object{Type: TypePair, Party: true}, im.Allow, "wechat.check_contact.party", "", ""},
		{"wechat undo by another", "wechat", chenguang, ActionUndo, of(im.Block, false), im.Deny, "", "", ""},
		{"wechat lift", "wechat", wangfang, ActionLift, of(im.Block, true), im.Allow, "wechat.lift.initiator", "", ""},
		{"wechat lift by another", "wechat", chenguang, ActionLift, of(im.Block, false), im.Deny, "", "", ""},
		{"wechat check", "wechat", wangfang, ActionCheckContact, Object{Type: TypePair, Party: true}, im.Allow, "wechat.check_contact.party", "", ""},
		{"wechat check by another", "wechat", chenguang, ActionCheckContact, Object{Type: TypePair, Below: true}, im.Deny, "", "", ""},

		// The owner of a group is waited for a day, also where what he agreed to is lifted.
		{"lift of a group block", "wecom", wangfang, ActionLift, of(im.GroupBlock, true), im.Allow, "lift.initiator", "", ""},
		{"lift of a reviewed group block", "wecom", wangfang, ActionLift, with(of(im.GroupBlock, true), func(o *Object) { o.Reviewed = true }), im.Review, "lift.initiator", "as_made", day},
		{"lift of a reviewed group block by an admin", "wecom", linyue, ActionLift, with(of(im.GroupBlock, false), func(o *Object) { o.Reviewed = true }), im.Review, "lift.admin", "as_made", day},
		{"lift of an isolation made for one", "feishu", sunli, ActionLift, of(im.Isolation, true), im.Deny, "", "", ""},
	}
	// In groups all platforms with an organisation do as WeCom.
	for platform, terms := range map[string]string{"wecom": reviewed, "dingtalk": sameDay, "feishu": anyTime, "native": undo, "agora": undo} {
		rule := platform + ".group_block."
		if platform == "agora" {
			rule = "default.group_block."
		}
		on := func(name string, a Actor, actor, target string, outcome im.Outcome, by, needs, duties string) {
			if by != "" {
				by = rule + by
			}
			cases = append(cases, decisionCase{platform + ": " + name, platform, a, ActionGroupBlock, in(actor, target), outcome, by, needs, duties})
		}
		on("a member by a member", mengjie, PlaceMember, PlaceMember, im.Review, "member", "group_owner", day+" "+terms)
		on("a member by the owner", wuhao, PlaceOwner, PlaceMember, im.Allow, "owner", "", terms)
		on("a member by a group admin", sunli, PlaceAdmin, PlaceMember, im.Deny, "plain_only", "", "")
		on("a group admin by a member", mengjie, PlaceMember, PlaceAdmin, im.Deny, "plain_only", "", "")
		on("a group admin by the owner", wuhao, PlaceOwner, PlaceAdmin, im.Deny, "plain_only", "", "")
		on("the owner by a member", mengjie, PlaceMember, PlaceOwner, im.Deny, "plain_only", "", "")
		on("the owner by a group admin", sunli, PlaceAdmin, PlaceOwner, im.Deny, "plain_only", "", "")
		on("a member by an admin who is not in the group", linyue, "", PlaceMember, im.Deny, "", "", "")
		on("a member by the owner, who has no role", stranger, PlaceOwner, PlaceMember, im.Deny, "", "", "")
		on("a member by a member without a role", stranger, PlaceMember, PlaceMember, im.Deny, "", "", "")
		on("somebody who is not in the group", mengjie, PlaceMember, "", im.Deny, "", "", "")
		on("somebody who is not in the group, by the owner", wuhao, PlaceOwner, "", im.Deny, "", "", "")
	}
	return cases
}

// guardCases are the guardrails that no kind of relationship shows alone.
func guardCases() []decisionCase {
	const (
		undo   = "undo:72h"
		expire = "expire:72h"
		lost   = "alert:OPPORTUNITY_LOSS"
		alert  = "alert:KEY_CONTACT_BLOCKED"
	)
	leaving := func(a Actor) Actor { a.Employment = "DEPARTING"; return a }
	hour := func(a Actor, n int) Actor { a.LastHour = n; return a }
	rows := func(t string, n int) Object { return Object{Type: t, Rows: n, Kind: "BLACKLIST"} }
	row := func(o Object, bulk string) Object { o.Bulk = bulk; return o }
	account := func(from, to string) Object { return Object{Type: TypeAccount, ID: "a", Status: from, To: to} }
	last := func(o Object) Object { o.LastSuperAdmin = true; return o }
	behalf := func(change func(*Initiator)) Object {
		o := Object{Type: TypeMember, ID: "peer", OnBehalf: true, Initiator: Initiator{ID: "sunli006", Status: "ACTIVE", Employment: "ACTIVE"}}
		change(&o.Initiator)
		return o
	}
	legalChief := with(heyun, func(a *Actor) { a.Roles = []string{"legal", "dept_manager"} })
	return []decisionCase{
		// For another person: caller and initiator are tested.
		{"isolation for another, by an admin", "native", linyue, ActionIsolate, behalf(func(*Initiator) {}), im.Allow, "native.isolate.admin", "", undo},
		{"of the initiator's superior", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Relation = Superior }), im.Deny, "C-01", "", ""},
		{"of the initiator's superior, by a super_admin", "native", chenguang, ActionIsolate, behalf(func(i *Initiator) { i.Relation = Superior }), im.Deny, "C-01", "", ""},
		{"of the initiator's subordinate", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Relation = Subordinate }), im.Deny, "C-01", "", ""},
		{"of the initiator's subordinate, by a super_admin", "native", chenguang, ActionIsolate, behalf(func(i *Initiator) { i.Relation = Subordinate }), im.Allow, "native.isolate.admin", "", undo},
		{"of the initiator himself", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.ID = "peer" }), im.Deny, "C-03", "", ""},
		{"for one who is frozen", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Status = "FROZEN" }), im.Deny, "C-04", "", ""},
		{"for one who has no account there", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Status = "" }), im.Deny, "C-04", "", ""},
		{"for one who leaves", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Employment = "DEPARTING" }), im.Deny, "C-09", "", ""},
		{"for an auditor", "native", linyue, ActionIsolate, behalf(func(i *Initiator) { i.Auditor = true }), im.Deny, "C-10", "", ""},
		{"for another, by a dept_manager", "native", zhaomin, ActionIsolate, behalf(func(*Initiator) {}), im.Deny, "block.on_behalf", "", ""},

		// C-03 and accounts.
		{"freezing oneself", "native", fengtao, ActionSetAccountStatus, with(account("ACTIVE", "FROZEN"), func(o *Object) { o.Mine = true }), im.Deny, "C-03", "", ""},
		{"disabling oneself", "native", fengtao, ActionSetAccountStatus, with(account("ACTIVE", "DISABLED"), func(o *Object) { o.Mine = true }), im.Deny, "C-03", "", ""},
		{"putting oneself to rest", "native", fengtao, ActionSetAccountStatus, with(account("ACTIVE", "DORMANT"), func(o *Object) { o.Mine = true }), im.Allow, "account.freeze.it", "", ""},

		// C-05 is for persons.
		{"rank 0 of a person", "wecom", with(sunli, func(a *Actor) { a.Rank = 0 }), ActionBlacklist, row(verified, BulkPlain), im.Deny, "C-05", "", ""},

		// C-06 and C-07 within a bulk.
		{"row of a plain bulk", "native", wangfang, ActionBlacklist, row(contact("KEY", 500_000.01), BulkPlain), im.Review, "C-06 C-07", "admin manager_of_actor", alert + " " + expire + " " + undo},
		{"row of an approved bulk", "native", wangfang, ActionBlacklist, row(contact("KEY", 500_000.01), BulkApproved), im.Allow, "native.blacklist.employee", "", undo},
		{"ordinary row of a plain bulk, sales", "native", wangfang, ActionBlacklist, row(verified, BulkPlain), im.Review, "C-06", "manager_of_actor", expire + " " + undo},
		{"ordinary row of an approved bulk, sales", "native", wangfang, ActionBlacklist, row(verified, BulkApproved), im.Allow, "native.blacklist.employee", "", undo},
		{"block in an approved bulk, sales", "native", wangfang, ActionBlock, row(contact("NORMAL", 1), BulkApproved), im.Allow, "native.block_external.employee", "", undo},
		{"block in an approved bulk, others", "native", sunli, ActionBlock, row(contact("NORMAL", 1), BulkApproved), im.Allow, "native.block_external.employee", "", undo},
		{"key contact in an approved bulk, others", "native", sunli, ActionBlock, row(contact("KEY", 0), BulkApproved), im.Allow, "native.block_external.employee", "", undo},
		{"key contact in a service's bulk", "wecom", crm, ActionBlacklist, row(contact("KEY", 0), BulkPlain), im.Review, "C-06", "owner_dept_manager", alert + " " + lost + " " + expire + " undo:72h undo_review:admin"},

		// C-08.
		{"1,000 rows", "wecom", zhaomin, ActionBulk, rows(TypeBulk, 1_000), im.Allow, "wecom.bulk.dept_manager", "", ""},
		{"1,001 rows", "wecom", zhaomin, ActionBulk, rows(TypeBulk, 1_001), im.Review, "C-08", "*admin", expire},
		{"10,000 rows", "wecom", crm, ActionBulk, rows(TypeBulk, 10_000), im.Review, "C-08", "*admin", expire},
		{"10,001 rows", "wecom", crm, ActionBulk, rows(TypeBulk, 10_001), im.Deny, "C-08", "", ""},
		{"1,001 rows of an employee", "wecom", wangfang, ActionBulk, rows(TypeBulk, 1_001), im.Deny, "", "", ""},

		// C-09.
		{"leaving: block", "native", leaving(wangfang), ActionBlock, peer, im.Deny, "C-09", "", ""},
		{"leaving: isolate", "native", leaving(linyue), ActionIsolate, peer, im.Deny, "C-09", "", ""},
		{"leaving: blacklist", "native", leaving(sunli), ActionBlacklist, verified, im.Deny, "C-09", "", ""},
		{"leaving: group block", "native", leaving(wuhao), ActionGroupBlock, Object{Type: TypeMember, ID: "x", ActorPlace: PlaceOwner, Place: PlaceMember}, im.Deny, "C-09", "", ""},
		{"leaving: bulk", "native", leaving(zhaomin), ActionBulk, rows(TypeBulk, 2), im.Deny, "C-09", "", ""},
		{"leaving: export", "native", leaving(wangfang), ActionExport, rows(TypeExport, 1), im.Deny, "C-09", "", ""},
		{"leaving: dissolve", "native", leaving(wuhao), ActionDissolveGroup, Object{Type: TypeGroup, ActorPlace: PlaceOwner}, im.Deny, "C-09", "", ""},
		{"leaving: delete contacts", "native", leaving(wangfang), ActionDeleteContacts, Object{Type: TypeContact, Mine: true, Rows: 1}, im.Deny, "C-09", "", ""},
		{"leaving: recall", "native", leaving(wangfang), ActionRecallMessage, Object{Type: TypeMessage, Mine: true}, im.Deny, "C-09", "", ""},
		{"leaving: write", "native", leaving(wangfang), ActionSendMessage, Object{Type: TypeMessage, Mine: true}, im.Allow, "message.own", "", ""},
		{"leaving: lift", "native", leaving(wangfang), ActionLift, Object{Type: TypeRelationship, Kind: "BLOCK", Mine: true}, im.Allow, "lift.initiator", "", ""},

		// C-10.
		{"auditor acknowledges", "native", guping, ActionAcknowledgeAlert, Object{Type: TypeAlert}, im.Allow, "alert.acknowledge", "", ""},
		{"auditor asks for the archive", "native", guping, ActionRequestArchiveAccess, Object{Type: TypeArchive}, im.Review, "C-12", "legal", expire},
		{"auditor exports", "native", guping, ActionExport, rows(TypeExport, 1), im.Deny, "C-10", "", ""},
		{"auditor writes", "native", guping, ActionSendMessage, Object{Type: TypeMessage, Mine: true}, im.Deny, "C-10", "", ""},
		{"auditor isolates", "native", guping, ActionIsolate, peer, im.Deny, "C-10", "", ""},

		// C-12.
		{"export of an employee", "native", wangfang, ActionExport, rows(TypeExport, 5_000), im.Review, "C-12", "legal", expire},
		{"export of legal", "native", heyun, ActionExport, rows(TypeExport, 5_000), im.Review, "C-12", "admin", expire},
		{"export of a dept_manager, 1,000 rows", "native", zhaomin, ActionExport, rows(TypeExport, 1_000), im.Review, "C-12", "legal", expire},
		{"export of a dept_manager, 1,001 rows", "native", zhaomin, ActionExport, rows(TypeExport, 1_001), im.Review, "C-12", "legal super_admin", expire},
		{"export of a dept_manager of legal, 1,001 rows", "native", legalChief, ActionExport, rows(TypeExport, 1_001), im.Review, "C-12", "admin super_admin", expire},
		{"export, no role", "native", stranger, ActionExport, rows(TypeExport, 1), im.Deny, "", "", ""},
		{"archive, dept_manager", "native", zhaomin, ActionRequestArchiveAccess, rows(TypeArchive, 1_001), im.Review, "C-12", "legal super_admin", expire},
		{"archive, hr", "native", zhenglan, ActionRequestArchiveAccess, Object{Type: TypeArchive}, im.Review, "C-12", "legal", expire},
		{"archive, legal", "native", heyun, ActionRequestArchiveAccess, Object{Type: TypeArchive}, im.Review, "C-12", "admin", expire},
		{"archive, employee", "native", wangfang, ActionRequestArchiveAccess, Object{Type: TypeArchive}, im.Deny, "", "", ""},
		{"archive, it", "native", fengtao, ActionRequestArchiveAccess, Object{Type: TypeArchive}, im.Deny, "", "", ""},

		// C-13.
		{"policy by the only super_admin", "native", chenguang, ActionActivatePolicy, Object{Type: TypePolicy}, im.Allow, "policy.activate.super_admin", "", ""},
		{"policy " + another, "native", chenguang, ActionActivatePolicy, Object{Type: TypePolicy}, im.Review, "C-13", "super_admin", expire},
		{"policy by an admin", "native", linyue, ActionActivatePolicy, Object{Type: TypePolicy}, im.Deny, "", "", ""},
		{"policy by an admin " + another, "native", linyue, ActionActivatePolicy, Object{Type: TypePolicy}, im.Deny, "", "", ""},

		// C-14.
		{"20th freeze", "native", hour(fengtao, 20), ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Allow, "account.freeze.it", "", ""},
		{"21st freeze", "native", hour(fengtao, 21), ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Review, "C-14", "admin", expire},
		{"20th disable", "native", hour(fengtao, 20), ActionSetAccountStatus, account("FROZEN", "DISABLED"), im.Allow, "account.disable.it", "", ""},
		{"21st disable", "native", hour(fengtao, 21), ActionSetAccountStatus, account("FROZEN", "DISABLED"), im.Review, "C-14", "admin", expire},
		{"21st put to rest", "native", hour(fengtao, 21), ActionSetAccountStatus, account("ACTIVE", "DORMANT"), im.Allow, "account.freeze.it", "", ""},
		{"1,000th blacklisting", "native", hour(sunli, 1_000), ActionBlacklist, verified, im.Allow, "native.blacklist.employee", "", undo},
		{"1,001st blacklisting", "native", hour(sunli, 1_001), ActionBlacklist, verified, im.Review, "C-14", "admin", expire + " " + undo},
		{"1,001st blacklisting, in an approved bulk", "native", hour(sunli, 1_001), ActionBlacklist, row(verified, BulkApproved), im.Allow, "native.blacklist.employee", "", undo},
		{"1,001st blacklisting, in a plain bulk", "native", hour(sunli, 1_001), ActionBlacklist, row(verified, BulkPlain), im.Review, "C-14", "admin", expire + " " + undo},
		{"bulk up to the 1,000th", "native", hour(zhaomin, 1_000), ActionBulk, rows(TypeBulk, 400), im.Allow, "native.bulk.dept_manager", "", ""},
		{"bulk up to the 1,001st", "native", hour(zhaomin, 1_001), ActionBulk, rows(TypeBulk, 400), im.Review, "C-14", "admin", expire},
		{"bulk of blocks", "native", hour(zhaomin, 1_001), ActionBulk, Object{Type: TypeBulk, Kind: "BLOCK", Rows: 400}, im.Allow, "native.bulk.dept_manager", "", ""},
		{"bulk of 1,001 blacklistings", "native", hour(zhaomin, 1_001), ActionBulk, rows(TypeBulk, 1_001), im.Review, "C-08 C-14", "*admin", expire},
		{"1,001st block", "native", hour(sunli, 1_001), ActionBlock, spam, im.Allow, "native.block_external.employee", "", undo},
		{"250th departure", "", hour(zhenglan, 250), ActionOpenDeparture, Object{Type: TypeDeparture}, im.Allow, "departure.hr", "", ""},
		{"251st departure", "", hour(zhenglan, 251), ActionOpenDeparture, Object{Type: TypeDeparture}, im.Review, "C-14", "admin", expire},
		{"251st cancelled departure", "", hour(zhenglan, 251), ActionCancelDeparture, Object{Type: TypeDeparture}, im.Allow, "departure.hr", "", ""},
		{"freezing the last super_admin", "native", linyue, ActionSetAccountStatus, last(account("ACTIVE", "FROZEN")), im.Review, "C-14", "admin", expire},
		{"the last super_admin departs", "", zhenglan, ActionOpenDeparture, last(Object{Type: TypeDeparture}), im.Review, "C-14", "admin", expire},
		{"importing without a super_admin", "", linyue, ActionImportDirectory, last(Object{Type: TypeDirectory}), im.Review, "C-14", "admin", expire},
		{"freezing the last super_admin, by nobody", "native", wangfang, ActionSetAccountStatus, last(account("ACTIVE", "FROZEN")), im.Deny, "", "", ""},
	}
}

// commandCases are the other commands: who may, and who just may not.
func commandCases() []decisionCase {
	const expire = "expire:72h"
	account := func(from, to string) Object { return Object{Type: TypeAccount, ID: "a", Status: from, To: to} }
	in := func(place string) Object { return Object{Type: TypeGroup, ID: "g", ActorPlace: place} }
	lane := func(lane string) Object { return Object{Type: TypeDeparture, ID: "d", Lane: lane} }
	below := func(o Object) Object { o.Relation = Subordinate; return o }
	own := func(t string) Object { return Object{Type: t, ID: "own", Mine: true} }
	not := func(t string) Object { return Object{Type: t, ID: "other"} }
	cases := []decisionCase{
		// Account states.
		{"it freezes", "native", fengtao, ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Allow, "account.freeze.it", "", ""},
		{"it puts to rest", "native", fengtao, ActionSetAccountStatus, account("ACTIVE", "DORMANT"), im.Allow, "account.freeze.it", "", ""},
		{"admin freezes", "native", linyue, ActionSetAccountStatus, account("DORMANT", "FROZEN"), im.Allow, "account.freeze.admin", "", ""},
		{"admin puts to rest", "native", linyue, ActionSetAccountStatus, account("ACTIVE", "DORMANT"), im.Allow, "account.freeze.admin", "", ""},
		{"dept_manager freezes", "native", zhaomin, ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Deny, "", "", ""},
		{"hr freezes", "native", zhenglan, ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Deny, "", "", ""},
		{"it wakes", "native", fengtao, ActionSetAccountStatus, account("FROZEN", "ACTIVE"), im.Deny, "", "", ""},
		{"admin wakes", "native", linyue, ActionSetAccountStatus, account("FROZEN", "ACTIVE"), im.Allow, "account.activate.admin", "", ""},
		{"dept_manager wakes", "native", zhaomin, ActionSetAccountStatus, account("DORMANT", "ACTIVE"), im.Deny, "", "", ""},
		{"it disables", "native", fengtao, ActionSetAccountStatus, account("FROZEN", "DISABLED"), im.Allow, "account.disable.it", "", ""},
		{"admin disables", "native", linyue, ActionSetAccountStatus, account("FROZEN", "DISABLED"), im.Deny, "", "", ""},
		{"super_admin brings back", "native", chenguang, ActionSetAccountStatus, account("DISABLED", "FROZEN"), im.Allow, "account.restore.super_admin", "", ""},
		{"admin brings back", "native", linyue, ActionSetAccountStatus, account("DISABLED", "FROZEN"), im.Deny, "", "", ""},
		{"it brings back", "native", fengtao, ActionSetAccountStatus, account("DISABLED", "FROZEN"), im.Deny, "", "", ""},
		{"super_admin freezes", "native", chenguang, ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Allow, "account.freeze.admin", "", ""},
		{"admin who is frozen freezes", "native", standing(linyue, "FROZEN"), ActionSetAccountStatus, account("ACTIVE", "FROZEN"), im.Deny, "C-04", "", ""},

		// Messages and groups.
		{"one leaves", "native", wangfang, ActionRemoveGroupMembers, with(in(PlaceMember), func(o *Object) { o.Mine = true }), im.Allow, "group.leave", "", ""},
		{"a member removes", "native", wangfang, ActionRemoveGroupMembers, in(PlaceMember), im.Deny, "", "", ""},
		{"a group admin removes", "native", sunli, ActionRemoveGroupMembers, in(PlaceAdmin), im.Allow, "group.remove", "", ""},
		{"the owner removes", "native", wuhao, ActionRemoveGroupMembers, in(PlaceOwner), im.Allow, "group.remove", "", ""},
		{"an admin who is not in it removes", "native", linyue, ActionRemoveGroupMembers, in(""), im.Deny, "", "", ""},
		{"the owner dissolves", "native", wuhao, ActionDissolveGroup, in(PlaceOwner), im.Allow, "group.dissolve.owner", "", ""},
		{"a group admin dissolves", "native", sunli, ActionDissolveGroup, in(PlaceAdmin), im.Deny, "", "", ""},
		{"an admin dissolves", "native", linyue, ActionDissolveGroup, in(""), im.Deny, "", "", ""},

		// Contacts.
		{"hand over, below", "wecom", zhaomin, ActionHandOver, Object{Type: TypeMember, Below: true}, im.Allow, "hand_over.dept_manager", "", ""},
		{"hand over, elsewhere", "wecom", zhaomin, ActionHandOver, not(TypeMember), im.Deny, "", "", ""},
		{"hand over, by an employee", "wecom", wangfang, ActionHandOver, Object{Type: TypeMember, Below: true}, im.Deny, "", "", ""},
		{"hand over, by an admin", "wecom", linyue, ActionHandOver, not(TypeMember), im.Allow, "hand_over.admin", "", ""},
		{"claim of the own pool", "wecom", wangfang, ActionClaimContacts, Object{Type: TypeContact, OwnPool: true}, im.Allow, "contact.claim", "", ""},
		{"claim of another pool", "wecom", zhaomin, ActionClaimContacts, not(TypeContact), im.Deny, "", "", ""},
		{"claim, no role", "wecom", stranger, ActionClaimContacts, Object{Type: TypeContact, OwnPool: true}, im.Deny, "", "", ""},
		{"100 contacts", "wecom", wangfang, ActionDeleteContacts, Object{Type: TypeContact, Mine: true, Rows: 100}, im.Allow, "contact.delete.owner", "", ""},
		{"101 contacts", "wecom", wangfang, ActionDeleteContacts, Object{Type: TypeContact, Mine: true, Rows: 101}, im.Review, "contact.delete.owner", "dept_manager", expire},
		{"another's contacts", "wecom", linyue, ActionDeleteContacts, Object{Type: TypeContact, Rows: 1}, im.Deny, "", "", ""},
		{"101 of another's contacts", "wecom", linyue, ActionDeleteContacts, Object{Type: TypeContact, Rows: 101}, im.Deny, "", "", ""},
		{"an alert", "", wangfang, ActionAcknowledgeAlert, not(TypeAlert), im.Allow, "alert.acknowledge", "", ""},
		{"an alert, no role", "", stranger, ActionAcknowledgeAlert, not(TypeAlert), im.Deny, "", "", ""},

		// Departures.
		{"hr opens", "", zhenglan, ActionOpenDeparture, lane(""), im.Allow, "departure.hr", "", ""},
		{"hr opens against a person's will", "", zhenglan, ActionOpenDeparture, with(lane(""), func(o *Object) { o.Involuntary = true }), im.Review, "departure.involuntary", "legal", expire},
		{"admin opens", "", linyue, ActionOpenDeparture, lane(""), im.Deny, "", "", ""},
		{"admin opens against a person's will", "", linyue, ActionOpenDeparture, with(lane(""), func(o *Object) { o.Involuntary = true }), im.Deny, "", "", ""},
		{"superior opens", "", zhaomin, ActionOpenDeparture, below(lane("")), im.Deny, "", "", ""},
		{"hr cancels one against a person's will", "", zhenglan, ActionCancelDeparture, with(lane(""), func(o *Object) { o.Involuntary = true }), im.Allow, "departure.hr", "", ""},
		{"legal holds", "", heyun, ActionSetLegalHold, not(TypeMember), im.Allow, "departure.hold.legal", "", ""},
		{"hr holds", "", zhenglan, ActionSetLegalHold, not(TypeMember), im.Deny, "", "", ""},
		{"admin holds", "", linyue, ActionSetLegalHold, not(TypeMember), im.Deny, "", "", ""},
		{"legal holds, having acted in another lane", "", heyun, ActionSetLegalHold, with(not(TypeMember), func(o *Object) { o.OtherLane = true }), im.Deny, "departure.one_lane", "", ""},
	}
	add := func(name string, a Actor, action string, o Object, outcome im.Outcome, by string) {
		cases = append(cases, decisionCase{name + ": " + action, "wecom", a, action, o, outcome, by, "", ""})
	}
	for _, action := range []string{ActionCancelDeparture, ActionPauseDeparture, ActionResumeDeparture} {
		add("hr", zhenglan, action, lane(""), im.Allow, "departure.hr")
		add("hr who acted in another lane", zhenglan, action, with(lane(""), func(o *Object) { o.OtherLane = true }), im.Deny, "departure.one_lane")
		add("it", fengtao, action, lane(""), im.Deny, "")
		add("superior", zhaomin, action, below(lane("")), im.Deny, "")
	}
	for _, action := range []string{ActionConfirmDeparture, ActionCompleteDepartureStep, ActionRetryDepartureStep} {
		add("hr", zhenglan, action, lane(LaneHR), im.Allow, "departure.lane.hr")
		add("superior", zhaomin, action, below(lane(LaneBusiness)), im.Allow, "departure.lane.superior")
		add("superior who is no dept_manager", sunli, action, below(lane(LaneBusiness)), im.Allow, "departure.lane.superior")
		add("legal", heyun, action, lane(LaneLegal), im.Allow, "departure.lane.legal")
		add("it", fengtao, action, lane(LaneIT), im.Allow, "departure.lane.it")
		add("legal in the lane of hr", heyun, action, lane(LaneHR), im.Deny, "")
		add("hr in the lane of legal", zhenglan, action, lane(LaneLegal), im.Deny, "")
		add("hr in the lane of it", zhenglan, action, lane(LaneIT), im.Deny, "")
		add("it in the lane of business", fengtao, action, lane(LaneBusiness), im.Deny, "")
		add("dept_manager who is not above", zhoujie, action, lane(LaneBusiness), im.Deny, "")
		add("one who is below", wangfang, action, with(lane(LaneBusiness), func(o *Object) { o.Relation = Superior }), im.Deny, "")
		add("superior in the lane of it", zhaomin, action, below(lane(LaneIT)), im.Deny, "")
		add("admin in the lane of it", linyue, action, lane(LaneIT), im.Deny, "")
		add("a second lane", with(heyun, func(a *Actor) { a.Roles = []string{"legal", "it"} }), action, with(lane(LaneIT), func(o *Object) { o.OtherLane = true }), im.Deny, "departure.one_lane")
	}
	for action, t := range map[string]string{ActionSignOutDevices: TypeAccount, ActionUnlinkIdentity: TypeIdentity} {
		add("own", wangfang, action, own(t), im.Allow, "account.own")
		add("another's", zhaomin, action, not(t), im.Deny, "")
		add("it", fengtao, action, not(t), im.Allow, "account.it")
		add("admin", linyue, action, not(t), im.Allow, "account.admin")
		add("own, no role", stranger, action, own(t), im.Deny, "")
		add("own, frozen", standing(wangfang, "FROZEN"), action, own(t), im.Deny, "C-04")
	}
	for action, t := range map[string]string{ActionBindAccount: TypeAccount, ActionSyncWorkspace: TypeWorkspace, ActionResolveDrift: TypeAlert, ActionImportDirectory: TypeDirectory} {
		add("admin", linyue, action, not(t), im.Allow, "connect.admin")
		add("it", fengtao, action, not(t), im.Deny, "")
		add("dept_manager", zhaomin, action, not(t), im.Deny, "")
	}
	for _, action := range []string{ActionSendMessage, ActionRecallMessage} {
		add("own", wangfang, action, own(TypeMessage), im.Allow, "message.own")
		add("another's", linyue, action, not(TypeMessage), im.Deny, "")
		add("own, no role", stranger, action, own(TypeMessage), im.Deny, "")
		add("own, export only", standing(wangfang, "EXPORT_ONLY"), action, own(TypeMessage), im.Deny, "C-04")
	}
	return cases
}

// TestScope is the table of read scopes, row by row.
func TestScope(t *testing.T) {
	e := build(t)
	objects := []string{TypeMember, TypeContact, TypeGroup, TypeRelationship, TypeAudit, TypeDeparture, TypeApproval, TypeAlert, TypePolicy}
	hrLead := with(zhenglan, func(a *Actor) { a.Roles = []string{"hr", "dept_manager"} })
	for _, c := range []struct {
		name   string
		actor  Actor
		scopes []string
		unmask string
	}{
		{"employee", wangfang, []string{"all", "follows", "in", "initiated", "as_actor", "own", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"customer service, rank 2", tangxin, []string{"own_departments", "follows", "in", "initiated", "as_actor", "own", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"customer service, rank 3", with(tangxin, func(a *Actor) { a.Rank = 3 }), []string{"own_departments", "follows", "in", "initiated", "as_actor", "own", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"customer service, rank 4", with(tangxin, func(a *Actor) { a.Rank = 4 }), []string{"all", "follows", "in", "initiated", "as_actor", "own", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"customer service, dept_manager of rank 3", with(qinlang, func(a *Actor) { a.Rank = 3 }), []string{"all", "departments_below follows", "in owned_below", "initiated initiated_below", "as_actor", "own person_below", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"dept_manager", zhaomin, []string{"all", "departments_below follows", "in owned_below", "initiated initiated_below", "as_actor", "own person_below", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"hr", zhenglan, []string{"all", "", "in", "initiated", "as_actor", "all", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"hr and dept_manager", hrLead, []string{"all", "departments_below", "in owned_below", "initiated initiated_below", "as_actor", "all", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"it", fengtao, []string{"all", "", "all", "initiated", "as_actor", "all", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"legal", heyun, []string{"all", "", "in", "all", "as_actor", "all", "candidate requested", "contact_owner person_subordinate", ""}, "follows own"},
		{"admin", linyue, []string{"all", "all", "all", "all", "as_actor on_policy_and_platforms", "all", "all", "all", "all"}, "all"},
		{"super_admin", chenguang, []string{"all", "all", "all", "all", "all_but_archive as_actor on_policy_and_platforms", "all", "all", "all", "all"}, "all"},
		{"auditor", guping, []string{"all", "all", "all", "all", "all", "all", "all", "all", "all"}, "follows own"},
		{"no role", stranger, []string{"", "", "", "", "", "", "", "", ""}, ""},
		{"frozen admin", standing(linyue, "FROZEN"), []string{"", "follows", "in", "initiated", "as_actor", "own", "requested", "", ""}, "own"},
		{"frozen super_admin", standing(chenguang, "EXPORT_ONLY"), []string{"", "follows", "in", "initiated", "as_actor", "own", "requested", "", ""}, "own"},
		{"frozen hr", standing(zhenglan, "DISABLED"), []string{"", "", "in", "initiated", "as_actor", "own", "requested", "", ""}, "own"},
		{"no workspace in question", standing(linyue, ""), []string{"all", "all", "all", "all", "as_actor on_policy_and_platforms", "all", "all", "all", "all"}, "all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, o := range objects {
				if got := strings.Join(e.Scope(c.actor, o), " "); got != c.scopes[i] {
					t.Errorf("%s: %q, want %q", o, got, c.scopes[i])
				}
			}
			if m, a := e.Scope(c.actor, TypeMember), e.Scope(c.actor, TypeAccount); !slices.Equal(m, a) {
				t.Errorf("accounts %q, members %q", a, m)
			}
			if got := strings.Join(e.Unmask(c.actor), " "); got != c.unmask {
				t.Errorf("unmask %q, want %q", got, c.unmask)
			}
			if got := e.Scope(c.actor, "moon"); len(got) != 0 {
				t.Errorf("an unknown type shows %q", got)
			}
		})
	}
}

// TestRestrictedDepartment: whoever asks may hand in names of departments among the roles; a company says what they may not.
func TestRestrictedDepartment(t *testing.T) {
	e := buildHouse(t, company("g, dept:sales, anyone, *\np, acme.dingtalk.sales, dingtalk, dept:sales, block, *, true, deny, ,\n"))
	for _, c := range []struct {
		platform, department string
		want                 im.Outcome
	}{{"dingtalk", "dept:sales", im.Deny}, {"dingtalk", "dept:service", im.Allow}, {"native", "dept:sales", im.Allow}} {
		a := with(wangfang, func(a *Actor) { a.Roles = []string{"employee", c.department} })
		r := Request{Platform: c.platform, Action: ActionBlock, Actor: a, Object: peer}
		d, _ := e.Decide(t.Context(), r)
		ref, err := e.Reference(t.Context(), r)
		if d.Outcome != c.want || err != nil || !reflect.DeepEqual(d, ref) {
			t.Errorf("%s of %s: %s by %s, casbin %s, %v", c.platform, c.department, d.Outcome, names(d), ref.Outcome, err)
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
