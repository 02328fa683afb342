package view

import (
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// shape is what connections have in common: the page, whose cursors are made where somebody asks for them.
type shape[T any] struct {
	page       page.Result[T]
	TotalCount *int
}

func shapeOf[T any](r page.Result[T]) shape[T] { return shape[T]{r, r.Total} }

// PageInfo says where the page stands.
func (s *shape[T]) PageInfo() *model.PageInfo {
	info := &model.PageInfo{HasNextPage: s.page.HasNext, HasPreviousPage: s.page.HasPrevious}
	if n := len(s.page.At); n > 0 {
		first, last := s.page.Cursor(0), s.page.Cursor(n-1)
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// edges are the rows with their cursors.
func edges[T, N, E any](s *shape[T], nodes []N, edge func(cursor string, n N) E) []E {
	out := make([]E, len(nodes))
	for i, n := range nodes {
		out[i] = edge(s.page.Cursor(i), n)
	}
	return out
}

// MemberConnection is a page as the schema shapes it.
type MemberConnection struct {
	shape[im.Member]
	Nodes []*Member
}

// Edges are the rows with their cursors.
func (c *MemberConnection) Edges() []*MemberEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Member) *MemberEdge { return &MemberEdge{at, n} })
}

// MemberEdge is one row of it.
type MemberEdge struct {
	Cursor string
	Node   *Member
}

// MemberPage presents a page.
func (b *Batch) MemberPage(r page.Result[im.Member]) *MemberConnection {
	return &MemberConnection{shapeOf(r), All(r.Nodes, b.Member)}
}

// DepartmentConnection is a page as the schema shapes it.
type DepartmentConnection struct {
	shape[im.Department]
	Nodes []*Department
}

// Edges are the rows with their cursors.
func (c *DepartmentConnection) Edges() []*DepartmentEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Department) *DepartmentEdge { return &DepartmentEdge{at, n} })
}

// DepartmentEdge is one row of it.
type DepartmentEdge struct {
	Cursor string
	Node   *Department
}

// DepartmentPage presents a page.
func (b *Batch) DepartmentPage(r page.Result[im.Department]) *DepartmentConnection {
	return &DepartmentConnection{shapeOf(r), All(r.Nodes, b.Department)}
}

// ExternalContactConnection is a page as the schema shapes it.
type ExternalContactConnection struct {
	shape[im.ExternalContact]
	Nodes []*ExternalContact
}

// Edges are the rows with their cursors.
func (c *ExternalContactConnection) Edges() []*ExternalContactEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *ExternalContact) *ExternalContactEdge { return &ExternalContactEdge{at, n} })
}

// ExternalContactEdge is one row of it.
type ExternalContactEdge struct {
	Cursor string
	Node   *ExternalContact
}

// ExternalContactPage presents a page.
func (b *Batch) ExternalContactPage(r page.Result[im.ExternalContact]) *ExternalContactConnection {
	return &ExternalContactConnection{shapeOf(r), All(r.Nodes, b.Contact)}
}

// GroupConnection is a page as the schema shapes it.
type GroupConnection struct {
	shape[im.Group]
	Nodes []*Group
}

// Edges are the rows with their cursors.
func (c *GroupConnection) Edges() []*GroupEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Group) *GroupEdge { return &GroupEdge{at, n} })
}

// GroupEdge is one row of it.
type GroupEdge struct {
	Cursor string
	Node   *Group
}

// GroupPage presents a page.
func (b *Batch) GroupPage(r page.Result[im.Group]) *GroupConnection {
	return &GroupConnection{shapeOf(r), All(r.Nodes, b.Group)}
}

// RelationshipConnection is a page as the schema shapes it.
type RelationshipConnection struct {
	shape[im.Relationship]
	Nodes []*Relationship
}

// Edges are the rows with their cursors.
func (c *RelationshipConnection) Edges() []*RelationshipEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Relationship) *RelationshipEdge { return &RelationshipEdge{at, n} })
}

// RelationshipEdge is one row of it.
type RelationshipEdge struct {
	Cursor string
	Node   *Relationship
}

// RelationshipPage presents a page.
func (b *Batch) RelationshipPage(r page.Result[im.Relationship]) *RelationshipConnection {
	return &RelationshipConnection{shapeOf(r), All(r.Nodes, b.Relationship)}
}

// ApprovalConnection is a page as the schema shapes it.
type ApprovalConnection struct {
	shape[im.Approval]
	Nodes []*Approval
}

// Edges are the rows with their cursors.
func (c *ApprovalConnection) Edges() []*ApprovalEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Approval) *ApprovalEdge { return &ApprovalEdge{at, n} })
}

// ApprovalEdge is one row of it.
type ApprovalEdge struct {
	Cursor string
	Node   *Approval
}

// ApprovalPage presents a page.
func (b *Batch) ApprovalPage(r page.Result[im.Approval]) *ApprovalConnection {
	return &ApprovalConnection{shapeOf(r), All(r.Nodes, b.Approval)}
}

// AuditEventConnection is a page as the schema shapes it.
type AuditEventConnection struct {
	shape[im.AuditEvent]
	Nodes []*AuditEvent
}

// Edges are the rows with their cursors.
func (c *AuditEventConnection) Edges() []*AuditEventEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *AuditEvent) *AuditEventEdge { return &AuditEventEdge{at, n} })
}

// AuditEventEdge is one row of it.
type AuditEventEdge struct {
	Cursor string
	Node   *AuditEvent
}

// AuditEventPage presents a page.
func (b *Batch) AuditEventPage(r page.Result[im.AuditEvent]) *AuditEventConnection {
	return &AuditEventConnection{shapeOf(r), All(r.Nodes, b.AuditEvent)}
}

// AlertConnection is a page as the schema shapes it.
type AlertConnection struct {
	shape[im.Alert]
	Nodes []*Alert
}

// Edges are the rows with their cursors.
func (c *AlertConnection) Edges() []*AlertEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Alert) *AlertEdge { return &AlertEdge{at, n} })
}

// AlertEdge is one row of it.
type AlertEdge struct {
	Cursor string
	Node   *Alert
}

// AlertPage presents a page.
func (b *Batch) AlertPage(r page.Result[im.Alert]) *AlertConnection {
	return &AlertConnection{shapeOf(r), All(r.Nodes, b.Alert)}
}

// AccountConnection is a page as the schema shapes it.
type AccountConnection struct {
	shape[im.Account]
	Nodes []*Account
}

// Edges are the rows with their cursors.
func (c *AccountConnection) Edges() []*AccountEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Account) *AccountEdge { return &AccountEdge{at, n} })
}

// AccountEdge is one row of it.
type AccountEdge struct {
	Cursor string
	Node   *Account
}

// AccountPage presents a page.
func (b *Batch) AccountPage(r page.Result[im.Account]) *AccountConnection {
	return &AccountConnection{shapeOf(r), All(r.Nodes, b.Account)}
}

// GroupMembershipConnection is a page as the schema shapes it.
type GroupMembershipConnection struct {
	shape[im.Membership]
	Nodes []*GroupMembership
}

// Edges are the rows with their cursors.
func (c *GroupMembershipConnection) Edges() []*GroupMembershipEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *GroupMembership) *GroupMembershipEdge { return &GroupMembershipEdge{at, n} })
}

// GroupMembershipEdge is one row of it.
type GroupMembershipEdge struct {
	Cursor string
	Node   *GroupMembership
}

// GroupMembershipPage presents a page.
func (b *Batch) GroupMembershipPage(r page.Result[im.Membership]) *GroupMembershipConnection {
	return &GroupMembershipConnection{shapeOf(r), All(r.Nodes, b.GroupMembership)}
}
