package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
)

// served is an import as a server tells of it.
type served struct {
	ID, State             string
	DryRun                bool
	Total                 int
	im.Tally              // without those that wait for others, which count as in review
	LastError, ErrorsPath string
	Rows                  struct{ Nodes []refusedRow }
}

type refusedRow struct {
	Line          int
	Code, Message string
	Path          []string
}

// errand is a file that a server is to take in.
type errand struct {
	command, input, answer string         // the names of its mutation, of the input and of what it answers
	fields                 string         // of the answer
	more                   map[string]any // the input beside the file
}

const servedFields = "id state dryRun total accepted rejected unchanged lastError errorsPath"

func directoryErrand(f importFlags) errand {
	return errand{"importDirectory", "ImportDirectoryInput", "DirectoryImport", servedFields,
		map[string]any{"dryRun": f.dryRun, "complete": f.complete, "acceptShrink": f.acceptShrink}}
}

// send has a running gateway take a file in, and follows it until it has ended or waits for people.
func (p *program) send(ctx context.Context, e errand, file *source, f importFlags) error {
	q := question{server: f.server, token: f.token, as: f.as, language: f.language}
	i, a, err := p.upload(ctx, q, e, file)
	if err != nil {
		return err
	}
	if i, err = p.follow(ctx, q, e, i, file); err != nil {
		return err
	}
	if i, err = p.look(ctx, q, e, i.ID, " rows(first: 100, onlyRejected: true) { nodes { line code message path } }"); err != nil {
		return err
	}
	if f.errors != "" && i.ErrorsPath != "" {
		if err := p.download(ctx, q, i.ErrorsPath, f.errors); err != nil {
			return err
		}
	}
	return p.told(i, a, file, f)
}

// follow waits until an import does not run any more.
func (p *program) follow(ctx context.Context, q question, e errand, i served, file *source) (_ served, err error) {
	const look = 300 * time.Millisecond
	tell, done := p.progressOf(file)
	defer done()
	for i.State == string(im.JobRunning) {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return i, fmt.Errorf("%s goes on by itself: %w", i.ID, ctx.Err())
		}
		if i, err = p.look(ctx, q, e, i.ID, ""); err != nil {
			return i, err
		}
		tell(i)
	}
	return i, nil
}

// awaited is the approval that an import waits for.
type awaited struct {
	ID    string `json:"id"`
	Needs []struct {
		Role  string `json:"role"`
		Count int    `json:"count"`
	} `json:"needs"`
}

// who says whose agreement it takes: 2 of admin.
func (a awaited) who() string {
	var all []string
	for _, n := range a.Needs {
		all = append(all, fmt.Sprintf("%d of %s", n.Count, n.Role))
	}
	return strings.Join(all, " and ")
}

// upload sends the file beside the command.
func (p *program) upload(ctx context.Context, q question, e errand, file *source) (i served, wait *awaited, err error) {
	input := map[string]any{"file": nil}
	maps.Copy(input, e.more)
	operations, err := json.Marshal(map[string]any{
		"query": fmt.Sprintf(`mutation($in: %s!) { import: %s(input: $in) { import { %s } approval { id needs { role count } } userErrors { code message path } } }`,
			e.input, e.command, e.fields),
		"variables": map[string]any{"in": input}})
	if err != nil {
		return i, nil, err
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
		return i, nil, usageError{fmt.Errorf("--server: %w", err)}
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("GraphQL-Require-Preflight", "1")
	if err := q.sign(req); err != nil {
		return i, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return i, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var a struct {
		Data struct {
			Import *struct {
				Import     *served
				Approval   *awaited
				UserErrors []struct {
					Code, Message string
					Path          []string
				}
			}
		}
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return i, nil, fmt.Errorf("the server answered no JSON: %w", err)
	}
	if len(a.Errors) > 0 {
		return i, nil, errors.New(a.Errors[0].Message)
	}
	payload := a.Data.Import
	switch {
	case payload != nil && len(payload.UserErrors) > 0:
		e := payload.UserErrors[0]
		return i, nil, fmt.Errorf("%s: %s (%s)", file.name, e.Message, e.Code)
	case payload == nil || payload.Import == nil:
		return i, nil, errors.New("the server answered with no import")
	}
	return *payload.Import, payload.Approval, nil
}

// look asks how far an import is.
func (p *program) look(ctx context.Context, q question, e errand, id, more string) (i served, err error) {
	q.document = "query($id: ID!) { node(id: $id) { ... on " + e.answer + " { " + e.fields + more + " } } }"
	q.variables = map[string]any{"id": id}
	var a struct{ Node *served }
	err = p.asked(ctx, q, &a)
	if away := (*url.Error)(nil); errors.As(err, &away) {
		return i, fmt.Errorf("%s goes on by itself as soon as a server runs on its database; this one does not answer: %w", id, err)
	}
	if err != nil {
		return i, err
	}
	if a.Node == nil {
		return i, fmt.Errorf("%s does not show any more", id)
	}
	return *a.Node, nil
}

// asked sends a question and reads the data of its answer.
func (p *program) asked(ctx context.Context, q question, data any) error {
	b, err := p.post(ctx, q)
	if err != nil {
		return err
	}
	a := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: data}
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("the server answered no JSON: %w", err)
	}
	if len(a.Errors) > 0 {
		return errors.New(a.Errors[0].Message)
	}
	return nil
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

// progressOf shows how far an import on a server is: a bar on a terminal, a line now and then elsewhere.
func (p *program) progressOf(file *source) (tell func(served), done func()) {
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		bar := progressbar.NewOptions(file.lines(), progressbar.OptionSetWriter(p.stderr), progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		return func(i served) { _ = bar.Set(i.Tally.Total()) }, func() { _ = bar.Finish() }
	}
	const every = 5 * time.Second
	last := time.Now()
	return func(i served) {
		if time.Since(last) >= every {
			last = time.Now()
			fmt.Fprintf(p.stderr, "%d rows so far: %s\n", i.Tally.Total(), tally(i.Tally))
		}
	}, func() {}
}

// lines is about how many rows the file has; -1 where it does not say.
func (s *source) lines() int {
	f, err := os.Open(s.path)
	if err != nil {
		return -1
	}
	defer func() { _ = f.Close() }()
	var i im.Import
	if intake.Survey(f, &i) != nil {
		return -1
	}
	return i.Lines
}

// told says what came of an import on a server, as imported does of one here.
func (p *program) told(i served, wait *awaited, file *source, f importFlags) error {
	waits := i.State == string(im.JobPending)
	if f.asJSON {
		out := importAnswer{ID: i.ID, State: i.State, DryRun: i.DryRun, Total: i.Total, LastError: i.LastError, Rejected: []rejectedRow{}, Tally: i.Tally}
		if waits {
			out.Approval = wait
		}
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
		if waits && wait != nil {
			fmt.Fprintf(p.stdout, "%s waits for agreement: %s must decide on %s; it then runs by itself\n", i.ID, wait.who(), wait.ID)
		} else {
			p.summary(i.Rejected-len(i.Rows.Nodes), i.DryRun, tally(i.Tally))
		}
	}
	switch {
	case waits:
		return nil
	case i.State != string(im.JobDone):
		return fmt.Errorf("%s: %s", file.name, i.LastError)
	case i.Rejected > 0:
		return fmt.Errorf("%s refused", count(i.Rejected, "row was", "rows were"))
	}
	return nil
}
