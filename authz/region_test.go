package authz

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// regional is a company directory with rules of two regions.
func regional(t *testing.T, files map[string]string) []Layer {
	t.Helper()
	dir := fstest.MapFS{}
	for name, text := range files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	layers, err := Company(dir)
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

// Rules of a region hold where somebody or something of it has to do with the request, and the strictest of all layers wins.
func TestRegions(t *testing.T) {
	layers := regional(t, map[string]string{
		"acme.csv":               "p, acme.more, wecom, employee, block, contact, r.obj.OpenValue > 10, review, admin, expire:1h\n",
		"regions/EU/rules.csv":   "p, eu.no_list, *, anyone, blacklist, contact, true, deny, ,\np, eu.legal, *, anyone, block, contact, !r.obj.Verified, review, legal, expire:72h\n",
		"regions/EU/reasons.csv": "eu.no_list,Not in the EU.,欧盟境内不可。\n",
		"regions/华东/rules.csv":   "p, east.slow, *, anyone, block, contact, true, allow, , alert:BLOCK_OVERUSE\n",
	})
	e := buildHouse(t, layers...)
	wang := Actor{ID: "wangfang004", Roles: []string{"employee"}, Rank: 3, JobFunction: "GENERAL", Status: "ACTIVE", Employment: "ACTIVE"}
	someone := Object{Type: TypeContact, ID: "someone", Importance: "NORMAL", Verified: true}
	open := someone
	open.Verified, open.OpenValue = false, 20
	open.Importance = ""
	for _, c := range []struct {
		name, action string
		object       Object
		regions      string
		outcome      im.Outcome
		rules, needs string
		layers       string
	}{
		{"nowhere", ActionBlacklist, someone, "", im.Allow, "wecom.blacklist.employee", "", "guard default platform:wecom company"},
		{"elsewhere", ActionBlacklist, someone, "CN|US", im.Allow, "wecom.blacklist.employee", "", "guard default platform:wecom company"},
		{"in the EU", ActionBlacklist, someone, "CN|EU", im.Deny, "eu.no_list", "", "guard default platform:wecom region:EU company"},
		{"what the region does not mind", ActionBlock, someone, "EU", im.Allow, "wecom.block_external.employee", "", "guard default platform:wecom region:EU company"},
		{"the region wants legal", ActionBlock, open, "EU", im.Review, "C-06 eu.legal acme.more", "admin legal owner_dept_manager", "guard default platform:wecom region:EU company"},
		{"two regions", ActionBlock, open, "EU|华东", im.Review, "C-06 eu.legal acme.more", "admin legal owner_dept_manager", "guard default platform:wecom region:EU region:华东 company"},
	} {
		r := Request{Platform: "wecom", Action: c.action, Actor: wang, Object: c.object}
		if err := r.Set("r.env.Regions", c.regions); err != nil {
			t.Fatal(err)
		}
		d, err := e.Decide(t.Context(), r)
		if err != nil || d.Outcome != c.outcome || names(d) != c.rules || needsOf(d) != c.needs {
			t.Errorf("%s: %s by %s, asking %s, %v", c.name, d.Outcome, names(d), needsOf(d), err)
		}
		if ref, err := e.Reference(t.Context(), r); err != nil || !reflect.DeepEqual(d, ref) {
			t.Errorf("%s: casbin says %s by %s, %v", c.name, ref.Outcome, names(ref), err)
		}
		x, err := e.Explain(t.Context(), r)
		var seen []string
		for _, l := range x.Layers {
			seen = append(seen, l.Name)
		}
		if err != nil || strings.Join(seen, " ") != c.layers {
			t.Errorf("%s: layers %q, %v", c.name, seen, err)
		}
		if again, err := RequestOf(r.Facts()); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s: %+v came back as %+v, %v", c.name, r, again, err)
		}
	}
	east := Request{Platform: "wecom", Action: ActionBlock, Actor: wang, Object: someone, Env: Env{Regions: []string{"华东"}}}
	if d, _ := e.Decide(t.Context(), east); d.Outcome != im.Allow || !strings.Contains(strings.Join(d.Obligations, " "), "alert:BLOCK_OVERUSE") {
		t.Errorf("duties of a region: %s %q", d.Outcome, d.Obligations)
	}
	near := Request{Platform: "wecom", Action: ActionBlacklist, Actor: wang, Object: someone}
	x, _ := e.Explain(t.Context(), near)
	found := false
	for _, m := range x.NearMisses {
		found = found || m.Rule.Name == "eu.no_list" && m.FailedTerm == "'EU' in r.env.Regions" && m.Outcome == im.Deny
	}
	if !found {
		t.Errorf("near misses: %+v", x.NearMisses)
	}
	if kept, err := OpenEngine(e.Bundle(), duties); err != nil || kept.Version() != e.Version() {
		t.Errorf("as kept: %v", err)
	}
	diff := Diff(buildHouse(t), e)
	if !diff.Exhaustive || diff.Same() {
		t.Errorf("diff: %s", diff.Text(fault.English))
	}
}

// A region tightens. It neither replaces what is shipped, nor allows, nor says who is what, nor what shows.
func TestRegionsOnlyTighten(t *testing.T) {
	for line, want := range map[string]string{
		"p, eu.allow, *, employee, block, contact, true, allow, ,":                         "a region's line may deny or review",
		"p, C-01, *, anyone, block, contact, true, deny, ,":                                "a region's line has an id of its own",
		"p, wecom.block_external.employee, wecom, employee, block, contact, true, deny, ,": "a region's line has an id of its own",
		"p, eu.read, *, employee, read, contact, true, deny, ,":                            "not a region's to narrow",
		"g, temp, employee, *": "a region's file holds p lines only",
		"p, eu.typo, *, employee, block, contact, 'EU' == r.env.Regions, deny, ,": "ask for a name as in",
	} {
		_, err := Build(house(regional(t, map[string]string{"regions/EU/x.csv": line + "\n"})...))
		p, ok := errors.AsType[*Problems](err)
		if !ok || len(p.List) != 1 || p.List[0].File != "regions/EU/x.csv" || p.List[0].Line != 1 || !strings.Contains(p.List[0].Message, want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := Build(house(regional(t, map[string]string{"regions/E'U/x.csv": "p, eu.a, *, anyone, block, contact, true, deny, ,\n"})...)); err == nil || !strings.Contains(err.Error(), "no name of a region") {
		t.Errorf("a region called E'U: %v", err)
	}
}
