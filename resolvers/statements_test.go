package resolvers_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/platform"
	history "github.com/guanxi-im/guanxi/internal/policy"
	"github.com/guanxi-im/guanxi/internal/testkit"
	"github.com/guanxi-im/guanxi/resolvers"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

var now = time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)

func clock() time.Time { return now }

var ids = im.NewIDs(clock)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var platforms, _ = platform.Connect(platform.NewCatalogue(adapters.All()), nil, nil, adapters.Env{}, nil)

// shipped is the rules that the product brings, built once.
var shipped = sync.OnceValues(func() (*authz.Engine, error) {
	src := authz.Sources{Duties: blocking.Duties(), Layers: authz.Shipped()}
	for _, p := range platforms.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: p.Name, Organisation: p.Organisation})
	}
	return authz.Build(src)
})

// api is the schema with everything behind it, without HTTP.
type api struct {
	exec  *executor.Executor
	store *db.Store
	who   *identity.Service
	boss  im.Viewer // sees everything
}

func newAPI(t testing.TB, dsn string) *api {
	t.Helper()
	s, err := db.Open(t.Context(), dsn, db.Options{Master: envelope.Demo(), Now: clock})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Start(t.Context()))

	policy, err := shipped()
	must(t, err)
	who := identity.New(s, policy, identity.Demo(clock))
	hub := live.New(s, slog.New(slog.DiscardHandler))
	block := blocking.New(s, blocking.Options{Policy: policy, Platforms: platforms, Viewer: who.Viewer, Now: clock, IDs: ids, Currency: "CNY", Wake: hub.Wake,
		Deliver: func(context.Context, []im.Intent) {}})
	r := &resolvers.Resolver{Hub: hub, Again: who.Again, Sources: view.Sources{Directory: directory.New(s), Blocking: block, Audit: s, Platforms: platforms, Waiting: s.Waiting, Services: s.Services, Keys: identity.NewKeys(s, identity.KeysOptions{}),
		Rules: func(_ context.Context, id im.ID) (authz.Rule, bool, error) {
			r, ok := policy.Rule(id)
			return r, ok, nil
		},
		Explain: history.NewHistory(policy, s, blocking.Duties()).Explain,
		Reason:  func(d im.Decision, l fault.Language) string { return policy.Reason(d.Outcome, d.Rules, l) }}}
	x := executor.New(generated.NewExecutableSchema(generated.Config{Resolvers: r}))
	x.SetErrorPresenter(resolvers.Presenter(slog.New(slog.DiscardHandler)))
	return &api{exec: x, store: s, who: who}
}

// fresh is an api on a database without a schema.
func fresh(t testing.TB, dsn string) *api {
	t.Helper()
	s, err := db.Open(t.Context(), dsn, db.Options{Master: envelope.Demo(), Now: clock})
	must(t, err)
	_, err = s.Migrate(t.Context())
	must(t, err)
	must(t, s.Close())
	return newAPI(t, dsn)
}

// ask answers a query as one person and says with how many statements.
func (a *api) ask(t testing.TB, v im.Viewer, query string, variables map[string]any) (string, int) {
	t.Helper()
	ctx, count := db.CountStatements(resolvers.With(t.Context(), resolvers.Request{Viewer: &v, RequestID: "test"}))
	ctx = graphql.StartOperationTrace(ctx)
	op, errs := a.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: query, Variables: variables})
	if errs != nil {
		t.Fatalf("%s: %v", query, errs)
	}
	answers, ctx := a.exec.DispatchOperation(ctx, op)
	answer := answers(ctx)
	if answer.Errors != nil {
		t.Errorf("%s: %v", query, gqlerror.List(answer.Errors))
	}
	return string(answer.Data), count()
}

// What a person, a contact and a decision show in the queries below, several levels deep.
const fragments = `
fragment P on Member { name phone department { name parent { name } manager { name } } departments { name } roles manager { name manager { name } }
	viewerMay accounts { platformId workspace { name platform { capabilities { action } } } } }
fragment C on ExternalContact { name viewerMay platformId phone workspace { name } owner { name department { name } } opportunities { title owner { name } } }
fragment B on BlockTarget { ...P ...C }
fragment D on Decision { action outcome reason actor { name } target { id } workspace { name } rules { name text }
	needs { role count given candidates { name } } layers { rules { name text } } facts { value } nearMisses { rule { text } } replayed }
fragment A on Approval { summary reason requestedBy { name } needs { role given candidates { name department { name } } } decision { ...D }
	finalDecision { ...D } verdicts { comment by { name } } }
fragment R on Relationship { state reason workspace { name } initiator { ...P } target { ...B } delivery { state } effects { from { ...B } to { ...B } }
	decision { ...D } approvals { ...A subject { id } } }
fragment E on AuditEvent { actor { ... on Member { ...P } } actorName subjectName detail workspace { name } subject { id ... on Relationship { ...R } ... on Approval { ...A } }
	decision { ...D } }
`

// The lists of the schema, each with all that hangs on its rows.
var lists = map[string]string{
	"members":          "...P",
	"departments":      "name parent { name manager { name } } manager { name department { name } }",
	"externalContacts": "...C",
	"groups":           "name workspace { name } owner { ...P } admins { ...P }",
	"relationships":    "...R",
	"approvals":        "...A subject { id ... on Relationship { ...R } }",
	"auditEvents":      "...E",
	"alerts":           "title subject { ... on Relationship { ...R } }",
}

// query spells a list out with the fragments that it uses.
func query(root, selection string) string {
	q := fmt.Sprintf("query($n: Int) { %s(first: $n) { totalCount nodes { %s } edges { cursor } } }", root, selection)
	return withFragments(q)
}

func withFragments(q string) string {
	for again := true; again; {
		again = false
		for f := range strings.SplitSeq(fragments, "fragment ") {
			name, _, ok := strings.Cut(f, " on ")
			if ok && strings.Contains(q, "..."+name) && !strings.Contains(q, "fragment "+name+" on ") {
				q, again = q+" fragment "+strings.TrimSpace(f), true
			}
		}
	}
	return q
}

// paths lead from a list over one relation after the other; nothing else is asked for.
var paths = map[string]string{
	"members":          "reports { totalCount nodes { name } }|contacts(first: 2, filter: {verified: true}) { totalCount nodes { name } }|groups { nodes { name } }|groupMemberships(includeLeft: true) { totalCount nodes { id } }|relationships(direction: BOTH) { totalCount }|accessLog { totalCount nodes { id } }|identities { provider }|accounts { devices { label } }|accounts { bindings { from } }|accounts { statusHistory { totalCount } }|name|phone|department { name parent { name } }|departments { manager { name } }|manager { manager { name } }|accounts { workspace { name } }",
	"departments":      "children { name }|members(includeDescendants: true) { totalCount nodes { name } }|parent { manager { name } }",
	"externalContacts": "followers { member { name } }|relationships { totalCount }|platformId phone|workspace { name }|owner { department { name } }|opportunities { owner { name } }",
	"groups":           "members(includeLeft: true) { totalCount nodes { party { ... on Member { name } } } }|owner { name }|admins { name }|workspace { name }",
	"relationships": "reason|state|initiator { name }|target { ... on Member { name } ... on ExternalContact { name } }|delivery { state }|notices { to purpose delivery { state } }|workspace { name }|" +
		"effects { from { ... on Member { name } ... on ExternalContact { name } } }|decision { outcome needs { candidates { name } } }|approvals { reason }|history(first: 2) { totalCount nodes { subjectName } }",
	"approvals": "summary|reason|requestedBy { name }|needs { given candidates { name } }|decision { actor { name } }|finalDecision { target { id } }|" +
		"verdicts { comment by { name } }|subject { ... on Relationship { target { ... on Member { name } } } }",
	"auditEvents": "detail|actorName subjectName|actor { ... on Member { name } }|decision { rules { name text } }|workspace { name }|subject { id }",
	"alerts":      "title|subject { ... on Relationship { reason } }",
}

// Whoever reads fifty rows costs the store as many statements as who reads three, whatever hangs on them and however
// cold its cache of keys is.
func TestStatementsDoNotGrowWithRows(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		filled(t, dsn)
		for _, root := range slices.Sorted(maps.Keys(lists)) {
			for path := range strings.SplitSeq(paths[root], "|") {
				same(t, fmt.Sprintf("%s { %s }", root, path), 3, 50, func(n int) int {
					return cold(t, dsn, query(root, path), map[string]any{"n": n}, root)
				})
			}
			// Twelve rows in a row have between them every kind of thing that any of the sixty has.
			same(t, root, 12, 50, func(n int) int { return cold(t, dsn, query(root, lists[root]), map[string]any{"n": n}, root) })
		}
	})
}

// same fails where a query that meets few rows and one that meets many never cost the same. Branches of a query that
// reach a cold ring of keys at the same moment read it once each, and who comes later finds it filled: a busy machine
// moves a count by one or two now and then, but what grows with the rows differs in every try.
func same(t testing.TB, what string, few, many int, cost func(rows int) int) {
	t.Helper()
	var a, b int
	for range 5 {
		if a, b = cost(few), cost(many); a == b {
			return
		}
	}
	t.Errorf("%s: %d statements for %d rows, %d for %d", what, a, few, b, many)
}

// cold asks on a store that has just been opened; everything asked for must be there.
func cold(t testing.TB, dsn, query string, variables map[string]any, root string) int {
	t.Helper()
	a := newAPI(t, dsn)
	defer func() { _ = a.store.Close() }()
	var err error
	a.boss, err = a.who.Viewer(t.Context(), auditor)
	must(t, err)
	body, n := a.ask(t, a.boss, query, variables)
	if strings.Contains(body, `"edges":[]`) || !strings.Contains(body, root) {
		t.Errorf("%s: answered %.300s", root, body)
	}
	return n
}

var auditor im.ID // of the company that was filled in last

// made is what stands in the store, for nodes.
type made struct {
	company                                      directory.Snapshot
	relationships, approvals, events, alerts, ds []im.ID
}

// filled is what is made in a fresh database.
func filled(t testing.TB, dsn string) made {
	t.Helper()
	a := fresh(t, dsn)
	defer func() { _ = a.store.Close() }()
	return fill(t, a)
}

// fill puts sixty of each thing into the store, in such a way that every row has everything that a row may have.
func fill(t testing.TB, a *api) made {
	t.Helper()
	return fillWith(t, a, 60, demo.Company(ids, now))
}

// fillWith is fill with n things of each kind that happened at a company.
func fillWith(t testing.TB, a *api, n int, co directory.Snapshot) made {
	t.Helper()
	for i, d := range co.Departments {
		if d.ParentID.IsZero() { // have every row one, so that few show what many do
			co.Departments[i].ParentID = d.ID
		}
	}
	co.Members[0].ManagerID = co.Members[1].ID
	for i := range co.Contacts {
		co.Opportunities = append(co.Opportunities, im.Opportunity{ID: ids.New(), ContactID: co.Contacts[i].ID, Title: "x", Currency: "CNY", Stage: "x",
			OwnerID: co.Members[i%60].ID})
	}
	for i := range co.Memberships {
		co.Memberships[i].Admin = true
	}
	must(t, a.store.SeedDemo(t.Context(), co))
	auditor = co.Members[11].ID
	m := made{company: co}
	var u ledger.Unit
	for i := range n { // the oldest, which short pages of the trail do not come to
		who := co.Members[i%len(co.Members)]
		u.Events = append(u.Events, im.AuditEvent{ID: ids.New(), At: now, Actor: who.Ref(), ActorName: who.Name, Action: "read.account",
			Subject: im.Ref{Kind: im.KindAccount, ID: co.Accounts[i].ID}, About: who.ID, Detail: "d"})
	}
	for i := range n {
		who, by, whom := co.Members[i%20], co.Members[20+i%20], co.Members[40+i%20]
		target := whom.Ref()
		if i%2 == 0 {
			target = co.Contacts[i].Ref()
		}
		d := im.Decision{ID: ids.New(), At: now, Action: "block", ActorID: who.ID, Target: target, WorkspaceID: co.Workspaces[0].ID,
			Outcome: im.Review, Needs: []im.Need{{Role: "admin", Count: 1}}, Rules: []im.RuleRef{{ID: ids.New(), Name: "C-06"}}, PolicyVersion: "v"}
		final := d
		final.ID = ids.New()
		r := im.Relationship{ID: ids.New(), WorkspaceID: co.Workspaces[i%4].ID, Kind: im.Block, State: im.Lifted, Version: 1, Scope: im.InitiatorView,
			Source: im.FromAPI, InitiatorID: who.ID, Target: target, Reason: "r", CreatedAt: now, Enforcement: im.EnforcedNative, DecisionID: d.ID}
		ref := im.Ref{Kind: im.KindRelationship, ID: r.ID}
		ap := im.Approval{ID: ids.New(), Action: "block", Subject: ref, WorkspaceID: r.WorkspaceID, RequestedBy: who.ID, Reason: "r", About: target.ID,
			RequestHash: []byte{1}, Needs: d.Needs, DecisionID: d.ID, FinalDecisionID: final.ID, State: im.ApprovalApproved, Version: 1, CreatedAt: now}
		e := im.AuditEvent{ID: ids.New(), At: now, Actor: who.Ref(), ActorName: who.Name, Action: "block", Outcome: im.Review, Subject: ref,
			SubjectName: "s", About: target.ID, WorkspaceID: r.WorkspaceID, DecisionID: d.ID, Detail: "d"}
		if target.Kind == im.KindContact { // of which each has one
			r.State = im.Active
		}
		// Every three rows in a row show a relationship and an approval.
		if i%3 == 1 {
			e.Subject = im.Ref{Kind: im.KindApproval, ID: ap.ID}
		}
		l := im.Alert{ID: ids.New(), Kind: im.KeyContactBlocked, Severity: im.RiskHigh, At: now, Subject: ref, PersonID: who.ID}
		u.Decisions = append(u.Decisions, d, final)
		u.Relationships = append(u.Relationships, r)
		u.Approvals = append(u.Approvals, ap)
		u.Candidates = append(u.Candidates, im.Candidate{ApprovalID: ap.ID, MemberID: by.ID, Role: "admin"})
		u.Verdicts = append(u.Verdicts, im.Verdict{ID: ids.New(), ApprovalID: ap.ID, ByID: by.ID, Approved: true, Comment: "c", About: target.ID, At: now})
		u.Events = append(u.Events, e)
		u.Alerts = append(u.Alerts, l)
		u.Notices = append(u.Notices, im.Notice{ID: ids.New(), At: now, Purpose: "BLOCK_OVERUSE", Subject: ref, MemberID: by.ID})
		u.Intents = append(u.Intents, im.Intent{ID: ids.New(), Key: r.ID.String(), Kind: "block", WorkspaceID: r.WorkspaceID, Subject: ref,
			State: im.DeliveryNotNeeded, CreatedAt: now})
		m.relationships, m.approvals, m.ds = append(m.relationships, r.ID), append(m.approvals, ap.ID), append(m.ds, d.ID)
		m.events, m.alerts = append(m.events, e.ID), append(m.alerts, l.ID)
	}
	must(t, a.store.Post(t.Context(), u))
	return m
}

// mixed are n ids of every kind in turn.
func (m made) mixed(n int) (out []string) {
	for i := 0; len(out) < n; i++ {
		for _, ref := range []im.Ref{{Kind: im.KindMember, ID: m.company.Members[i].ID}, {Kind: im.KindContact, ID: m.company.Contacts[i].ID},
			{Kind: im.KindDepartment, ID: m.company.Departments[i].ID}, {Kind: im.KindGroup, ID: m.company.Groups[i].ID},
			{Kind: im.KindWorkspace, ID: m.company.Workspaces[i%4].ID}, {Kind: im.KindRelationship, ID: m.relationships[i]},
			{Kind: im.KindApproval, ID: m.approvals[i]}, {Kind: im.KindDecision, ID: m.ds[i]}, {Kind: im.KindAccount, ID: m.company.Accounts[i].ID},
			{Kind: im.KindOpportunity, ID: m.company.Opportunities[i].ID}, {Kind: im.KindAudit, ID: m.events[i]}, {Kind: im.KindAlert, ID: m.alerts[i]}} {
			out = append(out, nodeid.Of(ref))
		}
	}
	return out[:n]
}

func TestStatementsOfNodes(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		m := filled(t, dsn)
		q := withFragments(`query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Member { ...P } ... on ExternalContact { name owner { ...P } phone }
			... on Group { owner { name } } ... on Relationship { reason initiator { ...P } target { ...B } } ... on Approval { ...A } ... on Decision { ...D }
			... on AuditEvent { actorName actor { ...B } } ... on Account { member { name } } ... on Opportunity { owner { name } } ... on Alert { subject { id } } } }`)
		same(t, "nodes", 36, 96, func(n int) int { return cold(t, dsn, q, map[string]any{"ids": m.mixed(n)}, "nodes") })
	})
}

// Everything that has an id is found by it.
func TestNodeOfEveryKind(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		a := fresh(t, dsn)
		m := fill(t, a)
		v, err := a.who.Viewer(t.Context(), auditor)
		must(t, err)
		for _, id := range m.mixed(12) {
			t.Run(id[:3], func(t *testing.T) {
				body, _ := a.ask(t, v, `query($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": id})
				if want := fmt.Sprintf(`{"node":{"id":%q}}`, id); body != want {
					t.Errorf("answered %s; want %s", body, want)
				}
			})
		}
	})
}
