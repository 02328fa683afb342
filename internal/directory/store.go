package directory

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Orders of lists.
const (
	MembersByID         = "members.id"
	MembersByName       = "members.name"
	MembersByEmployeeNo = "members.employee_no"
	MembersByRank       = "members.rank"
	DepartmentsByID     = "departments.id"
	ContactsByID        = "contacts.id"
	GroupsByID          = "groups.id"
	MembershipsByID     = "memberships.id"
	AccountsByID        = "accounts.id"
)

// MemberKey names one member by exactly one of its fields.
type MemberKey struct {
	ID          im.ID
	EmployeeNo  string
	AccountName string
	Along       Along
	SigningIn   bool // whether he is let in is read, too
}

// Along is what is read along with members, in the same statement, as what a query goes on to; and what is not, as it asks for
// nothing of the kind. The zero Along is whole rows.
type Along struct {
	Department bool // the primary one
	Manager    bool // as far as the viewer may see him: what is in his own row, but not his department and his manager
	NoRoles    bool
}

// MemberFilter narrows a list of members; zero fields do not.
type MemberFilter struct {
	Query              string // part of a name, account name or employee number
	DepartmentID       im.ID
	IncludeDescendants bool
	Role               string
	JobFunction        im.JobFunction
	WorkspaceID        im.ID
	Employment         im.Employment // as it shows
	LinkedToPersonal   *bool
	Along              Along
}

// ContactFilter narrows a list of contacts; zero fields do not.
type ContactFilter struct {
	Query       string // part of a name or company; or, of a contact that shows whole, a platform id or phone number
	WorkspaceID im.ID
	OwnerID     im.ID
	PoolID      im.ID // a department
	Status      im.ContactStatus
	Importance  im.Importance
	Tag         string
	Verified    *bool
}

// GroupFilter narrows a list of groups; zero fields do not.
type GroupFilter struct {
	Query       string // part of a name
	WorkspaceID im.ID
	Kind        im.GroupKind
	OwnerID     im.ID
	MemberID    im.ID // who is in it now
}

// AccountFilter narrows a list of accounts; zero fields do not.
type AccountFilter struct {
	Query       string // part of what names its member; or, where it shows, the platform id
	WorkspaceID im.ID
	MemberID    im.ID
	Status      im.AccountStatus
	Kind        im.AccountKind
	Orphan      *bool     // nobody's
	Leaver      *bool     // still usable though its person has left
	IdleSince   time.Time // usable, and not used since
}

// Store is what the directory reads from. A map lacks what is not there and what the viewer may not see.
type Store interface {
	FindMember(ctx context.Context, v im.Viewer, by MemberKey) (im.Member, bool, error)
	Members(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Member, error)
	ListMembers(ctx context.Context, v im.Viewer, f MemberFilter, r page.Request) (page.Result[im.Member], error)
	Departments(ctx context.Context, ids []im.ID) (map[im.ID]im.Department, error)
	ListDepartments(ctx context.Context, r page.Request) (page.Result[im.Department], error)
	DepartmentsOf(ctx context.Context, members []im.ID) (map[im.ID][]im.Department, error)
	ChildrenOf(ctx context.Context, departments []im.ID) (map[im.ID][]im.Department, error)
	MembersIn(ctx context.Context, v im.Viewer, departments []im.ID, descendants bool, r page.Request) (map[im.ID]page.Result[im.Member], error)
	ReportsOf(ctx context.Context, v im.Viewer, managers []im.ID, r page.Request) (map[im.ID]page.Result[im.Member], error)
	Identities(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.IdentityLink, error)
	IdentitiesOf(ctx context.Context, members []im.ID) (map[im.ID][]im.IdentityLink, error)
	Workspaces(ctx context.Context) ([]im.Workspace, error)
	AccountsOf(ctx context.Context, v im.Viewer, members []im.ID) (map[im.ID][]im.Account, error)
	Accounts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Account, error)
	ListAccounts(ctx context.Context, v im.Viewer, f AccountFilter, r page.Request) (page.Result[im.Account], error)
	StatusReasons(ctx context.Context, accounts []im.ID) (map[im.ID]im.Text, error)
	BindingsOf(ctx context.Context, accounts []im.ID) (map[im.ID][]im.AccountBinding, error)
	Devices(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Device, error)
	DevicesOf(ctx context.Context, accounts []im.ID) (map[im.ID][]im.Device, error)
	Contacts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.ExternalContact, error)
	ListContacts(ctx context.Context, v im.Viewer, f ContactFilter, r page.Request) (page.Result[im.ExternalContact], error)
	ContactsOf(ctx context.Context, v im.Viewer, members []im.ID, f ContactFilter, r page.Request) (map[im.ID]page.Result[im.ExternalContact], error)
	FollowsOf(ctx context.Context, contacts []im.ID) (map[im.ID][]im.Follow, error)
	FollowedBy(ctx context.Context, member im.ID, contacts []im.ID) (map[im.ID]bool, error)
	Opportunities(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Opportunity, error)
	OpportunitiesOf(ctx context.Context, contacts []im.ID) (map[im.ID][]im.Opportunity, error)
	Groups(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Group, error)
	ListGroups(ctx context.Context, v im.Viewer, f GroupFilter, r page.Request) (page.Result[im.Group], error)
	GroupsOf(ctx context.Context, v im.Viewer, members []im.ID, r page.Request) (map[im.ID]page.Result[im.Group], error)
	Memberships(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Membership, error)
	MembershipsOf(ctx context.Context, v im.Viewer, members []im.ID, left bool, r page.Request) (map[im.ID]page.Result[im.Membership], error)
	MembershipsIn(ctx context.Context, groups []im.ID, left bool, r page.Request) (map[im.ID]page.Result[im.Membership], error)
	AdminsOf(ctx context.Context, groups []im.ID) (map[im.ID][]im.ID, error)
}
