package messaging

import (
	"context"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// Recall takes a message back: from then on it shows as taken back, without its text; only who may read all messages still reads
// that. Of one that was taken back already nothing changes. Faults, in this order: NOT_FOUND, POLICY_DENIED.
func (s *Service) Recall(ctx context.Context, c Call, id im.ID) (Result, error) {
	return s.run(ctx, authz.ActionRecallMessage, c, id, func() (res Result, u ledger.Unit, err error) {
		now := s.o.Now()
		found, err := s.store.Messages(ctx, c.Viewer, []im.ID{id}, now)
		if err != nil {
			return res, u, err
		}
		m, there := found[id]
		if !there {
			return missing("messageId", "not_found_message")
		}
		f, err := s.store.SendFacts(ctx, SendQuery{Viewer: c.Viewer, WorkspaceID: m.WorkspaceID})
		if err != nil {
			return res, u, err
		}
		d, err := s.decide(ctx, c.Viewer, question{action: authz.ActionRecallMessage, standing: f.Standing, workspace: *f.Workspace, target: m.Ref(),
			object: authz.Object{Type: authz.TypeMessage, ID: id.String(), Mine: m.Sender == c.Viewer.Ref()}})
		if err != nil {
			return res, u, err
		}
		u.Decisions = []im.Decision{d}
		u.Events = []im.AuditEvent{s.event(c, authz.ActionRecallMessage, d, m.Ref())}
		if refused := refusal(d); refused != nil {
			return prevented(u, d, refused)
		}
		if m.RecalledAt.IsZero() {
			m.RecalledAt, m.RecalledBy = now, c.Viewer.ID()
			u.Recalled = []im.Message{m}
			if m.Announcement {
				u.Changes = append(u.Changes, im.DirectoryChange(s.o.IDs.New(), now, im.Ref{Kind: im.KindGroup, ID: m.GroupID}, im.Updated, m.WorkspaceID))
			}
		}
		return Result{Decision: &d, Message: &m, MessageID: id}, u, nil
	})
}
