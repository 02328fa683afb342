package db_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// sealAll seals until nothing is left, as a hub does.
func sealAll(t testing.TB, s *db.Store) {
	t.Helper()
	for range 100 {
		_, more, err := s.Seal(t.Context())
		must(t, err)
		if !more {
			return
		}
	}
	t.Fatal("sealing does not end")
}

// numbers are those of all changes, in order.
func numbers(t testing.TB, s *db.Store) (out []int64) {
	t.Helper()
	cs, err := s.Changes(t.Context(), all, live.Watch{}, 0, 1<<60, 1<<30)
	must(t, err)
	for _, c := range cs {
		out = append(out, c.Number)
	}
	return out
}

func upTo(n int) (out []int64) {
	for i := range n {
		out = append(out, int64(i+1))
	}
	return out
}

func TestSealIsDense(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		const n = 57
		for i := range n {
			must(t, w.Post(t.Context(), posting(w.block(w.member(i), w.member(i+1)))))
			if i%10 == 0 {
				sealAll(t, w.Store)
			}
		}
		waiting, err := w.Unsealed(t.Context())
		must(t, err)
		same(t, "waiting", int64(6), waiting)
		sealAll(t, w.Store)
		same(t, "numbers", upTo(n), numbers(t, w.Store))
		rep, err := audit.Verify(t.Context(), w.Store, nil)
		must(t, err)
		same(t, "sealed", int64(n), rep.Sealed)
		head, more, err := w.Seal(t.Context())
		must(t, err)
		if head != n || more {
			t.Errorf("nothing to seal: head %d, more %t", head, more)
		}
	})
}

// The oldest changes are dropped, a few at a time, up to the first that is to be kept; the last stays whatever its age, so that no number
// comes twice.
func TestDropChanges(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		const n, old = 12, 7
		for i := range n {
			u := posting(w.block(w.member(i), w.member(i+1)))
			if i < old || i == old+1 { // one of them has a number above a younger one's
				u.Changes[0].At = now.Add(-live.Kept - time.Minute)
			}
			must(t, w.Post(t.Context(), u))
			sealAll(t, w.Store)
		}
		drop := func(before time.Time, want int) {
			t.Helper()
			n, err := w.DropChanges(t.Context(), before, 5)
			must(t, err)
			same(t, "dropped", want, n)
		}
		whole := func(after int64, want bool) {
			t.Helper()
			is, err := w.Whole(t.Context(), after)
			must(t, err)
			same(t, fmt.Sprint("whole after ", after), want, is)
		}
		whole(old-1, false) // the next is too old
		whole(old, true)
		drop(now.Add(-live.Kept-time.Hour), 0)
		drop(now.Add(-live.Kept), 5)
		drop(now.Add(-live.Kept), old-5)
		drop(now.Add(-live.Kept), 0)
		same(t, "left", upTo(n)[old:], numbers(t, w.Store))
		whole(old-1, false) // the next is gone
		whole(old, true)
		whole(n, true)
		drop(now.Add(time.Hour), n-old-1)
		drop(now.Add(time.Hour), 0)
		must(t, w.Post(t.Context(), posting(w.block(w.member(30), w.member(31)))))
		sealAll(t, w.Store)
		same(t, "numbers go on", []int64{n, n + 1}, numbers(t, w.Store))
	})
}

// A transaction that began early and commits late gets a late number: whoever has read up to the head misses nothing.
func TestLateCommit(t *testing.T) {
	w := newWorld(t, testkit.Postgres(t))
	r := w.block(w.member(3), w.member(4))
	late := im.RelationshipChange(ids.New(), now, r, "")
	u := posting(r)
	u.Changes = nil
	must(t, w.Post(t.Context(), u))
	tx, err := w.raw.Begin()
	must(t, err)
	_, err = tx.Exec("insert into changes (id, at, kind, subject_id, what, snapshot) values ($1, $2, 'relationship', $3, 'CREATED', '{}')", late.ID, now.UnixMicro(), r.ID)
	must(t, err)
	for i := range 3 {
		must(t, w.Post(t.Context(), posting(w.block(w.member(i+10), w.member(i+20)))))
	}
	sealAll(t, w.Store)
	at, err := w.Position(t.Context())
	must(t, err)
	same(t, "numbers before", upTo(3), numbers(t, w.Store))
	must(t, tx.Commit())
	sealAll(t, w.Store)
	after, err := w.Changes(t.Context(), all, live.Watch{}, at.Number, 1<<60, 10)
	must(t, err)
	if len(after) != 1 || after[0].ID != late.ID || after[0].Number != 4 {
		t.Errorf("after number %d came %+v", at.Number, after)
	}
}

// The clock of one replica is ahead of another's: a step that was made knowing of the one before it is numbered after
// it all the same, though its id is the lesser.
func TestSkewedClocks(t *testing.T) {
	w := newWorld(t, testkit.Postgres(t))
	ahead := im.NewIDs(func() time.Time { return now.Add(time.Second) })
	r := w.block(w.member(3), w.member(4))
	first := posting(r)
	first.Changes[0].ID, first.Events[0].ID = ahead.New(), ahead.New()
	must(t, w.Post(t.Context(), first))
	second := posting(w.block(w.member(5), w.member(6)))
	must(t, w.Post(t.Context(), second))
	sealAll(t, w.Store)
	changes, err := w.Changes(t.Context(), all, live.Watch{}, 0, 10, 10)
	must(t, err)
	same(t, "changes", []im.ID{first.Changes[0].ID, second.Changes[0].ID}, []im.ID{changes[0].ID, changes[1].ID})
	events, err := w.Sealed(t.Context(), 0, 10)
	must(t, err)
	same(t, "events", []im.ID{first.Events[0].ID, second.Events[0].ID}, []im.ID{events[0].ID, events[1].ID})
}

// Replicas seal at the same time as others write: the chain has no hole, no fork and nothing twice.
func TestConcurrentSealers(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		sealers := []*db.Store{w.Store, w.Store}
		if !onSQLite(dsn) {
			sealers[1] = started(t, dsn)
		}
		const posts, events = 100, 10
		ctx, stop := context.WithCancel(t.Context())
		var sealing, writing sync.WaitGroup
		for _, s := range sealers {
			sealing.Go(func() {
				for ctx.Err() == nil {
					// A sealer that was beaten is to come again, and is no failure.
					if _, _, err := s.Seal(ctx); err != nil && ctx.Err() == nil {
						t.Errorf("seal: %v", err)
						return
					}
				}
			})
		}
		for i := range posts {
			u := posting(w.block(w.member(i), w.member(i+1+i/60)))
			for range events - 1 {
				e := u.Events[0]
				e.ID = ids.New()
				u.Events = append(u.Events, e)
			}
			writing.Go(func() {
				if err := w.Post(context.Background(), u); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
		stop()
		sealing.Wait()
		sealAll(t, w.Store)
		rep, err := audit.Verify(t.Context(), w.Store, nil)
		must(t, err)
		same(t, "sealed", int64(posts*events), rep.Sealed)
		same(t, "waiting", int64(0), rep.Unsealed)
		same(t, "numbers", upTo(posts), numbers(t, w.Store))
	})
}

func TestVerifyFinds(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		for i := range 5 {
			must(t, w.Post(t.Context(), posting(w.block(w.member(i+3), w.member(i+4)))))
		}
		sealAll(t, w.Store)
		event := one[[]byte](w, "select detail from audit_events where sequence = 3")
		for name, c := range map[string]struct {
			do, undo string
			args     []any
			at       int64
		}{
			"a number":   {"update audit_events set at = at + 1 where sequence = 2", "update audit_events set at = at - 1 where sequence = 2", nil, 2},
			"a word":     {"update audit_events set outcome = 'DENY' where sequence = 4", "update audit_events set outcome = 'ALLOW' where sequence = 4", nil, 4},
			"a box":      {"update audit_events set detail = ? where sequence = 3", "update audit_events set detail = ? where sequence = 3", []any{append([]byte{0}, event[1:]...)}, 3},
			"no person":  {"update audit_events set about_id = subject_id, subject_id = about_id where sequence = 1", "update audit_events set about_id = subject_id, subject_id = about_id where sequence = 1", nil, 1},
			"a gap":      {"update audit_events set sequence = 99 where sequence = 3", "update audit_events set sequence = 3 where sequence = 99", nil, 3},
			"no request": {"update audit_events set request_id = '' where sequence = 2", "update audit_events set request_id = null where sequence = 2", nil, 0},
		} {
			w.exec(c.do, c.args...)
			_, err := audit.Verify(t.Context(), w.Store, nil)
			broken, ok := errors.AsType[*audit.Broken](err)
			if c.at == 0 && err != nil || c.at > 0 && (!ok || broken.Sequence != c.at) {
				t.Errorf("%s: %v", name, err)
			}
			if len(c.args) > 0 {
				c.args = []any{event}
			}
			w.exec(c.undo, c.args...)
			if _, err := audit.Verify(t.Context(), w.Store, nil); err != nil {
				t.Fatalf("%s put back: %v", name, err)
			}
		}
		// The tail can be cut only by whoever also knows no checkpoint of it: the report tells how far it goes.
		w.exec("delete from audit_events where sequence = 5")
		rep, err := audit.Verify(t.Context(), w.Store, nil)
		must(t, err)
		same(t, "sealed", int64(4), rep.Sealed)
	})
}

// seeing is a viewer's rights that do not change.
func seeing(v im.Viewer) func(context.Context) (im.Viewer, error) {
	return func(context.Context) (im.Viewer, error) { return v, nil }
}

// listen reads n events.
func listen(t testing.TB, events <-chan live.Event, n int) (out []live.Event) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for len(out) < n {
		select {
		case e, ok := <-events:
			if !ok {
				t.Errorf("ended after %d of %d events", len(out), n)
				return out
			}
			out = append(out, e)
		case <-timeout:
			t.Errorf("%d of %d events came", len(out), n)
			return out
		}
	}
	return out
}

func changeNumbers(es []live.Event) (out []int64) {
	for _, e := range es {
		out = append(out, e.Change.Number)
	}
	return out
}

// Whoever subscribes, on whichever replica, hears every change once and in the order of its number; however slowly he
// reads; and after a cut from where he was.
func TestHub(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		stores := []*db.Store{w.Store}
		if !onSQLite(dsn) {
			stores = append(stores, started(t, dsn))
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var hubs []*live.Hub
		for _, s := range stores {
			h := live.New(s, slog.New(slog.DiscardHandler))
			hubs = append(hubs, h)
			running.Go(func() { h.Run(ctx) })
		}
		const n, half = 150, 70 // more than one batch
		var streams []<-chan live.Event
		for i := range 3 * len(hubs) {
			events, err := hubs[i%len(hubs)].Subscribe(ctx, seeing(all), live.Watch{}, nil)
			must(t, err)
			streams = append(streams, events)
		}
		cut, hangUp := context.WithCancel(ctx)
		first, err := hubs[0].Subscribe(cut, seeing(all), live.Watch{}, nil)
		must(t, err)
		start, err := hubs[0].Cursor(ctx)
		must(t, err)

		var writing sync.WaitGroup
		for i := range n {
			u := posting(w.block(w.member(i%60), w.member(i%60+1+i/60)))
			writing.Go(func() {
				k := i % len(stores)
				if err := stores[k].Post(context.Background(), u); err != nil {
					t.Error(err)
				}
				hubs[k].Wake()
			})
		}
		heard := listen(t, first, half)
		hangUp()
		for range first { // ends, so its goroutine has
		}
		writing.Wait()
		for _, events := range streams { // the last of them has waited for all the others
			same(t, "numbers", upTo(n), changeNumbers(listen(t, events, n)))
		}
		last := hubs[len(hubs)-1]
		resumed, err := last.Subscribe(ctx, seeing(all), live.Watch{}, &heard[half-1].Cursor)
		must(t, err)
		same(t, "resumed", upTo(n)[half:], changeNumbers(listen(t, resumed, n-half)))
		again, err := last.Subscribe(ctx, seeing(all), live.Watch{}, &start)
		must(t, err)
		same(t, "from the start", upTo(n), changeNumbers(listen(t, again, n)))

		// Only what the viewer may see, and of one member only what concerns him.
		mine := im.Viewer{Member: im.Member{ID: w.member(5)}, Scopes: map[im.Kind]im.Scope{im.KindRelationship: {im.ScopeInitiated}}}
		scoped, err := last.Subscribe(ctx, seeing(mine), live.Watch{}, &start)
		must(t, err)
		concerning, err := last.Subscribe(ctx, seeing(all), live.Watch{MemberID: w.member(5)}, &start)
		must(t, err)
		for _, e := range listen(t, scoped, 3) {
			if e.Change.Relationship.InitiatorID != w.member(5) {
				t.Errorf("saw what %s made", e.Change.Relationship.InitiatorID)
			}
		}
		for _, e := range listen(t, concerning, 5) {
			if r := e.Change.Relationship; r.InitiatorID != w.member(5) && r.Target.ID != w.member(5) {
				t.Errorf("heard of %v", r)
			}
		}
		stop()
		running.Wait()
		for _, events := range append(streams, resumed, again, scoped, concerning) {
			for range events {
			}
		}
	})
}

func TestCursorsOfAnotherLife(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		must(t, w.Post(t.Context(), posting(w.block(w.member(3), w.member(4)))))
		sealAll(t, w.Store)
		h := live.New(w.Store, slog.New(slog.DiscardHandler))
		p, err := w.Position(t.Context())
		must(t, err)
		foreign := started(t, other(t, dsn))
		q, err := foreign.Position(t.Context())
		must(t, err)
		if p.Epoch == q.Epoch {
			t.Errorf("two databases of one epoch %s", p.Epoch)
		}
		for cursor, want := range map[string]fault.Code{
			live.Encode(foreign, q): fault.CursorExpired,
			live.Encode(w.Store, live.Position{Epoch: q.Epoch, Number: 0}):            fault.CursorExpired,
			live.Encode(w.Store, live.Position{Epoch: p.Epoch, Number: p.Number + 1}): fault.CursorExpired, // a restored backup
			"nonsense": fault.BadUserInput,
			"":         fault.BadUserInput,
		} {
			if _, err := h.Subscribe(t.Context(), seeing(all), live.Watch{}, &cursor); !fault.Is(err, want) {
				t.Errorf("%q: %v; want %s", cursor, err, want)
			}
		}
		w.reopen()
		again, err := w.Position(t.Context())
		must(t, err)
		same(t, "position after a restart", p, again)
	})
}

// What is flushed is sealed, also while the hub seals by itself.
func TestFlush(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		h := live.New(w.Store, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			for ctx.Err() == nil {
				_, _, _ = w.Seal(ctx)
			}
		})
		for i := range 60 {
			must(t, w.Post(t.Context(), posting(w.block(w.member(i), w.member(i+1)))))
			if err := h.Flush(t.Context()); err != nil {
				t.Errorf("flush: %v", err)
			}
			if n, err := w.Unsealed(t.Context()); err != nil || n > 0 {
				t.Errorf("%d wait after a flush: %v", n, err)
			}
		}
		stop()
		running.Wait()
	})
}

// A burst of more than one sealing takes is sealed whole.
func TestSealMore(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		u := posting(w.block(w.member(3), w.member(4)))
		for range 1200 {
			e := u.Events[0]
			e.ID = ids.New()
			u.Events = append(u.Events, e)
		}
		must(t, w.Post(t.Context(), ledger.Unit{Events: u.Events}))
		_, more, err := w.Seal(t.Context())
		must(t, err)
		if !more {
			t.Error("one sealing took all: the bound does not bind")
		}
		sealAll(t, w.Store)
		rep, err := audit.Verify(t.Context(), w.Store, nil)
		must(t, err)
		same(t, "sealed", int64(len(u.Events)), rep.Sealed)
	})
}
