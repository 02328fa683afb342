package scenario

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const previewDocument = `query($in:BlockInput!){blockPreview(input:$in){results{workspace{name} decision{action outcome reason rules{name} needs{role count candidates{accountName}} obligations}
	relationship{id} approval{id} enforcement effectiveAt undo{allowed until approverRoles leavesTrace} effects{channel allowed enforcement note} warnings{code message weight}}
	effects{channel allowed} risk{level score signals{code message weight}} openOpportunityValue openOpportunityCurrency advice
	userErrors{code message path workspace{name}}}}`

// outcomeDocument asks of a block what a preview tells of it.
const outcomeDocument = `mutation($in:BlockInput!){block(input:$in){results{workspace{name} decision{action outcome reason rules{name} needs{role count candidates{accountName}} obligations}
	relationship{id initiator{accountName}} approval{id} enforcement effectiveAt undo{allowed until approverRoles leavesTrace} effects{channel allowed enforcement note}
	warnings{code message weight}} userErrors{code message path workspace{name}}}}`

// bare is an answer's results and errors without what only what is made has, and without moments, which differ by those that lie
// between the two questions.
func bare(t testing.TB, a testkit.Answer, root string) (out map[string]any, ids []string) {
	t.Helper()
	out = map[string]any{"userErrors": a.Get(root + ".userErrors")}
	results, _ := a.Get(root + ".results").([]any)
	for _, r := range results {
		r := r.(map[string]any)
		if made, ok := r["relationship"].(map[string]any); ok {
			ids = append(ids, made["id"].(string))
		}
		delete(r, "relationship")
		delete(r, "approval")
		r["effectiveAt"] = r["effectiveAt"] != nil
		if undo, ok := r["undo"].(map[string]any); ok {
			undo["until"] = undo["until"] != nil
		}
	}
	out["results"] = results
	return out, ids
}

// TestPreviewIsWhatHappens asks for a thousand wishes of every sort first as a preview, then in earnest: the two say the same, the
// preview has made nothing, and it names no id.
func TestPreviewIsWhatHappens(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		rnd := rand.New(rand.NewPCG(2026, 11))
		pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
		accounts := []string{"chenguang001", "linyue002", "zhaomin003", "wangfang004", "liqiang005", "sunli006", "zhoujie007", "wuhao008", "zhenglan009",
			"tangxin013", "qinlang014", "mengjie015", "shanxiaoyu016", "guping012"}
		workspaces := []string{"native", "wecom-hq", "dingtalk-hq", "feishu-hq", "wechat-personal"}
		seen := map[string]int{}
		for i := range 1000 {
			who := c.person(pick(accounts...))
			target := pick(accounts...)
			if rnd.IntN(4) == 0 { // two who have much to do with each other
				who, target = c.person("wangfang004"), "liqiang005"
			}
			kind := pick("BLOCK", "BLOCK", "ISOLATION", "BLACKLIST", "GROUP_BLOCK")
			if kind == "BLACKLIST" || kind == "BLOCK" && rnd.IntN(2) == 0 {
				target = pick("wm_haikang", "wm_lanhai", "wm_spam", "wm_qinghe", "wm_hengda", "wm_xingyun", "dt_maoyi")
			}
			in := vars{"targetId": c.target(target), "kind": kind, "reason": "r"}
			if kind == "GROUP_BLOCK" {
				in["groupId"] = c.group(pick("项目群-北斗", "午饭群", "研发大群", "四季度专班"))
			}
			if rnd.IntN(2) == 0 {
				in["workspaceIds"] = []string{c.workspace(pick(workspaces...))}
			}
			for field, value := range map[string]any{"scope": "WORKSPACE", "declaredOnly": true, "initiatorId": c.member(pick(accounts...)),
				"approvalDelegateId": c.member(pick("chenguang001", "linyue002", "wangfang004"))} {
				if rnd.IntN(8) == 0 || field == "approvalDelegateId" && rnd.IntN(2) == 0 {
					in[field] = value
				}
			}
			name := fmt.Sprintf("%d: %s %v", i, who.account, in)
			preview := who.Do(previewDocument, vars{"in": in})
			would, made := bare(t, preview, "blockPreview")
			if len(made) > 0 {
				t.Fatalf("%s: a preview made %v", name, made)
			}
			block := who.Do(outcomeDocument, vars{"in": in})
			did, made := bare(t, block, "block")
			if !reflect.DeepEqual(would, did) {
				t.Fatalf("%s: the preview said\n%s\nand it came to\n%s", name, preview.Body, block.Body)
			}
			for _, r := range would["results"].([]any) {
				seen[r.(map[string]any)["decision"].(map[string]any)["outcome"].(string)]++
			}
			for _, e := range would["userErrors"].([]any) {
				seen[e.(map[string]any)["code"].(string)]++
			}
			for _, id := range made {
				if rnd.IntN(3) == 0 { // others stay, so that there are conflicts
					c.person("chenguang001").lift(id, "r")
				}
			}
		}
		for _, what := range []string{"ALLOW", "DENY", "REVIEW", "INVALID_INPUT", "NOT_FOUND", "UNSUPPORTED_BY_PLATFORM", "POLICY_DENIED", "CONFLICT"} {
			if seen[what] == 0 {
				t.Errorf("no wish came to %s: %v", what, seen)
			}
		}
	})
}

type preview struct {
	Results []struct{ Warnings []signal }
	Risk    struct {
		Level   string
		Score   float64
		Signals []signal
	}
	OpenOpportunityValue, OpenOpportunityCurrency string
	Advice                                        []string
	UserErrors                                    []userError
}

type signal struct {
	Code, Message string
	Weight        float64
}

func codes(ss []signal) string {
	var out []string
	for _, s := range ss {
		out = append(out, s.Code)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (p person) preview(target string, hs ...how) preview {
	p.c.t.Helper()
	return read[preview](p.c.t, p.Do(previewDocument, p.c.wish(p.c.target(target), hs)))
}

// What one is told before one acts in a temper, in both languages, and how a company weighs it otherwise.
func TestRiskAndAdvice(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := withLines(t, dsn, "p, risk.open_deal, *, employee, weigh, contact, r.obj.OpenValue > 100000, allow, , risk:OPEN_DEAL=0.4")
		wang := c.person("wangfang004")
		wang.blocks("wm_lanhai")
		wang.blocks("wm_spam")
		p := wang.preview("wm_haikang", because(""))
		expect(t, "signals", codes(p.Risk.Signals), "KEY_CUSTOMER OPEN_DEAL REPEATED_BLOCKS")
		expect(t, "score", fmt.Sprintf("%.2f", p.Risk.Score), "0.82")
		expect(t, "level", p.Risk.Level, "HIGH")
		expect(t, "warnings", codes(p.Results[0].Warnings), codes(p.Risk.Signals))
		expect(t, "open value", p.OpenOpportunityValue+" "+p.OpenOpportunityCurrency, "1200000.00 CNY")
		expect(t, "errors", len(p.UserErrors), 0)
		for language, column := range map[string]int{"en": 1, "zh-CN": 2} {
			p := wang.speaking(language).preview("wm_haikang")
			expect(t, "message in "+language, p.Risk.Signals[0].Message, sentence(t, "risk.key_customer")[column])
			words := map[string][]string{"en": {"nobody leaves a group", "delete the contact", "hand the contact over"}, "zh-CN": {"退出群聊", "删除联系人", "交接给同事"}}[language]
			for _, w := range words {
				if !strings.Contains(strings.Join(p.Advice, " "), w) {
					t.Errorf("the advice says nothing of %q: %v", w, p.Advice)
				}
			}
		}
		expect(t, "what was only asked for counts for nothing", wang.preview("wm_qinghe").Risk.Score, 0.4)
		hengda := c.person("liqiang005").preview("wm_hengda")
		expect(t, "a small deal, as this company has it", hengda.Risk.Level+" "+codes(hengda.Risk.Signals), "NONE ")
		expect(t, "a colleague of one's own department", codes(wang.preview("liqiang005", on("native")).Risk.Signals), "SAME_DEPARTMENT")
		expect(t, "a stranger's advice", len(wang.preview("wm_hengda").Advice), 0)
		for _, e := range wang.trail("block") {
			if e.Outcome != "ALLOW" {
				t.Errorf("a preview is in the trail: %v", e)
			}
		}
	})
}
