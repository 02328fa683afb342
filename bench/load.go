package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// sample is what one measurement saw.
type sample struct {
	took []time.Duration // of each answered request
	all  time.Duration
	cpu  time.Duration // that the server's process took; not that of PostgreSQL

	database time.Duration // that all of PostgreSQL took meanwhile, whoever asked it
}

func (s sample) ofServer() time.Duration   { return s.cpu }
func (s sample) ofDatabase() time.Duration { return s.database }

func (s sample) rate() float64 { return float64(len(s.took)) / s.all.Seconds() }

// load sends the requests that next gives over c connections, each one after the other's answer, until there are no
// more; every answer has to hold want. The client is a bare one: net/http's would take as much CPU as the server that it
// measures.
func load(ctx context.Context, addr string, c int, want string, next func(n int) ([]byte, bool)) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var n atomic.Int64
	took := make([][]time.Duration, c)
	var all sync.WaitGroup
	began := time.Now()
	for i := range c {
		all.Go(func() {
			if err := connection(ctx, addr, []byte(want), func() ([]byte, bool) { return next(int(n.Add(1)) - 1) }, &took[i]); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	out := sample{all: time.Since(began)}
	for _, t := range took {
		out.took = append(out.took, t...)
	}
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	return out, nil
}

// connection is one client.
func connection(ctx context.Context, addr string, want []byte, next func() ([]byte, bool), took *[]time.Duration) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for ctx.Err() == nil {
		request, ok := next()
		if !ok {
			return nil
		}
		t, err := c.ask(request, want)
		if err != nil {
			return err
		}
		*took = append(*took, t)
	}
	return nil
}

// caller is a connection over which one request after the other is sent.
type caller struct {
	conn net.Conn
	in   answers
}

func dial(ctx context.Context, addr string) (*caller, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &caller{conn, answers{in: bufio.NewReaderSize(conn, 32<<10)}}, nil
}

func (c *caller) close() { _ = c.conn.Close() }

// ask sends a request and tells how long its answer took, which has to hold want.
func (c *caller) ask(request, want []byte) (time.Duration, error) {
	began := time.Now()
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	status, body, err := c.in.next()
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	if status != http.StatusOK || !bytes.Contains(body, want) || bytes.Contains(body, []byte(`"errors"`)) {
		return 0, fmt.Errorf("%d: %s", status, body)
	}
	return took, nil
}

// answers reads HTTP answers of a known length, one after the other into the same memory.
type answers struct {
	in   *bufio.Reader
	body []byte
}

// next reads one; its body holds until the next.
func (a *answers) next() (status int, body []byte, err error) {
	line, err := a.in.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return 0, nil, fmt.Errorf("no HTTP answer: %q: %w", line, err)
	}
	status, _ = strconv.Atoi(string(line[len("HTTP/1.1 "):len("HTTP/1.1 200")]))
	size := -1
	for {
		if line, err = a.in.ReadSlice('\n'); err != nil {
			return status, nil, err
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return status, nil, err
			}
		}
	}
	if size < 0 {
		return status, nil, errors.New("an answer that does not say how long it is")
	}
	a.body = slices.Grow(a.body[:0], size)[:size]
	_, err = io.ReadFull(a.in, a.body)
	return status, a.body, err
}

// process is a server of its own process.
type process struct {
	cmd  *exec.Cmd
	addr string
}

// start starts this program once more as a server, and waits until it listens.
func start(ctx context.Context, env []string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startProgram(ctx, self, env, args...)
}

// startProgram starts a program that says where it listens, and waits until it does.
func startProgram(ctx context.Context, program string, env []string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append([]string{"HOME=" + os.TempDir()}, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &process{cmd, strings.TrimSpace(strings.TrimPrefix(line, "listening on http://"))}, nil
}

// build builds the gateway itself into dir.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "guanxi")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/guanxi-im/guanxi").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return program, nil
}

// cpu is the CPU time that the process has taken so far, as far as the machine tells (Linux does); else zero.
func (p *process) cpu() time.Duration {
	own, _, _ := cpuOf(p.cmd.Process.Pid)
	return own
}

// cpuOf is the CPU time of a process, that of its children that have ended, and whose child it is itself.
func cpuOf(pid int) (own, ended time.Duration, parent int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if err != nil || !ok || len(fields) < 15 {
		return 0, 0, 0
	}
	n := func(i int) time.Duration {
		v, _ := strconv.Atoi(fields[i])
		return time.Duration(v) * 10 * time.Millisecond
	} // a tick
	parent, _ = strconv.Atoi(fields[1])
	return n(11) + n(12), n(13) + n(14), parent
}

// memory is what the process holds of the machine's memory, and what of that is no file's, in MiB, as far as the machine
// tells; else zero.
func (p *process) memory() (all, own float64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(b)) {
		var into *float64
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "VmRSS":
			into = &all
		case "RssAnon":
			into = &own
		default:
			continue
		}
		if f := strings.Fields(line); len(f) > 1 {
			*into, _ = strconv.ParseFloat(f[1], 64)
			*into /= 1024
		}
	}
	return all, own
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}
