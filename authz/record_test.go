package authz

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Every fact that a condition may name comes back from the record as it went in.
func TestFactsAreKept(t *testing.T) {
	for _, name := range attributeNames {
		f, ok := fieldOf(name)
		if !ok {
			t.Errorf("no field of a request holds %s", name)
			continue
		}
		var r Request
		at := reflect.ValueOf(&r).Elem().FieldByIndex(f.Index)
		switch at.Kind() {
		case reflect.String:
			at.SetString("x")
			if words := attributes[name].words; len(words) > 0 {
				at.SetString(words[len(words)-1])
			}
		case reflect.Bool:
			at.SetBool(true)
		case reflect.Int:
			at.SetInt(-7)
		case reflect.Float64:
			at.SetFloat(1_200_000.25)
		case reflect.Slice:
			at.Set(reflect.ValueOf([]string{"employee", "hr"}))
		}
		facts := r.Facts()
		if got, err := RequestOf(facts); err != nil || !reflect.DeepEqual(got, r) || facts[name] == "" || len(facts) != 1 {
			t.Errorf("%s: %v came back as %+v, %v", name, facts, got, err)
		}
		var short Request
		if err := short.Set(strings.TrimPrefix(name, "r."), facts[name]); err != nil || !reflect.DeepEqual(short, r) {
			t.Errorf("%s without r.: %v", name, err)
		}
	}
}

func TestFactsThatCannotBe(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"r.obj.Importence", "KEY", "there is no fact \"r.obj.Importence\"; did you mean r.obj.Importance?"},
		{"weather", "fine", "there is no fact \"weather\""},
		{"r.obj.Importance", "key", "r.obj.Importance cannot be \"key\"; expected one of NORMAL, KEY"},
		{"r.sub.Rank", "3.5", "r.sub.Rank cannot be \"3.5\"; expected a whole number"},
		{"r.obj.OpenValue", "NaN", "r.obj.OpenValue cannot be \"NaN\"; expected a number"},
		{"r.obj.OpenValue", "1e999", "r.obj.OpenValue cannot be \"1e999\"; expected a number"},
		{"r.obj.Mine", "ja", "r.obj.Mine cannot be \"ja\"; expected true or false"},
	} {
		var r Request
		err := r.Set(c.name, c.value)
		if _, ok := errors.AsType[*FactError](err); !ok || err.Error() != c.want {
			t.Errorf("%s=%s: %v, want %s", c.name, c.value, err, c.want)
		}
		if !reflect.DeepEqual(r, Request{}) {
			t.Errorf("%s=%s left %+v", c.name, c.value, r)
		}
	}
}
