package scenario

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What is wrong with a command is told in one order, so that nobody learns from an error what he may not see.
func TestOrderOfRefusals(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		nobody, past := unknown(c.member("liqiang005")), until(c.Now().Add(-time.Second))
		deny := with("scope", "WORKSPACE") // which policy refuses an employee
		r := wang.blocks("liqiang005", on("native"))

		c.part("malformed input comes first", func(t *testing.T, c company) {
			for what, how := range map[string]how{
				"reason empty":          because(""),
				"reason blank":          because(" \t\n　"),
				"reason too long":       because(strings.Repeat("长", 2001)),
				"control character":     because("a\x07b"),
				"NUL":                   because("a\x00b"),
				"ended before it began": past,
				"ends now":              until(c.Now()),
				"a workspace twice":     on("native", "native"),
				"workspace malformed":   with("workspaceIds", []string{"nonsense"}),
				"no workspace at all":   with("workspaceIds", []string{}),
				"workspace of a type":   with("workspaceIds", []string{c.member("liqiang005")}),
				"initiator malformed":   with("initiatorId", "nonsense"),
				"initiator of a type":   with("initiatorId", c.workspace("native")),
			} {
				// Beside it all the others: nothing is there, policy refuses.
				o := wang.blockID(nobody, deny, how)
				expect(t, what, o.codes(), "INVALID_INPUT")
				if len(o.UserErrors) == 1 && (len(o.UserErrors[0].Path) == 0 || o.UserErrors[0].Message == "") {
					t.Errorf("%s: the field is not named: %s", what, o.answer.Body)
				}
			}
			for what, id := range map[string]string{"malformed": "nonsense", "empty": "", "of a workspace": c.workspace("native"),
				"a platform's own": "wm_haikang", "of a relationship": r.ID, "too long": strings.Repeat("mem_", 1000)} {
				o := wang.blockID(id, deny)
				expect(t, "target "+what, o.codes(), "INVALID_INPUT")
				expect(t, "path", fmt.Sprint(o.UserErrors[0].Path), "[targetId]")
				expect(t, "lift of "+what, wang.lift(strings.Replace(id, "rel_", "apr_", 1), "x").codes(), "INVALID_INPUT")
				expect(t, "verdict on "+what, wang.agree(id, "").codes(), "INVALID_INPUT")
			}
			expect(t, "lift without a reason", wang.lift(unknown(r.ID), " ").codes(), "INVALID_INPUT")
			expect(t, "a verdict with control characters", wang.agree(strings.Replace(unknown(r.ID), "rel_", "apr_", 1), "\x01").codes(), "INVALID_INPUT")
			longest := wang.block("zhenglan009", on("native"), because("第一行\n"+strings.Repeat("长", 1996)))
			expect(t, "2000 characters of two lines", longest.codes(), "")
		})
		c.part("then what is not there", func(t *testing.T, c company) {
			unseen := wang.block("wm_hengda", deny) // a colleague's contact
			gone := wang.blockID(unknown(c.contact("wm_hengda")), deny)
			must(t, "codes", gone.codes(), "NOT_FOUND")
			if !reflect.DeepEqual(unseen.UserErrors, gone.UserErrors) {
				t.Errorf("a hidden contact is told from one that is not there: %v, %v", unseen.UserErrors, gone.UserErrors)
			}
			expect(t, "results", len(unseen.Results)+len(gone.Results), 0)
			expect(t, "a member who is not there", wang.blockID(nobody, deny).codes(), "NOT_FOUND")
			// Of his own superior, too, whom he does not see, customer service hears no more.
			expect(t, "a hidden superior", c.person("tangxin013").block("chenguang001").codes(), "NOT_FOUND")
			expect(t, "an initiator who is not there", wang.block("sunli006", on("native"), with("initiatorId", nobody)).codes(), "NOT_FOUND")
			expect(t, "a relationship of others", c.person("sunli006").lift(r.ID, "x").codes(), "NOT_FOUND")
			expect(t, "a relationship that is not there", wang.lift(unknown(r.ID), "x").codes(), "NOT_FOUND")
			expect(t, "of a hidden one nothing is in the trail", len(c.person("guping012").trail("block")), 2)
		})
		c.part("then policy", func(t *testing.T, c company) {
			// A block of the two stands already, which would be a CONFLICT.
			o := wang.block("liqiang005", on("native"), deny)
			expect(t, "codes", o.codes(), "POLICY_DENIED")
			expect(t, "rules", o.Decision.rules(), "block.workspace_scope")
			o = c.person("zhaomin003").lift(r.ID, "x") // who sees it, and may not end it
			expect(t, "lift by a manager", o.codes(), "POLICY_DENIED")
			if o.Decision == nil || o.Decision.Outcome != "DENY" || len(o.Decision.Rules) > 0 {
				t.Errorf("nothing allows it, and nothing else denied it: %s", o.answer.Body)
			}
			must(t, "lift by an admin", c.person("linyue002").lift(r.ID, "x").codes(), "")
			expect(t, "lift of what is over, by a manager", c.person("zhaomin003").lift(r.ID, "x").codes(), "POLICY_DENIED")
		})
		c.part("then what stands in the way", func(t *testing.T, c company) {
			r := wang.blocks("liqiang005", on("native"))
			o := wang.block("liqiang005", on("native"))
			expect(t, "codes", o.codes(), "CONFLICT")
			if !strings.Contains(o.UserErrors[0].Message, r.ID) {
				t.Errorf("%q does not name %s", o.UserErrors[0].Message, r.ID)
			}
			if o.UserErrors[0].Decision == nil || o.UserErrors[0].Decision.Outcome != "ALLOW" {
				t.Errorf("the decision that allowed it: %v", o.UserErrors[0].Decision)
			}
		})
	})
}

// One wish on two platforms gets two answers, for their rules differ.
func TestTwoWorkspaces(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		for _, how := range [][]how{{on("native", "wecom-hq")}, {on("wecom-hq", "native")}} {
			o := wang.block("liqiang005", how...)
			must(t, "codes", o.codes(), "POLICY_DENIED")
			must(t, "results", len(o.Results), 2)
			if o.Decision != nil || o.Approval != nil {
				t.Errorf("a decision of the whole: %s", o.answer.Body)
			}
			native, wecom := o.Results[0], o.Results[1]
			if native.Workspace.Name != "native" {
				native, wecom = wecom, native
			}
			expect(t, "on native", native.Decision.Outcome, "ALLOW")
			must(t, "relationship on native", native.Relationship != nil, true)
			expect(t, "its workspace", native.Relationship.Workspace.Name, "native")
			expect(t, "its effects", len(native.Effects) > 0, true)
			expect(t, "on wecom-hq", wecom.Decision.Outcome, "DENY")
			expect(t, "its rules", wecom.Decision.rules(), "wecom.member.external_only")
			expect(t, "relationship on wecom-hq", wecom.Relationship == nil, true)
			expect(t, "effects on wecom-hq", len(wecom.Effects), 0)
			expect(t, "enforcement that it would have had", wecom.Enforcement, "RECORDED")
			e := o.UserErrors[0]
			if e.Workspace == nil || e.Workspace.Name != "wecom-hq" || e.Decision == nil || e.Decision.ID != wecom.Decision.ID {
				t.Errorf("the refusal names neither workspace nor decision: %v", e)
			}
			must(t, "lift", wang.lift(native.Relationship.ID, "x").codes(), "")
		}
		expect(t, "a workspace that one of them is not on", wang.block("sunli006", on("feishu-hq")).codes(), "INVALID_INPUT")
		expect(t, "a workspace that is not there", wang.block("sunli006", with("workspaceIds", []string{unknown(c.workspace("native"))})).codes(), "INVALID_INPUT")
	})
}

// The worked cases of the rules, as far as they are about blocks.
func TestWorkedCases(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		nothing := how(func(company, vars) {})
		for _, k := range []struct {
			who, whom, where string
			how              how
			outcome, rules   string
			needs            string // with who may agree
		}{
			{"wangfang004", "wm_spam", "", nothing, "ALLOW", "wecom.block_external.employee", ""},
			{"wangfang004", "wm_lanhai", "", nothing, "ALLOW", "wecom.block_external.employee", ""},
			{"wangfang004", "wm_haikang", "", nothing, "REVIEW", "C-06 C-07", "admin[chenguang001 hanlei017 linyue002] manager_of_actor[zhaomin003]"},
			{"wangfang004", "liqiang005", "wecom-hq", nothing, "DENY", "wecom.member.external_only", ""},
			{"wangfang004", "liqiang005", "native", nothing, "ALLOW", "native.block_member.employee", ""},
			{"wangfang004", "zhaomin003", "native", nothing, "DENY", "C-01 C-02", ""}, // who owns groups that both are in, too
			{"wangfang004", "zhaomin003", "wecom-hq", nothing, "DENY", "C-01 C-02 wecom.member.external_only", ""},
			{"wangfang004", "chenguang001", "native", nothing, "DENY", "C-01", ""},
			{"chenguang001", "wangfang004", "native", nothing, "DENY", "C-01", ""}, // downwards, at two steps
			{"zhaomin003", "wuhao008", "wecom-hq", nothing, "ALLOW", "wecom.block_member.dept_manager", ""},
			{"zhoujie007", "wuhao008", "feishu-hq", nothing, "DENY", "C-01 C-02", ""},
			{"sunli006", "wuhao008", "feishu-hq", nothing, "DENY", "C-02", ""},
			{"sunli006", "wuhao008", "native", nothing, "DENY", "C-02", ""}, // a group on any workspace
			{"sunli006", "shanxiaoyu016", "feishu-hq", nothing, "ALLOW", "feishu.block_member.employee", ""},
			{"mengjie015", "sunli006", "native", nothing, "ALLOW", "native.block_member.employee", ""},
			{"wuhao008", "mengjie015", "native", nothing, "DENY", "C-02", ""},
			{"guping012", "wangfang004", "native", nothing, "DENY", "C-10", ""},
			{"guping012", "wm_spam", "", nothing, "DENY", "C-10", ""},
			{"liqiang005", "liqiang005", "native", nothing, "DENY", "C-03", ""},
			{"wangfang004", "sunli006", "native", with("initiatorId", c.member("liqiang005")), "DENY", "block.on_behalf", ""},
			{"linyue002", "sunli006", "native", with("initiatorId", c.member("liqiang005")), "DENY", "block.on_behalf", ""}, // an admin, too
			{"wangfang004", "sunli006", "native", with("initiatorId", c.member("wangfang004")), "ALLOW", "native.block_member.employee", ""},
			{"wangfang004", "shanxiaoyu016", "native", with("scope", "WORKSPACE"), "DENY", "block.workspace_scope", ""},
			{"wangfang004", "shanxiaoyu016", "native", with("scope", "INITIATOR_VIEW"), "ALLOW", "native.block_member.employee", ""},
			{"zhaomin003", "shanxiaoyu016", "native", with("scope", "WORKSPACE"), "DENY", "block.workspace_scope", ""},
			{"linyue002", "shanxiaoyu016", "native", with("scope", "WORKSPACE"), "ALLOW", "native.block_member.employee", ""},
			// 600,000 lies above the threshold of C-07, 80,000 of a contact who is not KEY below.
			{"zhaomin003", "wm_xingyun", "", nothing, "REVIEW", "C-06 C-07", "admin[chenguang001 hanlei017 linyue002] manager_of_actor[chenguang001]"},
			{"zhaomin003", "wm_hengda", "", nothing, "REVIEW", "C-06", "manager_of_actor[chenguang001]"},
			{"liqiang005", "wm_hengda", "", nothing, "REVIEW", "C-06", "manager_of_actor[zhaomin003]"},
			// Others than sales and customer service need the manager of the department that the owner is in.
			{"linyue002", "wm_hengda", "", nothing, "REVIEW", "C-06", "owner_dept_manager[zhaomin003]"},
			{"linyue002", "wm_haikang", "", nothing, "REVIEW", "C-06 C-07", "admin[chenguang001 hanlei017] owner_dept_manager[zhaomin003]"},
		} {
			hows := []how{k.how}
			if k.where != "" {
				hows = append(hows, on(k.where))
			}
			o := c.person(k.who).block(k.whom, hows...)
			name := fmt.Sprintf("%s blocks %s %s", k.who, k.whom, k.where)
			if o.Decision == nil {
				t.Errorf("%s: %s", name, o.answer.Body)
				continue
			}
			expect(t, name, o.Decision.Outcome, k.outcome)
			expect(t, name+": rules", o.Decision.rules(), k.rules)
			expect(t, name+": needs", who(o.Decision.Needs), k.needs)
			expect(t, name+": code", o.codes(), map[string]string{"DENY": "POLICY_DENIED"}[k.outcome])
			for _, r := range o.Decision.Rules {
				if lineOf(t, r) == "" {
					t.Errorf("%s: %s does not stand in %s:%d", name, r.Name, r.File, r.Line)
				}
			}
			made := o.Results[0].Relationship
			expect(t, name+": made", made != nil, k.outcome != "DENY")
			if made != nil {
				expect(t, name+": state", made.State, map[string]string{"ALLOW": "ACTIVE", "REVIEW": "PENDING_APPROVAL"}[k.outcome])
			}
		}
	})
}

// A moment that is none is refused with the field that it stands in, and the one that stands for none inside, too: whoever writes
// it would have something without an end.
func TestMomentsThatAreNone(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		for _, moment := range []string{"tomorrow", "2026-11-20", "0001-01-01T00:00:00Z"} {
			a, err := c.As("wangfang004").Ask(blockDocument, vars{"in": vars{"targetId": c.contact("wm_spam"), "kind": "BLOCK", "reason": "x", "expiresAt": moment}})
			must(t, "ask", err, nil)
			if !strings.Contains(a.Body, `"path":["block","input","expiresAt"]`) || !strings.Contains(a.Body, "BAD_USER_INPUT") {
				t.Errorf("%s: %s", moment, a.Body)
			}
		}
	})
}

// Business in another currency is business (C-06), of which nobody knows what it comes to (C-07).
func TestBusinessInAnotherCurrency(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		var rows strings.Builder
		for _, contact := range []string{"wm_qinghe", "wm_xingyun"} {
			fmt.Fprintf(&rows, `{"type":"opportunity","workspace":"wecom-hq","contact":%q,"title":"usd-%s","amount":"5000000.00","currency":"USD","open":true}`+"\n", contact, contact)
		}
		lin := c.person("linyue002")
		i := lin.ended(lin.upload(rows.String(), "").Import.ID)
		must(t, "rows that were taken", i.Accepted, 2)
		answer, by := said(c.person("wangfang004").block("wm_qinghe"))
		expect(t, "of no other business", answer+" "+by, "REVIEW manager_of_actor C-06")
		a := c.person("wangfang004").Do(previewDocument, vars{"in": vars{"targetId": c.contact("wm_qinghe"), "kind": "BLOCK", "reason": "x"}})
		expect(t, "warned", strings.Contains(a.Body, "OPEN_DEAL"), true)
	})
}
