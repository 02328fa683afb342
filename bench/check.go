package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
)

// question is one way to ask whether colleagues may reach the administrator.
type question struct {
	name     string
	distinct int // of so many different requests
	want     string
	request  func(w *world, token string, n int) ([]byte, error)
}

// checkedTogether is how many pairs one question of [contactChecks] is about.
const checkedTogether = 50

var questions = []question{
	{"contactCheck", 500, `"contactCheck":{`, func(w *world, token string, n int) ([]byte, error) {
		return aimed(token, `query Check($in: ContactCheckInput!) { contactCheck(input: $in) { allowed enforcement } }`, w.checkInput(n))
	}},
	{"contactChecks of 50", 40, `"contactChecks":[{`, func(w *world, token string, n int) ([]byte, error) {
		in := make([]map[string]string, checkedTogether)
		for i := range in {
			in[i] = w.checkInput(n*checkedTogether + i)
		}
		return aimed(token, `query Checks($in: [ContactCheckInput!]!) { contactChecks(inputs: $in) { allowed enforcement } }`, in)
	}},
	{"POST /v1/check", 500, `{"allowed":`, func(w *world, token string, n int) ([]byte, error) {
		body, err := json.Marshal(map[string]string{"workspace": w.workspaces()[0].Name, "from": w.member(w.checked(n)).AccountName,
			"to": w.member(administrator).AccountName, "channel": string(im.DirectMessage)})
		return posted("/v1/check", token, body), err
	}},
}

// checked is the number of the colleague whom the n-th question is about. One in two is somebody whom the administrator has blocked.
func (w *world) checked(n int) int {
	if n%2 == 0 {
		return w.blocked(administrator, n%3)
	}
	return 2 + int(scatter(uint64(n))%uint64(w.members-2))
}

func (w *world) checkInput(n int) map[string]string {
	return map[string]string{"fromId": nodeid.Encode(im.KindMember, memberRow.id(w.checked(n))), "toId": nodeid.Encode(im.KindMember, memberRow.id(administrator)),
		"channel": string(im.DirectMessage)}
}

func aimed(token, document string, in any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": map[string]any{"in": in}})
	return post(token, body), err
}

// place is one of the two companies, with the gateway that serves it.
type place struct {
	w        *world
	gateway  *process
	requests [][]byte
	asked    atomic.Int64 // so many
}

// checks measures contact checks among 10,000 and among a million relationships.
func checks(ctx context.Context, o options) error {
	var places []*place
	for _, members := range []int{10_000 / relationshipsEach, 1_000_000 / relationshipsEach} {
		w, err := newWorld(ctx, o.postgres, o.keep, members)
		if err != nil {
			return err
		}
		defer w.drop()
		profile := ""
		if o.profile != "" {
			profile = fmt.Sprintf("%s-%d", o.profile, members)
		}
		gateway, err := w.serve(ctx, profileVariable+"="+profile)
		if err != nil {
			return err
		}
		defer gateway.stop()
		places = append(places, &place{w: w, gateway: gateway})
	}
	fmt.Printf("Contact checks on %s: %d rounds of %gs each, both companies in turns of %s\n\n", places[0].w.db.describe(ctx), o.rounds, o.seconds, turn)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trelationships\tanswers\tp50\tp99\tp50 x the small one's (rounds)\tp99 x the small one's (rounds)\t")
	for _, q := range questions {
		if o.only != "" && o.only != q.name {
			continue
		}
		for _, p := range places {
			token, err := p.w.token(administrator)
			if err != nil {
				return err
			}
			p.requests = make([][]byte, q.distinct)
			for n := range p.requests {
				if p.requests[n], err = q.request(p.w, token, n); err != nil {
					return err
				}
			}
		}
		for _, c := range []int{1, 8} {
			if err := compare(ctx, t, o, q, c, places); err != nil {
				return err
			}
		}
	}
	return t.Flush()
}

// compare measures one question of both companies at one concurrency, and prints it.
func compare(ctx context.Context, t io.Writer, o options, q question, c int, places []*place) error {
	all := make([][]time.Duration, len(places)) // by place
	p50s, p99s := make([][]float64, len(places)), make([][]float64, len(places))
	for round := range o.rounds + 1 { // the first warms up
		took, err := inTurns(ctx, c, time.Duration(o.seconds*float64(time.Second)), places, []byte(q.want))
		if err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		for i, ts := range took {
			all[i] = append(all[i], ts...)
			p50s[i] = append(p50s[i], float64(share(ts, 50))/float64(share(took[0], 50)))
			p99s[i] = append(p99s[i], float64(share(ts, 99))/float64(share(took[0], 99)))
		}
	}
	for i, p := range places {
		fmt.Fprintf(t, "%s, c=%d\t%d\t%d\t%s\t%s\t", q.name, c, p.w.relationships(), len(all[i]), millis(share(all[i], 50)), millis(share(all[i], 99)))
		if i > 0 {
			fmt.Fprintf(t, "%.2f (%.2f–%.2f)\t%.2f (%.2f–%.2f)", float64(share(all[i], 50))/float64(share(all[0], 50)), slices.Min(p50s[i]), slices.Max(p50s[i]),
				float64(share(all[i], 99))/float64(share(all[0], 99)), slices.Min(p99s[i]), slices.Max(p99s[i]))
		} else {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprintln(t, "\t")
	}
	return nil
}

// share is the time within which so many percent of the answers came.
func share(took []time.Duration, percent int) time.Duration {
	s := slices.Sorted(slices.Values(took))
	return s[len(s)*percent/100]
}

// turn is how long one place is asked before it is the next one's turn: short beside what else a machine does.
const turn = 50 * time.Millisecond

// inTurns asks all places for a while, each by c clients at once that keep their connections, in turns, whose order is by chance: so
// what else the machine does meanwhile falls upon all of them, and none is asked while it is colder.
func inTurns(ctx context.Context, c int, during time.Duration, places []*place, want []byte) ([][]time.Duration, error) {
	clients := make([][]*client, len(places))
	for i, p := range places {
		for range c {
			caller, err := dial(ctx, p.gateway.addr)
			if err != nil {
				return nil, err
			}
			defer caller.close()
			clients[i] = append(clients[i], &client{caller: caller})
		}
	}
	for end := time.Now().Add(during); time.Now().Before(end) && ctx.Err() == nil; {
		for _, i := range rand.Perm(len(places)) {
			var all sync.WaitGroup
			until := time.Now().Add(turn)
			for _, x := range clients[i] {
				all.Go(func() { x.work(until, &places[i].asked, places[i].requests, want) })
			}
			all.Wait()
		}
	}
	out := make([][]time.Duration, len(places))
	for i := range clients {
		for _, x := range clients[i] {
			if x.err != nil {
				return nil, x.err
			}
			out[i] = append(out[i], x.took...)
		}
	}
	return out, ctx.Err()
}

// client asks one place.
type client struct {
	*caller
	took []time.Duration
	err  error
}

func (c *client) work(until time.Time, n *atomic.Int64, requests [][]byte, want []byte) {
	for c.err == nil && time.Now().Before(until) {
		var took time.Duration
		took, c.err = c.ask(requests[int(n.Add(1)-1)%len(requests)], want)
		c.took = append(c.took, took)
	}
}

// post is the HTTP request of a GraphQL request.
func post(token string, body []byte) []byte { return posted("/graphql", token, body) }

func posted(path, token string, body []byte) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		path, token, len(body), body)
}

// starts measures how long the built program takes from its start to its first ready answer, with the demo.
func starts(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "guanxi-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := build(ctx, dir)
	if err != nil {
		return err
	}
	var took []time.Duration
	var held []float64
	for range o.rounds {
		began := time.Now()
		p, err := startProgram(ctx, program, nil, "serve", "--demo", "--listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		for {
			body, err := ask(ctx, p.addr, []byte("GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n"))
			if err == nil && strings.HasPrefix(string(body), "ready") {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			time.Sleep(time.Millisecond)
		}
		took = append(took, time.Since(began))
		all, _ := p.memory()
		held = append(held, all)
		p.stop()
	}
	slices.Sort(took)
	slices.Sort(held)
	fmt.Printf("Start of the built demo to ready: %s (%s–%s of %d); it holds %.0f MiB then\n", millis(took[len(took)/2]), millis(took[0]), millis(took[len(took)-1]),
		len(took), median(held))
	return nil
}
