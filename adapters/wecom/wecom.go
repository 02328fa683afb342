// Package wecom brings WeCom (企业微信). So far it knows the house rules; what they decide is recorded and obeyed by the
// gateway's own surfaces, and not yet carried out on the platform.
package wecom

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{
		Platform:     "wecom",
		Title:        "WeCom (企业微信)",
		Organisation: true,
		Rules:        rules,
	})
}
