package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Two replicas on one PostgreSQL are one gateway: whichever a command goes to, a subscriber of either sees it once and
// in order, over either transport.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, dsn, "--sim", sim), open(t, dsn, "--sim", sim)
	wang := []person{a.person("wangfang004"), b.person("wangfang004")}
	streams := map[string]stream{}
	for i, name := range []string{"A", "B"} {
		for transport, subscribe := range transports {
			streams[transport+" of "+name] = wang[i].follow(t, subscribe)
		}
	}
	time.Sleep(200 * time.Millisecond) // nothing tells when a subscription stands

	const rounds = 6
	for i := range rounds {
		r := wang[i%2].blocks("liqiang005", on("native"))
		if o := wang[(i+1)%2].lift(r.ID, "enough"); o.codes() != "" {
			t.Fatal(o.codes())
		}
	}
	for name, s := range streams {
		seen := map[string]bool{}
		for i := range 2 * rounds {
			e, want := s.next(t), []string{"null→ACTIVE", "ACTIVE→LIFTED"}[i%2]
			if e.String() != want || seen[e.Cursor] {
				t.Fatalf("%s: event %d is %s (cursor seen: %v), want %s", name, i, e, seen[e.Cursor], want)
			}
			seen[e.Cursor] = true
		}
	}
	a.Stop()
	alone := wang[1].blocks("liqiang005", on("native"))
	for transport := range transports {
		e := streams[transport+" of B"].next(t)
		expect(t, "after A stopped, "+transport+" of B", e.RelationshipID, alone.ID)
	}
}

// A begins, B commits, A commits five seconds later: everybody sees B's change and then A's, each once, though A's has
// the older id and the older time. A cursor that was made of either would have skipped it.
func TestCommitFiveSecondsLate(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, tagged(dsn, "A"), "--sim", sim), open(t, tagged(dsn, "B"), "--sim", sim)
	gate := testkit.NewGate(t, dsn)
	early, late := b.person("xujunjie036"), a.person("shenmengqi033")
	admins := []person{a.person("linyue002"), b.person("linyue002")}
	before := admins[0].Do(`{changeCursor}`, nil).Text("changeCursor")
	streams := map[string]stream{}
	for i, name := range []string{"A", "B"} {
		for transport, subscribe := range transports {
			streams[transport+" of "+name] = admins[i].follow(t, subscribe, before)
		}
	}

	held := closeGate(t, gate, late.account)
	answer := make(chan testkit.Answer, 1)
	wish := a.wish(a.member("gaoxiang020"), []how{on("native")})
	go func() {
		got, err := late.Ask(blockDocument, wish)
		if err != nil {
			t.Error(err)
		}
		answer <- got
	}()
	eventually(t, "A's commit waits", func() bool { return atGate(t, held) == "A" })
	second := early.blocks("gaoxiang020", on("native"))
	since := time.Now()
	must(t, "who waits once B has answered", atGate(t, held), "A")
	seen := map[string]change{}
	for name, s := range streams {
		seen[name] = s.next(t)
		expect(t, name+" sees first", seen[name].RelationshipID, second.ID)
	}

	time.Sleep(5*time.Second - time.Since(since))
	must(t, "who waits five seconds later", atGate(t, held), "A")
	select {
	case got := <-answer:
		t.Fatalf("A answered what is not committed: %s", got.Body)
	default:
	}
	for name, s := range streams {
		must(t, name+": events of what is not committed", len(s.Events), 0)
	}
	must(t, "release", held.Release(), nil)
	reply := <-answer
	got := read[outcome](t, reply)
	if got.codes() != "" || len(got.Results) != 1 || got.Results[0].Relationship == nil {
		t.Fatalf("A answered %s", reply.Body)
	}
	first := *got.Results[0].Relationship

	end := late.lift(first.ID, "enough") // after which nothing else is to come
	must(t, "lift", end.codes(), "")
	var cursors []string
	for name, s := range streams {
		e := s.next(t)
		expect(t, name+" sees then", e.RelationshipID+" "+e.String(), first.ID+" null→ACTIVE")
		last := s.next(t)
		expect(t, name+" sees at last", last.RelationshipID+" "+last.String(), first.ID+" ACTIVE→LIFTED")
		cursors = append(cursors, seen[name].Cursor+" "+e.Cursor+" "+last.Cursor)
	}
	expect(t, "different cursors", len(slices.Compact(cursors)), 1)

	// Whoever was cut between the two, and resumes at the other replica with the cursor of B's, sees A's.
	for i, name := range []string{"A", "B"} {
		for transport, subscribe := range transports {
			s := admins[1-i].follow(t, subscribe, seen[transport+" of "+name].Cursor)
			e := s.next(t)
			expect(t, "resumed, "+transport+" of "+name, e.RelationshipID+" "+e.String(), first.ID+" null→ACTIVE")
			expect(t, "resumed, "+transport+" of "+name, s.next(t).String(), "ACTIVE→LIFTED")
		}
	}
	var order, times string
	err := testkit.Database(t, dsn).QueryRow(`select string_agg(number::text, ' ' order by id), string_agg(number::text, ' ' order by at)
		from changes where previous_state is null`).Scan(&order, &times)
	must(t, "read", err, nil)
	expect(t, "numbers in the order of the ids", order, "2 1")
	expect(t, "numbers in the order of the times", times, "2 1")
}

// Many commands at both replicas, some of whose commits come late; subscribers who are cut at any moment, and resume
// with their last cursor at either replica.
func TestCutStreams(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, tagged(dsn, "A"), "--sim", sim), open(t, tagged(dsn, "B"), "--sim", sim)
	s := newStory(t, dsn, a)
	s.replicas = [2]*testkit.Server{a.Server, b.Server}
	for i := range s.replicas {
		for transport, subscribe := range transports {
			s.follow(&follower{name: transport + " of " + s.names[i], account: "linyue002", at: i, subscribe: subscribe, cut: 150 * time.Millisecond})
			s.follow(&follower{name: "own " + transport + " of " + s.names[i], account: busy[i], at: i, subscribe: subscribe, cut: 150 * time.Millisecond})
		}
	}
	s.begin()
	s.check()
	for _, f := range s.followers {
		if f.connected < 10 {
			t.Errorf("%s was cut only %d times", f.name, f.connected)
		}
	}
}

// Replicas that are processes of their own are killed, first the one and then the other, each with a commit under way.
// What the commands answered, some of them after they were sent again to the survivor, is what the subscribers saw.
func TestDeadReplicas(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	bin := buildProgram(t)
	first, killA := ownProcess(t, bin, tagged(dsn, "A"))
	second, killB := ownProcess(t, bin, tagged(dsn, "B"))
	s := newStory(t, dsn, company{first, t, dsn, map[string]string{}})
	s.replicas = [2]*testkit.Server{first, second}
	for i := range s.replicas {
		for transport, subscribe := range transports {
			s.follow(&follower{name: transport + " of " + s.names[i], account: "linyue002", at: i, subscribe: subscribe})
		}
	}
	s.stops = []int{10, 21} // a block, at A, and a lift, at B
	s.begin()
	s.die(0, killA)
	again, _ := ownProcess(t, bin, tagged(dsn, "A"))
	s.set(0, again)
	s.die(1, killB)
	s.check()
	for _, f := range s.followers {
		// Those of A lost it and then B; those of B lost B. Each came back once more in the end.
		expect(t, f.name+" connected", f.connected, 4-f.at)
	}
}
