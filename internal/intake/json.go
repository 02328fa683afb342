package intake

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// parseObject reads a flat JSON object: texts, numbers, true, false, null, and lists of texts and numbers. Numbers stay
// as they are written. It is strict, and some ten times as fast as a decoder that knows nothing of its target.
func parseObject(s string) ([]Field, *fault.Error) {
	p := &scanner{s: s}
	var fields []Field
	p.space()
	if !p.take('{') {
		return nil, p.expected("{")
	}
	p.space()
	for !p.take('}') {
		if len(fields) > 0 {
			if !p.take(',') {
				return nil, p.expected(", }")
			}
			p.space()
		}
		name, ok := p.str()
		if !ok {
			return nil, p.expected("\"…\"")
		}
		for i := range fields {
			if fields[i].Name == name {
				return nil, fault.Input(name, "import_field_twice", cut(name, 40))
			}
		}
		p.space()
		if !p.take(':') {
			return nil, p.expected(":")
		}
		p.space()
		f := Field{Name: name}
		if p.take('[') {
			f.List = []string{}
			p.space()
			for !p.take(']') {
				if len(f.List) > 0 {
					if !p.take(',') {
						return nil, p.expected(", ]")
					}
					p.space()
				}
				e, null, ok := p.value()
				if !ok || null {
					return nil, p.expected("\"…\"")
				}
				f.List = append(f.List, e)
				p.space()
			}
		} else if f.Text, f.Null, ok = p.value(); !ok {
			return nil, p.expected("\"…\" 0 true false null []")
		}
		if fields = append(fields, f); len(fields) > MaxFields {
			return nil, fault.Input("", "too_many", strconv.Itoa(MaxFields), strconv.Itoa(len(fields)))
		}
		p.space()
	}
	p.space()
	if p.i != len(s) {
		return nil, p.expected("\\n")
	}
	return fields, nil
}

type scanner struct {
	s string
	i int
}

func (p *scanner) expected(what string) *fault.Error {
	if p.i >= len(p.s) {
		return fault.Input("", "import_json_end")
	}
	return fault.Input("", "import_json", strconv.Itoa(p.i+1), what, cut(p.s[p.i:], 12))
}

func (p *scanner) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *scanner) take(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// value reads anything but an object or a list.
func (p *scanner) value() (text string, null, ok bool) {
	if p.i < len(p.s) && p.s[p.i] == '"' {
		text, ok = p.str()
		return text, false, ok
	}
	begin := p.i
	for p.i < len(p.s) && strings.IndexByte(",]} \t\r\n", p.s[p.i]) < 0 {
		p.i++
	}
	text = p.s[begin:p.i]
	switch {
	case text == "null":
		return "", true, true
	case text == "true", text == "false":
		return text, false, true
	case text != "" && (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && json.Valid([]byte(text)):
		return text, false, true
	}
	p.i = begin
	return "", false, false
}

// str reads a text. Escapes are rare, and left to the standard library.
func (p *scanner) str() (string, bool) {
	if p.i >= len(p.s) || p.s[p.i] != '"' {
		return "", false
	}
	escaped := false
	for i := p.i + 1; i < len(p.s); i++ {
		switch c := p.s[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			p.i = i
			return "", false
		case c == '"':
			quoted := p.s[p.i : i+1]
			if !escaped {
				p.i = i + 1
				return quoted[1 : len(quoted)-1], true
			}
			var out string
			if json.Unmarshal([]byte(quoted), &out) != nil {
				return "", false
			}
			p.i = i + 1
			return out, true
		}
	}
	p.i = len(p.s)
	return "", false
}
