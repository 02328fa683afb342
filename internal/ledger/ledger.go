// Package ledger is what one command writes, as data: the decision, the state, the evidence and the wished effects
// on platforms. A use-case works a [Unit] out as a value, and the store writes it in one transaction, committed
// together or not at all.
package ledger

import (
	"errors"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Unit is everything that one command writes. The zero Unit writes nothing.
type Unit struct {
	Answer        *Answer // where the caller gave an idempotency key
	Decisions     []im.Decision
	Denial        *Denial           // where one of Decisions refuses a question that may be asked again and again
	Relationships []im.Relationship // new ones
	Counted       *Counted          // where Relationships hang on how many there are already
	Steps         []im.Relationship // existing ones as they shall be: Version is the new one, one above the stored
	Pruned        []im.ID           // relationships that expired, and are removed with what became of their deliveries and notices
	Approvals     []im.Approval     // new ones
	ApprovalSteps []im.Approval     // existing ones as they shall be, as for Steps
	Candidates    []im.Candidate
	Verdicts      []im.Verdict
	Events        []im.AuditEvent
	// Changes is what subscribers hear of: a use-case adds one for each step that it writes, made by im.RelationshipChange,
	// im.ApprovalChange or im.DirectoryChange with a fresh id, in the order of the steps. Whoever may see what a change is
	// about when it reaches him hears of it; a REMOVED thing whose row is gone shows to those alone who see all of its kind.
	// They are written many to a statement: tens of thousands in one unit are as good as a few.
	Changes []im.Change
	Intents []im.Intent
	Alerts  []im.Alert // of a kind once about one thing that a person did; one that is raised is a change by itself

	// Notices are word to people and systems, in the transaction of what they are about. A person is told the same of a thing once;
	// that it ended, only the systems that were told of it.
	Notices []im.Notice
	// Webhooks are notices to systems that were tried.
	Webhooks []WebhookStep

	Sent     []Sending    // new messages
	Recalled []im.Message // existing ones that their senders take back, as they shall be

	Acknowledged []im.Alert // existing ones that somebody takes note of, as they shall be

	Services []im.Service // new ones
	Keys     []im.APIKey  // new ones
	Revoked  []im.APIKey  // existing ones, that no longer hold from RevokedAt on
	CutOffs  []im.CutOff  // of people whose sessions end

	AccountSteps []AccountStep // existing accounts as they shall be
	SignedOut    []im.ID       // accounts that are signed in on no device any more
	Bindings     []Binding     // existing accounts that come to other people
	Unlinked     []im.ID       // logins by other identity providers that are taken off

	Imports     []im.Import // new ones
	Approved    []im.Import // that waited for people, and run from now on
	ImportSteps []im.Import // that have ended: what only an import under way needs is dropped

	Policy *Policy // the version of the policy files that is put in force

	// What comes of a delivery.
	IntentSteps []im.Intent // existing ones as they shall be; Attempts is as it was when the attempt was begun
	Holds       []im.Hold   // kept, in the place of one that stands there
	Released    []im.Hold   // let go: ContactID and MemberID alone count
	Tags        []im.TagChange
	Shortfalls  []Shortfalls
}

// WebhookStep is a notice to a system as it shall be after it was tried. Its Delivery.Attempts is the fence: whoever claimed it
// later has counted one more.
type WebhookStep struct {
	Notice    im.Notice
	NextTryAt time.Time // zero once it is settled
	// URL is a hash of the address that it was sent to; empty: it was not sent, and says nothing of its endpoint.
	URL string
	At  time.Time
	// DisableSince: an endpoint that has failed since then or before, and often enough, is disabled. One that is gone is at once.
	DisableSince time.Time
	ProbeAt      time.Time // when it is tried again, where it is disabled
}

// Denial is the first refusal of a question. Those that follow it are counted (db.Store.Denied), not written down again.
type Denial struct {
	Fold       []byte // equal for questions that are one and the same
	DecisionID im.ID
	At         time.Time
}

// Policy is a version of the policy files that is put in force in the place of another.
type Policy struct {
	Version, Before string // Before is empty where it is the first
	Bundle          []byte
	At              time.Time
}

// Sending is a message that was decided on what stood between its sender and those whom it goes to or names. The unit is stale
// where anything else stands there when it is written, or the sender stands there otherwise than before, or the member whom it goes to is
// not active there; and no relationship that is in the way comes into effect between that look and the commit.
type Sending struct {
	Message  im.Message
	Ways     []Way
	Known    []im.ID // the relationships that stood there
	Standing string  // the sender's on the workspace
}

// Way is one party's to another, on a workspace, and in a group where the message goes to one.
type Way struct {
	From, To         im.Ref
	Workspace, Group im.ID
}

// Counted is how many relationships somebody has made of late, as a decision counted them: the unit is stale where others
// have come since. What is left out of the count is the store's to know (blocking.Store.BlockFacts).
type Counted struct {
	InitiatorID im.ID
	Kind        im.RelationshipKind
	Since       time.Time
	N           int
}

// AccountStep is an account as it shall be: Version is the new one, one above the stored.
type AccountStep struct {
	ID      im.ID
	Account im.Account // StatusReason is why
	About   im.ID      // whose data key seals why: its person, or the company
	ByID    im.ID      // who wanted it; zero: the clock
	At      time.Time
	// Counted is how many accounts he has frozen or disabled of late, where the step hangs on that: it is stale where others
	// have come since. Its Kind is not looked at.
	Counted *Counted
	// SuperAdmins is directory roles, where the step hangs on that somebody else with one of them can act on the workspace.
	SuperAdmins []string
}

// Binding puts an account on a person, or on nobody, and may make another kind of it: Version is the new one, one above the stored.
// It is stale where the person has left meanwhile, or has come to another account of his own on the workspace and this shall be one.
type Binding struct {
	ID      im.ID
	Account im.Account
	Before  im.ID // whose it was; zero: nobody's
	Reason  im.Text
	About   im.ID // whose data key seals why: the new person, or the old one, or the company
	At      time.Time
	// SuperAdmins is directory roles, where it hangs on that somebody else with one of them can act on the workspace.
	SuperAdmins []string
}

// Shortfalls is what the undo of a relationship could not put back.
type Shortfalls struct {
	RelationshipID im.ID
	About          im.ID // whose data key seals it: the target
	Items          []im.Shortfall
}

// Answer is the record of an idempotency key: what was asked and what came of it.
type Answer struct {
	ActorID     im.ID
	Key         string
	Operation   string
	RequestHash []byte
	Result      []byte // JSON of the use-case's own result; never holds what a person wrote
	At          time.Time
}

// Why a Unit was not written. Nothing of it is then in the store.
var (
	// ErrAnswered: the idempotency key has been used; read the answer it got.
	ErrAnswered = errors.New("ledger: the idempotency key has an answer")
	// ErrLive: a live relationship of the kind stands between the two.
	ErrLive = errors.New("ledger: a live relationship stands in the way")
	// ErrStale: a row was changed since it was read; read again and decide again.
	ErrStale = errors.New("ledger: changed by somebody else meanwhile")
)

// Reserve makes room for what so many blacklistings add.
func (u *Unit) Reserve(n int) {
	u.Decisions, u.Relationships, u.Events = slices.Grow(u.Decisions, n), slices.Grow(u.Relationships, n), slices.Grow(u.Events, n)
	u.Changes, u.Intents = slices.Grow(u.Changes, n), slices.Grow(u.Intents, n)
}

// Add puts what one more command of the same transaction writes into the unit. It is for commands about relationships; what
// they hang on is held against what stood before the first of them.
func (u *Unit) Add(o Unit) {
	u.Decisions = append(u.Decisions, o.Decisions...)
	u.Relationships = append(u.Relationships, o.Relationships...)
	if u.Counted == nil {
		u.Counted = o.Counted
	}
	u.Steps = append(u.Steps, o.Steps...)
	u.Approvals = append(u.Approvals, o.Approvals...)
	u.ApprovalSteps = append(u.ApprovalSteps, o.ApprovalSteps...)
	u.Candidates = append(u.Candidates, o.Candidates...)
	u.Events = append(u.Events, o.Events...)
	u.Changes = append(u.Changes, o.Changes...)
	u.Intents = append(u.Intents, o.Intents...)
	u.Alerts = append(u.Alerts, o.Alerts...)
	u.Notices = append(u.Notices, o.Notices...)
}
