package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// pruneFlags are those of pruning.
type pruneFlags struct {
	workspace string
	days      int
	dryRun    bool
	asJSON    bool
}

func (p *program) blacklistPrune() *cobra.Command {
	var f pruneFlags
	var q question
	c := &cobra.Command{
		Use:   "prune",
		Short: "Remove blacklistings whose time ran out",
		Long: `Has the running gateway remove blacklistings whose time ran out, as an administrator. With each go its notices and deliveries; the trail,
decisions and approvals stay. It removes some hundred in one transaction, and goes on until there are no others. Cut off, it goes on
where it is run again.

The setting blacklist.keep has the gateway do the same by itself.`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.days < 0 {
				return usageError{fmt.Errorf("--days %d: expected a number from 0 on", f.days)}
			}
			return p.prune(c.Context(), q, f)
		},
	}
	fs := c.Flags()
	p.asks(fs, &q)
	fs.StringVar(&f.workspace, "workspace", "", "only those on this workspace, by its name")
	fs.IntVar(&f.days, "days", 0, "only those whose time ran out so many days ago or earlier")
	fs.BoolVar(&f.dryRun, "dry-run", false, "count them and change nothing")
	fs.BoolVar(&f.asJSON, "json", false, "answer as JSON")
	fs.StringVar(&q.language, "language", "", "language of the sentences: zh-CN or en")
	return c
}

// prune asks until nothing is left, and says what was removed, also where something went wrong on the way.
func (p *program) prune(ctx context.Context, q question, f pruneFlags) error {
	in := map[string]any{"days": f.days, "dryRun": f.dryRun}
	if f.workspace != "" {
		id, err := p.workspace(ctx, q, f.workspace)
		if err != nil {
			return err
		}
		in["workspaceId"] = id
	}
	q.document = `mutation($in: PruneBlacklistInput!) { pruneBlacklist(input: $in) { removed more userErrors { code message } } }`
	q.variables = map[string]any{"in": in}
	removed := 0
	for {
		var a struct {
			PruneBlacklist *struct {
				Removed    int
				More       bool
				UserErrors []struct{ Code, Message string }
			}
		}
		err := p.asked(ctx, q, &a)
		switch {
		case err != nil:
		case a.PruneBlacklist == nil:
			err = errors.New("the server answered with no result")
		case len(a.PruneBlacklist.UserErrors) > 0:
			e := a.PruneBlacklist.UserErrors[0]
			err = fmt.Errorf("%s (%s)", e.Message, e.Code)
		default:
			if removed += a.PruneBlacklist.Removed; a.PruneBlacklist.More {
				continue
			}
		}
		if err != nil && removed == 0 {
			return err
		}
		return errors.Join(err, p.pruned(f, removed))
	}
}

func (p *program) pruned(f pruneFlags, n int) error {
	if f.asJSON {
		return json.NewEncoder(p.stdout).Encode(map[string]any{"removed": n, "dryRun": f.dryRun})
	}
	verb := "removed"
	if f.dryRun {
		verb = "would be removed"
	}
	_, err := fmt.Fprintf(p.stdout, "%d expired blacklistings %s\n", n, verb)
	return err
}
