// Package messaging is the gateway's own messages: on the workspaces whose platform it is itself, people write to each other
// through it, so that relationships are obeyed where it counts, in the transaction that a message is written in.
//
// Whether somebody may be written to is read by the same statement as a contact check, and judged by the same effects
// (blocking.CheckFacts); the store writes a message only if nothing else stands between the two when it commits
// (ledger.Sending).
package messaging

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// Service is the use-case.
type Service struct {
	store Store
	o     Options
}

// Options are what the service needs beside its store.
type Options struct {
	Policy authz.Source
	// Own reports whether the gateway itself is a platform.
	Own func(platform string) bool
	// Refuse writes down that a question was refused, and names the decision in the refusal.
	Refuse func(ctx context.Context, c Call, d im.Decision, refusal *fault.Error) error
	Now    func() time.Time
	IDs    *im.IDs
	Wake   func() // called after each write
}

// New makes the service.
func New(s Store, o Options) *Service { return &Service{s, o} }

// Call is what every command carries beside its own input.
type Call = blocking.Call

// Result is what came of a command on a message.
type Result struct {
	Decision  *im.Decision   `json:"decision,omitempty"`
	Message   *im.Message    `json:"-"` // as the command left it
	MessageID im.ID          `json:"message,omitzero"`
	Dropped   []im.ID        `json:"dropped,omitempty"` // mentions that were taken out
	Stopped   []im.ID        `json:"stopped,omitempty"` // relationships that stopped it, as far as the caller may read them
	Faults    []*fault.Error `json:"faults,omitempty"`
	// BlockedBy is Stopped, as they stand.
	BlockedBy []im.Relationship `json:"-"`
}

func failed(f *fault.Error) (Result, ledger.Unit, error) {
	return Result{Faults: []*fault.Error{f}}, ledger.Unit{}, nil
}

func missing(path, key string) (Result, ledger.Unit, error) {
	f := fault.New(fault.NotFound, key)
	f.Path = []string{path}
	return failed(f)
}

// prevented ends a command that policy may have allowed: the event says what stood in its way.
func prevented(u ledger.Unit, d im.Decision, f *fault.Error) (Result, ledger.Unit, error) {
	f.DecisionID, f.Workspace = d.ID, d.WorkspaceID
	if d.Outcome != im.Deny {
		u.Events[0].Prevented = string(f.Code)
	}
	return Result{Decision: &d, Faults: []*fault.Error{f}}, u, nil
}

// refusal is the fault of a decision that is no plain yes: nobody is asked about a message.
func refusal(d im.Decision) *fault.Error {
	switch d.Outcome {
	case im.Allow:
		return nil
	case im.Review:
		return fault.New(fault.ApprovalRequired, "message_review")
	}
	return fault.New(fault.PolicyDenied, "policy_denied")
}

// question is one request to policy.
type question struct {
	action    string
	standing  string
	workspace im.Workspace
	target    im.Ref
	object    authz.Object
}

// regions lists those that are known, sorted and each once.
func regions(all ...string) []string {
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(r string) bool { return r == "" })
}

// decide asks policy, and makes the row of the decision.
func (s *Service) decide(ctx context.Context, v im.Viewer, q question) (im.Decision, error) {
	m := v.Member
	r := authz.Request{Platform: q.workspace.Platform, Action: q.action, Object: q.object,
		Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: q.standing,
			Employment: string(m.Employment)},
		Env: authz.Env{CustomerContact: q.workspace.CustomerContact, Regions: regions(m.Region, q.workspace.Region)}}
	if v.IsService() {
		r.Actor = authz.Actor{ID: v.Service.ID.String(), Roles: v.Service.Scopes, Status: string(im.AccountActive)}
	}
	ctx, act := observe.Begin(ctx, observe.Decision, "", q.action)
	got, err := s.o.Policy.Engine().Decide(ctx, r)
	if err != nil {
		act.End(string(fault.As(err).Code))
		return im.Decision{}, err
	}
	act.Set("guanxi.policy", got.Version)
	act.End(string(got.Outcome))
	return im.Decision{ID: s.o.IDs.New(), At: s.o.Now(), Action: q.action, ActorID: v.ID(), Target: q.target, WorkspaceID: q.workspace.ID,
		Outcome: got.Outcome, Rules: got.Refs(), Needs: got.Needs, Obligations: got.Obligations, PolicyVersion: got.Version,
		Facts: r.Facts(), Times: 1}, nil
}

// event is one line of the trail; of what was written it says nothing.
func (s *Service) event(c Call, action string, d im.Decision, subject im.Ref) im.AuditEvent {
	return im.AuditEvent{ID: s.o.IDs.New(), At: s.o.Now(), Actor: c.Viewer.Ref(), ActorName: c.Viewer.Name(), Action: action, Outcome: d.Outcome,
		Subject: subject, About: c.Viewer.ID(), WorkspaceID: d.WorkspaceID, DecisionID: d.ID, RequestID: c.RequestID}
}

const (
	// triesMax is how often a command is worked out again because somebody else was faster.
	triesMax = 20
	keyMax   = 200 // bytes of an idempotency key
)

// run carries a command out: it answers from the record of its idempotency key, or plans and posts.
func (s *Service) run(ctx context.Context, operation string, c Call, input any, plan func() (Result, ledger.Unit, error)) (Result, error) {
	var print []byte
	if c.Key != "" {
		if len(c.Key) > keyMax || !utf8.ValidString(c.Key) || notPrintable(c.Key) {
			return Result{Faults: []*fault.Error{fault.Input("idempotencyKey", "key_malformed")}}, nil
		}
		b, err := json.Marshal([]any{operation, input})
		if err != nil {
			return Result{}, fault.Wrap(err, "encode input")
		}
		print = s.store.Fingerprint(b)
	}
	for range triesMax {
		if c.Key != "" {
			a, err := s.store.Answer(ctx, c.Viewer.ID(), c.Key)
			if err != nil {
				return Result{}, err
			}
			if a != nil {
				return s.replay(ctx, c, *a, operation, print)
			}
		}
		res, u, err := plan()
		if err != nil || len(u.Events) == 0 { // nothing was decided
			return res, err
		}
		if c.Key != "" {
			b, err := json.Marshal(res)
			if err != nil {
				return Result{}, fault.Wrap(err, "encode result")
			}
			u.Answer = &ledger.Answer{ActorID: c.Viewer.ID(), Key: c.Key, Operation: operation, RequestHash: print, Result: b, At: s.o.Now()}
		}
		switch err := s.store.Post(ctx, u); {
		case err == nil:
			s.o.Wake()
			return res, s.explain(ctx, c, &res)
		case !errors.Is(err, ledger.ErrAnswered) && !errors.Is(err, ledger.ErrStale):
			return Result{}, err
		}
	}
	return Result{Faults: []*fault.Error{fault.New(fault.Conflict, "conflict_race")}}, nil
}

func notPrintable(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return true
		}
	}
	return false
}

// replay gives the answer that an idempotency key got; what was written is read from its row, as it may be read now.
func (s *Service) replay(ctx context.Context, c Call, a ledger.Answer, operation string, print []byte) (res Result, err error) {
	if a.Operation != operation || string(a.RequestHash) != string(print) {
		f := fault.New(fault.IdempotencyKeyReused, "key_reused")
		f.Path = []string{"idempotencyKey"}
		return Result{Faults: []*fault.Error{f}}, nil
	}
	if err := json.Unmarshal(a.Result, &res); err != nil {
		return Result{}, fault.Wrap(err, "decode answer")
	}
	if !res.MessageID.IsZero() {
		found, err := s.store.Messages(ctx, c.Viewer, []im.ID{res.MessageID}, s.o.Now())
		if err != nil {
			return Result{}, err
		}
		if m, ok := found[res.MessageID]; ok {
			res.Message = &m
		}
	}
	return res, s.explain(ctx, c, &res)
}

// explain reads what stopped a message, for whoever may read it.
func (s *Service) explain(ctx context.Context, c Call, res *Result) error {
	if len(res.Stopped) == 0 {
		return nil
	}
	found, err := s.store.Relationships(ctx, c.Viewer, res.Stopped)
	for _, id := range res.Stopped {
		if r, ok := found[id]; ok {
			res.BlockedBy = append(res.BlockedBy, r)
		}
	}
	return err
}
