package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// graphType is a type as introspection tells it.
type graphType struct {
	Kind, Name string
	OfType     *graphType
}

type graphField struct {
	Name string
	Args []graphInput
	Type graphType
}

type graphInput struct {
	Name string
	Type graphType
}

// graph is what the served schema says of itself.
type graph struct {
	roots  map[string][]graphField // by query, mutation, subscription
	inputs map[string][]graphInput
	enums  map[string]string // one value of each
	nodes  []string          // the types that implement Node
}

func introspect(p person) graph {
	p.c.t.Helper()
	const ref = `kind name ofType{kind name ofType{kind name ofType{kind name}}}`
	s := read[struct {
		QueryType, MutationType, SubscriptionType struct{ Name string }
		Types                                     []struct {
			Kind, Name  string
			Fields      []graphField
			InputFields []graphInput
			EnumValues  []named
			Interfaces  []named
		}
	}](p.c.t, p.Do(`{__schema{queryType{name} mutationType{name} subscriptionType{name} types{kind name fields{name args{name type{`+ref+`}} type{`+ref+`}}
		inputFields{name type{`+ref+`}} enumValues{name} interfaces{name}}}}`, nil))
	g := graph{map[string][]graphField{}, map[string][]graphInput{}, map[string]string{}, nil}
	for _, t := range s.Types {
		switch t.Name {
		case s.QueryType.Name:
			g.roots["query"] = t.Fields
		case s.MutationType.Name:
			g.roots["mutation"] = t.Fields
		case s.SubscriptionType.Name:
			g.roots["subscription"] = t.Fields
		}
		g.inputs[t.Name] = t.InputFields
		if len(t.EnumValues) > 0 {
			g.enums[t.Name] = t.EnumValues[0].Name
		}
		for _, i := range t.Interfaces {
			if i.Name == "Node" {
				g.nodes = append(g.nodes, t.Name)
			}
		}
	}
	return g
}

// literal writes the least value of a type.
func (g graph) literal(t graphType) string {
	switch {
	case t.Kind == "NON_NULL":
		return g.literal(*t.OfType)
	case t.Kind == "LIST":
		return "[]"
	case t.Kind == "ENUM":
		return g.enums[t.Name]
	case t.Kind == "INPUT_OBJECT":
		var fields []string
		for _, f := range g.inputs[t.Name] {
			if f.Type.Kind == "NON_NULL" {
				fields = append(fields, f.Name+":"+g.literal(f.Type))
			}
		}
		return "{" + strings.Join(fields, ",") + "}"
	case t.Name == "Boolean":
		return "true"
	case t.Name == "Int":
		return "1"
	}
	return `"x"`
}

// document asks for one root field and nothing of what it answers.
func (g graph) document(operation string, f graphField) string {
	var args []string
	for _, a := range f.Args {
		if a.Type.Kind == "NON_NULL" {
			args = append(args, a.Name+":"+g.literal(a.Type))
		}
	}
	out := operation + "{" + f.Name
	if len(args) > 0 {
		out += "(" + strings.Join(args, ",") + ")"
	}
	t := f.Type
	for t.OfType != nil {
		t = *t.OfType
	}
	if t.Kind == "OBJECT" || t.Kind == "INTERFACE" || t.Kind == "UNION" {
		out += "{__typename}"
	}
	return out + "}"
}

// Nobody gets anything without having signed in.
func TestEveryRootFieldWantsAToken(t *testing.T) {
	t.Parallel()
	c := open(t, testkit.SQLite(t))
	g := introspect(c.person("linyue002"))
	asked := 0
	for operation, fields := range g.roots {
		for _, f := range fields {
			asked++
			if strings.HasPrefix(f.Name, "import") { // it takes a file, which comes in a form
				r := c.person("linyue002").form(`mutation($in:I`+f.Name[1:]+`Input!){`+f.Name+`(input:$in){__typename}}`, "x", "")
				if r.Status != http.StatusUnauthorized || r.Code() != "UNAUTHENTICATED" {
					t.Errorf("%s: %d %s", f.Name, r.Status, r.Body)
				}
				continue
			}
			body, err := json.Marshal(vars{"query": g.document(operation, f)})
			if err != nil {
				t.Fatal(err)
			}
			r := c.Send(http.MethodPost, "/graphql", string(body), "Content-Type", "application/json", "Accept", "text/event-stream, application/json")
			if !strings.Contains(r.Body, `"UNAUTHENTICATED"`) {
				t.Errorf("%s %s: %d %s", operation, f.Name, r.Status, r.Body)
			}
		}
	}
	if asked < 25 {
		t.Errorf("%d root fields", asked)
	}
}

// Every read and every command asks policy: where its files close everything, nothing is left, whichever way one comes.
func TestPolicyGuardsEveryField(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		dir := t.TempDir()
		c := company{testkit.Demo(t, dsn, "--policies", dir), t, dsn, map[string]string{}}
		chen, wang, lin, zhao := c.person("chenguang001"), c.person("wangfang004"), c.person("linyue002"), c.person("zhaomin003")
		r := wang.blocks("wm_spam")
		_, first := wang.asks("wm_haikang")
		zhao.agree(first.ID, "x")
		expect(t, "an alert is raised", lin.agree(first.ID, "x").codes(), "")
		a := wang.undo(r.ID, "x").Approval
		d := wang.block("wm_spam").UserErrors[0].Decision
		m := wang.writes("liqiang005", "x")
		g := introspect(chen)

		boss := c.member("chenguang001")

		// One of everything, as somebody sees who sees all.
		imported, row := lin.imported()
		gu := c.person("guping012")
		one := func(path, document string) string { return gu.Do(document, nil).Text(path) }
		of := map[string]string{
			"Member": c.member("wangfang004"), "ExternalContact": c.contact("wm_haikang"), "Group": c.group("销售部"),
			"Relationship": r.ID, "Approval": a.ID, "Decision": d.ID, "PolicyRule": d.firstRule(wang),
			"AuditEvent":      one("auditEvents.nodes.0.id", `{auditEvents(first:1){nodes{id}}}`),
			"Alert":           one("alerts.nodes.0.id", `{alerts(first:1){nodes{id}}}`),
			"Account":         one("member.accounts.0.id", `{member(accountName:"wangfang004"){accounts{id}}}`),
			"Device":          one("member.accounts.1.devices.0.id", `{member(accountName:"wangfang004"){accounts{devices{id}}}}`),
			"IdentityLink":    one("member.identities.0.id", `{member(accountName:"wangfang004"){identities{id}}}`),
			"GroupMembership": gu.Do(`query($id:ID!){group(id:$id){members{nodes{id}}}}`, vars{"id": c.group("销售部")}).Text("group.members.nodes.1.id"),
			"Opportunity":     gu.Do(`query($id:ID!){externalContact(id:$id){opportunities{id}}}`, vars{"id": c.contact("wm_haikang")}).Text("externalContact.opportunities.0.id"),
			"Department":      one("departments.nodes.0.id", `{departments(first:1){nodes{id}}}`),
			"Workspace":       c.workspace("native"),
			"ApiKey":          one("apiKeys.nodes.0.id", `{apiKeys(first:1){nodes{id}}}`),
			"DirectoryImport": imported,
			"BlacklistImport": lin.blacklists(unwanted, "wecom-hq", `,"dryRun":true`).Import.ID,
			"ImportRow":       row,
			"Message":         m.Message.ID,
		}
		node := func(p person, id string) string {
			return p.Do(`query($id:ID!){node(id:$id){__typename}}`, vars{"id": id}).Text("node.__typename")
		}
		for _, name := range g.nodes {
			if of[name] == "" {
				t.Errorf("there is no %s to ask for: say how to come by one", name)
			} else if got := node(gu, of[name]); got != name {
				t.Errorf("%s is a %q", name, got)
			}
		}

		version := lin.policy().Version
		save(t, dir, "acme.csv", "p, acme.closed, *, anyone, read, *, true, deny, ,\np, acme.shut, *, anyone, *, *, \"!(r.act in ('read', 'unmask'))\", deny, ,\n")
		within(t, live, "the file is in force", func() bool {
			p := lin.policy()
			if p != nil && len(p.Problems) > 0 {
				t.Fatalf("%+v", p.Problems)
			}
			return p == nil
		})

		for _, p := range []person{lin, chen, gu} {
			for _, name := range g.nodes {
				// Whoever has signed in knows the company's departments and workspaces.
				open := name == "Department" || name == "Workspace"
				if got := node(p, of[name]); (got != "") != open {
					t.Errorf("%s sees a %s: %q", p.account, name, got)
				}
			}
			for _, f := range g.roots["query"] {
				if !strings.HasSuffix(f.Type.typeName(), "Connection") || f.Name == "departments" {
					continue
				}
				if n := p.Do(strings.Replace(g.document("query", f), "{__typename}", "{totalCount nodes{__typename}}", 1), nil).Get(f.Name + ".totalCount"); fmt.Sprint(n) != "0" && !own(f.Name, n) {
					t.Errorf("%s counts %v %s", p.account, n, f.Name)
				}
			}
		}
		// What hangs on something else is not seen either.
		through := chen.Do(`{departments(first:100){nodes{manager{id}}}}`, nil)
		for i, n := range through.Get("departments.nodes").([]any) {
			if m, _ := n.(map[string]any)["manager"].(map[string]any); m != nil && m["id"] != boss {
				t.Errorf("the manager of department %d shows: %v", i, m)
			}
		}
		if code, _ := lin.refused(vars{"actorId": c.member("wangfang004"), "action": "block"}); code != "FORBIDDEN" {
			t.Errorf("linyue002 asks about another: %s", code)
		}
		check, err := wang.Ask(`query($in:ContactCheckInput!){contactCheck(input:$in){allowed}}`,
			vars{"in": vars{"fromId": c.member("wangfang004"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"}})
		if err != nil || check.Code(0) != "FORBIDDEN" {
			t.Errorf("contactCheck: %s %v", check.Body, err)
		}

		// Commands, where reading is open again.
		save(t, dir, "acme.csv", "p, acme.shut, *, anyone, *, *, \"!(r.act in ('read', 'unmask'))\", deny, ,\n")
		within(t, live, "the other file is in force", func() bool { p := lin.policy(); return p != nil && p.Version != version })
		said, recalled := wang.writes("liqiang005", "x"), wang.recalls(m.Message.ID)
		tried := map[string]outcome{
			"block":            wang.block("wm_lanhai"),
			"liftRelationship": wang.lift(r.ID, "x"),
			"undoRelationship": wang.undo(r.ID, "x"),
			"decideApproval":   lin.agree(a.ID, "x"),
			"cancelApproval":   wang.cancel(a.ID),
			"setAccountStatus": lin.command(`mutation($i:SetAccountStatusInput!){setAccountStatus(input:$i){`+commandFields+`}}`,
				vars{"i": vars{"accountId": of["Account"], "status": "FROZEN", "reason": "x"}}),
			"signOutDevices":   lin.command(`mutation($a:ID!){signOutDevices(accountId:$a,reason:"x"){`+commandFields+`}}`, vars{"a": of["Account"]}),
			"bindAccount":      lin.command(`mutation($a:ID!){bindAccount(accountId:$a,reason:"x"){`+commandFields+`}}`, vars{"a": of["Account"]}),
			"unlinkIdentity":   lin.command(`mutation($i:ID!){unlinkIdentity(identityId:$i,reason:"x"){`+commandFields+`}}`, vars{"i": c.linkOf("wangfang004")}),
			"acknowledgeAlert": lin.takesNote(of["Alert"], "x"),
			"blockMany": lin.command(`mutation($i:[BlockInput!]!){blockMany(inputs:$i){`+commandFields+`}}`,
				vars{"i": []vars{{"targetId": c.contact("wm_lanhai"), "kind": "BLOCK", "reason": "x"}}}),
			"importDirectory": lin.imports(),
			"importBlacklist": lin.importsBlacklist(),
			"pruneBlacklist":  lin.command(`mutation{pruneBlacklist(input:{}){`+commandFields+`}}`, nil),
			"sendMessage":     {UserErrors: said.UserErrors, answer: said.answer},
			"recallMessage":   {UserErrors: recalled.UserErrors, answer: recalled.answer},
			"createApiKey": lin.command(`mutation($i:CreateApiKeyInput!){createApiKey(input:$i){`+commandFields+`}}`,
				vars{"i": vars{"service": "billing", "scopes": []string{"service:bulk"}}}),
			"revokeApiKey": lin.command(`mutation($k:ID!){revokeApiKey(apiKeyId:$k,reason:"x"){`+commandFields+`}}`,
				vars{"k": lin.Do(`{apiKeys(first:1){nodes{id}}}`, nil).Text("apiKeys.nodes.0.id")}),
		}
		for _, f := range g.roots["mutation"] {
			o, ok := tried[f.Name]
			if !ok {
				t.Errorf("%s was not tried: say how", f.Name)
				continue
			}
			if o.codes() != "POLICY_DENIED" || !strings.Contains(o.UserErrors[0].Decision.rules(), "acme.shut") {
				t.Errorf("%s: %s", f.Name, o.answer.Body)
			}
		}
	})
}

// own reports whether it is so many that somebody has of his own, which he sees whatever policy says: himself, and his accounts.
func own(list string, n any) bool {
	count, _ := n.(float64)
	return list == "members" && count == 1 || list == "accounts" && count <= 4
}

// typeName is the name of what a field answers, whatever stands around it.
func (t graphType) typeName() string {
	for t.OfType != nil {
		t = *t.OfType
	}
	return t.Name
}

// firstRule is the id of the first rule of a decision.
func (d *decision) firstRule(p person) string {
	p.c.t.Helper()
	if len(d.Rules) == 0 {
		p.c.t.Fatalf("%s was decided by no rule", d.ID)
	}
	return d.Rules[0].ID
}
