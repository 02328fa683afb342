package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/gateway"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/live"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/resolvers"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// TestMain runs the servers that the commands start as processes of their own: in a test this program is the test's.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	m.Run()
}

// TestReads runs the command on a small company: both sides give the same data, on both databases.
func TestReads(t *testing.T) {
	for _, server := range servers(t) {
		o := options{postgres: server, members: 300, rounds: 1, seconds: 0.05}
		if err := reads(t.Context(), o); err != nil {
			t.Error(err)
		}
	}
}

// servers are the databases of tests: SQLite, and PostgreSQL where there is one.
func servers(t *testing.T) []string {
	t.Helper()
	if url := os.Getenv("GUANXI_TEST_POSTGRES"); url != "" {
		return []string{"", url}
	}
	return []string{""}
}

// BenchmarkBlock is one block through the GraphQL handler on SQLite, in process and without the sealer: what a request
// allocates, from its token to its JSON. The times hold a commit each, so compare allocations.
func BenchmarkBlock(b *testing.B) {
	block := blocker(b)
	b.ReportAllocs()
	for b.Loop() {
		block()
	}
}

// blocker has each call block somebody whom nobody of the two has blocked before.
func blocker(t testing.TB) func() {
	t.Helper()
	store, err := db.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "bench.db"), db.Options{Master: envelope.Demo(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := handler(t, store, identity.Demo(time.Now))
	people := newPeople()
	native := settle(t, store, people)
	k := 0
	return func() {
		from, to := people[k%len(people)], people[(k%len(people)+1+k/len(people))%len(people)]
		k++
		var q q4Request
		q.Query = q4Document
		q.Variables.Input = q4Input{TargetID: nodeid.Encode(im.KindMember, to.id), Kind: "BLOCK",
			WorkspaceIDs: []string{nodeid.Encode(im.KindWorkspace, native)}, Reason: "消息太多"}
		body, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if got := asked(h, from.token, body); !bytes.Contains(got, []byte(`"state":"ACTIVE"`)) {
			t.Fatalf("%s", got)
		}
	}
}

// asked sends one request into a handler, and answers what came back.
func asked(h http.Handler, token string, body []byte) []byte {
	r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.Bytes()
}

// handler puts a gateway together as the program does, without its background work.
func handler(b testing.TB, store *db.Store, trust identity.Options) http.Handler {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	if err := store.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	catalogue := platform.NewCatalogue(adapters.All())
	src := authz.Sources{Duties: blocking.Duties()}
	var layers []authz.Layer
	for _, p := range catalogue.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: p.Name, Organisation: p.Organisation})
		if p.Rules != nil {
			layers = append(layers, authz.Layer{Name: authz.PlatformLayer(p.Name), Domain: p.Name, Files: p.Rules})
		}
	}
	src.Layers = authz.Shipped(layers...)
	policy, err := authz.Build(src)
	if err != nil {
		b.Fatal(err)
	}
	who := identity.New(store, policy, trust)
	nowhere, err := platform.Connect(catalogue, nil, nil, adapters.Env{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	block := blocking.New(store, blocking.Options{Policy: policy, Platforms: nowhere, Viewer: who.Viewer, Now: time.Now, IDs: im.NewIDs(time.Now),
		Currency: "CNY", Wake: func() {}, Deliver: func(context.Context, []im.Intent) {}})
	g, err := gateway.New(gateway.Options{
		Resolver: &resolvers.Resolver{Sources: view.Sources{Directory: directory.New(store), Blocking: block, Audit: store, Platforms: nowhere, Waiting: store.Waiting, Services: store.Services, Keys: identity.NewKeys(store, identity.KeysOptions{})},
			Hub: live.New(store, log), Again: who.Again},
		Authenticate: who.Authenticate, AuthenticateKey: who.AuthenticateKey, Again: who.Again, Watch: who.Watch, Ready: store.Ping, Log: log, Stop: context.Background(),
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// settle writes the people into the store, in the demo's company, and answers the workspace native.
func settle(b testing.TB, store *db.Store, p people) im.ID {
	b.Helper()
	ids := im.NewIDs(time.Now)
	o := demo.Company(ids, time.Now())
	native := o.Workspaces[0]
	for i, x := range p {
		o.Members = append(o.Members, im.Member{ID: x.id, Name: "测试" + x.account, SortKey: x.account, EmployeeNo: x.account, AccountName: x.account,
			Rank: 3, Roles: []string{"employee"}, JobFunction: im.General, Region: "CN", DepartmentID: o.Departments[i%len(o.Departments)].ID, Employment: im.Employed})
		o.Accounts = append(o.Accounts, im.Account{ID: ids.New(), MemberID: x.id, WorkspaceID: native.ID, Kind: im.HumanAccount, PlatformID: x.account,
			Status: im.AccountActive, StatusScope: im.FullScope})
	}
	if err := store.SeedDemo(b.Context(), o); err != nil {
		b.Fatal(err)
	}
	return native.ID
}
