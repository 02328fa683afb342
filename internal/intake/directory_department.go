package intake

import (
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

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
