package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// The tables as DEMO.md shows them.
const (
	wantMembers = `
| chenguang001 | 陈光 | 001 | 总部 | 总经理 | 10 | super_admin | MANAGEMENT | – |
| linyue002 | 林悦 | 002 | 信息部 | 信息总监 | 8 | admin | IT | 001 |
| zhaomin003 | 赵敏 | 003 | 销售部 | 销售总监 | 7 | dept_manager | SALES | 001 |
| wangfang004 | 王芳 | 004 | 销售部/华东 | 销售 | 3 | employee | SALES | 003 |
| liqiang005 | 李强 | 005 | 销售部/华东 | 销售 | 3 | employee | SALES | 003 |
| sunli006 | 孙丽 | 006 | 研发部 | 工程师 | 4 | employee | GENERAL | 007 |
| zhoujie007 | 周杰 | 007 | 研发部 | 研发总监 | 7 | dept_manager | MANAGEMENT | 001 |
| wuhao008 | 吴昊 | 008 | 研发部 | 工程师 | 3 | employee | GENERAL | 007 |
| zhenglan009 | 郑岚 | 009 | 人事部 | 人事经理 | 6 | hr | HR | 001 |
| fengtao010 | 冯涛 | 010 | 信息部 | 系统管理员 | 5 | it | IT | 002 |
| heyun011 | 何云 | 011 | 法务部 | 法务 | 6 | legal | LEGAL | 001 |
| guping012 | 顾平 | 012 | 总部 | 审计 | 6 | auditor | GENERAL | 001 |
| tangxin013 | 唐心 | 013 | 客服部 | 客服 | 2 | employee | CUSTOMER_SERVICE | 014 |
| qinlang014 | 秦朗 | 014 | 客服部 | 客服经理 | 6 | dept_manager | CUSTOMER_SERVICE | 001 |
| mengjie015 | 孟洁 | 015 | 研发部 | 工程师 | 2 | employee | GENERAL | 007 |
| shanxiaoyu016 | 单晓雨 | 016 | 研发部 | 工程师 | 3 | employee | GENERAL | 007 |
| hanlei017 | 韩磊 | 017 | 信息部 | 信息副总监 | 7 | admin | IT | 002 |`

	wantContacts = `
| wm_haikang | 周采购 | 海康采购 | yes | KEY | wangfang004 | 重点客户, 华东 | 年度框架 CNY 1,200,000 |
| wm_lanhai | 蓝经理 | 蓝海贸易 | yes | NORMAL | wangfang004 | 华东 | – |
| wm_spam | 某某推广 | – | no | NORMAL | wangfang004 | – | – |
| wm_qinghe | 禾经理 | 青禾商贸 | yes | NORMAL | wangfang004 | 华东 | – |
| wm_hengda | 恒先生 | 恒达物流 | yes | NORMAL | liqiang005 | 华东 | 续约 CNY 80,000 |
| wm_xingyun | 云女士 | 星云科技 | yes | KEY | zhaomin003 | 重点客户 | 新项目 CNY 600,000 |`

	wantGroups = `
| grp_beidou | feishu-hq | 项目群-北斗 | PROJECT (open) | wuhao008 | sunli006 | wuhao008, sunli006, mengjie015, zhoujie007, shanxiaoyu016 |
| grp_sales | wecom-hq | 销售部 | DEPARTMENT | zhaomin003 | – | zhaomin003, wangfang004, liqiang005 |
| grp_haikang | wecom-hq | 海康采购对接群 | CUSTOMER | wangfang004 | – | wangfang004, liqiang005, wm_haikang |
| grp_rd | native | 研发大群 | DEPARTMENT | zhoujie007 | sunli006 | all of 研发部 |
| grp_q4 | native | 四季度专班 | PROJECT (open) | zhaomin003 | – | zhaomin003, linyue002, wangfang004 |
| grp_lunch | native | 午饭群 | GENERAL | mengjie015 | – | mengjie015, sunli006, wuhao008, wangfang004 |`
)

// rows are the cells of a table; a dash is empty.
func rows(table string) [][]string {
	var out [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(table), "\n") {
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "| "), "|") {
			cells = append(cells, strings.Trim(cell, " –"))
		}
		out = append(out, cells)
	}
	return out
}

var now = time.Date(2026, 11, 20, 9, 30, 0, 123456789, time.FixedZone("CST", 8*3600))

// company is a snapshot with what refers to it by name.
type company struct {
	directory.Snapshot
	workspaces  map[im.ID]im.Workspace
	departments map[im.ID]im.Department
	members     map[im.ID]im.Member
	contacts    map[im.ID]im.ExternalContact
	groups      map[im.ID]im.Group
}

func newCompany() company {
	c := company{Snapshot: Company(im.NewIDs(func() time.Time { return now }), now)}
	c.workspaces = byID(c.Workspaces, func(w im.Workspace) im.ID { return w.ID })
	c.departments = byID(c.Departments, func(d im.Department) im.ID { return d.ID })
	c.members = byID(c.Members, func(m im.Member) im.ID { return m.ID })
	c.contacts = byID(c.Contacts, func(e im.ExternalContact) im.ID { return e.ID })
	c.groups = byID(c.Groups, func(g im.Group) im.ID { return g.ID })
	return c
}

func byID[T any](all []T, id func(T) im.ID) map[im.ID]T {
	out := map[im.ID]T{}
	for _, one := range all {
		out[id(one)] = one
	}
	return out
}

// path is a department as tables name it.
func (c company) path(id im.ID) string {
	d := c.departments[id]
	if parent := c.departments[d.ParentID]; !parent.ParentID.IsZero() {
		return c.path(d.ParentID) + "/" + d.Name
	}
	return d.Name
}

// party is a member's account name or a contact's platform id.
func (c company) party(r im.Ref) string {
	if r.Kind == im.KindContact {
		return c.contacts[r.ID].PlatformID
	}
	return c.members[r.ID].AccountName
}

func named17(account string) bool {
	return slices.ContainsFunc(Personas(), func(p Persona) bool { return p.Account == account })
}

func TestMembers(t *testing.T) {
	c := newCompany()
	var got [][]string
	for _, m := range c.Members[:17] {
		if len(m.Roles) != 1 {
			t.Fatalf("%s: roles %v", m.AccountName, m.Roles)
		}
		got = append(got, []string{
			m.AccountName, m.Name, m.EmployeeNo, c.path(m.DepartmentID), m.Position, fmt.Sprint(m.Rank),
			m.Roles[0], string(m.JobFunction), c.members[m.ManagerID].EmployeeNo,
		})
	}
	if diff := cmp.Diff(rows(wantMembers), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPersonas(t *testing.T) {
	var got [][]string
	for _, p := range Personas() {
		got = append(got, append([]string{p.Account, p.Name}, p.Roles...))
	}
	var want [][]string
	for _, row := range rows(wantMembers) {
		want = append(want, []string{row[0], row[1], row[6]})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestContacts(t *testing.T) {
	c := newCompany()
	var got [][]string
	for _, e := range c.Contacts[:6] {
		verified, opportunity := "no", ""
		if e.Verified {
			verified = "yes"
		}
		for _, o := range c.Opportunities {
			if o.ContactID == e.ID {
				opportunity = fmt.Sprintf("%s %s %s", o.Title, o.Currency, thousands(o.Amount))
				if !o.Open || o.OwnerID != e.OwnerID || o.Stage == "" {
					t.Errorf("%s: its opportunity is %+v", e.PlatformID, o)
				}
			}
		}
		if e.Status != im.ContactActive || c.workspaces[e.WorkspaceID].Name != "wecom-hq" {
			t.Errorf("%s: %s on %s", e.PlatformID, e.Status, c.workspaces[e.WorkspaceID].Name)
		}
		got = append(got, []string{
			e.PlatformID, e.Name, e.Company, verified, string(e.Importance), c.members[e.OwnerID].AccountName,
			strings.Join(e.Tags, ", "), opportunity,
		})
	}
	if diff := cmp.Diff(rows(wantContacts), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	m := c.Contacts[6]
	if m.PlatformID != "dt_maoyi" || m.Name != "茂宜商行" || !m.Verified || m.Importance != im.NormalContact ||
		c.members[m.OwnerID].AccountName != "tangxin013" || c.workspaces[m.WorkspaceID].Name != "dingtalk-hq" {
		t.Errorf("茂宜商行: got %+v", m)
	}
}

// thousands writes hundredths the way the table does.
func thousands(hundredths int64) string {
	s := fmt.Sprint(hundredths / 100)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if rest := hundredths % 100; rest != 0 {
		s += fmt.Sprintf(".%02d", rest)
	}
	return s
}

func TestGroups(t *testing.T) {
	c := newCompany()
	var got [][]string
	for _, g := range c.Groups[:6] {
		var admins, members []string
		for _, m := range c.Memberships {
			if m.GroupID != g.ID {
				continue
			}
			members = append(members, c.party(m.Party))
			if m.Admin {
				admins = append(admins, c.party(m.Party))
			}
		}
		if g.PlatformID == "grp_rd" {
			if diff := cmp.Diff(c.staff("研发部"), members); diff != "" {
				t.Errorf("研发部 (-want +got)\n%s", diff)
			}
			members = []string{"all of 研发部"}
		}
		kind := string(g.Kind)
		if g.ProjectClosed != nil && !*g.ProjectClosed {
			kind += " (open)"
		}
		got = append(got, []string{
			g.PlatformID, c.workspaces[g.WorkspaceID].Name, g.Name, kind, c.members[g.OwnerID].AccountName,
			strings.Join(admins, ", "), strings.Join(members, ", "),
		})
	}
	if diff := cmp.Diff(rows(wantGroups), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// staff are the accounts of a department, by way of the members' own rows.
func (c company) staff(department string) []string {
	var out []string
	for _, m := range c.Members {
		if c.path(m.DepartmentID) == department {
			out = append(out, m.AccountName)
		}
	}
	return out
}

func TestWorkspaces(t *testing.T) {
	c := newCompany()
	var got []string
	for _, w := range c.Workspaces {
		got = append(got, fmt.Sprint(w.Name, w.Platform, w.Region, w.TimeZone, w.CustomerContact))
	}
	var want []string
	for _, w := range []struct {
		name, platform string
		contact        bool
	}{{"native", "native", false}, {"wecom-hq", "wecom", true}, {"dingtalk-hq", "dingtalk", false}, {"feishu-hq", "feishu", false},
		{"wechat-personal", "wechat", false}} {
		want = append(want, fmt.Sprint(w.name, w.platform, "CN", "Asia/Shanghai", w.contact))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDepartments(t *testing.T) {
	c := newCompany()
	got := map[string]string{}
	for _, d := range c.Departments {
		got[d.Name] = c.departments[d.ParentID].Name + " " + c.members[d.ManagerID].EmployeeNo
		want := d.ID.String() + "/"
		for up := d.ParentID; !up.IsZero(); up = c.departments[up].ParentID {
			want = up.String() + "/" + want
		}
		if d.Path != want {
			t.Errorf("%s: path %s, want %s", d.Name, d.Path, want)
		}
	}
	want := map[string]string{
		"总部": " 001", "信息部": "总部 002", "销售部": "总部 003", "华东": "销售部 003", "华南": "销售部 003",
		"研发部": "总部 007", "人事部": "总部 001", "法务部": "总部 001", "客服部": "总部 014",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAccounts(t *testing.T) {
	c := newCompany()
	got := map[string][]string{}
	for _, a := range c.Accounts {
		m := c.members[a.MemberID]
		if a.Kind != im.HumanAccount {
			if named17(m.AccountName) || (a.Kind == im.BotAccount) != a.MemberID.IsZero() {
				t.Errorf("%s: account %+v", m.AccountName, a)
			}
			continue
		}
		if a.PlatformID != m.AccountName || named17(m.AccountName) && (a.Standing() != "ACTIVE" || !a.LastActiveAt.Equal(c.Accounts[0].LastActiveAt)) {
			t.Errorf("%s: account %+v", m.AccountName, a)
		}
		got[m.EmployeeNo] = append(got[m.EmployeeNo], c.workspaces[a.WorkspaceID].Name)
	}
	for _, m := range c.Members {
		want := []string{"native", "wecom-hq"}
		switch department := c.path(m.DepartmentID); {
		case slices.Contains([]string{"001", "002", "003", "007", "014"}, m.EmployeeNo):
			want = append(want, "dingtalk-hq", "feishu-hq")
		case department == "客服部" || department == "人事部":
			want = append(want, "dingtalk-hq")
		case department == "研发部" || department == "信息部":
			want = append(want, "feishu-hq")
		}
		if slices.Contains([]string{"004", "005"}, m.EmployeeNo) {
			want = append(want, "wechat-personal")
		}
		if diff := cmp.Diff(want, got[m.EmployeeNo]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", m.AccountName, diff)
		}
	}
}

func TestCounts(t *testing.T) {
	c := newCompany()
	for what, n := range map[string][2]int{
		"members": {len(c.Members), 60}, "departments": {len(c.Departments), 9}, "contacts": {len(c.Contacts), 700},
		"groups": {len(c.Groups), 30}, "follows": {len(c.Follows), 715}, "workspaces": {len(c.Workspaces), 5},
	} {
		if n[0] != n[1] {
			t.Errorf("%s: got %d, want %d", what, n[0], n[1])
		}
	}
	busy := map[im.ID]bool{}
	for _, o := range c.Opportunities {
		busy[o.ContactID] = true
	}
	ordinary := 0
	for _, e := range c.Contacts {
		if c.workspaces[e.WorkspaceID].Name == "wecom-hq" && e.Verified && e.Importance == im.NormalContact && !busy[e.ID] &&
			!named17(c.members[e.OwnerID].AccountName) {
			ordinary++
		}
	}
	if ordinary < 520 {
		t.Errorf("%d ordinary contacts on wecom-hq", ordinary)
	}
}

// What scenarios say of named people must not depend on anybody else.
func TestTheOthersInvolveNoNamedPeople(t *testing.T) {
	c := newCompany()
	for _, e := range c.Contacts[7:] {
		if owner := c.members[e.OwnerID].AccountName; (owner == "") != !e.PoolDepartmentID.IsZero() || named17(owner) {
			t.Errorf("%s is owned by %q", e.PlatformID, owner)
		}
	}
	for _, f := range c.Follows[7:] {
		if named17(c.members[f.MemberID].AccountName) {
			t.Errorf("%s is followed by %s", c.contacts[f.ContactID].PlatformID, c.members[f.MemberID].AccountName)
		}
	}
	others := byID(c.Groups[6:], func(g im.Group) im.ID { return g.ID })
	for _, m := range c.Memberships {
		if g, ok := others[m.GroupID]; ok && named17(c.party(m.Party)) {
			t.Errorf("%s is in %s", c.party(m.Party), g.PlatformID)
		}
	}
	for _, m := range c.Members[17:] {
		if !slices.Equal(m.Roles, []string{"employee"}) {
			t.Errorf("%s is %v", m.AccountName, m.Roles)
		}
		switch boss := c.members[m.ManagerID].EmployeeNo; boss {
		case "001", "002", "003", "007", "014":
		default:
			if boss < "018" {
				t.Errorf("%s reports to %q", m.AccountName, boss)
			}
		}
	}
}

func TestNamingRule(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range newCompany().Members {
		if want := pinyin.AccountName(m.Name, m.EmployeeNo); m.AccountName != want {
			t.Errorf("%s: got %s, want %s", m.Name, m.AccountName, want)
		}
		if seen[m.Name] {
			t.Errorf("two are called %s", m.Name)
		}
		seen[m.Name] = true
	}
	for _, row := range rows(wantMembers) {
		if got := pinyin.AccountName(row[1], row[2]); got != row[0] {
			t.Errorf("%s: got %s, want %s", row[1], got, row[0])
		}
	}
}

func TestReportingLinesEnd(t *testing.T) {
	c := newCompany()
	for _, m := range c.Members {
		at, steps := m, 0
		for ; !at.ManagerID.IsZero() && steps < len(c.Members); steps++ {
			at = c.members[at.ManagerID]
		}
		if at.EmployeeNo != "001" {
			t.Errorf("%s: the line ends with %q after %d steps", m.AccountName, at.EmployeeNo, steps)
		}
	}
}

// Every id points at something, of the right kind and on the right workspace, that comes earlier.
func TestReferences(t *testing.T) {
	c := newCompany()
	known := map[im.ID]bool{}
	here := map[[2]im.ID]bool{} // member, workspace
	add := func(id im.ID) {
		if id.IsZero() || known[id] {
			t.Errorf("the id %s is none, or there twice", id)
		}
		known[id] = true
	}
	need := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("%s does not hold together", what)
		}
	}
	for _, w := range c.Workspaces {
		add(w.ID)
	}
	for _, d := range c.Departments {
		need(d.Name, (d.ParentID.IsZero() || known[d.ParentID]) && c.members[d.ManagerID].Name != "")
		add(d.ID)
	}
	for _, m := range c.Members {
		need(m.AccountName, known[m.DepartmentID] && slices.Equal(m.Departments, []im.ID{m.DepartmentID}))
		need(m.AccountName, m.ManagerID.IsZero() || c.members[m.ManagerID].Name != "")
		add(m.ID)
	}
	for _, a := range c.Accounts {
		need(a.PlatformID, known[a.WorkspaceID] && (a.Kind != im.HumanAccount || known[a.MemberID] && !here[[2]im.ID{a.MemberID, a.WorkspaceID}]))
		here[[2]im.ID{a.MemberID, a.WorkspaceID}] = true
		add(a.ID)
	}
	now := c.Accounts[0].LastActiveAt
	open := map[im.ID]im.ID{}
	for _, b := range c.Bindings {
		need("a binding", known[b.AccountID] && known[b.MemberID] && b.From.Before(now) && (b.Until.IsZero() || b.From.Before(b.Until)))
		if b.Until.IsZero() {
			need("a second binding", open[b.AccountID].IsZero())
			open[b.AccountID] = b.MemberID
		}
		add(b.ID)
	}
	for _, a := range c.Accounts {
		need(a.PlatformID+" is bound", open[a.ID] == a.MemberID)
	}
	for _, d := range c.Devices {
		need(d.Label, known[d.AccountID] && !d.LastSeenAt.After(now))
		add(d.ID)
	}
	for _, i := range c.Identities {
		need(i.Subject, known[i.MemberID] && i.LinkedAt.Before(now))
		add(i.ID)
	}
	for _, e := range c.Contacts {
		need(e.PlatformID, here[[2]im.ID{e.OwnerID, e.WorkspaceID}] == e.PoolDepartmentID.IsZero())
		need(e.PlatformID, c.workspaces[e.WorkspaceID].Name != "feishu-hq") // Feishu has no customer call
		add(e.ID)
	}
	for i, f := range c.Follows {
		need("a follow", f.Since.Before(now) && f.Source != "" && here[[2]im.ID{f.MemberID, c.contacts[f.ContactID].WorkspaceID}])
		if i < len(c.Contacts) { // its owner's; those behind are of others
			need("a follow", f.ContactID == c.Contacts[i].ID && (f.MemberID == c.Contacts[i].OwnerID || c.Contacts[i].OwnerID.IsZero()))
		}
	}
	for _, o := range c.Opportunities {
		need(o.Title, c.contacts[o.ContactID].OwnerID == o.OwnerID && o.Amount > 0 && o.Currency == "CNY")
		add(o.ID)
	}
	for _, g := range c.Groups {
		need(g.PlatformID, here[[2]im.ID{g.OwnerID, g.WorkspaceID}] && (g.Kind == im.ProjectGroup) == (g.ProjectClosed != nil))
		need(g.PlatformID, g.DissolvedAt.IsZero() && (g.ProjectClosed == nil || !*g.ProjectClosed))
		add(g.ID)
	}
	in := map[[2]im.ID]bool{} // group, party
	for _, m := range c.Memberships {
		g := c.groups[m.GroupID]
		need(g.PlatformID, !in[[2]im.ID{g.ID, m.Party.ID}] && m.JoinedAt.Before(now) && m.JoinedAt.Before(until(m, now)))
		in[[2]im.ID{g.ID, m.Party.ID}] = m.LeftAt.IsZero()
		if m.Party.Kind == im.KindMember {
			need(g.PlatformID, here[[2]im.ID{m.Party.ID, g.WorkspaceID}])
		} else {
			need(g.PlatformID, c.contacts[m.Party.ID].WorkspaceID == g.WorkspaceID && m.Party.Kind == im.KindContact && !m.Admin)
		}
		add(m.ID)
	}
	for _, g := range c.Groups {
		need(g.PlatformID, in[[2]im.ID{g.ID, g.OwnerID}])
	}
}

func TestUnique(t *testing.T) {
	c := newCompany()
	seen := map[string]bool{}
	once := func(parts ...any) {
		t.Helper()
		if key := fmt.Sprint(parts...); seen[key] {
			t.Errorf("%s is there twice", key)
		} else {
			seen[key] = true
		}
	}
	for _, m := range c.Members {
		once("account ", m.AccountName)
		once("number ", m.EmployeeNo)
		once("phone ", m.Phone)
	}
	for _, e := range c.Contacts {
		once("contact ", e.WorkspaceID, e.PlatformID)
		once("person ", e.Name)
		once("phone ", e.Phone)
		if e.Company != "" {
			once("company ", e.Company)
		}
	}
	for _, g := range c.Groups {
		once("group ", g.WorkspaceID, g.PlatformID)
		once("group name ", g.Name)
	}
}

func TestSortKeys(t *testing.T) {
	c := newCompany()
	for _, m := range c.Members {
		if m.SortKey != pinyin.Person(m.Name) {
			t.Errorf("%s: %q", m.Name, m.SortKey)
		}
	}
	for _, e := range c.Contacts {
		if e.SortKey != pinyin.Person(e.Name) {
			t.Errorf("%s: %q", e.Name, e.SortKey)
		}
	}
	for _, d := range c.Departments {
		if d.SortKey != pinyin.Text(d.Name) {
			t.Errorf("%s: %q", d.Name, d.SortKey)
		}
	}
	for _, g := range c.Groups {
		if g.SortKey != pinyin.Text(g.Name) {
			t.Errorf("%s: %q", g.Name, g.SortKey)
		}
	}
}

// Two companies differ in their ids alone, and in when they are.
func TestTheSameEveryTime(t *testing.T) {
	shape := func(c company) string {
		var b strings.Builder
		for _, m := range c.Members {
			fmt.Fprintln(&b, m.AccountName, m.Phone, c.path(m.DepartmentID))
		}
		for i, e := range c.Contacts {
			fmt.Fprintln(&b, e.PlatformID, e.Name, e.Company, e.Tags, c.members[e.OwnerID].AccountName, c.Follows[i].Since)
		}
		for _, o := range c.Opportunities {
			fmt.Fprintln(&b, c.contacts[o.ContactID].PlatformID, o.Title, o.Amount, o.Stage)
		}
		for _, m := range c.Memberships {
			fmt.Fprintln(&b, c.groups[m.GroupID].PlatformID, c.party(m.Party), m.Admin, m.JoinedAt)
		}
		return b.String()
	}
	if diff := cmp.Diff(shape(newCompany()), shape(newCompany())); diff != "" {
		t.Error(diff)
	}
	for _, f := range newCompany().Follows {
		if f.Since.Location() != time.UTC || f.Since.Nanosecond()%1000 != 0 {
			t.Fatalf("since %s", f.Since)
		}
	}
}

// until is when somebody left a group; now where he has not.
func until(m im.Membership, now time.Time) time.Time {
	if m.LeftAt.IsZero() {
		return now
	}
	return m.LeftAt
}
