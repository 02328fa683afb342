package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Store is what this use-case reads and writes. Everything about one command is read in one go, and written in one
// transaction.
type Store interface {
	Reads
	// Post writes a unit, or nothing of it and one of ledger's errors.
	Post(ctx context.Context, u ledger.Unit) error
	// Fingerprint is a keyed hash: equal for equal input, and of no use to whoever sees it without the key.
	Fingerprint(b []byte) []byte
	// Answer reads the answer that an idempotency key got; nil where it has none.
	Answer(ctx context.Context, actor im.ID, key string) (*ledger.Answer, error)

	// Denied counts a question that is refused once more, and gives the decision that refused it first; zero where none did.
	Denied(ctx context.Context, fold []byte, now time.Time) (im.ID, error)

	BlockFacts(ctx context.Context, q BlockQuery) (BlockFacts, error)
	// WishFacts is BlockFacts of many targets, as far as policy is concerned.
	WishFacts(ctx context.Context, q WishQuery) (map[im.ID]BlockFacts, error)
	// ContactFacts is BlockFacts of many contacts of one workspace, whom the viewer is to blacklist: it lacks those that he does not see.
	// What he has done of late, and where he is, is in late, where it is asked for.
	ContactFacts(ctx context.Context, q ContactsQuery) (f map[im.ID]BlockFacts, late BlockFacts, err error)
	// RelationshipFacts reads what a command on an existing relationship is decided on; nil where the viewer may
	// not see it. The zero viewer is the gateway itself and sees everything.
	RelationshipFacts(ctx context.Context, v im.Viewer, id im.ID) (*RelationshipFacts, error)
	// ApprovalFacts is the same for a command on an approval.
	ApprovalFacts(ctx context.Context, v im.Viewer, id im.ID) (*ApprovalFacts, error)
	// Approvers resolves the roles of needs to active people.
	Approvers(ctx context.Context, q ApproverQuery) (map[string][]im.ID, error)
	// CheckFacts reads what contact checks are answered from, in one statement, in the order of the question.
	CheckFacts(ctx context.Context, v im.Viewer, now time.Time, pairs []Pair) ([]CheckFacts, error)
	// PlatformPair finds two parties by the ids that their platform gives them; false where one of them is not known, or its id does
	// not show to the viewer.
	PlatformPair(ctx context.Context, v im.Viewer, q PlatformPair) (p Pair, found bool, err error)
	// Due reads what the clock has brought about, the earliest first; at most limit of each.
	Due(ctx context.Context, now time.Time, limit int) (Due, error)

	// Workspaces lists all of them.
	Workspaces(ctx context.Context) ([]im.Workspace, error)
	// Expired reads blacklistings that may be removed, without their texts, the oldest first; CountExpired counts them.
	Expired(ctx context.Context, q PruneQuery) ([]im.Relationship, error)
	CountExpired(ctx context.Context, q PruneQuery) (int, error)

	PolicyStats(ctx context.Context, v im.Viewer, q StatsQuery) (Stats, error)

	ListRelationships(ctx context.Context, v im.Viewer, f RelationshipFilter, now time.Time, r page.Request) (page.Result[im.Relationship], error)
	RelationshipsOf(ctx context.Context, v im.Viewer, kind im.Kind, ids []im.ID, end End, f RelationshipFilter, now time.Time, r page.Request) (map[im.ID]page.Result[im.Relationship], error)
	ListApprovals(ctx context.Context, v im.Viewer, f ApprovalFilter, now time.Time, r page.Request) (page.Result[im.Approval], error)
}

// Due is what the clock has brought about, and nobody has written down yet.
type Due struct {
	Expired     []im.ID // live relationships whose time ran out
	Cooled      []im.ID // those whose cool-down is over
	Approvals   []im.ID // pending approvals whose time ran out
	Escalations []im.ID // pending approvals that are to be passed on
}

// End is which end of a relationship a party has.
type End string

// The ends.
const (
	Outgoing End = "OUTGOING" // made by the party
	Incoming End = "INCOMING" // aimed at it
	BothEnds End = "BOTH"
)

// Reads is what may be read by whoever may see it: a map lacks what is not there and what the viewer may not see.
// What takes no viewer belongs to things that the caller has seen already.
type Reads interface {
	Relationships(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Relationship, error)
	Deliveries(ctx context.Context, relationships []im.ID) (map[im.ID]im.Delivery, error)
	Approvals(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Approval, error)
	ApprovalsOf(ctx context.Context, subjects []im.ID) (map[im.ID][]im.Approval, error)
	Verdicts(ctx context.Context, approvals []im.ID) (map[im.ID][]im.Verdict, error)
	Candidates(ctx context.Context, approvals []im.ID) (map[im.ID][]im.Candidate, error)
	Decisions(ctx context.Context, ids []im.ID) (map[im.ID]im.Decision, error)
	// AskedBy finds the approvals that decisions asked for, by decision.
	AskedBy(ctx context.Context, decisions []im.ID) (map[im.ID]im.ID, error)
	// Shortfalls is what the undos of relationships could not put back.
	Shortfalls(ctx context.Context, relationships []im.ID) (map[im.ID][]im.Shortfall, error)
	// Notices is who was told of relationships, oldest first; people whom the viewer may not see are left out.
	Notices(ctx context.Context, v im.Viewer, relationships []im.ID) (map[im.ID][]im.Notice, error)
	Alerts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Alert, error)
	ListAlerts(ctx context.Context, v im.Viewer, f AlertFilter, r page.Request) (page.Result[im.Alert], error)
}

// BlockQuery asks for what a new relationship is decided on.
type BlockQuery struct {
	Viewer    im.Viewer
	Initiator im.ID // another person for whom the viewer acts; zero: nobody
	Target    im.Ref
	Kind      im.RelationshipKind
	GroupID   im.ID  // of a group block
	Delegate  im.ID  // who is to take over approvals; zero: nobody
	Currency  string // the company's own: open value counts in it
	Now       time.Time
	// Made is the relationship where there is one already and it is decided again: what the viewer did of late is then
	// counted as of when he asked for it.
	Made *im.Relationship
}

// Counts is from when on the viewer's relationships are counted.
func (q BlockQuery) Counts() (blocks, blacklistings time.Time) {
	at := q.Now
	if q.Made != nil {
		at = q.Made.CreatedAt
	}
	return at.Add(-recently), at.Add(-time.Hour)
}

// recently is what r.sub.RecentBlocks counts back.
const recently = 10 * time.Minute

// BlockFacts is what is known of a pair.
type BlockFacts struct {
	Initiator       *im.Member          // the other person, where the viewer may see him
	Delegate        *im.Member          // who is to take over approvals, where the viewer may see him
	Group           *im.Group           // of a group block, where the viewer may see it
	Found           bool                // the target is there, and the viewer may see it
	Name            string              // of the target
	Member          *im.Member          // the target, where it is a member; without its department and roles
	Contact         *im.ExternalContact // the target, where it is a contact
	Places          []Place             // workspaces that both are on
	Relation        string              // where the target stands to the viewer: superior, subordinate or neither
	OwnsSharedGroup bool                // the target owns a group that both are in
	OtherDepartment bool                // the target is a member and shares no department with the initiator
	// Where the target stands to the other person.
	InitiatorRelation string
	InitiatorStands   string // to the viewer
	// Whose place is which (authz.PlaceOwner …) in the group of a group block.
	InitiatorPlace, TargetPlace string
	OwnDepartment               bool  // the contact's owner is in one of the viewer's departments, or below
	OwnPool                     bool  // the contact lies in the pool of one of the viewer's departments
	Below                       bool  // the member is in one of the viewer's departments, or below
	OpenValue                   int64 // of the contact's open opportunities, in hundredths of the company's currency
	OpenForeign                 bool  // some are in another currency
	// What the viewer has made of late, besides what is asked for now: blocks of contacts, those of a bulk left out, and
	// blacklistings.
	Blocks, Blacklistings int
	Departments           []string // the names of the viewer's, and of all above them
}

// Place is one workspace that both are on.
type Place struct {
	Workspace im.Workspace
	Standing  string // of the viewer's account there
	// Of the accounts of the other person, and of who is to take over approvals.
	InitiatorStanding, DelegateStanding string
	// Live is the relationship of the same kind that stands between the two already.
	Live *im.Relationship
}

// RelationshipFacts is a relationship with what is known around it.
type RelationshipFacts struct {
	Relationship im.Relationship
	Workspace    im.Workspace
	Standing     string        // of the viewer's account there
	TargetName   string        // for the trail
	OwnerID      im.ID         // of the contact, where the target is one
	Pending      []im.Approval // that wait on it, one of an action at most
}

// ApprovalFacts is an approval with what it is about and what was said so far.
type ApprovalFacts struct {
	Approval im.Approval
	Verdicts []im.Verdict
	Subject  RelationshipFacts
}

// ApproverQuery asks who may speak for which role.
type ApproverQuery = approval.Query

// Pair is two parties of whom one may want to reach the other.
type Pair struct {
	From, To  im.Ref
	Workspace im.ID // zero: all that both are on
	Group     im.ID // zero: all groups
}

// PlatformPair is a pair as the platform of a workspace names them.
type PlatformPair struct{ Workspace, From, To, Group string }

// CheckFacts is what a contact check is answered from.
type CheckFacts struct {
	Visible bool // the viewer may see both parties, and the group that was named
	Common  bool // both are on the workspace and in the group, or on any where none was named
	Below   bool // one of the two is below the viewer
	Active  []SeenRelationship
}

// Stops is which of the relationships between the two close a channel.
func (f CheckFacts) Stops(channel im.Channel) (out []SeenRelationship) {
	for _, r := range f.Active {
		if r.Stops(channel, r.FromTarget) {
			out = append(out, r)
		}
	}
	return out
}

// SeenRelationship is an active relationship between the two, as far as checks go, and whether the viewer may read it.
type SeenRelationship struct {
	im.Relationship
	Workspace  im.Workspace
	Seen       bool
	FromTarget bool // who reaches out is its target, or belongs to it
}

// RelationshipFilter narrows a list of relationships; zero fields do not.
type RelationshipFilter struct {
	Kinds         []im.RelationshipKind
	States        []im.RelationshipState
	WorkspaceID   im.ID
	InitiatorID   im.ID
	TargetID      im.ID
	CreatedAfter  time.Time
	CreatedBefore time.Time
	Along         Along
}

// Along is what is read along with relationships, in the same statement, as what a query goes on to; and what is not, as it asks
// for nothing of the kind. The zero Along is whole rows.
type Along struct {
	Targets bool // members and contacts, as far as the viewer may see them: what is in their own rows, but no department and manager
	Short   bool // no reason, no terms and needs, no further channels
}

// ApprovalFilter narrows a list of approvals; zero fields do not.
type ApprovalFilter struct {
	State         im.ApprovalState
	Mine          bool // only those that wait for the viewer's verdict
	RequestedByID im.ID
	SubjectID     im.ID
}

// AlertFilter narrows a list of alerts; zero fields do not.
type AlertFilter struct {
	Kind im.AlertKind
	Open *bool
}

// Orders of lists.
const (
	RelationshipsNewest = "relationships.newest"
	ApprovalsNewest     = "approvals.newest"
	AlertsNewest        = "alerts.newest"
)
