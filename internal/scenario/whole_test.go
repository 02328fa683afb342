package scenario

import (
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A company lets admins block whole departments and groups: whoever is in them, or comes to be, is kept away, and nobody else.
func TestWholeDepartmentsAndGroups(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn,
			"p, block.whole, native, admin, block, department, true, allow, , undo:72h",
			"p, block.whole, native, admin, block, group, true, allow, , undo:72h")
		lin := c.person("linyue002")
		allowed := func(from string) bool {
			return c.person("guping012").check(from, "linyue002", "DIRECT_MESSAGE", "native").Allowed
		}
		block := func(target string) relationship {
			o := lin.blockID(target, on("native"))
			must(t, "codes", o.codes(), "")
			return *o.Results[0].Relationship
		}
		expect(t, "below admin", c.person("zhaomin003").blockID(c.department("研发部"), on("native")).codes(), "POLICY_DENIED")
		r := block(c.department("销售部"))
		expect(t, "how far", r.Enforcement, "RECORDED")
		for account, want := range map[string]bool{"zhaomin003": false, "wangfang004": false /* a department below it */, "sunli006": true, "chenguang001": true} {
			expect(t, account, allowed(account), want)
		}
		expect(t, "the other way", c.person("guping012").check("linyue002", "wangfang004", "DIRECT_MESSAGE", "native").Allowed, true)
		expect(t, "on another workspace", c.person("guping012").check("wangfang004", "linyue002", "DIRECT_MESSAGE", "wecom-hq").Allowed, true)
		a := lin.Do(`query($id:ID!){relationship(id:$id){target{... on Department{name}} effects{channel from{... on Department{name}} allowed}}}`, vars{"id": r.ID})
		expect(t, "its target", a.Text("relationship.target.name"), "销售部")
		expect(t, "who is stopped", a.Text("relationship.effects.0.from.name"), "销售部")
		c.exec(`update member_departments set department_id = (select id from departments where name = '销售部') where member_id =
			(select id from members where account_name = 'sunli006')`)
		expect(t, "who has come to it", allowed("sunli006"), false)
		must(t, "lift", lin.lift(r.ID, "好了").codes(), "")
		expect(t, "after its end", allowed("wangfang004"), true)

		g := block(c.group("四季度专班"))
		for account, want := range map[string]bool{"wangfang004": false, "zhaomin003": false, "liqiang005": true} {
			expect(t, account+" of the group", allowed(account), want)
		}
		must(t, "lift", lin.lift(g.ID, "好了").codes(), "")
		expect(t, "after its end", allowed("zhaomin003"), true)
	})
}
