package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// DocumentsMode says what becomes of documents that are not trusted.
type DocumentsMode string

// The modes.
const (
	DocumentsOff     DocumentsMode = "off"     // all are answered
	DocumentsLog     DocumentsMode = "log"     // all are answered, and the log tells of those that would be refused
	DocumentsEnforce DocumentsMode = "enforce" // only trusted ones are answered, but to admins
)

// bypassRole may ask anything in any mode.
const bypassRole = "admin"

// Limits of trusted documents.
const (
	trustedBytesMax = 8 << 20
	trustedMax      = 5000
)

// trustedEvery is how often the files are looked at.
const trustedEvery = time.Second

// Trusted is the documents that the company's own clients ask, from a directory of .graphql files or a manifest in JSON.
// They are named by their ids or hashes, and the limits of a document's structure do not hold for them. Saved files come
// into force together, or not at all.
type Trusted struct {
	path string
	mode DocumentsMode
	log  *slog.Logger
	now  atomic.Pointer[trustedSet]
	seen string // what the files looked like when they were read; only the reader looks
}

// trustedSet is the documents in force.
type trustedSet struct{ byID, byHash, byText map[string]*trustedDocument }

type trustedDocument struct {
	text   string
	parsed *ast.QueryDocument
}

// OpenTrusted reads the documents; an empty path is none.
func OpenTrusted(path string, mode DocumentsMode, log *slog.Logger) (*Trusted, error) {
	t := &Trusted{path: path, mode: mode, log: log}
	t.now.Store(&trustedSet{})
	if path == "" {
		return t, nil
	}
	t.seen = t.look()
	set, err := readTrusted(path)
	if err != nil {
		return nil, fmt.Errorf("documents: %w", err)
	}
	t.now.Store(set)
	return t, nil
}

// Run reads saved files until ctx ends. Where anything is wrong with them, those in force stay.
func (t *Trusted) Run(ctx context.Context) {
	if t.path == "" {
		return
	}
	tick := time.NewTicker(trustedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		seen := t.look()
		if seen == t.seen {
			continue
		}
		t.seen = seen
		set, err := readTrusted(t.path)
		if err != nil {
			t.log.ErrorContext(ctx, "trusted documents stay as they were: what was saved is refused", "error", err)
			continue
		}
		t.now.Store(set)
		t.log.InfoContext(ctx, "trusted documents in force", "count", len(set.byID))
	}
}

// look is what the files look like from outside.
func (t *Trusted) look() string {
	var b strings.Builder
	_ = filepath.WalkDir(t.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			fmt.Fprintln(&b, path, err)
			return nil
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}

// find is the trusted document of an id, a hash or a text; nil: there is none.
func (t *Trusted) find(id, hash, text string) *trustedDocument {
	set := t.now.Load()
	switch {
	case id != "" && set.byID[id] != nil:
		return set.byID[id]
	case id != "" && set.byHash[strings.TrimPrefix(strings.ToLower(id), "sha256:")] != nil:
		return set.byHash[strings.TrimPrefix(strings.ToLower(id), "sha256:")]
	case hash != "" && set.byHash[hash] != nil:
		return set.byHash[hash]
	}
	return set.byText[text]
}

func (t *Trusted) byText(text string) *trustedDocument { return t.now.Load().byText[text] }

// permit says whether a document may be asked that is not trusted.
func (t *Trusted) permit(ctx context.Context, v *im.Viewer, hash func(string) string, text string) *fault.Error {
	if t.mode == DocumentsOff || t.mode == "" {
		return nil
	}
	admin := v != nil && v.Is(bypassRole)
	t.log.InfoContext(ctx, "a document that is not trusted", "request", resolvers.RequestOf(ctx).RequestID, "sha256", hash(text),
		"refused", t.mode == DocumentsEnforce && !admin)
	if t.mode == DocumentsLog || admin {
		return nil
	}
	return fault.New(fault.DocumentNotAllowed, "document_refused")
}

// readTrusted reads a directory or a manifest. The error names every file that is at fault.
func readTrusted(path string) (*trustedSet, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var texts map[string]string
	if info.IsDir() {
		texts, err = readFolder(path)
	} else {
		texts, err = readManifest(path)
	}
	if err != nil {
		return nil, err
	}
	if len(texts) > trustedMax {
		return nil, fmt.Errorf("%d documents; at most %d", len(texts), trustedMax)
	}
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	set := &trustedSet{map[string]*trustedDocument{}, map[string]*trustedDocument{}, map[string]*trustedDocument{}}
	var faults []error
	ids := make([]string, 0, len(texts))
	for id := range texts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		text := texts[id]
		doc, err := parser.ParseQuery(&ast.Source{Name: id, Input: text})
		if err == nil && len(doc.Operations) == 0 {
			err = errors.New("there is no operation")
		}
		if err == nil {
			if errs := validator.ValidateWithRules(schema, doc, nil); len(errs) > 0 {
				err = errs
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", id, brief(err)))
			continue
		}
		d := &trustedDocument{text, doc}
		set.byID[id], set.byHash[hashOf(text)], set.byText[text] = d, d, d
	}
	if len(faults) > errorsMax {
		faults = append(faults[:errorsMax], fmt.Errorf("and %d more", len(faults)-errorsMax))
	}
	return set, errors.Join(faults...)
}

// brief is an error of the GraphQL machinery with its place.
func brief(err error) error {
	var list gqlerror.List
	var one *gqlerror.Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		one = list[0]
	case !errors.As(err, &one):
		return err
	}
	if len(one.Locations) > 0 {
		return fmt.Errorf("%d:%d: %s", one.Locations[0].Line, one.Locations[0].Column, one.Message)
	}
	return errors.New(one.Message)
}

var documentID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._-]{0,127}$`)

// readFolder reads NAME.graphql, whose id is NAME, in a directory and those below.
func readFolder(dir string) (map[string]string, error) {
	texts, left := map[string]string{}, trustedBytesMax
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != dir && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		id, ok := strings.CutSuffix(d.Name(), ".graphql")
		if d.IsDir() || !ok || strings.HasPrefix(id, ".") {
			return nil
		}
		if _, again := texts[id]; again || !documentID.MatchString(id) {
			return fmt.Errorf("%s: the name of a file is the id of its document: letters, digits, : . _ -, each once", d.Name())
		}
		b, err := readFile(path, &left)
		texts[id] = string(b)
		return err
	})
	return texts, err
}

// readManifest reads {"ID": "document", …}, or the manifest of Apollo's tools.
func readManifest(path string) (map[string]string, error) {
	left := trustedBytesMax
	b, err := readFile(path, &left)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	var apollo struct {
		Format     string `json:"format"`
		Operations []struct{ ID, Body string }
	}
	if json.Unmarshal(b, &apollo) == nil && apollo.Format == "apollo-persisted-query-manifest" {
		for _, o := range apollo.Operations {
			texts[o.ID] = o.Body
		}
	} else if err := json.NewDecoder(bytes.NewReader(b)).Decode(&texts); err != nil {
		return nil, errors.New(`no manifest: expected {"ID": "document", …} or that of Apollo's tools`)
	}
	for id := range texts {
		if !documentID.MatchString(id) {
			return nil, errors.New("an id of the manifest has other characters than letters, digits, : . _ -, or too many")
		}
	}
	return texts, nil
}

func readFile(path string, left *int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, int64(*left)+1))
	if *left -= len(b); err == nil && *left < 0 {
		err = fmt.Errorf("more than %d bytes of documents", trustedBytesMax)
	}
	return b, err
}
