package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/guanxi-im/guanxi/internal/identity"
)

// query is a client for the shell: it asks a running gateway and prints the answer.
func (p *program) query() *cobra.Command {
	var q question
	var variables []string
	var events int
	c := &cobra.Command{
		Use:   "query [DOCUMENT | -]",
		Short: "Ask a running gateway; exit 1 where the answer holds errors",
		Long: `Sends a GraphQL document, given as argument or on standard input, to a running gateway and prints the answer.

A subscription prints its events, one after another. Variables are given as --var NAME=VALUE; a value that is JSON is sent as what it is, any other as a string.`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			document, err := p.document(args)
			if err != nil {
				return err
			}
			q.document = document
			if q.variables, err = parseVariables(variables); err != nil {
				return err
			}
			if strings.HasPrefix(strings.TrimSpace(document), "subscription") {
				return p.watch(c.Context(), q, events)
			}
			return p.ask(c.Context(), q)
		},
	}
	f := c.Flags()
	p.asks(f, &q)
	f.StringVar(&q.path, "get", "", "print one value of the answer alone, by its path: block.results.0.relationship.id")
	f.StringVar(&q.language, "language", "", "language of the sentences: zh-CN or en")
	f.IntVar(&events, "events", 0, "of a subscription: end after so many events; 0: never")
	f.StringArrayVar(&variables, "var", nil, "a variable: NAME=VALUE")
	return c
}

// asks adds the flags that say which gateway is asked, and by whom.
func (p *program) asks(f *pflag.FlagSet, q *question) {
	f.StringVar(&q.server, "server", p.variable("GUANXI_SERVER", "http://127.0.0.1:8080"), "the gateway")
	f.StringVar(&q.token, "token", p.variable("GUANXI_TOKEN", ""), "who asks: a token")
	f.StringVar(&q.as, "as", "", "who asks: a person of the demo, by account name")
}

// variable is a variable of the environment.
func (p *program) variable(name, otherwise string) string {
	for _, e := range p.environ {
		if v, ok := strings.CutPrefix(e, name+"="); ok && v != "" {
			otherwise = v
		}
	}
	return otherwise
}

func (p *program) document(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	b, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	if err == nil && len(bytes.TrimSpace(b)) == 0 {
		err = usageError{errors.New("expected a document as argument or on standard input")}
	}
	return string(b), err
}

func parseVariables(in []string) (map[string]any, error) {
	out := map[string]any{}
	for _, v := range in {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--var %q: expected NAME=VALUE", v)}
		}
		var parsed any
		if json.Unmarshal([]byte(value), &parsed) != nil {
			parsed = value
		}
		out[name] = parsed
	}
	return out, nil
}

// question is what is asked of a gateway.
type question struct {
	server, token, as, language, document, path string
	variables                                   map[string]any
}

// bearer is the token of the one who asks.
func (q question) bearer() (string, error) {
	if q.as == "" {
		return q.token, nil
	}
	return identity.Token(identity.Demo(time.Now), q.as, time.Minute)
}

// askTime bounds a question: longer than the gateway's own bound.
const askTime = 30 * time.Second

func (p *program) ask(ctx context.Context, q question) error {
	b, err := p.post(ctx, q)
	if err != nil {
		return err
	}
	return p.show(b, q.path)
}

// post sends a question, and answers what came back.
func (p *program) post(ctx context.Context, q question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	body, err := json.Marshal(map[string]any{"query": q.document, "variables": q.variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(q.server, "/")+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, usageError{fmt.Errorf("--server: %w", err)}
	}
	req.Header.Set("Content-Type", "application/json")
	if q.language != "" {
		req.Header.Set("Accept-Language", q.language)
	}
	token, err := q.bearer()
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// answered is an answer, its parts as they came.
type answered struct {
	Data   json.RawMessage   `json:"data"`
	Errors []json.RawMessage `json:"errors"`
}

// show prints an answer, or the value at path alone.
func (p *program) show(b []byte, path string) error {
	var a answered
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("the server answered no JSON: %w", err)
	}
	if path != "" && len(a.Errors) == 0 {
		return p.showAt(a.Data, path)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b, "", "  "); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, strings.TrimSpace(pretty.String()))
	if len(a.Errors) > 0 {
		return errors.New("the answer holds errors")
	}
	return nil
}

// showAt prints one value: a string as it is, anything else as JSON in one line.
func (p *program) showAt(v json.RawMessage, path string) error {
	for key := range strings.SplitSeq(path, ".") {
		var fields map[string]json.RawMessage
		var items []json.RawMessage
		var next json.RawMessage
		if json.Unmarshal(v, &fields) == nil {
			next = fields[key]
		} else if i, err := strconv.Atoi(key); err == nil && json.Unmarshal(v, &items) == nil && i >= 0 && i < len(items) {
			next = items[i]
		}
		if next == nil {
			return fmt.Errorf("--get %s: the answer has no %s: %s", path, key, v)
		}
		v = next
	}
	var text string
	if json.Unmarshal(v, &text) == nil && string(v) != "null" {
		_, err := fmt.Fprintln(p.stdout, text)
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, v); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, line.String())
	return err
}

// watch subscribes and prints what comes, until there were as many events as asked for or ctx ends.
func (p *program) watch(ctx context.Context, q question, events int) error {
	url := "ws" + strings.TrimPrefix(strings.TrimSuffix(q.server, "/"), "http") + "/graphql"
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"},
		HTTPHeader: http.Header{"Accept-Language": {q.language}}})
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	type message struct {
		ID      string          `json:"id,omitempty"`
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload,omitempty"`
	}
	say := func(id, kind string, payload any) error {
		b, err := json.Marshal(payload)
		if err != nil {
			return err
		}
		return wsjson.Write(ctx, conn, message{ID: id, Type: kind, Payload: b})
	}
	token, err := q.bearer()
	if err != nil {
		return err
	}
	if err := say("", "connection_init", map[string]string{"authorization": "Bearer " + token}); err != nil {
		return err
	}
	for seen := 0; events == 0 || seen < events; {
		var m message
		if err := wsjson.Read(ctx, conn, &m); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		switch m.Type {
		case "connection_ack":
			err = say("1", "subscribe", map[string]any{"query": q.document, "variables": q.variables})
		case "ping":
			err = wsjson.Write(ctx, conn, message{Type: "pong"})
		case "next":
			seen++
			err = p.show(m.Payload, q.path)
		case "error":
			err = fmt.Errorf("refused: %s", m.Payload)
		case "complete":
			return nil
		}
		if err != nil {
			return err
		}
	}
	return conn.Close(websocket.StatusNormalClosure, "")
}
