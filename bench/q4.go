package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Q4 is a block and everything that must be durable with it, in one transaction.
const q4Document = `mutation Block($input: BlockInput!) { block(input: $input) {
  results { relationship { id state version enforcement createdAt reason } decision { id outcome } }
  userErrors { code message } } }`

// q4Answer is its answer, as the ideal gives it too.
type q4Answer struct {
	Data struct {
		Block struct {
			Results    []q4Result `json:"results"`
			UserErrors []struct{} `json:"userErrors"`
		} `json:"block"`
	} `json:"data"`
}

type q4Result struct {
	Relationship struct {
		ID          string    `json:"id"`
		State       string    `json:"state"`
		Version     int       `json:"version"`
		Enforcement string    `json:"enforcement"`
		CreatedAt   time.Time `json:"createdAt"`
		Reason      string    `json:"reason"`
	} `json:"relationship"`
	Decision struct {
		ID      string `json:"id"`
		Outcome string `json:"outcome"`
	} `json:"decision"`
}

// q4Request is its request.
type q4Request struct {
	Query     string `json:"query"`
	Variables struct {
		Input q4Input `json:"input"`
	} `json:"variables"`
}

type q4Input struct {
	TargetID     string   `json:"targetId"`
	Kind         string   `json:"kind"`
	WorkspaceIDs []string `json:"workspaceIds"`
	Reason       string   `json:"reason"`
}

// q4Tables are what a block writes. A data key is made for a person of whom there is none; the warm-up makes them all.
var q4Tables = []string{"decisions", "relationships", "audit_events", "changes", "intents", "data_keys"}

// side is one of the two that are measured.
type side struct {
	name   string
	db     *database
	server *process
	next   int // pair to be blocked
	runs   map[int][]sample
	done   int // blocks answered while measured
	before map[string]int
}

var concurrencies = []int{1, 32}

// q4 measures a durable block.
func q4(ctx context.Context, o options) error {
	people := newPeople()
	sides := []*side{{name: "gateway"}, {name: "ideal"}}
	for _, s := range sides {
		s.runs = map[int][]sample{}
		var err error
		if s.db, err = newDatabase(ctx, o.postgres); err != nil {
			return err
		}
		defer s.db.drop()
		if err := s.db.settle(ctx, people); err != nil {
			return err
		}
	}
	gateway, ideal := sides[0], sides[1]
	var err error
	if gateway.server, err = start(ctx, []string{profileVariable + "=" + o.profile}, "gateway", "--demo", "--listen", "127.0.0.1:0", "--log-level", "warn", "--db", gateway.db.url); err != nil {
		return err
	}
	defer gateway.server.stop()
	if err := gateway.warm(ctx, people); err != nil {
		return err
	}
	// The ideal writes rows like those that the gateway wrote in its warm-up.
	if ideal.server, err = start(ctx, nil, "ideal", "--db", ideal.db.url, "--like", gateway.db.url); err != nil {
		return err
	}
	defer ideal.server.stop()
	if err := ideal.warm(ctx, people); err != nil {
		return err
	}
	for _, s := range sides {
		if s.before, err = s.db.count(ctx); err != nil {
			return err
		}
	}
	fmt.Printf("Q4, a durable block on %s: %d rounds of %gs a side; %d cores, %s, client and database on the same machine\n\n",
		gateway.db.describe(ctx), o.rounds, o.seconds, runtime.NumCPU(), runtime.Version())
	for range o.rounds {
		for _, c := range concurrencies {
			for _, i := range rand.Perm(len(sides)) {
				if err := sides[i].measure(ctx, people, c, time.Duration(o.seconds*float64(time.Second))); err != nil {
					return fmt.Errorf("%s: %w", sides[i].name, err)
				}
			}
		}
	}
	table(gateway, ideal)
	return check(ctx, sides)
}

// warm blocks everybody once by somebody: connections, plans, caches and data keys are there when it is measured.
func (s *side) warm(ctx context.Context, p people) error {
	_, err := s.drive(ctx, p, 8, func(n int) bool { return n < len(p) })
	return err
}

func (s *side) measure(ctx context.Context, p people, c int, d time.Duration) error {
	end := time.Now().Add(d)
	cpu, database := s.server.cpu(), s.db.cpu(ctx)
	out, err := s.drive(ctx, p, c, func(int) bool { return time.Now().Before(end) })
	out.cpu, out.database = s.server.cpu()-cpu, s.db.cpu(ctx)-database
	s.runs[c] = append(s.runs[c], out)
	s.done += len(out.took)
	return err
}

// drive sends blocks of pairs that were not blocked before, c at a time.
func (s *side) drive(ctx context.Context, p people, c int, more func(int) bool) (sample, error) {
	first := s.next
	out, err := load(ctx, s.server.addr, c, `"state":"ACTIVE"`, func(n int) ([]byte, bool) {
		k := first + n
		if k >= len(p)*(len(p)-1) || !more(n) {
			return nil, false
		}
		from := k % len(p)
		return p[from].request(p[(from+1+k/len(p))%len(p)], s.db.native), true
	})
	s.next += len(out.took) + c // those that were begun and given up are not asked for again
	return out, err
}

// table prints the comparison.
func table(gateway, ideal *side) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\treq/s median (min–max)\tp50\tp99\tCPU/block\tPostgreSQL's\tx ideal (rounds, min–max)\t")
	for _, c := range concurrencies {
		limit := rates(ideal.runs[c])
		for _, s := range []*side{ideal, gateway} {
			rs := rates(s.runs[c])
			took := times(s.runs[c])
			ratio := ""
			if s == gateway {
				each := make([]float64, len(rs))
				for i := range rs {
					each[i] = s.runs[c][i].rate() / ideal.runs[c][i].rate()
				}
				slices.Sort(each)
				ratio = fmt.Sprintf("%.2f (%.2f–%.2f)", median(rs)/median(limit), each[0], each[len(each)-1])
			}
			fmt.Fprintf(w, "%s c=%d\t%.0f (%.0f–%.0f)\t%s\t%s\t%s\t%s\t%s\t\n", s.name, c, median(rs), rs[0], rs[len(rs)-1],
				millis(took[len(took)/2]), millis(took[len(took)*99/100]), millis(cpuEach(s.runs[c], sample.ofServer)), millis(cpuEach(s.runs[c], sample.ofDatabase)), ratio)
		}
	}
	_ = w.Flush()
}

// times are how long the requests of some runs took, sorted.
func times(runs []sample) (out []time.Duration) {
	for _, r := range runs {
		out = append(out, r.took...)
	}
	slices.Sort(out)
	return out
}

// cpuEach is the CPU time of one for one request.
func cpuEach(runs []sample, of func(sample) time.Duration) (d time.Duration) {
	n := 0
	for _, r := range runs {
		d += of(r)
		n += len(r.took)
	}
	return d / time.Duration(max(n, 1))
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func rates(runs []sample) []float64 {
	out := make([]float64, len(runs))
	for i, r := range runs {
		out[i] = r.rate()
	}
	slices.Sort(out)
	return out
}

func median(sorted []float64) float64 { return sorted[len(sorted)/2] }

// check proves that both wrote what they answered: the same number of each kind of row for each block, in a trail that is linked
// from end to end, with changes that are all numbered.
func check(ctx context.Context, sides []*side) error {
	fmt.Println("\nrows written for each block that was answered:")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tblocks\t"+strings.Join(q4Tables, "\t")+"\t")
	var errs []error
	for _, s := range sides {
		after, err := s.db.count(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%d\t", s.name, s.done)
		for _, t := range q4Tables {
			n := after[t] - s.before[t]
			fmt.Fprintf(w, "%.3f\t", float64(n)/float64(s.done))
			if want := map[bool]int{true: 0, false: s.done}[t == "data_keys"]; n != want {
				errs = append(errs, fmt.Errorf("%s wrote %d rows of %s for %d blocks, want %d", s.name, n, t, s.done, want))
			}
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	for _, s := range sides {
		if err := s.db.sealed(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	fmt.Println("\nBoth have linked their trail and numbered their changes. The gateway authenticates, reads the facts, decides and seals texts besides;\nthe ideal only writes.")
	return errors.Join(errs...)
}

// person is a colleague on native.
type person struct {
	id      im.ID
	account string
	token   string
}

// people is enough of them for a new pair in each request: n·(n−1).
type people []person

const peopleCount = 2000

func newPeople() people {
	ids := im.NewIDs(time.Now)
	trust := identity.Demo(time.Now)
	out := make(people, peopleCount)
	for i := range out {
		p := person{id: ids.New(), account: fmt.Sprintf("bench%04d", i)}
		p.token, _ = identity.Token(trust, p.account, 12*time.Hour) // HS256 signs with any secret
		out[i] = p
	}
	return out
}

// request is the HTTP request by which a person blocks another. X-Initiator tells the ideal who asks, as it reads no
// tokens.
func (p person) request(target person, workspace im.ID) []byte {
	var q q4Request
	q.Query = q4Document
	q.Variables.Input = q4Input{TargetID: nodeid.Encode(im.KindMember, target.id), Kind: "BLOCK",
		WorkspaceIDs: []string{nodeid.Encode(im.KindWorkspace, workspace)}, Reason: "消息太多，暂时不想收到"}
	body, _ := json.Marshal(q) // strings always marshal
	return fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nX-Initiator: %s\r\nContent-Length: %d\r\n\r\n%s",
		p.token, nodeid.Encode(im.KindMember, p.id), len(body), body)
}
