package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// company is made-up data of any size: every row follows from its number alone, so that two runs fill two databases
// alike and no row has to be remembered. Of 50,000 members it has what PERFORMANCE calls data M: 500,000 contacts,
// 1,000,000 relationships, 20,000 groups, 300,000 audit rows.
type company struct{ members int }

// How many of a thing there are to a member.
const (
	contactsEach      = 10
	relationshipsEach = 20
	eventsEach        = 6
	membersPerGroup   = 10
	membersPerLeaf    = 50 // of a department without others below
	leavesPerDivision = 20
	rareTag           = 1000 // of so many contacts one has the tag, and of so many accounts one was left alone
)

func (c company) contacts() int      { return c.members * contactsEach }
func (c company) relationships() int { return c.members * relationshipsEach }
func (c company) groups() int        { return c.members * 2 / 5 }
func (c company) events() int        { return c.members * eventsEach }
func (c company) leaves() int        { return (c.members + membersPerLeaf - 1) / membersPerLeaf }
func (c company) divisions() int     { return (c.leaves() + leavesPerDivision - 1) / leavesPerDivision }
func (c company) departments() int   { return 1 + c.divisions() + c.leaves() }

// founded is when the first row of each kind was made.
var founded = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// serial names kinds of rows in ids.
type serial byte

const (
	workspaceRow serial = iota + 1
	departmentRow
	memberRow
	accountRow
	contactRow
	groupRow
	membershipRow
	relationshipRow
	decisionRow
	eventRow
	keyRow
)

// id is that of the n-th row of a kind: a UUIDv7 like those of the product, so that ids are in the order of time.
func (s serial) id(n int) im.ID {
	var id im.ID
	after := time.Duration(n/4096) * time.Millisecond
	if s == relationshipRow || s == eventRow {
		after = sinceFounded(n)
	}
	binary.BigEndian.PutUint64(id[:], uint64(founded.Add(after).UnixMilli())<<16|0x7000|uint64(n%4096))
	binary.BigEndian.PutUint64(id[8:], scatter(uint64(n)<<8|uint64(s)))
	id[8] = id[8]&0x3f | 0x80
	return id
}

// sinceFounded is after what time the n-th relationship was made.
func sinceFounded(n int) time.Duration { return time.Duration(n) * time.Second / 8 }

// scatter spreads numbers (SplitMix64).
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var (
	surnames = []rune("王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗")
	given    = []rune("伟芳娜敏静强磊洋艳勇军杰娟涛明超霞平刚桂英华玉兰红建文志宇浩欣怡佳嘉雨")
	firms    = []string{"蓝海", "远山", "晨光", "恒通", "金桥", "华信", "东方", "宏达"}
)

// name is a person's: of n, always the same.
func name(n int, of serial) string {
	x := scatter(uint64(n)<<8 | uint64(of) | 1<<60)
	pick := func(from []rune) rune { r := from[x%uint64(len(from))]; x /= uint64(len(from)); return r }
	return string([]rune{pick(surnames), pick(given), pick(given)})
}

// workspaces are native, where members block each other, and customers, where contacts are.
func (company) workspaces() []im.Workspace {
	return []im.Workspace{
		{ID: workspaceRow.id(0), Name: "native", Platform: "native", Region: "CN", TimeZone: "Asia/Shanghai"},
		{ID: workspaceRow.id(1), Name: "customers", Platform: "native", Region: "CN", TimeZone: "Asia/Shanghai", CustomerContact: true},
	}
}

func (company) native() im.ID    { return workspaceRow.id(0) }
func (company) customers() im.ID { return workspaceRow.id(1) }

// department is the n-th: the head office, then divisions, then what is below them.
func (c company) department(n int) im.Department {
	d := im.Department{ID: departmentRow.id(n)}
	leaf, division := n-1-c.divisions(), n-1
	switch {
	case n == 0:
		d.Name, d.ManagerID, d.Path = "总部", memberRow.id(0), d.ID.String()+"/"
	case leaf < 0:
		d.Name, d.ParentID, d.ManagerID = fmt.Sprintf("事业%d部", division+1), departmentRow.id(0), memberRow.id(c.headOf(division))
		d.Path = departmentRow.id(0).String() + "/" + d.ID.String() + "/"
	default:
		above := c.department(1 + leaf/leavesPerDivision)
		d.Name, d.ParentID, d.ManagerID = fmt.Sprintf("业务%d组", leaf+1), above.ID, memberRow.id(leaf*membersPerLeaf)
		d.Path = above.Path + d.ID.String() + "/"
	}
	d.SortKey = pinyin.Text(d.Name)
	return d
}

// headOf is the number of the member who leads a division.
func (company) headOf(division int) int { return division * leavesPerDivision * membersPerLeaf }

// managerOf is the number of whom the n-th member reports to; who is first in a department leads it, and the first of all
// reports to nobody.
func (c company) managerOf(n int) int {
	head := c.headOf(n / (leavesPerDivision * membersPerLeaf))
	switch {
	case n == head:
		return 0
	case n%membersPerLeaf == 0:
		return head
	}
	return n / membersPerLeaf * membersPerLeaf
}

// member is the n-th.
func (c company) member(n int) im.Member {
	m := im.Member{ID: memberRow.id(n), Name: name(n, memberRow), EmployeeNo: fmt.Sprintf("%07d", n+1), Position: "专员", Rank: 3,
		Phone: fmt.Sprintf("+86154%08d", n), Roles: []string{"employee"}, JobFunction: im.General, Region: "CN", Employment: im.Employed,
		DepartmentID: departmentRow.id(1 + c.divisions() + n/membersPerLeaf), ManagerID: memberRow.id(c.managerOf(n))}
	switch {
	case n == 0:
		m.Position, m.Rank, m.Roles, m.ManagerID = "总经理", 10, []string{"super_admin"}, im.ID{}
	case n == c.headOf(n/(leavesPerDivision*membersPerLeaf)):
		m.Position, m.Rank, m.Roles = "总监", 8, []string{"dept_manager"}
	case n%membersPerLeaf == 0:
		m.Position, m.Rank, m.Roles = "经理", 6, []string{"dept_manager"}
	case n == administrator:
		m.Position, m.Roles = "管理员", []string{"admin"}
	case n%membersPerLeaf == server:
		m.Position, m.JobFunction = "客服", im.CustomerService
	}
	m.SortKey, m.AccountName = pinyin.Person(m.Name), pinyin.AccountName(m.Name, m.EmployeeNo)
	return m
}

// Members who ask: one whom policy shows all relationships that left a trace, and one who reads the trail but for the
// archive.
const (
	chief         = 0
	administrator = 1
	colleague     = 7
	server        = 9 // in each department, who serves customers and sees his own department alone
)

// lastActive is when the n-th account was used: one in a thousand when the company was founded, all others so late that
// they are not inactive when this is read.
func lastActive(n int) time.Time {
	if n%rareTag == 500 {
		return founded
	}
	return founded.AddDate(100, 0, 0)
}

// contact is the n-th; its owner follows it.
func (c company) contact(n int) im.ExternalContact {
	x := im.ExternalContact{ID: contactRow.id(n), WorkspaceID: c.customers(), PlatformID: fmt.Sprintf("wm_%08d", n), Name: name(n, contactRow),
		Company: firms[n%len(firms)], Phone: fmt.Sprintf("+86154%08d", 50_000_000+n%50_000_000), Verified: n%3 == 0, Region: "CN", Importance: im.NormalContact,
		Status: im.ContactActive, OwnerID: memberRow.id(n / contactsEach)}
	x.SortKey = pinyin.Person(x.Name)
	return x
}

// group is the n-th: of its owner and the members after him.
func (c company) group(n int) (g im.Group, members []int) {
	owner := int(scatter(uint64(n)) % uint64(c.members))
	for i := range min(membersPerGroup, c.members) {
		members = append(members, (owner+i)%c.members)
	}
	nm := fmt.Sprintf("项目%d群", n+1)
	return im.Group{ID: groupRow.id(n), WorkspaceID: c.native(), PlatformID: fmt.Sprintf("grp_%08d", n), Name: nm, SortKey: pinyin.Text(nm),
		Kind: im.ProjectGroup, OwnerID: memberRow.id(owner), ProjectClosed: new(bool)}, members
}

// relationship is the n-th. Each member has twenty, made over the whole time, as people do: sixteen with colleagues on
// native, four with contacts of his own; one in twenty was lifted.
func (c company) relationship(n int) im.Relationship {
	k, from := n/c.members, n%c.members
	at := founded.Add(sinceFounded(n))
	r := im.Relationship{ID: relationshipRow.id(n), WorkspaceID: c.native(), Kind: im.Block, State: im.Active, Version: 1, Scope: im.InitiatorView,
		Source: im.FromAPI, InitiatorID: memberRow.id(from), Reason: "消息太多，暂时不想收到", CreatedAt: at, EffectiveAt: at,
		Enforcement: im.EnforcedNative, DecisionID: decisionRow.id(n), Undo: im.UndoTerms{Allowed: true, Until: at.Add(72 * time.Hour), Trace: true}}
	if k%5 == 4 {
		r.WorkspaceID, r.Enforcement = c.customers(), im.EnforcedRecorded
		r.Target = im.Ref{Kind: im.KindContact, ID: contactRow.id(from*contactsEach + k/5)}
	} else {
		r.Target = im.Ref{Kind: im.KindMember, ID: memberRow.id(c.blocked(from, k))}
	}
	if k == 2 {
		r.State, r.EndedAt = im.Lifted, at.Add(time.Hour)
	}
	return r
}

// blocked is the number of the member whom a member blocked as his k-th.
func (c company) blocked(from, k int) int {
	return (from + 1 + k*max(1, c.members/relationshipsEach)) % c.members
}

// target is whom the n-th relationship is aimed at, by name.
func (c company) target(n int) string {
	k, from := n/c.members, n%c.members
	if k%5 == 4 {
		return name(from*contactsEach+k/5, contactRow)
	}
	return name(c.blocked(from, k), memberRow)
}

// event is the n-th of the trail: that the n-th relationship was made.
func (c company) event(n int) im.AuditEvent {
	rel := c.relationship(n)
	return im.AuditEvent{ID: eventRow.id(n), At: rel.CreatedAt, Actor: im.Ref{Kind: im.KindMember, ID: rel.InitiatorID}, ActorName: name(n%c.members, memberRow),
		Action: "block", Outcome: im.Allow, Subject: im.Ref{Kind: im.KindRelationship, ID: rel.ID}, About: rel.Target.ID, SubjectName: c.target(n),
		Detail: rel.Reason, WorkspaceID: rel.WorkspaceID, DecisionID: rel.DecisionID, RequestID: serial(99).id(n).String()}
}
