package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

type subscribe = func(c *testkit.Client, query string, variables map[string]any) (*testkit.Stream, error)

var transports = map[string]subscribe{"WebSocket": (*testkit.Client).Follow, "SSE": (*testkit.Client).Events}

// follow subscribes to changes of relationships over one of the transports.
func (p person) follow(t testing.TB, over subscribe, after ...string) stream {
	t.Helper()
	v := vars{}
	if len(after) > 0 {
		v["after"] = after[0]
	}
	s, err := over(p.Client, watchDocument, v)
	if err != nil {
		t.Fatal(err)
	}
	return stream{s}
}

// tagged has PostgreSQL know a replica by a name.
func tagged(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String()
}

func closeGate(t testing.TB, g *testkit.Gate, account string) *testkit.Held {
	t.Helper()
	h, err := g.Hold(account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Release() }) // where the test failed: a gateway that stops waits for what is under way
	return h
}

// atGate names the replicas whose commits are held.
func atGate(t testing.TB, h *testkit.Held) string {
	names, err := h.Waiting()
	if err != nil {
		t.Error(err)
	}
	return strings.Join(names, " ")
}

func eventually(t testing.TB, what string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !until(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within twenty seconds", what)
		}
	}
}

// buildProgram builds the program. Not with the race detector: the other stories run under it.
func buildProgram(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "guanxi")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/guanxi-im/guanxi").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// ownProcess starts a replica as a process of its own. What kills it is SIGKILL.
func ownProcess(t *testing.T, bin, dsn string) (s *testkit.Server, kill func()) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(bin, "serve", "--demo", "--listen", "127.0.0.1:0", "--db", dsn)
	cmd.Env = []string{"HOME=" + os.TempDir()} // and none of our own settings
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		kill()
		t.Fatalf("the process does not come up: %v\n%s", err, log.String())
	}
	return testkit.At(t, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))), kill
}

// busy are plain employees, each of whom may block any of the others on native. What they do they do at once.
var busy = []string{"shenmengqi033", "xujunjie036", "maijiahao042", "zhuwanting043"}

var bothered = []string{"gaoxiang020", "renjiahui022", "songzimo023", "yewenbo027"}

// each is the number of commands of one of the busy: blocks and lifts in turn.
const each = 32

// story is what busy people do at two replicas of one gateway while others follow it.
type story struct {
	t       *testing.T
	gate    *testkit.Gate
	names   [2]string
	start   string // where all streams stood before
	targets []string
	native  string
	total   int // commands of all

	work, watch sync.WaitGroup
	followers   []*follower
	stops       []int         // commands of the first of the busy before which he stops, until he may go on
	stopped, on chan struct{} // he says so

	mu       sync.Mutex
	replicas [2]*testkit.Server // nil: dead
	answered map[string]string  // to whom each step was answered
}

func newStory(t *testing.T, dsn string, c company) *story {
	s := &story{t: t, gate: testkit.NewGate(t, dsn), names: [2]string{"A", "B"}, native: c.workspace("native"),
		total: each * len(busy), answered: map[string]string{}, stopped: make(chan struct{}), on: make(chan struct{})}
	t.Cleanup(func() { s.work.Wait(); s.watch.Wait() })
	s.start = c.person("linyue002").Do(`{changeCursor}`, nil).Text("changeCursor")
	for _, account := range bothered {
		s.targets = append(s.targets, c.member(account))
	}
	return s
}

// at is one of the replicas, or the other where it is dead.
func (s *story) at(i int) *testkit.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.replicas[i%2]; r != nil {
		return r
	}
	return s.replicas[(i+1)%2]
}

func (s *story) set(i int, r *testkit.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas[i] = r
}

// count is how many commands are answered.
func (s *story) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.answered)
}

// begin has everybody do his commands, at both replicas in turn.
func (s *story) begin() {
	for i, account := range busy {
		token := testkit.Token(s.t, account)
		s.work.Go(func() {
			for n, standing := 0, ""; n < each && s.going(); n++ {
				switch {
				case i == 0 && slices.Contains(s.stops, n):
					s.stop()
				case i > 0 && n%5 == i:
					s.hinder(account)
				}
				key := fmt.Sprint(account, " ", n)
				document, v := liftDocument, vars{"id": standing, "r": "enough", "k": key}
				if n%2 == 0 {
					document, v = blockDocument, vars{"in": vars{"targetId": s.targets[n/2%len(s.targets)], "kind": "BLOCK", "reason": "太多消息",
						"workspaceIds": []string{s.native}, "idempotencyKey": key}}
				}
				if standing = s.command(account, i+n, token, document, v); standing == "" {
					return
				}
				time.Sleep(rand.N(40 * time.Millisecond))
			}
		})
	}
}

// going is false once the test is over.
func (s *story) going() bool { return s.t.Context().Err() == nil }

func (s *story) stop() {
	for _, c := range []chan struct{}{s.stopped, s.on} {
		select {
		case c <- struct{}{}:
		case <-s.t.Context().Done():
		}
	}
}

// hinder holds the next commit of somebody until three others have gone ahead of it.
func (s *story) hinder(account string) {
	h, err := s.gate.Hold(account)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.work.Go(func() {
		until := func(enough func() bool) {
			for end := time.Now().Add(2 * time.Second); !enough() && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
		}
		until(func() bool { return atGate(s.t, h) != "" })
		before := s.count()
		until(func() bool { return s.count() >= before+3 })
		if err := h.Release(); err != nil {
			s.t.Error(err)
		}
	})
}

// die kills a replica while a commit waits there, and lets that through once the replica is gone and somebody has sent
// the command again.
func (s *story) die(i int, kill func()) {
	s.t.Helper()
	eventually(s.t, "the command before the kill", func() bool {
		select {
		case <-s.stopped:
			return true
		default:
			return false
		}
	})
	h := closeGate(s.t, s.gate, busy[0])
	<-s.on
	eventually(s.t, "a commit waits", func() bool { return atGate(s.t, h) != "" })
	must(s.t, "where a commit waits", atGate(s.t, h), s.names[i])
	kill()
	s.set(i, nil)
	const again = 300 * time.Millisecond
	time.Sleep(again)
	expect(s.t, "what waits without its replica", atGate(s.t, h), s.names[i])
	must(s.t, "release", h.Release(), nil)
}

// command sends a command to one replica after the other, with the same key, until one of them answers, and answers
// which relationship it is about; "" where the answer is not what it should be.
func (s *story) command(account string, at int, token, document string, v vars) string {
	var a testkit.Answer
	err := error(nil)
	for end := time.Now().Add(2 * still); time.Now().Before(end) && s.going(); at++ {
		if a, err = s.at(at).With(token).Ask(document, v); err == nil && a.Code(0) != "UNAVAILABLE" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var roots map[string]outcome
	if b, e := json.Marshal(a.Data); e == nil {
		_ = json.Unmarshal(b, &roots) // what is no answer has no relationship either
	}
	for _, o := range roots {
		r := o.Relationship
		if len(o.Results) == 1 {
			r = o.Results[0].Relationship
		}
		if r == nil {
			break
		}
		c := change{RelationshipID: r.ID, Relationship: *r}
		if r.State == "LIFTED" {
			c.PreviousState = new("ACTIVE")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.answered[c.step()] = account
		return r.ID
	}
	s.t.Errorf("a command at %v: %v: %s", v, err, a.Body)
	return ""
}

// step is a change as a command's answer tells it too.
func (c change) step() string {
	return fmt.Sprintf("%s %s v%d", c.RelationshipID, c, c.Relationship.Version)
}

// follower is a subscriber who comes back whenever he was cut, with the cursor of what he saw last.
type follower struct {
	name, account string
	at            int // replica
	subscribe     subscribe
	cut           time.Duration // he is cut at random moments within it; 0: only where his replica dies

	connected int // times
	seen      []change
	heard     time.Time // when he saw the last one
}

const (
	quiet = time.Second      // longer than a replica takes to find by itself what there is
	still = 10 * time.Second // longer than anything takes here
)

// followDocument asks for no more than the change itself: followers are many, and the connections of the server few.
const followDocument = `subscription($after:String){relationshipChanged(after:$after){cursor relationshipId previousState relationship{state version}}}`

// follow has a follower listen until he has seen as much as there is to come, and then, resumed, nothing more.
func (s *story) follow(f *follower) {
	s.followers = append(s.followers, f)
	token, want := testkit.Token(s.t, f.account), s.total
	if slices.Contains(busy, f.account) {
		want = each // his own
	}
	s.watch.Go(func() {
		f.heard = time.Now()
		for at, last := f.at, false; !last && s.going(); {
			if time.Since(f.heard) > still {
				s.t.Errorf("%s saw %d of %d changes, and then nothing", f.name, len(f.seen), want)
				return
			}
			v := vars{"after": s.start}
			if n := len(f.seen); n > 0 {
				v["after"] = f.seen[n-1].Cursor
			}
			stream, err := f.subscribe(s.at(at).With(token), followDocument, v)
			if err != nil { // a replica that died just now
				at++
				time.Sleep(10 * time.Millisecond)
				continue
			}
			f.connected++
			cut := still
			if last = len(f.seen) >= want; last {
				cut = quiet
			} else if f.cut > 0 {
				cut = rand.N(f.cut)
			}
			died, err := f.listen(stream.Events, time.After(cut), want)
			stream.Cut()
			if err != nil {
				s.t.Errorf("%s: %v", f.name, err)
				return
			}
			if died {
				at++
			} else if f.cut > 0 {
				at += rand.IntN(2)
			}
		}
	})
}

// listen reads a stream until it is cut or ends, or there is nothing more to come.
func (f *follower) listen(events <-chan testkit.Answer, cut <-chan time.Time, want int) (died bool, err error) {
	all := len(f.seen) >= want
	for all || len(f.seen) < want {
		select {
		case <-cut: // what has come already and was not read is lost, and comes again
			return false, nil
		case a, open := <-events:
			if !open {
				return true, nil
			}
			var c change
			b, err := json.Marshal(a.Get("relationshipChanged"))
			if err == nil {
				err = json.Unmarshal(b, &c)
			}
			if err != nil || len(a.Errors) > 0 || c.Cursor == "" {
				return false, fmt.Errorf("event %d: %v: %s %v", len(f.seen)+1, err, b, a.Errors)
			}
			f.seen, f.heard = append(f.seen, c), time.Now()
		}
	}
	return false, nil
}

// check waits for the end and compares what was answered with what everybody saw.
func (s *story) check() {
	s.t.Helper()
	s.work.Wait()
	s.watch.Wait()
	if s.t.Failed() {
		return
	}
	must(s.t, "commands answered", len(s.answered), s.total)
	all := s.followers[slices.IndexFunc(s.followers, func(f *follower) bool { return !slices.Contains(busy, f.account) })].seen
	for _, f := range s.followers {
		want := slices.Clone(all)
		if slices.Contains(busy, f.account) {
			want = slices.DeleteFunc(want, func(c change) bool { return s.answered[c.step()] != f.account })
		}
		for i := range max(len(want), len(f.seen)) {
			if i >= len(want) || i >= len(f.seen) || f.seen[i].Cursor != want[i].Cursor || f.seen[i].step() != want[i].step() {
				s.t.Errorf("%s saw %d changes and should have seen %d; from %d on they are not the same\n%s\n%s", f.name,
					len(f.seen), len(want), i, f.seen[min(i, len(f.seen)):], want[min(i, len(want)):])
				break
			}
		}
	}
	seen, stands, newest, late := map[string]bool{}, map[string]int{}, "", 0
	for i, c := range all {
		if s.answered[c.step()] == "" || seen[c.step()] {
			s.t.Errorf("change %d, %s, was answered to %q; seen before: %t", i, c.step(), s.answered[c.step()], seen[c.step()])
		}
		seen[c.step()] = true
		if stands[c.RelationshipID]++; stands[c.RelationshipID] != c.Relationship.Version {
			s.t.Errorf("change %d, %s, is out of its order", i, c.step())
		}
		if c.PreviousState == nil && c.RelationshipID < newest { // an id tells when it was made
			late++
		}
		newest = max(newest, c.RelationshipID)
	}
	for step, by := range s.answered {
		if !seen[step] {
			s.t.Errorf("nobody saw %s of %s", step, by)
		}
	}
	s.t.Logf("%d changes, of which %d blocks came later than younger ones", len(all), late)
	if late < 3 {
		s.t.Errorf("only %d blocks came later than younger ones: nothing is shown", late)
	}
}
