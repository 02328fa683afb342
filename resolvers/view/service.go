package view

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// APIKey is the key of a service as clients see it.
type APIKey struct {
	b   *Batch
	row im.APIKey
}

// APIKey presents a key that the caller sees.
func (b *Batch) APIKey(k im.APIKey) *APIKey { return show(b, &b.shown.keys, &APIKey{b, k}) }

// The methods of APIKey are the fields of the schema.
func (*APIKey) IsNode()                 {}
func (k *APIKey) ID() string            { return id(im.KindAPIKey, k.row.ID) }
func (k *APIKey) Service() string       { return k.row.ServiceName }
func (k *APIKey) Prefix() string        { return k.row.Prefix }
func (k *APIKey) Scopes() []string      { return append([]string{}, k.row.Scopes...) }
func (k *APIKey) CreatedAt() time.Time  { return k.row.CreatedAt }
func (k *APIKey) ExpiresAt() *time.Time { return at(k.row.ExpiresAt) }
func (k *APIKey) RevokedAt() *time.Time { return at(k.row.RevokedAt) }
func (k *APIKey) LastUsedAt() *time.Time {
	return at(k.row.LastUsedAt)
}

func (k *APIKey) CreatedBy(ctx context.Context) (*Member, error) {
	return to(ctx, k.b, "ApiKey.createdBy", &k.b.shown.keys, members, k, func(k *APIKey) im.ID { return k.row.CreatedBy })
}

// APIKeyConnection is a page as the schema shapes it.
type APIKeyConnection struct {
	shape[im.APIKey]
	Nodes []*APIKey
}

// Edges are the rows with their cursors.
func (c *APIKeyConnection) Edges() []*APIKeyEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *APIKey) *APIKeyEdge { return &APIKeyEdge{at, n} })
}

// APIKeyEdge is one row of it.
type APIKeyEdge struct {
	Cursor string
	Node   *APIKey
}

// APIKeyPage presents a page.
func (b *Batch) APIKeyPage(r page.Result[im.APIKey]) *APIKeyConnection {
	return &APIKeyConnection{shapeOf(r), All(r.Nodes, b.APIKey)}
}

// CreateAPIKeyPayload is what came of a wished key.
type CreateAPIKeyPayload struct {
	Command
	APIKey *APIKey
	Secret *string
}

// RevokeAPIKeyPayload is what came of the end of one.
type RevokeAPIKeyPayload struct {
	Command
	APIKey *APIKey
}

// IsCommandPayload: they have a payload's fields.
func (*CreateAPIKeyPayload) IsCommandPayload() {}

// IsCommandPayload: they have a payload's fields.
func (*RevokeAPIKeyPayload) IsCommandPayload() {}

// CreateAPIKeyPayload presents what came of a wished key.
func (b *Batch) CreateAPIKeyPayload(r identity.KeyResult) *CreateAPIKeyPayload {
	c, key := b.keyCommand(r)
	out := &CreateAPIKeyPayload{Command: c, APIKey: key}
	if r.Secret != "" {
		out.Secret = &r.Secret
	}
	return out
}

// RevokeAPIKeyPayload presents what came of the end of a key.
func (b *Batch) RevokeAPIKeyPayload(r identity.KeyResult) *RevokeAPIKeyPayload {
	c, key := b.keyCommand(r)
	return &RevokeAPIKeyPayload{Command: c, APIKey: key}
}

func (b *Batch) keyCommand(r identity.KeyResult) (Command, *APIKey) {
	c, _ := b.command(blocking.Result{Decision: r.Decision, Faults: r.Faults})
	if r.Key == nil {
		return c, nil
	}
	return c, b.APIKey(*r.Key)
}
