package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/envelope"
)

// statements is how many a request of each shape may take, with whoever asks being let in: he has just asked before, and keys
// of sealed texts are known.
var statements = map[string]int{"Q1": 1, "Q2": 2, "Q3": 1, "Q3 at 0": 1, "Q3 names": 1}

// A request costs the store so many statements, whatever the rows, through the whole gateway.
func TestStatements(t *testing.T) {
	for _, server := range servers(t) {
		w, err := newWorld(t.Context(), server, "", 300)
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
		for _, s := range shapes {
			requests, err := s.requests(w)
			if err != nil {
				t.Fatal(err)
			}
			for _, fewer := range []bool{false, true} {
				ask := func(raw []byte) int {
					r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
					if err != nil {
						t.Fatal(err)
					}
					ctx, count := db.CountStatements(r.Context())
					answer := httptest.NewRecorder()
					h.ServeHTTP(answer, r.WithContext(ctx))
					if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `"data":{`) || strings.Contains(answer.Body.String(), `"errors"`) {
						t.Fatalf("%s: %d %s", s.name, answer.Code, answer.Body)
					}
					return count()
				}
				most := 0
				for _, raw := range requests[:10] {
					if fewer {
						raw = []byte(strings.ReplaceAll(string(raw), "first: 50", "first:  5"))
					}
					ask(raw) // keys are read, and who asks
					most = max(most, min(ask(raw), ask(raw)))
				}
				if most != statements[s.name] {
					t.Errorf("%s on %s, fewer rows %t: %d statements, want %d", s.name, w.db.describe(t.Context()), fewer, most, statements[s.name])
				}
			}
		}
	}
}
