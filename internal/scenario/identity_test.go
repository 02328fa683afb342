package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// schemaType is a type as introspection tells of it.
type schemaType struct {
	Kind, Name string
	OfType     *schemaType
}

type schemaField struct {
	Name         string
	Type         schemaType
	DefaultValue *string
	Args         []schemaField
}

const (
	typeFields  = `kind name ofType{kind name ofType{kind name ofType{kind name}}}`
	fieldFields = `name type{` + typeFields + `}`
)

// named is the type beneath lists and marks of what must be there.
func (s schemaType) named() schemaType {
	for s.OfType != nil {
		s = *s.OfType
	}
	return s
}

// roots lists the fields of an operation type.
func (p person) roots(operation string) []schemaField {
	p.c.t.Helper()
	return read[struct{ Fields []schemaField }](p.c.t, p.Do(`query($n:String!){__type(name:$n){fields{name args{`+fieldFields+`} type{`+typeFields+`}}}}`,
		vars{"n": operation})).Fields
}

// literal writes some value of a type, so that a request is well-formed.
func (p person) literal(s schemaType) string {
	p.c.t.Helper()
	if s.Kind == "NON_NULL" {
		s = *s.OfType
	}
	switch s.Kind {
	case "LIST":
		return "[" + p.literal(*s.OfType) + "]"
	case "ENUM":
		return read[struct{ EnumValues []named }](p.c.t, p.Do(`query($n:String!){__type(name:$n){enumValues{name}}}`, vars{"n": s.Name})).EnumValues[0].Name
	case "INPUT_OBJECT":
		var fields []string
		for _, f := range read[struct{ InputFields []schemaField }](p.c.t, p.Do(`query($n:String!){__type(name:$n){inputFields{`+fieldFields+`}}}`,
			vars{"n": s.Name})).InputFields {
			if f.Type.Kind == "NON_NULL" {
				fields = append(fields, f.Name+":"+p.literal(f.Type))
			}
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	switch s.Name {
	case "Int", "Int64", "Float":
		return "1"
	case "Boolean":
		return "true"
	}
	return `"x"`
}

// call writes a document that calls a root field with what it must have.
func (p person) call(operation string, f schemaField) string {
	p.c.t.Helper()
	var args []string
	for _, a := range f.Args {
		if a.Type.Kind == "NON_NULL" {
			args = append(args, a.Name+":"+p.literal(a.Type))
		}
	}
	doc := operation + "{" + f.Name
	if len(args) > 0 {
		doc += "(" + strings.Join(args, ",") + ")"
	}
	switch f.Type.named().Kind {
	case "OBJECT", "INTERFACE", "UNION":
		doc += "{__typename}"
	}
	return doc + "}"
}

// Nobody gets anything without having signed in, whatever field is asked for.
func TestEverythingNeedsAToken(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		lin, nobody := c.person("linyue002"), c.As("")
		for operation, least := range map[string]int{"Query": 15, "Mutation": 4} {
			fields := lin.roots(operation)
			if len(fields) < least {
				t.Fatalf("%s has %d fields", operation, len(fields))
			}
			for _, f := range fields {
				doc := lin.call(strings.ToLower(operation), f)
				a, err := nobody.Ask(doc, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := "UNAUTHENTICATED"
				if strings.Contains(doc, "file:") { // no text is a file; a form with one is asked first who sends it (TestUploads)
					want = "BAD_USER_INPUT"
				}
				if len(a.Errors) != 1 || a.Code(0) != want || a.Get(f.Name) != nil {
					t.Errorf("%s answered nobody with %s", doc, a.Body)
				}
				if a, err = lin.Ask(doc, nil); err != nil || a.Code(0) == "UNAUTHENTICATED" || a.Code(0) == "GRAPHQL_VALIDATION_FAILED" {
					t.Errorf("%s answered somebody with %s %v", doc, a.Body, err)
				}
			}
		}
		for _, f := range lin.roots("Subscription") {
			doc := lin.call("subscription", f)
			r := c.Send("POST", "/graphql", `{"query":`+quoted(doc)+`}`, "Content-Type", "application/json")
			expect(t, f.Name+" over HTTP", r.Code(), "BAD_USER_INPUT")
			expect(t, f.Name+" on a socket that has not signed in", closeCode(c.Server.As(""), testkit.Message{ID: "1", Type: "subscribe",
				Payload: vars{"query": doc}}), websocket.StatusCode(4401))
		}
		expect(t, "a socket without a token", closeCode(nobody, testkit.Message{Type: "connection_init"}), websocket.StatusCode(4403))
	})
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// closeCode says something on a new socket and answers the code with which it is then closed; -1: it is not.
func closeCode(c *testkit.Client, say testkit.Message) websocket.StatusCode {
	return websocket.CloseStatus(closing(c, say))
}

// closing is the error with which a socket ends after a message; nil: it does not.
func closing(c *testkit.Client, say testkit.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := c.Dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	if err := wsjson.Write(ctx, conn, say); err != nil {
		return err
	}
	for {
		var m testkit.Message
		if err := wsjson.Read(ctx, conn, &m); err != nil {
			return err
		}
		if m.Type == "connection_ack" || m.Type == "next" {
			return nil
		}
	}
}

// What looks like a token and is none is refused at the door.
func TestMalformedTokens(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		good := testkit.Token(t, "wangfang004")
		parts := strings.Split(good, ".")
		none := "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0" // {"alg":"none","typ":"JWT"}
		for what, header := range map[string]string{
			"no token":              "Bearer",
			"an empty one":          "Bearer ",
			"another scheme":        "Basic " + good,
			"no scheme":             good,
			"garbage":               "Bearer garbage",
			"two parts":             "Bearer " + parts[0] + "." + parts[1],
			"no signature":          "Bearer " + parts[0] + "." + parts[1] + ".",
			"alg none":              "Bearer " + none + "." + parts[1] + ".",
			"alg none, signed":      "Bearer " + none + "." + parts[1] + "." + parts[2],
			"claims of another one": "Bearer " + parts[0] + "." + strings.Split(testkit.Token(t, "linyue002"), ".")[1] + "." + parts[2],
			"signature altered":     "Bearer " + parts[0] + "." + parts[1] + "." + altered(parts[2]),
			"nobody's":              "Bearer " + testkit.Token(t, "nobody999"),
			"far too long":          "Bearer " + good + strings.Repeat("x", 5000),
		} {
			r := c.Send("POST", "/graphql", `{"query":"{viewer{member{name}}}"}`, "Content-Type", "application/json", "Authorization", header)
			expect(t, what+": status", r.Status, 401)
			expect(t, what+": code", r.Code(), "UNAUTHENTICATED")
			if strings.Contains(r.Body, "王芳") || strings.Contains(r.Body, "signature") {
				t.Errorf("%s: %s", what, r.Body)
			}
			if strings.Contains(header, ".") && strings.HasPrefix(header, "Bearer ") {
				code := closeCode(c.As(""), testkit.Message{Type: "connection_init", Payload: vars{"authorization": header}})
				expect(t, what+" on a socket", code, websocket.StatusCode(4403))
			}
		}
		r := c.Send("POST", "/graphql", `{"query":"{viewer{member{name}}}"}`, "Content-Type", "application/json", "Authorization", "bearer "+good)
		expect(t, "a good one", fmt.Sprint(r.Status, strings.Contains(r.Body, "王芳")), "200 true")
		expect(t, "a good one on a socket", closeCode(c.As(""), testkit.Message{Type: "connection_init", Payload: vars{"authorization": "Bearer " + good}}),
			websocket.StatusCode(-1))
	})
}

// The viewer is the person of the token, with what the roles imply.
func TestViewer(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		a := c.person("linyue002").Do(`{viewer{member{accountName name roles} roles}}`, nil)
		expect(t, "account", a.Text("viewer.member.accountName"), "linyue002")
		expect(t, "roles of the directory", fmt.Sprint(a.Get("viewer.member.roles")), "[admin]")
		for _, role := range []string{"admin", "dept_manager", "employee"} {
			if !strings.Contains(fmt.Sprint(a.Get("viewer.roles")), role) {
				t.Errorf("roles %v lack %s", a.Get("viewer.roles"), role)
			}
		}
	})
}
