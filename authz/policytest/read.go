package policytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
)

const (
	maxFile  = 1 << 20 // bytes
	maxCases = 20_000  // of one Read, once lists are taken apart
)

// File is a case file as it is at rest.
type File struct {
	Name string // as it is shown
	Text []byte
}

// Files reads the case files of a directory: *.yaml at its root and in cases, in the order of their names. prefix goes
// before their names.
func Files(dir fs.FS, prefix string) ([]File, error) {
	var out []File
	for _, pattern := range []string{"*.yaml", "cases/*.yaml"} {
		names, err := fs.Glob(dir, pattern)
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		for _, name := range names {
			text, err := ReadFile(dir, name)
			if err != nil {
				return nil, err
			}
			out = append(out, File{prefix + name, text})
		}
	}
	return out, nil
}

// ReadFile reads a case file; of one that is too large no more than shows that.
func ReadFile(dir fs.FS, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Cast is people and things by name.
type Cast struct {
	people map[string]person
	things map[string]authz.Object
}

type person struct {
	actor   authz.Actor
	manager string
}

// Suite is cases that were read.
type Suite struct {
	Cases []Case
	Cast  *Cast // of its files and of the cast that they were read with
}

// Read reads case files, to be run against this engine or one like it: the platforms and roles that they name must be there.
// Names of the cast are known in them and may be given anew; nil: there is none. Its error is an [*authz.Problems].
func Read(e *authz.Engine, cast *Cast, files ...File) (*Suite, error) {
	r := &reader{
		problems: &authz.Problems{}, platforms: append(e.Platforms(), authz.OtherPlatform),
		cast: Cast{people: map[string]person{}, things: map[string]authz.Object{}}, own: map[string]string{},
		known: func(role string) bool { return e.Implying(role) != nil },
	}
	if cast != nil {
		maps.Copy(r.cast.people, cast.people)
		maps.Copy(r.cast.things, cast.things)
	}
	var pages []page
	for _, f := range files {
		if p, ok := r.open(f); ok {
			pages = append(pages, p)
		}
	}
	for _, p := range pages {
		r.file = p.file
		r.people(p.parts["people"])
		r.things(p.parts["things"])
	}
	for _, p := range pages {
		r.file = p.file
		r.managers(p.parts["people"])
		r.page(p)
	}
	if len(r.problems.List) > 0 {
		return nil, r.problems
	}
	return &Suite{Cases: r.cases, Cast: &r.cast}, nil
}

// ReadPeople reads a file of people, which is one that has people and nothing else, in the order of their names. The roles
// that they have must be known to one of the engines.
func ReadPeople(f File, engines ...*authz.Engine) ([]authz.Subject, error) {
	r := &reader{problems: &authz.Problems{}, cast: Cast{people: map[string]person{}}, own: map[string]string{}}
	p, ok := r.open(f)
	if ok {
		r.file = p.file
		for key, n := range p.parts {
			if key != "people" {
				r.refuse(n, "a file of people holds people and nothing else, not %s", key)
			}
		}
		r.known = func(role string) bool {
			return slices.ContainsFunc(engines, func(e *authz.Engine) bool { return e.Implying(role) != nil })
		}
		r.people(p.parts["people"])
	}
	if len(r.problems.List) > 0 {
		return nil, r.problems
	}
	var out []authz.Subject
	for _, name := range slices.Sorted(maps.Keys(r.cast.people)) {
		out = append(out, authz.Subject{Name: name, Actor: r.cast.people[name].actor})
	}
	return out, nil
}

// reader reads the files of one Read.
type reader struct {
	problems  *authz.Problems
	known     func(role string) bool // whether there is such a role
	platforms []string
	cast      Cast
	own       map[string]string // names given in these files, and where
	cases     []Case
	file      string
	exact     bool
	zone      string
	now       time.Time
}

// page is a file that was taken apart.
type page struct {
	file  string
	parts map[string]*yaml.Node
}

func (r *reader) refuse(n *yaml.Node, format string, args ...any) {
	r.problems.Add(r.file, n.Line, n.Column, fmt.Sprintf(format, args...))
}

// oneOf refuses a word that is none of those known.
func (r *reader) oneOf(n *yaml.Node, what string, known []string) bool {
	if slices.Contains(known, n.Value) {
		return true
	}
	text := fmt.Sprintf("there is no %s %q", what, n.Value)
	if near := authz.Near(n.Value, known); near != "" {
		text += "; did you mean " + near + "?"
	} else if len(known) <= 30 {
		text += "; expected one of " + strings.Join(known, ", ")
	}
	r.refuse(n, "%s", text)
	return false
}

// atLine finds the line in an error of the YAML parser.
var atLine = regexp.MustCompile(`^yaml: line (\d+): `)

// open reads the YAML of a file.
func (r *reader) open(f File) (page, bool) {
	r.file = f.Name
	if len(f.Text) > maxFile {
		r.problems.Add(r.file, 0, 0, "the file is over 1 MiB")
		return page{}, false
	}
	d := yaml.NewDecoder(bytes.NewReader(f.Text))
	var document, more yaml.Node
	err := d.Decode(&document)
	if errors.Is(err, io.EOF) {
		return page{file: f.Name}, true // nothing but comments
	}
	if err == nil {
		if next := d.Decode(&more); next == nil {
			r.refuse(&more, "the file holds a second document; expected one")
			return page{}, false
		} else if !errors.Is(next, io.EOF) {
			err = next
		}
	}
	if err != nil {
		line, text := 0, strings.TrimPrefix(err.Error(), "yaml: ")
		if m := atLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1]) // digits
			text = err.Error()[len(m[0]):]
		}
		r.problems.Add(r.file, line, 0, "no YAML: "+text)
		return page{}, false
	}
	if n := anchored(&document); n != nil {
		r.refuse(n, "anchors and aliases (& and *) are not read here; write it out")
		return page{}, false
	}
	if len(document.Content) == 1 && document.Content[0].Tag == "!!null" {
		return page{file: f.Name}, true
	}
	parts, ok := r.fields(document.Content[0], "a case file", "exact", "zone", "now", "people", "things", "cases", "matrix")
	return page{f.Name, parts}, ok
}

// anchored finds an anchor or an alias: a few of them can stand for more than fits into memory.
func anchored(n *yaml.Node) *yaml.Node {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if found := anchored(c); found != nil {
			return found
		}
	}
	return nil
}

// pairs takes a mapping apart, in its order; each key once.
func (r *reader) pairs(n *yaml.Node, what string) (keys, values []*yaml.Node, ok bool) {
	if n.Kind != yaml.MappingNode {
		r.refuse(n, "expected %s: names and values", what)
		return nil, nil, false
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.refuse(key, "expected a name")
		case seen[key.Value]:
			r.refuse(key, "%s stands there twice", key.Value)
		default:
			seen[key.Value] = true
			keys, values = append(keys, key), append(values, n.Content[i+1])
		}
	}
	return keys, values, true
}

// fields takes a mapping with known keys apart.
func (r *reader) fields(n *yaml.Node, what string, known ...string) (map[string]*yaml.Node, bool) {
	keys, values, ok := r.pairs(n, what)
	out := map[string]*yaml.Node{}
	for i, key := range keys {
		switch {
		case slices.Contains(known, key.Value):
			out[key.Value] = values[i]
			continue
		case values[i].Tag == "!!null" && n.Style&yaml.FlowStyle != 0:
			r.refuse(key, "%q is no key with a value; a text that holds a comma stands in quotes", key.Value)
		default:
			r.oneOf(key, "key", known)
		}
		ok = false
	}
	return out, ok
}

// words is a value or a list of values.
func (r *reader) words(n *yaml.Node) ([]*yaml.Node, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{n}, true
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				r.refuse(c, "expected a word")
				return nil, false
			}
		}
		return n.Content, true
	}
	r.refuse(n, "expected a word or a list of words")
	return nil, false
}

// text is a value with the parts of a list joined.
func (r *reader) text(n *yaml.Node, joint string) (string, bool) {
	list, ok := r.words(n)
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w.Value
		if w.Tag == "!!null" {
			out[i] = ""
		}
	}
	return strings.Join(out, joint), ok
}

// fact puts one fact into a request.
func (r *reader) fact(to *authz.Request, key *yaml.Node, name string, value *yaml.Node) {
	text, ok := r.text(value, " ")
	if !ok {
		return
	}
	if err := to.Set(name, text); err != nil {
		at := value
		if fact, ok := errors.AsType[*authz.FactError](err); ok && fact.Expected == "" {
			at = key
		}
		r.refuse(at, "%s", err)
		return
	}
	if name == "r.sub.Roles" {
		for _, role := range to.Actor.Roles {
			if !r.known(role) {
				r.refuse(value, "there is no role %q", role)
			}
		}
	}
}

// name takes a name for a person or a thing.
func (r *reader) name(key *yaml.Node) bool {
	switch at, taken := r.own[key.Value]; {
	case taken:
		r.refuse(key, "%s has been named at %s already", key.Value, at)
	case key.Value == "" || slices.ContainsFunc(schema.Types, func(w authz.Word) bool { return w.Name == key.Value }):
		r.refuse(key, "%q cannot be a name: it is empty or a type of things", key.Value)
	default:
		r.own[key.Value] = fmt.Sprintf("%s:%d", r.file, key.Line)
		delete(r.cast.people, key.Value)
		delete(r.cast.things, key.Value)
		return true
	}
	return false
}

func (r *reader) people(n *yaml.Node) {
	if n == nil {
		return
	}
	keys, values, _ := r.pairs(n, "people")
	for i, key := range keys {
		facts, about, ok := r.pairs(values[i], "the facts of a person")
		if !ok || !r.name(key) {
			continue
		}
		x := authz.Request{Actor: authz.Actor{ID: key.Value, Status: string(im.AccountActive), Employment: string(im.Employed)}}
		p := person{}
		for j, fact := range facts {
			if fact.Value == "manager" {
				p.manager, _ = r.text(about[j], " ")
				continue
			}
			r.factOf(&x, fact, "r.sub.", about[j])
		}
		p.actor = x.Actor
		r.cast.people[key.Value] = p
	}
}

// factOf puts a fact that is named with or without what goes before the names of its like.
func (r *reader) factOf(to *authz.Request, key *yaml.Node, prefix string, value *yaml.Node) {
	name := key.Value
	switch {
	case !strings.HasPrefix(name, "r."):
		name = prefix + name
	case !strings.HasPrefix(name, prefix):
		r.refuse(key, "%s is none of these facts: they start with %s", name, prefix)
		return
	}
	r.fact(to, key, name, value)
}

func (r *reader) things(n *yaml.Node) {
	if n == nil {
		return
	}
	keys, values, _ := r.pairs(n, "things")
	for i, key := range keys {
		facts, about, ok := r.pairs(values[i], "the facts of a thing")
		if !ok || !r.name(key) {
			continue
		}
		at := slices.IndexFunc(facts, func(f *yaml.Node) bool { return f.Value == "is" })
		if at < 0 {
			r.refuse(key, "what is %s? expected is: contact, or another type of things", key.Value)
			continue
		}
		if about[at].Kind != yaml.ScalarNode || !r.oneOf(about[at], "type of things", wordsOf(schema.Types)) {
			continue
		}
		x := authz.Request{Object: authz.Object{Type: about[at].Value, ID: key.Value}}
		for j, fact := range facts {
			if j != at {
				r.factOf(&x, fact, "r.obj.", about[j])
				r.fits(fact, "r.obj."+strings.TrimPrefix(fact.Value, "r.obj."), x.Object.Type)
			}
		}
		r.cast.things[key.Value] = x.Object
	}
}

// schema is what policy files may say.
var schema = authz.Schema()

func wordsOf(list []authz.Word) []string {
	var out []string
	for _, w := range list {
		out = append(out, w.Name)
	}
	return out
}

// fits refuses a fact that things of a type do not have.
func (r *reader) fits(at *yaml.Node, name, objectType string) {
	if err := Fits(name, objectType); err != nil {
		r.refuse(at, "%s", err)
	}
}

// Fits says what is wrong with a fact that things of a type do not have: it would say nothing.
func Fits(fact, objectType string) error {
	for _, a := range schema.Attributes {
		if a.Name == fact && len(a.Objects) > 0 && !slices.Contains(a.Objects, objectType) {
			return fmt.Errorf("a %s has no %s; it is of %s", objectType, fact, strings.Join(a.Objects, ", "))
		}
	}
	return nil
}

// managers checks what people are said to report to.
func (r *reader) managers(n *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		p, known := r.cast.people[n.Content[i].Value]
		if !known || p.manager == "" {
			continue
		}
		if _, known := r.cast.people[p.manager]; !known {
			r.refuse(n.Content[i], "the manager %q of %s is nobody", p.manager, n.Content[i].Value)
		}
		if r.cast.above(n.Content[i].Value, p.manager) {
			r.refuse(n.Content[i], "%s is among his own superiors", n.Content[i].Value)
		}
	}
}

// maxLevels is how many superiors of a person are looked at.
const maxLevels = 100

// above reports whether somebody stands above a person, or is he.
func (c *Cast) above(who, name string) bool {
	for range maxLevels {
		if name == who {
			return true
		}
		if name = c.people[name].manager; name == "" {
			break
		}
	}
	return false
}

// relation is where a person stands to another in the reporting line.
func (c *Cast) relation(who, to string) string {
	switch {
	case who == to:
		return ""
	case c.above(who, to):
		return authz.Superior
	case c.above(to, who):
		return authz.Subordinate
	}
	return ""
}

// page reads the cases of a file.
func (r *reader) page(p page) {
	r.exact, r.zone, r.now = false, "", time.Time{}
	if n := p.parts["exact"]; n != nil {
		exact, err := strconv.ParseBool(n.Value)
		if err != nil {
			r.refuse(n, "expected true or false")
		}
		r.exact = exact
	}
	if n := p.parts["zone"]; n != nil {
		if _, err := time.LoadLocation(n.Value); err != nil || n.Value == "" {
			r.refuse(n, "there is no time zone %q; expected a name such as Asia/Shanghai", n.Value)
		}
		r.zone = n.Value
	}
	if n := p.parts["now"]; n != nil {
		r.now, _ = r.time(n)
	}
	for _, part := range []struct {
		name string
		read func(*yaml.Node)
	}{{"cases", r.oneCase}, {"matrix", r.matrix}} {
		n := p.parts[part.name]
		switch {
		case n == nil || n.Tag == "!!null":
		case n.Kind != yaml.SequenceNode:
			r.refuse(n, "expected a list")
		default:
			for _, c := range n.Content {
				part.read(c)
			}
		}
	}
}

func (r *reader) time(n *yaml.Node) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
			return t, true
		}
	}
	r.refuse(n, "%q is no time; expected 2026-11-21T08:00+08:00", n.Value)
	return time.Time{}, false
}

func (r *reader) oneCase(n *yaml.Node) {
	f, ok := r.fields(n, "a case", "name", "who", "on", "does", "to", "with", "made", "at", "expect")
	if !ok {
		return
	}
	for _, key := range []string{"who", "does", "expect"} {
		if f[key] == nil {
			r.refuse(n, "the case lacks %s", key)
			ok = false
		}
	}
	if !ok {
		return
	}
	name := ""
	if f["name"] != nil {
		name, _ = r.text(f["name"], " ")
	}
	for _, ask := range r.product(f["who"], f["on"], f["does"], f["to"]) {
		c := Case{Name: name, File: r.file, Line: n.Line, Zone: r.zone}
		if c.Request, ok = r.request(ask, f["with"]); !ok {
			return
		}
		c.Ask = ask.String()
		if !r.times(&c, n, f) || !r.expect(&c, f["expect"]) || !r.add(n, c) {
			return
		}
	}
}

// add keeps a case, as long as there are not too many.
func (r *reader) add(n *yaml.Node, c Case) bool {
	if len(r.cases) >= maxCases {
		r.refuse(n, "that makes more than %d cases", maxCases)
		return false
	}
	r.cases = append(r.cases, c)
	return true
}

// question is what a case asks, by its words.
type question struct{ who, on, does, to *yaml.Node }

// String is the question in words.
func (q question) String() string {
	out := q.who.Value + ": " + q.does.Value
	if q.to != nil {
		out += " " + q.to.Value
	}
	if q.on != nil {
		out += " on " + q.on.Value
	}
	return out
}

// product is a question for each combination of what is listed.
func (r *reader) product(who, on, does, to *yaml.Node) (out []question) {
	list := func(n *yaml.Node) []*yaml.Node {
		if n == nil {
			return []*yaml.Node{nil}
		}
		out, _ := r.words(n)
		return out
	}
	whos, ons, dos, tos := list(who), list(on), list(does), list(to)
	if n := len(whos) * len(ons) * len(dos) * len(tos); n > maxCases || len(whos)*len(ons) > maxCases || len(dos)*len(tos) > maxCases {
		r.refuse(who, "that makes more than %d cases", maxCases)
		return nil
	}
	for _, d := range dos {
		for _, t := range tos {
			for _, w := range whos {
				for _, o := range ons {
					out = append(out, question{w, o, d, t})
				}
			}
		}
	}
	return out
}

// request makes the request of a question.
func (r *reader) request(q question, with *yaml.Node) (x authz.Request, ok bool) {
	p, known := r.cast.people[q.who.Value]
	if !known {
		return x, r.oneOf(q.who, "person", slices.Sorted(maps.Keys(r.cast.people)))
	}
	if !r.oneOf(q.does, "action", wordsOf(schema.Actions)) || q.on != nil && !r.oneOf(q.on, "platform", r.platforms) {
		return x, false
	}
	x.Action, x.Actor = q.does.Value, p.actor
	if q.on != nil {
		x.Platform = q.on.Value
	}
	if q.to != nil && !r.target(&x, q) {
		return x, false
	}
	switch reads := scopes(x.Action); {
	case reads && q.on != nil:
		r.refuse(q.on, "what may be read does not depend on a platform")
		return x, false
	case x.Action == authz.ActionUnmask && q.to != nil:
		r.refuse(q.to, "unmasking is asked for all targets at once")
		return x, false
	case x.Action != authz.ActionUnmask && q.to == nil:
		r.refuse(q.does, "%s of what? the case lacks to", x.Action)
		return x, false
	}
	before := len(r.problems.List)
	if with != nil {
		keys, values, _ := r.pairs(with, "facts")
		for i, key := range keys {
			switch {
			case !strings.HasPrefix(key.Value, "r."):
				r.refuse(key, "%s is no fact; they are called as in policy files: r.sub.Rank", key.Value)
			case key.Value == "r.dom" || key.Value == "r.act" || key.Value == "r.obj.Type":
				r.refuse(key, "%s is said by on, does or to", key.Value)
			default:
				r.fact(&x, key, key.Value, values[i])
				r.fits(key, key.Value, x.Object.Type)
			}
		}
	}
	return x, len(r.problems.List) == before
}

// target puts what a question is about.
func (r *reader) target(x *authz.Request, q question) bool {
	name := q.to.Value
	if thing, known := r.cast.things[name]; known {
		x.Object = thing
		return true
	}
	if _, known := r.cast.people[name]; known {
		x.Object = authz.Object{Type: authz.TypeMember, ID: name, Relation: r.cast.relation(name, q.who.Value)}
		return true
	}
	known := slices.Concat(wordsOf(schema.Types), slices.Sorted(maps.Keys(r.cast.things)), slices.Sorted(maps.Keys(r.cast.people)))
	x.Object = authz.Object{Type: name, ID: name}
	return slices.Contains(wordsOf(schema.Types), name) || r.oneOf(q.to, "thing or person", known)
}

func scopes(action string) bool { return action == authz.ActionRead || action == authz.ActionUnmask }

// times reads when something was made, and when somebody wants to take it back.
func (r *reader) times(c *Case, n *yaml.Node, f map[string]*yaml.Node) (ok bool) {
	c.At = r.now
	if at := f["at"]; at != nil {
		if c.At, ok = r.time(at); !ok {
			return false
		}
	}
	if made := f["made"]; made != nil {
		if c.Made, ok = r.time(made); !ok {
			return false
		}
	}
	switch {
	case c.Made.IsZero() && f["at"] != nil:
		r.refuse(n, "at says nothing without made")
	case c.Made.IsZero():
		return true
	case c.At.IsZero():
		r.refuse(n, "the case says when it was made and not at what time somebody wants to take it back; expected at, or now in the file")
	case r.zone == "":
		r.refuse(n, "in which time zone is the workspace? expected zone in the file, such as Asia/Shanghai")
	default:
		return true
	}
	return false
}

// outcomes are the words for what comes out.
var outcomes = []string{"allow", "review", "deny"}

// expect reads what a case wants.
func (r *reader) expect(c *Case, n *yaml.Node) bool {
	c.Want = map[What]string{}
	if r.exact {
		for _, w := range compared {
			if w != Undo && (w == Shows) == scopes(c.Request.Action) && w != Outcome {
				c.Want[w] = none
			}
		}
	}
	if n.Kind == yaml.ScalarNode && !scopes(c.Request.Action) {
		c.Want[Outcome] = n.Value
		return r.oneOf(n, "outcome", outcomes) && r.undone(c, n)
	}
	known := []string{string(Outcome), string(Rules), string(Needs), string(Duties), string(Undo)}
	if scopes(c.Request.Action) {
		known = []string{string(Shows)}
	}
	f, ok := r.fields(n, "what comes out", known...)
	for _, key := range known {
		v := f[key]
		if v == nil {
			continue
		}
		text, sound := r.wanted(c, What(key), v)
		ok = ok && sound
		c.Want[What(key)] = text
	}
	if ok && len(f) == 0 {
		r.refuse(n, "expected one of %s", strings.Join(known, ", "))
		return false
	}
	return ok && r.undone(c, n)
}

// undone refuses a case that says when something was made and does not say whether it can be taken back.
func (r *reader) undone(c *Case, n *yaml.Node) bool {
	if !c.Made.IsZero() && c.Want[Undo] == "" {
		r.refuse(n, "the case says when it was made and expects nothing of an undo")
		return false
	}
	return true
}

// wanted reads one thing that a case wants, and spells it as what comes out is spelt.
func (r *reader) wanted(c *Case, what What, n *yaml.Node) (string, bool) {
	joints := map[What]string{Needs: "+", Duties: "|"}
	joint := joints[what]
	if joint == "" {
		joint = " "
	}
	text, ok := r.text(n, joint)
	if !ok {
		return "", false
	}
	split := func() []string {
		list := strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(joint+",", c) })
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
		return list
	}
	each := func(what string, known []string, word func(string) string) bool {
		for _, w := range split() {
			if !r.oneOf(&yaml.Node{Value: word(w), Line: n.Line, Column: n.Column}, what, known) {
				return false
			}
		}
		return true
	}
	same := func(w string) string { return w }
	switch what {
	case Outcome:
		return text, r.oneOf(n, "outcome", outcomes)
	case Rules:
		return spell(split()), true
	case Needs:
		list := authz.Approvers(text)
		for _, need := range list {
			if !slices.Contains(wordsOf(schema.Approvers), need.Role) && !r.known(need.Role) {
				r.refuse(n, "nobody is an approver called %q", need.Role)
				return "", false
			}
		}
		return spell(authz.Spelt(list)), true
	case Duties:
		return spell(split()), each("duty", wordsOf(schema.Duties), func(w string) string { name, _, _ := strings.Cut(w, ":"); return name })
	case Shows:
		known := authz.Terms(c.Request.Object.Type)
		if c.Request.Action == authz.ActionUnmask {
			known = []string{im.ScopeOwn, im.ScopeFollows, im.ScopeAll}
		}
		return spell(split()), each("term", known, same)
	}
	if c.Made.IsZero() {
		r.refuse(n, "an undo is open or closed at a time: the case lacks made")
		return "", false
	}
	return text, r.oneOf(n, "answer", []string{undoOpen, undoClosed})
}

// matrix reads a table of people and what they may do on each platform.
func (r *reader) matrix(n *yaml.Node) {
	f, ok := r.fields(n, "a matrix", "name", "who", "on", "does", "cells")
	if !ok {
		return
	}
	for _, key := range []string{"who", "on", "does"} {
		if f[key] == nil {
			r.refuse(n, "the matrix lacks %s", key)
			return
		}
	}
	name := ""
	if f["name"] != nil {
		name, _ = r.text(f["name"], " ")
	}
	columns, ok := r.words(f["does"])
	if !ok {
		return
	}
	whos, _ := r.words(f["who"])
	if ons, _ := r.words(f["on"]); len(whos)*len(ons) > maxCases || len(whos)*len(ons)*len(columns) > maxCases {
		r.refuse(n, "that makes more than %d cases", maxCases)
		return
	}
	cells := r.cells(f["cells"], f["who"], columns, f["on"])
	for _, column := range columns {
		action, thing, _ := strings.Cut(column.Value, " ")
		if thing == "" {
			r.refuse(column, "%q: expected what is done to what, such as block contact", column.Value)
			continue
		}
		does := &yaml.Node{Kind: yaml.ScalarNode, Value: action, Line: column.Line, Column: column.Column}
		to := &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(thing), Line: column.Line, Column: column.Column + len(action) + 1}
		for _, q := range r.product(f["who"], f["on"], does, to) {
			c := Case{Name: name, File: r.file, Line: n.Line, Ask: q.String(), Want: map[What]string{Outcome: "deny"}}
			if c.Request, ok = r.request(q, nil); !ok {
				break
			}
			if cell := cells[[3]string{q.who.Value, column.Value, q.on.Value}]; cell != nil {
				c.Line = cell.Line
				outcome, needs, reviewed := strings.Cut(cell.Value, " ")
				c.Want[Outcome] = outcome
				ok := r.oneOf(&yaml.Node{Value: outcome, Line: cell.Line, Column: cell.Column}, "outcome", outcomes)
				if reviewed {
					var sound bool
					c.Want[Needs], sound = r.wanted(&c, Needs, &yaml.Node{Kind: yaml.ScalarNode, Value: needs, Line: cell.Line, Column: cell.Column})
					ok = ok && sound
				}
				if !ok {
					continue
				}
			}
			if !r.add(n, c) {
				return
			}
		}
	}
}

// cells reads what is not denied, by row, column and platform.
func (r *reader) cells(n, who *yaml.Node, columns []*yaml.Node, on *yaml.Node) map[[3]string]*yaml.Node {
	out := map[[3]string]*yaml.Node{}
	values := func(list []*yaml.Node) []string {
		var out []string
		for _, w := range list {
			out = append(out, w.Value)
		}
		return out
	}
	whos, _ := r.words(who)
	ons, _ := r.words(on)
	if n == nil {
		return out
	}
	rows, rowCells, _ := r.pairs(n, "the cells of a matrix")
	for i, row := range rows {
		if !r.oneOf(row, "row", values(whos)) {
			continue
		}
		names, cells, _ := r.pairs(rowCells[i], "the cells of a row")
		for j, column := range names {
			if !r.oneOf(column, "column", values(columns)) {
				continue
			}
			if cells[j].Kind == yaml.ScalarNode {
				for _, platform := range ons {
					out[[3]string{row.Value, column.Value, platform.Value}] = cells[j]
				}
				continue
			}
			platforms, each, _ := r.pairs(cells[j], "the cells of a row")
			for k, platform := range platforms {
				switch {
				case !r.oneOf(platform, "platform of the matrix", values(ons)):
				case each[k].Kind != yaml.ScalarNode:
					r.refuse(each[k], "expected allow, review or deny")
				default:
					out[[3]string{row.Value, column.Value, platform.Value}] = each[k]
				}
			}
		}
	}
	return out
}
