package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Wherever an import is killed, less than a tenth of the file is judged again by who goes on, whatever the size of the file.
func TestLittleIsDoneAgain(t *testing.T) {
	for _, rows := range []int{11, 12, 31, 32, 33, 40, 64, 65, 100, 499, 1000, 12_345} {
		file := strings.Repeat("{\"type\":\"x\"}\n", rows)
		imp := im.Import{Kind: im.DirectoryImport}
		if err := Survey(strings.NewReader(file), &imp); err != nil {
			t.Fatal(err)
		}
		batches := (rows + BatchSize(imp) - 1) / BatchSize(imp)
		for n, dies := range []int{0, batches / 2, batches - 1, 0, batches / 2, batches - 1} {
			judged := 0
			store := &dying{after: dies}
			s := New(store, Options{Kinds: map[im.ImportKind]Kind{im.DirectoryImport: &counting{&judged, n >= 3}}, Now: time.Now, IDs: im.NewIDs(time.Now)})
			open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(file)), nil }
			for run := 1; ; run++ {
				i := imp
				i.Line = store.line
				err := s.work(t.Context(), &i, open, func(im.Import) {})
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) || run > 1 {
					t.Fatal(err)
				}
			}
			again := judged - rows
			if store.line != rows || again < 1 || again*10 >= rows {
				t.Errorf("%d rows, killed in batch %d: %d judged again, done up to line %d, ahead %t", rows, dies+1, again, store.line, n >= 3)
			}
		}
	}
}

var errKilled = errors.New("killed")

// dying keeps how far an import is, and fails once, in the write of a batch.
type dying struct {
	Store
	after, line int
	died        bool
}

func (s *dying) PrepareRows(_ context.Context, b Batch) (func(context.Context) error, error) {
	return func(context.Context) error {
		if s.after == 0 && !s.died {
			s.died = true
			return errKilled
		}
		s.after--
		s.line = b.Import.Line
		return nil
	}, nil
}

// counting counts the rows that it is asked to judge.
type counting struct {
	judged *int
	ahead  bool
}

func (c *counting) Begin(context.Context, im.Import) (Judge, error) { return c, nil }
func (c *counting) Check([]string) *fault.Error                     { return nil }
func (c *counting) Key(r *Row) string                               { return fmt.Sprint(r.Line) }
func (c *counting) Person(*Row) string                              { return "" }
func (c *counting) Forget()                                         {}
func (c *counting) Ahead() bool                                     { return c.ahead }

func (c *counting) Batch(_ context.Context, rows []Row, _ bool, b *Batch) error {
	*c.judged += len(rows)
	for _, r := range rows {
		b.Rows = append(b.Rows, Verdict{ID: r.ID, Line: r.Line, Verdict: im.RowUnchanged})
	}
	return nil
}
