package scenario

import (
	"fmt"
	"slices"
	"testing"
)

// Whatever has an id is null to those who may not see it, and there for those who may. A new type needs a row here.
func TestEveryNodeIsHiddenFromStrangers(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, lin := c.person("wangfang004"), c.person("linyue002")
		block := wang.block("liqiang005", on("native"))
		_, asked := wang.asks("wm_haikang")
		c.person("zhaomin003").agree(asked.ID, "")
		must(t, "approved", c.person("hanlei017").agree(asked.ID, "").Approval.State, "APPROVED")
		a := lin.Do(`query($m:ID!,$c:ID!){member(id:$m){accounts{id devices{id}} identities{id} department{id}} externalContact(id:$c){opportunities{id}}
			groups(filter:{query:"海康"}){nodes{id members{nodes{id}}}} alerts{nodes{id}}}`, vars{"m": c.member("wangfang004"), "c": c.contact("wm_haikang")})
		imported, row := lin.imported()
		kinds := map[string]bool{}
		nobody := []string{} // for all may see it
		for name, k := range map[string]struct {
			id             string
			may, strangers []string
		}{
			"Member":          {c.member("wangfang004"), []string{"sunli006", "liqiang005"}, []string{"tangxin013"}},
			"Account":         {a.Text("member.accounts.0.id"), []string{"sunli006", "liqiang005"}, []string{"tangxin013"}},
			"IdentityLink":    {a.Text("member.identities.0.id"), []string{"sunli006", "liqiang005"}, []string{"tangxin013"}},
			"Device":          {a.Text("member.accounts.1.devices.0.id"), []string{"sunli006", "liqiang005"}, []string{"tangxin013"}},
			"GroupMembership": {a.Text("groups.nodes.0.members.nodes.2.id"), []string{"wangfang004", "liqiang005", "zhaomin003", "fengtao010"}, []string{"sunli006", "heyun011"}},
			"Department":      {a.Text("member.department.id"), []string{"sunli006", "tangxin013"}, nobody},
			"Workspace":       {c.workspace("feishu-hq"), []string{"sunli006", "tangxin013"}, nobody},
			"ExternalContact": {c.contact("wm_haikang"), []string{"wangfang004", "zhaomin003", "guping012"}, []string{"sunli006", "liqiang005", "heyun011", "zhenglan009"}},
			"Opportunity":     {a.Text("externalContact.opportunities.0.id"), []string{"wangfang004", "zhaomin003", "guping012"}, []string{"sunli006", "liqiang005", "heyun011"}},
			"Group":           {a.Text("groups.nodes.0.id"), []string{"wangfang004", "liqiang005", "zhaomin003", "fengtao010"}, []string{"sunli006", "heyun011"}},
			"Relationship":    {block.Results[0].Relationship.ID, []string{"wangfang004", "zhaomin003", "heyun011", "guping012"}, []string{"liqiang005", "sunli006", "fengtao010"}},
			"Decision":        {block.Decision.ID, []string{"wangfang004", "guping012", "chenguang001"}, []string{"liqiang005", "sunli006", "fengtao010"}},
			"PolicyRule":      {block.Decision.Rules[0].ID, []string{"linyue002", "guping012", "chenguang001"}, []string{"sunli006", "liqiang005"}},
			"Approval":        {asked.ID, []string{"wangfang004", "zhaomin003", "hanlei017", "guping012"}, []string{"sunli006", "liqiang005", "heyun011"}},
			"AuditEvent":      {wang.trail("block")[0].ID, []string{"wangfang004", "guping012", "chenguang001"}, []string{"liqiang005", "sunli006", "linyue002", "zhaomin003"}},
			"ApiKey":          {lin.Do(`{apiKeys(first:1){nodes{id}}}`, nil).Text("apiKeys.nodes.0.id"), []string{"linyue002", "guping012", "chenguang001"}, []string{"sunli006", "zhaomin003", "fengtao010"}},
			"DirectoryImport": {imported, []string{"linyue002", "guping012", "chenguang001"}, []string{"sunli006", "fengtao010", "zhaomin003"}},
			"BlacklistImport": {lin.blacklists(unwanted, "wecom-hq", `,"dryRun":true`).Import.ID, []string{"linyue002", "guping012", "chenguang001"}, []string{"sunli006", "fengtao010"}},
			"ImportRow":       {row, []string{"linyue002", "guping012", "chenguang001"}, []string{"sunli006", "fengtao010", "zhaomin003"}},
			"Message":         {wang.writes("liqiang005", "x").Message.ID, []string{"wangfang004", "liqiang005", "guping012"}, []string{"sunli006", "linyue002", "chenguang001", "heyun011"}},
			"Alert":           {a.Text("alerts.nodes.0.id"), []string{"wangfang004", "zhaomin003", "guping012"}, []string{"sunli006", "liqiang005", "heyun011"}},
		} {
			kinds[name] = true
			must(t, "an id of a "+name, k.id != "", true)
			for _, account := range slices.Concat(k.may, k.strangers) {
				a, err := c.person(account).Ask(`query($id:ID!,$two:[ID!]!){node(id:$id){id __typename} nodes(ids:$two){id __typename}}`,
					vars{"id": k.id, "two": []string{c.workspace("native"), k.id}})
				if err != nil || len(a.Errors) > 0 {
					t.Errorf("%s looks up a %s: %s %v", account, name, a.Body, err)
					break
				}
				want := "<nil> <nil>"
				if slices.Contains(k.may, account) {
					want = fmt.Sprint(name, " ", name)
				}
				expect(t, account+" looks up a "+name, fmt.Sprint(a.Get("node.__typename"), " ", a.Get("nodes.1.__typename")), want)
				expect(t, "what stands beside it", a.Get("nodes.0.__typename"), any("Workspace"))
			}
			gone, err := lin.Ask(`query($id:ID!){node(id:$id){id}}`, vars{"id": unknown(k.id)})
			if err != nil || len(gone.Errors) > 0 || gone.Get("node") != nil {
				t.Errorf("a %s that is not there: %s %v", name, gone.Body, err)
			}
		}
		types := read[struct{ PossibleTypes []named }](t, lin.Do(`{__type(name:"Node"){possibleTypes{name}}}`, nil)).PossibleTypes
		for _, n := range types {
			if !kinds[n.Name] {
				t.Errorf("%s is a Node: say here who may see one, and who may not", n.Name)
			}
		}
		expect(t, "types", len(types), len(kinds))

		// A rule's text is for policy readers; whoever it decided on reads its name, its file and its line.
		text := `query($id:ID!){node(id:$id){... on Decision{rules{name file line text}}}}`
		for account, reads := range map[string]bool{"wangfang004": false, "guping012": true, "chenguang001": true} {
			a := c.person(account).Do(text, vars{"id": block.Decision.ID})
			expect(t, account+" reads its name", a.Text("node.rules.0.name"), "native.block_member.employee")
			expect(t, account+" reads its line", a.Get("node.rules.0.line") != nil, true)
			expect(t, account+" reads its text", a.Get("node.rules.0.text") != nil, reads)
		}
	})
}
