package db

import "github.com/guanxi-im/guanxi/internal/im"

// A predicate is one scope term as SQL over the row that is read. Every ? is the viewer's id.
type predicate string

// below is the members of departments that are, or are below, one of the viewer's. It is written for SQLite, which joins
// in this order and finds paths by their index: after ~ comes nothing that is in one.
const below = `(select bm.member_id from member_departments vm cross join departments vd cross join departments bd cross join member_departments bm
	where vm.member_id = ? and vd.id = vm.department_id and bd.path >= vd.path and bd.path < vd.path || '~' and bm.department_id = bd.id)`

// subordinates is everybody whose line of managers leads to the viewer; the union keeps a cycle from running on.
const subordinates = `(with recursive down (id) as (select id from members where manager_id = ? union
	select n.id from members n join down on n.manager_id = down.id) select id from down)`

const everything predicate = "true"

// visible says how each term of each kind of thing reads in SQL. The aliases are those of the list queries.
var visible = map[im.Kind]map[string]predicate{
	im.KindMember: {
		im.ScopeAll: everything,
		im.ScopeOwnDepartments: `m.id in (select om.member_id from member_departments om
			join member_departments vm on vm.department_id = om.department_id where vm.member_id = ?)`,
	},
	im.KindAccount: {
		im.ScopeAll: everything,
		im.ScopeOwnDepartments: `a.member_id in (select om.member_id from member_departments om
			join member_departments vm on vm.department_id = om.department_id where vm.member_id = ?)`,
	},
	im.KindContact: {
		im.ScopeAll:              everything,
		im.ScopeFollows:          "(c.owner_id = ? or exists (select 1 from contact_follows f where f.contact_id = c.id and f.member_id = ?))",
		im.ScopeDepartmentsBelow: "c.owner_id in " + below,
	},
	im.KindGroup: {
		im.ScopeAll:        everything,
		im.ScopeIn:         "exists (select 1 from group_members gm where gm.group_id = g.id and gm.party_id = ? and gm.left_at is null)",
		im.ScopeOwnedBelow: "(g.owner_id = ? or g.owner_id in " + below + ")",
	},
	im.KindRelationship: {
		im.ScopeAll:            everything,
		im.ScopeInitiated:      "r.initiator_id = ?",
		im.ScopeInitiatedBelow: "r.initiator_id in " + below,
	},
	im.KindAudit: {
		im.ScopeAll:                  everything,
		im.ScopeAllButArchive:        "e.action not like 'archive.%'",
		im.ScopeOnPolicyAndPlatforms: "(e.action like 'policy.%' or e.action like 'platform.%')",
		im.ScopeAsActor:              "e.actor_id = ?",
	},
	im.KindApproval: {
		im.ScopeAll:       everything,
		im.ScopeRequested: "a.requested_by = ?",
		im.ScopeCandidate: "exists (select 1 from approval_candidates ac where ac.approval_id = a.id and ac.member_id = ?)",
	},
	im.KindAPIKey: {im.ScopeAll: everything},
	im.KindImport: {im.ScopeAll: everything, im.ScopeRequested: "i.requested_by = ?"},
	im.KindAlert: {
		im.ScopeAll:               everything,
		im.ScopePersonSubordinate: "l.person_id in " + subordinates,
		im.ScopeContactOwner:      "l.contact_id in (select oc.id from external_contacts oc where oc.owner_id = ?)",
	},
}

// untraced is the relationships u that were undone on terms that leave no trace. Of a truth in JSON one database says true,
// the other 1.
const untraced = "u.state = 'UNDONE' and cast(u.undo_terms ->> 'trace' as text) in ('false', '0')"

// gone says how what an undo left no trace of reads in SQL: the relationship, what was asked and alerted about it, and what
// was done to it, to its approvals or its alerts. Only who reads the trail of all still sees it.
var gone = map[im.Kind]string{
	im.KindRelationship: "exists (select 1 from relationships u where u.id = r.id and " + untraced + ")",
	im.KindApproval:     "exists (select 1 from relationships u where u.id = a.subject_id and " + untraced + ")",
	im.KindAlert:        "exists (select 1 from relationships u where u.id = l.subject_id and " + untraced + ")",
	im.KindAudit: `exists (select 1 from relationships u where u.id in (e.subject_id,
		(select ua.subject_id from approvals ua where ua.id = e.subject_id), (select ul.subject_id from alerts ul where ul.id = e.subject_id)) and ` + untraced + ")",
}

// visibleTo adds the condition that the viewer may see the row. A term that this kind of thing does not know shows
// nothing: policy refuses to load one.
func (q *builder) visibleTo(v im.Viewer, kind im.Kind) *builder {
	if left := gone[kind]; left != "" && !v.ReadsTrail() {
		q.add("not " + left + " and ")
	}
	return q.inScope(v, kind)
}

// inScope is visibleTo but for what an undo left no trace of.
func (q *builder) inScope(v im.Viewer, kind im.Kind) *builder {
	terms := v.Scopes[kind]
	if terms.Has(im.ScopeAll) {
		return q.add("true")
	}
	q.add("(false")
	switch kind { // oneself, whatever policy says
	case im.KindMember:
		q.add(" or m.id = ?", v.ID())
	case im.KindAccount:
		q.add(" or a.member_id = ?", v.ID())
	}
	for _, t := range terms {
		p, ok := visible[kind][t]
		if !ok {
			continue
		}
		q.add(" or " + string(p))
		for i := range len(p) {
			if p[i] == '?' {
				q.args = append(q.args, v.ID())
			}
		}
	}
	return q.add(")")
}
