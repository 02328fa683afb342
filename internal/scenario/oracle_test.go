package scenario

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// oracle says who sees what, row by row, by the table of read scopes: from the rows themselves, and without a line of the gateway's.
type oracle struct {
	people    map[im.ID]*somebody
	byAccount map[string]*somebody
	path      map[im.ID]string // of departments
	contacts  map[im.ID]customerRow
	groups    map[im.ID]chatGroup
	accounts  map[im.ID]im.ID // whose

	relationships map[im.ID]*relationRow
	approvals     map[im.ID]*approvalRow
	alerts        map[im.ID]*alertRow
	events        map[im.ID]*eventRow
	changes       []changeRow // in the order of their numbers
}

type (
	somebody struct {
		id, manager im.ID
		account     string
		function    string
		rank        int
		roles       []string
		in          []im.ID // departments
	}
	customerRow struct {
		owner     im.ID
		followers []im.ID
	}
	chatGroup struct {
		owner   im.ID
		members []im.ID
	}
	relationRow struct {
		id, workspace, initiator, target im.ID
		kind, state                      string
		created                          int64
		expires                          *int64
		terms                            string
	}
	approvalRow struct {
		id, subject, by  im.ID
		state            string
		expires          *int64
		asked, responded []im.ID
	}
	alertRow struct {
		id, subject, person, contact im.ID
		kind                         string
		acknowledged                 *int64
	}
	eventRow struct {
		id, actor, subject, about, workspace im.ID
		action                               string
		outcome                              *string
		at                                   int64
	}
	changeRow struct {
		kind, what, previous, state string
		id                          im.ID
	}
)

// look reads all rows that say who sees what.
func look(t testing.TB, dsn string) *oracle {
	t.Helper()
	o := &oracle{people: map[im.ID]*somebody{}, byAccount: map[string]*somebody{}, path: map[im.ID]string{}, contacts: map[im.ID]customerRow{},
		groups: map[im.ID]chatGroup{}, accounts: map[im.ID]im.ID{}, relationships: map[im.ID]*relationRow{}, approvals: map[im.ID]*approvalRow{},
		alerts: map[im.ID]*alertRow{}, events: map[im.ID]*eventRow{}}
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
	each("select id, account_name, manager_id, job_function, rank from members", func(s scan) error {
		p := &somebody{}
		err := s(&p.id, &p.account, &p.manager, &p.function, &p.rank)
		o.people[p.id], o.byAccount[p.account] = p, p
		return err
	})
	var a, b im.ID
	var text string
	each("select member_id, role from member_roles", func(s scan) error {
		err := s(&a, &text)
		o.people[a].roles = append(o.people[a].roles, text)
		return err
	})
	each("select member_id, department_id from member_departments", func(s scan) error {
		err := s(&a, &b)
		o.people[a].in = append(o.people[a].in, b)
		return err
	})
	each("select id, path from departments", func(s scan) error { err := s(&a, &text); o.path[a] = text; return err })
	each("select id, owner_id from external_contacts", func(s scan) error { err := s(&a, &b); o.contacts[a] = customerRow{owner: b}; return err })
	each("select contact_id, member_id from contact_follows", func(s scan) error {
		err := s(&a, &b)
		c := o.contacts[a]
		c.followers = append(c.followers, b)
		o.contacts[a] = c
		return err
	})
	each("select id, owner_id from groups", func(s scan) error { err := s(&a, &b); o.groups[a] = chatGroup{owner: b}; return err })
	each("select group_id, party_id from group_members where left_at is null", func(s scan) error {
		err := s(&a, &b)
		g := o.groups[a]
		g.members = append(g.members, b)
		o.groups[a] = g
		return err
	})
	each("select id, member_id from accounts", func(s scan) error { err := s(&a, &b); o.accounts[a] = b; return err })
	each("select id, workspace_id, initiator_id, target_id, kind, state, created_at, expires_at, undo_terms from relationships", func(s scan) error {
		r := &relationRow{}
		err := s(&r.id, &r.workspace, &r.initiator, &r.target, &r.kind, &r.state, &r.created, &r.expires, &r.terms)
		o.relationships[r.id] = r
		return err
	})
	each("select id, subject_id, requested_by, state, expires_at from approvals", func(s scan) error {
		x := &approvalRow{}
		err := s(&x.id, &x.subject, &x.by, &x.state, &x.expires)
		o.approvals[x.id] = x
		return err
	})
	each("select approval_id, member_id from approval_candidates", func(s scan) error {
		err := s(&a, &b)
		o.approvals[a].asked = append(o.approvals[a].asked, b)
		return err
	})
	each("select approval_id, by_id from approval_verdicts", func(s scan) error {
		err := s(&a, &b)
		o.approvals[a].responded = append(o.approvals[a].responded, b)
		return err
	})
	each("select id, subject_id, person_id, contact_id, kind, acknowledged_at from alerts", func(s scan) error {
		x := &alertRow{}
		err := s(&x.id, &x.subject, &x.person, &x.contact, &x.kind, &x.acknowledged)
		o.alerts[x.id] = x
		return err
	})
	each("select id, actor_id, subject_id, about_id, workspace_id, action, outcome, at from audit_events", func(s scan) error {
		x := &eventRow{}
		err := s(&x.id, &x.actor, &x.subject, &x.about, &x.workspace, &x.action, &x.outcome, &x.at)
		o.events[x.id] = x
		return err
	})
	each("select kind, subject_id, what, coalesce(previous_state, ''), coalesce(cast(snapshot ->> 'State' as text), '') from changes where number is not null order by number",
		func(s scan) error {
			var c changeRow
			err := s(&c.kind, &c.id, &c.what, &c.previous, &c.state)
			o.changes = append(o.changes, c)
			return err
		})
	return o
}

// is reports whether somebody has a role, by name or by the order of ranks.
func (p *somebody) is(role string) bool {
	order := []string{"dept_manager", "admin", "super_admin"}
	if at := slices.Index(order, role); at >= 0 {
		return slices.ContainsFunc(p.roles, func(r string) bool { return slices.Index(order, r) >= at })
	}
	return slices.Contains(p.roles, role)
}

// below reports whether a person is in one of p's departments, or in one below.
func (o *oracle) below(p *somebody, person im.ID) bool {
	q := o.people[person]
	return q != nil && slices.ContainsFunc(p.in, func(top im.ID) bool {
		return slices.ContainsFunc(q.in, func(d im.ID) bool { return strings.HasPrefix(o.path[d], o.path[top]) })
	})
}

// above reports whether p stands above a person in the line of managers.
func (o *oracle) above(p *somebody, person im.ID) bool {
	for q, steps := o.people[person], 0; q != nil && steps < 50; steps++ {
		if q.manager == p.id {
			return true
		}
		q = o.people[q.manager]
	}
	return false
}

// untraced reports whether an undo left no trace of a relationship; nothing that is none ever had one.
func (o *oracle) untraced(id im.ID) bool {
	r := o.relationships[id]
	if r == nil || r.state != "UNDONE" {
		return false
	}
	var terms struct{ Trace bool }
	_ = json.Unmarshal([]byte(r.terms), &terms)
	return !terms.Trace
}

// hidden reports whether an undo took away from p all that is about a thing.
func (o *oracle) hidden(p *somebody, about im.ID) bool {
	return o.untraced(about) && !p.is("super_admin") && !p.is("auditor")
}

func (o *oracle) scopeOfRelationship(p *somebody, r *relationRow) bool {
	return p.is("admin") || p.is("legal") || p.is("auditor") || r.initiator == p.id || p.is("dept_manager") && o.below(p, r.initiator)
}

func (o *oracle) seesRelationship(p *somebody, r *relationRow) bool {
	return o.scopeOfRelationship(p, r) && !o.hidden(p, r.id)
}

func (p *somebody) concerned(a *approvalRow) bool {
	return a.by == p.id || slices.Contains(a.asked, p.id)
}

func (o *oracle) seesApproval(p *somebody, a *approvalRow) bool {
	return (p.concerned(a) || p.is("admin") || p.is("auditor")) && !o.hidden(p, a.subject)
}

func (o *oracle) seesAlert(p *somebody, a *alertRow) bool {
	return (p.is("admin") || p.is("auditor") || o.above(p, a.person) || o.contacts[a.contact].owner == p.id) && !o.hidden(p, a.subject)
}

func (o *oracle) seesEvent(p *somebody, e *eventRow) bool {
	about := e.subject
	if a := o.approvals[about]; a != nil {
		about = a.subject
	} else if a := o.alerts[about]; a != nil {
		about = a.subject
	}
	switch {
	case p.is("auditor"):
		return true
	case p.is("super_admin"):
		return !strings.HasPrefix(e.action, "archive.")
	case o.hidden(p, about):
		return false
	case p.is("admin") && (strings.HasPrefix(e.action, "policy.") || strings.HasPrefix(e.action, "platform.")):
		return true
	}
	return e.actor == p.id
}

// seesInDirectory is the same of things that are; of members, contacts and groups that are there.
func (o *oracle) seesInDirectory(p *somebody, kind string, id im.ID) bool {
	all := p.is("admin") || p.is("auditor")
	switch kind {
	case "account":
		return o.seesInDirectory(p, "member", o.accounts[id])
	case "member":
		narrow := p.function == "CUSTOMER_SERVICE" && p.rank < 4 && !all
		return !narrow || id == p.id || o.people[id] != nil && slices.ContainsFunc(p.in, func(d im.ID) bool { return slices.Contains(o.people[id].in, d) })
	case "contact":
		c := o.contacts[id]
		return all || c.owner == p.id || slices.Contains(c.followers, p.id) || p.is("dept_manager") && o.below(p, c.owner)
	case "group":
		g := o.groups[id]
		return all || p.is("it") || slices.Contains(g.members, p.id) || p.is("dept_manager") && (g.owner == p.id || o.below(p, g.owner))
	}
	return kind == "department"
}

var kinds = map[string]im.Kind{"relationship": im.KindRelationship, "approval": im.KindApproval, "alert": im.KindAlert, "member": im.KindMember,
	"contact": im.KindContact, "group": im.KindGroup, "account": im.KindAccount, "department": im.KindDepartment}

// hears lists what a stream tells p of all that has changed: what it is about, whether that shows, and what it was before.
func (o *oracle) hears(p *somebody, stream string) (out []string) {
	for _, c := range o.changes {
		shows, forget, more := false, false, c.previous
		switch c.kind {
		case "relationship":
			r := o.relationships[c.id]
			shows, forget = o.seesRelationship(p, r), o.scopeOfRelationship(p, r) && c.state == "UNDONE"
		case "approval":
			a := o.approvals[c.id]
			shows, forget = o.seesApproval(p, a) && p.concerned(a), p.concerned(a) && c.state != "PENDING"
		case "alert":
			shows = o.seesAlert(p, o.alerts[c.id])
		default:
			shows, more = o.seesInDirectory(p, c.kind, c.id), c.what
		}
		of := c.kind
		if of != "relationship" && of != "approval" && of != "alert" {
			of = "directory"
		}
		switch id := nodeid.Encode(kinds[c.kind], c.id); {
		case of != stream:
		case shows:
			out = append(out, fmt.Sprint(id, " ", true, " ", more))
		case forget:
			out = append(out, fmt.Sprint(id, " ", false, " "))
		}
	}
	return out
}

// visible are the ids of the rows that pass, newest first as lists have them.
func visible[R any](rows map[im.ID]R, kind im.Kind, passes func(R) bool) []string {
	out := []string{}
	for id, r := range rows {
		if passes(r) {
			out = append(out, nodeid.Encode(kind, id))
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// everybody is one of each kind of reader, and whoever has a part in the story.
var everybody = strings.Fields(`chenguang001 linyue002 zhaomin003 wangfang004 liqiang005 sunli006 zhoujie007 wuhao008 zhenglan009 fengtao010
	heyun011 guping012 tangxin013 qinlang014 mengjie015 shanxiaoyu016`)

// eventful is a time at the company in which there is something of everything: what waits, what was refused, what ended, what left
// no trace, and what was alerted of and taken note of. start is where the streams stood before.
func eventful(t *testing.T, dsn string, args ...string) (c company, start string) {
	t.Helper()
	dir := written(t, "p, acme.ask, feishu, employee, block, member, true, review, manager_of_actor, alert:KEY_CONTACT_BLOCKED")
	c = open(t, dsn, append(args, "--policies", dir)...)
	wang, zhao, lin, sun, zhou := c.person("wangfang004"), c.person("zhaomin003"), c.person("linyue002"), c.person("sunli006"), c.person("zhoujie007")
	start = wang.Do(`{changeCursor}`, nil).Text("changeCursor")
	done := func(what string, os ...outcome) {
		t.Helper()
		for _, o := range os {
			must(t, what, o.codes(), "")
		}
	}
	r := wang.blocks("sunli006", on("native"))
	done("lift", wang.lift(r.ID, "算了"))
	_, key := wang.asks("wm_haikang")
	done("agree", zhao.agree(key.ID, "可以"), lin.agree(key.ID, "可以"))
	lanhai := wang.blocks("wm_lanhai")
	taken := wang.undo(lanhai.ID, "点错了")
	done("ask to undo", taken)
	done("undo", lin.agree(taken.Approval.ID, "可以"))
	_, refused := c.person("qinlang014").asks("dt_maoyi", as("BLACKLIST"))
	done("refuse", c.person("chenguang001").refuse(refused.ID, "不行"))
	zhao.blocks("wuhao008", on("wecom-hq"))
	c.person("mengjie015").blocks("sunli006", on("native"), until(c.Now().Add(time.Hour)))
	must(t, "an auditor blocks", c.person("guping012").block("sunli006", on("native")).codes(), "POLICY_DENIED")
	gone, asked := sun.asks("shanxiaoyu016", on("feishu-hq"))
	done("agree", zhou.agree(asked.ID, "好"))
	done("take note", zhou.takesNote(zhou.alarms()[0], "知道了"), zhao.takesNote(zhao.alarms()[0], ""))
	done("undo without trace", sun.undo(gone.ID, "点错了"))
	liqiang := c.person("liqiang005")
	zhao.asks("wm_xingyun") // which goes on waiting
	_, back := liqiang.asks("wm_hengda")
	done("cancel", liqiang.cancel(back.ID))
	return c, start
}

// takesNote acknowledges an alert.
func (p person) takesNote(alert, comment string) outcome {
	p.c.t.Helper()
	return p.command(`mutation($id:ID!,$c:String){acknowledgeAlert(alertId:$id,comment:$c){alert{id acknowledgedBy{accountName} acknowledgedAt} `+commandFields+`}}`,
		vars{"id": alert, "c": comment})
}

// alerts are the ids of the alerts that the person may read, newest first.
func (p person) alarms() (out []string) {
	p.c.t.Helper()
	for _, a := range all[struct{ ID string }](p, "alerts", "id", "", nil) {
		out = append(out, a.ID)
	}
	return out
}
