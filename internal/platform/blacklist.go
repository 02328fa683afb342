package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// carryOut carries an intent out on its platform, and answers what is to be written down with its end.
func (c *Courier) carryOut(ctx context.Context, k *connection, j Job) (u ledger.Unit, vendorRef string, err error) {
	a, ok := k.adapter.(adapters.Blacklister)
	if !ok { // it was connected in another way when the intent was made
		return u, "", &adapters.Error{Code: adapters.NotSupported, Op: k.workspace.Platform, Message: "the platform has no call for it"}
	}
	call := delivery{c: c, a: a, platform: k.workspace.Platform, j: j}
	switch j.Intent.Kind {
	case im.IntentBlacklist:
		err = call.list(ctx)
	case im.IntentLift, im.IntentExpire:
		err = call.unlist(ctx, false)
	case im.IntentUndo:
		err = call.unlist(ctx, true)
	default:
		err = &adapters.Error{Code: adapters.NotSupported, Op: j.Intent.Kind, Message: "nothing is known to carry out for it"}
	}
	if err != nil { // what was done so far is done again, or found done
		return ledger.Unit{}, call.vendorRef, err
	}
	return call.u, call.vendorRef, nil
}

// delivery is one attempt at an intent of a blacklisting.
type delivery struct {
	c         *Courier
	a         adapters.Blacklister
	platform  string
	j         Job
	u         ledger.Unit
	vendorRef string
}

// list puts the contact on the blacklist of each member whom it is about. What that takes off is kept before it is
// taken, for the platform keeps no copy.
func (d *delivery) list(ctx context.Context) error {
	sides := concerned(d.j.Relationship, d.j.Sides, d.j.OwnerID)
	if len(sides) == 0 {
		return &adapters.Error{Code: adapters.NotFound, Op: "Blacklist", Message: "no member follows the contact"}
	}
	var taken []string
	for _, s := range sides {
		held, err := d.hold(ctx, s)
		if err != nil {
			return err
		}
		res, err := seen(ctx, d.platform, "Blacklist", func(ctx context.Context) (adapters.BlacklistResult, error) {
			return d.a.Blacklist(ctx, adapters.BlacklistRequest{Call: d.call(s), Owner: adapters.MemberID(s.Account), Contact: adapters.ContactID(d.j.Contact), Held: &held})
		})
		d.refer(res.VendorRef)
		if err != nil {
			return err
		}
		if len(res.Snapshot.Tags) > len(held.Tags) { // somebody added some since it was read
			d.u.Holds = append(d.u.Holds, d.holding(s, res.Snapshot))
		}
		taken = append(taken, names(res.Snapshot.Tags)...)
	}
	d.u.Tags = append(d.u.Tags, im.TagChange{ContactID: d.j.Intent.TargetID, Taken: taken})
	return nil
}

// hold is what of a side is kept; what is not yet kept is read and kept now.
func (d *delivery) hold(ctx context.Context, s Side) (held adapters.Snapshot, err error) {
	if s.Hold != nil {
		return snapshot(*s.Hold)
	}
	reader, ok := d.a.(adapters.BlacklistReader)
	if !ok {
		return held, nil // the platform remembers keys: see adapters.Agree
	}
	state, err := seen(ctx, d.platform, "Blacklisted", func(ctx context.Context) (adapters.BlacklistState, error) {
		return reader.Blacklisted(ctx, adapters.MemberID(s.Account), adapters.ContactID(d.j.Contact))
	})
	if err != nil {
		return held, err
	}
	h := d.holding(s, state.Snapshot)
	if err := d.c.o.Store.KeepHold(ctx, h); err != nil {
		return held, err
	}
	for i := range d.j.Sides { // another try must not take what is then left for all that there was
		if d.j.Sides[i].MemberID == s.MemberID {
			d.j.Sides[i].Hold = &h
		}
	}
	return state.Snapshot, nil
}

func (d *delivery) holding(s Side, held adapters.Snapshot) im.Hold {
	text, err := json.Marshal(held)
	if err != nil {
		panic("platform: " + err.Error()) // a snapshot is texts alone
	}
	return im.Hold{ContactID: d.j.Intent.TargetID, MemberID: s.MemberID, Snapshot: im.Text(text), TakenAt: d.c.o.Now()}
}

// snapshot reads what is kept. Of a contact who was erased nothing is.
func snapshot(h im.Hold) (s adapters.Snapshot, err error) {
	if h.Snapshot == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(h.Snapshot), &s); err != nil {
		return s, fmt.Errorf("what is held of a contact cannot be read: %w", err)
	}
	return s, nil
}

// unlist takes the contact off each blacklist that no other blacklisting wants it on. An undo puts tags back, a lift
// does not.
func (d *delivery) unlist(ctx context.Context, undo bool) error {
	var wanted []im.ID
	for _, o := range d.j.Others {
		for _, s := range concerned(o, d.j.Sides, d.j.OwnerID) {
			wanted = append(wanted, s.MemberID)
		}
	}
	var added []string
	var short []im.Shortfall
	for _, s := range d.j.Sides {
		if s.Hold == nil || slices.Contains(wanted, s.MemberID) {
			continue
		}
		held, err := snapshot(*s.Hold)
		if err != nil {
			return err
		}
		back := held
		if !undo {
			back.Tags = nil
		}
		res, err := seen(ctx, d.platform, "Unblacklist", func(ctx context.Context) (adapters.BlacklistResult, error) {
			return d.a.Unblacklist(ctx, adapters.BlacklistRequest{Call: d.call(s), Owner: adapters.MemberID(s.Account), Contact: adapters.ContactID(d.j.Contact), Held: &back})
		})
		d.refer(res.VendorRef)
		if err != nil {
			return err
		}
		for _, t := range back.Tags {
			gone := slices.ContainsFunc(res.Short, func(f adapters.Shortfall) bool { return f.What == string(t.ID) })
			if gone {
				short = append(short, im.Shortfall{Code: string(adapters.ShortGone), What: t.Name})
			} else {
				added = append(added, t.Name)
			}
		}
		for _, f := range res.Short {
			if !slices.ContainsFunc(back.Tags, func(t adapters.Tag) bool { return f.What == string(t.ID) }) {
				short = append(short, im.Shortfall{Code: string(f.Code), What: f.What})
			}
		}
		d.u.Released = append(d.u.Released, im.Hold{ContactID: d.j.Intent.TargetID, MemberID: s.MemberID})
	}
	if len(added) > 0 {
		d.u.Tags = append(d.u.Tags, im.TagChange{ContactID: d.j.Intent.TargetID, Added: added})
	}
	if undo && len(short) > 0 {
		d.u.Shortfalls = append(d.u.Shortfalls, ledger.Shortfalls{RelationshipID: d.j.Relationship.ID, About: d.j.Intent.TargetID, Items: short})
	}
	return nil
}

// call is what every call about one side carries: a key that is the same on each attempt.
func (d *delivery) call(s Side) adapters.Call {
	return adapters.Call{Key: adapters.Key(d.j.Intent.Key + ":" + s.Account), Operator: adapters.MemberID(s.Account)}
}

func (d *delivery) refer(ref string) {
	if ref != "" {
		d.vendorRef = ref
	}
}

func names(tags []adapters.Tag) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = t.Name
	}
	return out
}

// concerned are the sides of a contact that a blacklisting is about: everybody's where it holds for the workspace, else
// that of who made it, or where he has no tie with the contact, that of its owner.
func concerned(r im.Relationship, sides []Side, owner im.ID) []Side {
	var out []Side
	follows := func(id im.ID) bool {
		return slices.ContainsFunc(sides, func(s Side) bool { return s.MemberID == id && s.Follows })
	}
	for _, s := range sides {
		switch {
		case !s.Follows:
		case r.Scope == im.WorkspaceScope,
			s.MemberID == r.InitiatorID,
			s.MemberID == owner && !follows(r.InitiatorID):
			out = append(out, s)
		}
	}
	return out
}
