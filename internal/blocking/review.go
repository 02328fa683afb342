package blocking

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

func merge(needs []im.Need) []im.Need { return approval.Merge(needs) }

// VerdictInput is one person's word on an approval.
type VerdictInput struct {
	ApprovalID im.ID
	Approve    bool
	Comment    im.Text
}

// DecideApproval takes a verdict. A refusal ends the request; the last agreement that was missing carries it out, if
// policy, asked again, still lets it. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED,
// INVALID_TRANSITION, CONFLICT.
func (s *Service) DecideApproval(ctx context.Context, c Call, in VerdictInput) (Result, error) {
	if res, refused, err := s.persons(ctx, c, authz.ActionDecideApproval, im.Ref{Kind: im.KindApproval, ID: in.ApprovalID}); refused || err != nil {
		return res, err
	}
	return s.run(ctx, "decide_approval", c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := checkText("comment", in.Comment, false); f != nil {
			return Result{Faults: []*fault.Error{f}}, u, nil
		}
		r := review{s: s, ctx: ctx, c: c, u: &u}
		if stop, err := r.open(in.ApprovalID); stop != nil || err != nil {
			return Result{Faults: stop}, u, err
		}
		may, err := r.mayAgree(r.f.Approval.Needs, c.Viewer.ID())
		if err != nil {
			return res, u, err
		}
		voted := slices.ContainsFunc(r.f.Verdicts, func(v im.Verdict) bool { return v.ByID == c.Viewer.ID() })
		d, err := r.decide(authz.ActionDecideApproval, len(may[0]) > 0)
		if err != nil {
			return res, u, err
		}
		action := "approval.refuse"
		if in.Approve {
			action = "approval.agree"
		}
		r.note(action, d, in.Comment)
		switch state := r.f.Approval.StateAt(s.o.Now()); {
		case d.Outcome != im.Allow:
			return r.refuse(denied(d))
		case state != im.ApprovalPending:
			return r.refuse(fault.New(fault.InvalidTransition, "transition_decide", string(state)))
		case voted:
			return r.refuse(fault.New(fault.Conflict, "conflict_voted"))
		}
		verdict := im.Verdict{ID: s.o.IDs.New(), ApprovalID: r.f.Approval.ID, ByID: c.Viewer.ID(), Approved: in.Approve,
			Comment: in.Comment, About: r.f.Approval.About, At: s.o.Now()}
		u.Verdicts = append(u.Verdicts, verdict)
		for _, role := range may[0] { // who became a candidate since it was opened
			u.Candidates = append(u.Candidates, im.Candidate{ApprovalID: verdict.ApprovalID, MemberID: verdict.ByID, Role: role})
		}
		if !in.Approve {
			r.end(im.ApprovalRejected, false)
			return r.done()
		}
		return r.agree(verdict)
	})
}

// CancelApproval takes a request back. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED,
// INVALID_TRANSITION.
func (s *Service) CancelApproval(ctx context.Context, c Call, in VerdictInput) (Result, error) {
	if res, refused, err := s.persons(ctx, c, authz.ActionCancelApproval, im.Ref{Kind: im.KindApproval, ID: in.ApprovalID}); refused || err != nil {
		return res, err
	}
	return s.run(ctx, "cancel_approval", c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := checkText("reason", in.Comment, false); f != nil {
			return Result{Faults: []*fault.Error{f}}, u, nil
		}
		r := review{s: s, ctx: ctx, c: c, u: &u}
		if stop, err := r.open(in.ApprovalID); stop != nil || err != nil {
			return Result{Faults: stop}, u, err
		}
		d, err := r.decide(authz.ActionCancelApproval, false)
		if err != nil {
			return res, u, err
		}
		r.note("approval.cancel", d, in.Comment)
		switch state := r.f.Approval.StateAt(s.o.Now()); {
		case d.Outcome != im.Allow:
			return r.refuse(denied(d))
		case state != im.ApprovalPending:
			return r.refuse(fault.New(fault.InvalidTransition, "transition_cancel", string(state)))
		}
		r.end(im.ApprovalCancelled, true)
		return r.done()
	})
}

// review is one command on an approval while it is worked out.
type review struct {
	s    *Service
	ctx  context.Context
	c    Call
	u    *ledger.Unit
	f    ApprovalFacts
	m    approval.Matter // what it is about
	part Part
}

func (r *review) open(id im.ID) ([]*fault.Error, error) {
	f, err := r.s.store.ApprovalFacts(r.ctx, r.c.Viewer, id)
	if err != nil {
		return nil, err
	}
	var m approval.Matter
	if f != nil {
		if m, err = r.s.matter(r.ctx, r.c, *f); err != nil {
			return nil, err
		}
	}
	if m == nil {
		return []*fault.Error{command.Missing("approvalId", "not_found_approval")}, nil
	}
	r.f, r.m = *f, m
	w, _, _ := m.Place()
	r.part = Part{WorkspaceID: w.ID, Approval: &r.f.Approval, Target: r.f.Approval.Subject}
	return nil, nil
}

// matter is what an approval is about: a relationship, or what another use-case asked for. Nil: that is gone.
func (s *Service) matter(ctx context.Context, c Call, f ApprovalFacts) (approval.Matter, error) {
	if open, others := s.o.Matters[f.Approval.Subject.Kind]; others {
		return open(ctx, c.Viewer, f.Approval)
	}
	if f.Subject.Relationship.ID.IsZero() {
		return nil, nil
	}
	return &tie{s: s, c: Call{RequestID: c.RequestID}, f: f.Subject, a: f.Approval}, nil
}

// question is whether the viewer may do this to the approval.
func (r *review) question(action string, candidate bool) question {
	a := r.f.Approval
	w, standing, _ := r.m.Place()
	return question{action: action, viewer: r.c.Viewer, standing: standing, workspace: w,
		target: im.Ref{Kind: im.KindApproval, ID: a.ID},
		object: authz.Object{Type: authz.TypeApproval, ID: a.ID.String(), Mine: a.RequestedBy == r.c.Viewer.ID(), Candidate: candidate}}
}

// decide asks policy whether the viewer may do this to the approval.
func (r *review) decide(action string, candidate bool) (im.Decision, error) {
	d, err := r.s.decide(r.ctx, r.question(action, candidate))
	if err == nil {
		r.u.Decisions = append(r.u.Decisions, d)
		r.part.Decision = d
	}
	return d, err
}

func (r *review) note(action string, d im.Decision, detail im.Text) {
	_, _, name := r.m.Place()
	r.u.Events = append(r.u.Events, r.s.event(r.c, action, d, im.Ref{Kind: im.KindApproval, ID: r.f.Approval.ID}, name, r.f.Approval.About, detail))
}

func (r *review) refuse(f *fault.Error) (Result, ledger.Unit, error) {
	f.Workspace, f.DecisionID = r.part.WorkspaceID, r.part.Decision.ID
	if r.part.Decision.Outcome == im.Allow {
		r.u.Events[0].Prevented = string(f.Code) // what was noted first is the caller's own doing
	}
	return Result{Parts: []Part{r.part}, Faults: []*fault.Error{f}}, *r.u, nil
}

func (r *review) done() (Result, ledger.Unit, error) {
	return Result{Parts: []Part{r.part}}, *r.u, nil
}

// end ends the approval without agreement, and with it what waited for it. withdrawn: the one who asked took it back.
func (r *review) end(to im.ApprovalState, withdrawn bool) {
	r.f.Approval = r.s.settle(r.u, r.f.Approval, to)
	r.m.Drop(r.u, r.f.Approval, withdrawn)
}

// mayAgree lists, for each of some people, the needs that they may speak for now.
func (r *review) mayAgree(needs []im.Need, people ...im.ID) ([][]string, error) {
	return r.s.desk.MayAgree(r.ctx, needs, whoMayAgree(r.m, r.f.Approval), people...)
}

// whoMayAgree asks who may agree to an approval as it stands: once it was passed on, those to whom it was may so in anybody's place.
func whoMayAgree(m approval.Matter, a im.Approval) approval.Query {
	q := m.Approvers()
	if !a.EscalatedAt.IsZero() {
		q.InAnyPlace = a.EscalateTo
	}
	return q
}

// met reports whether the verdicts at hand satisfy the needs.
func (r *review) met(needs []im.Need, people []im.ID) (bool, error) {
	may, err := r.mayAgree(needs, people...)
	if err != nil {
		return false, err
	}
	return approval.Met(needs, approval.Given(needs, may)), nil
}

// agreed is who has agreed so far.
func (r *review) agreed() (people []im.ID) {
	for _, v := range r.f.Verdicts {
		if v.Approved {
			people = append(people, v.ByID)
		}
	}
	return people
}

// stillAgreed works out whom a decision made again asks, and whether those people have agreed to it.
func (r *review) stillAgreed(again *im.Decision, people []im.ID) (candidates []im.Candidate, enough bool, err error) {
	if again.Outcome != im.Review {
		return nil, true, nil
	}
	again.Needs, candidates, err = r.s.desk.Resolve(r.ctx, asMade(again.Needs, r.m.Made()), whoMayAgree(r.m, r.f.Approval))
	if err == nil {
		enough, err = r.met(again.Needs, people)
	}
	return candidates, enough, err
}

// agree counts the agreements; where none is missing it decides again and carries the request out.
func (r *review) agree(v im.Verdict) (Result, ledger.Unit, error) {
	people := append(r.agreed(), v.ByID)
	wait := func() (Result, ledger.Unit, error) {
		r.f.Approval = r.s.turn(r.u, r.f.Approval, r.f.Approval.State) // so that of two verdicts at once the second counts the first
		return r.done()
	}
	enough, err := r.met(r.f.Approval.Needs, people)
	if err != nil {
		return Result{}, *r.u, err
	}
	if !enough {
		return wait()
	}
	if string(r.m.Bind()) != string(r.f.Approval.RequestHash) {
		r.end(im.ApprovalCancelled, false)
		return r.refuse(fault.New(fault.Conflict, "approval_void"))
	}
	again, err := r.m.Again(r.ctx)
	if f := fault.As(err); err != nil && slices.Contains(impossible, f.Code) {
		r.end(im.ApprovalCancelled, false)
		return r.refuse(f)
	}
	if err != nil {
		return Result{}, *r.u, err
	}
	candidates, enough, err := r.stillAgreed(&again, people)
	if err != nil {
		return Result{}, *r.u, err
	}
	if !enough { // others are asked for than those who agreed
		r.f.Approval.Needs = again.Needs
		for _, k := range candidates {
			k.ApprovalID = r.f.Approval.ID
			r.u.Candidates = append(r.u.Candidates, k)
		}
		return wait()
	}
	r.u.Decisions = append(r.u.Decisions, again)
	r.f.Approval.FinalDecisionID = again.ID
	r.f.Approval = r.s.settle(r.u, r.f.Approval, im.ApprovalApproved)
	r.m.CarryOut(r.u, r.f.Approval, again)
	return r.done()
}

// impossible is why something cannot be done any more, whatever is agreed to.
var impossible = []fault.Code{fault.InvalidInput, fault.NotFound, fault.Unsupported}

// tie is a relationship that an approval is about: one that waits to be made, or that is to be ended.
type tie struct {
	s    *Service
	c    Call
	f    RelationshipFacts
	a    im.Approval
	told []im.Notice // whom policy wants to have told, as of the last time that it was asked
}

// Place is where the relationship is.
func (t *tie) Place() (w im.Workspace, standing, name string) {
	return t.f.Workspace, t.f.Standing, t.f.TargetName
}

// Approvers asks who may agree.
func (t *tie) Approvers() approval.Query {
	return approvers(t.f.Relationship, t.f.OwnerID, t.a.RequestedBy)
}

// Made is whom its making, or its terms, asked.
func (t *tie) Made() []im.Need { return wayOf(t.a.Action).asks(t.f.Relationship) }

// Bind is what of the relationship as it stands was asked for.
func (t *tie) Bind() []byte { return t.s.bind(t.a.Action, t.f.Relationship) }

// Drop ends what waited to be made; what was to be ended stands.
func (t *tie) Drop(u *ledger.Unit, a im.Approval, withdrawn bool) {
	ended := im.Rejected
	if withdrawn {
		ended = im.Cancelled
	}
	if to, moves := unanswered(a, t.f.Relationship, ended); moves {
		t.move(u, a, to)
	}
}

// CarryOut makes the relationship, or ends it.
func (t *tie) CarryOut(u *ledger.Unit, a im.Approval, again im.Decision) {
	rel := t.f.Relationship
	switch {
	case again.Outcome == im.Deny: // what stands and was to be ended stays
		t.Drop(u, a, false)
	case rel.State.InEffect():
		way := wayOf(a.Action)
		t.move(u, a, way.to)
		t.s.intend(u, way.action, t.f.Relationship)
		t.s.withdraw(u, t.f.Pending, a.ID)
	default:
		begun := rel
		start(&begun, again.Obligations, t.s.o.Now())
		t.f.Relationship.EffectiveAt = begun.EffectiveAt
		t.move(u, a, begun.State)
		t.s.carryOut(u, t.f.Relationship, again.Obligations, t.told)
	}
}

// move takes the relationship to its new state.
func (t *tie) move(u *ledger.Unit, a im.Approval, to im.RelationshipState) {
	from := t.f.Relationship.State
	rel := t.s.step(u, t.f.Relationship, to)
	t.f.Relationship = rel
	u.Events = append(u.Events, t.s.event(t.c, "relationship."+word(from, to), im.Decision{WorkspaceID: rel.WorkspaceID, ID: a.FinalDecisionID},
		im.Ref{Kind: im.KindRelationship, ID: rel.ID}, t.f.TargetName, rel.Target.ID, ""))
}

// Again asks policy anew about what was requested. What the requester did of late is of late when he asked for it.
func (t *tie) Again(ctx context.Context) (im.Decision, error) {
	rel := t.f.Relationship
	requester, err := t.s.o.Viewer(ctx, t.a.RequestedBy)
	gone := fault.Is(err, fault.Unauthenticated) // who left meanwhile has no standing anywhere (C-04)
	if gone {
		requester, err = im.Viewer{Member: im.Member{ID: t.a.RequestedBy}}, nil
	}
	if err != nil {
		return im.Decision{}, err
	}
	if rel.State.InEffect() {
		f, err := t.s.store.RelationshipFacts(ctx, requester, rel.ID)
		if err != nil {
			return im.Decision{}, err
		}
		if f == nil || gone { // the requester may no longer see it; policy judges on what stands
			f = &t.f
			f.Standing = ""
		}
		return t.s.decide(ctx, wayOf(t.a.Action).question(requester, *f, t.s.o.Now()))
	}
	// Policy judges the target whether or not the requester may still see it.
	seeing := requester
	seeing.Scopes = map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}, im.KindContact: {im.ScopeAll}, im.KindGroup: {im.ScopeAll}}
	in := wishOf(rel)
	if requester.IsService() { // a service names no scope
		in.Scope = ""
	}
	q := t.s.query(seeing, in)
	q.Now, q.Made = time.Time{}, &rel
	facts, err := t.s.store.BlockFacts(ctx, q)
	if err != nil {
		return im.Decision{}, err
	}
	at := Place{Workspace: t.f.Workspace}
	for _, p := range facts.Places {
		if p.Workspace.ID == rel.WorkspaceID {
			at = p
		}
	}
	if gone {
		at.Standing = ""
	}
	d, err := t.s.decide(ctx, t.s.wishQuestion(requester, in, facts, at))
	if err == nil && d.Outcome != im.Deny {
		t.told, err = t.s.tell(ctx, rel, facts.owner(), t.a.RequestedBy, d.Obligations)
	}
	return d, err
}

// wishOf is the wish that a relationship was made by.
func wishOf(r im.Relationship) BlockInput {
	in := BlockInput{Target: r.Target, Kind: r.Kind, GroupID: r.GroupID, Scope: scopeWish(r), DelegateID: r.DelegateID, Declared: r.Declared}
	if !r.RequestedBy.IsZero() {
		in.Initiator = r.InitiatorID
	}
	if r.Source == im.FromImport || r.Source == im.FromBulk {
		in.bulk = authz.BulkPlain // a row of one that was approved as a whole is decided as one by one, once it waits for people
	}
	return in
}

// scopeWish is the scope as it was asked for: the ordinary one needs no asking.
func scopeWish(r im.Relationship) im.RelationshipScope {
	if r.Scope == im.InitiatorView {
		return ""
	}
	return r.Scope
}
