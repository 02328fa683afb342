package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// upload has a person's gateway take a file in.
func (p person) upload(content string, input string) outcomeOfImport {
	p.c.t.Helper()
	const query = `mutation($in:ImportDirectoryInput!){importDirectory(input:$in){import{id state dryRun} decision{id outcome} userErrors{code path}}}`
	r := p.form(query, content, input, "Authorization", "Bearer "+testkit.Token(p.c.t, p.account))
	var a struct {
		Data struct{ ImportDirectory outcomeOfImport }
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	if a.Data.ImportDirectory.Decision == nil && len(a.Data.ImportDirectory.UserErrors) == 0 {
		p.c.t.Fatalf("%d %s", r.Status, r.Body)
	}
	return a.Data.ImportDirectory
}

// form sends a file beside a document.
func (p person) form(query, content, input string, headers ...string) testkit.Reply {
	p.c.t.Helper()
	body := "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" + fmt.Sprintf(`{"query":%q,"variables":{"in":{"file":null%s}}}`, query, input) +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n" + `{"0":["variables.in.file"]}` +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"0\"; filename=\"a\"\r\n\r\n" + content + "\r\n--x--\r\n"
	return p.c.Send(http.MethodPost, "/graphql", body, append(headers, "GraphQL-Require-Preflight", "1", "Content-Type", "multipart/form-data; boundary=x")...)
}

// imports tries to have a file taken in.
func (p person) imports() (o outcome) {
	p.c.t.Helper()
	r := p.form(`mutation($in:ImportDirectoryInput!){importDirectory(input:$in){`+commandFields+`}}`, news, "", "Authorization", "Bearer "+testkit.Token(p.c.t, p.account))
	var a struct {
		Data struct{ ImportDirectory *outcome }
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || a.Data.ImportDirectory == nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	return *a.Data.ImportDirectory
}

// imported has a file taken in, and answers the ids of the import and of its first row.
func (p person) imported() (id, row string) {
	p.c.t.Helper()
	id = p.upload(news, "").Import.ID
	return id, p.ended(id).Rows.Nodes[0].ID
}

type outcomeOfImport struct {
	Import     *struct{ ID, State string }
	Decision   *struct{ ID, Outcome string }
	UserErrors []struct {
		Code string
		Path []string
	}
}

func (o outcomeOfImport) codes() (s string) {
	for _, e := range o.UserErrors {
		s += e.Code + " "
	}
	return strings.TrimSpace(s)
}

// ended waits for an import to end, and answers it.
func (p person) ended(id string) servedImport {
	p.c.t.Helper()
	// Its state alone is asked for meanwhile: two executors, which read one after the other, would count differently.
	within(p.c.t, 10*time.Second, "the import ends", func() bool {
		return p.Do(`query($id:ID!){node(id:$id){... on DirectoryImport{state}}}`, vars{"id": id}).Text("node.state") != "RUNNING"
	})
	return read[servedImport](p.c.t, p.Do(`query($id:ID!){node(id:$id){... on DirectoryImport{state total accepted rejected unchanged lastError errorsPath requestedBy{accountName}
		rows(first:100){totalCount nodes{id line verdict code message path subject{__typename id}}}}}}`, vars{"id": id}))
}

type servedImport struct {
	State                                string
	Total, Accepted, Rejected, Unchanged int
	LastError, ErrorsPath                *string
	RequestedBy                          *struct{ AccountName string }
	Rows                                 struct {
		TotalCount int
		Nodes      []struct {
			ID, Verdict   string
			Line          int
			Code, Message *string
			Path          []string
			Subject       *struct {
				Typename string `json:"__typename"`
				ID       string
			}
		}
	}
}

func (i servedImport) counts() string {
	return fmt.Sprintf("%s %d=%d+%d+%d", i.State, i.Total, i.Accepted, i.Unchanged, i.Rejected)
}

const news = `{"type":"member","employeeNo":"201","name":"新人","department":"总部/研发部","manager":"007","phone":"13900000000"}
{"type":"member","employeeNo":"004","position":"高级销售"}
{"type":"member","employeeNo":"005","position":"销售"}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_new","name":"=HYPERLINK(\"x\")","owner":"004"}
{"type":"contact","workspace":"wecom-hq","platformId":"=wm","name":"+1","owner":"nobody"}
{"type":"member","employeeNo":"202","name":"审计","department":"总部","roles":["auditor"]}
{"type":"member","employeeNo":"002","roles":["admin","hr"]}
`

// An admin has a file taken in by the running gateway; who may, sees what came of each row, and nobody else anything.
func TestImportThroughTheGateway(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c := open(t, dsn)
		lin, gu, wang, chen := c.person("linyue002"), c.person("guping012"), c.person("wangfang004"), c.person("chenguang001")
		for _, p := range []person{gu, wang, c.person("fengtao010")} {
			if o := p.upload(news, ""); o.codes() != "POLICY_DENIED" || o.Import != nil {
				t.Errorf("%s: %+v", p.account, o)
			}
		}
		dry := lin.ended(lin.upload(news, `,"dryRun":true`).Import.ID)
		followed := lin.Subscribe(`subscription{directoryChanged{kind nodeId node{__typename}}}`, nil)
		o := lin.upload(news, `,"idempotencyKey":"k1"`)
		i := lin.ended(o.Import.ID)
		if want := "DONE 7=3+1+3"; i.counts() != want || dry.counts() != want {
			t.Fatalf("%s, dry %s, want %s: %+v", i.counts(), dry.counts(), want, i.Rows)
		}
		var got []string
		for _, r := range i.Rows.Nodes {
			s := fmt.Sprint(r.Line, " ", r.Verdict)
			if r.Code != nil {
				s += " " + *r.Code + " " + strings.Join(r.Path, ".")
			}
			if r.Subject != nil {
				s += " " + r.Subject.Typename
			}
			got = append(got, s)
		}
		want := []string{"1 ACCEPTED Member", "2 ACCEPTED Member", "3 UNCHANGED Member", "4 ACCEPTED ExternalContact", "5 REJECTED NOT_FOUND owner",
			"6 REJECTED POLICY_DENIED roles", "7 REJECTED POLICY_DENIED roles"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if i.RequestedBy == nil || i.RequestedBy.AccountName != "linyue002" || i.Rows.TotalCount != 7 {
			t.Errorf("%+v", i)
		}
		if again := lin.upload(news, `,"idempotencyKey":"k1"`); again.Import == nil || again.Import.ID != o.Import.ID || again.Import.State != "DONE" {
			t.Errorf("the same key: %+v", again)
		}
		if other := lin.upload(news+"\n", `,"idempotencyKey":"k1"`); other.codes() != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("the same key for another file: %+v", other)
		}
		if a := lin.Do(`{member(employeeNo:"201"){accountName manager{accountName} department{name}}}`, nil); a.Text("member.accountName") != "xinren201" ||
			a.Text("member.manager.accountName") != "zhoujie007" {
			t.Error(a.Body)
		}
		heard := map[string]string{}
		for range 3 {
			e := followed.Next(t)
			heard[e.Text("directoryChanged.nodeId")] = e.Text("directoryChanged.kind") + " " + e.Text("directoryChanged.node.__typename")
		}
		for n, want := range map[int]string{0: "CREATED Member", 1: "UPDATED Member", 3: "CREATED ExternalContact"} {
			if got := heard[i.Rows.Nodes[n].Subject.ID]; got != want {
				t.Errorf("row %d: heard %q, want %q", n+1, got, want)
			}
		}

		// Who sees it.
		for _, x := range []struct {
			person
			sees bool
		}{{lin, true}, {gu, true}, {chen, true}, {wang, false}, {c.person("fengtao010"), false}} {
			p, sees := x.person, x.sees
			a := p.Do(`query($a:ID!,$b:ID!){a:node(id:$a){id} b:node(id:$b){id}}`, vars{"a": o.Import.ID, "b": i.Rows.Nodes[0].ID})
			if (a.Text("a.id") != "") != sees || (a.Text("b.id") != "") != sees {
				t.Errorf("%s: %s", p.account, a.Body)
			}
			r := c.Send(http.MethodGet, *i.ErrorsPath, "", "Authorization", "Bearer "+testkit.Token(t, p.account))
			if (r.Status == http.StatusOK) != sees || (r.Status == http.StatusNotFound) == sees {
				t.Errorf("%s: %d %s", p.account, r.Status, r.Body)
			}
		}
		if r := c.Send(http.MethodGet, *i.ErrorsPath, ""); r.Status != http.StatusUnauthorized {
			t.Errorf("nobody: %d", r.Status)
		}
		r := c.Send(http.MethodGet, *i.ErrorsPath, "", "Authorization", "Bearer "+testkit.Token(t, "linyue002"), "Accept-Language", "zh-CN")
		if !strings.Contains(r.Body, "5,NOT_FOUND,owner,系统和文件中都没有工号为“nobody”的成员。") || strings.Count(r.Body, "\n") != 4 {
			t.Error(r.Body)
		}
		// Forwards and backwards, all rows and the refused ones alone.
		page := func(args string) (lines string) {
			for _, n := range lin.Do(`query($id:ID!){node(id:$id){... on DirectoryImport{rows(`+args+`){nodes{line}}}}}`, vars{"id": o.Import.ID}).Get("node.rows.nodes").([]any) {
				lines += fmt.Sprint(n.(map[string]any)["line"], " ")
			}
			return lines
		}
		cursor := lin.Do(`query($id:ID!){node(id:$id){... on DirectoryImport{rows(first:4){pageInfo{endCursor hasNextPage}}}}}`, vars{"id": o.Import.ID}).Text("node.rows.pageInfo.endCursor")
		for args, want := range map[string]string{"first:2": "1 2 ", "last:2": "6 7 ", `first:2,after:"` + cursor + `"`: "5 6 ", `last:2,before:"` + cursor + `"`: "2 3 ",
			"first:2,onlyRejected:true": "5 6 ", "last:2,onlyRejected:true": "6 7 ", `last:3,before:"` + cursor + `",onlyRejected:true`: ""} {
			if got := page(args); got != want {
				t.Errorf("%s: %q, want %q", args, got, want)
			}
		}
		// The decision is kept, and the trail has one event of the wish and one of its end.
		if a := gu.Do(`query($id:ID!){node(id:$id){... on Decision{action outcome}}}`, vars{"id": o.Decision.ID}); a.Text("node.action") != "import_directory" {
			t.Error(a.Body)
		}
		for action, want := range map[string]float64{"import.begin": 5, "import.end": 2} { // three were denied
			if n := gu.Do(`query($a:[String!]){auditEvents(filter:{actions:$a}){totalCount}}`, vars{"a": []string{action}}).Get("auditEvents.totalCount"); n != want {
				t.Errorf("%s: %v", action, n)
			}
		}
		var left int
		if err := testkit.Database(t, dsn).QueryRow(`select (select count(*) from import_chunks) + (select count(*) from import_scratch)`).Scan(&left); err != nil || left != 0 {
			t.Errorf("left behind: %d %v", left, err)
		}
	})
}

// The command line sends a file to the gateway, and says what it would have said of its own doing.
func TestImportByTheCommandLine(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		s := testkit.Demo(t, dsn)
		file := write(t, news)
		errors := file + ".csv"
		out, stderr, code := testkit.Run("import", "org", file, "--server", s.URL, "--as", "linyue002", "--errors", errors)
		want := file + `:5: owner: No employee has the number “nobody”, neither here nor in the file. (NOT_FOUND)
` + file + `:6: roles: Only a super_admin gives or takes the role auditor. (POLICY_DENIED)
` + file + `:7: roles: Nobody gives himself the role hr. (POLICY_DENIED)
3 accepted, 1 unchanged, 3 rejected
`
		if diff := cmp.Diff(want, out); diff != "" || code != 1 {
			t.Errorf("exit %d: %s\n%s", code, stderr, diff)
		}
		if b, err := os.ReadFile(errors); err != nil || strings.Count(string(b), "\n") != 4 {
			t.Errorf("%v %s", err, b)
		}
		if _, stderr, code := testkit.Run("import", "org", file, "--server", s.URL, "--as", "wangfang004"); code != 1 || !strings.Contains(stderr, "POLICY_DENIED") {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if _, stderr, code := testkit.Run("import", "org", file, "--db", dsn, "--encryption-keyset-file", write(t, "x")); code != 2 {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
}

// Nobody writes into a database under a running server's hands.
func TestImportLeavesServersAlone(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		testkit.Serve(t, real(t, dsn, "--encryption-keyset-file", s.keyset)...)
		_, stderr, code := s.take(write(t, org))
		if code != 2 || !strings.Contains(stderr, "holds") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
}

// A server in earnest starts from nothing: a key, a schema, a file, and a token of the company's own.
func TestImportBeginsAServer(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := newStore(t, dsn)
		if got, stderr, code := s.take(write(t, org)); code != 0 {
			t.Fatal(got, stderr)
		}
		served := testkit.Serve(t, real(t, dsn, "--encryption-keyset-file", s.keyset)...)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": ownIssuer, "aud": "guanxi", "sub": "chenguang001",
			"exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(ownSecret))
		if err != nil {
			t.Fatal(err)
		}
		a := served.With(token).Do(`{viewer{member{name} roles} workspaces{name} members{totalCount} externalContacts{nodes{name importance}}}`, nil)
		if a.Text("viewer.member.name") != "陈光" || a.Text("workspaces.1.name") != "wecom-hq" || fmt.Sprint(a.Get("members.totalCount")) != "4" ||
			a.Text("externalContacts.nodes.0.name") != "=cmd|海康采购" {
			t.Error(a.Body)
		}
	})
}

// Nobody changes what policy judges him by, by a file of his own: an admin who has no superior any more would keep him away.
func TestImportOfOnesOwnPlace(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		for _, own := range []string{`"manager":""`, `"rank":99`, `"jobFunction":"SALES"`} {
			field, _, _ := strings.Cut(strings.Trim(own, `"`), `"`)
			i := lin.ended(lin.upload(`{"type":"member","employeeNo":"002",`+own+"}\n", "").Import.ID)
			expect(t, own+" is refused", fmt.Sprint(i.Rejected, " ", *i.Rows.Nodes[0].Code, " ", i.Rows.Nodes[0].Path), "1 POLICY_DENIED ["+field+"]")
		}
		i := lin.ended(lin.upload(`{"type":"member","employeeNo":"002","phone":"13900000000"}`+"\n"+`{"type":"member","employeeNo":"004","rank":2}`+"\n", "").Import.ID)
		expect(t, "what is not, and another's", i.Accepted, 2)
	})
}

// What lets a super_admin act is not taken from him by a file: were he the last, another admin would have to agree (C-14).
func TestImportLeavesSuperAdmins(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		i := c.person("linyue002").upload(`{"type":"account","workspace":"native","platformId":"chenguang001","member":"017"}`+"\n"+
			`{"type":"member","employeeNo":"001","accountName":"chenguang001-2"}`+"\n"+`{"type":"account","workspace":"native","platformId":"chenguang001","member":"001"}`+"\n", "").Import.ID
		var got []string
		for _, n := range c.person("linyue002").ended(i).Rows.Nodes {
			code := ""
			if n.Code != nil {
				code = *n.Code
			}
			got = append(got, strings.TrimSpace(n.Verdict+" "+code))
		}
		expect(t, "rows", strings.Join(got, ", "), "REJECTED POLICY_DENIED, REJECTED POLICY_DENIED, UNCHANGED")
		expect(t, "he signs in", c.person("chenguang001").Do(`{viewer{roles}}`, nil).Code(0), "")
	})
}
