package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/gateway"
)

func (p *program) config() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Settings", Args: usage(cobra.NoArgs), RunE: needsCommand}
	c.AddCommand(p.configCheck(), p.configSchema())
	return c
}

func (p *program) configCheck() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Find what is wrong with the settings as guanxi serve would be given them; exit 1 where anything is",
		Long: `Takes the flags, the environment and the file of guanxi serve, and reads what they name: secrets, keys, policy files and trusted
documents. It opens no database, asks nobody and does not listen. What a workspace's platform asks for depends on the directory, so
that guanxi serve alone checks it.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(c.Flags(), p.environ, secretOption)
			if err == nil {
				err = p.check(c.Context(), cfg)
			}
			found := complaints(err)
			if asJSON {
				if err := p.printJSON(map[string]any{"holds": len(found) == 0, "faults": found}); err != nil {
					return err
				}
			}
			if len(found) > 0 {
				if !asJSON {
					for _, f := range found {
						fmt.Fprintln(p.stdout, f.Message)
					}
				}
				return fmt.Errorf("%s in the settings", count(len(found), "fault", "faults"))
			}
			if !asJSON {
				_, err = fmt.Fprintln(p.stdout, "the settings hold")
			}
			return err
		},
	}
	config.Flags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return c
}

func (p *program) configSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the file of settings, for editors",
		Args:  usage(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return p.printJSON(config.Schema()) },
	}
}

// check finds what guanxi serve would refuse once settings are read, as far as it shows without a database.
func (p *program) check(ctx context.Context, cfg config.Config) error {
	s := &server{cfg: cfg, log: logger(cfg.Log, p.stderr)}
	faults := []error{}
	_, err := s.secrets()
	faults = append(faults, err)
	if cfg.Auth.JWKSFile != "" && !cfg.Demo {
		faults = append(faults, s.readKeys(ctx))
	}
	_, _, err = s.endpoints()
	faults = append(faults, err)
	if cfg.Audit.CheckpointFile != "" {
		_, err = s.signingKey()
		faults = append(faults, err)
	}
	_, err = companyEngine(cfg.Policies)
	faults = append(faults, err)
	_, err = gateway.OpenTrusted(cfg.Documents.Path, gateway.DocumentsMode(cfg.Documents.Mode), s.log)
	return errors.Join(append(faults, err)...)
}

// complaint is what is wrong with the settings, for machines.
type complaint struct {
	Source   string `json:"source,omitempty"` // FILE:LINE:COLUMN, a variable or a flag
	Setting  string `json:"setting,omitempty"`
	Value    string `json:"value,omitempty"`
	Expected string `json:"expected,omitempty"`
	Nearest  string `json:"nearest,omitempty"` // what was probably meant
	Message  string `json:"message"`           // all of it, as a sentence
}

// complaints are what an error is made of.
func complaints(err error) []complaint {
	var faults config.Faults
	var many interface{ Unwrap() []error }
	out := []complaint{}
	switch {
	case err == nil:
	case errors.As(err, &faults):
		for _, f := range faults {
			out = append(out, complaint{f.Source, f.Path, f.Value, f.Expected, f.Nearest, f.String()})
		}
	case errors.As(err, &many):
		for _, e := range many.Unwrap() {
			out = append(out, complaints(e)...)
		}
	default:
		out = append(out, complaint{Message: err.Error()})
	}
	return out
}

// secretOption reports whether an option of a workspace is a secret, whatever the platform.
func secretOption(name string) bool {
	secret := false
	for _, offer := range adapters.Offers() {
		i := slices.IndexFunc(offer.Options, func(o adapters.Option) bool { return o.Name == name })
		if i >= 0 && !offer.Options[i].Secret {
			return false
		}
		secret = secret || i >= 0
	}
	return secret
}
