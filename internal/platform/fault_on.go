//go:build guanxi_planted_order

package platform

import (
	"context"
	"slices"
	"sync"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// wrongOrder says what is wrong on purpose; the linker sets it. "hold": what is taken off a contact is kept only with the
// end of the delivery. "settle": a delivery is at its end before anything is called.
var wrongOrder string

// ordered puts a courier's order wrong. The crash tests build the gateway so, and must find what is lost; no release is
// ever built with this tag.
func ordered(s Store) Store { return &disorder{Store: s} }

type disorder struct {
	Store
	mu   sync.Mutex
	late []im.Hold
}

func (d *disorder) Claim(ctx context.Context, q ClaimQuery) ([]Job, error) {
	jobs, err := d.Store.Claim(ctx, q)
	for _, j := range jobs {
		if wrongOrder == "settle" && err == nil {
			step := j.Intent
			step.State, step.SettledAt = im.DeliveryDelivered, q.Now
			err = d.Store.Post(ctx, ledger.Unit{IntentSteps: []im.Intent{step}})
		}
	}
	return jobs, err
}

func (d *disorder) KeepHold(ctx context.Context, h im.Hold) error {
	if wrongOrder != "hold" {
		return d.Store.KeepHold(ctx, h)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.ContainsFunc(d.late, func(o im.Hold) bool { return o.ContactID == h.ContactID && o.MemberID == h.MemberID }) {
		d.late = append(d.late, h) // what is kept already stays
	}
	return nil
}

func (d *disorder) Post(ctx context.Context, u ledger.Unit) error {
	for _, i := range u.IntentSteps {
		if i.State != im.DeliveryPending {
			u.Holds = append(d.kept(i.TargetID), u.Holds...)
		}
	}
	if wrongOrder == "settle" {
		u.IntentSteps = nil
	}
	return d.Store.Post(ctx, u)
}

// kept is what was to be kept of a contact.
func (d *disorder) kept(contact im.ID) (hs []im.Hold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late = slices.DeleteFunc(d.late, func(h im.Hold) bool {
		if h.ContactID == contact {
			hs = append(hs, h)
		}
		return h.ContactID == contact
	})
	return hs
}
