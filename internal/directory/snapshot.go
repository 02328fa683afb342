package directory

import "github.com/guanxi-im/guanxi/internal/im"

// Snapshot is a whole organisation as data, in an order in which it can be written: nothing in a slice refers to
// anything in a later one, but for managers, who may refer to any member.
type Snapshot struct {
	Workspaces    []im.Workspace
	Departments   []im.Department
	Members       []im.Member
	Accounts      []im.Account
	Bindings      []im.AccountBinding
	Devices       []im.Device
	Identities    []im.IdentityLink
	Contacts      []im.ExternalContact
	Follows       []im.Follow
	Opportunities []im.Opportunity
	Groups        []im.Group
	Memberships   []im.Membership
	Services      []im.Service
	Keys          []im.APIKey
}
