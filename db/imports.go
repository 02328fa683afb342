package db

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

var _ intake.Store = (*Store)(nil)

// The places of sealed texts of imports.
var (
	placeChunk   = place{"import_chunks", "bytes"}
	placeNote    = place{"import_notes", "note"}
	placeWaiting = place{"import_waiting", "content"}
)

const importColumns = `i.id, i.kind, i.state, i.dry_run, i.complete, i.shrink, i.privileged, i.requested_by, i.decision_id, i.file_hash,
	i.file_size, i.encoding, i.is_stored, i.created_at, i.ended_at, i.error, i.line, i.accepted, i.rejected, i.unchanged, i.in_review,
	i.waiting, i.attempt, i.workspace_id, i.bulk, coalesce(i.row_count, 0), coalesce(i.lines, 0)`

func scanImport(r row) (i im.Import, err error) {
	err = r.Scan(&i.ID, textOf(&i.Kind), textOf(&i.State), &i.DryRun, &i.Complete, &i.Shrink, &i.Privileged, &i.RequestedBy, &i.DecisionID,
		blob{&i.FileHash}, &i.FileSize, &i.Encoding, &i.Stored, stamp{&i.CreatedAt}, stamp{&i.EndedAt}, blob{&i.Error}, &i.Line, &i.Accepted,
		&i.Rejected, &i.Unchanged, &i.InReview, &i.Waiting, &i.Attempt, &i.WorkspaceID, textOf(&i.Bulk), &i.Rows, &i.Lines)
	return i, err
}

// importStmts open imports, let those run that waited for people, and end them. What only an import under way needs goes with its
// end. Nobody has one that waits: its attempt stands at 0.
func importStmts(u ledger.Unit) (ss []stmt) {
	for _, i := range u.Imports {
		ss = append(ss, stmt{text: `insert into imports (id, kind, state, dry_run, complete, shrink, privileged, requested_by, decision_id,
			file_hash, file_size, encoding, is_stored, created_at, line, accepted, rejected, unchanged, in_review, waiting, attempt, workspace_id, bulk, row_count, lines)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, ?, ?, ?, ?)`,
			args: []any{i.ID, string(i.Kind), string(i.State), i.DryRun, i.Complete, i.Shrink, i.Privileged, i.RequestedBy, i.DecisionID, i.FileHash,
				i.FileSize, i.Encoding, i.Stored, us(i.CreatedAt), i.WorkspaceID, null(i.Bulk), i.Rows, i.Lines}})
	}
	for _, i := range u.Approved {
		ss = append(ss, stmt{text: "update imports set state = 'RUNNING', bulk = ? where id = ? and state = 'PENDING_APPROVAL'", args: []any{null(i.Bulk), i.ID}, want: 1})
	}
	for _, i := range u.ImportSteps {
		ss = append(ss, stmt{text: "update imports set state = ?, ended_at = ?, error = ?, claimed_until = null where id = ? and attempt = ? and state in ('RUNNING', 'PENDING_APPROVAL')",
			args: []any{string(i.State), us(i.EndedAt), null(string(i.Error)), i.ID, i.Attempt}, want: 1})
		for _, table := range []string{"import_chunks", "import_waiting", "import_scratch", "import_roster"} {
			ss = append(ss, stmt{text: "delete from " + table + " where import_id = ?", args: []any{i.ID}})
		}
	}
	return ss
}

// companyKey seals with the key that is nobody's.
func (s *Store) companyKey(ctx context.Context) (*writing, error) {
	w, err := s.keys.forWriting(ctx, map[im.ID]bool{im.Company: true})
	return w, unavailable(err, "load data keys")
}

// KeepChunk keeps a piece of a file.
func (s *Store) KeepChunk(ctx context.Context, imp im.ID, n int, b []byte) error {
	w, err := s.companyKey(ctx)
	if err != nil {
		return err
	}
	sealed := w.seal(im.Company, im.Text(b), placeChunk, im.RowOf(imp, n&0xffff))
	err = s.write(ctx, append(w.inserts(), stmt{text: "insert into import_chunks (import_id, n, bytes) values (?, ?, ?)", args: []any{imp, n, sealed}}))
	if err == nil {
		w.committed()
	}
	return unavailable(err, "keep a piece of a file")
}

// Chunk reads a piece of a file.
func (s *Store) Chunk(ctx context.Context, imp im.ID, n int) ([]byte, error) {
	var sealed []byte
	err := s.read(ctx, stmt{text: "select bytes from import_chunks where import_id = ? and n = ?", args: []any{imp, n},
		scan: func(r row) error { return r.Scan(blob{&sealed}) }})
	if err != nil || sealed == nil {
		return nil, unavailable(err, "read a piece of a file")
	}
	var out im.Text
	err = s.keys.open(ctx, []box{{sealed: sealed, place: placeChunk, row: im.RowOf(imp, n&0xffff), into: &out}})
	return []byte(out), err
}

// DropChunks deletes the pieces of files of which no import came, if they are older than a moment.
func (s *Store) DropChunks(ctx context.Context, before time.Time) error {
	return unavailable(s.write(ctx, []stmt{{text: `delete from import_chunks where import_id < ?
		and not exists (select 1 from imports i where i.id = import_chunks.import_id)`, args: []any{im.IDAt(before)}}}), "drop files")
}

// importLock is the advisory lock of claiming an import.
const importLock = 0x67756104

// ClaimImport takes an import to work on. Whoever still writes a batch of it though his time is up is put out first: he holds locks
// that nobody gets past, and on a stopped process the database would wait for ever.
func (s *Store) ClaimImport(ctx context.Context, kind im.ImportKind, id im.ID, now, until time.Time) (i im.Import, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	q := new(builder).add(`update imports set attempt = attempt + 1, claimed_until = ? where state = 'RUNNING'
		and (claimed_until is null or claimed_until <= ?) and id = (select i.id from imports i where i.kind = ? and i.state = 'RUNNING'
		and (i.claimed_until is null or i.claimed_until <= ?)
		and not exists (select 1 from imports o where o.kind = i.kind and o.state = 'RUNNING' and o.id <> i.id and o.claimed_until > ?)`,
		us(until), us(now), string(kind), us(now), us(now))
	if id.IsZero() {
		q.add(" and i.is_stored")
	} else {
		q.add(" and i.id = ?", id)
	}
	q.add(" order by i.id limit 1) returning " + strings.ReplaceAll(importColumns, "i.", ""))
	ss := append(s.eng.alone(importLock), s.eng.putOut(`from imports i where i.kind = ? and i.state = 'RUNNING' and i.claimed_until <= ?`, string(kind), us(now))...)
	err = s.write(ctx, append(ss, q.stmt(one(&i, &found, scanImport))))
	return i, found, unavailable(err, "claim an import")
}

// fence is a statement that fails for whoever has an import no more.
func fence(i im.Import, set string, args ...any) stmt {
	return stmt{text: "update imports set " + set + " where id = ? and attempt = ? and state = 'RUNNING'", args: append(args, i.ID, i.Attempt), want: 1}
}

// ReclaimImports lets go of what a process held that is gone; alone: this one has the store to itself (see Hold), as it always
// has a SQLite file.
func (s *Store) ReclaimImports(ctx context.Context, alone bool) error {
	if s.eng.postgres() && !alone {
		return nil
	}
	return unavailable(s.write(ctx, []stmt{{text: "update imports set claimed_until = null where state = 'RUNNING'"}}), "reclaim imports")
}

// RestartImport forgets the verdicts of an import.
func (s *Store) RestartImport(ctx context.Context, i im.Import) error {
	ss := []stmt{fence(i, "line = 0, accepted = 0, rejected = 0, unchanged = 0, in_review = 0, waiting = 0")}
	for _, table := range []string{"import_batches", "import_notes", "import_waiting", "import_scratch", "import_roster"} {
		ss = append(ss, stmt{text: "delete from " + table + " where import_id = ?", args: []any{i.ID}})
	}
	return unavailable(s.write(ctx, ss), "restart an import")
}

// UnfinishedImport finds what was begun on the same file and has not ended.
func (s *Store) UnfinishedImport(ctx context.Context, like im.Import) (i im.Import, found bool, err error) {
	err = s.read(ctx, stmt{text: "select " + importColumns + ` from imports i where i.state = 'RUNNING' and i.kind = ? and i.file_hash = ? and i.dry_run = ?
		and i.shrink = ? and not i.is_stored order by i.id desc limit 1`, args: []any{string(like.Kind), like.FileHash, like.DryRun, like.Shrink},
		scan: one(&i, &found, scanImport)})
	return i, found, unavailable(err, "find an import")
}

// Import reads an import.
func (s *Store) Import(ctx context.Context, id im.ID) (i im.Import, found bool, err error) {
	err = s.read(ctx, stmt{text: "select " + importColumns + " from imports i where i.id = ?", args: []any{id}, scan: one(&i, &found, scanImport)})
	return i, found, unavailable(err, "read an import")
}

// Imports reads imports that the viewer may see.
func (s *Store) Imports(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Import, error) {
	return byIDs(ctx, s, v, im.KindImport, importColumns, "imports i", "i.id", ids, scanImport, func(i im.Import) im.ID { return i.ID })
}

// ListImports reads one page of imports.
func (s *Store) ListImports(ctx context.Context, v im.Viewer, f intake.ImportFilter, r page.Request) (page.Result[im.Import], error) {
	where := new(builder).visibleTo(v, im.KindImport).add(" and i.kind = ?", string(f.Kind))
	if !f.WorkspaceID.IsZero() {
		where.add(" and i.workspace_id = ?", f.WorkspaceID)
	}
	return list(ctx, s, listing[im.Import]{columns: importColumns, from: "imports i", where: where, order: order{id: "i.id", desc: true},
		scan: func(row row) (im.Import, page.Position, error) {
			i, err := scanImport(row)
			return i, page.Position{ID: i.ID}, err
		}}, r)
}

// ReleaseImport lets go of an import.
func (s *Store) ReleaseImport(ctx context.Context, i im.Import) error {
	return unavailable(s.eng.write(ctx, []stmt{{text: "update imports set claimed_until = null where id = ? and attempt = ?", args: []any{i.ID, i.Attempt}}}),
		"let go of an import")
}

// note is what is kept of a row beside its verdict.
type note struct {
	Fault *fault.Error `json:"fault"`
	Text  string       `json:"text,omitempty"`
}

// PrepareRows readies a batch to be written.
func (s *Store) PrepareRows(ctx context.Context, b intake.Batch) (write func(context.Context) error, err error) {
	i, u := b.Import, b.Unit
	if i.DryRun {
		u = ledger.Unit{}
	}
	w, err := s.keysOf(ctx, u, im.Company)
	if err != nil {
		return nil, err
	}
	first, loads, rest, err := s.loaded(ctx, w, u, i.ID)
	if err != nil {
		return nil, err
	}
	// The import's own lock tells who is at a batch of it: see ClaimImport.
	first = slices.Concat(s.eng.alone(oneAtATime(i.ID)), []stmt{fence(i, `complete = ?, line = ?, accepted = ?, rejected = ?, unchanged = ?, in_review = ?,
		waiting = ?, claimed_until = ?`, i.Complete, i.Line, i.Accepted, i.Rejected, i.Unchanged, i.InReview, i.Waiting, us(b.Until))}, first)
	ss := s.stmtsOf(w, rest)
	if !i.DryRun {
		made, more := directoryWrites(b.Writes)
		alone, check := s.boundStmts(b.Writes)
		first, loads, ss = append(first, alone...), append(loads, made...), slices.Concat(ss, more, check)
	}
	notes := load{table: "import_notes", columns: []string{"id", "import_id", "line", "is_rejected", "note"}}
	for _, v := range b.Rows {
		if v.Note != nil {
			sealed := w.seal(im.Company, im.Text(toJSON(note{v.Note, v.Text})), placeNote, v.ID)
			notes.rows = append(notes.rows, []any{v.ID, i.ID, v.Line, v.Verdict == im.RowRejected, sealed})
		}
	}
	waiting := load{table: "import_waiting", columns: []string{"import_id", "line", "id", "content"}}
	for _, r := range b.Waiting {
		waiting.rows = append(waiting.rows, []any{i.ID, r.Line, r.ID, w.seal(im.Company, im.Text(toJSON(r)), placeWaiting, r.ID)})
	}
	for k, v := range b.Scratch {
		ss = append(ss, stmt{text: `insert into import_scratch (import_id, key, value) values (?, ?, ?)
			on conflict (import_id, key) do update set value = excluded.value`, args: []any{i.ID, k, string(v)}})
	}
	if !b.ID.IsZero() {
		ss = append(ss, stmt{text: "insert into import_batches (id, import_id, first_line, last_line, verdicts) values (?, ?, ?, ?, ?)",
			args: []any{b.ID, i.ID, b.Rows[0].Line, b.Rows[len(b.Rows)-1].Line, intake.Pack(b.Rows)}})
	} else {
		settled, err := s.settled(ctx, b)
		if err != nil {
			return nil, err
		}
		ss = append(ss, settled...)
	}
	loads = append(loads, notes, waiting)
	return func(ctx context.Context) error {
		err := s.writeRows(ctx, first, loads, ss)
		if err == nil {
			w.committed()
		}
		if errors.Is(err, ledger.ErrStale) && (u.Counted != nil || len(u.Steps)+len(b.Writes.Accounts.Made)+len(b.Writes.Accounts.Changed) > 0) {
			return intake.ErrOthers // it may as well be these that have moved on
		}
		return err
	}, nil
}

// writeRows writes a batch that was made ready. It fails with [ledger.ErrStale] where the import, or what else had to stand as it did,
// has moved on, and with [intake.ErrOthers] where somebody else made what it makes.
func (s *Store) writeRows(ctx context.Context, first []stmt, loads []load, ss []stmt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bulkTimeout)
	defer cancel()
	err := s.eng.bulk(ctx, first, loads, ss)
	s.people.Add(1)
	if errors.Is(err, errUnmet) {
		return ledger.ErrStale
	}
	if c := s.eng.constraint(err); c != "" {
		if strings.HasPrefix(c, "import") {
			return ledger.ErrStale
		}
		return intake.ErrOthers
	}
	return unavailable(err, "write rows")
}

// bulkTimeout bounds the writing of a batch that has begun.
const bulkTimeout = time.Minute

// settled puts the verdicts of rows that have waited into their batches.
func (s *Store) settled(ctx context.Context, b intake.Batch) (ss []stmt, err error) {
	byBatch := map[im.ID][]intake.Verdict{}
	for _, v := range b.Rows {
		id, _ := im.BatchOf(v.ID)
		byBatch[id] = append(byBatch[id], v)
		ss = append(ss, stmt{text: "delete from import_waiting where import_id = ? and line = ?", args: []any{b.Import.ID, v.Line}, want: 1})
	}
	var ids []im.ID
	for id := range byBatch {
		ids = append(ids, id)
	}
	q := s.amongIDs(new(builder).add("select id, verdicts from import_batches where "), "id", ids)
	err = s.read(ctx, q.stmt(func(r row) error {
		var id im.ID
		var packed []byte
		if err := r.Scan(&id, blob{&packed}); err != nil {
			return err
		}
		all, err := intake.Unpack(id, packed)
		if err != nil {
			return err
		}
		for _, v := range byBatch[id] {
			_, place := im.BatchOf(v.ID)
			all[place].Verdict, all[place].Subject = v.Verdict, v.Subject
		}
		ss = append(ss, stmt{text: "update import_batches set verdicts = ? where id = ?", args: []any{intake.Pack(all), id}, want: 1})
		return nil
	}))
	return ss, unavailable(err, "read verdicts")
}

// WaitingRows reads rows that wait.
func (s *Store) WaitingRows(ctx context.Context, imp im.ID, after, limit int) (out []intake.Row, err error) {
	texts := make([]im.Text, 0, limit)
	var boxes []box
	err = s.read(ctx, stmt{text: "select line, id, content from import_waiting where import_id = ? and line > ? order by line limit ?",
		args: []any{imp, after, limit}, scan: func(r row) error {
			var v intake.Row
			var sealed []byte
			err := r.Scan(&v.Line, &v.ID, blob{&sealed})
			texts = append(texts, "")
			boxes = append(boxes, box{sealed: sealed, place: placeWaiting, row: v.ID, into: &texts[len(texts)-1]})
			out = append(out, v)
			return err
		}})
	if err == nil {
		err = s.keys.open(ctx, boxes)
	}
	for n := range out {
		if err != nil {
			break
		}
		err = json.Unmarshal([]byte(texts[n]), &out[n])
	}
	return out, unavailable(err, "read rows that wait")
}

// KeepRoster notes who is in a file.
func (s *Store) KeepRoster(ctx context.Context, i im.Import, employees []string, until time.Time) error {
	ss := []stmt{fence(i, "claimed_until = ?", us(until))}
	for _, no := range employees {
		ss = append(ss, stmt{text: "insert into import_roster (import_id, employee_no) values (?, ?) on conflict do nothing", args: []any{i.ID, no}})
	}
	return unavailable(s.write(ctx, ss), "keep who is in a file")
}

const notInRoster = " from members m where m.employment = 'ACTIVE' and not exists (select 1 from import_roster r where r.import_id = ? and r.employee_no = m.employee_no)"

// Missing counts the employed and those who are not in the file.
func (s *Store) Missing(ctx context.Context, imp im.ID) (missing, employed int, err error) {
	err = s.read(ctx,
		stmt{text: "select count(*)" + notInRoster, args: []any{imp}, scan: func(r row) error { return r.Scan(&missing) }},
		stmt{text: "select count(*) from members m where m.employment = 'ACTIVE'", scan: func(r row) error { return r.Scan(&employed) }})
	return missing, employed, unavailable(err, "count who is missing")
}

// MissingMembers lists those who are not in the file.
func (s *Store) MissingMembers(ctx context.Context, imp, after im.ID, limit int) (out []im.ID, err error) {
	q := new(builder).add("select m.id"+notInRoster, imp)
	if !after.IsZero() {
		q.add(" and m.id > ?", after)
	}
	err = s.read(ctx, q.add(" order by m.id limit ?", limit).stmt(func(r row) error {
		var id im.ID
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}))
	return out, unavailable(err, "list who is missing")
}

// Scratch reads what a dry run has kept.
func (s *Store) Scratch(ctx context.Context, imp im.ID, keys []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for part := range slices.Chunk(keys, 8000) {
		q := s.amongTexts(new(builder).add("select key, value from import_scratch where import_id = ? and ", imp), "key", part)
		err := s.read(ctx, q.stmt(func(r row) error {
			var k string
			var v []byte
			err := r.Scan(&k, blob{&v})
			out[k] = v
			return err
		}))
		if err != nil {
			return nil, unavailable(err, "read what a dry run kept")
		}
	}
	return out, nil
}

// ImportRows reads a page of the rows of each of some imports, in the order of their files: by two statements.
func (s *Store) ImportRows(ctx context.Context, imps []im.Import, onlyRejected bool, r page.Request) (map[im.ID]page.Result[intake.Verdict], error) {
	load := s.rows
	if onlyRejected {
		load = s.rejected
	}
	out, err := load(ctx, imps, r)
	if err != nil {
		return nil, unavailable(err, "read rows")
	}
	var ids []im.ID
	for _, res := range out {
		for _, v := range res.Nodes {
			ids = append(ids, v.ID)
		}
	}
	notes, err := s.notes(ctx, ids)
	for _, res := range out {
		for k := range res.Nodes {
			if t, ok := notes[res.Nodes[k].ID]; ok && err == nil {
				err = explain(&res.Nodes[k], *t)
			}
		}
	}
	return out, unavailable(err, "read notes")
}

// rows reads verdicts from the batches that they are packed in.
func (s *Store) rows(ctx context.Context, imps []im.Import, r page.Request) (map[im.ID]page.Result[intake.Verdict], error) {
	type batch struct {
		id     im.ID
		packed []byte
	}
	ids, least := make([]im.ID, len(imps)), intake.BatchSize(imps[0])
	for n, i := range imps {
		ids[n], least = i.ID, min(least, intake.BatchSize(i))
	}
	where, from := new(builder).add("b.import_id = p.id"), -1
	if r.From != nil {
		from, _ = strconv.Atoi(r.From.Key)
		if r.Backward {
			where.add(" and b.first_line < ?", from)
		} else {
			where.add(" and b.last_line > ?", from)
		}
	}
	// Of the batch that a page begins in, and of the last one, it may have one row alone.
	some := page.Request{Size: r.Size/least + 2, Backward: r.Backward}
	batches, err := pages(ctx, s, "imports", ids, listing[batch]{columns: "b.id, b.verdicts", from: "import_batches b", where: where,
		order: order{key: "b.first_line", id: "b.id"}, scan: func(row row) (b batch, at page.Position, err error) {
			err = row.Scan(&b.id, blob{&b.packed})
			return b, at, err
		}}, some)
	out := make(map[im.ID]page.Result[intake.Verdict], len(imps))
	for imp, found := range batches {
		var all []intake.Verdict
		for _, b := range found.Nodes {
			vs, err := intake.Unpack(b.id, b.packed)
			if err != nil {
				return nil, err
			}
			for _, v := range vs {
				if from < 0 || r.Backward && v.Line < from || !r.Backward && v.Line > from {
					all = append(all, v)
				}
			}
		}
		if r.Backward {
			slices.Reverse(all)
		}
		all = all[:min(len(all), r.Size+1)]
		at := make([]page.Position, len(all))
		for i, v := range all {
			at[i] = atLine(v)
		}
		out[imp] = page.Trim(r, all, at)
	}
	return out, err
}

// rejected finds the refused rows by their notes.
func (s *Store) rejected(ctx context.Context, imps []im.Import, r page.Request) (map[im.ID]page.Result[intake.Verdict], error) {
	ids := make([]im.ID, len(imps))
	for n, i := range imps {
		ids[n] = i.ID
	}
	return pages(ctx, s, "imports", ids, listing[intake.Verdict]{columns: "n.id, n.line", from: "import_notes n",
		where: new(builder).add("n.import_id = p.id and n.is_rejected"), order: order{key: "n.line", id: "n.id", arg: byNumber},
		scan: func(row row) (intake.Verdict, page.Position, error) {
			v := intake.Verdict{Verdict: im.RowRejected}
			err := row.Scan(&v.ID, &v.Line)
			return v, atLine(v), err
		}}, r)
}

func atLine(v intake.Verdict) page.Position {
	return page.Position{Key: strconv.Itoa(v.Line), ID: v.ID}
}

// notes reads what is kept of rows beside their verdicts, where anything is.
func (s *Store) notes(ctx context.Context, rows []im.ID) (map[im.ID]*im.Text, error) {
	out := map[im.ID]*im.Text{}
	if len(rows) == 0 {
		return out, nil
	}
	var boxes []box
	err := s.read(ctx, s.amongIDs(new(builder).add("select n.id, n.note from import_notes n where "), "n.id", rows).stmt(func(r row) error {
		var id im.ID
		var sealed []byte
		err := r.Scan(&id, blob{&sealed})
		out[id] = new(im.Text)
		boxes = append(boxes, box{sealed: sealed, place: placeNote, row: id, into: out[id]})
		return err
	}))
	if err == nil {
		err = s.keys.open(ctx, boxes)
	}
	return out, err
}

// explain puts what is kept of a row into its verdict; an erased note leaves it bare.
func explain(v *intake.Verdict, text im.Text) error {
	if text == "" {
		return nil
	}
	var n note
	err := json.Unmarshal([]byte(text), &n)
	v.Note, v.Text = n.Fault, n.Text
	return err
}

// ImportRowsByID reads rows by their ids.
func (s *Store) ImportRowsByID(ctx context.Context, ids []im.ID) (map[im.ID]intake.RowOf, error) {
	out := make(map[im.ID]intake.RowOf, len(ids))
	batches := make([]im.ID, len(ids))
	for i, id := range ids {
		batches[i], _ = im.BatchOf(id)
	}
	q := s.amongIDs(new(builder).add("select b.id, b.import_id, b.verdicts from import_batches b where "), "b.id", batches)
	err := s.read(ctx, q.stmt(func(r row) error {
		var id, imp im.ID
		var packed []byte
		if err := r.Scan(&id, &imp, blob{&packed}); err != nil {
			return err
		}
		vs, err := intake.Unpack(id, packed)
		for _, v := range vs {
			if slices.Contains(ids, v.ID) {
				out[v.ID] = intake.RowOf{Verdict: v, Import: imp}
			}
		}
		return err
	}))
	if err != nil {
		return nil, unavailable(err, "read rows")
	}
	notes, err := s.notes(ctx, ids)
	for id, t := range notes {
		if r, ok := out[id]; ok && err == nil {
			err = explain(&r.Verdict, *t)
			out[id] = r
		}
	}
	return out, unavailable(err, "read rows")
}

// lastID is above all others.
var lastID = im.ID(bytes.Repeat([]byte{0xff}, len(im.ID{})))

// Rejected reads refused rows from after a line on.
func (s *Store) Rejected(ctx context.Context, imp im.ID, after, limit int) ([]intake.Verdict, error) {
	r := page.Request{Order: intake.RowsByLine, Size: limit, From: &page.Position{Key: strconv.Itoa(after), ID: lastID}}
	res, err := s.ImportRows(ctx, []im.Import{{ID: imp}}, true, r)
	return res[imp].Nodes, err
}
