package view

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// some is a text that may be missing.
func some[S ~string](s S) *S {
	if s == "" {
		return nil
	}
	return &s
}

// at is a moment that may be missing.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list keeps a list that must not be null from being nil.
func list[T any](l []T, err error) ([]T, error) {
	if l == nil {
		l = []T{}
	}
	return l, err
}

// Relationship is a relationship as clients see it.
type Relationship struct {
	b   *Batch
	row im.Relationship
	now time.Time
}

// Relationship presents a relationship.
func (b *Batch) Relationship(r im.Relationship) *Relationship {
	return show(b, &b.shown.relationships, &Relationship{b, r, b.src.Blocking.Now()})
}

// The methods of Relationship are the fields of the schema.
func (*Relationship) IsNode()                        {}
func (r *Relationship) key() im.ID                   { return r.row.ID }
func (r *Relationship) ID() string                   { return id(im.KindRelationship, r.row.ID) }
func (r *Relationship) Kind() model.RelationshipKind { return model.RelationshipKind(r.row.Kind) }
func (r *Relationship) State() model.RelationshipState {
	return model.RelationshipState(r.row.StateAt(r.now))
}
func (r *Relationship) Version() int                   { return r.row.Version }
func (r *Relationship) Scope() model.RelationshipScope { return model.RelationshipScope(r.row.Scope) }
func (r *Relationship) Source() model.RelationshipSource {
	return model.RelationshipSource(r.row.Source)
}
func (r *Relationship) DeclaredOnly() bool    { return r.row.Declared }
func (r *Relationship) Reason() string        { return string(r.row.Reason) }
func (r *Relationship) CreatedAt() time.Time  { return r.row.CreatedAt }
func (r *Relationship) ExpiresAt() *time.Time { return at(r.row.ExpiresAt) }

func (r *Relationship) EffectiveAt() *time.Time {
	if r.row.State == im.PendingApproval { // it has cooled down, and waits for people who are asked since
		return nil
	}
	return at(r.row.EffectiveAt)
}

func (r *Relationship) EndedAt() *time.Time {
	if r.row.EndedAt.IsZero() && r.row.StateAt(r.now) == im.Expired {
		return at(r.row.ExpiresAt)
	}
	return at(r.row.EndedAt)
}

func (r *Relationship) Workspace(ctx context.Context) (*Workspace, error) {
	return r.b.workspace(ctx, r.row.WorkspaceID)
}
func (r *Relationship) Initiator(ctx context.Context) (*Member, error) {
	return to(ctx, r.b, "Relationship.initiator", &r.b.shown.relationships, members, r, func(r *Relationship) im.ID { return r.row.InitiatorID })
}

// Service is the name of the initiator where that is no person.
func (r *Relationship) Service(ctx context.Context) (*string, error) {
	v, err := to(ctx, r.b, "Relationship.service", &r.b.shown.relationships, services, r, func(r *Relationship) im.ID { return r.row.InitiatorID })
	if err != nil || v.Name == "" {
		return nil, err
	}
	return &v.Name, nil
}

// Target is whom it is aimed at.
func (r *Relationship) Target(ctx context.Context) (BlockTarget, error) {
	n := next(r.b, "Relationship.target", &r.b.shown.relationships, func(n *Batch, r *Relationship) {
		switch at := r.row.Target.ID; {
		case r.row.TargetMember != nil:
			n.members.give(at, func() *Member { return n.seenMember(r.row.TargetMember) })
		case r.row.TargetContact != nil:
			n.contacts.give(at, func() *ExternalContact { return n.seenContact(r.row.TargetContact) })
		default:
			n.announceNode(r.row.Target)
		}
	})
	return n.target(ctx, r.row.Target)
}
func (r *Relationship) Group(ctx context.Context) (*Group, error) {
	return to(ctx, r.b, "Relationship.group", &r.b.shown.relationships, groups, r, func(r *Relationship) im.ID { return r.row.GroupID })
}
func (r *Relationship) RequestedBy(ctx context.Context) (*Member, error) {
	return to(ctx, r.b, "Relationship.requestedBy", &r.b.shown.relationships, members, r, func(r *Relationship) im.ID { return r.row.Requester() })
}
func (r *Relationship) ApprovalDelegate(ctx context.Context) (*Member, error) {
	return to(ctx, r.b, "Relationship.approvalDelegate", &r.b.shown.relationships, members, r, func(r *Relationship) im.ID { return r.row.DelegateID })
}
func (r *Relationship) Decision(ctx context.Context) (*Decision, error) {
	return to(ctx, r.b, "Relationship.decision", &r.b.shown.relationships, decisions, r, func(r *Relationship) im.ID { return r.row.DecisionID })
}
func (r *Relationship) Approvals(ctx context.Context) ([]*Approval, error) {
	return list(to(ctx, r.b, "Relationship.approvals", &r.b.shown.relationships, approvalsOf, r, func(r *Relationship) im.ID { return r.row.ID }))
}

func (r *Relationship) Undo() *model.UndoTerms { return undoTerms(r.row) }

// Enforcement of what could not be carried out is that of a record: a failed effect never looks like a real one.
func (r *Relationship) Enforcement(ctx context.Context) (model.Enforcement, error) {
	failed, err := r.failed(ctx)
	if failed {
		return model.EnforcementRecorded, err
	}
	return model.Enforcement(r.row.Enforcement), err
}

// failed reports whether the platform was to make it happen, and did not.
func (r *Relationship) failed(ctx context.Context) (bool, error) {
	if r.row.Kind != im.Blacklist { // nothing else has intents of that kind
		return false, nil
	}
	d, err := r.b.deliveries.get(ctx, r.row.ID)
	return d.State == im.DeliveryFailed && d.Kind == im.IntentBlacklist, err
}

func (r *Relationship) Delivery(ctx context.Context) (*model.Delivery, error) {
	d, err := r.b.deliveries.get(ctx, r.row.ID)
	if d.State == "" { // no intent yet: it waits, or it was refused
		d.State = im.DeliveryNotNeeded
	}
	return r.b.delivery(d), err
}

// delivery shows how far something has come that is sent.
func (b *Batch) delivery(d im.Delivery) *model.Delivery {
	out := &model.Delivery{State: model.DeliveryState(d.State), Attempts: d.Attempts, LastErrorCode: some(d.LastErrorCode),
		VendorRef: some(d.VendorRef), SettledAt: at(d.SettledAt)}
	if d.LastErrorCode != "" {
		text := (&fault.Error{Key: "delivery_" + d.LastErrorCode}).Text(b.lang)
		out.LastError = &text
	}
	return out
}

// Notices says who was told of it.
func (r *Relationship) Notices(ctx context.Context) ([]*model.Notice, error) {
	ns, err := r.b.notices.get(ctx, r.row.ID)
	return All(ns, func(n im.Notice) *model.Notice {
		if n.Endpoint == "" {
			n.Delivery = im.Delivery{State: im.DeliveryNotNeeded, SettledAt: n.At}
		}
		return &model.Notice{To: n.To, Channel: n.Channel(), Purpose: n.Purpose, At: n.At, Delivery: r.b.delivery(n.Delivery)}
	}), err
}

func (r *Relationship) Effects(ctx context.Context) ([]*Effect, error) {
	failed, err := r.failed(ctx)
	if err != nil {
		return nil, err
	}
	return r.b.effects(ctx, r.row, failed)
}

// NotRestored says of each thing that an undo could not put back why.
func (r *Relationship) NotRestored(ctx context.Context) ([]string, error) {
	items, err := r.b.shortfalls.get(ctx, r.row.ID)
	return All(items, func(s im.Shortfall) string {
		return (&fault.Error{Key: "short_" + strings.ToLower(s.Code), Args: []string{s.What}}).Text(r.b.lang)
	}), err
}

// undoTerms presents the terms of a relationship.
func undoTerms(r im.Relationship) *model.UndoTerms {
	return &model.UndoTerms{Allowed: r.Undo.Allowed, Until: at(r.Undo.Until), ApproverRoles: roles(authz.Approvers(r.Undo.Review)), LeavesTrace: r.Undo.Trace}
}

// Effect is one channel in one direction.
type Effect struct {
	b           *Batch
	reach       im.Reach
	from, to    im.Ref
	enforcement im.Enforcement
	note        string
}

// effects are what a relationship does, or would do; failed says that the platform did not let it happen.
func (b *Batch) effects(ctx context.Context, r im.Relationship, failed bool) ([]*Effect, error) {
	w, err := b.workspace(ctx, r.WorkspaceID)
	if err != nil || w == nil {
		return nil, err
	}
	me, note := im.Ref{Kind: im.KindMember, ID: r.InitiatorID}, b.src.Platforms.Note(w.row, r.Kind, r.Target.Kind)
	out := []*Effect{}
	for _, reach := range r.Effects() {
		x := &Effect{b, reach, me, r.Target, b.src.Platforms.ChannelEnforcement(w.row, r, reach.Channel), note}
		if failed {
			x.enforcement = im.EnforcedRecorded
		}
		if reach.FromTarget {
			x.from, x.to = r.Target, me
		}
		out = append(out, x)
	}
	return out, nil
}

// The methods of Effect are the fields of the schema.
func (e *Effect) Channel() model.Channel                        { return model.Channel(e.reach.Channel) }
func (e *Effect) Allowed() bool                                 { return e.reach.Allowed }
func (e *Effect) Enforcement() model.Enforcement                { return model.Enforcement(e.enforcement) }
func (e *Effect) Note() *string                                 { return some(e.note) }
func (e *Effect) From(ctx context.Context) (BlockTarget, error) { return e.end(ctx, e.from) }
func (e *Effect) To(ctx context.Context) (BlockTarget, error)   { return e.end(ctx, e.to) }

// end presents one of the two; both ends of all effects come by one load.
func (e *Effect) end(ctx context.Context, r im.Ref) (BlockTarget, error) {
	n := next(e.b, "Effect", &e.b.shown.relationships, func(n *Batch, r *Relationship) {
		n.members.announce(r.row.InitiatorID)
		n.announceNode(r.row.Target)
	})
	return n.target(ctx, r)
}

// PolicyRule is a policy line as clients see it.
type PolicyRule struct {
	b    *Batch
	ref  im.RuleRef
	text string
}

func (b *Batch) ruleNode(ctx context.Context, rid im.ID) (*PolicyRule, error) {
	if !b.readsPolicy() {
		return nil, nil
	}
	r, ok, err := b.src.Rules(ctx, rid)
	if !ok || err != nil {
		return nil, err
	}
	return b.rule(r), nil
}

func (b *Batch) rule(r authz.Rule) *PolicyRule { return &PolicyRule{b: b, ref: r.Ref(), text: r.Text} }

// readsPolicy reports whether the viewer may read the files.
func (b *Batch) readsPolicy() bool { return b.viewer.Scopes[im.KindRule].Has(im.ScopeAll) }

// The methods of PolicyRule are the fields of the schema.
func (*PolicyRule) IsNode()         {}
func (r *PolicyRule) ID() string    { return id(im.KindRule, r.ref.ID) }
func (r *PolicyRule) Name() string  { return r.ref.Name }
func (r *PolicyRule) File() *string { return some(r.ref.File) }
func (r *PolicyRule) Line() *int    { return &r.ref.Line }

func (r *PolicyRule) Text(ctx context.Context) (*string, error) {
	if r.text != "" || !r.b.readsPolicy() {
		return some(r.text), nil
	}
	full, _, err := r.b.src.Rules(ctx, r.ref.ID)
	return some(full.Text), err
}

// Approval is an approval as clients see it.
type Approval struct {
	b   *Batch
	row im.Approval
	now time.Time
}

// Approval presents an approval.
func (b *Batch) Approval(a im.Approval) *Approval {
	b.verdicts.announce(a.ID)
	b.candidates.announce(a.ID)
	return show(b, &b.shown.approvals, &Approval{b, a, b.src.Blocking.Now()})
}

// The methods of Approval are the fields of the schema.
func (*Approval) IsNode()                      {}
func (a *Approval) ID() string                 { return id(im.KindApproval, a.row.ID) }
func (a *Approval) Action() string             { return a.row.Action }
func (a *Approval) Reason() string             { return string(a.row.Reason) }
func (a *Approval) State() model.ApprovalState { return model.ApprovalState(a.row.StateAt(a.now)) }
func (a *Approval) CreatedAt() time.Time       { return a.row.CreatedAt }
func (a *Approval) ExpiresAt() *time.Time      { return at(a.row.ExpiresAt) }
func (a *Approval) EscalatesAt() *time.Time    { return at(a.row.EscalatesAt) }
func (a *Approval) EscalatedAt() *time.Time    { return at(a.row.EscalatedAt) }
func (a *Approval) EscalatesTo() []string      { return append([]string{}, a.row.EscalateTo...) }
func (a *Approval) ApproverRoles() []string    { return roles(a.row.Needs) }
func (a *Approval) Subject(ctx context.Context) (Node, error) {
	of := func(kind im.Kind) func(*Approval) im.ID {
		return func(a *Approval) (id im.ID) {
			if a.row.Subject.Kind == kind {
				id = a.row.Subject.ID
			}
			return id
		}
	}
	switch a.row.Subject.Kind {
	case im.KindAccount:
		return node(to(ctx, a.b, "Approval.account", &a.b.shown.approvals, accountsByID, a, of(im.KindAccount)))
	case im.KindImport:
		return importNode(to(ctx, a.b, "Approval.import", &a.b.shown.approvals, importsByID, a, of(im.KindImport)))
	case im.KindIdentity:
		return node(to(ctx, a.b, "Approval.identity", &a.b.shown.approvals, identitiesByID, a, of(im.KindIdentity)))
	}
	return node(to(ctx, a.b, "Approval.subject", &a.b.shown.approvals, subjects, a, func(a *Approval) im.ID { return a.row.Subject.ID }))
}
func (a *Approval) RequestedBy(ctx context.Context) (*Member, error) {
	return to(ctx, a.b, "Approval.requestedBy", &a.b.shown.approvals, members, a, func(a *Approval) im.ID { return a.row.RequestedBy })
}
func (a *Approval) Decision(ctx context.Context) (*Decision, error) {
	return to(ctx, a.b, "Approval.decision", &a.b.shown.approvals, decisions, a, func(a *Approval) im.ID { return a.row.DecisionID })
}
func (a *Approval) FinalDecision(ctx context.Context) (*Decision, error) {
	return to(ctx, a.b, "Approval.finalDecision", &a.b.shown.approvals, decisions, a, func(a *Approval) im.ID { return a.row.FinalDecisionID })
}
func (a *Approval) Needs(ctx context.Context) ([]*ApprovalNeed, error) {
	return a.b.needs(ctx, a.row.ID, a.row.Needs)
}

// Summary names the people as far as the caller may see them.
func (a *Approval) Summary(ctx context.Context) (string, error) {
	n := next(a.b, "Approval.summary", &a.b.shown.approvals, func(n *Batch, a *Approval) {
		n.members.announce(a.row.RequestedBy, a.row.About) // it is about one of the two
		n.contacts.announce(a.row.About)
		n.decisions.announce(a.row.DecisionID)
	})
	who, err := n.members.get(ctx, a.row.RequestedBy)
	if err != nil {
		return "", err
	}
	whom, err := n.party(ctx, im.Ref{Kind: im.KindMember, ID: a.row.About})
	if err == nil && whom == nil {
		whom, err = n.party(ctx, im.Ref{Kind: im.KindContact, ID: a.row.About})
	}
	if err != nil {
		return "", err
	}
	switch {
	case a.row.Subject.Kind == im.KindImport:
		w, err := a.b.workspace(ctx, a.row.WorkspaceID)
		if err != nil || w == nil {
			return "", err
		}
		return summary(a.b.lang, a.row.Action, name(who), w.Name()), nil
	case a.row.Action == authz.ActionSetAccountStatus:
		w, err := a.b.workspace(ctx, a.row.WorkspaceID)
		if err != nil || w == nil {
			return "", err
		}
		d, err := n.decisions.get(ctx, a.row.DecisionID)
		if err != nil || d == nil {
			return "", err
		}
		return statusSummary(a.b.lang, im.AccountStatus(d.row.Facts["r.obj.To"]), name(who), name(whom), w.Name()), nil
	}
	return summary(a.b.lang, a.row.Action, name(who), name(whom)), nil
}

func (a *Approval) Verdicts(ctx context.Context) ([]*ApprovalVerdict, error) {
	vs, err := a.b.verdicts.get(ctx, a.row.ID)
	return All(vs, func(v im.Verdict) *ApprovalVerdict { return &ApprovalVerdict{a.b, v} }), err
}

// ApprovalVerdict is a verdict as clients see it.
type ApprovalVerdict struct {
	b   *Batch
	row im.Verdict
}

// The methods of ApprovalVerdict are the fields of the schema.
func (v *ApprovalVerdict) Approved() bool   { return v.row.Approved }
func (v *ApprovalVerdict) Comment() *string { return some(string(v.row.Comment)) }
func (v *ApprovalVerdict) At() time.Time    { return v.row.At }
func (v *ApprovalVerdict) By(ctx context.Context) (*Member, error) {
	n := next(v.b, "ApprovalVerdict.by", &v.b.shown.approvals, func(*Batch, *Approval) {})
	v.b.verdicts.each(func(vs []im.Verdict) {
		for _, v := range vs {
			n.members.announce(v.ByID)
		}
	})
	return n.members.get(ctx, v.row.ByID)
}

// AuditEvent is a line of the trail as clients see it.
type AuditEvent struct {
	b   *Batch
	row im.AuditEvent
}

// AuditEvent presents a line of the trail.
func (b *Batch) AuditEvent(e im.AuditEvent) *AuditEvent {
	return show(b, &b.shown.events, &AuditEvent{b, e})
}

// The methods of AuditEvent are the fields of the schema.
func (*AuditEvent) IsNode()                 {}
func (e *AuditEvent) ID() string            { return id(im.KindAudit, e.row.ID) }
func (e *AuditEvent) At() time.Time         { return e.row.At }
func (e *AuditEvent) ActorName() string     { return e.row.ActorName }
func (e *AuditEvent) Action() string        { return e.row.Action }
func (e *AuditEvent) SubjectName() *string  { return some(e.row.SubjectName) }
func (e *AuditEvent) DecisionID() *string   { return some(id(im.KindDecision, e.row.DecisionID)) }
func (e *AuditEvent) RequestID() *string    { return some(e.row.RequestID) }
func (e *AuditEvent) Detail() string        { return string(e.row.Detail) }
func (e *AuditEvent) Hash() *string         { return some(hex.EncodeToString(e.row.Hash)) }
func (e *AuditEvent) PreviousHash() *string { return some(hex.EncodeToString(e.row.Previous)) }
func (e *AuditEvent) Actor(ctx context.Context) (Party, error) {
	n := next(e.b, "AuditEvent.actor", &e.b.shown.events, func(n *Batch, e *AuditEvent) { n.announceNode(e.row.Actor) })
	return n.party(ctx, e.row.Actor)
}
func (e *AuditEvent) Subject(ctx context.Context) (Node, error) {
	n := next(e.b, "AuditEvent.subject", &e.b.shown.events, func(n *Batch, e *AuditEvent) { n.announceNode(e.row.Subject) })
	return n.Node(ctx, e.row.Subject)
}
func (e *AuditEvent) Workspace(ctx context.Context) (*Workspace, error) {
	return e.b.workspace(ctx, e.row.WorkspaceID)
}
func (e *AuditEvent) Decision(ctx context.Context) (*Decision, error) {
	return to(ctx, e.b, "AuditEvent.decision", &e.b.shown.events, decisions, e, func(e *AuditEvent) im.ID { return e.row.DecisionID })
}

func (e *AuditEvent) Outcome() *model.Outcome {
	if e.row.Outcome == "" {
		return nil
	}
	o := model.Outcome(e.row.Outcome)
	return &o
}

func (e *AuditEvent) Prevented() *model.ErrorCode { return some(model.ErrorCode(e.row.Prevented)) }

func (e *AuditEvent) Sequence() *int64 {
	if e.row.Sequence == 0 {
		return nil
	}
	return &e.row.Sequence
}

// Alert is an alert as clients see it.
type Alert struct {
	b   *Batch
	row im.Alert
}

// Alert presents an alert.
func (b *Batch) Alert(a im.Alert) *Alert {
	return show(b, &b.shown.alerts, &Alert{b, a})
}

// The methods of Alert are the fields of the schema.
func (*Alert) IsNode()                      {}
func (a *Alert) ID() string                 { return id(im.KindAlert, a.row.ID) }
func (a *Alert) Kind() model.AlertKind      { return model.AlertKind(a.row.Kind) }
func (a *Alert) Severity() model.RiskLevel  { return model.RiskLevel(a.row.Severity) }
func (a *Alert) Title() string              { return title(a.b.lang, a.row.Kind) }
func (a *Alert) At() time.Time              { return a.row.At }
func (a *Alert) AcknowledgedAt() *time.Time { return at(a.row.AcknowledgedAt) }
func (a *Alert) AcknowledgedBy(ctx context.Context) (*Member, error) {
	return to(ctx, a.b, "Alert.acknowledgedBy", &a.b.shown.alerts, members, a, func(a *Alert) im.ID { return a.row.AcknowledgedBy })
}

// Detail names the contact as far as the caller may see it, and who did it only to those who may see what was done.
func (a *Alert) Detail(ctx context.Context) (string, error) {
	n := next(a.b, "Alert.detail", &a.b.shown.alerts, func(n *Batch, a *Alert) {
		n.members.announce(a.row.PersonID)
		n.contacts.announce(a.row.ContactID)
		n.announceNode(a.row.Subject)
	})
	who, err := n.members.get(ctx, a.row.PersonID)
	if err != nil {
		return "", err
	}
	whom, err := n.contacts.get(ctx, a.row.ContactID)
	if err != nil {
		return "", err
	}
	deed, err := n.Node(ctx, a.row.Subject)
	if err != nil {
		return "", err
	}
	if deed == nil {
		who = nil
	}
	return detail(a.b.lang, a.row.Kind, name(who), name(whom)), nil
}
func (a *Alert) Subject(ctx context.Context) (Node, error) {
	n := next(a.b, "Alert.subject", &a.b.shown.alerts, func(n *Batch, a *Alert) { n.announceNode(a.row.Subject) })
	return n.Node(ctx, a.row.Subject)
}

func name(p Party) string {
	switch p := p.(type) {
	case *Member:
		if p != nil {
			return p.row.Name
		}
	case *ExternalContact:
		if p != nil {
			return p.row.Name
		}
	}
	return ""
}
