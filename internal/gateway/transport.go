package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// overHTTP is GraphQL over HTTP: an answer that is whole, or, where a client takes one, a stream. It echoes nothing of a request
// that it cannot read.
type overHTTP struct {
	o      *Options
	seats  *headcount
	schema *ast.Schema
}

// Supports is part of graphql.Transport.
func (overHTTP) Supports(r *http.Request) bool { return r.Header.Get("Upgrade") == "" }

// Do is part of graphql.Transport. What is wrong with the request itself is answered as JSON with its status, though the
// client asked for a stream.
func (t overHTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	w.Header().Add("Vary", "Accept")
	accepts := negotiate(r.Header.Get("Accept"))
	media := accepts.media
	if media == "" {
		if media = mediaJSON; !accepts.stream {
			refuse(http.StatusNotAcceptable, fault.New(fault.BadUserInput, "not_acceptable", mediaGraphQL+", "+mediaJSON+", "+mediaStream)).send(w, r, media)
			return
		}
	}
	var files spool
	defer files.drop()
	take, within := read, t.o.OperationTime
	if isForm(r) {
		take, within = files.read, uploadTime
	}
	ctx, cancel := context.WithTimeout(r.Context(), within) // with the time that it takes to arrive
	defer cancel()
	p, no := take(w, r, t.o.Profile)
	if no != nil {
		no.send(w, r, media)
		return
	}
	op, errs := create(ctx, exec, t.schema, &p)
	billOf(op).head(w.Header())
	if errs != nil {
		a := exec.DispatchError(graphql.WithOperationContext(ctx, op), errs)
		status := t.o.Profile.refused(media, a.Errors)
		if accepts.media == "" { // who reads streams alone sees nothing but the status
			status = t.o.Profile.refused(mediaGraphQL, a.Errors)
		}
		write(w, media, status, a)
		return
	}
	kind := op.Operation.Operation
	streams := accepts.prefer || accepts.stream && kind == ast.Subscription
	switch {
	case r.Method == http.MethodGet && kind == ast.Mutation, r.Method == http.MethodGet && kind == ast.Subscription && !streams:
		w.Header().Set("Allow", http.MethodPost)
		key := "get_reads"
		if streams {
			key = "get_streams"
		}
		refuse(http.StatusMethodNotAllowed, fault.New(fault.BadUserInput, key)).send(w, r, media)
	case streams && kind == ast.Subscription:
		t.follow(w, r, exec, op)
	case streams:
		t.stream(ctx, w, exec, op)
	case kind == ast.Subscription:
		refuse(t.o.Profile.malformed(), fault.New(fault.BadUserInput, "subscription_transport", mediaStream, protocol)).send(w, r, media)
	default:
		answers, ctx := exec.DispatchOperation(ctx, op)
		a := answers(ctx)
		if a == nil { // its time was over before it began
			refuse(http.StatusServiceUnavailable, fault.New(fault.DeadlineExceeded, "deadline")).send(w, r, media)
			return
		}
		write(w, media, t.o.Profile.answered(a.Errors), a)
	}
}

// request is the parameters of a request of GraphQL over HTTP.
type request struct {
	graphql.RawParams
	DocumentID string `json:"documentId"`
}

// documentKey is where the id of a document stands among the extensions, once it is read.
const documentKey = "documentId"

// params is the request as the machinery takes it.
func (q request) params() graphql.RawParams {
	p := q.RawParams
	delete(p.Extensions, documentKey)
	if q.DocumentID != "" {
		if p.Extensions == nil {
			p.Extensions = map[string]any{}
		}
		p.Extensions[documentKey] = q.DocumentID
	}
	return p
}

// empty reports whether the request names no document at all.
func (q request) empty() bool {
	return strings.TrimSpace(q.Query) == "" && q.DocumentID == "" && q.Extensions["persistedQuery"] == nil
}

// read takes the request apart.
func read(w http.ResponseWriter, r *http.Request, profile Profile) (graphql.RawParams, *refusal) {
	bad := func(status int, f *fault.Error) (graphql.RawParams, *refusal) {
		return graphql.RawParams{}, refuse(status, f)
	}
	var q request
	q.ReadTime.Start = graphql.Now()
	switch r.Method {
	case http.MethodGet:
		v := r.URL.Query()
		q.Query, q.OperationName, q.DocumentID = v.Get("query"), v.Get("operationName"), v.Get(documentKey)
		for name, into := range map[string]*map[string]any{"variables": &q.Variables, "extensions": &q.Extensions} {
			if s := v.Get(name); s != "" && decode([]byte(s), into) != nil {
				return bad(http.StatusBadRequest, fault.New(fault.BadUserInput, "parameter_json", name))
			}
		}
	case http.MethodPost:
		media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != mediaJSON || !isUTF8(params["charset"]) {
			w.Header().Set("Accept-Post", mediaJSON)
			return bad(http.StatusUnsupportedMediaType, fault.New(fault.BadUserInput, "media_type", mediaJSON))
		}
		b, err := bodyOf(r)
		if err != nil {
			return graphql.RawParams{}, unread(err)
		}
		if crowded(b) {
			return bad(profile.malformed(), tooLarge("variables_large", valuesMax))
		}
		if err := decode(b, &q); err != nil {
			return bad(profile.unreadable(err), fault.New(fault.BadUserInput, "body_json"))
		}
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		return bad(http.StatusMethodNotAllowed, fault.New(fault.BadUserInput, "method", "GET, POST"))
	}
	q.Headers = r.Header
	q.ReadTime.End = graphql.Now()
	if q.empty() {
		return bad(profile.malformed(), fault.New(fault.BadUserInput, "query_missing"))
	}
	return q.params(), nil
}

// bodyOf reads the body of a request. Of one that says its length it takes no more memory than that.
func bodyOf(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= bodyMax {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := b.ReadFrom(r.Body)
	return b.Bytes(), err
}

// crowded reports whether a text in JSON has more values than variables may have, before it is taken apart: that costs some thirty times
// as much. What is no JSON it leaves to those who read it.
func crowded(b []byte) bool {
	commas := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case ',':
			if commas++; commas > valuesMax {
				return true
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}

// unreadable is the status of what could not be decoded: no JSON, or JSON of another shape.
func (p Profile) unreadable(err error) int {
	if shape := (*json.UnmarshalTypeError)(nil); errors.As(err, &shape) {
		return p.malformed()
	}
	return http.StatusBadRequest
}

// unread says why a body could not be read.
func unread(err error) *refusal {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, fault.New(fault.BadUserInput, "body_too_large", strconv.FormatInt(tooLarge.Limit, 10)))
	}
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return refuse(http.StatusRequestTimeout, fault.New(fault.BadUserInput, "body_slow"))
	}
	return refuse(http.StatusBadRequest, fault.New(fault.BadUserInput, "body_cut"))
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
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
