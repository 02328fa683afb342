package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// write makes a file in a directory of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads what a command line, an environment and a file's text give. An empty text is no file.
func load(t *testing.T, args, environ []string, file string) (Config, error) {
	t.Helper()
	if file != "" {
		args = append(args, "--config="+write(t, "guanxi.yaml", file))
	}
	flags := pflag.NewFlagSet("guanxi", pflag.ContinueOnError)
	flags.Bool("json", false, "a flag of the command")
	Flags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags, environ, func(option string) bool { return option == "app_key" })
}

// real is the least that the real server needs.
func real(t *testing.T) []string {
	t.Helper()
	return []string{
		"HOME=/home/operator",
		"GUANXI_AUTH_SECRET_FILE=" + write(t, "secret", strings.Repeat("s", 32)+"\n"),
		"GUANXI_AUTH_ISSUER=https://sso.example.com",
		"GUANXI_ENCRYPTION_KEYSET_FILE=" + write(t, "keyset.json", "{}"),
	}
}

// faults are the faults of err, each without the directory of its file and what it expected.
func faults(t *testing.T, err error) []Fault {
	t.Helper()
	var all Faults
	if err != nil && !errors.As(err, &all) {
		t.Fatalf("an error of another kind: %v", err)
	}
	var out []Fault
	for _, f := range all {
		if f.Expected == "" {
			t.Errorf("%s: nothing expected", f.Path)
		}
		if i := strings.Index(f.Source, "guanxi.yaml"); i >= 0 {
			f.Source = f.Source[i:]
		}
		f.Expected = ""
		out = append(out, f)
	}
	return out
}

// usual is what nobody needs to set.
var usual = Config{
	HTTP:      HTTP{StatusProfile: "compat", Executor: "plan", UploadMax: 32 << 20, OperationTime: 15 * time.Second, LiveMax: 100},
	Limits:    Limits{Everyone: Limit{5000, 200_000, 20_000}, Strangers: Limit{1000, 10_000, 1000}},
	Documents: Documents{Mode: "off"},
}

func TestDefaults(t *testing.T) {
	environ := real(t)
	got, err := load(t, nil, environ, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: "127.0.0.1:8080",
		DB:     "sqlite:/home/operator/.local/share/guanxi/guanxi.db",
		HTTP:   usual.HTTP, Limits: usual.Limits, Documents: usual.Documents,
		Log: Log{slog.LevelInfo, "text", 500 * time.Millisecond}, Tracing: Tracing{Sample: 1},
		Auth: Auth{
			SecretFile: lookup(environ, "GUANXI_AUTH_SECRET_FILE"),
			Issuer:     "https://sso.example.com",
			Audience:   "guanxi",
			Leeway:     30 * time.Second,

			AccountClaim: "sub", JWKSRefresh: 5 * time.Minute, JWKSKeep: time.Hour,
		},
		Encryption:    Encryption{lookup(environ, "GUANXI_ENCRYPTION_KEYSET_FILE")},
		Audit:         Audit{CheckpointEvery: time.Minute},
		Import:        Import{VanishMax: 5},
		Currency:      "CNY",
		ShutdownGrace: 10 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsOfTheDemo(t *testing.T) {
	got, err := load(t, []string{"--demo"}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: "127.0.0.1:8080", Demo: true, Explorer: true, HTTP: usual.HTTP, Documents: usual.Documents, Log: Log{Format: "text", Slow: 500 * time.Millisecond}, Tracing: Tracing{Sample: 1},
		Limits: Limits{Everyone: Limit{5000, 50_000_000, 5_000_000}, Strangers: Limit{1000, 1_000_000, 100_000}},
		Audit:  Audit{CheckpointEvery: time.Minute}, Import: Import{VanishMax: 5}, Currency: "CNY", ShutdownGrace: 10 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEverySetting(t *testing.T) {
	environ := real(t)
	secret, keyset := lookup(environ, "GUANXI_AUTH_SECRET_FILE"), lookup(environ, "GUANXI_ENCRYPTION_KEYSET_FILE")
	policies := t.TempDir()
	want := Config{
		Listen: "[::]:0", DB: "postgres://guanxi@db/guanxi", Policies: policies,
		HTTP: HTTP{"draft", "gqlgen", 64 << 10, time.Second, 7, []string{"https://a.example", "http://b.example:8080"},
			[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		Limits:        Limits{Limit{1, 2, 3}, Limit{4, 0, 0}, map[string]Limit{"auditor": {5, 6, 7}, "it": {8, 9, 10}}},
		Documents:     Documents{policies, "log"},
		ShutdownDelay: 2 * time.Second,
		Explorer:      true, Log: Log{slog.LevelWarn, "json", time.Second}, Tracing: Tracing{"http://collector:4318", 0.5}, Auth: Auth{secret, "0123", "im", time.Minute, "preferred_username",
			"https://sso.example.com/keys", "", 10 * time.Second, 2 * time.Hour}, Outbound: Outbound{[]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
		Encryption: Encryption{keyset}, Audit: Audit{"/var/log/guanxi/checkpoints", secret, time.Second}, Import: Import{VanishMax: 0}, Currency: "EUR", ShutdownGrace: 0,
	}
	tests := map[string]struct {
		args, environ []string
		file          string
	}{
		"file": {file: fmt.Sprintf(`
listen: "[::]:0"
db: postgres://guanxi@db/guanxi
policies: %s
demo: false
http:
  status_profile: draft
  executor: gqlgen
  upload_max: 64KiB
  operation_time: 1s
  live_max: 7
  origins: https://a.example,http://b.example:8080
  trusted_proxies: 10.0.0.0/8,::1
limits:
  everyone: 1/2/3
  strangers: 4/0/0
  roles: auditor=5/6/7,it=8/9/10
documents: {path: %s, mode: log}
shutdown_delay: 2s
explorer: true
log: {level: warn, format: json, slow: 1s}
tracing: {endpoint: "http://collector:4318", sample: 0.5}
auth:
  secret_file: %s
  issuer: 0123
  audience: im
  leeway: 1m
  account_claim: preferred_username
  jwks_url: https://sso.example.com/keys
  jwks_refresh: 10s
  jwks_keep: 2h
outbound.networks: 10.1.0.0/16
encryption.keyset_file: %s
audit: {checkpoint_file: /var/log/guanxi/checkpoints, signing_key_file: %s, checkpoint_every: 1s}
import.vanish_max: 0
currency: EUR
shutdown_grace: 0s
`, policies, policies, secret, keyset, secret)},
		"environment": {environ: []string{
			"GUANXI_LISTEN=[::]:0", "GUANXI_DB=postgres://guanxi@db/guanxi", "GUANXI_POLICIES=" + policies,
			"GUANXI_DEMO=false", "GUANXI_HTTP_UPLOAD_MAX=64KiB", "GUANXI_HTTP_STATUS_PROFILE=draft", "GUANXI_HTTP_EXECUTOR=gqlgen",
			"GUANXI_HTTP_OPERATION_TIME=1s", "GUANXI_HTTP_LIVE_MAX=7", "GUANXI_HTTP_ORIGINS=https://a.example,http://b.example:8080",
			"GUANXI_HTTP_TRUSTED_PROXIES=10.0.0.0/8,::1", "GUANXI_LIMITS_EVERYONE=1/2/3", "GUANXI_LIMITS_STRANGERS=4/0/0",
			"GUANXI_LIMITS_ROLES=auditor=5/6/7,it=8/9/10", "GUANXI_DOCUMENTS_PATH=" + policies, "GUANXI_DOCUMENTS_MODE=log",
			"GUANXI_SHUTDOWN_DELAY=2s", "GUANXI_EXPLORER=true", "GUANXI_LOG_LEVEL=warn", "GUANXI_LOG_FORMAT=json", "GUANXI_LOG_SLOW=1s",
			"GUANXI_TRACING_ENDPOINT=http://collector:4318", "GUANXI_TRACING_SAMPLE=0.5", "GUANXI_AUTH_SECRET_FILE=" + secret,
			"GUANXI_AUTH_ISSUER=0123", "GUANXI_AUTH_AUDIENCE=im", "GUANXI_AUTH_LEEWAY=1m", "GUANXI_AUTH_ACCOUNT_CLAIM=preferred_username",
			"GUANXI_AUTH_JWKS_URL=https://sso.example.com/keys", "GUANXI_AUTH_JWKS_REFRESH=10s", "GUANXI_AUTH_JWKS_KEEP=2h", "GUANXI_OUTBOUND_NETWORKS=10.1.0.0/16",
			"GUANXI_ENCRYPTION_KEYSET_FILE=" + keyset, "GUANXI_AUDIT_CHECKPOINT_FILE=/var/log/guanxi/checkpoints",
			"GUANXI_AUDIT_SIGNING_KEY_FILE=" + secret, "GUANXI_AUDIT_CHECKPOINT_EVERY=1s", "GUANXI_IMPORT_VANISH_MAX=0", "GUANXI_CURRENCY=EUR", "GUANXI_SHUTDOWN_GRACE=0s",
		}},
		"flags": {args: []string{
			"--listen=[::]:0", "--db=postgres://guanxi@db/guanxi", "--policies=" + policies,
			"--demo=false", "--http-upload-max=64KiB", "--http-status-profile=draft", "--http-executor=gqlgen", "--http-operation-time=1s",
			"--http-live-max=7", "--http-origins=https://a.example", "--http-origins=http://b.example:8080",
			"--http-trusted-proxies=10.0.0.0/8", "--http-trusted-proxies=::1", "--limits-everyone=1/2/3", "--limits-strangers=4/0/0",
			"--limits-roles=auditor=5/6/7,it=8/9/10", "--documents-path=" + policies, "--documents-mode=log", "--shutdown-delay=2s", "--explorer", "--log-level=warn", "--log-format=json", "--log-slow=1s",
			"--tracing-endpoint=http://collector:4318", "--tracing-sample=0.5", "--auth-secret-file=" + secret,
			"--auth-issuer=0123", "--auth-audience=im", "--auth-leeway=1m", "--auth-account-claim=preferred_username",
			"--auth-jwks-url=https://sso.example.com/keys", "--auth-jwks-refresh=10s", "--auth-jwks-keep=2h", "--outbound-networks=10.1.0.0/16",
			"--encryption-keyset-file=" + keyset, "--audit-checkpoint-file=/var/log/guanxi/checkpoints", "--audit-signing-key-file=" + secret,
			"--audit-checkpoint-every=1s", "--import-vanish-max=0", "--currency=EUR", "--shutdown-grace=0s", "--json",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, tt.args, tt.environ, tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "7B": 7, "64KiB": 64 << 10, "32MiB": 32 << 20, "1GiB": 1 << 30} {
		if got, err := size(text); got != want || err != nil {
			t.Errorf("%s: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "7", "B", "KiB", "-1B", "+1B", "1.5MiB", "32MB", "32 MiB", "32mib", "99999999999GiB", "1MiBB"} {
		if got, err := size(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// What stands for several things, or for several numbers, is read as it is meant or not at all.
func TestCompound(t *testing.T) {
	for path, texts := range map[string]struct{ good, bad []string }{
		"http.origins": {[]string{"https://a.example", "http://localhost:5173", "https://a.example,https://b.example", "http://[::1]:8080"},
			[]string{"*", "https://*.example", "a.example", "https://a.example/", "https://A.example", "https://a.example:443", "http://a.example:80",
				"ftp://a.example", "https://", "https://u@a.example", "https://a.example,https://a.example", "https://a.example, https://b.example", "null"}},
		"http.trusted_proxies": {[]string{"10.0.0.1", "10.0.0.0/8,fd00::/8"}, []string{"10.0.0.1/8", "proxy", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1,"}},
		"limits.everyone":      {[]string{"1/0/0", "5000/200000/20000"}, []string{"0/1/1", "1", "1/2", "1/2/0", "-1/2/3", "1/2/3/4", "1/2/x", "99999999999/1/1"}},
		"limits.roles":         {[]string{"a=1/2/3", "a=1/2/3,b=1/0/0"}, []string{"a", "=1/2/3", "a=1/2/3,a=1/2/3", "a=0/2/3", "a=1/2/3,"}},
		"http.operation_time":  {[]string{"1ms", "5m"}, []string{"0s", "6m", "15"}},
		"http.live_max":        {[]string{"1", "10000"}, []string{"0", "10001", "x"}},
		"documents.mode":       {[]string{"off", "log", "enforce"}, []string{"on", "Off"}},
		"http.status_profile":  {[]string{"compat", "draft"}, []string{"spec"}},
		"http.executor":        {[]string{"plan", "gqlgen", "both"}, []string{"fast"}},
		"shutdown_delay":       {[]string{"0s", "10m"}, []string{"-1s", "11m"}},
	} {
		for _, s := range settings {
			if s.path != path {
				continue
			}
			for _, text := range texts.good {
				if !s.set(&Config{}, text) {
					t.Errorf("%s: %q is refused", path, text)
				}
			}
			for _, text := range texts.bad {
				if s.set(&Config{}, text) {
					t.Errorf("%s: %q is taken", path, text)
				}
			}
		}
	}
	if got := faults(t, func() error { _, err := load(t, []string{"--demo", "--documents-mode=enforce"}, nil, ""); return err }()); len(got) != 1 || got[0].Path != "documents.path" {
		t.Errorf("enforce without documents: %v", got)
	}
}

func TestSimulators(t *testing.T) {
	want := map[string]string{"wecom": "http://127.0.0.1:1", "feishu": "http://localhost:2"}
	const both = "wecom=http://127.0.0.1:1/,feishu=http://localhost:2"
	for name, in := range map[string]struct {
		args, environ []string
		file          string
	}{
		"file":        {file: "sim: " + both + "\n"},
		"environment": {environ: []string{"GUANXI_SIM=" + both}},
		"one flag":    {args: []string{"--sim=" + both}},
		"two flags":   {args: []string{"--sim", "wecom=http://127.0.0.1:1", "--sim", "feishu=http://localhost:2"}, environ: []string{"GUANXI_SIM=nonsense"}},
	} {
		got, err := load(t, append([]string{"--demo"}, in.args...), in.environ, in.file)
		if diff := cmp.Diff(want, got.Sim); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestWorkspaces(t *testing.T) {
	secret := write(t, "secret", "of the app\r\n")
	got, err := load(t, nil, real(t), fmt.Sprintf(`
workspaces:
  wecom-hq: &hq
    corp_id: 0123
    secret_file: %s
    base_url: https://wecom.example.com
    mark: ~
    directory_secret: ""
  feishu-hq:
  dingtalk-hq: {}
  wecom-old: *hq
workspaces.flat.since: 2026-11-20
`, secret))
	if err != nil {
		t.Fatal(err)
	}
	hq := Connection{"corp_id": "0123", "secret_file": secret, "base_url": "https://wecom.example.com"}
	want := map[string]Connection{"wecom-hq": hq, "wecom-old": hq, "feishu-hq": {}, "dingtalk-hq": {}, "flat": {"since": "2026-11-20"}}
	if diff := cmp.Diff(want, got.Workspaces); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	got.Workspaces = map[string]Connection{"wecom-hq": hq, "feishu-hq": {}}
	connections, err := got.Connections(func(workspace, option string) bool {
		return option == "secret" || option == "corp_id" && workspace != "wecom-hq"
	})
	opened := map[string]map[string]string{
		"wecom-hq":  {"corp_id": "0123", "secret": "of the app", "base_url": "https://wecom.example.com"},
		"feishu-hq": {},
	}
	if diff := cmp.Diff(opened, connections); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}

	got, err = load(t, nil, real(t), "workspaces:\n")
	if err != nil || got.Workspaces != nil {
		t.Errorf("an empty section: got %v, %v", got.Workspaces, err)
	}
}

// What opens a workspace later finds its file changed or a secret beside it, and says so without showing any of it.
func TestConnections(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	c := Config{Workspaces: map[string]Connection{
		"a": {"secret_file": canary},
		"b": {"other_file": canary, "other": "canary"},
		"c": {"secret": "canary", "corp_id": "canary"},
		"d": {"_file": "canary"}, // a name that is none is for the adapter to refuse
	}}
	got, err := c.Connections(func(workspace, option string) bool { return option == "secret" })
	want := []Fault{
		{Path: "workspaces.a.secret_file", Value: redacted},
		{Path: "workspaces.b.other_file"},
		{Path: "workspaces.c.secret"},
	}
	if diff := cmp.Diff(want, faults(t, err)); diff != "" || got != nil {
		t.Errorf("%v (-want +got)\n%s", got, diff)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("a secret is shown:\n%v", err)
	}
}

// Endpoints of systems stand in the file, in the demo as well; what is wrong with them is told at once and without what is secret.
func TestWebhooks(t *testing.T) {
	const one, two = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_bmV3LXNlY3JldC1vZi10aGUtY3JtLWVuZHBvaW50"
	single, both := write(t, "single", one), write(t, "both", one+"\r\n\n"+two+"\n")
	got, err := load(t, []string{"--demo", "--outbound-networks=::1"}, nil, fmt.Sprintf(`
webhooks:
  crm:
    url: https://crm.example.com/hooks?key=canary#2
    secret_file: %s
    purposes: OPPORTUNITY_LOSS , ACME_2
  oa: {url: "http://[::1]:8000", secret_file: %s}
`, both, single))
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := got.Endpoints()
	want := map[string]Webhook{"crm": {URL: "https://crm.example.com/hooks?key=canary#2", Secrets: []string{one, two}, Purposes: []string{"OPPORTUNITY_LOSS", "ACME_2"}},
		"oa": {URL: "http://[::1]:8000", Secrets: []string{one}}}
	if diff := cmp.Diff(want, endpoints); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if shown := fmt.Sprintf("%v %+v %#v", endpoints, endpoints, endpoints); strings.Contains(shown, "whsec") || strings.Contains(shown, "canary") {
		t.Errorf("a secret is shown: %s", shown)
	}
	canary := write(t, "canary", one+"\ncanary\n")
	c := Config{Webhooks: map[string]Connection{
		"a":   {"url": "http://canary.example.com", "secret_file": single},
		"B":   {"url": "https://example.com", "secret_file": canary, "purpose": "canary"},
		"c":   {"url": "https://user:canary@example.com", "secret_file": write(t, "three", one+"\n"+two+"\n"+one), "purposes": "loss"},
		"d":   {"secret_file": "/nowhere/canary"},
		"e":   {"url": "https://example.com", "secret": one, "secret_file": write(t, "empty", "\n")},
		"f.g": {"url": "https://example.com", "secret_file": single},
		"h":   {"url": "http://127.0.0.1:9/hook", "secret_file": single},
		"i":   {"url": "http://localhost:9/hook", "secret_file": single},
		"j":   {"url": "http://127.1.1.1:9/hook", "secret_file": single},
	}, Outbound: Outbound{[]netip.Prefix{netip.MustParsePrefix("127.1.0.0/16")}}}
	_, err = c.Endpoints()
	places := []Fault{{Path: "webhooks.B"}, {Path: "webhooks.B.purpose", Nearest: "purposes"}, {Path: "webhooks.B.secret_file", Value: redacted}, {Path: "webhooks.a.url", Value: redacted},
		{Path: "webhooks.c.url", Value: redacted}, {Path: "webhooks.c.secret_file", Value: redacted}, {Path: "webhooks.c.purposes", Value: "loss"},
		{Path: "webhooks.d.url"}, {Path: "webhooks.d.secret_file", Value: redacted}, {Path: "webhooks.e.secret"},
		{Path: "webhooks.e.secret_file", Value: redacted}, {Path: "webhooks.f.g"}, {Path: "webhooks.h.url", Value: redacted}, {Path: "webhooks.i.url", Value: redacted}}
	if diff := cmp.Diff(places, faults(t, err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !strings.Contains(err.Error(), "127.0.0.1 in outbound.networks") {
		t.Errorf("nobody learns which setting lets webhooks go to this machine:\n%v", err)
	}
	if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "whsec_M") {
		t.Errorf("a secret is shown:\n%v", err)
	}
	for text, path := range map[string]string{"webhooks: https://example.com\n": "webhooks", "webhook.crm.url: x\n": "webhook.crm.url", "webhooks: {crm: x}\n": "webhooks.crm"} {
		_, err := load(t, []string{"--demo"}, nil, text)
		if got := faults(t, err); len(got) == 0 || got[0].Path != path {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// What works on the database alone needs no platform.
func TestOfflineReadsNoSecretsOfWorkspaces(t *testing.T) {
	flags := pflag.NewFlagSet("guanxi", pflag.ContinueOnError)
	Flags(flags)
	path := write(t, "guanxi.yaml", "workspaces: {wecom-hq: {secret_file: /nowhere}}\n")
	if err := flags.Parse([]string{"--config=" + path, "--db=sqlite::memory:"}); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOffline(flags, nil); err != nil {
		t.Error(err)
	}
}

func TestPrecedence(t *testing.T) {
	const file = "listen: localhost:1\ncurrency: EUR\nlog:\n  level: debug\n"
	environ := append(real(t), "GUANXI_LISTEN=localhost:2", "GUANXI_LOG_LEVEL=warn", "GUANXI_CURRENCY=")
	got, err := load(t, []string{"--listen=localhost:3"}, environ, file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != "localhost:3" {
		t.Errorf("a flag over the rest: got %s", got.Listen)
	}
	if got.Log.Level != slog.LevelWarn {
		t.Errorf("the environment over the file: got %s", got.Log.Level)
	}
	if got.Currency != "EUR" {
		t.Errorf("an empty variable is none: got %s", got.Currency)
	}

	_, err = load(t, []string{"--listen=localhost:3"}, real(t), "listen: nonsense\n")
	if err != nil {
		t.Errorf("a text that is overridden: %v", err)
	}
}

func TestTheFileMayBeNamedByAVariable(t *testing.T) {
	path := write(t, "guanxi.yaml", "currency: EUR\n")
	got, err := load(t, nil, append(real(t), "GUANXI_CONFIG="+path), "")
	if err != nil || got.Currency != "EUR" {
		t.Errorf("got %s, %v", got.Currency, err)
	}
}

// What is wrong is shown, but for what may be a secret.
func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"./foo.db": "./foo.db", "foo.db": "foo.db", "/var/lib/guanxi": "/var/lib/guanxi", "mysql://u:p@h:1/d?password=p": "mysql://h:1/d",
		"postgresql://u:p@h/d": "postgresql://h/d", "host=h password=p": redacted, "u:p@h/d": redacted, "postgres://u:p%zz@h/d": redacted,
		"postgres:///d?host=/run&password=p": redacted, "": "",
	} {
		if got := showDatabase(text); got != want {
			t.Errorf("db %q: shown as %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"/run/secrets/jwt": "/run/secrets/jwt", "secrets/jwt.txt": "secrets/jwt.txt", "./jwt": "./jwt", "../a/b": "../a/b",
		"p4ssw0rd": redacted, "aGVsbG8/d29ybGQ+MTIz": redacted, "AB/CD/EF": redacted, "-----BEGIN KEY-----": redacted, "": "",
	} {
		if got := showPath(text); got != want {
			t.Errorf("file %q: shown as %q, want %q", text, got, want)
		}
	}
}

// The schema of the file names every setting with a default of its kind, and each of its choices is one.
func TestSchema(t *testing.T) {
	b, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Type                 []string
		Description          string
		Default              any
		Enum                 []any
		Properties           map[string]node
		AdditionalProperties any
	}
	var root node
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	named := 0
	for name, n := range root.Properties {
		if n.AdditionalProperties == false {
			named += len(n.Properties)
		} else if name != workspacesKey && name != webhooksKey {
			named++
		}
	}
	if named != len(settings) {
		t.Errorf("%d settings in the schema, want %d", named, len(settings))
	}
	for _, s := range settings {
		at, rest := root, s.path
		if section, below, parts := strings.Cut(s.path, "."); parts {
			at, rest = root.Properties[section], below
		}
		n, ok := at.Properties[rest]
		if !ok || n.Description == "" || len(n.Type) != 2 {
			t.Errorf("%s: %+v", s.path, n)
			continue
		}
		if kind := map[bool]string{true: "boolean"}[n.Type[0] == "boolean"]; s.fallback != "" {
			switch n.Default.(type) {
			case string:
				kind = "string"
			case float64:
				kind = map[bool]string{true: "integer", false: "number"}[n.Type[0] == "integer"]
			}
			if kind != n.Type[0] {
				t.Errorf("%s: the default %v is no %s", s.path, n.Default, n.Type[0])
			}
		}
		for _, choice := range n.Enum {
			if text, ok := choice.(string); ok && !s.set(&Config{}, text) {
				t.Errorf("%s: the choice %s is none", s.path, text)
			}
		}
	}
	if got := root.Properties["http"].Properties["executor"].Enum; len(got) != 4 {
		t.Errorf("choices of http.executor: %v", got)
	}
}

func TestDefaultDatabase(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    Database
	}{
		{"the data directory", []string{"HOME=/h", "XDG_DATA_HOME=/data"}, "sqlite:/data/guanxi/guanxi.db"},
		{"none that is relative", []string{"HOME=/h", "XDG_DATA_HOME=data"}, "sqlite:/h/.local/share/guanxi/guanxi.db"},
		{"no home", []string{"HOME="}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := load(t, nil, append(real(t), tt.environ...), "")
			if tt.want == "" {
				if diff := cmp.Diff([]Fault{{Path: "db"}}, faults(t, err)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				return
			}
			if err != nil || string(got.DB) != string(tt.want) {
				t.Errorf("got %s, %v", got.DB, err)
			}
		})
	}
}

func TestValues(t *testing.T) {
	good := map[string][]string{
		"listen": {"127.0.0.1:0", ":8080", "[::1]:65535", "gateway.example.com:80", "guanxi-0:443", "[fe80::1%eth0]:80"},
		"db": {"sqlite:guanxi.db", "sqlite:/var/lib/guanxi.db", "sqlite::memory:", "postgres://u:p@h:5432/db?sslmode=require",
			"postgres:///db?host=/run/postgresql"},
		"log.level":   {"debug", "info", "warn", "error"},
		"log.format":  {"text", "json"},
		"auth.leeway": {"0s", "90s", "5m"},
		"auth.jwks_url": {"https://sso.example.com/keys", "https://10.0.0.1:8443/keys?x=1", "http://127.0.0.1:1/keys", "http://localhost/keys",
			"http://[::1]:8080/keys"},
		"auth.jwks_refresh": {"1s", "1h"},
		"auth.jwks_keep":    {"5m", "24h"},
		"outbound.networks": {"10.0.0.1", "10.0.0.0/8,fd00::/8"},
		"currency":          {"CNY", "EUR", "JPY"},
		"shutdown_grace":    {"0s", "1h"},
		"demo":              {"false", "0"},
		"explorer":          {"true", "false"},
		"log.slow":          {"0s", "1h"},
		"tracing.endpoint":  {"http://127.0.0.1:4318", "https://collector.example.com/v1/traces", "http://[::1]:4318/"},
		"tracing.sample":    {"0", "1", "0.01"},
	}
	goodInDemo := []string{"wecom=http://127.0.0.1:8081", "wecom=http://localhost:1/", "wecom=http://[::1]:1,feishu=http://127.0.0.2:1"}
	badInDemo := []string{"wecom", "wecom=", "http://127.0.0.1:1", "=http://127.0.0.1:1", "wecom=127.0.0.1:1", "wecom=https://127.0.0.1:1",
		"wecom=http://127.0.0.1", "wecom=http://192.168.1.1:1", "wecom=http://sim.example.com:1", "wecom=http://u:p@127.0.0.1:1",
		"wecom=http://127.0.0.1:1/_sim", "wecom=http://127.0.0.1:1?x=1", "wecom=http://127.0.0.1:1#x", "wecom=http://127.0.0.1:1,",
		"wecom=http://127.0.0.1:1,wecom=http://127.0.0.1:2", "wecom=http://127.0.0.1:70000", "wecom=http://%zz:1"}
	bad := map[string][]string{
		"listen": {"8080", "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:http", "256.1.1.1:80",
			"127.1:80", "::1:80", "a b:80", "-a:80", "http://localhost:80"},
		"db":          {"guanxi.db", "sqlite:", "sqlite::memry:", "mysql://h/db", "postgres://h:p%zz@h/db", "sqlite3:x"},
		"log.level":   {"INFO", "warning", "info+1", "trace"},
		"log.format":  {"JSON", "logfmt"},
		"auth.leeway": {"30", "-1s", "5m1s", "soon"},
		"auth.jwks_url": {"http://sso.example.com/keys", "sso.example.com/keys", "file:///keys", "https://", "https://u:p@sso.example.com/keys",
			"https://sso.example.com/keys#x", "ftp://sso.example.com/"},
		"auth.jwks_refresh": {"0s", "999ms", "61m", "5"},
		"auth.jwks_keep":    {"0s", "25h"},
		"outbound.networks": {"x", "10.0.0.0/33", "localhost"},
		"currency":          {"cny", "RMB", "CN", "¥"},
		"shutdown_grace":    {"10", "-1s", "61m"},
		"demo":              {"maybe", "on"},
		"explorer":          {"yes"},
		"log.slow":          {"500", "-1s", "2h"},
		"tracing.endpoint":  {"127.0.0.1:4318", "grpc://h:4317", "http://", "http://u:p@h:4318", "http://h:4318?key=x"},
		"tracing.sample":    {"-0.1", "1.1", "NaN", "all"},
	}
	for _, text := range goodInDemo {
		if _, err := load(t, []string{"--demo"}, []string{"GUANXI_SIM=" + text}, ""); err != nil {
			t.Errorf("sim of %q: %v", text, err)
		}
	}
	for _, text := range badInDemo {
		_, err := load(t, []string{"--demo"}, []string{"GUANXI_SIM=" + text}, "")
		if diff := cmp.Diff([]Fault{{Source: "GUANXI_SIM", Path: "sim", Value: text}}, faults(t, err)); diff != "" {
			t.Errorf("sim of %q (-want +got)\n%s", text, diff)
		}
	}
	environ := real(t)
	at := func(path, text string) []string {
		return append(environ[:len(environ):len(environ)], setting{path: path}.variable()+"="+text)
	}
	for path, texts := range good {
		for _, text := range texts {
			if _, err := load(t, nil, at(path, text), ""); err != nil {
				t.Errorf("%s of %q: %v", path, text, err)
			}
		}
	}
	for path, texts := range bad {
		for _, text := range texts {
			_, err := load(t, nil, at(path, text), "")
			shown := text
			if path == "tracing.endpoint" || text == "postgres://h:p%zz@h/db" || text == "sqlite3:x" {
				shown = redacted
			}
			want := []Fault{{Source: setting{path: path}.variable(), Path: path, Value: shown}}
			if diff := cmp.Diff(want, faults(t, err)); diff != "" {
				t.Errorf("%s of %q (-want +got)\n%s", path, text, diff)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	short := write(t, "secret", strings.Repeat("s", 31)+"\r\n")
	empty := write(t, "keyset.json", "")
	tests := []struct {
		name    string
		args    []string
		environ []string // instead of real's
		more    []string // besides real's
		file    string
		want    []Fault
	}{
		{
			name: "an unknown key", file: "\nlisten: localhost:0\nlisen: localhost:0\n",
			want: []Fault{{Source: "guanxi.yaml:3:1", Path: "lisen", Nearest: "listen"}},
		},
		{
			name: "an unknown key in a section", file: "auth:\n  secret: canary\n  leewy: 1s\n",
			want: []Fault{
				{Source: "guanxi.yaml:2:3", Path: "auth.secret", Nearest: ""},
				{Source: "guanxi.yaml:3:3", Path: "auth.leewy", Nearest: "auth.leeway"},
			},
		},
		{
			name: "an unknown key far from all", file: "kubernetes: canary\n",
			want: []Fault{{Source: "guanxi.yaml:1:1", Path: "kubernetes"}},
		},
		{
			name: "an unknown variable", more: []string{"GUANXI_LISEN=canary", "GUANXI_BATTERY=canary", "LISTEN=x", "guanxi_x=x", "GUANXI_LISTEN"},
			want: []Fault{
				{Source: "environment", Path: "GUANXI_BATTERY"},
				{Source: "environment", Path: "GUANXI_LISEN", Nearest: "GUANXI_LISTEN"},
			},
		},
		{
			name: "variables of others", more: []string{"GUANXI_SERVER=x", "GUANXI_TOKEN=x", "GUANXI_TEST_POSTGRES=x", "GUANXI_CONFIG="},
		},
		{
			name: "a section that is none", file: "auth: canary\n",
			want: []Fault{{Source: "guanxi.yaml:1:1", Path: "auth"}},
		},
		{
			name: "a setting that is a section", file: "listen:\n  host: canary\n",
			want: []Fault{{Source: "guanxi.yaml:2:3", Path: "listen.host", Nearest: "listen"}},
		},
		{
			name: "a list", file: "listen: [localhost:0]\n",
			want: []Fault{{Source: "guanxi.yaml:1:1", Path: "listen", Value: "a list or a mapping"}},
		},
		{
			name: "empty sections and settings", file: "auth:\nlog: {}\nlisten:\ndb: ~\ncurrency: ''\n",
		},
		{
			name: "one setting twice", file: "log:\n  level: info\nlog.level: warn\n",
			want: []Fault{{Source: "guanxi.yaml:3:1", Path: "log.level"}},
		},
		{
			name: "an alias", file: "log:\n  format: &f json\ncurrency: *f\n",
			want: []Fault{{Source: "guanxi.yaml:3:1", Path: "currency", Value: "json"}},
		},
		{
			name: "no YAML, and what may well be in it", file: "auth: {issuer: i\n", environ: []string{"GUANXI_LISEN=x"},
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "a secret in the open, beside other faults", file: "currency: RMB\nworkspaces: {feishu: {app_key: canary, secret_file: canary}}\n",
			want: []Fault{
				{Source: "guanxi.yaml:1:1", Path: "currency", Value: "RMB"},
				{Source: "guanxi.yaml:2:40", Path: "workspaces.feishu.secret_file", Value: redacted},
				{Source: "guanxi.yaml:2:23", Path: "workspaces.feishu.app_key"},
			},
		},
		{
			name: "no YAML", file: "listen: [\n",
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "two documents", file: "listen: localhost:0\n---\nlisten: localhost:1\n",
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "no mapping", file: "canary\n",
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "one key twice", file: "currency: EUR\ncurrency: CNY\n",
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "no file", args: []string{"--config=/nowhere/guanxi.yaml"},
			want: []Fault{{Source: "guanxi.yaml", Path: "config"}},
		},
		{
			name: "nothing for the real server", environ: []string{"HOME=/h"},
			want: []Fault{{Path: "auth.secret_file"}, {Path: "auth.issuer"}, {Path: "encryption.keyset_file"}},
		},
		{
			name: "files that are not there", environ: []string{"HOME=/h"},
			args: []string{"--auth-issuer=i", "--auth-secret-file=canary", "--encryption-keyset-file=canary"},
			want: []Fault{
				{Source: "--auth-secret-file", Path: "auth.secret_file", Value: redacted},
				{Source: "--encryption-keyset-file", Path: "encryption.keyset_file", Value: redacted},
			},
		},
		{
			name: "files that will not do", environ: []string{"HOME=/h"},
			args: []string{"--auth-issuer=i", "--auth-secret-file=" + short, "--encryption-keyset-file=" + empty},
			want: []Fault{
				{Source: "--auth-secret-file", Path: "auth.secret_file", Value: short},
				{Source: "--encryption-keyset-file", Path: "encryption.keyset_file", Value: empty},
			},
		},
		{
			name: "directories for files", environ: []string{"HOME=/h"},
			args: []string{"--auth-issuer=i", "--auth-secret-file=/", "--encryption-keyset-file=/"},
			want: []Fault{
				{Source: "--auth-secret-file", Path: "auth.secret_file", Value: "/"},
				{Source: "--encryption-keyset-file", Path: "encryption.keyset_file", Value: "/"},
			},
		},
		{
			name: "policies that are not there", args: []string{"--policies=/nowhere"},
			want: []Fault{{Source: "--policies", Path: "policies", Value: "/nowhere"}},
		},
		{
			name: "policies in a file", args: []string{"--policies=" + os.Args[0]},
			want: []Fault{{Source: "--policies", Path: "policies", Value: os.Args[0]}},
		},
		{
			name: "secrets for the demo", args: []string{"--demo", "--auth-leeway=0s"}, more: []string{"GUANXI_AUTH_AUDIENCE=guanxi"},
			want: []Fault{
				{Source: "GUANXI_AUTH_SECRET_FILE", Path: "auth.secret_file"},
				{Source: "GUANXI_AUTH_ISSUER", Path: "auth.issuer"},
				{Source: "GUANXI_AUTH_AUDIENCE", Path: "auth.audience"},
				{Source: "--auth-leeway", Path: "auth.leeway"},
				{Source: "GUANXI_ENCRYPTION_KEYSET_FILE", Path: "encryption.keyset_file"},
			},
		},
		{
			name: "a demo or none", environ: []string{"HOME=/h", "GUANXI_DEMO=perhaps"},
			want: []Fault{{Source: "GUANXI_DEMO", Path: "demo", Value: "perhaps"}},
		},
		{
			name: "one fault for one value", environ: []string{}, args: []string{"--demo", "--listen=nonsense"},
			want: []Fault{{Source: "--listen", Path: "listen", Value: "nonsense"}},
		},
		{
			name: "workspaces for the demo", args: []string{"--demo"}, environ: []string{},
			file: "demo: true\nworkspaces:\n  wecom-hq: {secret_file: canary}\n",
			want: []Fault{{Source: "guanxi.yaml:2:1", Path: "workspaces"}},
		},
		{
			name: "workspaces that are no section", file: "workspaces: canary\n",
			want: []Fault{{Source: "guanxi.yaml:1:1", Path: "workspaces"}},
		},
		{
			name: "a list of workspaces", file: "workspaces: [canary]\n",
			want: []Fault{{Source: "guanxi.yaml:1:1", Path: "workspaces"}},
		},
		{
			name: "workspaces that are none", file: `workspaces:
  text: canary
  list: [canary]
  nested:
    secret:
      file: canary
  listed:
    secret: [canary]
  mapped:
    secret: {}
  "": {secret: canary}
`,
			want: []Fault{
				{Source: "guanxi.yaml:2:3", Path: "workspaces.text"},
				{Source: "guanxi.yaml:3:3", Path: "workspaces.list"},
				{Source: "guanxi.yaml:6:7", Path: "workspaces.nested.secret.file", Nearest: "workspaces.nested.secret"},
				{Source: "guanxi.yaml:8:5", Path: "workspaces.listed.secret", Value: "a list or a mapping"},
				{Source: "guanxi.yaml:10:5", Path: "workspaces.mapped.secret", Value: "a list or a mapping"},
				{Source: "guanxi.yaml:11:8", Path: "workspaces..secret"},
			},
		},
		{
			name: "files of workspaces that will not do", file: fmt.Sprintf(`workspaces:
  wecom-hq:
    secret_file: canary
    directory_secret_file: %s
    third_file: /
  feishu-hq:
    app_secret: canary
    app_secret_file: %s
`, empty, short),
			want: []Fault{
				{Source: "guanxi.yaml:8:5", Path: "workspaces.feishu-hq.app_secret_file"},
				{Source: "guanxi.yaml:4:5", Path: "workspaces.wecom-hq.directory_secret_file", Value: redacted},
				{Source: "guanxi.yaml:3:5", Path: "workspaces.wecom-hq.secret_file", Value: redacted},
				{Source: "guanxi.yaml:5:5", Path: "workspaces.wecom-hq.third_file", Value: redacted},
			},
		},
		{
			name: "one option twice", file: "workspaces:\n  w:\n    a: canary\nworkspaces.w.a: canary\n",
			want: []Fault{{Source: "guanxi.yaml:4:1", Path: "workspaces.w.a"}},
		},
		{
			name: "a misspelt section of workspaces", file: "workspace:\n  wecom-hq:\n    secret: canary\nkubernetes:\n  wecom-hq: {secret: canary}\n",
			want: []Fault{
				{Source: "guanxi.yaml:3:5", Path: "workspace.wecom-hq.secret", Nearest: "workspaces.wecom-hq.secret"},
				{Source: "guanxi.yaml:5:14", Path: "kubernetes.wecom-hq.secret"},
			},
		},
		{
			name: "a variable for workspaces", more: []string{"GUANXI_WORKSPACES=canary"},
			want: []Fault{{Source: "environment", Path: "GUANXI_WORKSPACES"}},
		},
		{
			name: "simulators for the real server", args: []string{"--sim=wecom=http://127.0.0.1:1"},
			want: []Fault{{Source: "--sim", Path: "sim"}},
		},
		{
			name: "all at once", environ: []string{"GUANXI_LOGLEVEL=debug", "GUANXI_LOG_FORMAT=xml", "GUANXI_DB=mysql://u:canary@h/d"},
			args: []string{"--currency=RMB", "--policies=/nowhere"},
			file: "auth:\n  leeway: 30\nlistn: x\nshutdown_grace: soon\n",
			want: []Fault{
				{Source: "guanxi.yaml:3:1", Path: "listn", Nearest: "listen"},
				{Source: "environment", Path: "GUANXI_LOGLEVEL", Nearest: "GUANXI_LOG_LEVEL"},
				{Source: "GUANXI_DB", Path: "db", Value: "mysql://h/d"},
				{Source: "GUANXI_LOG_FORMAT", Path: "log.format", Value: "xml"},
				{Source: "guanxi.yaml:2:3", Path: "auth.leeway", Value: "30"},
				{Source: "--currency", Path: "currency", Value: "RMB"},
				{Source: "guanxi.yaml:4:1", Path: "shutdown_grace", Value: "soon"},
				{Path: "auth.secret_file"}, {Path: "auth.issuer"}, {Path: "encryption.keyset_file"},
				{Source: "--policies", Path: "policies", Value: "/nowhere"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			environ := tt.environ
			if environ == nil {
				environ = append(real(t), tt.more...)
			}
			c, err := load(t, tt.args, environ, tt.file)
			if diff := cmp.Diff(tt.want, faults(t, err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if err == nil {
				return
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is shown:\n%v", err)
			}
			if !cmp.Equal(c, Config{}) {
				t.Error("settings in spite of faults")
			}
		})
	}
}

func TestTheDemoListensOnLoopbackAlone(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:0": true, "127.8.9.10:80": true, "[::1]:80": true, "localhost:80": true, "LocalHost:80": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "192.168.1.1:80": false, "localhost.example.com:80": false,
		"128.0.0.1:80": false,
	} {
		_, err := load(t, []string{"--demo", "--listen=" + listen}, nil, "")
		var want []Fault
		if !ok {
			want = []Fault{{Source: "--listen", Path: "listen", Value: listen}}
		}
		if diff := cmp.Diff(want, faults(t, err)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", listen, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	demo := Config{Demo: true, Listen: "localhost:0"}
	if err := demo.Validate(); err != nil {
		t.Error(err)
	}
	demo.Auth.Issuer = "i"
	demo.Listen = ":0"
	want := []Fault{{Path: "listen", Value: ":0"}, {Path: "auth.issuer"}}
	if diff := cmp.Diff(want, faults(t, demo.Validate())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	for _, text := range []string{secret, secret + "\n", secret + "\r\n"} {
		got, err := Auth{SecretFile: write(t, "secret", text)}.Secret()
		if err != nil || string(got) != secret {
			t.Errorf("of %q: %q, %v", text, got, err)
		}
	}
	got, err := Auth{SecretFile: write(t, "secret", secret+"\n\n")}.Secret()
	if err != nil || string(got) != secret+"\n" {
		t.Errorf("one line break alone goes: got %q, %v", got, err)
	}
}

func TestSecretsAreRegularFiles(t *testing.T) {
	if _, err := (Auth{SecretFile: os.DevNull}).Secret(); err == nil || err.Error() != "not a regular file" {
		t.Errorf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "db", "log.level", "encryption.keyset_file"}
	for word, want := range map[string]string{
		"lsen": "listen", "Listen": "listen", "lssn": "", "dbs": "db", "x": "", "": "",
		"log.levels": "log.level", "loglevl": "log.level", "encryption.keysets": "encryption.keyset_file",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestMessages(t *testing.T) {
	all := Faults{
		{"guanxi.yaml:3:1", "lisen", "", "a setting", "listen"},
		{"", "auth.issuer", "", "the issuer of the tokens to believe", ""},
		{"--currency", "currency", "RMB", "an ISO 4217 code, such as CNY", ""},
	}
	want := `guanxi.yaml:3:1: lisen: expected a setting; did you mean listen?
auth.issuer: expected the issuer of the tokens to believe
--currency: currency: got "RMB", expected an ISO 4217 code, such as CNY`
	if diff := cmp.Diff(want, all.Error()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whoever prints or logs settings shows no password.
func TestSettingsPrintWithoutSecrets(t *testing.T) {
	c := Config{DB: "postgres://guanxi:canary@db/guanxi?password=canary",
		Workspaces: map[string]Connection{"wecom-hq": {"secret": "canary", "directory_secret_file": "/run/canary"}}}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "config", c, "db", c.DB)
	slog.New(slog.NewTextHandler(&out, nil)).Info("start", "config", c, "db", c.DB)
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", c, c, c, c.DB, c.DB)
	slog.New(slog.NewTextHandler(&out, nil)).Info("open", "workspace", c.Workspaces["wecom-hq"])
	fmt.Fprintf(&out, "%v %+v %#v %s %q\n", c.Workspaces, c.Workspaces, c.Workspaces, c.Workspaces["wecom-hq"], c.Workspaces["wecom-hq"])
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "canary") {
		t.Error(out.String())
	}
	if got := Database("sqlite:/x.db").String(); got != "sqlite:/x.db" {
		t.Errorf("a file: got %s", got)
	}
}

func TestHelp(t *testing.T) {
	flags := pflag.NewFlagSet("guanxi", pflag.ContinueOnError)
	Flags(flags)
	for _, name := range []string{"config", "demo", "listen", "db", "policies", "sim", "auth-secret-file", "shutdown-grace"} {
		if f := flags.Lookup(name); f == nil || f.Usage == "" {
			t.Errorf("--%s: no usage", name)
		}
	}
	if !strings.Contains(flags.FlagUsages(), `(default "127.0.0.1:8080")`) {
		t.Errorf("no default in\n%s", flags.FlagUsages())
	}
}

func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"", "#", "---\n", "listen: localhost:0", "auth: {leeway: 1s}", "a: &a [1]\nb: *a", "<<: {db: x}", "? [a]\n: b", "1: 2",
		"workspaces: {w: {a: 1, b_file: /}}", "workspaces: {w: &w {1: a, <<: {c: 0123}}, v: *w}", "workspaces.w: 1\nworkspaces.w.x: [1]",
	} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "guanxi.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l := loader{given: map[string]value{}, workspaces: map[string]Connection{}}
		l.file(path)
		l.config(nil)
	})
}
