package blocking

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// EndInput asks to end a relationship.
type EndInput struct {
	RelationshipID im.ID
	Reason         im.Text
}

// ending is one way to end a relationship.
type ending struct {
	action string // also its idempotent operation, and the kind of its intent
	// reviewed: somebody besides the viewer has to agree, by what was frozen when it was made.
	reviewed func(v im.Viewer, r im.Relationship) bool
	asks     func(im.Relationship) []im.Need // whom as_made stands for
	// refuse says why a relationship in a state cannot be ended in this way; nil where it can.
	refuse func(r im.Relationship, state im.RelationshipState, now time.Time) *fault.Error
	to     im.RelationshipState
}

var lifting = ending{
	action:   authz.ActionLift,
	reviewed: func(_ im.Viewer, r im.Relationship) bool { return len(r.Needs) > 0 },
	asks:     func(r im.Relationship) []im.Need { return r.Needs },
	refuse: func(_ im.Relationship, state im.RelationshipState, _ time.Time) *fault.Error {
		if !state.Live() {
			return fault.New(fault.InvalidTransition, "transition_lift", string(state))
		}
		return nil
	},
	to: im.Lifted,
}

var undoing = ending{
	action: authz.ActionUndo,
	reviewed: func(v im.Viewer, r im.Relationship) bool { // whoever has a role that the terms ask for is not asked besides
		return slices.ContainsFunc(authz.Approvers(r.Undo.Review), func(n im.Need) bool { return n.Count > 1 || !slices.Contains(v.Roles, n.Role) })
	},
	asks: func(r im.Relationship) []im.Need { return authz.Approvers(r.Undo.Review) },
	refuse: func(r im.Relationship, state im.RelationshipState, now time.Time) *fault.Error {
		switch {
		case !state.InEffect():
			return fault.New(fault.InvalidTransition, "transition_undo", string(state))
		case r.Undo.OpenAt(now):
			return nil
		case state == im.UndoPendingApproval: // asked for in time, so that "it can only be lifted" would not be true
			return fault.New(fault.InvalidTransition, "transition_undo_asked")
		case !r.Undo.Allowed:
			return fault.New(fault.WindowClosed, "window_none")
		}
		return fault.New(fault.WindowClosed, "window_closed", r.Undo.Until.Format(time.RFC3339))
	},
	to: im.Undone,
}

// wayOf is the ending that an approval with this action asks for.
func wayOf(action string) ending {
	if action == authz.ActionUndo {
		return undoing
	}
	return lifting
}

// Lift ends a relationship in the ordinary way, or cancels one that waits. What had to be reviewed is lifted by the
// same review. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED, INVALID_TRANSITION, CONFLICT.
func (s *Service) Lift(ctx context.Context, c Call, in EndInput) (Result, error) {
	return s.end(ctx, c, in, lifting)
}

// Undo takes a relationship back under the terms that were frozen when it was made; the moment of the request counts,
// not that of a review. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED, INVALID_TRANSITION,
// WINDOW_CLOSED, CONFLICT.
func (s *Service) Undo(ctx context.Context, c Call, in EndInput) (Result, error) {
	return s.end(ctx, c, in, undoing)
}

func (s *Service) end(ctx context.Context, c Call, in EndInput, e ending) (Result, error) {
	if res, refused, err := s.persons(ctx, c, e.action, im.Ref{Kind: im.KindRelationship, ID: in.RelationshipID}); refused || err != nil {
		return res, err
	}
	return s.run(ctx, e.action, c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := checkText("reason", in.Reason, true); f != nil {
			return Result{Faults: []*fault.Error{f}}, u, nil
		}
		f, err := s.store.RelationshipFacts(ctx, c.Viewer, in.RelationshipID)
		if err != nil {
			return res, u, err
		}
		if f == nil {
			miss := fault.New(fault.NotFound, "not_found_relationship")
			miss.Path = []string{"relationshipId"}
			return Result{Faults: []*fault.Error{miss}}, u, nil
		}
		r := f.Relationship
		ref := im.Ref{Kind: im.KindRelationship, ID: r.ID}
		d, err := s.decide(ctx, e.question(c.Viewer, *f, s.o.Now()))
		if err != nil {
			return res, u, err
		}
		var candidates []im.Candidate
		if d.Outcome == im.Review {
			d.Needs, candidates, err = s.resolve(ctx, asMade(d.Needs, e.asks(r)), approvers(r, f.OwnerID, c.Viewer.ID()))
			if err != nil {
				return res, u, err
			}
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.event(c, e.action, d, ref, f.TargetName, r.Target.ID, in.Reason))
		part := Part{WorkspaceID: r.WorkspaceID, Decision: d, Relationship: &r, Target: r.Target, Kind: r.Kind, Enforcement: r.Enforcement}
		refuse := func(f *fault.Error) (Result, ledger.Unit, error) {
			if d.Outcome != im.Deny {
				u.Events[0].Prevented = string(f.Code)
			}
			return Result{Parts: []Part{part}, Faults: []*fault.Error{f}}, u, nil
		}
		now := s.o.Now()
		if d.Outcome == im.Deny {
			return refuse(denied(d))
		}
		if f := e.refuse(r, r.StateAt(now), now); f != nil {
			return refuse(on(r.WorkspaceID, d, f))
		}
		asked := slices.IndexFunc(f.Pending, func(a im.Approval) bool { return a.Action == e.action })
		switch {
		case d.Outcome == im.Review && asked >= 0:
			return refuse(on(r.WorkspaceID, d, inTheWay("conflict_review", im.Ref{Kind: im.KindApproval, ID: f.Pending[asked].ID})))
		case d.Outcome == im.Review:
			request := r
			request.Reason = in.Reason
			part.Approval = s.ask(&u, c, e.action, request, d, candidates)
			if e.to == im.Undone {
				r = s.step(&u, r, im.UndoPendingApproval)
			}
		case r.State.InEffect():
			r = s.step(&u, r, e.to)
			s.intend(&u, e.action, r)
			s.withdraw(&u, f.Pending)
		default:
			r = s.step(&u, r, im.Cancelled)
			s.withdraw(&u, f.Pending)
		}
		return Result{Parts: []Part{part}}, u, nil
	})
}

// withdraw cancels the approvals that wait on what just ended, but for those that are settled otherwise.
func (s *Service) withdraw(u *ledger.Unit, pending []im.Approval, but ...im.ID) {
	for _, a := range pending {
		if !slices.Contains(but, a.ID) {
			s.settle(u, a, im.ApprovalCancelled)
		}
	}
}

// question is whether the viewer may end the relationship in this way.
func (e ending) question(v im.Viewer, f RelationshipFacts, now time.Time) question {
	r := f.Relationship
	state := r.StateAt(now)
	return question{action: e.action, viewer: v, standing: f.Standing, workspace: f.Workspace, target: im.Ref{Kind: im.KindRelationship, ID: r.ID},
		object: authz.Object{Type: authz.TypeRelationship, ID: r.ID.String(), Kind: string(r.Kind), Mine: r.InitiatorID == v.ID(),
			Pending: state == im.PendingApproval || state == im.Staged, Reviewed: e.reviewed(v, r)}}
}

// asMade puts the needs that a relationship was made with in the place of the term for them.
func asMade(needs, made []im.Need) []im.Need {
	var out []im.Need
	for _, n := range needs {
		if n.Role == im.AsMade {
			out = append(out, made...)
		} else {
			out = append(out, n)
		}
	}
	return merge(out)
}

// RunDue does what time alone brings. What ran out it ends, so that the trail and subscribers hear of it; nobody had to
// wait for that, as every read judges expiry by itself. What has cooled down it puts into effect: nothing else does. It
// answers how many there were.
func (s *Service) RunDue(ctx context.Context) (int, error) {
	const batch = 100
	n := 0
	for {
		due, err := s.store.Due(ctx, s.o.Now(), batch)
		if err != nil {
			return n, err
		}
		more := false
		for _, x := range []struct {
			ids  []im.ID
			work func(context.Context, *ledger.Unit, im.ID) error
		}{{due.Expired, s.expire}, {due.Cooled, s.takeEffect}, {due.Approvals, s.expireApproval}, {due.Escalations, s.escalate}} {
			for _, id := range x.ids {
				if err := s.sweep(ctx, func(u *ledger.Unit) error { return x.work(ctx, u, id) }); err != nil {
					return n, err
				}
				n++
			}
			more = more || len(x.ids) == batch
		}
		if !more {
			return n, nil
		}
	}
}

// sweep posts one ending. Somebody else who was faster has done it.
func (s *Service) sweep(ctx context.Context, work func(*ledger.Unit) error) error {
	return s.desk.Sweep(ctx, work)
}

// expire ends a relationship whose time ran out, with the approval that waits on it.
func (s *Service) expire(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.RelationshipFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil {
		return err
	}
	if r := f.Relationship; r.State.Live() && r.StateAt(s.o.Now()) == im.Expired {
		was := r.State
		s.move(u, *f, im.Expired, im.Decision{})
		if was.InEffect() {
			s.intend(u, im.IntentExpire, u.Steps[len(u.Steps)-1])
		}
		for _, a := range f.Pending {
			s.settle(u, a, im.ApprovalExpired)
		}
	}
	return nil
}

// expireApproval ends an approval whose time ran out: what waited to be made is rejected, what was to be ended stays.
func (s *Service) expireApproval(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.ApprovalFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil || f.Approval.State != im.ApprovalPending {
		return err
	}
	m, err := s.matter(ctx, Call{}, *f)
	if err != nil || m == nil {
		return err
	}
	_, _, name := m.Place()
	a := s.settle(u, f.Approval, im.ApprovalExpired)
	u.Events = append(u.Events, s.event(Call{}, "approval.expire", im.Decision{WorkspaceID: a.WorkspaceID},
		im.Ref{Kind: im.KindApproval, ID: a.ID}, name, a.About, ""))
	m.Drop(u, a, false)
	return nil
}

// escalate passes an approval on that nobody has settled in the time that policy gave: from now on further people may agree in
// anybody's place.
func (s *Service) escalate(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.ApprovalFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil {
		return err
	}
	a, now := f.Approval, s.o.Now()
	if a.StateAt(now) != im.ApprovalPending || !a.EscalatedAt.IsZero() || now.Before(a.EscalatesAt) {
		return nil
	}
	m, err := s.matter(ctx, Call{}, *f)
	if err != nil || m == nil {
		return err
	}
	a.EscalatedAt = now
	needs, candidates, err := s.desk.Resolve(ctx, a.Needs, whoMayAgree(m, a))
	if err != nil {
		return err
	}
	a.Needs = needs
	a = s.turn(u, a, a.State)
	for _, k := range candidates {
		k.ApprovalID = a.ID
		u.Candidates = append(u.Candidates, k)
	}
	_, _, name := m.Place()
	u.Events = append(u.Events, s.event(Call{}, "approval.escalate", im.Decision{WorkspaceID: a.WorkspaceID},
		im.Ref{Kind: im.KindApproval, ID: a.ID}, name, a.About, im.Text(strings.Join(a.EscalateTo, ", "))))
	return nil
}

// unanswered is where a relationship goes whose approval was not given: what waited to be made ends, and what was to be
// undone stands as before.
func unanswered(a im.Approval, r im.Relationship, ended im.RelationshipState) (to im.RelationshipState, moves bool) {
	switch {
	case r.State == im.PendingApproval:
		return ended, true
	case r.State == im.UndoPendingApproval && a.Action == authz.ActionUndo:
		return im.Active, true
	}
	return r.State, false
}

// move moves a relationship on without anybody's command; d is the decision on which it goes, where there is one.
func (s *Service) move(u *ledger.Unit, f RelationshipFacts, to im.RelationshipState, d im.Decision) im.Relationship {
	r := s.step(u, f.Relationship, to)
	u.Events = append(u.Events, s.event(Call{}, "relationship."+word(f.Relationship.State, to), im.Decision{ID: d.ID, WorkspaceID: r.WorkspaceID},
		im.Ref{Kind: im.KindRelationship, ID: r.ID}, f.TargetName, r.Target.ID, ""))
	return r
}

// takeEffect puts a relationship into effect whose cool-down is over, if policy, asked again, still lets it. Where policy
// wants agreements by now that nobody gave, they are asked for.
func (s *Service) takeEffect(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.RelationshipFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil || !f.Relationship.Due(s.o.Now()) {
		return err
	}
	r := review{s: s, ctx: ctx, u: u, f: ApprovalFacts{Subject: *f,
		Approval: im.Approval{Action: actionOf(f.Relationship.Kind), RequestedBy: f.Relationship.Requester()}}}
	as, err := s.store.ApprovalsOf(ctx, []im.ID{id})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(as[id], func(a im.Approval) bool { return a.State == im.ApprovalApproved }); i >= 0 { // the newest one
		given, err := s.store.ApprovalFacts(ctx, im.Viewer{}, as[id][i].ID)
		if err != nil || given == nil {
			return err
		}
		r.f = *given
	}
	m := &tie{s: s, f: r.f.Subject, a: r.f.Approval}
	r.m = m
	again, err := m.Again(ctx)
	if err != nil {
		return err
	}
	candidates, agreed, err := r.stillAgreed(&again, r.agreed())
	if err != nil {
		return err
	}
	u.Decisions = append(u.Decisions, again)
	switch {
	case again.Outcome == im.Deny:
		s.move(u, *f, im.Rejected, again)
	case !agreed:
		f.Relationship.Needs = again.Needs
		rel := s.move(u, *f, im.PendingApproval, again)
		s.ask(u, Call{Viewer: im.Viewer{Member: im.Member{ID: rel.Requester()}}}, r.f.Approval.Action, rel, again, candidates)
	default:
		f.Relationship.EffectiveAt = s.o.Now()
		s.carryOut(u, s.move(u, *f, im.Active, again), again.Obligations, m.told)
	}
	return nil
}

// word is the audit word for how a relationship came from one state into another.
func word(from, to im.RelationshipState) string {
	switch to {
	case im.Active:
		if from == im.UndoPendingApproval {
			return "keep"
		}
		return "activate"
	case im.Staged:
		return "stage"
	case im.PendingApproval:
		return "review"
	case im.Rejected:
		return "reject"
	case im.Cancelled:
		return "cancel"
	case im.Lifted:
		return "lift"
	case im.Undone:
		return "undo"
	}
	return "expire"
}
