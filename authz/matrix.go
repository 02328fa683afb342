package authz

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// OtherPlatform stands for a platform that nobody named, and so nobody wrote rules for.
const OtherPlatform = "other"

// Platforms lists the platforms that an engine knows by name, sorted.
func (e *Engine) Platforms() []string { return slices.Sorted(maps.Keys(e.sites)) }

// Tiers lists the roles that people may have, those first that imply little.
func (e *Engine) Tiers() []string {
	tiers := slices.DeleteFunc(e.hierarchy.names(), func(role string) bool { return slices.Contains(e.Roles([]string{role}), RoleService) })
	slices.SortStableFunc(tiers, func(a, b string) int {
		return cmp.Compare(len(e.Roles([]string{a})), len(e.Roles([]string{b})))
	})
	return tiers
}

// Matrix is what people of each tier may do on each platform.
type Matrix struct {
	Tiers []string    `json:"tiers"`
	Rows  []MatrixRow `json:"rows"`
	// Exhaustive: all ways in which conditions can come out were tried; else a part was drawn, the same each time.
	Exhaustive bool `json:"exhaustive"`
}

// MatrixRow is one action about one type of objects on one platform.
type MatrixRow struct {
	Platform string       `json:"platform"` // empty: what may be read, which does not depend on it
	Action   string       `json:"action"`
	Object   string       `json:"object"`
	Cells    []MatrixCell `json:"cells"` // as the tiers
}

// MatrixCell is the best that somebody of a tier can come to, of whom there is nothing else to say.
type MatrixCell struct {
	Outcome im.Outcome `json:"outcome,omitempty"`
	Needs   []im.Need  `json:"needs,omitempty"`
	Scope   im.Scope   `json:"scope,omitempty"` // of reading
	// Depends: it takes facts that the plainest request does not have, as the example has them.
	Depends bool   `json:"depends,omitempty"`
	Example string `json:"example,omitempty"`
}

// Matrix asks about all that somebody asks about, on the platforms given.
func (e *Engine) Matrix(platforms ...string) Matrix {
	m := Matrix{Tiers: e.Tiers(), Exhaustive: true}
	for _, platform := range append([]string{""}, platforms...) {
		for _, action := range actions {
			for _, object := range append([]string{""}, types...) {
				if !isAsked(action, object) || isScope(action) != (platform == "") {
					continue
				}
				row := MatrixRow{Platform: platform, Action: action, Object: object}
				for _, tier := range m.Tiers {
					who := ordinary
					who.Roles = []string{tier}
					r := Request{Platform: platform, Action: action, Actor: who, Object: Object{Type: object, ID: "another"}}
					if isScope(action) {
						row.Cells = append(row.Cells, MatrixCell{Scope: e.scope(r)})
						continue
					}
					cell, exact := e.best(r)
					row.Cells = append(row.Cells, cell)
					m.Exhaustive = m.Exhaustive && exact
				}
				m.Rows = append(m.Rows, row)
			}
		}
	}
	return m
}

// best finds the best that requests like this one come to, whatever their object is like: first whether one is allowed, then
// whether one can be reviewed.
func (e *Engine) best(r Request) (cell MatrixCell, exact bool) {
	plain := e.combine(e.matching(&r, nil))
	at := e.site(r.Platform)
	held := e.held(at, r.Actor.Roles)
	lines := slices.DeleteFunc(slices.Clone(at.at(r.Action, r.Object.Type)), func(x *compiled) bool { return !held.has(x.role) })
	// What refuses is asked first: it ends most of the search.
	slices.SortStableFunc(lines, func(a, b *compiled) int {
		return cmp.Compare(strings.Index("DENY ALLOW REVIEW", string(a.effect)), strings.Index("DENY ALLOW REVIEW", string(b.effect)))
	})
	exact = true
	for _, want := range []im.Outcome{im.Allow, im.Review} {
		if plain.Outcome == want {
			return MatrixCell{Outcome: want, Needs: plain.Needs}, exact
		}
		s := newSpace(r, trees(lines), nil, true)
		probes := make([]*probe, len(lines))
		for i, x := range lines {
			probes[i] = s.probe(e, at, x)
		}
		s.search(probes, func(q *Request, known []truthValue) (alike, stop bool) {
			granted, open := false, false
			for i, x := range lines {
				switch {
				case known[i] == yes && (x.effect == im.Deny || x.effect == im.Review && want == im.Allow):
					return true, false
				case known[i] != no && !x.narrows && x.effect != im.Deny:
					granted = true
				}
				open = open || known[i] == unknown
			}
			if !granted || open {
				return !granted, false
			}
			d := e.combine(e.matching(q, nil))
			cell = MatrixCell{Outcome: d.Outcome, Needs: d.Needs, Depends: true, Example: Compact(*q)}
			return true, true
		})
		if cell.Depends {
			return cell, exact
		}
		exact = exact && s.exact
	}
	return MatrixCell{Outcome: im.Deny}, exact
}
