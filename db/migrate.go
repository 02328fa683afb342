package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/uptrace/bun"
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
	sub, err := fs.Sub(migrations, "migrations/"+s.dialect())
	if err != nil {
		return nil, err
	}
	ms := migrate.NewMigrations()
	if err := ms.Discover(sub); err != nil {
		return nil, err
	}
	m := migrate.NewMigrator(s.bun, ms, migrate.WithTableName(migrationsTable), migrate.WithLocksTableName("schema_locks"),
		migrate.WithMarkAppliedOnSuccess(true))
	return m, m.Init(ctx)
}

// dialect is the folder of the migrations for this kind of database.
func (s *Store) dialect() string {
	if s.eng.postgres() {
		return postgresFolder
	}
	return sqliteFolder
}

const (
	postgresFolder = "postgres"
	sqliteFolder   = "sqlite"
)

// take runs the file of a step and marks it, in one transaction: bun's own runner marks a step in another one, and
// whoever is killed between the two can never start again.
func (s *Store) take(ctx context.Context, step migrate.Migration, way string, mark func(bun.Tx) error) (name string, err error) {
	name = step.Name + "_" + step.Comment
	text, err := s.stepFile(name, way)
	if err != nil {
		return name, err
	}
	err = s.bun.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.Tx.ExecContext(ctx, text); err != nil {
			return err
		}
		return mark(tx)
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return name, err
}

// stepFile is the file of a step, up or down.
func (s *Store) stepFile(name, way string) (string, error) {
	text, err := migrations.ReadFile("migrations/" + s.dialect() + "/" + name + ".tx." + way + ".sql")
	return string(text), err
}

const migrationsTable = "schema_migrations"

// locked runs f while no other process migrates.
func (s *Store) locked(ctx context.Context, f func(*migrate.Migrator) error) error {
	if s.bun == nil {
		return errors.New("the store is open for reading only")
	}
	return s.undisturbed(ctx, func() error {
		m, err := s.migrator(ctx)
		if err != nil {
			return err
		}
		return f(m)
	})
}

// undisturbed runs f while no other process migrates. On PostgreSQL the lock is one of the session, which the server lets go when
// this process dies; on SQLite whoever writes has the file to himself.
func (s *Store) undisturbed(ctx context.Context, f func() error) error {
	if !s.eng.postgres() {
		return f()
	}
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
	return f()
}

// Migrate brings the schema up to date and answers the names of the steps it took.
func (s *Store) Migrate(ctx context.Context) (names []string, err error) {
	err = s.locked(ctx, func(m *migrate.Migrator) error {
		if !s.eng.postgres() { // it stays so: readers and the writer do not wait for each other. Not before it is ours.
			if _, err := s.bun.ExecContext(ctx, "pragma journal_mode = wal"); err != nil {
				return err
			}
		}
		ms, err := m.MigrationsWithStatus(ctx)
		if err != nil {
			return err
		}
		group := ms.LastGroupID() + 1
		for _, step := range ms.Unapplied() {
			name, err := s.take(ctx, step, "up", func(tx bun.Tx) error {
				step.GroupID = group
				_, err := tx.NewInsert().Model(&step).ModelTableExpr(migrationsTable).Exec(ctx)
				return err
			})
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return names, fmt.Errorf("migrate up: %w", err)
	}
	return names, nil
}

// Rollback takes the newest steps back; what [Store.Losses] says is lost. It takes back none where none is applied, and fails with
// [ErrSteps] where fewer are than it is to take back.
func (s *Store) Rollback(ctx context.Context, steps int) (names []string, err error) {
	err = s.locked(ctx, func(m *migrate.Migrator) error {
		ms, err := m.MigrationsWithStatus(ctx)
		if err != nil {
			return err
		}
		applied := slices.DeleteFunc(ms, func(m migrate.Migration) bool { return !m.IsApplied() })
		if len(applied) == 0 {
			return nil
		}
		if steps > len(applied) {
			return fmt.Errorf("%w: %d are", ErrSteps, len(applied))
		}
		for _, step := range slices.Backward(applied[len(applied)-steps:]) {
			name, err := s.take(ctx, step, "down", func(tx bun.Tx) error {
				_, err := tx.NewDelete().Model(&step).ModelTableExpr(migrationsTable).Where("name = ?", step.Name).Exec(ctx)
				return err
			})
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return names, fmt.Errorf("migrate down: %w", err)
	}
	return names, nil
}

// ErrSteps: fewer steps are applied than are to be taken back.
var ErrSteps = errors.New("so many steps are not applied")

// Migrations lists the steps of the schema, oldest first, and changes nothing.
func (s *Store) Migrations(ctx context.Context) (out []Migration, err error) {
	if out, err = steps(s.dialect()); err != nil {
		return nil, err
	}
	err = s.undisturbed(ctx, func() error {
		var marked int
		if err := s.read(ctx, s.tables("= '"+migrationsTable+"'", &marked)); err != nil || marked == 0 {
			return err
		}
		return s.read(ctx, stmt{text: "select name from " + migrationsTable, scan: func(r row) error {
			var name string
			err := r.Scan(&name)
			for i := range out {
				out[i].Applied = out[i].Applied || strings.HasPrefix(out[i].Name, name+"_")
			}
			return err
		}})
	})
	return out, err
}

// Missing lists the steps of the schema as they are in a database that is not there yet.
func Missing(dsn string) ([]Migration, error) {
	if strings.HasPrefix(dsn, "sqlite:") {
		return steps(sqliteFolder)
	}
	return steps(postgresFolder)
}

// steps reads the names of a dialect's steps, none of them applied.
func steps(dialect string) (out []Migration, err error) {
	const up = ".tx.up.sql"
	files, err := fs.Glob(migrations, "migrations/"+dialect+"/*"+up) // sorted by name, which begins with a number
	for _, f := range files {
		out = append(out, Migration{Name: strings.TrimSuffix(path.Base(f), up)})
	}
	return out, err
}
