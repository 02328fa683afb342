package crash

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// build builds the program. Not with the race detector, also where the test has it: the times are to be those of the
// program that is delivered.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "guanxi")
	args := append(append([]string{"build"}, flags...), "-o", bin, "github.com/guanxi-im/guanxi")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return bin
}

// gateway is a server of its own process, started anew after each kill.
type gateway struct {
	t        *testing.T
	bin, dsn string
	cmd      *exec.Cmd
	log      *bytes.Buffer   // of the process that runs; read it only once that has ended
	starts   []time.Duration // from the start of a process until it listens

	mu  sync.Mutex
	up  bool
	url string
}

// startMax bounds a start: whoever needs longer does not come up by himself.
const startMax = 20 * time.Second

// launch starts the process and does not wait until it listens.
func (g *gateway) launch() *bufio.Reader {
	g.t.Helper()
	g.log = &bytes.Buffer{}
	g.cmd = exec.Command(g.bin, "serve", "--demo", "--listen", "127.0.0.1:0", "--db", g.dsn)
	g.cmd.Env = []string{"HOME=" + os.TempDir()} // and none of our own settings
	g.cmd.Stderr = g.log
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	process := g.cmd.Process
	g.t.Cleanup(func() { _ = process.Kill() }) // it has ended already, but where the test failed
	return bufio.NewReader(out)
}

// start starts the process and waits until it listens.
func (g *gateway) start() {
	g.t.Helper()
	began := time.Now()
	out := g.launch()
	late := time.AfterFunc(startMax, func() { _ = g.cmd.Process.Kill() })
	line, err := out.ReadString('\n')
	if !late.Stop() || err != nil {
		_ = g.cmd.Wait()
		g.t.Fatalf("the gateway does not come up: %v\n%s", err, g.log)
	}
	g.starts = append(g.starts, time.Since(began))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.up, g.url = true, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// kill takes the process away and answers once it is gone.
func (g *gateway) kill() {
	_ = g.cmd.Process.Kill() // SIGKILL; it runs, as nobody else ends it
	_ = g.cmd.Wait()
	g.down()
}

// stop ends the process as an operator would.
func (g *gateway) stop() {
	g.t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	if err := g.cmd.Wait(); err != nil {
		g.t.Errorf("the gateway did not stop in order: %v\n%s", err, g.log)
	}
	g.down()
}

func (g *gateway) down() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.up = false
}

// where is the address of the gateway; false while there is none.
func (g *gateway) where() (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.url, g.up
}

// auditVerify runs `guanxi audit verify` on the database.
func (g *gateway) auditVerify() (out string, ok bool) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	c := exec.CommandContext(ctx, g.bin, "audit", "verify", "--json", "--db", g.dsn)
	c.Env = []string{"HOME=" + os.TempDir()}
	b, err := c.CombinedOutput()
	return string(b), err == nil
}
