package nodeid

import (
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

func TestRoundTrip(t *testing.T) {
	id := im.NewIDs(time.Now).New()
	seen := map[string]bool{}
	for k := range prefixes {
		s := Encode(k, id)
		if len(s) != size || seen[s] {
			t.Errorf("Encode(%s) = %q", k, s)
		}
		seen[s] = true
		if got, ok := Decode(s); !ok || got != (im.Ref{Kind: k, ID: id}) {
			t.Errorf("Decode(%q) = %v, %v", s, got, ok)
		}
	}
	if Encode(im.KindMember, im.ID{}) != "" {
		t.Error("the zero id has no text")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("mem_01hzy0000000000000000000000")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if r, ok := Decode(s); ok {
			if again, ok := Decode(Of(r)); !ok || again != r {
				t.Errorf("%q is %v, which does not come back", s, r)
			}
		}
	})
}
