package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers"
)

// form makes a form of names and values in turn; a name that begins with @ is a file.
func form(parts ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(parts); i += 2 {
		b.WriteString("--x\r\nContent-Disposition: form-data; name=\"" + strings.TrimPrefix(parts[i], "@") + `"`)
		if strings.HasPrefix(parts[i], "@") {
			b.WriteString("; filename=\"/etc/secrets/" + parts[i][1:] + ".csv\"\r\nContent-Type: text/csv")
		}
		b.WriteString("\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

const taking = `{"query":"{a}","variables":{"file":null,"files":[null,null],"name":"n","in":{"file":null}}}`

// formOf reads a form as the handler gets it.
func formOf(body string, headers ...string) (p graphql.RawParams, files spool, no *refusal) {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", mediaForm+"; boundary=x")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r = r.WithContext(resolvers.With(r.Context(), resolvers.Request{Viewer: &im.Viewer{}}))
	w := httptest.NewRecorder()
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	p, no = files.read(w, r, Compatible)
	return p, files, no
}

func TestForm(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	many := map[string][]string{}
	for i := range filesMax + 1 {
		many[fmt.Sprint(i)] = []string{"variables.file"}
	}
	tooMany, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"one":                    {form("operations", taking, "map", `{"0":["variables.file"]}`, "@0", "a,b"), 0},
		"none":                   {form("operations", taking, "map", `{}`), 0},
		"of a list":              {form("operations", taking, "map", `{"0":["variables.files.1"]}`, "@0", "a"), 0},
		"two, in another order":  {form("operations", taking, "map", `{"0":["variables.file"],"1":["variables.in.file"]}`, "@1", "a", "@0", "b"), 0},
		"one in two places":      {form("operations", taking, "map", `{"0":["variables.file","variables.files.0"]}`, "@0", "a"), 0},
		"nothing":                {"", 400},
		"no form":                {"{}", 400},
		"empty":                  {form(), 400},
		"no map":                 {form("operations", taking), 400},
		"map first":              {form("map", `{}`, "operations", taking), 400},
		"a file first":           {form("@0", "a", "operations", taking, "map", `{"0":["variables.file"]}`), 400},
		"a file too many":        {form("operations", taking, "map", `{}`, "@0", "a"), 400},
		"a file too few":         {form("operations", taking, "map", `{"0":["variables.file"]}`), 400},
		"the same file twice":    {form("operations", taking, "map", `{"0":["variables.file"]}`, "@0", "a", "@0", "b"), 400},
		"two files in one place": {form("operations", taking, "map", `{"0":["variables.file"],"1":["variables.file"]}`, "@0", "a", "@1", "b"), 400},
		"over a value":           {form("operations", taking, "map", `{"0":["variables.name"]}`, "@0", "a"), 400},
		"over nothing":           {form("operations", taking, "map", `{"0":["variables.unknown"]}`, "@0", "a"), 400},
		"outside variables":      {form("operations", taking, "map", `{"0":["query"]}`, "@0", "a"), 400},
		"all variables":          {form("operations", taking, "map", `{"0":["variables"]}`, "@0", "a"), 400},
		"behind the list":        {form("operations", taking, "map", `{"0":["variables.files.2"]}`, "@0", "a"), 400},
		"before the list":        {form("operations", taking, "map", `{"0":["variables.files.-1"]}`, "@0", "a"), 400},
		"a word in the list":     {form("operations", taking, "map", `{"0":["variables.files.x"]}`, "@0", "a"), 400},
		"below a text":           {form("operations", taking, "map", `{"0":["variables.name.x"]}`, "@0", "a"), 400},
		"below a file":           {form("operations", taking, "map", `{"0":["variables.file","variables.file.x"]}`, "@0", "a"), 400},
		"no variables":           {form("operations", `{"query":"{a}"}`, "map", `{"0":["variables.file"]}`, "@0", "a"), 400},
		"a batch":                {form("operations", "["+taking+"]", "map", `{}`), 400},
		"no query":               {form("operations", `{}`, "map", `{}`), 400},
		"rubbish of operations":  {form("operations", `{`, "map", `{}`), 400},
		"rubbish of map":         {form("operations", taking, "map", `{"0":"variables.file"}`), 400},
		"more files than may be": {form("operations", taking, "map", string(tooMany)), 400},
		"a large map":            {form("operations", taking, "map", `{"0":["`+strings.Repeat("x", mapBytesMax)+`"]}`), 400},
		"half":                   {strings.TrimSuffix(form("operations", taking, "map", `{"0":["variables.file"]}`, "@0", "a"), "\r\n--x--\r\n"), 400},
		"too much":               {form("operations", taking, "map", `{"0":["variables.file"]}`, "@0", strings.Repeat("x", bodyMax)), 413},
	} {
		t.Run(name, func(t *testing.T) {
			_, files, no := formOf(c.body, preflight[0], "1")
			files.drop()
			if got := statusOf(no); got != c.status {
				t.Errorf("status %d, not %d: %v", got, c.status, no)
			}
		})
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}

	// What arrives is what was sent, in each of its places, and nothing of a path.
	p, files, no := formOf(form("operations", taking, "map", `{"0":["variables.file","variables.files.0"],"1":["variables.in.file"]}`,
		"@0", "甲,乙\r\n", "@1", ""), preflight[1], "1")
	defer files.drop()
	if no != nil {
		t.Fatal(no)
	}
	for path, want := range map[string]string{"file": "0.csv text/csv 甲,乙\r\n", "files": "0.csv text/csv 甲,乙\r\n", "in": "1.csv text/csv "} {
		v := p.Variables[path]
		if list, ok := v.([]any); ok {
			v = list[0]
		}
		if in, ok := v.(map[string]any); ok {
			v = in["file"]
		}
		u := v.(graphql.Upload)
		b, err := io.ReadAll(u.File)
		if got := u.Filename + " " + u.ContentType + " " + string(b); err != nil || got != want || u.Size != int64(len(b)) {
			t.Errorf("%s: %q, not %q (%v)", path, got, want, err)
		}
	}
	for _, headers := range [][]string{{}, {preflight[0], ""}, {"Origin", "https://evil.example"}} {
		if _, _, no := formOf(form("operations", taking, "map", `{}`), headers...); statusOf(no) != http.StatusBadRequest || no.Key != "preflight" {
			t.Errorf("without a preflight: %v", no)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add(form("operations", taking, "map", `{"0":["variables.file"]}`, "@0", "a"))
	f.Add(form("operations", taking, "map", `{"0":["variables.files.1","variables.in.file"]}`, "@0", "a"))
	f.Add("--x\r\n\r\n--x--")
	f.Fuzz(func(t *testing.T, body string) {
		p, files, no := formOf(body, preflight[0], "1")
		files.drop()
		if no == nil {
			if strings.TrimSpace(p.Query) == "" && len(p.Extensions) == 0 {
				t.Errorf("took %q as a request", body)
			}
			return
		}
		if no.status < 400 || no.status > 499 || no.Code != fault.BadUserInput {
			t.Errorf("%d %v", no.status, no)
		}
	})
}
