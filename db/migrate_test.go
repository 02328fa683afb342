package db_test

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// released is the checksum of every migration that stands in a release, by its path. A released file is never changed:
// another one is added, with its line here.
const released = `
4cf3b36c9d6ef9797c83fe7d85b64b66ba6e1013cd60e0575eb2075160b7c2db postgres/20261121000001_create_directory.tx.down.sql
783e54dfded286e7a0a359c65ad293e501bb684c755f4fd00d3398c529a64af2 postgres/20261121000001_create_directory.tx.up.sql
4796a0906b48cbe0f80bb18c29e2d9a05c611145d1910eedf6c35e45e7a7c859 postgres/20261121000002_create_relationships.tx.down.sql
966eaf8f7d41c423bbc7027402dddff29a7925d903f9e2f0fec390e4412c4a75 postgres/20261121000002_create_relationships.tx.up.sql
c00bc750c8cdf1cbf1da7a8748415b735fe059587f1630620966bb2fa4212857 postgres/20261121000003_create_evidence.tx.down.sql
4cdcc6bb431dbcb8c63fa8cd84c5e1b13e90c1755dcbccfdb8fef43445683ae8 postgres/20261121000003_create_evidence.tx.up.sql
9c8dd7829e79a33a5018b2da7a1ccea95ec3956f7f7a038da95ec97749d74640 postgres/20261122000001_create_delivery.tx.down.sql
546a28783270a1c82f21ec660be44b0965010188568cfd355a974c80f061cd2a postgres/20261122000001_create_delivery.tx.up.sql
dbba4b8280eec478e3d04dc993c1fe7483b911afada6f0a84366f619202dcd4d postgres/20261122000002_add_asked.tx.down.sql
8d3908a549701f79cdf822a2c24997c70fd9570140105cd5b56bb3c53b002576 postgres/20261122000002_add_asked.tx.up.sql
d4128f79db3da171a6bfedf32891f46e6343c8fd88b79a20cf17fcdb9602fbfe postgres/20261122000003_index_staged.tx.down.sql
c42502a551e2ed634b0a2fc4215efa4e8b992a8eabcb8ae10266f4628bd5de78 postgres/20261122000003_index_staged.tx.up.sql
96b1063b1d7e6db79a58b9a29ba62393d2785479aca49337953c87cfdd19a7f2 postgres/20261128000001_complete_directory.tx.down.sql
2cfb5ad746132df5f4323c647545616dc83c09b8b32ce976dcb5f9e9bffb6326 postgres/20261128000001_complete_directory.tx.up.sql
ec6400d46abd8e3b0c7d8cf653fdfcadfc7323e651ac69b652ee2febe11b4b89 postgres/20261128000002_widen_changes.tx.down.sql
0886000304da49dc0331600463769a9f15c693b3da83f650202a7bc31cec9287 postgres/20261128000002_widen_changes.tx.up.sql
329d281c59b67bc6a89bacdd7c8a4abdda3818ea1dda86520ed377730c003566 postgres/20261128000003_create_services.tx.down.sql
6421a4c935d7c3a86c2274b1f88ffcc63ce04ba357a452ff545101fe630a8dd9 postgres/20261128000003_create_services.tx.up.sql
8c726781f4e3ba19aae1ed594359e028761b8189b1585fca527a0c8bff5c1b18 postgres/20261128000004_create_imports.tx.down.sql
19338872de68e93fa5d11fe2a8128e1261506d070bc7427daf2545d65996f181 postgres/20261128000004_create_imports.tx.up.sql
7d7a6c6f6b6e78a689ab7fa14565ad00b3e345f4e9d242adecc36e165d48274f postgres/20261128000005_widen_relationships.tx.down.sql
2558b833c54361f15347654aa977a50bc651cd893c05e0ae1b8c3b5ec230da72 postgres/20261128000005_widen_relationships.tx.up.sql
42451f52188118f2c83a3f9c967d4b264f39648a48b6786ad24ac0f3bc52bdb8 postgres/20261128000006_follow_accounts.tx.down.sql
f6b88aa496296edf60155b99a1039469da27a5f16061f52b4d3f59cd55c3c80c postgres/20261128000006_follow_accounts.tx.up.sql
0cdaa5e7b9b5382f3b90221e0d1160874f0a3e8f9e172983d96a176ce45ba7de postgres/20261128000007_create_messages.tx.down.sql
bdb3ab550fe9ff1b5bdd3c7b52d582571e8e87dcc4107baee5412429aa377d87 postgres/20261128000007_create_messages.tx.up.sql
7d28e216acabe07990a5996dd4ee611d4ab46d8f2826743af34a15bbb03763d1 postgres/20261128000008_index_lists.tx.down.sql
c8d2fb911ba605f68535b233a32b1c51208346a4a401d1f3bd552b9b1242de84 postgres/20261128000008_index_lists.tx.up.sql
78a5abcc833c758d57b5e54856e6e9893a45b63ff7870eed8c279d1e6572bbf6 postgres/20261128000012_add_prevented.tx.down.sql
496c3ebf0a46e4e39dd2d53dd6e8d7bc4a91521617ae184ada7b01713773b095 postgres/20261128000012_add_prevented.tx.up.sql
ad05e12161895550c951f998edab26efc7f5ee378777e460d377b6945d5db21f postgres/20261128000013_count_import_rows.tx.down.sql
4b6c422e8a558a7ec7f804547a871e018921ed407d1ef18c298944ac4eb4230e postgres/20261128000013_count_import_rows.tx.up.sql
037faa2f177086e786176b7dd76450170c98b88e605ad4c5e22468838d46c478 postgres/20261128000015_import_blacklists.tx.down.sql
b6421ef158faa6f43b283b5a43ec9e802cb5ce96ce0552f22d28992423ab6c7f postgres/20261128000015_import_blacklists.tx.up.sql
9e60a4237672baf25ec80742c7891a0873345d5989ab8ae610e0dc05282f38b7 postgres/20261128000016_create_notices.tx.down.sql
c35596654e99c61bda7fa51a2256c4748b034d0a0559664fdba1286e998c73f0 postgres/20261128000016_create_notices.tx.up.sql
ecec2a4b8a9b2aa5b8e4740b3177359137fae27b096c30c769a0be8f16d586a1 postgres/20261128000017_dial_contacts.tx.down.sql
b0d79d73e9a840380f0d801e5b9eb792aa2041edcb6d302db43b4da43456e58e postgres/20261128000017_dial_contacts.tx.up.sql
bd450f5b833a1a1ed3c4f93c8c444a969c10de07fd6758c0a653da94084887ac postgres/20261128000018_count_lines.tx.down.sql
fe5d9a560b411c3f2af78b4a5f3c47473148da2940c3bb4be44b91661300684b postgres/20261128000018_count_lines.tx.up.sql
89103f7bb479615e5ccf1e56805309a6e160877b828fbde03ed817498960c4da postgres/20261128000019_create_webhooks.tx.down.sql
c055de1065f35f8deff82fa17005f786934cc495d7981b733e279f39d718bc50 postgres/20261128000019_create_webhooks.tx.up.sql
b3355bc001f5b86e42c209f6ed8d29354a1212757b5eb0038e8f8ec80459ff73 postgres/20261128000022_escalate_approvals.tx.down.sql
cd86e71e4e59c6a67b03aa8cd8555a79bc2bc8148865d67d9ba73bfb1dcfb9cb postgres/20261128000022_escalate_approvals.tx.up.sql
b2531e3156faa4519e6568830992327538d8a7421a71d09cf755f73175f25dfc postgres/20261128000025_index_idle_accounts.tx.down.sql
cc4aac697cb11d90f77e341066af1432cdc369b5155f2bf9c6e0525527171ef7 postgres/20261128000025_index_idle_accounts.tx.up.sql
4cf3b36c9d6ef9797c83fe7d85b64b66ba6e1013cd60e0575eb2075160b7c2db sqlite/20261121000001_create_directory.tx.down.sql
4aa9fa990ac26aa38e2865ea764cf958b86d9939cccfd97fff6a5c65992cd5f2 sqlite/20261121000001_create_directory.tx.up.sql
4796a0906b48cbe0f80bb18c29e2d9a05c611145d1910eedf6c35e45e7a7c859 sqlite/20261121000002_create_relationships.tx.down.sql
2596d10b669ee384a114598ea3b0e7dc83d058f8ebd14844bc20e8bab87d9892 sqlite/20261121000002_create_relationships.tx.up.sql
c00bc750c8cdf1cbf1da7a8748415b735fe059587f1630620966bb2fa4212857 sqlite/20261121000003_create_evidence.tx.down.sql
742e8312bfd4534ec739e9657a37ba52ef72e3227cb412aaed2a86e4d5dcbb3b sqlite/20261121000003_create_evidence.tx.up.sql
9c8dd7829e79a33a5018b2da7a1ccea95ec3956f7f7a038da95ec97749d74640 sqlite/20261122000001_create_delivery.tx.down.sql
0c1faf04cec59264e7d24ef92cfbc800a35a8f398ab9646b6802e2c50c45a222 sqlite/20261122000001_create_delivery.tx.up.sql
dbba4b8280eec478e3d04dc993c1fe7483b911afada6f0a84366f619202dcd4d sqlite/20261122000002_add_asked.tx.down.sql
d4c123cf60d95e88922878a636fb469feaaa60578a9479a89567c45bae242b4b sqlite/20261122000002_add_asked.tx.up.sql
d4128f79db3da171a6bfedf32891f46e6343c8fd88b79a20cf17fcdb9602fbfe sqlite/20261122000003_index_staged.tx.down.sql
c42502a551e2ed634b0a2fc4215efa4e8b992a8eabcb8ae10266f4628bd5de78 sqlite/20261122000003_index_staged.tx.up.sql
96b1063b1d7e6db79a58b9a29ba62393d2785479aca49337953c87cfdd19a7f2 sqlite/20261128000001_complete_directory.tx.down.sql
a38cc5248464551dc866cc766c022fcd25401a43b4d86aeebc36b9926a5ab1d8 sqlite/20261128000001_complete_directory.tx.up.sql
fd792dae390871e674107a5d34055eb2c5c77800164ba8760ff61e3149b0618b sqlite/20261128000002_widen_changes.tx.down.sql
9651f10b5e2fc2a00bf80dd8eff673cf24e653338c9e7dffaf2ed6df3489cd9d sqlite/20261128000002_widen_changes.tx.up.sql
e7a974de6d1a2cdbf107ef8d1e5d510dec23eb9c347e1d8319c0ac08035e9e3e sqlite/20261128000003_create_services.tx.down.sql
2afe84517f38b94cbcba2a50fffd144edabedfc19937116ea90b11a9c9d43a35 sqlite/20261128000003_create_services.tx.up.sql
8c726781f4e3ba19aae1ed594359e028761b8189b1585fca527a0c8bff5c1b18 sqlite/20261128000004_create_imports.tx.down.sql
7ec44805db652a622a10367d2c4f7808533bcb96c77edb945a8fc1c1fcd21a18 sqlite/20261128000004_create_imports.tx.up.sql
7d7a6c6f6b6e78a689ab7fa14565ad00b3e345f4e9d242adecc36e165d48274f sqlite/20261128000005_widen_relationships.tx.down.sql
36e02267e3c0e059bc84b77d6533925434877a98cec34e54544d32eccf887de8 sqlite/20261128000005_widen_relationships.tx.up.sql
42451f52188118f2c83a3f9c967d4b264f39648a48b6786ad24ac0f3bc52bdb8 sqlite/20261128000006_follow_accounts.tx.down.sql
22b14e2b3bbf38db4e354f8d8c65283f1c62db38b5b3c6657da3aa382adb1908 sqlite/20261128000006_follow_accounts.tx.up.sql
0cdaa5e7b9b5382f3b90221e0d1160874f0a3e8f9e172983d96a176ce45ba7de sqlite/20261128000007_create_messages.tx.down.sql
ba9efcc0ae5ce85b4208671ec5a186bf2c6434def78fade27985579981951b2a sqlite/20261128000007_create_messages.tx.up.sql
7d28e216acabe07990a5996dd4ee611d4ab46d8f2826743af34a15bbb03763d1 sqlite/20261128000008_index_lists.tx.down.sql
936ea1bb34b460635d47614d93bcede4f200e246e57ae590d45de86743ba1fb0 sqlite/20261128000008_index_lists.tx.up.sql
78a5abcc833c758d57b5e54856e6e9893a45b63ff7870eed8c279d1e6572bbf6 sqlite/20261128000012_add_prevented.tx.down.sql
496c3ebf0a46e4e39dd2d53dd6e8d7bc4a91521617ae184ada7b01713773b095 sqlite/20261128000012_add_prevented.tx.up.sql
ad05e12161895550c951f998edab26efc7f5ee378777e460d377b6945d5db21f sqlite/20261128000013_count_import_rows.tx.down.sql
4b6c422e8a558a7ec7f804547a871e018921ed407d1ef18c298944ac4eb4230e sqlite/20261128000013_count_import_rows.tx.up.sql
037faa2f177086e786176b7dd76450170c98b88e605ad4c5e22468838d46c478 sqlite/20261128000015_import_blacklists.tx.down.sql
e4329ab468f962019a0b892a47a265f012345736f0b3db20278d97211bbb6cdd sqlite/20261128000015_import_blacklists.tx.up.sql
9e60a4237672baf25ec80742c7891a0873345d5989ab8ae610e0dc05282f38b7 sqlite/20261128000016_create_notices.tx.down.sql
3cc6080afe5f223b55832ac4f19afa71170fea7f85adf6a7fbcb9cc3a81c9b09 sqlite/20261128000016_create_notices.tx.up.sql
ecec2a4b8a9b2aa5b8e4740b3177359137fae27b096c30c769a0be8f16d586a1 sqlite/20261128000017_dial_contacts.tx.down.sql
b773ae6fe69bddada0c73f7b662eb2dc89c9ea1aea3ebd741b6f1dbb7dcc9f94 sqlite/20261128000017_dial_contacts.tx.up.sql
bd450f5b833a1a1ed3c4f93c8c444a969c10de07fd6758c0a653da94084887ac sqlite/20261128000018_count_lines.tx.down.sql
5b0860d102e1015be276fad43d1b934f62e04f97df932eccb0142a10e8199bf5 sqlite/20261128000018_count_lines.tx.up.sql
89103f7bb479615e5ccf1e56805309a6e160877b828fbde03ed817498960c4da sqlite/20261128000019_create_webhooks.tx.down.sql
9aa8c5230d6fb7b2a5a8aa1fad501bfa7eee9a952fd17e9bfb7355e6c5ff2ae5 sqlite/20261128000019_create_webhooks.tx.up.sql
b3355bc001f5b86e42c209f6ed8d29354a1212757b5eb0038e8f8ec80459ff73 sqlite/20261128000022_escalate_approvals.tx.down.sql
5fc2975d26ff544f991773b21d664ccb927931cb3905e77cdb35bffeb9dbff46 sqlite/20261128000022_escalate_approvals.tx.up.sql
b2531e3156faa4519e6568830992327538d8a7421a71d09cf755f73175f25dfc sqlite/20261128000025_index_idle_accounts.tx.down.sql
cc4aac697cb11d90f77e341066af1432cdc369b5155f2bf9c6e0525527171ef7 sqlite/20261128000025_index_idle_accounts.tx.up.sql`

func TestReleasedMigrationsNeverChange(t *testing.T) {
	var got []string
	for _, dialect := range []string{"postgres", "sqlite"} {
		for _, name := range migrationFiles(t, dialect) {
			b, err := os.ReadFile(filepath.Join("migrations", dialect, name))
			must(t, err)
			got = append(got, fmt.Sprintf("%x %s/%s", sha256.Sum256(b), dialect, name))
		}
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(released), "\n"), got); diff != "" {
		t.Errorf("migrations differ from those released (-released +found)\n%s", diff)
	}
}

func TestMigrationFilesPair(t *testing.T) {
	pg, lite := migrationFiles(t, "postgres"), migrationFiles(t, "sqlite")
	same(t, "names of files", pg, lite)
	for _, name := range pg {
		if up, ok := strings.CutSuffix(name, ".tx.up.sql"); ok {
			if !slices.Contains(pg, up+".tx.down.sql") {
				t.Errorf("%s cannot be taken back", name)
			}
		} else if down, ok := strings.CutSuffix(name, ".tx.down.sql"); !ok || !slices.Contains(pg, down+".tx.up.sql") {
			t.Errorf("%s: expected YYYYMMDDhhmmss_verb_noun.tx.up.sql or .tx.down.sql, in pairs", name)
		}
	}
}

func migrationFiles(t *testing.T, dialect string) (out []string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join("migrations", dialect))
	must(t, err)
	for _, f := range files {
		out = append(out, f.Name())
	}
	return out
}

// What holds on one database must hold on the other: the same tables, columns, types as far as both have them, NULLs,
// and unique keys.
func TestSchemasEqual(t *testing.T) {
	pg, lite := testkit.Postgres(t), testkit.SQLite(t)
	started(t, pg)
	started(t, lite)
	same(t, "columns", columns(t, pg), columns(t, lite))
	same(t, "indexes", indexes(t, pg), indexes(t, lite))
	same(t, "primary keys", primaryKeys(t, pg), primaryKeys(t, lite))
}

// columns are lines of table, column, type and nullability. Types are those of SQLite, which has fewer.
func columns(t *testing.T, dsn string) (out []string) {
	t.Helper()
	d := bare(t, dsn)
	types := strings.NewReplacer("uuid", "blob", "bytea", "blob", "boolean", "integer", "bigint", "integer", "jsonb", "text")
	for _, table := range tables(t, d, dsn) {
		if table == "decisions_default" { // a partition
			continue
		}
		q := `select column_name, data_type, is_nullable = 'NO' from information_schema.columns where table_schema = 'public' and table_name = $1`
		if onSQLite(dsn) {
			q = "select name, lower(type), \"notnull\" from pragma_table_info(?)"
		}
		for _, c := range lines(t, d, q, 3, table) {
			out = append(out, table+" "+types.Replace(c))
		}
	}
	slices.Sort(out)
	return out
}

// indexes are the names of those that were created by name; the conditions of partial ones are behaviour and tested
// as such.
func indexes(t *testing.T, dsn string) []string {
	t.Helper()
	q := `select indexname, tablename, indexdef like '%UNIQUE%', indexdef like '% WHERE %' from pg_indexes where schemaname = 'public'
		and tablename not in (select relname from pg_class where relispartition) and indexname not like '%\_pkey' and indexname not like '%\_key' and indexname not like 'schema\_%'`
	if onSQLite(dsn) {
		q = `select name, tbl_name, lower(sql) like '%unique index%', lower(sql) like '% where %' from sqlite_master
			where type = 'index' and sql is not null`
	}
	out := lines(t, bare(t, dsn), q, 4)
	slices.Sort(out)
	return out
}

func primaryKeys(t *testing.T, dsn string) []string {
	t.Helper()
	d := bare(t, dsn)
	var out []string
	for _, table := range tables(t, d, dsn) {
		if table == "decisions_default" {
			continue
		}
		q := `select k.column_name from information_schema.table_constraints c join information_schema.key_column_usage k
			using (constraint_name, table_name) where c.constraint_type = 'PRIMARY KEY' and c.table_name = $1 order by k.ordinal_position`
		if onSQLite(dsn) {
			q = "select name from pragma_table_info(?) where pk > 0 order by pk"
		}
		out = append(out, table+" "+strings.Join(lines(t, d, q, 1, table), " "))
	}
	return out
}

// lines are the rows of a query, their columns as texts.
func lines(t *testing.T, d *sql.DB, q string, n int, args ...any) (out []string) {
	t.Helper()
	rows, err := d.Query(q, args...)
	must(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		cells := make([]any, n)
		into := make([]any, n)
		for i := range cells {
			into[i] = &cells[i]
		}
		must(t, rows.Scan(into...))
		texts := make([]string, n)
		for i, c := range cells {
			texts[i] = fmt.Sprint(c)
			if v, ok := c.(int64); ok { // SQLite's truth
				texts[i] = fmt.Sprint(v != 0)
			}
		}
		out = append(out, strings.Join(texts, " "))
	}
	must(t, rows.Err())
	return out
}

func TestUpDownUp(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		must(t, w.Post(t.Context(), whole(w).unit))
		ms, err := w.Migrations(t.Context())
		must(t, err)
		if _, err := w.Rollback(t.Context(), len(ms)+1); !errors.Is(err, db.ErrSteps) {
			t.Errorf("one step more than there are: %v", err)
		}
		down, err := w.Rollback(t.Context(), len(ms))
		must(t, err)
		if left := tables(t, w.raw, dsn); len(left) > 0 || len(down) == 0 {
			t.Fatalf("took back %v and left %v", down, left)
		}
		st, err := w.Inspect(t.Context())
		must(t, err)
		same(t, "what is left", db.State{Empty: true}, st)

		up, err := w.Migrate(t.Context())
		must(t, err)
		slices.Sort(down) // they were taken back newest first
		same(t, "steps taken again", down, up)
		again := w.reopen() // keys and epoch are those of another life
		must(t, again.SeedDemo(t.Context(), w.co))
		f := whole(w)
		must(t, again.Post(t.Context(), f.unit))
		f.check(t, w)
	})
}

// Whoever takes a step back is told before what goes with it: the very tables and columns that are gone after.
func TestLosses(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		must(t, w.Post(t.Context(), whole(w).unit))
		ms, err := w.Migrations(t.Context())
		must(t, err)
		members := false
		for range ms {
			ls, err := w.Losses(t.Context(), 1)
			must(t, err)
			before := columns(t, dsn)
			down, err := w.Rollback(t.Context(), 1)
			must(t, err)
			after := columns(t, dsn)
			same(t, "steps", []string{ls[0].Step}, down)
			var gone, want []string
			for _, c := range before {
				at := strings.Fields(c)
				isTable := slices.ContainsFunc(ls[0].Tables, func(l db.LostTable) bool { return l.Name == at[0] })
				if isTable || slices.Contains(ls[0].Columns, at[0]+"."+at[1]) {
					want = append(want, c)
				}
				if !slices.Contains(after, c) && !slices.Contains(ls[0].Parts, at[0]) && !strings.HasPrefix(at[0], "decisions_") {
					gone = append(gone, c)
				}
			}
			same(t, ls[0].Step+": what is gone", want, gone)
			for _, l := range ls[0].Tables {
				members = members || l.Name == "members" && l.Rows == int64(len(w.co.Members))
			}
		}
		if !members {
			t.Error("nobody was told how many members go")
		}
		ls, err := w.Losses(t.Context(), 1)
		must(t, err)
		same(t, "losses where nothing is left", 0, len(ls))
		down, err := w.Rollback(t.Context(), 1)
		must(t, err)
		same(t, "steps where nothing is left", 0, len(down))
	})
}

func TestMigrateTwice(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := started(t, dsn)
		names, err := s.Migrate(t.Context())
		must(t, err)
		ms, err := s.Migrations(t.Context())
		must(t, err)
		if len(names) > 0 || len(ms) == 0 {
			t.Errorf("took %v again; knows %v", names, ms)
		}
		for _, m := range ms {
			if !m.Applied {
				t.Errorf("%s is not applied", m.Name)
			}
		}
	})
}

// Two replicas that start at once: one migrates, the other waits for it, both serve.
func TestConcurrentMigrate(t *testing.T) {
	dsn := testkit.Postgres(t)
	const replicas = 4
	var wg sync.WaitGroup
	taken := make([][]string, replicas)
	prints := make([]string, replicas)
	for i := range replicas {
		s := open(t, dsn, envelope.Demo())
		wg.Go(func() {
			var err error
			if taken[i], err = s.Migrate(t.Context()); err != nil {
				t.Error(err)
			} else if err := s.Start(t.Context()); err != nil {
				t.Error(err)
			} else {
				prints[i] = string(s.Fingerprint([]byte("x")))
			}
		})
	}
	wg.Wait()
	if n := len(slices.Concat(taken...)); n != len(migrationFiles(t, "postgres"))/2 {
		t.Errorf("%d steps were taken in all: %v", n, taken)
	}
	for _, p := range prints {
		if p != prints[0] {
			t.Error("replicas that started at once have fingerprint keys of their own")
		}
	}
}

func TestInspect(t *testing.T) {
	inspect := func(t *testing.T, s *db.Store, want db.State) {
		t.Helper()
		got, err := s.Inspect(t.Context())
		must(t, err)
		same(t, "verdict", want, got)
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := open(t, dsn, envelope.Demo())
		before := tables(t, bare(t, dsn), dsn)
		inspect(t, s, db.State{Empty: true})
		same(t, "tables after looking", before, tables(t, bare(t, dsn), dsn))
		_, err := s.Migrate(t.Context())
		must(t, err)
		inspect(t, s, db.State{Empty: true, Current: true}) // nobody is in it
		must(t, s.Start(t.Context()))
		inspect(t, s, db.State{Empty: true, Current: true, Clock: now})
		must(t, s.KeepOffset(t.Context(), 90))
		inspect(t, s, db.State{Empty: true, Current: true, Clock: now, Offset: 90})
		w := newWorld(t, other(t, dsn))
		inspect(t, w.Store, db.State{Current: true, Clock: now, Demo: true})
		if err := w.SeedDemo(t.Context(), w.co); err != db.ErrSeeded {
			t.Errorf("seeded again: %v", err)
		}
		w.exec("delete from schema_migrations where name = (select max(name) from schema_migrations)")
		inspect(t, w.Store, db.State{Clock: now, Demo: true})
	})
	for _, foreign := range []string{"zoo", "schema_info", "metadata", "meta"} {
		t.Run("foreign "+foreign, func(t *testing.T) {
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				s := open(t, dsn, envelope.Demo())
				d := bare(t, dsn)
				_, err := d.Exec("create table " + foreign + " (id int)")
				must(t, err)
				inspect(t, s, db.State{Existing: foreign})
				same(t, "tables after looking", []string{foreign}, lines(t, d, anyTables(dsn), 1))
			})
		})
	}
}

// anyTables lists every table, those of migrations too.
func anyTables(dsn string) string {
	if onSQLite(dsn) {
		return "select name from sqlite_master where type = 'table'"
	}
	return "select table_name from information_schema.tables where table_schema = 'public'"
}

// other is another fresh database of the same kind.
func other(t testing.TB, dsn string) string {
	if onSQLite(dsn) {
		return testkit.SQLite(t)
	}
	return testkit.Postgres(t)
}
