package gateway

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// Limits of a document.
const (
	bytesMax      = 64 << 10
	tokensMax     = 4000
	depthMax      = 12
	nestMax       = 24 // with fragments, which are levels to whoever walks a document
	aliasesMax    = 30
	rootsMax      = 20
	directivesMax = 20
	operationsMax = 10
	fragmentsMax  = 50
	selectionsMax = 1000 // with every fragment spread
)

// Limits of variables. The contract allows lists of a hundred and once of a thousand; what is longer is not even coerced.
const (
	listMax     = 1000
	valuesMax   = 20_000
	variableMax = 20 // levels
)

// weigh refuses a document by its structure before it is validated: validation takes time that grows with the square of a
// document's fields, and would be a way to keep the server busy.
func weigh(query string) *fault.Error {
	if len(query) > bytesMax {
		return tooLarge("query_bytes", bytesMax)
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, tokensMax)
	if err != nil || doc == nil {
		if err != nil && strings.Contains(err.Error(), "token limit") {
			return tooLarge("query_tokens", tokensMax)
		}
		return nil // the executor parses it again, and says what is wrong
	}
	switch {
	case len(doc.Operations) > operationsMax:
		return tooLarge("query_operations", operationsMax)
	case len(doc.Fragments) > fragmentsMax:
		return tooLarge("query_fragments", fragmentsMax)
	}
	w := weigher{doc: doc, known: map[string]weight{}, open: map[string]bool{}}
	// Fragments that nothing spreads are validated all the same.
	for _, f := range doc.Fragments {
		if no := w.fragment(f.Name).judge(0); no != nil {
			return no
		}
	}
	for _, op := range doc.Operations {
		if len(op.SelectionSet) > rootsMax {
			return tooLarge("query_roots", rootsMax)
		}
		if no := w.set(op.SelectionSet).judge(len(op.Directives)); no != nil {
			return no
		}
	}
	return nil
}

// tooLarge is the fault of a document or its variables; the sentence names the limit.
func tooLarge(key string, limit int) *fault.Error {
	return &fault.Error{Code: fault.QueryTooComplex, Key: key, Args: []string{itoa(limit)}}
}

// weight is what a selection costs, every fragment counted where it is spread.
type weight struct{ depth, nest, aliases, directives, selections int }

func (a weight) judge(directives int) *fault.Error {
	switch {
	case a.depth > depthMax:
		return tooLarge("query_depth", depthMax)
	case a.nest > nestMax:
		return tooLarge("query_nest", nestMax)
	case a.aliases > aliasesMax:
		return tooLarge("query_aliases", aliasesMax)
	case a.directives+directives > directivesMax:
		return tooLarge("query_directives", directivesMax)
	case a.selections > selectionsMax:
		return tooLarge("query_selections", selectionsMax)
	}
	return nil
}

func (a *weight) add(b weight) {
	const most = 1 << 30 // far above every limit, far below an overflow
	a.depth = max(a.depth, b.depth)
	a.nest = max(a.nest, b.nest)
	a.aliases = min(a.aliases+b.aliases, most)
	a.directives = min(a.directives+b.directives, most)
	a.selections = min(a.selections+b.selections, most)
}

type weigher struct {
	doc   *ast.QueryDocument
	known map[string]weight // of fragments: each is weighed once, however often it is spread
	open  map[string]bool   // fragments being weighed: a cycle ends here, and validation refuses it
}

func (w weigher) set(ss ast.SelectionSet) (t weight) {
	for _, s := range ss {
		var one weight
		switch s := s.(type) {
		case *ast.Field:
			one = w.set(s.SelectionSet)
			one.depth++
			if s.Name == "__schema" || s.Name == "__type" {
				one.depth = 1 // a rule of the validator bounds these
			}
			one.selections++
			one.directives += len(s.Directives)
			if s.Alias != s.Name {
				one.aliases++
			}
		case *ast.InlineFragment:
			one = w.set(s.SelectionSet)
			one.directives += len(s.Directives)
		case *ast.FragmentSpread:
			one = w.fragment(s.Name)
			one.directives += len(s.Directives)
		}
		one.nest++
		t.add(one)
	}
	return t
}

func (w weigher) fragment(name string) weight {
	if t, ok := w.known[name]; ok || w.open[name] {
		return t
	}
	f := w.doc.Fragments.ForName(name)
	if f == nil {
		return weight{}
	}
	w.open[name] = true
	t := w.set(f.SelectionSet)
	t.directives += len(f.Directives)
	if strings.HasPrefix(f.TypeCondition, "__") { // of what tells of the schema
		t.depth = min(t.depth, 1)
	}
	delete(w.open, name)
	w.known[name] = t
	return t
}

// measure refuses variables by their size, before they are coerced.
func measure(variables map[string]any) *fault.Error {
	left := valuesMax
	return measured(variables, variableMax, &left)
}

func measured(v any, levels int, left *int) *fault.Error {
	*left--
	if levels < 0 || *left < 0 {
		return tooLarge("variables_large", valuesMax)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, one := range v {
			if no := measured(one, levels-1, left); no != nil {
				return no
			}
		}
	case []any:
		if len(v) > listMax {
			return fault.New(fault.BadUserInput, "too_many", itoa(listMax), itoa(len(v)))
		}
		for _, one := range v {
			if no := measured(one, levels-1, left); no != nil {
				return no
			}
		}
	}
	return nil
}

// guard is the extension that lets a request in: its document is one that may be asked, and small enough, and so are its
// variables.
type guard struct {
	schema    *ast.Schema
	known     *documents // parsed and validated already
	persisted *persisted
}

// ExtensionName is part of graphql.HandlerExtension.
func (guard) ExtensionName() string { return "guard" }

// Validate is part of graphql.HandlerExtension.
func (guard) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters is part of graphql.OperationParameterMutator.
func (g guard) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if no := g.admit(ctx, p); no != nil {
		return tell(ctx, no)
	}
	return nil
}

func (g guard) admit(ctx context.Context, p *graphql.RawParams) *fault.Error {
	if no := afford(ctx, requestCost); no != nil {
		return no
	}
	if no := g.find(ctx, p); no != nil {
		return no
	}
	if _, ok := g.known.Get(ctx, p.Query); !ok {
		if no := afford(ctx, unknownCost); no != nil {
			return no
		}
		if no := weigh(p.Query); no != nil {
			return no
		}
	}
	return measure(p.Variables)
}

// MutateOperationContext is part of graphql.OperationContextMutator: it refuses variables that the executor lets through though they
// are not of their types, as texts for numbers.
func (g guard) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	return ill(ctx, g.schema, op.Operation, op.Variables)
}
