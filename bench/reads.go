package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// shape is a query that the two sides answer alike.
type shape struct {
	name string
	what string
	// operation names it to the ideal, which reads no documents.
	operation, document string
	asker               int // the member who asks
	distinct            int // of so many different requests
	// argument is the n-th request's: an id, or a cursor.
	argument func(c company, n int) string
	// key is the id in it, as SQL takes it.
	key func(c company, n int) im.ID
}

const (
	deep = 40_000 // rows before the page of Q3
	// pages and events that requests differ in
	manyIDs, manyPages = 1000, 40
)

// atRest is how long the gateway is left alone before what memory it then holds is looked at: it gives back what only a load needs.
const atRest = 15 * time.Second

var shapes = []shape{
	{name: "Q1", what: "one member by id, with the department's name", asker: colleague, distinct: manyIDs, operation: "Q1",
		document: `($at: ID!) { member(id: $at) { id name employeeNo department { name } } }`,
		key:      func(c company, n int) im.ID { return memberRow.id(int(scatter(uint64(n)) % uint64(c.members))) },
		argument: func(c company, n int) string {
			return nodeid.Encode(im.KindMember, memberRow.id(int(scatter(uint64(n))%uint64(c.members))))
		}},
	{name: "Q2", what: "50 members with department, manager, three blocks of each and their targets' names", asker: administrator, distinct: manyPages, operation: "Q2",
		document: `($at: String) { members(first: 50, after: $at) { nodes { id name department { name } manager { name }
			relationships(first: 3, filter: {kinds: [BLOCK]}) { nodes { id target { __typename ... on Member { name } ... on ExternalContact { name } } } } }
			pageInfo { endCursor hasNextPage } } }`,
		key: func(c company, n int) im.ID { return memberRow.id(n * 53 % (c.members - 60)) },
		argument: func(c company, n int) string {
			return page.Encode(directory.MembersByID, page.Position{ID: memberRow.id(n * 53 % (c.members - 60))})
		}},
	trail("Q3", "50 events of the trail, from row 40,000 on", deep, plain),
	trail("Q3 at 0", "the same from row 0 on", 0, plain),
	trail("Q3 names", "from row 40,000 on with three sealed texts each, which both sides have to open", deep, plain+" actorName subjectName detail"),
}

// plain are the fields of an event that do not lie sealed.
const plain = "id at action outcome decisionId requestId sequence"

func trail(name, what string, from int, fields string) shape {
	row := func(c company, n int) im.ID {
		return eventRow.id(c.events() - 1 - min(from, c.events()/2) - 50*n%(c.events()/4))
	}
	return shape{name: name, what: what, asker: chief, distinct: manyPages, operation: strings.ReplaceAll(strings.ReplaceAll(name, " ", ""), "at0", ""),
		document: `($at: String) { auditEvents(first: 50, after: $at) { nodes { ` + fields + ` } pageInfo { endCursor hasNextPage } } }`,
		key:      row, argument: func(c company, n int) string { return page.Encode(audit.Newest, page.Position{ID: row(c, n)}) }}
}

// body is that of the n-th request.
func (s shape) body(c company, n int) ([]byte, error) {
	return json.Marshal(map[string]any{"query": "query " + s.operation + s.document, "operationName": s.operation, "variables": map[string]string{"at": s.argument(c, n)}})
}

// requests are the different HTTP requests of a shape.
func (s shape) requests(w *world) ([][]byte, error) {
	token, err := w.token(s.asker)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, s.distinct)
	for i := range out {
		body, err := s.body(w.company, i)
		if err != nil {
			return nil, err
		}
		out[i] = post(token, body)
	}
	return out, nil
}

// measured is what was seen of one shape at one concurrency.
type measured struct {
	ideal, gateway []sample
	step, pgbench  []float64 // of the ideal without HTTP and JSON, and transactions of pgbench, a second
}

// reads measures the shapes of reads.
func reads(ctx context.Context, o options) error {
	w, err := newWorld(ctx, o.postgres, o.keep, o.members)
	if err != nil {
		return err
	}
	defer w.drop()
	return w.reads(ctx, o)
}

func (w *world) reads(ctx context.Context, o options) error {
	gateway, err := w.serve(ctx, profileVariable+"="+o.profile)
	if err != nil {
		return err
	}
	defer gateway.stop()
	ideal, err := start(ctx, nil, "ideal-reads", "--db", w.db.url, "--keyset", w.file("keyset.json"))
	if err != nil {
		return err
	}
	defer ideal.stop()
	fmt.Printf("Reads of %d members on %s: %d rounds of %gs a side, in turns; %d cores, %s, client and database on the same machine\n\n",
		w.members, w.db.describe(ctx), o.rounds, o.seconds, runtime.NumCPU(), runtime.Version())

	requests := make(map[string][][]byte)
	for _, s := range o.chosen() {
		if requests[s.name], err = s.requests(w); err != nil {
			return err
		}
		size, err := agree(ctx, requests[s.name], gateway, ideal)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("%-9s %s (%d bytes)\n", s.name, s.what, size)
	}
	runs := make(map[string]map[int]*measured)
	for round := range o.rounds + 1 { // the first warms up
		for _, s := range o.chosen() {
			if runs[s.name] == nil {
				runs[s.name] = map[int]*measured{1: {}, 32: {}}
			}
			for _, c := range concurrencies {
				if err := w.measure(ctx, o, s, c, requests[s.name], gateway, ideal, runs[s.name][c], round == 0); err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
			}
		}
	}
	fmt.Println()
	readsTable(o.chosen(), runs)
	all, own := gateway.memory()
	fmt.Printf("\nThe gateway holds %.0f MiB after the run (%.0f MiB of its own, the rest are files)", all, own)
	time.Sleep(atRest)
	all, own = gateway.memory()
	fmt.Printf(",\nand %.0f MiB (%.0f) when it has been at rest for %s.\n", all, own, atRest)
	return nil
}

// measure runs both sides once, in an order by chance, and then the database alone.
func (w *world) measure(ctx context.Context, o options, s shape, c int, requests [][]byte, gateway, ideal *process, into *measured, warm bool) error {
	d := time.Duration(o.seconds * float64(time.Second))
	if warm {
		d /= 4
	}
	sides := []struct {
		p    *process
		into *[]sample
	}{{gateway, &into.gateway}, {ideal, &into.ideal}}
	for _, i := range rand.Perm(len(sides)) {
		side := sides[i]
		end, before, first := time.Now().Add(d), side.p.cpu(), rand.IntN(len(requests))
		out, err := load(ctx, side.p.addr, c, `"data":{`, func(n int) ([]byte, bool) {
			return requests[(first+n)%len(requests)], time.Now().Before(end)
		})
		if err != nil {
			return err
		}
		out.cpu = side.p.cpu() - before
		if !warm {
			*side.into = append(*side.into, out)
		}
	}
	if warm || d < time.Second { // pgbench counts in seconds
		return nil
	}
	tps, err := w.pgbench(ctx, s, c, d)
	if err != nil || tps == 0 {
		return err
	}
	alone, err := w.step(ctx, s, c, d)
	into.pgbench, into.step = append(into.pgbench, tps), append(into.step, alone)
	return err
}

// step is what the ideal does without HTTP and JSON, as many at once as pgbench.
func (w *world) step(ctx context.Context, s shape, c int, d time.Duration) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, self, "step", "--db", w.db.url, "--keyset", w.file("keyset.json"), "--shape", s.operation, "--at", s.argument(w.company, 1),
		"--clients", strconv.Itoa(min(c, poolSize)), "--time", d.String()).Output()
	if err != nil {
		return 0, fmt.Errorf("step: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// agree holds both sides to the same data for every request, and answers how many bytes it has.
func agree(ctx context.Context, requests [][]byte, gateway, ideal *process) (size int, err error) {
	for _, r := range requests[:min(len(requests), 20)] {
		var data [2]any
		for i, p := range []*process{gateway, ideal} {
			body, err := ask(ctx, p.addr, r)
			if err != nil {
				return 0, err
			}
			var a struct {
				Data   any
				Errors []any
			}
			if err := json.Unmarshal(body, &a); err != nil || len(a.Errors) > 0 {
				return 0, errors.Join(err, fmt.Errorf("%s", body))
			}
			data[i], size = a.Data, len(body)
		}
		if !reflect.DeepEqual(data[0], data[1]) {
			return 0, fmt.Errorf("the sides do not agree:\ngateway: %.2000v\nideal:   %.2000v", fmt.Sprint(data[0]), fmt.Sprint(data[1]))
		}
	}
	return size, nil
}

// ask sends one request.
func ask(ctx context.Context, addr string, request []byte) ([]byte, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}

func readsTable(ss []shape, runs map[string]map[int]*measured) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tideal req/s\tits step x pgbench\tgateway req/s (min–max)\tp50\tp99\tCPU/request\tideal's\tx ideal (rounds, min–max)\t")
	for _, s := range ss {
		for _, c := range concurrencies {
			r := runs[s.name][c]
			limit, rs := rates(r.ideal), rates(r.gateway)
			each := make([]float64, len(r.gateway))
			for i := range each {
				each[i] = r.gateway[i].rate() / r.ideal[i].rate()
			}
			slices.Sort(each)
			of := ""
			if len(r.pgbench) > 0 {
				slices.Sort(r.pgbench)
				slices.Sort(r.step)
				of = fmt.Sprintf("%.2f", median(r.step)/median(r.pgbench))
			}
			took := times(r.gateway)
			fmt.Fprintf(w, "%s c=%d\t%.0f\t%s\t%.0f (%.0f–%.0f)\t%s\t%s\t%s\t%s\t%.2f (%.2f–%.2f)\t\n", s.name, c, median(limit), of, median(rs), rs[0], rs[len(rs)-1],
				millis(took[len(took)/2]), millis(took[len(took)*99/100]), millis(cpuEach(r.gateway, sample.ofServer)), millis(cpuEach(r.ideal, sample.ofServer)), median(each), each[0], each[len(each)-1])
		}
	}
	_ = w.Flush()
}

// pgbench is what the database alone does with the SQL of the ideal; zero where there is no such thing.
func (w *world) pgbench(ctx context.Context, s shape, c int, d time.Duration) (float64, error) {
	if _, lite := w.db.sqlite(); lite {
		return 0, nil
	}
	script := new(bytes.Buffer)
	texts := idealReads[s.operation].postgres
	if len(texts) > 1 {
		fmt.Fprintln(script, `\startpipeline`)
	}
	for _, t := range texts {
		fmt.Fprintln(script, oneLine(t)+";")
	}
	if len(texts) > 1 {
		fmt.Fprintln(script, `\endpipeline`)
	}
	return pgbench(ctx, w.db.url, script.Bytes(), s.key(w.company, 1).String(), c, d)
}
