package blocking

import (
	"context"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// NoteInput is one person's taking note of an alert.
type NoteInput struct {
	AlertID im.ID
	Comment im.Text
}

// AcknowledgeAlert takes note of an alert. Of one that somebody has taken note of nothing changes, and the trail names him who
// did so again. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED.
func (s *Service) AcknowledgeAlert(ctx context.Context, c Call, in NoteInput) (Result, error) {
	return s.run(ctx, authz.ActionAcknowledgeAlert, c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := checkText("comment", in.Comment, false); f != nil {
			return Result{Faults: []*fault.Error{f}}, u, nil
		}
		found, err := s.store.Alerts(ctx, c.Viewer, []im.ID{in.AlertID})
		if err != nil {
			return res, u, err
		}
		a, ok := found[in.AlertID]
		if !ok {
			miss := fault.New(fault.NotFound, "not_found_alert")
			miss.Path = []string{"alertId"}
			return Result{Faults: []*fault.Error{miss}}, u, nil
		}
		var about RelationshipFacts // what raised it, where that is a relationship
		if a.Subject.Kind == im.KindRelationship {
			f, err := s.store.RelationshipFacts(ctx, im.Viewer{}, a.Subject.ID)
			if err != nil {
				return res, u, err
			}
			if f != nil {
				about = *f
			}
		}
		ref := im.Ref{Kind: im.KindAlert, ID: a.ID}
		// An alert is the gateway's own: no workspace is touched, so that no account there is asked for.
		d, err := s.decide(ctx, question{action: authz.ActionAcknowledgeAlert, viewer: c.Viewer, standing: c.Viewer.Standing(), target: ref,
			object: authz.Object{Type: authz.TypeAlert, ID: a.ID.String()}})
		if err != nil {
			return res, u, err
		}
		d.WorkspaceID = about.Workspace.ID
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.event(c, "alert.acknowledge", d, ref, about.TargetName, about.Relationship.Target.ID, in.Comment))
		part := Part{WorkspaceID: d.WorkspaceID, Decision: d, Alert: &a}
		if d.Outcome != im.Allow {
			return Result{Parts: []Part{part}, Faults: []*fault.Error{denied(d)}}, u, nil
		}
		if a.AcknowledgedAt.IsZero() {
			a.AcknowledgedBy, a.AcknowledgedAt = c.Viewer.Member.ID, s.o.Now()
			u.Acknowledged = append(u.Acknowledged, a)
		}
		return Result{Parts: []Part{part}}, u, nil
	})
}
