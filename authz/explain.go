package authz

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Explanation is a decision and what stands around it, for whoever edits policy or asks why.
type Explanation struct {
	Decision Decision `json:"decision"` // as Decide gives it
	// Layers is what each layer says by itself, from the product's guardrails to the company's files.
	Layers []LayerAnswer `json:"layers"`
	// NearMisses is rules that would have decided otherwise, had one thing been otherwise; at most twenty.
	NearMisses []NearMiss `json:"nearMisses"`
}

// LayerAnswer is what one layer says to a request.
type LayerAnswer struct {
	Name    string     `json:"name"`    // guard, default, platform:wecom, company
	Outcome im.Outcome `json:"outcome"` // the strongest of its lines; empty: none of them is about the request, but to add duties
	Rules   []Match    `json:"rules"`
}

// Match is a rule that is about a request, with the facts that its condition asked for.
type Match struct {
	Rule   Rule   `json:"rule"`
	Values []Fact `json:"values"`
}

// Fact is the value of an attribute, as conditions spell it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NearMiss is a rule that one thing kept from deciding.
type NearMiss struct {
	Rule       Rule   `json:"rule"`
	FailedTerm string `json:"failedTerm"` // as it stands in the file: r.sub.Rank >= 3; of a role that the actor lacks: role admin
	Actual     string `json:"actual"`     // the value of what it asks for: 2; of several attributes each with its name
	// What the decision would have been, and who would have had to agree.
	Outcome im.Outcome `json:"outcome"`
	Needs   []im.Need  `json:"needs,omitempty"`
}

// maxNearMisses is how many are told.
const maxNearMisses = 20

// Explain answers as Decide does, with the layers and the near misses behind the answer. It takes some hundred times as
// long. It tells facts about people: what of it a viewer may see is for the caller to say.
func (e *Engine) Explain(ctx context.Context, r Request) (Explanation, error) {
	d, err := e.Decide(ctx, r)
	if err != nil {
		return Explanation{Decision: d}, err
	}
	x := Explanation{Decision: d}
	f := &facts{&r, e.held(e.site(r.Platform), r.Actor.Roles)}
	for _, name := range e.layers(&r) {
		x.Layers = append(x.Layers, LayerAnswer{Name: name})
	}
	for _, line := range e.matching(&r, nil) {
		rule := e.rules[line.ordinal]
		i := slices.IndexFunc(x.Layers, func(l LayerAnswer) bool { return l.Name == rule.Layer })
		if i < 0 {
			continue // of another platform's layer, which is about its own platform only
		}
		layer := &x.Layers[i]
		if line.effect != im.Allow || !line.narrows { // what only adds duties allows nothing
			layer.Outcome = stricter(layer.Outcome, line.effect)
		}
		layer.Rules = append(layer.Rules, Match{rule, e.values(f, line.tree)})
	}
	for _, line := range e.site(r.Platform).at(r.Action, r.Object.Type) {
		if miss, ok := e.nearMiss(d, f, line); ok {
			if x.NearMisses = append(x.NearMisses, miss); len(x.NearMisses) == maxNearMisses {
				break
			}
		}
	}
	return x, nil
}

// layers lists those that have a say in a request, in their order.
func (e *Engine) layers(r *Request) []string {
	out := []string{GuardLayer, DefaultLayer, PlatformLayer(r.Platform)}
	for _, region := range slices.Sorted(slices.Values(r.Env.Regions)) {
		if slices.ContainsFunc(e.lines, func(x compiled) bool { return e.rules[x.ordinal].Layer == RegionLayer(region) }) {
			out = append(out, RegionLayer(region))
		}
	}
	return append(out, CompanyLayer)
}

// stricter is the one of two outcomes that beats the other.
func stricter(a, b im.Outcome) im.Outcome {
	order := []im.Outcome{"", im.Allow, im.Review, im.Deny}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// nearMiss tells what kept a line from deciding, if it was one thing and the decision would have been another.
func (e *Engine) nearMiss(d Decision, f *facts, line *compiled) (NearMiss, bool) {
	rule := e.rules[line.ordinal]
	miss := NearMiss{Rule: rule}
	var others []Request
	switch has, holds := f.roles.has(line.role), line.when(f); {
	case has == holds:
		return miss, false
	case !has:
		miss.FailedTerm, miss.Actual = "role "+rule.Role, strings.Join(f.Actor.Roles, ", ")
		others = append(others, withRole(f, rule.Role))
	default:
		failed := blame(line.tree, f, true)
		if failed == nil {
			return miss, false
		}
		miss.FailedTerm = failed.source(rule.When)
		miss.Actual = shown(e.values(f, failed))
		others = e.otherwise(f, failed)
	}
	for _, r := range others {
		g := &facts{&r, e.held(e.site(r.Platform), r.Actor.Roles)}
		if !g.roles.has(line.role) || !line.when(g) {
			continue
		}
		other := e.combine(e.matching(&r, nil))
		decides := slices.ContainsFunc(other.Rules, func(o Rule) bool { return o.ID == rule.ID })
		if decides && (other.Outcome != d.Outcome || !slices.Equal(other.Needs, d.Needs)) {
			miss.Outcome, miss.Needs = other.Outcome, other.Needs
			return miss, true
		}
	}
	return miss, false
}

func withRole(f *facts, role string) Request {
	r := *f.Request
	r.Actor.Roles = append(slices.Clone(r.Actor.Roles), role)
	return r
}

// blame finds the one part of a condition that is not as wanted where all else is: a comparison, a negation, or a choice
// (a || b) of which each part would do. It is nil where two things are in the way.
func blame(n *node, f *facts, want bool) *node {
	switch n.join {
	case "":
		return n
	case "!":
		if n.parts[0].join == "" {
			return n
		}
		return blame(n.parts[0], f, !want)
	}
	var wrong []*node
	for _, part := range n.parts {
		if part.compile()(f) != want {
			wrong = append(wrong, part)
		}
	}
	switch all := (n.join == "&&") == want; {
	case all && len(wrong) == 1:
		return blame(wrong[0], f, want)
	case all:
		return nil
	}
	var near []*node
	for _, part := range wrong {
		if b := blame(part, f, want); b != nil {
			near = append(near, b)
		}
	}
	switch len(near) {
	case 0:
		return nil
	case 1:
		return near[0]
	}
	return n
}

// otherwise lists requests that differ in one fact which a part of a condition asks for.
func (e *Engine) otherwise(f *facts, part *node) []Request {
	var out []Request
	all := mentioned(part)
	for _, name := range attributeNames {
		m := all[name]
		if m == nil {
			continue
		}
		field, known := fieldOf(name)
		switch {
		case m.kind == roles:
			for _, role := range m.words {
				n, known := e.hierarchy.number[role]
				if !known || !f.roles.has(n) {
					out = append(out, withRole(f, role))
					continue
				}
				r := *f.Request
				r.Actor.Roles = slices.DeleteFunc(slices.Clone(r.Actor.Roles), func(name string) bool { return e.held(e.site(r.Platform), []string{name}).has(n) })
				out = append(out, r)
			}
		case !known || name == "r.act" || name == "r.obj.Type" || name == "r.sub.ID":
		case m.kind == identity:
			for _, id := range []string{"", f.Actor.ID, f.Object.ID, "another"} {
				r := *f.Request
				setText(&r, field.Index, id)
				out = append(out, r)
			}
		default:
			a := axis{name: name, index: field.Index, values: m.values(name, field)}
			for i := range a.values {
				r := *f.Request
				a.set(&r, i)
				out = append(out, r)
			}
		}
	}
	return out
}

// values lists the facts that conditions ask for, sorted by name.
func (e *Engine) values(f *facts, part *node) []Fact {
	var out []Fact
	all := mentioned(part)
	for _, name := range attributeNames {
		m := all[name]
		if m == nil {
			continue
		}
		fact := Fact{Name: name}
		switch m.kind {
		case truth:
			fact.Value = strconv.FormatBool(m.truth(f))
		case number:
			fact.Value = strconv.FormatFloat(m.number(f), 'f', -1, 64)
		case word:
			fact.Value = fmt.Sprintf("'%s'", m.text(f))
		case identity:
			fact.Value = m.text(f)
		case nameSet:
			fact.Value = strings.Join(m.names(f), ", ")
		case roles:
			fact.Value = strings.Join(f.Actor.Roles, ", ")
		}
		out = append(out, fact)
	}
	return out
}

// shown is one value by itself, or several with their names.
func shown(list []Fact) string {
	if len(list) == 1 {
		return list[0].Value
	}
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = f.Name + " " + f.Value
	}
	return strings.Join(out, ", ")
}
