package authz

import (
	"slices"

	"github.com/guanxi-im/guanxi/internal/im"
)

// IsAction reports whether policy knows an action of that name, to be asked about with [Engine.Decide].
func IsAction(name string) bool { return slices.Contains(actions, name) && !isScope(name) }

// Could lists the actions that policy could allow a person, in the order of the product: on one of these platforms, on
// something, perhaps with somebody's agreement. It goes by the actor's roles, rank, job function and employment; what else
// conditions ask for is taken to be as it may. It is for menus: what it leaves out is refused always, what it names may be
// refused still.
func (e *Engine) Could(a Actor, platforms ...string) []string {
	var out []string
	for _, action := range actions {
		if !isScope(action) && action != ActionWeigh && e.could(a, action, platforms) {
			out = append(out, action)
		}
	}
	return out
}

func (e *Engine) could(a Actor, action string, platforms []string) bool {
	for _, platform := range platforms {
		s := e.site(platform)
		for _, object := range types {
			if !isAsked(action, object) {
				continue
			}
			r := Request{Platform: platform, Action: action, Actor: a, Object: Object{Type: object}}
			f := &facts{&r, e.held(s, a.Roles)}
			granted, denied := false, false
			for _, x := range s.at(action, object) {
				if !f.roles.has(x.role) {
					continue
				}
				switch held := x.tree.perhaps(f); {
				case x.effect == im.Deny:
					denied = denied || held == yes
				case !x.narrows:
					granted = granted || held != no
				}
			}
			if granted && !denied {
				return true
			}
		}
	}
	return false
}

// lasting reports whether an attribute is true of a person whatever is asked, and of the question itself.
func lasting(attribute string) bool {
	switch attribute {
	case "r.sub.Roles", "r.sub.Rank", "r.sub.JobFunction", "r.sub.Employment", "r.act", "r.obj.Type":
		return true
	}
	return false
}

// perhaps is what a condition comes to where only lasting facts are known, and those that the type of the object does not
// have.
func (n *node) perhaps(f *facts) truthValue {
	switch n.join {
	case "!":
		return opposite(n.parts[0].perhaps(f))
	case "&&", "||":
		decides := no
		if n.join == "||" {
			decides = yes
		}
		out := opposite(decides)
		for _, part := range n.parts {
			switch part.perhaps(f) {
			case decides:
				return decides
			case unknown:
				out = unknown
			}
		}
		return out
	}
	for _, t := range n.terms {
		if !t.literal && !lasting(t.source) && fits(t.source, f.Object.Type) {
			return unknown
		}
	}
	if n.test(f) {
		return yes
	}
	return no
}

func opposite(v truthValue) truthValue {
	switch v {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}
