package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// What plans do not know is worked out by gqlgen, however it is written, and whatever a text or a comment says.
func TestWhatPlansLeaveToOthers(t *testing.T) {
	t.Parallel()
	dsn := testkit.SQLite(t)
	testkit.Seed(t, dsn)
	s := testkit.Demo(t, dsn, "--http-executor", "plan") // alone: panics below both would be gqlgen's
	wang := s.As("wangfang004")
	for _, doc := range []string{
		`{__type(name:"Member"){name}}`,
		`{__type (name:"Member"){name}}`,
		"{__type#(\n(name:\"Member\"){name}}",
		`{t:__type(name:"Member"){name} viewer{member{name}}}`,
		`{...f} fragment f on Query{... on Query{__type (name:"Member"){name}} viewer{member{name}}}`,
		`{__schema {queryType{name}} viewer{member{name}}}`,
		`{member(accountName:"__schema"){name} viewer{member{name}}}`,
		`{viewer{member{__typename name}}} # __type( @defer`,
	} {
		reply := s.Send("POST", "/graphql", `{"query":`+quoted(doc)+`}`, "Content-Type", "application/json", "Authorization", "Bearer "+testkit.Token(t, "wangfang004"))
		if reply.Status != 200 || strings.Contains(reply.Body, `"errors"`) || !strings.Contains(reply.Body, `"name":`) {
			t.Errorf("%s: %d %s", doc, reply.Status, reply.Body)
		}
	}
	expect(t, "the gateway lives", wang.Do(`{viewer{member{name}}}`, nil).Text("viewer.member.name"), "王芳")
}

// What cannot be read below a root field is told with its place, by both executors alike.
func TestErrorsBelowTheRoot(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		c.exec("alter table identity_links rename to links_away")
		defer c.exec("alter table links_away rename to identity_links")
		a, err := c.person("linyue002").Ask(`{them:members(first:2){edges{node{name of:identities{provider}}}}}`, nil)
		must(t, "ask", err, nil)
		var places []string
		for i, e := range a.Errors {
			places = append(places, fmt.Sprint(e.(vars)["path"]))
			expect(t, "the code", a.Code(i), "UNAVAILABLE")
		}
		slices.Sort(places)
		expect(t, "places", fmt.Sprint(places), "[[them edges 0 node of]]")
	})
}
