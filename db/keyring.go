package db

import (
	"context"
	"errors"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
)

// keyring holds the data keys that were used last. Whoever's key is gone from the store is erased: what was sealed
// by it reads as the empty text.
type keyring struct {
	master    *envelope.Master
	store     *Store
	bySubject *lru.Cache[im.ID, envelope.Key]
	byID      *lru.Cache[im.ID, envelope.Key]
}

// keyringSize bounds the memory of a keyring to some five megabytes: a key that is ready to seal takes 0.9 KiB, and its places in the
// two lists 0.3. What lives is three times as much of what the process holds, see gcPercent of package app.
const keyringSize = 4096

func newKeyring(m *envelope.Master, s *Store) *keyring {
	bySubject, _ := lru.New[im.ID, envelope.Key](keyringSize) // fails only for a size below one
	byID, _ := lru.New[im.ID, envelope.Key](keyringSize)
	return &keyring{master: m, store: s, bySubject: bySubject, byID: byID}
}

// writing is the keys that one unit seals with. Those that are new have to be inserted by the unit itself, and are
// kept only once it is committed.
type writing struct {
	ring  *keyring
	keys  map[im.ID]envelope.Key
	made  load
	fresh []im.ID
}

// inserts are the statements that insert the new keys.
func (w *writing) inserts() (ss []stmt) {
	for _, r := range w.made.rows {
		ss = append(ss, stmt{text: insertText(w.made, 1), args: r})
	}
	return ss
}

// forWriting has a key ready for each subject.
func (r *keyring) forWriting(ctx context.Context, subjects map[im.ID]bool) (*writing, error) {
	w := &writing{ring: r, keys: make(map[im.ID]envelope.Key, len(subjects)),
		made: load{table: "data_keys", columns: []string{"id", "subject_id", "wrapped", "created_at"}}}
	var missing []im.ID
	for s := range subjects {
		if k, ok := r.bySubject.Get(s); ok {
			w.keys[s] = k
		} else {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return w, nil
	}
	q := r.store.amongIDs(new(builder).add("select id, subject_id, wrapped from data_keys where wrapped is not null and "), "subject_id", missing).add(" order by id")
	err := r.store.read(ctx, q.stmt(func(row row) error {
		var id, subject im.ID
		var wrapped []byte
		if err := row.Scan(&id, &subject, blob{&wrapped}); err != nil {
			return err
		}
		k, err := r.master.Unwrap(id, subject, wrapped)
		if err != nil {
			return fmt.Errorf("unwrap data key %s: %w", id, err)
		}
		w.keys[subject] = k
		r.bySubject.Add(subject, k)
		r.byID.Add(id, k)
		return nil
	}))
	if err != nil {
		return nil, err
	}
	for _, s := range missing {
		if _, ok := w.keys[s]; ok {
			continue
		}
		id := r.store.ids.New()
		k, wrapped, err := r.master.NewKey(id, s)
		if err != nil {
			return nil, fmt.Errorf("make data key: %w", err)
		}
		w.keys[s] = k
		w.fresh = append(w.fresh, s)
		w.made.rows = append(w.made.rows, []any{id, s, wrapped, us(r.store.now())})
	}
	return w, nil
}

// committed keeps the new keys of a unit that was written.
func (w *writing) committed() {
	for _, s := range w.fresh {
		w.ring.bySubject.Add(s, w.keys[s])
	}
}

// place is a column of sealed texts. A box is bound to its place and row, so that boxes cannot be exchanged.
type place struct{ table, column string }

func (p place) at(row im.ID) []byte { return envelope.At(p.table, p.column, row) }

// seal seals a text about subject for one place in the store.
func (w *writing) seal(subject im.ID, s im.Text, p place, row im.ID) []byte {
	return w.keys[subject].Seal(string(s), p.at(row))
}

// box is a sealed text on its way out of the store.
type box struct {
	sealed []byte
	place  place
	row    im.ID
	into   *im.Text
}

// open unseals boxes; it reads the keys that it lacks with one statement.
func (r *keyring) open(ctx context.Context, boxes []box) error {
	keys := make(map[im.ID]envelope.Key)
	var missing []im.ID
	for _, b := range boxes {
		id, err := envelope.KeyID(b.sealed)
		if err != nil {
			return fmt.Errorf("%s.%s of %s: %w", b.place.table, b.place.column, b.row, err)
		}
		if _, ok := keys[id]; ok {
			continue
		}
		if k, ok := r.byID.Get(id); ok {
			keys[id] = k
			continue
		}
		keys[id] = envelope.Key{}
		missing = append(missing, id)
	}
	erased := make(map[im.ID]bool)
	if len(missing) > 0 {
		for _, id := range missing {
			erased[id] = true
		}
		q := new(builder).add("select id, subject_id, wrapped from data_keys where wrapped is not null and id in ").in(missing)
		err := r.store.read(ctx, q.stmt(func(row row) error {
			var id, subject im.ID
			var wrapped []byte
			if err := row.Scan(&id, &subject, blob{&wrapped}); err != nil {
				return err
			}
			k, err := r.master.Unwrap(id, subject, wrapped)
			if err != nil {
				return fmt.Errorf("unwrap data key %s: %w", id, err)
			}
			keys[id] = k
			delete(erased, id)
			r.byID.Add(id, k)
			return nil
		}))
		if err != nil {
			return err
		}
	}
	var errs []error
	for _, b := range boxes {
		id, _ := envelope.KeyID(b.sealed) // read above
		if erased[id] {
			*b.into = ""
			continue
		}
		s, err := keys[id].Open(b.sealed, b.place.at(b.row))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s of %s: %w", b.place.table, b.place.column, b.row, err))
			continue
		}
		*b.into = im.Text(s)
	}
	return errors.Join(errs...)
}
