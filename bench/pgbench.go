package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// pgbench runs a script with PostgreSQL's own load driver, and answers transactions a second; zero where this machine
// has none.
func pgbench(ctx context.Context, url string, script []byte, at string, c int, d time.Duration) (float64, error) {
	bin, err := exec.LookPath("pgbench")
	if err != nil {
		return 0, nil
	}
	f, err := os.CreateTemp("", "bench-*.sql")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err := f.Write(script); err != nil {
		return 0, err
	}
	if err := f.Close(); err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, bin, "--no-vacuum", "--protocol=prepared", "--file="+f.Name(), "--define=at="+at,
		"--client="+strconv.Itoa(min(c, poolSize)), "--jobs="+strconv.Itoa(min(c, runtime.NumCPU())), "--time="+strconv.Itoa(max(1, int(d.Seconds()))), url).CombinedOutput()
	m := tps.FindSubmatch(out)
	if err != nil || m == nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// oneLine is a statement as pgbench takes it: on one line, with its argument by name.
func oneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "$1", ":at")
}
