// Package adaptertest is the conformance suite that every adapter passes. To an integrator it is also the
// specification: each case says one thing that callers rely on.
//
// An adapter's own test supplies a [Harness]: a way to open the adapter against a simulated vendor, what stands there,
// and faults to play. The vendor's HTTP is simulated, never the adapter's own interfaces, so that what is tested is
// what ships.
package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// Harness is one adapter over one fresh world. Each case starts its own.
type Harness struct {
	// Open opens an adapter over the world, at each call a new one over the same. It writes its log to log; with
	// wrongSecret it is given a secret that the vendor refuses. That is not asked where the gateway is the platform.
	Open  func(log *slog.Logger, wrongSecret bool) adapters.Adapter
	World World
	// Effects counts how often the vendor really changed something for a key. Where the vendor sees no keys it counts
	// every change: a case that counts uses one key.
	Effects func(adapters.Key) int
	// Told is what the vendor shows a member of the app's messages, the oldest first. Nil: the adapter tells nobody anything.
	Told func(adapters.MemberID) []string
	// Fault arms a fault. False means that the harness cannot: the case is then skipped, for all to see.
	Fault func(Fault) bool
	// Tokens counts the tokens that the vendor has given. Nil: the platform has none.
	Tokens func() int
	// Codes is the adapter's table of the vendor's errors, and Unlisted an error that is not in it. There is none where
	// the gateway is the platform.
	Codes    map[string]adapters.Code
	Unlisted string
}

// World names what stands at the vendor. Lists are complete; what an adapter has no capability for may be empty.
type World struct {
	Members     []adapters.MemberID     // three at least
	Departments []adapters.DepartmentID // three at least
	Owner       adapters.MemberID
	Contacts    []adapters.ContactID // all that Owner follows: three at least
	Contact     adapters.ContactID   // one of them, with two tags at least, and a remark
	Missing     adapters.ContactID   // there is none such
	Stranger    adapters.MemberID    // there is none such; needed where the adapter tells members something
	// Texts are contacts as ContactReader.Contact is to answer them, followed by Owner alone, with what is hard to
	// carry: 中文, 全角, emoji, an id of the greatest length. None of their tags is personal, and they stand in the order of their ids.
	Texts []adapters.Contact
	// Secrets must stand in no error and in no log: the credential, phone numbers, names.
	Secrets []string
}

// Fault is something that goes wrong at the vendor, until the next Fault.
type Fault struct {
	Kind Kind
	Code string // of Refuse
}

// Kind is a kind of fault.
type Kind uint8

// The kinds of fault.
const (
	None         Kind = iota // nothing goes wrong any more
	LoseResponse             // the next change happens, and its answer is lost
	Stall                    // no call is answered before its context ends
	Unreachable              // no call gets as far as the vendor
	Refuse                   // every call is refused with Code, in a text that echoes World.Secrets
	Expire                   // the tokens given so far hold no longer
)

// Options names the cases that an adapter is known not to pass, and why. A waiver whose case passes fails the run, so
// that it cannot outlive its cause.
type Options struct{ Waive map[string]string }

// Run runs every case for which the adapter has the capability.
func Run(t *testing.T, start func(*testing.T) Harness, o Options) {
	known := map[string]bool{}
	for _, c := range cases {
		known[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			skip, err := c.judge(t.Context(), func() Harness { return start(t) }, o)
			if err != nil {
				t.Error(err)
			} else if skip != "" {
				t.Log("not run: " + skip)
			}
		})
	}
	for name := range o.Waive {
		if !known[name] {
			t.Errorf("%s is waived, and there is no such case", name)
		}
	}
}

// testCase is a case: what the adapter must implement, and what must then hold.
type testCase struct {
	name string
	need func(adapters.Adapter) bool
	run  func(*try) error
}

// try is a case under way.
type try struct {
	context.Context
	Harness
	start func() Harness
	log   *journal
	opens []adapters.Adapter
}

// patience is how long a case may take in all.
const patience = time.Minute

// errUnable: the harness cannot play the fault.
var errUnable = errors.New("the harness cannot play this fault")

func (c testCase) judge(ctx context.Context, start func() Harness, o Options) (skip string, _ error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := &try{Context: ctx, Harness: start(), start: start, log: new(journal)}
	defer func() {
		for _, a := range t.opens {
			_ = a.Close()
		}
	}()
	if !c.need(t.open()) {
		return "the adapter lacks the capability", nil
	}
	err := c.run(t)
	why, waived := o.Waive[c.name]
	switch {
	case errors.Is(err, errUnable):
		return err.Error(), nil
	case waived && err == nil:
		return "", fmt.Errorf("waived (%s), and passes: remove the waiver", why)
	case waived && why == "":
		return "", errors.New("waived without a reason")
	case waived:
		return fmt.Sprintf("waived: %s (%v)", why, err), nil
	}
	return "", err
}

// open opens another adapter over the same world.
func (t *try) open() adapters.Adapter {
	a := t.Open(slog.New(slog.NewJSONHandler(t.log, &slog.HandlerOptions{Level: slog.LevelDebug})), false)
	t.opens = append(t.opens, a)
	return a
}

// fault arms a fault, or ends the case.
func (t *try) fault(k Kind, code string) error {
	if t.Fault == nil || !t.Fault(Fault{k, code}) {
		return errUnable
	}
	return nil
}

// journal is a log that many may write to.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string { j.mu.Lock(); defer j.mu.Unlock(); return j.buf.String() }

func always(adapters.Adapter) bool { return true }

// vendored: somebody else's platform, with a secret and a table of errors.
func vendored(a adapters.Adapter) bool { return !a.Describe().Own }

func has[C any](a adapters.Adapter) bool { _, ok := a.(C); return ok }

// want is the error of a code that is not the wanted one.
func want(c adapters.Code, err error) error {
	if got := adapters.CodeOf(err); got != c {
		return fmt.Errorf("code %v, want %v (%v)", got, c, err)
	}
	return nil
}
