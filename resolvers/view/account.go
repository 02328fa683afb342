package view

import (
	"context"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/accounts"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
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

// BindAccountPayload is what came of putting an account on a person.
type BindAccountPayload struct {
	Command
	Account *Account
}

// UnlinkIdentityPayload is what came of taking a login off a person.
type UnlinkIdentityPayload struct {
	Command
	b      *Batch
	member im.ID
}

// IsCommandPayload: they have a payload's fields.
func (*BindAccountPayload) IsCommandPayload() {}

// IsCommandPayload: they have a payload's fields.
func (*UnlinkIdentityPayload) IsCommandPayload() {}

// BindAccountPayload presents what came of putting an account on a person.
func (b *Batch) BindAccountPayload(r accounts.Result) *BindAccountPayload {
	c, a := b.accountCommand(r)
	return &BindAccountPayload{c, a}
}

// UnlinkIdentityPayload presents what came of taking a login off a person.
func (b *Batch) UnlinkIdentityPayload(r accounts.Unlinked) *UnlinkIdentityPayload {
	c, _ := b.command(blocking.Result{Decision: r.Decision, Faults: r.Faults})
	if r.Approval != nil {
		c.Approval = b.Approval(*r.Approval)
	}
	return &UnlinkIdentityPayload{c, b, r.MemberID}
}

// Member is whose the login is or was.
func (p *UnlinkIdentityPayload) Member(ctx context.Context) (*Member, error) {
	return p.b.members.get(ctx, p.member)
}

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
