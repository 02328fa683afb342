package platform

import (
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
)

// What the tests, which need a store and so stand outside this package, see of its inside.
var (
	WaitFor = waitFor
	MayPass = mayPass
)

// The times and sizes that the tests hold the courier to.
const (
	AttemptsMax    = attemptsMax
	AttemptsAtOnce = attemptsAtOnce
	Patience       = patience
	BackoffFirst   = backoffFirst
	BackoffMax     = backoffMax
	CheckTimeout   = checkTimeout
	HastenFirst    = hastenFirst
	HastenEvery    = hastenEvery
)

// Adapter is the adapter of a connected workspace.
func (c *Connections) Adapter(workspace im.ID) adapters.Adapter { return c.byID[workspace].adapter }

// Mood is how a connection does.
type Mood struct{ k connection }

// Waits says that something waits for the platform to do better.
func (m *Mood) Waits() { m.k.keepsWaiting() }

// Hears tells how an attempt or a check ended.
func (m *Mood) Hears(err error) { m.k.heard(err) }

// Hastens is how much may be tried before its time.
func (m *Mood) Hastens(now time.Time) int { return m.k.recovered(now) }
