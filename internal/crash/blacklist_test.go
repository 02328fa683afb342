package crash

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What comes of the rows of the file.
const (
	listAccepted, listAgain = 4945, 40
	listInvalid, listDenied = 12, 3
	listRows                = listAccepted + listAgain + listInvalid + listDenied
)

// listFile is a blacklist as companies have them: 5,000 rows, of which some are no good, some say what others have said, some name people
// of the company, and some hold what a spreadsheet would run.
type listFile struct {
	text string
	want []string // of each row its line, what comes of it and of whom, or of what code
}

func newList() (l listFile) {
	bad := []struct{ row, code string }{
		{"wm_list_9001,骚扰客户,yesterday", "INVALID_INPUT"},
		{"wm_list_9002,骚扰客户,2027-13-01", "INVALID_INPUT"},
		{"wm_lanhai,骚扰客户,2020-01-01", "INVALID_INPUT"},
		{",骚扰客户,", "INVALID_INPUT"},
		{"wm_lanhai,,", "INVALID_INPUT"},
		{"wm_list_9006", "INVALID_INPUT"},
		{"wm_list_9007,骚扰客户,,多一列", "INVALID_INPUT"},
		{`wm_list_9008,骚扰"客户,`, "INVALID_INPUT"},
		{strings.Repeat("w", 129) + ",骚扰客户,", "INVALID_INPUT"},
		{"wm_list_9010," + strings.Repeat("骚", 1001) + ",", "INVALID_INPUT"},
		{"=cmd|' /C calc'!A0,骚扰客户,", "NOT_FOUND"},
		{"@SUM(1+1),-2+3,", "NOT_FOUND"},
	}
	superiors := []string{"chenguang001", "hanlei017", "fengtao010"} // of who asks, and people whose superior he is (C-01)
	var b strings.Builder
	b.WriteString("platform_id,reason,expires_at\n")
	made := 0
	for line := 2; line < 2+listRows; line++ {
		n, say := line-2, func(row, verdict string) {
			b.WriteString(row + "\n")
			l.want = append(l.want, fmt.Sprint(line, " ", verdict))
		}
		switch id := fmt.Sprintf("wm_list_%04d", made); {
		case n%400 == 399: // twelve of them
			x := bad[n/400]
			say(x.row, "REJECTED "+x.code)
		case n%1500 == 777 && n < 4500:
			say(superiors[n/1500]+",不该在此,", "REJECTED POLICY_DENIED")
		case n%125 == 60: // somebody who was named before
			again := fmt.Sprintf("wm_list_%04d", made/2)
			say(again+",又一次,", "UNCHANGED "+again)
		case n%97 == 5:
			made++
			say(id+`,"=HYPERLINK(""http://evil"",""骚扰"")",2027-06-30`, "ACCEPTED "+id)
		default:
			made++
			say(id+",多次骚扰客户，屡劝不改,", "ACCEPTED "+id)
		}
	}
	l.text = b.String()
	return l
}

// encoded writes the list to a file.
func (l listFile) encoded(t *testing.T, e encoding.Encoding) string {
	t.Helper()
	text, err := e.NewEncoder().String(l.text)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "blacklist.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contacts writes the contacts whom the list names to a file of the directory.
func (l listFile) contacts(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for n := range listAccepted {
		fmt.Fprintf(&b, "{\"type\":\"contact\",\"workspace\":%q,\"platformId\":\"wm_list_%04d\",\"name\":\"推广%d\",\"verified\":true}\n", onWeCom, n, n)
	}
	path := filepath.Join(t.TempDir(), "contacts.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestList(t *testing.T) {
	got := map[string]int{}
	for _, w := range newList().want {
		got[strings.Fields(w)[1]]++
	}
	want := map[string]int{"ACCEPTED": listAccepted, "UNCHANGED": listAgain, "REJECTED": listInvalid + listDenied}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The people of the story: who asks, and the two who have to agree (C-08).
const lister = "linyue002"

var agreeing = []string{"hanlei017", "chenguang001"}

// story is a gateway that takes the list in.
type story struct {
	*process
	t   *testing.T
	dsn string
	db  *sql.DB
}

// listing is a gateway on a database with the contacts in it. Its WeCom has had all the calls that it takes, so that what is delivered
// when is no part of what is compared.
func listing(t *testing.T, bin, dsn string) *story {
	t.Helper()
	wecom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"errcode":45009,"errmsg":"api freq out of limit"}`
		if strings.HasPrefix(r.URL.Path, "/_sim") {
			answer = "{}"
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(wecom.Close)
	s := &story{gateway(t, bin, dsn, "--sim", "wecom="+wecom.URL), t, dsn, nil}
	s.start()
	s.db = testkit.Database(t, dsn)
	return s
}

// run runs a command that asks the gateway, as who asks for lists.
func (s *story) run(args ...string) (stdout string, code int) {
	s.t.Helper()
	url, _ := s.where()
	stdout, stderr, code := testkit.Run(append(args, "--server", url, "--as", lister)...)
	if code == 2 {
		s.t.Fatal(stderr)
	}
	return stdout, code
}

// listed is an import as the command line tells of it.
type listed struct {
	ID, State                                      string
	DryRun                                         bool
	Total, Accepted, Unchanged, Rejected, InReview int
	Approval                                       *struct{ ID string }
	Rows                                           []struct {
		Line int
		Code string
	}
}

func (l listed) counts() string {
	return fmt.Sprint(l.State, " ", l.Total, "=", l.Accepted, "+", l.Unchanged, "+", l.Rejected, "+", l.InReview)
}

var (
	listCounts  = fmt.Sprint("DONE ", listRows, "=", listAccepted, "+", listAgain, "+", listInvalid+listDenied, "+0")
	againCounts = fmt.Sprint("DONE ", listRows, "=0+", listAccepted+listAgain, "+", listInvalid+listDenied, "+0")
)

// take has the gateway take a list in, and answers what is said of it.
func (s *story) take(file string, more ...string) (l listed) {
	s.t.Helper()
	out, code := s.run(append([]string{"blacklist", "import", file, "--workspace", onWeCom, "--json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		s.t.Fatalf("exit %d: %v: %s", code, err, out)
	}
	return l
}

// agree has somebody agree to an approval.
func (s *story) agree(account, approval string) {
	s.t.Helper()
	url, _ := s.where()
	a := testkit.At(s.t, url).As(account).Do(`mutation($id:ID!){decideApproval(approvalId:$id,approve:true){userErrors{code}}}`, map[string]any{"id": approval})
	if a.Get("decideApproval.userErrors.0") != nil {
		s.t.Fatal(a.Body)
	}
}

// at is how far the import is that runs, and whether one does.
func (s *story) at() (line int, runs bool) {
	err := s.db.QueryRow("select line from imports where kind = 'BLACKLIST' and state = 'RUNNING' and dry_run = " + s.no()).Scan(&line) // it may be busy
	return line, err == nil
}

func (s *story) no() string {
	if isSQLite(s.dsn) {
		return "0"
	}
	return "false"
}

// killedAt kills the gateway once the import is past a line, and so much later; it reports where it was then, and whether it was still
// under way.
func (s *story) killedAt(line int, later time.Duration) (at int, hit bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now, runs := s.at()
		if runs && now >= line {
			break
		}
		if !runs && s.ended() || time.Now().After(end) {
			break
		}
	}
	time.Sleep(later)
	s.kill()
	return s.at()
}

// ended reports whether the list has been taken in.
func (s *story) ended() bool {
	n := 0
	_ = s.db.QueryRow("select count(*) from imports where kind = 'BLACKLIST' and state not in ('RUNNING', 'PENDING_APPROVAL') and dry_run = " + s.no()).Scan(&n)
	return n > 0
}

// resumed starts the gateway again. What its predecessor held on PostgreSQL runs out by itself half a minute later, in which it might be
// a replica that still works; that is not waited for here.
func (s *story) resumed() {
	s.t.Helper()
	s.start()
	if _, err := s.db.Exec("update imports set claimed_until = null where state = 'RUNNING'"); err != nil {
		s.t.Fatal(err)
	}
}

// done waits for an import to end.
func (s *story) done(id string) {
	s.t.Helper()
	url, _ := s.where()
	c := testkit.At(s.t, url).As(lister)
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{state}}}`, map[string]any{"id": id}).Text("node.state") != string(im.JobRunning) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatal("the import does not end")
		}
	}
}

// verdicts are what stands of each row of an import, in the order of the file: of whom a row is that made something, or found it there,
// and of a refused one its code.
func (s *story) verdicts(imp string) (out []string) {
	s.t.Helper()
	named := map[im.ID]string{} // who a relationship is about
	s.each("select r.id, c.platform_id from relationships r join external_contacts c on c.id = r.target_id", func(scan func(...any) error) error {
		var id im.ID
		var platformID string
		err := scan(&id, &platformID)
		named[id] = platformID
		return err
	})
	codes := map[int]string{}
	url, _ := s.where()
	c := testkit.At(s.t, url).As(lister)
	a := c.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{rows(first:100,onlyRejected:true){nodes{line code}}}}}`, map[string]any{"id": imp})
	refused, _ := a.Get("node.rows.nodes").([]any)
	for _, n := range refused {
		row := n.(map[string]any)
		codes[int(row["line"].(float64))] = row["code"].(string)
	}
	ref, _ := nodeid.Decode(imp)
	s.each("select b.id, b.import_id, b.verdicts from import_batches b order by b.first_line", func(scan func(...any) error) error {
		var id, of im.ID
		var packed []byte
		if err := scan(&id, &of, &packed); err != nil || of != ref.ID {
			return err
		}
		rows, err := intake.Unpack(id, packed)
		for _, v := range rows {
			of := named[v.Subject.ID]
			if v.Verdict == im.RowRejected {
				of = codes[v.Line]
			}
			out = append(out, fmt.Sprint(v.Line, " ", v.Verdict, " ", of))
		}
		return err
	})
	return out
}

func (s *story) each(query string, row func(scan func(...any) error) error) {
	s.t.Helper()
	rows, err := s.db.Query(query)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
}

// left is all that a list has left, but for ids, moments and what was delivered meanwhile, by the number of rows that are alike.
func (s *story) left() map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for what, query := range map[string]string{
		"relationship": `select c.platform_id || ' ' || r.kind || ' ' || r.state || ' ' || r.version || ' ' || r.source || ' ' || coalesce(r.expires_at, 0)
			from relationships r join external_contacts c on c.id = r.target_id`,
		"decision": "select action || ' ' || outcome || ' ' || rules from decisions where action in ('blacklist', 'bulk')",
		"event":    "select action || ' ' || coalesce(outcome, '') from audit_events where action in ('blacklist', 'bulk', 'import.begin', 'import.run', 'import.end')",
		"change":   "select kind || ' ' || what || ' ' || coalesce(previous_state, '') from changes",
		"intent":   "select c.platform_id || ' ' || i.kind || ' ' || coalesce(i.turn, 0) from intents i join external_contacts c on c.id = i.target_id",
		"import":   "select kind || ' ' || state || ' ' || line || ' ' || accepted || ' ' || rejected || ' ' || unchanged || ' ' || in_review || ' ' || waiting from imports",
		"note":     "select line || '' from import_notes",
		"batch":    "select first_line || '-' || last_line from import_batches",
		"chunk":    "select import_id || '' from import_chunks c where not exists (select 1 from imports i where i.id = c.import_id and i.state = 'PENDING_APPROVAL')",
		"alert":    "select kind from alerts where kind <> 'POLICY_CHANGED'",
	} {
		if !isSQLite(s.dsn) {
			query = strings.ReplaceAll(query, "import_id || ''", "import_id::text")
		}
		s.each(query, func(scan func(...any) error) error {
			var line string
			err := scan(&line)
			out[what+" "+line]++
			return err
		})
	}
	return out
}

// S-05: a GBK file of 5,000 rows is judged row by row and, once two admins have agreed, taken in. The gateway is killed in the middle
// of it; started again it finishes, and the same file once more changes nothing. What was refused is a file that a spreadsheet may open.
func TestListOfFiveThousand(t *testing.T) {
	onEach(t, func(t *testing.T, bin, dsn string) {
		testkit.Seed(t, dsn)
		l := newList()
		file := l.encoded(t, simplifiedchinese.GBK)
		s := listing(t, bin, dsn)
		if out, code := s.run("import", "org", l.contacts(t)); code != 0 || !strings.Contains(out, fmt.Sprint(listAccepted, " accepted")) {
			t.Fatalf("exit %d: %s", code, out)
		}
		var refused []string
		for _, w := range l.want {
			if f := strings.Fields(w); f[1] == string(im.RowRejected) {
				refused = append(refused, f[0]+" "+f[2])
			}
		}

		dry := s.take(file, "--dry-run")
		var told []string
		for _, r := range dry.Rows {
			told = append(told, fmt.Sprint(r.Line, " ", r.Code))
		}
		if diff := cmp.Diff(refused, told); diff != "" || !dry.DryRun || dry.counts() != listCounts {
			t.Errorf("dry run %s: %s", dry.counts(), diff)
		}
		for what := range s.left() {
			switch strings.Fields(what)[0] {
			case "relationship", "intent", "alert":
				t.Errorf("a dry run left %s", what)
			}
		}

		waits := s.take(file, "--key", "s05")
		if waits.State != string(im.JobPending) || waits.Approval == nil {
			t.Fatalf("%+v", waits)
		}
		for _, who := range agreeing {
			s.agree(who, waits.Approval.ID)
		}
		at, hit := s.killedAt(2000, 3*time.Millisecond)
		if !hit || at < 2000 || at > 4000 {
			t.Fatalf("killed at line %d, under way: %t", at, hit)
		}
		t.Logf("killed at line %d of %d", at, listRows+1)
		s.resumed()
		s.done(waits.ID)
		errors := filepath.Join(t.TempDir(), "errors.csv")
		if got := s.take(file, "--key", "s05", "--errors", errors); got.ID != waits.ID || got.counts() != listCounts {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff(l.want, s.verdicts(waits.ID)); diff != "" {
			t.Error(diff)
		}
		s.safe(errors, len(refused))

		before := s.left()
		again := s.take(file)
		for _, who := range agreeing {
			s.agree(who, again.Approval.ID)
		}
		s.done(again.ID)
		if got := s.take(file, "--dry-run"); got.counts() != againCounts {
			t.Errorf("a dry run of the same file again: %s", got.counts())
		}
		s.unchanged(before)
		s.stop()
	})
}

// safe holds the refused rows to what a spreadsheet runs.
func (s *story) safe(file string, rows int) {
	s.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff"))).ReadAll()
	if err != nil || len(all) != rows+1 {
		s.t.Fatalf("%d lines: %v: %s", len(all), err, b)
	}
	for _, row := range all {
		for _, cell := range row {
			if strings.TrimLeft(cell, "=+-@\t\r") != cell {
				s.t.Errorf("%q would be run", cell)
			}
		}
	}
	if !strings.Contains(string(b), "=cmd|") {
		s.t.Errorf("the rows do not show: %s", b)
	}
}

// unchanged holds what there is to what there was, but for what an import is of itself.
func (s *story) unchanged(before map[string]int) {
	s.t.Helper()
	before, after := maps.Clone(before), s.left()
	for _, m := range []map[string]int{before, after} {
		maps.DeleteFunc(m, func(k string, _ int) bool {
			switch strings.Fields(k)[0] {
			case "import", "note", "batch":
				return true
			}
			// A row that policy refuses is refused again, and that is told again.
			return strings.HasPrefix(k, "event import.") || strings.HasPrefix(k, "change approval") || strings.HasPrefix(k, "decision bulk") || strings.Contains(k, " DENY")
		})
	}
	if diff := cmp.Diff(before, after); diff != "" {
		s.t.Errorf("%.5000s", diff)
	}
}

// begun is a database in which lists wait for their last agreement.
type begun struct {
	dsn   string
	lists map[string]*listed // by their encoding
}

var encodings = map[string]encoding.Encoding{"UTF-8": encoding.Nop, "GB18030": simplifiedchinese.GB18030}

// begin makes one, with the list in each encoding.
func begin(t *testing.T, bin, dsn string, l listFile) begun {
	t.Helper()
	b := begun{dsn, map[string]*listed{}}
	s := listing(t, bin, dsn)
	if out, code := s.run("import", "org", l.contacts(t)); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for name, e := range encodings {
		waits := s.take(l.encoded(t, e))
		s.agree(agreeing[0], waits.Approval.ID)
		b.lists[name] = &waits
	}
	s.stop()
	_ = s.db.Close()
	return b
}

// goOn has a gateway take a list in on a copy.
func (b begun) goOn(t *testing.T, bin, encoding string) *story {
	t.Helper()
	s := listing(t, bin, testkit.Copy(t, b.dsn))
	s.agree(agreeing[1], b.lists[encoding].Approval.ID)
	return s
}

// Wherever the gateway is killed while it takes a list in, the end is the one that it would have come to: each row once, with all that
// hangs on it. The same file once more changes nothing then.
func TestListKilledAnywhere(t *testing.T) {
	kills := 1 // of each encoding
	if full() {
		kills = 10
	}
	onEach(t, func(t *testing.T, bin, dsn string) {
		l := newList()
		b := begin(t, bin, dsn, l)
		rng := rand.New(rand.NewPCG(seed(t), 0))
		for name, e := range encodings {
			id, file, hits := b.lists[name].ID, l.encoded(t, e), 0
			undisturbed := b.goOn(t, bin, name)
			undisturbed.done(id)
			want := undisturbed.left()
			if diff := cmp.Diff(l.want, undisturbed.verdicts(id)); diff != "" {
				t.Fatal(diff)
			}
			undisturbed.stop()
			for n := range kills {
				line := 2 + (n*lastKill+rng.IntN(lastKill))/kills
				later := time.Duration(rng.Int64N(int64(batchMax)))
				t.Run(fmt.Sprint(name, " past line ", line), func(t *testing.T) {
					s := b.goOn(t, bin, name)
					at, hit := s.killedAt(line, later)
					s.resumed()
					s.done(id)
					if diff := cmp.Diff(want, s.left()); diff != "" {
						t.Errorf("killed at line %d: %.5000s", at, diff)
					}
					if diff := cmp.Diff(l.want, s.verdicts(id)); diff != "" {
						t.Errorf("killed at line %d: %.5000s", at, diff)
					}
					again := s.take(file)
					for _, who := range agreeing {
						s.agree(who, again.Approval.ID)
					}
					s.done(again.ID)
					s.unchanged(want)
					s.kill()
					if hit {
						hits++
						t.Logf("killed at line %d", at)
					}
				})
			}
			if float64(hits) < amongMin*float64(kills) && !t.Failed() {
				t.Errorf("%s: only %d of %d kills found it under way", name, hits, kills)
			}
			t.Logf("%s: %d of %d kills between its first row and its last", name, hits, kills)
		}
	})
}

const (
	lastKill = listRows * 9 / 10     // later it may have ended by the time that the signal arrives
	batchMax = 25 * time.Millisecond // longer than a batch of the list takes
)
