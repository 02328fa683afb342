package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// load loads the rows of an imported company into an empty database with the same schema and answers how long the
// database took for it, from the first row to the durable end. Reading them is not in it.
func (t *taking) load(ctx context.Context, from *database, tables []filled, checked bool) (time.Duration, error) {
	into, err := t.database(ctx)
	if err != nil {
		return 0, err
	}
	defer into.drop()
	if _, ok := into.sqlite(); ok {
		return into.loadValues(ctx, from, tables, checked)
	}
	return into.loadCopies(ctx, from, tables, t.dir, checked)
}

// loadCopies loads by COPY in its binary form, each table by one, in one transaction.
func (d *database) loadCopies(ctx context.Context, from *database, tables []filled, dir string, checked bool) (took time.Duration, err error) {
	files := map[string]*os.File{}
	defer func() {
		for _, f := range files {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	for _, x := range tables {
		f, err := os.CreateTemp(dir, "copy-")
		if err != nil {
			return 0, err
		}
		files[x.name] = f
		out := bufio.NewWriterSize(f, 1<<20)
		if err := from.copyOut(ctx, x.name, out); err != nil {
			return 0, err
		}
		if err := out.Flush(); err != nil {
			return 0, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
	}
	if err := d.settleDown(ctx); err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	if !checked {
		if _, err := conn.Exec(ctx, "set session_replication_role = replica"); err != nil { // who owns the server may
			return 0, err
		}
	}
	began := time.Now()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	for _, x := range tables {
		tag, err := conn.PgConn().CopyFrom(ctx, bufio.NewReaderSize(files[x.name], 1<<20), "copy "+x.name+" from stdin (format binary)")
		if err != nil {
			return 0, fmt.Errorf("%s: %w", x.name, err)
		}
		if tag.RowsAffected() != int64(x.rows) {
			return 0, fmt.Errorf("%s: %d rows, want %d", x.name, tag.RowsAffected(), x.rows)
		}
	}
	err = tx.Commit(ctx)
	return time.Since(began), err
}

// copyOut writes a table as COPY gives it in its binary form.
func (d *database) copyOut(ctx context.Context, table string, w io.Writer) error {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.PgConn().CopyTo(ctx, w, "copy "+table+" to stdout (format binary)")
	return err
}

// each gives the rows of a table as they lie in it.
func (d *database) each(ctx context.Context, table string, f func(columns []string, vals []any) error) error {
	rows, err := d.sql.QueryContext(ctx, "select * from "+table)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		vals, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range vals {
			into[i] = &vals[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := f(columns, vals); err != nil {
			return err
		}
	}
	return rows.Err()
}

// loadValues loads by prepared statements of 200 rows in one transaction, with the settings of the gateway's own writer;
// the rows are read some at a time, while the clock stands.
func (d *database) loadValues(ctx context.Context, from *database, tables []filled, checked bool) (took time.Duration, err error) {
	path, _ := d.sqlite()
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=cache_size(-32000)&_pragma=mmap_size(268435456)&_pragma=synchronous(FULL)"+
		fmt.Sprintf("&_pragma=foreign_keys(%t)", checked))
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	clock := func(f func() error) error {
		began := time.Now()
		defer func() { took += time.Since(began) }()
		return f()
	}
	var tx *sql.Tx
	if err := clock(func() (err error) { tx, err = db.BeginTx(ctx, nil); return err }); err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	const some = 20_000
	for _, x := range tables {
		var names string
		var rows [][]any
		flush := func() error {
			return clock(func() error {
				return insert(ctx, tx, x.name, names, len(rows), func(i int) []any { return rows[i] })
			})
		}
		err := from.each(ctx, x.name, func(columns []string, vals []any) error {
			names = strings.Join(columns, ", ")
			if rows = append(rows, vals); len(rows) < some {
				return nil
			}
			err := flush()
			rows = rows[:0]
			return err
		})
		if err == nil && len(rows) > 0 {
			err = flush()
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", x.name, err)
		}
	}
	err = clock(func() error {
		if err := tx.Commit(); err != nil {
			return err
		}
		return db.Close()
	})
	return took, err
}
