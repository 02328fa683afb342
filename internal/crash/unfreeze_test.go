package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// hrAsks has HR ask for what an admin does himself.
const hrAsks = `p, account.activate.admin, *, admin, set_account_status, account, r.obj.To == 'ACTIVE', allow, ,
p, account.activate.admin, *, hr, set_account_status, account, r.obj.To == 'ACTIVE', review, admin, expire:72h
`

// S-13, without its export: HR asks to have a frozen person take his own data out for two hours, and cannot agree to that himself;
// an admin does. The gateway is killed and nobody is there when the two hours end: who comes first afterwards finds him frozen.
func TestUnfrozenForATimeAndKilled(t *testing.T) {
	bin, lines := build(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(lines, "acme.csv"), []byte(hrAsks), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		p := gateway(t, bin, dsn, "--policies", lines)
		p.start()
		at := func() *testkit.Server { url, _ := p.where(); return testkit.At(t, url) }
		s := at()
		is := func(what string, got any, want string) {
			t.Helper()
			if text := fmt.Sprint(got); text != want {
				t.Errorf("%s: got %s, want %s", what, text, want)
			}
		}
		type vars = map[string]any
		const who = "shanxiaoyu016"
		const document = `mutation($i:SetAccountStatusInput!){do:setAccountStatus(input:$i){account{status statusScope} decision{outcome} approval{id} userErrors{code}}}`
		set := func(by, account string, more vars) (string, testkit.Answer) {
			in := vars{"accountId": account, "reason": "他要带走自己的资料"}
			for k, v := range more {
				in[k] = v
			}
			a := s.As(by).Do(document, vars{"i": in})
			return a.Text("do.userErrors.0.code") + a.Text("do.decision.outcome"), a
		}
		blocked := s.As(who).Do(`mutation($t:ID!,$w:[ID!]){block(input:{targetId:$t,kind:BLOCK,reason:"x",workspaceIds:$w}){results{relationship{id state}} userErrors{code}}}`,
			vars{"t": s.As(who).Member("liqiang005"), "w": []string{s.As(who).Workspace("native")}})
		block := blocked.Text("block.results.0.relationship.id")
		if block == "" {
			t.Fatal(blocked.Body)
		}
		native, all := "", s.As("linyue002").Do(`query($a:String){member(accountName:$a){accounts{id workspace{name}}}}`, vars{"a": who})
		for i := range all.Get("member.accounts").([]any) {
			one := fmt.Sprintf("member.accounts.%d.", i)
			if all.Text(one+"workspace.name") == "native" {
				native = all.Text(one + "id")
			}
			if got, a := set("linyue002", all.Text(one+"id"), vars{"status": "FROZEN"}); got != "ALLOW" {
				t.Fatal(a.Body)
			}
		}
		second := func() { time.Sleep(1100 * time.Millisecond) } // tokens count in seconds
		second()
		code := func(token string) string {
			a, err := s.With(token).Ask(`{viewer{roles}}`, nil)
			if err != nil {
				t.Fatal(err)
			}
			return a.Code(0)
		}
		is("frozen everywhere", code(testkit.Token(t, who)), "UNAUTHENTICATED")

		until := s.Now().Add(2 * time.Hour)
		got, asked := set("zhenglan009", native, vars{"status": "ACTIVE", "until": until, "scope": "EXPORT_ONLY"})
		is("HR asks", got, "REVIEW")
		agree := func(by string) string {
			a := s.As(by).Do(`mutation($i:ID!){do:decideApproval(approvalId:$i,approve:true){approval{state} userErrors{code decision{rules{name}}}}}`,
				vars{"i": asked.Text("do.approval.id")})
			return a.Text("do.userErrors.0.code") + " " + a.Text("do.userErrors.0.decision.rules.0.name") + a.Text("do.approval.state")
		}
		is("HR agrees", agree("zhenglan009"), "POLICY_DENIED approval.not_requesterPENDING")
		is("so he is out", code(testkit.Token(t, who)), "UNAUTHENTICATED")
		is("an admin agrees", agree("linyue002"), " APPROVED")
		second()

		token := testkit.Token(t, who)
		he := s.With(token)
		own := he.Do(`{viewer{member{accountName accounts{workspace{name} status statusScope statusUntil}}} relationships{nodes{id state}} messages(filter:{}){nodes{id}}}`, nil)
		if len(own.Errors) > 0 || !strings.Contains(own.Body, block) || !strings.Contains(own.Body, "EXPORT_ONLY") {
			t.Errorf("his own data: %s", own.Body)
		}
		lin := s.As("linyue002") // he sees nobody but himself (C-04)
		w, li := he.Workspace("native"), lin.Member("liqiang005")
		for what, a := range map[string]testkit.Answer{
			"block": he.Do(`mutation($t:ID!,$w:[ID!]){do:block(input:{targetId:$t,kind:BLOCK,reason:"x",workspaceIds:$w}){userErrors{code decision{rules{name}}}}}`,
				vars{"t": lin.Member("gaoxiang020"), "w": []string{w}}),
			"lift": he.Do(`mutation($r:ID!){do:liftRelationship(relationshipId:$r,reason:"x"){userErrors{code decision{rules{name}}}}}`, vars{"r": block}),
			"undo": he.Do(`mutation($r:ID!){do:undoRelationship(relationshipId:$r,reason:"x"){userErrors{code decision{rules{name}}}}}`, vars{"r": block}),
			"message": he.Do(`mutation($w:ID!,$t:ID!){do:sendMessage(input:{workspaceId:$w,toId:$t,text:"x"}){userErrors{code decision{rules{name}}}}}`,
				vars{"w": w, "t": li}),
		} {
			want := "POLICY_DENIED C-04"
			if what == "block" || what == "message" {
				want = "NOT_FOUND "
			}
			is(what, a.Text("do.userErrors.0.code")+" "+strings.Join(rulesOf(a), " "), want)
		}
		refused, to := set("linyue002", native, vars{"status": "ACTIVE"})
		is("the admin, for good", refused, "INVALID_TRANSITIONALLOW")
		is("it stands", to.Text("do.account.statusScope"), "EXPORT_ONLY")

		s.Set(until.Add(-300 * time.Millisecond))
		is("until the last moment", code(token), "")
		p.kill()
		time.Sleep(400 * time.Millisecond)
		p.start()
		defer p.stop()
		s = at()
		is("the first to ask", code(token), "UNAUTHENTICATED")
		trail := s.As("chenguang001").Do(`query($i:ID){auditEvents(first:10,filter:{subjectId:$i}){nodes{action actorName}}}`, vars{"i": native})
		var actions []string
		for i := range trail.Get("auditEvents.nodes").([]any) {
			actions = append(actions, trail.Text(fmt.Sprintf("auditEvents.nodes.%d.action", i)))
		}
		if len(actions) == 0 || actions[0] != "account.refreeze" || strings.Count(strings.Join(actions, " "), "account.refreeze") != 1 {
			t.Errorf("the trail, newest first: %v", actions)
		}
		is("with a new token", code(testkit.Token(t, who)), "UNAUTHENTICATED")
		if !s.Now().After(until) {
			t.Errorf("it is only %v", s.Now())
		}
		stands := s.As("linyue002").Do(`query($i:ID!){node(id:$i){...on Account{status statusScope statusUntil}}}`, vars{"i": native})
		is("the account", stands.Text("node.status")+" "+stands.Text("node.statusScope")+" "+fmt.Sprint(stands.Get("node.statusUntil")), "FROZEN FULL <nil>")
	})
}

// rulesOf are the rules that refused a command.
func rulesOf(a testkit.Answer) (out []string) {
	rules, _ := a.Get("do.userErrors.0.decision.rules").([]any)
	for i := range rules {
		out = append(out, a.Text(fmt.Sprintf("do.userErrors.0.decision.rules.%d.name", i)))
	}
	return out
}
