package db_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// lease is how long what is claimed in these tests belongs to who claimed it.
const lease = time.Minute

// customer is the n-th of the contacts on the workspace of the first.
func (w *world) customer(n int) im.ExternalContact {
	for _, c := range w.co.Contacts {
		if c.WorkspaceID == w.co.Contacts[0].WorkspaceID {
			if n--; n < 0 {
				return c
			}
		}
	}
	panic("the company has not so many")
}

// blacklisting is an active blacklisting of a customer by its owner.
func (w *world) blacklisting(n int) im.Relationship {
	c := w.customer(n)
	r := w.block(c.OwnerID, c.ID)
	r.WorkspaceID, r.Kind, r.Target = c.WorkspaceID, im.Blacklist, c.Ref()
	return r
}

// intent is one on a relationship, due now.
func intent(kind string, r im.Relationship) im.Intent {
	return im.Intent{ID: ids.New(), Key: kind + ":" + r.ID.String(), Kind: kind, WorkspaceID: r.WorkspaceID, Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID},
		TargetID: r.Target.ID, State: im.DeliveryPending, CreatedAt: now, NextTryAt: now}
}

// intend posts an intent to carry out the blacklisting of each of the first n customers. Of each one after the other a
// second later is due.
func (w *world) intend(n int) (out []im.Intent) {
	w.t.Helper()
	var u ledger.Unit
	for i := range n {
		r := w.blacklisting(i)
		x := intent(im.IntentBlacklist, r)
		x.NextTryAt = now.Add(time.Duration(i) * time.Second)
		out = append(out, x)
		u.Relationships, u.Intents = append(u.Relationships, r), append(u.Intents, x)
	}
	must(w.t, w.Post(w.t.Context(), u))
	return out
}

// replicas are the stores of so many gateways on the database: on SQLite there can be but one.
func (w *world) replicas() []*db.Store {
	w.t.Helper()
	if onSQLite(w.dsn) {
		return []*db.Store{w.Store}
	}
	return []*db.Store{w.Store, started(w.t, w.dsn)}
}

// claim claims what is due at a moment on the workspace of the customers.
func (w *world) claim(at time.Time, limit int, one im.ID) []platform.Job {
	w.t.Helper()
	jobs, err := w.Claim(w.t.Context(), platform.ClaimQuery{Workspace: w.customer(0).WorkspaceID, Intent: one, Now: at, Until: at.Add(lease), Limit: limit})
	must(w.t, err)
	return jobs
}

// only is the one job that is due.
func (w *world) only(at time.Time) platform.Job {
	w.t.Helper()
	jobs := w.claim(at, 10, im.ID{})
	if len(jobs) != 1 {
		w.t.Fatalf("%d jobs are due", len(jobs))
	}
	return jobs[0]
}

// settled is an intent that came to an end.
func settled(i im.Intent, to im.DeliveryState) im.Intent {
	i.State, i.NextTryAt, i.SettledAt = to, time.Time{}, now
	return i
}

func TestClaim(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(3)
		none := im.ID{}
		for _, c := range []struct {
			what  string
			at    time.Duration
			limit int
			one   im.ID
			want  string // the number of each intent, and which attempt at it
		}{
			{"before its time", -time.Microsecond, 10, none, ""},
			{"once it is due", 0, 10, none, "0:1"},
			{"what is claimed already", 0, 10, none, ""},
			{"one that is not due", 0, 10, is[2].ID, ""},
			{"what waits longest", 2 * time.Second, 1, none, "1:1"},
			{"what is left", 2 * time.Second, 10, none, "2:1"},
			{"before the lease is over", lease - time.Microsecond, 10, none, ""},
			{"once the lease is over", lease, 10, none, "0:2"},
			{"one by its id", lease + 3*time.Second, 10, is[2].ID, "2:2"},
			{"one that is claimed", lease + 3*time.Second, 10, is[2].ID, ""},
			{"one that there is not", lease + 3*time.Second, 10, ids.New(), ""},
			{"no more than asked for", 3 * lease, 2, none, "0:3 1:2"},
		} {
			due, err := w.WorkspacesDue(t.Context(), now.Add(c.at))
			must(t, err)
			var got []string
			for _, j := range w.claim(now.Add(c.at), c.limit, c.one) {
				i := slices.IndexFunc(is, func(x im.Intent) bool { return x.ID == j.Intent.ID })
				got = append(got, fmt.Sprintf("%d:%d", i, j.Intent.Attempts))
			}
			slices.Sort(got) // the order of the answer says nothing
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s: claimed %q, want %q", c.what, got, c.want)
			}
			if c.one.IsZero() && (len(due) > 0) != (c.want != "") {
				t.Errorf("%s: due on %d workspaces", c.what, len(due))
			}
		}
		elsewhere, err := w.Claim(t.Context(), platform.ClaimQuery{Workspace: w.workspace(), Now: now.Add(time.Hour), Until: now.Add(2 * time.Hour), Limit: 10})
		must(t, err)
		same(t, "claimed of another workspace", 0, len(elsewhere))
	})
}

// Of what is to be done to one contact, each thing waits until the one before it has come to its end, whatever that is;
// what is to be done to another one waits for nothing.
func TestClaimInOrder(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		for n, end := range []im.DeliveryState{im.DeliveryDelivered, im.DeliveryFailed} {
			r, other := w.blacklisting(2*n), w.blacklisting(2*n+1)
			list, lift, beside := intent(im.IntentBlacklist, r), intent(im.IntentLift, r), intent(im.IntentBlacklist, other)
			list.NextTryAt = now.Add(time.Second)
			if n == 1 { // the lift comes from a replica whose clock is behind
				list.ID, lift.ID = lift.ID, list.ID
			}
			must(t, w.Post(t.Context(), ledger.Unit{Relationships: []im.Relationship{r, other}, Intents: []im.Intent{list, beside}}))
			must(t, w.Post(t.Context(), ledger.Unit{Intents: []im.Intent{lift}}))
			claims := func(when string, at time.Time, one im.ID, want ...im.Intent) (is []im.Intent) {
				t.Helper()
				for _, j := range w.claim(at, 10, one) {
					is = append(is, j.Intent)
				}
				if !slices.EqualFunc(want, is, func(a, b im.Intent) bool { return a.ID == b.ID }) {
					t.Fatalf("%s: claimed %+v", when, is)
				}
				return is
			}
			claims("what is before it is not due", now, im.ID{}, beside)
			claims("the same, by its id", now, lift.ID)
			is := claims("what is before it is due", now.Add(time.Second), im.ID{}, list)
			claims("what is before it is under way", now.Add(time.Second), im.ID{})
			claims("the same, by its id", now.Add(time.Second), lift.ID)
			must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{settled(is[0], end)}}))
			is = claims("what was before it is "+string(end), now.Add(time.Second), im.ID{}, lift)
			must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{settled(is[0], end)}}))
		}
	})
}

// What is claimed comes with all that is known of it.
func TestClaimTellsAll(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		co := newCrowd().Snapshot
		contact, elsewhere := co.Contacts[0], co.Workspaces[0].ID
		account := func(m im.ID) string { // of those with one where the contact is
			i := slices.IndexFunc(co.Accounts, func(a im.Account) bool { return a.MemberID == m && a.WorkspaceID == contact.WorkspaceID })
			return co.Accounts[i].PlatformID
		}
		owner, follower, former := contact.OwnerID, co.Members[4].ID, co.Members[2].ID
		stranger := co.Members[slices.IndexFunc(co.Members, func(m im.Member) bool {
			return !slices.ContainsFunc(co.Accounts, func(a im.Account) bool { return a.MemberID == m.ID && a.WorkspaceID == contact.WorkspaceID })
		})].ID
		for _, m := range []im.ID{follower, stranger} {
			co.Follows = append(co.Follows, im.Follow{ContactID: contact.ID, MemberID: m, Since: now, Source: "test"})
		}
		w := newWorldOf(t, dsn, co)
		r := w.blacklisting(0)
		u := ledger.Unit{Relationships: []im.Relationship{r}, Intents: []im.Intent{intent(im.IntentBlacklist, r)}}
		var others []im.ID
		for i, c := range []struct {
			in     bool
			change func(*im.Relationship)
		}{
			{true, func(*im.Relationship) {}},
			{true, func(x *im.Relationship) { x.State = im.UndoPendingApproval }},
			{true, func(x *im.Relationship) { x.ExpiresAt = now.Add(time.Microsecond) }},
			{false, func(x *im.Relationship) { x.ExpiresAt = now }},
			{false, func(x *im.Relationship) { x.State = im.PendingApproval }},
			{false, func(x *im.Relationship) { x.State = im.Lifted }},
			{false, func(x *im.Relationship) { x.Kind = im.Block }},
			{false, func(x *im.Relationship) { x.Target = co.Contacts[1].Ref() }},
		} {
			x := r
			x.ID, x.InitiatorID = ids.New(), co.Members[10+i].ID
			c.change(&x)
			u.Relationships = append(u.Relationships, x)
			if c.in {
				others = append(others, x.ID)
			}
		}
		must(t, w.Post(t.Context(), u))
		kept := im.Hold{ContactID: contact.ID, MemberID: former, Snapshot: `{"Tags":[]}`, TakenAt: now}
		must(t, w.KeepHold(t.Context(), kept))
		must(t, w.KeepHold(t.Context(), im.Hold{ContactID: co.Contacts[1].ID, MemberID: former, Snapshot: "another's", TakenAt: now}))

		j := w.only(now)
		want := u.Intents[0]
		want.Attempts, want.NextTryAt = 1, time.Time{}
		same(t, "intent", want, j.Intent)
		r.Reason = "" // which nobody needs to carry it out
		same(t, "relationship", r, j.Relationship)
		same(t, "contact", []any{contact.Name, contact.PlatformID, contact.OwnerID}, []any{j.TargetName, j.Contact, j.OwnerID})
		sides := map[im.ID]platform.Side{
			owner:    {MemberID: owner, Account: account(owner), Follows: true},
			follower: {MemberID: follower, Account: account(follower), Follows: true},
			former:   {MemberID: former, Account: account(former), Hold: &kept},
		}
		for _, s := range j.Sides {
			same(t, "side", sides[s.MemberID], s)
			delete(sides, s.MemberID)
		}
		same(t, "sides that are missing", 0, len(sides))
		got := []im.ID{}
		for _, o := range j.Others {
			got = append(got, o.ID)
		}
		slices.SortFunc(got, compareID)
		same(t, "others in effect", others, got)
		if elsewhere == contact.WorkspaceID {
			t.Error("the contact is on the first workspace, where everybody has an account")
		}
	})
}

// Many claim at once: each intent goes to one of them.
func TestClaimAtOnce(t *testing.T) {
	const claimers, most = 8, 5
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(200)
		at := now.Add(time.Hour)
		q := platform.ClaimQuery{Workspace: is[0].WorkspaceID, Now: at, Until: at.Add(lease), Limit: most}
		var claimed atomic.Int64
		var mu sync.Mutex
		times := map[im.ID]int{}
		var all sync.WaitGroup
		for _, s := range w.replicas() {
			for range claimers {
				all.Go(func() {
					for end := time.Now().Add(time.Minute); claimed.Load() < int64(len(is)); {
						jobs, err := s.Claim(context.Background(), q)
						if err != nil || len(jobs) > most || time.Now().After(end) {
							t.Errorf("claimed %d of %d, and now %d: %v", claimed.Load(), len(is), len(jobs), err)
							return
						}
						claimed.Add(int64(len(jobs)))
						mu.Lock()
						for _, j := range jobs {
							times[j.Intent.ID]++
						}
						mu.Unlock()
					}
				})
			}
		}
		all.Wait()
		for _, i := range is {
			if times[i.ID] != 1 {
				t.Errorf("one intent went to %d", times[i.ID])
			}
		}

		q.Intent, q.Now, q.Until = is[0].ID, at.Add(lease), at.Add(2*lease)
		claimed.Store(0)
		for _, s := range w.replicas() {
			for range claimers {
				all.Go(func() {
					jobs, err := s.Claim(context.Background(), q)
					claimed.Add(int64(len(jobs)))
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		same(t, "claimers of one by its id", int64(1), claimed.Load())
	})
}

// Claiming, hastening and settling at once stand in nobody's way.
func TestDeliverAtOnce(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(150)
		at := now.Add(time.Hour)
		var left atomic.Int64
		left.Store(int64(len(is)))
		var all sync.WaitGroup
		for _, s := range w.replicas() {
			for range 4 {
				all.Go(func() {
					for end := time.Now().Add(time.Minute); left.Load() > 0 && time.Now().Before(end); {
						jobs, err := s.Claim(context.Background(), platform.ClaimQuery{Workspace: is[0].WorkspaceID, Now: at, Until: at.Add(lease), Limit: 8})
						if err != nil {
							t.Error(err)
							return
						}
						for _, j := range jobs {
							u := ledger.Unit{IntentSteps: []im.Intent{settled(j.Intent, im.DeliveryDelivered)}}
							if j.Intent.Attempts == 1 { // the first try has it wait
								u.IntentSteps[0] = j.Intent
								u.IntentSteps[0].LastErrorCode, u.IntentSteps[0].NextTryAt = "Unavailable", at.Add(time.Hour)
							} else {
								left.Add(-1)
							}
							if err := s.Post(context.Background(), u); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Go(func() {
				for end := time.Now().Add(time.Minute); left.Load() > 0 && time.Now().Before(end); {
					if err := s.Hasten(context.Background(), is[0].WorkspaceID, at, 16); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		waiting, err := w.Waiting(t.Context())
		must(t, err)
		same(t, "what waits", map[im.ID]int{}, waiting)
	})
}

// Of what waits for its time, the oldest is made due.
func TestHasten(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(7)
		later := now.Add(time.Hour)
		done := w.only(now)
		must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{settled(done.Intent, im.DeliveryDelivered)}}))
		for _, c := range []struct {
			what      string
			workspace im.ID
			limit     int
			want      string // the numbers of those that are then due
		}{
			{"nothing was made due", is[0].WorkspaceID, 0, "1"},
			{"two were", is[0].WorkspaceID, 2, "1 2 3"},
			{"of another workspace", w.workspace(), 10, "1"},
			{"as many as there are", is[0].WorkspaceID, 10, "1 2 3 4 5 6"},
		} {
			w.exec("update intents set next_try_at = ?, claimed_until = null, last_error_code = 'Unavailable' where state = 'PENDING'", later.UnixMicro())
			w.exec("update intents set next_try_at = ? where id = ?", now.UnixMicro(), is[1].ID)
			must(t, w.Hasten(t.Context(), c.workspace, now, c.limit))
			var got []string
			for _, j := range w.claim(now, 10, im.ID{}) {
				n := slices.IndexFunc(is, func(x im.Intent) bool { return x.ID == j.Intent.ID })
				got = append(got, fmt.Sprint(n))
			}
			slices.Sort(got)
			same(t, c.what+": due", c.want, strings.Join(got, " "))
		}
		same(t, "times of what is settled", 1, one[int](w, "select count(*) from intents where id = ? and next_try_at is null", is[0].ID))
	})
}

// On SQLite nobody else can be alive who has claimed anything; on PostgreSQL another replica may.
func TestReclaim(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		w.intend(2)
		same(t, "claimed", 2, len(w.claim(now.Add(time.Second), 10, im.ID{})))
		w.reopen()
		must(t, w.Reclaim(t.Context()))
		want := 0
		if onSQLite(dsn) {
			want = 2
		}
		jobs := w.claim(now.Add(time.Second), 10, im.ID{})
		same(t, "claimed again", want, len(jobs))
		for _, j := range jobs {
			same(t, "attempts", 2, j.Intent.Attempts)
		}
	})
}

func TestWaiting(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(3)
		elsewhere := intent(im.IntentBlacklist, w.blacklisting(3))
		elsewhere.WorkspaceID = w.workspace()
		must(t, w.Post(t.Context(), ledger.Unit{Intents: []im.Intent{elsewhere}}))
		j := w.only(now) // what is under way still waits
		got, err := w.Waiting(t.Context())
		must(t, err)
		same(t, "what waits", map[im.ID]int{is[0].WorkspaceID: 3, w.workspace(): 1}, got)
		must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{settled(j.Intent, im.DeliveryFailed)}}))
		got, err = w.Waiting(t.Context())
		must(t, err)
		same(t, "what waits still", 2, got[is[0].WorkspaceID])
	})
}

// delivered is all that may be written down with the end of a delivery.
func delivered(i im.Intent) ledger.Unit {
	return ledger.Unit{IntentSteps: []im.Intent{settled(i, im.DeliveryDelivered)},
		Holds:    []im.Hold{{ContactID: i.TargetID, MemberID: ids.New(), Snapshot: "more", TakenAt: now}},
		Released: []im.Hold{{ContactID: i.TargetID, MemberID: letGo}},
		Tags:     []im.TagChange{{ContactID: i.TargetID, Taken: []string{"重点客户"}, Added: []string{"新"}}},
		Shortfalls: []ledger.Shortfalls{{RelationshipID: i.Subject.ID, About: i.TargetID,
			Items: []im.Shortfall{{Code: "GONE", What: "华东"}}}},
		Events: []im.AuditEvent{{ID: ids.New(), At: now, ActorName: "guanxi", Action: "platform.deliver", Subject: i.Subject, About: i.TargetID}}}
}

// letGo is whose hold such a unit lets go.
var letGo = ids.New()

// Whoever lost his lease writes nothing of what he brings, nor does who comes when all is settled.
func TestSettledOnce(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		w.intend(1)
		contact := w.customer(0)
		must(t, w.KeepHold(t.Context(), im.Hold{ContactID: contact.ID, MemberID: letGo, Snapshot: "kept", TakenAt: now}))
		first := w.only(now)
		second := w.only(now.Add(lease))
		refused := func(what string, u ledger.Unit) {
			t.Helper()
			before, tags := w.counts(), w.tags(contact.ID)
			if err := w.Post(t.Context(), u); err != ledger.ErrStale {
				t.Errorf("%s: answered %v", what, err)
			}
			same(t, what+": rows", before, w.counts())
			same(t, what+": tags", tags, w.tags(contact.ID))
		}
		refused("the lease was lost", delivered(first.Intent))
		again := first.Intent
		again.NextTryAt = now.Add(time.Hour)
		refused("the lease was lost, and it is to be tried again", ledger.Unit{IntentSteps: []im.Intent{again}})
		same(t, "claimed while the second has it", 0, len(w.claim(now.Add(lease), 10, im.ID{})))

		before := w.counts()
		must(t, w.Post(t.Context(), delivered(second.Intent)))
		after := w.counts()
		for table, more := range map[string]int{"contact_holds": 0, "relationship_shortfalls": 1, "audit_events": 1} { // a hold came, and one went
			same(t, table, more, after[table]-before[table])
		}
		same(t, "tags", []string{"华东", "新"}, w.tags(contact.ID))
		refused("it is settled", delivered(second.Intent))
		refused("it is settled, and the attempt is another", delivered(first.Intent))
	})
}

// tags are those that our record of a contact shows.
func (w *world) tags(contact im.ID) []string {
	w.t.Helper()
	cs, err := w.Contacts(w.t.Context(), all, []im.ID{contact})
	must(w.t, err)
	return cs[contact].Tags
}

// An attempt that is to be made again leaves the intent to whoever comes when it is time.
func TestTriedAgain(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(1)
		step := w.only(now).Intent
		step.LastErrorCode, step.VendorRef, step.NextTryAt = "RateLimited", "ref", now.Add(time.Second)
		must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{step}}))
		got, err := w.Deliveries(t.Context(), []im.ID{is[0].Subject.ID})
		must(t, err)
		same(t, "delivery", im.Delivery{Kind: im.IntentBlacklist, State: im.DeliveryPending, Attempts: 1, LastErrorCode: "RateLimited", VendorRef: "ref"},
			got[is[0].Subject.ID])
		same(t, "claimed before its time", 0, len(w.claim(now.Add(time.Second-time.Microsecond), 10, im.ID{})))
		step = settled(w.only(now.Add(time.Second)).Intent, im.DeliveryFailed)
		step.LastErrorCode = "NotFound"
		must(t, w.Post(t.Context(), ledger.Unit{IntentSteps: []im.Intent{step}}))
		got, err = w.Deliveries(t.Context(), []im.ID{is[0].Subject.ID})
		must(t, err)
		same(t, "delivery", im.Delivery{Kind: im.IntentBlacklist, State: im.DeliveryFailed, Attempts: 2, LastErrorCode: "NotFound", SettledAt: now},
			got[is[0].Subject.ID])
	})
}

// What was kept first is from before anything was taken, so that keeping again leaves it; a unit knows better.
func TestHolds(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		w.intend(1)
		contact := w.customer(0)
		at := now
		held := func(what string, want im.Text) {
			t.Helper()
			w.reopen()
			var got im.Text
			for _, s := range w.only(at).Sides {
				if s.MemberID == contact.OwnerID && s.Hold != nil {
					got = s.Hold.Snapshot
					same(t, what+": taken at", now, s.Hold.TakenAt)
				}
			}
			same(t, what, want, got)
			at = at.Add(lease)
		}
		h := im.Hold{ContactID: contact.ID, MemberID: contact.OwnerID, Snapshot: "first", TakenAt: now}
		must(t, w.KeepHold(t.Context(), h))
		held("kept", "first")
		h.Snapshot, h.TakenAt = "second", now.Add(time.Second)
		must(t, w.KeepHold(t.Context(), h))
		held("kept again", "first")
		must(t, w.Post(t.Context(), ledger.Unit{Holds: []im.Hold{h}}))
		held("kept by a unit", "second")
		must(t, w.Post(t.Context(), ledger.Unit{Released: []im.Hold{{ContactID: contact.ID, MemberID: w.member(0)}, {ContactID: w.customer(1).ID, MemberID: contact.OwnerID}}}))
		held("after others were let go", "second")
		must(t, w.Post(t.Context(), ledger.Unit{Released: []im.Hold{h}}))
		held("let go", "")
		must(t, w.KeepHold(t.Context(), im.Hold{ContactID: contact.ID, MemberID: contact.OwnerID, Snapshot: "third", TakenAt: now}))
		held("kept anew", "third")
	})
}

func TestTags(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		one, other := w.customer(0).ID, w.customer(4).ID
		for _, c := range []struct {
			change im.TagChange
			want   string
		}{
			{im.TagChange{}, "华东 重点客户"},
			{im.TagChange{Taken: []string{"华东", "华东", "none such"}}, "重点客户"},
			{im.TagChange{Added: []string{"华东", "重点客户", "新"}}, "华东 新 重点客户"},
			{im.TagChange{Taken: []string{"华东", "新", "重点客户"}}, ""},
		} {
			c.change.ContactID = one
			must(t, w.Post(t.Context(), ledger.Unit{Tags: []im.TagChange{c.change}}))
			same(t, fmt.Sprintf("tags after %+v", c.change), c.want, strings.Join(w.tags(one), " "))
		}
		same(t, "another's", []string{"华东"}, w.tags(other))
	})
}

func TestShortfalls(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(3)
		about := func(i int, items ...im.Shortfall) ledger.Shortfalls {
			return ledger.Shortfalls{RelationshipID: is[i].Subject.ID, About: is[i].TargetID, Items: items}
		}
		gone, empty := im.Shortfall{Code: "GONE", What: "华东"}, im.Shortfall{Code: "EMPTY", What: "remark"}
		must(t, w.Post(t.Context(), ledger.Unit{Shortfalls: []ledger.Shortfalls{about(0, gone), about(1, gone, empty)}}))
		must(t, w.Post(t.Context(), ledger.Unit{Shortfalls: []ledger.Shortfalls{about(0, empty)}}))
		w.reopen()
		got, err := w.Shortfalls(t.Context(), []im.ID{is[2].Subject.ID, is[1].Subject.ID, is[0].Subject.ID, ids.New()})
		must(t, err)
		same(t, "shortfalls", map[im.ID][]im.Shortfall{is[0].Subject.ID: {empty}, is[1].Subject.ID: {gone, empty}}, got)
		got, err = w.Shortfalls(t.Context(), nil)
		must(t, err)
		same(t, "of nothing", map[im.ID][]im.Shortfall{}, got)
	})
}

// What was taken off a contact, and what could not be put back, stands in the database under the contact's key alone:
// once that is gone, so is what it kept.
func TestHoldsAndShortfallsAreSealed(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		is := w.intend(3)
		var sealedBy []im.ID
		key := func(box []byte) {
			t.Helper()
			id, err := envelope.KeyID(box)
			must(t, err)
			sealedBy = append(sealedBy, one[im.ID](w, "select subject_id from data_keys where id = ?", id))
		}
		for n, keep := range []func(im.Hold) error{
			func(h im.Hold) error { return w.KeepHold(t.Context(), h) },
			func(h im.Hold) error { return w.Post(t.Context(), ledger.Unit{Holds: []im.Hold{h}}) },
		} {
			contact := w.customer(n)
			must(t, keep(im.Hold{ContactID: contact.ID, MemberID: contact.OwnerID, Snapshot: canary + "-tag", TakenAt: now}))
			key(one[[]byte](w, "select snapshot from contact_holds where contact_id = ?", contact.ID))
		}
		must(t, w.Post(t.Context(), ledger.Unit{Shortfalls: []ledger.Shortfalls{{RelationshipID: is[2].Subject.ID, About: is[2].TargetID,
			Items: []im.Shortfall{{Code: "GONE", What: canary + "-gone"}}}}}))
		key(one[[]byte](w, "select items from relationship_shortfalls"))
		same(t, "whose keys", []im.ID{w.customer(0).ID, w.customer(1).ID, w.customer(2).ID}, sealedBy)

		all := testkit.Bytes(t, dsn)
		for _, c := range []string{canary, hex.EncodeToString([]byte(canary))} {
			if bytes.Contains(all, []byte(c)) {
				t.Errorf("%q is in the database", c)
			}
		}
		if name := w.customer(0).PlatformID; !bytes.Contains(all, []byte(name)) { // what is not sealed would be found
			t.Errorf("%s is not in the database", name)
		}

		read := func(want im.Text) {
			t.Helper()
			w.reopen()
			for _, j := range w.claim(now.Add(time.Hour), 2, im.ID{}) {
				for _, s := range j.Sides {
					if s.Hold == nil {
						t.Fatalf("%s has no hold", j.Contact)
					}
					same(t, "hold", want, s.Hold.Snapshot)
				}
			}
			got, err := w.Shortfalls(t.Context(), []im.ID{is[2].Subject.ID})
			must(t, err)
			same(t, "shortfalls", want != "", len(got) > 0)
		}
		read(canary + "-tag")
		w.exec("update data_keys set wrapped = null")
		w.exec("update intents set claimed_until = null")
		read("")
	})
}

func TestLease(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		const window, limit = 3, 10
		here, there := w.co.Workspaces[0].ID, w.co.Workspaces[1].ID
		for _, c := range []struct {
			what      string
			workspace im.ID
			budget    string
			slot      int64
			calls     int
			granted   bool
		}{
			{"some", here, "a", 1, 6, true},
			{"what is left and one more", here, "a", 1, 5, false},
			{"what is left", here, "a", 1, 4, true},
			{"none is left", here, "a", 1, 1, false},
			{"none is left in the window", here, "a", 3, 1, false},
			{"another budget", here, "b", 1, 10, true},
			{"another workspace", there, "a", 1, 10, true},
			{"more than there ever is", there, "c", 1, 11, false},
			{"the slot has left the window", here, "a", 4, 10, true},
			{"and is full again", here, "a", 6, 1, false},
			{"far later", here, "a", 100, 3, true},
		} {
			got, err := w.Lease(t.Context(), platform.LeaseQuery{Workspace: c.workspace, Budget: c.budget, Slot: c.slot, Since: c.slot - window + 1, Calls: c.calls, Limit: limit})
			must(t, err)
			if got != c.granted {
				t.Errorf("%s: %t", c.what, got)
			}
		}
		same(t, "slots that are kept", 1, one[int](w, "select count(*) from platform_calls where workspace_id = ? and budget = 'a'", here))
		same(t, "of others", 2, one[int](w, "select count(*) from platform_calls where slot = 1"))

		w.reopen() // who leased may be dead: what he was given is spent
		got, err := w.Lease(t.Context(), platform.LeaseQuery{Workspace: here, Budget: "a", Slot: 101, Since: 99, Calls: 8, Limit: limit})
		must(t, err)
		same(t, "as if the dead had made no call", false, got)
	})
}

// Whoever leases, and however many at once: no window holds more than the limit, and nothing is withheld.
func TestLeaseAtOnce(t *testing.T) {
	const slots, window, limit, calls, takers = 12, 4, 30, 2, 8
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		replicas := w.replicas()
		var given [slots + window]atomic.Int64
		for slot := range int64(slots) {
			var all sync.WaitGroup
			for _, s := range replicas {
				for range takers {
					all.Go(func() {
						for range limit / calls / 3 {
							ok, err := s.Lease(context.Background(), platform.LeaseQuery{Workspace: w.workspace(), Budget: "a", Slot: slot, Since: slot - window + 1,
								Calls: calls, Limit: limit})
							if err != nil {
								t.Error(err)
							}
							if ok {
								given[slot].Add(calls)
							}
						}
					})
				}
			}
			all.Wait()
		}
		for first := range slots - window + 1 {
			n := int64(0)
			for slot := first; slot < first+window; slot++ {
				n += given[slot].Load()
			}
			if n != limit { // everybody asked for more than there is
				t.Errorf("%d calls in the window that begins with slot %d", n, first)
			}
		}
	})
}
