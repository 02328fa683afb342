package scenario

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// ordinary are ids of contacts of the wecom workspace whom an admin may blacklist without review, by the platform's id.
func (c company) ordinary(n int) map[string]string {
	c.t.Helper()
	admin := c.person("linyue002")
	out := map[string]string{}
	for after := any(nil); len(out) < n; {
		page := read[struct {
			Nodes []struct {
				ID, PlatformID, Importance, Status string
				Verified                           bool
				Opportunities                      []struct{ Open bool }
			}
			PageInfo struct {
				HasNextPage bool
				EndCursor   string
			}
		}](c.t, admin.Do(`query($w:ID!,$a:String){externalContacts(first:100,after:$a,filter:{workspaceId:$w,verified:true,importance:NORMAL,status:ACTIVE}){
			nodes{id platformId importance status verified opportunities{open}} pageInfo{hasNextPage endCursor}}}`,
			vars{"w": c.workspace("wecom-hq"), "a": after}))
		for _, k := range page.Nodes {
			if len(k.Opportunities) == 0 && contacts[k.PlatformID] == "" && len(out) < n {
				out[k.PlatformID] = k.ID
			}
		}
		if after = page.PageInfo.EndCursor; !page.PageInfo.HasNextPage && len(out) < n {
			c.t.Fatalf("the demo has only %d ordinary contacts", len(out))
		}
	}
	return out
}

// blacklistAll blacklists contacts, several at a time, and answers the relationships by the platform's ids.
func (p person) blacklistAll(of map[string]string) map[string]string {
	p.c.t.Helper()
	const atOnce = 8
	out := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for platformID, id := range of {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			a, err := p.Ask(blockDocument, p.c.wish(id, []how{as("BLACKLIST"), keyed("blacklist-" + platformID)}))
			rel := a.Text("block.results.0.relationship.id")
			if err != nil || rel == "" || a.Text("block.results.0.relationship.state") != "ACTIVE" {
				p.c.t.Errorf("%s: %v: %s", platformID, err, a.Body)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out[platformID] = rel
		})
	}
	all.Wait()
	return out
}

// pending is how much waits to be delivered to WeCom, and whether that is reached.
func (c company) pending() (n int, reachable bool) {
	c.t.Helper()
	for _, w := range read[[]struct {
		Name   string
		Health struct {
			Reachable         bool
			PendingDeliveries int
		}
	}](c.t, c.person("linyue002").Do(`{workspaces{name health{reachable pendingDeliveries}}}`, nil)) {
		if w.Name == "wecom-hq" {
			return w.Health.PendingDeliveries, w.Health.Reachable
		}
	}
	c.t.Fatal("no workspace wecom-hq")
	return 0, false
}

// allDelivered waits until nothing waits.
func (c company) allDelivered(patience time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		n, _ := c.pending()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d deliveries still wait after %v", n, patience)
		}
	}
}

// once holds the ledger to one effect of each kind for each contact, and the relationships to what it says.
func (c company) once(rels map[string]string) {
	c.t.Helper()
	seen := map[string]int{}
	for _, l := range c.ledger() {
		if l.Effect != nil {
			seen[l.Effect.Kind+" "+l.Effect.Subject]++
		}
	}
	admin := c.person("linyue002")
	for platformID, rel := range rels {
		for _, kind := range []string{"tags_removed", "remark_changed"} {
			if n := seen[kind+" "+platformID]; n != 1 {
				c.t.Errorf("%s of %s: %d times", kind, platformID, n)
			}
			delete(seen, kind+" "+platformID)
		}
		if r := admin.relationship(rel); r.Delivery.State != "DELIVERED" || r.Enforcement != "EMULATED" {
			c.t.Errorf("%s: %+v, %s", platformID, r.Delivery, r.Enforcement)
		}
	}
	for what, n := range seen {
		c.t.Errorf("%s: %d times, and nobody asked for it", what, n)
	}
}

// Whatever WeCom does with its answers, each blacklisting happens there once.
func TestDeliveredOnceThroughFaults(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		of := c.ordinary(300)
		c.faults(`{"seed":7,"rules":[{"match":"/cgi-bin/externalcontact/*","dropResponse":true,"rate":0.3},
			{"match":"/cgi-bin/externalcontact/*","errcode":45009,"rate":0.05},{"match":"*","errcode":42001,"rate":0.1}]}`)
		rels := c.person("linyue002").blacklistAll(of)
		c.allDelivered(3 * time.Minute)
		c.faults("")
		c.once(rels)
	})
}

// A platform that is away for a while gets what waits for it once it is back.
func TestPlatformAway(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		state := filepath.Join(t.TempDir(), "wecom.sim")
		sim := testkit.Sim(t, "wecom", "--state", state)
		c := company{testkit.Demo(t, dsn, "--sim", "wecom="+sim.URL), t, dsn, map[string]string{}}
		lin := c.person("linyue002")
		if _, reachable := c.pending(); !reachable {
			t.Error("WeCom is there and does not show as reachable")
		}
		sim.Stop()
		o := lin.block("wm_lanhai", as("BLACKLIST"))
		must(t, "blacklisting while WeCom is away", o.codes(), "")
		r := *o.Results[0].Relationship
		expect(t, "state", r.State, "ACTIVE")
		expect(t, "delivery while WeCom is away", r.Delivery.State, "PENDING")
		if n, reachable := c.pending(); n != 1 || reachable {
			t.Errorf("%d wait, reachable: %v", n, reachable)
		}
		for end := time.Now().Add(10 * time.Second); lin.relationship(r.ID).Delivery.Attempts < 2; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not tried again: %+v", lin.relationship(r.ID).Delivery)
			}
		}
		d := lin.relationship(r.ID).Delivery
		expect(t, "delivery after some tries", fmt.Sprint(d.State, " ", d.LastErrorCode), "PENDING Unavailable")

		testkit.Sim(t, "wecom", "--state", state, "--listen", strings.TrimPrefix(sim.URL, "http://"))
		now := lin.delivered(r.ID)
		expect(t, "delivery once it is back", now.Delivery.State, "DELIVERED")
		expect(t, "effects", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed")
		c.allDelivered(time.Second)
		if _, reachable := c.pending(); !reachable {
			t.Error("WeCom is back and does not show as reachable")
		}
	})
}

// What the platform refuses for good shows as that: FAILED, and merely recorded.
func TestDeliveryFails(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		c.faults(`{"rules":[{"match":"/cgi-bin/externalcontact/remark","errcode":48002,"rate":1}]}`)
		r := lin.delivered(lin.blocks("wm_lanhai", as("BLACKLIST")).ID)
		expect(t, "delivery", r.Delivery.State, "FAILED")
		expect(t, "because of", r.Delivery.LastErrorCode, "PermissionDenied")
		expect(t, "enforcement", r.Enforcement, "RECORDED")
		expect(t, "trail", len(c.person("guping012").trail("platform.fail")), 1)
		c.faults("")
		lin.undo(r.ID, "弄错了")
		expect(t, "undo", lin.delivered(r.ID).Delivery.State, "DELIVERED")
		expect(t, "tags", strings.Join(lin.customer("wm_lanhai").Tags, " "), "华东")
		expect(t, "effects", strings.Join(c.effects("wm_lanhai"), " "), "")
	})
}

// A blacklisting that runs out is taken off the platform by itself.
func TestBlacklistExpires(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		r := lin.blocks("wm_lanhai", as("BLACKLIST"), until(c.Now().Add(time.Hour)))
		lin.delivered(r.ID)
		c.Advance(2 * time.Hour)
		now := lin.relationship(r.ID)
		expect(t, "state", now.State, "EXPIRED")
		expect(t, "delivery", now.Delivery.State, "DELIVERED")
		expect(t, "effects", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed remark_changed")
		expect(t, "status", lin.customer("wm_lanhai").Status, "ACTIVE")
	})
}

// A blacklisting of the whole workspace, which takes an admin, stops the contact's owner too.
func TestBlacklistOfTheWorkspace(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, wang := c.person("linyue002"), c.person("wangfang004")
		expect(t, "asked for by a dept_manager", c.person("zhoujie007").block("wm_lanhai", as("BLACKLIST"), with("scope", "WORKSPACE")).codes(), "NOT_FOUND")
		r := lin.blocks("wm_lanhai", as("BLACKLIST"), with("scope", "WORKSPACE"))
		expect(t, "to the owner", wang.check("wm_lanhai", "wangfang004", "DIRECT_MESSAGE").Allowed, false)
		expect(t, "from the owner", wang.check("wangfang004", "wm_lanhai", "DIRECT_MESSAGE").Allowed, false)
		expect(t, "another contact", wang.check("wangfang004", "wm_qinghe", "DIRECT_MESSAGE").Allowed, true)
		expect(t, "delivery", lin.delivered(r.ID).Delivery.State, "DELIVERED")
		lin.lift(r.ID, "enough")
		expect(t, "to the owner afterwards", wang.check("wm_lanhai", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		s := lin.blocks("wm_lanhai", as("BLACKLIST"))
		expect(t, "one of his own view", wang.check("wm_lanhai", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		lin.lift(s.ID, "enough")
	})
}

// Two who blacklist the same contact: what the second still wants stays as it is when the first takes his back.
func TestBlacklistedTwice(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, han := c.person("linyue002"), c.person("hanlei017")
		first := lin.blocks("wm_lanhai", as("BLACKLIST"))
		second := han.blocks("wm_lanhai", as("BLACKLIST"))
		lin.delivered(first.ID)
		han.delivered(second.ID)
		expect(t, "effects of two", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed")
		lin.undo(first.ID, "弄错了")
		expect(t, "first undo", lin.delivered(first.ID).Delivery.State, "DELIVERED")
		expect(t, "effects after the first undo", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed")
		expect(t, "status after the first undo", lin.customer("wm_lanhai").Status, "BLACKLISTED")
		han.undo(second.ID, "弄错了")
		expect(t, "second undo", han.delivered(second.ID).Delivery.State, "DELIVERED")
		expect(t, "effects after both", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed remark_changed tags_added")
		expect(t, "tags", strings.Join(lin.customer("wm_lanhai").Tags, " "), "华东")
	})
}

// Without the licence for customer contact there is nothing to blacklist on WeCom, whoever asks.
func TestBlacklistNotEnabled(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		_, err := testkit.Database(t, c.dsn).Exec("update workspaces set customer_contact = not customer_contact where name = 'wecom-hq'")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []person{c.person("linyue002"), c.person("guping012")} {
			o := p.block("wm_lanhai", as("BLACKLIST"))
			expect(t, p.account, o.codes(), "NOT_ENABLED")
			expect(t, "on", o.UserErrors[0].Workspace.Name, "wecom-hq")
		}
		expect(t, "a block is no blacklisting", c.person("linyue002").block("wm_lanhai").codes(), "")
	})
}

// Two replicas that share a platform deliver each blacklisting once, whichever of them it was asked of, and either takes
// back what the other made.
func TestReplicasDeliverOnce(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, dsn, "--sim", sim), open(t, dsn, "--sim", sim)
	a.faults(`{"seed":3,"rules":[{"match":"/cgi-bin/externalcontact/*","dropResponse":true,"rate":0.3}]}`)
	of := a.ordinary(40)
	rels := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range []company{a, b} { // each is asked for all of them, with the same keys
		all.Go(func() {
			made := c.person("linyue002").blacklistAll(of)
			mu.Lock()
			defer mu.Unlock()
			for platformID, rel := range made {
				if was := rels[platformID]; was != "" && was != rel {
					t.Errorf("%s: the replicas answer %s and %s", platformID, was, rel)
				}
				rels[platformID] = rel
			}
		})
	}
	all.Wait()
	a.allDelivered(time.Minute)
	b.faults("")
	must(t, "blacklistings", len(rels), len(of))
	b.once(rels)
	for platformID, rel := range rels {
		if o := b.person("linyue002").undo(rel, "弄错了"); o.codes() != "" || o.Relationship.State != "UNDONE" {
			t.Fatalf("%s: %s", platformID, o.answer.Body)
		}
		break
	}
	a.allDelivered(time.Minute)
}
