package app

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
)

// onDatabase makes a command that works on the database alone.
func (p *program) onDatabase(c *cobra.Command, readOnly bool, work func(ctx context.Context, s *db.Store) error) *cobra.Command {
	c.Args = usage(cobra.NoArgs)
	config.Flags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.LoadOffline(c.Flags(), p.environ)
		if err != nil {
			return usageError{err}
		}
		s, err := db.Open(c.Context(), string(cfg.DB), db.Options{Now: time.Now, Log: logger(cfg.Log, p.stderr), ReadOnly: readOnly})
		if err != nil {
			return usageError{err}
		}
		defer func() { _ = s.Close() }()
		return work(c.Context(), s)
	}
	return c
}

func (p *program) migrateUp() *cobra.Command {
	return p.onDatabase(&cobra.Command{Use: "up", Short: "Bring the schema up to date"}, false, func(ctx context.Context, s *db.Store) error {
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
	return p.onDatabase(&cobra.Command{Use: "down", Short: "Take the newest steps of the schema back; their rows are lost"}, false,
		func(ctx context.Context, s *db.Store) error {
			names, err := s.Rollback(ctx)
			p.steps("taken back", names)
			return err
		})
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
	c := p.onDatabase(&cobra.Command{Use: "status", Short: "List the steps of the schema; exit 1 where some are missing"}, false,
		func(ctx context.Context, s *db.Store) error {
			ms, err := s.Migrations(ctx)
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
				err = fmt.Errorf("%d steps are missing; run guanxi migrate up", missing)
			}
			return err
		})
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return c
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
