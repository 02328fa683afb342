package blocking

import (
	"context"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// LiftInput asks to end a relationship in the ordinary way.
type LiftInput struct {
	RelationshipID im.ID
	Reason         im.Text
}

// Lift ends a relationship, or cancels one that waits. What had to be reviewed is lifted by the same review. Faults,
// in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED, INVALID_TRANSITION, CONFLICT.
func (s *Service) Lift(ctx context.Context, c Call, in LiftInput) (Result, error) {
	return s.run(ctx, "lift", c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
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
		d, err := s.decideLift(ctx, c.Viewer, *f)
		if err != nil {
			return res, u, err
		}
		var candidates []im.Candidate
		if d.Outcome == im.Review {
			d.Needs, candidates, err = s.resolve(ctx, asMade(d.Needs, r), ApproverQuery{RequesterID: c.Viewer.Member.ID, TargetID: r.Target.ID,
				OwnerID: f.OwnerID, WorkspaceID: r.WorkspaceID})
			if err != nil {
				return res, u, err
			}
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.event(c, authz.ActionLift, d, ref, f.TargetName, r.Target.ID, in.Reason))
		part := Part{WorkspaceID: r.WorkspaceID, Decision: d, Relationship: &r, Target: r.Target, Kind: r.Kind, Enforcement: r.Enforcement}
		refuse := func(f *fault.Error) (Result, ledger.Unit, error) {
			return Result{Parts: []Part{part}, Faults: []*fault.Error{f}}, u, nil
		}
		state := r.StateAt(s.o.Now())
		switch {
		case d.Outcome == im.Deny:
			return refuse(denied(d))
		case !state.Live():
			return refuse(on(r.WorkspaceID, d, fault.New(fault.InvalidTransition, "transition_lift", string(state))))
		case d.Outcome == im.Review && f.Pending != nil:
			return refuse(on(r.WorkspaceID, d, inTheWay("conflict_review", im.Ref{Kind: im.KindApproval, ID: f.Pending.ID})))
		case d.Outcome == im.Review:
			asked := r
			asked.Reason = in.Reason
			part.Approval = s.ask(&u, c, authz.ActionLift, asked, d, candidates)
		case state == im.Active:
			r = s.step(&u, r, im.Lifted)
			s.intend(&u, authz.ActionLift, r)
			s.withdraw(&u, f.Pending)
		default:
			r = s.step(&u, r, im.Cancelled)
			s.withdraw(&u, f.Pending)
		}
		return Result{Parts: []Part{part}}, u, nil
	})
}

// withdraw cancels the approval that waits on what just ended, if any.
func (s *Service) withdraw(u *ledger.Unit, a *im.Approval) {
	if a != nil {
		s.settle(u, *a, im.ApprovalCancelled)
	}
}

// decideLift asks policy whether the viewer may end the relationship.
func (s *Service) decideLift(ctx context.Context, v im.Viewer, f RelationshipFacts) (im.Decision, error) {
	r := f.Relationship
	state := r.StateAt(s.o.Now())
	return s.decide(ctx, question{action: authz.ActionLift, viewer: v, standing: f.Standing, workspace: f.Workspace,
		target: im.Ref{Kind: im.KindRelationship, ID: r.ID},
		object: authz.Object{Type: authz.TypeRelationship, ID: r.ID.String(), Kind: string(r.Kind), Mine: r.InitiatorID == v.Member.ID,
			Pending: state == im.PendingApproval || state == im.Staged, Reviewed: len(r.Needs) > 0}})
}

// asMade puts the needs on which a relationship was made in the place of the term for them.
func asMade(needs []im.Need, r im.Relationship) []im.Need {
	var out []im.Need
	for _, n := range needs {
		if n.Role == im.AsMade {
			out = append(out, r.Needs...)
		} else {
			out = append(out, n)
		}
	}
	return merge(out)
}

// ExpireDue ends what ran out, so that the trail and subscribers hear of it; nobody had to wait for it, as every read
// judges expiry by itself. It answers how many it ended.
func (s *Service) ExpireDue(ctx context.Context) (int, error) {
	const batch = 100
	n := 0
	for {
		rels, approvals, err := s.store.Due(ctx, s.o.Now(), batch)
		if err != nil {
			return n, err
		}
		for _, id := range rels {
			if err := s.sweep(ctx, func(u *ledger.Unit) error { return s.expire(ctx, u, id) }); err != nil {
				return n, err
			}
			n++
		}
		for _, id := range approvals {
			if err := s.sweep(ctx, func(u *ledger.Unit) error { return s.expireApproval(ctx, u, id) }); err != nil {
				return n, err
			}
			n++
		}
		if len(rels) < batch && len(approvals) < batch {
			return n, nil
		}
	}
}

// sweep posts one ending. Somebody else who was faster has done it.
func (s *Service) sweep(ctx context.Context, work func(*ledger.Unit) error) error {
	var u ledger.Unit
	if err := work(&u); err != nil || len(u.Events) == 0 {
		return err
	}
	switch err := s.store.Post(ctx, u); err {
	case nil:
		s.o.Wake()
		return nil
	case ledger.ErrStale:
		return nil
	default:
		return err
	}
}

// expire ends a relationship whose time ran out, with the approval that waits on it.
func (s *Service) expire(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.RelationshipFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil {
		return err
	}
	if r := f.Relationship; r.State.Live() && r.StateAt(s.o.Now()) == im.Expired {
		s.endByItself(u, *f, im.Expired)
		if f.Pending != nil {
			s.settle(u, *f.Pending, im.ApprovalExpired)
		}
	}
	return nil
}

// expireApproval ends an approval whose time ran out: a block that waited for it is rejected, a lift stays undone.
func (s *Service) expireApproval(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.store.ApprovalFacts(ctx, im.Viewer{}, id)
	if err != nil || f == nil || f.Approval.State != im.ApprovalPending {
		return err
	}
	a := s.settle(u, f.Approval, im.ApprovalExpired)
	u.Events = append(u.Events, s.event(Call{}, "approval.expire", im.Decision{WorkspaceID: a.WorkspaceID},
		im.Ref{Kind: im.KindApproval, ID: a.ID}, f.Subject.TargetName, a.About, ""))
	if f.Subject.Relationship.State == im.PendingApproval {
		s.endByItself(u, f.Subject, im.Rejected)
	}
	return nil
}

// endByItself ends a relationship without anybody's command.
func (s *Service) endByItself(u *ledger.Unit, f RelationshipFacts, to im.RelationshipState) {
	r := s.step(u, f.Relationship, to)
	u.Events = append(u.Events, s.event(Call{}, "relationship."+word(to), im.Decision{WorkspaceID: r.WorkspaceID},
		im.Ref{Kind: im.KindRelationship, ID: r.ID}, f.TargetName, r.Target.ID, ""))
}

// word is the audit word for how a relationship came into a state.
func word(to im.RelationshipState) string {
	switch to {
	case im.Active:
		return "activate"
	case im.Rejected:
		return "reject"
	case im.Cancelled:
		return "cancel"
	case im.Lifted:
		return "lift"
	}
	return "expire"
}
