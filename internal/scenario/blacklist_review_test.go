package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// long is a file of so many rows, of which two name contacts: an ordinary one and one who matters (C-06, C-07).
func long(rows int) string {
	return "platform_id,reason\nwm_lanhai,骚扰\nwm_haikang,骚扰\n" + strings.Repeat("wm_nobody,x\n", rows-2)
}

// listed is a blacklist import as its requester and those who agree to it see it.
type listed struct {
	State                                          string
	Total, Accepted, Rejected, Unchanged, InReview int
	LastError                                      *string
}

func (l listed) String() string {
	return fmt.Sprint(l.State, " ", l.Total, "=", l.Accepted, "+", l.Unchanged, "+", l.Rejected, "+", l.InReview)
}

func (p person) list(id string) listed {
	p.c.t.Helper()
	return read[listed](p.c.t, p.Do(`query($id:ID!){node(id:$id){... on BlacklistImport{state total accepted rejected unchanged inReview lastError}}}`, vars{"id": id}))
}

// asksToList has a long file wait for people.
func (p person) asksToList(content, input string) (id string, a approval) {
	p.c.t.Helper()
	r := p.form(`mutation($in:ImportBlacklistInput!){importBlacklist(input:$in){import{id} approval{`+approvalFields+`} decision{outcome} userErrors{code}}}`, content,
		fmt.Sprintf(`,"workspaceId":%q%s`, p.c.workspace("wecom-hq"), input), "Authorization", "Bearer "+testkit.Token(p.c.t, p.account))
	var o struct {
		Data struct {
			ImportBlacklist *struct {
				Import     *struct{ ID string }
				Approval   *approval
				UserErrors []struct{ Code string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.Body), &o); err != nil || o.Data.ImportBlacklist == nil || o.Data.ImportBlacklist.Approval == nil {
		p.c.t.Fatalf("%v: %d %s", err, r.Status, r.Body)
	}
	return o.Data.ImportBlacklist.Import.ID, *o.Data.ImportBlacklist.Approval
}

// C-08: a file over the threshold waits for two admins, and then runs by itself; whoever asked is none of them. What was agreed to as
// a whole asks nobody again for its rows.
func TestBlacklistReview(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		const waits = "PENDING_APPROVAL 1001=0+0+0+0"
		for _, part := range []struct {
			name string
			play func(t *testing.T, c company, lin, han, chen person)
		}{
			{"a dry run waits for nobody", func(t *testing.T, c company, lin, han, chen person) {
				o := lin.blacklists(long(1001), "wecom-hq", `,"dryRun":true`)
				counts, _ := lin.blacklisted(o.Import.ID)
				expect(t, "decision, counts", o.Decision.Outcome+" "+counts, "REVIEW DONE 1001=2+0+999+0")
			}},
			{"refused", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), "")
				expect(t, "import", lin.list(id).String(), waits)
				expect(t, "own verdict", lin.agree(a.ID, "").codes(), "POLICY_DENIED")
				expect(t, "a stranger's", c.person("wangfang004").agree(a.ID, "").codes(), "NOT_FOUND")
				must(t, "refusal", han.refuse(a.ID, "太多").codes(), "")
				got := lin.list(id)
				expect(t, "import", got.String(), "CANCELLED 1001=0+0+0+0")
				if got.LastError == nil || !strings.Contains(*got.LastError, "not agreed to") {
					t.Errorf("why: %v", got.LastError)
				}
			}},
			{"taken back", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), "")
				must(t, "taking back", lin.cancel(a.ID).codes(), "")
				expect(t, "import", lin.list(id).State, "CANCELLED")
			}},
			{"nobody answers", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), "")
				c.Advance(72 * time.Hour)
				within(t, 5*time.Second, "it runs out", func() bool { return lin.list(id).State == "CANCELLED" })
				expect(t, "approval", lin.approval(a.ID).State, "EXPIRED")
			}},
			{"the file is another one", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), "")
				c.exec("update imports set row_count = 1002 where state = 'PENDING_APPROVAL'")
				must(t, "the first", han.agree(a.ID, "").codes(), "")
				expect(t, "the second", chen.agree(a.ID, "").codes(), "CONFLICT")
				expect(t, "import", lin.list(id).State, "CANCELLED")
			}},
			{"there is no bulk any more when it is agreed to", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), "")
				must(t, "the first", han.agree(a.ID, "").codes(), "")
				c.exec("update workspaces set platform = 'dingtalk' where name = 'wecom-hq'")
				o := chen.agree(a.ID, "")
				c.exec("update workspaces set platform = 'wecom' where name = 'wecom-hq'")
				expect(t, "the second", o.codes(), "UNSUPPORTED_BY_PLATFORM")
				expect(t, "approval", lin.approval(a.ID).State, "CANCELLED")
				got := lin.list(id)
				expect(t, "import", got.String(), "CANCELLED 1001=0+0+0+0")
				if got.LastError == nil || !strings.Contains(*got.LastError, "platform") {
					t.Errorf("why: %v", got.LastError)
				}
			}},
			{"who asked has left when it is agreed to", func(t *testing.T, c company, lin, han, chen person) {
				zhao := c.person("zhaomin003")
				id, a := zhao.asksToList(long(1001), "")
				must(t, "the first", han.agree(a.ID, "").codes(), "")
				c.exec("update members set employment = 'DEPARTED' where employee_no = '003'")
				must(t, "the second", chen.agree(a.ID, "").codes(), "")
				got, final := chen.list(id), chen.approval(a.ID)
				c.exec("update members set employment = 'ACTIVE' where employee_no = '003'")
				expect(t, "import", got.State, "CANCELLED")
				if final.FinalDecision == nil || final.FinalDecision.Outcome != "DENY" || got.LastError == nil {
					t.Errorf("%+v, %v", final, got.LastError)
				}
			}},
			{"who asked has left while it runs", func(t *testing.T, c company, lin, han, chen person) {
				id, _ := c.person("zhaomin003").asksToList(long(1001), "")
				c.exec("update members set employment = 'DEPARTED' where employee_no = '003'")
				c.exec("update imports set state = 'RUNNING' where state = 'PENDING_APPROVAL'")
				var got listed
				within(t, 10*time.Second, "it ends", func() bool {
					got = lin.list(id)
					return got.State != "RUNNING"
				})
				c.exec("update members set employment = 'ACTIVE' where employee_no = '003'")
				expect(t, "import", got.String(), "FAILED 1001=0+0+0+0")
				if got.LastError == nil || !strings.Contains(*got.LastError, "has left") {
					t.Errorf("why: %v", got.LastError)
				}
			}},
			{"agreed", func(t *testing.T, c company, lin, han, chen person) {
				id, a := lin.asksToList(long(1001), `,"idempotencyKey":"long"`)
				var needs []string
				for _, n := range a.Needs {
					needs = append(needs, fmt.Sprint(n.Count, "*", n.Role, n.Candidates))
				}
				expect(t, "needs", strings.Join(needs, " "), "2*admin[{chenguang001} {hanlei017}]")
				seen := read[struct {
					Summary string
					Subject struct {
						Total     int
						Workspace struct{ Name string }
					}
				}](t, han.Do(`query($id:ID!){node(id:$id){... on Approval{summary subject{... on BlacklistImport{total workspace{name}}}}}}`, vars{"id": a.ID}))
				if seen.Subject.Total != 1001 || seen.Summary != "林悦 asks to blacklist the contacts that a file names, on wecom-hq." {
					t.Errorf("%+v", seen)
				}
				must(t, "the first", han.agree(a.ID, "").codes(), "")
				expect(t, "import", lin.list(id).String(), waits)
				expect(t, "twice", han.agree(a.ID, "").codes(), "CONFLICT")
				must(t, "the second", chen.agree(a.ID, "").codes(), "")
				counts, rows := lin.blacklisted(id)
				expect(t, "counts", counts, "DONE 1001=2+0+999+0")
				expect(t, "first rows", fmt.Sprint(rows[:3]), "[2 ACCEPTED Relationship 3 ACCEPTED Relationship 4 REJECTED NOT_FOUND platform_id]")
				again, same := lin.asksToList(long(1001), `,"idempotencyKey":"long"`)
				expect(t, "the same key", again+same.ID, id+a.ID)
				var trail []string
				for _, e := range c.person("guping012").trail("import.begin", "import.run", "import.end") {
					if e.Subject != nil && e.Subject.ID == id {
						trail = append(trail, e.Action+" "+e.Outcome)
					}
				}
				expect(t, "trail", strings.Join(trail, ", "), "import.end , import.run REVIEW, import.begin REVIEW")
			}},
		} {
			c.part(part.name, func(t *testing.T, c company) {
				part.play(t, c, c.person("linyue002"), c.person("hanlei017"), c.person("chenguang001"))
			})
		}
	})
}
