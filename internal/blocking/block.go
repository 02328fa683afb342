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

// Block makes a relationship on each workspace, as far as policy allows it there: ACTIVE at once, or waiting for
// approval. Faults, in this order: INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM, NOT_ENABLED, POLICY_DENIED, CONFLICT.
func (s *Service) Block(ctx context.Context, c Call, in BlockInput) (Result, error) {
	return s.run(ctx, "block", c, in, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		fail := func(f *fault.Error) (Result, ledger.Unit, error) {
			return Result{Faults: []*fault.Error{f}}, ledger.Unit{}, nil
		}
		if f := s.checkBlock(in); f != nil {
			return fail(f)
		}
		q := BlockQuery{Viewer: c.Viewer, Target: in.Target, Kind: in.Kind, Currency: s.o.Currency}
		if in.Initiator != c.Viewer.Member.ID {
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
			part, f, err := s.blockAt(ctx, &u, c, in, facts, p)
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
		OpenValue: float64(f.OpenValue) / 100, Scope: string(in.Scope), OnBehalf: !in.Initiator.IsZero() && in.Initiator != viewer}
	if f.Contact != nil {
		o.Importance, o.Verified, o.OwnDepartment = string(f.Contact.Importance), f.Contact.Verified, f.OwnDepartment
	}
	return o
}

// target is the other party's name and, of a contact, its owner.
func (f BlockFacts) target() (name string, owner im.ID) {
	if f.Contact != nil {
		return f.Contact.Name, f.Contact.OwnerID
	}
	return f.Member.Name, im.ID{}
}

// blockAt works the block out on one workspace.
func (s *Service) blockAt(ctx context.Context, u *ledger.Unit, c Call, in BlockInput, facts BlockFacts, p Place) (Part, *fault.Error, error) {
	name, owner := facts.target()
	action := actionOf(in.Kind)
	d, err := s.decide(ctx, question{action: action, viewer: c.Viewer, standing: p.Standing, workspace: p.Workspace,
		target: in.Target, object: wish(in, c.Viewer.Member.ID, facts)})
	if err != nil {
		return Part{}, nil, err
	}
	part := Part{WorkspaceID: p.Workspace.ID, Target: in.Target, Kind: in.Kind,
		Enforcement: s.o.Platforms.Enforcement(p.Workspace, in.Kind, in.Target.Kind)}
	var candidates []im.Candidate
	if d.Outcome == im.Review {
		d.Needs, candidates, err = s.resolve(ctx, d.Needs, ApproverQuery{RequesterID: c.Viewer.Member.ID, TargetID: in.Target.ID,
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
	r := im.Relationship{ID: s.o.IDs.New(), WorkspaceID: p.Workspace.ID, Kind: in.Kind, State: im.Active, Version: 1, Scope: in.Scope,
		Source: in.Source, InitiatorID: c.Viewer.Member.ID, Target: in.Target, Reason: in.Reason, CreatedAt: now, EffectiveAt: now,
		ExpiresAt: in.ExpiresAt, Enforcement: part.Enforcement, Undo: undoTerms(d.Obligations, now, p.Workspace), DecisionID: d.ID, Needs: d.Needs}
	if r.Scope == "" {
		r.Scope = im.InitiatorView
	}
	if d.Outcome == im.Review {
		r.State, r.EffectiveAt = im.PendingApproval, time.Time{}
		part.Approval = s.ask(u, c, action, r, d, candidates)
	} else {
		s.carryOut(u, r, d, owner, in.Target)
	}
	u.Relationships = append(u.Relationships, r)
	u.Changes = append(u.Changes, s.change(r, ""))
	u.Events = append(u.Events, s.event(c, action, d, im.Ref{Kind: im.KindRelationship, ID: r.ID}, name, in.Target.ID, in.Reason))
	part.Relationship, part.Effective = &r, true
	return part, nil, nil
}

// carryOut adds what follows from a block that takes effect: its intent, and the alerts that policy wants.
func (s *Service) carryOut(u *ledger.Unit, r im.Relationship, d im.Decision, owner im.ID, target im.Ref) {
	s.intend(u, actionOf(r.Kind), r)
	for _, kind := range d.Obligations.Args(authz.DutyAlert) {
		a := im.Alert{ID: s.o.IDs.New(), Kind: im.AlertKind(kind), Severity: im.RiskHigh, At: s.o.Now(), PersonID: r.InitiatorID,
			Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}}
		if target.Kind == im.KindContact {
			a.ContactID = target.ID
		}
		u.Alerts = append(u.Alerts, a)
	}
}

// undoTerms freezes the terms on which a relationship can be taken back, as the duties of its decision say: of several
// windows the one that closes first, and everybody whom any of them asks.
func undoTerms(o im.Obligations, at time.Time, w im.Workspace) im.UndoTerms {
	windows := o.Args(authz.DutyUndo)
	t := im.UndoTerms{Allowed: len(windows) > 0, Trace: true, Review: strings.Join(o.Args(authz.DutyUndoReview), "+")}
	for _, window := range windows {
		if window == authz.UndoAnyTime {
			continue
		}
		if end := closes(window, at, w); t.Until.IsZero() || end.Before(t.Until) {
			t.Until = end
		}
	}
	return t
}

// closes is the end of an undo window: a duration after at, or the end of that day on the workspace.
func closes(window string, at time.Time, w im.Workspace) time.Time {
	if d, err := time.ParseDuration(window); err == nil {
		return at.Add(d)
	}
	loc, err := time.LoadLocation(w.TimeZone) // same_day: policy refuses to load another word
	if err != nil {
		loc = time.UTC
	}
	y, m, day := at.In(loc).Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, loc).UTC()
}

// Duties are what this use-case fulfils of what policy may oblige to.
func Duties() []string {
	return []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyAlert, authz.DutyExpire}
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
		RequestedBy: c.Viewer.Member.ID, Reason: r.Reason, About: r.Target.ID, RequestHash: s.bind(action, r), Needs: d.Needs, DecisionID: d.ID,
		State: im.ApprovalPending, Version: 1, CreatedAt: now, ExpiresAt: now.Add(wait)}
	u.Approvals = append(u.Approvals, a)
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
