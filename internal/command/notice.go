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
// once for a purpose, neither who asks, nor for whom he does, nor the target; and the endpoints of systems that take it.
// otherwise is the purpose where a duty names none.
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
			if role != authz.NotifyOwner && role != authz.NotifySystems {
				q.Roles[role] = k.implying(role)
			}
		}
	}
	people := map[string][]im.ID{}
	if len(q.Roles) > 0 {
		if people, err = k.Store.Approvers(ctx, q); err != nil {
			return nil, err
		}
	}
	people[authz.NotifyOwner] = []im.ID{q.OwnerID}
	add := func(n im.Notice) {
		if !slices.Contains(told, n) {
			told = append(told, n)
		}
	}
	aside := []im.ID{{}, target, q.RequesterID, q.InitiatorID}
	for _, duty := range duties {
		who, purpose := authz.Notified(duty)
		if purpose == "" {
			purpose = otherwise
		}
		for _, role := range who {
			for _, id := range people[role] {
				if !slices.Contains(aside, id) {
					add(im.Notice{Purpose: purpose, MemberID: id})
				}
			}
			if role == authz.NotifySystems {
				for _, n := range k.TellSystems(purpose) {
					add(n)
				}
			}
		}
	}
	return told, nil
}

// TellSystems is word to the endpoints of systems that take a purpose.
func (k *Desk) TellSystems(purpose string) (told []im.Notice) {
	if k.Endpoints == nil {
		return nil
	}
	for _, name := range k.Endpoints(purpose) {
		told = append(told, im.Notice{Purpose: purpose, Endpoint: name})
	}
	return told
}
