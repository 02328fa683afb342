package blocking

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/observe"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// Service is the use-case. Its reads come from the store as they are.
type Service struct {
	Reads
	store Store
	o     Options
	// allowed counts the questions that policy let pass.
	allowed atomic.Uint64
}

// Options are what the service needs beside its store.
type Options struct {
	Policy    authz.Source
	Platforms *platform.Connections
	// Viewer reads a member afresh, with the rights of this moment: a request is decided again when it is carried out.
	Viewer   func(ctx context.Context, id im.ID) (im.Viewer, error)
	Now      func() time.Time
	IDs      *im.IDs
	Currency string // the company's own
	Wake     func() // called after each write
	// Deliver carries intents out on their platforms, as far as that goes in the time that a command may wait.
	Deliver func(ctx context.Context, intents []im.Intent)
}

// New makes the service.
func New(s Store, o Options) *Service { return &Service{Reads: s, store: s, o: o} }

// Call is what every command carries beside its own input.
type Call struct {
	Viewer    im.Viewer
	Key       string // idempotency key; empty: none
	RequestID string // for the trail
}

// Result is what came of a command: one part for each workspace that was decided, and what went wrong.
type Result struct {
	Parts  []Part         `json:"parts,omitempty"`
	Faults []*fault.Error `json:"faults,omitempty"`
	// Decision refused the whole before it came to any part.
	Decision *im.Decision `json:"decision,omitempty"`
}

// Part is what came of a command on one workspace. Rows are as the command left them.
type Part struct {
	WorkspaceID  im.ID            `json:"workspace,omitzero"`
	Decision     im.Decision      `json:"decision"`
	Relationship *im.Relationship `json:"relationship,omitempty"`
	Approval     *im.Approval     `json:"approval,omitempty"`
	Alert        *im.Alert        `json:"alert,omitempty"`
	Target       im.Ref           `json:"target,omitzero"`
	Kind         im.RelationshipKind
	Enforcement  im.Enforcement `json:"enforcement,omitempty"`
	Risk         Risk           `json:"risk,omitzero"`
	Preview      bool           `json:"-"` // it was only asked for: what stands here is what would be
	// Effective: the relationship has, or once approved will have, its effects.
	Effective bool `json:"effective,omitempty"`
}

// plan works a command out on what stands now.
type plan func(ctx context.Context) (Result, ledger.Unit, error)

// triesMax is how often a command is worked out again because somebody else was faster. Whoever is beaten that often
// is told so.
const triesMax = 20

// run carries a command out: it answers from the record of its idempotency key, or plans and posts. input is all
// that makes the request what it is.
func (s *Service) run(ctx context.Context, operation string, c Call, input any, p plan) (Result, error) {
	var print []byte
	if c.Key != "" {
		if err := fault.CheckKey(c.Key); err != nil {
			return Result{Faults: []*fault.Error{err}}, nil
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
				return s.replay(ctx, *a, operation, print)
			}
		}
		res, unit, err := p(ctx)
		if err != nil {
			return Result{}, err
		}
		if len(unit.Events) == 0 { // nothing was decided, so there is nothing to remember
			return res, nil
		}
		if c.Key != "" {
			b, err := json.Marshal(res)
			if err != nil {
				return Result{}, fault.Wrap(err, "encode result")
			}
			unit.Answer = &ledger.Answer{ActorID: c.Viewer.ID(), Key: c.Key, Operation: operation, RequestHash: print, Result: b, At: s.o.Now()}
		}
		switch err := s.store.Post(ctx, unit); {
		case err == nil:
			s.o.Wake()
			s.o.Deliver(ctx, unit.Intents)
			return res, nil
		case errors.Is(err, ledger.ErrAnswered), errors.Is(err, ledger.ErrLive), errors.Is(err, ledger.ErrStale):
		default:
			return Result{}, err
		}
	}
	return Result{Faults: []*fault.Error{fault.New(fault.Conflict, "conflict_race")}}, nil
}

// replay gives the answer that an idempotency key got. What people wrote is not in the record: it is read from the
// rows, and is empty where a person was erased meanwhile.
func (s *Service) replay(ctx context.Context, a ledger.Answer, operation string, print []byte) (Result, error) {
	if a.Operation != operation || string(a.RequestHash) != string(print) {
		f := fault.New(fault.IdempotencyKeyReused, "key_reused")
		f.Path = []string{"idempotencyKey"}
		return Result{Faults: []*fault.Error{f}}, nil
	}
	var res Result
	if err := json.Unmarshal(a.Result, &res); err != nil {
		return Result{}, fault.Wrap(err, "decode answer")
	}
	all := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindRelationship: {im.ScopeAll}, im.KindApproval: {im.ScopeAll}, im.KindAudit: {im.ScopeAll}}}
	var rels, approvals []im.ID
	for _, p := range res.Parts {
		if p.Relationship != nil {
			rels = append(rels, p.Relationship.ID)
		}
		if p.Approval != nil {
			approvals = append(approvals, p.Approval.ID)
		}
	}
	rm, err := s.store.Relationships(ctx, all, rels)
	if err != nil {
		return Result{}, err
	}
	am, err := s.store.Approvals(ctx, all, approvals)
	if err != nil {
		return Result{}, err
	}
	for _, p := range res.Parts {
		if p.Relationship != nil {
			p.Relationship.Reason = rm[p.Relationship.ID].Reason
		}
		if p.Approval != nil {
			p.Approval.Reason = am[p.Approval.ID].Reason
		}
	}
	return res, nil
}

// persons refuses a command that is for persons to a service, as policy says and as it is written down.
func (s *Service) persons(ctx context.Context, c Call, action string, on im.Ref) (res Result, refused bool, err error) {
	if !c.Viewer.IsService() {
		return res, false, nil
	}
	d, err := s.decide(ctx, question{action: action, viewer: c.Viewer, target: on, object: authz.Object{Type: string(on.Kind), ID: on.ID.String()}})
	if err != nil {
		return res, true, err
	}
	if d.Outcome != im.Deny { // a company cannot allow what there is no way to do
		return Result{Faults: []*fault.Error{fault.New(fault.InvalidInput, "persons_only")}}, true, nil
	}
	about := im.Company
	if on.Kind == im.KindMember || on.Kind == im.KindContact {
		about = on.ID
	}
	err = s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{d}, Events: []im.AuditEvent{s.event(c, action, d, on, "", about, "")}})
	if err != nil {
		return res, true, err
	}
	s.o.Wake()
	return Result{Decision: &d, Faults: []*fault.Error{denied(d)}}, true, nil
}

// question is one request to policy with what its decision is written down with.
type question struct {
	action    string
	viewer    im.Viewer
	standing  string
	workspace im.Workspace
	target    im.Ref
	object    authz.Object
	// What the viewer did of late, this included, as authz.Actor has it.
	recentBlocks, lastHour int
	departments            []string // of the viewer
	home                   string   // the region of whom it is about
}

// request is the question as policy reads it.
func (q question) request() authz.Request {
	m := q.viewer.Member
	if q.viewer.IsService() {
		return q.ofService()
	}
	return authz.Request{Platform: q.workspace.Platform, Action: q.action,
		Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: q.standing,
			Employment: string(m.Employment), RecentBlocks: q.recentBlocks, LastHour: q.lastHour, Departments: q.departments},
		Object: q.object,
		Env:    authz.Env{CustomerContact: q.workspace.CustomerContact, Regions: regions(m.Region, q.workspace.Region, q.home)},
	}
}

// ofService is the question as policy reads it of a service, of which nothing is known but the scopes of its key. It is on every
// workspace, for it has an account on none.
func (q question) ofService() authz.Request {
	v := q.viewer.Service
	return authz.Request{Platform: q.workspace.Platform, Action: q.action, Object: q.object,
		Actor: authz.Actor{ID: v.ID.String(), Roles: v.Scopes, Status: string(im.AccountActive), LastHour: q.lastHour},
		Env:   authz.Env{CustomerContact: q.workspace.CustomerContact, Regions: regions(q.workspace.Region, q.home)}}
}

// regions lists those that are known, sorted and each once.
func regions(all ...string) []string {
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(r string) bool { return r == "" })
}

// decide asks policy and makes the row of the decision.
func (s *Service) decide(ctx context.Context, q question) (im.Decision, error) {
	return s.judge(ctx, q, q.request())
}

// judge asks policy a question with these facts, and makes the row of the decision.
func (s *Service) judge(ctx context.Context, q question, r authz.Request) (im.Decision, error) {
	d, err := s.consult(ctx, q.action, r)
	if err != nil {
		return im.Decision{}, fault.Wrap(err, "decide "+q.action)
	}
	out := im.Decision{ID: s.o.IDs.New(), At: s.o.Now(), Action: q.action, ActorID: q.viewer.ID(), Target: q.target,
		WorkspaceID: q.workspace.ID, Outcome: d.Outcome, Needs: d.Needs, Obligations: d.Obligations, PolicyVersion: d.Version,
		Facts: r.Facts(), Times: 1}
	for _, r := range d.Rules {
		out.Rules = append(out.Rules, r.Ref())
	}
	return out, nil
}

// consult asks policy, and has it seen what it said.
func (s *Service) consult(ctx context.Context, action string, r authz.Request) (authz.Decision, error) {
	ctx, act := observe.Begin(ctx, observe.Decision, "", action)
	d, err := s.o.Policy.Engine().Decide(ctx, r)
	if err != nil {
		act.End("POLICY_ERROR")
		return d, err
	}
	act.Set("guanxi.policy", d.Version)
	act.End(string(d.Outcome))
	return d, nil
}

// denied is the fault of a refusal by policy.
func denied(d im.Decision) *fault.Error {
	f := fault.New(fault.PolicyDenied, "policy_denied")
	f.DecisionID, f.Workspace = d.ID, d.WorkspaceID
	return f
}

// on puts the workspace into a fault.
func on(w im.ID, d im.Decision, f *fault.Error) *fault.Error {
	f.Workspace, f.DecisionID = w, d.ID
	return f
}

// inTheWay is the conflict with what stands there already.
func inTheWay(key string, what im.Ref) *fault.Error {
	f := fault.New(fault.Conflict, key)
	f.About = what
	return f
}

// event is one line of the trail about a relationship or an approval of one.
func (s *Service) event(c Call, action string, d im.Decision, subject im.Ref, name string, about im.ID, detail im.Text) im.AuditEvent {
	e := im.AuditEvent{ID: s.o.IDs.New(), At: s.o.Now(), Action: action, Outcome: d.Outcome, Subject: subject, SubjectName: name,
		About: about, WorkspaceID: d.WorkspaceID, DecisionID: d.ID, RequestID: c.RequestID, Detail: detail, ActorName: gateway}
	if v := c.Viewer; !v.ID().IsZero() {
		e.Actor, e.ActorName = v.Ref(), v.Name()
	}
	return e
}

// gateway is the actor's name of what the gateway does by itself.
const gateway = "guanxi"

// step moves a relationship on: to another state, one version up, with its change in the unit.
func (s *Service) step(u *ledger.Unit, r im.Relationship, to im.RelationshipState) im.Relationship {
	from := r.State
	r.State = to
	r.Version++
	if to == im.Cancelled || to == im.Rejected { // it never took effect, though it was to
		r.EffectiveAt = time.Time{}
	}
	switch {
	case to == im.Expired: // it ended then, whenever that is noticed
		r.EndedAt = r.ExpiresAt
	case !to.Live():
		r.EndedAt = s.o.Now()
	}
	u.Steps = append(u.Steps, r)
	u.Changes = append(u.Changes, im.RelationshipChange(s.o.IDs.New(), s.o.Now(), r, from))
	return r
}

// intend puts the wished effect of a step on its platform into the unit. Where the gateway itself obeys, and where the
// platform has no call for it, there is nothing to deliver.
func (s *Service) intend(u *ledger.Unit, kind string, r im.Relationship) {
	now := s.o.Now()
	i := im.Intent{ID: s.o.IDs.New(), Key: kind + ":" + r.ID.String() + ":" + strconv.Itoa(r.Version), Kind: kind, WorkspaceID: r.WorkspaceID,
		Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}, TargetID: r.Target.ID, State: im.DeliveryNotNeeded, CreatedAt: now, SettledAt: now}
	if !r.Declared && s.o.Platforms.Delivers(r.WorkspaceID, r.Kind) {
		i.State, i.NextTryAt, i.SettledAt = im.DeliveryPending, now, time.Time{}
	}
	u.Intents = append(u.Intents, i)
}

// actionOf is the action of policy that makes a relationship of a kind.
func actionOf(k im.RelationshipKind) string {
	switch k {
	case im.Blacklist:
		return authz.ActionBlacklist
	case im.Isolation:
		return authz.ActionIsolate
	case im.GroupBlock:
		return authz.ActionGroupBlock
	}
	return authz.ActionBlock
}

// settle ends an approval.
func (s *Service) settle(u *ledger.Unit, a im.Approval, to im.ApprovalState) im.Approval {
	from := a.State
	a.State = to
	a.EndedAt = s.o.Now()
	return s.turn(u, a, from)
}

// turn writes an approval as it shall be, one version up, with its change in the unit.
func (s *Service) turn(u *ledger.Unit, a im.Approval, from im.ApprovalState) im.Approval {
	a.Version++
	u.ApprovalSteps = append(u.ApprovalSteps, a)
	u.Changes = append(u.Changes, im.ApprovalChange(s.o.IDs.New(), s.o.Now(), a, from))
	return a
}

// Limits of what people write.
const (
	reasonMax = 2000 // characters
)

// checkText checks what a person wrote; empty is good where it need not be given.
func checkText(path string, t im.Text, required bool) *fault.Error {
	s := string(t)
	switch n := utf8.RuneCountInString(s); {
	case required && strings.TrimSpace(s) == "":
		return fault.Input(path, "reason_required")
	case n > reasonMax:
		return fault.Input(path, "text_too_long", strconv.Itoa(reasonMax), strconv.Itoa(n))
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }):
		return fault.Input(path, "text_malformed")
	}
	return nil
}
