// Package policy keeps the rules in force. It reads the company's files anew when they are saved: sound ones replace what
// is in force at once and whole, others change nothing and their faults are told.
package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Store is where the version in force is written down, for all replicas.
type Store interface {
	// ActivePolicy is the version in force; empty before there was one.
	ActivePolicy(ctx context.Context) (string, error)
	Post(ctx context.Context, u ledger.Unit) error
}

// Options are what a keeper needs.
type Options struct {
	// Build makes an engine of the files as they stand now.
	Build func() (*authz.Engine, error)
	Files fs.FS // the company's, which are watched; nil: there are none
	Store Store
	Log   *slog.Logger
	Now   func() time.Time
	IDs   *im.IDs
	Wake  func() // called after each write
}

// Status is what is in force, and why newer files are not.
type Status struct {
	Engine   *authz.Engine
	LoadedAt time.Time
	Problems []authz.Problem
}

// Keeper holds the engine in force. Make it with [Open] and run it.
type Keeper struct {
	o      Options
	status atomic.Pointer[Status]
	read   string // the print of the files that were dealt with

	inForce, refused, postponed atomic.Int64
}

// Open reads the files and puts them in force. Files that are not sound are an error of [authz.Problems].
func Open(ctx context.Context, o Options) (*Keeper, error) {
	k := &Keeper{o: o}
	if o.Files != nil {
		k.read = k.print() // before they are read: what is saved from here on is seen by Run
	}
	e, err := o.Build()
	if err != nil {
		return nil, err
	}
	if err := k.activate(ctx, e); err != nil {
		return nil, err
	}
	return k, nil
}

// Status is what is in force now.
func (k *Keeper) Status() Status { return *k.status.Load() }

// Engine is the engine in force now.
func (k *Keeper) Engine() *authz.Engine { return k.status.Load().Engine }

// Result is what became of saved files.
type Result string

// The results.
const (
	InForce   Result = "in_force"
	Refused   Result = "refused"
	Postponed Result = "postponed" // sound, and not in force as long as that cannot be written down
)

// Reloads counts what became of the files that were saved since the start.
func (k *Keeper) Reloads() map[Result]int64 {
	return map[Result]int64{InForce: k.inForce.Load(), Refused: k.refused.Load(), Postponed: k.postponed.Load()}
}

// Agrees fails while another version is in force than this replica has: its files are not those of the others.
func (k *Keeper) Agrees(ctx context.Context) error {
	active, err := k.o.Store.ActivePolicy(ctx)
	if err != nil {
		return err
	}
	if mine := k.Engine().Version(); active != mine {
		return fmt.Errorf("policy version %.12s is in force, and the files here are %.12s", active, mine)
	}
	return nil
}

// activate puts an engine in force: for all replicas by its row, and here. Nobody decides by it before its row is there.
func (k *Keeper) activate(ctx context.Context, e *authz.Engine) error {
	before, err := k.o.Store.ActivePolicy(ctx)
	if err != nil {
		return err
	}
	if now := k.o.Now(); before != e.Version() {
		u := ledger.Unit{
			Policy: &ledger.Policy{Version: e.Version(), Bundle: e.Bundle(), Before: before, At: now},
			Events: []im.AuditEvent{{ID: k.o.IDs.New(), At: now, ActorName: "guanxi", Action: "policy.activate", About: im.Company,
				Detail: im.Text(e.Version())}},
		}
		switch err := k.o.Store.Post(ctx, u); {
		case errors.Is(err, ledger.ErrStale): // another replica was faster, with these files or with others
			return k.activate(ctx, e)
		case err != nil:
			return err
		}
		k.o.Wake()
	}
	k.status.Store(&Status{Engine: e, LoadedAt: k.o.Now()})
	return nil
}

// watchEvery is how often the files are looked at. They are read once they have stayed the same for one look, so that
// none is read half-written.
const watchEvery = 200 * time.Millisecond

// Run watches the files until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	if k.o.Files == nil {
		return
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := k.read
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := k.print()
		settled := now == seen
		seen = now
		if settled && now != k.read && k.reload(ctx, now) {
			k.read = now
		}
	}
}

// reload reads the files, and reports whether what they said has been dealt with.
func (k *Keeper) reload(ctx context.Context, print string) bool {
	e, err := k.o.Build()
	if k.print() != print { // saved again meanwhile
		return false
	}
	if err == nil {
		if err := k.activate(ctx, e); err != nil {
			k.postponed.Add(1)
			if ctx.Err() == nil {
				k.o.Log.WarnContext(ctx, "new policy files are sound and cannot be put in force yet", "error", err)
			}
			return false
		}
		k.inForce.Add(1)
		k.o.Log.InfoContext(ctx, "policy files are in force", "version", e.Version())
		return true
	}
	var found *authz.Problems
	if !errors.As(err, &found) {
		found = &authz.Problems{List: []authz.Problem{{File: authz.CompanyLayer, Message: err.Error(), Severity: authz.SeverityError}}}
	}
	held := k.Status()
	held.Problems = found.List
	k.status.Store(&held)
	k.refused.Add(1)
	for _, p := range found.List { // words of the file stand in its message, and it may be a list of customers: the log has the place
		k.o.Log.WarnContext(ctx, "policy files are refused; what was in force stays", "at", p.Place())
	}
	return true
}

// print tells one state of the files from another without reading them.
func (k *Keeper) print() string {
	var b strings.Builder
	layers, err := authz.Company(k.o.Files)
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	for _, l := range layers {
		fmt.Fprintf(&b, "%q\n", l.Name)
		entries, err := fs.ReadDir(l.Files, ".")
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
		}
		for _, e := range entries {
			if !authz.IsPolicyFile(e.Name()) {
				continue
			}
			info, err := fs.Stat(l.Files, e.Name()) // of what a link leads to
			if err != nil {                         // it says nothing of the other files
				fmt.Fprintf(&b, "%v\n", err)
				continue
			}
			fmt.Fprintf(&b, "%q %d %d %s\n", e.Name(), info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return b.String()
}
