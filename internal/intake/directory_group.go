package intake

import (
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

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
