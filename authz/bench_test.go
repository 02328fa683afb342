package authz

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// grown is company lines that bring a policy to a number of lines in force: copies of shipped lines that deny or review, for
// the roles of fifty other departments. Duties are left out: some are only for lines that grant.
func grown(t testing.TB, lines int) Layer {
	t.Helper()
	shipped := buildHouse(t).Rules()
	var b strings.Builder
	linked := map[string]bool{}
	n := lines - len(shipped)
	for dept := 1; n > 0; dept++ {
		for _, r := range shipped {
			if n == 0 || r.Effect == "allow" {
				continue
			}
			role := fmt.Sprintf("dept%d_%s", dept%50, r.Role)
			if !linked[role] {
				fmt.Fprintf(&b, "g, %s, department, *\n", role)
				linked[role] = true
			}
			fmt.Fprintf(&b, "p, dept%d.%d.%s, %s, %s, %s, %s, %q, %s, %s,\n", dept, r.Line, r.Name, r.Domain, role, r.Action, r.Target, r.When, r.Effect, r.By)
			n--
		}
	}
	return company(b.String())
}

const manyLines = 6000

// benchmarked is the requests that are measured.
var benchmarked = []struct {
	name string
	r    Request
}{
	{"allow", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: spam}},
	{"review", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 1_200_000)}},
	{"deny", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: superior}},
}

func BenchmarkDecide6000(b *testing.B) {
	e := buildHouse(b, grown(b, manyLines))
	for _, c := range benchmarked {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decide(b.Context(), c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuild6000(b *testing.B) {
	s := house(grown(b, manyLines))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(s); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocs: a decision keeps within its budget of allocations, which does not grow with the lines that it is not about.
func TestAllocs(t *testing.T) {
	small, large := buildHouse(t), buildHouse(t, grown(t, manyLines))
	if n := len(large.Rules()); n != manyLines {
		t.Fatalf("%d lines", n)
	}
	for _, c := range benchmarked {
		allocs := func(e *Engine) float64 {
			return testing.AllocsPerRun(100, func() {
				if _, err := e.Decide(t.Context(), c.r); err != nil {
					t.Fatal(err)
				}
			})
		}
		if a, b := allocs(small), allocs(large); a != b || b > 15 {
			t.Errorf("%s: %v allocations, with %d lines %v", c.name, a, manyLines, b)
		}
	}
}

// TestMemoryOfMembers: nothing is remembered of who asked, as Casbin's own role functions do.
func TestMemoryOfMembers(t *testing.T) {
	e := build(t)
	r := benchmarked[0].r
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 100_000 {
		r.Actor.ID = fmt.Sprintf("member-%d", i)
		if _, err := e.Decide(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if after := heap(); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d kB", before>>10, after>>10)
	}
	runtime.KeepAlive(e)
}
