package scenario

import (
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const manyDocument = `mutation($in:[BlockInput!]!,$dry:Boolean,$k:String){blockMany(inputs:$in,dryRun:$dry,idempotencyKey:$k){
	results{results{workspace{name} decision{` + decisionFields + `} relationship{source ` + relationshipFields + `}} userErrors{code message path}} ` + commandFields + `}}`

type many struct {
	Results    *[]outcome
	Decision   *decision
	UserErrors []userError
}

func (p person) many(dry bool, key string, wishes ...vars) many {
	p.c.t.Helper()
	v := vars{"in": append([]vars{}, wishes...), "dry": dry}
	if key != "" {
		v["k"] = key
	}
	return read[many](p.c.t, p.Do(manyDocument, v))
}

func (m many) codes() string { return outcome{UserErrors: m.UserErrors}.codes() }

// Many at once: what would come of it, what does, again with its key, and what is refused as a whole.
func TestBlockMany(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wish := func(target, kind string, where ...string) vars {
			return c.wish(c.anything(target), []how{as(kind), func(c company, in vars) {
				if len(where) > 0 {
					on(where...)(c, in)
				}
			}})["in"].(vars)
		}
		lin := c.person("linyue002")
		nobody := wish("wm_spam", "BLOCK")
		nobody["targetId"] = unknown(c.contact("wm_spam"))
		rows := []vars{wish("wm_lanhai", "BLOCK"), wish("wm_haikang", "BLOCK"), nobody, wish("wm_spam", "BLOCK"), wish("wm_qinghe", "BLOCK"), wish("wm_lanhai", "BLOCK")}

		dry := lin.many(true, "", rows...)
		must(t, "dry: codes", dry.codes(), "")
		must(t, "dry: rows", len(*dry.Results), len(rows))
		for i, r := range *dry.Results {
			for _, x := range r.Results {
				if x.Relationship != nil {
					t.Errorf("a dry run made row %d", i)
				}
			}
		}
		expect(t, "after a dry run", lin.Do(`{relationships{totalCount}}`, nil).Get("relationships.totalCount"), any(0.0))

		done := lin.many(false, "spring-clean", rows...)
		must(t, "codes", done.codes(), "")
		must(t, "rows", len(*done.Results), len(rows))
		states := func(m many) string {
			var out []string
			for _, r := range *m.Results {
				switch {
				case r.codes() != "":
					out = append(out, r.codes())
				default:
					out = append(out, r.Results[0].Relationship.State+" "+r.Results[0].Relationship.Source)
				}
			}
			return strings.Join(out, ", ")
		}
		// The third one within ten minutes is not held back: a bulk is no temper.
		want := "ACTIVE BULK_API, PENDING_APPROVAL BULK_API, NOT_FOUND, ACTIVE BULK_API, ACTIVE BULK_API, CONFLICT"
		expect(t, "states", states(done), want)
		again := lin.many(false, "spring-clean", rows...)
		expect(t, "states, again", states(again), want)
		for i, r := range *again.Results {
			if r.codes() == "" && r.Results[0].Relationship.ID != (*done.Results)[i].Results[0].Relationship.ID {
				t.Errorf("row %d was made twice", i)
			}
		}
		expect(t, "another bulk with its key", lin.many(false, "spring-clean", rows[:1]...).codes(), "IDEMPOTENCY_KEY_REUSED")
		expect(t, "events of the bulk", len(c.person("guping012").trail("bulk")), 1)

		wang := c.person("wangfang004")
		no := wang.many(false, "", wish("wm_spam", "BLOCK"))
		expect(t, "who may not", no.codes()+" "+no.Decision.Action+" "+no.Decision.Outcome, "POLICY_DENIED bulk DENY")
		if no.Results != nil {
			t.Errorf("something was done: %v", no.Results)
		}
		no = c.person("qinlang014").many(false, "", wish("dt_maoyi", "BLOCK"))
		if no.codes() != "UNSUPPORTED_BY_PLATFORM" || no.UserErrors[0].Workspace == nil || no.UserErrors[0].Workspace.Name != "dingtalk-hq" || no.Results != nil {
			t.Errorf("where there is no bulk: %+v", no)
		}
		expect(t, "none", lin.many(false, "", []vars{}...).codes(), "INVALID_INPUT")
		var lots []vars
		for range 101 {
			lots = append(lots, wish("wm_spam", "BLOCK"))
		}
		expect(t, "too many", lin.many(false, "", lots...).codes(), "INVALID_INPUT")
	})
}

// A company that wants agreement to bulks gets none without it.
func TestBlockManyUnderReview(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn, "p, acme.bulk, wecom, anyone, bulk, bulk, r.obj.Rows > 1, review, admin,")
		spam, qinghe := c.wish(c.contact("wm_spam"), nil)["in"].(vars), c.wish(c.contact("wm_qinghe"), nil)["in"].(vars)
		m := c.person("linyue002").many(false, "", spam, qinghe)
		expect(t, "two", m.codes()+" "+m.Decision.Outcome, "APPROVAL_REQUIRED REVIEW")
		if m.Results != nil {
			t.Errorf("something was done: %v", m.Results)
		}
		expect(t, "one", c.person("linyue002").many(false, "", spam).codes(), "")
	})
}
