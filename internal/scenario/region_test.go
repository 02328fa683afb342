package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// Rules of a region hold where somebody of it has to do with what is asked, beside all others, and the strictest wins. They come
// into force as those of the company do.
func TestRegions(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		testkit.Seed(t, dsn)
		dir := t.TempDir()
		c := company{testkit.Demo(t, dsn, "--policies", dir), t, dsn, map[string]string{}}
		wang, li, lin := c.person("wangfang004"), c.person("liqiang005"), c.person("linyue002")
		if _, err := testkit.Database(t, dsn).Exec("update members set region = 'EU' where account_name = 'liqiang005'"); err != nil {
			t.Fatal(err)
		}
		eu := filepath.Join(dir, "regions", "EU")
		if err := os.MkdirAll(eu, 0o700); err != nil {
			t.Fatal(err)
		}
		version := lin.policy().Version
		save(t, eu, "rules.csv", "p, eu.works_council, *, anyone, block, *, true, review, legal, expire:72h\n")
		save(t, eu, "reasons.csv", "eu.works_council,In the EU legal has a say.,在欧盟须经法务同意。\n")
		within(t, live, "the region's rules are in force", func() bool { return lin.policy().Version != version })
		expect(t, "problems", len(lin.policy().Problems), 0)

		said := func(p person, target string) string {
			a := p.decide(vars{"action": "block", "targetId": c.target(target), "workspaceId": c.workspace("native")})
			var layers []string
			for _, l := range a.Layers {
				layers = append(layers, l.Name)
			}
			return a.Outcome + " " + a.rules() + " " + strings.Join(layers, ",")
		}
		expect(t, "nobody of the EU", said(wang, "sunli006"), "ALLOW native.block_member.employee guard,default,platform:native,company")
		expect(t, "against somebody of the EU", said(wang, "liqiang005"), "REVIEW eu.works_council guard,default,platform:native,region:EU,company")
		expect(t, "by somebody of the EU", said(li, "sunli006"), "REVIEW eu.works_council guard,default,platform:native,region:EU,company")
		expect(t, "the strictest wins", said(li, "zhaomin003"), "DENY C-01 C-02 guard,default,platform:native,region:EU,company")
		o := wang.block("liqiang005", on("native"))
		expect(t, "the command", o.Decision.Outcome+" "+o.Decision.Reason, "REVIEW In the EU legal has a say.")
		expect(t, "made again", deref(c.person("guping012").decision(o.Decision.ID).Replayed), "REVIEW")

		save(t, eu, "rules.csv", "p, eu.works_council, *, anyone, block, *, true, allow, , undo:1h\n")
		within(t, live, "a region that loosens is refused", func() bool { return len(lin.policy().Problems) > 0 })
		p := lin.policy().Problems[0]
		if p.File != "regions/EU/rules.csv" || p.Line != 1 || !strings.Contains(p.Message, "a region's line may deny or review") {
			t.Errorf("problem: %+v", p)
		}
		expect(t, "what was in force stays", said(wang, "liqiang005"), "REVIEW eu.works_council guard,default,platform:native,region:EU,company")
		if err := os.RemoveAll(filepath.Join(dir, "regions")); err != nil {
			t.Fatal(err)
		}
		within(t, live, "the region's rules are gone", func() bool { return lin.policy().Version == version })
		expect(t, "as before", said(wang, "liqiang005"), "ALLOW native.block_member.employee guard,default,platform:native,company")
	})
}
