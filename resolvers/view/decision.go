package view

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Decision is a decision as clients see it.
type Decision struct {
	b   *Batch
	row im.Decision
	who []im.Candidate // of one that was only asked for: who would have to agree

	explaining  sync.Once
	explained   authz.Explanation
	explainable bool
	failed      error
}

// Decision presents a decision of something that the caller sees.
func (b *Batch) Decision(d im.Decision) *Decision {
	return show(b, &b.shown.decisions, &Decision{b: b, row: d})
}

// Asked presents an answer of policy to a question.
func (b *Batch) Asked(a blocking.Asked) *Decision {
	d := b.Decision(a.Decision)
	d.who = a.Candidates
	return d
}

// maySeeDecision says who may look a decision up by its id alone: whoever asked, and who reads the trail.
func (b *Batch) maySeeDecision(d im.Decision) bool {
	asker := d.AskedBy
	if asker.IsZero() {
		asker = d.ActorID
	}
	return asker == b.viewer.ID() && !d.Untraced || b.viewer.ReadsTrail()
}

// The methods of Decision are the fields of the schema.
func (*Decision) IsNode()                   {}
func (d *Decision) ID() string              { return id(im.KindDecision, d.row.ID) }
func (d *Decision) Action() string          { return d.row.Action }
func (d *Decision) Outcome() model.Outcome  { return model.Outcome(d.row.Outcome) }
func (d *Decision) Reason() string          { return d.b.src.Reason(d.row, d.b.lang) }
func (d *Decision) PolicyVersion() string   { return d.row.PolicyVersion }
func (d *Decision) At() time.Time           { return d.row.At }
func (d *Decision) Times() int              { return max(d.row.Times, 1) }
func (d *Decision) Obligations() []string   { return append([]string{}, d.row.Obligations...) }
func (d *Decision) ApproverRoles() []string { return roles(d.row.Needs) }
func (d *Decision) Actor(ctx context.Context) (*Member, error) {
	return to(ctx, d.b, "Decision.actor", &d.b.shown.decisions, members, d, func(d *Decision) im.ID { return d.row.ActorID })
}

// Service is the name of the actor where no person is called so: ids of people and of services are never the same.
func (d *Decision) Service(ctx context.Context) (*string, error) {
	v, err := to(ctx, d.b, "Decision.service", &d.b.shown.decisions, services, d, func(d *Decision) im.ID { return d.row.ActorID })
	if err != nil || v.Name == "" {
		return nil, err
	}
	return &v.Name, nil
}

func (d *Decision) Target(ctx context.Context) (Node, error) { return d.target(ctx, "Decision.target") }

// target presents the target for one of the fields that go by it.
func (d *Decision) target(ctx context.Context, field string) (Node, error) {
	n := next(d.b, field, &d.b.shown.decisions, func(n *Batch, d *Decision) { n.announceNode(d.row.Target) })
	return n.Node(ctx, d.row.Target)
}
func (d *Decision) Workspace(ctx context.Context) (*Workspace, error) {
	return d.b.workspace(ctx, d.row.WorkspaceID)
}

func (d *Decision) Rules() []*PolicyRule {
	return All(d.row.Rules, func(r im.RuleRef) *PolicyRule { return &PolicyRule{b: d.b, ref: r} })
}

func (d *Decision) Needs(ctx context.Context) ([]*ApprovalNeed, error) {
	if len(d.row.Needs) == 0 {
		return []*ApprovalNeed{}, nil
	}
	if d.who != nil || !d.row.AskedBy.IsZero() {
		return d.b.needsOf(d.row.Needs, d.who, nil), nil
	}
	n := next(d.b, "Decision.needs", &d.b.shown.decisions, func(n *Batch, d *Decision) {
		if len(d.row.Needs) > 0 {
			n.asked.announce(d.row.ID)
		}
	})
	asked, err := n.asked.get(ctx, d.row.ID)
	if err != nil {
		return nil, err
	}
	return n.needs(ctx, asked, d.row.Needs)
}

// explain makes the decision again, once.
func (d *Decision) explain(ctx context.Context) (authz.Explanation, bool, error) {
	d.explaining.Do(func() { d.explained, d.explainable, d.failed = d.b.src.Explain(ctx, d.row) })
	return d.explained, d.explainable, d.failed
}

// Layers shows of the rules those that decided, and to readers of policy all that are about the request.
func (d *Decision) Layers(ctx context.Context) ([]*PolicyLayer, error) {
	x, ok, err := d.explain(ctx)
	out := []*PolicyLayer{}
	if err != nil || !ok {
		return out, err
	}
	for _, l := range x.Layers {
		shown := &PolicyLayer{Name: l.Name, Rules: []*PolicyRule{}}
		if l.Outcome != "" {
			o := model.Outcome(l.Outcome)
			shown.Outcome = &o
		}
		for _, m := range l.Rules {
			switch decided := slices.ContainsFunc(d.row.Rules, func(r im.RuleRef) bool { return r.ID == m.Rule.ID }); {
			case d.b.readsPolicy():
				shown.Rules = append(shown.Rules, d.b.rule(m.Rule))
			case decided:
				shown.Rules = append(shown.Rules, &PolicyRule{b: d.b, ref: m.Rule.Ref()})
			}
		}
		out = append(out, shown)
	}
	return out, nil
}

// NearMisses shows to readers of policy what would have decided otherwise.
func (d *Decision) NearMisses(ctx context.Context) ([]*NearMiss, error) {
	out := []*NearMiss{}
	if !d.b.readsPolicy() {
		return out, nil
	}
	x, ok, err := d.explain(ctx)
	if err != nil || !ok {
		return out, err
	}
	for _, m := range x.NearMisses {
		out = append(out, &NearMiss{Rule: d.b.rule(m.Rule), FailedTerm: m.FailedTerm, Actual: m.Actual})
	}
	return out, nil
}

// Replayed shows to readers of policy and of the trail what the decision comes to when it is made again.
func (d *Decision) Replayed(ctx context.Context) (*model.Outcome, error) {
	if !d.b.readsPolicy() && !d.b.viewer.ReadsTrail() {
		return nil, nil
	}
	x, ok, err := d.explain(ctx)
	if err != nil || !ok {
		return nil, err
	}
	o := model.Outcome(x.Decision.Outcome)
	return &o, nil
}

// Facts hides the values of what the viewer may not see: all shows to readers of policy and of the trail; who asked sees
// what is his own, and the target's while he sees the target; to everybody else it is the question alone.
func (d *Decision) Facts(ctx context.Context) ([]*model.Fact, error) {
	all := d.b.readsPolicy() || d.b.viewer.ReadsTrail()
	own := d.row.ActorID == d.b.viewer.ID()
	target := all
	if !all && own {
		n, err := d.target(ctx, "Decision.facts")
		if err != nil {
			return nil, err
		}
		target = n != nil
	}
	out := []*model.Fact{}
	for _, name := range slices.Sorted(maps.Keys(d.row.Facts)) {
		shows := all
		switch f := strings.TrimPrefix(name, "r."); {
		case f == "act" || f == "dom" || f == "platform" || f == "obj.Type":
			shows = true
		case strings.HasPrefix(f, "sub."):
			shows = all || own
		case strings.HasPrefix(f, "obj."), strings.HasPrefix(f, "env."):
			shows = target
		}
		fact := &model.Fact{Name: name}
		if value := d.shown(name); shows {
			fact.Value = &value
		}
		out = append(out, fact)
	}
	return out, nil
}

// shown is the value of a fact; ids are as clients know them.
func (d *Decision) shown(name string) string {
	value := d.row.Facts[name]
	of, isID := map[string]im.Kind{"r.sub.ID": im.KindMember, "r.obj.InitiatorID": im.KindMember, "r.obj.ID": d.row.Target.Kind}[name]
	if v, err := im.ParseID(value); isID && of != "" && err == nil {
		return id(of, v)
	}
	return value
}

// PolicyLayer is what one layer said, as clients see it.
type PolicyLayer struct {
	Name    string
	Outcome *model.Outcome
	Rules   []*PolicyRule
}

// NearMiss is a rule that one thing kept from deciding, as clients see it.
type NearMiss struct {
	Rule       *PolicyRule
	FailedTerm string
	Actual     string
}

func roles(needs []im.Need) []string {
	return All(needs, func(n im.Need) string { return n.Role })
}

// ApprovalNeed is a need with how far it is met.
type ApprovalNeed struct {
	b     *Batch
	need  im.Need
	given int
	who   []im.ID
}

// needs says how far the needs of an approval are met, counting each person who agreed once.
func (b *Batch) needs(ctx context.Context, asked im.ID, needs []im.Need) ([]*ApprovalNeed, error) {
	candidates, err := b.candidates.get(ctx, asked)
	if err != nil {
		return nil, err
	}
	verdicts, err := b.verdicts.get(ctx, asked)
	if err != nil {
		return nil, err
	}
	return b.needsOf(needs, candidates, verdicts), nil
}

func (b *Batch) needsOf(needs []im.Need, candidates []im.Candidate, verdicts []im.Verdict) []*ApprovalNeed {
	var may [][]string
	for _, v := range verdicts {
		if !v.Approved {
			continue
		}
		var roles []string
		for _, c := range candidates {
			if c.MemberID == v.ByID {
				roles = append(roles, c.Role)
			}
		}
		may = append(may, roles)
	}
	given := approval.Given(needs, may)
	out := make([]*ApprovalNeed, len(needs))
	for i, n := range needs {
		out[i] = &ApprovalNeed{b: b, need: n, given: given[i]}
		for _, c := range candidates {
			if c.Role == n.Role {
				out[i].who = append(out[i].who, c.MemberID)
			}
		}
	}
	return out
}

// The methods of ApprovalNeed are the fields of the schema.
func (n *ApprovalNeed) Role() string { return n.need.Role }
func (n *ApprovalNeed) Count() int   { return n.need.Count }
func (n *ApprovalNeed) Given() int   { return n.given }
func (n *ApprovalNeed) Candidates(ctx context.Context) ([]*Member, error) {
	const most = 20
	members := next(n.b, "ApprovalNeed.candidates", &n.b.shown.approvals, func(*Batch, *Approval) {})
	n.b.candidates.each(func(cs []im.Candidate) {
		for _, c := range cs {
			members.members.announce(c.MemberID)
		}
	})
	return members.several(ctx, n.who[:min(len(n.who), most)])
}
