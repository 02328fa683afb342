package resolvers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/demo"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// rowsOf says where the rows of a type come from that lists hang on: § is for the list, $n for how many rows.
var rowsOf = map[string]string{
	"Query":           "§",
	"Member":          "members(first: $n) { nodes { § } }",
	"Department":      "departments(first: $n) { nodes { § } }",
	"Account":         "accounts(first: $n) { nodes { § } }",
	"ExternalContact": "externalContacts(first: $n) { nodes { § } }",
	"Group":           "groups(first: $n) { nodes { § } }",
	"Relationship":    "relationships(first: $n) { nodes { § } }",
	"Approval":        "approvals(first: $n) { nodes { § } }",
	"ApprovalNeed":    "approvals(first: $n) { nodes { needs { § } } }",
	"Decision":        "relationships(first: $n) { nodes { decision { § } } }",
	"PolicyLayer":     "relationships(first: $n) { nodes { decision { layers { § } } } }",
	"ContactCheck":    "contactChecks(inputs: $pairs) { § }",
	"Workspace":       "accounts(first: $n) { nodes { workspace { § } } }",
	"WorkspaceHealth": "accounts(first: $n) { nodes { workspace { health { § } } } }",
	"Platform":        "accounts(first: $n) { nodes { workspace { platform { § } } } }",
}

// apart are the lists of which there is one answer whatever is asked, or that another test counts.
var apart = map[string]string{
	"Query.platforms":         "as many as were built in, without a statement",
	"Query.workspaces":        "all of them, at once",
	"Query.nodes":             "TestStatementsOfNodes",
	"Decision.nearMisses":     "of one decision at a time that is explained",
	"Query.messages":          "not counted yet",
	"Message.mentions":        "not counted yet",
	"Message.recipients":      "not counted yet",
	"Policy.problems":         "of one policy, which is in memory",
	"Policy.rules":            "of one policy, which is in memory",
	"PolicyStats.rules":       "of one question",
	"BlockPreview.results":    "of one question",
	"BlockPreview.effects":    "of one question",
	"BlockPreview.userErrors": "of one question",
	"BlockResult.effects":     "of one question",
	"BlockResult.warnings":    "of one question",
	"Risk.signals":            "of one question",
	"DirectoryImport.rows":    "of one import",
	"BlacklistImport.rows":    "of one import",
	"Query.blacklistImports":  "TestBlacklistImports",
}

// empty are the lists of which nothing stands in the company that is filled in.
var empty = map[string]bool{"Decision.facts": true, "Decision.layers": true, "PolicyLayer.rules": true, "Workspace.capabilities": true, "WorkspaceHealth.quota": true}

// listFields are the lists that a query may lead to: connections, and plain lists of what has fields.
func listFields(s *ast.Schema) (out []string) {
	reached := map[string]bool{}
	var visit func(t *ast.Definition)
	visit = func(t *ast.Definition) {
		if t == nil || reached[t.Name] || t.BuiltIn {
			return
		}
		reached[t.Name] = true
		for _, p := range s.GetPossibleTypes(t) {
			visit(p)
		}
		for _, f := range t.Fields {
			of := s.Types[f.Type.Name()]
			if strings.HasPrefix(f.Name, "__") || !of.IsCompositeType() {
				continue
			}
			inner := strings.HasSuffix(t.Name, "Connection") || strings.HasSuffix(t.Name, "Edge")
			if (f.Type.Elem != nil || strings.HasSuffix(of.Name, "Connection")) && !inner && t.Kind == ast.Object {
				out = append(out, t.Name+"."+f.Name)
			}
			visit(of)
		}
	}
	visit(s.Query)
	slices.Sort(out)
	return out
}

// showing selects all that a type has without arguments and without leading on.
func showing(s *ast.Schema, of *ast.Definition) string {
	if of.IsAbstractType() {
		return "{ __typename }"
	}
	var out []string
	for _, f := range of.Fields {
		if !s.Types[f.Type.Name()].IsCompositeType() && len(f.Arguments) == 0 {
			out = append(out, f.Name)
		}
	}
	if len(out) == 0 {
		out = []string{"__typename"}
	}
	return "{ " + strings.Join(out, " ") + " }"
}

// asking is a query for a list, where it hangs.
func asking(s *ast.Schema, field string) string {
	typ, name, _ := strings.Cut(field, ".")
	f := s.Types[typ].Fields.ForName(name)
	of := s.Types[f.Type.Name()]
	list := name
	if f.Arguments.ForName("inputs") != nil {
		list += "(inputs: $pairs)"
	}
	if strings.HasSuffix(of.Name, "Connection") {
		if typ == "Query" {
			list += "(first: $n)"
		}
		list += " { totalCount nodes " + showing(s, s.Types[of.Fields.ForName("nodes").Type.Name()]) + " edges { cursor } }"
	} else {
		list += " " + showing(s, of)
	}
	q := strings.Replace(rowsOf[typ], "§", list, 1)
	head := []string{}
	for name, typ := range map[string]string{"$n": "Int", "$pairs": "[ContactCheckInput!]!"} {
		if strings.Contains(q, name) {
			head = append(head, name+": "+typ)
		}
	}
	return "query(" + strings.Join(head, ", ") + ") { " + q + " }"
}

// grown is a company of which every list has more than a page, and whose first rows have something of everything.
func grown(co directory.Snapshot) directory.Snapshot {
	departments, members, groups := co.Departments, co.Members, co.Groups
	for k := range 12 {
		for i, d := range departments {
			top := departments[i]
			d.ID, d.ParentID = ids.New(), top.ID
			d.Name, d.Path = fmt.Sprint(d.Name, k), top.Path+d.ID.String()+"/"
			co.Departments = append(co.Departments, d)
		}
	}
	for i, m := range members {
		m.ID, m.ManagerID = ids.New(), members[i%3].ID
		m.EmployeeNo, m.AccountName = fmt.Sprint("9", m.EmployeeNo), fmt.Sprint("x", m.AccountName)
		co.Members = append(co.Members, m)
	}
	for i, m := range co.Members {
		co.Identities = append(co.Identities, im.IdentityLink{ID: ids.New(), MemberID: m.ID, Provider: "p", Subject: fmt.Sprint(i), LinkedAt: now})
	}
	for i, a := range co.Accounts {
		co.Accounts[i].StatusReason = "r" // of every one, as a key is asked for only where there is a text
		co.Devices = append(co.Devices, im.Device{ID: ids.New(), AccountID: a.ID, Label: fmt.Sprint(i), Kind: "x"})
		co.Bindings = append(co.Bindings, im.AccountBinding{ID: ids.New(), AccountID: a.ID, MemberID: a.MemberID, From: now.AddDate(-2, 0, 0), Until: now.AddDate(-1, 0, 0), Reason: "r"})
	}
	for k := range 3 {
		for i, g := range groups {
			g.ID, g.PlatformID = ids.New(), fmt.Sprint(g.PlatformID, k)
			co.Groups = append(co.Groups, g)
			for j := range 3 {
				co.Memberships = append(co.Memberships, im.Membership{ID: ids.New(), GroupID: g.ID, Party: members[(i+j)%3].Ref(), JoinedAt: now})
			}
		}
	}
	for i, c := range co.Contacts[:120] {
		co.Contacts[i].OwnerID = members[i%3].ID
		co.Follows = append(co.Follows, im.Follow{ContactID: c.ID, MemberID: members[59-i%3].ID, Since: now, Source: "x"})
	}
	co.Services = []im.Service{{ID: ids.New(), Name: "crm"}}
	for i := range 120 {
		co.Keys = append(co.Keys, im.APIKey{ID: ids.New(), ServiceID: co.Services[0].ID, Prefix: fmt.Sprintf("p%03d", i), Hash: []byte{byte(i)}, Scopes: []string{"contacts"}, CreatedAt: now})
	}
	return co
}

// A list costs the same number of statements at three rows and at a hundred, and so does one that hangs on three rows or on a
// hundred, of which there may not be more on a page. Counted both where the store sends them and, on PostgreSQL, on the line.
func TestEveryListAsksOnce(t *testing.T) {
	s := schema(t)
	fields := listFields(s)
	if len(fields) < 30 {
		t.Fatalf("only %d lists: %v", len(fields), fields)
	}
	for field := range apart {
		if !slices.Contains(fields, field) {
			t.Errorf("%s stands apart, and is not there", field)
		}
	}
	run := func(t *testing.T, dsn string, line func() int64) {
		a := fresh(t, dsn)
		m := fillWith(t, a, 120, grown(demo.Company(ids, now)))
		must(t, a.store.Close())
		var pairs []map[string]any
		for i := 0; i < 100; i++ {
			pairs = append(pairs, map[string]any{"fromId": nodeid.Encode(im.KindContact, m.company.Contacts[i/2*2].ID), "toId": nodeid.Encode(im.KindMember, m.company.Members[i/2*2%20].ID),
				"channel": "DIRECT_MESSAGE"})
		}
		for _, field := range fields {
			if apart[field] != "" {
				continue
			}
			typ, name, _ := strings.Cut(field, ".")
			if rowsOf[typ] == "" {
				t.Errorf("%s has no case: nobody knows what it costs", field)
				continue
			}
			q := asking(s, field)
			cost := func(n int) (stmts int, onLine int64, rows int) {
				a := newAPI(t, dsn)
				defer func() { _ = a.store.Close() }()
				v, err := a.who.Viewer(t.Context(), auditor)
				must(t, err)
				before := line()
				body, stmts := a.ask(t, v, q, map[string]any{"n": n, "pairs": pairs[:n]})
				var data any
				must(t, json.Unmarshal([]byte(body), &data))
				return stmts, line() - before, rowsIn(data, name)
			}
			few, fewSent, fewRows := cost(3)
			many, manySent, manyRows := cost(100)
			for range 4 { // see same
				if few == many && fewSent == manySent {
					break
				}
				few, fewSent, fewRows = cost(3)
				many, manySent, manyRows = cost(100)
			}
			if few != many || fewSent != manySent {
				t.Errorf("%s: %d statements at 3, %d at 100; on the line %d and %d: %s", field, few, many, fewSent, manySent, q)
			}
			if (fewRows == 0 || manyRows <= fewRows) && !empty[field] {
				t.Errorf("%s: nothing to compare: %d rows and %d: %s", field, fewRows, manyRows, q)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, testkit.SQLite(t), func() int64 { return 0 }) })
	t.Run("postgres", func(t *testing.T) { dsn, line := testkit.CountedPostgres(t); run(t, dsn, line) })
}

// rowsIn counts what the lists of a name hold, wherever they are.
func rowsIn(data any, name string) (n int) {
	switch x := data.(type) {
	case []any:
		for _, v := range x {
			n += rowsIn(v, name)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if k != name {
				n += rowsIn(x[k], name)
				continue
			}
			v := x[k]
			if c, ok := v.(map[string]any); ok {
				v = c["nodes"]
			}
			l, _ := v.([]any)
			n += len(l)
		}
	}
	return n
}
