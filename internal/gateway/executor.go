package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

// The ways in which operations are worked out.
const (
	Plans  = "plan"   // by package plan, and by gqlgen what that does not know
	GQLGen = "gqlgen" // by gqlgen alone
	Both   = "both"   // by both: where they do not agree the request fails. For tests
)

// schema is the executable schema, worked out as the options say.
func (o Options) schema() graphql.ExecutableSchema {
	s := generated.NewExecutableSchema(generated.Config{Resolvers: o.Resolver})
	switch o.Executor {
	case GQLGen:
		return s
	case Both:
		return compared{s, generated.Planned(s), o.Log}
	}
	return generated.Planned(s)
}

// compared answers queries by plans and by gqlgen.
type compared struct {
	graphql.ExecutableSchema
	plans graphql.ExecutableSchema
	log   *slog.Logger
}

// asking are root fields that leave something behind: they are not asked twice.
var asking = []string{"decide", "contactCheck", "blockPreview", "messages"}

// Exec is part of graphql.ExecutableSchema.
func (c compared) Exec(ctx context.Context) graphql.ResponseHandler {
	oc := graphql.GetOperationContext(ctx)
	answer := c.plans.Exec(ctx)
	if oc.Operation.Operation != ast.Query {
		return answer
	}
	for _, name := range asking {
		if strings.Contains(oc.RawQuery, name) {
			return answer
		}
	}
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		got := answer(ctx)
		if got == nil {
			return nil
		}
		differ := ""
		for range 20 { // rows may have moved on between the two, those of an import with each batch
			apart := graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			want := c.ExecutableSchema.Exec(apart)(apart)
			if want.HasNext != nil || bytes.Equal(got.Data, want.Data) && alike(got.Data, graphql.GetErrors(ctx), graphql.GetErrors(apart)) {
				return got
			}
			again := graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			if got2 := c.plans.Exec(again)(again); bytes.Equal(got2.Data, want.Data) && alike(got2.Data, graphql.GetErrors(again), graphql.GetErrors(apart)) {
				return got
			}
			differ = fmt.Sprint(graphql.GetErrors(ctx), " ", graphql.GetErrors(apart))
		}
		c.log.ErrorContext(ctx, "the executors do not agree", "request", resolvers.RequestOf(ctx).RequestID, "errors", differ)
		graphql.AddError(ctx, fault.New(fault.Internal, "internal"))
		return &graphql.Response{Data: []byte("null")}
	}
}

// alike reports whether the errors of plans lie where those of gqlgen do, whatever their order. gqlgen works out all rows of a list at
// once, and plans stop at the first error that takes what stands around it away: what lies in there besides need not be told.
func alike(data []byte, plans, all gqlerror.List) bool {
	left := map[string]int{}
	for _, e := range plans {
		left[e.Path.String()]++
	}
	var root any
	_ = json.Unmarshal(data, &root) // our own
	for _, e := range all {
		if place := e.Path.String(); left[place] > 0 {
			left[place]--
		} else if !gone(root, e.Path) {
			return false
		}
	}
	for _, n := range left {
		if n > 0 {
			return false
		}
	}
	return true
}

// gone reports whether something around a place was taken away.
func gone(at any, path ast.Path) bool {
	for _, step := range path {
		switch here := at.(type) {
		case map[string]any:
			name, ok := step.(ast.PathName)
			next, there := here[string(name)]
			if !ok || !there {
				return false
			}
			at = next
		case []any:
			i, ok := step.(ast.PathIndex)
			if !ok || int(i) >= len(here) {
				return false
			}
			at = here[i]
		default:
			return at == nil
		}
	}
	return false
}
