package gateway

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// keyHeader is where a service says with which key it asks.
const keyHeader = "X-API-Key"

// credential is what somebody signs in with: a token, or a key.
type credential struct{ authorization, key string }

func credentialOf(h http.Header) credential {
	return credential{h.Get("Authorization"), h.Get(keyHeader)}
}

// ofSocket reads what connection_init carries, by the names of the headers, in whatever case.
func ofSocket(p map[string]any) (c credential) {
	for name, v := range p {
		text, _ := v.(string)
		switch {
		case strings.EqualFold(name, "authorization"):
			c.authorization = text
		case strings.EqualFold(name, keyHeader):
			c.key = text
		}
	}
	return c
}

func (c credential) given() bool { return c != credential{} }

// credentialsTwo is the key of the fault of who signs in as two.
const credentialsTwo = "credentials_two"

// signIn believes one credential; of two it is not clear who asks. Why one is not believed is in the log's line of the request.
func (o *Options) signIn(ctx context.Context, c credential) (im.Session, error) {
	at, err := o.believe(ctx, c)
	if rec, ok := ctx.Value(recordKey{}).(*record); ok && fault.Is(err, fault.Unauthenticated) {
		rec.turnedAway(err)
	}
	return at, err
}

func (o *Options) believe(ctx context.Context, c credential) (im.Session, error) {
	switch {
	case c.key != "" && c.authorization != "":
		return im.Session{}, fault.New(fault.Unauthenticated, credentialsTwo)
	case c.key != "":
		return o.AuthenticateKey(ctx, c.key)
	}
	scheme, token, ok := strings.Cut(c.authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return im.Session{}, fault.New(fault.Unauthenticated, "unauthenticated")
	}
	return o.Authenticate(ctx, strings.TrimSpace(token))
}

type sessionKey struct{}

// sessionOf is the session that a request over HTTP was let in by; nil: nobody signed in.
func sessionOf(ctx context.Context) *im.Session {
	at, _ := ctx.Value(sessionKey{}).(*im.Session)
	return at
}

// during is a context that ends with a session.
func (o *Options) during(ctx context.Context, at im.Session) (context.Context, context.CancelFunc) {
	ctx = o.Watch(ctx, at)
	if at.Until.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, at.Until)
}

// turnAway answers a request whose credential is not believed, or cannot be looked into.
func (o *Options) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	media := cmp.Or(negotiate(r.Header.Get("Accept")).media, mediaJSON)
	status := http.StatusUnauthorized
	if !fault.Is(err, fault.Unauthenticated) {
		status = http.StatusServiceUnavailable
	} else {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	write(w, media, status, &graphql.Response{Errors: gqlerror.List{resolvers.Presenter(o.Log)(r.Context(), err)}})
}

// afresh reads the rights of whoever asks on a socket anew for each operation: they are those of now, not of when it was opened.
func (o *Options) afresh(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	req := resolvers.RequestOf(ctx)
	if req.Session == nil {
		return next(ctx)
	}
	v, err := o.Again(ctx, *req.Session)
	if err != nil {
		return graphql.OneShot(&graphql.Response{Errors: []*gqlerror.Error{resolvers.Presenter(o.Log)(ctx, err)}})
	}
	req.Viewer = &v
	return next(resolvers.With(ctx, req))
}
