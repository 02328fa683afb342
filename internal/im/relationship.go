package im

import (
	"log/slog"
	"time"
)

// Text is what a person wrote: a reason, a comment. It is encrypted at rest and never logged.
type Text string

// LogValue keeps the text out of logs.
func (Text) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// RelationshipKind says what a relationship does.
type RelationshipKind string

// The kinds of relationships.
const (
	Block      RelationshipKind = "BLOCK"       // 单向屏蔽
	Isolation  RelationshipKind = "ISOLATION"   // 双向隔离
	Blacklist  RelationshipKind = "BLACKLIST"   // 黑名单
	GroupBlock RelationshipKind = "GROUP_BLOCK" // 群内屏蔽
)

// RelationshipState is where a relationship stands.
type RelationshipState string

// The states of a relationship.
const (
	PendingApproval     RelationshipState = "PENDING_APPROVAL"
	Rejected            RelationshipState = "REJECTED"
	Staged              RelationshipState = "STAGED"
	Cancelled           RelationshipState = "CANCELLED"
	Active              RelationshipState = "ACTIVE"
	UndoPendingApproval RelationshipState = "UNDO_PENDING_APPROVAL"
	Undone              RelationshipState = "UNDONE"
	Lifted              RelationshipState = "LIFTED"
	Expired             RelationshipState = "EXPIRED"
)

// Due reports whether its cool-down is over at t: it takes effect once policy has been asked again, and not by itself.
func (r Relationship) Due(t time.Time) bool {
	return r.StateAt(t) == Staged && !t.Before(r.EffectiveAt)
}

// InEffect reports whether a relationship in this state does what its kind says: also while its undo is asked for.
func (s RelationshipState) InEffect() bool { return s == Active || s == UndoPendingApproval }

// Live reports whether a relationship in this state keeps others of its kind from being made on its pair. The
// partial unique index of the store names the same states.
func (s RelationshipState) Live() bool {
	switch s {
	case PendingApproval, Staged, Active, UndoPendingApproval:
		return true
	}
	return false
}

// RelationshipScope says whose world a relationship changes.
type RelationshipScope string

// The scopes of a relationship.
const (
	InitiatorView  RelationshipScope = "INITIATOR_VIEW" // only what the initiator meets changes
	WorkspaceScope RelationshipScope = "WORKSPACE"
)

// Source is where a relationship was asked for.
type Source string

// The sources that a caller may name; the gateway alone sets others.
const (
	FromContactList Source = "CONTACT_LIST"
	FromChat        Source = "CHAT"
	FromConsole     Source = "CONSOLE"
	FromAPI         Source = "API"
)

// Enforcement (执行程度) is how far a platform really carries an effect out.
type Enforcement string

// The degrees of enforcement.
const (
	EnforcedNative      Enforcement = "NATIVE"
	EnforcedEmulated    Enforcement = "EMULATED"
	EnforcedRecorded    Enforcement = "RECORDED"
	EnforcedUnsupported Enforcement = "UNSUPPORTED"
)

// DeliveryState is how far the carrying out on a platform has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryNotNeeded DeliveryState = "NOT_NEEDED"
	DeliveryPending   DeliveryState = "PENDING"
	DeliveryDelivered DeliveryState = "DELIVERED"
	DeliveryFailed    DeliveryState = "FAILED"
)

// Delivery is what became of the newest intent of a relationship.
type Delivery struct {
	Kind          string // of the intent
	State         DeliveryState
	Attempts      int
	LastErrorCode string
	VendorRef     string
	SettledAt     time.Time
}

// Channel is a way for one party to reach another.
type Channel string

// The channels.
const (
	DirectMessage     Channel = "DIRECT_MESSAGE"
	MessageHistory    Channel = "MESSAGE_HISTORY"
	GroupMessage      Channel = "GROUP_MESSAGE"
	GroupMention      Channel = "GROUP_MENTION"
	GroupAnnouncement Channel = "GROUP_ANNOUNCEMENT"
)

// Relationship (关系) is one block, isolation or blacklisting on one workspace.
type Relationship struct {
	ID          ID
	WorkspaceID ID
	Kind        RelationshipKind
	State       RelationshipState
	Version     int // goes up by one with every change
	Scope       RelationshipScope
	Source      Source
	InitiatorID ID
	Target      Ref
	GroupID     ID   // GROUP_BLOCK only
	Reason      Text `json:"-"`
	CreatedAt   time.Time
	EffectiveAt time.Time
	ExpiresAt   time.Time
	EndedAt     time.Time
	Enforcement Enforcement
	Undo        UndoTerms
	DecisionID  ID // the decision that it rests on
	// Needs is who had to agree to it; empty for one that nobody had to review. A later lift asks the same.
	Needs []Need
}

// StateAt is the state as anyone may see it at t: an expiry needs no job to take effect.
func (r Relationship) StateAt(t time.Time) RelationshipState {
	if r.State.Live() && !r.ExpiresAt.IsZero() && !t.Before(r.ExpiresAt) {
		return Expired
	}
	return r.State
}

// UndoTerms are the terms on which a relationship can be taken back, frozen when it is made: a later change of
// policy does not move the deadline.
type UndoTerms struct {
	Allowed bool      `json:"allowed"`
	Until   time.Time `json:"until,omitzero"`   // zero: no limit
	Review  string    `json:"review,omitempty"` // who must agree, as policy files spell it: 2*admin+hr
	Trace   bool      `json:"trace"`
}

// OpenAt reports whether the terms let a relationship be taken back at t.
func (u UndoTerms) OpenAt(t time.Time) bool {
	return u.Allowed && (u.Until.IsZero() || t.Before(u.Until))
}

// Reach is one channel in one direction between the two parties of a relationship.
type Reach struct {
	Channel    Channel
	FromTarget bool // from the target to the initiator; else the other way
	Allowed    bool
}

// Effects says what a kind of relationship does, channel by channel and in both directions. A channel that is
// missing stays as it is.
func Effects(k RelationshipKind) []Reach {
	both := func(c Channel, allowed bool) []Reach {
		return []Reach{{Channel: c, FromTarget: true, Allowed: allowed}, {Channel: c, Allowed: allowed}}
	}
	var out []Reach
	switch k {
	case Block:
		out = append(out, Reach{Channel: DirectMessage, FromTarget: true}, Reach{Channel: DirectMessage, Allowed: true})
		out = append(out, both(MessageHistory, true)...)
		out = append(out, both(GroupMessage, true)...)
		out = append(out, Reach{Channel: GroupMention, FromTarget: true, Allowed: true})
		out = append(out, both(GroupAnnouncement, true)...)
	case Blacklist:
		out = append(out, both(DirectMessage, false)...)
		out = append(out, both(MessageHistory, true)...)
		out = append(out, both(GroupMessage, true)...)
	}
	return out
}

// Stops reports whether a relationship of this kind closes the channel in the given direction.
func Stops(k RelationshipKind, c Channel, fromTarget bool) bool {
	for _, e := range Effects(k) {
		if e.Channel == c && e.FromTarget == fromTarget {
			return !e.Allowed
		}
	}
	return false
}
