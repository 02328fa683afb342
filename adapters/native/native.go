// Package native is guanxi's own messaging: the gateway obeys its relationships itself, in the transaction that makes
// them, so that nothing has to be delivered.
package native

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{
		Platform:     "native",
		Title:        "guanxi (关系)",
		Organisation: true,
		Rules:        rules,
		Enforces: map[adapters.Action]adapters.Enforcement{
			adapters.BlockMember:  adapters.Native,
			adapters.BlockContact: adapters.Native,
		},
	})
}
