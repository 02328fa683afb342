package wecom

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// largestBatch is the most that get_by_user gives at once.
const largestBatch = 100

// unrelated is how WeCom answers for a member who has no contact, instead of an empty list. The pages do not say so; a
// log of its answers does: https://github.com/binarywang/WxJava/issues/1528.
const unrelated = "84061"

// Contacts is one of WeCom's own pages, with WeCom's own cursor. Of tags it has the ids alone, and no personal ones.
func (a *Adapter) Contacts(ctx context.Context, owner adapters.MemberID, after adapters.Cursor, size int) (p adapters.Page[adapters.Contact], err error) {
	if size <= 0 {
		return p, badPage("Contacts")
	}
	out, err := a.contacts(ctx, owner, string(after), min(size, largestBatch))
	if e := (*adapters.Error)(nil); errors.As(err, &e) && e.Vendor.Code == unrelated && after == "" {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	for _, row := range out.List {
		f := row.Follow.follow()
		for _, id := range row.Follow.TagIDs {
			f.Tags = append(f.Tags, adapters.Tag{ID: adapters.TagID(id)})
		}
		c := row.Contact.contact()
		c.Follows = []adapters.Follow{f}
		p.Items = append(p.Items, c)
	}
	p.Next = adapters.Cursor(out.Next)
	return p, nil
}

// Contact is one contact with all who follow it.
func (a *Adapter) Contact(ctx context.Context, id adapters.ContactID) (c adapters.Contact, err error) {
	var follows []adapters.Follow
	err = a.eachFollow(ctx, id, func(e externalContact, f followUser) bool {
		c = e.contact()
		follows = append(follows, f.follow())
		return true
	})
	c.Follows = follows
	return c, err
}

// eachFollow calls yield for each who follows the contact, until it answers false. A contact that nobody in the app's
// range follows is not found.
func (a *Adapter) eachFollow(ctx context.Context, id adapters.ContactID, yield func(externalContact, followUser) bool) error {
	found := false
	for cursor := ""; ; {
		out, err := a.contact(ctx, id, cursor)
		if err != nil {
			return err
		}
		for _, f := range out.Follows {
			found = true
			if !yield(out.Contact, f) {
				return nil
			}
		}
		switch out.Next {
		case "":
			if !found {
				return &adapters.Error{Code: adapters.NotFound, Op: platform + ".Contact", Message: "nobody in the app's range follows the contact"}
			}
			return nil
		case cursor:
			return &adapters.Error{Code: adapters.Internal, Op: platform + ".Contact", Message: "the cursor did not move"}
		}
		cursor = out.Next
	}
}

// relation is a contact and the side of it that is the owner's.
func (a *Adapter) relation(ctx context.Context, owner adapters.MemberID, id adapters.ContactID) (c externalContact, f followUser, err error) {
	found := false
	err = a.eachFollow(ctx, id, func(e externalContact, other followUser) bool {
		if c = e; strings.EqualFold(other.UserID, string(owner)) {
			f, found = other, true
		}
		return !found
	})
	if err == nil && !found {
		err = &adapters.Error{Code: adapters.NotFound, Op: platform + ".Contact", Message: "the member does not follow the contact"}
	}
	return c, f, err
}

func (e externalContact) contact() adapters.Contact {
	return adapters.Contact{ID: adapters.ContactID(e.ID), Name: e.Name, Organisation: e.CorpName}
}

func (f followUser) follow() adapters.Follow {
	out := adapters.Follow{Member: adapters.MemberID(f.UserID), Remark: f.Remark, Since: time.Unix(f.CreateTime, 0).UTC()}
	for _, t := range f.Tags {
		out.Tags = append(out.Tags, adapters.Tag{ID: adapters.TagID(t.ID), Name: t.Name, Group: t.Group})
	}
	return out
}
