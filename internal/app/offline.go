package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
)

// onDatabase makes a command that works on the database alone.
func (p *program) onDatabase(c *cobra.Command, o db.Options, work func(ctx context.Context, s *db.Store) error) *cobra.Command {
	return p.onSettings(c, func(ctx context.Context, cfg config.Config) error {
		o.Now, o.Log = time.Now, logger(cfg.Log, p.stderr)
		s, err := db.Open(ctx, string(cfg.DB), o)
		if err != nil {
			return usageError{err}
		}
		defer func() { _ = s.Close() }()
		return work(ctx, s)
	})
}

// onSettings makes a command that needs to know where the database is.
func (p *program) onSettings(c *cobra.Command, work func(ctx context.Context, cfg config.Config) error) *cobra.Command {
	c.Args = usage(cobra.NoArgs)
	config.Flags(c.Flags(), "db", "log")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.LoadOffline(c.Flags(), p.environ)
		if err != nil {
			return usageError{err}
		}
		return work(c.Context(), cfg)
	}
	return c
}

func (p *program) migrateUp() *cobra.Command {
	return p.onDatabase(&cobra.Command{Use: "up", Short: "Bring the schema up to date"}, db.Options{}, func(ctx context.Context, s *db.Store) error {
		st, err := s.Inspect(ctx)
		if err != nil {
			return err
		}
		if st.Existing != "" {
			return usageError{fmt.Errorf("db: there are tables of somebody else's (%s); use a database of its own", st.Existing)}
		}
		names, err := s.Migrate(ctx)
		p.steps("applied", names)
		return err
	})
}

func (p *program) migrateDown() *cobra.Command {
	var steps int
	var yes bool
	c := p.onDatabase(&cobra.Command{
		Use:   "down",
		Short: "Take the newest step of the schema back; what it holds is lost",
		Long: `Takes the newest step of the schema back, or so many as --steps says. The tables and columns that they made are lost with all
that is in them. Without --yes it says what that would be, changes nothing and exits with 2.

No server may hold the database.`,
	}, db.Options{Existing: true}, func(ctx context.Context, s *db.Store) error {
		if steps < 1 {
			return usageError{fmt.Errorf("--steps: expected a number above 0, found %d", steps)}
		}
		if free, err := s.Hold(ctx, true); err != nil {
			return err
		} else if !free {
			return usageError{errors.New("db: a server or an import holds this database; stop every replica first")}
		}
		losses, err := s.Losses(ctx, steps)
		if errors.Is(err, db.ErrSteps) {
			return usageError{fmt.Errorf("--steps %d: %w", steps, err)}
		}
		if err != nil {
			return err
		}
		if len(losses) > 0 && !yes {
			return usageError{fmt.Errorf("this would be lost:\n%sNothing was changed. Make a backup, and say --yes", lost(losses))}
		}
		names, err := s.Rollback(ctx, steps)
		p.steps("taken back", names)
		return err
	})
	c.Flags().IntVar(&steps, "steps", 1, "how many steps")
	c.Flags().BoolVar(&yes, "yes", false, "lose what they hold")
	return c
}

// lost says what goes with steps that are taken back, a line for each.
func lost(losses []db.Loss) string {
	var b strings.Builder
	for _, l := range losses {
		var what []string
		for _, t := range l.Tables {
			what = append(what, fmt.Sprintf("table %s with %s", t.Name, count(int(t.Rows), "row", "rows")))
		}
		for _, c := range l.Columns {
			what = append(what, "column "+c)
		}
		for _, t := range l.Parts {
			what = append(what, "rows of "+t)
		}
		if len(what) == 0 {
			what = []string{"nothing but indexes"}
		}
		fmt.Fprintf(&b, "%s: %s\n", l.Step, strings.Join(what, ", "))
	}
	return b.String()
}

// count is a number of things.
func count(n int, one, more string) string {
	if n == 1 {
		more = one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func (p *program) steps(what string, names []string) {
	if len(names) == 0 {
		fmt.Fprintln(p.stdout, "nothing to do")
	}
	for _, n := range names {
		fmt.Fprintln(p.stdout, what, n)
	}
}

func (p *program) migrateStatus() *cobra.Command {
	var asJSON bool
	c := p.onSettings(&cobra.Command{Use: "status", Short: "List the steps of the schema, beside a running server too; exit 1 where some are missing"},
		func(ctx context.Context, cfg config.Config) error {
			ms, err := p.migrations(ctx, cfg)
			if err != nil {
				return err
			}
			missing := 0
			for _, m := range ms {
				if !m.Applied {
					missing++
				}
			}
			if asJSON {
				err = json.NewEncoder(p.stdout).Encode(ms)
			} else {
				for _, m := range ms {
					word := "missing"
					if m.Applied {
						word = "applied"
					}
					fmt.Fprintln(p.stdout, word, m.Name)
				}
			}
			if err == nil && missing > 0 {
				err = fmt.Errorf("%s missing; run guanxi migrate up", count(missing, "step is", "steps are"))
			}
			return err
		})
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return c
}

// migrations lists the steps of the schema, and makes no database where there is none.
func (p *program) migrations(ctx context.Context, cfg config.Config) ([]db.Migration, error) {
	s, err := db.Open(ctx, string(cfg.DB), db.Options{Now: time.Now, Log: logger(cfg.Log, p.stderr), ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return db.Missing(string(cfg.DB))
	}
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = s.Close() }()
	return s.Migrations(ctx)
}

func (p *program) token() *cobra.Command {
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "token ACCOUNT",
		Short: "Print a token for a person of the demo; a real server refuses it",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if ttl <= 0 {
				return usageError{fmt.Errorf("--ttl: expected a duration above zero, such as 1h, found %s", ttl)}
			}
			t, err := identity.Token(identity.Demo(time.Now), args[0], ttl)
			if err == nil {
				fmt.Fprintln(p.stdout, t)
			}
			return err
		},
	}
	c.Flags().DurationVar(&ttl, "ttl", 12*time.Hour, "how long it holds")
	return c
}

// version is the program's, set when it is released.
var version = "dev"

func (p *program) version() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the program's version",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			revision := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						revision = s.Value
					}
				}
			}
			if asJSON {
				return json.NewEncoder(p.stdout).Encode(map[string]string{"version": version, "revision": revision, "go": runtime.Version()})
			}
			_, err := fmt.Fprintln(p.stdout, "guanxi", version, revision, runtime.Version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return c
}

func (p *program) keyset() *cobra.Command {
	return &cobra.Command{
		Use:   "keyset",
		Short: "Print a new master key, for encryption.keyset_file; whoever loses it loses what it encrypts",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			k, err := envelope.NewKeyset()
			if err == nil {
				_, err = fmt.Fprintln(p.stdout, string(k))
			}
			return err
		},
	}
}
