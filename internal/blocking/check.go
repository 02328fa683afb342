package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
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
	me := c.Viewer.ID()
	d, err := s.decide(ctx, checkQuestion(c.Viewer, in.To, in.From.ID == me || in.To.ID == me, f))
	if err != nil {
		return nil, err
	}
	if d.Outcome != im.Allow {
		return nil, s.forbid(ctx, c, d)
	}
	if err := s.sample(ctx, d); err != nil {
		return nil, err
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

// checkQuestion is whether somebody may ask for a contact check; party: he is one of the two.
func checkQuestion(v im.Viewer, to im.Ref, party bool, f CheckFacts) question {
	return question{action: authz.ActionCheckContact, viewer: v, target: to, standing: string(im.AccountActive),
		object: authz.Object{Type: authz.TypePair, Party: party, Below: f.Below}}
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
