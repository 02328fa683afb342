package view

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// Member is a member as clients see it.
type Member struct {
	b   *Batch
	row im.Member
}

// Member presents a member.
func (b *Batch) Member(m im.Member) *Member {
	return show(b, &b.shown.members, &Member{b, m})
}

// The methods of Member are the fields of the schema, which describes them.
func (*Member) IsNode()                          {}
func (*Member) IsParty()                         {}
func (*Member) IsBlockTarget()                   {}
func (*Group) IsBlockTarget()                    {}
func (*Department) IsBlockTarget()               {}
func (m *Member) key() im.ID                     { return m.row.ID }
func (m *Member) ID() string                     { return id(im.KindMember, m.row.ID) }
func (m *Member) Name() string                   { return m.row.Name }
func (m *Member) EmployeeNo() string             { return m.row.EmployeeNo }
func (m *Member) AccountName() string            { return m.row.AccountName }
func (m *Member) Position() *string              { return some(m.row.Position) }
func (m *Member) Rank() *int                     { return &m.row.Rank }
func (m *Member) Region() *string                { return some(m.row.Region) }
func (m *Member) Roles() []string                { return slices.Clone(m.row.Roles) }
func (m *Member) JobFunction() model.JobFunction { return model.JobFunction(m.row.JobFunction) }

// Employment hides a departure: nobody may see one yet.
func (m *Member) Employment() model.Employment {
	if m.row.Employment == im.Departing {
		return model.EmploymentActive
	}
	return model.Employment(m.row.Employment)
}

func (m *Member) Phone() *string {
	if directory.ShowsMember(m.b.viewer, m.row.ID) {
		return some(m.row.Phone)
	}
	return some(directory.MaskPhone(m.row.Phone))
}

func (m *Member) Department(ctx context.Context) (*Department, error) {
	n := next(m.b, "Member.department", &m.b.shown.members, func(n *Batch, row *Member) {
		if d := row.row.Department; d != nil {
			n.departments.give(d.ID, func() *Department { return n.Department(*d) })
		} else {
			n.departments.announce(row.row.DepartmentID)
		}
	})
	return n.departments.get(ctx, m.row.DepartmentID)
}

func (m *Member) Departments(ctx context.Context) ([]*Department, error) {
	return list(to(ctx, m.b, "Member.departments", &m.b.shown.members, departmentsOf, m, (*Member).key))
}

func (m *Member) Manager(ctx context.Context) (*Member, error) {
	n := next(m.b, "Member.manager", &m.b.shown.members, func(n *Batch, row *Member) {
		if g := row.row.Manager; g != nil {
			n.members.give(row.row.ManagerID, func() *Member { return n.seenMember(g) })
		} else {
			n.members.announce(row.row.ManagerID)
		}
	})
	return n.members.get(ctx, m.row.ManagerID)
}

// seenMember presents a member who was read along; nil where the viewer does not see him.
func (b *Batch) seenMember(m *im.Member) *Member {
	if m.ID.IsZero() {
		return nil
	}
	return b.Member(*m)
}

func (m *Member) Accounts(ctx context.Context) ([]*Account, error) {
	return list(to(ctx, m.b, "Member.accounts", &m.b.shown.members, accountsOf, m, (*Member).key))
}

func (m *Member) ViewerMay(ctx context.Context) ([]string, error) {
	n := next(m.b, "Member.viewerMay", &m.b.shown.members, func(n *Batch, m *Member) { n.may.announce(m.row.Ref()) })
	return list(n.may.get(ctx, m.row.Ref()))
}

func (m *Member) Identities(ctx context.Context) ([]*IdentityLink, error) {
	return list(to(ctx, m.b, "Member.identities", &m.b.shown.members, identitiesOf, m, (*Member).key))
}

// IdentityLink is a login by another provider as clients see it.
type IdentityLink struct {
	b   *Batch
	row im.IdentityLink
}

// IdentityLink presents a login by another provider.
func (b *Batch) IdentityLink(i im.IdentityLink) *IdentityLink { return &IdentityLink{b, i} }

// The methods of IdentityLink are the fields of the schema.
func (*IdentityLink) IsNode()               {}
func (i *IdentityLink) ID() string          { return id(im.KindIdentity, i.row.ID) }
func (i *IdentityLink) Provider() string    { return i.row.Provider }
func (i *IdentityLink) Personal() bool      { return i.row.Personal }
func (i *IdentityLink) LinkedAt() time.Time { return i.row.LinkedAt }
func (i *IdentityLink) Subject() *string {
	if !directory.ShowsMember(i.b.viewer, i.row.MemberID) {
		return nil
	}
	return some(i.row.Subject)
}

// Department is a department as clients see it.
type Department struct {
	b   *Batch
	row im.Department
}

// Department presents a department.
func (b *Batch) Department(d im.Department) *Department {
	return show(b, &b.shown.departments, &Department{b, d})
}

// The methods of Department are the fields of the schema.
func (*Department) IsNode()        {}
func (d *Department) key() im.ID   { return d.row.ID }
func (d *Department) ID() string   { return id(im.KindDepartment, d.row.ID) }
func (d *Department) Name() string { return d.row.Name }
func (d *Department) Parent(ctx context.Context) (*Department, error) {
	return to(ctx, d.b, "Department.parent", &d.b.shown.departments, departments, d, func(d *Department) im.ID { return d.row.ParentID })
}
func (d *Department) Manager(ctx context.Context) (*Member, error) {
	return to(ctx, d.b, "Department.manager", &d.b.shown.departments, members, d, func(d *Department) im.ID { return d.row.ManagerID })
}

func (d *Department) Children(ctx context.Context) ([]*Department, error) {
	return list(to(ctx, d.b, "Department.children", &d.b.shown.departments, childrenOf, d, (*Department).key))
}

// Account is an account as clients see it.
type Account struct {
	b   *Batch
	row im.Account
}

// Account presents an account.
func (b *Batch) Account(a im.Account) *Account {
	return show(b, &b.shown.accounts, &Account{b, a})
}

// The methods of Account are the fields of the schema.
func (*Account) IsNode()      {}
func (a *Account) key() im.ID { return a.row.ID }
func (a *Account) ID() string { return id(im.KindAccount, a.row.ID) }
func (a *Account) Member(ctx context.Context) (*Member, error) {
	return to(ctx, a.b, "Account.member", &a.b.shown.accounts, members, a, func(a *Account) im.ID { return a.row.MemberID })
}
func (a *Account) Kind() model.AccountKind     { return model.AccountKind(a.row.Kind) }
func (a *Account) Status() model.AccountStatus { return model.AccountStatus(a.row.Status) }
func (a *Account) Workspace(ctx context.Context) (*Workspace, error) {
	return a.b.workspace(ctx, a.row.WorkspaceID)
}
func (a *Account) PlatformID() *string {
	if !directory.ShowsMember(a.b.viewer, a.row.MemberID) {
		return nil
	}
	return some(a.row.PlatformID)
}

func (a *Account) StatusUntil() *time.Time         { return at(a.row.StatusUntil) }
func (a *Account) StatusScope() model.AccountScope { return model.AccountScope(a.row.StatusScope) }
func (a *Account) LastActiveAt() *time.Time        { return at(a.row.LastActiveAt) }

func (a *Account) StatusReason(ctx context.Context) (*string, error) {
	t, err := to(ctx, a.b, "Account.statusReason", &a.b.shown.accounts, statusReasons, a, (*Account).key)
	return some(string(t)), err
}

func (a *Account) Bindings(ctx context.Context) ([]*AccountBinding, error) {
	return list(to(ctx, a.b, "Account.bindings", &a.b.shown.accounts, bindingsOf, a, (*Account).key))
}

func (a *Account) Devices(ctx context.Context) ([]*Device, error) {
	return list(to(ctx, a.b, "Account.devices", &a.b.shown.accounts, devicesOf, a, (*Account).key))
}

// AccountBinding is whose an account was for a while, as clients see it.
type AccountBinding struct {
	b   *Batch
	row im.AccountBinding
}

func (b *Batch) accountBinding(x im.AccountBinding) *AccountBinding {
	return show(b, &b.shown.bindings, &AccountBinding{b, x})
}

// The methods of AccountBinding are the fields of the schema.
func (x *AccountBinding) From() time.Time   { return x.row.From }
func (x *AccountBinding) Until() *time.Time { return at(x.row.Until) }
func (x *AccountBinding) Reason() *string   { return some(string(x.row.Reason)) }
func (x *AccountBinding) Member(ctx context.Context) (*Member, error) {
	return to(ctx, x.b, "AccountBinding.member", &x.b.shown.bindings, members, x, func(x *AccountBinding) im.ID { return x.row.MemberID })
}

// Device is a device as clients see it.
type Device struct{ row im.Device }

// Device presents a device.
func (*Batch) Device(d im.Device) *Device { return &Device{d} }

// The methods of Device are the fields of the schema.
func (*Device) IsNode()                  {}
func (d *Device) ID() string             { return id(im.KindDevice, d.row.ID) }
func (d *Device) Label() string          { return d.row.Label }
func (d *Device) Kind() string           { return d.row.Kind }
func (d *Device) CompanyOwned() bool     { return d.row.CompanyOwned }
func (d *Device) LastSeenAt() *time.Time { return at(d.row.LastSeenAt) }
func (d *Device) SignedIn() bool         { return d.row.SignedIn }

// ExternalContact is a contact as clients see it.
type ExternalContact struct {
	b   *Batch
	row im.ExternalContact
}

// Contact presents a contact.
func (b *Batch) Contact(c im.ExternalContact) *ExternalContact {
	return show(b, &b.shown.contacts, &ExternalContact{b, c})
}

// seenContact presents a contact that was read along; nil where the viewer does not see it.
func (b *Batch) seenContact(c *im.ExternalContact) *ExternalContact {
	if c.ID.IsZero() {
		return nil
	}
	return b.Contact(*c)
}

// The methods of ExternalContact are the fields of the schema.
func (*ExternalContact) IsNode()                        {}
func (*ExternalContact) IsParty()                       {}
func (*ExternalContact) IsBlockTarget()                 {}
func (c *ExternalContact) key() im.ID                   { return c.row.ID }
func (c *ExternalContact) ID() string                   { return id(im.KindContact, c.row.ID) }
func (c *ExternalContact) Name() string                 { return c.row.Name }
func (c *ExternalContact) Company() *string             { return some(c.row.Company) }
func (c *ExternalContact) Verified() bool               { return c.row.Verified }
func (c *ExternalContact) Region() *string              { return some(c.row.Region) }
func (c *ExternalContact) Importance() model.Importance { return model.Importance(c.row.Importance) }
func (c *ExternalContact) Status() model.ContactStatus {
	return model.ContactStatus(c.row.StatusAt(c.b.src.Blocking.Now()))
}
func (c *ExternalContact) Tags() []string { return append([]string{}, c.row.Tags...) }
func (c *ExternalContact) Workspace(ctx context.Context) (*Workspace, error) {
	return c.b.workspace(ctx, c.row.WorkspaceID)
}
func (c *ExternalContact) Owner(ctx context.Context) (*Member, error) {
	return to(ctx, c.b, "ExternalContact.owner", &c.b.shown.contacts, members, c, func(c *ExternalContact) im.ID { return c.row.OwnerID })
}

func (c *ExternalContact) shows(ctx context.Context) (bool, error) {
	if directory.ShowsContact(c.b.viewer, false) {
		return true, nil
	}
	followed, err := c.b.followed.get(ctx, c.row.ID)
	return directory.ShowsContact(c.b.viewer, followed), err
}

func (c *ExternalContact) PlatformID(ctx context.Context) (*string, error) {
	if ok, err := c.shows(ctx); !ok || err != nil {
		return nil, err
	}
	return some(c.row.PlatformID), nil
}

func (c *ExternalContact) Phone(ctx context.Context) (*string, error) {
	if ok, err := c.shows(ctx); !ok || err != nil {
		return some(directory.MaskPhone(c.row.Phone)), err
	}
	return some(c.row.Phone), nil
}

func (c *ExternalContact) Opportunities(ctx context.Context) ([]*Opportunity, error) {
	return list(to(ctx, c.b, "ExternalContact.opportunities", &c.b.shown.contacts, opportunitiesOf, c, (*ExternalContact).key))
}

func (c *ExternalContact) ViewerMay(ctx context.Context) ([]string, error) {
	n := next(c.b, "ExternalContact.viewerMay", &c.b.shown.contacts, func(n *Batch, c *ExternalContact) { n.may.announce(c.row.Ref()) })
	return list(n.may.get(ctx, c.row.Ref()))
}

func (c *ExternalContact) Pool(ctx context.Context) (*Department, error) {
	return to(ctx, c.b, "ExternalContact.pool", &c.b.shown.contacts, departments, c, func(c *ExternalContact) im.ID { return c.row.PoolDepartmentID })
}

func (c *ExternalContact) Followers(ctx context.Context) ([]*ContactFollow, error) {
	return list(to(ctx, c.b, "ExternalContact.followers", &c.b.shown.contacts, followsOf, c, (*ExternalContact).key))
}

// ContactFollow is a member's tie with a contact as clients see it.
type ContactFollow struct {
	b   *Batch
	row im.Follow
}

func (b *Batch) contactFollow(f im.Follow) *ContactFollow {
	return show(b, &b.shown.follows, &ContactFollow{b, f})
}

// The methods of ContactFollow are the fields of the schema.
func (f *ContactFollow) Since() time.Time { return f.row.Since }
func (f *ContactFollow) Remark() *string  { return some(f.row.Remark) }
func (f *ContactFollow) Tags() []string   { return append([]string{}, f.row.Tags...) }
func (f *ContactFollow) Source() *string  { return some(f.row.Source) }
func (f *ContactFollow) Member(ctx context.Context) (*Member, error) {
	return to(ctx, f.b, "ContactFollow.member", &f.b.shown.follows, members, f, func(f *ContactFollow) im.ID { return f.row.MemberID })
}

// Opportunity is an opportunity as clients see it.
type Opportunity struct {
	b   *Batch
	row im.Opportunity
}

// Opportunity presents an opportunity.
func (b *Batch) Opportunity(o im.Opportunity) *Opportunity {
	return show(b, &b.shown.opportunities, &Opportunity{b, o})
}

// The methods of Opportunity are the fields of the schema.
func (*Opportunity) IsNode()            {}
func (o *Opportunity) ID() string       { return id(im.KindOpportunity, o.row.ID) }
func (o *Opportunity) Title() string    { return o.row.Title }
func (o *Opportunity) Currency() string { return o.row.Currency }
func (o *Opportunity) Stage() string    { return o.row.Stage }
func (o *Opportunity) Open() bool       { return o.row.Open }
func (o *Opportunity) Amount() *string  { return some(money(o.row.Amount)) }
func (o *Opportunity) Owner(ctx context.Context) (*Member, error) {
	return to(ctx, o.b, "Opportunity.owner", &o.b.shown.opportunities, members, o, func(o *Opportunity) im.ID { return o.row.OwnerID })
}

// money is an amount in hundredths as a decimal number.
func money(hundredths int64) string {
	sign := ""
	if hundredths < 0 {
		sign, hundredths = "-", -hundredths
	}
	return fmt.Sprintf("%s%d.%02d", sign, hundredths/100, hundredths%100)
}

// Group is a group as clients see it.
type Group struct {
	b   *Batch
	row im.Group
}

// Group presents a group.
func (b *Batch) Group(g im.Group) *Group {
	b.announcements.announce(g.AnnouncementID)
	return show(b, &b.shown.groups, &Group{b, g})
}

// The methods of Group are the fields of the schema.
func (*Group) IsNode()                   {}
func (g *Group) key() im.ID              { return g.row.ID }
func (g *Group) ID() string              { return id(im.KindGroup, g.row.ID) }
func (g *Group) PlatformID() *string     { return some(g.row.PlatformID) }
func (g *Group) Name() string            { return g.row.Name }
func (g *Group) Kind() model.GroupKind   { return model.GroupKind(g.row.Kind) }
func (g *Group) ProjectClosed() *bool    { return g.row.ProjectClosed }
func (g *Group) DissolvedAt() *time.Time { return at(g.row.DissolvedAt) }
func (g *Group) Workspace(ctx context.Context) (*Workspace, error) {
	return g.b.workspace(ctx, g.row.WorkspaceID)
}
func (g *Group) Owner(ctx context.Context) (*Member, error) {
	return to(ctx, g.b, "Group.owner", &g.b.shown.groups, members, g, func(g *Group) im.ID { return g.row.OwnerID })
}

func (g *Group) Announcement(ctx context.Context) (*string, error) {
	if g.row.AnnouncementID.IsZero() {
		return some(g.row.Announcement), nil
	}
	text, err := g.b.announcements.get(ctx, g.row.AnnouncementID)
	return some(string(text)), err
}

func (g *Group) Admins(ctx context.Context) ([]*Member, error) {
	ids, err := g.b.adminsOf.get(ctx, g.row.ID)
	if err != nil {
		return nil, err
	}
	n := next(g.b, "Group.admins", &g.b.shown.groups, func(*Batch, *Group) {})
	g.b.adminsOf.each(func(ids []im.ID) { n.members.announce(ids...) })
	return n.several(ctx, ids)
}

// GroupMembership is a place in a group as clients see it.
type GroupMembership struct {
	b   *Batch
	row im.Membership
}

// GroupMembership presents a place in a group.
func (b *Batch) GroupMembership(m im.Membership) *GroupMembership {
	return show(b, &b.shown.memberships, &GroupMembership{b, m})
}

// The methods of GroupMembership are the fields of the schema.
func (*GroupMembership) IsNode()               {}
func (m *GroupMembership) ID() string          { return id(im.KindMembership, m.row.ID) }
func (m *GroupMembership) JoinedAt() time.Time { return m.row.JoinedAt }
func (m *GroupMembership) LeftAt() *time.Time  { return at(m.row.LeftAt) }
func (m *GroupMembership) Group(ctx context.Context) (*Group, error) {
	return to(ctx, m.b, "GroupMembership.group", &m.b.shown.memberships, groups, m, func(m *GroupMembership) im.ID { return m.row.GroupID })
}
func (m *GroupMembership) Party(ctx context.Context) (Party, error) {
	n := next(m.b, "GroupMembership.party", &m.b.shown.memberships, func(n *Batch, m *GroupMembership) { n.announceNode(m.row.Party) })
	return n.party(ctx, m.row.Party)
}
func (m *GroupMembership) InvitedBy(ctx context.Context) (*Member, error) {
	return to(ctx, m.b, "GroupMembership.invitedBy", &m.b.shown.memberships, members, m, func(m *GroupMembership) im.ID { return m.row.InvitedBy })
}

// several is those of some members whom the viewer may see.
func (b *Batch) several(ctx context.Context, ids []im.ID) ([]*Member, error) {
	b.members.announce(ids...)
	out := []*Member{}
	for _, i := range ids {
		m, err := b.members.get(ctx, i)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// Workspace is a workspace as clients see it.
type Workspace struct {
	b   *Batch
	row im.Workspace
}

// Workspace presents a workspace.
func (b *Batch) Workspace(w im.Workspace) *Workspace { return &Workspace{b, w} }

// The methods of Workspace are the fields of the schema.
func (*Workspace) IsNode()                        {}
func (w *Workspace) ID() string                   { return id(im.KindWorkspace, w.row.ID) }
func (w *Workspace) Name() string                 { return w.row.Name }
func (w *Workspace) Region() *string              { return some(w.row.Region) }
func (w *Workspace) TimeZone() string             { return w.row.TimeZone }
func (w *Workspace) CustomerContactEnabled() bool { return w.row.CustomerContact }
func (w *Workspace) Platform() *model.Platform {
	return PlatformOf(w.b.src.Platforms.Platform(w.row.Platform))
}
func (w *Workspace) Capabilities() []*model.Capability {
	return capabilities(w.b.src.Platforms.Capabilities(w.row))
}

func (w *Workspace) Health(ctx context.Context) (*WorkspaceHealth, error) {
	waiting, err := w.b.waiting.get(ctx, true)
	h := w.b.src.Platforms.Health(w.row.ID)
	return &WorkspaceHealth{h.Reachable, waiting[w.row.ID], some(h.LastError), w}, err
}

// WorkspaceHealth is how the connection of a workspace does.
type WorkspaceHealth struct {
	Reachable         bool
	PendingDeliveries int
	LastError         *string

	of *Workspace
}

// Quota is what is left of the limits that the platform publishes.
func (h *WorkspaceHealth) Quota(ctx context.Context) ([]*model.QuotaState, error) {
	all, err := h.of.b.quotas.get(ctx, true)
	return All(all[h.of.row.ID], func(q platform.Quota) *model.QuotaState {
		return &model.QuotaState{Scope: q.Scope, Limit: q.Limit, Remaining: q.Remaining, ResetsAt: at(q.ResetsAt)}
	}), err
}

// PlatformOf presents a platform.
func PlatformOf(p platform.Platform) *model.Platform {
	return &model.Platform{Name: p.Name, Title: p.Title, Capabilities: capabilities(p.Capabilities)}
}

func capabilities(cs []platform.Capability) []*model.Capability {
	return All(cs, func(c platform.Capability) *model.Capability {
		return &model.Capability{Action: c.Action, Enforcement: model.Enforcement(c.Enforcement), Note: some(c.Note)}
	})
}
