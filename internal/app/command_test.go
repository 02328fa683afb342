package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs the program without an environment but HOME.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, []string{"HOME=" + t.TempDir()}, &out, &errs)
	return code, out.String(), errs.String()
}

// What is no command is told to be none, also where its help is asked for.
func TestUnknownCommands(t *testing.T) {
	for args, want := range map[string]string{
		"nonsense":              `guanxi has no command "nonsense"; see guanxi --help`,
		"nonsense --help":       `guanxi has no command "nonsense"; see guanxi --help`,
		"help nonsense":         `guanxi has no command "nonsense"; see guanxi --help`,
		"servr --demo":          `did you mean serve?`,
		"migrate dwon --help":   `guanxi migrate has no command "dwon"; did you mean down? see guanxi migrate --help`,
		"help migrate dwon":     `did you mean down?`,
		"--verbose migrate":     `unknown flag: --verbose`,
		"migrate down --listen": `unknown flag: --listen`,
	} {
		code, out, errs := run(t, strings.Fields(args)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d, %q, %q; want %q", args, code, out, errs, want)
		}
	}
	for _, args := range []string{"help migrate down", "migrate down --help"} {
		code, out, errs := run(t, strings.Fields(args)...)
		if code != exitDone || !strings.Contains(out, "--steps") || errs != "" {
			t.Errorf("%s: exit %d, %q, %q", args, code, out, errs)
		}
	}
}

// Help shows the flags that a command reads, and no others.
func TestHelpShowsWhatIsRead(t *testing.T) {
	database := []string{"--config", "--db", "--log-level", "--log-format"}
	for args, flags := range map[string][]string{
		"migrate up":    database,
		"migrate down":  append([]string{"--steps", "--yes"}, database...),
		"audit verify":  append([]string{"--checkpoint"}, database...),
		"accounts lint": database,
		"import org":    append([]string{"--policies", "--encryption-keyset-file", "--import-vanish-max", "--currency"}, database...),
		"serve":         append([]string{"--listen", "--auth-issuer", "--http-executor"}, database...),
	} {
		code, out, errs := run(t, append(strings.Fields(args), "--help")...)
		for _, f := range flags {
			if !strings.Contains(out, f+" ") {
				t.Errorf("%s --help: exit %d, no %s: %s%s", args, code, f, out, errs)
			}
		}
		if args != "serve" && (strings.Contains(out, "--listen") || strings.Contains(out, "--auth-issuer") || strings.Contains(out, "--limits-roles")) {
			t.Errorf("%s --help shows flags of serve: %s", args, out)
		}
	}
}

// Whoever asks how a database is makes none.
func TestStatusOfNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "absent.db")
	for _, args := range []string{"migrate status", "migrate down --yes"} {
		code, _, errs := run(t, append(strings.Fields(args), "--db", "sqlite:"+path)...)
		if code == exitDone || errs == "" {
			t.Errorf("%s: exit %d: %s", args, code, errs)
		}
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("the folder of the database was made")
	}
}
