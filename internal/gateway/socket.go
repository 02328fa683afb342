package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
)

// protocol is the only WebSocket sub-protocol we speak: PROTOCOL.md of graphql-ws.
const protocol = "graphql-transport-ws"

// socketSubscriptionsMax bounds the live subscriptions of one socket.
const socketSubscriptionsMax = 100

// strict makes gqlgen's sockets keep to the protocol: its close codes, one initialisation, unique ids, and a bound on
// live subscriptions.
type strict struct {
	transport.WebsocketImplementation
}

// Accept is part of transport.WebsocketImplementation.
func (s strict) Accept(w http.ResponseWriter, r *http.Request, o transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	o.Subprotocols = []string{protocol}
	c, err := s.WebsocketImplementation.Accept(w, r, o)
	if err != nil {
		return nil, err
	}
	g := &strictConn{WebsocketConn: c, live: map[string]bool{}}
	if c.Subprotocol() != protocol {
		return g, g.end(4406, "Subprotocol not acceptable")
	}
	return g, nil
}

type strictConn struct {
	transport.WebsocketConn
	mu     sync.Mutex
	begun  bool // connection_init came
	acked  bool
	closed bool
	live   map[string]bool
}

// end closes the socket with a code of the protocol, once.
func (c *strictConn) end(code int, reason string) error {
	c.mu.Lock()
	done := c.closed
	c.closed = true
	c.mu.Unlock()
	if !done {
		_ = c.WebsocketConn.WriteClose(code, reason) // it may be gone already
	}
	return transport.ErrWebsocketClosed
}

// NextReader is part of transport.WebsocketConn.
func (c *strictConn) NextReader() (int, io.Reader, error) {
	kind, r, err := c.WebsocketConn.NextReader()
	if err != nil {
		return kind, r, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return kind, nil, err
	}
	if code, reason := c.judge(b); code != 0 {
		return kind, nil, c.end(code, reason)
	}
	return kind, bytes.NewReader(b), nil
}

// judge says with which code a message ends the socket; 0: it is in order.
func (c *strictConn) judge(b []byte) (code int, reason string) {
	var m struct{ Type, ID string }
	if json.Unmarshal(b, &m) != nil {
		return 4400, "Invalid message received"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.Type {
	case "connection_init":
		if c.begun {
			return 4429, "Too many initialisation requests"
		}
		c.begun = true
	case "subscribe":
		switch {
		case m.ID == "":
			return 4400, "Invalid message received"
		case !c.acked:
			return 4401, "Unauthorized"
		case c.live[m.ID]:
			return 4409, "Subscriber for " + strings.ToValidUTF8(m.ID[:min(len(m.ID), 64)], "") + " already exists"
		case len(c.live) >= socketSubscriptionsMax:
			return 4429, "Too many subscriptions"
		}
		c.live[m.ID] = true
	case "complete":
		delete(c.live, m.ID)
	case "ping", "pong":
	default:
		return 4400, "Invalid message received"
	}
	return 0, ""
}

// WriteJSON is part of transport.WebsocketConn.
func (c *strictConn) WriteJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var m struct{ Type, ID string }
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	c.mu.Lock()
	switch m.Type {
	case "connection_ack":
		c.acked = true
	case "complete", "error":
		delete(c.live, m.ID)
	}
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return transport.ErrWebsocketClosed
	}
	return c.WebsocketConn.WriteJSON(json.RawMessage(b))
}

// WriteClose is part of transport.WebsocketConn.
func (c *strictConn) WriteClose(code int, reason string) error {
	if reason == "connection initialisation timeout" {
		code, reason = 4408, "Connection initialisation timeout"
	}
	_ = c.end(code, reason)
	return nil
}

// SetReadLimit is part of transport.WebsocketReadLimiter.
func (c *strictConn) SetReadLimit(n int64) {
	if l, ok := c.WebsocketConn.(transport.WebsocketReadLimiter); ok {
		l.SetReadLimit(n)
	}
}

// SetReadDeadline is part of transport.WebsocketReadDeadliner.
func (c *strictConn) SetReadDeadline(t time.Time) error {
	if d, ok := c.WebsocketConn.(transport.WebsocketReadDeadliner); ok {
		return d.SetReadDeadline(t)
	}
	return nil
}
