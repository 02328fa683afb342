package authz

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Lint says what is wrong with policy files, and what in them does not do what it seems to: lines that never hold, that
// others make needless or always beat, that nobody asks about, and reviews that nobody can give. It finds that by trying a
// request for each way in which conditions can come out, as [Diff] does; where there are too many of them it says
// nothing. Files that [Build] refuses have errors and nothing else. It is for tools: it takes some thousand times as long
// as a decision.
func Lint(s Sources) []Problem {
	e, err := Build(s)
	if err != nil {
		if p, ok := errors.AsType[*Problems](err); ok {
			return p.List
		}
		return []Problem{{File: "policy", Message: err.Error(), Severity: SeverityError}}
	}
	problems := &Problems{}
	layers := gather(s, problems)
	b := read(layers, problems)
	l := &linter{engine: e, sources: s, layers: layers, book: b, compiler: newCompiler(b, s, problems), sets: map[string]roleChoice{}}
	l.platforms = append(slices.Sorted(maps.Keys(e.sites)), "")
	l.empty()
	l.unused()
	for i := range e.lines {
		l.line(&e.lines[i])
	}
	l.replacements()
	l.compiler.problems.List = l.found
	l.compiler.sorted()
	return l.found
}

type linter struct {
	engine    *Engine
	sources   Sources
	layers    []bundledLayer
	book      *book
	compiler  *compiler
	platforms []string // the last one stands for those that nobody named
	sets      map[string]roleChoice
	found     []Problem
}

type roleChoice struct {
	sets  [][]string
	exact bool
}

// warn tells of a line.
func (l *linter) warn(at *line, column int, hint, example, format string, args ...any) {
	l.found = append(l.found, Problem{
		File: at.file, Line: at.n, Column: at.column(column, 0), Message: fmt.Sprintf(format, args...), Severity: SeverityWarning, Hint: hint, Example: example,
	})
}

// empty tells of a company directory in which nothing stands.
func (l *linter) empty() {
	given := slices.ContainsFunc(l.layers, func(x bundledLayer) bool { return x.Name == CompanyLayer })
	if given && !slices.ContainsFunc(l.book.lines, func(x *line) bool { return !x.layer.shipped() }) {
		l.found = append(l.found, Problem{
			File: CompanyLayer, Severity: SeverityNote, Message: "no policy line stands in the company's directory: the shipped lines hold as they are",
		})
	}
}

// unused tells of sets of actions that no line names.
func (l *linter) unused() {
	told := map[string]bool{}
	for _, x := range l.book.sets {
		set := x.fields[2]
		if told[set] || slices.ContainsFunc(l.book.lines, func(p *line) bool { return p.fields[colAction] == set }) {
			continue
		}
		told[set] = true
		l.warn(x, 2, "name it in the act column of a line, or drop it", "", "no line is about the set of actions %s", set)
	}
}

// where is a platform, an action and a type of object that a line is about.
type where struct {
	platform, action, object string
	site                     *site
}

func (w where) request() Request {
	return Request{Platform: w.platform, Action: w.action, Object: Object{Type: w.object}}
}

// wheres lists all that a line is about and somebody asks about.
func (l *linter) wheres(x *compiled) []where {
	var out []where
	for _, platform := range l.platforms {
		at := l.engine.site(platform)
		for _, action := range actions {
			for _, object := range append([]string{""}, types...) {
				if isAsked(action, object) && (!isScope(action) || platform == "") && slices.Contains(at.at(action, object), x) {
					out = append(out, where{platform, action, object, at})
				}
			}
		}
	}
	return out
}

// choices is the sets of roles that lines tell apart on a site.
func (l *linter) choices(at *site, lines []*compiled) roleChoice {
	wanted := l.engine.wanted(lines)
	key := fmt.Sprintf("%p %q", at, wanted)
	c, ok := l.sets[key]
	if !ok {
		c.sets, c.exact = roleSets(l.engine.hierarchy.names(), roleSite{l.engine, at, wanted})
		l.sets[key] = c
	}
	return c
}

// find searches for a request that is good, among those which lines tell apart. certain is false where none was found and
// not all were tried.
func (l *linter) find(w where, lines []*compiled, enough func(known []truthValue) (alike, good bool)) (example string, found, certain bool) {
	c := l.choices(w.site, lines)
	s := newSpace(w.request(), trees(lines), c.sets, c.exact)
	probes := make([]*probe, len(lines))
	for i, x := range lines {
		probes[i] = s.probe(l.engine, w.site, x)
	}
	s.search(probes, func(r *Request, known []truthValue) (bool, bool) {
		alike, good := enough(known)
		if good {
			example, found = Compact(*r), true
		}
		return alike, good
	})
	return example, found, found || s.exact
}

// line judges one line in force.
func (l *linter) line(x *compiled) {
	at := l.book.lines[x.ordinal]
	rule := l.engine.rules[x.ordinal]
	if rule.When == "false" {
		if len(l.compiler.shipped[rule.Name]) == 0 || at.layer.Name != CompanyLayer {
			l.warn(at, colWhen, "drop the line", "", "the condition is false: the line says nothing")
		}
		return // a company switches a shipped line off like this
	}
	wheres := l.wheres(x)
	if len(wheres) == 0 {
		l.unreachable(x, at, rule)
		return
	}
	if wheres = l.holds(x, wheres); len(wheres) == 0 {
		l.warn(at, colWhen, "compare the terms with each other, and with what the target has: guanxi policy schema", "",
			"nobody with the role %s meets the condition on %s of %s: the line never holds", rule.Role, rule.Action, rule.Target)
		return
	}
	l.approvers(x, at, wheres)
	if y, example := l.shadow(x, wheres); y != nil {
		o := l.engine.rules[y.ordinal]
		if o.Layer == CompanyLayer && rule.Layer != CompanyLayer {
			return // a company may outdo what is shipped, and cannot drop it
		}
		l.warn(at, colID, fmt.Sprintf("drop the line, or make %s:%d narrower", o.File, o.Line), example,
			"%s says nothing that %s (%s:%d) does not say already wherever it holds", rule.Name, o.Name, o.File, o.Line)
		return
	}
	l.effect(x, at, rule, wheres)
}

// unreachable tells why nobody asks about a line.
func (l *linter) unreachable(x *compiled, at *line, rule Rule) {
	for _, platform := range l.platforms {
		if slices.Contains(l.engine.site(platform).lines, x) { // the platform is right
			l.warn(at, colTarget, "see what actions are about: guanxi policy schema", "", "nobody asks about %s of %s: the line never decides", rule.Action, rule.Target)
			return
		}
	}
	l.warn(at, colDomain, "name a platform that is there, or * for all of them", "", "the line holds on no platform that is configured")
}

// holds keeps of the places that a line is about those where its condition can be true.
func (l *linter) holds(x *compiled, wheres []where) []where {
	return slices.DeleteFunc(wheres, func(w where) bool {
		_, found, certain := l.find(w, []*compiled{x}, func(known []truthValue) (bool, bool) { return known[0] == no, known[0] == yes })
		return !found && certain
	})
}

// approvers tells of reviews that nobody can give.
func (l *linter) approvers(x *compiled, at *line, wheres []where) {
	of := func(fit func(where) bool) bool { return slices.ContainsFunc(wheres, fit) }
	for _, need := range x.needs {
		switch need.Role {
		case im.ManagerOfActor, im.AsMade:
		case im.GroupOwner:
			if !of(func(w where) bool { return w.action == ActionGroupBlock || w.object == TypeGroup }) {
				l.warn(at, colBy, "name a role", "", "the line is about no group: %s is nobody", need.Role)
			}
		case im.OwnerDeptManager:
			if !of(func(w where) bool { return w.object == TypeContact }) {
				l.warn(at, colBy, "name a role", "", "the line is about no contact: %s is nobody", need.Role)
			}
		default:
			var none []string
			for _, w := range wheres {
				if !l.had(need.Role, w.site) && !slices.Contains(none, shownPlatform(w.platform)) {
					none = append(none, shownPlatform(w.platform))
				}
			}
			if len(none) > 0 {
				l.warn(at, colBy, "add a g line for those platforms, or name another role", "", "nobody has the role %s on %s: whoever asks there waits in vain", need.Role, strings.Join(none, ", "))
			}
		}
	}
}

func shownPlatform(name string) string {
	if name == "" {
		return "other platforms"
	}
	return name
}

// had reports whether somebody can have a role: the directory gives roles that stand first in some g line, and others are
// had by whoever has one that implies them. What API keys have no person has.
func (l *linter) had(role string, at *site) bool {
	n := l.engine.hierarchy.number[role]
	for _, link := range l.engine.hierarchy.links {
		if (link.from == role || at.roles[link.from].has(n)) && !OfService(link.from) {
			return true
		}
	}
	return role == Anyone
}

// shadow finds another line that says at least as much wherever this one holds, and a request that shows it.
func (l *linter) shadow(x *compiled, wheres []where) (*compiled, string) {
	w := wheres[0]
	for _, y := range w.site.at(w.action, w.object) {
		if y == x || !asStrong(y, x) || !l.implies(x, y, wheres) {
			continue
		}
		// Of two lines that say the same the later one is told.
		if y.index > x.index && asStrong(x, y) && l.implies(y, x, l.holds(y, l.wheres(y))) {
			continue
		}
		example, _, _ := l.find(w, []*compiled{x, y}, func(known []truthValue) (bool, bool) { return known[0] == no, known[0] == yes && known[1] == yes })
		return y, example
	}
	return nil, ""
}

// implies reports whether y holds wherever x does.
func (l *linter) implies(x, y *compiled, wheres []where) bool {
	for _, w := range wheres {
		if !slices.Contains(w.site.at(w.action, w.object), y) {
			return false
		}
		_, found, certain := l.find(w, []*compiled{x, y}, func(known []truthValue) (bool, bool) {
			return known[0] == no || known[1] == yes, known[0] == yes && known[1] == no
		})
		if found || !certain {
			return false
		}
	}
	return true
}

// asStrong reports whether a line, where it holds, leaves another one nothing to say.
func asStrong(y, x *compiled) bool {
	if y.effect != x.effect && !(x.effect == im.Allow && y.effect == im.Review) || y.narrows && !x.narrows && x.effect != im.Deny {
		return false
	}
	within := func(a, b []string) bool { only, _ := split(a, b); return len(only) == 0 }
	for _, need := range x.needs {
		if !slices.ContainsFunc(y.needs, func(n im.Need) bool { return n.Role == need.Role && n.Count >= need.Count }) {
			return false
		}
	}
	if !within(x.duties, y.duties) {
		return false
	}
	if x.effect == im.Deny {
		return within(y.terms, x.terms)
	}
	return within(x.terms, y.terms) || slices.Contains(y.terms, im.ScopeAll)
}

// effect tells of lines that never change an answer: what allows or asks for review is always denied by others, and what
// a company refuses is refused without it.
func (l *linter) effect(x *compiled, at *line, rule Rule, wheres []where) {
	if isScope(rule.Action) || x.effect == im.Deny && at.layer.Name != CompanyLayer {
		return
	}
	beaten, byCompany, example := map[string]bool{}, false, ""
	for _, w := range wheres {
		if isScope(w.action) {
			return
		}
		lines := []*compiled{x}
		var rest []*compiled
		for _, y := range w.site.at(w.action, w.object) {
			switch {
			case y == x:
			case y.effect == im.Deny:
				lines = append(lines, y)
			case !y.narrows:
				rest = append(rest, y)
			}
		}
		denies := len(lines)
		lines = append(lines, rest...)
		_, found, certain := l.find(w, lines, func(known []truthValue) (alike, good bool) {
			if known[0] == no || slices.Contains(known[1:denies], yes) {
				return true, false
			}
			free := known[0] == yes && !slices.Contains(known[1:denies], unknown)
			granted := !x.narrows || slices.Contains(known[denies:], yes)
			lost := x.narrows && !slices.Contains(known[denies:], yes) && !slices.Contains(known[denies:], unknown)
			return lost, free && granted
		})
		if found || !certain {
			return
		}
		one, _, _ := l.find(w, lines, func(known []truthValue) (alike, good bool) {
			i := slices.Index(known[1:denies], yes)
			if known[0] != yes || i < 0 {
				return known[0] == no, false
			}
			o := l.engine.rules[lines[1+i].ordinal]
			byCompany = byCompany || o.Layer == CompanyLayer
			beaten[fmt.Sprintf("%s (%s:%d)", o.Name, o.File, o.Line)] = true
			return true, true
		})
		if example == "" {
			example = one
		}
	}
	switch {
	case at.layer.Name == GuardLayer && len(beaten) == 0:
		return // guardrails stand before there is anything to guard
	case byCompany && at.layer.Name != CompanyLayer:
		return // as it wants to
	case len(beaten) == 0:
		l.warn(at, colEffect, "drop the line", example, "%s changes nothing: what it is about is allowed by no line anyway", rule.Name)
	case x.effect == im.Deny:
		l.warn(at, colEffect, "drop the line", example, "%s changes nothing: what it denies is denied already, as by %s", rule.Name, strings.Join(slices.Sorted(maps.Keys(beaten)), ", "))
	default:
		l.warn(at, colEffect, "drop the line, or make those narrower", example, "%s never decides: wherever it holds others deny, as %s", rule.Name, strings.Join(slices.Sorted(maps.Keys(beaten)), ", "))
	}
}

// replacements tells of company lines that take the place of shipped ones and change nothing, or allow nothing that was
// not allowed before.
func (l *linter) replacements() {
	told := map[string]bool{}
	for _, at := range l.book.lines {
		id := at.fields[colID]
		if at.layer.Name != CompanyLayer || len(l.compiler.shipped[id]) == 0 || told[id] {
			continue
		}
		told[id] = true
		if slices.ContainsFunc(l.found, func(p Problem) bool { return p.File == at.file && p.Line == at.n }) {
			continue
		}
		before, err := Build(l.without(id))
		if err != nil {
			continue // other company lines lean on these
		}
		report := Diff(before, l.engine)
		o := l.compiler.shipped[id][0]
		looser := func(m Move) bool {
			d := deltaOf(m.From, m.To)
			return stricter(m.From.Outcome, m.To.Outcome) == m.From.Outcome && m.From.Outcome != m.To.Outcome || d.from == d.to && len(d.less)+len(d.shows)+len(d.duties)+len(d.dropped) > 0
		}
		switch {
		case !report.Exhaustive:
		case report.Same():
			l.warn(at, colID, "drop the line", "", "%s replaces %s:%d and changes no decision", id, o.file, o.n)
		case l.allows(id) && !slices.ContainsFunc(report.Moves, looser):
			l.warn(at, colEffect, "write deny or review, with an id of its own, to tighten", report.Moves[0].Example,
				"%s replaces %s:%d and allows nothing that was not allowed before: it only takes away", id, o.file, o.n)
		}
	}
}

// allows reports whether a company allows by lines of this id where something else stood before.
func (l *linter) allows(id string) bool {
	shipped := slices.ContainsFunc(l.compiler.shipped[id], func(o *line) bool { return o.fields[colEffect] != "allow" })
	return shipped && slices.ContainsFunc(l.book.lines, func(o *line) bool {
		return o.layer.Name == CompanyLayer && o.fields[colID] == id && o.fields[colEffect] == "allow"
	})
}

// without is the same sources with the shipped lines of an id in force.
func (l *linter) without(id string) Sources {
	s := l.sources
	s.Layers = slices.Clone(s.Layers)
	for i, layer := range s.Layers {
		if layer.Name != CompanyLayer {
			continue
		}
		files := fstest.MapFS{}
		for _, have := range l.layers {
			for _, d := range have.Files {
				if have.Name == CompanyLayer {
					lines := strings.Split(d.Text, "\n")
					for _, x := range l.book.lines {
						if x.file == d.Path && x.layer.Name == CompanyLayer && x.fields[colID] == id {
							lines[x.n-1] = ""
						}
					}
					files[d.Path] = &fstest.MapFile{Data: []byte(strings.Join(lines, "\n"))}
				}
			}
		}
		s.Layers[i].Files = files
	}
	return s
}
