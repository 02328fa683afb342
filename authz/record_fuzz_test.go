package authz

import (
	"reflect"
	"testing"
)

// Whatever a client calls a fact, and whatever it gives it: it is refused in words or stands in the record as given.
func FuzzFacts(f *testing.F) {
	for _, name := range attributeNames {
		f.Add(name, "true")
		f.Add(name, "3")
		f.Add(name, "KEY")
	}
	f.Add("r.dom", "wecom")
	f.Add("", "\x00")
	f.Add("r.sub.Rank", "99999999999999999999")
	f.Add("sub.Roles", "admin\tadmin  hr")
	f.Fuzz(func(t *testing.T, name, value string) {
		var r Request
		if err := r.Set(name, value); err != nil {
			if err.Error() == "" || !reflect.DeepEqual(r, Request{}) {
				t.Errorf("%q = %q: %v left %+v", name, value, err, r)
			}
			return
		}
		again, err := RequestOf(r.Facts())
		if err != nil || !reflect.DeepEqual(again.Facts(), r.Facts()) {
			t.Errorf("%q = %q: %v came back as %v, %v", name, value, r.Facts(), again.Facts(), err)
		}
	})
}
