package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Survey reads a file once and says what is to be known of it before its rows are read: its hash, size and encoding.
func Survey(r io.Reader) (hash []byte, size int64, e Encoding, err error) {
	sum, s := sha256.New(), &Sniffer{}
	size, err = io.Copy(io.MultiWriter(sum, s), r)
	if err != nil {
		return nil, 0, "", err
	}
	if size == 0 {
		return nil, 0, "", fault.Input("file", "import_empty")
	}
	e, err = s.Encoding()
	return sum.Sum(nil), size, e, err
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
