// Package view is the rows of the use-cases as clients see them. Relations are methods that load for all siblings of a
// list at once, see [Batch]; what a field needs beyond its row is announced when the row is presented.
package view

import (
	"context"
	"sync"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/messaging"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/policy"
)

// Sources is what views are read from.
type Sources struct {
	Directory *directory.Service
	Blocking  *blocking.Service
	Messaging *messaging.Service
	Audit     audit.Store
	Platforms *platform.Connections
	Accounts  *accounts.Service
	Keys      *identity.Keys
	Imports   *intake.Service
	// Services names services.
	Services func(ctx context.Context, ids []im.ID) (map[im.ID]im.Service, error)
	// Waiting counts what is still to be delivered, by workspace.
	Waiting func(ctx context.Context) (map[im.ID]int, error)
	// Policy is what is in force.
	Policy func() policy.Status
	// Rules reads policy lines by id, also those of versions that are no longer in force.
	Rules func(ctx context.Context, id im.ID) (authz.Rule, bool, error)
	// Explain makes a decision again; false where that cannot be done any more.
	Explain func(ctx context.Context, d im.Decision) (authz.Explanation, bool, error)
	// Reason is the sentence for a decision.
	Reason func(d im.Decision, l fault.Language) string
}

// Batch presents the rows that one field of a query leads to, and loads what hangs on them: for all of them at once. It
// lives as long as its root field, so that no command answers with what stood before it.
//
// Each way from row to row has a batch of its own, see [next]: all rows at the end of one way come by one load, so that
// the number of loads is that of the ways, whatever the rows and in whatever order fields are worked out.
type Batch struct {
	*request

	members       lazy[im.ID, *Member]
	departments   lazy[im.ID, *Department]
	contacts      lazy[im.ID, *ExternalContact]
	groups        lazy[im.ID, *Group]
	relationships lazy[im.ID, *Relationship]
	approvals     lazy[im.ID, *Approval]
	subjects      lazy[im.ID, *Relationship] // of approvals: whoever sees one may see what it is about
	decisions     lazy[im.ID, *Decision]
	accounts      lazy[im.ID, *Account]
	opportunities lazy[im.ID, *Opportunity]
	identities    lazy[im.ID, *IdentityLink]
	devices       lazy[im.ID, *Device]
	memberships   lazy[im.ID, *GroupMembership]
	events        lazy[im.ID, *AuditEvent]
	alerts        lazy[im.ID, *Alert]
	keys          lazy[im.ID, *APIKey]
	imports       lazy[im.ID, *DirectoryImport]
	importRows    lazy[im.ID, *ImportRow]
	messages      lazy[im.ID, *Message]

	departmentsOf   lazy[im.ID, []*Department]
	accountsOf      lazy[im.ID, []*Account]
	opportunitiesOf lazy[im.ID, []*Opportunity]
	childrenOf      lazy[im.ID, []*Department]
	identitiesOf    lazy[im.ID, []*IdentityLink]
	devicesOf       lazy[im.ID, []*Device]
	bindingsOf      lazy[im.ID, []*AccountBinding]
	followsOf       lazy[im.ID, []*ContactFollow]
	statusReasons   lazy[im.ID, im.Text]
	adminsOf        lazy[im.ID, []im.ID]
	announcements   lazy[im.ID, im.Text] // by message
	followed        lazy[im.ID, bool]
	deliveries      lazy[im.ID, im.Delivery]
	shortfalls      lazy[im.ID, []im.Shortfall]
	notices         lazy[im.ID, []im.Notice]
	approvalsOf     lazy[im.ID, []*Approval]
	verdicts        lazy[im.ID, []im.Verdict]
	candidates      lazy[im.ID, []im.Candidate]
	services        lazy[im.ID, im.Service]
	asked           lazy[im.ID, im.ID]     // decision → the approval that it asked for
	may             lazy[im.Ref, []string] // what the viewer could ask for about somebody
	pages           any                    // of a way that is a connection: the lazy of its pages, see [pagesOf]

	once  sync.Once // for prepare: most ways load nothing, or one kind of thing
	mu    sync.Mutex
	shown shown
	ways  map[string]*Batch // by the field that leads there

	connections map[any]*Batch // ways that are connections, by the field that is being worked out
}

// request is what all batches of one root field share.
type request struct {
	src    *Sources
	viewer im.Viewer
	lang   fault.Language

	workspaces lazy[bool, map[im.ID]*Workspace]       // all of them by one key
	waiting    lazy[bool, map[im.ID]int]              // of all workspaces by one key
	quotas     lazy[bool, map[im.ID][]platform.Quota] // likewise
}

// shown is the rows that a batch has presented.
type shown struct {
	members       []*Member
	departments   []*Department
	accounts      []*Account
	contacts      []*ExternalContact
	opportunities []*Opportunity
	bindings      []*AccountBinding
	follows       []*ContactFollow
	groups        []*Group
	memberships   []*GroupMembership
	relationships []*Relationship
	approvals     []*Approval
	decisions     []*Decision
	events        []*AuditEvent
	alerts        []*Alert
	keys          []*APIKey
	imports       []*DirectoryImport
	importRows    []*ImportRow
	messages      []*Message
}

// show presents a row and keeps it among those shown.
func show[R any](b *Batch, shown *[]R, row R) R {
	b.mu.Lock()
	*shown = append(*shown, row)
	b.mu.Unlock()
	return row
}

// next is the batch at the end of one way from the rows shown in b. Whoever goes it first has announced there what all of
// them may ask for.
func next[R any](b *Batch, field string, shown *[]R, announce func(next *Batch, row R)) *Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.ways[field]; n != nil {
		return n
	}
	n := newBatch(b.request)
	for _, row := range *shown {
		announce(n, row)
	}
	if b.ways == nil {
		b.ways = make(map[string]*Batch)
	}
	b.ways[field] = n
	return n
}

// to follows a link of a row: to what stands under the link's id in one of the loads of the next batch.
func to[R, V any](ctx context.Context, b *Batch, field string, shown *[]R, load func(*Batch) *lazy[im.ID, V], row R, link func(R) im.ID) (V, error) {
	n := next(b, field, shown, func(n *Batch, row R) { load(n).announce(link(row)) })
	return load(n).get(ctx, link(row))
}

// The loads that links lead to.
func members(b *Batch) *lazy[im.ID, *Member]                { return &b.members }
func departments(b *Batch) *lazy[im.ID, *Department]        { return &b.departments }
func services(b *Batch) *lazy[im.ID, im.Service]            { return &b.services }
func decisions(b *Batch) *lazy[im.ID, *Decision]            { return &b.decisions }
func groups(b *Batch) *lazy[im.ID, *Group]                  { return &b.groups }
func subjects(b *Batch) *lazy[im.ID, *Relationship]         { return &b.subjects }
func accountsByID(b *Batch) *lazy[im.ID, *Account]          { return &b.accounts }
func importsByID(b *Batch) *lazy[im.ID, *DirectoryImport]   { return &b.imports }
func identitiesByID(b *Batch) *lazy[im.ID, *IdentityLink]   { return &b.identities }
func departmentsOf(b *Batch) *lazy[im.ID, []*Department]    { return &b.departmentsOf }
func accountsOf(b *Batch) *lazy[im.ID, []*Account]          { return &b.accountsOf }
func opportunitiesOf(b *Batch) *lazy[im.ID, []*Opportunity] { return &b.opportunitiesOf }
func childrenOf(b *Batch) *lazy[im.ID, []*Department]       { return &b.childrenOf }
func identitiesOf(b *Batch) *lazy[im.ID, []*IdentityLink]   { return &b.identitiesOf }
func devicesOf(b *Batch) *lazy[im.ID, []*Device]            { return &b.devicesOf }
func bindingsOf(b *Batch) *lazy[im.ID, []*AccountBinding]   { return &b.bindingsOf }
func followsOf(b *Batch) *lazy[im.ID, []*ContactFollow]     { return &b.followsOf }
func statusReasons(b *Batch) *lazy[im.ID, im.Text]          { return &b.statusReasons }
func approvalsOf(b *Batch) *lazy[im.ID, []*Approval]        { return &b.approvalsOf }

// NewBatch makes a batch for one root field.
func NewBatch(src *Sources, v im.Viewer, l fault.Language) *Batch {
	r := &request{src: src, viewer: v, lang: l}
	b := newBatch(r)
	r.name()
	r.workspaces.fetch = func(ctx context.Context, _ []bool) (map[bool]map[im.ID]*Workspace, error) {
		ws, err := src.Directory.Workspaces(ctx)
		all := make(map[im.ID]*Workspace, len(ws))
		for _, w := range ws {
			all[w.ID] = b.Workspace(w)
		}
		return map[bool]map[im.ID]*Workspace{true: all}, err
	}
	r.waiting.fetch = func(ctx context.Context, _ []bool) (map[bool]map[im.ID]int, error) {
		all, err := src.Waiting(ctx)
		return map[bool]map[im.ID]int{true: all}, err
	}
	r.quotas.fetch = func(ctx context.Context, _ []bool) (map[bool]map[im.ID][]platform.Quota, error) {
		all, err := src.Platforms.Quotas(ctx)
		return map[bool]map[im.ID][]platform.Quota{true: all}, err
	}
	return b
}

func newBatch(r *request) *Batch {
	b := &Batch{request: r}
	b.name()
	return b
}

// prepare says how each thing is loaded.
func (b *Batch) prepare() {
	r := b.request
	v, d, k := r.viewer, r.src.Directory, r.src.Blocking
	b.members.fetch = rows(seenBy(v, d.Members), b.Member)
	b.departments.fetch = rows(d.Departments, b.Department)
	b.contacts.fetch = rows(seenBy(v, d.Contacts), b.Contact)
	b.groups.fetch = rows(seenBy(v, d.Groups), b.Group)
	b.relationships.fetch = rows(seenBy(v, k.Relationships), b.Relationship)
	everything := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindRelationship: {im.ScopeAll}}}
	b.subjects.fetch = rows(seenBy(everything, k.Relationships), b.Relationship)
	b.approvals.fetch = rows(seenBy(v, k.Approvals), b.Approval)
	b.accounts.fetch = rows(seenBy(v, d.Accounts), b.Account)
	b.opportunities.fetch = rows(seenBy(v, d.Opportunities), b.Opportunity)
	b.events.fetch = rows(seenBy(v, r.src.Audit.Events), b.AuditEvent)
	b.keys.fetch = rows(seenBy(v, r.src.Keys.APIKeys), b.APIKey)
	b.alerts.fetch = rows(seenBy(v, k.Alerts), b.Alert)
	b.imports.fetch = rows(seenBy(v, r.src.Imports.See), b.DirectoryImport)
	b.importRows.fetch = rows(seenBy(v, r.src.Imports.SeeRows), b.ImportRow)
	b.decisions.fetch = rows(k.Decisions, b.Decision)
	b.departmentsOf.fetch = lists(d.DepartmentsOf, b.Department)
	b.accountsOf.fetch = lists(seenBy(v, d.AccountsOf), b.Account)
	b.opportunitiesOf.fetch = lists(d.OpportunitiesOf, b.Opportunity)
	b.childrenOf.fetch = lists(d.ChildrenOf, b.Department)
	b.identities.fetch = rows(seenBy(v, d.Identities), b.IdentityLink)
	b.identitiesOf.fetch = lists(d.IdentitiesOf, b.IdentityLink)
	b.devices.fetch = rows(seenBy(v, d.Devices), b.Device)
	b.devicesOf.fetch = lists(d.DevicesOf, b.Device)
	b.bindingsOf.fetch = lists(d.BindingsOf, b.accountBinding)
	b.followsOf.fetch = lists(d.FollowsOf, b.contactFollow)
	b.statusReasons.fetch = d.StatusReasons
	b.memberships.fetch = rows(seenBy(v, d.Memberships), b.GroupMembership)
	b.adminsOf.fetch = d.AdminsOf
	b.announcements.fetch = r.src.Messaging.Announcements
	b.messages.fetch = rows(func(ctx context.Context, ids []im.ID) (map[im.ID]im.Message, error) {
		return r.src.Messaging.Messages(ctx, blocking.Call{Viewer: v}, ids)
	}, b.Message)
	b.followed.fetch = func(ctx context.Context, ids []im.ID) (map[im.ID]bool, error) {
		return d.FollowedBy(ctx, v.ID(), ids)
	}
	b.may.fetch = func(ctx context.Context, refs []im.Ref) (map[im.Ref][]string, error) {
		found, err := k.May(ctx, v, refs)
		out := make(map[im.Ref][]string, len(found))
		for _, r := range refs {
			out[r] = found[r.ID]
		}
		return out, err
	}
	b.deliveries.fetch = k.Deliveries
	b.shortfalls.fetch = k.Shortfalls
	b.notices.fetch = seenBy(v, k.Notices)
	b.approvalsOf.fetch = lists(k.ApprovalsOf, b.Approval)
	b.verdicts.fetch = k.Verdicts
	b.candidates.fetch = k.Candidates
	b.services.fetch = r.src.Services
	b.deliveries.also = keysOf(b, &b.shown.relationships)
	b.shortfalls.also = keysOf(b, &b.shown.relationships)
	b.notices.also = keysOf(b, &b.shown.relationships)
	b.followed.also = keysOf(b, &b.shown.contacts)
	b.adminsOf.also = keysOf(b, &b.shown.groups)
	b.asked.fetch = func(ctx context.Context, ids []im.ID) (map[im.ID]im.ID, error) {
		found, err := k.AskedBy(ctx, ids)
		for _, a := range found {
			b.verdicts.announce(a)
			b.candidates.announce(a)
		}
		return found, err
	}
}

// keysOf lists the ids of rows that are shown.
func keysOf[R interface{ key() im.ID }](b *Batch, shown *[]R) func() []im.ID {
	return func() []im.ID {
		b.mu.Lock()
		defer b.mu.Unlock()
		return All(*shown, R.key)
	}
}

// seenBy fixes the viewer of a load.
func seenBy[T any](v im.Viewer, load func(context.Context, im.Viewer, []im.ID) (T, error)) func(context.Context, []im.ID) (T, error) {
	return func(ctx context.Context, ids []im.ID) (T, error) { return load(ctx, v, ids) }
}

// rows presents what a load by id finds.
func rows[T, V any](load func(context.Context, []im.ID) (map[im.ID]T, error), present func(T) V) func(context.Context, []im.ID) (map[im.ID]V, error) {
	return func(ctx context.Context, ids []im.ID) (map[im.ID]V, error) {
		found, err := load(ctx, ids)
		out := make(map[im.ID]V, len(found))
		for id, t := range found {
			out[id] = present(t)
		}
		return out, err
	}
}

// lists presents what a load of rows by parent finds.
func lists[T, V any](load func(context.Context, []im.ID) (map[im.ID][]T, error), present func(T) V) func(context.Context, []im.ID) (map[im.ID][]V, error) {
	return func(ctx context.Context, ids []im.ID) (map[im.ID][]V, error) {
		found, err := load(ctx, ids)
		out := make(map[im.ID][]V, len(found))
		for id, ts := range found {
			out[id] = All(ts, present)
		}
		return out, err
	}
}

// All presents rows one by one.
func All[T, V any](ts []T, present func(T) V) []V {
	out := make([]V, len(ts))
	for i, t := range ts {
		out[i] = present(t)
	}
	return out
}

func (b *Batch) workspace(ctx context.Context, id im.ID) (*Workspace, error) {
	all, err := b.workspaces.get(ctx, true)
	return all[id], err
}

// Node presents what a reference points at, as far as the caller may see it; nil where there is nothing to see.
func (b *Batch) Node(ctx context.Context, r im.Ref) (Node, error) {
	switch r.Kind {
	case im.KindMember:
		return node(b.members.get(ctx, r.ID))
	case im.KindContact:
		return node(b.contacts.get(ctx, r.ID))
	case im.KindDepartment:
		return node(b.departments.get(ctx, r.ID))
	case im.KindGroup:
		return node(b.groups.get(ctx, r.ID))
	case im.KindRelationship:
		return node(b.relationships.get(ctx, r.ID))
	case im.KindApproval:
		return node(b.approvals.get(ctx, r.ID))
	case im.KindWorkspace:
		return node(b.workspace(ctx, r.ID))
	case im.KindAccount:
		return node(b.accounts.get(ctx, r.ID))
	case im.KindOpportunity:
		return node(b.opportunities.get(ctx, r.ID))
	case im.KindIdentity:
		return node(b.identities.get(ctx, r.ID))
	case im.KindDevice:
		return node(b.devices.get(ctx, r.ID))
	case im.KindMembership:
		return node(b.memberships.get(ctx, r.ID))
	case im.KindAudit:
		return node(b.events.get(ctx, r.ID))
	case im.KindAlert:
		return node(b.alerts.get(ctx, r.ID))
	case im.KindAPIKey:
		return node(b.keys.get(ctx, r.ID))
	case im.KindMessage:
		return node(b.messages.get(ctx, r.ID))
	case im.KindDecision:
		d, err := b.decisions.get(ctx, r.ID)
		if err != nil || d == nil || !b.maySeeDecision(d.row) {
			return nil, err
		}
		return d, nil
	case im.KindImport:
		return importNode(b.imports.get(ctx, r.ID))
	case im.KindImportRow:
		return node(b.importRows.get(ctx, r.ID))
	case im.KindRule:
		return node(b.ruleNode(ctx, r.ID))
	}
	return nil, nil
}

// Nodes presents several, in the order of the question, loading those of a kind together.
func (b *Batch) Nodes(ctx context.Context, refs []im.Ref) ([]Node, error) {
	for _, r := range refs {
		b.announceNode(r)
	}
	out := make([]Node, len(refs))
	for i, r := range refs {
		n, err := b.Node(ctx, r)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

// announceNode says that a reference may be followed.
func (b *Batch) announceNode(r im.Ref) {
	switch r.Kind {
	case im.KindMember:
		b.members.announce(r.ID)
	case im.KindContact:
		b.contacts.announce(r.ID)
	case im.KindDepartment:
		b.departments.announce(r.ID)
	case im.KindGroup:
		b.groups.announce(r.ID)
	case im.KindRelationship:
		b.relationships.announce(r.ID)
	case im.KindApproval:
		b.approvals.announce(r.ID)
	case im.KindDecision:
		b.decisions.announce(r.ID)
	case im.KindAccount:
		b.accounts.announce(r.ID)
	case im.KindOpportunity:
		b.opportunities.announce(r.ID)
	case im.KindIdentity:
		b.identities.announce(r.ID)
	case im.KindDevice:
		b.devices.announce(r.ID)
	case im.KindMembership:
		b.memberships.announce(r.ID)
	case im.KindAudit:
		b.events.announce(r.ID)
	case im.KindAlert:
		b.alerts.announce(r.ID)
	case im.KindAPIKey:
		b.keys.announce(r.ID)
	case im.KindImport:
		b.imports.announce(r.ID)
	case im.KindImportRow:
		b.importRows.announce(r.ID)
	case im.KindMessage:
		b.messages.announce(r.ID)
	}
}

// node keeps a nil pointer from becoming an interface that is not nil.
func node[T any, P interface {
	*T
	Node
}](p P, err error) (Node, error) {
	if p == nil {
		return nil, err
	}
	return p, err
}

// importNode presents an import as what it is of.
func importNode(i *DirectoryImport, err error) (Node, error) {
	if i != nil && i.row.Kind == im.BlacklistImport {
		return &BlacklistImport{i}, err
	}
	return node(i, err)
}

// Node is whatever has an id.
type Node interface{ IsNode() }

// Party is a member or a contact.
type Party interface{ IsParty() }

// BlockTarget is whom a relationship is aimed at.
type BlockTarget interface{ IsBlockTarget() }

func (b *Batch) party(ctx context.Context, r im.Ref) (Party, error) {
	switch r.Kind {
	case im.KindMember:
		if m, err := b.members.get(ctx, r.ID); m != nil || err != nil {
			return m, err
		}
	case im.KindContact:
		if c, err := b.contacts.get(ctx, r.ID); c != nil || err != nil {
			return c, err
		}
	}
	return nil, nil
}

func (b *Batch) target(ctx context.Context, r im.Ref) (BlockTarget, error) {
	if r.ID.IsZero() {
		return nil, nil
	}
	n, err := b.Node(ctx, r)
	t, _ := n.(BlockTarget)
	return t, err
}

func id(k im.Kind, v im.ID) string { return nodeid.Encode(k, v) }
