package scenario

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// stats is what was counted, as far as stories look at it.
type stats struct {
	From, Until                                                           time.Time
	Allowed, Denied, Reviewed, Blocks, InternalBlocks, FalseBlocksAvoided int
	Rules                                                                 []struct {
		Rule                               rule
		Allowed, Denied, Reviewed, Members int
	}
}

func (p person) stats(v vars) *stats {
	p.c.t.Helper()
	return read[*stats](p.c.t, p.Do(`query($from:DateTime,$until:DateTime,$d:ID){policyStats(from:$from,until:$until,departmentId:$d){from until allowed denied reviewed
		blocks internalBlocks falseBlocksAvoided rules{rule{id name file line text} allowed denied reviewed members}}}`, v))
}

// How policy bore on people is counted for those who may read it, over any span, for the company or a department.
func TestPolicyStats(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c, _ := eventful(t, dsn)
		// Tests have every query worked out in two ways, for which now is not the same.
		until := c.Now().Add(time.Second)
		span := func(more vars) vars {
			v := vars{"from": until.AddDate(0, -1, 0).Format(time.RFC3339Nano), "until": until.Format(time.RFC3339Nano)}
			maps.Copy(v, more)
			return v
		}
		for account, reads := range map[string]bool{"guping012": true, "linyue002": true, "chenguang001": true, "zhaomin003": false, "wangfang004": false,
			"heyun011": false, "zhenglan009": false} {
			expect(t, account+" reads them", c.person(account).stats(span(nil)) != nil, reads)
		}
		gu, lin := c.person("guping012"), c.person("linyue002")
		whole := gu.stats(span(nil))
		expect(t, "the span ends", whole.Until.Equal(until.Truncate(time.Microsecond)) || whole.Until.Equal(until), true)

		// The whole is what stands in the decision log, and each line's count is that of the decisions that name it.
		db := testkit.Database(t, dsn)
		count := func(query string, args ...any) (n int) {
			t.Helper()
			must(t, query, db.QueryRow("select count(*) from "+query, args...).Scan(&n), nil)
			return n
		}
		for outcome, got := range map[string]int{"ALLOW": whole.Allowed, "DENY": whole.Denied, "REVIEW": whole.Reviewed} {
			expect(t, outcome, got, count("decisions where asked_by is null and outcome = $1", outcome))
		}
		if whole.Allowed < 5 || whole.Denied < 1 || whole.Reviewed < 3 || len(whole.Rules) < 4 {
			t.Errorf("little was counted: %+v", whole)
		}
		for _, r := range whole.Rules {
			line, _ := nodeid.Decode(r.Rule.ID)
			like := fmt.Sprintf("%%%s%%", line.ID)
			expect(t, r.Rule.Name+" counts", r.Allowed+r.Denied+r.Reviewed, count("decisions where asked_by is null and cast(rules as text) like $1", like))
			expect(t, r.Rule.Name+"'s people", r.Members, count("(select distinct actor_id from decisions where asked_by is null and cast(rules as text) like $1) who", like))
			expect(t, r.Rule.Name+" shows its text", r.Rule.Text != nil && *r.Rule.Text != "", true)
		}
		expect(t, "blocks", whole.Blocks, count("relationships where kind = 'BLOCK'"))
		expect(t, "between members", whole.InternalBlocks, count("relationships where kind = 'BLOCK' and target_kind = 'member'"))
		expect(t, "caught", whole.FalseBlocksAvoided, count("relationships where kind = 'BLOCK' and state in ('CANCELLED', 'REJECTED', 'UNDONE')"))

		// Of what left no trace an admin has no count.
		less := lin.stats(span(nil))
		expect(t, "blocks that an admin counts", less.Blocks, whole.Blocks-1)
		expect(t, "caught that an admin counts", less.FalseBlocksAvoided, whole.FalseBlocksAvoided-1)
		expect(t, "decisions that an admin counts fewer", less.Reviewed < whole.Reviewed, true)

		// A department counts what its people did, and those below; a span what was done in it.
		o := look(t, dsn)
		of := func(name string) vars {
			for id, path := range o.path {
				if path == name || c.departmentName(id) == name {
					return vars{"d": nodeid.Encode(im.KindDepartment, id)}
				}
			}
			t.Fatalf("no department %s", name)
			return nil
		}
		sales, support := gu.stats(span(of("销售部"))), gu.stats(span(of("客服部")))
		expect(t, "blocks of sales", sales.Blocks, count(`relationships r where r.kind = 'BLOCK' and exists (select 1 from members m where m.id = r.initiator_id
			and m.account_name in ('wangfang004', 'zhaomin003', 'liqiang005'))`))
		expect(t, "blocks of support", support.Blocks, 0)
		expect(t, "reviews of support", support.Reviewed, 1)
		before := gu.stats(vars{"from": whole.From.AddDate(0, -1, 0).Format(time.RFC3339), "until": whole.From.Format(time.RFC3339)})
		expect(t, "before", before.Allowed+before.Denied+before.Reviewed+before.Blocks+len(before.Rules), 0)
		a, err := gu.Ask(`{policyStats(from:"2026-11-20T00:00:00Z",until:"2026-11-20T00:00:00Z"){allowed}}`, nil)
		must(t, "ask", err, nil)
		expect(t, "a span of nothing", a.Code(0), "BAD_USER_INPUT")
	})
}

// departmentName looks a department's name up.
func (c company) departmentName(id im.ID) string {
	return c.person("linyue002").Do(`query($id:ID!){department(id:$id){name}}`, vars{"id": nodeid.Encode(im.KindDepartment, id)}).Text("department.name")
}
