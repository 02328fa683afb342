package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/authz/policytest"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// policySources is the rules that the product and its platforms bring.
func policySources(platforms *platform.Catalogue) authz.Sources {
	src := authz.Sources{Duties: blocking.Duties()}
	var more []authz.Layer
	for _, p := range platforms.All() {
		src.Platforms = append(src.Platforms, authz.Platform{Name: p.Name, Organisation: p.Organisation})
		if p.Rules != nil {
			more = append(more, authz.Layer{Name: authz.PlatformLayer(p.Name), Domain: p.Name, Files: p.Rules})
		}
	}
	src.Layers = authz.Shipped(more...)
	return src
}

// shippedRules stands for no company directory where one is expected.
const shippedRules = "shipped"

// companySources is the shipped rules, and over them those of a company's directory; empty: there is none.
func companySources(dir string) (authz.Sources, error) {
	src := policySources(platform.NewCatalogue(adapters.All()))
	if dir == "" {
		return src, nil
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is a file; expected a directory of policy files", dir)
	}
	if err != nil {
		return src, usageError{err}
	}
	company, err := companyLayers(dir)
	src.Layers = append(src.Layers, company...)
	return src, err
}

// companyLayers are the layers of a company's directory.
func companyLayers(dir string) ([]authz.Layer, error) {
	layers, err := authz.Company(os.DirFS(dir))
	for i, l := range layers {
		layers[i].Dir = dir
		if region, ok := strings.CutPrefix(l.Name, authz.RegionLayer("")); ok {
			layers[i].Dir = filepath.Join(dir, "regions", region)
		}
	}
	return layers, err
}

// companyEngine decides by the shipped rules and those of a company's directory.
func companyEngine(dir string) (*authz.Engine, error) {
	src, err := companySources(dir)
	if err != nil {
		return nil, err
	}
	e, err := authz.Build(src)
	if err != nil {
		return nil, usageError{fmt.Errorf("policy:\n%w", err)}
	}
	return e, nil
}

// policyFlags are what policy commands take.
type policyFlags struct {
	json     bool
	policies string // the company's directory; empty: none, or not asked for
}

func (p *program) policy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Write, check, test and explain policy files", Args: usage(cobra.NoArgs), RunE: needsCommand}
	c.AddCommand(p.policyInit(), p.policyCheck(), p.policyTest(), p.policyCoverage(), p.policyExplain(), p.policyDiff(), p.policyMatrix(), p.policySchema())
	return c
}

// policyCommand makes a command of what it does.
func (p *program) policyCommand(c *cobra.Command, args cobra.PositionalArgs, work func(c *cobra.Command, args []string, f policyFlags) error) *cobra.Command {
	var f policyFlags
	c.Args = usage(args)
	c.RunE = func(c *cobra.Command, args []string) error { return work(c, args, f) }
	c.Flags().BoolVar(&f.json, "json", false, "answer in JSON")
	return c
}

// rulesCommand makes a command about the company's rules of what it does.
func (p *program) rulesCommand(c *cobra.Command, args cobra.PositionalArgs, work func(c *cobra.Command, args []string, f policyFlags) error) *cobra.Command {
	var dir string
	c = p.policyCommand(c, args, func(c *cobra.Command, args []string, f policyFlags) error {
		f.policies = dir
		return work(c, args, f)
	})
	c.Flags().StringVar(&dir, "policies", p.variable("GUANXI_POLICIES", ""), "the company's directory of policy files; without it the shipped rules alone")
	return c
}

// printJSON writes an answer for machines.
func (p *program) printJSON(v any) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p *program) policyCheck() *cobra.Command {
	var strict bool
	c := p.rulesCommand(&cobra.Command{
		Use:   "check [DIR]",
		Short: "Find what is wrong with policy and case files, and what does not do what it seems to; exit 1 where there are errors",
	}, cobra.MaximumNArgs(1), func(_ *cobra.Command, args []string, f policyFlags) error {
		if len(args) == 1 {
			f.policies = args[0]
		}
		src, err := companySources(f.policies)
		if err != nil {
			return err
		}
		found := slices.Concat(authz.Lint(src), caseFaults(src, f.policies), strays(f.policies))
		if f.json {
			err = p.printJSON(map[string]any{"problems": append([]authz.Problem{}, found...)})
		} else {
			p.problems(found)
		}
		count := func(severity string) (n int) {
			for _, x := range found {
				if x.Severity == severity {
					n++
				}
			}
			return n
		}
		errs, warnings := count(authz.SeverityError), count(authz.SeverityWarning)
		switch {
		case err != nil:
			return err
		case errs > 0 || strict && warnings > 0:
			return fmt.Errorf("%s, %s", counted(errs, "error"), counted(warnings, "warning"))
		}
		return nil
	})
	c.Flags().BoolVar(&strict, "strict", false, "warnings fail too")
	return c
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// strays tells of rules and cases in a company's directory that stand where nobody reads them.
func strays(dir string) (out []authz.Problem) {
	if dir == "" {
		return nil
	}
	read := []string{"*.csv", "regions/*/*.csv", "*.yaml", "cases/*.yaml"}
	_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error { // what cannot be read is told by whoever reads it
		if err != nil || d.IsDir() {
			return nil
		}
		switch base := path.Base(name); strings.ToLower(path.Ext(base)) {
		case ".csv", ".yaml", ".yml":
			known := slices.ContainsFunc(read, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok })
			if !known && base[0] != '.' && base[0] != '~' && path.Ext(base) != ".CSV" {
				out = append(out, authz.Problem{File: name, Severity: authz.SeverityWarning,
					Message: "nobody reads this file: rules are *.csv in the directory and in regions/NAME, cases *.yaml there and in cases"})
			}
		}
		return nil
	})
	return out
}

// caseFaults is what is wrong with the case files of a company's directory, where its rules can be read.
func caseFaults(src authz.Sources, dir string) []authz.Problem {
	e, err := authz.Build(src)
	if err != nil || dir == "" {
		return nil
	}
	shipped, err := shippedSuite(e)
	if err == nil {
		_, err = companySuite(e, shipped, dir)
	}
	if problems, ok := errors.AsType[*authz.Problems](err); ok {
		return problems.List
	}
	if err != nil {
		return []authz.Problem{{File: dir, Message: err.Error(), Severity: authz.SeverityError}}
	}
	return nil
}

// problems writes what was found, each with its place, what to do about it, and a request that shows it.
func (p *program) problems(found []authz.Problem) {
	for _, x := range found {
		place, message := strings.TrimSuffix(x.String(), x.Message), x.Message
		fmt.Fprintf(p.stdout, "%s%s: %s\n", place, x.Severity, message)
		if x.Hint != "" {
			fmt.Fprintln(p.stdout, "    hint:", x.Hint)
		}
		if x.Example != "" {
			fmt.Fprintln(p.stdout, "    such as:", x.Example)
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(p.stdout, "no faults")
	}
}

func (p *program) policyExplain() *cobra.Command {
	var on, action, target string
	var facts []string
	c := p.rulesCommand(&cobra.Command{
		Use:   "explain --action ACTION [--platform PLATFORM] [--target TYPE] [--fact NAME=VALUE …]",
		Short: "Say what is decided on a request and why, and what nearly was",
		Long: `Says what is decided on a request, by which lines of which layers and with what values, and which lines one thing kept from deciding otherwise.

Facts are called as in policy files: --fact r.sub.Roles=employee --fact r.obj.Importance=KEY. Who asks is ACTIVE and employed unless a fact says otherwise.`,
	}, cobra.NoArgs, func(c *cobra.Command, _ []string, f policyFlags) error {
		e, err := companyEngine(f.policies)
		if err != nil {
			return err
		}
		r, err := request(e, on, action, target, facts)
		if err != nil {
			return usageError{err}
		}
		x, err := e.Explain(c.Context(), r)
		if err != nil {
			return err
		}
		if f.json {
			return p.printJSON(x)
		}
		p.explanation(e, r, x)
		return nil
	})
	c.Flags().StringVar(&on, "platform", "", "the platform in question, if there is one")
	c.Flags().StringVar(&action, "action", "", "what is asked for: see guanxi policy schema")
	c.Flags().StringVar(&target, "target", "", "the type of what it is about")
	c.Flags().StringArrayVar(&facts, "fact", nil, "a fact: NAME=VALUE")
	return c
}

// request makes the request of what is given on the command line, or tells all that is wrong with it.
func request(e *authz.Engine, on, action, target string, facts []string) (authz.Request, error) {
	schema := authz.Schema()
	var faults []error
	oneOf := func(flag, word string, known []string) {
		if slices.Contains(known, word) {
			return
		}
		text := "expected one of " + strings.Join(known, ", ")
		if near := authz.Near(word, known); near != "" {
			text = "did you mean " + near + "?"
		}
		faults = append(faults, fmt.Errorf("--%s: there is no %q; %s", flag, word, text))
	}
	names := func(words []authz.Word) []string {
		var out []string
		for _, w := range words {
			out = append(out, w.Name)
		}
		return out
	}
	if on != "" {
		oneOf("platform", on, append(e.Platforms(), authz.OtherPlatform))
	}
	oneOf("action", action, names(schema.Actions))
	if target != "" || action != authz.ActionUnmask {
		oneOf("target", target, names(schema.Types))
	}
	r := authz.Request{
		Platform: on, Action: action,
		Actor:  authz.Actor{ID: "someone", Status: string(im.AccountActive), Employment: string(im.Employed)},
		Object: authz.Object{Type: target, ID: "another"},
	}
	for _, fact := range facts {
		name, value, given := strings.Cut(fact, "=")
		switch {
		case !given:
			faults = append(faults, fmt.Errorf("--fact %q: expected NAME=VALUE", fact))
		case slices.Contains([]string{"r.dom", "r.act", "r.obj.Type"}, name):
			faults = append(faults, fmt.Errorf("--fact %s: say that by --platform, --action or --target", name))
		default:
			for _, err := range []error{r.Set(name, value), policytest.Fits(name, target)} {
				if err != nil {
					faults = append(faults, fmt.Errorf("--fact: %w", err))
				}
			}
		}
	}
	for _, role := range r.Actor.Roles {
		if e.Implying(role) == nil {
			faults = append(faults, fmt.Errorf("--fact: there is no role %q", role))
		}
	}
	return r, errors.Join(faults...)
}

// by is an outcome with who must agree.
func by(o im.Outcome, needs []im.Need) string {
	if len(needs) == 0 {
		return string(o)
	}
	return string(o) + " by " + strings.Join(authz.Spelt(needs), "+")
}

// explanation writes an explanation for people.
func (p *program) explanation(e *authz.Engine, r authz.Request, x authz.Explanation) {
	switch r.Action {
	case authz.ActionRead:
		fmt.Fprintln(p.stdout, "shows", scope(e.Scope(r.Actor, r.Object.Type)))
	case authz.ActionUnmask:
		fmt.Fprintln(p.stdout, "shows", scope(e.Unmask(r.Actor)))
	default:
		fmt.Fprintln(p.stdout, by(x.Decision.Outcome, x.Decision.Needs))
		fmt.Fprintln(p.stdout, "   ", authz.Reason(x.Decision, fault.English))
		if len(x.Decision.Obligations) > 0 {
			fmt.Fprintln(p.stdout, "    duties:", strings.Join(x.Decision.Obligations, ", "))
		}
	}
	for _, layer := range x.Layers {
		if layer.Outcome == "" {
			fmt.Fprintf(p.stdout, "\n%s: nothing\n", layer.Name)
			continue
		}
		fmt.Fprintf(p.stdout, "\n%s: %s\n", layer.Name, layer.Outcome)
		for _, m := range layer.Rules {
			fmt.Fprintf(p.stdout, "    %s:%d: %s\n", m.Rule.File, m.Rule.Line, m.Rule.Text)
			for _, v := range m.Values {
				fmt.Fprintf(p.stdout, "        %s is %s\n", v.Name, v.Value)
			}
		}
	}
	if len(x.NearMisses) > 0 {
		fmt.Fprintln(p.stdout, "\none thing is in the way of:")
	}
	for _, m := range x.NearMisses {
		actual := m.Actual
		if actual == "" {
			actual = "none"
		}
		fmt.Fprintf(p.stdout, "    %s (%s:%d): %s: is %s\n", by(m.Outcome, m.Needs), m.Rule.File, m.Rule.Line, m.FailedTerm, actual)
	}
}

func scope(s im.Scope) string {
	if len(s) == 0 {
		return "nothing"
	}
	return strings.Join(s, ", ")
}

func (p *program) policyDiff() *cobra.Command {
	var people, language string
	c := p.policyCommand(&cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say in plain words whom two company directories treat otherwise; exit 1 where some decision differs",
		Long: `Says in plain words whom the rules of two company directories treat otherwise, and how that was found out. - or shipped stands for no company directory.

With --people, a YAML or JSON file, it names who meets each difference: people: {王芳: {Roles: employee, Rank: 3, JobFunction: SALES}}.`,
	}, wants("OLD", "NEW"), func(_ *cobra.Command, args []string, f policyFlags) error {
		l, err := p.speak(language)
		if err != nil {
			return err
		}
		var engines [2]*authz.Engine
		for i, dir := range args {
			if dir == "-" || dir == shippedRules {
				dir = ""
			}
			if engines[i], err = companyEngine(dir); err != nil {
				return err
			}
		}
		var subjects []authz.Subject
		if people != "" {
			file, err := caseFile(people)
			if err != nil {
				return err
			}
			if subjects, err = policytest.ReadPeople(file, engines[:]...); err != nil {
				return usageError{err}
			}
		}
		r := authz.Diff(engines[0], engines[1], subjects...)
		if f.json {
			err = p.printJSON(r)
		} else {
			_, err = io.WriteString(p.stdout, r.Text(l))
		}
		if err == nil && !r.Same() {
			err = errors.New(counted(len(r.Moves), "difference"))
		}
		return err
	})
	c.Flags().StringVar(&people, "people", "", "a file of people, to say who meets what")
	c.Flags().StringVar(&language, "lang", "", "zh-CN or en; without it, that of LANG")
	return c
}

// speak picks the language: one that was asked for, or that of the environment.
func (p *program) speak(asked string) (fault.Language, error) {
	switch asked {
	case "":
		locale, _, _ := strings.Cut(p.variable("LANG", ""), ".")
		return fault.Speak(strings.ReplaceAll(locale, "_", "-")), nil
	case "zh-CN", "zh":
		return fault.Chinese, nil
	case "en":
		return fault.English, nil
	}
	return fault.English, usageError{fmt.Errorf("--lang %q: expected zh-CN or en", asked)}
}

func (p *program) policySchema() *cobra.Command {
	return p.policyCommand(&cobra.Command{Use: "schema", Short: "List all that policy files may say"}, cobra.NoArgs,
		func(_ *cobra.Command, _ []string, f policyFlags) error {
			if f.json {
				return p.printJSON(authz.Schema())
			}
			_, err := io.WriteString(p.stdout, authz.Schema().String())
			return err
		})
}

// caseFile reads a file that somebody named.
func caseFile(path string) (policytest.File, error) {
	text, err := policytest.ReadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		return policytest.File{}, usageError{err}
	}
	return policytest.File{Name: path, Text: text}, nil
}
