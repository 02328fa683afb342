// Package accounts is the use-case of accounts on workspaces: their status (账号状态), and the sessions of whom they belong to.
package accounts

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// Store is what the use-case reads and writes.
type Store interface {
	command.Store
	// AccountFacts reads what a command on an account is decided on; nil where the viewer may not see it. The zero viewer is
	// the gateway itself and sees everything.
	AccountFacts(ctx context.Context, q Query) (*Facts, error)
	// Accounts reads accounts by id.
	Accounts(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Account, error)
	// Approvals reads approvals by id.
	Approvals(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Approval, error)
	// Lapsed reads the accounts whose temporary unfreeze has run out, the earliest first.
	Lapsed(ctx context.Context, now time.Time, limit int) ([]im.ID, error)
}

// Query asks for what a command on an account is decided on.
type Query struct {
	Viewer      im.Viewer
	AccountID   im.ID
	Now         time.Time
	Before      time.Time // what the viewer did of late is of late before this moment; zero: all that he did, an hour back from Now
	SuperAdmins []string  // the directory roles that imply super_admin
}

// Facts is an account with what is known around it.
type Facts struct {
	Account   im.Account // as it is now, by the clock
	Workspace im.Workspace
	Standing  string    // of the viewer's account there
	Member    im.Member // whose it is; zero: nobody's
	// Lapsed: its temporary unfreeze has run out, and nobody has written that down yet.
	Lapsed bool
	// OtherSuperAdmin: somebody else can act there as super_admin.
	OtherSuperAdmin bool
	// Stops is how many accounts the viewer has frozen or disabled of late.
	Stops   int
	Pending []im.Approval // that wait on it
}

// name is what the trail calls the account: its person's name.
func (f Facts) name() string {
	if f.Member.ID.IsZero() {
		return f.Account.PlatformID
	}
	return f.Member.Name
}

// about is whose data key seals what is written about it.
func (f Facts) about() im.ID {
	if f.Member.ID.IsZero() {
		return im.Company
	}
	return f.Member.ID
}

func (f Facts) ref() im.Ref { return im.Ref{Kind: im.KindAccount, ID: f.Account.ID} }

// Options are what the service needs beside its store.
type Options struct {
	Policy    authz.Source
	Platforms *platform.Connections
	// Viewer reads a member afresh, with the rights of this moment: a request is decided again when it is carried out.
	Viewer func(ctx context.Context, id im.ID) (im.Viewer, error)
	// CutOff is what ends all sessions of a member that began before now.
	CutOff func(member im.ID) im.CutOff
	Now    func() time.Time
	IDs    *im.IDs
	Wake   func() // called after each write
	// Deliver carries intents out on their platforms, as far as that goes in the time that a command may wait.
	Deliver func(ctx context.Context, intents []im.Intent)
}

// Service is the use-case.
type Service struct {
	store Store
	desk  *command.Desk
	o     Options
}

// New makes the service.
func New(s Store, o Options) *Service {
	return &Service{s, &command.Desk{Store: s, Policy: o.Policy, Now: o.Now, IDs: o.IDs, Wake: o.Wake, Deliver: o.Deliver}, o}
}

// Request is what is asked of an account.
type Request struct {
	Action    string
	AccountID im.ID
	Reason    im.Text
	// Of a change of status.
	To    im.AccountStatus
	Until time.Time // of a temporary unfreeze: when it freezes again by itself
	Scope im.AccountScope
}

// wish is what of a request its approval keeps.
type wish struct {
	To    im.AccountStatus `json:"to,omitempty"`
	Until time.Time        `json:"until,omitzero"`
	Scope im.AccountScope  `json:"scope,omitempty"`
}

func (r Request) wish() []byte {
	b, err := json.Marshal(wish{r.To, r.Until.UTC(), r.Scope})
	if err != nil { // there is nothing in it that could not be written
		panic(err)
	}
	return b
}

// Result is what came of a command.
type Result struct {
	Decision    *im.Decision   `json:"decision,omitempty"`
	Account     *im.Account    `json:"account,omitempty"` // as the command left it
	Approval    *im.Approval   `json:"approval,omitempty"`
	Enforcement im.Enforcement `json:"enforcement,omitempty"`
	Faults      []*fault.Error `json:"faults,omitempty"`
}

// SetStatus changes what an account may do. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED,
// INVALID_TRANSITION, CONFLICT.
func (s *Service) SetStatus(ctx context.Context, c command.Call, r Request) (Result, error) {
	r.Action = authz.ActionSetAccountStatus
	if r.Scope == "" {
		r.Scope = im.FullScope
	}
	return s.carry(ctx, c, r)
}

// SignOut ends all sessions of the person behind an account, at every replica. Faults, in this order: INVALID_INPUT, NOT_FOUND,
// POLICY_DENIED, CONFLICT.
func (s *Service) SignOut(ctx context.Context, c command.Call, r Request) (Result, error) {
	r.Action = authz.ActionSignOutDevices
	return s.carry(ctx, c, r)
}

func failed(f *fault.Error) Result { return Result{Faults: []*fault.Error{f}} }

func (s *Service) carry(ctx context.Context, c command.Call, r Request) (Result, error) {
	as := command.Answers[Result]{Failed: failed, Revive: s.revive}
	if c.Viewer.IsService() {
		return s.person(ctx, c, r)
	}
	return command.Run(ctx, s.desk, r.Action, c, r, as, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := s.check(r); f != nil {
			return failed(f), u, nil
		}
		f, err := s.facts(ctx, c.Viewer, r.AccountID, time.Time{})
		if err != nil {
			return res, u, err
		}
		if f == nil {
			return failed(command.Missing("accountId", "not_found_account")), u, nil
		}
		d, err := s.decide(ctx, c.Viewer, *f, r)
		if err != nil {
			return res, u, err
		}
		var candidates []im.Candidate
		if d.Outcome == im.Review {
			if d.Needs, candidates, err = s.desk.Resolve(ctx, d.Needs, approvers(*f, c.Viewer.ID())); err != nil {
				return res, u, err
			}
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.desk.Event(c, word(f.Account, r), d, f.ref(), f.name(), f.about(), detail(r)))
		res = Result{Decision: &d, Account: &f.Account, Enforcement: s.enforcement(f.Workspace)}
		refuse := func(no *fault.Error) (Result, ledger.Unit, error) {
			if d.Outcome != im.Deny {
				u.Events[0].Prevented = string(no.Code)
			}
			res.Faults = []*fault.Error{command.On(f.Workspace.ID, d, no)}
			return res, u, nil
		}
		if d.Outcome == im.Deny {
			return refuse(command.Denied(d))
		}
		if no := refuses(f.Account, r); no != nil {
			return refuse(no)
		}
		if d.Outcome == im.Review {
			if i := slices.IndexFunc(f.Pending, func(a im.Approval) bool { return a.Action == r.Action && a.StateAt(s.o.Now()) == im.ApprovalPending }); i >= 0 {
				return refuse(command.InTheWay("conflict_review", im.Ref{Kind: im.KindApproval, ID: f.Pending[i].ID}))
			}
			res.Approval = s.desk.Ask(&u, im.Approval{Action: r.Action, Subject: f.ref(), WorkspaceID: f.Workspace.ID, RequestedBy: c.Viewer.ID(),
				Reason: r.Reason, About: f.about(), Request: r.wish(), RequestHash: s.bind(f.Account, r)}, d, candidates)
			return res, u, nil
		}
		done := s.carryOut(&u, *f, r, c.Viewer.ID(), d.ID, s.stopsWith(c.Viewer, *f, r))
		res.Account = &done
		return res, u, nil
	})
}

// revive puts what the record of a key does not hold back into a result.
func (s *Service) revive(ctx context.Context, res *Result) error {
	all := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindAccount: {im.ScopeAll}, im.KindApproval: {im.ScopeAll}, im.KindAudit: {im.ScopeAll}}}
	if a := res.Account; a != nil {
		found, err := s.store.Accounts(ctx, all, []im.ID{a.ID})
		if err != nil {
			return err
		}
		a.PlatformID = found[a.ID].PlatformID
	}
	if a := res.Approval; a != nil {
		found, err := s.store.Approvals(ctx, all, []im.ID{a.ID})
		if err != nil {
			return err
		}
		a.Reason = found[a.ID].Reason
	}
	return nil
}

// person refuses to a service what is for persons, as policy says and as it is written down. It is asked before any fact is
// read, so that a service learns nothing of what it may not touch.
func (s *Service) person(ctx context.Context, c command.Call, r Request) (Result, error) {
	on := im.Ref{Kind: im.KindAccount, ID: r.AccountID}
	v := c.Viewer.Service
	d, err := s.desk.Judge(ctx, command.Asked{By: v.ID, Target: on}, authz.Request{Action: r.Action,
		Actor:  authz.Actor{ID: v.ID.String(), Roles: v.Scopes, Status: string(im.AccountActive)},
		Object: authz.Object{Type: authz.TypeAccount, ID: on.ID.String(), To: string(r.To)}})
	if err != nil {
		return Result{}, err
	}
	if d.Outcome != im.Deny { // a company cannot allow what there is no way to do
		return failed(fault.New(fault.InvalidInput, "persons_only")), nil
	}
	err = s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{d},
		Events: []im.AuditEvent{s.desk.Event(c, word(im.Account{}, r), d, on, "", im.Company, "")}})
	if err != nil {
		return Result{}, err
	}
	s.o.Wake()
	return Result{Decision: &d, Faults: []*fault.Error{command.Denied(d)}}, nil
}

// check checks what needs no facts.
func (s *Service) check(r Request) *fault.Error {
	if f := command.CheckText("reason", r.Reason, true); f != nil {
		return f
	}
	temporary := !r.Until.IsZero()
	switch {
	case temporary && r.To != im.AccountActive:
		return fault.Input("until", "until_unfreeze")
	case temporary && !r.Until.After(s.o.Now()):
		return fault.Input("until", "until_past")
	case r.Scope == im.ExportOnlyScope && !temporary:
		return fault.Input("scope", "scope_until")
	}
	return nil
}

// facts reads what a command of a viewer is decided on.
func (s *Service) facts(ctx context.Context, v im.Viewer, account im.ID, before time.Time) (*Facts, error) {
	return s.store.AccountFacts(ctx, Query{Viewer: v, AccountID: account, Now: s.o.Now(), Before: before, SuperAdmins: s.o.Policy.Engine().Implying(superAdmin)})
}

// superAdmin is the role of whom the company must not be left without.
const superAdmin = "super_admin"

// stops reports whether a status keeps a person out.
func stops(to im.AccountStatus) bool { return to == im.AccountFrozen || to == im.AccountDisabled }

// leaves reports whether a request takes somebody out who can act there as super_admin.
func (s *Service) leaves(f Facts, r Request) bool {
	roles := s.o.Policy.Engine().Implying(superAdmin)
	return r.Action == authz.ActionSetAccountStatus && r.To != im.AccountActive && f.Account.Standing() == string(im.AccountActive) &&
		f.Member.Employment == im.Employed && slices.ContainsFunc(f.Member.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// decide asks policy whether a viewer may have what is requested.
func (s *Service) decide(ctx context.Context, v im.Viewer, f Facts, r Request) (im.Decision, error) {
	m := v.Member
	q := authz.Request{Platform: f.Workspace.Platform, Action: r.Action,
		Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: f.Standing,
			Employment: string(m.Employment)},
		Object: authz.Object{Type: authz.TypeAccount, ID: f.Account.ID.String(), Status: string(f.Account.Status), To: string(r.To),
			Mine: f.Account.MemberID == m.ID, LastSuperAdmin: s.leaves(f, r) && !f.OtherSuperAdmin},
		Env: authz.Env{CustomerContact: f.Workspace.CustomerContact, Regions: command.Regions(m.Region, f.Workspace.Region, f.Member.Region)}}
	if stops(r.To) {
		q.Actor.LastHour = f.Stops + 1
	}
	return s.desk.Judge(ctx, command.Asked{By: v.ID(), Target: f.ref(), WorkspaceID: f.Workspace.ID}, q)
}

// next is the statuses that an account may come to from each (REQUIREMENTS 1.4).
var next = map[im.AccountStatus][]im.AccountStatus{
	im.AccountActive:   {im.AccountFrozen, im.AccountDormant},
	im.AccountFrozen:   {im.AccountActive, im.AccountDisabled},
	im.AccountDormant:  {im.AccountActive, im.AccountFrozen, im.AccountDisabled},
	im.AccountDisabled: {im.AccountFrozen},
}

// refuses says why an account cannot come to where it is wanted; nil where it can. What is unfrozen for a time can only be frozen
// again.
func refuses(a im.Account, r Request) *fault.Error {
	if r.Action != authz.ActionSetAccountStatus {
		return nil
	}
	may := next[a.Status]
	if !a.StatusUntil.IsZero() {
		may = []im.AccountStatus{im.AccountFrozen}
	}
	if !slices.Contains(may, r.To) || !r.Until.IsZero() && a.Status != im.AccountFrozen {
		var names []string
		for _, to := range may {
			names = append(names, string(to))
		}
		return fault.New(fault.InvalidTransition, "transition_account", string(a.Status), strings.Join(names, ", "))
	}
	return nil
}

// word is what the trail calls a request.
func word(a im.Account, r Request) string {
	if r.Action != authz.ActionSetAccountStatus {
		return "account.sign_out"
	}
	switch r.To {
	case im.AccountFrozen:
		return "account.freeze"
	case im.AccountDormant:
		return "account.rest"
	case im.AccountDisabled:
		return "account.disable"
	}
	if a.Status == im.AccountFrozen {
		return "account.unfreeze"
	}
	return "account.wake"
}

// detail is the reason; of a temporary unfreeze also until when, and how much of it.
func detail(r Request) im.Text {
	if r.Until.IsZero() {
		return r.Reason
	}
	return r.Reason + im.Text("\n"+r.Until.UTC().Format(time.RFC3339)+" "+string(r.Scope))
}

// enforcement is how far a command on an account is carried out on its platform: the gateway's own it obeys itself, and no
// adapter has a way to reach another's yet.
func (s *Service) enforcement(w im.Workspace) im.Enforcement {
	if s.o.Platforms.Own(w.ID) {
		return im.EnforcedNative
	}
	return im.EnforcedRecorded
}

// stopsWith is what must still hold when a step is written that policy let through as it stood.
func (s *Service) stopsWith(v im.Viewer, f Facts, r Request) ledger.AccountStep {
	var held ledger.AccountStep
	if stops(r.To) {
		held.Counted = &ledger.Counted{InitiatorID: v.ID(), Since: s.o.Now().Add(-lately), N: f.Stops}
	}
	if s.leaves(f, r) && f.OtherSuperAdmin {
		held.SuperAdmins = s.o.Policy.Engine().Implying(superAdmin)
	}
	return held
}

// lately is what r.sub.LastHour counts back.
const lately = time.Hour

// Since is from when on what the viewer did is of late.
func (q Query) Since() time.Time {
	if q.Before.IsZero() {
		return q.Now.Add(-lately)
	}
	return q.Before.Add(-lately)
}

// carryOut puts what was requested into the unit. held is what must hold when it is written.
func (s *Service) carryOut(u *ledger.Unit, f Facts, r Request, by, decision im.ID, held ledger.AccountStep) im.Account {
	now, a := s.o.Now(), f.Account
	if r.Action == authz.ActionSetAccountStatus {
		a.Status, a.StatusScope, a.StatusUntil = r.To, im.FullScope, time.Time{}
		if !r.Until.IsZero() {
			a.StatusScope, a.StatusUntil = r.Scope, r.Until
		}
		a.Version++
		held.Account, held.ByID, held.At = a, by, now
		held.ID, held.About, held.Account.StatusReason = s.o.IDs.New(), f.about(), r.Reason
		u.AccountSteps = append(u.AccountSteps, held)
	}
	if human := f.Account.Kind == im.HumanAccount && !f.Member.ID.IsZero(); human && (stops(r.To) || r.Action == authz.ActionSignOutDevices) {
		u.CutOffs = append(u.CutOffs, s.o.CutOff(f.Member.ID))
	}
	if r.Action == authz.ActionSignOutDevices && s.o.Platforms.Own(f.Workspace.ID) { // what another platform does with its devices is its own to tell
		u.SignedOut = append(u.SignedOut, f.Account.ID)
	}
	u.Changes = append(u.Changes, im.DirectoryChange(s.o.IDs.New(), now, f.ref(), im.Updated, f.Workspace.ID))
	u.Intents = append(u.Intents, im.Intent{ID: s.o.IDs.New(), Key: r.Action + ":" + f.Account.ID.String() + ":" + decision.String(), Kind: r.Action,
		WorkspaceID: f.Workspace.ID, Subject: f.ref(), TargetID: f.Account.ID, State: im.DeliveryNotNeeded, CreatedAt: now, SettledAt: now})
	return a
}

// approvers asks who may agree to something about an account. Its own person is never one.
func approvers(f Facts, requester im.ID) approval.Query {
	return approval.Query{RequesterID: requester, InitiatorID: requester, TargetID: f.Member.ID, WorkspaceID: f.Workspace.ID}
}

// bind is what an approval stands for: the request, and the status that the account had.
func (s *Service) bind(a im.Account, r Request) []byte {
	return s.store.Fingerprint([]byte(strings.Join([]string{r.Action, a.ID.String(), a.MemberID.String(), string(a.Status), string(r.wish())}, "|")))
}

// matter is what of an account waits for agreement.
type matter struct {
	s *Service
	f Facts
	r Request
	a im.Approval
}

// Matter reads what an approval is about; nil where that is gone.
func (s *Service) Matter(ctx context.Context, v im.Viewer, a im.Approval) (approval.Matter, error) {
	var w wish
	if err := json.Unmarshal(a.Request, &w); err != nil {
		return nil, fault.Wrap(err, "decode the request of an approval")
	}
	// Whoever may see the approval may see what of its subject is needed to decide it.
	seeing := v
	seeing.Scopes = map[im.Kind]im.Scope{im.KindAccount: {im.ScopeAll}}
	f, err := s.facts(ctx, seeing, a.Subject.ID, time.Time{})
	if err != nil || f == nil {
		return nil, err
	}
	return &matter{s, *f, Request{Action: a.Action, AccountID: a.Subject.ID, Reason: a.Reason, To: w.To, Until: w.Until, Scope: w.Scope}, a}, nil
}

// Place is where the account is.
func (m *matter) Place() (im.Workspace, string, string) {
	return m.f.Workspace, m.f.Standing, m.f.name()
}

// Approvers asks who may agree.
func (m *matter) Approvers() approval.Query { return approvers(m.f, m.a.RequestedBy) }

// Made is nobody: nothing about an account is made by review.
func (m *matter) Made() []im.Need { return nil }

// Bind is the request on the account as it stands.
func (m *matter) Bind() []byte { return m.s.bind(m.f.Account, m.r) }

// Again asks policy anew. What the requester did of late is of late when he asked for it.
func (m *matter) Again(ctx context.Context) (im.Decision, error) {
	requester, err := m.s.o.Viewer(ctx, m.a.RequestedBy)
	gone := fault.Is(err, fault.Unauthenticated) // who left meanwhile has no standing anywhere (C-04)
	if gone {
		requester, err = im.Viewer{Member: im.Member{ID: m.a.RequestedBy}}, nil
	}
	if err != nil {
		return im.Decision{}, err
	}
	seeing := requester
	seeing.Scopes = map[im.Kind]im.Scope{im.KindAccount: {im.ScopeAll}}
	f, err := m.s.facts(ctx, seeing, m.a.Subject.ID, m.a.CreatedAt)
	if err != nil || f == nil {
		return im.Decision{}, err
	}
	if gone {
		f.Standing = ""
	}
	return m.s.decide(ctx, requester, *f, m.r)
}

// CarryOut does what was agreed to, where policy still lets it and the time that it was asked for has not run out.
func (m *matter) CarryOut(u *ledger.Unit, a im.Approval, again im.Decision) {
	if again.Outcome == im.Deny || !m.r.Until.IsZero() && !m.r.Until.After(m.s.o.Now()) {
		return
	}
	u.Events = append(u.Events, m.s.desk.Event(command.Call{}, word(m.f.Account, m.r), im.Decision{ID: again.ID, WorkspaceID: m.f.Workspace.ID, Outcome: again.Outcome},
		m.f.ref(), m.f.name(), m.f.about(), detail(m.r)))
	m.s.carryOut(u, m.f, m.r, a.RequestedBy, again.ID, ledger.AccountStep{})
}

// Drop leaves the account as it is.
func (m *matter) Drop(*ledger.Unit, im.Approval, bool) {}

// RunDue freezes again what was unfrozen for a time that has run out, so that the trail and subscribers hear of it; nobody had to
// wait for that, as every read judges the time by itself. It answers how many there were.
func (s *Service) RunDue(ctx context.Context) (int, error) {
	const batch = 100
	n := 0
	for {
		due, err := s.store.Lapsed(ctx, s.o.Now(), batch)
		if err != nil {
			return n, err
		}
		for _, id := range due {
			if err := s.desk.Sweep(ctx, func(u *ledger.Unit) error { return s.refreeze(ctx, u, id) }); err != nil {
				return n, err
			}
			n++
		}
		if len(due) < batch {
			return n, nil
		}
	}
}

func (s *Service) refreeze(ctx context.Context, u *ledger.Unit, id im.ID) error {
	f, err := s.facts(ctx, im.Viewer{}, id, time.Time{})
	if err != nil || f == nil || !f.Lapsed {
		return err
	}
	r := Request{Action: authz.ActionSetAccountStatus, AccountID: id, To: im.AccountFrozen}
	u.Events = append(u.Events, s.desk.Event(command.Call{}, "account.refreeze", im.Decision{WorkspaceID: f.Workspace.ID}, f.ref(), f.name(), f.about(), ""))
	s.carryOut(u, *f, r, im.ID{}, u.Events[0].ID, ledger.AccountStep{})
	return nil
}
