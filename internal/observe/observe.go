// Package observe is how the parts of the gateway say what they do: to metrics, which count it, to a tracer, which shows
// what took how long within what, and to the line of the log about a request. Said are kinds, codes, ids and numbers,
// never what people are called or write. Whoever says something needs no more than the context; where nobody listens it
// costs next to nothing.
package observe

import (
	"context"
	"sync/atomic"
	"time"
)

// Kind says what was done.
type Kind int

// What can be done.
const (
	Operation Kind = iota // a GraphQL operation
	Batch                 // rows loaded for all siblings of a list
	Decision              // policy was asked
	Call                  // of a platform's adapter
	Request               // to a platform, over HTTP: a call takes one or more
)

// Event is something that was done.
type Event struct {
	Kind Kind
	Of   string // of calls and requests the platform
	Name string // the operation's type, the loader, the action, the adapter's call, the method
	Code string // how it ended; "OK" is well
	Took time.Duration
}

// OK is the code of what ended well.
const OK = "OK"

// Observer listens.
type Observer struct {
	ended  func(Event)
	tracer *Tracer
}

// New makes an observer that hands on what ended, and traces with tracer; both may be nil.
func New(ended func(Event), tracer *Tracer) *Observer {
	if ended == nil {
		ended = func(Event) {}
	}
	return &Observer{ended: ended, tracer: tracer}
}

type observerKey struct{}

// With makes a context under which the observer listens.
func With(ctx context.Context, o *Observer) context.Context {
	if o == nil {
		return ctx
	}
	return context.WithValue(ctx, observerKey{}, o)
}

// Act is something that is being done. A nil one is nobody's business.
type Act struct {
	observer *Observer
	tally    *Tally
	span     span
	event    Event
	began    time.Time
}

// Begin begins something, within what the context is already about.
func Begin(ctx context.Context, kind Kind, of, name string) (context.Context, *Act) {
	return BeginAt(ctx, kind, of, name, time.Now())
}

// BeginAt is Begin for what began already.
func BeginAt(ctx context.Context, kind Kind, of, name string, began time.Time) (context.Context, *Act) {
	o, _ := ctx.Value(observerKey{}).(*Observer)
	t, _ := ctx.Value(tallyKey{}).(*Tally)
	if o == nil && t == nil {
		return ctx, nil
	}
	a := &Act{observer: o, tally: t, event: Event{Kind: kind, Of: of, Name: name, Code: OK}, began: began}
	if o != nil && o.tracer != nil {
		ctx, a.span = o.tracer.begin(ctx, a.event, began)
	}
	return ctx, a
}

// Set tells more of an act: an id, a code, or a number.
func (a *Act) Set(key string, value any) {
	if a != nil {
		a.span.set(key, value)
	}
}

// End ends an act with a code; "" is OK.
func (a *Act) End(code string) {
	if a == nil {
		return
	}
	if code != "" {
		a.event.Code = code
	}
	a.event.Took = time.Since(a.began)
	a.tally.add(a.event)
	a.span.end(a.event)
	if a.observer != nil {
		a.observer.ended(a.event)
	}
}

// Tally is what one operation took.
type Tally struct {
	Statements, Batches, Decisions, Calls atomic.Int64
	InDatabase, InCalls                   atomic.Int64 // nanoseconds; what runs side by side adds up
}

type tallyKey struct{}

// Tallied makes a context whose acts are counted in t.
func Tallied(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, tallyKey{}, t)
}

// Statements counts statements to the database, and the time that they took together.
func Statements(ctx context.Context, n int, took time.Duration) {
	if t, _ := ctx.Value(tallyKey{}).(*Tally); t != nil {
		t.Statements.Add(int64(n))
		t.InDatabase.Add(int64(took))
	}
}

func (t *Tally) add(e Event) {
	if t == nil {
		return
	}
	switch e.Kind {
	case Batch:
		t.Batches.Add(1)
	case Decision:
		t.Decisions.Add(1)
	case Call:
		t.Calls.Add(1)
		t.InCalls.Add(int64(e.Took))
	}
}
