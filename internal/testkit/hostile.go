package testkit

import (
	"fmt"
	"strings"
)

// Hostile are documents that are made to keep a gateway busy or full. Each is refused before anything of it is worked out.
func Hostile() map[string]string {
	return map[string]string{
		"300 kB of one field":        "{" + strings.Repeat("changeCursor ", 25_000) + "}",
		"60 kB of one field":         "{" + strings.Repeat("a ", 30_000) + "}",
		"fields up to the limits":    "{viewer{member{" + strings.Repeat("id ", 3900) + "}}}",
		"deep nesting":               "{viewer{member" + Nest(12, "{manager", "{id}", "}") + "}}",
		"very deep nesting":          "{viewer" + Nest(1900, "{a", "", "}") + "}",
		"nesting beyond all":         "{viewer" + Nest(15_000, "{a", "", "}") + "}",
		"deep lists":                 "{node(id:" + Nest(1900, "[", "", "]") + "){id}}",
		"deep objects":               "{contactCheck(input:" + Nest(990, "{a:", "1", "}") + "){allowed}}",
		"deep inline fragments":      "{viewer{member" + Nest(990, "{...on Member", "{nothing}", "}") + "}}",
		"a flood of aliases":         "{" + Numbered(1000, "a%d:changeCursor ") + "}",
		"aliases above the limit":    "{viewer{member{" + Numbered(31, "a%d:name ") + "}}}",
		"a flood of root fields":     "{" + Numbered(21, "changeCursor @include(if:true) ") + "}",
		"a flood of directives":      "{changeCursor " + strings.Repeat("@include(if:true) ", 500) + "}",
		"a flood of operations":      Numbered(500, "query q%d{changeCursor} "),
		"a flood of fragments":       Numbered(200, "fragment f%d on Member{id} ") + "{changeCursor}",
		"a flood of variables":       "query(" + Numbered(900, "$v%d:Int ") + "){changeCursor}",
		"a flood of arguments":       "{members(" + Numbered(990, "a%d:1 ") + "){totalCount}}",
		"a flood of unknown types":   "query(" + Numbered(900, "$v%d:Membr ") + "){changeCursor}",
		"2³⁰ fields":                 FanOut(30),
		"2³⁰ fields, deeply":         fanOutDeeply(30, "viewer{member", "id}"),
		"2³⁰ fields of 40 fragments": FanOut(40),
		"a circle of fragments":      "{viewer{member{...a}}} fragment a on Member{manager{...b}} fragment b on Member{manager{...a}}",
		"a fragment in itself":       "{viewer{member{...a}}} fragment a on Member{...a}",
		"a flood of lists": "{members(first:100){nodes{manager{department{manager{department{manager{id}}}}}}} " +
			Numbered(25, "l%d:members(first:100){nodes{id}} ") + "}",
		"introspection in circles": "{__schema{types" + Nest(40, "{fields{type", "{name}", "}}") + "}}",
		"a flood of introspection": "{" + Numbered(19, "i%d:__schema{types{name fields{name args{name type{name}}}}} ") + "}",
		"a flood of faults":        "{" + Numbered(990, "x%d ") + "}",
		"faults in one field":      "{viewer{member{" + Numbered(990, "x%d ") + "}}}",
		"conflicts":                "{viewer{member{" + strings.Repeat("id:name id ", 15) + Numbered(900, "n%d ") + "}}}",
		"garbage":                  strings.Repeat("\x00\xff{", 3000),
		"quotes":                   strings.Repeat(`"`, 60_000),
		"a comment":                "#" + strings.Repeat("x", 60_000),
		"a number":                 "{members(first:" + strings.Repeat("9", 50_000) + "){totalCount}}",
	}
}

// FanOut is a document of n fragments each of which spreads the next one twice: 2ⁿ fields if they were written out.
func FanOut(n int) string {
	var b strings.Builder
	b.WriteString(`query{viewer{member{...f0}}}`)
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on Member{...f%d ...f%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on Member{id}", n)
	return b.String()
}

// fanOutDeeply is FanOut with fields between the fragments.
func fanOutDeeply(n int, root, leaf string) string {
	var b strings.Builder
	b.WriteString(`query{` + root + `{...f0}}`)
	for i := range n {
		fmt.Fprintf(&b, " fragment f%d on Member{manager{...f%d} department{manager{...f%d}}}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on Member{%s}", n, leaf)
	return b.String()
}

// Nest opens something n times and closes it as often.
func Nest(n int, open, middle, end string) string {
	return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
}

// Numbered is a text n times, with its number where it has a verb.
func Numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if strings.Contains(format, "%") {
			fmt.Fprintf(&b, format, i)
		} else {
			b.WriteString(format)
		}
	}
	return b.String()
}
