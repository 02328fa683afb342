package authz

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/effector"
	casbinmodel "github.com/casbin/casbin/v2/model"
	"github.com/casbin/casbin/v2/util"
	"github.com/casbin/govaluate"
)

// reference is the same lines in a Casbin enforcer, with Casbin's own evaluator for their conditions.
type reference struct {
	enforcer *casbin.Enforcer
	g        govaluate.ExpressionFunction // Casbin's own: has a role, or one that implies it; it remembers its answers
	when     map[string]*govaluate.EvaluableExpression
}

// newReference feeds Casbin the lines in force. They go into its model one by one: Casbin's line parser can crash, and
// drops what it does not understand. What Casbin itself refuses is a problem of the line.
func newReference(e *Engine, s Sources, b *book) (*reference, error) {
	refused := func(file string, line int, err error) error {
		problems := &Problems{}
		problems.add(file, line, 0, "casbin: %v", err)
		return problems
	}
	m, err := casbinmodel.NewModelFromString(model)
	if err != nil {
		return nil, err
	}
	ref := &reference{when: map[string]*govaluate.EvaluableExpression{}}
	for _, x := range e.lines {
		r := e.rules[x.ordinal]
		if err := m.AddPolicy("p", "p", []string{r.Name, r.Domain, r.Role, r.Action, r.Target, x.says, r.Effect, r.By, r.Duty}); err != nil {
			return nil, refused(r.File, r.Line, err)
		}
		if ref.when[x.says] == nil {
			if ref.when[x.says], err = govaluate.NewEvaluableExpression(util.EscapeAssertion(x.says)); err != nil {
				return nil, refused(r.File, r.Line, err)
			}
		}
	}
	for section, lines := range map[string][]*line{"g": b.links, "g2": b.sets} {
		for _, l := range lines {
			if err := m.AddPolicy("g", section, l.fields[1:]); err != nil {
				return nil, refused(l.file, l.n, err)
			}
		}
	}
	if ref.enforcer, err = casbin.NewEnforcer(m); err != nil {
		return nil, fmt.Errorf("authz: casbin: %w", err)
	}
	tests := map[string]func(string) bool{}
	for _, p := range s.Platforms {
		tests[p.Name] = holds(s, b, p.Name)
	}
	other := holds(s, b, "")
	on := func(platform, domain string) bool {
		if test := tests[platform]; test != nil {
			return test(domain)
		}
		return other(domain)
	}
	ref.g = util.GenerateGFunction(ref.enforcer.GetNamedRoleManager("g"))
	ref.enforcer.SetEffector(collector{})
	ref.enforcer.AddNamedDomainMatchingFunc("g", "on", on)
	ref.enforcer.AddFunction("on", func(args ...any) (any, error) { return on(args[0].(string), args[1].(string)), nil })
	ref.enforcer.AddFunction("has", func(args ...any) (any, error) {
		return ref.has(args[0].([]string), args[1].(string), args[2].(string))
	})
	ref.enforcer.AddFunction("when", func(args ...any) (any, error) {
		return ref.when[args[0].(string)].Eval(govaluate.MapParameters{"r_act": args[1], "r_sub": args[2], "r_obj": args[3], "r_env": args[4]})
	})
	if err := ref.enforcer.BuildRoleLinks(); err != nil {
		return nil, fmt.Errorf("authz: casbin: %w", err)
	}
	return ref, nil
}

// has reports whether one of the roles held is or implies the role wanted on the platform.
func (ref *reference) has(held []string, want, platform string) (bool, error) {
	for _, role := range held {
		if ok, err := ref.g(role, want, platform); ok == true || err != nil {
			return true, err
		}
	}
	return want == Anyone, nil
}

// implied is all that the roles held imply, as a list that Casbin's `in` understands.
func (ref *reference) implied(held []string, platform string) ([]any, error) {
	out := []any{Anyone}
	for _, role := range held {
		names, err := ref.enforcer.GetNamedRoleManager("g").GetImplicitRoles(role, platform)
		if err != nil {
			return nil, err
		}
		for _, name := range append(names, role) {
			if !slices.Contains(out, any(name)) {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

// matches is the error in which the numbers of all matching lines travel from the effector to the caller: Casbin hands an
// effector's error back as it is, and has no other way to tell of more than one line.
type matches []int

func (matches) Error() string { return "all lines that matched" }

// collector is the policy_effect of our model: it decides nothing and hands on what matched.
type collector struct{}

// MergeEffects implements [effector.Effector]. Casbin calls it after each line.
func (collector) MergeEffects(expr string, _ []effector.Effect, matched []float64, index, length int) (effector.Effect, int, error) {
	if expr != "deny_over_review_over_allow(p_eft)" {
		return effector.Deny, -1, errors.New("not our policy_effect: " + expr)
	}
	if index < length-1 {
		return effector.Indeterminate, -1, nil
	}
	found := matches{}
	for i, m := range matched {
		if m != 0 {
			found = append(found, i)
		}
	}
	return effector.Indeterminate, -1, found
}

// Reference answers as Decide does, by Casbin's own enforcer over the same lines: some hundred times slower, and the
// measure of what the lines mean.
func (e *Engine) Reference(ctx context.Context, r Request) (Decision, error) {
	refusal := e.combine(nil)
	if err := ctx.Err(); err != nil {
		return refusal, err
	}
	if len(e.lines) == 0 {
		return refusal, nil // Casbin would try its matcher on a line that is not there
	}
	implied, err := e.casbin.implied(r.Actor.Roles, r.Platform)
	if err != nil {
		return refusal, err
	}
	values := map[string]map[string]any{"sub": {"Held": r.Actor.Roles, "Roles": implied}, "obj": {}, "env": {}}
	f := &facts{Request: &r}
	for name, a := range attributes {
		if len(name) < len("r.sub.") {
			continue
		}
		of := values[name[2:5]]
		switch a.kind {
		case word, identity:
			of[name[6:]] = a.text(f)
		case number:
			of[name[6:]] = a.number(f)
		case truth:
			of[name[6:]] = a.truth(f)
		case nameSet:
			list := []any{}
			for _, n := range a.names(f) {
				list = append(list, n)
			}
			of[name[6:]] = list
		}
	}
	_, err = e.casbin.enforcer.Enforce(values["sub"], r.Platform, r.Action, values["obj"], values["env"])
	found, ok := errors.AsType[matches](err)
	if !ok {
		if err == nil {
			err = errors.New("authz: casbin did not ask our effector")
		}
		return refusal, err
	}
	var matched []*compiled
	for _, i := range found {
		matched = append(matched, &e.lines[i])
	}
	return e.combine(matched), nil
}
