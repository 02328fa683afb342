// Gen generates what gqlgen does, and beside it the code by which package plan reads the fields of each type. It is run
// by go generate, in the module's root.
package main

import (
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

func main() {
	cfg, err := config.LoadConfigFromDefaultLocations()
	if err == nil {
		err = api.Generate(cfg, api.AddPlugin(plans{}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// plans is the plugin.
type plans struct{}

// Name is part of plugin.Plugin.
func (plans) Name() string { return "plans" }

// GenerateCode is part of plugin.CodeGenerator.
func (plans) GenerateCode(data *codegen.Data) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return templates.Render(templates.Options{
		PackageName:     data.Config.Exec.Package,
		Filename:        filepath.Join(data.Config.Exec.DirName, "plan.generated.go"),
		GeneratedHeader: true,
		Data:            data,
		Funcs:           map[string]any{"fields": fields, "root": root, "is": is, "interfaces": interfaces},
		Template:        text,
		Packages:        data.Config.Packages,
	})
}

const text = `
{{ reserveImport "context" }}
{{ reserveImport "github.com/vektah/gqlparser/v2/ast" }}
{{ reserveImport "fmt" }}
{{ reserveImport "github.com/99designs/gqlgen/graphql" }}
{{ reserveImport "github.com/guanxi-im/guanxi/graph/plan" }}

// Planned is s with operations worked out by package plan, where it knows them.
func Planned(s graphql.ExecutableSchema) graphql.ExecutableSchema { return planned{s.(*executableSchema)} }

type planned struct{ *executableSchema }

// Exec is part of graphql.ExecutableSchema.
func (s planned) Exec(ctx context.Context) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	if !plan.Knows(oc) {
		return s.executableSchema.Exec(ctx)
	}
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		p := &planner{newExecutionContext(oc, s.executableSchema, nil)}
		ctx = graphql.WithUnmarshalerMap(ctx, graphql.BuildUnmarshalerMap(
			{{- range $input := .Inputs }}
			p.unmarshalInput{{ $input.Name }},
			{{- end }}
		))
		if oc.Operation.Operation == ast.Mutation {
			return &graphql.Response{Data: plan.Root(ctx, oc, plan{{ .MutationRoot.Name }}, p.root{{ .MutationRoot.Name }})}
		}
		return &graphql.Response{Data: plan.Root(ctx, oc, plan{{ .QueryRoot.Name }}, p.root{{ .QueryRoot.Name }})}
	}
}

// planner writes the values of each type.
type planner struct{ *executionContext }

{{ range $o := .Objects }}{{ if not $o.Stream }}
var plan{{ $o.Name }} = &plan.Type{Name: {{ quote $o.Name }}, Is: {{ is $o }}, Fields: map[string]plan.Known{
	{{- range $i, $f := $o.Fields }}
	{{ quote $f.Name }}: {ID: {{ $i }}, NonNull: {{ $f.TypeReference.GQL.NonNull }}},
	{{- end }}
}}
{{ if $o.Root }}{{ root $o }}{{ else }}
func (p *planner) object{{ $o.Name }}(w *plan.Writer, sel *plan.Selection, obj {{ $o.Reference | ref }}) bool {
	from := w.Open()
	for i := range sel.Fields {
		f := &sel.Fields[i]
		w.Begin(f)
		ok := false
		switch f.ID {
		case plan.Typename:
			ok = w.String({{ quote $o.Name }})
		{{ fields $o }}
		}
		if !w.End(f, ok) {
			w.Cut(from)
			return false
		}
	}
	w.Close()
	return true
}
{{ end }}
{{ end }}{{ end }}
{{ interfaces . }}
`

func is(o *codegen.Object) string { return "[]string{" + o.Implementors()[len("[]string{"):] }

// fields is the cases of an object's fields.
func fields(o *codegen.Object) string {
	var b strings.Builder
	for i, f := range o.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		fmt.Fprintf(&b, "case %d:\n%s", i, field(f))
	}
	return b.String()
}

// field reads one field of obj and writes its value.
func field(f *codegen.Field) string {
	if f.HasDirectives() || f.IsBatch() || f.VOkFunc || f.HasHaser || f.IsMap() || f.Stream {
		panic(fmt.Sprintf("%s.%s is bound in a way that plans do not know", f.Object.Name, f.Name))
	}
	write := "ok = " + value(f.TypeReference, "v") + "\n"
	if isInterface(f.TypeReference) {
		write = fmt.Sprintf("if v == nil { w.Nothing(%t) } else {\n%s}\n", f.TypeReference.GQL.NonNull, write)
	}
	if f.IsVariable() && !f.IsResolver {
		return fmt.Sprintf("v := obj.%s\n%s", f.GoFieldName, write)
	}
	call, err := fmt.Sprintf("obj.%s(%s)", f.GoFieldName, f.CallArgs()), !f.NoErr
	if f.IsResolver {
		call, err = "p.Resolvers."+f.ShortInvocation(), true
	}
	if err {
		call = "v, err := " + call + "\nif err != nil {\nw.Fail(err)\n} else {\n" + write + "}\n"
	} else {
		call = "v := " + call + "\n" + write
	}
	if !f.MethodHasContext && !f.IsResolver && len(f.Args) == 0 {
		return call
	}
	fc := "fc, ctx"
	if !f.MethodHasContext && !f.IsResolver {
		fc = "fc, _"
	}
	return fmt.Sprintf("if %s := f.Enter(w, p.%s); fc != nil {\n%s}\n", fc, f.FieldContextFunc(), call)
}

// root is the function that answers the root fields of an object.
func root(o *codegen.Object) string {
	var b strings.Builder
	fmt.Fprintf(&b, "func (p *planner) root%s(ctx context.Context, w *plan.Writer, f *plan.Field) bool {\nswitch f.ID {\n", o.Name)
	for i, f := range o.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		if f.HasDirectives() || !f.IsResolver {
			panic(fmt.Sprintf("%s.%s is bound in a way that plans do not know", o.Name, f.Name))
		}
		t := templates.CurrentImports.LookupType(f.TypeReference.GO)
		fmt.Fprintf(&b, `case %d:
			return plan.Resolve(ctx, w, f, p.%s, func(ctx context.Context, fc *graphql.FieldContext) (any, error) {
				return p.Resolvers.%s
			}, func(v %s) bool { return %s })
		`, i, f.FieldContextFunc(), f.ShortInvocation(), t, value(f.TypeReference, "v"))
	}
	b.WriteString("}\npanic(\"plan: unknown root field\")\n}\n")
	return b.String()
}

// interfaces are the functions that write values of interfaces and unions.
func interfaces(data *codegen.Data) string {
	var b strings.Builder
	names := make([]string, 0, len(data.Interfaces))
	for name := range data.Interfaces {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		i := data.Interfaces[name]
		fmt.Fprintf(&b, `
			func (p *planner) interface%s(w *plan.Writer, f *plan.Field, obj %s, nonNull bool) bool {
				switch obj := obj.(type) {
				case nil:
					return !w.Missing(nonNull)
		`, name, templates.CurrentImports.LookupType(i.Type))
		for _, impl := range i.Implementors {
			nilCheck, ref := "", "obj"
			if impl.CanBeNil() {
				nilCheck = "obj != nil && "
			}
			if impl.TakeRef {
				ref = "&obj"
			}
			fmt.Fprintf(&b, "case %s:\nreturn %sp.object%s(w, f.Under(w, plan%s), %s)\n", templates.CurrentImports.LookupType(impl.Type), nilCheck,
				impl.Name, impl.Name, ref)
		}
		fmt.Fprintf(&b, "}\npanic(fmt.Errorf(\"plan: unexpected type %%T of %s\", obj))\n}\n", name)
	}
	return b.String()
}

func isInterface(t *config.TypeReference) bool {
	return !t.IsSlice() && (t.Definition.Kind == ast.Interface || t.Definition.Kind == ast.Union)
}

// value is an expression that writes x and says whether there was a value.
func value(t *config.TypeReference, x string) string {
	nonNull := t.GQL.NonNull
	switch {
	case t.IsSlice():
		i := fmt.Sprintf("i%d", strings.Count(x, "["))
		list := fmt.Sprintf("plan.List(w, len(%s), %t, func(%s int) bool { return %s })", x, t.GQL.Elem.NonNull, i, value(t.Elem(), x+"["+i+"]"))
		if nonNull {
			return list
		}
		return x + " != nil && " + list
	case t.Definition.Kind == ast.Object:
		if t.IsPtr() {
			return fmt.Sprintf("!(%s == nil && w.Missing(%t)) && p.object%s(w, f.Under(w, plan%s), %s)", x, nonNull, t.Definition.Name, t.Definition.Name, x)
		}
		return fmt.Sprintf("p.object%s(w, f.Under(w, plan%s), &%s)", t.Definition.Name, t.Definition.Name, x)
	case t.Definition.Kind == ast.Interface || t.Definition.Kind == ast.Union:
		return fmt.Sprintf("p.interface%s(w, f, %s, %t)", t.Definition.Name, x, nonNull)
	case t.IsPtr() && leaf(t.Elem(), "*"+x) != "":
		return fmt.Sprintf("!(%s == nil && w.Missing(%t)) && %s", x, nonNull, leaf(t.Elem(), "*"+x))
	case leaf(t, x) != "":
		return leaf(t, x)
	}
	return fmt.Sprintf("w.Marshal(p.%s(w.Context(), f.Selections, %s))", t.MarshalFunc(), x)
}

// leaf writes a scalar or enumeration that plans know; empty for others, which gqlgen marshals.
func leaf(t *config.TypeReference, x string) string {
	basic, _ := t.GO.Underlying().(*types.Basic)
	if t.HasEnumValues() {
		return ""
	}
	if t.IsMarshaler && t.Definition.Kind == ast.Enum && basic != nil && basic.Kind() == types.String {
		return "w.Enum(string(" + x + "))"
	}
	if t.Marshaler == nil || t.IsContext {
		return ""
	}
	switch name := t.Marshaler.FullName(); {
	case name == "github.com/99designs/gqlgen/graphql.MarshalString" && basic != nil:
		return "w.String(string(" + x + "))"
	case name == "github.com/99designs/gqlgen/graphql.MarshalBoolean" && basic != nil:
		return "w.Bool(bool(" + x + "))"
	case (name == "github.com/99designs/gqlgen/graphql.MarshalInt" || name == "github.com/99designs/gqlgen/graphql.MarshalInt64") && basic != nil:
		return "w.Int(int64(" + x + "))"
	case name == "github.com/guanxi-im/guanxi/graph/scalar.MarshalDateTime":
		return "w.Time(" + x + ")"
	}
	return ""
}
