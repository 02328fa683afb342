package resolvers

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// Presenter makes GraphQL errors of errors: the only place where they meet. What is no fault of ours or of the GraphQL
// machinery is INTERNAL: its cause goes to the log, under the trace id that the client gets.
func Presenter(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		req := RequestOf(ctx)
		var machinery *gqlerror.Error
		if errors.As(err, &machinery) && machinery.Extensions["code"] != nil {
			machinery.Extensions["traceId"] = req.RequestID
			return machinery
		}
		f := fault.As(err)
		if f.Cause != nil {
			level := slog.LevelDebug // the line about the request has the code
			if f.Code == fault.Internal || f.Code == fault.Unavailable || f.Code == fault.PolicyError {
				level = slog.LevelError
			}
			log.Log(ctx, level, "request failed", "code", string(f.Code), "request", req.RequestID, "error", f.Cause)
		}
		path := graphql.GetPath(ctx)
		if machinery != nil && len(machinery.Path) > len(path) { // to the field of the input
			path = machinery.Path
		}
		out := &gqlerror.Error{Message: view.Sentence(f, req.Language), Path: path,
			Extensions: map[string]any{"code": string(f.Code), "traceId": req.RequestID}}
		if !f.DecisionID.IsZero() {
			out.Extensions["decisionId"] = nodeid.Encode(im.KindDecision, f.DecisionID)
		}
		return out
	}
}
