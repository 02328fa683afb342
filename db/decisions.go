package db

import (
	"context"
	"fmt"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

var decisionsLoad = load{table: "decisions", columns: []string{"id", "at", "action", "actor_id", "target_kind", "target_id", "workspace_id", "outcome",
	"rules", "needs", "obligations", "facts", "policy_version", "asked_by"}}

func decisionRow(d im.Decision) []any {
	return []any{d.ID, us(d.At), d.Action, d.ActorID, null(d.Target.Kind), d.Target.ID, d.WorkspaceID, string(d.Outcome), toJSON(d.Rules),
		toJSON(d.Needs), toJSON(d.Obligations), toJSON(d.Facts), d.PolicyVersion, d.AskedBy}
}

// Decisions reads decisions by id. Who may see them is the use-case's to say.
func (s *Store) Decisions(ctx context.Context, ids []im.ID) (map[im.ID]im.Decision, error) {
	return byIDs(ctx, s, im.Viewer{}, "", `d.id, d.at, d.action, d.actor_id, d.target_kind, d.target_id, d.workspace_id, d.outcome, d.rules,
		d.needs, d.obligations, d.facts, d.policy_version, d.asked_by, coalesce(n.times, 1), `+untracedDecision,
		"decisions d left join denials n on n.decision_id = d.id", "d.id", ids, func(r row) (d im.Decision, err error) {
			err = r.Scan(&d.ID, stamp{&d.At}, &d.Action, &d.ActorID, textOf(&d.Target.Kind), &d.Target.ID, &d.WorkspaceID, textOf(&d.Outcome),
				document{&d.Rules}, document{&d.Needs}, document{&d.Obligations}, document{&d.Facts}, &d.PolicyVersion, &d.AskedBy, &d.Times, &d.Untraced)
			return d, err
		}, func(d im.Decision) im.ID { return d.ID })
}

// untracedDecision is whether a decision made, ended, or agreed to what an undo left no trace of.
const untracedDecision = `(exists (select 1 from relationships u where u.id in (d.target_id, (select ua.subject_id from approvals ua where ua.id = d.target_id),
	(select ul.subject_id from alerts ul where ul.id = d.target_id))
	and ` + untraced + `) or exists (select 1 from relationships u where coalesce(u.requested_by, u.initiator_id) = d.actor_id and u.decision_id = d.id and ` + untraced + "))"

// firstDenial fails with [ledger.ErrStale] where the question was refused before.
func firstDenial(d ledger.Denial) stmt {
	return stmt{text: "insert into denials (fold, decision_id, times, last_at) values (?, ?, 1, ?) on conflict (fold) do nothing", want: 1,
		args: []any{d.Fold, d.DecisionID, us(d.At)}}
}

// Denied counts a question that is refused once more, and gives the decision that refused it first; zero where none did.
func (s *Store) Denied(ctx context.Context, fold []byte, now time.Time) (first im.ID, err error) {
	err = s.write(ctx, []stmt{{text: "update denials set times = times + 1, last_at = ? where fold = ? returning decision_id",
		args: []any{us(now), fold}, scan: func(r row) error { return r.Scan(&first) }}})
	return first, unavailable(err, "count a denial")
}

// DropAsked forgets decisions that were only asked for, made before a moment; at most limit of them, and how many it were.
func (s *Store) DropAsked(ctx context.Context, before time.Time, limit int) (n int, err error) {
	var ids []im.ID
	err = s.read(ctx, stmt{text: "select d.id from decisions d where d.asked_by is not null and d.id < ? order by d.id limit ?",
		args: []any{im.IDAt(before), limit}, scan: func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}})
	if err != nil || len(ids) == 0 {
		return 0, unavailable(err, "find decisions to forget")
	}
	b := new(builder).add("delete from decisions where asked_by is not null and id in ").in(ids)
	return len(ids), unavailable(s.write(ctx, []stmt{b.stmt(nil)}), "forget decisions")
}

// PartitionDecisions makes the partitions of the decision log for the days after now, where the database has partitions.
// What has none yet stays in the default one: rows that came before their partition, or under a clock that was set ahead.
func (s *Store) PartitionDecisions(ctx context.Context, now time.Time) error {
	if !s.eng.postgres() {
		return nil
	}
	const ahead = 3
	day := now.UTC().Truncate(24 * time.Hour)
	for range ahead {
		day = day.Add(24 * time.Hour)
		name := "decisions_" + day.Format("20060102")
		there, err := s.attached(ctx, name)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		// Attaching lets others write meanwhile, but for those rows that go to the default partition.
		of := fmt.Sprintf(" for values from ('%v') to ('%v')", im.IDAt(day), im.IDAt(day.Add(24*time.Hour)))
		if err := s.write(ctx, []stmt{{text: "set local lock_timeout = '2s'"},
			{text: "create table if not exists " + name + " (like decisions including all)"},
			{text: "alter table decisions attach partition " + name + of}}); err != nil {
			if there, _ := s.attached(ctx, name); there { // another replica was faster
				continue
			}
			return unavailable(err, "make a partition")
		}
	}
	return nil
}

// attached reports whether there is a partition of that name.
func (s *Store) attached(ctx context.Context, name string) (found bool, err error) {
	err = s.read(ctx, stmt{text: "select 1 from pg_inherits where inhrelid = to_regclass(?)", args: []any{name},
		scan: func(r row) error { var one int; found = true; return r.Scan(&one) }})
	return found, unavailable(err, "look for a partition")
}
