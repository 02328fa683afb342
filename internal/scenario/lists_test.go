package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// pages reads a whole list in pages of seven, forwards and backwards, and holds both and the count to what is wanted.
func (p person) pages(t testing.TB, list, args string, want []string) {
	t.Helper()
	p.leafs(t, "{l:"+list+"(§"+args+")@}", "l", 7, want)
}

// leafs reads a list in pages of a size, which stands somewhere in a document: § is where its arguments go, @ where its
// fields do, and path leads to it.
func (p person) leafs(t testing.TB, document, path string, size int, want []string) {
	t.Helper()
	for _, way := range []struct{ size, from, more, end string }{{"first", "after", "hasNextPage", "endCursor"}, {"last", "before", "hasPreviousPage", "startCursor"}} {
		var got []string
		query := "query($at:String)" + strings.NewReplacer("§", fmt.Sprint(way.size, ":", size, ",", way.from, ":$at"),
			"@", "{nodes{id} totalCount pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}").Replace(document)
		for at := any(nil); ; {
			a := p.Do(query, vars{"at": at})
			var page []string
			for _, n := range a.Get(path + ".nodes").([]any) {
				page = append(page, n.(vars)["id"].(string))
			}
			expect(t, fmt.Sprint(p.account, " counts ", document), a.Get(path+".totalCount"), any(float64(len(want))))
			more := a.Get(path+".pageInfo."+way.more) == true
			if more && len(page) != size {
				t.Errorf("%s: a page of %s has %d rows", p.account, document, len(page))
			}
			if way.size == "last" {
				got = append(page, got...)
			} else {
				got = append(got, page...)
			}
			if at = a.Get(path + ".pageInfo." + way.end); !more || at == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s by %s: %v, want %v", p.account, document, way.size, got, want)
		}
	}
}

// passing is a filter as a client writes it, and the rows that pass it.
type passing[R any] struct {
	args string
	pass func(R) bool
}

// lists holds one list of a person, under every filter, to the rows that he sees.
func lists[R any](t testing.TB, p person, list string, kind im.Kind, rows map[im.ID]R, sees func(R) bool, filters []passing[R]) {
	t.Helper()
	for _, f := range append(filters, passing[R]{"", func(R) bool { return true }}) {
		p.pages(t, list, f.args, visible(rows, kind, func(r R) bool { return sees(r) && f.pass(r) }))
	}
}

// Whatever happened is in everybody's lists exactly as far as he may see it: under every filter, in every page and in the count.
func TestListsShowWhatOneSees(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		c, _ := eventful(t, dsn)
		now := c.Advance(2 * time.Hour) // something has run out, whether or not that was noticed
		o := look(t, dsn)
		at := func(n int64) string { return time.UnixMicro(n).UTC().Format(time.RFC3339Nano) }
		running := func(state, live string, expires *int64) string {
			if expires != nil && *expires <= now.UnixMicro() && strings.Contains(live, state) {
				return "EXPIRED"
			}
			return state
		}
		stateOf := func(r *relationRow) string {
			return running(r.state, "PENDING_APPROVAL STAGED ACTIVE UNDO_PENDING_APPROVAL", r.expires)
		}
		var relations []passing[*relationRow]
		var requests []passing[*approvalRow]
		var alarms []passing[*alertRow]
		var trail []passing[*eventRow]
		filter := func(format string, args ...any) string { return ",filter:{" + fmt.Sprintf(format, args...) + "}" }
		for _, s := range strings.Fields("PENDING_APPROVAL REJECTED STAGED CANCELLED ACTIVE UNDO_PENDING_APPROVAL UNDONE LIFTED EXPIRED") {
			relations = append(relations, passing[*relationRow]{filter("states:[%s]", s), func(r *relationRow) bool { return stateOf(r) == s }})
		}
		for _, k := range []string{"BLOCK", "BLACKLIST"} {
			relations = append(relations, passing[*relationRow]{filter("kinds:[%s]", k), func(r *relationRow) bool { return r.kind == k }})
		}
		for _, r := range o.relationships { // of what is hidden from some: no filter finds it
			target := im.KindMember
			if _, ok := o.contacts[r.target]; ok {
				target = im.KindContact
			}
			id := nodeid.Encode(target, r.target)
			relations = append(relations,
				passing[*relationRow]{filter("targetId:%q", id), func(x *relationRow) bool { return x.target == r.target }},
				passing[*relationRow]{filter("initiatorId:%q,targetId:%q", nodeid.Encode(im.KindMember, r.initiator), id),
					func(x *relationRow) bool { return x.target == r.target && x.initiator == r.initiator }},
				passing[*relationRow]{filter("workspaceId:%q,createdAfter:%q", nodeid.Encode(im.KindWorkspace, r.workspace), at(r.created)),
					func(x *relationRow) bool { return x.workspace == r.workspace && x.created > r.created }},
				passing[*relationRow]{filter("createdBefore:%q", at(r.created)), func(x *relationRow) bool { return x.created < r.created }})
			subject := nodeid.Encode(im.KindRelationship, r.id)
			requests = append(requests, passing[*approvalRow]{fmt.Sprintf(",subjectId:%q", subject), func(a *approvalRow) bool { return a.subject == r.id }})
			for _, of := range []struct {
				id string
				is im.ID
			}{{subject, r.id}, {id, r.target}} {
				trail = append(trail, passing[*eventRow]{filter("subjectId:%q", of.id), func(e *eventRow) bool { return e.subject == of.is || e.about == of.is }})
			}
		}
		for _, s := range strings.Fields("PENDING APPROVED REJECTED EXPIRED CANCELLED") {
			requests = append(requests, passing[*approvalRow]{",state:" + s, func(a *approvalRow) bool { return running(a.state, "PENDING", a.expires) == s }})
		}
		for _, account := range []string{"wangfang004", "sunli006", "zhaomin003"} {
			id := nodeid.Encode(im.KindMember, o.byAccount[account].id)
			requests = append(requests, passing[*approvalRow]{fmt.Sprintf(",requestedById:%q", id), func(a *approvalRow) bool { return a.by == o.byAccount[account].id }})
			trail = append(trail, passing[*eventRow]{filter("actorId:%q", id), func(e *eventRow) bool { return e.actor == o.byAccount[account].id }})
		}
		for _, k := range []string{"KEY_CONTACT_BLOCKED", "OPPORTUNITY_LOSS"} {
			alarms = append(alarms, passing[*alertRow]{",kind:" + k, func(a *alertRow) bool { return a.kind == k }})
		}
		for _, open := range []bool{true, false} {
			alarms = append(alarms, passing[*alertRow]{fmt.Sprint(",open:", open), func(a *alertRow) bool { return (a.acknowledged == nil) == open }})
		}
		for _, w := range []string{"native", "wecom-hq", "feishu-hq"} {
			id := c.workspace(w)
			trail = append(trail, passing[*eventRow]{filter("workspaceId:%q", id), func(e *eventRow) bool { return nodeid.Encode(im.KindWorkspace, e.workspace) == id }})
		}
		for _, outcome := range []string{"ALLOW", "DENY", "REVIEW"} {
			trail = append(trail, passing[*eventRow]{filter("outcome:%s", outcome), func(e *eventRow) bool { return e.outcome != nil && *e.outcome == outcome }})
		}
		trail = append(trail, passing[*eventRow]{filter(`actions:["undo","alert.acknowledge"]`), func(e *eventRow) bool { return e.action == "undo" || e.action == "alert.acknowledge" }})
		for _, e := range o.events {
			trail = append(trail, passing[*eventRow]{filter("from:%q", at(e.at)), func(x *eventRow) bool { return x.at >= e.at }},
				passing[*eventRow]{filter("until:%q", at(e.at)), func(x *eventRow) bool { return x.at < e.at }})
			break // of any one
		}
		for _, account := range everybody {
			p, who := c.person(account), o.byAccount[account]
			mine := passing[*approvalRow]{",mine:true", func(a *approvalRow) bool {
				return running(a.state, "PENDING", a.expires) == "PENDING" && slices.Contains(a.asked, who.id) && !slices.Contains(a.responded, who.id)
			}}
			lists(t, p, "relationships", im.KindRelationship, o.relationships, func(r *relationRow) bool { return o.seesRelationship(who, r) }, relations)
			lists(t, p, "approvals", im.KindApproval, o.approvals, func(a *approvalRow) bool { return o.seesApproval(who, a) }, append(requests, mine))
			lists(t, p, "alerts", im.KindAlert, o.alerts, func(a *alertRow) bool { return o.seesAlert(who, a) }, alarms)
			lists(t, p, "auditEvents", im.KindAudit, o.events, func(e *eventRow) bool { return o.seesEvent(who, e) }, trail)
		}
	})
}

// What is typed into a search box finds whatever was pasted around it, and of a book, the fault is the client's.
func TestSearchWords(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		wang := c.person("wangfang004")
		count := func(list, words string) testkit.Answer {
			a, err := wang.Ask(`query($w:String){l:`+list+`(filter:{query:$w}){totalCount}}`, vars{"w": words})
			must(t, list, fmt.Sprint(err), "<nil>")
			return a
		}
		for list, words := range map[string]string{"members": "李强", "externalContacts": "海康", "groups": "海康", "accounts": "wangfang004"} {
			found := count(list, words).Get("l.totalCount")
			if found == any(0.0) {
				t.Errorf("%s: nothing is found by %s", list, words)
			}
			expect(t, list+" with spaces around", count(list, "\u3000"+words+" \n").Get("l.totalCount"), found)
			expect(t, list+" by spaces", count(list, "  ").Get("l.totalCount"), count(list, "").Get("l.totalCount"))
			expect(t, list+" by the longest", count(list, strings.Repeat("ﷺ", 200)).Get("l.totalCount"), any(0.0))
			for _, n := range []int{201, 60_000} {
				expect(t, fmt.Sprint(list, " by ", n), count(list, strings.Repeat("x", n)).Code(0), "BAD_USER_INPUT")
			}
		}
	})
}
