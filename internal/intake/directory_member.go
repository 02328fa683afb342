package intake

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

var (
	employeeNo = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	roleName   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

// Roles that nobody but who may do everything gives or takes: see docs/decisions/0016.
const (
	superAdmin = "super_admin"
	auditor    = "auditor"
)

func (j *judge) member(f *form) (outcome, error) {
	no := f.need("employeeNo", 32)
	if no != "" && !employeeNo.MatchString(no) {
		f.refuse("employeeNo", "import_employee_no", cut(no, 40))
	}
	old, there := j.stand.Members[no]
	m := old
	m.Departments, m.Roles = slices.Clone(old.Departments), slices.Clone(old.Roles)
	if !there {
		m = im.Member{EmployeeNo: no, Roles: []string{"employee"}, JobFunction: im.General, Employment: im.Employed}
	}
	if f.text("name", &m.Name, 100); m.Name == "" {
		f.refuse("name", "import_required", "name")
	}
	if m.Name != old.Name {
		m.SortKey = pinyin.Person(m.Name)
	}
	f.text("accountName", &m.AccountName, 160)
	f.text("position", &m.Position, 100)
	f.number("rank", &m.Rank, 0, 1000)
	f.text("phone", &m.Phone, 32)
	f.text("region", &m.Region, 16)
	oneOf(f, "jobFunction", &m.JobFunction, im.General, im.Sales, im.CustomerService, im.HR, im.IT, im.Legal, im.Management)
	f.list("roles", &m.Roles, 20, 40)
	slices.Sort(m.Roles)
	if m.Roles = slices.Compact(m.Roles); len(m.Roles) == 0 {
		m.Roles = nil
	}
	for _, r := range m.Roles {
		if !roleName.MatchString(r) || len(j.Roles) > 0 && !slices.Contains(j.Roles, r) {
			f.refuse("roles", "fact_value", "roles", cut(r, 40), strings.Join(j.Roles, ", "))
		}
	}
	wait := []*fault.Error{j.placeIn(f, &m), j.person(f, "manager", &m.ManagerID)}
	if !there && f.field("department") == nil {
		f.refuse("department", "import_required", "department")
	}
	note, err := j.nameAccount(f, &m, old, there)
	if err != nil {
		return outcome{}, err
	}
	if bad := j.mayGive(old, m); bad != nil && f.fault == nil {
		f.fault = bad
	}
	if own := j.ownPlace(old, m); own != "" && wait[1] == nil && f.fault == nil {
		f.fault = &fault.Error{Code: fault.PolicyDenied, Key: "import_place_own", Args: []string{own}, Path: []string{own}}
	}
	if there && m.AccountName != old.AccountName && j.ofSuper(m.ID) && f.fault == nil {
		f.fault = &fault.Error{Code: fault.PolicyDenied, Key: "import_super_name", Path: []string{"accountName"}}
	}
	if there && m.ManagerID == m.ID {
		f.refuse("manager", "import_manager_self")
	}
	if there && m.ManagerID != old.ManagerID && j.under(m.ManagerID, m.ID) {
		wait = append(wait, &fault.Error{Code: fault.Conflict, Key: "import_manager_cycle", Path: []string{"manager"}})
	}
	if there && j.supers[m.ID] && !slices.Contains(m.Roles, superAdmin) && len(j.supers) == 1 {
		wait = append(wait, &fault.Error{Code: fault.Conflict, Key: "import_last_super", Path: []string{"roles"}})
	}
	if !there && strings.TrimSpace(f.row.Get("manager")) == no {
		f.refuse("manager", "import_manager_self")
	}
	if o, ok := f.settle(wait...); !ok {
		return o, nil
	}
	if !there {
		m.ID = j.IDs.New()
	}
	o, wrote := put(f, there, old, m, m.Ref(), &j.out.Writes.Members)
	if o.note == nil {
		o.note = note
	}
	if wrote {
		j.stand.Members[no], j.stand.People[no], j.people[no], j.stand.AccountNames[m.AccountName] = m, m.ID, m.ID, true
		if j.lines != nil {
			j.lines[m.ID] = m.ManagerID
		}
		if slices.Contains(m.Roles, superAdmin) {
			j.supers[m.ID] = true
		} else {
			delete(j.supers, m.ID)
		}
		j.tell(o.subject, im.ID{}, !there)
		j.keep("m/"+no, m)
		j.keep("n/"+m.AccountName, no)
		j.keep("l/"+m.ID.String(), m.ManagerID)
	}
	return o, nil
}

// placeIn takes the departments of a member: the primary one, and those beside it.
func (j *judge) placeIn(f *form, m *im.Member) *fault.Error {
	wait := j.below(f, "department", &m.DepartmentID)
	others := m.Departments[min(1, len(m.Departments)):]
	if x := f.field("departments"); x != nil {
		var paths []string
		f.list("departments", &paths, 50, 400)
		others = nil
		for _, p := range paths {
			d, ok := j.departments[tidy(p)]
			if !ok {
				wait = first(wait, missing("departments", "import_no_department", cut(p, 80)))
			}
			others = append(others, d.ID)
		}
	}
	others = slices.Clone(others)
	slices.SortFunc(others, func(a, b im.ID) int { return slices.Compare(a[:], b[:]) })
	others = slices.Compact(others)
	others = slices.DeleteFunc(others, func(d im.ID) bool { return d == m.DepartmentID })
	if m.Departments = nil; !m.DepartmentID.IsZero() {
		m.Departments = append([]im.ID{m.DepartmentID}, others...)
	}
	return wait
}

// clashMax is how many people may have one account name before another one has to be given.
const clashMax = 1000

// nameAccount gives a member an account name by the naming rule, or holds the one that is given against it.
func (j *judge) nameAccount(f *form, m *im.Member, old im.Member, there bool) (note *fault.Error, err error) {
	if f.fault != nil || m.AccountName == old.AccountName && there {
		return nil, nil
	}
	byRule := pinyin.AccountName(m.Name, m.EmployeeNo)
	if m.AccountName != "" {
		if !pinyin.Obeys(m.AccountName, m.Name, m.EmployeeNo) {
			f.refuse("accountName", "import_account_name", cut(m.AccountName, 60), byRule)
			return nil, nil
		}
		taken, err := j.taken(m.AccountName)
		if taken {
			f.refuse("accountName", "import_account_taken", cut(m.AccountName, 60))
			f.fault.Code = fault.Conflict
		}
		return nil, err
	}
	for m.AccountName = byRule; ; {
		taken, err := j.taken(m.AccountName)
		if err != nil {
			return nil, err
		}
		if !taken {
			break
		}
		n, _ := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(m.AccountName, byRule), "-"))
		if n == clashMax {
			f.refuse("accountName", "import_account_taken", cut(byRule, 60))
			return nil, nil
		}
		m.AccountName = byRule + "-" + strconv.Itoa(max(2, n+1))
		note = &fault.Error{Key: "import_account_clash", Args: []string{byRule, m.AccountName}, Path: []string{"accountName"}}
	}
	return note, nil
}

// taken asks whether an account name is somebody's. Those that rows are likely to get have been asked for already.
func (j *judge) taken(name string) (bool, error) {
	taken, asked := j.stand.AccountNames[name]
	if asked {
		return taken, nil
	}
	one := NewAnswer()
	if err := j.look(j.ctx, Question{AccountNames: []string{name}}, &one); err != nil {
		return false, err
	}
	j.stand.AccountNames[name] = one.AccountNames[name]
	return one.AccountNames[name], nil
}

// mayGive refuses roles that who imports may not give or take: those above his own, and any more to himself.
func (j *judge) mayGive(old, m im.Member) *fault.Error {
	has := func(roles []string, r string) bool { return slices.Contains(roles, r) }
	for _, r := range []string{superAdmin, auditor} {
		if has(old.Roles, r) != has(m.Roles, r) && !j.imp.Privileged {
			return &fault.Error{Code: fault.PolicyDenied, Key: "import_roles", Args: []string{r}, Path: []string{"roles"}}
		}
	}
	if me := j.imp.RequestedBy; !me.IsZero() && m.ID == me {
		for _, r := range m.Roles {
			if !has(old.Roles, r) {
				return &fault.Error{Code: fault.PolicyDenied, Key: "import_roles_own", Args: []string{r}, Path: []string{"roles"}}
			}
		}
	}
	return nil
}

// ownPlace is what of his own place who imports would change by it; empty: nothing. Policy judges him by that (C-01, C-05, C-06), so that
// somebody else has to.
func (j *judge) ownPlace(old, m im.Member) string {
	switch me := j.imp.RequestedBy; {
	case me.IsZero() || m.ID != me:
	case old.ManagerID != m.ManagerID:
		return "manager"
	case old.Rank != m.Rank:
		return "rank"
	case old.JobFunction != m.JobFunction:
		return "jobFunction"
	}
	return ""
}

// under reports whether somebody stands below another in the reporting line, himself included.
func (j *judge) under(who, top im.ID) bool {
	for n := 0; !who.IsZero(); n++ {
		if who == top || n > 10_000 {
			return true
		}
		who = j.lines[who]
	}
	return false
}
