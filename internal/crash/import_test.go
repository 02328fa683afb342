package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// An import that is killed past half goes on after the last batch: no row is taken in twice, none is left out, and of what
// had been done at most a batch is done again.
func TestKilledImportGoesOn(t *testing.T) {
	bin := build(t)
	const rows = 12_000
	var b strings.Builder
	b.WriteString("{\"type\":\"department\",\"path\":\"总部\"}\n")
	for i := 1; i < rows; i++ {
		fmt.Fprintf(&b, "{\"type\":\"member\",\"employeeNo\":\"%05d\",\"name\":\"张三\",\"department\":\"总部\",\"position\":\"工程师\",\"jobFunction\":\"SALES\",\"rank\":3}\n", i)
	}
	dir := t.TempDir()
	file, keyset := filepath.Join(dir, "org.jsonl"), filepath.Join(dir, "keyset.json")
	key, _, _ := testkit.Run("keyset")
	for path, text := range map[string]string{file: b.String(), keyset: key} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, share := range []int{50, 70, 90} {
		t.Run(fmt.Sprint(share, "%"), func(t *testing.T) {
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				if _, stderr, code := testkit.Run("migrate", "up", "--db", dsn); code != 0 {
					t.Fatal(stderr)
				}
				args := []string{"import", "org", file, "--json", "--db", dsn, "--encryption-keyset-file", keyset}
				first := exec.Command(bin, args...)
				first.Env = environment()
				if err := first.Start(); err != nil {
					t.Fatal(err)
				}
				db := testkit.Database(t, dsn)
				at := func() (line int) {
					_ = db.QueryRow("select coalesce(max(line), 0) from imports").Scan(&line) // it may be busy, or not begun
					return line
				}
				for end := time.Now().Add(startMax); at() < rows*share/100; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("it does not get there")
					}
				}
				_ = first.Process.Kill()
				if err := first.Wait(); err == nil { // as may happen near its end: the other shares show it then
					t.Log("it had ended before it was killed")
					return
				}
				killed := at()
				t.Logf("killed after line %d of %d", killed, rows)
				out, stderr, code := testkit.Run(args...)
				var got struct {
					State                      string
					Total, Accepted, Unchanged int
					Rejected                   int
				}
				if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
					t.Fatalf("exit %d: %v: %s%s", code, err, out, stderr)
				}
				// What had been done and was done again would be unchanged now.
				if got.State != "DONE" || got.Total != rows || got.Accepted != rows || got.Unchanged != 0 {
					t.Errorf("%+v", got)
				}
				var imports, people, batches, again int
				err := db.QueryRow(fmt.Sprintf(`select (select count(*) from imports), (select count(*) from members), (select count(*) from import_batches),
					(select count(*) from import_batches where last_line > %d)`, killed)).Scan(&imports, &people, &batches, &again)
				if err != nil || imports != 1 || people != rows-1 {
					t.Errorf("%d imports, %d people: %v", imports, people, err)
				}
				var largest int // as much may have been done of the batch that was lost
				if err := db.QueryRow("select max(last_line - first_line + 1) from import_batches").Scan(&largest); err != nil || largest*10 >= rows {
					t.Errorf("a batch of %d rows of %d: %v", largest, rows, err)
				}
				if left := float64(again) / float64(batches); left > float64(rows-killed)/rows+0.1 {
					t.Errorf("%d of %d batches came after line %d", again, batches, killed)
				}
			})
		})
	}
}
