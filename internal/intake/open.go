package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Survey reads a file once and notes what is to be known of it before its rows are read: its hash, size, lines and encoding.
func Survey(r io.Reader, i *im.Import) (err error) {
	sum, s, ends := sha256.New(), &Sniffer{}, lineEnds(0)
	if i.FileSize, err = io.Copy(io.MultiWriter(sum, s, &ends), r); err != nil {
		return err
	}
	if i.FileSize == 0 {
		return fault.Input("file", "import_empty")
	}
	e, err := s.Encoding()
	i.FileHash, i.Lines, i.Encoding = sum.Sum(nil), int(ends)+1, string(e)
	return err
}

// lineEnds counts them. No character of either encoding has one in it.
type lineEnds int

// Write is part of io.Writer.
func (n *lineEnds) Write(p []byte) (int, error) {
	*n += lineEnds(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// TakeIn works a file off that whoever runs the program has at hand, on a store that is his own. One that was killed over
// the same file is gone on with.
func (s *Service) TakeIn(ctx context.Context, like im.Import, open func() (io.ReadCloser, error), tell func(im.Import)) (im.Import, error) {
	i, found, err := s.UnfinishedImport(ctx, like)
	if err != nil {
		return i, err
	}
	if !found {
		i = like
		i.ID, i.State, i.CreatedAt, i.Privileged = s.o.IDs.New(), im.JobRunning, s.o.Now(), true
		if err := s.Post(ctx, ledger.Unit{Imports: []im.Import{i}, Events: []im.AuditEvent{s.event(i, "import.begin", nil)}}); err != nil {
			return i, err
		}
	}
	now := s.o.Now()
	i, found, err = s.ClaimImport(ctx, i.Kind, i.ID, now, now.Add(held))
	if err == nil && !found {
		err = errors.New("another import is under way")
	}
	if err != nil {
		return i, err
	}
	return s.run(ctx, i, open, tell)
}
