// Package plan works operations out without the field engine of gqlgen, whose context, goroutine and marshaler for each
// field of each row cost more than the rows themselves. Selections are collected once an operation, and rows are
// appended to one buffer. The code that reads the fields of each type is generated beside gqlgen's own, see package
// gen; what is here knows no type.
//
// gqlgen still parses, validates and limits, and works out what is not here: subscriptions, introspection and @defer.
// The two give the same bytes; tests hold them to it.
package plan

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Type is an object type: what it is, and its fields by name.
type Type struct {
	Name   string
	Is     []string // itself, and the interfaces and unions that it belongs to
	Fields map[string]Known
}

// Known is a field of a type.
type Known struct {
	ID      int
	NonNull bool
}

// Typename is the id of __typename on every type.
const Typename = -1

// Selection is what is asked of one type at one place of an operation.
type Selection struct{ Fields []Field }

// Field is one field of a selection.
type Field struct {
	graphql.CollectedField
	ID      int
	key     string // its name in the answer, quoted, with a colon
	nonNull bool
	under   []under // its own selection, by the type that it turns out to have

	entered bool
	context *graphql.FieldContext
	ctx     context.Context
}

type under struct {
	of  *Type
	sel *Selection
}

func collect(oc *graphql.OperationContext, sel ast.SelectionSet, of *Type) *Selection {
	collected := graphql.CollectFields(oc, sel, of.Is)
	s := &Selection{Fields: make([]Field, 0, len(collected))}
	for _, c := range collected {
		f := Field{CollectedField: c, ID: Typename}
		if c.Name != "__typename" {
			known, ok := of.Fields[c.Name]
			if !ok {
				panic("plan: unknown field " + strconv.Quote(c.Name)) // validation knows the same fields
			}
			f.ID, f.nonNull = known.ID, known.NonNull
		}
		f.key = string(appendString(nil, c.Alias)) + ":"
		if !s.has(f.key) {
			s.Fields = append(s.Fields, f)
		}
	}
	return s
}

func (s *Selection) has(key string) bool {
	for i := range s.Fields {
		if s.Fields[i].key == key {
			return true
		}
	}
	return false
}

// Under is what the field asks of values of a type.
func (f *Field) Under(w *Writer, of *Type) *Selection {
	for _, u := range f.under {
		if u.of == of {
			return u.sel
		}
	}
	sel := collect(w.oc, f.Selections, of)
	f.under = append(f.under, under{of, sel})
	return sel
}

// Enter prepares the call of a method that takes a context: its arguments are read once an operation. It is nil where
// they cannot be read.
func (f *Field) Enter(w *Writer, enter func(context.Context, graphql.CollectedField) (*graphql.FieldContext, error)) (*graphql.FieldContext, context.Context) {
	if !f.entered {
		f.entered = true
		if fc, err := enter(w.ctx, f.CollectedField); err == nil {
			f.context, f.ctx = fc, graphql.WithFieldContext(w.ctx, fc)
		}
	}
	return f.context, f.ctx
}

// Writer writes the answer of one root field. Functions that write a value report whether there was one; where there
// was none they have written nothing, and have reported why if it had to be there.
type Writer struct {
	oc   *graphql.OperationContext
	ctx  context.Context // of the root field
	buf  []byte
	path []step
}

// step is a field or, where that is nil, a place in a list.
type step struct {
	field *Field
	index int
}

// Open begins an object, and answers where.
func (w *Writer) Open() int {
	w.buf = append(w.buf, '{')
	return len(w.buf) - 1
}

// Close ends it.
func (w *Writer) Close() { w.buf = append(w.buf, '}') }

// Cut takes back what was written from a place on.
func (w *Writer) Cut(from int) { w.buf = w.buf[:from] }

// Begin begins a field of an object.
func (w *Writer) Begin(f *Field) {
	if w.buf[len(w.buf)-1] != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, f.key...)
	w.path = append(w.path, step{field: f})
}

// End ends it; false where the object cannot do without its value.
func (w *Writer) End(f *Field, ok bool) bool {
	w.path = w.path[:len(w.path)-1]
	if ok {
		return true
	}
	w.buf = append(w.buf, "null"...)
	return !f.nonNull
}

// List writes n elements.
func List(w *Writer, n int, nonNull bool, element func(i int) bool) bool {
	from, depth := len(w.buf), len(w.path)
	w.buf = append(w.buf, '[')
	w.path = append(w.path, step{})
	for i := range n {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		w.path[depth].index = i
		if element(i) {
			continue
		}
		if nonNull {
			w.buf, w.path = w.buf[:from], w.path[:depth]
			return false
		}
		w.buf = append(w.buf, "null"...)
	}
	w.path = w.path[:depth]
	w.buf = append(w.buf, ']')
	return true
}

// Missing says that there is no value; where there has to be one, it is an error unless one was reported here already.
// It is always true, so that it can stand in a condition.
func (w *Writer) Missing(nonNull bool) bool {
	return w.lacks(nonNull, "the requested element is null which the schema does not allow")
}

// Nothing is Missing of a field whose value has no type either.
func (w *Writer) Nothing(nonNull bool) bool { return w.lacks(nonNull, "must not be null") }

func (w *Writer) lacks(nonNull bool, message string) bool {
	if nonNull {
		if ctx := w.here(); !graphql.HasFieldError(ctx, graphql.GetFieldContext(ctx)) {
			graphql.AddErrorf(ctx, "%s", message)
		}
	}
	return true
}

// Fail reports the error of a field.
func (w *Writer) Fail(err error) {
	ctx := w.here()
	w.oc.Error(ctx, graphql.AddFieldLocationToError(ctx, err))
}

// here is a context that knows the path to what is being written.
func (w *Writer) here() context.Context {
	ctx := w.ctx
	for _, s := range w.path {
		fc := &graphql.FieldContext{}
		if s.field != nil {
			fc.Field = s.field.CollectedField
		} else {
			fc.Index = &s.index
		}
		ctx = graphql.WithFieldContext(ctx, fc)
	}
	return ctx
}

// String writes a text.
func (w *Writer) String(s string) bool {
	w.buf = appendString(w.buf, s)
	return true
}

// appendString quotes as gqlgen does.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '\\' && c != '"' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '\t':
			b = append(b, `\t`...)
		case '\r':
			b = append(b, `\r`...)
		case '\n':
			b = append(b, `\n`...)
		case '\\', '"':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// Enum writes a value of an enumeration.
func (w *Writer) Enum(s string) bool {
	w.buf = strconv.AppendQuote(w.buf, s)
	return true
}

// Bool writes true or false.
func (w *Writer) Bool(v bool) bool {
	w.buf = strconv.AppendBool(w.buf, v)
	return true
}

// Int writes a number.
func (w *Writer) Int(n int64) bool {
	w.buf = strconv.AppendInt(w.buf, n, 10)
	return true
}

// Time writes a moment as RFC 3339 in UTC.
func (w *Writer) Time(t time.Time) bool {
	w.buf = append(t.UTC().AppendFormat(append(w.buf, '"'), time.RFC3339Nano), '"')
	return true
}

// Marshal writes what gqlgen made of a value.
func (w *Writer) Marshal(m graphql.Marshaler) bool {
	if m == graphql.Null {
		return false
	}
	m.MarshalGQL(w)
	return true
}

// Write is part of io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	return len(b), nil
}

// answer is that of a root field, as middleware of root fields sees it.
type answer struct{ bytes []byte }

// MarshalGQL is part of graphql.Marshaler.
func (a *answer) MarshalGQL(w io.Writer) { _, _ = w.Write(a.bytes) } // a buffer never fails

// Knows reports whether an operation is one that plans work out.
func Knows(oc *graphql.OperationContext) bool {
	if oc.Operation.Operation == ast.Subscription || !known(oc.Operation.SelectionSet) {
		return false
	}
	for _, f := range oc.Doc.Fragments { // those that are not spread cost a look
		if !known(f.SelectionSet) {
			return false
		}
	}
	return true
}

func known(set ast.SelectionSet) bool {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == "__schema" || s.Name == "__type" || !known(s.SelectionSet) {
				return false
			}
		case *ast.InlineFragment:
			if deferred(s.Directives) || !known(s.SelectionSet) {
				return false
			}
		case *ast.FragmentSpread:
			if deferred(s.Directives) {
				return false
			}
		}
	}
	return true
}

func deferred(ds ast.DirectiveList) bool { return ds.ForName("defer") != nil }

// Root works an operation out: root fields at once, and those of a mutation one after the other. field writes one.
func Root(ctx context.Context, oc *graphql.OperationContext, of *Type, field func(ctx context.Context, w *Writer, f *Field) bool) []byte {
	sel := collect(oc, oc.Operation.SelectionSet, of)
	ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: of.Name})
	answers := make([]graphql.Marshaler, len(sel.Fields))
	one := func(i int) {
		f := &sel.Fields[i]
		if f.ID == Typename {
			answers[i] = &answer{appendString(nil, of.Name)}
			return
		}
		inner := graphql.WithRootFieldContext(ctx, &graphql.RootFieldContext{Object: f.Name, Field: f.CollectedField})
		answers[i] = oc.RootResolverMiddleware(inner, func(ctx context.Context) graphql.Marshaler {
			w := &Writer{oc: oc, ctx: ctx, buf: make([]byte, 0, firstSize)}
			if !w.guarded(func() bool { return field(ctx, w, f) }) {
				return graphql.Null
			}
			return &answer{w.buf}
		})
	}
	if len(sel.Fields) == 1 || oc.Operation.Operation == ast.Mutation {
		for i := range sel.Fields {
			one(i)
		}
	} else {
		var all sync.WaitGroup
		for i := range sel.Fields {
			all.Go(func() { one(i) })
		}
		all.Wait()
	}
	out := &Writer{buf: make([]byte, 0, firstSize)}
	if len(sel.Fields) == 1 {
		if a, ok := answers[0].(*answer); ok {
			out.buf = make([]byte, 0, len(a.bytes)+len(sel.Fields[0].key)+2)
		}
	}
	out.Open()
	for i, a := range answers {
		f := &sel.Fields[i]
		out.Begin(f)
		if ok := out.Marshal(a); !out.End(f, ok) {
			return []byte("null")
		}
	}
	out.Close()
	return out.buf
}

// guarded has a panic end the root field, and no more than that.
func (w *Writer) guarded(write func() bool) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			at := w.here()
			w.oc.Error(at, w.oc.Recover(at, r))
			ok = false
		}
	}()
	return write()
}

// firstSize is room for most answers.
const firstSize = 4 << 10

// Resolve calls the resolver of a root field and has its value written.
func Resolve[T any](ctx context.Context, w *Writer, f *Field, enter func(context.Context, graphql.CollectedField) (*graphql.FieldContext, error),
	resolve func(ctx context.Context, fc *graphql.FieldContext) (any, error), write func(v T) bool) bool {
	w.ctx = ctx
	fc, err := enter(ctx, f.CollectedField)
	if err != nil {
		return false
	}
	w.ctx = graphql.WithFieldContext(ctx, fc)
	v, err := w.oc.ResolverMiddleware(w.ctx, func(ctx context.Context) (any, error) {
		w.ctx = ctx
		return resolve(ctx, fc)
	})
	if err != nil {
		w.Fail(err)
		return false
	}
	if v == nil {
		return !w.Nothing(f.nonNull)
	}
	t, is := v.(T)
	if !is {
		w.Fail(gqlerror.Errorf("unexpected type %T", v))
		return false
	}
	return write(t)
}

// Context is that of the root field.
func (w *Writer) Context() context.Context { return w.ctx }
