package scenario

import (
	"fmt"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// On Feishu who blocked somebody by mistake takes it back at once, and nothing of it stays in what users see. Who reads the
// trail of all finds all of it.
func TestUndoWithoutTrace(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		sun, lin, gu := c.person("sunli006"), c.person("linyue002"), c.person("guping012")
		start := sun.Do(`{changeCursor}`, nil).Text("changeCursor")
		made := sun.block("shanxiaoyu016", on("feishu-hq"))
		r := *made.Results[0].Relationship
		expect(t, "terms", fmt.Sprint(r.Undo), fmt.Sprint(undoTerms{Allowed: true, ApproverRoles: []string{}}))
		before := map[string]seen{}
		for _, who := range []string{"sunli006", "linyue002", "guping012"} {
			before[who] = c.person(who).sees(r.ID)
		}
		must(t, "what the initiator sees before", before["sunli006"], seen{true, 1, true, 1})

		o := sun.undo(r.ID, "点错了", "k")
		must(t, "undo", o.codes(), "")
		expect(t, "no review", o.Decision.Outcome, "ALLOW")
		expect(t, "state", o.Relationship.State, "UNDONE")
		expect(t, "leaves a trace", o.Relationship.Undo.LeavesTrace, false)
		again := sun.undo(r.ID, "点错了", "k")
		expect(t, "asked again with its key", again.Relationship.State+again.Relationship.Reason, "UNDONE太多消息")
		expect(t, "once more", sun.undo(r.ID, "点错了").codes(), "NOT_FOUND")
		expect(t, "lift", lin.lift(r.ID, "算了").codes(), "NOT_FOUND")
		expect(t, "messages", sun.check("shanxiaoyu016", "sunli006", "DIRECT_MESSAGE", "feishu-hq").Allowed, true)

		// His manager, the target, admins and legal read relationships; the super_admin and the auditor read the trail of all.
		for _, who := range []string{"sunli006", "zhoujie007", "shanxiaoyu016", "linyue002", "heyun011"} {
			p := c.person(who)
			expect(t, who+" sees", p.sees(r.ID), seen{})
			expect(t, who+" counts", p.Do(`{relationships{totalCount}}`, nil).Get("relationships.totalCount"), any(0.0))
		}
		for _, who := range []string{"guping012", "chenguang001"} {
			expect(t, who+" sees", c.person(who).sees(r.ID), seen{true, 1, true, 2})
		}
		events := gu.trail("undo")
		if len(events) != 1 || events[0].Subject == nil || events[0].Subject.ID != r.ID || events[0].Detail != "点错了" {
			t.Errorf("the trail: %v", events)
		}

		// Nor do the decisions, by whoever kept their ids.
		for _, id := range []string{made.Decision.ID, o.Decision.ID} {
			expect(t, "the initiator reads a decision", sun.decision(id) != nil, false)
			expect(t, "the auditor does", gu.decision(id) != nil, true)
		}

		// Subscribers who resume from before are told to forget it, and nothing else: neither that it was made nor what it was.
		next := sun.blocks("shanxiaoyu016", on("feishu-hq"))
		for _, p := range []person{sun, lin} {
			for transport, subscribe := range transports {
				s := p.follow(t, subscribe, start)
				e := s.Next(t)
				expect(t, p.account+" by "+transport+" hears first", fmt.Sprint(e.Text("relationshipChanged.relationshipId") == r.ID,
					e.Get("relationshipChanged.relationship"), e.Get("relationshipChanged.previousState")), "true <nil> <nil>")
				expect(t, p.account+" by "+transport+" hears then", s.next(t).RelationshipID, next.ID)
			}
		}
		expect(t, "changes to the auditor", fmt.Sprint(gu.watch(start).of(t, r.ID, 2)), "[null→ACTIVE ACTIVE→UNDONE]")

		// What is ended in the ordinary way goes on showing.
		must(t, "lift", sun.lift(next.ID, "算了").codes(), "")
		expect(t, "after a lift", sun.sees(next.ID), seen{true, 1, true, 2})
		// Elsewhere an undo leaves its trace.
		native := sun.blocks("shanxiaoyu016", on("native"))
		expect(t, "terms elsewhere", native.Undo.LeavesTrace, true)
		must(t, "undo elsewhere", sun.undo(native.ID, "点错了").codes(), "")
		expect(t, "after an undo elsewhere", sun.sees(native.ID), seen{true, 1, true, 2})
	})
}

// seen is what a person sees of a relationship: itself, in how many lists, as a node, and its events.
type seen struct {
	itself bool
	listed int
	node   bool
	events int
}

func (p person) sees(relationship string) (s seen) {
	p.c.t.Helper()
	a := p.Do(`query($id:ID!){relationship(id:$id){id} node(id:$id){id} relationships(first:100){nodes{id}}}`, vars{"id": relationship})
	s.itself, s.node = a.Get("relationship") != nil, a.Get("node") != nil
	for _, n := range a.Get("relationships.nodes").([]any) {
		if n.(vars)["id"] == relationship {
			s.listed++
		}
	}
	for _, e := range p.trail() {
		if e.Subject != nil && e.Subject.ID == relationship {
			s.events++
		}
	}
	return s
}

// What was asked and alerted about such a relationship goes with it: a company's own lines may want both.
func TestUndoWithoutTraceOfReview(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn, "p, acme.ask, feishu, employee, block, member, true, review, manager_of_actor, alert:ACME")
		sun, zhou, gu := c.person("sunli006"), c.person("zhoujie007"), c.person("guping012")
		r, a := sun.asks("shanxiaoyu016", on("feishu-hq"))
		must(t, "agreed", zhou.agree(a.ID, "好").codes(), "")
		alerts := func(p person) int { // whatever of them shows
			return len(p.Do(`{alerts(first:100){nodes{id}}}`, nil).Get("alerts.nodes").([]any))
		}
		expect(t, "alerts before", alerts(zhou), 1)
		expect(t, "events of the manager before", len(zhou.trail("approval.agree")), 1)
		must(t, "undo", sun.undo(r.ID, "点错了").codes(), "")
		for _, p := range []person{sun, zhou} {
			expect(t, p.account+" reads the approval", p.approval(a.ID) != nil, false)
			expect(t, p.account+" reads the relationship", p.relationship(r.ID) != nil, false)
			expect(t, p.account+" reads of verdicts", len(p.trail("approval.agree")), 0)
			expect(t, p.account+"'s approvals", len(p.Do(`{approvals(first:100){nodes{id}}}`, nil).Get("approvals.nodes").([]any)), 0)
			expect(t, p.account+"'s alerts", alerts(p), 0)
		}
		expect(t, "the auditor reads the approval", gu.approval(a.ID) != nil, true)
		expect(t, "the auditor's alerts", alerts(gu), 1)
		expect(t, "the auditor reads of verdicts", len(gu.trail("approval.agree")), 1)
	})
}
