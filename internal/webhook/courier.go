package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Store is where webhooks wait.
type Store interface {
	// WebhooksDue lists the endpoints for which something is due that nobody has claimed.
	WebhooksDue(ctx context.Context, now time.Time) ([]Due, error)
	// ClaimWebhooks takes what is due for an endpoint, until the lease ends, and counts the try. Of two that claim at once each
	// goes to one; of what is about one thing only the oldest can be claimed.
	ClaimWebhooks(ctx context.Context, q ClaimQuery) ([]Job, error)
	// EndpointHealth is how endpoints do of which something is known, by name.
	EndpointHealth(ctx context.Context) (map[string]im.EndpointHealth, error)
	Post(ctx context.Context, u ledger.Unit) error
}

// Due is an endpoint for which something is due.
type Due struct {
	Health im.EndpointHealth // its name, and what keeps it from being asked
	Oldest time.Time         // when the oldest of it was written
}

// ClaimQuery says what to claim.
type ClaimQuery struct {
	Endpoint  string
	ToldUntil time.Time // not zero: only what was written until then
	Now       time.Time
	Until     time.Time // end of the lease: whoever claimed is taken for dead then
	Limit     int
}

// Times and sizes of sending.
const (
	// AttemptTime bounds one try.
	AttemptTime  = 15 * time.Second
	leaseTime    = 2 * AttemptTime // after which another replica may try
	poll         = 500 * time.Millisecond
	atOnce       = 4              // to one endpoint, by one replica
	disableAfter = 72 * time.Hour // of failing
	probeEvery   = time.Hour      // while it is disabled
	pauseMax     = 24 * time.Hour // that an endpoint may ask for
	// overdue is from when on what cannot be tried is given up.
	overdue = 96 * time.Hour
	idle    = 5 * time.Millisecond
)

// waits are the times between tries, those that Standard Webhooks has as an example: ten tries in 76 hours.
var waits = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}

// Courier sends what is due. Make it with [NewCourier] and run it.
type Courier struct {
	o         Options
	endpoints map[string]Endpoint
	mu        sync.Mutex
	busy      map[string]int // tries that are under way, by endpoint
	all       sync.WaitGroup
	wake      chan struct{}
}

// Options are what a courier needs.
type Options struct {
	Store     Store
	Endpoints []Endpoint
	HTTP      *http.Client // goes where endpoints are and nowhere else
	Log       *slog.Logger
	Now       func() time.Time
	Real      func() time.Time // of signatures, whose age receivers judge by their own clock
	IDs       *im.IDs
	Wake      func() // called after each write
}

// NewCourier makes a courier.
func NewCourier(o Options) *Courier {
	c := &Courier{o: o, endpoints: map[string]Endpoint{}, busy: map[string]int{}, wake: make(chan struct{}, 1)}
	for _, e := range o.Endpoints {
		c.endpoints[e.Name] = e
	}
	return c
}

// Told names the endpoints that are told of what has a purpose, in the order of the settings. That something has ended all are, of which the
// store takes those that were told of it.
func (c *Courier) Told(purpose string) (names []string) {
	for _, e := range c.o.Endpoints {
		if purpose == im.NoticeEnded || e.Takes(purpose) {
			names = append(names, e.Name)
		}
	}
	return names
}

// Health is how each endpoint of the settings does. Of one that was given another URL nothing is known yet.
func (c *Courier) Health(ctx context.Context) (out []im.EndpointHealth, err error) {
	known, err := c.o.Store.EndpointHealth(ctx)
	for _, e := range c.o.Endpoints {
		h := known[e.Name]
		if h.URL != e.hash() {
			h = im.EndpointHealth{Name: e.Name, Pending: h.Pending}
		}
		out = append(out, h)
	}
	return out, err
}

// Run sends what is due, until ctx ends and what was under way has been written down.
func (c *Courier) Run(ctx context.Context) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	defer c.all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-c.wake:
		}
		if _, err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.o.Log.WarnContext(ctx, "looking for webhooks failed", "error", err)
		}
	}
}

// Flush sends what is due now, and answers once each has been tried, by whomever of this process.
func (c *Courier) Flush(ctx context.Context) error {
	for {
		n, err := c.round(ctx)
		if err != nil {
			return err
		}
		if n == 0 && !c.underWay() {
			return ctx.Err()
		}
		time.Sleep(idle)
	}
}

func (c *Courier) underWay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.busy {
		if n > 0 {
			return true
		}
	}
	return false
}

// take takes up to so many of the room that an endpoint has, and answers how many.
func (c *Courier) take(name string, room int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := max(0, room-c.busy[name])
	c.busy[name] += n
	return n
}

func (c *Courier) release(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy[name] -= n
}

// round begins tries of what is due, and answers how many.
func (c *Courier) round(ctx context.Context) (n int, err error) {
	now := c.o.Now()
	due, err := c.o.Store.WebhooksDue(ctx, now)
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		e, known := c.endpoints[d.Health.Name]
		q := ClaimQuery{Endpoint: d.Health.Name, Now: now, Until: now.Add(leaseTime), Limit: atOnce}
		if !known || c.resting(e, d.Health, now) { // another replica, or a later start, may have it in its settings
			if q.ToldUntil = now.Add(-overdue); d.Oldest.After(q.ToldUntil) {
				continue
			}
		} else if c.disabled(e, d.Health) {
			q.Limit = 1 // one, to see whether it is back
		}
		q.Limit = c.take(q.Endpoint, q.Limit)
		if q.Limit == 0 {
			continue
		}
		jobs, err := c.o.Store.ClaimWebhooks(ctx, q)
		c.release(q.Endpoint, q.Limit-len(jobs))
		if err != nil {
			return n, err
		}
		for _, j := range jobs {
			c.all.Go(func() {
				defer c.nudge() // there is room for another
				defer c.release(q.Endpoint, 1)
				c.attempt(context.WithoutCancel(ctx), j, !q.ToldUntil.IsZero())
			})
		}
		n += len(jobs)
	}
	return n, nil
}

// disabled reports whether an endpoint is, as it stands in the settings.
func (c *Courier) disabled(e Endpoint, h im.EndpointHealth) bool {
	return !h.DisabledAt.IsZero() && h.URL == e.hash()
}

// resting reports whether an endpoint is disabled and is not to be tried now either.
func (c *Courier) resting(e Endpoint, h im.EndpointHealth, now time.Time) bool {
	return c.disabled(e, h) && (h.LastErrorCode == im.WebhookGone || h.ProbeAt.After(now))
}

func (c *Courier) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// attempt sends a job, or gives it up, and writes down what came of it.
func (c *Courier) attempt(ctx context.Context, j Job, giveUp bool) {
	step := ledger.WebhookStep{Notice: j.Notice}
	d := &step.Notice.Delivery
	var pause time.Duration
	var err error
	if giveUp {
		d.LastErrorCode = im.WebhookOverdue
	} else {
		e := c.endpoints[j.Notice.Endpoint]
		step.URL = e.hash()
		within, cancel := context.WithTimeout(ctx, AttemptTime)
		d.LastErrorCode, pause, err = post(within, c.o.HTTP, e, j, c.o.Real())
		cancel()
	}
	now := c.o.Now()
	step.At, step.DisableSince, step.ProbeAt = now, now.Add(-disableAfter), now.Add(probeEvery)
	switch {
	case d.LastErrorCode == "":
		d.State, d.SettledAt = im.DeliveryDelivered, now
	case giveUp, d.Attempts > len(waits):
		d.State, d.SettledAt = im.DeliveryFailed, now
	default:
		wait := waits[d.Attempts-1]
		wait += rand.N(wait / 10) // those that failed together do not come back together
		d.State, step.NextTryAt = im.DeliveryPending, now.Add(max(wait, min(pause, pauseMax)))
	}
	if d.LastErrorCode != "" {
		c.o.Log.WarnContext(ctx, "a webhook did not arrive", "endpoint", j.Notice.Endpoint, "webhook", j.id(), "attempt", d.Attempts,
			"state", d.State, "code", d.LastErrorCode, "error", err)
	}
	u := ledger.Unit{Webhooks: []ledger.WebhookStep{step}}
	if d.State != im.DeliveryPending {
		u.Events = append(u.Events, c.event(j, step))
	}
	switch err := c.o.Store.Post(ctx, u); {
	case err == nil:
		c.o.Wake()
	case errors.Is(err, ledger.ErrStale): // the lease ran out, and somebody else has gone on with it
	default: // once the lease has run out it is sent again
		c.o.Log.WarnContext(ctx, "what came of a webhook could not be written down", "webhook", j.id(), "error", err)
	}
}

// event is the line of the trail about the end of a delivery.
func (c *Courier) event(j Job, step ledger.WebhookStep) im.AuditEvent {
	action := "webhook.deliver"
	if step.Notice.Delivery.State == im.DeliveryFailed {
		action = "webhook.fail"
	}
	return im.AuditEvent{ID: c.o.IDs.New(), At: step.At, ActorName: "guanxi", Action: action, Subject: j.Notice.Subject, SubjectName: j.TargetName,
		About: j.Relationship.Target.ID, WorkspaceID: j.Relationship.WorkspaceID, Detail: im.Text(j.Notice.Endpoint + ": " + j.Notice.Purpose)}
}
