package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// The blacklists that were taken in are listed, the newest first, to whoever may see each of them, on one workspace or all, by as many
// statements however many there are.
func TestBlacklistImports(t *testing.T) {
	t.Parallel()
	play := func(t *testing.T, c company, count func() int64) {
		lin, zhao := c.person("linyue002"), c.person("zhaomin003")
		ids := func(p person, args string) string {
			a := p.Do(`{l:blacklistImports`+args+`{totalCount nodes{id state dryRun workspace{name} requestedBy{name}}}}`, nil)
			var out []string
			nodes, _ := a.Get("l.nodes").([]any)
			for _, n := range nodes {
				out = append(out, n.(map[string]any)["id"].(string))
			}
			return fmt.Sprint(a.Get("l.totalCount"), " ", strings.Join(out, " "))
		}
		expect(t, "before", ids(lin, "")+"; "+ids(zhao, ""), "0 ; 0 ")
		file := "platform_id,reason\nwm_lanhai,x\n"
		first := lin.blacklists(file, "wecom-hq", `,"dryRun":true`).Import.ID
		lin.blacklisted(first)
		hers := zhao.blacklists(file, "wecom-hq", `,"dryRun":true`).Import.ID
		zhao.blacklisted(hers)
		statements := func() int64 { // the least: the gateway has its own to do meanwhile
			least := int64(1000)
			for range 5 {
				before := count()
				ids(lin, "")
				least = min(least, count()-before)
			}
			return least
		}
		two := statements()
		second := lin.blacklists(file, "wecom-hq", "").Import.ID
		lin.blacklisted(second)
		three := statements()
		if three > two {
			t.Errorf("%d statements for two, %d for three", two, three)
		}
		c.person("linyue002").upload(news, "") // which is of another kind
		expect(t, "an admin", ids(lin, ""), fmt.Sprint("3 ", second, " ", hers, " ", first))
		expect(t, "an auditor", ids(c.person("guping012"), ""), ids(lin, ""))
		expect(t, "who asked", ids(zhao, ""), "1 "+hers)
		expect(t, "somebody else", ids(c.person("wangfang004"), ""), "0 ")
		expect(t, "a page", ids(lin, "(first:1)"), "3 "+second)
		expect(t, "the last", ids(lin, "(last:1)"), "3 "+first)
		expect(t, "on WeCom", ids(lin, fmt.Sprintf("(workspaceId:%q)", c.workspace("wecom-hq"))), ids(lin, ""))
		expect(t, "elsewhere", ids(lin, fmt.Sprintf("(workspaceId:%q)", c.workspace("native"))), "0 ")
		if a, err := lin.Ask(`{blacklistImports(workspaceId:"x"){totalCount}}`, nil); err != nil || !strings.Contains(a.Body, "BAD_USER_INPUT") {
			t.Errorf("%v %s", err, a.Body)
		}
	}
	t.Run("sqlite", func(t *testing.T) { play(t, open(t, testkit.SQLite(t)), func() int64 { return 0 }) })
	t.Run("postgres", func(t *testing.T) {
		dsn, count := testkit.CountedPostgres(t)
		play(t, open(t, dsn), count)
	})
}
