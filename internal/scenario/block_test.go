package scenario

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// wangfang004 has had enough of liqiang005's messages; later they get on again.
func TestBlockOnNative(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, li, lin := c.person("wangfang004"), c.person("liqiang005"), c.person("linyue002")
		before := wang.Do(`{changeCursor}`, nil).Text("changeCursor")
		watchers := map[string]stream{"the initiator": wang.watch(), "an admin": lin.watch()}
		target := li.watch()

		o := wang.block("liqiang005", on("native"), because("太多消息"))
		must(t, "faults", o.codes(), "")
		r := o.Results[0].Relationship
		expect(t, "state", r.State, "ACTIVE")
		expect(t, "reason", r.Reason, "太多消息")
		expect(t, "version", r.Version, 1)
		expect(t, "scope", r.Scope, "INITIATOR_VIEW")
		expect(t, "enforcement", r.Enforcement, "NATIVE")
		expect(t, "delivery", r.Delivery.State, "NOT_NEEDED")
		expect(t, "outcome", o.Decision.Outcome, "ALLOW")
		expect(t, "rules", o.Decision.rules(), "native.block_member.employee")

		c.part("what it stops", func(t *testing.T, c company) {
			wang, li := c.person("wangfang004"), c.person("liqiang005")
			for _, where := range [][]string{{"native"}, nil} {
				expect(t, fmt.Sprint("target to initiator ", where), li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", where...).Allowed, false)
				expect(t, fmt.Sprint("initiator to target ", where), wang.check("wangfang004", "liqiang005", "DIRECT_MESSAGE", where...).Allowed, true)
			}
			expect(t, "elsewhere", li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "wecom-hq").Allowed, true)
			for _, channel := range []string{"MESSAGE_HISTORY", "GROUP_MESSAGE", "GROUP_ANNOUNCEMENT"} {
				expect(t, channel+" of the target", li.check("liqiang005", "wangfang004", channel, "native").Allowed, true)
				expect(t, channel+" of the initiator", wang.check("wangfang004", "liqiang005", channel, "native").Allowed, true)
			}
			because := wang.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "native").Because
			if len(because) != 1 || because[0].ID != r.ID {
				t.Errorf("the initiator reads the cause: %v", because)
			}
		})
		c.part("what the target learns", func(t *testing.T, c company) {
			li := c.person("liqiang005")
			check := li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "native")
			if len(check.Because) > 0 || check.Enforcement != nil {
				t.Errorf("the target is told the cause: %v", check)
			}
			for name, filter := range map[string]vars{"none": {}, "initiator": {"initiatorId": c.member("wangfang004")}, "target": {"targetId": c.member("liqiang005")}} {
				a := li.Do(`query($f:RelationshipFilter){relationships(filter:$f){totalCount nodes{id}}}`, vars{"f": filter})
				expect(t, "rows with filter "+name, len(a.Get("relationships.nodes").([]any)), 0)
				expect(t, "count with filter "+name, a.Get("relationships.totalCount"), any(0.0))
			}
			a := li.Do(`query($id:ID!){relationship(id:$id){id} node(id:$id){id} nodes(ids:[$id]){id}}`, vars{"id": r.ID})
			for _, path := range []string{"relationship", "node", "nodes.0"} {
				expect(t, path, a.Get(path), nil)
			}
		})
		c.part("what others learn", func(t *testing.T, c company) {
			in := vars{"fromId": c.member("liqiang005"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"}
			a, err := c.person("sunli006").Ask(checkDocument, vars{"in": in})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "code", a.Code(0), "FORBIDDEN")
			expect(t, "data", a.Get("contactCheck"), nil)
			id, _ := a.Errors[0].(map[string]any)["extensions"].(map[string]any)["decisionId"].(string)
			d := read[*decision](t, c.person("sunli006").Do(`query($id:ID!){node(id:$id){... on Decision{`+decisionFields+`}}}`, vars{"id": id}))
			if d == nil || d.Outcome != "DENY" || d.Action != "check_contact" {
				t.Errorf("the decision of the refusal: %v", d)
			}
			for _, may := range []string{"zhaomin003", "linyue002", "heyun011", "guping012"} { // above them, or reading all relationships
				check := c.person(may).check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "native")
				if check.Allowed || len(check.Because) != 1 {
					t.Errorf("%s: %v", may, check)
				}
			}
		})

		o = wang.lift(r.ID, "和好了")
		must(t, "faults of the lift", o.codes(), "")
		expect(t, "state", o.Relationship.State, "LIFTED")
		if o.Relationship.EndedAt == nil {
			t.Error("endedAt is missing")
		}
		expect(t, "open again", li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", "native").Allowed, true)
		expect(t, "lifted twice", wang.lift(r.ID, "再来").codes(), "INVALID_TRANSITION")
		// A change that follows: a stream that shows it next has shown what came before exactly once.
		mark := wang.blocks("sunli006", on("native"))
		own := li.blocks("sunli006", on("native"))

		var all []change
		for who, s := range watchers {
			all = s.take(t, 3)
			expect(t, who+" hears first", all[0].String(), "null→ACTIVE")
			expect(t, who+" hears then", all[1].String(), "ACTIVE→LIFTED")
			expect(t, who+" hears last", all[2].RelationshipID, mark.ID)
			for i, ch := range all[:2] {
				expect(t, who+" hears of", ch.RelationshipID, r.ID)
				expect(t, who+" hears version", ch.Relationship.Version, i+1)
			}
		}
		expect(t, "all that the target hears of", target.next(t).RelationshipID, own.ID)

		c.part("resume", func(t *testing.T, c company) {
			rest := c.person("wangfang004").watch(all[0].Cursor).take(t, 2)
			expect(t, "after the first", fmt.Sprint(rest), fmt.Sprint(all[1:]))
			again := c.person("wangfang004").watch(before).take(t, 3)
			expect(t, "after the cursor taken before", fmt.Sprint(again), fmt.Sprint(all))
			for i := range again {
				expect(t, "cursor", again[i].Cursor, all[i].Cursor)
				expect(t, "relationship", again[i].RelationshipID, all[i].RelationshipID)
			}
			of := c.person("linyue002").Subscribe(watchDocument, vars{"m": c.member("sunli006"), "after": before})
			expect(t, "of one member only", stream{of}.next(t).RelationshipID, mark.ID)
			garbage := c.person("wangfang004").Subscribe(watchDocument, vars{"after": "garbage"})
			expect(t, "a cursor of garbage", garbage.Next(t).Code(0), "BAD_USER_INPUT")
		})
	})
}

// A cursor of another life of the database says nothing about this one: clients read the lists anew.
func TestCursorOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		other, here := testkit.Demo(t, testkit.SQLite(t)), open(t, dsn)
		cursor := other.As("wangfang004").Do(`{changeCursor}`, nil).Text("changeCursor")
		a := here.person("wangfang004").Subscribe(watchDocument, vars{"after": cursor}).Next(t)
		expect(t, "code", a.Code(0), "CURSOR_EXPIRED")
	})
}

// What came after a cursor is kept for a week. A cursor that nothing came after is good for as long as one likes.
func TestCursorOfLastWeek(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		cursor := func() string { return wang.Do(`{changeCursor}`, nil).Text("changeCursor") }
		before := cursor()
		r := wang.blocks("wm_spam")
		eventually(t, "it is sealed", func() bool { return cursor() != before })
		after := cursor()
		c.Advance(7*24*time.Hour - time.Minute)
		expect(t, "of the week", stream{wang.Subscribe(watchDocument, vars{"after": before})}.next(t).RelationshipID, r.ID)
		c.Advance(2 * time.Minute)
		expect(t, "older", wang.Subscribe(watchDocument, vars{"after": before}).Next(t).Code(0), "CURSOR_EXPIRED")
		s := stream{wang.Subscribe(watchDocument, vars{"after": after})}
		must(t, "lift", wang.lift(r.ID, "x").codes(), "")
		expect(t, "nothing came after it", s.next(t).String(), "ACTIVE→LIFTED")
	})
}

// Nobody cuts off the general manager, who is two steps up; the refusal says by which rule, and leaves its trace.
func TestBlockOfASuperior(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		o := c.person("wangfang004").block("chenguang001", on("native"), because("不想被打扰"))
		must(t, "codes", o.codes(), "POLICY_DENIED")
		expect(t, "outcome", o.Decision.Outcome, "DENY")
		must(t, "rules", o.Decision.rules(), "C-01")
		r := o.Results[0]
		if r.Relationship != nil || r.Approval != nil || r.EffectiveAt != nil || len(r.Effects) > 0 {
			t.Errorf("something was made: %s", o.answer.Body)
		}
		rule := o.Decision.Rules[0]
		if line := lineOf(t, rule); !strings.HasPrefix(line, "p, C-01,") {
			t.Errorf("%s:%d reads %q", rule.File, rule.Line, line)
		}
		for header, column := range map[string]int{"en": 1, "zh-CN": 2, "zh-CN,zh;q=0.9,en;q=0.5": 2, "en-GB, zh;q=0.1": 1, "fr": 1} {
			o := c.person("wangfang004").speaking(header).block("chenguang001", on("native"))
			want := sentence(t, "C-01")[column]
			expect(t, "reason in "+header, o.Decision.Reason, want)
			expect(t, "message in "+header, o.UserErrors[0].Message, want)
		}
		a := c.person("linyue002").Do(`{relationships{totalCount}}`, nil)
		expect(t, "relationships", a.Get("relationships.totalCount"), any(0.0))

		for _, reader := range []string{"guping012", "wangfang004"} { // the auditor, and who did it
			events := c.person(reader).trail("block")
			must(t, "events that "+reader+" reads", len(events), 6)
			e := events[5] // the first one
			expect(t, "outcome", e.Outcome, "DENY")
			expect(t, "actor", e.ActorName, "王芳")
			expect(t, "actor's account", e.Actor.AccountName, "wangfang004")
			expect(t, "subject", e.Subject.ID, c.member("chenguang001"))
			expect(t, "subject's name", e.SubjectName, "陈光")
			expect(t, "detail", e.Detail, "不想被打扰")
			expect(t, "decision", e.DecisionID, o.Decision.ID)
			expect(t, "request", e.RequestID, o.answer.Header.Get("X-Request-Id"))
		}
		for _, stranger := range []string{"liqiang005", "zhaomin003", "linyue002", "zhenglan009"} {
			expect(t, "events that "+stranger+" reads", len(c.person(stranger).trail("block")), 0)
		}
		expect(t, "events that chenguang001 reads", len(c.person("chenguang001").trail("block")), 6)
	})
}

// lineOf reads the line of the shipped files that a rule says it stands in.
func lineOf(t *testing.T, r rule) string {
	t.Helper()
	found, _ := filepath.Glob("../../authz/policies/" + filepath.Base(r.File))
	adapters, _ := filepath.Glob("../../adapters/*/" + filepath.Base(r.File))
	for _, f := range append(found, adapters...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(string(b), "\n"); r.Line >= 1 && r.Line <= len(lines) && strings.Contains(lines[r.Line-1], r.Name) {
			return lines[r.Line-1]
		}
	}
	return ""
}

// sentence is the row of a rule in the shipped sentences: its id, in English, in Chinese.
func sentence(t *testing.T, rule string) []string {
	t.Helper()
	f, err := os.Open("../../authz/policies/reasons.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row[0] == rule {
			return row
		}
	}
	t.Fatalf("no sentence for %s", rule)
	return nil
}

// A block with an end holds until that moment, and not longer: no job has to run for it.
func TestBlockThatEndsByItself(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, li := c.person("wangfang004"), c.person("liqiang005")
		end := c.Now().Add(2 * time.Hour).Truncate(time.Second)
		watch := wang.watch()
		r := wang.blocks("liqiang005", on("native"), until(end))
		if r.ExpiresAt == nil || !r.ExpiresAt.Equal(end) {
			t.Errorf("expiresAt %v, want %v", r.ExpiresAt, end)
		}
		c.Set(end.Add(-30 * time.Second))
		expect(t, "before its end", li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE").Allowed, false)
		expect(t, "state before its end", wang.relationship(r.ID).State, "ACTIVE")
		expect(t, "another one before its end", wang.block("liqiang005", on("native")).codes(), "CONFLICT")

		c.Set(end)
		expect(t, "at its end", li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		ended := wang.relationship(r.ID)
		expect(t, "state at its end", ended.State, "EXPIRED")
		if ended.EndedAt == nil || !ended.EndedAt.Equal(end) {
			t.Errorf("it ended at %v, want %v", ended.EndedAt, end)
		}
		changes := watch.take(t, 2)
		expect(t, "changes", fmt.Sprint(changes), "[null→ACTIVE ACTIVE→EXPIRED]")
		expect(t, "version", changes[1].Relationship.Version, 2)
		events := c.person("guping012").trail("relationship.expire")
		if len(events) != 1 || events[0].Subject == nil || events[0].Subject.ID != r.ID || events[0].ActorName != "guanxi" {
			t.Errorf("the trail of its end: %v", events)
		}
		a := wang.Do(`{active:relationships(filter:{states:[ACTIVE]}){totalCount} expired:relationships(filter:{states:[EXPIRED]}){totalCount}}`, nil)
		expect(t, "active ones", a.Get("active.totalCount"), any(0.0))
		expect(t, "expired ones", a.Get("expired.totalCount"), any(1.0))
		expect(t, "lifting it", wang.lift(r.ID, "算了").codes(), "INVALID_TRANSITION")

		// The moment it is over another one may be made, whether or not somebody has swept up.
		soon := c.Now().Add(2 * time.Second) // time enough to ask for it
		short := wang.blocks("liqiang005", on("native"), until(soon))
		time.Sleep(time.Until(soon.Add(-c.ahead())))
		expect(t, "the moment it is over", li.check("liqiang005", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
		expect(t, "state the moment it is over", wang.relationship(short.ID).State, "EXPIRED")
		next := wang.blocks("liqiang005", on("native"))
		expect(t, "state of the short one", wang.relationship(short.ID).State, "EXPIRED")
		changes = watch.take(t, 3)
		expect(t, "changes of the two", fmt.Sprint(changes), "[null→ACTIVE ACTIVE→EXPIRED null→ACTIVE]")
		expect(t, "the last one", changes[2].RelationshipID, next.ID)
		expect(t, "ends in the trail", len(c.person("guping012").trail("relationship.expire")), 2)
	})
}

// ahead is how far the demo's clock is ahead of real time, or a little less.
func (c company) ahead() time.Duration {
	c.t.Helper()
	shows := c.Now()
	return time.Until(shows)
}

// On several workspaces a way counts as closed as far as the one that closes it least, in whichever order they were asked for.
func TestCheckShowsTheWeakestWorkspace(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		for _, order := range [][]string{{"native", "wechat-personal"}, {"wechat-personal", "native"}} {
			var made []relationship
			for _, where := range order {
				made = append(made, wang.blocks("liqiang005", on(where)))
			}
			for where, want := range map[string]string{"native": "NATIVE", "wechat-personal": "RECORDED"} {
				expect(t, where, *wang.check("liqiang005", "wangfang004", "DIRECT_MESSAGE", where).Enforcement, want)
			}
			expect(t, fmt.Sprint(order), *wang.check("liqiang005", "wangfang004", "DIRECT_MESSAGE").Enforcement, "RECORDED")
			for _, r := range made {
				must(t, "lift", wang.lift(r.ID, "好了").codes(), "")
			}
		}
	})
}
