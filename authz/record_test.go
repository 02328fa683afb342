package authz

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Every fact that a condition may name comes back from the record as it went in.
func TestRequestsAreMadeOfTheirFactsAgain(t *testing.T) {
	e := buildHouse(t)
	tried := 0
	for _, c := range houseCases() {
		r := c.request()
		if !slices.Contains(actions, r.Action) || !slices.Contains(types, r.Object.Type) { // what there is not is refused, and so is a record of it
			continue
		}
		got, err := RequestOf(r.Facts())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		want, err := e.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := e.Decide(t.Context(), got)
		if err != nil || again.Outcome != want.Outcome || names(again) != names(want) || needsOf(again) != needsOf(want) {
			t.Errorf("%s: %s by %s, and of its facts %s by %s (%v)", c.name, want.Outcome, names(want), again.Outcome, names(again), err)
		}
		tried++
	}
	if tried < 300 {
		t.Errorf("%d cases", tried)
	}

	// Each field by itself.
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

func TestVersionsThatWereKeptDecideAgain(t *testing.T) {
	e := buildHouse(t, company("p, acme.more, wecom, employee, block, contact, r.obj.OpenValue > 10, review, admin, expire:1h\n"))
	kept, err := OpenEngine(e.Bundle(), duties)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Version() != e.Version() {
		t.Errorf("version %s became %s", e.Version(), kept.Version())
	}
	for _, c := range houseCases() {
		want, _ := e.Decide(context.Background(), c.request())
		got, _ := kept.Decide(context.Background(), c.request())
		if got.Outcome != want.Outcome || names(got) != names(want) || needsOf(got) != needsOf(want) || !reflect.DeepEqual(got.Rules, want.Rules) {
			t.Fatalf("%s: %s by %s, and as kept %s by %s", c.name, want.Outcome, names(want), got.Outcome, names(got))
		}
	}
	if _, err := OpenEngine([]byte("{"), duties); err == nil {
		t.Error("half a bundle makes an engine")
	}
	if _, err := OpenEngine(e.Bundle(), nil); err == nil || !strings.Contains(err.Error(), "nobody fulfils") {
		t.Errorf("without duties: %v", err)
	}
}
