package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// register is what stands in the directory, row by row, as filters, orders and links look at it.
type register struct {
	*oracle
	members     map[im.ID]*memberRow
	accounts    map[im.ID]*accountRow
	contacts    map[im.ID]*contactRow
	groups      map[im.ID]*groupRow
	places      map[im.ID]*placeRow
	departments map[im.ID]*departmentRow
}

type (
	memberRow struct {
		*somebody
		name, sortKey, no, phone, employment string
		linked                               bool
	}
	accountRow struct {
		id, member, workspace    im.ID
		kind, platformID, status string
		active                   *int64
	}
	contactRow struct {
		customerRow
		id, workspace, pool                                  im.ID
		platformID, name, company, phone, importance, status string
		verified                                             bool
		tags                                                 []string
	}
	groupRow struct {
		chatGroup
		id, workspace im.ID
		name, kind    string
		admins        []im.ID
	}
	placeRow struct {
		id, group, party im.ID
		left             *int64
	}
	departmentRow struct{ id, parent, manager im.ID }
)

// register reads the directory as it stands.
func (o *oracle) register(t testing.TB, dsn string) *register {
	t.Helper()
	reg := &register{oracle: o, members: map[im.ID]*memberRow{}, accounts: map[im.ID]*accountRow{}, contacts: map[im.ID]*contactRow{},
		groups: map[im.ID]*groupRow{}, places: map[im.ID]*placeRow{}, departments: map[im.ID]*departmentRow{}}
	db := testkit.Database(t, dsn)
	defer func() { _ = db.Close() }()
	each := func(query string, row func(scan func(...any) error) error) {
		t.Helper()
		rows, err := db.Query(query)
		must(t, query, err, nil)
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			must(t, query, row(rows.Scan), nil)
		}
		must(t, query, rows.Err(), nil)
	}
	type scan = func(...any) error
	var a, b im.ID
	var text string
	each("select id, name, sort_key, employee_no, phone, employment from members", func(s scan) error {
		m := &memberRow{}
		err := s(&a, &m.name, &m.sortKey, &m.no, &m.phone, &m.employment)
		m.somebody, reg.members[a] = o.people[a], m
		return err
	})
	each("select member_id from identity_links where personal", func(s scan) error { err := s(&a); reg.members[a].linked = true; return err })
	each("select id, member_id, workspace_id, kind, platform_id, status, last_active_at from accounts", func(s scan) error {
		x := &accountRow{}
		err := s(&x.id, &x.member, &x.workspace, &x.kind, &x.platformID, &x.status, &x.active)
		reg.accounts[x.id] = x
		return err
	})
	each("select id, workspace_id, pool_department_id, platform_id, name, company, phone, importance, status, verified from external_contacts", func(s scan) error {
		x := &contactRow{}
		err := s(&x.id, &x.workspace, &x.pool, &x.platformID, &x.name, &x.company, &x.phone, &x.importance, &x.status, &x.verified)
		x.customerRow, reg.contacts[x.id] = o.contacts[x.id], x
		return err
	})
	each("select contact_id, tag from contact_tags", func(s scan) error {
		err := s(&a, &text)
		reg.contacts[a].tags = append(reg.contacts[a].tags, text)
		return err
	})
	each("select id, workspace_id, name, kind from groups", func(s scan) error {
		x := &groupRow{}
		err := s(&x.id, &x.workspace, &x.name, &x.kind)
		x.chatGroup, reg.groups[x.id] = o.groups[x.id], x
		return err
	})
	each("select id, group_id, party_id, left_at from group_members", func(s scan) error {
		x := &placeRow{}
		err := s(&x.id, &x.group, &x.party, &x.left)
		reg.places[x.id] = x
		return err
	})
	each("select group_id, party_id from group_members where is_admin and left_at is null order by id", func(s scan) error {
		err := s(&a, &b)
		reg.groups[a].admins = append(reg.groups[a].admins, b)
		return err
	})
	each("select id, parent_id, manager_id from departments", func(s scan) error {
		d := &departmentRow{}
		err := s(&d.id, &d.parent, &d.manager)
		reg.departments[d.id] = d
		return err
	})
	return reg
}

// service is somebody who is nobody: a service, which sees the contacts and nothing else of what has a scope.
var service = &somebody{account: "crm-demo", roles: []string{"service:contacts"}}

// sees is who sees what, of persons by the oracle.
func (reg *register) sees(p *somebody, kind string, id im.ID) bool {
	if p == service {
		return kind == "contact" || kind == "department"
	}
	return reg.seesInDirectory(p, kind, id)
}

func (reg *register) seesRelation(p *somebody, r *relationRow) bool {
	return p != service && reg.seesRelationship(p, r)
}

// unmasks is whose phone number and platform ids somebody reads whole: below admin one's own, and one's own contacts'.
func (p *somebody) unmasks(owners ...im.ID) bool {
	return p.is("admin") || p != service && slices.Contains(owners, p.id)
}

func (c *contactRow) owners() []im.ID { return append([]im.ID{c.owner}, c.followers...) }

// within reports whether a member is in a department, or in one below.
func (reg *register) within(m *memberRow, top im.ID) bool {
	return slices.ContainsFunc(m.in, func(d im.ID) bool { return strings.HasPrefix(reg.path[d], reg.path[top]) })
}

// inOrder are the ids of the rows that pass, in an order of which ties are broken by id.
func inOrder[R any](rows map[im.ID]R, kind im.Kind, passes func(R) bool, by func(a, b R) int) []string {
	ids := []im.ID{}
	for id, r := range rows {
		if passes(r) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b im.ID) int { return cmp.Or(by(rows[a], rows[b]), slices.Compare(a[:], b[:])) })
	out := []string{}
	for _, id := range ids {
		out = append(out, nodeid.Encode(kind, id))
	}
	return out
}

func byID[R any](R, R) int { return 0 }

// whole holds a list of things that are, under every filter, to the rows that one sees: at a hundred a page, and without a
// filter at fewer, too.
func whole[R any](t testing.TB, p person, list string, kind im.Kind, rows map[im.ID]R, sees func(R) bool, filters []passing[R]) {
	t.Helper()
	all := inOrder(rows, kind, sees, byID)
	for _, size := range []int{1, 7, 100} {
		if len(all) <= 60*size { // 700 contacts one by one are for nobody
			p.leafs(t, "{l:"+list+"(§)@}", "l", size, all)
		}
	}
	for _, f := range filters {
		p.leafs(t, "{l:"+list+"(§"+f.args+")@}", "l", 100, inOrder(rows, kind, func(r R) bool { return sees(r) && f.pass(r) }, byID))
	}
}

func filtered(format string, args ...any) string {
	return ",filter:{" + fmt.Sprintf(format, args...) + "}"
}

// The directory is in everybody's lists exactly as far as he may see it, under every filter and in every order; and so is
// what hangs on its rows. What is masked is so in every row.
func TestDirectoryShowsWhatOneSees(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c, _ := eventful(t, dsn, "--limits-everyone", "1000000/0/0") // all that hangs on all rows is dearer than anybody may ask
		now := c.Now()
		reg := look(t, dsn).register(t, dsn)
		// Who sees few people has something to do with others: no filter may find what he sees by whom he does not.
		db, tang := testkit.Database(t, dsn), reg.byAccount["tangxin013"].id
		for _, name := range []string{"午饭群", "海康采购对接群"} {
			for _, g := range reg.groups {
				if g.name == name {
					_, err := db.Exec("insert into group_members (id, group_id, party_kind, party_id, is_admin, joined_at) values ($1, $2, 'member', $3, $4, 1)", im.NewIDs(c.Now).New(), g.id, tang, false)
					must(t, "a place", err, nil)
				}
			}
		}
		_, err := db.Exec("insert into contact_follows (contact_id, member_id, since, source) values ($1, $2, 1, 'x')", reg.contact("wm_haikang").id, tang)
		must(t, "a tie", err, nil)
		reg = look(t, dsn).register(t, dsn)
		tables := reg.filters()
		for _, account := range append(slices.Clone(everybody), "hanlei017", service.account) {
			who := reg.byAccount[account]
			var p person
			if who != nil {
				p = c.person(account)
			} else {
				p, who = c.service(demoKey), service
				p.account = account
			}
			whole(t, p, "members", im.KindMember, reg.members, func(m *memberRow) bool { return reg.sees(who, "member", m.id) }, tables.members(who))
			whole(t, p, "accounts", im.KindAccount, reg.accounts, func(a *accountRow) bool { return reg.sees(who, "account", a.id) }, tables.accounts(who))
			whole(t, p, "externalContacts", im.KindContact, reg.contacts, func(x *contactRow) bool { return reg.sees(who, "contact", x.id) }, tables.contacts(who))
			whole(t, p, "groups", im.KindGroup, reg.groups, func(g *groupRow) bool { return reg.sees(who, "group", g.id) }, tables.groups(who))
			whole(t, p, "departments", im.KindDepartment, reg.departments, func(d *departmentRow) bool { return reg.sees(who, "department", d.id) }, nil)
			for _, days := range []int{0, 7, 30, 365} {
				since := now.AddDate(0, 0, -days).UnixMicro()
				p.leafs(t, fmt.Sprintf("{l:inactiveAccounts(§,days:%d)@}", days), "l", 7, inOrder(reg.accounts, im.KindAccount, func(a *accountRow) bool {
					return reg.sees(who, "account", a.id) && a.status == "ACTIVE" && (a.active == nil || *a.active < since)
				}, byID))
			}
			reg.orders(t, p, who)
			reg.nested(t, p, who)
			reg.links(t, p, who)
		}
	})
}

// orders holds members in each of their orders to the same total order.
func (reg *register) orders(t testing.TB, p person, who *somebody) {
	t.Helper()
	sees := func(m *memberRow) bool { return reg.sees(who, "member", m.id) }
	for by, order := range map[string]func(a, b *memberRow) int{
		"NAME":        func(a, b *memberRow) int { return strings.Compare(a.sortKey, b.sortKey) },
		"EMPLOYEE_NO": func(a, b *memberRow) int { return strings.Compare(a.no, b.no) },
		"RANK_DESC":   func(a, b *memberRow) int { return cmp.Compare(b.rank, a.rank) },
	} {
		p.leafs(t, "{l:members(§,orderBy:"+by+")@}", "l", 7, inOrder(reg.members, im.KindMember, sees, order))
		p.leafs(t, "{l:members(§,orderBy:"+by+",filter:{jobFunction:SALES})@}", "l", 7,
			inOrder(reg.members, im.KindMember, func(m *memberRow) bool { return sees(m) && m.function == "SALES" }, order))
	}
}

// filterTables are the filters of each list, and what passes them for whom.
type filterTables struct {
	members  func(*somebody) []passing[*memberRow]
	accounts func(*somebody) []passing[*accountRow]
	contacts func(*somebody) []passing[*contactRow]
	groups   func(*somebody) []passing[*groupRow]
}

func (reg *register) filters() (out filterTables) {
	person := func(account string) (string, im.ID) {
		id := reg.byAccount[account].id
		return nodeid.Encode(im.KindMember, id), id
	}
	workspaces := map[im.ID]bool{}
	for _, a := range reg.accounts {
		workspaces[a.workspace] = true
	}
	out.members = func(who *somebody) (fs []passing[*memberRow]) {
		add := func(pass func(*memberRow) bool, format string, args ...any) {
			fs = append(fs, passing[*memberRow]{filtered(format, args...), pass})
		}
		for _, q := range []string{"王", "赵敏", "WANGFANG004", "012", "%", "北斗"} {
			add(func(m *memberRow) bool {
				return strings.Contains(m.name, q) || strings.Contains(m.account, strings.ToLower(q)) || strings.Contains(m.no, q)
			}, "query:%q", q)
		}
		for id := range reg.departments {
			d := nodeid.Encode(im.KindDepartment, id)
			add(func(m *memberRow) bool { return reg.within(m, id) }, "departmentId:%q", d)
			add(func(m *memberRow) bool { return slices.Contains(m.in, id) }, "departmentId:%q,includeDescendants:false", d)
		}
		for _, f := range []string{"SALES", "CUSTOMER_SERVICE", "LEGAL"} {
			add(func(m *memberRow) bool { return m.function == f }, "jobFunction:%s", f)
		}
		for _, r := range []string{"dept_manager", "super_admin", "auditor", "employee"} {
			add(func(m *memberRow) bool { return slices.Contains(m.roles, r) }, "role:%q", r)
		}
		for w := range workspaces {
			add(func(m *memberRow) bool {
				for _, a := range reg.accounts {
					if a.member == m.id && a.workspace == w {
						return true
					}
				}
				return false
			}, "workspaceId:%q", nodeid.Encode(im.KindWorkspace, w))
		}
		for _, e := range []string{"ACTIVE", "DEPARTED"} { // a departure shows to nobody yet
			add(func(m *memberRow) bool { return m.employment == e || e == "ACTIVE" && m.employment == "DEPARTING" }, "employment:%s", e)
		}
		for _, linked := range []bool{true, false} {
			add(func(m *memberRow) bool { return m.linked == linked }, "linkedToPersonal:%t", linked)
		}
		return fs
	}
	out.accounts = func(who *somebody) (fs []passing[*accountRow]) {
		add := func(pass func(*accountRow) bool, format string, args ...any) {
			fs = append(fs, passing[*accountRow]{filtered(format, args...), pass})
		}
		for _, q := range []string{"王芳", "wangfang004", "sunli006", "bot_notice", "qiantai"} {
			add(func(a *accountRow) bool {
				m := reg.members[a.member]
				return m != nil && reg.sees(who, "member", m.id) && (strings.Contains(m.name, q) || strings.Contains(m.account, q)) ||
					a.platformID == q && who.unmasks(a.member)
			}, "query:%q", q)
		}
		for w := range workspaces {
			add(func(a *accountRow) bool { return a.workspace == w }, "workspaceId:%q", nodeid.Encode(im.KindWorkspace, w))
		}
		for _, account := range []string{"wangfang004", "tangxin013", "fengtao010"} {
			code, id := person(account)
			add(func(a *accountRow) bool { return a.member == id }, "memberId:%q", code)
		}
		for _, s := range []string{"ACTIVE", "FROZEN", "DORMANT", "DISABLED"} {
			add(func(a *accountRow) bool { return a.status == s }, "status:%s", s)
		}
		for _, k := range []string{"HUMAN", "SHARED", "BOT"} {
			add(func(a *accountRow) bool { return a.kind == k }, "kind:%s", k)
		}
		for _, yes := range []bool{true, false} {
			add(func(a *accountRow) bool { return a.member.IsZero() == yes }, "orphan:%t", yes)
			add(func(a *accountRow) bool {
				return (a.status == "ACTIVE" && !a.member.IsZero() && reg.members[a.member].employment == "DEPARTED") == yes
			}, "leaver:%t", yes)
		}
		return fs
	}
	out.contacts = func(who *somebody) (fs []passing[*contactRow]) {
		add := func(pass func(*contactRow) bool, format string, args ...any) {
			fs = append(fs, passing[*contactRow]{filtered(format, args...), pass})
		}
		hai := reg.contact("wm_haikang")
		for _, q := range []string{"商贸", "周采购", "恒", "wm_haikang", "wm_xingyun", "dt_maoyi", hai.phone} {
			add(func(x *contactRow) bool {
				return strings.Contains(x.name, q) || strings.Contains(x.company, q) || who.unmasks(x.owners()...) && (x.platformID == q || x.phone == q)
			}, "query:%q", q)
		}
		local := strings.TrimPrefix(hai.phone, "+86")
		for _, q := range []string{local, local[:3] + " " + local[3:7] + " " + local[7:], "+86 " + local[:3] + "-" + local[3:7] + "-" + local[7:], "0086" + local, "86" + local, "（＋８６）" + local} {
			add(func(x *contactRow) bool { return who.unmasks(x.owners()...) && x.phone == hai.phone }, "query:%q", q)
		}
		for w := range workspaces {
			add(func(x *contactRow) bool { return x.workspace == w }, "workspaceId:%q", nodeid.Encode(im.KindWorkspace, w))
		}
		for _, account := range []string{"wangfang004", "liqiang005", "zhaomin003", "tangxin013", "qinlang014"} {
			code, id := person(account)
			add(func(x *contactRow) bool { return x.owner == id && reg.sees(who, "member", id) }, "ownerId:%q", code)
		}
		for id := range reg.departments {
			add(func(x *contactRow) bool { return x.pool == id }, "poolDepartmentId:%q", nodeid.Encode(im.KindDepartment, id))
		}
		for _, s := range []string{"ACTIVE", "AT_RISK", "LOST"} { // nobody was blacklisted to the end
			add(func(x *contactRow) bool { return x.status == s }, "status:%s", s)
		}
		for _, i := range []string{"NORMAL", "KEY"} {
			add(func(x *contactRow) bool { return x.importance == i }, "importance:%s", i)
		}
		for _, tag := range []string{"华东", "重点客户"} {
			add(func(x *contactRow) bool { return slices.Contains(x.tags, tag) }, "tag:%q", tag)
		}
		for _, yes := range []bool{true, false} {
			add(func(x *contactRow) bool { return x.verified == yes }, "verified:%t", yes)
		}
		return fs
	}
	out.groups = func(who *somebody) (fs []passing[*groupRow]) {
		add := func(pass func(*groupRow) bool, format string, args ...any) {
			fs = append(fs, passing[*groupRow]{filtered(format, args...), pass})
		}
		for _, q := range []string{"海康", "群", "研发"} {
			add(func(g *groupRow) bool { return strings.Contains(g.name, q) }, "query:%q", q)
		}
		for w := range workspaces {
			add(func(g *groupRow) bool { return g.workspace == w }, "workspaceId:%q", nodeid.Encode(im.KindWorkspace, w))
		}
		for _, k := range []string{"DEPARTMENT", "PROJECT", "CUSTOMER", "GENERAL", "EXTERNAL_COLLABORATION"} {
			add(func(g *groupRow) bool { return g.kind == k }, "kind:%s", k)
		}
		for _, account := range []string{"wangfang004", "sunli006", "zhaomin003", "tangxin013", "mengjie015"} {
			code, id := person(account)
			add(func(g *groupRow) bool { return g.owner == id && reg.sees(who, "member", id) }, "ownerId:%q", code)
			add(func(g *groupRow) bool { return slices.Contains(g.members, id) && reg.sees(who, "member", id) }, "memberId:%q", code)
		}
		return fs
	}
	return out
}

func (reg *register) contact(platformID string) *contactRow {
	for _, c := range reg.contacts {
		if c.platformID == platformID {
			return c
		}
	}
	return nil
}

// branch is a list that hangs on rows, with its arguments, and what it shows of which row.
type branch struct {
	list, args string
	want       func(parent im.ID) []string
}

// branches holds lists that hang on the rows of another one to what they should show: of all rows beside each other the first
// page, the last one and a long one, and of some of them every page.
func (p person) branches(t testing.TB, root, typ string, kind im.Kind, parents []im.ID, bs []branch) {
	t.Helper()
	if few := 9; len(bs) > few { // of as many aliases as an operation may have
		p.branches(t, root, typ, kind, parents, bs[few:])
		bs = bs[:few]
	}
	fields := ""
	for i, b := range bs {
		for _, size := range []string{"first:3", "last:3", "first:100"} {
			fields += fmt.Sprintf(" b%d%s:%s(%s%s){nodes{id} totalCount pageInfo{hasNextPage hasPreviousPage}}", i, strings.NewReplacer(":", "").Replace(size), b.list, size, b.args)
		}
	}
	seen := 0
	for at := any(nil); ; {
		a := p.Do("query($at:String){l:"+root+"(first:100,after:$at){nodes{id"+fields+"} pageInfo{hasNextPage endCursor}}}", vars{"at": at})
		for _, n := range a.Get("l.nodes").([]any) {
			row := n.(vars)
			parent := slices.IndexFunc(parents, func(id im.ID) bool { return nodeid.Encode(kind, id) == row["id"] })
			if parent < 0 {
				t.Errorf("%s sees %s", p.account, row["id"])
				continue
			}
			seen++
			for i, b := range bs {
				all := b.want(parents[parent])
				for alias, want := range map[string][]string{"first3": all[:min(3, len(all))], "last3": all[max(0, len(all)-3):], "first100": all[:min(100, len(all))]} {
					list := row[fmt.Sprint("b", i, alias)].(vars)
					got := []string{}
					for _, n := range list["nodes"].([]any) {
						got = append(got, n.(vars)["id"].(string))
					}
					info := list["pageInfo"].(vars)
					more := info["hasNextPage"] == true || info["hasPreviousPage"] == true
					if !slices.Equal(got, want) || list["totalCount"] != float64(len(all)) || more != (len(want) < len(all)) {
						t.Errorf("%s: %s.%s(%s%s) of %s: %v of %v, more %t; want %v of %d", p.account, typ, b.list, alias, b.args, row["id"], got, list["totalCount"], more, want, len(all))
					}
				}
			}
		}
		if at = a.Get("l.pageInfo.endCursor"); a.Get("l.pageInfo.hasNextPage") != true {
			break
		}
	}
	expect(t, fmt.Sprint(p.account, " reads what hangs on ", root), seen, len(parents))
	for _, b := range bs {
		walked := 0
		for _, parent := range parents {
			if all := b.want(parent); len(all) > 1 && len(all) <= 60 && walked < 1 {
				walked++
				for _, size := range []int{1, 7} {
					p.leafs(t, fmt.Sprintf("{n:node(id:%q){... on %s{l:%s(§%s)@}}}", nodeid.Encode(kind, parent), typ, b.list, b.args), "n.l", size, all)
				}
			}
		}
	}
}

// keys are the ids of the rows that pass.
func keys[R any](rows map[im.ID]R, passes func(im.ID) bool) (out []im.ID) {
	for id := range rows {
		if passes(id) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b im.ID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// nested holds every list that hangs on the directory to what somebody sees.
func (reg *register) nested(t testing.TB, p person, who *somebody) {
	t.Helper()
	seen := func(kind string) func(im.ID) bool { return func(id im.ID) bool { return reg.sees(who, kind, id) } }
	members := func(pass func(parent im.ID, m *memberRow) bool) func(im.ID) []string {
		return func(parent im.ID) []string {
			return inOrder(reg.members, im.KindMember, func(m *memberRow) bool { return reg.sees(who, "member", m.id) && pass(parent, m) }, byID)
		}
	}
	contacts := func(pass func(parent im.ID, x *contactRow) bool) func(im.ID) []string {
		return func(parent im.ID) []string {
			return inOrder(reg.contacts, im.KindContact, func(x *contactRow) bool { return reg.sees(who, "contact", x.id) && pass(parent, x) }, byID)
		}
	}
	places := func(pass func(parent im.ID, x *placeRow) bool) func(im.ID) []string {
		return func(parent im.ID) []string {
			return inOrder(reg.places, im.KindMembership, func(x *placeRow) bool { return pass(parent, x) }, byID)
		}
	}
	relations := func(pass func(parent im.ID, r *relationRow) bool) func(im.ID) []string {
		return func(parent im.ID) []string {
			return visible(reg.relationships, im.KindRelationship, func(r *relationRow) bool { return reg.seesRelation(who, r) && pass(parent, r) })
		}
	}
	events := func(pass func(parent im.ID, e *eventRow) bool) func(im.ID) []string {
		return func(parent im.ID) []string {
			return visible(reg.events, im.KindAudit, func(e *eventRow) bool { return who != service && pass(parent, e) })
		}
	}
	owns := func(parent im.ID, x *contactRow) bool { return slices.Contains(x.owners(), parent) }
	ofHis := func(x *placeRow) bool { return x.party == who.id || reg.sees(who, "group", x.group) }
	p.branches(t, "members", "Member", im.KindMember, keys(reg.members, seen("member")), []branch{
		{"reports", "", members(func(parent im.ID, m *memberRow) bool { return m.manager == parent })},
		{"contacts", "", contacts(owns)},
		{"contacts", filtered("importance:KEY"), contacts(func(parent im.ID, x *contactRow) bool { return owns(parent, x) && x.importance == "KEY" })},
		{"contacts", filtered("query:%q", "商"), contacts(func(parent im.ID, x *contactRow) bool {
			return owns(parent, x) && (strings.Contains(x.name, "商") || strings.Contains(x.company, "商"))
		})},
		{"groups", "", func(parent im.ID) []string {
			return inOrder(reg.groups, im.KindGroup, func(g *groupRow) bool { return reg.sees(who, "group", g.id) && slices.Contains(g.members, parent) }, byID)
		}},
		{"groupMemberships", "", places(func(parent im.ID, x *placeRow) bool { return x.party == parent && x.left == nil && ofHis(x) })},
		{"groupMemberships", ",includeLeft:true", places(func(parent im.ID, x *placeRow) bool { return x.party == parent && ofHis(x) })},
		{"relationships", "", relations(func(parent im.ID, r *relationRow) bool { return r.initiator == parent })},
		{"relationships", ",direction:INCOMING", relations(func(parent im.ID, r *relationRow) bool { return r.target == parent })},
		{"relationships", ",direction:BOTH", relations(func(parent im.ID, r *relationRow) bool { return r.initiator == parent || r.target == parent })},
		{"relationships", ",direction:BOTH" + filtered("states:[LIFTED]"), relations(func(parent im.ID, r *relationRow) bool {
			return (r.initiator == parent || r.target == parent) && r.state == "LIFTED"
		})},
		{"accessLog", "", events(func(parent im.ID, e *eventRow) bool {
			return e.about == parent && (strings.HasPrefix(e.action, "archive.") || strings.HasPrefix(e.action, "read.")) && (parent == who.id || who.is("auditor"))
		})},
	})
	p.branches(t, "departments", "Department", im.KindDepartment, keys(reg.departments, seen("department")), []branch{
		{"members", "", members(func(parent im.ID, m *memberRow) bool { return slices.Contains(m.in, parent) })},
		{"members", ",includeDescendants:true", members(func(parent im.ID, m *memberRow) bool { return reg.within(m, parent) })},
	})
	p.branches(t, "groups", "Group", im.KindGroup, keys(reg.groups, seen("group")), []branch{
		{"members", "", places(func(parent im.ID, x *placeRow) bool { return x.group == parent && x.left == nil })},
		{"members", ",includeLeft:true", places(func(parent im.ID, x *placeRow) bool { return x.group == parent })},
	})
	p.branches(t, "accounts", "Account", im.KindAccount, keys(reg.accounts, seen("account")), []branch{
		{"statusHistory", "", events(func(parent im.ID, e *eventRow) bool { return e.subject == parent && reg.seesEvent(who, e) })},
	})
	p.branches(t, "externalContacts", "ExternalContact", im.KindContact, keys(reg.contacts, seen("contact")), []branch{
		{"relationships", "", relations(func(parent im.ID, r *relationRow) bool { return r.target == parent })},
		{"relationships", filtered("kinds:[BLACKLIST]"), relations(func(parent im.ID, r *relationRow) bool { return r.target == parent && r.kind == "BLACKLIST" })},
	})
}

// links holds what a row shows of others, and what of it is masked, to what somebody sees.
func (reg *register) links(t testing.TB, p person, who *somebody) {
	t.Helper()
	member := func(id im.ID) any {
		if id.IsZero() || !reg.sees(who, "member", id) {
			return nil
		}
		return nodeid.Encode(im.KindMember, id)
	}
	within := func(list any, key string) (out []any) {
		out = []any{}
		for _, n := range list.([]any) {
			out = append(out, idOf(n.(vars)[key]))
		}
		return out
	}
	check := func(what string, id im.ID, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s of %s: %v, want %v", p.account, what, id, got, want)
		}
	}
	for id, row := range rowsOf(t, p, "members", im.KindMember, reg.members,
		"phone manager{id} department{id} departments{id} accounts{id member{id} platformId} identities{subject}") {
		m := reg.members[id]
		check("manager", id, idOf(row["manager"]), member(m.manager))
		check("phone", id, row["phone"], masking(m.phone, who.unmasks(id)))
		check("departments", id, len(row["departments"].([]any)), len(m.in))
		accounts := []any{}
		for _, a := range inOrder(reg.accounts, im.KindAccount, func(a *accountRow) bool { return a.member == id }, byID) {
			accounts = append(accounts, a)
		}
		got := []any{}
		for _, a := range row["accounts"].([]any) {
			got = append(got, idOf(a))
			check("platform id of an account shows", id, a.(vars)["platformId"] != nil, who.unmasks(id))
		}
		check("accounts", id, got, accounts)
		for _, i := range row["identities"].([]any) {
			check("subject of an identity shows", id, i.(vars)["subject"] != nil, who.unmasks(id))
		}
	}
	for id, row := range rowsOf(t, p, "accounts", im.KindAccount, reg.accounts, "platformId member{id} bindings{member{id}}") {
		a := reg.accounts[id]
		want := any(nil)
		if !a.member.IsZero() && who.unmasks(a.member) || who.is("admin") {
			want = a.platformID
		}
		check("platform id", id, row["platformId"], want)
		check("member", id, idOf(row["member"]), member(a.member))
	}
	for id, row := range rowsOf(t, p, "externalContacts", im.KindContact, reg.contacts, "phone platformId owner{id} followers{member{id}} opportunities{owner{id}}") {
		x := reg.contacts[id]
		whole := who.unmasks(x.owners()...)
		want := any(nil)
		if whole {
			want = x.platformID
		}
		check("platform id", id, row["platformId"], want)
		check("phone", id, row["phone"], masking(x.phone, whole))
		check("owner", id, idOf(row["owner"]), member(x.owner))
		followers := within(row["followers"], "member")
		check("followers", id, len(followers), len(x.followers))
		for _, f := range followers {
			check("a hidden follower", id, f != nil && !slices.ContainsFunc(x.followers, func(m im.ID) bool { return member(m) == f }), false)
		}
	}
	for id, row := range rowsOf(t, p, "groups", im.KindGroup, reg.groups, "owner{id} admins{id} members(first:100){nodes{id party{... on Member{id} ... on ExternalContact{id}}}}") {
		g := reg.groups[id]
		check("owner", id, idOf(row["owner"]), member(g.owner))
		admins := []any{}
		for _, a := range g.admins {
			if m := member(a); m != nil {
				admins = append(admins, m)
			}
		}
		got := []any{}
		for _, a := range row["admins"].([]any) {
			got = append(got, idOf(a))
		}
		check("admins", id, got, admins)
		for _, n := range row["members"].(vars)["nodes"].([]any) {
			place := n.(vars)
			for _, x := range reg.places {
				if nodeid.Encode(im.KindMembership, x.id) != place["id"] {
					continue
				}
				want := member(x.party)
				if reg.members[x.party] == nil {
					if want = nil; reg.sees(who, "contact", x.party) {
						want = nodeid.Encode(im.KindContact, x.party)
					}
				}
				check("who has a place in a group", id, idOf(place["party"]), want)
			}
		}
	}
	for id, row := range rowsOf(t, p, "departments", im.KindDepartment, reg.departments, "manager{id} parent{id} children{id}") {
		d := reg.departments[id]
		check("manager", id, idOf(row["manager"]), member(d.manager))
		children := 0
		for _, c := range reg.departments {
			if c.parent == id {
				children++
			}
		}
		check("children", id, len(row["children"].([]any)), children)
	}
}

// idOf is the id of a thing that a row links to; nil where it does not show.
func idOf(thing any) any {
	if thing, ok := thing.(vars); ok {
		return thing["id"]
	}
	return nil
}

// masking is a phone number as it shows: whole, or its first three and last four letters.
func masking(phone string, whole bool) any {
	switch r := []rune(phone); {
	case phone == "":
		return nil
	case whole:
		return phone
	default:
		return string(r[:3]) + strings.Repeat("*", len(r)-7) + string(r[len(r)-4:])
	}
}

// rowsOf are all rows of a list with some fields, by what they are.
func rowsOf[R any](t testing.TB, p person, list string, kind im.Kind, rows map[im.ID]R, fields string) map[im.ID]vars {
	t.Helper()
	ids := map[string]im.ID{}
	for id := range rows {
		ids[nodeid.Encode(kind, id)] = id
	}
	out := map[im.ID]vars{}
	for _, row := range all[vars](p, list, "id "+fields, "", nil) {
		out[ids[row["id"].(string)]] = row
	}
	return out
}

// A number that was written down in some way before there was this search is found all the same, once the gateway was started.
func TestNumbersOfBefore(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		c.exec("update external_contacts set dialled = null, phone = '(0086) 138-0000-1234' where platform_id = 'wm_spam'")
		c.Stop()
		c = company{testkit.Demo(t, c.dsn), t, c.dsn, map[string]string{}}
		for _, q := range []string{"13800001234", "+86 138 0000 1234"} {
			a := c.person("linyue002").Do(`query($q:String){externalContacts(filter:{query:$q}){nodes{name}}}`, vars{"q": q})
			expect(t, q, fmt.Sprint(a.Get("externalContacts.nodes")), "[map[name:"+contacts["wm_spam"]+"]]")
		}
	})
}
