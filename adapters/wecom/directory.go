package wecom

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/adapters"
)

// Departments pages through the one answer that WeCom gives for all, in the order of their ids. A cursor is the last id.
func (a *Adapter) Departments(ctx context.Context, after adapters.Cursor, size int) (p adapters.Page[adapters.Department], err error) {
	last := int64(-1)
	if after != "" {
		if last, err = strconv.ParseInt(string(after), 10, 64); err != nil || last < 0 {
			return p, badPage("Departments")
		}
	}
	if size <= 0 {
		return p, badPage("Departments")
	}
	all, err := a.departments(ctx)
	if err != nil {
		return p, err
	}
	visible := idsOf(all)
	slices.SortFunc(all, func(x, y department) int { return cmp.Compare(x.ID, y.ID) })
	for _, d := range all {
		if d.ID <= last {
			continue
		}
		if len(p.Items) == size {
			p.Next = adapters.Cursor(p.Items[size-1].ID)
			break
		}
		out := adapters.Department{ID: departmentID(d.ID), Name: d.Name, Leaders: membersOf(d.Leaders)}
		if visible[d.ParentID] {
			out.Parent = departmentID(d.ParentID)
		}
		p.Items = append(p.Items, out)
	}
	return p, nil
}

// departmentsPerPage bounds the calls of one page of members: departments may be many and empty.
const departmentsPerPage = 20

// Members walks the departments in the order of their ids, and in each its members in the order of theirs. Who is in
// several is listed in the first of them that the secret can see. WeCom's own listing with a cursor (user/list_id) names
// a member once for each department, so that who reads it page by page cannot tell who has been listed before.
//
// A cursor is "DEPARTMENT/MEMBER", the last one listed; without a member it is before the department's first.
func (a *Adapter) Members(ctx context.Context, after adapters.Cursor, size int) (p adapters.Page[adapters.Member], err error) {
	from, last, err := memberCursor(after)
	if err != nil || size <= 0 {
		return p, badPage("Members")
	}
	all, err := a.departments(ctx)
	if err != nil {
		return p, err
	}
	visible := idsOf(all)
	slices.SortFunc(all, func(x, y department) int { return cmp.Compare(x.ID, y.ID) })
	all = slices.DeleteFunc(all, func(d department) bool { return d.ID < from })
	for n, d := range all {
		if n == departmentsPerPage {
			p.Next = adapters.Cursor(fmt.Sprintf("%d/", d.ID))
			return p, nil
		}
		users, err := a.users(ctx, strconv.FormatInt(d.ID, 10))
		if err != nil {
			return adapters.Page[adapters.Member]{}, err
		}
		slices.SortFunc(users, func(x, y user) int { return cmp.Compare(fold(x.UserID), fold(y.UserID)) })
		listed := ""
		if d.ID == from {
			listed = last
		}
		for _, u := range users {
			if u.home(visible, d.ID) != d.ID || fold(u.UserID) <= listed {
				continue
			}
			if len(p.Items) == size {
				p.Next = adapters.Cursor(fmt.Sprintf("%d/%s", d.ID, listed))
				return p, nil
			}
			p.Items = append(p.Items, u.member())
			listed = fold(u.UserID)
		}
	}
	return p, nil
}

func memberCursor(c adapters.Cursor) (department int64, last string, err error) {
	if c == "" {
		return 0, "", nil
	}
	d, last, ok := strings.Cut(string(c), "/")
	department, err = strconv.ParseInt(d, 10, 64)
	if !ok || department < 0 {
		err = strconv.ErrSyntax
	}
	return department, last, err
}

// home is the first of the member's departments that the secret can see; in is one where it is listed.
func (u user) home(visible map[int64]bool, in int64) int64 {
	first := in
	for _, d := range u.Departments {
		if visible[d] {
			first = min(first, d)
		}
	}
	return first
}

// accountStates are the states as https://developer.work.weixin.qq.com/document/path/90196 numbers them.
var accountStates = map[int]adapters.AccountState{
	1: adapters.AccountActive, 2: adapters.AccountDisabled, 4: adapters.AccountNotActivated, 5: adapters.AccountLeft,
}

func (u user) member() adapters.Member {
	m := adapters.Member{ID: adapters.MemberID(u.UserID), Name: u.Name, Title: u.Position, Managers: membersOf(u.DirectLeaders),
		State: cmp.Or(accountStates[u.Status], adapters.AccountUnknown)}
	for i, d := range u.Departments {
		id := departmentID(d)
		m.Departments = append(m.Departments, id)
		if i < len(u.Leads) && u.Leads[i] == 1 {
			m.Leads = append(m.Leads, id)
		}
		if d == u.MainDepartment {
			m.Primary = id
		}
	}
	return m
}

// fold is a userid as it is compared: https://developer.work.weixin.qq.com/document/path/90197 has them the same in any
// case.
func fold(userID string) string { return strings.ToLower(userID) }

func idsOf(all []department) map[int64]bool {
	ids := make(map[int64]bool, len(all))
	for _, d := range all {
		ids[d.ID] = true
	}
	return ids
}

func departmentID(id int64) adapters.DepartmentID {
	return adapters.DepartmentID(strconv.FormatInt(id, 10))
}

func membersOf(ids []string) (out []adapters.MemberID) {
	for _, id := range ids {
		out = append(out, adapters.MemberID(id))
	}
	return out
}

func badPage(op string) error {
	return &adapters.Error{Code: adapters.InvalidArgument, Op: platform + "." + op, Message: "the cursor is not one of this listing, or the size is below 1"}
}
