package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

const accountColumns = "a.id, a.member_id, a.workspace_id, a.kind, a.platform_id, a.status, a.status_until, a.status_scope, a.last_active_at"

func scanAccount(r row) (a im.Account, err error) {
	err = r.Scan(&a.ID, &a.MemberID, &a.WorkspaceID, textOf(&a.Kind), &a.PlatformID, textOf(&a.Status), stamp{&a.StatusUntil},
		textOf(&a.StatusScope), stamp{&a.LastActiveAt})
	return a, err
}

// accountNow scans an account as it is now, whatever was last written down.
func (s *Store) accountNow(r row) (im.Account, error) {
	a, err := scanAccount(r)
	return a.At(s.now()), err
}

// AccountsOf reads the accounts of members.
func (s *Store) AccountsOf(ctx context.Context, v im.Viewer, members []im.ID) (map[im.ID][]im.Account, error) {
	q := new(builder).add("select "+accountColumns+" from accounts a where a.member_id in ").in(members).add(" and ").
		visibleTo(v, im.KindAccount).add(" order by a.member_id, a.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (im.Account, error) {
		a, err := s.accountNow(r)
		*parent = a.MemberID
		return a, err
	})
}

// Accounts reads accounts by id.
func (s *Store) Accounts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Account, error) {
	return byIDs(ctx, s, v, im.KindAccount, accountColumns, "accounts a", "a.id", ids, s.accountNow, func(a im.Account) im.ID { return a.ID })
}

// ListAccounts reads one page of accounts.
func (s *Store) ListAccounts(ctx context.Context, v im.Viewer, f directory.AccountFilter, r page.Request) (page.Result[im.Account], error) {
	where := new(builder).visibleTo(v, im.KindAccount)
	if f.Query != "" {
		where.add(` and (a.member_id in (select m.id from members m where m.folded like ? escape '\' and `, contains(f.Query)).
			visibleTo(v, im.KindMember).add(")")
		switch {
		case v.Unmask.Has(im.ScopeAll):
			where.add(" or a.platform_id = ?", f.Query)
		case v.Unmask.Has(im.ScopeOwn):
			where.add(" or a.member_id = ? and a.platform_id = ?", v.ID(), f.Query)
		}
		where.add(")")
	}
	if !f.WorkspaceID.IsZero() {
		where.add(" and a.workspace_id = ?", f.WorkspaceID)
	}
	if !f.MemberID.IsZero() {
		where.add(" and a.member_id = ?", f.MemberID).theMember(v, "a.member_id")
	}
	if f.Status != "" {
		if f.Status != im.AccountActive { // an index has these
			where.add(" and (a.status <> 'ACTIVE' or a.status_until is not null)")
		}
		where.add(" and "+statusAt+" = ?", us(s.now()), f.Status)
	}
	if f.Kind != "" {
		where.add(" and a.kind = ?", f.Kind)
	}
	if f.Orphan != nil && *f.Orphan {
		where.add(" and a.member_id is null")
	} else if f.Orphan != nil {
		where.add(" and a.member_id is not null").theMember(v, "a.member_id")
	}
	if f.Leaver != nil {
		not := ""
		if !*f.Leaver {
			not = "not "
		}
		where.add(" and "+not+"("+statusAt+" = ? and a.member_id is not null and a.member_id in (select m.id from members m where m.employment = ? and ",
			us(s.now()), im.AccountActive, im.Departed).visibleTo(v, im.KindMember).add("))")
	}
	if !f.IdleSince.IsZero() {
		where.add(" and a.status = 'ACTIVE' and (a.status_until is null or a.status_until > ?) and (a.last_active_at < ? or a.last_active_at is null)", us(s.now()), us(f.IdleSince))
	}
	return list(ctx, s, listing[im.Account]{columns: accountColumns, from: "accounts a", where: where, order: order{id: "a.id"},
		scan: func(row row) (im.Account, page.Position, error) {
			a, err := s.accountNow(row)
			return a, page.Position{ID: a.ID}, err
		}}, r)
}

// StatusReasons reads why accounts have their status.
func (s *Store) StatusReasons(ctx context.Context, accounts []im.ID) (map[im.ID]im.Text, error) {
	var boxes []box
	q := new(builder).add("select a.id, a.status_reason from accounts a where a.status_reason is not null and a.id in ").in(accounts)
	err := s.read(ctx, q.stmt(func(r row) error {
		b := box{place: placeStatus, into: new(im.Text)}
		err := r.Scan(&b.row, blob{&b.sealed})
		boxes = append(boxes, b)
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read reasons of accounts")
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID]im.Text, len(boxes))
	for _, b := range boxes {
		out[b.row] = *b.into
	}
	return out, nil
}

// BindingsOf reads who had accounts when, newest first.
func (s *Store) BindingsOf(ctx context.Context, accounts []im.ID) (map[im.ID][]im.AccountBinding, error) {
	var rows []*im.AccountBinding
	var boxes []box
	q := new(builder).add("select b.id, b.account_id, b.member_id, b.from_at, b.until_at, b.reason from account_bindings b where b.account_id in ").
		in(accounts).add(" order by b.account_id, b.from_at desc, b.id desc")
	err := s.read(ctx, q.stmt(func(r row) error {
		var b im.AccountBinding
		var sealed []byte
		err := r.Scan(&b.ID, &b.AccountID, &b.MemberID, stamp{&b.From}, stamp{&b.Until}, blob{&sealed})
		rows = append(rows, &b)
		if sealed != nil {
			boxes = append(boxes, box{sealed: sealed, place: placeBinding, row: b.ID, into: &b.Reason})
		}
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read bindings of accounts")
	}
	if err := s.keys.open(ctx, boxes); err != nil {
		return nil, err
	}
	out := make(map[im.ID][]im.AccountBinding)
	for _, b := range rows {
		out[b.AccountID] = append(out[b.AccountID], *b)
	}
	return out, nil
}

const deviceColumns = "v.id, v.account_id, v.label, v.kind, v.company_owned, v.last_seen_at, v.signed_in"

func scanDevice(r row) (d im.Device, err error) {
	err = r.Scan(&d.ID, &d.AccountID, &d.Label, &d.Kind, &d.CompanyOwned, stamp{&d.LastSeenAt}, &d.SignedIn)
	return d, err
}

// Devices reads devices by id, of accounts that the viewer may see.
func (s *Store) Devices(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Device, error) {
	return byIDs(ctx, s, v, im.KindAccount, deviceColumns, "devices v join accounts a on a.id = v.account_id", "v.id", ids, scanDevice,
		func(d im.Device) im.ID { return d.ID })
}

// DevicesOf reads the devices of accounts.
func (s *Store) DevicesOf(ctx context.Context, accounts []im.ID) (map[im.ID][]im.Device, error) {
	q := new(builder).add("select " + deviceColumns + " from devices v where v.account_id in ").in(accounts).add(" order by v.account_id, v.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (im.Device, error) {
		d, err := scanDevice(r)
		*parent = d.AccountID
		return d, err
	})
}

const identityColumns = "i.id, i.member_id, i.provider, i.subject, i.personal, i.linked_at"

func scanIdentity(r row) (i im.IdentityLink, err error) {
	err = r.Scan(&i.ID, &i.MemberID, &i.Provider, &i.Subject, &i.Personal, stamp{&i.LinkedAt})
	return i, err
}

// Identities reads links by id, of members whom the viewer may see.
func (s *Store) Identities(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.IdentityLink, error) {
	return byIDs(ctx, s, v, im.KindMember, identityColumns, "identity_links i join members m on m.id = i.member_id", "i.id", ids, scanIdentity,
		func(i im.IdentityLink) im.ID { return i.ID })
}

// IdentitiesOf reads the links of members.
func (s *Store) IdentitiesOf(ctx context.Context, members []im.ID) (map[im.ID][]im.IdentityLink, error) {
	q := new(builder).add("select " + identityColumns + " from identity_links i where i.member_id in ").in(members).add(" order by i.member_id, i.id")
	return many(ctx, s, q, func(r row, parent *im.ID) (im.IdentityLink, error) {
		i, err := scanIdentity(r)
		*parent = i.MemberID
		return i, err
	})
}
