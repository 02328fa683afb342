package crash

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// notThere is in every violation that says that something answered is missing.
const notThere = "was answered and is not there"

func (r *run) violate(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

// judge fails the test for what a run has found, or where too few of its kills hit.
func (r *run) judge() {
	r.t.Helper()
	for _, v := range r.violations {
		r.t.Error(v)
	}
	if n, hits := len(r.kills), r.hits(); float64(hits) < amongMin*float64(n) {
		r.t.Errorf("only %d of %d kills hit between the first %s and the last", hits, n, r.unit())
	}
}

// amongMin is the part of the kills that must hit between the first command, or change on WeCom, and the last.
const amongMin = 0.8

// verify looks at what is left: in the database itself, by `guanxi audit verify` beside the gateway and after it,
// through the API of a gateway that was started once more, and on the platform.
func (r *run) verify() {
	r.t.Helper()
	if r.wecom != nil {
		r.delivered()
	}
	r.sealed()
	for _, g := range r.gateways {
		g.stop()
	}
	if out, ok := r.auditVerify(); !ok {
		r.violate("guanxi audit verify: %s", out)
	}
	r.look()
	one := r.gateways[0]
	one.start()
	r.listAll()
	if r.wecom != nil {
		r.checkContacts()
		r.checkWeCom()
	}
	r.askAgain()
	one.stop()
	if len(r.violations) > 0 { // asking again has carried out what was lost
		return
	}
	r.look()
	if r.wecom != nil {
		r.checkWeCom()
	}
}

// auditVerify runs `guanxi audit verify` on the database.
func (r *run) auditVerify() (out string, ok bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	c := exec.CommandContext(ctx, r.bin, "audit", "verify", "--json", "--db", r.dsn)
	c.Env = environment()
	b, err := c.CombinedOutput()
	return string(b), err == nil
}

// askAgain sends every command once more: its key must give the answer that it got.
func (r *run) askAgain() {
	_, url := r.open(0)
	for _, c := range r.commands {
		if !c.answered {
			continue
		}
		if again, err := r.send(url, c); err != nil || again != c.answer {
			r.violate("%s, asked again by its key: %+v, %v; was %+v", c, again, err, c.answer)
		}
	}
}

type pageInfo struct {
	HasNextPage bool
	EndCursor   string
}

// listAll reads everybody's relationships through the API, and holds them to what was answered.
func (r *run) listAll() {
	r.t.Helper()
	type row struct {
		ID, State, Reason string
		Version           int
		Delivery          struct{ State string }
		NotRestored       []string
	}
	got := map[string]row{}
	for _, p := range r.people {
		for after := any(nil); ; {
			var page struct {
				Relationships struct {
					Nodes    []row
					PageInfo pageInfo
				}
			}
			r.read(p, `query($a:String){relationships(first:100,after:$a){nodes{id state version reason delivery{state} notRestored} pageInfo{hasNextPage endCursor}}}`,
				map[string]any{"a": after}, &page)
			for _, n := range page.Relationships.Nodes {
				got[n.ID] = n
			}
			if !page.Relationships.PageInfo.HasNextPage {
				break
			}
			after = page.Relationships.PageInfo.EndCursor
		}
		if r.wecom != nil {
			break // they are all the same admin
		}
	}
	for _, c := range r.commands {
		if c.ends != nil || !c.answered {
			continue
		}
		id := c.answer.Relationship.ID
		last := c.last()
		want := row{ID: id, State: last.answer.Relationship.State, Version: last.does.version, Reason: c.text, NotRestored: []string{}}
		want.Delivery.State = r.deliveryState()
		if n, ok := got[id]; !ok {
			r.violate("%s %s: the list lacks %s", c, notThere, id)
		} else if diff := cmp.Diff(want, n); diff != "" {
			r.violate("%s: listed as another than it should be (-want +got):\n%s", c, diff)
		}
		delete(got, id)
	}
	for id := range got {
		r.violate("relationship %s is listed and was answered to nobody", id)
	}
}

// last is the command that left what a command made as it now is.
func (c *command) last() *command {
	if c.stands() {
		return c
	}
	return c.ended
}

// deliveryState is how each delivery must have ended.
func (r *run) deliveryState() string {
	if r.wecom == nil {
		return "NOT_NEEDED"
	}
	return "DELIVERED"
}

// sealed waits until the sealer is through.
func (r *run) sealed() {
	r.t.Helper()
	for range 100 {
		out, ok := r.auditVerify()
		var rep struct{ Waiting int }
		switch err := json.Unmarshal([]byte(out), &rep); {
		case !ok || err != nil:
			r.violate("guanxi audit verify beside the gateway: %s", out)
			return
		case rep.Waiting == 0:
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.violate("events are not sealed")
}

// look reads the tables: each command must have left each of its rows, once, and nothing else may be there.
func (r *run) look() {
	r.t.Helper()
	db := testkit.Database(r.t, r.dsn)
	defer func() { _ = db.Close() }() // the gateway is to be alone again

	keys, decisions, intents, changes, relationships, states := rows{}, rows{}, rows{}, rows{}, rows{}, rows{}
	events, alerts, holds := rows{firstPolicy: firstStart}, rows{}, rows{}
	for _, c := range r.commands {
		if !c.answered {
			continue
		}
		id, d := row(c.answer.Relationship.ID), row(c.answer.Decision.ID)
		keys[c.key], decisions[d], events[d] = c, c, c
		changes[id+" "+c.answer.Relationship.State] = c
		if !c.held() {
			intents[fmt.Sprintf("%s:%s:%d %s", c.does.word, id, c.does.version, r.deliveryState())] = c
		}
		if r.wecom != nil {
			events[fmt.Sprintf("platform.deliver of %s, %d", id, c.does.version)] = c
		}
		if c.ends != nil {
			continue
		}
		last := c.last()
		relationships[id] = c
		states[fmt.Sprintf("%s %s %d", id, last.answer.Relationship.State, last.does.version)] = c
		if r.wecom != nil || c.held() {
			alerts[id] = c
		}
		if r.wecom != nil && c.stands() {
			holds[row(c.on.target)] = c
		}
	}
	var id, about im.ID
	var text, state string
	var number sql.NullInt64
	var at int64
	ids := func() string { return id.String() }

	r.once("idempotency", keys, r.rows(db, "select key, at from idempotency", func() string {
		if c, ok := keys[text]; ok {
			c.at = time.UnixMicro(at)
		}
		return text
	}, &text, &at))
	r.once("decisions", decisions, r.rows(db, "select id from decisions", ids, &id))
	delivered := map[im.ID]int{}
	r.once("audit_events", events, r.rows(db, "select decision_id, action, subject_id from audit_events", func() string {
		if !id.IsZero() {
			return id.String()
		}
		delivered[about]++
		return fmt.Sprintf("%s of %s, %d", text, about, delivered[about])
	}, &id, &text, &about))
	r.once("relationships", relationships, r.rows(db, "select id from relationships", ids, &id))
	r.once("relationships in this state and version", states, r.rows(db, "select id, state, version from relationships",
		func() string { return fmt.Sprintf("%s %s %d", id, text, at) }, &id, &text, &at))
	r.once("intents", intents, r.rows(db, "select key, state, settled_at from intents", func() string {
		key := text + " " + state
		if c, ok := intents[key]; ok {
			c.settled = time.UnixMicro(number.Int64)
		}
		return key
	}, &text, &state, &number))
	r.once("changes", changes, r.rows(db, "select subject_id, snapshot from changes where kind = 'relationship'", func() string {
		var s struct{ State string }
		_ = json.Unmarshal([]byte(text), &s) // one that does not parse has no state, and is told by that
		return id.String() + " " + s.State
	}, &id, &text))
	r.once("alerts", alerts, r.rows(db, "select distinct subject_id from alerts", ids, &id))
	r.once("contact_holds", holds, r.rows(db, "select contact_id from contact_holds", ids, &id))

	r.dense("changes", r.rows(db, "select number from changes order by number", func() string { return fmt.Sprint(number.Int64) }, &number))
	r.dense("audit_events", r.rows(db, "select sequence from audit_events order by sequence", func() string { return fmt.Sprint(number.Int64) }, &number))

	nothing := map[string]string{
		"two live relationships of one pair": `select cast(count(*) as text) from relationships where state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL')
			group by initiator_id, target_id, workspace_id, kind having count(*) > 1`,
		"a decision of another relationship": `select r.state from relationships r left join decisions d on d.id = r.decision_id where d.target_id is null or d.target_id <> r.target_id`,
		"a reason under no key":              `select r.state from relationships r where substr(r.reason, 2, 16) not in (select k.id from data_keys k where k.wrapped is not null)`,
		"an approval":                        `select state from approvals`,
		"an alert twice":                     `select kind from alerts group by kind, subject_id, person_id having count(*) > 1`,
		"something not put back":             `select 'items' from relationship_shortfalls`,
	}
	if isSQLite(r.dsn) {
		nothing["a broken page"] = `select * from pragma_integrity_check where integrity_check <> 'ok'`
		nothing["a row without its parent"] = `select "table" from pragma_foreign_key_check`
	} else {
		nothing["a reason under no key"] = strings.Replace(nothing["a reason under no key"], "k.id", "decode(replace(k.id::text, '-', ''), 'hex')", 1)
	}
	for what, query := range nothing {
		if found := r.rows(db, query, func() string { return text }, &text); len(found) > 0 {
			r.violate("there is %s: %q", what, found)
		}
	}
}

// firstStart stands for what the first start has done, which is nobody's command.
var firstStart = &command{does: &verb{word: "the first start"}}

// firstPolicy is the event that the policy, which was never another, is in force.
const firstPolicy = "policy.activate of 00000000-0000-0000-0000-000000000000, 1"

// rows is what a table must hold, and the command that left it.
type rows map[string]*command

// row is the id of a row, of the id that clients see.
func row(id string) string {
	ref, _ := nodeid.Decode(id)
	return ref.ID.String()
}

// rows reads a table: each row into the variables, and then as it is named.
func (r *run) rows(db *sql.DB, query string, name func() string, into ...any) (out []string) {
	r.t.Helper()
	rs, err := db.Query(query)
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rs.Close() }()
	for rs.Next() {
		if err := rs.Scan(into...); err != nil {
			r.t.Fatalf("%s: %v", query, err)
		}
		out = append(out, name())
	}
	if err := rs.Err(); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return out
}

// once holds a table to the commands.
func (r *run) once(table string, want rows, got []string) {
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch n := count[key]; {
		case n == 0:
			r.violate("%s %s: no row %s in %s", want[key], notThere, key, table)
		case n > 1:
			r.violate("%s is there %d times: %s in %s", want[key], n, key, table)
		}
		delete(count, key)
	}
	for _, key := range slices.Sorted(maps.Keys(count)) {
		r.violate("%s in %s was answered to nobody", key, table)
	}
}

// dense holds numbers to 1, 2, 3 …
func (r *run) dense(table string, got []string) {
	for i, g := range got {
		if g != fmt.Sprint(i+1) {
			r.violate("the numbers of %s have a gap: %s in place %d", table, g, i+1)
			return
		}
	}
}

// report prints where each kill hit, how long the gateway took to come up again, and when it went on with deliveries.
func (r *run) report() {
	r.t.Helper()
	var trips []trip
	if r.wecom != nil && !r.extent.hurry { // else the clock by which they were settled is another
		trips = r.trips()
	}
	replayed := map[*command]bool{}
	var caught [3]int
	var pauses []time.Duration
	for i, k := range r.kills {
		var done, open []string
		for _, c := range k.flying {
			// Its record was written by a process that was killed before it could answer, or by a later one.
			if c.answered && c.at.Before(k.at) {
				done = append(done, fmt.Sprint(c.n))
				replayed[c] = true
			} else {
				open = append(open, fmt.Sprint(c.n))
			}
		}
		line := fmt.Sprintf("kill %2d of %s: %3d of %d begun, %3d answered: %-10s  committed and not answered: %-12s not committed: %-12s", i+1, k.of.name,
			k.begun, len(r.commands), k.answered, k.phase, list(done), list(open))
		if r.wecom != nil {
			line += fmt.Sprintf(" changes on WeCom: %d of %d", k.changes, r.wecom.changes())
		}
		if trips != nil {
			n := k.underWay(trips)
			line += fmt.Sprintf("  deliveries under way: %d read, %d half done, %d done and not settled", n[0], n[1], n[2])
			for j := range n {
				caught[j] += n[j]
			}
			next := time.Now()
			if i+1 < len(r.kills) {
				next = r.kills[i+1].before
			}
			if d := k.resumed(trips, next); d > 0 {
				pauses = append(pauses, d)
				line += fmt.Sprintf("  next one after %v", d.Round(time.Millisecond))
			}
		}
		r.t.Log(line)
	}
	tries := 0
	for _, c := range r.commands {
		tries += c.tries
	}
	var starts []time.Duration
	for _, g := range r.gateways {
		starts = append(starts, g.starts...)
	}
	r.t.Logf("%d of %d kills between the first %s and the last; %d commands were committed when the kill took their answer; %d commands took %d tries",
		r.hits(), len(r.kills), r.unit(), len(replayed), len(r.commands), tries)
	r.t.Logf("%d starts: %s", len(starts), spread(starts))
	if len(pauses) > 0 {
		r.t.Logf("%d deliveries were under way when a kill hit: %d had been read, %d half done, %d done and not settled", caught[0]+caught[1]+caught[2], caught[0], caught[1], caught[2])
		r.t.Logf("from a kill to the next delivery: %s", spread(pauses))
		if d := slices.Max(pauses); d > r.resumeMax() {
			r.violate("deliveries went on only %v after a kill", d)
		}
	}
}

// spread says of times what is usual and what was worst.
func spread(times []time.Duration) string {
	times = slices.Sorted(slices.Values(times))
	return fmt.Sprintf("median %v, longest %v", times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
}

// hits are the kills that hit between the first command and the last, or where there are changes on WeCom, between the
// first of those and the last.
func (r *run) hits() (n int) {
	for _, k := range r.kills {
		among := k.begun > 0 && k.answered < len(r.commands)
		if r.wecom != nil {
			among = k.changes > 0 && k.changes < r.wecom.changes()
		}
		if among {
			n++
		}
	}
	return n
}

// unit is what hits are counted by.
func (r *run) unit() string {
	if r.wecom != nil {
		return "change on WeCom"
	}
	return "command"
}

func list(s []string) string {
	if len(s) == 0 {
		return "-"
	}
	return strings.Join(s, " ")
}
