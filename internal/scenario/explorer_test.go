package scenario

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// example is an operation as the explorer gets it.
type example struct {
	Name, Reader, As, Document string
	Variables                  []struct {
		Name, Query, Path string
		Value             any
	}
	Shows []struct {
		Path  string
		Value any
	}
}

// Every example of the explorer shows in a fresh demo what it is there to show.
func TestExplorerExamples(t *testing.T) {
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		s := testkit.Demo(t, dsn)
		var settings struct {
			Demo     bool
			Examples []example
		}
		r := s.Send("GET", "/explorer/settings.json", "")
		if err := json.Unmarshal([]byte(r.Body), &settings); err != nil || !settings.Demo || len(settings.Examples) < 12 {
			t.Fatalf("%v: %s", err, r.Body)
		}
		refused, watched := 0, 0
		for _, e := range settings.Examples {
			who, vars := s.As(e.As), map[string]any{}
			for _, v := range e.Variables {
				if vars[v.Name] = v.Value; v.Query != "" {
					if vars[v.Name] = who.Do(v.Query, nil).Get(v.Path); vars[v.Name] == nil {
						t.Errorf("%s: nothing at %s of %s", e.Name, v.Path, v.Query)
					}
				}
			}
			if strings.HasPrefix(e.Document, "subscription") {
				watched++
				stream := who.Subscribe(e.Document, vars)
				wang := s.As("wangfang004")
				wang.Do(`mutation($t:ID!,$w:[ID!]){block(input:{targetId:$t,kind:BLOCK,workspaceIds:$w,reason:"seen"}){userErrors{code}}}`,
					map[string]any{"t": wang.Member("sunli006"), "w": []string{wang.Workspace("native")}})
				check(t, e, stream.Next(t))
				continue
			}
			if check(t, e, who.Do(e.Document, vars)).Text("block.userErrors.0.code") == "POLICY_DENIED" {
				refused++
			}
		}
		if refused == 0 || watched == 0 {
			t.Errorf("%d examples show a refusal, %d watch", refused, watched)
		}
	})
}

// check holds an answer against what its example promises.
func check(t *testing.T, e example, a testkit.Answer) testkit.Answer {
	t.Helper()
	for _, want := range e.Shows {
		if got := a.Get(want.Path); !reflect.DeepEqual(got, want.Value) {
			t.Errorf("%s: %s is %v, not %v:\n%s", e.Name, want.Path, got, want.Value, a.Body)
		}
	}
	return a
}

// The explorer is there where somebody wants it: in the demo unless it is switched off.
func TestExplorerSwitch(t *testing.T) {
	for path, holds := range map[string]string{"/": `<div id="root">`, "/explorer/LICENSES.txt": "graphiql 4"} {
		if r := testkit.Demo(t, testkit.SQLite(t)).Send("GET", path, ""); r.Status != 200 || !strings.Contains(r.Body, holds) {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
		if r := testkit.Demo(t, testkit.SQLite(t), "--explorer=false").Send("GET", path, ""); r.Status != 404 {
			t.Errorf("%s with --explorer=false: %d", path, r.Status)
		}
	}
}

// What graphql-js asks of a schema, and with it every explorer and generator of code, is answered to anybody.
func TestIntrospection(t *testing.T) {
	query, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	a := testkit.Demo(t, testkit.SQLite(t)).As("").Do(string(query), nil)
	if types, _ := a.Get("__schema.types").([]any); len(types) < 50 || a.Text("__schema.mutationType.name") != "Mutation" {
		t.Errorf("%d types: %s", len(types), a.Body[:min(len(a.Body), 300)])
	}
}
