package db_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// canary is a word that stands nowhere but in what people wrote.
const canary = "kanarienvogel"

// written is a unit in which every text that is to be sealed holds the canary.
func written(w *world) filled {
	f := whole(w)
	u := &f.unit
	u.Relationships[0].Reason = canary + "-reason"
	u.Approvals[0].Reason = canary + "-request"
	u.Verdicts[0].Comment = canary + "-comment"
	u.Events[0].Detail, u.Events[0].ActorName, u.Events[0].SubjectName = canary+"-detail", canary+"-actor", canary+"-subject"
	u.Changes[0].Relationship.Reason = canary + "-reason"
	f.rel, f.approval, f.verdict, f.event, f.change = u.Relationships[0], u.Approvals[0], u.Verdicts[0], u.Events[0], u.Changes[0]
	return f
}

// texts reads all sealed texts of a unit, and those of its change.
func (f filled) texts(t *testing.T, w *world) (out []string) {
	t.Helper()
	ctx := t.Context()
	rels, err := w.Relationships(ctx, all, []im.ID{f.rel.ID})
	must(t, err)
	approvals, err := w.Approvals(ctx, all, []im.ID{f.approval.ID})
	must(t, err)
	verdicts, err := w.Verdicts(ctx, []im.ID{f.approval.ID})
	must(t, err)
	events, err := w.Events(ctx, all, []im.ID{f.event.ID})
	must(t, err)
	e := events[f.event.ID]
	p, err := w.Position(ctx)
	must(t, err)
	changes, err := w.Changes(ctx, all, live.Watch{}, 0, p.Number, 100)
	must(t, err)
	out = append(out, string(rels[f.rel.ID].Reason), string(approvals[f.approval.ID].Reason), string(verdicts[f.approval.ID][0].Comment),
		e.ActorName, e.SubjectName, string(e.Detail))
	for _, c := range changes {
		if c.ID == f.change.ID {
			out = append(out, string(c.Relationship.Reason))
		}
	}
	return out
}

func TestTextsAreSealed(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		f := written(w)
		must(t, w.Post(t.Context(), f.unit))
		_, _, err := w.Seal(t.Context())
		must(t, err)
		for _, column := range []string{"relationships.reason", "approvals.reason", "approval_verdicts.comment", "audit_events.detail",
			"audit_events.actor_name", "audit_events.subject_name"} {
			table, name, _ := strings.Cut(column, ".")
			box := one[[]byte](w, "select "+name+" from "+table)
			if id, err := envelope.KeyID(box); err != nil || id.IsZero() {
				t.Errorf("%s is no box: %v", column, err)
			}
		}
		for where, b := range dump(t, w) {
			for _, c := range []string{canary, hex.EncodeToString([]byte(canary))} {
				if bytes.Contains(b, []byte(c)) {
					t.Errorf("the canary is in %s", where)
				}
			}
		}
		want := []string{canary + "-reason", canary + "-request", canary + "-comment", canary + "-actor", canary + "-subject",
			canary + "-detail", canary + "-reason"}
		w.reopen()
		same(t, "texts", want, f.texts(t, w))
	})
}

// dump is all that the database holds: its files, or every row of every table as text.
func dump(t *testing.T, w *world) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	if path, ok := strings.CutPrefix(w.dsn, "sqlite:"); ok {
		files, err := filepath.Glob(path + "*")
		must(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, err)
			out[filepath.Base(f)] = b
		}
	} else {
		for _, table := range tables(t, w.raw, w.dsn) {
			out[table] = []byte(one[string](w, "select coalesce(string_agg(x::text, ' '), '') from "+table+" x"))
		}
	}
	if len(out) == 0 {
		t.Fatal("nothing to look at")
	}
	return out
}

// A box that was copied to another row or column does not open there, though its key is at hand.
func TestMovedTextsDoNotOpen(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		target := w.member(20)
		a, b := posting(w.block(w.member(3), target)), posting(w.block(w.member(4), target))
		must(t, w.Post(t.Context(), a))
		must(t, w.Post(t.Context(), b))
		from, to := a.Relationships[0].ID, b.Relationships[0].ID
		reads := func() error { _, err := w.Relationships(t.Context(), all, []im.ID{to}); return err }
		must(t, reads())
		w.exec("update relationships set reason = (select reason from relationships where id = ?) where id = ?", from, to)
		if err := reads(); err == nil || !strings.Contains(err.Error(), envelope.ErrAltered.Error()) {
			t.Errorf("a reason of another row: %v", err)
		}
		event := b.Events[0].ID
		w.exec("update audit_events set detail = subject_name where id = ?", event)
		if _, err := w.Events(t.Context(), all, []im.ID{event}); err == nil || !strings.Contains(err.Error(), envelope.ErrAltered.Error()) {
			t.Errorf("a name in the place of a detail: %v", err)
		}
		w.exec("update audit_events set detail = ? where id = ?", []byte("in the clear"), event)
		if _, err := w.Events(t.Context(), all, []im.ID{event}); err == nil {
			t.Error("a text in the clear was taken for a box")
		}
	})
}

// Whoever's key is destroyed is erased: every text about that person reads as empty, everybody else's as before, and
// the chain still verifies.
func TestErasure(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		erased, kept := written(w), written(w)
		must(t, w.Post(t.Context(), erased.unit))
		must(t, w.Post(t.Context(), kept.unit))
		_, _, err := w.Seal(t.Context())
		must(t, err)
		want := kept.texts(t, w)
		w.exec("update data_keys set wrapped = null, destroyed_at = ? where subject_id = ?", now.UnixMicro(), erased.rel.Target.ID)
		w.reopen()
		actor := canary + "-actor" // of the initiator, whose key stands
		same(t, "texts about the erased", []string{"", "", "", actor, "", "", ""}, erased.texts(t, w))
		same(t, "texts about another", want, kept.texts(t, w))
		rep, err := audit.Verify(t.Context(), w.Store, nil)
		must(t, err)
		same(t, "events in the chain", int64(2), rep.Sealed)
		// Who comes back gets another key; what was erased stays so.
		back := posting(w.block(w.member(5), erased.rel.Target.ID))
		must(t, w.Post(t.Context(), back))
		w.reopen()
		rels, err := w.Relationships(t.Context(), all, []im.ID{back.Relationships[0].ID, erased.rel.ID})
		must(t, err)
		same(t, "new", im.Text("as it is"), rels[back.Relationships[0].ID].Reason)
		same(t, "old", im.Text(""), rels[erased.rel.ID].Reason)
	})
}

func TestOtherMaster(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		must(t, w.Close())
		keyset, err := envelope.NewKeyset()
		must(t, err)
		master, err := envelope.Open(keyset)
		must(t, err)
		s := open(t, dsn, master)
		if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another keyset") {
			t.Errorf("started with another keyset: %v", err)
		}
	})
}

func TestFingerprint(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		first := w.Fingerprint([]byte("x"))
		if bytes.Equal(first, w.Fingerprint([]byte("y"))) || !bytes.Equal(first, w.Fingerprint([]byte("x"))) {
			t.Error("equal for unequal input, or unequal for equal")
		}
		must(t, w.Start(t.Context()))
		same(t, "after another start", first, w.Fingerprint([]byte("x")))
		same(t, "after a restart", first, w.reopen().Fingerprint([]byte("x")))
		if bytes.Equal(first, started(t, other(t, dsn)).Fingerprint([]byte("x"))) {
			t.Error("two databases have one fingerprint key")
		}
	})
}

// Replicas that seal texts about the same person for the first time, at the same time, both make a key: every text
// opens all the same.
func TestConcurrentKeys(t *testing.T) {
	dsn := testkit.Postgres(t)
	w := newWorld(t, dsn)
	stores := []interface {
		Post(context.Context, ledger.Unit) error
	}{w.Store, started(t, dsn)}
	var wg sync.WaitGroup
	at := make(chan struct{}, 24) // at once: other packages' tests share the server's connections
	reasons := map[im.ID]im.Text{}
	for i := range 60 {
		r := w.block(w.member(i), w.member(20+i%3))
		r.Reason = im.Text(fmt.Sprint("reason ", i))
		if r.InitiatorID == r.Target.ID {
			continue
		}
		reasons[r.ID] = r.Reason
		u := posting(r)
		wg.Go(func() {
			at <- struct{}{}
			defer func() { <-at }()
			if err := stores[i%2].Post(context.Background(), u); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.reopen()
	var made []im.ID
	for id := range reasons {
		made = append(made, id)
	}
	rels, err := w.Relationships(t.Context(), all, made)
	must(t, err)
	got := map[im.ID]im.Text{}
	for id, r := range rels {
		got[id] = r.Reason
	}
	same(t, "reasons", reasons, got)
}
