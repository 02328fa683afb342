package scenario

import (
	"strconv"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Steps of the schema are taken back one by one, never under a server, and never without a word on what goes with them.
func TestMigrateDown(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		refused := func(what, says string, args ...string) {
			t.Helper()
			out, stderr, code := testkit.Run(append([]string{"migrate", "down", "--db", c.dsn}, args...)...)
			if code != 2 || !strings.Contains(stderr, says) || strings.Contains(out, "taken back") {
				t.Errorf("%s: exit %d: %s%s; want 2 and %q", what, code, out, stderr, says)
			}
		}
		refused("under a server", "holds", "--yes")
		out, stderr, code := testkit.Run("migrate", "status", "--db", c.dsn)
		must(t, "status beside a server: "+out+stderr, code, 0)
		all := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, "applied ", "")), "\n")
		c.Stop()

		newest := all[len(all)-1]
		refused("without a word", newest+": ")
		refused("all, without a word", "table members with ", "--steps", strconv.Itoa(len(all)))
		refused("more than there are", "--steps 99", "--steps", "99", "--yes")
		refused("none", "--steps", "--steps", "0", "--yes")
		out, _, _ = testkit.Run("migrate", "status", "--db", c.dsn)
		expect(t, "steps that are missing", strings.Count(out, "missing"), 0)

		out, stderr, code = testkit.Run("migrate", "down", "--yes", "--db", c.dsn)
		must(t, "down: "+stderr, code, 0)
		expect(t, "taken back", out, "taken back "+newest+"\n")
		out, _, code = testkit.Run("migrate", "status", "--db", c.dsn)
		expect(t, "exit code of status", code, 1)
		expect(t, "steps that are missing", strings.Count(out, "missing"), 1)
		out, stderr, code = testkit.Run("migrate", "up", "--db", c.dsn)
		must(t, "up: "+stderr, code, 0)
		expect(t, "applied again", out, "applied "+newest+"\n")
		out, stderr, code = testkit.Run("migrate", "down", "--steps", "2", "--yes", "--db", c.dsn)
		must(t, "down two: "+stderr, code, 0)
		expect(t, "taken back", strings.Count(out, "taken back"), 2)
	})
}
