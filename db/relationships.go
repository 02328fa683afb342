package db

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

const relationshipColumns = `r.id, r.workspace_id, r.kind, r.state, r.version, r.scope, r.source, r.initiator_id, r.target_kind, r.target_id,
	r.group_id, r.reason, r.created_at, r.effective_at, r.expires_at, r.ended_at, r.enforcement, r.undo_terms, r.needs, r.decision_id,
	r.further, r.delegate_id, r.requested_by, r.declared`

// shortColumns are those that are read of a relationship of which nobody asks why it is there and on what terms.
const shortColumns = `r.id, r.workspace_id, r.kind, r.state, r.version, r.scope, r.source, r.initiator_id, r.target_kind, r.target_id,
	r.group_id, r.created_at, r.effective_at, r.expires_at, r.ended_at, r.enforcement, r.decision_id, r.delegate_id, r.requested_by, r.declared`

// scanRelationship reads a relationship and its sealed reason; more are the columns that follow.
func scanRelationship(row row, more ...any) (im.Relationship, box, error) {
	var r im.Relationship
	var sealed []byte
	err := row.Scan(append([]any{&r.ID, &r.WorkspaceID, textOf(&r.Kind), textOf(&r.State), &r.Version, textOf(&r.Scope), textOf(&r.Source),
		&r.InitiatorID, textOf(&r.Target.Kind), &r.Target.ID, &r.GroupID, blob{&sealed}, stamp{&r.CreatedAt}, stamp{&r.EffectiveAt},
		stamp{&r.ExpiresAt}, stamp{&r.EndedAt}, textOf(&r.Enforcement), document{&r.Undo}, document{&r.Needs}, &r.DecisionID,
		document{&r.Further}, &r.DelegateID, &r.RequestedBy, &r.Declared}, more...)...)
	return r, box{sealed: sealed, place: placeReason, row: r.ID}, err
}

// Relationships reads relationships by id.
func (s *Store) Relationships(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Relationship, error) {
	var rels []im.Relationship
	var boxes []box
	q := new(builder).add("select "+relationshipColumns+" from relationships r where r.id in ").in(ids).add(" and ").visibleTo(v, im.KindRelationship)
	err := s.read(ctx, q.stmt(func(row row) error {
		r, b, err := scanRelationship(row)
		rels, boxes = append(rels, r), append(boxes, b)
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read relationships")
	}
	for i := range boxes {
		boxes[i].into = &rels[i].Reason
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]im.Relationship, len(rels))
	for _, r := range rels {
		out[r.ID] = r
	}
	return out, nil
}

// states adds the condition that the state, judged at now, is one of those named.
func states(q *builder, state, expires, live, expired string, names []string, now time.Time) {
	in, args := in(names)
	q.add(" and case when "+expires+" is not null and "+expires+" <= ? and "+state+" in "+live+" then '"+expired+"' else "+state+" end in ", us(now)).
		add(in, args...)
}

// relationshipFilter adds the conditions that the viewer may see relationship r, which may be few already, and of a filter.
func relationshipFilter(where *builder, v im.Viewer, f blocking.RelationshipFilter, few bool, now time.Time) *builder {
	few = few || !f.InitiatorID.IsZero() || !f.TargetID.IsZero()
	if few {
		where.visibleAmong(v, im.KindRelationship)
	} else {
		where.visibleTo(v, im.KindRelationship)
	}
	all := !few && v.Scopes[im.KindRelationship].Has(im.ScopeAll) // else there are fewer seen than unusual ones
	if len(f.Kinds) > 0 {
		kinds := slices.Compact(slices.Sorted(slices.Values(f.Kinds)))
		where.add(" and r.kind in (").constant(string(kinds[0]))
		for _, k := range kinds[1:] {
			where.add(", ").constant(string(k))
		}
		if where.add(")"); all {
			unusual(where, "r.kind", im.Block, f.Kinds...)
		}
	}
	if len(f.States) > 0 {
		names := make([]string, len(f.States))
		for i, st := range f.States {
			names[i] = string(st)
		}
		states(where, "r.state", "r.expires_at", liveStates, string(im.Expired), names, now)
		if all && !slices.Contains(f.States, im.Expired) { // of which some are kept as what they were before
			if unusual(where, "r.state", im.Active, f.States...); len(names) == 1 {
				where.add(" and r.state = ?", names[0])
			}
		}
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and r.workspace_id = ?", f.WorkspaceID)
	}
	if !f.InitiatorID.IsZero() {
		where.add(" and r.initiator_id = ?", f.InitiatorID)
	}
	if !f.TargetID.IsZero() {
		where.add(" and r.target_id = ?", f.TargetID)
	}
	// Lists go by ids, which are in the order of time: they begin and end with the rows in question.
	if !f.CreatedAfter.IsZero() {
		where.add(" and r.created_at > ? and r.id >= ?", us(f.CreatedAfter), im.IDAt(f.CreatedAfter.Add(-idSlack)))
	}
	if !f.CreatedBefore.IsZero() {
		where.add(" and r.created_at < ? and r.id < ?", us(f.CreatedBefore), im.IDAt(f.CreatedBefore.Add(idSlack)))
	}
	return where
}

// idSlack is more than lies between when a relationship was made, as its row and as its id say: the two are read one after the other.
// What is more is for clocks that are set back meanwhile, after which ids go on where they were.
const idSlack = time.Hour

// relationshipListing is relationships r, newest first, with what the viewer goes on to; their reasons wait in boxes.
func relationshipListing(where *builder, v im.Viewer, a blocking.Along, boxes *[]box) listing[*im.Relationship] {
	l := listing[*im.Relationship]{columns: relationshipColumns, from: "relationships r", where: where, order: order{id: "r.id", desc: true}}
	if a.Short {
		l.columns = shortColumns
	}
	if a.Targets {
		l.columns += ", " + targetMemberCard + ", " + targetContactCard
		l.joins = new(builder).add(" left join members tm on r.target_kind = 'member' and tm.id = r.target_id and ").inScopeOf(v, im.KindMember, "tm.id").
			add(" left join external_contacts tc on r.target_kind = 'contact' and tc.id = r.target_id and ").inScopeOf(v, im.KindContact, "tc.id")
	}
	l.scan = func(row row) (*im.Relationship, page.Position, error) {
		var more []any
		var m im.Member
		var c im.ExternalContact
		if a.Targets {
			more = append(memberCardInto(&m), contactCardInto(&c)...)
		}
		var rel im.Relationship
		var err error
		if a.Short {
			rel, err = scanShort(row, more)
		} else {
			var b box
			rel, b, err = scanRelationship(row, more...)
			b.into = &rel.Reason
			*boxes = append(*boxes, b)
		}
		switch {
		case !a.Targets:
		case rel.Target.Kind == im.KindMember:
			rel.TargetMember = &m
		case rel.Target.Kind == im.KindContact:
			rel.TargetContact = &c
		}
		return &rel, page.Position{ID: rel.ID}, err
	}
	return l
}

// scanShort reads [shortColumns], and more that follow.
func scanShort(row row, more []any) (r im.Relationship, err error) {
	err = row.Scan(append([]any{&r.ID, &r.WorkspaceID, textOf(&r.Kind), textOf(&r.State), &r.Version, textOf(&r.Scope), textOf(&r.Source),
		&r.InitiatorID, textOf(&r.Target.Kind), &r.Target.ID, &r.GroupID, stamp{&r.CreatedAt}, stamp{&r.EffectiveAt},
		stamp{&r.ExpiresAt}, stamp{&r.EndedAt}, textOf(&r.Enforcement), &r.DecisionID, &r.DelegateID, &r.RequestedBy, &r.Declared}, more...)...)
	return r, err
}

// ListRelationships reads one page of relationships.
func (s *Store) ListRelationships(ctx context.Context, v im.Viewer, f blocking.RelationshipFilter, now time.Time, r page.Request) (page.Result[im.Relationship], error) {
	var boxes []box
	out, err := list(ctx, s, relationshipListing(relationshipFilter(new(builder), v, f, false, now), v, f.Along, &boxes), r)
	if err != nil {
		return page.Result[im.Relationship]{}, err
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return page.Result[im.Relationship]{}, err
	}
	return page.Map(out, func(r *im.Relationship) im.Relationship { return *r }), nil
}

// ends says which relationships r are those of a party p, by the end that it has.
var ends = map[blocking.End]string{
	blocking.Outgoing: "r.initiator_id = p.id and ",
	blocking.Incoming: "r.target_id = p.id and ",
	blocking.BothEnds: "(r.initiator_id = p.id or r.target_id = p.id) and ",
}

// RelationshipsOf reads a page of the relationships of each of some members or contacts.
func (s *Store) RelationshipsOf(ctx context.Context, v im.Viewer, kind im.Kind, ids []im.ID, end blocking.End, f blocking.RelationshipFilter, now time.Time, r page.Request) (map[im.ID]page.Result[im.Relationship], error) {
	parents := "members"
	if kind == im.KindContact {
		parents = "external_contacts"
	}
	var boxes []box
	found, err := pages(ctx, s, parents, ids, relationshipListing(relationshipFilter(new(builder).add(ends[end]), v, f, true, now), v, f.Along, &boxes), r)
	if err != nil {
		return nil, err
	}
	return opened(ctx, s, found, boxes)
}

// opened is pages of rows, with their boxes opened.
func opened[T any](ctx context.Context, s *Store, found map[im.ID]page.Result[*T], boxes []box) (map[im.ID]page.Result[T], error) {
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]page.Result[T], len(found))
	for id, r := range found {
		out[id] = page.Map(r, func(t *T) T { return *t })
	}
	return out, nil
}

// Deliveries reads what became of the newest intent of each relationship.
func (s *Store) Deliveries(ctx context.Context, relationships []im.ID) (map[im.ID]im.Delivery, error) {
	out := make(map[im.ID]im.Delivery)
	q := new(builder).add(`select i.subject_id, i.kind, i.state, i.attempts, i.last_error_code, i.vendor_ref, i.settled_at from intents i
		where i.subject_id in `).in(relationships).add(" order by i.subject_id, i.id")
	err := s.read(ctx, q.stmt(func(r row) error {
		var id im.ID
		var d im.Delivery
		err := r.Scan(&id, &d.Kind, textOf(&d.State), &d.Attempts, textOf(&d.LastErrorCode), textOf(&d.VendorRef), stamp{&d.SettledAt})
		out[id] = d // the last one is the newest
		return err
	}))
	return out, unavailable(err, "read deliveries")
}

const approvalColumns = `a.id, a.action, a.subject_kind, a.subject_id, a.workspace_id, a.requested_by, a.reason, a.about_id, a.request_hash,
	a.needs, a.decision_id, a.final_decision_id, a.state, a.version, a.created_at, a.expires_at, a.ended_at, a.request,
	a.escalates_at, a.escalate_to, a.escalated_at`

func scanApproval(row row) (im.Approval, box, error) {
	var a im.Approval
	var sealed []byte
	var request json.RawMessage
	err := row.Scan(&a.ID, &a.Action, textOf(&a.Subject.Kind), &a.Subject.ID, &a.WorkspaceID, &a.RequestedBy, blob{&sealed}, &a.About,
		blob{&a.RequestHash}, document{&a.Needs}, &a.DecisionID, &a.FinalDecisionID, textOf(&a.State), &a.Version, stamp{&a.CreatedAt},
		stamp{&a.ExpiresAt}, stamp{&a.EndedAt}, document{&request}, stamp{&a.EscalatesAt}, document{&a.EscalateTo}, stamp{&a.EscalatedAt})
	a.Request = request
	return a, box{sealed: sealed, place: placeApproval, row: a.ID}, err
}

// approvals reads approvals by a query over approvals a.
func (s *Store) approvals(ctx context.Context, q *builder) ([]im.Approval, error) {
	var as []im.Approval
	var boxes []box
	err := s.read(ctx, q.stmt(func(row row) error {
		a, b, err := scanApproval(row)
		as, boxes = append(as, a), append(boxes, b)
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read approvals")
	}
	for i := range boxes {
		boxes[i].into = &as[i].Reason
	}
	return as, s.keys.open(ctx, boxes)
}

// Approvals reads approvals by id.
func (s *Store) Approvals(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Approval, error) {
	as, err := s.approvals(ctx, new(builder).add("select "+approvalColumns+" from approvals a where a.id in ").in(ids).
		add(" and ").visibleTo(v, im.KindApproval))
	out := make(map[im.ID]im.Approval, len(as))
	for _, a := range as {
		out[a.ID] = a
	}
	return out, err
}

// ApprovalsOf reads the approvals of things that the viewer may see, newest first.
func (s *Store) ApprovalsOf(ctx context.Context, subjects []im.ID) (map[im.ID][]im.Approval, error) {
	as, err := s.approvals(ctx, new(builder).add("select "+approvalColumns+" from approvals a where a.subject_id in ").in(subjects).
		add(" order by a.id desc"))
	out := make(map[im.ID][]im.Approval)
	for _, a := range as {
		out[a.Subject.ID] = append(out[a.Subject.ID], a)
	}
	return out, err
}

// ListApprovals reads one page of approvals.
func (s *Store) ListApprovals(ctx context.Context, v im.Viewer, f blocking.ApprovalFilter, now time.Time, r page.Request) (page.Result[im.Approval], error) {
	where := new(builder).visibleTo(v, im.KindApproval)
	if f.State != "" {
		states(where, "a.state", "a.expires_at", "('PENDING')", string(im.ApprovalExpired), []string{string(f.State)}, now)
	}
	if f.Mine {
		where.add(` and a.state = 'PENDING' and (a.expires_at is null or a.expires_at > ?)
			and exists (select 1 from approval_candidates ac where ac.approval_id = a.id and ac.member_id = ?)
			and not exists (select 1 from approval_verdicts av where av.approval_id = a.id and av.by_id = ?)`, us(now), v.ID(), v.ID())
	}
	if !f.RequestedByID.IsZero() {
		where.add(" and a.requested_by = ?", f.RequestedByID)
	}
	if !f.SubjectID.IsZero() {
		where.add(" and a.subject_id = ?", f.SubjectID)
	}
	var boxes []box
	out, err := list(ctx, s, listing[*im.Approval]{columns: approvalColumns, from: "approvals a", where: where, order: order{id: "a.id", desc: true},
		scan: func(row row) (*im.Approval, page.Position, error) {
			a, b, err := scanApproval(row)
			b.into = &a.Reason
			boxes = append(boxes, b)
			return &a, page.Position{ID: a.ID}, err
		}}, r)
	if err != nil {
		return page.Result[im.Approval]{}, err
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return page.Result[im.Approval]{}, err
	}
	return page.Map(out, func(a *im.Approval) im.Approval { return *a }), nil
}

// Verdicts reads what was said of approvals, oldest first.
func (s *Store) Verdicts(ctx context.Context, approvals []im.ID) (map[im.ID][]im.Verdict, error) {
	var vs []im.Verdict
	var boxes []box
	q := new(builder).add("select v.id, v.approval_id, v.by_id, v.approved, v.comment, v.at from approval_verdicts v where v.approval_id in ").
		in(approvals).add(" order by v.id")
	err := s.read(ctx, q.stmt(func(r row) error {
		var v im.Verdict
		var sealed []byte
		err := r.Scan(&v.ID, &v.ApprovalID, &v.ByID, &v.Approved, blob{&sealed}, stamp{&v.At})
		vs, boxes = append(vs, v), append(boxes, box{sealed: sealed, place: placeVerdict, row: v.ID})
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read verdicts")
	}
	for i := range boxes {
		boxes[i].into = &vs[i].Comment
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID][]im.Verdict)
	for _, v := range vs {
		out[v.ApprovalID] = append(out[v.ApprovalID], v)
	}
	return out, nil
}

// Candidates reads who may satisfy the needs of approvals.
func (s *Store) Candidates(ctx context.Context, approvals []im.ID) (map[im.ID][]im.Candidate, error) {
	q := new(builder).add(`select c.approval_id, c.member_id, c.role from approval_candidates c join members m on m.id = c.member_id
		where c.approval_id in `).in(approvals).add(" order by c.approval_id, c.role, m.sort_key, m.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (c im.Candidate, err error) {
		err = r.Scan(&c.ApprovalID, &c.MemberID, &c.Role)
		*parent = c.ApprovalID
		return c, err
	})
}

// AskedBy finds the approvals that decisions asked for, by decision.
func (s *Store) AskedBy(ctx context.Context, decisions []im.ID) (map[im.ID]im.ID, error) {
	out := make(map[im.ID]im.ID)
	q := new(builder).add("select a.decision_id, a.id from approvals a where a.decision_id in ").in(decisions)
	err := s.read(ctx, q.stmt(func(r row) error {
		var d, a im.ID
		err := r.Scan(&d, &a)
		out[d] = a
		return err
	}))
	return out, unavailable(err, "read approvals of decisions")
}

const alertColumns = "l.id, l.kind, l.severity, l.at, l.subject_kind, l.subject_id, l.person_id, l.contact_id, l.acknowledged_by, l.acknowledged_at"

// alertInto is where alertColumns go.
func alertInto(l *im.Alert) []any {
	return []any{&l.ID, textOf(&l.Kind), textOf(&l.Severity), stamp{&l.At}, textOf(&l.Subject.Kind), &l.Subject.ID, &l.PersonID,
		&l.ContactID, &l.AcknowledgedBy, stamp{&l.AcknowledgedAt}}
}

func scanAlert(r row) (l im.Alert, err error) { return l, r.Scan(alertInto(&l)...) }

// Alerts reads alerts by id.
func (s *Store) Alerts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Alert, error) {
	return byIDs(ctx, s, v, im.KindAlert, alertColumns, "alerts l", "l.id", ids, scanAlert, func(l im.Alert) im.ID { return l.ID })
}

// ListAlerts reads one page of alerts.
func (s *Store) ListAlerts(ctx context.Context, v im.Viewer, f blocking.AlertFilter, r page.Request) (page.Result[im.Alert], error) {
	where := new(builder).visibleTo(v, im.KindAlert)
	if f.Kind != "" {
		where.add(" and l.kind = ?", f.Kind)
	}
	if f.Open != nil && *f.Open {
		where.add(" and l.acknowledged_at is null")
	} else if f.Open != nil {
		where.add(" and l.acknowledged_at is not null")
	}
	return list(ctx, s, listing[im.Alert]{columns: alertColumns, from: "alerts l", where: where, order: order{id: "l.id", desc: true},
		scan: func(row row) (im.Alert, page.Position, error) {
			l, err := scanAlert(row)
			return l, page.Position{ID: l.ID}, err
		}}, r)
}
