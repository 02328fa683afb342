package scenario

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// table reads the rows of a table of testdata/rules.md, each by its columns.
func table(t *testing.T, section string) (rows []map[string]string) {
	t.Helper()
	page, err := os.ReadFile("testdata/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(page), "\n## "+section+"\n")
	if !found {
		t.Fatalf("testdata/rules.md has no section %q", section)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	var columns []string
	for line := range strings.Lines(part) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|--") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		row := map[string]string{}
		for i, c := range cells {
			row[columns[i]] = c
		}
		rows = append(rows, row)
	}
	return rows
}

var channels = []string{"DIRECT_MESSAGE", "MESSAGE_HISTORY", "GROUP_MESSAGE", "GROUP_MENTION", "GROUP_ANNOUNCEMENT", "DOCUMENT_LIBRARY", "APPROVAL_FLOW"}

// department is one by its name.
func (c company) department(name string) string {
	c.t.Helper()
	return c.id("department "+name, func(admin person) string {
		for _, d := range read[struct{ Nodes []struct{ ID, Name string } }](c.t, admin.Do(`{departments(first:50){nodes{id name}}}`, nil)).Nodes {
			if d.Name == name {
				return d.ID
			}
		}
		return ""
	})
}

// anything is a member by account, a contact by the platform's id, or a group or department by its name.
func (c company) anything(name string) string {
	c.t.Helper()
	switch {
	case contacts[name] != "":
		return c.contact(name)
	case strings.HasSuffix(name, "群"):
		return c.group(name)
	case !strings.ContainsAny(name, "0123456789"):
		return c.department(name)
	}
	return c.member(name)
}

// asked is the wish of a row.
func (c company) asked(row map[string]string) (in vars, across bool) {
	c.t.Helper()
	in = vars{"targetId": c.anything(row["whom"]), "kind": row["kind"], "reason": "规则", "workspaceIds": []string{c.workspace(row["on"])}}
	for _, w := range strings.Split(row["with"], ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(w), "=")
		switch name {
		case "group":
			in["groupId"] = c.group(value)
		case "initiator":
			in["initiatorId"] = c.member(value)
		case "delegate":
			in["approvalDelegateId"] = c.member(value)
		case "scope", "source":
			in[name] = value
		case "declared":
			in["declaredOnly"] = true
		case "across departments":
			across = true
		}
	}
	return in, across
}

// ways are what an auditor is told of every channel between two: first from the one, then from the other.
func (c company) ways(one, other, workspace, group string) (out map[string]string) {
	c.t.Helper()
	var in []vars
	for _, channel := range channels {
		for _, pair := range [][2]string{{one, other}, {other, one}} {
			x := vars{"fromId": pair[0], "toId": pair[1], "channel": channel, "workspaceId": c.workspace(workspace)}
			if group != "" {
				x["groupId"] = group
			}
			in = append(in, x)
		}
	}
	checks := read[[]contactCheck](c.t, c.person("guping012").Do(`query($in:[ContactCheckInput!]!){contactChecks(inputs:$in){allowed enforcement because{id state}}}`, vars{"in": in}))
	say := map[bool]string{true: "open", false: "stopped"}
	out = map[string]string{}
	for i, channel := range channels {
		out[channel] = say[checks[2*i].Allowed] + ", " + say[checks[2*i+1].Allowed]
		for _, check := range checks[2*i : 2*i+2] {
			if check.Allowed != (len(check.Because) == 0) {
				c.t.Errorf("%s: %v because of %v", channel, check.Allowed, check.Because)
			}
		}
	}
	return out
}

// TestRules plays each row of testdata/rules.md.
func TestRules(t *testing.T) {
	effects := map[string]map[string]string{}
	for _, row := range table(t, "Effects") {
		effects[row["kind"]] = row
	}
	onEach(t, func(t *testing.T, c company) {
		for i, row := range table(t, "Who may") {
			c.part(fmt.Sprint(i+1, " ", row["who"], " ", row["kind"], " ", row["whom"], " on ", row["on"]), func(t *testing.T, c company) {
				c.Advance(11 * time.Minute) // so that no burst is counted
				who := c.person(row["who"])
				in, across := c.asked(row)
				o := who.command(blockDocument, vars{"in": in})
				answer, by := said(o)
				must(t, "answer", answer, row["answer"])
				expect(t, "by", by, row["by"])
				initiator, group := c.member(row["who"]), ""
				if id, ok := in["initiatorId"].(string); ok {
					initiator = id
				}
				if id, ok := in["groupId"].(string); ok {
					group = id
				}
				if len(o.Results) == 1 {
					expect(t, "enforcement", o.Results[0].Enforcement, row["enforcement"])
				}
				if strings.Contains(row["answer"], "_") && !strings.HasPrefix(row["answer"], "REVIEW") {
					return
				}
				r := *o.Results[0].Relationship
				want := map[string]string{"kind": row["kind"]}
				for _, channel := range channels {
					want[channel] = "open, open"
				}
				if r.State == "ACTIVE" {
					for _, name := range []string{row["kind"] + " on " + row["on"] + " across departments", row["kind"] + " on " + row["on"], row["kind"]} {
						if x := effects[name]; x != nil && (across || !strings.HasSuffix(name, "departments")) {
							want = x
							break
						}
					}
				}
				compare(t, c.ways(c.anything(row["whom"]), initiator, row["on"], group), want)
				if r.State == "ACTIVE" {
					compare(t, shown(o.Results[0], row["whom"]), want)
				}
				again := who.command(blockDocument, vars{"in": in})
				expect(t, "the same once more", again.codes(), "CONFLICT")
				if !strings.Contains(again.UserErrors[0].Message, r.ID) {
					t.Errorf("the conflict names %s not: %s", r.ID, again.UserErrors[0].Message)
				}
				end := who
				if row["kind"] == "ISOLATION" && row["on"] != "dingtalk-hq" {
					end = c.person("hanlei017")
				}
				o = end.lift(r.ID, "完了")
				must(t, "lift", o.codes(), "")
				expect(t, "state", o.Relationship.State, map[string]string{"ACTIVE": "LIFTED", "PENDING_APPROVAL": "CANCELLED"}[r.State])
				for channel, ways := range c.ways(c.anything(row["whom"]), initiator, row["on"], group) {
					expect(t, channel+" after its end", ways, "open, open")
				}
			})
		}
	})
}

// said is what a wish on one workspace was answered with: the outcome with whom it asks, or the code with the field; and by
// which rules.
func said(o outcome) (answer, by string) {
	if len(o.UserErrors) > 0 {
		e := o.UserErrors[0]
		answer = strings.TrimSpace(e.Code + " " + strings.Join(e.Path, "."))
	} else {
		var roles []string
		for _, n := range o.Results[0].Decision.Needs {
			roles = append(roles, n.Role)
		}
		slices.Sort(roles)
		answer = strings.TrimSpace(o.Results[0].Decision.Outcome + " " + strings.Join(roles, ", "))
	}
	if len(o.Results) == 1 {
		by = o.Results[0].Decision.rules()
	}
	return answer, by
}

// shown is what a result says that it does.
func shown(r result, target string) map[string]string {
	out := map[string]string{}
	for _, channel := range channels {
		out[channel] = "open, open"
	}
	for _, e := range r.Effects {
		from, to, _ := strings.Cut(out[e.Channel], ", ")
		say := map[bool]string{true: "open", false: "stopped"}[e.Allowed]
		if e.From.ID != "" && e.From.ID == r.Relationship.Target.ID {
			from = say
		} else {
			to = say
		}
		out[e.Channel] = from + ", " + to
	}
	return out
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, channel := range channels {
		expect(t, channel, got[channel], want[channel])
	}
}

// TestRulesOfTakingBack plays each row of how relationships are taken back.
func TestRulesOfTakingBack(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, c company) {
		for i, row := range table(t, "Taking back") {
			c.part(fmt.Sprint(i+1, " ", row["on"], " ", row["by"], " after ", row["after"]), func(t *testing.T, c company) {
				now := c.Now().In(shanghai)
				c.Set(time.Date(now.Year(), now.Month(), now.Day()+1, 12, 0, 0, 0, shanghai))
				who := c.person(row["who"])
				in, _ := c.asked(row)
				o := who.command(blockDocument, vars{"in": in})
				must(t, "wish", o.codes(), "")
				r := *o.Results[0].Relationship
				must(t, "state", r.State, "ACTIVE")
				if span, err := time.ParseDuration(row["after"]); err == nil {
					c.Set(r.CreatedAt.Add(span))
				} else {
					clock, next := strings.CutPrefix(row["after"], "next day ")
					at, err := time.ParseInLocation("2006-01-02 15:04:05", r.CreatedAt.In(shanghai).Format("2006-01-02 ")+clock, shanghai)
					if err != nil {
						t.Fatal(err)
					}
					if next {
						at = at.AddDate(0, 0, 1)
					}
					c.Set(at)
				}
				undo := c.person(row["by"]).undo(r.ID, "弄错了")
				answer := undo.codes()
				if answer == "" {
					answer = undo.Decision.Outcome
					for _, n := range undo.Decision.Needs {
						answer += " " + n.Role
					}
				}
				must(t, "answer", answer, row["answer"])
				state := map[string]string{"ALLOW": "UNDONE", "REVIEW admin": "UNDO_PENDING_APPROVAL"}[answer]
				if state == "" {
					state = "ACTIVE"
				}
				expect(t, "state that the auditor reads", c.person("guping012").relationship(r.ID).State, state)
				if row["traces"] != "" {
					expect(t, "who made it still sees it", who.relationship(r.ID) != nil, row["traces"] == "yes")
				}
				if state != "UNDONE" { // so that the next row finds the pair free
					end := "linyue002"
					if row["on"] == "wechat-personal" {
						end = row["who"]
					}
					must(t, "end", c.person(end).lift(r.ID, "完了").codes(), "")
				}
			})
		}
	})
}
