package scenario

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// effect is a line of a simulated platform's ledger that changed something.
type effect struct {
	Seq    int64
	Code   string
	Effect *struct {
		Kind, Subject string
		Detail        struct{ Added, Removed []string }
	}
}

// effects are what the platform's ledger says has happened to a contact, in order: tags_removed, …
func (c company) effects(subject string) (out []string) {
	c.t.Helper()
	for _, l := range c.ledger() {
		if l.Effect != nil && l.Effect.Subject == subject {
			out = append(out, l.Effect.Kind)
		}
	}
	return out
}

// ledger is what the simulated platform has received.
func (c company) ledger() (lines []effect) {
	c.t.Helper()
	r := c.Send(http.MethodGet, "/demo/sim/wecom/ledger", "")
	if err := json.Unmarshal([]byte(r.Body), &lines); err != nil || r.Status != http.StatusOK {
		c.t.Fatalf("the ledger answers %d: %v: %s", r.Status, err, r.Body)
	}
	return lines
}

func count(of []string, one string) (n int) {
	for _, s := range of {
		if s == one {
			n++
		}
	}
	return n
}

// faults has the simulated platform play faults; "" ends them.
func (c company) faults(rules string) {
	c.t.Helper()
	method := http.MethodPost
	if rules == "" {
		method = http.MethodDelete
	}
	if r := c.Send(method, "/demo/sim/wecom/faults", rules); r.Status != http.StatusOK {
		c.t.Fatalf("the faults: %d: %s", r.Status, r.Body)
	}
}

// customer is a contact as its owner sees it.
type customer struct {
	Status string
	Tags   []string
}

func (p person) customer(name string) customer {
	p.c.t.Helper()
	out := read[customer](p.c.t, p.Do(`query($id:ID!){externalContact(id:$id){status tags}}`, vars{"id": p.c.contact(name)}))
	slices.Sort(out.Tags)
	return out
}

// delivered waits until a relationship's delivery has come to its end, and answers it.
func (p person) delivered(id string) relationship {
	p.c.t.Helper()
	const patience = time.Minute
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r := p.relationship(id)
		if r.Delivery.State != "PENDING" {
			return *r
		}
		if time.Now().After(end) {
			p.c.t.Fatalf("not delivered within %v: %+v\n%s", patience, r.Delivery, p.c.Log())
		}
	}
}

// A blacklisting goes out to WeCom once, comes back as a truthful state, and is undone under WeCom's terms.
func TestBlacklist(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, zhao, lin := c.person("wangfang004"), c.person("zhaomin003"), c.person("linyue002")
		expect(t, "tags before", strings.Join(wang.customer("wm_lanhai").Tags, " "), "华东")
		changes := wang.watch()
		r, a := wang.asks("wm_lanhai", as("BLACKLIST"))
		expect(t, "who must agree", who(a.Needs), "manager_of_actor[zhaomin003]")
		expect(t, "delivery while it waits", r.Delivery.State, "NOT_NEEDED")
		expect(t, "effects while it waits", strings.Join(c.effects("wm_lanhai"), " "), "")
		expect(t, "status while it waits", wang.customer("wm_lanhai").Status, "ACTIVE")
		if o := zhao.agree(a.ID, "同意"); o.codes() != "" {
			t.Fatal(o.answer.Body)
		}
		now := wang.delivered(r.ID)
		expect(t, "state", now.State, "ACTIVE")
		expect(t, "delivery", now.Delivery.State, "DELIVERED")
		expect(t, "enforcement", now.Enforcement, "EMULATED")
		expect(t, "tags taken off", count(c.effects("wm_lanhai"), "tags_removed"), 1)
		expect(t, "status", wang.customer("wm_lanhai").Status, "BLACKLISTED")
		expect(t, "tags", strings.Join(wang.customer("wm_lanhai").Tags, " "), "")
		expect(t, "alerts", len(wang.alertsOf("OPPORTUNITY_LOSS", r.ID)), 1)
		expect(t, "alerts of her manager", len(zhao.alertsOf("OPPORTUNITY_LOSS", r.ID)), 1)
		expect(t, "can be taken back", now.Undo.Allowed, true)
		expect(t, "by the agreement of", strings.Join(now.Undo.ApproverRoles, " "), "admin")
		if now.Undo.Until == nil || !now.Undo.Until.Equal(now.CreatedAt.Add(72*time.Hour)) {
			t.Errorf("it can be taken back until %v", now.Undo.Until)
		}
		for _, ch := range []struct {
			from, to string
		}{{"wangfang004", "wm_lanhai"}, {"wm_lanhai", "wangfang004"}} {
			k := wang.check(ch.from, ch.to, "DIRECT_MESSAGE")
			expect(t, "may "+ch.from+" write to "+ch.to, k.Allowed, false)
			expect(t, "which WeCom itself", *k.Enforcement, "RECORDED") // it marks a contact and stops no message
		}

		c.Advance(71 * time.Hour)
		o := wang.undo(r.ID, "弄错了")
		expect(t, "undo after 71 h", o.codes(), "")
		must(t, "undo after 71 h", o.Relationship.State, "UNDO_PENDING_APPROVAL")
		expect(t, "who must agree to the undo", who(o.Approval.Needs), "admin[chenguang001 hanlei017 linyue002]")
		expect(t, "status while the undo waits", wang.customer("wm_lanhai").Status, "BLACKLISTED")
		c.Advance(2 * time.Hour) // the moment of asking counts
		if o := lin.agree(o.Approval.ID, ""); o.codes() != "" {
			t.Fatal(o.answer.Body)
		}
		now = wang.delivered(r.ID)
		expect(t, "state after the undo", now.State, "UNDONE")
		expect(t, "delivery of the undo", now.Delivery.State, "DELIVERED")
		expect(t, "not restored", strings.Join(now.NotRestored, "; "), "")
		expect(t, "effects in all", strings.Join(c.effects("wm_lanhai"), " "), "remark_changed tags_removed remark_changed tags_added")
		expect(t, "status after the undo", wang.customer("wm_lanhai").Status, "ACTIVE")
		expect(t, "tags after the undo", strings.Join(wang.customer("wm_lanhai").Tags, " "), "华东")
		var seen []string
		for _, ch := range changes.of(t, r.ID, 4) {
			seen = append(seen, ch.String())
		}
		expect(t, "what she saw", strings.Join(seen, ", "),
			"null→PENDING_APPROVAL, PENDING_APPROVAL→ACTIVE, ACTIVE→UNDO_PENDING_APPROVAL, UNDO_PENDING_APPROVAL→UNDONE")

		c.part("after 73 hours", func(t *testing.T, c company) {
			wang, zhao := c.person("wangfang004"), c.person("zhaomin003")
			r, a := wang.asks("wm_qinghe", as("BLACKLIST"))
			zhao.agree(a.ID, "")
			wang.delivered(r.ID)
			c.Advance(73 * time.Hour)
			for _, p := range []person{wang, c.person("linyue002")} {
				o := p.undo(r.ID, "弄错了")
				expect(t, "undo by "+p.account, o.codes(), "WINDOW_CLOSED")
				expect(t, "the relationship", p.relationship(r.ID).State, "ACTIVE")
			}
			o := wang.lift(r.ID, "算了")
			must(t, "lift of what was reviewed", o.codes(), "")
			zhao.agree(o.Approval.ID, "")
			expect(t, "lifted", wang.delivered(r.ID).State, "LIFTED")
			expect(t, "tags after a lift", strings.Join(wang.customer("wm_qinghe").Tags, " "), "")
			expect(t, "effects", strings.Join(c.effects("wm_qinghe"), " "), "remark_changed tags_removed remark_changed")
			expect(t, "status after a lift", wang.customer("wm_qinghe").Status, "ACTIVE")
		})
		c.part("refused", func(t *testing.T, c company) {
			o := c.person("wangfang004").block("wm_spam", as("BLACKLIST"))
			expect(t, "a contact who is not verified", o.codes(), "POLICY_DENIED")
			expect(t, "by", o.Results[0].Decision.rules(), "wecom.blacklist.verified_only")
			o = c.person("tangxin013").block("dt_maoyi", as("BLACKLIST"))
			expect(t, "below rank 3", o.Results[0].Decision.rules(), "C-05")
			o = c.person("wangfang004").block("liqiang005", as("BLACKLIST"))
			expect(t, "a member", o.codes(), "INVALID_INPUT")
		})
	})
}

// The platforms' own rules, where nothing is connected yet: what is decided is recorded.
func TestOtherPlatforms(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		shanghai, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			t.Fatal(err)
		}
		chen, lin, qin := c.person("chenguang001"), c.person("linyue002"), c.person("qinlang014")
		_, a := qin.asks("dt_maoyi", as("BLACKLIST"))
		expect(t, "a blacklisting on DingTalk", who(a.Needs), "manager_of_actor[chenguang001]")
		qin.cancel(a.ID)

		// DingTalk: on the same day in the workspace's zone, and by a super_admin.
		today := c.Now().In(shanghai)
		c.Set(time.Date(today.Year(), today.Month(), today.Day()+1, 12, 0, 0, 0, shanghai))
		first, second := qin.blocks("liqiang005", on("native")), chen.blocks("dt_maoyi")
		expect(t, "enforcement", second.Enforcement, "RECORDED")
		expect(t, "delivery", second.Delivery.State, "NOT_NEEDED")
		c.Set(time.Date(today.Year(), today.Month(), today.Day()+1, 23, 59, 58, 0, shanghai))
		o := lin.undo(second.ID, "弄错了")
		expect(t, "undo by an admin", o.codes(), "POLICY_DENIED")
		expect(t, "by", o.Decision.rules(), "dingtalk.undo.super_admin_only")
		c.Set(time.Date(today.Year(), today.Month(), today.Day()+2, 0, 0, 1, 0, shanghai))
		expect(t, "undo a second after midnight", chen.undo(second.ID, "弄错了").codes(), "WINDOW_CLOSED")
		expect(t, "undo on native meanwhile", qin.undo(first.ID, "弄错了").codes(), "")
		chen.lift(second.ID, "算了")
		third := chen.blocks("dt_maoyi")
		expect(t, "undo on the same day by a super_admin", chen.undo(third.ID, "弄错了").Relationship.State, "UNDONE")

		// Feishu: at once, by whoever made it, without end.
		sun := c.person("sunli006")
		r := sun.blocks("shanxiaoyu016", on("feishu-hq"))
		if r.Undo.Until != nil || !r.Undo.Allowed {
			t.Errorf("terms on Feishu: %+v", r.Undo)
		}
		c.Advance(100 * 24 * time.Hour)
		expect(t, "undo by another", chen.undo(r.ID, "弄错了").codes(), "POLICY_DENIED")
		expect(t, "undo by the initiator", sun.undo(r.ID, "弄错了").Relationship.State, "UNDONE")
	})
}

// Whoever undoes and has himself the role that the terms ask for asks nobody.
func TestUndoByAnAdmin(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		r := lin.blocks("wm_qinghe", as("BLACKLIST"))
		lin.delivered(r.ID)
		o := lin.undo(r.ID, "弄错了", "k")
		must(t, "undo", o.codes(), "")
		expect(t, "state", o.Relationship.State, "UNDONE")
		expect(t, "asked again", lin.undo(r.ID, "弄错了", "k").Relationship.State, "UNDONE")
		expect(t, "once more", lin.undo(r.ID, "弄错了").codes(), "INVALID_TRANSITION")
		lin.delivered(r.ID)
		expect(t, "effects", strings.Join(c.effects("wm_qinghe"), " "), "remark_changed tags_removed remark_changed tags_added")
	})
}

// An undo that is refused, taken back or not answered leaves what stands.
func TestUndoNotGranted(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, lin := c.person("wangfang004"), c.person("linyue002")
		r := wang.blocks("wm_spam")
		for name, end := range map[string]func(approval string){
			"refused":    func(id string) { lin.refuse(id, "no") },
			"taken back": func(id string) { wang.cancel(id) },
		} {
			o := wang.undo(r.ID, "弄错了")
			must(t, "undo", o.codes(), "")
			must(t, "undo that waits", o.Relationship.State, "UNDO_PENDING_APPROVAL")
			expect(t, "asked twice", wang.undo(r.ID, "弄错了").codes(), "CONFLICT")
			expect(t, "still stops", wang.check("wm_spam", "wangfang004", "DIRECT_MESSAGE").Allowed, false)
			end(o.Approval.ID)
			expect(t, name, wang.relationship(r.ID).State, "ACTIVE")
		}
		o := wang.undo(r.ID, "弄错了")
		c.Advance(72*time.Hour + time.Minute)
		expect(t, "nobody answered", wang.relationship(r.ID).State, "ACTIVE")
		expect(t, "the approval", wang.approval(o.Approval.ID).State, "EXPIRED")
		expect(t, "once the window is closed", wang.undo(r.ID, "弄错了").codes(), "WINDOW_CLOSED")

		// What an undo is asked for can still be lifted; the request has then nothing to wait for.
		s := wang.blocks("wm_lanhai")
		o = wang.undo(s.ID, "弄错了")
		expect(t, "lift while the undo waits", wang.lift(s.ID, "算了").Relationship.State, "LIFTED")
		expect(t, "its request", wang.approval(o.Approval.ID).State, "CANCELLED")
	})
}

// alertsOf are the person's alerts of a kind about a relationship.
func (p person) alertsOf(kind, relationship string) (out []string) {
	p.c.t.Helper()
	for _, n := range read[struct {
		Nodes []struct {
			ID      string
			Subject *struct{ ID string }
		}
	}](p.c.t, p.Do(`query($k:AlertKind){alerts(kind:$k,first:100){nodes{id subject{id}}}}`, vars{"k": kind})).Nodes {
		if n.Subject != nil && n.Subject.ID == relationship {
			out = append(out, n.ID)
		}
	}
	return out
}
