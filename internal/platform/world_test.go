package platform_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/memory"
	_ "github.com/guanxi-im/guanxi/adapters/native"
	_ "github.com/guanxi-im/guanxi/adapters/wecom"
	"github.com/guanxi-im/guanxi/adapters/wecom/sim"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// The platform in memory is offered as an integrator's would be. Its workspaces name their world.
var (
	worlds sync.Map // of memory, by name
	opened sync.Map // the adapter that was opened last, by the name of its world
)

func init() {
	adapters.Register(memory.New("", nil, nil, nil).Open("", nil).Describe())
	adapters.Offer(adapters.Info{Platform: "memory",
		Options: []adapters.Option{{Name: "world", Help: "the world's name", Required: true}, {Name: "secret", Default: secret, Secret: true}},
		Open: func(cfg map[string]string, env adapters.Env) (adapters.Adapter, error) {
			w, _ := worlds.Load(cfg["world"])
			if w == nil {
				w = memory.New(secret, nil, nil, nil)
			}
			a := w.(*memory.World).Open(cfg["secret"], env.Log)
			opened.Store(cfg["world"], a)
			return a, nil
		}})
}

const secret = "s3cr3t"

var discard = slog.New(slog.DiscardHandler)

// clock is the gateway's time, which passes when it is told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// wire is what lies between gateway and platform. It can be cut, and counts what gets through.
type wire struct {
	mu     sync.Mutex
	sent   map[string]int // requests, by path
	cut    func()         // where it is set, each request comes to it, and to nobody else
	breaks string         // at the answer to a request with this path
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	cut, breaks := w.cut, w.breaks == r.URL.Path
	if cut == nil {
		w.sent[r.URL.Path]++
	}
	if breaks {
		w.cut = func() {}
	}
	w.mu.Unlock()
	if cut != nil {
		cut()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && breaks {
		return nil, errors.Join(res.Body.Close(), io.ErrUnexpectedEOF)
	}
	return res, err
}

// breakAt has the wire break when the answer to a request comes.
func (w *wire) breakAt(path string) { w.mu.Lock(); defer w.mu.Unlock(); w.breaks = path }

// mend has it whole again.
func (w *wire) mend() { w.mu.Lock(); defer w.mu.Unlock(); w.cut, w.breaks = nil, "" }

// setCut cuts it.
func (w *wire) setCut(cut func()) { w.mu.Lock(); defer w.mu.Unlock(); w.cut = cut }

func (w *wire) count(path string) int { w.mu.Lock(); defer w.mu.Unlock(); return w.sent[path] }

// customer is a contact: whose it is, and who follows it. Each who does has put a tag on it that is named for him, and
// one that all have in common; and a remark, but for those contacts that are nameless.
type customer struct{ id, owner, follows string }

// people are the members of the company; each has an account of that name.
var people = []string{"an", "bo", "ci", "di"}

const (
	shared   = "共同"
	nameless = "nameless"
)

// world is a gateway's platforms over a real store, with a workspace on one platform that is really there.
type world struct {
	*db.Store
	t           testing.TB
	dsn         string
	clock       *clock
	ids         *im.IDs
	co          directory.Snapshot
	workspace   im.Workspace
	settings    map[string]map[string]string
	budgets     []adapters.Budget
	wire        *wire
	memory      *memory.World
	sim         *httptest.Server
	look        adapters.BlacklistReader // the platform as it is
	connections *platform.Connections
	courier     *platform.Courier
	newest      map[im.ID]im.Intent // by relationship
}

// newWorld makes a world on an empty database. Budgets take the place of those that the platform publishes.
func newWorld(t testing.TB, dsn, on string, customers []customer, budgets ...adapters.Budget) *world {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)}
	w := &world{t: t, dsn: dsn, clock: c, ids: im.NewIDs(c.now), budgets: budgets, wire: &wire{sent: map[string]int{}},
		newest: map[im.ID]im.Intent{}}
	w.Store = w.open()
	w.found(on, customers)
	must(t, w.SeedDemo(t.Context(), w.co))
	options := w.memoryOf(customers)
	if on == "wecom" {
		options = w.wecomOf(customers)
	}
	w.settings = map[string]map[string]string{w.workspace.Name: options}
	env := adapters.Env{HTTP: &http.Client{}, Log: discard, Now: time.Now}
	look, err := adapters.Open(on, options, env)
	must(t, err)
	t.Cleanup(func() { _ = look.Close() })
	w.look = look.(adapters.BlacklistReader)
	w.connections, w.courier = w.connect(w.Store)
	return w
}

// open opens the database as one more replica does.
func (w *world) open() *db.Store {
	w.t.Helper()
	s, err := db.Open(w.t.Context(), w.dsn, db.Options{Master: envelope.Demo(), Now: w.clock.now})
	must(w.t, err)
	w.t.Cleanup(func() { _ = s.Close() })
	_, err = s.Migrate(w.t.Context())
	must(w.t, err)
	must(w.t, s.Start(w.t.Context()))
	return s
}

// connect connects the workspace as one more replica does.
func (w *world) connect(s *db.Store) (*platform.Connections, *platform.Courier) {
	w.t.Helper()
	ds := adapters.All()
	for i := range ds {
		if len(w.budgets) > 0 {
			ds[i].Budgets = w.budgets
		}
	}
	c, err := platform.Connect(platform.NewCatalogue(ds), w.co.Workspaces, w.settings,
		adapters.Env{HTTP: &http.Client{Transport: w.wire}, Log: discard, Now: w.clock.now}, s)
	must(w.t, err)
	w.t.Cleanup(func() { _ = c.Close() })
	return c, platform.NewCourier(platform.CourierOptions{Store: s, Connections: c, Log: discard, Now: w.clock.now, IDs: w.ids, Wake: func() {}})
}

// found fills the directory.
func (w *world) found(on string, customers []customer) {
	w.workspace = im.Workspace{ID: w.ids.New(), Name: "hq", Platform: on, Region: "CN", TimeZone: "Asia/Shanghai", CustomerContact: true}
	root := im.Department{ID: w.ids.New(), Name: "root", SortKey: "root"}
	root.Path = root.ID.String() + "/"
	w.co = directory.Snapshot{Workspaces: []im.Workspace{w.workspace}, Departments: []im.Department{root}}
	for _, p := range people {
		m := im.Member{ID: w.ids.New(), Name: p, SortKey: p, EmployeeNo: p, AccountName: p, JobFunction: im.Sales, DepartmentID: root.ID, Employment: im.Employed}
		w.co.Members = append(w.co.Members, m)
		w.co.Accounts = append(w.co.Accounts, im.Account{ID: w.ids.New(), MemberID: m.ID, WorkspaceID: w.workspace.ID, Kind: im.HumanAccount,
			PlatformID: p, Status: im.AccountActive, StatusScope: im.FullScope})
	}
	for _, c := range customers {
		x := im.ExternalContact{ID: w.ids.New(), WorkspaceID: w.workspace.ID, PlatformID: c.id, Name: c.id, SortKey: c.id, Importance: im.NormalContact,
			Status: im.ContactActive, OwnerID: w.member(c.owner)}
		for _, p := range strings.Fields(c.follows) {
			w.co.Follows = append(w.co.Follows, im.Follow{ContactID: x.ID, MemberID: w.member(p), Since: w.clock.now(), Source: p})
			x.Tags = append(x.Tags, p)
		}
		if len(x.Tags) > 0 {
			x.Tags = append(x.Tags, shared)
		}
		w.co.Contacts = append(w.co.Contacts, x)
	}
}

// member is a person's id; nobody's is none.
func (w *world) member(name string) im.ID {
	if i := slices.IndexFunc(w.co.Members, func(m im.Member) bool { return m.AccountName == name }); i >= 0 {
		return w.co.Members[i].ID
	}
	return im.ID{}
}

func (w *world) contact(id string) im.ExternalContact {
	return w.co.Contacts[slices.IndexFunc(w.co.Contacts, func(x im.ExternalContact) bool { return x.PlatformID == id })]
}

// memoryOf puts the company into a world of package memory, and answers the options that reach it.
func (w *world) memoryOf(customers []customer) map[string]string {
	tag := func(name string) adapters.Tag { return adapters.Tag{ID: adapters.TagID("t-" + name), Name: name} }
	var cs []adapters.Contact
	for _, c := range customers {
		x := adapters.Contact{ID: adapters.ContactID(c.id), Name: c.id}
		for _, p := range strings.Fields(c.follows) {
			x.Follows = append(x.Follows, adapters.Follow{Member: adapters.MemberID(p), Remark: "for " + p, Tags: []adapters.Tag{tag(p), tag(shared)}})
		}
		cs = append(cs, x)
	}
	w.memory = memory.New(secret, nil, nil, cs)
	worlds.Store(w.t.Name(), w.memory)
	return map[string]string{"world": w.t.Name()}
}

// wecomOf puts the company on a simulated WeCom, and answers the options that reach it.
func (w *world) wecomOf(customers []customer) map[string]string {
	w.t.Helper()
	seed := sim.Seed{CorpID: "ww", Apps: []sim.App{{Name: "app", Secret: secret, CustomerContact: true}},
		Departments: []sim.Department{{ID: 1, Name: "root"}}, TagGroups: []sim.TagGroup{{ID: "g", Name: "tags", Tags: []sim.Tag{{ID: "t-" + shared, Name: shared}}}}}
	for _, p := range people {
		seed.Members = append(seed.Members, sim.Member{UserID: p, Name: p, Departments: []int64{1}, CustomerContact: true})
		seed.TagGroups[0].Tags = append(seed.TagGroups[0].Tags, sim.Tag{ID: "t-" + p, Name: p})
	}
	for _, c := range customers {
		x := sim.Contact{ExternalUserID: c.id, Name: c.id, Type: sim.WeComUser, CorpName: "corp"}
		for _, p := range strings.Fields(c.follows) {
			remark := "for " + p
			if c.id == nameless {
				remark = ""
			}
			x.Follows = append(x.Follows, sim.Follow{UserID: p, Remark: remark, CreateTime: w.clock.now().Unix(), Tags: []string{"t-" + p, "t-" + shared}})
		}
		seed.Contacts = append(seed.Contacts, x)
	}
	s, err := sim.Open(seed, sim.Options{})
	must(w.t, err)
	w.sim = httptest.NewServer(s)
	w.t.Cleanup(func() { w.sim.CloseClientConnections(); w.sim.Close(); _ = s.Close() })
	return map[string]string{"base_url": w.sim.URL, "corp_id": "ww", "secret": secret}
}

// plays has the simulator play faults, or its people do something.
func (w *world) plays(what, body string) {
	w.t.Helper()
	res, err := http.Post(w.sim.URL+"/_sim/"+what, "application/json", strings.NewReader(body))
	must(w.t, err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %s", what, body, res.Status)
	}
}

// blacklists is a blacklisting in effect that somebody has just made, with the intent to carry it out.
func (w *world) blacklists(who, contact string, scope im.RelationshipScope) im.Relationship {
	w.t.Helper()
	now := w.clock.now()
	r := im.Relationship{ID: w.ids.New(), WorkspaceID: w.workspace.ID, Kind: im.Blacklist, State: im.Active, Version: 1, Scope: scope, Source: im.FromAPI,
		InitiatorID: w.member(who), Target: w.contact(contact).Ref(), CreatedAt: now, EffectiveAt: now, Enforcement: im.EnforcedNative, DecisionID: w.ids.New()}
	must(w.t, w.Post(w.t.Context(), ledger.Unit{Relationships: []im.Relationship{r}, Intents: []im.Intent{w.intent(im.IntentBlacklist, r)}}))
	return r
}

// ends is the end of a blacklisting in one of the ways in which it may.
func (w *world) ends(r im.Relationship, way string) im.Relationship {
	w.t.Helper()
	r.State, r.EndedAt = map[string]im.RelationshipState{im.IntentLift: im.Lifted, im.IntentUndo: im.Undone, im.IntentExpire: im.Expired}[way], w.clock.now()
	r.Version++
	must(w.t, w.Post(w.t.Context(), ledger.Unit{Steps: []im.Relationship{r}, Intents: []im.Intent{w.intent(way, r)}}))
	return r
}

func (w *world) intent(kind string, r im.Relationship) im.Intent {
	i := im.Intent{ID: w.ids.New(), Key: kind + ":" + r.ID.String(), Kind: kind, WorkspaceID: r.WorkspaceID, Subject: im.Ref{Kind: im.KindRelationship, ID: r.ID},
		TargetID: r.Target.ID, State: im.DeliveryPending, CreatedAt: w.clock.now(), NextTryAt: w.clock.now()}
	w.newest[r.ID] = i
	return i
}

// intents are the newest of relationships, as a command hands them over.
func (w *world) intents(rs ...im.Relationship) (out []im.Intent) {
	for _, r := range rs {
		out = append(out, w.newest[r.ID])
	}
	return out
}

// flush delivers all that is due.
func (w *world) flush() {
	w.t.Helper()
	must(w.t, w.courier.Flush(w.t.Context()))
}

// delivery is what became of the newest intent of a relationship.
func (w *world) delivery(r im.Relationship) im.Delivery {
	w.t.Helper()
	ds, err := w.Deliveries(context.Background(), []im.ID{r.ID})
	must(w.t, err)
	return ds[r.ID]
}

// sides are the members who follow a contact on the platform: on whose blacklist it is, and else with which tags.
func (w *world) sides(contact string) string {
	w.t.Helper()
	var out []string
	for _, p := range people {
		s, err := w.look.Blacklisted(w.t.Context(), adapters.MemberID(p), adapters.ContactID(contact))
		if adapters.CodeOf(err) == adapters.NotFound {
			continue
		}
		must(w.t, err)
		var tags []string
		for _, t := range s.Snapshot.Tags {
			tags = append(tags, t.Name)
		}
		slices.Sort(tags)
		text := p + "[" + strings.Join(tags, " ") + "]"
		if s.Listed {
			text = p + " listed"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// tags are those that our own record of a contact shows.
func (w *world) tags(contact string) string {
	w.t.Helper()
	id := w.contact(contact).ID
	cs, err := w.Contacts(w.t.Context(), im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindContact: {im.ScopeAll}}}, []im.ID{id})
	must(w.t, err)
	return strings.Join(cs[id].Tags, " ")
}

// trail is what the trail tells of a relationship, the newest first.
func (w *world) trail(r im.Relationship) string {
	w.t.Helper()
	res, err := w.ListEvents(w.t.Context(), im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindAudit: {im.ScopeAll}}}, audit.Filter{SubjectID: r.ID},
		page.Request{Order: audit.Newest, Size: 100})
	must(w.t, err)
	var out []string
	for _, e := range res.Nodes {
		out = append(out, e.Action+" of "+e.SubjectName+": "+string(e.Detail))
	}
	return strings.Join(out, ", ")
}

// due reports whether anything is to be delivered at a moment.
func (w *world) due(at time.Time) bool {
	w.t.Helper()
	ws, err := w.WorkspacesDue(w.t.Context(), at)
	must(w.t, err)
	return len(ws) > 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect compares what came with what should have.
func expect[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
