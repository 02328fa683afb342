package view

import (
	"strings"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// The sentences that are made of names; {who} and {whom} stand for them.
var summaries = map[string][2]string{
	authz.ActionBlock:          {"{who} asks to block {whom}.", "{who}申请屏蔽{whom}。"},
	authz.ActionIsolate:        {"{who} asks to isolate {whom}.", "{who}申请隔离{whom}。"},
	authz.ActionBlacklist:      {"{who} asks to blacklist {whom}.", "{who}申请将{whom}加入黑名单。"},
	authz.ActionGroupBlock:     {"{who} asks to block {whom} in a group.", "{who}申请在群内屏蔽{whom}。"},
	authz.ActionLift:           {"{who} asks to end what keeps {whom} away.", "{who}申请解除对{whom}的限制。"},
	authz.ActionUndo:           {"{who} asks to take back what was done about {whom}.", "{who}申请撤销对{whom}的操作。"},
	authz.ActionBulk:           {"{who} asks to blacklist the contacts that a file names, on {whom}.", "{who}申请将文件所列的{whom}联系人加入黑名单。"},
	authz.ActionSignOutDevices: {"{who} asks to sign {whom} out everywhere.", "{who}申请将{whom}从所有设备退出登录。"},
	authz.ActionBindAccount:    {"{who} asks to change whose an account is; it concerns {whom}.", "{who}申请变更与{whom}有关的账号归属。"},
	authz.ActionUnlinkIdentity: {"{who} asks to take a login off {whom}.", "{who}申请解除{whom}的登录关联。"},
}

// statusSummaries are those of a change of status, by what an account shall come to; {where} stands for its workspace.
var statusSummaries = map[im.AccountStatus][2]string{
	im.AccountActive:   {"{who} asks to make {whom}'s account on {where} active again.", "{who}申请恢复{whom}在{where}的账号。"},
	im.AccountFrozen:   {"{who} asks to freeze {whom}'s account on {where}.", "{who}申请冻结{whom}在{where}的账号。"},
	im.AccountDormant:  {"{who} asks to put {whom}'s account on {where} to sleep.", "{who}申请休眠{whom}在{where}的账号。"},
	im.AccountDisabled: {"{who} asks to disable {whom}'s account on {where}.", "{who}申请停用{whom}在{where}的账号。"},
}

var somebody = [2]string{"somebody", "某人"}

func summary(l fault.Language, action, who, whom string) string {
	return sentence(l, summaries[action], who, whom, "")
}

func statusSummary(l fault.Language, to im.AccountStatus, who, whom, where string) string {
	return sentence(l, statusSummaries[to], who, whom, where)
}

func detail(l fault.Language, k im.AlertKind, who, whom string) string {
	return sentence(l, details[k], who, whom, "")
}

// sentence puts names into a sentence; who has none here stays somebody.
func sentence(l fault.Language, in [2]string, who, whom, where string) string {
	if who == "" {
		who = somebody[l]
	}
	if whom == "" {
		whom = somebody[l]
	}
	return strings.NewReplacer("{who}", who, "{whom}", whom, "{where}", where).Replace(in[l])
}

var titles = map[im.AlertKind][2]string{
	im.KeyContactBlocked: {"A contact who matters to the business was blocked.", "重要客户被屏蔽。"},
	im.RowVanished:       {"Somebody is missing from a file of the staff that says that it is complete.", "自称完整的人员文件中缺少一名成员。"},
	im.DirectoryShrank:   {"A file of the staff was not imported, for too many are missing from it.", "人员文件缺少的成员过多，导入已停止。"},
	im.BlockOveruse:      {"Several contacts were blocked within minutes; the last ones take effect after a while.", "短时间内连续屏蔽多位联系人，后续屏蔽将延后生效。"},
	im.OpportunityLoss:   {"A contact was blacklisted; business may be lost.", "联系人被加入黑名单，商机可能流失。"},
}

var details = map[im.AlertKind][2]string{
	im.KeyContactBlocked: {"{whom}, who matters to the business, was blocked by {who}.", "重要客户{whom}被{who}屏蔽。"},
	im.RowVanished:       {"{who} is missing from it; nobody leaves by that. Look into it.", "文件中没有{who}；系统不会因此办理离职，请核实。"},
	im.DirectoryShrank:   {"Nothing was changed. If they are truly gone, import it again and say so.", "未作任何更改；若确已离开，请确认后重新导入。"},
	im.BlockOveruse:      {"Of the contacts that {who} blocked within minutes, {whom} is one.", "{who}短时间内连续屏蔽多位联系人，{whom}是其中之一。"},
	im.OpportunityLoss:   {"{whom} was blacklisted by {who}; business with {whom} may be lost.", "{whom}被{who}加入黑名单，相关商机可能流失。"},
}

func title(l fault.Language, k im.AlertKind) string { return titles[k][l] }
