// Package doctest types every command that the documents show and holds what is printed against what they promise.
package doctest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// A step is one command of a ```console block: lines that begin with "$ ", its continuations with "> ", and then what
// it prints.
type step struct {
	line    int
	command string
	want    string
}

// steps reads the console blocks of a document.
func steps(text string) (out []step) {
	inside := false
	var continued bool
	for i, l := range strings.Split(text, "\n") {
		switch {
		case l == "```console":
			inside = true
		case strings.HasPrefix(l, "```"):
			inside = false
		case !inside:
		case strings.HasPrefix(l, "$ "):
			out = append(out, step{line: i + 1, command: l[2:]})
			continued = true
		case continued && strings.HasPrefix(l, "> "):
			out[len(out)-1].command += "\n" + l[2:]
		default:
			continued = false
			out[len(out)-1].want += l + "\n"
		}
	}
	return out
}

// pattern turns a promised text into what it matches: … stands for anything within a line.
func pattern(want string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*") + "$")
}

func TestDocuments(t *testing.T) {
	program := filepath.Join(t.TempDir(), "guanxi")
	if out, err := exec.Command("go", "build", "-o", program, "../..").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, "../../README.md", "../../README.zh-CN.md")
	total := 0
	for _, path := range documents {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ss := steps(string(b))
		total += len(ss)
		if len(ss) > 0 {
			t.Run(filepath.Base(path), func(t *testing.T) { play(t, program, path, ss) })
		}
	}
	if total < 20 {
		t.Errorf("the documents show %d commands: were the blocks renamed?", total)
	}
}

// play types the commands of a document into one shell, in the root of the repository, beside a fresh demo.
func play(t *testing.T, program, path string, ss []step) {
	dsn := testkit.SQLite(t)
	s := testkit.Demo(t, dsn)
	var script strings.Builder
	script.WriteString("guanxi() { \"$GUANXI\" \"$@\"; }\n")
	for i, s := range ss {
		fmt.Fprintf(&script, "%s\necho \"«exit $? of %d»\"\n", strings.ReplaceAll(s.command, "go run . ", "guanxi "), i)
	}
	shell := exec.Command("bash")
	shell.Dir = "../.."
	shell.Env = append(os.Environ(), "GUANXI="+program, "GUANXI_SERVER="+s.URL, "GUANXI_DB="+dsn, "DIR="+t.TempDir())
	shell.Stdin = strings.NewReader(script.String())
	var out bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &out
	if err := shell.Run(); err != nil {
		t.Logf("the shell ended with %v", err)
	}
	rest := out.String()
	for i, s := range ss {
		at := strings.Index(rest, "«exit ")
		end := fmt.Sprintf(" of %d»\n", i)
		stop := strings.Index(rest, end)
		if at < 0 || stop < at {
			t.Fatalf("%s:%d: the command did not end:\n%s\n%s", path, s.line, s.command, rest)
		}
		got := rest[:at]
		rest = rest[stop+len(end):]
		if !pattern(s.want).MatchString(got) {
			t.Errorf("%s:%d: %s\nprinted\n%s\nnot\n%s", path, s.line, s.command, got, s.want)
		}
	}
}

// A document that promises what is not printed fails.
func TestPattern(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a rel_… b\n", "a rel_06h b\n", true},
		{"a rel_… b\n", "a mem_06h b\n", false},
		{"…\n", "two\nlines\n", false},
		{"", "noise\n", false},
	} {
		if pattern(c.want).MatchString(c.got) != c.ok {
			t.Errorf("pattern(%q) against %q: want %v", c.want, c.got, c.ok)
		}
	}
}
