package view

import (
	"reflect"
	"strings"
	"testing"
)

// A load without its name would be one that nobody can see in metrics and traces: whoever adds one names it in names.go.
func TestEveryLoadHasItsName(t *testing.T) {
	b := &Batch{request: &request{}}
	b.name()
	b.request.name()
	seen := 0
	for _, of := range []reflect.Value{reflect.ValueOf(b).Elem(), reflect.ValueOf(b.request).Elem()} {
		for i := range of.NumField() {
			f := of.Type().Field(i)
			if !strings.HasPrefix(f.Type.Name(), "lazy[") {
				continue
			}
			seen++
			if got := of.Field(i).FieldByName("name").String(); got != f.Name {
				t.Errorf("the load %s is named %q", f.Name, got)
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw %d loads", seen)
	}
}
