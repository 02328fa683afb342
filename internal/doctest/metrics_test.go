package doctest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/guanxi-im/guanxi/internal/testkit"
)

// families are metrics with their labels.
type families map[string][]string

// scraped reads what a server tells: its own metrics by name, with the labels that they have.
func scraped(text string) families {
	found := families{}
	help := regexp.MustCompile(`(?m)^# TYPE (guanxi_\w+) \w+$`)
	for _, m := range help.FindAllStringSubmatch(text, -1) {
		labels := map[string]bool{}
		line := regexp.MustCompile(`(?m)^` + m[1] + `(_bucket|_sum|_count)?\{(.*)\} `)
		for _, l := range line.FindAllStringSubmatch(text, -1) {
			for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(l[2], -1) {
				if label[1] != "le" {
					labels[label[1]] = true
				}
			}
		}
		found[m[1]] = slices.Sorted(maps.Keys(labels))
	}
	return found
}

// busy is what a demo tells that has done all that is counted.
func busy(t *testing.T) string {
	dir, settings := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
		"guanxi.yaml": "webhooks: {crm: {url: 'http://127.0.0.1:1', secret_file: " + filepath.Join(settings, "secret") + "}}\n"} {
		if err := os.WriteFile(filepath.Join(settings, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := testkit.Demo(t, testkit.SQLite(t), "--policies", dir, "--config", filepath.Join(settings, "guanxi.yaml"), "--outbound-networks", "127.0.0.1")
	lin := s.As("linyue002")
	lin.Do(`{members(first:2){nodes{accounts{status}}}}`, nil)
	lin.Do(`mutation($t:ID!){block(input:{targetId:$t,kind:BLACKLIST,reason:"seen"}){userErrors{code}}}`,
		map[string]any{"t": lin.Do(`{externalContacts(filter:{query:"蓝海"}){nodes{id}}}`, nil).Text("externalContacts.nodes.0.id")})
	if err := os.WriteFile(filepath.Join(dir, "broken.csv"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text := s.Send("GET", "/metrics", "").Body
		if strings.Contains(text, "guanxi_policy_problems{") || time.Now().After(end) {
			return text
		}
	}
}

// The table of metrics is whole, and so are the alerts: they name what there is, and nothing else.
func TestMetrics(t *testing.T) {
	told := scraped(busy(t))
	b, err := os.ReadFile("../../docs/operators.md")
	if err != nil {
		t.Fatal(err)
	}
	written := families{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(guanxi_\\w+)(?:\\{([\\w,]+)\\})?` \\|").FindAllStringSubmatch(string(b), -1) {
		labels := []string{}
		if m[2] != "" {
			labels = strings.Split(m[2], ",")
		}
		slices.Sort(labels)
		written[m[1]] = labels
	}
	for name, labels := range told {
		if w, ok := written[name]; !ok {
			t.Errorf("%s is not in the table", name)
		} else if !slices.Equal(slices.Compact(w), labels) && len(labels)+len(w) > 0 {
			t.Errorf("%s has the labels %v, not %v", name, labels, w)
		}
	}
	for name := range written {
		if _, ok := told[name]; !ok {
			t.Errorf("%s is in the table, and not in /metrics", name)
		}
	}

	b, err = os.ReadFile("../../docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary string }
			}
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil || len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("%v: %+v", err, file)
	}
	for _, r := range file.Groups[0].Rules {
		if r.Annotations.Summary == "" {
			t.Errorf("%s says nothing", r.Alert)
		}
		for _, m := range regexp.MustCompile(`(guanxi_\w+?)(?:_bucket|_count)?\b(?:\{(\w+)=)?`).FindAllStringSubmatch(r.Expr, -1) {
			labels, ok := told[m[1]]
			if !ok {
				labels, ok = told[m[1]+"_count"] // a gauge may be called so
			}
			if !ok || m[2] != "" && !slices.Contains(labels, m[2]) {
				t.Errorf("%s asks for %s", r.Alert, m[0])
			}
		}
	}
}
