package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// create makes an operation of a request. Where the document is in order and what came with it is not, the fault says what is
// there and what is expected, which the executor's own sentences do not.
func create(ctx context.Context, exec graphql.GraphExecutor, schema *ast.Schema, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	op, errs := exec.CreateOperationContext(ctx, p)
	if len(errs) == 0 || op.Doc == nil {
		return op, errs
	}
	var precise *gqlerror.Error
	switch {
	case op.Operation == nil:
		precise = tell(ctx, unchosen(op.Doc.Operations, op.OperationName))
	case op.Variables == nil:
		precise = ill(ctx, schema, op.Operation, p.Variables)
	}
	if precise != nil {
		return op, gqlerror.List{precise}
	}
	return op, errs
}

// unchosen is the fault of a request that does not say which operation of its document it wants, or names one that is not there.
func unchosen(all ast.OperationList, name string) *fault.Error {
	var names []string
	for _, o := range all {
		if o.Name != "" {
			names = append(names, o.Name)
		}
	}
	there := strings.Join(names, ", ")
	switch {
	case name == "":
		return fault.New(fault.BadUserInput, "operation_which", there)
	case there == "":
		return fault.New(fault.BadUserInput, "operation_unnamed", shown(name))
	}
	return fault.New(fault.BadUserInput, "operation_unknown", shown(name), there)
}

// shownMax is how many characters of what a client sent are shown to him again.
const shownMax = 32

func shown(s string) string {
	n := 0
	for i := range s { // no further than what is shown
		if n++; n > shownMax {
			return strings.ToValidUTF8(s[:i], "�") + "…"
		}
	}
	return strings.ToValidUTF8(s, "�")
}

// ill is the error of the first variable that is not of the type that the operation declares; nil: all are. What a scalar of ours
// takes it says itself; no input is a Float. The rules are those of the specification, "Input Coercion": a text is no number, whatever it says.
func ill(ctx context.Context, schema *ast.Schema, op *ast.OperationDefinition, values map[string]any) *gqlerror.Error {
	for _, d := range op.VariableDefinitions {
		at := place{"$" + d.Variable, ast.Path{ast.PathName("variable"), ast.PathName(d.Variable)}}
		var no *misfit
		if v, given := values[d.Variable]; given {
			no = judge(schema, at, d.Type, v)
		} else if d.Type.NonNull && d.DefaultValue == nil {
			no = at.refuse("variable_missing", d.Type.String())
		}
		if no == nil {
			continue
		}
		err := tell(ctx, no.why)
		err.Path = no.at.path
		if d.Position != nil {
			err.Locations = []gqlerror.Location{{Line: d.Position.Line, Column: d.Position.Column}}
		}
		return err
	}
	return nil
}

// place is where a value stands among the variables, as people write it and as GraphQL does.
type place struct {
	name string
	path ast.Path
}

func (p place) field(name string) place {
	return place{p.name + "." + shown(name), append(slices.Clip(p.path), ast.PathName(shown(name)))}
}

func (p place) element(i int) place {
	return place{p.name + "[" + strconv.Itoa(i) + "]", append(slices.Clip(p.path), ast.PathIndex(i))}
}

// misfit is a value that is not what is expected at its place.
type misfit struct {
	at  place
	why *fault.Error
}

func (p place) refuse(key string, args ...string) *misfit {
	return &misfit{p, &fault.Error{Code: fault.BadUserInput, Key: key, Args: append([]string{p.name}, args...)}}
}

// judge looks at a value as it was sent, or as the executor has coerced it.
func judge(schema *ast.Schema, at place, t *ast.Type, v any) *misfit {
	if v == nil {
		if t.NonNull {
			return at.refuse("variable_null", t.String())
		}
		return nil
	}
	if t.Elem != nil {
		list := reflect.ValueOf(v)
		if list.Kind() != reflect.Slice {
			return judge(schema, at, t.Elem, v) // one stands for a list of one
		}
		for i := range list.Len() {
			if no := judge(schema, at.element(i), t.Elem, list.Index(i).Interface()); no != nil {
				return no
			}
		}
		return nil
	}
	def := schema.Types[t.NamedType]
	if def == nil {
		return nil
	}
	fits := true
	switch {
	case def.Kind == ast.Enum:
		name, ok := v.(string)
		if ok = ok && def.EnumValues.ForName(name) != nil; !ok {
			var names []string
			for _, e := range def.EnumValues {
				names = append(names, e.Name)
			}
			return at.refuse("variable_enum", strings.Join(names, ", "), sketch(v))
		}
	case def.Kind == ast.InputObject:
		fields, ok := v.(map[string]any)
		if !ok {
			return at.refuse("variable_type", t.String(), sketch(v))
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if def.Fields.ForName(name) == nil {
				return at.field(name).refuse("variable_unknown", def.Name)
			}
		}
		for _, f := range def.Fields {
			v, given := fields[f.Name]
			if !given {
				if f.Type.NonNull && f.DefaultValue == nil {
					return at.field(f.Name).refuse("variable_missing", f.Type.String())
				}
				continue
			}
			if no := judge(schema, at.field(f.Name), f.Type, v); no != nil {
				return no
			}
		}
	case t.NamedType == "Int":
		fits = isInt(v, 32)
	case t.NamedType == "ID":
		_, text := v.(string)
		fits = text || isInt(v, 64)
	case t.NamedType == "String":
		_, fits = v.(string)
	case t.NamedType == "Boolean":
		_, fits = v.(bool)
	}
	if !fits {
		return at.refuse("variable_type", t.String(), sketch(v))
	}
	return nil
}

func isInt(v any, bits int) bool {
	switch n := v.(type) {
	case json.Number:
		_, err := strconv.ParseInt(n.String(), 10, bits)
		return err == nil
	case int64:
		return n == n<<(64-bits)>>(64-bits)
	}
	return false
}

// sketch is a value as JSON has it, no more of it than tells what it is.
func sketch(v any) string {
	switch v := v.(type) {
	case json.Number:
		return shown(v.String())
	case string:
		return strconv.Quote(shown(v))
	case bool, int64:
		return fmt.Sprint(v)
	}
	if reflect.ValueOf(v).Kind() == reflect.Slice {
		return "[…]"
	}
	return "{…}"
}
