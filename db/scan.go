package db

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-im/guanxi/internal/im"
)

type pgconnError = pgconn.PgError

// Errors of PostgreSQL by their codes.
const (
	uniqueViolation = "23505"
	divisionByZero  = "22012"
)

// us is a time as the store keeps it: microseconds since 1970, NULL for the zero time.
func us(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// stamp scans what us stored.
type stamp struct{ t *time.Time }

func (s stamp) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*s.t = time.Time{}
	case int64:
		*s.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("db: a time from %T", src)
	}
	return nil
}

// text scans a text that may be NULL.
type text[T ~string] struct{ s *T }

func (t text[T]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t.s = ""
	case string:
		*t.s = T(v)
	case []byte:
		*t.s = T(v)
	default:
		return fmt.Errorf("db: a text from %T", src)
	}
	return nil
}

func textOf[T ~string](p *T) text[T] { return text[T]{p} }

// null stores an empty text as NULL.
func null[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// blob scans bytes that may be NULL.
type blob struct{ b *[]byte }

func (b blob) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*b.b = nil
	case []byte:
		*b.b = append([]byte(nil), v...)
	case string:
		*b.b = []byte(v)
	default:
		return fmt.Errorf("db: bytes from %T", src)
	}
	return nil
}

// document stores and scans a value as JSON.
type document struct{ v any }

func (d document) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), d.v)
	case []byte:
		return json.Unmarshal(v, d.v)
	}
	return fmt.Errorf("db: JSON from %T", src)
}

// jsonOrNull is toJSON of a list, NULL where it is empty.
func jsonOrNull[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return toJSON(list)
}

// toJSON is for values of our own types, which always marshal.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("db: " + err.Error())
	}
	return string(b)
}

// separator stands between the values of an aggregate: the ASCII unit separator, which no name holds.
const separator = "\x1f"

// words scans an aggregate.
type words struct{ l *[]string }

func (l words) Scan(src any) error {
	var s string
	if err := (text[string]{&s}).Scan(src); err != nil {
		return err
	}
	*l.l = nil
	if s != "" {
		*l.l = strings.Split(s, separator)
	}
	return nil
}

// in is "(?, ?, …)" for the values, padded to a power of two by repeating the last, so that few texts serve all
// lengths; none matches nothing.
func in[T any](vals []T) (string, []any) {
	if len(vals) == 0 {
		return "(null)", nil
	}
	n := 1
	for n < len(vals) {
		n *= 2
	}
	args := make([]any, n)
	for i := range args {
		args[i] = vals[min(i, len(vals)-1)]
	}
	return "(" + strings.Repeat("?, ", n-1) + "?)", args
}

// builder grows a statement piece by piece; the pieces are constant texts.
type builder struct {
	b    strings.Builder
	args []any
}

func (q *builder) add(text string, args ...any) *builder {
	q.b.WriteString(text)
	q.args = append(q.args, args...)
	return q
}

// constant adds a value of an enumeration to the text. Where an index is of one value alone, SQLite looks at what is bound in its
// place, and prepares the statement anew each time.
func (q *builder) constant(v string) *builder {
	if strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" { // none of ours
		return q.add("?", v)
	}
	return q.add("'" + v + "'")
}

// join adds what is joined, if anything is.
func (q *builder) join(joins *builder) *builder {
	if joins == nil {
		return q
	}
	return q.add(joins.b.String(), joins.args...)
}

func (q *builder) in(ids []im.ID) *builder {
	t, args := in(ids)
	return q.add(t, args...)
}

func (q *builder) stmt(scan func(row) error) stmt {
	return stmt{text: q.b.String(), args: q.args, scan: scan}
}
