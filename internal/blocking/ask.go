package blocking

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// AskInput asks what policy would say, without that anything is done.
type AskInput struct {
	ActorID     im.ID // zero: the caller
	Action      string
	Target      im.Ref // the zero Ref: only the facts given are known of it
	GroupID     im.ID  // of a group block
	WorkspaceID im.ID  // zero: of all on which it could be asked, the one with the strictest answer
	At          time.Time
	Facts       []FactInput // put in the place of what is known
}

// FactInput is one fact by its name in conditions.
type FactInput struct{ Name, Value string }

// Asked is an answer of policy, and who would have to agree.
type Asked struct {
	Decision   im.Decision
	Candidates []im.Candidate
}

// Ask answers what policy says to a request, by the same facts as the command itself. Everybody may ask about what he
// could ask for himself; about another person, with other facts, or about actions without a command only those who may read
// policy (FORBIDDEN): otherwise it would tell what one may not see. Nil where the caller, or the person asked about, does
// not see the target. BAD_USER_INPUT for an action or a fact that there is not.
func (s *Service) Ask(ctx context.Context, c Call, in AskInput) (*Asked, error) {
	if !authz.IsAction(in.Action) {
		return nil, fault.New(fault.BadUserInput, "action_unknown", clip(in.Action))
	}
	actor := c.Viewer
	if in.At.IsZero() {
		in.At = s.o.Now()
	}
	other := !in.ActorID.IsZero() && in.ActorID != c.Viewer.ID()
	way, known := s.wayToAsk(in)
	if other || !s.wishes(in) || !known {
		if err := s.mayReadPolicy(ctx, c); err != nil {
			return nil, err
		}
	}
	if other {
		var err error
		if actor, err = s.o.Viewer(ctx, in.ActorID); fault.Is(err, fault.Unauthenticated) { // he is gone
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if seen, err := s.sees(ctx, c.Viewer, actor.Ref(), in.Target); err != nil || !seen {
			return nil, err
		}
	}
	x, err := way(ctx, actor, in)
	if err != nil || len(x.questions) == 0 {
		return nil, err
	}
	var strictest *Asked
	for _, q := range x.questions {
		a, err := s.ask1(ctx, q, x, in.Facts)
		if err != nil {
			return nil, err
		}
		if strictest == nil || stricter(a.Decision.Outcome, strictest.Decision.Outcome) {
			strictest = a
		}
	}
	strictest.Decision.AskedBy = c.Viewer.ID()
	return strictest, s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{strictest.Decision}})
}

func stricter(a, b im.Outcome) bool {
	order := []im.Outcome{im.Allow, im.Review, im.Deny}
	return slices.Index(order, a) > slices.Index(order, b)
}

// clip keeps what a caller wrote from making an answer long.
func clip(s string) string { return s[:min(len(s), 64)] }

// mayReadPolicy refuses whoever may not read the policy files.
func (s *Service) mayReadPolicy(ctx context.Context, c Call) error {
	d, err := s.decide(ctx, question{action: authz.ActionRead, viewer: c.Viewer, standing: c.Viewer.Standing(), object: authz.Object{Type: authz.TypePolicy}})
	if err != nil || d.Outcome == im.Allow {
		return err
	}
	return s.forbid(ctx, c, d)
}

// sees reports whether a viewer sees a person and, where it is a member or a contact, a target.
func (s *Service) sees(ctx context.Context, v im.Viewer, person, target im.Ref) (bool, error) {
	if target.Kind != im.KindMember && target.Kind != im.KindContact {
		target = person
	}
	f, err := s.store.CheckFacts(ctx, v, s.o.Now(), []Pair{{From: person, To: target}})
	return err == nil && f[0].Visible, err
}

// ask1 asks one question, with facts put in the place of what is known.
func (s *Service) ask1(ctx context.Context, q question, x inquiry, facts []FactInput) (*Asked, error) {
	r := q.request()
	for i, f := range facts {
		if err := r.Set(f.Name, f.Value); err != nil {
			return nil, factFault(i, err)
		}
	}
	if r.Action != q.action {
		return nil, fault.New(fault.BadUserInput, "fact_action")
	}
	d, err := s.judge(ctx, q, r)
	if err != nil || d.Outcome != im.Review {
		return &Asked{Decision: d}, err
	}
	x.approvers.RequesterID, x.approvers.WorkspaceID = q.viewer.ID(), q.workspace.ID
	var candidates []im.Candidate
	d.Needs, candidates, err = s.resolve(ctx, asMade(d.Needs, x.made), x.approvers)
	return &Asked{d, candidates}, err
}

// factFault says of a fact that cannot be put what was expected.
func factFault(i int, err error) error {
	f := fault.New(fault.BadUserInput, "fact_unknown", err.Error())
	if e, ok := errors.AsType[*authz.FactError](err); ok {
		switch {
		case e.Expected != "":
			f = fault.New(fault.BadUserInput, "fact_value", e.Name, clip(e.Value), e.Expected)
		case e.Hint != "":
			f = fault.New(fault.BadUserInput, "fact_unknown_near", clip(e.Name), e.Hint)
		default:
			f = fault.New(fault.BadUserInput, "fact_unknown", clip(e.Name))
		}
	}
	f.Path = []string{"facts", strconv.Itoa(i)}
	return f
}

// inquiry is what an action would be decided by: a question for each workspace on which it could be asked. None: the actor does
// not see the target.
type inquiry struct {
	questions []question
	approvers ApproverQuery
	made      []im.Need // whom as_made stands for
}

// wishes reports whether the facts given are all part of what is asked for: those everybody may give.
func (s *Service) wishes(in AskInput) bool {
	wish := s.o.Asks[in.Action].Wish
	return !slices.ContainsFunc(in.Facts, func(f FactInput) bool { return wish == "" || authz.FactName(f.Name) != wish })
}

// wayToAsk is how the facts of an action come together; it is not known of an action that has no command here yet: of its
// target nothing is known but what the caller says.
func (s *Service) wayToAsk(in AskInput) (func(ctx context.Context, actor im.Viewer, in AskInput) (inquiry, error), bool) {
	party := in.Target.Kind == im.KindMember || in.Target.Kind == im.KindContact
	switch in.Action {
	case authz.ActionBlock, authz.ActionIsolate, authz.ActionBlacklist, authz.ActionGroupBlock:
		if party && (in.Action == authz.ActionGroupBlock) == !in.GroupID.IsZero() {
			return s.askWish, true
		}
	case authz.ActionCheckContact:
		if party {
			return s.askCheck, true
		}
	case authz.ActionLift, authz.ActionUndo:
		if in.Target.Kind == im.KindRelationship {
			return s.askEnd, true
		}
	case authz.ActionDecideApproval, authz.ActionCancelApproval:
		if in.Target.Kind == im.KindApproval {
			return s.askVerdict, true
		}
	}
	if a, others := s.o.Asks[in.Action]; others && in.Target.Kind == a.Kind {
		return s.askOthers, true
	}
	return s.askBare, false
}

// askOthers has another use-case gather what its action is decided on.
func (s *Service) askOthers(ctx context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	a, wish := s.o.Asks[in.Action], ""
	for _, f := range in.Facts {
		if authz.FactName(f.Name) == a.Wish {
			wish = f.Value
		}
	}
	asked, err := a.Ask(ctx, actor, in.Target.ID, wish, in.At)
	if err == nil && asked != nil {
		x.questions = []question{{action: in.Action, viewer: actor, workspace: asked.Workspace, target: in.Target, made: &asked.Request}}
		x.approvers = asked.Approvers
	}
	return x, err
}

// askWish gathers what a wish to keep somebody away is decided on.
func (s *Service) askWish(ctx context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	kind := map[string]im.RelationshipKind{authz.ActionBlock: im.Block, authz.ActionIsolate: im.Isolation, authz.ActionBlacklist: im.Blacklist,
		authz.ActionGroupBlock: im.GroupBlock}[in.Action]
	wished := BlockInput{Target: in.Target, Kind: kind, GroupID: in.GroupID}
	q := s.query(actor, wished)
	q.Now = in.At
	f, err := s.store.BlockFacts(ctx, q)
	if err != nil || missing(wished, f) != nil {
		return x, err
	}
	if !in.WorkspaceID.IsZero() {
		wished.WorkspaceIDs = []im.ID{in.WorkspaceID}
	}
	places, miss := pick(f, wished)
	if miss != nil {
		return x, fault.New(fault.BadUserInput, miss.Key)
	}
	for _, p := range places {
		x.questions = append(x.questions, s.wishQuestion(actor, wished, f, p))
	}
	x.approvers = ApproverQuery{TargetID: in.Target.ID, OwnerID: f.owner(), GroupID: in.GroupID}
	return x, nil
}

// askCheck gathers what a contact check between the actor and another is decided on.
func (s *Service) askCheck(ctx context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	f, err := s.store.CheckFacts(ctx, actor, in.At, []Pair{{From: actor.Ref(), To: in.Target, Workspace: in.WorkspaceID}})
	if err == nil && f[0].Visible {
		x.questions = []question{checkQuestion(actor, in.Target, true, f[0])}
	}
	return x, err
}

// askEnd gathers what the end of a relationship is decided on.
func (s *Service) askEnd(ctx context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	f, err := s.store.RelationshipFacts(ctx, actor, in.Target.ID)
	if err != nil || f == nil {
		return x, err
	}
	way := wayOf(in.Action)
	return inquiry{questions: []question{way.question(actor, *f, in.At)}, made: way.asks(f.Relationship),
		approvers: ApproverQuery{TargetID: f.Relationship.Target.ID, OwnerID: f.OwnerID, GroupID: f.Relationship.GroupID}}, nil
}

// askVerdict gathers what a verdict on a request, or its end by who asked, is decided on.
func (s *Service) askVerdict(ctx context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	r := review{s: s, ctx: ctx, c: Call{Viewer: actor}, u: &ledger.Unit{}}
	if missing, err := r.open(in.Target.ID); missing != nil || err != nil {
		return x, err
	}
	candidate := false
	if in.Action == authz.ActionDecideApproval {
		may, err := r.mayAgree(r.f.Approval.Needs, actor.ID())
		if err != nil {
			return x, err
		}
		candidate = len(may[0]) > 0
	}
	x.questions = []question{r.question(in.Action, candidate)}
	return x, nil
}

// askBare asks by the facts that the caller gives, and the actor's own.
func (s *Service) askBare(_ context.Context, actor im.Viewer, in AskInput) (x inquiry, err error) {
	q := question{action: in.Action, viewer: actor, standing: actor.Standing(), target: in.Target,
		object: authz.Object{Type: string(in.Target.Kind)}}
	if !in.Target.ID.IsZero() {
		q.object.ID = in.Target.ID.String()
	}
	return inquiry{questions: []question{q}, approvers: ApproverQuery{TargetID: in.Target.ID}}, nil
}

// forbid keeps the refusal of a question, and makes the fault of it. One that is refused again within the hour is counted
// with the first.
func (s *Service) forbid(ctx context.Context, c Call, d im.Decision) error {
	return s.Refuse(ctx, c, d, fault.New(fault.Forbidden, "forbidden"))
}

// Refuse is the same in the words of the caller.
func (s *Service) Refuse(ctx context.Context, c Call, d im.Decision, refusal *fault.Error) error {
	const within = time.Hour
	same, err := json.Marshal([]any{d.ActorID, d.Action, d.Target, d.WorkspaceID, d.Facts, d.Rules, d.PolicyVersion, d.At.Truncate(within)})
	if err != nil {
		return fault.Wrap(err, "encode a refused question")
	}
	fold := s.store.Fingerprint(same)
	for range command.TriesMax {
		if refusal.DecisionID, err = s.store.Denied(ctx, fold, d.At); err != nil {
			return err
		}
		if !refusal.DecisionID.IsZero() {
			return refusal
		}
		err = s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{d}, Denial: &ledger.Denial{Fold: fold, DecisionID: d.ID, At: d.At},
			Events: []im.AuditEvent{s.event(c, d.Action, d, d.Target, "", d.Target.ID, "")}})
		switch {
		case err == nil:
			s.o.Wake()
			refusal.DecisionID = d.ID
			return refusal
		case !errors.Is(err, ledger.ErrStale): // somebody else was the first
			return err
		}
	}
	return fault.New(fault.Unavailable, "unavailable")
}

// sampleEvery says which of the contact checks that policy allows are kept in the decision log: one of so many.
const sampleEvery = 100

// sample keeps one of many decisions that allowed a question.
func (s *Service) sample(ctx context.Context, d im.Decision) error {
	if s.allowed.Add(1)%sampleEvery != 1 {
		return nil
	}
	d.AskedBy = d.ActorID
	return s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{d}})
}
