package db

import (
	"context"
	"errors"
	"strings"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// ErrSeeded: somebody else has marked the database as a demo's already.
var ErrSeeded = errors.New("the demo's database is there already")

// SeedDemo marks an empty store as the demo's own and writes a whole organisation into it, in one transaction.
func (s *Store) SeedDemo(ctx context.Context, o directory.Snapshot) error {
	var ss []stmt
	add := func(text string, args ...any) { ss = append(ss, stmt{text: text, args: args}) }
	add("insert into meta (key, value) values (?, '1')", metaDemo)
	for _, w := range o.Workspaces {
		add("insert into workspaces (id, name, platform, region, time_zone, customer_contact) values (?, ?, ?, ?, ?, ?)",
			w.ID, w.Name, w.Platform, w.Region, w.TimeZone, w.CustomerContact)
	}
	for _, d := range o.Departments {
		add("insert into departments (id, name, sort_key, parent_id, manager_id, path) values (?, ?, ?, ?, ?, ?)",
			d.ID, d.Name, d.SortKey, d.ParentID, d.ManagerID, d.Path)
	}
	for _, m := range o.Members {
		add(`insert into members (id, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, manager_id, employment)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, m.ID, m.Name, m.SortKey, m.EmployeeNo, m.AccountName, m.Position, m.Rank, m.Phone,
			m.JobFunction, m.Region, m.ManagerID, m.Employment)
		for _, r := range m.Roles {
			add("insert into member_roles (member_id, role) values (?, ?)", m.ID, r)
		}
		departments := m.Departments
		if len(departments) == 0 {
			departments = []im.ID{m.DepartmentID}
		}
		for _, d := range departments {
			add("insert into member_departments (member_id, department_id, is_primary) values (?, ?, ?)", m.ID, d, d == m.DepartmentID)
		}
	}
	for _, a := range o.Accounts {
		add(`insert into accounts (id, member_id, workspace_id, kind, platform_id, status, status_until, status_scope, last_active_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.ID, a.MemberID, a.WorkspaceID, a.Kind, a.PlatformID, a.Status, us(a.StatusUntil), a.StatusScope,
			us(a.LastActiveAt))
	}
	for _, c := range o.Contacts {
		add(`insert into external_contacts (id, workspace_id, platform_id, name, sort_key, company, phone, verified, region, importance, status,
			owner_id, pool_department_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, c.WorkspaceID, c.PlatformID, c.Name, c.SortKey,
			c.Company, c.Phone, c.Verified, c.Region, c.Importance, c.Status, c.OwnerID, c.PoolDepartmentID)
		for _, t := range c.Tags {
			add("insert into contact_tags (contact_id, tag) values (?, ?)", c.ID, t)
		}
	}
	for _, f := range o.Follows {
		add("insert into contact_follows (contact_id, member_id, since, source) values (?, ?, ?, ?)", f.ContactID, f.MemberID, us(f.Since), f.Source)
	}
	for _, p := range o.Opportunities {
		add("insert into opportunities (id, contact_id, title, amount, currency, stage, is_open, owner_id) values (?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.ContactID, p.Title, p.Amount, p.Currency, p.Stage, p.Open, p.OwnerID)
	}
	for _, g := range o.Groups {
		add(`insert into groups (id, workspace_id, platform_id, name, sort_key, kind, owner_id, project_closed, announcement, dissolved_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, g.ID, g.WorkspaceID, g.PlatformID, g.Name, g.SortKey, g.Kind, g.OwnerID, g.ProjectClosed,
			g.Announcement, us(g.DissolvedAt))
	}
	for _, m := range o.Memberships {
		add(`insert into group_members (id, group_id, party_kind, party_id, is_admin, joined_at, left_at, invited_by)
			values (?, ?, ?, ?, ?, ?, ?, ?)`, m.ID, m.GroupID, m.Party.Kind, m.Party.ID, m.Admin, us(m.JoinedAt), us(m.LeftAt), m.InvitedBy)
	}
	ss = append(ss, identityStmts(ledger.Unit{Services: o.Services, Keys: o.Keys})...)
	err := s.write(ctx, ss)
	if c := s.eng.constraint(err); strings.HasPrefix(c, "meta") {
		return ErrSeeded
	}
	return unavailable(err, "seed")
}
