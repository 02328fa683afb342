package authz

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func (c MatrixCell) String() string {
	out := string(c.Outcome) + strings.Join(c.Scope, "+")
	if len(c.Needs) > 0 {
		out += " " + strings.Join(Spelt(c.Needs), "+")
	}
	if c.Depends {
		out = "(" + out + ")"
	}
	return out
}

// TestMatrix: a cell is the best that somebody of the tier can come to, and says what it takes.
func TestMatrix(t *testing.T) {
	e := policyOf(t, "p, C-1, *, anyone, block, contact, r.obj.Importance == 'KEY' && r.obj.OpenValue > 5, deny, ,\n",
		"p, may, *, employee, block, contact, r.obj.Verified, allow, ,\n"+
			"p, ask, *, dept_manager, block, contact, true, review, 2*legal+admin,\n"+
			"p, big, *, admin, lift, relationship, true, allow, ,\n"+
			"p, big.ask, *, admin, lift, relationship, true, review, legal,\n"+
			"p, key, *, legal, undo, relationship, r.obj.Mine && r.obj.Kind == 'BLOCK', review, admin,\n"+
			"p, read, *, employee, read, contact, r.sub.Rank > 3, allow, , scope:follows\n")
	m := e.Matrix("wecom", "other")
	if want := []string{"anyone", "employee", "dept_manager", "legal", "admin"}; !slices.Equal(m.Tiers, want) {
		t.Fatalf("tiers %v, want %v", m.Tiers, want)
	}
	if !m.Exhaustive {
		t.Error("not exhaustive")
	}
	got := map[string]string{}
	for _, row := range m.Rows {
		got[strings.TrimSpace(row.Platform+" "+row.Action+" "+row.Object)] = fmt.Sprint(row.Cells)
		for _, c := range row.Cells {
			if c.Depends != (c.Example != "") {
				t.Errorf("%s: %+v", row.Action, c)
			}
		}
	}
	for row, want := range map[string]string{
		"wecom block contact":     "[DENY (ALLOW) REVIEW admin+2*legal (ALLOW) REVIEW admin+2*legal]",
		"other block contact":     "[DENY (ALLOW) REVIEW admin+2*legal (ALLOW) REVIEW admin+2*legal]",
		"wecom block member":      "[DENY DENY DENY DENY DENY]",
		"wecom lift relationship": "[DENY DENY DENY DENY REVIEW legal]",
		"wecom undo relationship": "[DENY DENY DENY (REVIEW admin) DENY]",
		"read contact":            "[ follows follows follows follows]",
	} {
		if got[row] != want {
			t.Errorf("%s: %s, want %s", row, got[row], want)
		}
	}
	for _, row := range m.Rows {
		if row.Platform == "wecom" && row.Action == ActionUndo && row.Cells[3].Example != "wecom undo relationship, by legal, r.obj.Kind 'BLOCK', r.obj.Mine" {
			t.Error(row.Cells[3].Example)
		}
	}
}

// TestMatrixHolds: what a cell of the shipped files says is what is decided.
func TestMatrixHolds(t *testing.T) {
	e := buildHouse(t)
	m := e.Matrix(append(e.Platforms(), "other")...)
	if !m.Exhaustive || len(m.Rows) < 200 {
		t.Errorf("%d rows, exhaustive %v", len(m.Rows), m.Exhaustive)
	}
	for _, row := range m.Rows {
		if isScope(row.Action) {
			continue
		}
		for i, tier := range m.Tiers {
			who := ordinary
			who.Roles = []string{tier}
			d, err := e.Decide(t.Context(), Request{Platform: row.Platform, Action: row.Action, Actor: who, Object: Object{Type: row.Object, ID: "another"}})
			if err != nil {
				t.Fatal(err)
			}
			c := row.Cells[i]
			if better := stricter(c.Outcome, d.Outcome) == d.Outcome; !better || c.Depends == (c.Outcome == d.Outcome) {
				t.Errorf("%s %s %s by %s: %s, and plainly %s", row.Platform, row.Action, row.Object, tier, c, d.Outcome)
			}
		}
	}
}

// TestJSON: whatever the command line answers in JSON has names in lower camel case.
func TestJSON(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(t reflect.Type) []string
	look = func(x reflect.Type) (faults []string) {
		for x.Kind() == reflect.Slice || x.Kind() == reflect.Pointer {
			x = x.Elem()
		}
		if x.Kind() != reflect.Struct || seen[x] {
			return nil
		}
		seen[x] = true
		for f := range x.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && (name == "" || !unicode.IsLower(rune(name[0]))) {
				faults = append(faults, x.Name()+"."+f.Name)
			}
			if f.IsExported() {
				faults = append(faults, look(f.Type)...)
			}
		}
		return faults
	}
	for _, v := range []any{Explanation{}, Report{}, CoverageReport{}, Problem{}, Vocabulary{}, Matrix{}} {
		if faults := look(reflect.TypeOf(v)); len(faults) > 0 {
			t.Errorf("%T: %v", v, faults)
		}
	}
	if len(seen) < 12 {
		t.Errorf("%d types", len(seen))
	}
}
