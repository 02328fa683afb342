package scenario

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// streams are the documents of subscriptions, by what they tell of. Each answers by one name what changed, whether it shows, and what
// it was before.
var streams = map[string]string{
	"relationship": `subscription($after:String){s:relationshipChanged(after:$after){cursor about:relationshipId node:relationship{id} more:previousState}}`,
	"approval":     `subscription($after:String){s:approvalChanged(after:$after){cursor about:approvalId node:approval{id} more:previousState}}`,
	"alert":        `subscription($after:String){s:alertRaised(after:$after){cursor node:alert{id}}}`,
	"directory":    `subscription($after:String){s:directoryChanged(after:$after){cursor about:nodeId node{id} more:kind}}`,
}

// told is an event in short, as [oracle.hears] has it.
func told(t testing.TB, a testkit.Answer) (what, cursor string) {
	t.Helper()
	if len(a.Errors) > 0 {
		t.Errorf("an event: %v", a.Errors)
	}
	about, node := a.Text("s.about"), a.Text("s.node.id")
	if about == "" {
		about = node
	}
	if node != "" && node != about {
		t.Errorf("an event about %s shows %s", about, node)
	}
	return fmt.Sprint(about, " ", node != "", " ", a.Text("s.more")), a.Text("s.cursor")
}

// listener follows one stream of one person, cut after each few events and resumed over the other transport.
type listener struct {
	p      person
	stream string
	over   string
	*testkit.Stream
	heard []string
	after string
}

// hears compares what comes with what is to come, and leaves the stream open after it.
func (l *listener) hears(t testing.TB, want []string, few int) {
	t.Helper()
	for {
		s, err := transports[l.over](l.p.Client, streams[l.stream], vars{"after": l.after})
		must(t, "subscribe", err, nil)
		l.Stream = s
		for range few {
			if len(l.heard) == len(want) {
				return
			}
			what, cursor := told(t, l.Next(t))
			if l.heard, l.after = append(l.heard, what), cursor; what != want[len(l.heard)-1] {
				t.Fatalf("%s, %ss over %s: event %d is %q, want %q", l.p.account, l.stream, l.over, len(l.heard), what, want[len(l.heard)-1])
			}
		}
		l.Cut()
		l.over = map[string]string{"SSE": "WebSocket", "WebSocket": "SSE"}[l.over]
	}
}

// Everybody hears of exactly what he may see when he is told, in order, each once: whatever he resumes after and over either transport.
func TestStreamsTellWhatOneSees(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c, start := eventful(t, dsn)
		directoryChanges(t, dsn)
		var o *oracle
		eventually(t, "everything is numbered", func() bool {
			o = look(t, dsn)
			return slices.ContainsFunc(o.changes, func(c changeRow) bool { return c.what == "REMOVED" })
		})
		var open []*listener
		told := map[string]int{}
		for _, account := range everybody {
			for stream := range streams {
				for over := range transports {
					l := &listener{p: c.person(account), stream: stream, over: over, after: start}
					want := o.hears(o.byAccount[account], stream)
					l.hears(t, want, max(3, len(want)/4))
					told[stream] += len(want)
					open = append(open, l)
				}
			}
		}
		time.Sleep(quiet)
		for _, l := range open {
			expect(t, fmt.Sprint("further ", l.stream, "s of ", l.p.account, " over ", l.over), len(l.Events), 0)
		}
		for stream := range streams {
			if told[stream] < 10 {
				t.Errorf("only %d events of the stream of %ss", told[stream], stream)
			}
		}
	})
}

// directoryChanges writes changes of everything in the directory, as an import would.
func directoryChanges(t testing.TB, dsn string) {
	t.Helper()
	o, ids := look(t, dsn), im.NewIDs(time.Now)
	db := testkit.Database(t, dsn)
	tx, err := db.Begin()
	must(t, "begin", err, nil)
	change := func(kind string, id im.ID, what string) {
		_, err := tx.Exec("insert into changes (id, at, kind, subject_id, what) values ($1, $2, $3, $4, $5)", ids.New(), time.Now().UnixMicro(), kind, id, what)
		must(t, "insert", err, nil)
	}
	for id := range o.contacts {
		change("contact", id, "UPDATED")
	}
	for id := range o.groups {
		change("group", id, "CREATED")
	}
	for id := range o.people {
		change("member", id, "UPDATED")
	}
	for id := range o.accounts {
		change("account", id, "UPDATED")
	}
	for id := range o.path {
		change("department", id, "REMOVED")
	}
	must(t, "commit", tx.Commit(), nil)
}
