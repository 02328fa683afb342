package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

// protocol is the only WebSocket sub-protocol we speak: PROTOCOL.md of graphql-ws.
const protocol = "graphql-transport-ws"

// Limits of a socket.
const (
	socketSubscriptionsMax = 100
	messageMaxBytes        = 1 << 20
	initTime               = 10 * time.Second
	pingTime               = 30 * time.Second
	writeTime              = 10 * time.Second // somebody who does not read for longer is let go
)

// socket is GraphQL over WebSocket.
type socket struct {
	o      *Options
	seats  *headcount
	schema *ast.Schema
}

// Supports is part of graphql.Transport.
func (socket) Supports(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// Do is part of graphql.Transport. It returns when the socket is closed.
func (s socket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	if !upgrades(r) {
		w.Header().Set("Upgrade", "websocket")
		refuse(http.StatusUpgradeRequired, fault.New(fault.BadUserInput, "upgrade", protocol)).send(w, r, mediaJSON)
		return
	}
	// Who may connect is settled already; see origins.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}, InsecureSkipVerify: true})
	if err != nil {
		s.o.Log.DebugContext(r.Context(), "no socket", "request", resolvers.RequestOf(r.Context()).RequestID, "error", err)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context())) // a socket outlives what its request was bound to
	defer cancel()
	c := &talk{socket: s, conn: conn, exec: exec, headers: r.Header, from: proxies(s.o.Proxies).from(r), ctx: ctx, stop: cancel, live: map[string]*operation{}}
	c.serve()
}

// upgrades reports whether a request can become a socket.
func upgrades(r *http.Request) bool {
	has := func(name, want string) bool {
		for part := range strings.SplitSeq(strings.Join(r.Header.Values(name), ","), ",") {
			if strings.EqualFold(strings.TrimSpace(part), want) {
				return true
			}
		}
		return false
	}
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && has("Connection", "Upgrade") && has("Upgrade", "websocket") &&
		r.Header.Get("Sec-Websocket-Version") == "13" && len(r.Header.Values("Sec-Websocket-Key")) == 1
}

// ending is why a socket is closed: a code of the protocol, or of RFC 6455.
type ending struct {
	code   websocket.StatusCode
	reason string
}

// Error is the reason.
func (e *ending) Error() string { return e.reason }

// The endings of the protocol.
var (
	endInvalid     = &ending{4400, "Invalid message received"}
	endUnsigned    = &ending{4401, "Unauthorized"}
	endForbidden   = &ending{4403, "Forbidden"}
	endTwo         = &ending{4403, "Forbidden: authorization and x-api-key are both there; send one of them"} // at most 123 bytes
	endExpired     = &ending{4403, "Session ended"}
	endProtocol    = &ending{4406, "Subprotocol not acceptable"}
	endSilent      = &ending{4408, "Connection initialisation timeout"}
	endInitAgain   = &ending{4429, "Too many initialisation requests"}
	endMany        = &ending{4429, "Too many subscriptions"}
	endCrowded     = &ending{4429, "Too many connections"}
	endOurFault    = &ending{4500, "Internal server error"}
	endGoingAway   = &ending{websocket.StatusGoingAway, "Going away"}
	endNobodyThere = &ending{websocket.StatusPolicyViolation, "No answer to a ping"}
)

// message is a message of the protocol.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// talk is one socket.
type talk struct {
	socket
	conn    *websocket.Conn
	exec    graphql.GraphExecutor
	headers http.Header
	from    netip.Addr
	begun   bool // connection_init came; only the reader looks, as at acked
	acked   bool

	ctx        context.Context // of the socket
	stop       func()          // ends it
	operations context.Context // with who asks; from the greeting on
	end        sync.Once

	mu       sync.Mutex
	live     map[string]*operation
	draining bool
	running  sync.WaitGroup // all that runs for the socket
	short    sync.WaitGroup // operations that come to an end by themselves
}

// operation is one that runs.
type operation struct{ cancel func() }

// close ends the socket, once, for the first reason. It waits until the client has heard of it, for a while.
func (c *talk) close(why *ending) {
	c.end.Do(func() {
		c.stop()
		_ = c.conn.Close(why.code, why.reason)
	})
}

// drain lets what is under way finish, and closes.
func (c *talk) drain() {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	c.short.Wait()
	c.close(endGoingAway)
}

// serve reads until the socket ends.
func (c *talk) serve() {
	var leave func()
	defer func() {
		c.stop()
		c.running.Wait()
		if leave != nil {
			leave()
		}
	}()
	if c.conn.Subprotocol() != protocol {
		c.close(endProtocol)
		return
	}
	c.conn.SetReadLimit(messageMaxBytes)
	silent := time.AfterFunc(initTime, func() { c.close(endSilent) })
	defer silent.Stop()
	defer context.AfterFunc(c.o.Stop, c.drain)()
	ctx := c.ctx
	c.running.Go(func() { c.ping(ctx) })
	for {
		_, b, err := c.conn.Read(context.Background()) // a context that ended would close the socket without a word
		if err != nil {
			return
		}
		m, why := c.judge(b)
		if why == nil {
			switch m.Type {
			case "connection_init":
				silent.Stop()
				leave, why = c.greet(m.Payload)
			case "ping":
				c.say(message{Type: "pong"})
			case "subscribe":
				why = c.subscribe(m)
			case "complete":
				c.forget(m.ID)
			}
		}
		if why != nil {
			c.close(why)
			return
		}
	}
}

// judge reads a message, and says why it ends the socket; nil: it is in order.
func (c *talk) judge(b []byte) (m message, why *ending) {
	if json.Unmarshal(b, &m) != nil {
		return m, endInvalid
	}
	switch m.Type {
	case "connection_init":
		if c.begun {
			return m, endInitAgain
		}
		c.begun = true
	case "subscribe":
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case m.ID == "":
			return m, endInvalid
		case !c.acked:
			return m, endUnsigned
		case c.live[m.ID] != nil:
			return m, &ending{4409, "Subscriber for " + strings.ToValidUTF8(m.ID[:min(len(m.ID), 64)], "") + " already exists"}
		case len(c.live) >= socketSubscriptionsMax:
			return m, endMany
		}
		c.live[m.ID] = &operation{func() {}} // taken from now on
	case "complete", "ping", "pong":
	default:
		return m, endInvalid
	}
	return m, nil
}

// greet signs the socket in. It lives as long as the session.
func (c *talk) greet(payload json.RawMessage) (leave func(), why *ending) {
	var said map[string]any
	if len(payload) > 0 && json.Unmarshal(payload, &said) != nil {
		return nil, endInvalid
	}
	ctx, cancel := context.WithTimeout(c.ctx, initTime)
	defer cancel()
	at, err := c.o.signIn(ctx, ofSocket(said))
	switch {
	case err != nil && !fault.Is(err, fault.Unauthenticated):
		c.o.Log.WarnContext(ctx, "a socket could not sign in", "error", err)
		return nil, endOurFault
	case err != nil && fault.As(err).Key == credentialsTwo:
		return nil, endTwo
	case err != nil:
		return nil, endForbidden
	}
	free, ok := c.seats.enter(at.Viewer.ID())
	if !ok {
		return nil, endCrowded
	}
	req := resolvers.RequestOf(c.ctx)
	req.Viewer, req.Session = &at.Viewer, &at
	session, gone := c.o.during(c.ctx, at)
	stop := context.AfterFunc(session, func() {
		if c.ctx.Err() == nil {
			c.close(endExpired)
		}
	})
	c.operations = c.o.charge(resolvers.With(c.ctx, req), c.from)
	c.acked = true
	c.say(message{Type: "connection_ack"})
	return func() { stop(); gone(); free() }, nil
}

// subscribe starts an operation of any kind.
func (c *talk) subscribe(m message) *ending {
	var q request
	if crowded(m.Payload) {
		c.forget(m.ID)
		c.deny(m.ID, gqlerror.List{tell(c.operations, tooLarge("variables_large", valuesMax))})
		return nil
	}
	if decode(m.Payload, &q) != nil {
		return endInvalid
	}
	q.Headers = c.headers
	ctx, cancel := context.WithCancel(c.operations)
	me := &operation{cancel}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		cancel()
		return nil // the end is near, and will be told
	}
	c.live[m.ID] = me
	c.short.Add(1)
	ends := sync.OnceFunc(c.short.Done)
	c.running.Go(func() {
		defer cancel()
		defer ends()
		c.operate(ctx, m.ID, me, q, ends)
	})
	return nil
}

// operate runs an operation. It says so where the operation turns out to be one without an end.
func (c *talk) operate(ctx context.Context, id string, me *operation, q request, endless func()) {
	refuse := func(errs gqlerror.List) {
		if c.free(id, me) {
			c.deny(id, errs)
		}
	}
	if q.empty() {
		refuse(gqlerror.List{tell(ctx, fault.New(fault.BadUserInput, "query_missing"))})
		return
	}
	ctx = graphql.StartOperationTrace(ctx)
	p := q.params()
	op, errs := create(ctx, c.exec, c.schema, &p)
	if errs != nil {
		refuse(c.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs).Errors)
		return
	}
	if op.Operation.Operation == ast.Subscription {
		endless()
	} else {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, c.o.OperationTime)
		defer cancel()
	}
	run(ctx, c.exec, op, func(b []byte) bool {
		return c.holds(id, me) && c.say(message{ID: id, Type: "next", Payload: b})
	})
	// The id is free before the client hears that it is: it may use it at once.
	if c.free(id, me) && c.ctx.Err() == nil {
		c.say(message{ID: id, Type: "complete"})
	}
}

// deny tells the client that an operation was not worked out.
func (c *talk) deny(id string, errs gqlerror.List) {
	if b, err := json.Marshal(errs); err == nil {
		c.say(message{ID: id, Type: "error", Payload: b})
	}
}

// holds reports whether the client still listens to an operation.
func (c *talk) holds(id string, o *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live[id] == o
}

// free gives an id back, and reports whether the client still listened.
func (c *talk) free(id string, o *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live[id] != o {
		return false
	}
	delete(c.live, id)
	return true
}

// forget ends an operation that the client wants no more of.
func (c *talk) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.live[id]; o != nil {
		o.cancel()
		delete(c.live, id)
	}
}

// say sends a message, and reports whether it went out.
func (c *talk) say(m message) bool {
	b, err := json.Marshal(m)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, b) == nil
}

// ping finds out whether somebody is still there.
func (c *talk) ping(ctx context.Context) {
	tick := time.NewTicker(pingTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, writeTime)
		err := c.conn.Ping(within)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			c.close(endNobodyThere)
			return
		}
	}
}
