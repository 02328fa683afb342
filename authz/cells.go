package authz

import (
	"cmp"
	"maps"
	"math/bits"
	"reflect"
	"slices"
	"strings"
)

// axis is one fact of a request with a value for each way in which conditions can see it, an ordinary one first.
type axis struct {
	name   string
	index  []int
	values []reflect.Value
}

func (a axis) set(r *Request, i int) {
	reflect.ValueOf(r).Elem().FieldByIndex(a.index).Set(a.values[i])
}

// fieldOf finds where a request holds an attribute: r.sub is its Actor, r.obj its Object, r.env its Env, and
// r.obj.InitiatorStatus the Status of the object's Initiator.
func fieldOf(attribute string) (reflect.StructField, bool) {
	request := reflect.TypeFor[Request]()
	if attribute == "r.act" {
		return request.FieldByName("Action")
	}
	parts := strings.Split(attribute, ".")
	return within(request, map[string]string{"sub": "Actor", "obj": "Object", "env": "Env"}[parts[1]]+parts[2])
}

// within finds a field by the names of the fields on the way to it, one after the other.
func within(t reflect.Type, path string) (reflect.StructField, bool) {
	for f := range t.Fields() {
		rest, starts := strings.CutPrefix(path, f.Name)
		switch {
		case starts && rest == "":
			return f, true
		case starts && f.Type.Kind() == reflect.Struct:
			if inner, ok := within(f.Type, rest); ok {
				inner.Index = append(slices.Clone(f.Index), inner.Index...)
				return inner, true
			}
		}
	}
	return reflect.StructField{}, false
}

// leaves gives the comparisons of conditions.
func leaves(trees ...*node) []*node {
	var out []*node
	for _, n := range trees {
		if n.join == "" {
			out = append(out, n)
		}
		out = append(out, leaves(n.parts...)...)
	}
	return out
}

// mentions is what conditions compare an attribute with.
type mentions struct {
	attribute
	words   []string  // of a word, and roles
	numbers []float64 // of a number
	open    bool      // it is compared with another attribute: all its values differ
}

// mentioned collects what conditions say of each attribute.
func mentioned(trees ...*node) map[string]*mentions {
	out := map[string]*mentions{}
	for _, n := range leaves(trees...) {
		for _, t := range n.terms {
			if t.literal {
				continue
			}
			m := out[t.source]
			if m == nil {
				m = &mentions{attribute: t.attribute}
				out[t.source] = m
			}
			for _, other := range n.terms {
				switch {
				case other.literal && other.kind == word:
					m.words = append(m.words, other.value)
				case other.literal && other.kind == number:
					m.numbers = append(m.numbers, other.number(nil))
				case !other.literal && other.source != t.source && other.kind == t.kind:
					m.open = true
				}
			}
		}
	}
	return out
}

// values lists a value for each way in which the comparisons can come out: each word that is named and one of the others,
// each threshold and a number on both sides of it, both truths. Nil stands for an attribute that has no values of its own.
func (m *mentions) values(name string, f reflect.StructField) []reflect.Value {
	var out []reflect.Value
	add := func(v any) { out = append(out, reflect.ValueOf(v).Convert(f.Type)) }
	switch m.kind {
	case truth:
		add(false)
		add(true)
	case nameSet: // none, each by itself, all of them
		all := slices.Compact(slices.Sorted(slices.Values(m.words)))
		add([]string(nil))
		for _, w := range all {
			add([]string{w})
		}
		if len(all) > 1 {
			add(all)
		}
	case word:
		known := m.attribute.words
		if strings.HasPrefix(name, "r.sub.") && len(known) > 1 && known[0] == "" { // people have a standing, a rank, a job
			known = append(slices.Clone(known[1:]), "")
		}
		others := false
		for _, w := range known {
			if !m.open && !slices.Contains(m.words, w) {
				if others {
					continue
				}
				others = true
			}
			add(w)
		}
	case number:
		list := slices.Compact(slices.Sorted(slices.Values(m.numbers)))
		if len(list) == 0 {
			list = []float64{0}
		}
		at := []float64{list[0] - 1}
		if list[0] > 0 && name != "r.sub.Rank" { // whoever is asked about has a rank; of all else there mostly is nothing
			at[0] = 0
		}
		for i, n := range list {
			at = append(at, n)
			if i+1 < len(list) && list[i+1]-n < 2 {
				at = append(at, (n+list[i+1])/2)
			} else {
				at = append(at, n+1)
			}
		}
		whole := f.Type.Kind() != reflect.Float64 && f.Type.Kind() != reflect.Float32
		at = slices.DeleteFunc(at, func(n float64) bool { return whole && n != float64(int64(n)) })
		slices.SortStableFunc(at, func(a, b float64) int { // what is below nothing comes last
			switch {
			case a < 0 && b >= 0:
				return 1
			case b < 0 && a >= 0:
				return -1
			}
			return cmp.Compare(a, b)
		})
		for _, n := range at {
			add(n)
		}
	}
	return out
}

// space is all requests that differ for the lines that were looked at. Axis 0 is the actor's roles.
type space struct {
	base  Request
	axes  []axis
	roles [][]string
	exact bool // one request stands for each way in which the conditions can come out
}

// newSpace spans the requests that conditions tell apart. The actor of base stays as he is where he has an ID; else his
// facts are tried as well, with sets of roles. Facts that the type of the object does not have stay as they are.
func newSpace(base Request, trees []*node, sets [][]string, exact bool) *space {
	s := &space{base: base, axes: make([]axis, 1), roles: sets, exact: exact}
	fixed := base.Actor.ID != ""
	if fixed {
		s.roles = [][]string{base.Actor.Roles}
	} else {
		s.base.Actor = ordinary
	}
	if base.Object.ID == "" {
		s.base.Object.ID = "another"
	}
	if s.roles == nil {
		s.roles = [][]string{nil}
	}
	s.base.Actor.Roles = s.roles[0]
	all := mentioned(trees...)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		f, known := fieldOf(name)
		switch {
		case name == "r.act" || name == "r.obj.Type" || name == "r.sub.ID" || m.kind == roles:
			continue
		case fixed && strings.HasPrefix(name, "r.sub.") || !fits(name, base.Object.Type):
			continue
		case !known || len(s.axes) == 64:
			s.exact = false
			continue
		}
		a := axis{name: name, index: f.Index, values: m.values(name, f)}
		if m.kind == identity {
			list := []string{"", s.base.Actor.ID, "another", "third"}
			if name == "r.obj.ID" {
				list = []string{"another", s.base.Actor.ID}
			}
			for _, id := range list {
				a.values = append(a.values, reflect.ValueOf(id).Convert(f.Type))
			}
		}
		const combined = 4 // none, two, and both
		s.exact = s.exact && !(m.kind == number && m.open) && !(m.kind == nameSet && len(a.values) > combined)
		s.axes = append(s.axes, a)
	}
	return s
}

// ordinary is an actor about whom there is nothing to say.
var ordinary = Actor{ID: "someone", Rank: 5, JobFunction: "GENERAL", Status: "ACTIVE", Employment: "ACTIVE"}

func (s *space) width(i int) int {
	if i == 0 {
		return len(s.roles)
	}
	return len(s.axes[i].values)
}

// put gives an axis one of its values.
func (s *space) put(r *Request, i, value int) {
	if i == 0 {
		r.Actor.Roles = s.roles[value]
		return
	}
	s.axes[i].set(r, value)
}

// reset gives an axis but that of roles back what it was: ordinary, as nobody asks.
func (s *space) reset(r *Request, i int) {
	if i > 0 {
		at := s.axes[i].index
		reflect.ValueOf(r).Elem().FieldByIndex(at).Set(reflect.ValueOf(&s.base).Elem().FieldByIndex(at))
	}
}

// truthValue is what is known of a line while a request is partly made up.
type truthValue byte

const (
	unknown truthValue = iota
	no
	yes
)

// probe is a line under search, by one engine.
type probe struct {
	*compiled
	engine *Engine
	site   *site
	needs  map[*node]uint64 // the axes that a comparison waits for, besides the roles, which are put first
}

func (s *space) probe(e *Engine, at *site, x *compiled) *probe {
	p := &probe{compiled: x, engine: e, site: at, needs: map[*node]uint64{}}
	for _, n := range leaves(x.tree) {
		var mask uint64
		for _, t := range n.terms {
			for i, a := range s.axes {
				if a.name == t.source && !t.literal {
					mask |= 1 << i
				}
			}
		}
		p.needs[n] = mask
	}
	return p
}

// eval says what is known of a condition with the axes of the mask put.
func (p *probe) eval(n *node, f *facts, put uint64) truthValue {
	switch n.join {
	case "!":
		switch p.eval(n.parts[0], f, put) {
		case yes:
			return no
		case no:
			return yes
		}
		return unknown
	case "&&", "||":
		decides := no
		if n.join == "||" {
			decides = yes
		}
		out := no + yes - decides
		for _, part := range n.parts {
			switch p.eval(part, f, put) {
			case decides:
				return decides
			case unknown:
				out = unknown
			}
		}
		return out
	}
	if p.needs[n]&^put != 0 {
		return unknown
	}
	if n.test(f) {
		return yes
	}
	return no
}

// waits is the first axis that a condition waits for.
func (p *probe) waits(n *node, f *facts, put uint64) int {
	if p.eval(n, f, put) != unknown {
		return -1
	}
	for _, part := range n.parts {
		if i := p.waits(part, f, put); i >= 0 {
			return i
		}
	}
	return bits.TrailingZeros64(p.needs[n] &^ put)
}

// maxSteps bounds a search, and maxSamples what is tried where a search was too long.
const (
	maxSteps   = 50_000
	maxSamples = 5_000
)

// search makes up requests fact by fact, those facts first that the first undecided probe waits for. At each step enough
// is told what is known of each probe; it says true where all requests with the facts put so far are alike to it. So
// every request of the space is met, most of them together with others. Where that takes too long requests are drawn
// instead, the same ones each time, and the space is no longer exact. It returns how many requests were met.
//
// The request is good for one call only. To end the search for good enough returns stop.
func (s *space) search(probes []*probe, enough func(r *Request, known []truthValue) (alike, stop bool)) (met uint64) {
	r := s.base
	known := make([]truthValue, len(probes))
	held := map[*site]roleSet{}
	steps := 0
	judge := func(put uint64) (axis int, alike, stop bool) {
		axis = -1
		for i, p := range probes {
			if put&1 == 0 {
				axis = 0
				break
			}
			f := &facts{&r, held[p.site]}
			switch known[i] = no; {
			case !held[p.site].has(p.role):
			default:
				if known[i] = p.eval(p.tree, f, put); known[i] == unknown && axis < 0 {
					axis = p.waits(p.tree, f, put)
				}
			}
		}
		if axis == 0 {
			return axis, false, false
		}
		alike, stop = enough(&r, known)
		return axis, alike || axis < 0, stop
	}
	put := func(i, value int) {
		s.put(&r, i, value)
		if i == 0 {
			for _, p := range probes {
				held[p.site] = p.engine.held(p.site, r.Actor.Roles)
			}
		}
	}
	var descend func(mask uint64, weight uint64) bool
	descend = func(mask, weight uint64) bool {
		if steps++; steps > maxSteps {
			return true
		}
		axis, alike, stop := judge(mask)
		if stop || alike {
			met += weight
			return stop
		}
		for v := range s.width(axis) {
			put(axis, v)
			if descend(mask|1<<axis, weight/uint64(s.width(axis))) {
				return true
			}
		}
		s.reset(&r, axis)
		return false
	}
	all := uint64(1)
	for i := range s.axes {
		if w := uint64(s.width(i)); all < 1<<62/w {
			all *= w
		}
	}
	put(0, 0)
	if descend(0, all); steps <= maxSteps {
		return met
	}
	s.exact = false
	met = 0
	state := uint64(1) // a generator with a fixed start: the same files are tried by the same requests
	for range maxSamples {
		for i := range s.axes {
			state = state*6364136223846793005 + 1442695040888963407
			put(i, int((state>>33)%uint64(s.width(i))))
		}
		met++
		if _, _, stop := judge(^uint64(0)); stop {
			break
		}
	}
	return met
}

// wanted is the roles that lines ask for, in their role column and in their conditions.
func (e *Engine) wanted(lines []*compiled) []string {
	set := map[string]bool{}
	for _, x := range lines {
		set[e.rules[x.ordinal].Role] = true
		if m := mentioned(x.tree)["r.sub.Roles"]; m != nil {
			for _, w := range m.words {
				set[w] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// maxRoleSets bounds how many sets of roles are tried.
const maxRoleSets = 256

// roleSite is a site with the roles that its lines ask for.
type roleSite struct {
	engine *Engine
	site   *site
	wanted []string
}

// roleSets lists sets of the roles named, small ones first: one for each way in which the roles wanted on the sites can be
// held together. It is not exact where there are more than maxRoleSets.
func roleSets(names []string, sites ...roleSite) (sets [][]string, exact bool) {
	signature := func(names []string) string {
		var b strings.Builder
		for _, s := range sites {
			held := s.engine.held(s.site, names)
			for _, w := range s.wanted {
				if n, ok := s.engine.hierarchy.number[w]; ok && held.has(n) {
					b.WriteByte('1')
				} else {
					b.WriteByte('0')
				}
			}
		}
		return b.String()
	}
	// Of the roles that come to the same, the plainest: the one that implies least.
	var alone []string
	seen := map[string]bool{signature(nil): true}
	weight := func(name string) (n int) {
		for _, s := range sites {
			for _, w := range s.engine.held(s.site, []string{name}) {
				for ; w != 0; w &= w - 1 {
					n++
				}
			}
		}
		return n
	}
	names = slices.Sorted(slices.Values(names))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(weight(a), weight(b)) })
	for _, name := range names {
		if sig := signature([]string{name}); !seen[sig] {
			seen[sig] = true
			alone = append(alone, name)
		}
	}
	seen = map[string]bool{signature(nil): true}
	sets = [][]string{nil}
	for i := 0; i < len(sets); i++ {
		for _, name := range alone {
			if slices.Contains(sets[i], name) {
				continue
			}
			set := append(slices.Clone(sets[i]), name)
			if sig := signature(set); !seen[sig] {
				if len(sets) == maxRoleSets {
					return append(sets[1:], nil), false
				}
				seen[sig] = true
				sets = append(sets, set)
			}
		}
	}
	if len(sets) == 1 {
		return sets, true
	}
	return append(sets[1:], nil), true // somebody with a role is more ordinary than somebody without any
}

// trees of lines.
func trees(lines []*compiled) []*node {
	out := make([]*node, len(lines))
	for i, x := range lines {
		out[i] = x.tree
	}
	return out
}

func setText(r *Request, index []int, text string) {
	reflect.ValueOf(r).Elem().FieldByIndex(index).SetString(text)
}
