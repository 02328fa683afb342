package crash

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// An import outlives the replica that works on it: when that is killed or stands still, with what it has begun to write and its locks,
// another one ends it. Whoever wakes late writes nothing more.
func TestImportIsTakenOver(t *testing.T) {
	for name, x := range map[string]struct {
		at    moment
		stop  syscall.Signal
		wakes bool // while the other one is at it; else afterwards
	}{
		"killed":                                {rowsGoIn, syscall.SIGKILL, false},
		"stopped while it looks what there is":  {looks, syscall.SIGSTOP, true},
		"stopped while rows go in":              {rowsGoIn, syscall.SIGSTOP, true},
		"stopped when all but the commit is in": {allIsIn, syscall.SIGSTOP, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin, dsn := build(t), testkit.Postgres(t)
			at, other := gateway(t, bin, dsn+"?application_name=A"), gateway(t, bin, dsn+"?application_name=B")
			at.start()
			other.start()
			db := testkit.Database(t, dsn)
			people := number(t, db, "select count(*) from members")
			const rows = 8000
			upload(t, at, newcomers(rows))
			x.at.hold(t, db, func(who string) {
				if who == "B" { // either may be faster
					at, other = other, at
				}
				if err := at.cmd.Process.Signal(x.stop); err != nil {
					t.Fatal(err)
				}
			})
			if x.stop == syscall.SIGKILL {
				at.kill()
			}
			t.Logf("%s after line %d of %d", name, number(t, db, "select line from imports"), rows)
			url, _ := other.where()
			testkit.At(t, url).Advance(31 * time.Second)
			until(t, "somebody takes the import over", func() bool { return number(t, db, "select attempt from imports") == 2 })
			wake := func() { _ = at.cmd.Process.Signal(syscall.SIGCONT) }
			if x.wakes {
				wake()
			}
			ended := func(n int) func() bool {
				return func() bool { return number(t, db, "select count(*) from imports where state = 'DONE'") == n }
			}
			until(t, "the import ends", ended(1))
			look := func() {
				t.Helper()
				const is = " = (select id from imports order by id limit 1)"
				for query, want := range map[string]int{
					"select accepted from imports where id" + is:                                        rows,
					"select unchanged + rejected + waiting from imports where id" + is:                  0,
					"select attempt from imports where id" + is:                                         2,
					"select count(*) from members":                                                      people + rows,
					"select count(*) from changes where kind = 'member' and what = 'CREATED'":           rows,
					"select count(*) from audit_events where action = 'import.end' and subject_id" + is: 1,
					"select sum(last_line - first_line + 1) from import_batches where import_id" + is:   rows,
					"select count(*) from import_chunks":                                                0,
				} {
					if got := number(t, db, query); got != want {
						t.Errorf("%s: %d, want %d", query, got, want)
					}
				}
			}
			look()
			other.stop()
			if x.stop == syscall.SIGKILL {
				return
			}
			wake()
			upload(t, at, "{\"type\":\"member\",\"employeeNo\":\"004\",\"name\":\"王芳\"}\n")
			until(t, "who has woken takes in another file", ended(2))
			at.stop()
			look()
		})
	}
}

// moment is when something happens to whoever works on an import: while he waits at a table for who has a lock on it.
type moment struct{ table, lock, doing string }

var (
	looks    = moment{"members", "access exclusive", "select m.id, m.name"}
	rowsGoIn = moment{"members", "share", "copy "}
	allIsIn  = moment{"import_batches", "share", "insert into import_batches"}
)

// hold has a batch of an import wait, does something to whose batch it is, by his application_name, and lets the database go on until it
// waits for him, or is rid of him.
func (m moment) hold(t *testing.T, db *sql.DB, do func(who string)) {
	t.Helper()
	until(t, "a batch is in", func() bool { return number(t, db, "select coalesce(max(line), 0) from imports") > 0 })
	var pid int
	until(t, "a batch waits", func() bool {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }() // after which the others go on
		var me int
		if err := tx.QueryRow("select pg_backend_pid()").Scan(&me); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("lock table " + m.table + " in " + m.lock + " mode"); err != nil {
			t.Fatal(err)
		}
		var who, what string
		until(t, "somebody waits", func() bool { // not asked in the transaction, which sees the activity of one moment alone
			return db.QueryRow(`select pid, application_name, query from pg_stat_activity where pg_blocking_pids(pid) = array[$1::int]
				order by starts_with(query, $2) desc limit 1`, me, m.doing).Scan(&pid, &who, &what) == nil
		})
		if !strings.HasPrefix(what, m.doing) { // for something else: once more
			return false
		}
		do(who)
		return true
	})
	until(t, "the database waits for him", func() bool {
		return number(t, db, fmt.Sprintf("select count(*) from pg_stat_activity where pid = %d and wait_event is distinct from 'ClientRead'", pid)) == 0
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(startMax); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// newcomers is a file of people who are new.
func newcomers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"type\":\"member\",\"employeeNo\":\"%05d\",\"name\":\"张三\",\"department\":\"总部\"}\n", 10_000+i)
	}
	return b.String()
}

// upload has a gateway take a file in.
func upload(t *testing.T, p *process, content string) {
	t.Helper()
	const part = "--x\r\nContent-Disposition: form-data; name="
	body := part + `"operations"` + "\r\n\r\n" + `{"query":"mutation($f:Upload!){importDirectory(input:{file:$f}){import{state}}}","variables":{"f":null}}` + "\r\n" +
		part + `"map"` + "\r\n\r\n" + `{"0":["variables.f"]}` + "\r\n" + part + `"0"; filename="a"` + "\r\n\r\n" + content + "\r\n--x--\r\n"
	url, _ := p.where()
	r := testkit.At(t, url).Send(http.MethodPost, "/graphql", body, "Authorization", "Bearer "+testkit.Token(t, "linyue002"), "GraphQL-Require-Preflight", "1",
		"Content-Type", "multipart/form-data; boundary=x")
	if !strings.Contains(r.Body, `"state":"RUNNING"`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}
