package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// filled is a unit with a row of every kind in which no field is left out.
type filled struct {
	unit     ledger.Unit
	rel      im.Relationship
	approval im.Approval
	verdict  im.Verdict
	decision im.Decision
	event    im.AuditEvent
	change   im.Change
	intent   im.Intent
	alert    im.Alert
	answer   ledger.Answer
}

// whole makes a unit about people whom no other unit concerns.
func whole(w *world) filled {
	co := w.co
	fresh++
	initiator, target, contact := w.member(3), w.member(17+fresh), co.Contacts[fresh]
	ref := func(k im.Kind, id im.ID) im.Ref { return im.Ref{Kind: k, ID: id} }
	var f filled
	f.decision = im.Decision{ID: ids.New(), At: now, Action: "block", ActorID: initiator, Target: ref(im.KindMember, target),
		WorkspaceID: w.workspace(), Outcome: im.Review, Rules: []im.RuleRef{{ID: ids.New(), Name: "C-06", File: "guard.csv", Line: 7}},
		Needs: []im.Need{{Role: "admin", Count: 2}}, Obligations: []string{"undo:72h"}, Facts: map[string]string{"sub.Rank": "3"},
		PolicyVersion: "abc", Times: 1}
	f.rel = im.Relationship{ID: ids.New(), WorkspaceID: w.workspace(), Kind: im.GroupBlock, State: im.PendingApproval, Version: 1,
		Scope: im.WorkspaceScope, Source: im.FromChat, InitiatorID: initiator, Target: ref(im.KindMember, target), GroupID: co.Groups[3].ID,
		Reason: "太吵了", CreatedAt: now, EffectiveAt: now.Add(1), ExpiresAt: now.Add(time.Hour), EndedAt: now.Add(2 * time.Hour),
		Enforcement: im.EnforcedEmulated, Undo: im.UndoTerms{Allowed: true, Until: now.Add(time.Hour), Review: "admin", Trace: true},
		DecisionID: f.decision.ID, Needs: f.decision.Needs}
	f.rel.EffectiveAt = now.Add(time.Microsecond)
	f.approval = im.Approval{ID: ids.New(), Action: "block", Subject: ref(im.KindRelationship, f.rel.ID), WorkspaceID: w.workspace(),
		RequestedBy: initiator, Reason: "太吵了", About: target, RequestHash: []byte{0, 1, 2}, Needs: f.decision.Needs, DecisionID: f.decision.ID,
		FinalDecisionID: ids.New(), State: im.ApprovalPending, Version: 1, CreatedAt: now, ExpiresAt: now.Add(time.Hour), EndedAt: now.Add(time.Minute)}
	f.verdict = im.Verdict{ID: ids.New(), ApprovalID: f.approval.ID, ByID: w.member(1), Approved: true, Comment: "可以", About: target, At: now}
	f.event = im.AuditEvent{ID: ids.New(), At: now, Actor: ref(im.KindMember, initiator), ActorName: "王芳", Action: "block", Outcome: im.Review,
		Subject: ref(im.KindRelationship, f.rel.ID), SubjectName: "李强", About: target, WorkspaceID: w.workspace(), DecisionID: f.decision.ID,
		RequestID: "request", Detail: "太吵了", Prevented: "CONFLICT"}
	f.change = im.RelationshipChange(ids.New(), now, f.rel, im.Staged)
	f.intent = im.Intent{ID: ids.New(), Key: "block:" + f.rel.ID.String(), Kind: "block", WorkspaceID: w.workspace(),
		Subject: ref(im.KindRelationship, f.rel.ID), State: im.DeliveryPending, CreatedAt: now, SettledAt: now.Add(time.Second)}
	f.alert = im.Alert{ID: ids.New(), Kind: im.KeyContactBlocked, Severity: im.RiskHigh, At: now, Subject: ref(im.KindRelationship, f.rel.ID),
		PersonID: initiator, ContactID: contact.ID}
	f.answer = ledger.Answer{ActorID: initiator, Key: f.rel.ID.String(), Operation: "block", RequestHash: []byte{9}, Result: []byte(`{"parts": []}`), At: now}
	f.unit = ledger.Unit{Answer: &f.answer, Decisions: []im.Decision{f.decision}, Relationships: []im.Relationship{f.rel},
		Approvals: []im.Approval{f.approval}, Candidates: []im.Candidate{{ApprovalID: f.approval.ID, MemberID: w.member(1), Role: "admin"}},
		Verdicts: []im.Verdict{f.verdict}, Events: []im.AuditEvent{f.event}, Changes: []im.Change{f.change}, Intents: []im.Intent{f.intent},
		Alerts: []im.Alert{f.alert}}
	return f
}

var fresh int

// check reads everything back.
func (f filled) check(t *testing.T, w *world) {
	t.Helper()
	ctx := t.Context()
	_, _, err := w.Seal(ctx)
	must(t, err)
	rels, err := w.Relationships(ctx, all, []im.ID{f.rel.ID})
	must(t, err)
	same(t, "relationship", f.rel, rels[f.rel.ID])
	approvals, err := w.Approvals(ctx, all, []im.ID{f.approval.ID})
	must(t, err)
	same(t, "approval", f.approval, approvals[f.approval.ID])
	of, err := w.ApprovalsOf(ctx, []im.ID{f.rel.ID})
	must(t, err)
	same(t, "approvals of", []im.Approval{f.approval}, of[f.rel.ID])
	verdicts, err := w.Verdicts(ctx, []im.ID{f.approval.ID})
	must(t, err)
	about := f.verdict
	about.About = im.ID{} // a verdict's subject is its approval's
	same(t, "verdicts", []im.Verdict{about}, verdicts[f.approval.ID])
	candidates, err := w.Candidates(ctx, []im.ID{f.approval.ID})
	must(t, err)
	same(t, "candidates", f.unit.Candidates, candidates[f.approval.ID])
	decisions, err := w.Decisions(ctx, []im.ID{f.decision.ID})
	must(t, err)
	same(t, "decision", f.decision, decisions[f.decision.ID])
	asked, err := w.AskedBy(ctx, []im.ID{f.decision.ID})
	must(t, err)
	same(t, "asked by", f.approval.ID, asked[f.decision.ID])
	deliveries, err := w.Deliveries(ctx, []im.ID{f.rel.ID})
	must(t, err)
	same(t, "delivery", im.Delivery{Kind: f.intent.Kind, State: f.intent.State, SettledAt: f.intent.SettledAt}, deliveries[f.rel.ID])
	alerts, err := w.Alerts(ctx, all, []im.ID{f.alert.ID})
	must(t, err)
	same(t, "alert", f.alert, alerts[f.alert.ID])
	answer, err := w.Answer(ctx, f.answer.ActorID, f.answer.Key)
	must(t, err)
	same(t, "answer", &f.answer, answer)
	events, err := w.Events(ctx, all, []im.ID{f.event.ID})
	must(t, err)
	got := events[f.event.ID]
	if got.Sequence == 0 || len(got.Hash) == 0 || len(got.Previous) == 0 {
		t.Errorf("the event is not sealed: %+v", got)
	}
	got.Sequence, got.Hash, got.Previous = 0, nil, nil
	same(t, "event", f.event, got)
	p, err := w.Position(ctx)
	must(t, err)
	changes, err := w.Changes(ctx, all, live.Watch{}, p.Number-2, p.Number, 10)
	must(t, err)
	f.change.Number = p.Number - 1
	same(t, "changes", []im.Change{f.change}, changes)
	changes, err = w.Changes(ctx, all, live.Watch{Of: live.Alerts}, p.Number-2, p.Number, 10)
	must(t, err)
	raised := im.Change{ID: f.alert.ID, At: now, About: im.Ref{Kind: im.KindAlert, ID: f.alert.ID}, What: im.Created, Alert: &f.alert, Number: p.Number}
	same(t, "the alert's change", []im.Change{raised}, changes)
	facts, err := w.RelationshipFacts(ctx, im.Viewer{}, f.rel.ID)
	must(t, err)
	same(t, "facts", f.rel, facts.Relationship)
	same(t, "pending", []im.Approval{f.approval}, facts.Pending)
}

func TestPostWhole(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		f := whole(w)
		must(t, w.Post(t.Context(), f.unit))
		f.check(t, w)

		// What changes of a row is changed, and nothing else.
		f.rel.State, f.rel.Version, f.rel.EffectiveAt, f.rel.EndedAt = im.Lifted, 2, now.Add(time.Hour), now.Add(2*time.Hour)
		f.rel.Enforcement, f.rel.DecisionID = im.EnforcedRecorded, ids.New()
		f.approval.State, f.approval.Version, f.approval.EndedAt = im.ApprovalApproved, 2, now.Add(time.Hour)
		f.approval.FinalDecisionID, f.approval.Needs = ids.New(), []im.Need{{Role: "super_admin", Count: 1}}
		must(t, w.Post(t.Context(), ledger.Unit{Steps: []im.Relationship{f.rel}, ApprovalSteps: []im.Approval{f.approval}}))
		w.reopen()
		rels, err := w.Relationships(t.Context(), all, []im.ID{f.rel.ID})
		must(t, err)
		same(t, "relationship", f.rel, rels[f.rel.ID])
		approvals, err := w.Approvals(t.Context(), all, []im.ID{f.approval.ID})
		must(t, err)
		same(t, "approval", f.approval, approvals[f.approval.ID])
	})
}

// Times that are none, references to nothing and lists of nothing come back as such.
func TestPostBare(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		r := w.block(w.member(3), w.member(4))
		r.EffectiveAt, r.Reason = time.Time{}, ""
		e := im.AuditEvent{ID: ids.New(), At: now, ActorName: "guanxi", Action: "relationship.expire", About: w.member(4)}
		d := im.Decision{ID: ids.New(), At: now, Action: "block", Outcome: im.Deny, PolicyVersion: "v", Times: 1}
		must(t, w.Post(t.Context(), ledger.Unit{Relationships: []im.Relationship{r}, Events: []im.AuditEvent{e}, Decisions: []im.Decision{d}}))
		rels, err := w.Relationships(t.Context(), all, []im.ID{r.ID})
		must(t, err)
		same(t, "relationship", r, rels[r.ID])
		events, err := w.Events(t.Context(), all, []im.ID{e.ID})
		must(t, err)
		same(t, "event", e, events[e.ID])
		decisions, err := w.Decisions(t.Context(), []im.ID{d.ID})
		must(t, err)
		same(t, "decision", d, decisions[d.ID])
		must(t, w.Post(t.Context(), ledger.Unit{}))
	})
}

// A unit of which any part cannot be written leaves nothing behind, in no table.
func TestPostAllOrNothing(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		there := whole(w)
		must(t, w.Post(t.Context(), there.unit))
		rel, approval := there.rel, there.approval
		var later []im.ID
		unavailable := errors.New(string(fault.Unavailable))
		for name, c := range map[string]struct {
			add  func(u *ledger.Unit)
			want error
		}{
			"the key has an answer": {func(u *ledger.Unit) { u.Answer.Key = there.answer.Key }, ledger.ErrAnswered},
			"one stands there":      {func(u *ledger.Unit) { r := rel; r.ID = ids.New(); u.Relationships = append(u.Relationships, r) }, ledger.ErrLive},
			"two of one unit": {func(u *ledger.Unit) {
				r := u.Relationships[0]
				r.ID = ids.New()
				u.Relationships = append(u.Relationships, r)
			}, ledger.ErrLive},
			"an old version":        {func(u *ledger.Unit) { u.Steps = append(u.Steps, rel) }, ledger.ErrStale},
			"a version too high":    {func(u *ledger.Unit) { r := rel; r.Version = 3; u.Steps = append(u.Steps, r) }, ledger.ErrStale},
			"no such relationship":  {func(u *ledger.Unit) { r := rel; r.ID, r.Version = ids.New(), 2; u.Steps = append(u.Steps, r) }, ledger.ErrStale},
			"the same step twice":   {func(u *ledger.Unit) { r := rel; r.Version = 2; u.Steps = append(u.Steps, r, r) }, ledger.ErrStale},
			"an old approval":       {func(u *ledger.Unit) { u.ApprovalSteps = append(u.ApprovalSteps, approval) }, ledger.ErrStale},
			"an approval too high":  {func(u *ledger.Unit) { a := approval; a.Version = 3; u.ApprovalSteps = append(u.ApprovalSteps, a) }, ledger.ErrStale},
			"a second pending one":  {func(u *ledger.Unit) { a := approval; a.ID = ids.New(); u.Approvals = append(u.Approvals, a) }, ledger.ErrStale},
			"a second verdict":      {func(u *ledger.Unit) { v := there.verdict; v.ID = ids.New(); u.Verdicts = append(u.Verdicts, v) }, ledger.ErrStale},
			"the decision is there": {func(u *ledger.Unit) { u.Decisions = append(u.Decisions, there.decision) }, unavailable},
			"the event is there":    {func(u *ledger.Unit) { u.Events = append(u.Events, there.event) }, unavailable},
			"the change is there":   {func(u *ledger.Unit) { u.Changes = append(u.Changes, there.change) }, unavailable},
			"the intent is there":   {func(u *ledger.Unit) { i := there.intent; i.ID = ids.New(); u.Intents = append(u.Intents, i) }, unavailable},
			"an alert on nobody":    {func(u *ledger.Unit) { u.Alerts[0].PersonID = ids.New() }, unavailable},
			"nobody blocks":         {func(u *ledger.Unit) { u.Relationships[0].InitiatorID = ids.New() }, unavailable},
		} {
			t.Run(name, func(t *testing.T) {
				before := w.counts()
				f := whole(w)
				f.unit.Steps = []im.Relationship{stepped(rel)}
				if c.want == ledger.ErrStale {
					f.unit.Steps = nil
				}
				c.add(&f.unit)
				err := w.Post(t.Context(), f.unit)
				if c.want == unavailable && !fault.Is(err, fault.Unavailable) || c.want != unavailable && err != c.want {
					t.Errorf("answered %v; want %v", err, c.want)
				}
				same(t, "rows", before, w.counts())
				still, err := w.Relationships(t.Context(), all, []im.ID{rel.ID})
				must(t, err)
				same(t, "what stood there", rel, still[rel.ID])
				// The store is none the worse for it, and a key that was not written seals nothing.
				next := w.block(w.member(5), f.rel.Target.ID)
				next.Kind = im.Isolation
				must(t, w.Post(t.Context(), posting(next)))
				later = append(later, next.ID)
			})
		}
		w.reopen()
		rels, err := w.Relationships(t.Context(), all, later)
		must(t, err)
		for _, id := range later {
			if rels[id].Reason != "as it is" {
				t.Errorf("reason %q of a relationship made after a failure", rels[id].Reason)
			}
		}
	})
}

// stepped is a relationship one version on; it stays live, so that it still stands in the way.
func stepped(r im.Relationship) im.Relationship {
	r.Version++
	r.State = im.Active
	return r
}

func TestOneLivePerPair(t *testing.T) {
	states := []im.RelationshipState{im.PendingApproval, im.Rejected, im.Staged, im.Cancelled, im.Active, im.UndoPendingApproval, im.Undone,
		im.Lifted, im.Expired}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		n := 0
		for _, grouped := range []bool{false, true} {
			for _, state := range states {
				first := w.block(w.member(n/50), w.member(n%50+1))
				n++
				first.State = state
				if grouped {
					first.GroupID = w.co.Groups[0].ID
				}
				must(t, w.Post(t.Context(), posting(first)))
				try := func(what string, ok bool, change func(*im.Relationship)) {
					t.Helper()
					r := first
					r.ID, r.DecisionID, r.State = ids.New(), ids.New(), im.Staged
					change(&r)
					var want error
					if !ok {
						want = ledger.ErrLive
					}
					if err := w.Post(t.Context(), posting(r)); err != want {
						t.Errorf("%s, group %t, %s: %v; want %v", state, grouped, what, err, want)
					}
				}
				try("another kind", true, func(r *im.Relationship) { r.Kind = im.Isolation })
				try("another workspace", true, func(r *im.Relationship) { r.WorkspaceID = w.co.Workspaces[1].ID })
				try("another group", true, func(r *im.Relationship) { r.GroupID = w.co.Groups[1].ID })
				try("the other way round", true, func(r *im.Relationship) { r.InitiatorID, r.Target.ID = r.Target.ID, r.InitiatorID })
				try("an ended one", true, func(r *im.Relationship) { r.State = im.Lifted })
				try("the same", !state.Live(), func(*im.Relationship) {})
			}
		}
	})
}

// Many commands at once, half of them in each other's way: each pair gets its one relationship with all that belongs
// to it, every loser is told, and nobody's neighbours in a shared commit come to harm.
func TestConcurrentPosts(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		const pairs = 50
		var wg sync.WaitGroup
		var mu sync.Mutex
		won, lost := map[int]int{}, 0
		before := w.counts()
		for i := range 4 * pairs {
			pair := i % pairs // each four times, spread out
			r := w.block(w.member(pair), w.member(pair+7))
			u := posting(r)
			u.Answer = &ledger.Answer{ActorID: r.InitiatorID, Key: fmt.Sprint(i), Operation: "block", RequestHash: []byte{1}, Result: []byte("{}"), At: now}
			wg.Go(func() {
				err := w.Post(context.Background(), u)
				mu.Lock()
				defer mu.Unlock()
				switch err {
				case nil:
					won[pair]++
				case ledger.ErrLive:
					lost++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != pairs || lost != 3*pairs {
			t.Errorf("%d pairs have won and %d were told that they lost", len(won), lost)
		}
		after := w.counts()
		for _, table := range []string{"relationships", "decisions", "audit_events", "changes", "idempotency"} {
			if n := after[table] - before[table]; n != pairs {
				t.Errorf("%s: %d rows of %d", table, n, pairs)
			}
		}
		if n := one[int](w, `select count(*) from relationships r join decisions d on d.id = r.decision_id
			join changes c on c.subject_id = r.id join audit_events e on e.subject_id = r.id`); n != pairs {
			t.Errorf("%d relationships are whole", n)
		}
		w.reopen() // what was answered is durable, and every text opens
		res, err := w.ListRelationships(t.Context(), all, blocking.RelationshipFilter{}, now, page.Request{Order: "x", Size: 100})
		must(t, err)
		for _, r := range res.Nodes {
			if r.Reason != "as it is" {
				t.Errorf("reason %q", r.Reason)
			}
		}
		same(t, "page", pairs, len(res.Nodes))
	})
}

func TestPostAfterClose(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		must(t, w.Post(t.Context(), posting(w.block(w.member(3), w.member(4))))) // the keys are known: only the write is left to fail
		must(t, w.Close())
		before := w.counts()
		if err := w.Post(t.Context(), posting(w.block(w.member(4), w.member(3)))); !fault.Is(err, fault.Unavailable) {
			t.Errorf("answered %v", err)
		}
		same(t, "rows", before, w.counts())
		must(t, w.Close())
	})
}

// A client that hangs up before its command began gets nothing done; one that hangs up later does not stop it half-way.
func TestPostCancelled(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		warm := posting(w.block(w.member(3), w.member(4)))
		must(t, w.Post(t.Context(), warm))
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		before := w.counts()
		for what, r := range map[string]im.Relationship{"known keys": w.block(w.member(4), w.member(3)), "new keys": w.block(w.member(5), w.member(6))} {
			if err := w.Post(gone, posting(r)); !fault.Is(err, fault.DeadlineExceeded) {
				t.Errorf("%s: answered %v", what, err)
			}
		}
		same(t, "rows", before, w.counts())

		// Another connection holds the writer up until the client is gone.
		blocker, err := w.raw.Conn(t.Context())
		must(t, err)
		hold := "begin; lock table relationships in exclusive mode"
		if onSQLite(dsn) {
			hold = "begin immediate"
		}
		_, err = blocker.ExecContext(t.Context(), hold)
		must(t, err)
		ctx, hangUp := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Post(ctx, posting(w.block(w.member(4), w.member(3)))) }()
		time.Sleep(100 * time.Millisecond)
		hangUp()
		select {
		case err := <-done:
			t.Fatalf("did not wait: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		_, err = blocker.ExecContext(t.Context(), "rollback")
		must(t, err)
		must(t, <-done)
		must(t, blocker.Close())
		if n := w.counts()["relationships"] - before["relationships"]; n != 1 {
			t.Errorf("%d were written", n)
		}
	})
}
