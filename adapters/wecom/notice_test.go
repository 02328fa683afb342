package wecom

import (
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// Without the app's agentid there is nobody to send messages as, and the adapter says so.
func TestNoAgentTellsNobody(t *testing.T) {
	a := start(t, seed()).open(discard, map[string]string{optAgent: ""})
	if _, tells := a.(adapters.Notifier); tells || a.Describe().Enforces[adapters.Notify] != "" || a.Describe().KeyHorizon != nil {
		t.Errorf("it tells: %t; declares %v", tells, a.Describe())
	}
}

// Whom a message does not reach the answer names without a code.
func TestUnreached(t *testing.T) {
	for text, want := range map[string]adapters.Code{
		`{"errcode":0,"errmsg":"ok","invaliduser":"","unlicenseduser":"","msgid":"m1"}`:  adapters.OK,
		`{"errcode":0,"errmsg":"ok","invaliduser":"x","unlicenseduser":"","msgid":"m1"}`: adapters.NotFound,
		`{"errcode":0,"errmsg":"ok","invaliduser":"","unlicenseduser":"x","msgid":"m1"}`: adapters.NotEnabled,
		`{"errcode":81013,"errmsg":"all invalid"}`:                                       adapters.NotFound,
		`no JSON`: adapters.Indeterminate,
	} {
		a, _ := vendor(t, say(text))
		m := &messenger{Adapter: a, agent: agent}
		out, err := m.Notify(t.Context(), adapters.NotifyRequest{Call: adapters.Call{Key: "k"}, To: "x", Text: "t"})
		if adapters.CodeOf(err) != want || want == adapters.OK && out.VendorRef != "m1" {
			t.Errorf("%s: %v, with %+v", text, err, out)
		}
	}
}

// An id is one member's, whatever is in it.
func TestOneIsTold(t *testing.T) {
	c := start(t, seed())
	m := c.open(discard, nil).(*messenger)
	for _, id := range []adapters.MemberID{"", "@all", "zhaomin003|wangfang004"} {
		if _, err := m.Notify(t.Context(), adapters.NotifyRequest{Call: adapters.Call{Key: "k"}, To: id, Text: "t"}); adapters.CodeOf(err) != adapters.NotFound {
			t.Errorf("%q: %v", id, err)
		}
	}
	if got := c.ledger(); len(got) != 0 {
		t.Errorf("WeCom was asked: %+v", got)
	}
}

// WeCom drops what is more than it lets through and says nothing, so that it must not be sent.
func TestPace(t *testing.T) {
	start := time.Unix(1772355600, 0)
	for _, steps := range [][]struct {
		at   time.Duration
		n    int // messages that may go
		wait time.Duration
	}{
		{{0, 30, time.Minute}, {20 * time.Second, 0, 40 * time.Second}, {time.Minute, 30, time.Minute}},
		{{0, 20, 0}, {50 * time.Second, 10, 10 * time.Second}, {time.Minute, 20, 50 * time.Second}},
	} {
		var p pace
		for i, s := range steps {
			now, n := start.Add(s.at), 0
			for n < s.n && p.take("a", now) == 0 {
				n++
			}
			if n != s.n || s.wait > 0 && p.take("a", now) != s.wait {
				t.Errorf("step %d: %d went, then wait %s", i, n, p.take("a", now))
			}
		}
	}
	var p pace
	sent := 0
	for at := time.Duration(0); at < time.Hour; at += time.Second {
		if p.take("a", start.Add(at)) == 0 {
			sent++
		}
		if wait := p.take(fmt.Sprint(at), start.Add(at)); wait != 0 {
			t.Fatalf("another waits %s", wait)
		}
	}
	if sent != perHour {
		t.Errorf("%d in an hour", sent)
	}
	if p.take("a", start.Add(3*time.Hour)); len(p.sent) != 1 {
		t.Errorf("%d members are remembered", len(p.sent))
	}
}

// What is over the pace is refused with the time to wait, and not sent.
func TestPaceIsKept(t *testing.T) {
	c := start(t, seed())
	m := c.open(discard, nil).(*messenger)
	var err error
	for i := 0; i <= perMinute && err == nil; i++ {
		_, err = m.Notify(t.Context(), adapters.NotifyRequest{Call: adapters.Call{Key: adapters.Key(fmt.Sprint(i))}, To: "wangfang004", Text: "t"})
	}
	if e, ok := err.(*adapters.Error); !ok || e.Code != adapters.RateLimited || e.RetryAfter <= 0 || len(c.told("wangfang004")) != perMinute {
		t.Errorf("%v after %d", err, len(c.told("wangfang004")))
	}
}
