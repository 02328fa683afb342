package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// everyField selects each field of a type that needs no argument, by itself.
func everyField(s *ast.Schema, typ string) map[string]string {
	out := map[string]string{}
	for _, f := range s.Types[typ].Fields {
		of := s.Types[f.Type.Name()]
		switch {
		case slices.ContainsFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool { return a.Type.NonNull && a.DefaultValue == nil }):
		case !of.IsCompositeType():
			out[f.Name] = f.Name
		case of.Fields.ForName("totalCount") != nil:
			out[f.Name] = f.Name + " { totalCount }"
		case of.Fields.ForName("id") != nil:
			out[f.Name] = f.Name + " { of: id }"
		default:
			out[f.Name] = f.Name + " " + showing(s, of)
		}
	}
	return out
}

// shown is the field x of all that has an id, by id.
func shown(data any, out map[string]string) map[string]string {
	switch v := data.(type) {
	case []any:
		for _, e := range v {
			shown(e, out)
		}
	case map[string]any:
		if id, ok := v["id"].(string); ok {
			if x, asked := v["x"]; asked {
				out[id] = fmt.Sprint(x)
			}
		}
		for _, e := range v {
			shown(e, out)
		}
	}
	return out
}

// What is read along with rows, or left out of them, is what is read of the same rows by their ids: field by field, whoever asks.
func TestReadAlong(t *testing.T) {
	s := schema(t)
	places := []struct{ typ, query string }{
		{"Member", "{ members(first: 100) { nodes { id x: § } } }"},
		{"Member", "{ members(first: 100, orderBy: NAME) { edges { node { id x: § } } } }"},
		{"Member", "{ members(first: 100) { nodes { manager { id x: § } } } }"},
		{"Member", "{ members(first: 100) { nodes { name department { name } manager { id x: § } } } }"},
		{"Department", "{ members(first: 100) { nodes { department { id x: § } } } }"},
		{"Relationship", "{ relationships(first: 100) { nodes { id x: § } } }"},
		{"Relationship", "{ members(first: 100) { nodes { relationships(first: 3, direction: BOTH) { nodes { target { __typename } id x: § } } } } }"},
		{"Member", "{ relationships(first: 100) { nodes { target { ... on Member { id x: § } } } } }"},
		{"ExternalContact", "{ relationships(first: 100) { nodes { target { ... on ExternalContact { id x: § } } } } }"},
		{"Member", "{ members(first: 100) { nodes { relationships(first: 3) { edges { node { reason target { ... on Member { id x: § } } } } } } } }"},
		{"ExternalContact", "{ externalContacts(first: 100) { nodes { relationships { nodes { target { ... on ExternalContact { id x: § } } } } } } }"},
		{"Relationship", "{ externalContacts(first: 100) { nodes { relationships { nodes { id x: § } } } } }"},
	}
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		a := fresh(t, dsn)
		m := fillWith(t, a, 60, demo.Company(ids, now))
		everybody := []im.ID{auditor, m.company.Members[0].ID, m.company.Members[3].ID}
		for _, m := range m.company.Members {
			if m.JobFunction == im.CustomerService { // who sees his own department alone
				everybody = append(everybody, m.ID)
				break
			}
		}
		for _, p := range places {
			compared := 0
			for _, name := range slices.Sorted(maps.Keys(everyField(s, p.typ))) {
				field := everyField(s, p.typ)[name]
				for _, who := range everybody {
					v, err := a.who.Viewer(t.Context(), who)
					must(t, err)
					ask := func(q string, vars map[string]any) map[string]string {
						t.Helper()
						body, _ := a.ask(t, v, q, vars)
						var data any
						must(t, json.Unmarshal([]byte(body), &data))
						return shown(data, map[string]string{})
					}
					got := ask(replace(p.query, field), nil)
					if len(got) == 0 {
						continue
					}
					all := slices.Sorted(maps.Keys(got))
					all = all[:min(len(all), 100)]
					want := ask(replace("query($ids: [ID!]!) { nodes(ids: $ids) { ... on "+p.typ+" { id x: § } } }", field), map[string]any{"ids": all})
					for _, id := range all {
						if compared++; got[id] != want[id] {
							t.Errorf("%s: %s of %s, asked by %s, is %s; by its id it is %s", p.query, name, id, v.Name(), got[id], want[id])
						}
					}
				}
			}
			if compared < 100 {
				t.Errorf("%s: %d fields compared", p.query, compared)
			}
		}
	})
}

func replace(query, field string) string { return strings.ReplaceAll(query, "§", field) }
