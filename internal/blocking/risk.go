package blocking

import (
	"context"
	"slices"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Signal is one thing that makes keeping somebody away risky. Which there are, and what they weigh, policy files say.
type Signal struct {
	Code   string
	Rule   string // the policy line that says so: its sentence is for people
	Weight float64
}

// Risk is how risky it is to keep somebody away.
type Risk struct {
	Level   im.RiskLevel
	Score   float64 // from 0 to 1
	Signals []Signal
}

// weigh asks policy what is risky about a wish.
func (s *Service) weigh(ctx context.Context, q question) (r Risk, err error) {
	request := q.request()
	request.Action = authz.ActionWeigh
	d, err := s.o.Policy.Engine().Decide(ctx, request)
	r.Level = im.RiskNone
	if err != nil || d.Outcome != im.Allow {
		return r, err
	}
	levels := map[im.RiskLevel]float64{}
	for _, rule := range d.Rules {
		duties := rule.Duties()
		for _, arg := range duties.Args(authz.DutyRisk) {
			code, weight, _ := authz.Weighed(arg)
			r.Signals = append(r.Signals, Signal{code, rule.Name, weight})
		}
		for _, arg := range duties.Args(authz.DutyRiskLevel) {
			level, from, _ := authz.Weighed(arg)
			levels[im.RiskLevel(level)] = from
		}
	}
	return sum(r.Signals, levels), nil
}

// sum weighs signals together: each adds to the others, and none goes beyond 1.
func sum(signals []Signal, levels map[im.RiskLevel]float64) Risk {
	r := Risk{Level: im.RiskNone, Signals: signals}
	safe := 1.0
	for _, x := range signals {
		safe *= 1 - x.Weight
	}
	r.Score = 1 - safe
	least := 0.0
	for level, from := range levels {
		if r.Score >= from && from > least {
			r.Level, least = level, from
		}
	}
	return r
}

// worst is the greater of two risks, with the signals of both.
func worst(a, b Risk) Risk {
	if b.Score > a.Score {
		a, b = b, a
	}
	for _, x := range b.Signals {
		if !slices.ContainsFunc(a.Signals, func(o Signal) bool { return o.Code == x.Code }) {
			a.Signals = append(slices.Clone(a.Signals), x)
		}
	}
	return a
}
