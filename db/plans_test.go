package db_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What has to stay quick in a large company is found by an index. SQLite plans alike however many rows there are; PostgreSQL joins
// the parties of a check row by row, also while its tables are small.
func TestPlans(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		all := im.Scope{im.ScopeAll}
		admin := im.Viewer{Member: w.co.Members[0], Scopes: map[im.Kind]im.Scope{im.KindMember: all, im.KindContact: all, im.KindGroup: all,
			im.KindAccount: all, im.KindRelationship: all}}
		first := page.Request{Size: 50}
		for what, x := range map[string]struct {
			read func() error
			lite string // what SQLite does
		}{
			"relationships made before": {func() error {
				_, err := w.ListRelationships(t.Context(), admin, blocking.RelationshipFilter{CreatedBefore: now}, now, first)
				return err
			}, `^SEARCH r USING PRIMARY KEY \(id<\?\)$`},
			"relationships made after": {func() error {
				_, err := w.ListRelationships(t.Context(), admin, blocking.RelationshipFilter{CreatedAfter: now}, now, first)
				return err
			}, `^SEARCH r USING PRIMARY KEY \(id>\?\)$`},
			"frozen accounts": {func() error {
				_, err := w.ListAccounts(t.Context(), admin, directory.AccountFilter{Status: im.AccountFrozen}, first)
				return err
			}, `^SCAN a USING INDEX accounts_unusual$`},
			"idle accounts": {func() error {
				_, err := w.ListAccounts(t.Context(), admin, directory.AccountFilter{IdleSince: now}, page.Request{Size: 50, Count: true})
				return err
			}, `^SCAN a USING (COVERING )?INDEX accounts_idle$`},
			"a contact check": {func() error {
				_, err := w.CheckFacts(t.Context(), admin, now, []blocking.Pair{{From: w.co.Members[1].Ref(), To: w.co.Members[2].Ref()}})
				return err
			}, `^SEARCH r USING (COVERING )?INDEX relationships_(effective|workspace) `},
		} {
			plans, err := w.Plans(x.read)
			must(t, err)
			for _, plan := range plans {
				switch {
				case onSQLite(dsn):
					if !regexp.MustCompile(`(?m)` + x.lite).MatchString(plan) {
						t.Errorf("%s: want %s, got\n%s", what, x.lite, plan)
					}
				case what == "a contact check" && (strings.Contains(plan, "Seq Scan on relationships") || strings.Contains(plan, "Seq Scan on departments")):
					t.Errorf("%s:\n%s", what, plan)
				}
			}
			if len(plans) == 0 {
				t.Errorf("%s: nothing is read", what)
			}
		}
	})
}
