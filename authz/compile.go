package authz

import (
	"cmp"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// The two domains that are no platform.
const (
	everywhere = "*"       // every platform with an organisation
	elsewhere  = "default" // every such platform that no platform layer has a line for
)

// compiled is a line that decides.
type compiled struct {
	ordinal int // of its rule
	index   int // among the lines in force
	effect  im.Outcome
	narrows bool // it refuses or asks for review of what another line grants, and grants nothing
	role    int
	acts    []bool // the actions that it is about, by their numbers
	object  int    // the number of the type that it is about, or everything
	when    condition
	tree    *node  // of when
	says    string // how Casbin reads the tree
	needs   []im.Need
	duties  []string
	terms   []string // of reading and unmasking
}

// everything is the number of the target *.
const everything = -1

// compiler judges what the fields of a book say and makes compiled lines of them.
type compiler struct {
	*book
	problems  *Problems
	platforms []string
	duties    []string
	hierarchy hierarchy
	roles     []string
	sets      map[string][]string // actions of each set
	acts      []string            // what the act column may hold
	abouts    map[string][]bool   // compiled.acts of each of them
	shipped   map[string][]*line  // lines of the other layers, by id
}

var (
	validID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	validName = regexp.MustCompile(`^[a-z][a-z0-9_:-]{0,63}$`)
	guardID   = regexp.MustCompile(`^C-[0-9]`)
)

func newCompiler(b *book, s Sources, problems *Problems) *compiler {
	c := &compiler{book: b, problems: problems, duties: s.Duties, sets: map[string][]string{}, shipped: map[string][]*line{}}
	for _, p := range s.Platforms {
		c.platforms = append(c.platforms, p.Name)
	}
	for _, l := range b.lines {
		if l.layer.shipped() {
			c.shipped[l.fields[colID]] = append(c.shipped[l.fields[colID]], l)
		}
	}
	c.links()
	c.actionSets()
	return c
}

func (c *compiler) refuse(l *line, field, offset int, format string, args ...any) {
	c.problems.add(l.file, l.n, l.column(field, offset), format, args...)
}

// refuseMisfit tells of a fault in a field that a parser found.
func (c *compiler) refuseMisfit(l *line, field int, err error) {
	if m, ok := errors.AsType[*misfit](err); ok {
		c.refuse(l, field, m.at, "%s", m.message)
	}
}

// oneOf refuses a field that holds none of the known words.
func (c *compiler) oneOf(l *line, field int, what string, known []string) bool {
	if slices.Contains(known, l.fields[field]) {
		return true
	}
	c.refuse(l, field, 0, "unknown %s %q; expected one of %s%s", what, l.fields[field], choice(known), hint(l.fields[field], known))
	return false
}

// mayName refuses g and g2 lines of adapters, and company lines that change what shipped names mean.
func (c *compiler) mayName(l *line, field int, shipped map[string]bool) bool {
	name := l.fields[field]
	switch {
	case !validName.MatchString(name):
		c.refuse(l, field, 0, "%q is no name; expected small letters, digits and _ : -", name)
	case l.layer.Domain != "":
		c.refuse(l, 0, 0, "an adapter's file holds p lines only; what roles and actions imply is not a platform's to say")
	case l.layer.region() != "":
		c.refuse(l, 0, 0, "a region's file holds p lines only; what roles and actions imply stands in the company's own")
	case l.layer.Name == CompanyLayer && shipped[name]:
		c.refuse(l, field, 0, "%s is a shipped name and means what it means; a company may add names of its own", name)
	default:
		return true
	}
	return false
}

// links reads the role hierarchy.
func (c *compiler) links() {
	shipped := map[string]bool{Anyone: true}
	for _, l := range c.book.links {
		if l.layer.Name != CompanyLayer {
			shipped[l.fields[1]], shipped[l.fields[2]] = true, true
		}
	}
	domains := append([]string{everywhere}, c.platforms...)
	var links []link
	var from []*line
	for _, l := range c.book.links {
		if !c.mayName(l, 1, shipped) || !c.oneOf(l, 3, "platform", domains) {
			continue
		}
		if !validName.MatchString(l.fields[2]) {
			c.refuse(l, 2, 0, "%q is no name; expected small letters, digits and _ : -", l.fields[2])
			continue
		}
		links = append(links, link{l.fields[1], l.fields[2], l.fields[3]})
		from = append(from, l)
	}
	if c.hierarchy = newHierarchy(links); len(c.hierarchy.number) > maxRoles {
		c.problems.add(from[len(from)-1].file, 0, 0, "more than %d roles; what is true of single people or departments belongs into the directory", maxRoles)
	}
	misfits(links, func(i int, why string) { c.refuse(from[i], 2, 0, "%s", why) })
	c.roles = c.hierarchy.names()
}

// actionSets reads what sets of actions there are.
func (c *compiler) actionSets() {
	shipped := map[string]bool{}
	for _, a := range actions {
		shipped[a] = true
	}
	for _, l := range c.book.sets {
		if l.layer.Name != CompanyLayer {
			shipped[l.fields[2]] = true
		}
	}
	for _, l := range c.book.sets {
		switch {
		case !c.mayName(l, 2, shipped) || !c.oneOf(l, 1, "action", actions):
		case slices.Contains(actions, l.fields[2]):
			c.refuse(l, 2, 0, "%s is an action, not a set of them", l.fields[2])
		default:
			c.sets[l.fields[2]] = append(c.sets[l.fields[2]], l.fields[1])
		}
	}
	c.acts = slices.Concat([]string{everywhere}, actions, slices.Sorted(maps.Keys(c.sets)))
	c.abouts = map[string][]bool{}
	for _, act := range c.acts {
		about := make([]bool, len(actions)+1)
		about[0] = act == everywhere // an action that nobody knows
		for i, a := range actions {
			about[i+1] = act == everywhere || act == a || slices.Contains(c.sets[act], a)
		}
		c.abouts[act] = about
	}
}

// compile makes a compiled line of every line that is in force, in the order of the files, and refuses what is wrong
// with any line.
func (c *compiler) compile() []compiled {
	c.duplicates()
	c.sentences()
	var out []compiled
	for i, l := range c.lines {
		before := len(c.problems.List)
		x := c.line(l)
		x.ordinal = i
		if len(c.problems.List) == before && !c.replaced(l) {
			x.index = len(out)
			out = append(out, x)
		}
	}
	return out
}

// duplicates refuses a line that says again what another says.
func (c *compiler) duplicates() {
	first := map[string]*line{}
	for _, l := range slices.Concat(c.book.links, c.book.sets, c.lines) {
		key := strings.Join(l.fields, "\x00")
		o := first[key]
		if o != nil && l.fields[0] == "p" && l.layer.Name == CompanyLayer && o.layer.shipped() {
			continue // it takes the place of all lines of its id, and may keep some of them
		}
		if o != nil {
			c.refuse(l, 0, 0, "the same line stands at %s:%d", o.file, o.n)
			continue
		}
		first[key] = l
	}
}

// sentences refuses sentences that explain nothing.
func (c *compiler) sentences() {
	known := map[string]bool{}
	for _, id := range outcomeTexts {
		known[id] = true
	}
	for _, l := range c.lines {
		known[l.fields[colID]] = true
	}
	for _, l := range c.reasons {
		if id := l.fields[0]; !known[id] {
			c.refuse(l, 0, 0, "no rule is called %s%s", id, hint(id, slices.Sorted(maps.Keys(known))))
		}
	}
}

func (c *compiler) line(l *line) compiled {
	f := l.fields
	x := compiled{says: f[colWhen], narrows: l.layer.Name == GuardLayer || l.layer.region() != "" || l.layer.Name == CompanyLayer && c.shipped[f[colID]] == nil}
	c.domain(l)
	if c.oneOf(l, colRole, "role", c.roles) {
		x.role = c.hierarchy.number[f[colRole]]
	}
	c.oneOf(l, colAction, "action", c.acts)
	c.oneOf(l, colTarget, "target", append([]string{everywhere}, types...))
	x.acts, x.object = c.abouts[f[colAction]], typeNumbers[f[colTarget]]
	if f[colTarget] == everywhere {
		x.object = everything
	}

	var err error
	if x.tree, err = compileWhen(f[colWhen], c.hierarchy); err != nil {
		c.refuseMisfit(l, colWhen, err)
	} else {
		if r := l.layer.region(); r != "" {
			x.tree, x.says = there(r, x.tree, x.says)
		}
		x.when = x.tree.compile()
	}
	if c.oneOf(l, colEffect, "effect", []string{"allow", "review", "deny"}) {
		x.effect = outcomes[f[colEffect]]
	}
	switch {
	case x.effect == im.Review && f[colBy] == "":
		c.refuse(l, colBy, 0, "a review needs approvers: [n*]role, %s, joined by +", strings.Join(approvers, ", "))
	case x.effect != im.Review && f[colBy] != "":
		c.refuse(l, colBy, 0, "only a review has approvers")
	case x.effect == im.Review:
		if x.needs, err = parseBy(f[colBy], c.roles); err != nil {
			c.refuseMisfit(l, colBy, err)
		}
		if f[colAction] != ActionLift && f[colAction] != ActionUndo && slices.ContainsFunc(x.needs, func(n im.Need) bool { return n.Role == im.AsMade }) {
			c.refuse(l, colBy, 0, "as_made stands for the approvers of the relationship that is ended; only the actions lift and undo have one")
		}
	}
	if x.duties, x.terms, err = parseDuties(f[colDuty], c.duties, c.roles); err != nil {
		c.refuseMisfit(l, colDuty, err)
	}
	x.terms = c.terms(l, x)
	c.ofMaking(l, x)
	c.identity(l, x)
	return x
}

// there makes a condition hold only where somebody or something of a region has to do with it.
func there(region string, when *node, text string) (*node, string) {
	home := attributes["r.env.Regions"]
	said := "'" + region + "' in r.env.Regions"
	in := &node{said: said, test: func(f *facts) bool { return slices.Contains(home.names(f), region) },
		terms: []term{{attribute: attribute{kind: word}, literal: true, value: region}, {attribute: home, source: "r.env.Regions"}}}
	return &node{join: "&&", parts: []*node{in, when}}, said + " && (" + text + ")"
}

// domain refuses a line that is about platforms which are not its layer's business.
func (c *compiler) domain(l *line) {
	switch {
	case l.layer.Domain != "" && l.fields[colDomain] != l.layer.Domain:
		c.refuse(l, colDomain, 0, "the rules of %s may name no platform but %[1]s, not %q", l.layer.Domain, l.fields[colDomain])
	case l.layer.Domain != "":
	case l.layer.Name == GuardLayer:
		c.oneOf(l, colDomain, "domain of a guardrail", []string{everywhere})
	case l.layer.Name == DefaultLayer:
		c.oneOf(l, colDomain, "domain of a default", []string{everywhere, elsewhere})
	default:
		c.oneOf(l, colDomain, "platform", append([]string{everywhere, elsewhere}, c.platforms...))
	}
}

// terms takes the name of the duty off the terms of a line about reading or unmasking, and refuses such a line that
// says nothing to those who ask.
func (c *compiler) terms(l *line, x compiled) []string {
	duty, known := "", []string(nil)
	switch l.fields[colAction] {
	case ActionRead:
		duty = dutyScope
		known = Terms(l.fields[colTarget])
		if l.fields[colTarget] == everywhere {
			known = slices.Sorted(maps.Keys(readTerms))
		}
	case ActionUnmask:
		duty, known = dutyUnmask, unmaskTerms
		if l.fields[colTarget] != everywhere {
			c.refuse(l, colTarget, 0, "unmasking is asked for all targets at once; expected *")
		}
	}
	switch {
	case duty == "":
		if len(x.terms) > 0 {
			c.refuse(l, colDuty, 0, "scope is a duty of the action read, unmask of the action unmask")
		}
		return nil
	case x.effect == im.Review:
		c.refuse(l, colEffect, 0, "nobody can review %s; expected allow or deny", l.fields[colAction])
	case x.effect == im.Allow && len(x.terms) == 0:
		c.refuse(l, colDuty, 0, "expected what shows, such as %s:%s", duty, known[0])
	case strings.Contains(l.fields[colWhen], "r.obj.") || strings.Contains(l.fields[colWhen], "r.env."):
		c.refuse(l, colWhen, 0, "a scope is worked out before any row is looked at; only r.sub can be asked")
	}
	var out []string
	for _, t := range x.terms {
		name, term, _ := strings.Cut(t, ":")
		if name != duty || !slices.Contains(known, term) {
			c.refuse(l, colDuty, strings.Index(l.fields[colDuty], t), "%s of %s shows no %q; expected %s:… of %s%s", l.fields[colAction], l.fields[colTarget], t, duty, strings.Join(known, ", "), hint(term, known))
			continue
		}
		out = append(out, term)
	}
	return out
}

// ofMaking refuses what only actions have that make a relationship: of others there is nothing to hold back, and the actor's
// departments are not known.
func (c *compiler) ofMaking(l *line, x compiled) {
	about, isSet := c.sets[l.fields[colAction]]
	if !isSet {
		about = []string{l.fields[colAction]}
	}
	if !slices.ContainsFunc(about, func(a string) bool { return !slices.Contains(making, a) }) {
		return
	}
	if len(im.Obligations(x.duties).Args(DutyCooldown)) > 0 {
		c.refuse(l, colDuty, 0, "cooldown is a duty of the actions %s", strings.Join(making, ", "))
	}
	if at := strings.Index(l.fields[colWhen], departmentsFact); at >= 0 {
		c.refuse(l, colWhen, at, "%s is known of the actions %s", departmentsFact, strings.Join(making, ", "))
	}
}

// untraced reports whether a line takes the trace of an undo away: nothing that tightens does.
func untraced(x compiled) bool { return len(im.Obligations(x.duties).Args(DutyUndoTrace)) > 0 }

// obliges reports whether all that a line says is duties that tighten.
func obliges(x compiled) bool {
	return len(x.duties) > 0 && len(x.terms) == 0 && !slices.ContainsFunc(x.duties, func(duty string) bool {
		name, _, _ := strings.Cut(duty, ":")
		return !slices.Contains(tightening, name)
	})
}

// identity holds layers to the ids that are theirs, and lines that only narrow to tightening.
func (c *compiler) identity(l *line, x compiled) {
	id := l.fields[colID]
	originals := c.shipped[id]
	isGuard := slices.ContainsFunc(originals, func(o *line) bool { return o.layer.Name == GuardLayer })
	switch layer := l.layer; {
	case !validID.MatchString(id):
		c.refuse(l, colID, 0, "%q is no id; expected letters, digits and . _ -", id)
	case x.narrows && untraced(x):
		c.refuse(l, colDuty, 0, "undo_trace takes something away that others look at; only a line that grants may say so")
	case layer.Name == GuardLayer:
		if x.effect == im.Allow && !obliges(x) {
			c.refuse(l, colEffect, 0, "a guardrail allows nothing; expected deny or review, or allow with no duties but %s, which are then added to what others allow", strings.Join(tightening, " and "))
		}
	case layer.region() != "":
		switch {
		case originals != nil || guardID.MatchString(id):
			c.refuse(l, colID, 0, "%s is a shipped id; a region's line has an id of its own, and tightens", id)
		case x.effect == im.Allow && !obliges(x):
			c.refuse(l, colEffect, 0, "a region's line may deny or review, or allow with no duties but %s, which are then added to what others allow", strings.Join(tightening, " and "))
		case isScope(l.fields[colAction]):
			c.refuse(l, colAction, 0, "what is read is not a region's to narrow: where the rows are at home is known only after it was decided")
		}
	case isGuard || guardID.MatchString(id):
		c.refuse(l, colID, 0, "%s is a guardrail and cannot be replaced; a line with another id may tighten it", id)
	case layer.Domain != "":
		if !strings.HasPrefix(id, layer.Domain+".") {
			c.refuse(l, colID, 0, "ids of the rules of %s start with %[1]s., unlike %q", layer.Domain, id)
		}
	case layer.Name != CompanyLayer:
	case originals == nil && x.effect == im.Allow && !obliges(x):
		c.refuse(l, colEffect, 0, "a company line with an id of its own denies, asks for review, or with the effect allow adds %s to what others allow, one of them at least and nothing else; to allow, it must replace a shipped line by its id%s", strings.Join(tightening, " or "), hint(id, slices.Sorted(maps.Keys(c.shipped))))
	case originals != nil && !slices.ContainsFunc(originals, func(o *line) bool { return c.covers(o, l) }):
		c.refuse(l, colID, 0, "%s replaces %s:%d and must stay within its domain, action and target", id, originals[0].file, originals[0].n)
	}
}

// covers reports whether line n is about nothing that o was not about.
func (c *compiler) covers(o, n *line) bool {
	dom, act, target := o.fields[colDomain], o.fields[colAction], o.fields[colTarget]
	return (dom == n.fields[colDomain] || dom == everywhere || dom == elsewhere && n.fields[colDomain] != everywhere) &&
		(act == n.fields[colAction] || act == everywhere || slices.Contains(c.sets[act], n.fields[colAction])) &&
		(target == n.fields[colTarget] || target == everywhere)
}

// sorted puts problems into reading order.
func (c *compiler) sorted() {
	slices.SortStableFunc(c.problems.List, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(c.files, a.File), slices.Index(c.files, b.File)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
