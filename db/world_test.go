package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// now is when everything in these tests happens.
var now = time.Date(2026, 11, 20, 1, 30, 0, 123_456_000, time.UTC)

func clock() time.Time { return now }

// ids are all that these tests make, so that the order of making is the order of ids.
var ids = im.NewIDs(clock)

// world is a store on a fresh database with the demo company in it, and the bare database beside it.
type world struct {
	*db.Store
	t   testing.TB
	dsn string
	raw *sql.DB
	co  directory.Snapshot
}

func open(t testing.TB, dsn string, master *envelope.Master) *db.Store {
	t.Helper()
	s, err := db.Open(t.Context(), dsn, db.Options{Master: master, Now: clock})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// started is an open store that is ready to serve.
func started(t testing.TB, dsn string) *db.Store {
	t.Helper()
	s := open(t, dsn, envelope.Demo())
	_, err := s.Migrate(t.Context())
	must(t, err)
	must(t, s.Start(t.Context()))
	return s
}

func newWorld(t testing.TB, dsn string) *world {
	t.Helper()
	return newWorldOf(t, dsn, demo.Company(ids, now))
}

func newWorldOf(t testing.TB, dsn string, co directory.Snapshot) *world {
	t.Helper()
	w := &world{Store: started(t, dsn), t: t, dsn: dsn, raw: bare(t, dsn), co: co}
	must(t, w.SeedDemo(t.Context(), co))
	return w
}

// reopen is another store on the same database, after this one was closed: nothing is cached in it.
func (w *world) reopen() *db.Store {
	w.t.Helper()
	must(w.t, w.Close())
	w.Store = started(w.t, w.dsn)
	return w.Store
}

func onSQLite(dsn string) bool { return strings.HasPrefix(dsn, "sqlite:") }

// bare is the database without the store.
func bare(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, name := "pgx", dsn
	if onSQLite(dsn) {
		driver, name = "sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+"?_pragma=busy_timeout(5000)"
	}
	d, err := sql.Open(driver, name)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// exec runs a statement on the bare database.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.raw.Exec(w.bind(query), args...)
	must(w.t, err)
}

// one reads one value of the bare database.
func one[T any](w *world, query string, args ...any) (v T) {
	w.t.Helper()
	must(w.t, w.raw.QueryRow(w.bind(query), args...).Scan(&v))
	return v
}

func (w *world) bind(query string) string {
	for i := 1; !onSQLite(w.dsn) && strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", i), 1)
	}
	return query
}

// tables are all tables of a database but those of the migrations.
func tables(t testing.TB, d *sql.DB, dsn string) (out []string) {
	t.Helper()
	q := `select table_name from information_schema.tables where table_schema = 'public' and table_name not like 'schema\_%'`
	if onSQLite(dsn) {
		q = `select name from sqlite_master where type = 'table' and name not like 'schema\_%' escape '\' and name not like 'sqlite\_%' escape '\'`
	}
	rows, err := d.Query(q)
	must(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		out = append(out, name)
	}
	must(t, rows.Err())
	slices.Sort(out)
	return out
}

// counts are the rows of every table.
func (w *world) counts() map[string]int {
	w.t.Helper()
	out := map[string]int{}
	for _, name := range tables(w.t, w.raw, w.dsn) {
		out[name] = one[int](w, "select count(*) from "+name)
	}
	return out
}

// all is a viewer from whom nothing is hidden.
var all = im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}, im.KindAccount: {im.ScopeAll}, im.KindContact: {im.ScopeAll}, im.KindGroup: {im.ScopeAll},
	im.KindRelationship: {im.ScopeAll}, im.KindApproval: {im.ScopeAll}, im.KindAudit: {im.ScopeAll}, im.KindAlert: {im.ScopeAll}}}

// workspace is the first of a snapshot's; everybody of the demo is on it.
func (w *world) workspace() im.ID { return w.co.Workspaces[0].ID }

func (w *world) member(i int) im.ID { return w.co.Members[i%len(w.co.Members)].ID }

// block is an active relationship between two members.
func (w *world) block(initiator, target im.ID) im.Relationship {
	return im.Relationship{ID: ids.New(), WorkspaceID: w.workspace(), Kind: im.Block, State: im.Active, Version: 1, Scope: im.InitiatorView,
		Source: im.FromAPI, InitiatorID: initiator, Target: im.Ref{Kind: im.KindMember, ID: target}, Reason: "as it is", CreatedAt: now,
		EffectiveAt: now, Enforcement: im.EnforcedNative, DecisionID: ids.New()}
}

// posting is what a command writes that makes a relationship.
func posting(r im.Relationship) ledger.Unit {
	ref := im.Ref{Kind: im.KindRelationship, ID: r.ID}
	return ledger.Unit{
		Relationships: []im.Relationship{r},
		Decisions:     []im.Decision{{ID: r.DecisionID, At: now, Action: "block", ActorID: r.InitiatorID, Outcome: im.Allow, PolicyVersion: "v"}},
		Changes:       []im.Change{im.RelationshipChange(ids.New(), now, r, "")},
		Events: []im.AuditEvent{{ID: ids.New(), At: now, Actor: im.Ref{Kind: im.KindMember, ID: r.InitiatorID}, ActorName: "actor", Action: "block",
			Outcome: im.Allow, Subject: ref, SubjectName: "subject", About: r.Target.ID, WorkspaceID: r.WorkspaceID, DecisionID: r.DecisionID,
			Detail: r.Reason}},
	}
}

// policy is the rules as they are shipped, with those of every platform.
func policy(t testing.TB) (*authz.Engine, *platform.Catalogue) {
	t.Helper()
	c := platform.NewCatalogue(adapters.All())
	src := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, p := range c.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: p.Name, Organisation: p.Organisation})
		if p.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(p.Name), Domain: p.Name, Files: p.Rules})
		}
	}
	src.Layers = authz.Shipped(more...)
	e, err := authz.Build(src)
	must(t, err)
	return e, c
}

// as is a person of the company with the rights that policy gives.
func (w *world) as(who *identity.Service, m im.ID) im.Viewer {
	w.t.Helper()
	v, err := who.Viewer(context.Background(), m)
	must(w.t, err)
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails where the two are not equal; empty lists equal none.
func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}
