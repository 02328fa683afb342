package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/authz/policytest"
)

// caseRun is cases that were run against rules.
type caseRun struct {
	what    string // whose cases over whose rules
	failed  string // what is said of those that came out otherwise than expected
	results []policytest.Result
}

// shippedSuite reads the cases that the product brings.
func shippedSuite(e *authz.Engine) (*policytest.Suite, error) {
	files, err := policytest.Files(authz.Cases(), authz.CasesPath)
	if err != nil {
		return nil, err
	}
	return policytest.Read(e, nil, files...)
}

// companySuite reads the cases of a company's directory. They know the people and things of the shipped ones.
func companySuite(e *authz.Engine, shipped *policytest.Suite, dir string) (*policytest.Suite, error) {
	files, err := policytest.Files(os.DirFS(dir), "")
	if err != nil {
		return nil, usageError{err}
	}
	return readCases(e, shipped, files)
}

func readCases(e *authz.Engine, shipped *policytest.Suite, files []policytest.File) (*policytest.Suite, error) {
	s, err := policytest.Read(e, shipped.Cast, files...)
	if err != nil {
		return nil, usageError{fmt.Errorf("cases:\n%w", err)}
	}
	return s, nil
}

func (p *program) policyTest() *cobra.Command {
	var verbose, all bool
	c := p.rulesCommand(&cobra.Command{
		Use:   "test [FILE …]",
		Short: "Run cases; exit 1 where some came out otherwise than expected",
		Long: `Runs the shipped cases over the shipped rules and, with --policies, the cases of the company's directory (*.yaml and cases/*.yaml) over its rules; or the files given.

A company that changes shipped rules makes shipped cases come out otherwise, as it wants them to: --all lists which.`,
	}, cobra.ArbitraryArgs, func(c *cobra.Command, args []string, f policyFlags) error {
		runs, err := runCases(c.Context(), args, f.policies, all)
		if err != nil {
			return err
		}
		failed := 0
		for _, r := range runs {
			failed += len(policytest.Failed(r.results))
		}
		if f.json {
			err = p.printJSON(casesJSON(runs, verbose))
		} else {
			p.caseRuns(runs, verbose)
		}
		if err == nil && failed > 0 {
			err = fmt.Errorf("%d cases came out otherwise than expected", failed)
		}
		return err
	})
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "list every case")
	c.Flags().BoolVar(&all, "all", false, "run the shipped cases over the company's rules, too")
	return c
}

// runCases runs what policy test says.
func runCases(ctx context.Context, files []string, dir string, all bool) ([]caseRun, error) {
	if all && dir == "" {
		return nil, usageError{errors.New("--all needs --policies: without a company's rules there are no others")}
	}
	shipped, err := companyEngine("")
	if err != nil {
		return nil, err
	}
	suite, err := shippedSuite(shipped)
	if err != nil {
		return nil, err
	}
	own, rules := shipped, "shipped rules"
	if dir != "" {
		if own, err = companyEngine(dir); err != nil {
			return nil, err
		}
		rules = "the rules of " + dir
	}
	var runs []caseRun
	run := func(what, failed string, s *policytest.Suite, e *authz.Engine) error {
		results, err := s.Run(ctx, e)
		runs = append(runs, caseRun{what, failed, results})
		return err
	}
	if len(files) > 0 {
		var given []policytest.File
		for _, path := range files {
			file, err := caseFile(path)
			if err != nil {
				return nil, err
			}
			given = append(given, file)
		}
		s, err := readCases(own, suite, given)
		if err != nil {
			return nil, err
		}
		return runs, run("cases over "+rules, "failed", s, own)
	}
	if err := run("shipped cases over shipped rules", "failed", suite, shipped); err != nil || dir == "" {
		return runs, err
	}
	if all {
		if err := run("shipped cases over "+rules, "come out otherwise now", suite, own); err != nil {
			return nil, err
		}
	}
	company, err := companySuite(own, suite, dir)
	if err != nil {
		return nil, err
	}
	return runs, run("cases of "+dir+" over its rules", "failed", company, own)
}

// caseRuns writes what came of cases for people.
func (p *program) caseRuns(runs []caseRun, verbose bool) {
	for _, run := range runs {
		failed := policytest.Failed(run.results)
		list := failed
		if verbose {
			list = run.results
		}
		for _, r := range list {
			fmt.Fprint(p.stdout, r)
		}
		fmt.Fprintf(p.stdout, "%s: %d, %d %s\n", run.what, len(run.results), len(failed), run.failed)
	}
}

// caseJSON is what came of one case, for machines.
type caseJSON struct {
	Name   string             `json:"name"`
	Ask    string             `json:"ask"`
	File   string             `json:"file"`
	Line   int                `json:"line"`
	Passed bool               `json:"passed"`
	Faults []policytest.Fault `json:"faults,omitempty"`
	Rules  []authz.Rule       `json:"rules,omitempty"`
}

// casesJSON is what came of cases for machines: all of them, or those that failed.
func casesJSON(runs []caseRun, verbose bool) any {
	type runJSON struct {
		What    string     `json:"what"`
		Cases   int        `json:"cases"`
		Failed  int        `json:"failed"`
		Results []caseJSON `json:"results"`
	}
	var out []runJSON
	for _, run := range runs {
		one := runJSON{What: run.what, Cases: len(run.results), Failed: len(policytest.Failed(run.results)), Results: []caseJSON{}}
		for _, r := range run.results {
			if verbose || !r.Passed() {
				one.Results = append(one.Results, caseJSON{r.Case.Name, r.Case.Ask, r.Case.File, r.Case.Line, r.Passed(), r.Faults, r.Decision.Rules})
			}
		}
		out = append(out, one)
	}
	return map[string]any{"runs": out}
}

func (p *program) policyCoverage() *cobra.Command {
	var least int
	c := p.rulesCommand(&cobra.Command{
		Use:   "coverage",
		Short: "Say which rules no case decides by, and which conditions no case sees true or false; exit 1 below --min",
	}, cobra.NoArgs, func(c *cobra.Command, _ []string, f policyFlags) error {
		if least < 0 || least > 100 {
			return usageError{fmt.Errorf("--min %d: expected 0 to 100", least)}
		}
		r, err := coverage(c.Context(), f.policies)
		if err != nil {
			return err
		}
		if f.json {
			err = p.printJSON(struct {
				authz.CoverageReport
				Percent int `json:"percent"`
			}{r, r.Percent()})
		} else {
			_, err = fmt.Fprint(p.stdout, r)
		}
		if err == nil && r.Percent() < least {
			err = fmt.Errorf("%d%% is below %d%%", r.Percent(), least)
		}
		return err
	})
	c.Flags().IntVar(&least, "min", 0, "the least percentage that is enough")
	return c
}

// coverage runs the shipped cases and those of the company over the company's rules.
func coverage(ctx context.Context, dir string) (authz.CoverageReport, error) {
	e, err := companyEngine(dir)
	if err != nil {
		return authz.CoverageReport{}, err
	}
	covered, counts := e.Covered()
	shipped, err := companyEngine("")
	if err != nil {
		return authz.CoverageReport{}, err
	}
	suite, err := shippedSuite(shipped)
	if err != nil {
		return authz.CoverageReport{}, err
	}
	suites := []*policytest.Suite{suite}
	if dir != "" {
		own, err := companySuite(e, suite, dir)
		if err != nil {
			return authz.CoverageReport{}, err
		}
		suites = append(suites, own)
	}
	for _, s := range suites {
		if _, err := s.Run(ctx, covered); err != nil {
			return authz.CoverageReport{}, err
		}
	}
	return counts.Report(), nil
}
