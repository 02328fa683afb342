package db_test

import (
	"fmt"
	"testing"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What many contacts are blacklisted on is what each of them is blacklisted on alone, in a constant number of statements.
func TestContactFactsAreBlockFacts(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		stands := im.Relationship{ID: ids.New(), Kind: im.Blacklist, State: im.Active, Version: 1, Scope: im.InitiatorView, Source: im.FromImport, Reason: "r",
			InitiatorID: w.co.Members[3].ID, WorkspaceID: w.co.Contacts[0].WorkspaceID, Target: w.co.Contacts[0].Ref(), CreatedAt: now, EffectiveAt: now,
			Enforcement: im.EnforcedRecorded, DecisionID: ids.New()}
		must(t, w.Post(t.Context(), ledger.Unit{Relationships: []im.Relationship{stands}}))
		own, live := 0, 0
		for _, who := range []int{0, 2, 3, 12} {
			v := all
			v.Member = w.co.Members[who]
			by := map[im.ID][]im.ID{}
			for _, c := range w.co.Contacts {
				by[c.WorkspaceID] = append(by[c.WorkspaceID], c.ID)
			}
			for place, contacts := range by {
				ask := func(n int) (map[im.ID]blocking.BlockFacts, blocking.BlockFacts, int) {
					ctx, count := db.CountStatements(t.Context())
					got, late, err := w.ContactFacts(ctx, blocking.ContactsQuery{Viewer: v, WorkspaceID: place, Contacts: contacts[:n], Currency: "CNY", Now: now, Late: true})
					must(t, err)
					return got, late, count()
				}
				got, late, many := ask(len(contacts))
				_, _, few := ask(1)
				same(t, "statements", few, many)
				for _, id := range contacts {
					want, err := w.BlockFacts(t.Context(), blocking.BlockQuery{Viewer: v, Target: im.Ref{Kind: im.KindContact, ID: id}, Kind: im.Blacklist, Currency: "CNY", Now: now})
					must(t, err)
					f := got[id]
					same(t, "of late", fmt.Sprint(want.Blocks, want.Blacklistings, want.Departments), fmt.Sprint(late.Blocks, late.Blacklistings, late.Departments))
					same(t, "contact", [4]any{want.Contact.Importance, want.Contact.Verified, want.Contact.OwnerID, want.Contact.Region},
						[4]any{f.Contact.Importance, f.Contact.Verified, f.Contact.OwnerID, f.Contact.Region})
					if want.OwnDepartment {
						own++
					}
					for i := range want.Places { // as far as it decides
						if l := want.Places[i].Live; l != nil {
							same(t, "what stands", l.ID, f.Places[i].Live.ID)
							want.Places[i].Live, f.Places[i].Live = nil, nil
							live++
						}
					}
					want.Contact, f.Contact, want.Blocks, want.Blacklistings, want.Departments = nil, nil, 0, 0, nil
					same(t, "facts of "+id.String(), want, f)
				}
			}
		}
		if own == 0 || live == 0 {
			t.Errorf("%d contacts of the own department, %d that stand: nothing was compared", own, live)
		}
	})
}
