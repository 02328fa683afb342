package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A file of five thousand rows as people send them: broken in all ways at once, in UTF-8 with a byte order mark and in
// GB18030. Each broken row is refused in its place, and all others are taken in.
func TestImportBrokenFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("employeeNo,name,department,position,rank\r\n")
	var want []string
	line := 2
	row := func(text, refused string) {
		b.WriteString(text + "\r\n")
		if refused != "" {
			want = append(want, fmt.Sprint(line, " ", refused))
		}
		line += 1 + strings.Count(text, "\n")
	}
	twice := 0
	for i := range 5000 {
		no := fmt.Sprintf("9%04d", i)
		switch {
		case i%500 == 10:
			row(no+",张三,总部,销售", "INVALID_INPUT ") // a column is missing
		case i%500 == 20:
			row(no+",\"张三,总部,销售,1", "INVALID_INPUT ") // a quote stays open
		case i%500 == 30:
			row(no+",张三,没有的部门,销售,1", "NOT_FOUND department")
		case i%500 == 40:
			row(no+",张三,总部,=cmd|' /C calc'!A0,1", "")
		case i%500 == 50:
			row(no+",张三,总部,\"两行\r\n一格\",1", "INVALID_INPUT position") // a line break is a control character
		case i%500 == 60:
			row("90000,张三,总部,销售,1", "") // as it was said before
			twice++
		case i%500 == 70:
			row(no+",张\x00三,总部,销售,1", "INVALID_INPUT name")
		case i%500 == 80:
			row("90000,李四,总部,销售,1", "CONFLICT ")
		default:
			row(no+",张三,总部,销售,1", "")
		}
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(b.String())
	if err != nil {
		t.Fatal(err)
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		total, bad := 5000, len(want)
		for _, f := range []struct{ name, text, want string }{
			{"dry", gb, fmt.Sprintf("DONE %d=%d+%d+%d", total, total-bad-twice, twice, bad)},
			{"GB18030", gb, fmt.Sprintf("DONE %d=%d+%d+%d", total, total-bad-twice, twice, bad)},
			{"byte order mark", "\ufeff" + b.String(), fmt.Sprintf("DONE %d=0+%d+%d", total, total-bad, bad)},
		} {
			var more []string
			if f.name == "dry" {
				more = append(more, "--dry-run")
			}
			got, stderr, _ := s.take(write(t, f.text), more...)
			if got.counts() != f.want {
				t.Fatalf("%s: %s, want %s: %s", f.name, got.counts(), f.want, stderr)
			}
			if diff := cmp.Diff(want, got.lines()); diff != "" {
				t.Errorf("%s: %s", f.name, diff)
			}
		}
	})
}

// Account names that break the naming rule are listed with those that would not.
func TestAccountsLint(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		if out, stderr, code := testkit.Run("accounts", "lint", "--db", dsn); code != 0 || out != "" {
			t.Errorf("exit %d: %s%s", code, out, stderr)
		}
		if _, err := testkit.Database(t, dsn).Exec("update members set account_name = 'xiaoyu' where employee_no = '016'"); err != nil {
			t.Fatal(err)
		}
		out, stderr, code := testkit.Run("accounts", "lint", "--db", dsn, "--json")
		if code != 1 || strings.TrimSpace(out) != `[{"employeeNo":"016","accountName":"xiaoyu","proposal":"shanxiaoyu016"}]` {
			t.Errorf("exit %d: %s%s", code, out, stderr)
		}
	})
}
