package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/platform"
)

var _ platform.Store = (*Store)(nil)

// WorkspacesDue lists the workspaces on which an intent is due that nobody has claimed.
func (s *Store) WorkspacesDue(ctx context.Context, now time.Time) (out []im.ID, err error) {
	err = s.read(ctx, stmt{text: `select w.id from workspaces w where exists (select 1 from intents i where i.workspace_id = w.id
		and i.state = 'PENDING' and i.next_try_at <= ? and (i.claimed_until is null or i.claimed_until <= ?))`, args: []any{us(now), us(now)},
		scan: func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			out = append(out, id)
			return err
		}})
	return out, unavailable(err, "read what is due")
}

// Claim takes intents that are due. Of those on one target only the oldest can be taken: a lift waits for the
// blacklisting that it ends.
func (s *Store) Claim(ctx context.Context, q platform.ClaimQuery) ([]platform.Job, error) {
	b := new(builder).add(`with due as materialized (select i.id from intents i where i.workspace_id = ? and i.state = 'PENDING'
		and i.next_try_at <= ? and (i.claimed_until is null or i.claimed_until <= ?)
		and not exists (select 1 from intents o where o.target_id = i.target_id and o.state = 'PENDING' and (o.turn, o.id) < (i.turn, i.id))`,
		q.Workspace, us(q.Now), us(q.Now))
	if !q.Intent.IsZero() {
		b.add(" and i.id = ?", q.Intent)
	}
	b.add(" order by i.next_try_at, i.id limit ?"+s.eng.unlocked()+`)
		update intents set claimed_until = ?, attempts = attempts + 1 where id in (select d.id from due d) and state = 'PENDING'
		and (claimed_until is null or claimed_until <= ?)
		returning id, key, kind, workspace_id, subject_kind, subject_id, target_id, attempts, created_at`, q.Limit, us(q.Until), us(q.Now))
	var jobs []platform.Job
	err := s.write(ctx, []stmt{b.stmt(func(r row) error {
		i := im.Intent{State: im.DeliveryPending}
		err := r.Scan(&i.ID, &i.Key, &i.Kind, &i.WorkspaceID, textOf(&i.Subject.Kind), &i.Subject.ID, &i.TargetID, &i.Attempts, stamp{&i.CreatedAt})
		jobs = append(jobs, platform.Job{Intent: i})
		return err
	})})
	if err != nil {
		return nil, unavailable(err, "claim intents")
	}
	for i := range jobs {
		if err := s.job(ctx, &jobs[i], q.Now); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// job reads what is needed to carry an intent out, in one round trip and one more for the keys of what is sealed.
func (s *Store) job(ctx context.Context, j *platform.Job, now time.Time) error {
	relationship := func(into *im.Relationship) func(row) error {
		return func(r row) (err error) { *into, _, err = scanRelationship(r); return err }
	}
	var boxes []box
	err := s.read(ctx,
		stmt{text: "select " + relationshipColumns + " from relationships r where r.id = ?", args: []any{j.Intent.Subject.ID}, scan: relationship(&j.Relationship)},
		stmt{text: "select c.name, c.platform_id, c.owner_id from external_contacts c where c.id = ?", args: []any{j.Intent.TargetID},
			scan: func(r row) error { return r.Scan(&j.TargetName, &j.Contact, &j.OwnerID) }},
		stmt{text: `select a.member_id, a.platform_id, f.member_id is not null, h.snapshot, h.taken_at
			from accounts a
			left join contact_follows f on f.contact_id = ? and f.member_id = a.member_id
			left join contact_holds h on h.contact_id = ? and h.member_id = a.member_id
			where a.workspace_id = ? and a.member_id in (select x.member_id from contact_follows x where x.contact_id = ?
			union select y.member_id from contact_holds y where y.contact_id = ?) order by a.id`,
			args: []any{j.Intent.TargetID, j.Intent.TargetID, j.Intent.WorkspaceID, j.Intent.TargetID, j.Intent.TargetID},
			scan: func(r row) error {
				var side platform.Side
				var sealed []byte
				var at time.Time
				err := r.Scan(&side.MemberID, &side.Account, &side.Follows, blob{&sealed}, stamp{&at})
				if sealed != nil {
					side.Hold = &im.Hold{ContactID: j.Intent.TargetID, MemberID: side.MemberID, TakenAt: at}
					boxes = append(boxes, box{sealed: sealed, place: placeHold, row: side.MemberID, into: &side.Hold.Snapshot})
				}
				j.Sides = append(j.Sides, side)
				return err
			}},
		stmt{text: "select " + relationshipColumns + ` from relationships r where r.target_id = ? and r.kind = 'BLACKLIST' and r.id <> ?
			and r.state in ('ACTIVE', 'UNDO_PENDING_APPROVAL') and (r.expires_at is null or r.expires_at > ?)`,
			args: []any{j.Intent.TargetID, j.Intent.Subject.ID, us(now)},
			scan: func(r row) error {
				var o im.Relationship
				err := relationship(&o)(r)
				j.Others = append(j.Others, o)
				return err
			}})
	if err != nil {
		return unavailable(err, "read what an intent is about")
	}
	return s.keys.open(ctx, boxes)
}

// KeepHold keeps what is about to be taken off a contact. What is kept already stays: it is from before anything was
// taken.
func (s *Store) KeepHold(ctx context.Context, h im.Hold) error {
	w, err := s.keys.forWriting(ctx, map[im.ID]bool{h.ContactID: true})
	if err != nil {
		return unavailable(err, "load data keys")
	}
	ss := append(w.inserts(), stmt{text: `insert into contact_holds (contact_id, member_id, snapshot, taken_at) values (?, ?, ?, ?)
		on conflict (contact_id, member_id) do nothing`, args: holdArgs(w, h)})
	if err := s.write(ctx, ss); err != nil {
		return unavailable(err, "keep a hold")
	}
	w.committed()
	return nil
}

func holdArgs(w *writing, h im.Hold) []any {
	return []any{h.ContactID, h.MemberID, w.seal(h.ContactID, h.Snapshot, placeHold, h.MemberID), us(h.TakenAt)}
}

// Hasten makes the oldest of what waits on a workspace due.
func (s *Store) Hasten(ctx context.Context, workspace im.ID, now time.Time, limit int) error {
	return unavailable(s.write(ctx, []stmt{{text: `with waiting as materialized (select i.id from intents i where i.workspace_id = ?
		and i.state = 'PENDING' and i.next_try_at > ? order by i.id limit ?` + s.eng.unlocked() + `)
		update intents set next_try_at = ? where id in (select w.id from waiting w) and state = 'PENDING'`,
		args: []any{workspace, us(now), limit, us(now)}}}), "hasten intents")
}

// Reclaim takes back what this process's forerunner had claimed: on SQLite nobody else can be alive.
func (s *Store) Reclaim(ctx context.Context) error {
	if s.eng.postgres() {
		return nil
	}
	return unavailable(s.write(ctx, []stmt{
		{text: "update intents set claimed_until = null where state = 'PENDING' and claimed_until is not null"},
		{text: "update webhooks set claimed_until = null where state = 'PENDING' and claimed_until is not null"},
	}), "reclaim what is to be delivered")
}

// Waiting counts what is still to be delivered, by workspace.
func (s *Store) Waiting(ctx context.Context) (map[im.ID]int, error) {
	out := make(map[im.ID]int)
	err := s.read(ctx, stmt{text: "select i.workspace_id, count(*) from intents i where i.state = 'PENDING' group by i.workspace_id", scan: func(r row) error {
		var id im.ID
		var n int
		err := r.Scan(&id, &n)
		out[id] = n
		return err
	}})
	return out, unavailable(err, "count intents")
}

// deliveredStmts write what comes of a delivery beside the end of its intent.
func deliveredStmts(w *writing, u ledger.Unit) (ss []stmt) {
	for _, h := range u.Holds {
		ss = append(ss, stmt{text: `insert into contact_holds (contact_id, member_id, snapshot, taken_at) values (?, ?, ?, ?)
			on conflict (contact_id, member_id) do update set snapshot = excluded.snapshot`, args: holdArgs(w, h)})
	}
	for _, h := range u.Released {
		ss = append(ss, stmt{text: "delete from contact_holds where contact_id = ? and member_id = ?", args: []any{h.ContactID, h.MemberID}})
	}
	for _, t := range u.Tags {
		for _, name := range t.Taken {
			ss = append(ss, stmt{text: "delete from contact_tags where contact_id = ? and tag = ?", args: []any{t.ContactID, name}})
		}
		for _, name := range t.Added {
			ss = append(ss, stmt{text: "insert into contact_tags (contact_id, tag) values (?, ?) on conflict do nothing", args: []any{t.ContactID, name}})
		}
	}
	for _, f := range u.Shortfalls {
		ss = append(ss, stmt{text: `insert into relationship_shortfalls (relationship_id, items) values (?, ?)
			on conflict (relationship_id) do update set items = excluded.items`,
			args: []any{f.RelationshipID, w.seal(f.About, im.Text(toJSON(f.Items)), placeShort, f.RelationshipID)}})
	}
	return ss
}

// Shortfalls reads what the undos of relationships could not put back. Of a target who was erased nothing is known.
func (s *Store) Shortfalls(ctx context.Context, relationships []im.ID) (map[im.ID][]im.Shortfall, error) {
	var ids []im.ID
	var texts []*im.Text
	var boxes []box
	q := new(builder).add("select f.relationship_id, f.items from relationship_shortfalls f where f.relationship_id in ").in(relationships)
	err := s.read(ctx, q.stmt(func(r row) error {
		var id im.ID
		var sealed []byte
		err := r.Scan(&id, blob{&sealed})
		text := new(im.Text)
		ids, texts = append(ids, id), append(texts, text)
		boxes = append(boxes, box{sealed: sealed, place: placeShort, row: id, into: text})
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read shortfalls")
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID][]im.Shortfall, len(ids))
	for i, id := range ids {
		var items []im.Shortfall
		if *texts[i] == "" {
			continue
		}
		if err := json.Unmarshal([]byte(*texts[i]), &items); err != nil {
			return nil, fault.Wrap(err, "decode shortfalls")
		}
		out[id] = items
	}
	return out, nil
}

// leaseLock is the advisory lock of leasing: two that lease at once would each overlook the other.
const leaseLock = 0x67756102

// Lease spends calls of a budget, or none where it would be exceeded. Slots that no longer count are forgotten.
func (s *Store) Lease(ctx context.Context, q platform.LeaseQuery) (granted bool, err error) {
	ss := append(s.eng.alone(leaseLock),
		stmt{text: "delete from platform_calls where workspace_id = ? and budget = ? and slot < ?", args: []any{q.Workspace, q.Budget, q.Since}},
		stmt{text: `insert into platform_calls (workspace_id, budget, slot, calls)
			select cast(? as ` + s.idType() + `), cast(? as text), cast(? as bigint), cast(? as bigint)
			where (select coalesce(sum(p.calls), 0) from platform_calls p where p.workspace_id = ? and p.budget = ?) + ? <= ?
			on conflict (workspace_id, budget, slot) do update set calls = platform_calls.calls + excluded.calls returning calls`,
			args: []any{q.Workspace, q.Budget, q.Slot, q.Calls, q.Workspace, q.Budget, q.Calls, q.Limit},
			scan: func(r row) error { granted = true; var n int; return r.Scan(&n) }})
	return granted, unavailable(s.write(ctx, ss), "lease calls")
}

// Spent is what replicas have leased of all budgets.
func (s *Store) Spent(ctx context.Context) (out []platform.Spent, err error) {
	err = s.read(ctx, stmt{text: "select p.workspace_id, p.budget, p.slot, p.calls from platform_calls p", scan: func(r row) error {
		var v platform.Spent
		err := r.Scan(&v.Workspace, &v.Budget, &v.Slot, &v.Calls)
		out = append(out, v)
		return err
	}})
	return out, unavailable(err, "read what is called")
}

// idType is the type of an id column.
func (s *Store) idType() string {
	if s.eng.postgres() {
		return "uuid"
	}
	return "blob"
}
