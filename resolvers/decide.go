package resolvers

import (
	"strconv"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// factsMax bounds the facts of one question.
const factsMax = 50

// askInput maps a question to policy.
func askInput(in model.DecisionInput) (out blocking.AskInput, err error) {
	x := ids{code: fault.BadUserInput}
	out.Action, out.At = in.Action, when(in.At)
	if out.ActorID, err = x.optional("actorId", in.ActorID, im.KindMember); err != nil {
		return out, err
	}
	if out.GroupID, err = x.optional("groupId", in.GroupID, im.KindGroup); err != nil {
		return out, err
	}
	if out.WorkspaceID, err = x.optional("workspaceId", in.WorkspaceID, im.KindWorkspace); err != nil {
		return out, err
	}
	if in.TargetID != nil {
		ref, ok := nodeid.Decode(*in.TargetID)
		if !ok {
			return out, x.bad("targetId", *in.TargetID, "thing")
		}
		out.Target = ref
	}
	if len(in.Facts) > factsMax {
		f := fault.New(fault.BadUserInput, "too_many", strconv.Itoa(factsMax), strconv.Itoa(len(in.Facts)))
		f.Path = []string{"facts"}
		return out, f
	}
	for _, f := range in.Facts {
		out.Facts = append(out.Facts, blocking.FactInput{Name: f.Name, Value: f.Value})
	}
	return out, nil
}
