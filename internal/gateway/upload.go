package gateway

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

const mediaForm = "multipart/form-data"

// Limits of a request that carries files.
const (
	filesMax    = 10
	mapBytesMax = 16 << 10
)

// preflight are headers of which each is enough: a page of another site cannot send any without having asked first
// (CORS), while it can send a form.
var preflight = []string{"GraphQL-Require-Preflight", "Apollo-Require-Preflight"}

// preflighted reports whether a request cannot come from a page of another site that was not let.
func preflighted(r *http.Request) bool {
	for _, name := range preflight {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

// isForm reports whether a request is one with files.
func isForm(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == mediaForm && r.Method == http.MethodPost && r.Header.Get("Upgrade") == ""
}

// spool is the files of one request, each in a temporary file: of a large upload, memory sees only a piece at a time.
type spool []*os.File

// drop forgets the files.
func (s *spool) drop() {
	for _, f := range *s {
		_ = f.Close()
		_ = os.Remove(f.Name()) // gone already, where an open file can be removed
	}
}

// read takes a request with files apart, as the GraphQL multipart request specification has it: operations, then map,
// then the files that map names.
func (s *spool) read(_ http.ResponseWriter, r *http.Request, profile Profile) (graphql.RawParams, *refusal) {
	bad := func(status int, key string, args ...string) (graphql.RawParams, *refusal) {
		return graphql.RawParams{}, refuse(status, &fault.Error{Code: fault.BadUserInput, Key: key, Args: args})
	}
	switch {
	case resolvers.RequestOf(r.Context()).Viewer == nil:
		return graphql.RawParams{}, refuse(http.StatusUnauthorized, fault.New(fault.Unauthenticated, "unauthenticated"))
	case !preflighted(r):
		return graphql.RawParams{}, refuse(http.StatusBadRequest, fault.New(fault.BadUserInput, "preflight", preflight[0]))
	}
	var q request
	q.ReadTime.Start = graphql.Now()
	parts, err := r.MultipartReader()
	if err != nil {
		return graphql.RawParams{}, refuse(http.StatusBadRequest, fault.New(fault.BadUserInput, "form"))
	}
	operations, err := field(parts, "operations", bodyMax)
	if err != nil {
		return graphql.RawParams{}, unformed(err)
	}
	if crowded(operations) {
		return graphql.RawParams{}, refuse(profile.malformed(), tooLarge("variables_large", valuesMax))
	}
	if err := decode(operations, &q); err != nil {
		return bad(profile.unreadable(err), "form_json", "operations")
	}
	names, err := field(parts, "map", mapBytesMax)
	if err != nil {
		return graphql.RawParams{}, unformed(err)
	}
	var places map[string][]string
	if err := decode(names, &places); err != nil {
		return bad(profile.unreadable(err), "form_json", "map")
	}
	all := 0
	for _, paths := range places {
		all += len(paths)
	}
	if len(places) > filesMax || all > filesMax {
		return bad(profile.malformed(), "form_many", itoa(filesMax))
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return graphql.RawParams{}, unread(err)
		}
		paths, ok := places[part.FormName()]
		delete(places, part.FormName())
		if !ok {
			return bad(profile.malformed(), "form_files")
		}
		f, size, err := s.keep(part)
		if ours := (*fs.PathError)(nil); errors.As(err, &ours) {
			return graphql.RawParams{}, refuse(http.StatusServiceUnavailable, &fault.Error{Code: fault.Unavailable, Key: "form_disk", Cause: err})
		}
		if err != nil {
			return graphql.RawParams{}, unread(err)
		}
		for _, path := range paths {
			file := graphql.Upload{File: io.NewSectionReader(f, 0, size), Filename: part.FileName(), Size: size, ContentType: part.Header.Get("Content-Type")}
			if !put(q.Variables, path, file) {
				return bad(profile.malformed(), "form_path")
			}
		}
	}
	if len(places) > 0 {
		return bad(profile.malformed(), "form_files")
	}
	q.ReadTime.End = graphql.Now()
	q.Headers = r.Header
	if q.empty() {
		return bad(profile.malformed(), "query_missing")
	}
	return q.params(), nil
}

// unformed says why a field of a form could not be read.
func unformed(err error) *refusal {
	if errors.Is(err, errField) {
		return refuse(http.StatusBadRequest, fault.New(fault.BadUserInput, "form"))
	}
	return unread(err)
}

var errField = errors.New("another field, or too much of it")

// field reads the next field, which must have the name.
func field(parts *multipart.Reader, name string, most int64) ([]byte, error) {
	part, err := parts.NextPart()
	if err == io.EOF || err == nil && part.FormName() != name {
		return nil, errField
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(part, most+1))
	if err == nil && int64(len(b)) > most {
		err = errField
	}
	return b, err
}

// keep writes a file into one of its own.
func (s *spool) keep(from io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "guanxi-upload-*")
	if err != nil {
		return nil, 0, err
	}
	*s = append(*s, f)
	_ = os.Remove(f.Name()) // where that works on an open file, no crash leaves it behind
	size, err := io.Copy(f, from)
	return f, size, err
}

// put sets a null of the variables, and reports whether there is one where path leads.
func put(variables map[string]any, path string, file graphql.Upload) bool {
	keys := strings.Split(path, ".")
	if keys[0] != "variables" || len(keys) < 2 {
		return false
	}
	var at any = variables
	for i, key := range keys[1:] {
		last := i == len(keys)-2
		switch here := at.(type) {
		case map[string]any:
			next, ok := here[key]
			if !ok || last && next != nil {
				return false
			}
			if last {
				here[key] = file
			}
			at = next
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(here) || last && here[n] != nil {
				return false
			}
			if last {
				here[n] = file
			}
			at = here[n]
		default:
			return false
		}
	}
	return true
}
