// Command peers asks guanxi's engine and those of its peers the same question in one process, checks that they agree, and
// prints what a decision costs. See bench/README.md.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
)

const (
	platform = "wecom"
	granted  = "ALLOW or REVIEW" // of engines that know true and false only
	pairsMin = 512
	rounds   = 3
)

// A member of the company that the question is about.
type member struct {
	id, job, status string
	roles           []string
}

// A pair is the question: may a block b on WeCom?
type pair struct {
	a, b     *member
	relation string // where b stands to a in the reporting line
	shared   bool   // b owns a group that both are in
	internal bool   // colleagues may block each other, with a review
}

// expected is the answer in plain Go.
func (p *pair) expected() string {
	role := p.a.roles[0]
	switch {
	case p.relation != "", p.shared, p.a.id == p.b.id, p.a.status != "ACTIVE", role == "auditor":
		return "DENY"
	case p.internal:
		return "REVIEW"
	case role == "dept_manager" || role == "admin" || role == "super_admin":
		return "ALLOW"
	}
	return "DENY"
}

// pairs makes pairs of a thousand members, always the same.
func pairs(n int) (out []pair) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	var members []*member
	for i := range 1000 {
		members = append(members, &member{fmt.Sprintf("m-%04d", i), pick("SALES", "CUSTOMER_SERVICE", "IT", "GENERAL"),
			pick("ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "FROZEN"), []string{pick("employee", "employee", "dept_manager", "dept_manager", "admin", "super_admin", "hr", "auditor")}})
	}
	for range n {
		p := pair{a: members[r.IntN(1000)], b: members[r.IntN(1000)], relation: pick("", "", "", "", "", "", "superior", "subordinate"), shared: r.IntN(8) == 0, internal: r.IntN(3) == 0}
		if r.IntN(20) == 0 {
			p.b = p.a
		}
		out = append(out, p)
	}
	return out
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	var engines []engine
	for _, make := range []func() (engine, error){guanxi, cedarGo, opa, stock} {
		e, err := make()
		if err != nil {
			return err
		}
		engines = append(engines, e)
	}
	ps := pairs(4096)
	if err := agree(engines, ps); err != nil {
		return err
	}
	compare(engines, ps)
	return scale()
}

// agree checks that every engine answers every question as expected.
func agree(engines []engine, ps []pair) error {
	seen := map[string]int{}
	for i := range ps {
		want := ps[i].expected()
		seen[want]++
		for _, e := range engines {
			got := e.decide(&ps[i])
			if got != want && (got != granted || want == "DENY") {
				return fmt.Errorf("%s says %s where %s is expected: %+v %+v %+v", e.name, got, want, ps[i], *ps[i].a, *ps[i].b)
			}
		}
	}
	fmt.Printf("%d engines agree on %d pairs: %d ALLOW, %d REVIEW, %d DENY\n\n", len(engines), len(ps), seen["ALLOW"], seen["REVIEW"], seen["DENY"])
	if len(ps) < pairsMin || seen["ALLOW"] < 100 || seen["REVIEW"] < 100 || seen["DENY"] < 100 {
		return fmt.Errorf("the question has become too easy: %v", seen)
	}
	return nil
}

type cost struct {
	ns, allocs float64
	perSecond  float64 // on all cores
}

// measure runs f on one core and on all, in turn with others: the median of its rounds.
func measure(fs []func(i int)) []cost {
	all := make([][]cost, len(fs))
	for range rounds {
		for n, f := range fs {
			one := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					f(i)
				}
			})
			many := testing.Benchmark(func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						f(i)
					}
				})
			})
			all[n] = append(all[n], cost{float64(one.T.Nanoseconds()) / float64(one.N), float64(one.AllocsPerOp()), float64(many.N) / many.T.Seconds()})
		}
	}
	var out []cost
	median := func(cs []cost, of func(cost) float64) float64 {
		slices.SortFunc(cs, func(a, b cost) int { return int(1000 * (of(a) - of(b))) })
		return of(cs[len(cs)/2])
	}
	for _, cs := range all {
		out = append(out, cost{
			median(cs, func(c cost) float64 { return c.ns }), median(cs, func(c cost) float64 { return c.allocs }), median(cs, func(c cost) float64 { return c.perSecond }),
		})
	}
	return out
}

// compare prints what the question costs.
func compare(engines []engine, ps []pair) {
	var fs []func(i int)
	for _, e := range engines {
		fs = append(fs, func(i int) { e.decide(&ps[i%len(ps)]) })
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "ten rules, in process\tns/decision\tallocs\tdecisions/s on %d cores\tx guanxi's time\tgives\n", runtime.GOMAXPROCS(0))
	costs := measure(fs)
	for n, c := range costs {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.1f\t%s\n", engines[n].name, c.ns, c.allocs, c.perSecond, c.ns/costs[0].ns, engines[n].gives)
	}
	_ = w.Flush()
	fmt.Println()
}

// scale prints what the shipped policy costs, and one of six thousand lines.
func scale() error {
	shipped, err := authz.Build(sources(""))
	if err != nil {
		return err
	}
	const lines = 6000
	grown := company(shipped.Rules(), lines-len(shipped.Rules()), "")
	crowd := company(shipped.Rules(), lines-len(shipped.Rules()), authz.ActionBlock)
	var engines []*authz.Engine
	for _, s := range []string{"", grown, crowd} {
		e, err := authz.Build(sources(s))
		if err != nil {
			return err
		}
		engines = append(engines, e)
	}
	actor := authz.Actor{ID: "a", Roles: []string{"employee"}, Rank: 3, JobFunction: string(im.Sales), Status: "ACTIVE", Employment: "ACTIVE"}
	requests := []authz.Request{
		{Platform: platform, Action: authz.ActionBlock, Actor: actor, Object: authz.Object{Type: authz.TypeContact, ID: "b", Importance: "NORMAL"}},
		{Platform: platform, Action: authz.ActionBlock, Actor: actor, Object: authz.Object{Type: authz.TypeContact, ID: "b", Importance: "KEY", OpenValue: 1_200_000}},
		{Platform: platform, Action: authz.ActionBlock, Actor: actor, Object: authz.Object{Type: authz.TypeMember, ID: "b", Relation: authz.Superior}},
	}
	var fs []func(i int)
	for _, e := range engines {
		for _, r := range requests {
			fs = append(fs, func(int) {
				if _, err := e.Decide(context.Background(), r); err != nil {
					panic(err)
				}
			})
		}
	}
	costs := measure(fs)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "guanxi, by lines in force\tlines\tan allow: ns, allocs\ta review\ta deny\tbuild, ms\n")
	for n, name := range []string{"the shipped policy", "with rules for other departments", "all of them about this action"} {
		fmt.Fprintf(w, "%s\t%d\t", name, len(engines[n].Rules()))
		for _, c := range costs[n*len(requests):][:len(requests)] {
			fmt.Fprintf(w, "%.0f, %.0f\t", c.ns, c.allocs)
		}
		fmt.Fprintf(w, "%.1f\n", float64(building(sources([]string{"", grown, crowd}[n])).Microseconds())/1000)
	}
	return w.Flush()
}

// building is how long it takes to make an engine: the median of some times.
func building(s authz.Sources) time.Duration {
	var took []time.Duration
	for range 7 {
		began := time.Now()
		if _, err := authz.Build(s); err != nil {
			panic(err) // it was built before
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// sources is what the gateway decides by, with company lines.
func sources(lines string) authz.Sources {
	s := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, p := range adapters.All() {
		s.Platforms = append(s.Platforms, authz.Platform{Name: p.Platform, Organisation: p.Organisation})
		if p.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(p.Platform), Domain: p.Platform, Files: p.Rules})
		}
	}
	files := fstest.MapFS{}
	for i := 0; lines != ""; i++ { // a file holds a megabyte at the most
		part := lines[:min(len(lines), 1<<19)]
		part = part[:strings.LastIndexByte(part, '\n')+1]
		files[fmt.Sprintf("%02d.csv", i)] = &fstest.MapFile{Data: []byte(part)}
		lines = lines[len(part):]
	}
	s.Layers = authz.Shipped(append(more, authz.Layer{Name: authz.CompanyLayer, Files: fs.FS(files)})...)
	return s
}

// company makes company lines of those that are shipped: copies of what denies or reviews, for the roles of fifty other
// departments, but for duties, which may be only for lines that grant; with an action, only what is about it.
func company(shipped []authz.Rule, n int, action string) string {
	var b strings.Builder
	linked := map[string]bool{}
	for dept := 1; n > 0; dept++ {
		for _, r := range shipped {
			if n == 0 || r.Effect == "allow" || action != "" && r.Action != action {
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
	return b.String()
}
