package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

// PlatformPair finds two parties, and perhaps a group, by the ids that the platform of a workspace gives them; false where it
// does not know one of them.
func (s *Store) PlatformPair(ctx context.Context, q blocking.PlatformPair) (p blocking.Pair, found bool, err error) {
	const party = `select 'member', a.member_id from accounts a join workspaces w on w.id = a.workspace_id where w.name = ? and a.platform_id = ?
		and a.member_id is not null union all
		select 'contact', c.id from external_contacts c join workspaces w on w.id = c.workspace_id where w.name = ? and c.platform_id = ?`
	of := func(ref *im.Ref, id string) stmt {
		return stmt{text: party, args: []any{q.Workspace, id, q.Workspace, id}, scan: func(r row) error { return r.Scan(textOf(&ref.Kind), &ref.ID) }}
	}
	ss := []stmt{of(&p.From, q.From), of(&p.To, q.To),
		{text: "select w.id from workspaces w where w.name = ?", args: []any{q.Workspace}, scan: func(r row) error { return r.Scan(&p.Workspace) }}}
	if q.Group != "" {
		ss = append(ss, stmt{text: `select g.id from groups g join workspaces w on w.id = g.workspace_id
			where w.name = ? and g.platform_id = ? and g.dissolved_at is null`, args: []any{q.Workspace, q.Group}, scan: func(r row) error { return r.Scan(&p.Group) }})
	}
	if err := s.read(ctx, ss...); err != nil {
		return p, false, unavailable(err, "read parties")
	}
	return p, !p.From.IsZero() && !p.To.IsZero() && !p.Workspace.IsZero() && (q.Group == "" || !p.Group.IsZero()), nil
}
