package authz

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Platform is what policy knows of a platform. One that is not named in Sources is taken for a platform with an
// organisation that nobody wrote rules for.
type Platform struct {
	Name string `json:"name"`
	// Organisation: it has members in a company; `*` lines hold there. A personal messenger has none.
	Organisation bool `json:"organisation"`
}

// Layer is the policy files of one author.
type Layer struct {
	Name   string // guard, default, company, region: and its name, or platform: and the Domain
	Domain string // of a platform layer: the only domain that its lines may name
	Files  fs.FS  // *.csv at its root: policy lines, and reasons.csv
	Dir    string // where Files are, as people know it; empty: nobody edits them
}

// Sources is all that an engine is made of.
type Sources struct {
	Platforms []Platform
	Layers    []Layer
	Duties    []string // the duties that somebody fulfils; a rule with another one is refused
}

// Decision is what policy says to a request.
type Decision struct {
	Outcome im.Outcome `json:"outcome"`
	// Rules is every line that decided, in the order of layers, files and lines. It is empty where a refusal comes from
	// the want of a line that allows.
	Rules []Rule `json:"rules"`
	// Needs is who must agree, sorted by role; empty unless the outcome is REVIEW.
	Needs []im.Need `json:"needs"`
	// Obligations is the duties of the deciding lines, sorted; of a review also those of the lines that allow what is
	// reviewed.
	Obligations im.Obligations `json:"obligations"`
	Version     string         `json:"version"`

	policy *Policy
}

// Refs names the deciding rules as rows keep them.
func (d Decision) Refs() []im.RuleRef {
	out := make([]im.RuleRef, len(d.Rules))
	for i, r := range d.Rules {
		out[i] = r.Ref()
	}
	return out
}

// Engine decides by one version of the files. It never changes and is safe for concurrent use; new files make a new
// one.
type Engine struct {
	*Policy
	lines     []compiled
	hierarchy hierarchy
	sites     map[string]*site // by the name of a platform
	other     *site            // for a platform that Sources do not name
	casbin    *reference
	cover     *Coverage // nil but for [Engine.Covered]
}

// site is what holds on one platform.
type site struct {
	roles map[string]roleSet // what each role implies
	lines []*compiled
	// places narrows the lines down to those that may be about a request, by the numbers of action and type. A list is made
	// when it is first asked for: most never are, and all together would hold a line that is about everything hundreds of times.
	places []atomic.Pointer[[]*compiled]
}

// The numbers of actions and types, from 1; what nobody knows is 0.
var actionNumbers, typeNumbers = numbered(actions), numbered(types)

func numbered(words []string) map[string]int {
	out := map[string]int{}
	for i, w := range words {
		out[w] = i + 1
	}
	return out
}

// Build makes an engine of policy files, or says all that is wrong with them: its error is a [*Problems]. It does not
// touch what runs already.
func Build(s Sources) (*Engine, error) {
	problems := &Problems{}
	return assemble(s, gather(s, problems), nil, problems)
}

// assemble makes an engine of files that were gathered, those of s are not read. blob is the version that they were kept
// as; nil: they are new.
func assemble(s Sources, layers []bundledLayer, blob []byte, problems *Problems) (*Engine, error) {
	b := read(layers, problems)
	b.guarded(layers, problems)
	c := newCompiler(b, s, problems)
	lines := c.compile()
	if len(problems.List) > 0 {
		c.sorted()
		return nil, problems
	}
	var err error
	if blob == nil {
		platforms := slices.SortedFunc(slices.Values(s.Platforms), func(a, b Platform) int { return strings.Compare(a.Name, b.Name) })
		if blob, err = json.Marshal(bundle{Model: model, Platforms: platforms, Layers: layers}); err != nil {
			return nil, err
		}
	}
	e := &Engine{Policy: newPolicy(blob, b), lines: lines, hierarchy: c.hierarchy, sites: map[string]*site{}}
	for _, p := range s.Platforms {
		e.sites[p.Name] = e.newSite(holds(s, b, p.Name))
	}
	e.other = e.newSite(holds(s, b, ""))
	if e.casbin, err = newReference(e, s, b); err != nil {
		return nil, err
	}
	return e, nil
}

// holds makes the test whether lines of a domain hold on a platform; the empty name is a platform that Sources do not
// name.
func holds(s Sources, b *book, platform string) func(domain string) bool {
	organisation := true
	for _, p := range s.Platforms {
		if p.Name == platform {
			organisation = p.Organisation
		}
	}
	ruled := slices.ContainsFunc(b.lines, func(l *line) bool { return platform != "" && l.layer.Domain == platform })
	return func(domain string) bool {
		switch domain {
		case everywhere:
			return organisation
		case elsewhere:
			return organisation && !ruled
		}
		return domain == platform
	}
}

// newSite gathers the lines that hold on a platform.
func (e *Engine) newSite(holds func(domain string) bool) *site {
	s := &site{roles: e.hierarchy.closures(holds), places: make([]atomic.Pointer[[]*compiled], (len(actions)+1)*(len(types)+1))}
	for i := range e.lines {
		if x := &e.lines[i]; holds(e.rules[x.ordinal].Domain) {
			s.lines = append(s.lines, x)
		}
	}
	return s
}

// site finds what holds on a platform.
func (e *Engine) site(platform string) *site {
	if s := e.sites[platform]; s != nil {
		return s
	}
	return e.other
}

// at gives the lines that may be about an object.
func (s *site) at(action, object string) []*compiled {
	a, t := actionNumbers[action], typeNumbers[object]
	place := &s.places[a*(len(types)+1)+t]
	if lines := place.Load(); lines != nil {
		return *lines
	}
	lines := []*compiled{}
	for _, x := range s.lines {
		if x.acts[a] && (x.object == everything || x.object == t) {
			lines = append(lines, x)
		}
	}
	place.Store(&lines)
	return lines
}

// held is the union of what roles imply on the platform.
func (e *Engine) held(s *site, names []string) roleSet {
	if len(names) == 1 {
		if set := s.roles[names[0]]; set != nil {
			return set
		}
	}
	out := newRoleSet(len(e.hierarchy.number))
	out.union(s.roles[Anyone])
	for _, name := range names {
		out.union(s.roles[name])
	}
	return out
}

// matching gives the lines that are about a request.
func (e *Engine) matching(r *Request, found []*compiled) []*compiled {
	s := e.site(r.Platform)
	f := &facts{r, e.held(s, r.Actor.Roles)}
	if e.cover != nil {
		return e.cover.matching(f, s.at(r.Action, r.Object.Type), found)
	}
	for _, x := range s.at(r.Action, r.Object.Type) {
		if f.roles.has(x.role) && x.when(f) {
			found = append(found, x)
		}
	}
	return found
}

// Decide answers a request. It fails where ctx has ended (DEADLINE_EXCEEDED), or where a line cannot be evaluated (POLICY_ERROR: a
// refusal that is none must not look like one); the decision is then a refusal.
func (e *Engine) Decide(ctx context.Context, r Request) (d Decision, err error) {
	if err := ctx.Err(); err != nil {
		return e.combine(nil), &fault.Error{Code: fault.DeadlineExceeded, Key: "deadline", Cause: err}
	}
	defer func() {
		if p := recover(); p != nil {
			d, err = e.combine(nil), fault.Undecided(fmt.Errorf("%s by policy %.12s: %v", r.Action, e.version, p))
		}
	}()
	var room [16]*compiled
	matched := e.matching(&r, room[:0])
	d = e.combine(matched)
	if e.cover != nil {
		e.cover.decided(&r, d, matched)
	}
	return d, nil
}

// combine makes a decision of the lines that matched: deny beats review beats allow, and what no line grants is
// denied. Lines that narrow grant nothing.
func (e *Engine) combine(matched []*compiled) Decision {
	d := Decision{Version: e.version, policy: e.Policy}
	var ruled bool
	if d.Outcome, ruled = outcomeOf(matched); !ruled {
		return d
	}
	for _, x := range matched {
		if x.effect == d.Outcome {
			d.Rules = append(d.Rules, e.rules[x.ordinal])
		}
	}
	d.Needs, d.Obligations = sumOf(matched, d.Outcome)
	return d
}

// outcomeOf is what lines that matched come to, and whether it is a line that says so: what no line grants is denied.
func outcomeOf(matched []*compiled) (o im.Outcome, ruled bool) {
	granted, reviewed, denied := false, false, false
	for _, x := range matched {
		granted = granted || !x.narrows && x.effect != im.Deny
		reviewed = reviewed || x.effect == im.Review
		denied = denied || x.effect == im.Deny
	}
	switch {
	case denied:
		return im.Deny, true
	case !granted:
		return im.Deny, false
	case reviewed:
		return im.Review, true
	}
	return im.Allow, true
}

// sumOf adds up who must agree and what goes with an outcome.
func sumOf(matched []*compiled, o im.Outcome) ([]im.Need, im.Obligations) {
	var total needs
	var duties im.Obligations
	for _, x := range matched {
		if x.effect == o && len(x.needs) > 0 {
			if total == nil {
				total = needs{}
			}
			total.add(x.needs)
		}
		if x.effect == o || o == im.Review {
			duties = append(duties, x.duties...)
		}
	}
	slices.Sort(duties)
	duties = slices.Compact(duties)
	if total == nil {
		return nil, duties
	}
	return total.list(), duties
}

// Roles is what these roles of the directory imply on a platform with an organisation, themselves among it, sorted.
func (e *Engine) Roles(names []string) []string {
	set := e.held(e.other, names)
	out := slices.DeleteFunc(e.hierarchy.names(), func(name string) bool { return !set.has(e.hierarchy.number[name]) })
	for _, name := range names { // a role that the files do not know implies itself
		if _, known := e.hierarchy.number[name]; !known && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// RoleNames lists the roles that the files know, sorted.
func (e *Engine) RoleNames() []string { return e.hierarchy.names() }

// Implying lists the roles that imply this one on a platform with an organisation, itself among them, sorted: whoever
// has one of them in the directory may act as it.
func (e *Engine) Implying(role string) []string {
	n, known := e.hierarchy.number[role]
	if !known {
		return nil
	}
	return slices.DeleteFunc(e.hierarchy.names(), func(name string) bool { return !e.other.roles[name].has(n) })
}
