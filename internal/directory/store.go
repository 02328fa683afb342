package directory

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Orders of lists.
const (
	MembersByID         = "members.id"
	MembersByName       = "members.name"
	MembersByEmployeeNo = "members.employee_no"
	DepartmentsByID     = "departments.id"
	ContactsByID        = "contacts.id"
	GroupsByID          = "groups.id"
)

// MemberKey names one member by exactly one of its fields.
type MemberKey struct {
	ID          im.ID
	EmployeeNo  string
	AccountName string
	Along       Along
}

// Along is what is read along with members, in the same statement: what a query goes on to.
type Along struct{ Department bool }

// MemberFilter narrows a list of members; zero fields do not.
type MemberFilter struct {
	Query              string // part of a name, account name or employee number
	DepartmentID       im.ID
	IncludeDescendants bool
	Role               string
	JobFunction        im.JobFunction
	WorkspaceID        im.ID
}

// ContactFilter narrows a list of contacts; zero fields do not.
type ContactFilter struct {
	Query       string // part of a name or company
	WorkspaceID im.ID
	OwnerID     im.ID
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
}

// Store is what the directory reads from. A map lacks what is not there and what the viewer may not see.
type Store interface {
	FindMember(ctx context.Context, v im.Viewer, by MemberKey) (im.Member, bool, error)
	Members(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Member, error)
	ListMembers(ctx context.Context, v im.Viewer, f MemberFilter, r page.Request) (page.Result[im.Member], error)
	Departments(ctx context.Context, ids []im.ID) (map[im.ID]im.Department, error)
	ListDepartments(ctx context.Context, r page.Request) (page.Result[im.Department], error)
	DepartmentsOf(ctx context.Context, members []im.ID) (map[im.ID][]im.Department, error)
	Workspaces(ctx context.Context) ([]im.Workspace, error)
	AccountsOf(ctx context.Context, v im.Viewer, members []im.ID) (map[im.ID][]im.Account, error)
	Accounts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Account, error)
	Contacts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.ExternalContact, error)
	ListContacts(ctx context.Context, v im.Viewer, f ContactFilter, r page.Request) (page.Result[im.ExternalContact], error)
	FollowedBy(ctx context.Context, member im.ID, contacts []im.ID) (map[im.ID]bool, error)
	Opportunities(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Opportunity, error)
	OpportunitiesOf(ctx context.Context, contacts []im.ID) (map[im.ID][]im.Opportunity, error)
	Groups(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Group, error)
	ListGroups(ctx context.Context, v im.Viewer, f GroupFilter, r page.Request) (page.Result[im.Group], error)
	AdminsOf(ctx context.Context, groups []im.ID) (map[im.ID][]im.ID, error)
}
