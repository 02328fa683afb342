package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A file puts accounts on people as a command does: nobody who has left gets one, nobody a second one of his own on a workspace, and
// whose own is taken is signed out. A dry run says the same of each row, and does nothing to anybody.
func TestImportHoldsToBinding(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		row := func(workspace, id, fields string) string {
			return fmt.Sprintf("{\"type\":\"account\",\"workspace\":%q,\"platformId\":%q,%s}\n", workspace, id, fields)
		}
		file := strings.Join([]string{
			row("feishu-hq", "mengjie015", `"member":"004"`),
			row("feishu-hq", "second", `"member":"004"`),
			row("feishu-hq", "desk", `"member":"004","kind":"SHARED"`),
			row("feishu-hq", "waits", `"member":"016"`),
			row("feishu-hq", "shanxiaoyu016", `"member":null`),
			row("feishu-hq", "late", `"member":"048"`),
			row("feishu-hq", "late_desk", `"member":"048","kind":"SHARED"`),
			row("native", "liqiang005", `"member":"048"`),
			row("native", "sunli006", `"member":"005"`),
			row("wecom-hq", "qiantai", `"kind":"HUMAN"`),
			row("native", "tangxin013", `"kind":"BOT"`),
			row("wecom-hq", "liqiang005", `"member":"005","kind":"HUMAN"`),
		}, "")
		want := []string{"1 ACCEPTED", "2 REJECTED CONFLICT member", "3 ACCEPTED", "4 ACCEPTED", "5 ACCEPTED", "6 REJECTED INVALID_TRANSITION member",
			"7 REJECTED INVALID_TRANSITION member", "8 REJECTED INVALID_TRANSITION member", "9 REJECTED CONFLICT member", "10 REJECTED CONFLICT member",
			"11 ACCEPTED", "12 UNCHANGED"}
		c.exec(`update devices set signed_in = true, account_id = (select a.id from accounts a join workspaces w on w.id = a.workspace_id
			where w.name = 'native' and a.platform_id = 'tangxin013') where id = (select d.id from devices d order by d.id limit 1)`)
		lin, tang := c.person("linyue002"), c.accountOf("tangxin013", "native")
		loses := []person{c.person("mengjie015"), c.person("shanxiaoyu016"), c.person("tangxin013")}
		keeps := []person{c.person("wangfang004"), c.person("liqiang005"), c.person("sunli006")}
		in := func(people []person) (out string) {
			for _, p := range people {
				got, err := p.Ask(`{viewer{roles}}`, nil)
				must(t, "ask", err, nil)
				out += got.Code(0) + ";"
			}
			return out
		}
		time.Sleep(1100 * time.Millisecond) // tokens count in seconds
		for _, run := range []struct{ input, out, device string }{{`,"dryRun":true`, ";;;", "true"}, {"", "UNAUTHENTICATED;UNAUTHENTICATED;UNAUTHENTICATED;", "false"}} {
			var got []string
			for _, r := range lin.ended(lin.upload(file, run.input).Import.ID).Rows.Nodes {
				s := fmt.Sprint(r.Line, " ", r.Verdict)
				if r.Code != nil {
					s += " " + *r.Code + " " + strings.Join(r.Path, ".")
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(run.input, diff)
			}
			expect(t, "whose own is taken"+run.input, in(loses), run.out)
			expect(t, "the others"+run.input, in(keeps), ";;;")
			device := lin.Do(`query($i:ID!){node(id:$i){...on Account{devices{signedIn}}}}`, vars{"i": tang}).Get("node.devices.0.signedIn")
			expect(t, "his device"+run.input, fmt.Sprint(device), run.device)
		}
		own := testkit.Database(t, c.dsn)
		var twice, gone int
		must(t, "read", own.QueryRow(`select (select count(*) from (select 1 from accounts where kind = 'HUMAN' and member_id is not null group by member_id, workspace_id
			having count(*) > 1) x), (select count(*) from accounts a join members m on m.id = a.member_id join workspaces w on w.id = a.workspace_id
			where m.employee_no = '048' and w.name = 'feishu-hq')`).Scan(&twice, &gone), nil)
		expect(t, "people with two of their own", twice, 0)
		expect(t, "accounts of who has left", gone, 0)
	})
}
