// Package feishu brings the house rules of Feishu (飞书). Nothing reaches the platform itself yet.
package feishu

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

const platform = "feishu"

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{
		Platform:     platform,
		Title:        "Feishu (飞书)",
		Organisation: true,
		Rules:        rules,
		Docs:         "https://open.feishu.cn/document/",
		Enforces:     map[adapters.Action]adapters.Enforcement{adapters.BlockContact: adapters.Unsupported, adapters.BlacklistContact: adapters.Unsupported},
		Notes: map[adapters.Action]string{
			adapters.BlockContact:     "Feishu has no customers.",
			adapters.BlacklistContact: "Feishu has no customers.",
		},
	})
}
