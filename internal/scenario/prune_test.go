package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const pruneDocument = `mutation($in:PruneBlacklistInput!){do:pruneBlacklist(input:$in){removed more decision{id outcome rules{name}} userErrors{code path decision{id}}}}`

// prunes asks to remove what has expired, and answers what went wrong, or how much was removed and whether there is more.
func (p person) prunes(in vars) string {
	p.c.t.Helper()
	a := p.Do(pruneDocument, vars{"in": in})
	if code := a.Text("do.userErrors.0.code"); code != "" {
		return code
	}
	return fmt.Sprint(a.Get("do.removed"), " ", a.Get("do.more"))
}

// listedFor blacklists a contact for some hours, with the agreement of a manager where that takes one.
func (p person) listedFor(hours int, contact, manager string) relationship {
	p.c.t.Helper()
	o := p.block(contact, as("BLACKLIST"), on("wecom-hq"), until(p.c.Now().Add(time.Duration(hours)*time.Hour)))
	if len(o.Results) != 1 || o.Results[0].Relationship == nil {
		p.c.t.Fatalf("%s blacklists %s: %s", p.account, contact, o.answer.Body)
	}
	if a := o.Approval; a != nil {
		must(p.c.t, "agreed", p.c.person(manager).agree(a.ID, "").Approval.State, "APPROVED")
	}
	return *p.relationship(o.Results[0].Relationship.ID)
}

// rows counts the rows that a command writes.
func (c company) rows() string {
	c.t.Helper()
	var out []string
	for _, table := range []string{"relationships", "audit_events", "decisions", "changes", "intents", "webhooks", "notices", "idempotency"} {
		var n int
		if err := testkit.Database(c.t, c.dsn).QueryRow("select count(*) from " + table).Scan(&n); err != nil {
			c.t.Fatal(err)
		}
		out = append(out, fmt.Sprint(table, " ", n))
	}
	return strings.Join(out, ", ")
}

// blacklistings whose time ran out are kept until an admin removes them. What was said and decided of them stays.
func TestPrune(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, wang, zhao := c.person("linyue002"), c.person("wangfang004"), c.person("zhaomin003")
		run := func(more ...string) (string, string, int) {
			return testkit.Run(append([]string{"blacklist", "prune", "--server", c.URL}, more...)...)
		}
		short, long := wang.listedFor(1, "wm_lanhai", "zhaomin003"), lin.listedFor(1000, "wm_qinghe", "")
		block := wang.blocks("wm_spam", until(c.Now().Add(time.Hour)))
		expect(t, "nothing has expired", lin.prunes(vars{}), "0 false")
		from := map[string]string{}
		for _, p := range []person{lin, wang, zhao, c.person("liqiang005")} {
			from[p.account] = p.Do(`{changeCursor}`, nil).Text("changeCursor")
		}
		c.Advance(2 * time.Hour)
		const expired = `{relationships(filter:{kinds:[BLACKLIST],states:[EXPIRED]}){nodes{id}}}`
		expect(t, "what has expired shows", wang.Do(expired, nil).Text("relationships.nodes.0.id"), short.ID)

		for account, want := range map[string]string{"zhaomin003": "POLICY_DENIED", "fengtao010": "POLICY_DENIED", "guping012": "POLICY_DENIED"} {
			expect(t, account, c.person(account).prunes(vars{}), want)
			expect(t, account+", dry", c.person(account).prunes(vars{"dryRun": true}), want)
		}
		expect(t, "a service", c.service(demoKey).Do(pruneDocument, vars{"in": vars{}}).Text("do.userErrors.0.code"), "POLICY_DENIED")
		expect(t, "no such workspace", lin.prunes(vars{"workspaceId": unknown(c.workspace("native"))}), "NOT_FOUND")
		expect(t, "no workspace", lin.prunes(vars{"workspaceId": short.ID}), "INVALID_INPUT")
		expect(t, "the future", lin.prunes(vars{"days": -1}), "INVALID_INPUT")

		before := c.rows()
		out, _, code := run("--as", "linyue002", "--dry-run")
		expect(t, "a dry run", fmt.Sprint(out, code), "1 expired blacklistings would be removed\n0")
		expect(t, "elsewhere", lin.prunes(vars{"dryRun": true, "workspaceId": c.workspace("dingtalk-hq")}), "0 false")
		expect(t, "of yesterday", lin.prunes(vars{"dryRun": true, "days": 1}), "0 false")
		expect(t, "a dry run writes nothing", c.rows(), before)
		for _, args := range [][]string{{"--as", "linyue002", "--days", "-1"}, {"--as", "linyue002", "--workspace", "wecom"}, {"too", "much"}} {
			if _, stderr, code := run(args...); code != 2 {
				t.Errorf("%v: exit %d: %s", args, code, stderr)
			}
		}
		if _, stderr, code := run("--as", "zhaomin003"); code != 1 || !strings.Contains(stderr, "(POLICY_DENIED)") {
			t.Errorf("denied: exit %d: %s", code, stderr)
		}

		out, stderr, code := run("--as", "linyue002", "--workspace", "wecom-hq", "--json")
		expect(t, "removed", fmt.Sprint(out, stderr, code), "{\"dryRun\":false,\"removed\":1}\n0")
		for what, id := range map[string]string{"one that stands": long.ID, "a block": block.ID} {
			expect(t, what, lin.relationship(id) != nil, true)
		}
		if lin.relationship(short.ID) != nil {
			t.Error("what was removed is there")
		}
		expect(t, "by its id", lin.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": short.ID}).Get("node"), nil)
		expect(t, "again", lin.prunes(vars{"idempotencyKey": "k"}), "0 false")
		expect(t, "again with its key", lin.prunes(vars{"idempotencyKey": "k"}), "0 false")
		expect(t, "the key for another", lin.prunes(vars{"idempotencyKey": "k", "days": 1}), "IDEMPOTENCY_KEY_REUSED")

		// What was said of it stays.
		a := c.person("guping012").Do(`query($i:ID!){auditEvents(first:50,filter:{subjectId:$i}){nodes{action actorName subject{id} decision{outcome}}}}`, vars{"i": short.ID})
		for _, action := range []string{"blacklist", "relationship.expire"} {
			if !strings.Contains(a.Body, `"action":"`+action+`"`) {
				t.Errorf("no %s in the trail of what was removed: %s", action, a.Body)
			}
		}
		trail := c.person("guping012").Do(`{auditEvents(first:10,filter:{actions:["blacklist.prune"]}){nodes{actorName outcome detail workspace{name} subject{__typename}}}}`, nil)
		if !strings.Contains(trail.Body, short.ID) || !strings.Contains(trail.Body, "林悦") {
			t.Errorf("nobody is named for it: %s", trail.Body)
		}
		agreed := zhao.Do(`{approvals(first:10){nodes{state subject{id} requestedBy{name} verdicts{approved}}}}`, nil)
		if !strings.Contains(agreed.Body, `"subject":null`) || !strings.Contains(agreed.Body, "APPROVED") {
			t.Errorf("the approval: %s", agreed.Body)
		}

		// Whoever could see it hears that it is gone, also if he was away.
		for _, p := range []person{lin, wang, zhao} {
			s := stream{p.Subscribe(`subscription($after:String){relationshipChanged(after:$after){relationshipId previousState relationship{id}}}`, vars{"after": from[p.account]})}
			for {
				a := s.Next(t)
				if len(a.Errors) > 0 {
					t.Fatalf("%s: %v", p.account, a.Errors)
				}
				if a.Text("relationshipChanged.relationshipId") == short.ID {
					expect(t, p.account+" hears", fmt.Sprint(a.Get("relationshipChanged.relationship"), a.Get("relationshipChanged.previousState")), "<nil> <nil>")
					break
				}
			}
		}
		li := c.person("liqiang005")
		own := li.blocks("gaoxiang020", on("native")) // what he hears next is his own
		s := li.Subscribe(`subscription($after:String){relationshipChanged(after:$after){relationshipId}}`, vars{"after": from["liqiang005"]})
		expect(t, "a stranger hears", s.Next(t).Text("relationshipChanged.relationshipId"), own.ID)
	})
}

// Many are removed some hundred at a time, and one that a platform has still to be told of is not.
func TestPruneMany(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		r := lin.listedFor(1, "wm_lanhai", "")
		c.Advance(2 * time.Hour)
		id := "randomblob(16)"
		if strings.HasPrefix(c.dsn, "postgres") {
			id = "gen_random_uuid()"
		}
		const same = `workspace_id, kind, state, version, scope, source, initiator_id, target_kind, target_id, group_id, reason, created_at, effective_at,
			expires_at, ended_at, enforcement, undo_terms, needs, decision_id, further, delegate_id, requested_by, declared`
		for range 10 { // 1, 2, 4 …
			c.exec("insert into relationships (id, " + same + ") select " + id + ", " + same + " from relationships where kind = 'BLACKLIST'")
		}
		c.exec("update intents set state = 'PENDING', next_try_at = 9000000000000000 where subject_id in (select id from relationships where kind = 'BLACKLIST')")
		expect(t, "of which one is on its way", lin.prunes(vars{"dryRun": true}), "1023 false")
		expect(t, "at once", lin.prunes(vars{}), "512 true")
		out, _, code := testkit.Run("blacklist", "prune", "--server", c.URL, "--as", "linyue002")
		expect(t, "the rest", fmt.Sprint(out, code), "511 expired blacklistings removed\n0")
		expect(t, "it stays", lin.relationship(r.ID) != nil, true)
	})
}

// With blacklist.keep the gateway does it by itself, also what came due while it was down.
func TestPruneBySetting(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--blacklist-keep", "240h")
		lin := c.person("linyue002")
		first := lin.listedFor(1, "wm_lanhai", "")
		c.Advance(240 * time.Hour)
		expect(t, "not yet", lin.relationship(first.ID) != nil, true)
		second := lin.listedFor(1, "wm_qinghe", "")
		c.Advance(2 * time.Hour)
		expect(t, "by the clock", lin.relationship(first.ID) == nil, true)
		expect(t, "the other", lin.relationship(second.ID) != nil, true)
		events := c.person("guping012").trail("blacklist.prune")
		expect(t, "in the trail", len(events), 1)
		expect(t, "by", events[0].ActorName, "guanxi")
		c.Stop()

		c = open(t, dsn) // which keeps them for good
		c.Advance(240 * time.Hour)
		expect(t, "without the setting", c.person("linyue002").relationship(second.ID) != nil, true)
		c.Stop()
		c = open(t, dsn, "--blacklist-keep", "240h")
		eventually(t, "at its start", func() bool { return c.person("linyue002").relationship(second.ID) == nil })
	})
}
