// Package clock is the time that guanxi lives by. Undo windows, expiries and cool-downs are promises about time, so
// time must not run backwards: not when a machine's clock is set back, and not over a restart.
package clock

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBackwards refuses to set the clock to a time that has passed.
var ErrBackwards = errors.New("clock: time does not go back")

// ErrTooFar refuses to set the clock further ahead of real time than an offset can say: some 292 years.
var ErrTooFar = errors.New("clock: too far ahead of real time")

// Clock tells the time: real time plus an offset, and never less than it told before. Where real time falls behind,
// the clock holds still until it has caught up, so a machine set back by a day reopens no window that closed in it
// (TRUST: "Clock"). The price is that a machine set ahead by mistake keeps the clock still for as long after it was
// put right; what it promised meanwhile stays promised.
//
// Times are UTC and whole microseconds, which is what PostgreSQL keeps: a time read back equals the one written.
// All methods may be called from any number of goroutines; [Clock.Now] takes no lock.
type Clock struct {
	real   func() time.Time
	offset atomic.Int64 // nanoseconds ahead of real time
	high   atomic.Int64 // the latest time told, in microseconds since 1970
	moving sync.Mutex   // one Advance or Set at a time
}

// New makes a clock from what the database remembers: the high-water mark below which it never falls, and the
// offset of the demo's clock, zero elsewhere. A zero highWater is no mark.
func New(highWater time.Time, offset time.Duration) *Clock {
	return From(time.Now, highWater, offset)
}

// From is [New] on another source of real time, which may be set back as a machine's clock may.
func From(real func() time.Time, highWater time.Time, offset time.Duration) *Clock {
	c := &Clock{real: real}
	c.offset.Store(int64(offset))
	c.high.Store(highWater.UnixMicro()) // of the zero time: in the year 1, long before any real time
	return c
}

// Now is the present. It may equal what an earlier call told; it is never before it.
func (c *Clock) Now() time.Time {
	return time.UnixMicro(c.raise(c.real().Add(c.Offset()).UnixMicro())).UTC()
}

// Offset is how far ahead of real time the clock was put, for the database to remember.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// HighWater is the latest time that was told, for the database to remember.
func (c *Clock) HighWater() time.Time { return time.UnixMicro(c.high.Load()).UTC() }

// Advance moves the clock on by d and tells the new present. Advances that happen at once add up. A negative d is
// [ErrBackwards].
func (c *Clock) Advance(d time.Duration) (time.Time, error) {
	if d < 0 {
		return time.Time{}, fmt.Errorf("%w: by %s", ErrBackwards, d)
	}
	c.moving.Lock()
	defer c.moving.Unlock()
	wall, now := c.both()
	return c.move(wall, now.Add(d))
}

// Set moves the clock to t and tells the new present. A t before the present is [ErrBackwards].
func (c *Clock) Set(t time.Time) (time.Time, error) {
	c.moving.Lock()
	defer c.moving.Unlock()
	wall, now := c.both()
	if t.UnixMicro() < now.UnixMicro() {
		return time.Time{}, fmt.Errorf("%w: from %s to %s", ErrBackwards, text(now), text(t))
	}
	return c.move(wall, t)
}

// Follow moves the clock on to the offset of another process that moved its own, and reports whether that moved it. An
// offset that is no greater than its own does nothing: time does not go back.
func (c *Clock) Follow(offset time.Duration) bool {
	c.moving.Lock()
	defer c.moving.Unlock()
	if offset <= c.Offset() {
		return false
	}
	c.offset.Store(int64(offset))
	c.Now() // lifts the mark, so that a reading which began before does not end below
	return true
}

// both is real time and the present as finely as they are known: cut to microseconds, each advance would lose a bit.
// Real time comes without its monotonic reading, which would hide that the machine was set back.
func (c *Clock) both() (wall, now time.Time) {
	ahead := c.Offset()
	wall = c.real().Round(0)
	now = wall.Add(ahead)
	if high := c.HighWater(); high.After(now) {
		now = high
	}
	return wall, now
}

// move makes the clock tell t at the real time given. Once it returns, the mark alone keeps everybody at t or later.
func (c *Clock) move(wall, t time.Time) (time.Time, error) {
	ahead := t.Sub(wall)
	if ahead == math.MaxInt64 {
		return time.Time{}, fmt.Errorf("%w: %s", ErrTooFar, text(t))
	}
	c.offset.Store(int64(ahead))
	return time.UnixMicro(c.raise(t.UnixMicro())).UTC(), nil
}

// raise lifts the mark to at least t and gives the mark.
func (c *Clock) raise(t int64) int64 {
	for {
		high := c.high.Load()
		if t <= high {
			return high
		}
		if c.high.CompareAndSwap(high, t) {
			return t
		}
	}
}

func text(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
