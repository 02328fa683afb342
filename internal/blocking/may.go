package blocking

import (
	"context"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
)

// WishQuery asks for what wishes to block these are decided on.
type WishQuery struct {
	Viewer            im.Viewer
	Members, Contacts []im.ID
	Currency          string // the company's own
	Now               time.Time
}

// May lists for people and contacts that the viewer sees the actions that he could ask for now, on some workspace:
// policy allows them, or wants somebody to agree. Only actions that have a command are named.
func (s *Service) May(ctx context.Context, v im.Viewer, targets []im.Ref) (map[im.ID][]string, error) {
	q := WishQuery{Viewer: v, Currency: s.o.Currency, Now: s.o.Now()}
	kinds := map[im.ID]im.Kind{}
	for _, t := range targets {
		if kinds[t.ID] = t.Kind; t.Kind == im.KindContact {
			q.Contacts = append(q.Contacts, t.ID)
		} else {
			q.Members = append(q.Members, t.ID)
		}
	}
	facts, err := s.store.WishFacts(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make(map[im.ID][]string, len(targets))
	for id, f := range facts {
		target := im.Ref{Kind: kinds[id], ID: id}
		for _, kind := range []im.RelationshipKind{im.Block, im.Isolation, im.Blacklist} {
			may, err := s.mayWish(ctx, v, BlockInput{Target: target, Kind: kind}, f)
			if err != nil {
				return nil, err
			}
			if may {
				out[id] = append(out[id], actionOf(kind))
			}
		}
	}
	return out, nil
}

// mayWish reports whether policy lets a wish through, perhaps with somebody's agreement, on any workspace.
func (s *Service) mayWish(ctx context.Context, v im.Viewer, in BlockInput, f BlockFacts) (bool, error) {
	if in.Kind == im.Blacklist && in.Target.Kind != im.KindContact || in.Kind == im.Isolation && in.Target.Kind != im.KindMember {
		return false, nil
	}
	for _, p := range f.Places {
		if s.offered(p.Workspace, in) != nil {
			continue
		}
		d, err := s.o.Policy.Engine().Decide(ctx, s.wishQuestion(v, in, f, p).request())
		if err != nil || d.Outcome != im.Deny {
			return err == nil, err
		}
	}
	return false, nil
}

// Could lists the actions that policy could allow a viewer on one of these platforms.
func (s *Service) Could(v im.Viewer, platforms []string) []string {
	if v.IsService() { // it is the company's: where there is no company it does nothing
		platforms = slices.DeleteFunc(slices.Clone(platforms), func(name string) bool { return !s.o.Platforms.Platform(name).Organisation })
	}
	return s.o.Policy.Engine().Could(question{viewer: v}.request().Actor, platforms...)
}
