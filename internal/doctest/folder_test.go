package doctest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An adapter is one folder: with it beside the others, and all.go generated anew, its rules decide on its platform. The
// folder is laid over the sources for one build; no file of theirs is touched.
func TestFolderBringsItsRules(t *testing.T) {
	dir := t.TempDir()
	source := `package tomtom

import (
	"embed"

	"github.com/guanxi-im/guanxi/adapters"
)

//go:embed *.csv
var rules embed.FS

func init() {
	adapters.Register(adapters.Description{Platform: "tomtom", Title: "Tomtom", Organisation: true, Rules: rules, Docs: "https://example.com/"})
}
`
	rules := "p, tomtom.block.leads, tomtom, dept_manager, block, member, true, allow, , undo:1h\n"
	reasons := "tomtom.block.leads,Leads may.,主管可以。\n"
	listed, err := os.ReadFile("../../adapters/all/all.go")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Replace(string(listed), "import (\n", "import (\n\t_ \"github.com/guanxi-im/guanxi/adapters/tomtom\"\n", 1)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	for path, text := range map[string]string{"adapters/tomtom/tomtom.go": source, "adapters/tomtom/rules.csv": rules,
		"adapters/tomtom/reasons.csv": reasons, "adapters/all/all.go": all} {
		file := filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(root, path)] = file
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "guanxi")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", program, "../..").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	outcome := func(platform, role string) string {
		out, err := exec.Command(program, "policy", "explain", "--json", "--platform", platform, "--action", "block", "--target", "member",
			"--fact", "r.sub.Roles="+role).Output()
		if err != nil {
			t.Fatalf("explain on %s: %v", platform, err)
		}
		var x struct {
			Decision struct {
				Outcome string
				Rules   []struct{ Name, File string }
			}
		}
		if err := json.Unmarshal(out, &x); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		s := x.Decision.Outcome
		for _, r := range x.Decision.Rules {
			s += " " + r.File + " " + r.Name
		}
		return s
	}
	for _, c := range []struct{ platform, role, want string }{
		{"tomtom", "dept_manager", "ALLOW adapters/tomtom/rules.csv tomtom.block.leads"},
		{"tomtom", "employee", "DENY"}, // the rules of platforms without any no longer hold there
		{"native", "employee", "ALLOW adapters/native/rules.csv native.block_member.employee"}, // and nothing changed elsewhere
	} {
		if got := outcome(c.platform, c.role); got != c.want {
			t.Errorf("%s on %s: %s, want %s", c.role, c.platform, got, c.want)
		}
	}
}
