package platform

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// BudgetStore is where replicas share what a platform lets them call.
type BudgetStore interface {
	// Lease spends calls of a budget for this replica to make: all that is asked for, or none where the budget would be
	// exceeded. What a replica does not make of them is spent all the same.
	Lease(ctx context.Context, l LeaseQuery) (granted bool, err error)
	// Spent is what has been leased of all budgets; slots that no longer count may be among it.
	Spent(ctx context.Context) ([]Spent, error)
}

// LeaseQuery asks for calls of a budget.
type LeaseQuery struct {
	Workspace im.ID
	Budget    string
	Slot      int64 // the part of the window that they are to be made in
	Since     int64 // the first slot that still counts
	Calls     int
	Limit     int // calls in the slots that count
}

// slotsOfWindow is into how many slots a window is cut: calls are counted by slot, and a slot counts until all of it has
// left the window.
const slotsOfWindow = 6

// chunkOf is how many calls are leased at once: few enough that what a dead replica leaves unmade does not matter, many
// enough that a lease is rare.
func chunkOf(b adapters.Budget) int { return max(1, min(b.N/200, 100)) }

// pacer keeps the calls of a workspace, of all replicas together, within the budgets that its platform publishes. It is
// the transport of the workspace's adapter: a call that is over budget is refused before it is sent.
type pacer struct {
	next      http.RoundTripper
	store     BudgetStore
	platform  string
	workspace im.ID
	budgets   []adapters.Budget
	now       func() time.Time

	mu     sync.Mutex
	leases map[string]*lease
	sent   func(error) // told how each request ended that was sent
}

// lease is what this replica may still call in a slot.
type lease struct {
	mu    sync.Mutex
	slot  int64
	calls int
}

// RoundTrip sends a request that is within all budgets.
func (p *pacer) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, b := range p.budgets {
		if b.Op != "" && b.Op != r.URL.Path {
			continue
		}
		if b.Op == "" { // each operation by itself
			b.Op = r.URL.Path
		}
		if err := p.spend(r.Context(), b); err != nil {
			return nil, err
		}
	}
	ctx, act := observe.Begin(r.Context(), observe.Request, p.platform, r.Method) // its path may hold ids of theirs
	res, err := p.next.RoundTrip(r.WithContext(ctx))
	switch {
	case err != nil:
		act.End("failed")
	case res.StatusCode >= http.StatusBadRequest:
		act.End(strconv.Itoa(res.StatusCode))
	default:
		act.End("")
	}
	p.sent(err)
	return res, err
}

// spend takes one call of a budget.
func (p *pacer) spend(ctx context.Context, b adapters.Budget) error {
	name := fmt.Sprintf("%s/%s/%s", b.Scope, b.Op, b.Per) // quota reads it
	p.mu.Lock()
	l := p.leases[name]
	if l == nil {
		l = &lease{}
		p.leases[name] = l
	}
	p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := b.Per / slotsOfWindow
	now := p.now()
	if at := now.UnixNano() / int64(slot); at != l.slot {
		l.slot, l.calls = at, 0 // what is left of another slot is not for this one
	}
	if l.calls == 0 {
		chunk := chunkOf(b)
		granted, err := p.store.Lease(ctx, LeaseQuery{Workspace: p.workspace, Budget: name, Slot: l.slot, Since: l.slot - slotsOfWindow,
			Calls: chunk, Limit: b.N})
		if err != nil {
			return &adapters.Error{Code: adapters.Unavailable, Op: "pace", Message: "how many calls are left cannot be told", Err: err}
		}
		if !granted {
			return &adapters.Error{Code: adapters.RateLimited, Op: "pace", Message: "the budget of " + name + " is spent",
				RetryAfter: time.Unix(0, (l.slot+1)*int64(slot)).Sub(now)}
		}
		l.calls = chunk
	}
	l.calls--
	return nil
}
