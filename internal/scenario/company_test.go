// Package scenario plays what users do, from outside, on both databases.
package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

type vars = map[string]any

// company is the demo company behind a running gateway.
type company struct {
	*testkit.Server
	t   *testing.T
	dsn string
	ids map[string]string // of what was looked up already
}

// onEach plays a story at the demo company on both databases, each fresh.
func onEach(t *testing.T, story func(t *testing.T, c company)) {
	t.Helper()
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) { story(t, open(t, dsn)) })
}

func open(t *testing.T, dsn string, args ...string) company {
	t.Helper()
	testkit.Seed(t, dsn)
	return company{testkit.Demo(t, dsn, args...), t, dsn, map[string]string{}}
}

// part plays a part of the story as a test of its own.
func (c company) part(name string, play func(t *testing.T, c company)) {
	c.t.Helper()
	c.t.Run(name, func(t *testing.T) {
		c.Server, c.t = c.In(t), t
		play(t, c)
	})
}

// id looks an id up once.
func (c company) id(key string, find func(admin person) string) string {
	c.t.Helper()
	if c.ids[key] == "" {
		if c.ids[key] = find(c.person("linyue002")); c.ids[key] == "" {
			c.t.Fatalf("the demo has no %s", key)
		}
	}
	return c.ids[key]
}

func (c company) member(account string) string {
	c.t.Helper()
	return c.id("member "+account, func(admin person) string { return admin.Member(account) })
}

func (c company) workspace(name string) string {
	c.t.Helper()
	return c.id("workspace "+name, func(admin person) string { return admin.Workspace(name) })
}

func (c company) group(name string) string {
	c.t.Helper()
	return c.id("group "+name, func(admin person) string {
		return admin.Do(`query($q:String){groups(filter:{query:$q}){nodes{id}}}`, vars{"q": name}).Text("groups.nodes.0.id")
	})
}

// contacts are the named contacts of the demo: a platform's id is hidden from many, a name is not.
var contacts = map[string]string{"wm_haikang": "周采购", "wm_lanhai": "蓝经理", "wm_spam": "某某推广", "wm_qinghe": "禾经理",
	"wm_hengda": "恒先生", "wm_xingyun": "云女士", "dt_maoyi": "茂宜商行"}

func (c company) contact(platformID string) string {
	c.t.Helper()
	return c.id("contact "+platformID, func(admin person) string {
		return admin.Do(`query($q:String){externalContacts(filter:{query:$q}){nodes{id}}}`, vars{"q": contacts[platformID]}).Text("externalContacts.nodes.0.id")
	})
}

// target is a member by account, or a contact by the platform's id.
func (c company) target(name string) string {
	c.t.Helper()
	if contacts[name] != "" {
		return c.contact(name)
	}
	return c.member(name)
}

// unknown is an id like another one that names nothing.
func unknown(id string) string { return id[:len(id)-10] + "2222222222" }

// person is somebody of the company at work.
type person struct {
	*testkit.Client
	c       company
	account string
}

func (c company) person(account string) person {
	c.t.Helper()
	return person{c.As(account), c, account}
}

// speaking is the person with another language.
func (p person) speaking(language string) person {
	other := *p.Client
	other.Language = language
	p.Client = &other
	return p
}

// What comes back, as far as stories look at it.
type (
	named        struct{ Name string }
	accountNamed struct{ AccountName string }

	rule struct {
		ID, Name, File string
		Line           int
		Text           *string
	}
	need struct {
		Role         string
		Count, Given int
		Candidates   []accountNamed
	}
	decision struct {
		ID, Action, Outcome, Reason string
		Rules                       []rule
		Needs                       []need
	}
	relationship struct {
		ID, Kind, State, Scope, Source, Enforcement, Reason string
		Version                                             int
		CreatedAt                                           time.Time
		EffectiveAt, ExpiresAt, EndedAt                     *time.Time
		Workspace                                           named
		Target                                              struct{ ID string }
		Delivery                                            delivery
		Undo                                                undoTerms
		NotRestored                                         []string
		Approvals                                           []approval
	}
	delivery struct {
		State, LastErrorCode string
		Attempts             int
	}
	undoTerms struct {
		Allowed, LeavesTrace bool
		Until                *time.Time
		ApproverRoles        []string
	}
	approval struct {
		ID, Action, State, Reason string
		ExpiresAt                 *time.Time
		Needs                     []need
		Decision, FinalDecision   *decision
		Verdicts                  []struct {
			By       accountNamed
			Approved bool
			Comment  string
		}
	}
	userError struct {
		Code, Message string
		Path          []string
		Workspace     *named
		Decision      *decision
	}
	result struct {
		Workspace    named
		Decision     decision
		Relationship *relationship
		Approval     *approval
		Enforcement  string
		EffectiveAt  *time.Time
		Effects      []struct {
			Channel, Enforcement string
			Allowed              bool
			From                 struct{ ID string }
		}
	}
	// outcome is what came of a command.
	outcome struct {
		Results      []result
		Relationship *relationship
		Approval     *approval
		Decision     *decision
		UserErrors   []userError
		answer       testkit.Answer
	}
)

const (
	decisionFields     = `id action outcome reason rules{id name file line} needs{role count given candidates{accountName}}`
	relationshipFields = `id kind state version scope enforcement reason createdAt effectiveAt expiresAt endedAt workspace{name} target{... on Member{id} ... on ExternalContact{id}}
		delivery{state attempts lastErrorCode} undo{allowed until approverRoles leavesTrace} notRestored`
	approvalFields = `id action state reason expiresAt needs{role count given candidates{accountName}} verdicts{by{accountName} approved comment}
		decision{` + decisionFields + `} finalDecision{` + decisionFields + `}`
	errorFields   = `userErrors{code message path workspace{name} decision{` + decisionFields + `}}`
	commandFields = `decision{` + decisionFields + `} approval{` + approvalFields + `} ` + errorFields
	blockDocument = `mutation($in:BlockInput!){block(input:$in){results{workspace{name} decision{` + decisionFields + `} relationship{` + relationshipFields + `}
		approval{id state} enforcement effectiveAt effects{channel allowed enforcement from{... on Member{id} ... on ExternalContact{id}}}} ` + commandFields + `}}`
	liftDocument = `mutation($id:ID!,$r:String!,$k:String){liftRelationship(relationshipId:$id,reason:$r,idempotencyKey:$k){
		relationship{` + relationshipFields + `} ` + commandFields + `}}`
	undoDocument = `mutation($id:ID!,$r:String!,$k:String){undoRelationship(relationshipId:$id,reason:$r,idempotencyKey:$k){
		relationship{` + relationshipFields + `} ` + commandFields + `}}`
	decideDocument = `mutation($id:ID!,$yes:Boolean!,$c:String){decideApproval(approvalId:$id,approve:$yes,comment:$c){` + commandFields + `}}`
	cancelDocument = `mutation($id:ID!,$r:String){cancelApproval(approvalId:$id,reason:$r){` + commandFields + `}}`
)

// read decodes the one root field of an answer.
func read[T any](t testing.TB, a testkit.Answer) (out T) {
	t.Helper()
	root, _ := a.Data.(map[string]any)
	if len(root) != 1 {
		t.Fatalf("an answer with one field: %s", a.Body)
	}
	for _, v := range root {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, a.Body)
		}
	}
	return out
}

func (p person) command(document string, v vars) outcome {
	p.c.t.Helper()
	a := p.Do(document, v)
	out := read[outcome](p.c.t, a)
	out.answer = a
	return out
}

// how says more about a block than whom: where, why, until when.
type how func(c company, in vars)

func on(workspaces ...string) how {
	return func(c company, in vars) {
		ids := []string{}
		for _, w := range workspaces {
			ids = append(ids, c.workspace(w))
		}
		in["workspaceIds"] = ids
	}
}

func with(field string, value any) how { return func(_ company, in vars) { in[field] = value } }
func because(reason string) how        { return with("reason", reason) }
func keyed(key string) how             { return with("idempotencyKey", key) }
func as(kind string) how               { return with("kind", kind) }
func until(at time.Time) how           { return with("expiresAt", at.Format(time.RFC3339Nano)) }

func (c company) wish(target string, hs []how) vars {
	in := vars{"targetId": target, "kind": "BLOCK", "reason": "太多消息"}
	for _, h := range hs {
		h(c, in)
	}
	return vars{"in": in}
}

// block blocks somebody by account, or a contact by the platform's id.
func (p person) block(target string, hs ...how) outcome {
	p.c.t.Helper()
	return p.blockID(p.c.target(target), hs...)
}

func (p person) blockID(id string, hs ...how) outcome {
	p.c.t.Helper()
	return p.command(blockDocument, p.c.wish(id, hs))
}

// blocks is block where it must come about at once, on one workspace.
func (p person) blocks(target string, hs ...how) relationship {
	p.c.t.Helper()
	o := p.block(target, hs...)
	if o.codes() != "" || len(o.Results) != 1 || o.Results[0].Relationship == nil || o.Results[0].Relationship.State != "ACTIVE" {
		p.c.t.Fatalf("%s blocks %s: %s", p.account, target, o.answer.Body)
	}
	return *o.Results[0].Relationship
}

// asks is block where it must wait for review.
func (p person) asks(target string, hs ...how) (relationship, approval) {
	p.c.t.Helper()
	o := p.block(target, hs...)
	if o.codes() != "" || len(o.Results) != 1 || o.Results[0].Relationship == nil || o.Approval == nil || o.Approval.State != "PENDING" {
		p.c.t.Fatalf("%s asks to block %s: %s", p.account, target, o.answer.Body)
	}
	return *o.Results[0].Relationship, *o.Approval
}

func (p person) lift(id, reason string, key ...string) outcome {
	p.c.t.Helper()
	v := vars{"id": id, "r": reason}
	if len(key) > 0 {
		v["k"] = key[0]
	}
	return p.command(liftDocument, v)
}

func (p person) undo(id, reason string, key ...string) outcome {
	p.c.t.Helper()
	v := vars{"id": id, "r": reason}
	if len(key) > 0 {
		v["k"] = key[0]
	}
	return p.command(undoDocument, v)
}

func (p person) agree(approval, comment string) outcome {
	p.c.t.Helper()
	return p.command(decideDocument, vars{"id": approval, "yes": true, "c": comment})
}

func (p person) refuse(approval, comment string) outcome {
	p.c.t.Helper()
	return p.command(decideDocument, vars{"id": approval, "yes": false, "c": comment})
}

func (p person) cancel(approval string) outcome {
	p.c.t.Helper()
	return p.command(cancelDocument, vars{"id": approval, "r": "不用了"})
}

func (p person) relationship(id string) *relationship {
	p.c.t.Helper()
	return read[*relationship](p.c.t, p.Do(`query($id:ID!){relationship(id:$id){`+relationshipFields+` approvals{`+approvalFields+`}}}`, vars{"id": id}))
}

// approval reads an approval; nil where the person may not.
func (p person) approval(id string) *approval {
	p.c.t.Helper()
	return read[*approval](p.c.t, p.Do(`query($id:ID!){node(id:$id){... on Approval{`+approvalFields+`}}}`, vars{"id": id}))
}

// check asks whether one may reach another on a channel of a workspace.
func (p person) check(from, to, channel string, workspace ...string) contactCheck {
	p.c.t.Helper()
	in := vars{"fromId": p.c.target(from), "toId": p.c.target(to), "channel": channel}
	if len(workspace) > 0 {
		in["workspaceId"] = p.c.workspace(workspace[0])
	}
	return read[contactCheck](p.c.t, p.Do(checkDocument, vars{"in": in}))
}

const checkDocument = `query($in:ContactCheckInput!){contactCheck(input:$in){allowed enforcement because{id state}}}`

type contactCheck struct {
	Allowed     bool
	Enforcement *string
	Because     []relationship
}

// event is a line of the trail as stories look at it.
type event struct {
	ID, Action, Outcome, Prevented, ActorName, SubjectName, Detail, DecisionID, RequestID, Hash string
	Sequence                                                                                    *int64
	Actor                                                                                       *accountNamed
	Subject                                                                                     *struct{ ID string }
}

const eventFields = `id action outcome prevented actorName subjectName detail decisionId requestId sequence hash actor{... on Member{accountName}} subject{id}`

// trail is the newest events that the person may read, of some actions, newest first.
func (p person) trail(actions ...string) []event {
	p.c.t.Helper()
	var of any
	if len(actions) > 0 {
		of = actions
	}
	return read[struct{ Nodes []event }](p.c.t, p.Do(`query($a:[String!]){auditEvents(first:100,filter:{actions:$a}){nodes{`+eventFields+`}}}`,
		vars{"a": of})).Nodes
}

// watch subscribes to changes of relationships.
func (p person) watch(after ...string) stream {
	p.c.t.Helper()
	// Nothing tells when a subscription stands, so that one from now on may miss what is done next.
	v := vars{"after": p.Do(`{changeCursor}`, nil).Text("changeCursor")}
	if len(after) > 0 {
		v["after"] = after[0]
	}
	return stream{p.Subscribe(watchDocument, v)}
}

const watchDocument = `subscription($m:ID,$after:String){relationshipChanged(memberId:$m,after:$after){
	cursor relationshipId previousState relationship{` + relationshipFields + `}}}`

type stream struct{ *testkit.Stream }

type change struct {
	Cursor, RelationshipID string
	PreviousState          *string
	Relationship           relationship
}

// String is a change in short: what it was before, and what it became.
func (c change) String() string {
	before := "null"
	if c.PreviousState != nil {
		before = *c.PreviousState
	}
	return before + "→" + c.Relationship.State
}

func (s stream) next(t testing.TB) change {
	t.Helper()
	a := s.Next(t)
	if len(a.Errors) > 0 {
		t.Fatalf("the stream answered %v", a.Errors)
	}
	return read[change](t, a)
}

func (s stream) take(t testing.TB, n int) (out []change) {
	t.Helper()
	for range n {
		out = append(out, s.next(t))
	}
	return out
}

// of takes the next changes of one relationship: what was made just before a stream began may come first.
func (s stream) of(t testing.TB, relationship string, n int) (out []change) {
	t.Helper()
	for len(out) < n {
		if ch := s.next(t); ch.RelationshipID == relationship {
			out = append(out, ch)
		}
	}
	return out
}

// codes are the codes of what went wrong, in their order.
func (o outcome) codes() string {
	var out []string
	for _, e := range o.UserErrors {
		out = append(out, e.Code)
	}
	return strings.Join(out, " ")
}

// rules are the names of the rules that decided, each once, sorted.
func (d decision) rules() string {
	var out []string
	for _, r := range d.Rules {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// needs are who must agree, and how far they have: manager_of_actor 0/1.
func needs(ns []need) string {
	var out []string
	for _, n := range ns {
		out = append(out, fmt.Sprintf("%s %d/%d", n.Role, n.Given, n.Count))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (n need) names() (out []string) {
	for _, c := range n.Candidates {
		out = append(out, c.AccountName)
	}
	return out
}

// expect compares what came with what should have.
func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// must is expect where the story cannot go on.
func must[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// who are the needs with the people who may meet them.
func who(ns []need) string {
	var out []string
	for _, n := range ns {
		names := n.names()
		slices.Sort(names)
		out = append(out, fmt.Sprint(n.Role, names))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
