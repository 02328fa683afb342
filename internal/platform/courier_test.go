package platform_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/memory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// codes are all categories of errors.
func codes() (out []adapters.Code) {
	for c := adapters.OK + 1; !strings.HasPrefix(c.String(), "Code("); c++ {
		out = append(out, c)
	}
	return out
}

// some are n contacts whom an follows.
func some(n int) (out []customer) {
	for i := range n {
		out = append(out, customer{fmt.Sprint("k", i), "an", "an"})
	}
	return out
}

// How long it is until the next attempt: what the platform asks for, and else longer each time up to a bound, by chance.
func TestWaitFor(t *testing.T) {
	unavailable := &adapters.Error{Code: adapters.Unavailable}
	for _, row := range []struct {
		err      error
		attempts int
		from, to time.Duration
	}{
		{unavailable, 1, platform.BackoffFirst / 2, platform.BackoffFirst},
		{unavailable, 2, platform.BackoffFirst, 2 * platform.BackoffFirst},
		{unavailable, 4, 4 * platform.BackoffFirst, 8 * platform.BackoffFirst},
		{unavailable, 9, platform.BackoffMax / 2, platform.BackoffMax},
		{unavailable, 1_000_000, platform.BackoffMax / 2, platform.BackoffMax},
		{context.DeadlineExceeded, 1, platform.BackoffFirst / 2, platform.BackoffFirst},
		{&adapters.Error{Code: adapters.RateLimited, RetryAfter: time.Hour}, 3, time.Hour, time.Hour},
		{fmt.Errorf("wrapped: %w", &adapters.Error{Code: adapters.RateLimited, RetryAfter: time.Hour}), 3, time.Hour, time.Hour},
		{&adapters.Error{Code: adapters.RateLimited, RetryAfter: time.Millisecond}, 9, platform.BackoffMax / 2, platform.BackoffMax},
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := platform.WaitFor(row.err, row.attempts)
			if d < row.from || d > row.to {
				t.Fatalf("%v, attempt %d: %v; want %v to %v", row.err, row.attempts, d, row.from, row.to)
			}
			seen[d] = true
		}
		if row.from < row.to && len(seen) < 2 { // those who failed together would come back together
			t.Errorf("%v, attempt %d: always the same", row.err, row.attempts)
		}
	}
}

// What may be over in a moment is tried again at once, unless the platform asks for a pause.
func TestMayPass(t *testing.T) {
	passes := map[adapters.Code]bool{adapters.RateLimited: true, adapters.Unavailable: true, adapters.Indeterminate: true}
	for _, c := range codes() {
		expect(t, c.String(), platform.MayPass(&adapters.Error{Code: c}), passes[c])
		expect(t, c.String()+" with a pause", platform.MayPass(&adapters.Error{Code: c, RetryAfter: 1}), false)
	}
	expect(t, "time was over under way", platform.MayPass(context.DeadlineExceeded), true)
	expect(t, "an error of nobody's", platform.MayPass(errors.New("x")), false)
}

// A command waits for the delivery of what it wants, but not for long; what takes longer goes on without it.
func TestDeliver(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", some(platform.AttemptsAtOnce+3))
		quick := w.blacklists("an", "k0", im.InitiatorView)
		w.courier.Deliver(t.Context(), w.intents(quick))
		expect(t, "what is quick", w.delivery(quick).State, im.DeliveryDelivered)

		w.plays("faults", `{"rules":[{"match":"`+remarkPath+`","delay":"`+(2*platform.Patience).String()+`"}]}`)
		var slow []im.Relationship
		for i := range platform.AttemptsAtOnce + 1 {
			slow = append(slow, w.blacklists("an", fmt.Sprint("k", i+1), im.InitiatorView))
		}
		start := time.Now()
		w.courier.Deliver(t.Context(), w.intents(slow...))
		if took := time.Since(start); took < platform.Patience || took > platform.Patience*3/2 {
			t.Errorf("the command waited %v", took)
		}
		begun := 0
		for _, r := range slow {
			expect(t, "what is slow", w.delivery(r).State, im.DeliveryPending)
			begun += w.delivery(r).Attempts
		}
		expect(t, "attempts under way at once", begun, platform.AttemptsAtOnce)

		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		start = time.Now()
		w.courier.Deliver(gone, w.intents(slow...))
		if took := time.Since(start); took > platform.Patience/2 {
			t.Errorf("a command whose client is gone waited %v", took)
		}
		w.plays("faults", `{"rules":[]}`)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			w.flush()
			n, err := w.Waiting(t.Context())
			must(t, err)
			if len(n) == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%v wait", n)
			}
		}
		for i := range platform.AttemptsAtOnce + 2 {
			expect(t, "sides", w.sides(fmt.Sprint("k", i)), "an listed")
		}
	})
}

// What is not connected, and what is not pending, is nothing to deliver.
func TestDeliverNothing(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t), "memory", some(1))
	r := w.blacklists("an", "k0", im.InitiatorView)
	i := w.intents(r)[0]
	elsewhere, settled := i, i
	elsewhere.WorkspaceID, settled.State = w.ids.New(), im.DeliveryNotNeeded
	w.courier.Deliver(t.Context(), []im.Intent{elsewhere, settled})
	expect(t, "attempts", w.delivery(r).Attempts, 0)
	w.courier.Deliver(t.Context(), nil)
}

// Run delivers what is due without being told, and ends once what it has under way is written down. Then nothing begins.
func TestRun(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", some(2))
		w.plays("faults", `{"rules":[{"match":"`+remarkPath+`","delay":"1s"}]}`)
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { w.courier.Run(ctx) })
		r := w.blacklists("an", "k0", im.InitiatorView)
		for end := time.Now().Add(20 * time.Second); w.wire.count(remarkPath) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing was delivered")
			}
		}
		stop()
		run.Wait()
		expect(t, "what was under way", w.delivery(r).State, im.DeliveryDelivered)
		late := w.blacklists("an", "k1", im.InitiatorView)
		w.courier.Deliver(t.Context(), w.intents(late))
		expect(t, "attempts after the end", w.delivery(late).Attempts, 0)
	})
}

// Once a platform is back, what waits for it is tried before its time, little at first.
func TestBack(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		const waiting = 3 * platform.HastenFirst
		w := newWorld(t, dsn, "memory", some(waiting))
		for i := range waiting {
			w.blacklists("an", fmt.Sprint("k", i), im.InitiatorView)
		}
		w.memory.Arm(&memory.Trouble{Code: adapters.Unavailable, RetryAfter: 1}) // with a pause, so that an attempt is one try
		for range 8 {                                                            // so that each waits for long
			w.flush()
			w.clock.pass(platform.BackoffMax)
		}
		w.flush()
		expect(t, "due soon", w.due(w.clock.now().Add(platform.BackoffMax/4)), false)
		w.memory.Arm(nil)
		left := func() int {
			n, err := w.Waiting(t.Context())
			must(t, err)
			return n[w.workspace.ID]
		}
		w.flush()
		expect(t, "what waits before anybody has heard that it is back", left(), waiting)
		w.connections.Check(t.Context())
		w.flush()
		expect(t, "what waits still", left(), waiting-platform.HastenFirst)
		time.Sleep(platform.HastenEvery)
		w.flush()
		expect(t, "what waits then", left(), 0)
	})
}

// A delivery that a platform has no call for, as it was connected in another way when it was decided, fails for good.
func TestNoSuchCall(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t), "memory", some(1))
	r := w.blacklists("an", "k0", im.InitiatorView)
	must(t, w.Close())
	w.Store = w.open()
	w.workspace.Platform, w.co.Workspaces[0].Platform = "native", "native"
	w.settings = nil
	c, err := platform.Connect(catalogue(), w.co.Workspaces, nil, adapters.Env{HTTP: bare.HTTP, Log: discard, Now: w.clock.now, Store: w.Ping}, w.Store)
	must(t, err)
	must(t, platform.NewCourier(platform.CourierOptions{Store: w.Store, Connections: c, Log: discard, Now: w.clock.now, IDs: w.ids, Wake: func() {}}).Flush(t.Context()))
	d := w.delivery(r)
	expect(t, "delivery", string(d.State)+" "+d.LastErrorCode, "FAILED NotSupported")
}
