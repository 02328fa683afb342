package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// noticeStmts write notices. A person who was told the same of a thing, as when it began its cool-down, is not told again.
func noticeStmts(u ledger.Unit) (ss []stmt) {
	for _, n := range u.Notices {
		if n.Endpoint != "" {
			ss = append(ss, webhookStmt(n))
			continue
		}
		ss = append(ss, stmt{text: `insert into notices (id, at, purpose, subject_kind, subject_id, member_id) select ?, ?, ?, ?, ?, ?
			where not exists (select 1 from notices o where o.subject_id = ? and o.member_id = ? and o.purpose = ?)`,
			args: []any{n.ID, us(n.At), n.Purpose, n.Subject.Kind, n.Subject.ID, n.MemberID, n.Subject.ID, n.MemberID, n.Purpose}})
	}
	return ss
}

// Notices reads who was told of relationships that the viewer may see, oldest first.
func (s *Store) Notices(ctx context.Context, v im.Viewer, relationships []im.ID) (map[im.ID][]im.Notice, error) {
	q := new(builder).add(`select n.id, n.at, n.purpose, n.subject_kind, n.subject_id, n.member_id, null, m.name, null, 0, null, null
		from notices n join members m on m.id = n.member_id where n.subject_id in `).in(relationships).add(" and ").visibleTo(v, im.KindMember).
		add(` union all select w.id, w.at, w.purpose, w.subject_kind, w.subject_id, null, w.endpoint, w.endpoint, w.state, w.attempts, w.last_error_code, w.settled_at
			from webhooks w where w.subject_id in `).in(relationships).add(" order by 1")
	return many(ctx, s, q, func(r row, parent *im.ID) (n im.Notice, err error) {
		err = r.Scan(&n.ID, stamp{&n.At}, &n.Purpose, textOf(&n.Subject.Kind), &n.Subject.ID, &n.MemberID, textOf(&n.Endpoint), &n.To,
			textOf(&n.Delivery.State), &n.Delivery.Attempts, textOf(&n.Delivery.LastErrorCode), stamp{&n.Delivery.SettledAt})
		*parent = n.Subject.ID
		return n, err
	})
}
