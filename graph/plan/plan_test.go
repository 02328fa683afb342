package plan_test

import (
	"context"
	"errors"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/guanxi-im/guanxi/graph/plan"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `directive @defer on FRAGMENT_SPREAD | INLINE_FRAGMENT
	type Query { a: Int b: Int must: Int! text(of: String): String }`})

var query = &plan.Type{Name: "Query", Is: []string{"Query"}, Fields: map[string]plan.Known{"a": {ID: 0}, "b": {ID: 1}, "must": {ID: 2, NonNull: true}, "text": {ID: 3}}}

// operation is one that was parsed and validated.
func operation(t *testing.T, text string) (context.Context, *graphql.OperationContext) {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(schema, text, rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	oc := &graphql.OperationContext{RawQuery: text, Doc: doc, Operation: doc.Operations[0], RecoverFunc: func(context.Context, any) error { return errors.New("broke") },
		RootResolverMiddleware: func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler { return next(ctx) }}
	ctx := graphql.WithOperationContext(t.Context(), oc)
	return graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, graphql.DefaultRecover), oc
}

// A panic ends its root field with an error, and neither those beside it nor the program.
func TestPanics(t *testing.T) {
	field := func(_ context.Context, w *plan.Writer, f *plan.Field) bool {
		if f.ID == 1 || f.ID == 2 {
			panic("planted")
		}
		return w.Int(7)
	}
	for text, want := range map[string]string{
		`{a b c: a}`: `{"a":7,"b":null,"c":7}`,
		`{b}`:        `{"b":null}`,
		`{a must}`:   `null`,
	} {
		ctx, oc := operation(t, text)
		if got := string(plan.Root(ctx, oc, query, field)); got != want || len(graphql.GetErrors(ctx)) != 1 {
			t.Errorf("%s: %s, errors %v", text, got, graphql.GetErrors(ctx))
		}
	}
}

func TestKnows(t *testing.T) {
	for text, want := range map[string]bool{
		`{a}`:            true,
		`{__typename a}`: true,
		`{text(of: "__schema")} # @defer __type(`:                            true,
		`{__type(name: "Query") {name}}`:                                     false,
		"{a t: __type#\n(name: \"Query\") {name}}":                           false,
		`{...f} fragment f on Query {... on Query {__schema {description}}}`: false,
		`{... @defer {a}}`:                                                   false,
		`{...f @defer} fragment f on Query {a}`:                              false,
	} {
		_, oc := operation(t, text)
		if got := plan.Knows(oc); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
