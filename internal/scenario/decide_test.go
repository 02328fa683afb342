package scenario

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// asked is a decision with all that stands around it.
type asked struct {
	decision
	Obligations   []string
	PolicyVersion string
	Replayed      *string
	Times         int
	Actor         *accountNamed
	Workspace     *named
	Layers        []struct {
		Name    string
		Outcome *string
		Rules   []rule
	}
	Facts []struct {
		Name  string
		Value *string
	}
	NearMisses []struct {
		Rule               rule
		FailedTerm, Actual string
	}
}

const askedFields = decisionFields + ` obligations policyVersion replayed times actor{accountName} workspace{name} layers{name outcome rules{id name file line text}}
	facts{name value} nearMisses{rule{id name file line} failedTerm actual}`

func (p person) decide(in vars) *asked {
	p.c.t.Helper()
	return read[*asked](p.c.t, p.Do(`query($in:DecisionInput!){decide(input:$in){`+askedFields+`}}`, vars{"in": in}))
}

// refused is the code of a question that is not answered, and the decision that it names.
func (p person) refused(in vars) (code, decision string) {
	p.c.t.Helper()
	a, err := p.Ask(`query($in:DecisionInput!){decide(input:$in){id}}`, vars{"in": in})
	if err != nil {
		p.c.t.Fatal(err)
	}
	if len(a.Errors) == 0 {
		p.c.t.Fatalf("%s is answered: %s", p.account, a.Body)
	}
	fault, _ := a.Errors[0].(map[string]any)
	more, _ := fault["extensions"].(map[string]any)
	id, _ := more["decisionId"].(string)
	return a.Code(0), id
}

func (p person) decision(id string) *asked {
	p.c.t.Helper()
	return read[*asked](p.c.t, p.Do(`query($id:ID!){node(id:$id){...on Decision{`+askedFields+`}}}`, vars{"id": id}))
}

func (a *asked) fact(name string) string {
	for _, f := range a.Facts {
		if f.Name == name && f.Value != nil {
			return *f.Value
		} else if f.Name == name {
			return "hidden"
		}
	}
	return ""
}

// misses are near misses as lines: the rule, what failed, and what it was.
func (a *asked) misses() (out []string) {
	for _, m := range a.NearMisses {
		out = append(out, m.Rule.Name+": "+m.FailedTerm+": "+m.Actual)
	}
	return out
}

// What policy says to a question is what it says to the command, with who would have to agree, and nothing comes of it.
func TestDecide(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, lin := c.person("wangfang004"), c.person("linyue002")
		for _, x := range []struct {
			who, action, target, workspace, outcome, rules, needs string
		}{
			{"wangfang004", "block", "wm_spam", "", "ALLOW", "wecom.block_external.employee", ""},
			{"wangfang004", "block", "wm_haikang", "", "REVIEW", "C-06 C-07", "admin manager_of_actor"},
			{"wangfang004", "block", "liqiang005", "wecom-hq", "DENY", "wecom.member.external_only", ""},
			{"wangfang004", "block", "liqiang005", "native", "ALLOW", "native.block_member.employee", ""},
			{"wangfang004", "block", "liqiang005", "", "DENY", "wecom.member.external_only", ""}, // the strictest of the two
			{"wangfang004", "block", "chenguang001", "native", "DENY", "C-01", ""},
			{"linyue002", "isolate", "wangfang004", "wecom-hq", "ALLOW", "wecom.isolate.admin", ""},
			{"linyue002", "isolate", "chenguang001", "wecom-hq", "DENY", "C-01", ""},
			{"tangxin013", "blacklist", "dt_maoyi", "", "DENY", "C-05", ""},
			{"qinlang014", "blacklist", "dt_maoyi", "", "REVIEW", "C-06", "manager_of_actor"},
			{"guping012", "block", "wm_spam", "", "DENY", "C-10", ""},
		} {
			in := vars{"action": x.action, "targetId": c.target(x.target)}
			if x.workspace != "" {
				in["workspaceId"] = c.workspace(x.workspace)
			}
			a := c.person(x.who).decide(in)
			if a == nil {
				t.Errorf("%s %s %s: no answer", x.who, x.action, x.target)
				continue
			}
			var needs []string
			for _, n := range a.Needs {
				needs = append(needs, n.Role)
				if len(n.Candidates) == 0 {
					t.Errorf("%s %s %s: nobody could agree as %s", x.who, x.action, x.target, n.Role)
				}
			}
			slices.Sort(needs)
			got := fmt.Sprint(a.Outcome, " ", a.rules(), " ", strings.Join(needs, " "))
			expect(t, fmt.Sprint(x.who, " ", x.action, " ", x.target, " ", x.workspace), got, fmt.Sprint(x.outcome, " ", x.rules, " ", x.needs))
			if a.Reason == "" {
				t.Error("without a reason")
			}
		}
		expect(t, "what came of it", len(lin.trail("block")), 0)

		// In a group: the demo's worked cases.
		in := vars{"action": "group_block", "targetId": c.member("shanxiaoyu016"), "groupId": c.group("项目群-北斗")}
		plain := c.person("mengjie015").decide(in)
		expect(t, "a plain member", plain.Outcome+" "+plain.rules()+" "+plain.Needs[0].Role, "REVIEW feishu.group_block.member group_owner")
		expect(t, "a group admin", c.person("sunli006").decide(in).Outcome, "DENY")
		in["targetId"] = c.member("sunli006")
		expect(t, "against a group admin", c.person("mengjie015").decide(in).Outcome, "DENY")
		if got := wang.decide(in); got != nil {
			t.Errorf("a group that wangfang004 does not see is asked about: %+v", got)
		}

		// The end of what stands, by its own terms.
		r := wang.blocks("wm_spam")
		expect(t, "lift", wang.decide(vars{"action": "lift", "targetId": r.ID}).Outcome, "ALLOW")
		undo := wang.decide(vars{"action": "undo", "targetId": r.ID})
		expect(t, "undo", undo.Outcome+" "+undo.Needs[0].Role, "REVIEW admin")
		expect(t, "undo by an admin", lin.decide(vars{"action": "undo", "targetId": r.ID}).Outcome, "ALLOW")
		if got := c.person("liqiang005").decide(vars{"action": "lift", "targetId": r.ID}); got != nil {
			t.Errorf("a relationship that liqiang005 does not see is asked about: %+v", got)
		}
		_, a := wang.asks("wm_haikang")
		expect(t, "verdict", c.person("zhaomin003").decide(vars{"action": "decide_approval", "targetId": a.ID}).Outcome, "ALLOW")
		expect(t, "own verdict", wang.decide(vars{"action": "decide_approval", "targetId": a.ID}).Outcome, "DENY")
		expect(t, "cancel", wang.decide(vars{"action": "cancel_approval", "targetId": a.ID}).Outcome, "ALLOW")
		expect(t, "check", wang.decide(vars{"action": "check_contact", "targetId": c.contact("wm_spam")}).Outcome, "ALLOW")
	})
}

// About others, and with other facts, asks whoever may read policy; nobody else learns anything by it.
func TestDecideForOthers(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, lin, gu := c.person("wangfang004"), c.person("linyue002"), c.person("guping012")
		haikang := vars{"actorId": c.member("wangfang004"), "action": "block", "targetId": c.contact("wm_haikang")}
		for _, reader := range []person{lin, gu, c.person("chenguang001")} {
			a := reader.decide(haikang)
			expect(t, reader.account, a.Outcome+" "+a.rules()+" "+a.Actor.AccountName, "REVIEW C-06 C-07 wangfang004")
			expect(t, "rank", a.fact("r.sub.Rank"), "3")
			expect(t, "value", a.fact("r.obj.OpenValue"), "1200000")
		}
		what := func(facts ...string) vars {
			in := vars{}
			for k, v := range haikang {
				in[k] = v
			}
			var list []vars
			for _, f := range facts {
				name, value, _ := strings.Cut(f, "=")
				list = append(list, vars{"name": name, "value": value})
			}
			in["facts"] = list
			return in
		}
		expect(t, "less business", lin.decide(what("r.obj.OpenValue=500000")).rules(), "C-06")
		expect(t, "an ordinary contact", lin.decide(what("r.obj.OpenValue=0", "obj.Importance=NORMAL")).Outcome, "ALLOW")
		expect(t, "another platform", lin.decide(what("r.obj.OpenValue=0", "r.obj.Importance=NORMAL", "r.dom=agora")).rules(), "default.block_external.employee")
		expect(t, "as an auditor", lin.decide(what("r.sub.Roles=auditor")).rules(), "C-10")

		// One thing away.
		near := lin.decide(what("r.obj.OpenValue=500000")).misses()
		if !slices.Contains(near, "C-07: r.obj.OpenValue > 500000: 500000") {
			t.Errorf("near misses: %q", near)
		}
		layers := lin.decide(haikang).Layers
		var seen []string
		for _, l := range layers {
			o := "-"
			if l.Outcome != nil {
				o = *l.Outcome
			}
			seen = append(seen, l.Name+" "+o)
			for _, r := range l.Rules {
				if r.Text == nil {
					t.Errorf("a reader of policy does not read %s", r.Name)
				}
			}
		}
		expect(t, "layers", strings.Join(seen, ", "), "guard REVIEW, default -, platform:wecom ALLOW, company -")

		// An action without a command yet is answered by the facts given.
		freeze := vars{"action": "set_account_status", "facts": []vars{{"name": "r.obj.Type", "value": "account"}, {"name": "r.obj.To", "value": "FROZEN"}}}
		expect(t, "freeze", lin.decide(freeze).rules(), "account.freeze.admin")

		// What cannot be asked.
		for what, in := range map[string]vars{
			"there is no fact": {"action": "block", "targetId": c.contact("wm_spam"), "facts": []vars{{"name": "r.obj.Importence", "value": "KEY"}}},
			"cannot be":        {"action": "block", "targetId": c.contact("wm_spam"), "facts": []vars{{"name": "r.obj.Importance", "value": "huge"}}},
			"no action":        {"action": "explode"},
			"read":             {"action": "read"},
			"overridden":       {"action": "block", "targetId": c.contact("wm_spam"), "facts": []vars{{"name": "r.act", "value": "lift"}}},
		} {
			if code, _ := lin.refused(in); code != "BAD_USER_INPUT" {
				t.Errorf("%s: %s", what, code)
			}
		}

		many := what(slices.Repeat([]string{"r.sub.Rank=1"}, 51)...)
		if code, _ := lin.refused(many); code != "BAD_USER_INPUT" {
			t.Errorf("51 facts: %s", code)
		}
		expect(t, "in Chinese", wang.speaking("zh-CN").decide(vars{"action": "blacklist", "targetId": c.contact("wm_spam")}).Reason, "仅可将已认证企业用户加入黑名单。")

		// Of employees nobody asks about another, nor what if.
		about := vars{"actorId": c.member("liqiang005"), "action": "block", "targetId": c.contact("wm_spam")}
		code, id := wang.refused(about)
		expect(t, "about another", code, "FORBIDDEN")
		if d := wang.decision(id); d == nil || d.Outcome != "DENY" || d.Action != "read" || d.Times != 1 {
			t.Errorf("the refusal: %+v", d)
		}
		for range 4 {
			_, again := wang.refused(about)
			expect(t, "the same refusal", again, id)
		}
		expect(t, "how often", wang.decision(id).Times, 5)
		expect(t, "in the trail", len(gu.trail("read")), 1)
		c.Advance(time.Hour)
		if _, later := wang.refused(about); later == id {
			t.Error("an hour later it is still the same refusal")
		}
		if code, _ := wang.refused(vars{"action": "block", "targetId": c.contact("wm_spam"), "facts": []vars{{"name": "r.sub.Rank", "value": "9"}}}); code != "FORBIDDEN" {
			t.Errorf("what if: %s", code)
		}

		// What somebody asked about wangfang004 is not hers to read; what she asked herself is, without the rules' texts.
		if wang.decision(lin.decide(haikang).ID) != nil {
			t.Error("wangfang004 reads what linyue002 asked about her")
		}
		own := wang.decide(vars{"action": "block", "targetId": c.contact("wm_haikang")})
		if d := wang.decision(own.ID); d == nil || len(d.NearMisses) > 0 || d.fact("r.sub.Rank") != "3" || d.fact("r.obj.Importance") != "KEY" {
			t.Errorf("her own question: %+v", d)
		}
		for _, l := range own.Layers {
			for _, r := range l.Rules {
				if r.Text != nil || l.Name == "platform:wecom" {
					t.Errorf("she reads %s of %s", r.Name, l.Name)
				}
			}
		}
		if c.person("liqiang005").decision(own.ID) != nil {
			t.Error("liqiang005 reads her question")
		}
		// A target that the one asked about does not see is none.
		about["targetId"] = c.contact("wm_xingyun")
		if got := lin.decide(about); got != nil {
			t.Errorf("liqiang005 could ask about a contact that he does not see: %+v", got)
		}
	})
}

// What is hidden of a contact stays hidden in the facts of a decision.
func TestFactsAreMasked(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		_, a := wang.asks("wm_haikang")
		of := func(p person) *asked {
			return read[struct{ Decision *asked }](t, p.Do(`query($id:ID!){node(id:$id){...on Approval{decision{`+askedFields+`}}}}`, vars{"id": a.ID})).Decision
		}
		for _, x := range []struct{ who, rank, value string }{
			{"wangfang004", "3", "1200000"},
			{"linyue002", "3", "1200000"},
			{"zhaomin003", "hidden", "hidden"}, // who is to agree sees the contact itself, not what policy was told
		} {
			d := of(c.person(x.who))
			expect(t, x.who, d.fact("r.sub.Rank")+" "+d.fact("r.obj.OpenValue")+" "+d.fact("r.act"), x.rank+" "+x.value+" block")
		}
	})
}

// A decision is made again from its row, by the version that made it, after the files have changed twice.
func TestDecisionsAreMadeAgain(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		dir := t.TempDir()
		c := company{testkit.Demo(t, dsn, "--policies", dir), t, dsn, map[string]string{}}
		wang, lin, gu := c.person("wangfang004"), c.person("linyue002"), c.person("guping012")
		var ids, others []string
		version := lin.policy().Version
		put := func(text string) {
			save(t, dir, "acme.csv", text)
			within(t, live, "the file is in force", func() bool { return lin.policy().Version != version })
			version = lin.policy().Version
		}
		note := func(target string) {
			o := wang.block(target)
			ids = append(ids, o.Results[0].Decision.ID)
			if r := o.Results[0].Relationship; r != nil && r.State == "ACTIVE" {
				wang.lift(r.ID, "again")
			} else if o.Approval != nil {
				wang.cancel(o.Approval.ID)
			}
		}
		note("wm_lanhai")
		note("zhaomin003")
		put(careful)
		note("wm_lanhai")
		put("p, acme.never, wecom, employee, block, contact, true, deny, ,\n")
		note("wm_lanhai")
		for _, e := range gu.trail() { // whatever else was decided on the way
			if e.DecisionID != "" && !slices.Contains(ids, e.DecisionID) {
				others = append(others, e.DecisionID)
			}
		}
		if len(others) < 2 {
			t.Errorf("only %d other decisions", len(others))
		}
		for _, id := range others {
			d := gu.decision(id)
			expect(t, d.Action+" again", deref(d.Replayed), d.Outcome)
		}
		var got []string
		for _, id := range ids {
			d := gu.decision(id)
			strictest, rules := "", []string{}
			for _, l := range d.Layers {
				if l.Outcome != nil && (strictest == "" || *l.Outcome == d.Outcome) {
					strictest = *l.Outcome
				}
				for _, r := range l.Rules {
					rules = append(rules, r.ID)
				}
			}
			expect(t, "the layers of "+id, strictest, d.Outcome)
			expect(t, "again", deref(d.Replayed), d.Outcome)
			if wang.decision(id).Replayed != nil {
				t.Error("whoever asked plays it again")
			}
			for _, r := range d.Rules {
				if !slices.Contains(rules, r.ID) {
					t.Errorf("%s: %s is in no layer", id, r.Name)
				}
			}
			got = append(got, d.Outcome+" "+d.rules())
		}
		expect(t, "decisions", strings.Join(got, ", "),
			"ALLOW wecom.block_external.employee, DENY C-01 C-02, REVIEW acme.careful, DENY acme.never")
	})
}

// An outcome that was altered in the database is not what its version says.
func TestAlteredDecisionShows(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		id := c.person("wangfang004").block("zhaomin003", on("native")).Results[0].Decision.ID
		gu := c.person("guping012")
		expect(t, "before", deref(gu.decision(id).Replayed), "DENY")
		if _, err := testkit.Database(t, c.dsn).Exec("update decisions set outcome = 'ALLOW', rules = '[]'"); err != nil {
			t.Fatal(err)
		}
		d := gu.decision(id)
		expect(t, "after", d.Outcome+" "+deref(d.Replayed), "ALLOW DENY")
	})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Menus: what could be asked for at all, and of whom.
func TestMay(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		var schema []byte
		files, err := filepath.Glob("../../graph/schema/*.graphqls")
		must(t, "the schema", err, nil)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, f, err, nil)
			schema = append(schema, b...)
		}
		may := func(p person) []string { return read[struct{ May []string }](t, p.Do(`{viewer{may}}`, nil)).May }
		for who, x := range map[string]struct{ has, lacks string }{
			"wangfang004":  {"block blacklist lift undo check_contact", "isolate bulk"},
			"tangxin013":   {"block", "blacklist isolate"}, // rank 2
			"zhaomin003":   {"block bulk send_message", "isolate"},
			"linyue002":    {"isolate block import_directory", "activate_policy"},
			"chenguang001": {"isolate set_account_status", "activate_policy sync_workspace"},
			"guping012":    {"acknowledge_alert check_contact", "block isolate lift"},
		} {
			got := may(c.person(who))
			for _, a := range got { // there is a way to do it
				if !slices.Contains(strings.Fields("block isolate blacklist group_block"), a) && !bytes.Contains(schema, []byte(`@authorize(action: "`+a+`")`)) {
					t.Errorf("%s may %s, and there is no way to", who, a)
				}
			}
			for _, a := range strings.Fields(x.has) {
				if !slices.Contains(got, a) {
					t.Errorf("%s may not %s: %q", who, a, got)
				}
			}
			for _, a := range strings.Fields(x.lacks) {
				if slices.Contains(got, a) {
					t.Errorf("%s may %s: %q", who, a, got)
				}
			}
		}
		of := func(p person, target string) string {
			a := p.Do(`query($id:ID!){node(id:$id){...on Member{viewerMay}...on ExternalContact{viewerMay}}}`, vars{"id": c.target(target)})
			return strings.Join(read[struct{ ViewerMay []string }](t, a).ViewerMay, " ")
		}
		for _, x := range []struct{ who, target, want string }{
			{"wangfang004", "wm_spam", "block"}, // not verified
			{"wangfang004", "wm_lanhai", "block blacklist"},
			{"wangfang004", "wm_haikang", "block blacklist"}, // with others' word
			{"wangfang004", "liqiang005", "block"},           // on native
			{"wangfang004", "zhaomin003", ""},                // her superior
			{"wangfang004", "wangfang004", ""},
			{"guping012", "wm_spam", ""},
			{"mengjie015", "sunli006", "block"},
			{"wuhao008", "mengjie015", ""}, // owns the lunch group
		} {
			expect(t, x.who+" about "+x.target, of(c.person(x.who), x.target), x.want)
		}
		// What a menu offers is what the command then says, for a whole page of people.
		p := c.person("sunli006")
		page := read[struct {
			Nodes []struct {
				ID        string
				ViewerMay []string
			}
		}](t, p.Do(`{members(first:60){nodes{id viewerMay}}}`, nil))
		offered := 0
		for _, m := range page.Nodes {
			d := p.Do(`query($in:DecisionInput!){decide(input:$in){outcome}}`, vars{"in": vars{"action": "block", "targetId": m.ID, "workspaceId": c.workspace("native")}})
			if slices.Contains(m.ViewerMay, "block") {
				offered++
			} else if d.Text("decide.outcome") != "DENY" {
				t.Errorf("%s is not offered, and would be %s", m.ID, d.Body)
			}
		}
		if offered < 20 {
			t.Errorf("%d of %d are offered", offered, len(page.Nodes))
		}
	})
}
