// Package demo is the company that guanxi shows itself with: people, accounts, customers and groups as DEMO.md lists
// them, and enough others around them that lists have pages. It is data alone; nothing in it is real.
package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// The names of the workspaces.
const (
	native   = "native"
	wecom    = "wecom-hq"
	dingtalk = "dingtalk-hq"
	feishu   = "feishu-hq"
	wechat   = "wechat-personal"
)

const (
	region   = "CN"
	timeZone = "Asia/Shanghai"
	currency = "CNY"
	day      = 24 * time.Hour
)

// Persona is one of the people whose eyes the demo can be seen through.
type Persona struct {
	Account string
	Name    string
	Roles   []string
}

// Personas are the people that DEMO.md names, in order of their employee numbers.
func Personas() []Persona {
	out := make([]Persona, len(named))
	for i, p := range named {
		out[i] = Persona{p.account(), p.name, []string{p.role}}
	}
	return out
}

// Company makes the demo company as it stands at now. But for the ids it is the same every time, and all that lies
// in its past is a fixed span before now.
func Company(ids *im.IDs, now time.Time) directory.Snapshot {
	b := builder{
		ids:         ids,
		now:         now.UTC().Truncate(time.Microsecond),
		workspaces:  map[string]im.ID{},
		departments: map[string]im.Department{},
		members:     map[string]im.ID{},
		contacts:    map[string]im.ID{},
	}
	b.addWorkspaces()
	people := slices.Concat(named, others)
	for _, p := range people {
		b.members[p.no] = ids.New()
	}
	b.addDepartments()
	for _, p := range people {
		b.addMember(p)
	}
	for _, p := range people {
		b.addAccounts(p)
	}
	b.addUnmanned()
	b.addIdentities()
	for i, c := range slices.Concat(namedContacts, otherContacts()) {
		b.addContact(i, c)
	}
	b.addColleagues()
	for _, g := range slices.Concat(namedGroups(), otherGroups()) {
		b.addGroup(g)
	}
	b.addLeft()
	return b.Snapshot
}

// builder fills a snapshot. Its maps know ids by workspace name, department path, employee number and the platform
// id of a contact.
type builder struct {
	directory.Snapshot
	ids         *im.IDs
	now         time.Time
	workspaces  map[string]im.ID
	departments map[string]im.Department
	members     map[string]im.ID
	contacts    map[string]im.ID
}

// must is the entry of a map that the tables of this package promise.
func must[V any](m map[string]V, key string) V {
	v, ok := m[key]
	if !ok {
		panic(fmt.Sprintf("demo: nothing is called %q", key))
	}
	return v
}

func (b *builder) addWorkspaces() {
	for _, w := range []struct {
		name, platform  string
		customerContact bool
	}{
		{native, "native", false},
		{wecom, "wecom", true},
		{dingtalk, "dingtalk", false},
		{feishu, "feishu", false},
		{wechat, "wechat", false},
	} {
		id := b.ids.New()
		b.workspaces[w.name] = id
		b.Workspaces = append(b.Workspaces, im.Workspace{
			ID: id, Name: w.name, Platform: w.platform, Region: region, TimeZone: timeZone, CustomerContact: w.customerContact,
		})
	}
}

func (b *builder) addDepartments() {
	for _, d := range departments {
		var parent im.Department
		if d.parent != "" {
			parent = must(b.departments, d.parent)
		}
		id := b.ids.New()
		department := im.Department{
			ID: id, Name: d.name, SortKey: pinyin.Text(d.name), ParentID: parent.ID,
			ManagerID: must(b.members, d.manager), Path: parent.Path + id.String() + "/",
		}
		b.departments[d.path()] = department
		b.Departments = append(b.Departments, department)
	}
}

func (b *builder) addMember(p person) {
	department := must(b.departments, p.department).ID
	m := im.Member{
		ID: must(b.members, p.no), Name: p.name, SortKey: pinyin.Person(p.name), EmployeeNo: p.no, AccountName: p.account(),
		Position: p.position, Rank: p.rank, Phone: phone(len(b.Members) + 1), Roles: []string{p.role}, JobFunction: p.function,
		Region: region, DepartmentID: department, Departments: []im.ID{department}, Employment: im.Employed,
	}
	if p.no == leaver {
		m.Employment = im.Departed
	}
	if p.manager != "" {
		m.ManagerID = must(b.members, p.manager)
	}
	b.Members = append(b.Members, m)
}

func (b *builder) addContact(i int, c contact) {
	id := b.ids.New()
	b.contacts[c.platformID] = id
	owner := must(b.members, c.owner)
	row := im.ExternalContact{
		ID: id, WorkspaceID: must(b.workspaces, c.workspace), PlatformID: c.platformID, Name: c.name,
		SortKey: pinyin.Person(c.name), Company: c.company, Phone: phone(1001 + i), Verified: c.verified, Region: region,
		Importance: c.importance, Status: im.ContactActive, OwnerID: owner, Tags: c.tags,
	}
	if slices.Contains(pooled, c.platformID) {
		row.OwnerID, row.PoolDepartmentID = im.ID{}, must(b.departments, "客服部").ID
	}
	b.Contacts = append(b.Contacts, row)
	f := im.Follow{ContactID: id, MemberID: owner, Since: b.now.Add(-time.Duration(60+i%300) * day), Source: followSources[i%len(followSources)]}
	if i%5 == 0 {
		f.Remark, f.Tags = c.name+"（"+c.company+"）", []string{"展会认识"}
	}
	b.Follows = append(b.Follows, f)
	if o := c.opportunity; o.title != "" {
		b.Opportunities = append(b.Opportunities, im.Opportunity{
			ID: b.ids.New(), ContactID: id, Title: o.title, Amount: o.yuan * 100, Currency: currency,
			Stage: o.stage, Open: o.stage != won, OwnerID: owner,
		})
	}
}

func (b *builder) addGroup(g group) {
	owner := must(b.members, g.owner)
	row := im.Group{
		ID: b.ids.New(), WorkspaceID: must(b.workspaces, g.workspace), PlatformID: g.platformID, Name: g.name,
		SortKey: pinyin.Text(g.name), Kind: g.kind, OwnerID: owner,
	}
	if g.kind == im.ProjectGroup {
		row.ProjectClosed = new(bool)
	}
	b.Groups = append(b.Groups, row)

	join := func(party im.Ref, admin bool) {
		m := im.Membership{ID: b.ids.New(), GroupID: row.ID, Party: party, Admin: admin, JoinedAt: b.now.Add(-45 * day), InvitedBy: owner}
		if party.ID == owner {
			m.JoinedAt, m.InvitedBy = b.now.Add(-50*day), im.ID{} // who made the group
		}
		b.Memberships = append(b.Memberships, m)
	}
	for _, no := range g.members {
		join(im.Ref{Kind: im.KindMember, ID: must(b.members, no)}, slices.Contains(g.admins, no))
	}
	for _, platformID := range g.contacts {
		join(im.Ref{Kind: im.KindContact, ID: must(b.contacts, platformID)}, false)
	}
}

// addColleagues has a second seller know some of the others' contacts.
func (b *builder) addColleagues() {
	first := len(namedContacts)
	for i, c := range b.Contacts[first:] {
		seller := must(b.members, sellers[(i+1)%len(sellers)])
		if i%40 == 0 && c.WorkspaceID == b.workspaces[wecom] {
			b.Follows = append(b.Follows, im.Follow{ContactID: c.ID, MemberID: seller, Since: b.now.Add(-20 * day), Remark: c.Name, Source: followSources[2]})
		}
	}
}

// addLeft has people who were in groups of the others before: the leaver, and one who moved on.
func (b *builder) addLeft() {
	for i, g := range b.Groups[len(namedGroups()):] {
		if no := [...]string{leaver, "", "019"}[i%3]; no != "" && (g.WorkspaceID == b.workspaces[native] || g.WorkspaceID == b.workspaces[wecom]) {
			b.Memberships = append(b.Memberships, im.Membership{ID: b.ids.New(), GroupID: g.ID, Party: im.Ref{Kind: im.KindMember, ID: must(b.members, no)},
				JoinedAt: b.now.Add(-45 * day), LeftAt: b.now.Add(-41 * day), InvitedBy: g.OwnerID})
		}
	}
}

// phone makes numbers that look like mobile ones and reach nobody: no operator has the prefix 154.
func phone(n int) string { return fmt.Sprintf("+86154%08d", n) }
