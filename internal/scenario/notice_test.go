package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// noticesOf is who was told of a relationship, as a person reads it.
func (p person) noticesOf(id string) string {
	p.c.t.Helper()
	var out []string
	for _, n := range read[struct {
		Notices []struct {
			To, Channel, Purpose string
			Delivery             delivery
		}
	}](p.c.t, p.Do(`query($id:ID!){relationship(id:$id){notices{to channel purpose delivery{state}}}}`, vars{"id": id})).Notices {
		out = append(out, fmt.Sprintf("%s %s %s %s", n.To, n.Channel, n.Purpose, n.Delivery.State))
	}
	return strings.Join(out, "; ")
}

// C-11's notice goes to the manager, once, though the block takes effect after its cool-down; what a company has told goes to whom
// its lines name, and never to who did it or to the target. Whom a reader may not see he is not told of.
func TestNotices(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		dir := t.TempDir()
		lines := "p, acme.tell, wecom, employee, block, contact, r.obj.Importance == 'NORMAL' && r.obj.Mine, allow, , notify:owner+manager_of_actor+admin=ACME\n" +
			"p, acme.tell_hr, native, employee, block, member, true, allow, , notify:hr\n" +
			"p, acme.tell_admin, dingtalk, employee, block, contact, true, allow, , notify:manager_of_actor+admin=ACME\n"
		if err := os.WriteFile(filepath.Join(dir, "acme.csv"), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		c := open(t, dsn, "--policies", dir)
		wang := c.person("wangfang004")
		first := wang.blocks("wm_lanhai")
		expect(t, "the first", wang.noticesOf(first.ID), "赵敏 guanxi ACME NOT_NEEDED; 陈光 guanxi ACME NOT_NEEDED; 韩磊 guanxi ACME NOT_NEEDED; 林悦 guanxi ACME NOT_NEEDED")
		member := wang.blocks("liqiang005", on("native"))
		expect(t, "of a member, without a purpose", c.person("zhaomin003").noticesOf(member.ID), "郑岚 guanxi BLOCK NOT_NEEDED")
		lin := c.person("linyue002")
		listed := lin.blocks("wm_lanhai", as("BLACKLIST"))
		expect(t, "of a blacklisting", lin.noticesOf(listed.ID), "王芳 guanxi OPPORTUNITY_LOSS NOT_NEEDED")
		hidden := c.person("tangxin013").blocks("dt_maoyi")
		expect(t, "as one reads it who sees his own department", c.person("tangxin013").noticesOf(hidden.ID), "秦朗 guanxi ACME NOT_NEEDED")
		expect(t, "as the auditor reads it", c.person("guping012").noticesOf(hidden.ID), "秦朗 guanxi ACME NOT_NEEDED; 陈光 guanxi ACME NOT_NEEDED; 林悦 guanxi ACME NOT_NEEDED")
		wang.blocks("wm_spam")
		o := wang.block("wm_qinghe")
		must(t, "state", o.Results[0].Relationship.State, "STAGED")
		third := o.Results[0].Relationship.ID
		burst := "赵敏 guanxi BLOCK_OVERUSE NOT_NEEDED"
		expect(t, "while it cools down", strings.Contains(wang.noticesOf(third), burst), true)
		c.Set(*o.Results[0].Relationship.EffectiveAt)
		must(t, "state afterwards", wang.relationship(third).State, "ACTIVE")
		expect(t, "told once", strings.Count(wang.noticesOf(third), "BLOCK_OVERUSE"), 1)
	})
}
