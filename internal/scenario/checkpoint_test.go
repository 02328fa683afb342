package scenario

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// An owner of the database who rewrites a row and all later hashes, drops the last events, or restores yesterday's rows is
// caught against a checkpoint, though the chain by itself holds.
func TestCheckpointsCatchTheOwner(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		key, marks := filepath.Join(dir, "audit.pem"), filepath.Join(dir, "marks.jsonl")
		text, _, code := testkit.Run("audit", "key")
		must(t, "audit key", code, 0)
		must(t, "write", os.WriteFile(key, []byte(text), 0o600), nil)
		half, _, code := testkit.Run("audit", "key", "--public-of", key)
		must(t, "audit key --public-of", code, 0)
		public := filepath.Join(dir, "public.pem")
		must(t, "write", os.WriteFile(public, []byte(half), 0o600), nil)

		c := open(t, dsn, "--audit-checkpoint-file", marks, "--audit-signing-key-file", key, "--audit-checkpoint-every", "100ms")
		wang := c.person("wangfang004")
		for range 3 {
			r := wang.blocks("liqiang005", on("native"))
			must(t, "lift", wang.lift(r.ID, "=1+1").codes(), "")
		}
		n := int64(len(c.sealed()))
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if b, _ := os.ReadFile(marks); strings.Contains(string(b), `"sequence":7,`) {
				break
			} else if time.Now().After(end) {
				t.Fatalf("no checkpoint of event %d: %s", n, b)
			}
		}

		// The trail as the auditor takes it with him; an employee gets what he may read.
		out, stderr, code := testkit.Run("audit", "export", "--as", "guping012", "--server", c.URL, "--format", "csv")
		must(t, "export: "+stderr, code, 0)
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		must(t, "csv", err, nil)
		must(t, "rows", int64(len(rows)), n+1)
		expect(t, "first event", rows[1][0]+" "+rows[1][5], "1 policy.activate")
		expect(t, "a lift's reason cannot run", rows[3][12], "'=1+1")
		out, _, _ = testkit.Run("audit", "export", "--as", "liqiang005", "--server", c.URL)
		expect(t, "what an employee gets", out, "")
		out, _, code = testkit.Run("audit", "export", "--as", "guping012", "--server", c.URL, "--until", "2020-01-01T00:00:00Z")
		expect(t, "nothing so early", out, "")
		expect(t, "exit code", code, 0)
		if _, _, code = testkit.Run("audit", "export", "--as", "nobody999", "--server", c.URL); code != 1 {
			t.Errorf("a stranger's export exits with %d", code)
		}
		c.Stop()

		check := func(what string, holds bool, says string) {
			t.Helper()
			out, stderr, code := testkit.Run("audit", "verify", "--json", "--db", c.dsn, "--checkpoint", marks, "--key", public)
			var v struct {
				Holds       bool
				What        string
				Checkpoints int
			}
			if err := json.Unmarshal([]byte(out), &v); err != nil {
				t.Fatalf("%s: exit %d: %s%s", what, code, out, stderr)
			}
			expect(t, what+": holds", v.Holds, holds)
			if !strings.Contains(v.What, says) || holds && v.Checkpoints == 0 {
				t.Errorf("%s: %+v", what, v)
			}
			if alone, _ := verify(t, c.dsn); !alone.Holds {
				t.Errorf("%s: the chain alone shows it, so the test shows nothing: %+v", what, alone)
			}
		}
		check("untouched", true, "")
		whole, err := os.ReadFile(marks)
		must(t, "read", err, nil)
		must(t, "write", os.WriteFile(marks, []byte(strings.Replace(string(whole), `"sequence":7,`, `"sequence":6,`, 1)), 0o600), nil)
		for _, args := range [][]string{{}, {"--json"}} {
			out, stderr, code := testkit.Run(append([]string{"audit", "verify", "--db", c.dsn, "--checkpoint", marks, "--key", public}, args...)...)
			if code != 1 || !strings.Contains(stderr, "signature") || len(args) > 0 && !strings.Contains(out, `"holds":false`) {
				t.Errorf("a checkpoint that was altered: exit %d: %s%s", code, out, stderr)
			}
		}
		must(t, "write", os.WriteFile(marks, whole, 0o600), nil)
		db := testkit.Database(t, c.dsn)
		cut := func(after int) {
			t.Helper()
			if _, err := db.Exec(fmt.Sprintf("delete from audit_events where sequence > %d", after)); err != nil {
				t.Fatal(err)
			}
		}
		cut(5)
		check("the last two dropped", false, "ends at 5")

		// The gateway signs nothing more, and says why.
		again := func(args ...string) company {
			return company{testkit.Demo(t, c.dsn, args...), t, c.dsn, map[string]string{}}
		}
		g := again("--audit-checkpoint-file", marks, "--audit-signing-key-file", key, "--audit-checkpoint-every", "100ms")
		for end := time.Now().Add(5 * time.Second); !strings.Contains(g.Log(), "rewritten or cut"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the log does not say that the trail was cut")
			}
		}
		g.Stop()

		// Other events in the places of those that were there, linked as they must be.
		cut(3)
		g = again()
		wang = g.person("wangfang004")
		for range 3 {
			r := wang.blocks("liqiang005", on("native"))
			must(t, "lift", wang.lift(r.ID, "和好了").codes(), "")
		}
		g.sealed()
		g.Stop()
		check("an event and all after it rewritten", false, "rewritten")
	})
}
