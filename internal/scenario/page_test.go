package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

type memberPage struct {
	Edges []struct {
		Cursor string
		Node   accountNamed
	}
	Nodes    []accountNamed
	PageInfo struct {
		HasNextPage, HasPreviousPage bool
		StartCursor, EndCursor       *string
	}
	TotalCount int
}

const pageDocument = `query($first:Int,$after:String,$last:Int,$before:String,$o:MemberOrder){
	members(first:$first,after:$after,last:$last,before:$before,orderBy:$o){
	edges{cursor node{accountName}} nodes{accountName} pageInfo{hasNextPage hasPreviousPage startCursor endCursor} totalCount}}`

func (p person) page(v vars) memberPage {
	p.c.t.Helper()
	return read[memberPage](p.c.t, p.Do(pageDocument, v))
}

// Page by page, forwards and backwards, a list is the same, and the same on both databases.
func TestPages(t *testing.T) {
	t.Parallel()
	order := map[any][]string{} // by the order asked for, as the first database gave it
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		lin := c.person("linyue002")
		for _, by := range []any{nil, "NAME", "EMPLOYEE_NO"} {
			c.part(fmt.Sprint("by ", by), func(t *testing.T, c company) {
				forwards := walk(t, lin, by, "first", "after")
				backwards := walk(t, lin, by, "last", "before")
				slices.Reverse(backwards)
				expect(t, "backwards", strings.Join(backwards, " "), strings.Join(forwards, " "))
				sorted := slices.Clone(forwards)
				slices.Sort(sorted)
				expect(t, "different rows", len(slices.Compact(sorted)), 60)
				if order[by] == nil {
					order[by] = forwards
				}
				expect(t, "order on both databases", strings.Join(forwards, " "), strings.Join(order[by], " "))
			})
		}
		before := func(by any, names ...string) {
			at := -1
			for _, n := range names {
				i := slices.Index(order[by], n)
				if i <= at {
					t.Errorf("by %v %s stands at %d, not after %d", by, n, i, at)
				}
				at = i
			}
		}
		before("EMPLOYEE_NO", "chenguang001", "linyue002", "wangfang004", "hanlei017")
		// By pinyin, surnames as surnames: 白, 陈, 区 (ou), 欧阳, 仇 (qiu), 单 (shan), 沈, 王, 尉迟 (yuchi), 曾 (zeng), 翟 (zhai).
		before("NAME", "baiyawen060", "chenguang001", "ouwenjie041", "ouyangxue024", "qiuhaifeng034", "shanxiaoyu016", "shenmengqi033", "wangfang004",
			"yuchirui031", "zengzhiyuan018", "zhaitianyu058", "zhoujie007")
		c.part("arguments", func(t *testing.T, c company) {
			own := lin.page(vars{"first": 1})
			byName := lin.page(vars{"first": 1, "o": "NAME"})
			for what, v := range map[string]vars{
				"first above the most":     {"first": 101},
				"first below nothing":      {"first": -1},
				"last above the most":      {"last": 101},
				"last below nothing":       {"last": -1},
				"both directions":          {"first": 3, "last": 3},
				"first with before":        {"first": 3, "before": *own.PageInfo.EndCursor},
				"after and before":         {"after": *own.PageInfo.EndCursor, "before": *own.PageInfo.EndCursor},
				"cursor of garbage":        {"after": "garbage"},
				"empty cursor":             {"after": ""},
				"cursor cut short":         {"after": (*own.PageInfo.EndCursor)[:20]},
				"cursor altered":           {"after": altered(*own.PageInfo.EndCursor)},
				"cursor of another order":  {"after": *byName.PageInfo.EndCursor},
				"cursor of another order2": {"before": *own.PageInfo.EndCursor, "o": "NAME"},
			} {
				a, err := lin.Ask(pageDocument, v)
				if err != nil {
					t.Fatal(err)
				}
				expect(t, what, a.Code(0), "BAD_USER_INPUT")
				expect(t, what+": data", a.Data, nil)
			}
			expect(t, "no size given", len(lin.page(vars{}).Nodes), 20)
			expect(t, "the most", len(lin.page(vars{"first": 100}).Nodes), 60)
			none := lin.page(vars{"first": 0})
			if len(none.Nodes) != 0 || none.TotalCount != 60 || !none.PageInfo.HasNextPage || none.PageInfo.StartCursor != nil {
				t.Errorf("first: 0 gave %v", none)
			}
			ids := strings.Repeat(`"`+c.member("linyue002")+`",`, 101)
			a, err := lin.Ask(`{nodes(ids:[`+ids+`]){id}}`, nil)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "101 nodes", a.Code(0), "BAD_USER_INPUT")
			expect(t, "100 nodes", len(lin.Do(`{nodes(ids:[`+ids[:len(ids)/101*100]+`]){id}}`, nil).Get("nodes").([]any)), 100)
		})
	})
}

// walk reads a list of members in pages of seven, in the order in which they come.
func walk(t *testing.T, p person, by any, size, from string) (out []string) {
	t.Helper()
	v := vars{size: 7, "o": by}
	for n := 1; ; n++ {
		page := p.page(v)
		expect(t, "count", page.TotalCount, 60)
		expect(t, "rows and edges", len(page.Edges), len(page.Nodes))
		var rows []string
		for i, n := range page.Nodes {
			expect(t, "row of edge", page.Edges[i].Node, n)
			rows = append(rows, n.AccountName)
		}
		more, back, end := page.PageInfo.HasNextPage, page.PageInfo.HasPreviousPage, page.PageInfo.EndCursor
		if from == "before" {
			slices.Reverse(rows)
			more, back, end = back, more, page.PageInfo.StartCursor
		}
		out = append(out, rows...)
		expect(t, fmt.Sprint("rows before page ", n), back, n > 1)
		expect(t, fmt.Sprint("rows after page ", n), more, len(out) < 60)
		if !more || n > 9 {
			return out
		}
		v[from] = *end
	}
}

// altered changes one letter.
func altered(s string) string {
	b := []byte(s)
	if b[12] == 'A' {
		b[12] = 'B'
	} else {
		b[12] = 'A'
	}
	return string(b)
}
