package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/uptrace/bun/migrate"
)

//go:embed migrations
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	Name    string
	Applied bool
}

func (s *Store) migrator(ctx context.Context) (*migrate.Migrator, error) {
	dialect := "sqlite"
	if s.eng.postgres() {
		dialect = "postgres"
	}
	sub, err := fs.Sub(migrations, "migrations/"+dialect)
	if err != nil {
		return nil, err
	}
	ms := migrate.NewMigrations()
	if err := ms.Discover(sub); err != nil {
		return nil, err
	}
	m := migrate.NewMigrator(s.bun, ms, migrate.WithTableName("schema_migrations"), migrate.WithLocksTableName("schema_locks"),
		migrate.WithMarkAppliedOnSuccess(true))
	return m, m.Init(ctx)
}

// locked runs f while no other process migrates. On PostgreSQL the lock is one of the session, which the server lets
// go when this process dies; a SQLite file is this process's alone.
func (s *Store) locked(ctx context.Context, f func(*migrate.Migrator) error) error {
	if s.bun == nil {
		return errors.New("the store is open for reading only")
	}
	if s.eng.postgres() {
		c, err := s.bun.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		const key = 0x6775616e7869 // "guanxi"
		if _, err := c.ExecContext(ctx, "select pg_advisory_lock(?)", key); err != nil {
			return err
		}
		defer func() {
			_, _ = c.ExecContext(context.WithoutCancel(ctx), "select pg_advisory_unlock(?)", key)
		}()
	}
	m, err := s.migrator(ctx)
	if err != nil {
		return err
	}
	return f(m)
}

// Migrate brings the schema up to date and answers the names of the steps it took.
func (s *Store) Migrate(ctx context.Context) (names []string, err error) {
	err = s.locked(ctx, func(m *migrate.Migrator) error {
		if !s.eng.postgres() { // it stays so: readers and the writer do not wait for each other. Not before it is ours.
			if _, err := s.bun.ExecContext(ctx, "pragma journal_mode = wal"); err != nil {
				return err
			}
		}
		g, err := m.Migrate(ctx)
		names = groupNames(g)
		return err
	})
	if err != nil {
		return names, fmt.Errorf("migrate up: %w", err)
	}
	return names, nil
}

// Rollback takes the newest group of steps back; their rows are lost.
func (s *Store) Rollback(ctx context.Context) (names []string, err error) {
	err = s.locked(ctx, func(m *migrate.Migrator) error {
		g, err := m.Rollback(ctx)
		names = groupNames(g)
		return err
	})
	if err != nil {
		return names, fmt.Errorf("migrate down: %w", err)
	}
	return names, nil
}

// Migrations lists the steps of the schema, oldest first.
func (s *Store) Migrations(ctx context.Context) (out []Migration, err error) {
	err = s.locked(ctx, func(m *migrate.Migrator) error {
		ms, err := m.MigrationsWithStatus(ctx)
		for _, m := range ms {
			out = append(out, Migration{m.Name + "_" + m.Comment, m.IsApplied()})
		}
		return err
	})
	return out, err
}

func groupNames(g *migrate.MigrationGroup) (names []string) {
	if g == nil {
		return nil
	}
	for _, m := range g.Migrations {
		names = append(names, m.Name+"_"+m.Comment)
	}
	return names
}
