package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// escalating has two people agree to her blocks, and after a day an admin in the place of either.
const escalating = "p, acme.careful, wecom, employee, block, contact, true, review, legal+hr, expire:72h|escalate:admin=24h|escalate:super_admin=2h\n"

const escalationFields = `{escalatesAt escalatesTo escalatedAt state needs{role count given candidates{accountName}}}`

type escalation struct {
	EscalatesAt, EscalatedAt *time.Time
	EscalatesTo              []string
	State                    string
	Needs                    []need
}

// What nobody settles in time is passed on: until then those whom policy names do not see it, from then on each may agree for one.
func TestEscalation(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		save(t, dir, "acme.csv", escalating)
		c := open(t, dsn, "--policies", dir)
		wang, lin, chen := c.person("wangfang004"), c.person("linyue002"), c.person("chenguang001")
		r, a := wang.asks("wm_spam")
		of := func(p person) escalation {
			return read[escalation](t, p.Do(`query($i:ID!){node(id:$i){... on Approval`+escalationFields+`}}`, vars{"i": a.ID}))
		}
		x := of(wang)
		if x.EscalatesAt == nil || c.Now().Add(24*time.Hour).Sub(*x.EscalatesAt).Abs() > time.Minute || !slices.Equal(x.EscalatesTo, []string{"admin"}) {
			t.Fatalf("of two times the last: %+v", x)
		}
		expect(t, "needs", needs(x.Needs), "hr 0/1, legal 0/1")
		c.Set(x.EscalatesAt.Add(-time.Minute))
		expect(t, "an admin before it", lin.agree(a.ID, "").codes(), "POLICY_DENIED")
		expect(t, "it waits for her", slices.Contains(lin.waiting(), a.ID), false)

		c.Set(*x.EscalatesAt)
		within(t, 5*time.Second, "it is passed on", func() bool { return of(wang).EscalatedAt != nil })
		expect(t, "it waits for her now", slices.Contains(lin.waiting(), a.ID), true)
		o := lin.agree(a.ID, "")
		must(t, "an admin after it", o.codes(), "")
		expect(t, "one of two", o.Approval.State, "PENDING")
		expect(t, "she again", lin.agree(a.ID, "").codes(), "CONFLICT")
		expect(t, "another admin", chen.agree(a.ID, "").Approval.State, "APPROVED")
		expect(t, "it is made", wang.relationship(r.ID).State, "ACTIVE")
		events := c.person("guping012").trail("approval.escalate")
		if len(events) != 1 || events[0].Subject == nil || events[0].Subject.ID != a.ID {
			t.Errorf("in the trail: %v", events)
		}

		// What was settled in time is passed on to nobody.
		_, a = wang.asks("wm_haikang")
		must(t, "taken back", wang.cancel(a.ID).codes(), "")
		c.Advance(25 * time.Hour)
		time.Sleep(2 * time.Second) // nothing tells that there was nothing to do
		if x := of(wang); x.EscalatedAt != nil || x.State != "CANCELLED" {
			t.Errorf("it was taken back: %+v", x)
		}
		expect(t, "times in the trail", len(c.person("guping012").trail("approval.escalate")), 1)
	})
}
