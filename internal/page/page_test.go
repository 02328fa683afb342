package page

import (
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

func TestCursorRoundTrip(t *testing.T) {
	id := im.NewIDs(time.Now).New()
	for _, p := range []Position{{ID: id}, {Key: "wang fang|王芳", ID: id}} {
		got, err := Decode("members.name", Encode("members.name", p))
		if err != nil || got != p {
			t.Errorf("Decode(Encode(%v)) = %v, %v", p, got, err)
		}
		if _, err := Decode("members.id", Encode("members.name", p)); !fault.Is(err, fault.BadUserInput) {
			t.Errorf("a cursor of another list: %v, want BAD_USER_INPUT", err)
		}
	}
}

func TestParse(t *testing.T) {
	n := func(i int) *int { return &i }
	s := func(s string) *string { return &s }
	good := Encode("o", Position{Key: "k"})
	for _, c := range []struct {
		name string
		args Args
		ok   bool
	}{
		{"nothing", Args{}, true},
		{"zero", Args{First: n(0)}, true},
		{"most", Args{Last: n(100)}, true},
		{"one too many", Args{First: n(101)}, false},
		{"negative", Args{Last: n(-1)}, false},
		{"both ways", Args{First: n(1), Last: n(1)}, false},
		{"first and before", Args{First: n(1), Before: s(good)}, false},
		{"cursor", Args{First: n(1), After: s(good)}, true},
		{"no cursor of ours", Args{After: s("abc")}, false},
		{"empty cursor", Args{After: s("")}, false},
	} {
		if _, err := Parse("o", c.args, false); (err == nil) != c.ok || err != nil && !fault.Is(err, fault.BadUserInput) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode("o", Position{Key: "k"}))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Decode("o", s)
		if err == nil && Encode("o", p) != s {
			// base64 has one spelling for each byte string but for trailing bits, which the decoder ignores.
			if q, err := Decode("o", Encode("o", p)); err != nil || q != p {
				t.Errorf("%q decodes to %v, which does not come back", s, p)
			}
		}
	})
}
