package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// demoKey lets the demo's service in.
const demoKey = "demo-crm-key"

// service is the demo's service at work.
func (c company) service(key string) person {
	c.t.Helper()
	return person{c.WithKey(key), c, ""}
}

// A service is a caller without a person: it reads what its scopes say, and nothing else.
func TestServiceReads(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		crm := c.service(demoKey)
		a := crm.Do(`{viewer{member{id} service roles may}
			externalContacts(first:1){totalCount nodes{name phone platformId owner{name}}}
			members{totalCount nodes{name}} groups{totalCount} relationships{totalCount} approvals{totalCount} auditEvents{totalCount} alerts{totalCount}
			policy{version}}`, nil)
		expect(t, "member", a.Get("viewer.member"), nil)
		expect(t, "service", a.Text("viewer.service"), "crm-demo")
		expect(t, "roles", fmt.Sprint(a.Get("viewer.roles")), "[anyone service service:bulk service:contacts]")
		expect(t, "may", fmt.Sprint(a.Get("viewer.may")), "[block blacklist bulk]")
		if n, _ := a.Get("externalContacts.totalCount").(float64); n < 500 {
			t.Errorf("sees %v contacts", n)
		}
		expect(t, "the owner's name", a.Get("externalContacts.nodes.0.owner"), nil)
		expect(t, "a platform's id", a.Get("externalContacts.nodes.0.platformId"), nil)
		if phone := a.Text("externalContacts.nodes.0.phone"); !strings.Contains(phone, "*") {
			t.Errorf("sees the phone number %q whole", phone)
		}
		for _, list := range []string{"members", "groups", "relationships", "approvals", "auditEvents", "alerts"} {
			expect(t, list, a.Get(list+".totalCount"), 0.0)
		}
		expect(t, "policy", a.Get("policy"), nil)
		expect(t, "a person is none", c.person("wangfang004").Do(`{viewer{service}}`, nil).Get("viewer.service"), nil)
	})
}

// Everything that there is to ask answers a service in order: what is for persons is refused by policy, by name, and is in the
// trail; nothing breaks.
func TestServiceIsNoPerson(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		crm, lin, gu := c.service(demoKey), c.person("linyue002"), c.person("guping012")
		for _, operation := range []string{"Query", "Mutation"} {
			for _, f := range lin.roots(operation) {
				a, err := crm.Ask(lin.call(strings.ToLower(operation), f), nil)
				if code := a.Code(0); err != nil || code == "UNAUTHENTICATED" || code == "INTERNAL" || code == "UNAVAILABLE" || code == "GRAPHQL_VALIDATION_FAILED" {
					t.Errorf("%s answered %s, %v", f.Name, a.Body, err)
				}
			}
		}

		made := c.person("wangfang004").blocks("liqiang005", on("native"))
		lan, wang := c.contact("wm_lanhai"), c.member("wangfang004")
		for what, doc := range map[string]string{
			"block":     `mutation{c:block(input:{targetId:"` + lan + `",kind:BLOCK,reason:"r",idempotencyKey:"k"}){decision{id outcome service actor{id} rules{name} target{id}} results{enforcement} userErrors{code}}}`,
			"blacklist": `mutation{c:block(input:{targetId:"` + lan + `",kind:BLACKLIST,reason:"r"}){decision{id outcome service actor{id} rules{name} target{id}} results{enforcement} userErrors{code}}}`,
			"lift":      `mutation{c:liftRelationship(relationshipId:"` + made.ID + `",reason:"r"){decision{id outcome service actor{id} rules{name} target{id}} userErrors{code}}}`,
			"undo":      `mutation{c:undoRelationship(relationshipId:"` + made.ID + `",reason:"r"){decision{id outcome service actor{id} rules{name} target{id}} userErrors{code}}}`,
		} {
			a := crm.Do(doc, nil)
			expect(t, what+": code", a.Text("c.userErrors.0.code"), "POLICY_DENIED")
			expect(t, what+": outcome", a.Text("c.decision.outcome"), "DENY")
			expect(t, what+": service", a.Text("c.decision.service"), "crm-demo")
			expect(t, what+": rule", a.Text("c.decision.rules.0.name"), "service.no_person")
			expect(t, what+": actor", a.Get("c.decision.actor"), nil)
			trail := gu.Do(`query($a:[String!]){auditEvents(first:1,filter:{actions:$a,outcome:DENY}){nodes{actorName actor{__typename} decision{id service}}}}`,
				vars{"a": []string{what}})
			expect(t, what+": in the trail", trail.Text("auditEvents.nodes.0.actorName"), "crm-demo")
			expect(t, what+": its decision", trail.Text("auditEvents.nodes.0.decision.id"), a.Text("c.decision.id"))
			expect(t, what+": who decided on it", trail.Text("auditEvents.nodes.0.decision.service"), "crm-demo")
			expect(t, what+": who asked may look it up", crm.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": a.Text("c.decision.id")}).Text("node.id"),
				a.Text("c.decision.id"))
		}
		for action, on := range map[string]string{"lift": made.ID, "undo": made.ID} { // it is no gateway, which sees everything
			a := crm.Do(`query($a:String!,$t:ID!){decide(input:{action:$a,targetId:$t}){outcome}}`, vars{"a": action, "t": on})
			expect(t, "asks about the "+action+" of others", a.Get("decide"), nil)
		}
		// What it may not see is not there, and what it has no scope for is refused.
		expect(t, "a relationship of others", crm.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": made.ID}).Get("node"), nil)
		expect(t, "state", lin.Do(`query($i:ID!){relationship(id:$i){state}}`, vars{"i": made.ID}).Text("relationship.state"), "ACTIVE")
		a := crm.Do(`query($f:ID!,$t:ID!){contactCheck(input:{fromId:$f,toId:$t,channel:DIRECT_MESSAGE}){allowed}}`, vars{"f": wang, "t": lan})
		expect(t, "a check about people whom it does not see", a.Get("contactCheck"), nil)
		a = crm.Do(`query($t:ID!){externalContact(id:$t){viewerMay}}`, vars{"t": lan})
		expect(t, "what it may do about a contact", fmt.Sprint(a.Get("externalContact.viewerMay")), "[]")
		if log := c.Log(); strings.Contains(log, "panic") {
			t.Error(log)
		}
	})
}

// A service signs in by its key wherever a person does by a token, with one of the two; and a socket of it lives.
func TestServiceSignsIn(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		token := testkit.Token(t, "wangfang004")
		ask := func(headers ...string) testkit.Reply {
			return c.Send("POST", "/graphql", `{"query":"{viewer{service member{accountName}}}"}`, append([]string{"Content-Type", "application/json"}, headers...)...)
		}
		expect(t, "a key", strings.Contains(ask("X-API-Key", demoKey).Body, `"service":"crm-demo"`), true)
		for what, headers := range map[string][]string{
			"another key":      {"X-API-Key", "demo-crm-kez"},
			"a key of nobody":  {"X-API-Key", "gxk_0123456789abcdef_" + strings.Repeat("A", 43)},
			"a long key":       {"X-API-Key", strings.Repeat("x", 5000)},
			"a key as a token": {"Authorization", "Bearer " + demoKey},
			"a token as a key": {"X-API-Key", token},
			"both":             {"X-API-Key", demoKey, "Authorization", "Bearer " + token},
		} {
			r := ask(headers...)
			expect(t, what, fmt.Sprint(r.Status, r.Code()), "401UNAUTHENTICATED")
		}
		init := func(p vars) testkit.Message { return testkit.Message{Type: "connection_init", Payload: p} }
		expect(t, "on a socket", closeCode(c.As(""), init(vars{"x-api-key": demoKey})), websocket.StatusCode(-1))
		expect(t, "as the header is spelt", closeCode(c.As(""), init(vars{"X-API-Key": demoKey})), websocket.StatusCode(-1))
		expect(t, "another key on a socket", closeCode(c.As(""), init(vars{"x-api-key": "x"})), websocket.StatusCode(4403))
		both := closing(c.As(""), init(vars{"x-api-key": demoKey, "authorization": "Bearer " + token}))
		expect(t, "both on a socket", websocket.CloseStatus(both), websocket.StatusCode(4403))
		if told, ok := errors.AsType[websocket.CloseError](both); !ok || !strings.Contains(told.Reason, "authorization and x-api-key") {
			t.Errorf("both on a socket: %v", both)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := c.WithKey(demoKey).Socket(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.CloseNow() }()
		must(t, "ask", wsjson.Write(ctx, conn, testkit.Message{ID: "1", Type: "subscribe", Payload: vars{"query": `{viewer{service}}`}}), nil)
		var m testkit.Message
		must(t, "answer", wsjson.Read(ctx, conn, &m), nil)
		expect(t, "over a socket", strings.Contains(fmt.Sprint(m.Payload), "crm-demo"), true)
		expect(t, "no secret in the log", strings.Contains(c.Log(), demoKey) || strings.Contains(c.Log(), token), false)
	})
}
