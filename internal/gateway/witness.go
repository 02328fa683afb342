package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/observe"
	"github.com/guanxi-im/guanxi/resolvers"
)

// record is what is told of one request, or of one operation on a socket: in a line of the log, to metrics, and to a
// tracer. Nothing in it is what a client or a person wrote.
type record struct {
	socket bool // the request is one, and its operations have records of their own

	mu       sync.Mutex
	typ      string // query, mutation, subscription; of a document that was refused, refused
	document string // its shape
	code     string // of the first error
	actor    string
	reason   string // why its credential was refused
	cost     int
	tally    observe.Tally
}

// refused is the type of what never became an operation.
const refused = "refused"

type recordKey struct{}

// witnessed is the context of a request whose operations are told of.
func (o Options) witnessed(ctx context.Context, rec *record, r *http.Request) context.Context {
	ctx = observe.Received(observe.With(ctx, o.Observer), r.Header, proxies(o.Proxies).trusts(addressOf(r.RemoteAddr)))
	return context.WithValue(ctx, recordKey{}, rec)
}

func isSocket(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }

// counted tells of sockets while they live.
func (o Options) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isSocket(r) {
			defer o.live("socket")()
		}
		next.ServeHTTP(w, r)
	})
}

// live tells that something has begun, and with what it answers, once, that it has ended.
func (o Options) live(what string) (ended func()) {
	if o.Live == nil {
		return func() {}
	}
	o.Live(what, 1)
	return sync.OnceFunc(func() { o.Live(what, -1) })
}

// quiet are the routes that are asked by machines every few seconds: what goes well there is worth no line.
var quiet = []string{"GET /healthz", "GET /readyz", "GET /metrics"}

// line writes the one line of the log about a request.
func (o Options) line(ctx context.Context, rec *record, method string, a *answer, took time.Duration) {
	level := slog.LevelInfo
	if a.code == http.StatusOK && slices.Contains(quiet, a.route) {
		level = slog.LevelDebug
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}, method) {
		method = "other" // a client may make up any
	}
	attrs := []slog.Attr{slog.String("request", resolvers.RequestOf(ctx).RequestID), slog.String("method", method),
		slog.String("route", a.route), slog.Int("status", a.code), inMS("took_ms", took)}
	o.Log.LogAttrs(ctx, level, "request", append(attrs, rec.attrs()...)...)
}

func (rec *record) attrs() []slog.Attr {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.typ == "" {
		return nil
	}
	out := []slog.Attr{slog.String("type", rec.typ), slog.String("code", rec.code)}
	if rec.document != "" {
		out = append(out, slog.String("document", rec.document))
	}
	if rec.actor != "" {
		out = append(out, slog.String("actor", rec.actor))
	}
	if rec.reason != "" {
		out = append(out, slog.String("reason", rec.reason))
	}
	if rec.cost > 0 {
		out = append(out, slog.Int("cost", rec.cost))
	}
	return append(out, slog.Int64("statements", rec.tally.Statements.Load()))
}

// witness is the extension that sees operations begin and end.
type witness struct{ o *Options }

// ExtensionName is part of graphql.HandlerExtension.
func (witness) ExtensionName() string { return "witness" }

// Validate is part of graphql.HandlerExtension.
func (witness) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptOperation is part of graphql.OperationInterceptor.
func (x witness) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op, req := graphql.GetOperationContext(ctx), resolvers.RequestOf(ctx)
	rec, _ := ctx.Value(recordKey{}).(*record)
	onSocket := rec == nil || rec.socket
	if onSocket {
		rec = &record{}
		ctx = context.WithValue(ctx, recordKey{}, rec)
	}
	began := op.Stats.Read.Start
	if began.IsZero() {
		began = time.Now()
	}
	rec.set(string(op.Operation.Operation), op.RawQuery, req, observe.OK)
	if b := billOf(op); b != nil {
		rec.cost = b.requested
	}
	ctx, act := observe.BeginAt(observe.Tallied(ctx, &rec.tally), observe.Operation, "", rec.typ, began)
	act.Set("guanxi.request", req.RequestID)
	act.Set("guanxi.document", rec.document)
	if rec.actor != "" {
		act.Set("guanxi.actor", rec.actor)
	}
	gone := func() {}
	if op.Operation.Operation == ast.Subscription {
		gone = x.o.live("subscription")
	}
	end := sync.OnceFunc(func() {
		gone()
		took := time.Since(began)
		act.Set("guanxi.cost", rec.cost)
		act.Set("guanxi.statements", rec.tally.Statements.Load())
		rec.mu.Lock()
		code := rec.code
		rec.mu.Unlock()
		act.End(code)
		if onSocket {
			attrs := []slog.Attr{slog.String("request", req.RequestID), slog.String("method", "SOCKET"), slog.String("route", "/graphql"), inMS("took_ms", took)}
			x.o.Log.LogAttrs(ctx, slog.LevelInfo, "request", append(attrs, rec.attrs()...)...)
		}
		if x.o.Slow > 0 && took >= x.o.Slow && op.Operation.Operation != ast.Subscription {
			x.slow(ctx, op, rec, took)
		}
	})
	answers := next(ctx)
	if op.Operation.Operation != ast.Subscription {
		return func(ctx context.Context) *graphql.Response {
			a := answers(ctx)
			rec.fail(a)
			end()
			return a
		}
	}
	context.AfterFunc(ctx, end)
	return func(ctx context.Context) *graphql.Response {
		a := answers(ctx)
		if rec.fail(a); a == nil {
			end()
		}
		return a
	}
}

// InterceptResponse is part of graphql.ResponseInterceptor: it sees what was refused before it became an operation.
func (x witness) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	a := next(ctx)
	rec, _ := ctx.Value(recordKey{}).(*record)
	if rec == nil || a == nil || rec.begun() {
		return a
	}
	onSocket := rec.socket
	if onSocket {
		rec = &record{}
	}
	document, req := "", resolvers.RequestOf(ctx)
	if graphql.HasOperationContext(ctx) {
		document = graphql.GetOperationContext(ctx).RawQuery
	}
	rec.set(refused, document, req, firstCode(a.Errors))
	_, act := observe.Begin(ctx, observe.Operation, "", refused)
	act.Set("guanxi.request", req.RequestID)
	act.End(rec.code)
	if onSocket {
		attrs := []slog.Attr{slog.String("request", req.RequestID), slog.String("method", "SOCKET"), slog.String("route", "/graphql")}
		x.o.Log.LogAttrs(ctx, slog.LevelInfo, "request", append(attrs, rec.attrs()...)...)
	}
	return a
}

// slow tells of an operation that took long what may have made it so: its shape and where the time went, and nothing that
// it was about.
func (x witness) slow(ctx context.Context, op *graphql.OperationContext, rec *record, took time.Duration) {
	phase := func(t graphql.TraceTiming) time.Duration { return max(0, t.End.Sub(t.Start)) }
	t := &rec.tally
	x.o.Log.LogAttrs(ctx, slog.LevelWarn, "slow operation", append([]slog.Attr{
		slog.String("request", resolvers.RequestOf(ctx).RequestID), inMS("took_ms", took),
		inMS("read_ms", phase(op.Stats.Read)), inMS("parse_ms", phase(op.Stats.Parsing)), inMS("validate_ms", phase(op.Stats.Validation)),
		inMS("database_ms", time.Duration(t.InDatabase.Load())), inMS("platforms_ms", time.Duration(t.InCalls.Load())),
		slog.Int64("batches", t.Batches.Load()), slog.Int64("decisions", t.Decisions.Load()), slog.Int64("calls", t.Calls.Load())}, rec.attrs()...)...)
}

func (rec *record) set(typ, document string, req resolvers.Request, code string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.typ, rec.code = typ, code
	if document != "" {
		rec.document = shape(document)
	}
	if req.Viewer != nil {
		who := req.Viewer.Ref()
		rec.actor = nodeid.Encode(who.Kind, who.ID)
	}
}

// turnedAway takes note of a credential that was refused.
func (rec *record) turnedAway(err error) {
	why := "no bearer token, or more than one credential"
	if r, ok := errors.AsType[interface {
		error
		Reason() string
	}](err); ok {
		why = r.Reason()
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.typ, rec.code, rec.reason = refused, string(fault.Unauthenticated), why
}

// inMS is a duration in the log: milliseconds.
func inMS(name string, d time.Duration) slog.Attr {
	return slog.Float64(name, float64(d.Microseconds())/1000)
}

// fail takes note of an answer's errors.
func (rec *record) fail(a *graphql.Response) {
	if a != nil && len(a.Errors) > 0 {
		rec.mu.Lock()
		rec.code = firstCode(a.Errors)
		rec.mu.Unlock()
	}
}

func (rec *record) begun() bool {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.typ != ""
}

// firstCode is the code of the first error; without a code it is none of ours.
func firstCode(errs gqlerror.List) string {
	if len(errs) == 0 {
		return observe.OK
	}
	if code, ok := errs[0].Extensions["code"].(string); ok {
		return code
	}
	return "UNKNOWN"
}

// shape names a document by what is in it besides comments and strings, as people write those: documents that differ in
// them alone have one shape, and nobody finds by guessing whom a document names.
func shape(document string) string {
	var b strings.Builder
	b.Grow(len(document))
	for rest := document; rest != ""; {
		i := strings.IndexAny(rest, "\"#")
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		switch {
		case rest[0] == '#':
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			rest = rest[end:]
		case strings.HasPrefix(rest, `"""`):
			b.WriteString(`""`)
			rest = after(rest[3:], `"""`, `\"""`)
		default:
			b.WriteString(`""`)
			rest = after(rest[1:], `"`, `\"`, `\\`)
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// after is what follows the end of a string in which escapes do not end it.
func after(s, end string, escapes ...string) string {
next:
	for i := 0; i < len(s); {
		for _, e := range escapes {
			if strings.HasPrefix(s[i:], e) {
				i += len(e)
				continue next
			}
		}
		if strings.HasPrefix(s[i:], end) {
			return s[i+len(end):]
		}
		i++
	}
	return ""
}
