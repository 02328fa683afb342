package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

const (
	bindDocument = `mutation($a:ID!,$m:ID,$k:AccountKind,$r:String!,$i:String){do:bindAccount(accountId:$a,memberId:$m,kind:$k,reason:$r,idempotencyKey:$i){
		account{id kind member{accountName} platformId} ` + commandFields + `}}`
	unlinkDocument = `mutation($l:ID!,$r:String!,$i:String){do:unlinkIdentity(identityId:$l,reason:$r,idempotencyKey:$i){member{accountName} ` + commandFields + `}}`
	ledgerDocument = `query($i:ID!){node(id:$i){...on Account{kind platformId member{accountName} devices{signedIn} bindings{member{accountName} from until reason}}}}`
)

// unmanned is the account of a kind that is no person's own.
func (c company) unmanned(kind string) string {
	c.t.Helper()
	return c.id("account "+kind, func(admin person) string {
		return admin.Do(`query($k:AccountKind!){accounts(first:1,filter:{kind:$k}){nodes{id}}}`, vars{"k": kind}).Text("accounts.nodes.0.id")
	})
}

// binds asks for an account to be somebody's (by account name; "": nobody's) and answers what came of it: the code of what went wrong,
// or the outcome.
func (p person) binds(account, to string, more ...vars) (string, testkit.Answer) {
	p.c.t.Helper()
	in := vars{"a": account, "r": "a reason"}
	if to != "" {
		in["m"] = p.c.member(to)
	}
	for _, m := range more {
		for k, v := range m {
			in[k] = v
		}
	}
	return cameOf(p.Do(bindDocument, in))
}

// unlinks takes a login off, and answers like binds.
func (p person) unlinks(identity string, more ...vars) (string, testkit.Answer) {
	p.c.t.Helper()
	in := vars{"l": identity, "r": "a reason"}
	for _, m := range more {
		for k, v := range m {
			in[k] = v
		}
	}
	return cameOf(p.Do(unlinkDocument, in))
}

func cameOf(a testkit.Answer) (string, testkit.Answer) {
	if code := a.Text("do.userErrors.0.code"); code != "" {
		return code, a
	}
	return a.Text("do.decision.outcome"), a
}

// holder is whose an account is now, and what it is.
func (p person) holder(account string) string {
	p.c.t.Helper()
	a := p.Do(ledgerDocument, vars{"i": account})
	return a.Text("node.kind") + " " + a.Text("node.member.accountName")
}

// ledger is whose an account was, newest first: who, for what reason, and where one span does not end as the next begins.
func (p person) ledger(account string) (out []string) {
	p.c.t.Helper()
	a := p.Do(ledgerDocument, vars{"i": account})
	next := ""
	for i := range a.Get("node.bindings").([]any) {
		at := fmt.Sprintf("node.bindings.%d.", i)
		line := strings.TrimSpace(a.Text(at+"member.accountName") + " " + a.Text(at+"reason"))
		if a.Text(at+"until") != next {
			line += " until " + a.Text(at+"until")
		}
		out, next = append(out, line), a.Text(at+"from")
	}
	return out
}

// An account that is nobody's gets its person, one that several use a new custodian, and back again; the ledger says who had it when.
func TestBindAccount(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		robot, desk, own := c.unmanned("BOT"), c.unmanned("SHARED"), c.accountOf("tangxin013", "dingtalk-hq")
		cursor := lin.Do(`{changeCursor}`, nil).Text("changeCursor")
		old := lin.holder(desk)

		got, a := lin.binds(robot, "fengtao010", vars{"i": "once"})
		expect(t, "nobody's", got+" "+a.Text("do.account.kind")+" "+a.Text("do.account.member.accountName")+" "+a.Text("do.account.platformId"),
			"ALLOW BOT fengtao010 bot_notice")
		expect(t, "as it stands", lin.holder(robot), "BOT fengtao010")
		again, b := lin.binds(robot, "fengtao010", vars{"i": "once"})
		expect(t, "again with its key", again+" "+b.Text("do.decision.id")+" "+b.Text("do.account.platformId"), "ALLOW "+a.Text("do.decision.id")+" bot_notice")
		_, b = lin.binds(robot, "heyun011", vars{"i": "once"})
		expect(t, "another with that key", b.Text("do.userErrors.0.code"), "IDEMPOTENCY_KEY_REUSED")

		c.Advance(time.Hour)
		got, _ = lin.binds(desk, "zhenglan009", vars{"r": "took the front desk over"})
		expect(t, "a new custodian", got+" "+lin.holder(desk), "ALLOW SHARED zhenglan009")
		before := strings.TrimPrefix(old, "SHARED ")
		expect(t, "its ledger", strings.Join(lin.ledger(desk)[:2], ", "), "zhenglan009 took the front desk over, "+before+" 换岗")
		since, err := time.Parse(time.RFC3339, lin.Do(ledgerDocument, vars{"i": desk}).Text("node.bindings.0.from"))
		must(t, "a moment", err, nil)
		if late := c.Now().Sub(since); late < 0 || late > time.Minute {
			t.Errorf("it changed hands %v ago", late)
		}
		got, _ = lin.binds(own, "wangfang004")
		expect(t, "another's own", got+" "+lin.holder(own), "ALLOW HUMAN wangfang004")
		expect(t, "on that workspace he is no more", strings.Contains(lin.Do(`query($a:String){member(accountName:$a){accounts{workspace{name}}}}`,
			vars{"a": "tangxin013"}).Body, "dingtalk-hq"), false)
		got, _ = lin.binds(own, "", vars{"k": "SHARED"})
		expect(t, "nobody's, and shared", got+" "+lin.holder(own), "ALLOW SHARED ")
		got, _ = lin.binds(own, "tangxin013", vars{"k": "HUMAN"})
		expect(t, "back again", got+" "+lin.holder(own), "ALLOW HUMAN tangxin013")
		got, _ = lin.binds(own, "tangxin013", vars{"k": "SHARED"})
		expect(t, "another kind", got+" "+lin.holder(own), "ALLOW SHARED tangxin013")
		expect(t, "and its ledger", strings.Join(lin.ledger(own), ", "), "tangxin013 a reason, a reason, wangfang004 a reason, tangxin013")

		var lines []string
		for _, e := range c.person("chenguang001").trail("account.bind", "account.unbind") {
			lines = append(lines, e.Action+" "+e.Prevented+e.Outcome)
		}
		expect(t, "the trail", strings.Join(lines, ", "), "account.bind ALLOW, account.bind ALLOW, account.unbind ALLOW, account.bind ALLOW, account.bind ALLOW, account.bind ALLOW")
		heard := lin.Subscribe(`subscription($a:String){directoryChanged(after:$a){nodeId kind}}`, vars{"a": cursor}).Next(t)
		expect(t, "a subscriber hears", heard.Text("directoryChanged.kind")+" "+heard.Text("directoryChanged.nodeId"), "UPDATED "+robot)
	})
}

// What is wrong with a wish is told in the order of refusals, and nothing comes of it.
func TestBindRefusals(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		robot, own := c.unmanned("BOT"), c.accountOf("mengjie015", "feishu-hq")
		leaver := lin.Do(`{accounts(first:1,filter:{leaver:true}){nodes{member{id}}}}`, nil).Text("accounts.nodes.0.member.id")
		must(t, "somebody has left", leaver != "", true)
		ours := strings.Join(lin.ledger(own), ", ")
		for _, x := range []struct {
			what, who, account, to string
			more                   vars
			want                   string
		}{
			{"no reason", "linyue002", robot, "heyun011", vars{"r": " "}, "INVALID_INPUT reason"},
			{"no account", "linyue002", c.member("heyun011"), "heyun011", nil, "INVALID_INPUT accountId"},
			{"no member", "linyue002", robot, "", vars{"m": robot}, "INVALID_INPUT memberId"},
			{"an employee, without a reason", "sunli006", robot, "heyun011", vars{"r": ""}, "INVALID_INPUT reason"},
			{"an unknown account", "linyue002", unknown(robot), "heyun011", nil, "NOT_FOUND accountId"},
			{"an unknown person", "linyue002", robot, "", vars{"m": unknown(c.member("heyun011"))}, "NOT_FOUND memberId"},
			{"an employee", "sunli006", own, "sunli006", nil, "POLICY_DENIED"},
			{"who sees it not", "tangxin013", robot, "tangxin013", nil, "NOT_FOUND accountId"},
			{"whose it is", "mengjie015", own, "", nil, "POLICY_DENIED"},
			{"it", "fengtao010", robot, "heyun011", nil, "POLICY_DENIED"},
			{"hr, who is not there", "zhenglan009", own, "heyun011", nil, "POLICY_DENIED C-04"},
			{"the auditor", "guping012", robot, "heyun011", nil, "POLICY_DENIED C-10"},
			{"it, and nothing would change", "fengtao010", own, "mengjie015", nil, "POLICY_DENIED"},
			{"nothing would change", "linyue002", own, "mengjie015", nil, "INVALID_TRANSITION"},
			{"nothing would change, said in full", "linyue002", own, "mengjie015", vars{"k": "HUMAN"}, "INVALID_TRANSITION"},
			{"nobody's already", "linyue002", robot, "", nil, "INVALID_TRANSITION"},
			{"who has left", "linyue002", robot, "", vars{"m": leaver}, "INVALID_TRANSITION"},
			{"who has one", "linyue002", own, "sunli006", nil, "CONFLICT"},
			{"who has one, made his own", "linyue002", robot, "heyun011", vars{"k": "HUMAN"}, "CONFLICT"},
		} {
			got, a := c.person(x.who).binds(x.account, x.to, x.more)
			if path := a.Text("do.userErrors.0.path.0"); path != "" {
				got += " " + path
			} else if rule := a.Text("do.decision.rules.0.name"); strings.HasPrefix(rule, "C-") {
				got += " " + rule
			}
			expect(t, x.what, got, x.want)
		}
		got, a := cameOf(c.service(demoKey).Do(bindDocument, vars{"a": robot, "m": c.member("heyun011"), "r": "r"}))
		expect(t, "a service", got+" "+a.Text("do.decision.rules.0.name"), "POLICY_DENIED service.no_person")
		expect(t, "nothing came of it", lin.holder(robot)+", "+lin.holder(own)+", "+strings.Join(lin.ledger(own), ", "), "BOT , HUMAN mengjie015, "+ours)
	})
}

// Whoever gets an account is known on its workspace by it from then on, and who had it no more; what was said by whom stays whose it was.
func TestBoundPerson(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, li, wang := c.person("linyue002"), c.person("liqiang005"), c.person("wangfang004")
		his, hers := c.accountOf("liqiang005", "native"), c.accountOf("wangfang004", "native")
		said := li.writes("sunli006", "before")
		must(t, "he writes", said.codes(), "")
		platform := func(p person) any { return p.Do(ledgerDocument, vars{"i": his}).Get("node.platformId") }
		expect(t, "his own", platform(li), "liqiang005")
		expect(t, "not hers", platform(wang), nil)

		groups := func() string {
			return lin.Do(`query($a:String,$b:String){a:member(accountName:$a){...g} b:member(accountName:$b){...g}}
				fragment g on Member{groupMemberships(first:50){nodes{group{name} joinedAt leftAt}}}`, vars{"a": "liqiang005", "b": "wangfang004"}).Body
		}
		before := groups()
		must(t, "there are some", strings.Count(before, "joinedAt") > 1, true)

		got, _ := lin.binds(hers, "")
		must(t, "hers is taken away", got, "ALLOW")
		time.Sleep(1100 * time.Millisecond) // tokens count in seconds
		wang = c.person("wangfang004")
		expect(t, "she writes no more", wang.writes("sunli006", "x").codes(), "POLICY_DENIED")
		if got, a := lin.binds(his, "wangfang004"); got != "ALLOW" {
			t.Fatal(a.Body)
		}
		time.Sleep(1100 * time.Millisecond)
		li, wang = c.person("liqiang005"), c.person("wangfang004")
		expect(t, "she does by his", wang.writes("sunli006", "after").codes(), "")
		expect(t, "and he no more", li.writes("sunli006", "x").codes(), "POLICY_DENIED")
		expect(t, "nor does he see what it is called", platform(li), nil)
		expect(t, "as she does now", platform(wang), "liqiang005")
		read := func(p person) bool {
			return p.Do(`query($i:ID!){node(id:$i){...on Message{text}}}`, vars{"i": said.Message.ID}).Text("node.text") != ""
		}
		expect(t, "what he said she does not read", read(wang), false)
		expect(t, "and he does", read(li), true)
		expect(t, "each is in the groups that he joined", groups(), before)
		expect(t, "he still reads", li.Do(`{viewer{roles}}`, nil).Code(0), "")
		signedIn := lin.Do(`query($i:ID!){node(id:$i){...on Account{devices{signedIn}}}}`, vars{"i": his})
		expect(t, "on a device", strings.Contains(signedIn.Body, "true"), false)

		// Of one's own account and one that one keeps, one's own says how one stands.
		desk := c.unmanned("SHARED")
		must(t, "frozen", func() string { got, _ := lin.sets(desk, "FROZEN"); return got }(), "ALLOW")
		got, _ = lin.binds(desk, "sunli006")
		must(t, "he keeps a frozen one", got, "ALLOW")
		expect(t, "and blocks", c.person("sunli006").block("wuhao008", on("wecom-hq")).codes(), "POLICY_DENIED")
		if o := c.person("sunli006").block("wuhao008", on("wecom-hq")); strings.Contains(o.answer.Body, "C-04") {
			t.Error("the account that he keeps says how he stands")
		}
	})
}

// Whose own account is taken is signed out everywhere within a second, and nobody else is.
func TestBindingSignsOut(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	sim := "wecom=" + testkit.Sim(t, "wecom").URL
	a, b := open(t, dsn, "--sim", sim), open(t, dsn, "--sim", sim)
	lin, account := a.person("linyue002"), a.accountOf("tangxin013", "dingtalk-hq")
	link := a.linkOf("wangfang004")
	for _, x := range []struct {
		what, loses, stays string
		do                 func() string
	}{
		{"binding", "tangxin013", "wangfang004", func() string { got, _ := lin.binds(account, "wangfang004"); return got }},
		{"another kind", "wangfang004", "tangxin013", func() string { got, _ := lin.binds(account, "wangfang004", vars{"k": "SHARED"}); return got }},
		{"taking a login off", "wangfang004", "tangxin013", func() string { got, _ := lin.unlinks(link); return got }},
	} {
		token, kept := testkit.Token(t, x.loses), testkit.Token(t, x.stays)
		var gone []*websocket.Conn
		stays, err := b.With(kept).Socket(t.Context())
		must(t, "a socket", err, nil)
		for _, s := range []*testkit.Server{a.Server, b.Server} {
			conn, err := s.With(token).Socket(t.Context())
			must(t, "a socket", err, nil)
			gone = append(gone, conn)
		}
		time.Sleep(1100 * time.Millisecond) // tokens count in seconds
		began := time.Now()
		expect(t, x.what, x.do(), "ALLOW")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		for i, conn := range gone {
			for err = nil; err == nil; {
				var m testkit.Message
				err = wsjson.Read(ctx, conn, &m)
			}
			if ctx.Err() != nil {
				t.Errorf("%s: the socket at replica %d stayed open: %v", x.what, i, err)
			}
		}
		cancel()
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s took %v", x.what, took)
		}
		for i, s := range []*testkit.Server{a.Server, b.Server} {
			for who, want := range map[string]string{token: "UNAUTHENTICATED", kept: ""} {
				got, err := s.With(who).Ask(`{viewer{roles}}`, nil)
				if err != nil || got.Code(0) != want {
					t.Errorf("%s: at replica %d: %s %v, expected %q", x.what, i, got.Body, err, want)
				}
			}
		}
		must(t, "the other's socket", wsjson.Write(t.Context(), stays, testkit.Message{Type: "ping"}), nil)
		var pong testkit.Message
		if err := wsjson.Read(t.Context(), stays, &pong); err != nil {
			t.Errorf("%s: the socket of %s ended: %v", x.what, x.stays, err)
		}
		time.Sleep(1100 * time.Millisecond)
	}
}

// Whoever binds at once does so one after the other: the ledger has each, end to end. Of two accounts that become one person's own on a
// workspace, one does.
func TestBindingsInLine(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, han := c.person("linyue002"), c.person("hanlei017")
		robot := c.unmanned("BOT")
		people := []string{"wangfang004", "liqiang005", "sunli006", "wuhao008", "mengjie015", "heyun011", "fengtao010", "tangxin013"}
		results := make([]string, len(people))
		for _, who := range people {
			c.member(who) // looked up before they all do at once
		}
		var all sync.WaitGroup
		for i, who := range people {
			all.Go(func() { results[i], _ = []person{lin, han}[i%2].binds(robot, who) })
		}
		all.Wait()
		expect(t, "all at once", strings.Join(results, " "), strings.TrimSpace(strings.Repeat("ALLOW ", len(people))))
		ledger := lin.ledger(robot)
		expect(t, "who has it last", lin.holder(robot)+" a reason", "BOT "+ledger[0])
		slices.Sort(people)
		slices.Sort(ledger)
		expect(t, "all had it", strings.Join(ledger, ", "), strings.Join(people, " a reason, ")+" a reason")

		for range 5 {
			for _, own := range []string{"mengjie015", "shanxiaoyu016"} {
				if account := c.accountOf(own, "feishu-hq"); lin.holder(account) != "HUMAN "+own {
					lin.binds(account, own)
				}
			}
			var got [2]string
			for i, own := range []string{"mengjie015", "shanxiaoyu016"} {
				account := c.accountOf(own, "feishu-hq")
				all.Go(func() { got[i], _ = []person{lin, han}[i].binds(account, "wangfang004") })
			}
			all.Wait()
			slices.Sort(got[:])
			expect(t, "two at once", strings.Join(got[:], " "), "ALLOW CONFLICT")
		}
	})
}

const reviewedBindings = "p, acme.bind, *, admin, bind_account, account, true, review, admin, expire:72h"

// Where the company has bindings reviewed, they wait for another admin than the two whom they concern, and are carried out as they were
// asked for or not at all.
func TestBindingsReviewed(t *testing.T) {
	t.Parallel()
	dir := written(t, reviewedBindings)
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--policies", dir)
		lin, han, chen := c.person("linyue002"), c.person("hanlei017"), c.person("chenguang001")
		own, robot := c.accountOf("mengjie015", "feishu-hq"), c.unmanned("BOT")
		asks := func(account, to string, more ...vars) string {
			t.Helper()
			got, a := lin.binds(account, to, more...)
			must(t, "asked for", got, "REVIEW")
			must(t, "and waits", a.Text("do.approval.state"), "PENDING")
			return a.Text("do.approval.id")
		}
		id := asks(own, "wangfang004")
		expect(t, "nothing yet", lin.holder(own), "HUMAN mengjie015")
		summary := han.Do(`query($i:ID!){node(id:$i){...on Approval{summary subject{id} needs{candidates{accountName}}}}}`, vars{"i": id})
		expect(t, "what it says", summary.Text("node.summary")+" "+summary.Text("node.subject.id"), "林悦 asks to change whose an account is; it concerns 王芳. "+own)
		got, a := lin.binds(own, "liqiang005")
		expect(t, "asked again", got+" "+fmt.Sprint(strings.Contains(a.Text("do.userErrors.0.message"), id)), "CONFLICT true")
		expect(t, "who asks does not agree", lin.agree(id, "").codes(), "POLICY_DENIED")
		expect(t, "it does not", c.person("fengtao010").agree(id, "").codes(), "NOT_FOUND")
		expect(t, "another admin does", han.agree(id, "").codes()+" "+lin.holder(own), " HUMAN wangfang004")
		expect(t, "in the ledger", lin.ledger(own)[0], "wangfang004 a reason")

		id = asks(own, "mengjie015")
		expect(t, "refused", han.refuse(id, "no").codes()+" "+lin.holder(own), " HUMAN wangfang004")

		// Neither of the two whom it concerns.
		id = asks(robot, "hanlei017")
		expect(t, "whose it shall be", han.agree(id, "").codes(), "POLICY_DENIED")
		expect(t, "somebody else", chen.agree(id, "").codes()+" "+lin.holder(robot), " BOT hanlei017")
		id = asks(robot, "sunli006")
		expect(t, "whose it is", han.agree(id, "").codes(), "POLICY_DENIED")
		expect(t, "somebody else again", chen.agree(id, "").codes()+" "+lin.holder(robot), " BOT sunli006")
		id = asks(robot, "")
		expect(t, "nobody's", han.agree(id, "").codes()+" "+lin.holder(robot), " BOT ")
		id = asks(robot, "", vars{"k": "SHARED"})
		expect(t, "another kind", han.agree(id, "").codes()+" "+lin.holder(robot), " SHARED ")

		// Void: what stands otherwise than when it was asked for.
		other := c.accountOf("shanxiaoyu016", "feishu-hq")
		for _, x := range []struct {
			what, account, to string
			more              vars
			meanwhile         func()
			holder            string
		}{
			{"it was frozen", own, "liqiang005", nil, func() { lin.sets(own, "FROZEN") }, "HUMAN wangfang004"},
			{"it is another kind", robot, "heyun011", nil, func() {
				c.exec("update accounts set kind = 'BOT', version = version + 1 where platform_id = 'bot_notice'")
			}, "BOT "},
			{"the person has one of his own", other, "tangxin013", nil, func() {
				c.exec("update accounts set member_id = (select id from members where account_name = 'tangxin013'), version = version + 1 where platform_id = 'mengjie015' and workspace_id = (select id from workspaces where name = 'feishu-hq')")
			}, "HUMAN shanxiaoyu016"},
			{"an import has moved it", other, "liqiang005", nil, func() {
				moved := `{"type":"account","workspace":"feishu-hq","platformId":"shanxiaoyu016","member":"004"}`
				must(t, "an import", chen.ended(chen.upload(moved, "").Import.ID).counts(), "DONE 1=1+0+0")
			}, "HUMAN wangfang004"},
			{"the person leaves", robot, "wuhao008", nil, func() { c.exec("update members set employment = 'DEPARTED' where account_name = 'wuhao008'") }, "BOT "},
		} {
			id := asks(x.account, x.to, x.more)
			x.meanwhile()
			said := han.agree(id, "").answer
			expect(t, x.what, said.Text("decideApproval.userErrors.0.code")+" "+said.Text("decideApproval.approval.state")+" "+said.Text("decideApproval.userErrors.0.message"), "CONFLICT CANCELLED What was to be approved has changed meanwhile; the approval is void.")
			expect(t, x.what+": whose it is", lin.holder(x.account), x.holder)
			expect(t, x.what+": decided again", han.agree(id, "").codes(), "INVALID_TRANSITION")
		}
	})
}

// linkOf is the id of somebody's login by another identity provider.
func (c company) linkOf(account string) string {
	c.t.Helper()
	return c.id("link "+account, func(admin person) string {
		return admin.Do(`query($a:String){member(accountName:$a){identities{id}}}`, vars{"a": account}).Text("member.identities.0.id")
	})
}

// A login by another identity provider is taken off by whose it is, by it and by admins, once.
func TestUnlinkIdentity(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, chen := c.person("linyue002"), c.person("chenguang001")
		hers, his, head := c.linkOf("wangfang004"), c.linkOf("liqiang005"), c.linkOf("zhaomin003")
		linked := func() int {
			return len(lin.Do(`{members(first:100,filter:{linkedToPersonal:true}){nodes{id}}}`, nil).Get("members.nodes").([]any))
		}
		before := linked()
		for what, x := range map[string]struct{ who, link, want string }{
			"another's":        {"liqiang005", hers, "POLICY_DENIED"},
			"her manager":      {"zhaomin003", hers, "POLICY_DENIED"},
			"hr":               {"zhenglan009", hers, "POLICY_DENIED"},
			"the auditor":      {"guping012", hers, "POLICY_DENIED"},
			"none such":        {"linyue002", unknown(hers), "NOT_FOUND"},
			"no login":         {"linyue002", c.member("wangfang004"), "INVALID_INPUT"},
			"whom he sees not": {"tangxin013", hers, "NOT_FOUND"},
		} {
			got, _ := c.person(x.who).unlinks(x.link)
			expect(t, what, got, x.want)
		}
		got, a := lin.unlinks(hers, vars{"r": ""})
		expect(t, "no reason", got+" "+a.Text("do.userErrors.0.path.0"), "INVALID_INPUT reason")
		got, a = cameOf(c.service(demoKey).Do(unlinkDocument, vars{"l": hers, "r": "r"}))
		expect(t, "a service", got+" "+a.Text("do.decision.rules.0.name"), "POLICY_DENIED service.no_person")
		expect(t, "nothing came of it", linked(), before)

		got, a = c.person("wangfang004").unlinks(hers, vars{"i": "once"})
		expect(t, "her own", got+" "+a.Text("do.member.accountName")+" "+a.Text("do.decision.rules.0.name"), "ALLOW wangfang004 account.own")
		time.Sleep(1100 * time.Millisecond) // her sessions ended; tokens count in seconds
		again, b := c.person("wangfang004").unlinks(hers, vars{"i": "once"})
		expect(t, "again with its key", again+" "+b.Text("do.decision.id"), "ALLOW "+a.Text("do.decision.id"))
		again, _ = c.person("wangfang004").unlinks(hers)
		expect(t, "again", again, "NOT_FOUND")
		expect(t, "it is gone", lin.Do(`query($a:String){member(accountName:$a){identities{id}}}`, vars{"a": "wangfang004"}).Text("member.identities.0.id"), "")
		expect(t, "of those with one", linked(), before-1)
		got, _ = c.person("fengtao010").unlinks(his)
		expect(t, "it", got, "ALLOW")

		// Several at once: one does.
		people, results := []person{lin, c.person("hanlei017"), chen, c.person("fengtao010")}, make([]string, 8)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i], _ = people[i%4].unlinks(head) })
		}
		all.Wait()
		slices.Sort(results)
		expect(t, "at once", strings.Join(results, " "), "ALLOW"+strings.Repeat(" NOT_FOUND", 7))
		done := 0
		for _, e := range chen.trail("identity.unlink") {
			if e.Prevented == "" && e.Outcome == "ALLOW" {
				done++
			}
		}
		expect(t, "in the trail", done, 3)
	})
}

// Where the company has that reviewed, it waits for an admin, whichever workspace he is on.
func TestUnlinkingReviewed(t *testing.T) {
	t.Parallel()
	dir := written(t, "p, acme.unlink, *, anyone, unlink_identity, identity, true, review, admin, expire:72h")
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--policies", dir)
		lin, han, wang := c.person("linyue002"), c.person("hanlei017"), c.person("wangfang004")
		hers, his := c.linkOf("wangfang004"), c.linkOf("liqiang005")
		there := func(link string) bool {
			return lin.Do(`query($i:ID!){node(id:$i){id}}`, vars{"i": link}).Text("node.id") != ""
		}
		got, a := wang.unlinks(hers)
		id := a.Text("do.approval.id")
		must(t, "it waits", got+" "+a.Text("do.approval.state"), "REVIEW PENDING")
		got, a = lin.unlinks(hers)
		expect(t, "asked again", got+" "+fmt.Sprint(strings.Contains(a.Text("do.userErrors.0.message"), id)), "CONFLICT true")
		said := han.Do(`query($i:ID!){node(id:$i){...on Approval{summary subject{id} needs{candidates{accountName}}}}}`, vars{"i": id})
		expect(t, "what it says", said.Text("node.summary")+" "+said.Text("node.subject.id"), "王芳 asks to take a login off 王芳. "+hers)
		expect(t, "who may", strings.Contains(said.Body, "linyue002") && strings.Contains(said.Body, "hanlei017"), true)
		expect(t, "still there", there(hers), true)
		expect(t, "agreed to", han.agree(id, "").codes()+fmt.Sprint(" ", there(hers)), " false")
		ended := han.Do(`query($i:ID!){node(id:$i){...on Approval{state summary subject{id}}}}`, vars{"i": id})
		expect(t, "afterwards", ended.Text("node.state")+" "+ended.Text("node.subject.id"), "APPROVED ")

		_, a = lin.unlinks(his)
		id = a.Text("do.approval.id")
		expect(t, "refused", han.refuse(id, "no").codes()+fmt.Sprint(" ", there(his)), " true")
		_, a = lin.unlinks(his)
		id = a.Text("do.approval.id")
		c.exec("delete from identity_links where member_id = (select id from members where account_name = 'liqiang005')")
		expect(t, "of what is gone", han.agree(id, "").codes(), "NOT_FOUND")
	})
}

// A request that waits ends where somebody takes the login off who needs nobody's agreement.
func TestUnlinkingOvertaken(t *testing.T) {
	t.Parallel()
	dir := written(t, "p, acme.unlink, *, anyone, unlink_identity, identity, r.obj.Mine, review, admin, expire:72h")
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--policies", dir)
		lin, hers := c.person("linyue002"), c.linkOf("wangfang004")
		got, a := c.person("wangfang004").unlinks(hers)
		must(t, "it waits", got, "REVIEW")
		got, _ = lin.unlinks(hers)
		expect(t, "an admin needs nobody", got, "ALLOW")
		expect(t, "the request", lin.Do(`query($i:ID!){node(id:$i){...on Approval{state}}}`, vars{"i": a.Text("do.approval.id")}).Text("node.state"), "CANCELLED")
	})
}

// What policy says to a question about an account or a login is what it says to the command.
func TestDecideAccounts(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		everybody := []string{"chenguang001", "linyue002", "fengtao010", "wangfang004", "zhaomin003", "guping012", "zhenglan009"}
		said := func(o testkit.Answer, root string) string {
			out := o.Text(root + ".outcome")
			for i := 0; o.Get(fmt.Sprintf("%s.rules.%d", root, i)) != nil; i++ {
				out += " " + o.Text(fmt.Sprintf("%s.rules.%d.name", root, i))
			}
			for i := 0; o.Get(fmt.Sprintf("%s.needs.%d", root, i)) != nil; i++ {
				out += " " + o.Text(fmt.Sprintf("%s.needs.%d.role", root, i))
				for k := 0; o.Get(fmt.Sprintf("%s.needs.%d.candidates.%d", root, i, k)) != nil; k++ {
					out += " " + o.Text(fmt.Sprintf("%s.needs.%d.candidates.%d.accountName", root, i, k))
				}
			}
			return out
		}
		ask := func(who, action, target string, facts ...string) string {
			t.Helper()
			in := vars{"action": action, "targetId": target}
			var list []vars
			for _, f := range facts {
				name, value, _ := strings.Cut(f, "=")
				list = append(list, vars{"name": name, "value": value})
			}
			if list != nil {
				in["facts"] = list
			}
			a := c.person(who).Do(`query($in:DecisionInput!){decide(input:$in){`+decisionFields+`}}`, vars{"in": in})
			return said(a, "decide")
		}
		seen := map[string]int{}
		same := func(what, asked string, a testkit.Answer) {
			t.Helper()
			got := said(a, "do.decision")
			expect(t, what, asked, got)
			outcome, _, _ := strings.Cut(got, " ")
			seen[outcome]++
		}
		his, first, last := c.accountOf("sunli006", "native"), c.accountOf("chenguang001", "native"), c.accountOf("liqiang005", "native")
		sets := func(who, to, target string) {
			t.Helper()
			asked := ask(who, "set_account_status", target, "r.obj.To="+to)
			same(who+" sets "+to, asked, c.person(who).Do(`mutation($i:SetAccountStatusInput!){do:setAccountStatus(input:$i){`+commandFields+`}}`,
				vars{"i": vars{"accountId": target, "status": to, "reason": "r"}}))
		}
		for _, who := range everybody {
			for _, to := range []string{"FROZEN", "ACTIVE", "DORMANT", "DISABLED"} {
				sets(who, to, his)
				c.person("hanlei017").sets(his, "ACTIVE") // as it was
			}
			sets(who, "FROZEN", c.accountOf(who, "native"))
			c.Advance(2 * time.Hour)
		}
		for range 20 {
			c.person("fengtao010").sets(his, "FROZEN")
			c.person("hanlei017").sets(his, "ACTIVE")
		}
		sets("fengtao010", "FROZEN", his)
		sets("linyue002", "DORMANT", first)
		for _, who := range everybody {
			asked := ask(who, "bind_account", c.accountOf("tangxin013", "dingtalk-hq"))
			_, a := c.person(who).binds(c.accountOf("tangxin013", "dingtalk-hq"), "sunli006")
			same(who+" binds", asked, a)
			if a.Text("do.decision.outcome") == "ALLOW" {
				c.person(who).binds(c.accountOf("tangxin013", "dingtalk-hq"), "tangxin013")
			}
			link := c.linkOf("wangfang004")
			if of := map[string]string{"chenguang001": "zhoujie007", "linyue002": "qinlang014", "fengtao010": "liqiang005"}[who]; of != "" {
				link = c.linkOf(of)
			}
			asked = ask(who, "unlink_identity", link)
			_, a = c.person(who).unlinks(link)
			same(who+" unlinks", asked, a)
		}
		time.Sleep(1100 * time.Millisecond) // sessions ended; tokens count in seconds
		for _, who := range everybody {
			for _, target := range []string{last, c.accountOf(who, "native")} {
				asked := ask(who, "sign_out_devices", target)
				same(who+" signs out", asked, c.person(who).Do(`mutation($a:ID!){do:signOutDevices(accountId:$a,reason:"r"){`+commandFields+`}}`, vars{"a": target}))
			}
		}
		time.Sleep(1100 * time.Millisecond)
		for _, o := range []string{"ALLOW", "DENY", "REVIEW"} {
			if seen[o] == 0 {
				t.Errorf("nothing was answered with %s: %v", o, seen)
			}
		}

		// The wished status anybody says; no other fact.
		code, _ := c.person("fengtao010").refused(vars{"action": "set_account_status", "targetId": last, "facts": []vars{{"name": "r.obj.To", "value": "FROZEN"}, {"name": "r.sub.Status", "value": "ACTIVE"}}})
		expect(t, "another fact", code, "FORBIDDEN")
		code, _ = c.person("fengtao010").refused(vars{"action": "bind_account", "targetId": last, "facts": []vars{{"name": "r.obj.To", "value": "FROZEN"}}})
		expect(t, "of another action", code, "FORBIDDEN")
		code, _ = c.person("fengtao010").refused(vars{"action": "set_account_status", "facts": []vars{{"name": "r.obj.To", "value": "FROZEN"}}})
		expect(t, "of no account", code, "FORBIDDEN")
		code, _ = c.person("linyue002").refused(vars{"action": "set_account_status", "targetId": last, "facts": []vars{{"name": "obj.To", "value": "MELTED"}}})
		expect(t, "no status", code, "BAD_USER_INPUT")
		if got := c.person("tangxin013").decide(vars{"action": "bind_account", "targetId": c.unmanned("BOT")}); got != nil {
			t.Errorf("an account that tangxin013 does not see is asked about: %+v", got)
		}
		chen := c.person("chenguang001")
		about := chen.decide(vars{"actorId": c.member("fengtao010"), "action": "set_account_status", "targetId": first, "facts": []vars{{"name": "r.obj.To", "value": "FROZEN"}}})
		expect(t, "about another", about.Outcome+" "+about.rules()+" "+about.fact("r.obj.LastSuperAdmin")+" "+about.fact("r.sub.LastHour"), "REVIEW C-14 true 21")
	})
}
