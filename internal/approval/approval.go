// Package approval is the arithmetic of review: which needs of an approval are met by the people who agreed.
package approval

import (
	"slices"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Merge adds needs up: of each role the larger count, in a stable order.
func Merge(needs ...[]im.Need) []im.Need {
	var out []im.Need
	for _, ns := range needs {
		for _, n := range ns {
			if i := slices.IndexFunc(out, func(o im.Need) bool { return o.Role == n.Role }); i >= 0 {
				out[i].Count = max(out[i].Count, n.Count)
			} else {
				out = append(out, n)
			}
		}
	}
	slices.SortFunc(out, func(a, b im.Need) int {
		if a.Role < b.Role {
			return -1
		}
		return 1
	})
	return out
}

// Given says how many of each need are met when every person counts for one need only, so that two needs take two
// people even where one person could speak for both. may lists, for each person who agreed, the roles that person
// may speak for. The assignment found meets as much as any could.
func Given(needs []im.Need, may [][]string) (given []int) {
	type place struct{ need, person int }
	var places []place
	for i, n := range needs {
		for range n.Count {
			places = append(places, place{i, -1})
		}
	}
	// Augmenting paths: an agreed person takes a free place, or one whose holder can move to another.
	var seat func(person int, tried []bool) bool
	seat = func(person int, tried []bool) bool {
		for k := range places {
			if tried[k] || !slices.Contains(may[person], needs[places[k].need].Role) {
				continue
			}
			tried[k] = true
			if places[k].person < 0 || seat(places[k].person, tried) {
				places[k].person = person
				return true
			}
		}
		return false
	}
	for p := range may {
		seat(p, make([]bool, len(places)))
	}
	given = make([]int, len(needs))
	for _, pl := range places {
		if pl.person >= 0 {
			given[pl.need]++
		}
	}
	return given
}

// Met reports whether nothing is missing.
func Met(needs []im.Need, given []int) bool {
	for i, n := range needs {
		if given[i] < n.Count {
			return false
		}
	}
	return true
}
