package metrics

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/policy"
)

// store remembers the version in force.
type store struct{ version string }

func (s *store) ActivePolicy(context.Context) (string, error) { return s.version, nil }
func (s *store) Post(_ context.Context, u ledger.Unit) error {
	s.version = u.Policy.Version
	return nil
}

// waiting is a database in which so much waits.
type waiting map[im.ID]int

func (waiting) Statements() (reads, writes uint64)               { return 5, 2 }
func (waiting) Lag(context.Context) (time.Duration, error)       { return 1500 * time.Millisecond, nil }
func (w waiting) Waiting(context.Context) (map[im.ID]int, error) { return w, nil }

// directory is a directory of files that may change.
type directory struct {
	mu    sync.Mutex
	files fstest.MapFS
}

func (d *directory) Open(name string) (fs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files.Open(name)
}

func (d *directory) set(files fstest.MapFS) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = files
}

func file(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text), ModTime: time.Now()}
}

// A problem has a series while it lasts, however many there are and whatever their file is called.
func TestPolicy(t *testing.T) {
	dir := &directory{}
	dir.set(fstest.MapFS{})
	now := time.Date(2026, 11, 22, 9, 0, 0, 500e6, time.UTC)
	keeper, err := policy.Open(t.Context(), policy.Options{
		Build: func() (*authz.Engine, error) {
			return authz.Build(authz.Sources{Duties: blocking.Duties(),
				Layers: authz.Shipped(authz.Layer{Name: authz.CompanyLayer, Files: dir})})
		},
		Files: dir, Store: &store{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, IDs: im.NewIDs(time.Now), Wake: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keeper.Run(ctx) }()
	defer func() { stop(); <-done }()

	w := im.Workspace{ID: im.NewIDs(time.Now).New(), Name: "hq", Platform: "native"}
	m := New(Sources{Rules: keeper, Store: waiting{w.ID: 3}, Workspaces: []im.Workspace{w},
		Endpoints: func(context.Context) ([]im.EndpointHealth, error) {
			return []im.EndpointHealth{{Name: "crm", Pending: 2, Failures: 7, DisabledAt: now}, {Name: "oa"}}, nil
		}})
	m.Request("GET /x/{id}", 404, 30*time.Millisecond)
	scrape := func() string {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	shows := func(text string, lines ...string) (missing []string) {
		for _, l := range lines {
			if !strings.Contains(text, "\n"+l+"\n") {
				missing = append(missing, l)
			}
		}
		return missing
	}
	// until waits for what must show.
	until := func(lines ...string) (text string) {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			text = scrape()
			missing := shows(text, lines...)
			if len(missing) == 0 {
				return text
			}
			if time.Now().After(end) {
				t.Fatalf("%q do not show in\n%s", missing, text)
			}
		}
	}
	until(`guanxi_webhooks_pending{endpoint="crm"} 2`, `guanxi_webhook_failures{endpoint="crm"} 7`, `guanxi_webhook_disabled{endpoint="crm"} 1`,
		`guanxi_webhooks_pending{endpoint="oa"} 0`, `guanxi_webhook_failures{endpoint="oa"} 0`, `guanxi_webhook_disabled{endpoint="oa"} 0`)
	const none = "guanxi_policy_problem_count 0"
	shipped := fmt.Sprintf(`guanxi_policy_info{version="%s"} 1`, keeper.Engine().Version())
	until(shipped, none, "guanxi_policy_loaded_timestamp_seconds 1.7953380005e+09", `guanxi_policy_reloads_total{result="refused"} 0`,
		`guanxi_http_request_duration_seconds_bucket{code="404",route="GET /x/{id}",le="0.05"} 1`, `guanxi_http_request_duration_seconds_bucket{code="404",route="GET /x/{id}",le="0.025"} 0`)

	dir.set(fstest.MapFS{
		"a.csv":                file("x\n\np, acme.1, *, employe, block, contact, true, Deny, ,\n"),
		"\xb2\xdf\xc2\xd4.csv": file("x\n"),
		"many.csv":             file(strings.Repeat("x\n", 200)),
	})
	text := until(shipped, "guanxi_policy_problem_count 204", `guanxi_policy_reloads_total{result="refused"} 1`)
	if missing := shows(text, `guanxi_policy_problems{file="a.csv",line="1",severity="error"} 1`, `guanxi_policy_problems{file="a.csv",line="3",severity="error"} 2`); len(missing) > 0 {
		t.Errorf("%q do not show in\n%s", missing, text)
	}
	if n := strings.Count(text, "\nguanxi_policy_problems{"); n != problemsMax {
		t.Errorf("%d lines with problems show, not %d", n, problemsMax)
	}

	dir.set(fstest.MapFS{"a.csv": file("x\n")})
	text = until("guanxi_policy_problem_count 1", `guanxi_policy_problems{file="a.csv",line="1",severity="error"} 1`)
	if strings.Contains(text, `line="3"`) || strings.Contains(text, "many.csv") {
		t.Errorf("what was mended still shows in\n%s", text)
	}
	dir.set(fstest.MapFS{})
	text = until(none, `guanxi_policy_reloads_total{result="in_force"} 1`)
	if strings.Contains(text, "guanxi_policy_problems{") {
		t.Errorf("what was mended still shows in\n%s", text)
	}
}
