package scenario

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// codesOfRequests are all codes that a fault of the request itself may have.
var codesOfRequests = strings.Fields(`UNAUTHENTICATED FORBIDDEN APPROVAL_REQUIRED BAD_USER_INPUT GRAPHQL_PARSE_FAILED GRAPHQL_VALIDATION_FAILED
	PERSISTED_QUERY_NOT_FOUND DOCUMENT_NOT_ALLOWED QUERY_TOO_COMPLEX RATE_LIMITED CURSOR_EXPIRED POLICY_ERROR DEADLINE_EXCEEDED UNAVAILABLE INTERNAL`)

// innards are words of ours that no message may tell.
var innards = regexp.MustCompile(`(?i)sql|pgx|relation "|no such table|context deadline|context canceled|panic|goroutine|127\.0\.0\.1`)

// Every code of the table comes about as a client meets it: with a trace id, in his language, and without our innards.
func TestEveryCodeOfRequests(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		wang := c.person("wangfang004")
		documents := t.TempDir()
		must(t, "save", os.WriteFile(filepath.Join(documents, "me.graphql"), []byte("query Me { viewer { roles } }"), 0o600), nil)
		strict := testkit.Demo(t, testkit.SQLite(t), "--documents-path", documents, "--documents-mode", "enforce").As("wangfang004")
		hurried := testkit.Demo(t, testkit.SQLite(t), "--http-operation-time", "1ms").As("linyue002")
		poor := testkit.Demo(t, testkit.SQLite(t), "--limits-everyone", "150/300/1").As("wangfang004")
		elsewhere := testkit.Demo(t, testkit.SQLite(t)).As("wangfang004").Do(`{changeCursor}`, nil).Text("changeCursor")
		asks := func(client *testkit.Client, query string, v vars) func(language string) testkit.Answer {
			return func(language string) testkit.Answer {
				client := *client
				client.Language = language
				a, err := client.Ask(query, v)
				must(t, "ask", err, nil)
				return a
			}
		}
		until := func(code string, ask func(string) testkit.Answer) func(string) testkit.Answer {
			return func(language string) (a testkit.Answer) {
				for range 200 {
					if a = ask(language); a.Code(0) == code {
						break
					}
				}
				return a
			}
		}
		// A version of policy that nobody can read any more, and a row that holds what we never wrote.
		dir := t.TempDir()
		lost := open(t, testkit.SQLite(t), "--policies", dir)
		mine := lost.person("wangfang004").blocks("wm_spam").ID
		rule := lost.person("wangfang004").block("zhaomin003", on("native")).Results[0].Decision.Rules[0].ID
		version := lost.person("linyue002").policy().Version
		save(t, dir, "acme.csv", "p, acme.never, wecom, employee, block, contact, true, deny, ,\n")
		within(t, live, "the file is in force", func() bool { return lost.person("linyue002").policy().Version != version })
		lost.exec("update policy_versions set bundle = x'7b'")
		lost.exec("update relationships set reason = x'00'")
		sent := wang.writes("liqiang005", "合同明天寄出")
		legal := c.person("heyun011")
		const all = `{a:members(first:100){totalCount nodes{name department{name} manager{name}}} b:externalContacts(first:100){totalCount nodes{name owner{name}}}}`
		cases := map[string]func(language string) testkit.Answer{
			"UNAUTHENTICATED":           asks(c.With("nonsense"), `{viewer{roles}}`, nil),
			"FORBIDDEN":                 asks(wang.Client, `query($a:ID!,$t:ID!){decide(input:{actorId:$a,action:"block",targetId:$t}){outcome}}`, vars{"a": c.member("liqiang005"), "t": c.contact("wm_spam")}),
			"APPROVAL_REQUIRED":         asks(legal.Client, `query($c:String){messages(filter:{conversationId:$c}){nodes{id}}}`, vars{"c": sent.Message.ConversationID}),
			"POLICY_ERROR":              asks(lost.person("guping012").Client, `query($i:ID!){node(id:$i){... on PolicyRule{name}}}`, vars{"i": rule}),
			"INTERNAL":                  asks(lost.person("wangfang004").Client, `query($i:ID!){node(id:$i){... on Relationship{reason}}}`, vars{"i": mine}),
			"BAD_USER_INPUT":            asks(wang.Client, `{members(first:101){nodes{id}}}`, nil),
			"GRAPHQL_PARSE_FAILED":      asks(wang.Client, `{viewer{`, nil),
			"GRAPHQL_VALIDATION_FAILED": asks(wang.Client, `{nonsense}`, nil),
			"DOCUMENT_NOT_ALLOWED":      asks(strict, `{viewer{may}}`, nil),
			"QUERY_TOO_COMPLEX":         asks(wang.Client, `{`+testkit.Numbered(29, `m%d:members(first:100){nodes{manager{manager{manager{name}}}}}`)+`}`, nil),
			"RATE_LIMITED":              until("RATE_LIMITED", asks(poor, `{members(first:100){nodes{id}}}`, nil)),
			"DEADLINE_EXCEEDED":         until("DEADLINE_EXCEEDED", asks(hurried, all, nil)),
			"PERSISTED_QUERY_NOT_FOUND": func(language string) testkit.Answer {
				r := c.Send("POST", "/graphql", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"`+strings.Repeat("0", 64)+`"}}}`, "Content-Type", mediaJSON,
					"Authorization", "Bearer "+testkit.Token(t, "wangfang004"), "Accept-Language", language)
				return answered(t, r)
			},
			"CURSOR_EXPIRED": func(language string) testkit.Answer {
				p := wang.speaking(language)
				s := p.Subscribe(watchDocument, vars{"after": elsewhere})
				defer s.Stop()
				return s.Next(t)
			},
			"UNAVAILABLE": func(language string) testkit.Answer {
				mend := cut(t, dsn)
				a := asks(wang.Client, `{members{nodes{id}}}`, nil)(language)
				mend()
				eventually(t, "it answers again", func() bool {
					a, err := wang.Ask(`{members{nodes{id}}}`, nil)
					return err == nil && len(a.Errors) == 0
				})
				return a
			},
		}
		for _, code := range codesOfRequests {
			ask := cases[code]
			if ask == nil {
				t.Errorf("%s is nobody's case", code)
				continue
			}
			messages := []string{}
			for _, language := range []string{"en", "zh-CN"} {
				a := ask(language)
				expect(t, code, a.Code(0), code)
				if len(a.Errors) == 0 {
					continue
				}
				e := a.Errors[0].(vars)
				message, _ := e["message"].(string)
				extensions, _ := e["extensions"].(vars)
				if id, _ := extensions["traceId"].(string); id == "" {
					t.Errorf("%s has no trace id: %v", code, e)
				}
				if message == "" || innards.MatchString(message) {
					t.Errorf("%s says %q", code, message)
				}
				messages = append(messages, message)
				if want := map[string]string{"FORBIDDEN": "DENY", "APPROVAL_REQUIRED": "REVIEW"}[code]; want != "" {
					id, _ := extensions["decisionId"].(string)
					client := map[string]*testkit.Client{"FORBIDDEN": wang.Client, "APPROVAL_REQUIRED": legal.Client}[code]
					expect(t, "the decision", client.Do(`query($i:ID!){node(id:$i){... on Decision{outcome}}}`, vars{"i": id}).Text("node.outcome"), want)
				}
			}
			if len(messages) == 2 && messages[0] == messages[1] {
				t.Errorf("%s says the same in both languages: %q", code, messages[0])
			}
		}
	})
}

// answered reads a reply as the answers of clients are.
func answered(t testing.TB, r testkit.Reply) (a testkit.Answer) {
	t.Helper()
	a.Status, a.Body = r.Status, r.Body
	var v struct{ Errors []any }
	must(t, r.Body, json.Unmarshal([]byte(r.Body), &v), nil)
	a.Errors = v.Errors
	return a
}

// cut takes the database away from the gateway, and gives a way to give it back: PostgreSQL lets nobody in and sends away
// who is, of a file a table is gone.
func cut(t testing.TB, dsn string) (mend func()) {
	t.Helper()
	do := func(dsn string, statements ...string) {
		db := testkit.Database(t, dsn)
		defer func() { _ = db.Close() }()
		for _, s := range statements {
			_, err := db.Exec(s)
			must(t, s, err, nil)
		}
	}
	if strings.HasPrefix(dsn, "sqlite:") {
		do(dsn, "alter table members rename to members_away")
		return func() { do(dsn, "alter table members_away rename to members") }
	}
	u, err := url.Parse(dsn)
	must(t, "the database's name", err, nil)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	do(u.String(), "alter database "+name+" with allow_connections false",
		fmt.Sprintf("select pg_terminate_backend(pid) from pg_stat_activity where datname = '%s'", name))
	return func() { do(u.String(), "alter database "+name+" with allow_connections true") }
}
