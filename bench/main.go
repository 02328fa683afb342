// Bench measures the gateway beside the physical limit: a hand-written handler that does the same work on the same
// kind of database, in the same run. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"

	"github.com/guanxi-im/guanxi/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the measuring commands share.
type options struct {
	postgres string
	members  int
	keep     string
	rounds   int
	seconds  float64
	profile  string
	only     string
}

func parse(command string, args []string) (o options, err error) {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.StringVar(&o.postgres, "postgres", os.Getenv("GUANXI_TEST_POSTGRES"), "postgres://… of a server on which to make databases, dropped at the end; empty: SQLite files")
	flags.IntVar(&o.members, "members", 50_000, "size of the company that is read")
	flags.StringVar(&o.keep, "keep", "", "directory that keeps what was filled for the next run; empty: it is dropped")
	flags.IntVar(&o.rounds, "rounds", 5, "measurements of each side at each concurrency, taken in turns")
	flags.Float64Var(&o.seconds, "seconds", 3, "length of one measurement")
	flags.StringVar(&o.profile, "profile", "", "file for a CPU profile of the gateway")
	flags.StringVar(&o.only, "only", "", "the shapes to measure, with commas between; empty: all")
	return o, flags.Parse(args)
}

// chosen are the shapes of reads to measure.
func (o options) chosen() []shape {
	if o.only == "" {
		return shapes
	}
	names := strings.Split(o.only, ",")
	return slices.DeleteFunc(slices.Clone(shapes), func(s shape) bool { return !slices.Contains(names, s.name) })
}

// measuring are the commands that measure.
var measuring = map[string]func(context.Context, options) error{"reads": reads, "q4": q4, "check": checks, "lists": lists, "import": imports, "blacklist": blacklists,
	"start": starts, "all": all}

// all measures everything: on PostgreSQL where there is one, then on SQLite.
func all(ctx context.Context, o options) error {
	servers := []string{o.postgres, ""}
	if o.postgres == "" {
		servers = servers[1:]
	}
	for _, server := range servers {
		o.postgres = server
		for _, measure := range []func(context.Context, options) error{reads, lists, checks, q4, imports} {
			if err := measure(ctx, o); err != nil {
				return err
			}
			fmt.Println()
		}
	}
	return starts(ctx, o)
}

// run does what the first argument says. gateway, guanxi, ideal and ideal-reads are what the others start as processes of
// their own, and step is what they measure beside pgbench.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	if measure := measuring[args[0]]; measure != nil {
		o, err := parse(args[0], args[1:])
		if err != nil {
			return err
		}
		return measure(ctx, o)
	}
	switch args[0] {
	case "generate":
		return generate(args[1:])
	case "gateway":
		return guanxi(ctx, append([]string{"serve"}, args[1:]...))
	case "guanxi":
		return guanxi(ctx, args[1:])
	case "ideal":
		return ideal(ctx, args[1:])
	case "ideal-reads":
		return serveIdealReads(ctx, args[1:])
	case "step":
		return step(ctx, args[1:])
	}
	return errors.New("usage: go run ./bench all|reads|lists|check|q4|import|blacklist|start [flags], or generate --members N; --help lists the flags")
}

// guanxi is the program itself, which profiles itself where it is told so.
func guanxi(ctx context.Context, args []string) error {
	return profiled(os.Getenv(profileVariable), func() error {
		if code := app.Run(ctx, args, nil, os.Stdout, os.Stderr); code != 0 {
			return fmt.Errorf("guanxi %s ended with code %d", args[0], code)
		}
		return nil
	})
}

// profileVariable names the file into which guanxi profiles its CPU time; empty: it does not.
const profileVariable = "BENCH_PROFILE"

func profiled(file string, work func() error) error {
	if file == "" {
		return work()
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}
