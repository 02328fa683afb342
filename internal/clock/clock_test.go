package clock

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.FixedZone("CST", 8*3600))

// machine is a computer's clock that anyone may set.
type machine struct{ nanos atomic.Int64 }

func newMachine(t time.Time) *machine {
	m := &machine{}
	m.set(t)
	return m
}

func (m *machine) set(t time.Time)      { m.nanos.Store(t.UnixNano()) }
func (m *machine) pass(d time.Duration) { m.nanos.Add(int64(d)) }
func (m *machine) now() time.Time       { return time.Unix(0, m.nanos.Load()) }

func equal(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if !got.Equal(want) {
		t.Errorf("%s: got %s, want %s", what, got.Format(time.RFC3339Nano), want.UTC().Format(time.RFC3339Nano))
	}
}

func TestNowIsUTCInMicroseconds(t *testing.T) {
	now := From(newMachine(noon).now, time.Time{}, 0).Now()
	equal(t, "now", now, noon.Truncate(time.Microsecond))
	if now.Location() != time.UTC {
		t.Errorf("zone: got %s", now.Location())
	}
	if got := now.Nanosecond(); got != 123456000 {
		t.Errorf("nanoseconds: got %d", got)
	}
}

func TestRealTimeIsTheDefault(t *testing.T) {
	before := time.Now().Truncate(time.Microsecond)
	now := New(time.Time{}, 0).Now()
	if now.Before(before) || now.After(time.Now()) {
		t.Errorf("now is %s, far from real time", now)
	}
}

func TestAMachineSetBackReopensNothing(t *testing.T) {
	m := newMachine(noon)
	c := From(m.now, time.Time{}, 0)
	told := c.Now()

	m.set(noon.Add(-24 * time.Hour))
	equal(t, "right after", c.Now(), told)
	m.pass(23 * time.Hour)
	equal(t, "before it has caught up", c.Now(), told)
	m.pass(time.Hour + time.Second)
	equal(t, "after", c.Now(), told.Add(time.Second))
}

func TestARestartStartsAtTheMark(t *testing.T) {
	m := newMachine(noon)
	mark := noon.Add(time.Hour).Truncate(time.Microsecond)
	c := From(m.now, mark, 0)
	equal(t, "mark", c.HighWater(), mark)
	equal(t, "now", c.Now(), mark)
	m.pass(2 * time.Hour)
	equal(t, "later", c.Now(), noon.Add(2*time.Hour).Truncate(time.Microsecond))
	equal(t, "mark later", c.HighWater(), c.Now())
}

func TestARestartKeepsTheOffset(t *testing.T) {
	m := newMachine(noon)
	first := From(m.now, time.Time{}, 0)
	if _, err := first.Advance(71 * time.Hour); err != nil {
		t.Fatal(err)
	}
	second := From(m.now, first.HighWater(), first.Offset())
	equal(t, "now", second.Now(), first.Now())
	if got := second.Offset(); got != 71*time.Hour {
		t.Errorf("offset: got %s", got)
	}
}

func TestAdvance(t *testing.T) {
	m := newMachine(noon)
	c := From(m.now, time.Time{}, 0)
	for range 3 {
		if _, err := c.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "now", c.Now(), noon.Add(3*time.Hour).Truncate(time.Microsecond))
	if got := c.Offset(); got != 3*time.Hour {
		t.Errorf("offset: got %s", got)
	}
	if _, err := c.Advance(-1); !errors.Is(err, ErrBackwards) {
		t.Errorf("back: got %v", err)
	}
	equal(t, "now after a refusal", c.Now(), noon.Add(3*time.Hour).Truncate(time.Microsecond))
}

func TestFollow(t *testing.T) {
	m := newMachine(noon)
	c := From(m.now, time.Time{}, time.Hour)
	for _, tt := range []struct {
		offset, want time.Duration
		moved        bool
	}{
		{time.Hour, time.Hour, false},
		{71 * time.Hour, 71 * time.Hour, true},
		{2 * time.Hour, 71 * time.Hour, false},
		{-time.Hour, 71 * time.Hour, false},
	} {
		if moved := c.Follow(tt.offset); moved != tt.moved {
			t.Errorf("to %s: moved is %t", tt.offset, moved)
		}
		if tt.moved { // whoever reads from now on
			equal(t, "mark", c.HighWater(), noon.Add(tt.want).Truncate(time.Microsecond))
		}
		equal(t, "now", c.Now(), noon.Add(tt.want).Truncate(time.Microsecond))
		if got := c.Offset(); got != tt.want {
			t.Errorf("offset: got %s, want %s", got, tt.want)
		}
	}
}

// A clock that holds still because its machine was set back moves by exactly what it is advanced by.
func TestAdvanceWhileHoldingStill(t *testing.T) {
	m := newMachine(noon)
	c := From(m.now, time.Time{}, 0)
	told := c.Now()
	m.set(noon.Add(-24 * time.Hour))
	got, err := c.Advance(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "advanced", got, told.Add(time.Hour))
	m.pass(time.Minute)
	equal(t, "a minute on", c.Now(), told.Add(time.Hour+time.Minute))
}

func TestSet(t *testing.T) {
	tests := []struct {
		name string
		to   time.Time
		want error
	}{
		{"to the present", noon, nil},
		{"ahead", noon.AddDate(0, 0, 1), nil},
		{"back by less than it can tell", noon.Add(-400 * time.Nanosecond), nil},
		{"back", noon.Add(-time.Microsecond), ErrBackwards},
		{"to the zero time", time.Time{}, ErrBackwards},
		{"beyond an offset", noon.AddDate(400, 0, 0), ErrTooFar},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := From(newMachine(noon).now, time.Time{}, 0)
			got, err := c.Set(tt.to)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			want := tt.to
			if err != nil {
				want = noon
			} else {
				equal(t, "told", got, tt.to.Truncate(time.Microsecond))
			}
			equal(t, "now", c.Now(), want.Truncate(time.Microsecond))
		})
	}
}

// No goroutine ever sees time go back, while others read, push the clock on, and set the machine to and fro.
func TestConcurrently(t *testing.T) {
	const readers, pushers, steps = 8, 4, 2000
	m := newMachine(noon)
	c := From(m.now, time.Time{}, 0)
	start := c.Now()

	var latest atomic.Int64 // told to anyone so far: a call that starts later must not tell less
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			for range steps {
				floor := latest.Load()
				now := c.Now().UnixMicro()
				if now < floor {
					t.Errorf("told %d after %d", now, floor)
					return
				}
				for seen := floor; now > seen && !latest.CompareAndSwap(seen, now); {
					seen = latest.Load()
				}
			}
		})
	}
	for range pushers {
		all.Go(func() {
			for range steps {
				if _, err := c.Advance(time.Millisecond); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Go(func() {
		for i := range steps {
			if i%2 == 0 {
				m.pass(-time.Hour)
			} else {
				m.pass(time.Hour)
			}
		}
	})
	all.Wait()
	if got, want := c.Now().Sub(start), pushers*steps*time.Millisecond; got < want {
		t.Errorf("went on by %s, and was pushed by %s", got, want)
	}
}

// crowd makes goroutines interrupt one another anywhere, on however few processors.
func crowd(t *testing.T) {
	before := runtime.GOMAXPROCS(16)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// A reading that was overtaken on its way does not bring the clock back.
func TestOvertakenReadings(t *testing.T) {
	crowd(t)
	var reads atomic.Int64
	c := From(func() time.Time { return noon.Add(time.Duration(reads.Add(1)) * time.Microsecond) }, time.Time{}, 0)
	end := time.Now().Add(300 * time.Millisecond)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for time.Now().Before(end) {
				told := c.Now()
				for range 100 {
					mark := c.HighWater()
					if mark.Before(told) {
						t.Errorf("%s after %s", text(mark), text(told))
						return
					}
					told = c.Now()
				}
			}
		})
	}
	all.Wait()
}

func TestSimultaneousAdvancesAddUp(t *testing.T) {
	const pushers, steps = 8, 500
	c := From(func() time.Time {
		runtime.Gosched() // to let another one in halfway
		return noon
	}, time.Time{}, 0)
	var all sync.WaitGroup
	for range pushers {
		all.Go(func() {
			for range steps {
				if _, err := c.Advance(time.Millisecond); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, want := c.Offset(), pushers*steps*time.Millisecond; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkNow(b *testing.B) {
	c := New(time.Time{}, 0)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Now()
		}
	})
}
