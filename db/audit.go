package db

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/page"
)

var (
	_ audit.Store = (*Store)(nil)
	_ audit.Chain = (*Store)(nil)
	_ live.Store  = (*Store)(nil)
)

const eventColumns = `e.id, e.at, e.actor_kind, e.actor_id, e.actor_name, e.action, e.outcome, e.subject_kind, e.subject_id, e.about_id,
	e.subject_name, e.detail, e.workspace_id, e.decision_id, e.request_id, e.prevented, e.sequence, e.hash, e.previous_hash`

func scanRecord(row row) (r audit.Record, err error) {
	var sequence *int64
	err = row.Scan(&r.ID, &r.At, textOf(&r.Actor.Kind), &r.Actor.ID, blob{&r.ActorName}, &r.Action, textOf(&r.Outcome),
		textOf(&r.Subject.Kind), &r.Subject.ID, &r.About, blob{&r.SubjectName}, blob{&r.Detail}, &r.WorkspaceID, &r.DecisionID,
		textOf(&r.RequestID), textOf(&r.Prevented), &sequence, blob{&r.Hash}, blob{&r.Previous})
	if sequence != nil {
		r.Sequence = *sequence
	}
	return r, err
}

// event unseals nothing yet: it says which boxes open into the event.
func event(r audit.Record) (*im.AuditEvent, []box) {
	e := &im.AuditEvent{ID: r.ID, Actor: r.Actor, Action: r.Action, Outcome: im.Outcome(r.Outcome), Subject: r.Subject, About: r.About,
		WorkspaceID: r.WorkspaceID, DecisionID: r.DecisionID, RequestID: r.RequestID, Prevented: r.Prevented, Sequence: r.Sequence, Hash: r.Hash, Previous: r.Previous}
	_ = stamp{&e.At}.Scan(r.At) // an int64 always scans
	return e, []box{
		{sealed: r.ActorName, place: placeActor, row: r.ID, into: (*im.Text)(&e.ActorName)},
		{sealed: r.SubjectName, place: placeSubject, row: r.ID, into: (*im.Text)(&e.SubjectName)},
		{sealed: r.Detail, place: placeDetail, row: r.ID, into: &e.Detail},
	}
}

// ListEvents reads one page of the trail.
func (s *Store) ListEvents(ctx context.Context, v im.Viewer, f audit.Filter, r page.Request) (page.Result[im.AuditEvent], error) {
	where := new(builder).visibleTo(v, im.KindAudit)
	if !f.ActorID.IsZero() {
		where.add(" and e.actor_id = ?", f.ActorID)
	}
	if !f.SubjectID.IsZero() {
		where.add(" and (e.subject_id = ? or e.about_id = ?)", f.SubjectID, f.SubjectID)
	}
	if len(f.Actions) > 0 {
		in, args := in(f.Actions)
		where.add(" and e.action in ").add(in, args...)
	}
	if !f.From.IsZero() {
		where.add(" and e.at >= ?", us(f.From))
	}
	if !f.Until.IsZero() {
		where.add(" and e.at < ?", us(f.Until))
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and e.workspace_id = ?", f.WorkspaceID)
	}
	if f.Outcome != "" {
		unusual(where.add(" and e.outcome = ?", f.Outcome), "e.outcome", im.Allow, f.Outcome)
	}
	var boxes []box
	out, err := list(ctx, s, eventListing(where, &boxes), r)
	if err != nil {
		return page.Result[im.AuditEvent]{}, err
	}
	if f.Shut {
		boxes = nil
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return page.Result[im.AuditEvent]{}, err
	}
	return page.Map(out, func(e *im.AuditEvent) im.AuditEvent { return *e }), nil
}

// eventListing is events e, newest first; their texts wait in boxes.
func eventListing(where *builder, boxes *[]box) listing[*im.AuditEvent] {
	return listing[*im.AuditEvent]{columns: eventColumns, from: "audit_events e", where: where, order: order{id: "e.id", desc: true},
		scan: func(row row) (*im.AuditEvent, page.Position, error) {
			rec, err := scanRecord(row)
			e, b := event(rec)
			*boxes = append(*boxes, b...)
			return e, page.Position{ID: e.ID}, err
		}}
}

// HistoryOf reads a page of what was done to each of some accounts or relationships.
func (s *Store) HistoryOf(ctx context.Context, v im.Viewer, kind im.Kind, ids []im.ID, r page.Request) (map[im.ID]page.Result[im.AuditEvent], error) {
	parents := "accounts"
	if kind == im.KindRelationship {
		parents = "relationships"
	}
	var boxes []box
	where := new(builder).add("e.subject_id = p.id and ").visibleTo(v, im.KindAudit)
	found, err := pages(ctx, s, parents, ids, eventListing(where, &boxes), r)
	if err != nil {
		return nil, err
	}
	return opened(ctx, s, found, boxes)
}

// ReadingsOf reads a page of who read what about each of some members. It is for the member himself, and for who reads all of
// the trail.
func (s *Store) ReadingsOf(ctx context.Context, v im.Viewer, members []im.ID, r page.Request) (map[im.ID]page.Result[im.AuditEvent], error) {
	var boxes []box
	where := new(builder).add("e.about_id = p.id and (e.action like 'archive.%' or e.action like 'read.%')")
	if !v.Scopes[im.KindAudit].Has(im.ScopeAll) {
		where.add(" and p.id = ?", v.ID())
	}
	found, err := pages(ctx, s, "members", members, eventListing(where, &boxes), r)
	if err != nil {
		return nil, err
	}
	return opened(ctx, s, found, boxes)
}

// Events reads events by id.
func (s *Store) Events(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.AuditEvent, error) {
	recs, err := byIDs(ctx, s, v, im.KindAudit, eventColumns, "audit_events e", "e.id", ids, scanRecord, func(r audit.Record) im.ID { return r.ID })
	if err != nil {
		return nil, err
	}
	var events []*im.AuditEvent
	var boxes []box
	for _, r := range recs {
		e, b := event(r)
		events, boxes = append(events, e), append(boxes, b...)
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]im.AuditEvent, len(events))
	for _, e := range events {
		out[e.ID] = *e
	}
	return out, nil
}

// Sealed reads records in the order of the chain.
func (s *Store) Sealed(ctx context.Context, after int64, limit int) (out []audit.Record, err error) {
	err = s.read(ctx, stmt{text: "select " + eventColumns + " from audit_events e where e.sequence > ? order by e.sequence limit ?",
		args: []any{after, limit}, scan: func(row row) error {
			r, err := scanRecord(row)
			out = append(out, r)
			return err
		}})
	return out, unavailable(err, "read chain")
}

// Unsealed counts the events that wait for the sealer.
func (s *Store) Unsealed(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, stmt{text: "select count(*) from audit_events where sequence is null", scan: func(r row) error { return r.Scan(&n) }})
	return n, unavailable(err, "count unsealed events")
}

// Head is where the chain stands.
func (s *Store) Head(ctx context.Context) (h audit.Head, err error) {
	h.Hash = audit.Genesis
	err = s.read(ctx, metaStmt(metaEpoch, &h.Epoch),
		stmt{text: "select e.sequence, e.hash from audit_events e where e.sequence is not null order by e.sequence desc limit 1",
			scan: func(r row) error { return r.Scan(&h.Sequence, blob{&h.Hash}) }})
	return h, unavailable(err, "read the head of the chain")
}

// Lag is for how long the oldest event has waited for the sealer; 0 where none waits.
func (s *Store) Lag(ctx context.Context) (lag time.Duration, err error) {
	err = s.read(ctx, stmt{text: "select min(at) from audit_events where sequence is null", scan: func(r row) error {
		var oldest *int64
		if err := r.Scan(&oldest); err != nil || oldest == nil {
			return err
		}
		lag = max(0, s.now().Sub(time.UnixMicro(*oldest)))
		return nil
	}})
	return lag, unavailable(err, "see how long events wait")
}

// sealLock is the advisory lock of sealing.
const sealLock = 0x67756101

// sealMax bounds one sealing: more waits for the next. Events are linked one by one, changes numbered all at once.
const (
	sealMax   = 500
	numberMax = 5000
)

// Seal gives committed audit events their place in the chain and committed changes their number, and answers the
// number of the last change. Any replica may call it at any time: of two that race, one finds its places taken,
// writes nothing and tries again.
func (s *Store) Seal(ctx context.Context) (head int64, more bool, err error) {
	var records []audit.Record
	var waiting bool
	last := audit.Record{Hash: audit.Genesis}
	err = s.read(ctx,
		stmt{text: "select " + eventColumns + " from audit_events e where e.sequence is null order by " + s.eng.oldest("e") + " limit ?", args: []any{sealMax},
			scan: func(row row) error {
				r, err := scanRecord(row)
				records = append(records, r)
				return err
			}},
		stmt{text: "select exists (select 1 from changes where number is null)", scan: func(row row) error { return row.Scan(&waiting) }},
		stmt{text: "select " + eventColumns + " from audit_events e where e.sequence is not null order by e.sequence desc limit 1",
			scan: func(row row) (err error) { last, err = scanRecord(row); return err }},
		headStmt(&head))
	if err != nil {
		return 0, false, unavailable(err, "read what is to be sealed")
	}
	if len(records) == 0 && !waiting {
		return head, false, nil
	}
	// One sealer at a time: two that take the same places in turn would wait for each other.
	ss := s.eng.alone(sealLock)
	for i := range records {
		r := &records[i]
		r.Hash, r.Previous, r.Sequence = r.Link(last.Sequence+1, last.Hash), last.Hash, last.Sequence+1
		last = *r
	}
	ss = append(ss, s.eng.link(records)...)
	numbered := 0
	if waiting {
		oldest := s.eng.oldest("h")
		ss = append(ss, stmt{text: `update changes set number = f.head + f.place from (select h.id, row_number() over (order by ` + oldest + `) as place,
			(select coalesce(max(number), 0) from changes) as head from changes h where h.number is null order by ` + oldest + ` limit ?) f
			where changes.id = f.id returning changes.number`, args: []any{numberMax}, scan: func(row row) error {
			var n int64
			err := row.Scan(&n)
			head, numbered = max(head, n), numbered+1
			return err
		}})
	}
	ss = append(ss, stmt{text: "update meta set value = ? where key = 'clock' and cast(value as bigint) < ?",
		args: []any{fmt.Sprint(s.now().UnixMicro()), s.now().UnixMicro()}})
	err = s.write(ctx, ss)
	if c := s.eng.constraint(err); errors.Is(err, errUnmet) || strings.HasPrefix(c, "audit_events") || strings.HasPrefix(c, "changes") {
		return 0, true, nil // another replica was faster
	}
	if err != nil {
		return 0, false, unavailable(err, "seal")
	}
	if err := s.eng.announce(ctx); err != nil {
		s.log.WarnContext(ctx, "telling other replicas failed; they poll", "error", err)
	}
	return head, len(records) == sealMax || numbered == numberMax, nil
}

// link gives the places that records have got to their rows, with one statement.
func (p *postgres) link(records []audit.Record) []stmt {
	if len(records) == 0 {
		return nil
	}
	ids, places := make([][16]byte, len(records)), make([]int64, len(records))
	hashes, previous := make([][]byte, len(records)), make([][]byte, len(records))
	for i, r := range records {
		ids[i], places[i], hashes[i], previous[i] = r.ID, r.Sequence, r.Hash, r.Previous
	}
	return []stmt{{text: `update audit_events e set sequence = l.sequence, previous_hash = l.previous_hash, hash = l.hash
		from unnest(cast(? as uuid[]), cast(? as bigint[]), cast(? as bytea[]), cast(? as bytea[])) l (id, sequence, previous_hash, hash)
		where e.id = l.id and e.sequence is null`, args: []any{ids, places, previous, hashes}, want: int64(len(records))}}
}

// link does so one by one: within the process that costs nothing.
func (e *sqlite) link(records []audit.Record) (ss []stmt) {
	for _, r := range records {
		ss = append(ss, stmt{text: "update audit_events set sequence = ?, previous_hash = ?, hash = ? where id = ? and sequence is null",
			args: []any{r.Sequence, r.Previous, r.Hash, r.ID}, want: 1})
	}
	return ss
}

func headStmt(head *int64) stmt {
	return stmt{text: "select coalesce(max(number), 0) from changes", scan: func(r row) error { return r.Scan(head) }}
}

// Position is where the changes stand now.
func (s *Store) Position(ctx context.Context) (p live.Position, err error) {
	err = s.read(ctx, headStmt(&p.Number), metaStmt("epoch", &p.Epoch))
	return p, unavailable(err, "read position")
}

// Whole reports whether every change after a number is there and no older than [live.Kept].
func (s *Store) Whole(ctx context.Context, after int64) (whole bool, err error) {
	whole = true
	err = s.read(ctx, stmt{text: "select h.number = ? and h.at >= ? from changes h where h.number > ? order by h.number limit 1",
		args: []any{after + 1, us(s.now().Add(-live.Kept)), after}, scan: func(r row) error { return r.Scan(&whole) }})
	return whole, unavailable(err, "read what is kept of the changes")
}

// DropChanges drops the oldest changes, as long as they were made before a moment; at most limit of them, and how many it were. The
// last of all stays, from whose number the next counts on.
func (s *Store) DropChanges(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.write(ctx, []stmt{{text: `delete from changes where number < (select coalesce(min(case when o.at >= ? then o.number end), max(o.number))
		from (select h.number, h.at from changes h where h.number is not null order by h.number limit ?) o) returning id`,
		args: []any{us(before), limit + 1}, scan: func(row) error { n++; return nil }}})
	return n, unavailable(err, "drop changes")
}

// newEpoch names one life of a database: cursors of another one are too old to resume.
func newEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
