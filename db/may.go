package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

// WishFacts reads for many targets at once what a wish to block each of them is decided on, in one round trip: all of
// [Store.BlockFacts] but what stands between the two already. That the viewer sees them is for the caller to know.
func (s *Store) WishFacts(ctx context.Context, q blocking.WishQuery) (map[im.ID]blocking.BlockFacts, error) {
	out := map[im.ID]blocking.BlockFacts{}
	me := q.Viewer.ID()
	change := func(id im.ID, how func(*blocking.BlockFacts)) {
		f := out[id]
		how(&f)
		out[id] = f
	}
	place := func(target *im.ID, more ...any) func(r row) (blocking.Place, error) {
		return func(r row) (p blocking.Place, err error) {
			var a im.Account
			w := &p.Workspace
			err = r.Scan(append([]any{target, &w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact, textOf(&a.Status),
				textOf(&a.StatusScope)}, more...)...)
			p.Standing = a.Standing()
			return p, err
		}
	}
	var ss []stmt
	if len(q.Members) > 0 {
		ss = append(ss,
			new(builder).add("select distinct t.member_id, "+workspaceColumns+", "+statusAt+`, a.status_scope, coalesce(m.region, '') from accounts a
				join workspaces w on w.id = a.workspace_id join accounts t on t.workspace_id = w.id join members m on m.id = t.member_id
				where a.member_id = ? and t.member_id in `, us(s.now()), me).in(q.Members).add(" order by t.member_id, w.id").stmt(func(r row) error {
				m := &im.Member{}
				p, err := place(&m.ID, &m.Region)(r)
				change(m.ID, func(f *blocking.BlockFacts) { f.Member = m; f.Places = append(f.Places, p) })
				return err
			}),
			new(builder).add(`with recursive line (origin, id, step) as (
				select m.id, m.manager_id, 1 from members m where m.id = ? or m.id in `, me).in(q.Members).add(`
				union all select l.origin, m.manager_id, l.step + 1 from line l join members m on m.id = l.id where l.step < ?)
				select distinct l.origin, l.id from line l where (l.origin = ? and l.id in `, lineMax, me).in(q.Members).
				add(") or (l.id = ? and l.origin in ", me).in(q.Members).add(")").stmt(func(r row) error {
				var origin, above im.ID
				err := r.Scan(&origin, &above)
				if origin == me {
					change(above, func(f *blocking.BlockFacts) { f.Relation = "superior" })
				} else {
					change(origin, func(f *blocking.BlockFacts) { f.Relation = "subordinate" })
				}
				return err
			}),
			new(builder).add(`select distinct g.owner_id from groups g
				join group_members a on a.group_id = g.id and a.party_id = ? and a.left_at is null
				join group_members b on b.group_id = g.id and b.party_id = g.owner_id and b.left_at is null
				where g.dissolved_at is null and g.owner_id <> a.party_id and g.owner_id in `, me).in(q.Members).stmt(func(r row) error {
				var owner im.ID
				err := r.Scan(&owner)
				change(owner, func(f *blocking.BlockFacts) { f.OwnsSharedGroup = true })
				return err
			}),
			new(builder).add(`select m.id from members m where not exists (select 1 from member_departments a
				join member_departments b on b.department_id = a.department_id where a.member_id = ? and b.member_id = m.id) and m.id in `, me).
				in(q.Members).stmt(func(r row) error {
				var m im.ID
				err := r.Scan(&m)
				change(m, func(f *blocking.BlockFacts) { f.OtherDepartment = true })
				return err
			}),
			new(builder).add("select m.id from members m where "+isBelow("m.id")+" and m.id in ", me).in(q.Members).stmt(func(r row) error {
				var m im.ID
				err := r.Scan(&m)
				change(m, func(f *blocking.BlockFacts) { f.Below = true })
				return err
			}))
	}
	if len(q.Contacts) > 0 {
		ss = append(ss,
			new(builder).add("select distinct c.id, "+workspaceColumns+", "+statusAt+`, a.status_scope, c.importance, c.verified, c.owner_id, coalesce(c.region, '') from external_contacts c
				join workspaces w on w.id = c.workspace_id join accounts a on a.workspace_id = w.id
				where a.member_id = ? and c.id in `, us(s.now()), me).in(q.Contacts).stmt(func(r row) error {
				c := &im.ExternalContact{}
				p, err := place(&c.ID, textOf(&c.Importance), &c.Verified, &c.OwnerID, &c.Region)(r)
				change(c.ID, func(f *blocking.BlockFacts) { f.Contact = c; f.Places = append(f.Places, p) })
				return err
			}),
			new(builder).add("select c.id, "+ownContact+" from external_contacts c where c.id in ", me, me).in(q.Contacts).stmt(func(r row) error {
				var c im.ID
				var department, pool bool
				err := r.Scan(&c, &department, &pool)
				change(c, func(f *blocking.BlockFacts) { f.OwnDepartment, f.OwnPool = department, pool })
				return err
			}),
			openBusiness(q.Currency).add("o.contact_id in ").
				in(q.Contacts).add(" group by o.contact_id").stmt(func(r row) error {
				var c im.ID
				var open business
				err := r.Scan(&c, &open.value, &open.foreign)
				change(c, func(f *blocking.BlockFacts) { f.OpenValue, f.OpenForeign = open.value, open.foreign })
				return err
			}))
	}
	var blocks, blacklistings int
	var departments []string
	err := s.read(ctx, append(ss, lately(me, blocking.BlockQuery{Now: q.Now}, &blocks, &blacklistings, &departments))...)
	for id := range out {
		change(id, func(f *blocking.BlockFacts) {
			f.Blocks, f.Blacklistings, f.Departments = blocks, blacklistings, departments
		})
	}
	return out, unavailable(err, "read facts of wishes")
}
