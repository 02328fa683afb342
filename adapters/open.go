package adapters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Env is what an adapter may use of the world. Nothing else: no globals, no environment variables, no time.Now, no
// default HTTP client.
type Env struct {
	// HTTP is how the platform is called. Its transport may refuse a request before it is sent, by an [Error] which the
	// adapter hands on with its Code and RetryAfter: so the caller keeps to the platform's budgets.
	HTTP *http.Client
	Log  *slog.Logger
	Now  func() time.Time
	// Store reaches the gateway's own store within its context, for a platform that is the gateway itself; nil elsewhere.
	Store func(context.Context) error
}

// Option declares one setting of an adapter. The configuration is checked against it, people read its Help, and Secret
// keeps its value out of every log.
type Option struct {
	Name, Help, Default string
	Required, Secret    bool
}

// Info says how the platform is reached that a [Description] registers.
type Info struct {
	Platform string
	Options  []Option
	// Open makes an adapter from settings that Options have been applied to. It does no I/O; [Adapter.Check] does.
	Open func(cfg map[string]string, env Env) (Adapter, error)
}

var offered []Info

// Offer makes a way to open a platform known. It is called from an adapter's init, and panics where two offer one name.
func Offer(i Info) {
	if i.Platform == "" || i.Open == nil {
		panic("adapters: an offer needs a platform and a way to open it")
	}
	if slices.ContainsFunc(offered, func(o Info) bool { return o.Platform == i.Platform }) {
		panic(fmt.Sprintf("adapters: two offers for %s", i.Platform))
	}
	offered = append(offered, i)
	slices.SortFunc(offered, func(a, b Info) int { return strings.Compare(a.Platform, b.Platform) })
}

// Offers lists what can be opened, by name.
func Offers() []Info { return slices.Clone(offered) }

// Open opens a platform by its name.
func Open(platform string, cfg map[string]string, env Env) (Adapter, error) {
	names := make([]string, len(offered))
	for n, i := range offered {
		if i.Platform == platform {
			return i.With(cfg, env)
		}
		names[n] = i.Platform
	}
	return nil, fmt.Errorf("adapters: no platform %q to open; there are %q", platform, names)
}

// With opens the platform. It names all settings that are missing or unknown at once, and fails for an adapter whose
// declaration and capabilities differ.
func (i Info) With(cfg map[string]string, env Env) (Adapter, error) {
	full := make(map[string]string, len(i.Options))
	var faults []error
	for _, o := range i.Options {
		v := cfg[o.Name]
		if v == "" {
			v = o.Default
		}
		if v == "" && o.Required {
			faults = append(faults, fmt.Errorf("%s: option %q is required: %s", i.Platform, o.Name, o.Help))
		}
		full[o.Name] = v
	}
	for name := range cfg {
		if _, known := full[name]; !known {
			faults = append(faults, fmt.Errorf("%s: there is no option %q", i.Platform, name))
		}
	}
	if env.HTTP == nil || env.Log == nil || env.Now == nil {
		faults = append(faults, fmt.Errorf("%s: an adapter needs an HTTP client, a log and a clock", i.Platform))
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("adapters: %w", errors.Join(faults...))
	}
	a, err := i.Open(full, env)
	if err != nil {
		return nil, err
	}
	if err := Agree(a); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// capability says for each action that has an interface whether an adapter implements it, and whether what it did can
// be read back.
var capability = map[Action]struct{ acts, reads func(Adapter) bool }{
	BlacklistContact: {is[Blacklister], is[BlacklistReader]},
	Notify:           {is[Notifier], func(Adapter) bool { return false }},
}

func is[C any](a Adapter) bool { _, ok := a.(C); return ok }

// degrees are the degrees of enforcement, the least first; features are what may be required.
var (
	degrees  = []Enforcement{Unsupported, Recorded, Emulated, Native}
	features = []Feature{CustomerContact}
)

// Agree says whether an adapter declares what it implements, and implements what it declares. A Blacklister whose
// vendor remembers no key must be able to read back, or nothing could ever settle a lost answer. Where the gateway is
// the platform, what an adapter could carry out would never be called, and is a mistake.
func Agree(a Adapter) error {
	d := a.Describe()
	var faults []error
	if d.Platform == "" || d.Title == "" {
		faults = append(faults, errors.New("a platform needs a name and a title"))
	}
	for action, c := range capability {
		claims, acts := d.Enforces[action] == Native || d.Enforces[action] == Emulated, c.acts(a)
		switch {
		case d.Own && acts:
			faults = append(faults, fmt.Errorf("is the gateway itself, to which nothing is delivered; implements %s: true", action))
		case d.Own:
		case claims != acts:
			faults = append(faults, fmt.Errorf("declares %s as %q; implements it: %t", action, d.Enforces[action], acts))
		case acts && d.KeyHorizon[action] <= 0 && !c.reads(a):
			faults = append(faults, fmt.Errorf("%s has no key horizon and cannot be read back", action))
		}
	}
	for action, e := range d.Enforces {
		if _, callable := capability[action]; !d.Own && !callable && (e == Native || e == Emulated) {
			faults = append(faults, fmt.Errorf("declares %s as %q, for which there is no capability", action, e))
		}
		if !slices.Contains(degrees, e) {
			faults = append(faults, fmt.Errorf("enforces %s as %q, which is no word for it", action, e))
		}
	}
	for action, e := range d.Channels {
		whole, known := d.Enforces[action]
		switch {
		case !known:
			faults = append(faults, fmt.Errorf("channels of %s, which it does not enforce", action))
		case !slices.Contains(degrees, e):
			faults = append(faults, fmt.Errorf("closes the channels of %s as %q, which is no word for it", action, e))
		case slices.Index(degrees, e) > slices.Index(degrees, whole):
			faults = append(faults, fmt.Errorf("closes the channels of %s as %q, which is more than %q", action, e, whole))
		}
	}
	for action, f := range d.Requires {
		if _, known := d.Enforces[action]; !known {
			faults = append(faults, fmt.Errorf("a requirement of %s, which it does not enforce", action))
		} else if !slices.Contains(features, f) {
			faults = append(faults, fmt.Errorf("requires %q for %s, which is no word for a feature", f, action))
		}
	}
	for action, h := range d.KeyHorizon {
		if _, known := d.Enforces[action]; !known || h <= 0 {
			faults = append(faults, fmt.Errorf("key horizon %s of %s, which it does not enforce", h, action))
		}
	}
	for _, b := range d.Budgets {
		if b.Scope == "" || b.N <= 0 || b.Per <= 0 {
			faults = append(faults, fmt.Errorf("budget of %d per %s for %q is none", b.N, b.Per, b.Scope))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("adapters: %s: %w", d.Platform, errors.Join(faults...))
	}
	return nil
}
