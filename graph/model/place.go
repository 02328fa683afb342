package model

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// Place names the field that is being worked out: the same for all rows of one place of an operation, where plans work it out. It
// is nil where nothing is.
func Place(ctx context.Context) any {
	if fc := graphql.GetFieldContext(ctx); fc != nil {
		return fc
	}
	return nil
}
