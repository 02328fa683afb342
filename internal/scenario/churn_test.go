package scenario

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// crowd is fifty thousand members, written behind the gateway's back; fifty of them share each place in the order of names.
type crowd struct {
	t    testing.TB
	db   *sql.DB
	rng  *rand.Rand
	key  map[im.ID]string
	next int
}

func (c *crowd) joins(tx interface {
	Exec(string, ...any) (sql.Result, error)
}, keys ...string) {
	c.t.Helper()
	var rows []string
	var args []any
	for _, key := range keys {
		var id im.ID
		for i := range id {
			id[i] = byte(c.rng.IntN(256))
		}
		c.next++
		n := len(args)
		rows = append(rows, fmt.Sprintf("($%d, '某', $%d, $%d, $%d, '', 1, '', 'GENERAL', '', 'ACTIVE', '某')", n+1, n+2, n+3, n+4))
		args = append(args, id, key, fmt.Sprint("c", c.next), fmt.Sprint("crowd", c.next))
		c.key[id] = key
	}
	_, err := tx.Exec(`insert into members (id, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, employment, folded) values `+
		strings.Join(rows, ", "), args...)
	must(c.t, "join", err, nil)
}

// Whoever stays shows exactly once to who pages through, in whichever direction, however many come and go meanwhile: where
// the reader stands, before him and behind him.
func TestPagesWhileRowsComeAndGo(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		const size, pages, perPage = 100, 500, 4
		co := open(t, dsn, "--http-executor", "plan") // both would not see the same
		c := &crowd{t, testkit.Database(t, dsn), rand.New(rand.NewPCG(1, 2)), map[im.ID]string{}, 0}
		tx, err := c.db.Begin()
		must(t, "begin", err, nil)
		for i := 0; i < size*pages; i += 1000 {
			keys := make([]string, 1000)
			for j := range keys {
				keys[j] = fmt.Sprintf("k%04d", (i+j)/50)
			}
			c.joins(tx, keys...)
		}
		must(t, "commit", tx.Commit(), nil)
		for _, q := range []string{"select id, sort_key from members"} {
			rows, err := c.db.Query(q)
			must(t, q, err, nil)
			var id im.ID
			var key string
			for rows.Next() {
				must(t, q, rows.Scan(&id, &key), nil)
				c.key[id] = key
			}
			must(t, q, rows.Close(), nil)
		}
		lin := co.person("linyue002")
		for _, way := range []struct{ size, from, more, end string }{{"first", "after", "hasNextPage", "endCursor"}, {"last", "before", "hasPreviousPage", "startCursor"}} {
			stays := map[string]im.ID{}
			var mortal []im.ID
			for id, key := range c.key {
				stays[nodeid.Encode(im.KindMember, id)] = id
				if strings.HasPrefix(key, "k") {
					mortal = append(mortal, id)
				}
			}
			slices.SortFunc(mortal, func(a, b im.ID) int { return slices.Compare(a[:], b[:]) })
			// Beside every page that is read, some come and some go; the row that the cursor stands at goes, too.
			turn, done := make(chan string), make(chan struct{})
			came, went := 0, 0
			gone := map[im.ID]bool{}
			go func() {
				defer close(done)
				for at := range turn {
					tx, err := c.db.Begin()
					if err != nil {
						t.Error(err)
						return
					}
					victims := []im.ID{}
					if id, ok := stays[at]; ok && strings.HasPrefix(c.key[id], "k") {
						victims = append(victims, id)
					}
					for len(victims) < perPage {
						if id := mortal[c.rng.IntN(len(mortal))]; !gone[id] && !slices.Contains(victims, id) {
							victims = append(victims, id)
						}
					}
					for _, id := range victims {
						gone[id] = true
						if _, err := tx.Exec("delete from members where id = $1", id); err != nil {
							t.Error(err)
							return
						}
					}
					here := fmt.Sprintf("k%04d", c.rng.IntN(1000))
					if id, ok := stays[at]; ok && strings.HasPrefix(c.key[id], "k") {
						here = c.key[id]
					}
					c.joins(tx, here, here, fmt.Sprintf("k%04d", c.rng.IntN(1000)), fmt.Sprintf("k%04d", c.rng.IntN(1000)))
					came, went = came+perPage, went+len(victims)
					if err := tx.Commit(); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			query := "query($at:String){l:members(" + way.size + ":100," + way.from + ":$at,orderBy:NAME){nodes{id} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}"
			times, last, n := map[string]int{}, "", 0
			var order []string
			for at := any(nil); ; n++ {
				a := lin.Do(query, vars{"at": at})
				nodes := a.Get("l.nodes").([]any)
				if way.size == "last" {
					slices.Reverse(nodes)
				}
				for _, node := range nodes {
					last = node.(vars)["id"].(string)
					times[last]++
					order = append(order, last)
				}
				more := a.Get("l.pageInfo."+way.more) == true
				if more && len(nodes) != size {
					t.Errorf("page %d has %d rows", n, len(nodes))
				}
				if at = a.Get("l.pageInfo." + way.end); !more {
					break
				}
				if n < pages {
					select {
					case turn <- last:
					case <-done:
						t.Fatal("nobody comes and goes any more")
					}
				}
			}
			close(turn)
			<-done
			if came < 1900 || went < 1900 {
				t.Errorf("%s: only %d came and %d went", way.size, came, went)
			}
			missed := 0
			for code, id := range stays {
				if !gone[id] && times[code] != 1 {
					missed++
				}
			}
			expect(t, way.size+": who stayed and showed never or twice", missed, 0)
			doubled := 0
			for _, k := range times {
				if k > 1 {
					doubled++
				}
			}
			expect(t, way.size+": whoever showed twice", doubled, 0)
			byCode := map[string]string{}
			for id, key := range c.key {
				byCode[nodeid.Encode(im.KindMember, id)] = key + " " + nodeid.Encode(im.KindMember, id)
			}
			sorted := slices.IsSortedFunc(order, func(a, b string) int {
				if way.size == "last" {
					a, b = b, a
				}
				return strings.Compare(byCode[a], byCode[b])
			})
			expect(t, way.size+": in order", sorted, true)
			t.Logf("%s: %d pages, %d came and %d went", way.size, n+1, came, went)
			for id := range gone {
				delete(c.key, id)
			}
		}
	})
}
