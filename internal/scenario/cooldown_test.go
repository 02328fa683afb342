package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// stages is block where it must begin with a cool-down.
func (p person) stages(target string, hs ...how) relationship {
	p.c.t.Helper()
	o := p.block(target, hs...)
	if o.codes() != "" || len(o.Results) != 1 || o.Results[0].Relationship == nil || o.Results[0].Relationship.State != "STAGED" {
		p.c.t.Fatalf("%s blocks %s: %s", p.account, target, o.answer.Body)
	}
	return *o.Results[0].Relationship
}

// exec changes rows behind the gateway's back.
func (c company) exec(query string) {
	c.t.Helper()
	if _, err := testkit.Database(c.t, c.dsn).Exec(query); err != nil {
		c.t.Fatal(err)
	}
}

// withLines opens the company with policy lines of its own.
func withLines(t *testing.T, dsn string, lines ...string) company {
	t.Helper()
	return open(t, dsn, "--policies", written(t, lines...))
}

// written is a directory with a policy file of some lines.
func written(t *testing.T, lines ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme.csv"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wangfang004 is angry and blocks one contact after the other: the third one waits for a quarter of an hour, her superiors
// hear of it, and then it comes about by itself.
func TestBurst(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		watch := wang.watch()
		wang.blocks("wm_lanhai")
		second := wang.blocks("wm_spam")
		expect(t, "what is there already", wang.block("wm_spam").codes(), "CONFLICT") // made nothing, so it does not count
		expect(t, "what is refused", wang.block("zhaomin003", on("native")).codes(), "POLICY_DENIED")
		wang.blocks("liqiang005", on("native")) // no contact

		o := wang.block("wm_qinghe", because("都烦"), keyed("third"))
		must(t, "faults", o.codes(), "")
		r := *o.Results[0].Relationship
		must(t, "state", r.State, "STAGED")
		expect(t, "outcome", o.Decision.Outcome, "ALLOW")
		expect(t, "rules", o.Decision.rules(), "C-11 wecom.block_external.employee")
		expect(t, "reason", o.Decision.Reason, sentence(t, "C-11")[1])
		expect(t, "end of the cool-down", r.EffectiveAt.Sub(r.CreatedAt), 15*time.Minute)
		expect(t, "as the result has it", *o.Results[0].EffectiveAt, *r.EffectiveAt)
		expect(t, "undo window", r.Undo.Until.Sub(r.CreatedAt), 72*time.Hour)
		expect(t, "delivery", r.Delivery.State, "NOT_NEEDED")
		again := wang.block("wm_qinghe", because("都烦"), keyed("third"))
		expect(t, "asked again with its key", again.Results[0].Relationship.ID+again.Results[0].Relationship.State, r.ID+"STAGED")
		expect(t, "asked anew", wang.block("wm_qinghe").codes(), "CONFLICT")
		expect(t, "an undo of nothing", wang.undo(r.ID, "弄错了").codes(), "INVALID_TRANSITION")

		c.part("who hears of it", func(t *testing.T, c company) {
			for account, hears := range map[string]int{"zhaomin003": 1, "chenguang001": 1, "linyue002": 1, "guping012": 1, "liqiang005": 0, "sunli006": 0, "heyun011": 0} {
				expect(t, account, len(c.person(account).alertsOf("BLOCK_OVERUSE", r.ID)), hears)
			}
			expect(t, "alerts about the second", len(c.person("zhaomin003").alertsOf("BLOCK_OVERUSE", second.ID)), 0)
		})
		c.part("no effect yet", func(t *testing.T, c company) {
			wang := c.person("wangfang004")
			expect(t, "the contact's messages", wang.check("wm_qinghe", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
			a := wang.Do(`{staged:relationships(filter:{states:[STAGED]}){nodes{id}} active:relationships(filter:{states:[ACTIVE]}){totalCount}}`, nil)
			expect(t, "those staged", a.Text("staged.nodes.0.id"), r.ID)
			expect(t, "those in effect", a.Get("active.totalCount"), any(3.0))
		})

		c.Set(r.EffectiveAt.Add(-20 * time.Second))
		expect(t, "state before its end", wang.relationship(r.ID).State, "STAGED")
		expect(t, "the contact's messages before its end", wang.check("wm_qinghe", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		at := c.Set(*r.EffectiveAt)
		now := *wang.relationship(r.ID)
		must(t, "state after it", now.State, "ACTIVE")
		expect(t, "version", now.Version, 2)
		if now.EffectiveAt.Before(*r.EffectiveAt) || now.EffectiveAt.After(at.Add(time.Minute)) {
			t.Errorf("it took effect at %v, want %v", now.EffectiveAt, r.EffectiveAt)
		}
		expect(t, "undo window as it was", *now.Undo.Until, *r.Undo.Until)
		expect(t, "the contact's messages after it", wang.check("wm_qinghe", "wangfang004", "DIRECT_MESSAGE").Allowed, false)
		expect(t, "changes", fmt.Sprint(watch.of(t, r.ID, 2)), "[null→STAGED STAGED→ACTIVE]")
		expect(t, "alerts", len(c.person("zhaomin003").alertsOf("BLOCK_OVERUSE", r.ID)), 1)
		events := c.person("guping012").trail("relationship.activate")
		if len(events) != 1 || events[0].Subject == nil || events[0].Subject.ID != r.ID || events[0].ActorName != "guanxi" || events[0].DecisionID == "" {
			t.Errorf("the trail: %v", events)
		}

		// Ten quiet minutes, and it begins anew.
		expect(t, "lift", wang.lift(r.ID, "算了").Relationship.State, "LIFTED")
		wang.blocks("wm_qinghe")
	})
}

// What has not taken effect yet is taken back by a word, and never comes about.
func TestCooldownTakenBack(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		wang.blocks("wm_lanhai")
		wang.blocks("wm_spam")
		r := wang.stages("wm_qinghe")
		o := wang.lift(r.ID, "冷静了", "k")
		must(t, "faults", o.codes(), "")
		expect(t, "outcome", o.Decision.Outcome, "ALLOW")
		expect(t, "state", o.Relationship.State, "CANCELLED")
		if o.Relationship.EffectiveAt != nil {
			t.Errorf("it took effect at %v", o.Relationship.EffectiveAt)
		}
		expect(t, "asked again", wang.lift(r.ID, "冷静了", "k").Relationship.State, "CANCELLED")
		expect(t, "once more", wang.lift(r.ID, "冷静了").codes(), "INVALID_TRANSITION")
		fourth := wang.stages("wm_qinghe") // what was taken back counts
		c.Advance(16 * time.Minute)
		expect(t, "the one taken back", wang.relationship(r.ID).State, "CANCELLED")
		expect(t, "the other", wang.relationship(fourth.ID).State, "ACTIVE")
	})
}

// When the cool-down is over policy is asked again, on the facts of that moment.
func TestCooldownDecidedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		wang.blocks("wm_lanhai")
		wang.blocks("wm_spam")
		frozen := wang.stages("wm_qinghe")
		ends := c.Now().Add(5 * time.Minute)
		c.exec("update accounts set status = 'FROZEN' where platform_id = 'wangfang004' and workspace_id = (select id from workspaces where name = 'wecom-hq')")
		c.Advance(16 * time.Minute)
		c.exec("update accounts set status = 'ACTIVE' where status = 'FROZEN' and platform_id = 'wangfang004'")
		seen := *wang.relationship(frozen.ID)
		must(t, "state of hers who was frozen", seen.State, "REJECTED")
		if seen.EndedAt == nil || seen.EffectiveAt != nil {
			t.Errorf("it ended at %v and took effect at %v", seen.EndedAt, seen.EffectiveAt)
		}
		events := c.person("guping012").trail("relationship.reject")
		must(t, "events", len(events), 1)
		d := read[*decision](t, c.person("guping012").Do(`query($id:ID!){node(id:$id){... on Decision{`+decisionFields+`}}}`, vars{"id": events[0].DecisionID}))
		expect(t, "why", d.Outcome+" "+d.rules(), "DENY C-04")

		// An expiry within the cool-down comes first.
		c.part("expired meanwhile", func(t *testing.T, c company) {
			wang := c.person("wangfang004")
			for _, target := range []string{"wm_lanhai", "wm_spam"} {
				for _, n := range wang.mine(target) {
					wang.lift(n, "算了")
				}
				wang.blocks(target)
			}
			ends = c.Now().Add(5 * time.Minute)
			r := wang.stages("wm_qinghe", until(ends))
			c.Advance(16 * time.Minute)
			expect(t, "state", wang.relationship(r.ID).State, "EXPIRED")
			expect(t, "steps into effect", len(c.person("guping012").trail("relationship.activate")), 0)
		})
		// A contact who matters by now is for the manager to decide; nobody waits for a second cool-down.
		c.part("to be reviewed by now", func(t *testing.T, c company) {
			wang, zhao := c.person("wangfang004"), c.person("zhaomin003")
			for _, target := range []string{"wm_lanhai", "wm_spam"} {
				for _, n := range wang.mine(target) {
					wang.lift(n, "算了")
				}
				wang.blocks(target)
			}
			r := wang.stages("wm_qinghe")
			c.exec("update external_contacts set importance = 'KEY' where platform_id = 'wm_qinghe'")
			c.Advance(16 * time.Minute)
			seen := *wang.relationship(r.ID)
			must(t, "state", seen.State, "PENDING_APPROVAL")
			if seen.EffectiveAt != nil || len(seen.Approvals) != 1 || needs(seen.Approvals[0].Needs) != "manager_of_actor 0/1" {
				t.Fatalf("it waits for %v, and takes effect at %v", seen.Approvals, seen.EffectiveAt)
			}
			must(t, "agreed", zhao.agree(seen.Approvals[0].ID, "好").codes(), "")
			expect(t, "state once agreed", wang.relationship(r.ID).State, "ACTIVE")
			expect(t, "alerts of a burst", len(zhao.alertsOf("BLOCK_OVERUSE", r.ID)), 1)
			expect(t, "alerts of a key contact", len(zhao.alertsOf("KEY_CONTACT_BLOCKED", r.ID)), 1)
			o := wang.lift(r.ID, "算了") // as it was made
			expect(t, "lift", o.Decision.Outcome+" "+needs(o.Decision.Needs), "REVIEW manager_of_actor 0/1")
		})
	})
}

// mine are the person's live relationships with a contact.
func (p person) mine(contact string) (out []string) {
	p.c.t.Helper()
	for _, n := range read[struct{ Nodes []relationship }](p.c.t, p.Do(`query($f:RelationshipFilter){relationships(filter:$f){nodes{id}}}`,
		vars{"f": vars{"targetId": p.c.contact(contact), "states": []string{"ACTIVE", "STAGED", "PENDING_APPROVAL"}}})).Nodes {
		out = append(out, n.ID)
	}
	return out
}

// What was the second when it was asked for is no third when it is agreed to, whatever came after it.
func TestSecondIsReviewed(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		wang.blocks("wm_lanhai")
		r, a := wang.asks("wm_haikang")
		wang.stages("wm_qinghe")
		must(t, "agreed", c.person("zhaomin003").agree(a.ID, "好").codes()+c.person("linyue002").agree(a.ID, "好").codes(), "")
		expect(t, "state", wang.relationship(r.ID).State, "ACTIVE")
	})
}

// What has to be reviewed cools down once it is approved; those who agreed are not asked again, unless they may no longer.
func TestCooldownAfterReview(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, zhao, lin := c.person("wangfang004"), c.person("zhaomin003"), c.person("linyue002")
		wang.blocks("wm_lanhai")
		wang.blocks("wm_spam")
		r, a := wang.asks("wm_haikang")
		expect(t, "alerts while it waits", len(zhao.alertsOf("BLOCK_OVERUSE", r.ID)), 0)
		c.Advance(time.Hour) // it was the third in ten minutes when she asked
		must(t, "first", zhao.agree(a.ID, "好").codes(), "")
		must(t, "second", lin.agree(a.ID, "好").codes(), "")
		staged := *wang.relationship(r.ID)
		must(t, "state once agreed", staged.State, "STAGED")
		if left := staged.EffectiveAt.Sub(c.Now()); left < 14*time.Minute || left > 15*time.Minute {
			t.Errorf("its cool-down lasts %v more", left)
		}
		expect(t, "undo window", staged.Undo.Until.Sub(staged.CreatedAt), 72*time.Hour)
		for _, kind := range []string{"BLOCK_OVERUSE", "KEY_CONTACT_BLOCKED"} {
			expect(t, kind, len(zhao.alertsOf(kind, r.ID)), 1)
		}
		expect(t, "events", len(c.person("guping012").trail("relationship.stage")), 1)
		expect(t, "the contact's messages", wang.check("wm_haikang", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		c.Advance(16 * time.Minute)
		expect(t, "state after it", wang.relationship(r.ID).State, "ACTIVE")
		expect(t, "approvals", len(wang.relationship(r.ID).Approvals), 1)
		for _, kind := range []string{"BLOCK_OVERUSE", "KEY_CONTACT_BLOCKED"} {
			expect(t, kind+" in the end", len(zhao.alertsOf(kind, r.ID)), 1)
		}

		// Another time the admin who agreed is one no longer when the cool-down ends.
		lifted := wang.lift(r.ID, "算了")
		must(t, "agreed to the lift", zhao.agree(lifted.Approval.ID, "").codes()+lin.agree(lifted.Approval.ID, "").codes(), "")
		wang.blocks("wm_qinghe")
		for _, target := range []string{"wm_lanhai"} {
			wang.lift(wang.mine(target)[0], "算了")
			wang.blocks(target)
		}
		r, a = wang.asks("wm_haikang")
		must(t, "agreed", zhao.agree(a.ID, "好").codes()+lin.agree(a.ID, "好").codes(), "")
		must(t, "state once agreed", wang.relationship(r.ID).State, "STAGED")
		c.exec("delete from member_roles where role = 'admin' and member_id = (select id from members where account_name = 'linyue002')")
		c.Advance(16 * time.Minute)
		seen := *wang.relationship(r.ID)
		must(t, "state", seen.State, "PENDING_APPROVAL")
		must(t, "approvals", len(seen.Approvals), 2)
		expect(t, "who is asked now", needs(seen.Approvals[0].Needs), "admin 0/1, manager_of_actor 0/1")
	})
}

// Of blocks at the same time, too, it is the third one that waits.
func TestBurstAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		targets := []string{"wm_lanhai", "wm_spam", "wm_qinghe"}
		for _, target := range targets {
			c.contact(target)
		}
		for round := range 8 {
			states := make([]string, len(targets))
			var all sync.WaitGroup
			for i, target := range targets {
				all.Go(func() {
					a, err := wang.Ask(blockDocument, c.wish(c.ids["contact "+target], nil))
					if err != nil {
						t.Error(err)
						return
					}
					states[i] = a.Text("block.results.0.relationship.state")
				})
			}
			all.Wait()
			slices.Sort(states)
			must(t, fmt.Sprint("round ", round), strings.Join(states, " "), "ACTIVE ACTIVE STAGED")
			for _, target := range targets {
				wang.lift(wang.mine(target)[0], "算了")
			}
			c.Advance(11 * time.Minute)
		}
	})
}

// A company puts a cool-down on what it likes: nothing leaves for the platform before it is over. A gateway that was down
// meanwhile makes up for it.
func TestCompanyCooldown(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		const line = "p, acme.slow, wecom, employee, blacklist, contact, true, allow, , cooldown:1h | alert:BLOCK_OVERUSE"
		c := withLines(t, dsn, line)
		lin := c.person("linyue002")
		r := lin.stages("wm_lanhai", as("BLACKLIST"))
		expect(t, "cool-down", r.EffectiveAt.Sub(r.CreatedAt), time.Hour)
		expect(t, "delivery", r.Delivery.State, "NOT_NEEDED")
		expect(t, "status of the contact", lin.customer("wm_lanhai").Status, "ACTIVE")
		expect(t, "effects", len(c.effects("wm_lanhai")), 0)
		c.Advance(59 * time.Minute)
		expect(t, "state", lin.relationship(r.ID).State, "STAGED")
		c.Stop()

		c = withLines(t, dsn, line)
		lin = c.person("linyue002")
		c.Advance(2 * time.Minute)
		expect(t, "state after it", lin.delivered(r.ID).State, "ACTIVE")
		expect(t, "status of the contact", lin.customer("wm_lanhai").Status, "BLACKLISTED")
		expect(t, "effects", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed")
		expect(t, "changes of the customer", len(c.person("guping012").trail("relationship.activate")), 1)
	})
}

// The facts that count: blacklistings of the last hour, and blocks of the last ten minutes whatever is asked for.
func TestCounts(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn, "p, acme.few, wecom, anyone, blacklist, contact, r.sub.LastHour > 1, review, super_admin,",
			"p, acme.calm, native, anyone, block, member, r.sub.RecentBlocks >= 2, deny, ,")
		lin := c.person("linyue002")
		lin.blocks("wm_lanhai", as("BLACKLIST"))
		o := lin.block("wm_qinghe", as("BLACKLIST"))
		must(t, "the second in an hour", o.Decision.Outcome, "REVIEW")
		expect(t, "rules", o.Decision.rules(), "acme.few")
		c.Advance(61 * time.Minute)
		lin.blocks("wm_spam") // a block counts for nothing there
		expect(t, "an hour later", lin.block("wm_xingyun", as("BLACKLIST")).Decision.rules(), "C-06 C-07")

		wang := c.person("wangfang004")
		wang.blocks("wm_spam")
		wang.lift(wang.blocks("liqiang005", on("native")).ID, "和好了")
		wang.blocks("wm_qinghe")
		expect(t, "a colleague after two contacts", wang.block("liqiang005", on("native")).Decision.rules(), "acme.calm")
		c.Advance(11 * time.Minute)
		wang.blocks("liqiang005", on("native"))
	})
}

// A company keeps a department from blocking on DingTalk by one line: everybody in it or below it, and nobody else.
func TestRestrictedDepartment(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn, "p, acme.dingtalk.restricted, dingtalk, anyone, block, *, '人事部' in r.sub.Departments, deny, ,",
			"p, acme.all_others, native, anyone, block, *, '总部' in r.sub.Departments && !('人事部' in r.sub.Departments), deny, ,")
		zheng, qin := c.person("zhenglan009"), c.person("qinlang014")
		says := func(p person, target, where string) string {
			o := p.block(target, on(where), with("approvalDelegateId", c.member("chenguang001")))
			must(t, p.account+" on "+where, len(o.Results), 1)
			return o.Results[0].Decision.Outcome + " " + o.Results[0].Decision.rules()
		}
		expect(t, "restricted", says(zheng, "qinlang014", "dingtalk-hq"), "DENY acme.dingtalk.restricted")
		expect(t, "elsewhere", says(zheng, "qinlang014", "native"), "ALLOW native.block_member.employee")
		expect(t, "another department", says(qin, "zhenglan009", "dingtalk-hq"), "ALLOW dingtalk.block_member.employee")
		expect(t, "one that is below", says(qin, "zhenglan009", "native"), "DENY acme.all_others")
		asked := func(p person, target string) string {
			return p.Do(`query($t:ID!,$w:ID!){decide(input:{action:"block",targetId:$t,workspaceId:$w}){outcome}}`,
				vars{"t": c.member(target), "w": c.workspace("dingtalk-hq")}).Text("decide.outcome")
		}
		expect(t, "what they would be told", asked(zheng, "qinlang014")+asked(qin, "zhenglan009"), "DENYALLOW")
	})
}
