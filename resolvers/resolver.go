// Package resolvers answers the root fields of the schema: each maps its arguments, calls one use-case, and hands what
// comes back to package view.
package resolvers

import (
	"context"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// Resolver holds what root fields are answered with.
type Resolver struct {
	Sources view.Sources
	Hub     *live.Hub
	// Again reads who asks afresh, for streams that outlive a change of rights.
	Again func(ctx context.Context, at im.Session) (im.Viewer, error)
}

// Request is what is known of a request beside its document.
type Request struct {
	Viewer    *im.Viewer  // nil: nobody signed in
	Session   *im.Session // of a socket: the viewer is read anew for each operation
	Language  fault.Language
	RequestID string
}

type requestKey struct{}

// With puts a request into its context.
func With(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf is the request of a context.
func RequestOf(ctx context.Context) Request {
	r, _ := ctx.Value(requestKey{}).(Request)
	return r
}

// begin starts a root field: nobody gets further without having signed in.
func (r *Resolver) begin(ctx context.Context) (*view.Batch, im.Viewer, error) {
	req := RequestOf(ctx)
	if req.Viewer == nil {
		return nil, im.Viewer{}, fault.New(fault.Unauthenticated, "unauthenticated")
	}
	return view.NewBatch(&r.Sources, *req.Viewer, req.Language), *req.Viewer, nil
}

// command starts a command. A key that is there and empty is most likely a client's mistake: it would believe itself to be safe
// from doing things twice.
func (r *Resolver) command(ctx context.Context, key *string) (*view.Batch, blocking.Call, error) {
	b, v, err := r.begin(ctx)
	if err == nil && key != nil && *key == "" {
		err = fault.New(fault.BadUserInput, "key_empty")
	}
	return b, blocking.Call{Viewer: v, Key: value(key), RequestID: RequestOf(ctx).RequestID}, err
}

// one answers a root field that looks one thing up by its id.
func one[N view.Node](r *Resolver, ctx context.Context, id string, kind im.Kind) (none N, _ error) {
	b, _, err := r.begin(ctx)
	if err != nil {
		return none, err
	}
	i, err := ids{code: fault.BadUserInput}.one("id", id, kind)
	if err != nil {
		return none, err
	}
	n, err := b.Node(ctx, im.Ref{Kind: kind, ID: i})
	if err != nil || n == nil {
		return none, err
	}
	return n.(N), nil
}

// ids reads ids that clients give. Its code says whose fault a malformed one is: of the request, or of a command's
// input.
type ids struct{ code fault.Code }

func (x ids) bad(path, id string, want string) error {
	return &fault.Error{Code: x.code, Key: "id_malformed", Args: []string{id[:min(len(id), 64)], want}, Path: []string{path}}
}

func (x ids) one(path, id string, kind im.Kind) (im.ID, error) {
	ref, ok := nodeid.Decode(id)
	if !ok || ref.Kind != kind {
		return im.ID{}, x.bad(path, id, string(kind))
	}
	return ref.ID, nil
}

func (x ids) optional(path string, id *string, kind im.Kind) (im.ID, error) {
	if id == nil {
		return im.ID{}, nil
	}
	return x.one(path, *id, kind)
}

func (x ids) party(path, id string) (im.Ref, error) {
	ref, ok := nodeid.Decode(id)
	if !ok || ref.Kind != im.KindMember && ref.Kind != im.KindContact {
		return im.Ref{}, x.bad(path, id, "member or contact")
	}
	return ref, nil
}

// target reads the id of something that can be kept away.
func (x ids) target(path, id string) (im.Ref, error) {
	ref, ok := nodeid.Decode(id)
	switch ref.Kind {
	case im.KindMember, im.KindContact, im.KindGroup, im.KindDepartment:
	default:
		ok = false
	}
	if !ok {
		return im.Ref{}, x.bad(path, id, "member, contact, group or department")
	}
	return ref, nil
}

// any reads an id of any kind.
func (x ids) any(path string, id *string) (im.ID, error) {
	if id == nil {
		return im.ID{}, nil
	}
	ref, ok := nodeid.Decode(*id)
	if !ok {
		return im.ID{}, x.bad(path, *id, "thing")
	}
	return ref.ID, nil
}

// bad makes the answer of a command whose input is malformed; any other error stays one.
func bad(err error) (blocking.Result, error) {
	if f := fault.As(err); f.Code == fault.InvalidInput {
		return blocking.Result{Faults: []*fault.Error{f}}, nil
	}
	return blocking.Result{}, err
}

// paging reads the paging arguments of a list.
func paging(ctx context.Context, order string, first *int, after *string, last *int, before *string) (page.Request, error) {
	return page.Parse(order, page.Args{First: first, After: after, Last: last, Before: before}, askedOf(ctx).has("totalCount"))
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// when is a moment that may be left out.
func when(t *time.Time) time.Time { return value(t) }

// end is the two commands that end a relationship.
func (r *Resolver) end(ctx context.Context, command func(context.Context, blocking.Call, blocking.EndInput) (blocking.Result, error),
	relationshipID, reason string, key *string) (*view.UndoPayload, error) {
	b, c, err := r.command(ctx, key)
	if err != nil {
		return nil, err
	}
	id, err := ids{fault.InvalidInput}.one("relationshipId", relationshipID, im.KindRelationship)
	if err != nil {
		res, err := bad(err)
		return b.UndoPayload(res), err
	}
	res, err := command(ctx, c, blocking.EndInput{RelationshipID: id, Reason: im.Text(reason)})
	if err != nil {
		return nil, err
	}
	return b.UndoPayload(res), nil
}

// follow is a subscription: what its caller may see of the changes that he watches, each presented by itself, as a batch must not
// live as long as a socket.
func follow[E any](r *Resolver, ctx context.Context, w live.Watch, after *string, present func(b *view.Batch, cursor string, c im.Change) E) (<-chan E, error) {
	_, v, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	at := im.Session{Viewer: v}
	if s := RequestOf(ctx).Session; s != nil {
		at = *s
	}
	viewer := func(ctx context.Context) (im.Viewer, error) { return r.Again(ctx, at) }
	return live.Follow(ctx, r.Hub, viewer, w, after, func(e live.Event) E {
		return present(view.NewBatch(&r.Sources, e.Viewer, RequestOf(ctx).Language), e.Cursor, e.Change)
	})
}

// keepsAway are the actions of the set of the shipped policy files that block is guarded by.
var keepsAway = map[string][]string{"keep_away": {"block", "isolate", "blacklist", "group_block"}}

// offered are the actions that the schema has a command or a question for, as its directives say.
var offered = sync.OnceValue(func() (out []string) {
	s := generated.NewExecutableSchema(generated.Config{}).Schema()
	for _, root := range []*ast.Definition{s.Query, s.Mutation} {
		for _, f := range root.Fields {
			if d := f.Directives.ForName("authorize"); d != nil {
				action := d.Arguments.ForName("action").Value.Raw
				out = append(append(out, action), keepsAway[action]...)
			}
		}
	}
	return out
})
