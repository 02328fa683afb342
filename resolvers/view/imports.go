package view

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
	"github.com/guanxi-im/guanxi/internal/page"
)

// DirectoryImport is a file that is taken in.
type DirectoryImport struct {
	b   *Batch
	row im.Import
}

// DirectoryImport presents an import.
func (b *Batch) DirectoryImport(i im.Import) *DirectoryImport {
	return show(b, &b.shown.imports, &DirectoryImport{b, i})
}

// The methods of DirectoryImport are the fields of the schema.
func (*DirectoryImport) IsNode()                 {}
func (i *DirectoryImport) ID() string            { return id(im.KindImport, i.row.ID) }
func (i *DirectoryImport) State() model.JobState { return model.JobState(i.row.State) }
func (i *DirectoryImport) Total() int            { return i.row.Total() }
func (i *DirectoryImport) Accepted() int         { return i.row.Accepted }
func (i *DirectoryImport) Rejected() int         { return i.row.Rejected }
func (i *DirectoryImport) Unchanged() int        { return i.row.Unchanged }
func (i *DirectoryImport) DryRun() bool          { return i.row.DryRun }
func (i *DirectoryImport) Complete() bool        { return i.row.Complete }
func (i *DirectoryImport) CreatedAt() time.Time  { return i.row.CreatedAt }
func (i *DirectoryImport) EndedAt() *time.Time   { return at(i.row.EndedAt) }
func (i *DirectoryImport) RequestedBy(ctx context.Context) (*Member, error) {
	return to(ctx, i.b, "DirectoryImport.requestedBy", &i.b.shown.imports, members, i, func(i *DirectoryImport) im.ID { return i.row.RequestedBy })
}

func (i *DirectoryImport) LastError() (*string, error) {
	if len(i.row.Error) == 0 {
		return nil, nil
	}
	var f fault.Error
	if err := json.Unmarshal(i.row.Error, &f); err != nil {
		return nil, fault.Wrap(err, "read why an import failed")
	}
	return some(Sentence(&f, i.b.lang)), nil
}

func (i *DirectoryImport) ErrorsPath() *string {
	if i.row.Rejected == 0 {
		return nil
	}
	return some("/imports/" + i.ID() + "/errors.csv")
}

func (i *DirectoryImport) key() im.ID { return i.row.ID }

// Rows presents a page of the rows of the file.
func (i *DirectoryImport) Rows(ctx context.Context, first *int, after *string, last *int, before *string, onlyRejected *bool) (*ImportRowConnection, error) {
	r, err := page.Parse(intake.RowsByLine, page.Args{First: first, After: after, Last: last, Before: before}, false)
	if err != nil {
		return nil, err
	}
	rejected := onlyRejected != nil && *onlyRejected
	return pagesOf(ctx, i.b, "DirectoryImport.rows", []any{r, rejected}, &i.b.shown.imports, i, func(ctx context.Context, ids []im.ID) (map[im.ID]page.Result[intake.Verdict], error) {
		imps := i.b.importsShown(ids)
		out, err := i.b.src.Imports.ImportRows(ctx, imps, rejected, r)
		for _, imp := range imps {
			total := imp.Total()
			if rejected {
				total = imp.Rejected
			}
			if res, ok := out[imp.ID]; ok && total <= page.CountMax {
				res.Total = &total
				out[imp.ID] = res
			}
		}
		return out, err
	}, (*Batch).ImportRowPage)
}

// importsShown are those with some ids.
func (b *Batch) importsShown(ids []im.ID) (out []im.Import) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.shown.imports {
		if slices.Contains(ids, i.row.ID) {
			out = append(out, i.row)
		}
	}
	return out
}

// ImportRow is one row of an import.
type ImportRow struct {
	b   *Batch
	row intake.Verdict
}

// ImportRow presents a row.
func (b *Batch) ImportRow(v intake.Verdict) *ImportRow {
	return show(b, &b.shown.importRows, &ImportRow{b, v})
}

// The methods of ImportRow are the fields of the schema.
func (*ImportRow) IsNode()      {}
func (r *ImportRow) ID() string { return id(im.KindImportRow, r.row.ID) }
func (r *ImportRow) Line() int  { return r.row.Line }

// Verdict of a row that waits for others is still open, as that of one that waits for people.
func (r *ImportRow) Verdict() model.ImportVerdict {
	if r.row.Verdict == im.RowWaiting {
		return model.ImportVerdictInReview
	}
	return model.ImportVerdict(r.row.Verdict)
}

func (r *ImportRow) Code() *model.ErrorCode {
	if r.row.Note == nil {
		return nil
	}
	return some(model.ErrorCode(r.row.Note.Code))
}

func (r *ImportRow) Message() *string {
	if r.row.Note == nil {
		return nil
	}
	if r.row.Note.Code == fault.PolicyDenied {
		return some(r.b.src.Imports.Sentence(r.row.Note, r.b.lang))
	}
	return some(Sentence(r.row.Note, r.b.lang))
}

func (r *ImportRow) Path() []string {
	if r.row.Note == nil {
		return nil
	}
	return r.row.Note.Path
}

func (r *ImportRow) Subject(ctx context.Context) (Node, error) {
	n := next(r.b, "ImportRow.subject", &r.b.shown.importRows, func(n *Batch, r *ImportRow) { n.announceNode(r.row.Subject) })
	return n.Node(ctx, r.row.Subject)
}

// ImportRowConnection is a page as the schema shapes it.
type ImportRowConnection struct {
	shape[intake.Verdict]
	Nodes []*ImportRow
}

// Edges are the rows with their cursors.
func (c *ImportRowConnection) Edges() []*ImportRowEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *ImportRow) *ImportRowEdge { return &ImportRowEdge{at, n} })
}

// ImportRowEdge is one row of it.
type ImportRowEdge struct {
	Cursor string
	Node   *ImportRow
}

// ImportRowPage presents a page.
func (b *Batch) ImportRowPage(r page.Result[intake.Verdict]) *ImportRowConnection {
	return &ImportRowConnection{shapeOf(r), All(r.Nodes, b.ImportRow)}
}

// ImportDirectoryPayload is what came of a wished import.
type ImportDirectoryPayload struct {
	Command
	Import *DirectoryImport
}

// IsCommandPayload: it has a payload's fields.
func (*ImportDirectoryPayload) IsCommandPayload() {}

// ImportDirectoryPayload presents what came of a wished import.
func (b *Batch) ImportDirectoryPayload(r intake.Result) *ImportDirectoryPayload {
	c, _ := b.command(blocking.Result{Decision: r.Decision, Faults: r.Faults})
	if r.Approval != nil {
		c.Approval = b.Approval(*r.Approval)
	}
	out := &ImportDirectoryPayload{Command: c}
	if r.Import != nil {
		out.Import = b.DirectoryImport(*r.Import)
	}
	return out
}

// BlacklistImport is a blacklist that is taken in.
type BlacklistImport struct{ *DirectoryImport }

// The methods of BlacklistImport are the fields of the schema that a file of the directory has not.
func (i *BlacklistImport) Total() int    { return max(i.row.Rows, i.row.Total()) } // they were counted before it was let in
func (i *BlacklistImport) InReview() int { return i.row.InReview }
func (i *BlacklistImport) Workspace(ctx context.Context) (*Workspace, error) {
	return i.b.workspace(ctx, i.row.WorkspaceID)
}

// ImportBlacklistPayload is what came of a wished import.
type ImportBlacklistPayload struct {
	Command
	Import *BlacklistImport
}

// IsCommandPayload: it has a payload's fields.
func (*ImportBlacklistPayload) IsCommandPayload() {}

// ImportBlacklistPayload presents what came of a wished import.
func (b *Batch) ImportBlacklistPayload(r intake.Result) *ImportBlacklistPayload {
	p := b.ImportDirectoryPayload(r)
	out := &ImportBlacklistPayload{Command: p.Command}
	if p.Import != nil {
		out.Import = &BlacklistImport{p.Import}
	}
	return out
}

// BlacklistImportConnection is a page as the schema shapes it.
type BlacklistImportConnection struct {
	shape[im.Import]
	Nodes []*BlacklistImport
}

// Edges are the rows with their cursors.
func (c *BlacklistImportConnection) Edges() []*BlacklistImportEdge {
	return edges(&c.shape, c.Nodes, func(at string, n *BlacklistImport) *BlacklistImportEdge { return &BlacklistImportEdge{at, n} })
}

// BlacklistImportEdge is one row of it.
type BlacklistImportEdge struct {
	Cursor string
	Node   *BlacklistImport
}

// BlacklistImportPage presents a page.
func (b *Batch) BlacklistImportPage(r page.Result[im.Import]) *BlacklistImportConnection {
	return &BlacklistImportConnection{shapeOf(r), All(r.Nodes, func(i im.Import) *BlacklistImport { return &BlacklistImport{b.DirectoryImport(i)} })}
}
