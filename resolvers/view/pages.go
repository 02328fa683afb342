package view

import (
	"context"
	"encoding/json"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// pagesOf answers a connection that hangs on a row: of all rows shown beside it that are asked in the same way, at once.
func pagesOf[R interface{ key() im.ID }, T, C any](ctx context.Context, b *Batch, field string, asked []any, shown *[]R, row R,
	load func(ctx context.Context, parents []im.ID) (map[im.ID]page.Result[T], error), present func(*Batch, page.Result[T]) *C) (*C, error) {
	at := model.Place(ctx) // of all rows the same where plans work a field out
	b.mu.Lock()
	n := b.connections[at]
	b.mu.Unlock()
	if n == nil {
		n = next(b, field+way(asked), shown, func(n *Batch, row R) {
			if n.pages == nil {
				n.pages = newPages(n, field, load, present)
			}
			n.pages.(*lazy[im.ID, *C]).announce(row.key())
		})
		if at != nil {
			b.mu.Lock()
			if b.connections == nil {
				b.connections = make(map[any]*Batch)
			}
			b.connections[at] = n
			b.mu.Unlock()
		}
	}
	return n.pages.(*lazy[im.ID, *C]).get(ctx, row.key())
}

func newPages[T, C any](n *Batch, field string, load func(ctx context.Context, parents []im.ID) (map[im.ID]page.Result[T], error),
	present func(*Batch, page.Result[T]) *C) *lazy[im.ID, *C] {
	return &lazy[im.ID, *C]{name: field, fetch: func(ctx context.Context, parents []im.ID) (map[im.ID]*C, error) {
		found, err := load(ctx, parents)
		out := make(map[im.ID]*C, len(parents))
		for _, p := range parents {
			out[p] = present(n, found[p])
		}
		return out, err
	}}
}

// way tells one set of arguments from another: those of siblings are equal and not the same.
func way(asked []any) string {
	b, err := json.Marshal(asked)
	if err != nil {
		panic("view: " + err.Error()) // arguments are values of our own types, which always marshal
	}
	return string(b)
}

// Reports presents a page of who reports to the member.
func (m *Member) Reports(ctx context.Context, r page.Request) (*MemberConnection, error) {
	return pagesOf(ctx, m.b, "Member.reports", []any{r}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Member], error) {
		return m.b.src.Directory.ReportsOf(ctx, m.b.viewer, ids, r)
	}, (*Batch).MemberPage)
}

// Contacts presents a page of the contacts that the member owns or follows.
func (m *Member) Contacts(ctx context.Context, f directory.ContactFilter, r page.Request) (*ExternalContactConnection, error) {
	return pagesOf(ctx, m.b, "Member.contacts", []any{r, f}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.ExternalContact], error) {
		return m.b.src.Directory.ContactsOf(ctx, m.b.viewer, ids, f, r)
	}, (*Batch).ExternalContactPage)
}

// Groups presents a page of the groups that the member is in.
func (m *Member) Groups(ctx context.Context, r page.Request) (*GroupConnection, error) {
	return pagesOf(ctx, m.b, "Member.groups", []any{r}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Group], error) {
		return m.b.src.Directory.GroupsOf(ctx, m.b.viewer, ids, r)
	}, (*Batch).GroupPage)
}

// GroupMemberships presents a page of the member's places in groups.
func (m *Member) GroupMemberships(ctx context.Context, left bool, r page.Request) (*GroupMembershipConnection, error) {
	return pagesOf(ctx, m.b, "Member.groupMemberships", []any{r, left}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Membership], error) {
		return m.b.src.Directory.MembershipsOf(ctx, m.b.viewer, ids, left, r)
	}, (*Batch).GroupMembershipPage)
}

// Relationships presents a page of the relationships that the member has an end of.
func (m *Member) Relationships(ctx context.Context, end blocking.End, f blocking.RelationshipFilter, r page.Request) (*RelationshipConnection, error) {
	return pagesOf(ctx, m.b, "Member.relationships", []any{r, end, f}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Relationship], error) {
		return m.b.src.Blocking.RelationshipsOf(ctx, m.b.viewer, im.KindMember, ids, end, f, r)
	}, (*Batch).RelationshipPage)
}

// AccessLog presents a page of who read what about the member.
func (m *Member) AccessLog(ctx context.Context, r page.Request) (*AuditEventConnection, error) {
	return pagesOf(ctx, m.b, "Member.accessLog", []any{r}, &m.b.shown.members, m, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.AuditEvent], error) {
		return m.b.src.Audit.ReadingsOf(ctx, m.b.viewer, ids, r)
	}, (*Batch).AuditEventPage)
}

// Members presents a page of who belongs to the department.
func (d *Department) Members(ctx context.Context, descendants bool, r page.Request) (*MemberConnection, error) {
	return pagesOf(ctx, d.b, "Department.members", []any{r, descendants}, &d.b.shown.departments, d, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Member], error) {
		return d.b.src.Directory.MembersIn(ctx, d.b.viewer, ids, descendants, r)
	}, (*Batch).MemberPage)
}

// StatusHistory presents a page of what was done to the account.
func (a *Account) StatusHistory(ctx context.Context, r page.Request) (*AuditEventConnection, error) {
	return pagesOf(ctx, a.b, "Account.statusHistory", []any{r}, &a.b.shown.accounts, a, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.AuditEvent], error) {
		return a.b.src.Audit.HistoryOf(ctx, a.b.viewer, im.KindAccount, ids, r)
	}, (*Batch).AuditEventPage)
}

// History presents a page of what was done to the relationship.
func (d *Relationship) History(ctx context.Context, r page.Request) (*AuditEventConnection, error) {
	return pagesOf(ctx, d.b, "Relationship.history", []any{r}, &d.b.shown.relationships, d, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.AuditEvent], error) {
		return d.b.src.Audit.HistoryOf(ctx, d.b.viewer, im.KindRelationship, ids, r)
	}, (*Batch).AuditEventPage)
}

// Relationships presents a page of the relationships that are aimed at the contact.
func (c *ExternalContact) Relationships(ctx context.Context, f blocking.RelationshipFilter, r page.Request) (*RelationshipConnection, error) {
	return pagesOf(ctx, c.b, "ExternalContact.relationships", []any{r, f}, &c.b.shown.contacts, c, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Relationship], error) {
		return c.b.src.Blocking.RelationshipsOf(ctx, c.b.viewer, im.KindContact, ids, blocking.Incoming, f, r)
	}, (*Batch).RelationshipPage)
}

// Members presents a page of the places in the group.
func (g *Group) Members(ctx context.Context, left bool, r page.Request) (*GroupMembershipConnection, error) {
	return pagesOf(ctx, g.b, "Group.members", []any{r, left}, &g.b.shown.groups, g, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[im.Membership], error) {
		return g.b.src.Directory.MembershipsIn(ctx, ids, left, r)
	}, (*Batch).GroupMembershipPage)
}
