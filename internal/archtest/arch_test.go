// Package archtest keeps the import arrows. The table is a statement of policy: change it in a commit of its own that
// says why, never to make a build pass.
package archtest

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/guanxi-im/guanxi/"

// Each row: a package pattern, then the module's packages that it may import. The first matching row wins.
const allow = `
adapters              :
adapters/all          : adapters/*
adapters/all/folders  :
adapters/*            : adapters
adapters/sim/stage    :
adapters/*/sim        : adapters/sim/stage
internal/im           :
internal/fault        : internal/im
internal/envelope     : internal/im
internal/clock        :
internal/pinyin       :
internal/sheet        :
internal/config       : internal/fault
internal/approval     : internal/im internal/ledger
internal/command      : authz internal/im internal/fault internal/ledger internal/approval internal/observe
internal/accounts     : authz internal/im internal/fault internal/ledger internal/approval internal/command internal/platform
internal/ledger       : internal/im
internal/page         : internal/im internal/fault
internal/audit        : internal/im internal/fault internal/page
internal/live         : internal/im internal/fault
internal/platform     : adapters internal/im internal/ledger internal/observe
authz                 : internal/im internal/fault
authz/policytest      : authz internal/im
internal/policy       : authz internal/im internal/fault internal/ledger
internal/metrics      : internal/im internal/policy internal/observe
internal/directory    : internal/im internal/fault internal/page
internal/outbound     :
internal/webhook      : graph/nodeid internal/im internal/ledger internal/outbound
internal/identity     : authz internal/im internal/fault internal/directory internal/ledger internal/page
internal/blocking     : graph/nodeid authz internal/im internal/fault internal/ledger internal/page internal/approval internal/platform internal/observe internal/command
internal/messaging    : authz internal/im internal/fault internal/ledger internal/page internal/blocking internal/observe
internal/explorer     :
internal/intake       : internal/im internal/fault internal/ledger internal/page internal/pinyin internal/sheet internal/blocking internal/command internal/approval authz
internal/observe      :
internal/demo         : internal/im internal/directory internal/pinyin
db                    : internal/im internal/fault internal/envelope internal/ledger internal/page internal/audit internal/live internal/directory internal/platform internal/policy internal/blocking internal/intake internal/messaging internal/observe internal/approval internal/accounts internal/webhook
graph                 :
graph/nodeid          : internal/im
graph/scalar          : internal/fault
graph/model           :
graph/plan            :
graph/gen             :
graph/generated       : graph/* resolvers/view
resolvers/view        : graph/model graph/nodeid authz internal/im internal/fault internal/page internal/approval internal/audit internal/blocking internal/directory internal/identity internal/messaging internal/platform internal/policy internal/observe internal/intake internal/accounts internal/command
resolvers             : graph/* resolvers/view internal/im internal/fault internal/page internal/audit internal/blocking internal/directory internal/identity internal/messaging internal/live internal/intake internal/accounts internal/command
internal/gateway      : graph/generated graph/nodeid resolvers internal/im internal/fault internal/observe
internal/app          : *
internal/archtest     :
internal/testkit      : internal/app
internal/scenario     : internal/testkit
internal/doctest      : internal/testkit
internal/crash        : internal/testkit
bench                 : *
.                     : internal/app
`

// forbid: a dependency, and the only packages that may import it, with the reason.
var forbid = []struct{ dependency, only, why string }{
	{"github.com/casbin/", "authz", "policy has one door"},
	{"github.com/uptrace/bun", "db", "nobody else knows SQL"},
	{"github.com/jackc/pgx", "db internal/testkit bench", "nobody else knows PostgreSQL"},
	{"database/sql", "db internal/im internal/testkit bench", "nobody else knows SQL; im only stores its ids"},
	{"github.com/99designs/gqlgen", "graph graph/* resolvers internal/gateway", "use-cases know nothing of GraphQL"},
	{"github.com/tink-crypto/", "internal/envelope", "keys have one door"},
	{"github.com/golang-jwt/", "internal/identity", "tokens have one door"},
	{"github.com/MicahParks/", "internal/identity", "tokens have one door"},
	{"github.com/prometheus/", "internal/metrics", "what is counted has one door, and no label with a name"},
	{"go.opentelemetry.io/", "internal/observe internal/testkit", "what is traced has one door"},
	{"github.com/spf13/cobra", "internal/app", "use-cases know nothing of the command line"},
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.Trim(strings.TrimPrefix(fields[0]+"/", module), "/")
		if pkg == "" {
			pkg = "."
		}
		seen++
		may, ok := row(pkg)
		if !ok {
			t.Errorf("%s: no row in the table: say what it may import", pkg)
		}
		for _, imp := range fields[1:] {
			if in, ours := strings.CutPrefix(imp, module); ours {
				if !matches(may, in) {
					t.Errorf("%s imports %s; allowed: %v", pkg, in, may)
				}
				continue
			}
			for _, f := range forbid {
				if strings.HasPrefix(imp, f.dependency) && !matches(strings.Fields(f.only), pkg) {
					t.Errorf("%s imports %s; only %s may: %s", pkg, imp, f.only, f.why)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw %d packages: is the module's name still %s?", seen, module)
	}
}

func row(pkg string) (may []string, ok bool) {
	for line := range strings.Lines(strings.TrimSpace(allow)) {
		pattern, rest, _ := strings.Cut(line, ":")
		if matches([]string{strings.TrimSpace(pattern)}, pkg) {
			return strings.Fields(rest), true
		}
	}
	return nil, false
}

func matches(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if p == "*" {
			return true
		}
		if ok, _ := path.Match(p, pkg); ok {
			return true
		}
	}
	return false
}

// A platform's name anywhere but in its folder would be a second place that an integrator has to touch.
func TestPlatformNames(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "grep", "-nIwE", `"(wecom|dingtalk|feishu|agora|wechat)"`, "--", "*.go",
		":!adapters/wecom", ":!adapters/dingtalk", ":!adapters/feishu", ":!adapters/wechat", ":!*_test.go", ":!internal/demo", ":!internal/peers", ":!graph/generated").CombinedOutput()
	if len(out) > 0 {
		t.Errorf("platforms named outside their folders:\n%s", out)
	} else if err == nil {
		t.Error("git grep found nothing and says that it did")
	}
}
