package gateway

import (
	"strings"
	"testing"
)

// Documents that differ in strings and comments alone have one shape.
func TestShape(t *testing.T) {
	one := shape(`{ member(accountName: "x") { name } }`)
	for _, same := range []string{`{ member(accountName: "y\"}") { name } }`, "# a\n{ member(accountName: \"\") { name } }", `{ member(accountName: """a "b" \""" c""") { name } }`} {
		if same = strings.TrimPrefix(same, "# a\n"); shape(same) != one {
			t.Errorf("%s has another shape", same)
		}
	}
	if shape("# a\n{ a } # b") != shape("# c\n{ a } # d") || shape("{ a }") == shape("{ b }") {
		t.Error("comments are part of a shape, or names are not")
	}
}

func FuzzShape(f *testing.F) {
	for _, s := range []string{`"`, `"\`, `"""`, `"""\"""`, "#", "#\r", `{ a(b: "c") }`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(shape(s)) != 16 {
			t.Error(s)
		}
	})
}
