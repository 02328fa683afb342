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
	about := make(map[im.ID]bool)
	for _, a := range o.Accounts {
		if a.StatusReason != "" {
			about[owner(a.MemberID)] = true
		}
	}
	for _, b := range o.Bindings {
		if b.Reason != "" {
			about[owner(b.MemberID)] = true
		}
	}
	w, err := s.keys.forWriting(ctx, about)
	if err != nil {
		return unavailable(err, "load data keys")
	}
	ss := w.inserts()
	add := func(text string, args ...any) { ss = append(ss, stmt{text: text, args: args}) }
	seal := func(about im.ID, t im.Text, p place, row im.ID) any {
		if t == "" {
			return nil
		}
		return w.seal(owner(about), t, p, row)
	}
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
		add(`insert into members (id, folded, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, manager_id, employment)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, m.ID, foldMember(m.Name, m.AccountName, m.EmployeeNo), m.Name, m.SortKey, m.EmployeeNo, m.AccountName, m.Position, m.Rank, m.Phone,
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
		add(`insert into accounts (id, member_id, workspace_id, kind, platform_id, status, status_until, status_scope, status_reason, last_active_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.ID, a.MemberID, a.WorkspaceID, a.Kind, a.PlatformID, a.Status, us(a.StatusUntil), a.StatusScope,
			seal(a.MemberID, a.StatusReason, placeStatus, a.ID), us(a.LastActiveAt))
	}
	for _, b := range o.Bindings {
		add("insert into account_bindings (id, account_id, member_id, from_at, until_at, reason) values (?, ?, ?, ?, ?, ?)",
			b.ID, b.AccountID, b.MemberID, us(b.From), us(b.Until), seal(b.MemberID, b.Reason, placeBinding, b.ID))
	}
	for _, d := range o.Devices {
		add("insert into devices (id, account_id, label, kind, company_owned, last_seen_at, signed_in) values (?, ?, ?, ?, ?, ?, ?)",
			d.ID, d.AccountID, d.Label, d.Kind, d.CompanyOwned, us(d.LastSeenAt), d.SignedIn)
	}
	for _, i := range o.Identities {
		add("insert into identity_links (id, member_id, provider, subject, personal, linked_at) values (?, ?, ?, ?, ?, ?)",
			i.ID, i.MemberID, i.Provider, i.Subject, i.Personal, us(i.LinkedAt))
	}
	for _, c := range o.Contacts {
		add(`insert into external_contacts (id, folded, dialled, workspace_id, platform_id, name, sort_key, company, phone, verified, region, importance, status,
			owner_id, pool_department_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, foldContact(c.Name, c.Company), directory.Dial(c.Phone), c.WorkspaceID, c.PlatformID, c.Name, c.SortKey,
			c.Company, c.Phone, c.Verified, c.Region, c.Importance, c.Status, c.OwnerID, c.PoolDepartmentID)
		for _, t := range c.Tags {
			add("insert into contact_tags (contact_id, tag) values (?, ?)", c.ID, t)
		}
	}
	for _, f := range o.Follows {
		add("insert into contact_follows (contact_id, member_id, since, remark, tags, source) values (?, ?, ?, ?, ?, ?)",
			f.ContactID, f.MemberID, us(f.Since), f.Remark, toJSON(append([]string{}, f.Tags...)), f.Source)
	}
	for _, p := range o.Opportunities {
		add("insert into opportunities (id, contact_id, title, amount, currency, stage, is_open, owner_id) values (?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.ContactID, p.Title, p.Amount, p.Currency, p.Stage, p.Open, p.OwnerID)
	}
	for _, g := range o.Groups {
		add(`insert into groups (id, folded, workspace_id, platform_id, name, sort_key, kind, owner_id, project_closed, announcement, dissolved_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, g.ID, foldGroup(g.Name), g.WorkspaceID, g.PlatformID, g.Name, g.SortKey, g.Kind, g.OwnerID, g.ProjectClosed,
			g.Announcement, us(g.DissolvedAt))
	}
	for _, m := range o.Memberships {
		add(`insert into group_members (id, group_id, party_kind, party_id, is_admin, joined_at, left_at, invited_by)
			values (?, ?, ?, ?, ?, ?, ?, ?)`, m.ID, m.GroupID, m.Party.Kind, m.Party.ID, m.Admin, us(m.JoinedAt), us(m.LeftAt), m.InvitedBy)
	}
	ss = append(ss, identityStmts(ledger.Unit{Services: o.Services, Keys: o.Keys})...)
	err = s.write(ctx, ss)
	s.people.Add(1)
	if c := s.eng.constraint(err); strings.HasPrefix(c, "meta") {
		return ErrSeeded
	}
	if err != nil {
		return unavailable(err, "seed")
	}
	w.committed()
	return nil
}

// owner is whom a text about an account is about: the company, where the account is nobody's.
func owner(member im.ID) im.ID {
	if member.IsZero() {
		return im.Company
	}
	return member
}
