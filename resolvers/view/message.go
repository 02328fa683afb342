package view

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/messaging"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Message is a message as clients see it.
type Message struct {
	b   *Batch
	row im.Message
}

// Message presents a message.
func (b *Batch) Message(m im.Message) *Message {
	return show(b, &b.shown.messages, &Message{b, m})
}

// The methods of Message are the fields of the schema.
func (*Message) IsNode()                   {}
func (m *Message) ID() string              { return id(im.KindMessage, m.row.ID) }
func (m *Message) ConversationID() string  { return id(im.KindConversation, m.row.ConversationID) }
func (m *Message) Announcement() bool      { return m.row.Announcement }
func (m *Message) SentAt() time.Time       { return m.row.SentAt }
func (m *Message) Kind() model.MessageKind { return model.MessageKind(m.row.Kind) }
func (m *Message) RecalledAt() *time.Time  { return at(m.row.RecalledAt) }
func (m *Message) Workspace(ctx context.Context) (*Workspace, error) {
	return m.b.workspace(ctx, m.row.WorkspaceID)
}

func (m *Message) Text() *string {
	if !m.row.RecalledAt.IsZero() && !messaging.ReadsAll(m.b.viewer) {
		return nil
	}
	text := string(m.row.Text)
	return &text
}

func (m *Message) Group(ctx context.Context) (*Group, error) {
	return to(ctx, m.b, "Message.group", &m.b.shown.messages, groups, m, func(m *Message) im.ID { return m.row.GroupID })
}

func (m *Message) Sender(ctx context.Context) (Party, error) {
	n := next(m.b, "Message.sender", &m.b.shown.messages, func(n *Batch, m *Message) { n.announceNode(m.row.Sender) })
	return n.party(ctx, m.row.Sender)
}

func (m *Message) Recipients(ctx context.Context) ([]Party, error) {
	n := next(m.b, "Message.recipients", &m.b.shown.messages, func(n *Batch, m *Message) { n.announceNode(m.row.Recipient) })
	p, err := n.party(ctx, m.row.Recipient)
	if p == nil || err != nil {
		return []Party{}, err
	}
	return []Party{p}, nil
}

func (m *Message) Mentions(ctx context.Context) ([]*Member, error) {
	n := next(m.b, "Message.mentions", &m.b.shown.messages, func(n *Batch, m *Message) { n.members.announce(m.row.Mentions...) })
	return n.several(ctx, m.row.Mentions)
}

func (m *Message) RecalledBy(ctx context.Context) (Party, error) {
	by := func(m *Message) im.Ref { return im.Ref{Kind: im.KindMember, ID: m.row.RecalledBy} }
	n := next(m.b, "Message.recalledBy", &m.b.shown.messages, func(n *Batch, m *Message) { n.announceNode(by(m)) })
	return n.party(ctx, by(m))
}

// MessageConnection is a page as the schema shapes it.
type MessageConnection struct {
	shape[im.Message]
	Nodes []*Message
}

// Edges are the rows with their cursors.
func (c *MessageConnection) Edges() []*MessageEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *Message) *MessageEdge { return &MessageEdge{at, n} })
}

// MessageEdge is one row of it.
type MessageEdge struct {
	Cursor string
	Node   *Message
}

// MessagePage presents a page.
func (b *Batch) MessagePage(r page.Result[im.Message]) *MessageConnection {
	return &MessageConnection{shapeOf(r), All(r.Nodes, b.Message)}
}

// SendMessagePayload is what came of sending a message.
type SendMessagePayload struct {
	Command
	b       *Batch
	Message *Message
	r       messaging.Result
}

// RecallMessagePayload is what came of taking one back.
type RecallMessagePayload struct {
	Command
	Message *Message
}

// IsCommandPayload: they have a payload's fields.
func (*SendMessagePayload) IsCommandPayload() {}

// IsCommandPayload: they have a payload's fields.
func (*RecallMessagePayload) IsCommandPayload() {}

// SendMessagePayload presents what came of sending a message.
func (b *Batch) SendMessagePayload(r messaging.Result) *SendMessagePayload {
	c, m := b.messageCommand(r)
	return &SendMessagePayload{Command: c, b: b, Message: m, r: r}
}

// BlockedBy is what stopped it.
func (p *SendMessagePayload) BlockedBy() []*Relationship { return All(p.r.BlockedBy, p.b.Relationship) }

// DroppedMentions are whom the message was to name and does not.
func (p *SendMessagePayload) DroppedMentions(ctx context.Context) ([]*Member, error) {
	return p.b.several(ctx, p.r.Dropped)
}

// RecallMessagePayload presents what came of taking a message back.
func (b *Batch) RecallMessagePayload(r messaging.Result) *RecallMessagePayload {
	c, m := b.messageCommand(r)
	return &RecallMessagePayload{c, m}
}

func (b *Batch) messageCommand(r messaging.Result) (Command, *Message) {
	c, _ := b.command(blocking.Result{Decision: r.Decision, Faults: r.Faults})
	if r.Message == nil {
		return c, nil
	}
	return c, b.Message(*r.Message)
}
