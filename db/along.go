package db

import (
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
)

// What a query goes on to from a row is read along with it: joins spare a statement for each way. Of people that is a card,
// which is what is read fastest: without what lies in other tables.

// memberCard and contactCard are the columns of cards, of members or contacts x. Where there is none all are null or zero.
const (
	memberCard  = "x.id, x.name, x.employee_no, x.account_name, x.position, coalesce(x.rank, 0), x.phone, x.job_function, x.region, x.employment"
	contactCard = "x.id, x.name, x.company, coalesce(x.verified, false), x.region, x.importance"
)

// Cards of a manager, and of whom a relationship is aimed at.
var (
	managerCard       = strings.ReplaceAll(memberCard, "x.", "mm.")
	targetMemberCard  = strings.ReplaceAll(memberCard, "x.", "tm.")
	targetContactCard = strings.ReplaceAll(contactCard, "x.", "tc.")
)

func memberCardInto(m *im.Member) []any {
	return []any{&m.ID, textOf(&m.Name), textOf(&m.EmployeeNo), textOf(&m.AccountName), textOf(&m.Position), &m.Rank, textOf(&m.Phone), textOf(&m.JobFunction),
		textOf(&m.Region), textOf(&m.Employment)}
}

func contactCardInto(c *im.ExternalContact) []any {
	return []any{&c.ID, textOf(&c.Name), textOf(&c.Company), &c.Verified, textOf(&c.Region), textOf(&c.Importance)}
}

// The parts of [memberColumns].
const (
	ownMemberColumns = `m.id, m.name, m.sort_key, m.employee_no, m.account_name, m.position, m.rank, m.phone, m.job_function, m.region,
	m.manager_id, m.employment, m.sessions_valid_from`
	departmentOfMember = "(select md.department_id from member_departments md where md.member_id = m.id and md.is_primary)"
	rolesOfMember      = "(select string_agg(mr.role, '" + separator + "') from member_roles mr where mr.member_id = m.id)"
)

// membersAlong is members m with what is read along: their columns, what is joined to them, and how they are scanned.
func membersAlong(v im.Viewer, a directory.Along) (columns string, joins *builder, scan func(row) (im.Member, error)) {
	if a == (directory.Along{}) {
		return memberColumns, nil, scanMember
	}
	cols, joins := []string{ownMemberColumns}, new(builder)
	if a.Department {
		cols = append(cols, "d.id, d.name, d.sort_key, d.parent_id, d.manager_id, d.path")
		joins.add(" left join member_departments pd on pd.member_id = m.id and pd.is_primary left join departments d on d.id = pd.department_id")
	} else {
		cols = append(cols, departmentOfMember)
	}
	if a.Manager {
		cols = append(cols, managerCard)
		joins.add(" left join members mm on mm.id = m.manager_id and ").inScopeOf(v, im.KindMember, "mm.id")
	}
	if !a.NoRoles {
		cols = append(cols, rolesOfMember)
	}
	return strings.Join(cols, ", "), joins, func(r row) (im.Member, error) {
		var m im.Member
		var d im.Department
		into := make([]any, 0, 32)
		into = append(into, memberInto(&m)...)
		if a.Department {
			into = append(into, &d.ID, textOf(&d.Name), textOf(&d.SortKey), &d.ParentID, &d.ManagerID, textOf(&d.Path))
		} else {
			into = append(into, &m.DepartmentID)
		}
		if a.Manager {
			m.Manager = &im.Member{}
			into = append(into, memberCardInto(m.Manager)...)
		}
		if !a.NoRoles {
			into = append(into, words{&m.Roles})
		}
		err := r.Scan(into...)
		if a.Department && !d.ID.IsZero() {
			m.Department, m.DepartmentID = &d, d.ID
		}
		slices.Sort(m.Roles)
		return m, err
	}
}
