package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// served is an import as a server tells of it.
type served struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	DryRun     bool   `json:"dryRun"`
	Total      int    `json:"total"`
	Accepted   int    `json:"accepted"`
	Rejected   int    `json:"rejected"`
	Unchanged  int    `json:"unchanged"`
	LastError  string `json:"lastError,omitempty"`
	ErrorsPath string `json:"-"`
	Rows       struct {
		Nodes []refusedRow `json:"nodes"`
	} `json:"-"`
}

type refusedRow struct {
	Line    int      `json:"line"`
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Path    []string `json:"path"`
}

const servedFields = "id state dryRun total accepted rejected unchanged lastError errorsPath"

// send has a running gateway take a file in, and follows it until it has ended.
func (p *program) send(ctx context.Context, file *source, f importFlags) error {
	q := question{server: f.server, token: f.token, as: f.as, language: f.language}
	i, err := p.upload(ctx, q, file, f)
	if err != nil {
		return err
	}
	const look = 300 * time.Millisecond
	tell, last := p.progressOf(), ""
	for i.State == string(im.JobRunning) {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return fmt.Errorf("%s goes on by itself: %w", i.ID, ctx.Err())
		}
		if i, err = p.look(ctx, q, i.ID, ""); err != nil {
			return err
		}
		if now := fmt.Sprint(i.Total); now != last {
			last = now
			tell(i)
		}
	}
	if i, err = p.look(ctx, q, i.ID, " rows(first: 100, onlyRejected: true) { nodes { line code message path } }"); err != nil {
		return err
	}
	if f.errors != "" && i.ErrorsPath != "" {
		if err := p.download(ctx, q, i.ErrorsPath, f.errors); err != nil {
			return err
		}
	}
	return p.told(i, file, f)
}

// upload sends the file beside the command.
func (p *program) upload(ctx context.Context, q question, file *source, f importFlags) (i served, err error) {
	operations, err := json.Marshal(map[string]any{
		"query":     `mutation($in: ImportDirectoryInput!) { importDirectory(input: $in) { import { ` + servedFields + ` } userErrors { code message path } } }`,
		"variables": map[string]any{"in": map[string]any{"file": nil, "dryRun": f.dryRun, "complete": f.complete, "acceptShrink": f.acceptShrink}}})
	if err != nil {
		return i, err
	}
	in, out := io.Pipe()
	form := multipart.NewWriter(out)
	go func() {
		err := errors.Join(form.WriteField("operations", string(operations)), form.WriteField("map", `{"0":["variables.in.file"]}`))
		if err == nil {
			err = func() error {
				part, err := form.CreateFormFile("0", "file")
				if err != nil {
					return err
				}
				r, err := os.Open(file.path)
				if err != nil {
					return err
				}
				defer func() { _ = r.Close() }()
				_, err = io.Copy(part, r)
				return err
			}()
		}
		_ = out.CloseWithError(errors.Join(err, form.Close()))
	}()
	const sendTime = 10 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(q.server, "/")+"/graphql", in)
	if err != nil {
		return i, usageError{fmt.Errorf("--server: %w", err)}
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("GraphQL-Require-Preflight", "1")
	if err := q.sign(req); err != nil {
		return i, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return i, err
	}
	defer func() { _ = resp.Body.Close() }()
	var a struct {
		Data struct {
			ImportDirectory *struct {
				Import     *served
				UserErrors []struct {
					Code, Message string
					Path          []string
				}
			}
		}
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return i, fmt.Errorf("the server answered no JSON: %w", err)
	}
	if len(a.Errors) > 0 {
		return i, errors.New(a.Errors[0].Message)
	}
	payload := a.Data.ImportDirectory
	switch {
	case payload != nil && len(payload.UserErrors) > 0:
		e := payload.UserErrors[0]
		return i, fmt.Errorf("%s: %s (%s)", file.name, e.Message, e.Code)
	case payload == nil || payload.Import == nil:
		return i, errors.New("the server answered with no import")
	}
	return *payload.Import, nil
}

// look asks how far an import is.
func (p *program) look(ctx context.Context, q question, id, more string) (i served, err error) {
	q.document = "query($id: ID!) { node(id: $id) { ... on DirectoryImport { " + servedFields + more + " } } }"
	q.variables = map[string]any{"id": id}
	b, err := p.post(ctx, q)
	if err != nil {
		return i, err
	}
	var a struct {
		Data   struct{ Node *served }
		Errors []struct{ Message string }
	}
	var rows struct {
		Data struct {
			Node struct {
				ErrorsPath string
				Rows       struct{ Nodes []refusedRow }
			}
		}
	}
	if err := errors.Join(json.Unmarshal(b, &a), json.Unmarshal(b, &rows)); err != nil {
		return i, fmt.Errorf("the server answered no JSON: %w", err)
	}
	if len(a.Errors) > 0 {
		return i, errors.New(a.Errors[0].Message)
	}
	if a.Data.Node == nil {
		return i, fmt.Errorf("%s does not show any more", id)
	}
	i = *a.Data.Node
	i.ErrorsPath, i.Rows.Nodes = rows.Data.Node.ErrorsPath, rows.Data.Node.Rows.Nodes
	return i, nil
}

// sign says who asks, and in which language.
func (q question) sign(req *http.Request) error {
	token, err := q.bearer()
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if q.language != "" {
		req.Header.Set("Accept-Language", q.language)
	}
	return nil
}

// download writes what is at a path of the server to a file.
func (p *program) download(ctx context.Context, q question, path, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(q.server, "/")+path, nil)
	if err != nil {
		return err
	}
	if err := q.sign(req); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}

// progressOf tells now and then how far an import on a server is.
func (p *program) progressOf() func(served) {
	const every = 5 * time.Second
	last := time.Now()
	return func(i served) {
		if time.Since(last) >= every {
			last = time.Now()
			fmt.Fprintf(p.stderr, "%d rows so far: %s\n", i.Total, i.tally())
		}
	}
}

func (i served) tally() string {
	return tally(im.Import{Tally: im.Tally{Accepted: i.Accepted, Unchanged: i.Unchanged, Rejected: i.Rejected}})
}

// told says what came of an import on a server, as imported does of one here.
func (p *program) told(i served, file *source, f importFlags) error {
	if f.asJSON {
		out := importAnswer{ID: i.ID, State: i.State, DryRun: i.DryRun, Total: i.Total, LastError: i.LastError, Rejected: []rejectedRow{},
			Tally: im.Tally{Accepted: i.Accepted, Rejected: i.Rejected, Unchanged: i.Unchanged}}
		for _, r := range i.Rows.Nodes {
			out.Rejected = append(out.Rejected, rejectedRow{r.Line, r.Code, strings.Join(r.Path, "."), r.Message})
		}
		if err := json.NewEncoder(p.stdout).Encode(out); err != nil {
			return err
		}
	} else {
		for _, r := range i.Rows.Nodes {
			s := r.Message + " (" + r.Code + ")"
			if len(r.Path) > 0 && r.Path[0] != "" {
				s = strings.Join(r.Path, ".") + ": " + s
			}
			fmt.Fprintf(p.stdout, "%s:%d: %s\n", file.name, r.Line, s)
		}
		p.summary(i.Rejected-len(i.Rows.Nodes), i.DryRun, i.tally())
	}
	switch {
	case i.State != string(im.JobDone):
		return fmt.Errorf("%s: %s", file.name, i.LastError)
	case i.Rejected > 0:
		return fmt.Errorf("%d rows were refused", i.Rejected)
	}
	return nil
}
