// Package crash kills the gateway in the middle of its work, again and again, and then looks whether everything that
// was answered is there, and nothing twice.
//
// SIGKILL takes the process and leaves the machine: what is shown is that nothing is answered before it is committed,
// that a command is one transaction, that a retry by its idempotency key is carried out once, and that a start after
// a kill needs nobody's hand. That a commit also reaches the disk is the databases' own matter (synchronous=FULL,
// synchronous_commit=on), which no kill of a process can show.
//
//	go test ./internal/crash                       8 kills over 80 commands
//	GUANXI_CRASH=full go test -v ./internal/crash  50 kills over 500 commands; prints where each hit
//	GUANXI_CRASH_SEED=7 …                          the same kills and commands as the run that printed this seed
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
type extent struct{ commands, kills int }

func howLong() extent {
	if os.Getenv("GUANXI_CRASH") == "full" {
		return extent{commands: 500, kills: 50}
	}
	return extent{commands: 80, kills: 8}
}

// amongMin is the part of the kills that must hit between the first command and the last.
const amongMin = 0.8

func TestKilledAtAnyMoment(t *testing.T) {
	bin := build(t)
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		r := play(t, bin, dsn, howLong())
		for _, v := range r.violations {
			t.Error(v)
		}
		hits := 0
		for _, k := range r.kills {
			if r.among(k) {
				hits++
			}
		}
		if n := len(r.kills); float64(hits) < amongMin*float64(n) {
			t.Errorf("only %d of %d kills hit between the first command and the last", hits, n)
		}
	})
}

// What never fails proves nothing: the same run must find the gateway that answers first and commits afterwards.
func TestPlantedFaultIsFound(t *testing.T) {
	bin := build(t, "-tags", "guanxi_planted_fault")
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		r := play(t, bin, dsn, extent{commands: 80, kills: 8})
		lost := slices.DeleteFunc(slices.Clone(r.violations), func(v string) bool { return !strings.Contains(v, notThere) })
		if len(lost) == 0 {
			t.Fatalf("nothing that was answered is missed, though it was answered before it was committed; found: %q", r.violations)
		}
		t.Logf("found, as it must be: %d violations, %d of them answers that are not there; the first: %s", len(r.violations), len(lost), lost[0])
	})
}

// A database that was never finished is not a database that somebody has to repair: the first start, which makes the
// schema and the demo's company, is killed at some moment, and the next start must serve.
func TestKilledWhileTheDatabaseIsMade(t *testing.T) {
	bin := build(t)
	testkit.OnEach(t, func(t *testing.T, _ string) {
		seed := seed(t)
		rng := rand.New(rand.NewPCG(seed, 0))
		for range min(howLong().kills, 20) { // each makes a database
			dsn := testkit.SQLite(t)
			if strings.HasSuffix(t.Name(), "postgres") {
				dsn = testkit.Postgres(t)
			}
			g := &gateway{t: t, bin: bin, dsn: dsn}
			g.launch()
			delay := time.Duration(rng.Int64N(int64(makingMax)))
			time.Sleep(delay)
			g.kill()
			g.start()
			r := &run{t: t, g: g}
			r.cast(0, seed) // everybody whom a run needs is there
			g.stop()
			if t.Failed() {
				t.Fatalf("killed %v after its first start", delay)
			}
		}
	})
}

// makingMax is longer than a first start takes.
const makingMax = 250 * time.Millisecond

// play is one run on an empty database: commands from several people at once, kills among them, and then the checks.
func play(t *testing.T, bin, dsn string, e extent) *run {
	t.Helper()
	seed := seed(t)
	r := &run{t: t, g: &gateway{t: t, bin: bin, dsn: dsn}}
	r.g.start()
	r.cast(e.commands, seed)
	done := make(chan struct{})
	go func() { defer close(done); r.command() }()
	r.killAll(points(e, rand.New(rand.NewPCG(seed, 0))))
	<-done
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
	between  phase = "between"  // every command that was begun is answered; the sealer may be at work
	starting phase = "starting" // after the kill before
)

// point is where a kill shall hit.
type point struct {
	phase phase
	begun int           // once so many commands have been begun; of no meaning while starting
	delay time.Duration // and so much later
}

// delayMax are as long as what the kills shall hit: a command, the sealer's gathering and sealing, a start.
var delayMax = map[phase]time.Duration{within: 5 * time.Millisecond, between: 30 * time.Millisecond, starting: 40 * time.Millisecond}

// points draws them, in order.
func points(e extent, rng *rand.Rand) []point {
	at := rng.Perm(e.commands - 1)[:e.kills]
	slices.Sort(at)
	out := make([]point, len(at))
	for i, n := range at {
		p := point{phase: within, begun: n + 1}
		switch rng.IntN(6) {
		case 0:
			p.phase = between
		case 1:
			if i > 0 && out[i-1].phase != starting {
				p.phase = starting
			}
		}
		p.delay = time.Duration(rng.Int64N(int64(delayMax[p.phase])))
		out[i] = p
	}
	return out
}
