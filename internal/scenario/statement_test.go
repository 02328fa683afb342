package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What a list costs does not depend on how many rows it shows: the database is asked for all of them at once. How many
// statements a request took is in the log; what the gateway does beside it is not among them.
func TestListsAskForAllRowsAtOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, listsAskForAllRowsAtOnce)
}

func listsAskForAllRowsAtOnce(t *testing.T, dsn string) {
	c := open(t, dsn, "--limits-everyone", "1000000/0/0", "--log-format", "json") // what is counted here is dearer than anybody may ask
	c.furnish(t)
	last := ""
	do := func(p person, query string) testkit.Answer {
		a := p.Do(query, nil)
		last = a.Header.Get("X-Request-Id")
		return a
	}
	count := func() (n int64) { // of the last request, whose line comes after its answer
		eventually(t, "the line of a request", func() (found bool) { n, found = c.statements(last); return found })
		return n
	}
	lin, gu := c.person("linyue002"), c.person("guping012")

	member := `id name department{name parent{name}} departments{name manager{name}} manager{name department{name} accounts{status}} accounts{status workspace{name}}`
	contact := `id name phone platformId workspace{name} owner{name manager{name}} opportunities{title owner{name}}`
	decision := `id rules{name text} actor{name} target{id} workspace{name} needs{role given candidates{name department{name}}}`
	relationship := `id reason initiator{` + member + `} target{... on Member{` + member + `} ... on ExternalContact{` + contact + `}} workspace{name}
		delivery{state} effects{channel from{... on Member{name}} to{... on Member{name}}} decision{` + decision + `}
		approvals{id summary verdicts{by{name} comment} needs{candidates{name}}}`
	for list, k := range map[string]struct {
		p      person
		fields string
	}{
		"members":          {lin, member},
		"externalContacts": {lin, contact},
		"groups":           {lin, `id name workspace{name} owner{` + member + `} admins{name department{name}}`},
		"departments":      {lin, `id name parent{name manager{name}} manager{` + member + `}`},
		"relationships":    {gu, relationship},
		"approvals": {gu, `id summary reason requestedBy{name manager{name}} subject{... on Relationship{` + relationship + `}} needs{role given candidates{name}}
			decision{` + decision + `} finalDecision{` + decision + `} verdicts{by{name} comment}`},
		"auditEvents": {gu, `id actorName detail actor{... on Member{name department{name}}} subject{id ... on Relationship{` + relationship + `}}
			workspace{name} decision{` + decision + `}`},
		"alerts": {gu, `id title subject{... on Relationship{` + relationship + `}}`},
	} {
		ask := func(first int) func() (rows int) {
			return func() int {
				a := do(k.p, fmt.Sprintf(`{%s(first:%d){nodes{%s} totalCount}}`, list, first, k.fields))
				return len(a.Get(list + ".nodes").([]any))
			}
		}
		few := 3
		switch list {
		case "alerts": // of which there are six
			few = 1
		case "auditEvents": // some of each kind
			few = 12
		}
		constant(t, list, count, ask(few), ask(50))
	}
	ids := func(n int) string {
		var out []string
		for _, list := range []string{"members", "externalContacts", "groups", "relationships", "approvals", "departments"} {
			for _, id := range read[struct{ Nodes []struct{ ID string } }](t, gu.Do(fmt.Sprintf(`{%s(first:%d){nodes{id}}}`, list, n), nil)).Nodes {
				out = append(out, `"`+id.ID+`"`)
			}
		}
		return strings.Join(out, ",")
	}
	nodes := func(of string) func() int {
		return func() int {
			a := do(gu, `{nodes(ids:[`+of+`]){... on Member{`+member+`} ... on ExternalContact{`+contact+`} ... on Group{owner{name}} ... on Relationship{`+relationship+`}
				... on Approval{summary verdicts{comment}} ... on Department{parent{name}}}}`)
			return len(a.Get("nodes").([]any))
		}
	}
	constant(t, "nodes", count, nodes(ids(6)), nodes(ids(9))) // six of each are of every kind that nine are
	// Workspaces come all at once: with the list, and with who asks.
	do(lin, `{workspaces{name platform{name capabilities{action}} health{reachable}}}`)
	if n := count(); n < 1 || n > 4 {
		t.Errorf("workspaces: %d statements", n)
	}
}

// statements is how many statements a request to the gateway took, once that is in the log.
func (c company) statements(request string) (n int64, found bool) {
	for l := range strings.Lines(c.Log()) {
		var line struct {
			Msg, Request string
			Statements   int64
		}
		if strings.Contains(l, request) && json.Unmarshal([]byte(l), &line) == nil && line.Msg == "request" && line.Request == request {
			return line.Statements, true
		}
	}
	return 0, false
}

// slack is by how much two pages of one list may differ, for which of two relations of a row is asked for first is
// left to chance. A question for each row would show as one statement a row.
const slack = 3

// constant holds two questions to the same number of statements, of which the second one shows many more rows.
func constant(t *testing.T, what string, count func() int64, few, many func() int) {
	t.Helper()
	cost := func(ask func() int) (rows int, least int64) {
		for i := range 3 { // the least, for the first one finds no keys at hand
			rows = ask()
			if n := count(); i == 0 || n < least {
				least = n
			}
		}
		return rows, least
	}
	fewRows, one := cost(few)
	manyRows, other := cost(many)
	if one == 0 || fewRows == 0 || manyRows <= fewRows+slack {
		t.Errorf("%s: nothing to compare: %d statements, %d and %d rows", what, one, fewRows, manyRows)
	}
	if other > one+slack {
		t.Errorf("%s: %d rows cost %d statements, %d rows %d", what, fewRows, one, manyRows, other)
	}
}

// furnish makes relationships, approvals, alerts and events of several people, so that lists have rows of every kind.
func (c company) furnish(t *testing.T) {
	t.Helper()
	const rounds = 6 // in each of them the same, so that a short page has what a long one has
	for i := range rounds {
		for _, whom := range []string{"sunli006", "zhenglan009", "fengtao010"} {
			p := c.person([]string{"liqiang005", "heyun011", "qinlang014"}[i%3])
			r := p.blocks(whom, on("native"))
			must(t, "lift", p.lift(r.ID, "算了").codes(), "")
		}
		for _, who := range []string{"wangfang004", "liqiang005"} {
			p := c.person(who)
			agree := func(a approval) {
				must(t, "agree", c.person("zhaomin003").agree(a.ID, "好").codes(), "")
				if who == "wangfang004" {
					must(t, "agree", c.person([]string{"linyue002", "hanlei017"}[i%2]).agree(a.ID, "好").codes(), "")
				}
			}
			r, a := p.asks(map[string]string{"wangfang004": "wm_haikang", "liqiang005": "wm_hengda"}[who])
			agree(a)
			if i < rounds-1 {
				o := p.lift(r.ID, "算了")
				must(t, "lift", o.codes(), "")
				agree(*o.Approval)
			}
		}
		c.Advance(11 * time.Minute) // nobody's contacts are blocked in a burst
	}
}
