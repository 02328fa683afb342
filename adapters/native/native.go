// Package native is guanxi's own messaging: the gateway obeys its relationships itself, in the transaction that makes
// them, so that nothing has to be delivered.
package native

import (
	"context"
	"embed"
	"errors"
	"sync/atomic"

	"github.com/guanxi-im/guanxi/adapters"
)

const platform = "native"

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(description())
	adapters.Offer(adapters.Info{Platform: platform, Open: open})
}

func description() adapters.Description {
	return adapters.Description{
		Platform:     platform,
		Title:        "guanxi (关系)",
		Organisation: true,
		Rules:        rules,
		Own:          true,
		Enforces: map[adapters.Action]adapters.Enforcement{
			adapters.BlockMember:      adapters.Native,
			adapters.BlockContact:     adapters.Native,
			adapters.BlacklistContact: adapters.Native,
			adapters.IsolateMember:    adapters.Native,
			adapters.GroupBlockMember: adapters.Native,
		},
	}
}

// open makes an adapter. It calls nobody.
func open(_ map[string]string, env adapters.Env) (adapters.Adapter, error) {
	if env.Store == nil {
		return nil, errors.New("native: the gateway is the platform here, and its store was not handed in")
	}
	return &Adapter{store: env.Store}, nil
}

var _ adapters.Adapter = (*Adapter)(nil)

// Adapter is the gateway as a platform. It has no capability: whoever decides has carried out already.
type Adapter struct {
	store  func(context.Context) error
	closed atomic.Bool
}

// Describe declares what the gateway obeys.
func (a *Adapter) Describe() adapters.Description { return description() }

// Check reaches the gateway's own store. What the store says of a failure is not told: a database's errors name its
// address and its user.
func (a *Adapter) Check(ctx context.Context) error {
	if a.closed.Load() {
		return unavailable("the adapter is closed", nil)
	}
	if err := ctx.Err(); err != nil {
		return unavailable("the call's time was over before it was made", err)
	}
	if a.store(ctx) != nil {
		return unavailable("the gateway's own store does not answer", ctx.Err())
	}
	return nil
}

// Close ends the adapter, not the store, which is the gateway's.
func (a *Adapter) Close() error {
	a.closed.Store(true)
	return nil
}

func unavailable(message string, err error) *adapters.Error {
	return &adapters.Error{Code: adapters.Unavailable, Op: platform + ".Check", Message: message, Err: err}
}
