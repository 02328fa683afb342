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
	})
}
