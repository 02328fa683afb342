// Package live tells subscribers of changes: each once, in order, and after a cut from where they were. The store
// numbers what is committed; subscribers read numbered rows only, so that no cursor skips a transaction that commits
// late.
package live

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"log/slog"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Position is a place in the line of changes of one life of a database.
type Position struct {
	Epoch  string // 16 hex digits
	Number int64
}

// Store is where changes are numbered and read.
type Store interface {
	// Seal numbers what is committed and answers the last number, and whether more waits. Where another replica was
	// faster it answers zero, and that more waits.
	Seal(ctx context.Context) (head int64, more bool, err error)
	Position(ctx context.Context) (Position, error)
	Changes(ctx context.Context, v im.Viewer, member im.ID, after, until int64, limit int) ([]im.Change, error)
}

// Hub runs the sealer and wakes subscribers. Make it with [New] and run it.
type Hub struct {
	store Store
	log   *slog.Logger
	wake  chan struct{}

	mu   sync.Mutex
	head int64
	news chan struct{} // closed when head moves
}

// Times of the sealer.
const (
	// gather is how long a wake-up waits for others, so that a burst is sealed at once and the sealer stays out
	// of the way of the commands.
	gather = 20 * time.Millisecond
	// poll finds what other replicas committed and what a wake-up missed.
	poll = 500 * time.Millisecond
	// retry follows a database that did not answer.
	retry = 100 * time.Millisecond
)

// New makes a hub over a store.
func New(s Store, log *slog.Logger) *Hub {
	return &Hub{store: s, log: log, wake: make(chan struct{}, 1), news: make(chan struct{})}
}

// Wake says that something was committed. It never blocks.
func (h *Hub) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run seals until ctx ends.
func (h *Hub) Run(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(gather):
			}
		case <-wait.C:
		}
		next := poll
		head, more, err := h.store.Seal(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			h.log.WarnContext(ctx, "sealing failed", "error", err)
			next = retry
		case more && head == 0: // another replica was faster; it needs a moment to commit
			next = gather
		case more:
			next = 0
		}
		h.advance(head)
		wait.Reset(next)
	}
}

// Flush seals everything that is committed when it is called.
func (h *Hub) Flush(ctx context.Context) error {
	for {
		head, more, err := h.store.Seal(ctx)
		h.advance(head)
		if err != nil || !more {
			return err
		}
		if head == 0 {
			time.Sleep(gather)
		}
	}
}

func (h *Hub) advance(head int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if head > h.head {
		h.head = head
		close(h.news)
		h.news = make(chan struct{})
	}
}

func (h *Hub) position() (int64, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head, h.news
}

// Cursor answers where all streams stand now.
func (h *Hub) Cursor(ctx context.Context) (string, error) {
	p, err := h.store.Position(ctx)
	if err != nil {
		return "", err
	}
	return Encode(p), nil
}

// Event is one change with the cursor to resume after it.
type Event struct {
	Cursor string
	Change im.Change
	Viewer im.Viewer // with the rights of the moment it was read
}

// batch bounds what one read of a subscriber takes.
const batch = 100

// Subscribe sends the changes that the viewer may see from now on, or after a cursor. The channel is closed when ctx
// ends, the viewer is no more, or the store fails: whoever listens resumes after the last cursor. A cursor that is
// none of ours is BAD_USER_INPUT, one of another life of the database CURSOR_EXPIRED.
func (h *Hub) Subscribe(ctx context.Context, viewer func(context.Context) (im.Viewer, error), member im.ID, after *string) (<-chan Event, error) {
	now, err := h.store.Position(ctx)
	if err != nil {
		return nil, err
	}
	at := now.Number
	if after != nil {
		p, err := Decode(*after)
		if err != nil {
			return nil, err
		}
		if p.Epoch != now.Epoch || p.Number > now.Number {
			return nil, fault.New(fault.CursorExpired, "cursor_expired")
		}
		at = p.Number
	}
	out := make(chan Event)
	go func() {
		defer close(out)
		for {
			head, news := h.position()
			for at < head {
				v, err := viewer(ctx) // rights may have changed since the last event
				if err != nil {
					h.log.WarnContext(ctx, "a subscriber lost its viewer", "error", err)
					return
				}
				cs, err := h.store.Changes(ctx, v, member, at, head, batch)
				if err != nil {
					if ctx.Err() == nil {
						h.log.WarnContext(ctx, "a subscriber cannot read changes", "error", err)
					}
					return
				}
				for _, c := range cs {
					select {
					case out <- Event{Encode(Position{now.Epoch, c.Number}), c, v}:
					case <-ctx.Done():
						return
					}
					at = c.Number
				}
				if len(cs) < batch {
					at = head
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

const cursorSize = 1 + 8 + 8 + 4

// Encode makes the opaque cursor of a position.
func Encode(p Position) string {
	b := make([]byte, 0, cursorSize)
	b = append(b, 1) // version
	e, _ := hex.DecodeString(p.Epoch)
	b = append(b, append(make([]byte, 8-min(8, len(e))), e...)[:8]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Number))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads what Encode wrote. Anything else is BAD_USER_INPUT.
func Decode(s string) (Position, error) {
	bad := fault.New(fault.BadUserInput, "cursor_malformed")
	if len(s) > 64 {
		return Position{}, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != cursorSize || b[0] != 1 || crc32.ChecksumIEEE(b[:17]) != binary.BigEndian.Uint32(b[17:]) {
		return Position{}, bad
	}
	n := binary.BigEndian.Uint64(b[9:17])
	if n > 1<<62 {
		return Position{}, bad
	}
	return Position{Epoch: hex.EncodeToString(b[1:9]), Number: int64(n)}, nil
}
