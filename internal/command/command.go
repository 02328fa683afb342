// Package command is what all use-cases that write have in common: a command answers from the record of its idempotency
// key or is worked out as a [ledger.Unit] and posted, policy is asked and its decision written down, and what needs
// people's agreement waits for it.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// Call is what every command carries beside its own input.
type Call struct {
	Viewer    im.Viewer
	Key       string // idempotency key; empty: none
	RequestID string // for the trail
}

// Store is where commands are written.
type Store interface {
	// Post writes a unit, or nothing of it and one of ledger's errors.
	Post(ctx context.Context, u ledger.Unit) error
	// Fingerprint is a keyed hash: equal for equal input, and of no use to whoever sees it without the key.
	Fingerprint(b []byte) []byte
	// Answer reads the answer that an idempotency key got; nil where it has none.
	Answer(ctx context.Context, actor im.ID, key string) (*ledger.Answer, error)
	// Approvers resolves the roles of needs to active people.
	Approvers(ctx context.Context, q approval.Query) (map[string][]im.ID, error)
}

// Desk is where a use-case's commands are carried out.
type Desk struct {
	Store  Store
	Policy authz.Source
	Now    func() time.Time
	IDs    *im.IDs
	Wake   func() // called after each write
	// Deliver carries intents out on their platforms, as far as that goes in the time that a command may wait.
	Deliver func(ctx context.Context, intents []im.Intent)
	// Endpoints names the endpoints of systems that are told of what has a purpose; nil: there are none.
	Endpoints func(purpose string) []string
}

// TriesMax is how often a command is worked out again because somebody else was faster. Whoever is beaten that often
// is told so.
const TriesMax = 20

// Plan works a command out on what stands now.
type Plan[R any] func(ctx context.Context) (R, ledger.Unit, error)

// Answers is how a use-case's results are made and kept.
type Answers[R any] struct {
	Failed func(f *fault.Error) R
	// Revive puts back what the record of a key does not hold: what people wrote is not in it.
	Revive func(ctx context.Context, res *R) error
}

// Run carries a command out: it answers from the record of its idempotency key, or plans and posts. input is all
// that makes the request what it is.
func Run[R any](ctx context.Context, k *Desk, operation string, c Call, input any, as Answers[R], p Plan[R]) (none R, _ error) {
	var print []byte
	if c.Key != "" {
		if f := fault.CheckKey(c.Key); f != nil {
			return as.Failed(f), nil
		}
		b, err := json.Marshal([]any{operation, input})
		if err != nil {
			return none, fault.Wrap(err, "encode input")
		}
		print = k.Store.Fingerprint(b)
	}
	for range TriesMax {
		if c.Key != "" {
			a, err := k.Store.Answer(ctx, c.Viewer.ID(), c.Key)
			if err != nil {
				return none, err
			}
			if a != nil {
				return replay(ctx, *a, operation, print, as)
			}
		}
		res, unit, err := p(ctx)
		if err != nil {
			return none, err
		}
		if len(unit.Events) == 0 { // nothing was decided, so there is nothing to remember
			return res, nil
		}
		if c.Key != "" {
			b, err := json.Marshal(res)
			if err != nil {
				return none, fault.Wrap(err, "encode result")
			}
			unit.Answer = &ledger.Answer{ActorID: c.Viewer.ID(), Key: c.Key, Operation: operation, RequestHash: print, Result: b, At: k.Now()}
		}
		switch err := k.Store.Post(ctx, unit); {
		case err == nil:
			k.Wake()
			k.Deliver(ctx, unit.Intents)
			return res, nil
		case errors.Is(err, ledger.ErrAnswered), errors.Is(err, ledger.ErrLive), errors.Is(err, ledger.ErrStale):
		default:
			return none, err
		}
	}
	return as.Failed(fault.New(fault.Conflict, "conflict_race")), nil
}

// replay gives the answer that an idempotency key got.
func replay[R any](ctx context.Context, a ledger.Answer, operation string, print []byte, as Answers[R]) (res R, err error) {
	if a.Operation != operation || string(a.RequestHash) != string(print) {
		f := fault.New(fault.IdempotencyKeyReused, "key_reused")
		f.Path = []string{"idempotencyKey"}
		return as.Failed(f), nil
	}
	if err := json.Unmarshal(a.Result, &res); err != nil {
		return res, fault.Wrap(err, "decode answer")
	}
	return res, as.Revive(ctx, &res)
}

// Sweep posts what nobody commanded. Somebody else who was faster has done it.
func (k *Desk) Sweep(ctx context.Context, work func(*ledger.Unit) error) error {
	var u ledger.Unit
	if err := work(&u); err != nil || len(u.Events) == 0 {
		return err
	}
	switch err := k.Store.Post(ctx, u); err {
	case nil: // the courier finds what is to be delivered
		k.Wake()
		return nil
	case ledger.ErrStale:
		return nil
	default:
		return err
	}
}

// Asked is what a decision is about, as its row has it.
type Asked struct {
	By          im.ID
	Target      im.Ref
	WorkspaceID im.ID
}

// Judge asks policy a question with these facts, and makes the row of the decision.
func (k *Desk) Judge(ctx context.Context, a Asked, r authz.Request) (im.Decision, error) {
	d, err := k.Consult(ctx, r)
	if err != nil {
		return im.Decision{}, err
	}
	out := im.Decision{ID: k.IDs.New(), At: k.Now(), Action: r.Action, ActorID: a.By, Target: a.Target,
		WorkspaceID: a.WorkspaceID, Outcome: d.Outcome, Needs: d.Needs, Obligations: d.Obligations, PolicyVersion: d.Version,
		Facts: r.Facts(), Times: 1}
	for _, r := range d.Rules {
		out.Rules = append(out.Rules, r.Ref())
	}
	return out, nil
}

// Consult asks policy, and has it seen what it said.
func (k *Desk) Consult(ctx context.Context, r authz.Request) (authz.Decision, error) {
	ctx, act := observe.Begin(ctx, observe.Decision, "", r.Action)
	d, err := k.Policy.Engine().Decide(ctx, r)
	if err != nil {
		act.End(string(fault.As(err).Code))
		return d, err
	}
	act.Set("guanxi.policy", d.Version)
	act.End(string(d.Outcome))
	return d, nil
}

// Regions lists those that are known, sorted and each once.
func Regions(all ...string) []string {
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(r string) bool { return r == "" })
}

// Denied is the fault of a refusal by policy.
func Denied(d im.Decision) *fault.Error {
	return On(d.WorkspaceID, d, fault.New(fault.PolicyDenied, "policy_denied"))
}

// On puts the workspace and the decision into a fault.
func On(w im.ID, d im.Decision, f *fault.Error) *fault.Error {
	f.Workspace, f.DecisionID = w, d.ID
	return f
}

// Missing is the fault of what is not there, or not to be seen.
func Missing(path, key string) *fault.Error {
	f := fault.New(fault.NotFound, key)
	f.Path = []string{path}
	return f
}

// InTheWay is the conflict with what stands there already.
func InTheWay(key string, what im.Ref) *fault.Error {
	f := fault.New(fault.Conflict, key)
	f.About = what
	return f
}

// Gateway is the actor's name of what the gateway does by itself.
const Gateway = "guanxi"

// Event is one line of the trail about what was done to a subject.
func (k *Desk) Event(c Call, action string, d im.Decision, subject im.Ref, name string, about im.ID, detail im.Text) im.AuditEvent {
	e := im.AuditEvent{ID: k.IDs.New(), At: k.Now(), Action: action, Outcome: d.Outcome, Subject: subject, SubjectName: name,
		About: about, WorkspaceID: d.WorkspaceID, DecisionID: d.ID, RequestID: c.RequestID, Detail: detail, ActorName: Gateway}
	if v := c.Viewer; !v.ID().IsZero() {
		e.Actor, e.ActorName = v.Ref(), v.Name()
	}
	return e
}

// CheckText checks what a person wrote; empty is good where it need not be given.
func CheckText(path string, t im.Text, required bool) *fault.Error {
	return fault.CheckReason(path, t, required)
}
