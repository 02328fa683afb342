package scenario

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Where several lines oblige to the same, the strictest holds: a company's nine hours to answer, and not the
// guardrail's seventy-two.
func TestStrictestDutyHolds(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		line := "p, acme.soon, wecom, employee, block, contact, true, review, admin, expire:9h | undo:100h\n"
		if err := os.WriteFile(filepath.Join(dir, "acme.csv"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		c := company{testkit.Demo(t, dsn, "--policies", dir), t, dsn, map[string]string{}}
		_, asked := c.person("wangfang004").asks("wm_haikang")
		type times struct{ CreatedAt, ExpiresAt time.Time }
		got := read[times](t, c.person("wangfang004").Do(`query($id:ID!){node(id:$id){... on Approval{createdAt expiresAt}}}`, vars{"id": asked.ID}))
		expect(t, "time to answer", got.ExpiresAt.Sub(got.CreatedAt).Round(time.Second), 9*time.Hour)

		var undo string
		if err := testkit.Database(t, dsn).QueryRow("select undo_terms from relationships").Scan(&undo); err != nil {
			t.Fatal(err)
		}
		terms := decodeTerms(t, undo)
		expect(t, "undo window", terms.Sub(got.CreatedAt).Round(time.Second), 72*time.Hour)
	})
}

// decodeTerms reads until when a relationship can be taken back, as it was frozen.
func decodeTerms(t *testing.T, document string) time.Time {
	t.Helper()
	var terms struct{ Until time.Time }
	if err := json.Unmarshal([]byte(document), &terms); err != nil {
		t.Fatal(err)
	}
	return terms.Until
}
