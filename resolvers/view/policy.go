package view

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/internal/policy"
)

// Policy is the policy files in force as clients see them.
type Policy struct {
	b   *Batch
	now policy.Status
}

// Policy presents the policy in force; nil for those who may not read it.
func (b *Batch) Policy() *Policy {
	if !b.readsPolicy() {
		return nil
	}
	return &Policy{b, b.src.Policy()}
}

// The methods of Policy are the fields of the schema.
func (p *Policy) Version() string     { return p.now.Engine.Version() }
func (p *Policy) LoadedAt() time.Time { return p.now.LoadedAt }

func (p *Policy) Sources() []string {
	out := []string{}
	for _, r := range p.now.Engine.Rules() {
		if !slices.Contains(out, r.File) {
			out = append(out, r.File)
		}
	}
	return out
}

func (p *Policy) Problems() []*model.PolicyProblem {
	return All(p.now.Problems, func(x authz.Problem) *model.PolicyProblem {
		out := &model.PolicyProblem{File: x.File, Line: x.Line, Message: x.Message, Severity: x.Severity}
		if x.Column > 0 {
			out.Column = &x.Column
		}
		return out
	})
}

// rulesInOrder names the order of policy lines.
const rulesInOrder = "rules"

func (p *Policy) Rules(_ context.Context, first *int, after *string, last *int, before *string) (*PolicyRuleConnection, error) {
	r, err := page.Parse(rulesInOrder, page.Args{First: first, After: after, Last: last, Before: before}, true)
	if err != nil {
		return nil, err
	}
	all := p.now.Engine.Rules()
	total := len(all)
	if r.Backward {
		slices.Reverse(all)
	}
	if r.From != nil {
		i := slices.IndexFunc(all, func(x authz.Rule) bool { return x.ID == r.From.ID })
		if i < 0 { // it is of a version that is no longer in force
			return nil, fault.New(fault.CursorExpired, "cursor_expired")
		}
		all = all[i+1:]
	}
	rows := all[:min(len(all), r.Size+1)]
	at := make([]page.Position, len(rows))
	for i, x := range rows {
		at[i] = page.Position{ID: x.ID}
	}
	out := page.Trim(r, rows, at)
	out.Total = &total
	return &PolicyRuleConnection{shapeOf(out), All(out.Nodes, p.b.rule)}, nil
}

// PolicyRuleConnection is a page as the schema shapes it.
type PolicyRuleConnection struct {
	shape[authz.Rule]
	Nodes []*PolicyRule
}

// Edges are the rows with their cursors.
func (c *PolicyRuleConnection) Edges() []*PolicyRuleEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *PolicyRule) *PolicyRuleEdge { return &PolicyRuleEdge{at, n} })
}

// PolicyRuleEdge is one row of it.
type PolicyRuleEdge struct {
	Cursor string
	Node   *PolicyRule
}

// PolicyStats is how policy bore on people.
type PolicyStats struct {
	From, Until                                                           time.Time
	Allowed, Denied, Reviewed, Blocks, InternalBlocks, FalseBlocksAvoided int
	Rules                                                                 []*RuleStats
}

// RuleStats is how one policy line bore on people.
type RuleStats struct {
	Rule                               *PolicyRule
	Allowed, Denied, Reviewed, Members int
}

// PolicyStats presents what was counted; the text of a line in force is at hand.
func (b *Batch) PolicyStats(s blocking.Stats) *PolicyStats {
	texts := make(map[im.ID]string)
	for _, r := range b.src.Policy().Engine.Rules() {
		texts[r.ID] = r.Text
	}
	return &PolicyStats{s.From, s.Until, s.Allowed, s.Denied, s.Reviewed, s.Blocks, s.InternalBlocks, s.Avoided,
		All(s.Rules, func(r blocking.RuleStats) *RuleStats {
			return &RuleStats{&PolicyRule{b: b, ref: r.Rule, text: texts[r.Rule.ID]}, r.Allowed, r.Denied, r.Reviewed, r.Members}
		})}
}

// ReadsPolicy reports whether the viewer may read the files.
func (b *Batch) ReadsPolicy() bool { return b.readsPolicy() }
