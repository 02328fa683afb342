package demo

import (
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// standing is an account that is not as all others are.
type standing struct {
	no, workspace string
	status        im.AccountStatus
	reason        im.Text
	idle          time.Duration // since it was last used; below zero: it never was
}

// The others' accounts that people look for in lists: frozen, gone to sleep, idle, and one that outlived its person.
var standings = []standing{
	{"045", wecom, im.AccountFrozen, "手机遗失，等待找回", 3 * day},
	{"027", feishu, im.AccountDormant, "超过 30 天未登录", 71 * day},
	{"037", wecom, im.AccountActive, "", 45 * day},
	{"031", feishu, im.AccountActive, "", 33 * day},
	{"050", native, im.AccountActive, "", -1},
	{leaver, native, im.AccountActive, "", 40 * day},
	{leaver, wecom, im.AccountDisabled, "离职", 41 * day},
	{leaver, dingtalk, im.AccountDisabled, "离职", 41 * day},
}

// leaver has left the company. One account was forgotten.
const leaver = "048"

func (b *builder) addAccounts(p person) {
	member := must(b.members, p.no)
	for _, name := range p.workspaces() {
		a := im.Account{
			ID: b.ids.New(), MemberID: member, WorkspaceID: must(b.workspaces, name), Kind: im.HumanAccount,
			PlatformID: p.account(), Status: im.AccountActive, StatusScope: im.FullScope, LastActiveAt: b.now,
		}
		if i := slices.IndexFunc(standings, func(s standing) bool { return s.no == p.no && s.workspace == name }); i >= 0 {
			s := standings[i]
			a.Status, a.StatusReason, a.LastActiveAt = s.status, s.reason, b.now.Add(-s.idle)
			if s.idle < 0 {
				a.LastActiveAt = time.Time{}
			}
		}
		b.Accounts = append(b.Accounts, a)
		b.bind(a, member, 400*day, 0, "")
		if name == wecom {
			b.addDevice(a, "iPhone 15", "phone", false)
		}
		if name == wecom && p.department != "销售部/华东" && p.department != "销售部/华南" {
			b.addDevice(a, "ThinkPad "+p.no, "desktop", true)
		}
	}
}

// addUnmanned adds the accounts that no one person uses alone.
func (b *builder) addUnmanned() {
	desk := im.Account{ID: b.ids.New(), MemberID: must(b.members, "060"), WorkspaceID: must(b.workspaces, wecom), Kind: im.SharedAccount,
		PlatformID: "qiantai", Status: im.AccountActive, StatusScope: im.FullScope, LastActiveAt: b.now}
	robot := im.Account{ID: b.ids.New(), WorkspaceID: must(b.workspaces, wecom), Kind: im.BotAccount,
		PlatformID: "bot_notice", Status: im.AccountActive, StatusScope: im.FullScope, LastActiveAt: b.now}
	b.Accounts = append(b.Accounts, desk, robot)
	b.bind(desk, must(b.members, "047"), 400*day, 100*day, "前台账号启用")
	b.bind(desk, desk.MemberID, 100*day, 0, "换岗")
}

// bind says whose an account was, from so long ago until so long ago.
func (b *builder) bind(a im.Account, member im.ID, from, until time.Duration, reason im.Text) {
	x := im.AccountBinding{ID: b.ids.New(), AccountID: a.ID, MemberID: member, From: b.now.Add(-from), Reason: reason}
	if until > 0 {
		x.Until = b.now.Add(-until)
	}
	b.Bindings = append(b.Bindings, x)
}

func (b *builder) addDevice(a im.Account, label, kind string, company bool) {
	b.Devices = append(b.Devices, im.Device{ID: b.ids.New(), AccountID: a.ID, Label: label, Kind: kind, CompanyOwned: company,
		LastSeenAt: a.LastActiveAt, SignedIn: a.Status == im.AccountActive})
}

// addIdentities links two of the named and a few others to a personal WeChat, and the heads to the company's own sign-in.
func (b *builder) addIdentities() {
	link := func(no, provider string, personal bool) {
		b.Identities = append(b.Identities, im.IdentityLink{ID: b.ids.New(), MemberID: must(b.members, no), Provider: provider,
			Subject: fmt.Sprintf("%s-%04d", provider, 7000+len(b.Identities)), Personal: personal, LinkedAt: b.now.Add(-200 * day)})
	}
	for _, no := range []string{"004", "005", "033", "040"} {
		link(no, "wechat", true)
	}
	for _, no := range heads {
		link(no, "oidc", false)
	}
}
