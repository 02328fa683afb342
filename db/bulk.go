package db

import (
	"context"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/intake"
)

// load is many new rows of one table.
type load struct {
	table   string
	columns []string
	rows    [][]any
}

// insert inserts one row.
func (l load) insert(row []any) stmt { return stmt{text: insertText(l, 1), args: row} }

// bulk runs the first statements, copies the rows in, by the database's own way for many, and then runs the others, all in one
// transaction.
func (p *postgres) bulk(ctx context.Context, first []stmt, loads []load, ss []stmt) error {
	return p.raw(ctx, func(c *pgx.Conn) (err error) {
		if _, err := c.Exec(ctx, "begin"); err != nil {
			return err
		}
		defer func() {
			if err == nil || c.IsClosed() {
				return
			}
			if _, e := c.Exec(context.WithoutCancel(ctx), "rollback"); e != nil {
				_ = c.Close(context.WithoutCancel(ctx))
			}
		}()
		send := func(ss []stmt) error {
			if len(ss) == 0 {
				return nil
			}
			var b pgx.Batch
			for _, s := range ss {
				b.Queue(rebind(s.text), s.args...)
			}
			return drain(c.SendBatch(ctx, &b), ss)
		}
		if err := send(first); err != nil {
			return err
		}
		for _, l := range loads {
			if len(l.rows) == 0 {
				continue
			}
			src := pgx.CopyFromSlice(len(l.rows), func(i int) ([]any, error) {
				for k, v := range l.rows[i] {
					if id, ok := v.(im.ID); ok {
						l.rows[i][k] = any(nil)
						if !id.IsZero() {
							l.rows[i][k] = [16]byte(id)
						}
					}
				}
				return l.rows[i], nil
			})
			if _, err := c.CopyFrom(ctx, pgx.Identifier{l.table}, l.columns, src); err != nil {
				return err
			}
		}
		if err := send(ss); err != nil {
			return err
		}
		_, err = c.Exec(ctx, "commit")
		return err
	})
}

// valuesSizes are how many rows go into one statement: few texts, so that each stays prepared.
var valuesSizes = []int{200, 40, 8, 1}

func (e *sqlite) bulk(ctx context.Context, first []stmt, loads []load, ss []stmt) error {
	all := first
	for _, l := range loads {
		rows := l.rows
		for _, n := range valuesSizes {
			text := ""
			for ; len(rows) >= n; rows = rows[n:] {
				if text == "" {
					text = insertText(l, n)
				}
				args := make([]any, 0, n*len(l.columns))
				for _, r := range rows[:n] {
					args = append(args, r...)
				}
				all = append(all, stmt{text: text, args: args})
			}
		}
	}
	return e.write(ctx, append(all, ss...))
}

// insertText is the text that inserts n rows.
func insertText(l load, n int) string {
	key := insertKey{l.table, len(l.columns), n}
	if t, ok := insertTexts.Load(key); ok {
		return t.(string)
	}
	row := "(" + strings.Repeat("?, ", len(l.columns)-1) + "?)"
	t := "insert into " + l.table + " (" + strings.Join(l.columns, ", ") + ") values " + strings.Repeat(row+", ", n-1) + row
	insertTexts.Store(key, t)
	return t
}

var insertTexts sync.Map // by insertKey

// insertKey names an insert of so many rows of so many columns.
type insertKey struct {
	table         string
	columns, rows int
}

// amongTexts is a condition that a column has one of some values: one text for all lengths on PostgreSQL, a few on SQLite.
func (s *Store) amongTexts(q *builder, column string, vals []string) *builder {
	if s.eng.postgres() {
		return q.add(column+" = any(?)", vals)
	}
	t, args := in(vals)
	return q.add(column+" in "+t, args...)
}

// amongIDs is the same for ids.
func (s *Store) amongIDs(q *builder, column string, ids []im.ID) *builder {
	if s.eng.postgres() {
		return q.add(column+" = any(?::uuid[])", uuids(ids))
	}
	t, args := in(ids)
	return q.add(column+" in "+t, args...)
}

// What a file's rows are about is looked up one by one: PostgreSQL works no lateral join with "offset 0" off in another way. Else
// it would choose by how large a table is when the statement is first planned, and keep to that: a company's tables are empty
// then, and half an import later each batch would still read through all that the ones before it have written.

// eachText asks for the rows of a table in which a column, a text, has one of some values. from is the table with its alias, and
// "where " with what else must hold of a row.
func (s *Store) eachText(columns, from, alias, column string, vals []string, args ...any) *builder {
	if s.eng.postgres() {
		return lateral(columns, from+column+" = t.a", alias, "unnest(?::text[]) t (a)", append([]any{vals}, args...))
	}
	return s.amongTexts(new(builder).add("select "+columns+" from "+from, args...), column, vals)
}

// eachID is the same for ids.
func (s *Store) eachID(columns, from, alias, column string, ids []im.ID) *builder {
	if s.eng.postgres() {
		return lateral(columns, from+column+" = t.a", alias, "unnest(?::uuid[]) t (a)", []any{uuids(ids)})
	}
	return s.amongIDs(new(builder).add("select "+columns+" from "+from), column, ids)
}

// eachTie asks for the rows of a table of which something holds together with one of some pairs, t.a and t.b. SQLite takes no
// other order of a join that is written "cross join": it would look each a up with each b of "a in … and b in …".
func (s *Store) eachTie(columns, from, alias string, all []intake.Tie) *builder {
	if s.eng.postgres() {
		a, b := make([]im.ID, len(all)), make([]im.ID, len(all))
		for i, t := range all {
			a[i], b[i] = t[0], t[1]
		}
		return lateral(columns, from, alias, "unnest(?::uuid[], ?::uuid[]) t (a, b)", []any{uuids(a), uuids(b)})
	}
	n := 1
	for n < len(all) {
		n *= 2
	}
	args := make([]any, 0, 2*n)
	for i := range n { // few lengths, few texts; null ties nobody
		var t intake.Tie
		if i < len(all) {
			t = all[i]
		}
		args = append(args, t[0], t[1])
	}
	return new(builder).add("with t (a, b) as (values "+strings.Repeat("(?, ?), ", n-1)+"(?, ?)) select "+columns+" from t cross join "+from, args...)
}

func lateral(columns, from, alias, values string, args []any) *builder {
	return new(builder).add("select "+columns+" from "+values+" cross join lateral (select * from "+from+" offset 0) "+alias, args...)
}

func uuids(ids []im.ID) [][16]byte {
	all := make([][16]byte, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}
