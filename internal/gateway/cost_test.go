package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

func schema() *ast.Schema { return generated.NewExecutableSchema(generated.Config{}).Schema() }

func TestPrice(t *testing.T) {
	for query, want := range map[string]int{
		`{ changeCursor }`:     1,
		`{ viewer { roles } }`: 1,
		`{ viewer { member { name department { name } } } }`:                            3,
		`{ a: viewer { roles } b: viewer { roles } }`:                                   2,
		`{ members(first: 100) { nodes { name } } }`:                                    1 + 100,
		`{ members(last: 7) { nodes { name } } }`:                                       1 + 7,
		`{ members { nodes { name } } }`:                                                1 + 20,
		`{ members(first: 0) { nodes { name } } }`:                                      1,
		`{ members(first: 100000) { nodes { name } } }`:                                 1 + 100, // and the field refuses it
		`{ members(first: 100) { totalCount } }`:                                        1,
		`{ members(first: 100) { pageInfo { endCursor } } }`:                            1 + 1,
		`{ members(first: 10) { edges { node { name } } } }`:                            1 + 10,
		`{ members(first: 10) { edges { cursor } } }`:                                   1,
		`{ members(first: 10) { nodes { manager { name } } edges { node { name } } } }`: 1 + 10*2 + 10,
		`query($n: Int) { members(first: $n) { nodes { name } } }`:                      1 + 50,
		`query($x: Int = 30) { members(first: $x) { nodes { name } } }`:                 1 + 30,
		`{ members(first: 10) { ...M } } fragment M on MemberConnection { nodes { ...N } } fragment N on Member { department { name } }`: 1 + 10*2,
		`{ members(first: 10) { ... on MemberConnection { nodes { name } } } }`:                                                          1 + 10,
		`{ nodes(ids: ["a", "b", "c"]) { id } }`:                                                                                         3,
		`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`:                                                                                4,
		`{ workspaces { name } }`:                                              5,
		`{ __schema { types { name } } }`:                                      500,
		`{ __type(name: "Member") { fields { name } } }`:                       500,
		`mutation { cancelApproval(approvalId: "x") { userErrors { code } } }`: 1 + 5 + 10,
		`subscription { relationshipChanged { cursor } }`:                      1 + 10,
	} {
		doc, errs := gqlparser.LoadQueryWithRules(schema(), query, rules.NewDefaultRules())
		if errs != nil {
			t.Errorf("%s: %v", query, errs)
			continue
		}
		op := doc.Operations[0]
		given := map[string]any{"n": json.Number("50"), "x": json.Number("30"), "ids": []any{"a", "b", "c", "d"}}
		if got := price(schema(), op, given); got != want {
			t.Errorf("%s costs %d, not %d", query, got, want)
		}
	}
}

// Pages inside of pages multiply.
func TestPriceOfNestedPages(t *testing.T) {
	own := gqlparser.MustLoadSchema(&ast.Source{Input: `type Query { as(first: Int): AConnection } type AConnection { nodes: [A!]! edges: [AEdge] }
		type AEdge { node: A } type A { id: ID as(first: Int, last: Int): AConnection }`})
	for query, want := range map[string]int{
		`{ as(first: 10) { nodes { as(first: 10) { nodes { id } } } } }`:                                                             1 + 10*(1+1+10),
		`{ as(first: 10) { edges { node { as(last: 5) { edges { node { id } } } } } } }`:                                             1 + 10*(1+1+5),
		`{ as(first: 100) { nodes { as(first: 100) { nodes { as(first: 100) { nodes { as(first: 100) { nodes { id } } } } } } } } }`: 1 + 100*(2+100*(2+100*(2+100))),
	} {
		doc, errs := gqlparser.LoadQueryWithRules(own, query, rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(errs)
		}
		if got := price(own, doc.Operations[0], nil); got != want {
			t.Errorf("%s costs %d, not %d", query, got, want)
		}
	}
}

// Two to the thirtieth fields are counted, not walked, and do not overflow.
func TestPriceIsQuick(t *testing.T) {
	var b strings.Builder
	b.WriteString("{ viewer { member { ...F0 } } }")
	const levels = 30
	for i := range levels {
		fmt.Fprintf(&b, " fragment F%d on Member { manager { ...F%d } department { manager { ...F%d } } }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Member { id }", levels)
	doc, err := gqlparser.LoadQueryWithRules(schema(), b.String(), rules.NewDefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if got := price(schema(), doc.Operations[0], nil); got < 1<<30 {
		t.Errorf("costs %d", got)
	}
	if took := time.Since(began); took > 20*time.Millisecond {
		t.Errorf("took %s", took)
	}
	if got := times(costMost, costMost); got != costMost {
		t.Errorf("overflows: %d", got)
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	till := newTill(func() time.Time { return now })
	p := &payer{limit: Limit{Cost: 50, Capacity: 100, Restore: 10}, bucket: till.bucket("a"), now: till.now}
	for i, step := range []struct {
		cost, left int
		wait       time.Duration
		later      time.Duration
	}{
		{30, 70, 0, 0}, {70, 0, 0, 0}, {1, 0, 100 * time.Millisecond, time.Second}, {10, 0, 0, 500 * time.Millisecond},
		{10, 5, 500 * time.Millisecond, time.Hour}, {1, 99, 0, 0}, {1000, 99, 100 * time.Millisecond, time.Second}, {1000, 0, 0, 0},
	} {
		left, wait := p.draw(step.cost)
		if int(left) != step.left || wait != step.wait {
			t.Errorf("step %d: %v left, wait %s", i, left, wait)
		}
		now = now.Add(step.later)
	}
	if left, wait := (&payer{limit: Limit{Cost: 1}}).draw(1_000_000); wait != 0 || left < 1e6 {
		t.Errorf("without a capacity: %v %s", left, wait)
	}
	for i := range bucketsMax + 10 {
		till.bucket(fmt.Sprint(i))
	}
	if n := len(till.of); n > bucketsMax {
		t.Errorf("%d buckets", n)
	}
}

func TestLimits(t *testing.T) {
	l := Limits{Everyone: Limit{10, 100, 1}, Strangers: Limit{1, 1, 1},
		Roles: map[string]Limit{"auditor": {20, 50, 50}, "it": {5, 200, 2}, "service": {10, 0, 0}}}
	for roles, want := range map[string]Limit{
		"": {10, 100, 1}, "employee": {10, 100, 1}, "auditor": {20, 100, 1}, "it": {10, 200, 2}, "auditor it": {20, 200, 2}, "service it": {10, 0, 0},
	} {
		if got := l.of(&im.Viewer{Roles: strings.Fields(roles)}); got != want {
			t.Errorf("%q: %v, not %v", roles, got, want)
		}
	}
	if got := l.of(nil); got != l.Strangers {
		t.Errorf("a stranger: %v", got)
	}
}

func TestRecent(t *testing.T) {
	r := newRecent[int](10_000)
	for i := range 1000 {
		r.add(fmt.Sprint(i), i, 100)
		r.get("0") // used all the time
	}
	if _, ok := r.get("0"); !ok || r.bytes > r.most || len(r.by) != r.order.Len() || len(r.by) < 20 {
		t.Errorf("%d bytes, %d entries, %v", r.bytes, len(r.by), ok)
	}
	if _, ok := r.get("500"); ok {
		t.Error("what was long not used is remembered")
	}
	r.add("large", 1, 20_000)
	if r.bytes != 0 || len(r.by) != 0 {
		t.Errorf("one that is too large: %d bytes", r.bytes)
	}
}

func TestProxies(t *testing.T) {
	p := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct{ remote, forwarded, id, wantFrom, wantID string }{
		{"192.0.2.1:5", "", "", "192.0.2.1", ""},
		{"192.0.2.1:5", "198.51.100.7", "abc", "192.0.2.1", ""}, // nobody we know says so
		{"10.0.0.1:5", "198.51.100.7", "abc-1", "198.51.100.7", "abc-1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7", "a b", "198.51.100.7", ""}, // the client's own word is not taken
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.7, 10.9.9.9", strings.Repeat("a", 65), "198.51.100.7", ""},
		{"[::ffff:127.0.0.1]:5", "2001:db8::1", "\u7532", "2001:db8::1", ""},
		{"10.0.0.1:5", "unknown", "", "10.0.0.1", ""},
		{"10.0.0.1:5", "", "", "10.0.0.1", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		r.Header.Set("X-Request-Id", c.id)
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if from, id := p.from(r).String(), p.id(r); from != c.wantFrom || id != c.wantID {
			t.Errorf("%+v: from %s, id %q", c, from, id)
		}
	}
}

// What goes wrong on our side is INTERNAL: neither why nor where is told.
func TestInternal(t *testing.T) {
	var log strings.Builder
	viewer := im.Viewer{Member: im.Member{ID: im.NewIDs(time.Now).New(), Name: "甲"}}
	g, err := New(Options{
		Resolver:     &resolvers.Resolver{}, // its stream is nil
		Log:          slog.New(slog.NewTextHandler(&log, nil)),
		Stop:         t.Context(),
		Authenticate: func(context.Context, string) (im.Session, error) { return im.Session{Viewer: viewer}, nil },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ secretly: changeCursor }"}`))
	r.Header.Set("Content-Type", mediaJSON)
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	body := w.Body.String()
	if !strings.Contains(body, `"code":"INTERNAL"`) || strings.Contains(body, "nil pointer") || strings.Contains(body, "goroutine") {
		t.Errorf("%d %s", w.Code, body)
	}
	if id := w.Header().Get("X-Request-Id"); !strings.Contains(log.String(), "nil pointer") || !strings.Contains(log.String(), id) || !strings.Contains(body, id) {
		t.Errorf("request %s: the log has %s", id, log.String())
	}
}

// Executors agree where what one of them leaves out lies inside of what was taken away, and nowhere else.
func TestAlike(t *testing.T) {
	const data = `{"a":null,"b":{"c":[{"d":1},null]},"e":{"f":null}}`
	at := func(paths ...string) (out gqlerror.List) {
		for _, p := range paths {
			var path ast.Path
			for step := range strings.SplitSeq(p, ".") {
				if i, err := strconv.Atoi(step); err == nil {
					path = append(path, ast.PathIndex(i))
				} else {
					path = append(path, ast.PathName(step))
				}
			}
			out = append(out, &gqlerror.Error{Path: path})
		}
		return out
	}
	for _, c := range []struct {
		plans, all gqlerror.List
		want       bool
	}{
		{nil, nil, true},
		{at("e.f", "a.x.0.y"), at("a.x.0.y", "e.f"), true},
		{at("a.x.0.y"), at("a.x.0.y", "a.x.1.y"), true},
		{at("b.c.1.d"), at("b.c.1.d", "b.c.1.g"), true},
		{at("a"), at("a.x"), false}, // another place
		{nil, at("e.f"), false},     // its own value is null, and nothing around it
		{at("e.f"), nil, false},
		{at("e.f", "e.f"), at("e.f"), false},
		{at("a.x"), at("a.x", "b.c.0.d"), false},
		{at("a.x"), at("a.x", "z.y"), false},
	} {
		if got := alike([]byte(data), c.plans, c.all); got != c.want {
			t.Errorf("%v and %v: %t", c.plans, c.all, got)
		}
	}
}
