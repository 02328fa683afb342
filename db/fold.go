package db

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
)

// What is searched in, folded. Whoever writes a row writes this too.
func foldMember(name, account, employeeNo string) string {
	return directory.Folds(name, account, employeeNo)
}
func foldContact(name, company string) string { return directory.Folds(name, company) }
func foldGroup(name string) string            { return directory.Folds(name) }

// folded is never empty.
func folded(texts ...string) string { return directory.Folds(texts...) + "\n" }

// foldMax is how many rows are folded in one transaction.
const foldMax = 1000

// fold fills in what rows lack that were written before there was a search by folded texts, or by numbers. Mostly it finds none, by
// an index.
func (s *Store) fold(ctx context.Context) error {
	for _, t := range []struct {
		read, write string
		columns     int
		of          func(texts ...string) string
	}{
		{"select m.id, m.name, m.account_name, m.employee_no from members m where m.folded = '' limit ?", "update members set folded = ? where id = ?", 3, folded},
		{"select c.id, c.name, c.company from external_contacts c where c.folded = '' limit ?", "update external_contacts set folded = ? where id = ?", 2, folded},
		{"select g.id, g.name from groups g where g.folded = '' limit ?", "update groups set folded = ? where id = ?", 1, folded},
		{"select c.id, c.phone from external_contacts c where c.dialled is null limit ?", "update external_contacts set dialled = ? where id = ?", 1, func(texts ...string) string { return directory.Dial(texts[0]) }},
	} {
		for {
			var ss []stmt
			err := s.eng.read(ctx, []stmt{{text: t.read, args: []any{foldMax}, scan: func(r row) error {
				var id im.ID
				texts := make([]string, t.columns)
				dest := []any{&id}
				for i := range texts {
					dest = append(dest, &texts[i])
				}
				err := r.Scan(dest...)
				ss = append(ss, stmt{text: t.write, args: []any{t.of(texts...), id}})
				return err
			}}})
			if err != nil {
				return unavailable(err, "read what is to be folded")
			}
			if len(ss) == 0 {
				break
			}
			if err := s.eng.write(ctx, ss); err != nil {
				return unavailable(err, "fold")
			}
		}
	}
	return nil
}
