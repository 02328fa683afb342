package scenario

import (
	"slices"
	"strings"
	"testing"
)

// The history of a relationship is the part of the trail about it that the reader may read.
func TestHistoryOfARelationship(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		target, native := c.member("liqiang005"), c.workspace("native")
		id := wang.Do(`mutation($t:ID!,$w:[ID!]){block(input:{targetId:$t,kind:BLOCK,workspaceIds:$w,reason:"too loud"}){results{relationship{id}}}}`,
			vars{"t": target, "w": []string{native}}).Text("block.results.0.relationship.id")
		wang.Do(`mutation($r:ID!){liftRelationship(relationshipId:$r,reason:"we talked"){userErrors{code}}}`, vars{"r": id})
		ask := `query($r:ID!){relationship(id:$r){history(first:1){totalCount pageInfo{hasNextPage} nodes{action subject{id}}}}}`
		hers := wang.Do(ask, vars{"r": id})
		expect(t, "what she did", hers.Get("relationship.history.totalCount"), any(2.0))
		expect(t, "the newest", hers.Text("relationship.history.nodes.0.action"), "lift")
		expect(t, "of it", hers.Text("relationship.history.nodes.0.subject.id"), id)
		expect(t, "and more", hers.Get("relationship.history.pageInfo.hasNextPage"), any(true))
		expect(t, "all of the trail", c.person("guping012").Do(ask, vars{"r": id}).Get("relationship.history.totalCount"), any(2.0))
		her := c.person("zhaomin003").Do(ask, vars{"r": id}) // who leads her sees the relationship, and of the trail her own acts
		expect(t, "the relationship", her.Get("relationship") != nil, true)
		expect(t, "her manager's part of it", her.Get("relationship.history.totalCount"), any(0.0))
	})
}

// What hangs on people, departments, accounts, contacts and groups, as each may see it.
func TestWhatHangsOnRows(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		texts := func(a any, key string) (out []string) {
			for _, n := range a.([]any) {
				s, _ := n.(map[string]any)[key].(string)
				out = append(out, s)
			}
			slices.Sort(out)
			return out
		}
		lin, wang, li := c.person("linyue002"), c.person("wangfang004"), c.person("liqiang005")
		a := lin.Do(`query($m:ID!){member(id:$m){contacts(first:3){totalCount pageInfo{hasNextPage endCursor} nodes{platformId followers{member{accountName}}}}
			more:contacts(filter:{query:"青禾"}){totalCount nodes{platformId}} groups{totalCount nodes{name}} groupMemberships(includeLeft:true){totalCount}
			relationships(direction:BOTH){totalCount} accessLog{totalCount} identities{provider personal subject}
			manager{reports(last:1){totalCount nodes{accountName}}} accounts{bindings{member{accountName}} devices{label} statusHistory{totalCount}}}}`,
			vars{"m": c.member("wangfang004")})
		expect(t, "contacts", a.Get("member.contacts.totalCount"), any(4.0))
		expect(t, "a page of them", len(a.Get("member.contacts.nodes").([]any)), 3)
		expect(t, "and more", a.Get("member.contacts.pageInfo.hasNextPage"), any(true))
		expect(t, "one of them", strings.Join(texts(a.Get("member.more.nodes"), "platformId"), " "), "wm_qinghe")
		expect(t, "groups", a.Get("member.groups.totalCount"), any(4.0))
		expect(t, "a follower", a.Text("member.contacts.nodes.0.followers.0.member.accountName"), "wangfang004")
		expect(t, "a link", a.Text("member.identities.0.provider"), "wechat")
		expect(t, "a binding", a.Text("member.accounts.0.bindings.0.member.accountName"), "wangfang004")

		roster := `{groups(filter:{query:"海康"}){nodes{members{totalCount nodes{party{... on Member{accountName} ... on ExternalContact{platformId}}}}}}}`
		b := li.Do(roster, nil)
		expect(t, "places that liqiang005 counts", b.Get("groups.nodes.0.members.totalCount"), any(3.0))
		expect(t, "the contact's place", b.Get("groups.nodes.0.members.nodes.2.party"), nil)
		expect(t, "his colleague's", b.Text("groups.nodes.0.members.nodes.0.party.accountName"), "wangfang004")
		expect(t, "the contact, to its owner", wang.Do(roster, nil).Text("groups.nodes.0.members.nodes.2.party.platformId"), "wm_haikang")

		d := lin.Do(`{departments{nodes{name children{name} members{totalCount} all:members(includeDescendants:true){totalCount}}}}`, nil)
		expect(t, "children of the root", len(d.Get("departments.nodes.0.children").([]any)), 6)
		expect(t, "all of the company", d.Get("departments.nodes.0.all.totalCount"), any(60.0))
		expect(t, "of a leaf both are one", d.Get("departments.nodes.8.all.totalCount"), d.Get("departments.nodes.8.members.totalCount"))

		n := lin.Do(`{orphan:accounts(filter:{orphan:true}){nodes{platformId member{id}}} leaver:accounts(filter:{leaver:true}){nodes{member{employment}}}
			byID:accounts(filter:{query:"qiantai"}){totalCount} frozen:accounts(filter:{status:FROZEN}){nodes{statusReason}}
			idle:inactiveAccounts(days:30){totalCount} members(orderBy:RANK_DESC,first:2){nodes{rank}} linked:members(filter:{linkedToPersonal:true}){totalCount}
			left:members(filter:{employment:DEPARTED}){totalCount}}`, nil)
		expect(t, "nobody's", strings.Join(texts(n.Get("orphan.nodes"), "platformId"), " "), "bot_notice")
		expect(t, "a leaver's", n.Text("leaver.nodes.0.member.employment"), "DEPARTED")
		expect(t, "by platform id", n.Get("byID.totalCount"), any(1.0))
		expect(t, "and who does not see it", wang.Do(`{accounts(filter:{query:"qiantai"}){totalCount}}`, nil).Get("accounts.totalCount"), any(0.0))
		expect(t, "why frozen", n.Text("frozen.nodes.0.statusReason"), "手机遗失，等待找回")
		expect(t, "idle", n.Get("idle.totalCount"), any(4.0))
		expect(t, "the highest", n.Get("members.nodes.0.rank"), any(10.0))
		expect(t, "linked", n.Get("linked.totalCount"), any(4.0))
		expect(t, "gone", n.Get("left.totalCount"), any(1.0))
		pool := `{departments(first:100){nodes{id name}}}`
		for _, x := range lin.Do(pool, nil).Get("departments.nodes").([]any) {
			if x := x.(map[string]any); x["name"] == "客服部" {
				of := `query($d:ID){externalContacts(filter:{poolDepartmentId:$d}){totalCount}}`
				expect(t, "in the pool", lin.Do(of, vars{"d": x["id"]}).Get("externalContacts.totalCount"), any(3.0))
				expect(t, "in the pool, to a stranger", wang.Do(of, vars{"d": x["id"]}).Get("externalContacts.totalCount"), any(0.0))
			}
		}
	})
}
