package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/envelope"
)

// allocations is how often a request of each shape may allocate, from its token to its JSON, with the database in the process: a
// tenth more than it does. Of times a machine says another thing each day; of these it does not.
var allocations = map[string]float64{"Q1": 410, "Q2": 18_000, "Q3": 3300, "Q3 at 0": 3300, "Q3 names": 4000, "Q4": 1570}

func TestAllocations(t *testing.T) {
	w, err := newWorld(t.Context(), "", "", 300)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.drop)
	keyset, err := os.ReadFile(w.file("keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := envelope.Open(keyset)
	if err != nil {
		t.Fatal(err)
	}
	store, err := db.Open(t.Context(), w.db.url, db.Options{Master: master, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	h := handler(t, store, trust)
	asks := map[string]func(){"Q4": blocker(t)}
	for _, s := range shapes {
		token, err := w.token(s.asker)
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.body(w.company, 1)
		if err != nil {
			t.Fatal(err)
		}
		asks[s.name] = func() {
			if got := asked(h, token, body); !bytes.Contains(got, []byte(`"data":{`)) || bytes.Contains(got, []byte(`"errors"`)) {
				t.Fatalf("%s: %s", s.name, got)
			}
		}
	}
	for name, ask := range asks {
		for range 20 { // statements are prepared, keys are read
			ask()
		}
		if got := testing.AllocsPerRun(100, ask); got > allocations[name] {
			t.Errorf("%s allocates %.0f times, at most %.0f are meant", name, got, allocations[name])
		} else {
			t.Logf("%s allocates %.0f times", name, got)
		}
	}
}
