// Package scalar is the scalars of the schema that Go does not have.
package scalar

import (
	"strconv"
	"time"

	"io"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// MarshalDateTime writes a moment as RFC 3339 in UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, strconv.Quote(t.UTC().Format(time.RFC3339Nano)))
	})
}

// UnmarshalDateTime reads RFC 3339, which has an offset. Anything else is BAD_USER_INPUT.
func UnmarshalDateTime(v any) (time.Time, error) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && !t.IsZero() { // which stands for none

			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.BadUserInput, "datetime")
}
