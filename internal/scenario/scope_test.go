package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// all reads a whole list, page by page, and holds its totalCount to what came.
func all[T any](p person, list, fields, filter string, f vars) (out []T) {
	p.c.t.Helper()
	args, typed := "first:100,after:$after", "$after:String"
	if filter != "" {
		args, typed = args+",filter:$f", typed+",$f:"+filter
	}
	for after := any(nil); ; {
		page := read[struct {
			Nodes      []T
			TotalCount int
			PageInfo   struct {
				HasNextPage bool
				EndCursor   *string
			}
		}](p.c.t, p.Do(`query(`+typed+`){`+list+`(`+args+`){nodes{`+fields+`} totalCount pageInfo{hasNextPage endCursor}}}`, vars{"after": after, "f": f}))
		out = append(out, page.Nodes...)
		if !page.PageInfo.HasNextPage {
			expect(p.c.t, list+" that "+p.account+" counts", page.TotalCount, len(out))
			return out
		}
		after = *page.PageInfo.EndCursor
	}
}

// names reads the names of a whole list.
func (p person) names(list string) []string {
	p.c.t.Helper()
	var out []string
	for _, n := range all[named](p, list, "name", "", nil) {
		out = append(out, n.Name)
	}
	return out
}

// known are the named contacts among some names, sorted.
func known(names []string) string {
	var out []string
	for id, name := range contacts {
		if slices.Contains(names, name) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Who sees which rows, by the table of read scopes.
func TestReadScopes(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		c.part("contacts", func(t *testing.T, c company) {
			six := "wm_haikang wm_hengda wm_lanhai wm_qinghe wm_spam wm_xingyun"
			for account, want := range map[string]struct {
				count int
				named string
			}{
				"wangfang004": {4, "wm_haikang wm_lanhai wm_qinghe wm_spam"}, "liqiang005": {1, "wm_hengda"}, "zhaomin003": {599, six}, "sunli006": {},
				"guping012": {700, "dt_maoyi " + six}, "linyue002": {700, "dt_maoyi " + six}, "chenguang001": {700, "dt_maoyi " + six},
				"zhenglan009": {}, "fengtao010": {}, "heyun011": {}, "zhoujie007": {}, "tangxin013": {1, "dt_maoyi"}, "qinlang014": {98, "dt_maoyi"},
			} {
				names := c.person(account).names("externalContacts")
				expect(t, "contacts of "+account, len(names), want.count)
				expect(t, "named contacts of "+account, known(names), want.named)
			}
		})
		c.part("groups", func(t *testing.T, c company) {
			for account, want := range map[string]string{
				"wangfang004": "午饭群 四季度专班 海康采购对接群 销售部", "liqiang005": "海康采购对接群 销售部", "sunli006": "午饭群 研发大群 项目群-北斗",
				"tangxin013": "", "wuhao008": "午饭群 研发大群 项目群-北斗",
			} {
				got := c.person(account).names("groups")
				slices.Sort(got)
				expect(t, account, strings.Join(got, " "), want)
			}
			for account, want := range map[string]int{"guping012": 30, "linyue002": 30, "fengtao010": 30, "heyun011": 0, "zhenglan009": 0} {
				expect(t, "groups of "+account, len(c.person(account).names("groups")), want)
			}
			below := c.person("zhaomin003").names("groups")
			for name, sees := range map[string]bool{"海康采购对接群": true, "华东打单群": true, "四季度专班": true, "午饭群": false, "研发大群": false} {
				expect(t, "zhaomin003 sees "+name, slices.Contains(below, name), sees)
			}
			a := c.person("liqiang005").Do(`{groups(filter:{query:"海康"}){totalCount nodes{platformId owner{accountName}}}}`, nil)
			expect(t, "group of liqiang005", a.Text("groups.nodes.0.platformId"), "grp_haikang")
			expect(t, "its owner", a.Text("groups.nodes.0.owner.accountName"), "wangfang004")
		})
		c.part("members", func(t *testing.T, c company) {
			for _, account := range []string{"chenguang001", "linyue002", "zhaomin003", "wangfang004", "sunli006", "zhenglan009", "fengtao010", "heyun011",
				"guping012", "qinlang014"} {
				expect(t, "members that "+account+" sees", len(c.person(account).names("members")), 60)
			}
			customerService(t, c)
		})
		c.part("relationships", func(t *testing.T, c company) {
			r := c.person("wangfang004").blocks("sunli006", on("native"))
			for account, sees := range map[string]bool{"wangfang004": true, "zhaomin003": true, "heyun011": true, "linyue002": true, "chenguang001": true,
				"guping012": true, "sunli006": false, "liqiang005": false, "zhoujie007": false, "zhenglan009": false, "fengtao010": false, "tangxin013": false} {
				p := c.person(account)
				listed := all[struct{ ID string }](p, "relationships", "id", "", nil)
				expect(t, account+" lists it", len(listed) == 1 && listed[0].ID == r.ID, sees)
				expect(t, account+" looks it up", p.relationship(r.ID) != nil, sees)
				filtered := all[struct{ ID string }](p, "relationships", "id", "RelationshipFilter", vars{"targetId": c.member("sunli006")})
				expect(t, account+" filters for it", len(filtered) == 1, sees)
			}
		})
		c.part("the trail", func(t *testing.T, c company) {
			for account, sees := range map[string]bool{"wangfang004": true, "chenguang001": true, "guping012": true, "linyue002": false, "heyun011": false,
				"zhaomin003": false, "sunli006": false, "zhenglan009": false, "fengtao010": false} {
				expect(t, account, len(all[event](c.person(account), "auditEvents", eventFields, "AuditFilter", vars{"actions": []string{"block"}})) > 0, sees)
			}
			expect(t, "an admin on policy", len(c.person("linyue002").trail("policy.activate")), 1)
		})
	})
}

// Customer service below rank 4 sees the people of the own department; whoever stands elsewhere is not there.
func customerService(t *testing.T, c company) {
	tang := c.person("tangxin013")
	rows := all[struct {
		AccountName string
		Department  named
		Manager     *accountNamed
	}](tang, "members", "accountName department{name} manager{accountName}", "", nil)
	expect(t, "members that tangxin013 sees", len(rows), 10)
	for _, m := range rows {
		expect(t, "department of "+m.AccountName, m.Department.Name, "客服部")
		expect(t, m.AccountName+" has a manager", m.Manager != nil, m.AccountName != "qinlang014") // whose manager is in another one
	}
	expect(t, "members with 51 and rank 4", len(all[named](c.person("yaoxiaoyan051"), "members", "name", "", nil)), 60)
	a := tang.Do(`query($id:ID!){byAccount:member(accountName:"wangfang004"){id} byNo:member(employeeNo:"004"){id} byId:member(id:$id){id} node(id:$id){id}
		nodes(ids:[$id]){id} members(filter:{query:"王芳"}){totalCount nodes{id}} departments{nodes{name manager{accountName}}}}`,
		vars{"id": c.member("wangfang004")})
	for _, path := range []string{"byAccount", "byNo", "byId", "node", "nodes.0", "members.nodes.0"} {
		expect(t, path+" of somebody hidden", a.Get(path), nil)
	}
	expect(t, "count of the hidden", a.Get("members.totalCount"), any(0.0))
	for _, d := range a.Get("departments.nodes").([]any) {
		d := d.(map[string]any)
		expect(t, fmt.Sprint("manager of ", d["name"], " shows"), d["manager"] != nil, d["name"] == "客服部")
	}
}

// A contact that is hidden is in no list, under no filter, and in no count.
func TestHiddenContact(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		hidden := c.contact("wm_hengda")
		for account, sees := range map[string]bool{"wangfang004": false, "sunli006": false, "liqiang005": true, "zhaomin003": true} {
			p := c.person(account)
			a := p.Do(`query($id:ID!){externalContact(id:$id){id} node(id:$id){id} nodes(ids:[$id,$id]){id}}`, vars{"id": hidden})
			for _, path := range []string{"externalContact", "node", "nodes.0", "nodes.1"} {
				expect(t, account+" sees "+path, a.Get(path) != nil, sees)
			}
			for _, filter := range []vars{{"query": "恒先"}, {"query": "恒达"}, {"ownerId": c.member("liqiang005")}, {"query": "恒", "status": "ACTIVE"},
				{"query": "恒先生", "tag": "华东"}, {"query": "恒先生", "importance": "NORMAL"}, {"query": "恒先生", "verified": true},
				{"query": "恒先生", "workspaceId": c.workspace("wecom-hq")}} {
				found := all[struct{ ID string }](p, "externalContacts", "id", "ExternalContactFilter", filter)
				expect(t, fmt.Sprint(account, " finds it by ", filter), slices.ContainsFunc(found, func(n struct{ ID string }) bool { return n.ID == hidden }), sees)
			}
		}
		// What would be a wildcard of the database is a letter like any other.
		for _, query := range []string{"%", "_", `\`} {
			expect(t, "found by "+query, len(all[named](c.person("guping012"), "externalContacts", "name", "ExternalContactFilter", vars{"query": query})), 0)
		}
	})
}

var masked = regexp.MustCompile(`^.{3}\*{4,}\d{4}$`)

// Phone numbers and platform ids show whole to an admin, and to others their own and those of their own contacts.
func TestMasks(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		for _, k := range []struct {
			who, whom string
			whole     bool
		}{
			{"wangfang004", "wangfang004", true}, {"wangfang004", "liqiang005", false}, {"zhaomin003", "wangfang004", false},
			{"zhenglan009", "wangfang004", false}, {"fengtao010", "wangfang004", false}, {"guping012", "wangfang004", false},
			{"linyue002", "wangfang004", true}, {"chenguang001", "wangfang004", true},
			{"wangfang004", "wm_haikang", true}, {"zhaomin003", "wm_haikang", false}, {"zhaomin003", "wm_xingyun", true},
			{"guping012", "wm_haikang", false}, {"hanlei017", "wm_haikang", true},
		} {
			name := k.who + " reads " + k.whom
			a := c.person(k.who).Do(`query($id:ID!){node(id:$id){... on Member{phone accounts{platformId}} ... on ExternalContact{phone platformId}}}`,
				vars{"id": c.target(k.whom)})
			phone := a.Text("node.phone")
			if whole := regexp.MustCompile(`^\+86154\d{8}$`).MatchString(phone); whole != k.whole || !whole && !masked.MatchString(phone) {
				t.Errorf("%s: phone %q", name, phone)
			}
			id := a.Get("node.platformId")
			if contacts[k.whom] == "" {
				id = a.Get("node.accounts.0.platformId")
				must(t, name+": accounts", len(a.Get("node.accounts").([]any)) >= 2, true)
			}
			want := any(nil)
			if k.whole {
				want = k.whom
			}
			expect(t, name+": platform id", id, want)
		}
	})
}
