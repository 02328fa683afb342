package scenario

import (
	"strings"
	"sync"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// atOnce sends the same command from n clients at the same moment.
func atOnce(t *testing.T, n int, p person, v vars) []outcome {
	t.Helper()
	answers, errs := make([]testkit.Answer, n), make([]error, n)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			answers[i], errs[i] = p.Ask(blockDocument, v)
		})
	}
	close(start)
	all.Wait()
	var out []outcome
	for i, a := range answers {
		if errs[i] != nil || len(a.Errors) > 0 {
			t.Fatalf("request %d: %v %s", i, errs[i], a.Body)
		}
		o := read[outcome](t, a)
		o.answer = a
		out = append(out, o)
	}
	return out
}

func (p person) countRelationships() any {
	p.c.t.Helper()
	return p.Do(`{relationships{totalCount}}`, nil).Get("relationships.totalCount")
}

// A client that hears nothing sends again, with the same key: it may do so twenty times at once.
func TestIdempotency(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, li := c.person("wangfang004"), c.person("liqiang005")
		v := c.wish(c.member("liqiang005"), []how{on("native"), keyed("k-1")})
		answers := atOnce(t, 20, wang, v)
		first := answers[0]
		must(t, "codes", first.codes(), "")
		must(t, "state", first.Results[0].Relationship.State, "ACTIVE")
		for i, o := range answers {
			if o.answer.Body != first.answer.Body {
				t.Fatalf("answer %d differs:\n%s\n%s", i, o.answer.Body, first.answer.Body)
			}
		}
		expect(t, "relationships", wang.countRelationships(), any(1.0))
		expect(t, "events", len(c.person("guping012").trail("block")), 1)

		c.part("another input", func(t *testing.T, c company) {
			for what, o := range map[string]outcome{
				"another reason":    wang.block("liqiang005", on("native"), keyed("k-1"), because("别的原因")),
				"another target":    wang.block("sunli006", on("native"), keyed("k-1")),
				"another workspace": wang.block("liqiang005", on("wecom-hq"), keyed("k-1")),
				"another command":   wang.lift(first.Results[0].Relationship.ID, "太多消息", "k-1"),
			} {
				expect(t, what, o.codes(), "IDEMPOTENCY_KEY_REUSED")
			}
			expect(t, "relationships", wang.countRelationships(), any(1.0))
		})
		c.part("another person", func(t *testing.T, c company) {
			r := li.blocks("sunli006", on("native"), keyed("k-1"))
			if r.ID == first.Results[0].Relationship.ID {
				t.Error("the key of one is the key of another")
			}
		})
		c.part("a denial", func(t *testing.T, c company) {
			deny := func() outcome { return wang.block("chenguang001", on("native"), keyed("k-2")) }
			one, two := deny(), deny()
			must(t, "codes", one.codes(), "POLICY_DENIED")
			expect(t, "the answer again", two.answer.Body, one.answer.Body)
			expect(t, "denials in the trail", len(wang.trail("block")), 2) // the block of li, and one of the two
		})
		c.part("a malformed key", func(t *testing.T, c company) {
			for _, key := range []string{strings.Repeat("x", 201), "a\nb", "a\x00b"} {
				expect(t, "codes", wang.block("zhenglan009", on("native"), keyed(key)).codes(), "INVALID_INPUT")
			}
		})
		c.part("after it was lifted", func(t *testing.T, c company) {
			id := first.Results[0].Relationship.ID
			must(t, "lift", wang.lift(id, "和好了", "k-3").codes(), "")
			again := wang.command(blockDocument, v)
			expect(t, "the first answer", again.answer.Body, first.answer.Body)
			expect(t, "state now", wang.relationship(id).State, "LIFTED")
			expect(t, "lifted again with the key", wang.lift(id, "和好了", "k-3").Relationship.State, "LIFTED")
			expect(t, "lifts in the trail", len(wang.trail("lift")), 1)
		})
	})
}

// Without a key, one of twenty comes first, and the others are told which relationship stands in their way.
func TestTwentyAtOnceWithoutAKey(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		made, conflicts := "", []string{}
		for _, o := range atOnce(t, 20, wang, c.wish(c.member("liqiang005"), []how{on("native")})) {
			switch o.codes() {
			case "":
				if made != "" {
					t.Error("two came about")
				}
				made = o.Results[0].Relationship.ID
			case "CONFLICT":
				conflicts = append(conflicts, o.UserErrors[0].Message)
			default:
				t.Errorf("codes %s", o.codes())
			}
		}
		must(t, "conflicts", len(conflicts), 19)
		for _, m := range conflicts {
			if made == "" || !strings.Contains(m, made) {
				t.Errorf("%q does not name %s", m, made)
			}
		}
		expect(t, "relationships", wang.countRelationships(), any(1.0))
	})
}
