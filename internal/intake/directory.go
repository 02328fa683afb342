package intake

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
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
	// Own says whether a platform is the gateway's own, whose devices it signs out itself; nil: none is.
	Own func(platform string) bool
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
	gone        map[im.ID]bool           // who of them has left
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

// Ahead: what a row refers to, a batch before may make.
func (j *judge) Ahead() bool { return false }

// Forget drops what is remembered.
func (j *judge) Forget() {
	j.workspaces, j.departments, j.people, j.gone, j.supers = nil, nil, nil, nil, nil
}

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
	j.workspaces, j.departments = map[string]im.Workspace{}, map[string]im.Department{}
	j.people, j.gone, j.supers = map[string]im.ID{}, map[im.ID]bool{}, map[im.ID]bool{}
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
		j.people, j.gone = map[string]im.ID{}, map[im.ID]bool{}
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
