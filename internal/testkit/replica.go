package testkit

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// At is a gateway that runs elsewhere: in a process of its own.
func At(t testing.TB, url string) *Server {
	s := &Server{URL: url, t: t, log: &syncBuffer{}}
	s.stop = s.http.CloseIdleConnections
	t.Cleanup(s.stop)
	return s
}

// Follow subscribes over a socket of its own, as Subscribe does, and may be called from any goroutine.
func (c *Client) Follow(query string, variables map[string]any) (*Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c.s.t.Cleanup(cancel)
	conn, err := c.Socket(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	err = wsjson.Write(ctx, conn, Message{ID: "1", Type: "subscribe", Payload: map[string]any{"query": query, "variables": variables}})
	if err != nil {
		cancel()
		return nil, err
	}
	events, closed := make(chan Answer, 1000), make(chan error, 1)
	go func() {
		defer close(events)
		for {
			var m Message
			if err := wsjson.Read(ctx, conn, &m); err != nil {
				closed <- err
				return
			}
			switch m.Type {
			case "ping":
				_ = wsjson.Write(ctx, conn, Message{Type: "pong"})
			case "next":
				errs, _ := get(m.Payload, "errors").([]any)
				events <- Answer{t: c.s.t, Data: get(m.Payload, "data"), Errors: errs}
			case "error":
				errs, _ := m.Payload.([]any)
				events <- Answer{t: c.s.t, Errors: errs}
			case "complete":
				closed <- nil
				return
			}
		}
	}()
	return &Stream{Events: events, Closed: closed, Cut: cancel,
		Stop: func() { _ = conn.Close(websocket.StatusNormalClosure, ""); cancel() }}, nil
}

// Events subscribes by Server-Sent Events. It may be called from any goroutine.
func (c *Client) Events(query string, variables map[string]any) (*Stream, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Language", c.Language)
	c.signIn(req.Header.Set)
	resp, err := c.s.http.Do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		_ = resp.Body.Close()
		cancel()
		return nil, fmt.Errorf("the stream answered %s %s", resp.Status, got)
	}
	events, closed := make(chan Answer, 1000), make(chan error, 1)
	go func() {
		defer close(events)
		defer func() { _ = resp.Body.Close() }()
		lines, data := bufio.NewScanner(resp.Body), ""
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "data: "):
				data = strings.TrimPrefix(line, "data: ")
			case line == "" && data != "": // an event is whole with the empty line after it
				var v struct {
					Data   any
					Errors []any
				}
				if err := json.Unmarshal([]byte(data), &v); err != nil {
					closed <- fmt.Errorf("%w: %s", err, data)
					return
				}
				events <- Answer{t: c.s.t, Data: v.Data, Errors: v.Errors}
				data = ""
			}
		}
		closed <- lines.Err()
	}()
	return &Stream{Events: events, Closed: closed, Cut: cancel, Stop: cancel}, nil
}

// Gate holds commits up: a test has them wait with all their rows written and nobody seeing any of these.
type Gate struct{ db *sql.DB }

// NewGate puts a gate into a PostgreSQL database that has its schema already.
func NewGate(t testing.TB, dsn string) *Gate {
	t.Helper()
	db := Database(t, dsn)
	// A deferred trigger runs as the last thing before the commit.
	_, err := db.Exec(`create function gate() returns trigger language plpgsql as $$ begin
			perform pg_advisory_xact_lock_shared(1, hashtext(m.account_name))
				from relationships r join members m on m.id = r.initiator_id where r.id = new.subject_id;
			return null;
		end $$;
		create constraint trigger gate after insert on changes deferrable initially deferred for each row execute function gate()`)
	if err != nil {
		t.Fatal(err)
	}
	return &Gate{db}
}

// Hold closes the gate for changes to what a person initiated, until it is released. It may be called from any
// goroutine.
func (g *Gate) Hold(account string) (*Held, error) {
	ctx := context.Background()
	conn, err := g.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	h := &Held{g.db, conn, 0}
	err = conn.QueryRowContext(ctx, "select pg_backend_pid() from pg_advisory_lock(1, hashtext($1))", account).Scan(&h.pid)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return h, nil
}

// Held is a gate that is closed for somebody.
type Held struct {
	db   *sql.DB
	conn *sql.Conn
	pid  int
}

// Waiting names the applications (application_name) whose commits wait at the gate, as PostgreSQL sees it: they have
// written into changes and are blocked by nobody but us.
func (h *Held) Waiting() (names []string, err error) {
	rows, err := h.db.Query(`select a.application_name from pg_stat_activity a where a.wait_event_type = 'Lock'
		and pg_blocking_pids(a.pid) = array[$1::int] and exists (select from pg_locks l
			where l.pid = a.pid and l.relation = 'changes'::regclass and l.mode = 'RowExclusiveLock' and l.granted)`, h.pid)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Release opens the gate.
func (h *Held) Release() error {
	if _, err := h.conn.ExecContext(context.Background(), "select pg_advisory_unlock_all()"); err != nil {
		return err
	}
	return h.conn.Close()
}
