package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/envelope"
)

// realSettings writes a file with what a real server needs, and more of it.
func realSettings(t *testing.T, more string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	keyset, err := envelope.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "guanxi.yaml")
	for name, text := range map[string]string{"keyset.json": string(keyset), "secret": strings.Repeat("s", 32), "guanxi.yaml": fmt.Sprintf(
		"db: sqlite:%[1]s/guanxi.db\nauth: {issuer: i, secret_file: %[1]s/secret}\nencryption: {keyset_file: %[1]s/keyset.json}\n%[2]s", dir, more)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, dir
}

// Settings are checked as serve would, all of them at once, and nothing is made.
func TestConfigCheck(t *testing.T) {
	path, dir := realSettings(t, "")
	code, out, errs := run(t, "config", "check", "--config", path)
	if code != exitDone || out != "the settings hold\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "guanxi.db")); err == nil {
		t.Error("it made a database")
	}
	code, out, _ = run(t, "config", "check", "--config", path, "--json", "--currency", "RMB", "--listen", "x")
	var v struct {
		Holds  bool
		Faults []complaint
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitFound || v.Holds || len(v.Faults) != 2 || v.Faults[1].Setting != "currency" || v.Faults[1].Source != "--currency" {
		t.Errorf("exit %d: %v: %s", code, err, out)
	}

	path, _ = realSettings(t, "workspaces: {w: {secret: canary}}\n")
	code, out, _ = run(t, "config", "check", "--config", path)
	if code != exitFound || !strings.Contains(out, "workspaces.w.secret: expected it in a file") {
		t.Errorf("a secret in the open: exit %d: %s", code, out)
	}

	// What a file holds is looked at as well.
	path, dir = realSettings(t, "policies: policies\n")
	t.Chdir(dir)
	if err := os.Mkdir("policies", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"keyset.json": "{}", "policies/a.csv": "nonsense\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs = run(t, "config", "check", "--config", path)
	if code != exitFound || !strings.Contains(out, "keyset") || !strings.Contains(out, "a.csv:1") || !strings.Contains(errs, "2 faults in the settings") {
		t.Errorf("what is in files: exit %d: %s%s", code, out, errs)
	}

	if code, out, errs = run(t, "config", "check", "--demo"); code != exitDone {
		t.Errorf("the demo: exit %d: %s%s", code, out, errs)
	}
	if code, _, errs = run(t, "config", "check", "more"); code != exitUsage {
		t.Errorf("wrong usage: exit %d: %s", code, errs)
	}
}

func TestConfigSchema(t *testing.T) {
	code, out, errs := run(t, "config", "schema")
	var v struct {
		Schema     string `json:"$schema"`
		Properties map[string]any
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitDone || v.Schema == "" || v.Properties["listen"] == nil {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
}
