package authz

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Subject is a person of whom a difference is told by name. What the person's standing is on the workspaces, the caller
// says: without a Status he has no account and most is denied to him.
type Subject struct {
	Name string
	Actor
}

// Answer is what a decision means to those whom it concerns; of the actions read and unmask it is the scope.
type Answer struct {
	Outcome     im.Outcome     `json:"outcome"`
	Needs       []im.Need      `json:"needs,omitempty"`
	Obligations im.Obligations `json:"obligations,omitempty"`
	Scope       im.Scope       `json:"scope,omitempty"`
}

// Move is requests that are answered in another way than before, for one reason.
type Move struct {
	Action    string   `json:"action"`
	Object    string   `json:"object"`
	Platforms []string `json:"platforms"` // sorted; "other": one that nobody named; none: where the platform does not count
	From      Answer   `json:"from"`      // to the example; to others with what holds of them besides
	To        Answer   `json:"to"`
	Gone      []Rule   `json:"gone"`    // lines that were about them and are no longer so in the new files
	Came      []Rule   `json:"came"`    // lines of the new files that are about them and were not
	Cells     uint64   `json:"cells"`   // requests that the conditions tell apart
	Example   string   `json:"example"` // the plainest of them
	People    []string `json:"people"`  // of those given, who meets it; in the order given

	plainest Request // the example
}

// Report is how two versions of the files differ in what they decide.
type Report struct {
	Old        string       `json:"old"` // versions
	New        string       `json:"new"`
	Roles      []RoleChange `json:"roles"`
	Moves      []Move       `json:"moves"`      // in the order of actions and objects
	Places     int          `json:"places"`     // combinations of platform, action and object that other lines are about
	Cells      uint64       `json:"cells"`      // requests that were compared there: one for each way in which conditions can come out
	Exhaustive bool         `json:"exhaustive"` // all of them; else a part was drawn, the same requests each time
	People     int          `json:"people"`     // that were given
}

// RoleChange is a role that implies others than before, or that the other files do not know.
type RoleChange struct {
	Role   string   `json:"role"`
	Gained []string `json:"gained"`
	Lost   []string `json:"lost"`
}

// Same reports whether no decision differs.
func (r Report) Same() bool { return len(r.Moves) == 0 }

// Diff compares what two engines decide. Where the same lines are about a request nothing can differ; everywhere else it
// tries a request for each way in which the conditions of both can come out: every threshold and both sides of it, each
// word that is named, both truths, each set of the roles that both know. The answers are compared, not the rules' names or
// places. Of the people it says who meets a difference.
func Diff(old, changed *Engine, people ...Subject) Report {
	d := &differ{old: old, new: changed, keys: map[*compiled]string{}, moves: map[string]*Move{}, met: map[string][]*Move{}}
	d.report = Report{Old: old.Version(), New: changed.Version(), Exhaustive: true, People: len(people)}
	d.roles(people)
	platforms := map[string]bool{"": true}
	for name := range old.sites {
		platforms[name] = true
	}
	for name := range changed.sites {
		platforms[name] = true
	}
	for _, action := range actions {
		for _, object := range append([]string{""}, types...) {
			if !isAsked(action, object) {
				continue
			}
			for _, platform := range slices.Sorted(maps.Keys(platforms)) {
				if !isScope(action) || platform == "" {
					d.place(Request{Platform: platform, Action: action, Object: Object{Type: object}}, people)
				}
			}
		}
	}
	for _, m := range d.order {
		slices.Sort(m.Platforms)
		d.report.Moves = append(d.report.Moves, *m)
	}
	return d.report
}

type differ struct {
	old, new *Engine
	keys     map[*compiled]string
	moves    map[string]*Move
	order    []*Move
	met      map[string][]*Move // by the lines of a place: moves found there
	both     []string           // the roles that both engines know, and those of the people
	report   Report
}

// roles compares what roles imply on a platform that nobody named.
func (d *differ) roles(people []Subject) {
	for name := range d.old.hierarchy.number {
		if _, known := d.new.hierarchy.number[name]; known {
			d.both = append(d.both, name)
		}
	}
	for _, p := range people {
		d.both = append(d.both, p.Roles...)
	}
	slices.Sort(d.both)
	d.both = slices.Compact(d.both)
	known := slices.Concat(d.old.hierarchy.names(), d.new.hierarchy.names())
	slices.Sort(known)
	for _, name := range slices.Compact(known) {
		lost, gained := split(d.old.Roles([]string{name}), d.new.Roles([]string{name}))
		if len(lost)+len(gained) > 0 {
			d.report.Roles = append(d.report.Roles, RoleChange{name, gained, lost})
		}
	}
}

// key is all that a line says to those whom it is about.
func (d *differ) key(e *Engine, x *compiled) string {
	if k, ok := d.keys[x]; ok {
		return k
	}
	r := e.rules[x.ordinal]
	k := fmt.Sprintf("%s %q %s %v %q %q %v", r.Role, r.When, x.effect, x.needs, x.duties, x.terms, x.narrows)
	d.keys[x] = k
	return k
}

// place compares all requests about one kind of object on one platform.
func (d *differ) place(base Request, people []Subject) {
	sites := [2]*site{d.old.site(base.Platform), d.new.site(base.Platform)}
	lines := [2][]*compiled{sites[0].at(base.Action, base.Object.Type), sites[1].at(base.Action, base.Object.Type)}
	engines := [2]*Engine{d.old, d.new}

	// Lines that stand in both files are shared; count tells how often.
	count := map[string]int{}
	for _, x := range lines[0] {
		count[d.key(d.old, x)]++
	}
	var own [2][]*compiled
	var shared []*compiled // of the new engine
	for _, x := range lines[1] {
		if k := d.key(d.new, x); count[k] > 0 {
			count[k]--
			shared = append(shared, x)
		} else {
			own[1] = append(own[1], x)
		}
	}
	for _, x := range slices.Backward(lines[0]) {
		if k := d.key(d.old, x); count[k] > 0 {
			count[k]--
			own[0] = append(own[0], x)
		}
	}
	slices.Reverse(own[0])
	wanted := slices.Concat(d.old.wanted(lines[0]), d.new.wanted(lines[1]))
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if !sameRoles(d.both, engines, sites, wanted) { // a line shared is one line no longer
		own, shared = lines, nil
	} else if len(own[0])+len(own[1]) == 0 {
		return
	}
	d.report.Places++

	name := base.Platform
	if name == "" {
		name = OtherPlatform
	}
	var signature strings.Builder
	for i, e := range engines {
		for _, x := range lines[i] {
			signature.WriteString(d.key(e, x) + "\n")
		}
		for _, role := range e.hierarchy.names() {
			fmt.Fprintf(&signature, "%s %x\n", role, sites[i].roles[role])
		}
	}
	fmt.Fprint(&signature, base.Action, base.Object.Type)
	if found, ok := d.met[signature.String()]; ok {
		for _, m := range found {
			if !isScope(base.Action) && !slices.Contains(m.Platforms, name) {
				m.Platforms = append(m.Platforms, name)
			}
		}
		return
	}

	var found []*Move
	compare := func(base Request, sets [][]string, exact bool, tell func(m *Move, weight uint64)) uint64 {
		s := newSpace(base, trees(slices.Concat(lines[0], lines[1])), sets, exact)
		met := d.compare(s, engines, sites, own, shared, func(r *Request, from, to Answer, gone, came []Rule) {
			m := d.move(base, from, to, gone, came)
			if m.Example == "" {
				m.Example, m.plainest = Compact(*r), *r
			}
			if !isScope(base.Action) && !slices.Contains(m.Platforms, name) {
				m.Platforms = append(m.Platforms, name)
			}
			if !slices.Contains(found, m) {
				found = append(found, m)
			}
			tell(m, 1)
		})
		d.report.Exhaustive = d.report.Exhaustive && s.exact
		return met
	}
	sets, exact := roleSets(d.both, roleSite{d.old, sites[0], wanted}, roleSite{d.new, sites[1], wanted})
	d.report.Cells += compare(base, sets, exact, func(m *Move, weight uint64) { m.Cells += weight })

	// People who are alike are asked about once.
	alike := map[string][]string{}
	var order []Subject
	for _, p := range people {
		who := p.Actor
		who.ID = ""
		key := fmt.Sprintf("%+v", who)
		if alike[key] == nil {
			order = append(order, p)
		}
		alike[key] = append(alike[key], p.Name)
	}
	meets := map[*Move][]string{}
	for _, p := range order {
		who := p.Actor
		who.ID = ""
		names := alike[fmt.Sprintf("%+v", who)]
		base := base
		base.Actor = p.Actor
		if base.Actor.ID == "" {
			base.Actor.ID = "someone"
		}
		told := map[*Move]bool{}
		compare(base, nil, true, func(m *Move, _ uint64) {
			if !told[m] {
				told[m] = true
				meets[m] = append(meets[m], names...)
			}
		})
	}
	for m, names := range meets {
		var sorted []string
		for _, p := range people {
			if (slices.Contains(names, p.Name) || slices.Contains(m.People, p.Name)) && !slices.Contains(sorted, p.Name) {
				sorted = append(sorted, p.Name)
			}
		}
		m.People = sorted
	}
	d.met[signature.String()] = found
}

// sameRoles reports whether every role implies the same of those wanted, before and now.
func sameRoles(roles []string, engines [2]*Engine, sites [2]*site, wanted []string) bool {
	for _, name := range roles {
		for _, w := range wanted {
			var has [2]bool
			for i, e := range engines {
				n, ok := e.hierarchy.number[w]
				has[i] = ok && e.held(sites[i], []string{name}).has(n)
			}
			if has[0] != has[1] {
				return false
			}
		}
	}
	return true
}

// compare visits the requests whose answers differ.
func (d *differ) compare(s *space, engines [2]*Engine, sites [2]*site, own [2][]*compiled, shared []*compiled, tell func(r *Request, from, to Answer, gone, came []Rule)) uint64 {
	type seat struct {
		x       *compiled
		of      int // 0 old, 1 new, 2 both
		refuses bool
	}
	var seats []seat
	for i, list := range own {
		for _, x := range list {
			seats = append(seats, seat{x, i, x.effect == im.Deny})
		}
	}
	for _, x := range shared {
		seats = append(seats, seat{x, 2, x.effect == im.Deny})
	}
	// What differs is asked first, then what ends it.
	rank := func(s seat) int {
		switch {
		case s.of < 2:
			return 0
		case s.refuses:
			return 1
		case s.x.narrows:
			return 3
		}
		return 2
	}
	slices.SortStableFunc(seats, func(a, b seat) int { return cmp.Compare(rank(a), rank(b)) })
	probes := make([]*probe, len(seats))
	for i, seat := range seats {
		of := min(seat.of, 1)
		probes[i] = s.probe(engines[of], sites[of], seat.x)
	}
	return s.search(probes, func(r *Request, known []truthValue) (alike, stop bool) {
		if isScope(r.Action) {
			return d.scopes(r, known, func(i int) bool { return seats[i].of == 2 }, tell, func(i int) (Rule, int) {
				return engines[min(seats[i].of, 1)].rules[seats[i].x.ordinal], seats[i].of
			}), false
		}
		differs, open := false, false
		var denied, mayGrant [2]bool
		for i, seat := range seats {
			if known[i] == unknown {
				open = true
			}
			if known[i] != no {
				differs = differs || seat.of < 2
			}
			for of := range 2 {
				if seat.of != 2 && seat.of != of {
					continue
				}
				denied[of] = denied[of] || seat.refuses && known[i] == yes
				mayGrant[of] = mayGrant[of] || !seat.refuses && !seat.x.narrows && known[i] != no
			}
		}
		if !differs {
			return true, false
		}
		if open {
			// Both refuse: what is open would matter if it had duties.
			quiet := !slices.ContainsFunc(seats, func(s seat) bool { return s.refuses && len(s.x.duties) > 0 })
			over := func(of int) bool { return denied[of] || !mayGrant[of] }
			return quiet && over(0) && over(1), false
		}
		var matched [2][]*compiled
		var changed [2][]Rule
		for i, seat := range seats {
			if known[i] != yes {
				continue
			}
			for of := range 2 {
				if seat.of == 2 || seat.of == of {
					matched[of] = append(matched[of], seat.x)
				}
			}
			if seat.of < 2 {
				changed[seat.of] = append(changed[seat.of], engines[seat.of].rules[seat.x.ordinal])
			}
		}
		// Shared lines are the new engine's; what is combined of them is the same.
		from, to := answer(matched[0]), answer(matched[1])
		if !from.equal(to) {
			gone, came := uncommon(changed[0], changed[1])
			tell(r, from, to, gone, came)
		}
		return true, false
	})
}

// scopes compares what may be read.
func (d *differ) scopes(r *Request, known []truthValue, shared func(int) bool, tell func(r *Request, from, to Answer, gone, came []Rule), rule func(int) (Rule, int)) (alike bool) {
	var changed [2][]Rule
	differs, open := false, false
	for i, k := range known {
		open = open || k == unknown
		if k != no && !shared(i) {
			differs = true
			if k == yes {
				rule, of := rule(i)
				changed[of] = append(changed[of], rule)
			}
		}
	}
	if !differs || open {
		return !differs
	}
	from, to := Answer{Scope: d.old.scope(*r)}, Answer{Scope: d.new.scope(*r)}
	if !from.equal(to) {
		gone, came := uncommon(changed[0], changed[1])
		tell(r, from, to, gone, came)
	}
	return true
}

// uncommon leaves out of two lists of lines what says the same in both: where roles have changed.
func uncommon(old, changed []Rule) (gone, came []Rule) {
	text := func(r Rule) string {
		return strings.Join([]string{r.Name, r.Role, r.Action, r.Target, r.When, r.Effect, r.By, r.Duty}, "\x00")
	}
	within := func(list []Rule, r Rule) bool {
		return slices.ContainsFunc(list, func(o Rule) bool { return text(o) == text(r) })
	}
	for _, r := range old {
		if !within(changed, r) {
			gone = append(gone, r)
		}
	}
	for _, r := range changed {
		if !within(old, r) {
			came = append(came, r)
		}
	}
	return gone, came
}

func answer(matched []*compiled) Answer {
	outcome, rules := outcomeOf(matched)
	a := Answer{Outcome: outcome}
	if rules {
		a.Needs, a.Obligations = sumOf(matched, outcome)
	}
	return a
}

// delta is what a change adds and takes away, whatever else holds of a request.
type delta struct {
	from, to           im.Outcome // empty where it is the same
	more, less         []string   // of who must agree
	duties, dropped    []string
	shows, showsNoMore []string
}

func deltaOf(from, to Answer) delta {
	var d delta
	if from.Outcome != to.Outcome {
		d.from, d.to = from.Outcome, to.Outcome
	}
	if from.Outcome == to.Outcome || to.Outcome == im.Review {
		d.less, d.more = split(Spelt(from.Needs), Spelt(to.Needs))
	}
	if from.Outcome != im.Deny && to.Outcome != im.Deny || from.Outcome == to.Outcome {
		d.dropped, d.duties = split(from.Obligations, to.Obligations)
	}
	d.showsNoMore, d.shows = split(from.Scope, to.Scope)
	return d
}

// split gives what is only in the one list and what is only in the other.
func split(a, b []string) (onlyA, onlyB []string) {
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	}
	return without(a, b), without(b, a)
}

// Spelt is needs as the by column has them.
func Spelt(list []im.Need) []string {
	var out []string
	for _, n := range list {
		if n.Count > 1 {
			out = append(out, fmt.Sprintf("%d*%s", n.Count, n.Role))
		} else {
			out = append(out, n.Role)
		}
	}
	return out
}

func (a Answer) equal(b Answer) bool {
	return a.Outcome == b.Outcome && slices.Equal(a.Needs, b.Needs) && slices.Equal(a.Obligations, b.Obligations) && slices.Equal(a.Scope, b.Scope)
}

// move finds the move that a request belongs to.
func (d *differ) move(base Request, from, to Answer, gone, came []Rule) *Move {
	key := fmt.Sprintf("%s %s %+v", base.Action, base.Object.Type, deltaOf(from, to))
	for _, r := range gone {
		key += " -" + r.ID.String()
	}
	for _, r := range came {
		key += " +" + r.ID.String()
	}
	m := d.moves[key]
	if m == nil {
		m = &Move{Action: base.Action, Object: base.Object.Type, From: from, To: to, Gone: gone, Came: came}
		d.moves[key] = m
		d.order = append(d.order, m)
	}
	return m
}

// Compact is a request in one line: what is out of the ordinary about it.
func Compact(r Request) string { return compact(r, fault.English) }

func compact(r Request, l fault.Language) string {
	t := diffTexts[l]
	out := []string{strings.TrimSpace(r.Platform + " " + t.about(r.Action, r.Object.Type))}
	who := t.no
	if len(r.Actor.Roles) > 0 {
		who = strings.Join(t.all(r.Actor.Roles), "+")
	}
	out = append(out, fmt.Sprintf(t.by, who))
	f := &facts{Request: &r}
	plain := &facts{Request: &Request{Actor: ordinary}}
	for _, name := range attributeNames {
		a := attributes[name]
		if name == "r.act" || name == "r.obj.Type" || name == "r.sub.ID" {
			continue
		}
		switch a.kind {
		case truth:
			if a.truth(f) != a.truth(plain) {
				out = append(out, name)
			}
		case number:
			if a.number(f) != a.number(plain) {
				out = append(out, fmt.Sprintf("%s %v", name, a.number(f)))
			}
		case word:
			if a.text(f) != a.text(plain) {
				out = append(out, fmt.Sprintf("%s '%s'", name, a.text(f)))
			}
		case nameSet:
			if list := a.names(f); len(list) > 0 {
				out = append(out, name+" "+strings.Join(list, nameSeparator))
			}
		case identity:
			if id := a.text(f); id != "" && id == r.Actor.ID {
				out = append(out, name+" r.sub.ID")
			}
		}
	}
	return strings.Join(out, t.between)
}

// Text tells the report in plain words.
func (r Report) Text(l fault.Language) string {
	t := diffTexts[l]
	var b strings.Builder
	for _, c := range r.Roles {
		if len(c.Gained) > 0 {
			fmt.Fprintf(&b, t.gained+"\n", t.word(c.Role), strings.Join(t.all(c.Gained), t.comma))
		}
		if len(c.Lost) > 0 {
			fmt.Fprintf(&b, t.lost+"\n", t.word(c.Role), strings.Join(t.all(c.Lost), t.comma))
		}
	}
	if r.Same() {
		how := t.sameLines
		switch {
		case r.Places > 0 && r.Exhaustive:
			how = fmt.Sprintf(t.exhaustive, r.Cells, r.Places)
		case r.Places > 0:
			how = fmt.Sprintf(t.drawn, r.Cells, r.Places)
		}
		fmt.Fprintf(&b, t.same+"\n", how)
		return b.String()
	}
	// What reads the same is told once, with all its reasons.
	var told []string
	reasons := map[string]string{}
	for _, m := range r.Moves {
		line := r.who(m, l) + t.colon + m.what(l) + t.colon + m.change(l)
		if reasons[line] == "" {
			told = append(told, line)
		}
		reasons[line] += m.why(l)
	}
	for _, line := range told {
		b.WriteString(line + "\n" + reasons[line])
	}
	how := t.allOf
	if !r.Exhaustive {
		how = t.someOf
	}
	fmt.Fprintf(&b, how+"\n", r.Cells, r.Places)
	return b.String()
}

const maxNames = 20

// who says who meets a move.
func (r Report) who(m Move, l fault.Language) string {
	t := diffTexts[l]
	switch n := len(m.People); {
	case r.People == 0:
		return t.somebody
	case n > maxNames:
		return fmt.Sprintf(t.more, strings.Join(m.People[:maxNames], t.comma), n-maxNames)
	case n > 0:
		return strings.Join(m.People, t.comma)
	}
	return t.nobody
}

// what says what the requests are about.
func (m Move) what(l fault.Language) string {
	t := diffTexts[l]
	out := t.about(m.Action, m.Object)
	if len(m.Platforms) > 0 {
		out += fmt.Sprintf(t.on, strings.Join(t.all(m.Platforms), t.comma))
	}
	return out
}

// why gives the example, and the lines that went and came.
func (m Move) why(l fault.Language) string {
	var b strings.Builder
	fmt.Fprintf(&b, "    %s%s\n", diffTexts[l].example, compact(m.plainest, l))
	for _, rule := range m.Gone {
		fmt.Fprintf(&b, "    - %s %s:%d\n", rule.Name, rule.File, rule.Line)
	}
	for _, rule := range m.Came {
		fmt.Fprintf(&b, "    + %s %s:%d\n", rule.Name, rule.File, rule.Line)
	}
	return b.String()
}

// change says what becomes of the requests.
func (m Move) change(l fault.Language) string {
	t, d := diffTexts[l], deltaOf(m.From, m.To)
	var parts []string
	swap := func(more, less []string, moreText, lessText, bothText string) {
		more, less = t.all(more), t.all(less)
		switch {
		case len(more) > 0 && len(less) > 0:
			parts = append(parts, fmt.Sprintf(bothText, strings.Join(more, t.comma), strings.Join(less, t.comma)))
		case len(more) > 0:
			parts = append(parts, fmt.Sprintf(moreText, strings.Join(more, t.comma)))
		case len(less) > 0:
			parts = append(parts, fmt.Sprintf(lessText, strings.Join(less, t.comma)))
		}
	}
	switch {
	case d.from == d.to:
		swap(d.more, d.less, t.moreNeeds, t.lessNeeds, t.otherNeeds)
	case d.to == im.Review:
		parts = append(parts, t.was[d.from]+fmt.Sprintf(t.to[d.to], strings.Join(t.all(d.more), t.comma)))
	default:
		parts = append(parts, t.was[d.from]+t.to[d.to])
	}
	swap(d.duties, d.dropped, t.moreDuties, t.lessDuties, t.otherDuties)
	swap(d.shows, d.showsNoMore, t.moreScope, t.lessScope, t.otherScope)
	return strings.Join(parts, t.semicolon)
}

// diffText is the words of one language.
type diffText struct {
	same, sameLines, exhaustive, drawn, allOf, someOf string
	somebody, nobody, more, on, by, no, example       string
	comma, between, semicolon, colon                  string
	moreNeeds, lessNeeds, otherNeeds                  string
	moreDuties, lessDuties, otherDuties               string
	moreScope, lessScope, otherScope                  string
	gained, lost                                      string
	was, to                                           map[im.Outcome]string
	words                                             map[string]string // for words of the files; nil: as they are spelt there
}

// all says words of the files in the language.
func (t diffText) all(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = t.word(w)
	}
	return out
}

// about says an action and what it is about, once where they are called the same.
func (t diffText) about(action, object string) string {
	if action == object || object == "" {
		return t.word(action)
	}
	return t.word(action) + " " + t.word(object)
}

// word says an action, a type, a platform, a role, a need, a duty or a term of the files in the language; what a company
// has named itself stays as it is.
func (t diffText) word(w string) string {
	if t.words == nil {
		return w
	}
	if said, ok := t.words[w]; ok {
		return said
	}
	if count, role, counted := strings.Cut(w, "*"); counted {
		return count + " 名" + t.word(role)
	}
	duty, arg, _ := strings.Cut(w, ":")
	said, ok := t.words[duty+":"]
	if !ok {
		return w
	}
	if d, err := time.ParseDuration(arg); err == nil && d%time.Hour == 0 {
		arg = strconv.Itoa(int(d/time.Hour)) + " 小时"
	} else if duty == DutyUndoReview {
		arg = strings.Join(t.all(strings.Split(arg, "+")), t.comma)
	}
	return fmt.Sprintf(said, arg)
}

var diffTexts = map[fault.Language]diffText{
	fault.English: {
		same:       "No decision changes: %s.",
		sameLines:  "the same lines are about every request",
		exhaustive: "all %d kinds of requests that the conditions tell apart were compared (places: %d)",
		drawn:      "%d requests were compared (places: %d); that was not all, the conditions tell too many apart",
		allOf:      "All %d kinds of requests that the conditions tell apart were compared (places: %d).",
		someOf:     "%d requests were compared (places: %d); that was not all, the conditions tell too many apart.",
		somebody:   "whom it fits", nobody: "nobody of those given", more: "%s and %d more", on: " on %s", by: "by %s", no: "no role",
		example: "such as ", comma: ", ", between: ", ", semicolon: "; ", colon: ": ", moreNeeds: "now needs %s to agree as well", lessNeeds: "no longer needs %s to agree", otherNeeds: "now needs %s to agree instead of %s",
		moreDuties: "now goes with %s", lessDuties: "no longer goes with %s", otherDuties: "now goes with %s instead of %s",
		moreScope: "now shows %s", lessScope: "no longer shows %s", otherScope: "now shows %s instead of %s",
		gained: "role %s now implies %s", lost: "role %s no longer implies %s",
		was: map[im.Outcome]string{im.Allow: "was allowed, ", im.Review: "was reviewed, ", im.Deny: "was denied, "},
		to:  map[im.Outcome]string{im.Allow: "now is allowed", im.Review: "now needs %s to agree", im.Deny: "now is denied"},
	},
	fault.Chinese: {
		same:       "决策没有变化：%s。",
		sameLines:  "每个请求适用的规则行都相同",
		exhaustive: "已比较条件所能区分的全部 %d 种请求（%d 处）",
		drawn:      "已比较 %d 个请求（%d 处），并非全部：条件所能区分的情形过多",
		allOf:      "已比较条件所能区分的全部 %d 种请求（%d 处）。",
		someOf:     "已比较 %d 个请求（%d 处），并非全部：条件所能区分的情形过多。",
		somebody:   "符合者", nobody: "所给人员均不涉及", more: "%s等，另有 %d 人", on: "（%s）", by: "操作人为%s", no: "无角色者",
		example: "例如：", comma: "、", between: "，", semicolon: "；", colon: "：", moreNeeds: "现还须经%s同意", lessNeeds: "不再须经%s同意", otherNeeds: "现须经%s同意，不再是%s",
		moreDuties: "现附带：%s", lessDuties: "不再附带：%s", otherDuties: "现附带：%s，不再是：%s",
		moreScope: "现可见：%s", lessScope: "不再可见：%s", otherScope: "现可见：%s，不再是：%s",
		gained: "角色“%s”现包含：%s", lost: "角色“%s”不再包含：%s",
		was:   map[im.Outcome]string{im.Allow: "原为允许，", im.Review: "原须审批，", im.Deny: "原为拒绝，"},
		to:    map[im.Outcome]string{im.Allow: "现为允许", im.Review: "现须经%s同意", im.Deny: "现为拒绝"},
		words: wordsInChinese,
	},
}

// wordsInChinese is the words of the files in Chinese; of a duty its name and a colon.
var wordsInChinese = map[string]string{
	ActionBlock: "屏蔽", ActionIsolate: "隔离", ActionBlacklist: "加入黑名单", ActionGroupBlock: "群内屏蔽", ActionLift: "解除", ActionUndo: "撤销",
	ActionDecideApproval: "审批", ActionCancelApproval: "撤回申请", ActionAcknowledgeAlert: "确认告警", ActionRequestArchiveAccess: "申请查阅存档",
	ActionCheckContact: "查询可否联系", ActionRead: "查看", ActionUnmask: "查看完整号码", ActionBulk: "批量操作", ActionPrune: "清理过期黑名单", ActionSetAccountStatus: "变更账号状态",
	ActionSignOutDevices: "设备下线", ActionBindAccount: "绑定账号", ActionUnlinkIdentity: "解除个人账号关联", ActionSyncWorkspace: "同步工作空间",
	ActionResolveDrift: "处理差异", ActionImportDirectory: "导入组织架构", ActionSendMessage: "发送消息", ActionRecallMessage: "撤回消息",
	ActionRemoveGroupMembers: "移出群成员", ActionDissolveGroup: "解散群", ActionHandOver: "交接", ActionClaimContacts: "认领联系人",
	ActionDeleteContacts: "删除联系人", ActionExport: "导出", ActionOpenDeparture: "发起离职", ActionCancelDeparture: "取消离职",
	ActionPauseDeparture: "暂停离职", ActionResumeDeparture: "恢复离职", ActionConfirmDeparture: "确认离职", ActionCompleteDepartureStep: "完成离职步骤",
	ActionRetryDepartureStep: "重试离职步骤", ActionSetLegalHold: "设置法律保全", ActionActivatePolicy: "启用策略", ActionWeigh: "评估风险",
	ActionCreateAPIKey: "创建服务密钥", ActionRevokeAPIKey: "吊销服务密钥",

	TypeMember: "成员", TypeAccount: "账号", TypeContact: "外部联系人", TypeGroup: "群", TypeRelationship: "关系", TypeApproval: "审批",
	TypePair: "双方", TypeAudit: "审计记录", TypeAlert: "告警", TypeDeparture: "离职流程", TypePolicy: "策略",
	TypeIdentity: "个人账号关联", TypeWorkspace: "工作空间", TypeDirectory: "组织架构", TypeMessage: "消息", TypeArchive: "存档", TypeAPIKey: "服务密钥", TypeImport: "导入",
	TypeDepartment: "部门",

	OtherPlatform: "其他平台",

	Anyone: "任何人", "employee": "员工", "dept_manager": "部门主管", "admin": "管理员", "super_admin": "超级管理员", "hr": "人事", "it": "IT",
	"legal": "法务", "auditor": "审计员", RoleService: "服务", RoleServiceBulk: "批量服务",
	RoleServiceContacts: "联系人服务", RoleServiceMembers: "成员服务", RoleServiceUnmask: "完整信息服务", RoleServiceDirectory: "组织架构服务", RoleServiceCheck: "核查服务",
	im.ManagerOfActor: "操作人的主管", im.OwnerDeptManager: "联系人负责人的部门主管", im.GroupOwner: "群主", im.AsMade: "当初的审批人",

	DutyUndo + ":" + UndoSameDay: "当日内可撤销", DutyUndo + ":" + UndoAnyTime: "随时可撤销", DutyUndo + ":": "%s内可撤销",
	DutyUndoReview + ":": "撤销须经%s同意", DutyAlert + ":": "告警 %s", DutyNotify + ":": "通知 %s", DutyExpire + ":": "审批 %s内未决即失效", DutyEscalate + ":": "审批逾时升级 %s",
	DutyCooldown + ":": "冷静期 %s", DutyUndoTrace + ":" + UndoNoTrace: "撤销后不留痕迹",
	DutyCuts + ":" + string(im.ApprovalFlow): "阻断双方的审批流", DutyCloses + ":" + string(im.DocumentLibrary): "对方不能查看发起者部门的文档库",
	DutyRisk + ":": "风险信号 %s", DutyRiskLevel + ":": "风险等级 %s",
	DutyCuts + ":": "双向阻断 %s", DutyCloses + ":": "对对方关闭 %s",

	im.ScopeAll: "全部", im.ScopeOwn: "本人的", im.ScopeFollows: "本人跟进的", im.ScopeIn: "本人所在的", im.ScopeInitiated: "本人发起的",
	im.ScopeOwnDepartments: "本部门的", im.ScopeDepartmentsBelow: "本部门及下级部门的", im.ScopeOwnedBelow: "本部门及下级部门人员所有的",
	im.ScopeInitiatedBelow: "本部门及下级部门人员发起的", im.ScopeAsActor: "本人操作的", im.ScopeOnPolicyAndPlatforms: "有关策略与平台的",
	im.ScopeAllButArchive: "除查阅存档外的全部", im.ScopePersonBelow: "本部门及下级部门人员的", im.ScopePersonSubordinate: "下属的",
	im.ScopeContactOwner: "本人联系人的", im.ScopeRequested: "本人申请的", im.ScopeCandidate: "待本人审批的",
}
