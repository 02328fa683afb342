package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// key makes an API key with some scopes.
func (c company) key(scopes ...string) string {
	c.t.Helper()
	a := c.person("chenguang001").Do(`mutation($in:CreateApiKeyInput!){createApiKey(input:$in){secret userErrors{code message}}}`,
		vars{"in": vars{"service": "relay", "scopes": scopes}})
	secret, _ := a.Get("createApiKey.secret").(string)
	if secret == "" {
		c.t.Fatalf("no key: %s", a.Body)
	}
	return secret
}

// relay asks the pre-delivery question.
func (c company) relay(key, workspace, from, to, channel string, group ...string) testkit.Reply {
	c.t.Helper()
	q := map[string]string{"workspace": workspace, "from": from, "to": to, "channel": channel}
	if len(group) > 0 {
		q["group"] = group[0]
	}
	b, _ := json.Marshal(q)
	return c.Send(http.MethodPost, "/v1/check", string(b), "X-API-Key", key, "Content-Type", "application/json")
}

func body(r testkit.Reply) string { return fmt.Sprint(r.Status, " ", strings.TrimSpace(r.Body)) }

// A relay before a platform asks by the platform's own ids, and is told yes or no, never because of whom.
func TestPreDelivery(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--check-fail-open", "wecom-hq")
		key := c.key("service:check")
		const yes, no = `200 {"allowed":true}`, `200 {"allowed":false,"reason":"Not allowed."}`
		expect(t, "before", body(c.relay(key, "wecom-hq", "wm_spam", "wangfang004", "DIRECT_MESSAGE")), yes)
		r := c.person("wangfang004").blocks("wm_spam")
		expect(t, "to her", body(c.relay(key, "wecom-hq", "wm_spam", "wangfang004", "DIRECT_MESSAGE")), no)
		expect(t, "from her", body(c.relay(key, "wecom-hq", "wangfang004", "wm_spam", "DIRECT_MESSAGE")), yes)
		expect(t, "to another", body(c.relay(key, "wecom-hq", "wm_spam", "liqiang005", "DIRECT_MESSAGE")), yes)
		must(t, "lift", c.person("wangfang004").lift(r.ID, "好了").codes(), "")
		expect(t, "after", body(c.relay(key, "wecom-hq", "wm_spam", "wangfang004", "DIRECT_MESSAGE")), yes)

		must(t, "a group block", c.person("wuhao008").block("mengjie015", as("GROUP_BLOCK"), with("groupId", c.group("项目群-北斗"))).codes(), "")
		expect(t, "mention there", body(c.relay(key, "feishu-hq", "mengjie015", "wuhao008", "GROUP_MENTION", "grp_beidou")), no)
		expect(t, "announcement there", body(c.relay(key, "feishu-hq", "mengjie015", "wuhao008", "GROUP_ANNOUNCEMENT", "grp_beidou")), yes)

		for what, k := range map[string]struct {
			reply testkit.Reply
			want  int
		}{
			"a workspace that is not there":        {c.relay(key, "nowhere", "wm_spam", "wangfang004", "DIRECT_MESSAGE"), 404},
			"a contact that is not there":          {c.relay(key, "wecom-hq", "wm_nobody", "wangfang004", "DIRECT_MESSAGE"), 404},
			"a group that is not there":            {c.relay(key, "feishu-hq", "mengjie015", "wuhao008", "GROUP_MENTION", "grp_nowhere"), 404},
			"who is not in the group":              {c.relay(key, "feishu-hq", "mengjie015", "chenguang001", "GROUP_MENTION", "grp_beidou"), 400},
			"another channel":                      {c.relay(key, "wecom-hq", "wm_spam", "wangfang004", "PIGEON"), 400},
			"without a key":                        {c.Send(http.MethodPost, "/v1/check", `{"workspace":"wecom-hq","from":"wm_spam","to":"wangfang004","channel":"DIRECT_MESSAGE"}`), 401},
			"a key without the scope":              {c.relay(demoKey, "wecom-hq", "wm_spam", "wangfang004", "DIRECT_MESSAGE"), 403},
			"half of it":                           {c.Send(http.MethodPost, "/v1/check", `{"workspace":"wecom-hq"`, "X-API-Key", key), 400},
			"something else":                       {c.Send(http.MethodPost, "/v1/check", `{"workspace":"wecom-hq","from":"a","to":"b","channel":"DIRECT_MESSAGE","x":1}`, "X-API-Key", key), 400},
			"too much":                             {c.Send(http.MethodPost, "/v1/check", `{"workspace":"`+strings.Repeat("x", 5000)+`"}`, "X-API-Key", key), 413},
			"a question that is not posted at all": {c.Send(http.MethodGet, "/v1/check", "", "X-API-Key", key), 405},
		} {
			expect(t, what, k.reply.Status, k.want)
		}
		expect(t, "of two who did not ask, to a person", c.Send(http.MethodPost, "/v1/check", `{"workspace":"wecom-hq","from":"wm_spam","to":"wangfang004","channel":"DIRECT_MESSAGE"}`,
			"Authorization", "Bearer "+testkit.Token(t, "wangfang004")).Status, 200)

		// Whose an id is that does not show cannot be tried out: not by a block of one's own, and not by what there is.
		c.person("sunli006").blocks("wangfang004", on("native"))
		for who, want := range map[string]int{"wangfang004": 404, "liqiang005": 404, "nobody": 404} {
			expect(t, "from "+who+", as sunli006 asks", c.Send(http.MethodPost, "/v1/check", `{"workspace":"native","from":"`+who+`","to":"sunli006","channel":"DIRECT_MESSAGE"}`,
				"Authorization", "Bearer "+testkit.Token(t, "sunli006")).Status, want)
		}

		// The store goes away: what is declared of the workspace holds.
		c.exec("alter table relationships rename to gone")
		for workspace, want := range map[string]string{
			"wecom-hq": `200 {"allowed":true,"reason":"The gateway's store does not answer; on this workspace that lets through."}`,
			"native":   `200 {"allowed":false,"reason":"The gateway's store does not answer; on this workspace that holds back."}`,
		} {
			expect(t, workspace+" without a store", body(c.relay(key, workspace, "zhaomin003", "wangfang004", "DIRECT_MESSAGE")), want)
		}
		c.exec("alter table gone rename to relationships")
		expect(t, "and back", body(c.relay(key, "native", "zhaomin003", "wangfang004", "DIRECT_MESSAGE")), yes)
	})
}

// While many ask, a block, a lift and a change of policy are seen by every question that is asked after they are answered: whichever
// way it is asked, and at whichever replica.
func TestChecksUnderLoad(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		replicas := []company{open(t, dsn, "--policies", dir)}
		if strings.HasPrefix(dsn, "postgres") {
			replicas = append(replicas, open(t, dsn, "--policies", dir))
		}
		c := replicas[0]
		key := c.key("service:check")
		in := vars{"fromId": c.member("liqiang005"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE", "workspaceId": c.workspace("native")}
		stop, asked := make(chan struct{}), atomic.Int64{}
		var all sync.WaitGroup
		for i := range 8 {
			li := replicas[i%len(replicas)].person("liqiang005")
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if _, err := li.Ask(checkDocument, vars{"in": in}); err != nil {
							t.Error(err)
							return
						}
						asked.Add(1)
					}
				}
			})
		}
		defer func() {
			close(stop)
			all.Wait()
			if asked.Load() < 25 {
				t.Errorf("nobody asked meanwhile: %d", asked.Load())
			}
		}()
		allowed := func(what string, want bool) {
			t.Helper()
			for i, c := range replicas {
				li := c.person("liqiang005")
				for range 2 {
					for way, got := range map[string]any{
						"contactCheck":  li.Do(checkDocument, vars{"in": in}).Get("contactCheck.allowed"),
						"contactChecks": li.Do(`query($in:[ContactCheckInput!]!){contactChecks(inputs:$in){allowed}}`, vars{"in": []vars{in, in}}).Get("contactChecks.1.allowed"),
						"/v1/check":     strings.Contains(c.relay(key, "native", "liqiang005", "wangfang004", "DIRECT_MESSAGE").Body, `"allowed":true`),
					} {
						if got != any(want) {
							t.Fatalf("%s: %s at replica %d: %v", what, way, i, got)
						}
					}
				}
			}
		}
		for i := range 10 {
			wang := replicas[i%len(replicas)].person("wangfang004")
			r := wang.blocks("liqiang005", on("native"))
			allowed(fmt.Sprintf("round %d, after the block", i), false)
			must(t, "lift", replicas[(i+1)%len(replicas)].person("wangfang004").lift(r.ID, "x").codes(), "")
			allowed(fmt.Sprintf("round %d, after the lift", i), true)
		}

		const question = `query($in:DecisionInput!){decide(input:$in){outcome}}`
		about := vars{"in": vars{"actorId": c.member("wangfang004"), "action": "block", "targetId": c.contact("wm_spam"), "workspaceId": c.workspace("wecom-hq")}}
		for i := range 6 {
			was, want := c.person("linyue002").policy().Version, "REVIEW"
			if i%2 == 0 {
				save(t, dir, "acme.csv", careful)
			} else {
				want = "ALLOW"
				save(t, dir, "acme.csv", "")
			}
			for at, c := range replicas {
				lin := c.person("linyue002")
				within(t, 3*live, "in force", func() bool { return lin.policy().Version != was })
				for range 20 {
					if a := lin.Do(question, about); a.Text("decide.outcome") != want {
						t.Fatalf("change %d is in force at replica %d: %s", i, at, a.Body)
					}
				}
			}
		}
	})
}

// Fifty questions are one statement, and are answered in their order.
func TestContactChecks(t *testing.T) {
	dsn, count := testkit.CountedPostgres(t)
	c := open(t, dsn)
	c.person("wangfang004").blocks("wm_spam")
	c.person("wangfang004").blocks("liqiang005", on("native"))
	gu := c.person("guping012")
	ask := func(n int) (answers []contactCheck, statements int64) {
		var in []vars
		for i := range n {
			in = append(in, []vars{
				{"fromId": c.contact("wm_spam"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"},
				{"fromId": c.member("wangfang004"), "toId": c.contact("wm_spam"), "channel": "DIRECT_MESSAGE"},
				{"fromId": c.member("liqiang005"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"},
				{"fromId": c.member("sunli006"), "toId": c.member("wangfang004"), "channel": "GROUP_MENTION"},
			}[i%4])
		}
		least := int64(1 << 30)
		for range 5 { // what the gateway does beside it is counted, too
			before := count()
			answers = read[[]contactCheck](t, gu.Do(`query($in:[ContactCheckInput!]!){contactChecks(inputs:$in){allowed}}`, vars{"in": in}))
			least = min(least, count()-before)
		}
		return answers, least
	}
	_, one := ask(4)
	answers, fifty := ask(52)
	must(t, "answers", len(answers), 52)
	for i, a := range answers {
		expect(t, fmt.Sprint("answer ", i), a.Allowed, i%4 == 1 || i%4 == 3)
	}
	if fifty > one+2 {
		t.Errorf("4 questions take %d statements, 52 take %d", one, fifty)
	}
	a, err := c.person("sunli006").Ask(`query($in:[ContactCheckInput!]!){contactChecks(inputs:$in){allowed}}`, vars{"in": []vars{
		{"fromId": c.member("sunli006"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"},
		{"fromId": c.member("liqiang005"), "toId": c.member("wangfang004"), "channel": "DIRECT_MESSAGE"},
		{"fromId": c.member("sunli006"), "toId": c.contact("wm_spam"), "channel": "DIRECT_MESSAGE"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "her own", a.Get("contactChecks.0.allowed"), any(true))
	expect(t, "of others", a.Get("contactChecks.1"), nil)
	expect(t, "of whom she does not see", a.Get("contactChecks.2"), nil)
	expect(t, "errors", len(a.Errors), 1)
	expect(t, "code", a.Code(0), "FORBIDDEN")
}
