package gateway

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// What things cost. A value is free, an object is one, and a page has as many objects as it asks for; lists inside of a
// page multiply.
const (
	pageDefault   = 20
	pageMost      = 100
	listAssumed   = 5 // objects of a list that is not paged
	commandCost   = 10
	streamCost    = 10
	introspection = 500 // of the schema, however it is asked
	requestCost   = 1   // the least that a request costs; it is paid at the door
	unknownCost   = 9   // of a document that is not known yet: it has to be parsed and validated
)

// price works out what an operation costs, before it runs. Each fragment is looked at once.
func price(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) int {
	p := pricer{schema, variables, map[string]sum{}}
	total := p.set(op.SelectionSet).fixed
	for _, s := range op.SelectionSet {
		if _, ok := s.(*ast.Field); !ok {
			continue
		}
		switch op.Operation {
		case ast.Mutation:
			total = plus(total, commandCost)
		case ast.Subscription:
			total = plus(total, streamCost)
		}
	}
	return max(total, requestCost)
}

// sum is the cost of a selection: that of a connection has a part for each row of its page.
type sum struct{ fixed, each int }

const costMost = 1 << 40 // far above every limit, far below an overflow

func plus(a, b int) int { return min(a+b, costMost) }

func times(a, b int) int {
	if a != 0 && b > costMost/a {
		return costMost
	}
	return a * b
}

type pricer struct {
	schema    *ast.Schema
	variables map[string]any
	known     map[string]sum // of fragments
}

func (p pricer) set(ss ast.SelectionSet) (t sum) {
	for _, s := range ss {
		var one sum
		switch s := s.(type) {
		case *ast.Field:
			one = p.field(s)
		case *ast.InlineFragment:
			one = p.set(s.SelectionSet)
		case *ast.FragmentSpread:
			var ok bool
			if one, ok = p.known[s.Name]; !ok && s.Definition != nil { // validation has refused cycles
				one = p.set(s.Definition.SelectionSet)
				p.known[s.Name] = one
			}
		}
		t.fixed, t.each = plus(t.fixed, one.fixed), plus(t.each, one.each)
	}
	return t
}

func (p pricer) field(f *ast.Field) sum {
	if f.Name == "__schema" || f.Name == "__type" {
		return sum{fixed: introspection}
	}
	if f.Definition == nil || len(f.SelectionSet) == 0 { // a value
		return sum{}
	}
	below := p.set(f.SelectionSet)
	list := f.Definition.Type.Elem != nil
	of := f.Definition.Type.Name()
	one := plus(1, below.fixed)
	switch {
	case strings.HasSuffix(of, "Connection"):
		return sum{fixed: plus(one, times(p.page(f), below.each))}
	case strings.HasSuffix(of, "Edge"): // what counts is its node
		return sum{each: below.fixed}
	case list && strings.HasSuffix(f.ObjectDefinition.Name, "Connection"):
		return sum{each: one}
	case list:
		return sum{fixed: times(p.length(f), one)}
	}
	return sum{fixed: one}
}

// page is how many rows a field asks for. What is out of bounds is refused by the field itself.
func (p pricer) page(f *ast.Field) int {
	for _, name := range []string{"first", "last"} {
		if n, ok := p.number(f, name); ok {
			return min(max(n, 0), pageMost)
		}
	}
	return pageDefault
}

func (p pricer) number(f *ast.Field, name string) (int, bool) {
	a := f.Arguments.ForName(name)
	if a == nil {
		return 0, false
	}
	v, err := a.Value.Value(p.variables)
	if err != nil {
		return 0, false
	}
	n, err := graphql.UnmarshalInt(v)
	return n, err == nil && v != nil
}

// length is how many objects a list has that is not paged: as many as it is asked for by a list, or a few.
func (p pricer) length(f *ast.Field) int {
	for _, a := range f.Arguments {
		if v, err := a.Value.Value(p.variables); err == nil {
			if list, ok := v.([]any); ok {
				return len(list)
			}
		}
	}
	return listAssumed
}

// billing is the extension that lets no operation through that costs too much, and charges the others.
type billing struct {
	schema    *ast.Schema
	persisted *persisted
}

// ExtensionName is part of graphql.HandlerExtension.
func (billing) ExtensionName() string { return "billing" }

// Validate is part of graphql.HandlerExtension.
func (*billing) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext is part of graphql.OperationContextMutator.
func (b *billing) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	b.persisted.keep(op)
	cost := price(b.schema, op.Operation, op.Variables)
	bill := billOf(op)
	if bill == nil {
		return nil
	}
	bill.requested = cost
	var no *fault.Error
	if most := bill.payer.limit.Cost; most > 0 && cost > most {
		no = tooLarge("query_cost", most)
		no.Args = append(no.Args, itoa(cost))
	} else {
		no = bill.pay(cost - requestCost)
	}
	if no != nil {
		err := tell(ctx, no)
		err.Extensions["cost"] = bill.extension()
		return err
	}
	return nil
}

// InterceptResponse is part of graphql.ResponseInterceptor: whoever asks is told what it cost.
func (*billing) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	a := next(ctx)
	op := graphql.GetOperationContext(ctx)
	bill := billOf(op)
	if a == nil || bill == nil || op.Headers.Get(costHeader) == "" && op.Extensions["cost"] != true {
		return a
	}
	if a.Extensions == nil {
		a.Extensions = map[string]any{}
	}
	a.Extensions["cost"] = bill.extension()
	return a
}
