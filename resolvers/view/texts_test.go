package view

import (
	"testing"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/graph/model"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Whatever people are shown has a sentence in each language.
func TestEveryAlertAndRequestHasItsSentence(t *testing.T) {
	for _, l := range []fault.Language{fault.English, fault.Chinese} {
		for _, k := range model.AllAlertKind {
			if title(l, im.AlertKind(k)) == "" || detail(l, im.AlertKind(k), "", "") == "" {
				t.Errorf("an alert %s has no title or no detail in language %d", k, l)
			}
		}
		for _, action := range []string{authz.ActionBlock, authz.ActionIsolate, authz.ActionBlacklist, authz.ActionGroupBlock, authz.ActionLift,
			authz.ActionUndo, authz.ActionBulk, authz.ActionSignOutDevices, authz.ActionBindAccount, authz.ActionUnlinkIdentity} {
			if summary(l, action, "", "") == "" {
				t.Errorf("a request to %s has no summary in language %d", action, l)
			}
		}
		for _, to := range model.AllAccountStatus {
			if statusSummary(l, im.AccountStatus(to), "", "", "") == "" {
				t.Errorf("a request to make an account %s has no summary in language %d", to, l)
			}
		}
	}
}
