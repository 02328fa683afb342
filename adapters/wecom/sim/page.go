package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// row is something that is paged through, by a key that never changes and that no other row has.
type row[T any] struct {
	key string
	val T
}

// markLength is how much of a hash binds a cursor to its question.
const markLength = 9

// page is what comes after the cursor, by the order of the keys, at most limit rows, and the cursor of what is left,
// empty at the end. A cursor is opaque and good for one question only: after another filter, or made up, it is invalid.
// Rows that go or come meanwhile shift no others.
func page[T any](rows []row[T], question, cursor string, limit int) (vals []T, next string, err error) {
	mark := sha256.Sum256([]byte(question))
	after := ""
	if cursor != "" {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || len(text) <= markLength || string(text[:markLength]) != string(mark[:markLength]) {
			return nil, "", badCursor
		}
		after = string(text[markLength:])
	}
	slices.SortFunc(rows, func(a, b row[T]) int { return strings.Compare(a.key, b.key) })
	from, _ := slices.BinarySearchFunc(rows, after+"\x00", func(r row[T], key string) int { return strings.Compare(r.key, key) })
	if after == "" {
		from = 0
	}
	rows = rows[from:]
	if len(rows) > limit {
		rows = rows[:limit]
		next = base64.RawURLEncoding.EncodeToString(append(mark[:markLength:markLength], rows[limit-1].key...))
	}
	vals = make([]T, len(rows))
	for i, r := range rows {
		vals[i] = r.val
	}
	return vals, next, nil
}
