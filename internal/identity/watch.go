package identity

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Times of the watch.
const (
	// watchEvery finds what a wake-up missed: no session outlives its end by much more.
	watchEvery = 500 * time.Millisecond
	// watchGap is how soon one look may follow another: wake-ups come with every commit.
	watchGap = 100 * time.Millisecond
	// watchMost bounds the people of one statement.
	watchMost = 512
)

// live is the sessions that outlive their request.
type live struct {
	wake chan struct{}
	mu   sync.Mutex
	held map[im.ID]map[*held]bool // by member, or by key
}

type held struct {
	at  im.Session
	end context.CancelFunc
}

func newLive() live {
	return live{wake: make(chan struct{}, 1), held: map[im.ID]map[*held]bool{}}
}

// subject is what a session hangs on: a member, or a key.
func subject(v im.Viewer) im.ID {
	if v.IsService() {
		return v.Service.KeyID
	}
	return v.Member.ID
}

// Watch makes a context that ends when the session does, at whatever replica it was ended. Sockets and streams live by it.
func (s *Service) Watch(ctx context.Context, at im.Session) context.Context {
	ctx, end := context.WithCancel(ctx)
	h, id := &held{at, end}, subject(at.Viewer)
	s.live.mu.Lock()
	if s.live.held[id] == nil {
		s.live.held[id] = map[*held]bool{}
	}
	s.live.held[id][h] = true
	s.live.mu.Unlock()
	context.AfterFunc(ctx, func() {
		end()
		s.live.mu.Lock()
		defer s.live.mu.Unlock()
		delete(s.live.held[id], h)
		if len(s.live.held[id]) == 0 {
			delete(s.live.held, id)
		}
	})
	return ctx
}

// Wake says that something was committed, perhaps the end of a session. It never blocks.
func (s *Service) Wake() {
	select {
	case s.live.wake <- struct{}{}:
	default:
	}
}

// Run ends sessions until ctx ends. It costs nothing while none is live; else a statement for so many people, whatever changed
// about them and however: also what was changed behind our back is seen.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.live.wake:
		case <-tick.C:
		}
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "looking after live sessions failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchGap):
		}
	}
}

// look ends what has ended.
func (s *Service) look(ctx context.Context) error {
	var members, keys []im.ID
	s.live.mu.Lock()
	for id, hs := range s.live.held {
		for h := range hs {
			if h.at.Viewer.IsService() {
				keys = append(keys, id)
			} else {
				members = append(members, id)
			}
			break
		}
	}
	s.live.mu.Unlock()
	for part := range slices.Chunk(members, watchMost) {
		found, err := s.store.Standings(ctx, part)
		if err != nil {
			return err
		}
		s.endWhere(part, func(h *held, id im.ID) bool {
			now, there := found[id]
			return !there || now.Ends(h.at.Began)
		})
	}
	for part := range slices.Chunk(keys, watchMost) {
		found, err := s.store.APIKeys(ctx, everyKey, part)
		if err != nil {
			return err
		}
		s.endWhere(part, func(_ *held, id im.ID) bool {
			k, there := found[id]
			return !there || !k.HoldsAt(s.o.Now())
		})
	}
	return nil
}

func (s *Service) endWhere(ids []im.ID, ended func(h *held, id im.ID) bool) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	for _, id := range ids {
		for h := range s.live.held[id] {
			if ended(h, id) {
				h.end() // what follows it waits for the lock
			}
		}
	}
}
