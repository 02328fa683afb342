package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/page"
)

// CheckInput asks whether From may reach To on a channel.
type CheckInput struct {
	From, To  im.Ref
	Channel   im.Channel
	Workspace im.ID // zero: all that both are on, of which none may refuse
}

// Check is the answer. Because names only what the viewer may read: of a refusal with nothing to name, more is not
// for this viewer to know.
type Check struct {
	Allowed     bool
	Enforcement im.Enforcement // of a refusal, as far as the viewer may know
	Because     []im.Relationship
}

// ContactCheck answers whether one party may reach another now; nil where the viewer may not see both. Whoever is
// neither of the two nor above them is refused (FORBIDDEN): the answer would tell who blocked whom.
func (s *Service) ContactCheck(ctx context.Context, c Call, in CheckInput) (*Check, error) {
	f, err := s.store.CheckFacts(ctx, CheckQuery{Viewer: c.Viewer, From: in.From, To: in.To, Workspace: in.Workspace, Now: s.o.Now()})
	if err != nil || !f.Visible {
		return nil, err
	}
	me := c.Viewer.Member.ID
	d, err := s.decide(ctx, question{action: authz.ActionCheckContact, viewer: c.Viewer, target: in.To, standing: string(im.AccountActive),
		object: authz.Object{Type: authz.TypePair, Party: in.From.ID == me || in.To.ID == me, Below: f.Below}})
	if err != nil {
		return nil, err
	}
	if d.Outcome != im.Allow {
		u := ledger.Unit{Decisions: []im.Decision{d}, Events: []im.AuditEvent{s.event(c, authz.ActionCheckContact, d, in.To, "", in.To.ID, "")}}
		if err := s.store.Post(ctx, u); err != nil {
			return nil, err
		}
		s.o.Wake()
		refused := fault.New(fault.Forbidden, "forbidden")
		refused.DecisionID = d.ID
		return nil, refused
	}
	if !f.Common {
		return nil, fault.New(fault.BadUserInput, "no_common_account")
	}
	out := &Check{Allowed: true}
	var seen []im.ID
	for _, r := range f.Active {
		if !im.Stops(r.Kind, in.Channel, r.Target == in.From) {
			continue
		}
		out.Allowed = false
		if r.Seen {
			seen = append(seen, r.ID)
			out.Enforcement = s.o.Platforms.ChannelEnforcement(r.Workspace, r.Kind, r.Target.Kind)
		}
	}
	if len(seen) > 0 {
		rels, err := s.store.Relationships(ctx, c.Viewer, seen)
		if err != nil {
			return nil, err
		}
		for _, id := range seen {
			if r, ok := rels[id]; ok {
				out.Because = append(out.Because, r)
			}
		}
	}
	return out, nil
}

// ListRelationships reads one page of relationships, newest first.
func (s *Service) ListRelationships(ctx context.Context, v im.Viewer, f RelationshipFilter, r page.Request) (page.Result[im.Relationship], error) {
	return s.store.ListRelationships(ctx, v, f, s.o.Now(), r)
}

// ListApprovals reads one page of approvals, newest first.
func (s *Service) ListApprovals(ctx context.Context, v im.Viewer, f ApprovalFilter, r page.Request) (page.Result[im.Approval], error) {
	return s.store.ListApprovals(ctx, v, f, s.o.Now(), r)
}

// Now is the service's clock: states are judged by it.
func (s *Service) Now() time.Time { return s.o.Now() }
