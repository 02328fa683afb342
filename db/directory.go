package db

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

var _ directory.Store = (*Store)(nil)

const memberColumns = ownMemberColumns + ", " + departmentOfMember + ", " + rolesOfMember

func scanMember(r row) (im.Member, error) {
	var m im.Member
	err := r.Scan(append(memberInto(&m), &m.DepartmentID, words{&m.Roles})...)
	slices.Sort(m.Roles)
	return m, err
}

// memberInto scans a member's own columns.
func memberInto(m *im.Member) []any {
	return []any{&m.ID, &m.Name, &m.SortKey, &m.EmployeeNo, &m.AccountName, &m.Position, &m.Rank, &m.Phone, textOf(&m.JobFunction),
		&m.Region, &m.ManagerID, textOf(&m.Employment), stamp{&m.ValidFrom}}
}

// MemberByAccount reads whom a token names, whoever asks.
func (s *Store) MemberByAccount(ctx context.Context, account string) (m im.Member, found bool, err error) {
	q := s.bestStanding(new(builder).add("select "), s.now()).add(", "+memberColumns+" from members m where m.account_name = ?", account)
	err = s.read(ctx, q.stmt(one(&m, &found, signedIn(scanMember))))
	return m, found, unavailable(err, "read member by account")
}

// PeopleVersion grows after each write of this process that may have changed who is let in, or with what rights, or ended a key.
func (s *Store) PeopleVersion() uint64 { return s.people.Load() }

// signedIn scans a member behind how he stands.
func signedIn(scan func(row) (im.Member, error)) func(row) (im.Member, error) {
	return func(r row) (im.Member, error) {
		standing := ""
		m, err := scan(behind{r, []any{textOf(&standing)}})
		m.Standing = standing
		return m, err
	}
}

// one scans the only row.
func one[T any](into *T, found *bool, scan func(row) (T, error)) func(row) error {
	return func(r row) (err error) {
		*found = true
		*into, err = scan(r)
		return err
	}
}

// FindMember reads one member by exactly one of id, employee number and account name.
func (s *Store) FindMember(ctx context.Context, v im.Viewer, by directory.MemberKey) (m im.Member, found bool, err error) {
	columns, joins, scan := membersAlong(v, by.Along)
	q := new(builder).add("select ")
	if by.SigningIn {
		s.bestStanding(q, s.now()).add(", ")
		scan = signedIn(scan)
	}
	q.add(columns + " from members m").join(joins).add(" where ")
	switch {
	case by.EmployeeNo != "":
		q.add("m.employee_no = ?", by.EmployeeNo)
	case by.AccountName != "":
		q.add("m.account_name = ?", by.AccountName)
	default:
		q.add("m.id = ?", by.ID)
	}
	q.add(" and ").visibleTo(v, im.KindMember)
	err = s.read(ctx, q.stmt(one(&m, &found, scan)))
	return m, found, unavailable(err, "read member")
}

// behind is a row that begins with the columns of others.
type behind struct {
	row
	others []any
}

// Scan reads the others' columns, and then the row's own.
func (b behind) Scan(dest ...any) error { return b.row.Scan(append(b.others, dest...)...) }

// byIDs reads the rows of some ids that the viewer may see, keyed by id.
func byIDs[T any](ctx context.Context, s *Store, v im.Viewer, kind im.Kind, columns, from, id string, ids []im.ID, scan func(row) (T, error), key func(T) im.ID) (map[im.ID]T, error) {
	out := make(map[im.ID]T, len(ids))
	q := new(builder).add("select " + columns + " from " + from + " where " + id + " in ").in(ids)
	if kind != "" {
		q.add(" and ").visibleTo(v, kind)
	}
	err := s.read(ctx, q.stmt(func(r row) error {
		t, err := scan(r)
		out[key(t)] = t
		return err
	}))
	return out, unavailable(err, "read "+from)
}

// Members reads members by id.
func (s *Store) Members(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Member, error) {
	return byIDs(ctx, s, v, im.KindMember, memberColumns, "members m", "m.id", ids, scanMember, func(m im.Member) im.ID { return m.ID })
}

// ListMembers reads one page of members.
func (s *Store) ListMembers(ctx context.Context, v im.Viewer, f directory.MemberFilter, r page.Request) (page.Result[im.Member], error) {
	where := new(builder).visibleTo(v, im.KindMember)
	if f.Query != "" {
		where.add(` and m.folded like ? escape '\'`, contains(f.Query))
	}
	if !f.DepartmentID.IsZero() {
		if f.IncludeDescendants {
			where.add(` and m.id in (select md.member_id from departments top cross join departments d cross join member_departments md
				where top.id = ? and d.path >= top.path and d.path < top.path || '~' and md.department_id = d.id)`, f.DepartmentID)
		} else {
			where.add(" and m.id in (select md.member_id from member_departments md where md.department_id = ?)", f.DepartmentID)
		}
	}
	if f.Role != "" {
		where.add(" and m.id in (select mr.member_id from member_roles mr where mr.role = ?)", f.Role)
	}
	if f.JobFunction != "" {
		where.add(" and m.job_function = ?", f.JobFunction)
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and exists (select 1 from accounts a where a.member_id = m.id and a.workspace_id = ? and ", f.WorkspaceID).
			visibleTo(v, im.KindAccount).add(")")
	}
	switch f.Employment { // nobody may see a departure yet
	case "":
	case im.Employed:
		where.add(" and m.employment in (?, ?)", im.Employed, im.Departing)
	case im.Departing:
		where.add(" and false")
	default:
		unusual(where.add(" and m.employment = ?", f.Employment), "m.employment", im.Employed, f.Employment)
	}
	if f.LinkedToPersonal != nil {
		where.add(" and exists (select 1 from identity_links i where i.member_id = m.id and i.personal) = ?", *f.LinkedToPersonal)
	}
	l := memberListing(where, r.Order)
	columns, joins, scan := membersAlong(v, f.Along)
	l.columns, l.joins = columns, joins
	l.scan = placed(scan, r.Order)
	return list(ctx, s, l, r)
}

// memberListing is members m in one of their orders.
func memberListing(where *builder, by string) listing[im.Member] {
	orders := map[string]order{
		directory.MembersByID:         {id: "m.id"},
		directory.MembersByName:       {key: "m.sort_key", id: "m.id", arg: byText},
		directory.MembersByEmployeeNo: {key: "m.employee_no", id: "m.id", arg: byText},
		directory.MembersByRank:       {key: "(-m.rank)", id: "m.id", arg: byNumber},
	}
	return listing[im.Member]{columns: memberColumns, from: "members m", where: where, order: orders[by], scan: placed(scanMember, by)}
}

// placed scans a member, and where he stands in an order.
func placed(scan func(row) (im.Member, error), by string) func(row) (im.Member, page.Position, error) {
	return func(row row) (im.Member, page.Position, error) {
		m, err := scan(row)
		p := page.Position{ID: m.ID}
		switch by {
		case directory.MembersByName:
			p.Key = m.SortKey
		case directory.MembersByEmployeeNo:
			p.Key = m.EmployeeNo
		case directory.MembersByRank:
			p.Key = strconv.Itoa(-m.Rank)
		}
		return m, p, err
	}
}

// inDepartment is the members m of a department p.
const inDepartment = "m.id in (select md.member_id from member_departments md where md.department_id = p.id) and "

// inDepartments is those of the departments below it too.
const inDepartments = `m.id in (select md.member_id from departments d cross join member_departments md
	where d.path >= p.path and d.path < p.path || '~' and md.department_id = d.id) and `

// MembersIn reads a page of the members of each of some departments.
func (s *Store) MembersIn(ctx context.Context, v im.Viewer, departments []im.ID, descendants bool, r page.Request) (map[im.ID]page.Result[im.Member], error) {
	where := new(builder).add(inDepartment)
	if descendants {
		where = new(builder).add(inDepartments)
	}
	return pages(ctx, s, "departments", departments, memberListing(where.visibleTo(v, im.KindMember), r.Order), r)
}

// ReportsOf reads a page of those who report to each of some members.
func (s *Store) ReportsOf(ctx context.Context, v im.Viewer, managers []im.ID, r page.Request) (map[im.ID]page.Result[im.Member], error) {
	where := new(builder).add("m.manager_id = p.id and ").visibleTo(v, im.KindMember)
	return pages(ctx, s, "members", managers, memberListing(where, r.Order), r)
}

// theMember adds the condition that an id is that of a member whom the viewer may see: nothing is found by somebody hidden.
func (q *builder) theMember(v im.Viewer, id string, args ...any) *builder {
	if v.Scopes[im.KindMember].Has(im.ScopeAll) {
		return q
	}
	return q.add(" and exists (select 1 from members m where m.id = "+id+" and ", args...).visibleTo(v, im.KindMember).add(")")
}

// contains is a LIKE pattern for folded texts that hold s, with \ as its escape character.
func contains(s string) string { return "%" + literally(directory.Fold(s)) + "%" }

// literally is s in a LIKE pattern, with \ as its escape character.
func literally(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

const departmentColumns = "d.id, d.name, d.sort_key, d.parent_id, d.manager_id, d.path"

func scanDepartment(r row) (d im.Department, err error) {
	err = r.Scan(&d.ID, &d.Name, &d.SortKey, &d.ParentID, &d.ManagerID, &d.Path)
	return d, err
}

// Departments reads departments by id; the tree is no secret.
func (s *Store) Departments(ctx context.Context, ids []im.ID) (map[im.ID]im.Department, error) {
	return byIDs(ctx, s, im.Viewer{}, "", departmentColumns, "departments d", "d.id", ids, scanDepartment, func(d im.Department) im.ID { return d.ID })
}

// ListDepartments reads one page of departments.
func (s *Store) ListDepartments(ctx context.Context, r page.Request) (page.Result[im.Department], error) {
	return list(ctx, s, listing[im.Department]{columns: departmentColumns, from: "departments d", where: new(builder).add("true"),
		order: order{id: "d.id"}, scan: func(row row) (im.Department, page.Position, error) {
			d, err := scanDepartment(row)
			return d, page.Position{ID: d.ID}, err
		}}, r)
}

// many reads rows that belong to some parents, grouped by the parent that scan names.
func many[T any](ctx context.Context, s *Store, q *builder, scan func(row, *im.ID) (T, error)) (map[im.ID][]T, error) {
	out := make(map[im.ID][]T)
	err := s.read(ctx, q.stmt(func(r row) error {
		var parent im.ID
		t, err := scan(r, &parent)
		out[parent] = append(out[parent], t)
		return err
	}))
	return out, unavailable(err, "read rows of parents")
}

// DepartmentsOf reads the departments of members, the primary one first.
func (s *Store) DepartmentsOf(ctx context.Context, members []im.ID) (map[im.ID][]im.Department, error) {
	q := new(builder).add("select md.member_id, " + departmentColumns + ` from member_departments md
		join departments d on d.id = md.department_id where md.member_id in `).in(members).add(" order by md.member_id, md.is_primary desc, d.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (d im.Department, err error) {
		err = r.Scan(parent, &d.ID, &d.Name, &d.SortKey, &d.ParentID, &d.ManagerID, &d.Path)
		return d, err
	})
}

// ChildrenOf reads the departments right below some.
func (s *Store) ChildrenOf(ctx context.Context, departments []im.ID) (map[im.ID][]im.Department, error) {
	q := new(builder).add("select " + departmentColumns + " from departments d where d.parent_id in ").in(departments).add(" order by d.parent_id, d.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (im.Department, error) {
		d, err := scanDepartment(r)
		*parent = d.ParentID
		return d, err
	})
}

const workspaceColumns = "w.id, w.name, w.platform, w.region, w.time_zone, w.customer_contact"

func scanWorkspace(r row) (w im.Workspace, err error) {
	err = r.Scan(&w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact)
	return w, err
}

// Workspaces reads all workspaces, oldest first; there are few and they are no secret.
func (s *Store) Workspaces(ctx context.Context) (out []im.Workspace, err error) {
	err = s.read(ctx, stmt{text: "select " + workspaceColumns + " from workspaces w order by w.id", scan: func(r row) error {
		w, err := scanWorkspace(r)
		out = append(out, w)
		return err
	}})
	return out, unavailable(err, "read workspaces")
}

// forever is the last moment that the store can keep.
const forever = "9223372036854775807"

const contactColumns = `c.id, c.workspace_id, c.platform_id, c.name, c.sort_key, c.company, c.phone, c.verified, c.region, c.importance,
	c.status, (select max(coalesce(b.expires_at, ` + forever + `)) from relationships b where b.target_id = c.id and b.kind = 'BLACKLIST'
	and b.state in ('ACTIVE', 'UNDO_PENDING_APPROVAL')), c.owner_id, c.pool_department_id, (select string_agg(ct.tag, '` + separator + `') from contact_tags ct where ct.contact_id = c.id)`

func scanContact(r row) (im.ExternalContact, error) {
	var c im.ExternalContact
	err := r.Scan(&c.ID, &c.WorkspaceID, &c.PlatformID, &c.Name, &c.SortKey, &c.Company, &c.Phone, &c.Verified, &c.Region,
		textOf(&c.Importance), textOf(&c.Status), stamp{&c.BlacklistedUntil}, &c.OwnerID, &c.PoolDepartmentID, words{&c.Tags})
	slices.Sort(c.Tags)
	return c, err
}

// Contacts reads contacts by id.
func (s *Store) Contacts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.ExternalContact, error) {
	return byIDs(ctx, s, v, im.KindContact, contactColumns, "external_contacts c", "c.id", ids, scanContact, func(c im.ExternalContact) im.ID { return c.ID })
}

// ListContacts reads one page of contacts.
func (s *Store) ListContacts(ctx context.Context, v im.Viewer, f directory.ContactFilter, r page.Request) (page.Result[im.ExternalContact], error) {
	where := new(builder).visibleTo(v, im.KindContact)
	return list(ctx, s, contactListing(s.contacts(where, v, f)), r)
}

// ContactsOf reads a page of the contacts that each of some members owns or follows.
func (s *Store) ContactsOf(ctx context.Context, v im.Viewer, members []im.ID, f directory.ContactFilter, r page.Request) (map[im.ID]page.Result[im.ExternalContact], error) {
	where := new(builder).add(`c.id in (select oc.id from external_contacts oc where oc.owner_id = p.id
		union select f.contact_id from contact_follows f where f.member_id = p.id) and `).visibleTo(v, im.KindContact)
	return pages(ctx, s, "members", members, contactListing(s.contacts(where, v, f)), r)
}

// blacklisted selects the contacts that are blacklisted at a moment.
const blacklisted = `select b.target_id from relationships b where b.kind = 'BLACKLIST' and b.state in ('ACTIVE', 'UNDO_PENDING_APPROVAL')
	and (b.expires_at is null or b.expires_at > ?)`

// contacts adds the conditions of a filter on contacts c.
func (s *Store) contacts(where *builder, v im.Viewer, f directory.ContactFilter) *builder {
	if f.Query != "" {
		where.add(` and (c.folded like ? escape '\' or `, contains(f.Query)).unmasked(v).
			add(" and (c.platform_id = ? or c.phone = ?", f.Query, f.Query)
		if number := directory.Dial(f.Query); number != "" {
			where.add(" or c.dialled = ?", number)
		}
		where.add("))")
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and c.workspace_id = ?", f.WorkspaceID)
	}
	if !f.OwnerID.IsZero() {
		where.add(" and c.owner_id = ?", f.OwnerID).theMember(v, "c.owner_id")
	}
	if !f.PoolID.IsZero() {
		where.add(" and c.pool_department_id = ?", f.PoolID)
	}
	switch f.Status {
	case "":
	case im.ContactBlacklisted:
		where.add(" and c.id in ("+blacklisted+" union all select sc.id from external_contacts sc where sc.status = ? and sc.status <> 'ACTIVE')",
			us(s.now()), f.Status)
	default:
		unusual(where.add(" and c.status = ?", f.Status), "c.status", im.ContactActive, f.Status).add(" and c.id not in ("+blacklisted+")", us(s.now()))
	}
	if f.Importance != "" {
		unusual(where.add(" and c.importance = ?", f.Importance), "c.importance", im.NormalContact, f.Importance)
	}
	if f.Tag != "" {
		where.add(" and c.id in (select ct.contact_id from contact_tags ct where ct.tag = ?)", f.Tag)
	}
	if f.Verified != nil {
		where.add(" and c.verified = ?", *f.Verified)
	}
	return where
}

func contactListing(where *builder) listing[im.ExternalContact] {
	return listing[im.ExternalContact]{columns: contactColumns, from: "external_contacts c", where: where, order: order{id: "c.id"},
		scan: func(row row) (im.ExternalContact, page.Position, error) {
			c, err := scanContact(row)
			return c, page.Position{ID: c.ID}, err
		}}
}

// unmasked adds the condition that the viewer sees the platform id and the phone number of contact c whole.
func (q *builder) unmasked(v im.Viewer) *builder {
	switch {
	case v.Unmask.Has(im.ScopeAll):
		return q.add("true")
	case v.Unmask.Has(im.ScopeFollows):
		return q.add("(c.owner_id = ? or exists (select 1 from contact_follows f where f.contact_id = c.id and f.member_id = ?))", v.ID(), v.ID())
	}
	return q.add("false")
}

// FollowsOf reads who holds a tie with contacts, the oldest tie first.
func (s *Store) FollowsOf(ctx context.Context, contacts []im.ID) (map[im.ID][]im.Follow, error) {
	q := new(builder).add("select f.contact_id, f.member_id, f.since, f.remark, f.tags, f.source from contact_follows f where f.contact_id in ").
		in(contacts).add(" order by f.contact_id, f.since, f.member_id")
	return many(ctx, s, q, func(r row, parent *im.ID) (f im.Follow, err error) {
		err = r.Scan(&f.ContactID, &f.MemberID, stamp{&f.Since}, &f.Remark, document{&f.Tags}, &f.Source)
		*parent = f.ContactID
		return f, err
	})
}

// FollowedBy says which of the contacts the member owns or follows.
func (s *Store) FollowedBy(ctx context.Context, member im.ID, contacts []im.ID) (map[im.ID]bool, error) {
	out := make(map[im.ID]bool)
	q := new(builder).add("select c.id from external_contacts c where c.id in ").in(contacts).
		add(" and (c.owner_id = ? or exists (select 1 from contact_follows f where f.contact_id = c.id and f.member_id = ?))", member, member)
	err := s.read(ctx, q.stmt(func(r row) error {
		var id im.ID
		err := r.Scan(&id)
		out[id] = true
		return err
	}))
	return out, unavailable(err, "read follows")
}

const opportunityColumns = "o.id, o.contact_id, o.title, o.amount, o.currency, o.stage, o.is_open, o.owner_id"

func scanOpportunity(r row) (o im.Opportunity, err error) {
	err = r.Scan(&o.ID, &o.ContactID, &o.Title, &o.Amount, &o.Currency, &o.Stage, &o.Open, &o.OwnerID)
	return o, err
}

// Opportunities reads opportunities by id, of contacts that the viewer may see.
func (s *Store) Opportunities(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Opportunity, error) {
	return byIDs(ctx, s, v, im.KindContact, opportunityColumns, "opportunities o join external_contacts c on c.id = o.contact_id", "o.id", ids,
		scanOpportunity, func(o im.Opportunity) im.ID { return o.ID })
}

// OpportunitiesOf reads the opportunities of contacts.
func (s *Store) OpportunitiesOf(ctx context.Context, contacts []im.ID) (map[im.ID][]im.Opportunity, error) {
	q := new(builder).add("select " + opportunityColumns + " from opportunities o where o.contact_id in ").in(contacts).add(" order by o.contact_id, o.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (im.Opportunity, error) {
		o, err := scanOpportunity(r)
		*parent = o.ContactID
		return o, err
	})
}

const groupColumns = "g.id, g.workspace_id, g.platform_id, g.name, g.sort_key, g.kind, g.owner_id, g.project_closed, g.announcement, g.announcement_id, g.dissolved_at"

func scanGroup(r row) (g im.Group, err error) {
	err = r.Scan(&g.ID, &g.WorkspaceID, &g.PlatformID, &g.Name, &g.SortKey, textOf(&g.Kind), &g.OwnerID, &g.ProjectClosed, &g.Announcement, &g.AnnouncementID,
		stamp{&g.DissolvedAt})
	return g, err
}

// Groups reads groups by id.
func (s *Store) Groups(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Group, error) {
	return byIDs(ctx, s, v, im.KindGroup, groupColumns, "groups g", "g.id", ids, scanGroup, func(g im.Group) im.ID { return g.ID })
}

// ListGroups reads one page of groups.
func (s *Store) ListGroups(ctx context.Context, v im.Viewer, f directory.GroupFilter, r page.Request) (page.Result[im.Group], error) {
	where := new(builder).visibleTo(v, im.KindGroup)
	if f.Query != "" {
		where.add(` and g.folded like ? escape '\'`, contains(f.Query))
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and g.workspace_id = ?", f.WorkspaceID)
	}
	if f.Kind != "" {
		where.add(" and g.kind = ?", f.Kind)
	}
	if !f.OwnerID.IsZero() {
		where.add(" and g.owner_id = ?", f.OwnerID).theMember(v, "g.owner_id")
	}
	if !f.MemberID.IsZero() {
		where.add(" and g.id in (select gm.group_id from group_members gm where gm.party_id = ? and gm.left_at is null)", f.MemberID).
			theMember(v, "?", f.MemberID)
	}
	return list(ctx, s, groupListing(where), r)
}

func groupListing(where *builder) listing[im.Group] {
	return listing[im.Group]{columns: groupColumns, from: "groups g", where: where, order: order{id: "g.id"},
		scan: func(row row) (im.Group, page.Position, error) {
			g, err := scanGroup(row)
			return g, page.Position{ID: g.ID}, err
		}}
}

// GroupsOf reads a page of the groups that each of some members is in.
func (s *Store) GroupsOf(ctx context.Context, v im.Viewer, members []im.ID, r page.Request) (map[im.ID]page.Result[im.Group], error) {
	where := new(builder).add("g.id in (select pm.group_id from group_members pm where pm.party_id = p.id and pm.left_at is null) and ").
		visibleTo(v, im.KindGroup)
	return pages(ctx, s, "members", members, groupListing(where), r)
}

const membershipColumns = "gm.id, gm.group_id, gm.party_kind, gm.party_id, gm.is_admin, gm.joined_at, gm.left_at, gm.invited_by"

func scanMembership(r row) (m im.Membership, err error) {
	err = r.Scan(&m.ID, &m.GroupID, textOf(&m.Party.Kind), &m.Party.ID, &m.Admin, stamp{&m.JoinedAt}, stamp{&m.LeftAt}, &m.InvitedBy)
	return m, err
}

// inSeenGroup adds the condition that place gm is in a group that the viewer may see, or his own, which he remembers.
func (q *builder) inSeenGroup(v im.Viewer) *builder {
	return q.add("(gm.party_id = ? or exists (select 1 from groups g where g.id = gm.group_id and ", v.ID()).visibleTo(v, im.KindGroup).add("))")
}

// Memberships reads places in groups by id.
func (s *Store) Memberships(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Membership, error) {
	out := make(map[im.ID]im.Membership, len(ids))
	q := new(builder).add("select " + membershipColumns + " from group_members gm where gm.id in ").in(ids).add(" and ").inSeenGroup(v)
	err := s.read(ctx, q.stmt(func(r row) error {
		m, err := scanMembership(r)
		out[m.ID] = m
		return err
	}))
	return out, unavailable(err, "read memberships")
}

// MembershipsOf reads a page of the places of each of some members, those that they left only where asked.
func (s *Store) MembershipsOf(ctx context.Context, v im.Viewer, members []im.ID, left bool, r page.Request) (map[im.ID]page.Result[im.Membership], error) {
	return pages(ctx, s, "members", members, membershipListing(new(builder).add("gm.party_id = p.id and ").inSeenGroup(v), left), r)
}

// MembershipsIn reads a page of the places in each of some groups, all of which the viewer sees; who has one is not told here.
func (s *Store) MembershipsIn(ctx context.Context, groups []im.ID, left bool, r page.Request) (map[im.ID]page.Result[im.Membership], error) {
	return pages(ctx, s, "groups", groups, membershipListing(new(builder).add("gm.group_id = p.id"), left), r)
}

func membershipListing(where *builder, left bool) listing[im.Membership] {
	if !left {
		where.add(" and gm.left_at is null")
	}
	return listing[im.Membership]{columns: membershipColumns, from: "group_members gm", where: where, order: order{id: "gm.id"},
		scan: func(row row) (im.Membership, page.Position, error) {
			m, err := scanMembership(row)
			return m, page.Position{ID: m.ID}, err
		}}
}

// AdminsOf reads the ids of the admins of groups.
func (s *Store) AdminsOf(ctx context.Context, groups []im.ID) (map[im.ID][]im.ID, error) {
	q := new(builder).add("select gm.group_id, gm.party_id from group_members gm where gm.is_admin and gm.left_at is null and gm.group_id in ").
		in(groups).add(" order by gm.group_id, gm.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (id im.ID, err error) {
		err = r.Scan(parent, &id)
		return id, err
	})
}
