package observe

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// What is done within an operation is counted for it and handed on; where nobody listens nothing happens.
func TestActs(t *testing.T) {
	_, nothing := Begin(t.Context(), Batch, "", "members")
	nothing.Set("guanxi.keys", 1)
	nothing.End("") // nobody listens

	var got []Event
	var tally Tally
	ctx := Tallied(With(t.Context(), New(func(e Event) { e.Took = 0; got = append(got, e) }, nil)), &tally)
	for _, a := range []struct {
		kind           Kind
		of, name, code string
	}{{Batch, "", "members", ""}, {Decision, "", "block", "DENY"}, {Call, "wecom", "Check", "Unavailable"}, {Request, "wecom", "GET", "500"}} {
		_, act := Begin(ctx, a.kind, a.of, a.name)
		act.End(a.code)
	}
	Statements(ctx, 3, time.Millisecond)
	Statements(context.Background(), 3, time.Millisecond)
	want := []Event{{Batch, "", "members", OK, 0}, {Decision, "", "block", "DENY", 0}, {Call, "wecom", "Check", "Unavailable", 0}, {Request, "wecom", "GET", "500", 0}}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, not %v", got[i], want[i])
		}
	}
	if tally.Statements.Load() != 3 || tally.Batches.Load() != 1 || tally.Decisions.Load() != 1 || tally.Calls.Load() != 1 || tally.InDatabase.Load() != int64(time.Millisecond) {
		t.Errorf("%+v", &tally)
	}
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:4318": "http://h:4318/v1/traces", "https://h/": "https://h/v1/traces", "https://h/otlp/v1/traces": "https://h/otlp/v1/traces",
	} {
		if got := endpoint(in); got != want {
			t.Errorf("%s: %s, not %s", in, got, want)
		}
	}
}

// Whatever a client sends for a traceparent is taken or left, and breaks nothing.
func FuzzReceived(f *testing.F) {
	for _, s := range []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff-x", "", "\xff"} {
		f.Add(s, true)
	}
	tracer, err := OpenTracer(f.Context(), TracerOptions{Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		f.Fatal(err)
	}
	ctx := With(f.Context(), New(nil, tracer))
	f.Fuzz(func(t *testing.T, parent string, trusted bool) {
		_, act := Begin(Received(ctx, http.Header{"Traceparent": {parent}}, trusted), Operation, "", "query")
		act.End("")
	})
}
