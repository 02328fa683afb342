package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Whoever means ill keeps the gateway neither busy nor full: nothing of what he sends is worked out, and nothing of it stays. How long
// each refusal takes is for BenchmarkRefusals of package gateway to say.
func TestHostileRequests(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) { // not beside other tests: it counts goroutines and bytes
		c := open(t, dsn)
		wang := c.person("wangfang004")
		wang.Do(`{viewer{member{name}}}`, nil)
		rest, full := goroutines(), heap()
		token := "Bearer " + testkit.Token(t, "wangfang004")
		talking, hangUp := context.WithTimeout(context.Background(), time.Minute)
		defer hangUp()
		conn, err := wang.Socket(talking)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(1 << 20)
		for what, doc := range testkit.Hostile() {
			a, err := wang.Ask(doc, nil)
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if len(a.Errors) == 0 || len(a.Errors) > 20 || len(a.Body) > 64<<10 || a.Data != nil {
				t.Errorf("%s: %d errors, %d bytes: %.200s", what, len(a.Errors), len(a.Body), a.Body)
			}
			if a.Code(0) == "INTERNAL" || a.Code(0) == "" {
				t.Errorf("%s: code %q: %.200s", what, a.Code(0), a.Body)
			}
			r := c.Server.In(t).Send("POST", "/graphql", graphQL(doc, nil), "Authorization", token, "Content-Type", "application/json", "Accept", "text/event-stream")
			if r.Status < 400 || r.Status > 499 || r.Code() == "" || r.Code() == "INTERNAL" || len(r.Body) > 64<<10 {
				t.Errorf("%s, as a stream: %d %.200s", what, r.Status, r.Body)
			}
			said := operate(talking, t, conn, "1", doc)
			if text := fmt.Sprint(said); len(said) != 1 || said[0].Type != "error" || !strings.Contains(text, "code:") || strings.Contains(text, "INTERNAL") || len(text) > 64<<10 {
				t.Errorf("%s, over a socket: %d: %.200s", what, len(said), text)
			}
		}
		ask := func(what, method, path, body string, status int, headers ...string) testkit.Reply {
			t.Helper()
			r := c.Send(method, path, body, append([]string{"Authorization", token, "Content-Type", "application/json"}, headers...)...)
			expect(t, what, r.Status, status)
			return r
		}
		body := `{"query":"{viewer{member{name}}}"}`
		expect(t, "the ordinary request", strings.Contains(ask("ordinary", "POST", "/graphql", body, 200).Body, "王芳"), true)
		ask("2 MB", "POST", "/graphql", `{"query":"{viewer{member{name}}}","x":"`+strings.Repeat("x", 2<<20)+`"}`, 413)
		ask("2 MB elsewhere", "POST", "/demo/clock", `{"advance":"1h","x":"`+strings.Repeat("x", 2<<20)+`"}`, 400)
		for _, malformed := range []string{`{"query":"<script>secret`, `secret`, `[{"query":"{secret}"}]`, `{"query":{"secret":1}}`, `{"query":"{viewer{roles}}"}{"secret":1}`,
			`{"query":"{viewer{roles}}","variables":["secret"]}`, testkit.Nest(400_000, "[", `"secret"`, "]"), "\xff\xfesecret", ``, `null`, `{}`} {
			r := ask(fmt.Sprintf("%.60s", malformed), "POST", "/graphql", malformed, 400)
			if strings.Contains(r.Body, "secret") || strings.Contains(r.Body, "script") || r.Code() != "BAD_USER_INPUT" {
				t.Errorf("%.60q echoed or without a code: %s", malformed, r.Body)
			}
		}
		deep := `{"query":"query($in:ContactCheckInput!){contactCheck(input:$in){allowed}}","variables":{"in":` + testkit.Nest(5000, `{"a":`, "1", "}") + `}}`
		if r := ask("deep variables", "POST", "/graphql", deep, 200); r.Code() == "" || r.Code() == "INTERNAL" || len(r.Body) > 64<<10 {
			t.Errorf("deep variables: %.300s", r.Body)
		}
		many := func(n int) string {
			return `{"query":"query($ids:[ID!]!){nodes(ids:$ids){id}}","variables":{"ids":[` + strings.TrimSuffix(strings.Repeat(`"x",`, n), ",") + `]}}`
		}
		expect(t, "2,000 ids", ask("2,000 ids", "POST", "/graphql", many(2000), 200).Code(), "BAD_USER_INPUT")
		expect(t, "200,000 ids", ask("200,000 ids", "POST", "/graphql", many(200_000), 400).Code(), "QUERY_TOO_COMPLEX")
		if err := conn.Write(talking, websocket.MessageText, []byte(`{"id":"many","type":"subscribe","payload":`+many(200_000)+`}`)); err != nil {
			t.Fatal(err)
		}
		var m testkit.Message
		must(t, "an answer", wsjson.Read(talking, conn, &m), nil)
		expect(t, "200,000 ids, over a socket", m.ID+" "+m.Type+" "+fmt.Sprint(strings.Contains(fmt.Sprint(m.Payload), "QUERY_TOO_COMPLEX")), "many error true")
		expect(t, "and the id is free", fmt.Sprint(len(operate(talking, t, conn, "many", `{viewer{roles}}`))), "2")

		r := ask("GET mutation", "GET", "/graphql?query="+strings.NewReplacer(" ", "%20", `"`, "%22", "{", "%7B", "}", "%7D").Replace(
			`mutation{liftRelationship(relationshipId:"x",reason:"x"){userErrors{code}}}`), "", 405)
		expect(t, "Allow", r.Header.Get("Allow"), "POST")
		ask("GET query", "GET", "/graphql?query=%7Bviewer%7Bmember%7Bname%7D%7D%7D", "", 200)
		ask("PUT", "PUT", "/graphql", body, 405)
		ask("DELETE", "DELETE", "/graphql", "", 405)
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "application/json; charset=latin1", "nonsense"} {
			ask(media, "POST", "/graphql", body, 415, "Content-Type", media)
		}
		ask("Accept nothing of ours", "POST", "/graphql", body, 406, "Accept", "text/html")

		expect(t, "100 MB", c.Server.In(t).Send("POST", "/graphql", strings.Repeat("x", 100<<20), "Content-Type", "application/json").Status, 413)
		req, err := http.NewRequest("POST", c.URL+"/graphql", struct{ io.Reader }{io.LimitReader(endless{}, 100<<20)})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil { // we were still sending when it hung up
			return
		}
		expect(t, "100 MB that do not say so", resp.StatusCode, 413)
		_ = resp.Body.Close()
		for range 20 { // who hang up while it works for them
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Millisecond)
			req, err := http.NewRequestWithContext(ctx, "POST", c.URL+"/graphql", strings.NewReader(graphQL(
				`{a:members(first:100){totalCount nodes{name manager{name department{name}}}} b:relationships(first:100){totalCount nodes{id}}}`, nil)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", token)
			if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
			cancel()
		}
		_ = conn.Close(websocket.StatusNormalClosure, "")
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()

		sockets(t, wang)
		c.Server.In(t).Send("GET", "/healthz", "")
		expect(t, "it still answers", wang.Do(`{viewer{member{name}}}`, nil).Text("viewer.member.name"), "王芳")
		for end := time.Now().Add(5 * time.Second); goroutines() > rest+3; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", goroutines(), rest, stacks[:runtime.Stack(stacks, true)])
			}
		}
		const room = 24 << 20 // for documents that are remembered, and for what the stores keep
		if now := heap(); now > full+room {
			t.Errorf("%d MiB in use, %d before", now>>20, full>>20)
		}
		worked := processor()
		time.Sleep(500 * time.Millisecond)
		if worked = processor() - worked; worked > 250*time.Millisecond {
			t.Errorf("it is busy with nothing: %s within half a second", worked)
		}
	})
}

// goroutines counts them once idle connections are closed.
func goroutines() int {
	time.Sleep(10 * time.Millisecond)
	runtime.Gosched()
	return runtime.NumGoroutine()
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// processor is how much processor time this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// endless is a body without an end.
type endless struct{}

// Read is part of io.Reader.
func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// sockets opens sockets, and says on them what one should not.
func sockets(t *testing.T, p person) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dial := func() *websocket.Conn {
		conn, err := p.Socket(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	subscribe := func(id int, query string) testkit.Message {
		return testkit.Message{ID: strconv.Itoa(id), Type: "subscribe", Payload: vars{"query": query}}
	}
	closed := func(conn *websocket.Conn) websocket.StatusCode {
		for {
			var m testkit.Message
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				return websocket.CloseStatus(err)
			}
		}
	}
	const quiet = `subscription{relationshipChanged{cursor}}`
	for range 20 { // that go away without a word
		conn := dial()
		_ = wsjson.Write(ctx, conn, subscribe(1, quiet))
		_ = conn.CloseNow()
	}
	conn := dial()
	for i := range 101 {
		_ = wsjson.Write(ctx, conn, subscribe(i, quiet))
	}
	expect(t, "101 subscriptions", closed(conn), websocket.StatusCode(4429))

	conn = dial()
	_ = wsjson.Write(ctx, conn, subscribe(1, quiet))
	_ = wsjson.Write(ctx, conn, subscribe(1, quiet))
	expect(t, "two of one id", closed(conn), websocket.StatusCode(4409))

	conn = dial()
	_ = wsjson.Write(ctx, conn, testkit.Message{Type: "connection_init"})
	expect(t, "initialised twice", closed(conn), websocket.StatusCode(4429))

	conn = dial()
	_ = conn.Write(ctx, websocket.MessageText, []byte("{nonsense"))
	expect(t, "what is no JSON", closed(conn), websocket.StatusCode(4400))

	conn = dial()
	_ = wsjson.Write(ctx, conn, subscribe(1, strings.Repeat("x", 2<<20)))
	if code := closed(conn); code != websocket.StatusMessageTooBig && code != -1 {
		t.Errorf("2 MB: closed with %d", code)
	}

	conn = dial()
	for i, doc := range []string{testkit.FanOut(30), "{" + strings.Repeat("changeCursor ", 3000) + "}", "subscription{" + testkit.Numbered(31, "a%d:relationshipChanged{cursor} ") + "}"} {
		_ = wsjson.Write(ctx, conn, subscribe(i, doc))
		var m testkit.Message
		for m.ID != strconv.Itoa(i) || m.Type == "complete" {
			m = testkit.Message{}
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				t.Fatalf("%.40s on a socket: %v", doc, err)
			}
		}
		if !strings.Contains(fmt.Sprint(m.Payload), "QUERY_TOO_COMPLEX") {
			t.Errorf("%.40s on a socket: %v", doc, m)
		}
	}
	_ = conn.CloseNow()
}
