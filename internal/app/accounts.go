package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/internal/intake"
)

func (p *program) accounts() *cobra.Command {
	c := &cobra.Command{Use: "accounts", Short: "Account names", Args: usage(cobra.NoArgs), RunE: needsCommand}
	c.AddCommand(p.accountsLint())
	return c
}

func (p *program) accountsLint() *cobra.Command {
	var asJSON bool
	c := p.onDatabase(&cobra.Command{Use: "lint", Short: "List members whose account names break the naming rule; exit 1 where there are any"}, db.Options{ReadOnly: true},
		func(ctx context.Context, s *db.Store) error {
			found := []intake.Misnamed{}
			n := 0
			err := intake.Lint(ctx, s, func(m intake.Misnamed) error {
				n++
				if asJSON {
					found = append(found, m)
					return nil
				}
				_, err := fmt.Fprintf(p.stdout, "%s: %s, by the rule %s\n", m.EmployeeNo, m.AccountName, m.Proposal)
				return err
			})
			if err == nil && asJSON {
				err = json.NewEncoder(p.stdout).Encode(found)
			}
			if err == nil && n > 0 {
				err = fmt.Errorf("%d account names break the naming rule", n)
			}
			return err
		})
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return c
}
