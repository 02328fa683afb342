package intake

import (
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

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
