package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/internal/envelope"
)

// imports measures how a company is taken in from a file, beside the database's own load of the same finished rows; then
// the same file once more, and one that is killed past its half and gone on with.
func imports(ctx context.Context, o options) error {
	t, err := newTaking(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(t.dir) }()
	d, err := t.database(ctx)
	if err != nil {
		return err
	}
	defer d.drop()
	fmt.Printf("Import of %d members, a file of %d rows and %.0f MB, on %s; %d cores, %s, program and database on the same machine\n\n",
		o.members, t.rows, float64(t.bytes)/1e6, d.describe(ctx), runtime.NumCPU(), runtime.Version())

	first, err := t.take(ctx, d, 0, o.profile)
	if err != nil {
		return err
	}
	if err := first.says(t.rows, 0); err != nil {
		return err
	}
	tables, err := d.tables(ctx)
	if err != nil {
		return err
	}
	kept := func(name string) bool { return !strings.HasPrefix(name, "import") && name != "audit_events" }
	before, err := d.digests(ctx, tables, kept)
	if err != nil {
		return err
	}
	loads := map[bool]time.Duration{} // by whether references are checked: the faster one of two
	for _, checked := range []bool{true, false, true, false} {
		took, err := t.load(ctx, d, tables, checked)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if best, ok := loads[checked]; !ok || took < best {
			loads[checked] = took
		}
	}
	again, err := t.take(ctx, d, 0, "")
	if err != nil {
		return err
	}
	if err := again.says(0, t.rows); err != nil {
		return fmt.Errorf("again: %w", err)
	}
	after, err := d.digests(ctx, tables, kept)
	if err != nil {
		return err
	}
	for name, was := range before {
		if after[name] != was {
			return fmt.Errorf("%s is not what it was before the same file came again", name)
		}
	}

	made := 0
	for _, x := range tables {
		made += x.rows
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	rate := func(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
	fmt.Fprintln(w, "\ttime\trows of the file/s\trows written\trows written/s\tx load\tx load unchecked\t")
	for _, x := range []struct {
		name string
		took time.Duration
		made int
	}{
		{"the database's own load", loads[true], made},
		{"the same without checking references", loads[false], made},
		{"import", first.took, made},
		{"the same file again: nothing changed", again.took, 0},
	} {
		fmt.Fprintf(w, "%s\t%.1f s\t%.0f\t%d\t%.0f\t%.2f\t%.2f\t\n", x.name, x.took.Seconds(), rate(t.rows, x.took), x.made, rate(x.made, x.took),
			x.took.Seconds()/loads[true].Seconds(), x.took.Seconds()/loads[false].Seconds())
	}
	_ = w.Flush()
	fmt.Println("\nmemory of the importing process, MiB (in brackets what of it is no file's):")
	for _, x := range []struct {
		name string
		of   taken
	}{{"import", first}, {"again", again}} {
		fmt.Printf("  %s:", x.name)
		for _, share := range []float64{0.1, 0.5, 1} {
			s := x.of.at(int(share * float64(t.lines)))
			fmt.Printf(" %.0f (%.0f) at %.0f %%,", s.all, s.own, share*100)
		}
		most := x.of.most()
		fmt.Printf(" at most %.0f (%.0f)\n", most.all, most.own)
	}
	return t.killed(ctx, first, tables)
}

// taking is a file of a company, and what takes it in.
type taking struct {
	options
	dir     string
	program string
	file    string
	rows    int // of the file
	lines   int
	bytes   int64
}

func newTaking(ctx context.Context, o options) (_ *taking, err error) {
	t := &taking{options: o}
	if t.dir, err = os.MkdirTemp("", "guanxi-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(t.dir)
		}
	}()
	if t.program, err = build(ctx, t.dir); err != nil {
		return nil, err
	}
	keyset, err := envelope.NewKeyset()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(t.path("keyset.json"), keyset, 0o600); err != nil {
		return nil, err
	}
	t.file = t.path("company.jsonl")
	f, err := os.Create(t.file)
	if err != nil {
		return nil, err
	}
	n := &counter{}
	out := bufio.NewWriterSize(f, 1<<20)
	if err := (company{o.members}).write(tee{out, n}); err != nil {
		return nil, err
	}
	t.rows, t.lines, t.bytes = n.lines, n.lines, n.bytes
	return t, errors.Join(out.Flush(), f.Close())
}

func (t *taking) path(name string) string { return filepath.Join(t.dir, name) }

// counter counts what is written.
type counter struct {
	lines int
	bytes int64
}

type tee struct {
	to *bufio.Writer
	n  *counter
}

func (t tee) Write(b []byte) (int, error) {
	t.n.lines += bytes.Count(b, []byte("\n"))
	t.n.bytes += int64(len(b))
	return t.to.Write(b)
}

// database makes an empty one with the schema of today.
func (t *taking) database(ctx context.Context) (*database, error) {
	d, err := newDatabase(ctx, t.postgres)
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, t.program, "migrate", "up", "--db", d.url).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("migrate up: %w: %s", err, out)
	}
	if err = errors.Join(err, d.open()); err != nil {
		d.drop()
		return nil, err
	}
	return d, nil
}

// seen is how far an import was at a moment, and what memory its process held.
type seen struct {
	after    time.Duration
	line     int
	all, own float64
}

// taken is what came of one run of an import.
type taken struct {
	took   time.Duration
	seen   []seen
	answer struct {
		State                                string
		Total, Accepted, Unchanged, Rejected int
	}
}

func (x taken) says(accepted, unchanged int) error {
	a := x.answer
	if a.State != "DONE" || a.Accepted != accepted || a.Unchanged != unchanged || a.Rejected != 0 {
		return fmt.Errorf("the import says %+v, want %d accepted and %d unchanged", a, accepted, unchanged)
	}
	return nil
}

// at is what was seen first when an import was so far; the last where that was never seen.
func (x taken) at(line int) seen {
	for _, s := range x.seen {
		if s.line >= line {
			return s
		}
	}
	return x.seen[len(x.seen)-1]
}

func (x taken) most() (out seen) {
	for _, s := range x.seen {
		out.all, out.own = max(out.all, s.all), max(out.own, s.own)
	}
	return out
}

// take has the program take the file in, and watches it. Where killAt is not zero, it is killed as soon as the database
// says that it is past that line.
func (t *taking) take(ctx context.Context, d *database, killAt int, profile string) (x taken, err error) {
	program, args := t.program, []string{"import", "org", t.file, "--json", "--db", d.url, "--encryption-keyset-file", t.path("keyset.json")}
	var env []string
	if profile != "" { // this program with the same code in it, which can profile itself
		if program, err = os.Executable(); err != nil {
			return x, err
		}
		args, env = append([]string{"guanxi"}, args...), []string{profileVariable + "=" + profile}
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} { // as whoever measures wants it
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if err := d.settleDown(ctx); err != nil {
		return x, err
	}
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{"HOME=" + os.TempDir()}, env...), &out, &complaint
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return x, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	p := process{cmd: cmd}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case err = <-ended:
			x.took = time.Since(began)
			running = false
		case <-tick.C:
		}
		s := seen{after: time.Since(began)}
		s.all, s.own = p.memory()
		if e := d.sql.QueryRowContext(ctx, "select coalesce(max(line), 0) from imports where state = 'RUNNING'").Scan(&s.line); e != nil {
			return x, e
		}
		if running && s.all > 0 {
			x.seen = append(x.seen, s)
		}
		if running && killAt > 0 && s.line > killAt {
			if err := cmd.Process.Kill(); err != nil {
				return x, err
			}
			killAt = 0
			x.took = time.Since(began)
		}
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == -1 && x.answer.State == "" && out.Len() == 0 {
		return x, nil // killed
	}
	if err != nil {
		return x, fmt.Errorf("import: %w: %s", err, complaint.String())
	}
	if err := json.Unmarshal(out.Bytes(), &x.answer); err != nil {
		return x, err
	}
	return x, nil
}

// killed kills an import past half of its file and lets a second run go on with it.
func (t *taking) killed(ctx context.Context, whole taken, tables []filled) error {
	d, err := t.database(ctx)
	if err != nil {
		return err
	}
	defer d.drop()
	cut, err := t.take(ctx, d, t.lines*55/100, "")
	if err != nil {
		return err
	}
	if cut.answer.State != "" {
		return errors.New("the import was over before it could be killed")
	}
	var stands int
	if err := d.sql.QueryRowContext(ctx, "select line from imports").Scan(&stands); err != nil {
		return err
	}
	rest, err := t.take(ctx, d, 0, "")
	if err != nil {
		return err
	}
	if err := rest.says(t.rows, 0); err != nil {
		return fmt.Errorf("gone on with: %w", err)
	}
	now, err := d.tables(ctx)
	if err != nil {
		return err
	}
	for i, x := range now { // the batches may be cut otherwise
		if i >= len(tables) || x.name != tables[i].name || x.rows != tables[i].rows && x.name != "import_batches" {
			return fmt.Errorf("after the second run there are %v, want %v", now, tables)
		}
	}
	var runs int
	if err := d.sql.QueryRowContext(ctx, "select attempt from imports").Scan(&runs); err != nil {
		return err
	}
	if runs != 2 {
		return fmt.Errorf("the import was worked on by %d runs, want 2", runs)
	}
	left := whole.took - whole.at(stands).after
	redone := rest.took - left
	fmt.Printf("\nkilled (SIGKILL) after %.1f s, with %.0f %% of the file done; the second run took %.1f s, where a whole one takes %.1f s from there on:\n"+
		"it read %d rows over and wrote none of them again, which is %.1f %% of a whole import's time done twice\n", cut.took.Seconds(),
		100*float64(stands)/float64(t.lines), rest.took.Seconds(), left.Seconds(), stands, 100*max(0, redone.Seconds())/whole.took.Seconds())
	return nil
}

// filled is a table with so many rows that came with an import.
type filled struct {
	name string
	rows int
}

// above are tables that others refer to, those first that do not refer to a later one.
var above = []string{"workspaces", "departments", "members", "accounts", "external_contacts", "groups", "imports"}

// tables lists what an import fills, in an order in which it can be loaded.
func (d *database) tables(ctx context.Context) (out []filled, err error) {
	q := "select tablename from pg_tables where schemaname = 'public' order by tablename"
	if _, ok := d.sqlite(); ok {
		q = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
	}
	rows, err := d.sql.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		// What an empty database has already is the schema's own.
		if !slices.Contains(above, name) && name != "meta" && !strings.HasPrefix(name, "schema_") {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(above, names) {
		x := filled{name: name}
		if err := d.sql.QueryRowContext(ctx, "select count(*) from "+name).Scan(&x.rows); err != nil {
			return nil, err
		}
		if x.rows > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// settleDown has the database write down what it has not yet, so that no measurement pays for the one before it.
func (d *database) settleDown(ctx context.Context) error {
	q := "checkpoint"
	if _, ok := d.sqlite(); ok {
		q = "pragma wal_checkpoint(truncate)"
	}
	_, err := d.sql.ExecContext(ctx, q)
	return err
}

// digests are sums over all rows of some tables.
func (d *database) digests(ctx context.Context, tables []filled, of func(string) bool) (map[string]string, error) {
	out := map[string]string{}
	for _, x := range tables {
		if !of(x.name) {
			continue
		}
		sum := sha256.New()
		if err := d.dump(ctx, x.name, sum); err != nil {
			return nil, err
		}
		out[x.name] = fmt.Sprintf("%x", sum.Sum(nil))
	}
	return out, nil
}

// dump sums up the rows of a table as they lie in it.
func (d *database) dump(ctx context.Context, table string, into hash.Hash) error {
	if _, ok := d.sqlite(); !ok {
		return d.copyOut(ctx, table, into)
	}
	return d.each(ctx, table, func(_ []string, vals []any) error {
		_, err := fmt.Fprintf(into, "%v\n", vals)
		return err
	})
}
