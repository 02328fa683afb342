package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// blacklists has a person's gateway take a blacklist in.
func (p person) blacklists(content, workspace, input string) (o outcomeOfImport) {
	p.c.t.Helper()
	r := p.form(`mutation($in:ImportBlacklistInput!){importBlacklist(input:$in){import{id state dryRun} decision{id outcome} userErrors{code path}}}`, content,
		fmt.Sprintf(`,"workspaceId":%q%s`, p.c.workspace(workspace), input), "Authorization", "Bearer "+testkit.Token(p.c.t, p.account))
	var a struct {
		Data struct{ ImportBlacklist *outcomeOfImport }
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || a.Data.ImportBlacklist == nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	return *a.Data.ImportBlacklist
}

// blacklisted waits for a blacklist to be taken in, and answers its rows.
func (p person) blacklisted(id string) (counts string, rows []string) {
	p.c.t.Helper()
	within(p.c.t, 20*time.Second, "the import ends", func() bool { // its counts are not compared while they grow
		return p.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{state}}}`, vars{"id": id}).Text("node.state") != "RUNNING"
	})
	a := p.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{state workspace{name} total accepted rejected unchanged inReview
		rows(first:100){nodes{id line verdict code message path subject{__typename id}}}}}}`, vars{"id": id})
	i := read[struct {
		servedImport
		InReview int
	}](p.c.t, a)
	for _, r := range i.Rows.Nodes {
		s := fmt.Sprint(r.Line, " ", r.Verdict)
		if r.Code != nil {
			s += " " + *r.Code + " " + strings.Join(r.Path, ".")
		}
		if r.Subject != nil {
			s += " " + r.Subject.Typename
		}
		rows = append(rows, s)
	}
	return fmt.Sprint(i.counts(), "+", i.InReview), rows
}

// importsBlacklist tries to have a blacklist taken in.
func (p person) importsBlacklist() (o outcome) {
	p.c.t.Helper()
	r := p.form(`mutation($in:ImportBlacklistInput!){importBlacklist(input:$in){`+commandFields+`}}`, unwanted,
		fmt.Sprintf(`,"workspaceId":%q`, p.c.workspace("wecom-hq")), "Authorization", "Bearer "+testkit.Token(p.c.t, p.account))
	var a struct {
		Data struct{ ImportBlacklist *outcome }
	}
	if err := json.Unmarshal([]byte(r.Body), &a); err != nil || a.Data.ImportBlacklist == nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	return *a.Data.ImportBlacklist
}

const unwanted = "platform_id,reason,expires_at\n" +
	"wm_lanhai,骚扰客户,\n" +
	"wm_spam,=cmd|' /C calc'!A0,\n" +
	"wm_nobody,骚扰,\n" +
	"wm_lanhai,又一次,\n" +
	"wm_qinghe,骚扰,yesterday\n" +
	"wm_haikang,骚扰,\n" +
	"wm_qinghe\n"

// A file that names somebody of the company is refused there: by the guardrail where it is one's superior, else as no contact. Nobody
// learns by it of somebody whom he does not see.
func TestBlacklistFileNamesColleagues(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		counts, rows := lin.blacklisted(lin.blacklists("platform_id,reason\nchenguang001,x\nhanlei017,x\nwangfang004,x\n", "wecom-hq", "").Import.ID)
		expect(t, "rows", counts+" "+strings.Join(rows, ", "), "DONE 3=0+0+3+0 2 REJECTED POLICY_DENIED , 3 REJECTED POLICY_DENIED , 4 REJECTED INVALID_INPUT platform_id")
		decided := lin.Do(`{auditEvents(filter:{actions:["blacklist"]}){nodes{decision{outcome rules{name}}}}}`, nil)
		if strings.Count(decided.Body, `"rules":[{"name":"C-01"}]`) != 2 {
			t.Error(decided.Body)
		}
	})
}

// Contacts are blacklisted from a file: each row is decided as one that a person asks for, and the file again changes nothing.
func TestBlacklistFile(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		for _, x := range []struct{ account, on, content, want string }{
			{"wangfang004", "wecom-hq", unwanted, "POLICY_DENIED"},
			{"linyue002", "dingtalk-hq", unwanted, "UNSUPPORTED_BY_PLATFORM"},
			{"linyue002", "wecom-hq", "platform_id,raison\nwm_lanhai,x\n", "INVALID_INPUT"},
			{"linyue002", "wecom-hq", "platform_id\nwm_lanhai\n", "INVALID_INPUT"},
			{"linyue002", "wecom-hq", `{"platform_id":"wm_lanhai","reason":"x"}`, "INVALID_INPUT"},
			{"linyue002", "wecom-hq", "platform_id,reason\n" + strings.Repeat("wm_lanhai,x\n", 10001), "POLICY_DENIED"},
		} {
			if o := c.person(x.account).blacklists(x.content, x.on, ""); o.codes() != x.want || o.Import != nil {
				t.Errorf("%s on %s: %+v, want %s", x.account, x.on, o, x.want)
			}
		}
		gbk, err := simplifiedchinese.GB18030.NewEncoder().String(unwanted)
		if err != nil {
			t.Fatal(err)
		}
		rejected := []string{"3 REJECTED POLICY_DENIED ", "4 REJECTED NOT_FOUND platform_id"}
		tail := []string{"6 REJECTED INVALID_INPUT expires_at", "7 IN_REVIEW", "8 REJECTED INVALID_INPUT "}
		want := append(append([]string{"2 ACCEPTED"}, rejected...), append([]string{"5 UNCHANGED"}, tail...)...)
		counts, rows := lin.blacklisted(lin.blacklists(gbk, "wecom-hq", `,"dryRun":true`).Import.ID)
		if diff := cmp.Diff(want, rows); diff != "" || counts != "DONE 7=1+1+4+1" {
			t.Errorf("dry %s: %s", counts, diff)
		}
		if a := lin.Do(`{relationships(first:10,filter:{kinds:[BLACKLIST]}){totalCount}}`, nil); !strings.Contains(a.Body, `"totalCount":0`) {
			t.Errorf("after a dry run: %s", a.Body)
		}
		want[0], want[3], want[5] = "2 ACCEPTED Relationship", "5 UNCHANGED Relationship", "7 IN_REVIEW Relationship"
		o := lin.blacklists(gbk, "wecom-hq", `,"idempotencyKey":"b1"`)
		counts, rows = lin.blacklisted(o.Import.ID)
		if diff := cmp.Diff(want, rows); diff != "" || counts != "DONE 7=1+1+4+1" {
			t.Errorf("%s: %s", counts, diff)
		}
		// Each row that was decided left its decision and its line in the trail.
		a := lin.Do(`{relationships(first:10,filter:{kinds:[BLACKLIST]}){totalCount nodes{source state}}}`, nil)
		if !strings.Contains(a.Body, `"totalCount":2`) || strings.Count(a.Body, `"IMPORT"`) != 2 {
			t.Error(a.Body)
		}
		a = c.person("guping012").Do(`{auditEvents(first:100){nodes{action subject{__typename} decision{outcome}}}}`, nil)
		if n := strings.Count(a.Body, `"blacklist"`); n != 3 {
			t.Errorf("%d lines in the trail: %s", n, a.Body)
		}
		if again := lin.blacklists(gbk, "wecom-hq", `,"idempotencyKey":"b1"`); again.Import == nil || again.Import.ID != o.Import.ID {
			t.Errorf("the same key: %+v", again)
		}
		want[0], want[5] = "2 UNCHANGED Relationship", "7 UNCHANGED Relationship"
		counts, rows = lin.blacklisted(lin.blacklists(unwanted, "wecom-hq", "").Import.ID)
		if diff := cmp.Diff(want, rows); diff != "" || counts != "DONE 7=0+3+4"+"+0" {
			t.Errorf("again %s: %s", counts, diff)
		}
		var errorsCSV string
		within(t, time.Second, "the refused rows", func() bool {
			r := c.Send(http.MethodGet, "/imports/"+o.Import.ID+"/errors.csv", "", "Authorization", "Bearer "+testkit.Token(t, "linyue002"))
			errorsCSV = r.Body
			return r.Status == http.StatusOK
		})
		if !strings.Contains(errorsCSV, "wm_nobody") || strings.Contains(errorsCSV, "\n=") {
			t.Error(errorsCSV)
		}
		// Whom policy refused is told by which rule, as one who had asked for it alone.
		alone := lin.block("wm_spam", as("BLACKLIST")).UserErrors[0].Message
		row := lin.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{rows(first:9,onlyRejected:true){nodes{message}}}}}`, vars{"id": o.Import.ID})
		if expect(t, "why of a row", row.Text("node.rows.nodes.0.message"), alone); !strings.Contains(errorsCSV, alone) {
			t.Errorf("%q is not in %s", alone, errorsCSV)
		}
	})
}

// A contact may be named by name and company in the place of an id: where there is one whom the requester sees.
func TestBlacklistFileByName(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		lin.ended(lin.upload(`{"type":"contact","workspace":"wecom-hq","platformId":"wm_n1","name":"推广","company":"甲","verified":true}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_n2","name":"推广","company":"乙","verified":true}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_n3","name":"推广","company":"乙","verified":true}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_n4","name":"推广","company":"丙","verified":true,"owner":"004"}
{"type":"contact","workspace":"wecom-hq","platformId":"wm_n5","name":"推广","company":"丙","verified":true,"owner":"009"}
`, "").Import.ID)
		const file = "name,company,platform_id,reason\n推广,甲,,x\n推广,乙,,x\n推广,丁,,x\n推广,,,x\n推广,乙,wm_n2,x\n推广,甲,,又\n推广,丙,,x\n"
		counts, rows := lin.blacklisted(lin.blacklists(file, "wecom-hq", "").Import.ID)
		expect(t, "rows", counts+" "+strings.Join(rows, ", "), "DONE 7=2+1+4+0 2 ACCEPTED Relationship, 3 REJECTED INVALID_INPUT name, 4 REJECTED NOT_FOUND name, "+
			"5 REJECTED INVALID_INPUT platform_id, 6 ACCEPTED Relationship, 7 UNCHANGED Relationship, 8 REJECTED INVALID_INPUT name")
		// Who does not see the other of two knows of one.
		counts, rows = c.person("zhaomin003").blacklisted(c.person("zhaomin003").blacklists("name,company,reason\n推广,丙,x\n", "wecom-hq", `,"dryRun":true`).Import.ID)
		if len(rows) != 1 || !strings.HasPrefix(counts, "DONE 1=") || strings.Contains(rows[0], "REJECTED") {
			t.Error(counts, rows)
		}
		if o := lin.blacklists("name,reason\n推广,x\n", "wecom-hq", ""); o.codes() != "INVALID_INPUT" {
			t.Errorf("without a company: %+v", o)
		}
	})
}
