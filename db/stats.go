package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

// PolicyStats counts decisions on commands, and what was refused, by outcome and by the lines that decided; and the blocks made:
// three statements, whatever there is to count. A question that was refused over and over counts each time.
func (s *Store) PolicyStats(ctx context.Context, v im.Viewer, q blocking.StatsQuery) (blocking.Stats, error) {
	out := blocking.Stats{From: q.From, Until: q.Until}
	made := func(b *builder, who string) *builder { // by somebody of the department
		if !q.DepartmentID.IsZero() {
			b.add(" and "+who+` in (select md.member_id from member_departments md join departments d2 on d2.id = md.department_id
				join departments top on top.id = ? where substr(d2.path, 1, length(top.path)) = top.path)`, q.DepartmentID)
		}
		return b
	}
	decided := func(columns, more string) *builder { // ids are ranges of time, and so are partitions
		b := new(builder).add("select "+columns+" from decisions d left join denials n on n.decision_id = d.id"+more+
			" where d.asked_by is null and d.id >= ? and d.id < ? and d.at >= ? and d.at < ?",
			im.IDAt(q.From), im.IDAt(q.Until.Add(im.IDGrain)), us(q.From), us(q.Until))
		if !v.ReadsTrail() {
			b.add(" and not " + untracedDecision)
		}
		return made(b, "d.actor_id")
	}
	const outcomes = `coalesce(sum(case when d.outcome = 'ALLOW' then coalesce(n.times, 1) end), 0), coalesce(sum(case when d.outcome = 'DENY' then coalesce(n.times, 1) end), 0),
		coalesce(sum(case when d.outcome = 'REVIEW' then coalesce(n.times, 1) end), 0)`
	// Of a decision without lines one database would have an element that is null, the other none to take apart.
	rule, lines := "j.value ->> 'id', j.value ->> 'name', j.value ->> 'file', cast(j.value ->> 'line' as integer)", ", json_each(case when json_type(d.rules) = 'array' then d.rules else '[]' end) j"
	if s.eng.postgres() {
		lines = " cross join lateral jsonb_array_elements(case when jsonb_typeof(d.rules) = 'array' then d.rules else '[]' end) j (value)"
	}
	blocks := new(builder).add(`select count(*), coalesce(sum(case when r.target_kind = 'member' then 1 end), 0),
		coalesce(sum(case when r.state in ('CANCELLED', 'REJECTED', 'UNDONE') then 1 end), 0)
		from relationships r where r.kind = 'BLOCK' and r.created_at >= ? and r.created_at < ?`, us(q.From), us(q.Until))
	if !v.ReadsTrail() {
		blocks.add(" and not " + gone[im.KindRelationship])
	}
	err := s.read(ctx,
		decided(outcomes, "").stmt(func(r row) error { return r.Scan(&out.Allowed, &out.Denied, &out.Reviewed) }),
		made(blocks, "r.initiator_id").stmt(func(r row) error { return r.Scan(&out.Blocks, &out.InternalBlocks, &out.Avoided) }),
		decided(rule+", "+outcomes+", count(distinct d.actor_id)", lines).
			add(" group by 1, 2, 3, 4 order by count(*) desc, 2, 1 limit ?", blocking.StatsRules).stmt(func(r row) error {
			var x blocking.RuleStats
			var id string
			err := r.Scan(&id, &x.Rule.Name, &x.Rule.File, &x.Rule.Line, &x.Allowed, &x.Denied, &x.Reviewed, &x.Members)
			if err == nil {
				x.Rule.ID, err = im.ParseID(id)
			}
			out.Rules = append(out.Rules, x)
			return err
		}))
	return out, unavailable(err, "count decisions")
}
