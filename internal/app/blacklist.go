package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) blacklist() *cobra.Command {
	c := &cobra.Command{Use: "blacklist", Short: "Blacklists of external contacts", Args: usage(cobra.NoArgs), RunE: needsCommand}
	c.AddCommand(p.blacklistImport(), p.blacklistPrune())
	return c
}

func (p *program) blacklistImport() *cobra.Command {
	var f importFlags
	var q question
	var workspace, key string
	c := &cobra.Command{
		Use:   "import FILE | -",
		Short: "Blacklist the contacts that a CSV file names; exit 1 where rows were refused",
		Long: `Has the running gateway blacklist the contacts of a workspace that a CSV file names, in UTF-8 or GB18030; - is standard input. Its
columns are platform_id, or name and company, reason and, where wished, expires_at.

It follows the import until it has ended. Cut off, the import goes on by itself. A large file waits for people first: the
command says for whom, and ends. Asked again with the same --key, it follows the import that it began then.

The same file again changes nothing.`,
		Args: usage(wants("FILE or -")),
		RunE: func(c *cobra.Command, args []string) error {
			if workspace == "" {
				return usageError{fmt.Errorf("--workspace: expected the name of a workspace")}
			}
			if _, err := p.speak(f.language); err != nil {
				return err
			}
			file, err := p.spool(args[0])
			if err != nil {
				return err
			}
			defer file.close()
			f.server, f.token, f.as, q.language = q.server, q.token, q.as, f.language
			id, err := p.workspace(c.Context(), q, workspace)
			if err != nil {
				return err
			}
			e := errand{"importBlacklist", "ImportBlacklistInput", "BlacklistImport", servedFields + " inReview",
				map[string]any{"workspaceId": id, "dryRun": f.dryRun}}
			if key != "" {
				e.more["idempotencyKey"] = key
			}
			return p.send(c.Context(), e, file, f)
		},
	}
	fs := c.Flags()
	p.asks(fs, &q)
	fs.StringVar(&workspace, "workspace", "", "the name of the workspace that the contacts are on")
	fs.StringVar(&key, "key", "", "idempotency key: the same key and file are the same import")
	f.common(fs)
	return c
}

// workspace finds a workspace of a running gateway by its name.
func (p *program) workspace(ctx context.Context, q question, name string) (id string, err error) {
	q.document = "{ workspaces { id name } }"
	var a struct{ Workspaces []struct{ ID, Name string } }
	if err := p.asked(ctx, q, &a); err != nil {
		return "", err
	}
	var names []string
	for _, w := range a.Workspaces {
		if w.Name == name {
			return w.ID, nil
		}
		names = append(names, w.Name)
	}
	return "", usageError{fmt.Errorf("--workspace %q: expected one of %s", name, strings.Join(names, ", "))}
}
