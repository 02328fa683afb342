package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/graph/generated"
	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/resolvers"
)

// Every sentence that the parser and the validator have for documents such as people write is known: in English as they say it, in
// Chinese as the catalogue does, and the suggestion stays.
func TestReworded(t *testing.T) {
	schema := generated.NewExecutableSchema(generated.Config{})
	exec := executor.New(schema)
	exec.SetDisableSuggestion(true)
	found := map[string]bool{}
	for _, doc := range []string{
		`{nonsense}`, `{viewer}`, `{changeCursor{x}}`, `{node{id}}`, `{node(id:"x",ID:"y"){id}}`, `{node(id:"x",id:"y"){id}}`, `{viewer @skip{roles}}`, `{viewer @skip(if:true,iff:true){roles}}`,
		`{contactCheck(input:{fromId:"x"}){allowed}}`, `{contactCheck(input:{fromId:"x",toId:"y",channel:DIRECT_MESSAGE,to:"z"}){allowed}}`,
		`{contactCheck(input:{fromId:"x",toId:"y",toId:"y",channel:DIRECT_MESSAGE}){allowed}}`,
		`{members(first:"3"){nodes{id}}}`, `{members(first:1.5){nodes{id}}}`, `{members(first:99999999999999999999){nodes{id}}}`, `{members(after:3){nodes{id}}}`,
		`{members(filter:{query:3}){nodes{id}}}`, `{members(filter:{includeDescendants:1}){nodes{id}}}`, `{node(id:true){id}}`, `{members(orderBy:"NAME"){nodes{id}}}`,
		`{members(orderBy:NAMED){nodes{id}}}`, `{members(filter:null,orderBy:3){nodes{id}}}`, `{node(id:null){id}}`, `{members(filter:[1]){nodes{id}}}`,
		`query($f:String){members(first:$f){nodes{id}}}`, `query Q{members(first:$f){nodes{id}}}`, `{members(first:$f){nodes{id}}}`, `query Q($f:Int){viewer{roles}}`, `query($f:Int){viewer{roles}}`,
		`query($f:Member){viewer{roles}}`, `query($f:Int,$f:Int){members(first:$f){nodes{id}}}`, `query($f:Nothing){viewer{roles}}`, `{node(id:"x"){... on Membr{id}}}`, `{viewer @live{roles}}`,
		`query @skip(if:true){viewer{roles}}`, `{viewer{roles @skip(if:true) @skip(if:true)}}`, `{...F}`, `{viewer{roles}} fragment F on Member{id}`, `{viewer{member{...F}}} fragment F on Member{id} fragment F on Member{id}`,
		`{viewer{member{...F}}} fragment F on Member{...F}`, `{viewer{member{...F}}} fragment F on Member{manager{...G}} fragment G on Member{...F}`, `{viewer{member{...F}}} fragment F on Group{id}`,
		`{viewer{member{... on Group{id}}}}`, `{a:changeCursor a:viewer{roles}}`, `query A{viewer{roles}} query A{viewer{roles}}`, `{viewer{roles}} query A{viewer{roles}}`,
		`fragment F on Member{id}`, `subscription{relationshipChanged{cursor} alertRaised{cursor}}`, `subscription S{relationshipChanged{cursor} alertRaised{cursor}}`,
		`{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}`, `{viewer{`, `{viewer(}`, `viewer`, `{}`, ``, `{viewer{roles}} }`, `{a(b:~)}`,
		"{" + strings.Repeat("a{", 1001),
	} {
		ctx := graphql.StartOperationTrace(context.Background())
		_, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: doc})
		if len(errs) == 0 {
			t.Errorf("%.60q is in order", doc)
		}
		for _, e := range errs {
			if en := reworded(e.Message, fault.English); en != e.Message {
				t.Errorf("%.60q: %q became %q", doc, e.Message, en)
			}
			zh := reworded(e.Message, fault.Chinese)
			if strings.IndexFunc(zh, func(r rune) bool { return r >= 0x4e00 }) < 0 {
				t.Errorf("%.60q: nobody knows %q", doc, zh)
			}
			if _, meant, ok := strings.Cut(e.Message, "Did you mean "); ok && !strings.Contains(zh, strings.TrimPrefix(strings.TrimSuffix(meant, "?"), "the enum value ")) {
				t.Errorf("%.60q: %q lost what is meant: %q", doc, zh, meant)
			}
			for _, s := range said {
				if s.like.MatchString(strings.Split(e.Message, " Did you mean")[0]) {
					found[s.key] = true
					break
				}
			}
		}
	}
	for _, s := range said {
		if !found[s.key] {
			t.Errorf("%s: no document comes to it", s.key)
		}
	}
	if got := reworded("something new", fault.Chinese); got != "something new" {
		t.Errorf("a sentence that is not known became %q", got)
	}
}

// What is wrong with variables and names of operations is said with the place, what is there and what is expected.
func TestIll(t *testing.T) {
	schema := generated.NewExecutableSchema(generated.Config{})
	exec := executor.New(schema)
	trusted, err := OpenTrusted("", DocumentsOff, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	exec.Use(guard{schema.Schema(), &documents{trusted, newRecent[*ast.QueryDocument](parsedBytesMax)}, &persisted{newRecent[string](persistedBytesMax)}})
	const (
		page   = `query($first:Int){members(first:$first){nodes{id}}}`
		node   = `query($id:ID!){node(id:$id){id}}`
		ids    = `query($ids:[ID!]!){nodes(ids:$ids){id}}`
		check  = `query($in:ContactCheckInput!){contactCheck(input:$in){allowed}}`
		filter = `query($f:MemberFilter,$o:MemberOrder=NAME){members(filter:$f,orderBy:$o){nodes{id}}}`
		two    = `query A{changeCursor} query B{changeCursor}`
	)
	for _, c := range []struct{ doc, name, variables, path, want string }{
		{page, "", `{"first":1}`, "", ""},
		{page, "", `{"first":null}`, "", ""},
		{page, "", `{}`, "", ""},
		{page, "", `{"first":1,"more":"x"}`, "", ""},
		{page, "", `{"first":1.5}`, "variable.first", `The variable $first is 1.5; expected Int.`},
		{page, "", `{"first":1e2}`, "variable.first", `The variable $first is 1e2; expected Int.`},
		{page, "", `{"first":"3"}`, "variable.first", `The variable $first is "3"; expected Int.`},
		{page, "", `{"first":"` + strings.Repeat("长", 100) + `"}`, "variable.first", `The variable $first is "` + strings.Repeat("长", 32) + `…"; expected Int.`},
		{page, "", `{"first":2147483648}`, "variable.first", `The variable $first is 2147483648; expected Int.`},
		{page, "", `{"first":true}`, "variable.first", `The variable $first is true; expected Int.`},
		{page, "", `{"first":[1]}`, "variable.first", `The variable $first is […]; expected Int.`},
		{page, "", `{"first":{"a":1}}`, "variable.first", `The variable $first is {…}; expected Int.`},
		{node, "", `{}`, "variable.id", `The variable $id is missing; expected ID!.`},
		{node, "", `{"id":null}`, "variable.id", `The variable $id must not be null; expected ID!.`},
		{node, "", `{"id":7}`, "", ""},
		{node, "", `{"id":7.5}`, "variable.id", `The variable $id is 7.5; expected ID!.`},
		{ids, "", `{"ids":["a","b"]}`, "", ""},
		{ids, "", `{"ids":"a"}`, "", ""},
		{ids, "", `{"ids":["a",null]}`, "variable.ids[1]", `The variable $ids[1] must not be null; expected ID!.`},
		{ids, "", `{"ids":["a",{"b":1}]}`, "variable.ids[1]", `The variable $ids[1] is {…}; expected ID!.`},
		{check, "", `{"in":{"fromId":"a","toId":"b","channel":"DIRECT_MESSAGE"}}`, "", ""},
		{check, "", `{"in":{"fromId":"a","channel":"DIRECT_MESSAGE"}}`, "variable.in.toId", `The variable $in.toId is missing; expected ID!.`},
		{check, "", `{"in":{"fromId":"a","toId":"b","channel":"DIRECT_MESSAGE","to":1}}`, "variable.in.to", `The variable $in.to is not known; the input ContactCheckInput has no such field.`},
		{check, "", `{"in":"x"}`, "variable.in", `The variable $in is "x"; expected ContactCheckInput!.`},
		{filter, "", `{"f":{"query":"x","includeDescendants":true,"employment":"ACTIVE"}}`, "", ""},
		{filter, "", `{"f":{"query":7}}`, "variable.f.query", `The variable $f.query is 7; expected String.`},
		{filter, "", `{"f":{"includeDescendants":"true"}}`, "variable.f.includeDescendants", `The variable $f.includeDescendants is "true"; expected Boolean.`},
		{filter, "", `{"f":{"employment":"active"}}`, "variable.f.employment", `The variable $f.employment is "active"; expected one of ACTIVE, DEPARTING, DEPARTED.`},
		{filter, "", `{"o":3}`, "variable.o", `The variable $o is 3; expected one of `},
		{two, "", `{}`, "", `The document has several operations; name one in operationName: A, B.`},
		{two, "C", `{}`, "", `The document has no operation “C”; it has A, B.`},
		{`{changeCursor}`, "C", `{}`, "", `The document has no operation “C”; its only one has no name, so leave operationName out.`},
		{two, "B", `{}`, "", ""},
	} {
		var p graphql.RawParams
		if err := decode([]byte(c.variables), &p.Variables); err != nil {
			t.Fatal(err)
		}
		p.Query, p.OperationName = c.doc, c.name
		ctx := resolvers.With(graphql.StartOperationTrace(context.Background()), resolvers.Request{RequestID: "r"})
		_, errs := create(ctx, exec, schema.Schema(), &p)
		what := c.doc + " " + c.name + " " + c.variables
		if c.want == "" {
			if len(errs) > 0 {
				t.Errorf("%s: %v", what, errs)
			}
			continue
		}
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Message, c.want) || errs[0].Path.String() != c.path || errs[0].Extensions["code"] != string(fault.BadUserInput) ||
			(c.path != "") != (len(errs[0].Locations) == 1) {
			t.Errorf("%s: %v %v", what, errs, fmt.Sprint(errs))
		}
	}
}
