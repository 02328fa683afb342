package authz

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// misfit is a fault in a field of a line, some bytes into the field.
type misfit struct {
	at      int
	message string
}

func (m *misfit) Error() string { return m.message }

func misfitAt(at int, format string, args ...any) error {
	return &misfit{at, fmt.Sprintf(format, args...)}
}

// parseBy reads the by column: term{+term}, where a term is [n*]role or one of approvers.
func parseBy(s string, roles []string) ([]im.Need, error) {
	var out []im.Need
	at := 0
	for term := range strings.SplitSeq(s, "+") {
		need := im.Need{Role: strings.TrimSpace(term), Count: 1}
		start := at + strings.Index(term, need.Role)
		at += len(term) + 1
		count, role, counted := strings.Cut(need.Role, "*")
		if counted {
			if len(count) != 1 || count[0] < '2' || count[0] > '9' {
				return nil, misfitAt(start, "%q is no number of approvers; expected 2 to 9 before the *", count)
			}
			need = im.Need{Role: role, Count: int(count[0] - '0')}
		}
		dynamic := slices.Contains(approvers, need.Role)
		switch {
		case !dynamic && !slices.Contains(roles, need.Role):
			known := append(slices.Clone(approvers), roles...)
			return nil, misfitAt(start, "nobody is an approver called %q; expected a role, %s%s", need.Role, strings.Join(approvers, ", "), hint(need.Role, known))
		case dynamic && counted:
			return nil, misfitAt(start, "%s cannot be counted", need.Role)
		case slices.ContainsFunc(out, func(n im.Need) bool { return n.Role == need.Role }):
			return nil, misfitAt(start, "%s is named twice; two of them are 2*%[1]s", need.Role)
		}
		out = append(out, need)
	}
	return out, nil
}

// needs adds up what several reviews ask for: of each role the most that one of them wants.
type needs map[string]int

func (n needs) add(list []im.Need) {
	for _, x := range list {
		n[x.Role] = max(n[x.Role], x.Count)
	}
}

func (n needs) list() []im.Need {
	var out []im.Need
	for _, role := range slices.Sorted(maps.Keys(n)) {
		out = append(out, im.Need{Role: role, Count: n[role]})
	}
	return out
}

// Approvers reads an expression as the by column and the duty undo_review spell it, of a version of the files that may
// no longer be in force: its roles are not looked up.
func Approvers(expression string) []im.Need {
	var out []im.Need
	for term := range strings.SplitSeq(expression, "+") {
		need := im.Need{Role: strings.TrimSpace(term), Count: 1}
		if count, role, counted := strings.Cut(need.Role, "*"); counted && len(count) == 1 && count[0] >= '2' && count[0] <= '9' {
			need = im.Need{Role: role, Count: int(count[0] - '0')}
		}
		if need.Role != "" {
			out = append(out, need)
		}
	}
	return out
}
