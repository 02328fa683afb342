package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/adaptertest"
)

const secret = "hunter2"

// store is the gateway's store, in which things go wrong.
type store struct {
	mu    sync.Mutex
	fault adaptertest.Kind
}

func (s *store) play(f adaptertest.Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f.Kind
	return f.Kind == adaptertest.None || f.Kind == adaptertest.Stall || f.Kind == adaptertest.Unreachable
}

// reach does as a database does: its errors tell what it was reached with.
func (s *store) reach(ctx context.Context) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	switch fault {
	case adaptertest.Stall:
		<-ctx.Done()
		return fmt.Errorf("postgres://guanxi:%s@db: %w", secret, ctx.Err())
	case adaptertest.Unreachable:
		return fmt.Errorf("postgres://guanxi:%s@db: connection refused", secret)
	}
	return nil
}

func environment(log *slog.Logger, reach func(context.Context) error) adapters.Env {
	return adapters.Env{HTTP: http.DefaultClient, Log: log, Now: time.Now, Store: reach}
}

func TestConformance(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		s := new(store)
		return adaptertest.Harness{
			Open: func(log *slog.Logger, _ bool) adapters.Adapter {
				a, err := adapters.Open(platform, nil, environment(log, s.reach))
				if err != nil {
					t.Fatal(err)
				}
				return a
			},
			World: adaptertest.World{Secrets: []string{secret}},
			Fault: s.play,
		}
	}, adaptertest.Options{})
}

func TestOpen(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if _, err := adapters.Open(platform, nil, environment(log, nil)); err == nil || !strings.Contains(err.Error(), "store") {
		t.Errorf("without a store: %v", err)
	}
	reached := 0
	reach := func(context.Context) error { reached++; return nil }
	a, err := adapters.Open(platform, nil, environment(log, reach))
	if err != nil || reached != 0 {
		t.Fatalf("%v, and the store was reached %d times: opening calls nobody", err, reached)
	}
	// The gateway plans by what is registered.
	if opened := a.Describe(); !slices.ContainsFunc(adapters.All(), func(d adapters.Description) bool { return reflect.DeepEqual(d, opened) }) {
		t.Errorf("registered are %+v, opened is %+v", adapters.All(), opened)
	}
}

// Whose time it was that ran out can be told from the error: the caller's, not the store's.
func TestEndedContext(t *testing.T) {
	slow := func(context.Context) error { return context.DeadlineExceeded }
	a, err := adapters.Open(platform, nil, environment(slog.New(slog.DiscardHandler), slow))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context()); adapters.CodeOf(err) != adapters.Unavailable || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the store's own time is over: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Check(ctx); adapters.CodeOf(err) != adapters.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has left: %v", err)
	}
}
