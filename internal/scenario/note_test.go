package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Whoever may read an alert takes note of it; to everybody else it is not there. The first one stays on it, and the trail has all.
func TestAcknowledgeAlert(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c := open(t, dsn)
		wang, zhao, lin, gu := c.person("wangfang004"), c.person("zhaomin003"), c.person("linyue002"), c.person("guping012")
		_, a := wang.asks("wm_haikang")
		must(t, "agree", zhao.agree(a.ID, "可以").codes()+lin.agree(a.ID, "可以").codes(), "")
		alert := zhao.alarms()[0]
		state := func() string {
			n := gu.Do(`query($id:ID!){node(id:$id){... on Alert{acknowledgedBy{accountName} acknowledgedAt}}}`, vars{"id": alert})
			return fmt.Sprint(n.Text("node.acknowledgedBy.accountName"), " ", n.Get("node.acknowledgedAt") != nil)
		}
		for _, who := range []string{"sunli006", "zhoujie007", "zhenglan009", "heyun011"} {
			expect(t, who, c.person(who).takesNote(alert, "").codes(), "NOT_FOUND")
		}
		expect(t, "of nothing", zhao.takesNote(unknown(alert), "").codes(), "NOT_FOUND")
		expect(t, "of something else", zhao.takesNote(a.ID, "").codes(), "INVALID_INPUT")
		expect(t, "before", state(), " false")
		for _, p := range []person{zhao, gu, lin} { // an auditor may do this alone
			expect(t, p.account, p.takesNote(alert, "由我跟进").codes(), "")
			expect(t, "after "+p.account, state(), "zhaomin003 true")
		}
		var who []string
		for _, e := range gu.trail("alert.acknowledge") {
			who = append(who, e.Actor.AccountName+" "+e.Outcome+" "+e.SubjectName+" "+e.Detail)
		}
		slices.Reverse(who)
		expect(t, "the trail", strings.Join(who, ", "), "zhaomin003 ALLOW 周采购 由我跟进, guping012 ALLOW 周采购 由我跟进, linyue002 ALLOW 周采购 由我跟进")
	})
}

// A commit of A comes late, after others of B: whoever follows, at either replica and over either transport, hears of requests,
// relationships and the directory in one order, each once, and nothing of what is not committed.
func TestLateCommitsOfEveryKind(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, tagged(dsn, "A"), "--sim", sim), open(t, tagged(dsn, "B"), "--sim", sim)
	gate := testkit.NewGate(t, dsn)
	start := a.person("zhaomin003").Do(`{changeCursor}`, nil).Text("changeCursor")
	type open struct {
		account, stream, name string
		*testkit.Stream
	}
	var following []open
	for i, c := range []company{a, b} {
		for transport, subscribe := range transports {
			for _, account := range []string{"zhaomin003", "linyue002", "wangfang004"} {
				for stream, document := range streams {
					s, err := subscribe(c.person(account).Client, document, vars{"after": start})
					must(t, "subscribe", err, nil)
					following = append(following, open{account, stream, fmt.Sprint(account, "'s ", stream, "s over ", transport, " of ", i), s})
				}
			}
		}
	}
	wish := a.wish(a.contact("wm_haikang"), nil)
	held := closeGate(t, gate, "wangfang004")
	answer := make(chan testkit.Answer, 1)
	go func() {
		got, err := a.person("wangfang004").Ask(blockDocument, wish)
		if err != nil {
			t.Error(err)
		}
		answer <- got
	}()
	eventually(t, "A's commit waits", func() bool { return atGate(t, held) == "A" })
	b.person("liqiang005").asks("wm_hengda")
	directoryChanges(t, dsn)
	eventually(t, "B's are numbered", func() bool { return len(look(t, dsn).changes) > 700 })
	before := len(look(t, dsn).changes)
	must(t, "who waits", atGate(t, held), "A")
	must(t, "release", held.Release(), nil)
	reply := <-answer
	must(t, "A's answer", reply.Text("block.approval.state"), "PENDING")
	zhao := b.person("zhaomin003")
	must(t, "agree", zhao.agree(reply.Text("block.approval.id"), "可以").codes()+b.person("linyue002").agree(reply.Text("block.approval.id"), "可以").codes(), "")
	var o *oracle
	eventually(t, "A's are numbered", func() bool {
		o = look(t, dsn)
		return len(o.changes) > before && o.changes[len(o.changes)-1].kind == "alert"
	})
	for _, f := range following {
		for i, want := range o.hears(o.byAccount[f.account], f.stream) {
			if what, _ := told(t, f.Next(t)); what != want {
				t.Fatalf("%s: event %d is %q, want %q", f.name, i+1, what, want)
			}
		}
	}
	time.Sleep(quiet)
	for _, f := range following {
		expect(t, "further "+f.name, len(f.Events), 0)
	}
}
