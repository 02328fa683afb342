package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// The orders of lists.
const (
	RowsByLine    = "import_rows.line"
	ImportsNewest = "imports.newest"
)

// ImportFilter says which imports a list has: of one kind and, where it is not zero, on one workspace.
type ImportFilter struct {
	Kind        im.ImportKind
	WorkspaceID im.ID
}

// Call is what a command carries beside its input.
type Call struct {
	Viewer    im.Viewer
	Key       string // idempotency key; empty: none
	RequestID string
}

// Input is a file with what is to be done with it.
type Input struct {
	Kind        im.ImportKind
	WorkspaceID im.ID // of a blacklist
	File        io.ReadSeeker
	DryRun      bool
	Complete    bool
	Shrink      bool
}

// Result is what came of the wish to have a file taken in.
type Result struct {
	Import   *im.Import     `json:"import,omitempty"`
	Decision *im.Decision   `json:"decision,omitempty"`
	Approval *im.Approval   `json:"approval,omitempty"` // that the import waits for
	Faults   []*fault.Error `json:"faults,omitempty"`
}

// chunkSize is how large the pieces are in which a file is kept.
const chunkSize = 256 << 10

// Receive keeps a file and opens an import of it, which a runner of any replica works off: at once, or after people have agreed
// to it. A dry run changes nothing and waits for nobody. Faults, in this order: INVALID_INPUT, NOT_FOUND,
// UNSUPPORTED_BY_PLATFORM, POLICY_DENIED.
func (s *Service) Receive(ctx context.Context, c Call, in Input) (Result, error) {
	if c.Key != "" {
		if f := fault.CheckKey(c.Key); f != nil {
			return Result{Faults: []*fault.Error{f}}, nil
		}
	}
	i := im.Import{ID: s.o.IDs.New(), Kind: in.Kind, WorkspaceID: in.WorkspaceID, State: im.JobRunning, DryRun: in.DryRun, Complete: in.Complete, Shrink: in.Shrink,
		Privileged: c.Viewer.Is(superAdmin), RequestedBy: c.Viewer.ID(), Stored: true, CreatedAt: s.o.Now()}
	err := Survey(in.File, &i)
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == fault.InvalidInput {
		return Result{Faults: []*fault.Error{f}}, nil
	}
	if err != nil {
		return Result{}, fault.Wrap(err, "read file")
	}
	of := ""
	if !in.WorkspaceID.IsZero() {
		of = " " + in.WorkspaceID.String()
	}
	print := s.Fingerprint(fmt.Appendf(nil, "%s %x %t %t %t%s", operation(in.Kind), i.FileHash, in.DryRun, in.Complete, in.Shrink, of))
	if c.Key != "" {
		a, err := s.Answer(ctx, c.Viewer.ID(), c.Key)
		if a != nil || err != nil {
			return s.replay(ctx, a, operation(in.Kind), print, err)
		}
	}
	d, f, err := s.decide(ctx, c, &i, in.File)
	if err != nil {
		return Result{}, err
	}
	if f != nil {
		return Result{Faults: []*fault.Error{f}}, nil
	}
	i.DecisionID = d.ID
	var candidates []im.Candidate
	_, waits := s.o.Kinds[i.Kind].(Asker)
	if d.Outcome == im.Review && waits {
		if d.Needs, candidates, err = s.desk.Resolve(ctx, d.Needs, approvers(i)); err != nil {
			return Result{}, err
		}
	}
	res := Result{Decision: &d}
	detail, err := json.Marshal(map[string]any{"fileHash": fmt.Sprintf("%x", i.FileHash), "bytes": i.FileSize, "dryRun": i.DryRun, "complete": i.Complete, "acceptShrink": i.Shrink})
	if err != nil {
		return res, fault.Wrap(err, "tell of an import")
	}
	e := s.event(i, "import.begin", detail)
	e.Actor, e.ActorName, e.Outcome, e.RequestID = c.Viewer.Ref(), c.Viewer.Name(), d.Outcome, c.RequestID
	u := ledger.Unit{Decisions: []im.Decision{d}, Events: []im.AuditEvent{e}}
	switch {
	case d.Outcome == im.Deny:
		f := fault.New(fault.PolicyDenied, "policy_denied")
		f.DecisionID = d.ID
		res.Faults = append(res.Faults, f)
	case d.Outcome == im.Review && !waits: // who would have to agree needs a workspace to stand on, and the directory is of none
		f := fault.New(fault.ApprovalRequired, "import_review")
		f.DecisionID = d.ID
		res.Faults = append(res.Faults, f)
	default:
		if err := s.keep(ctx, i.ID, in.File); err != nil {
			return Result{}, err
		}
		if d.Outcome == im.Review {
			i.Bulk = authz.BulkApproved // what people let through, or what a dry run shows of it
			if !i.DryRun {
				i.State = im.JobPending
				res.Approval = s.desk.Ask(&u, im.Approval{Action: d.Action, Subject: im.Ref{Kind: im.KindImport, ID: i.ID}, WorkspaceID: i.WorkspaceID,
					RequestedBy: i.RequestedBy, About: im.Company, RequestHash: s.bind(i)}, d, candidates)
			}
		}
		res.Import = &i
		u.Imports = []im.Import{i}
	}
	if c.Key != "" {
		b, err := json.Marshal(res)
		if err != nil {
			return Result{}, fault.Wrap(err, "encode result")
		}
		u.Answer = &ledger.Answer{ActorID: c.Viewer.ID(), Key: c.Key, Operation: operation(in.Kind), RequestHash: print, Result: b, At: s.o.Now()}
	}
	err = s.Post(ctx, u)
	if errors.Is(err, ledger.ErrAnswered) {
		a, err := s.Answer(ctx, c.Viewer.ID(), c.Key)
		return s.replay(ctx, a, operation(in.Kind), print, err)
	}
	if err != nil {
		return Result{}, err
	}
	s.o.Wake()
	s.nudge()
	return res, nil
}

// keep keeps a file in pieces.
func (s *Service) keep(ctx context.Context, imp im.ID, file io.ReadSeeker) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fault.Wrap(err, "read file")
	}
	b := make([]byte, chunkSize)
	for n := 0; ; n++ {
		size, err := io.ReadFull(file, b)
		if size > 0 {
			if err := s.KeepChunk(ctx, imp, n, b[:size]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, "read file")
		}
	}
}

// replay gives the answer that an idempotency key got, with the import as it stands now.
func (s *Service) replay(ctx context.Context, a *ledger.Answer, operation string, print []byte, err error) (Result, error) {
	var res Result
	if err != nil || a == nil {
		return res, err
	}
	if a.Operation != operation || string(a.RequestHash) != string(print) {
		f := fault.New(fault.IdempotencyKeyReused, "key_reused")
		f.Path = []string{"idempotencyKey"}
		return Result{Faults: []*fault.Error{f}}, nil
	}
	if err := json.Unmarshal(a.Result, &res); err != nil {
		return res, fault.Wrap(err, "decode answer")
	}
	if res.Import != nil {
		now, found, err := s.Import(ctx, res.Import.ID)
		if err != nil || !found {
			return res, err
		}
		res.Import = &now
	}
	return res, nil
}

// operation is what the idempotency key of a kind of import is for.
func operation(k im.ImportKind) string {
	if k == im.DirectoryImport {
		return authz.ActionImportDirectory
	}
	return "import_" + strings.ToLower(string(k))
}

// Asker is a kind of which policy is asked about a file as a whole, by what is in it. An import of it may wait for people.
type Asker interface {
	// Ask notes in the import what is in the file, and that its rows are part of a bulk. Gone: who asks for it has left.
	Ask(ctx context.Context, v im.Viewer, gone bool, i *im.Import, file io.Reader) (im.Decision, *fault.Error, error)
	// Place is where an import is, and how a viewer stands there; nil where that is gone.
	Place(ctx context.Context, v im.Viewer, i im.Import) (*im.Workspace, string, error)
}

// decide asks policy whether the caller may have a file taken in.
func (s *Service) decide(ctx context.Context, c Call, i *im.Import, file io.ReadSeeker) (im.Decision, *fault.Error, error) {
	if k, ok := s.o.Kinds[i.Kind].(Asker); ok {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return im.Decision{}, nil, fault.Wrap(err, "read file")
		}
		return k.Ask(ctx, c.Viewer, false, i, file)
	}
	m := c.Viewer.Member
	r := authz.Request{Action: authz.ActionImportDirectory, Object: authz.Object{Type: authz.TypeDirectory, ID: i.ID.String()},
		Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank, JobFunction: string(m.JobFunction), Status: c.Viewer.Standing(),
			Employment: string(m.Employment)}}
	if v := c.Viewer; v.IsService() {
		r.Actor = authz.Actor{ID: v.Service.ID.String(), Roles: v.Service.Scopes, Status: string(im.AccountActive)}
	}
	d, err := s.o.Policy.Engine().Decide(ctx, r)
	if err != nil {
		return im.Decision{}, nil, err
	}
	out := im.Decision{ID: s.o.IDs.New(), At: s.o.Now(), Action: r.Action, ActorID: c.Viewer.ID(), Target: im.Ref{Kind: im.KindImport, ID: i.ID},
		Outcome: d.Outcome, Needs: d.Needs, Obligations: d.Obligations, PolicyVersion: d.Version, Facts: r.Facts(), Times: 1}
	for _, rule := range d.Rules {
		out.Rules = append(out.Rules, rule.Ref())
	}
	return out, nil, nil
}

// Run works off what was received, here or by another replica, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	const look = time.Second
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for kind := range s.o.Kinds {
			for s.runOne(ctx, kind) {
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.received:
		}
	}
}

func (s *Service) nudge() {
	select {
	case s.received <- struct{}{}:
	default:
	}
}

// runOne works one import off, and reports whether there was one.
func (s *Service) runOne(ctx context.Context, kind im.ImportKind) bool {
	now := s.o.Now()
	i, found, err := s.ClaimImport(ctx, kind, im.ID{}, now, now.Add(held))
	if err == nil && found {
		i, err = s.run(ctx, i, func() (io.ReadCloser, error) { return io.NopCloser(s.kept(ctx, i.ID)), nil }, func(im.Import) {})
		if err != nil && ctx.Err() != nil { // whoever comes next need not wait
			err = s.ReleaseImport(context.WithoutCancel(ctx), i)
		}
	}
	switch {
	case err != nil && ctx.Err() == nil: // it is held on to, so that it is not tried again at once
		s.o.Log.WarnContext(ctx, "taking in a file failed; it is tried again", "import", i.ID.String(), "error", err)
		return false
	case found && err == nil && ctx.Err() == nil:
		s.o.Log.InfoContext(ctx, "a file was taken in", "import", i.ID.String(), "state", string(i.State), "accepted", i.Accepted, "rejected", i.Rejected,
			"unchanged", i.Unchanged)
	}
	return found && ctx.Err() == nil
}

// kept reads a kept file from its begin on.
func (s *Service) kept(ctx context.Context, imp im.ID) io.Reader {
	return &chunks{ctx: ctx, s: s, imp: imp}
}

// chunks reads a kept file.
type chunks struct {
	ctx  context.Context
	s    *Service
	imp  im.ID
	n    int
	rest []byte
}

// Read is part of io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		b, err := c.s.Chunk(c.ctx, c.imp, c.n)
		if err != nil {
			return 0, err
		}
		if b == nil {
			return 0, io.EOF
		}
		c.rest = b
		c.n++
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// See reads an import that the viewer may see.
func (s *Service) See(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.Import, error) {
	return s.Imports(ctx, v, ids)
}

// SeeRows reads rows of imports that the viewer may see.
func (s *Service) SeeRows(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]Verdict, error) {
	rows, err := s.ImportRowsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	var of []im.ID
	for _, r := range rows {
		if !slices.Contains(of, r.Import) {
			of = append(of, r.Import)
		}
	}
	seen, err := s.Imports(ctx, v, of)
	out := map[im.ID]Verdict{}
	for id, r := range rows {
		if _, ok := seen[r.Import]; ok {
			out[id] = r.Verdict
		}
	}
	return out, err
}
