package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// DecideBlacklist decides on so many blacklistings on a workspace as a whole, as a file asks for them. Faults, in this order:
// INVALID_INPUT, UNSUPPORTED_BY_PLATFORM; what policy says is in the decision, which is not written.
func (s *Service) DecideBlacklist(ctx context.Context, v im.Viewer, w im.Workspace, rows int) (d im.Decision, _ *fault.Error, err error) {
	switch {
	case v.IsService():
		return d, fault.New(fault.InvalidInput, "persons_only"), nil
	case s.o.Platforms.NoBulk(w):
		f := fault.New(fault.Unsupported, "unsupported_bulk")
		f.Workspace = w.ID
		return d, f, nil
	}
	// Who one is on a workspace is told by what stands between oneself and oneself.
	f, err := s.store.BlockFacts(ctx, s.query(v, BlockInput{Target: v.Ref(), Kind: im.Blacklist}))
	if err != nil {
		return d, nil, err
	}
	q := question{action: authz.ActionBulk, viewer: v, workspace: w, target: im.Ref{Kind: im.KindWorkspace, ID: w.ID},
		object: authz.Object{Type: authz.TypeBulk, Kind: string(im.Blacklist), Rows: rows}, lastHour: f.Blacklistings + rows, departments: f.Departments}
	for _, p := range f.Places {
		if p.Workspace.ID == w.ID {
			q.standing = p.Standing
		}
	}
	d, err = s.decide(ctx, q)
	return d, nil, err
}

// BlacklistRow is one blacklisting that a file asks for.
type BlacklistRow struct {
	Workspace, Contact im.ID
	Reason             im.Text
	ExpiresAt          time.Time
	Bulk               string // what policy said of the file as a whole (authz.BulkPlain …)
	Ahead              int    // how many others the caller blacklists in the same transaction
}

// BlacklistOutcome is what a row comes to. Nothing of it is written.
type BlacklistOutcome struct {
	Unit         ledger.Unit
	Relationship im.Ref // that it makes, or that stands there already
	Stands       bool   // already
	InReview     bool
	Fault        *fault.Error
}

// Blacklist works out what a row comes to, as Block does for one that a person asks for.
func (s *Service) Blacklist(ctx context.Context, v im.Viewer, row BlacklistRow) (out BlacklistOutcome, err error) {
	w, err := s.wish(ctx, Call{Viewer: v}, BlockInput{Target: im.Ref{Kind: im.KindContact, ID: row.Contact}, Kind: im.Blacklist, Source: im.FromImport,
		WorkspaceIDs: []im.ID{row.Workspace}, Reason: row.Reason, ExpiresAt: row.ExpiresAt, bulk: row.Bulk, ahead: row.Ahead})
	if err != nil {
		return out, err
	}
	if len(w.res.Faults) > 0 {
		out.Fault = w.res.Faults[0]
		if out.Fault.Key == conflictLive { // it is what was asked for, so nothing is to be decided
			return BlacklistOutcome{Relationship: out.Fault.About, Stands: true}, nil
		}
		out.Unit = w.u
		return out, nil
	}
	out.Unit, out.Relationship = w.u, im.Ref{Kind: im.KindRelationship, ID: w.res.Parts[0].Relationship.ID}
	out.InReview = w.res.Parts[0].Approval != nil
	return out, nil
}
