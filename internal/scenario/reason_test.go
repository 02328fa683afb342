package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
)

// described is a type as introspection tells of it.
type described struct {
	Name        string
	InputFields []struct{ Name string }
	Fields      []struct {
		Name string
		Args []struct {
			Name string
			Type struct {
				Name   string
				OfType *struct {
					Name   string
					OfType *struct{ OfType *struct{ Name string } }
				}
			}
		}
	}
}

// What people give as a reason or say about something is what others see of it: nothing invisible and nothing that turns the direction
// of writing comes in by any command. A command that is added with such a text is added here.
func TestReasonsCanBeRead(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin := c.person("linyue002")
		id := func(kind im.Kind) string { return nodeid.Encode(kind, im.ID{15: 1}) }
		written := map[string]string{
			"block.reason":             `block(input:{targetId:"` + c.contact("wm_spam") + `",kind:BLOCK,reason:$t})`,
			"liftRelationship.reason":  `liftRelationship(relationshipId:"` + id(im.KindRelationship) + `",reason:$t)`,
			"undoRelationship.reason":  `undoRelationship(relationshipId:"` + id(im.KindRelationship) + `",reason:$t)`,
			"decideApproval.comment":   `decideApproval(approvalId:"` + id(im.KindApproval) + `",approve:true,comment:$t)`,
			"cancelApproval.reason":    `cancelApproval(approvalId:"` + id(im.KindApproval) + `",reason:$t)`,
			"setAccountStatus.reason":  `setAccountStatus(input:{accountId:"` + id(im.KindAccount) + `",status:FROZEN,reason:$t})`,
			"signOutDevices.reason":    `signOutDevices(accountId:"` + id(im.KindAccount) + `",reason:$t)`,
			"bindAccount.reason":       `bindAccount(accountId:"` + id(im.KindAccount) + `",reason:$t)`,
			"unlinkIdentity.reason":    `unlinkIdentity(identityId:"` + id(im.KindIdentity) + `",reason:$t)`,
			"acknowledgeAlert.comment": `acknowledgeAlert(alertId:"` + id(im.KindAlert) + `",comment:$t)`,
			"revokeApiKey.reason":      `revokeApiKey(apiKeyId:"` + id(im.KindAPIKey) + `",reason:$t)`,
			"blockMany.inputs.reason":  `blockMany(inputs:[{targetId:"` + c.contact("wm_spam") + `",kind:BLOCK,reason:$t}])`,
		}
		var there []string
		types := map[string]described{}
		for _, x := range read[struct{ Types []described }](t, lin.Do(`{__schema{types{name inputFields{name} fields{name args{name type{name ofType{name ofType{ofType{name}}}}}}}}}`, nil)).Types {
			types[x.Name] = x
		}
		text := func(name string) bool { return slices.Contains(strings.Fields("reason comment evidence"), name) }
		for _, mutation := range types["Mutation"].Fields {
			for _, a := range mutation.Args {
				if text(a.Name) {
					there = append(there, mutation.Name+"."+a.Name)
				}
				of, list := a.Type.Name, ""
				if o := a.Type.OfType; o != nil {
					if of = o.Name; o.OfType != nil && o.OfType.OfType != nil {
						of, list = o.OfType.OfType.Name, "."+a.Name
					}
				}
				for _, f := range types[of].InputFields {
					if text(f.Name) {
						there = append(there, mutation.Name+list+"."+f.Name)
					}
				}
			}
		}
		for _, place := range there {
			if written[place] == "" {
				t.Errorf("%s is written by people, and nobody looks at it here", place)
			}
		}
		for place, mutation := range written {
			for text, words := range map[string]string{"\u200b\u2060": "can be seen", "ok \u202ekool": "U+202E"} {
				a := lin.Do(`mutation($t:String!){x:`+mutation+`{userErrors{code message path}`+map[bool]string{true: " results{userErrors{code message path}}"}[strings.Contains(place, ".inputs.")]+`}}`, vars{"t": text})
				got := fmt.Sprint(a.Get("x"))
				path := strings.Split(place, ".")
				if strings.Count(got, "code:") != 1 || !strings.Contains(got, "code:INVALID_INPUT") || !strings.Contains(got, words) || !strings.Contains(got, path[len(path)-1]+"]") {
					t.Errorf("%s takes %q: %s", place, text, got)
				}
			}
		}
	})
}
