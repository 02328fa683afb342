// Package dingtalk brings the house rules of DingTalk (钉钉). Nothing reaches the platform itself yet.
package dingtalk

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

const platform = "dingtalk"

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{
		Platform:     platform,
		Title:        "DingTalk (钉钉)",
		Organisation: true,
		Rules:        rules,
		Docs:         "https://open.dingtalk.com/document/",
		Enforces:     map[adapters.Action]adapters.Enforcement{adapters.Bulk: adapters.Unsupported},
		Notes:        map[adapters.Action]string{adapters.Bulk: "DingTalk has people blocked by hand, one at a time."},
	})
}
