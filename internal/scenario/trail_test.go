package scenario

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// verdict is what `audit verify --json` prints.
type verdict struct {
	Holds                     bool
	Sealed, Waiting, Sequence int64
	Head, Event, What         string
}

func verify(t *testing.T, dsn string) (v verdict, code int) {
	t.Helper()
	out, stderr, code := testkit.Run("audit", "verify", "--json", "--db", dsn)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("audit verify: exit %d: %v: %s%s", code, err, out, stderr)
	}
	return v, code
}

// sealed waits until every event of the trail has its place in the chain, and answers them, oldest first.
func (c company) sealed() []event {
	c.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		newest := c.person("guping012").trail()
		waits := 0
		var out []event
		for i := len(newest) - 1; i >= 0; i-- {
			out = append(out, newest[i])
			if newest[i].Sequence == nil {
				waits++
			}
		}
		if waits == 0 {
			return out
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d events were not sealed within five seconds", waits)
		}
	}
}

// hashed are the columns that an event's hash is of, its place and the two hashes.
var hashed = []string{"id", "at", "actor_kind", "actor_id", "actor_name", "action", "outcome", "subject_kind", "subject_id", "about_id", "subject_name",
	"detail", "workspace_id", "decision_id", "request_id", "prevented", "sequence", "previous_hash", "hash"}

// Whoever changes the trail behind the gateway's back, in whatever column, is found out, and so is the event.
func TestTrailIsTamperEvident(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		for range 3 {
			r := wang.blocks("liqiang005", on("native"))
			must(t, "once more", wang.block("liqiang005", on("native")).codes(), "CONFLICT")
			must(t, "lift", wang.lift(r.ID, "和好了").codes(), "")
			wang.block("chenguang001", on("native"))
		}
		events := c.sealed()
		must(t, "events", len(events), 13) // with that of the policy put in force
		for i, e := range events {
			expect(t, "sequence", *e.Sequence, int64(i+1))
			if i > 0 && e.Hash == events[i-1].Hash {
				t.Errorf("two events share a hash: %s", e.Hash)
			}
		}
		v, code := verify(t, c.dsn) // while the server runs
		expect(t, "exit code", code, 0)
		expect(t, "what it found", v, verdict{Holds: true, Sealed: 13, Head: events[12].Hash})
		out, _, code := testkit.Run("audit", "verify", "--db", c.dsn)
		if code != 0 || !strings.Contains(out, "13 events sealed") {
			t.Errorf("audit verify: exit %d: %s", code, out)
		}
		c.Stop()

		db := testkit.Database(t, c.dsn)
		victim := events[6] // in the middle; each of its columns has a value
		row := read1(t, db, *victim.Sequence)
		var columns int
		if err := db.QueryRow(countColumns(c.dsn)).Scan(&columns); err != nil || columns != len(hashed) {
			t.Errorf("the table has %d columns, the test knows %d: %v", columns, len(hashed), err)
		}
		for i, column := range hashed {
			where := *victim.Sequence
			if column == "sequence" {
				write1(t, db, column, int64(1000), where)
				where = 1000
			} else {
				write1(t, db, column, changed(t, column, row[i]), where)
			}
			v, code := verify(t, c.dsn)
			expect(t, column+": exit code", code, 1)
			expect(t, column+": holds", v.Holds, false)
			expect(t, column+": sequence", v.Sequence, *victim.Sequence)
			switch column {
			case "sequence": // nothing stands there any more
			case "id":
				expect(t, column+": names another event", v.Event != victim.ID && strings.HasPrefix(v.Event, "aud_"), true)
			default:
				expect(t, column+": event", v.Event, victim.ID)
			}
			_, stderr, code := testkit.Run("audit", "verify", "--db", c.dsn)
			if code != 1 || !strings.Contains(stderr, fmt.Sprintf("event %d", *victim.Sequence)) {
				t.Errorf("%s: exit %d: %s", column, code, stderr)
			} else if column == "detail" && !strings.Contains(stderr, v.Event) {
				t.Errorf("what people read does not name %s: %s", v.Event, stderr)
			}
			_, machines, _ := testkit.Run("audit", "verify", "--db", c.dsn, "--json")
			expect(t, column+": what is said beside JSON", machines, stderr)
			write1(t, db, column, row[i], where)
			if v, code := verify(t, c.dsn); code != 0 || !v.Holds {
				t.Fatalf("%s put back: %v", column, v)
			}
		}
		if _, err := db.Exec(fmt.Sprintf("delete from audit_events where sequence = %d", *victim.Sequence)); err != nil {
			t.Fatal(err)
		}
		v, code = verify(t, c.dsn)
		expect(t, "deleted: exit code", code, 1)
		expect(t, "deleted: sequence", v.Sequence, *victim.Sequence)
		if !strings.Contains(v.What, "missing") {
			t.Errorf("deleted: %s", v.What)
		}
	})
}

func countColumns(dsn string) string {
	if strings.HasPrefix(dsn, "postgres") {
		return "select count(*) from information_schema.columns where table_name = 'audit_events'"
	}
	return "select count(*) from pragma_table_info('audit_events')"
}

func read1(t *testing.T, db *sql.DB, sequence int64) []any {
	t.Helper()
	row, into := make([]any, len(hashed)), make([]any, len(hashed))
	for i := range row {
		into[i] = &row[i]
	}
	if err := db.QueryRow(fmt.Sprintf("select %s from audit_events where sequence = %d", strings.Join(hashed, ", "), sequence)).Scan(into...); err != nil {
		t.Fatal(err)
	}
	for i, v := range row {
		if v == nil {
			t.Fatalf("%s is null: nothing to change", hashed[i])
		}
	}
	return row
}

func write1(t *testing.T, db *sql.DB, column string, value any, sequence int64) {
	t.Helper()
	res, err := db.Exec(fmt.Sprintf("update audit_events set %s = $1 where sequence = %d", column, sequence), value)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%s: changed %d rows: %v", column, n, err)
	}
}

// changed is the value with one bit or one letter of it changed.
func changed(t *testing.T, column string, v any) any {
	t.Helper()
	switch v := v.(type) {
	case int64:
		return v ^ 1
	case string:
		b := []byte(v)
		i := len(b) - 1
		if b[i] = v[i] ^ 1; len(v) == 36 && (b[i] > 'f' || b[i] > '9' && b[i] < 'a') { // still a UUID
			b[i] = '0'
		}
		return string(b)
	case []byte:
		b := append([]byte(nil), v...)
		b[len(b)-1] ^= 1
		return b
	}
	t.Fatalf("%s is a %T", column, v)
	return nil
}

// A trail in which nothing happened holds.
func TestVerifyOfAnEmptyTrail(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		migrated(t, dsn)
		v, code := verify(t, dsn)
		expect(t, "exit code", code, 0)
		expect(t, "what it found", v, verdict{Holds: true, Head: strings.Repeat("0", 64)})
	})
}

// What policy allowed and something else kept from happening stands in the trail as that, and not as done.
func TestPreventedInTheTrail(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, zhao, gu := c.person("wangfang004"), c.person("zhaomin003"), c.person("guping012")
		r := wang.blocks("liqiang005", on("native"))
		must(t, "once more", wang.block("liqiang005", on("native")).codes(), "CONFLICT")
		must(t, "lift", wang.lift(r.ID, "和好了").codes(), "")
		must(t, "lift again", wang.lift(r.ID, "和好了").codes(), "INVALID_TRANSITION")
		late := wang.blocks("wm_lanhai")
		c.Advance(73 * time.Hour)
		must(t, "undo too late", wang.undo(late.ID, "点错了").codes(), "WINDOW_CLOSED")
		_, a := wang.asks("wm_haikang")
		must(t, "agree", zhao.agree(a.ID, "可以").codes(), "")
		must(t, "agree again", zhao.agree(a.ID, "可以").codes(), "CONFLICT")
		must(t, "against policy", wang.block("chenguang001", on("native")).codes(), "POLICY_DENIED")
		var got []string
		for _, e := range gu.trail("block", "lift", "undo", "approval.agree") {
			got = append(got, strings.TrimSpace(e.Action+" "+e.Outcome+" "+e.Prevented))
		}
		slices.Reverse(got)
		expect(t, "the trail", strings.Join(got, ", "), "block ALLOW, block ALLOW CONFLICT, lift ALLOW, lift ALLOW INVALID_TRANSITION, block ALLOW, "+
			"undo REVIEW WINDOW_CLOSED, block REVIEW, approval.agree ALLOW, approval.agree ALLOW CONFLICT, block DENY")
	})
}
