package gateway

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

// What is remembered of documents is bounded in bytes, for anybody can send any number of them. A document that is
// parsed takes some thirty times the bytes of its text.
const (
	parsedBytesMax    = 4 << 20
	persistedBytesMax = 16 << 20
)

// recent is a map that forgets what was not used for the longest time once there are too many bytes of keys.
type recent[V any] struct {
	most  int
	mu    sync.Mutex
	bytes int
	order *list.List // of *entry[V], latest first
	by    map[string]*list.Element
}

type entry[V any] struct {
	key   string
	value V
	bytes int
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{most: most, order: list.New(), by: map[string]*list.Element{}}
}

func (r *recent[V]) get(key string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.by[key]
	if !ok {
		return v, false
	}
	r.order.MoveToFront(e)
	return e.Value.(*entry[V]).value, true
}

func (r *recent[V]) add(key string, v V, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.by[key]; ok {
		r.order.MoveToFront(e)
		return
	}
	const overhead = 256 // of an entry without anything in it
	e := &entry[V]{key, v, bytes + overhead}
	r.by[key] = r.order.PushFront(e)
	for r.bytes += e.bytes; r.bytes > r.most; {
		last := r.order.Remove(r.order.Back()).(*entry[V])
		delete(r.by, last.key)
		r.bytes -= last.bytes
	}
}

// documents are those that are parsed and validated: the trusted ones, and what was asked lately.
type documents struct {
	trusted *Trusted
	lately  *recent[*ast.QueryDocument]
}

// Get is part of graphql.Cache.
func (d *documents) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	if t := d.trusted.byText(text); t != nil {
		return t.parsed, true
	}
	return d.lately.get(text)
}

// Add is part of graphql.Cache.
func (d *documents) Add(_ context.Context, text string, doc *ast.QueryDocument) {
	d.lately.add(text, doc, len(text))
}

// persisted is the documents that clients have registered by their hashes (automatic persisted queries). It saves bytes,
// and is no list of what is allowed.
type persisted struct{ texts *recent[string] }

// persistedHash is the hash by which a request names its document; "" where it names none.
func persistedHash(extensions map[string]any) string {
	q, _ := extensions["persistedQuery"].(map[string]any)
	hash, _ := q["sha256Hash"].(string)
	return strings.ToLower(hash)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// keep registers a document that has been validated.
func (p *persisted) keep(op *graphql.OperationContext) {
	if hash := persistedHash(op.Extensions); hash != "" {
		p.texts.add(hash, op.RawQuery, len(hash)+len(op.RawQuery))
	}
}

// find gives the text of the document that a request names by an id or a hash, and refuses one that is not allowed.
func (g guard) find(ctx context.Context, p *graphql.RawParams) *fault.Error {
	id, _ := p.Extensions[documentKey].(string)
	hash := persistedHash(p.Extensions)
	if p.Query != "" && hash != "" && hash != hashOf(p.Query) {
		return fault.New(fault.BadUserInput, "document_hash")
	}
	trusted := g.known.trusted
	switch t := trusted.find(id, hash, p.Query); {
	case t != nil:
		p.Query = t.text
		return nil
	case id != "" && p.Query == "" && hash == "":
		return fault.New(fault.PersistedQueryNotFound, "document_unknown")
	}
	if p.Query == "" {
		text, ok := g.persisted.texts.get(hash)
		if !ok {
			return fault.New(fault.PersistedQueryNotFound, "document_unknown")
		}
		p.Query = text
	}
	return trusted.permit(ctx, resolvers.RequestOf(ctx).Viewer, hashOf, p.Query)
}
