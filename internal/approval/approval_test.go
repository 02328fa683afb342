package approval

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/guanxi-im/guanxi/internal/im"
)

func TestGiven(t *testing.T) {
	manager, admin := im.Need{Role: "manager_of_actor", Count: 1}, im.Need{Role: "admin", Count: 1}
	for _, c := range []struct {
		name  string
		needs []im.Need
		may   [][]string
		given []int
		met   bool
	}{
		{"nobody", []im.Need{admin}, nil, []int{0}, false},
		{"one of two", []im.Need{admin, manager}, [][]string{{"manager_of_actor"}}, []int{0, 1}, false},
		{"one person for both", []im.Need{admin, manager}, [][]string{{"admin", "manager_of_actor"}}, []int{1, 0}, false},
		{"the first one moves over", []im.Need{admin, manager}, [][]string{{"admin", "manager_of_actor"}, {"admin"}}, []int{1, 1}, true},
		{"two of a kind", []im.Need{{Role: "admin", Count: 2}}, [][]string{{"admin"}, {"admin"}, {"admin"}}, []int{2}, true},
		{"a stranger", []im.Need{admin}, [][]string{{"hr"}}, []int{0}, false},
		{"no needs", nil, [][]string{{"admin"}}, []int{}, true},
	} {
		got := Given(c.needs, c.may)
		if d := cmp.Diff(c.given, got); d != "" {
			t.Errorf("%s: given (-want +got):\n%s", c.name, d)
		}
		if Met(c.needs, got) != c.met {
			t.Errorf("%s: Met = %v", c.name, !c.met)
		}
	}
}

func TestMerge(t *testing.T) {
	got := Merge([]im.Need{{Role: "manager_of_actor", Count: 1}, {Role: "admin", Count: 1}}, []im.Need{{Role: "admin", Count: 2}})
	want := []im.Need{{Role: "admin", Count: 2}, {Role: "manager_of_actor", Count: 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
