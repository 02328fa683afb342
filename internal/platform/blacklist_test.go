package platform_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/memory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Whose side of a contact a blacklisting is about: everybody's where it holds for the workspace, else that of who made it,
// or where he has none, the owner's.
func TestSides(t *testing.T) {
	const nobody = "FAILED NotFound"
	rows := []struct {
		owner, follows, who string
		scope               im.RelationshipScope
		sides, ends         string
	}{
		{"bo", "an bo ci", "an", im.InitiatorView, "an listed, bo[bo 共同], ci[ci 共同]", "DELIVERED "},
		{"bo", "an bo ci", "bo", im.InitiatorView, "an[an 共同], bo listed, ci[ci 共同]", "DELIVERED "},
		{"bo", "an bo ci", "di", im.InitiatorView, "an[an 共同], bo listed, ci[ci 共同]", "DELIVERED "},
		{"bo", "bo ci", "an", im.InitiatorView, "bo listed, ci[ci 共同]", "DELIVERED "},
		{"bo", "an bo ci", "an", im.WorkspaceScope, "an listed, bo listed, ci listed", "DELIVERED "},
		{"bo", "bo ci", "di", im.WorkspaceScope, "bo listed, ci listed", "DELIVERED "},
		{"", "ci", "di", im.WorkspaceScope, "ci listed", "DELIVERED "},
		{"", "ci", "di", im.InitiatorView, "ci[ci 共同]", nobody},
		{"bo", "", "an", im.InitiatorView, "", nobody},
		{"bo", "", "an", im.WorkspaceScope, "", nobody},
	}
	var customers []customer
	for i, r := range rows {
		customers = append(customers, customer{fmt.Sprint("k", i), r.owner, r.follows})
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "memory", customers)
		for i, row := range rows {
			what := fmt.Sprintf("%s blacklists for %s a contact of %s whom %q follow", row.who, row.scope, row.owner, row.follows)
			r := w.blacklists(row.who, customers[i].id, row.scope)
			w.flush()
			d := w.delivery(r)
			expect(t, what+": sides", w.sides(customers[i].id), row.sides)
			expect(t, what+": delivery", string(d.State)+" "+d.LastErrorCode, row.ends)
		}
	})
}

// What several blacklistings of one contact come to: what one of them still wants stays, and what none wants any more is
// taken off, with the tags where it was taken back and without where it was lifted or ran out.
func TestBlacklistings(t *testing.T) {
	const whole = "an[an 共同], bo[bo 共同]"
	type step struct {
		number      int    // of the blacklisting
		does        string // what happens to it: how it ends, or who makes it
		everywhere  bool   // for the workspace
		sides, tags string // what the platform and our record then show
	}
	const lift, undo, expire = im.IntentLift, im.IntentUndo, im.IntentExpire
	stories := map[string][]step{
		"lifted":   {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {0, lift, false, "an[], bo[bo 共同]", "bo"}},
		"ran out":  {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {0, expire, false, "an[], bo[bo 共同]", "bo"}},
		"undone":   {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {0, undo, false, whole, "an bo 共同"}},
		"for all":  {{0, "an", true, "an listed, bo listed", ""}, {0, undo, false, whole, "an bo 共同"}},
		"again":    {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {0, undo, false, whole, "an bo 共同"}, {1, "an", false, "an listed, bo[bo 共同]", "bo"}, {1, undo, false, whole, "an bo 共同"}},
		"after it": {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {0, lift, false, "an[], bo[bo 共同]", "bo"}, {1, "an", false, "an listed, bo[bo 共同]", "bo"}, {1, undo, false, "an[], bo[bo 共同]", "bo"}},
		"two on one side": {{0, "bo", false, "an[an 共同], bo listed", "an"}, {1, "di", false, "an[an 共同], bo listed", "an"},
			{0, undo, false, "an[an 共同], bo listed", "an"}, {1, undo, false, whole, "an bo 共同"}},
		"the second lifted": {{0, "bo", false, "an[an 共同], bo listed", "an"}, {1, "di", false, "an[an 共同], bo listed", "an"},
			{1, lift, false, "an[an 共同], bo listed", "an"}, {0, undo, false, whole, "an bo 共同"}},
		"two sides": {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {1, "bo", false, "an listed, bo listed", ""},
			{0, undo, false, "an[an 共同], bo listed", "an 共同"}, {1, lift, false, "an[an 共同], bo[]", "an 共同"}},
		"one within the other": {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {1, "di", true, "an listed, bo listed", ""},
			{1, undo, false, "an listed, bo[bo 共同]", "bo 共同"}, {0, undo, false, whole, "an bo 共同"}},
		"the inner first": {{0, "an", false, "an listed, bo[bo 共同]", "bo"}, {1, "di", true, "an listed, bo listed", ""},
			{0, undo, false, "an listed, bo listed", ""}, {1, undo, false, whole, "an bo 共同"}},
	}
	var customers []customer
	for name := range stories {
		customers = append(customers, customer{name, "bo", "an bo"})
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "memory", customers)
		for name, story := range stories {
			var rs []im.Relationship
			for i, s := range story {
				switch {
				case s.number < len(rs):
					rs[s.number] = w.ends(rs[s.number], s.does)
				case s.everywhere:
					rs = append(rs, w.blacklists(s.does, name, im.WorkspaceScope))
				default:
					rs = append(rs, w.blacklists(s.does, name, im.InitiatorView))
				}
				w.flush()
				what := fmt.Sprintf("%s, step %d", name, i)
				expect(t, what+": delivery", w.delivery(rs[s.number]).State, im.DeliveryDelivered)
				expect(t, what+": sides", w.sides(name), s.sides)
				expect(t, what+": tags", w.tags(name), s.tags)
			}
		}
	})
}

// What is to happen to one contact happens in its order, also where all of it waits.
func TestLiftedBeforeDelivered(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "memory", []customer{{"k", "an", "an"}})
		r := w.blacklists("an", "k", im.InitiatorView)
		w.ends(r, im.IntentUndo)
		w.courier.Deliver(t.Context(), w.intents(r)) // the undo alone, whose turn it is not
		expect(t, "delivery of what is before its turn", w.delivery(r).Attempts, 0)
		w.flush()
		expect(t, "sides", w.sides("k"), "an[an 共同]")
		expect(t, "trail", w.trail(r), "platform.deliver of k: undo, platform.deliver of k: blacklist")
	})
}

// What a blacklisting takes off is kept before it is taken: an answer that is lost, and an attempt that fails half-way,
// cost no tag.
func TestNothingIsLost(t *testing.T) {
	for name, trouble := range map[string]struct {
		memory.Trouble
		attempts int
	}{
		"the answer is lost":                  {memory.Trouble{LoseAnswer: true}, 1},
		"nobody answers":                      {memory.Trouble{Code: adapters.Unavailable}, 2},
		"the platform wants to be left alone": {memory.Trouble{Code: adapters.RateLimited, RetryAfter: time.Minute}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				w := newWorld(t, dsn, "memory", []customer{{"k", "an", "an bo"}})
				r := w.blacklists("an", "k", im.WorkspaceScope)
				w.memory.Arm(&trouble.Trouble)
				w.flush()
				w.memory.Arm(nil)
				w.clock.pass(2 * time.Minute)
				w.flush()
				expect(t, "delivery", w.delivery(r).State, im.DeliveryDelivered)
				expect(t, "attempts", w.delivery(r).Attempts, trouble.attempts)
				expect(t, "last error", w.delivery(r).LastErrorCode, "")
				expect(t, "sides", w.sides("k"), "an listed, bo listed")
				for _, p := range []string{"an", "bo"} {
					expect(t, "times that it happened to "+p, w.memory.Effects(adapters.Key("blacklist:"+r.ID.String()+":"+p)), 1)
				}
				w.ends(r, im.IntentUndo)
				w.flush()
				expect(t, "sides after the undo", w.sides("k"), "an[an 共同], bo[bo 共同]")
				expect(t, "tags after the undo", w.tags("k"), "an bo 共同")
			})
		})
	}
}

// Whoever takes a delivery over has what its forerunner kept, though the tags are off and no answer said so.
func TestTakenOver(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k", "an", "an bo"}})
		r := w.blacklists("an", "k", im.WorkspaceScope)
		w.wire.breakAt(tagPath)
		w.flush()
		expect(t, "delivery once the wire broke", w.delivery(r).State, im.DeliveryPending)
		expect(t, "sides", w.sides("k"), "an listed, bo[bo 共同]")
		must(t, w.Close())
		w.Store = w.open()
		w.connections, w.courier = w.connect(w.Store)
		w.wire.mend()
		w.clock.pass(time.Hour)
		w.flush()
		expect(t, "sides once it was taken over", w.sides("k"), "an listed, bo listed")
		expect(t, "tags", w.tags("k"), "")
		w.ends(r, im.IntentUndo)
		w.flush()
		expect(t, "sides after the undo", w.sides("k"), "an[an 共同], bo[bo 共同]")
	})
}

// A tag that somebody puts on between two attempts is taken off as well, and put back as well.
func TestTagMeanwhile(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "wecom", []customer{{"k", "an", "an"}})
		r := w.blacklists("an", "k", im.InitiatorView)
		w.plays("faults", `{"rules":[{"match":"`+remarkPath+`","errcode":45009}]}`)
		w.flush()
		w.plays("faults", `{"rules":[]}`)
		_, err := w.look.(adapters.Blacklister).Unblacklist(t.Context(), adapters.BlacklistRequest{Call: adapters.Call{Key: "by hand"}, Owner: "an", Contact: "k",
			Held: &adapters.Snapshot{Tags: []adapters.Tag{{ID: "t-bo"}}}})
		must(t, err)
		expect(t, "sides between the attempts", w.sides("k"), "an[an bo 共同]")
		w.clock.pass(time.Hour)
		w.flush()
		expect(t, "sides", w.sides("k"), "an listed")
		w.ends(r, im.IntentUndo)
		w.flush()
		expect(t, "sides after the undo", w.sides("k"), "an[an bo 共同]")
	})
}

// What our own record no longer knows to be a side is taken off the blacklist all the same, and not put on another one.
func TestUnfollowed(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn, "memory", []customer{{"k", "bo", "an bo"}, {"l", "bo", "an bo"}})
		undone, again := w.blacklists("an", "k", im.InitiatorView), w.blacklists("an", "l", im.InitiatorView)
		w.flush()
		_, err := testkit.Database(t, dsn).Exec("delete from contact_follows where source = 'an'")
		must(t, err)
		w.ends(undone, im.IntentUndo)
		w.flush()
		expect(t, "sides after the undo", w.sides("k"), "an[an 共同], bo[bo 共同]")
		wider := w.blacklists("bo", "l", im.WorkspaceScope)
		w.flush()
		w.ends(again, im.IntentUndo)
		w.flush()
		expect(t, "sides once only the wider one stands", w.sides("l"), "an[an 共同], bo listed")
		expect(t, "delivery of that", w.delivery(wider).State, im.DeliveryDelivered)
	})
}

// What could not be put back is written down with an undo, and with no other end.
func TestNotPutBack(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		for way, want := range map[string]string{im.IntentUndo: "[{EMPTY remark}]", im.IntentLift: "[]", im.IntentExpire: "[]"} {
			w := newWorld(t, fresh(t, dsn), "wecom", []customer{{nameless, "an", "an"}})
			r := w.blacklists("an", nameless, im.InitiatorView)
			w.flush()
			w.ends(r, way)
			w.flush()
			expect(t, way+": delivery", w.delivery(r).State, im.DeliveryDelivered)
			short, err := w.Shortfalls(t.Context(), []im.ID{r.ID})
			must(t, err)
			expect(t, way+": not put back", fmt.Sprint(short[r.ID]), want)
		}
	})
}
