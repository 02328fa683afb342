package intake

import (
	"context"
	"encoding/json"
	"errors"
	"hash/maphash"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Kind is what the rows of an import are about: it judges them.
type Kind interface {
	// Begin readies the kind for an import.
	Begin(ctx context.Context, i im.Import) (Judge, error)
	// Check says whether a CSV file with this header is one of the kind; none is of a file of JSON Lines.
	Check(header []string) *fault.Error
	// Key names what a row is about, "" where it cannot be told: two rows with one key must not differ.
	Key(r *Row) string
	// Person is the employee number of a row that shows that somebody is there; "" of any other.
	Person(r *Row) string
}

// Judge judges the rows of one import, batch by batch.
type Judge interface {
	// Batch judges rows in their order and fills what comes of them into b. Rows whose Fault is set are refused already. With
	// last, no row may wait any longer.
	Batch(ctx context.Context, rows []Row, last bool, b *Batch) error
	// Ahead reports whether a batch may be judged while the one before it is still being written.
	Ahead() bool
	// Forget drops what is remembered of the store, after a batch was not written.
	Forget()
}

// Options are what the service needs beside its store.
type Options struct {
	Kinds map[im.ImportKind]Kind
	Now   func() time.Time
	IDs   *im.IDs
	Log   *slog.Logger
	Wake  func() // called after each write
	// Policy says who may have files taken in; nil where only files at hand are.
	Policy authz.Source
	// Viewer reads a member or a service afresh, with the rights of this moment: what waited is decided again.
	Viewer func(ctx context.Context, id im.ID) (im.Viewer, error)
	// VanishMax is the share of the employed who may be missing from a complete file, in percent.
	VanishMax int
}

// Service is the use-case.
type Service struct {
	Store
	o        Options
	desk     *command.Desk
	received chan struct{}
}

// New makes the service.
func New(s Store, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	desk := &command.Desk{Store: s, Policy: o.Policy, Now: o.Now, IDs: o.IDs, Wake: o.Wake}
	return &Service{s, o, desk, make(chan struct{}, 1)}
}

// The sizes of batches.
const (
	batchMost      = 4000
	batchesLeast   = 32  // a file has so many batches, if it has as many rows
	batchUncounted = 100 // the least of a version that did not count lines
	aheadLeast     = 100 // lines of a file of which two batches are less than a tenth
)

// BatchSize is how many rows each batch of an import has but the last. Who goes on for somebody who was killed does again what
// of one batch had been done: a row, or 3 % of the file and one row, so that of 11 rows or more it is less than a tenth. In a CSV
// file whose rows have line ends in their cells a batch has more of its rows, by as many times as those have lines.
func BatchSize(i im.Import) int {
	if i.Lines == 0 {
		return batchUncounted
	}
	return min((i.Lines+batchesLeast-1)/batchesLeast, batchMost)
}

// held is how long an import is held by who works on it without a word.
const held = 30 * time.Second

// run works a claimed import off, from a file that open gives from its begin on. It answers once the import has ended,
// with the fault in it if that was why, or fails where it could not go on: then another goes on.
func (s *Service) run(ctx context.Context, i im.Import, open func() (io.ReadCloser, error), tell func(im.Import)) (im.Import, error) {
	if i.DryRun && i.Line > 0 { // what it would have written is not kept well enough to go on from
		if err := s.RestartImport(ctx, i); err != nil {
			return i, err
		}
		i.Line, i.Tally = 0, im.Tally{}
	}
	err := s.work(ctx, &i, open, tell)
	f := (*fault.Error)(nil)
	if errors.As(err, &f) && (f.Code == fault.InvalidInput || f.Code == fault.PolicyDenied) { // it would come out so each time
		return s.end(ctx, i, f)
	}
	if err != nil {
		return i, err
	}
	return s.end(ctx, i, nil)
}

func (s *Service) work(ctx context.Context, i *im.Import, open func() (io.ReadCloser, error), tell func(im.Import)) error {
	kind, ok := s.o.Kinds[i.Kind]
	if !ok {
		return errors.New("no import of " + string(i.Kind))
	}
	judge, err := kind.Begin(ctx, *i)
	if err != nil {
		return err
	}
	if err := s.roster(ctx, i, kind, open); err != nil {
		return err
	}
	file, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	r, err := NewReader(file, Encoding(i.Encoding))
	if err != nil {
		return err
	}
	if f := kind.Check(r.Header); f != nil {
		return at(1, f)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.workOff(ctx, i, judge, s.batches(ctx, r, kind, i.Line, BatchSize(*i)), tell); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.waited(ctx, i, judge, tell)
}

// rowsOrErr is a batch of rows, or why there is no further one.
type rowsOrErr struct {
	rows []Row
	err  error
}

// batches reads ahead of who works the batches off, from after a line on.
func (s *Service) batches(ctx context.Context, r *Reader, kind Kind, after, size int) <-chan rowsOrErr {
	out := make(chan rowsOrErr, 1)
	send := func(b rowsOrErr) bool {
		select {
		case out <- b:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(out)
		var keys said
		seed := maphash.MakeSeed()
		rows := make([]Row, 0, size)
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				send(rowsOrErr{err: err})
				return
			}
			if row.Fault == nil {
				if k := kind.Key(&row); k != "" {
					row.Again = keys.again(maphash.String(seed, k))
				}
			}
			if row.Line <= after {
				continue
			}
			if rows = append(rows, row); len(rows) == size {
				if !send(rowsOrErr{rows: rows}) {
					return
				}
				rows = make([]Row, 0, size)
			}
		}
		if len(rows) > 0 {
			send(rowsOrErr{rows: rows})
		}
	}()
	return out
}

// triesMax is how often a batch is judged again because somebody else changed what it is about.
const triesMax = 5

// workOff judges and writes batches in their order. Who judges ahead judges one while the one before it is being written, in a file of
// which two batches are less than a tenth.
func (s *Service) workOff(ctx context.Context, i *im.Import, judge Judge, batches <-chan rowsOrErr, tell func(im.Import)) error {
	ahead := judge.Ahead() && i.Lines >= aheadLeast
	var flying *judged // which is being written
	land := func() (anew bool, err error) {
		if flying == nil {
			return false, nil
		}
		j := flying
		flying = nil
		if err = <-j.done; errors.Is(err, ErrOthers) {
			anew = true
			judge.Forget()
			err = s.batch(ctx, i, judge, j.id, j.rows, false)
		} else if err == nil {
			*i = j.imp
			s.o.Wake()
		}
		if err == nil {
			tell(*i)
		}
		return anew, err
	}
	for rows := range batches {
		if rows.err != nil {
			_, err := land()
			return errors.Join(err, rows.err)
		}
		as := *i
		if flying != nil {
			as = flying.imp
		}
		id := s.number(rows.rows)
		j, err := s.judge(ctx, as, judge, id, rows.rows, false)
		anew, e := land()
		if e != nil {
			return e
		}
		if anew {
			j, err = s.judge(ctx, *i, judge, id, rows.rows, false)
		}
		if err != nil {
			return err
		}
		flying = j
		go func() { j.done <- j.write(ctx) }()
		if ahead {
			continue
		}
		if _, err := land(); err != nil {
			return err
		}
	}
	_, err := land()
	return err
}

// judged is a batch that is ready to be written.
type judged struct {
	id    im.ID
	rows  []Row
	imp   im.Import // as it will be
	write func(context.Context) error
	done  chan error
}

// number gives rows that were read their ids, and answers that of their batch.
func (s *Service) number(rows []Row) im.ID {
	id, _ := im.BatchOf(s.o.IDs.New())
	for n := range rows {
		rows[n].ID = im.RowOf(id, n)
	}
	return id
}

// judge judges rows, those of a batch or, with a zero id, those that have waited, and makes what comes of them ready to be written;
// last: none of them may wait.
func (s *Service) judge(ctx context.Context, i im.Import, judge Judge, id im.ID, rows []Row, last bool) (*judged, error) {
	b := Batch{Import: i, ID: id, Until: s.o.Now().Add(held)}
	if err := judge.Batch(ctx, rows, last, &b); err != nil {
		return nil, err
	}
	if id.IsZero() {
		b.Import.Tally.Add(im.RowWaiting, -len(b.Rows))
	} else {
		b.Import.Line = rows[len(rows)-1].Line
	}
	for _, v := range b.Rows {
		b.Import.Tally.Add(v.Verdict, 1)
	}
	write, err := s.PrepareRows(ctx, b)
	return &judged{id: id, rows: rows, imp: b.Import, write: write, done: make(chan error, 1)}, err
}

// batch judges rows and writes what comes of them, anew where somebody else was faster.
func (s *Service) batch(ctx context.Context, i *im.Import, judge Judge, id im.ID, rows []Row, last bool) error {
	for try := 0; ; try++ {
		j, err := s.judge(ctx, *i, judge, id, rows, last)
		if err == nil {
			err = j.write(ctx)
		}
		if err == nil {
			s.o.Wake()
			*i = j.imp
			return nil
		}
		if !errors.Is(err, ErrOthers) || try == triesMax {
			return err
		}
		judge.Forget()
	}
}

// ErrOthers: what a batch would have made, somebody else has made meanwhile. Nothing of it is written.
var ErrOthers = errors.New("intake: somebody else was faster")

// waited tries the rows that wait again and again, as long as that moves any of them: a manager may stand below his
// people in a file, and two who change places move one after the other. What then still waits is refused.
func (s *Service) waited(ctx context.Context, i *im.Import, judge Judge, tell func(im.Import)) error {
	for last := false; i.Waiting > 0; {
		before := i.Waiting
		for after := 0; ; {
			rows, err := s.WaitingRows(ctx, i.ID, after, BatchSize(*i))
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			after = rows[len(rows)-1].Line
			if err := s.batch(ctx, i, judge, im.ID{}, rows, last); err != nil {
				return err
			}
			tell(*i)
		}
		if last && i.Waiting > 0 {
			return errors.New("rows wait that must not")
		}
		last = i.Waiting == before
	}
	return nil
}

// roster reads a file that says that it is complete for who is in it, before anything is written. Where too many are
// missing, it is refused: half a file looks just so.
func (s *Service) roster(ctx context.Context, i *im.Import, kind Kind, open func() (io.ReadCloser, error)) error {
	if i.Line > 0 {
		return nil
	}
	file, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	r, err := NewReader(file, Encoding(i.Encoding))
	if err != nil {
		return err
	}
	if i.Complete = i.Complete || r.Complete; !i.Complete {
		return nil
	}
	var people []string
	for {
		row, err := r.Next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err == nil && row.Fault != nil { // nobody knows who was in it
			continue
		}
		if err == nil {
			if no := kind.Person(&row); no != "" {
				people = append(people, no)
			}
		}
		if err != nil && len(people) > 0 || len(people) == batchMost {
			if err := s.KeepRoster(ctx, *i, people, s.o.Now().Add(held)); err != nil {
				return err
			}
			people = people[:0]
		}
		if err != nil {
			break
		}
	}
	missing, employed, err := s.Missing(ctx, i.ID)
	if err != nil {
		return err
	}
	if !i.Shrink && missing*100 > employed*s.o.VanishMax {
		return fault.Input("file", shrank, strconv.Itoa(missing), strconv.Itoa(employed), strconv.Itoa(s.o.VanishMax))
	}
	return nil
}

// shrank is the fault of a complete file in which too many are missing.
const shrank = "import_shrank"

// end ends an import.
func (s *Service) end(ctx context.Context, i im.Import, f *fault.Error) (im.Import, error) {
	if f == nil && i.Complete && !i.DryRun {
		if err := s.alertMissing(ctx, i); err != nil {
			return i, err
		}
	}
	i.EndedAt, i.State = s.o.Now(), im.JobDone
	u := ledger.Unit{}
	if f != nil {
		i.State = im.JobFailed
		b, err := json.Marshal(f)
		if err != nil {
			return i, err
		}
		i.Error = b
		if f.Key == shrank && !i.DryRun {
			u.Alerts = append(u.Alerts, im.Alert{ID: s.o.IDs.New(), Kind: im.DirectoryShrank, Severity: im.RiskHigh, At: i.EndedAt,
				Subject: im.Ref{Kind: im.KindImport, ID: i.ID}})
		}
	}
	u.ImportSteps = []im.Import{i}
	u.Events = []im.AuditEvent{s.ended(i)}
	if err := s.Post(ctx, u); err != nil {
		return i, err
	}
	s.o.Wake()
	return i, nil
}

// ended is the line of the trail that an import has ended.
func (s *Service) ended(i im.Import) im.AuditEvent {
	detail, err := json.Marshal(map[string]any{"state": i.State, "total": i.Total(), "accepted": i.Accepted, "rejected": i.Rejected,
		"unchanged": i.Unchanged, "dryRun": i.DryRun, "complete": i.Complete})
	if err != nil { // there is nothing in it that could not be written
		panic(err)
	}
	return s.event(i, "import.end", detail)
}

// event is a line of the trail about an import; about no person but the company.
func (s *Service) event(i im.Import, action string, detail []byte) im.AuditEvent {
	e := im.AuditEvent{ID: s.o.IDs.New(), At: s.o.Now(), ActorName: "guanxi", Action: action, Subject: im.Ref{Kind: im.KindImport, ID: i.ID},
		About: im.Company, DecisionID: i.DecisionID, Detail: im.Text(detail)}
	return e
}

// alertMissing holds up everybody who is missing from a complete file for people to look at: nobody leaves by being left
// out.
func (s *Service) alertMissing(ctx context.Context, i im.Import) error {
	const most = 500
	for after := (im.ID{}); ; {
		ids, err := s.MissingMembers(ctx, i.ID, after, most)
		if err != nil {
			return err
		}
		var u ledger.Unit
		for _, id := range ids {
			u.Alerts = append(u.Alerts, im.Alert{ID: s.o.IDs.New(), Kind: im.RowVanished, Severity: im.RiskMedium, At: s.o.Now(),
				Subject: im.Ref{Kind: im.KindMember, ID: id}, PersonID: id})
		}
		if err := s.Post(ctx, u); err != nil {
			return err
		}
		if len(ids) < most {
			return nil
		}
		after = ids[len(ids)-1]
	}
}
