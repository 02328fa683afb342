package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/live"
)

const changeColumns = "h.id, h.at, h.kind, h.subject_id, h.what, h.workspace_id, h.previous_state, h.snapshot, h.number"

// Changes reads numbered changes after one number, up to another, of what the viewer may see now. Of a step that left no trace he
// is told by its last change alone, without what it was about: he may have seen it before, and is to forget it.
func (s *Store) Changes(ctx context.Context, v im.Viewer, w live.Watch, after, until int64, limit int) ([]im.Change, error) {
	var q *builder
	about := im.KindRelationship
	switch w.Of {
	case live.Relationships:
		q = new(builder).add("select "+changeColumns+", r.reason, "+untracedTo(v, about)+` or r.id is null from changes h
			left join relationships r on r.id = h.subject_id where h.kind = ? and (r.id is not null and `, about)
		s.removedTo(last(q, v, about, "UNDONE").inScope(v, about).add(" or "), v)
		if q.add(")"); !w.MemberID.IsZero() {
			q.add(" and (r.initiator_id = ? or r.target_id = ? or r.id is null and "+s.kept("InitiatorID")+" = ?)", w.MemberID, w.MemberID, w.MemberID)
		}
	case live.Approvals:
		about = im.KindApproval
		q = new(builder).add("select "+changeColumns+", a.reason, "+untracedTo(v, about)+` from changes h
			join approvals a on a.id = h.subject_id where h.kind = ? and `, about)
		last(q, v, about, "APPROVED", "REJECTED", "EXPIRED", "CANCELLED").inScope(v, about).add(" and (a.requested_by = ? or exists (select 1 from approval_candidates ac where ac.approval_id = a.id and ac.member_id = ?))",
			v.ID(), v.ID())
	case live.Alerts:
		q = new(builder).add("select "+changeColumns+", null, false, "+alertColumns+" from changes h join alerts l on l.id = h.subject_id where h.kind = 'alert' and ").
			visibleTo(v, im.KindAlert)
		if w.AlertKind != "" {
			q.add(" and l.kind = ?", w.AlertKind)
		}
	default:
		q = new(builder).add("select " + changeColumns + ", null, false from changes h where ").directoryTo(v)
		if !w.WorkspaceID.IsZero() {
			q.add(" and h.workspace_id = ?", w.WorkspaceID)
		}
	}
	q.add(" and h.number > ? and h.number <= ? order by h.number limit ?", after, until, limit)
	var out []im.Change
	var boxes []box
	err := s.read(ctx, q.stmt(func(row row) error {
		var c im.Change
		var gone bool
		var sealed []byte
		var r im.Relationship
		var a im.Approval
		var more []any
		into := document{&r}
		if w.Of == live.Alerts {
			c.Alert = new(im.Alert)
			more = alertInto(c.Alert)
		}
		if about == im.KindApproval {
			into = document{&a}
		}
		err := row.Scan(append([]any{&c.ID, stamp{&c.At}, textOf(&c.About.Kind), &c.About.ID, textOf(&c.What), &c.WorkspaceID,
			textOf(&c.PreviousState), into, &c.Number, blob{&sealed}, &gone}, more...)...)
		switch {
		case gone:
			c.PreviousState = ""
		case c.About.Kind == im.KindRelationship:
			c.Relationship = &r
			boxes = append(boxes, box{sealed: sealed, place: placeReason, row: c.About.ID, into: &r.Reason})
		case c.About.Kind == im.KindApproval:
			c.Approval = &a
			boxes = append(boxes, box{sealed: sealed, place: placeApproval, row: c.About.ID, into: &a.Reason})
		}
		out = append(out, c)
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read changes")
	}
	return out, s.keys.open(ctx, boxes)
}

// untracedTo is whether an undo has left the viewer nothing of what a change is about.
func untracedTo(v im.Viewer, kind im.Kind) string {
	if v.ReadsTrail() {
		return "false"
	}
	return gone[kind]
}

// last adds the condition that a change is the last one of what an undo left no trace of: it was to one of these states, after which
// there is nothing more of it to hear.
func last(q *builder, v im.Viewer, kind im.Kind, states ...string) *builder {
	if v.ReadsTrail() {
		return q
	}
	in, args := in(states)
	return q.add("(not "+gone[kind]+" or cast(h.snapshot ->> 'State' as text) in ").add(in, args...).add(") and ")
}

// directoryTo adds the condition that a change is about a thing of the directory that the viewer may see, as it stands now.
// Who sees all of a kind also hears of what is no longer there.
func (q *builder) directoryTo(v im.Viewer) *builder {
	q.add("(h.kind = ?", im.KindDepartment)
	for _, k := range []struct {
		kind im.Kind
		from string
	}{
		{im.KindMember, "members m where m.id"},
		{im.KindContact, "external_contacts c where c.id"},
		{im.KindGroup, "groups g where g.id"},
		{im.KindAccount, "accounts a where a.id"},
	} {
		q.add(" or h.kind = ?", k.kind)
		if v.Scopes[k.kind].Has(im.ScopeAll) {
			continue
		}
		q.add(" and exists (select 1 from "+k.from+" = h.subject_id and ").visibleTo(v, k.kind).add(")")
	}
	return q.add(")")
}
