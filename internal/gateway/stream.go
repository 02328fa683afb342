package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// beat keeps proxies from taking a quiet stream for a dead one.
const beat = 15 * time.Second

// follow answers a subscription as Server-Sent Events, one operation a connection: the distinct connections mode of PROTOCOL.md
// of graphql-sse. It lives as long as the session that opened it.
func (t overHTTP) follow(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor, op *graphql.OperationContext) {
	ctx := r.Context()
	if at := sessionOf(ctx); at != nil {
		leave, ok := t.seats.enter(at.Viewer.ID())
		if !ok {
			w.Header().Set("Retry-After", "10")
			refuse(http.StatusTooManyRequests, fault.New(fault.RateLimited, "live_many", itoa(t.o.LiveMax))).send(w, r, mediaJSON)
			return
		}
		defer leave()
		var gone context.CancelFunc
		ctx, gone = t.o.during(ctx, *at)
		defer gone()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.o.Stop, cancel)()
	t.stream(ctx, w, exec, op)
}

// stream answers an operation as events. Once the stream is open, faults are events too.
func (t overHTTP) stream(ctx context.Context, w http.ResponseWriter, exec graphql.GraphExecutor, op *graphql.OperationContext) {
	defer t.o.live("stream")()
	if a, ok := w.(*answer); ok { // it takes as long as somebody listens
		a.route += " live"
	}
	h := w.Header()
	h.Set("Content-Type", mediaStream)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	defer func() { _ = out.SetWriteDeadline(time.Time{}) }()
	var one sync.Mutex
	say := func(text string) bool {
		one.Lock()
		defer one.Unlock()
		_ = out.SetWriteDeadline(time.Now().Add(writeTime)) // nobody reads any more: let go
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	_ = out.SetReadDeadline(time.Time{}) // the request is here; from now on the connection is for listening
	w.WriteHeader(http.StatusOK)
	if !say(":\n\n") { // the client learns at once that the stream is open
		return
	}

	stop := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() {
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				say(":\n\n")
			case <-stop:
				return
			}
		}
	})
	run(ctx, exec, op, func(b []byte) bool { return say("event: next\ndata: " + string(b) + "\n\n") })
	close(stop)
	beats.Wait()
	if op.Operation.Operation != ast.Subscription || ctx.Err() == nil { // a stream that is cut is not complete: the client resumes it
		say("event: complete\ndata:\n\n")
	}
}

// run executes an operation and hands over each answer as JSON, until there is none or nobody takes it.
func run(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext, take func([]byte) bool) {
	fail := func(f *fault.Error) {
		b, _ := json.Marshal(&graphql.Response{Errors: gqlerror.List{tell(ctx, f)}})
		take(b)
	}
	defer func() {
		if p := recover(); p != nil {
			_ = op.Recover(ctx, p) // it logs
			fail(fault.New(fault.Internal, "internal"))
		}
	}()
	answers, ctx := exec.DispatchOperation(ctx, op)
	for taken := false; ; taken = true {
		a := answers(ctx)
		if a == nil {
			if !taken && errors.Is(ctx.Err(), context.DeadlineExceeded) && op.Operation.Operation != ast.Subscription {
				fail(fault.New(fault.DeadlineExceeded, "deadline"))
			}
			return
		}
		b, err := json.Marshal(a) // before the next one: they share a buffer
		if err != nil {
			panic(err)
		}
		if !take(b) || op.Operation.Operation != ast.Subscription {
			return
		}
	}
}
