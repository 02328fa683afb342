package view

import (
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// connection presents a page: its rows, their edges, and where it stands.
func connection[T, N, E any](r page.Result[T], present func(T) N, edge func(cursor string, n N) E) ([]E, []N, *model.PageInfo, *int) {
	nodes := All(r.Nodes, present)
	edges := make([]E, len(nodes))
	for i, n := range nodes {
		edges[i] = edge(r.Cursors[i], n)
	}
	info := &model.PageInfo{HasNextPage: r.HasNext, HasPreviousPage: r.HasPrevious}
	if n := len(r.Cursors); n > 0 {
		info.StartCursor, info.EndCursor = &r.Cursors[0], &r.Cursors[n-1]
	}
	return edges, nodes, info, r.Total
}

// MemberConnection is a page as the schema shapes it.
type MemberConnection struct {
	Edges      []*MemberEdge
	Nodes      []*Member
	PageInfo   *model.PageInfo
	TotalCount *int
}

// MemberEdge is one row of it.
type MemberEdge struct {
	Cursor string
	Node   *Member
}

// MemberPage presents a page.
func (b *Batch) MemberPage(r page.Result[im.Member]) *MemberConnection {
	var c MemberConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Member, func(at string, n *Member) *MemberEdge { return &MemberEdge{at, n} })
	return &c
}

// DepartmentConnection is a page as the schema shapes it.
type DepartmentConnection struct {
	Edges      []*DepartmentEdge
	Nodes      []*Department
	PageInfo   *model.PageInfo
	TotalCount *int
}

// DepartmentEdge is one row of it.
type DepartmentEdge struct {
	Cursor string
	Node   *Department
}

// DepartmentPage presents a page.
func (b *Batch) DepartmentPage(r page.Result[im.Department]) *DepartmentConnection {
	var c DepartmentConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Department, func(at string, n *Department) *DepartmentEdge { return &DepartmentEdge{at, n} })
	return &c
}

// ExternalContactConnection is a page as the schema shapes it.
type ExternalContactConnection struct {
	Edges      []*ExternalContactEdge
	Nodes      []*ExternalContact
	PageInfo   *model.PageInfo
	TotalCount *int
}

// ExternalContactEdge is one row of it.
type ExternalContactEdge struct {
	Cursor string
	Node   *ExternalContact
}

// ExternalContactPage presents a page.
func (b *Batch) ExternalContactPage(r page.Result[im.ExternalContact]) *ExternalContactConnection {
	var c ExternalContactConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Contact, func(at string, n *ExternalContact) *ExternalContactEdge { return &ExternalContactEdge{at, n} })
	return &c
}

// GroupConnection is a page as the schema shapes it.
type GroupConnection struct {
	Edges      []*GroupEdge
	Nodes      []*Group
	PageInfo   *model.PageInfo
	TotalCount *int
}

// GroupEdge is one row of it.
type GroupEdge struct {
	Cursor string
	Node   *Group
}

// GroupPage presents a page.
func (b *Batch) GroupPage(r page.Result[im.Group]) *GroupConnection {
	var c GroupConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Group, func(at string, n *Group) *GroupEdge { return &GroupEdge{at, n} })
	return &c
}

// RelationshipConnection is a page as the schema shapes it.
type RelationshipConnection struct {
	Edges      []*RelationshipEdge
	Nodes      []*Relationship
	PageInfo   *model.PageInfo
	TotalCount *int
}

// RelationshipEdge is one row of it.
type RelationshipEdge struct {
	Cursor string
	Node   *Relationship
}

// RelationshipPage presents a page.
func (b *Batch) RelationshipPage(r page.Result[im.Relationship]) *RelationshipConnection {
	var c RelationshipConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Relationship, func(at string, n *Relationship) *RelationshipEdge { return &RelationshipEdge{at, n} })
	return &c
}

// ApprovalConnection is a page as the schema shapes it.
type ApprovalConnection struct {
	Edges      []*ApprovalEdge
	Nodes      []*Approval
	PageInfo   *model.PageInfo
	TotalCount *int
}

// ApprovalEdge is one row of it.
type ApprovalEdge struct {
	Cursor string
	Node   *Approval
}

// ApprovalPage presents a page.
func (b *Batch) ApprovalPage(r page.Result[im.Approval]) *ApprovalConnection {
	var c ApprovalConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Approval, func(at string, n *Approval) *ApprovalEdge { return &ApprovalEdge{at, n} })
	return &c
}

// AuditEventConnection is a page as the schema shapes it.
type AuditEventConnection struct {
	Edges      []*AuditEventEdge
	Nodes      []*AuditEvent
	PageInfo   *model.PageInfo
	TotalCount *int
}

// AuditEventEdge is one row of it.
type AuditEventEdge struct {
	Cursor string
	Node   *AuditEvent
}

// AuditEventPage presents a page.
func (b *Batch) AuditEventPage(r page.Result[im.AuditEvent]) *AuditEventConnection {
	var c AuditEventConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.AuditEvent, func(at string, n *AuditEvent) *AuditEventEdge { return &AuditEventEdge{at, n} })
	return &c
}

// AlertConnection is a page as the schema shapes it.
type AlertConnection struct {
	Edges      []*AlertEdge
	Nodes      []*Alert
	PageInfo   *model.PageInfo
	TotalCount *int
}

// AlertEdge is one row of it.
type AlertEdge struct {
	Cursor string
	Node   *Alert
}

// AlertPage presents a page.
func (b *Batch) AlertPage(r page.Result[im.Alert]) *AlertConnection {
	var c AlertConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Alert, func(at string, n *Alert) *AlertEdge { return &AlertEdge{at, n} })
	return &c
}

// AccountConnection is a page as the schema shapes it.
type AccountConnection struct {
	Edges      []*AccountEdge
	Nodes      []*Account
	PageInfo   *model.PageInfo
	TotalCount *int
}

// AccountEdge is one row of it.
type AccountEdge struct {
	Cursor string
	Node   *Account
}

// AccountPage presents a page.
func (b *Batch) AccountPage(r page.Result[im.Account]) *AccountConnection {
	var c AccountConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.Account, func(at string, n *Account) *AccountEdge { return &AccountEdge{at, n} })
	return &c
}

// GroupMembershipConnection is a page as the schema shapes it.
type GroupMembershipConnection struct {
	Edges      []*GroupMembershipEdge
	Nodes      []*GroupMembership
	PageInfo   *model.PageInfo
	TotalCount *int
}

// GroupMembershipEdge is one row of it.
type GroupMembershipEdge struct {
	Cursor string
	Node   *GroupMembership
}

// GroupMembershipPage presents a page.
func (b *Batch) GroupMembershipPage(r page.Result[im.Membership]) *GroupMembershipConnection {
	var c GroupMembershipConnection
	c.Edges, c.Nodes, c.PageInfo, c.TotalCount = connection(r, b.GroupMembership, func(at string, n *GroupMembership) *GroupMembershipEdge { return &GroupMembershipEdge{at, n} })
	return &c
}
