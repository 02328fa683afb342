package gateway_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/gateway"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// fence is a gateway that lets everybody in as one person, and has nothing behind it: whatever comes so far ends in a panic, which
// its log tells of.
func fence(t testing.TB) (h http.Handler, log *strings.Builder) {
	t.Helper()
	log = &strings.Builder{}
	who := im.Session{Viewer: im.Viewer{Member: im.Member{ID: im.ID{1}}}}
	h, err := gateway.New(gateway.Options{
		Authenticate: func(context.Context, string) (im.Session, error) { return who, nil },
		Again:        func(context.Context, im.Session) (im.Viewer, error) { return who.Viewer, nil },
		Watch:        func(ctx context.Context, _ im.Session) context.Context { return ctx },
		Ready:        func(context.Context) error { return nil },
		Observer:     observe.New(nil, nil), Stop: t.Context(), Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Limits: gateway.Limits{Everyone: gateway.Limit{Cost: 5000}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, log
}

// body is a request in JSON.
func body(t testing.TB, query string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bodies are requests that are hostile before they are GraphQL.
func bodies() map[string]string {
	return map[string]string{
		"no JSON":          `{"query":"{viewer{roles}}"`,
		"1 MB of no JSON":  `{"query":"` + strings.Repeat("x", 1<<20-20),
		"deep JSON":        testkit.Nest(400_000, "[", `"x"`, "]"),
		"deep variables":   `{"query":"{changeCursor}","variables":{"in":` + testkit.Nest(5000, `{"a":`, "1", "}") + `}}`,
		"200,000 values":   `{"query":"{changeCursor}","variables":{"ids":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 200_000), ",") + `]}}`,
		"1 MB of one text": `{"query":"query($n:Int){members(first:$n){totalCount}}","variables":{"n":"` + strings.Repeat("x", 1<<20-100) + `"}}`,
		"100 MB":           strings.Repeat("x", 100<<20),
		untold:             strings.Repeat("x", 100<<20),
	}
}

const untold = "100 MB that do not say so"

// metered counts what is read of a body.
type metered struct {
	io.Reader
	read int
}

func (m *metered) Read(b []byte) (n int, err error) {
	n, err = m.Reader.Read(b)
	m.read += n
	return n, err
}

func (m *metered) Close() error { return nil }

// post sends a request, whose length it does not tell where told is false, and answers how much of it was read.
func post(t testing.TB, h http.Handler, text string, told bool) (*httptest.ResponseRecorder, int) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	m := &metered{Reader: strings.NewReader(text)}
	if r.Body, r.ContentLength = m, int64(len(text)); !told {
		r.ContentLength = -1
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w, m.read
}

// Nothing hostile is worked out, read further than it has to be, or takes more memory than its own size explains; nothing of it stays,
// and nothing of it is said again.
func TestRefusals(t *testing.T) {
	h, log := fence(t)
	all := map[string]string{"a secret": `{"query":"<secret`, "another": `[{"query":"{secret}"}]`, "in a shape": `{"query":{"secret":1}}`}
	for what, doc := range testkit.Hostile() {
		all[what] = body(t, doc)
	}
	maps.Copy(all, bodies())
	before := heap()
	for what, text := range all {
		used := allocated()
		w, read := post(t, h, text, what != untold)
		used = allocated() - used
		var a struct {
			Data   any
			Errors []struct{ Extensions struct{ Code string } }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Data != nil || len(a.Errors) == 0 || len(a.Errors) > 20 || w.Body.Len() > 16<<10 {
			t.Errorf("%s: %d, %d errors, %d bytes: %.300s", what, w.Code, len(a.Errors), w.Body.Len(), w.Body)
			continue
		}
		if code := a.Errors[0].Extensions.Code; code == "" || code == "INTERNAL" || w.Code >= 500 {
			t.Errorf("%s: %d %q", what, w.Code, code)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s is said again: %s", what, w.Body)
		}
		const most = 1 << 20 // bytes of a request
		switch {
		case what == untold && read > most+1, what == "100 MB" && read != 0:
			t.Errorf("%s: %d bytes were read", what, read)
		case used > 12*most:
			t.Errorf("%s: %d KiB were allocated for %d bytes", what, used>>10, len(text))
		}
	}
	if log.Len() > 0 {
		t.Errorf("something was worked out: %.2000s", log)
	}
	if now := heap(); now > before+2<<20 {
		t.Errorf("%d KiB stay", (now-before)>>10)
	}
}

// What a document costs grows with its length up to the limits, whatever it would come to, and not beyond.
func TestRefusalsAreBounded(t *testing.T) {
	h, _ := fence(t)
	cost := func(doc string) float64 {
		text := body(t, doc)
		return testing.AllocsPerRun(5, func() { post(t, h, text, true) })
	}
	for what, x := range map[string]struct {
		few, many string
		most      float64
	}{
		"tokens beyond the limit":        {"{" + strings.Repeat("a ", 5000) + "}", "{" + strings.Repeat("a ", 30_000) + "}", 1.05},
		"bytes beyond the limit":         {"{" + strings.Repeat("a ", 40_000) + "}", "{" + strings.Repeat("a ", 400_000) + "}", 1.2},
		"a fan of 2²⁰ and of 2⁴⁰ fields": {testkit.FanOut(20), testkit.FanOut(40), 2.2},
		"faults":                         {"{viewer{" + testkit.Numbered(400, "x%d ") + "}}", "{viewer{" + testkit.Numbered(800, "x%d ") + "}}", 2.2},
		"fields that are the same":       {"{viewer{" + strings.Repeat("roles ", 450) + "}}x", "{viewer{" + strings.Repeat("roles ", 900) + "}}x", 2.2},
	} {
		if few, many := cost(x.few), cost(x.many); many > few*x.most {
			t.Errorf("%s: %.0f allocations, then %.0f", what, few, many)
		}
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// BenchmarkRefusals is what each hostile request costs the gateway: time, memory, and processor time with that of the collector. Over a
// socket it has the way through the kernel besides.
func BenchmarkRefusals(b *testing.B) {
	h, _ := fence(b)
	all := map[string]string{}
	for what, doc := range testkit.Hostile() {
		all[what] = body(b, doc)
	}
	maps.Copy(all, bodies())
	for _, what := range slices.Sorted(maps.Keys(all)) {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			worked := processor()
			for b.Loop() {
				post(b, h, all[what], what != untold)
			}
			b.ReportMetric(float64((processor()-worked).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
	server := httptest.NewServer(h)
	defer server.Close()
	conn := dial(b, server)
	defer func() { _ = conn.CloseNow() }()
	docs := testkit.Hostile()
	for _, what := range slices.Sorted(maps.Keys(docs)) {
		b.Run("socket: "+what, func(b *testing.B) {
			for b.Loop() {
				ask(b, conn, docs[what])
			}
		})
	}
}

func dial(t testing.TB, s *httptest.Server) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	if err := wsjson.Write(t.Context(), conn, testkit.Message{Type: "connection_init", Payload: map[string]any{"authorization": "Bearer x"}}); err != nil {
		t.Fatal(err)
	}
	var m testkit.Message
	if err := wsjson.Read(t.Context(), conn, &m); err != nil || m.Type != "connection_ack" {
		t.Fatal(m, err)
	}
	return conn
}

// ask sends a document over a socket, and answers what came.
func ask(t testing.TB, conn *websocket.Conn, doc string) (m testkit.Message) {
	t.Helper()
	if err := wsjson.Write(t.Context(), conn, testkit.Message{ID: "1", Type: "subscribe", Payload: map[string]any{"query": doc}}); err != nil {
		t.Fatal(err)
	}
	if err := wsjson.Read(t.Context(), conn, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// processor is how much processor time this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
