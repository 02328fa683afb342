package db

import (
	"context"
	"slices"
	"strconv"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// order is a total order of rows: by a key, ties broken by id. keyless orders are by id alone.
type order struct {
	key  string // SQL; "" for an order by id alone
	id   string // SQL
	desc bool
	arg  func(key string) (any, error) // a cursor's key as an argument
}

func byText(key string) (any, error) { return key, nil }

func byNumber(key string) (any, error) {
	n, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return nil, fault.New(fault.BadUserInput, "cursor_malformed")
	}
	return n, nil
}

// listing is a list query without its order and its limit.
type listing[T any] struct {
	columns string
	from    string
	joins   *builder // what is read along, which changes nothing of which rows there are; nil: nothing
	where   *builder
	order   order
	// scan reads one row into a value and says where it stands.
	scan func(row) (T, page.Position, error)
}

// after adds what the rows of a page come from: the listing's, beyond the request's cursor.
func (l listing[T]) after(q *builder, r page.Request, joins *builder) error {
	q.add(" from "+l.from).join(joins).add(" where ").add(l.where.b.String(), l.where.args...)
	if r.From == nil {
		return nil
	}
	op := " > "
	if l.order.desc != r.Backward {
		op = " < "
	}
	if l.order.key == "" {
		q.add(" and "+l.order.id+op+"?", r.From.ID)
		return nil
	}
	key, err := l.order.arg(r.From.Key)
	q.add(" and ("+l.order.key+", "+l.order.id+")"+op+"(?, ?)", key, r.From.ID)
	return err
}

// by is the order in the direction of a request.
func (l listing[T]) by(r page.Request) string {
	dir := ""
	if l.order.desc != r.Backward {
		dir = " desc"
	}
	if l.order.key == "" {
		return " order by " + l.order.id + dir
	}
	return " order by " + l.order.key + dir + ", " + l.order.id + dir
}

// counted adds a query for how many rows there are, and one more than can be told where there are more.
func (l listing[T]) counted(q *builder) *builder {
	return q.add("select count(*) from (select 1 from "+l.from+" where ").add(l.where.b.String(), l.where.args...).
		add(" limit ?) counted", page.CountMax+1)
}

// list reads one page, and where asked counts all, in one round trip.
func list[T any](ctx context.Context, s *Store, l listing[T], r page.Request) (page.Result[T], error) {
	rows, at := make([]T, 0, r.Size+1), make([]page.Position, 0, r.Size+1)
	q := new(builder).add("select " + l.columns)
	if err := l.after(q, r, l.joins); err != nil {
		return page.Result[T]{}, err
	}
	q.add(l.by(r)+" limit ?", r.Size+1)
	ss := []stmt{q.stmt(func(row row) error {
		v, p, err := l.scan(row)
		rows, at = append(rows, v), append(at, p)
		return err
	})}
	total := 0
	if r.Count {
		ss = append(ss, l.counted(new(builder)).stmt(func(row row) error { return row.Scan(&total) }))
	}
	if err := s.read(ctx, ss...); err != nil {
		return page.Result[T]{}, unavailable(err, "list from "+l.from)
	}
	return paged(r, rows, at, total), nil
}

// unusual adds that a column has not its usual value, where none of those asked for is: rows that have another are few, and in
// an index of their own, which databases take only where a query says so.
func unusual[T ~string](q *builder, column string, usual T, asked ...T) *builder {
	if slices.Contains(asked, usual) {
		return q
	}
	return q.add(" and " + column + " <> '" + string(usual) + "'")
}

func paged[T any](r page.Request, rows []T, at []page.Position, total int) page.Result[T] {
	out := page.Trim(r, rows, at)
	if r.Count && total <= page.CountMax {
		out.Total = &total
	}
	return out
}

// pages reads a page for each of some rows p of a table, which the listing's where refers to, and where asked counts all
// of each: in one round trip and as many statements as [list], whatever the number of parents. Each parent's rows are read
// in order and no further than the page goes.
func pages[T any](ctx context.Context, s *Store, parents string, ids []im.ID, l listing[T], r page.Request) (map[im.ID]page.Result[T], error) {
	type found struct {
		rows  []T
		at    []page.Position
		total int
	}
	of := make(map[im.ID]*found, len(ids))
	for _, id := range ids {
		of[id] = &found{rows: make([]T, 0, r.Size+1), at: make([]page.Position, 0, r.Size+1)}
	}
	chosen := new(builder).add("(select " + l.order.id)
	if err := l.after(chosen, r, nil); err != nil {
		return nil, err
	}
	chosen.add(l.by(r)+" limit ?)", r.Size+1)
	q := new(builder).add("select p.id, " + l.columns + " from " + parents + " p cross join ")
	if s.eng.postgres() {
		q.add("lateral ").add(chosen.b.String(), chosen.args...).add(" chosen (id) join " + l.from + " on " + l.order.id + " = chosen.id").join(l.joins).add(" where p.id in ").in(ids)
	} else { // which has no lateral joins, and works a correlated set out once for each parent
		q.add(l.from).join(l.joins).add(" where p.id in ").in(ids).add(" and "+l.order.id+" in ").add(chosen.b.String(), chosen.args...)
	}
	ss := []stmt{q.add(l.by(r)).stmt(func(row row) error {
		var parent im.ID
		v, p, err := l.scan(child{row, &parent})
		if f := of[parent]; f != nil {
			f.rows, f.at = append(f.rows, v), append(f.at, p)
		}
		return err
	})}
	if r.Count {
		c := l.counted(new(builder).add("select p.id, (")).add(") from " + parents + " p where p.id in ").in(ids)
		ss = append(ss, c.stmt(func(row row) error {
			var parent im.ID
			var n int
			err := row.Scan(&parent, &n)
			if f := of[parent]; f != nil {
				f.total = n
			}
			return err
		}))
	}
	if err := s.read(ctx, ss...); err != nil {
		return nil, unavailable(err, "list from "+l.from+" by "+parents)
	}
	out := make(map[im.ID]page.Result[T], len(ids))
	for id, f := range of {
		out[id] = paged(r, f.rows, f.at, f.total)
	}
	return out, nil
}

// child is a row that begins with the id of its parent.
type child struct {
	row
	parent *im.ID
}

// Scan reads the row's own columns.
func (c child) Scan(dest ...any) error { return c.row.Scan(append([]any{c.parent}, dest...)...) }
