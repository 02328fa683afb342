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

// run does what the first argument says. gateway and ideal are the two servers, which the others start as processes of
// their own.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{""}
	}
	switch args[0] {
	case "q4":
		return q4(ctx, args[1:])
	case "gateway":
		return profiled(os.Getenv(profileVariable), func() error {
			if code := app.Run(ctx, append([]string{"serve"}, args[1:]...), nil, os.Stdout, os.Stderr); code != 0 {
				return fmt.Errorf("the gateway ended with code %d", code)
			}
			return nil
		})
	case "ideal":
		return ideal(ctx, args[1:])
	}
	return errors.New("usage: go run ./bench q4 [--db URL] [--seconds N] [--rounds N] [--profile FILE]")
}

// profileVariable names the file into which the gateway's process profiles its CPU time; empty: it does not.
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
