package scenario

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// traces are the forms in which a text may lie in bytes.
func traces(text string) []string {
	out := []string{text, hex.EncodeToString([]byte(text)), quoted(text)[1 : len(quoted(text))-1]}
	for skip := range 3 { // in base64 at each of the three places that it may begin at
		if b := []byte(text); len(b) > skip+6 {
			b = b[skip:]
			out = append(out, base64.StdEncoding.EncodeToString(b[:len(b)/3*3]), base64.URLEncoding.EncodeToString(b[:len(b)/3*3]))
		}
	}
	return out
}

func holds(haystack, text string) bool {
	for _, s := range traces(text) {
		if strings.Contains(haystack, s) {
			return true
		}
	}
	return false
}

// What people write is nowhere to be read in what is stored, logged, counted and traced, and nobody's name is in the latter three.
func TestCanary(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		spans := testkit.Collect(t)
		c := open(t, dsn, "--tracing-endpoint", spans.URL, "--log-slow", "1ns") // everything is slow
		wang := c.person("wangfang004")
		canaries := []string{"canary-of-a-block-5Q9", "金丝雀的理由", "canary-of-a-review-7Kx", "canary-of-a-verdict-2Lm", "canary-of-a-lift-8Vw",
			"canary-of-a-denial-4Rt", "canary-of-a-conflict-9Zb", "canary-of-a-cancel-1Hj", "canary-in-a-document-6Pf", "canary-malformed-3Dn",
			"canary-of-a-blacklisting-7Gd", "canary-in-a-variable-2Ys", "canary-in-an-operation-name-4Nb", "canary-in-a-header-9Uk", "canary-in-a-path-6Wt"}
		r := wang.blocks("liqiang005", on("native"), because(canaries[0]), keyed("k-canary"))
		wang.blocks("sunli006", on("native"), because(canaries[1]))
		_, a := wang.asks("wm_haikang", because(canaries[2]))
		must(t, "verdict", c.person("zhaomin003").agree(a.ID, canaries[3]).codes(), "")
		must(t, "lift", wang.lift(r.ID, canaries[4]).codes(), "")
		must(t, "denial", wang.block("chenguang001", on("native"), because(canaries[5])).codes(), "POLICY_DENIED")
		must(t, "conflict", wang.block("sunli006", on("native"), because(canaries[6])).codes(), "CONFLICT")
		must(t, "cancel", wang.command(cancelDocument, vars{"id": a.ID, "r": canaries[7]}).codes(), "")
		// What cannot be carried out, or even be read, is no reason to keep it.
		for _, doc := range []string{`mutation{block(input:{targetId:"x",kind:BLOCK,reason:"` + canaries[8] + `"}){nonsense}}`,
			`{member(accountName:"` + canaries[8] + `"){id}}`, `{node(id:"` + canaries[8] + `"){id}}`, `{members(filter:{query:"` + canaries[8] + `"}){totalCount}}`,
			`query { "` + canaries[8], `{members(after:"` + canaries[8] + `"){totalCount}}`} {
			if _, err := wang.Ask(doc, nil); err != nil {
				t.Fatal(err)
			}
		}
		c.Send("POST", "/graphql", `{"query":"`+canaries[9], "Content-Type", "application/json", "Authorization", "Bearer "+canaries[9])
		c.Send("GET", "/graphql?query="+canaries[9], "", "Authorization", "Bearer x."+canaries[9]+".x")
		lin := c.person("linyue002")
		lin.blocks("wm_lanhai", as("BLACKLIST"), because(canaries[10])) // which goes to the platform
		lin.Do(`query($q:String){members(filter:{query:$q}){totalCount}} # `+canaries[8], vars{"q": canaries[11]})
		socket := wang.Subscribe(`subscription `+strings.ReplaceAll(canaries[12], "-", "_")+`{relationshipChanged{relationship{reason}}}`, nil)
		lifted := wang.blocks("wuhao008", on("native"), because(canaries[0]))
		socket.Next(t)
		must(t, "lift", wang.lift(lifted.ID, canaries[4]).codes(), "")
		c.Send("POST", "/graphql", `{"query":"{__typename}"}`, "Content-Type", "application/json", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			"Tracestate", "x="+canaries[13], "Baggage", "user="+canaries[13], "User-Agent", canaries[13], "X-Request-Id", canaries[13])
		c.Send("GET", "/"+canaries[14]+"?x="+canaries[14], "")
		replay := wang.command(blockDocument, c.wish(c.member("liqiang005"), []how{on("native"), because(canaries[0]), keyed("k-canary")}))
		expect(t, "the reason of a replayed answer", replay.Results[0].Relationship.Reason, canaries[0])

		trail := ""
		for _, e := range c.person("guping012").trail() {
			trail += e.Detail + "\n"
		}
		for _, canary := range canaries[:8] { // or there would be nothing to find
			if !strings.Contains(trail, canary) {
				t.Errorf("the auditor does not read %s", canary)
			}
		}
		names := append(c.person("linyue002").names("members"), c.person("linyue002").names("externalContacts")...)
		for _, p := range all[struct{ Phone string }](c.person("linyue002"), "members", "phone", "", nil) {
			names = append(names, p.Phone)
		}
		running := string(testkit.Bytes(t, c.dsn))
		counted := c.Send("GET", "/metrics", "").Body
		c.Stop() // which sends the last spans
		stopped, log, traced := string(testkit.Bytes(t, c.dsn)), c.Log(), spans.Bytes()

		seen := map[string]string{"the log": log, "the metrics": counted, "the spans": traced}
		everywhere := maps.Clone(seen)
		everywhere["the database while it runs"], everywhere["the database afterwards"] = running, stopped
		for where, text := range everywhere {
			for _, canary := range canaries {
				if holds(text, canary) {
					t.Errorf("%s stands in %s", canary, where)
				}
			}
			if token := testkit.Token(t, "wangfang004"); strings.Contains(text, strings.Split(token, ".")[0]+".") {
				t.Errorf("a token stands in %s", where)
			}
		}
		for _, name := range names {
			for where, text := range seen {
				if strings.Contains(text, name) {
					t.Errorf("%s stands in %s", name, where)
				}
			}
		}
		// The search finds what is there: names in the directory, requests in the log.
		if !holds(running, "wangfang004") || !holds(stopped, "王芳") || len(names) != 820 || strings.Count(log, "msg=request ") < 15 ||
			strings.Count(log, `msg="slow operation"`) < 15 || !strings.Contains(counted, `type="mutation"`) || strings.Count(traced, "guanxi.code") < 50 {
			t.Errorf("the search is blind: %d bytes, %d bytes, %d names, log %s", len(running), len(stopped), len(names), log[:min(len(log), 2000)])
		}
	})
}
