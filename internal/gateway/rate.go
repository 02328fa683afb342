package gateway

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// Limit is how much somebody may ask for: at most Cost in one operation, Capacity at once, and Restore a second after
// that. Without a capacity there is no limit to the rate.
type Limit struct{ Cost, Capacity, Restore int }

// Limits are the limits of everybody. Of the limits of a person's roles the largest holds.
type Limits struct {
	Everyone  Limit
	Strangers Limit // who have not signed in, by their address
	Roles     map[string]Limit
}

// of is the limit of a person.
func (l Limits) of(v *im.Viewer) Limit {
	if v == nil {
		return l.Strangers
	}
	limit := l.Everyone
	for role, more := range l.Roles {
		if v.Is(role) {
			limit.Cost = max(limit.Cost, more.Cost)
			if limit.Capacity != 0 && (more.Capacity > limit.Capacity || more.Capacity == 0) {
				limit.Capacity, limit.Restore = more.Capacity, more.Restore
			}
		}
	}
	return limit
}

// bucket is what somebody has left, in this replica.
type bucket struct {
	mu   sync.Mutex
	left float64
	at   time.Time
}

// fill adds what time has restored. The caller holds the lock.
func (b *bucket) fill(l Limit, now time.Time) {
	if b.at.IsZero() {
		b.left = float64(l.Capacity)
	} else if d := now.Sub(b.at).Seconds(); d > 0 {
		b.left += d * float64(l.Restore)
	}
	b.left = min(b.left, float64(l.Capacity))
	b.at = now
}

// bucketsMax bounds how many callers are remembered.
const bucketsMax = 100_000

// till holds the buckets.
type till struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[string]*bucket
}

func newTill(now func() time.Time) *till { return &till{now: now, of: map[string]*bucket{}} }

func (t *till) bucket(who string) *bucket {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.of[who]
	if b == nil {
		if len(t.of) >= bucketsMax {
			t.forget()
		}
		b = &bucket{}
		t.of[who] = b
	}
	return b
}

// idle is after which time a bucket is as good as a new one, or nearly so.
const idle = time.Minute

// forget makes room: for those who have asked for nothing for a while, and if that is not enough, for any.
func (t *till) forget() {
	now := t.now()
	for who, b := range t.of {
		b.mu.Lock()
		old := now.Sub(b.at) > idle
		b.mu.Unlock()
		if old {
			delete(t.of, who)
		}
	}
	for who := range t.of {
		if len(t.of) < bucketsMax*3/4 {
			return
		}
		delete(t.of, who)
	}
}

// payer is who is charged for a request.
type payer struct {
	limit  Limit
	bucket *bucket
	now    func() time.Time
}

type payerKey struct{}

func payerOf(ctx context.Context) *payer {
	p, _ := ctx.Value(payerKey{}).(*payer)
	return p
}

// charge says in the context who pays.
func (o *Options) charge(ctx context.Context, from netip.Addr) context.Context {
	v := resolvers.RequestOf(ctx).Viewer
	if from.Is6() {
		if net, err := from.Prefix(64); err == nil { // which is what one household has
			from = net.Addr()
		}
	}
	who := "address " + from.String()
	if v != nil {
		who = "caller " + v.ID().String()
	}
	limit := o.Limits.of(v)
	p := &payer{limit: limit, now: o.till.now}
	if limit.Capacity > 0 {
		p.bucket = o.till.bucket(who)
	}
	return context.WithValue(ctx, payerKey{}, p)
}

// draw takes from the bucket; where there is not enough it takes nothing, and says for how long one has to wait.
func (p *payer) draw(cost int) (left float64, wait time.Duration) {
	if p.bucket == nil {
		return math.Inf(1), 0
	}
	p.bucket.mu.Lock()
	defer p.bucket.mu.Unlock()
	p.bucket.fill(p.limit, p.now())
	need := min(float64(cost), float64(p.limit.Capacity)) // what is dearer than all one may have is paid with all
	if p.bucket.left < need {
		seconds := (need - p.bucket.left) / float64(max(p.limit.Restore, 1))
		return p.bucket.left, time.Duration(seconds * float64(time.Second))
	}
	p.bucket.left -= need
	return p.bucket.left, 0
}

// afford takes what every request costs, before any work is done, and refuses who has nothing left.
func afford(ctx context.Context, cost int) *fault.Error {
	p := payerOf(ctx)
	if p == nil {
		return nil
	}
	b := &bill{payer: p, requested: cost}
	graphql.GetOperationContext(ctx).Stats.SetExtension(billKey, b)
	return b.pay(cost)
}

func limited(wait time.Duration) *fault.Error {
	return fault.New(fault.RateLimited, "rate_limited", itoa(seconds(wait)))
}

// seconds rounds up: who waits for so long need not wait again.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// bill is what an operation costs, and what is left to its payer.
type bill struct {
	payer     *payer
	requested int
	left      float64
	wait      time.Duration // until it could be paid
}

const (
	billKey    = "bill"
	costHeader = "GraphQL-Cost"
)

func billOf(op *graphql.OperationContext) *bill {
	b, _ := op.Stats.GetExtension(billKey).(*bill)
	return b
}

// pay takes a part of the bill.
func (b *bill) pay(cost int) *fault.Error {
	if b.left, b.wait = b.payer.draw(cost); b.wait > 0 {
		return limited(b.wait)
	}
	return nil
}

// extension is the bill as extensions.cost has it.
func (b *bill) extension() map[string]any {
	out := map[string]any{"requested": b.requested, "limit": b.payer.limit.Cost}
	if l := b.payer.limit; b.payer.bucket != nil {
		out["throttleStatus"] = map[string]any{"limit": l.Capacity, "remaining": int(b.left), "restoreRate": l.Restore}
	}
	return out
}

// head writes the headers of draft-ietf-httpapi-ratelimit-headers.
func (b *bill) head(h http.Header) {
	if b == nil || b.payer.bucket == nil {
		return
	}
	l := b.payer.limit
	h.Set("RateLimit-Policy", fmt.Sprintf(`"cost";q=%d;w=%d`, l.Capacity, window(float64(l.Capacity), l)))
	h.Set("RateLimit", fmt.Sprintf(`"cost";r=%d;t=%d`, int(b.left), window(float64(l.Capacity)-b.left, l)))
	if b.wait > 0 {
		h.Set("Retry-After", itoa(seconds(b.wait)))
	}
}

// window is how many seconds it takes to restore so much.
func window(cost float64, l Limit) int { return int(math.Ceil(cost / float64(max(l.Restore, 1)))) }

func itoa(n int) string { return strconv.Itoa(n) }

// headcount bounds how many sockets and streams one person has open.
type headcount struct {
	most int
	mu   sync.Mutex
	of   map[im.ID]int
}

func (h *headcount) enter(who im.ID) (leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of[who] >= h.most {
		return nil, false
	}
	h.of[who]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.of[who]--; h.of[who] == 0 {
			delete(h.of, who)
		}
	}, true
}
