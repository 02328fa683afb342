package db

import (
	"context"
	"strings"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// expired adds the relationships r that may be removed: of those about which something is still to be told the rows are needed.
func expired(q *builder, p blocking.PruneQuery) *builder {
	q.add(`from relationships r where r.state = 'EXPIRED' and r.state <> 'ACTIVE' and r.kind = 'BLACKLIST' and r.ended_at < ?
		and not exists (select 1 from intents i where i.subject_id = r.id and i.state = 'PENDING')
		and not exists (select 1 from webhooks w where w.subject_id = r.id and w.state = 'PENDING')`, us(p.Before))
	if !p.WorkspaceID.IsZero() {
		q.add(" and r.workspace_id = ?", p.WorkspaceID)
	}
	return q
}

// Expired reads blacklistings that may be removed, the oldest first.
func (s *Store) Expired(ctx context.Context, p blocking.PruneQuery) (out []im.Relationship, err error) {
	q := expired(new(builder).add("select "+shortColumns+" "), p).add(" order by r.id limit ?", p.Limit)
	err = s.read(ctx, q.stmt(func(row row) error {
		r, err := scanShort(row, nil)
		out = append(out, r)
		return err
	}))
	return out, unavailable(err, "read what has expired")
}

// CountExpired counts them, up to page.CountMax.
func (s *Store) CountExpired(ctx context.Context, p blocking.PruneQuery) (n int, err error) {
	q := expired(new(builder).add("select count(*) from (select r.id "), p).add(" limit ?) c", page.CountMax)
	err = s.read(ctx, q.stmt(func(r row) error { return r.Scan(&n) }))
	return n, unavailable(err, "count what has expired")
}

// pruneStmts remove relationships that have expired, with what became of their deliveries and notices. Somebody else may have
// removed one of them meanwhile.
func (s *Store) pruneStmts(ids []im.ID) (ss []stmt) {
	if len(ids) == 0 {
		return nil
	}
	for _, from := range []string{"intents", "notices", "webhooks"} {
		ss = append(ss, s.amongIDs(new(builder).add("delete from "+from+" where subject_kind = 'relationship' and "), "subject_id", ids).stmt(nil))
	}
	removed := s.amongIDs(new(builder).add("delete from relationships where state = 'EXPIRED' and "), "id", ids).stmt(nil)
	removed.want = int64(len(ids))
	return append(ss, removed)
}

// removedTo adds the condition that a change h is of a relationship whose row is gone, and that the viewer could see it before: by
// what the change keeps of it.
func (s *Store) removedTo(q *builder, v im.Viewer) *builder {
	q.add("h.what = ? and r.id is null and (", im.Removed)
	if terms := v.Scopes[im.KindRelationship]; terms.Has(im.ScopeAll) {
		q.add("true")
	} else {
		q.add("false")
		for _, t := range terms {
			if p := visible[im.KindRelationship].among[t]; p != "" {
				q.add(" or ").about(v, predicate(strings.ReplaceAll(string(p), "r.initiator_id", s.kept("InitiatorID"))))
			}
		}
	}
	return q.add(")")
}

// kept is an id that a change h keeps of what it is about.
func (s *Store) kept(field string) string {
	if s.eng.postgres() {
		return "cast(h.snapshot ->> '" + field + "' as uuid)"
	}
	return "unhex(h.snapshot ->> '" + field + "', '-')"
}
