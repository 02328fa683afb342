// Package stage is what the simulator of every platform stands on: the ledger of what it received and what effect that
// had, the journal that both survive a kill in, the faults that it plays, its clock, and the surface under which a demo
// or a test controls them.
//
// A platform brings a [World] and decides what a call does; it never changes the world itself. It names an [Effect], and
// the stage writes that down and then applies it. So the ledger is not a report beside the world but what the world is
// made of: the world is its seed and the effects of the ledger, in order.
package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// World is what stands on a platform. A stage calls it from one goroutine at a time.
type World interface {
	// Seed makes the world from the text of a seed.
	Seed(text json.RawMessage) error
	// Apply makes an effect happen. It must come to the same for the same effects in the same order, and do nothing
	// where it answers an error.
	Apply(Effect) error
	// State is what stands there now, for people: without secrets.
	State() any
	// Actions are the names of what [World.Act] knows.
	Actions() []string
	// Act says what something comes to that the platform's own people do. An error is a [Refusal].
	Act(a Act, now time.Time) (Effect, error)
}

// Effect is one change of a world. The zero Effect changes nothing.
type Effect struct {
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail"`
}

// NewEffect is an effect with the detail as JSON, which must be able to be that.
func NewEffect(kind, subject string, detail any) Effect {
	text, err := json.Marshal(detail)
	if err != nil {
		panic(fmt.Sprintf("stage: detail of %s: %v", kind, err))
	}
	return Effect{kind, subject, text}
}

// Act is something that the platform's own people do, not the gateway.
type Act struct {
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail,omitempty"`
}

// Refusal is an act that cannot be done, with its HTTP status.
type Refusal struct {
	Status int
	Text   string
}

// Refuse is a [Refusal].
func Refuse(status int, format string, args ...any) error {
	return &Refusal{status, fmt.Sprintf(format, args...)}
}

// Error is the text.
func (r *Refusal) Error() string { return r.Text }

// Entry is a line of the ledger: one call that was received, or one act.
type Entry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Method  string          `json:"method"`
	Path    string          `json:"path"`
	Request json.RawMessage `json:"request"`
	Code    string          `json:"code"`   // as the platform spells it
	Effect  *Effect         `json:"effect"` // null: nothing changed
	// Faults are those that were played on the call: a code of "0" beside "dropResponse" was never heard.
	Faults []string `json:"faults,omitempty"`
	// Callback says what became of an act's callback.
	Callback string `json:"callback,omitempty"`
}

// Call is what a platform is about to decide on.
type Call struct {
	Method, Path string
	Request      json.RawMessage // without secrets: it is kept and shown
}

// Verdict is a platform's decision on a call.
type Verdict struct {
	Code   string
	Effect Effect
	Answer any // for the caller; the stage does not look at it
}

// Options say on what a stage is set up.
type Options struct {
	Platform string
	World    World
	Seed     any // as JSON it is what [World.Seed] reads; not looked at where File holds a world already
	// File keeps the journal; empty: nothing survives. Only one process at a time may have it open, which is for the
	// caller to see to.
	File string
	// Now is real time; nil: time.Now.
	Now func() time.Time
}

// Stage is one simulated platform. Its methods may be called from any number of goroutines.
type Stage struct {
	world World
	real  func() time.Time

	mu      sync.Mutex
	journal *journal
	ledger  []Entry
	ahead   time.Duration // of the clock before real time
	told    time.Time     // the latest time told
	faults  faults
}

// Open sets a stage up: from its file where that holds a world, else from the seed.
func Open(o Options) (*Stage, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Stage{world: o.World, real: o.Now}
	seed, err := json.Marshal(o.Seed)
	if err != nil {
		return nil, fmt.Errorf("the seed of %s: %w", o.Platform, err)
	}
	if o.File == "" {
		return s, s.world.Seed(seed)
	}
	j, past, err := openJournal(o.File, header{Platform: o.Platform, Format: format, Seed: seed})
	if err == nil {
		s.journal = j
		err = s.replay(past)
	}
	if err != nil {
		_ = j.close()
		return nil, err
	}
	return s, nil
}

// replay makes the world that the journal tells of.
func (s *Stage) replay(past past) error {
	if err := s.world.Seed(past.seed); err != nil {
		return fmt.Errorf("the seed in the state file: %w", err)
	}
	for i, r := range past.records {
		line := i + 2 // after the header
		switch {
		case r.Entry != nil:
			if r.Entry.Seq != int64(len(s.ledger)+1) {
				return fmt.Errorf("state file: line %d: entry %d, not %d", line, r.Entry.Seq, len(s.ledger)+1)
			}
			if r.Entry.Effect != nil {
				if err := s.world.Apply(*r.Entry.Effect); err != nil {
					return fmt.Errorf("state file: line %d: %w", line, err)
				}
			}
			s.ledger = append(s.ledger, *r.Entry)
			s.told = r.Entry.At
		case r.Ahead != nil:
			s.ahead = *r.Ahead
		default:
			return fmt.Errorf("state file: line %d: neither an entry nor a clock", line)
		}
	}
	return nil
}

// Close lets go of the file.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// now is the time on the platform, which never runs backwards, in whole microseconds.
func (s *Stage) now() time.Time {
	if t := s.real().Add(s.ahead).UTC().Truncate(time.Microsecond); t.After(s.told) {
		s.told = t
	}
	return s.told
}

// SetClock puts the clock forward to t and answers what it now says. Time does not go back: of two that set the clock
// the later wins.
func (s *Stage) SetClock(t time.Time) (time.Time, error) {
	s.mu.Lock()
	if now := s.now(); t.After(now) {
		ahead := s.ahead + t.Sub(now)
		if err := s.journal.append(record{Ahead: &ahead}); err != nil {
			s.mu.Unlock()
			return now, err
		}
		s.ahead = ahead
		s.told = t.UTC().Truncate(time.Microsecond)
	}
	now := s.told
	s.mu.Unlock()
	return now, s.journal.sync()
}

// Receive has decide judge a call, and answers once what came of it is on disk. Under a fault of its kind it panics with
// [http.ErrAbortHandler], which cuts the connection: before anything happened, or after everything did.
//
// Decide runs while nothing else does, and only looks: the effect that it names is applied after it. It is told of the
// faults that are its own to play.
func (s *Stage) Receive(ctx context.Context, c Call, decide func(now time.Time, f Fault) Verdict) Verdict {
	s.mu.Lock()
	f := s.faults.draw(c.Path)
	s.mu.Unlock()
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done(): // the caller hung up; the platform goes on all the same
		}
	}
	if f.dropRequest {
		panic(http.ErrAbortHandler)
	}
	_, v, err := s.enter(Entry{Method: c.Method, Path: c.Path, Request: c.Request, Faults: f.names},
		func(now time.Time) (Verdict, error) { return decide(now, f), nil })
	if f.dropResponse || err != nil { // what is not on disk is not answered
		panic(http.ErrAbortHandler)
	}
	return v
}

// Act does something on the platform as its own people would, and answers the ledger's line.
func (s *Stage) Act(a Act) (Entry, error) {
	request, err := json.Marshal(a)
	if err != nil {
		return Entry{}, err
	}
	e, _, err := s.enter(Entry{Method: http.MethodPost, Path: "act", Request: request, Callback: "none is configured"},
		func(now time.Time) (Verdict, error) {
			effect, err := s.world.Act(a, now)
			return Verdict{Code: "0", Effect: effect}, err
		})
	return e, err
}

// enter decides, writes the ledger's line, makes its effect happen, and answers once the line is on disk.
func (s *Stage) enter(e Entry, decide func(now time.Time) (Verdict, error)) (Entry, Verdict, error) {
	v, err := func() (Verdict, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		e.At, e.Seq = s.now(), int64(len(s.ledger)+1)
		v, err := decide(e.At)
		if err != nil {
			return v, err
		}
		if e.Code = v.Code; v.Effect.Kind != "" {
			e.Effect = &v.Effect
		}
		return v, s.commit(e)
	}()
	if err == nil {
		err = s.journal.sync()
	}
	return e, v, err
}

func (s *Stage) commit(e Entry) error {
	if err := s.journal.append(record{Entry: &e}); err != nil {
		return err
	}
	if e.Effect != nil {
		if err := s.world.Apply(*e.Effect); err != nil {
			panic(fmt.Sprintf("stage: %s was decided on and cannot be: %v", e.Effect.Kind, err))
		}
	}
	s.ledger = append(s.ledger, e)
	return nil
}

// Ledger is what was received after the entry with the number, in order.
func (s *Stage) Ledger(after int64) ([]Entry, error) {
	s.mu.Lock()
	n := int64(len(s.ledger))
	out := s.ledger[min(max(after, 0), n):n:n]
	s.mu.Unlock()
	return out, s.journal.sync() // nobody is shown what may yet be lost
}

// State is the world as JSON.
func (s *Stage) State() (json.RawMessage, error) {
	s.mu.Lock()
	text, err := json.Marshal(s.world.State())
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return text, s.journal.sync()
}

// SetFaults replaces the faults that are played; none where there are no rules.
func (s *Stage) SetFaults(f Faults) error {
	made, err := f.prepare()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.faults = made
	s.mu.Unlock()
	return nil
}
