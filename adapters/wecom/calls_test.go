package wecom

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the call table in README.md")

// vendorCall is one function that makes a call of WeCom's.
type vendorCall struct {
	fn, op, doc, read string
	path, method      string // as the code has them
}

// vendorCalls finds every function that names a path of WeCom's, with what its comment says of it.
func vendorCalls(t *testing.T) (calls []vendorCall) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			c := vendorCall{fn: f.Name.Name, method: "GET"}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if s, err := strconv.Unquote(n.Value); err == nil && strings.HasPrefix(s, "/cgi-bin/") && s != "/cgi-bin/" {
						c.path += s
					}
				case *ast.KeyValueExpr:
					if k, ok := n.Key.(*ast.Ident); ok && k.Name == "body" {
						c.method = "POST"
					}
				}
				return true
			})
			if f.Doc != nil {
				for _, l := range f.Doc.List {
					if v, ok := strings.CutPrefix(l.Text, "//vendor:op "); ok {
						c.op += v
					} else if v, ok := strings.CutPrefix(l.Text, "//vendor:doc "); ok {
						c.doc, c.read, _ = strings.Cut(v, " ")
					}
				}
			}
			if c.path != "" || c.op != "" {
				calls = append(calls, c)
			}
		}
	}
	slices.SortFunc(calls, func(x, y vendorCall) int { return strings.Compare(x.path, y.path) })
	return calls
}

// Who reads the code must be able to look each call up, and see how old our reading is.
func TestEveryCallNamesItsPage(t *testing.T) {
	page := regexp.MustCompile(`^https://developer\.work\.weixin\.qq\.com/document/path/\d+$`)
	date := regexp.MustCompile(`^20\d\d-\d\d-\d\d$`)
	calls := vendorCalls(t)
	if len(calls) < 9 {
		t.Errorf("found %d calls", len(calls))
	}
	for _, c := range calls {
		if c.op != c.method+" "+c.path {
			t.Errorf("%s: //vendor:op %q, and the code calls %s %s", c.fn, c.op, c.method, c.path)
		}
		if !page.MatchString(c.doc) || !date.MatchString(c.read) {
			t.Errorf("%s: //vendor:doc %q %q, want a page of WeCom's and the date of what was read", c.fn, c.doc, c.read)
		}
	}
}

func TestCallTable(t *testing.T) {
	const begin, end = "<!-- calls: go generate ./adapters/wecom -->\n", "<!-- /calls -->\n"
	var table bytes.Buffer
	table.WriteString("| call | page | as of | in |\n|---|---|---|---|\n")
	for _, c := range vendorCalls(t) {
		fmt.Fprintf(&table, "| `%s` | [%s](%s) | %s | `%s` |\n", c.op, filepath.Base(c.doc), c.doc, c.read, c.fn)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(readme), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("README.md lacks %q or %q", begin, end)
	}
	fresh := head + begin + table.String() + end + tail
	if fresh == string(readme) {
		return
	}
	if !*update {
		t.Fatal("the call table is not fresh; run go generate ./adapters/wecom")
	}
	if err := os.WriteFile("README.md", []byte(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The table is data, and data has typing errors.
func TestCodes(t *testing.T) {
	for code, row := range codes {
		if code == 0 || row.is == 0 || row.text == "" {
			t.Errorf("%d: %+v", code, row)
		}
		if limited := row.is.String() == "RateLimited"; limited != (row.retryAfter > 0) {
			t.Errorf("%d: %v, come again after %s", code, row.is, row.retryAfter)
		}
	}
	for _, c := range []string{tokenInvalid, tokenExpired, unrelated} {
		if n, err := strconv.Atoi(c); err != nil || codes[n].text == "" {
			t.Errorf("%s is acted on and not in the table", c)
		}
	}
}
