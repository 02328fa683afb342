package db

import (
	"context"
	"errors"
	"slices"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
)

// AllDepartments reads the whole tree.
func (s *Store) AllDepartments(ctx context.Context) (out []im.Department, err error) {
	err = s.read(ctx, stmt{text: "select " + departmentColumns + " from departments d", scan: func(r row) error {
		d, err := scanDepartment(r)
		out = append(out, d)
		return err
	}})
	return out, unavailable(err, "read departments")
}

// SuperAdmins lists who has the role.
func (s *Store) SuperAdmins(ctx context.Context) (out []im.ID, err error) {
	err = s.read(ctx, stmt{text: `select mr.member_id from member_roles mr join members m on m.id = mr.member_id
		where mr.role = 'super_admin' and m.employment <> 'DEPARTED'`, scan: func(r row) error {
		var id im.ID
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}})
	return out, unavailable(err, "read super admins")
}

// Followed reports whether anything has changed that subscribers heard of.
func (s *Store) Followed(ctx context.Context) (any bool, err error) {
	err = s.read(ctx, stmt{text: "select exists (select 1 from changes)", scan: func(r row) error { return r.Scan(&any) }})
	return any, unavailable(err, "read changes")
}

// ManagersOf reads the managers of members.
func (s *Store) ManagersOf(ctx context.Context, ids []im.ID) (map[im.ID]im.ID, error) {
	out := make(map[im.ID]im.ID, len(ids))
	q := s.amongIDs(new(builder).add("select m.id, m.manager_id from members m where m.manager_id is not null and "), "m.id", ids)
	err := s.read(ctx, q.stmt(func(r row) error {
		var id, boss im.ID
		err := r.Scan(&id, &boss)
		out[id] = boss
		return err
	}))
	return out, unavailable(err, "read managers")
}

// byWorkspace sorts places by their workspace.
func byWorkspace(set map[intake.Place]bool) map[im.ID][]string {
	out := map[im.ID][]string{}
	for p := range set {
		out[p.Workspace] = append(out[p.Workspace], p.PlatformID)
	}
	return out
}

// namesByWorkspace sorts what contacts are called by their workspace, each once.
func namesByWorkspace(set map[intake.Called]bool) map[im.ID][]string {
	out := map[im.ID][]string{}
	for n := range set {
		out[n.Workspace] = append(out[n.Workspace], n.Name)
	}
	for w, names := range out {
		slices.Sort(names)
		out[w] = slices.Compact(names)
	}
	return out
}

// Look reads what stands there of what the rows of a file are about.
func (s *Store) Look(ctx context.Context, q intake.Question, a *intake.Answer) error {
	var ss []stmt
	ask := func(from, column string, vals []string, scan func(row) error) {
		if len(vals) > 0 {
			ss = append(ss, s.amongTexts(new(builder).add(from), column, vals).stmt(scan))
		}
	}
	of := func(columns, from, alias string, contacts []im.ID, scan func(row) error) {
		if len(contacts) > 0 {
			ss = append(ss, s.eachID(columns, from, alias, alias+".contact_id", contacts).stmt(scan))
		}
	}
	at := func(columns, from, alias string, set map[intake.Place]bool, scan func(row) error) {
		for w, ids := range byWorkspace(set) {
			ss = append(ss, s.eachText(columns, from+" where "+alias+".workspace_id = ? and ", alias, alias+".platform_id", ids, w).stmt(scan))
		}
	}
	departments := map[im.ID][]im.ID{}
	ask("select "+memberColumns+" from members m where ", "m.employee_no", q.Members, func(r row) error {
		m, err := scanMember(r)
		if a.Members[m.EmployeeNo], a.People[m.EmployeeNo] = m, m.ID; m.Employment == im.Departed {
			a.Gone[m.ID] = true
		}
		return err
	})
	ask(`select md.member_id, md.department_id from members m join member_departments md on md.member_id = m.id where `, "m.employee_no", q.Members,
		func(r row) error {
			var m, d im.ID
			err := r.Scan(&m, &d)
			departments[m] = append(departments[m], d)
			return err
		})
	ask("select m.employee_no, m.id, m.employment = 'DEPARTED' from members m where ", "m.employee_no", q.People, func(r row) error {
		var no string
		var id im.ID
		var gone bool
		err := r.Scan(&no, &id, &gone)
		if a.People[no] = id; gone {
			a.Gone[id] = true
		}
		return err
	})
	ask("select m.account_name from members m where ", "m.account_name", q.AccountNames, func(r row) error {
		var name string
		err := r.Scan(&name)
		a.AccountNames[name] = true
		return err
	})
	at("a.version, "+accountColumns, "accounts a", "a", q.Accounts, func(r row) error {
		var version int
		x, err := scanAccount(behind{r, []any{&version}})
		x.Version = version
		a.Accounts[intake.Place{Workspace: x.WorkspaceID, PlatformID: x.PlatformID}] = x
		return err
	})
	at(contactColumns, "external_contacts c", "c", q.Contacts, func(r row) error {
		x, err := scanContact(r)
		key := intake.Place{Workspace: x.WorkspaceID, PlatformID: x.PlatformID}
		a.Contacts[key], a.ContactIDs[key] = x, x.ID
		return err
	})
	id := func(into map[intake.Place]im.ID) func(row) error {
		return func(r row) error {
			var p intake.Place
			var id im.ID
			err := r.Scan(&p.Workspace, &p.PlatformID, &id)
			into[p] = id
			return err
		}
	}
	at("c.workspace_id, c.platform_id, c.id", "external_contacts c", "c", q.ContactIDs, id(a.ContactIDs))
	at("g.workspace_id, g.platform_id, g.id", "groups g", "g", q.GroupIDs, id(a.GroupIDs))
	for w, names := range namesByWorkspace(q.Named) {
		b := new(builder).add("select c.name, c.company, c.id from external_contacts c where c.workspace_id = ? and ", w)
		ss = append(ss, s.amongTexts(b, "c.name", names).add(" order by c.id").stmt(func(r row) error {
			x, id := intake.Called{Workspace: w}, im.ID{}
			err := r.Scan(&x.Name, &x.Company, &id)
			if q.Named[x] {
				a.Named[x] = append(a.Named[x], id)
			}
			return err
		}))
	}
	at(groupColumns, "groups g", "g", q.Groups, func(r row) error {
		x, err := scanGroup(r)
		key := intake.Place{Workspace: x.WorkspaceID, PlatformID: x.PlatformID}
		a.Groups[key], a.GroupIDs[key] = x, x.ID
		return err
	})
	of("f.contact_id, f.member_id, f.since, f.source", "contact_follows f where ", "f", q.FollowsOf, func(r row) error {
		var x im.Follow
		err := r.Scan(&x.ContactID, &x.MemberID, stamp{&x.Since}, &x.Source)
		a.Follows[intake.Tie{x.ContactID, x.MemberID}] = x
		return err
	})
	of(opportunityColumns, "opportunities o where ", "o", q.OpportunitiesOf, func(r row) error {
		x, err := scanOpportunity(r)
		a.Opportunities[intake.Chance{Contact: x.ContactID, Title: x.Title}] = x
		return err
	})
	if len(q.Memberships) > 0 {
		b := s.eachTie("p.id, p.group_id, p.party_kind, p.party_id, p.is_admin, p.joined_at, p.invited_by",
			"group_members p where p.group_id = t.a and p.party_id = t.b and p.left_at is null", "p", q.Memberships)
		ss = append(ss, b.stmt(func(r row) error {
			var x im.Membership
			err := r.Scan(&x.ID, &x.GroupID, textOf(&x.Party.Kind), &x.Party.ID, &x.Admin, stamp{&x.JoinedAt}, &x.InvitedBy)
			a.Memberships[intake.Tie{x.GroupID, x.Party.ID}] = x
			return err
		}))
	}
	if len(q.Own) > 0 {
		b := s.eachTie("x.workspace_id, x.member_id, x.id", "accounts x where x.workspace_id = t.a and x.member_id = t.b and x.kind = 'HUMAN'", "x", q.Own)
		ss = append(ss, b.stmt(func(r row) error {
			var tie intake.Tie
			var id im.ID
			err := r.Scan(&tie[0], &tie[1], &id)
			a.Own[tie] = append(a.Own[tie], id)
			return err
		}))
	}
	if len(ss) == 0 {
		return nil
	}
	if err := s.read(ctx, ss...); err != nil {
		return unavailable(err, "read what rows are about")
	}
	for no, m := range a.Members {
		if all := departments[m.ID]; len(all) > 0 { // the primary one, then the others by id
			slices.SortFunc(all, func(x, y im.ID) int {
				switch {
				case x == m.DepartmentID:
					return -1
				case y == m.DepartmentID:
					return 1
				}
				return slices.Compare(x[:], y[:])
			})
			m.Departments = all
			a.Members[no] = m
		}
	}
	return nil
}

// directoryWrites are the rows that a batch makes, and the statements that change others. Of an account the status is
// not a file's to change, of a contact neither that nor whatever a platform says.
func directoryWrites(w intake.Writes) (loads []load, ss []stmt) {
	do := func(text string, args ...any) { ss = append(ss, stmt{text: text, args: args}) }
	workspaces := load{table: "workspaces", columns: []string{"id", "name", "platform", "region", "time_zone", "customer_contact"}}
	for _, x := range w.Workspaces.Made {
		workspaces.rows = append(workspaces.rows, []any{x.ID, x.Name, x.Platform, x.Region, x.TimeZone, x.CustomerContact})
	}
	for _, x := range w.Workspaces.Changed {
		do("update workspaces set region = ?, time_zone = ?, customer_contact = ? where id = ?", x.Region, x.TimeZone, x.CustomerContact, x.ID)
	}

	departments := load{table: "departments", columns: []string{"id", "name", "sort_key", "parent_id", "manager_id", "path"}}
	for _, x := range w.Departments.Made {
		departments.rows = append(departments.rows, []any{x.ID, x.Name, x.SortKey, x.ParentID, x.ManagerID, x.Path})
	}
	for _, x := range w.Departments.Changed {
		do("update departments set manager_id = ? where id = ?", x.ManagerID, x.ID)
	}

	members := load{table: "members", columns: []string{"id", "name", "sort_key", "employee_no", "account_name", "position", "rank", "phone",
		"job_function", "region", "manager_id", "employment", "folded"}}
	roles := load{table: "member_roles", columns: []string{"member_id", "role"}}
	places := load{table: "member_departments", columns: []string{"member_id", "department_id", "is_primary"}}
	for _, x := range w.Members.Made {
		members.rows = append(members.rows, []any{x.ID, x.Name, x.SortKey, x.EmployeeNo, x.AccountName, x.Position, x.Rank, x.Phone,
			string(x.JobFunction), x.Region, x.ManagerID, string(x.Employment), foldMember(x.Name, x.AccountName, x.EmployeeNo)})
		for _, r := range x.Roles {
			roles.rows = append(roles.rows, []any{x.ID, r})
		}
		for _, d := range x.Departments {
			places.rows = append(places.rows, []any{x.ID, d, d == x.DepartmentID})
		}
	}
	for _, x := range w.Members.Changed {
		do(`update members set name = ?, sort_key = ?, account_name = ?, position = ?, rank = ?, phone = ?, job_function = ?, region = ?,
			manager_id = ?, folded = ? where id = ?`, x.Name, x.SortKey, x.AccountName, x.Position, x.Rank, x.Phone, string(x.JobFunction), x.Region,
			x.ManagerID, foldMember(x.Name, x.AccountName, x.EmployeeNo), x.ID)
		do("delete from member_roles where member_id = ?", x.ID)
		for _, r := range x.Roles {
			do("insert into member_roles (member_id, role) values (?, ?)", x.ID, r)
		}
		do("delete from member_departments where member_id = ?", x.ID)
		for _, d := range x.Departments {
			do("insert into member_departments (member_id, department_id, is_primary) values (?, ?, ?)", x.ID, d, d == x.DepartmentID)
		}
	}

	accounts := load{table: "accounts", columns: []string{"id", "member_id", "workspace_id", "kind", "platform_id", "status", "status_scope"}}
	for _, x := range w.Accounts.Made {
		accounts.rows = append(accounts.rows, []any{x.ID, x.MemberID, x.WorkspaceID, string(x.Kind), x.PlatformID, string(x.Status), string(x.StatusScope)})
	}
	for _, x := range w.Accounts.Changed { // unless somebody else has changed it since it was looked at
		ss = append(ss, stmt{text: "update accounts set member_id = ?, kind = ?, version = version + 1 where id = ? and version = ?",
			args: []any{x.MemberID, string(x.Kind), x.ID, x.Version}, want: 1})
	}

	bindings := load{table: "account_bindings", columns: []string{"id", "account_id", "member_id", "from_at"}}
	for _, x := range w.Bindings.Made {
		bindings.rows = append(bindings.rows, []any{x.ID, x.AccountID, x.MemberID, us(x.From)})
	}
	for _, x := range w.Bindings.Changed {
		do("update account_bindings set until_at = ? where account_id = ? and until_at is null", us(x.From), x.AccountID)
		do("insert into account_bindings (id, account_id, member_id, from_at) values (?, ?, ?, ?)", x.ID, x.AccountID, x.MemberID, us(x.From))
	}

	contacts := load{table: "external_contacts", columns: []string{"id", "workspace_id", "platform_id", "name", "sort_key", "company", "phone",
		"verified", "region", "importance", "status", "owner_id", "pool_department_id", "folded", "dialled"}}
	tags := load{table: "contact_tags", columns: []string{"contact_id", "tag"}}
	for _, x := range w.Contacts.Made {
		contacts.rows = append(contacts.rows, []any{x.ID, x.WorkspaceID, x.PlatformID, x.Name, x.SortKey, x.Company, x.Phone, x.Verified,
			x.Region, string(x.Importance), string(x.Status), x.OwnerID, x.PoolDepartmentID, foldContact(x.Name, x.Company), directory.Dial(x.Phone)})
		for _, t := range x.Tags {
			tags.rows = append(tags.rows, []any{x.ID, t})
		}
	}
	for _, x := range w.Contacts.Changed {
		do(`update external_contacts set name = ?, sort_key = ?, company = ?, phone = ?, verified = ?, region = ?, importance = ?, owner_id = ?,
			pool_department_id = ?, folded = ?, dialled = ? where id = ?`, x.Name, x.SortKey, x.Company, x.Phone, x.Verified, x.Region, string(x.Importance), x.OwnerID,
			x.PoolDepartmentID, foldContact(x.Name, x.Company), directory.Dial(x.Phone), x.ID)
		do("delete from contact_tags where contact_id = ?", x.ID)
		for _, t := range x.Tags {
			do("insert into contact_tags (contact_id, tag) values (?, ?)", x.ID, t)
		}
	}

	follows := load{table: "contact_follows", columns: []string{"contact_id", "member_id", "since", "source"}}
	for _, x := range w.Follows.Made {
		follows.rows = append(follows.rows, []any{x.ContactID, x.MemberID, us(x.Since), x.Source})
	}
	for _, x := range w.Follows.Changed {
		do("update contact_follows set since = ?, source = ? where contact_id = ? and member_id = ?", us(x.Since), x.Source, x.ContactID, x.MemberID)
	}

	opportunities := load{table: "opportunities", columns: []string{"id", "contact_id", "title", "amount", "currency", "stage", "is_open", "owner_id"}}
	for _, x := range w.Opportunities.Made {
		opportunities.rows = append(opportunities.rows, []any{x.ID, x.ContactID, x.Title, x.Amount, x.Currency, x.Stage, x.Open, x.OwnerID})
	}
	for _, x := range w.Opportunities.Changed {
		do("update opportunities set amount = ?, currency = ?, stage = ?, is_open = ?, owner_id = ? where id = ?", x.Amount, x.Currency, x.Stage,
			x.Open, x.OwnerID, x.ID)
	}

	groups := load{table: "groups", columns: []string{"id", "workspace_id", "platform_id", "name", "sort_key", "kind", "owner_id", "project_closed", "announcement", "folded"}}
	for _, x := range w.Groups.Made {
		groups.rows = append(groups.rows, []any{x.ID, x.WorkspaceID, x.PlatformID, x.Name, x.SortKey, string(x.Kind), x.OwnerID, x.ProjectClosed, x.Announcement, foldGroup(x.Name)})
	}
	for _, x := range w.Groups.Changed {
		do("update groups set name = ?, sort_key = ?, kind = ?, owner_id = ?, project_closed = ?, announcement = ?, folded = ? where id = ?", x.Name, x.SortKey,
			string(x.Kind), x.OwnerID, x.ProjectClosed, x.Announcement, foldGroup(x.Name), x.ID)
	}

	memberships := load{table: "group_members", columns: []string{"id", "group_id", "party_kind", "party_id", "is_admin", "joined_at"}}
	for _, x := range w.Memberships.Made {
		memberships.rows = append(memberships.rows, []any{x.ID, x.GroupID, string(x.Party.Kind), x.Party.ID, x.Admin, us(x.JoinedAt)})
	}
	for _, x := range w.Memberships.Changed {
		do("update group_members set is_admin = ?, joined_at = ? where id = ?", x.Admin, us(x.JoinedAt), x.ID)
	}
	changes := load{table: "changes", columns: []string{"id", "at", "kind", "subject_id", "what", "workspace_id"}}
	for _, x := range w.Changes {
		changes.rows = append(changes.rows, []any{x.ID, us(x.At), string(x.About.Kind), x.About.ID, string(x.What), x.WorkspaceID})
	}
	return []load{changes, workspaces, departments, members, roles, places, accounts, bindings, contacts, tags, follows, opportunities, groups, memberships}, ss
}

// boundStmts see to what a batch of accounts was judged by, and was written beside: whoever has come to one is still there, and has no
// other one of his own.
func (s *Store) boundStmts(w intake.Writes) (first, last []stmt) {
	var ties []intake.Tie
	for _, a := range slices.Concat(w.Accounts.Made, w.Accounts.Changed) {
		if !a.MemberID.IsZero() {
			ties = append(ties, intake.Tie{a.ID, a.MemberID})
		}
	}
	if len(ties) == 0 {
		return nil, nil
	}
	q := s.eachTie("count(*)", `accounts x where x.id = t.a and x.member_id = t.b and exists (select 1 from members m where m.id = x.member_id and m.employment <> 'DEPARTED')
		and (x.kind <> 'HUMAN' or not exists (select 1 from accounts o where o.workspace_id = x.workspace_id and o.member_id = x.member_id and o.kind = 'HUMAN' and o.id <> x.id))`,
		"x", ties)
	return s.eng.alone(bindingsLock), []stmt{q.stmt(func(r row) error {
		n := 0
		if err := r.Scan(&n); err != nil || n != len(ties) {
			return errors.Join(err, errUnmet)
		}
		return nil
	})}
}

// bindingsLock is the advisory lock that those share who bind one account, and that whoever binds many has alone: he would else have a
// lock of each person.
const bindingsLock = 0x67756105

// MembersByNumber reads members in the order of their employee numbers.
func (s *Store) MembersByNumber(ctx context.Context, after string, limit int) (out []im.Member, err error) {
	err = s.read(ctx, stmt{text: "select " + memberColumns + " from members m where m.employee_no > ? order by m.employee_no limit ?", args: []any{after, limit},
		scan: func(r row) error {
			m, err := scanMember(r)
			out = append(out, m)
			return err
		}})
	return out, unavailable(err, "read members")
}
