package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
)

const checkDocument = `query Check($in: ContactCheckInput!) { contactCheck(input: $in) { allowed enforcement } }`

// checkRequests ask whether colleagues of the administrator's may reach him. One in two asks about somebody whom he
// has blocked.
func (w *world) checkRequests() ([][]byte, error) {
	const distinct = 500
	token, err := w.token(administrator)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, distinct)
	for i := range out {
		from := 2 + int(scatter(uint64(i))%uint64(w.members-2))
		if i%2 == 0 {
			from = w.blocked(administrator, i%3)
		}
		body, err := json.Marshal(map[string]any{"query": checkDocument, "variables": map[string]any{"in": map[string]string{
			"fromId": nodeid.Encode(im.KindMember, memberRow.id(from)), "toId": nodeid.Encode(im.KindMember, memberRow.id(administrator)), "channel": "DIRECT_MESSAGE"}}})
		if err != nil {
			return nil, err
		}
		out[i] = post(token, body)
	}
	return out, nil
}

// checks measures contactCheck among 10,000 and among a million relationships, in turns.
func checks(ctx context.Context, o options) error {
	type place struct {
		w        *world
		gateway  *process
		requests [][]byte
		runs     map[int][]sample
	}
	var places []*place
	for _, members := range []int{10_000 / relationshipsEach, 1_000_000 / relationshipsEach} {
		w, err := newWorld(ctx, o.postgres, o.keep, members)
		if err != nil {
			return err
		}
		defer w.drop()
		gateway, err := w.serve(ctx)
		if err != nil {
			return err
		}
		defer gateway.stop()
		p := &place{w: w, gateway: gateway, runs: map[int][]sample{}}
		if p.requests, err = w.checkRequests(); err != nil {
			return err
		}
		places = append(places, p)
	}
	fmt.Printf("contactCheck on %s: %d rounds of %gs each, in turns\n\n", places[0].w.db.describe(ctx), o.rounds, o.seconds)
	at := []int{1, 8}
	for round := range o.rounds + 1 { // the first warms up
		for _, c := range at {
			for _, i := range rand.Perm(len(places)) {
				p := places[i]
				end := time.Now().Add(time.Duration(o.seconds * float64(time.Second)))
				out, err := load(ctx, p.gateway.addr, c, `"contactCheck":{`, func(n int) ([]byte, bool) { return p.requests[n%len(p.requests)], time.Now().Before(end) })
				if err != nil {
					return err
				}
				if round > 0 {
					p.runs[c] = append(p.runs[c], out)
				}
			}
		}
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trelationships\tchecks/s median (min–max)\tp50\tp99\tp99 of the rounds, median (min–max)\tp99 x the small one's\t")
	for _, c := range at {
		var small time.Duration
		for i, p := range places {
			rs, took := rates(p.runs[c]), times(p.runs[c])
			var each []time.Duration
			for _, r := range p.runs[c] {
				one := times([]sample{r})
				each = append(each, one[len(one)*99/100])
			}
			slices.Sort(each)
			p99, ratio := each[len(each)/2], ""
			if i == 0 {
				small = p99
			} else {
				ratio = fmt.Sprintf("%.2f", float64(p99)/float64(small))
			}
			fmt.Fprintf(t, "c=%d\t%d\t%.0f (%.0f–%.0f)\t%s\t%s\t%s (%s–%s)\t%s\t\n", c, p.w.relationships(), median(rs), rs[0], rs[len(rs)-1],
				millis(took[len(took)/2]), millis(took[len(took)*99/100]), millis(p99), millis(each[0]), millis(each[len(each)-1]), ratio)
		}
	}
	return t.Flush()
}

// post is the HTTP request of a GraphQL request.
func post(token string, body []byte) []byte {
	return fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
		token, len(body), body)
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
