package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"testing/fstest"

	"github.com/casbin/casbin/v2"
	casbinmodel "github.com/casbin/casbin/v2/model"
	stringadapter "github.com/casbin/casbin/v2/persist/string-adapter"
	"github.com/casbin/casbin/v2/util"
	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/guanxi-im/guanxi/authz"
)

//go:embed rules
var rules embed.FS

func text(name string) string {
	b, err := rules.ReadFile("rules/" + name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// An engine answers the question. Each makes its request of the plain facts of a pair, as a gateway would.
type engine struct {
	name   string
	gives  string
	decide func(p *pair) string
}

func file(name string) fs.FS { return fstest.MapFS{name: {Data: []byte(text(name))}} }

// guanxi is ours.
func guanxi() (engine, error) {
	e, err := authz.Build(authz.Sources{
		Platforms: []authz.Platform{{Name: platform, Organisation: true}},
		Layers: []authz.Layer{
			{Name: authz.GuardLayer, Files: file("guanxi-guard.csv")},
			{Name: authz.DefaultLayer, Files: file("guanxi-roles.csv")},
			{Name: authz.PlatformLayer(platform), Domain: platform, Files: file("guanxi-wecom.csv")},
		},
	})
	if err != nil {
		return engine{}, err
	}
	return engine{"guanxi", "outcome, every reason with its line, approvers, duties", func(p *pair) string {
		d, err := e.Decide(context.Background(), authz.Request{
			Platform: platform, Action: authz.ActionBlock,
			Actor:  authz.Actor{ID: p.a.id, Roles: p.a.roles, JobFunction: p.a.job, Status: p.a.status},
			Object: authz.Object{Type: authz.TypeMember, ID: p.b.id, Relation: p.relation, OwnsSharedGroup: p.shared},
			Env:    authz.Env{CustomerContact: p.internal},
		})
		if err != nil {
			panic(err)
		}
		return string(d.Outcome)
	}}, nil
}

// stock is Casbin's own enforcer. It says true or false: a review is a true.
func stock() (engine, error) {
	m, err := casbinmodel.NewModelFromString(text("casbin.conf"))
	if err != nil {
		return engine{}, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return engine{}, err
	}
	e.AddNamedDomainMatchingFunc("g", "keyMatch", util.KeyMatch)
	e.SetAdapter(stringadapter.NewAdapter(text("casbin.csv")))
	if err := e.LoadPolicy(); err != nil {
		return engine{}, err
	}
	type subject struct{ ID, Tier, Job, Status string }
	type object struct {
		Type, ID, Relation string
		OwnsSharedGroup    bool
		OpenValue          float64
	}
	type env struct{ InternalBlock bool }
	return engine{"casbin v2.135.0, Enforce with eval()", "true or false", func(p *pair) string {
		ok, err := e.Enforce(subject{p.a.id, p.a.roles[0], p.a.job, p.a.status}, platform, "block_member",
			object{Type: "member", ID: p.b.id, Relation: p.relation, OwnsSharedGroup: p.shared}, env{p.internal})
		if err != nil {
			panic(err)
		}
		if ok {
			return granted
		}
		return "DENY"
	}}, nil
}

// cedarGo is Cedar in Go. What does not change from request to request is made once.
func cedarGo() (engine, error) {
	policies, err := cedar.NewPolicySetFromBytes("rules.cedar", []byte(text("rules.cedar")))
	if err != nil {
		return engine{}, err
	}
	reviews := map[cedar.PolicyID]bool{}
	for id, p := range policies.All() {
		reviews[id] = p.Annotations()["outcome"] == "review"
	}
	known := types.EntityMap{}
	entity := func(kind, id types.String, parents ...types.EntityUID) types.EntityUID {
		uid := types.NewEntityUID(types.EntityType(kind), id)
		known[uid] = types.Entity{UID: uid, Parents: types.NewEntityUIDSet(parents...)}
		return uid
	}
	employee := entity("Role", "employee")
	entity("Role", "hr", employee)
	entity("Role", "auditor", employee)
	admin := entity("Role", "admin", entity("Role", "dept_manager", employee))
	entity("Role", "super_admin", admin)
	block := entity("Action", "block")
	action := entity("Action", "block_member", block)
	return engine{"cedar-go v1.3.0", "allow or deny, ids of the policies", func(p *pair) string {
		a := types.Entity{UID: types.NewEntityUID("Member", types.String(p.a.id)), Parents: types.NewEntityUIDSet(types.NewEntityUID("Role", types.String(p.a.roles[0]))),
			Attributes: types.NewRecord(types.RecordMap{"status": types.String(p.a.status), "job": types.String(p.a.job), "owns_shared_group": types.False})}
		b := types.Entity{UID: types.NewEntityUID("Member", types.String(p.b.id)),
			Attributes: types.NewRecord(types.RecordMap{"owns_shared_group": types.Boolean(p.shared)})}
		if a.UID == b.UID { // one entity has the attributes of both
			b = types.Entity{UID: a.UID, Parents: a.Parents, Attributes: types.NewRecord(types.RecordMap{"status": types.String(p.a.status), "job": types.String(p.a.job),
				"owns_shared_group": types.Boolean(p.shared)})}
			a = b
		}
		ok, why := cedar.Authorize(policies, entities{known, a, b}, types.Request{Principal: a.UID, Action: action, Resource: b.UID,
			Context: types.NewRecord(types.RecordMap{"relation": types.String(p.relation), "internal_block": types.Boolean(p.internal)})})
		if len(why.Errors) > 0 {
			panic(fmt.Sprint(why.Errors))
		}
		if ok != types.Allow {
			return "DENY"
		}
		for _, r := range why.Reasons {
			if reviews[r.PolicyID] {
				return "REVIEW"
			}
		}
		return "ALLOW"
	}}, nil
}

// entities is what Cedar knows in a request: two members beside what is always there.
type entities struct {
	known types.EntityMap
	a, b  types.Entity
}

// Get implements [types.EntityGetter].
func (e entities) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.a.UID:
		return e.a, true
	case e.b.UID:
		return e.b, true
	}
	x, ok := e.known[uid]
	return x, ok
}

// opa is OPA with a prepared query.
func opa() (engine, error) {
	ctx := context.Background()
	q, err := rego.New(rego.Query("data.im.outcome"), rego.Module("rules.rego", text("rules.rego"))).PrepareForEval(ctx)
	if err != nil {
		return engine{}, err
	}
	return engine{"OPA v1.11.0, PreparedEvalQuery", "any JSON", func(p *pair) string {
		out, err := q.Eval(ctx, rego.EvalInput(map[string]any{
			"act": "block_member",
			"sub": map[string]any{"id": p.a.id, "tier": p.a.roles[0], "job": p.a.job, "status": p.a.status},
			"obj": map[string]any{"id": p.b.id, "relation": p.relation, "owns_shared_group": p.shared},
			"env": map[string]any{"internal_block": p.internal},
		}))
		if err != nil {
			panic(err)
		}
		return out[0].Expressions[0].Value.(string)
	}}, nil
}
