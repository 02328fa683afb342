package scalar

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// MarshalUpload answers nothing: files only come in.
func MarshalUpload(graphql.Upload) graphql.Marshaler { return graphql.Null }

// UnmarshalUpload takes a file that came beside the operation. Anything else is BAD_USER_INPUT.
func UnmarshalUpload(v any) (graphql.Upload, error) {
	if file, ok := v.(graphql.Upload); ok {
		return file, nil
	}
	return graphql.Upload{}, fault.New(fault.BadUserInput, "no_upload")
}
