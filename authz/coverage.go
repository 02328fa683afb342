package authz

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Coverage counts what the lines of one engine did: which decided, and which conditions were seen both true and false. It
// is safe for concurrent use.
type Coverage struct {
	engine *Engine
	lines  []lineCounts // as Engine.lines
}

type lineCounts struct{ matched, decided, yes, no atomic.Uint64 }

// Covered is the same engine, with counts of what it is asked from now on. The engine itself stays as it is and as fast.
func (e *Engine) Covered() (*Engine, *Coverage) {
	c := &Coverage{engine: e, lines: make([]lineCounts, len(e.lines))}
	covered := *e
	covered.cover = c
	return &covered, c
}

// matching is [Engine.matching] with counts. Conditions are counted for those who have the role: the line is not about
// anybody else.
func (c *Coverage) matching(f *facts, lines, found []*compiled) []*compiled {
	for _, x := range lines {
		if !f.roles.has(x.role) {
			continue
		}
		n := &c.lines[x.index]
		if !x.when(f) {
			n.no.Add(1)
			continue
		}
		n.yes.Add(1)
		n.matched.Add(1)
		if isScope(f.Action) { // all that match make up a scope
			n.decided.Add(1)
		}
		found = append(found, x)
	}
	return found
}

func isScope(action string) bool { return action == ActionRead || action == ActionUnmask }

// decided counts the lines that made a decision. Those that grant what is then reviewed are among them: without one it
// would be denied.
func (c *Coverage) decided(r *Request, d Decision, matched []*compiled) {
	if isScope(r.Action) || len(d.Rules) == 0 {
		return
	}
	for _, x := range matched {
		if x.effect == d.Outcome || d.Outcome == im.Review && x.effect == im.Allow {
			c.lines[x.index].decided.Add(1)
		}
	}
}

// RuleCoverage is what one line did.
type RuleCoverage struct {
	Rule    Rule   `json:"rule"`
	Matched uint64 `json:"matched"` // requests that it was about
	Decided uint64 `json:"decided"` // and that it decided, alone or with others
	True    uint64 `json:"true"`    // requests of people with its role in which its condition held
	False   uint64 `json:"false"`   // and in which it did not
}

// Conditional reports whether the line has a condition that could be false.
func (r RuleCoverage) Conditional() bool { return r.Rule.When != "true" && r.Rule.When != "false" }

// Both reports whether the condition was seen both true and false.
func (r RuleCoverage) Both() bool { return r.True > 0 && r.False > 0 }

// CoverageReport is what all lines in force did, in the order of layers, files and lines.
type CoverageReport struct {
	Rules      []RuleCoverage `json:"rules"`
	Decided    int            `json:"decided"`    // rules that decided
	Conditions int            `json:"conditions"` // rules with a condition
	Both       int            `json:"both"`       // whose condition was seen both true and false
}

// Percent is how much was covered, of rules that decided and of conditions that were seen both ways together, rounded
// down: only all is 100.
func (r CoverageReport) Percent() int {
	all := len(r.Rules) + r.Conditions
	if all == 0 {
		return 100
	}
	return (r.Decided + r.Both) * 100 / all
}

// Missing lists the rules that never decided, or whose condition was not seen both ways.
func (r CoverageReport) Missing() []RuleCoverage {
	return slices.DeleteFunc(slices.Clone(r.Rules), func(x RuleCoverage) bool { return x.Decided > 0 && (!x.Conditional() || x.Both()) })
}

// Report is the counts so far.
func (c *Coverage) Report() CoverageReport {
	var out CoverageReport
	for i := range c.lines {
		n := &c.lines[i]
		x := RuleCoverage{
			Rule: c.engine.rules[c.engine.lines[i].ordinal], Matched: n.matched.Load(), Decided: n.decided.Load(), True: n.yes.Load(), False: n.no.Load(),
		}
		out.Rules = append(out.Rules, x)
		if x.Decided > 0 {
			out.Decided++
		}
		if x.Conditional() {
			out.Conditions++
			if x.Both() {
				out.Both++
			}
		}
	}
	return out
}

// String has a line with file:line for each rule that is not covered, and one with the sum.
func (r CoverageReport) String() string {
	var b strings.Builder
	for _, x := range r.Missing() {
		var what []string
		if x.Decided == 0 {
			what = append(what, "never decided")
			if x.Matched > 0 {
				what[0] = "matched and never decided"
			}
		}
		switch {
		case !x.Conditional() || x.Both():
		case x.True == 0 && x.False == 0:
			what = append(what, "its condition was never asked for")
		case x.True == 0:
			what = append(what, "its condition was never true")
		default:
			what = append(what, "its condition was never false")
		}
		fmt.Fprintf(&b, "%s:%d: %s: %s\n", x.Rule.File, x.Rule.Line, x.Rule.Name, strings.Join(what, "; "))
	}
	fmt.Fprintf(&b, "%d of %d rules decided; %d of %d conditions were seen both true and false; %d%%\n", r.Decided, len(r.Rules), r.Both, r.Conditions, r.Percent())
	return b.String()
}
