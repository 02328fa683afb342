package db

import (
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// A predicate is one scope term as SQL: the select of what is seen, or a condition on the row that is read. Every ? is the
// viewer's id.
type predicate string

// set reports whether it selects what is seen.
func (p predicate) set() bool { return strings.HasPrefix(string(p), "select ") }

// below is the members of departments that are, or are below, one of the viewer's. It is written for SQLite, which joins
// in this order and finds paths by their index: after ~ comes nothing that is in one.
const below = `(select bm.member_id from member_departments vm cross join departments vd cross join departments bd cross join member_departments bm
	where vm.member_id = ? and vd.id = vm.department_id and bd.path >= vd.path and bd.path < vd.path || '~' and bm.department_id = bd.id)`

// isBelow is whether one member is among those of [below]: of one it is asked by his own departments, however many people there
// are in the viewer's.
func isBelow(member string) string {
	return `exists (select 1 from member_departments bm cross join departments bd cross join member_departments vm cross join departments vd
	where bm.member_id = ` + member + ` and bd.id = bm.department_id and vm.member_id = ? and vd.id = vm.department_id
		and bd.path >= vd.path and bd.path < vd.path || '~')`
}

// subordinates is everybody whose line of managers leads to the viewer; the union keeps a cycle from running on.
const subordinates = `(with recursive down (id) as (select id from members where manager_id = ? union
	select n.id from members n join down on n.manager_id = down.id) select id from down)`

// oneself is seen by everybody, whatever policy says; colleagues share a department with the viewer.
const (
	oneself    predicate = "select sm.id from members sm where sm.id = ?"
	colleagues predicate = `select om.member_id from member_departments om join member_departments vm on vm.department_id = om.department_id
		where vm.member_id = ?`
)

// seen is how a kind of thing is seen: what by says of a row is in one of the sets of the viewer's terms. Databases
// begin with the sets, which are small beside the table, where several conditions with or between them make them read all of it.
type seen struct {
	by     string
	always predicate
	terms  map[string]predicate
	// among says the same as conditions, for rows that something else has made few.
	among map[string]predicate
}

// visible says how each term of each kind of thing reads in SQL. The aliases are those of the list queries.
var visible = map[im.Kind]seen{
	im.KindMember:  {by: "m.id", always: oneself, terms: map[string]predicate{im.ScopeOwnDepartments: colleagues}},
	im.KindAccount: {by: "a.member_id", always: oneself, terms: map[string]predicate{im.ScopeOwnDepartments: colleagues}},
	im.KindContact: {by: "c.id", terms: map[string]predicate{
		im.ScopeFollows: `select sc.id from external_contacts sc where sc.owner_id = ? union all
			select f.contact_id from contact_follows f where f.member_id = ?`,
		im.ScopeDepartmentsBelow: "select sc.id from external_contacts sc where sc.owner_id in " + below,
	}},
	im.KindGroup: {by: "g.id", terms: map[string]predicate{
		im.ScopeIn: "select gm.group_id from group_members gm where gm.party_id = ? and gm.left_at is null",
		im.ScopeOwnedBelow: `select sg.id from groups sg where sg.owner_id = ? union all
			select sg.id from groups sg where sg.owner_id in ` + below,
	}},
	im.KindRelationship: {by: "r.id", terms: map[string]predicate{
		im.ScopeInitiated:      "select sr.id from relationships sr where sr.initiator_id = ?",
		im.ScopeInitiatedBelow: "select sr.id from relationships sr where sr.initiator_id in " + below,
	}, among: map[string]predicate{
		im.ScopeInitiated:      "r.initiator_id = ?",
		im.ScopeInitiatedBelow: "r.initiator_id in " + below,
	}},
	im.KindAudit: {by: "e.id", terms: map[string]predicate{
		im.ScopeAllButArchive: "e.action not like 'archive.%'",
		im.ScopeOnPolicyAndPlatforms: `select se.id from audit_events se where se.action like 'policy.%' union all
			select se.id from audit_events se where se.action like 'platform.%'`,
		im.ScopeAsActor: "select se.id from audit_events se where se.actor_id = ?",
	}},
	im.KindApproval: {by: "a.id", terms: map[string]predicate{
		im.ScopeRequested: "select sa.id from approvals sa where sa.requested_by = ?",
		im.ScopeCandidate: "select ac.approval_id from approval_candidates ac where ac.member_id = ?",
	}},
	im.KindAPIKey: {},
	im.KindImport: {by: "i.id", terms: map[string]predicate{im.ScopeRequested: "select si.id from imports si where si.requested_by = ?"}},
	im.KindAlert: {by: "l.id", terms: map[string]predicate{
		im.ScopePersonSubordinate: "select sl.id from alerts sl where sl.person_id in " + subordinates,
		im.ScopeContactOwner:      "select sl.id from alerts sl join external_contacts oc on oc.id = sl.contact_id where oc.owner_id = ?",
	}},
}

// untraced is the relationships u that were undone on terms that leave no trace. Of a truth in JSON one database says true,
// the other 1.
const untraced = "u.state = 'UNDONE' and cast(u.undo_terms ->> 'trace' as text) in ('false', '0')"

// gone says how what an undo left no trace of reads in SQL: the relationship, what was asked and alerted about it, and what
// was done to it, to its approvals or its alerts. Only who reads the trail of all still sees it.
var gone = map[im.Kind]string{
	im.KindRelationship: "coalesce(" + strings.ReplaceAll(untraced, "u.", "r.") + ", false)",
	im.KindApproval:     "exists (select 1 from relationships u where u.id = a.subject_id and " + untraced + ")",
	im.KindAlert:        "exists (select 1 from relationships u where u.id = l.subject_id and " + untraced + ")",
	im.KindAudit: `exists (select 1 from relationships u where u.id in (e.subject_id,
		(select ua.subject_id from approvals ua where ua.id = e.subject_id), (select ul.subject_id from alerts ul where ul.id = e.subject_id)) and ` + untraced + ")",
}

// visibleTo adds the condition that the viewer may see the row. A term that this kind of thing does not know shows
// nothing: policy refuses to load one.
func (q *builder) visibleTo(v im.Viewer, kind im.Kind) *builder {
	return q.traced(v, kind).inScope(v, kind)
}

// visibleAmong is visibleTo for rows that something else has made few: they are judged one by one.
func (q *builder) visibleAmong(v im.Viewer, kind im.Kind) *builder {
	of := visible[kind]
	if of.among == nil || v.Scopes[kind].Has(im.ScopeAll) {
		return q.visibleTo(v, kind)
	}
	q.traced(v, kind).add("(false") // which also keeps PostgreSQL from joining with the whole set for each parent
	for _, t := range v.Scopes[kind] {
		if p := of.among[t]; p != "" {
			q.add(" or ").about(v, p)
		}
	}
	return q.add(")")
}

// traced adds that no undo has left nothing of the row.
func (q *builder) traced(v im.Viewer, kind im.Kind) *builder {
	if left := gone[kind]; left != "" && !v.ReadsTrail() {
		q.add("not " + left + " and ")
	}
	return q
}

// inScope is visibleTo but for what an undo left no trace of.
func (q *builder) inScope(v im.Viewer, kind im.Kind) *builder {
	return q.inScopeOf(v, kind, visible[kind].by)
}

// inScopeOf is inScope of what by says of a row under another alias, which a kind without conditions allows.
func (q *builder) inScopeOf(v im.Viewer, kind im.Kind, by string) *builder {
	terms, of := v.Scopes[kind], visible[kind]
	if terms.Has(im.ScopeAll) {
		return q.add("true")
	}
	var sets, conditions []predicate
	if of.always != "" {
		sets = append(sets, of.always)
	}
	for _, t := range terms {
		switch p := of.terms[t]; {
		case p.set():
			sets = append(sets, p)
		case p != "":
			conditions = append(conditions, p)
		}
	}
	if len(sets)+len(conditions) == 0 {
		return q.add("false")
	}
	q.add("(")
	for i, p := range conditions {
		if i > 0 {
			q.add(" or ")
		}
		q.about(v, p)
	}
	for i, p := range sets {
		switch {
		case i > 0:
			q.add(" union all ")
		case len(conditions) > 0:
			q.add(" or " + by + " in (")
		default:
			q.add(by + " in (")
		}
		q.about(v, p)
	}
	if len(sets) > 0 {
		q.add(")")
	}
	return q.add(")")
}

// about adds a predicate of the viewer.
func (q *builder) about(v im.Viewer, p predicate) *builder {
	q.add(string(p))
	for range strings.Count(string(p), "?") {
		q.args = append(q.args, v.ID())
	}
	return q
}
