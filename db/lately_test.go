package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What somebody made of late is counted by kind and time, without what bulks made; and a unit that rests on such a count is
// written only while it still holds.
func TestCountsOfLate(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		me := w.co.Members[3]
		n := 0
		made := func(at time.Time, change func(*im.Relationship)) im.Relationship {
			r := im.Relationship{ID: im.NewIDs(func() time.Time { return at }).New(), WorkspaceID: w.co.Workspaces[0].ID, Kind: im.Block, State: im.Lifted,
				Version: 1, Scope: im.InitiatorView, Source: im.FromAPI, InitiatorID: me.ID, Target: w.co.Contacts[n].Ref(), Reason: "r", CreatedAt: at,
				Enforcement: im.EnforcedRecorded, DecisionID: ids.New()}
			n++
			if change != nil {
				change(&r)
			}
			return r
		}
		blacklisting := func(r *im.Relationship) { r.Kind = im.Blacklist }
		second := made(now.Add(-time.Second), nil)
		must(t, w.Post(t.Context(), ledger.Unit{Relationships: []im.Relationship{
			made(now.Add(-10*time.Minute), nil), // just too early
			made(now.Add(-10*time.Minute+time.Microsecond), nil), second,
			made(now.Add(-time.Minute), func(r *im.Relationship) { r.Source = "BULK_API" }),
			made(now.Add(-time.Minute), func(r *im.Relationship) { r.Source = "IMPORT" }),
			made(now.Add(-time.Minute), func(r *im.Relationship) { r.Target = w.co.Members[9].Ref() }),
			made(now.Add(-time.Minute), func(r *im.Relationship) { r.InitiatorID = w.co.Members[5].ID }),
			made(now.Add(-time.Hour), blacklisting), // just too early
			made(now.Add(-59*time.Minute), blacklisting),
			made(now.Add(-59*time.Minute), func(r *im.Relationship) { blacklisting(r); r.Source = "BULK_API" }),
		}}))
		v := all
		v.Member = me
		for _, c := range []struct {
			what                  string
			made                  *im.Relationship
			blocks, blacklistings int
		}{{"a new one", nil, 2, 2}, {"the second, again, as of its own moment", &second, 2, 3}} {
			f, err := w.BlockFacts(t.Context(), blocking.BlockQuery{Viewer: v, Target: w.co.Contacts[50].Ref(), Kind: im.Block, Currency: "CNY", Now: now, Made: c.made})
			must(t, err)
			same(t, c.what, [2]int{c.blocks, c.blacklistings}, [2]int{f.Blocks, f.Blacklistings})
		}
		third := made(now, nil)
		unit := ledger.Unit{Relationships: []im.Relationship{third}, Counted: &ledger.Counted{InitiatorID: me.ID, Kind: im.Block, Since: now.Add(-10 * time.Minute), N: 1}}
		same(t, "miscounted", true, errors.Is(w.Post(t.Context(), unit), ledger.ErrStale))
		same(t, "rows", 0, one[int](w, "select count(*) from relationships where id = ?", third.ID))
		unit.Counted.N = 2
		must(t, w.Post(t.Context(), unit))
		fourth := made(now, nil)
		unit.Relationships = []im.Relationship{fourth}
		same(t, "counted before the third", true, errors.Is(w.Post(t.Context(), unit), ledger.ErrStale))
	})
}
