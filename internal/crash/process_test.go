package crash

import (
	"bufio"
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built are the programs that tests share, by the flags that they were built with.
var built struct {
	mu  sync.Mutex
	dir string
	bin map[string]string
}

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // there is more waiting than work; who says another number gets it
	dir, err := os.MkdirTemp("", "guanxi-crash-")
	if err != nil {
		panic(err)
	}
	built.dir, built.bin = dir, map[string]string{}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// build builds the program. Not with the race detector, also where the test has it: the times are to be those of the
// program that is delivered.
func build(t *testing.T, flags ...string) string {
	t.Helper()
	built.mu.Lock()
	defer built.mu.Unlock()
	key := strings.Join(flags, " ")
	if bin := built.bin[key]; bin != "" {
		return bin
	}
	bin, err := os.MkdirTemp(built.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	bin = filepath.Join(bin, "guanxi")
	args := append(append([]string{"build"}, flags...), "-o", bin, "github.com/guanxi-im/guanxi")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	built.bin[key] = bin
	return bin
}

// process is a server as a process of its own, started anew after each kill.
type process struct {
	t      *testing.T
	name   string // as reports call it
	bin    string
	args   []string
	listen string
	ready  func() // done each time that it listens; nil: nothing
	cmd    *exec.Cmd
	log    *bytes.Buffer   // of the process that runs; read it only once that has ended
	starts []time.Duration // from the start of a process until it listens

	mu  sync.Mutex
	up  bool
	url string
}

// free is the address for whom any port will do.
const free = "127.0.0.1:0"

// gateway is a demo on the database.
func gateway(t *testing.T, bin, dsn string, args ...string) *process {
	return &process{t: t, name: "gateway", bin: bin, listen: free, args: append([]string{"serve", "--demo", "--db", dsn}, args...)}
}

// startMax bounds a start: whoever needs longer does not come up by himself.
const startMax = 20 * time.Second

// environment is what processes are given: none of our own settings.
func environment() []string { return []string{"HOME=" + os.TempDir()} }

// launch starts the process and does not wait until it listens.
func (p *process) launch() *bufio.Reader {
	p.t.Helper()
	p.log = &bytes.Buffer{}
	p.cmd = exec.Command(p.bin, append([]string{p.args[0], "--listen", p.listen}, p.args[1:]...)...)
	p.cmd.Env = environment()
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	process := p.cmd.Process
	p.t.Cleanup(func() { _ = process.Kill() }) // it has ended already, but where the test failed
	return bufio.NewReader(out)
}

// start starts the process and waits until it listens.
func (p *process) start() {
	p.t.Helper()
	began := time.Now()
	out := p.launch()
	late := time.AfterFunc(startMax, func() { _ = p.cmd.Process.Kill() })
	line, err := out.ReadString('\n')
	if !late.Stop() || err != nil {
		_ = p.cmd.Wait()
		p.t.Fatalf("the %s does not come up: %v\n%s", p.name, err, p.log)
	}
	p.starts = append(p.starts, time.Since(began))
	p.mu.Lock()
	p.up, p.url = true, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	p.mu.Unlock()
	if p.ready != nil {
		p.ready()
	}
}

// kill takes the process away and answers once it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // SIGKILL; it runs, as nobody else ends it
	_ = p.cmd.Wait()
	p.down()
}

// stop ends the process as an operator would.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the %s did not stop in order: %v\n%s", p.name, err, p.log)
	}
	p.down()
}

func (p *process) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up = false
}

// where is the address of the process; false while it does not listen.
func (p *process) where() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url, p.up
}
