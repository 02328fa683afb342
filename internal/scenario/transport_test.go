package scenario

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// graphQL is a request in JSON.
func graphQL(query string, variables vars) string {
	b, err := json.Marshal(vars{"query": query, "variables": variables})
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
)

// Each code of the contract has its status, by media type and profile; every error has a trace id, which is the request's,
// and a sentence in the caller's language.
func TestStatuses(t *testing.T) {
	t.Parallel()
	const stranger, wang = "", "wangfang004"
	type request struct {
		as, body string
		// of compat as JSON, of compat as GraphQL, and of the draft
		statuses [3]int
		code     string
	}
	digest := sha256.Sum256([]byte("{ viewer { roles } }"))
	requests := map[string]request{
		"fine":                {wang, graphQL(`{ viewer { roles } }`, nil), [3]int{200, 200, 200}, ""},
		"nobody":              {stranger, graphQL(`{ viewer { roles } }`, nil), [3]int{200, 200, 294}, "UNAUTHENTICATED"},
		"a bad token":         {"x", graphQL(`{ viewer { roles } }`, nil), [3]int{401, 401, 401}, "UNAUTHENTICATED"},
		"a bad id":            {wang, graphQL(`{ node(id: "x") { id } }`, nil), [3]int{200, 200, 294}, "BAD_USER_INPUT"},
		"no JSON":             {wang, `{`, [3]int{400, 400, 400}, "BAD_USER_INPUT"},
		"no request":          {wang, `{"query":7}`, [3]int{400, 400, 422}, "BAD_USER_INPUT"},
		"no query":            {wang, `{}`, [3]int{400, 400, 422}, "BAD_USER_INPUT"},
		"unparsable":          {wang, graphQL(`{ viewer {`, nil), [3]int{200, 400, 400}, "GRAPHQL_PARSE_FAILED"},
		"not valid":           {wang, graphQL(`{ nothing }`, nil), [3]int{200, 400, 422}, "GRAPHQL_VALIDATION_FAILED"},
		"a variable missing":  {wang, graphQL(`query($id: ID!) { node(id: $id) { id } }`, nil), [3]int{200, 400, 422}, "BAD_USER_INPUT"},
		"a text for a number": {wang, graphQL(`query($n: Int) { members(first: $n) { nodes { id } } }`, vars{"n": "3"}), [3]int{200, 400, 422}, "BAD_USER_INPUT"},
		"half a row":          {wang, graphQL(`query($n: Int) { members(first: $n) { nodes { id } } }`, vars{"n": 1.5}), [3]int{200, 400, 422}, "BAD_USER_INPUT"},
		"an empty key": {wang, graphQL(`mutation { block(input: {targetId: "x", kind: BLOCK, reason: "x", idempotencyKey: ""}) { userErrors { code } } }`, nil),
			[3]int{200, 200, 294}, "BAD_USER_INPUT"},
		"two operations":  {wang, graphQL(`query A { changeCursor } query B { changeCursor }`, nil), [3]int{200, 400, 422}, "BAD_USER_INPUT"},
		"an unknown hash": {wang, `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`, [3]int{200, 400, 422}, "PERSISTED_QUERY_NOT_FOUND"},
		"an unknown id":   {wang, `{"documentId":"nothing"}`, [3]int{200, 400, 422}, "PERSISTED_QUERY_NOT_FOUND"},
		"a wrong hash": {wang, `{"query":"{ changeCursor }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hex.EncodeToString(digest[:]) + `"}}}`,
			[3]int{200, 400, 422}, "BAD_USER_INPUT"},
		"too dear":       {wang, graphQL(`{ `+testkit.Numbered(20, `m%d: members(first: 100) { nodes { manager { manager { manager { name } } } } } `)+`}`, nil), [3]int{200, 400, 422}, "QUERY_TOO_COMPLEX"},
		"a subscription": {wang, graphQL(`subscription { relationshipChanged { cursor } }`, nil), [3]int{400, 400, 422}, "BAD_USER_INPUT"},
	}
	servers := map[string]*testkit.Server{"compat": testkit.Demo(t, testkit.SQLite(t)), "draft": testkit.Demo(t, testkit.SQLite(t), "--http-status-profile", "draft")}
	token := testkit.Token(t, wang)
	for name, q := range requests {
		for i, how := range []struct{ profile, media string }{{"compat", mediaJSON}, {"compat", mediaGraphQL}, {"draft", mediaGraphQL}, {"draft", mediaJSON}} {
			headers := []string{"Content-Type", mediaJSON, "Accept", how.media, "Accept-Language", "zh-CN"}
			switch q.as {
			case wang:
				headers = append(headers, "Authorization", "Bearer "+token)
			case "x":
				headers = append(headers, "Authorization", "Bearer x")
			}
			r := servers[how.profile].Send("POST", "/graphql", q.body, headers...)
			what := fmt.Sprintf("%s, %s as %s", name, how.profile, how.media)
			expect(t, what, r.Status, q.statuses[min(i, 2)])
			expect(t, what+": code", r.Code(), q.code)
			expect(t, what+": media type", r.Header.Get("Content-Type"), how.media+"; charset=utf-8")
			if q.code == "" {
				continue
			}
			if id := r.Header.Get("X-Request-Id"); !strings.Contains(r.Body, `"traceId":"`+id+`"`) {
				t.Errorf("%s: no trace id: %s", what, r.Body)
			}
			if strings.IndexFunc(r.Body, func(r rune) bool { return r > 0x4e00 }) < 0 {
				t.Errorf("%s: not in Chinese: %s", what, r.Body)
			}
			if r.Status == 400 || r.Status == 422 {
				if strings.Contains(r.Body, `"data"`) {
					t.Errorf("%s: nothing was executed, and there is data: %s", what, r.Body)
				}
			}
		}
	}
}

// What takes too long ends, on every transport.
func TestDeadline(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn, "--http-operation-time", "1ms")
		p := person{s.As("linyue002"), company{}, "linyue002"}
		const slow = `{ a: members(first: 100) { totalCount nodes { name department { name } manager { name } } } b: externalContacts(first: 100) { totalCount nodes { name owner { name } } } }`
		over := func(what string, ask func() string) {
			t.Helper()
			for range 50 { // a fast machine may make it once
				if text := ask(); strings.Contains(text, "DEADLINE_EXCEEDED") {
					return
				} else if strings.Contains(text, "INTERNAL") || strings.Contains(text, "context") {
					t.Fatalf("%s: %s", what, text)
				}
			}
			t.Errorf("%s: never too late", what)
		}
		headers := []string{"Content-Type", mediaJSON, "Authorization", "Bearer " + testkit.Token(t, "linyue002")}
		over("HTTP", func() string { return s.In(t).Send("POST", "/graphql", graphQL(slow, nil), headers...).Body })
		over("a stream", func() string {
			return s.In(t).Send("POST", "/graphql", graphQL(slow, nil), append(headers, "Accept", "text/event-stream")...).Body
		})
		over("a socket", func() string {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			conn, err := p.Socket(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.CloseNow() }()
			return fmt.Sprint(operate(ctx, t, conn, "1", slow))
		})
	})
}

// operate sends an operation over a socket, and answers what came until it was over.
func operate(ctx context.Context, t *testing.T, conn *websocket.Conn, id, query string) (all []testkit.Message) {
	t.Helper()
	if err := wsjson.Write(ctx, conn, testkit.Message{ID: id, Type: "subscribe", Payload: vars{"query": query}}); err != nil {
		t.Fatal(err)
	}
	for {
		var m testkit.Message
		if err := wsjson.Read(ctx, conn, &m); err != nil {
			t.Fatalf("%.60s: %v", query, err)
		}
		if m.ID != id {
			continue
		}
		if all = append(all, m); m.Type == "error" || m.Type == "complete" {
			return all
		}
	}
}

// Everybody has a budget, which each operation is charged to; nobody pays for another.
func TestBudgets(t *testing.T) {
	t.Parallel()
	s := testkit.Demo(t, testkit.SQLite(t), "--limits-everyone", "150/300/1", "--limits-strangers", "5/40/1", "--limits-roles", "admin=400/1000/1,auditor=150/0/0",
		"--http-trusted-proxies", "127.0.0.1")
	page := graphQL(`{ members(first: 100) { nodes { name } } }`, nil)
	ask := func(account, body string, more ...string) testkit.Reply {
		t.Helper()
		headers := append([]string{"Content-Type", mediaJSON}, more...)
		if account != "" {
			headers = append(headers, "Authorization", "Bearer "+testkit.Token(t, account))
		}
		return s.Send("POST", "/graphql", body, headers...)
	}
	first := ask("wangfang004", page, "GraphQL-Cost", "1")
	if !strings.Contains(first.Body, `"extensions":{"cost":{"limit":150,"requested":101,"throttleStatus":{"limit":300,"remaining":190,"restoreRate":1}}}`) {
		t.Errorf("the bill: %s", first.Body[max(0, len(first.Body)-200):])
	}
	expect(t, "policy", first.Header.Get("RateLimit-Policy"), `"cost";q=300;w=300`)
	expect(t, "what is left", first.Header.Get("RateLimit"), `"cost";r=190;t=110`)
	if plain := ask("wangfang004", page); strings.Contains(plain.Body, "extensions") || plain.Status != 200 {
		t.Errorf("a bill that nobody asked for: %.300s", plain.Body)
	}
	third := ask("wangfang004", page)
	expect(t, "the third", third.Code(), "RATE_LIMITED")
	expect(t, "the third, as JSON", third.Status, 200)
	if wait, err := strconv.Atoi(third.Header.Get("Retry-After")); err != nil || wait < 5 || wait > 15 {
		t.Errorf("wait %q: %s", third.Header.Get("Retry-After"), third.Body)
	}
	strict := ask("wangfang004", page, "Accept", mediaGraphQL)
	expect(t, "the fourth, as GraphQL", strict.Status, 429)
	expect(t, "a small one", ask("wangfang004", graphQL(`{ changeCursor }`, nil)).Code(), "")
	expect(t, "somebody else", ask("liqiang005", page).Code(), "")

	dear := graphQL(`{ members(first: 100) { nodes { manager { name } } } }`, nil)
	expect(t, "over the limit of one", ask("liqiang005", dear).Code(), "QUERY_TOO_COMPLEX")
	for range 3 {
		expect(t, "a role that may more", ask("linyue002", dear).Code(), "")
	}

	var last testkit.Reply
	hello := graphQL(`{ __typename }`, nil)
	for range 100 {
		if last = ask("", hello, "X-Forwarded-For", "198.51.100.7"); last.Code() != "" {
			break
		}
	}
	expect(t, "a stranger", last.Code(), "RATE_LIMITED")
	expect(t, "another stranger", ask("", hello, "X-Forwarded-For", "198.51.100.8").Code(), "")
	expect(t, "introspection by a stranger", ask("", graphQL(`{ __schema { types { name } } }`, nil), "X-Forwarded-For", "198.51.100.9").Code(), "QUERY_TOO_COMPLEX")

	// What is sent over sockets counts as well.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := s.As("wangfang004").Socket(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if got := fmt.Sprint(operate(ctx, t, conn, "1", `{ members(first: 100) { nodes { name } } }`)); !strings.Contains(got, "RATE_LIMITED") || !strings.Contains(got, "error") {
		t.Errorf("over a socket: %s", got)
	}

	// So do the questions of relays, who are told what is left, also those that cannot be read.
	relay := func(question string, headers ...string) (last testkit.Reply) {
		t.Helper()
		for range 310 {
			last = s.Send("POST", "/v1/check", question, headers...)
			if !strings.HasPrefix(last.Header.Get("RateLimit"), `"cost";r=`) || last.Status == 429 {
				break
			}
		}
		return last
	}
	const question = `{"workspace":"wecom-hq","from":"wm_spam","to":"wangfang004","channel":"DIRECT_MESSAGE"}`
	for who, asked := range map[string][]string{
		"a relay":                   {question, "Authorization", "Bearer " + testkit.Token(t, "liqiang005")},
		"a relay that nobody knows": {question, "X-API-Key", "nonsense", "X-Forwarded-For", "198.51.100.11"},
		"half a question":           {question[:20], "Authorization", "Bearer " + testkit.Token(t, "mengjie015")},
		"half a question of nobody": {question[:20], "X-Forwarded-For", "198.51.100.12"},
	} {
		r := relay(asked[0], asked[1:]...)
		expect(t, who, r.Status, 429)
		if r.Header.Get("Retry-After") == "" || !strings.HasPrefix(r.Header.Get("RateLimit"), `"cost";r=0;`) || !strings.Contains(r.Body, `"code":"RATE_LIMITED"`) {
			t.Errorf("%s: %v %s", who, r.Header, r.Body)
		}
	}

	// A proxy that we know names the request; anybody else does not.
	expect(t, "a proxy's id", ask("", hello, "X-Request-Id", "edge-42", "X-Forwarded-For", "198.51.100.10").Header.Get("X-Request-Id"), "edge-42")
	other := testkit.Demo(t, testkit.SQLite(t))
	if id := other.Send("GET", "/healthz", "", "X-Request-Id", "edge-42").Header.Get("X-Request-Id"); id == "edge-42" || id == "" {
		t.Errorf("anybody names requests: %q", id)
	}
}

// Pages of other sites may not ask, except for those that were let in.
func TestOrigins(t *testing.T) {
	t.Parallel()
	s := testkit.Demo(t, testkit.SQLite(t), "--http-origins", "https://app.example,http://localhost:5173")
	own, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	token := "Bearer " + testkit.Token(t, "wangfang004")
	body := graphQL(`{ viewer { roles } }`, nil)
	get := "/graphql?query=" + url.QueryEscape(`{ viewer { roles } }`)
	for name, c := range map[string]struct {
		method, path string
		headers      []string
		status       int
		allowed      string
	}{
		"no page":                      {"POST", "/graphql", nil, 200, ""},
		"our own page":                 {"POST", "/graphql", []string{"Origin", s.URL, "Sec-Fetch-Site", "same-origin"}, 200, ""},
		"our own page, an old browser": {"POST", "/graphql", []string{"Origin", s.URL}, 200, ""},
		"a page let in":                {"POST", "/graphql", []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, 200, "https://app.example"},
		"another page":                 {"POST", "/graphql", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		"another page, an old browser": {"POST", "/graphql", []string{"Origin", "https://evil.example"}, 403, ""},
		"nearly a page let in":         {"POST", "/graphql", []string{"Origin", "https://app.example.evil", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		"a sandboxed page":             {"POST", "/graphql", []string{"Origin", "null"}, 403, ""},
		"a neighbour":                  {"POST", "/graphql", []string{"Origin", "http://other." + own.Host, "Sec-Fetch-Site", "same-site"}, 403, ""},
		"a GET":                        {"GET", get, nil, 200, ""},
		"a link that was typed":        {"GET", get, []string{"Sec-Fetch-Site", "none"}, 200, ""},
		"a GET of another page":        {"GET", get, []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		"a GET of another page, asked": {"GET", get, []string{"Sec-Fetch-Site", "cross-site", "GraphQL-Require-Preflight", "1"}, 200, ""},
		"a GET of a page let in":       {"GET", get, []string{"Origin", "http://localhost:5173", "Sec-Fetch-Site", "cross-site"}, 200, "http://localhost:5173"},
		"may I":                        {"OPTIONS", "/graphql", []string{"Origin", "https://app.example", "Access-Control-Request-Method", "POST"}, 204, "https://app.example"},
		"may I, from elsewhere":        {"OPTIONS", "/graphql", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"}, 204, ""},
	} {
		sent := body
		if c.method != "POST" {
			sent = ""
		}
		r := s.Send(c.method, c.path, sent, append([]string{"Authorization", token, "Content-Type", mediaJSON}, c.headers...)...)
		expect(t, name, r.Status, c.status)
		expect(t, name+": allowed", r.Header.Get("Access-Control-Allow-Origin"), c.allowed)
		if c.status == 403 {
			expect(t, name+": code", r.Code(), "FORBIDDEN")
		}
		if asked := c.method == "OPTIONS" && c.allowed != ""; asked != strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%s: %v", name, r.Header)
		}
		if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: caches would mix origins up: %v", name, r.Header)
		}
		if r.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: with cookies", name)
		}
	}
	for origin, want := range map[string]int{"": 101, s.URL: 101, "https://app.example": 101, "https://evil.example": 403, "null": 403} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: h})
		if err == nil {
			_ = conn.CloseNow()
		}
		if resp == nil || resp.StatusCode != want {
			t.Errorf("a socket of a page of %q: %v %v", origin, resp, err)
		}
		cancel()
	}
	closed := testkit.Demo(t, testkit.SQLite(t))
	if r := closed.Send("POST", "/graphql", body, "Content-Type", mediaJSON, "Origin", "https://app.example"); r.Status != 403 || len(r.Header.Values("Access-Control-Allow-Origin")) > 0 {
		t.Errorf("by default: %d %v", r.Status, r.Header)
	}
}

// Registered documents are answered by id, hash or text; what is saved comes into force, or what was there stays.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	const me = "query Me { viewer { member { accountName } } }\n"
	long := "query Long { viewer { member { " + strings.Repeat("accountName ", 3000) + "} } }" // too many fields for anybody else
	save("me.graphql", me)
	save("long.graphql", long)
	save("README.md", "no document")
	token := "Bearer " + testkit.Token(t, "wangfang004")
	body := func(v vars) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s := testkit.Demo(t, testkit.SQLite(t), "--documents-path", dir, "--documents-mode", "enforce")
	ask := func(s *testkit.Server, token string, v vars) string {
		t.Helper()
		r := s.Send("POST", "/graphql", body(v), "Authorization", token, "Content-Type", mediaJSON)
		if r.Code() == "" && strings.Contains(r.Body, "accountName") {
			return "answered"
		}
		return r.Code()
	}
	persisted := func(hash string) vars { return vars{"persistedQuery": vars{"version": 1, "sha256Hash": hash}} }
	other := `query Other { viewer { member { accountName name } } }`
	for name, c := range map[string]struct {
		request vars
		want    string
	}{
		"by id":                {vars{"documentId": "me"}, "answered"},
		"by hash":              {vars{"extensions": persisted(hash(me))}, "answered"},
		"by a hash as id":      {vars{"documentId": "sha256:" + hash(me)}, "answered"},
		"by text":              {vars{"query": me}, "answered"},
		"a large one":          {vars{"documentId": "long"}, "answered"},
		"another id":           {vars{"documentId": "you"}, "PERSISTED_QUERY_NOT_FOUND"},
		"another text":         {vars{"query": other}, "DOCUMENT_NOT_ALLOWED"},
		"nearly the text":      {vars{"query": me + " "}, "DOCUMENT_NOT_ALLOWED"},
		"registered by hash":   {vars{"query": other, "extensions": persisted(hash(other))}, "DOCUMENT_NOT_ALLOWED"},
		"introspection":        {vars{"query": "{ __schema { types { name } } }"}, "DOCUMENT_NOT_ALLOWED"},
		"a name of a document": {vars{"documentId": "../me"}, "PERSISTED_QUERY_NOT_FOUND"},
	} {
		expect(t, name, ask(s, token, c.request), c.want)
	}
	expect(t, "an admin", ask(s, "Bearer "+testkit.Token(t, "linyue002"), vars{"query": other}), "answered")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := s.As("wangfang004").Socket(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if got := fmt.Sprint(operate(ctx, t, conn, "1", other)); !strings.Contains(got, "DOCUMENT_NOT_ALLOWED") {
		t.Errorf("over a socket: %s", got)
	}

	save("other.graphql", other)
	eventually(t, "the new document", func() bool { return ask(s, token, vars{"documentId": "other"}) == "answered" })
	save("me.graphql", "query Me { nothing }")
	eventually(t, "what is wrong is told", func() bool {
		return strings.Contains(s.Log(), "stay as they were") && strings.Contains(s.Log(), "me: 1:12")
	})
	expect(t, "what was there stays", ask(s, token, vars{"query": me}), "answered")
	expect(t, "all of it", ask(s, token, vars{"documentId": "other"}), "answered")
	if stderr, code := testkit.Refused(t, "--demo", "--documents-path", dir, "--documents-mode", "enforce"); code != 2 || !strings.Contains(stderr, "me: 1:12") {
		t.Errorf("started with it: %d %s", code, stderr)
	}
	if err := os.Remove(filepath.Join(dir, "me.graphql")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one that was taken away", func() bool { return ask(s, token, vars{"documentId": "me"}) == "PERSISTED_QUERY_NOT_FOUND" })

	// Manifests of two kinds, and the mode that only tells.
	for name, text := range map[string]string{
		"plain":  body(vars{"me-1": me}),
		"apollo": body(vars{"format": "apollo-persisted-query-manifest", "version": 1, "operations": []vars{{"id": "me-1", "name": "Me", "type": "query", "body": me}}}),
	} {
		save(name+".json", text)
		s := testkit.Demo(t, testkit.SQLite(t), "--documents-path", filepath.Join(dir, name+".json"), "--documents-mode", "log")
		expect(t, name, ask(s, token, vars{"documentId": "me-1"}), "answered")
		expect(t, name+", another", ask(s, token, vars{"query": other}), "answered")
		if log := s.Log(); !strings.Contains(log, hash(other)) || strings.Contains(log, hash(me)) || strings.Contains(log, "accountName") {
			t.Errorf("%s: the log has %s", name, log)
		}
	}
}

// A document is sent once, and named by its hash after that.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn)
		const query = `{ viewer { member { accountName } } }`
		sum := sha256.Sum256([]byte(query))
		extensions := `{"persistedQuery":{"version":1,"sha256Hash":"` + hex.EncodeToString(sum[:]) + `"}}`
		token := "Bearer " + testkit.Token(t, "wangfang004")
		get := func(more string) testkit.Reply {
			return s.In(t).Send("GET", "/graphql?extensions="+url.QueryEscape(extensions)+more, "", "Authorization", token)
		}
		expect(t, "at first", get("").Code(), "PERSISTED_QUERY_NOT_FOUND")
		r := get("&query=" + url.QueryEscape(query))
		expect(t, "with its text", strings.Contains(r.Body, "wangfang004"), true)
		expect(t, "from then on", strings.Contains(get("").Body, "wangfang004"), true)
		bad := `{"query":"{ nothing }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + fmt.Sprintf("%x", sha256.Sum256([]byte("{ nothing }"))) + `"}}}`
		for range 2 { // what is not valid is not kept
			expect(t, "one that is not valid", s.In(t).Send("POST", "/graphql", bad, "Content-Type", mediaJSON, "Authorization", token).Code(), "GRAPHQL_VALIDATION_FAILED")
		}
	})
}

// A stream is what EventSource and graphql-sse expect, by POST and by GET; a person has only so many.
func TestStreams(t *testing.T) {
	t.Parallel()
	s := testkit.Demo(t, testkit.SQLite(t), "--http-live-max", "3")
	token := "Bearer " + testkit.Token(t, "wangfang004")
	const quiet = `subscription { relationshipChanged { cursor } }`
	accept := "text/event-stream"
	open := func(method, query string) *http.Response {
		t.Helper()
		target, body := s.URL+"/graphql", ""
		if method == "GET" {
			target += "?query=" + url.QueryEscape(query)
		} else {
			body = graphQL(query, nil)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Authorization": token, "Content-Type": mediaJSON, "Accept": accept} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	for _, method := range []string{"GET", "POST"} {
		resp := open(method, `{ viewer { member { accountName } } }`)
		var lines []string
		for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
			lines = append(lines, scan.Text())
		}
		expect(t, method, strings.Join(lines, "|"), `:||event: next|data: {"data":{"viewer":{"member":{"accountName":"wangfang004"}}}}||event: complete|data:|`)
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "no-cache"} {
			expect(t, method+" "+name, resp.Header.Get(name), want)
		}
	}
	// Clients that can read streams name them in every request: they get one where it takes one.
	const urql = mediaGraphQL + ", application/graphql+json, " + mediaJSON + ", text/event-stream, multipart/mixed"
	for accept, want := range map[string]string{urql: mediaGraphQL + "; charset=utf-8", mediaJSON + ";q=0.5, text/event-stream": "text/event-stream", "*/*;q=0.1, text/event-stream": "text/event-stream"} {
		r := s.Send("POST", "/graphql", graphQL(`{ viewer { roles } }`, nil), "Authorization", token, "Content-Type", mediaJSON, "Accept", accept)
		expect(t, "a query with "+accept, r.Header.Get("Content-Type"), want)
	}
	expect(t, "a mutation by GET", open("GET", `mutation { cancelApproval(approvalId: "x") { userErrors { code } } }`).StatusCode, 405)
	first := open("GET", quiet)
	expect(t, "the first", first.StatusCode, 200)
	expect(t, "the second", open("POST", quiet).StatusCode, 200)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := s.As("wangfang004").Socket(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	many := open("POST", quiet)
	expect(t, "the fourth", many.StatusCode, 429)
	expect(t, "the fourth, to wait", many.Header.Get("Retry-After") != "", true)
	expect(t, "a fourth socket", closeCode(s.As("wangfang004"), testkit.Message{Type: "connection_init", Payload: vars{"authorization": token}}), 4429)
	expect(t, "somebody else's", s.As("liqiang005").Do(`{ viewer { member { accountName } } }`, nil).Text("viewer.member.accountName"), "liqiang005")
	_ = first.Body.Close()
	accept = urql
	eventually(t, "one in its place", func() bool {
		r := open("POST", quiet)
		return r.StatusCode == 200 && r.Header.Get("Content-Type") == "text/event-stream"
	})
}

// A gateway that is told to stop says so, serves on for a while, sends listeners elsewhere, and finishes what is under way.
func TestDrain(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn, "--shutdown-delay", "1s")
		p := s.As("linyue002")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		conn, err := p.Socket(ctx)
		if err != nil {
			t.Fatal(err)
		}
		events, err := p.Events(`subscription { relationshipChanged { cursor } }`, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := wsjson.Write(ctx, conn, testkit.Message{ID: "1", Type: "subscribe", Payload: vars{"query": `subscription { relationshipChanged { cursor } }`}}); err != nil {
			t.Fatal(err)
		}
		expect(t, "before", s.In(t).Send("GET", "/readyz", "").Status, 200)
		stopped := make(chan struct{})
		began := time.Now()
		go func() { defer close(stopped); s.Stop() }()
		eventually(t, "it is not ready", func() bool { return s.In(t).Send("GET", "/readyz", "").Status == 503 })
		expect(t, "it serves on", p.Do(`{ viewer { member { accountName } } }`, nil).Text("viewer.member.accountName"), "linyue002")
		var m testkit.Message
		for err = nil; err == nil; err = wsjson.Read(ctx, conn, &m) {
			if m.Type == "complete" {
				t.Error("the subscription is said to be complete")
			}
		}
		expect(t, "the socket", websocket.CloseStatus(err), websocket.StatusGoingAway)
		if after := time.Since(began); after < 900*time.Millisecond {
			t.Errorf("closed after %s", after)
		}
		select {
		case _, ok := <-events.Events:
			expect(t, "the stream ends", ok, false)
		case <-ctx.Done():
			t.Error("the stream goes on")
		}
		select {
		case <-stopped:
		case <-ctx.Done():
			t.Error("it does not end")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// Commands that are under way when the gateway is told to stop are carried out, and answered.
func TestDrainFinishes(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		lin := c.person("linyue002")
		c.Server.In(t).Send("POST", "/demo/sim/wecom/faults", `{"rules":[{"match":"/cgi-bin/externalcontact/*","delay":"500ms"}]}`)
		list := func(contact string) string {
			return fmt.Sprintf(`mutation { block(input: {targetId: %q, kind: BLACKLIST, reason: "slowly"}) { results { relationship { state delivery { attempts } } } userErrors { code } } }`,
				c.contact(contact))
		}
		one, two := list("wm_lanhai"), list("wm_qinghe")
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		conn, err := lin.Socket(ctx)
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan string, 2)
		go func() {
			a, err := lin.Ask(one, nil)
			answers <- fmt.Sprint(a.Body, err)
		}()
		go func() { answers <- fmt.Sprint(operate(ctx, t, conn, "1", two)) }()
		time.Sleep(200 * time.Millisecond)
		if len(answers) > 0 {
			t.Fatalf("they were over before: %s", <-answers)
		}
		c.Stop()
		for range 2 {
			if a := <-answers; !strings.Contains(a, "ACTIVE") || strings.Contains(a, "code") {
				t.Errorf("answered %s", a)
			}
		}
		_, _, err = conn.Read(ctx)
		expect(t, "the socket, after that", websocket.CloseStatus(err), websocket.StatusGoingAway)
	})
}

// Proxies may speak HTTP/2 without TLS.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	s := testkit.Demo(t, testkit.SQLite(t))
	only := new(http.Protocols)
	only.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: only}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest("POST", s.URL+"/graphql", strings.NewReader(graphQL(`{ viewer { member { accountName } } }`, nil)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaJSON)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+testkit.Token(t, "wangfang004"))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := bufio.NewReader(resp.Body).ReadString(0)
	if resp.ProtoMajor != 2 || !strings.Contains(text, "wangfang004") || !strings.HasSuffix(text, "event: complete\ndata:\n\n") {
		t.Errorf("%s: %q %v", resp.Proto, text, err)
	}
}

// A socket that says nothing is closed, and so is one of another protocol.
func TestSilentSocket(t *testing.T) {
	t.Parallel()
	s := testkit.Demo(t, testkit.SQLite(t))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	silent, err := s.As("").Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-ws"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = other.Read(ctx)
	expect(t, "another protocol", websocket.CloseStatus(err), websocket.StatusCode(4406))
	_, _, err = silent.Read(ctx)
	expect(t, "silence", websocket.CloseStatus(err), websocket.StatusCode(4408))
	expect(t, "no handshake", s.Send("GET", "/graphql", "", "Upgrade", "secret").Status, 426)
}
