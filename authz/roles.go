package authz

import (
	"maps"
	"slices"
)

// maxDepth is how many links a role may be away from another. Casbin stops at ten without a word.
const maxDepth = 9

// maxRoles bounds what the closures of all roles take.
const maxRoles = 1024

// roleSet is a set of roles by their numbers.
type roleSet []uint64

func newRoleSet(n int) roleSet { return make(roleSet, (n+63)/64) }

func (s roleSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s roleSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s roleSet) union(t roleSet) {
	for i, w := range t {
		s[i] |= w
	}
}

// link says that whoever has the role from also has the role to, on the platforms of domain.
type link struct{ from, to, domain string }

// hierarchy is what roles imply.
type hierarchy struct {
	number map[string]int // of each role that the files know, Anyone among them
	links  []link
}

func newHierarchy(links []link) hierarchy {
	names := map[string]bool{Anyone: true}
	for _, l := range links {
		names[l.from], names[l.to] = true, true
	}
	h := hierarchy{number: map[string]int{}, links: links}
	for i, name := range slices.Sorted(maps.Keys(names)) {
		h.number[name] = i
	}
	return h
}

// names lists all known roles, sorted.
func (h hierarchy) names() []string { return slices.Sorted(maps.Keys(h.number)) }

// closures gives for each role all that it implies over the links whose domain holds.
func (h hierarchy) closures(holds func(domain string) bool) map[string]roleSet {
	next := map[string][]string{}
	for _, l := range h.links {
		if holds(l.domain) {
			next[l.from] = append(next[l.from], l.to)
		}
	}
	out := map[string]roleSet{}
	for role, n := range h.number {
		set := newRoleSet(len(h.number))
		set.add(n)
		set.add(h.number[Anyone])
		for queue := []string{role}; len(queue) > 0; queue = queue[1:] {
			for _, to := range next[queue[0]] {
				if i := h.number[to]; !set.has(i) {
					set.add(i)
					queue = append(queue, to)
				}
			}
		}
		out[role] = set
	}
	return out
}

// misfits finds the links that close a circle, and the first that makes a chain of more than maxDepth; it calls refuse with
// each and with what is wrong. Domains do not count: a circle that goes through two platforms is a mistake too.
func misfits(links []link, refuse func(i int, why string)) {
	from := map[string][]int{}
	for i, l := range links {
		from[l.from] = append(from[l.from], i)
	}
	const entered = -1
	height := map[string]int{} // links to the farthest role, or entered while it is worked out
	deep := false
	var climb func(role string) int
	climb = func(role string) int {
		if h, ok := height[role]; ok {
			return h
		}
		height[role] = entered
		most := 0
		for _, i := range from[role] {
			h := climb(links[i].to)
			if h == entered {
				refuse(i, "closes a circle: "+links[i].to+" already implies "+role)
				continue
			}
			if most = max(most, h+1); most > maxDepth && !deep {
				deep = true // one fault, not one for each link above
				refuse(i, "makes a chain of more than 9 links, farther than Casbin follows")
			}
		}
		height[role] = most
		return most
	}
	for _, l := range links {
		climb(l.from)
	}
}
