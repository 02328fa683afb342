package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
)

// asked is fields that an operation asks for at one place, whatever the type they are of.
type asked struct {
	oc     *graphql.OperationContext
	fields []graphql.CollectedField
}

// askedOf is what is asked of the field that is being answered.
func askedOf(ctx context.Context) asked {
	return asked{graphql.GetOperationContext(ctx), graphql.CollectFieldsCtx(ctx, nil)}
}

// ofRows is what is asked of each row of the connection that is being answered.
func ofRows(ctx context.Context) asked {
	a := askedOf(ctx)
	nodes, edges := a.under("nodes"), a.under("edges").under("node")
	if len(edges.fields) == 0 {
		return nodes
	}
	return asked{a.oc, slices.Concat(nodes.fields, edges.fields)}
}

// has reports whether one of some fields is asked for.
func (a asked) has(names ...string) bool {
	return slices.ContainsFunc(a.fields, func(f graphql.CollectedField) bool { return slices.Contains(names, f.Name) })
}

// only reports whether nothing but some fields is asked for.
func (a asked) only(names map[string]bool) bool {
	return !slices.ContainsFunc(a.fields, func(f graphql.CollectedField) bool { return !names[f.Name] })
}

// under is what is asked of what a field leads to, by all its aliases.
func (a asked) under(name string) (out asked) {
	out.oc = a.oc
	for _, f := range a.fields {
		if f.Name != name {
			continue
		}
		if more := graphql.CollectFields(a.oc, f.Selections, nil); out.fields == nil {
			out.fields = more
		} else {
			out.fields = slices.Concat(out.fields, more)
		}
	}
	return out
}

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// Fields that can be answered from what is read along, or from a short row.
var (
	ofManagers = set("__typename", "id", "name", "employeeNo", "accountName", "position", "rank", "region", "jobFunction", "employment", "phone")
	ofTargets  = set("__typename", "id", "name", "employeeNo", "accountName", "position", "rank", "region", "jobFunction", "employment", "company", "verified",
		"importance")
	ofShort = set("__typename", "id", "kind", "state", "version", "scope", "source", "declaredOnly", "createdAt", "expiresAt", "effectiveAt", "endedAt", "workspace",
		"initiator", "target", "group", "requestedBy", "approvalDelegate", "enforcement", "delivery")
)

// alongMembers is what is to be read along with members of whom so much is asked.
func alongMembers(a asked) directory.Along {
	return directory.Along{Department: a.has("department"), Manager: a.has("manager") && a.under("manager").only(ofManagers), NoRoles: !a.has("roles")}
}

// alongRelationships is what is to be read along with relationships of which so much is asked.
func alongRelationships(a asked) blocking.Along {
	return blocking.Along{Targets: a.has("target") && a.under("target").only(ofTargets), Short: a.only(ofShort)}
}
