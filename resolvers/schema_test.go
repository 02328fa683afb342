package resolvers_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/resolvers"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// views are a value of every view that may have fields with arguments.
var views = map[string]any{"Member": view.Member{}, "Department": view.Department{}, "Account": view.Account{}, "ExternalContact": view.ExternalContact{},
	"Opportunity": view.Opportunity{}, "Group": view.Group{}, "Workspace": view.Workspace{}, "Relationship": view.Relationship{},
	"Approval": view.Approval{}, "AuditEvent": view.AuditEvent{}, "Alert": view.Alert{}, "Decision": view.Decision{}, "Policy": view.Policy{}, "Viewer": view.Viewer{}, "ApiKey": view.APIKey{},
	"DirectoryImport": view.DirectoryImport{}, "BlacklistImport": view.BlacklistImport{}, "ImportRow": view.ImportRow{}, "Message": view.Message{}}

// schema is the one that is served.
func schema(t *testing.T) *ast.Schema {
	t.Helper()
	var sources []*ast.Source
	files, err := filepath.Glob("../graph/schema/*.graphqls")
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		sources = append(sources, &ast.Source{Name: f, Input: string(b)})
	}
	s, err := gqlparser.LoadSchema(sources...)
	must(t, err)
	if len(s.Types) < 50 {
		t.Fatalf("%d types", len(s.Types))
	}
	return s
}

// A field with arguments that is bound to a plain field, or to a method without them, is generated without a word: its
// arguments are read and dropped.
func TestArgumentsReachTheirMethods(t *testing.T) {
	for _, d := range dropped(schema(t)) {
		t.Error(d)
	}

	// The check sees what it looks for.
	planted := gqlparser.MustLoadSchema(&ast.Source{Input: `type Query { members(first: Int): Int missing(first: Int): Int }
		type Member { manager(depth: Int): Int name: String } type PageInfo { hasNextPage(of: Int): Boolean }`})
	if got := strings.Join(dropped(planted), "; "); !strings.Contains(got, "Member.manager") || !strings.Contains(got, "PageInfo.hasNextPage") ||
		!strings.Contains(got, "Query.missing") || !strings.Contains(got, "Query.members") {
		t.Errorf("found only %s", got)
	}
}

// dropped lists the fields whose Go methods do not take what the schema lets clients give.
func dropped(s *ast.Schema) (out []string) {
	var r generated.ResolverRoot = &resolvers.Resolver{}
	for name, d := range s.Types {
		if d.Kind != ast.Object || d.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		var of reflect.Type
		switch v, ok := views[name]; {
		case name == "Query":
			of = reflect.TypeOf(r.Query())
		case name == "Mutation":
			of = reflect.TypeOf(r.Mutation())
		case name == "Subscription":
			of = reflect.TypeOf(r.Subscription())
		case ok:
			of = reflect.PointerTo(reflect.TypeOf(v))
		}
		for _, f := range d.Fields {
			if len(f.Arguments) == 0 || strings.HasPrefix(f.Name, "__") {
				continue
			}
			const receiverAndContext = 2
			of := of
			// A connection that hangs on rows is a method of its type's resolver. That has no receiver, and is given the row.
			if maker, ok := reflect.TypeOf(&r).Elem().MethodByName(name); ok && views[name] != nil {
				if _, ok := method(maker.Type.Out(0), f.Name); ok {
					of = maker.Type.Out(0)
				}
			}
			if of == nil {
				out = append(out, name+"."+f.Name+" has arguments, and no method takes them")
			} else if m, ok := method(of, f.Name); !ok || m.Type.NumIn() != len(f.Arguments)+receiverAndContext {
				out = append(out, name+"."+f.Name+" has arguments that its method does not take")
			}
		}
	}
	return out
}

// method finds a field's method, whose name is spelt as Go spells initialisms.
func method(of reflect.Type, field string) (reflect.Method, bool) {
	for i := range of.NumMethod() {
		if strings.EqualFold(of.Method(i).Name, field) {
			return of.Method(i), true
		}
	}
	return reflect.Method{}, false
}
