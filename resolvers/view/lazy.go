package view

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// lazy loads values by key with fetch, all keys that were announced so far with one call. Whoever presents a row announces the
// keys that the row's fields may ask for; the first field that does ask loads them for the row and all its siblings.
// So the number of loads follows from the shape of a query and not from its rows, and nothing waits for a timer.
type lazy[K comparable, V any] struct {
	name  string // for those who watch
	fetch func(ctx context.Context, keys []K) (map[K]V, error)
	also  func() []K // more keys of a load: of rows that are shown and announced nothing; nil: there are none
	in    *Batch     // which sets fetch and also before the first load; nil: they are set already

	loading sync.Mutex // one load at a time; mu is free meanwhile, as what is loaded announces in turn
	mu      sync.Mutex
	pending map[K]bool
	loaded  map[K]V
	known   map[K]bool // asked for, whether or not there was a value
}

// each calls f with every value that was loaded so far.
func (l *lazy[K, V]) each(f func(V)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.loaded {
		f(v)
	}
}

// of makes it one of a batch's.
func (l *lazy[K, V]) of(b *Batch, name string) { l.in, l.name = b, name }

// announce says that the keys may be asked for; zero keys never are.
func (l *lazy[K, V]) announce(keys ...K) {
	var zero K
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if k != zero && !l.known[k] {
			l.expect(k)
		}
	}
}

// give is the value of a key that need not be loaded any more.
func (l *lazy[K, V]) give(k K, value func() V) {
	l.mu.Lock()
	known := l.known[k]
	l.mu.Unlock()
	if known {
		return
	}
	v := value()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known, l.loaded = make(map[K]bool), make(map[K]V)
	}
	l.known[k], l.loaded[k] = true, v
}

// expect puts a key among those of the next load. The caller holds mu.
func (l *lazy[K, V]) expect(k K) {
	if l.pending == nil {
		l.pending = make(map[K]bool)
	}
	l.pending[k] = true
}

// get is the value of a key; the zero value where there is none.
func (l *lazy[K, V]) get(ctx context.Context, k K) (V, error) {
	var none V
	var zero K
	if k == zero {
		return none, nil
	}
	l.loading.Lock()
	defer l.loading.Unlock()
	l.mu.Lock()
	if l.known[k] {
		defer l.mu.Unlock()
		return l.loaded[k], nil
	}
	l.mu.Unlock()
	if l.in != nil {
		l.in.once.Do(l.in.prepare)
	}
	if l.also != nil {
		l.announce(l.also()...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expect(k)
	keys := slices.Collect(maps.Keys(l.pending))
	l.mu.Unlock()
	found, err := l.load(ctx, keys)
	l.mu.Lock()
	if err != nil {
		return none, err
	}
	if l.known == nil {
		l.known, l.loaded = make(map[K]bool, len(keys)), make(map[K]V, len(found))
	}
	for _, k := range keys {
		l.known[k] = true
		delete(l.pending, k)
	}
	maps.Copy(l.loaded, found)
	return l.loaded[k], nil
}

// load fetches, and has it seen.
func (l *lazy[K, V]) load(ctx context.Context, keys []K) (map[K]V, error) {
	ctx, act := observe.Begin(ctx, observe.Batch, "", l.name)
	act.Set("guanxi.keys", len(keys))
	found, err := l.fetch(ctx, keys)
	if err != nil {
		act.End(string(fault.As(err).Code))
		return nil, err
	}
	act.End("")
	return found, nil
}
