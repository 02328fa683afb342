package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

// PlatformPair finds two parties, and perhaps a group, by the ids that the platform of a workspace gives them; false where it
// does not know one of them. A person finds by the ids alone that show to him: by others he could try out whose they are.
func (s *Store) PlatformPair(ctx context.Context, v im.Viewer, q blocking.PlatformPair) (p blocking.Pair, found bool, err error) {
	of := func(ref *im.Ref, id string) stmt {
		b := new(builder).add(`select 'member', a.member_id from accounts a join workspaces w on w.id = a.workspace_id where w.name = ? and a.platform_id = ?
			and a.member_id is not null`, q.Workspace, id)
		if !v.IsService() && !v.Unmask.Has(im.ScopeAll) {
			b.add(" and a.member_id = ?", v.ID())
		}
		b.add(" union all select 'contact', c.id from external_contacts c join workspaces w on w.id = c.workspace_id where w.name = ? and c.platform_id = ?",
			q.Workspace, id)
		if !v.IsService() {
			b.add(" and ").unmasked(v)
		}
		return b.stmt(func(r row) error { return r.Scan(textOf(&ref.Kind), &ref.ID) })
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
