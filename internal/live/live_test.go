package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// line is a store in memory.
type line struct {
	mu      sync.Mutex
	waiting int
	changes []im.Change
	broken  error
}

func (l *line) add(n int) { l.mu.Lock(); l.waiting += n; l.mu.Unlock() }

func (l *line) Seal(context.Context) (int64, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, false, l.broken
	}
	const bound = 500
	n := min(l.waiting, bound)
	for range n {
		l.changes = append(l.changes, im.Change{Number: int64(len(l.changes) + 1)})
	}
	l.waiting -= n
	return int64(len(l.changes)), n == bound, nil
}

func (l *line) Position(context.Context) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Position{Epoch: "0123456789abcdef", Number: int64(len(l.changes))}, l.broken
}

func (l *line) Whole(context.Context, int64) (bool, error) { return true, nil }

func (l *line) Changes(_ context.Context, _ im.Viewer, _ Watch, after, until int64, limit int) ([]im.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cs := l.changes[after:until]
	return slices.Clone(cs[:min(len(cs), limit)]), l.broken
}

func (l *line) Fingerprint(b []byte) []byte { return keyed("a").Fingerprint(b) }

func anyone(context.Context) (im.Viewer, error) { return im.Viewer{}, nil }

func run(t *testing.T, l *line) (h *Hub, stop func()) {
	t.Helper()
	h = New(l, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { h.Run(ctx) })
	return h, func() { cancel(); wg.Wait() }
}

// Nobody who goes away leaves anything behind: neither whoever listens, nor whoever does not, nor one whose rights or
// whose store are gone.
func TestNothingLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	l := &line{}
	h, stop := run(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	for range 50 {
		if _, err := h.Subscribe(ctx, anyone, Watch{}, nil); err != nil { // never reads
			t.Fatal(err)
		}
	}
	gone, err := h.Subscribe(ctx, func(context.Context) (im.Viewer, error) { return im.Viewer{}, errors.New("gone") }, Watch{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.add(1000)
	h.Wake()
	for range gone {
		t.Error("somebody without rights heard something")
	}
	cancel()
	stop()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines more than before", runtime.NumGoroutine()-before)
		}
		time.Sleep(time.Millisecond)
	}
}

// A slow subscriber gets everything, and keeps nobody waiting.
func TestSlowSubscriber(t *testing.T) {
	l := &line{}
	h, stop := run(t, l)
	defer stop()
	slow, err := h.Subscribe(t.Context(), anyone, Watch{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := h.Subscribe(t.Context(), anyone, Watch{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1234
	l.add(n)
	h.Wake()
	timeout := time.After(10 * time.Second)
	for _, events := range []<-chan Event{fast, slow} {
		for i := range n {
			var e Event
			select {
			case e = <-events:
			case <-timeout:
				t.Fatalf("event %d does not come", i+1)
			}
			if e.Change.Number != int64(i+1) || e.Cursor != Encode(l, Position{"0123456789abcdef", int64(i + 1)}) {
				t.Fatalf("event %d is %d", i+1, e.Change.Number)
			}
		}
	}
}

// A store that fails for a while stops nothing for good; a wake-up that was lost is made up for.
func TestSealerComesBack(t *testing.T) {
	l := &line{broken: fmt.Errorf("no database")}
	h, stop := run(t, l)
	defer stop()
	time.Sleep(50 * time.Millisecond)
	l.mu.Lock()
	l.broken = nil
	l.mu.Unlock()
	l.add(3) // and nobody wakes the hub
	deadline := time.Now().Add(5 * time.Second)
	for {
		if head, _ := h.position(); head == 3 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not sealed")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
