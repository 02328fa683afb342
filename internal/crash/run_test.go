package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// run is what happened.
type run struct {
	t      *testing.T
	g      *gateway
	people []*person
	kills  []*kill

	quiet sync.RWMutex // held for reading while a command is under way

	mu         sync.Mutex
	commands   []*command // in the order in which they were begun
	flying     map[*command]bool
	answered   int
	violations []string
}

// person is one client: somebody of the demo who blocks others and takes it back, one command after the other.
type person struct {
	token string
	rng   *rand.Rand
	pairs []*pair
	todo  int // commands that are still to be begun
	http  http.Client
}

// pair is a person and somebody whom he may block on one workspace.
type pair struct {
	target, workspace string
	standing          *command // the block that stands
	broken            bool     // an answer was not what it had to be: what stands is not known
}

// command is one block or lift.
type command struct {
	n     int // from 1
	by    *person
	on    *pair
	key   string
	lifts *command // the block that it ends; nil: it is a block
	text  string   // the reason

	tries    int
	answer   outcome
	answered bool
	replaced *command  // a block: the lift that ended it, once begun
	at       time.Time // when the gateway wrote its answer down
}

func (c *command) String() string {
	word := "block"
	if c.lifts != nil {
		word = "lift"
	}
	return fmt.Sprintf("command %d (%s)", c.n, word)
}

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
	at              time.Time // once the process was gone
	begun, answered int       // commands
	flying          []*command
	phase           phase
}

// The people, who are plain employees, and colleagues whom each of them may block on native: nobody's superior, and no
// owner of a group that one of the four is in.
var (
	accounts   = []string{"shenmengqi033", "xujunjie036", "maijiahao042", "zhuwanting043"}
	colleagues = []string{"018", "020", "022", "023", "027", "029", "030", "031"}
)

const contactsEach = 8

// cast makes the people, and shares the commands out among them.
func (r *run) cast(commands int, seed uint64) {
	r.t.Helper()
	r.flying = map[*command]bool{}
	for i, account := range accounts {
		token, _, code := testkit.Run("token", account)
		if code != 0 {
			r.t.Fatalf("no token for %s", account)
		}
		p := &person{token: strings.TrimSpace(token), rng: rand.New(rand.NewPCG(seed, uint64(i+1))),
			todo: (commands + i) / len(accounts), http: http.Client{Timeout: 15 * time.Second}}
		r.people = append(r.people, p)
		var here struct {
			Workspaces []struct{ ID, Name string }
		}
		r.read(p, `{workspaces{id name}}`, nil, &here)
		native := ""
		for _, w := range here.Workspaces {
			if w.Name == "native" {
				native = w.ID
			}
		}
		for _, no := range colleagues {
			var m struct{ Member struct{ ID string } }
			r.read(p, `query($n:String){member(employeeNo:$n){id}}`, map[string]any{"n": no}, &m)
			p.pairs = append(p.pairs, &pair{target: m.Member.ID, workspace: native})
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
				p.pairs = append(p.pairs, &pair{target: c.ID, workspace: c.Workspace.ID})
				n++
			}
		}
		if n < contactsEach {
			r.t.Fatalf("%s has only %d contacts to block", account, n)
		}
	}
}

// command has everybody do his commands, and answers once all are answered.
func (r *run) command() {
	var all sync.WaitGroup
	for _, p := range r.people {
		all.Go(func() {
			for ; p.todo > 0; p.todo-- {
				r.quiet.RLock()
				r.carryOut(r.begin(p))
				r.quiet.RUnlock()
			}
		})
	}
	all.Wait()
}

// begin thinks the next command of a person up: a pair that is blocked is freed, another one blocked.
func (r *run) begin(p *person) *command {
	whole := slices.DeleteFunc(slices.Clone(p.pairs), func(q *pair) bool { return q.broken })
	if len(whole) == 0 {
		whole = p.pairs // all is lost already, and each further answer says so too
	}
	on := whole[p.rng.IntN(len(whole))]
	c := &command{by: p, on: on, lifts: on.standing, text: strings.Repeat("消息太多 ", 1+p.rng.IntN(10))}
	if c.lifts != nil {
		c.lifts.replaced = c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.n = len(r.commands) + 1
	c.key = fmt.Sprintf("crash-%d", c.n)
	r.commands = append(r.commands, c)
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
		url, up := r.g.where()
		if up {
			c.tries++
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
	state, version := "ACTIVE", 1
	if c.lifts != nil {
		state, version = "LIFTED", 2
	}
	if err == nil && (a.Relationship.State != state || a.Relationship.Version != version || a.Decision.ID == "") {
		err = fmt.Errorf("answered %+v", a)
	}
	if err != nil {
		c.on.broken = true
		r.violations = append(r.violations, fmt.Sprintf("%s, tried %d times: %v", c, c.tries, err))
		return
	}
	c.answer, c.answered = a, true
	if c.on.standing = c; c.lifts != nil {
		c.on.standing = nil
	}
}

const (
	blockDocument = `mutation($t:ID!,$w:[ID!],$r:String!,$k:String!){command:block(input:{targetId:$t,kind:BLOCK,workspaceIds:$w,reason:$r,idempotencyKey:$k}){
		results{relationship{id state version reason} decision{id}} userErrors{code message}}}`
	liftDocument = `mutation($i:ID!,$r:String!,$k:String!){command:liftRelationship(relationshipId:$i,reason:$r,idempotencyKey:$k){
		relationship{id state version reason} decision{id} userErrors{code message}}}`
)

// send sends a command once.
func (r *run) send(url string, c *command) (outcome, error) {
	document, variables := blockDocument, map[string]any{"t": c.on.target, "w": []string{c.on.workspace}, "r": c.text, "k": c.key}
	if c.lifts != nil {
		document, variables = liftDocument, map[string]any{"i": c.lifts.answer.Relationship.ID, "r": c.text, "k": c.key}
	}
	var data struct {
		Command struct {
			Results    []outcome // of a block
			outcome              // of a lift
			UserErrors []struct{ Code, Message string }
		}
	}
	if err := ask(url, c.by, document, variables, &data); err != nil {
		return outcome{}, err
	}
	a := data.Command.outcome
	if c.lifts == nil && len(data.Command.Results) == 1 {
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
	url, _ := r.g.where()
	if err := ask(url, p, document, variables, data); err != nil {
		r.t.Fatalf("%s: %v", document, err)
	}
}

// killAll kills the gateway at each point, and starts it again.
func (r *run) killAll(points []point) {
	r.t.Helper()
	for i, p := range points {
		switch p.phase {
		case starting:
			r.g.launch()
		case between:
			r.await(p.begun)
			r.quiet.Lock()
		case within:
			r.await(p.begun)
		}
		time.Sleep(p.delay)
		k := &kill{phase: p.phase}
		r.mu.Lock()
		k.begun, k.answered = len(r.commands), r.answered
		k.flying = slices.SortedFunc(maps.Keys(r.flying), func(a, b *command) int { return a.n - b.n })
		r.mu.Unlock()
		r.g.kill()
		k.at = time.Now()
		r.kills = append(r.kills, k)
		if p.phase == between {
			r.quiet.Unlock()
		}
		if i+1 == len(points) || points[i+1].phase != starting {
			r.g.start()
		}
	}
}

// await waits until so many commands have been begun.
func (r *run) await(n int) {
	for {
		r.mu.Lock()
		begun := len(r.commands)
		r.mu.Unlock()
		if begun >= n {
			return
		}
		time.Sleep(50 * time.Microsecond)
	}
}
