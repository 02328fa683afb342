package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters/sim/stage"
	"github.com/guanxi-im/guanxi/adapters/wecom/sim"
)

// seed is a small company: five members, customers of two of them, one of whom 1,200 members more could follow.
func seed() sim.Seed {
	s := sim.Seed{
		CorpID: "ww1",
		Apps: []sim.App{
			{Name: "app", Secret: "app-secret", AgentID: 1000002, CustomerContact: true},
			{Name: "plain", Secret: "plain-secret", AgentID: 1000003},
			{Name: "sync", Secret: "sync-secret", ContactSync: true},
		},
		Departments: []sim.Department{
			{ID: 1, Name: "总部", Order: 1, Leaders: []string{"boss"}},
			{ID: 2, Name: "销售部", ParentID: 1, Order: 2, Leaders: []string{"Fang"}},
			{ID: 3, Name: "华东", ParentID: 2, Order: 3},
			{ID: 4, Name: "研发部", ParentID: 1, Order: 1},
		},
		Members: []sim.Member{
			{UserID: "boss", Name: "陈光", Departments: []int64{1}},
			{UserID: "Fang", Name: "王芳", Alias: "fang", Position: "销售", Departments: []int64{2, 3}, DirectLeader: "boss", CustomerContact: true},
			{UserID: "qiang", Name: "李强", Departments: []int64{3}, DirectLeader: "Fang", CustomerContact: true},
			{UserID: "hao", Name: "吴昊", EnglishName: "Hao", Departments: []int64{4}, Status: sim.NotActivated},
			{UserID: "poor", Name: "孟洁", Departments: []int64{4}, CustomerContact: true, Unlicensed: true},
		},
		TagGroups: []sim.TagGroup{{ID: "g1", Name: "客户标签", CreateTime: 1, Order: 1, Tags: []sim.Tag{
			{ID: "t1", Name: "华东", CreateTime: 1, Order: 1}, {ID: "t2", Name: "重点客户", CreateTime: 1, Order: 2}, {ID: "t3", Name: "黑名单", CreateTime: 1, Order: 3},
		}}},
		Contacts: []sim.Contact{
			{ExternalUserID: "wm_wechat", Name: "某某", Type: sim.WeChatUser, Gender: 1, UnionID: "oz1", Follows: []sim.Follow{
				{UserID: "Fang", Remark: "老友", CreateTime: 5, Tags: []string{"t1"}, PersonalTags: []string{"私"}, RemarkCorpName: "某司", RemarkMobiles: []string{"154"}, AddWay: 1, State: "展会"},
				{UserID: "qiang", Remark: "某", CreateTime: 6, AddWay: 202, Operator: "boss"},
			}},
			{ExternalUserID: "wo_wecom", Name: "蓝经理", Type: sim.WeComUser, Position: "经理", CorpName: "蓝海", CorpFullName: "蓝海贸易", Follows: []sim.Follow{
				{UserID: "Fang", Remark: "蓝", CreateTime: 7, Tags: []string{"t1", "t2"}, AddWay: 3},
			}},
			{ExternalUserID: "wo_busy", Name: "忙", Type: sim.WeComUser},
		},
		Groups: []sim.Group{
			{ChatID: "wr1", Name: "对接群", Owner: "Fang", CreateTime: 8, Notice: "公告", Admins: []string{"qiang"}, Members: []sim.GroupMember{
				{ID: "Fang", JoinTime: 8, JoinScene: 1}, {ID: "qiang", JoinTime: 9, JoinScene: 1, Invitor: "Fang", Nickname: "强"}, {ID: "wm_wechat", External: true, JoinTime: 9, JoinScene: 3},
			}},
			{ChatID: "in1", Name: "内部群", Owner: "Fang", Internal: true, Members: []sim.GroupMember{{ID: "Fang", JoinTime: 8, JoinScene: 1}}},
		},
	}
	for i := range 230 {
		s.Contacts = append(s.Contacts, sim.Contact{ExternalUserID: fmt.Sprintf("wo_%03d", i), Name: fmt.Sprint("客", i), Type: sim.WeComUser,
			Follows: []sim.Follow{{UserID: "qiang", Remark: "客", CreateTime: 9}}})
	}
	return s
}

// crowd adds members who all follow wo_busy.
func crowd(s sim.Seed, n int) sim.Seed {
	for i := range n {
		id := fmt.Sprintf("m%04d", i)
		s.Members = append(s.Members, sim.Member{UserID: id, Name: id, Departments: []int64{4}, CustomerContact: true})
		s.Contacts[2].Follows = append(s.Contacts[2].Follows, sim.Follow{UserID: id, CreateTime: 1})
	}
	return s
}

// world is a running simulator with a token for each of its apps.
type world struct {
	*testing.T
	*httptest.Server
	sim                *sim.Server
	token, plain, sync string
}

func start(t *testing.T, s sim.Seed, o sim.Options) *world {
	t.Helper()
	server, err := sim.Open(s, o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Server: httptest.NewServer(server), sim: server}
	w.Config.ErrorLog = nil
	t.Cleanup(func() { w.Server.Close(); _ = server.Close() })
	w.token, w.plain, w.sync = w.newToken("app-secret"), w.newToken("plain-secret"), w.newToken("sync-secret")
	return w
}

func (w *world) newToken(secret string) string {
	w.Helper()
	m := w.get("/cgi-bin/gettoken?corpid=ww1&corpsecret=" + secret)
	w.code(m, 0)
	return m["access_token"].(string)
}

type object = map[string]any

// ask sends a request with the token of the app, unless the path names one, and answers what came back.
func (w *world) ask(method, path, body string) (object, http.Header, error) {
	if strings.HasPrefix(path, "/cgi-bin/") && !strings.Contains(path, "gettoken") && !strings.Contains(path, "access_token=") {
		glue := "?"
		if strings.Contains(path, "?") {
			glue = "&"
		}
		path += glue + "access_token=" + url.QueryEscape(w.token)
	}
	req, err := http.NewRequest(method, w.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(path, "/cgi-bin/") && res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: HTTP %d", path, res.StatusCode)
	}
	m := object{}
	if json.Unmarshal(text, &m) != nil {
		var list []any
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, nil, fmt.Errorf("%s: %q", path, text)
		}
		m["list"] = list
	}
	m["http"] = res.StatusCode
	return m, res.Header, nil
}

func (w *world) must(method, path, body string) object {
	w.Helper()
	m, _, err := w.ask(method, path, body)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func (w *world) get(path string) object {
	w.Helper()
	return w.must("GET", path, "")
}

func (w *world) post(path, body string) object {
	w.Helper()
	return w.must("POST", path, body)
}

// code checks the errcode of an answer.
func (w *world) code(m object, want int) {
	w.Helper()
	if got := m["errcode"]; got != float64(want) {
		w.Errorf("errcode %v (%v), not %d", got, m["errmsg"], want)
	}
}

func (w *world) ledger() []stage.Entry {
	w.Helper()
	res, err := http.Get(w.URL + "/_sim/ledger")
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out []stage.Entry
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) last() stage.Entry { w.Helper(); l := w.ledger(); return l[len(l)-1] }

func (w *world) state() string {
	w.Helper()
	text, err := json.Marshal(w.get("/_sim/state"))
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

// strs are the values of a key in a list of objects.
func strs(list any, key string) []string {
	var out []string
	for _, x := range list.([]any) {
		out = append(out, fmt.Sprint(x.(object)[key]))
	}
	return out
}

const ext = "/cgi-bin/externalcontact/"

// documented are the answers that the vendor's pages show, and what an answer may lack.
var documented = []struct {
	name, method, path, body, token string
	// conditional are fields that are there on the page's condition alone.
	conditional string
}{
	{name: "gettoken", method: "GET", path: "/cgi-bin/gettoken?corpid=ww1&corpsecret=app-secret"},
	{name: "department_list", method: "GET", path: "/cgi-bin/department/list"},
	{name: "department_simplelist", method: "GET", path: "/cgi-bin/department/simplelist"},
	// Not for apps made after 2022-06-20; open_userid for third parties; the profile for those who set one up.
	{name: "user_get", method: "GET", path: "/cgi-bin/user/get?userid=Fang",
		conditional: "mobile gender email biz_mail avatar thumb_avatar address qr_code open_userid external_profile extattr.attrs[]"},
	{name: "user_list", method: "GET", path: "/cgi-bin/user/list?department_id=4",
		conditional: "userlist[].mobile userlist[].gender userlist[].email userlist[].biz_mail userlist[].avatar userlist[].thumb_avatar userlist[].address " +
			"userlist[].qr_code userlist[].open_userid userlist[].external_profile userlist[].extattr.attrs[] userlist[].direct_leader[] userlist[].english_name"},
	{name: "user_simplelist", method: "GET", path: "/cgi-bin/user/simplelist?department_id=2", conditional: "userlist[].open_userid"},
	{name: "user_list_id", method: "POST", path: "/cgi-bin/user/list_id", body: `{"limit":2}`, token: "sync-secret"},
	{name: "externalcontact_get_follow_user_list", method: "GET", path: ext + "get_follow_user_list"},
	{name: "externalcontact_list", method: "GET", path: ext + "list?userid=Fang"},
	// A WeChat user has no company, none is set up for profiles, and a state has who came by a channel.
	{name: "externalcontact_get", method: "GET", path: ext + "get?external_userid=wm_wechat",
		conditional: "external_contact.position external_contact.corp_name external_contact.corp_full_name external_contact.external_profile " +
			"follow_user[].state follow_user[].wechat_channels follow_user[].remark_corp_name follow_user[].tags[].tag_id next_cursor"},
	{name: "externalcontact_get", method: "GET", path: ext + "get?external_userid=wo_wecom",
		conditional: "external_contact.unionid external_contact.external_profile follow_user[].state follow_user[].wechat_channels " +
			"follow_user[].remark_corp_name follow_user[].remark_mobiles[] next_cursor"},
	{name: "externalcontact_batch_get_by_user", method: "POST", path: ext + "batch/get_by_user", body: `{"userid_list":["Fang","poor"],"limit":1}`,
		conditional: "external_contact_list[].external_contact.position external_contact_list[].external_contact.corp_name external_contact_list[].external_contact.corp_full_name " +
			"external_contact_list[].external_contact.external_profile external_contact_list[].follow_info.wechat_channels"},
	{name: "externalcontact_remark", method: "POST", path: ext + "remark", body: `{"userid":"Fang","external_userid":"wo_wecom","remark":"新"}`},
	{name: "externalcontact_mark_tag", method: "POST", path: ext + "mark_tag", body: `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3"]}`},
	{name: "externalcontact_get_corp_tag_list", method: "POST", path: ext + "get_corp_tag_list", body: `{"group_id":["g1"]}`},
	{name: "externalcontact_add_corp_tag", method: "POST", path: ext + "add_corp_tag", body: `{"group_name":"新组","tag":[{"name":"甲"}]}`},
	{name: "externalcontact_groupchat_list", method: "POST", path: ext + "groupchat/list", body: `{"limit":10}`},
	{name: "externalcontact_groupchat_get", method: "POST", path: ext + "groupchat/get", body: `{"chat_id":"wr1","need_name":1}`,
		conditional: "group_chat.member_list[].invitor group_chat.member_list[].unionid"},
	// A response code has a card of buttons.
	{name: "message_send", method: "POST", path: "/cgi-bin/message/send", body: `{"touser":"Fang","msgtype":"text","agentid":1000002,"text":{"content":"x"}}`,
		conditional: "response_code"},
	{name: "error", method: "GET", path: "/cgi-bin/user/get?userid=nobody"},
}

func TestShapes(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	seen := map[string]bool{}
	for _, d := range documented {
		seen[d.name] = true
		if d.token != "" {
			d.path += "?access_token=" + w.newToken(d.token)
		}
		m := w.must(d.method, d.path, d.body)
		delete(m, "http")
		for _, fault := range compare(fixture(t, d.name), m, strings.Fields(d.conditional)) {
			t.Errorf("%s %s: %s", d.method, d.path, fault)
		}
	}
	files, err := filepath.Glob("../testdata/fixtures/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !seen[name] {
			t.Errorf("nothing is held against %s", name)
		}
	}
}

func fixture(t *testing.T, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../testdata/fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	m := object{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

// compare holds an answer against a documented one: every field must be in the document, with the same JSON type, and
// every field of the document in each element of the answer, but for the conditional ones.
func compare(want, got any, conditional []string) (faults []string) {
	types := map[string]string{}
	fields := map[string][]string{}
	walk("", want, func(path, kind string) { types[path] = kind }, func(path string, names []string) {
		for _, n := range names {
			if !slices.Contains(fields[path], n) {
				fields[path] = append(fields[path], n)
			}
		}
	})
	seen := map[string]bool{}
	walk("", got, func(path, kind string) {
		seen[path] = true
		if want, known := types[path]; !known {
			faults = append(faults, path+" is not documented")
		} else if want != kind {
			faults = append(faults, fmt.Sprintf("%s is a %s, not a %s", path, kind, want))
		}
	}, func(path string, names []string) {
		for _, n := range fields[path] {
			full := strings.TrimPrefix(path+"."+n, ".")
			if !slices.Contains(names, n) && !slices.Contains(conditional, full) {
				faults = append(faults, full+" is missing")
			}
		}
	})
	for path := range types { // an empty list would show nothing of its elements
		if strings.HasSuffix(path, "[]") && !seen[path] && !slices.ContainsFunc(conditional, func(c string) bool {
			return c == path || strings.HasPrefix(path, c+".") || strings.HasPrefix(path, c+"[")
		}) {
			faults = append(faults, path+" is empty")
		}
	}
	return faults
}

func walk(path string, v any, value func(path, kind string), fields func(path string, names []string)) {
	switch v := v.(type) {
	case object:
		value(path, "object")
		fields(path, slices.Sorted(maps.Keys(v)))
		for n, x := range v {
			walk(strings.TrimPrefix(path+"."+n, "."), x, value, fields)
		}
	case []any:
		value(path, "list")
		for _, x := range v {
			walk(path+"[]", x, value, fields)
		}
	case string:
		value(path, "string")
	case float64:
		value(path, "number")
	case bool:
		value(path, "boolean")
	default:
		value(path, "null")
	}
}

// The comparison must see what it is for.
func TestCompareSees(t *testing.T) {
	want := object{"a": "x", "list": []any{object{"n": 1.0}}}
	for _, c := range []struct {
		got  object
		want string
	}{
		{object{"a": "y", "list": []any{object{"n": 2.0}}}, ""},
		{object{"a": "y", "list": []any{object{"n": "2"}}}, "list[].n is a string, not a number"},
		{object{"list": []any{object{"n": 2.0}}}, "a is missing"},
		{object{"a": "y", "list": []any{object{"n": 2.0}, object{}}}, "list[].n is missing"},
		{object{"a": "y", "list": []any{}}, "list[] is empty"},
		{object{"a": "y", "b": 1.0, "list": []any{object{"n": 2.0}}}, "b is not documented"},
		{object{"a": nil, "list": []any{object{"n": 2.0}}}, "a is a null, not a string"},
	} {
		if got := strings.Join(compare(want, c.got, nil), "; "); got != c.want {
			t.Errorf("%v: %q, not %q", c.got, got, c.want)
		}
	}
}

func TestDirectory(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	if got := strs(w.get("/cgi-bin/department/list?id=2")["department"], "id"); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("below 2: %v", got)
	}
	if got := strs(w.get("/cgi-bin/department/simplelist")["department_id"], "id"); len(got) != 4 {
		t.Errorf("all departments: %v", got)
	}
	w.code(w.get("/cgi-bin/department/list?id=9"), 60003)
	w.code(w.get("/cgi-bin/department/simplelist?id=x"), 40058)

	m := w.get("/cgi-bin/user/get?userid=FANG") // in any case
	if m["userid"] != "Fang" || fmt.Sprint(m["is_leader_in_dept"], m["department"], m["direct_leader"], m["main_department"]) != "[1 0] [2 3] [boss] 2" {
		t.Errorf("user/get: %v", m)
	}
	w.code(w.get("/cgi-bin/user/get"), 41009)
	w.code(w.get("/cgi-bin/user/get?userid=nobody"), 60111)
	w.code(w.get("/cgi-bin/user/get?userid="+strings.Repeat("a", 65)), 40003)
	w.code(w.get("/cgi-bin/user/get?userid=a%20b"), 40003)
	if got := strs(w.get("/cgi-bin/user/list?department_id=3")["userlist"], "userid"); !slices.Equal(got, []string{"Fang", "qiang"}) {
		t.Errorf("user/list: %v", got)
	}
	if got := strs(w.get("/cgi-bin/user/simplelist?department_id=1")["userlist"], "userid"); !slices.Equal(got, []string{"boss"}) {
		t.Errorf("user/simplelist: %v", got)
	}
	w.code(w.get("/cgi-bin/user/list?department_id=9"), 60003)
	w.code(w.get("/cgi-bin/user/simplelist"), 40058)
}

func TestCredentials(t *testing.T) {
	w := start(t, seed(), sim.Options{Limits: sim.Limits{WrongSecrets: 3}})
	for _, c := range []struct {
		path string
		want int
	}{
		{ext + "get_follow_user_list?access_token=" + w.plain, 48002}, // not listed for customer contact
		{ext + "get_follow_user_list?access_token=" + w.sync, 48002},
		{ext + "get_follow_user_list?access_token=" + w.token, 0},
		{"/cgi-bin/user/get?userid=Fang&access_token=" + w.plain, 0},
		{"/cgi-bin/user/get?userid=Fang&access_token=", 41001},
		{"/cgi-bin/user/get?userid=Fang&access_token=rubbish", 40014},
		{"/cgi-bin/user/get?userid=Fang&access_token=" + w.token + "x", 40014},
		{"/cgi-bin/gettoken?corpsecret=app-secret", 41002},
		{"/cgi-bin/gettoken?corpid=ww1", 41004},
		{"/cgi-bin/gettoken?corpid=ww2&corpsecret=app-secret", 40013},
		{"/cgi-bin/gettoken?corpid=ww1&corpsecret=wrong", 40001},
		{"/cgi-bin/gettoken?corpid=ww1&corpsecret=wrong", 40001},
		{"/cgi-bin/gettoken?corpid=ww1&corpsecret=wrong", 40001},
		{"/cgi-bin/gettoken?corpid=ww1&corpsecret=app-secret", 45009}, // shut out
	} {
		if m := w.get(c.path); m["errcode"] != float64(c.want) {
			t.Errorf("%s: %v, not %d", c.path, m["errcode"], c.want)
		}
	}
	w.code(w.post("/cgi-bin/user/list_id?access_token="+w.token, `{}`), 48002)
	w.code(w.post("/cgi-bin/user/list_id?access_token="+w.sync, `{}`), 0)
	w.setClock(time.Hour)
	w.code(w.get("/cgi-bin/gettoken?corpid=ww1&corpsecret=app-secret"), 0)

	for _, e := range w.ledger() {
		for _, secret := range []string{"app-secret", "wrong", w.token} {
			if strings.Contains(string(e.Request), secret) {
				t.Errorf("the ledger holds a secret: %s", e.Request)
			}
		}
	}
	if s := w.state(); strings.Contains(s, "secret") {
		t.Error("the state holds a secret")
	}
}

// setClock puts the clock forward.
func (w *world) setClock(by time.Duration) time.Time {
	w.Helper()
	to := w.last().At.Add(by)
	m := w.post("/_sim/clock", `{"set":"`+to.Format(time.RFC3339Nano)+`"}`)
	now, err := time.Parse(time.RFC3339Nano, fmt.Sprint(m["now"]))
	if err != nil || now.Before(to) {
		w.Fatalf("clock: %v", m)
	}
	return now
}

func TestTokenLife(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	path := "/cgi-bin/user/get?userid=Fang"
	w.setClock(7100 * time.Second)
	w.code(w.get(path), 0)
	w.setClock(100 * time.Second)
	w.code(w.get(path), 42001)
	w.token = w.newToken("app-secret")
	w.code(w.get(path), 0)

	w.faults(`{"rules":[{"match":"*/user/get","voidToken":true,"times":1}]}`)
	w.code(w.get(path), 40014)
	if e := w.last(); e.Effect == nil || e.Effect.Kind != "tokens_voided" {
		t.Errorf("a token taken back without effect: %+v", e)
	}
	w.code(w.get(path), 40014) // for good
	w.code(w.get(path+"&access_token="+w.newToken("plain-secret")), 0)
	w.token = w.newToken("app-secret")
	w.code(w.get(path), 0)
}

func (w *world) faults(rules string) {
	w.Helper()
	if m := w.post("/_sim/faults", rules); m["http"] != http.StatusOK {
		w.Fatal(m)
	}
}

func TestEnvelope(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	m, h, err := w.ask("GET", "/cgi-bin/user/get?userid=nobody", "")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(m["errmsg"])
	for _, part := range []string{"userid not found, hint: [", "], from ip: 127.0.0.1, more info at ", "?e=60111"} {
		if !strings.Contains(text, part) {
			t.Errorf("errmsg %q lacks %q", text, part)
		}
	}
	if h.Get("error-code") != "60111" || h.Get("error-msg") != text {
		t.Errorf("headers %q, %q", h.Get("error-code"), h.Get("error-msg"))
	}
	m = w.post(ext+"mark_tag", `{"userid":`)
	w.code(m, 40058)
	if !strings.Contains(fmt.Sprint(m["errmsg"]), "Warning: wrong json format.") {
		t.Errorf("errmsg %q", m["errmsg"])
	}
	w.code(w.get(ext+"mark_tag"), 40058)
	if _, _, err := w.ask("GET", "/cgi-bin/nothing", ""); err == nil || w.last().Code != "404" {
		t.Errorf("an unknown call: %v, %+v", err, w.last())
	}
}

// pages reads all pages of a call with a body of everything but the cursor, and what key names in the elements.
func (w *world) pages(path, body, list string, id func(object) string) (ids []string, pages int) {
	w.Helper()
	for cursor := ""; ; {
		m := w.post(path, strings.Replace(body, "}", fmt.Sprintf(`,"cursor":%q}`, cursor), 1))
		w.code(m, 0)
		for _, x := range m[list].([]any) {
			ids = append(ids, id(x.(object)))
		}
		pages++
		if cursor, _ = m["next_cursor"].(string); cursor == "" {
			return ids, pages
		}
	}
}

func TestPaging(t *testing.T) {
	w := start(t, crowd(seed(), 1200), sim.Options{})
	whole := func(name string, ids []string, pages, wantIDs, wantPages int) {
		t.Helper()
		slices.Sort(ids)
		if len(ids) != wantIDs || pages != wantPages || len(slices.Compact(slices.Clone(ids))) != wantIDs {
			t.Errorf("%s: %d on %d pages, not %d on %d", name, len(ids), pages, wantIDs, wantPages)
		}
	}
	pair := func(x object) string {
		return fmt.Sprint(x["follow_info"].(object)["userid"], x["external_contact"].(object)["external_userid"])
	}
	batch := ext + "batch/get_by_user"
	ids, pages := w.pages(batch, `{"userid_list":["qiang","FANG","fang"]}`, "external_contact_list", pair)
	whole("batch, 50 a page", ids, pages, 233, 5)
	ids, pages = w.pages(batch, `{"userid_list":["qiang","Fang"],"limit":1000}`, "external_contact_list", pair)
	whole("batch, clamped to 100", ids, pages, 233, 3)
	ids, pages = w.pages("/cgi-bin/user/list_id?access_token="+w.sync, `{"limit":100}`, "dept_user",
		func(x object) string { return fmt.Sprint(x["userid"], x["department"]) })
	whole("list_id", ids, pages, 1206, 13)

	m := w.get(ext + "get?external_userid=wo_busy")
	followers := strs(m["follow_user"], "userid")
	for n := 1; ; n++ {
		next, more := m["next_cursor"].(string)
		if !more {
			whole("followers", followers, n, 1200, 3)
			break
		}
		m = w.get(ext + "get?external_userid=wo_busy&cursor=" + url.QueryEscape(next))
		followers = append(followers, strs(m["follow_user"], "userid")...)
	}

	cursor := w.post(batch, `{"userid_list":["qiang"],"limit":2}`)["next_cursor"].(string)
	w.code(w.post(batch, `{"userid_list":["qiang"],"limit":2,"cursor":"`+cursor+`"}`), 0)
	w.code(w.post(batch, `{"userid_list":["Fang"],"limit":2,"cursor":"`+cursor+`"}`), 50100) // of another question
	w.code(w.post(batch, `{"userid_list":["qiang"],"cursor":"made up"}`), 50100)
	w.code(w.get(ext+"get?external_userid=wo_busy&cursor="+cursor), 50100)

	// What goes meanwhile shifts nothing.
	first := w.post(batch, `{"userid_list":["qiang"],"limit":2}`)
	gone := pair(first["external_contact_list"].([]any)[0].(object))
	w.post("/_sim/act", `{"action":"delete_contact","subject":"`+strings.TrimPrefix(gone, "qiang")+`","detail":{"userid":"qiang"}}`)
	second := w.post(batch, `{"userid_list":["qiang"],"limit":2,"cursor":"`+first["next_cursor"].(string)+`"}`)
	if got := pair(second["external_contact_list"].([]any)[0].(object)); got != "qiangwo_001" {
		t.Errorf("after %s went the second page begins at %s", gone, got)
	}

	w.code(w.post(ext+"groupchat/list", `{"limit":10}`), 81017)
	w.code(w.post(ext+"groupchat/list", `{"limit":10,"owner_filter":{"userid_list":["Fang"]}}`), 0)
	w.code(w.post("/cgi-bin/user/list_id?access_token="+w.sync, `{"limit":10001}`), 40058)
}

func TestCustomers(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	if got := w.get(ext + "list?userid=fang")["external_userid"]; fmt.Sprint(got) != "[wm_wechat wo_wecom]" {
		t.Errorf("list: %v", got)
	}
	w.code(w.get(ext+"list?userid=nobody"), 60111)
	w.code(w.get(ext+"list?userid=boss"), 84061) // no customers
	w.code(w.get(ext+"get?external_userid=wm_nobody"), 40096)
	w.code(w.get(ext+"get?external_userid=wo_busy"), 84061) // nobody follows
	batch := ext + "batch/get_by_user"
	w.code(w.post(batch, `{"userid_list":[]}`), 40058)
	w.code(w.post(batch, `{"userid_list":["nobody"]}`), 40031)
	w.code(w.post(batch, `{"userid_list":["poor"]}`), 701008)
	w.code(w.post(batch, `{"userid_list":[`+strings.Repeat(`"Fang",`, 100)+`"Fang"]}`), 40058)
	if m := w.post(batch, `{"userid_list":["poor","Fang"]}`); fmt.Sprint(m["fail_info"]) != "map[unlicensed_userid_list:[poor]]" {
		t.Errorf("fail_info: %v", m["fail_info"])
	}

	// Tags.
	tags := func(body string) string {
		out := []string{}
		for _, g := range w.post(ext+"get_corp_tag_list", body)["tag_group"].([]any) {
			out = append(out, strs(g.(object)["tag"], "name")...)
		}
		return strings.Join(out, " ")
	}
	for body, want := range map[string]string{
		`{}`: "华东 重点客户 黑名单", `{"tag_id":["t2"]}`: "重点客户", `{"tag_id":["t2"],"group_id":["g1"]}`: "华东 重点客户 黑名单",
	} {
		if got := tags(body); got != want {
			t.Errorf("tags of %s: %s", body, got)
		}
	}
	w.code(w.post(ext+"get_corp_tag_list", `{"tag_id":["no"]}`), 40068)
	w.code(w.post(ext+"add_corp_tag", `{"group_name":"客户标签","tag":[{"name":"华东"},{"name":"华北"},{"name":"华北"}]}`), 0)
	if got := tags(`{}`); got != "华东 重点客户 黑名单 华北" {
		t.Errorf("tags after one was made: %s", got)
	}
	w.code(w.post(ext+"add_corp_tag", `{"group_id":"no","tag":[{"name":"甲"}]}`), 40068)
	w.code(w.post(ext+"add_corp_tag", `{"group_name":"空"}`), 40058)

	// Groups.
	if got := w.post(ext+"groupchat/list", `{"limit":1}`)["group_chat_list"]; fmt.Sprint(got) != "[map[chat_id:wr1 status:0]]" {
		t.Errorf("groups: %v", got)
	}
	w.code(w.post(ext+"groupchat/list", `{}`), 40058)
	w.code(w.post(ext+"groupchat/list", `{"limit":1001}`), 40058)
	w.code(w.post(ext+"groupchat/get", `{"chat_id":"no"}`), 40050)
	w.code(w.post(ext+"groupchat/get", `{"chat_id":"in1"}`), 90501)
	if m := w.post(ext+"groupchat/get", `{"chat_id":"wr1"}`)["group_chat"].(object)["member_list"].([]any)[0].(object); m["name"] != nil {
		t.Errorf("a name that nobody asked for: %v", m)
	}
}

// tagged are the tags and the remark of a relation, as a call shows them.
func (w *world) tagged(userID, contact string) string {
	w.Helper()
	for _, f := range w.get(ext + "get?external_userid=" + contact)["follow_user"].([]any) {
		if f := f.(object); f["userid"] == userID {
			return fmt.Sprintf("%v %v|%v|%v", strs(f["tags"], "tag_name"), f["remark"], f["description"], f["remark_mobiles"])
		}
	}
	return "no relation"
}

func TestWrites(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	const mark, note = ext + "mark_tag", ext + "remark"
	for i, c := range []struct {
		path, body string
		code       int
		effect     string // kind and detail; empty: none
		then       string
	}{
		{mark, `{"userid":"fang","external_userid":"wo_wecom","add_tag":["t3"]}`, 0, `tags_added wo_wecom {"userid":"Fang","added":["t3"]}`, "[华东 重点客户 黑名单] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3","t3"]}`, 0, "", "[华东 重点客户 黑名单] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t2"],"remove_tag":["t1","t3"]}`, 0, `tags_removed wo_wecom {"userid":"Fang","removed":["t1","t3"]}`, "[重点客户] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t1"],"remove_tag":["t2"]}`, 0, `tags_changed wo_wecom {"userid":"Fang","added":["t1"],"removed":["t2"]}`, "[华东] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom","remove_tag":["t2"]}`, 0, "", "[华东] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t2","no"]}`, 40068, "", "[华东] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wo_wecom"}`, 40058, "", "[华东] 蓝||[]"},
		{mark, `{"userid":"qiang","external_userid":"wo_wecom","add_tag":["t1"]}`, 84061, "", "[华东] 蓝||[]"},
		{mark, `{"userid":"nobody","external_userid":"wo_wecom","add_tag":["t1"]}`, 60111, "", "[华东] 蓝||[]"},
		{mark, `{"userid":"Fang","external_userid":"wm_no","add_tag":["t1"]}`, 40096, "", "[华东] 蓝||[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark":"[黑] 蓝","description":"x"}`, 0, `remark_changed wo_wecom {"userid":"Fang","remark":"[黑] 蓝","description":"x"}`, "[华东] [黑] 蓝|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark":"[黑] 蓝"}`, 0, "", "[华东] [黑] 蓝|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark":""}`, 40058, "", "[华东] [黑] 蓝|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark_company":"司"}`, 0, "", "[华东] [黑] 蓝|x|[]"}, // of a WeChat user only
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark":"` + strings.Repeat("长", 21) + `"}`, 40058, "", "[华东] [黑] 蓝|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","description":"` + strings.Repeat("长", 151) + `"}`, 40058, "", "[华东] [黑] 蓝|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark":"` + strings.Repeat("长", 20) + `"}`, 0, `remark_changed wo_wecom {"userid":"Fang","remark":"` + strings.Repeat("长", 20) + `"}`, "[华东] " + strings.Repeat("长", 20) + "|x|[]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark_mobiles":["1","2"]}`, 0, `remark_changed wo_wecom {"userid":"Fang","remark_mobiles":["1","2"]}`, "[华东] " + strings.Repeat("长", 20) + "|x|[1 2]"},
		{note, `{"userid":"Fang","external_userid":"wo_wecom","remark_mobiles":[""]}`, 0, `remark_changed wo_wecom {"userid":"Fang","remark_mobiles":[]}`, "[华东] " + strings.Repeat("长", 20) + "|x|[]"},
		{note, `{"userid":"qiang","external_userid":"wo_wecom","remark":"x"}`, 84061, "", "[华东] " + strings.Repeat("长", 20) + "|x|[]"},
	} {
		before := w.state()
		w.code(w.post(c.path, c.body), c.code)
		e, effect := w.last(), ""
		if e.Effect != nil {
			effect = e.Effect.Kind + " " + e.Effect.Subject + " " + string(e.Effect.Detail)
		}
		if effect != c.effect || e.Code != fmt.Sprint(c.code) || string(e.Request) != c.body || e.Method != "POST" || e.Path != c.path {
			t.Errorf("%d: ledger: %+v with %q, not %q", i, e, effect, c.effect)
		}
		if (w.state() == before) != (e.Effect == nil) {
			t.Errorf("%d: %s: the ledger's effect and the state do not agree", i, c.body)
		}
		if got := w.tagged("Fang", "wo_wecom"); got != c.then {
			t.Errorf("%d: then %q, not %q", i, got, c.then)
		}
	}
}

func TestActs(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	act := func(body string, status int) object {
		t.Helper()
		before, n := w.state(), len(w.ledger())
		m := w.post("/_sim/act", body)
		if m["http"] != status {
			t.Fatalf("%s: %v", body, m)
		}
		changed := status == http.StatusOK && m["effect"] != nil
		if (w.state() != before) != changed {
			t.Errorf("%s: effect %v does not agree with the state", body, m["effect"])
		}
		if len(w.ledger())-n != map[bool]int{true: 1, false: 0}[status == http.StatusOK] {
			t.Errorf("%s: in the ledger %d times", body, len(w.ledger())-n)
		}
		return m
	}
	m := act(`{"action":"refuse_handover","subject":"wm_wechat"}`, 400)
	if fmt.Sprint(m["actions"]) != "[delete_contact dissolve_group remove_group_member remove_member sign_in update_member]" {
		t.Errorf("known actions: %v", m)
	}
	act(`{"action":"sign_in","subject":"hao"}`, 200)
	if got := w.get("/cgi-bin/user/get?userid=hao")["status"]; got != 1.0 {
		t.Errorf("status after the first sign-in: %v", got)
	}
	m = act(`{"action":"update_member","subject":"hao","detail":{"enable":0,"position":"架构师","department":[1,4],"direct_leader":"boss"}}`, 200)
	if m["callback"] != "none is configured" || m["path"] != "act" {
		t.Errorf("an act's entry: %v", m)
	}
	if u := w.get("/cgi-bin/user/get?userid=hao"); fmt.Sprintln(u["status"], u["position"], u["department"], u["direct_leader"]) != "2 架构师 [1 4] [boss]\n" {
		t.Errorf("after the update: %v", u)
	}
	if m := act(`{"action":"update_member","subject":"hao","detail":{"enable":0,"position":"架构师"}}`, 200); m["effect"] != nil {
		t.Errorf("nothing changed, and the effect is %v", m["effect"])
	}
	act(`{"action":"update_member","subject":"hao","detail":{"enable":7}}`, 400)
	act(`{"action":"update_member","subject":"hao","detail":{"department":[99]}}`, 404)
	act(`{"action":"sign_in","subject":"hao"}`, 409)

	act(`{"action":"delete_contact","subject":"wm_wechat"}`, 404) // two follow: whose?
	act(`{"action":"delete_contact","subject":"wm_wechat","detail":{"userid":"Fang","by":"contact"}}`, 200)
	act(`{"action":"delete_contact","subject":"wm_wechat","detail":{"userid":"Fang","by":"contact"}}`, 200)
	w.code(w.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wm_wechat","add_tag":["t3"]}`), 0)
	act(`{"action":"delete_contact","subject":"wm_wechat","detail":{"userid":"Fang"}}`, 200)
	w.code(w.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wm_wechat","add_tag":["t3"]}`), 84061)

	version := func() any {
		return w.post(ext+"groupchat/get", `{"chat_id":"wr1"}`)["group_chat"].(object)["member_version"]
	}
	was := version()
	act(`{"action":"remove_group_member","subject":"wr1","detail":{"userid":"Fang"}}`, 409)
	act(`{"action":"remove_group_member","subject":"wr1","detail":{"userid":"qiang"}}`, 200)
	act(`{"action":"remove_group_member","subject":"wr1","detail":{"userid":"qiang"}}`, 404)
	if version() == was {
		t.Error("the member_version did not change")
	}
	act(`{"action":"remove_member","subject":"Fang"}`, 200)
	w.code(w.get("/cgi-bin/user/get?userid=Fang"), 60111)
	w.code(w.get(ext+"get?external_userid=wo_wecom"), 84061)
	if got := w.post(ext+"groupchat/list", `{"limit":9}`)["group_chat_list"]; fmt.Sprint(got) != "[]" {
		t.Errorf("groups of who left: %v", got)
	}
	if got := w.post(ext+"groupchat/list", `{"limit":9,"owner_filter":{"userid_list":["Fang"]}}`)["group_chat_list"]; fmt.Sprint(got) != "[map[chat_id:wr1 status:1]]" {
		t.Errorf("groups of who left, named: %v", got)
	}
	act(`{"action":"dissolve_group","subject":"wr1"}`, 200)
	w.code(w.post(ext+"groupchat/get", `{"chat_id":"wr1"}`), 49008)
	act(`{"action":"dissolve_group","subject":"no"}`, 404)
}

func TestLimits(t *testing.T) {
	w := start(t, seed(), sim.Options{Limits: sim.Limits{CorpMinute: 5, CorpHour: 12, Concurrent: 2}})
	const path = "/cgi-bin/user/get?userid=Fang"
	for i, c := range []struct {
		wait        time.Duration
		good, tries int
	}{
		{0, 5, 6}, // the sixth shuts out
		{30 * time.Second, 0, 1},
		{30 * time.Second, 5, 5}, // 60 s later
		{2 * time.Minute, 1, 2},  // the hour's twelfth was one of those refused
		{2 * time.Minute, 0, 1},
		{time.Hour, 5, 5},
	} {
		w.setClock(c.wait)
		good := 0
		for range c.tries {
			if m := w.get(path); m["errcode"] == 0.0 {
				good++
			} else {
				w.code(m, 45009)
			}
		}
		if good != c.good {
			t.Errorf("step %d: %d calls went through, not %d", i, good, c.good)
		}
	}
	w.code(w.get("/cgi-bin/department/list"), 0) // each API by itself

	// Two at once, and a third.
	w.faults(`{"rules":[{"match":"*/department/simplelist","delay":"200ms"}]}`)
	var group sync.WaitGroup
	codes := make([]any, 3)
	for i := range codes {
		group.Go(func() {
			m, _, err := w.ask("GET", "/cgi-bin/department/simplelist", "")
			if err != nil {
				t.Error(err)
				return
			}
			codes[i] = m["errcode"]
		})
	}
	group.Wait()
	slices.SortFunc(codes, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if fmt.Sprint(codes) != "[0 0 45033]" {
		t.Errorf("three at once: %v", codes)
	}
}

func TestWriteConflict(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	w.faults(`{"rules":[{"match":"*/mark_tag","delay":"200ms"}]}`)
	var group sync.WaitGroup
	codes := make([]string, 4)
	for i, body := range []string{
		`{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3"]}`, `{"userid":"fang","external_userid":"wo_wecom","remove_tag":["t1"]}`,
		`{"userid":"Fang","external_userid":"wm_wechat","add_tag":["t3"]}`, `{"userid":"qiang","external_userid":"wm_wechat","add_tag":["t3"]}`,
	} {
		group.Go(func() {
			m, _, err := w.ask("POST", ext+"mark_tag", body)
			if err != nil {
				t.Error(err)
				return
			}
			codes[i] = fmt.Sprint(m["errcode"])
		})
	}
	group.Wait()
	slices.Sort(codes)
	if fmt.Sprint(codes) != "[0 0 0 45035]" {
		t.Errorf("two of four on one pair: %v", codes)
	}
}

func TestFaults(t *testing.T) {
	w := start(t, seed(), sim.Options{})
	add := `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3"]}`
	w.faults(`{"rules":[{"match":"/cgi-bin/externalcontact/*","errcode":45009,"times":2}]}`)
	w.code(w.get("/cgi-bin/user/get?userid=Fang"), 0)
	w.code(w.post(ext+"mark_tag", add), 45009)
	if e := w.last(); e.Code != "45009" || e.Effect != nil || !slices.Equal(e.Faults, []string{"errcode"}) {
		t.Errorf("a refused call: %+v", e)
	}
	w.code(w.post(ext+"groupchat/list", `{"limit":1}`), 45009) // * goes over slashes
	w.code(w.post(ext+"groupchat/list", `{"limit":1}`), 0)

	w.faults(`{"rules":[{"match":"*","dropRequest":true}]}`)
	n := len(w.ledger())
	if m, _, err := w.ask("POST", ext+"mark_tag", add); err == nil {
		t.Errorf("the request was lost, and answered %v", m)
	}
	if len(w.ledger()) != n {
		t.Error("a lost request was received")
	}
	w.faults(`{"rules":[{"match":"*","dropResponse":true}]}`)
	if m, _, err := w.ask("POST", ext+"mark_tag", add); err == nil {
		t.Errorf("the response was lost, and is %v", m)
	}
	if e := w.last(); e.Code != "0" || e.Effect == nil || e.Effect.Kind != "tags_added" || !slices.Equal(e.Faults, []string{"dropResponse"}) {
		t.Errorf("a call without response: %+v", e)
	}
	if m := w.must("DELETE", "/_sim/faults", ""); m["http"] != http.StatusOK {
		t.Error(m)
	}
	if got := w.tagged("Fang", "wo_wecom"); !strings.Contains(got, "黑名单") {
		t.Errorf("the effect did not take place: %s", got)
	}
	w.faults(`{"rules":[{"match":"*","delay":"60ms"}]}`)
	if begun := time.Now(); w.get("/cgi-bin/user/get?userid=Fang")["errcode"] != 0.0 || time.Since(begun) < 60*time.Millisecond {
		t.Error("no delay")
	}

	// The same seed meets the same calls with the same faults.
	run := func(seed int) (out string) {
		w.faults(fmt.Sprintf(`{"seed":%d,"rules":[{"match":"*/user/get","errcode":"45009","rate":0.3}]}`, seed))
		for range 100 {
			out += fmt.Sprint(w.get("/cgi-bin/user/get?userid=Fang")["errcode"], " ")
		}
		return out
	}
	a, b, other := run(7), run(7), run(8)
	if hits := strings.Count(a, "45009"); a != b || a == other || hits < 15 || hits > 45 {
		t.Errorf("a rate of 0.3 hit %d of 100; same seed, same run: %v; other seed, other run: %v", strings.Count(a, "45009"), a == b, a != other)
	}
	for _, bad := range []string{`{"rules":[{"match":"*"}]}`, `{"rules":[{"errcode":1}]}`, `{"rules":[{"match":"*","errcode":1,"rate":2}]}`,
		`{"rules":[{"match":"*","delay":"soon"}]}`, `{"rules":[{"match":"*","errcode":1,"times":-1}]}`, `{"rules":[{"match":"*","dropAll":true}]}`, `{`} {
		if m := w.post("/_sim/faults", bad); m["http"] != http.StatusBadRequest {
			t.Errorf("%s: %v", bad, m)
		}
	}
}

// What was answered is there when the file is opened again, without the first having been closed.
func TestReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	w := start(t, seed(), sim.Options{File: file})
	w.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3"],"remove_tag":["t1"]}`)
	w.post(ext+"remark", `{"userid":"Fang","external_userid":"wm_wechat","remark":"黑","remark_mobiles":[""]}`)
	w.post(ext+"add_corp_tag", `{"group_name":"新","tag":[{"name":"甲"}]}`)
	w.post("/_sim/act", `{"action":"remove_member","subject":"hao"}`)
	w.post("/_sim/act", `{"action":"delete_contact","subject":"wm_wechat","detail":{"userid":"qiang","by":"contact"}}`)
	w.faults(`{"rules":[{"match":"*/user/get","voidToken":true}]}`)
	w.get("/cgi-bin/user/get?userid=Fang")
	w.faults(`{}`)
	w.setClock(90 * time.Hour)
	token := w.newToken("app-secret")

	again := start(t, sim.Seed{CorpID: "other"}, sim.Options{File: copyOf(t, file)})
	if got, want := again.state(), w.state(); got != want {
		t.Errorf("the state was\n%s\nand is\n%s", want, got)
	}
	was, is := w.ledger(), again.ledger()
	text := func(es []stage.Entry) string { b, _ := json.Marshal(es); return string(b) }
	if text(was) != text(is[:len(was)]) {
		t.Error("the ledger is another")
	}
	if !is[len(is)-1].At.After(was[len(was)-1].At.Add(-time.Second)) {
		t.Errorf("the clock went back from %s to %s", was[len(was)-1].At, is[len(is)-1].At)
	}
	again.token = token
	again.code(again.get("/cgi-bin/user/get?userid=Fang"), 0) // a token holds over a restart
	again.code(again.get("/cgi-bin/user/get?userid=Fang&access_token="+w.token), 40014)
}

func copyOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// Wherever within the last line a kill cut the file, all that was answered before is there.
func TestTornLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	w := start(t, seed(), sim.Options{File: file})
	w.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wo_wecom","add_tag":["t3"]}`)
	n := len(w.ledger())
	w.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wo_wecom","remove_tag":["t1"]}`)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	for cut := last; cut < len(text); cut += 23 {
		torn := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(torn, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := start(t, sim.Seed{}, sim.Options{File: torn})
		if got := again.ledger(); len(got) != n+3 { // and three new tokens
			t.Fatalf("cut at %d of %d: %d entries, not %d", cut, len(text), len(got), n+3)
		}
		again.post(ext+"mark_tag", `{"userid":"Fang","external_userid":"wo_wecom","remove_tag":["t2"]}`)
		third := start(t, sim.Seed{}, sim.Options{File: copyOf(t, torn)})
		if got := third.tagged("Fang", "wo_wecom"); !strings.HasPrefix(got, "[华东 黑名单]") {
			t.Fatalf("cut at %d, written on, opened again: %s", cut, got)
		}
	}
	for name, broken := range map[string][]byte{
		"a line within":       append(append(slices.Clone(text[:last-9]), '\n'), text[last:]...),
		"another platform":    bytes.Replace(text, []byte(`"wecom"`), []byte(`"other"`), 1),
		"an effect unknown":   bytes.Replace(text, []byte(`"tags_added"`), []byte(`"tags_eaten"`), 1),
		"an effect on no one": bytes.Replace(text, []byte(`"subject":"wo_wecom","detail":{"userid":"Fang","added"`), []byte(`"subject":"wo_nobody","detail":{"userid":"Fang","added"`), 1),
	} {
		path := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := sim.Open(seed(), sim.Options{File: path}); err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

// Many at once: each call is in the ledger once, in order, and the effects of the ledger make up the state.
func TestConcurrency(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	w := start(t, seed(), sim.Options{File: file})
	const workers, each = 8, 40
	before := len(w.ledger())
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			for j := range each {
				contact := fmt.Sprintf("wo_%03d", (i*each+j)%23)
				body := fmt.Sprintf(`{"userid":"qiang","external_userid":%q,"%s":["t3"]}`, contact, []string{"add_tag", "remove_tag"}[j%2])
				if _, _, err := w.ask("POST", ext+"mark_tag", body); err != nil {
					t.Error(err)
				}
				if j%10 == 0 {
					_, _, _ = w.ask("GET", "/_sim/state", "")
				}
			}
		})
	}
	group.Wait()
	ledger := w.ledger()
	if len(ledger)-before != workers*each {
		t.Errorf("%d calls are %d entries", workers*each, len(ledger)-before)
	}
	tagged := map[string]bool{}
	for i, e := range ledger {
		if e.Seq != int64(i+1) || i > 0 && e.At.Before(ledger[i-1].At) {
			t.Fatalf("entry %d is number %d, at %s", i, e.Seq, e.At)
		}
		if e.Effect != nil {
			now := e.Effect.Kind == "tags_added"
			if tagged[e.Effect.Subject] == now {
				t.Fatalf("entry %d: %s of %s, where that was so already", e.Seq, e.Effect.Kind, e.Effect.Subject)
			}
			tagged[e.Effect.Subject] = now
		}
	}
	for contact, want := range tagged {
		if got := strings.Contains(w.tagged("qiang", contact), "黑名单"); got != want {
			t.Errorf("%s: tagged %v, by the ledger %v", contact, got, want)
		}
	}
	again := start(t, sim.Seed{}, sim.Options{File: copyOf(t, file)})
	if again.state() != w.state() {
		t.Error("the file tells of another state")
	}
}
