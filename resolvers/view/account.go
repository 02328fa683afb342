package view

import (
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/blocking"
)

// SetAccountStatusPayload is what came of a wished change of an account's status.
type SetAccountStatusPayload struct {
	Command
	Account *Account
}

// SignOutDevicesPayload is what came of signing somebody out.
type SignOutDevicesPayload struct {
	Command
	Account     *Account
	Enforcement *model.Enforcement
}

// IsCommandPayload: they have a payload's fields.
func (*SetAccountStatusPayload) IsCommandPayload() {}

// IsCommandPayload: they have a payload's fields.
func (*SignOutDevicesPayload) IsCommandPayload() {}

// SetAccountStatusPayload presents what came of a wished change.
func (b *Batch) SetAccountStatusPayload(r accounts.Result) *SetAccountStatusPayload {
	c, a := b.accountCommand(r)
	return &SetAccountStatusPayload{c, a}
}

// SignOutDevicesPayload presents what came of signing somebody out.
func (b *Batch) SignOutDevicesPayload(r accounts.Result) *SignOutDevicesPayload {
	c, a := b.accountCommand(r)
	return &SignOutDevicesPayload{c, a, some(model.Enforcement(r.Enforcement))}
}

func (b *Batch) accountCommand(r accounts.Result) (Command, *Account) {
	c, _ := b.command(blocking.Result{Decision: r.Decision, Faults: r.Faults})
	if r.Approval != nil {
		c.Approval = b.Approval(*r.Approval)
	}
	if r.Account == nil {
		return c, nil
	}
	return c, b.Account(*r.Account)
}
