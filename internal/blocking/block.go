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

// BlockInput asks to keep somebody away: a block (单向屏蔽), an isolation (双向隔离), a blacklisting (黑名单) or a group
// block (群内屏蔽).
type BlockInput struct {
	Initiator    im.ID // zero: the caller
	Target       im.Ref
	Kind         im.RelationshipKind
	GroupID      im.ID                // of a group block
	Scope        im.RelationshipScope // empty: the platform's own
	Source       im.Source
	WorkspaceIDs []im.ID // empty: all that both are on
	Reason       im.Text
	ExpiresAt    time.Time
	DelegateID   im.ID // who takes over the approvals that it cuts
	Declared     bool  // only write down what a person did in the platform's own client

	bulk  string // it is part of a bulk (authz.BulkPlain …)
	ahead int    // so many others of the bulk are written with it
}

// Block makes a relationship on each workspace, as far as policy allows it there: ACTIVE at once, STAGED for a cool-down, or
// waiting for approval. Faults, in this order: INVALID_INPUT, NOT_FOUND, UNSUPPORTED_BY_PLATFORM, NOT_ENABLED, POLICY_DENIED, CONFLICT.
func (s *Service) Block(ctx context.Context, c Call, in BlockInput) (Result, error) {
	if res, refused, err := s.persons(ctx, c, actionOf(in.Kind), in.Target); refused || err != nil {
		return res, err
	}
	return s.run(ctx, "block", c, in, func(ctx context.Context) (Result, ledger.Unit, error) {
		w, err := s.wish(ctx, c, in)
		return w.res, w.u, err
	})
}

// wished is what a wish to keep somebody away comes to: what is answered, what is to be written, and what it was worked out from.
type wished struct {
	res   Result
	u     ledger.Unit
	facts BlockFacts
}

// wish works a wish out on each workspace.
func (s *Service) wish(ctx context.Context, c Call, in BlockInput) (w wished, err error) {
	fail := func(f *fault.Error) (wished, error) {
		w.res.Faults = []*fault.Error{f}
		return w, nil
	}
	if in.Initiator == c.Viewer.ID() {
		in.Initiator = im.ID{}
	}
	if f := s.checkBlock(c, in); f != nil {
		return fail(f)
	}
	q := s.query(c.Viewer, in)
	facts, err := s.store.BlockFacts(ctx, q)
	if err != nil {
		return w, err
	}
	return s.wishOn(ctx, c, in, q, facts)
}

// wishOn works a wish that was checked out on facts that were read.
func (s *Service) wishOn(ctx context.Context, c Call, in BlockInput, q BlockQuery, facts BlockFacts) (w wished, err error) {
	fail := func(f *fault.Error) (wished, error) {
		w.res.Faults = []*fault.Error{f}
		return w, nil
	}
	w.facts = facts
	if f := missing(in, w.facts); f != nil {
		w.facts = BlockFacts{} // what one sees of the rest of it is not to be told
		return fail(f)
	}
	places, f := pick(w.facts, in)
	if f != nil {
		return fail(f)
	}
	for _, p := range places {
		part, f, err := s.wishAt(ctx, &w.u, c, in, q, w.facts, p)
		if err != nil {
			return wished{}, err
		}
		if part != nil {
			w.res.Parts = append(w.res.Parts, *part)
		}
		if f != nil {
			w.res.Faults = append(w.res.Faults, f)
		}
	}
	return w, nil
}

// query asks for what a wish is decided on.
func (s *Service) query(v im.Viewer, in BlockInput) BlockQuery {
	return BlockQuery{Viewer: v, Initiator: in.Initiator, Target: in.Target, Kind: in.Kind, GroupID: in.GroupID, Delegate: in.DelegateID,
		Currency: s.o.Currency, Now: s.o.Now()}
}

// checkBlock checks what needs no facts.
func (s *Service) checkBlock(c Call, in BlockInput) *fault.Error {
	if f := checkText("reason", in.Reason, true); f != nil {
		return f
	}
	initiator := in.Initiator
	if initiator.IsZero() {
		initiator = c.Viewer.ID()
	}
	switch member := in.Target.Kind == im.KindMember; {
	case !in.ExpiresAt.IsZero() && !in.ExpiresAt.After(s.o.Now()):
		return fault.Input("expiresAt", "expiry_past")
	case in.Kind == im.Blacklist && in.Target.Kind != im.KindContact:
		return fault.Input("targetId", "blacklist_contact")
	case (in.Kind == im.Isolation || in.Kind == im.GroupBlock) && !member:
		return fault.Input("targetId", "members_only")
	case (in.Kind == im.GroupBlock) == in.GroupID.IsZero():
		return fault.Input("groupId", "group_block_group")
	case in.Kind == im.GroupBlock && in.Scope == im.WorkspaceScope:
		return fault.Input("scope", "group_block_scope")
	case in.bulk == "" && !in.Source.Nameable():
		return fault.Input("source", "source_ours")
	case !in.DelegateID.IsZero() && (in.DelegateID == initiator || in.DelegateID == in.Target.ID):
		return fault.Input("approvalDelegateId", "delegate_party")
	}
	for i, w := range in.WorkspaceIDs {
		if slices.Contains(in.WorkspaceIDs[:i], w) {
			return fault.Input("workspaceIds", "workspace_twice")
		}
	}
	return nil
}

// missing says what a wish names and the viewer does not see.
func missing(in BlockInput, f BlockFacts) *fault.Error {
	for _, n := range []struct {
		named     bool
		path, key string
	}{
		{!in.Initiator.IsZero() && f.Initiator == nil, "initiatorId", "not_found_member"},
		{!f.Found, "targetId", "not_found_target"},
		{!in.GroupID.IsZero() && f.Group == nil, "groupId", "not_found_group"},
		{!in.DelegateID.IsZero() && f.Delegate == nil, "approvalDelegateId", "not_found_member"},
	} {
		if n.named {
			miss := fault.New(fault.NotFound, n.key)
			miss.Path = []string{n.path}
			return miss
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
	e := s.o.Platforms.Enforcement(w, in.Kind, in.Target.Kind)
	switch {
	case in.Declared && (e == im.EnforcedNative || e == im.EnforcedEmulated):
		f = fault.Input("declaredOnly", "declared_carried_out")
	case e == im.EnforcedUnsupported:
		f = fault.New(fault.Unsupported, "unsupported")
	case !s.o.Platforms.Enabled(w, in.Kind, in.Target.Kind):
		f = fault.New(fault.NotEnabled, "not_enabled")
	default:
		return nil
	}
	f.Workspace = w.ID
	return f
}

// enforcement is how far a wish will be carried out on a workspace.
func (s *Service) enforcement(w im.Workspace, in BlockInput) im.Enforcement {
	if in.Declared {
		return im.EnforcedRecorded
	}
	return s.o.Platforms.Enforcement(w, in.Kind, in.Target.Kind)
}

// object is a wished relationship as policy sees it.
func (s *Service) object(v im.Viewer, in BlockInput, f BlockFacts, p Place) authz.Object {
	o := authz.Object{Type: string(in.Target.Kind), ID: in.Target.ID.String(), Relation: f.Relation, OwnsSharedGroup: f.OwnsSharedGroup,
		OtherDepartment: f.OtherDepartment, OpenValue: float64(f.OpenValue) / 100, OpenForeign: f.OpenForeign, Scope: string(in.Scope), Below: f.Below,
		ActorPlace: f.InitiatorPlace, Place: f.TargetPlace, Bulk: in.bulk}
	if f.Contact != nil {
		o.Importance, o.Verified, o.OwnDepartment = string(f.Contact.Importance), f.Contact.Verified, f.OwnDepartment
		o.OwnPool, o.Mine = f.OwnPool, f.Contact.OwnerID == v.ID()
	}
	if m := f.Initiator; m != nil {
		auditors := s.o.Policy.Engine().Implying(auditor)
		o.OnBehalf = true
		o.Initiator = authz.Initiator{ID: m.ID.String(), Relation: f.InitiatorRelation, Stands: f.InitiatorStands, Status: p.InitiatorStanding, Employment: string(m.Employment),
			Auditor: slices.ContainsFunc(m.Roles, func(r string) bool { return slices.Contains(auditors, r) })}
	}
	return o
}

// wishQuestion is whether the viewer may have a wished relationship on a workspace.
func (s *Service) wishQuestion(v im.Viewer, in BlockInput, f BlockFacts, p Place) question {
	q := question{action: actionOf(in.Kind), viewer: v, standing: p.Standing, workspace: p.Workspace, target: in.Target,
		object: s.object(v, in, f, p), recentBlocks: f.Blocks, departments: f.Departments}
	switch {
	case in.Kind == im.Block && in.Target.Kind == im.KindContact && in.bulk == "":
		q.recentBlocks++
	case in.Kind == im.Blacklist:
		q.lastHour = f.Blacklistings + in.ahead + 1
	}
	switch {
	case f.Contact != nil:
		q.home = f.Contact.Region
	case f.Member != nil:
		q.home = f.Member.Region
	}
	return q
}

// conflictLive is the fault of a wish for what stands there already.
const conflictLive = "conflict_live"

// atOnce is more than one person has commands under way at the same time.
const atOnce = 100

// counted is what must still be counted when the decision d of a question is written down; nil where it would be the same
// had the viewer done some more meanwhile.
func (s *Service) counted(ctx context.Context, q BlockQuery, f BlockFacts, asked question, d im.Decision) (*ledger.Counted, error) {
	if q.Kind != im.Block && q.Kind != im.Blacklist { // nobody counts the others
		return nil, nil
	}
	blocks, blacklistings := q.Counts()
	n := ledger.Counted{InitiatorID: asked.viewer.ID(), Kind: im.Block, Since: blocks, N: f.Blocks}
	asked.recentBlocks += atOnce
	if q.Kind == im.Blacklist {
		n.Kind, n.Since, n.N = im.Blacklist, blacklistings, f.Blacklistings
		asked.lastHour += atOnce
	}
	more, err := s.o.Policy.Engine().Decide(ctx, asked.request())
	if err != nil {
		return nil, err
	}
	if more.Outcome == d.Outcome && slices.Equal(more.Needs, d.Needs) && slices.Equal(more.Obligations, d.Obligations) {
		return nil, nil
	}
	return &n, nil
}

// owner is whose the target is, where it is a contact.
func (f BlockFacts) owner() (owner im.ID) {
	if f.Contact != nil {
		return f.Contact.OwnerID
	}
	return im.ID{}
}

// wishAt works a wish out on one workspace. Nil: it was not decided there, and the fault says why.
func (s *Service) wishAt(ctx context.Context, u *ledger.Unit, c Call, in BlockInput, q BlockQuery, facts BlockFacts, p Place) (*Part, *fault.Error, error) {
	if f := s.offered(p.Workspace, in); f != nil {
		return nil, f, nil
	}
	action := actionOf(in.Kind)
	asked := s.wishQuestion(c.Viewer, in, facts, p)
	d, err := s.decide(ctx, asked)
	if err != nil {
		return nil, nil, err
	}
	r := s.made(c.Viewer, in, d, p)
	if f := delegate(r, facts, p); f != nil && d.Outcome != im.Deny {
		return nil, f, nil
	}
	counted, err := s.counted(ctx, q, facts, asked, d)
	if err != nil {
		return nil, nil, err
	}
	risk := Risk{Level: im.RiskNone}
	if in.Source != im.FromImport { // nobody is shown that of a file's row
		if risk, err = s.weigh(ctx, asked); err != nil {
			return nil, nil, err
		}
	}
	part := &Part{WorkspaceID: p.Workspace.ID, Target: in.Target, Kind: in.Kind, Enforcement: r.Enforcement, Risk: risk}
	var candidates []im.Candidate
	if d.Outcome == im.Review {
		if d.Needs, candidates, err = s.resolve(ctx, d.Needs, approvers(r, facts.owner(), c.Viewer.ID())); err != nil {
			return nil, nil, err
		}
		r.Needs = d.Needs
	}
	part.Decision = d
	u.Decisions = append(u.Decisions, d)
	note := func(subject im.Ref) {
		u.Events = append(u.Events, s.event(c, action, d, subject, facts.Name, in.Target.ID, in.Reason))
	}
	if d.Outcome == im.Deny {
		note(in.Target)
		return part, denied(d), nil
	}
	if p.Live != nil {
		live := im.Ref{Kind: im.KindRelationship, ID: p.Live.ID}
		if p.Live.StateAt(s.o.Now()) != im.Expired {
			note(live)
			f := on(p.Workspace.ID, d, inTheWay(conflictLive, live))
			u.Events[len(u.Events)-1].Prevented = string(f.Code)
			return part, f, nil
		}
		if err := s.expire(ctx, u, p.Live.ID); err != nil { // makes room for its successor
			return nil, nil, err
		}
	}
	if d.Outcome == im.Review {
		r.State = im.PendingApproval
		part.Approval, part.Candidates = s.ask(u, c, action, r, d, candidates), candidates
	} else {
		told, err := s.tell(ctx, r, facts.owner(), c.Viewer.ID(), d.Obligations)
		if err != nil {
			return nil, nil, err
		}
		start(&r, d.Obligations, r.CreatedAt)
		s.carryOut(u, r, d.Obligations, told)
	}
	u.Counted = counted
	u.Relationships = append(u.Relationships, r)
	u.Changes = append(u.Changes, im.RelationshipChange(s.o.IDs.New(), r.CreatedAt, r, ""))
	note(im.Ref{Kind: im.KindRelationship, ID: r.ID})
	part.Relationship, part.Effective = &r, true
	return part, nil, nil
}

// made is the relationship that a wish makes by a decision, before it stands anywhere.
func (s *Service) made(v im.Viewer, in BlockInput, d im.Decision, p Place) im.Relationship {
	now := s.o.Now()
	r := im.Relationship{ID: s.o.IDs.New(), WorkspaceID: p.Workspace.ID, Kind: in.Kind, Version: 1, Scope: in.Scope, Source: in.Source,
		InitiatorID: v.ID(), Target: in.Target, GroupID: in.GroupID, Reason: in.Reason, CreatedAt: now, ExpiresAt: in.ExpiresAt,
		Enforcement: s.enforcement(p.Workspace, in), Undo: authz.UndoTerms(d.Obligations, now, p.Workspace.TimeZone), DecisionID: d.ID,
		Further: further(d.Obligations), Declared: in.Declared}
	if !in.Initiator.IsZero() {
		r.InitiatorID, r.RequestedBy = in.Initiator, v.ID()
	}
	switch {
	case r.Scope != "":
	case v.IsService(): // which meets nobody: whom it keeps away is kept from all
		r.Scope = im.WorkspaceScope
	default:
		r.Scope = im.InitiatorView
	}
	if cutsApprovals(r) {
		r.DelegateID = in.DelegateID
	}
	return r
}

// further is the channels that a decision closes besides those of the kind.
func further(o im.Obligations) (out []im.Reach) {
	add := func(c string, fromTarget bool) {
		e := im.Reach{Channel: im.Channel(c), FromTarget: fromTarget}
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	for _, c := range o.Args(authz.DutyCloses) {
		add(c, true)
	}
	for _, c := range o.Args(authz.DutyCuts) {
		add(c, true)
		add(c, false)
	}
	return out
}

// cutsApprovals reports whether requests between the two no longer reach who decides them.
func cutsApprovals(r im.Relationship) bool { return r.Stops(im.ApprovalFlow, true) }

// delegate checks who takes over the approvals that a wished relationship cuts.
func delegate(r im.Relationship, f BlockFacts, p Place) (miss *fault.Error) {
	switch {
	case !cutsApprovals(r):
		return nil
	case f.Delegate == nil:
		miss = fault.Input("approvalDelegateId", "delegate_required")
	case f.Delegate.Employment != im.Employed || p.DelegateStanding != string(im.AccountActive):
		miss = fault.Input("approvalDelegateId", "delegate_inactive")
	default:
		return nil
	}
	miss.Workspace = p.Workspace.ID
	return miss
}

// approvers asks who may agree to something about a relationship.
func approvers(r im.Relationship, owner, requester im.ID) ApproverQuery {
	return ApproverQuery{RequesterID: requester, InitiatorID: r.InitiatorID, TargetID: r.Target.ID, OwnerID: owner, GroupID: r.GroupID, WorkspaceID: r.WorkspaceID}
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

// tell works out whom policy wants to have told of a relationship.
func (s *Service) tell(ctx context.Context, r im.Relationship, owner, requester im.ID, o im.Obligations) ([]im.Notice, error) {
	return s.desk.Tell(ctx, o, string(r.Kind), approvers(r, owner, requester))
}

// carryOut adds what follows from a relationship that takes effect, or will after its cool-down: its intent once it does,
// and the alerts and notices that policy wants, while something can still be done.
func (s *Service) carryOut(u *ledger.Unit, r im.Relationship, o im.Obligations, told []im.Notice) {
	s.notify(u, r, told)
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

// notify adds notices of a relationship as it now stands. People hear of it while something can still be done, systems when it is so.
func (s *Service) notify(u *ledger.Unit, r im.Relationship, told []im.Notice) {
	now := s.o.Now()
	for _, n := range told {
		if n.Endpoint != "" && r.State == im.Staged {
			continue
		}
		n.ID, n.At, n.Subject = s.o.IDs.New(), now, im.Ref{Kind: im.KindRelationship, ID: r.ID}
		n.State, n.Version = r.State, r.Version
		u.Notices = append(u.Notices, n)
	}
}

// Duties are what this use-case fulfils of what policy may oblige to.
func Duties() []string {
	return []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyUndoTrace, authz.DutyAlert, authz.DutyNotify, authz.DutyExpire, authz.DutyEscalate, authz.DutyCooldown, authz.DutyCuts,
		authz.DutyCloses, authz.DutyRisk, authz.DutyRiskLevel}
}

// resolve turns needs into people. A need whose people are worked out from the facts and of whom there is none falls
// to an admin.
func (s *Service) resolve(ctx context.Context, needs []im.Need, q ApproverQuery) ([]im.Need, []im.Candidate, error) {
	return s.desk.Resolve(ctx, needs, q)
}

// Roles that the use-case itself knows.
const auditor = "auditor"

// ask opens an approval about a relationship.
func (s *Service) ask(u *ledger.Unit, c Call, action string, r im.Relationship, d im.Decision, candidates []im.Candidate) *im.Approval {
	return s.desk.Ask(u, im.Approval{Action: action, Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}, WorkspaceID: r.WorkspaceID,
		RequestedBy: c.Viewer.ID(), Reason: r.Reason, About: r.Target.ID, RequestHash: s.bind(action, r)}, d, candidates)
}

// bind is what an approval stands for: all of the request that decides what is carried out. The reason is not part
// of it, so that no trace of it is left when a person is erased.
func (s *Service) bind(action string, r im.Relationship) []byte {
	what := []string{action, r.ID.String(), r.WorkspaceID.String(), string(r.Kind), string(r.Scope),
		r.InitiatorID.String(), string(r.Target.Kind), r.Target.ID.String(), r.GroupID.String(), r.ExpiresAt.UTC().Format(time.RFC3339Nano)}
	if !r.DelegateID.IsZero() { // left out where there is none, as requests of earlier versions have it
		what = append(what, r.DelegateID.String())
	}
	if r.Declared {
		what = append(what, "declared")
	}
	return s.store.Fingerprint([]byte(strings.Join(what, "|")))
}
