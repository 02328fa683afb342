// Package db is the store: SQLite, embedded, or PostgreSQL. It implements the ports of the use-cases and is the only
// package that knows SQL.
//
// Queries are fixed texts with bound arguments, never built from values: plans are reused, and what people wrote is
// in no statement text. Several statements go to PostgreSQL in one round trip. A command's writes are one
// [ledger.Unit], written in one transaction; SQLite groups the units of concurrent commands into one commit, so that
// they share its fsync.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// Options are what a store needs from outside.
type Options struct {
	Master   *envelope.Master // wraps the data keys
	Now      func() time.Time
	Log      *slog.Logger
	ReadOnly bool     // take no lock and start no writer: for audit verify
	Existing bool     // fail with fs.ErrNotExist where the file of SQLite is not there, in the place of making it; so does ReadOnly
	Personal []string // the platforms that people are on by themselves, without a company
}

// Store is one open database. Safe for concurrent use.
type Store struct {
	now      func() time.Time
	log      *slog.Logger
	ids      *im.IDs
	keys     *keyring
	print    envelope.Key // for Fingerprint
	eng      engine
	bun      *bun.DB  // migrations only
	personal []string // platforms; see Options
	remove   string   // the temporary folder of sqlite::memory:
	lock     *flock.Flock
	held     []*sql.Conn // see Hold

	reads, writes atomic.Uint64 // statements
	people        atomic.Uint64 // see PeopleVersion
}

// engine runs statements on one kind of database.
type engine interface {
	// read runs the statements, on PostgreSQL in one round trip.
	read(ctx context.Context, ss []stmt) error
	// write runs the statements in one transaction. It fails with errUnmet where a statement changed another
	// number of rows than it had to.
	write(ctx context.Context, ss []stmt) error
	// bulk runs the first statements, writes many new rows, and then runs the others, as write does.
	bulk(ctx context.Context, first []stmt, loads []load, ss []stmt) error
	// alone is what a write begins with that must not run beside another under the same lock.
	alone(lock int64) []stmt
	// together is the same for writes that may run beside each other, but not beside one that is alone.
	together(lock int64) []stmt
	// putOut ends the sessions of whoever holds the lock, alone, of a row (oneAtATime) of alias i; from says which rows.
	putOut(from string, args ...any) []stmt
	// oldest orders rows of an alias as they were written: of two of which one was made knowing of the other, first the
	// other, whatever clocks their replicas have.
	oldest(alias string) string
	// unlocked ends a query for rows to update: rows that somebody else is at are left to him.
	unlocked() string
	// link gives the places in the chain that records have got to their rows.
	link(records []audit.Record) []stmt
	// announce tells other processes on the database that something was sealed.
	announce(ctx context.Context) error
	ping(ctx context.Context) error
	close() error
	// constraint names the unique constraint or index that err violates; "" for any other error.
	constraint(err error) string
	postgres() bool
}

// stmt is one statement with its arguments. ? stands for an argument on both databases.
type stmt struct {
	text string
	args []any
	scan func(row) error // called for each row
	want int64           // rows that it must change; 0: any number
}

// row is a row of either driver.
type row interface{ Scan(dest ...any) error }

var errUnmet = errors.New("db: a statement changed another number of rows than it had to")

// Open opens the database at url (sqlite:PATH, sqlite::memory: or postgres://…). The schema is not touched: see
// [Store.Migrate]. A SQLite file is locked for this process: a second one is refused.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{now: o.Now, log: o.Log, ids: im.NewIDs(o.Now), personal: o.Personal}
	s.keys = newKeyring(o.Master, s)
	var err error
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		err = s.openPostgres(ctx, dsn)
	case dsn == "sqlite::memory:":
		// A database in memory cannot be in WAL mode with a second, read-only pool: a private file can.
		if s.remove, err = os.MkdirTemp("", "guanxi-"); err == nil {
			err = s.openSQLite(ctx, filepath.Join(s.remove, "guanxi.db"), o)
		}
	case strings.HasPrefix(dsn, "sqlite:"):
		err = s.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), o)
	default:
		err = errors.New("expected sqlite:PATH, sqlite::memory: or postgres://…")
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Close ends the store. Writes that were answered are durable before that.
func (s *Store) Close() error {
	var errs []error
	for _, c := range s.held {
		errs = append(errs, c.Close())
	}
	if s.eng != nil {
		errs = append(errs, s.eng.close())
	}
	if s.bun != nil {
		errs = append(errs, s.bun.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	if s.remove != "" {
		errs = append(errs, os.RemoveAll(s.remove))
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.eng.ping(ctx) }

// read runs statements and counts them for [CountStatements].
func (s *Store) read(ctx context.Context, ss ...stmt) error {
	count(ctx, len(ss))
	return s.timed(ctx, &s.reads, ss, s.eng.read)
}

// write runs statements in one transaction.
func (s *Store) write(ctx context.Context, ss []stmt) error {
	return s.timed(ctx, &s.writes, ss, s.eng.write)
}

// timed counts statements, for the store and for what they are run for.
func (s *Store) timed(ctx context.Context, n *atomic.Uint64, ss []stmt, run func(context.Context, []stmt) error) error {
	began := time.Now()
	err := run(ctx, ss)
	n.Add(uint64(len(ss)))
	observe.Statements(ctx, len(ss), time.Since(began))
	return err
}

// Statements is how many statements were run since the start, to read and to write.
func (s *Store) Statements() (reads, writes uint64) { return s.reads.Load(), s.writes.Load() }

type counterKey struct{}

// CountStatements makes a context under which the store counts the statements it reads with, for tests that hold
// lists to a constant number.
func CountStatements(ctx context.Context) (context.Context, func() int) {
	var mu sync.Mutex
	n := 0
	return context.WithValue(ctx, counterKey{}, func(k int) { mu.Lock(); n += k; mu.Unlock() }),
		func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func count(ctx context.Context, n int) {
	if f, ok := ctx.Value(counterKey{}).(func(int)); ok {
		f(n)
	}
}

// ---- PostgreSQL ----

type postgres struct {
	db      *sql.DB
	readers chan struct{} // a place for each read that is under way
}

// postgresConns is how many units may be under way at once: those that commit together share the server's fsync.
const postgresConns = 32

// postgresReaders is how many reads may be under way at once: more would only wait for each other, on connections that each have
// plans to make and memory to keep.
var postgresReaders = max(8, 2*runtime.GOMAXPROCS(0))

func (s *Store) openPostgres(ctx context.Context, dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errors.New("the postgres URL cannot be read") // pgx repeats the URL, which holds a password
	}
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		// Compiling a statement takes seconds where running it takes milliseconds.
		if _, err := c.PgConn().Exec(ctx, "set jit = off").ReadAll(); err != nil {
			return err
		}
		return teach(ctx, c)
	}))
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	s.eng = &postgres{db, make(chan struct{}, postgresReaders)}
	s.bun = bun.NewDB(db, pgdialect.New())
	return db.PingContext(ctx)
}

func (p *postgres) postgres() bool                 { return true }
func (p *postgres) ping(ctx context.Context) error { return p.db.PingContext(ctx) }
func (p *postgres) close() error                   { return p.db.Close() }

func (p *postgres) constraint(err error) string {
	if pg, ok := errors.AsType[*pgconnError](err); ok && pg.Code == uniqueViolation {
		return pg.ConstraintName
	}
	return ""
}

func (p *postgres) raw(ctx context.Context, f func(*pgx.Conn) error) error {
	c, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Raw(func(dc any) error { return f(dc.(*stdlib.Conn).Conn()) })
}

func (p *postgres) read(ctx context.Context, ss []stmt) error {
	select {
	case p.readers <- struct{}{}:
		defer func() { <-p.readers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return p.raw(ctx, func(c *pgx.Conn) error {
		if len(ss) == 1 && ss[0].scan != nil {
			rows, err := c.Query(ctx, rebind(ss[0].text), ss[0].args...)
			return each(rows, err, ss[0].scan)
		}
		var b pgx.Batch
		for _, s := range ss {
			b.Queue(rebind(s.text), s.args...)
		}
		return drain(c.SendBatch(ctx, &b), ss)
	})
}

func (p *postgres) write(ctx context.Context, ss []stmt) error {
	return p.raw(ctx, func(c *pgx.Conn) error {
		// A batch is a transaction of its own, in one round trip: rows that have to be so many are counted there.
		var b pgx.Batch
		ss := slices.Clone(ss)
		for i, s := range ss {
			if s.want > 0 && s.scan == nil {
				s.text, s.args, ss[i].want = counted(s.text), append(slices.Clone(s.args), s.want), 0
			}
			b.Queue(rebind(s.text), s.args...)
		}
		err := drain(c.SendBatch(ctx, &b), ss)
		if pg, ok := errors.AsType[*pgconnError](err); ok && pg.Code == divisionByZero { // nothing else divides
			return errUnmet
		}
		return err
	})
}

// counted is a statement that fails where it changes another number of rows than its last argument.
func counted(text string) string {
	return "with counted as (" + text + " returning 1) select 1 / (case when count(*) = ? then 1 else 0 end) from counted"
}

// drain takes the results of a batch in order.
func drain(br pgx.BatchResults, ss []stmt) (err error) {
	defer func() {
		if e := br.Close(); err == nil {
			err = e
		}
	}()
	for _, s := range ss {
		if s.scan == nil {
			tag, err := br.Exec()
			if err != nil {
				return err
			}
			if s.want > 0 && tag.RowsAffected() != s.want {
				return errUnmet
			}
			continue
		}
		rows, err := br.Query()
		if err := each(rows, err, s.scan); err != nil {
			return err
		}
	}
	return nil
}

// each scans all rows.
func each(rows pgx.Rows, err error, scan func(row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rebind turns ? into $1, $2 …, once for each text.
func rebind(text string) string {
	if t, ok := rebound.Load(text); ok {
		return t.(string)
	}
	var b strings.Builder
	n := 0
	for i := range len(text) {
		if text[i] != '?' {
			b.WriteByte(text[i])
			continue
		}
		n++
		fmt.Fprintf(&b, "$%d", n)
	}
	t := b.String()
	rebound.Store(text, t)
	return t
}

var rebound sync.Map

// ---- SQLite ----

type sqlite struct {
	readers prepared
	writer  *sql.DB // of one connection, which is the loop's
	queue   chan *request
	done    chan struct{}
	closing sync.Once
	mu      sync.RWMutex // held for reading while sending to queue
	closed  bool
}

type request struct {
	ss   []stmt
	err  error
	done chan struct{}
}

// groupMax is how many units share a commit at most: enough to make the fsync cheap, few enough to keep the first of
// them from waiting long.
const groupMax = 32

func (s *Store) openSQLite(ctx context.Context, path string, o Options) error {
	if path == "" {
		return errors.New("sqlite: expected a path after it")
	}
	if o.ReadOnly || o.Existing {
		if _, err := os.Stat(path); err != nil {
			return err
		}
	}
	if !o.ReadOnly {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		s.lock = flock.New(path + ".lock")
		ok, err := s.lock.TryLock()
		if err != nil {
			return err
		}
		if !ok {
			s.lock = nil
			return fmt.Errorf("another process holds %s", path)
		}
	}
	open := func(mode string, pragmas ...string) (*sql.DB, error) {
		q := url.Values{"_txlock": {"immediate"}, "mode": {mode}}
		for _, p := range append(pragmas, "busy_timeout(5000)", "foreign_keys(1)", "cache_size(-8000)", "mmap_size(268435456)") {
			q.Add("_pragma", p)
		}
		return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	}
	e := &sqlite{queue: make(chan *request, groupMax), done: make(chan struct{})}
	w := &writer{stmts: make(map[string]*sql.Stmt)}
	var err error
	if !o.ReadOnly {
		migrator, err := open("rwc")
		if err != nil {
			return err
		}
		migrator.SetMaxOpenConns(1)
		s.bun = bun.NewDB(migrator, sqlitedialect.New())
		if err := migrator.PingContext(ctx); err != nil {
			return fmt.Errorf("%s is no database that can be written: %w", path, err)
		}
		// FULL: an answered write survives a power cut.
		if e.writer, err = open("rwc", "synchronous(FULL)"); err != nil {
			return err
		}
		if w.conn, err = e.writer.Conn(ctx); err != nil {
			return err
		}
	}
	if e.readers.DB, err = open("ro", "query_only(1)"); err != nil {
		return err
	}
	e.readers.SetMaxOpenConns(max(2, runtime.GOMAXPROCS(0)))
	s.eng = e
	if o.ReadOnly {
		close(e.done)
		return e.readers.PingContext(ctx)
	}
	go e.loop(w)
	return nil
}

func (e *sqlite) postgres() bool                 { return false }
func (e *sqlite) ping(ctx context.Context) error { return e.readers.PingContext(ctx) }

func (e *sqlite) close() error {
	e.closing.Do(func() {
		e.mu.Lock()
		e.closed = true
		close(e.queue)
		e.mu.Unlock()
	})
	<-e.done
	errs := []error{e.readers.close()}
	if e.writer != nil {
		errs = append(errs, e.writer.Close())
	}
	return errors.Join(errs...)
}

// constraint reads the message: SQLite names the columns of a violated constraint and not the index.
func (e *sqlite) constraint(err error) string {
	if err == nil {
		return ""
	}
	_, at, ok := strings.Cut(err.Error(), "UNIQUE constraint failed: ")
	if !ok {
		return ""
	}
	table, _, _ := strings.Cut(at, ".")
	return table
}

func (e *sqlite) read(ctx context.Context, ss []stmt) error {
	if len(ss) == 1 {
		ps, err := e.readers.statement(ctx, ss[0].text)
		if err != nil {
			return err
		}
		return run(ctx, ps, ss[0])
	}
	// In one transaction, which waits for a connection once.
	prepared := make([]*sql.Stmt, len(ss))
	for i, s := range ss { // before the connection is taken, as preparing takes another
		var err error
		if prepared[i], err = e.readers.statement(ctx, s.text); err != nil {
			return err
		}
	}
	tx, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	for i, s := range ss {
		if err := run(ctx, tx.StmtContext(ctx, prepared[i]), s); err != nil {
			return err
		}
	}
	return nil
}

// prepared is a pool that keeps its statements prepared: to SQLite, reading the text of one costs as much as running it.
type prepared struct {
	*sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

// preparedMax bounds what is kept; texts are few, as no value is ever part of one.
const preparedMax = 2000

func (p *prepared) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	p.mu.RLock()
	ps, ok := p.stmts[text]
	p.mu.RUnlock()
	if ok {
		return ps, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ps, ok := p.stmts[text]; ok {
		return ps, nil
	}
	ps, err := p.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if p.stmts == nil || len(p.stmts) >= preparedMax {
		p.drop()
	}
	p.stmts[text] = ps
	return ps, nil
}

// drop forgets all statements; whoever runs one meanwhile finishes.
func (p *prepared) drop() {
	for _, ps := range p.stmts {
		_ = ps.Close()
	}
	p.stmts = make(map[string]*sql.Stmt)
}

func (p *prepared) close() error {
	if p.DB == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
	return p.DB.Close()
}

// run runs one statement.
func run(ctx context.Context, ps *sql.Stmt, s stmt) error {
	if s.scan == nil {
		res, err := ps.ExecContext(ctx, s.args...)
		if err != nil {
			return err
		}
		if s.want > 0 {
			if n, err := res.RowsAffected(); err != nil || n != s.want {
				return errors.Join(err, errUnmet)
			}
		}
		return nil
	}
	rows, err := ps.QueryContext(ctx, s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := s.scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (e *sqlite) write(ctx context.Context, ss []stmt) error {
	r := &request{ss: ss, done: make(chan struct{})}
	e.mu.RLock()
	if e.closed {
		e.mu.RUnlock()
		return sql.ErrConnDone
	}
	select {
	case e.queue <- r:
		e.mu.RUnlock()
	case <-ctx.Done():
		e.mu.RUnlock()
		return ctx.Err()
	}
	<-r.done // once queued it runs: its caller learns how it ended
	return r.err
}

// loop is the one writer: it takes what has queued up and commits it together.
func (e *sqlite) loop(w *writer) {
	defer close(e.done)
	defer w.close()
	for r := range e.queue {
		group := []*request{r}
	more:
		for len(group) < groupMax {
			select {
			case r, ok := <-e.queue:
				if !ok {
					break more
				}
				group = append(group, r)
			default:
				break more
			}
		}
		w.commit(group)
		for _, r := range group {
			close(r.done)
		}
	}
}

// writer is the connection that writes, with its statements prepared. It belongs to one goroutine.
type writer struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (w *writer) close() {
	for _, ps := range w.stmts {
		_ = ps.Close()
	}
	_ = w.conn.Close()
}

func (w *writer) do(s stmt) error {
	ctx := context.Background() // what is queued runs to its end
	ps, ok := w.stmts[s.text]
	if !ok {
		var err error
		if ps, err = w.conn.PrepareContext(ctx, s.text); err != nil {
			return err
		}
		w.stmts[s.text] = ps
	}
	return run(ctx, ps, s)
}

// commit writes a group of units in one transaction. A unit that fails is rolled back alone; where the transaction
// fails, all do.
func (w *writer) commit(group []*request) {
	// A savepoint for each unit costs as much as two rows, and hardly a unit fails. So all are written without any, and where one
	// fails that others would go down with, all once more. What answers with rows is written once.
	var err error
	bare := len(group) == 1 || !slices.ContainsFunc(group, (*request).answers)
	if bare {
		err = w.transaction(group, w.bare)
	}
	if _, failed := errors.AsType[unitFailed](err); !bare || failed && len(group) > 1 {
		err = w.transaction(group, w.unit)
	}
	if err != nil {
		for _, r := range group {
			r.err = errors.Join(r.err, err)
		}
	}
}

// answers reports whether the unit reads rows, which are scanned as they come.
func (r *request) answers() bool {
	return slices.ContainsFunc(r.ss, func(s stmt) bool { return s.scan != nil })
}

// unitFailed is the error of a unit that ends the transaction.
type unitFailed struct{ error }

func (u unitFailed) Unwrap() error { return u.error }

func (w *writer) transaction(group []*request, write func(*request) error) error {
	if err := w.do(stmt{text: "begin immediate"}); err != nil {
		return err
	}
	for _, r := range group {
		if err := write(r); err != nil {
			_ = w.do(stmt{text: "rollback"})
			return err
		}
	}
	err := w.do(stmt{text: "commit"})
	if err != nil {
		_ = w.do(stmt{text: "rollback"})
	}
	return err
}

// bare runs the statements of one unit, whose error is the transaction's.
func (w *writer) bare(r *request) error {
	for _, s := range r.ss {
		if err := w.do(s); err != nil {
			return unitFailed{err}
		}
	}
	return nil
}

// unit runs the statements of one unit. Its own error is of the transaction; that of the unit is the request's.
func (w *writer) unit(r *request) error {
	if err := w.do(stmt{text: "savepoint unit"}); err != nil {
		return err
	}
	for _, s := range r.ss {
		if r.err = w.do(s); r.err != nil {
			if err := w.do(stmt{text: "rollback to unit"}); err != nil {
				return err
			}
			break
		}
	}
	return w.do(stmt{text: "release unit"})
}
