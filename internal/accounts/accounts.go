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
	// IdentityFacts reads what a command on a login by another identity provider is decided on; nil where the viewer may not see
	// it.
	IdentityFacts(ctx context.Context, v im.Viewer, id im.ID) (*IdentityFacts, error)
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
	MemberID    im.ID // of a binding: whose it shall be
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
	To        im.Member // of a binding: whose it shall be; zero: nobody's, or nobody whom the viewer sees
	// Second: that person has another account of his own there.
	Second bool
	// Lapsed: its temporary unfreeze has run out, and nobody has written that down yet.
	Lapsed bool
	// OtherSuperAdmin: somebody else can act there as super_admin.
	OtherSuperAdmin bool
	// Stops is how many accounts the viewer has frozen or disabled of late.
	Stops   int
	Pending []im.Approval // that wait on it
}

// person is whom a command is about: who gets the account, else who has it; zero: nobody.
func (f Facts) person() im.Member {
	if !f.To.ID.IsZero() {
		return f.To
	}
	return f.Member
}

// name is what the trail calls the account: the name of whom the command is about.
func (f Facts) name() string {
	if p := f.person(); !p.ID.IsZero() {
		return p.Name
	}
	return f.Account.PlatformID
}

// about is whose data key seals what is written about it.
func (f Facts) about() im.ID {
	if p := f.person(); !p.ID.IsZero() {
		return p.ID
	}
	return im.Company
}

// asked is what a viewer's question is about.
func (f Facts) asked(v im.Viewer) command.Asked {
	return command.Asked{By: v.ID(), Target: f.ref(), WorkspaceID: f.Workspace.ID}
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
	// Of a binding.
	MemberID im.ID          // whose it shall be; zero: nobody's
	Kind     im.AccountKind // what it shall be; empty: what it is
}

// wish is what of a request its approval keeps.
type wish struct {
	To    im.AccountStatus `json:"to,omitempty"`
	Until time.Time        `json:"until,omitzero"`
	Scope im.AccountScope  `json:"scope,omitempty"`

	MemberID im.ID          `json:"member,omitzero"`
	Kind     im.AccountKind `json:"kind,omitempty"`
}

func (r Request) wish() []byte {
	b, err := json.Marshal(wish{r.To, r.Until.UTC(), r.Scope, r.MemberID, r.Kind})
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

// Bind puts an account on another person, or on nobody, and may make another kind of account of it. Faults, in this order:
// INVALID_INPUT, NOT_FOUND, POLICY_DENIED, INVALID_TRANSITION, CONFLICT.
func (s *Service) Bind(ctx context.Context, c command.Call, r Request) (Result, error) {
	r.Action = authz.ActionBindAccount
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
		d, f, err := s.person(ctx, c, r.Action, word(im.Account{}, r), im.Ref{Kind: im.KindAccount, ID: r.AccountID}, r.To)
		if err != nil {
			return Result{}, err
		}
		return Result{Decision: d, Faults: []*fault.Error{f}}, nil
	}
	return command.Run(ctx, s.desk, r.Action, c, r, as, func(ctx context.Context) (res Result, u ledger.Unit, err error) {
		if f := s.check(r); f != nil {
			return failed(f), u, nil
		}
		f, err := s.facts(ctx, c.Viewer, r, s.o.Now(), time.Time{})
		if err != nil {
			return res, u, err
		}
		if f == nil {
			return failed(command.Missing("accountId", "not_found_account")), u, nil
		}
		if f.To.ID != r.MemberID {
			return failed(command.Missing("memberId", "not_found_member")), u, nil
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
		if no := refuses(*f, r); no != nil {
			return refuse(no)
		}
		if d.Outcome == im.Review {
			if i := slices.IndexFunc(f.Pending, func(a im.Approval) bool { return a.Action == r.Action && a.StateAt(s.o.Now()) == im.ApprovalPending }); i >= 0 {
				return refuse(command.InTheWay("conflict_review", im.Ref{Kind: im.KindApproval, ID: f.Pending[i].ID}))
			}
			res.Approval = s.desk.Ask(&u, im.Approval{Action: r.Action, Subject: f.ref(), WorkspaceID: f.Workspace.ID, RequestedBy: c.Viewer.ID(),
				Reason: r.Reason, About: f.about(), Request: r.wish(), RequestHash: s.bind(*f, r)}, d, candidates)
			return res, u, nil
		}
		done := s.carryOut(&u, *f, r, c.Viewer.ID(), d.ID, s.stopsWith(c.Viewer, *f, r))
		res.Account = &done
		return res, u, nil
	})
}

// revive puts what the record of a key does not hold back into a result.
func (s *Service) revive(ctx context.Context, res *Result) error {
	all := im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindAccount: {im.ScopeAll}}}
	if a := res.Account; a != nil {
		found, err := s.store.Accounts(ctx, all, []im.ID{a.ID})
		if err != nil {
			return err
		}
		a.PlatformID = found[a.ID].PlatformID
	}
	return s.reviveApproval(ctx, res.Approval)
}

// reviveApproval puts back why an approval was asked for; nil: there is none.
func (s *Service) reviveApproval(ctx context.Context, a *im.Approval) error {
	if a == nil {
		return nil
	}
	found, err := s.store.Approvals(ctx, im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindApproval: {im.ScopeAll}}}, []im.ID{a.ID})
	if err == nil {
		a.Reason = found[a.ID].Reason
	}
	return err
}

// person refuses to a service what is for persons, as policy says and as it is written down. It is asked before any fact is
// read, so that a service learns nothing of what it may not touch.
func (s *Service) person(ctx context.Context, c command.Call, action, word string, on im.Ref, to im.AccountStatus) (*im.Decision, *fault.Error, error) {
	d, err := s.desk.Judge(ctx, command.Asked{By: c.Viewer.ID(), Target: on}, ofService(c.Viewer, action, on, to))
	if err != nil {
		return nil, nil, err
	}
	if d.Outcome != im.Deny { // a company cannot allow what there is no way to do
		return nil, fault.New(fault.InvalidInput, "persons_only"), nil
	}
	err = s.store.Post(ctx, ledger.Unit{Decisions: []im.Decision{d}, Events: []im.AuditEvent{s.desk.Event(c, word, d, on, "", im.Company, "")}})
	if err != nil {
		return nil, nil, err
	}
	s.o.Wake()
	return &d, command.Denied(d), nil
}

// ofService is the question whether a service may do something, of which nothing is known but the scopes of its key.
func ofService(v im.Viewer, action string, on im.Ref, to im.AccountStatus) authz.Request {
	return authz.Request{Action: action, Actor: authz.Actor{ID: v.ID().String(), Roles: v.Service.Scopes, Status: string(im.AccountActive)},
		Object: authz.Object{Type: string(on.Kind), ID: on.ID.String(), To: string(to)}}
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

// facts reads what a command of a viewer at now is decided on.
func (s *Service) facts(ctx context.Context, v im.Viewer, r Request, now, before time.Time) (*Facts, error) {
	return s.store.AccountFacts(ctx, Query{Viewer: v, AccountID: r.AccountID, MemberID: r.MemberID, Now: now, Before: before,
		SuperAdmins: s.o.Policy.Engine().Implying(superAdmin)})
}

// superAdmin is the role of whom the company must not be left without.
const superAdmin = "super_admin"

// stops reports whether a status keeps a person out.
func stops(to im.AccountStatus) bool { return to == im.AccountFrozen || to == im.AccountDisabled }

// leaves reports whether a request takes somebody out who can act there as super_admin.
func (s *Service) leaves(f Facts, r Request) bool {
	roles := s.o.Policy.Engine().Implying(superAdmin)
	out := r.Action == authz.ActionSetAccountStatus && r.To != im.AccountActive || r.Action == authz.ActionBindAccount && r.MemberID != f.Account.MemberID
	return out && f.Account.Standing() == string(im.AccountActive) && f.Member.Employment == im.Employed &&
		slices.ContainsFunc(f.Member.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// question is what policy is asked: whether a viewer may have what is requested.
func (s *Service) question(v im.Viewer, f Facts, r Request) authz.Request {
	m := v.Member
	q := authz.Request{Platform: f.Workspace.Platform, Action: r.Action,
		Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: f.Standing,
			Employment: string(m.Employment)},
		Object: authz.Object{Type: authz.TypeAccount, ID: f.Account.ID.String(), Status: string(f.Account.Status), To: string(r.To),
			Mine: f.Account.MemberID == m.ID, LastSuperAdmin: s.leaves(f, r) && !f.OtherSuperAdmin},
		Env: authz.Env{CustomerContact: f.Workspace.CustomerContact, Regions: command.Regions(m.Region, f.Workspace.Region, f.Member.Region, f.To.Region)}}
	if stops(r.To) {
		q.Actor.LastHour = f.Stops + 1
	}
	return q
}

// decide asks policy whether a viewer may have what is requested.
func (s *Service) decide(ctx context.Context, v im.Viewer, f Facts, r Request) (im.Decision, error) {
	return s.desk.Judge(ctx, f.asked(v), s.question(v, f, r))
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
func refuses(f Facts, r Request) *fault.Error {
	a := f.Account
	switch r.Action {
	case authz.ActionSetAccountStatus:
	case authz.ActionBindAccount:
		return refusesBinding(f, r)
	default:
		return nil
	}
	may := next[a.Status]
	if !a.StatusUntil.IsZero() && r.To != im.AccountFrozen {
		return fault.New(fault.InvalidTransition, "transition_unfrozen")
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
	switch r.Action {
	case authz.ActionSignOutDevices:
		return "account.sign_out"
	case authz.ActionBindAccount:
		if r.MemberID.IsZero() {
			return "account.unbind"
		}
		return "account.bind"
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
	out := r.takes(a) // whoever is signed in by it is so no more
	switch r.Action {
	case authz.ActionSetAccountStatus:
		a.Status, a.StatusScope, a.StatusUntil = r.To, im.FullScope, time.Time{}
		if !r.Until.IsZero() {
			a.StatusScope, a.StatusUntil = r.Scope, r.Until
		}
		a.Version++
		held.Account, held.ByID, held.At = a, by, now
		held.ID, held.About, held.Account.StatusReason = s.o.IDs.New(), f.about(), r.Reason
		u.AccountSteps = append(u.AccountSteps, held)
	case authz.ActionBindAccount:
		a = s.bindTo(u, f, r, held.SuperAdmins)
	case authz.ActionSignOutDevices:
		out = true
	}
	if human := f.Account.Kind == im.HumanAccount && !f.Member.ID.IsZero(); human && (out || stops(r.To)) {
		u.CutOffs = append(u.CutOffs, s.o.CutOff(f.Member.ID))
	}
	if out && s.o.Platforms.Own(f.Workspace.ID) { // what another platform does with its devices is its own to tell
		u.SignedOut = append(u.SignedOut, f.Account.ID)
	}
	u.Changes = append(u.Changes, im.DirectoryChange(s.o.IDs.New(), now, f.ref(), im.Updated, f.Workspace.ID))
	if r.Action == authz.ActionBindAccount { // whose it is, the gateway alone says
		return a
	}
	u.Intents = append(u.Intents, im.Intent{ID: s.o.IDs.New(), Key: r.Action + ":" + f.Account.ID.String() + ":" + decision.String(), Kind: r.Action,
		WorkspaceID: f.Workspace.ID, Subject: f.ref(), TargetID: f.Account.ID, State: im.DeliveryNotNeeded, CreatedAt: now, SettledAt: now})
	return a
}

// approvers asks who may agree. Neither whose it is nor whose it shall be is ever one.
func approvers(f Facts, requester im.ID) approval.Query {
	q := approval.Query{RequesterID: requester, InitiatorID: requester, TargetID: f.person().ID, WorkspaceID: f.Workspace.ID}
	if q.TargetID != f.Member.ID {
		q.BesideID = f.Member.ID
	}
	return q
}

// bind is what an approval stands for: the request, and what the account was; of a binding also who it is that gets the account,
// and that nothing refuses it to him.
func (s *Service) bind(f Facts, r Request) []byte {
	a := f.Account
	parts := []string{r.Action, a.ID.String(), a.MemberID.String(), string(a.Status), string(r.wish())}
	if r.Action == authz.ActionBindAccount {
		parts = append(parts, string(a.Kind), string(f.To.Employment))
		if no := refusesBinding(f, r); no != nil {
			parts = append(parts, no.Key)
		}
	}
	return s.store.Fingerprint([]byte(strings.Join(parts, "|")))
}

// everything is what whoever decides an approval may see of its subject.
var everything = map[im.Kind]im.Scope{im.KindAccount: {im.ScopeAll}, im.KindMember: {im.ScopeAll}}

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
	seeing.Scopes = everything
	r := Request{Action: a.Action, AccountID: a.Subject.ID, Reason: a.Reason, To: w.To, Until: w.Until, Scope: w.Scope, MemberID: w.MemberID, Kind: w.Kind}
	f, err := s.facts(ctx, seeing, r, s.o.Now(), time.Time{})
	if err != nil || f == nil {
		return nil, err
	}
	return &matter{s, *f, r, a}, nil
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
func (m *matter) Bind() []byte { return m.s.bind(m.f, m.r) }

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
	seeing.Scopes = everything
	f, err := m.s.facts(ctx, seeing, m.r, m.s.o.Now(), m.a.CreatedAt)
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
	r := Request{Action: authz.ActionSetAccountStatus, AccountID: id, To: im.AccountFrozen}
	f, err := s.facts(ctx, im.Viewer{}, r, s.o.Now(), time.Time{})
	if err != nil || f == nil || !f.Lapsed {
		return err
	}
	u.Events = append(u.Events, s.desk.Event(command.Call{}, "account.refreeze", im.Decision{WorkspaceID: f.Workspace.ID}, f.ref(), f.name(), f.about(), ""))
	s.carryOut(u, *f, r, im.ID{}, u.Events[0].ID, ledger.AccountStep{})
	return nil
}
