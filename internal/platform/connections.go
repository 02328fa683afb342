package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
)

// Connections is the platforms with the workspaces that are connected to them.
type Connections struct {
	*Catalogue
	byID    map[im.ID]*connection
	budgets BudgetStore
	now     func() time.Time
}

// connection is one workspace with the adapter that reaches its platform.
type connection struct {
	workspace im.Workspace
	adapter   adapters.Adapter
	slots     chan struct{} // as many as attempts may be under way

	mu        sync.Mutex
	silent    bool   // the last request found nobody there
	lastError string // the code of the last failure, while it lasts
	waits     bool   // something waits for it to do better
	hastened  time.Time
	stride    int // how much was hastened the last time
}

// Connect opens an adapter for each workspace that the settings name, with its options, and for those on a platform
// that is the gateway itself. A workspace that is not connected is known all the same: everything on it is recorded.
// What the adapters call is kept within the budgets of their platforms, which replicas share.
func Connect(c *Catalogue, workspaces []im.Workspace, settings map[string]map[string]string, env adapters.Env, budgets BudgetStore) (*Connections, error) {
	out := &Connections{Catalogue: c, byID: make(map[im.ID]*connection), budgets: budgets, now: env.Now}
	var faults []error
	for name := range settings {
		if !slices.ContainsFunc(workspaces, func(w im.Workspace) bool { return w.Name == name }) {
			faults = append(faults, fmt.Errorf("workspaces.%s: there is no workspace of this name", name))
		}
	}
	for _, w := range workspaces {
		options, named := settings[w.Name]
		if !named && !c.Platform(w.Platform).Own {
			continue
		}
		k := &connection{workspace: w, slots: make(chan struct{}, attemptsAtOnce)}
		var err error
		if k.adapter, err = adapters.Open(w.Platform, options, k.env(env, c.Platform(w.Platform).budgets, budgets)); err != nil {
			faults = append(faults, fmt.Errorf("workspaces.%s: %w", w.Name, err))
			continue
		}
		out.byID[w.ID] = k
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// env is what the connection's adapter may use of the world: an HTTP client that keeps to the budgets, and that tells
// whether anybody answers.
func (k *connection) env(env adapters.Env, budgets []adapters.Budget, store BudgetStore) adapters.Env {
	if env.HTTP == nil {
		return env // which opening refuses
	}
	client := *env.HTTP
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = &pacer{next: client.Transport, store: store, platform: k.workspace.Platform, workspace: k.workspace.ID, budgets: budgets, now: env.Now,
		leases: map[string]*lease{}, sent: k.sent}
	env.HTTP = &client
	return env
}

// sent takes note of how a request ended.
func (k *connection) sent(err error) {
	var dial *net.OpError
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.silent = false
	case errors.As(err, &dial) && dial.Op == "dial":
		k.silent = true
	}
}

// Close ends what the adapters have under way.
func (c *Connections) Close() error {
	var errs []error
	for _, k := range c.byID {
		errs = append(errs, k.adapter.Close())
	}
	return errors.Join(errs...)
}

// Capabilities says what works on a workspace, and how far.
func (c *Connections) Capabilities(w im.Workspace) []Capability {
	if c.byID[w.ID] == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Platform(w.Platform).Capabilities), func(k Capability) bool {
		return !c.enabled(w, k.Action) || k.Action == string(adapters.Notify) && !c.Notifies(w.ID)
	})
}

// Notifies reports whether people can be told something on the workspace's platform.
func (c *Connections) Notifies(workspace im.ID) bool {
	k := c.byID[workspace]
	if k == nil {
		return false
	}
	_, ok := k.adapter.(adapters.Notifier)
	return ok
}

// Enforcement says how far a relationship is carried out on a workspace. Where nothing is connected it is recorded.
func (c *Connections) Enforcement(w im.Workspace, kind im.RelationshipKind, target im.Kind) im.Enforcement {
	e, declared := c.Platform(w.Platform).enforces[actionOf(kind, target)]
	if !declared || c.byID[w.ID] == nil && e != adapters.Unsupported {
		return im.EnforcedRecorded
	}
	return im.Enforcement(e)
}

// NoBulk reports whether the platform of a workspace has no way to keep many away at once.
func (c *Connections) NoBulk(w im.Workspace) bool {
	return c.Platform(w.Platform).enforces[adapters.Bulk] == adapters.Unsupported
}

// ChannelEnforcement says how far a channel between the two parties of a relationship is really closed: an action that is
// emulated as a whole may stop no message, and no adapter closes further channels yet.
func (c *Connections) ChannelEnforcement(w im.Workspace, r im.Relationship, channel im.Channel) im.Enforcement {
	if r.Declared || slices.Contains(im.FurtherChannels, channel) {
		return im.EnforcedRecorded
	}
	if e, ok := c.Platform(w.Platform).channels[actionOf(r.Kind, r.Target.Kind)]; ok && c.byID[w.ID] != nil {
		return im.Enforcement(e)
	}
	return c.Enforcement(w, r.Kind, r.Target.Kind)
}

// Note explains the enforcement of a relationship to people; empty where there is nothing to explain.
func (c *Connections) Note(w im.Workspace, kind im.RelationshipKind, target im.Kind) string {
	for _, k := range c.Capabilities(w) {
		if k.Action == string(actionOf(kind, target)) {
			return k.Note
		}
	}
	return ""
}

// Enabled reports whether the organisation has opened what a relationship of this kind takes on its platform.
func (c *Connections) Enabled(w im.Workspace, kind im.RelationshipKind, target im.Kind) bool {
	return c.enabled(w, string(actionOf(kind, target)))
}

func (c *Connections) enabled(w im.Workspace, action string) bool {
	return c.Platform(w.Platform).requires[adapters.Action(action)] != adapters.CustomerContact || w.CustomerContact
}

// Delivers reports whether a relationship of this kind is something to carry out on the workspace's platform.
func (c *Connections) Delivers(workspace im.ID, kind im.RelationshipKind) bool {
	k := c.byID[workspace]
	if k == nil || k.adapter.Describe().Own || kind != im.Blacklist {
		return false
	}
	_, ok := k.adapter.(adapters.Blacklister)
	return ok
}

// Own reports whether a workspace is the gateway's own, where what it decides is done by that alone.
func (c *Connections) Own(workspace im.ID) bool {
	k := c.byID[workspace]
	return k != nil && k.adapter.Describe().Own
}

// actionOf is the adapters' word for a relationship.
func actionOf(kind im.RelationshipKind, target im.Kind) adapters.Action {
	switch {
	case kind == im.Blacklist:
		return adapters.BlacklistContact
	case kind == im.Isolation:
		return adapters.IsolateMember
	case kind == im.GroupBlock:
		return adapters.GroupBlockMember
	case kind == im.Block && target == im.KindDepartment:
		return adapters.BlockDepartment
	case kind == im.Block && target == im.KindGroup:
		return adapters.BlockGroup
	case kind == im.Block && target == im.KindContact:
		return adapters.BlockContact
	}
	return adapters.BlockMember
}

// Health is how the connection of a workspace does.
type Health struct {
	Reachable bool
	LastError string // the code of the last failure, while it lasts
}

// Health says how the connection of a workspace does. Of one that is not connected nothing can be reached.
func (c *Connections) Health(workspace im.ID) Health {
	k := c.byID[workspace]
	if k == nil {
		return Health{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return Health{!k.silent && k.lastError != adapters.Unauthenticated.String(), k.lastError}
}

// checkTimeout bounds one check of a connection.
const checkTimeout = 5 * time.Second

// Check asks every connected platform whether it answers, all at once.
func (c *Connections) Check(ctx context.Context) {
	var all sync.WaitGroup
	for _, k := range c.byID {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			_, err := seen(ctx, k.workspace.Platform, "Check", func(ctx context.Context) (struct{}, error) { return struct{}{}, k.adapter.Check(ctx) })
			k.heard(err)
		})
	}
	all.Wait()
}

// seen makes a call of a platform's adapter, and has it seen how it ended.
func seen[R any](ctx context.Context, platform, call string, f func(context.Context) (R, error)) (R, error) {
	ctx, act := observe.Begin(ctx, observe.Call, platform, call)
	r, err := f(ctx)
	act.End(adapters.CodeOf(err).String())
	return r, err
}

// heard takes the end of an attempt or a check as a sign of how the connection does.
func (k *connection) heard(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch code := adapters.CodeOf(err); code {
	case adapters.OK:
		k.lastError = ""
	case adapters.RateLimited, adapters.QuotaExceeded:
		k.stride = 0
		fallthrough
	case adapters.Unavailable, adapters.Indeterminate, adapters.Unauthenticated:
		k.lastError = code.String()
	}
}

// keepsWaiting notes that something waits for the platform to do better.
func (k *connection) keepsWaiting() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waits = true
}

// recovered says how much of what waits may be tried before its time, as the platform does better: little at first, so
// that one which is not yet well is not flooded.
func (k *connection) recovered(now time.Time) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.waits || k.lastError != "" || now.Sub(k.hastened) < hastenEvery {
		return 0
	}
	k.hastened = now
	k.stride = max(hastenFirst, 2*k.stride)
	return k.stride
}

// down reports whether nobody answers there.
func (k *connection) down() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.silent
}

// busy reports whether an attempt is under way.
func (c *Connections) busy() bool {
	for _, k := range c.byID {
		if len(k.slots) > 0 {
			return true
		}
	}
	return false
}

// take takes up to n slots for attempts: those that are free, or where it may wait, all n.
func (k *connection) take(n int, wait bool) (taken int) {
	for taken < n {
		if wait {
			k.slots <- struct{}{}
			taken++
			continue
		}
		select {
		case k.slots <- struct{}{}:
			taken++
		default:
			return taken
		}
	}
	return taken
}

func (k *connection) release(n int) {
	for range n {
		<-k.slots
	}
}
