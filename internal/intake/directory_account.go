package intake

import "github.com/guanxi-im/guanxi/internal/im"

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
	if o, ok := f.settle(wait, noOwner); !ok {
		return o
	}
	o, wrote := put(f, there, old, a, im.Ref{Kind: im.KindAccount, ID: a.ID}, &j.out.Writes.Accounts)
	if wrote {
		if there { // as the store has it after this row
			a.Version++
		}
		j.stand.Accounts[key] = a
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
