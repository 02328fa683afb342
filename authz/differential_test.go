package authz

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// grid enumerates requests: everybody in every standing, every action on what it is about, and objects that differ in one fact
// at a time and in the pairs that rules combine; and every action on what it is not about.
func grid(visit func(Request)) {
	actors := []Actor{
		chenguang, linyue, zhaomin, wangfang, sunli, zhenglan, fengtao, heyun, guping, tangxin, stranger, crm,
		with(wangfang, func(a *Actor) { a.Roles = []string{"hr", "dept_manager"} }),
		with(guping, func(a *Actor) { a.Roles = []string{"auditor", "super_admin"} }),
		with(wangfang, func(a *Actor) { a.Roles = []string{"wizard", "employee"} }),
		with(heyun, func(a *Actor) { a.Roles = []string{"legal", "it", "dept_manager"} }),
		with(tangxin, func(a *Actor) { a.Rank = 3 }),
		with(tangxin, func(a *Actor) { a.Rank = 4 }),
		with(sunli, func(a *Actor) { a.Employment = "DEPARTING" }),
		with(linyue, func(a *Actor) { a.LastHour = 21 }),
		with(zhaomin, func(a *Actor) { a.LastHour = 1_001 }),
		with(zhenglan, func(a *Actor) { a.LastHour = 251 }),
		standing(linyue, "FROZEN"), standing(wangfang, ""), standing(zhaomin, "EXPORT_ONLY"),
	}
	few := []Object{{}, {LastSuperAdmin: true}, {Mine: true}}
	wish := slices.Concat(few, []Object{
		{Relation: Superior}, {Relation: Subordinate}, {OwnsSharedGroup: true}, {ID: wangfang.ID}, {ID: chenguang.ID},
		{OnBehalf: true}, {Scope: "WORKSPACE"}, {Bulk: BulkPlain},
		{OnBehalf: true, Initiator: Initiator{ID: "i", Status: "ACTIVE"}}, {OnBehalf: true, ID: "i", Initiator: Initiator{ID: "i", Status: "ACTIVE"}},
		{OnBehalf: true, Initiator: Initiator{ID: "i", Status: "FROZEN", Relation: Superior}},
		{OnBehalf: true, Initiator: Initiator{ID: "i", Status: "ACTIVE", Relation: Subordinate, Auditor: true}},
		{OnBehalf: true, Initiator: Initiator{ID: "i", Status: "ACTIVE", Employment: "DEPARTING"}},
	})
	customer := slices.Concat(wish, []Object{
		{Importance: "KEY"}, {OpenValue: 0.01}, {OpenValue: 600_000}, {Importance: "NORMAL", Verified: true},
		{Importance: "KEY", OpenValue: 500_000}, {Importance: "KEY", OpenValue: 500_000.01}, {OwnDepartment: true},
		{Verified: true, OwnDepartment: true, Bulk: BulkPlain}, {Importance: "KEY", OpenValue: 500_000.01, Verified: true, Bulk: BulkApproved},
	})
	inGroup := slices.Clone(wish)
	for _, actor := range []string{"", PlaceMember, PlaceAdmin, PlaceOwner} {
		for _, target := range []string{"", PlaceMember, PlaceAdmin, PlaceOwner} {
			inGroup = append(inGroup, Object{ActorPlace: actor, Place: target})
		}
	}
	ending := slices.Clone(few)
	for _, k := range []string{"BLOCK", "ISOLATION", "GROUP_BLOCK"} {
		ending = append(ending, Object{Kind: k}, Object{Kind: k, Mine: true}, Object{Kind: k, Mine: true, Reviewed: true}, Object{Kind: k, Reviewed: true},
			Object{Kind: k, Mine: true, Reviewed: true, Pending: true}, Object{Kind: k, Pending: true, Reviewed: true})
	}
	states := slices.Clone(few)
	for _, from := range []string{"ACTIVE", "DISABLED"} {
		for _, to := range []string{"ACTIVE", "FROZEN", "DORMANT", "DISABLED"} {
			states = append(states, Object{Status: from, To: to}, Object{Status: from, To: to, Mine: true})
		}
	}
	rows := append(slices.Clone(few), Object{Rows: 100}, Object{Rows: 101, Mine: true}, Object{Rows: 1_000}, Object{Rows: 1_001, Kind: "BLACKLIST"}, Object{Rows: 10_001})
	lanes := append(slices.Clone(few), Object{Involuntary: true}, Object{OtherLane: true})
	for _, lane := range []string{LaneHR, LaneBusiness, LaneLegal, LaneIT} {
		lanes = append(lanes, Object{Lane: lane}, Object{Lane: lane, Relation: Subordinate}, Object{Lane: lane, OtherLane: true})
	}
	places := append(slices.Clone(few), Object{ActorPlace: PlaceMember}, Object{ActorPlace: PlaceAdmin}, Object{ActorPlace: PlaceOwner})
	pair := append(slices.Clone(few), Object{Party: true}, Object{Below: true}, Object{Candidate: true}, Object{Candidate: true, Mine: true}, Object{OwnPool: true})
	about := map[[2]string][]Object{
		{ActionBlock, TypeMember}: wish, {ActionBlock, TypeContact}: customer, {ActionIsolate, TypeMember}: wish, {ActionBlacklist, TypeContact}: customer,
		{ActionGroupBlock, TypeMember}: inGroup, {ActionLift, TypeRelationship}: ending, {ActionUndo, TypeRelationship}: ending, {ActionPrune, TypeRelationship}: few,
		{ActionBulk, TypeBulk}: rows, {ActionExport, TypeExport}: rows, {ActionRequestArchiveAccess, TypeArchive}: rows, {ActionDeleteContacts, TypeContact}: rows,
		{ActionDecideApproval, TypeApproval}: pair, {ActionCancelApproval, TypeApproval}: pair, {ActionCheckContact, TypePair}: pair,
		{ActionHandOver, TypeMember}: pair, {ActionClaimContacts, TypeContact}: pair, {ActionSetLegalHold, TypeMember}: lanes,
		{ActionSetAccountStatus, TypeAccount}: states, {ActionRemoveGroupMembers, TypeGroup}: places, {ActionDissolveGroup, TypeGroup}: places,
		{ActionSignOutDevices, TypeAccount}: few, {ActionUnlinkIdentity, TypeIdentity}: few, {ActionBindAccount, TypeAccount}: few,
		{ActionSyncWorkspace, TypeWorkspace}: few, {ActionResolveDrift, TypeAlert}: few, {ActionImportDirectory, TypeDirectory}: few,
		{ActionSendMessage, TypeMessage}: few, {ActionRecallMessage, TypeMessage}: few, {ActionAcknowledgeAlert, TypeAlert}: few,
		{ActionActivatePolicy, TypePolicy}: few,
	}
	for _, action := range []string{ActionOpenDeparture, ActionCancelDeparture, ActionPauseDeparture, ActionResumeDeparture, ActionConfirmDeparture,
		ActionCompleteDepartureStep, ActionRetryDepartureStep} {
		about[[2]string{action, TypeDeparture}] = lanes
	}
	for _, platform := range []string{"wecom", "native", "dingtalk", "feishu", "wechat", "agora", "pager", "zulip"} {
		for _, action := range append([]string{"dance"}, actions...) {
			for _, t := range append([]string{"", "moon"}, types...) {
				objects, fits := about[[2]string{action, t}]
				if !fits {
					objects = few[:1]
				}
				for i, a := range actors {
					if !fits && i%5 != 0 {
						continue
					}
					for _, o := range objects {
						o.Type = t
						visit(Request{Platform: platform, Action: action, Actor: a, Object: o,
							Env: Env{CustomerContact: platform == "native", OtherSuperAdmin: platform == "native"}})
					}
				}
			}
		}
	}
}

// tangle is a company file that uses what the shipped files do not: sets and roles of its own, links on one platform, every
// operator.
const tangle = `
g, intern, employee, wecom
g, wizard, intern, *
g2, lift, acme_touch
g2, block, acme_touch
g2, export, acme_more
g2, isolate, acme_more
g2, open_departure, acme_more
g2, confirm_departure, acme_more
p, acme.1, *, intern, acme_touch, *, r.sub.Rank <= 3 && r.sub.Rank >= 3 || r.obj.Mine != r.obj.Pending, deny, ,
p, acme.2, wecom, wizard, *, *, "!(r.obj.Mine == true) && !r.obj.Verified && 3 > r.sub.Rank", review, 2*legal+group_owner, alert:ACME
p, acme.3, default, anyone, block, contact, "r.obj.Importance in ('KEY', '') || r.sub.Rank != 5 && r.obj.OpenValue < 600000", review, hr, expire:1h
p, acme.4, native, dept_manager, block, *, (r.obj.Relation == '' || r.env.CustomerContact) && 'auditor' in r.sub.Roles, deny, ,
p, acme.5, *, anyone, acme_more, *, "r.obj.Rows >= 101 && r.sub.LastHour != 21 || r.obj.Bulk == 'plain' || r.obj.InitiatorID != r.sub.ID && r.obj.OnBehalf || r.obj.Lane in ('HR', 'IT') && !r.obj.OtherLane", review, hr, undo:any_time
p, acme.6, native, anyone, *, *, "r.obj.ActorPlace != r.obj.Place || r.obj.Status == r.obj.To && r.obj.OwnPool", deny, ,
p, default.block_member.employee, dingtalk, employee, block, member, r.sub.ID != r.obj.ID && !r.obj.Mine, review, manager_of_actor, undo:same_day
`

// TestDifferential holds the index and our conditions equal to Casbin's enforcer and Casbin's evaluator, on a part of the grid
// that is drawn, always the same: Casbin takes a while.
func TestDifferential(t *testing.T) {
	for _, c := range []struct {
		name   string
		engine *Engine
		oneIn  int
		least  int
	}{
		{"shipped", buildHouse(t), 5, 20_000},
		{"with a company", buildHouse(t, company(tangle)), 20, 5_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			draw := rand.New(rand.NewPCG(4, 2))
			compared, differ, outcomes := 0, 0, map[string]int{}
			grid(func(r Request) {
				if draw.IntN(c.oneIn) != 0 {
					return
				}
				got, err := c.engine.Decide(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				want, err := c.engine.Reference(t.Context(), r)
				if err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				compared++
				outcomes[string(got.Outcome)]++
				if !reflect.DeepEqual(got, want) && differ < 5 {
					differ++
					t.Errorf("%+v: %s by %s, casbin says %s by %s", r, got.Outcome, names(got), want.Outcome, names(want))
				}
			})
			t.Logf("%d decisions compared: %v", compared, outcomes)
			if compared < c.least || len(outcomes) != 3 {
				t.Errorf("the grid has shrunk: %d decisions, %v", compared, outcomes)
			}
		})
	}
}

// TestOrder: the order of lines and the spread over files never matter.
func TestOrder(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(tangle), "\n")
	slices.Reverse(lines)
	e, turned := buildHouse(t, company(tangle)), buildHouse(t, company(strings.Join(lines, "\n")))
	say := func(d Decision) string {
		rules := strings.Fields(names(d))
		slices.Sort(rules)
		return fmt.Sprint(d.Outcome, rules, d.Needs, d.Obligations)
	}
	grid(func(r Request) {
		a, _ := e.Decide(t.Context(), r)
		b, _ := turned.Decide(t.Context(), r)
		if say(a) != say(b) {
			t.Fatalf("%+v: %s, in reverse %s", r, say(a), say(b))
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	e := buildHouse(b)
	for _, c := range []struct {
		name string
		r    Request
	}{
		{"allow", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: spam}},
		{"review", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: contact("KEY", 1_200_000)}},
		{"deny", Request{Platform: "wecom", Action: ActionBlock, Actor: wangfang, Object: superior}},
		{"two roles", Request{Platform: "wecom", Action: ActionBlock, Actor: with(wangfang, func(a *Actor) { a.Roles = []string{"employee", "hr"} }), Object: spam}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decide(b.Context(), c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+", casbin", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Reference(b.Context(), c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScope(b *testing.B) {
	e := buildHouse(b)
	b.ReportAllocs()
	for b.Loop() {
		e.Scope(zhaomin, TypeContact)
	}
}

func BenchmarkBuild(b *testing.B) {
	s := house()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(s); err != nil {
			b.Fatal(err)
		}
	}
}
