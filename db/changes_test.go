package db_test

import (
	"slices"
	"testing"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// hears lists what a viewer is told of a stream, by the ids of what changed.
func hears(t testing.TB, w *world, v im.Viewer, watch live.Watch) (out []im.ID) {
	t.Helper()
	cs, err := w.Changes(t.Context(), v, watch, 0, 1<<60, 1<<30)
	must(t, err)
	for _, c := range cs {
		out = append(out, c.About.ID)
	}
	return out
}

// Of the directory everybody hears of what he may see, and of nothing else; who sees all of a kind hears of what is gone too.
func TestDirectoryChanges(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		co := w.co
		viewer := func(i int, scopes map[im.Kind]im.Scope) im.Viewer {
			return im.Viewer{Member: im.Member{ID: w.member(i)}, Scopes: scopes}
		}
		var u ledger.Unit
		tell := func(k im.Kind, id im.ID, what im.ChangeKind, workspace im.ID) im.ID {
			u.Changes = append(u.Changes, im.DirectoryChange(ids.New(), now, im.Ref{Kind: k, ID: id}, what, workspace))
			return id
		}
		owned := co.Contacts[slices.IndexFunc(co.Contacts, func(c im.ExternalContact) bool { return c.OwnerID == w.member(3) })]
		others := co.Contacts[slices.IndexFunc(co.Contacts, func(c im.ExternalContact) bool { return c.OwnerID != w.member(3) })]
		mine := tell(im.KindContact, owned.ID, im.Updated, owned.WorkspaceID)
		his := tell(im.KindContact, others.ID, im.Updated, others.WorkspaceID)
		gone := tell(im.KindContact, ids.New(), im.Removed, owned.WorkspaceID)
		person := tell(im.KindMember, w.member(7), im.Updated, im.ID{})
		left := tell(im.KindMember, ids.New(), im.Removed, im.ID{})
		group := tell(im.KindGroup, co.Groups[0].ID, im.Updated, co.Groups[0].WorkspaceID)
		account := tell(im.KindAccount, co.Accounts[0].ID, im.Created, co.Accounts[0].WorkspaceID)
		department := tell(im.KindDepartment, co.Departments[0].ID, im.Updated, im.ID{})
		must(t, w.Post(t.Context(), u))
		sealAll(t, w.Store)

		whole := live.Watch{Of: live.Directory}
		same(t, "who sees all", []im.ID{mine, his, gone, person, left, group, account, department}, hears(t, w, all, whole))
		same(t, "of a workspace", slices.DeleteFunc([]im.ID{mine, his, gone, group, account}, func(id im.ID) bool {
			return id == his && others.WorkspaceID != owned.WorkspaceID || id == group && co.Groups[0].WorkspaceID != owned.WorkspaceID ||
				id == account && co.Accounts[0].WorkspaceID != owned.WorkspaceID
		}), hears(t, w, all, live.Watch{Of: live.Directory, WorkspaceID: owned.WorkspaceID}))
		employee := map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}, im.KindAccount: {im.ScopeAll}, im.KindContact: {im.ScopeFollows}, im.KindGroup: {im.ScopeIn}}
		want := []im.ID{mine, person, left, account, department}
		if slices.ContainsFunc(co.Memberships, func(m im.Membership) bool {
			return m.GroupID == co.Groups[0].ID && m.Party.ID == w.member(3) && m.LeftAt.IsZero()
		}) {
			want = slices.Insert(want, 3, group)
		}
		same(t, "who sees his own contacts", want, hears(t, w, viewer(3, employee), whole))
		same(t, "who sees nothing", []im.ID{department}, hears(t, w, viewer(3, nil), whole))
		same(t, "of himself", []im.ID{person, department}, hears(t, w, viewer(7, nil), whole))
		for _, other := range []live.Stream{live.Relationships, live.Approvals, live.Alerts} {
			same(t, "another stream", []im.ID(nil), hears(t, w, all, live.Watch{Of: other}))
		}
	})
}

// Requests are told to those who asked and to those who are asked, whatever else they may see.
func TestApprovalChanges(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		f := whole(w)
		f.unit.Changes = append(f.unit.Changes, im.ApprovalChange(ids.New(), now, f.approval, ""))
		must(t, w.Post(t.Context(), f.unit))
		sealAll(t, w.Store)
		for name, c := range map[string]struct {
			who, n int
			scope  im.Scope
		}{
			"who asked":                 {3, 1, im.Scope{im.ScopeRequested}},
			"who is asked":              {1, 1, im.Scope{im.ScopeCandidate}},
			"an admin who is asked":     {1, 1, im.Scope{im.ScopeAll}},
			"an admin who is not":       {2, 0, im.Scope{im.ScopeAll}},
			"whom policy hides it from": {1, 0, im.Scope{im.ScopeRequested}},
			"another":                   {2, 0, im.Scope{im.ScopeRequested, im.ScopeCandidate}},
		} {
			v := im.Viewer{Member: im.Member{ID: w.member(c.who)}, Scopes: map[im.Kind]im.Scope{im.KindApproval: c.scope}}
			cs, err := w.Changes(t.Context(), v, live.Watch{Of: live.Approvals}, 0, 1<<60, 10)
			must(t, err)
			if len(cs) != c.n {
				t.Errorf("%s hears of %d", name, len(cs))
				continue
			}
			for _, got := range cs {
				f.approval.RequestHash = nil
				same(t, name, &f.approval, got.Approval)
			}
		}
	})
}

// A bulk of changes is numbered in the order in which it was written, densely, in few steps, and read in parts.
func TestManyChanges(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		const n = 12_345
		var want []im.ID
		for range 3 {
			var u ledger.Unit
			for range n / 3 {
				id := ids.New()
				want = append(want, id)
				u.Changes = append(u.Changes, im.DirectoryChange(ids.New(), now, im.Ref{Kind: im.KindContact, ID: id}, im.Created, w.workspace()))
			}
			must(t, w.Post(t.Context(), u))
		}
		seals := 0
		for more := true; more; seals++ {
			var err error
			_, more, err = w.Seal(t.Context())
			must(t, err)
		}
		if seals > 4 {
			t.Errorf("sealed in %d steps", seals)
		}
		got := hears(t, w, all, live.Watch{Of: live.Directory})
		same(t, "how many", n, len(got))
		same(t, "in order", true, slices.Equal(want, got))
		cs, err := w.Changes(t.Context(), all, live.Watch{Of: live.Directory}, 10_000, 10_010, 5)
		must(t, err)
		for i, c := range cs {
			same(t, "number", int64(10_001+i), c.Number)
		}
		same(t, "at most", 5, len(cs))
	})
}
