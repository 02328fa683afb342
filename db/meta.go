package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// The keys of meta.
const (
	metaEpoch  = "epoch"  // names this life of the database
	metaClock  = "clock"  // high-water mark of the clock, microseconds
	metaOffset = "offset" // of the demo's clock, nanoseconds
	metaDemo   = "demo"   // present: the demo made this database
	metaPolicy = "policy" // the version in force
	metaPrint  = "print"  // id and wrapped secret of the fingerprint key, of which there is one
)

func metaStmt(key string, into *string) stmt {
	return stmt{text: "select value from meta where key = ?", args: []any{key}, scan: func(r row) error { return r.Scan(into) }}
}

// onceMeta sets a value that is set once in the life of a database.
func onceMeta(key, value string) stmt {
	return stmt{text: "insert into meta (key, value) values (?, ?) on conflict (key) do nothing", args: []any{key, value}}
}

// ErrKeyset: the database cannot be read under the master key that was given.
var ErrKeyset = errors.New("encryption.keyset_file: this database was made under another keyset; give the one it was made under")

// fingerprintSubject owns the fingerprint key: no person.
var fingerprintSubject = im.ID{15: 1}

// Start readies a database whose schema is current for serving: it makes what there is once in the life of a database,
// and loads the fingerprint key. It fails where the database was made under another master key.
func (s *Store) Start(ctx context.Context) error {
	id := s.ids.New()
	_, wrapped, err := s.keys.master.NewKey(id, fingerprintSubject)
	if err != nil {
		return err
	}
	err = s.write(ctx, []stmt{
		onceMeta(metaEpoch, newEpoch()),
		onceMeta(metaClock, strconv.FormatInt(s.now().UnixMicro(), 10)),
		onceMeta(metaPrint, fmt.Sprintf("%s %x", id, wrapped)),
	})
	if err != nil {
		return err
	}
	if err := s.fold(ctx); err != nil {
		return err
	}
	return s.loadPrint(ctx)
}

func (s *Store) loadPrint(ctx context.Context) error {
	var text string
	if err := s.read(ctx, metaStmt(metaPrint, &text)); err != nil {
		return err
	}
	var id string
	var wrapped []byte
	if _, err := fmt.Sscanf(text, "%s %x", &id, &wrapped); err != nil {
		return errors.New("the fingerprint key in meta is malformed")
	}
	kid, err := im.ParseID(id)
	if err != nil {
		return err
	}
	k, err := s.keys.master.Unwrap(kid, fingerprintSubject, wrapped)
	if errors.Is(err, envelope.ErrWrongKey) {
		return ErrKeyset
	}
	s.print = k
	return err
}

// Fingerprint is a keyed hash of b: equal for equal input, and of no use to whoever sees it without the key.
func (s *Store) Fingerprint(b []byte) []byte { return s.print.MAC(b) }

// State is what stands in a database before it is used.
type State struct {
	Empty    bool // no tables at all, or our tables and nobody in the directory
	Current  bool // the schema is that of this program
	Demo     bool // the demo made it
	Clock    time.Time
	Offset   time.Duration
	Existing string // a table that stands there, where it is neither empty nor ours
}

// Inspect says what stands in the database, and changes nothing.
func (s *Store) Inspect(ctx context.Context) (st State, err error) {
	var tables, ours int
	if err := s.read(ctx, s.tables("not in ('schema_migrations', 'schema_locks')", &tables),
		s.tables("in ('meta', 'schema_migrations', 'schema_locks')", &ours)); err != nil {
		return st, unavailable(err, "inspect database")
	}
	st.Empty = tables == 0
	if st.Empty {
		return st, nil
	}
	if ours < 3 { // somebody else may have a table called meta
		err := s.read(ctx, s.anyTable(&st.Existing))
		return st, unavailable(err, "inspect database")
	}
	var demo, clock, offset string
	var people int
	err = s.read(ctx, metaStmt(metaDemo, &demo), metaStmt(metaClock, &clock), metaStmt(metaOffset, &offset), s.tables("= 'members'", &people))
	if err == nil && people > 0 {
		err = s.read(ctx, stmt{text: "select count(*) from (select 1 from members limit 1) one", scan: func(r row) error { return r.Scan(&people) }})
	}
	if err != nil {
		return st, unavailable(err, "inspect database")
	}
	st.Demo, st.Empty = demo != "", people == 0
	ms, err := s.Migrations(ctx)
	if err != nil {
		return st, unavailable(err, "inspect migrations")
	}
	st.Current = !slices.ContainsFunc(ms, func(m Migration) bool { return !m.Applied })
	if n, err := strconv.ParseInt(clock, 10, 64); err == nil {
		st.Clock = time.UnixMicro(n).UTC()
	}
	if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
		st.Offset = time.Duration(n)
	}
	return st, nil
}

// tables counts the tables whose names meet a condition.
func (s *Store) tables(condition string, n *int) stmt {
	q := "select count(*) from sqlite_master where type = 'table' and name not like 'sqlite_%' and name "
	if s.eng.postgres() {
		q = "select count(*) from information_schema.tables where table_schema = current_schema() and table_name "
	}
	return stmt{text: q + condition, scan: func(r row) error { return r.Scan(n) }}
}

func (s *Store) anyTable(name *string) stmt {
	q := "select min(name) from sqlite_master where type = 'table' and name not like 'sqlite_%'"
	if s.eng.postgres() {
		q = "select min(table_name::text) from information_schema.tables where table_schema = current_schema()"
	}
	return stmt{text: q, scan: func(r row) error { return r.Scan(name) }}
}

// KeepOffset keeps the offset of the demo's clock, where none that is greater is kept: of two replicas that move it at
// once, neither sets it back.
func (s *Store) KeepOffset(ctx context.Context, d time.Duration) error {
	return unavailable(s.write(ctx, []stmt{{text: `insert into meta (key, value) values (?, ?) on conflict (key) do update
		set value = excluded.value where cast(meta.value as bigint) < cast(excluded.value as bigint)`,
		args: []any{metaOffset, strconv.FormatInt(int64(d), 10)}}}), "keep clock offset")
}

// Offset reads the offset of the demo's clock.
func (s *Store) Offset(ctx context.Context) (d time.Duration, err error) {
	var text string
	if err := s.read(ctx, metaStmt(metaOffset, &text)); err != nil || text == "" {
		return 0, unavailable(err, "read clock offset")
	}
	d, err = time.ParseDuration(text + "ns")
	if err != nil {
		return 0, fault.Wrap(err, "clock offset")
	}
	return d, nil
}

// policyStmts keep the files of a policy version, so that the rules of old decisions can be shown, and put it in force.
func policyStmts(p ledger.Policy) []stmt {
	keep := stmt{text: "insert into policy_versions (version, bundle, loaded_at) values (?, ?, ?) on conflict (version) do nothing",
		args: []any{p.Version, p.Bundle, us(p.At)}}
	if p.Before == "" {
		return []stmt{keep, {text: "insert into meta (key, value) values (?, ?) on conflict (key) do nothing", args: []any{metaPolicy, p.Version}, want: 1}}
	}
	return []stmt{keep, {text: "update meta set value = ? where key = ? and value = ?", args: []any{p.Version, metaPolicy, p.Before}, want: 1}}
}

// ActivePolicy is the version of the policy files that is in force; empty before there was one.
func (s *Store) ActivePolicy(ctx context.Context) (version string, err error) {
	err = s.read(ctx, metaStmt(metaPolicy, &version))
	return version, unavailable(err, "read the policy in force")
}

// PolicyBundle reads the files of the policy version whose name begins with prefix; nil where there is none.
func (s *Store) PolicyBundle(ctx context.Context, prefix string) (b []byte, err error) {
	err = s.read(ctx, stmt{text: `select bundle from policy_versions where version like ? escape '\' order by version limit 1`,
		args: []any{prefix + "%"}, scan: func(r row) error { return r.Scan(blob{&b}) }})
	return b, unavailable(err, "read policy version")
}
