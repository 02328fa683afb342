package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// CheckInput asks whether From may reach To on a channel: on all workspaces and in all groups that both are in and none of
// which may refuse, or on the one named.
type CheckInput struct {
	Pair
	Channel im.Channel
}

// Check is the answer. Because names only what the viewer may read: of a refusal with nothing to name, more is not
// for this viewer to know.
type Check struct {
	Allowed     bool
	Enforcement im.Enforcement // of a refusal, as far as the viewer may know
	Because     []im.Relationship
}

// Checked is the answer to one of many contact checks; both are nil where the viewer may not see both parties.
type Checked struct {
	Check *Check
	Err   error // why this one has no answer
}

// ContactChecks answers whether parties may reach each other now, in the order of the question. Whoever is neither of the two
// nor above them is refused (FORBIDDEN): the answer would tell who blocked whom.
func (s *Service) ContactChecks(ctx context.Context, c Call, in []CheckInput) ([]Checked, error) {
	pairs := make([]Pair, len(in))
	for i, x := range in {
		pairs[i] = x.Pair
	}
	facts, err := s.store.CheckFacts(ctx, c.Viewer, s.o.Now(), pairs)
	if err != nil {
		return nil, err
	}
	out := make([]Checked, len(in))
	var seen []im.ID
	for i, f := range facts {
		if !f.Visible {
			continue
		}
		if err := s.mayCheck(ctx, c, in[i], f); err != nil {
			if fault.Is(err, fault.Unavailable) || fault.Is(err, fault.DeadlineExceeded) || fault.Is(err, fault.Internal) {
				return nil, err
			}
			out[i].Err = err
			continue
		}
		check := s.check(f, in[i].Channel)
		for _, r := range check.Because {
			seen = append(seen, r.ID)
		}
		out[i].Check = &check
	}
	if len(seen) == 0 {
		return out, nil
	}
	whole, err := s.store.Relationships(ctx, c.Viewer, seen)
	for _, x := range out {
		if x.Check == nil {
			continue
		}
		because := x.Check.Because
		x.Check.Because = nil
		for _, r := range because {
			if r, ok := whole[r.ID]; ok {
				x.Check.Because = append(x.Check.Because, r)
			}
		}
	}
	return out, err
}

// mayCheck asks policy whether the viewer may have a check answered.
func (s *Service) mayCheck(ctx context.Context, c Call, in CheckInput, f CheckFacts) error {
	me := c.Viewer.ID()
	d, err := s.decide(ctx, checkQuestion(c.Viewer, in.To, in.From.ID == me || in.To.ID == me, f))
	switch {
	case err != nil:
		return err
	case d.Outcome != im.Allow:
		return s.forbid(ctx, c, d)
	}
	if err := s.sample(ctx, d); err != nil {
		return err
	}
	switch {
	case f.Common:
		return nil
	case !in.Group.IsZero():
		return fault.New(fault.BadUserInput, "no_common_group")
	}
	return fault.New(fault.BadUserInput, "no_common_account")
}

// check answers from what is known. A workspace closes the way as far as the firmest of its relationships does; of several
// workspaces the weakest counts, so that nothing looks more closed than it is.
func (s *Service) check(f CheckFacts, channel im.Channel) Check {
	out := Check{Allowed: true}
	firmest := map[im.ID]im.Enforcement{}
	for _, r := range f.Stops(channel) {
		out.Allowed = false
		if r.Seen {
			out.Because = append(out.Because, r.Relationship)
			e := s.o.Platforms.ChannelEnforcement(r.Workspace, r.Relationship, channel)
			if was, ok := firmest[r.Workspace.ID]; !ok || e.Firmer(was) {
				firmest[r.Workspace.ID] = e
			}
		}
	}
	for _, e := range firmest {
		if out.Enforcement == "" || out.Enforcement.Firmer(e) {
			out.Enforcement = e
		}
	}
	return out
}

// ContactCheck is one of ContactChecks.
func (s *Service) ContactCheck(ctx context.Context, c Call, in CheckInput) (*Check, error) {
	out, err := s.ContactChecks(ctx, c, []CheckInput{in})
	if err != nil {
		return nil, err
	}
	return out[0].Check, out[0].Err
}

// PreDelivery answers whether a platform may deliver something. A service is told of everybody, as far as yes and no; a person
// of whom he may ask anyway. Faults: NOT_FOUND, FORBIDDEN, and BAD_USER_INPUT of two who are not in the group.
func (s *Service) PreDelivery(ctx context.Context, c Call, q PlatformPair, channel im.Channel) (bool, error) {
	pair, found, err := s.store.PlatformPair(ctx, c.Viewer, q)
	if err != nil {
		return false, err
	}
	if !found {
		return false, fault.New(fault.NotFound, "not_found_parties")
	}
	seeing := c.Viewer
	if c.Viewer.IsService() {
		seeing.Scopes = map[im.Kind]im.Scope{im.KindMember: {im.ScopeAll}, im.KindContact: {im.ScopeAll}, im.KindGroup: {im.ScopeAll}}
	}
	f, err := s.store.CheckFacts(ctx, seeing, s.o.Now(), []Pair{pair})
	if err != nil {
		return false, err
	}
	if !f[0].Visible {
		return false, fault.New(fault.NotFound, "not_found_parties")
	}
	if err := s.mayCheck(ctx, c, CheckInput{Pair: pair, Channel: channel}, f[0]); err != nil {
		return false, err
	}
	return s.check(f[0], channel).Allowed, nil
}

// checkQuestion is whether somebody may ask for a contact check; party: he is one of the two.
func checkQuestion(v im.Viewer, to im.Ref, party bool, f CheckFacts) question {
	return question{action: authz.ActionCheckContact, viewer: v, target: to, standing: v.Standing(),
		object: authz.Object{Type: authz.TypePair, Party: party, Below: f.Below}}
}

// ListRelationships reads one page of relationships, newest first.
func (s *Service) ListRelationships(ctx context.Context, v im.Viewer, f RelationshipFilter, r page.Request) (page.Result[im.Relationship], error) {
	return s.store.ListRelationships(ctx, v, f, s.o.Now(), r)
}

// RelationshipsOf reads a page of the relationships of each of some members or contacts, newest first.
func (s *Service) RelationshipsOf(ctx context.Context, v im.Viewer, kind im.Kind, ids []im.ID, end End, f RelationshipFilter, r page.Request) (map[im.ID]page.Result[im.Relationship], error) {
	return s.store.RelationshipsOf(ctx, v, kind, ids, end, f, s.o.Now(), r)
}

// ListApprovals reads one page of approvals, newest first.
func (s *Service) ListApprovals(ctx context.Context, v im.Viewer, f ApprovalFilter, r page.Request) (page.Result[im.Approval], error) {
	return s.store.ListApprovals(ctx, v, f, s.o.Now(), r)
}

// Now is the service's clock: states are judged by it.
func (s *Service) Now() time.Time { return s.o.Now() }
