package gateway

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// guard refuses documents by their structure before they are validated: validation takes time that grows with the
// square of a document's fields, and would be a way to keep the server busy.
type guard struct {
	cache graphql.Cache[*ast.QueryDocument] // what is in it has passed
}

// Limits of a document.
const (
	bytesMax      = 64 << 10
	tokensMax     = 4000
	depthMax      = 12
	aliasesMax    = 30
	rootsMax      = 20
	directivesMax = 20
	operationsMax = 10
	fragmentsMax  = 50
	selectionsMax = 1000 // with every fragment spread
)

// ExtensionName is part of graphql.HandlerExtension.
func (guard) ExtensionName() string { return "guard" }

// Validate is part of graphql.HandlerExtension.
func (guard) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters is part of graphql.OperationParameterMutator.
func (g guard) MutateOperationParameters(ctx context.Context, p *graphql.RawParams) *gqlerror.Error {
	if len(p.Query) > bytesMax {
		return tooComplex("too many bytes")
	}
	if _, ok := g.cache.Get(ctx, p.Query); ok {
		return nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: p.Query}, tokensMax)
	if err != nil || doc == nil {
		return nil // the executor parses with the same limit, and says what is wrong
	}
	switch {
	case len(doc.Operations) > operationsMax:
		return tooComplex("too many operations")
	case len(doc.Fragments) > fragmentsMax:
		return tooComplex("too many fragments")
	}
	w := weigher{doc: doc, known: map[string]weight{}, open: map[string]bool{}}
	for _, op := range doc.Operations {
		t := w.set(op.SelectionSet)
		switch {
		case len(op.SelectionSet) > rootsMax:
			return tooComplex("too many root fields")
		case t.depth > depthMax:
			return tooComplex("nested too deeply")
		case t.aliases > aliasesMax:
			return tooComplex("too many aliases")
		case t.directives+len(op.Directives) > directivesMax:
			return tooComplex("too many directives")
		case t.selections > selectionsMax:
			return tooComplex("too many fields")
		}
	}
	return nil
}

func tooComplex(what string) *gqlerror.Error {
	return coded("QUERY_TOO_COMPLEX", "the query is too large: "+what)
}

// weight is what a selection costs, every fragment counted where it is spread.
type weight struct{ depth, aliases, directives, selections int }

func (a *weight) add(b weight) {
	const most = 1 << 30 // far above every limit, far below an overflow
	a.depth = max(a.depth, b.depth)
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
	delete(w.open, name)
	w.known[name] = t
	return t
}
