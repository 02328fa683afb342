package db

import (
	"context"
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
	me := q.Viewer.ID()
	var found bool
	var ss []stmt
	if !q.Initiator.IsZero() {
		ss = append(ss, new(builder).add("select 1 from members m where m.id = ? and ", q.Initiator).visibleTo(q.Viewer, im.KindMember).
			stmt(func(r row) error { var one int; f.Initiator = true; return r.Scan(&one) }))
	}
	place := func(r row) error {
		var p blocking.Place
		var a im.Account
		err := r.Scan(&p.Workspace.ID, &p.Workspace.Name, &p.Workspace.Platform, &p.Workspace.Region, &p.Workspace.TimeZone,
			&p.Workspace.CustomerContact, textOf(&a.Status), textOf(&a.StatusScope))
		p.Standing = a.Standing()
		f.Places = append(f.Places, p)
		return err
	}
	var member im.Member
	var contact im.ExternalContact
	switch q.Target.Kind {
	case im.KindMember:
		ss = append(ss,
			new(builder).add("select "+memberColumns+" from members m where m.id = ? and ", q.Target.ID).visibleTo(q.Viewer, im.KindMember).
				stmt(one(&member, &found, scanMember)),
			stmt{text: "select " + workspaceColumns + `, a.status, a.status_scope from accounts a join workspaces w on w.id = a.workspace_id
				where a.member_id = ? and exists (select 1 from accounts t where t.member_id = ? and t.workspace_id = a.workspace_id)
				order by w.id`, args: []any{me, q.Target.ID}, scan: place},
			stmt{text: `with recursive line (id, step, from_target) as (
				select m.manager_id, 1, m.id = ? from members m where m.id in (?, ?)
				union all select m.manager_id, l.step + 1, l.from_target from line l join members m on m.id = l.id where l.step < ?)
				select l.from_target from line l where (l.id = ? and not l.from_target) or (l.id = ? and l.from_target) limit 1`,
				args: []any{q.Target.ID, me, q.Target.ID, lineMax, q.Target.ID, me},
				scan: func(r row) error {
					var fromTarget bool
					err := r.Scan(&fromTarget)
					f.Relation = "superior"
					if fromTarget {
						f.Relation = "subordinate"
					}
					return err
				}},
			stmt{text: `select 1 from groups g join group_members a on a.group_id = g.id and a.party_id = ? and a.left_at is null
				join group_members b on b.group_id = g.id and b.party_id = ? and b.left_at is null
				where g.owner_id = ? and g.dissolved_at is null limit 1`,
				args: []any{me, q.Target.ID, q.Target.ID},
				scan: func(r row) error { var one int; f.OwnsSharedGroup = true; return r.Scan(&one) }},
			stmt{text: "select 1 from members m where m.id = ? and m.id in " + below, args: []any{q.Target.ID, me},
				scan: func(r row) error { var one int; f.Below = true; return r.Scan(&one) }})
	case im.KindContact:
		ss = append(ss,
			new(builder).add("select "+contactColumns+" from external_contacts c where c.id = ? and ", q.Target.ID).
				visibleTo(q.Viewer, im.KindContact).stmt(one(&contact, &found, scanContact)),
			stmt{text: "select " + workspaceColumns + `, a.status, a.status_scope from accounts a join workspaces w on w.id = a.workspace_id
				join external_contacts c on c.workspace_id = w.id where a.member_id = ? and c.id = ?`,
				args: []any{me, q.Target.ID}, scan: place},
			stmt{text: "select " + ownContact + " from external_contacts c where c.id = ?", args: []any{me, me, q.Target.ID},
				scan: func(r row) error { return r.Scan(&f.OwnDepartment, &f.OwnPool) }},
			stmt{text: "select coalesce(sum(o.amount), 0) from opportunities o where o.contact_id = ? and o.is_open and o.currency = ?",
				args: []any{q.Target.ID, q.Currency},
				scan: func(r row) error { return r.Scan(&f.OpenValue) }})
	}
	var standing []im.Relationship
	ss = append(ss, stmt{text: "select " + relationshipColumns + ` from relationships r where r.initiator_id = ? and r.target_id = ?
		and r.kind = ? and r.group_id is null and r.state in ` + liveStates, args: []any{me, q.Target.ID, q.Kind},
		scan: func(r row) error {
			rel, _, err := scanRelationship(r)
			standing = append(standing, rel)
			return err
		}})
	ss = append(ss, lately(me, q).stmt(func(r row) error { return r.Scan(&f.Blocks, &f.Blacklistings) }), departmentsOf(me, &f.Departments))
	if err := s.read(ctx, ss...); err != nil {
		return f, unavailable(err, "read facts of a block")
	}
	switch {
	case found && q.Target.Kind == im.KindMember:
		f.Member = &member
	case found:
		f.Contact = &contact
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

// ownContact is of contacts c, whether their owner is in one of the viewer's departments or below, and whether they lie in the
// pool of one. Both ? are the viewer's id.
const ownContact = "coalesce(c.owner_id in " + below + `, false), exists (select 1 from member_departments vm
	where vm.member_id = ? and vm.department_id = c.pool_department_id)`

// departmentsOf reads the names of a member's departments and of all above them.
func departmentsOf(member im.ID, names *[]string) stmt {
	return stmt{text: `select distinct up.name from departments up join departments own on substr(own.path, 1, length(up.path)) = up.path
		join member_departments md on md.department_id = own.id and md.member_id = ? order by up.name`, args: []any{member},
		scan: func(r row) error {
			var name string
			err := r.Scan(&name)
			*names = append(*names, name)
			return err
		}}
}

// lately counts what somebody has made of late: blocks of contacts, and blacklistings.
func lately(initiator im.ID, q blocking.BlockQuery) *builder {
	blocks, blacklistings := q.Counts()
	b := new(builder).add("select ")
	made(b, ledger.Counted{InitiatorID: initiator, Kind: im.Block, Since: blocks}, q.Made).add(", ")
	return made(b, ledger.Counted{InitiatorID: initiator, Kind: im.Blacklist, Since: blacklistings}, q.Made)
}

// made adds how many relationships with contacts somebody has made since a moment; where one of them is decided again,
// only those before it. The rows of a bulk are no blocks of his own hand. Ids are in the order of time, which makes the
// count short.
func made(q *builder, c ledger.Counted, again *im.Relationship) *builder {
	q.add(`(select count(*) from relationships n where n.initiator_id = ? and n.id >= ? and n.created_at > ? and n.kind = ?
		and n.target_kind = 'contact' and (n.kind <> 'BLOCK' or n.source not in ('BULK_API', 'IMPORT'))`, c.InitiatorID, im.IDAt(c.Since), us(c.Since), c.Kind)
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
	q := new(builder).add("select "+relationshipColumns+", "+workspaceColumns+`,
		(select a.status from accounts a where a.workspace_id = w.id and a.member_id = ? order by a.id limit 1),
		(select a.status_scope from accounts a where a.workspace_id = w.id and a.member_id = ? order by a.id limit 1),
		coalesce((select t.name from members t where t.id = r.target_id), (select t.name from external_contacts t where t.id = r.target_id), ''),
		(select t.owner_id from external_contacts t where t.id = r.target_id)
		from relationships r join workspaces w on w.id = r.workspace_id where `, v.ID(), v.ID())
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
	// Whoever may see the approval may see what of its subject is needed to decide it.
	subject, err := s.relationshipFacts(ctx, v, func(q *builder) *builder { return q.add("r.id = ?", f.Approval.Subject.ID) }, false)
	if err != nil || subject == nil {
		return nil, err
	}
	f.Subject = *subject
	return &f, nil
}

// activePerson is the members m who may take part in a review: employed, and with an account in full use on the
// workspace in question (C-04).
const activePerson = `m.employment = 'ACTIVE'
	and exists (select 1 from accounts x where x.member_id = m.id and x.workspace_id = ? and x.status = 'ACTIVE' and x.status_scope = 'FULL')`

// Approvers resolves the roles of needs to active people, in one round trip.
func (s *Store) Approvers(ctx context.Context, q blocking.ApproverQuery) (map[string][]im.ID, error) {
	out := make(map[string][]im.ID)
	var ss []stmt
	for role, implying := range q.Roles {
		b := new(builder).add("select m.id from members m where "+activePerson, q.WorkspaceID).
			add(" and m.id <> ? and m.id <> ?", q.RequesterID, q.TargetID)
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
		default:
			roles, args := in(implying)
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

// CheckFacts reads what a contact check is answered from, in one round trip.
func (s *Store) CheckFacts(ctx context.Context, q blocking.CheckQuery) (f blocking.CheckFacts, err error) {
	party := func(b *builder, p im.Ref) *builder {
		if p.Kind == im.KindContact {
			return b.add("exists (select 1 from external_contacts c where c.id = ? and ", p.ID).visibleTo(q.Viewer, im.KindContact).add(")")
		}
		return b.add("exists (select 1 from members m where m.id = ? and ", p.ID).visibleTo(q.Viewer, im.KindMember).add(")")
	}
	on := func(b *builder, p im.Ref) *builder {
		if p.Kind == im.KindContact {
			return b.add("exists (select 1 from external_contacts c where c.id = ? and c.workspace_id = w.id)", p.ID)
		}
		return b.add("exists (select 1 from accounts a where a.member_id = ? and a.workspace_id = w.id)", p.ID)
	}
	b := party(new(builder).add("select "), q.From).add(" and ")
	b = party(b, q.To).add(", exists (select 1 from workspaces w where ")
	b = on(on(b, q.From).add(" and "), q.To)
	if !q.Workspace.IsZero() {
		b.add(" and w.id = ?", q.Workspace)
	}
	b.add("), exists (select 1 from members m where m.id in (?, ?) and m.id in "+below+")", q.From.ID, q.To.ID, q.Viewer.ID())

	rels := new(builder).add("select "+relationshipColumns+", "+workspaceColumns+", ").visibleTo(q.Viewer, im.KindRelationship).
		add(` from relationships r join workspaces w on w.id = r.workspace_id where r.target_id in (?, ?) and r.initiator_id <> r.target_id
			and (r.initiator_id in (?, ?) or r.kind = 'BLACKLIST' and r.scope = 'WORKSPACE')`, q.From.ID, q.To.ID, q.From.ID, q.To.ID).
		add(" and r.state in ('ACTIVE', 'UNDO_PENDING_APPROVAL') and (r.expires_at is null or r.expires_at > ?)", us(q.Now))
	if !q.Workspace.IsZero() {
		rels.add(" and r.workspace_id = ?", q.Workspace)
	}
	rels.add(" order by r.id")
	err = s.read(ctx,
		b.stmt(func(r row) error { return r.Scan(&f.Visible, &f.Common, &f.Below) }),
		rels.stmt(func(r row) error {
			var seen blocking.SeenRelationship
			var err error
			w := &seen.Workspace
			seen.Relationship, _, err = scanRelationship(r, &w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact, &seen.Seen)
			f.Active = append(f.Active, seen)
			return err
		}))
	return f, unavailable(err, "read contact check")
}

// Due reads what ran out, and what has cooled down.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (expired, cooled, approvals []im.ID, err error) {
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
			args: []any{us(now), limit}, scan: into(&expired)},
		stmt{text: "select r.id from relationships r where r.effective_at <= ? and r.state = 'STAGED' order by r.effective_at limit ?",
			args: []any{us(now), limit}, scan: into(&cooled)},
		stmt{text: "select a.id from approvals a where a.expires_at <= ? and a.state = 'PENDING' order by a.expires_at limit ?",
			args: []any{us(now), limit}, scan: into(&approvals)})
	return expired, cooled, approvals, unavailable(err, "read what is due")
}
