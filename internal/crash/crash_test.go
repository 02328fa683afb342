// Package crash kills the gateway in the middle of its work, again and again, and then looks whether everything that
// was answered is there, and nothing twice: neither in the database nor on a platform.
//
// SIGKILL takes the process and leaves the machine: what is shown is that nothing is answered before it is committed,
// that a command is one transaction, that a retry by its idempotency key is carried out once, that each delivery
// happens once and is not forgotten, and that a start after a kill needs nobody's hand. That a commit also reaches the
// disk is the databases' own matter (synchronous=FULL, synchronous_commit=on), which no kill of a process can show.
//
// There are two kinds of runs. In one, people block each other and take it back, and nothing leaves the gateway. In the
// other an admin blacklists contacts on a simulated WeCom, which is a process of its own so that its ledger survives; on
// PostgreSQL by two replicas, and now and then WeCom itself is killed.
//
//	go test ./internal/crash                       8 kills over 80 commands, and 8 over 80 blacklistings
//	GUANXI_CRASH=full go test -v ./internal/crash  50 kills over 500 of either; prints where each hit
//	GUANXI_CRASH_SEED=7 …                          the kills and commands that were drawn in the run that printed this seed
package crash

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// extent is how long a run is.
type extent struct {
	commands, kills int

	aim    phase // what the more kills shall find, …
	weight int   // … the greater this is

	delivers bool // the commands are blacklistings on WeCom
	undone   int  // each so manieth of them is undone again
	replicas int  // gateways on the database, where there are more than one
	outages  int  // kills of WeCom itself, beside those of gateways
	hurry    bool // put the clock forward at the end, instead of waiting for a dead replica's leases to run out
}

// blocks is a run in which nothing leaves the gateway.
func blocks() extent {
	if full() {
		return extent{commands: 500, kills: 50, aim: within}
	}
	return extent{commands: 80, kills: 8, aim: within}
}

// blacklistings is a run in which everything does.
func blacklistings(dsn string) extent {
	e := extent{commands: 80, kills: 8, aim: carried, delivers: true, undone: 10, outages: 1}
	if full() {
		e.commands, e.kills, e.outages = 500, 50, 5
	}
	if !isSQLite(dsn) {
		e.replicas = 2
	}
	return e
}

func full() bool { return os.Getenv("GUANXI_CRASH") == "full" }

func isSQLite(dsn string) bool { return strings.HasPrefix(dsn, "sqlite:") }

func TestKilledAtAnyMoment(t *testing.T) {
	onEach(t, func(t *testing.T, bin, dsn string) { play(t, bin, dsn, blocks()).judge() })
}

func TestKilledWhileDelivering(t *testing.T) {
	onEach(t, func(t *testing.T, bin, dsn string) { play(t, bin, dsn, blacklistings(dsn)).judge() })
}

// onEach runs a test of a program that is built with the flags, beside others: most of their time is waiting.
func onEach(t *testing.T, f func(t *testing.T, bin, dsn string), flags ...string) {
	t.Parallel()
	bin := build(t, flags...)
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		t.Parallel()
		f(t, bin, dsn)
	})
}

// What never fails proves nothing: the same runs must find a gateway that is wrong on purpose.
func TestPlantedFaultIsFound(t *testing.T) {
	t.Parallel()
	order := func(wrong string) []string {
		return []string{"-tags", "guanxi_planted_order", "-ldflags", "-X github.com/guanxi-im/guanxi/internal/platform.wrongOrder=" + wrong}
	}
	blacklistings := func(dsn string) extent {
		e := blacklistings(dsn)
		e.undone, e.outages, e.hurry = 1, 0, true
		return e
	}
	for _, c := range []struct {
		fault string
		flags []string
		run   func(dsn string) extent
		aim   phase
		shows string // in what the run reports
	}{
		{"a command is answered before it is committed", []string{"-tags", "guanxi_planted_fault"}, func(string) extent { return blocks() }, within, notThere},
		{"a blacklisting is answered before it is committed", []string{"-tags", "guanxi_planted_fault"}, blacklistings, answered, notThere},
		{"what is taken is kept only afterwards", order("hold"), blacklistings, carried, notBack},
		{"a delivery is settled before it is carried out", order("settle"), blacklistings, changing, notDone},
	} {
		t.Run(c.fault, func(t *testing.T) {
			onEach(t, func(t *testing.T, bin, dsn string) {
				for range 4 { // a dozen kills may all miss the moment that is wrong
					e := c.run(dsn)
					e.commands, e.kills, e.aim, e.weight = 60, 12, c.aim, 8
					r := play(t, bin, dsn, e)
					found := slices.DeleteFunc(slices.Clone(r.violations), func(v string) bool { return !strings.Contains(v, c.shows) })
					if len(found) > 0 {
						t.Logf("found, as it must be: %d violations, %d of them of what %s; the first: %s", len(r.violations), len(found), c.shows, found[0])
						return
					}
					t.Logf("nothing %s, though %s; found: %q", c.shows, c.fault, r.violations)
					dsn = testkit.Another(t, dsn)
				}
				t.Error("no run found what is wrong")
			}, c.flags...)
		})
	}
}

// A database that was never finished is not a database that somebody has to repair: the first start, which makes the
// schema and the demo's company, is killed at some moment, and the next start must serve.
func TestKilledWhileTheDatabaseIsMade(t *testing.T) {
	onEach(t, func(t *testing.T, bin, dsn string) {
		first := gateway(t, bin, dsn)
		first.start()
		first.stop()
		seed := seed(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range min(blocks().kills, 20) { // each makes a database
			fresh := testkit.SQLite(t)
			if !isSQLite(dsn) {
				fresh = testkit.Postgres(t)
			}
			g := gateway(t, bin, fresh)
			g.launch()
			delay := time.Duration(rng.Int64N(int64(first.starts[0])))
			time.Sleep(delay)
			g.kill()
			g.start()
			r := &run{t: t, gateways: []*process{g}}
			r.cast(0, seed) // everybody whom a run needs is there
			g.stop()
			if t.Failed() {
				t.Fatalf("killed %v after its first start", delay)
			}
		}
	})
}

// play is one run on an empty database: commands from several people at once, kills among them, and then the checks.
func play(t *testing.T, bin, dsn string, e extent) *run {
	t.Helper()
	seed := seed(t)
	r := &run{t: t, bin: bin, dsn: dsn, extent: e, over: make(chan struct{})}
	var args []string
	if e.delivers {
		r.wecom = openWeCom(t, bin)
		url, _ := r.wecom.where()
		args = append(args, "--sim", "wecom="+url)
	}
	for range max(e.replicas, 1) {
		r.gateways = append(r.gateways, gateway(t, bin, dsn, args...))
	}
	for i, g := range r.gateways {
		if len(r.gateways) > 1 {
			g.name = "replica " + strconv.Itoa(i+1)
		}
		g.start()
	}
	total := e.commands
	if e.delivers {
		total = r.castAdmin(e, seed)
	} else {
		r.cast(e.commands, seed)
	}
	go func() { defer close(r.over); r.command() }()
	r.killAll(points(e, total, rand.New(rand.NewPCG(seed, 0))))
	<-r.over
	r.verify()
	r.report()
	return r
}

// seed makes the run, or repeats it.
func seed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("GUANXI_CRASH_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("GUANXI_CRASH_SEED=%d", seed)
	return seed
}

// A phase is what a kill finds the gateway at.
type phase string

const (
	within   phase = "within"   // commands are under way
	answered phase = "answered" // one has just been answered, by this gateway
	between  phase = "between"  // every command that was begun is answered; the sealer and the courier may be at work
	changing phase = "changing" // something has just changed on WeCom, in the middle of a delivery
	carried  phase = "carried"  // the last thing of a delivery has, which may not be written down yet
	starting phase = "starting" // after the kill before
)

// point is where a kill shall hit.
type point struct {
	phase  phase
	wecom  bool          // it hits WeCom itself
	victim int           // the number of a gateway, where the phase leaves a choice
	begun  int           // once so many commands have been begun; of no meaning while starting
	so     int           // changing, carried: at the change that comes as this one from then on
	delay  time.Duration // and so much later
	pause  time.Duration // before it is started again

	patience time.Duration // for what need not come: everything may have been delivered
}

// delayMax are as long as what the kills shall hit: a command, an answer that was given too early, the sealer's gathering
// and sealing, an answer of WeCom's with what is made of it, a start.
var delayMax = map[phase]time.Duration{within: 5 * time.Millisecond, answered: 10 * time.Millisecond, between: 30 * time.Millisecond,
	changing: 10 * time.Millisecond, carried: 10 * time.Millisecond, starting: 40 * time.Millisecond}

// pauseMax is how long a platform, or one of several replicas, is away. The only gateway is missed at once.
const pauseMax = 300 * time.Millisecond

// ahead is how many more commands may be begun than a kill waits for, before it has hit: where another replica goes on,
// they would else all be done before the kills are.
const ahead = 12

// points draws them, in order and at about the same distance. Total is how many commands there will be: some are left to
// be begun after the last kill.
func points(e extent, total int, rng *rand.Rand) []point {
	n := e.kills + e.outages
	distance := float64(total-ahead-1) / float64(n)
	outages := rng.Perm(n)[:e.outages]
	phases := []phase{between, starting, within, answered}
	if e.delivers {
		phases = append(phases, changing, carried)
	}
	phases = append(phases, slices.Repeat([]phase{e.aim}, max(e.weight, 2))...)
	out := make([]point, n)
	for i := range out {
		p := point{phase: phases[rng.IntN(len(phases))], wecom: slices.Contains(outages, i), victim: rng.IntN(max(e.replicas, 1)),
			begun: 1 + int((float64(i)+rng.Float64())*distance), so: 1 + rng.IntN(5), patience: time.Second / 2}
		switch {
		case i == 0: // something must have happened
			p.phase, p.patience = e.aim, patience
			if e.delivers {
				p.phase = changing
			}
		case p.phase == starting && (p.wecom || out[i-1].wecom || out[i-1].phase == starting):
			p.phase = e.aim
		}
		p.delay = time.Duration(rng.Int64N(int64(delayMax[p.phase])))
		if p.wecom || e.replicas > 1 {
			p.pause = time.Duration(rng.Int64N(int64(pauseMax)))
		}
		out[i] = p
	}
	return out
}
