package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// importsAs has a service's gateway take a blacklist in.
func (p person) importsAs(key, content, workspace string) (o outcomeOfImport) {
	p.c.t.Helper()
	r := p.form(`mutation($in:ImportBlacklistInput!){importBlacklist(input:$in){import{id state dryRun} decision{id outcome} userErrors{code path}}}`, content,
		fmt.Sprintf(`,"workspaceId":%q`, p.c.workspace(workspace)), "X-API-Key", key)
	var a struct {
		Data struct{ ImportBlacklist *outcomeOfImport }
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || a.Data.ImportBlacklist == nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	return *a.Data.ImportBlacklist
}

// A service imports a blacklist by its key: each row is decided as one that it asks for itself, it holds for the workspace, and an admin
// takes it back. What matters waits for people, as anybody's does.
func TestBlacklistOfAService(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		crm, lin := c.service(demoKey), c.person("linyue002")
		for _, x := range []struct{ on, content, want string }{
			{"dingtalk-hq", unwanted, "UNSUPPORTED_BY_PLATFORM"},
			{"native", unwanted, "POLICY_DENIED"},
			{"wecom-hq", "platform_id,reason\n" + strings.Repeat("wm_lanhai,x\n", 10001), "POLICY_DENIED"},
		} {
			if o := crm.importsAs(demoKey, x.content, x.on); o.codes() != x.want || o.Import != nil {
				t.Errorf("on %s: %+v, want %s", x.on, o, x.want)
			}
		}
		made := lin.Do(`mutation{createApiKey(input:{service:"billing",scopes:["service:contacts"]}){secret}}`, nil)
		if o := crm.importsAs(made.Text("createApiKey.secret"), unwanted, "wecom-hq"); o.codes() != "POLICY_DENIED" {
			t.Errorf("without the scope: %+v", o)
		}

		o := crm.importsAs(demoKey, unwanted, "wecom-hq")
		if o.Import == nil {
			t.Fatalf("%+v", o)
		}
		want := []string{"2 ACCEPTED", "3 REJECTED POLICY_DENIED ", "4 REJECTED NOT_FOUND platform_id", "5 UNCHANGED", "6 REJECTED INVALID_INPUT expires_at",
			"7 IN_REVIEW", "8 REJECTED INVALID_INPUT "}
		counts, rows := crm.blacklisted(o.Import.ID)
		if diff := cmp.Diff(want, rows); diff != "" || counts != "DONE 7=1+1+4+1" {
			t.Errorf("%s: %s", counts, diff)
		}
		const document = `{relationships(filter:{kinds:[BLACKLIST]}){nodes{id state scope source service initiator{id} requestedBy{id} target{...on ExternalContact{company status}}
			approvals{id needs{role candidates{accountName}}}}}}`
		type row struct {
			ID, State, Scope, Source string
			Service                  *string
			Initiator, RequestedBy   *struct{ ID string }
			Target                   struct{ Company, Status string }
			Approvals                []approval
		}
		list := func() []row { return read[struct{ Nodes []row }](t, lin.Do(document, nil)).Nodes }
		listed := list()
		must(t, "made", len(listed), 2)
		active, waits := listed[0], listed[1]
		if active.State != "ACTIVE" {
			active, waits = waits, active
		}
		for _, r := range listed {
			if r.Service == nil || *r.Service != "crm-demo" || r.Initiator != nil || r.RequestedBy != nil || r.Scope != "WORKSPACE" || r.Source != "IMPORT" {
				t.Errorf("%+v", r)
			}
		}
		expect(t, "what matters waits", waits.State, "PENDING_APPROVAL")
		for _, n := range waits.Approvals[0].Needs {
			agrees := c.person(map[string]string{"owner_dept_manager": "zhaomin003", "admin": "linyue002"}[n.Role])
			must(t, n.Role+" agrees", agrees.agree(waits.Approvals[0].ID, "").codes(), "")
		}
		for _, r := range list() {
			expect(t, r.Target.Company, r.State+" "+r.Target.Status, "ACTIVE BLACKLISTED")
		}
		expect(t, "carried out", lin.delivered(active.ID).Delivery.State, "DELIVERED")
		trail := c.person("guping012").Do(`query($i:ID){auditEvents(first:5,filter:{subjectId:$i}){nodes{action actorName}}}`, vars{"i": active.ID})
		if !strings.Contains(trail.Body, `"actorName":"crm-demo"`) {
			t.Errorf("the trail: %s", trail.Body)
		}
		expect(t, "the owner", c.person("wangfang004").check("wm_lanhai", "wangfang004", "DIRECT_MESSAGE", "wecom-hq").Allowed, false)

		again := crm.importsAs(demoKey, unwanted, "wecom-hq")
		counts, _ = crm.blacklisted(again.Import.ID)
		expect(t, "again", counts, "DONE 7=0+3+4+0")
		lift := crm.Do(`mutation($r:ID!){do:liftRelationship(relationshipId:$r,reason:"x"){userErrors{code}}}`, vars{"r": active.ID})
		expect(t, "it lifts nothing itself", lift.Text("do.userErrors.0.code"), "POLICY_DENIED")
		expect(t, "an admin undoes it", lin.undo(active.ID, "误拉").Relationship.State, "UNDONE")
	})
}

// A service whose key was revoked meanwhile imports nothing any more.
func TestBlacklistOfAServiceThatIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, chen, han := c.person("linyue002"), c.person("chenguang001"), c.person("hanlei017")
		o := c.service(demoKey).importsAs(demoKey, long(1001), "wecom-hq")
		must(t, "it waits", lin.list(o.Import.ID).State, "PENDING_APPROVAL")
		keys := read[struct {
			Nodes []struct{ ID, Service string }
		}](t, lin.Do(`{apiKeys(first:10){nodes{id service}}}`, nil))
		for _, k := range keys.Nodes {
			if k.Service == "crm-demo" {
				lin.Do(`mutation($k:ID!){revokeApiKey(apiKeyId:$k,reason:"x"){userErrors{code}}}`, vars{"k": k.ID})
			}
		}
		a := lin.Do(`{approvals(state:PENDING){nodes{id}}}`, nil).Text("approvals.nodes.0.id")
		must(t, "the first", han.agree(a, "").codes(), "")
		must(t, "the second", chen.agree(a, "").codes(), "")
		expect(t, "import", lin.list(o.Import.ID).String(), "CANCELLED 1001=0+0+0+0")
	})
}
