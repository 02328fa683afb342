package policy

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// store remembers the version in force, unless it is away.
type store struct {
	version atomic.Value
	away    atomic.Bool
}

func (s *store) ActivePolicy(context.Context) (string, error) {
	v, _ := s.version.Load().(string)
	return v, nil
}

func (s *store) Post(_ context.Context, u ledger.Unit) error {
	if s.away.Load() {
		return errors.New("away")
	}
	s.version.Store(u.Policy.Version)
	return nil
}

const (
	base = "g, admin, employee, *\np, base.x, *, employee, block, *, true, allow, ,\n"
	more = "p, acme.x, *, employee, block, member, true, deny, ,\n"
)

// keeper opens a keeper over a directory.
func keeper(t *testing.T, dir string, s *store) *Keeper {
	t.Helper()
	shipped := t.TempDir()
	write(t, shipped, "base.csv", base)
	layers := []authz.Layer{{Name: authz.DefaultLayer, Files: os.DirFS(shipped)}, {Name: authz.CompanyLayer, Files: os.DirFS(dir)}}
	k, err := Open(t.Context(), Options{
		Build: func() (*authz.Engine, error) { return authz.Build(authz.Sources{Layers: layers}) },
		Files: os.DirFS(dir), Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now, IDs: im.NewIDs(time.Now), Wake: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func run(t *testing.T, k *Keeper) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within ten seconds", what)
		}
	}
}

func rules(k *Keeper) int { return len(k.Engine().Rules()) }

// What is saved after the files were read and before they are watched is not missed.
func TestSavedBeforeRun(t *testing.T) {
	dir := t.TempDir()
	k := keeper(t, dir, &store{})
	write(t, dir, "acme.csv", more)
	run(t, k)
	wait(t, "the file is in force", func() bool { return rules(k) == 2 })
}

// A directory that goes away is not one that was emptied: the company's rules stay.
func TestDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "acme.csv", more)
	k := keeper(t, dir, &store{})
	run(t, k)
	if err := os.Rename(dir, dir+".bak"); err != nil {
		t.Fatal(err)
	}
	wait(t, "it is told", func() bool { return len(k.Status().Problems) == 1 })
	if p := k.Status().Problems[0]; p.File != authz.CompanyLayer || rules(k) != 2 {
		t.Errorf("%s; %d rules", p, rules(k))
	}
	if err := os.Rename(dir+".bak", dir); err != nil {
		t.Fatal(err)
	}
	wait(t, "it is there again", func() bool { return len(k.Status().Problems) == 0 && rules(k) == 2 })
}

// Rules that cannot be written down are not decided by, and are in force once they can.
func TestPostponed(t *testing.T) {
	dir, s := t.TempDir(), &store{}
	k := keeper(t, dir, s)
	run(t, k)
	s.away.Store(true)
	write(t, dir, "acme.csv", more)
	wait(t, "it is tried", func() bool { return k.Reloads()[Postponed] > 1 })
	if rules(k) != 1 {
		t.Errorf("%d rules decide", rules(k))
	}
	s.away.Store(false)
	wait(t, "it is in force", func() bool { return rules(k) == 2 })
	if n := k.Reloads(); n[InForce] != 1 || n[Refused] != 0 {
		t.Errorf("%v", n)
	}
}

// What is no policy by its name is not looked at.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	k := keeper(t, dir, &store{})
	run(t, k)
	write(t, dir, "notes.txt", "x")
	write(t, dir, "._acme.csv", "x")
	time.Sleep(4 * watchEvery)
	write(t, dir, "acme.csv", more)
	wait(t, "the file is in force", func() bool { return rules(k) == 2 })
	if n := k.Reloads(); n[InForce] != 1 || n[Refused] != 0 {
		t.Errorf("%v", n)
	}
}
