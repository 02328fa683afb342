package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// ContactFacts reads for many contacts of one workspace at once what blacklistings of them are decided on, in one round trip.
func (s *Store) ContactFacts(ctx context.Context, q blocking.ContactsQuery) (out map[im.ID]blocking.BlockFacts, late blocking.BlockFacts, err error) {
	me := q.Viewer.ID()
	var contacts []*im.ExternalContact
	var place blocking.Place
	there := false
	below, pools := map[im.ID]bool{}, map[im.ID]bool{}
	value, live := map[im.ID]business{}, map[im.ID]*im.Relationship{}
	into := func(set map[im.ID]bool) func(row) error {
		return func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			set[id] = true
			return err
		}
	}
	owners := s.amongIDs(new(builder).add("select m.id from members m where m.id in (select c.owner_id from external_contacts c where "), "c.id", q.Contacts).
		add(") and "+isBelow("m.id"), me)
	// Found by their targets: while many are being made, a planner takes what an initiator has, or what is of the kind, for few rows.
	stands := s.amongIDs(new(builder).add("select "+relationshipColumns+` from relationships r where coalesce(r.initiator_id, r.target_id) = ?
		and r.workspace_id = ? and coalesce(r.kind, '') = 'BLACKLIST' and r.group_id is null and r.state in `+liveStates+" and ", me, q.WorkspaceID),
		"r.target_id", q.Contacts)
	var account im.Account
	w := &place.Workspace
	on := new(builder).add("select " + workspaceColumns + ", ")
	if q.Viewer.IsService() { // which is on each, with an account on none
		on.account(im.ID{}, q.Now).add(" from workspaces w where w.id = ?", q.WorkspaceID)
	} else {
		on.account(me, q.Now).add(` from workspaces w
			where exists (select 1 from accounts a where a.member_id = ? and a.workspace_id = w.id) and w.id = ?`, me, q.WorkspaceID)
	}
	ss := []stmt{
		// Not by their workspace, by which SQLite would read all that are on it.
		s.amongIDs(new(builder).add(`select c.id, c.workspace_id, c.name, c.importance, c.verified, c.owner_id, c.pool_department_id, coalesce(c.region, '')
			from external_contacts c where `).visibleTo(q.Viewer, im.KindContact).add(" and "), "c.id", q.Contacts).stmt(func(r row) error {
			c := &im.ExternalContact{}
			err := r.Scan(&c.ID, &c.WorkspaceID, &c.Name, textOf(&c.Importance), &c.Verified, &c.OwnerID, &c.PoolDepartmentID, &c.Region)
			if c.WorkspaceID == q.WorkspaceID {
				contacts = append(contacts, c)
			}
			return err
		}),
		on.stmt(func(r row) error {
			there = true
			return r.Scan(&w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact, textOf(&account.Status), textOf(&account.StatusScope))
		}),
		owners.stmt(into(below)),
		stmt{text: "select md.department_id from member_departments md where md.member_id = ?", args: []any{me}, scan: into(pools)},
		s.amongIDs(openBusiness(q.Currency), "o.contact_id", q.Contacts).
			add(" group by o.contact_id").stmt(func(r row) error {
			var id im.ID
			var open business
			err := r.Scan(&id, &open.value, &open.foreign)
			value[id] = open
			return err
		}),
		stands.stmt(func(r row) error {
			rel, _, err := scanRelationship(r)
			live[rel.Target.ID] = &rel
			return err
		}),
	}
	if q.Late {
		ss = append(ss, lately(me, blocking.BlockQuery{Now: q.Now, Made: q.Made}, &late.Blocks, &late.Blacklistings, &late.Departments))
	}
	if err = s.read(ctx, ss...); err != nil {
		return nil, late, unavailable(err, "read facts of blacklistings")
	}
	out = make(map[im.ID]blocking.BlockFacts, len(contacts))
	place.Standing = account.Standing()
	for _, c := range contacts {
		f := blocking.BlockFacts{Found: true, Name: c.Name, Contact: c}
		f.OwnDepartment, f.OwnPool = below[c.OwnerID], pools[c.PoolDepartmentID]
		f.OpenValue, f.OpenForeign = value[c.ID].value, value[c.ID].foreign
		if there {
			p := place
			p.Live = live[c.ID]
			f.Places = []blocking.Place{p}
		}
		out[c.ID] = f
	}
	return out, late, nil
}

// loaded splits a unit of many commands into what has to come first, what is written many rows at once, and the rest. The first
// of what it counts is held against what stood before any of them, by a statement about the import that it is part of.
func (s *Store) loaded(ctx context.Context, w *writing, u ledger.Unit, imp im.ID) (first []stmt, loads []load, rest ledger.Unit, err error) {
	first = append(s.lockStmts(u), stepStmts(u.Steps)...) // an expired relationship makes room for its successor
	if c := u.Counted; c != nil {
		q := new(builder).add("update imports set attempt = attempt where id = ? and ", imp)
		held := made(q, *c, nil).add(" = ?", c.N).stmt(nil)
		held.want = 1
		first = append(first, held)
	}
	turns, err := s.turns(ctx, u.Intents)
	if err != nil {
		return nil, nil, rest, err
	}
	decisions, relationships, intents, events, changes := decisionsLoad, relationshipsLoad, intentsLoad, eventsLoad, changesLoad
	for _, d := range u.Decisions {
		decisions.rows = append(decisions.rows, decisionRow(d))
	}
	for _, r := range u.Relationships {
		relationships.rows = append(relationships.rows, relationshipRow(w, r))
	}
	for _, i := range u.Intents {
		turns[i.TargetID]++
		intents.rows = append(intents.rows, intentRow(i, turns[i.TargetID]))
	}
	for _, e := range u.Events {
		events.rows = append(events.rows, eventRow(w, e))
	}
	for _, c := range u.Changes {
		changes.rows = append(changes.rows, changeRow(c))
	}
	rest = u
	rest.Counted, rest.Steps = nil, nil
	rest.Decisions, rest.Relationships, rest.Intents, rest.Events, rest.Changes = nil, nil, nil, nil, nil
	alerts, notices := told(&rest, u.Relationships, &changes)
	return first, []load{w.made, decisions, relationships, intents, events, changes, alerts, notices}, rest, nil
}

var (
	alertsLoad  = load{table: "alerts", columns: []string{"id", "kind", "severity", "at", "subject_kind", "subject_id", "person_id", "contact_id"}}
	noticesLoad = load{table: "notices", columns: []string{"id", "at", "purpose", "subject_kind", "subject_id", "member_id"}}
)

// told takes out of a unit what people are told of relationships that it makes: nobody can have told them before, so that is not
// looked for.
func told(u *ledger.Unit, made []im.Relationship, changes *load) (alerts, notices load) {
	type word struct {
		subject, to im.ID
		what        string
	}
	fresh, said := make(map[im.ID]bool, len(made)), map[word]bool{}
	for _, r := range made {
		fresh[r.ID] = true
	}
	first := func(w word) bool {
		again := said[w]
		said[w] = true
		return !again
	}
	alerts, notices = alertsLoad, noticesLoad
	all, some := u.Alerts, u.Notices
	u.Alerts, u.Notices = nil, nil
	for _, a := range all {
		if !fresh[a.Subject.ID] {
			u.Alerts = append(u.Alerts, a)
		} else if first(word{a.Subject.ID, a.PersonID, "alert " + string(a.Kind)}) {
			alerts.rows = append(alerts.rows, []any{a.ID, string(a.Kind), string(a.Severity), us(a.At), string(a.Subject.Kind), a.Subject.ID, a.PersonID, a.ContactID})
			changes.rows = append(changes.rows, changeRow(im.Change{ID: a.ID, At: a.At, About: im.Ref{Kind: im.KindAlert, ID: a.ID}, What: im.Created}))
		}
	}
	for _, n := range some {
		if !fresh[n.Subject.ID] || n.Endpoint != "" {
			u.Notices = append(u.Notices, n)
		} else if first(word{n.Subject.ID, n.MemberID, "notice " + n.Purpose}) {
			notices.rows = append(notices.rows, []any{n.ID, us(n.At), n.Purpose, string(n.Subject.Kind), n.Subject.ID, n.MemberID})
		}
	}
	return alerts, notices
}

// turns reads the last turn that anybody has whose wish about a target waits to be carried out.
func (s *Store) turns(ctx context.Context, is []im.Intent) (map[im.ID]int, error) {
	out := make(map[im.ID]int, len(is))
	if len(is) == 0 {
		return out, nil
	}
	targets := make([]im.ID, len(is))
	for i, x := range is {
		targets[i] = x.TargetID
	}
	q := s.amongIDs(new(builder).add("select o.target_id, max(o.turn) from intents o where o.state = 'PENDING' and "), "o.target_id", targets).add(" group by o.target_id")
	err := s.read(ctx, q.stmt(func(r row) error {
		var id im.ID
		var turn int
		err := r.Scan(&id, &turn)
		out[id] = turn
		return err
	}))
	return out, unavailable(err, "read turns")
}
