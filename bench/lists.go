package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
)

// readers ask for every list, each with other rows to see.
var readers = []struct {
	name   string
	member func(company) int
}{
	{"admin", func(company) int { return administrator }},
	{"division", func(c company) int { return c.headOf(c.divisions() / 2) }},   // who leads a thousand
	{"manager", func(c company) int { return c.members/2 + membersPerLeaf*3 }}, // who leads fifty
	{"sales", func(c company) int { return c.members/2 + colleague }},
	{"service", func(c company) int { return c.members/2 + server }},
}

// someID is an id of a kind in the middle of the company, where neither end of an index finds it early.
func someID(c company, kind im.Kind) string {
	ids := map[im.Kind]im.ID{im.KindMember: memberRow.id(c.members/2 + colleague), im.KindDepartment: departmentRow.id(1 + c.divisions()/2),
		im.KindWorkspace: c.customers(), im.KindContact: contactRow.id((c.members/2 + colleague) * contactsEach)}
	return nodeid.Encode(kind, ids[kind])
}

// firstPages are what screens open with. @MEMBER, @DEPARTMENT, @WORKSPACE and @CONTACT stand for ids.
var firstPages = []string{
	`members { nodes { name department { name } } }`,
	`members(orderBy: NAME) { nodes { name } }`,
	`members(orderBy: RANK_DESC) { totalCount nodes { name } }`,
	`members(filter: {query: "wangwei"}) { nodes { name } }`,
	`members(filter: {query: "nobody is called so"}) { nodes { name } }`,
	`members(orderBy: NAME, filter: {departmentId: @DEPARTMENT}) { totalCount nodes { name } }`,
	`members(filter: {role: "dept_manager"}) { totalCount nodes { name } }`,
	`members(filter: {jobFunction: CUSTOMER_SERVICE}) { totalCount nodes { name } }`,
	`members(filter: {jobFunction: LEGAL}) { nodes { name } }`,
	`members(filter: {employment: DEPARTED}) { nodes { name } }`,
	`members(filter: {workspaceId: @WORKSPACE, linkedToPersonal: true}) { nodes { name } }`,
	`departments { nodes { name manager { name } } }`,
	`accounts { nodes { platformId member { name } } }`,
	`accounts(filter: {query: "wangwei"}) { nodes { platformId } }`,
	`accounts(filter: {memberId: @MEMBER}) { nodes { platformId } }`,
	`accounts(filter: {status: FROZEN}) { nodes { platformId } }`,
	`accounts(filter: {orphan: true}) { nodes { platformId } }`,
	`accounts(filter: {leaver: true}) { nodes { platformId } }`,
	`inactiveAccounts(days: 30) { totalCount nodes { lastActiveAt member { name } } }`,
	`externalContacts { nodes { name owner { name } } }`,
	`externalContacts { totalCount }`,
	`externalContacts(filter: {query: "蓝海"}) { nodes { name } }`,
	`externalContacts(filter: {query: "nobody is called so"}) { nodes { name } }`,
	`externalContacts(filter: {ownerId: @MEMBER}) { totalCount nodes { name } }`,
	`externalContacts(filter: {poolDepartmentId: @DEPARTMENT}) { nodes { name } }`,
	`externalContacts(filter: {status: BLACKLISTED}) { nodes { name } }`,
	`externalContacts(filter: {importance: KEY}) { nodes { name } }`,
	`externalContacts(filter: {tag: "vip"}) { totalCount nodes { name } }`,
	`groups { nodes { name owner { name } } }`,
	`groups { totalCount }`,
	`groups(filter: {query: "项目7"}) { nodes { name } }`,
	`groups(filter: {kind: DEPARTMENT}) { nodes { name } }`,
	`groups(filter: {ownerId: @MEMBER}) { nodes { name } }`,
	`groups(filter: {memberId: @MEMBER}) { nodes { name } }`,
	`relationships { nodes { kind state } }`,
	`relationships { totalCount }`,
	`relationships(filter: {states: [LIFTED]}) { nodes { kind } }`,
	`relationships(filter: {states: [STAGED]}) { nodes { kind } }`,
	`relationships(filter: {kinds: [BLACKLIST]}) { nodes { state } }`,
	`relationships(filter: {initiatorId: @MEMBER}) { totalCount nodes { kind } }`,
	`relationships(filter: {targetId: @CONTACT}) { totalCount nodes { kind } }`,
	`relationships(filter: {createdBefore: "2026-01-01T01:00:00Z"}) { nodes { kind } }`,
	`approvals { totalCount nodes { state } }`,
	`approvals(mine: true) { totalCount nodes { state } }`,
	`auditEvents { nodes { action } }`,
	`auditEvents(filter: {outcome: DENY}) { nodes { action } }`,
	`auditEvents(filter: {actions: ["import"]}) { nodes { action } }`,
	`auditEvents(filter: {subjectId: @MEMBER}) { totalCount nodes { action } }`,
	`auditEvents(filter: {until: "2026-01-01T01:00:00Z"}) { nodes { action } }`,
	`alerts(open: true) { totalCount nodes { kind } }`,
	`member(id: @MEMBER) { contacts { totalCount nodes { name } } groups { totalCount nodes { name } } relationships(direction: BOTH) { totalCount nodes { kind } } }`,
	`members(first: 50) { nodes { contacts(first: 3) { nodes { name } } groups(first: 3) { nodes { name } } } }`,
	`members(first: 50) { nodes { relationships(first: 3) { nodes { kind } } } }`,
	`relationships(first: 50) { nodes { history(first: 3) { nodes { action } } } }`,
	`department(id: @DEPARTMENT) { members(first: 10, includeDescendants: true) { totalCount nodes { name } } }`,
}

// slow is how long no first page may take, in a request of its own.
const slow = 50 * time.Millisecond

// lists measures the first page of every list as different readers see it, one request at a time.
func lists(ctx context.Context, o options) error {
	w, err := newWorld(ctx, o.postgres, o.keep, o.members)
	if err != nil {
		return err
	}
	defer w.drop()
	gateway, err := w.serve(ctx, profileVariable+"="+o.profile)
	if err != nil {
		return err
	}
	defer gateway.stop()
	fmt.Printf("First pages of lists of %d members on %s: medians of %d in ms; %d cores, %s; * is over %s\n\n",
		w.members, w.db.describe(ctx), max(3, o.rounds), runtime.NumCPU(), runtime.Version(), slow)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range readers {
		fmt.Fprintf(out, "%s\t", r.name)
	}
	fmt.Fprintln(out, "  list")
	over := 0
	for _, document := range firstPages {
		if o.only != "" && !strings.Contains(document, o.only) {
			continue
		}
		asked := document
		for _, kind := range []im.Kind{im.KindMember, im.KindDepartment, im.KindWorkspace, im.KindContact} {
			asked = strings.ReplaceAll(asked, "@"+strings.ToUpper(string(kind)), `"`+someID(w.company, kind)+`"`)
		}
		for _, r := range readers {
			took, err := w.took(ctx, gateway, r.member(w.company), asked, max(3, o.rounds))
			if err != nil {
				return fmt.Errorf("%s as %s: %w", document, r.name, err)
			}
			mark := ""
			if took > slow {
				mark, over = "*", over+1
			}
			fmt.Fprintf(out, "%s%.1f\t", mark, float64(took.Microseconds())/1000)
		}
		fmt.Fprintf(out, "  %s\n", document)
	}
	err = out.Flush()
	fmt.Printf("\n%d are over %s.\n", over, slow)
	return err
}

// took is how long an answer takes at the median, the first one apart.
func (w *world) took(ctx context.Context, gateway *process, member int, document string, rounds int) (time.Duration, error) {
	token, err := w.token(member)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(map[string]string{"query": "{ " + document + " }"})
	if err != nil {
		return 0, err
	}
	request := post(token, body)
	var took []time.Duration
	for range rounds + 1 {
		began := time.Now()
		answer, err := ask(ctx, gateway.addr, request)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
		if !strings.HasPrefix(string(answer), `{"data":{`) || strings.Contains(string(answer), `"errors"`) {
			return 0, fmt.Errorf("%.500s", answer)
		}
	}
	took = took[1:]
	slices.Sort(took)
	return took[len(took)/2], nil
}
