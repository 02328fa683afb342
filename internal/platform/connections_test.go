package platform_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/memory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// on is a workspace of a platform.
func on(name, platform string) im.Workspace {
	return im.Workspace{ID: im.NewIDs(time.Now).New(), Name: name, Platform: platform, CustomerContact: true}
}

// hermit is a platform of which somebody only knows that members cannot be blocked there.
var hermit = adapters.Description{Platform: "hermit", Title: "Hermit", Enforces: map[adapters.Action]adapters.Enforcement{adapters.BlockMember: adapters.Unsupported}}

func catalogue() *platform.Catalogue { return platform.NewCatalogue(append(adapters.All(), hermit)) }

// bare is what adapters get of the world here.
var bare = adapters.Env{HTTP: &http.Client{}, Log: discard, Now: time.Now, Store: nil}

// How far things are carried out depends on the platform, on whether it is connected, and on what it has opened.
func TestEnforcement(t *testing.T) {
	s := newWorld(t, testkit.SQLite(t), "memory", nil)
	env := bare
	env.Store = s.Ping
	own, far, unlicensed, near, alone, elsewhere, held := on("own", "native"), on("far", "wecom"), on("unlicensed", "wecom"), on("near", "memory"),
		on("alone", "wecom"), on("elsewhere", "agora"), on("held", "hermit")
	unlicensed.CustomerContact = false
	silent := map[string]string{"corp_id": "ww", "secret": secret}
	wecom := map[string]string{"corp_id": "ww", "secret": secret, "agent_id": "1"}
	c, err := platform.Connect(catalogue(), []im.Workspace{own, far, unlicensed, near, alone, elsewhere, held},
		map[string]map[string]string{"far": wecom, "unlicensed": silent, "near": {"world": "none"}}, env, s)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	blacklist, contact, member := [2]string{"BLACKLIST", "contact"}, [2]string{"BLOCK", "contact"}, [2]string{"BLOCK", "member"}
	for _, row := range []struct {
		w    im.Workspace
		what [2]string
		// enforcement, that of the channels, enabled, delivered
		want string
	}{
		{own, blacklist, "NATIVE NATIVE true false"},
		{own, contact, "NATIVE NATIVE true false"},
		{own, member, "NATIVE NATIVE true false"},
		{far, blacklist, "EMULATED RECORDED true true"},
		{far, contact, "RECORDED RECORDED true false"},
		{far, member, "RECORDED RECORDED true false"},
		{unlicensed, blacklist, "EMULATED RECORDED false true"},
		{unlicensed, contact, "RECORDED RECORDED true false"},
		{near, blacklist, "NATIVE NATIVE true true"},
		{near, member, "RECORDED RECORDED true false"},
		{alone, blacklist, "RECORDED RECORDED true false"},
		{alone, contact, "RECORDED RECORDED true false"},
		{elsewhere, blacklist, "RECORDED RECORDED true false"},
		{elsewhere, member, "RECORDED RECORDED true false"},
		{held, member, "UNSUPPORTED UNSUPPORTED true false"},
		{held, contact, "RECORDED RECORDED true false"},
		{own, [2]string{"ISOLATION", "member"}, "NATIVE NATIVE true false"},
		{own, [2]string{"GROUP_BLOCK", "member"}, "NATIVE NATIVE true false"},
		{own, [2]string{"BLOCK", "department"}, "RECORDED RECORDED true false"},
		{far, [2]string{"ISOLATION", "member"}, "RECORDED RECORDED true false"},
	} {
		kind, target := im.RelationshipKind(row.what[0]), im.Kind(row.what[1])
		got := fmt.Sprint(c.Enforcement(row.w, kind, target), " ", c.ChannelEnforcement(row.w, im.Relationship{Kind: kind, Target: im.Ref{Kind: target}}, im.DirectMessage), " ", c.Enabled(row.w, kind, target), c.Delivers(row.w.ID, kind))
		expect(t, fmt.Sprint(row.w.Name, " ", row.what), got, row.want)
	}
	for _, row := range []struct {
		w            im.Workspace
		capabilities string
		noted        bool
	}{
		{own, "blacklist NATIVE, block_contact NATIVE, block_member NATIVE, group_block NATIVE, isolate NATIVE", false},
		{far, "blacklist EMULATED, notify NATIVE", true},
		{unlicensed, "", false},
		{near, "blacklist NATIVE, notify NATIVE", false},
		{alone, "", false},
		{elsewhere, "", false},
		{held, "", false},
	} {
		var got []string
		for _, k := range c.Capabilities(row.w) {
			got = append(got, k.Action+" "+string(k.Enforcement))
		}
		expect(t, row.w.Name+": capabilities", strings.Join(got, ", "), row.capabilities)
		expect(t, row.w.Name+": is explained", c.Note(row.w, im.Blacklist, im.KindContact) != "", row.noted)
	}
	expect(t, "what the platform declares is as it was", len(c.Platform("wecom").Capabilities), 2)
	expect(t, "health of what is not connected", c.Health(alone.ID), platform.Health{})
	expect(t, "health of what is connected", c.Health(near.ID), platform.Health{Reachable: true})
}

// All that is wrong with the settings is told at once, and what was opened by then is closed again.
func TestConnectFails(t *testing.T) {
	settings := map[string]map[string]string{
		"good":    {"world": t.Name()},
		"poor":    {},
		"odd":     {"world": "w", "colour": "vermilion"},
		"nowhere": {"world": "w"},
		"foreign": {"key": "k"},
	}
	all := []im.Workspace{on("good", "memory"), on("poor", "memory"), on("odd", "memory"), on("foreign", "agora"), on("own", "native")}
	_, err := platform.Connect(catalogue(), all, settings, bare, nil)
	if err == nil {
		t.Fatal("connected")
	}
	for _, fault := range []string{"workspaces.nowhere: there is no workspace of this name", `workspaces.poor: adapters: memory: option "world" is required`,
		`workspaces.odd: adapters: memory: there is no option "colour"`, `workspaces.foreign: adapters: no platform "agora" to open`,
		"workspaces.own: native: the gateway is the platform here, and its store was not handed in"} {
		expect(t, fault, strings.Count(err.Error(), fault), 1)
	}
	expect(t, "faults", strings.Count(err.Error(), "workspaces."), 5)
	if strings.Contains(err.Error(), "vermilion") {
		t.Errorf("a value is told: %v", err)
	}
	a, _ := opened.Load(t.Name())
	expect(t, "what was opened", adapters.CodeOf(a.(adapters.Adapter).Check(t.Context())), adapters.Unavailable)
}

// Which ends of calls say something about the connection, and what.
func TestHealth(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t), "memory", nil)
	for _, row := range []struct {
		trouble   adapters.Code
		lastError string
		reachable bool
	}{
		{adapters.OK, "", true},
		{adapters.RateLimited, "RateLimited", true},
		{adapters.NotFound, "RateLimited", true}, // says nothing about the connection
		{adapters.QuotaExceeded, "QuotaExceeded", true},
		{adapters.OK, "", true},
		{adapters.Unavailable, "Unavailable", true},
		{adapters.Indeterminate, "Indeterminate", true},
		{adapters.Unauthenticated, "Unauthenticated", false},
		{adapters.OK, "", true},
	} {
		w.memory.Arm(nil)
		if row.trouble != adapters.OK {
			w.memory.Arm(&memory.Trouble{Code: row.trouble})
		}
		w.connections.Check(t.Context())
		expect(t, row.trouble.String(), w.connections.Health(w.workspace.ID), platform.Health{Reachable: row.reachable, LastError: row.lastError})
	}
}

// Where nobody answers, nothing is reached, until somebody does.
func TestHealthOfTheWire(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t), "wecom", nil)
	health := func(what string, want platform.Health) {
		t.Helper()
		w.connections.Check(t.Context())
		expect(t, what, w.connections.Health(w.workspace.ID), want)
	}
	health("as it is", platform.Health{Reachable: true})
	w.wire.setCut(func() {})
	health("cut", platform.Health{LastError: "Unavailable"})
	w.wire.mend()
	health("mended", platform.Health{Reachable: true})
	w.plays("faults", `{"rules":[{"match":"*","errcode":-1}]}`)
	health("busy", platform.Health{Reachable: true, LastError: "Unavailable"})
}

// One that does not answer keeps nobody waiting for longer than a check may take, and no other from being checked.
func TestCheckEnds(t *testing.T) {
	dead, alive := memory.New(secret, nil, nil, nil), memory.New(secret, nil, nil, nil)
	dead.Arm(&memory.Trouble{Stall: true})
	worlds.Store("dead", dead)
	worlds.Store("alive", alive)
	synctest.Test(t, func(t *testing.T) {
		a, b, c := on("a", "memory"), on("b", "memory"), on("c", "memory")
		env := bare
		k, err := platform.Connect(catalogue(), []im.Workspace{a, b, c}, map[string]map[string]string{"a": {"world": "dead"}, "b": {"world": "dead"}, "c": {"world": "alive"}}, env, nil)
		must(t, err)
		start := time.Now()
		k.Check(t.Context())
		expect(t, "time it took", time.Since(start), platform.CheckTimeout)
		expect(t, "one that stalls", k.Health(a.ID).LastError, "Unavailable")
		expect(t, "one that answers", k.Health(c.ID), platform.Health{Reachable: true})
		must(t, k.Close())
	})
}
