package intake

import (
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

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
