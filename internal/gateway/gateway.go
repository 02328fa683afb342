// Package gateway is the HTTP surface: GraphQL over POST, GET, Server-Sent Events and WebSocket, and whether the gateway is alive and ready.
package gateway

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/observe"
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
	// Check answers the pre-delivery question; FailOpen names the workspaces of which it is yes while there is no answer.
	Check    func(ctx context.Context, v im.Viewer, q PreDelivery) (allowed bool, err error)
	FailOpen []string
	// Ready reports what keeps the gateway from serving; nil: nothing.
	Ready func(ctx context.Context) error
	// Request is told of every answered request: the pattern of its route, the status, and how long it took; nil: nobody is.
	Request func(route string, code int, took time.Duration)
	// Live is told when sockets, streams and subscriptions begin (1) and end (-1); nil: nobody is.
	Live func(what string, by int)
	// Observer is told what requests do.
	Observer *observe.Observer
	// Slow is from when on an operation is told to be slow; 0: none is.
	Slow time.Duration
	Log  *slog.Logger
	// Stop ends: readiness is over, live sockets and streams are closed.
	Stop context.Context

	// What is empty of these is as the settings have it by default; but without Limits there are none.
	Profile       Profile
	Executor      string         // how operations are worked out
	UploadMax     int64          // bytes of a request that carries files
	OperationTime time.Duration  // of a query or a command
	Origins       []string       // of pages that may ask
	Proxies       []netip.Prefix // whose word on a request's id and origin is taken
	LiveMax       int            // sockets and streams of one person
	Limits        Limits
	Trusted       *Trusted

	till *till
}

// Limits of every request.
const (
	bodyMax    = 1 << 20
	uploadTime = 5 * time.Minute  // with the time that its files take to arrive
	bodyTime   = 15 * time.Second // in which any other body has to arrive
)

// Gateway is the surface.
type Gateway struct {
	http.Handler
	sockets sync.WaitGroup
}

// Wait waits until all sockets are closed, or ctx ends.
func (g *Gateway) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { g.sockets.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// New makes the handler of /graphql, /healthz and /readyz; more are routes of others, by pattern.
func New(o Options, more map[string]http.Handler) (*Gateway, error) {
	from, err := newOrigins(o.Origins)
	if err != nil {
		return nil, err
	}
	o.Profile = cmp.Or(o.Profile, Compatible)
	o.Executor = cmp.Or(o.Executor, Plans)
	o.UploadMax = cmp.Or(o.UploadMax, 32<<20)
	o.OperationTime = cmp.Or(o.OperationTime, 15*time.Second)
	o.LiveMax = cmp.Or(o.LiveMax, 100)
	if o.Trusted == nil {
		if o.Trusted, err = OpenTrusted("", DocumentsOff, o.Log); err != nil {
			return nil, err
		}
	}
	o.till = newTill(time.Now)
	g := &Gateway{}
	mux := http.NewServeMux()
	handle := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, routed(pattern, most(bodyMax, h))) }
	mux.Handle("/graphql", o.counted(routed("/graphql", from.guard(sized(o.UploadMax, graphQL(&o, g))))))
	handle("POST /v1/check", o.preDelivery)
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
	g.Handler = o.each(mux)
	return g, nil
}

// most bounds the body of a request. Of one that says itself that it is larger, nothing is read.
func most(bytes int64, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bytes)
		if r.ContentLength > bytes {
			r.Body = unwanted{r.Body, bytes}
		}
		h(w, r)
	}
}

// unwanted is a body that is not worth reading.
type unwanted struct {
	io.Closer
	most int64
}

// Read is part of io.Reader.
func (u unwanted) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: u.most} }

// sized bounds the body of a GraphQL request, and the time that it takes: only what carries files may be large.
func sized(upload int64, h http.HandlerFunc) http.HandlerFunc {
	small, large := most(bodyMax, h), most(upload, h)
	return func(w http.ResponseWriter, r *http.Request) {
		take, within := small, bodyTime
		if isForm(r) {
			take, within = large, uploadTime
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // a recorder of tests has none
		take(w, r)
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
		id := cmp.Or(proxies(o.Proxies).id(r), uuid.NewString())
		w.Header().Set("X-Request-Id", id)
		req := resolvers.Request{Language: fault.Speak(r.Header.Get("Accept-Language")), RequestID: id}
		began, rec := time.Now(), &record{socket: isSocket(r)}
		r = r.WithContext(o.witnessed(resolvers.With(r.Context(), req), rec, r))
		a := &answer{ResponseWriter: w, route: "other", code: http.StatusOK}
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				o.Log.ErrorContext(r.Context(), "panic", "request", id, "panic", p, "stack", string(debug.Stack()))
				a.WriteHeader(http.StatusInternalServerError)
			}
			took := time.Since(began)
			o.line(r.Context(), rec, r.Method, a, took)
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
		if isSocket(r) { // it takes as long as somebody listens
			a.route += " live"
		}
		h(w, r)
	})
}

// graphQL is the handler of /graphql.
func graphQL(o *Options, g *Gateway) http.HandlerFunc {
	schema := o.schema()
	known := &documents{o.Trusted, newRecent[*ast.QueryDocument](parsedBytesMax)}
	kept := &persisted{newRecent[string](persistedBytesMax)}
	seats := &headcount{most: o.LiveMax, of: map[im.ID]int{}}
	srv := handler.New(schema)
	srv.AddTransport(socket{o, seats, schema.Schema()})
	srv.AddTransport(overHTTP{o, seats, schema.Schema()})
	srv.SetQueryCache(known)
	srv.SetParserTokenLimit(tokensMax)
	srv.SetDisableSuggestion(true) // suggestions would tell of fields, and cost time
	srv.SetErrorPresenter(resolvers.Presenter(o.Log))
	srv.SetRecoverFunc(func(ctx context.Context, p any) error {
		o.Log.ErrorContext(ctx, "panic in a resolver", "request", resolvers.RequestOf(ctx).RequestID, "panic", p, "stack", string(debug.Stack()))
		return fault.New(fault.Internal, "internal")
	})
	srv.Use(witness{o})
	srv.AroundOperations(o.afresh)
	srv.Use(guard{schema.Schema(), known, kept})
	srv.Use(&billing{schema.Schema(), kept})
	srv.Use(tidy{})
	srv.Use(extension.Introspection{})
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" { // a socket authenticates in connection_init, and lives on
			g.sockets.Add(1)
			defer g.sockets.Done()
			srv.ServeHTTP(w, r)
			return
		}
		ctx := r.Context()
		if c := credentialOf(r.Header); c.given() {
			at, err := o.signIn(ctx, c)
			if err != nil {
				o.turnAway(w, r, err)
				return
			}
			req := resolvers.RequestOf(ctx)
			req.Viewer = &at.Viewer
			ctx = context.WithValue(resolvers.With(ctx, req), sessionKey{}, &at)
		}
		srv.ServeHTTP(w, r.WithContext(o.charge(ctx, proxies(o.Proxies).from(r))))
	}
}
