package app

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// Whoever imports is told which setting or which character is wrong.
func TestImportSaysWhatItMisses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "org.csv")
	if err := os.WriteFile(file, []byte("employeeNo;name\n001;陈光\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := run(t, "import", "org", file, "--db", "sqlite::memory:")
	if code != exitUsage || !strings.Contains(errs, "encryption.keyset_file: expected") {
		t.Errorf("no keyset: exit %d: %s", code, errs)
	}
	code, _, errs = run(t, "import", "org", file, "--db", "sqlite::memory:", "--encryption-keyset-file", filepath.Join(dir, "none"))
	if code != exitUsage || !strings.Contains(errs, "encryption.keyset_file: no such file") {
		t.Errorf("no file: exit %d: %s", code, errs)
	}
	_, keyset, _ := run(t, "keyset")
	path := filepath.Join(dir, "keyset.json")
	if err := os.WriteFile(path, []byte(keyset), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := "sqlite:" + filepath.Join(dir, "real.db")
	run(t, "migrate", "up", "--db", dsn)
	code, _, errs = run(t, "import", "org", file, "--db", dsn, "--encryption-keyset-file", path)
	if code != exitFound || !strings.Contains(errs, "org.csv:1: ") || !strings.Contains(errs, "parted by commas") {
		t.Errorf("semicolons: exit %d: %s", code, errs)
	}
}

// A server that goes away takes nothing of an import with it; whoever followed it learns which one goes on.
func TestImportGoesOnWithoutItsServer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	p := &program{}
	_, err := p.look(t.Context(), question{server: gone.URL}, directoryErrand(importFlags{}), "imp_1", "")
	if err == nil || !strings.Contains(err.Error(), "imp_1 goes on by itself") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

// A directory of policy files that is not there is named.
func TestPolicyDirectoryThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	src, err := companyLayers(dir)
	if err != nil || len(src) != 1 || src[0].Dir != dir {
		t.Errorf("got %v, %v", src, err)
	}
	all := policySources(platform.NewCatalogue(adapters.All()))
	all.Layers = append(all.Layers, src...)
	if _, err := authz.Build(all); err == nil || !strings.Contains(err.Error(), dir+": the directory cannot be read: no such file") {
		t.Errorf("got %v", err)
	}
}

// A file of secrets that others can read is warned of, by its setting and not by its name.
func TestWarnOfReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyset.json")
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := &server{log: slog.New(slog.NewTextHandler(&log, nil)), cfg: config.Config{Encryption: config.Encryption{KeysetFile: path}}}
		s.warnOfReaders()
		if got := strings.Contains(log.String(), "setting=encryption.keyset_file"); got != warned || strings.Contains(log.String(), path) {
			t.Errorf("%v: %s", mode, log.String())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
