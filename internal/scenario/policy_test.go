package scenario

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// policy is the rules in force as those see them who may.
type policy struct {
	Version  string
	LoadedAt time.Time
	Sources  []string
	Problems []struct {
		File, Message, Severity string
		Line                    int
		Column                  *int
	}
}

func (p person) policy() *policy {
	p.c.t.Helper()
	return read[*policy](p.c.t, p.Do(`{policy{version loadedAt sources problems{file line column message severity}}}`, nil))
}

// save writes a policy file as an editor does.
func save(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// within waits until something has come about.
func within(t *testing.T, limit time.Duration, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !come(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, limit)
		}
	}
}

// live is how long saved files may take to be in force.
const live = time.Second

const careful = "p, acme.careful, wecom, employee, block, contact, true, review, admin, expire:24h\n"

// Sound files are in force within a second of being saved. Broken ones change nothing, and say what is wrong with them.
func TestPolicyReload(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		dir := t.TempDir()
		c := company{testkit.Demo(t, dsn, "--policies", dir), t, dsn, map[string]string{}}
		wang, lin := c.person("wangfang004"), c.person("linyue002")
		if wang.policy() != nil {
			t.Error("an employee reads policy")
		}
		shipped := lin.policy()
		if !slices.Contains(shipped.Sources, "authz/policies/guard.csv") || !slices.Contains(shipped.Sources, "adapters/wecom/rules.csv") {
			t.Errorf("sources: %q", shipped.Sources)
		}
		activated := len(lin.trail("policy.activate"))
		outcome := func() string { return wang.block("wm_spam").Decision.Outcome }
		r := wang.blocks("wm_spam")
		expect(t, "before", wang.lift(r.ID, "x").codes(), "")

		save(t, dir, "acme.csv", careful)
		within(t, live, "a sound file is in force", func() bool { return lin.policy().Version != shipped.Version })
		now := lin.policy()
		expect(t, "problems", len(now.Problems), 0)
		if !slices.Contains(now.Sources, "acme.csv") {
			t.Errorf("sources: %q", now.Sources)
		}
		o := wang.block("wm_spam")
		expect(t, "after", o.Decision.Outcome, "REVIEW")
		expect(t, "by", o.Decision.rules(), "acme.careful")
		wang.cancel(o.Approval.ID)

		for i, broken := range []string{
			careful[:len(careful)-30],
			strings.ReplaceAll(careful, ",", "，"),
			"\xef\xbb\xbf" + strings.Replace(careful, "review", "reveiw", 1),
			"p, acme.nonsense\n",
			"p, C-01, *, anyone, block, member, true, allow, ,\n",
		} {
			save(t, dir, "acme.csv", broken)
			within(t, live, fmt.Sprintf("broken file %d is told", i), func() bool { return len(lin.policy().Problems) > 0 })
			p := lin.policy()
			expect(t, "version in force", p.Version, now.Version)
			if f := p.Problems[0]; f.File != "acme.csv" || f.Line != 1 || f.Severity != "error" || f.Message == "" {
				t.Errorf("broken file %d: %+v", i, f)
			}
			expect(t, "outcome meanwhile", outcome(), "REVIEW")
			wang.cancel(wang.approvalOf("wm_spam"))
			save(t, dir, "acme.csv", careful)
			within(t, live, "the mended file is in force", func() bool { return len(lin.policy().Problems) == 0 })
		}
		if err := os.Remove(filepath.Join(dir, "acme.csv")); err != nil {
			t.Fatal(err)
		}
		within(t, live, "without the file it is as before", func() bool { return lin.policy().Version == shipped.Version })
		expect(t, "after all", outcome(), "ALLOW")
		expect(t, "times that files were put in force", len(lin.trail("policy.activate"))-activated, 2)
	})
}

// Replicas whose files differ do not serve both: the one that has other rules than those in force says so.
func TestReplicasAgreeOnPolicy(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	var replicas []*testkit.Server
	for _, dir := range dirs {
		replicas = append(replicas, testkit.Demo(t, dsn, "--policies", dir))
	}
	ready := func() (out []int) {
		for _, r := range replicas {
			out = append(out, r.Send(http.MethodGet, "/readyz", "").Status)
		}
		return out
	}
	expect(t, "ready with the same files", fmt.Sprint(ready()), "[200 200]")
	save(t, dirs[0], "acme.csv", careful)
	within(t, 2*live, "the second is not ready while it lacks the file", func() bool { return fmt.Sprint(ready()) == "[200 503]" })
	save(t, dirs[1], "acme.csv", careful)
	within(t, 2*live, "both are ready with the same files", func() bool { return fmt.Sprint(ready()) == "[200 200]" })
}

// approvalOf is the newest approval that the person asked for about somebody.
func (p person) approvalOf(target string) string {
	p.c.t.Helper()
	return p.Do(`query($t:ID!){relationships(first:1,filter:{targetId:$t,states:[PENDING_APPROVAL]}){nodes{approvals{id}}}}`,
		vars{"t": p.c.target(target)}).Text("relationships.nodes.0.approvals.0.id")
}
