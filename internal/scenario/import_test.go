package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// store is a real server's store that is still empty, with what importing into it takes.
type store struct {
	t      *testing.T
	keyset string
	args   []string // of every command
}

func newStore(t *testing.T, dsn string) store {
	t.Helper()
	keyset, stderr, code := testkit.Run("keyset")
	if code != 0 {
		t.Fatal(stderr)
	}
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(path, []byte(keyset), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := testkit.Run("migrate", "up", "--db", dsn); code != 0 {
		t.Fatal(stderr)
	}
	return store{t, path, []string{"--db", dsn, "--encryption-keyset-file", path}}
}

// imported is what an import answers in JSON.
type imported struct {
	ID, State                                     string
	Total, Accepted, Rejected, Unchanged, Waiting int
	LastError                                     string
	Rows                                          []struct {
		Line                 int
		Code, Field, Message string
	}
}

func (i imported) counts() string {
	return fmt.Sprintf("%s %d=%d+%d+%d", i.State, i.Total, i.Accepted, i.Unchanged, i.Rejected)
}

// lines are the refused lines with their codes.
func (i imported) lines() (out []string) {
	for _, r := range i.Rows {
		out = append(out, fmt.Sprint(r.Line, " ", r.Code, " ", r.Field))
	}
	return out
}

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// take imports a file on the store itself.
func (s store) take(path string, more ...string) (imported, string, int) {
	s.t.Helper()
	stdout, stderr, code := testkit.Run(append(append([]string{"import", "org", path, "--json"}, s.args...), more...)...)
	var out imported
	if stdout != "" {
		if err := json.Unmarshal([]byte(stdout), &out); err != nil {
			s.t.Fatalf("%v: %s", err, stdout)
		}
	}
	return out, stderr, code
}

// org is a small company; the last rows of it are wrong.
const org = `{"type":"workspace","name":"native","platform":"native"}
{"type":"workspace","name":"wecom-hq","platform":"wecom","region":"CN","customerContact":true}
{"type":"department","path":"总部","manager":"001"}
{"type":"department","path":"总部/销售部","manager":"003"}
{"type":"member","employeeNo":"004","name":"王芳","department":"总部/销售部","manager":"003","jobFunction":"SALES","rank":3,"phone":"+8613800001234"}
{"type":"member","employeeNo":"001","name":"陈光","department":"总部","roles":["super_admin"],"jobFunction":"MANAGEMENT","rank":10}
{"type":"member","employeeNo":"003","name":"赵敏","department":"总部/销售部","departments":["总部"],"manager":"001","roles":["dept_manager"],"rank":7}
{"type":"member","employeeNo":"016","name":"单晓雨","department":"总部","manager":"001"}
{"type":"account","workspace":"wecom-hq","platformId":"wangfang004","member":"004"}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_haikang","name":"=cmd|海康采购","owner":"004","importance":"KEY","tags":["重点","华东"]}
{"type":"follow","workspace":"wecom-hq","contact":"wm_haikang","member":"004","since":"2026-01-02"}
{"type":"opportunity","workspace":"wecom-hq","contact":"wm_haikang","title":"框架协议","amount":1200000.00,"owner":"004"}
{"type":"group","workspace":"wecom-hq","platformId":"grp_haikang","name":"海康项目","kind":"PROJECT","owner":"003"}
{"type":"membership","workspace":"wecom-hq","group":"grp_haikang","member":"004","admin":true}
{"type":"membership","workspace":"wecom-hq","group":"grp_haikang","contact":"wm_haikang"}
`

const orgRows = 15

const wrong = `{"type":"member","employeeNo":"020","name":"无名","department":"总部","manager":"999"}
{"type":"member","employeeNo":"021","nam":"张三","department":"总部"}
{"type":"member","employeeNo":"022","name":"张三","department":"不存在"}
{"type":"member","employeeNo":"023","name":"张三","department":"总部","accountName":"zs"}
{"type":"member","employeeNo":"024","name":"张三","department":"总部","rank":"high"}
{"type":"member","employeeNo":"025","name":"甲","department":"总部","manager":"026"}
{"type":"member","employeeNo":"026","name":"乙","department":"总部","manager":"025"}
{"type":"member","employeeNo":"027","name":"丙\u0000","department":"总部"}
{"type":"member","employeeNo":"004","name":"王方","department":"总部"}
{"type":"member","employeeNo":"028","name":"丁","department":"总部","roles":["amdin"]}
{"type":"member","employeeNo":"029","name":"戊","department":"总部","manager":"029"}
{"type":"workspace","name":"x","platform":"icq"}
{"type":"workspace","name":"y","platform":"native","timeZone":"Asia/Shanghia"}
{"type":"follow","workspace":"wecom-hq","contact":"wm_haikang","member":"004","since":"02.01.2026"}
{"type":"group","workspace":"nowhere","platformId":"g","name":"g"}
{"type":"robot","name":"r"}
{"type":"member","employeeNo":"030","name":"己","depart`

var wrongLines = []string{"16 NOT_FOUND manager", "17 INVALID_INPUT nam", "18 NOT_FOUND department", "19 INVALID_INPUT accountName",
	"20 INVALID_INPUT rank", "21 NOT_FOUND manager", "22 NOT_FOUND manager", "23 INVALID_INPUT name", "24 CONFLICT ", "25 INVALID_INPUT roles",
	"26 INVALID_INPUT manager", "27 INVALID_INPUT platform", "28 INVALID_INPUT timeZone", "29 INVALID_INPUT since", "30 NOT_FOUND workspace",
	"31 INVALID_INPUT type", "32 INVALID_INPUT "}

// An empty store is filled; a dry run says the same before it and writes nothing; the same file again changes nothing.
func TestImportFillsAStore(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		file := write(t, org+wrong)
		db := testkit.Database(t, dsn)
		people := func() (n int) {
			t.Helper()
			if err := db.QueryRow("select count(*) from members").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, c := range []struct {
			want   string
			people int
			more   []string
		}{
			{fmt.Sprintf("DONE %d=%d+0+%d", orgRows+17, orgRows, 17), 0, []string{"--dry-run"}},
			{fmt.Sprintf("DONE %d=%d+0+%d", orgRows+17, orgRows, 17), 4, nil},
			{fmt.Sprintf("DONE %d=0+%d+%d", orgRows+17, orgRows, 17), 4, nil},
			{fmt.Sprintf("DONE %d=0+%d+%d", orgRows+17, orgRows, 17), 4, []string{"--dry-run"}},
		} {
			got, stderr, code := s.take(file, c.more...)
			if got.counts() != c.want || code != 1 {
				t.Fatalf("%v: %s, exit %d, want %s: %s %v", c.more, got.counts(), code, c.want, stderr, got.lines())
			}
			if diff := cmp.Diff(wrongLines, got.lines()); diff != "" {
				t.Fatal(diff)
			}
			if n := people(); n != c.people {
				t.Fatalf("%v: %d people, want %d", c.more, n, c.people)
			}
		}
		var account, boss, where string
		err := db.QueryRow(`select m.account_name, b.employee_no, d.name from members m join members b on b.id = m.manager_id
			join member_departments md on md.member_id = m.id and md.is_primary join departments d on d.id = md.department_id
			where m.employee_no = '016'`).Scan(&account, &boss, &where)
		if err != nil || account != "shanxiaoyu016" || boss != "001" || where != "总部" {
			t.Errorf("%s %s %s %v", account, boss, where, err)
		}
		var bound int
		if err := db.QueryRow("select count(*) from account_bindings b join members m on m.id = b.member_id where b.until_at is null and m.employee_no = '004'").Scan(&bound); err != nil || bound != 1 {
			t.Errorf("%d %v", bound, err)
		}
		var amount int64
		if err := db.QueryRow("select amount from opportunities where currency = 'CNY' and is_open").Scan(&amount); err != nil || amount != 120_000_000 {
			t.Errorf("%d %v", amount, err)
		}
		var head string
		if err := db.QueryRow("select m.name from departments d join members m on m.id = d.manager_id where d.name = '销售部'").Scan(&head); err != nil || head != "赵敏" {
			t.Errorf("head %q %v", head, err)
		}
		if out, stderr, code := testkit.Run("audit", "verify", "--db", dsn); code != 0 || !strings.Contains(out, "8 waiting") {
			t.Errorf("the trail: %s%s", out, stderr)
		}
	})
}

// The order of a file does not matter, nor does how its text is written.
func TestImportInAnyOrderAndEncoding(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(org), "\n")
	var back []string
	for i := range lines {
		back = append(back, lines[len(lines)-1-i])
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(strings.Join(back, "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		for _, f := range []struct{ name, text, want string }{
			{"backwards, GB18030, CRLF", gb, "DONE 15=15+0+0"},
			{"byte order mark", "\ufeff" + org, "DONE 15=0+15+0"},
		} {
			if got, stderr, code := s.take(write(t, f.text)); got.counts() != f.want || code != 0 {
				t.Fatalf("%s: %s, exit %d: %v %s", f.name, got.counts(), code, got.Rows, stderr)
			}
		}
	})
}

// Rows change what they say and nothing else; what would close a circle in the reporting line is refused, and what only
// seems to while others have not moved yet is not.
func TestImportChanges(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		file := write(t, `{"type":"member","employeeNo":"001","manager":"003"}
{"type":"member","employeeNo":"003","manager":null,"position":"总经理"}
{"type":"member","employeeNo":"004","manager":"001","department":"总部"}
{"type":"member","employeeNo":"016","roles":["employee","hr"]}
`)
		got, _, _ := s.take(file)
		if got.counts() != "DONE 4=4+0+0" {
			t.Fatalf("%s %v", got.counts(), got.Rows)
		}
		if got, _, _ := s.take(file); got.counts() != "DONE 4=0+4+0" {
			t.Errorf("again: %s %v", got.counts(), got.Rows)
		}
		got, _, code := s.take(write(t, `{"type":"member","employeeNo":"003","manager":"004"}
{"type":"member","employeeNo":"001","roles":["employee"]}
{"type":"workspace","name":"native","platform":"wecom"}
`))
		want := []string{"1 CONFLICT manager", "2 CONFLICT roles", "3 INVALID_INPUT platform"}
		if diff := cmp.Diff(want, got.lines()); diff != "" || code != 1 {
			t.Error(diff, code)
		}
		// Of two, one takes the role over from the other, in whatever order.
		got, _, _ = s.take(write(t, `{"type":"member","employeeNo":"001","roles":["employee"]}
{"type":"member","employeeNo":"003","roles":["super_admin"]}
`))
		if got.counts() != "DONE 2=2+0+0" {
			t.Errorf("%s %v", got.counts(), got.Rows)
		}
		var rank, phone string
		err := testkit.Database(t, dsn).QueryRow("select cast(rank as text), phone from members where employee_no = '004'").Scan(&rank, &phone)
		if err != nil || rank != "3" || phone != "+8613800001234" {
			t.Errorf("what the rows do not say has changed: %s %s %v", rank, phone, err)
		}
	})
}

// CSV: rows of members without a type, cells that go over lines, formulas that stay what they are.
func TestImportCSV(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		errors := filepath.Join(t.TempDir(), "errors.csv")
		got, _, _ := s.take(write(t, "employeeNo,name,department,position,roles,rank\r\n"+
			"101,\"甲,\"\"乙\"\"\",总部,=1+1,employee;hr,4\r\n"+
			"102,丙,=总部,,,\r\n"+
			"103,丁,总部\r\n"+
			"104,\"戊,总部,,,\r\n"), "--errors", errors)
		want := []string{"3 NOT_FOUND department", "4 INVALID_INPUT ", "5 INVALID_INPUT "}
		if diff := cmp.Diff(want, got.lines()); diff != "" || got.Accepted != 1 {
			t.Fatal(diff, got.counts())
		}
		var name, position string
		err := testkit.Database(t, dsn).QueryRow("select name, position from members where employee_no = '101'").Scan(&name, &position)
		if err != nil || name != `甲,"乙"` || position != "=1+1" {
			t.Errorf("%s %s %v", name, position, err)
		}
		b, err := os.ReadFile(errors)
		if err != nil || !bytes.Contains(b, []byte("102,丙,=总部")) || strings.Count(string(b), "\n") != 4 {
			t.Errorf("%v: %s", err, b)
		}
		if _, stderr, code := s.take(write(t, "employeeNo,nmae\n1,2\n")); code != 1 || !strings.Contains(stderr, ":1: There is no field “nmae”; did you mean name?") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
}

// A file that says that it is complete raises an alert for each who is missing; where too many are, nothing is written.
func TestImportComplete(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		alerts := func() string {
			t.Helper()
			var vanished, shrank, people int
			err := testkit.Database(t, dsn).QueryRow(`select (select count(*) from alerts where kind = 'HR_ROW_VANISHED'),
				(select count(*) from alerts where kind = 'DIRECTORY_SHRANK'), (select count(*) from members where employment = 'ACTIVE')`).
				Scan(&vanished, &shrank, &people)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(vanished, " ", shrank, " ", people)
		}
		less := `{"type":"member","employeeNo":"001","position":"董事长"}
{"type":"member","employeeNo":"003"}
{"type":"member","employeeNo":"004"}
`
		// One who is not in it is nobody's loss where the file does not say that it is complete.
		if got, _, _ := s.take(write(t, less)); got.counts() != "DONE 3=1+2+0" || alerts() != "0 0 4" {
			t.Fatal(got.counts(), alerts())
		}
		less = strings.Replace(less, "董事长", "总裁", 1)
		header := "{\"type\":\"header\",\"complete\":true}\n"
		got, stderr, code := s.take(write(t, header+less))
		if got.counts() != "FAILED 0=0+0+0" || code != 1 || !strings.Contains(stderr, "1 of 4 people are missing") || alerts() != "0 1 4" {
			t.Fatal(got, code, stderr, alerts())
		}
		if got, _, _ := s.take(write(t, less), "--complete", "--accept-shrink"); got.counts() != "DONE 3=1+2+0" || alerts() != "1 1 4" {
			t.Fatal(got.counts(), alerts())
		}
		if got, _, _ := s.take(write(t, less), "--complete", "--import-vanish-max", "25"); got.counts() != "DONE 3=0+3+0" || alerts() != "1 1 4" {
			t.Fatal(got.counts(), alerts())
		}
	})
}

// Whose an account was is told over time: what a file gives to somebody else, or to nobody, was its owner's until then, and
// what it says again changes nothing.
func TestImportBindsAccounts(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		account := func(id, member string) string {
			kind := map[string]string{"robot": "BOT", "shared": "SHARED", "wangfang004": "HUMAN"}[id]
			return fmt.Sprintf("{\"type\":\"account\",\"workspace\":\"wecom-hq\",\"platformId\":%q,\"member\":%s,\"kind\":%q}\n", id, member, kind)
		}
		for _, text := range []string{org + account("robot", "null") + account("shared", `"004"`),
			account("wangfang004", `"016"`) + account("robot", `"003"`) + account("shared", `"004"`),
			account("wangfang004", `"016"`) + account("robot", "null") + account("shared", `"001"`)} {
			if got, stderr, code := s.take(write(t, text)); code != 0 {
				t.Fatal(got.lines(), stderr)
			}
		}
		rows, err := testkit.Database(t, dsn).Query(`select a.platform_id, coalesce(m.employee_no, 'nobody'), b.until_at is null,
			coalesce((select min(n.from_at) from account_bindings n where n.account_id = b.account_id and n.from_at > b.from_at), b.until_at, 0) = coalesce(b.until_at, 0)
			from account_bindings b join accounts a on a.id = b.account_id left join members m on m.id = b.member_id order by a.platform_id, b.from_at`)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var got []string
		for rows.Next() {
			var id, who string
			var current, seamless bool
			if err := rows.Scan(&id, &who, &current, &seamless); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(id, " ", who, " ", current, " ", seamless))
		}
		want := []string{"robot 003 false true", "robot nobody true true", "shared 004 false true", "shared 001 true true",
			"wangfang004 004 false true", "wangfang004 016 true true"}
		if diff := cmp.Diff(want, got); diff != "" || rows.Err() != nil {
			t.Error(diff, rows.Err())
		}
	})
}

// What an import reads of a table is what its rows are about, however large the table has grown since the statements were first
// planned: a company begins with empty tables. PostgreSQL itself counts what is read.
func TestImportReadsWhatItIsAbout(t *testing.T) {
	dsn := testkit.Postgres(t)
	s := newStore(t, dsn)
	const each = 3000
	var b strings.Builder
	b.WriteString("{\"type\":\"workspace\",\"name\":\"w\",\"platform\":\"wecom\"}\n{\"type\":\"department\",\"path\":\"d\"}\n" +
		"{\"type\":\"member\",\"employeeNo\":\"1\",\"name\":\"王芳\",\"department\":\"d\"}\n")
	for _, row := range []string{`{"type":"contact","workspace":"w","platformId":"c%d","name":"n","owner":"1"}`,
		`{"type":"follow","workspace":"w","contact":"c%d","member":"1","since":"2026-01-02"}`,
		`{"type":"group","workspace":"w","platformId":"g%d","name":"g","owner":"1"}`,
		`{"type":"membership","workspace":"w","group":"g%d","member":"1"}`, `{"type":"member","employeeNo":"n%d","name":"李强","department":"d"}`,
		`{"type":"account","workspace":"w","platformId":"a%[1]d","member":"n%[1]d"}`} {
		for i := range each {
			fmt.Fprintf(&b, row+"\n", i)
		}
	}
	if got, stderr, code := s.take(write(t, b.String())); code != 0 || got.Accepted != 6*each+3 {
		t.Fatal(got.counts(), stderr)
	}
	db := testkit.Database(t, dsn)
	for _, table := range []string{"external_contacts", "contact_follows", "groups", "group_members", "accounts"} {
		var rows, read int
		err := db.QueryRow("select n_tup_ins, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = $1", table).Scan(&rows, &read)
		if t.Logf("%s: %d rows, %d read", table, rows, read); err != nil || rows != each || read > 5*rows {
			t.Errorf("%s: %d rows, of which %d were read: %v", table, rows, read, err)
		}
	}
}
