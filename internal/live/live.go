// Package live tells subscribers of changes: each once, in order, and after a cut from where they were. The store
// numbers what is committed; subscribers read numbered rows only, so that no cursor skips a transaction that commits
// late.
package live

import (
	"context"
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
	// Whole reports whether every change after a number is there and no older than [Kept].
	Whole(ctx context.Context, after int64) (bool, error)
	// Changes reads, in order, numbered changes after one number, up to another, of what the viewer may see.
	Changes(ctx context.Context, v im.Viewer, w Watch, after, until int64, limit int) ([]im.Change, error)
	// Fingerprint is a keyed hash (HMAC) whose key is the database's own; cursors are sealed with it.
	Fingerprint(b []byte) []byte
}

// Kept is how long a change can be heard of. Changes are dropped an hour later: whoever resumes just in time hears all of it.
const Kept = 7 * 24 * time.Hour

// Watch is what a subscriber wants to hear of.
type Watch struct {
	Of          Stream
	MemberID    im.ID        // of relationships: those that this member made or is the target of
	AlertKind   im.AlertKind // of alerts: those of this kind
	WorkspaceID im.ID        // of the directory: what lives there
}

// Stream is one kind of changes.
type Stream int

// The streams. They share one line of numbers, so that a cursor of one is good for all.
const (
	Relationships Stream = iota
	Approvals            // that wait for the viewer, or that he made
	Alerts
	Directory
)

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
	return Encode(h.store, p), nil
}

// Event is one change with the cursor to resume after it.
type Event struct {
	Cursor string
	Change im.Change
	Viewer im.Viewer // with the rights of the moment it was read
}

// Bounds of one read of a subscriber.
const (
	batch  = 100  // changes that it takes
	window = 5000 // numbers that it looks through: there may be little among them that he sees
)

// fresh is how long what was read may be passed on: rights are those of the moment of delivery, however slowly somebody
// listens.
const fresh = time.Second

// Subscribe sends the events of [Follow].
func (h *Hub) Subscribe(ctx context.Context, viewer func(context.Context) (im.Viewer, error), w Watch, after *string) (<-chan Event, error) {
	return Follow(ctx, h, viewer, w, after, func(e Event) Event { return e })
}

// Follow sends the changes that the viewer may see from now on, or after a cursor. The channel is closed when ctx
// ends, the viewer is no more, or the store fails: whoever listens resumes after the last cursor. A cursor that is
// none of ours is BAD_USER_INPUT, one of another life of the database or from before what is kept CURSOR_EXPIRED.
func Follow[E any](ctx context.Context, h *Hub, viewer func(context.Context) (im.Viewer, error), w Watch, after *string, present func(Event) E) (<-chan E, error) {
	now, err := h.store.Position(ctx)
	if err != nil {
		return nil, err
	}
	at := now.Number
	if after != nil {
		p, err := Decode(h.store, *after)
		if err != nil {
			return nil, err
		}
		if p.Epoch != now.Epoch || p.Number > now.Number {
			return nil, fault.New(fault.CursorExpired, "cursor_expired")
		}
		switch whole, err := h.store.Whole(ctx, p.Number); {
		case err != nil:
			return nil, err
		case !whole:
			return nil, fault.New(fault.CursorExpired, "cursor_expired")
		}
		at = p.Number
	}
	s := &subscriber[E]{hub: h, viewer: viewer, watch: w, epoch: now.Epoch, at: at, present: present, out: make(chan E)}
	go func() {
		defer close(s.out)
		for {
			head, news := h.position()
			for s.at < head {
				if err := s.hear(ctx, min(head, s.at+window)); err != nil {
					if ctx.Err() == nil {
						h.log.WarnContext(ctx, "a subscriber hears no more", "error", err)
					}
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s.out, nil
}

// subscriber is somebody who listens. Nothing is kept for him but one read: what he does not take waits in the store.
type subscriber[E any] struct {
	hub     *Hub
	viewer  func(context.Context) (im.Viewer, error)
	watch   Watch
	epoch   string
	at      int64 // all up to here is told, or not for him
	present func(Event) E
	out     chan E
}

// hear tells of changes up to a number, or as many as one read takes while it is fresh.
func (s *subscriber[E]) hear(ctx context.Context, until int64) error {
	v, err := s.viewer(ctx) // rights may have changed since the last event
	if err != nil {
		return err
	}
	cs, err := s.hub.store.Changes(ctx, v, s.watch, s.at, until, batch)
	if err != nil {
		return err
	}
	stale := time.NewTimer(fresh)
	defer stale.Stop()
	for _, c := range cs {
		select {
		case s.out <- s.present(Event{Encode(s.hub.store, Position{s.epoch, c.Number}), c, v}):
		case <-stale.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
		s.at = c.Number
	}
	if len(cs) < batch {
		s.at = until
	}
	return nil
}
