package db

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// statusAt is the status of account a at a moment: a temporary unfreeze ends by itself. Its ? is the moment.
const statusAt = "case when a.status_until <= ? then 'FROZEN' else a.status end"

// standingAt is its standing (im.Account.Standing) at a moment.
const standingAt = "case when a.status_until <= ? then 'FROZEN' when a.status = 'ACTIVE' and a.status_scope = 'EXPORT_ONLY' then 'EXPORT_ONLY' else a.status end"

// bestStanding adds how member m stands where no workspace is in question: the best of what is his own where the company is, and
// only where he has none there, on personal messengers; null where nothing is his own.
func (s *Store) bestStanding(q *builder, now time.Time) *builder {
	q.add("(select b.standing from (select w.platform, "+standingAt+` as standing from accounts a join workspaces w on w.id = a.workspace_id
		where a.member_id = m.id and a.kind = 'HUMAN') b order by `, us(now))
	if len(s.personal) > 0 {
		list, args := in(s.personal)
		q.add("b.platform in "+list+", ", args...)
	}
	return q.add("case b.standing when 'ACTIVE' then 0 when 'EXPORT_ONLY' then 1 when 'DORMANT' then 2 when 'FROZEN' then 3 else 4 end limit 1)")
}

// inFullUse says of account x that its person may do with it what policy lets him, at a moment.
const inFullUse = "x.status = 'ACTIVE' and x.status_scope = 'FULL' and (x.status_until is null or x.status_until > ?)"

// ownFirst picks of somebody's accounts x on a workspace the one by which he stands there: his own, where there is one.
const ownFirst = "order by x.kind <> 'HUMAN', x.id limit 1"

// accountsLock is the advisory lock under which accounts are written whose steps hang on other accounts.
const accountsLock = 0x6163636f756e7473

// stops counts the accounts that somebody has frozen or disabled since a moment, up to another or (zero) all that are written: by
// the clocks of several writers, what is written first need not be what happened first. Ids are in the order of time.
func stops(q *builder, by im.ID, since, until time.Time) *builder {
	q.add(`(select count(*) from account_steps t where t.by_id = ? and t.id >= ? and t.at > ? and t.status in ('FROZEN', 'DISABLED')`,
		by, im.IDAt(since), us(since))
	if !until.IsZero() {
		q.add(" and t.at <= ?", us(until))
	}
	return q.add(")")
}

// otherSuperAdmin says that somebody else than the person of account a can act with one of some roles on its workspace.
func otherSuperAdmin(q *builder, roles []string, now time.Time) *builder {
	list, args := in(roles)
	return q.add(`exists (select 1 from member_roles mr join members m on m.id = mr.member_id
		where m.id is distinct from a.member_id and m.employment = 'ACTIVE' and mr.role in `+list, args...).
		add(" and (select "+inFullUse+" from accounts x where x.workspace_id = a.workspace_id and x.member_id = m.id "+ownFirst+"))", us(now))
}

// hasOwn says that a person has an account of his own, another than this, on the workspace of account a.
func (q *builder) hasOwn(member, account im.ID) *builder {
	return q.add("exists (select 1 from accounts x where x.workspace_id = a.workspace_id and x.member_id = ? and x.kind = 'HUMAN' and x.id <> ?)", member, account)
}

// AccountFacts reads what a command on an account is decided on, in one round trip.
func (s *Store) AccountFacts(ctx context.Context, q accounts.Query) (*accounts.Facts, error) {
	var f accounts.Facts
	found := false
	// With its version in the very row: between two statements somebody may have changed it.
	account := new(builder).add("select a.version, "+accountColumns+" from accounts a where a.id = ?", q.AccountID)
	if !q.Viewer.ID().IsZero() {
		account.add(" and ").visibleTo(q.Viewer, im.KindAccount)
	}
	around := new(builder).add("select "+workspaceColumns+", ").account(q.Viewer.ID(), q.Now).add(", ")
	stops(around, q.Viewer.ID(), q.Since(), q.Before).add(", ")
	otherSuperAdmin(around, q.SuperAdmins, q.Now).add(", ")
	if q.MemberID.IsZero() {
		around.add("false")
	} else {
		around.hasOwn(q.MemberID, q.AccountID)
	}
	around.add(" from accounts a join workspaces w on w.id = a.workspace_id where a.id = ?", q.AccountID)
	var version int
	var mine im.Account
	w := &f.Workspace
	ss := []stmt{
		account.stmt(func(r row) error {
			raw, err := scanAccount(behind{r, []any{&version}})
			f.Account = raw.At(q.Now)
			found, f.Lapsed = true, f.Account != raw
			return err
		}),
		around.stmt(func(r row) error {
			return r.Scan(&w.ID, &w.Name, &w.Platform, &w.Region, &w.TimeZone, &w.CustomerContact,
				textOf(&mine.Status), textOf(&mine.StatusScope), &f.Stops, &f.OtherSuperAdmin, &f.Second)
		}),
		stmt{text: "select " + memberColumns + " from members m where m.id = (select a.member_id from accounts a where a.id = ?)", args: []any{q.AccountID},
			scan: func(r row) (err error) {
				f.Member, err = scanMember(r)
				return err
			}},
	}
	if !q.MemberID.IsZero() {
		to := new(builder).add("select "+memberColumns+" from members m where m.id = ?", q.MemberID)
		if !q.Viewer.ID().IsZero() {
			to.add(" and ").visibleTo(q.Viewer, im.KindMember)
		}
		ss = append(ss, to.stmt(func(r row) (err error) {
			f.To, err = scanMember(r)
			return err
		}))
	}
	err := s.read(ctx, ss...)
	if err != nil || !found {
		return nil, unavailable(err, "read facts of an account")
	}
	f.Account.Version, f.Standing = version, mine.Standing()
	f.Pending, err = s.approvals(ctx, pendingOn(q.AccountID))
	return &f, err
}

// IdentityFacts reads what a command on a login by another identity provider is decided on.
func (s *Store) IdentityFacts(ctx context.Context, v im.Viewer, id im.ID) (*accounts.IdentityFacts, error) {
	var f accounts.IdentityFacts
	q := new(builder).add("select "+identityColumns+", "+memberColumns+" from identity_links i join members m on m.id = i.member_id where i.id = ?", id)
	if !v.ID().IsZero() {
		q.add(" and ").visibleTo(v, im.KindMember)
	}
	found := false
	err := s.read(ctx, q.stmt(func(r row) (err error) {
		found = true
		l := &f.Link
		f.Member, err = scanMember(behind{r, []any{&l.ID, &l.MemberID, &l.Provider, &l.Subject, &l.Personal, stamp{&l.LinkedAt}}})
		return err
	}))
	if err != nil || !found {
		return nil, unavailable(err, "read facts of a login")
	}
	f.Pending, err = s.approvals(ctx, pendingOn(id))
	return &f, err
}

// pendingOn asks for the approvals that wait on a subject.
func pendingOn(subject im.ID) *builder {
	return new(builder).add("select "+approvalColumns+" from approvals a where a.subject_id = ? and a.state = 'PENDING' order by a.id", subject)
}

// Lapsed reads the accounts whose temporary unfreeze has run out.
func (s *Store) Lapsed(ctx context.Context, now time.Time, limit int) (out []im.ID, err error) {
	err = s.read(ctx, stmt{text: "select a.id from accounts a where a.status_until <= ? order by a.status_until limit ?", args: []any{us(now), limit},
		scan: func(r row) error {
			var id im.ID
			err := r.Scan(&id)
			out = append(out, id)
			return err
		}})
	return out, unavailable(err, "read what is to be frozen again")
}

// accountStmts writes accounts as they shall be, and who wanted it.
func accountStmts(w *writing, u ledger.Unit) (ss []stmt) {
	for _, t := range u.AccountSteps {
		a := t.Account
		q := new(builder).add("update accounts as a set status = ?, status_until = ?, status_scope = ?, status_reason = ?, version = ? where a.id = ? and a.version = ?",
			a.Status, us(a.StatusUntil), a.StatusScope, w.seal(t.About, a.StatusReason, placeStatus, a.ID), a.Version, a.ID, a.Version-1)
		if c := t.Counted; c != nil {
			stops(q.add(" and "), c.InitiatorID, c.Since, time.Time{}).add(" = ?", c.N)
		}
		if t.SuperAdmins != nil {
			otherSuperAdmin(q.add(" and "), t.SuperAdmins, t.At)
		}
		step := q.stmt(nil)
		step.want = 1
		ss = append(ss, step, stmt{text: "insert into account_steps (id, account_id, by_id, status, at) values (?, ?, ?, ?, ?)",
			args: []any{t.ID, a.ID, t.ByID, a.Status, us(t.At)}})
	}
	for _, b := range u.Bindings {
		a := b.Account
		q := new(builder).add("update accounts as a set member_id = ?, kind = ?, version = ? where a.id = ? and a.version = ?", a.MemberID, a.Kind, a.Version, a.ID, a.Version-1)
		if !a.MemberID.IsZero() {
			q.add(" and exists (select 1 from members m where m.id = ? and m.employment <> 'DEPARTED')", a.MemberID)
			if a.Kind == im.HumanAccount {
				q.add(" and not ").hasOwn(a.MemberID, a.ID)
			}
		}
		if b.SuperAdmins != nil {
			otherSuperAdmin(q.add(" and "), b.SuperAdmins, b.At)
		}
		step := q.stmt(nil)
		step.want = 1
		ss = append(ss, step)
		if a.MemberID == b.Before { // it is another kind of account, and nobody else's
			continue
		}
		ss = append(ss, stmt{text: "update account_bindings set until_at = ? where account_id = ? and until_at is null", args: []any{us(b.At), a.ID}},
			stmt{text: "insert into account_bindings (id, account_id, member_id, from_at, reason) values (?, ?, ?, ?, ?)",
				args: []any{b.ID, a.ID, a.MemberID, us(b.At), w.seal(b.About, b.Reason, placeBinding, b.ID)}})
	}
	for _, id := range u.Unlinked {
		ss = append(ss, stmt{text: "delete from identity_links where id = ?", args: []any{id}, want: 1})
	}
	for _, id := range u.SignedOut {
		ss = append(ss, stmt{text: "update devices set signed_in = false where account_id = ? and signed_in", args: []any{id}})
	}
	return ss
}
