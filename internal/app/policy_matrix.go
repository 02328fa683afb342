package app

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
)

func (p *program) policyMatrix() *cobra.Command {
	var on, action string
	c := p.rulesCommand(&cobra.Command{
		Use:   "matrix",
		Short: "Show what each tier may do on each platform",
		Long:  `Shows what somebody of each tier may do on each platform: ✔ yes, ⏳ once these people agree, ✘ no; in parentheses where it takes facts that the plainest request does not have (--json has an example). It is somebody of rank 5 of whom there is nothing else to say.`,
	}, cobra.NoArgs, func(_ *cobra.Command, _ []string, f policyFlags) error {
		e, err := companyEngine(f.policies)
		if err != nil {
			return err
		}
		platforms := append(e.Platforms(), authz.OtherPlatform)
		if on != "" {
			if !slices.Contains(platforms, on) {
				return usageError{fmt.Errorf("--platform: there is no %q; expected one of %s", on, strings.Join(platforms, ", "))}
			}
			platforms = []string{on}
		}
		m := e.Matrix(platforms...)
		if on != "" {
			m.Rows = slices.DeleteFunc(m.Rows, func(r authz.MatrixRow) bool { return r.Platform != on })
		}
		if action != "" {
			m.Rows = slices.DeleteFunc(m.Rows, func(r authz.MatrixRow) bool { return r.Action != action })
			if len(m.Rows) == 0 {
				return usageError{fmt.Errorf("--action: nobody asks about %q there; see guanxi policy schema", action)}
			}
		}
		if f.json {
			return p.printJSON(m)
		}
		return p.matrix(m)
	})
	c.Flags().StringVar(&on, "platform", "", "this platform alone")
	c.Flags().StringVar(&action, "action", "", "this action alone")
	return c
}

// matrix writes a table for each platform.
func (p *program) matrix(m authz.Matrix) error {
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for i, row := range m.Rows {
		if i == 0 || m.Rows[i-1].Platform != row.Platform {
			title := row.Platform
			if title == "" {
				title = "what shows"
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, title+"\t"+strings.Join(m.Tiers, "\t"))
		}
		cells := make([]string, len(row.Cells))
		for j, c := range row.Cells {
			cells[j] = cell(c, row.Platform == "")
		}
		fmt.Fprintln(w, strings.TrimSpace(row.Action+" "+row.Object)+"\t"+strings.Join(cells, "\t"))
	}
	if !m.Exhaustive {
		fmt.Fprintln(w, "\nThe conditions tell too many requests apart; a part of them was tried.")
	}
	return w.Flush()
}

func cell(c authz.MatrixCell, reads bool) string {
	out := "✘"
	switch {
	case reads:
		return scope(c.Scope)
	case c.Outcome == im.Allow:
		out = "✔"
	case c.Outcome == im.Review:
		out = "⏳ " + strings.Join(authz.Spelt(c.Needs), "+")
	}
	if c.Depends {
		out = "(" + out + ")"
	}
	return out
}
