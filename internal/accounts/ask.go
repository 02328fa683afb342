package accounts

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/command"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Inquirers say by action what a command would be decided by. Whom a binding gives the account to is not known of a question: it is
// asked as one that takes it from whose it is.
func (s *Service) Inquirers() map[string]command.Inquirer {
	status, signOut, bind := s.inquirer(authz.ActionSetAccountStatus), s.inquirer(authz.ActionSignOutDevices), s.inquirer(authz.ActionBindAccount)
	status.Wish = "r.obj.To"
	return map[string]command.Inquirer{authz.ActionSetAccountStatus: status, authz.ActionSignOutDevices: signOut, authz.ActionBindAccount: bind,
		authz.ActionUnlinkIdentity: {Kind: im.KindIdentity, Ask: s.askLink}}
}

// inquirer gathers what an action on an account is decided by.
func (s *Service) inquirer(action string) command.Inquirer {
	return command.Inquirer{Kind: im.KindAccount,
		Ask: func(ctx context.Context, actor im.Viewer, target im.ID, wish string, at time.Time) (*command.Inquiry, error) {
			r := Request{Action: action, AccountID: target, To: im.AccountStatus(wish)}
			if actor.IsService() {
				return &command.Inquiry{Request: ofService(actor, action, im.Ref{Kind: im.KindAccount, ID: target}, r.To)}, nil
			}
			f, err := s.facts(ctx, actor, r, at, time.Time{})
			if err != nil || f == nil {
				return nil, err
			}
			return &command.Inquiry{Workspace: f.Workspace, Request: s.question(actor, *f, r), Approvers: approvers(*f, actor.ID())}, nil
		}}
}

// askLink gathers what taking a login off is decided by.
func (s *Service) askLink(ctx context.Context, actor im.Viewer, target im.ID, _ string, _ time.Time) (*command.Inquiry, error) {
	if actor.IsService() {
		return &command.Inquiry{Request: ofService(actor, authz.ActionUnlinkIdentity, im.Ref{Kind: im.KindIdentity, ID: target}, "")}, nil
	}
	f, err := s.store.IdentityFacts(ctx, actor, target)
	if err != nil || f == nil {
		return nil, err
	}
	return &command.Inquiry{Request: linkQuestion(actor, *f), Approvers: linkApprovers(*f, actor.ID())}, nil
}
