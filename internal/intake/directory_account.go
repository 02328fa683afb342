package intake

import (
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

func (j *judge) account(f *form) outcome {
	w, wait := j.in(f)
	key := Place{w.ID, f.need("platformId", 128)}
	old, there := j.stand.Accounts[key]
	a := old
	if !there {
		a = im.Account{ID: j.IDs.New(), WorkspaceID: w.ID, PlatformID: key.PlatformID, Kind: im.HumanAccount, Status: im.AccountActive,
			StatusScope: im.FullScope, Version: 1}
	}
	noOwner := j.person(f, "member", &a.MemberID)
	oneOf(f, "kind", &a.Kind, im.HumanAccount, im.SharedAccount, im.BotAccount)
	changes := a.MemberID != old.MemberID || a.Kind != old.Kind
	if noOwner == nil && changes && j.gone[a.MemberID] && f.fault == nil {
		f.fault = &fault.Error{Code: fault.InvalidTransition, Key: "bind_departed", Path: []string{"member"}}
	}
	if noOwner == nil && a.MemberID != old.MemberID && j.ofSuper(old.MemberID) && f.fault == nil {
		f.fault = &fault.Error{Code: fault.PolicyDenied, Key: "import_super_account", Path: []string{"member"}}
	}
	if o, ok := f.settle(wait, noOwner, j.second(a, changes)); !ok {
		return o
	}
	o, wrote := put(f, there, old, a, im.Ref{Kind: im.KindAccount, ID: a.ID}, &j.out.Writes.Accounts)
	if wrote {
		if there { // as the store has it after this row
			a.Version++
		}
		j.stand.Accounts[key] = a
		j.moved(old, a)
		j.signOut(w, old, a)
		if a.MemberID != old.MemberID {
			b, set := im.AccountBinding{ID: j.IDs.New(), AccountID: a.ID, MemberID: a.MemberID, From: j.Now()}, &j.out.Writes.Bindings
			if there {
				set.Changed = append(set.Changed, b)
			} else {
				set.Made = append(set.Made, b)
			}
		}
		j.tell(o.subject, w.ID, !there)
		j.keep("a/"+w.ID.String()+key.PlatformID, a)
	}
	return o
}

// ofSuper reports whether what lets a person act may not be taken from him by a file that is taken in by a gateway: he is a super_admin,
// and if he is the last one another admin has to agree (C-14), which commands ask for.
func (j *judge) ofSuper(member im.ID) bool { return j.supers[member] && !j.imp.RequestedBy.IsZero() }

// binds says on whom, and where, a row puts an account that is not his yet, or not of that kind.
func (j *judge) binds(r *Row, w im.Workspace, member im.ID) (Tie, bool) {
	old := j.stand.Accounts[Place{w.ID, strings.TrimSpace(r.Get("platformId"))}]
	if member.IsZero() {
		member = old.MemberID
	}
	kind := r.Get("kind")
	same := member == old.MemberID && (kind == "" || strings.EqualFold(kind, string(old.Kind)))
	return Tie{w.ID, member}, !member.IsZero() && !same
}

// second is what keeps an account from being a person's own: he has one on the workspace already, which a later row may take from him
// (docs/decisions/0028).
func (j *judge) second(a im.Account, changes bool) *fault.Error {
	if !changes || a.MemberID.IsZero() || a.Kind != im.HumanAccount {
		return nil
	}
	if slices.ContainsFunc(j.stand.Own[Tie{a.WorkspaceID, a.MemberID}], func(id im.ID) bool { return id != a.ID }) {
		return &fault.Error{Code: fault.Conflict, Key: "bind_second", Path: []string{"member"}}
	}
	return nil
}

// moved notes for the later rows whose own an account is no more, and whose it is.
func (j *judge) moved(old, a im.Account) {
	note := func(x im.Account, change func([]im.ID) []im.ID) {
		if x.MemberID.IsZero() || x.Kind != im.HumanAccount {
			return
		}
		tie := Tie{x.WorkspaceID, x.MemberID}
		j.stand.Own[tie] = change(slices.Clone(j.stand.Own[tie]))
		j.keep(ownKey(tie), j.stand.Own[tie])
	}
	note(old, func(own []im.ID) []im.ID { return slices.DeleteFunc(own, func(id im.ID) bool { return id == a.ID }) })
	note(a, func(own []im.ID) []im.ID { return append(own, a.ID) })
}

// signOut ends all sessions of whoever has an account of his own no longer: they may have begun by it.
func (j *judge) signOut(w im.Workspace, old, a im.Account) {
	if old.MemberID.IsZero() || old.Kind != im.HumanAccount || a.MemberID == old.MemberID && a.Kind == im.HumanAccount {
		return
	}
	j.out.Unit.CutOffs = append(j.out.Unit.CutOffs, im.CutOff{MemberID: old.MemberID, From: j.Now()})
	if j.Own != nil && j.Own(w.Platform) {
		j.out.Unit.SignedOut = append(j.out.Unit.SignedOut, a.ID)
	}
}

// ownKey is where a dry run keeps somebody's own accounts on a workspace.
func ownKey(t Tie) string { return "w/" + t[0].String() + t[1].String() }
