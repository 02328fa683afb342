package scenario

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fifty commands on one pair at the same moment: what the trail tells of them is one history, in which nothing is made while
// another stands, and nothing ended that does not.
func TestOneSerialHistory(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		wang.blocks("liqiang005", on("native"))
		in := c.wish(c.member("liqiang005"), []how{on("native")})
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				time.Sleep(time.Duration(i%10) * 40 * time.Millisecond) // so that some find what others have just done
				document, v := blockDocument, in
				if end := []string{"", liftDocument, undoDocument}[i%3]; end != "" {
					a, err := wang.Ask(`{relationships(filter:{states:[ACTIVE]}){nodes{id}}}`, nil)
					if id, ok := a.Get("relationships.nodes.0.id").(string); err == nil && ok {
						document, v = end, vars{"id": id, "r": "x"}
					}
				}
				if a, err := wang.Ask(document, v); err != nil || len(a.Errors) > 0 {
					t.Errorf("command %d: %v %s", i, err, a.Body)
				}
			})
		}
		all.Wait()

		type line struct {
			event
			Prevented *string
		}
		var events []line
		for { // until all of it is sealed, for the chain is the history
			events = read[struct{ Nodes []line }](t, c.person("guping012").Do(`{auditEvents(first:100,filter:{actions:["block","lift","undo"]}){nodes{prevented `+eventFields+`}}}`, nil)).Nodes
			if !slices.ContainsFunc(events, func(e line) bool { return e.Sequence == nil }) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		slices.SortFunc(events, func(a, b line) int { return int(*a.Sequence - *b.Sequence) })
		must(t, "events", len(events), 51)
		live, n := "", 0
		for i, e := range events {
			if e.Outcome != "ALLOW" {
				t.Errorf("event %d: %v", i, e)
			}
			if e.Prevented != nil {
				continue
			}
			n++
			switch made := e.Action == "block"; {
			case made && live != "":
				t.Errorf("event %d makes %s while %s stands", i, e.Subject.ID, live)
			case made:
				live = e.Subject.ID
			case live != e.Subject.ID:
				t.Errorf("event %d ends %s; %q stands", i, e.Subject.ID, live)
			default:
				live = ""
			}
		}
		if n < 2 {
			t.Errorf("only %d commands did something", n)
		}
		standing := read[struct{ Nodes []struct{ ID string } }](t, wang.Do(`{relationships(first:100,filter:{states:[ACTIVE]}){nodes{id}}}`, nil)).Nodes
		var ids []string
		for _, r := range standing {
			ids = append(ids, r.ID)
		}
		expect(t, "what stands in the end", strings.Join(ids, " "), live)
		expect(t, "the way", wang.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "native").Allowed, live == "")
		t.Log(fmt.Sprint(n, " of 50 did something"))
	})
}
