package intake

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// Directory is the kind of import that takes in the organisation: each row names a thing by its natural key, and says
// of it what it says; what it does not say stays as it is.
type Directory struct {
	Store    Stands
	Now      func() time.Time
	IDs      *im.IDs
	Currency string // the company's own
	// Platforms and Roles are what there is of them; empty: anything.
	Platforms []string
	Roles     []string
}

// The types of rows, and the fields of each. A CSV file without a column for the type is one of members.
const (
	typeWorkspace   = "workspace"
	typeDepartment  = "department"
	typeMember      = "member"
	typeAccount     = "account"
	typeContact     = "contact"
	typeFollow      = "follow"
	typeOpportunity = "opportunity"
	typeGroup       = "group"
	typeMembership  = "membership"
)

var rowTypes = []string{typeWorkspace, typeDepartment, typeMember, typeAccount, typeContact, typeFollow, typeOpportunity, typeGroup, typeMembership}

var columns = []string{typeField, "name", "platform", "region", "timeZone", "customerContact", "path", "manager", "employeeNo", "accountName",
	"department", "departments", "position", "rank", "phone", "roles", "jobFunction", "workspace", "platformId", "member", "kind", "company",
	"verified", "importance", "owner", "pool", "tags", "contact", "since", "source", "title", "amount", "currency", "stage", "open",
	"projectClosed", "announcement", "group", "admin", "joinedAt"}

// Check refuses a header with a column that no row has.
func (d *Directory) Check(header []string) *fault.Error {
	for _, h := range header {
		if !slices.Contains(columns, h) {
			row := Row{Fields: []Field{{Name: h}}}
			f := form{row: &row, asked: columns}
			return f.done()
		}
	}
	return nil
}

func typeOf(r *Row) string {
	if r.Type == "" {
		return typeMember
	}
	return r.Type
}

// Key is the type of a row with its natural key.
func (d *Directory) Key(r *Row) string {
	var names []string
	switch t := typeOf(r); t {
	case typeWorkspace:
		names = []string{"name"}
	case typeDepartment:
		names = []string{"path"}
	case typeMember:
		names = []string{"employeeNo"}
	case typeAccount, typeContact, typeGroup:
		names = []string{"workspace", "platformId"}
	case typeFollow:
		names = []string{"workspace", "contact", "member"}
	case typeOpportunity:
		names = []string{"workspace", "contact", "title"}
	case typeMembership:
		names = []string{"workspace", "group", "member", "contact"}
	default:
		return ""
	}
	key := typeOf(r)
	for _, n := range names {
		key += "\x00" + strings.TrimSpace(r.Get(n))
	}
	return key
}

// Person is the employee number of a member's row.
func (d *Directory) Person(r *Row) string {
	if typeOf(r) != typeMember {
		return ""
	}
	return strings.TrimSpace(r.Get("employeeNo"))
}

// Begin readies the directory for an import.
func (d *Directory) Begin(ctx context.Context, i im.Import) (Judge, error) {
	followed, err := d.Store.Followed(ctx)
	return &judge{Directory: d, imp: i, stuck: map[string]bool{}, quiet: i.DryRun || !i.Stored && !followed}, err
}

// judge judges the rows of one import.
type judge struct {
	*Directory
	imp im.Import

	// What it remembers of the store; nil: to be read.
	workspaces  map[string]im.Workspace  // by name
	departments map[string]im.Department // by path
	people      map[string]im.ID         // by employee number
	supers      map[im.ID]bool

	// Of the batch.
	ctx   context.Context
	stand Answer
	lines map[im.ID]im.ID // who is under whom
	out   *Batch
	told  map[im.Ref]bool
	quiet bool // nobody follows what changes, so nobody has to be told

	// Of rows that have waited: what those that still do are about, and the last line that was tried.
	stuck map[string]bool
	last  int
}

// Forget drops what is remembered.
func (j *judge) Forget() { j.workspaces, j.departments, j.people, j.supers = nil, nil, nil, nil }

// peopleMax bounds whose ids are remembered between batches.
const peopleMax = 200_000

func (j *judge) load(ctx context.Context) error {
	if j.workspaces != nil {
		return nil
	}
	all, err := j.Store.Workspaces(ctx)
	if err != nil {
		return err
	}
	departments, err := j.Store.AllDepartments(ctx)
	if err != nil {
		return err
	}
	supers, err := j.Store.SuperAdmins(ctx)
	if err != nil {
		return err
	}
	j.workspaces, j.departments, j.people, j.supers = map[string]im.Workspace{}, map[string]im.Department{}, map[string]im.ID{}, map[im.ID]bool{}
	for _, w := range all {
		j.workspaces[w.Name] = w
	}
	for _, id := range supers {
		j.supers[id] = true
	}
	named := map[im.ID]string{}
	slices.SortFunc(departments, func(a, b im.Department) int { return len(a.Path) - len(b.Path) }) // those above first
	for _, one := range departments {
		path := one.Name
		if !one.ParentID.IsZero() {
			path = named[one.ParentID] + "/" + one.Name
		}
		named[one.ID] = path
		j.departments[path] = one
	}
	return nil
}

// outcome is what a row comes to. With wait it may come to something else later.
type outcome struct {
	verdict im.RowVerdict
	subject im.Ref
	note    *fault.Error
	wait    *fault.Error
}

func refused(f *fault.Error) outcome { return outcome{verdict: im.RowRejected, note: f} }
func waits(f *fault.Error) outcome   { return outcome{wait: f} }

// Batch judges rows. Those of a batch that lack something which a later one of it brings are tried again at once.
func (j *judge) Batch(ctx context.Context, rows []Row, last bool, b *Batch) error {
	if err := j.load(ctx); err != nil {
		return err
	}
	if len(j.people) > peopleMax {
		j.people = map[string]im.ID{}
	}
	j.ctx, j.out, j.stand, j.lines, j.told = ctx, b, NewAnswer(), nil, map[im.Ref]bool{}
	if j.imp.DryRun {
		b.Scratch = map[string][]byte{}
	}
	if err := j.ask(ctx, rows); err != nil {
		return err
	}
	result := make([]outcome, len(rows))
	open := make([]int, len(rows))
	for i := range open {
		open[i] = i
	}
	read := b.Import.Line < rows[0].Line
	if !read && rows[0].Line <= j.last {
		clear(j.stuck)
	}
	j.last = rows[len(rows)-1].Line
	for {
		var left []int
		for _, i := range open {
			key := ""
			if !read {
				key = j.Key(&rows[i])
			}
			// Of two rows about the same the first comes first, though it may have to wait.
			behind := rows[i].Again && (read && b.Import.Waiting+len(left) > 0 || j.stuck[key])
			if behind {
				result[i] = waits(&fault.Error{Code: fault.Conflict, Key: "import_twice"})
			} else {
				o, err := j.row(&rows[i])
				if err != nil {
					return err
				}
				result[i] = o
			}
			if waits := result[i].wait != nil; waits {
				left = append(left, i)
				if key != "" {
					j.stuck[key] = true
				}
			} else if !behind {
				delete(j.stuck, key)
			}
		}
		moved := len(left) < len(open)
		if open = left; !moved || len(open) == 0 {
			break
		}
	}
	for i, o := range result {
		v := Verdict{ID: rows[i].ID, Line: rows[i].Line, Verdict: o.verdict, Subject: o.subject, Note: o.note}
		switch {
		case o.wait != nil && last:
			v.Verdict, v.Note = im.RowRejected, o.wait
		case o.wait != nil && !read:
			continue
		case o.wait != nil:
			v.Verdict = im.RowWaiting
			b.Waiting = append(b.Waiting, rows[i])
		}
		if v.Verdict == im.RowRejected {
			v.Text = rows[i].Text
		}
		b.Rows = append(b.Rows, v)
	}
	return nil
}

// row judges one row.
func (j *judge) row(r *Row) (outcome, error) {
	if r.Fault != nil {
		return refused(r.Fault), nil
	}
	f := &form{row: r}
	switch t := typeOf(r); t {
	case typeWorkspace:
		return j.workspace(f), nil
	case typeDepartment:
		return j.department(f), nil
	case typeMember:
		return j.member(f)
	case typeAccount:
		return j.account(f), nil
	case typeContact:
		return j.contact(f), nil
	case typeFollow:
		return j.follow(f), nil
	case typeOpportunity:
		return j.opportunity(f), nil
	case typeGroup:
		return j.group(f), nil
	case typeMembership:
		return j.membership(f), nil
	default:
		return refused(fault.Input(typeField, "import_type", cut(t, 40), strings.Join(rowTypes, ", "))), nil
	}
}

// put settles a row that holds: it makes what is not there, changes what differs, and leaves the rest. What of a changed
// one goes where is made's and changed's to do.
func put[T any](f *form, there bool, was, is T, ref im.Ref, set *Set[T]) (outcome, bool) {
	switch {
	case there && reflect.DeepEqual(was, is):
		return outcome{verdict: im.RowUnchanged, subject: ref}, false
	case there && f.row.Again:
		return refused(&fault.Error{Code: fault.Conflict, Key: "import_twice"}), false
	case there:
		set.Changed = append(set.Changed, is)
	default:
		set.Made = append(set.Made, is)
	}
	return outcome{verdict: im.RowAccepted, subject: ref}, true
}

// tell has subscribers hear once a batch of what became of a thing.
func (j *judge) tell(ref im.Ref, workspace im.ID, made bool) {
	if j.quiet || j.told[ref] {
		return
	}
	j.told[ref] = true
	what := im.Updated
	if made {
		what = im.Created
	}
	j.out.Writes.Changes = append(j.out.Writes.Changes, im.DirectoryChange(j.IDs.New(), j.Now(), ref, what, workspace))
}

// keep notes for the later rows of a dry run what a real one would find in the store.
func (j *judge) keep(key string, v any) {
	if !j.imp.DryRun {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("intake: " + err.Error()) // our own types
	}
	j.out.Scratch[key] = b
}

func missing(path, key string, args ...string) *fault.Error {
	f := fault.Input(path, key, args...)
	f.Code = fault.NotFound
	return f
}

// ---- what rows refer to ----

// person takes the employee number of somebody; what it names may have to be waited for.
func (j *judge) person(f *form, name string, into *im.ID) *fault.Error {
	x := f.field(name)
	if x == nil {
		return nil
	}
	no := strings.TrimSpace(x.Text)
	if no == "" {
		*into = im.ID{}
		return nil
	}
	id, ok := j.known(no)
	if !ok {
		return missing(name, "import_no_member", cut(no, 40))
	}
	*into = id
	return nil
}

func (j *judge) known(no string) (im.ID, bool) {
	id, ok := j.stand.People[no]
	if !ok {
		id, ok = j.people[no]
	}
	return id, ok
}

// in takes the name of a workspace, which must be there.
func (j *judge) in(f *form) (im.Workspace, *fault.Error) {
	name := f.need("workspace", 64)
	if name == "" {
		return im.Workspace{}, nil
	}
	w, ok := j.workspaces[name]
	if !ok {
		return w, missing("workspace", "import_no_workspace", cut(name, 40))
	}
	return w, nil
}

// below takes the path of a department.
func (j *judge) below(f *form, name string, into *im.ID) *fault.Error {
	var path string
	if f.text(name, &path, 400); path == "" {
		if f.field(name) != nil {
			*into = im.ID{}
		}
		return nil
	}
	d, ok := j.departments[tidy(path)]
	if !ok {
		return missing(name, "import_no_department", cut(path, 80))
	}
	*into = d.ID
	return nil
}

// tidy is a path without the spaces beside its slashes.
func tidy(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, "/")
}

func first(fs ...*fault.Error) *fault.Error {
	for _, f := range fs {
		if f != nil {
			return f
		}
	}
	return nil
}

// settle ends a row's form: what is wrong with it comes before what it waits for.
func (f *form) settle(wait ...*fault.Error) (outcome, bool) {
	if bad := f.done(); bad != nil {
		return refused(bad), false
	}
	if w := first(wait...); w != nil {
		return waits(w), false
	}
	return outcome{}, true
}

// ---- the types ----

func (j *judge) workspace(f *form) outcome {
	name := f.need("name", 64)
	old, there := j.workspaces[name]
	w := old
	if !there {
		w = im.Workspace{ID: j.IDs.New(), Name: name, TimeZone: "Asia/Shanghai"}
	}
	f.text("platform", &w.Platform, 32)
	f.text("region", &w.Region, 16)
	f.text("timeZone", &w.TimeZone, 64)
	f.flag("customerContact", &w.CustomerContact)
	switch {
	case w.Platform == "":
		f.refuse("platform", "import_required", "platform")
	case there && w.Platform != old.Platform:
		f.refuse("platform", "import_fixed", "platform", old.Platform)
	case len(j.Platforms) > 0 && !slices.Contains(j.Platforms, w.Platform):
		f.refuse("platform", "fact_value", "platform", cut(w.Platform, 40), strings.Join(j.Platforms, ", "))
	}
	if _, err := time.LoadLocation(w.TimeZone); err != nil || w.TimeZone == "" || w.TimeZone == "Local" {
		f.refuse("timeZone", "import_zone", cut(w.TimeZone, 40))
	}
	if o, ok := f.settle(); !ok {
		return o
	}
	o, wrote := put(f, there, old, w, im.Ref{Kind: im.KindWorkspace, ID: w.ID}, &j.out.Writes.Workspaces)
	if wrote {
		j.workspaces[name] = w
	}
	return o
}

const deepest = 32

func (j *judge) department(f *form) outcome {
	path := tidy(f.need("path", 400))
	old, there := j.departments[path]
	d := old
	noHead := j.person(f, "manager", &d.ManagerID)
	if bad := f.done(); bad != nil {
		return refused(bad)
	}
	if !there {
		parts := strings.Split(path, "/")
		if slices.Contains(parts, "") || len(parts) > deepest {
			return refused(fault.Input("path", "import_path", strconv.Itoa(deepest)))
		}
		above := strings.Join(parts[:len(parts)-1], "/")
		parent, ok := j.departments[above]
		if above != "" && !ok {
			return waits(missing("path", "import_no_department", cut(above, 80)))
		}
		d.ID, d.Name, d.ParentID = j.IDs.New(), parts[len(parts)-1], parent.ID
		d.SortKey, d.Path = pinyin.Text(d.Name), parent.Path+d.ID.String()+"/"
	} else if noHead != nil {
		return waits(noHead)
	}
	o, wrote := put(f, there, old, d, im.Ref{Kind: im.KindDepartment, ID: d.ID}, &j.out.Writes.Departments)
	if wrote {
		j.departments[path] = d
		j.tell(o.subject, im.ID{}, !there)
	}
	if noHead != nil { // its people come after it, and its head is one of them
		o.wait = noHead
	}
	return o
}

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

func (j *judge) account(f *form) outcome {
	w, wait := j.in(f)
	key := Place{w.ID, f.need("platformId", 128)}
	old, there := j.stand.Accounts[key]
	a := old
	if !there {
		a = im.Account{ID: j.IDs.New(), WorkspaceID: w.ID, PlatformID: key.PlatformID, Kind: im.HumanAccount, Status: im.AccountActive,
			StatusScope: im.FullScope}
	}
	noOwner := j.person(f, "member", &a.MemberID)
	oneOf(f, "kind", &a.Kind, im.HumanAccount, im.SharedAccount, im.BotAccount)
	if o, ok := f.settle(wait, noOwner); !ok {
		return o
	}
	o, wrote := put(f, there, old, a, im.Ref{Kind: im.KindAccount, ID: a.ID}, &j.out.Writes.Accounts)
	if wrote {
		j.stand.Accounts[key] = a
		if a.MemberID != old.MemberID {
			j.out.Writes.Bindings = append(j.out.Writes.Bindings, im.AccountBinding{ID: j.IDs.New(), AccountID: a.ID, MemberID: a.MemberID, From: j.Now()})
		}
		j.tell(o.subject, w.ID, !there)
		j.keep("a/"+w.ID.String()+key.PlatformID, a)
	}
	return o
}

func (j *judge) contact(f *form) outcome {
	w, wait := j.in(f)
	key := Place{w.ID, f.need("platformId", 128)}
	old, there := j.stand.Contacts[key]
	c := old
	c.Tags = slices.Clone(old.Tags)
	if !there {
		c = im.ExternalContact{ID: j.IDs.New(), WorkspaceID: w.ID, PlatformID: key.PlatformID, Importance: im.NormalContact,
			Status: im.ContactActive}
	}
	if f.text("name", &c.Name, 200); c.Name == "" {
		f.refuse("name", "import_required", "name")
	}
	if c.Name != old.Name {
		c.SortKey = pinyin.Person(c.Name)
	}
	f.text("company", &c.Company, 200)
	f.text("phone", &c.Phone, 32)
	f.flag("verified", &c.Verified)
	f.text("region", &c.Region, 16)
	oneOf(f, "importance", &c.Importance, im.NormalContact, im.KeyContact)
	if f.field("tags") != nil {
		f.list("tags", &c.Tags, 200, 60)
		slices.Sort(c.Tags)
		if c.Tags = slices.Compact(c.Tags); len(c.Tags) == 0 {
			c.Tags = nil
		}
	}
	noOwner, noPool := j.person(f, "owner", &c.OwnerID), j.below(f, "pool", &c.PoolDepartmentID)
	if o, ok := f.settle(wait, noOwner, noPool); !ok {
		return o
	}
	o, wrote := put(f, there, old, c, c.Ref(), &j.out.Writes.Contacts)
	if wrote {
		j.stand.Contacts[key], j.stand.ContactIDs[key] = c, c.ID
		j.tell(o.subject, w.ID, !there)
		j.keep("c/"+w.ID.String()+key.PlatformID, c)
	}
	return o
}

// customer takes the contact that a row is about.
func (j *judge) customer(f *form) (w im.Workspace, id im.ID, wait *fault.Error) {
	w, wait = j.in(f)
	pid := f.need("contact", 128)
	id, ok := j.stand.ContactIDs[Place{w.ID, pid}]
	if !ok {
		wait = first(wait, missing("contact", "import_no_contact", cut(pid, 40)))
	}
	return w, id, wait
}

func (j *judge) follow(f *form) outcome {
	w, contact, wait := j.customer(f)
	var member im.ID
	f.need("member", 32)
	noMember := j.person(f, "member", &member)
	key := Tie{contact, member}
	old, there := j.stand.Follows[key]
	x := old
	if !there {
		x = im.Follow{ContactID: contact, MemberID: member, Since: j.Now().UTC().Truncate(time.Microsecond)}
	}
	f.moment("since", &x.Since)
	f.text("source", &x.Source, 40)
	if o, ok := f.settle(wait, noMember); !ok {
		return o
	}
	o, wrote := put(f, there, old, x, im.Ref{Kind: im.KindContact, ID: contact}, &j.out.Writes.Follows)
	if wrote {
		j.stand.Follows[key] = x
		j.tell(o.subject, w.ID, false)
		j.keep("f/"+contact.String()+member.String(), x)
	}
	return o
}

func (j *judge) opportunity(f *form) outcome {
	w, contact, wait := j.customer(f)
	key := Chance{contact, f.need("title", 200)}
	old, there := j.stand.Opportunities[key]
	x := old
	if !there {
		x = im.Opportunity{ID: j.IDs.New(), ContactID: contact, Title: key.Title, Currency: j.Currency, Open: true}
	}
	f.amount("amount", &x.Amount)
	f.text("currency", &x.Currency, 3)
	f.text("stage", &x.Stage, 60)
	f.flag("open", &x.Open)
	noOwner := j.person(f, "owner", &x.OwnerID)
	if len(x.Currency) != 3 || strings.ToUpper(x.Currency) != x.Currency {
		f.refuse("currency", "import_currency", cut(x.Currency, 8))
	}
	if o, ok := f.settle(wait, noOwner); !ok {
		return o
	}
	o, wrote := put(f, there, old, x, im.Ref{Kind: im.KindOpportunity, ID: x.ID}, &j.out.Writes.Opportunities)
	if wrote {
		j.stand.Opportunities[key] = x
		j.tell(im.Ref{Kind: im.KindContact, ID: contact}, w.ID, false)
		j.keep("o/"+contact.String()+key.Title, x)
	}
	return o
}

func (j *judge) group(f *form) outcome {
	w, wait := j.in(f)
	key := Place{w.ID, f.need("platformId", 128)}
	old, there := j.stand.Groups[key]
	g := old
	if !there {
		g = im.Group{ID: j.IDs.New(), WorkspaceID: w.ID, PlatformID: key.PlatformID, Kind: im.GeneralGroup}
	}
	if f.text("name", &g.Name, 200); g.Name == "" {
		f.refuse("name", "import_required", "name")
	}
	if g.Name != old.Name {
		g.SortKey = pinyin.Text(g.Name)
	}
	oneOf(f, "kind", &g.Kind, im.DepartmentGroup, im.ProjectGroup, im.CollaborationGroup, im.CustomerGroup, im.GeneralGroup)
	f.text("announcement", &g.Announcement, 2000)
	closed := old.ProjectClosed != nil && *old.ProjectClosed
	f.flag("projectClosed", &closed)
	g.ProjectClosed = nil
	if g.Kind == im.ProjectGroup {
		g.ProjectClosed = &closed
	}
	noOwner := j.person(f, "owner", &g.OwnerID)
	if o, ok := f.settle(wait, noOwner); !ok {
		return o
	}
	o, wrote := put(f, there, old, g, im.Ref{Kind: im.KindGroup, ID: g.ID}, &j.out.Writes.Groups)
	if wrote {
		j.stand.Groups[key], j.stand.GroupIDs[key] = g, g.ID
		j.tell(o.subject, w.ID, !there)
		j.keep("g/"+w.ID.String()+key.PlatformID, g)
	}
	return o
}

func (j *judge) membership(f *form) outcome {
	w, wait := j.in(f)
	pid := f.need("group", 128)
	group, ok := j.stand.GroupIDs[Place{w.ID, pid}]
	if !ok {
		wait = first(wait, missing("group", "import_no_group", cut(pid, 40)))
	}
	var party im.Ref
	member, contact := f.field("member"), f.field("contact")
	switch {
	case (member == nil) == (contact == nil):
		f.refuse("member", "exactly_one", "member, contact")
	case member != nil:
		party.Kind = im.KindMember
		wait = first(wait, j.person(f, "member", &party.ID))
	default:
		party.Kind = im.KindContact
		if party.ID, ok = j.stand.ContactIDs[Place{w.ID, strings.TrimSpace(contact.Text)}]; !ok {
			wait = first(wait, missing("contact", "import_no_contact", cut(contact.Text, 40)))
		}
	}
	key := Tie{group, party.ID}
	old, there := j.stand.Memberships[key]
	x := old
	if !there {
		x = im.Membership{ID: j.IDs.New(), GroupID: group, Party: party, JoinedAt: j.Now().UTC().Truncate(time.Microsecond)}
	}
	f.flag("admin", &x.Admin)
	f.moment("joinedAt", &x.JoinedAt)
	if o, ok := f.settle(wait); !ok {
		return o
	}
	o, wrote := put(f, there, old, x, im.Ref{Kind: im.KindGroup, ID: group}, &j.out.Writes.Memberships)
	if wrote {
		j.stand.Memberships[key] = x
		j.tell(o.subject, w.ID, false)
		j.keep("p/"+group.String()+party.ID.String(), x)
	}
	return o
}

// ---- what a batch asks ----

// ask reads what the rows of a batch are held against.
func (j *judge) ask(ctx context.Context, rows []Row) error {
	q := Question{Accounts: map[Place]bool{}, Contacts: map[Place]bool{}, Groups: map[Place]bool{}, ContactIDs: map[Place]bool{}, GroupIDs: map[Place]bool{}}
	members, people, names := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range rows {
		r := &rows[i]
		if r.Fault != nil {
			continue
		}
		w := j.workspaces[strings.TrimSpace(r.Get("workspace"))]
		at := func(name string, into map[Place]bool) {
			if pid := strings.TrimSpace(r.Get(name)); pid != "" && !w.ID.IsZero() {
				into[Place{w.ID, pid}] = true
			}
		}
		for _, name := range []string{"manager", "owner", "member"} {
			if no := strings.TrimSpace(r.Get(name)); no != "" {
				people[no] = true
			}
		}
		switch typeOf(r) {
		case typeMember:
			no := strings.TrimSpace(r.Get("employeeNo"))
			members[no] = true
			name := strings.TrimSpace(r.Get("accountName"))
			if name == "" {
				name = pinyin.AccountName(r.Get("name"), no)
			}
			names[name] = true
		case typeAccount:
			at("platformId", q.Accounts)
		case typeContact:
			at("platformId", q.Contacts)
		case typeGroup:
			at("platformId", q.Groups)
		case typeFollow, typeOpportunity:
			at("contact", q.ContactIDs)
		case typeMembership:
			at("group", q.GroupIDs)
			at("contact", q.ContactIDs)
		}
	}
	for no := range people {
		if _, known := j.people[no]; !known && len(no) <= 32 {
			q.People = append(q.People, no)
		}
	}
	delete(members, "")
	q.Members, q.AccountNames = slices.Collect(maps.Keys(members)), slices.Collect(maps.Keys(names))
	if err := j.look(ctx, q, &j.stand); err != nil {
		return err
	}
	for no, id := range j.stand.People {
		j.people[no] = id
	}
	for _, n := range q.AccountNames {
		if !j.stand.AccountNames[n] {
			j.stand.AccountNames[n] = false
		}
	}
	if err := j.askTies(ctx, rows); err != nil {
		return err
	}
	return j.askLines(ctx, rows)
}

// askTies reads what ties those that have been found.
func (j *judge) askTies(ctx context.Context, rows []Row) error {
	follows, chances, groups, parties := map[im.ID]bool{}, map[im.ID]bool{}, map[im.ID]bool{}, map[im.ID]bool{}
	for i := range rows {
		r := &rows[i]
		t := typeOf(r)
		if r.Fault != nil || t != typeFollow && t != typeOpportunity && t != typeMembership {
			continue
		}
		w := j.workspaces[strings.TrimSpace(r.Get("workspace"))]
		contact := j.stand.ContactIDs[Place{w.ID, strings.TrimSpace(r.Get("contact"))}]
		member, _ := j.known(strings.TrimSpace(r.Get("member")))
		switch t {
		case typeFollow:
			follows[contact] = true
		case typeOpportunity:
			chances[contact] = true
		case typeMembership:
			groups[j.stand.GroupIDs[Place{w.ID, strings.TrimSpace(r.Get("group"))}]] = true
			parties[contact], parties[member] = true, true
		}
	}
	var q Question
	for _, x := range []struct {
		from map[im.ID]bool
		into *[]im.ID
	}{{follows, &q.FollowsOf}, {chances, &q.OpportunitiesOf}, {groups, &q.MembersOf}, {parties, &q.Parties}} {
		delete(x.from, im.ID{})
		*x.into = slices.Collect(maps.Keys(x.from))
	}
	if err := j.look(ctx, q, &j.stand); err != nil || !j.imp.DryRun {
		return err
	}
	return j.keptTies(ctx, rows)
}

// keptTies reads what ties an earlier row of a dry run would have made.
func (j *judge) keptTies(ctx context.Context, rows []Row) error {
	take := map[string]func([]byte) error{}
	for i := range rows {
		r := &rows[i]
		w := j.workspaces[strings.TrimSpace(r.Get("workspace"))]
		contact := j.stand.ContactIDs[Place{w.ID, strings.TrimSpace(r.Get("contact"))}]
		member, _ := j.known(strings.TrimSpace(r.Get("member")))
		switch typeOf(r) {
		case typeFollow:
			key := Tie{contact, member}
			take["f/"+contact.String()+member.String()] = func(b []byte) error {
				var x im.Follow
				err := json.Unmarshal(b, &x)
				j.stand.Follows[key] = x
				return err
			}
		case typeOpportunity:
			key := Chance{contact, strings.TrimSpace(r.Get("title"))}
			take["o/"+contact.String()+key.Title] = func(b []byte) error {
				var x im.Opportunity
				err := json.Unmarshal(b, &x)
				j.stand.Opportunities[key] = x
				return err
			}
		case typeMembership:
			group, party := j.stand.GroupIDs[Place{w.ID, strings.TrimSpace(r.Get("group"))}], member
			if party.IsZero() {
				party = contact
			}
			take["p/"+group.String()+party.String()] = func(b []byte) error {
				var x im.Membership
				err := json.Unmarshal(b, &x)
				j.stand.Memberships[Tie{group, party}] = x
				return err
			}
		}
	}
	kept, err := j.Store.Scratch(ctx, j.imp.ID, slices.Collect(maps.Keys(take)))
	if err != nil {
		return err
	}
	for k, b := range kept {
		if err := take[k](b); err != nil {
			return err
		}
	}
	return nil
}

// askLines reads the reporting lines of all who are named as managers, where somebody who is there gets another one.
func (j *judge) askLines(ctx context.Context, rows []Row) error {
	moves := false
	level := map[im.ID]bool{}
	for i := range rows {
		r := &rows[i]
		if typeOf(r) != typeMember || r.Fault != nil {
			continue
		}
		no := strings.TrimSpace(r.Get("manager"))
		if no == "" {
			continue
		}
		boss, ok := j.known(no) // one who comes with this batch has his line from it
		if ok {
			level[boss] = true
		}
		old, there := j.stand.Members[strings.TrimSpace(r.Get("employeeNo"))]
		moves = moves || there && old.ManagerID != boss
	}
	j.lines = map[im.ID]im.ID{}
	for moves && len(level) > 0 {
		found, err := j.managersOf(ctx, slices.Collect(maps.Keys(level)))
		if err != nil {
			return err
		}
		next := map[im.ID]bool{}
		for id, boss := range found {
			j.lines[id] = boss
			if _, seen := j.lines[boss]; !seen {
				next[boss] = true
			}
		}
		level = next
	}
	return nil
}

func (j *judge) managersOf(ctx context.Context, ids []im.ID) (map[im.ID]im.ID, error) {
	found, err := j.Store.ManagersOf(ctx, ids)
	if err != nil || !j.imp.DryRun {
		return found, err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = "l/" + id.String()
	}
	kept, err := j.Store.Scratch(ctx, j.imp.ID, keys)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if b, ok := kept["l/"+id.String()]; ok {
			var boss im.ID
			if err := json.Unmarshal(b, &boss); err != nil {
				return nil, err
			}
			if found[id] = boss; boss.IsZero() {
				delete(found, id)
			}
		}
	}
	return found, nil
}

// look reads what stands in the store; of a dry run, over it what the run would have written.
func (j *judge) look(ctx context.Context, q Question, into *Answer) error {
	if err := j.Store.Look(ctx, q, into); err != nil || !j.imp.DryRun {
		return err
	}
	var keys []string
	take := map[string]func([]byte) error{}
	want := func(key string, f func([]byte) error) {
		keys = append(keys, key)
		take[key] = f
	}
	for _, no := range slices.Concat(q.Members, q.People) {
		want("m/"+no, func(b []byte) error {
			var m im.Member
			err := json.Unmarshal(b, &m)
			into.Members[no], into.People[no] = m, m.ID
			return err
		})
	}
	for _, n := range q.AccountNames {
		want("n/"+n, func([]byte) error { into.AccountNames[n] = true; return nil })
	}
	scratchAt(want, "a/", into.Accounts, func(im.Account) {}, q.Accounts)
	for _, set := range []map[Place]bool{q.Contacts, q.ContactIDs} {
		scratchAt(want, "c/", into.Contacts, func(c im.ExternalContact) { into.ContactIDs[Place{c.WorkspaceID, c.PlatformID}] = c.ID }, set)
	}
	for _, set := range []map[Place]bool{q.Groups, q.GroupIDs} {
		scratchAt(want, "g/", into.Groups, func(g im.Group) { into.GroupIDs[Place{g.WorkspaceID, g.PlatformID}] = g.ID }, set)
	}
	kept, err := j.Store.Scratch(ctx, j.imp.ID, keys)
	if err != nil {
		return err
	}
	for k, b := range kept {
		if err := take[k](b); err != nil {
			return err
		}
	}
	return nil
}

func scratchAt[T any](want func(string, func([]byte) error), prefix string, into map[Place]T, more func(T), set map[Place]bool) {
	for p := range set {
		want(prefix+p.Workspace.String()+p.PlatformID, func(b []byte) error {
			var v T
			err := json.Unmarshal(b, &v)
			into[p] = v
			more(v)
			return err
		})
	}
}
