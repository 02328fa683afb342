package resolvers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
)

// Every root field, and every field of what has an id, names the action of policy that guards it, or its type does.
func TestEveryFieldIsGuarded(t *testing.T) {
	words := actions(t)
	for _, u := range unguarded(schema(t), words) {
		t.Error(u)
	}

	// The check sees what it looks for.
	planted := gqlparser.MustLoadSchema(&ast.Source{Input: `directive @authorize(action: String!) on FIELD_DEFINITION | OBJECT | INTERFACE
		interface Node @authorize(action: "read") { id: ID! }
		interface Named { name: String }
		union Party = Bare | Member
		type Query { bare: Int typo: Int @authorize(action: "raed") guarded: Int @authorize(action: "read") set: Int @authorize(action: "keep_away") }
		type Mutation { bare: Int }
		type Bare implements Node { id: ID! name: String }
		type Half implements Named { name: String }
		type Member implements Node @authorize(action: "read") { id: ID! phone: String @authorize(action: "unmask") }`})
	want := []string{"Bare.id", "Bare.name", "Half is", "Mutation.bare", "Query.bare", "Query.typo"}
	got := unguarded(planted, words)
	for i, w := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], w) {
			t.Fatalf("found %q, want %q", got, want)
		}
	}
}

// actions are the words of the shipped files for what is asked: actions, and sets of them that rules are about.
func actions(t *testing.T) (out []string) {
	t.Helper()
	for _, w := range authz.Schema().Actions {
		out = append(out, w.Name)
	}
	e, err := authz.Build(authz.Sources{Layers: authz.Shipped(), Duties: blocking.Duties()})
	must(t, err)
	for _, r := range e.Rules() {
		out = append(out, r.Action)
	}
	return out
}

// unguarded lists what names no action, or one that policy does not know. An interface or a union guards nothing: whoever
// comes to a thing through one is judged by what the thing is.
func unguarded(s *ast.Schema, words []string) (out []string) {
	guard := func(ds ast.DirectiveList) string {
		if d := ds.ForName("authorize"); d != nil {
			return d.Arguments.ForName("action").Value.Raw
		}
		return ""
	}
	check := func(what string, actions ...string) {
		for _, a := range actions {
			if a != "" {
				if !slices.Contains(words, a) {
					out = append(out, what+" is guarded by "+a+", which policy does not know")
				}
				return
			}
		}
		out = append(out, what+" is guarded by no action")
	}
	for name, d := range s.Types {
		if d.Kind != ast.Object || d.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		root := d == s.Query || d == s.Mutation || d == s.Subscription
		node := slices.Contains(d.Interfaces, "Node")
		through := slices.ContainsFunc(d.Interfaces, func(i string) bool { return i != "CommandPayload" }) || len(unionsOf(s, name)) > 0
		switch {
		case root || node:
			for _, f := range d.Fields {
				if !strings.HasPrefix(f.Name, "__") {
					check(name+"."+f.Name, guard(f.Directives), guard(d.Directives))
				}
			}
		case through:
			check(name, guard(d.Directives))
		}
	}
	slices.Sort(out)
	return out
}

func unionsOf(s *ast.Schema, name string) (out []string) {
	for u, d := range s.Types {
		if d.Kind == ast.Union && slices.Contains(d.Types, name) {
			out = append(out, u)
		}
	}
	return out
}
