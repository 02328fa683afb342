package db

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

var _ blocking.Store = (*Store)(nil)

// lineMax bounds a walk up the reporting line, so that a cycle in it ends.
const lineMax = 64

// liveStates are the states in which a relationship stands in the way of another of its kind, as the index names them.
const liveStates = "('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL')"

// Answer reads the answer that an idempotency key got.
func (s *Store) Answer(ctx context.Context, actor im.ID, key string) (*ledger.Answer, error) {
	var a ledger.Answer
	found := false
	err := s.read(ctx, stmt{text: "select actor_id, key, operation, request_hash, result, at from idempotency where actor_id = ? and key = ?",
		args: []any{actor, key},
		scan: func(r row) error {
			found = true
			return r.Scan(&a.ActorID, &a.Key, &a.Operation, blob{&a.RequestHash}, blob{&a.Result}, stamp{&a.At})
		}})
	if err != nil || !found {
		return nil, unavailable(err, "read answer")
	}
	return &a, nil
}

// BlockFacts reads everything that a new relationship is decided on, in one round trip.
func (s *Store) BlockFacts(ctx context.Context, q blocking.BlockQuery) (f blocking.BlockFacts, err error) {
	me, now := q.Viewer.ID(), s.now()
	he := me // the initiator
	if !q.Initiator.IsZero() {
		he = q.Initiator
	}
	seen := func(into **im.Member, id im.ID) stmt {
		return new(builder).add("select "+memberColumns+" from members m where m.id = ? and ", id).visibleTo(q.Viewer, im.KindMember).
			stmt(func(r row) error {
				m, err := scanMember(r)
				*into = &m
				return err
			})
	}
	var ss []stmt
	if !q.Initiator.IsZero() {
		ss = append(ss, seen(&f.Initiator, q.Initiator))
	}
	if !q.Delegate.IsZero() {
		ss = append(ss, seen(&f.Delegate, q.Delegate))
	}
	if !q.GroupID.IsZero() {
		ss = append(ss, new(builder).add("select "+groupColumns+" from groups g where g.id = ? and g.dissolved_at is null and ", q.GroupID).
			visibleTo(q.Viewer, im.KindGroup).stmt(func(r row) error {
			g, err := scanGroup(r)
			f.Group = &g
			return err
		}),
			stmt{text: "select gm.party_id, " + placeInGroup + ` from group_members gm join groups g on g.id = gm.group_id
				where gm.group_id = ? and gm.left_at is null and gm.party_id in (?, ?)`, args: []any{q.GroupID, he, q.Target.ID},
				scan: func(r row) error {
					var party im.ID
					var place string
					err := r.Scan(&party, &place)
					switch party {
					case he:
						f.InitiatorPlace = place
					case q.Target.ID:
						f.TargetPlace = place
					}
					return err
				}})
	}
	places := func(where string, args ...any) stmt {
		b := new(builder).add("select "+workspaceColumns+", ").account(me, now).add(", ").account(q.Initiator, now).add(", ").account(q.Delegate, now).
			add(" from workspaces w where exists (select 1 from accounts a where a.member_id = ? and a.workspace_id = w.id) and ", he).
			add(where, args...)
		if !q.GroupID.IsZero() {
			b.add(" and w.id = (select g.workspace_id from groups g where g.id = ?)", q.GroupID)
		}
		return b.add(" order by w.id").stmt(func(r row) error {
			var p blocking.Place
			var mine, his, theirs im.Account
			err := r.Scan(&p.Workspace.ID, &p.Workspace.Name, &p.Workspace.Platform, &p.Workspace.Region, &p.Workspace.TimeZone,
				&p.Workspace.CustomerContact, textOf(&mine.Status), textOf(&mine.StatusScope), textOf(&his.Status), textOf(&his.StatusScope),
				textOf(&theirs.Status), textOf(&theirs.StatusScope))
			p.Standing, p.InitiatorStanding, p.DelegateStanding = mine.Standing(), his.Standing(), theirs.Standing()
			f.Places = append(f.Places, p)
			return err
		})
	}
	switch q.Target.Kind {
	case im.KindMember:
		// What stands between the two is read with the target himself.
		m := new(builder).add("select ").relation(me, q.Target.ID).add(", ")
		if he != me {
			m.relation(he, q.Target.ID).add(", ").relation(me, he)
		} else {
			m.add("null, null")
		}
		m.add(`, exists (select 1 from groups g join group_members a on a.group_id = g.id and a.party_id = ? and a.left_at is null
				join group_members b on b.group_id = g.id and b.party_id = g.owner_id and b.left_at is null
				where g.owner_id = m.id and g.owner_id <> a.party_id and g.dissolved_at is null),
			not exists (select 1 from member_departments a join member_departments b on b.department_id = a.department_id
				where a.member_id = ? and b.member_id = m.id), `, me, he).
			add(isBelow("m.id")+", "+ownMemberColumns+" from members m where m.id = ? and ", me, q.Target.ID).visibleTo(q.Viewer, im.KindMember)
		ss = append(ss, m.stmt(func(r row) error {
			f.Member = &im.Member{}
			return r.Scan(append([]any{textOf(&f.Relation), textOf(&f.InitiatorRelation), textOf(&f.InitiatorStands), &f.OwnsSharedGroup, &f.OtherDepartment, &f.Below},
				memberInto(f.Member)...)...)
		}), places("exists (select 1 from accounts a where a.member_id = ? and a.workspace_id = w.id)", q.Target.ID))
	case im.KindContact:
		ss = append(ss,
			new(builder).add("select "+ownContact+`, coalesce((select sum(o.amount) from opportunities o where o.contact_id = c.id and o.is_open and o.currency = ?), 0),
				exists (select 1 from opportunities o where o.contact_id = c.id and o.is_open and o.currency <> ? and o.amount > 0),
				`, me, me, q.Currency, q.Currency).add(contactColumns+" from external_contacts c where c.id = ? and ", q.Target.ID).
				visibleTo(q.Viewer, im.KindContact).stmt(func(r row) error {
				c, err := scanContact(behind{r, []any{&f.OwnDepartment, &f.OwnPool, &f.OpenValue, &f.OpenForeign}})
				f.Contact = &c
				return err
			}),
			places("w.id = (select c.workspace_id from external_contacts c where c.id = ?)", q.Target.ID))
	case im.KindGroup:
		ss = append(ss,
			new(builder).add("select g.name from groups g where g.id = ? and g.dissolved_at is null and ", q.Target.ID).visibleTo(q.Viewer, im.KindGroup).
				stmt(func(r row) error { f.Found = true; return r.Scan(&f.Name) }),
			places("w.id = (select g.workspace_id from groups g where g.id = ?)", q.Target.ID))
	case im.KindDepartment:
		ss = append(ss,
			stmt{text: "select d.name from departments d where d.id = ?", args: []any{q.Target.ID},
				scan: func(r row) error { f.Found = true; return r.Scan(&f.Name) }},
			places("true"))
	}
	var standing []im.Relationship
	live := new(builder).add("select "+relationshipColumns+" from relationships r where r.initiator_id = ? and r.target_id = ? and r.state in "+
		liveStates+" and r.kind = ", he, q.Target.ID).constant(string(q.Kind))
	if q.GroupID.IsZero() {
		live.add(" and r.group_id is null")
	} else {
		live.add(" and r.group_id = ?", q.GroupID)
	}
	ss = append(ss, live.stmt(func(r row) error {
		rel, _, err := scanRelationship(r)
		standing = append(standing, rel)
		return err
	}), lately(me, q, &f.Blocks, &f.Blacklistings, &f.Departments))
	if err := s.read(ctx, ss...); err != nil {
		return f, unavailable(err, "read facts of a block")
	}
	switch {
	case f.Member != nil:
		f.Found, f.Name = true, f.Member.Name
	case f.Contact != nil:
		f.Found, f.Name = true, f.Contact.Name
	}
	for i := range f.Places {
		for k := range standing {
			if standing[k].WorkspaceID == f.Places[i].Workspace.ID {
				f.Places[i].Live = &standing[k]
			}
		}
	}
	return f, nil
}

// placeInGroup is which place a party of group g has there, as policy calls it.
const placeInGroup = "case when gm.party_id = g.owner_id then 'owner' when gm.is_admin then 'admin' else 'member' end"

// account adds a member's status and its scope on workspace w, by the account that is his own where there is one; both are null where
// he has no account there.
func (q *builder) account(member im.ID, now time.Time) *builder {
	if member.IsZero() { // said in the text, as PostgreSQL would else plan anew each time, for a plan without nobody's accounts
		return q.add("null, null")
	}
	const of = "(select %s from accounts a where a.workspace_id = w.id and a.member_id = ? order by a.kind <> 'HUMAN', a.id limit 1)"
	return q.add(strings.Replace(of, "%s", statusAt, 1)+", "+strings.Replace(of, "%s", "a.status_scope", 1), us(now), member, member)
}

// standingOf adds how a member stands on a workspace, by the account that [builder.account] goes by; null where he has none there.
func (q *builder) standingOf(member, workspace im.ID, now time.Time) *builder {
	return q.add("(select "+standingAt+" from accounts a where a.workspace_id = ? and a.member_id = ? order by a.kind <> 'HUMAN', a.id limit 1)",
		us(now), workspace, member)
}

// relation adds where one member stands to another in the reporting line, at any distance; null where he does not.
func (q *builder) relation(of, to im.ID) *builder {
	return q.add(`(with recursive line (id, step, from_target) as (
			select n.manager_id, 1, n.id = ? from members n where n.id in (?, ?)
			union all select n.manager_id, l.step + 1, l.from_target from line l join members n on n.id = l.id where l.step < ?)
			select case when l.from_target then 'subordinate' else 'superior' end from line l
			where (l.id = ? and not l.from_target) or (l.id = ? and l.from_target) limit 1)`, to, of, to, lineMax, to, of)
}

// ownContact is of contacts c, whether their owner is in one of the viewer's departments or below, and whether they lie in the
// pool of one. Both ? are the viewer's id.
var ownContact = isBelow("c.owner_id") + `, exists (select 1 from member_departments vm
	where vm.member_id = ? and vm.department_id = c.pool_department_id)`

// business is what of a contact's opportunities is open: what it comes to in the company's currency, in hundredths, and whether some
// is in another.
type business struct {
	value   int64
	foreign bool
}

// openBusiness begins to read that by contact, of those that a condition names which is still to be added.
func openBusiness(currency string) *builder {
	return new(builder).add(`select o.contact_id, coalesce(sum(case when o.currency = ? then o.amount end), 0), max(case when o.currency <> ? and o.amount > 0 then 1 else 0 end) = 1
		from opportunities o where o.is_open and `, currency, currency)
}

// lately reads what is known of who acts: how many blocks of contacts and blacklistings he has made of late, and the names of his
// departments and of all above them.
func lately(initiator im.ID, q blocking.BlockQuery, blocked, blacklisted *int, departments *[]string) stmt {
	blocks, blacklistings := q.Counts()
	b := new(builder).add("select ")
	made(b, ledger.Counted{InitiatorID: initiator, Kind: im.Block, Since: blocks}, q.Made).add(", ")
	made(b, ledger.Counted{InitiatorID: initiator, Kind: im.Blacklist, Since: blacklistings}, q.Made)
	return b.add(`, (with recursive up (name, parent_id) as (select d.name, d.parent_id from departments d
		join member_departments md on md.department_id = d.id and md.member_id = ?
		union select d.name, d.parent_id from departments d join up on d.id = up.parent_id)
		select string_agg(name, '`+separator+"') from up)", initiator).stmt(func(r row) error {
		err := r.Scan(blocked, blacklisted, words{departments})
		slices.Sort(*departments)
		*departments = slices.Compact(*departments)
		return err
	})
}

// made adds how many relationships with contacts somebody has made since a moment; where one of them is decided again,
// only those before it. The rows of a bulk are no blocks of his own hand. Ids are in the order of time, which makes the
// count short.
func made(q *builder, c ledger.Counted, again *im.Relationship) *builder {
	q.add(`(select count(*) from relationships n where n.initiator_id = ? and n.id >= ? and n.created_at > ?
		and n.target_kind = 'contact' and (n.kind <> 'BLOCK' or n.source not in ('BULK_API', 'IMPORT')) and n.kind = `, c.InitiatorID, im.IDAt(c.Since), us(c.Since)).
		constant(string(c.Kind))
	if again != nil {
		q.add(" and n.id <> ? and n.created_at <= ?", again.ID, us(again.CreatedAt))
	}
	return q.add(")")
}

// RelationshipFacts reads what a command on an existing relationship is decided on.
func (s *Store) RelationshipFacts(ctx context.Context, v im.Viewer, id im.ID) (*blocking.RelationshipFacts, error) {
	fs, err := s.relationshipFacts(ctx, v, func(q *builder) *builder { return q.add("r.id = ?", id) }, !v.ID().IsZero())
	if err != nil || fs == nil {
		return nil, err
	}
	return fs, nil
}

func (s *Store) relationshipFacts(ctx context.Context, v im.Viewer, which func(*builder) *builder, scoped bool) (*blocking.RelationshipFacts, error) {
	var f blocking.RelationshipFacts
	var sealed box
	found := false
	q := new(builder).add("select "+relationshipColumns+", "+workspaceColumns+", ").account(v.ID(), s.now()).add(`,
		coalesce((select t.name from members t where t.id = r.target_id), (select t.name from external_contacts t where t.id = r.target_id),
			(select t.name from groups t where t.id = r.target_id), (select t.name from departments t where t.id = r.target_id), ''),
		(select t.owner_id from external_contacts t where t.id = r.target_id)
		from relationships r join workspaces w on w.id = r.workspace_id where `)
	which(q)
	if scoped {
		q.add(" and ").visibleTo(v, im.KindRelationship)
	}
	var account im.Account
	read := q.stmt(func(r row) error {
		found = true
		rel, b, err := scanRelationship(r, &f.Workspace.ID, &f.Workspace.Name, &f.Workspace.Platform, &f.Workspace.Region,
			&f.Workspace.TimeZone, &f.Workspace.CustomerContact, textOf(&account.Status), textOf(&account.StatusScope), &f.TargetName, &f.OwnerID)
		f.Relationship, sealed = rel, b
		return err
	})
	if err := s.read(ctx, read); err != nil {
		return nil, unavailable(err, "read relationship")
	}
	if !found {
		return nil, nil
	}
	f.Standing = account.Standing()
	sealed.into = &f.Relationship.Reason
	if err := s.keys.open(ctx, []box{sealed}); err != nil {
		return nil, err
	}
	var err error
	f.Pending, err = s.approvals(ctx, new(builder).add("select "+approvalColumns+" from approvals a where a.subject_id = ? and a.state = 'PENDING' order by a.id",
		f.Relationship.ID))
	return &f, err
}

// ApprovalFacts reads what a command on an approval is decided on.
func (s *Store) ApprovalFacts(ctx context.Context, v im.Viewer, id im.ID) (*blocking.ApprovalFacts, error) {
	var f blocking.ApprovalFacts
	var reason box
	found := false
	q := new(builder).add("select "+approvalColumns+" from approvals a where a.id = ?", id)
	if !v.ID().IsZero() {
		q.add(" and ").visibleTo(v, im.KindApproval)
	}
	err := s.read(ctx, q.stmt(func(r row) (err error) {
		found = true
		f.Approval, reason, err = scanApproval(r)
		return err
	}))
	if err != nil || !found {
		return nil, unavailable(err, "read approval")
	}
	reason.into = &f.Approval.Reason
	if err := s.keys.open(ctx, []box{reason}); err != nil {
		return nil, err
	}
	verdicts, err := s.Verdicts(ctx, []im.ID{id})
	if err != nil {
		return nil, err
	}
	f.Verdicts = verdicts[id]
	if f.Approval.Subject.Kind != im.KindRelationship {
		return &f, nil
	}
	// Whoever may see the approval may see what of its subject is needed to decide it.
	subject, err := s.relationshipFacts(ctx, v, func(q *builder) *builder { return q.add("r.id = ?", f.Approval.Subject.ID) }, false)
	if err != nil || subject == nil {
		return nil, err
	}
	f.Subject = *subject
	return &f, nil
}

// activePerson adds that members m may take part in a review: employed, and ACTIVE on the workspace in question as decisions there
// have it (C-04), or where none is, anywhere.
func (s *Store) activePerson(q *builder, workspace im.ID, now time.Time) *builder {
	q.add("m.employment = 'ACTIVE' and ")
	if workspace.IsZero() {
		return s.bestStanding(q, now).add(" = 'ACTIVE'")
	}
	return q.add("(select "+inFullUse+" from accounts x where x.workspace_id = ? and x.member_id = m.id "+ownFirst+")", us(now), workspace)
}

// nobody is the id of nobody: not NULL, which is neither in a list nor not in it.
var nobody = im.ID{15: 1}

// Approvers resolves the roles of needs to active people, in one round trip.
func (s *Store) Approvers(ctx context.Context, q blocking.ApproverQuery) (map[string][]im.ID, error) {
	out := make(map[string][]im.ID)
	var ss []stmt
	for role, implying := range q.Roles {
		b := s.activePerson(new(builder).add("select m.id from members m where "), q.WorkspaceID, s.now()).
			add(" and m.id not in ").in(slices.DeleteFunc([]im.ID{q.RequesterID, q.InitiatorID, q.TargetID, q.BesideID, nobody}, im.ID.IsZero))
		switch role {
		case im.ManagerOfActor:
			b.add(" and m.id = (select r.manager_id from members r where r.id = ?)", q.RequesterID)
		case im.GroupOwner:
			b.add(" and m.id = (select g.owner_id from groups g where g.id = ?)", q.GroupID)
		case im.OwnerDeptManager:
			// The manager of the nearest department, from the owner's primary one upward, who leads one by policy.
			roles, args := in(q.Managers)
			b.add(` and m.id = (select up.manager_id from departments up
				join departments own on substr(own.path, 1, length(up.path)) = up.path
				join member_departments md on md.department_id = own.id and md.is_primary and md.member_id = ?
				where up.manager_id is not null and up.manager_id <> ?
				and exists (select 1 from member_roles lead where lead.member_id = up.manager_id and lead.role in `, q.OwnerID, q.RequesterID).
				add(roles, args...).add(") order by length(up.path) desc limit 1)")
		default: // whom no term names is not the one to say how his own people are dealt with
			roles, args := in(implying)
			for _, about := range []im.ID{q.TargetID, q.BesideID} {
				b.add(" and m.id is distinct from (select t.manager_id from members t where t.id = ?)", about)
			}
			b.add(" and exists (select 1 from member_roles mr where mr.member_id = m.id and mr.role in ").add(roles, args...).add(")")
		}
		if len(q.Only) > 0 {
			b.add(" and m.id in ").in(q.Only)
		}
		b.add(" order by m.sort_key, m.id limit ?", q.Limit)
		ss = append(ss, b.stmt(func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			out[role] = append(out[role], id)
			return err
		}))
	}
	if len(ss) == 0 {
		return out, nil
	}
	return out, unavailable(s.read(ctx, ss...), "resolve approvers")
}

// CheckFacts reads what contact checks are answered from, in one statement however many there are. Each look-up goes by an
// index of what is in effect, so that it takes as long in a large company as in a small one.
func (s *Store) CheckFacts(ctx context.Context, v im.Viewer, now time.Time, pairs []blocking.Pair) ([]blocking.CheckFacts, error) {
	out := make([]blocking.CheckFacts, len(pairs))
	if len(pairs) == 0 {
		return out, nil
	}
	q := s.between(pairs, now).add("select p.i, ")
	for n, end := range []string{"p.from_id", "p.to_id"} {
		if n > 0 {
			q.add(" and ")
		}
		q.add("(exists (select 1 from members m where m.id = "+end+" and ").visibleTo(v, im.KindMember)
		q.add(") or exists (select 1 from external_contacts c where c.id = "+end+" and ").visibleTo(v, im.KindContact).add("))")
	}
	q.add(" and (p.group_id is null or exists (select 1 from groups g where g.id = p.group_id and g.dissolved_at is null and ").
		visibleTo(v, im.KindGroup).add(`)),
		exists (select 1 from workspaces w where (p.workspace_id is null or w.id = p.workspace_id)
			and (p.group_id is null or w.id = (select g.workspace_id from groups g where g.id = p.group_id)
				and exists (select 1 from group_members gm where gm.group_id = p.group_id and gm.party_id = p.from_id and gm.left_at is null)
				and exists (select 1 from group_members gm where gm.group_id = p.group_id and gm.party_id = p.to_id and gm.left_at is null))`)
	for _, end := range []string{"p.from_id", "p.to_id"} {
		q.add(" and (exists (select 1 from accounts a where a.member_id = " + end + ` and a.workspace_id = w.id)
			or exists (select 1 from external_contacts c where c.id = ` + end + " and c.workspace_id = w.id))")
	}
	q.add("), exists (select 1 from member_departments bm"+s.eachOf("departments bd", "bd.id = bm.department_id")+
		s.eachOf("member_departments vm", "vm.member_id = ?")+s.eachOf("departments vd", "vd.id = vm.department_id")+`
			where bm.member_id in (p.from_id, p.to_id) and substr(bd.path, 1, length(vd.path)) = vd.path),
			null, null, null, null, null, null, null, null, null, null, null, null, false, false from p
		union all select stand.i, false, false, false, r.id, r.kind, r.target_kind, r.further, r.declared, r.group_id, `+workspaceColumns+", ", v.ID()).
		visibleTo(v, im.KindRelationship).
		add(", stand.from_target from stand" + s.eachOf("relationships r", "r.id = stand.id") + s.eachOf("workspaces w", "w.id = r.workspace_id"))
	err := s.read(ctx, q.stmt(func(r row) error {
		var i int
		var head blocking.CheckFacts
		var hit blocking.SeenRelationship
		w := &hit.Workspace
		var declared, licensed *bool
		err := r.Scan(&i, &head.Visible, &head.Common, &head.Below, &hit.ID, textOf(&hit.Kind), textOf(&hit.Target.Kind), document{&hit.Further},
			&declared, &hit.GroupID, &w.ID, textOf(&w.Name), textOf(&w.Platform), textOf(&w.Region), textOf(&w.TimeZone), &licensed,
			&hit.Seen, &hit.FromTarget)
		switch {
		case err != nil || i >= len(pairs):
		case hit.ID.IsZero():
			out[i].Visible, out[i].Common, out[i].Below = head.Visible, head.Common, head.Below
		default:
			hit.Declared = declared != nil && *declared
			hit.WorkspaceID, w.CustomerContact = w.ID, licensed != nil && *licensed
			out[i].Active = append(out[i].Active, hit)
		}
		return err
	}))
	for _, f := range out {
		slices.SortFunc(f.Active, func(a, b blocking.SeenRelationship) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	return out, unavailable(err, "read contact checks")
}

// between begins a statement about pairs: p is the pairs, by their place i, and stand the relationships that stand between the
// two of one, of which the party that p names first may be the target. What is between two people is asked nowhere else.
func (s *Store) between(pairs []blocking.Pair, now time.Time) *builder {
	id := "?"
	if s.eng.postgres() { // which does not guess the type
		id = "cast(? as uuid)"
	}
	q := new(builder).add("with recursive p (i, from_id, to_id, workspace_id, group_id) as (values ")
	for n := 1; n < 2*len(pairs) || n == 1; n *= 2 { // a power of two, so that few texts serve all lengths
		for i := n / 2; i < n; i++ {
			x := pairs[min(i, len(pairs)-1)]
			if i > 0 {
				q.add(", ")
			}
			q.add("("+strconv.Itoa(i)+", "+id+", "+id+", "+id+", "+id+")", x.From.ID, x.To.ID, x.Workspace, x.Group)
		}
	}
	// side is who the two are, other is the other one; part is what they are and what they belong to.
	q.add("), side (i, from_target, id, other) as (select i, true, from_id, to_id from p union all select i, false, to_id, from_id from p),"+
		"up (i, from_target, id, other) as (select s.i, s.from_target, md.department_id, s.other from side s"+
		s.eachOf("member_departments md", "md.member_id = s.id")+
		" union select u.i, u.from_target, d.parent_id, u.other from up u"+s.eachOf("departments d", "d.id = u.id and d.parent_id is not null")+"),"+
		"part (i, from_target, id, other) as (select i, from_target, id, other from side"+
		" union all select s.i, s.from_target, gm.group_id, s.other from side s"+
		s.eachOf("group_members gm", "gm.party_id = s.id and gm.left_at is null")+
		" union all select i, from_target, id, other from up),"+
		"hit (i, from_target, id) as (select x.i, x.from_target, r.id from part x"+
		s.eachOf("relationships r", "r.target_id = x.id and r.initiator_id = x.other and "+inEffect)+
		" union select x.i, x.from_target, r.id from part x"+
		s.eachOf("relationships r", "r.target_id = x.id and r.scope = 'WORKSPACE' and "+inEffect)+"),"+
		"stand (i, from_target, id) as (select hit.i, hit.from_target, r.id from hit cross join p"+s.eachOf("relationships r", "r.id = hit.id")+
		` where hit.i = p.i and r.initiator_id <> r.target_id and (p.workspace_id is null or r.workspace_id = p.workspace_id)
			and (p.group_id is null or r.workspace_id = (select g.workspace_id from groups g where g.id = p.group_id)
				and (r.group_id is null or r.group_id = p.group_id))
			and (r.expires_at is null or r.expires_at > ?))
		`, us(now))
	return q
}

// eachOf joins the rows of a table for which on holds to each row before it, one after the other: both databases keep to the order
// in which it is written, few rows first, and find the table's by an index. See [Store.eachText] for why.
func (s *Store) eachOf(table, on string) string {
	if !s.eng.postgres() {
		return " cross join " + table + " on " + on
	}
	_, alias, _ := strings.Cut(table, " ")
	return " cross join lateral (select * from " + table + " where " + on + " offset 0) " + alias
}

// inEffect is the relationships r in effect but for their end, as the indexes of them name the states.
const inEffect = "r.state in ('ACTIVE', 'UNDO_PENDING_APPROVAL')"

// Due reads what the clock has brought about, the earliest first; at most limit of each.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due blocking.Due, err error) {
	into := func(ids *[]im.ID) func(row) error {
		return func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			*ids = append(*ids, id)
			return err
		}
	}
	err = s.read(ctx,
		stmt{text: "select r.id from relationships r where r.expires_at <= ? and r.state in " + liveStates + " order by r.expires_at limit ?",
			args: []any{us(now), limit}, scan: into(&due.Expired)},
		stmt{text: "select r.id from relationships r where r.effective_at <= ? and r.state = 'STAGED' order by r.effective_at limit ?",
			args: []any{us(now), limit}, scan: into(&due.Cooled)},
		stmt{text: "select a.id from approvals a where a.expires_at <= ? and a.state = 'PENDING' order by a.expires_at limit ?",
			args: []any{us(now), limit}, scan: into(&due.Approvals)},
		stmt{text: "select a.id from approvals a where a.escalates_at <= ? and a.escalated_at is null and a.state = 'PENDING' order by a.escalates_at limit ?",
			args: []any{us(now), limit}, scan: into(&due.Escalations)})
	return due, unavailable(err, "read what is due")
}
