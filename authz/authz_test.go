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

// TestDecide holds the shipped policy to RULES: the worked cases, and every boundary on both sides.
func TestDecide(t *testing.T) {
	e := build(t)
	mine := func(o Object) Object { o.Type, o.Mine = TypeRelationship, true; return o }
	own := func(o Object, of Actor) Object { o.ID = of.ID; return o }
	const (
		undo       = "undo:72h"
		undoReview = "undo:72h undo_review:admin"
		expire     = "expire:72h"
		lost       = "alert:OPPORTUNITY_LOSS"
		alert      = "alert:KEY_CONTACT_BLOCKED expire:72h"
	)
	cases := []decisionCase{
		// The worked cases.
		{"spam", "wecom", wangfang, ActionBlock, spam, im.Allow, "wecom.block_external.employee", "", undoReview},
		{"haikang", "wecom", wangfang, ActionBlock, contact("KEY", 1_200_000), im.Review, "C-06 C-07", "admin manager_of_actor", "alert:KEY_CONTACT_BLOCKED expire:72h undo:72h undo_review:admin"},
		{"colleague on wecom", "wecom", wangfang, ActionBlock, peer, im.Deny, "wecom.member.external_only", "", ""},
		{"colleague on native", "native", wangfang, ActionBlock, peer, im.Allow, "native.block_member.employee", "", undo},
		{"manager on native", "native", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
		{"manager on wecom", "wecom", wangfang, ActionBlock, superior, im.Deny, "C-01 wecom.member.external_only", "", ""},
		{"manager where nobody wrote rules", "dingtalk", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
		{"manager on an unknown platform", "feishu", wangfang, ActionBlock, superior, im.Deny, "C-01", "", ""},
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
		{"super_admin isolates a subordinate: no guardrail", "native", chenguang, ActionIsolate, subordinate, im.Deny, "", "", ""},
		{"super_admin isolates his superior", "native", chenguang, ActionIsolate, superior, im.Deny, "C-01", "", ""},
		{"C-02 is for blocks", "native", chenguang, ActionIsolate, groupOwner, im.Deny, "", "", ""},

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
		{"isolation on behalf, by nobody", "native", zhaomin, ActionIsolate, with(peer, func(o *Object) { o.OnBehalf = true }), im.Deny, "block.on_behalf", "", ""},
		{"isolation on behalf, by an admin: not denied, not allowed yet", "native", linyue, ActionIsolate, with(peer, func(o *Object) { o.OnBehalf = true }), im.Deny, "", "", ""},
		{"whole workspace", "native", zhaomin, ActionBlock, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Deny, "block.workspace_scope", "", ""},
		{"whole workspace by an admin", "native", linyue, ActionBlock, with(peer, func(o *Object) { o.Scope = "WORKSPACE" }), im.Allow, "native.block_member.employee", "", undo},
		{"initiator's view", "native", wangfang, ActionBlock, with(peer, func(o *Object) { o.Scope = "INITIATOR_VIEW" }), im.Allow, "native.block_member.employee", "", undo},

		// Where nobody wrote rules; where there is no organisation.
		{"default member", "dingtalk", wangfang, ActionBlock, peer, im.Allow, "default.block_member.employee", "", undo},
		{"default contact", "dingtalk", wangfang, ActionBlock, spam, im.Allow, "default.block_external.employee", "", undo},
		{"default on an unknown platform", "feishu", wangfang, ActionBlock, peer, im.Allow, "default.block_member.employee", "", undo},
		{"no guardrail without an organisation", "chat", standing(guping, ""), ActionBlock, superior, im.Allow, "chat.block.anyone", "", "undo:8760h"},
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
		{"rank 6 in customer service", "dingtalk", qinlang, ActionBlacklist, verified, im.Review, "C-06", "manager_of_actor", expire + " " + undo},
		{"default", "feishu", sunli, ActionBlacklist, verified, im.Allow, "default.blacklist.employee", "", undo},
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
		{"unknown role", "native", with(wangfang, func(a *Actor) { a.Roles = []string{"wizard"} }), ActionBlock, superior, im.Deny, "C-01", "", ""},
	}
	seen := map[im.ID]bool{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Request{Platform: c.platform, Action: c.action, Actor: c.actor, Object: c.object}
			d, err := e.Decide(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(d.Outcome)+" by "+names(d), string(c.outcome)+" by "+c.rules; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := needsOf(d); got != c.needs {
				t.Errorf("needs %s, want %s", got, c.needs)
			}
			if got := strings.Join(d.Obligations, " "); got != c.duties {
				t.Errorf("obligations %s, want %s", got, c.duties)
			}
			ref, err := e.Reference(t.Context(), r)
			if err != nil || !reflect.DeepEqual(d, ref) {
				t.Errorf("casbin says %s by %s, %v", ref.Outcome, names(ref), err)
			}
			for _, r := range d.Rules {
				seen[r.ID] = true
			}
		})
	}
	for _, r := range e.Rules() {
		if r.Action != ActionRead && r.Action != ActionUnmask && !seen[r.ID] {
			// What only future commands can meet.
			if r.Name == "C-06" && r.Action == ActionBlacklist {
				continue
			}
			t.Errorf("no case is decided by %s:%d: %s", r.File, r.Line, r.Text)
		}
	}
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
	for _, r := range e.Rules() {
		if r.Effect != "allow" && e.texts[r.Name] == nil {
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
