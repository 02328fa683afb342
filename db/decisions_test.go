package db_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

func denial(w *world, fold string) ledger.Unit {
	d := im.Decision{ID: ids.New(), At: now, Action: "check_contact", ActorID: w.member(3), Outcome: im.Deny, PolicyVersion: "v", Times: 1}
	return ledger.Unit{Decisions: []im.Decision{d}, Denial: &ledger.Denial{Fold: []byte(fold), DecisionID: d.ID, At: now}}
}

func TestDenialsAreCounted(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		first, err := w.Denied(t.Context(), []byte("a"), now)
		must(t, err)
		if !first.IsZero() {
			t.Fatalf("refused before by %s", first)
		}
		u := denial(w, "a")
		must(t, w.Post(t.Context(), u))
		if err := w.Post(t.Context(), denial(w, "a")); !errors.Is(err, ledger.ErrStale) {
			t.Errorf("a second first refusal: %v", err)
		}
		for range 3 {
			first, err = w.Denied(t.Context(), []byte("a"), now)
			must(t, err)
			same(t, "the first", u.Decisions[0].ID, first)
		}
		must(t, w.Post(t.Context(), denial(w, "b")))
		got, err := w.Decisions(t.Context(), []im.ID{u.Decisions[0].ID})
		must(t, err)
		same(t, "times", 4, got[u.Decisions[0].ID].Times)
		same(t, "rows", 2, one[int](w, "select count(*) from decisions"))
	})
}

func TestWhatWasOnlyAskedForIsForgotten(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		at := func(when time.Time, asker im.ID) im.Decision {
			d := im.Decision{ID: im.NewIDs(func() time.Time { return when }).New(), At: when, Action: "block", ActorID: w.member(3), AskedBy: asker,
				Outcome: im.Allow, PolicyVersion: "v", Times: 1}
			must(t, w.Post(t.Context(), ledger.Unit{Decisions: []im.Decision{d}}))
			return d
		}
		old, older := now.Add(-40*24*time.Hour), now.Add(-41*24*time.Hour)
		kept := at(old, im.ID{})
		asked, again, young := at(old, w.member(1)), at(older, w.member(1)), at(now, w.member(1))
		before := now.Add(-30 * 24 * time.Hour)
		n, err := w.DropAsked(t.Context(), before, 1)
		must(t, err)
		same(t, "forgotten", 1, n)
		n, err = w.DropAsked(t.Context(), before, 100)
		must(t, err)
		same(t, "forgotten then", 1, n)
		got, err := w.Decisions(t.Context(), []im.ID{kept.ID, asked.ID, again.ID, young.ID})
		must(t, err)
		same(t, "left", map[im.ID]im.Decision{kept.ID: kept, young.ID: young}, got)
	})
}

// Rows find their way into the partition of their day, and stay where they are when one comes late.
func TestDecisionsByDay(t *testing.T) {
	w := newWorld(t, testkit.Postgres(t))
	put := func(when time.Time) im.ID {
		d := im.Decision{ID: im.NewIDs(func() time.Time { return when }).New(), At: when, Action: "block", ActorID: w.member(3), Outcome: im.Allow, PolicyVersion: "v"}
		must(t, w.Post(t.Context(), ledger.Unit{Decisions: []im.Decision{d}}))
		return d.ID
	}
	day := now.Truncate(24 * time.Hour)
	early := put(now)
	var replicas sync.WaitGroup
	for range 4 { // at once, as replicas do
		replicas.Go(func() {
			if err := w.PartitionDecisions(t.Context(), now); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	must(t, w.PartitionDecisions(t.Context(), now)) // and later
	midnight, last := put(day.Add(24*time.Hour)), put(day.Add(48*time.Hour-time.Millisecond))
	late := put(day.Add(96 * time.Hour))
	for _, c := range []struct {
		id   im.ID
		want string
	}{{early, "decisions_default"}, {midnight, "decisions_20261121"}, {last, "decisions_20261121"}, {late, "decisions_default"}} {
		same(t, "partition", c.want, one[string](w, "select tableoid::regclass::text from decisions where id = ?", c.id.String()))
	}
	got, err := w.Decisions(t.Context(), []im.ID{early, midnight, last, late})
	must(t, err)
	same(t, "read back", 4, len(got))
}

// The facts of many wishes at once are those of each by itself.
func TestWishFacts(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		related, owning, open, below := 0, 0, 0, 0
		for i := range 17 {
			v := all
			v.Member = w.co.Members[i]
			q := blocking.WishQuery{Viewer: v, Currency: "CNY"}
			for _, m := range w.co.Members {
				q.Members = append(q.Members, m.ID)
			}
			for _, c := range w.co.Contacts[:60] {
				q.Contacts = append(q.Contacts, c.ID)
			}
			many, err := w.WishFacts(t.Context(), q)
			must(t, err)
			for k, id := range append(q.Members[:17:17], q.Contacts...) {
				target := im.Ref{Kind: im.KindMember, ID: id}
				if k >= 17 {
					target.Kind = im.KindContact
				}
				f, err := w.BlockFacts(t.Context(), blocking.BlockQuery{Viewer: v, Target: target, Kind: im.Block, Currency: "CNY"})
				must(t, err)
				if f.Member != nil {
					f.Member = &im.Member{ID: id, Region: f.Member.Region}
				}
				if f.Contact != nil {
					f.Contact = &im.ExternalContact{ID: id, Importance: f.Contact.Importance, Verified: f.Contact.Verified, OwnerID: f.Contact.OwnerID, Region: f.Contact.Region}
				}
				if len(f.Places) == 0 { // nobody can wish anything there
					f.Member, f.Contact = nil, nil
				}
				f.Found, f.Name = false, "" // that they are there is for the caller to know
				same(t, v.Member.AccountName+" about "+id.String(), f, many[id])
				if f.Relation != "" {
					related++
				}
				if f.OwnsSharedGroup {
					owning++
				}
				if f.OpenValue > 0 {
					open++
				}
				if f.OwnDepartment {
					below++
				}
			}
		}
		if related == 0 || owning == 0 || open == 0 || below == 0 {
			t.Errorf("nothing was compared: %d relations, %d owners, %d with business, %d below", related, owning, open, below)
		}
	})
}
