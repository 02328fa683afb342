package platform_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Some of WeCom's calls: what a check makes, and what sets a remark and tags.
const (
	checkPath  = "/cgi-bin/externalcontact/get_follow_user_list"
	tagPath    = "/cgi-bin/externalcontact/mark_tag"
	remarkPath = "/cgi-bin/externalcontact/remark"
)

// perMinute is a budget of one call, or of each.
func perMinute(path string, n int) adapters.Budget {
	return adapters.Budget{Op: path, Scope: "organisation", N: n, Per: time.Minute}
}

// slot is a sixth of a minute: the part of a window in which what is leased is to be called.
const slot = time.Minute / 6

// check makes one call through a connection.
func (w *world) check(c *platform.Connections) error {
	return c.Adapter(w.workspace.ID).Check(w.t.Context())
}

// A call that is over budget is refused before it is sent, until there may be room again.
func TestOverBudget(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k", "an", "an"}}, perMinute(checkPath, 3))
		w.clock.pass(3 * time.Second) // into a slot
		for range 3 {
			must(t, w.check(w.connections))
		}
		for range 2 {
			err := w.check(w.connections)
			var e *adapters.Error
			if !errors.As(err, &e) || e.Code != adapters.RateLimited || e.RetryAfter != slot-3*time.Second {
				t.Errorf("answered %v %+v", err, e)
			}
			expect(t, "sent", w.wire.count(checkPath), 3)
		}
		w.connections.Check(t.Context())
		expect(t, "health", w.connections.Health(w.workspace.ID), platform.Health{Reachable: true, LastError: "RateLimited"})
		if _, err := w.connections.Adapter(w.workspace.ID).(adapters.BlacklistReader).Blacklisted(t.Context(), "an", "k"); err != nil {
			t.Errorf("a call with no budget: %v", err)
		}
		w.clock.pass(2 * time.Minute)
		must(t, w.check(w.connections))
	})
}

// Where a budget is of each call by itself, none spends another's.
func TestBudgetOfEachCall(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k", "an", "an"}}, perMinute("", 2))
		reader := w.connections.Adapter(w.workspace.ID).(adapters.BlacklistReader)
		for range 2 {
			must(t, w.check(w.connections))
			_, err := reader.Blacklisted(t.Context(), "an", "k")
			must(t, err)
		}
		_, err := reader.Blacklisted(t.Context(), "an", "k")
		expect(t, "one call too many", adapters.CodeOf(err), adapters.RateLimited)
		expect(t, "and of the other", adapters.CodeOf(w.check(w.connections)), adapters.RateLimited)
	})
}

// However calls come, in no minute are there more of them than the budget has, of all replicas together; and they do
// come where they may.
func TestNoWindowOverBudget(t *testing.T) {
	const limit = 6
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		for _, start := range []time.Duration{0, 9 * time.Second, 59 * time.Second} {
			w := newWorld(t, fresh(t, dsn), "wecom", nil, perMinute(checkPath, limit))
			replicas := []*platform.Connections{w.connections}
			if dsn[:6] != "sqlite" { // where there can be but one
				c, _ := w.connect(w.open())
				replicas = append(replicas, c)
			}
			w.clock.pass(start)
			var calls []time.Time
			for range 140 {
				for i := 0; i < 2*limit; i++ {
					if w.check(replicas[i%len(replicas)]) == nil {
						calls = append(calls, w.clock.now())
					} else if i > 0 {
						break
					}
				}
				w.clock.pass(time.Second)
			}
			for i := range calls {
				if i >= limit && calls[i].Sub(calls[i-limit]) < time.Minute {
					t.Errorf("from %v on: %d calls within %v", start, limit+1, calls[i].Sub(calls[i-limit]))
					break
				}
			}
			if len(calls) < 2*limit {
				t.Errorf("from %v on: only %d calls", start, len(calls))
			}
		}
	})
}

// fresh is another empty database of the same kind.
func fresh(t *testing.T, dsn string) string {
	if dsn[:6] == "sqlite" {
		return testkit.SQLite(t)
	}
	return testkit.Postgres(t)
}

// What was leased for one slot and not called then is never called.
func TestLeaseOfAnotherSlot(t *testing.T) {
	const limit, chunk, slots = 400, 2, 4
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", nil, perMinute(checkPath, limit))
		calls := 0
		for range slots { // each leases a chunk and leaves a call of it
			must(t, w.check(w.connections))
			calls++
			w.clock.pass(slot)
		}
		for w.check(w.connections) == nil {
			calls++
		}
		expect(t, "calls in all", calls, limit-slots*(chunk-1))
	})
}

// Where nobody can say what is left, nothing is called.
func TestBudgetUnknown(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", nil, perMinute(checkPath, 3))
		must(t, w.check(w.connections))
		must(t, w.Close())
		expect(t, "answer", adapters.CodeOf(w.check(w.connections)), adapters.Unavailable)
		expect(t, "sent", w.wire.count(checkPath), 1)
	})
}

// What is over budget waits its turn, and comes.
func TestDeliveryOverBudget(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k0", "an", "an"}, {"k1", "an", "an"}}, perMinute(remarkPath, 1))
		start := w.clock.now()
		rs := []im.Relationship{w.blacklists("an", "k0", im.InitiatorView), w.blacklists("an", "k1", im.InitiatorView)}
		w.flush()
		if w.delivery(rs[0]).State == im.DeliveryPending { // they were tried at once
			rs[0], rs[1] = rs[1], rs[0]
		}
		expect(t, "first", w.delivery(rs[0]).State, im.DeliveryDelivered)
		d := w.delivery(rs[1])
		expect(t, "second", string(d.State)+" "+d.LastErrorCode, "PENDING RateLimited")
		expect(t, "due before the next slot", w.due(start.Add(slot-time.Microsecond)), false)
		expect(t, "due some time", w.due(start.Add(time.Minute)), true)
		expect(t, "sent", w.wire.count(remarkPath), 1)
		for w.clock.now().Before(start.Add(2*time.Minute)) && w.delivery(rs[1]).State == im.DeliveryPending {
			w.clock.pass(slot)
			w.flush()
		}
		expect(t, "second in the end", w.delivery(rs[1]).State, im.DeliveryDelivered)
		expect(t, "sent in the end", w.wire.count(remarkPath), 2)
		if w.clock.now().Before(start.Add(time.Minute)) {
			t.Errorf("sent after %v", w.clock.now().Sub(start))
		}
	})
}

// What is left of a budget can be read, whoever called; of one that is of each call by itself, what is left of the call
// with the least.
func TestQuotas(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k", "an", "an"}}, perMinute(checkPath, 3), adapters.Budget{Scope: "app", N: 600, Per: time.Hour})
		left := func(what string, minute, hour int, resets ...time.Time) {
			t.Helper()
			all, err := w.connections.Quotas(t.Context())
			must(t, err)
			want := []platform.Quota{{Scope: "organisation/" + checkPath + "/1m", Limit: 3, Remaining: minute}, {Scope: "app/*/1h", Limit: 600, Remaining: hour}}
			for i, at := range resets {
				want[i].ResetsAt = at
			}
			if got := all[w.workspace.ID]; !slices.Equal(got, want) {
				t.Errorf("%s: %+v; want %+v", what, got, want)
			}
		}
		left("nothing called", 3, 600)
		at := w.clock.now()
		minute, hour := at.Truncate(slot).Add(7*slot), at.Truncate(time.Hour/6).Add(7*time.Hour/6)
		for range 2 {
			must(t, w.check(w.connections))
		}
		left("two calls; three of the hour's are set aside", 1, 597, minute, hour)
		_, err := w.connections.Adapter(w.workspace.ID).(adapters.BlacklistReader).Blacklisted(t.Context(), "an", "k")
		must(t, err)
		left("another call", 1, 597, minute, hour)
		w.clock.pass(2 * time.Minute)
		left("two minutes later", 3, 597, time.Time{}, hour)
	})
}
