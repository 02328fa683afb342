package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const (
	statusDocument = `mutation($i:SetAccountStatusInput!){do:setAccountStatus(input:$i){account{id status statusScope statusUntil statusReason}
		decision{id outcome rules{name} needs{role count}} approval{id state summary subject{id} reason needs{role count given}} userErrors{code path message decision{id}}}}`
	signOutDocument = `mutation($a:ID!,$r:String!){do:signOutDevices(accountId:$a,reason:$r){account{id devices{signedIn}} enforcement
		decision{outcome rules{name}} userErrors{code path}}}`
	accountDocument = `query($i:ID!){node(id:$i){...on Account{status statusScope statusUntil statusReason}}}`
)

// accountOf is the id of somebody's account on a workspace.
func (c company) accountOf(account, workspace string) string {
	c.t.Helper()
	return c.id("account "+account+" "+workspace, func(admin person) string {
		a := admin.Do(`query($a:String){member(accountName:$a){accounts{id workspace{name}}}}`, vars{"a": account})
		for i := range a.Get("member.accounts").([]any) {
			if at := fmt.Sprintf("member.accounts.%d.", i); a.Text(at+"workspace.name") == workspace {
				return a.Text(at + "id")
			}
		}
		return ""
	})
}

// sets asks for another status and answers what came of it: the code of what went wrong, or the outcome.
func (p person) sets(account, to string, more ...vars) (string, testkit.Answer) {
	p.c.t.Helper()
	in := vars{"accountId": account, "status": to, "reason": "a reason"}
	for _, m := range more {
		for k, v := range m {
			in[k] = v
		}
	}
	a := p.Do(statusDocument, vars{"i": in})
	if code := a.Text("do.userErrors.0.code"); code != "" {
		return code, a
	}
	return a.Text("do.decision.outcome"), a
}

// Every status, every wish, every role: policy says who may, and the table what can be; whoever may not is told that first.
func TestAccountTransitions(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		chen, lin, feng := c.person("chenguang001"), c.person("linyue002"), c.person("fengtao010")
		account := c.accountOf("liqiang005", "native")
		next := map[string][]string{"ACTIVE": {"FROZEN", "DORMANT"}, "FROZEN": {"ACTIVE", "DISABLED"},
			"DORMANT": {"ACTIVE", "FROZEN", "DISABLED"}, "DISABLED": {"FROZEN"}}
		may := func(role, from, to string) bool {
			switch {
			case from == "DISABLED" && to == "FROZEN":
				return role == "super_admin"
			case to == "DISABLED":
				return role == "it"
			case to == "ACTIVE":
				return role == "admin" || role == "super_admin"
			}
			return role == "admin" || role == "super_admin" || role == "it"
		}
		status := func() string { return lin.Do(accountDocument, vars{"i": account}).Text("node.status") }
		bring := func(to string) {
			t.Helper()
			for range 4 {
				switch from := status(); {
				case from == to:
					return
				case from == "DISABLED":
					chen.sets(account, "FROZEN")
				case to == "DISABLED" && from != "ACTIVE":
					feng.sets(account, "DISABLED")
				case slices.Contains(next[from], to):
					lin.sets(account, to)
				case from == "ACTIVE":
					lin.sets(account, "FROZEN")
				default:
					lin.sets(account, "ACTIVE")
				}
			}
			must(t, "brought to", status(), to)
		}
		who := map[string]person{"super_admin": chen, "admin": lin, "it": feng, "employee": c.person("wangfang004"), "auditor": c.person("guping012"),
			"legal": c.person("heyun011")}
		if who["legal"].account == "" {
			t.Fatal("nobody for a role")
		}
		done := 0
		for from := range next {
			for to := range next {
				c.Advance(61 * time.Minute) // a new hour of C-14
				for role, p := range who {
					bring(from)
					want := "ALLOW"
					switch {
					case !may(role, from, to):
						want = "POLICY_DENIED"
					case !slices.Contains(next[from], to):
						want = "INVALID_TRANSITION"
					}
					got, a := p.sets(account, to)
					what := role + ": " + from + " → " + to
					expect(t, what, got, want)
					if want == "ALLOW" {
						expect(t, what+": the answer", a.Text("do.account.status")+" "+a.Text("do.account.statusReason"), to+" a reason")
						expect(t, what+": as it stands", status(), to)
						done++
					} else {
						expect(t, what+": as it stands", status(), from)
					}
				}
			}
		}
		if done < 15 {
			t.Errorf("only %d changes were carried out", done)
		}
	})
}

// What is wrong with a wish is told before anything else, and a hidden account is not there.
func TestAccountInput(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		account := c.accountOf("liqiang005", "native")
		for what, in := range map[string]vars{
			"reason": {"reason": " "}, "until": {"status": "FROZEN", "until": c.Now().Add(time.Hour)}, "until ": {"until": c.Now().Add(-time.Hour)},
			"scope": {"scope": "EXPORT_ONLY"}, "accountId": {"accountId": c.member("liqiang005")},
		} {
			got, a := lin.sets(account, "ACTIVE", in)
			expect(t, what, got+" "+a.Text("do.userErrors.0.path.0"), "INVALID_INPUT "+strings.TrimSpace(what))
		}
		got, _ := lin.sets(unknown(account), "FROZEN")
		expect(t, "none such", got, "NOT_FOUND")
		got, a := lin.sets(c.accountOf("linyue002", "native"), "FROZEN")
		expect(t, "himself", got+" "+a.Text("do.decision.rules.0.name"), "POLICY_DENIED C-03")
		crm := c.service(demoKey).Do(statusDocument, vars{"i": vars{"accountId": account, "status": "FROZEN", "reason": "r"}})
		expect(t, "a service", crm.Text("do.userErrors.0.code"), "POLICY_DENIED")
	})
}

// Twenty freezes in an hour are one's own; the twenty-first waits for another admin, who carries it out; an hour later there are
// twenty again. All of it is in the trail, and subscribers hear of it.
func TestBlastRadius(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		feng, lin, han, chen := c.person("fengtao010"), c.person("linyue002"), c.person("hanlei017"), c.person("chenguang001")
		var accounts []string
		a := lin.Do(`query($w:ID){accounts(first:100,filter:{workspaceId:$w,status:ACTIVE,kind:HUMAN,orphan:false}){nodes{id member{accountName}}}}`, vars{"w": c.workspace("native")})
		for i := range a.Get("accounts.nodes").([]any) {
			at := fmt.Sprintf("accounts.nodes.%d.", i)
			if who := a.Text(at + "member.accountName"); !slices.Contains([]string{"chenguang001", "linyue002", "fengtao010", "hanlei017", "guping012", ""}, who) {
				accounts = append(accounts, a.Text(at+"id"))
			}
		}
		if len(accounts) < 24 {
			t.Fatalf("the demo has %d accounts to freeze", len(accounts))
		}
		cursor := lin.Do(`{changeCursor}`, nil).Text("changeCursor")
		// All at once: no two overlook each other.
		results := make([]string, 21)
		var all sync.WaitGroup
		for i := range 19 {
			results[i], _ = feng.sets(accounts[i], "FROZEN")
		}
		for i := 19; i < 21; i++ {
			all.Go(func() { results[i], _ = feng.sets(accounts[i], "FROZEN") })
		}
		all.Wait()
		slices.Sort(results)
		expect(t, "of 21", strings.Join(results, " "), strings.Repeat("ALLOW ", 20)+"REVIEW")
		got, r := feng.sets(accounts[21], "FROZEN", vars{"idempotencyKey": "k"})
		expect(t, "the 22nd", got+" "+r.Text("do.decision.rules.0.name")+" "+r.Text("do.account.status"), "REVIEW C-14 ACTIVE")
		approval := r.Text("do.approval.id")
		expect(t, "what it is about", r.Text("do.approval.subject.id"), accounts[21])
		summary := r.Text("do.approval.summary")
		expect(t, "who asks for what: "+summary, strings.HasPrefix(summary, "冯涛 asks to freeze ") && strings.HasSuffix(summary, "'s account on native."), true)
		again, same := feng.sets(accounts[21], "FROZEN", vars{"idempotencyKey": "k"})
		expect(t, "asked again with its key", again+" "+same.Text("do.approval.id")+" "+same.Text("do.approval.reason"), "REVIEW "+approval+" a reason")
		again, _ = feng.sets(accounts[21], "FROZEN")
		expect(t, "asked again", again, "CONFLICT")
		verdict := func(p person, id string) string {
			a := p.Do(`mutation($i:ID!){v:decideApproval(approvalId:$i,approve:true){approval{state} userErrors{code}}}`, vars{"i": id})
			if code := a.Text("v.userErrors.0.code"); code != "" {
				return code
			}
			return a.Text("v.approval.state")
		}
		expect(t, "the one who asks", verdict(feng, approval), "POLICY_DENIED")
		expect(t, "an admin", verdict(lin, approval), "APPROVED")
		expect(t, "it is frozen", lin.Do(accountDocument, vars{"i": accounts[21]}).Text("node.status"), "FROZEN")

		// Changed after it was asked for: void.
		_, r = feng.sets(accounts[22], "FROZEN")
		void := r.Text("do.approval.id")
		if got, _ := lin.sets(accounts[22], "DORMANT"); got != "ALLOW" {
			t.Fatal(got)
		}
		expect(t, "of what stands otherwise", verdict(han, void), "CONFLICT")
		expect(t, "it is left alone", lin.Do(accountDocument, vars{"i": accounts[22]}).Text("node.status"), "DORMANT")

		// Nobody answers.
		_, r = feng.sets(accounts[23], "FROZEN")
		c.Advance(73 * time.Hour)
		eventually(t, "it runs out", func() bool {
			return chen.Do(`query($i:ID!){node(id:$i){...on Approval{state}}}`, vars{"i": r.Text("do.approval.id")}).Text("node.state") == "EXPIRED"
		})
		got, _ = feng.sets(accounts[23], "FROZEN")
		expect(t, "three days later", got, "ALLOW")

		trail := chen.Do(`{auditEvents(first:100,filter:{actions:["account.freeze","account.rest"]}){nodes{action outcome prevented actorName subject{id} detail}}}`, nil)
		must(t, "events", len(trail.Get("auditEvents.nodes").([]any)), 28)
		heard := c.person("chenguang001").Subscribe(`subscription($a:String){directoryChanged(after:$a){nodeId kind node{...on Account{status}}}}`, vars{"a": cursor}).Next(t)
		expect(t, "a subscriber hears", heard.Text("directoryChanged.kind")+" "+heard.Text("directoryChanged.node.status"), "UPDATED FROZEN")
	})
}

// Whoever would take the last super_admin out needs another admin.
func TestLastSuperAdmin(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, han := c.person("linyue002"), c.person("hanlei017")
		account := c.accountOf("chenguang001", "native")
		got, a := lin.sets(account, "FROZEN")
		expect(t, "freezing him", got+" "+a.Text("do.decision.rules.0.name")+" "+a.Text("do.account.status"), "REVIEW C-14 ACTIVE")
		v := han.Do(`mutation($i:ID!){v:decideApproval(approvalId:$i,approve:true){approval{state finalDecision{outcome}} userErrors{code}}}`, vars{"i": a.Text("do.approval.id")})
		expect(t, "another admin agrees", v.Text("v.approval.state"), "APPROVED")
		expect(t, "so he is frozen", lin.Do(accountDocument, vars{"i": account}).Text("node.status"), "FROZEN")
	})
}

// S-13, without its export: what is unfrozen for a time freezes by itself, whether or not anybody was there.
func TestTemporaryUnfreeze(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		lin := c.person("linyue002")
		account := c.accountOf("liqiang005", "native")
		now := func() string {
			a := lin.Do(accountDocument, vars{"i": account})
			return a.Text("node.status") + " " + a.Text("node.statusScope")
		}
		lin.sets(account, "FROZEN")
		unfreeze := func() {
			t.Helper()
			got, a := lin.sets(account, "ACTIVE", vars{"until": c.Now().Add(2 * time.Hour), "scope": "EXPORT_ONLY"})
			expect(t, "unfrozen", got, "ALLOW")
			expect(t, "until", a.Get("do.account.statusUntil") != nil, true)
			expect(t, "so he is", now(), "ACTIVE EXPORT_ONLY")
		}
		unfreeze()
		for _, to := range []string{"ACTIVE", "DORMANT", "DISABLED"} {
			p := lin
			if to == "DISABLED" {
				p = c.person("fengtao010")
			}
			got, _ := p.sets(account, to)
			expect(t, "for a time, then "+to, got, "INVALID_TRANSITION")
		}
		time.Sleep(1100 * time.Millisecond) // tokens count in seconds: this one is after his sessions ended
		li := c.person("liqiang005")
		wish := c.wish(c.member("gaoxiang020"), []how{on("native")})
		blocked := li.Do(blockDocument, wish)
		expect(t, "EXPORT_ONLY is not ACTIVE", strings.Contains(blocked.Body, "C-04"), true)

		c.Advance(2 * time.Hour)
		expect(t, "the time has come", now(), "FROZEN FULL")
		frozen := lin.Do(`query($w:ID){accounts(first:100,filter:{workspaceId:$w,status:FROZEN}){nodes{id}}}`, vars{"w": c.workspace("native")})
		expect(t, "in the list", strings.Contains(frozen.Body, account), true)
		unwritten := func() int {
			a := c.person("chenguang001").Do(`{auditEvents(first:10,filter:{actions:["account.refreeze"]}){nodes{actorName}}}`, nil)
			return len(a.Get("auditEvents.nodes").([]any))
		}
		eventually(t, "it is written down", func() bool { return unwritten() == 1 })

		unfreeze()
		at := c.Now().Add(2 * time.Hour)
		c.Set(at.Add(-300 * time.Millisecond))
		c.Stop() // nobody is there when the time comes
		time.Sleep(400 * time.Millisecond)
		c = open(t, dsn)
		lin = c.person("linyue002")
		expect(t, "written down before anybody was served", unwritten(), 2) // asking for the time would do it
		expect(t, "after the restart", now(), "FROZEN FULL")
		must(t, "its time is past", c.Now().After(at), true)
	})
}

// Signing out ends tokens, sockets and streams at every replica within a second, and nobody else's.
func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, dsn, "--sim", sim), open(t, dsn, "--sim", sim)
	account := a.accountOf("wangfang004", "native")
	lin := a.person("linyue002")
	for what, end := range map[string]func() string{
		"signing out": func() string {
			got := lin.Do(signOutDocument, vars{"a": account, "r": "lost"})
			return got.Text("do.userErrors.0.code") + got.Text("do.decision.outcome") + " " + got.Text("do.enforcement")
		},
		"freezing": func() string { got, _ := lin.sets(account, "FROZEN"); return got + " NATIVE" },
	} {
		token := testkit.Token(t, "wangfang004")
		var open []func(ctx context.Context) error
		for _, s := range []*testkit.Server{a.Server, b.Server} {
			conn, err := s.With(token).Socket(t.Context())
			must(t, "a socket", err, nil)
			open = append(open, func(ctx context.Context) error {
				for {
					var m testkit.Message
					if err := wsjson.Read(ctx, conn, &m); err != nil {
						return err
					}
				}
			})
		}
		time.Sleep(1100 * time.Millisecond) // tokens count in seconds
		began := time.Now()
		expect(t, what, end(), "ALLOW NATIVE")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		for i, closed := range open {
			if err := closed(ctx); ctx.Err() != nil {
				t.Errorf("%s: the socket at replica %d stayed open: %v", what, i, err)
			}
		}
		cancel()
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s took %v", what, took)
		}
		for i, s := range []*testkit.Server{a.Server, b.Server} {
			got, err := s.With(token).Ask(`{viewer{roles}}`, nil)
			if err != nil || got.Code(0) != "UNAUTHENTICATED" {
				t.Errorf("%s: the token at replica %d: %s %v", what, i, got.Body, err)
			}
		}
		time.Sleep(1100 * time.Millisecond)
		expect(t, what+": he may come back", b.person("wangfang004").Do(`{viewer{roles}}`, nil).Code(0), "")
	}
}

// Whose accounts are all frozen is let in no more, and comes back when one is not.
func TestShutOut(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		people := []person{lin, c.person("fengtao010"), c.person("chenguang001")}
		const who = "shanxiaoyu016"
		a := lin.Do(`query($a:String){member(accountName:$a){accounts{id workspace{name}}}}`, vars{"a": who})
		for i := range a.Get("member.accounts").([]any) { // somebody is on each of his workspaces
			at := fmt.Sprintf("member.accounts.%d.", i)
			must(t, "frozen on "+a.Text(at+"workspace.name"),
				slices.ContainsFunc(people, func(p person) bool { got, _ := p.sets(a.Text(at+"id"), "FROZEN"); return got == "ALLOW" }), true)
		}
		time.Sleep(1100 * time.Millisecond)
		in := func() string {
			a, err := c.As(who).Ask(`{viewer{roles}}`, nil)
			must(t, "ask", err, nil)
			return a.Code(0)
		}
		expect(t, "with no account left", in(), "UNAUTHENTICATED")
		got, _ := lin.sets(c.accountOf(who, "native"), "ACTIVE")
		must(t, "unfrozen", got, "ALLOW")
		expect(t, "with one again", in(), "")
	})
}

// What somebody has on a personal messenger does not let him in where the company has shut him out; who has nothing else is let in by it.
func TestPersonalAccount(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		const who = "wangfang004"
		in := func() string {
			a, err := c.As(who).Ask(`{viewer{roles}}`, nil)
			must(t, "ask", err, nil)
			return a.Code(0)
		}
		const others = `member_id = (select id from members where account_name = 'wangfang004')
			and workspace_id <> (select id from workspaces where platform = 'wechat')`
		c.exec("update accounts set status = 'FROZEN' where " + others)
		eventually(t, "shut out", func() bool { return in() == "UNAUTHENTICATED" })
		c.exec("update accounts set member_id = null where " + others)
		eventually(t, "with nothing but a personal one", func() bool { return in() == "" })
	})
}

// Who is ACTIVE nowhere does nothing, also where no workspace is in question, and reads what is his own (C-04).
func TestActiveNowhere(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, zhao := c.person("linyue002"), c.person("zhaomin003")
		contacts := func(p person) int {
			return int(p.Do(`{externalContacts(first:1){totalCount}}`, nil).Get("externalContacts.totalCount").(float64))
		}
		must(t, "the whole company's", contacts(lin) > 600, true)
		must(t, "of all below her", contacts(zhao) > 500, true)
		c.exec(`update accounts set status_scope = 'EXPORT_ONLY' where member_id in (select id from members where account_name = 'linyue002')`)
		c.exec(`update accounts set status = 'DORMANT' where member_id in (select id from members where account_name = 'zhaomin003')`)
		eventually(t, "imports nothing", func() bool { return lin.imports().codes() == "POLICY_DENIED" })
		key := lin.Do(`mutation{createApiKey(input:{service:"billing",scopes:["service:contacts"]}){secret userErrors{code}}}`, nil)
		expect(t, "makes a key", key.Text("createApiKey.userErrors.0.code")+key.Text("createApiKey.secret"), "POLICY_DENIED")
		eventually(t, "reads no contact of others", func() bool { return contacts(lin) < 10 })
		eventually(t, "reads those that she follows alone", func() bool { return contacts(zhao) < 10 })
	})
}

// Who is frozen where he acts does not count there as active by an account that he shares with others.
func TestSharedAccountDoesNotStandIn(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, feng := c.person("linyue002"), c.person("fengtao010")
		own := c.accountOf("hanlei017", "native")
		c.exec("insert into member_roles (member_id, role) select id, 'super_admin' from members where account_name = 'hanlei017'")
		c.exec(`insert into accounts (id, workspace_id, member_id, platform_id, kind, status, status_scope)
			select member_id, workspace_id, member_id, 'shared', 'SHARED', 'ACTIVE', 'FULL' from accounts
			where workspace_id = (select id from workspaces where name = 'native')
			and member_id = (select id from members where account_name = 'hanlei017')`)
		got, _ := lin.sets(own, "FROZEN")
		must(t, "one of two super_admins is frozen", got, "ALLOW")
		got, a := feng.sets(c.accountOf("chenguang001", "native"), "FROZEN")
		expect(t, "the last one", got+" "+a.Text("do.decision.rules.0.name"), "REVIEW C-14")
		asked := lin.Do(`query($i:ID!){node(id:$i){...on Approval{needs{candidates{accountName}}}}}`, vars{"i": a.Text("do.approval.id")})
		must(t, "others may agree", strings.Contains(asked.Body, "linyue002"), true)
		expect(t, "the frozen one may", strings.Contains(asked.Body, "hanlei017"), false)
	})
}

// However many freeze one account at once, one does, and the trail reads as if they had stood in line.
func TestFreezesInLine(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		people := []person{c.person("linyue002"), c.person("hanlei017"), c.person("fengtao010"), c.person("chenguang001")}
		account := c.accountOf("liqiang005", "native")
		results := make([]string, 50)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i], _ = people[i%4].sets(account, "FROZEN") })
		}
		all.Wait()
		slices.Sort(results)
		expect(t, "of fifty", strings.Join(results, " "), "ALLOW"+strings.Repeat(" INVALID_TRANSITION", 49))
		a := people[3].Do(`query($s:ID){auditEvents(first:100,filter:{subjectId:$s}){nodes{outcome prevented}}}`, vars{"s": account})
		did := 0
		for i := range a.Get("auditEvents.nodes").([]any) {
			if a.Get(fmt.Sprintf("auditEvents.nodes.%d.prevented", i)) == nil {
				did++
			}
		}
		expect(t, "events", len(a.Get("auditEvents.nodes").([]any)), 50)
		expect(t, "that did something", did, 1)
	})
}
