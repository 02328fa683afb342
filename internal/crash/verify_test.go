package crash

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
)

// notThere is in every violation that says that something answered is missing.
const notThere = "was answered and is not there"

func (r *run) violate(format string, args ...any) {
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
}

// verify looks at what is left: in the database itself, by `guanxi audit verify` beside the gateway and after it, and
// through the API of a gateway that was started once more.
func (r *run) verify() {
	r.t.Helper()
	r.sealed()
	r.g.stop()
	if out, ok := r.g.auditVerify(); !ok {
		r.violate("guanxi audit verify: %s", out)
	}
	r.look()
	r.g.start()
	r.listAll()
	r.askAgain()
	r.g.stop()
	if len(r.violations) == 0 { // else asking again has carried out what was lost
		r.look()
	}
}

// askAgain sends every command once more: its key must give the answer that it got.
func (r *run) askAgain() {
	url, _ := r.g.where()
	for _, c := range r.commands {
		if !c.answered {
			continue
		}
		if again, err := r.send(url, c); err != nil || again != c.answer {
			r.violate("%s, asked again by its key: %+v, %v; was %+v", c, again, err, c.answer)
		}
	}
}

// listAll reads everybody's relationships through the API, and holds them to what was answered.
func (r *run) listAll() {
	r.t.Helper()
	type row struct {
		ID, State, Reason string
		Version           int
	}
	got := map[string]row{}
	for _, p := range r.people {
		for after := any(nil); ; {
			var page struct {
				Relationships struct {
					Nodes    []row
					PageInfo struct {
						HasNextPage bool
						EndCursor   string
					}
				}
			}
			r.read(p, `query($a:String){relationships(first:100,after:$a){nodes{id state version reason} pageInfo{hasNextPage endCursor}}}`,
				map[string]any{"a": after}, &page)
			for _, n := range page.Relationships.Nodes {
				got[n.ID] = n
			}
			if !page.Relationships.PageInfo.HasNextPage {
				break
			}
			after = page.Relationships.PageInfo.EndCursor
		}
	}
	for _, c := range r.commands {
		if c.lifts != nil || !c.answered {
			continue
		}
		id := c.answer.Relationship.ID
		want := row{ID: id, State: "ACTIVE", Version: 1, Reason: c.text}
		if c.replaced != nil && c.replaced.answered {
			want.State, want.Version = "LIFTED", 2
		}
		if n, ok := got[id]; !ok {
			r.violate("%s %s: the list lacks %s", c, notThere, id)
		} else if n != want {
			r.violate("%s: listed as %+v, want %+v", c, n, want)
		}
		delete(got, id)
	}
	for id := range got {
		r.violate("relationship %s is listed and was answered to nobody", id)
	}
}

// sealed waits until the sealer is through.
func (r *run) sealed() {
	r.t.Helper()
	for range 100 {
		out, ok := r.g.auditVerify()
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
	driver, name, isSQLite := "pgx", r.g.dsn, false
	if path, ok := strings.CutPrefix(r.g.dsn, "sqlite:"); ok {
		driver, name, isSQLite = "sqlite", path, true
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()

	keys, decisions, intents, changes, relationships, states := rows{}, rows{}, rows{}, rows{}, rows{}, rows{}
	for _, c := range r.commands {
		if !c.answered {
			continue
		}
		id, d := row(c.answer.Relationship.ID), row(c.answer.Decision.ID)
		keys[c.key], decisions[d] = c, c
		if c.lifts == nil {
			relationships[id] = c
			changes[id+" ACTIVE"], intents["block:"+id+":1"] = c, c
		} else {
			changes[id+" LIFTED"], intents["lift:"+id+":2"] = c, c
		}
	}
	for _, c := range relationships {
		state, version := "ACTIVE", 1
		if c.replaced != nil && c.replaced.answered {
			state, version = "LIFTED", 2
		}
		states[fmt.Sprintf("%s %s %d", row(c.answer.Relationship.ID), state, version)] = c
	}
	var id im.ID
	var text string
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
	r.once("audit_events", decisions, r.rows(db, "select decision_id from audit_events", ids, &id))
	r.once("relationships", relationships, r.rows(db, "select id from relationships", ids, &id))
	r.once("relationships in this state and version", states, r.rows(db, "select id, state, version from relationships",
		func() string { return fmt.Sprintf("%s %s %d", id, text, at) }, &id, &text, &at))
	r.once("intents", intents, r.rows(db, "select key from intents", func() string { return text }, &text))
	r.once("changes", changes, r.rows(db, "select relationship_id, snapshot from changes", func() string {
		var s struct{ State string }
		_ = json.Unmarshal([]byte(text), &s) // one that does not parse has no state, and is told by that
		return id.String() + " " + s.State
	}, &id, &text))

	r.dense("changes", r.rows(db, "select number from changes order by number", func() string { return fmt.Sprint(number.Int64) }, &number))
	r.dense("audit_events", r.rows(db, "select sequence from audit_events order by sequence", func() string { return fmt.Sprint(number.Int64) }, &number))

	nothing := map[string]string{
		"two live relationships of one pair": `select cast(count(*) as text) from relationships where state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL')
			group by initiator_id, target_id, workspace_id, kind having count(*) > 1`,
		"a decision of another relationship": `select r.state from relationships r left join decisions d on d.id = r.decision_id where d.target_id is null or d.target_id <> r.target_id`,
		"a reason under no key":              `select r.state from relationships r where substr(r.reason, 2, 16) not in (select k.id from data_keys k where k.wrapped is not null)`,
		"an approval":                        `select state from approvals`,
		"an alert":                           `select kind from alerts`,
	}
	if isSQLite {
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

// report prints where each kill hit, and how long the gateway took to come up again.
func (r *run) report() {
	r.t.Helper()
	r.g.mu.Lock()
	defer r.g.mu.Unlock()
	replayed, hits := map[*command]bool{}, 0
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
		if r.among(k) {
			hits++
		}
		r.t.Logf("kill %2d: %3d of %d begun, %3d answered: %-8s  committed and not answered: %-12s not committed: %s", i+1, k.begun, len(r.commands), k.answered,
			k.phase, list(done), list(open))
	}
	tries := 0
	for _, c := range r.commands {
		tries += c.tries
	}
	starts := slices.Sorted(slices.Values(r.g.starts))
	r.t.Logf("%d of %d kills between the first command and the last; %d commands were committed when the kill took their answer; %d commands took %d tries",
		hits, len(r.kills), len(replayed), len(r.commands), tries)
	r.t.Logf("%d starts: median %v, longest %v", len(starts), starts[len(starts)/2].Round(time.Millisecond), starts[len(starts)-1].Round(time.Millisecond))
}

// among reports whether a kill hit between the first command and the last.
func (r *run) among(k *kill) bool { return k.begun > 0 && k.answered < len(r.commands) }

func list(s []string) string {
	if len(s) == 0 {
		return "-"
	}
	return strings.Join(s, " ")
}
