package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runPolicy runs guanxi policy with arguments, in English.
func runPolicy(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), append([]string{"policy"}, args...), []string{"LANG=en_US.UTF-8"}, &out, &errs)
	return code, out.String(), errs.String()
}

// policyDir is a company's directory with the files given.
func policyDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	stricter = "p, acme.no, native, employee, block, member, r.sub.Rank < 3, deny, ,\n"
	looser   = "p, wecom.blacklist.verified_only, wecom, anyone, blacklist, contact, false, deny, ,\n"
)

// TestPolicyCommands: each command answers 0 where all is well, 1 where it found what it looks for, 2 where it was asked the wrong
// thing; with its words.
func TestPolicyCommands(t *testing.T) {
	good := policyDir(t, map[string]string{"acme.csv": stricter, "cases/a.yaml": "cases:\n  - {who: mengjie015, on: native, does: block, to: colleague, expect: {outcome: deny, rules: acme.no}}\n"})
	failing := policyDir(t, map[string]string{"acme.csv": stricter, "a.yaml": "cases:\n  - {who: mengjie015, on: native, does: block, to: colleague, expect: allow}\n"})
	broken := policyDir(t, map[string]string{"acme.csv": "p, acme.a, wecom, employee, block, contact, r.obj.Importence == 'KEY', Deny, ,\np, acme.b, wecon, employee, block, contact, true, deny, ,\n"})
	useless := policyDir(t, map[string]string{"acme.csv": "p, acme.no, wecom, employee, isolate, contact, true, deny, ,\n"})
	astray := policyDir(t, map[string]string{"region/EU/acme.csv": stricter, "cases/a.yml": "cases: []\n"})
	looseDir := policyDir(t, map[string]string{"acme.csv": looser})
	badCases := policyDir(t, map[string]string{"acme.csv": stricter, "cases/a.yaml": "cases:\n  - {who: mengji015, on: native, does: block, to: colleague, expect: allow}\n"})
	people := filepath.Join(policyDir(t, map[string]string{"people.yaml": "people:\n  王芳: {Roles: employee, Rank: 3}\n  孟洁: {Roles: employee, Rank: 2}\n"}), "people.yaml")
	crowd := filepath.Join(policyDir(t, map[string]string{"people.yaml": "people:\n  王芳: {Roles: clerk}\n"}), "people.yaml")
	file := filepath.Join(good, "acme.csv")
	for _, c := range []struct {
		args string
		code int
		want []string // in what is printed
	}{
		{"", 2, []string{"needs a command"}},
		{"chek", 2, nil},

		{"check", 0, []string{"no faults"}},
		{"check " + good, 0, []string{"no faults"}},
		{"check --policies " + good, 0, []string{"no faults"}},
		{"check " + broken, 1, []string{
			"acme.csv:1:45: error: there is no attribute r.obj.Importence; did you mean r.obj.Importance?", `acme.csv:1:72: error: unknown effect "Deny"`, `acme.csv:2:12: error: unknown platform "wecon"`, "3 errors, 0 warnings"}},
		{"check " + useless, 0, []string{"acme.csv:1:39: warning: nobody asks about isolate of contact", "hint: "}},
		{"check " + astray, 0, []string{"region/EU/acme.csv: warning: nobody reads this file", "cases/a.yml: warning: nobody reads this file"}},
		{"check --strict " + useless, 1, []string{"0 errors, 1 warning"}},
		{"check --json " + broken, 1, []string{`"line": 1`, `"severity": "error"`}},
		{"check " + badCases, 1, []string{`cases/a.yaml:2:11: error: there is no person "mengji015"; did you mean mengjie015?`}},
		{"check /nowhere", 2, []string{"no such file"}},
		{"check " + file, 2, []string{"is a file; expected a directory"}},
		{"check a b", 2, nil},

		{"test", 0, []string{"shipped cases over shipped rules: ", ", 0 failed\n"}},
		{"test --policies " + good, 0, []string{"shipped cases over shipped rules: ", "cases of " + good + " over its rules: 1, 0 failed\n"}},
		{"test -v --policies " + good, 0, []string{"ok    cases/a.yaml:2  mengjie015: block colleague on native", "ok    authz/policies/cases/worked.yaml:"}},
		{"test --policies " + failing, 1, []string{"FAIL  a.yaml:2  mengjie015: block colleague on native\n      outcome: expected allow, came deny\n      acme.csv:1: p, acme.no, native", "1, 1 failed"}},
		{"test --json --policies " + failing, 1, []string{`"expected": "allow"`, `"came": "deny"`, `"file": "acme.csv"`}},
		{"test --all --policies " + good, 1, []string{"shipped cases over the rules of " + good, "come out otherwise now", "rank 2 (mengjie015: block sunli006 on native)", "acme.csv:1: "}},
		{"test " + filepath.Join(failing, "a.yaml"), 0, []string{"cases over shipped rules: 1, 0 failed"}},
		{"test --policies " + good + " " + filepath.Join(failing, "a.yaml"), 1, []string{"cases over the rules of " + good + ": 1, 1 failed"}},
		{"test --policies " + badCases, 2, []string{`cases/a.yaml:2:11: there is no person "mengji015"; did you mean mengjie015?`}},
		{"test --policies " + broken, 2, []string{"acme.csv:1:45: there is no attribute"}},
		{"test /nowhere.yaml", 2, []string{"no such file"}},
		{"test --all", 2, []string{"--all needs --policies"}},

		{"coverage", 0, []string{"conditions were seen both true and false; 100%"}},
		{"coverage --min 100", 0, nil},
		{"coverage --min 100 --policies " + looseDir, 1, []string{"acme.csv:1: wecom.blacklist.verified_only: never decided", "% is below 100%"}},
		{"coverage --min 50 --policies " + looseDir, 0, nil},
		{"coverage --min 101", 2, []string{"expected 0 to 100"}},
		{"coverage --json", 0, []string{`"percent": 100`, `"decided": `}},

		{"explain --platform wecom --action block --target contact --fact r.sub.Roles=employee --fact r.obj.Importance=KEY --fact r.obj.OpenValue=400000", 0, []string{
			"REVIEW by owner_dept_manager\n", "duties: alert:KEY_CONTACT_BLOCKED, expire:72h, undo:72h, undo_review:admin\n", "guard: REVIEW\n    authz/policies/guard.csv:", "        r.obj.Importance is 'KEY'\n",
			"platform:wecom: ALLOW\n", "company: nothing\n", "REVIEW by admin+owner_dept_manager (authz/policies/guard.csv:", "r.obj.OpenValue > 500000: is 400000\n"}},
		{"explain --policies " + good + " --platform native --action block --target member --fact r.sub.Roles=employee --fact r.sub.Rank=2", 0, []string{"DENY\n", "company: DENY\n    acme.csv:1: ", "r.sub.Rank is 2"}},
		{"explain --action read --target contact --fact r.sub.Roles=employee", 0, []string{"shows follows\n"}},
		{"explain --action unmask --fact r.sub.Roles=admin", 0, []string{"shows all\n"}},
		{"explain --json --platform wecom --action block --target contact --fact r.sub.Roles=employee", 0, []string{`"decision": {`, `"nearMisses": [`, `"failedTerm": `}},
		{"explain --platform wecon --action blok --target contract --fact r.sub.Renk=3 --fact r.sub.Rank=high --fact x --fact r.act=lift --fact r.sub.Roles=wizard", 2, []string{
			"--platform: there is no \"wecon\"; did you mean wecom?", "--action: there is no \"blok\"; did you mean block?", "--target: there is no \"contract\"; did you mean contact?", "did you mean r.sub.Rank?",
			"expected a whole number", "--fact \"x\": expected NAME=VALUE", "--fact r.act: say that by", "there is no role \"wizard\""}},
		{"explain --action block --target member --fact r.obj.OpenValue=1", 2, []string{"a member has no r.obj.OpenValue; it is of contact"}},
		{"explain", 2, []string{"--action: there is no \"\""}},

		{"diff shipped -", 0, []string{"No decision changes: "}},
		{"diff shipped " + good, 1, []string{"whom it fits: block member on native: was allowed, now is denied\n", "+ acme.no acme.csv:1", "1 difference"}},
		{"diff " + good + " shipped", 1, []string{"was denied, now is allowed", "- acme.no acme.csv:1"}},
		{"diff --lang zh-CN shipped " + good, 1, []string{"符合者：屏蔽 成员（native）：原为允许，现为拒绝\n"}},
		{"diff --people " + people + " shipped " + good, 1, []string{"孟洁: block member on native: was allowed, now is denied\n"}},
		{"diff --json shipped " + good, 1, []string{`"moves": [`, `"exhaustive": true`}},
		{"diff --people " + crowd + " shipped " + good, 2, []string{`there is no role "clerk"`}},
		{"diff --lang fr shipped " + good, 2, []string{"expected zh-CN or en"}},
		{"diff shipped", 2, nil},
		{"diff shipped /nowhere", 2, []string{"no such file"}},

		{"matrix --platform wecom --action block", 0, []string{"wecom             anyone  employee", "block member      ✘       ✘         ✘        ✔"}},
		{"matrix --platform wecom --action blacklist", 0, []string{"blacklist contact  ✘       (✔)"}},
		{"matrix --json --platform wecom --action request_archive_access", 0, []string{`"tiers": [`, `"role": "legal"`}},
		{"matrix --platform wecon", 2, []string{`there is no "wecon"`}},
		{"matrix --action blok", 2, []string{`nobody asks about "blok" there`}},

		{"schema", 0, []string{"  r.sub.Rank  number\n"}},
		{"schema --policies " + good, 2, []string{"unknown flag"}},
		{"schema --json", 0, []string{`"name": "r.sub.Rank"`}},
		{"init", 2, nil},
		{"init " + good, 2, []string{"is not empty"}},
		{"init " + file, 2, []string{"not a directory"}},
	} {
		code, out, errs := runPolicy(t, strings.Fields(c.args)...)
		if code != c.code {
			t.Errorf("policy %s: exit %d, want %d\n%s%s", c.args, code, c.code, out, errs)
		}
		for _, want := range c.want {
			if !strings.Contains(out+errs, want) {
				t.Errorf("policy %s: lacks %q:\n%s%s", c.args, want, out, errs)
			}
		}
		if code == 0 && errs != "" {
			t.Errorf("policy %s: done, and complains: %s", c.args, errs)
		}
		if strings.Contains(c.args, "--json") && !json.Valid([]byte(out)) {
			t.Errorf("policy %s: no JSON:\n%s", c.args, out)
		}
	}
}

// TestPolicyInit: what a company starts from changes nothing, and each of its examples does what its comment says.
func TestPolicyInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	if code, out, errs := runPolicy(t, "init", dir); code != 0 || out != "wrote "+dir+"/cases/company.yaml\nwrote "+dir+"/company.csv\n" {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"check", "--strict", dir}, {"test", "--policies", dir}, {"test", "--all", "--policies", dir}, {"diff", "shipped", dir}} {
		if code, out, errs := runPolicy(t, args...); code != 0 {
			t.Errorf("policy %v: exit %d\n%s%s", args, code, out, errs)
		}
	}
	if code, out, errs := runPolicy(t, "init", dir); code != 2 || !strings.Contains(errs, "is not empty") {
		t.Errorf("a second time: exit %d\n%s%s", code, out, errs)
	}

	uncomment(t, filepath.Join(dir, "company.csv"), "# p, ", "p, ")
	uncomment(t, filepath.Join(dir, "cases/company.yaml"), "  # - {", "  - {")
	uncomment(t, filepath.Join(dir, "cases/company.yaml"), "  #    expect", "     expect")
	if code, out, errs := runPolicy(t, "check", "--strict", dir); code != 0 {
		t.Errorf("the examples: exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := runPolicy(t, "test", "--policies", dir); code != 0 || !strings.Contains(out, "over its rules: 6, 0 failed") {
		t.Errorf("the examples: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := runPolicy(t, "diff", "shipped", dir); code != 1 || !strings.Contains(out, "isolate member on dingtalk: was denied, now is allowed") || !strings.Contains(out, "now goes with undo:24h instead of undo:72h") || !strings.Contains(out, "now needs admin to agree") {
		t.Errorf("the examples: exit %d\n%s", code, out)
	}
}

func uncomment(t *testing.T, path, from, to string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(from)) {
		t.Errorf("%s holds no %q", path, from)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o644); err != nil {
		t.Fatal(err)
	}
}
