// Package wechat brings the rules of personal WeChat (微信). It has no organisation and no server API: what people
// block there is written down here, and nothing is carried out.
package wechat

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

const platform = "wechat"

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{
		Platform:     platform,
		Title:        "WeChat (微信)",
		Organisation: false,
		Rules:        rules,
		Enforces: map[adapters.Action]adapters.Enforcement{adapters.BlockContact: adapters.Unsupported, adapters.BlacklistContact: adapters.Unsupported,
			adapters.IsolateMember: adapters.Unsupported, adapters.GroupBlockMember: adapters.Unsupported, adapters.Bulk: adapters.Unsupported},
	})
}
