package intake

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// approvers asks who may agree to an import.
func approvers(i im.Import) approval.Query {
	return approval.Query{RequesterID: i.RequestedBy, InitiatorID: i.RequestedBy, WorkspaceID: i.WorkspaceID}
}

// bind is what an approval of an import stands for: this file, of so many rows, for this workspace.
func (s *Service) bind(i im.Import) []byte {
	return s.Fingerprint(fmt.Appendf(nil, "%s %s %s %x %d", operation(i.Kind), i.ID, i.WorkspaceID, i.FileHash, i.Rows))
}

// matter is an import that waits for agreement.
type matter struct {
	s        *Service
	kind     Asker
	i        im.Import
	a        im.Approval
	w        im.Workspace
	standing string
	kept     []byte       // the hash of the file as it is kept now
	hindered *fault.Error // why it cannot be done any more, as Again found
}

// Matter reads what an approval is about; nil where that is gone.
func (s *Service) Matter(ctx context.Context, v im.Viewer, a im.Approval) (approval.Matter, error) {
	i, found, err := s.Import(ctx, a.Subject.ID)
	if err != nil || !found {
		return nil, err
	}
	kind, ok := s.o.Kinds[i.Kind].(Asker)
	if !ok {
		return nil, nil
	}
	w, standing, err := kind.Place(ctx, v, i)
	if err != nil || w == nil {
		return nil, err
	}
	m := &matter{s: s, kind: kind, i: i, a: a, w: *w, standing: standing}
	if i.State == im.JobPending {
		sum := sha256.New()
		if _, err := io.Copy(sum, s.kept(ctx, i.ID)); err != nil {
			return nil, err
		}
		m.kept = sum.Sum(nil)
	}
	return m, nil
}

// Place is where the import is. It has no name.
func (m *matter) Place() (im.Workspace, string, string) { return m.w, m.standing, "" }

// Approvers asks who may agree.
func (m *matter) Approvers() approval.Query { return approvers(m.i) }

// Made is nobody: what a file makes was not asked for before.
func (m *matter) Made() []im.Need { return nil }

// Bind is the file as it is kept.
func (m *matter) Bind() []byte {
	i := m.i
	i.FileHash = m.kept
	return m.s.bind(i)
}

// Again asks policy anew about the file. What the requester did of late is of late when he asked for it.
func (m *matter) Again(ctx context.Context) (im.Decision, error) {
	requester, err := m.s.o.Viewer(ctx, m.a.RequestedBy)
	gone := fault.Is(err, fault.Unauthenticated)
	if gone {
		requester, err = im.Viewer{Member: im.Member{ID: m.a.RequestedBy}}, nil
	}
	if err != nil {
		return im.Decision{}, err
	}
	i := m.i
	d, f, err := m.kind.Ask(ctx, requester, gone, &i, m.s.kept(ctx, i.ID))
	if f != nil { // what could be done when it was asked for cannot be done any more
		m.hindered = f
		return im.Decision{}, f
	}
	return d, err
}

// CarryOut lets the import run, its rows as part of what was agreed to as a whole, where policy still lets it.
func (m *matter) CarryOut(u *ledger.Unit, a im.Approval, again im.Decision) {
	if again.Outcome == im.Deny {
		m.end(u, fault.New(fault.ApprovalRequired, "import_changed_mind"))
		return
	}
	i := m.i
	i.State, i.Bulk = im.JobRunning, authz.BulkApproved
	u.Approved = append(u.Approved, i)
	e := m.s.event(i, "import.run", nil)
	e.Outcome, e.DecisionID = again.Outcome, again.ID
	u.Events = append(u.Events, e)
}

// Drop ends the import.
func (m *matter) Drop(u *ledger.Unit, _ im.Approval, _ bool) {
	if m.hindered != nil {
		m.end(u, m.hindered)
		return
	}
	m.end(u, fault.New(fault.ApprovalRequired, "import_unapproved"))
}

func (m *matter) end(u *ledger.Unit, why *fault.Error) {
	i := m.i
	i.State, i.EndedAt = im.JobCancelled, m.s.o.Now()
	b, err := json.Marshal(why)
	if err != nil { // there is nothing in it that could not be written
		panic(err)
	}
	i.Error = b
	u.ImportSteps = append(u.ImportSteps, i)
	u.Events = append(u.Events, m.s.ended(i))
}
