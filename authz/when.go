package authz

import (
	"slices"
	"strconv"
	"strings"
)

// condition is a compiled `when`. It cannot fail, and it changes nothing.
type condition func(*facts) bool

func always(*facts) bool { return true }

// node is a condition as it stands in the file, for whoever explains it or tries its boundaries. Decisions are made by
// what compile makes of it.
type node struct {
	join    string // && and || of two parts or more, ! of one; empty: a comparison
	parts   []*node
	at, end int       // where it stands in the text
	test    condition // of a comparison
	terms   []term    // of a comparison: both sides, or an attribute and the words it may be in
	said    string    // of what stands in no text: how it would be spelt
}

// source is how a part of a condition is spelt, of which text is the whole.
func (n *node) source(text string) string {
	if n.said != "" {
		return n.said
	}
	return text[n.at:n.end]
}

// compile makes one function of a condition.
func (n *node) compile() condition {
	switch n.join {
	case "!":
		c := n.parts[0].compile()
		return func(f *facts) bool { return !c(f) }
	case "&&", "||":
		left := n.parts[0].compile()
		for _, part := range n.parts[1:] {
			a, b := left, part.compile()
			if n.join == "&&" {
				left = func(f *facts) bool { return a(f) && b(f) }
			} else {
				left = func(f *facts) bool { return a(f) || b(f) }
			}
		}
		return left
	}
	return n.test
}

// compileWhen compiles a condition against the attributes. The language is the part of Casbin's own (govaluate) that
// means the same in both:
//
//	or         = and { "||" and }
//	and        = not { "&&" not }
//	not        = [ "!" ] ( "(" or ")" | comparison )
//	comparison = term [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) term ]
//	           | attribute "in" "(" word "," word { "," word } ")"
//	           | word "in" ( "r.sub.Roles" | "r.env.Regions" )
//	term       = attribute | word | number | "true" | "false"
//	word       = "'" letters "'"
//
// What is negated is a truth by itself or stands in parentheses. Faults are misfits with the place in the text.
func compileWhen(text string, h hierarchy) (*node, error) {
	if text == "true" {
		return &node{test: always, end: len(text)}, nil
	}
	p := &parser{text: text, roles: h}
	p.next()
	n := p.or()
	if p.token != "" {
		p.fail(p.at, "found %s where && or || or the end was expected", p.token)
	}
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

// parser reads a condition by recursive descent. After a fault it sees nothing but the end of the text.
type parser struct {
	text  string
	roles hierarchy
	at    int    // where token starts
	end   int    // where it ends
	last  int    // where the token before it ended
	token string // empty at the end of the text
	err   error  // the first fault
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = misfitAt(at, format, args...)
	}
	p.at, p.end, p.token = len(p.text), len(p.text), ""
}

var comparisons = []string{"==", "!=", "<", "<=", ">", ">=", "in"}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
)

// next reads a token.
func (p *parser) next() {
	p.last = p.end
	rest := strings.TrimLeft(p.text[p.end:], " \t")
	p.at = len(p.text) - len(rest)
	n := 0
	switch {
	case rest == "":
	case rest[0] == '\'':
		n = strings.IndexByte(rest[1:], '\'') + 2
		if n < 2 {
			p.fail(p.at, "the word that starts here has no closing '")
			return
		}
	case strings.IndexByte(digits, rest[0]) >= 0:
		n = len(rest) - len(strings.TrimLeft(rest, digits+"."))
	case strings.IndexByte(letters, rest[0]) >= 0:
		n = len(rest) - len(strings.TrimLeft(rest, letters+digits+"."))
	case strings.IndexByte("(),", rest[0]) >= 0:
		n = 1
	default:
		// Casbin takes operators that touch for one, and does not know it.
		n = len(rest) - len(strings.TrimLeft(rest, "&|=!<>"))
		if !slices.Contains(comparisons, rest[:n]) && !slices.Contains([]string{"&&", "||", "!"}, rest[:n]) {
			found, _, _ := strings.Cut(rest, " ")
			p.fail(p.at, "cannot read %q; conditions are made of attributes, 'words', numbers and && || ! == != < <= > >= in ( ), operators apart", found)
			return
		}
	}
	p.end = p.at + n
	p.token = rest[:n]
}

// expect reads over a token that has to be there.
func (p *parser) expect(token string) {
	if p.token != token {
		p.fail(p.at, "expected %s, found %s", token, p.found())
		return
	}
	p.next()
}

func (p *parser) found() string {
	if p.token == "" {
		return "the end"
	}
	return p.token
}

func (p *parser) or() *node { return p.joined("||", p.and) }

func (p *parser) and() *node { return p.joined("&&", p.not) }

// joined reads parts with one operator between them.
func (p *parser) joined(operator string, part func() *node) *node {
	n := &node{join: operator, at: p.at}
	n.parts = append(n.parts, part())
	for p.token == operator {
		p.next()
		n.parts = append(n.parts, part())
	}
	if len(n.parts) == 1 {
		return n.parts[0]
	}
	n.end = p.last
	return n
}

func (p *parser) not() *node {
	n := &node{at: p.at}
	switch p.token {
	case "!":
		p.next()
		n.join = "!"
		if p.token == "(" {
			n.parts = []*node{p.not()}
			break
		}
		// Casbin binds ! closer than a comparison.
		t := p.term()
		if t.kind != truth || slices.Contains(comparisons, p.token) {
			p.fail(t.at, "put what ! negates in parentheses")
		}
		n.parts = []*node{{at: t.at, end: p.last, test: t.truth, terms: []term{t}}}
	case "(":
		p.next()
		n = p.or()
		p.expect(")")
		return n
	default:
		n.test, n.terms = p.comparison()
	}
	n.end = p.last
	return n
}

// term is one side of a comparison.
type term struct {
	attribute
	at      int
	source  string
	literal bool
	value   string // of a literal word
}

func (p *parser) term() term {
	t := term{at: p.at, source: p.token}
	known, isAttribute := attributes[p.token]
	switch {
	case isAttribute:
		t.attribute = known
	case p.token == "true" || p.token == "false":
		value := p.token == "true"
		t.attribute, t.literal = flags(func(*facts) bool { return value }), true
	case p.token == "":
		p.fail(p.at, "expected an attribute, a 'word' or a number, found the end")
	case p.token[0] == '\'':
		t.kind, t.literal, t.value = word, true, p.token[1:len(p.token)-1]
	case strings.IndexByte(digits, p.token[0]) >= 0:
		value, err := strconv.ParseFloat(p.token, 64)
		if err != nil {
			p.fail(p.at, "%s is no number", p.token)
		}
		t.attribute, t.literal = numbers(func(*facts) float64 { return value }), true
	case strings.IndexByte(letters, p.token[0]) >= 0:
		p.fail(p.at, "there is no attribute %s%s", p.token, hint(p.token, attributeNames))
	default:
		p.fail(p.at, "expected an attribute, a 'word' or a number, found %s", p.token)
	}
	p.next()
	return t
}

func (p *parser) comparison() (condition, []term) {
	left := p.term()
	operator, at := p.token, p.at
	switch operator {
	case "==", "!=":
		p.next()
		right := p.term()
		equal := p.equal(left, right)
		if operator == "!=" {
			return func(f *facts) bool { return !equal(f) }, []term{left, right}
		}
		return equal, []term{left, right}
	case "<", "<=", ">", ">=":
		p.next()
		right := p.term()
		return p.order(left, operator, right), []term{left, right}
	case "in":
		p.next()
		return p.in(left)
	}
	if left.kind != truth {
		p.fail(at, "%s is %s; expected a comparison after it, found %s", left.source, left.kind, p.found())
	}
	return left.truth, []term{left}
}

func (p *parser) equal(a, b term) condition {
	if a.literal && !b.literal {
		a, b = b, a
	}
	switch {
	case p.err != nil:
	case a.kind == identity && b.literal:
		p.fail(b.at, "%s is an id; it can be compared with another id only", a.source)
	case a.kind == roles || b.kind == roles:
		p.fail(b.at, "ask for a role as in 'admin' in r.sub.Roles")
	case a.kind == nameSet || b.kind == nameSet:
		p.fail(b.at, "ask for a name as in 'EU' in r.env.Regions")
	case a.kind != b.kind:
		p.fail(b.at, "%s is %s, %s is %s", a.source, a.kind, b.source, b.kind)
	case a.literal:
		p.fail(b.at, "nothing to compare: neither %s nor %s is an attribute", a.source, b.source)
	case a.kind == number:
		x, y := a.number, b.number
		return func(f *facts) bool { return x(f) == y(f) }
	case a.kind == truth:
		x, y := a.truth, b.truth
		return func(f *facts) bool { return x(f) == y(f) }
	case !b.literal:
		x, y := a.text, b.text
		return func(f *facts) bool { return x(f) == y(f) }
	default:
		p.checkWord(a, b.at, b.value)
		x, value := a.text, b.value
		return func(f *facts) bool { return x(f) == value }
	}
	return always
}

// checkWord refuses a word that the attribute never is.
func (p *parser) checkWord(a term, at int, value string) {
	if !slices.Contains(a.words, value) {
		p.fail(at, "%s is never '%s'; it is one of '%s'%s", a.source, value, strings.Join(a.words, "', '"), hint(value, a.words))
	}
}

func (p *parser) order(a term, operator string, b term) condition {
	for _, t := range []term{a, b} {
		if t.kind != number {
			p.fail(t.at, "%s compares numbers; %s is %s", operator, t.source, t.kind)
		}
	}
	if a.literal && b.literal {
		p.fail(a.at, "nothing to compare: neither %s nor %s is an attribute", a.source, b.source)
	}
	x, y := a.number, b.number
	switch operator {
	case "<":
		return func(f *facts) bool { return x(f) < y(f) }
	case "<=":
		return func(f *facts) bool { return x(f) <= y(f) }
	case ">":
		return func(f *facts) bool { return x(f) > y(f) }
	default:
		return func(f *facts) bool { return x(f) >= y(f) }
	}
}

// in reads what stands behind the word in.
func (p *parser) in(left term) (condition, []term) {
	if p.token != "(" {
		set := p.term()
		n, known := p.roles.number[left.value]
		switch {
		case p.err != nil:
		case set.kind != roles && set.kind != nameSet:
			p.fail(set.at, "expected a list such as ('a', 'b'), r.sub.Roles or another set after in, found %s", set.source)
		case left.kind != word || !left.literal:
			p.fail(left.at, "expected a word such as 'admin' before in %s, found %s", set.source, left.source)
		case set.kind == nameSet:
			return func(f *facts) bool { return slices.Contains(set.names(f), left.value) }, []term{left, set}
		case !known:
			p.fail(left.at, "no role is called %s%s", left.source, hint(left.value, p.roles.names()))
		}
		return func(f *facts) bool { return f.roles.has(n) }, []term{left, set}
	}
	if left.kind != word || left.literal {
		p.fail(left.at, "expected an attribute that is a word before in, found %s", left.source)
	}
	var list []string
	terms := []term{left}
	start := p.at
	for p.token == "(" || p.token == "," {
		p.next()
		item := p.term()
		switch {
		case p.err != nil:
		case item.kind != word || !item.literal:
			p.fail(item.at, "expected a 'word' in the list, found %s", item.source)
		default:
			p.checkWord(left, item.at, item.value)
		}
		list = append(list, item.value)
		terms = append(terms, item)
	}
	p.expect(")")
	if len(list) == 1 {
		p.fail(start, "a list of one is no list to Casbin: write %s == '%s'", left.source, list[0])
	}
	text := left.text
	return func(f *facts) bool { return slices.Contains(list, text(f)) }, terms
}
