package scenario

import (
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
