package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// FileQuery asks for a decision on the blacklistings of a file as a whole.
type FileQuery struct {
	Viewer    im.Viewer
	Workspace im.Workspace
	Rows      int
	Import    im.ID     // which is made of it
	At        time.Time // of the request: what the viewer did of late is of late then
	Gone      bool      // who asked has left meanwhile, and has no standing anywhere (C-04)
}

// DecideFile decides on so many blacklistings on a workspace as a whole, as a file asks for them. Faults, in this order:
// INVALID_INPUT, UNSUPPORTED_BY_PLATFORM; what policy says is in the decision, which is not written.
func (s *Service) DecideFile(ctx context.Context, f FileQuery) (d im.Decision, _ *fault.Error, err error) {
	switch {
	case f.Viewer.IsService():
		return d, fault.New(fault.InvalidInput, "persons_only"), nil
	case s.o.Platforms.NoBulk(f.Workspace):
		miss := fault.New(fault.Unsupported, "unsupported_bulk")
		miss.Workspace = f.Workspace.ID
		return d, miss, nil
	}
	facts, standing, err := s.standing(ctx, f.Viewer, f.Workspace.ID, &im.Relationship{ID: f.Import, CreatedAt: f.At})
	if err != nil {
		return d, nil, err
	}
	q := question{action: authz.ActionBulk, viewer: f.Viewer, workspace: f.Workspace, target: im.Ref{Kind: im.KindWorkspace, ID: f.Workspace.ID},
		object:   authz.Object{Type: authz.TypeBulk, Kind: string(im.Blacklist), Rows: f.Rows},
		lastHour: facts.Blacklistings + f.Rows, departments: facts.Departments}
	if !f.Gone {
		q.standing = standing
	}
	d, err = s.decide(ctx, q)
	return d, nil, err
}

// Standing is how a viewer stands on a workspace (im.Account.Standing).
func (s *Service) Standing(ctx context.Context, v im.Viewer, workspace im.ID) (string, error) {
	_, standing, err := s.standing(ctx, v, workspace, nil)
	return standing, err
}

// standing reads who a viewer is on a workspace: that is told by what stands between oneself and oneself.
func (s *Service) standing(ctx context.Context, v im.Viewer, workspace im.ID, asked *im.Relationship) (f BlockFacts, standing string, err error) {
	q := s.query(v, BlockInput{Target: v.Ref(), Kind: im.Blacklist})
	q.Made = asked
	f, err = s.store.BlockFacts(ctx, q)
	for _, p := range f.Places {
		if p.Workspace.ID == workspace {
			standing = p.Standing
		}
	}
	return f, standing, err
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
