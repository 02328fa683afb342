// Package platform is the platforms behind the gateway as the use-cases see them: what is declared of each, and how
// far it carries things out. A platform whose adapter is missing is known by its workspaces alone: everything on it is
// recorded, nothing is delivered.
package platform

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Capability is how far a platform carries one action out.
type Capability struct {
	Action      string
	Enforcement im.Enforcement
	Note        string
}

// Platform is what is known of one platform.
type Platform struct {
	Name         string
	Title        string
	Organisation bool
	Own          bool  // it is the gateway itself
	Rules        fs.FS // nil: nobody wrote rules for it
	Capabilities []Capability

	enforces, channels map[adapters.Action]adapters.Enforcement
	requires           map[adapters.Action]adapters.Feature
	budgets            []adapters.Budget
}

// Catalogue is all platforms by name.
type Catalogue struct{ byName map[string]Platform }

// NewCatalogue makes a catalogue of what adapters declare.
func NewCatalogue(ds []adapters.Description) *Catalogue {
	c := &Catalogue{byName: make(map[string]Platform, len(ds))}
	for _, d := range ds {
		p := Platform{Name: d.Platform, Title: d.Title, Organisation: d.Organisation, Own: d.Own, Rules: d.Rules,
			enforces: d.Enforces, channels: d.Channels, requires: d.Requires, budgets: d.Budgets}
		for a, e := range d.Enforces {
			p.Capabilities = append(p.Capabilities, Capability{string(a), im.Enforcement(e), d.Notes[a]})
		}
		slices.SortFunc(p.Capabilities, func(a, b Capability) int { return strings.Compare(a.Action, b.Action) })
		c.byName[p.Name] = p
	}
	return c
}

// Platform tells of one platform. One without an adapter has an organisation, as workspaces have, and no capability.
func (c *Catalogue) Platform(name string) Platform {
	if p, ok := c.byName[name]; ok {
		return p
	}
	return Platform{Name: name, Title: name, Organisation: true}
}

// All lists the platforms that have an adapter, by name.
func (c *Catalogue) All() []Platform {
	out := make([]Platform, 0, len(c.byName))
	for _, p := range c.byName {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Platform) int { return strings.Compare(a.Name, b.Name) })
	return out
}
