package policy

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Bundles is where the files of every version that was in force are kept.
type Bundles interface {
	// PolicyBundle reads the files of the version whose name begins with prefix; nil where there is none.
	PolicyBundle(ctx context.Context, prefix string) ([]byte, error)
}

// History shows and decides by the versions that were in force.
type History struct {
	now     authz.Source
	bundles Bundles
	duties  []string
	opening sync.Mutex // one at a time: a page of decisions asks for one version many times at once
	engines *lru.Cache[string, *authz.Engine]
}

// enginesKept bounds the engines of old versions in memory; one takes about a megabyte.
const enginesKept = 8

// NewHistory makes the history that ends with what is in force now. duties are those that somebody fulfils.
func NewHistory(now authz.Source, b Bundles, duties []string) *History {
	engines, err := lru.New[string, *authz.Engine](enginesKept)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &History{now: now, bundles: b, duties: duties, engines: engines}
}

// Rule finds a policy line by its id, of whatever version it is.
func (h *History) Rule(ctx context.Context, id im.ID) (authz.Rule, bool, error) {
	if r, ok := h.now.Engine().Rule(id); ok {
		return r, true, nil
	}
	bundle, err := h.bundles.PolicyBundle(ctx, fmt.Sprintf("%x", id[:12])) // a rule's id begins with twelve bytes of its version
	if err != nil || bundle == nil {
		return authz.Rule{}, false, err
	}
	old, err := authz.OpenBundle(bundle)
	if err != nil {
		return authz.Rule{}, false, fault.Undecided(fmt.Errorf("open the policy version of rule %x: %w", id[:12], err))
	}
	r, ok := old.Rule(id)
	return r, ok, nil
}

// engine gives the engine of a version; nil where it is not kept, or says what this release does not know.
func (h *History) engine(ctx context.Context, version string) (*authz.Engine, error) {
	if e := h.now.Engine(); e.Version() == version {
		return e, nil
	}
	h.opening.Lock()
	defer h.opening.Unlock()
	if e, ok := h.engines.Get(version); ok {
		return e, nil
	}
	bundle, err := h.bundles.PolicyBundle(ctx, version)
	if err != nil {
		return nil, err
	}
	var e *authz.Engine
	if bundle != nil { // a version is kept before anything is decided by it
		if e, err = authz.OpenEngine(bundle, h.duties); err != nil { // sound in its time, and judged by another vocabulary now
			e = nil
		}
	}
	h.engines.Add(version, e)
	return e, nil
}

// Explain makes a decision again, by the version and the facts that it was made by, and tells what stood around it. It is
// false where that cannot be done any more: the version is not kept, or an attribute has changed since.
func (h *History) Explain(ctx context.Context, d im.Decision) (authz.Explanation, bool, error) {
	e, err := h.engine(ctx, d.PolicyVersion)
	if err != nil || e == nil {
		return authz.Explanation{}, false, err
	}
	r, err := authz.RequestOf(d.Facts)
	if err != nil {
		return authz.Explanation{}, false, nil
	}
	r.Action = d.Action // those of the first release do not stand among the facts
	x, err := e.Explain(ctx, r)
	return x, err == nil, err
}
