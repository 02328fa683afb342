package view

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// UserError is one thing that went wrong with a command.
type UserError struct {
	b        *Batch
	f        *fault.Error
	decision *Decision
}

// The methods of UserError are the fields of the schema.
func (e *UserError) Code() model.ErrorCode { return model.ErrorCode(e.f.Code) }
func (e *UserError) Path() []string        { return e.f.Path }
func (e *UserError) Decision() *Decision   { return e.decision }
func (e *UserError) Workspace(ctx context.Context) (*Workspace, error) {
	return e.b.workspace(ctx, e.f.Workspace)
}

// Message of a refusal is its decision's reason.
func (e *UserError) Message() string {
	if e.f.Code == fault.PolicyDenied && e.decision != nil {
		return e.decision.Reason()
	}
	return Sentence(e.f, e.b.lang)
}

// Sentence is the fault's sentence; what stands in the way is named by the id that clients know.
func Sentence(f *fault.Error, l fault.Language) string {
	if !f.About.IsZero() {
		named := *f
		named.Args = []string{nodeid.Of(f.About)}
		f = &named
	}
	return f.Text(l)
}

// Command is what every payload has.
type Command struct {
	Decision   *Decision
	Approval   *Approval
	UserErrors []*UserError
}

// command presents a result. Decision and approval of the whole are there where there was one part.
func (b *Batch) command(r blocking.Result) (c Command, decisions []*Decision) {
	byID := make(map[im.ID]*Decision)
	for _, p := range r.Parts {
		d := b.Decision(p.Decision)
		if p.Preview {
			d.who = p.Candidates
		}
		byID[p.Decision.ID] = d
		decisions = append(decisions, d)
	}
	if len(r.Parts) == 1 {
		c.Decision = decisions[0]
		if a := r.Parts[0].Approval; a != nil && !r.Parts[0].Preview {
			c.Approval = b.Approval(*a)
		}
	}
	if r.Decision != nil {
		c.Decision = b.Decision(*r.Decision)
		byID[r.Decision.ID] = c.Decision
	}
	c.UserErrors = All(r.Faults, func(f *fault.Error) *UserError { return &UserError{b, f, byID[f.DecisionID]} })
	return c, decisions
}

// BlockPayload is what came of a wished block.
type BlockPayload struct {
	Command
	Results []*BlockResult
}

// IsCommandPayload: it has a payload's fields.
func (*BlockPayload) IsCommandPayload() {}

// BlockPayload presents what came of a wished block.
func (b *Batch) BlockPayload(r blocking.Result) *BlockPayload {
	c, decisions := b.command(r)
	out := &BlockPayload{Command: c, Results: []*BlockResult{}}
	for i, p := range r.Parts {
		out.Results = append(out.Results, &BlockResult{b: b, part: p, Decision: decisions[i]})
	}
	return out
}

// BlockResult is what came of it on one workspace.
type BlockResult struct {
	b        *Batch
	part     blocking.Part
	Decision *Decision
}

// The methods of BlockResult are the fields of the schema.
func (r *BlockResult) Enforcement() model.Enforcement { return model.Enforcement(r.part.Enforcement) }
func (r *BlockResult) Workspace(ctx context.Context) (*Workspace, error) {
	return r.b.workspace(ctx, r.part.WorkspaceID)
}

func (r *BlockResult) Warnings() []*RiskSignal { return r.b.signals(r.part.Risk) }

func (r *BlockResult) Relationship() *Relationship {
	if r.part.Relationship == nil || r.part.Preview {
		return nil
	}
	return r.b.Relationship(*r.part.Relationship)
}

func (r *BlockResult) Approval() *Approval {
	if r.part.Approval == nil || r.part.Preview {
		return nil
	}
	return r.b.Approval(*r.part.Approval)
}

func (r *BlockResult) Effects(ctx context.Context) ([]*Effect, error) {
	if !r.part.Effective {
		return []*Effect{}, nil
	}
	return r.b.effects(ctx, *r.part.Relationship, false)
}

func (r *BlockResult) Undo() *model.UndoTerms {
	if r.part.Relationship == nil {
		return nil
	}
	return undoTerms(*r.part.Relationship)
}

func (r *BlockResult) EffectiveAt() *time.Time {
	if r.part.Relationship == nil {
		return nil
	}
	return at(r.part.Relationship.EffectiveAt)
}

// BlockManyPayload is what came of many wished blocks.
type BlockManyPayload struct {
	Command
	Results []*BlockPayload
}

// IsCommandPayload: it has a payload's fields.
func (*BlockManyPayload) IsCommandPayload() {}

// BlockManyPayload presents what came of many wished blocks.
func (b *Batch) BlockManyPayload(m blocking.Many) *BlockManyPayload {
	c, _ := b.command(m.Whole)
	if len(m.Rows) == 0 {
		return &BlockManyPayload{Command: c}
	}
	return &BlockManyPayload{c, All(m.Rows, b.BlockPayload)}
}

// BlockPreview is what a wish would come to.
type BlockPreview struct {
	b *Batch
	p blocking.Preview
	*BlockPayload
}

// BlockPreview presents what a wish would come to.
func (b *Batch) BlockPreview(p blocking.Preview) *BlockPreview {
	return &BlockPreview{b, p, b.BlockPayload(p.Result)}
}

// The methods of BlockPreview are the fields of the schema.
func (p *BlockPreview) Risk() *Risk                     { return &Risk{p.b, p.p.Risk} }
func (p *BlockPreview) OpenOpportunityValue() string    { return money(p.p.OpenValue) }
func (p *BlockPreview) OpenOpportunityCurrency() string { return p.p.Currency }
func (p *BlockPreview) Advice() []string {
	return All(p.p.Advice, func(key string) string { return (&fault.Error{Key: key}).Text(p.b.lang) })
}

func (p *BlockPreview) Effects(ctx context.Context) ([]*Effect, error) {
	out := []*Effect{}
	for _, r := range p.Results {
		effects, err := r.Effects(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, effects...)
	}
	return out, nil
}

// Risk is how risky something is.
type Risk struct {
	b    *Batch
	risk blocking.Risk
}

// The methods of Risk are the fields of the schema.
func (r *Risk) Level() model.RiskLevel { return model.RiskLevel(r.risk.Level) }
func (r *Risk) Score() float64         { return r.risk.Score }
func (r *Risk) Signals() []*RiskSignal { return r.b.signals(r.risk) }

// RiskSignal is one thing that makes something risky.
type RiskSignal struct {
	Code, Message string
	Weight        float64
}

// signals presents signals, each with the sentence of its policy line.
func (b *Batch) signals(r blocking.Risk) []*RiskSignal {
	return All(r.Signals, func(x blocking.Signal) *RiskSignal {
		return &RiskSignal{x.Code, b.src.Reason(im.Decision{Outcome: im.Allow, Rules: []im.RuleRef{{Name: x.Rule}}}, b.lang), x.Weight}
	})
}

// UndoPayload is what came of ending a relationship.
type UndoPayload struct {
	Command
	Relationship *Relationship
}

// IsCommandPayload: it has a payload's fields.
func (*UndoPayload) IsCommandPayload() {}

// UndoPayload presents what came of ending a relationship.
func (b *Batch) UndoPayload(r blocking.Result) *UndoPayload {
	c, _ := b.command(r)
	out := &UndoPayload{Command: c}
	if len(r.Parts) == 1 && r.Parts[0].Relationship != nil {
		out.Relationship = b.Relationship(*r.Parts[0].Relationship)
	}
	return out
}

// DecideApprovalPayload is what came of a verdict.
type DecideApprovalPayload struct{ Command }

// IsCommandPayload: it has a payload's fields.
func (*DecideApprovalPayload) IsCommandPayload() {}

// DecideApprovalPayload presents what came of a verdict.
func (b *Batch) DecideApprovalPayload(r blocking.Result) *DecideApprovalPayload {
	c, _ := b.command(r)
	return &DecideApprovalPayload{c}
}

// ContactCheck is the answer of a contact check.
type ContactCheck struct {
	b       *Batch
	in      blocking.CheckInput
	check   blocking.Check
	because []*Relationship // presented with all checks, so that what hangs on them is asked for at once
}

// ContactCheck presents an answer.
func (b *Batch) ContactCheck(in blocking.CheckInput, c blocking.Check) *ContactCheck {
	b.announceNode(in.From)
	b.announceNode(in.To)
	return &ContactCheck{b, in, c, All(c.Because, b.Relationship)}
}

// The methods of ContactCheck are the fields of the schema.
func (c *ContactCheck) Allowed() bool                           { return c.check.Allowed }
func (c *ContactCheck) Channel() model.Channel                  { return model.Channel(c.in.Channel) }
func (c *ContactCheck) From(ctx context.Context) (Party, error) { return c.b.party(ctx, c.in.From) }
func (c *ContactCheck) To(ctx context.Context) (Party, error)   { return c.b.party(ctx, c.in.To) }
func (c *ContactCheck) Workspace(ctx context.Context) (*Workspace, error) {
	return c.b.workspace(ctx, c.in.Workspace)
}
func (c *ContactCheck) Because() []*Relationship { return c.because }
func (c *ContactCheck) Enforcement() *model.Enforcement {
	if c.check.Enforcement == "" {
		return nil
	}
	e := model.Enforcement(c.check.Enforcement)
	return &e
}

// RelationshipChange is one step of a relationship.
type RelationshipChange struct {
	Cursor         string
	RelationshipID string
	Relationship   *Relationship
	PreviousState  *model.RelationshipState
}

// RelationshipChange presents a step.
func (b *Batch) RelationshipChange(cursor string, c im.Change) *RelationshipChange {
	out := &RelationshipChange{Cursor: cursor, RelationshipID: id(im.KindRelationship, c.About.ID), PreviousState: some(model.RelationshipState(c.PreviousState))}
	if c.Relationship != nil {
		out.Relationship = b.Relationship(*c.Relationship)
	}
	return out
}

// ApprovalChange is one step of a request.
type ApprovalChange struct {
	Cursor        string
	ApprovalID    string
	Approval      *Approval
	PreviousState *model.ApprovalState
}

// ApprovalChange presents a step.
func (b *Batch) ApprovalChange(cursor string, c im.Change) *ApprovalChange {
	out := &ApprovalChange{Cursor: cursor, ApprovalID: id(im.KindApproval, c.About.ID), PreviousState: some(model.ApprovalState(c.PreviousState))}
	if c.Approval != nil {
		out.Approval = b.Approval(*c.Approval)
	}
	return out
}

// AlertChange is an alert that was raised.
type AlertChange struct {
	Cursor string
	Alert  *Alert
}

// AlertChange presents an alert that was raised.
func (b *Batch) AlertChange(cursor string, c im.Change) *AlertChange {
	return &AlertChange{cursor, b.Alert(*c.Alert)}
}

// DirectoryChange is what became of a thing of the directory.
type DirectoryChange struct {
	b      *Batch
	ref    im.Ref
	Cursor string
	Kind   model.ChangeKind
}

// DirectoryChange presents what became of a thing of the directory.
func (b *Batch) DirectoryChange(cursor string, c im.Change) *DirectoryChange {
	return &DirectoryChange{b, c.About, cursor, model.ChangeKind(c.What)}
}

// The methods of DirectoryChange are the fields of the schema.
func (c *DirectoryChange) NodeID() string                         { return id(c.ref.Kind, c.ref.ID) }
func (c *DirectoryChange) Node(ctx context.Context) (Node, error) { return c.b.Node(ctx, c.ref) }

// AcknowledgeAlertPayload is what came of taking note of an alert.
type AcknowledgeAlertPayload struct {
	Command
	Alert *Alert
}

// IsCommandPayload: it has a payload's fields.
func (*AcknowledgeAlertPayload) IsCommandPayload() {}

// AcknowledgeAlertPayload presents what came of taking note of an alert.
func (b *Batch) AcknowledgeAlertPayload(r blocking.Result) *AcknowledgeAlertPayload {
	c, _ := b.command(r)
	out := &AcknowledgeAlertPayload{Command: c}
	if len(r.Parts) == 1 && r.Parts[0].Alert != nil {
		out.Alert = b.Alert(*r.Parts[0].Alert)
	}
	return out
}

// Viewer is who asks.
type Viewer struct {
	b       *Batch
	offered []string
}

// Viewer presents who asks. offered are the actions that there is a way to carry out here: policy may know more.
func (b *Batch) Viewer(offered []string) *Viewer { return &Viewer{b, offered} }

// The methods of Viewer are the fields of the schema.
func (v *Viewer) Member() *Member {
	if v.b.viewer.IsService() {
		return nil
	}
	return v.b.Member(v.b.viewer.Member)
}

func (v *Viewer) Service() *string {
	if !v.b.viewer.IsService() {
		return nil
	}
	return &v.b.viewer.Service.Name
}

func (v *Viewer) Roles() []string { return append([]string{}, v.b.viewer.Roles...) }

// May is what policy could allow, of what is offered, on the platforms that the viewer has an account on; a service is on all.
func (v *Viewer) May(ctx context.Context) ([]string, error) {
	accounts, err := v.b.accountsOf.get(ctx, v.b.viewer.Member.ID)
	if err != nil {
		return nil, err
	}
	all, err := v.b.workspaces.get(ctx, true)
	if err != nil {
		return nil, err
	}
	var platforms []string
	for _, w := range all {
		on := slices.ContainsFunc(accounts, func(a *Account) bool { return a.row.WorkspaceID == w.row.ID })
		if (on || v.b.viewer.IsService()) && !slices.Contains(platforms, w.row.Platform) {
			platforms = append(platforms, w.row.Platform)
		}
	}
	could := v.b.src.Blocking.Could(v.b.viewer, platforms)
	return slices.DeleteFunc(append([]string{}, could...), func(action string) bool { return !slices.Contains(v.offered, action) }), nil
}

// PruneBlacklistPayload is what was removed.
type PruneBlacklistPayload struct {
	Command
	Removed int
	More    bool
}

// IsCommandPayload: it has a payload's fields.
func (*PruneBlacklistPayload) IsCommandPayload() {}

// PruneBlacklistPayload presents what was removed.
func (b *Batch) PruneBlacklistPayload(p blocking.Pruned) *PruneBlacklistPayload {
	c, _ := b.command(p.Result)
	return &PruneBlacklistPayload{Command: c, Removed: p.Removed, More: p.More}
}
