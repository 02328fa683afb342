package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/page"
)

// order is a total order of rows: by a key, ties broken by id. keyless orders are by id alone.
type order struct {
	key  string // SQL; "" for an order by id alone
	id   string // SQL
	desc bool
	arg  func(key string) any // a cursor's key as an argument
}

func byText(key string) any { return key }

// listing is a list query without its order and its limit.
type listing[T any] struct {
	columns string
	from    string
	where   *builder
	order   order
	// scan reads one row into a value and says where it stands.
	scan func(row) (T, page.Position, error)
}

// list reads one page, and where asked counts all, in one round trip.
func list[T any](ctx context.Context, s *Store, l listing[T], r page.Request) (page.Result[T], error) {
	var rows []T
	var at []page.Position
	desc := l.order.desc != r.Backward

	q := new(builder).add("select "+l.columns+" from "+l.from+" where ").add(l.where.b.String(), l.where.args...)
	if r.From != nil {
		op := " > "
		if desc {
			op = " < "
		}
		if l.order.key == "" {
			q.add(" and "+l.order.id+op+"?", r.From.ID)
		} else {
			q.add(" and ("+l.order.key+", "+l.order.id+")"+op+"(?, ?)", l.order.arg(r.From.Key), r.From.ID)
		}
	}
	dir := ""
	if desc {
		dir = " desc"
	}
	q.add(" order by ")
	if l.order.key != "" {
		q.add(l.order.key + dir + ", ")
	}
	q.add(l.order.id+dir+" limit ?", r.Size+1)
	ss := []stmt{q.stmt(func(row row) error {
		v, p, err := l.scan(row)
		rows, at = append(rows, v), append(at, p)
		return err
	})}
	total := 0
	if r.Count {
		c := new(builder).add("select count(*) from (select 1 from "+l.from+" where ").add(l.where.b.String(), l.where.args...).
			add(" limit ?) counted", page.CountMax+1)
		ss = append(ss, c.stmt(func(row row) error { return row.Scan(&total) }))
	}
	if err := s.read(ctx, ss...); err != nil {
		return page.Result[T]{}, unavailable(err, "list from "+l.from)
	}
	out := page.Trim(r, rows, at)
	if r.Count && total <= page.CountMax {
		out.Total = &total
	}
	return out, nil
}
