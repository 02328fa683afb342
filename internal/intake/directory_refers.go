package intake

import (
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

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
