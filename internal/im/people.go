package im

import (
	"log/slog"
	"time"
)

// Employment is where a member stands with the company.
type Employment string

// The states of employment.
const (
	Employed  Employment = "ACTIVE"
	Departing Employment = "DEPARTING"
	Departed  Employment = "DEPARTED"
)

// JobFunction is what a member does for a living; policies read it.
type JobFunction string

// The job functions.
const (
	General         JobFunction = "GENERAL"
	Sales           JobFunction = "SALES"
	CustomerService JobFunction = "CUSTOMER_SERVICE"
	HR              JobFunction = "HR"
	IT              JobFunction = "IT"
	Legal           JobFunction = "LEGAL"
	Management      JobFunction = "MANAGEMENT"
)

// Member (成员) is a person with an account in the organisation.
type Member struct {
	ID           ID
	Name         string
	SortKey      string // pinyin of Name; the order of lists on both databases
	EmployeeNo   string
	AccountName  string // unique; what a token names
	Position     string
	Rank         int // job rank; higher is more senior
	Phone        string
	Roles        []string // as the directory gives them; what they imply is policy
	JobFunction  JobFunction
	Region       string
	ManagerID    ID
	Manager      *Member     // who that is, where he was read along; zero where the viewer does not see him
	DepartmentID ID          // the primary one
	Department   *Department // which that is, where it was read along
	Departments  []ID        // all of them, the primary first; filled where asked for
	Employment   Employment
	ValidFrom    time.Time // sessions that began earlier have ended; zero: none has
	// Standing is the word of [Account.Standing] for the best that is his own, where the company is: how he stands where no workspace
	// is in question. Empty: nothing is his own. Filled where he is signed in.
	Standing string
}

// LogValue keeps names and phone numbers out of logs.
func (m Member) LogValue() slog.Value { return slog.StringValue(m.ID.String()) }

// Ref points at the member.
func (m Member) Ref() Ref { return Ref{KindMember, m.ID} }

// Department (部门) is a node of the organisation's tree.
type Department struct {
	ID        ID
	Name      string
	SortKey   string
	ParentID  ID
	ManagerID ID
	// Path is the ids from the root to here, each followed by a slash: a department is below another when its
	// path starts with the other's.
	Path string
}

// Workspace is one connected organisation on one platform.
type Workspace struct {
	ID              ID
	Name            string
	Platform        string
	Region          string
	TimeZone        string // IANA name; "the same day" is a day there
	CustomerContact bool   // the licence for customer contact (客户联系)
}

// AccountKind says who is behind an account.
type AccountKind string

// The kinds of accounts.
const (
	HumanAccount  AccountKind = "HUMAN"
	SharedAccount AccountKind = "SHARED"
	BotAccount    AccountKind = "BOT"
)

// AccountStatus (账号状态) is what an account may still do.
type AccountStatus string

// The states of an account.
const (
	AccountActive   AccountStatus = "ACTIVE"
	AccountFrozen   AccountStatus = "FROZEN"
	AccountDormant  AccountStatus = "DORMANT"
	AccountDisabled AccountStatus = "DISABLED"
)

// AccountScope narrows what an active account may do.
type AccountScope string

// The scopes of an account. EXPORT_ONLY counts as not active (C-04).
const (
	FullScope       AccountScope = "FULL"
	ExportOnlyScope AccountScope = "EXPORT_ONLY"
)

// Account is one person's account on one workspace.
type Account struct {
	ID           ID
	MemberID     ID
	WorkspaceID  ID
	Kind         AccountKind
	PlatformID   string `json:"-"`
	Status       AccountStatus
	StatusUntil  time.Time // of a temporary unfreeze: when it is frozen again
	StatusScope  AccountScope
	StatusReason Text `json:"-"` // why it has its status; filled where asked for
	LastActiveAt time.Time
	Version      int // of its status and of whose it is; filled where one of them is changed
}

// At is the account as anyone may see it at t: a temporary unfreeze ends by itself.
func (a Account) At(t time.Time) Account {
	if !a.StatusUntil.IsZero() && !t.Before(a.StatusUntil) {
		a.Status, a.StatusScope, a.StatusUntil = AccountFrozen, FullScope, time.Time{}
	}
	return a
}

// Standing is the word that policies read as the actor's status on a workspace.
func (a Account) Standing() string {
	if a.Status == AccountActive && a.StatusScope == ExportOnlyScope {
		return string(ExportOnlyScope)
	}
	return string(a.Status)
}

// Shut reports whether somebody who stands no better than so is let in no more.
func Shut(standing string) bool {
	return standing == string(AccountFrozen) || standing == string(AccountDisabled)
}

// AccountBinding is a span of time in which an account was somebody's.
type AccountBinding struct {
	ID        ID
	AccountID ID
	MemberID  ID // zero: nobody's
	From      time.Time
	Until     time.Time // zero: it goes on
	Reason    Text
}

// Device is a telephone or computer that an account was used on.
type Device struct {
	ID           ID
	AccountID    ID
	Label        string
	Kind         string
	CompanyOwned bool
	LastSeenAt   time.Time
	SignedIn     bool
}

// IdentityLink is a login by another identity provider: an opaque subject, and nothing else of that account.
type IdentityLink struct {
	ID       ID
	MemberID ID
	Provider string
	Subject  string
	Personal bool // of the person's private life, such as a personal WeChat
	LinkedAt time.Time
}

// Importance is what a contact weighs for the business.
type Importance string

// The weights of a contact.
const (
	NormalContact Importance = "NORMAL"
	KeyContact    Importance = "KEY"
)

// ContactStatus is where a contact stands as a customer.
type ContactStatus string

// The states of a contact.
const (
	ContactActive      ContactStatus = "ACTIVE"
	ContactBlacklisted ContactStatus = "BLACKLISTED"
	ContactAtRisk      ContactStatus = "AT_RISK"
	ContactLost        ContactStatus = "LOST"
)

// ExternalContact (外部联系人) is a person outside the company whom members talk to on one workspace.
type ExternalContact struct {
	ID               ID
	WorkspaceID      ID
	PlatformID       string
	Name             string
	SortKey          string
	Company          string
	Phone            string
	Verified         bool // a verified enterprise user (已认证企业用户)
	Region           string
	Importance       Importance
	Status           ContactStatus // beside any blacklisting: see StatusAt
	BlacklistedUntil time.Time     // when the last blacklisting in effect ends; zero: there is none
	OwnerID          ID
	PoolDepartmentID ID
	Tags             []string
}

// StatusAt is the status as anyone may see it at t: the end of a blacklisting needs no job.
func (c ExternalContact) StatusAt(t time.Time) ContactStatus {
	if t.Before(c.BlacklistedUntil) {
		return ContactBlacklisted
	}
	return c.Status
}

// LogValue keeps names and phone numbers out of logs.
func (c ExternalContact) LogValue() slog.Value { return slog.StringValue(c.ID.String()) }

// Ref points at the contact.
func (c ExternalContact) Ref() Ref { return Ref{KindContact, c.ID} }

// Follow is one member's tie with a contact.
type Follow struct {
	ContactID ID
	MemberID  ID
	Since     time.Time
	Remark    string // the member's own name for the contact
	Tags      []string
	Source    string
}

// Opportunity is business that is under way with a contact.
type Opportunity struct {
	ID        ID
	ContactID ID
	Title     string
	Amount    int64 // hundredths of Currency
	Currency  string
	Stage     string
	Open      bool
	OwnerID   ID
}

// GroupKind says what a group is for.
type GroupKind string

// The kinds of groups.
const (
	DepartmentGroup    GroupKind = "DEPARTMENT"
	ProjectGroup       GroupKind = "PROJECT"
	CollaborationGroup GroupKind = "EXTERNAL_COLLABORATION"
	CustomerGroup      GroupKind = "CUSTOMER"
	GeneralGroup       GroupKind = "GENERAL"
)

// Group (群) is a chat group, not a department.
type Group struct {
	ID            ID
	WorkspaceID   ID
	PlatformID    string
	Name          string
	SortKey       string
	Kind          GroupKind
	OwnerID       ID
	ProjectClosed *bool // project groups only
	Announcement  string
	// AnnouncementID is the message that is the announcement; zero: it is what the platform says.
	AnnouncementID ID
	DissolvedAt    time.Time
}

// Membership is one party's place in a group.
type Membership struct {
	ID        ID
	GroupID   ID
	Party     Ref
	Admin     bool
	JoinedAt  time.Time
	LeftAt    time.Time
	InvitedBy ID
}
