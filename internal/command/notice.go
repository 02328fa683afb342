package command

import (
	"context"
	"slices"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/im"
)

// toldMax bounds the people of one role who are told of one thing.
const toldMax = 20

// Tell works out whom policy wants to have told of what a command does, and of what: the owner, and active people, each
// once for a purpose, neither who asks, nor for whom he does, nor the target. otherwise is the purpose where a duty names
// none.
func (k *Desk) Tell(ctx context.Context, o im.Obligations, otherwise string, q approval.Query) (told []im.Notice, err error) {
	duties := o.Args(authz.DutyNotify)
	if len(duties) == 0 {
		return nil, nil
	}
	target := q.TargetID
	q.TargetID = im.ID{} // whose manager may be told of it, as he is not asked
	q.Roles, q.Managers, q.Limit = map[string][]string{}, k.Policy.Engine().Implying(deptManager), toldMax
	for _, duty := range duties {
		who, _ := authz.Notified(duty)
		for _, role := range who {
			if role != authz.NotifyOwner {
				q.Roles[role] = k.implying(role)
			}
		}
	}
	people, err := k.Store.Approvers(ctx, q)
	if err != nil {
		return nil, err
	}
	people[authz.NotifyOwner] = []im.ID{q.OwnerID}
	aside := []im.ID{{}, target, q.RequesterID, q.InitiatorID}
	for _, duty := range duties {
		who, purpose := authz.Notified(duty)
		if purpose == "" {
			purpose = otherwise
		}
		for _, role := range who {
			for _, id := range people[role] {
				if n := (im.Notice{Purpose: purpose, MemberID: id}); !slices.Contains(aside, id) && !slices.Contains(told, n) {
					told = append(told, n)
				}
			}
		}
	}
	return told, nil
}
