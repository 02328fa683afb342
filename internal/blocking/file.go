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
	if s.o.Platforms.NoBulk(f.Workspace) {
		miss := fault.New(fault.Unsupported, "unsupported_bulk")
		miss.Workspace = f.Workspace.ID
		return d, miss, nil
	}
	var facts BlockFacts
	var standing string
	asked := &im.Relationship{ID: f.Import, CreatedAt: f.At}
	if f.Viewer.IsService() { // which has an account nowhere
		_, facts, err = s.store.ContactFacts(ctx, ContactsQuery{Viewer: f.Viewer, WorkspaceID: f.Workspace.ID, Now: s.o.Now(), Late: true, Made: asked})
	} else {
		facts, standing, err = s.standing(ctx, f.Viewer, f.Workspace.ID, asked)
	}
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

// ContactsQuery asks for what blacklistings of these contacts of a workspace are decided on.
type ContactsQuery struct {
	Viewer      im.Viewer
	WorkspaceID im.ID
	Contacts    []im.ID
	Currency    string // the company's own
	Now         time.Time
	Late        bool // read what the viewer has done of late and where he is, too
	// Made is what is decided again, as of BlockQuery; nil: nothing is.
	Made *im.Relationship
}

// FileRows are the blacklistings that a file asks for, batch by batch, with what they are decided on. What the one who asks has done
// of late is counted once and with each that is made: to count tens of thousands again for each batch would take longer than all the
// rest. Where a decision hangs on the count, the count is made again when it is written.
type FileRows struct {
	s         *Service
	workspace im.ID
	viewer    im.Viewer
	facts     map[im.ID]BlockFacts // of the batch
	late      *BlockFacts          // what was done of late before the batch; nil: not counted yet
	made      int                  // in the batch
}

// FileRows begins the blacklistings of a file on a workspace.
func (s *Service) FileRows(workspace im.ID) *FileRows { return &FileRows{s: s, workspace: workspace} }

// Forget drops what is remembered of batches that were written, after one that was not.
func (f *FileRows) Forget() { f.late, f.made = nil, 0 }

// Read reads what the blacklistings of some contacts are decided on, for the next batch; the one before it was written.
func (f *FileRows) Read(ctx context.Context, v im.Viewer, contacts []im.ID) (err error) {
	f.viewer = v
	q := ContactsQuery{Viewer: v, WorkspaceID: f.workspace, Contacts: contacts, Currency: f.s.o.Currency, Now: f.s.o.Now(), Late: f.late == nil}
	if len(contacts) == 0 {
		f.facts = nil
		return nil
	}
	facts, late, err := f.s.store.ContactFacts(ctx, q)
	if err != nil {
		return err
	}
	if f.facts = facts; q.Late {
		f.late = &late
	}
	f.late.Blacklistings += f.made
	f.made = 0
	for id, x := range facts {
		x.Blocks, x.Blacklistings, x.Departments = f.late.Blocks, f.late.Blacklistings, f.late.Departments
		facts[id] = x
	}
	return nil
}

// Sees reports whether a contact was read for the batch: whether there is one that the viewer sees.
func (f *FileRows) Sees(contact im.ID) bool { return f.facts[contact].Found }

// BlacklistRow is one blacklisting that a file asks for.
type BlacklistRow struct {
	Target    im.Ref
	Reason    im.Text
	ExpiresAt time.Time
	Bulk      string // authz.BulkPlain …
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
func (f *FileRows) Blacklist(ctx context.Context, row BlacklistRow) (out BlacklistOutcome, err error) {
	c, in := Call{Viewer: f.viewer}, BlockInput{Target: row.Target, Kind: im.Blacklist, Source: im.FromImport, WorkspaceIDs: []im.ID{f.workspace},
		Reason: row.Reason, ExpiresAt: row.ExpiresAt, bulk: row.Bulk, ahead: f.made}
	if row.Target.Kind == im.KindMember {
		return f.colleague(ctx, c, in)
	}
	if out.Fault = f.s.checkBlock(c, in); out.Fault != nil {
		return out, nil
	}
	w, err := f.s.wishOn(ctx, c, in, f.s.query(f.viewer, in), f.facts[row.Target.ID])
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
	f.made++
	return out, nil
}

// colleague refuses a row that names somebody of the company, by the rule that says so where there is one: a file that names one's
// superior is told of (C-01).
func (f *FileRows) colleague(ctx context.Context, c Call, in BlockInput) (out BlacklistOutcome, err error) {
	facts, err := f.s.store.BlockFacts(ctx, f.s.query(f.viewer, in))
	if err != nil {
		return out, err
	}
	if out.Fault = missing(in, facts); out.Fault != nil {
		return out, nil
	}
	places, miss := pick(facts, in)
	if out.Fault = miss; miss != nil {
		return out, nil
	}
	d, err := f.s.decide(ctx, f.s.wishQuestion(f.viewer, in, facts, places[0]))
	if err != nil {
		return out, err
	}
	if d.Outcome != im.Deny || len(d.Rules) == 0 { // there is no such thing, whatever a company allows
		out.Fault = fault.Input("targetId", "blacklist_contact")
		return out, nil
	}
	out.Unit = ledger.Unit{Decisions: []im.Decision{d},
		Events: []im.AuditEvent{f.s.event(c, authz.ActionBlacklist, d, in.Target, facts.Name, in.Target.ID, in.Reason)}}
	out.Fault = denied(d)
	return out, nil
}
