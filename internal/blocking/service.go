package blocking

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// Service is the use-case. Its reads come from the store as they are.
type Service struct {
	Reads
	store Store
	desk  *command.Desk
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
	// Endpoints names the endpoints of systems that are told of what has a purpose; nil: there are none.
	Endpoints func(purpose string) []string
	// Matters reads what approvals are about that other use-cases asked for, by the kind of their subject.
	Matters map[im.Kind]approval.Opener
	// Asks gathers what the actions of other use-cases would be decided by.
	Asks map[string]command.Inquirer
}

// New makes the service.
func New(s Store, o Options) *Service {
	return &Service{Reads: s, store: s, o: o, desk: &command.Desk{Store: s, Policy: o.Policy, Now: o.Now, IDs: o.IDs, Wake: o.Wake, Deliver: o.Deliver,
		Endpoints: o.Endpoints}}
}

// Call is what every command carries beside its own input.
type Call = command.Call

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
	// Candidates would have to agree, of a preview: those of an approval stand with it.
	Candidates []im.Candidate `json:"-"`
	// Effective: the relationship has, or once approved will have, its effects.
	Effective bool `json:"effective,omitempty"`
}

// plan works a command out on what stands now.
type plan = command.Plan[Result]

// run carries a command out: it answers from the record of its idempotency key, or plans and posts. input is all
// that makes the request what it is.
func (s *Service) run(ctx context.Context, operation string, c Call, input any, p plan) (Result, error) {
	return command.Run(ctx, s.desk, operation, c, input, command.Answers[Result]{
		Failed: func(f *fault.Error) Result { return Result{Faults: []*fault.Error{f}} }, Revive: s.revive}, p)
}

// revive puts into a recorded result what people wrote: it is read from the rows, and is empty where a person was erased
// meanwhile.
func (s *Service) revive(ctx context.Context, res *Result) error {
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
		return err
	}
	am, err := s.store.Approvals(ctx, all, approvals)
	if err != nil {
		return err
	}
	for _, p := range res.Parts {
		if p.Relationship != nil {
			p.Relationship.Reason = rm[p.Relationship.ID].Reason
		}
		if p.Approval != nil {
			p.Approval.Reason = am[p.Approval.ID].Reason
		}
	}
	return nil
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

	made *authz.Request // by another use-case, in the place of all that is known here
}

// request is the question as policy reads it.
func (q question) request() authz.Request {
	m := q.viewer.Member
	switch {
	case q.made != nil:
		return *q.made
	case q.viewer.IsService():
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

func regions(all ...string) []string { return command.Regions(all...) }

// decide asks policy and makes the row of the decision.
func (s *Service) decide(ctx context.Context, q question) (im.Decision, error) {
	return s.judge(ctx, q, q.request())
}

// judge asks policy a question with these facts, and makes the row of the decision.
func (s *Service) judge(ctx context.Context, q question, r authz.Request) (im.Decision, error) {
	return s.desk.Judge(ctx, command.Asked{By: q.viewer.ID(), Target: q.target, WorkspaceID: q.workspace.ID}, r)
}

// What faults of commands are made of.
func denied(d im.Decision) *fault.Error                      { return command.Denied(d) }
func on(w im.ID, d im.Decision, f *fault.Error) *fault.Error { return command.On(w, d, f) }
func inTheWay(key string, what im.Ref) *fault.Error          { return command.InTheWay(key, what) }
func checkText(path string, t im.Text, required bool) *fault.Error {
	return command.CheckText(path, t, required)
}

// event is one line of the trail about a relationship or an approval of one.
func (s *Service) event(c Call, action string, d im.Decision, subject im.Ref, name string, about im.ID, detail im.Text) im.AuditEvent {
	return s.desk.Event(c, action, d, subject, name, about, detail)
}

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
	if from.InEffect() && !to.InEffect() {
		s.notify(u, r, s.desk.TellSystems(im.NoticeEnded))
	}
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
	return s.desk.Settle(u, a, to)
}

// turn writes an approval as it shall be, one version up, with its change in the unit.
func (s *Service) turn(u *ledger.Unit, a im.Approval, from im.ApprovalState) im.Approval {
	return s.desk.Turn(u, a, from)
}
