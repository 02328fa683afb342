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

// BlockInput asks for a block (单向屏蔽) or a blacklisting (黑名单).
type BlockInput struct {
	Initiator    im.ID // zero: the caller
	Target       im.Ref
	Kind         im.RelationshipKind
	Scope        im.RelationshipScope // empty: the platform's own
	Source       im.Source
	WorkspaceIDs []im.ID // empty: all that both are on
	Reason       im.Text
	ExpiresAt    time.Time
}

// Block makes a relationship on each workspace, as far as policy allows it there: ACTIVE at once, STAGED for a cool-down, or
// waiting for approval. Faults, in this order: INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM, NOT_ENABLED, POLICY_DENIED, CONFLICT.
func (s *Service) Block(ctx context.Context, c Call, in BlockInput) (Result, error) {
	if res, refused, err := s.persons(ctx, c, actionOf(in.Kind), in.Target); refused || err != nil {
		return res, err
	}
	return s.run(ctx, "block", c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		fail := func(f *fault.Error) (Result, ledger.Unit, error) {
			return Result{Faults: []*fault.Error{f}}, ledger.Unit{}, nil
		}
		if f := s.checkBlock(in); f != nil {
			return fail(f)
		}
		q := BlockQuery{Viewer: c.Viewer, Target: in.Target, Kind: in.Kind, Currency: s.o.Currency, Now: s.o.Now()}
		if in.Initiator != c.Viewer.ID() {
			q.Initiator = in.Initiator
		}
		facts, err := s.store.BlockFacts(ctx, q)
		if err != nil {
			return res, u, err
		}
		if !q.Initiator.IsZero() && !facts.Initiator {
			f := fault.New(fault.NotFound, "not_found_member")
			f.Path = []string{"initiatorId"}
			return fail(f)
		}
		if facts.Member == nil && facts.Contact == nil {
			f := fault.New(fault.NotFound, "not_found_target")
			f.Path = []string{"targetId"}
			return fail(f)
		}
		places, f := pick(facts, in)
		if f != nil {
			return fail(f)
		}
		for _, p := range places {
			if f := s.offered(p.Workspace, in); f != nil {
				res.Faults = append(res.Faults, f)
				continue
			}
			part, f, err := s.blockAt(ctx, &u, c, in, q, facts, p)
			if err != nil {
				return Result{}, u, err
			}
			res.Parts = append(res.Parts, part)
			if f != nil {
				res.Faults = append(res.Faults, f)
			}
		}
		return res, u, nil
	})
}

// checkBlock checks what needs no facts.
func (s *Service) checkBlock(in BlockInput) *fault.Error {
	if f := checkText("reason", in.Reason, true); f != nil {
		return f
	}
	if !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(s.o.Now()) {
		return fault.Input("expiresAt", "expiry_past")
	}
	if in.Kind == im.Blacklist && in.Target.Kind != im.KindContact {
		return fault.Input("targetId", "blacklist_contact")
	}
	for i, w := range in.WorkspaceIDs {
		if slices.Contains(in.WorkspaceIDs[:i], w) {
			return fault.Input("workspaceIds", "workspace_twice")
		}
	}
	return nil
}

// pick chooses the workspaces to act on.
func pick(f BlockFacts, in BlockInput) ([]Place, *fault.Error) {
	if len(f.Places) == 0 {
		return nil, fault.Input("targetId", "no_common_account")
	}
	if len(in.WorkspaceIDs) == 0 {
		return f.Places, nil
	}
	var out []Place
	for _, id := range in.WorkspaceIDs {
		i := slices.IndexFunc(f.Places, func(p Place) bool { return p.Workspace.ID == id })
		if i < 0 {
			return nil, fault.Input("workspaceIds", "not_on_workspace")
		}
		out = append(out, f.Places[i])
	}
	return out, nil
}

// offered checks that there is such a thing on a workspace at all: what there is not is not for policy to decide.
func (s *Service) offered(w im.Workspace, in BlockInput) (f *fault.Error) {
	switch {
	case s.o.Platforms.Enforcement(w, in.Kind, in.Target.Kind) == im.EnforcedUnsupported:
		f = fault.New(fault.Unsupported, "unsupported")
	case !s.o.Platforms.Enabled(w, in.Kind, in.Target.Kind):
		f = fault.New(fault.NotEnabled, "not_enabled")
	default:
		return nil
	}
	f.Workspace = w.ID
	return f
}

// wish is a wished relationship as policy sees it.
func wish(in BlockInput, viewer im.ID, f BlockFacts) authz.Object {
	o := authz.Object{Type: string(in.Target.Kind), ID: in.Target.ID.String(), Relation: f.Relation, OwnsSharedGroup: f.OwnsSharedGroup,
		OpenValue: float64(f.OpenValue) / 100, Scope: string(in.Scope), Below: f.Below, OnBehalf: !in.Initiator.IsZero() && in.Initiator != viewer}
	if f.Contact != nil {
		o.Importance, o.Verified, o.OwnDepartment = string(f.Contact.Importance), f.Contact.Verified, f.OwnDepartment
		o.OwnPool, o.Mine = f.OwnPool, f.Contact.OwnerID == viewer
	}
	return o
}

// wishQuestion is whether the viewer may have a wished relationship on a workspace.
func wishQuestion(v im.Viewer, in BlockInput, f BlockFacts, p Place) question {
	q := question{action: actionOf(in.Kind), viewer: v, standing: p.Standing, workspace: p.Workspace, target: in.Target,
		object: wish(in, v.ID(), f), recentBlocks: f.Blocks, departments: f.Departments}
	switch {
	case in.Kind == im.Block && in.Target.Kind == im.KindContact:
		q.recentBlocks++
	case in.Kind == im.Blacklist:
		q.lastHour = f.Blacklistings + 1
	}
	switch {
	case f.Contact != nil:
		q.home = f.Contact.Region
	case f.Member != nil:
		q.home = f.Member.Region
	}
	return q
}

// atOnce is more than one person has commands under way at the same time.
const atOnce = 100

// counted is what must still be counted when the decision d of a question is written down; nil where it would be the same
// had the viewer done some more meanwhile.
func (s *Service) counted(ctx context.Context, q BlockQuery, f BlockFacts, asked question, d im.Decision) (*ledger.Counted, error) {
	blocks, blacklistings := q.Counts()
	n := ledger.Counted{InitiatorID: asked.viewer.ID(), Kind: im.Block, Since: blocks, N: f.Blocks}
	asked.recentBlocks += atOnce
	if q.Kind == im.Blacklist {
		n.Kind, n.Since, n.N = im.Blacklist, blacklistings, f.Blacklistings
		asked.lastHour += atOnce
	}
	more, err := s.o.Policy.Engine().Decide(ctx, asked.request())
	if err != nil {
		return nil, fault.Wrap(err, "decide "+asked.action)
	}
	if more.Outcome == d.Outcome && slices.Equal(more.Needs, d.Needs) && slices.Equal(more.Obligations, d.Obligations) {
		return nil, nil
	}
	return &n, nil
}

// target is the other party's name and, of a contact, its owner.
func (f BlockFacts) target() (name string, owner im.ID) {
	if f.Contact != nil {
		return f.Contact.Name, f.Contact.OwnerID
	}
	return f.Member.Name, im.ID{}
}

// blockAt works the block out on one workspace.
func (s *Service) blockAt(ctx context.Context, u *ledger.Unit, c Call, in BlockInput, q BlockQuery, facts BlockFacts, p Place) (Part, *fault.Error, error) {
	name, owner := facts.target()
	action := actionOf(in.Kind)
	asked := wishQuestion(c.Viewer, in, facts, p)
	d, err := s.decide(ctx, asked)
	if err != nil {
		return Part{}, nil, err
	}
	counted, err := s.counted(ctx, q, facts, asked, d)
	if err != nil {
		return Part{}, nil, err
	}
	part := Part{WorkspaceID: p.Workspace.ID, Target: in.Target, Kind: in.Kind,
		Enforcement: s.o.Platforms.Enforcement(p.Workspace, in.Kind, in.Target.Kind)}
	var candidates []im.Candidate
	if d.Outcome == im.Review {
		d.Needs, candidates, err = s.resolve(ctx, d.Needs, ApproverQuery{RequesterID: c.Viewer.ID(), TargetID: in.Target.ID,
			OwnerID: owner, WorkspaceID: p.Workspace.ID})
		if err != nil {
			return Part{}, nil, err
		}
	}
	part.Decision = d
	u.Decisions = append(u.Decisions, d)
	if d.Outcome == im.Deny {
		u.Events = append(u.Events, s.event(c, action, d, in.Target, name, in.Target.ID, in.Reason))
		return part, denied(d), nil
	}
	now := s.o.Now()
	if p.Live != nil {
		if p.Live.StateAt(now) != im.Expired {
			u.Events = append(u.Events, s.event(c, action, d, im.Ref{Kind: im.KindRelationship, ID: p.Live.ID}, name, in.Target.ID, in.Reason))
			return part, on(p.Workspace.ID, d, inTheWay("conflict_live", im.Ref{Kind: im.KindRelationship, ID: p.Live.ID})), nil
		}
		if err := s.expire(ctx, u, p.Live.ID); err != nil { // makes room for its successor
			return Part{}, nil, err
		}
	}
	r := im.Relationship{ID: s.o.IDs.New(), WorkspaceID: p.Workspace.ID, Kind: in.Kind, Version: 1, Scope: in.Scope,
		Source: in.Source, InitiatorID: c.Viewer.ID(), Target: in.Target, Reason: in.Reason, CreatedAt: now,
		ExpiresAt: in.ExpiresAt, Enforcement: part.Enforcement, Undo: authz.UndoTerms(d.Obligations, now, p.Workspace.TimeZone), DecisionID: d.ID, Needs: d.Needs}
	if r.Scope == "" {
		r.Scope = im.InitiatorView
	}
	if d.Outcome == im.Review {
		r.State = im.PendingApproval
		part.Approval = s.ask(u, c, action, r, d, candidates)
	} else {
		start(&r, d.Obligations, now)
		s.carryOut(u, r, d.Obligations)
	}
	u.Counted = counted
	u.Relationships = append(u.Relationships, r)
	u.Changes = append(u.Changes, im.RelationshipChange(s.o.IDs.New(), now, r, ""))
	u.Events = append(u.Events, s.event(c, action, d, im.Ref{Kind: im.KindRelationship, ID: r.ID}, name, in.Target.ID, in.Reason))
	part.Relationship, part.Effective = &r, true
	return part, nil, nil
}

// start puts a relationship that policy lets be where it goes: into effect at once, or into a cool-down, of which one is
// enough.
func start(r *im.Relationship, o im.Obligations, now time.Time) {
	wait, cooled := o.AtLeast(authz.DutyCooldown), !r.EffectiveAt.IsZero()
	r.State, r.EffectiveAt = im.Active, now
	if wait > 0 && !cooled {
		r.State, r.EffectiveAt = im.Staged, now.Add(wait)
	}
}

// carryOut adds what follows from a relationship that takes effect, or will after its cool-down: its intent once it does,
// and the alerts that policy wants, while something can still be done.
func (s *Service) carryOut(u *ledger.Unit, r im.Relationship, o im.Obligations) {
	if r.State.InEffect() {
		s.intend(u, actionOf(r.Kind), r)
	}
	for _, kind := range o.Args(authz.DutyAlert) {
		a := im.Alert{ID: s.o.IDs.New(), Kind: im.AlertKind(kind), Severity: im.RiskHigh, At: s.o.Now(), PersonID: r.InitiatorID,
			Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}}
		if r.Target.Kind == im.KindContact {
			a.ContactID = r.Target.ID
		}
		u.Alerts = append(u.Alerts, a)
	}
}

// Duties are what this use-case fulfils of what policy may oblige to.
func Duties() []string {
	return []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyUndoTrace, authz.DutyAlert, authz.DutyExpire, authz.DutyCooldown}
}

// resolve turns needs into people. A need whose people are worked out from the facts and of whom there is none falls
// to an admin.
func (s *Service) resolve(ctx context.Context, needs []im.Need, q ApproverQuery) ([]im.Need, []im.Candidate, error) {
	q.Roles = map[string][]string{admin: s.o.Policy.Engine().Implying(admin)}
	for _, n := range needs {
		q.Roles[n.Role] = s.implying(n.Role)
	}
	q.Managers, q.Limit = s.o.Policy.Engine().Implying(deptManager), candidatesMax
	people, err := s.store.Approvers(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	out := slices.Clone(needs)
	for i, n := range out {
		if workedOut(n.Role) && len(people[n.Role]) == 0 {
			out[i].Role = admin
		}
	}
	out = merge(out)
	var candidates []im.Candidate
	for _, n := range out {
		for _, id := range people[n.Role] {
			candidates = append(candidates, im.Candidate{MemberID: id, Role: n.Role})
		}
	}
	return out, candidates, nil
}

// Roles that the use-case itself knows.
const (
	admin       = "admin"
	deptManager = "dept_manager"
)

// candidatesMax bounds the people who are kept for one need.
const candidatesMax = 500

// workedOut reports whether the people of a role follow from the facts.
func workedOut(role string) bool {
	return role == im.ManagerOfActor || role == im.OwnerDeptManager || role == im.GroupOwner
}

func (s *Service) implying(role string) []string {
	if workedOut(role) {
		return nil
	}
	return s.o.Policy.Engine().Implying(role)
}

// reviewTime is how long an approval waits where policy says nothing.
const reviewTime = 72 * time.Hour

// ask opens an approval about a relationship.
func (s *Service) ask(u *ledger.Unit, c Call, action string, r im.Relationship, d im.Decision, candidates []im.Candidate) *im.Approval {
	now := s.o.Now()
	wait, said := d.Obligations.Within(authz.DutyExpire)
	if !said {
		wait = reviewTime
	}
	a := im.Approval{ID: s.o.IDs.New(), Action: action, Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}, WorkspaceID: r.WorkspaceID,
		RequestedBy: c.Viewer.ID(), Reason: r.Reason, About: r.Target.ID, RequestHash: s.bind(action, r), Needs: d.Needs, DecisionID: d.ID,
		State: im.ApprovalPending, Version: 1, CreatedAt: now, ExpiresAt: now.Add(wait)}
	u.Approvals = append(u.Approvals, a)
	u.Changes = append(u.Changes, im.ApprovalChange(s.o.IDs.New(), now, a, ""))
	for _, k := range candidates {
		k.ApprovalID = a.ID
		u.Candidates = append(u.Candidates, k)
	}
	return &a
}

// bind is what an approval stands for: all of the request that decides what is carried out. The reason is not part
// of it, so that no trace of it is left when a person is erased.
func (s *Service) bind(action string, r im.Relationship) []byte {
	return s.store.Fingerprint([]byte(strings.Join([]string{action, r.ID.String(), r.WorkspaceID.String(), string(r.Kind), string(r.Scope),
		r.InitiatorID.String(), string(r.Target.Kind), r.Target.ID.String(), r.GroupID.String(), r.ExpiresAt.UTC().Format(time.RFC3339Nano)}, "|")))
}
