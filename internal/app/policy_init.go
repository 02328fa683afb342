package app

import (
	"embed"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// companyTemplate is what a company's directory starts with: it changes nothing.
//
//go:embed policy_company
var companyTemplate embed.FS

func (p *program) policyInit() *cobra.Command {
	return p.policyCommand(&cobra.Command{Use: "init DIR", Short: "Write a company's directory to start from, with an example of everything as a comment"},
		wants("DIR"), func(_ *cobra.Command, args []string, f policyFlags) error {
			dir := args[0]
			have, err := os.ReadDir(dir)
			switch {
			case err == nil && len(have) > 0:
				return usageError{fmt.Errorf("%s is not empty: it holds %s", dir, have[0].Name())}
			case err != nil && !os.IsNotExist(err):
				return usageError{err}
			}
			files, err := fs.Sub(companyTemplate, "policy_company")
			if err != nil {
				return err
			}
			if err := os.CopyFS(dir, files); err != nil {
				return err
			}
			var names []string
			err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					names = append(names, name)
				}
				return err
			})
			if err != nil {
				return err
			}
			if f.json {
				return p.printJSON(map[string]any{"directory": dir, "files": names})
			}
			for _, name := range names {
				fmt.Fprintf(p.stdout, "wrote %s/%s\n", dir, name)
			}
			return nil
		})
}
