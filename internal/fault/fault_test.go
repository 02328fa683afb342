package fault

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
)

var placeholder = regexp.MustCompile(`\{\d+\}`)

// holes are the placeholders of a sentence, each once.
func holes(s string) []string {
	out := placeholder.FindAllString(s, -1)
	slices.Sort(out)
	return slices.Compact(out)
}

func TestLanguagesAgree(t *testing.T) {
	for key, both := range texts {
		if both[English] == "" || both[Chinese] == "" {
			t.Errorf("%s lacks a language", key)
		}
		en, zh := holes(both[English]), holes(both[Chinese])
		if !slices.Equal(en, zh) {
			t.Errorf("%s: English has %v, Chinese %v", key, en, zh)
		}
		for i, h := range en {
			if h != "{"+strconv.Itoa(i)+"}" {
				t.Errorf("%s: %v do not count up from {0}", key, en)
			}
		}
	}
}

// use is one place where a sentence is named; args is how many arguments it gets there, -1 where that cannot be seen.
type use struct {
	key, at string
	args    int
}

// uses finds the sentences that a file names, and every other text in it.
func uses(files *token.FileSet, f *ast.File) (out []use, literals []string) {
	text := func(e ast.Expr) (string, bool) {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(l.Value)
		return s, err == nil
	}
	add := func(e ast.Expr, args int) {
		if key, ok := text(e); ok {
			out = append(out, use{key, files.Position(e.Pos()).String(), args})
		}
	}
	isFault := func(e ast.Expr) bool {
		switch x := e.(type) {
		case *ast.SelectorExpr:
			p, ok := x.X.(*ast.Ident)
			return ok && p.Name == "fault" && x.Sel.Name == "Error"
		case *ast.Ident:
			return f.Name.Name == "fault" && x.Name == "Error"
		}
		return false
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if s, ok := text(n); ok {
				literals = append(literals, s)
			}
		case *ast.CallExpr:
			name := ""
			switch fun := n.Fun.(type) {
			case *ast.SelectorExpr:
				if p, ok := fun.X.(*ast.Ident); ok {
					name = p.Name + "." + fun.Sel.Name
				}
			case *ast.Ident:
				name = fun.Name
			}
			args := len(n.Args) - 2
			if n.Ellipsis.IsValid() {
				args = -1
			}
			switch {
			case name == "fault.New" || name == "fault.Input":
				add(n.Args[1], args)
			case name == "standing" && len(n.Args) == 2: // of package blocking: what stands there is the argument
				add(n.Args[0], 1)
			}
		case *ast.CompositeLit:
			if isFault(n.Type) {
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok {
						if k, ok := kv.Key.(*ast.Ident); ok && k.Name == "Key" {
							add(kv.Value, -1)
						}
					}
				}
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if s, ok := l.(*ast.SelectorExpr); ok && s.Sel.Name == "Key" && i < len(n.Rhs) {
					add(n.Rhs[i], -1)
				}
			}
		}
		return true
	})
	return out, literals
}

func TestSentences(t *testing.T) {
	named := map[string]bool{}
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules" || d.Name() == "generated"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"), strings.HasSuffix(path, "fault/texts.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		us, literals := uses(files, f)
		for _, l := range literals {
			named[l] = true
		}
		for _, u := range us {
			found++
			if wrong := u.wrong(); wrong != "" {
				t.Error(wrong)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 30 {
		t.Errorf("found %d uses: does the walk still see them?", found)
	}
	// What adapters report is named by their codes.
	for c := adapters.Unknown; !strings.HasPrefix(c.String(), "Code("); c++ {
		key := "delivery_" + c.String()
		if named[key] = true; texts[key] == [2]string{} {
			t.Errorf("%s has no sentence", key)
		}
	}
	for _, c := range im.WebhookCodes {
		key := "delivery_" + c
		if named[key] = true; texts[key] == [2]string{} {
			t.Errorf("%s has no sentence", key)
		}
	}
	for _, c := range []adapters.ShortfallCode{adapters.ShortGone, adapters.ShortNotOurs, adapters.ShortEmpty} {
		key := "short_" + strings.ToLower(string(c))
		if named[key] = true; texts[key] == [2]string{} {
			t.Errorf("%s has no sentence", key)
		}
	}
	for key := range texts {
		if !named[key] {
			t.Errorf("%s is in the catalogue and nobody says it", key)
		}
	}
}

func (u use) wrong() string {
	both, ok := texts[u.key]
	if !ok {
		return fmt.Sprintf("%s: %q is not in the catalogue", u.at, u.key)
	}
	if n := len(holes(both[English])); u.args >= 0 && u.args != n {
		return fmt.Sprintf("%s: %q wants %d arguments and gets %d", u.at, u.key, n, u.args)
	}
	return ""
}

// The walk sees what it looks for.
func TestSentencesArePlanted(t *testing.T) {
	const src = `package p
		func f() { fault.New(c, "no_such"); fault.Input("x", "text_too_long", "1"); g := &fault.Error{Key: "nor_this"}; g.Code, g.Key = 1, "nor_that" }`
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "planted.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	us, _ := uses(files, f)
	if len(us) != 4 {
		t.Fatalf("found %v", us)
	}
	for _, u := range us {
		if u.wrong() == "" {
			t.Errorf("did not see what is wrong with %v", u)
		}
	}
}

func TestSpeak(t *testing.T) {
	for header, want := range map[string]Language{
		"": English, "en": English, "zh": Chinese, "zh-CN": Chinese, "zh-Hans-SG": Chinese, "zh-TW": Chinese, "en-GB,zh;q=0.5": English,
		"zh-CN,zh;q=0.9,en;q=0.8": Chinese, "en;q=0.1,zh;q=0.2": Chinese, "fr": English, "fr,zh;q=0.1": Chinese, "*": English, "zh;q=0": English,
		"nonsense;;": English, "\x00": English, strings.Repeat("zh,", 200): English,
	} {
		if got := Speak(header); got != want {
			t.Errorf("%.40q: %d, not %d", header, got, want)
		}
	}
}

func FuzzSpeak(f *testing.F) {
	f.Add("zh-CN,en;q=0.5")
	f.Fuzz(func(t *testing.T, header string) {
		if l := Speak(header); l != English && l != Chinese {
			t.Errorf("%q: %d", header, l)
		}
	})
}

func TestError(t *testing.T) {
	cause := errors.New("the disk is full")
	f := New(BadUserInput, "page_size", "first", "100", "{0}")
	f.Cause = cause
	if got := f.Text(English); got != "first must lie between 0 and 100; it is {0}." {
		t.Errorf("arguments were filled into arguments: %s", got)
	}
	if !errors.Is(f, cause) || !Is(fmt.Errorf("while reading: %w", f), BadUserInput) || Is(f, Internal) || As(nil) != nil || As(cause).Code != Internal {
		t.Error("the fault is not found in its error")
	}
	if got := Wrap(cause, "write").Text(English); strings.Contains(got, "disk") {
		t.Errorf("a person is told the cause: %s", got)
	}
	if got := New("SOME_CODE", "no_such_key").Text(Chinese); got != "SOME_CODE" {
		t.Errorf("without a sentence: %q", got)
	}
}

// A reason is what others read: nothing else may be in it than they see.
func TestCheckReason(t *testing.T) {
	for text, want := range map[im.Text]string{
		"太多消息": "",
		"too\tmany\r\nmessages 👩\u200d👩\u200d👧 ✅": "", // joined by what cannot be seen, as emoji are
		"नमस्ते क्\u200dष":                        "",
		"":                                        "reason_required",
		" \n\u3000":                               "reason_required",
		"\u200b":                                  "text_invisible",
		"\u200b \ufeff\u2060\u00ad":               "text_invisible",
		"\u3164\u2800\ufe0f\u034f":                "text_invisible",
		"\u202e":                                  "text_invisible",
		"ok\u202ekool":                            "text_direction",
		"a\u2066b\u2069":                          "text_direction",
		"a\u200fb":                                "text_direction",
		"a\x00b":                                  "text_malformed",
		"a\u0085b":                                "text_malformed",
		"a\xffb":                                  "text_malformed",
		im.Text(strings.Repeat("字", 2000)):        "",
		im.Text(strings.Repeat("字", 2001)):        "text_too_long",
	} {
		got := ""
		if f := CheckReason("reason", text, true); f != nil {
			got = f.Key
			if f.Code != InvalidInput || len(f.Path) != 1 || f.Path[0] != "reason" {
				t.Errorf("%q: %v", text, f)
			}
		}
		if got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	for _, text := range []im.Text{"", " "} {
		if f := CheckReason("comment", text, false); f != nil {
			t.Errorf("%q, which may be left out: %v", text, f)
		}
	}
	if f := CheckReason("comment", "\u200b", false); f == nil {
		t.Error("a comment of nothing that can be seen")
	}
}
