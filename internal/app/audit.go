package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-im/guanxi/db"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/sheet"
)

func (p *program) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "The trail", Args: usage(cobra.NoArgs), RunE: needsCommand}
	c.AddCommand(p.auditVerify(), p.auditExport(), p.auditKey())
	return c
}

func (p *program) auditVerify() *cobra.Command {
	var asJSON bool
	var marksFile, keyFile string
	c := p.onDatabase(&cobra.Command{
		Use:   "verify",
		Short: "Check the chain of the trail; exit 1 and the event's name where it is broken",
		Long: `Walks the chain of hashes over all events. With --checkpoint it is held against checkpoints that were signed and kept
outside the database, which finds a chain that was rewritten as a whole, cut at its end, or put back to an earlier day.`,
	}, db.Options{ReadOnly: true}, func(ctx context.Context, s *db.Store) error {
		marks, err := readMarks(marksFile, keyFile)
		if tampered := (*audit.Tampered)(nil); asJSON && errors.As(err, &tampered) {
			return errors.Join(p.printVerdict(map[string]any{"holds": false, "what": err.Error()}), err)
		}
		if err != nil {
			return err
		}
		rep, err := audit.Verify(ctx, s, marks)
		broken := (*audit.Broken)(nil)
		if err != nil && !errors.As(err, &broken) {
			return err
		}
		if broken != nil {
			err = breach(broken)
		}
		if asJSON {
			return errors.Join(p.verdict(rep, broken), err)
		}
		if err != nil {
			return err
		}
		against := ""
		if marksFile != "" {
			against = fmt.Sprintf("; %d checkpoints agree", rep.Checkpoints)
		}
		_, err = fmt.Fprintf(p.stdout, "the trail holds: %d events sealed, %d waiting, head %x%s\n", rep.Sealed, rep.Unsealed, rep.Head, against)
		return err
	})
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	c.Flags().StringVar(&marksFile, "checkpoint", "", "file of checkpoints to hold the chain against")
	c.Flags().StringVar(&keyFile, "key", "", "with --checkpoint: file with the key that checks them, in PEM")
	return c
}

// marksMax bounds a file of checkpoints: what [audit.ReadCheckpoints] takes.
const marksMax = 1 << 30

// breach says where the trail is broken, with the event's id as the API shows it.
func breach(b *audit.Broken) error {
	at := fmt.Sprintf("event %d", b.Sequence)
	if !b.ID.IsZero() {
		at += " " + eventID(b.ID)
	}
	return fmt.Errorf("the trail is broken at %s: %s", at, b.What)
}

// readMarks reads a file of checkpoints. One that somebody was at is an [audit.Tampered], any other fault one of usage.
func readMarks(path, keyFile string) ([]audit.Checkpoint, error) {
	if path == "" && keyFile == "" {
		return nil, nil
	}
	if path == "" || keyFile == "" {
		return nil, usageError{errors.New("expected both --checkpoint and --key, or neither")}
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, usageError{err}
	}
	key, err := audit.ParsePublicKey(text)
	if err != nil {
		return nil, usageError{fmt.Errorf("--key %s: %w", keyFile, err)}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = f.Close() }()
	marks, err := audit.ReadCheckpoints(io.LimitReader(f, marksMax), key)
	if err == nil && len(marks) == 0 {
		err = usageError{errors.New("no checkpoint in it")}
	}
	if err != nil {
		return nil, fmt.Errorf("--checkpoint %s: %w", path, err)
	}
	return marks, nil
}

// verdict writes what a verification found as JSON.
func (p *program) verdict(rep audit.Report, broken *audit.Broken) error {
	out := map[string]any{"holds": broken == nil, "sealed": rep.Sealed, "waiting": rep.Unsealed, "head": fmt.Sprintf("%x", rep.Head),
		"checkpoints": rep.Checkpoints}
	if broken != nil {
		out["sequence"], out["what"] = broken.Sequence, broken.What
		if !broken.ID.IsZero() {
			out["event"] = eventID(broken.ID)
		}
	}
	return p.printVerdict(out)
}

func (p *program) printVerdict(v map[string]any) error { return json.NewEncoder(p.stdout).Encode(v) }

// eventID is the id of an event as the API shows it.
func eventID(id im.ID) string { return nodeid.Encode(im.KindAudit, id) }

func (p *program) auditKey() *cobra.Command {
	var of string
	c := &cobra.Command{
		Use:   "key",
		Short: "Print a new key for audit.signing_key_file, or the half of one that checks checkpoints",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := audit.NewKey()
			if of != "" {
				if text, err = os.ReadFile(of); err != nil {
					return usageError{err}
				}
				key, bad := audit.ParsePublicKey(text)
				if bad != nil {
					return usageError{fmt.Errorf("--public-of %s: %w", of, bad)}
				}
				text, err = audit.PublicPEM(key)
			}
			if err == nil {
				_, err = p.stdout.Write(text)
			}
			return err
		},
	}
	c.Flags().StringVar(&of, "public-of", "", "file of a key: print what checks its checkpoints, and can sign none")
	return c
}

// exportDocument asks for one page of the trail, from its beginning. Newest come first on a page.
const exportDocument = `query($before: String, $from: DateTime, $until: DateTime) {
  auditEvents(last: 100, before: $before, filter: {from: $from, until: $until}) {
    nodes {
      sequence id at actorName action outcome prevented subjectName detail requestId decisionId hash previousHash
      actor { ... on Member { id } ... on ExternalContact { id } } subject { id } workspace { name }
    }
    pageInfo { startCursor hasPreviousPage }
  }
}`

// exported is one event as it leaves.
type exported struct {
	Sequence     *int64         `json:"sequence"`
	ID           string         `json:"id"`
	At           string         `json:"at"`
	ActorName    string         `json:"actorName"`
	Actor        *exportedRef   `json:"actor"`
	Action       string         `json:"action"`
	Outcome      *string        `json:"outcome"`
	SubjectName  string         `json:"subjectName"`
	Subject      *exportedRef   `json:"subject"`
	Workspace    *exportedPlace `json:"workspace"`
	DecisionID   *string        `json:"decisionId"`
	RequestID    *string        `json:"requestId"`
	Detail       string         `json:"detail"`
	Hash         *string        `json:"hash"`
	PreviousHash *string        `json:"previousHash"`
	Prevented    *string        `json:"prevented"`
}

type (
	exportedRef   struct{ ID string }
	exportedPlace struct{ Name string }
)

// MarshalJSON is the id alone.
func (r exportedRef) MarshalJSON() ([]byte, error) { return json.Marshal(r.ID) }

// MarshalJSON is the name alone.
func (p exportedPlace) MarshalJSON() ([]byte, error) { return json.Marshal(p.Name) }

// UnmarshalJSON reads what the API answers.
func (r *exportedRef) UnmarshalJSON(b []byte) error {
	var from struct{ ID string }
	err := json.Unmarshal(b, &from)
	r.ID = from.ID
	return err
}

// UnmarshalJSON reads what the API answers.
func (p *exportedPlace) UnmarshalJSON(b []byte) error {
	var from struct{ Name string }
	err := json.Unmarshal(b, &from)
	p.Name = from.Name
	return err
}

// exportColumns are those of a CSV, in the order of exported.
var exportColumns = []string{"sequence", "id", "at", "actor_name", "actor", "action", "outcome", "subject_name", "subject", "workspace", "decision_id",
	"request_id", "detail", "hash", "previous_hash", "prevented"}

func (e exported) cells() []string {
	id := func(r *exportedRef) string {
		if r == nil {
			return ""
		}
		return r.ID
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	sequence, place := "", ""
	if e.Sequence != nil {
		sequence = strconv.FormatInt(*e.Sequence, 10)
	}
	if e.Workspace != nil {
		place = e.Workspace.Name
	}
	return []string{sequence, e.ID, e.At, e.ActorName, id(e.Actor), e.Action, text(e.Outcome), e.SubjectName, id(e.Subject), place, text(e.DecisionID),
		text(e.RequestID), e.Detail, text(e.Hash), text(e.PreviousHash), text(e.Prevented)}
}

func (p *program) auditExport() *cobra.Command {
	var q question
	var format, from, until string
	c := &cobra.Command{
		Use:   "export",
		Short: "Print the trail, oldest event first, as far as the one who asks may read it",
		Long:  `Asks a running gateway for the events of the trail and prints them, one JSON object a line, or as CSV that a spreadsheet opens without running anything.`,
		Args:  usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			write, ok := map[string]func(io.Writer) func([]exported) error{"ndjson": writeNDJSON, "csv": writeCSV}[format]
			if !ok {
				return usageError{fmt.Errorf("--format: expected ndjson or csv, found %q", format)}
			}
			q.document, q.variables = exportDocument, map[string]any{}
			for name, text := range map[string]string{"from": from, "until": until} {
				if text == "" {
					continue
				}
				if _, err := time.Parse(time.RFC3339, text); err != nil {
					return usageError{fmt.Errorf("--%s: expected a time such as 2026-11-01T00:00:00+08:00, found %q", name, text)}
				}
				q.variables[name] = text
			}
			return p.export(c.Context(), q, write(p.stdout))
		},
	}
	f := c.Flags()
	p.asks(f, &q)
	f.StringVar(&format, "format", "ndjson", "ndjson or csv")
	f.StringVar(&from, "from", "", "events from this moment on")
	f.StringVar(&until, "until", "", "events before this moment")
	return c
}

// export prints the trail page by page. Events that happen meanwhile come at its end.
func (p *program) export(ctx context.Context, q question, write func([]exported) error) error {
	for more := true; more; {
		b, err := p.post(ctx, q)
		if err != nil {
			return err
		}
		var a answered
		var data struct {
			AuditEvents struct {
				Nodes    []exported
				PageInfo struct {
					StartCursor     *string
					HasPreviousPage bool
				}
			}
		}
		if err := json.Unmarshal(b, &a); err != nil {
			return fmt.Errorf("the server answered no JSON: %w", err)
		}
		if len(a.Errors) > 0 {
			return fmt.Errorf("the server refused: %s", a.Errors[0])
		}
		if err := json.Unmarshal(a.Data, &data); err != nil {
			return err
		}
		page := data.AuditEvents
		slices.Reverse(page.Nodes)
		if err := write(page.Nodes); err != nil {
			return err
		}
		q.variables["before"] = page.PageInfo.StartCursor
		more = page.PageInfo.HasPreviousPage
	}
	return nil
}

func writeNDJSON(w io.Writer) func([]exported) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return func(es []exported) error {
		for _, e := range es {
			if err := out.Encode(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func writeCSV(w io.Writer) func([]exported) error {
	out := csv.NewWriter(w)
	err := out.Write(exportColumns)
	return func(es []exported) error {
		for _, e := range es {
			cells := e.cells()
			for i, c := range cells {
				cells[i] = sheet.Inert(c)
			}
			err = errors.Join(err, out.Write(cells))
		}
		out.Flush()
		return errors.Join(err, out.Error())
	}
}

// keepMarks writes checkpoints until ctx ends, and a last one then.
func (s *server) keepMarks(ctx context.Context, k *audit.Keeper) {
	tick := time.NewTicker(s.cfg.Audit.CheckpointEvery)
	defer tick.Stop()
	for {
		if err := k.Keep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "no checkpoint of the trail", "error", err)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastMark)
			defer cancel()
			if err := k.Keep(last); err != nil {
				s.log.ErrorContext(ctx, "no last checkpoint of the trail", "error", err)
			}
			return
		case <-tick.C:
		}
	}
}

// lastMark bounds the checkpoint of a server that stops.
const lastMark = 5 * time.Second

// openMarks opens where checkpoints go; nil where none are wanted.
func (s *server) openMarks() (*audit.Keeper, error) {
	if s.cfg.Audit.CheckpointFile == "" {
		return nil, nil
	}
	key, err := s.signingKey()
	if err != nil {
		return nil, err
	}
	k, err := audit.NewKeeper(s.store, key, s.cfg.Audit.CheckpointFile, func() time.Time { return s.clock.Now() })
	if err != nil {
		return nil, usageError{fmt.Errorf("audit.checkpoint_file: %w", err)}
	}
	return k, nil
}

// signingKey is the key that signs checkpoints.
func (s *server) signingKey() (ed25519.PrivateKey, error) {
	text, err := s.cfg.Audit.SigningKey()
	if err != nil {
		return nil, usageError{fmt.Errorf("audit.signing_key_file: %w", err)}
	}
	key, err := audit.ParseKey(bytes.TrimSpace(text))
	if err != nil {
		return nil, usageError{fmt.Errorf("audit.signing_key_file: %w", err)}
	}
	return key, nil
}
