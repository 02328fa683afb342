package authz

import (
	"slices"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Scope is what the actor may read of an object type: the union of its terms, sorted, on all platforms with an
// organisation. It is worked out once for an operation and becomes part of the query; rows are never asked about one
// by one. A line that denies leaves of it only the terms that the line itself names. With a Status that is neither
// empty nor ACTIVE the actor reads no more than his own (C-04).
func (e *Engine) Scope(a Actor, objectType string) im.Scope {
	return e.scope(Request{Action: ActionRead, Actor: a, Object: Object{Type: objectType}})
}

// Unmask is whose phone numbers and platform ids the actor sees whole: im.ScopeOwn, im.ScopeFollows and im.ScopeAll.
func (e *Engine) Unmask(a Actor) im.Scope {
	return e.scope(Request{Action: ActionUnmask, Actor: a})
}

func (e *Engine) scope(r Request) im.Scope {
	matched := e.matching(&r, nil)
	var out im.Scope
	for _, x := range matched {
		if x.effect == im.Allow {
			out = append(out, x.terms...)
		}
	}
	for _, x := range matched {
		if x.effect != im.Allow {
			out = leave(out, x.terms, r.Object.Type)
		}
	}
	if out.Has(im.ScopeAll) {
		return im.Scope{im.ScopeAll}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// leave keeps of a scope what is also among terms. Where all rows showed, all that the terms mean of the type remains.
func leave(s im.Scope, terms []string, objectType string) im.Scope {
	if s.Has(im.ScopeAll) {
		return slices.DeleteFunc(slices.Clone(im.Scope(terms)), func(t string) bool {
			return objectType != "" && !slices.Contains(readTerms[t], objectType)
		})
	}
	return slices.DeleteFunc(s, func(t string) bool { return !slices.Contains(terms, t) })
}
