package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

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
		for range 3 { // rows may have moved on between the two
			apart := graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			want := c.ExecutableSchema.Exec(apart)(apart)
			if want.HasNext != nil || bytes.Equal(got.Data, want.Data) && len(graphql.GetErrors(ctx)) == len(graphql.GetErrors(apart)) {
				return got
			}
			again := graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			if got2 := c.plans.Exec(again)(again); bytes.Equal(got2.Data, want.Data) && len(graphql.GetErrors(again)) == len(graphql.GetErrors(apart)) {
				return got
			}
		}
		c.log.ErrorContext(ctx, "the executors do not agree", "request", resolvers.RequestOf(ctx).RequestID)
		graphql.AddError(ctx, fault.New(fault.Internal, "internal"))
		return &graphql.Response{Data: []byte("null")}
	}
}
