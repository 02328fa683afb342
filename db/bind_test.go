package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// person is a member of the demo by employee number.
func (w *world) person(no string) im.ID {
	w.t.Helper()
	for _, m := range w.co.Members {
		if m.EmployeeNo == no {
			return m.ID
		}
	}
	w.t.Fatalf("the demo has no %s", no)
	return im.ID{}
}

// account is somebody's account on a workspace, by the platform's id.
func (w *world) account(workspace, platformID string) im.Account {
	w.t.Helper()
	for _, place := range w.co.Workspaces {
		for _, a := range w.co.Accounts {
			if place.Name == workspace && a.WorkspaceID == place.ID && a.PlatformID == platformID {
				return a
			}
		}
	}
	w.t.Fatalf("the demo has no %s on %s", platformID, workspace)
	return im.Account{}
}

// binding puts an account, as it is now, on somebody.
func (w *world) binding(a im.Account, to im.ID, kind im.AccountKind) ledger.Unit {
	w.t.Helper()
	f, err := w.AccountFacts(w.t.Context(), accounts.Query{AccountID: a.ID, MemberID: to, Now: now})
	must(w.t, err)
	before := f.Account.MemberID
	a = f.Account
	a.MemberID, a.Kind, a.Version = to, kind, a.Version+1
	return ledger.Unit{Bindings: []ledger.Binding{{ID: ids.New(), Account: a, Before: before, Reason: "because", About: im.Company, At: now}}}
}

// A binding is not written where what it was decided on has changed meanwhile.
func TestStaleBindings(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		mine, other := w.account("feishu-hq", "mengjie015"), w.account("feishu-hq", "shanxiaoyu016")
		wang, li := w.person("004"), w.person("005")
		for what, x := range map[string]struct {
			unit      ledger.Unit
			meanwhile func()
		}{
			"nothing":                  {w.binding(mine, wang, im.HumanAccount), func() {}},
			"it came to somebody else": {w.binding(mine, wang, im.HumanAccount), func() { must(t, w.Post(t.Context(), w.binding(mine, li, im.HumanAccount))) }},
			"it was frozen": {w.binding(mine, wang, im.HumanAccount), func() {
				f, err := w.AccountFacts(t.Context(), accounts.Query{AccountID: mine.ID, Now: now})
				must(t, err)
				a := f.Account
				a.Status, a.Version = im.AccountFrozen, a.Version+1
				must(t, w.Post(t.Context(), ledger.Unit{AccountSteps: []ledger.AccountStep{{ID: ids.New(), Account: a, About: im.Company, At: now}}}))
			}},
			"an import has moved it": {w.binding(mine, wang, im.HumanAccount), func() {
				w.takeIn(w.Store, `{"type":"account","workspace":"feishu-hq","platformId":"mengjie015","member":"013"}`)
			}},
			"an import has made another kind of it": {w.binding(mine, wang, im.HumanAccount), func() {
				w.takeIn(w.Store, `{"type":"account","workspace":"feishu-hq","platformId":"mengjie015","kind":"BOT"}`)
			}},
			"he has one of his own": {w.binding(mine, li, im.HumanAccount), func() { must(t, w.Post(t.Context(), w.binding(other, li, im.HumanAccount))) }},
			"he has left":           {w.binding(mine, w.person("013"), im.SharedAccount), func() { w.exec("update members set employment = 'DEPARTED' where employee_no = '013'") }},
			"nobody else is super_admin": {func() ledger.Unit {
				u := w.binding(mine, wang, im.HumanAccount)
				u.Bindings[0].SuperAdmins = []string{"super_admin"}
				return u
			}(), func() { w.exec("delete from member_roles where role = 'super_admin'") }},
		} {
			w.exec("update accounts set member_id = ?, kind = 'HUMAN', status = 'ACTIVE', version = ? where id = ?", mine.MemberID, x.unit.Bindings[0].Account.Version-1, mine.ID)
			w.exec("update accounts set member_id = ? where id = ?", other.MemberID, other.ID)
			w.exec("update members set employment = 'ACTIVE' where employee_no = '013'")
			x.meanwhile()
			if err := w.Post(t.Context(), x.unit); errors.Is(err, ledger.ErrStale) == (what == "nothing") {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// overtaken is a store of imports before whose first batch somebody else does something.
type overtaken struct {
	intake.Store
	first func()
}

func (o *overtaken) PrepareRows(ctx context.Context, b intake.Batch) (func(context.Context) error, error) {
	if o.first != nil {
		o.first()
		o.first = nil
	}
	return o.Store.PrepareRows(ctx, b)
}

// takeIn takes a file in whose one row holds.
func (w *world) takeIn(s intake.Store, file string) im.Import {
	w.t.Helper()
	i := w.taken(s, file)
	if i.State != im.JobDone || i.Accepted+i.Unchanged != 1 {
		w.t.Fatalf("the import of %s: %+v", file, i)
	}
	return i
}

// taken takes a file in.
func (w *world) taken(s intake.Store, file string) im.Import {
	w.t.Helper()
	jobs := intake.New(s, intake.Options{Now: clock, IDs: ids, Kinds: map[im.ImportKind]intake.Kind{im.DirectoryImport: &intake.Directory{Store: s, Now: clock, IDs: ids}}})
	i, err := jobs.TakeIn(w.t.Context(), im.Import{Kind: im.DirectoryImport, FileHash: []byte(file), FileSize: int64(len(file)), Encoding: "utf-8"},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewBufferString(file)), nil }, func(im.Import) {})
	must(w.t, err)
	return i
}

// An import that looked at an account before it came to somebody does not put it back: of what it does not say it changes nothing.
func TestImportAfterBinding(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		account, wang := w.account("feishu-hq", "mengjie015"), w.person("004")
		bind := func() { must(t, w.Post(t.Context(), w.binding(account, wang, im.HumanAccount))) }
		w.takeIn(&overtaken{w.Store, bind}, `{"type":"account","workspace":"feishu-hq","platformId":"mengjie015","kind":"SHARED"}`)
		f, err := w.AccountFacts(t.Context(), accounts.Query{AccountID: account.ID, Now: now})
		must(t, err)
		same(t, "whose it is", wang, f.Account.MemberID)
		same(t, "what it is", im.SharedAccount, f.Account.Kind)
		same(t, "its version", 3, f.Account.Version)
		spans, err := w.BindingsOf(t.Context(), []im.ID{account.ID})
		must(t, err)
		same(t, "who had it", 2, len(spans[account.ID]))
		same(t, "why", im.Text("because"), spans[account.ID][0].Reason)
	})
}

// An import that looked before somebody came to another account of his own, or left, looks again, and does not put a second one on him.
func TestImportBesideBinding(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		theirs, another := w.account("feishu-hq", "mengjie015"), w.account("feishu-hq", "shanxiaoyu016")
		wang, li, tang := w.person("004"), w.person("005"), w.person("013")
		row := func(account, member string) string {
			return fmt.Sprintf(`{"type":"account","workspace":"feishu-hq","platformId":%q,"member":%q}`, account, member)
		}
		for _, x := range []struct {
			what, file string
			meanwhile  func()
			refused    string
		}{
			{"nothing", row("mengjie015", "004"), func() {}, ""},
			{"he comes to another one", row("mengjie015", "005"), func() { must(t, w.Post(t.Context(), w.binding(another, li, im.HumanAccount))) }, "bind_second"},
			{"he comes to another one, and this is new", row("new", "005"), func() { must(t, w.Post(t.Context(), w.binding(another, li, im.HumanAccount))) }, "bind_second"},
			{"he leaves", row("mengjie015", "013"), func() { w.exec("update members set employment = 'DEPARTED' where id = ?", tang) }, "bind_departed"},
			{"he leaves, and this is new", row("new", "013"), func() { w.exec("update members set employment = 'DEPARTED' where id = ?", tang) }, "bind_departed"},
		} {
			w.exec("update accounts set member_id = ? where id = ?", theirs.MemberID, theirs.ID)
			w.exec("update accounts set member_id = ? where id = ?", another.MemberID, another.ID)
			w.exec("update members set employment = 'ACTIVE' where id = ?", tang)
			i := w.taken(&overtaken{w.Store, x.meanwhile}, x.file)
			rows, err := w.Rejected(t.Context(), i.ID, 0, 10)
			must(t, err)
			got := ""
			if len(rows) > 0 {
				got = rows[0].Note.Key
			}
			same(t, x.what, x.refused, got)
			if f, err := w.AccountFacts(t.Context(), accounts.Query{AccountID: theirs.ID, Now: now}); x.refused == "" {
				must(t, err)
				same(t, "whose it is", wang, f.Account.MemberID)
			}
		}
	})
}

// A message is not written where its sender or the member whom it goes to has come to stand otherwise since it was looked at.
func TestStaleMessages(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		w := newWorld(t, dsn)
		from, to := w.account("native", "wangfang004"), w.account("native", "liqiang005")
		sending := func() ledger.Unit {
			m := im.Message{ID: ids.New(), WorkspaceID: from.WorkspaceID, ConversationID: ids.New(), Sender: im.Ref{Kind: im.KindMember, ID: from.MemberID},
				Recipient: im.Ref{Kind: im.KindMember, ID: to.MemberID}, Kind: im.TextMessage, Text: "你好", SentAt: now}
			return ledger.Unit{Sent: []ledger.Sending{{Message: m, Standing: string(im.AccountActive)}}}
		}
		set := func(a im.Account, status im.AccountStatus, scope im.AccountScope) {
			w.exec("update accounts set status = ?, status_scope = ?, member_id = ?, kind = 'HUMAN' where id = ?", string(status), string(scope), a.MemberID, a.ID)
		}
		desk := w.account("wecom-hq", "qiantai")
		for _, x := range []struct {
			what      string
			meanwhile func()
			written   bool
		}{
			{"nothing", func() {}, true},
			{"the sender is frozen", func() { set(from, im.AccountFrozen, im.FullScope) }, false},
			{"the sender only takes his own out", func() { set(from, im.AccountActive, im.ExportOnlyScope) }, false},
			{"who gets it is frozen", func() { set(to, im.AccountFrozen, im.FullScope) }, false},
			{"who gets it sleeps", func() { set(to, im.AccountDormant, im.FullScope) }, false},
			{"who gets it only takes his own out", func() { set(to, im.AccountActive, im.ExportOnlyScope) }, false},
			{"who gets it is frozen again by now", func() { w.exec("update accounts set status_until = ? where id = ?", now.UnixMicro(), to.ID) }, false},
			{"who gets it is so no longer", func() { w.exec("update accounts set status_until = null where id = ?", to.ID) }, true},
			{"who gets it has no account", func() { must(t, w.Post(t.Context(), w.binding(to, im.ID{}, im.HumanAccount))) }, false},
			{"who gets it has one again", func() { set(to, im.AccountActive, im.FullScope) }, true},
			{"who gets it is frozen, and keeps another", func() {
				set(to, im.AccountFrozen, im.FullScope)
				w.exec("update accounts set workspace_id = ?, member_id = ? where id = ?", to.WorkspaceID, to.MemberID, desk.ID)
			}, false},
		} {
			x.meanwhile()
			if err := w.Post(t.Context(), sending()); (err == nil) != x.written || err != nil && !errors.Is(err, ledger.ErrStale) {
				t.Errorf("%s: %v", x.what, err)
			}
			set(from, im.AccountActive, im.FullScope)
			if !x.written && x.what != "who gets it is frozen again by now" && x.what != "who gets it has no account" {
				set(to, im.AccountActive, im.FullScope)
			}
		}
	})
}
