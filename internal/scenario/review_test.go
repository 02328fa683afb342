package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const mineDocument = `{approvals(first:100,mine:true){nodes{id} totalCount}}`

// waiting are the approvals that wait for the person's own verdict.
func (p person) waiting() []string {
	p.c.t.Helper()
	var out []string
	page := read[struct {
		Nodes      []struct{ ID string }
		TotalCount int
	}](p.c.t, p.Do(mineDocument, nil))
	for _, n := range page.Nodes {
		out = append(out, n.ID)
	}
	expect(p.c.t, "count of what waits for "+p.account, page.TotalCount, len(out))
	return out
}

// alerts are the subjects of the alerts that the person may read.
func (p person) alerts() []string {
	p.c.t.Helper()
	var out []string
	for _, n := range read[struct {
		Nodes []struct {
			Kind    string
			Subject *struct{ ID string }
		}
	}](p.c.t, p.Do(`{alerts(kind:KEY_CONTACT_BLOCKED){nodes{kind subject{id}}}}`, nil)).Nodes {
		id := "hidden"
		if n.Subject != nil {
			id = n.Subject.ID
		}
		out = append(out, id)
	}
	return out
}

// wm_haikang is a key contact with 1,200,000 of open business: the salesman's manager and an admin have to agree.
func TestReview(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		for _, part := range []struct {
			name string
			play func(*testing.T, company)
		}{
			{"refused", reviewRefused}, {"taken back", reviewTakenBack}, {"lifted while it waits", reviewLiftedWhileWaiting},
			{"agreed", reviewAgreed}, {"one person, two needs", reviewOnePersonTwoNeeds}, {"nobody answers", reviewNobodyAnswers},
		} {
			c.part(part.name, part.play)
			c.Advance(11 * time.Minute) // wangfang004 asks each time, which is no burst
		}
	})
}

func reviewRefused(t *testing.T, c company) {
	r, a := c.person("wangfang004").asks("wm_haikang")
	o := c.person("zhaomin003").refuse(a.ID, "客户太重要")
	must(t, "codes", o.codes(), "")
	expect(t, "approval", o.Approval.State, "REJECTED")
	expect(t, "relationship", c.person("wangfang004").relationship(r.ID).State, "REJECTED")
	seen := c.person("wangfang004").approval(a.ID) // the requester reads why
	if len(seen.Verdicts) != 1 || seen.Verdicts[0].Approved || seen.Verdicts[0].Comment != "客户太重要" || seen.Verdicts[0].By.AccountName != "zhaomin003" {
		t.Errorf("verdicts: %v", seen.Verdicts)
	}
	expect(t, "deciding afterwards", c.person("linyue002").agree(a.ID, "").codes(), "INVALID_TRANSITION")
	expect(t, "taking back afterwards", c.person("wangfang004").cancel(a.ID).codes(), "INVALID_TRANSITION")
	expect(t, "alerts", len(c.person("linyue002").alerts()), 0)
}

func reviewTakenBack(t *testing.T, c company) {
	r, a := c.person("wangfang004").asks("wm_haikang")
	for account, want := range map[string]string{"zhaomin003": "POLICY_DENIED", "linyue002": "POLICY_DENIED", "guping012": "POLICY_DENIED",
		"sunli006": "NOT_FOUND", "liqiang005": "NOT_FOUND"} {
		expect(t, "taken back by "+account, c.person(account).cancel(a.ID).codes(), want)
	}
	o := c.person("wangfang004").cancel(a.ID)
	must(t, "codes", o.codes(), "")
	expect(t, "approval", o.Approval.State, "CANCELLED")
	expect(t, "relationship", c.person("wangfang004").relationship(r.ID).State, "CANCELLED")
	expect(t, "deciding afterwards", c.person("zhaomin003").agree(a.ID, "").codes(), "INVALID_TRANSITION")
	expect(t, "waiting for zhaomin003", len(c.person("zhaomin003").waiting()), 0)
}

func reviewLiftedWhileWaiting(t *testing.T, c company) {
	r, a := c.person("wangfang004").asks("wm_haikang")
	o := c.person("wangfang004").lift(r.ID, "想通了")
	must(t, "codes", o.codes(), "")
	expect(t, "outcome", o.Decision.Outcome, "ALLOW")
	expect(t, "relationship", o.Relationship.State, "CANCELLED")
	expect(t, "approval", c.person("wangfang004").approval(a.ID).State, "CANCELLED")
}

func reviewAgreed(t *testing.T, c company) {
	wang, zhao, lin := c.person("wangfang004"), c.person("zhaomin003"), c.person("linyue002")
	watch := wang.watch()
	o := wang.block("wm_haikang", because("天天催单"))
	must(t, "codes", o.codes(), "")
	expect(t, "outcome", o.Decision.Outcome, "REVIEW")
	expect(t, "rules", o.Decision.rules(), "C-06 C-07")
	r, a := o.Results[0].Relationship, o.Approval
	must(t, "state", r.State, "PENDING_APPROVAL")
	if r.EffectiveAt != nil || o.Results[0].EffectiveAt != nil {
		t.Error("it has an effect already")
	}
	expect(t, "it stops something already", wang.check("wm_haikang", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
	expect(t, "needs", needs(a.Needs), "admin 0/1, manager_of_actor 0/1")
	expect(t, "needs of the decision", needs(o.Decision.Needs), needs(a.Needs))
	for _, n := range a.Needs {
		switch names := n.names(); n.Role {
		case "manager_of_actor":
			expect(t, "managers", fmt.Sprint(names), "[zhaomin003]")
		case "admin":
			slices.Sort(names)
			expect(t, "admins", fmt.Sprint(names), "[chenguang001 hanlei017 linyue002]")
		}
	}
	for account, waits := range map[string]bool{"zhaomin003": true, "linyue002": true, "hanlei017": true, "chenguang001": true,
		"sunli006": false, "wangfang004": false, "guping012": false, "liqiang005": false} {
		expect(t, "it waits for "+account, slices.Contains(c.person(account).waiting(), a.ID), waits)
	}
	expect(t, "sunli006 reads it", c.person("sunli006").approval(a.ID) != nil, false)
	expect(t, "guping012 reads it", c.person("guping012").approval(a.ID) != nil, true)

	own := wang.agree(a.ID, "我同意")
	must(t, "the requester's own word", own.codes(), "POLICY_DENIED")
	if !strings.Contains(own.Decision.rules(), "approval.not_requester") {
		t.Errorf("rules: %s", own.Decision.rules())
	}
	expect(t, "the auditor's word", c.person("guping012").agree(a.ID, "").codes(), "POLICY_DENIED")
	expect(t, "a stranger's word", c.person("sunli006").agree(a.ID, "").codes(), "NOT_FOUND")

	o = zhao.agree(a.ID, "同意")
	must(t, "codes", o.codes(), "")
	expect(t, "after the first agreement", o.Approval.State, "PENDING")
	expect(t, "given", needs(o.Approval.Needs), "admin 0/1, manager_of_actor 1/1")
	expect(t, "still waits for zhaomin003", slices.Contains(zhao.waiting(), a.ID), false)
	expect(t, "the same word again", zhao.agree(a.ID, "同意").codes(), "CONFLICT")
	expect(t, "another word", zhao.refuse(a.ID, "还是算了").codes(), "CONFLICT")
	expect(t, "state", wang.relationship(r.ID).State, "PENDING_APPROVAL")

	o = lin.agree(a.ID, "")
	must(t, "codes", o.codes(), "")
	expect(t, "after the last agreement", o.Approval.State, "APPROVED")
	done := wang.relationship(r.ID)
	expect(t, "state", done.State, "ACTIVE")
	expect(t, "enforcement", done.Enforcement, "RECORDED")
	expect(t, "delivery", done.Delivery.State, "NOT_NEEDED")
	if done.EffectiveAt == nil {
		t.Error("effectiveAt is missing")
	}
	approved := wang.approval(a.ID)
	expect(t, "given", needs(approved.Needs), "admin 1/1, manager_of_actor 1/1")
	if approved.FinalDecision == nil || approved.FinalDecision.Outcome == "DENY" || approved.FinalDecision.ID == a.Decision.ID {
		t.Errorf("final decision: %v", approved.FinalDecision)
	}
	expect(t, "it stops messages now", wang.check("wm_haikang", "wangfang004", "DIRECT_MESSAGE").Allowed, false)
	for account, want := range map[string]string{"zhaomin003": "[" + r.ID + "]", "wangfang004": "[" + r.ID + "]", "linyue002": "[" + r.ID + "]",
		"guping012": "[" + r.ID + "]", "chenguang001": "[" + r.ID + "]", "sunli006": "[]", "liqiang005": "[]", "zhoujie007": "[]", "heyun011": "[]"} {
		expect(t, "alerts of "+account, fmt.Sprint(c.person(account).alerts()), want)
	}
	expect(t, "deciding afterwards", c.person("hanlei017").agree(a.ID, "").codes(), "INVALID_TRANSITION")
	expect(t, "another block", wang.block("wm_haikang").codes(), "CONFLICT")
	expect(t, "what the trail says of it", len(c.person("guping012").trail("relationship.activate")), 1)

	// What had to be reviewed is lifted by the same people.
	o = wang.lift(r.ID, "误会一场")
	must(t, "codes of the lift", o.codes(), "")
	expect(t, "outcome of the lift", o.Decision.Outcome, "REVIEW")
	expect(t, "needs of the lift", needs(o.Approval.Needs), "admin 0/1, manager_of_actor 0/1")
	expect(t, "state meanwhile", o.Relationship.State, "ACTIVE")
	again := wang.lift(r.ID, "误会一场")
	must(t, "asked twice", again.codes(), "CONFLICT")
	if !strings.Contains(again.UserErrors[0].Message, o.Approval.ID) {
		t.Errorf("the conflict names %s not: %s", o.Approval.ID, again.UserErrors[0].Message)
	}
	lift := o.Approval.ID
	expect(t, "reason of the lift", o.Approval.Reason, "误会一场")
	expect(t, "zhaomin003 agrees", zhao.agree(lift, "").codes(), "")
	expect(t, "state after one agreement", wang.relationship(r.ID).State, "ACTIVE")
	expect(t, "hanlei017 agrees", c.person("hanlei017").agree(lift, "").codes(), "")
	ended := wang.relationship(r.ID)
	expect(t, "state after both", ended.State, "LIFTED")
	if len(ended.Approvals) != 2 || ended.Approvals[0].ID != lift || ended.Approvals[1].ID != a.ID {
		t.Errorf("approvals, newest first: %v", ended.Approvals)
	}
	expect(t, "open again", wang.check("wm_haikang", "wangfang004", "DIRECT_MESSAGE").Allowed, true)
	changes := watch.of(t, r.ID, 3)
	expect(t, "changes", fmt.Sprint(changes), "[null→PENDING_APPROVAL PENDING_APPROVAL→ACTIVE ACTIVE→LIFTED]")
	for i, ch := range changes {
		expect(t, "version", ch.Relationship.Version, i+1)
	}
}

// chenguang001 is both the manager of zhaomin003 and an admin: his word counts once.
func reviewOnePersonTwoNeeds(t *testing.T, c company) {
	r, a := c.person("zhaomin003").asks("wm_xingyun")
	expect(t, "needs", needs(a.Needs), "admin 0/1, manager_of_actor 0/1")
	o := c.person("chenguang001").agree(a.ID, "")
	must(t, "codes", o.codes(), "")
	expect(t, "after the word of one", o.Approval.State, "PENDING")
	given := 0
	for _, n := range o.Approval.Needs {
		given += n.Given
	}
	expect(t, "given", given, 1)
	expect(t, "a second time", c.person("chenguang001").agree(a.ID, "").codes(), "CONFLICT")
	expect(t, "relationship", c.person("zhaomin003").relationship(r.ID).State, "PENDING_APPROVAL")
	expect(t, "another admin", c.person("linyue002").agree(a.ID, "").Approval.State, "APPROVED")
	expect(t, "relationship", c.person("zhaomin003").relationship(r.ID).State, "ACTIVE")
	expect(t, "alerts of zhaomin003's own superior", len(c.person("chenguang001").alerts()), 2)
}

// It moves the clock, so it comes last.
func reviewNobodyAnswers(t *testing.T, c company) {
	wang := c.person("wangfang004")
	watch := wang.watch()
	r, a := wang.asks("wm_haikang")
	asked := c.Now()
	if a.ExpiresAt == nil || asked.Add(72*time.Hour).Sub(*a.ExpiresAt).Abs() > time.Minute {
		t.Fatalf("it waits until %v, asked at %v", a.ExpiresAt, asked)
	}
	c.Set(a.ExpiresAt.Add(-time.Minute))
	expect(t, "in time", c.person("zhaomin003").agree(a.ID, "").codes(), "")
	c.Set(*a.ExpiresAt)
	expect(t, "approval", wang.approval(a.ID).State, "EXPIRED")
	expect(t, "relationship", wang.relationship(r.ID).State, "REJECTED")
	expect(t, "deciding afterwards", c.person("linyue002").agree(a.ID, "").codes(), "INVALID_TRANSITION")
	expect(t, "taking back afterwards", wang.cancel(a.ID).codes(), "INVALID_TRANSITION")
	expect(t, "waiting for linyue002", slices.Contains(c.person("linyue002").waiting(), a.ID), false)
	expect(t, "changes", fmt.Sprint(watch.of(t, r.ID, 2)), "[null→PENDING_APPROVAL PENDING_APPROVAL→REJECTED]")
	for action, subject := range map[string]string{"approval.expire": a.ID, "relationship.reject": r.ID} {
		events := c.person("guping012").trail(action)
		if len(events) == 0 || events[0].Subject == nil || events[0].Subject.ID != subject {
			t.Errorf("%s is not in the trail: %v", action, events)
		}
	}
	r, _ = wang.asks("wm_haikang") // nothing stands in the way of another
	expect(t, "another one", r.State, "PENDING_APPROVAL")
}
