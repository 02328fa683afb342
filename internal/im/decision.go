package im

import (
	"slices"
	"strings"
	"time"
)

// Outcome is one of the three answers of policy.
type Outcome string

// The outcomes.
const (
	Allow  Outcome = "ALLOW"
	Deny   Outcome = "DENY"
	Review Outcome = "REVIEW"
)

// Need is how many people of one role must agree. Role is a role of the policy files or one of the terms that
// are worked out from the facts (manager_of_actor, owner_dept_manager, group_owner).
type Need struct {
	Role  string `json:"role"`
	Count int    `json:"count"`
}

// RuleRef names one policy line that decided, as it stood in one version of the files.
type RuleRef struct {
	ID   ID     `json:"id"` // of the line in its version: see authz.Rule
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// Obligations (义务) is what a decision obliges the gateway to: names with an argument, such as undo:72h. Where several
// lines decided, one name may stand there several times.
type Obligations []string

// Args lists the arguments of all obligations with this name: of undo:72h it is 72h.
func (o Obligations) Args(name string) []string {
	var out []string
	for _, one := range o {
		if n, arg, _ := strings.Cut(one, ":"); n == name {
			out = append(out, arg)
		}
	}
	return out
}

// Within is the shortest of the durations that obligations with this name give; false where none does.
func (o Obligations) Within(name string) (time.Duration, bool) {
	all := o.durations(name)
	if len(all) == 0 {
		return 0, false
	}
	return slices.Min(all), true
}

// AtLeast is the longest of the durations that obligations with this name give; zero where none does.
func (o Obligations) AtLeast(name string) time.Duration {
	return slices.Max(append(o.durations(name), 0))
}

func (o Obligations) durations(name string) (out []time.Duration) {
	for _, arg := range o.Args(name) {
		if t, err := time.ParseDuration(arg); err == nil {
			out = append(out, t)
		}
	}
	return out
}

// Decision (决策) is an answer of policy, kept as a row for every command and every refusal.
type Decision struct {
	ID            ID
	At            time.Time
	Action        string
	ActorID       ID
	Target        Ref
	WorkspaceID   ID
	Outcome       Outcome
	Rules         []RuleRef
	Needs         []Need
	Obligations   Obligations
	Facts         map[string]string // authz.Request.Facts
	PolicyVersion string
	// AskedBy is who asked about the actor, or about himself, without that anything was to be done: the decision may be gone
	// after a while. Zero: it was made for a command, or refused something.
	AskedBy ID
	// Untraced: it was about what an undo left no trace of; only who reads the trail of all may still see it.
	Untraced bool
	// Times is how often a question was refused like this; one where it is no such refusal.
	Times int
}

// ApprovalState is where an approval stands.
type ApprovalState string

// The states of an approval.
const (
	ApprovalPending   ApprovalState = "PENDING"
	ApprovalApproved  ApprovalState = "APPROVED"
	ApprovalRejected  ApprovalState = "REJECTED"
	ApprovalExpired   ApprovalState = "EXPIRED"
	ApprovalCancelled ApprovalState = "CANCELLED"
)

// Approval (审批) is a request that waits for people. It binds to what was asked for by RequestHash.
type Approval struct {
	ID              ID
	Action          string
	Subject         Ref
	WorkspaceID     ID
	RequestedBy     ID
	Reason          Text   `json:"-"`
	About           ID     // whose data key seals Reason and comments: the target of the subject
	Request         []byte `json:",omitempty"` // JSON of what is asked for, where the subject does not hold it
	RequestHash     []byte
	Needs           []Need
	DecisionID      ID
	FinalDecisionID ID
	State           ApprovalState
	Version         int
	CreatedAt       time.Time
	ExpiresAt       time.Time
	EscalatesAt     time.Time // when people of EscalateTo may agree in anybody's place, where it is still open; zero: never
	EscalateTo      []string
	EscalatedAt     time.Time // since when they may
	EndedAt         time.Time
}

// StateAt is the state as anyone may see it at t: running out needs no job.
func (a Approval) StateAt(t time.Time) ApprovalState {
	if a.State == ApprovalPending && !a.ExpiresAt.IsZero() && !t.Before(a.ExpiresAt) {
		return ApprovalExpired
	}
	return a.State
}

// Verdict is one person's word on an approval.
type Verdict struct {
	ID         ID
	ApprovalID ID
	ByID       ID
	Approved   bool
	Comment    Text
	About      ID // whose data key seals Comment: the approval's
	At         time.Time
}

// Candidate is a person who may satisfy a need of an approval.
type Candidate struct {
	ApprovalID ID
	MemberID   ID
	Role       string // of the need
}

// AuditEvent (审计记录) is one line of the trail: who did what to whom, when and by which decision. It is
// inserted unlinked; the sealer gives it its place in the chain.
type AuditEvent struct {
	ID          ID
	At          time.Time
	Actor       Ref
	ActorName   string
	Action      string
	Outcome     Outcome
	Subject     Ref
	SubjectName string
	About       ID // whose data key seals SubjectName and Detail
	WorkspaceID ID
	DecisionID  ID
	RequestID   string
	Detail      Text
	Prevented   string // the fault that kept from being done what policy allowed; empty: it was done, or policy refused
	Sequence    int64  // zero until sealed
	Hash        []byte
	Previous    []byte
}

// Change is one thing that subscribers hear of, made by [RelationshipChange], [ApprovalChange] or [DirectoryChange]. An alert
// that is raised needs none: the store tells of it.
type Change struct {
	ID          ID
	At          time.Time
	About       Ref
	What        ChangeKind
	WorkspaceID ID // of a thing of the directory that lives on one
	// As the step left it, without what people wrote; nil where the change is about something else.
	Relationship *Relationship
	Approval     *Approval
	Alert        *Alert // as it stands
	// PreviousState of what has states; empty: it was just made.
	PreviousState string
	Number        int64 // zero until sealed
}

// ChangeKind says what became of a thing.
type ChangeKind string

// What may become of a thing.
const (
	Created ChangeKind = "CREATED"
	Updated ChangeKind = "UPDATED"
	Removed ChangeKind = "REMOVED" // its row may be gone
)

// RelationshipChange is a step of a relationship.
func RelationshipChange(id ID, at time.Time, r Relationship, previous RelationshipState) Change {
	return Change{ID: id, At: at, About: Ref{Kind: KindRelationship, ID: r.ID}, What: step(previous), Relationship: &r, PreviousState: string(previous)}
}

// ApprovalChange is a step of a request, or a verdict on one that goes on waiting.
func ApprovalChange(id ID, at time.Time, a Approval, previous ApprovalState) Change {
	return Change{ID: id, At: at, About: Ref{Kind: KindApproval, ID: a.ID}, What: step(previous), Approval: &a, PreviousState: string(previous)}
}

func step[S ~string](previous S) ChangeKind {
	if previous == "" {
		return Created
	}
	return Updated
}

// DirectoryChange is what became of a member, contact, group, account or department. workspace is where it lives; zero for
// members and departments.
func DirectoryChange(id ID, at time.Time, about Ref, what ChangeKind, workspace ID) Change {
	return Change{ID: id, At: at, About: about, What: what, WorkspaceID: workspace}
}

// RiskLevel grades alerts.
type RiskLevel string

// The levels.
const (
	RiskNone   RiskLevel = "NONE"
	RiskLow    RiskLevel = "LOW"
	RiskMedium RiskLevel = "MEDIUM"
	RiskHigh   RiskLevel = "HIGH"
)

// AlertKind says what an alert is about.
type AlertKind string

// The kinds of alerts.
const (
	KeyContactBlocked AlertKind = "KEY_CONTACT_BLOCKED" // a contact who matters was blocked
	OpportunityLoss   AlertKind = "OPPORTUNITY_LOSS"    // business may be lost with a contact
	BlockOveruse      AlertKind = "BLOCK_OVERUSE"       // somebody blocks one contact after the other (C-11)
	RowVanished       AlertKind = "HR_ROW_VANISHED"     // somebody is missing from a file that says that it is complete
	DirectoryShrank   AlertKind = "DIRECTORY_SHRANK"    // so many are that the import stopped
)

// Alert is something that people should look at.
type Alert struct {
	ID             ID
	Kind           AlertKind
	Severity       RiskLevel
	At             time.Time
	Subject        Ref // the relationship
	PersonID       ID  // whose doing: that person's superiors may read it
	ContactID      ID  // its owner may read it
	AcknowledgedBy ID
	AcknowledgedAt time.Time
}

// Intent (意图) is a wished effect on a platform. Its key is the same on every attempt. Those on one target are carried
// out one after the other, in the order in which they were made.
type Intent struct {
	ID            ID
	Key           string
	Kind          string // a kind of intent, or the action of policy that it carries out
	WorkspaceID   ID
	Subject       Ref // the relationship
	TargetID      ID  // of the relationship
	State         DeliveryState
	Attempts      int // begun so far
	LastErrorCode string
	VendorRef     string
	CreatedAt     time.Time
	NextTryAt     time.Time // zero once it is settled
	SettledAt     time.Time
}

// The kinds of intents that have something to carry out on a platform.
const (
	IntentBlacklist = "blacklist"
	IntentLift      = "lift"   // ends what was carried out
	IntentUndo      = "undo"   // ends it, and puts back what it took away
	IntentExpire    = "expire" // as a lift, by the clock
)

// Hold (留存) is what a blacklisting took off one member's side of a contact: the only copy there is, kept until the
// blacklisting ends.
type Hold struct {
	ContactID ID
	MemberID  ID
	Snapshot  Text // JSON; it holds what people wrote about a customer
	TakenAt   time.Time
}

// TagChange changes the tags that our record of a contact shows, after the platform's own have changed.
type TagChange struct {
	ContactID    ID
	Added, Taken []string
}

// Shortfall is one thing that an undo could not put back.
type Shortfall struct {
	Code string `json:"code"` // of the platform's adapter
	What string `json:"what"` // a tag's name, or a field
}

// The roles of needs that are worked out from the facts of a request; every other one is a role of the policy files.
const (
	ManagerOfActor   = "manager_of_actor"   // the requester's own manager
	OwnerDeptManager = "owner_dept_manager" // the nearest dept_manager up the departments of the contact's owner
	GroupOwner       = "group_owner"        // the owner of the group in question
	AsMade           = "as_made"            // whom the relationship itself was made to ask: of a lift its own approvers, of an undo those of its terms
)
