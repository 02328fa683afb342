package scenario

import (
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Who agreed counts at the end only as who he is then; and what was agreed to is what was asked, or nothing.
func TestVerdictsThatDoNotCarry(t *testing.T) {
	t.Parallel()
	const two = "p, acme.two_admins, native, anyone, block, member, true, review, 2*admin, expire:48h"
	for _, k := range []struct {
		name   string
		change string // behind the gateway's back, after linyue002 has agreed
	}{
		{"became the target's manager", "update members set manager_id = (select id from members where account_name = 'linyue002') where account_name = 'sunli006'"},
		{"was frozen", `update accounts set status = 'FROZEN' where workspace_id = (select id from workspaces where name = 'native')
			and member_id = (select id from members where account_name = 'linyue002')`},
		{"is about to leave", "update members set employment = 'DEPARTING' where account_name = 'linyue002'"},
		{"lost the role", "delete from member_roles where member_id = (select id from members where account_name = 'linyue002')"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				c := withLines(t, dsn, two)
				wang := c.person("wangfang004")
				r, a := wang.asks("sunli006", on("native"))
				expect(t, "needs", who(a.Needs), "admin[chenguang001 hanlei017 linyue002]")
				expect(t, "linyue002", needs(c.person("linyue002").agree(a.ID, "").Approval.Needs), "admin 1/2")
				c.exec(k.change)
				o := c.person("hanlei017").agree(a.ID, "")
				must(t, "hanlei017", o.codes(), "")
				expect(t, "after two verdicts", o.Approval.State, "PENDING")
				expect(t, "relationship", wang.relationship(r.ID).State, "PENDING_APPROVAL")
				expect(t, "chenguang001", c.person("chenguang001").agree(a.ID, "").Approval.State, "APPROVED")
				expect(t, "relationship in the end", wang.relationship(r.ID).State, "ACTIVE")
			})
		})
	}
	t.Run("is the requester in another role", func(t *testing.T) {
		t.Parallel()
		testkit.OnEach(t, func(t *testing.T, dsn string) {
			c := withLines(t, dsn, two)
			r, a := c.person("linyue002").asks("wuhao008", on("native"))
			expect(t, "needs", who(a.Needs), "admin[chenguang001 hanlei017]")
			o := c.person("linyue002").agree(a.ID, "")
			expect(t, "her own verdict", o.codes()+" "+o.Decision.rules(), "POLICY_DENIED approval.not_requester")
			expect(t, "hanlei017", c.person("hanlei017").agree(a.ID, "").Approval.State, "PENDING")
			expect(t, "chenguang001", c.person("chenguang001").agree(a.ID, "").Approval.State, "APPROVED")
			expect(t, "relationship", c.person("linyue002").relationship(r.ID).State, "ACTIVE")
		})
	})
	t.Run("for whom it is done", func(t *testing.T) {
		t.Parallel()
		testkit.OnEach(t, func(t *testing.T, dsn string) {
			c := withLines(t, dsn, "p, acme.isolate, native, anyone, isolate, member, true, review, admin, expire:48h")
			_, a := c.person("linyue002").asks("wuhao008", on("native"), as("ISOLATION"), with("initiatorId", c.member("hanlei017")))
			expect(t, "needs", who(a.Needs), "admin[chenguang001]")
			expect(t, "hanlei017", c.person("hanlei017").agree(a.ID, "").codes(), "POLICY_DENIED")
		})
	})
	for _, change := range []string{"kind = 'ISOLATION'", "scope = 'WORKSPACE'", "target_id = (select id from members where account_name = 'wuhao008')",
		"initiator_id = (select id from members where account_name = 'liqiang005')", "delegate_id = (select id from members where account_name = 'wuhao008')",
		"expires_at = 4000000000000000", "declared = true"} {
		t.Run("the request changed: "+change, func(t *testing.T) {
			t.Parallel()
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				c := withLines(t, dsn, two)
				r, a := c.person("zhaomin003").asks("sunli006", on("native"))
				expect(t, "linyue002", c.person("linyue002").agree(a.ID, "").Approval.State, "PENDING")
				c.exec("update relationships set " + change)
				o := c.person("hanlei017").agree(a.ID, "")
				expect(t, "hanlei017", o.codes(), "CONFLICT")
				expect(t, "approval", o.Approval.State, "CANCELLED")
				expect(t, "relationship", c.person("guping012").relationship(r.ID).State, "REJECTED")
			})
		})
	}
}

// A group block waits a day for the owner of its group, who hears of it; a refusal ends it, his word puts it into effect, and
// his word ends it. S-03.
func TestGroupBlock(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		meng, wu := c.person("mengjie015"), c.person("wuhao008")
		ask := func() (relationship, approval) {
			return meng.asks("shanxiaoyu016", as("GROUP_BLOCK"), with("groupId", c.group("项目群-北斗")))
		}
		from := wu.Do(`{changeCursor}`, nil).Text("changeCursor")
		hears := wu.Subscribe(`subscription($after:String){approvalChanged(after:$after){approvalId previousState approval{state}}}`, vars{"after": from})
		r, a := ask()
		expect(t, "who is asked", who(a.Needs), "group_owner[wuhao008]")
		if a.ExpiresAt == nil || (a.ExpiresAt.Sub(r.CreatedAt)-24*time.Hour).Abs() > time.Second {
			t.Errorf("it waits until %v", a.ExpiresAt)
		}
		expect(t, "what the owner hears", hears.Next(t).Text("approvalChanged.approvalId"), a.ID)
		for _, channel := range []string{"GROUP_MENTION", "GROUP_ANNOUNCEMENT"} {
			expect(t, channel+" meanwhile", meng.check("shanxiaoyu016", "mengjie015", channel).Allowed, true)
		}
		expect(t, "the owner agrees", wu.agree(a.ID, "好").Approval.State, "APPROVED")
		expect(t, "state", meng.relationship(r.ID).State, "ACTIVE")
		shan := c.person("shanxiaoyu016")
		in := func(p person, channel, group string) any {
			return p.Do(checkDocument, vars{"in": vars{"fromId": c.member("shanxiaoyu016"), "toId": c.member("mengjie015"), "channel": channel, "groupId": c.group(group)}}).
				Get("contactCheck.allowed")
		}
		expect(t, "mention there", in(shan, "GROUP_MENTION", "项目群-北斗"), any(false))
		expect(t, "announcements there", in(shan, "GROUP_ANNOUNCEMENT", "项目群-北斗"), any(true))
		expect(t, "messages there", in(shan, "GROUP_MESSAGE", "项目群-北斗"), any(true))
		expect(t, "mention in another group", in(shan, "GROUP_MENTION", "研发大群"), any(true))
		expect(t, "direct messages", shan.check("shanxiaoyu016", "mengjie015", "DIRECT_MESSAGE").Allowed, true)
		expect(t, "mention in any group", shan.check("shanxiaoyu016", "mengjie015", "GROUP_MENTION").Allowed, false)
		if because := shan.check("shanxiaoyu016", "mengjie015", "GROUP_MENTION").Because; len(because) > 0 {
			t.Errorf("the target is told the cause: %v", because)
		}
		group := meng.Do(`query($id:ID!){relationship(id:$id){group{name}}}`, vars{"id": r.ID}).Text("relationship.group.name")
		expect(t, "its group", group, "项目群-北斗")

		o := meng.lift(r.ID, "和好了")
		expect(t, "who is asked to end it", who(o.Approval.Needs), "group_owner[wuhao008]")
		expect(t, "the owner ends it", wu.agree(o.Approval.ID, "").Approval.State, "APPROVED")
		expect(t, "mention again", in(shan, "GROUP_MENTION", "项目群-北斗"), any(true))

		r, a = ask()
		expect(t, "the owner refuses", wu.refuse(a.ID, "不必").Approval.State, "REJECTED")
		expect(t, "state", meng.relationship(r.ID).State, "REJECTED")
		for _, k := range []struct{ who, whom string }{{"mengjie015", "sunli006"}, {"sunli006", "shanxiaoyu016"}, {"shanxiaoyu016", "wuhao008"}} {
			o := c.person(k.who).block(k.whom, as("GROUP_BLOCK"), with("groupId", c.group("项目群-北斗")))
			expect(t, fmt.Sprint(k), o.codes(), "POLICY_DENIED")
		}
		r, a = ask()
		c.Set(a.ExpiresAt.Add(time.Second))
		expect(t, "nobody answered", meng.relationship(r.ID).State, "REJECTED")
		expect(t, "approval", meng.approval(a.ID).State, "EXPIRED")
	})
}
