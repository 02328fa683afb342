package db

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

const (
	keyColumns = `k.id, k.service_id, s.name, k.prefix, k.hash, k.created_by, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
	(select string_agg(ks.scope, '` + separator + `') from api_key_scopes ks where ks.key_id = k.id)`
	keyTables = "api_keys k join services s on s.id = k.service_id"
)

func scanKey(r row) (k im.APIKey, err error) {
	err = r.Scan(&k.ID, &k.ServiceID, &k.ServiceName, &k.Prefix, blob{&k.Hash}, &k.CreatedBy, stamp{&k.CreatedAt}, stamp{&k.ExpiresAt},
		stamp{&k.RevokedAt}, stamp{&k.LastUsedAt}, words{&k.Scopes})
	slices.Sort(k.Scopes)
	return k, err
}

// KeyByPrefix reads the key that begins so, whoever asks.
func (s *Store) KeyByPrefix(ctx context.Context, prefix string) (k im.APIKey, found bool, err error) {
	err = s.read(ctx, stmt{text: "select " + keyColumns + " from " + keyTables + " where k.prefix = ?", args: []any{prefix},
		scan: one(&k, &found, scanKey)})
	return k, found, unavailable(err, "read API key")
}

// KeysOf reads the keys of a service, oldest first.
func (s *Store) KeysOf(ctx context.Context, service im.ID) (out []im.APIKey, err error) {
	err = s.read(ctx, stmt{text: "select " + keyColumns + " from " + keyTables + " where k.service_id = ? order by k.id", args: []any{service},
		scan: func(r row) error {
			k, err := scanKey(r)
			out = append(out, k)
			return err
		}})
	return out, unavailable(err, "read keys of a service")
}

// ServiceByName finds a service; zero where there is none.
func (s *Store) ServiceByName(ctx context.Context, name string) (id im.ID, err error) {
	err = s.read(ctx, stmt{text: "select s.id from services s where s.name = ?", args: []any{name}, scan: func(r row) error { return r.Scan(&id) }})
	return id, unavailable(err, "read service")
}

// Services reads services by id; of their keys nothing. Whoever sees what one did may see what it is called.
func (s *Store) Services(ctx context.Context, ids []im.ID) (map[im.ID]im.Service, error) {
	return byIDs(ctx, s, im.Viewer{}, "", "s.id, s.name", "services s", "s.id", ids, func(r row) (v im.Service, err error) {
		err = r.Scan(&v.ID, &v.Name)
		return v, err
	}, func(v im.Service) im.ID { return v.ID })
}

// APIKeys reads keys by id.
func (s *Store) APIKeys(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.APIKey, error) {
	return byIDs(ctx, s, v, im.KindAPIKey, keyColumns, keyTables, "k.id", ids, scanKey, func(k im.APIKey) im.ID { return k.ID })
}

// ListAPIKeys reads one page of keys, newest first.
func (s *Store) ListAPIKeys(ctx context.Context, v im.Viewer, r page.Request) (page.Result[im.APIKey], error) {
	return list(ctx, s, listing[im.APIKey]{columns: keyColumns, from: keyTables, where: new(builder).visibleTo(v, im.KindAPIKey),
		order: order{id: "k.id", desc: true}, scan: func(r row) (im.APIKey, page.Position, error) {
			k, err := scanKey(r)
			return k, page.Position{ID: k.ID}, err
		}}, r)
}

// UsedKey notes that a key let somebody in, where the last note is older than before.
func (s *Store) UsedKey(ctx context.Context, key im.ID, now, before time.Time) error {
	return unavailable(s.write(ctx, []stmt{{text: "update api_keys set last_used_at = ? where id = ? and (last_used_at is null or last_used_at < ?)",
		args: []any{us(now), key, us(before)}}}), "note the use of an API key")
}

// Standings reads what the sessions of members hang on.
func (s *Store) Standings(ctx context.Context, members []im.ID) (map[im.ID]im.Standing, error) {
	type standing struct {
		id im.ID
		im.Standing
	}
	out := make(map[im.ID]im.Standing, len(members))
	q := s.bestStanding(new(builder).add("select m.id, m.employment, m.sessions_valid_from, "), s.now()).add(" from members m where m.id in ").in(members)
	err := s.read(ctx, q.stmt(func(r row) error {
		var v standing
		best := ""
		err := r.Scan(&v.id, textOf(&v.Employment), stamp{&v.ValidFrom}, textOf(&best))
		v.Shut = im.Shut(best)
		out[v.id] = v.Standing
		return err
	}))
	return out, unavailable(err, "read standings")
}

// identityStmts writes who is let in, and who no longer is.
func identityStmts(u ledger.Unit) (ss []stmt) {
	add := func(want int64, text string, args ...any) { ss = append(ss, stmt{text: text, args: args, want: want}) }
	for _, v := range u.Services {
		add(0, "insert into services (id, name) values (?, ?)", v.ID, v.Name)
	}
	for _, k := range u.Keys {
		add(0, `insert into api_keys (id, service_id, prefix, hash, created_by, created_at, expires_at, revoked_at, last_used_at)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?)`, k.ID, k.ServiceID, k.Prefix, k.Hash, k.CreatedBy, us(k.CreatedAt), us(k.ExpiresAt), us(k.RevokedAt), us(k.LastUsedAt))
		for _, scope := range k.Scopes {
			add(0, "insert into api_key_scopes (key_id, scope) values (?, ?)", k.ID, scope)
		}
	}
	for _, k := range u.Revoked {
		add(1, "update api_keys set revoked_at = ? where id = ? and revoked_at is null", us(k.RevokedAt), k.ID)
	}
	for _, c := range u.CutOffs { // a later one holds
		add(0, "update members set sessions_valid_from = ? where id = ? and (sessions_valid_from is null or sessions_valid_from < ?)",
			us(c.From), c.MemberID, us(c.From))
	}
	return ss
}
