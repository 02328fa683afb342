// Package memory is a platform in memory and the adapter to it: the shortest honest implementation of the contract, to
// copy from and to test with. A real adapter keeps Adapter's shape and puts the vendor's HTTP where World is called.
package memory

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

var _ interface {
	adapters.Adapter
	adapters.Blacklister
	adapters.BlacklistReader
	adapters.MemberReader
	adapters.DepartmentReader
	adapters.ContactReader
	adapters.Notifier
} = (*Adapter)(nil)

var rules fs.FS = fstest.MapFS{} // no house rules: those of "*" hold

// Adapter is the platform as the contract wants it. Its token stands for whatever a vendor's client has to keep.
type Adapter struct {
	world  *World
	secret string
	log    *slog.Logger
	closed atomic.Bool

	mu    sync.Mutex // held over the fetch: the others wait for one token instead of fetching theirs
	token Token
}

// Open makes an adapter to w.
func (w *World) Open(secret string, log *slog.Logger) *Adapter {
	return &Adapter{world: w, secret: secret, log: log}
}

// Describe declares what memory really does.
func (a *Adapter) Describe() adapters.Description {
	return adapters.Description{
		Platform: "memory", Title: "In memory (内存)", Organisation: true, Rules: rules,
		Enforces:   map[adapters.Action]adapters.Enforcement{adapters.BlacklistContact: adapters.Native, adapters.Notify: adapters.Native},
		KeyHorizon: map[adapters.Action]time.Duration{adapters.Notify: keyHorizon},
	}
}

// Check asks for nothing, with the token.
func (a *Adapter) Check(ctx context.Context) error {
	return a.call(ctx, "memory.Check", func(Token) error { return nil })
}

// Close ends the adapter, not the world.
func (a *Adapter) Close() error { a.closed.Store(true); return nil }

// call does one call with a token that holds. A token that the world refuses is fetched anew, once.
func (a *Adapter) call(ctx context.Context, op string, do func(Token) error) error {
	if err := ctx.Err(); err != nil || a.closed.Load() {
		return &adapters.Error{Code: adapters.Unavailable, Op: op, Message: "not sent", Err: err}
	}
	var stale Token
	for attempt := 0; ; attempt++ {
		token, err := a.fresh(stale)
		if err == nil {
			err = a.world.serve(ctx, token, do)
		}
		if t, ok := err.(*Trouble); ok {
			if t.Code == adapters.Unauthenticated && t.Vendor == expired && attempt == 0 {
				stale = token
				continue
			}
			a.log.DebugContext(ctx, "memory: refused", "op", op, "code", t.Code.String(), "vendor_code", t.Vendor)
			return &adapters.Error{Code: t.Code, Op: op, Message: t.Code.String(), RetryAfter: t.RetryAfter,
				Vendor: adapters.Vendor{Code: t.Vendor, Docs: "https://example.org/errors#" + t.Vendor}}
		}
		return err
	}
}

// fresh is the token, fetched only where none is held or the one held is stale.
func (a *Adapter) fresh(stale Token) (Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == stale {
		t, err := a.world.issue(a.secret)
		if err != nil {
			return 0, err
		}
		a.token = t
	}
	return a.token, nil
}

// Blacklist takes the tags off, and lists. The world does it in one step; an adapter whose vendor needs several
// keeps the snapshot through all of them.
func (a *Adapter) Blacklist(ctx context.Context, req adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
	res := adapters.BlacklistResult{Outcome: adapters.Outcome{Enforcement: adapters.Native}}
	if req.Held != nil {
		res.Snapshot = *req.Held
	}
	err := a.call(ctx, "memory.Blacklist", func(Token) error {
		f, err := a.world.follow(req.Owner, req.Contact)
		if err != nil {
			return err
		}
		if res.Changed = !f.listed; !res.Changed {
			return nil
		}
		if req.Held == nil {
			res.Snapshot.Remark = f.Remark
		}
		res.Snapshot.Tags = union(res.Snapshot.Tags, f.Tags)
		f.listed, f.Tags = true, nil
		return a.world.effect(req.Key)
	})
	return res, err
}

// Unblacklist unlists, and puts back what is held and still exists.
func (a *Adapter) Unblacklist(ctx context.Context, req adapters.BlacklistRequest) (adapters.BlacklistResult, error) {
	res := adapters.BlacklistResult{Outcome: adapters.Outcome{Enforcement: adapters.Native}}
	err := a.call(ctx, "memory.Unblacklist", func(Token) error {
		f, err := a.world.follow(req.Owner, req.Contact)
		if err != nil {
			return err
		}
		was := len(f.Tags)
		if req.Held != nil {
			for _, t := range req.Held.Tags {
				if known := a.world.tags[t.ID]; known.ID == "" {
					res.Short = append(res.Short, adapters.Shortfall{Code: adapters.ShortGone, What: string(t.ID), Why: "the tag is gone"})
				} else {
					f.Tags = union(f.Tags, []adapters.Tag{known})
				}
			}
		}
		if res.Changed = f.listed || len(f.Tags) > was; !res.Changed {
			return nil
		}
		f.listed = false
		return a.world.effect(req.Key)
	})
	return res, err
}

// Blacklisted reads back.
func (a *Adapter) Blacklisted(ctx context.Context, owner adapters.MemberID, contact adapters.ContactID) (s adapters.BlacklistState, err error) {
	err = a.call(ctx, "memory.Blacklisted", func(Token) error {
		f, err := a.world.follow(owner, contact)
		if err == nil {
			s = adapters.BlacklistState{Listed: f.listed, Snapshot: adapters.Snapshot{Tags: slices.Clone(f.Tags), Remark: f.Remark}}
		}
		return err
	})
	return s, err
}

// keyHorizon is how long the world is said to remember a key; it never forgets one.
const keyHorizon = 24 * time.Hour

// Notify tells a member. The world remembers keys; an adapter whose vendor does not makes each message one of its own in
// another way.
func (a *Adapter) Notify(ctx context.Context, req adapters.NotifyRequest) (adapters.Outcome, error) {
	out := adapters.Outcome{Enforcement: adapters.Native}
	err := a.call(ctx, "memory.Notify", func(Token) (err error) {
		out.Changed, err = a.world.tell(req.Key, req.To, req.Text)
		return err
	})
	return out, err
}

// Members pages by id: a cursor that is the last id seen survives members who come and go.
func (a *Adapter) Members(ctx context.Context, after adapters.Cursor, size int) (p adapters.Page[adapters.Member], err error) {
	err = a.call(ctx, "memory.Members", func(Token) error {
		p, err = page(a.world.members, after, size, func(m adapters.Member) string { return string(m.ID) })
		return err
	})
	return p, err
}

// Departments pages by id.
func (a *Adapter) Departments(ctx context.Context, after adapters.Cursor, size int) (p adapters.Page[adapters.Department], err error) {
	err = a.call(ctx, "memory.Departments", func(Token) error {
		p, err = page(a.world.departments, after, size, func(d adapters.Department) string { return string(d.ID) })
		return err
	})
	return p, err
}

// Contacts pages by id.
func (a *Adapter) Contacts(ctx context.Context, owner adapters.MemberID, after adapters.Cursor, size int) (p adapters.Page[adapters.Contact], err error) {
	err = a.call(ctx, "memory.Contacts", func(Token) error {
		var mine []adapters.Contact
		for _, c := range a.world.contacts {
			if f := c.follows[owner]; f != nil {
				mine = append(mine, c.as(f))
			}
		}
		p, err = page(mine, after, size, func(c adapters.Contact) string { return string(c.ID) })
		return err
	})
	return p, err
}

// Contact reads one contact.
func (a *Adapter) Contact(ctx context.Context, id adapters.ContactID) (c adapters.Contact, err error) {
	err = a.call(ctx, "memory.Contact", func(Token) error {
		i := slices.IndexFunc(a.world.contacts, func(c *contact) bool { return c.ID == id })
		if i < 0 {
			return &Trouble{Code: adapters.NotFound, Vendor: "E404"}
		}
		all := slices.SortedFunc(follows(a.world.contacts[i]), func(x, y *follow) int { return cmp.Compare(x.Member, y.Member) })
		c = a.world.contacts[i].as(all...)
		return nil
	})
	return c, err
}

// page cuts what stands in the order of its keys. A cursor is "after:" and the last key.
func page[T any](all []T, after adapters.Cursor, size int, key func(T) string) (adapters.Page[T], error) {
	const head = "after:"
	if after != "" && (len(after) <= len(head) || after[:len(head)] != head) || size <= 0 {
		return adapters.Page[T]{}, &Trouble{Code: adapters.InvalidArgument, Vendor: "E400"}
	}
	all = slices.SortedFunc(slices.Values(all), func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	if after != "" {
		all = all[len(all)-countAfter(all, string(after[len(head):]), key):]
	}
	p := adapters.Page[T]{Items: all[:min(size, len(all))]}
	if len(all) > size {
		p.Next = adapters.Cursor(head + key(all[size-1]))
	}
	return p, nil
}

func countAfter[T any](all []T, last string, key func(T) string) (n int) {
	for _, it := range all {
		if key(it) > last {
			n++
		}
	}
	return n
}

// union is have, and what of more is not in it, by id.
func union(have, more []adapters.Tag) []adapters.Tag {
	have = slices.Clone(have)
	for _, t := range more {
		if !slices.ContainsFunc(have, func(h adapters.Tag) bool { return h.ID == t.ID }) {
			have = append(have, t)
		}
	}
	return have
}
