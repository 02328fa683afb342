package policytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
)

// What is something that is compared.
type What string

// What is compared, in the order in which it is told.
const (
	Outcome What = "outcome"
	Rules   What = "rules"
	Needs   What = "needs"
	Duties  What = "duties"
	Shows   What = "shows"
	Undo    What = "undo"
)

var compared = []What{Outcome, Rules, Needs, Duties, Shows, Undo}

const (
	undoOpen   = "open"
	undoClosed = "closed"
	none       = "none"
)

// Case is one question and what is expected of the answer.
type Case struct {
	Name    string
	File    string
	Line    int
	Ask     string // the question in words: wangfang004: block wm_spam on wecom
	Request authz.Request
	Want    map[What]string // spelt as in policy files, in the order of the alphabet
	// Made is when it was asked for, and At when somebody wants to take it back; zero: the case is not about an undo.
	Made, At time.Time
	Zone     string // where the workspace is
}

// Title is what the case is called.
func (c Case) Title() string {
	if c.Name == "" {
		return c.Ask
	}
	return c.Name + " (" + c.Ask + ")"
}

// Result is what came of a case.
type Result struct {
	Case     Case
	Decision authz.Decision // of a case about reading: nothing
	Faults   []Fault
}

// Fault is something that came out otherwise than expected.
type Fault struct {
	What     What   `json:"what"`
	Expected string `json:"expected"`
	Came     string `json:"came"`
}

// Passed reports whether all came out as expected.
func (r Result) Passed() bool { return len(r.Faults) == 0 }

// String is the case with what came of it: a line, and of one that failed what was expected, what came, and the lines that
// decided.
func (r Result) String() string {
	word := "ok"
	if !r.Passed() {
		word = "FAIL"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-4s  %s:%d  %s\n", word, r.Case.File, r.Case.Line, r.Case.Title())
	if r.Passed() {
		return b.String()
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "      %s: expected %s, came %s\n", f.What, f.Expected, f.Came)
	}
	switch {
	case scopes(r.Case.Request.Action):
	case len(r.Decision.Rules) == 0:
		b.WriteString("      no line allows it\n")
	default:
		for _, rule := range r.Decision.Rules {
			fmt.Fprintf(&b, "      %s:%d: %s\n", rule.File, rule.Line, rule.Text)
		}
	}
	return b.String()
}

// Failed are the results of cases that did not pass.
func Failed(list []Result) []Result {
	return slices.DeleteFunc(slices.Clone(list), Result.Passed)
}

// Run asks an engine all questions. It fails only where ctx has ended.
func (s *Suite) Run(ctx context.Context, e *authz.Engine) ([]Result, error) {
	out := make([]Result, len(s.Cases))
	for i, c := range s.Cases {
		r, err := c.Run(ctx, e)
		if err != nil {
			return nil, err
		}
		out[i] = r
	}
	return out, nil
}

// Run asks an engine one question. It fails only where ctx has ended.
func (c Case) Run(ctx context.Context, e *authz.Engine) (Result, error) {
	out := Result{Case: c}
	came := map[What]string{}
	switch c.Request.Action {
	case authz.ActionRead:
		came[Shows] = spell(e.Scope(c.Request.Actor, c.Request.Object.Type))
	case authz.ActionUnmask:
		came[Shows] = spell(e.Unmask(c.Request.Actor))
	default:
		d, err := e.Decide(ctx, c.Request)
		if err != nil {
			return out, err
		}
		out.Decision = d
		var rules []string
		for _, r := range d.Rules {
			rules = append(rules, r.Name)
		}
		came[Outcome], came[Rules] = strings.ToLower(string(d.Outcome)), spell(rules)
		came[Needs], came[Duties] = spell(authz.Spelt(d.Needs)), spell(d.Obligations)
		if !c.Made.IsZero() {
			came[Undo] = undoClosed
			if authz.UndoTerms(d.Obligations, c.Made, c.Zone).OpenAt(c.At) {
				came[Undo] = undoOpen
			}
		}
	}
	for _, what := range compared {
		if want, asked := c.Want[what]; asked && want != came[what] {
			out.Faults = append(out.Faults, Fault{what, want, came[what]})
		}
	}
	return out, nil
}

// spell is words in the order of the alphabet, each once.
func spell(words []string) string {
	if len(words) == 0 {
		return none
	}
	list := slices.Clone(words)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}
