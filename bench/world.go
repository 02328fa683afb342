package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/app"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
)

// world is a company in a database of its own, and what a gateway needs to serve it.
type world struct {
	company
	db   *database
	dir  string // keyset and secret
	drop func()
}

const (
	issuer = "guanxi-bench"
	secret = "a secret of the benchmarks, for nothing real"
)

// newWorld fills a database on the server, or a SQLite file where none is given. Where keep names a directory, what it
// made is kept there, and used again: M takes a minute to fill.
func newWorld(ctx context.Context, server, keep string, members int) (_ *world, err error) {
	w := &world{company: company{members}, drop: func() {}}
	if keep != "" {
		kind := "sqlite"
		if server != "" {
			kind = "postgres"
		}
		w.dir = filepath.Join(keep, fmt.Sprintf("%s-%d", kind, members))
		if url, err := os.ReadFile(w.file("url")); err == nil {
			w.db = &database{url: string(url), drop: func() {}}
			return w, errors.Join(w.migrate(ctx), w.db.open())
		}
		if err := os.MkdirAll(w.dir, 0o700); err != nil {
			return nil, err
		}
	} else if w.dir, err = os.MkdirTemp("", "guanxi-bench-"); err != nil {
		return nil, err
	}
	if w.db, err = newDatabase(ctx, server); err != nil {
		return nil, err
	}
	if keep == "" {
		w.drop = func() { w.db.drop(); _ = os.RemoveAll(w.dir) }
	}
	if err := w.make(ctx); err != nil {
		w.drop()
		return nil, err
	}
	return w, os.WriteFile(w.file("url"), []byte(w.db.url), 0o600)
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) make(ctx context.Context) error {
	keyset, err := envelope.NewKeyset()
	if err != nil {
		return err
	}
	master, err := envelope.Open(keyset)
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(w.file("keyset.json"), keyset, 0o600), os.WriteFile(w.file("secret"), []byte(secret), 0o600)); err != nil {
		return err
	}
	if err := errors.Join(w.migrate(ctx), w.db.open()); err != nil {
		return err
	}
	return w.db.fill(ctx, w.company, master)
}

// migrate brings the schema up to date.
func (w *world) migrate(ctx context.Context) error {
	var said strings.Builder
	if code := app.Run(ctx, []string{"migrate", "up", "--db", w.db.url}, nil, &said, &said); code != 0 {
		return fmt.Errorf("migrate up: %s", said.String())
	}
	return nil
}

// serve starts a gateway on the world's database: a real one, without the demo.
func (w *world) serve(ctx context.Context, env ...string) (*process, error) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} { // as whoever measures wants it
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return start(ctx, env, "gateway", "--limits-everyone", "5000/0/0", "--listen", "127.0.0.1:0", "--db", w.db.url, "--encryption-keyset-file", w.file("keyset.json"),
		"--auth-secret-file", w.file("secret"), "--auth-issuer", issuer, "--log-level", "warn")
}

// trust is whose tokens a gateway on the world believes.
var trust = identity.Options{Secret: []byte(secret), Issuer: issuer, Audience: "guanxi", Now: time.Now}

// token lets a member in.
func (w *world) token(member int) (string, error) {
	return identity.Token(trust, w.member(member).AccountName, 12*time.Hour)
}
