package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

const mediaStream = "text/event-stream"

// beat keeps proxies from taking a quiet stream for a dead one.
const beat = 15 * time.Second

// stream is GraphQL over Server-Sent Events, one operation a connection: the distinct connections mode of PROTOCOL.md of
// graphql-sse.
type stream struct {
	o     *Options
	seats *headcount
}

// wantsStream reports whether a request asks for Server-Sent Events.
func wantsStream(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		media, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(media), mediaStream) {
			return true
		}
	}
	return false
}

// Supports is part of graphql.Transport.
func (stream) Supports(r *http.Request) bool {
	return r.Header.Get("Upgrade") == "" && wantsStream(r)
}

// Do is part of graphql.Transport. What is wrong with the request itself is answered as JSON with its status; once the
// stream is open, faults are events.
func (t stream) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Add("Vary", "Accept")
	p, no := read(w, r, t.o.Profile)
	if no != nil {
		no.send(w, r, mediaJSON)
		return
	}
	ctx := r.Context()
	op, errs := exec.CreateOperationContext(ctx, &p)
	billOf(op).head(w.Header())
	if errs != nil {
		a := exec.DispatchError(graphql.WithOperationContext(ctx, op), errs)
		write(w, mediaJSON, t.o.Profile.refused(mediaGraphQL, a.Errors), a)
		return
	}
	if r.Method == http.MethodGet && op.Operation.Operation == ast.Mutation {
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, fault.New(fault.BadUserInput, "get_streams")).send(w, r, mediaJSON)
		return
	}
	var cancel func()
	if op.Operation.Operation == ast.Subscription {
		if v := resolvers.RequestOf(ctx).Viewer; v != nil {
			leave, ok := t.seats.enter(v.ID())
			if !ok {
				w.Header().Set("Retry-After", "10")
				refuse(http.StatusTooManyRequests, fault.New(fault.RateLimited, "live_many", itoa(t.o.LiveMax))).send(w, r, mediaJSON)
				return
			}
			defer leave()
		}
		ctx, cancel = context.WithCancel(ctx)
		defer context.AfterFunc(t.o.Stop, cancel)()
	} else {
		ctx, cancel = context.WithTimeout(ctx, t.o.OperationTime)
	}
	defer cancel()
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
