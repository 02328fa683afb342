package scenario

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

type (
	message struct {
		ID, ConversationID, Kind string
		Text, RecalledAt         *string
		Announcement             bool
		Group                    *named
		Sender                   *accountNamed
		Recipients, Mentions     []accountNamed
		RecalledBy               *accountNamed
	}
	sent struct {
		Message         *message
		BlockedBy       []relationship
		DroppedMentions []accountNamed
		Decision        *decision
		UserErrors      []userError
		answer          testkit.Answer
	}
)

const messageFields = `id conversationId kind text recalledAt announcement group{name} sender{... on Member{accountName}} recipients{... on Member{accountName}}
	mentions{accountName} recalledBy{... on Member{accountName}}`

func (s sent) codes() string { return outcome{UserErrors: s.UserErrors}.codes() }

func (s sent) dropped() (out string) {
	for _, m := range s.DroppedMentions {
		out += m.AccountName
	}
	return out
}

func (p person) sends(in vars) sent {
	p.c.t.Helper()
	if in["workspaceId"] == nil {
		in["workspaceId"] = p.c.workspace("native")
	}
	a := p.Do(`mutation($in:SendMessageInput!){sendMessage(input:$in){message{`+messageFields+`} blockedBy{`+relationshipFields+`} droppedMentions{accountName} `+commandFields+`}}`, vars{"in": in})
	out := read[sent](p.c.t, a)
	out.answer = a
	return out
}

// writes sends somebody a message.
func (p person) writes(to, text string) sent {
	p.c.t.Helper()
	return p.sends(vars{"toId": p.c.member(to), "text": text})
}

// tells sends a group a message that names people.
func (p person) tells(group, text string, names ...string) sent {
	p.c.t.Helper()
	ids := []string{}
	for _, n := range names {
		ids = append(ids, p.c.member(n))
	}
	return p.sends(vars{"groupId": p.c.group(group), "text": text, "mentionIds": ids})
}

func (p person) recalls(id string) sent {
	p.c.t.Helper()
	a := p.Do(`mutation($id:ID!){recallMessage(messageId:$id){message{`+messageFields+`} `+commandFields+`}}`, vars{"id": id})
	out := read[sent](p.c.t, a)
	out.answer = a
	return out
}

// reads are the messages that somebody finds, newest first; what was refused is its code.
func (p person) reads(filter vars) (out []message, code string) {
	p.c.t.Helper()
	a, err := p.Ask(`query($f:MessageFilter!){messages(first:100,filter:$f){totalCount nodes{`+messageFields+`}}}`, vars{"f": filter})
	if err != nil {
		p.c.t.Fatal(err)
	}
	if len(a.Errors) > 0 {
		return nil, a.Code(0)
	}
	list := read[struct {
		TotalCount int
		Nodes      []message
	}](p.c.t, a)
	expect(p.c.t, "totalCount", list.TotalCount, len(list.Nodes))
	return list.Nodes, ""
}

// finds are the texts of what somebody reads.
func (p person) finds(filter vars) string {
	p.c.t.Helper()
	ms, code := p.reads(filter)
	var out []string
	for _, m := range ms {
		text := "(null)"
		if m.Text != nil {
			text = *m.Text
		}
		out = append(out, text)
	}
	return strings.Join(append(out, code), "|")
}

// checkIn is a contact check in a group.
func (p person) checkIn(from, to, channel, group string) bool {
	p.c.t.Helper()
	in := vars{"fromId": p.c.member(from), "toId": p.c.member(to), "channel": channel}
	if group == "" {
		in["workspaceId"] = p.c.workspace("native")
	} else {
		in["groupId"] = p.c.group(group)
	}
	return read[contactCheck](p.c.t, p.Do(checkDocument, vars{"in": in})).Allowed
}

// Each kind, in both directions, on each channel: what contactCheck says is what happens to messages.
func TestMessagesObeyEachKind(t *testing.T) {
	const open, stopped = true, false
	type reach struct{ direct, mention, history bool }
	for _, k := range []struct {
		kind, initiator, target, group string
		how                            []how
		fromTarget, fromInitiator      reach
	}{
		{"", "mengjie015", "sunli006", "午饭群", nil, reach{open, open, open}, reach{open, open, open}},
		{"BLOCK", "mengjie015", "sunli006", "午饭群", nil, reach{stopped, open, open}, reach{open, open, open}},
		{"BLOCK", "linyue002", "wangfang004", "四季度专班", []how{with("scope", "WORKSPACE")}, reach{stopped, open, open}, reach{open, open, open}},
		{"ISOLATION", "linyue002", "wangfang004", "四季度专班", nil, reach{stopped, stopped, stopped}, reach{stopped, stopped, stopped}},
		{"GROUP_BLOCK", "mengjie015", "sunli006", "午饭群", nil, reach{open, stopped, open}, reach{open, open, open}},
	} {
		t.Run(k.kind, func(t *testing.T) {
			onEach(t, func(t *testing.T, c company) {
				i, target := c.person(k.initiator), c.person(k.target)
				said := "说过的话"
				must(t, "before", i.writes(k.target, said).codes(), "")
				must(t, "before", target.writes(k.initiator, said).codes(), "")
				if k.kind != "" {
					hs := append([]how{as(k.kind), on("native")}, k.how...)
					if k.kind == "GROUP_BLOCK" {
						hs = append(hs, with("groupId", c.group(k.group)))
					}
					i.blocks(k.target, hs...)
				}
				for _, way := range []struct {
					from, to person
					reach    reach
				}{{target, i, k.fromTarget}, {i, target, k.fromInitiator}} {
					name := way.from.account + " → " + way.to.account + ": "
					check := func(channel, group string, want bool) {
						expect(t, name+channel+" by contactCheck", way.from.checkIn(way.from.account, way.to.account, channel, group), want)
					}
					check("DIRECT_MESSAGE", "", way.reach.direct)
					s := way.from.writes(way.to.account, "你好")
					expect(t, name+"sent", s.codes() == "", way.reach.direct)
					expect(t, name+"a message", s.Message != nil, way.reach.direct)
					if !way.reach.direct {
						expect(t, name+"code", s.codes(), "CONFLICT")
						expect(t, name+"what policy said", s.Decision.Outcome, "ALLOW")
						named := 0
						if way.from.account == i.account || way.from.account == "linyue002" {
							named = 1
						}
						expect(t, name+"blockedBy", len(s.BlockedBy), named)
					}
					check("GROUP_MESSAGE", k.group, open)
					check("GROUP_ANNOUNCEMENT", k.group, open)
					check("GROUP_MENTION", k.group, way.reach.mention)
					s = way.from.tells(k.group, "大家好", way.to.account)
					expect(t, name+"to the group", s.codes(), "")
					expect(t, name+"mention left", len(s.Message.Mentions) == 1, way.reach.mention)
					expect(t, name+"mention dropped", s.dropped() == way.to.account, !way.reach.mention)
					check("MESSAGE_HISTORY", "", way.reach.history)
					before := way.from.finds(vars{"withId": c.member(way.to.account), "text": said})
					want := said + "|" + said + "|"
					if !way.reach.history {
						want = ""
					}
					expect(t, name+"history", before, want)
				}
				gu := c.person("guping012")
				expect(t, "history to the auditor", gu.finds(vars{"senderId": c.member(k.initiator), "text": said}), said+"|")
			})
		})
	}
}

// What people write to each other, from one end to the other.
func TestMessages(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang, li, meng, sun, gu := c.person("wangfang004"), c.person("liqiang005"), c.person("mengjie015"), c.person("sunli006"), c.person("guping012")
		first := wang.writes("liqiang005", "合同明天寄出 ABC")
		must(t, "sent", first.codes(), "")
		m := *first.Message
		expect(t, "text", *m.Text, "合同明天寄出 ABC")
		expect(t, "sender", m.Sender.AccountName, "wangfang004")
		expect(t, "recipient", fmt.Sprint(m.Recipients), "[{liqiang005}]")
		expect(t, "kind", m.Kind, "TEXT")
		answer := li.writes("wangfang004", "收到")
		expect(t, "conversation", answer.Message.ConversationID, m.ConversationID)
		expect(t, "newest first", li.finds(vars{"conversationId": m.ConversationID}), "收到|合同明天寄出 ABC|")
		expect(t, "by sender", li.finds(vars{"senderId": c.member("wangfang004")}), "合同明天寄出 ABC|")
		for text, found := range map[string]bool{"合同": true, "明天寄": true, "ａｂｃ": true, "abc": true, "同合": false, "寄给": false} {
			expect(t, "search for "+text, li.finds(vars{"text": text}) != "", found)
		}
		expect(t, "one letter", li.finds(vars{"text": "合"}), "BAD_USER_INPUT")

		c.part("groups", func(t *testing.T, c company) {
			meng, sun, wang := c.person("mengjie015"), c.person("sunli006"), c.person("wangfang004")
			g := sun.tells("午饭群", "今天吃什么", "wangfang004")
			must(t, "to the group", g.codes(), "")
			expect(t, "mentions", fmt.Sprint(g.Message.Mentions), "[{wangfang004}]")
			expect(t, "recipients", len(g.Message.Recipients), 0)
			expect(t, "who is in it reads it", wang.finds(vars{"groupId": c.group("午饭群")}), "今天吃什么|")
			refused := sun.sends(vars{"groupId": c.group("午饭群"), "text": "公告", "announcement": true})
			expect(t, "an announcement by a member", refused.codes(), "POLICY_DENIED")
			expect(t, "by the rule", refused.Decision.rules(), "message.announce")
			must(t, "by the owner", meng.sends(vars{"groupId": c.group("午饭群"), "text": "周五聚餐", "announcement": true}).codes(), "")
			read := func(p person) any {
				return p.Do(`query($id:ID!){group(id:$id){announcement}}`, vars{"id": c.group("午饭群")}).Get("group.announcement")
			}
			expect(t, "what the group was told", read(sun), any("周五聚餐"))
			ms, _ := meng.reads(vars{"text": "聚餐"})
			must(t, "taken back", meng.recalls(ms[0].ID).codes(), "")
			expect(t, "what the group was told", read(sun), nil)
		})
		c.part("whose they are", func(t *testing.T, c company) {
			strangers := vars{"conversationId": m.ConversationID}
			expect(t, "an employee reads others'", c.person("sunli006").finds(strangers), "FORBIDDEN")
			expect(t, "legal reads others'", c.person("heyun011").finds(strangers), "APPROVAL_REQUIRED")
			expect(t, "what is not there", c.person("sunli006").finds(vars{"conversationId": unknown(m.ConversationID)}), "FORBIDDEN")
			expect(t, "a group's of others", c.person("tangxin013").finds(vars{"groupId": c.group("午饭群")}), "FORBIDDEN")
			expect(t, "of two others", c.person("sunli006").finds(vars{"senderId": c.member("wangfang004"), "withId": c.member("liqiang005")}), "FORBIDDEN")
			expect(t, "by id", c.person("sunli006").Do(`query($id:ID!){node(id:$id){id}}`, vars{"id": m.ID}).Get("node"), nil)
			expect(t, "all of them", c.person("tangxin013").finds(vars{}), "")
			expect(t, "the auditor", c.person("guping012").finds(strangers), "收到|合同明天寄出 ABC|")
			read := map[string]string{} // the tests' gateway answers each query by two executors
			for _, e := range c.person("guping012").trail("archive.read") {
				read[e.SubjectName] = e.Detail
			}
			expect(t, "is written down, for each of the two", fmt.Sprint(read), "map[李强:2 王芳:2]")
			expect(t, "and not to a super_admin", len(c.person("chenguang001").trail("archive.read")), 0)
		})
		c.part("taken back", func(t *testing.T, c company) {
			wang, li := c.person("wangfang004"), c.person("liqiang005")
			expect(t, "by another", li.recalls(m.ID).codes(), "POLICY_DENIED")
			expect(t, "what a stranger takes back", c.person("sunli006").recalls(m.ID).codes(), "NOT_FOUND")
			r := wang.recalls(m.ID)
			must(t, "by the sender", r.codes(), "")
			expect(t, "text", r.Message.Text == nil, true)
			expect(t, "by", r.Message.RecalledBy.AccountName, "wangfang004")
			again := wang.recalls(m.ID)
			expect(t, "again", again.codes(), "")
			expect(t, "when", *again.Message.RecalledAt, *r.Message.RecalledAt)
			for _, p := range []person{wang, li} {
				expect(t, p.account, p.finds(vars{"conversationId": m.ConversationID}), "收到|")
				expect(t, p.account+" with those taken back", p.finds(vars{"conversationId": m.ConversationID, "includeRecalled": true}), "收到|(null)|")
				expect(t, p.account+" by its text", p.finds(vars{"text": "合同", "includeRecalled": true}), "")
			}
			expect(t, "the auditor", c.person("guping012").finds(vars{"text": "合同", "includeRecalled": true}), "合同明天寄出 ABC|")
			expect(t, "in the trail", len(c.person("guping012").trail("recall_message")) >= 2, true)
		})
		c.part("what cannot be sent", func(t *testing.T, c company) {
			wang := c.person("wangfang004")
			for name, x := range map[string]struct {
				p    person
				in   vars
				want string
			}{
				"to nobody":               {wang, vars{"text": "x"}, "INVALID_INPUT"},
				"to himself":              {wang, vars{"toId": c.member("wangfang004"), "text": "x"}, "INVALID_INPUT"},
				"nothing":                 {wang, vars{"toId": c.member("liqiang005"), "text": " "}, "INVALID_INPUT"},
				"too much":                {wang, vars{"toId": c.member("liqiang005"), "text": strings.Repeat("字", 2001)}, "INVALID_INPUT"},
				"an announcement to one":  {wang, vars{"toId": c.member("liqiang005"), "text": "x", "announcement": true}, "INVALID_INPUT"},
				"a mention of a stranger": {wang, vars{"groupId": c.group("午饭群"), "text": "x", "mentionIds": []string{c.member("liqiang005")}}, "NOT_FOUND"},
				"to a hidden group":       {c.person("tangxin013"), vars{"groupId": c.group("午饭群"), "text": "x"}, "NOT_FOUND"},
				"to a group of others":    {c.person("linyue002"), vars{"groupId": c.group("午饭群"), "text": "x"}, "CONFLICT"},
				"on another platform":     {wang, vars{"workspaceId": c.workspace("wecom-hq"), "toId": c.member("liqiang005"), "text": "x"}, "UNSUPPORTED_BY_PLATFORM"},
				"to who is not there":     {wang, vars{"toId": c.contact("wm_haikang"), "text": "x"}, "CONFLICT"},
				"by an auditor":           {c.person("guping012"), vars{"toId": c.member("liqiang005"), "text": "x"}, "POLICY_DENIED"},
				"by a service":            {person{c.WithKey("demo-crm-key"), c, "crm-demo"}, vars{"toId": c.contact("wm_haikang"), "text": "x"}, "POLICY_DENIED"},
			} {
				expect(t, name, x.p.sends(x.in).codes(), x.want)
			}
			once := wang.sends(vars{"toId": c.member("liqiang005"), "text": "一次", "idempotencyKey": "once"})
			twice := wang.sends(vars{"toId": c.member("liqiang005"), "text": "一次", "idempotencyKey": "once"})
			expect(t, "the same message", twice.Message.ID, once.Message.ID)
			expect(t, "its text", *twice.Message.Text, "一次")
			expect(t, "another by the same key", wang.sends(vars{"toId": c.member("liqiang005"), "text": "两次", "idempotencyKey": "once"}).codes(), "IDEMPOTENCY_KEY_REUSED")
		})
		_, _, _, _ = meng, sun, gu, li
	})
}

// Whoever has himself entered in a group afterwards, as of whatever day, reads nothing of what was said there before.
func TestEnteredAfterwards(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		group := c.group("午饭群")
		say := func() string {
			return c.person("mengjie015").Do(`mutation($g:ID!,$w:ID!){sendMessage(input:{workspaceId:$w,groupId:$g,text:"麻辣烫"}){message{id}}}`, vars{"g": group, "w": c.workspace("native")}).Text("sendMessage.message.id")
		}
		before := say()
		row := `{"type":"membership","workspace":"native","group":"grp_lunch","member":"002","joinedAt":"2020-01-01T00:00:00Z"}` + "\n"
		must(t, "rows that were taken", lin.ended(lin.upload(row, "").Import.ID).Accepted, 1)
		after := say()
		texts := lin.Do(`query($g:ID!){messages(first:9,filter:{groupId:$g}){nodes{id}}}`, vars{"g": group}).Body
		expect(t, "what was said before", strings.Contains(texts, before), false)
		expect(t, "what is said since", strings.Contains(texts, after), true)
	})
}

// Who was blocked learns nothing: a refusal looks as if somebody merely could not be reached.
func TestTargetLearnsNothingFromMessages(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		li := c.person("liqiang005")
		c.person("wangfang004").blocks("liqiang005", on("native"))
		blocked := li.sends(vars{"toId": c.member("wangfang004"), "text": "在吗"})
		freeze(t, c, "sunli006")
		absent := li.sends(vars{"toId": c.member("sunli006"), "text": "在吗"})
		must(t, "code", absent.codes(), "CONFLICT")
		shape := func(s sent) string { return strings.ReplaceAll(s.answer.Body, s.Decision.ID, "…") }
		expect(t, "the answer", shape(blocked), shape(absent))
		trail := func(detail string) string {
			return fmt.Sprint(li.Do(`{auditEvents(first:2,filter:{actions:["send_message"]}){nodes{action outcome prevented detail}}}`, nil).Get("auditEvents.nodes." + detail))
		}
		expect(t, "his trail", trail("0"), trail("1"))
		expect(t, "who is frozen writes nothing", c.person("sunli006").writes("liqiang005", "x").codes(), "POLICY_DENIED")
	})
}

// freeze freezes somebody's account on native, as the platform would; the others still let him in.
func freeze(t *testing.T, c company, account string) {
	t.Helper()
	if _, err := testkit.Database(t, c.dsn).Exec("update accounts set status = 'FROZEN' where member_id = (select id from members where account_name = '" + account + "')" +
		" and workspace_id = (select id from workspaces where name = 'native')"); err != nil {
		t.Fatal(err)
	}
}

// A contact on the blacklist gets no more messages, where the gateway's own workspaces have contacts.
func TestMessagesObeyTheBlacklist(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		id := map[bool]string{true: "gen_random_uuid()", false: "randomblob(16)"}[strings.HasPrefix(c.dsn, "postgres")]
		_, err := testkit.Database(t, c.dsn).Exec(`insert into external_contacts (id, workspace_id, platform_id, name, sort_key, company, phone, verified, region,
			importance, status, owner_id) select ` + id + `, w.id, 'nt_bendi', '本地客户', 'bendikehu', '', '', true, 'CN', 'NORMAL', 'ACTIVE', m.id
			from workspaces w, members m where w.name = 'native' and m.account_name = 'sunli006'`)
		if err != nil {
			t.Fatal(err)
		}
		sun := c.person("sunli006")
		contact := sun.Do(`{externalContacts{nodes{id}}}`, nil).Text("externalContacts.nodes.0.id")
		write := func() sent { return sun.sends(vars{"toId": contact, "text": "您好"}) }
		check := func(channel string, want bool) {
			t.Helper()
			in := vars{"fromId": c.member("sunli006"), "toId": contact, "channel": channel, "workspaceId": c.workspace("native")}
			expect(t, channel, read[contactCheck](t, sun.Do(checkDocument, vars{"in": in})).Allowed, want)
		}
		check("DIRECT_MESSAGE", true)
		must(t, "before", write().codes(), "")
		o := sun.blockID(contact, as("BLACKLIST"))
		must(t, "blacklisted", o.codes(), "")
		check("DIRECT_MESSAGE", false)
		check("MESSAGE_HISTORY", true)
		after := write()
		expect(t, "after", after.codes(), "CONFLICT")
		expect(t, "blockedBy", len(after.BlockedBy), 1)
		expect(t, "history", sun.finds(vars{"withId": contact}), "您好|")
	})
}

// A block that was answered stops all messages from then on, however many are under way, at whichever replica.
func TestBlockAgainstMessages(t *testing.T) {
	race := func(t *testing.T, replicas []company) {
		a, b := replicas[0], replicas[len(replicas)-1]
		wang := a.person("wangfang004")
		a.workspace("native")
		b.workspace("native")
		b.member("wangfang004")
		came := func() any {
			return wang.Do(`query($id:ID!){messages(filter:{senderId:$id}){totalCount}}`, vars{"id": a.member("liqiang005")}).Get("messages.totalCount")
		}
		for round := range 3 {
			start := make(chan struct{})
			var blocked sync.WaitGroup
			answered := make(chan struct{})
			var mu sync.Mutex
			late := 0
			for n := range 100 {
				blocked.Add(1)
				c := replicas[n%len(replicas)]
				li := c.person("liqiang005")
				in := vars{"workspaceId": b.workspace("native"), "toId": b.member("wangfang004"), "text": fmt.Sprint("消息 ", round, " ", n)}
				go func() {
					defer blocked.Done()
					<-start
					begun := false
					select {
					case <-answered:
						begun = true
					default:
					}
					r, err := li.Ask(`mutation($in:SendMessageInput!){sendMessage(input:$in){message{id} userErrors{code}}}`, vars{"in": in})
					if err != nil || len(r.Errors) > 0 {
						t.Errorf("%s %v", r.Body, err)
						return
					}
					if r.Get("sendMessage.message") != nil && begun {
						mu.Lock()
						late++
						mu.Unlock()
					}
				}()
			}
			close(start)
			r := wang.blocks("liqiang005", on("native"))
			close(answered)
			before := came()
			blocked.Wait()
			expect(t, "messages that began after the answer and came through", late, 0)
			expect(t, "messages that came after the answer", came(), before)
			must(t, "lifted", wang.lift(r.ID, "x").codes(), "")
		}
	}
	t.Run("one", func(t *testing.T) {
		onEach(t, func(t *testing.T, c company) { race(t, []company{c}) })
	})
	t.Run("two replicas", func(t *testing.T) {
		t.Parallel()
		dsn := testkit.Postgres(t)
		race(t, []company{open(t, dsn), open(t, dsn)})
	})
}

// A freeze that was answered stops all messages of its person from then on, also those that are under way.
func TestFreezeAgainstMessages(t *testing.T) {
	race := func(t *testing.T, replicas []company) {
		a := replicas[0]
		lin, auditor := a.person("linyue002"), a.person("guping012")
		account, me := a.accountOf("liqiang005", "native"), a.member("liqiang005")
		came := func() any {
			return auditor.Do(`query($id:ID!){messages(filter:{senderId:$id}){totalCount}}`, vars{"id": me}).Get("messages.totalCount")
		}
		for round := range 4 {
			var under sync.WaitGroup
			start := make(chan struct{})
			to := vars{"workspaceId": a.workspace("native"), "toId": a.member("wangfang004")}
			for n := range 60 {
				li := replicas[n%len(replicas)].person("liqiang005")
				in := vars{"text": fmt.Sprint("消息 ", round, " ", n)}
				maps.Copy(in, to)
				under.Go(func() {
					<-start
					// Whoever is cut off meanwhile is answered so, or not at all.
					_, _ = li.Ask(`mutation($in:SendMessageInput!){sendMessage(input:$in){message{id} userErrors{code}}}`, vars{"in": in})
				})
			}
			close(start)
			frozen, _ := lin.sets(account, "FROZEN")
			before := came()
			must(t, "frozen", frozen, "ALLOW")
			under.Wait()
			expect(t, "messages that came after the answer", came(), before)
			woken, _ := lin.sets(account, "ACTIVE")
			must(t, "woken", woken, "ALLOW")
		}
	}
	t.Run("one", func(t *testing.T) {
		onEach(t, func(t *testing.T, c company) { race(t, []company{c}) })
	})
	t.Run("two replicas", func(t *testing.T) {
		t.Parallel()
		dsn := testkit.Postgres(t)
		race(t, []company{open(t, dsn), open(t, dsn)})
	})
}

// Nor does anything come any more to whoever is frozen, or has no account there.
func TestFreezeAgainstMessagesToOne(t *testing.T) {
	race := func(t *testing.T, replicas []company) {
		a := replicas[0]
		lin, auditor := a.person("linyue002"), a.person("guping012")
		account, me, wang := a.accountOf("liqiang005", "native"), a.member("liqiang005"), a.member("wangfang004")
		came := func() any {
			return auditor.Do(`query($i:ID!,$w:ID){messages(filter:{withId:$i,senderId:$w}){totalCount}}`, vars{"i": me, "w": wang}).Get("messages.totalCount")
		}
		for round := range 4 {
			var under sync.WaitGroup
			start, answers := make(chan struct{}), make([]string, 60)
			for n := range answers {
				p := replicas[n%len(replicas)].person("wangfang004")
				in := vars{"workspaceId": a.workspace("native"), "toId": me, "text": fmt.Sprint("消息 ", round, " ", n)}
				under.Go(func() {
					<-start
					answers[n] = p.sends(in).codes()
				})
			}
			close(start)
			out := func() string { got, _ := lin.sets(account, "FROZEN"); return got }
			back := func() string { got, _ := lin.sets(account, "ACTIVE"); return got }
			if round%2 == 1 {
				out = func() string { got, _ := lin.binds(account, ""); return got }
				back = func() string { got, _ := lin.binds(account, "liqiang005"); return got }
			}
			gone := out()
			before := came()
			must(t, "out", gone, "ALLOW")
			under.Wait()
			expect(t, "messages that came after the answer", came(), before)
			for _, code := range answers {
				if code != "" && code != "CONFLICT" {
					t.Errorf("a message is answered with %s", code)
				}
			}
			must(t, "back", back(), "ALLOW")
		}
	}
	t.Run("one", func(t *testing.T) {
		onEach(t, func(t *testing.T, c company) { race(t, []company{c}) })
	})
	t.Run("two replicas", func(t *testing.T) {
		t.Parallel()
		dsn := testkit.Postgres(t)
		race(t, []company{open(t, dsn), open(t, dsn)})
	})
}

// What people write to each other stands nowhere in what is stored or logged.
func TestCanaryOfMessages(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn, "--log-slow", "1ns")
		canaries := []string{"canary-of-a-message-3Xd", "金丝雀的消息内容", "canary-of-an-announcement-8Lq", "canary-of-a-search-5Vb"}
		wang := c.person("wangfang004")
		must(t, "sent", wang.writes("liqiang005", canaries[0]).codes(), "")
		m := wang.sends(vars{"toId": c.member("liqiang005"), "text": canaries[1], "idempotencyKey": "canary"})
		must(t, "recalled", wang.recalls(m.Message.ID).codes(), "")
		must(t, "announced", c.person("mengjie015").sends(vars{"groupId": c.group("午饭群"), "text": canaries[2], "announcement": true}).codes(), "")
		expect(t, "found", wang.finds(vars{"text": canaries[0]}), canaries[0]+"|")
		expect(t, "found", wang.finds(vars{"text": canaries[3]}), "")
		all := string(testkit.Bytes(t, dsn)) + c.Log()
		for _, x := range canaries {
			if holds(all, x) {
				t.Errorf("%s stands in what is stored or logged", x)
			}
		}
		if !holds(all, "wangfang004") {
			t.Error("the search is blind")
		}
	})
}
