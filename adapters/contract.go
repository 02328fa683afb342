package adapters

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// The platform's own ids. They mean nothing to another platform, and none of them is empty where a person or thing is
// meant.
type (
	MemberID     string // a member (成员)
	DepartmentID string // a department (部门)
	ContactID    string // an external contact (外部联系人)
	TagID        string // a label on a contact (标签); empty where the platform gives it none
)

// Key is an idempotency key: one per intent, the same on every attempt.
type Key string

// Adapter is the floor: what every platform offers. All methods, and those of the capabilities, may be called from
// many goroutines at once, and return soon after their context ends.
type Adapter interface {
	// Describe says what the adapter is and declares. It does no I/O and answers the same for the adapter's life.
	Describe() Description
	// Check proves credentials and reach with one cheap authenticated call. A wrong credential is [Unauthenticated]; a
	// platform that does not answer is [Unavailable], also where the context ended: a reading changes nothing.
	Check(ctx context.Context) error
	// Close lets go of what Open took. Calls after it are [Unavailable].
	io.Closer
}

// Call is what every changing request carries.
type Call struct {
	Key      Key      // required; vendors without idempotency keys never see it
	Operator MemberID // on whose behalf; some vendors demand it
	Reason   string   // for the vendor's own log, where it has one
}

// Outcome is a change as the platform sees it. Requests name a wished end, so "already so" is success with Changed
// false, not an error.
type Outcome struct {
	Changed     bool
	Enforcement Enforcement
	VendorRef   string // request or task id, to quote to the vendor's support
	Limit       *Limit // nil where the vendor says nothing
}

// Limit is the vendor's live word on what is left of a budget.
type Limit struct {
	Remaining int
	ResetAt   time.Time
}

// Blacklister puts a contact on a member's blacklist (黑名单) and takes it off again. Both calls state the wished end,
// not a step: repeated they change nothing, and after an [Indeterminate] answer they may be repeated once the state has
// been read back. An organisation-wide blacklisting is one call for each member who follows the contact.
//
// Blacklisting may take things off the contact for good, and the platform keeps no copy: a repeat finds them gone. So
// the Snapshot is in the answer even beside an error, and a caller that must survive its own death does as
//
//	state, err := a.Blacklisted(ctx, owner, contact) // 1. read
//	store(state.Snapshot)                            // 2. keep, durably
//	res, err := a.Blacklist(ctx, BlacklistRequest{…, Held: &state.Snapshot})
//
// Then no loss of power between the steps loses a tag. Beside an error, Changed says that some of it was done.
type Blacklister interface {
	Blacklist(ctx context.Context, req BlacklistRequest) (BlacklistResult, error)
	// Unblacklist ends the blacklisting, and puts back req.Held where it is given. Without it nothing is taken back but
	// what the platform itself shows to be the blacklisting's doing. Whoever lifts, and does not undo, hands in the
	// snapshot without its tags, so that a remark which the mark cut short is whole again.
	Unblacklist(ctx context.Context, req BlacklistRequest) (BlacklistResult, error)
}

// BlacklistReader reads a blacklisting back, so that the caller can settle an [Indeterminate] answer and find drift.
type BlacklistReader interface {
	Blacklisted(ctx context.Context, owner MemberID, contact ContactID) (BlacklistState, error)
}

// BlacklistRequest names the end: contact on the blacklist of owner, or off it.
type BlacklistRequest struct {
	Call
	Owner   MemberID
	Contact ContactID
	// Held is what the caller holds of earlier attempts, or of a reading. Blacklist returns it united with what it
	// takes away itself; Unblacklist puts it back.
	Held *Snapshot
}

// BlacklistResult is the answer of both calls.
type BlacklistResult struct {
	Outcome
	// Snapshot is what Blacklist took away, in this and in the attempts before it. It is to be kept: see [Blacklister].
	Snapshot Snapshot
	// Short names what ought to have been taken away, or put back, and was not.
	Short []Shortfall
}

// Shortfall is one thing that the platform did not let go of, or did not take back.
type Shortfall struct {
	Code ShortfallCode
	What string // an id or a field, never personal data
	Why  string // for logs, in English; people are told by Code
}

// ShortfallCode says why something stayed as it was.
type ShortfallCode string

// The codes of shortfalls.
const (
	ShortGone    ShortfallCode = "GONE"     // it is no longer in the platform's library
	ShortNotOurs ShortfallCode = "NOT_OURS" // only somebody else may change it
	ShortEmpty   ShortfallCode = "EMPTY"    // there was nothing, and the platform takes no nothing back
)

// BlacklistState is a blacklisting as the platform shows it.
type BlacklistState struct {
	Listed bool // nothing is left to do for Blacklist
	// Snapshot is what Blacklist would take away now.
	Snapshot Snapshot
}

// Snapshot is what a blacklisting takes off a contact. It holds what people wrote about a customer: callers keep it
// encrypted, and it prints as a count.
type Snapshot struct {
	Tags   []Tag
	Remark string // the owner's name for the contact, without any mark of the blacklisting
}

// LogValue keeps remarks and tags out of logs.
func (s Snapshot) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s Snapshot) String() string { return fmt.Sprintf("[%d tags]", len(s.Tags)) }

// Notifier has the platform tell a member something, in a message that comes from the app and not from a person.
//
// A [Key] is told once: a repeat with it within [Description.KeyHorizon] of [Notify] tells nobody anything, and another key
// with the same text is another message. So after an [Indeterminate] answer the same request is made again. After the horizon
// nobody can know whether it arrived.
type Notifier interface {
	// Notify sends one message to one member. An account that there is not, or that the app may not write to, is [NotFound].
	// The outcome's Changed means nothing here: a platform may not tell a first message from a repeat.
	Notify(ctx context.Context, req NotifyRequest) (Outcome, error)
}

// NotifyRequest names the end: the member has been told the text.
type NotifyRequest struct {
	Call
	To   MemberID
	Text string // plain text of 1,500 bytes at most; what is longer may be cut at its end
}

// LogValue keeps the text out of logs.
func (r NotifyRequest) LogValue() slog.Value { return slog.StringValue(string(r.To)) }

// MemberReader lists the members that the credentials can see.
type MemberReader interface {
	// Members lists each member once, in an order that stays. A page may be shorter than size before the end.
	Members(ctx context.Context, after Cursor, size int) (Page[Member], error)
}

// DepartmentReader lists the departments that the credentials can see.
type DepartmentReader interface {
	Departments(ctx context.Context, after Cursor, size int) (Page[Department], error)
}

// ContactReader reads external contacts.
type ContactReader interface {
	// Contacts lists the contacts that owner follows, each with that one Follow. Tags may lack their names.
	Contacts(ctx context.Context, owner MemberID, after Cursor, size int) (Page[Contact], error)
	// Contact is one contact with all who follow it.
	Contact(ctx context.Context, id ContactID) (Contact, error)
}

// Member is a person with an account in the organisation.
type Member struct {
	ID          MemberID
	Name        string
	Title       string // position (职务)
	Departments []DepartmentID
	Primary     DepartmentID   // among Departments; empty where the platform names none
	Leads       []DepartmentID // which of Departments the member leads
	Managers    []MemberID     // direct superiors (直属上级)
	State       AccountState
}

// LogValue prints the id alone.
func (m Member) LogValue() slog.Value { return slog.StringValue(string(m.ID)) }

// AccountState (账号状态) is an account's state as the platform knows it. States that only guanxi knows, such as
// frozen and dormant, are not here.
type AccountState string

// The states of an account.
const (
	AccountActive       AccountState = "ACTIVE"
	AccountDisabled     AccountState = "DISABLED"
	AccountNotActivated AccountState = "NOT_ACTIVATED"
	AccountLeft         AccountState = "LEFT"
	AccountUnknown      AccountState = "UNKNOWN" // the platform names a state that its adapter does not know
)

// Department is a node of the organisation's tree.
type Department struct {
	ID      DepartmentID
	Parent  DepartmentID // empty at the root of what can be seen
	Name    string
	Leaders []MemberID
}

// Contact is a person outside the organisation.
type Contact struct {
	ID           ContactID
	Name         string
	Organisation string // the contact's company, where it shows one
	Follows      []Follow
}

// LogValue prints the id alone.
func (c Contact) LogValue() slog.Value { return slog.StringValue(string(c.ID)) }

// Follow is one member's side of a contact (跟进人).
type Follow struct {
	Member MemberID
	Remark string // the member's own name for the contact (备注)
	Tags   []Tag
	Since  time.Time
}

// Tag is a label on a contact. Without an ID it is the member's own, which adapters read and never change.
type Tag struct {
	ID    TagID
	Name  string
	Group string
}
