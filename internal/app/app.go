// Package app is the program: its commands, and how everything is put together.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/internal/config"
)

// Exit codes.
const (
	exitDone  = 0
	exitFound = 1 // it found what it looks for, or failed at its work
	exitUsage = 2 // wrong usage or configuration
)

// usageError is an error of the caller's making.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// program is one run.
type program struct {
	environ        []string
	stdout, stderr io.Writer
}

// Run runs the program with arguments and environment as an operating system gives them, and answers its exit code.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	p := &program{environ: environ, stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := known(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "guanxi:", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFound
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "guanxi",
		Short:         "Governs who may reach whom in a company's instant messaging (关系)",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	migrate := &cobra.Command{Use: "migrate", Short: "The schema of the database", Args: usage(cobra.NoArgs), RunE: needsCommand}
	migrate.AddCommand(p.migrateUp(), p.migrateDown(), p.migrateStatus())
	imports := &cobra.Command{Use: "import", Short: "Take in files", Args: usage(cobra.NoArgs), RunE: needsCommand}
	imports.AddCommand(p.importOrg())
	root.SetHelpCommand(help(root))
	root.AddCommand(imports, p.blacklist(), p.accounts(), p.config(), p.keyset(), p.serve(), p.query(), migrate, p.token(), p.audit(), p.policy(), p.sim(), p.version())
	root.InitDefaultHelpCmd()
	return root
}

// known refuses what is no command, also where only help is asked for: else that would be the help of another one.
func known(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil {
		return usageError{err}
	}
	if !c.HasSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return nil
	}
	return unknown(c, rest[0])
}

// unknown is a command that c has not.
func unknown(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	meant := ""
	if near := c.SuggestionsFor(name); len(near) > 0 {
		meant = "did you mean " + strings.Join(near, " or ") + "? "
	}
	return usageError{fmt.Errorf("%s has no command %q; %ssee %s --help", c.CommandPath(), name, meant, c.CommandPath())}
}

// help is the help of a command, by its name.
func help(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say what a command does",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := known(root, args); err != nil {
				return err
			}
			c, _, err := root.Find(args)
			if err != nil {
				return usageError{err}
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

func needsCommand(c *cobra.Command, _ []string) error {
	return usageError{fmt.Errorf("%s needs a command; see %s --help", c.CommandPath(), c.CommandPath())}
}

// wants asks for arguments by their names.
func wants(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("expected %s, got %d arguments", strings.Join(names, " and "), len(args))
		}
		return nil
	}
}

// usage marks an error of the arguments as the caller's.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// logger logs to w as the settings say.
func logger(c config.Log, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
