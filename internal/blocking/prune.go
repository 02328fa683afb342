package blocking

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// PruneMost is how many relationships one transaction removes.
const PruneMost = 512

// pruneDaysMax is a century, which no clock runs out of.
const pruneDaysMax = 36500

// PruneInput asks to remove blacklistings whose time ran out.
type PruneInput struct {
	WorkspaceID im.ID // zero: of all
	Days        int   // since their time ran out, at least
	DryRun      bool  // count them and change nothing
}

// Pruned is what came of it.
type Pruned struct {
	Result
	Removed int  `json:"removed"`        // of a dry run: that would be, up to page.CountMax
	More    bool `json:"more,omitempty"` // there are others: it goes on where it is asked for again
}

// PruneQuery asks for blacklistings that have expired and that nothing is still to be done about: no platform, person or system
// waits to be told.
type PruneQuery struct {
	WorkspaceID im.ID // zero: of all
	Before      time.Time
	Limit       int
}

// Prune removes blacklistings whose time ran out (REQUIREMENTS R-059), the oldest [PruneMost] in one transaction. With each go
// who was told of it and what became of that; the trail, decisions, approvals and what an import said of its rows stay. Whoever
// could see one hears that it is gone. A dry run writes nothing. Faults, in this order: INVALID_INPUT, NOT_FOUND,
// POLICY_DENIED, APPROVAL_REQUIRED.
func (s *Service) Prune(ctx context.Context, c Call, in PruneInput) (Pruned, error) {
	failed := func(f *fault.Error) Pruned { return Pruned{Result: Result{Faults: []*fault.Error{f}}} }
	if in.Days < 0 || in.Days > pruneDaysMax {
		return failed(fault.Input("days", "prune_days", strconv.Itoa(pruneDaysMax))), nil
	}
	if !in.WorkspaceID.IsZero() {
		all, err := s.store.Workspaces(ctx)
		if err != nil {
			return Pruned{}, err
		}
		if !slices.ContainsFunc(all, func(w im.Workspace) bool { return w.ID == in.WorkspaceID }) {
			return failed(command.Missing("workspaceId", "not_found_workspace")), nil
		}
	}
	plan := func(ctx context.Context) (p Pruned, u ledger.Unit, err error) {
		q := question{action: authz.ActionPrune, viewer: c.Viewer, standing: c.Viewer.Standing(), // on no workspace in particular
			object: authz.Object{Type: authz.TypeRelationship, Kind: string(im.Blacklist)}}
		if !in.WorkspaceID.IsZero() {
			q.target = im.Ref{Kind: im.KindWorkspace, ID: in.WorkspaceID}
		}
		d, err := s.decide(ctx, q)
		if err != nil {
			return p, u, err
		}
		p.Decision = &d
		switch d.Outcome {
		case im.Deny:
			p.Faults = []*fault.Error{denied(d)}
		case im.Review: // what is to be removed by then is not what was agreed to
			p.Faults = []*fault.Error{on(in.WorkspaceID, d, fault.New(fault.ApprovalRequired, "prune_review"))}
		}
		query := PruneQuery{WorkspaceID: in.WorkspaceID, Before: s.o.Now().AddDate(0, 0, -in.Days), Limit: PruneMost}
		switch {
		case in.DryRun && len(p.Faults) == 0:
			p.Removed, err = s.store.CountExpired(ctx, query)
			return p, u, err
		case in.DryRun:
			return p, u, nil
		case len(p.Faults) == 0:
			if p.Removed, p.More, err = s.prune(ctx, &u, query); err != nil {
				return p, u, err
			}
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.pruned(c, d, in.WorkspaceID, query, u.Pruned))
		return p, u, nil
	}
	if in.DryRun {
		p, _, err := plan(ctx)
		return p, err
	}
	return command.Run(ctx, s.desk, authz.ActionPrune, c, in, command.Answers[Pruned]{Failed: failed,
		Revive: func(context.Context, *Pruned) error { return nil }}, plan)
}

// PruneDue removes all blacklistings that ran out before a moment, as the settings have it, and answers how many there were.
// What was begun and cut off goes on with the next.
func (s *Service) PruneDue(ctx context.Context, before time.Time) (n int, err error) {
	for more := true; more; {
		removed := 0
		err := s.sweep(ctx, func(u *ledger.Unit) (err error) {
			q := PruneQuery{Before: before, Limit: PruneMost}
			if removed, more, err = s.prune(ctx, u, q); err != nil || removed == 0 {
				return err
			}
			u.Events = append(u.Events, s.pruned(Call{}, im.Decision{}, im.ID{}, q, u.Pruned))
			return nil
		})
		if err != nil {
			return n, err
		}
		n += removed
	}
	return n, nil
}

// prune puts one transaction's worth into the unit.
func (s *Service) prune(ctx context.Context, u *ledger.Unit, q PruneQuery) (n int, more bool, err error) {
	q.Limit++ // one more shows that there is more
	expired, err := s.store.Expired(ctx, q)
	if err != nil {
		return 0, false, err
	}
	if more = len(expired) == q.Limit; more {
		expired = expired[:q.Limit-1]
	}
	for _, r := range expired {
		u.Pruned = append(u.Pruned, r.ID)
		c := im.RelationshipChange(s.o.IDs.New(), s.o.Now(), r, r.State)
		c.What = im.Removed
		u.Changes = append(u.Changes, c)
	}
	return len(expired), more, nil
}

// pruned is the line of the trail: which ones, so that what is no longer there is known to have been removed.
func (s *Service) pruned(c Call, d im.Decision, workspace im.ID, q PruneQuery, ids []im.ID) im.AuditEvent {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = nodeid.Encode(im.KindRelationship, id)
	}
	detail, err := json.Marshal(map[string]any{"removed": len(ids), "expiredBefore": q.Before.UTC(), "relationships": names})
	if err != nil { // there is nothing in it that could not be written
		panic(err)
	}
	subject := im.Ref{}
	if !workspace.IsZero() {
		subject = im.Ref{Kind: im.KindWorkspace, ID: workspace}
	}
	d.WorkspaceID = workspace
	return s.event(c, "blacklist.prune", d, subject, "", im.Company, im.Text(detail))
}
