// Package gateway is the HTTP surface: GraphQL over POST, GET, Server-Sent Events and WebSocket, and whether the gateway is alive and ready.
package gateway

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// Options are what the surface is made of.
type Options struct {
	Resolver *resolvers.Resolver
	// Authenticate says whom a token names, AuthenticateKey which service a key lets in.
	Authenticate, AuthenticateKey func(ctx context.Context, credential string) (im.Session, error)
	// Again reads who a session is of afresh, for operations on a socket that was opened a while ago.
	Again func(ctx context.Context, at im.Session) (im.Viewer, error)
	// Watch makes a context that ends when the session does.
	Watch func(ctx context.Context, at im.Session) context.Context
	// Ready reports what keeps the gateway from serving; nil: nothing.
	Ready func(ctx context.Context) error
	// Request is told of every answered request: the pattern of its route, the status, and how long it took; nil: nobody is.
	Request func(route string, code int, took time.Duration)
	// UploadMax bounds the bytes of a request that carries files; 0: the default.
	UploadMax int64
	Log       *slog.Logger
	// Stop ends: live sockets are closed, and readiness is over.
	Stop context.Context
}

// Limits of a request.
const (
	bodyMax       = 1 << 20
	uploadMax     = 32 << 20
	operationTime = 15 * time.Second
	uploadTime    = 5 * time.Minute // with the time that its files take to arrive
	initTime      = 10 * time.Second
	pingTime      = 30 * time.Second
	documentsMax  = 1000 // kept parsed and validated
)

// New makes the handler of /graphql, /healthz and /readyz; more are routes of others, by pattern.
func New(o Options, more map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, routed(pattern, most(bodyMax, h))) }
	mux.Handle("/graphql", routed("/graphql", sized(o.uploadMax(), graphQL(o))))
	handle("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	handle("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		err := o.Stop.Err()
		if err == nil {
			err = o.Ready(r.Context())
		}
		if err != nil {
			o.Log.WarnContext(r.Context(), "not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	for pattern, h := range more {
		handle(pattern, h.ServeHTTP)
	}
	return o.each(mux)
}

// most bounds the body of a request. Of one that says itself that it is larger, nothing is read.
func most(bytes int64, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bytes)
		if r.ContentLength > bytes {
			r.Body = tooLarge{r.Body, bytes}
		}
		h(w, r)
	}
}

// tooLarge is a body that is not worth reading.
type tooLarge struct {
	io.Closer
	most int64
}

// Read is part of io.Reader.
func (t tooLarge) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: t.most} }

// sized bounds the body of a GraphQL request: only what carries files may be large.
func sized(upload int64, h http.HandlerFunc) http.HandlerFunc {
	small, large := most(bodyMax, h), most(upload, h)
	return func(w http.ResponseWriter, r *http.Request) {
		if isForm(r) {
			large(w, r)
			return
		}
		small(w, r)
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// each wraps every request: an id for the trail and the log, a line in the log without anything personal, and no
// panic that ends more than the request.
func (o Options) each(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := uuid.NewString()
		w.Header().Set("X-Request-Id", id)
		req := resolvers.Request{Language: fault.Speak(r.Header.Get("Accept-Language")), RequestID: id}
		r = r.WithContext(resolvers.With(r.Context(), req))
		began := time.Now()
		a := &answer{ResponseWriter: w, route: "other", code: http.StatusOK}
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				o.Log.ErrorContext(r.Context(), "panic", "request", id, "panic", p, "stack", string(debug.Stack()))
				a.WriteHeader(http.StatusInternalServerError)
			}
			took := time.Since(began)
			o.Log.DebugContext(r.Context(), "request", "request", id, "method", r.Method, "path", r.URL.Path, "took", took)
			if o.Request != nil {
				o.Request(a.route, a.code, took)
			}
		}()
		next.ServeHTTP(a, r)
	})
}

// answer remembers of a response what is counted.
type answer struct {
	http.ResponseWriter
	route   string
	code    int
	written bool
}

// WriteHeader is part of http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if !a.written && (code >= http.StatusOK || code == http.StatusSwitchingProtocols) { // others announce an answer, and are none
		a.code, a.written = code, true
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write is part of http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.written = true
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach what an answer does not wrap.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// routed has requests counted by the pattern of their route. What no route takes is counted as "other": a path is anything
// that somebody types.
func routed(pattern string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := w.(*answer)
		a.route = pattern
		if r.Header.Get("Upgrade") != "" || wantsStream(r) { // it takes as long as somebody listens
			a.route += " live"
		}
		h(w, r)
	})
}

// graphQL is the handler of /graphql.
func graphQL(o Options) http.HandlerFunc {
	cache := lru.New[*ast.QueryDocument](documentsMax)
	srv := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: o.Resolver}))
	srv.AddTransport(transport.Websocket{
		Implementation:   strict{transport.CoderWebsocketImplementation{}},
		PingPongInterval: pingTime,
		InitTimeout:      initTime,
		InitFunc:         o.initSocket,
	})
	srv.AddTransport(stream{})
	srv.AddTransport(post{})
	srv.SetQueryCache(cache)
	srv.SetParserTokenLimit(tokensMax)
	srv.SetDisableSuggestion(true) // suggestions would tell of fields, and cost time
	srv.SetErrorPresenter(resolvers.Presenter(o.Log))
	srv.SetRecoverFunc(func(ctx context.Context, p any) error {
		o.Log.ErrorContext(ctx, "panic in a resolver", "request", resolvers.RequestOf(ctx).RequestID, "panic", p, "stack", string(debug.Stack()))
		return fault.New(fault.Internal, "internal")
	})
	srv.AroundOperations(o.afresh)
	srv.Use(guard{cache: cache})
	srv.Use(extension.Introspection{})
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" { // a socket authenticates in connection_init, and lives on
			srv.ServeHTTP(w, r)
			return
		}
		ctx, at := r.Context(), im.Session{}
		if c := credentialOf(r.Header); c.given() {
			var err error
			if at, err = o.signIn(ctx, c); err != nil {
				o.turnAway(w, r, err)
				return
			}
			req := resolvers.RequestOf(ctx)
			req.Viewer = &at.Viewer
			ctx = resolvers.With(ctx, req)
		}
		if isForm(r) {
			var cancel func()
			ctx, cancel = context.WithTimeout(ctx, uploadTime)
			defer cancel()
			srv.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		ctx, cancel := o.bound(ctx, wantsStream(r), at)
		defer cancel()
		srv.ServeHTTP(w, r.WithContext(ctx))
	}
}

func (o Options) uploadMax() int64 { return cmp.Or(o.UploadMax, uploadMax) }
