package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
)

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"":                             mediaJSON,
		"  ":                           mediaJSON,
		"*/*":                          mediaJSON,
		"application/*":                mediaJSON,
		mediaJSON:                      mediaJSON,
		mediaGraphQL:                   mediaGraphQL,
		mediaGraphQL + "," + mediaJSON: mediaGraphQL,
		mediaJSON + "," + mediaGraphQL: mediaJSON,
		"*/*;q=0.1, " + mediaGraphQL:   mediaGraphQL,
		mediaJSON + ";q=0.5," + mediaGraphQL + ";q=0.9": mediaGraphQL,
		mediaGraphQL + ";q=0, */*":                      mediaJSON,
		mediaGraphQL + "; charset=utf-8":                mediaGraphQL,
		mediaGraphQL + "; charset=UTF8":                 mediaGraphQL,
		mediaJSON + "; charset=iso-8859-1":              "",
		"text/html":                                     "",
		"text/html, application/json;q=0":               "",
		"APPLICATION/JSON":                              mediaJSON,
		"application/json;q=x":                          "",
		"text/html,*/*;q=0.8":                           mediaJSON,
		";;;,,,":                                        "",
	} {
		if got := negotiate(accept); got.media != want || got.stream || got.prefer {
			t.Errorf("%q: %+v, not %q", accept, got, want)
		}
	}
	// Who lists streams beside JSON gets subscriptions as streams, and everything else as JSON unless he weighs streams higher.
	const urql = mediaGraphQL + ", application/graphql+json, " + mediaJSON + ", " + mediaStream + ", multipart/mixed"
	for accept, want := range map[string]acceptance{
		mediaStream:                                       {"", true, true},
		"text/html, " + mediaStream:                       {"", true, true},
		urql:                                              {mediaGraphQL, true, false},
		mediaStream + ", " + mediaJSON:                    {mediaJSON, true, false},
		mediaStream + ", */*":                             {mediaJSON, true, true},
		mediaStream + ", */*;q=0.1":                       {mediaJSON, true, true},
		mediaStream + ";q=0.1, */*":                       {mediaJSON, true, false},
		mediaStream + ", application/json;q=0":            {"", true, true},
		mediaStream + ";q=0.9, " + mediaJSON + ";q=0.8":   {mediaJSON, true, true},
		mediaStream + ";q=0.8, " + mediaGraphQL + ";q=.9": {mediaGraphQL, true, false},
		mediaStream + ";q=0, " + mediaJSON:                {mediaJSON, false, false},
		mediaStream + ";q=0":                              {},
		"Text/Event-Stream;Q=1":                           {"", true, true},
		"text/*":                                          {},
		"application/json;q=0, */*":                       {media: mediaGraphQL},
		"*/*, application/json;q=0.1":                     {media: mediaGraphQL},
		"application/*;q=0.2, */*;q=0.9":                  {media: mediaJSON},
	} {
		if got := negotiate(accept); got != want {
			t.Errorf("%q: %+v, not %+v", accept, got, want)
		}
	}
}

// Values are counted as JSON has them: what stands in a text is none.
func TestCrowded(t *testing.T) {
	list := func(n int, value string) string {
		return `{"a":[` + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + `]}`
	}
	for text, want := range map[string]bool{
		"": false, `"`: false, `"\`: false, `{"a":"\\",` + list(5, "1")[1:]: false,
		list(valuesMax+1, "1"):                               false,
		list(valuesMax+2, "1"):                               true,
		list(valuesMax+2, `"x"`):                             true,
		list(valuesMax+2, `"\""`):                            true,
		`{"a":"` + strings.Repeat(",", 2*valuesMax) + `"}`:   false,
		`{"a":"` + strings.Repeat(`\",`, 2*valuesMax) + `"}`: false,
		`{"a":"\\"` + strings.Repeat(",", valuesMax+1):       true,
	} {
		if got := crowded([]byte(text)); got != want {
			t.Errorf("%.40q of %d bytes: %t", text, len(text), got)
		}
	}
}

func nested(depth int) string {
	return strings.Repeat("{ a ", depth) + strings.Repeat("}", depth)
}

func many(n int, s string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, strings.ReplaceAll(s, "#", "%[1]d")+" ", i)
	}
	return b.String()
}

// Each limit holds from both sides.
func TestGuardLimits(t *testing.T) {
	for name, c := range map[string]struct {
		make func(n int) string
		most int
	}{
		"bytes":                          {func(n int) string { return "{ a #" + strings.Repeat("x", n-len("{ a #\n}")) + "\n}" }, bytesMax},
		"depth":                          {nested, depthMax},
		"aliases":                        {func(n int) string { return "{ a { " + many(n, "b#: c") + "} }" }, aliasesMax},
		"roots":                          {func(n int) string { return "{ " + strings.Repeat("a ", n) + "}" }, rootsMax},
		"directives":                     {func(n int) string { return "{ a " + strings.Repeat("@x ", n) + "}" }, directivesMax},
		"directives of operations":       {func(n int) string { return "query Q " + strings.Repeat("@x ", n) + "{ a }" }, directivesMax},
		"directives of inline fragments": {func(n int) string { return "{ a { " + strings.Repeat("... @x { b } ", n) + "} }" }, directivesMax},
		"directives of fragments":        {func(n int) string { return "{ a } fragment F on T " + strings.Repeat("@x ", n) + "{ b }" }, directivesMax},
		"nested inline fragments": {func(n int) string {
			return "{ a " + strings.Repeat("{ ... on T ", n-2) + "{ b }" + strings.Repeat("}", n-2) + "}"
		}, nestMax},
		"nested, nowhere spread":         {func(n int) string { return "{ a } fragment F on T " + nested(n) }, depthMax},
		"tokens":                         {func(n int) string { return "{ a(b: [" + strings.Repeat("1 ", n-9) + "]) }" }, tokensMax},
		"directives of fragment spreads": {func(n int) string { return "{ a { " + strings.Repeat("...F @x ", n) + "} } fragment F on T { b }" }, directivesMax},
		"operations":                     {func(n int) string { return many(n, "query Q# { a }") }, operationsMax},
		"fragments":                      {func(n int) string { return "{ a } " + many(n, "fragment F# on T { b }") }, fragmentsMax},
		"selections":                     {func(n int) string { return "{ a { " + strings.Repeat("b ", n-1) + "} }" }, selectionsMax},
		"selections by fragments": {func(n int) string {
			return "{ a { " + strings.Repeat("...F ", n-1) + "} } fragment F on T { b }"
		}, selectionsMax},
		"depth by fragments":   {func(n int) string { return "{ a { ...F } } fragment F on T " + nested(n-1) }, depthMax},
		"the second operation": {func(n int) string { return "query A { a } query B " + nested(n) }, depthMax},
	} {
		t.Run(name, func(t *testing.T) {
			if err := weigh(c.make(c.most)); err != nil {
				t.Errorf("%d are refused: %v", c.most, err)
			}
			if err := weigh(c.make(c.most + 1)); err == nil || err.Code != fault.QueryTooComplex {
				t.Errorf("%d are let through: %v", c.most+1, err)
			}
		})
	}
}

// Fragments that double at each level would be two to the thirtieth fields, and cost nothing to refuse; fragments that
// spread each other in a circle end.
func TestGuardIsQuick(t *testing.T) {
	const levels = 30
	var b strings.Builder
	b.WriteString("{ a { ...F0 } }")
	for i := range levels {
		fmt.Fprintf(&b, " fragment F%d on T { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on T { b }", levels)
	wide := b.String()
	circle := "{ a { ...A } } fragment A on T { ...B ...B } fragment B on T { c { ...A } ...A }"
	for name, q := range map[string]string{"doubling": wide, "circle": circle, "unknown": "{ a { ...Nothing } }", "empty": "", "broken": "{ a"} {
		began := time.Now()
		err := weigh(q)
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("%s took %s", name, took)
		}
		if refused := err != nil; refused != (name == "doubling") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("{ a { ...F } } fragment F on T { b @x c: d }")
	f.Add("query($x: [Int!] = [1]) { a(x: $x) { ... on T { b } } }")
	f.Add(nested(20))
	f.Fuzz(func(t *testing.T, query string) {
		began := time.Now()
		if err := weigh(query); err != nil && err.Code != fault.QueryTooComplex {
			t.Errorf("%q: %v", query, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%q took %s", query, took)
		}
	})
}

func TestRead(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		method, media, body string
		status              int
	}{
		"good":              {"POST", mediaJSON, `{"query":"{a}"}`, 0},
		"with variables":    {"POST", mediaJSON + "; charset=utf-8", `{"query":"{a}","variables":{"x":1e400},"operationName":null}`, 0},
		"unknown keys":      {"POST", mediaJSON, `{"query":"{a}","id":"7"}`, 0},
		"another charset":   {"POST", mediaJSON + "; charset=latin1", `{"query":"{a}"}`, 415},
		"a form":            {"POST", form, `query={a}`, 415},
		"a file":            {"POST", "multipart/form-data; boundary=x", "", 415},
		"no media type":     {"POST", "", `{"query":"{a}"}`, 415},
		"a document's id":   {"POST", mediaJSON, `{"documentId":"a","query":"{a}"}`, 0},
		"an id of 7":        {"POST", mediaJSON, `{"documentId":7}`, 400},
		"nothing":           {"POST", mediaJSON, ``, 400},
		"no query":          {"POST", mediaJSON, `{}`, 400},
		"an empty query":    {"POST", mediaJSON, `{"query":" \n"}`, 400},
		"null":              {"POST", mediaJSON, `null`, 400},
		"a batch":           {"POST", mediaJSON, `[{"query":"{a}"}]`, 400},
		"a text":            {"POST", mediaJSON, `"{a}"`, 400},
		"two":               {"POST", mediaJSON, `{"query":"{a}"}{"query":"{b}"}`, 400},
		"rubbish behind":    {"POST", mediaJSON, `{"query":"{a}"}]`, 400},
		"half":              {"POST", mediaJSON, `{"query":"{a`, 400},
		"a query of 7":      {"POST", mediaJSON, `{"query":7}`, 400},
		"variables of 7":    {"POST", mediaJSON, `{"query":"{a}","variables":7}`, 400},
		"variables of []":   {"POST", mediaJSON, `{"query":"{a}","variables":[]}`, 400},
		"a name of {}":      {"POST", mediaJSON, `{"query":"{a}","operationName":{}}`, 400},
		"too much":          {"POST", mediaJSON, `{"query":"` + strings.Repeat("x", bodyMax) + `"}`, 413},
		"deeply nested":     {"POST", mediaJSON, `{"query":"{a}","variables":` + strings.Repeat(`{"a":`, 20000) + `1` + strings.Repeat("}", 20001), 400},
		"PUT":               {"PUT", mediaJSON, `{"query":"{a}"}`, 405},
		"GET":               {"GET", "", url.Values{"query": {"{a}"}, "variables": {`{"x":1}`}}.Encode(), 0},
		"GET of nothing":    {"GET", "", "", 400},
		"GET, variables of": {"GET", "", url.Values{"query": {"{a}"}, "variables": {"7"}}.Encode(), 400},
		"GET, extensions":   {"GET", "", url.Values{"query": {"{a}"}, "extensions": {"{"}}.Encode(), 400},
	} {
		t.Run(name, func(t *testing.T) {
			p, no := readOf(c.method, c.media, c.body)
			if got := statusOf(no); got != c.status {
				t.Fatalf("status %d, not %d: %v", got, c.status, no)
			}
			if no == nil && p.Query != "{a}" {
				t.Errorf("read %q", p.Query)
			}
		})
	}
}

// readOf reads a request as the handler gets it.
func readOf(method, media, body string) (graphql.RawParams, *refusal) {
	target := "/graphql"
	var r *http.Request
	if method == http.MethodGet {
		r = httptest.NewRequest(method, target, nil)
		r.URL.RawQuery = body
	} else {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	w := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	return read(w, r, Compatible)
}

func statusOf(no *refusal) int {
	if no == nil {
		return 0
	}
	return no.status
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"query":"{a}"}`, `{"query":"{a}","variables":{"a":[1,null,{}]}}`, `[`, "\xff", `{"query":"\ud800"}`} {
		f.Add("POST", mediaJSON, s)
	}
	f.Add("GET", "", "query=%7Ba%7D&variables=%7B%7D")
	f.Fuzz(func(t *testing.T, method, media, body string) {
		if _, err := http.NewRequest(method, "/", nil); err != nil || method == "" {
			t.Skip()
		}
		p, no := readOf(method, media, body)
		if no == nil {
			if strings.TrimSpace(p.Query) == "" && len(p.Extensions) == 0 {
				t.Errorf("took %q as a request", body)
			}
			return
		}
		if no.status < 400 || no.status > 499 || no.Code != fault.BadUserInput {
			t.Errorf("%d %v", no.status, no)
		}
		if text := no.Text(fault.English); len(body) > 12 && strings.Contains(text, body) {
			t.Errorf("echoes the request: %s", text)
		}
	})
}

// conn is a socket that does nothing.
func conn() *talk { return &talk{live: map[string]*operation{}} }

// codeOf is the code with which a message ends a socket; 0: it does not.
func codeOf(c *talk, message string) int {
	_, why := c.judge([]byte(message))
	if why == nil {
		return 0
	}
	return int(why.code)
}

func TestJudge(t *testing.T) {
	type say struct {
		message string
		code    int
	}
	ack := say{"ack", 0}
	for name, talk := range map[string][]say{
		"in order": {{`{"type":"connection_init"}`, 0}, ack, {`{"type":"subscribe","id":"1"}`, 0}, {`{"type":"ping"}`, 0}, {`{"type":"pong"}`, 0},
			{`{"type":"complete","id":"1"}`, 0}, {`{"type":"subscribe","id":"1"}`, 0}},
		"twice":                   {{`{"type":"connection_init"}`, 0}, {`{"type":"connection_init"}`, 4429}},
		"twice, acknowledged":     {{`{"type":"connection_init"}`, 0}, ack, {`{"type":"connection_init"}`, 4429}},
		"before its turn":         {{`{"type":"subscribe","id":"1"}`, 4401}},
		"before the ack":          {{`{"type":"connection_init"}`, 0}, {`{"type":"subscribe","id":"1"}`, 4401}},
		"the same again":          {{`{"type":"connection_init"}`, 0}, ack, {`{"type":"subscribe","id":"1"}`, 0}, {`{"type":"subscribe","id":"1"}`, 4409}},
		"complete of nothing":     {{`{"type":"complete","id":"1"}`, 0}},
		"no JSON":                 {{`{`, 4400}},
		"an array":                {{`[]`, 4400}},
		"no type":                 {{`{"id":"1"}`, 4400}},
		"an unknown type":         {{`{"type":"start","id":"1"}`, 4400}},
		"a type of 7":             {{`{"type":7}`, 4400}},
		"an id of 7":              {{`{"type":"connection_init"}`, 0}, ack, {`{"type":"subscribe","id":7}`, 4400}},
		"words of the server":     {{`{"type":"next","id":"1"}`, 4400}},
		"a subscription of no id": {{`{"type":"connection_init"}`, 0}, ack, {`{"type":"subscribe"}`, 4400}},
	} {
		t.Run(name, func(t *testing.T) {
			c := conn()
			for _, s := range talk {
				if s == ack {
					c.acked = true
					continue
				}
				if strings.Contains(s.message, `"complete"`) {
					c.forget("1")
				}
				if code := codeOf(c, s.message); code != s.code {
					t.Errorf("%s: %d, not %d", s.message, code, s.code)
				}
			}
		})
	}
	c := conn()
	c.acked = true
	for i := range socketSubscriptionsMax + 1 {
		code := codeOf(c, fmt.Sprintf(`{"type":"subscribe","id":"%d"}`, i))
		if want := map[bool]int{true: 4429}[i == socketSubscriptionsMax]; code != want {
			t.Fatalf("subscription %d: %d", i+1, code)
		}
	}
}

// A close reason has at most 123 bytes, or the socket cannot be closed with it (RFC 6455, 5.5).
func FuzzJudge(f *testing.F) {
	for _, s := range []string{`{"type":"connection_init"}`, `{"type":"subscribe","id":"1"}`, `{"type":"complete","id":"1"}`, `{`, "\xff",
		`{"type":"subscribe","id":"` + strings.Repeat("王", 100) + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		c := conn()
		c.acked = true
		for range 2 {
			_, why := c.judge(message)
			if why != nil && (why.code < 4400 || why.code > 4499 || len(why.reason) > 123 || strings.ToValidUTF8(why.reason, "") != why.reason) {
				t.Errorf("%q: %v", message, why)
			}
		}
		if len(c.live) > 1 {
			t.Errorf("%q: %d live", message, len(c.live))
		}
	})
}

// Requests are counted by the pattern of their route, never by their path, and live ones apart.
func TestCounted(t *testing.T) {
	var got []string
	h, err := New(Options{
		Log: slog.New(slog.DiscardHandler), Stop: t.Context(), Ready: func(context.Context) error { return errors.New("not yet") },
		Request: func(route string, code int, _ time.Duration) { got = append(got, fmt.Sprintf("%s %d", route, code)) },
	}, map[string]http.Handler{
		"GET /panic/{id}": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("on purpose") }),
		"GET /late/{id}": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("begun"))
			w.WriteHeader(http.StatusTeapot)
		}),
		"GET /hint/{id}": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/readyz", "/panic/secret", "/late/secret", "/hint/secret", "/secret", "/graphql"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	for _, accept := range []string{mediaStream, mediaStream + "," + mediaJSON} {
		live := httptest.NewRequest(http.MethodGet, "/graphql?query={__typename}", nil)
		live.Header.Set("Accept", accept)
		h.ServeHTTP(httptest.NewRecorder(), live)
	}
	want := []string{"GET /healthz 200", "GET /readyz 503", "GET /panic/{id} 500", "GET /late/{id} 200", "GET /hint/{id} 200", "other 404", "/graphql 400", "/graphql live 200", "/graphql 200"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
