package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Media types of answers.
const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
)

// post is GraphQL over HTTP for queries and mutations, as the compatible profile of its audit suite wants it: 200 for
// any well-formed request that was answered as application/json. It echoes nothing of a request that it cannot read.
type post struct{}

// errorsMax bounds the errors of one answer.
const errorsMax = 20

// Supports is part of graphql.Transport.
func (post) Supports(r *http.Request) bool { return r.Header.Get("Upgrade") == "" }

// Do is part of graphql.Transport.
func (t post) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Add("Vary", "Accept")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	media := negotiate(r.Header.Get("Accept"))
	if media == "" {
		refuse(w, mediaJSON, http.StatusNotAcceptable, coded("BAD_USER_INPUT", "this server answers "+mediaGraphQL+" and "+mediaJSON))
		return
	}
	var files spool
	defer files.drop()
	take := read
	if isForm(r) {
		take = files.read
	}
	p, status, fault := take(w, r)
	if fault != nil {
		refuse(w, media, status, fault)
		return
	}
	op, errs := exec.CreateOperationContext(r.Context(), &p)
	if errs != nil {
		status := http.StatusOK
		if media == mediaGraphQL {
			status = http.StatusBadRequest
		}
		refuse(w, media, status, exec.DispatchError(graphql.WithOperationContext(r.Context(), op), errs).Errors...)
		return
	}
	switch kind := op.Doc.Operations.ForName(op.OperationName).Operation; {
	case r.Method == http.MethodGet && kind != ast.Query:
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, media, http.StatusMethodNotAllowed, coded("BAD_USER_INPUT", "GET is for queries only"))
		return
	case kind == ast.Subscription:
		refuse(w, media, http.StatusBadRequest, coded("BAD_USER_INPUT", "a subscription needs "+mediaStream+" or a "+protocol+" socket"))
		return
	}
	answers, ctx := exec.DispatchOperation(r.Context(), op)
	answer := answers(ctx)
	if len(answer.Errors) > errorsMax {
		answer.Errors = answer.Errors[:errorsMax]
	}
	b, err := json.Marshal(answer)
	if err != nil {
		refuse(w, media, http.StatusInternalServerError, coded("INTERNAL", "internal error"))
		return
	}
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	_, _ = w.Write(b) // a client that hung up is no fault of ours
}

// read takes the request apart.
func read(w http.ResponseWriter, r *http.Request) (p graphql.RawParams, status int, fault *gqlerror.Error) {
	bad := func(status int, what string) (graphql.RawParams, int, *gqlerror.Error) {
		return graphql.RawParams{}, status, coded("BAD_USER_INPUT", what)
	}
	p.ReadTime.Start = graphql.Now()
	switch r.Method {
	case http.MethodGet:
		q := r.URL.Query()
		p.Query, p.OperationName = q.Get("query"), q.Get("operationName")
		for name, into := range map[string]*map[string]any{"variables": &p.Variables, "extensions": &p.Extensions} {
			if s := q.Get(name); s != "" && decode([]byte(s), into) != nil {
				return bad(http.StatusBadRequest, name+" is no JSON object")
			}
		}
	case http.MethodPost:
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if charset := strings.ToLower(params["charset"]); err != nil || media != mediaJSON || charset != "" && charset != "utf-8" && charset != "utf8" {
			w.Header().Set("Accept-Post", mediaJSON)
			return bad(http.StatusUnsupportedMediaType, "send "+mediaJSON)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return bad(unread(err))
		}
		if decode(b, &p) != nil {
			return bad(http.StatusBadRequest, "the request is no GraphQL request in JSON")
		}
		p.Headers = r.Header
	default:
		w.Header().Set("Allow", "GET, POST")
		return bad(http.StatusMethodNotAllowed, "use GET or POST")
	}
	p.ReadTime.End = graphql.Now()
	if strings.TrimSpace(p.Query) == "" {
		return bad(http.StatusBadRequest, "query is missing")
	}
	return p, 0, nil
}

// unread says why a body could not be read.
func unread(err error) (status int, what string) {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, "a request has at most " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"
	}
	return http.StatusBadRequest, "the request did not arrive whole"
}

// decode reads exactly one JSON value, keeping numbers as they are.
func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

func refuse(w http.ResponseWriter, media string, status int, errs ...*gqlerror.Error) {
	errs = errs[:min(len(errs), errorsMax)]
	b, err := json.Marshal(map[string]any{"errors": errs})
	if err != nil {
		b = []byte(`{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`)
	}
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func coded(code, message string) *gqlerror.Error {
	return &gqlerror.Error{Message: message, Extensions: map[string]any{"code": code}}
}

// negotiate picks the media type for an Accept header, weights honoured; "" where none of ours will do.
func negotiate(accept string) string {
	if strings.TrimSpace(accept) == "" {
		return mediaJSON
	}
	type offer struct {
		media  string
		weight float64
	}
	var offers []offer
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if charset := strings.ToLower(params["charset"]); weight > 0 && (charset == "" || charset == "utf-8" || charset == "utf8") {
			offers = append(offers, offer{media, weight})
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return 0
	})
	for _, o := range offers {
		switch o.media {
		case mediaGraphQL:
			return mediaGraphQL
		case mediaJSON, "*/*", "application/*":
			return mediaJSON
		}
	}
	return ""
}
