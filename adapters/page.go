package adapters

import (
	"context"
	"iter"
)

// Cursor is an opaque place in a listing. Empty it means the first page, or that no page follows. It outlives the
// adapter that gave it, unless the vendor lets it expire; one that makes no sense is [InvalidArgument].
type Cursor string

// Page is one page of a listing.
type Page[T any] struct {
	Items []T
	Next  Cursor
	Limit *Limit // nil where the vendor says nothing
}

// Each walks a paged listing. Adapters implement pages, because a long job has to store its place; whoever has none to
// store ranges over Each. The walk ends with the first error, and with an [Internal] one where a cursor stands still:
// a vendor's bug must not become an endless loop.
func Each[T any](ctx context.Context, size int, page func(context.Context, Cursor, int) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for at := Cursor(""); ; {
			p, err := page(ctx, at, size)
			if err != nil {
				yield(none, err)
				return
			}
			for _, it := range p.Items {
				if !yield(it, nil) {
					return
				}
			}
			switch p.Next {
			case "":
				return
			case at:
				yield(none, &Error{Code: Internal, Op: "adapters.Each", Message: "the cursor did not move"})
				return
			}
			at = p.Next
		}
	}
}
