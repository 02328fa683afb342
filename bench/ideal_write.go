package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/im"
)

// written is a block on its way into the database.
type written struct {
	rows, fresh [][]any // of idealInserts, and data keys
	event       audit.Record
	change      im.ID
}

// line is where the trail and the changes stand: the last that was linked, and the last that was numbered.
type line struct {
	sequence, number int64
	hash             []byte
}

// standing seals what lies unsealed in a database, and answers where it stands then.
func standing(ctx context.Context, url string) (l line, err error) {
	s, err := db.Open(ctx, url, db.Options{Now: time.Now})
	if err != nil {
		return l, err
	}
	defer func() { _ = s.Close() }()
	for more := true; more; {
		if l.number, more, err = s.Seal(ctx); err != nil {
			return l, err
		}
	}
	h, err := s.Head(ctx)
	l.sequence, l.hash = h.Sequence, h.Hash
	return l, err
}

// next gives an event the next place in the chain, and its change the next number.
func (l *line) next(e *audit.Record) {
	l.sequence, l.number = l.sequence+1, l.number+1
	e.Sequence, e.Previous, e.Hash = l.sequence, l.hash, e.Link(l.sequence, l.hash)
	l.hash = e.Hash
}

// postgresWriter writes the rows as one batch: one round trip, one transaction, every statement prepared before. What is committed
// is linked and numbered afterwards: in its own transaction a block would hold the others up until it is on the disk.
func postgresWriter(ctx context.Context, url string, at line) (func(context.Context, written) error, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 32 // the more commits wait together, the fewer writes to the disk
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	inserts := make([]string, len(idealInserts))
	for i, text := range idealInserts {
		inserts[i] = numbered(text, 0)
	}
	key := numbered(idealKey, 0)
	committed := make(chan written, 10_000)
	go func() {
		if err := at.seal(ctx, pool, committed); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "seal:", err) // who measures finds what is left unsealed
		}
	}()
	return func(ctx context.Context, w written) error {
		var b pgx.Batch // without begin and commit it is a transaction of its own
		for i, args := range w.rows {
			b.Queue(inserts[i], args...)
		}
		for _, args := range w.fresh {
			b.Queue(key, args...)
		}
		if err := pool.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		committed <- w
		return nil
	}, nil
}

// sealEvery is how long committed blocks are gathered until they are sealed together, as long as the gateway gathers them.
const sealEvery = 20 * time.Millisecond

// seal links and numbers what is committed, all that was gathered with one statement for events and one for changes. Nothing of it
// has to be read, as it was written by this process.
func (l *line) seal(ctx context.Context, pool *pgxpool.Pool, committed <-chan written) error {
	for {
		var gathered []written
		select {
		case <-ctx.Done():
			return nil
		case w := <-committed:
			gathered = append(gathered, w)
		}
		time.Sleep(sealEvery)
		for len(committed) > 0 {
			gathered = append(gathered, <-committed)
		}
		n := len(gathered)
		events, changes := make([][16]byte, n), make([][16]byte, n)
		places, numbers := make([]int64, n), make([]int64, n)
		hashes, previous := make([][]byte, n), make([][]byte, n)
		for i := range gathered {
			e := &gathered[i].event
			l.next(e)
			events[i], places[i], hashes[i], previous[i] = e.ID, e.Sequence, e.Hash, e.Previous
			changes[i], numbers[i] = gathered[i].change, l.number
		}
		var b pgx.Batch
		b.Queue(`update audit_events e set sequence = l.sequence, previous_hash = l.previous_hash, hash = l.hash
			from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[]) l (id, sequence, previous_hash, hash) where e.id = l.id`,
			events, places, previous, hashes)
		b.Queue("update changes h set number = l.number from unnest($1::uuid[], $2::bigint[]) l (id, number) where h.id = l.id", changes, numbers)
		if err := pool.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
	}
}

// sqliteWriter has one writer, which commits together what has queued up meanwhile. It knows in which order it commits, and links
// and numbers rows as it inserts them.
func sqliteWriter(ctx context.Context, path string, at line) (func(context.Context, written) error, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	inserts := make([]*sql.Stmt, len(idealInserts))
	for i, text := range idealInserts {
		switch i {
		case insertEvent:
			text = with(text, "sequence", "previous_hash", "hash")
		case insertChange:
			text = with(text, "number")
		}
		if inserts[i], err = db.PrepareContext(ctx, text); err != nil {
			return nil, err
		}
	}
	key, err := db.PrepareContext(ctx, idealKey)
	if err != nil {
		return nil, err
	}
	type unit struct {
		written
		done chan error
	}
	const groupMax = 32
	queue := make(chan unit, groupMax)
	commit := func(group []unit) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		l := at
		for _, u := range group {
			l.next(&u.event)
			for i, args := range u.rows {
				switch i {
				case insertEvent:
					args = append(args, u.event.Sequence, u.event.Previous, u.event.Hash)
				case insertChange:
					args = append(args, l.number)
				}
				if _, err := tx.StmtContext(ctx, inserts[i]).ExecContext(ctx, args...); err != nil {
					return err
				}
			}
			for _, args := range u.fresh {
				if _, err := tx.StmtContext(ctx, key).ExecContext(ctx, args...); err != nil {
					return err
				}
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		at = l
		return nil
	}
	go func() {
		for u := range queue {
			group := []unit{u}
			for len(group) < groupMax && len(queue) > 0 {
				group = append(group, <-queue)
			}
			err := commit(group)
			for _, u := range group {
				u.done <- err
			}
		}
	}()
	return func(_ context.Context, w written) error {
		u := unit{w, make(chan error, 1)}
		queue <- u
		return <-u.done
	}, nil
}

// with is an insert of more columns.
func with(insert string, columns ...string) string {
	for _, c := range columns {
		insert = strings.Replace(insert, ")", ", "+c+")", 1)
		insert = strings.TrimSuffix(insert, ")") + ", ?)"
	}
	return insert
}
