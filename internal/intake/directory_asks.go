package intake

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

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
	maps.Copy(j.people, j.stand.People)
	maps.Copy(j.gone, j.stand.Gone)
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
	var q Question
	follows, chances, ties, own := map[im.ID]bool{}, map[im.ID]bool{}, map[Tie]bool{}, map[Tie]bool{}
	for i := range rows {
		r := &rows[i]
		t := typeOf(r)
		if r.Fault != nil || t != typeAccount && t != typeFollow && t != typeOpportunity && t != typeMembership {
			continue
		}
		w := j.workspaces[strings.TrimSpace(r.Get("workspace"))]
		contact := j.stand.ContactIDs[Place{w.ID, strings.TrimSpace(r.Get("contact"))}]
		member, _ := j.known(strings.TrimSpace(r.Get("member")))
		switch t {
		case typeAccount:
			if tie, ok := j.binds(r, w, member); ok {
				own[tie] = true
			}
		case typeFollow:
			follows[contact] = true
		case typeOpportunity:
			chances[contact] = true
		case typeMembership:
			group, party := j.stand.GroupIDs[Place{w.ID, strings.TrimSpace(r.Get("group"))}], member
			if party.IsZero() {
				party = contact
			}
			if !group.IsZero() && !party.IsZero() {
				ties[Tie{group, party}] = true
			}
		}
	}
	q.Memberships, q.Own = slices.Collect(maps.Keys(ties)), slices.Collect(maps.Keys(own))
	for _, x := range []struct {
		from map[im.ID]bool
		into *[]im.ID
	}{{follows, &q.FollowsOf}, {chances, &q.OpportunitiesOf}} {
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
	for _, tie := range q.Own {
		want(ownKey(tie), func(b []byte) error {
			var accounts []im.ID
			err := json.Unmarshal(b, &accounts)
			into.Own[tie] = accounts
			return err
		})
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
