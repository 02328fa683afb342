package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

const mediaStream = "text/event-stream"

// beat keeps proxies from taking a quiet stream for a dead one.
const beat = 15 * time.Second

// stream is GraphQL over Server-Sent Events, one operation a connection: the distinct connections mode of PROTOCOL.md of
// graphql-sse.
type stream struct{}

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
func (stream) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Add("Vary", "Accept")
	p, status, fault := read(w, r)
	if fault != nil {
		refuse(w, mediaJSON, status, fault)
		return
	}
	op, errs := exec.CreateOperationContext(r.Context(), &p)
	if errs != nil {
		refuse(w, mediaJSON, http.StatusBadRequest, exec.DispatchError(graphql.WithOperationContext(r.Context(), op), errs).Errors...)
		return
	}
	if r.Method == http.MethodGet && op.Doc.Operations.ForName(op.OperationName).Operation == ast.Mutation {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, mediaJSON, http.StatusMethodNotAllowed, coded("BAD_USER_INPUT", "GET is for queries and subscriptions only"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaStream)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush() // the client learns at once that the stream is open

	answers, ctx := exec.DispatchOperation(r.Context(), op)
	events := make(chan []byte)
	go func() {
		defer close(events)
		for {
			answer := answers(ctx)
			if answer == nil {
				return
			}
			b, err := json.Marshal(answer) // before the next one: they share a buffer
			if err != nil {
				return
			}
			select {
			case events <- b:
			case <-ctx.Done():
				return
			}
			if op.Operation.Operation != ast.Subscription {
				return
			}
		}
	}()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case b, ok := <-events:
			if !ok {
				_, _ = fmt.Fprint(w, "event: complete\ndata:\n\n")
				_ = out.Flush()
				return
			}
			if _, err := fmt.Fprintf(w, "event: next\ndata: %s\n\n", b); err != nil {
				return
			}
		case <-tick.C:
			if _, err := fmt.Fprint(w, ":\n\n"); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
		if out.Flush() != nil {
			return
		}
	}
}
