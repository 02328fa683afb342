// Package wecom brings WeCom (企业微信): its house rules, and a client of its server API.
//
// WeCom has no call that blocks or blacklists anybody. A blacklisting is emulated: the company's tags come off the
// contact, and the member's remark for it is marked, so that whoever looks at it in the client is warned. Nothing is
// stopped there, and the adapter says so. What members are told comes as a message of the app's.
package wecom

import (
	"embed"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

const platform = "wecom"

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(description(true))
	adapters.Offer(adapters.Info{Platform: platform, Options: options, Open: open})
}

// description is what is declared of WeCom. Without an app to send its messages nobody can be told anything.
func description(tells bool) adapters.Description {
	d := adapters.Description{
		Platform:     platform,
		Title:        "WeCom (企业微信)",
		Organisation: true,
		Rules:        rules,
		Docs:         "https://developer.work.weixin.qq.com/document/path/90664",
		Enforces:     map[adapters.Action]adapters.Enforcement{adapters.BlacklistContact: adapters.Emulated},
		Channels:     map[adapters.Action]adapters.Enforcement{adapters.BlacklistContact: adapters.Recorded},
		Requires:     map[adapters.Action]adapters.Feature{adapters.BlacklistContact: adapters.CustomerContact},
		Notes: map[adapters.Action]string{
			adapters.BlacklistContact: "WeCom has no blacklist. The company's tags come off the contact and the member's remark for it is marked; messages are not stopped.",
		},
		// https://developer.work.weixin.qq.com/document/path/90312 (访问频率限制)
		Budgets: []adapters.Budget{
			{Scope: "organisation", N: 10_000, Per: time.Minute},
			{Scope: "organisation", N: 150_000, Per: time.Hour},
			{Scope: "address", N: 20_000, Per: time.Minute},
			{Scope: "address", N: 600_000, Per: time.Hour},
		},
	}
	if tells {
		d.Enforces[adapters.Notify] = adapters.Native
		d.KeyHorizon = map[adapters.Action]time.Duration{adapters.Notify: duplicateInterval}
	}
	return d
}

// The names of the options.
const (
	optBase      = "base_url"
	optCorp      = "corp_id"
	optSecret    = "secret"
	optDirectory = "directory_secret"
	optMark      = "mark"
	optAgent     = "agent_id"
)

var options = []adapters.Option{
	{Name: optBase, Default: "https://qyapi.weixin.qq.com", Help: "where the server API is: another host for a private deployment or a simulator"},
	{Name: optCorp, Required: true, Help: "the company's corpid (企业ID)"},
	{Name: optSecret, Required: true, Secret: true, Help: "the secret of an app that is listed in 客户联系 → 可调用接口的应用"},
	{Name: optDirectory, Secret: true, Help: "the secret of another app, to read members and departments where its visible range is wider; that of the contact-sync assistant (通讯录同步) does only from addresses it had before 2022-08-15"},
	{Name: optAgent, Help: "the app's agentid (AgentId), as which members can be told something; the gateway does not do so yet"},
	{Name: optMark, Default: "【黑名单】", Help: "what the remark for a blacklisted contact begins with, at most 10 characters"},
}

// open makes an adapter. It calls nobody.
func open(cfg map[string]string, env adapters.Env) (adapters.Adapter, error) {
	base, err := url.Parse(strings.TrimSuffix(cfg[optBase], "/"))
	if err != nil || (base.Scheme != "https" && base.Scheme != "http") || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("wecom: option %q: expected https://HOST, found something else", optBase)
	}
	mark := cfg[optMark]
	if n := length(mark); n == 0 || n > 10 || strings.TrimSpace(mark) != mark {
		return nil, fmt.Errorf("wecom: option %q: expected 1 to 10 characters without space around them, found %d", optMark, n)
	}
	c := newClient(base.String(), env)
	a := &Adapter{client: c, mark: mark, app: c.tokens(cfg[optCorp], cfg[optSecret])}
	a.directory = a.app
	if s := cfg[optDirectory]; s != "" {
		a.directory = c.tokens(cfg[optCorp], s)
	}
	if s := cfg[optAgent]; s != "" {
		agent, err := strconv.ParseUint(s, 10, 31)
		if err != nil || agent == 0 {
			return nil, fmt.Errorf("wecom: option %q: expected a number such as 1000002", optAgent)
		}
		return &messenger{Adapter: a, agent: int(agent)}, nil
	}
	return a, nil
}
