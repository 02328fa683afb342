package authz

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// platformFact is the name of the platform among the facts of a request; conditions do not name it, the dom column does.
const platformFact = "r.dom"

// recorded is where requests hold what conditions may name, sorted by name.
var recorded = func() []recordedFact {
	var out []recordedFact
	for _, name := range attributeNames {
		if f, ok := fieldOf(name); ok {
			out = append(out, recordedFact{name, attributes[name], f.Index})
		}
	}
	return out
}()

// nameSeparator stands between the names of a set.
const nameSeparator = "|"

type recordedFact struct {
	name string
	attribute
	index []int
}

// Facts is all that a request tells policy, by the names of conditions (r.sub.Rank, r.obj.Importance), and the platform as
// r.dom. What is not so, not known or nothing is left out. It holds ids, no names and no texts that people wrote: decisions
// are kept with it, and [RequestOf] makes the request of it again.
func (r Request) Facts() map[string]string {
	out := map[string]string{}
	put := func(name, v string) {
		if v != "" {
			out[name] = v
		}
	}
	put(platformFact, r.Platform)
	v := reflect.ValueOf(&r).Elem()
	for _, f := range recorded {
		switch at := v.FieldByIndex(f.index); f.kind {
		case roles:
			put(f.name, strings.Join(r.Actor.Roles, " "))
		case nameSet:
			put(f.name, strings.Join(f.names(&facts{Request: &r}), nameSeparator))
		case truth:
			if at.Bool() {
				out[f.name] = "true"
			}
		case number:
			if n := asNumber(at); n != 0 {
				out[f.name] = strconv.FormatFloat(n, 'f', -1, 64)
			}
		default:
			put(f.name, at.String())
		}
	}
	return out
}

func asNumber(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// FactError says that a fact is not one of a request's, or cannot have a value.
type FactError struct {
	Name, Value string
	Expected    string // instead of Value; empty: there is no such fact
	Hint        string // the name that was likely meant; empty: none comes near
}

func (e *FactError) Error() string {
	if e.Expected == "" {
		out := fmt.Sprintf("there is no fact %q", e.Name)
		if e.Hint != "" {
			out += "; did you mean " + e.Hint + "?"
		}
		return out
	}
	return fmt.Sprintf("%s cannot be %q; expected %s", e.Name, e.Value, e.Expected)
}

// FactName is the name of a fact as conditions spell it: the leading "r." may be left out.
func FactName(name string) string {
	if strings.HasPrefix(name, "r.") {
		return name
	}
	return "r." + name
}

// Set puts one fact, by its name (see [FactName]). Its error is a [*FactError].
func (r *Request) Set(name, value string) error {
	full := FactName(name)
	if full == platformFact {
		r.Platform = value
		return nil
	}
	i := slices.IndexFunc(recorded, func(f recordedFact) bool { return f.name == full })
	if i < 0 {
		return &FactError{Name: name, Value: value, Hint: Near(full, append([]string{platformFact}, attributeNames...))}
	}
	f := recorded[i]
	at := reflect.ValueOf(r).Elem().FieldByIndex(f.index)
	wrong := func(expected string) error { return &FactError{Name: full, Value: value, Expected: expected} }
	switch f.kind {
	case roles:
		r.Actor.Roles = strings.Fields(value)
	case nameSet:
		var list []string
		for name := range strings.SplitSeq(value, nameSeparator) {
			if name = strings.TrimSpace(name); name != "" {
				list = append(list, name)
			}
		}
		at.Set(reflect.ValueOf(list))
	case truth:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return wrong("true or false")
		}
		at.SetBool(b)
	case number:
		if at.CanInt() {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil {
				return wrong("a whole number")
			}
			at.SetInt(n)
			return nil
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || n != n || n-n != 0 { // neither NaN nor an infinity is an amount
			return wrong("a number")
		}
		at.SetFloat(n)
	case word:
		if value != "" && !slices.Contains(f.words, value) {
			return wrong("one of " + strings.Join(slices.DeleteFunc(slices.Clone(f.words), func(w string) bool { return w == "" }), ", "))
		}
		at.SetString(value)
	default:
		at.SetString(value)
	}
	return nil
}

// RequestOf makes a request of its facts, as [Request.Facts] gives them.
func RequestOf(facts map[string]string) (r Request, err error) {
	for name, value := range facts {
		if name == "platform" { // as decisions of the first version say it
			name = platformFact
		}
		if err := r.Set(name, value); err != nil {
			return Request{}, err
		}
	}
	return r, nil
}
