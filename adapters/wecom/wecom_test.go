package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/wecom/sim"
)

var discard = slog.New(slog.DiscardHandler)

// request is a blacklisting of the contact that wangfang004 and liqiang005 follow.
func wish(owner adapters.MemberID, held *adapters.Snapshot) adapters.BlacklistRequest {
	return adapters.BlacklistRequest{Call: adapters.Call{Key: "k"}, Owner: owner, Contact: "wm_haikang", Held: held}
}

// side is one member's side of a contact as it stands on WeCom.
func (c *company) side(contact, owner string) sim.Follow {
	c.t.Helper()
	var state sim.Seed
	c.control(http.MethodGet, "state", "", &state)
	for _, x := range state.Contacts {
		for _, f := range x.Follows {
			if x.ExternalUserID == contact && f.UserID == owner {
				return f
			}
		}
	}
	c.t.Fatalf("%s does not follow %s", owner, contact)
	return sim.Follow{}
}

func TestBlacklistTouchesOneSideOnly(t *testing.T) {
	c := start(t, seed())
	a := c.open(discard, nil).(*messenger).Adapter
	other := c.side("wm_haikang", "liqiang005")
	res, err := a.Blacklist(t.Context(), wish("WangFang004", nil)) // userids are the same in any case
	if err != nil {
		t.Fatal(err)
	}
	got := c.side("wm_haikang", "wangfang004")
	if got.Remark != "【黑名单】老周" || len(got.Tags) != 0 {
		t.Errorf("remark %q, tags %q", got.Remark, got.Tags)
	}
	if got.RemarkMobiles[0] != phone {
		t.Error("the phone number of the remark is gone")
	}
	if now := c.side("wm_haikang", "liqiang005"); now.Remark != other.Remark || !slices.Equal(now.Tags, other.Tags) {
		t.Errorf("the other's side is now %+v", now)
	}
	if got, want := c.effects(), []string{"remark_changed", "tags_removed"}; !slices.Equal(got, want) {
		t.Errorf("effects %q, want %q", got, want)
	}
	if res.Enforcement != adapters.Emulated || res.Snapshot.Tags[0] != (adapters.Tag{ID: "et_east", Name: "华东", Group: "等级"}) {
		t.Errorf("%+v", res)
	}
}

func TestPersonalTagsStayAndAreNamed(t *testing.T) {
	a := start(t, seed()).open(discard, nil).(*messenger).Adapter
	res, err := a.Blacklist(t.Context(), wish("liqiang005", nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Short) != 1 || res.Short[0].What != "personal tags: 1" || res.Short[0].Code != adapters.ShortNotOurs {
		t.Errorf("short of %v", res.Short)
	}
	s, err := a.Blacklisted(t.Context(), "liqiang005", "wm_haikang")
	if err != nil || !s.Listed {
		t.Errorf("listed %t (%v): what cannot be taken off must not look like drift", s.Listed, err)
	}
}

// The answer to the removal of the tags is lost, and with the process everything but what the caller has stored.
func TestSnapshotOutlivesTheProcess(t *testing.T) {
	c := start(t, seed())
	before, err := c.open(discard, nil).(*messenger).Adapter.Blacklisted(t.Context(), "wangfang004", "wm_haikang")
	if err != nil {
		t.Fatal(err)
	}
	c.faults(`{"match":"*/mark_tag","dropResponse":true,"times":1}`)
	res, err := c.open(discard, nil).(*messenger).Adapter.Blacklist(t.Context(), wish("wangfang004", &before.Snapshot))
	if adapters.CodeOf(err) != adapters.Indeterminate || !res.Changed {
		t.Fatalf("%v, changed %t", err, res.Changed)
	}
	a := c.open(discard, nil).(*messenger).Adapter
	if res, err = a.Blacklist(t.Context(), wish("wangfang004", &before.Snapshot)); err != nil || res.Changed {
		t.Fatalf("changed %t (%v)", res.Changed, err)
	}
	if _, err = a.Unblacklist(t.Context(), wish("wangfang004", &res.Snapshot)); err != nil {
		t.Fatal(err)
	}
	if got := c.side("wm_haikang", "wangfang004"); got.Remark != "老周" || !slices.Equal(got.Tags, []string{"et_east", "et_key"}) {
		t.Errorf("after undo: %+v", got)
	}
}

func TestRemarks(t *testing.T) {
	const long = "一二三四五六七八九十一二三四五六七八九十"
	for _, tt := range []struct {
		name, before, edited string
		lift                 bool // without tags
		marked, after        string
		short                bool
	}{
		{name: "plain", before: "老周", marked: "【黑名单】老周", after: "老周"},
		{name: "cut short", before: long, marked: "【黑名单】" + string([]rune(long)[:15]), after: long},
		{name: "cut short, and lifted", before: long, lift: true, marked: "【黑名单】" + string([]rune(long)[:15]), after: long},
		{name: "not cut within a character", before: "🧧🧧🧧🧧🧧🧧🧧🧧", marked: "【黑名单】🧧🧧🧧🧧🧧🧧🧧", after: "🧧🧧🧧🧧🧧🧧🧧🧧"},
		{name: "rewritten behind the mark", before: "老周", marked: "【黑名单】老周", edited: "【黑名单】周总", after: "周总"},
		{name: "none", before: "", marked: "【黑名单】", after: "周采购", short: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := seed()
			s.Contacts[0].Follows[0].Remark = tt.before
			c := start(t, s)
			a := c.open(discard, nil).(*messenger).Adapter
			res, err := a.Blacklist(t.Context(), wish("wangfang004", nil))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.side("wm_haikang", "wangfang004").Remark; got != tt.marked {
				t.Errorf("marked %q, want %q", got, tt.marked)
			}
			if tt.edited != "" {
				if err := a.remark(t.Context(), "wangfang004", "wm_haikang", tt.edited); err != nil {
					t.Fatal(err)
				}
			}
			held := res.Snapshot
			if tt.lift {
				held.Tags = nil
			}
			undo, err := a.Unblacklist(t.Context(), wish("wangfang004", &held))
			if err != nil || (len(undo.Short) > 0) != tt.short {
				t.Fatalf("short of %v (%v)", undo.Short, err)
			}
			got := c.side("wm_haikang", "wangfang004")
			if got.Remark != tt.after || (len(got.Tags) == 0) != tt.lift {
				t.Errorf("after: %q with tags %q, want %q", got.Remark, got.Tags, tt.after)
			}
		})
	}
}

func TestMembers(t *testing.T) {
	a := start(t, seed()).open(discard, nil).(*messenger).Adapter
	got := map[adapters.MemberID]adapters.Member{}
	for m, err := range adapters.Each(t.Context(), 2, a.Members) {
		if err != nil {
			t.Fatal(err)
		}
		got[m.ID] = m
	}
	if m := got["zhaomin003"]; m.Primary != "2" || !slices.Equal(m.Departments, []adapters.DepartmentID{"2", "1"}) || !slices.Equal(m.Leads, []adapters.DepartmentID{"2"}) || m.State != adapters.AccountActive {
		t.Errorf("%+v", m)
	}
	if m := got["wangfang004"]; m.Title != "客户经理" || !slices.Equal(m.Managers, []adapters.MemberID{"zhaomin003"}) {
		t.Errorf("%+v", m)
	}
	if x, y := got["LiQiang005"].State, got["sunli006"].State; x != adapters.AccountDisabled || y != adapters.AccountNotActivated {
		t.Errorf("states %s and %s", x, y)
	}
}

// Many empty departments cost many calls: a page gives up after some, and the walk goes on.
func TestMembersBehindEmptyDepartments(t *testing.T) {
	s := seed()
	for id := range int64(3 * departmentsPerPage) {
		s.Departments = append(s.Departments, sim.Department{ID: 100 + id, Name: "空", ParentID: 1})
	}
	s.Departments = append(s.Departments, sim.Department{ID: 999, Name: "末", ParentID: 1})
	s.Members = append(s.Members, sim.Member{UserID: "last", Name: "末", Departments: []int64{999}, Status: sim.Activated})
	c := start(t, s)
	a := c.open(discard, nil).(*messenger).Adapter
	n := 0
	for range adapters.Each(t.Context(), 1000, a.Members) {
		n++
	}
	if n != len(s.Members) {
		t.Errorf("%d members, want %d", n, len(s.Members))
	}
}

// A member without contacts is answered with an error, which is an empty list.
func TestContactsOfNobody(t *testing.T) {
	c := start(t, seed())
	a := c.open(discard, nil).(*messenger).Adapter
	c.faults(`{"match":"*/get_by_user","errcode":84061}`)
	if p, err := a.Contacts(t.Context(), "sunli006", "", 10); err != nil || len(p.Items) != 0 || p.Next != "" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Each secret has a token of its own, and the directory is read with the directory's.
func TestSecrets(t *testing.T) {
	c := start(t, seed())
	a := c.open(discard, map[string]string{optDirectory: dirSecret}).(*messenger).Adapter
	if _, err := a.Departments(t.Context(), "", 10); err != nil {
		t.Fatal(err)
	}
	if err := a.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.wire.tokens.Load(); n != 2 {
		t.Errorf("%d tokens, want one for each secret", n)
	}
	b := c.open(discard, map[string]string{optSecret: dirSecret}).(*messenger).Adapter
	if err := b.Check(t.Context()); adapters.CodeOf(err) != adapters.PermissionDenied {
		t.Errorf("%v", err)
	}
}

// vendor answers all calls in one way, beside tokens.
func vendor(t *testing.T, answer http.HandlerFunc) (a *Adapter, tokens *atomic.Int32) {
	t.Helper()
	tokens = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/gettoken" && r.URL.Query().Get("corpsecret") == secret {
			tokens.Add(1)
			_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":7200}`)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	opened, err := adapters.Open(platform, map[string]string{optBase: s.URL, optCorp: corp, optSecret: secret},
		adapters.Env{HTTP: s.Client(), Log: discard, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return opened.(*Adapter), tokens
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// A token that never holds is renewed once for each call, and not for ever.
func TestTokenIsRenewedOnce(t *testing.T) {
	for _, code := range []string{tokenInvalid, tokenExpired} {
		a, tokens := vendor(t, say(`{"errcode":`+code+`,"errmsg":"access_token expired"}`))
		if err := a.Check(t.Context()); adapters.CodeOf(err) != adapters.Unauthenticated {
			t.Errorf("%s: %v", code, err)
		}
		if n := tokens.Load(); n != 2 {
			t.Errorf("%s: %d tokens, want the first and one renewal", code, n)
		}
	}
}

// An address that goes on trying a wrong secret is shut out for an hour.
func TestWrongSecretIsNotTriedAgain(t *testing.T) {
	var tries atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		_, _ = io.WriteString(w, `{"errcode":40001,"errmsg":"invalid credential"}`)
	}))
	defer s.Close()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	a, err := adapters.Open(platform, map[string]string{optBase: s.URL, optCorp: corp, optSecret: secret},
		adapters.Env{HTTP: s.Client(), Log: discard, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		later time.Duration
		want  int32
	}{{0, 1}, {0, 1}, {refusal - time.Second, 1}, {time.Second, 2}} {
		now = now.Add(tt.later)
		if err := a.Check(t.Context()); adapters.CodeOf(err) != adapters.Unauthenticated {
			t.Errorf("%v", err)
		}
		if n := tries.Load(); n != tt.want {
			t.Errorf("%d tries, want %d", n, tt.want)
		}
	}
}

// That a token expired says nothing about the secret, wherever it is said: the next call asks for a token again.
func TestExpiryIsNoRefusalOfTheSecret(t *testing.T) {
	var tries atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		tries.Add(1)
		_, _ = io.WriteString(w, `{"errcode":`+tokenExpired+`,"errmsg":"access_token expired"}`)
	}))
	defer s.Close()
	a, err := adapters.Open(platform, map[string]string{optBase: s.URL, optCorp: corp, optSecret: secret},
		adapters.Env{HTTP: s.Client(), Log: discard, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for want := int32(1); want <= 3; want++ {
		if err := a.Check(t.Context()); adapters.CodeOf(err) != adapters.Unauthenticated {
			t.Errorf("%v", err)
		}
		if n := tries.Load(); n != want {
			t.Errorf("%d tries, want %d", n, want)
		}
	}
}

// The first to need a token hangs up. The others wait for the same fetch, and it comes.
func TestOneImpatientCallerEndsNobodysFetch(t *testing.T) {
	hold := make(chan struct{})
	var fetches atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/gettoken" {
			fetches.Add(1)
			<-hold
		}
		_, _ = io.WriteString(w, `{"errcode":0,"access_token":"t","expires_in":7200}`)
	}))
	defer s.Close()
	a := (&company{t: t, server: s}).open(discard, nil)
	impatient, leave := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { first <- a.Check(impatient) }()
	for fetches.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	go func() { second <- a.Check(t.Context()) }()
	leave()
	if err := <-first; adapters.CodeOf(err) != adapters.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	close(hold)
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// What the wire does to a reading and to a change: only of the change is it unknown whether it happened.
func TestWire(t *testing.T) {
	for _, tt := range []struct {
		name          string
		answer        http.HandlerFunc
		reads, writes adapters.Code
	}{
		{"empty", say(""), adapters.Internal, adapters.Indeterminate},
		{"not JSON", say("<html>"), adapters.Internal, adapters.Indeterminate},
		{"a list", say("[]"), adapters.Internal, adapters.Indeterminate},
		{"null", say("null"), adapters.Internal, adapters.Indeterminate},
		{"no code", say(`{"follow_user":[]}`), adapters.OK, adapters.OK},
		{"another text", say(`{"errcode":0,"errmsg":"updated"}`), adapters.OK, adapters.OK},
		{"too long", say(`{"errmsg":"` + strings.Repeat("x", bodyLimit) + `"}`), adapters.Internal, adapters.Indeterminate},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 1<<16))
			}
		}, adapters.Internal, adapters.Indeterminate},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"errcode":0`)
		}, adapters.Unavailable, adapters.Indeterminate},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, adapters.Unavailable, adapters.Indeterminate},
		{"502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, adapters.Unavailable, adapters.Indeterminate},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		}, adapters.RateLimited, adapters.RateLimited},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, adapters.Internal, adapters.Internal},
		{"a redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(http.StatusFound)
		}, adapters.Internal, adapters.Internal},
		{"busy", say(`{"errcode":-1,"errmsg":"system busy"}`), adapters.Unavailable, adapters.Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := vendor(t, tt.answer)
			_, err := a.followUsers(t.Context())
			if got := adapters.CodeOf(err); got != tt.reads {
				t.Errorf("reading: %v, want %v (%v)", got, tt.reads, err)
			}
			if e := (*adapters.Error)(nil); errors.As(err, &e) && e.Code == adapters.RateLimited && e.RetryAfter != 7*time.Second {
				t.Errorf("come again after %s", e.RetryAfter)
			}
			err = a.remark(t.Context(), "m", "c", "r")
			if got := adapters.CodeOf(err); got != tt.writes {
				t.Errorf("changing: %v, want %v (%v)", got, tt.writes, err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		a, _ := vendor(t, say(`{"follow_user":[]}`))
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.client.base = "http://127.0.0.1:1"
		if err := a.remark(t.Context(), "m", "c", "r"); adapters.CodeOf(err) != adapters.Unavailable {
			t.Errorf("nothing was sent, and it is %v", err)
		}
	})
}

func TestOptions(t *testing.T) {
	env := adapters.Env{HTTP: http.DefaultClient, Log: discard, Now: time.Now}
	good := map[string]string{optCorp: corp, optSecret: secret}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range good {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	for _, tt := range []struct {
		cfg  map[string]string
		want string // in the error; empty: none
	}{
		{good, ""},
		{with(optBase, "https://wecom.example.com/proxy/"), ""},
		{with(optBase, "wecom.example.com"), optBase},
		{with(optBase, "https://user@wecom.example.com"), optBase},
		{with(optBase, "file:///etc/passwd"), optBase},
		{with(optMark, "12345678901"), optMark},
		{with(optMark, " x"), optMark},
		{with(optSecret, ""), optSecret},
		{with(optAgent, "1000002"), ""},
		{with(optAgent, "app"), optAgent},
		{with(optAgent, "0"), optAgent},
		{with("secrt", "x"), "secrt"},
	} {
		a, err := adapters.Open(platform, tt.cfg, env)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt.cfg, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells the secret: %v", err)
		}
		if a != nil {
			_ = a.Close()
		}
	}
}

// The gateway plans by what is registered, and what is opened carries it out.
func TestRegisteredIsWhatOpens(t *testing.T) {
	opened := start(t, seed()).open(discard, nil).Describe()
	if !slices.ContainsFunc(adapters.All(), func(d adapters.Description) bool { return reflect.DeepEqual(d, opened) }) {
		t.Errorf("registered are %+v, opened is %+v", adapters.All(), opened)
	}
}

// The fixtures are answers as WeCom's pages show them. Simulator and adapter are held to the same ones.
func TestFixtures(t *testing.T) {
	for path, check := range map[string]func(a *Adapter) bool{
		"gettoken": func(a *Adapter) bool {
			token, holds, err := a.client.getToken(context.Background(), corp, "another")
			return err == nil && token == "accesstoken000001" && holds == 2*time.Hour
		},
		"department_list": func(a *Adapter) bool {
			p, err := a.Departments(context.Background(), "", 10)
			return err == nil && len(p.Items) == 2 && p.Items[1].Parent == "2" && p.Items[0].Name == "研发中心" && slices.Equal(p.Items[0].Leaders, []adapters.MemberID{"zhangsan", "lisi"})
		},
		"user_list": func(a *Adapter) bool {
			us, err := a.users(context.Background(), "1")
			m := us[0].member()
			return err == nil && m.ID == "zhangsan" && m.State == adapters.AccountActive && slices.Equal(m.Leads, []adapters.DepartmentID{"1"}) && m.Primary == "1"
		},
		"externalcontact_get_follow_user_list": func(a *Adapter) bool {
			us, err := a.followUsers(context.Background())
			return err == nil && slices.Equal(us, []string{"zhangsan", "lisi"})
		},
		"externalcontact_get": func(a *Adapter) bool {
			out, err := a.contact(context.Background(), "wo0001", "")
			return err == nil && out.Contact.ID == "wo0001" && out.Contact.CorpName == "某司" && len(out.Follows) > 0 && out.Follows[0].Tags[0].Type == corpTag
		},
		"externalcontact_batch_get_by_user": func(a *Adapter) bool {
			p, err := a.Contacts(context.Background(), "zhangsan", "", 10)
			return err == nil && p.Items[0].ID == "wo0001" && p.Items[0].Follows[0].Tags[0].ID != ""
		},
		"externalcontact_get_corp_tag_list": func(a *Adapter) bool {
			tags, err := a.corpTags(context.Background())
			return err == nil && len(tags) == 1 && tags["et0001"] == adapters.Tag{ID: "et0001", Name: "标签1", Group: "组"} // the other is deleted
		},
		"externalcontact_mark_tag": func(a *Adapter) bool {
			return a.markTag(context.Background(), "m", "c", []adapters.TagID{"et0001"}, nil) == nil
		},
		"message_send": func(a *Adapter) bool {
			out, err := a.sendText(context.Background(), agent, "m", "t")
			return err == nil && out == messageAnswer{Invalid: "userid1|userid2", Unlicensed: "userid3|userid4", ID: "xxxx"}
		},
		"externalcontact_remark": func(a *Adapter) bool { return a.remark(context.Background(), "m", "c", "r") == nil },
		"error": func(a *Adapter) bool {
			err := request{path: "/cgi-bin/x"}.refused(fixtureEnvelope(t, "error"))
			return err.Vendor.Code == tokenExpired && err.Vendor.RequestID == "1576065934_28_e0fae07666aa64636023c1fa7e8f49a4"
		},
	} {
		text := fixture(t, path)
		a, _ := vendor(t, say(string(text)))
		if !check(a) {
			t.Errorf("%s.json is not read as it is written", path)
		}
	}
}

// What is echoed stands before the hint, and may look like one.
func TestHint(t *testing.T) {
	err := request{path: "/cgi-bin/x"}.refused(envelope{40096, "invalid value `hint: [13800138000], from ip`, hint: [1691572301612133709476413], from ip: 1.2.3.4, more info at …"})
	if err.Vendor.RequestID != "1691572301612133709476413" {
		t.Errorf("request %q", err.Vendor.RequestID)
	}
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func fixtureEnvelope(t testing.TB, name string) (e envelope) {
	t.Helper()
	if err := json.Unmarshal(fixture(t, name), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// Answers are not to be trusted: whatever comes, the adapter neither panics nor takes a refusal for a success nor tells
// what the vendor wrote.
func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "fixtures", "*.json"))
	if err != nil || len(names) == 0 {
		f.Fatal("no fixtures", err)
	}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"errcode":1e400}`))
	f.Add([]byte(`{"errcode":-1,"ERRCODE":0}`))
	f.Add([]byte(`{"errcode":42001,"errmsg":"hint: [a], from ip hint: [13800138000], from ip"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, writes := range []bool{false, true} {
			var out contactAnswer
			err := decode(request{path: "/cgi-bin/externalcontact/get", writes: writes}, body, &out)
			var e envelope
			broken := json.Unmarshal(body, &e) != nil
			switch {
			case err == nil:
				if broken || e.Code != 0 {
					t.Errorf("%q is taken for a success", body)
				}
			case err.Vendor.Code == "" && err.Code != adapters.Internal && err.Code != adapters.Indeterminate,
				err.Vendor.Code == "" && writes != (err.Code == adapters.Indeterminate),
				err.Message == "" || err.Op == "" || err.Err != nil,
				len(err.Vendor.RequestID) > 80 || strings.ContainsAny(err.Vendor.RequestID, " \n\"<"):
				t.Errorf("%q comes to %#v", body, err)
			}
		}
	})
}
