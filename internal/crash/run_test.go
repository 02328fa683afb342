package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// run is what happened.
type run struct {
	t        *testing.T
	bin, dsn string
	extent   extent
	gateways []*process
	wecom    *wecom // nil: nothing leaves the gateway
	people   []*person
	kills    []*kill

	quiet sync.RWMutex  // held for reading while a command is under way
	limit atomic.Int64  // how many commands may have been begun before the next kill
	over  chan struct{} // closed once there is no command left

	mu         sync.Mutex
	commands   []*command // in the order in which they were begun
	flying     map[*command]bool
	answered   int
	answerer   *process // of the latest answer
	violations []string
}

// person is one client: somebody of the demo who does something to others and takes it back, one command after the other.
type person struct {
	token string
	rng   *rand.Rand
	pairs []*pair
	todo  int // commands that are still to be begun
	http  http.Client
}

// pair is a person and somebody whom he may block or blacklist on one workspace.
type pair struct {
	target, workspace string
	platformID        string // of the target; known where it matters
	makes, ends       *verb
	contact           bool     // outside the company: a block of it may begin with a cool-down (C-11)
	left              int      // commands that it is still good for
	standing          *command // what was made and stands
	broken            bool     // an answer was not what it had to be: what stands is not known
}

// verb is a kind of command.
type verb struct {
	word     string // also the kind of its intent
	document string
	state    string // in which it leaves the relationship
	version  int
}

var (
	block     = &verb{"block", making("BLOCK"), "ACTIVE", 1}
	lift      = &verb{"lift", ending("liftRelationship"), "LIFTED", 2}
	blacklist = &verb{"blacklist", making("BLACKLIST"), "ACTIVE", 1}
	undo      = &verb{"undo", ending("undoRelationship"), "UNDONE", 2}
)

func making(kind string) string {
	return `mutation($t:ID!,$w:[ID!],$r:String!,$k:String!){command:block(input:{targetId:$t,kind:` + kind + `,workspaceIds:$w,reason:$r,idempotencyKey:$k}){
		results{relationship{id state version reason} decision{id}} userErrors{code message}}}`
}

func ending(field string) string {
	return `mutation($i:ID!,$r:String!,$k:String!){command:` + field + `(relationshipId:$i,reason:$r,idempotencyKey:$k){
		relationship{id state version reason} decision{id} userErrors{code message}}}`
}

// command is one thing that somebody wants done.
type command struct {
	n    int // from 1
	by   *person
	on   *pair
	key  string
	does *verb
	ends *command // what it takes back; nil: it makes something
	text string   // the reason

	tries    int
	via      *process // that it was last sent to
	answer   outcome
	answered bool
	ended    *command  // what takes it back, once begun
	at       time.Time // when the gateway wrote its answer down
	settled  time.Time // when it wrote down that what is to happen elsewhere has happened
}

func (c *command) String() string { return fmt.Sprintf("command %d (%s)", c.n, c.does.word) }

// leaves reports whether a command may leave its relationship in a state. What is held back is taken back before it has any
// effect.
func (c *command) leaves(state string) bool {
	switch {
	case c.ends != nil && c.ends.held():
		return state == "CANCELLED"
	case c.does == block && c.on.contact && state == "STAGED":
		return true
	}
	return state == c.does.state
}

// held reports whether what the command made, or took back, never took effect.
func (c *command) held() bool {
	return c.answer.Relationship.State == "STAGED" || c.answer.Relationship.State == "CANCELLED"
}

// stands reports whether a command made something that nothing took back.
func (c *command) stands() bool { return c.ends == nil && (c.ended == nil || !c.ended.answered) }

// outcome is what a command answers.
type outcome struct {
	Relationship struct {
		ID, State, Reason string
		Version           int
	}
	Decision struct{ ID string }
}

// kill is where one hit.
type kill struct {
	of              *process
	before, at      time.Time // it was done between these
	begun, answered int       // commands
	flying          []*command
	phase           phase
	changes         int // that WeCom has seen, where there is one
}

// The people, who are plain employees, and colleagues whom each of them may block on native: nobody's superior, and no
// owner of a group that one of the four is in.
var (
	accounts   = []string{"shenmengqi033", "xujunjie036", "maijiahao042", "zhuwanting043"}
	colleagues = []string{"018", "020", "022", "023", "027", "029", "030", "031"}
)

const (
	contactsEach = 8
	endless      = math.MaxInt
)

// person makes one more client, who is somebody of the demo.
func (r *run) person(account string, seed uint64) *person {
	r.t.Helper()
	p := &person{token: testkit.Token(r.t, account), rng: rand.New(rand.NewPCG(seed, uint64(len(r.people)+1))), http: http.Client{Timeout: 15 * time.Second}}
	r.people = append(r.people, p)
	return p
}

// workspace is the id of one, by its name.
func (r *run) workspace(p *person, name string) string {
	r.t.Helper()
	var here struct {
		Workspaces []struct{ ID, Name string }
	}
	r.read(p, `{workspaces{id name}}`, nil, &here)
	for _, w := range here.Workspaces {
		if w.Name == name {
			return w.ID
		}
	}
	r.t.Fatalf("no workspace %s", name)
	return ""
}

// cast makes the people, and shares the commands out among them.
func (r *run) cast(commands int, seed uint64) {
	r.t.Helper()
	for i, account := range accounts {
		p := r.person(account, seed)
		p.todo = (commands + i) / len(accounts)
		native := r.workspace(p, "native")
		for _, no := range colleagues {
			var m struct{ Member struct{ ID string } }
			r.read(p, `query($n:String){member(employeeNo:$n){id}}`, map[string]any{"n": no}, &m)
			p.pairs = append(p.pairs, &pair{target: m.Member.ID, workspace: native, makes: block, ends: lift, left: endless})
		}
		var own struct {
			ExternalContacts struct {
				Nodes []struct {
					ID, Importance string
					Workspace      struct{ ID string }
					Opportunities  []struct{ Open bool }
				}
			}
		}
		r.read(p, `{externalContacts(first:100){nodes{id importance workspace{id} opportunities{open}}}}`, nil, &own)
		n := 0
		for _, c := range own.ExternalContacts.Nodes {
			if c.Importance == "NORMAL" && len(c.Opportunities) == 0 && n < contactsEach { // others are reviewed (C-06)
				p.pairs = append(p.pairs, &pair{target: c.ID, workspace: c.Workspace.ID, makes: block, ends: lift, contact: true, left: endless})
				n++
			}
		}
		if n < contactsEach {
			r.t.Fatalf("%s has only %d contacts to block", account, n)
		}
	}
}

// command has everybody do his commands, and returns once all are answered.
func (r *run) command() {
	var all sync.WaitGroup
	for _, p := range r.people {
		all.Go(func() {
			for r.next(p) {
			}
		})
	}
	all.Wait()
}

// next has somebody do one command more; false where there is none.
func (r *run) next(p *person) bool {
	for r.begun() >= int(r.limit.Load()) {
		time.Sleep(time.Millisecond)
	}
	r.quiet.RLock()
	defer r.quiet.RUnlock()
	c := r.begin(p)
	if c != nil {
		r.carryOut(c)
	}
	return c != nil
}

// begin thinks the next command of a person up: what stands between a pair is taken back, between another it is made.
func (r *run) begin(p *person) *command {
	open := slices.DeleteFunc(slices.Clone(p.pairs), func(q *pair) bool { return q.broken || q.left == 0 })
	if p.todo == 0 || len(open) == 0 {
		return nil
	}
	p.todo--
	on := open[p.rng.IntN(len(open))]
	on.left--
	c := &command{by: p, on: on, does: on.makes, ends: on.standing, text: strings.Repeat("消息太多 ", 1+p.rng.IntN(10))}
	if c.ends != nil {
		c.does, c.ends.ended = on.ends, c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.n = len(r.commands) + 1
	c.key = fmt.Sprintf("crash-%d", c.n)
	r.commands = append(r.commands, c)
	if r.flying == nil {
		r.flying = map[*command]bool{}
	}
	r.flying[c] = true
	return c
}

// patience bounds how long one command is tried.
const patience = time.Minute

// carryOut sends a command until it is answered, with the same key each time, as a client does that has to be sure.
func (r *run) carryOut(c *command) {
	var a outcome
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if g, url := r.open(c.n + c.tries); g != nil { // another one each time, where there are several
			c.tries++
			r.mu.Lock()
			c.via = g
			r.mu.Unlock()
			if a, err = r.send(url, c); !errors.Is(err, errUnanswered) {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flying, c)
	r.answered++
	r.answerer = c.via
	if err == nil && (!c.leaves(a.Relationship.State) || a.Relationship.Version != c.does.version || a.Decision.ID == "") {
		err = fmt.Errorf("answered %+v", a)
	}
	if err != nil {
		c.on.broken = true
		r.violations = append(r.violations, fmt.Sprintf("%s, tried %d times: %v", c, c.tries, err))
		return
	}
	c.answer, c.answered = a, true
	if c.on.standing = c; c.ends != nil {
		c.on.standing = nil
	}
}

// send sends a command once.
func (r *run) send(url string, c *command) (outcome, error) {
	variables := map[string]any{"t": c.on.target, "w": []string{c.on.workspace}, "r": c.text, "k": c.key}
	if c.ends != nil {
		variables = map[string]any{"i": c.ends.answer.Relationship.ID, "r": c.text, "k": c.key}
	}
	var data struct {
		Command struct {
			Results    []outcome // of what makes
			outcome              // of what ends
			UserErrors []struct{ Code, Message string }
		}
	}
	if err := ask(url, c.by, c.does.document, variables, &data); err != nil {
		return outcome{}, err
	}
	a := data.Command.outcome
	if c.ends == nil && len(data.Command.Results) == 1 {
		a = data.Command.Results[0]
	}
	if es := data.Command.UserErrors; len(es) > 0 {
		return a, fmt.Errorf("%s: %s", es[0].Code, es[0].Message)
	}
	return a, nil
}

// errUnanswered: whether the request was carried out is not known, or it was not and may be sent again.
var errUnanswered = errors.New("no answer")

// ask sends a document and reads the data of its answer.
func ask(url string, p *person, document string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	a := struct {
		Data   any
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}{Data: data}
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("%s: %w: %s", resp.Status, err, b)
	}
	if len(a.Errors) > 0 {
		err := fmt.Errorf("%s: %s: %s", resp.Status, a.Errors[0].Extensions.Code, a.Errors[0].Message)
		if a.Errors[0].Extensions.Code == "UNAVAILABLE" {
			err = fmt.Errorf("%w: %w", errUnanswered, err)
		}
		return err
	}
	return nil
}

// read is ask for what must be answered at once.
func (r *run) read(p *person, document string, variables map[string]any, data any) {
	r.t.Helper()
	_, url := r.open(0)
	if err := ask(url, p, document, variables, data); err != nil {
		r.t.Fatalf("%s: %v", document, err)
	}
}

// open is the n-th gateway with its address, or where it does not listen, the next one that does; nil where none does.
func (r *run) open(n int) (*process, string) {
	for i := range r.gateways {
		g := r.gateways[(n+i)%len(r.gateways)]
		if url, up := g.where(); up {
			return g, url
		}
	}
	return nil, ""
}

// killAll kills at each point, and starts again what it killed.
func (r *run) killAll(points []point) {
	r.t.Helper()
	defer r.limit.Store(endless)
	var victim *process
	for i, p := range points {
		r.limit.Store(int64(p.begun + ahead))
		if p.phase == starting {
			victim.launch() // which was the last
		} else {
			r.await(func() bool { return r.begun() >= p.begun }, patience)
			victim = r.gateways[p.victim]
		}
		switch p.phase {
		case between:
			r.quiet.Lock()
		case answered:
			before := r.settled()
			r.await(func() bool { return r.settled() > before }, p.patience)
			victim = r.answeredBy(victim)
		case changing:
			before := r.wecom.changes()
			r.await(func() bool { return r.wecom.changes() >= before+p.so }, p.patience)
			victim = r.busiest(victim)
		case carried:
			before := r.wecom.carriedOut()
			r.await(func() bool { return r.wecom.carriedOut() >= before+p.so }, p.patience)
			victim = r.busiest(victim)
		}
		if p.wecom {
			victim = r.wecom.process
		}
		time.Sleep(p.delay)
		r.kill(victim, p.phase)
		if p.phase == between {
			r.quiet.Unlock()
		}
		if i+1 == len(points) || points[i+1].phase != starting {
			time.Sleep(p.pause)
			victim.start()
		}
	}
}

// await waits for something that a kill is to come upon, or until there are no more commands.
func (r *run) await(it func() bool, most time.Duration) {
	for end := time.Now().Add(most); !it() && time.Now().Before(end); {
		select {
		case <-r.over:
			return
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// begun is how many commands have been begun.
func (r *run) begun() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.commands)
}

// settled is how many commands are over.
func (r *run) settled() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered
}

// answeredBy is who gave the latest answer.
func (r *run) answeredBy(other *process) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answerer != nil {
		return r.answerer
	}
	return other
}

// busiest is the gateway at which most commands are.
func (r *run) busiest(other *process) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := map[*process]int{}
	for c := range r.flying {
		if at[c.via]++; c.via != nil && at[c.via] > at[other] {
			other = c.via
		}
	}
	return other
}

// kill kills now, and takes down what it hit.
func (r *run) kill(victim *process, at phase) {
	k := &kill{of: victim, phase: at}
	if r.wecom != nil {
		k.changes = r.wecom.changes()
	}
	r.mu.Lock()
	k.begun, k.answered = len(r.commands), r.answered
	k.flying = slices.SortedFunc(maps.Keys(r.flying), func(a, b *command) int { return a.n - b.n })
	r.mu.Unlock()
	k.before = time.Now()
	victim.kill()
	k.at = time.Now()
	r.kills = append(r.kills, k)
}
