package im

import (
	"log/slog"
	"slices"
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

// The sources. A caller may name the first of them; the gateway alone sets the others.
const (
	FromContactList Source = "CONTACT_LIST"
	FromChat        Source = "CHAT"
	FromConsole     Source = "CONSOLE"
	FromAPI         Source = "API"

	FromBulk      Source = "BULK_API"
	FromImport    Source = "IMPORT"
	FromCLI       Source = "CLI"
	FromDeparture Source = "DEPARTURE"
	FromRiskRule  Source = "RISK_RULE"
)

// Nameable reports whether a caller may say that a relationship was asked for there.
func (s Source) Nameable() bool {
	return s == FromContactList || s == FromChat || s == FromConsole || s == FromAPI
}

// Enforcement (执行程度) is how far a platform really carries an effect out.
type Enforcement string

// The degrees of enforcement.
const (
	EnforcedNative      Enforcement = "NATIVE"
	EnforcedEmulated    Enforcement = "EMULATED"
	EnforcedRecorded    Enforcement = "RECORDED"
	EnforcedUnsupported Enforcement = "UNSUPPORTED"
)

// Firmer reports whether more of an effect is carried out than with the other degree.
func (e Enforcement) Firmer(than Enforcement) bool {
	degrees := []Enforcement{EnforcedUnsupported, EnforcedRecorded, EnforcedEmulated, EnforcedNative}
	return slices.Index(degrees, e) > slices.Index(degrees, than)
}

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
	DocumentLibrary   Channel = "DOCUMENT_LIBRARY" // the documents of the other's department
	ApprovalFlow      Channel = "APPROVAL_FLOW"    // requests that one makes and the other decides, on the platform
)

// Channels are all of them.
var Channels = []Channel{DirectMessage, MessageHistory, GroupMessage, GroupMention, GroupAnnouncement, DocumentLibrary, ApprovalFlow}

// FurtherChannels are those that a relationship closes only where the platform's rules say so.
var FurtherChannels = []Channel{DocumentLibrary, ApprovalFlow}

// Relationship (关系) is one block, isolation, blacklisting or group block on one workspace.
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
	// Further is the channels that it closes besides those of its kind, as the platform's rules said when it was made.
	Further     []Reach `json:",omitempty"`
	DelegateID  ID      `json:",omitzero"`  // who takes over the approvals that it cuts
	RequestedBy ID      `json:",omitzero"`  // who asked for it, where that was not the initiator
	Declared    bool    `json:",omitempty"` // a person did it in the platform's own client; here it is only written down
	// Needs is who had to agree to it; empty for one that nobody had to review. A later lift asks the same.
	Needs []Need

	// TargetMember or TargetContact is whom it is aimed at, where that was read along; zero where the viewer does not see them.
	TargetMember  *Member          `json:"-"`
	TargetContact *ExternalContact `json:"-"`
}

// StateAt is the state as anyone may see it at t: an expiry needs no job to take effect.
func (r Relationship) StateAt(t time.Time) RelationshipState {
	if r.State.Live() && !r.ExpiresAt.IsZero() && !t.Before(r.ExpiresAt) {
		return Expired
	}
	return r.State
}

// Requester is who asked for it.
func (r Relationship) Requester() ID {
	if r.RequestedBy.IsZero() {
		return r.InitiatorID
	}
	return r.RequestedBy
}

// Effects is what it does: as its kind, and what the platform's rules add.
func (r Relationship) Effects() []Reach { return append(Effects(r.Kind), r.Further...) }

// Stops reports whether it closes the channel in the given direction.
func (r Relationship) Stops(c Channel, fromTarget bool) bool {
	return slices.ContainsFunc(r.Effects(), func(e Reach) bool { return e.Channel == c && e.FromTarget == fromTarget && !e.Allowed })
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
	add := func(more ...Reach) { out = append(out, more...) }
	switch k {
	case Block:
		add(Reach{Channel: DirectMessage, FromTarget: true}, Reach{Channel: DirectMessage, Allowed: true})
		add(both(MessageHistory, true)...)
		add(both(GroupMessage, true)...)
		add(Reach{Channel: GroupMention, FromTarget: true, Allowed: true})
		add(both(GroupAnnouncement, true)...)
	case Isolation: // what was said is for the auditor, and for whom a grant lets read it
		add(both(DirectMessage, false)...)
		add(both(MessageHistory, false)...)
		add(both(GroupMessage, true)...)
		add(both(GroupMention, false)...)
		add(both(GroupAnnouncement, true)...)
	case Blacklist:
		add(both(DirectMessage, false)...)
		add(both(MessageHistory, true)...)
		add(both(GroupMessage, true)...)
	case GroupBlock: // in its group
		add(both(DirectMessage, true)...)
		add(both(MessageHistory, true)...)
		add(both(GroupMessage, true)...)
		add(Reach{Channel: GroupMention, FromTarget: true})
		add(both(GroupAnnouncement, true)...)
	}
	return out
}
