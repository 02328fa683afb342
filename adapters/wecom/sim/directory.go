package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// below is the department of the parameter and all below it; all there are where the parameter is empty. That an unknown
// department is 60003 is read from the table of codes, not from the page.
func (c *call) below(parameter string) ([]Department, error) {
	if parameter == "" {
		return c.Departments, nil
	}
	id, err := strconv.ParseInt(parameter, 10, 64)
	if err != nil {
		return nil, badParameter
	}
	if c.department(id) == nil {
		return nil, noDepartment
	}
	in := map[int64]bool{id: true}
	for grown := true; grown; { // parents may come after their children
		grown = false
		for _, d := range c.Departments {
			if in[d.ParentID] && !in[d.ID] {
				in[d.ID], grown = true, true
			}
		}
	}
	var out []Department
	for _, d := range c.Departments {
		if in[d.ID] {
			out = append(out, d)
		}
	}
	return out, nil
}

// Lists a department and all below it.
//
//vendor:op GET /cgi-bin/department/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/90208
func (c *call) departmentList() (any, error) {
	type department struct {
		ID          int64    `json:"id"`
		Name        string   `json:"name"`
		EnglishName string   `json:"name_en"`
		Leaders     []string `json:"department_leader"`
		ParentID    int64    `json:"parentid"`
		Order       int64    `json:"order"`
	}
	ds, err := c.below(c.query.Get("id"))
	out := make([]department, len(ds))
	for i, d := range ds {
		out[i] = department{d.ID, d.Name, d.EnglishName, c.present(d.Leaders), d.ParentID, d.Order}
	}
	return struct {
		head
		Departments []department `json:"department"`
	}{ok, out}, err
}

// Lists the ids of a department and all below it. The page names no method; clients in use send GET.
//
//vendor:op GET /cgi-bin/department/simplelist
//vendor:doc https://developer.work.weixin.qq.com/document/path/95350
func (c *call) departmentSimpleList() (any, error) {
	type department struct {
		ID       int64 `json:"id"`
		ParentID int64 `json:"parentid"`
		Order    int64 `json:"order"`
	}
	ds, err := c.below(c.query.Get("id"))
	out := make([]department, len(ds))
	for i, d := range ds {
		out[i] = department{d.ID, d.ParentID, d.Order}
	}
	return struct {
		head
		Departments []department `json:"department_id"`
	}{ok, out}, err
}

// present are those of the members who have not left.
func (w *world) present(userIDs []string) []string {
	out := []string{}
	for _, id := range userIDs {
		if m := w.member(id); m != nil {
			out = append(out, m.UserID)
		}
	}
	return out
}

// user is a member as an app made after 2022-06-20 sees him: without mobile, mail, gender, avatar and address.
type user struct {
	UserID           string   `json:"userid"`
	Name             string   `json:"name"`
	Departments      []int64  `json:"department"`
	Order            []int64  `json:"order"`
	Position         string   `json:"position"`
	Leads            []int    `json:"is_leader_in_dept"`
	DirectLeader     []string `json:"direct_leader"`
	Telephone        string   `json:"telephone"`
	Alias            string   `json:"alias"`
	Status           Status   `json:"status"`
	EnglishName      string   `json:"english_name,omitempty"` // of user/list alone
	MainDepartment   int64    `json:"main_department"`
	Extra            extra    `json:"extattr"`
	ExternalPosition string   `json:"external_position"`
}

type extra struct {
	Attributes []struct{} `json:"attrs"`
}

func (w *world) user(m Member) user {
	u := user{UserID: m.UserID, Name: m.Name, Departments: m.Departments, Order: make([]int64, len(m.Departments)),
		Position: m.Position, Leads: make([]int, len(m.Departments)), DirectLeader: []string{}, Alias: m.Alias, Status: m.Status,
		Extra: extra{[]struct{}{}}}
	for i, id := range m.Departments {
		if d := w.department(id); d != nil && containsFold(d.Leaders, m.UserID) {
			u.Leads[i] = 1
		}
	}
	if len(m.Departments) > 0 {
		u.MainDepartment = m.Departments[0]
	}
	if m.DirectLeader != "" {
		u.DirectLeader = w.present([]string{m.DirectLeader})
	}
	return u
}

func containsFold(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(o string) bool { return strings.EqualFold(o, id) })
}

// Reads one member. Who left is not found.
//
//vendor:op GET /cgi-bin/user/get
//vendor:doc https://developer.work.weixin.qq.com/document/path/90196
func (c *call) userGet() (any, error) {
	m, err := c.named(c.query.Get("userid"))
	if err != nil {
		return nil, err
	}
	return struct {
		head
		user
	}{ok, c.user(*m)}, nil
}

// named is the member that a parameter names. Letters, digits, - _ . make up a userid, 1 to 64 of them.
func (w *world) named(userID string) (*Member, error) {
	if userID == "" {
		return nil, noUserID
	}
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)
	}
	if len(userID) > 64 || strings.ContainsFunc(userID, func(r rune) bool { return !valid(r) }) {
		return nil, badUserID
	}
	if m := w.member(userID); m != nil {
		return m, nil
	}
	return nil, noSuchUser
}

// staff are the members of the department that the parameter names, not of those below it.
func (c *call) staff() ([]Member, error) {
	id, err := strconv.ParseInt(c.query.Get("department_id"), 10, 64)
	if err != nil {
		return nil, badParameter
	}
	if c.department(id) == nil {
		return nil, noDepartment
	}
	var out []Member
	for _, m := range c.Members {
		if m.Status != Left && slices.Contains(m.Departments, id) {
			out = append(out, m)
		}
	}
	return out, nil
}

// Lists a department's members in full.
//
//vendor:op GET /cgi-bin/user/list
//vendor:doc https://developer.work.weixin.qq.com/document/path/90201
func (c *call) userList() (any, error) {
	ms, err := c.staff()
	out := make([]user, len(ms))
	for i, m := range ms {
		out[i] = c.user(m)
		out[i].EnglishName = m.EnglishName
	}
	return struct {
		head
		Users []user `json:"userlist"`
	}{ok, out}, err
}

// Lists a department's members by id and name.
//
//vendor:op GET /cgi-bin/user/simplelist
//vendor:doc https://developer.work.weixin.qq.com/document/path/90200
func (c *call) userSimpleList() (any, error) {
	type user struct {
		UserID      string  `json:"userid"`
		Name        string  `json:"name"`
		Departments []int64 `json:"department"`
	}
	ms, err := c.staff()
	out := make([]user, len(ms))
	for i, m := range ms {
		out[i] = user{m.UserID, m.Name, m.Departments}
	}
	return struct {
		head
		Users []user `json:"userlist"`
	}{ok, out}, err
}

// Pages through who is in which department: a row for each pair. The default limit is not documented; here it is the
// greatest.
//
//vendor:op POST /cgi-bin/user/list_id
//vendor:doc https://developer.work.weixin.qq.com/document/path/96067
func (c *call) userListID() (any, error) {
	const most = 10_000
	in := struct {
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}{Limit: most}
	if err := c.in(&in); err != nil {
		return nil, err
	}
	if in.Limit < 1 || in.Limit > most {
		return nil, badParameter
	}
	type place struct {
		UserID     string `json:"userid"`
		Department int64  `json:"department"`
	}
	var rows []row[place]
	for _, m := range c.Members {
		for _, d := range m.Departments {
			if m.Status != Left {
				rows = append(rows, row[place]{fmt.Sprintf("%s/%020d", strings.ToLower(m.UserID), d), place{m.UserID, d}})
			}
		}
	}
	places, next, err := page(rows, "list_id", in.Cursor, in.Limit)
	return struct {
		head
		Next   string  `json:"next_cursor"`
		Places []place `json:"dept_user"`
	}{ok, next, places}, err
}
