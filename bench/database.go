package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/im"
)

// database is a fresh one for one side.
type database struct {
	url    string
	sql    *sql.DB
	native im.ID // the workspace
	drop   func()
}

// newDatabase makes an empty database on a PostgreSQL server, or as a SQLite file where none is given.
func newDatabase(ctx context.Context, server string) (*database, error) {
	if server == "" {
		dir, err := os.MkdirTemp("", "guanxi-bench-")
		if err != nil {
			return nil, err
		}
		return &database{url: "sqlite:" + filepath.Join(dir, "bench.db"), drop: func() { _ = os.RemoveAll(dir) }}, nil
	}
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("guanxi_bench_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := admin.ExecContext(ctx, "create database "+name); err != nil {
		return nil, err
	}
	u.Path = "/" + name
	return &database{url: u.String(), drop: func() {
		_, _ = admin.ExecContext(context.WithoutCancel(ctx), "drop database if exists "+name+" with (force)")
		_ = admin.Close()
	}}, nil
}

func (d *database) sqlite() (path string, ok bool) { return strings.CutPrefix(d.url, "sqlite:") }

func (d *database) open() (err error) {
	driver, name := "pgx", d.url
	if path, ok := d.sqlite(); ok {
		driver, name = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	d.sql, err = sql.Open(driver, name)
	return err
}

// settle has the demo make its schema and company, and adds the people, each an employee with an account on native.
func (d *database) settle(ctx context.Context, p people) error {
	demo, err := start(ctx, nil, "gateway", "--demo", "--listen", "127.0.0.1:0", "--db", d.url)
	if err != nil {
		return err
	}
	demo.stop()
	if err := d.open(); err != nil {
		return err
	}
	var department im.ID
	if err := d.sql.QueryRowContext(ctx, "select id from workspaces where name = 'native'").Scan(&d.native); err != nil {
		return err
	}
	if err := d.sql.QueryRowContext(ctx, "select id from departments order by id limit 1").Scan(&department); err != nil {
		return err
	}
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	accounts := im.NewIDs(time.Now)
	for i, x := range p {
		number := strconv.Itoa(100_000 + i)
		for _, s := range []struct {
			text string
			args []any
		}{
			{`insert into members (id, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, manager_id, employment)
				values (?, ?, ?, ?, ?, '', 3, '', 'GENERAL', 'CN', null, 'ACTIVE')`, []any{x.id, "测试" + number, "ceshi" + number, number, x.account}},
			{"insert into member_roles (member_id, role) values (?, 'employee')", []any{x.id}},
			{"insert into member_departments (member_id, department_id, is_primary) values (?, ?, ?)", []any{x.id, department, true}},
			{`insert into accounts (id, member_id, workspace_id, kind, platform_id, status, status_until, status_scope, last_active_at)
				values (?, ?, ?, 'HUMAN', ?, 'ACTIVE', null, 'FULL', null)`, []any{accounts.New(), x.id, d.native, x.account}},
		} {
			if _, err := tx.ExecContext(ctx, d.bind(s.text), s.args...); err != nil {
				return fmt.Errorf("add people: %w", err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if _, ok := d.sqlite(); ok { // nobody analyzes it in production either
		return nil
	}
	_, err = d.sql.ExecContext(ctx, "analyze") // as autovacuum does before long
	return err
}

// bind turns ? into $1, $2 … where PostgreSQL wants that.
func (d *database) bind(text string) string {
	if _, ok := d.sqlite(); ok {
		return text
	}
	return numbered(text, 0)
}

// numbered turns ? into $n, counting on from after.
func numbered(text string, after int) string {
	var b strings.Builder
	for part := range strings.SplitSeq(text, "?") {
		if b.Len() > 0 {
			after++
			b.WriteString("$" + strconv.Itoa(after))
		}
		b.WriteString(part)
	}
	return b.String()
}

// count counts the rows of the tables that a block writes.
func (d *database) count(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, t := range q4Tables {
		var n int
		if err := d.sql.QueryRowContext(ctx, "select count(*) from "+t).Scan(&n); err != nil {
			return nil, err
		}
		out[t] = n
	}
	return out, nil
}

// sealed proves that the trail is whole and everything in it linked, and all changes numbered without a gap, within the moment that
// sealing may take.
func (d *database) sealed(ctx context.Context) error {
	var events, changes int
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := d.sql.QueryRowContext(ctx, `select (select count(*) from audit_events where sequence is null),
			(select coalesce(max(number), 0) - count(*) + 2 * count(case when number is null then 1 end) from changes)`).Scan(&events, &changes)
		if err != nil {
			return err
		}
		if events == 0 && changes == 0 {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d events are not linked, and %d changes not numbered", events, changes)
		}
	}
	s, err := db.Open(ctx, d.url, db.Options{Now: time.Now, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	_, err = audit.Verify(ctx, s, nil)
	return err
}

// describe says what kind of database it is and what makes its commits durable.
func (d *database) describe(ctx context.Context) string {
	if _, ok := d.sqlite(); ok {
		return "SQLite (WAL, synchronous=FULL)"
	}
	var version, fsync, commit string
	if err := d.sql.QueryRowContext(ctx, "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')").
		Scan(&version, &fsync, &commit); err != nil {
		return "PostgreSQL"
	}
	return fmt.Sprintf("PostgreSQL %s (fsync=%s, synchronous_commit=%s)", version, fsync, commit)
}

// cpu is the CPU time that all of the server has taken so far, where it is one of its own on this machine; else zero.
func (d *database) cpu(ctx context.Context) (all time.Duration) {
	if _, ok := d.sqlite(); ok {
		return 0
	}
	var pid int
	if err := d.sql.QueryRowContext(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
		return 0
	}
	_, _, server := cpuOf(pid)
	if server == 0 {
		return 0
	}
	own, ended, _ := cpuOf(server)
	all = own + ended
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		pid, _ := strconv.Atoi(filepath.Base(p))
		if own, _, parent := cpuOf(pid); parent == server {
			all += own
		}
	}
	return all
}
