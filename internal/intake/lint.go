package intake

import (
	"context"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/pinyin"
)

// Misnamed is a member whose account name breaks the naming rule, with one that would not.
type Misnamed struct {
	ID          im.ID  `json:"-"`
	EmployeeNo  string `json:"employeeNo"`
	AccountName string `json:"accountName"`
	Proposal    string `json:"proposal"`
}

// Named is where the names of members are read.
type Named interface {
	// MembersByNumber reads members from after an employee number on.
	MembersByNumber(ctx context.Context, after string, limit int) ([]im.Member, error)
}

// Lint tells of the members whose account names break the rule, by employee number.
func Lint(ctx context.Context, s Named, tell func(Misnamed) error) error {
	const some = 1000
	for after := ""; ; {
		ms, err := s.MembersByNumber(ctx, after, some)
		if err != nil {
			return err
		}
		for _, m := range ms {
			after = m.EmployeeNo
			if m.Employment == im.Departed || pinyin.Obeys(m.AccountName, m.Name, m.EmployeeNo) {
				continue
			}
			if err := tell(Misnamed{m.ID, m.EmployeeNo, m.AccountName, pinyin.AccountName(m.Name, m.EmployeeNo)}); err != nil {
				return err
			}
		}
		if len(ms) < some {
			return nil
		}
	}
}
