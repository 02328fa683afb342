package scenario

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// The command line sends a blacklist to the gateway, follows it and says what came of it; of one that waits for people, for whom. With
// its key it is followed again.
func TestBlacklistByTheCommandLine(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		run := func(content, as string, more ...string) (stdout, stderr string, code int) {
			file := write(t, content)
			stdout, stderr, code = testkit.Run(append([]string{"blacklist", "import", file, "--server", c.URL, "--as", as}, more...)...)
			return strings.ReplaceAll(stdout, file, "FILE"), strings.ReplaceAll(stderr, file, "FILE"), code
		}
		for _, x := range []struct {
			name, as string
			more     []string
			code     int
			says     string
		}{
			{"no workspace", "linyue002", nil, 2, "--workspace: expected the name of a workspace"},
			{"no such workspace", "linyue002", []string{"--workspace", "wecom"}, 2, `--workspace "wecom": expected one of native, wecom-hq, dingtalk-hq, feishu-hq`},
			{"no such language", "linyue002", []string{"--workspace", "wecom-hq", "--language", "fr"}, 2, "expected zh-CN or en"},
			{"denied", "wangfang004", []string{"--workspace", "wecom-hq"}, 1, "(POLICY_DENIED)"},
			{"nobody", "nobody", []string{"--workspace", "wecom-hq"}, 1, "Sign in first"},
		} {
			out, stderr, code := run(unwanted, x.as, x.more...)
			if code != x.code || !strings.Contains(stderr, x.says) || out != "" {
				t.Errorf("%s: exit %d: %s%s", x.name, code, out, stderr)
			}
		}
		want := `FILE:3: Only a verified enterprise user can be blacklisted here. (POLICY_DENIED)
FILE:4: platform_id: There is no such member or contact, or you may not see it. (NOT_FOUND)
FILE:6: expires_at: expires_at cannot be “yesterday”; expected a day such as 2026-11-21, or a moment such as 2026-11-21T09:00:00+08:00. (INVALID_INPUT)
FILE:8: The header names 3 columns; this row has 1. Is it only half written? (INVALID_INPUT)
`
		const counts = "1 accepted, 1 unchanged, 4 rejected, 1 wait for approval\n"
		out, stderr, code := run(unwanted, "linyue002", "--workspace", "wecom-hq", "--dry-run")
		if diff := cmp.Diff(want+"nothing was changed; it would be: "+counts, out); diff != "" || code != 1 {
			t.Errorf("dry run: exit %d: %s%s", code, stderr, diff)
		}
		errors := write(t, "")
		out, stderr, code = run(unwanted, "linyue002", "--workspace", "wecom-hq", "--errors", errors)
		if diff := cmp.Diff(want+counts, out); diff != "" || code != 1 || stderr != "guanxi: 4 rows were refused\n" {
			t.Errorf("exit %d: %s%s", code, stderr, diff)
		}
		if b, err := os.ReadFile(errors); err != nil || strings.Count(string(b), "\n") != 5 {
			t.Errorf("%v %s", err, b)
		}
		if out, stderr, code := run("platform_id,reason\nwm_lanhai,x\n", "linyue002", "--workspace", "wecom-hq"); code != 0 || out != "0 accepted, 1 unchanged, 0 rejected\n" {
			t.Errorf("again: exit %d: %s%s", code, out, stderr)
		}

		type answer struct {
			ID, State                  string
			Total, Accepted, Unchanged int
			Rejected, InReview         int
			Approval                   *struct{ ID string }
			Rows                       []struct{ Line int }
		}
		follow := func() (a answer) {
			out, stderr, code := run(long(1001), "linyue002", "--workspace", "wecom-hq", "--json", "--key", "spring")
			if err := json.Unmarshal([]byte(out), &a); err != nil {
				t.Fatalf("exit %d: %v: %s%s", code, err, out, stderr)
			}
			return a
		}
		a := follow()
		if a.State != "PENDING_APPROVAL" || a.Total != 1001 || a.Approval == nil {
			t.Fatalf("%+v", a)
		}
		if out, stderr, code := run(long(1001), "linyue002", "--workspace", "wecom-hq", "--key", "spring"); code != 0 ||
			out != a.ID+" waits for agreement: 2 of admin must decide on "+a.Approval.ID+"; it then runs by itself\n" {
			t.Errorf("exit %d: %s%s", code, out, stderr)
		}
		must(t, "the first", c.person("hanlei017").agree(a.Approval.ID, "").codes(), "")
		must(t, "the second", c.person("chenguang001").agree(a.Approval.ID, "").codes(), "")
		b := follow()
		if b.ID != a.ID || b.State != "DONE" || b.Unchanged != 2 || b.Rejected != 999 || len(b.Rows) != 100 || b.Approval != nil {
			t.Errorf("%+v", b)
		}
	})
}
