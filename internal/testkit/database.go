package testkit

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Database opens a database behind the gateway's back, to look at what it wrote, or to tamper with it.
func Database(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver, source := "pgx", dsn
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(5000)" // the gateway writes, too
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Seed puts the demo company into a SQLite file that is not there yet, by copying one that a demo made: making it anew
// takes ten times as long. All such databases have their ids and their cursors in common.
func Seed(t testing.TB, dsn string) {
	t.Helper()
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if _, err := os.Stat(path); !ok || err == nil {
		return
	}
	seedOnce.Do(func() {
		fresh := SQLite(t)
		Demo(t, fresh).Stop()
		seed = Bytes(t, fresh)
	})
	if err := os.WriteFile(path, seed, 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	seedOnce sync.Once
	seed     []byte
)

// Copy is a copy of a database on which nobody works.
func Copy(t testing.TB, dsn string) string {
	t.Helper()
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return postgres(t, dsn[strings.LastIndex(dsn, "/")+1:])
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Fatalf("somebody works on %s", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := SQLite(t)
	if err := os.WriteFile(strings.TrimPrefix(to, "sqlite:"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// Bytes is all that stands in a database as it lies on disk: of SQLite the files, with the log of what is not yet in
// them; of PostgreSQL a dump, in which what is binary stands in hex.
func Bytes(t testing.TB, dsn string) []byte {
	t.Helper()
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return dump(t, dsn)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"-wal", "-shm", "-journal"} {
		b, err := os.ReadFile(path + more)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func dump(t testing.TB, dsn string) []byte {
	t.Helper()
	if program, err := exec.LookPath("pg_dump"); err == nil {
		var out, stderr bytes.Buffer
		c := exec.Command(program, "--inserts", dsn)
		c.Stdout, c.Stderr = &out, &stderr
		if err := c.Run(); err == nil {
			return out.Bytes()
		}
		t.Logf("pg_dump: %s; reading the tables instead", stderr.String())
	}
	db := Database(t, dsn)
	var out bytes.Buffer
	for _, table := range column(t, db, "select table_name::text from information_schema.tables where table_schema = current_schema()") {
		for _, row := range column(t, db, `select x::text from "`+table+`" x`) {
			fmt.Fprintln(&out, table, row)
		}
	}
	return out.Bytes()
}

// column reads a query of one column of text.
func column(t testing.TB, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// CountedPostgres is a fresh PostgreSQL database behind a line on which the statements that are executed are counted.
func CountedPostgres(t testing.TB) (dsn string, count func() int64) {
	t.Helper()
	u, err := url.Parse(Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{server: u.Host}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(c)
		}
	}()
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable") // what is encrypted cannot be counted
	u.RawQuery = q.Encode()
	return u.String(), p.statements.Load
}

// line carries connections to a PostgreSQL server.
type line struct {
	server     string
	statements atomic.Int64
}

func (l *line) carry(client net.Conn) {
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		_ = client.Close()
		return
	}
	var both sync.WaitGroup
	hangUp := func() { _, _ = client.Close(), server.Close() }
	both.Go(func() { defer hangUp(); _, _ = io.Copy(client, server) })
	both.Go(func() { defer hangUp(); _ = l.count(server, client) })
	both.Wait()
}

// count copies what a client sends, message by message: the first one has no type, E executes a statement and Q is a
// statement of its own.
func (l *line) count(to io.Writer, from io.Reader) error {
	for first := true; ; first = false {
		head := make([]byte, 5)
		if first {
			head = head[:4]
		}
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		size := int64(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
		if !first && (head[0] == 'E' || head[0] == 'Q') {
			l.statements.Add(1)
		}
		if _, err := to.Write(head); err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, size); err != nil {
			return err
		}
	}
}
