package db_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Who sees which rows, said twice: by policy and the store's SQL, and here, row by row, from the table of read scopes
// ("Read scopes" of the shipped rules). The two share no code.

// crowd is a company in which many things have happened.
type crowd struct {
	directory.Snapshot
	member        map[im.ID]im.Member
	department    map[im.ID]im.Department
	contact       map[im.ID]im.ExternalContact
	relationships []im.Relationship
	approvals     []im.Approval
	candidates    []im.Candidate
	verdicts      []im.Verdict
	alerts        []im.Alert
	events        []im.AuditEvent
}

// newCrowd makes the demo company less tidy than it is, and has things happen in it. It is the same every time.
func newCrowd() *crowd {
	c := &crowd{Snapshot: demo.Company(ids, now), member: map[im.ID]im.Member{}, department: map[im.ID]im.Department{},
		contact: map[im.ID]im.ExternalContact{}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, key := range []string{"Z", "a b", "a-b", "zz", "é", "王"} { // bytes, not letters, are what sorts
		m := c.Members[20+i]
		m.ID, m.SortKey, m.Name = ids.New(), key, fmt.Sprintf("%s_%%%d", key, i)
		m.EmployeeNo, m.AccountName = fmt.Sprint("X-", 9-i), fmt.Sprint("extra", i)
		c.Members = append(c.Members, m)
	}
	c.Members[5].Departments = []im.ID{c.Members[5].DepartmentID, c.Members[3].DepartmentID} // in two departments
	c.Members[2].ManagerID = c.Members[31].ID                                                // who reports to him: a circle
	c.Members[40].ManagerID, c.Members[41].Employment = im.ID{}, im.Departed
	c.Contacts[50].OwnerID, c.Contacts[50].PoolDepartmentID = im.ID{}, c.Departments[2].ID
	for i, no := range []int{5, 7, 8, 9, 10, 11, 12, 12} { // followed by who does not own them, also by those who see none
		c.Follows = append(c.Follows, im.Follow{ContactID: c.Contacts[60+i].ID, MemberID: c.Members[no].ID, Since: now, Source: "test"})
	}
	c.Groups[7].OwnerID, c.Groups[8].DissolvedAt = im.ID{}, now
	c.Groups[9].OwnerID = c.Members[5].ID // who is not in it
	for i := range c.Memberships {
		if i%5 == 0 {
			c.Memberships[i].LeftAt = now
		}
		if i%10 == 0 { // came back
			m := c.Memberships[i]
			m.ID, m.LeftAt = ids.New(), time.Time{}
			c.Memberships = append(c.Memberships, m)
		}
	}
	for _, m := range c.Members {
		if len(m.Departments) == 0 {
			m.Departments = []im.ID{m.DepartmentID}
		}
		c.member[m.ID] = m
	}
	for _, d := range c.Departments {
		c.department[d.ID] = d
	}
	for _, x := range c.Contacts {
		c.contact[x.ID] = x
	}
	c.happen(rnd)
	return c
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

// happen fills in what is made by commands.
func (c *crowd) happen(rnd *rand.Rand) {
	someone := func() im.ID { return pick(rnd, c.Members...).ID }
	maybe := func(id im.ID) im.ID { return pick(rnd, id, id, im.ID{}) }
	taken := map[[2]im.ID]bool{}
	for len(c.relationships) < 300 {
		r := im.Relationship{ID: ids.New(), WorkspaceID: c.Workspaces[rnd.IntN(2)].ID, Kind: pick(rnd, im.Block, im.Isolation),
			State: pick(rnd, im.PendingApproval, im.Active, im.Lifted, im.Rejected, im.Undone), Undo: im.UndoTerms{Trace: pick(rnd, true, false)}, Version: 1, Scope: im.InitiatorView, Source: im.FromAPI,
			InitiatorID: someone(), Target: im.Ref{Kind: im.KindMember, ID: someone()}, Reason: "r", Enforcement: im.EnforcedNative,
			CreatedAt: now.Add(time.Duration(len(c.relationships)) * time.Second), DecisionID: ids.New()}
		if rnd.IntN(3) == 0 {
			r.Target = pick(rnd, c.Contacts...).Ref()
		}
		r.ExpiresAt = pick(rnd, time.Time{}, now.Add(-time.Hour), now, now.Add(time.Hour))
		if pair := [2]im.ID{r.InitiatorID, r.Target.ID}; !taken[pair] {
			taken[pair] = true
			c.relationships = append(c.relationships, r)
		}
	}
	for i := range 150 {
		r := c.relationships[i]
		a := im.Approval{ID: ids.New(), Action: "block", Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID}, WorkspaceID: r.WorkspaceID,
			RequestedBy: pick(rnd, r.InitiatorID, someone()), About: r.Target.ID, RequestHash: []byte{1}, DecisionID: ids.New(),
			State: pick(rnd, im.ApprovalPending, im.ApprovalPending, im.ApprovalApproved, im.ApprovalCancelled), Version: 1, CreatedAt: now,
			ExpiresAt: pick(rnd, time.Time{}, now.Add(-time.Hour), now, now.Add(time.Hour))}
		c.approvals = append(c.approvals, a)
		for range rnd.IntN(4) {
			c.candidates = append(c.candidates, im.Candidate{ApprovalID: a.ID, MemberID: someone(), Role: pick(rnd, "admin", "legal")})
		}
		if i%4 == 0 && len(c.candidates) > 0 {
			c.verdicts = append(c.verdicts, im.Verdict{ID: ids.New(), ApprovalID: a.ID, ByID: c.candidates[len(c.candidates)-1].MemberID, About: a.About, At: now})
		}
	}
	for range 120 {
		c.alerts = append(c.alerts, im.Alert{ID: ids.New(), Kind: pick(rnd, im.KeyContactBlocked, "OTHER"), Severity: im.RiskHigh, At: now,
			Subject: im.Ref{Kind: im.KindRelationship, ID: pick(rnd, c.relationships...).ID}, PersonID: maybe(someone()),
			ContactID: maybe(pick(rnd, c.Contacts[:12]...).ID)})
	}
	for i := range 300 {
		e := im.AuditEvent{ID: ids.New(), At: now.Add(time.Duration(i) * time.Second), ActorName: "a", Outcome: pick(rnd, im.Allow, im.Deny, ""),
			Action:  pick(rnd, "block", "archive.read", "policy.activate", "platform.sync", "archive", "policyless", "xplatform.y"),
			Subject: im.Ref{Kind: im.KindMember, ID: someone()}, About: someone(), WorkspaceID: maybe(c.Workspaces[rnd.IntN(2)].ID)}
		switch i % 3 {
		case 1:
			e.Subject = im.Ref{Kind: im.KindRelationship, ID: pick(rnd, c.relationships...).ID}
		case 2:
			e.Subject = im.Ref{Kind: im.KindApproval, ID: pick(rnd, c.approvals...).ID}
		}
		if id := maybe(someone()); !id.IsZero() {
			e.Actor = im.Ref{Kind: im.KindMember, ID: id}
		}
		c.events = append(c.events, e)
	}
}

// post puts it all into a store.
func (c *crowd) post(t testing.TB, w *world) {
	t.Helper()
	must(t, w.Post(t.Context(), ledger.Unit{Relationships: c.relationships, Approvals: c.approvals, Candidates: c.candidates,
		Verdicts: c.verdicts, Alerts: c.alerts, Events: c.events}))
	for i, a := range c.alerts { // nothing acknowledges yet
		if i%3 == 0 {
			w.exec("update alerts set acknowledged_by = ?, acknowledged_at = ? where id = ?", c.Members[0].ID, now.UnixMicro(), a.ID)
		}
	}
}

// has says whether a person holds a role, by name or because a higher one implies it.
func has(m im.Member, role string) bool {
	implied := map[string]string{"super_admin": "admin", "admin": "dept_manager", "dept_manager": "employee", "hr": "employee",
		"it": "employee", "legal": "employee", "auditor": "employee"}
	for _, r := range m.Roles {
		for ; r != ""; r = implied[r] {
			if r == role {
				return true
			}
		}
	}
	return false
}

func (c *crowd) shareDepartment(a, b im.ID) bool {
	return slices.ContainsFunc(c.member[a].Departments, func(d im.ID) bool { return slices.Contains(c.member[b].Departments, d) })
}

// below says whether a member belongs to a department of the head's, or to one under it.
func (c *crowd) below(head, member im.ID) bool {
	for _, d := range c.member[member].Departments {
		for ; !d.IsZero(); d = c.department[d].ParentID {
			if slices.Contains(c.member[head].Departments, d) {
				return true
			}
		}
	}
	return false
}

func (c *crowd) superior(of, candidate im.ID) bool {
	seen := map[im.ID]bool{}
	for m := c.member[of].ManagerID; !m.IsZero() && !seen[m]; m = c.member[m].ManagerID {
		if m == candidate {
			return true
		}
		seen[m] = true
	}
	return false
}

// The table, a column each.

func (c *crowd) seesMember(v, m im.Member) bool {
	return v.ID == m.ID || v.JobFunction != im.CustomerService || v.Rank >= 4 || has(v, "dept_manager") || has(v, "hr") || has(v, "it") ||
		has(v, "legal") || has(v, "auditor") || c.shareDepartment(v.ID, m.ID)
}

func (c *crowd) seesContact(v im.Member, x im.ExternalContact) bool {
	switch {
	case has(v, "admin"), has(v, "auditor"):
		return true
	case has(v, "hr"), has(v, "it"), has(v, "legal"):
		return false
	case x.OwnerID == v.ID:
		return true
	case slices.ContainsFunc(c.Follows, func(f im.Follow) bool { return f.ContactID == x.ID && f.MemberID == v.ID }):
		return true
	}
	return has(v, "dept_manager") && !x.OwnerID.IsZero() && c.below(v.ID, x.OwnerID)
}

func (c *crowd) seesGroup(v im.Member, g im.Group) bool {
	if has(v, "it") || has(v, "admin") || has(v, "auditor") {
		return true
	}
	if slices.ContainsFunc(c.Memberships, func(m im.Membership) bool { return m.GroupID == g.ID && m.Party.ID == v.ID && m.LeftAt.IsZero() }) {
		return true
	}
	return has(v, "dept_manager") && !g.OwnerID.IsZero() && c.below(v.ID, g.OwnerID)
}

// gone says whether nothing of a relationship shows to a member any more: it, or an approval of it, is what this is.
func (c *crowd) gone(v im.Member, what im.Ref) bool {
	if i := slices.IndexFunc(c.approvals, func(a im.Approval) bool { return a.ID == what.ID }); i >= 0 {
		what = c.approvals[i].Subject
	}
	i := slices.IndexFunc(c.relationships, func(r im.Relationship) bool { return r.ID == what.ID })
	return i >= 0 && c.relationships[i].State == im.Undone && !c.relationships[i].Undo.Trace && !has(v, "auditor") && !has(v, "super_admin")
}

func (c *crowd) seesRelationship(v im.Member, r im.Relationship) bool {
	return !c.gone(v, im.Ref{ID: r.ID}) && c.scopeOfRelationship(v, r)
}

func (c *crowd) scopeOfRelationship(v im.Member, r im.Relationship) bool {
	return r.InitiatorID == v.ID || has(v, "legal") || has(v, "admin") || has(v, "auditor") ||
		has(v, "dept_manager") && c.below(v.ID, r.InitiatorID)
}

func (c *crowd) seesApproval(v im.Member, a im.Approval) bool {
	return !c.gone(v, a.Subject) && (a.RequestedBy == v.ID || has(v, "admin") || has(v, "auditor") || c.candidate(v, a))
}

func (c *crowd) candidate(v im.Member, a im.Approval) bool {
	return slices.ContainsFunc(c.candidates, func(k im.Candidate) bool { return k.ApprovalID == a.ID && k.MemberID == v.ID })
}

func (c *crowd) seesAlert(v im.Member, a im.Alert) bool {
	return !c.gone(v, a.Subject) && (has(v, "admin") || has(v, "auditor") || !a.PersonID.IsZero() && c.superior(a.PersonID, v.ID) ||
		!a.ContactID.IsZero() && c.contact[a.ContactID].OwnerID == v.ID)
}

func (c *crowd) seesEvent(v im.Member, e im.AuditEvent) bool {
	about := func(what string) bool { return strings.HasPrefix(e.Action, what+".") }
	return !c.gone(v, e.Subject) && (e.Actor.ID == v.ID || has(v, "auditor") || has(v, "super_admin") && !about("archive") ||
		has(v, "admin") && (about("policy") || about("platform")))
}

// filter narrows a list: as the store takes it, and as it is meant.
type filter[F, T any] struct {
	set   F
	match func(v im.Member, x T) bool
}

// audience is who looks.
type audience struct {
	*world
	c      *crowd
	people []im.Viewer
}

func newAudience(t *testing.T, dsn string, c *crowd) *audience {
	t.Helper()
	w := newWorldOf(t, dsn, c.Snapshot)
	c.post(t, w)
	e, _ := policy(t)
	who := identity.New(w.Store, e, identity.Demo(clock))
	a := &audience{world: w, c: c}
	for _, m := range c.Members[:len(demo.Personas())] {
		a.people = append(a.people, w.as(who, m.ID))
	}
	return a
}

// look compares one list with what it should be, for everybody: all pages, both ways, at several sizes. rows are all
// that there are, in the order of the list.
func look[F, T any](t *testing.T, a *audience, order string, rows []T, id func(T) im.ID, sees func(im.Member, T) bool,
	read func(context.Context, im.Viewer, F, page.Request) (page.Result[T], error),
	byID func(context.Context, im.Viewer, []im.ID) (map[im.ID]T, error), filters ...filter[F, T]) {
	t.Helper()
	total := 0
	for n, v := range a.people {
		var seen []T
		for _, x := range rows {
			if sees(v.Member, x) {
				seen = append(seen, x)
			}
		}
		narrow := append([]filter[F, T]{{match: func(im.Member, T) bool { return true }}}, filters...)
		for i, f := range narrow {
			if i > 0 && n%3 != i%3 { // each person tries every third filter
				continue
			}
			var want []im.ID
			for _, x := range seen {
				if f.match(v.Member, x) {
					want = append(want, id(x))
				}
			}
			total += len(want)
			for _, size := range []int{1, 7, 100} {
				if size == 1 && len(want) > 20 || size != 100 && i > 0 && len(want) > 50 || size != 7 && i > 0 && len(want) <= 50 || size == 7 && len(want) > 130 { // time
					continue
				}
				for _, backward := range []bool{false, true} {
					if i > 0 && backward != (i%2 == 0) {
						continue
					}
					got := walk(t, page.Request{Order: order, Size: size, Backward: backward, Count: true}, len(want),
						func(r page.Request) (page.Result[im.ID], error) {
							res, err := read(t.Context(), v, f.set, r)
							return page.Map(res, id), err
						})
					if !slices.Equal(want, got) {
						same(t, fmt.Sprintf("%s: %s, filter %d, pages of %d, backward %t", order, v.Member.AccountName, i, size, backward), want, got)
					}
				}
			}
			if i > 0 || byID == nil {
				continue
			}
			every := []im.ID{ids.New()}
			for _, x := range rows {
				every = append(every, id(x))
			}
			found, err := byID(t.Context(), v, every)
			must(t, err)
			if len(found) != len(want) {
				t.Errorf("%s: %s finds %d of %d by id", order, v.Member.AccountName, len(found), len(want))
			}
			for _, x := range want {
				if _, ok := found[x]; !ok {
					t.Errorf("%s: %s does not find %s by id", order, v.Member.AccountName, x)
				}
			}
		}
		if t.Failed() {
			return // one person's mistake is enough to read
		}
	}
	if total == 0 {
		t.Errorf("%s: nobody sees anything", order)
	}
}

// walk reads all pages, in the order of the list, and holds each to what a page promises.
func walk(t *testing.T, r page.Request, total int, read func(page.Request) (page.Result[im.ID], error)) (out []im.ID) {
	t.Helper()
	for {
		res, err := read(r)
		must(t, err)
		if (res.Total != nil) != r.Count {
			t.Fatalf("asked for a total: %t; got one: %t", r.Count, res.Total != nil)
		} else if r.Count && *res.Total != total {
			t.Fatalf("total %d, not %d", *res.Total, total)
		}
		r.Count = false // the next pages need not count again
		more, before := res.HasNext, res.HasPrevious
		edge := len(res.At) - 1
		if r.Backward {
			more, before, edge = before, more, 0
			out = append(slices.Clone(res.Nodes), out...)
		} else {
			out = append(out, res.Nodes...)
		}
		if before != (r.From != nil) || more && len(res.Nodes) != r.Size || len(res.At) != len(res.Nodes) {
			t.Fatalf("a page of %d rows and %d cursors for %d: more %t, before %t", len(res.Nodes), len(res.At), r.Size, more, before)
		}
		if !more || t.Failed() {
			return out
		}
		p, err := page.Decode(r.Order, res.Cursor(edge))
		must(t, err)
		r.From = &p
	}
}

func sorted[T any](rows []T, before func(a, b T) int) []T {
	return slices.SortedFunc(slices.Values(rows), before)
}

func TestScopes(t *testing.T) {
	c := newCrowd()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		a := newAudience(t, dsn, c)
		t.Run("members", func(t *testing.T) { a.members(t) })
		t.Run("contacts", func(t *testing.T) { a.contacts(t) })
		t.Run("groups", func(t *testing.T) { a.groups(t) })
		t.Run("relationships", func(t *testing.T) { a.relationships(t) })
		t.Run("approvals", func(t *testing.T) { a.approvals(t) })
		t.Run("alerts", func(t *testing.T) { a.alerts(t) })
		t.Run("events", func(t *testing.T) { a.events(t) })
		t.Run("what hangs on others", func(t *testing.T) { a.hanging(t) })
	})
}

func compareID(a, b im.ID) int { return slices.Compare(a[:], b[:]) }

func (a *audience) members(t *testing.T) {
	type of = filter[directory.MemberFilter, im.Member]
	c := a.c
	within := func(d im.ID) func(im.Member, im.Member) bool {
		return func(_, m im.Member) bool {
			return slices.ContainsFunc(c.member[m.ID].Departments, func(x im.ID) bool {
				for ; !x.IsZero() && x != d; x = c.department[x].ParentID {
				}
				return x == d
			})
		}
	}
	sales, east := c.Departments[2].ID, c.Departments[3].ID
	filters := []of{
		{directory.MemberFilter{Query: "00"}, func(_, m im.Member) bool { return strings.Contains(m.EmployeeNo+" "+m.AccountName+" "+m.Name, "00") }},
		{directory.MemberFilter{Query: "_%"}, func(_, m im.Member) bool { return strings.Contains(m.Name, "_%") }},
		{directory.MemberFilter{Query: `\`}, func(_, m im.Member) bool { return false }},
		{directory.MemberFilter{Query: "WANGF"}, func(_, m im.Member) bool { return strings.HasPrefix(m.AccountName, "wangf") }},
		{directory.MemberFilter{DepartmentID: sales, IncludeDescendants: true}, within(sales)},
		{directory.MemberFilter{DepartmentID: east}, func(_, m im.Member) bool { return slices.Contains(c.member[m.ID].Departments, east) }},
		{directory.MemberFilter{DepartmentID: ids.New(), IncludeDescendants: true}, func(im.Member, im.Member) bool { return false }},
		{directory.MemberFilter{Role: "admin"}, func(_, m im.Member) bool { return slices.Contains(m.Roles, "admin") }},
		{directory.MemberFilter{JobFunction: im.CustomerService}, func(_, m im.Member) bool { return m.JobFunction == im.CustomerService }},
		{directory.MemberFilter{WorkspaceID: c.Workspaces[3].ID}, func(_, m im.Member) bool {
			return slices.ContainsFunc(c.Accounts, func(x im.Account) bool { return x.MemberID == m.ID && x.WorkspaceID == c.Workspaces[3].ID })
		}},
	}
	for order, key := range map[string]func(im.Member) string{
		directory.MembersByID:         func(im.Member) string { return "" },
		directory.MembersByName:       func(m im.Member) string { return m.SortKey },
		directory.MembersByEmployeeNo: func(m im.Member) string { return m.EmployeeNo },
	} {
		rows := sorted(c.Members, func(x, y im.Member) int { return cmp.Or(cmp.Compare(key(x), key(y)), compareID(x.ID, y.ID)) })
		look(t, a, order, rows, func(m im.Member) im.ID { return m.ID }, c.seesMember, a.ListMembers, a.Members, filters...)
		filters = nil // they know no order
	}
}

func (a *audience) contacts(t *testing.T) {
	type of = filter[directory.ContactFilter, im.ExternalContact]
	yes := true
	owner := a.c.Members[3].ID
	look(t, a, directory.ContactsByID, sorted(a.c.Contacts, func(x, y im.ExternalContact) int { return compareID(x.ID, y.ID) }),
		func(x im.ExternalContact) im.ID { return x.ID }, a.c.seesContact, a.ListContacts, a.Contacts,
		of{directory.ContactFilter{Query: "贸易"}, func(_ im.Member, x im.ExternalContact) bool { return strings.Contains(x.Name+" "+x.Company, "贸易") }},
		of{directory.ContactFilter{OwnerID: owner}, func(_ im.Member, x im.ExternalContact) bool { return x.OwnerID == owner }},
		of{directory.ContactFilter{WorkspaceID: a.c.Workspaces[2].ID}, func(_ im.Member, x im.ExternalContact) bool { return x.WorkspaceID == a.c.Workspaces[2].ID }},
		of{directory.ContactFilter{Importance: im.KeyContact}, func(_ im.Member, x im.ExternalContact) bool { return x.Importance == im.KeyContact }},
		of{directory.ContactFilter{Status: im.ContactLost}, func(im.Member, im.ExternalContact) bool { return false }},
		of{directory.ContactFilter{Tag: "重点客户"}, func(_ im.Member, x im.ExternalContact) bool { return slices.Contains(x.Tags, "重点客户") }},
		of{directory.ContactFilter{Verified: &yes}, func(_ im.Member, x im.ExternalContact) bool { return x.Verified }})
}

func (a *audience) groups(t *testing.T) {
	type of = filter[directory.GroupFilter, im.Group]
	look(t, a, directory.GroupsByID, sorted(a.c.Groups, func(x, y im.Group) int { return compareID(x.ID, y.ID) }),
		func(g im.Group) im.ID { return g.ID }, a.c.seesGroup, a.ListGroups, a.Groups,
		of{directory.GroupFilter{Query: "群"}, func(_ im.Member, g im.Group) bool { return strings.Contains(g.Name, "群") }},
		of{directory.GroupFilter{Kind: im.CustomerGroup}, func(_ im.Member, g im.Group) bool { return g.Kind == im.CustomerGroup }},
		of{directory.GroupFilter{OwnerID: a.c.Members[7].ID}, func(_ im.Member, g im.Group) bool { return g.OwnerID == a.c.Members[7].ID }},
		of{directory.GroupFilter{WorkspaceID: a.c.Workspaces[1].ID}, func(_ im.Member, g im.Group) bool { return g.WorkspaceID == a.c.Workspaces[1].ID }})
}

func (a *audience) relationships(t *testing.T) {
	type of = filter[blocking.RelationshipFilter, im.Relationship]
	in := func(states ...im.RelationshipState) of {
		return of{blocking.RelationshipFilter{States: states}, func(_ im.Member, r im.Relationship) bool { return slices.Contains(states, r.StateAt(now)) }}
	}
	someone := a.c.Members[3].ID
	middle := a.c.relationships[150].CreatedAt
	look(t, a, blocking.RelationshipsNewest, sorted(a.c.relationships, func(x, y im.Relationship) int { return compareID(y.ID, x.ID) }),
		func(r im.Relationship) im.ID { return r.ID }, a.c.seesRelationship,
		func(ctx context.Context, v im.Viewer, f blocking.RelationshipFilter, r page.Request) (page.Result[im.Relationship], error) {
			return a.ListRelationships(ctx, v, f, now, r)
		}, a.Relationships,
		in(im.Expired), in(im.Active), in(im.Active, im.PendingApproval, im.Rejected), in(im.Lifted, im.Expired),
		of{blocking.RelationshipFilter{Kinds: []im.RelationshipKind{im.Isolation}}, func(_ im.Member, r im.Relationship) bool { return r.Kind == im.Isolation }},
		of{blocking.RelationshipFilter{WorkspaceID: a.c.Workspaces[1].ID}, func(_ im.Member, r im.Relationship) bool { return r.WorkspaceID == a.c.Workspaces[1].ID }},
		// Whom somebody was blocked by shows only to those who see the block itself.
		of{blocking.RelationshipFilter{TargetID: someone}, func(_ im.Member, r im.Relationship) bool { return r.Target.ID == someone }},
		of{blocking.RelationshipFilter{InitiatorID: someone}, func(_ im.Member, r im.Relationship) bool { return r.InitiatorID == someone }},
		of{blocking.RelationshipFilter{CreatedAfter: middle, CreatedBefore: middle.Add(10 * time.Second)}, func(_ im.Member, r im.Relationship) bool {
			return r.CreatedAt.After(middle) && r.CreatedAt.Before(middle.Add(10*time.Second))
		}})
}

func (a *audience) approvals(t *testing.T) {
	type of = filter[blocking.ApprovalFilter, im.Approval]
	c := a.c
	in := func(s im.ApprovalState) of {
		return of{blocking.ApprovalFilter{State: s}, func(_ im.Member, x im.Approval) bool { return x.StateAt(now) == s }}
	}
	mine := func(v im.Member, x im.Approval) bool {
		return x.StateAt(now) == im.ApprovalPending && c.candidate(v, x) &&
			!slices.ContainsFunc(c.verdicts, func(y im.Verdict) bool { return y.ApprovalID == x.ID && y.ByID == v.ID })
	}
	subject := c.approvals[9].Subject.ID
	look(t, a, blocking.ApprovalsNewest, sorted(c.approvals, func(x, y im.Approval) int { return compareID(y.ID, x.ID) }),
		func(x im.Approval) im.ID { return x.ID }, c.seesApproval,
		func(ctx context.Context, v im.Viewer, f blocking.ApprovalFilter, r page.Request) (page.Result[im.Approval], error) {
			return a.ListApprovals(ctx, v, f, now, r)
		}, a.Approvals,
		in(im.ApprovalPending), in(im.ApprovalExpired), in(im.ApprovalCancelled),
		of{blocking.ApprovalFilter{Mine: true}, mine},
		of{blocking.ApprovalFilter{Mine: true, State: im.ApprovalExpired}, func(im.Member, im.Approval) bool { return false }},
		of{blocking.ApprovalFilter{RequestedByID: c.Members[3].ID}, func(_ im.Member, x im.Approval) bool { return x.RequestedBy == c.Members[3].ID }},
		of{blocking.ApprovalFilter{SubjectID: subject}, func(_ im.Member, x im.Approval) bool { return x.Subject.ID == subject }})
}

func (a *audience) alerts(t *testing.T) {
	type of = filter[blocking.AlertFilter, im.Alert]
	yes, no := true, false
	acknowledged := func(x im.Alert) bool { return slices.Index(a.c.alerts, x)%3 == 0 }
	look(t, a, blocking.AlertsNewest, sorted(a.c.alerts, func(x, y im.Alert) int { return compareID(y.ID, x.ID) }),
		func(x im.Alert) im.ID { return x.ID }, a.c.seesAlert, a.ListAlerts, a.Alerts,
		of{blocking.AlertFilter{Kind: "OTHER"}, func(_ im.Member, x im.Alert) bool { return x.Kind == "OTHER" }},
		of{blocking.AlertFilter{Open: &yes}, func(_ im.Member, x im.Alert) bool { return !acknowledged(x) }},
		of{blocking.AlertFilter{Open: &no}, func(_ im.Member, x im.Alert) bool { return acknowledged(x) }})
}

func (a *audience) events(t *testing.T) {
	type of = filter[audit.Filter, im.AuditEvent]
	someone := a.c.Members[3].ID
	from, until := a.c.events[100].At, a.c.events[200].At
	look(t, a, audit.Newest, sorted(a.c.events, func(x, y im.AuditEvent) int { return compareID(y.ID, x.ID) }),
		func(e im.AuditEvent) im.ID { return e.ID }, a.c.seesEvent, a.ListEvents, a.Events,
		of{audit.Filter{ActorID: someone}, func(_ im.Member, e im.AuditEvent) bool { return e.Actor.ID == someone }},
		of{audit.Filter{SubjectID: someone}, func(_ im.Member, e im.AuditEvent) bool { return e.Subject.ID == someone || e.About == someone }},
		of{audit.Filter{Actions: []string{"archive.read", "block", "archive"}}, func(_ im.Member, e im.AuditEvent) bool {
			return slices.Contains([]string{"archive.read", "block", "archive"}, e.Action)
		}},
		of{audit.Filter{From: from, Until: until}, func(_ im.Member, e im.AuditEvent) bool { return !e.At.Before(from) && e.At.Before(until) }},
		of{audit.Filter{WorkspaceID: a.c.Workspaces[0].ID}, func(_ im.Member, e im.AuditEvent) bool { return e.WorkspaceID == a.c.Workspaces[0].ID }},
		of{audit.Filter{Outcome: im.Deny}, func(_ im.Member, e im.AuditEvent) bool { return e.Outcome == im.Deny }})
}

// seesAccount: accounts show as their members do, and nobody's to those who see all members.
func (c *crowd) seesAccount(v im.Member, x im.Account) bool {
	if x.MemberID.IsZero() {
		return c.seesMember(v, im.Member{ID: im.ID{1}})
	}
	return c.seesMember(v, c.member[x.MemberID])
}

// Accounts show as their members do, opportunities as their contacts.
func (a *audience) hanging(t *testing.T) {
	var members, accounts, opportunities []im.ID
	for _, m := range a.c.Members {
		members = append(members, m.ID)
	}
	for _, x := range a.c.Accounts {
		accounts = append(accounts, x.ID)
	}
	for _, o := range a.c.Opportunities {
		opportunities = append(opportunities, o.ID)
	}
	for _, v := range a.people {
		byID, err := a.Accounts(t.Context(), v, accounts)
		must(t, err)
		of, err := a.AccountsOf(t.Context(), v, members)
		must(t, err)
		for _, x := range a.c.Accounts {
			want := a.c.seesAccount(v.Member, x)
			_, found := byID[x.ID]
			if listed := x.MemberID.IsZero() && want || slices.ContainsFunc(of[x.MemberID], func(y im.Account) bool { return y.ID == x.ID }); found != want || listed != want {
				t.Errorf("%s sees an account: %t and %t, not %t", v.Member.AccountName, found, listed, want)
			}
		}
		found, err := a.Opportunities(t.Context(), v, opportunities)
		must(t, err)
		for _, o := range a.c.Opportunities {
			if _, ok := found[o.ID]; ok != a.c.seesContact(v.Member, a.c.contact[o.ContactID]) {
				t.Errorf("%s sees an opportunity: %t", v.Member.AccountName, ok)
			}
		}
	}
}

// A term that a kind of thing does not know, and no term at all, show nothing.
func TestNoScope(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		for _, scope := range []im.Scope{nil, {"everything"}, {im.ScopeFollows}} {
			v := im.Viewer{Member: im.Member{ID: w.member(3)}, Scopes: map[im.Kind]im.Scope{im.KindGroup: scope, im.KindMember: scope}}
			r := page.Request{Order: directory.MembersByID, Size: 10, Count: true}
			groups, err := w.ListGroups(t.Context(), v, directory.GroupFilter{}, r)
			must(t, err)
			members, err := w.ListMembers(t.Context(), v, directory.MemberFilter{}, r)
			must(t, err)
			if *groups.Total != 0 || *members.Total != 1 || members.Nodes[0].ID != v.Member.ID {
				t.Errorf("%v shows %d groups and %d members", scope, *groups.Total, *members.Total)
			}
		}
	})
}
