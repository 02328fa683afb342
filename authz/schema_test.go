package authz

import (
	"slices"
	"strings"
	"testing"
)

// TestSchema: whatever conditions and lines may name has a description, and nothing else has.
func TestSchema(t *testing.T) {
	v := Schema()
	if len(v.Attributes) != len(attributes) {
		t.Errorf("%d attributes of %d", len(v.Attributes), len(attributes))
	}
	for _, a := range v.Attributes {
		if a.Description == "" {
			t.Errorf("schema.go: attributeTexts does not describe %s", a.Name)
		}
		if strings.Contains(a.Description, "\n") || a.Type == "word" && len(a.Values) < 2 {
			t.Errorf("%+v", a)
		}
		for _, o := range a.Objects {
			if !slices.Contains(types, o) {
				t.Errorf("%s: no type %s", a.Name, o)
			}
		}
	}
	for name := range attributeTexts {
		if _, known := attributes[name]; !known {
			t.Errorf("attributeTexts describes %s, which is no attribute", name)
		}
	}
	for title, list := range map[string][]Word{"actionTexts": v.Actions, "typeTexts": v.Types, "dutyTexts": v.Duties, "approverTexts": v.Approvers} {
		for _, w := range list {
			if w.Description == "" {
				t.Errorf("schema.go: %s does not describe %s", title, w.Name)
			}
		}
	}
	if len(v.Actions) != len(actions) || len(v.Types) != len(types) || len(v.Approvers) != len(approvers) {
		t.Errorf("%d actions, %d types, %d approvers", len(v.Actions), len(v.Types), len(v.Approvers))
	}
	for _, line := range []string{"  r.sub.Rank  number\n", "'NORMAL' | 'KEY'", "(of contact)", "  check_contact  ", "  manager_of_actor  "} {
		if !strings.Contains(v.String(), line) {
			t.Errorf("the page lacks %q", line)
		}
	}
}
