package authz_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/fault"
)

// A seller wants to block a key contact with much open business: two people have to agree.
func ExampleEngine_Decide() {
	e, err := authz.Build(authz.Sources{
		Platforms: []authz.Platform{{Name: "wecom", Organisation: true}},
		Layers:    authz.Shipped(authz.Layer{Name: "platform:wecom", Domain: "wecom", Files: os.DirFS("../adapters/wecom")}),
		Duties:    []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyAlert, authz.DutyNotify, authz.DutyExpire, authz.DutyCooldown, authz.DutyUndoTrace, authz.DutyCuts, authz.DutyCloses, authz.DutyRisk, authz.DutyRiskLevel},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := e.Decide(context.Background(), authz.Request{
		Platform: "wecom",
		Action:   authz.ActionBlock,
		Actor:    authz.Actor{ID: "wangfang004", Roles: []string{"employee"}, Rank: 3, JobFunction: "SALES", Status: "ACTIVE"},
		Object:   authz.Object{Type: authz.TypeContact, ID: "wm_haikang", Importance: "KEY", OpenValue: 1_200_000},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Outcome, d.Needs)
	fmt.Println(authz.Reason(d, fault.English))
	for _, r := range d.Rules {
		fmt.Printf("%s %s:%d\n", r.Name, r.File, r.Line)
	}
	fmt.Println(d.Obligations)
	// Output:
	// REVIEW [{admin 1} {manager_of_actor 1}]
	// This contact matters to the business, so a manager has to agree first.
	// C-06 authz/policies/guard.csv:30
	// C-07 authz/policies/guard.csv:40
	// [alert:KEY_CONTACT_BLOCKED expire:72h undo:72h undo_review:admin]
}

// A file with faults is refused as a whole, and each fault is told with its place.
func ExampleBuild() {
	_, err := authz.Build(authz.Sources{
		Layers: authz.Shipped(authz.Layer{Name: authz.CompanyLayer, Files: fstest.MapFS{"acme.csv": {Data: []byte(
			"p, acme.key, *, employee, block, contact, r.obj.Importence == 'KEY', Deny, ,\n" +
				"p, C-01, *, anyone, block, *, false, deny, ,\n",
		)}}}),
		Duties: []string{authz.DutyUndo, authz.DutyUndoReview, authz.DutyAlert, authz.DutyNotify, authz.DutyExpire, authz.DutyCooldown, authz.DutyUndoTrace, authz.DutyCuts, authz.DutyCloses, authz.DutyRisk, authz.DutyRiskLevel},
	})
	fmt.Println(err)
	// Output:
	// acme.csv:1:43: there is no attribute r.obj.Importence; did you mean r.obj.Importance?
	// acme.csv:1:70: unknown effect "Deny"; expected one of allow, review, deny; did you mean deny?
	// acme.csv:2:4: C-01 is a guardrail and cannot be replaced; a line with another id may tighten it
}
