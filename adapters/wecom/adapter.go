package wecom

import (
	"context"

	"github.com/guanxi-im/guanxi/adapters"
)

var _ interface {
	adapters.Adapter
	adapters.Blacklister
	adapters.BlacklistReader
	adapters.MemberReader
	adapters.DepartmentReader
	adapters.ContactReader
} = (*Adapter)(nil)

// Adapter is one company on WeCom.
type Adapter struct {
	client         *client
	app, directory *tokens // which secret may call what: https://developer.work.weixin.qq.com/document/path/90664
	mark           string
	pairs          serial
}

// Describe declares what the adapter carries out.
func (a *Adapter) Describe() adapters.Description { return description(false) }

// Check asks who has customer contact: that needs the secret, the trusted address and the app's place in 客户联系.
func (a *Adapter) Check(ctx context.Context) error {
	_, err := a.followUsers(ctx)
	return err
}

// Close ends the calls that are under way, and lets no other begin.
func (a *Adapter) Close() error {
	a.client.close()
	return nil
}
