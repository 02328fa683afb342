package db

import (
	"context"
	"fmt"
	"regexp"
	"slices"
)

// Loss is what taking a step back loses.
type Loss struct {
	Step    string      // its name
	Tables  []LostTable // that go, with their rows
	Columns []string    // TABLE.COLUMN that go from tables that stay
	Parts   []string    // tables that stay without the rows that only this step's schema can hold
}

// LostTable is a table that goes.
type LostTable struct {
	Name string
	Rows int64
}

// What the files that take steps back do, as they spell it.
var (
	dropsTable  = regexp.MustCompile(`(?m)^drop table (\w+);$`)
	dropsColumn = regexp.MustCompile(`(?m)^alter table (\w+) drop column (\w+);$`)
	putsBack    = regexp.MustCompile(`(?m)^alter table \w+ rename to (\w+);$`)
	dropsRows   = regexp.MustCompile(`(?m)^delete from (\w+)\b`)
)

// Losses says what [Store.Rollback] of so many steps would lose, newest first: nothing where no step is applied. It fails with
// [ErrSteps] where fewer are applied, and changes nothing.
func (s *Store) Losses(ctx context.Context, steps int) (out []Loss, err error) {
	ms, err := s.Migrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate down: %w", err)
	}
	ms = slices.DeleteFunc(ms, func(m Migration) bool { return !m.Applied })
	if len(ms) == 0 {
		return nil, nil
	}
	if steps > len(ms) {
		return nil, fmt.Errorf("migrate down: %w: %d are", ErrSteps, len(ms))
	}
	for _, m := range slices.Backward(ms[len(ms)-steps:]) {
		text, err := s.stepFile(m.Name, "down")
		if err != nil {
			return nil, err
		}
		l := loss(m.Name, text)
		for i := range l.Tables {
			t := &l.Tables[i]
			if err := s.read(ctx, stmt{text: "select count(*) from " + t.Name, scan: func(r row) error { return r.Scan(&t.Rows) }}); err != nil {
				return nil, unavailable(err, "count the rows of "+t.Name)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// loss reads what the file does that takes a step back.
func loss(step, text string) Loss {
	l := Loss{Step: step}
	for _, back := range putsBack.FindAllStringSubmatch(text, -1) {
		l.Parts = append(l.Parts, back[1])
	}
	for _, gone := range dropsTable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(l.Parts, gone[1]) {
			l.Tables = append(l.Tables, LostTable{Name: gone[1]})
		}
	}
	for _, gone := range dropsRows.FindAllStringSubmatch(text, -1) {
		l.Parts = append(l.Parts, gone[1])
	}
	for _, gone := range dropsColumn.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(l.Parts, gone[1]) {
			l.Columns = append(l.Columns, gone[1]+"."+gone[2])
		}
	}
	return l
}
