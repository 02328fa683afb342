package blocking

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
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
			r.end(im.ApprovalRejected, im.Rejected)
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
		r.end(im.ApprovalCancelled, im.Cancelled)
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
	part Part
}

func (r *review) open(id im.ID) ([]*fault.Error, error) {
	f, err := r.s.store.ApprovalFacts(r.ctx, r.c.Viewer, id)
	if err != nil {
		return nil, err
	}
	if f == nil {
		miss := fault.New(fault.NotFound, "not_found_approval")
		miss.Path = []string{"approvalId"}
		return []*fault.Error{miss}, nil
	}
	r.f = *f
	rel := f.Subject.Relationship
	r.part = Part{WorkspaceID: rel.WorkspaceID, Approval: &r.f.Approval, Target: rel.Target, Kind: rel.Kind, Enforcement: rel.Enforcement}
	return nil, nil
}

// question is whether the viewer may do this to the approval.
func (r *review) question(action string, candidate bool) question {
	a := r.f.Approval
	return question{action: action, viewer: r.c.Viewer, standing: r.f.Subject.Standing, workspace: r.f.Subject.Workspace,
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
	r.u.Events = append(r.u.Events, r.s.event(r.c, action, d, im.Ref{Kind: im.KindApproval, ID: r.f.Approval.ID}, r.f.Subject.TargetName,
		r.f.Approval.About, detail))
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

// end ends the approval, and with it a relationship that waited for it.
func (r *review) end(to im.ApprovalState, rel im.RelationshipState) {
	r.f.Approval = r.s.settle(r.u, r.f.Approval, to)
	if state, moves := unanswered(r.f.Approval, r.f.Subject.Relationship, rel); moves {
		r.move(state)
	}
}

// move takes the relationship to its new state.
func (r *review) move(to im.RelationshipState) {
	rel := r.f.Subject.Relationship
	from := rel.State
	rel = r.s.step(r.u, rel, to)
	r.f.Subject.Relationship = rel
	d := im.Decision{WorkspaceID: rel.WorkspaceID, ID: r.f.Approval.FinalDecisionID}
	r.u.Events = append(r.u.Events, r.s.event(Call{RequestID: r.c.RequestID}, "relationship."+word(from, to), d,
		im.Ref{Kind: im.KindRelationship, ID: rel.ID}, r.f.Subject.TargetName, rel.Target.ID, ""))
}

// mayAgree lists, for each of some people, the needs that they may speak for now: a role that was lost meanwhile, or
// an account that was frozen, takes a verdict's weight away.
func (r *review) mayAgree(needs []im.Need, people ...im.ID) ([][]string, error) {
	rel := r.f.Subject.Relationship
	q := approvers(rel, r.f.Subject.OwnerID, r.f.Approval.RequestedBy)
	q.Roles, q.Managers, q.Only, q.Limit = map[string][]string{}, r.s.o.Policy.Engine().Implying(deptManager), people, len(people)
	for _, n := range needs {
		q.Roles[n.Role] = r.s.implying(n.Role)
	}
	found, err := r.s.store.Approvers(r.ctx, q)
	if err != nil {
		return nil, err
	}
	may := make([][]string, len(people))
	for i, p := range people {
		for _, n := range needs {
			if slices.Contains(found[n.Role], p) {
				may[i] = append(may[i], n.Role)
			}
		}
	}
	return may, nil
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
	rel := r.f.Subject.Relationship
	again.Needs, candidates, err = r.s.resolve(r.ctx, asMade(again.Needs, wayOf(r.f.Approval.Action).asks(rel)),
		approvers(rel, r.f.Subject.OwnerID, r.f.Approval.RequestedBy))
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
	rel := r.f.Subject.Relationship
	if string(r.s.bind(r.f.Approval.Action, rel)) != string(r.f.Approval.RequestHash) {
		r.end(im.ApprovalCancelled, im.Rejected)
		return r.refuse(fault.New(fault.Conflict, "approval_void"))
	}
	again, err := r.decideAgain(rel)
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
	switch {
	case again.Outcome == im.Deny: // what stands and was to be ended stays
		if to, moves := unanswered(r.f.Approval, rel, im.Rejected); moves {
			r.move(to)
		}
	case rel.State.InEffect():
		way := wayOf(r.f.Approval.Action)
		r.move(way.to)
		r.s.intend(r.u, way.action, r.f.Subject.Relationship)
		r.s.withdraw(r.u, r.f.Subject.Pending, r.f.Approval.ID)
	default:
		begun := rel
		start(&begun, again.Obligations, r.s.o.Now())
		r.f.Subject.Relationship.EffectiveAt = begun.EffectiveAt
		r.move(begun.State)
		r.s.carryOut(r.u, r.f.Subject.Relationship, again.Obligations)
	}
	return r.done()
}

// decideAgain asks policy anew about what was requested, on the facts of this moment and with the requester's rights
// of this moment. What he did of late is of late when he asked for it.
func (r *review) decideAgain(rel im.Relationship) (im.Decision, error) {
	requester, err := r.s.o.Viewer(r.ctx, r.f.Approval.RequestedBy)
	gone := fault.Is(err, fault.Unauthenticated) // who left meanwhile has no standing anywhere (C-04)
	if gone {
		requester, err = im.Viewer{Member: im.Member{ID: r.f.Approval.RequestedBy}}, nil
	}
	if err != nil {
		return im.Decision{}, err
	}
	if rel.State.InEffect() {
		f, err := r.s.store.RelationshipFacts(r.ctx, requester, rel.ID)
		if err != nil {
			return im.Decision{}, err
		}
		if f == nil || gone { // the requester may no longer see it; policy judges on what stands
			f = &r.f.Subject
			f.Standing = ""
		}
		return r.s.decide(r.ctx, wayOf(r.f.Approval.Action).question(requester, *f, r.s.o.Now()))
	}
	// Policy judges the target whether or not the requester may still see it.
	seeing := requester
	seeing.Scopes = map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}, im.KindContact: {im.ScopeAll}, im.KindGroup: {im.ScopeAll}}
	in := wishOf(rel)
	q := r.s.query(seeing, in)
	q.Now, q.Made = time.Time{}, &rel
	facts, err := r.s.store.BlockFacts(r.ctx, q)
	if err != nil {
		return im.Decision{}, err
	}
	at := Place{Workspace: r.f.Subject.Workspace}
	for _, p := range facts.Places {
		if p.Workspace.ID == rel.WorkspaceID {
			at = p
		}
	}
	if gone {
		at.Standing = ""
	}
	return r.s.decide(r.ctx, r.s.wishQuestion(requester, in, facts, at))
}

// wishOf is the wish that a relationship was made by.
func wishOf(r im.Relationship) BlockInput {
	in := BlockInput{Target: r.Target, Kind: r.Kind, GroupID: r.GroupID, Scope: scopeWish(r), DelegateID: r.DelegateID, Declared: r.Declared}
	if !r.RequestedBy.IsZero() {
		in.Initiator = r.InitiatorID
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
