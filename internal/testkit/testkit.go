// Package testkit plays the gateway from outside: it runs the real program on either database and speaks to it as a
// client would.
package testkit

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/guanxi-im/guanxi/internal/app"
)

// postgresVariable names the server on which tests make databases of their own: postgres://user@host:port/database.
const postgresVariable = "GUANXI_TEST_POSTGRES"

// OnEach runs a test on a fresh, empty database of each kind: SQLite, and PostgreSQL where GUANXI_TEST_POSTGRES is set.
func OnEach(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// Another is a fresh database of the same kind.
func Another(t testing.TB, dsn string) string {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		return SQLite(t)
	}
	return Postgres(t)
}

// SQLite is a fresh database in a file.
func SQLite(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "guanxi.db") }

// Postgres is a fresh database on the server of GUANXI_TEST_POSTGRES, dropped when the test ends. Without the variable
// the test is skipped; a server that does not answer is a failure.
func Postgres(t testing.TB) string {
	t.Helper()
	return postgres(t, "template1")
}

// postgres is a fresh copy of a database.
func postgres(t testing.TB, template string) string {
	t.Helper()
	server := os.Getenv(postgresVariable)
	if server == "" {
		t.Skip(postgresVariable + " is not set")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("guanxi_test_%d_%d", os.Getpid(), time.Now().UnixNano())
	if _, err := db.Exec("create database " + name + " template " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = db.Exec("drop database if exists " + name + " with (force)")
		_ = db.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// Server is a running gateway.
type Server struct {
	URL  string
	t    testing.TB
	stop func()
	log  *syncBuffer
	http http.Client
}

// Demo starts `guanxi serve --demo` on the database, in this process, and stops it when the test ends.
func Demo(t testing.TB, dsn string, args ...string) *Server {
	t.Helper()
	return Serve(t, append([]string{"--demo", "--db", dsn}, args...)...)
}

// Serve starts `guanxi serve` with arguments on a free port, in this process, and stops it when the test ends.
func Serve(t testing.TB, args ...string) *Server {
	t.Helper()
	s, code := start(t, args)
	if s.URL == "" {
		t.Fatalf("the server did not start: exit %d: %s", code, s.log)
	}
	return s
}

// Refused runs `guanxi serve` with arguments under which it should not start, and answers what it said and its exit
// code. The test fails where it does start.
func Refused(t testing.TB, args ...string) (stderr string, code int) {
	t.Helper()
	s, code := start(t, args)
	if s.URL != "" {
		t.Errorf("guanxi serve %s: started, where it should have refused to", strings.Join(args, " "))
		s.stop()
	}
	return s.Log(), code
}

// start runs a gateway on a free port. Every query is worked out by both executors: where they do not agree it fails.
func start(t testing.TB, args []string) (s *Server, code int) {
	return launch(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "debug", "--http-executor", "both"}, args...))
}

// launch runs a server until it listens or has ended; then its URL is empty, and its exit code holds.
func launch(t testing.TB, args []string) (s *Server, code int) {
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	s = &Server{t: t, log: &syncBuffer{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		code = app.Run(ctx, args, []string{"HOME=" + os.TempDir()}, in, s.log)
		_ = in.Close()
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-done
		s.http.CloseIdleConnections()
	})
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		<-done
		return s, code
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	s.URL = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return s, 0
}

// Sim starts `guanxi sim` with arguments on a free port, or on the one that they name, in this process, and stops it when
// the test ends.
func Sim(t testing.TB, args ...string) *Server {
	t.Helper()
	s, code := launch(t, append([]string{"sim"}, args...))
	if s.URL == "" {
		t.Fatalf("the simulator did not start: exit %d: %s", code, s.log)
	}
	return s
}

// In is the server for a part of a test: what goes wrong there is that part's.
func (s *Server) In(t testing.TB) *Server {
	part := *s
	part.t = t
	return &part
}

// Stop stops the server and waits until it has ended.
func (s *Server) Stop() { s.stop() }

// Log is what the server has logged.
func (s *Server) Log() string { return s.log.String() }

// Run runs another command of the program and answers what it printed and its exit code.
func Run(args ...string) (stdout, stderr string, code int) {
	var out, err bytes.Buffer
	code = app.Run(context.Background(), args, []string{"HOME=" + os.TempDir()}, &out, &err)
	return out.String(), err.String(), code
}

// Reply is an answer over HTTP.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Send sends a request as it is; headers are names and values in turn.
func (s *Server) Send(method, path, body string, headers ...string) Reply {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return Reply{resp.StatusCode, resp.Header, string(b)}
}

// Code is the code of the first GraphQL error of the reply; "" where there is none.
func (r Reply) Code() string {
	var v any
	if json.Unmarshal([]byte(r.Body), &v) != nil {
		return ""
	}
	code, _ := get(v, "errors.0.extensions.code").(string)
	return code
}

// Advance moves the demo's clock on, and answers what it then shows.
func (s *Server) Advance(d time.Duration) time.Time {
	s.t.Helper()
	return s.clock(`{"advance":"` + d.String() + `"}`)
}

// Set moves the demo's clock to a moment, and answers what it then shows.
func (s *Server) Set(at time.Time) time.Time {
	s.t.Helper()
	return s.clock(`{"set":"` + at.Format(time.RFC3339Nano) + `"}`)
}

// Now is what the demo's clock shows.
func (s *Server) Now() time.Time {
	s.t.Helper()
	return s.Advance(0)
}

func (s *Server) clock(body string) time.Time {
	s.t.Helper()
	r := s.Send(http.MethodPost, "/demo/clock", body)
	var v struct{ Now time.Time }
	if err := json.Unmarshal([]byte(r.Body), &v); err != nil || r.Status != http.StatusOK {
		s.t.Fatalf("move the clock: %d: %s", r.Status, r.Body)
	}
	return v.Now
}

// Client is one person who asks.
type Client struct {
	s        *Server
	token    string
	key      string // of a service, in the place of a token
	Language string // of Accept-Language
}

// As makes a client for a person of the demo; "" is nobody.
func (s *Server) As(account string) *Client {
	s.t.Helper()
	if account == "" {
		return s.With("")
	}
	return s.With(Token(s.t, account))
}

// WithKey makes a client for a service, by its API key.
func (s *Server) WithKey(key string) *Client { return &Client{s: s, key: key, Language: "en"} }

// With makes a client for a token.
func (s *Server) With(token string) *Client { return &Client{s: s, token: token, Language: "en"} }

// Token is a token of the demo for an account.
func Token(t testing.TB, account string) string {
	t.Helper()
	out, stderr, code := Run("token", account)
	if code != 0 {
		t.Fatalf("token %s: exit %d: %s", account, code, stderr)
	}
	return strings.TrimSpace(out)
}

// Answer is an answer to a GraphQL request.
type Answer struct {
	t      testing.TB
	Status int
	Data   any
	Errors []any
	Body   string
	Header http.Header
}

// Ask sends a document with variables and answers what came, errors included. It may be called from any goroutine.
func (c *Client) Ask(query string, variables map[string]any) (Answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequest(http.MethodPost, c.s.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Language", c.Language)
	c.signIn(req.Header.Set)
	resp, err := c.s.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{t: c.s.t, Status: resp.StatusCode, Body: string(b), Header: resp.Header}
	var v struct {
		Data   any
		Errors []any
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return a, fmt.Errorf("%w: %s", err, b)
	}
	a.Data, a.Errors = v.Data, v.Errors
	return a, nil
}

// signIn says who asks.
func (c *Client) signIn(set func(name, value string)) {
	if c.token != "" {
		set("Authorization", "Bearer "+c.token)
	}
	if c.key != "" {
		set("X-API-Key", c.key)
	}
}

// Do is Ask for requests that must succeed; userErrors are the test's own to look at.
func (c *Client) Do(query string, variables map[string]any) Answer {
	c.s.t.Helper()
	a, err := c.Ask(query, variables)
	if err != nil {
		c.s.t.Fatal(err)
	}
	if len(a.Errors) > 0 {
		c.s.t.Fatalf("%s\nanswered %s", query, a.Body)
	}
	return a
}

// Get follows a path of keys and indexes (block.results.0.decision.outcome) through the data; nil where it ends.
func (a Answer) Get(path string) any { return get(a.Data, path) }

// Text is Get for strings; "" for anything else.
func (a Answer) Text(path string) string { s, _ := a.Get(path).(string); return s }

// Code is the code of the n-th GraphQL error; "" where there is none.
func (a Answer) Code(n int) string {
	s, _ := get(a.Errors, strconv.Itoa(n)+".extensions.code").(string)
	return s
}

// Get follows a path through JSON.
func get(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Member is the id of a person of the demo.
func (c *Client) Member(account string) string {
	c.s.t.Helper()
	return c.Do(`query($a:String){member(accountName:$a){id}}`, map[string]any{"a": account}).Text("member.id")
}

// Workspace is the id of a workspace by its name.
func (c *Client) Workspace(name string) string {
	c.s.t.Helper()
	for _, w := range c.Do(`{workspaces{id name}}`, nil).Get("workspaces").([]any) {
		if get(w, "name") == name {
			return get(w, "id").(string)
		}
	}
	c.s.t.Fatalf("no workspace %s", name)
	return ""
}

// Contact is the id of a contact that the client sees, by the platform's own id.
func (c *Client) Contact(platformID string) string {
	c.s.t.Helper()
	for after := any(nil); ; {
		a := c.Do(`query($a:String){externalContacts(first:100,after:$a){nodes{id platformId} pageInfo{hasNextPage endCursor}}}`, map[string]any{"a": after})
		for _, n := range a.Get("externalContacts.nodes").([]any) {
			if get(n, "platformId") == platformID {
				return get(n, "id").(string)
			}
		}
		if a.Get("externalContacts.pageInfo.hasNextPage") != true {
			c.s.t.Fatalf("no contact %s", platformID)
		}
		after = a.Get("externalContacts.pageInfo.endCursor")
	}
}

// Stream is a live subscription.
type Stream struct {
	Events <-chan Answer
	// Closed gets the error that ended the stream.
	Closed <-chan error
	Stop   func()
	Cut    func() // ends the connection without a word
}

// Message is a message of graphql-transport-ws.
type Message struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

// Dial opens a socket that says nothing yet.
func (c *Client) Dial(ctx context.Context) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.s.URL, "http")+"/graphql",
		&websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"Accept-Language": {c.Language}}})
	return conn, err
}

// Socket opens a socket and signs in on it; it returns once the server has acknowledged it.
func (c *Client) Socket(ctx context.Context) (*websocket.Conn, error) {
	conn, err := c.Dial(ctx)
	if err != nil {
		return nil, err
	}
	init := Message{Type: "connection_init"}
	says := map[string]string{}
	if c.signIn(func(name, value string) { says[strings.ToLower(name)] = value }); len(says) > 0 {
		init.Payload = says
	}
	if err := wsjson.Write(ctx, conn, init); err != nil {
		return nil, err
	}
	var ack Message
	if err := wsjson.Read(ctx, conn, &ack); err != nil {
		return nil, err
	}
	if ack.Type != "connection_ack" {
		return nil, fmt.Errorf("no acknowledgement: %v", ack)
	}
	return conn, nil
}

// Subscribe opens a socket of its own and subscribes. It returns once the server has acknowledged the socket and the
// subscription is sent.
func (c *Client) Subscribe(query string, variables map[string]any) *Stream {
	c.s.t.Helper()
	stream, err := c.Follow(query, variables)
	if err != nil {
		c.s.t.Fatal(err)
	}
	return stream
}

// Next is the next event; the test fails where none comes within ten seconds.
func (s *Stream) Next(t testing.TB) Answer {
	t.Helper()
	select {
	case a, ok := <-s.Events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return a
	case <-time.After(10 * time.Second):
		t.Fatal("no event within ten seconds")
	}
	return Answer{}
}

// syncBuffer is a buffer that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
