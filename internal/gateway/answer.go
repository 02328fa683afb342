package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

// Profile says which statuses answers have.
type Profile string

// The profiles.
const (
	// Compatible is what clients and the audit suite of graphql-http expect: as application/json, every request that can be
	// understood as one is answered with 200.
	Compatible Profile = "compat"
	// Draft is the newest draft of GraphQL over HTTP: the status tells of faults, whatever the media type.
	Draft Profile = "draft"
)

// partial is the draft's status of data beside errors.
const partial = 294

// refusedWith is the draft's status of each code of a request that was not executed.
var refusedWith = map[fault.Code]int{
	fault.ParseFailed:            http.StatusBadRequest,
	fault.ValidationFailed:       http.StatusUnprocessableEntity,
	fault.BadUserInput:           http.StatusUnprocessableEntity,
	fault.QueryTooComplex:        http.StatusUnprocessableEntity,
	fault.PersistedQueryNotFound: http.StatusUnprocessableEntity,
	fault.Unauthenticated:        http.StatusUnauthorized,
	fault.Forbidden:              http.StatusForbidden,
	fault.DocumentNotAllowed:     http.StatusForbidden,
	fault.RateLimited:            http.StatusTooManyRequests,
	fault.DeadlineExceeded:       http.StatusServiceUnavailable,
	fault.Unavailable:            http.StatusServiceUnavailable,
	fault.Internal:               http.StatusInternalServerError,
}

// refused is the status of a request that GraphQL refused to execute.
func (p Profile) refused(media string, errs gqlerror.List) int {
	var code fault.Code
	if len(errs) > 0 {
		text, _ := errs[0].Extensions["code"].(string)
		code = fault.Code(text)
	}
	status, ok := refusedWith[code]
	switch {
	case !ok || status >= http.StatusInternalServerError:
		return cmpStatus(status)
	case p == Draft || media == mediaGraphQL && code == fault.RateLimited:
		return status
	case media == mediaGraphQL:
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func cmpStatus(status int) int {
	if status == 0 {
		return http.StatusInternalServerError
	}
	return status
}

// answered is the status of a request that was executed.
func (p Profile) answered(errs gqlerror.List) int {
	if p == Draft && len(errs) > 0 {
		return partial
	}
	return http.StatusOK
}

// malformed is the status of a request that is no request of GraphQL over HTTP, although it is JSON.
func (p Profile) malformed() int {
	if p == Draft {
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
}

// refusal is why a request never reaches GraphQL, and the status of that.
type refusal struct {
	status int
	*fault.Error
}

func refuse(status int, f *fault.Error) *refusal { return &refusal{status, f} }

// tell makes a GraphQL error of a fault of the request itself, in the caller's language.
func tell(ctx context.Context, f *fault.Error) *gqlerror.Error {
	req := resolvers.RequestOf(ctx)
	return &gqlerror.Error{Message: f.Text(req.Language), Extensions: map[string]any{"code": string(f.Code), "traceId": req.RequestID}}
}

// send answers a refusal.
func (x *refusal) send(w http.ResponseWriter, r *http.Request, media string) {
	if x.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	write(w, media, x.status, &graphql.Response{Errors: gqlerror.List{tell(r.Context(), x.Error)}})
}

// write sends an answer. One without data has none in its JSON either: nothing was executed.
func write(w http.ResponseWriter, media string, status int, a *graphql.Response) {
	var b []byte
	var err error
	if a.Data == nil {
		b, err = json.Marshal(struct {
			Errors     gqlerror.List  `json:"errors"`
			Extensions map[string]any `json:"extensions,omitempty"`
		}{a.Errors, a.Extensions})
	} else {
		b, err = whole(a)
	}
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`)
	}
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that hung up is no fault of ours
}

// whole is an answer with data in JSON. The data is JSON already: encoding/json would read all of it once more.
func whole(a *graphql.Response) ([]byte, error) {
	if a.Label != "" || a.Path != nil || a.HasNext != nil {
		return json.Marshal(a)
	}
	b := append(make([]byte, 0, len(a.Data)+256), '{')
	if len(a.Errors) > 0 {
		errs, err := json.Marshal(a.Errors)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, `"errors":`...), errs...), ',')
	}
	b = append(append(b, `"data":`...), a.Data...)
	if len(a.Extensions) > 0 {
		more, err := json.Marshal(a.Extensions)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"extensions":`...), more...)
	}
	return append(b, '}'), nil
}

// Limits of an answer's errors: a document of a thousand faults is not worth a thousand sentences, and what a sentence of
// the GraphQL machinery quotes of the document may be as long as that.
const (
	errorsMax  = 20
	messageMax = 300
)

// tidy is an extension that bounds the errors of every answer, on whatever transport, and says those of the GraphQL machinery in the
// caller's language.
type tidy struct{}

// ExtensionName is part of graphql.HandlerExtension.
func (tidy) ExtensionName() string { return "tidy" }

// Validate is part of graphql.HandlerExtension.
func (tidy) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptResponse is part of graphql.ResponseInterceptor.
func (tidy) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	a := next(ctx)
	if a == nil {
		return nil
	}
	a.Errors = a.Errors[:min(len(a.Errors), errorsMax)]
	language := resolvers.RequestOf(ctx).Language
	for _, e := range a.Errors {
		if language != fault.English && machinery(e) {
			e.Message = reworded(e.Message, language)
		}
		if len(e.Message) > messageMax {
			e.Message = strings.ToValidUTF8(e.Message[:messageMax], "") + "…"
		}
	}
	return a
}
