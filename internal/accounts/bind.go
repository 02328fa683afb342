package accounts

import (
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// kind is what a binding makes of an account.
func (r Request) kind(a im.Account) im.AccountKind {
	if r.Kind == "" {
		return a.Kind
	}
	return r.Kind
}

// takes reports whether a request takes an account from the person whose own it is.
func (r Request) takes(a im.Account) bool {
	return r.Action == authz.ActionBindAccount && a.Kind == im.HumanAccount && !a.MemberID.IsZero() &&
		(r.MemberID != a.MemberID || r.kind(a) != im.HumanAccount)
}

// refusesBinding says why an account cannot come to whom it is wanted for; nil where it can. A person has one account of his own on a
// workspace: it is by that one that he is known there.
func refusesBinding(f Facts, r Request) *fault.Error {
	a, kind := f.Account, r.kind(f.Account)
	switch {
	case a.MemberID == r.MemberID && a.Kind == kind:
		return fault.New(fault.InvalidTransition, "bind_same")
	case f.To.Employment == im.Departed:
		return fault.New(fault.InvalidTransition, "bind_departed")
	case kind == im.HumanAccount && f.Second:
		return command.InTheWay("bind_second", f.To.Ref())
	}
	return nil
}

// bindTo writes down whose an account is from now on. superAdmins is as in [ledger.Binding].
func (s *Service) bindTo(u *ledger.Unit, f Facts, r Request, superAdmins []string) im.Account {
	a := f.Account
	a.MemberID, a.Kind, a.Version = r.MemberID, r.kind(a), a.Version+1
	u.Bindings = append(u.Bindings, ledger.Binding{ID: s.o.IDs.New(), Account: a, Before: f.Account.MemberID, Reason: r.Reason, About: f.about(),
		At: s.o.Now(), SuperAdmins: superAdmins})
	return a
}
