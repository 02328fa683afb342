package blocking_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	_ "github.com/guanxi-im/guanxi/adapters/all"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// play is the service on a store, and people who give commands at random.
type play struct {
	t     *testing.T
	now   time.Time
	store *db.Store
	block *blocking.Service
	who   *identity.Service
	co    directory.Snapshot
	raw   *sql.DB
	rnd   *rand.Rand
	model model
}

func newPlay(t *testing.T, seed uint64) *play {
	t.Helper()
	p := &play{t: t, now: time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC), rnd: rand.New(rand.NewPCG(seed, 1)),
		model: model{rels: map[im.ID]*rel{}, approvals: map[im.ID]*approval{}}}
	clock := func() time.Time { return p.now }
	dsn := testkit.SQLite(t)
	s, err := db.Open(t.Context(), dsn, db.Options{Master: envelope.Demo(), Now: clock})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.Migrate(t.Context())
	must(t, err)
	must(t, s.Start(t.Context()))
	ids := im.NewIDs(clock)
	p.co = demo.Company(ids, p.now)
	must(t, s.SeedDemo(t.Context(), p.co))
	p.raw, err = sql.Open("sqlite", "file:"+dsn[len("sqlite:"):]+"?mode=ro")
	must(t, err)
	t.Cleanup(func() { _ = p.raw.Close() })

	platforms := platform.NewCatalogue(adapters.All())
	src := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, x := range platforms.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: x.Name, Organisation: x.Organisation})
		if x.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(x.Name), Domain: x.Name, Files: x.Rules})
		}
	}
	src.Layers = authz.Shipped(more...)
	policy, err := authz.Build(src)
	must(t, err)
	nowhere, err := platform.Connect(platforms, nil, nil, adapters.Env{}, nil)
	must(t, err)
	p.store = s
	p.who = identity.New(s, policy, identity.Demo(clock))
	p.block = blocking.New(s, blocking.Options{Policy: policy, Platforms: nowhere, Viewer: p.who.Viewer, Now: clock, IDs: ids, Currency: "CNY",
		Wake: func() {}, Deliver: func(context.Context, []im.Intent) {}})
	return p
}

// model is what must be true, as states alone. What policy says it takes from the service; what follows, it knows.
type model struct {
	rels      map[im.ID]*rel
	approvals map[im.ID]*approval
}

type rel struct {
	pair    string
	state   im.RelationshipState
	version int
	expires time.Time
	cools   time.Time // staged: until then
}

type approval struct {
	about   im.ID
	lift    bool
	state   im.ApprovalState
	expires time.Time
}

func (r *rel) to(s im.RelationshipState) { r.state, r.version = s, r.version+1 }

// settle ends what waits on a relationship.
func (m model) settle(about im.ID, to im.ApprovalState) {
	for _, a := range m.approvals {
		if a.about == about && a.state == im.ApprovalPending {
			a.state = to
		}
	}
}

// made takes a new relationship up; an expired one of the pair has made room for it.
func (m model) made(p blocking.Part, now time.Time) {
	r := p.Relationship
	pair := fmt.Sprint(r.InitiatorID, r.Target.ID, r.WorkspaceID)
	m.expire(now, func(id im.ID, x *rel) bool { return x.pair == pair })
	m.rels[r.ID] = &rel{pair: pair, version: 1, expires: r.ExpiresAt}
	if m.rels[r.ID].begin(p.Decision, now); p.Decision.Outcome == im.Review {
		m.rels[r.ID].state = im.PendingApproval
	}
}

// begin puts what may be into effect, or into its cool-down.
func (r *rel) begin(d im.Decision, now time.Time) {
	r.state = im.Active
	if wait := d.Obligations.AtLeast(authz.DutyCooldown); wait > 0 {
		r.state, r.cools = im.Staged, now.Add(wait)
	}
}

func (m model) asked(a *im.Approval, lift bool) {
	if a != nil {
		m.approvals[a.ID] = &approval{about: a.Subject.ID, lift: lift, state: im.ApprovalPending, expires: a.ExpiresAt}
	}
}

// expire ends the relationships, of those that are meant, whose time ran out.
func (m model) expire(now time.Time, meant func(im.ID, *rel) bool) {
	for id, r := range m.rels {
		if meant(id, r) && r.state.Live() && !r.expires.IsZero() && !now.Before(r.expires) {
			r.to(im.Expired)
			m.settle(id, im.ApprovalExpired)
		}
	}
}

// sweep ends everything whose time ran out, and puts into effect what has cooled down: nobody's rights change in a play.
func (m model) sweep(now time.Time) {
	m.expire(now, func(im.ID, *rel) bool { return true })
	for _, r := range m.rels {
		if r.state == im.Staged && !now.Before(r.cools) {
			r.to(im.Active)
		}
	}
	for _, a := range m.approvals {
		if a.state == im.ApprovalPending && !now.Before(a.expires) {
			a.state = im.ApprovalExpired
			if r := m.rels[a.about]; r.state == im.PendingApproval {
				r.to(im.Rejected)
			}
		}
	}
}

// decided follows a verdict or the taking back of a request, once the service took it.
func (m model) decided(after im.Approval, final im.Decision, now time.Time) {
	a := m.approvals[after.ID]
	r := m.rels[a.about]
	a.state = after.State
	allowed := final.Outcome != im.Deny
	switch waits := r.state == im.PendingApproval; {
	case a.state == im.ApprovalApproved && a.lift && allowed:
		r.to(im.Lifted)
	case a.state == im.ApprovalApproved && waits && allowed:
		r.begin(final, now)
		r.version++
	case a.state == im.ApprovalCancelled && waits:
		r.to(im.Cancelled)
	case a.state != im.ApprovalPending && waits:
		r.to(im.Rejected)
	}
}

// step gives one command by somebody, or lets time pass, and tells the model what came of it.
func (p *play) step() {
	ctx := context.Background()
	people := demo.Personas()
	v, err := p.who.Viewer(ctx, p.co.Members[p.rnd.IntN(len(people))].ID)
	must(p.t, err)
	c := blocking.Call{Viewer: v}
	switch n := p.rnd.IntN(10); {
	case n < 4:
		target := p.co.Members[p.rnd.IntN(8)].Ref()
		if p.rnd.IntN(2) == 0 {
			target = p.co.Contacts[p.rnd.IntN(6)].Ref()
			if o := p.co.Contacts[slices.IndexFunc(p.co.Contacts, func(x im.ExternalContact) bool { return x.ID == target.ID })].OwnerID; p.rnd.IntN(3) > 0 {
				c.Viewer, err = p.who.Viewer(ctx, o)
				must(p.t, err)
			}
		}
		in := blocking.BlockInput{Target: target, Kind: im.Block, Source: im.FromAPI, Reason: "r"}
		if p.rnd.IntN(3) == 0 {
			in.ExpiresAt = p.now.Add(time.Duration(1+p.rnd.IntN(100)) * time.Hour)
		}
		res, err := p.block.Block(ctx, c, in)
		must(p.t, err)
		for _, part := range res.Parts {
			if part.Relationship != nil {
				p.model.made(part, p.now)
				p.model.asked(part.Approval, false)
			}
		}
	case n < 6 && len(p.model.rels) > 0:
		id := anyKey(p.rnd, p.model.rels)
		res, err := p.block.Lift(ctx, c, blocking.EndInput{RelationshipID: id, Reason: "r"})
		must(p.t, err)
		r := p.model.rels[id]
		switch {
		case len(res.Faults) > 0:
		case res.Parts[0].Approval != nil:
			p.model.asked(res.Parts[0].Approval, true)
		case r.state == im.Active:
			r.to(im.Lifted)
			p.model.settle(id, im.ApprovalCancelled)
		default:
			r.to(im.Cancelled)
			p.model.settle(id, im.ApprovalCancelled)
		}
	case n < 9 && len(p.model.approvals) > 0:
		in := blocking.VerdictInput{ApprovalID: anyKey(p.rnd, p.model.approvals), Approve: p.rnd.IntN(3) > 0}
		do := p.block.DecideApproval
		if p.rnd.IntN(6) == 0 {
			do = p.block.CancelApproval
		}
		res, err := do(ctx, c, in)
		must(p.t, err)
		if len(res.Faults) == 0 {
			after := *res.Parts[0].Approval
			var final im.Decision
			if !after.FinalDecisionID.IsZero() {
				ds, err := p.store.Decisions(ctx, []im.ID{after.FinalDecisionID})
				must(p.t, err)
				final = ds[after.FinalDecisionID]
			}
			p.model.decided(after, final, p.now)
		} else if res.Faults[0].Key == "approval_void" {
			p.t.Fatal("nothing changes what was asked for, and yet an approval is void")
		}
	default:
		p.now = p.now.Add(time.Duration(p.rnd.IntN(30)) * time.Hour)
		if p.rnd.IntN(2) == 0 {
			_, err := p.block.RunDue(ctx)
			must(p.t, err)
			p.model.sweep(p.now)
		}
	}
}

func anyKey[V any](rnd *rand.Rand, m map[im.ID]V) im.ID {
	var keys []im.ID
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b im.ID) int { return slices.Compare(a[:], b[:]) })
	return keys[rnd.IntN(len(keys))]
}

// invariants are held to after each step: by rows, whatever the model thinks.
var invariants = map[string]string{
	"two live ones of a pair": `select count(*) from (select 1 from relationships where state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL')
		group by initiator_id, target_id, workspace_id, kind having count(*) > 1)`,
	"a version without its change": `select count(*) from relationships r where version <> (select count(*) from changes c where c.kind = 'relationship' and c.subject_id = r.id)`,
	"a change that does not follow from another": `select count(*) from changes c where c.kind = 'relationship' and previous_state is not null and not exists (select 1 from changes b
		where b.subject_id = c.subject_id and b.snapshot ->> 'Version' = c.snapshot ->> 'Version' - 1 and b.snapshot ->> 'State' = c.previous_state)`,
	"a pending relationship without an approval that waits": `select count(*) from relationships r where state = 'PENDING_APPROVAL' and
		(select count(*) from approvals a where a.subject_id = r.id and a.state = 'PENDING') <> 1`,
	"an approval that waits on what ended": `select count(*) from approvals a join relationships r on r.id = a.subject_id
		where a.state = 'PENDING' and r.state not in ('PENDING_APPROVAL', 'ACTIVE')`,
	"an ended thing without its end":    `select count(*) from relationships where (ended_at is null) = (state not in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE'))`,
	"an ended approval without its end": `select count(*) from approvals where (ended_at is null) <> (state = 'PENDING')`,
	"a command without its event": `select count(*) from decisions d where not exists (select 1 from approvals a where a.final_decision_id = d.id) and
		(select count(*) from audit_events e where e.decision_id = d.id and (e.actor_id is not null or e.action = 'relationship.activate')) <> 1`,
	"a step without its event": `select count(*) from relationships r where (select count(*) from changes c where c.kind = 'relationship' and c.subject_id = r.id) <>
		(select count(*) from audit_events e where e.action = 'block' and e.subject_id = r.id and e.decision_id = r.decision_id)
		+ (select count(*) from audit_events e where e.action like 'relationship.%' and e.subject_id = r.id)
		+ (r.state in ('LIFTED', 'CANCELLED') and not exists (select 1 from audit_events e where e.action in ('relationship.lift', 'relationship.cancel')
			and e.subject_id = r.id) and exists (select 1 from audit_events e where e.action = 'lift' and e.outcome = 'ALLOW' and e.subject_id = r.id))`,
}

func (p *play) check(step int) {
	p.t.Helper()
	for what, q := range invariants {
		var n int
		must(p.t, p.raw.QueryRow(q).Scan(&n))
		if n != 0 {
			p.t.Fatalf("step %d: %d times: %s", step, n, what)
		}
	}
	rows, err := p.raw.Query("select id, state, version from relationships")
	must(p.t, err)
	defer func() { _ = rows.Close() }()
	n := 0
	for rows.Next() {
		n++
		var id im.ID
		var got rel
		must(p.t, rows.Scan(&id, (*string)(&got.state), &got.version))
		want, ok := p.model.rels[id]
		if !ok || got.state != want.state || got.version != want.version {
			p.t.Fatalf("step %d: %s is %s in version %d; want %+v", step, id, got.state, got.version, want)
		}
	}
	must(p.t, rows.Err())
	if n != len(p.model.rels) {
		p.t.Fatalf("step %d: %d relationships; want %d", step, n, len(p.model.rels))
	}
	as, err := p.raw.Query("select id, state from approvals")
	must(p.t, err)
	defer func() { _ = as.Close() }()
	n = 0
	for as.Next() {
		n++
		var id im.ID
		var state im.ApprovalState
		must(p.t, as.Scan(&id, (*string)(&state)))
		if want, ok := p.model.approvals[id]; !ok || state != want.state {
			p.t.Fatalf("step %d: approval %s is %s; want %+v", step, id, state, want)
		}
	}
	must(p.t, as.Err())
	if n != len(p.model.approvals) {
		p.t.Fatalf("step %d: %d approvals; want %d", step, n, len(p.model.approvals))
	}
}

// Whatever people do in whatever order, what stands in the store is what the model says, and hangs together.
func TestRandomCommands(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			p := newPlay(t, seed)
			for i := range 80 {
				p.step()
				p.check(i)
			}
			for _, r := range p.model.rels {
				if !r.cools.IsZero() {
					seen[string(im.Staged)] = true
					seen["cooled down"] = seen["cooled down"] || r.state.InEffect()
				}
				seen[string(r.state)] = true
			}
			for _, a := range p.model.approvals {
				seen["approval "+string(a.state)] = true
			}
		})
	}
	for _, s := range []string{"ACTIVE", "STAGED", "PENDING_APPROVAL", "REJECTED", "CANCELLED", "LIFTED", "EXPIRED", "cooled down", "approval PENDING", "approval APPROVED",
		"approval REJECTED", "approval EXPIRED", "approval CANCELLED"} {
		if !seen[s] {
			t.Errorf("no play came to %s: the commands are too tame", s)
		}
	}
}

// The same command twice with one key is one command, and its faults are in the order that is promised.
func TestIdempotentCommand(t *testing.T) {
	p := newPlay(t, 1)
	v, err := p.who.Viewer(t.Context(), p.co.Members[3].ID)
	must(t, err)
	in := blocking.BlockInput{Target: p.co.Members[4].Ref(), Kind: im.Block, Source: im.FromAPI, Reason: "r", WorkspaceIDs: []im.ID{p.co.Workspaces[0].ID}}
	c := blocking.Call{Viewer: v, Key: "k"}
	first, err := p.block.Block(t.Context(), c, in)
	must(t, err)
	again, err := p.block.Block(t.Context(), c, in)
	must(t, err)
	if len(first.Parts) != 1 || len(again.Parts) != 1 || first.Parts[0].Relationship.ID != again.Parts[0].Relationship.ID || again.Parts[0].Relationship.Reason != "r" {
		t.Errorf("answered %+v, then %+v", first, again)
	}
	in.Reason = "another"
	other, err := p.block.Block(t.Context(), c, in)
	must(t, err)
	if len(other.Faults) != 1 || other.Faults[0].Code != fault.IdempotencyKeyReused {
		t.Errorf("answered %+v", other)
	}
}
