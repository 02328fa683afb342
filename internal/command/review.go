package command

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Roles that approvals themselves know.
const (
	admin       = "admin"
	deptManager = "dept_manager"
)

// candidatesMax bounds the people who are kept for one need.
const candidatesMax = 500

// workedOut reports whether the people of a role follow from the facts.
func workedOut(role string) bool {
	return role == im.ManagerOfActor || role == im.OwnerDeptManager || role == im.GroupOwner
}

// implying lists the directory roles that imply a role; none where its people are worked out.
func (k *Desk) implying(role string) []string {
	if workedOut(role) {
		return nil
	}
	return k.Policy.Engine().Implying(role)
}

// Resolve turns needs into people. A need whose people are worked out from the facts and of whom there is none falls
// to an admin.
func (k *Desk) Resolve(ctx context.Context, needs []im.Need, q approval.Query) ([]im.Need, []im.Candidate, error) {
	q.Roles = map[string][]string{admin: k.Policy.Engine().Implying(admin)}
	k.ask(&q, needs)
	q.Managers, q.Limit = k.Policy.Engine().Implying(deptManager), candidatesMax
	people, err := k.Store.Approvers(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	out := slices.Clone(needs)
	for i, n := range out {
		if workedOut(n.Role) && len(people[n.Role]) == 0 {
			out[i].Role = admin
		}
	}
	out = approval.Merge(out)
	var candidates []im.Candidate
	for _, n := range out {
		for _, role := range append([]string{n.Role}, q.InAnyPlace...) {
			for _, id := range people[role] {
				candidates = append(candidates, im.Candidate{MemberID: id, Role: n.Role})
			}
		}
	}
	return out, candidates, nil
}

// ask adds the roles of needs to those that are asked for, and the roles that stand in for any.
func (k *Desk) ask(q *approval.Query, needs []im.Need) {
	for _, n := range needs {
		q.Roles[n.Role] = k.implying(n.Role)
	}
	for _, role := range q.InAnyPlace {
		q.Roles[role] = k.implying(role)
	}
}

// MayAgree lists, for each of some people, the needs that they may speak for now: a role that was lost meanwhile, or
// an account that was frozen, takes a verdict's weight away.
func (k *Desk) MayAgree(ctx context.Context, needs []im.Need, q approval.Query, people ...im.ID) ([][]string, error) {
	q.Roles, q.Managers, q.Only, q.Limit = map[string][]string{}, k.Policy.Engine().Implying(deptManager), people, len(people)
	k.ask(&q, needs)
	found, err := k.Store.Approvers(ctx, q)
	if err != nil {
		return nil, err
	}
	may := make([][]string, len(people))
	for i, p := range people {
		inAnyPlace := slices.ContainsFunc(q.InAnyPlace, func(role string) bool { return slices.Contains(found[role], p) })
		for _, n := range needs {
			if inAnyPlace || slices.Contains(found[n.Role], p) {
				may[i] = append(may[i], n.Role)
			}
		}
	}
	return may, nil
}

// reviewTime is how long an approval waits where policy says nothing.
const reviewTime = 72 * time.Hour

// Ask opens an approval: a says what is asked for, of what and why, and what it binds to; d whom it takes.
func (k *Desk) Ask(u *ledger.Unit, a im.Approval, d im.Decision, candidates []im.Candidate) *im.Approval {
	now := k.Now()
	wait, said := d.Obligations.Within(authz.DutyExpire)
	if !said {
		wait = reviewTime
	}
	if to, after, said := authz.Escalation(d.Obligations); said {
		a.EscalateTo, a.EscalatesAt = to, now.Add(after)
	}
	a.ID, a.Needs, a.DecisionID, a.State, a.Version, a.CreatedAt, a.ExpiresAt = k.IDs.New(), d.Needs, d.ID, im.ApprovalPending, 1, now, now.Add(wait)
	u.Approvals = append(u.Approvals, a)
	u.Changes = append(u.Changes, im.ApprovalChange(k.IDs.New(), now, a, ""))
	for _, c := range candidates {
		c.ApprovalID = a.ID
		u.Candidates = append(u.Candidates, c)
	}
	return &a
}

// Settle ends an approval.
func (k *Desk) Settle(u *ledger.Unit, a im.Approval, to im.ApprovalState) im.Approval {
	from := a.State
	a.State = to
	a.EndedAt = k.Now()
	return k.Turn(u, a, from)
}

// Turn writes an approval as it shall be, one version up, with its change in the unit.
func (k *Desk) Turn(u *ledger.Unit, a im.Approval, from im.ApprovalState) im.Approval {
	a.Version++
	u.ApprovalSteps = append(u.ApprovalSteps, a)
	u.Changes = append(u.Changes, im.ApprovalChange(k.IDs.New(), k.Now(), a, from))
	return a
}
