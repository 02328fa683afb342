package scenario

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const (
	createDocument = `mutation($i:CreateApiKeyInput!){create:createApiKey(input:$i){secret apiKey{id service prefix scopes createdBy{accountName} expiresAt revokedAt lastUsedAt}
		decision{id outcome rules{name}} userErrors{code path message}}}`
	revokeDocument = `mutation($k:ID!,$r:String!,$i:String){revoke:revokeApiKey(apiKeyId:$k,reason:$r,idempotencyKey:$i){apiKey{id revokedAt}
		decision{outcome} userErrors{code path}}}`
)

// An admin lets a service in by a key, whose secret is answered once and is kept nowhere, and keeps it out again.
func TestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, wang, gu := c.person("linyue002"), c.person("wangfang004"), c.person("guping012")
		wish := vars{"i": vars{"service": "billing", "scopes": []string{"service:contacts", "service:check"}, "idempotencyKey": "k1",
			"expiresAt": time.Now().Add(time.Hour)}}
		a := lin.Do(createDocument, wish)
		secret, id := a.Text("create.secret"), a.Text("create.apiKey.id")
		expect(t, "errors", fmt.Sprint(a.Get("create.userErrors")), "[]")
		expect(t, "rule", a.Text("create.decision.rules.0.name"), "api_key.admin")
		expect(t, "scopes", fmt.Sprint(a.Get("create.apiKey.scopes")), "[service:check service:contacts]")
		expect(t, "by", a.Text("create.apiKey.createdBy.accountName"), "linyue002")
		expect(t, "never used", a.Get("create.apiKey.lastUsedAt"), nil)
		expect(t, "the prefix begins the key", strings.HasPrefix(secret, a.Text("create.apiKey.prefix")+"_"), true)

		again := lin.Do(createDocument, wish)
		expect(t, "again: the same key", again.Text("create.apiKey.id"), id)
		expect(t, "again: no secret", again.Get("create.secret"), nil)
		other := vars{"i": vars{"service": "other", "scopes": []string{"service:check"}, "idempotencyKey": "k1"}}
		expect(t, "the same idempotency key for another", lin.Do(createDocument, other).Text("create.userErrors.0.code"), "IDEMPOTENCY_KEY_REUSED")

		billing := c.service(secret)
		v := billing.Do(`{viewer{service roles} members{totalCount} externalContacts{totalCount}}`, nil)
		expect(t, "who asks", v.Text("viewer.service"), "billing")
		for _, list := range []string{"members", "externalContacts"} {
			if n, _ := v.Get(list + ".totalCount").(float64); n < 50 {
				t.Errorf("%v %s", n, list)
			}
		}
		check := billing.Do(`query($f:ID!,$t:ID!){contactCheck(input:{fromId:$f,toId:$t,channel:DIRECT_MESSAGE}){allowed}}`,
			vars{"f": c.member("wangfang004"), "t": c.contact("wm_lanhai")})
		expect(t, "a check", check.Get("contactCheck.allowed"), any(true))
		demo := c.service(demoKey)
		expect(t, "what another service did is not its own", demo.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": id}).Get("node"), nil)

		// Who may see keys sees them, and everybody else none.
		list := `{apiKeys(first:1){totalCount nodes{id service scopes lastUsedAt} pageInfo{hasNextPage endCursor}}}`
		for account, want := range map[string]float64{"linyue002": 2, "chenguang001": 2, "guping012": 2, "wangfang004": 0, "fengtao010": 0, "zhaomin003": 0} {
			p := c.person(account)
			a := p.Do(list, nil)
			expect(t, account+" sees", a.Get("apiKeys.totalCount"), any(want))
			expect(t, account+" looks it up", p.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": id}).Get("node") != nil, want > 0)
		}
		page := lin.Do(list, nil)
		expect(t, "the newest first", page.Text("apiKeys.nodes.0.service"), "billing")
		expect(t, "used", page.Get("apiKeys.nodes.0.lastUsedAt") != nil, true)
		next := lin.Do(`query($a:String){apiKeys(first:1,after:$a){nodes{service} pageInfo{hasNextPage}}}`, vars{"a": page.Text("apiKeys.pageInfo.endCursor")})
		expect(t, "then the demo's", next.Text("apiKeys.nodes.0.service"), "crm-demo")
		expect(t, "and no more", next.Get("apiKeys.pageInfo.hasNextPage"), any(false))

		// Who may not make or end keys is refused by policy, which is in the trail.
		for account, want := range map[string]string{"wangfang004": "POLICY_DENIED", "fengtao010": "POLICY_DENIED", "guping012": "POLICY_DENIED"} {
			a := c.person(account).Do(createDocument, vars{"i": vars{"service": "mine", "scopes": []string{"service:bulk"}}})
			expect(t, account+" makes one", a.Text("create.userErrors.0.code"), want)
			expect(t, account+" gets", fmt.Sprint(a.Get("create.secret"), a.Get("create.apiKey")), "<nil> <nil>")
		}
		a = billing.Do(createDocument, vars{"i": vars{"service": "billing", "scopes": []string{"service:bulk"}}})
		expect(t, "a service makes one for itself", a.Text("create.userErrors.0.code"), "POLICY_DENIED")
		expect(t, "who sees no key ends none", wang.Do(revokeDocument, vars{"k": id, "r": "r"}).Text("revoke.userErrors.0.code"), "NOT_FOUND")
		expect(t, "an auditor ends none", gu.Do(revokeDocument, vars{"k": id, "r": "r"}).Text("revoke.userErrors.0.code"), "POLICY_DENIED")
		for what, i := range map[string]vars{
			"service":   {"service": "Not A Name", "scopes": []string{"service:bulk"}},
			"scopes":    {"service": "billing", "scopes": []string{"admin"}},
			"scopes ":   {"service": "billing", "scopes": []string{}},
			"scopes  ":  {"service": "billing", "scopes": []string{"service:bulk", "service:bulk"}},
			"scopes   ": {"service": "billing", "scopes": []string{"service"}},
			"expiresAt": {"service": "billing", "scopes": []string{"service:bulk"}, "expiresAt": time.Now().Add(-time.Hour)},
		} {
			a := lin.Do(createDocument, vars{"i": i})
			expect(t, what, a.Text("create.userErrors.0.code")+" "+a.Text("create.userErrors.0.path.0"), "INVALID_INPUT "+strings.TrimSpace(what))
		}

		// The secret is nowhere: not in the database, not in the log.
		must(t, "seal", strings.Contains(c.Log(), secret), false)
		for what, part := range map[string]string{"the key": secret, "its secret": secret[strings.LastIndex(secret, "_")+1:]} {
			if bytes.Contains(testkit.Bytes(t, c.dsn), []byte(part)) {
				t.Errorf("%s is in the database", what)
			}
		}

		// With a token beside it nobody knows who asks, and the client is told so.
		for path, body := range map[string]string{"/graphql": `{"query":"{viewer{service}}"}`, "/v1/check": `{"workspace":"wecom-hq","from":"wm_spam","to":"wangfang004","channel":"DIRECT_MESSAGE"}`} {
			both := c.Send("POST", path, body, "Content-Type", "application/json", "X-API-Key", secret, "Authorization", "Bearer "+testkit.Token(t, "wangfang004"))
			expect(t, "both, "+path, both.Status, 401)
			if !strings.Contains(both.Body, "Authorization and X-API-Key") {
				t.Errorf("both, %s: %s", path, both.Body)
			}
		}

		// Ended, the key lets nobody in.
		a = lin.Do(revokeDocument, vars{"k": id, "r": "no longer needed", "i": "k2"})
		expect(t, "revoked", a.Get("revoke.apiKey.revokedAt") != nil, true)
		expect(t, "the next request", c.Send("POST", "/graphql", `{"query":"{viewer{service}}"}`, "Content-Type", "application/json", "X-API-Key", secret).Status, 401)
		expect(t, "again with the same idempotency key", fmt.Sprint(lin.Do(revokeDocument, vars{"k": id, "r": "no longer needed", "i": "k2"}).Get("revoke.userErrors")), "[]")
		expect(t, "again", lin.Do(revokeDocument, vars{"k": id, "r": "r"}).Text("revoke.userErrors.0.code"), "INVALID_TRANSITION")
		trail := c.person("chenguang001").Do(`{auditEvents(first:20,filter:{actions:["api_key.create","api_key.revoke"]}){nodes{action outcome actorName subjectName detail}}}`, nil)
		for _, want := range []string{"map[action:api_key.create actorName:林悦 detail:service:check service:contacts outcome:ALLOW subjectName:billing]",
			"map[action:api_key.revoke actorName:林悦 detail:no longer needed outcome:ALLOW subjectName:billing]",
			"map[action:api_key.create actorName:王芳 detail:service:bulk outcome:DENY subjectName:mine]",
			"map[action:api_key.create actorName:billing detail:service:bulk outcome:DENY subjectName:billing]"} {
			if !strings.Contains(fmt.Sprint(trail.Get("auditEvents.nodes")), want) {
				t.Errorf("the trail lacks %s: %v", want, trail.Get("auditEvents.nodes"))
			}
		}
	})
}

// watched is a live socket and a live stream of one caller.
type watched struct {
	name string
	sock *websocket.Conn
	sse  *testkit.Stream
}

func watch(t *testing.T, name string, c *testkit.Client) watched {
	t.Helper()
	conn, err := c.Socket(t.Context())
	must(t, name+": open a socket", err, nil)
	t.Cleanup(func() { _ = conn.CloseNow() })
	sub := vars{"query": `subscription{relationshipChanged{cursor}}`}
	must(t, name+": subscribe", wsjson.Write(t.Context(), conn, testkit.Message{ID: "1", Type: "subscribe", Payload: sub}), nil)
	sse, err := c.Events(`subscription{relationshipChanged{cursor}}`, nil)
	must(t, name+": open a stream", err, nil)
	return watched{name, conn, sse}
}

// ends expects both to end within a second: the socket with 4403.
func (w watched) ends(t *testing.T, since time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		var m testkit.Message
		if err := wsjson.Read(ctx, w.sock, &m); err != nil {
			expect(t, w.name+": the socket ends with", websocket.CloseStatus(err), websocket.StatusCode(4403))
			break
		}
	}
	select {
	case <-w.sse.Closed:
	case <-time.After(5 * time.Second):
		t.Errorf("%s: the stream goes on", w.name)
	}
	if took := time.Since(since); took > time.Second+300*time.Millisecond { // the machine of a test is slow
		t.Errorf("%s ended after %s", w.name, took)
	}
}

// lives expects that both go on.
func (w watched) lives(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.sse.Closed:
		t.Errorf("%s: the stream ended: %v", w.name, err)
	default:
	}
	must(t, w.name+": ping", wsjson.Write(t.Context(), w.sock, testkit.Message{Type: "ping"}), nil)
	var m testkit.Message
	for m.Type != "pong" {
		if err := wsjson.Read(t.Context(), w.sock, &m); err != nil {
			t.Fatalf("%s: the socket ended: %v", w.name, err)
		}
	}
}

// replicas runs a story with two replicas on PostgreSQL, and with one on SQLite.
func replicas(t *testing.T, story func(t *testing.T, dsn string, all []company)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		dsn := testkit.SQLite(t)
		story(t, dsn, []company{open(t, dsn)})
	})
	t.Run("postgres", func(t *testing.T) {
		dsn := testkit.Postgres(t)
		sim := "wecom=" + testkit.Sim(t, "wecom").URL
		story(t, dsn, []company{open(t, dsn, "--sim", sim), open(t, dsn, "--sim", sim)})
	})
}

// Who is disabled is out, at every replica: within a second requests are refused, and what is live ends. Others stay.
func TestDisablingReachesEverything(t *testing.T) {
	replicas(t, func(t *testing.T, dsn string, all []company) {
		a, b := all[0], all[len(all)-1]
		key := a.person("linyue002").Do(createDocument, vars{"i": vars{"service": "billing", "scopes": []string{"service:contacts"}}})
		short := a.person("linyue002").Do(createDocument, vars{"i": vars{"service": "billing", "scopes": []string{"service:contacts"},
			"expiresAt": time.Now().Add(3 * time.Second)}})
		db := testkit.Database(t, dsn)
		update := func(set, account string) {
			t.Helper()
			_, err := db.Exec("update members set " + set + " where account_name = '" + account + "'")
			must(t, set, err, nil)
		}
		refusedAt := func(what string, ask func(c company) testkit.Reply) {
			t.Helper()
			last := time.Now().Add(time.Second)
			for _, c := range all {
				status := ask(c).Status
				for status != 401 && time.Now().Before(last) {
					time.Sleep(20 * time.Millisecond)
					status = ask(c).Status
				}
				expect(t, what+": after a second", status, 401)
			}
		}
		token := func(token string) func(c company) testkit.Reply {
			return func(c company) testkit.Reply {
				return c.Send("POST", "/graphql", `{"query":"{viewer{service}}"}`, "Content-Type", "application/json", "Authorization", "Bearer "+token)
			}
		}
		tokens := map[string]string{}
		var stay []watched
		live := map[string][]watched{}
		for _, account := range []string{"mengjie015", "shanxiaoyu016", "wangfang004"} {
			tokens[account] = testkit.Token(t, account)
			for i, c := range []company{a, b} {
				live[account] = append(live[account], watch(t, fmt.Sprint(account, " at ", i), c.With(tokens[account])))
			}
		}
		for i, c := range []company{a, b} {
			live["billing"] = append(live["billing"], watch(t, fmt.Sprint("billing at ", i), c.WithKey(key.Text("create.secret"))))
			live["short"] = append(live["short"], watch(t, fmt.Sprint("a short key at ", i), c.WithKey(short.Text("create.secret"))))
			stay = append(stay, watch(t, fmt.Sprint("crm-demo at ", i), c.WithKey(demoKey)), watch(t, fmt.Sprint("sunli006 at ", i), c.As("sunli006")))
		}
		gone := func(who string, since time.Time) {
			t.Helper()
			for _, w := range live[who] {
				w.ends(t, since)
			}
		}

		update("employment = 'DEPARTED'", "mengjie015")
		since := time.Now()
		refusedAt("who left", token(tokens["mengjie015"]))
		gone("mengjie015", since)

		update(fmt.Sprintf("sessions_valid_from = %d", time.Now().Add(time.Second).UnixMicro()), "shanxiaoyu016")
		since = time.Now()
		refusedAt("whose sessions were ended", token(tokens["shanxiaoyu016"]))
		gone("shanxiaoyu016", since)
		time.Sleep(2 * time.Second)
		expect(t, "with a token from afterwards", token(testkit.Token(t, "shanxiaoyu016"))(a).Status, 200)
		refusedAt("with the old one", token(tokens["shanxiaoyu016"]))

		r := a.person("linyue002").Do(revokeDocument, vars{"k": key.Text("create.apiKey.id"), "r": "lost"})
		since = time.Now()
		expect(t, "revoked", fmt.Sprint(r.Get("revoke.userErrors")), "[]")
		refusedAt("a key that was revoked", func(c company) testkit.Reply {
			return c.Send("POST", "/graphql", `{"query":"{viewer{service}}"}`, "Content-Type", "application/json", "X-API-Key", key.Text("create.secret"))
		})
		gone("billing", since)
		for _, w := range live["short"] {
			w.ends(t, time.Now())
		}
		for _, w := range append(stay, live["wangfang004"]...) {
			w.lives(t)
		}
	})
}

// Rights are those of now also on a socket that was opened before they changed, and for a subscription that stands.
func TestRolesReachWhatIsLive(t *testing.T) {
	replicas(t, func(t *testing.T, dsn string, all []company) {
		a, b := all[0], all[len(all)-1]
		conn, err := b.person("hanlei017").Socket(t.Context())
		must(t, "open", err, nil)
		defer func() { _ = conn.CloseNow() }()
		ask := func(id string) string {
			t.Helper()
			must(t, "ask", wsjson.Write(t.Context(), conn, testkit.Message{ID: id, Type: "subscribe", Payload: vars{"query": `{relationships{totalCount} viewer{roles}}`}}), nil)
			for {
				var m testkit.Message
				must(t, "read", wsjson.Read(t.Context(), conn, &m), nil)
				if m.Type == "next" || m.Type == "error" {
					return fmt.Sprint(m.Payload)
				}
			}
		}
		before := b.person("hanlei017").follow(t, transports["WebSocket"])
		time.Sleep(200 * time.Millisecond) // nothing tells when a subscription stands
		r := a.person("wangfang004").blocks("liqiang005", on("native"))
		expect(t, "an admin hears of others", before.next(t).RelationshipID, r.ID)
		if got := ask("1"); !strings.Contains(got, "totalCount:1") || !strings.Contains(got, "admin") {
			t.Errorf("an admin sees %s", got)
		}
		_, err = testkit.Database(t, dsn).Exec("update member_roles set role = 'employee' where member_id = (select id from members where account_name = 'hanlei017')")
		must(t, "demote", err, nil)
		if got := ask("2"); !strings.Contains(got, "totalCount:0") || strings.Contains(got, "admin") {
			t.Errorf("no longer an admin, sees %s", got)
		}
		a.person("wangfang004").lift(r.ID, "enough")
		own := b.person("hanlei017").blocks("liqiang005", on("native"))
		expect(t, "no longer an admin, hears only of his own", before.next(t).RelationshipID, own.ID)
	})
}

// To know who asks costs no statement of somebody who has just asked, a person or a service.
func TestSigningInAgainCostsNothing(t *testing.T) {
	dsn, count := testkit.CountedPostgres(t)
	c := open(t, dsn)
	cost := func(what string, c *testkit.Client, want int64) {
		t.Helper()
		c.Do(`{__typename}`, nil) // the first use of a key is noted
		least := int64(1000)
		for range 20 { // what goes on beside it counts as well
			before := count()
			c.Do(`{__typename}`, nil)
			least = min(least, count()-before)
		}
		expect(t, what, least, want)
	}
	cost("a person, who is known for a moment", c.As("wangfang004"), 0)
	cost("a service", c.WithKey(demoKey), 0)
}
