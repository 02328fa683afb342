package scenario

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// spanNames are those that spans may have: whoever writes an operation names none.
var spanNames = regexp.MustCompile(`^(query|mutation|subscription|refused|decide|load [a-zA-Z]+|(wecom|native) (Check|Blacklist|Unblacklist|Blacklisted|GET|POST))$`)

// An operation is one span; what it loaded, decided and had done on a platform are spans within it.
func TestTraces(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		collector := testkit.Collect(t)
		c := open(t, dsn, "--tracing-endpoint", collector.URL)
		wang, lin := c.person("wangfang004"), c.person("linyue002")
		wang.Do(`query WangFangAsks{externalContacts(first:2){nodes{owner{name}}}}`, nil)
		lin.blocks("wm_lanhai", as("BLACKLIST"))
		if _, err := wang.Ask(`{nonsense}`, nil); err != nil {
			t.Fatal(err)
		}
		stream := wang.Subscribe(`subscription{relationshipChanged{relationship{id}}}`, nil)
		wang.blocks("liqiang005", on("native"))
		stream.Next(t)
		stream.Stop()

		named := func(spans []testkit.Span, name string) (out []testkit.Span) {
			for _, s := range spans {
				if s.Name == name {
					out = append(out, s)
				}
			}
			return out
		}
		spans := collector.Until(t, func(all []testkit.Span) bool {
			return len(named(all, "subscription")) > 0 && len(named(all, "refused")) > 0 && len(named(all, "wecom Blacklist")) > 0 && len(named(all, "mutation")) > 1
		})
		byID := map[string]testkit.Span{}
		for _, s := range spans {
			byID[s.ID] = s
			if !spanNames.MatchString(s.Name) {
				t.Errorf("a span is named %q", s.Name)
			}
		}
		// within says in what a span is, from the inside out.
		within := func(s testkit.Span) (out []string) {
			for s.Parent != "" {
				p, ok := byID[s.Parent]
				if !ok || p.Trace != s.Trace {
					t.Fatalf("%s has no parent in its trace", s.Name)
				}
				s = p
				out = append(out, s.Name)
			}
			return out
		}
		find := func(name string, parents ...string) (found testkit.Span) {
			for _, s := range named(spans, name) {
				if strings.Join(within(s), "<") == strings.Join(parents, "<") {
					return s
				}
			}
			t.Errorf("no %s within %v", name, parents)
			return found
		}
		find("load members", "query")
		decided := find("decide", "mutation")
		expect(t, "the decision", decided.Attributes["guanxi.code"], any("ALLOW"))
		find("wecom POST", "wecom Blacklist", "mutation")
		expect(t, "the refusal", find("refused").Attributes["guanxi.code"], any("GRAPHQL_VALIDATION_FAILED"))
		op := find("mutation")
		expect(t, "type", op.Attributes["graphql.operation.type"], any("mutation"))
		expect(t, "statements", op.Attributes["guanxi.statements"].(int64) > 3, true)
		expect(t, "actor", strings.HasPrefix(op.Attributes["guanxi.actor"].(string), "mem_"), true)
		find("subscription")
	})
}

// A trace that a client says to belong to is linked to; only that of a trusted proxy is the parent.
func TestTraceparent(t *testing.T) {
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	for name, c := range map[string]struct {
		args   []string
		joined bool
	}{"linked": {nil, false}, "trusted": {[]string{"--http-trusted-proxies", "127.0.0.1/32"}, true}, "trusted, and nothing sampled here": {[]string{"--http-trusted-proxies", "127.0.0.1/32", "--tracing-sample", "0"}, true}} {
		t.Run(name, func(t *testing.T) {
			collector := testkit.Collect(t)
			s := testkit.Demo(t, testkit.SQLite(t), append(c.args, "--tracing-endpoint", collector.URL)...)
			s.Send(http.MethodPost, "/graphql", `{"query":"{__typename}"}`, "Content-Type", "application/json", "Traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
			var op testkit.Span
			collector.Until(t, func(all []testkit.Span) bool {
				for _, s := range all {
					if s.Name == "query" {
						op = s
					}
				}
				return op.ID != ""
			})
			expect(t, "joined", op.Trace == theirs && op.Parent == "b7ad6b7169203331", c.joined)
			expect(t, "linked", strings.Join(op.Links, " ") == theirs, !c.joined)
		})
	}
}

// Every request is one line, and so is every operation on a socket; what it says is bounded.
func TestOneLineEach(t *testing.T) {
	s := testkit.Demo(t, testkit.SQLite(t), "--log-format", "json", "--log-slow", "1h")
	wang := s.As("wangfang004")
	wang.Do(`{viewer{roles}}`, nil)
	wang.Do(`{viewer{roles} # a comment
}`, nil)
	if _, err := wang.Ask(`{nonsense}`, nil); err != nil {
		t.Fatal(err)
	}
	s.Send("GET", "/somewhere/王芳", "")
	s.Send("GET", "/healthz", "")
	s.Send("POST", "/graphql", "{", "Content-Type", "application/json")
	s.Send("POST", "/graphql", `{"query":"{__typename}"}`, "Content-Type", "application/json", "Authorization", "Bearer x")
	stream := wang.Subscribe(`subscription{relationshipChanged{cursor}}`, nil)
	wang.Do(`mutation($t:ID!,$w:[ID!]){block(input:{targetId:$t,kind:BLOCK,workspaceIds:$w,reason:"seen"}){userErrors{code}}}`,
		map[string]any{"t": wang.Member("sunli006"), "w": []string{wang.Workspace("native")}})
	stream.Next(t)
	stream.Cut()
	time.Sleep(200 * time.Millisecond)
	s.Stop()

	type line struct {
		Msg, Level, Method, Route, Type, Code, Document, Actor, Request string
		Status, Statements                                              int
	}
	var lines []line
	ids := map[string]int{}
	for l := range strings.Lines(s.Log()) {
		var got line
		if err := json.Unmarshal([]byte(l), &got); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if got.Msg != "request" {
			continue
		}
		if got.Actor != "" && !strings.HasPrefix(got.Actor, "mem_") || got.Request == "" {
			t.Errorf("%s", l)
		}
		ids[got.Request]++
		got.Actor, got.Request = "", ""
		if got.Statements > 0 {
			got.Statements = 1
		}
		lines = append(lines, got)
	}
	has := func(n int, want line) (document string) {
		t.Helper()
		found := 0
		for _, got := range lines {
			document = got.Document
			if got.Document = ""; got == want {
				found++
			}
		}
		if found != n {
			t.Errorf("%d lines are %+v, not %d:\n%s", found, want, n, s.Log())
		}
		return document
	}
	ok := func(l line) line { l.Msg, l.Level = "request", "INFO"; return l }
	has(2, ok(line{Method: "POST", Route: "/graphql", Status: 200, Type: "query", Code: "OK"}))
	has(1, ok(line{Method: "POST", Route: "/graphql", Status: 200, Type: "refused", Code: "GRAPHQL_VALIDATION_FAILED"}))
	has(1, ok(line{Method: "POST", Route: "/graphql", Status: 400}))
	has(1, ok(line{Method: "POST", Route: "/graphql", Status: 401, Type: "refused", Code: "UNAUTHENTICATED"}))
	has(1, ok(line{Method: "GET", Route: "other", Status: 404}))
	has(1, ok(line{Method: "GET", Route: "/graphql live", Status: 101}))
	has(1, ok(line{Method: "SOCKET", Route: "/graphql", Type: "subscription", Code: "OK", Statements: 1}))
	has(1, ok(line{Method: "POST", Route: "/graphql", Status: 200, Type: "mutation", Code: "OK", Statements: 1}))
	has(1, line{Msg: "request", Level: "DEBUG", Method: "GET", Route: "GET /healthz", Status: 200})
	if len(lines) < 2 || lines[0].Document == "" || lines[0].Document == lines[2].Document {
		t.Errorf("shapes: %+v", lines)
	}
	if strings.Contains(s.Log(), "slow operation") {
		t.Error("nothing took an hour")
	}
}
