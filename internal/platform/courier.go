package platform

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Store is where intents wait, with what is needed to carry them out.
type Store interface {
	// Claim takes intents that are due, until the lease ends, and counts the attempt. Of two that claim at once each
	// intent goes to one; of the intents on one target only the oldest can be claimed.
	Claim(ctx context.Context, q ClaimQuery) ([]Job, error)
	// WorkspacesDue lists the workspaces on which an intent is due.
	WorkspacesDue(ctx context.Context, now time.Time) ([]im.ID, error)
	// KeepHold keeps what is about to be taken off a contact, before it is.
	KeepHold(ctx context.Context, h im.Hold) error
	// Hasten makes the oldest of what waits on a workspace due, after its platform came back.
	Hasten(ctx context.Context, workspace im.ID, now time.Time, limit int) error
	Post(ctx context.Context, u ledger.Unit) error
}

// ClaimQuery says which intents to claim.
type ClaimQuery struct {
	Workspace im.ID
	Intent    im.ID // not zero: this one alone
	Now       time.Time
	Until     time.Time // end of the lease: whoever claimed is taken for dead then
	Limit     int
}

// Job is a claimed intent with what is known of its relationship.
type Job struct {
	Intent       im.Intent
	Relationship im.Relationship
	TargetName   string // for the trail
	Contact      string // the platform's id
	OwnerID      im.ID  // of the contact
	Sides        []Side
	// Others are the other blacklistings of the contact that are in effect: what they still want taken off stays off.
	Others []im.Relationship
}

// Side is one member's tie with the contact.
type Side struct {
	MemberID im.ID
	Account  string // the platform's id
	Follows  bool
	Hold     *im.Hold // what was taken off it
}

// Courier carries intents out: at once where it can, else when they are due. Everything that it must not forget is in
// the store, so any replica may go on where another one died. Make it with [NewCourier] and run it.
type Courier struct {
	o    CourierOptions
	wake chan struct{}
}

// CourierOptions are what a courier needs.
type CourierOptions struct {
	Store       Store
	Connections *Connections
	Log         *slog.Logger
	Now         func() time.Time
	IDs         *im.IDs
	Wake        func() // called after each write
}

// NewCourier makes a courier.
func NewCourier(o CourierOptions) *Courier {
	o.Store = ordered(o.Store) // fault_on.go replaces it by a planted fault
	return &Courier{o: o, wake: make(chan struct{}, 1)}
}

// Times and sizes of delivering.
const (
	attemptsAtOnce = 8                      // on one workspace, by one replica
	attemptTime    = 15 * time.Second       // bounds one attempt
	leaseTime      = attemptTime * 2        // after which another replica may try
	patience       = 800 * time.Millisecond // how long a command waits for the delivery of its own intents
	courierPoll    = 300 * time.Millisecond
	checkEvery     = 10 * time.Second // how often connections are checked
	hastenEvery    = 2 * time.Second  // how often some of what waits is made due because its platform answers again
	hastenFirst    = 8                // so much of it; twice as much each time, until the platform asks for a pause
	triesAtOnce    = 3                // within one attempt
	tryPause       = 50 * time.Millisecond
	flushPause     = 5 * time.Millisecond
	backoffFirst   = 500 * time.Millisecond
	backoffMax     = 30 * time.Second
	// attemptsMax is how often something is tried of which nobody knows whether it will pass.
	attemptsMax = 10
)

// Run delivers what is due, until ctx ends and what was under way has been written down.
func (c *Courier) Run(ctx context.Context) {
	poll, check := time.NewTicker(courierPoll), time.NewTicker(checkEvery)
	defer poll.Stop()
	defer check.Stop()
	var checks sync.WaitGroup
	defer checks.Wait()
	for {
		select {
		case <-ctx.Done():
			for _, k := range c.o.Connections.byID {
				k.take(attemptsAtOnce, true) // once all slots are ours no attempt is under way, and none begins
			}
			return
		case <-check.C:
			checks.Wait()
			checks.Go(func() { c.o.Connections.Check(ctx) })
			continue
		case <-poll.C:
		case <-c.wake:
		}
		if _, err := c.round(ctx, new(sync.WaitGroup)); err != nil && ctx.Err() == nil {
			c.o.Log.WarnContext(ctx, "looking for deliveries failed", "error", err)
		}
	}
}

// Flush delivers what is due now, and answers once each has been tried, by whomever of this process.
func (c *Courier) Flush(ctx context.Context) error {
	for {
		var attempts sync.WaitGroup
		n, err := c.round(ctx, &attempts)
		attempts.Wait()
		if err != nil {
			return err
		}
		if n == 0 && !c.o.Connections.busy() {
			return ctx.Err()
		}
		if n == 0 { // somebody else of this process is at it
			time.Sleep(flushPause)
		}
	}
}

// Deliver tries intents at once, and answers when each has been tried or when a command has waited long enough. What
// could not be tried is tried later.
func (c *Courier) Deliver(ctx context.Context, intents []im.Intent) {
	var all sync.WaitGroup
	for _, i := range intents {
		k := c.o.Connections.byID[i.WorkspaceID]
		if i.State != im.DeliveryPending || k == nil || k.down() || k.take(1, false) == 0 {
			continue // it waits its turn
		}
		all.Go(func() {
			if _, err := c.start(context.WithoutCancel(ctx), k, 1, i.ID, &all); err != nil {
				c.o.Log.WarnContext(ctx, "claiming a delivery failed", "intent", i.ID, "error", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { defer close(done); all.Wait() }()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-done:
	case <-enough.C:
	case <-ctx.Done():
	}
}

// round starts attempts at what is due, and answers how many.
func (c *Courier) round(ctx context.Context, attempts *sync.WaitGroup) (n int, err error) {
	for _, k := range c.o.Connections.byID {
		if some := k.recovered(time.Now()); some > 0 {
			if err := c.o.Store.Hasten(ctx, k.workspace.ID, c.o.Now(), some); err != nil {
				return 0, err
			}
		}
	}
	due, err := c.o.Store.WorkspacesDue(ctx, c.o.Now())
	if err != nil {
		return 0, err
	}
	for _, w := range due {
		k := c.o.Connections.byID[w]
		if k == nil {
			continue // another replica, or a later start, may have it connected
		}
		room := attemptsAtOnce
		if k.down() {
			room = 1 // one to see whether it is back
		}
		started, err := c.start(ctx, k, k.take(room, false), im.ID{}, attempts)
		if err != nil {
			return n, err
		}
		n += started
	}
	return n, nil
}

// start claims as many intents as there are slots taken, and lets go of the slots as their attempts end.
func (c *Courier) start(ctx context.Context, k *connection, slots int, one im.ID, attempts *sync.WaitGroup) (int, error) {
	if slots == 0 {
		return 0, nil
	}
	now := c.o.Now()
	jobs, err := c.o.Store.Claim(ctx, ClaimQuery{Workspace: k.workspace.ID, Intent: one, Now: now, Until: now.Add(leaseTime), Limit: slots})
	k.release(slots - len(jobs))
	for _, j := range jobs {
		attempts.Go(func() {
			defer c.nudge() // there is room for another
			defer k.release(1)
			c.attempt(context.WithoutCancel(ctx), k, j)
		})
	}
	return len(jobs), err
}

// nudge has what is due looked for at once.
func (c *Courier) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// attempt carries one intent out as far as it goes, and writes down what came of it.
func (c *Courier) attempt(ctx context.Context, k *connection, j Job) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	u, ref, err := c.carryOut(ctx, k, j)
	for try := 1; err != nil && try < triesAtOnce && mayPass(err) && !k.down(); try++ {
		time.Sleep(tryPause)
		u, ref, err = c.carryOut(ctx, k, j)
	}
	k.heard(err)
	step, code := j.Intent, adapters.CodeOf(err)
	if e := (*adapters.Error)(nil); ref == "" && errors.As(err, &e) {
		ref = e.Vendor.RequestID
	}
	step.VendorRef, step.LastErrorCode, step.NextTryAt = ref, code.String(), time.Time{}
	switch {
	case err == nil:
		step.State, step.LastErrorCode, step.SettledAt = im.DeliveryDelivered, "", c.o.Now()
	case givesUp(code, step.Attempts):
		step.State, step.SettledAt = im.DeliveryFailed, c.o.Now()
	default:
		step.NextTryAt = c.o.Now().Add(waitFor(err, step.Attempts))
		k.keepsWaiting()
	}
	if err != nil {
		c.o.Log.WarnContext(ctx, "a delivery did not come through", "intent", step.ID, "kind", step.Kind, "attempt", step.Attempts,
			"state", step.State, "error", err)
	}
	u.IntentSteps = append(u.IntentSteps, step)
	if step.State != im.DeliveryPending {
		u.Events = append(u.Events, c.event(j, step))
	}
	switch err := c.o.Store.Post(context.WithoutCancel(ctx), u); {
	case err == nil:
		c.o.Wake()
	case errors.Is(err, ledger.ErrStale): // the lease ran out, and somebody else has gone on with it
	default: // once the lease has run out it is tried again
		c.o.Log.WarnContext(ctx, "what came of a delivery could not be written down", "intent", step.ID, "error", err)
	}
}

// mayPass reports whether a failure may be over in a moment: an answer that was lost, which the next try reads back, or
// a platform that is busy and asks for no pause.
func mayPass(err error) bool {
	var e *adapters.Error
	return adapters.CodeOf(err).Retry() != adapters.Never && (!errors.As(err, &e) || e.RetryAfter == 0)
}

// givesUp reports whether to try no more after a failure with this code.
func givesUp(code adapters.Code, attempts int) bool {
	switch code {
	case adapters.Unauthenticated: // of the connection, not of this intent: somebody has to mend the credentials
		return false
	case adapters.Conflict, adapters.Internal, adapters.Unknown: // it may pass
		return attempts >= attemptsMax
	}
	return code.Retry() == adapters.Never
}

// waitFor is how long to wait before the next attempt: as long as the platform asks for, else longer each time, with
// some chance in it so that those who failed together do not come back together.
func waitFor(err error, attempts int) time.Duration {
	d := min(backoffFirst<<min(attempts-1, 10), backoffMax)
	d = d/2 + rand.N(d/2)
	var e *adapters.Error
	if errors.As(err, &e) {
		d = max(d, e.RetryAfter)
	}
	return d
}

// event is the line of the trail about the end of a delivery.
func (c *Courier) event(j Job, i im.Intent) im.AuditEvent {
	action := "platform.deliver"
	if i.State == im.DeliveryFailed {
		action = "platform.fail"
	}
	return im.AuditEvent{ID: c.o.IDs.New(), At: c.o.Now(), ActorName: gateway, Action: action, Subject: i.Subject, SubjectName: j.TargetName,
		About: i.TargetID, WorkspaceID: i.WorkspaceID, Detail: im.Text(i.Kind)}
}

// gateway is the actor's name of what the gateway does by itself.
const gateway = "guanxi"
