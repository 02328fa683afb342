package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/config"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/platform"
)

// importFlags are what an import is told beside its file.
type importFlags struct {
	server, token, as      string
	dryRun, asJSON         bool
	complete, acceptShrink bool
	errors                 string
	language               string
}

func (p *program) importOrg() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "org FILE | -",
		Short: "Take in workspaces, departments, members, accounts, contacts and groups; exit 1 where rows were refused",
		Long: `Takes in a file of JSON Lines or CSV; - is standard input. Without --server it works on the database itself, which no
server may hold: that is how a new gateway gets its company. With --server the running gateway does it.

The same file again changes nothing, and one that was cut off goes on where it stopped; a dry run begins anew.`,
		Args: usage(wants("FILE or -")),
		RunE: func(c *cobra.Command, args []string) error {
			served, local := c.Flags().Changed("server"), c.Flags().Changed("db")
			if served && local {
				return usageError{errors.New("expected --server or --db, not both")}
			}
			file, err := p.spool(args[0])
			if err != nil {
				return err
			}
			defer file.close()
			if served || f.server != "" && !local {
				return p.send(c.Context(), directoryErrand(f), file, f)
			}
			cfg, err := config.LoadOffline(c.Flags(), p.environ)
			if err != nil {
				return usageError{err}
			}
			return p.takeIn(c.Context(), cfg, file, f)
		},
	}
	config.Flags(c.Flags(), "db", "policies", "encryption", "import", "currency", "log")
	fs := c.Flags()
	fs.StringVar(&f.server, "server", p.variable("GUANXI_SERVER", ""), "the gateway that takes the file in; none: the database itself")
	fs.StringVar(&f.token, "token", p.variable("GUANXI_TOKEN", ""), "who asks it: a token")
	fs.StringVar(&f.as, "as", "", "who asks it: a person of the demo, by account name")
	fs.BoolVar(&f.complete, "complete", false, "whoever is not in the file is gone: an alert for each of them")
	fs.BoolVar(&f.acceptShrink, "accept-shrink", false, "that so many are missing from a complete file is right")
	f.common(fs)
	return c
}

// common adds the flags that all imports have.
func (f *importFlags) common(fs *pflag.FlagSet) {
	fs.BoolVar(&f.dryRun, "dry-run", false, "judge the rows and change nothing")
	fs.BoolVar(&f.asJSON, "json", false, "answer in JSON")
	fs.StringVar(&f.errors, "errors", "", "write the refused rows to a CSV file")
	fs.StringVar(&f.language, "language", "en", "language of the sentences: zh-CN or en")
}

// source is a file that can be read as often as one likes.
type source struct {
	path, name string
	temporary  bool
	size       int64
	read       *progressbar.ProgressBar
}

// spool makes a file of standard input: what is killed half-way is gone on with by reading from the begin.
func (p *program) spool(arg string) (*source, error) {
	if arg != "-" {
		info, err := os.Stat(arg)
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory", arg)
		}
		if err != nil {
			return nil, usageError{err}
		}
		return &source{path: arg, name: arg, size: info.Size()}, nil
	}
	f, err := os.CreateTemp("", "guanxi-import-")
	if err != nil {
		return nil, err
	}
	s := &source{path: f.Name(), name: "standard input", temporary: true}
	s.size, err = io.Copy(f, os.Stdin)
	if err = errors.Join(err, f.Close()); err != nil {
		s.close()
	}
	return s, err
}

func (s *source) close() {
	if s.temporary {
		_ = os.Remove(s.path)
	}
}

// open opens the file from its begin on; what is read of it moves the bar.
func (s *source) open() (io.ReadCloser, error) {
	f, err := os.Open(s.path)
	if err != nil || s.read == nil {
		return f, err
	}
	s.read.Reset()
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(f, s.read), f}, nil
}

// takeIn imports on the database itself.
func (p *program) takeIn(ctx context.Context, cfg config.Config, file *source, f importFlags) error {
	l, err := p.speak(f.language)
	if err != nil {
		return err
	}
	if cfg.Encryption.KeysetFile == "" {
		return usageError{errors.New("encryption.keyset_file: expected the file with the master key, as guanxi keyset makes it")}
	}
	keyset, err := cfg.Encryption.Keyset()
	if err != nil {
		return usageError{fmt.Errorf("encryption.keyset_file: %w", err)}
	}
	master, err := envelope.Open(keyset)
	if err != nil {
		return usageError{fmt.Errorf("encryption.keyset_file: %w", err)}
	}
	e, err := companyEngine(cfg.Policies)
	if err != nil {
		return err
	}
	log := logger(cfg.Log, p.stderr)
	s, err := db.Open(ctx, string(cfg.DB), db.Options{Master: master, Now: time.Now, Log: log})
	if err != nil {
		return usageError{err}
	}
	defer func() { _ = s.Close() }()
	st, err := s.Inspect(ctx)
	switch {
	case err != nil:
		return err
	case st.Demo:
		return usageError{errors.New("db: this database was made by the demo, whose company stands; import through its server")}
	case !st.Current:
		return usageError{errors.New("db: the schema is not that of this version; run guanxi migrate up")}
	}
	if free, err := s.Hold(ctx, true); err != nil {
		return err
	} else if !free {
		return usageError{errors.New("db: a server holds this database; import through it with --server")}
	}
	if err := s.Start(ctx); err != nil {
		return usageError{err}
	}
	if err := s.ReclaimImports(ctx, true); err != nil {
		return err
	}
	r, err := os.Open(file.path)
	if err != nil {
		return err
	}
	like := im.Import{Kind: im.DirectoryImport, DryRun: f.dryRun, Complete: f.complete, Shrink: f.acceptShrink}
	err = intake.Survey(r, &like)
	_ = r.Close()
	if err != nil {
		return p.fileFault(file, err, l)
	}
	svc := newIntake(s, e, cfg, time.Now, im.NewIDs(time.Now), intake.Options{Log: log})
	tell, done := p.progress(file)
	i, err := svc.TakeIn(ctx, like, file.open, tell)
	done()
	if err != nil {
		return err
	}
	return p.imported(ctx, svc, i, file, f, l)
}

// newIntake is the use-case of taking in files.
func newIntake(s *db.Store, e *authz.Engine, cfg config.Config, now func() time.Time, ids *im.IDs, o intake.Options) *intake.Service {
	var platforms []string
	catalogue := platform.NewCatalogue(adapters.All())
	for _, a := range catalogue.All() {
		platforms = append(platforms, a.Name)
	}
	org := &intake.Directory{Store: s, Now: now, IDs: ids, Currency: cfg.Currency, Platforms: platforms, Roles: e.RoleNames(),
		Own: func(name string) bool { return catalogue.Platform(name).Own }}
	o.Now, o.IDs, o.VanishMax = now, ids, cfg.Import.VanishMax
	if o.Kinds == nil {
		o.Kinds = map[im.ImportKind]intake.Kind{}
	}
	o.Kinds[im.DirectoryImport] = org
	return intake.New(s, o)
}

// progress shows how far an import is: a bar on a terminal, a line now and then elsewhere.
func (p *program) progress(file *source) (tell func(im.Import), done func()) {
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		file.read = progressbar.NewOptions64(file.size, progressbar.OptionSetWriter(p.stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		return func(i im.Import) { file.read.Describe(fmt.Sprintf("%d rows", i.Total())) }, func() { _ = file.read.Finish() }
	}
	const every = 5 * time.Second
	last := time.Now()
	return func(i im.Import) {
		if time.Since(last) >= every {
			last = time.Now()
			fmt.Fprintf(p.stderr, "%d rows so far: %s\n", i.Total(), tally(i.Tally))
		}
	}, func() {}
}

func tally(t im.Tally) string {
	s := fmt.Sprintf("%d accepted, %d unchanged, %d rejected", t.Accepted, t.Unchanged, t.Rejected)
	if t.InReview > 0 {
		s += fmt.Sprintf(", %d wait for approval", t.InReview)
	}
	if t.Waiting > 0 {
		s += fmt.Sprintf(", %d wait for others", t.Waiting)
	}
	return s
}

// shownMax is how many refused rows are shown; the others are in the file of --errors.
const shownMax = 100

// fileFault is the fault of a file as a whole, with its place.
func (p *program) fileFault(file *source, err error, l fault.Language) error {
	f := (*fault.Error)(nil)
	if !errors.As(err, &f) || f.Code != fault.InvalidInput {
		return err
	}
	where := file.name
	if len(f.Path) > 1 {
		where += ":" + f.Path[1]
	}
	return fmt.Errorf("%s: %s", where, f.Text(l))
}

// imported says what came of an import.
func (p *program) imported(ctx context.Context, svc *intake.Service, i im.Import, file *source, f importFlags, l fault.Language) error {
	rows, err := svc.Rejected(ctx, i.ID, 0, shownMax)
	if err != nil {
		return err
	}
	if f.errors != "" {
		out, err := os.OpenFile(f.errors, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(svc.WriteErrors(ctx, out, i.ID, l), out.Close()); err != nil {
			return err
		}
	}
	var failed *fault.Error
	if len(i.Error) > 0 {
		failed = &fault.Error{}
		if err := json.Unmarshal(i.Error, failed); err != nil {
			return err
		}
	}
	if f.asJSON {
		err = p.importJSON(i, failed, rows, l)
	} else {
		for _, v := range rows {
			fmt.Fprintf(p.stdout, "%s:%d: %s\n", file.name, v.Line, explained(v.Note, l))
		}
		p.summary(i.Rejected-len(rows), i.DryRun, tally(i.Tally))
	}
	switch {
	case err != nil:
		return err
	case failed != nil:
		return p.fileFault(file, failed, l)
	case i.Rejected > 0:
		return fmt.Errorf("%s refused", count(i.Rejected, "row was", "rows were"))
	}
	return nil
}

// summary ends what is said of an import.
func (p *program) summary(more int, dryRun bool, tally string) {
	if more > 0 {
		fmt.Fprintf(p.stdout, "… and %d more; --errors FILE writes them all\n", more)
	}
	would := ""
	if dryRun {
		would = "nothing was changed; it would be: "
	}
	fmt.Fprintf(p.stdout, "%s%s\n", would, tally)
}

// explained is why a row was refused: which field, what of it, and the code.
func explained(f *fault.Error, l fault.Language) string {
	if f == nil {
		return "refused"
	}
	s := f.Text(l)
	if path := strings.Join(f.Path, "."); path != "" {
		s = path + ": " + s
	}
	return s + " (" + string(f.Code) + ")"
}

// importAnswer is what an import answers in JSON.
type importAnswer struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	DryRun bool   `json:"dryRun"`
	Total  int    `json:"total"`
	im.Tally
	LastError string        `json:"lastError,omitempty"`
	Approval  *awaited      `json:"approval,omitempty"` // that it waits for
	Rejected  []rejectedRow `json:"rows"`
}

type rejectedRow struct {
	Line    int    `json:"line"`
	Code    string `json:"code"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

func (p *program) importJSON(i im.Import, failed *fault.Error, rows []intake.Verdict, l fault.Language) error {
	out := importAnswer{ID: nodeid.Encode(im.KindImport, i.ID), State: string(i.State), DryRun: i.DryRun, Total: i.Total(), Tally: i.Tally,
		Rejected: []rejectedRow{}}
	if failed != nil {
		out.LastError = failed.Text(l)
	}
	for _, v := range rows {
		if v.Note != nil {
			out.Rejected = append(out.Rejected, rejectedRow{v.Line, string(v.Note.Code), strings.Join(v.Note.Path, "."), v.Note.Text(l)})
		}
	}
	return json.NewEncoder(p.stdout).Encode(out)
}
