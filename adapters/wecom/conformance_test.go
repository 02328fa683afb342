package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/adapters/adaptertest"
	"github.com/guanxi-im/guanxi/adapters/wecom/sim"
)

const (
	corp      = "ww_test"
	secret    = "s3cr3t-of-the-app"
	dirSecret = "s3cr3t-of-the-assistant"
	phone     = "13800138000"
	agent     = 1000002
)

var longID = strings.Repeat("w", 64)

// seed is a company with what is hard: nested and empty departments, a member of several, odd texts.
func seed() sim.Seed {
	const created = 1772355600 // 2026-03-01 09:00 UTC
	follow := func(remark string, tags ...string) []sim.Follow {
		return []sim.Follow{{UserID: "wangfang004", Remark: remark, CreateTime: created, Tags: tags, RemarkMobiles: []string{phone}}}
	}
	shared := append(follow("老周", "et_east", "et_key"), sim.Follow{UserID: "liqiang005", Remark: "周总", CreateTime: created, Tags: []string{"et_key"}, PersonalTags: []string{"球友"}})
	own := follow("", "et_key") // nothing to put back, and something that does not come off
	own[0].PersonalTags = []string{"校友"}
	return sim.Seed{
		CorpID: corp,
		Apps: []sim.App{{Name: "app", Secret: secret, AgentID: agent, CustomerContact: true},
			{Name: "assistant", Secret: dirSecret, ContactSync: true}},
		Departments: []sim.Department{{ID: 1, Name: "总部"}, {ID: 3, Name: "空", ParentID: 1}, {ID: 2, Name: "销售部", ParentID: 1, Leaders: []string{"zhaomin003"}}, {ID: 10, Name: "华东", ParentID: 2}},
		Members: []sim.Member{
			{UserID: "zhaomin003", Name: "赵敏", Departments: []int64{2, 1}, Status: sim.Activated, CustomerContact: true},
			{UserID: "wangfang004", Name: "王芳", Position: "客户经理", Departments: []int64{10}, DirectLeader: "zhaomin003", Status: sim.Activated, CustomerContact: true},
			{UserID: "LiQiang005", Name: "李强", Departments: []int64{10, 2}, Status: sim.Disabled, CustomerContact: true},
			{UserID: "sunli006", Name: "孙丽", Departments: []int64{1}, Status: sim.NotActivated},
		},
		TagGroups: []sim.TagGroup{{ID: "et_group", Name: "等级", Tags: []sim.Tag{{ID: "et_east", Name: "华东"}, {ID: "et_key", Name: "重点客户"}, {ID: "et_odd", Name: "🧧"}}}},
		Contacts: []sim.Contact{
			{ExternalUserID: "wm_haikang", Name: "周采购", Type: sim.WeComUser, CorpName: "海康采购", Follows: shared},
			{ExternalUserID: "wm_wide", Name: "ＡＢＣ（全角）", Type: sim.WeChatUser, Follows: follow("一二三四五六七八九十一二三四五六七八九十", "et_east")},
			{ExternalUserID: "wm_emoji", Name: "👩‍👩‍👧 家", Type: sim.WeChatUser, Follows: follow("🧧过年", "et_odd")},
			{ExternalUserID: "wm_own", Name: "林", Type: sim.WeChatUser, Follows: own},
			{ExternalUserID: longID, Name: strings.Repeat("长", 64), Type: sim.WeChatUser, Follows: follow("<x>&\"'\\", "et_key")},
		},
	}
}

// tap is the wire between adapter and simulator: it counts tokens, has refusals echo what a vendor's do, and can be cut.
type tap struct {
	tokens atomic.Int32
	cut    atomic.Bool
}

func (p *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.cut.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte(`"access_token"`)) {
		p.tokens.Add(1)
	}
	echo := strings.Join([]string{`"errmsg":"invalid value `, phone, "老周", r.URL.Query().Get("access_token"), r.URL.Query().Get("corpsecret"), ""}, " ")
	res.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(`"errmsg":"`), []byte(echo), 1)))
	return res, nil
}

// company is one simulated company, reached over HTTP.
type company struct {
	t      *testing.T
	server *httptest.Server
	wire   tap
}

func start(t *testing.T, s sim.Seed) *company {
	t.Helper()
	simulator, err := sim.Open(s, sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &company{t: t, server: httptest.NewServer(simulator)}
	t.Cleanup(func() { c.server.CloseClientConnections(); c.server.Close(); _ = simulator.Close() })
	return c
}

func (c *company) open(log *slog.Logger, cfg map[string]string) adapters.Adapter {
	c.t.Helper()
	full := map[string]string{optBase: c.server.URL, optCorp: corp, optSecret: secret, optAgent: strconv.Itoa(agent)}
	for k, v := range cfg {
		full[k] = v
	}
	a, err := adapters.Open(platform, full, adapters.Env{HTTP: &http.Client{Transport: &c.wire}, Log: log, Now: time.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// control calls the simulator's own surface.
func (c *company) control(method, path, body string, out any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, c.server.URL+"/_sim/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s: %s (%v)", method, path, res.Status, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			c.t.Fatal(err)
		}
	}
}

type entry struct {
	Path   string
	Effect *struct{ Kind string }
}

func (c *company) ledger() (all []entry) {
	c.t.Helper()
	c.control(http.MethodGet, "ledger", "", &all)
	return all
}

// effects are the kinds of the changes that WeCom saw.
func (c *company) effects() (kinds []string) {
	for _, e := range c.ledger() {
		if e.Effect != nil && e.Effect.Kind != "tokens_voided" {
			kinds = append(kinds, e.Effect.Kind)
		}
	}
	return kinds
}

// told is what a member was sent.
func (c *company) told(id adapters.MemberID) (texts []string) {
	c.t.Helper()
	var state sim.Seed
	c.control(http.MethodGet, "state", "", &state)
	for _, m := range state.Messages {
		if slices.Contains(m.To, string(id)) {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

func (c *company) faults(rules string) {
	c.t.Helper()
	c.control(http.MethodPost, "faults", `{"rules":[`+rules+`]}`, nil)
}

func (c *company) play(f adaptertest.Fault) bool {
	c.wire.cut.Store(f.Kind == adaptertest.Unreachable)
	switch f.Kind {
	case adaptertest.None:
		c.faults("")
	case adaptertest.LoseResponse:
		c.faults(`{"match":"*/remark","dropResponse":true,"times":1},{"match":"*/message/send","dropResponse":true,"times":1}`)
	case adaptertest.Stall:
		c.faults(`{"match":"*","delay":"1m"}`)
	case adaptertest.Refuse:
		c.faults(`{"match":"/cgi-bin/externalcontact/*","errcode":` + f.Code + `}`)
	case adaptertest.Expire:
		c.control(http.MethodPost, "clock", `{"set":"`+time.Now().Add(3*time.Hour).UTC().Format(time.RFC3339)+`"}`, nil)
	}
	return true
}

func TestConformance(t *testing.T) {
	since := time.Unix(1772355600, 0).UTC()
	text := func(id adapters.ContactID, name, remark string, tag adapters.Tag) adapters.Contact {
		tag.Group = "等级"
		return adapters.Contact{ID: id, Name: name, Follows: []adapters.Follow{{Member: "wangfang004", Remark: remark, Tags: []adapters.Tag{tag}, Since: since}}}
	}
	table := map[string]adapters.Code{}
	for code, row := range codes {
		table[strconv.Itoa(code)] = row.is
	}
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		c := start(t, seed())
		return adaptertest.Harness{
			Open: func(log *slog.Logger, wrongSecret bool) adapters.Adapter {
				if wrongSecret {
					return c.open(log, map[string]string{optSecret: "wrong-" + secret})
				}
				return c.open(log, nil)
			},
			World: adaptertest.World{
				Members:     []adapters.MemberID{"zhaomin003", "wangfang004", "LiQiang005", "sunli006"},
				Departments: []adapters.DepartmentID{"1", "2", "3", "10"},
				Owner:       "wangfang004",
				Contacts:    []adapters.ContactID{"wm_haikang", "wm_wide", "wm_emoji", "wm_own", adapters.ContactID(longID)},
				Contact:     "wm_haikang",
				Missing:     "wm_nobody",
				Stranger:    "nobody",
				Texts: []adapters.Contact{
					text("wm_wide", "ＡＢＣ（全角）", "一二三四五六七八九十一二三四五六七八九十", adapters.Tag{ID: "et_east", Name: "华东"}),
					text("wm_emoji", "👩‍👩‍👧 家", "🧧过年", adapters.Tag{ID: "et_odd", Name: "🧧"}),
					text(adapters.ContactID(longID), strings.Repeat("长", 64), "<x>&\"'\\", adapters.Tag{ID: "et_key", Name: "重点客户"}),
				},
				Secrets: []string{secret, phone, "老周", "周采购", "access_token="},
			},
			Effects:  func(adapters.Key) int { return len(c.effects()) },
			Told:     c.told,
			Fault:    c.play,
			Tokens:   func() int { return int(c.wire.tokens.Load()) },
			Codes:    table,
			Unlisted: "99999",
		}
	}, adaptertest.Options{})
}
