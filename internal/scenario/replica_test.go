package scenario

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// sse subscribes by Server-Sent Events and sends each event's data.
func (p person) sse(t *testing.T) <-chan testkit.Answer {
	t.Helper()
	token, _, _ := testkit.Run("token", p.account)
	body, err := json.Marshal(vars{"query": watchDocument})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.c.URL+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("the stream answered %s %s", resp.Status, got)
	}
	out := make(chan testkit.Answer, 1000)
	go func() {
		defer close(out)
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body)
		defer func() { t.Logf("the stream ended: %v", lines.Err()) }()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var a testkit.Answer
				if json.Unmarshal([]byte(data), &a) == nil {
					out <- a
				}
			}
		}
	}()
	return out
}

// Two replicas on one PostgreSQL are one gateway: whichever a command goes to, a subscriber of either sees it once and
// in order, over either transport.
func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	dsn := testkit.Postgres(t)
	a, b := open(t, dsn), open(t, dsn)
	wang := []person{a.person("wangfang004"), b.person("wangfang004")}
	streams := map[string]func() change{}
	for i, name := range []string{"A", "B"} {
		socket, events := wang[i].watch(), wang[i].sse(t)
		streams["socket of "+name] = func() change { return socket.next(t) }
		streams["stream of "+name] = func() change {
			select {
			case e, open := <-events:
				if !open {
					t.Fatalf("the stream ended; A logged\n%s\nB logged\n%s", a.Log(), b.Log())
				}
				return read[change](t, e)
			case <-time.After(10 * time.Second):
				t.Fatal("no event within ten seconds")
			}
			return change{}
		}
	}
	time.Sleep(200 * time.Millisecond) // nothing tells when a subscription stands

	const rounds = 6
	for i := range rounds {
		r := wang[i%2].blocks("liqiang005", on("native"))
		if o := wang[(i+1)%2].lift(r.ID, "enough"); o.codes() != "" {
			t.Fatal(o.codes())
		}
	}
	for name, next := range streams {
		seen := map[string]bool{}
		for i := range 2 * rounds {
			e, want := next(), []string{"null→ACTIVE", "ACTIVE→LIFTED"}[i%2]
			if e.String() != want || seen[e.Cursor] {
				t.Fatalf("%s: event %d is %s (cursor seen: %v), want %s", name, i, e, seen[e.Cursor], want)
			}
			seen[e.Cursor] = true
		}
	}
	a.Stop()
	alone := wang[1].blocks("liqiang005", on("native"))
	if e := streams["socket of B"](); e.RelationshipID != alone.ID {
		t.Errorf("after A stopped, B's subscriber saw %s of %s", e, e.RelationshipID)
	}
}
