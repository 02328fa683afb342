package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/approval"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// IdentityFacts is a login by another identity provider, with whose it is.
type IdentityFacts struct {
	Link    im.IdentityLink
	Member  im.Member
	Pending []im.Approval // that wait on it
}

// asked is what a viewer's question is about.
func (f IdentityFacts) asked(v im.Viewer) command.Asked {
	return command.Asked{By: v.ID(), Target: f.ref()}
}

func (f IdentityFacts) ref() im.Ref { return im.Ref{Kind: im.KindIdentity, ID: f.Link.ID} }

// Unlinked is what came of taking a login off.
type Unlinked struct {
	Decision *im.Decision   `json:"decision,omitempty"`
	MemberID im.ID          `json:"member,omitzero"` // whose it is or was; zero: it was not found
	Approval *im.Approval   `json:"approval,omitempty"`
	Faults   []*fault.Error `json:"faults,omitempty"`
}

// Unlink takes a login by another identity provider off a person, and ends all his sessions: which of them began by it nobody
// knows. Faults, in this order: INVALID_INPUT, NOT_FOUND, POLICY_DENIED, CONFLICT.
func (s *Service) Unlink(ctx context.Context, c command.Call, identity im.ID, reason im.Text) (Unlinked, error) {
	no := func(f *fault.Error) Unlinked { return Unlinked{Faults: []*fault.Error{f}} }
	if c.Viewer.IsService() {
		d, f, err := s.person(ctx, c, authz.ActionUnlinkIdentity, unlinkWord, im.Ref{Kind: im.KindIdentity, ID: identity}, "")
		if err != nil {
			return Unlinked{}, err
		}
		return Unlinked{Decision: d, Faults: []*fault.Error{f}}, nil
	}
	as := command.Answers[Unlinked]{Failed: no, Revive: func(ctx context.Context, res *Unlinked) error { return s.reviveApproval(ctx, res.Approval) }}
	input := struct {
		Identity im.ID
		Reason   im.Text
	}{identity, reason}
	return command.Run(ctx, s.desk, authz.ActionUnlinkIdentity, c, input, as, func(ctx context.Context) (res Unlinked, u ledger.Unit, err error) {
		if f := command.CheckText("reason", reason, true); f != nil {
			return no(f), u, nil
		}
		f, err := s.store.IdentityFacts(ctx, c.Viewer, identity)
		if err != nil {
			return res, u, err
		}
		if f == nil {
			return no(command.Missing("identityId", "not_found_identity")), u, nil
		}
		d, err := s.decideLink(ctx, c.Viewer, *f)
		if err != nil {
			return res, u, err
		}
		var candidates []im.Candidate
		if d.Outcome == im.Review {
			if d.Needs, candidates, err = s.desk.Resolve(ctx, d.Needs, linkApprovers(*f, c.Viewer.ID())); err != nil {
				return res, u, err
			}
		}
		u.Decisions = append(u.Decisions, d)
		u.Events = append(u.Events, s.desk.Event(c, unlinkWord, d, f.ref(), f.Member.Name, f.Member.ID, reason))
		res = Unlinked{Decision: &d, MemberID: f.Member.ID}
		switch d.Outcome {
		case im.Deny:
			res.Faults = []*fault.Error{command.Denied(d)}
		case im.Review:
			if i := slices.IndexFunc(f.Pending, func(a im.Approval) bool { return a.StateAt(s.o.Now()) == im.ApprovalPending }); i >= 0 {
				waits := command.InTheWay("conflict_review", im.Ref{Kind: im.KindApproval, ID: f.Pending[i].ID})
				u.Events[0].Prevented = string(waits.Code)
				res.Faults = []*fault.Error{waits}
				break
			}
			res.Approval = s.desk.Ask(&u, im.Approval{Action: authz.ActionUnlinkIdentity, Subject: f.ref(), RequestedBy: c.Viewer.ID(), Reason: reason,
				About: f.Member.ID, Request: []byte("{}"), RequestHash: s.bindLink(*f)}, d, candidates)
		default:
			for _, a := range f.Pending { // of nothing that is left
				s.desk.Settle(&u, a, im.ApprovalCancelled)
			}
			s.unlink(&u, *f)
		}
		return res, u, nil
	})
}

// unlinkWord is what the trail calls it.
const unlinkWord = "identity.unlink"

// linkQuestion is what policy is asked: whether a viewer may take a login off. It is on no workspace, so that no account says how
// he stands.
func linkQuestion(v im.Viewer, f IdentityFacts) authz.Request {
	m := v.Member
	return authz.Request{Action: authz.ActionUnlinkIdentity, Actor: authz.Actor{ID: m.ID.String(), Roles: m.Roles, Rank: m.Rank,
		JobFunction: string(m.JobFunction), Status: v.Standing(), Employment: string(m.Employment)},
		Object: authz.Object{Type: authz.TypeIdentity, ID: f.Link.ID.String(), Mine: f.Member.ID == m.ID},
		Env:    authz.Env{Regions: command.Regions(m.Region, f.Member.Region)}}
}

// decideLink asks policy whether a viewer may take a login off.
func (s *Service) decideLink(ctx context.Context, v im.Viewer, f IdentityFacts) (im.Decision, error) {
	return s.desk.Judge(ctx, f.asked(v), linkQuestion(v, f))
}

// unlink puts the end of a login into the unit.
func (s *Service) unlink(u *ledger.Unit, f IdentityFacts) {
	u.Unlinked = append(u.Unlinked, f.Link.ID)
	u.CutOffs = append(u.CutOffs, s.o.CutOff(f.Member.ID))
	u.Changes = append(u.Changes, im.DirectoryChange(s.o.IDs.New(), s.o.Now(), f.Member.Ref(), im.Updated, im.ID{}))
}

// linkApprovers asks who may agree. Its own person is never one.
func linkApprovers(f IdentityFacts, requester im.ID) approval.Query {
	return approval.Query{RequesterID: requester, InitiatorID: requester, TargetID: f.Member.ID}
}

// bindLink is what an approval stands for.
func (s *Service) bindLink(f IdentityFacts) []byte {
	return s.store.Fingerprint([]byte(strings.Join([]string{authz.ActionUnlinkIdentity, f.Link.ID.String(), f.Member.ID.String()}, "|")))
}

// link is a login whose end waits for agreement.
type link struct {
	s *Service
	f IdentityFacts
	a im.Approval

	standing string // of the viewer
}

// LinkMatter reads what an approval about a login is about; nil where that is gone.
func (s *Service) LinkMatter(ctx context.Context, v im.Viewer, a im.Approval) (approval.Matter, error) {
	seeing := v
	seeing.Scopes = everything
	f, err := s.store.IdentityFacts(ctx, seeing, a.Subject.ID)
	if err != nil || f == nil {
		return nil, err
	}
	return &link{s, *f, a, v.Standing()}, nil
}

// Place is no workspace: whoever is let in may decide it.
func (l *link) Place() (im.Workspace, string, string) {
	return im.Workspace{}, l.standing, l.f.Member.Name
}

// Approvers asks who may agree.
func (l *link) Approvers() approval.Query { return linkApprovers(l.f, l.a.RequestedBy) }

// Made is nobody: nothing is made by review.
func (l *link) Made() []im.Need { return nil }

// Bind is the request on the login as it stands.
func (l *link) Bind() []byte { return l.s.bindLink(l.f) }

// Again asks policy anew.
func (l *link) Again(ctx context.Context) (im.Decision, error) {
	requester, err := l.s.o.Viewer(ctx, l.a.RequestedBy)
	if fault.Is(err, fault.Unauthenticated) { // who left meanwhile has no role any more
		requester, err = im.Viewer{Member: im.Member{ID: l.a.RequestedBy}}, nil
	}
	if err != nil {
		return im.Decision{}, err
	}
	return l.s.decideLink(ctx, requester, l.f)
}

// CarryOut does what was agreed to, where policy still lets it.
func (l *link) CarryOut(u *ledger.Unit, _ im.Approval, again im.Decision) {
	if again.Outcome == im.Deny {
		return
	}
	u.Events = append(u.Events, l.s.desk.Event(command.Call{}, unlinkWord, im.Decision{ID: again.ID, Outcome: again.Outcome}, l.f.ref(), l.f.Member.Name,
		l.f.Member.ID, l.a.Reason))
	l.s.unlink(u, l.f)
}

// Drop leaves the login as it is.
func (l *link) Drop(*ledger.Unit, im.Approval, bool) {}
