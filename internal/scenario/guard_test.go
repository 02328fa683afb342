package scenario

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/identity"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// file writes a file of a test's own.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	ownIssuer = "https://login.example.com"
	ownSecret = "a secret of the company's own, 32 bytes and more"
)

// real is the arguments of a server in earnest, each of which a test may replace.
func real(t *testing.T, dsn string, replace ...string) []string {
	t.Helper()
	keyset, err := envelope.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]string{"--db": dsn, "--auth-secret-file": file(t, "secret", []byte(ownSecret+"\n")), "--auth-issuer": ownIssuer,
		"--encryption-keyset-file": file(t, "keyset.json", keyset)}
	for i := 0; i+1 < len(replace); i += 2 {
		args[replace[i]] = replace[i+1]
	}
	var out []string
	for flag, value := range args {
		if value != "" {
			out = append(out, flag, value)
		}
	}
	return out
}

func migrated(t *testing.T, dsn string) {
	t.Helper()
	if _, stderr, code := testkit.Run("migrate", "up", "--db", dsn); code != 0 {
		t.Fatalf("migrate up: exit %d: %s", code, stderr)
	}
}

// refuses expects a server not to start, with an exit code of wrong configuration and these words.
func refuses(t *testing.T, what string, args []string, words ...string) {
	t.Helper()
	stderr, code := testkit.Refused(t, args...)
	expect(t, what+": exit code", code, 2)
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("%s: %q says nothing of %s", what, stderr, w)
		}
	}
}

// The demo's keys are known to everybody, so nobody but this machine may reach it.
func TestDemoListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		refuses(t, listen, []string{"--demo", "--listen", listen}, "loopback")
	}
	refuses(t, "real secrets", []string{"--demo", "--auth-issuer", ownIssuer, "--encryption-keyset-file", file(t, "keyset.json", []byte("{}"))},
		"auth.issuer", "encryption.keyset_file")
}

// shape is what stands in a database: its tables with their rows.
func shape(t *testing.T, db *sql.DB, dsn string) string {
	t.Helper()
	query := "select name from sqlite_master where type = 'table' order by name"
	if strings.HasPrefix(dsn, "postgres") {
		query = "select table_name::text from information_schema.tables where table_schema = current_schema() order by 1"
	}
	var out []string
	var tables []string
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	_ = rows.Close()
	for _, name := range tables {
		var n int
		if err := db.QueryRow(`select count(*) from "` + name + `"`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(name, " ", n))
	}
	return strings.Join(out, "\n")
}

// A database of somebody else's is left as it is, whatever its tables are called.
func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	for what, tables := range map[string]string{
		"another program's": `create table orders (id integer primary key, what text); insert into orders (id, what) values (1, 'tea')`,
		"one like ours":     `create table meta (key text primary key, value text); insert into meta (key, value) values ('demo?', 'no')`,
		"an empty table":    `create table notes (id integer)`,
	} {
		t.Run(what, func(t *testing.T) {
			testkit.OnEach(t, func(t *testing.T, dsn string) {
				db := testkit.Database(t, dsn)
				if _, err := db.Exec(tables); err != nil {
					t.Fatal(err)
				}
				before := shape(t, db, dsn)
				path, isFile := strings.CutPrefix(dsn, "sqlite:")
				var content []byte
				if isFile {
					_ = db.Close()
					content, _ = os.ReadFile(path)
				}
				refuses(t, "the demo", []string{"--demo", "--db", dsn}, "db:")
				refuses(t, "a real server", real(t, dsn), "db:")
				_, stderr, code := testkit.Run("migrate", "up", "--db", dsn)
				expect(t, "migrate up: exit code", code, 2)
				if !strings.Contains(stderr, "db:") {
					t.Errorf("migrate up says %q", stderr)
				}
				if isFile {
					after, _ := os.ReadFile(path)
					if !bytes.Equal(content, after) {
						t.Error("the file is not as it was")
					}
					db = testkit.Database(t, dsn)
				}
				expect(t, "tables", shape(t, db, dsn), before)
			})
		})
	}
}

// The demo opens again what it made, with its rows and its clock where they were.
func TestDemoOpensItsOwnDatabase(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		c := open(t, dsn)
		cursor := c.person("wangfang004").Do(`{changeCursor}`, nil).Text("changeCursor")
		r := c.person("wangfang004").blocks("liqiang005", on("native"), because("还在"))
		members := c.person("linyue002").names("members")
		then := c.Advance(100 * time.Hour)
		c.Stop()

		c = open(t, dsn)
		// The clock goes on from there; it does not stand still until real time has caught up. Moving it would hide that.
		began := *c.person("wangfang004").blocks("sunli006", on("native")).EffectiveAt
		time.Sleep(50 * time.Millisecond)
		went := c.person("wangfang004").blocks("zhenglan009", on("native")).EffectiveAt.Sub(began)
		if began.Before(then) || began.After(then.Add(time.Minute)) || went < 50*time.Millisecond {
			t.Errorf("the clock showed %v, then %v, and went on by %v", then, began, went)
		}
		again := c.person("wangfang004").relationship(r.ID)
		must(t, "the relationship is there", again != nil, true)
		expect(t, "its state", again.State, "ACTIVE")
		expect(t, "its reason", again.Reason, "还在")
		expect(t, "members", fmt.Sprint(c.person("linyue002").names("members")), fmt.Sprint(members))
		expect(t, "the stream goes on", c.person("wangfang004").watch(cursor).next(t).RelationshipID, r.ID)
	})
}

// Time does not go back.
func TestDemoClock(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		start := c.Now()
		now := c.Advance(71 * time.Hour)
		if d := now.Sub(start); d < 71*time.Hour || d > 71*time.Hour+time.Minute {
			t.Errorf("the clock went on by %v", d)
		}
		for _, body := range []string{`{"set":"` + start.Format(time.RFC3339) + `"}`, `{"set":"` + now.Add(-time.Hour).Format(time.RFC3339) + `"}`,
			`{"advance":"-1h"}`, `{"advance":"-1ns"}`, `{}`, ``, `{"advance":"1h","set":"2100-01-01T00:00:00Z"}`, `{"advance":"soon"}`, `{"set":"tomorrow"}`,
			`{"advance":1}`, `{"back":"1h"}`} {
			r := c.Send("POST", "/demo/clock", body, "Content-Type", "application/json")
			expect(t, body, r.Status, 400)
		}
		if after := c.Now(); after.Before(now) || after.After(now.Add(time.Minute)) {
			t.Errorf("the clock shows %v after %v", after, now)
		}
		far := now.Add(1000 * time.Hour).Truncate(time.Second).In(time.FixedZone("", 8*3600))
		if got := c.Set(far); got.Before(far) || got.After(far.Add(time.Minute)) {
			t.Errorf("set to %v it shows %v", far, got)
		}
		// Tokens follow real time.
		expect(t, "a token afterwards", c.person("wangfang004").Do(`{viewer{member{name}}}`, nil).Text("viewer.member.name"), "王芳")

		var personas []struct {
			Account, Name, Token string
			Roles                []string
		}
		r := c.Send("GET", "/demo/personas", "")
		if err := json.Unmarshal([]byte(r.Body), &personas); err != nil || len(personas) != 17 {
			t.Fatalf("personas: %d %v", len(personas), err)
		}
		for _, p := range personas {
			a := c.With(p.Token).Do(`{viewer{member{accountName name}}}`, nil)
			expect(t, "persona", a.Text("viewer.member.accountName")+a.Text("viewer.member.name"), p.Account+p.Name)
		}
	})
}

// demoKeyset holds the key that everybody knows, laid out in another way than the demo has it.
const demoKeyset = `{"key":[{"keyId":7,"status":"ENABLED","outputPrefixType":"TINK","keyData":{"keyMaterialType":"SYMMETRIC",
	"value":"GiBndWFueGktZGVtby1rZXktbmV2ZXItaW4tZWFybmVzdA==","typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey"}}],"primaryKeyId":7}`

// A server in earnest wants nothing to do with what everybody knows, and says all that is missing at once.
func TestRealServer(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		refuses(t, "not migrated", real(t, dsn), "guanxi migrate up")
		migrated(t, dsn)
		demo := identity.Demo(time.Now)
		for what, args := range map[string][]string{
			"the demo's secret": real(t, dsn, "--auth-secret-file", file(t, "secret", demo.Secret)),
			"the demo's issuer": real(t, dsn, "--auth-issuer", demo.Issuer),
			"the demo's keyset": real(t, dsn, "--encryption-keyset-file", file(t, "keyset.json", []byte(demoKeyset))),
		} {
			refuses(t, what, args, "demo", "known to everybody")
		}
		refuses(t, "no keyset", real(t, dsn, "--encryption-keyset-file", ""), "encryption.keyset_file")
		refuses(t, "a keyset that is none", real(t, dsn, "--encryption-keyset-file", file(t, "keyset.json", []byte("{}"))), "keyset")
		refuses(t, "no secret", real(t, dsn, "--auth-secret-file", ""), "auth.secret_file")
		refuses(t, "a short secret", real(t, dsn, "--auth-secret-file", file(t, "secret", []byte("short"))), "auth.secret_file")
		refuses(t, "nothing", []string{"--db", dsn}, "auth.secret_file", "auth.issuer", "encryption.keyset_file")

		args := real(t, dsn)
		s := testkit.Serve(t, args...)
		for _, route := range []string{"POST /demo/clock", "GET /demo/personas", "GET /demo/sim/wecom/ledger", "GET /demo"} {
			method, path, _ := strings.Cut(route, " ")
			expect(t, route, s.Send(method, path, `{"advance":"1h"}`).Status, 404)
		}
		expect(t, "it is ready", s.Send("GET", "/readyz", "").Status, 200)
		hire(t, dsn, "wangfang004")
		tokens(t, s)
		s.Stop()

		keyset, err := envelope.NewKeyset()
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, "another keyset than it was made under", real(t, dsn, "--encryption-keyset-file", file(t, "keyset.json", keyset)), "another keyset")
		refuses(t, "the demo on a real database", []string{"--demo", "--db", dsn}, "db:")
		testkit.Serve(t, args...).Stop() // and with its own it starts again
	})
}

func TestRealServerRefusesTheDemosDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, c company) {
		c.Stop()
		refuses(t, "the demo's database", real(t, c.dsn), "made by the demo")
	})
}

// hire writes a person into the directory of a server in earnest, for as long as nothing imports one.
func hire(t *testing.T, dsn, account string) {
	t.Helper()
	db := testkit.Database(t, dsn)
	id := "X'0190a0a0a0a07000800000000000000a'"
	if strings.HasPrefix(dsn, "postgres") {
		id = "'0190a0a0-a0a0-7000-8000-00000000000a'"
	}
	_, err := db.Exec(`insert into members (id, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, employment)
		values (` + id + `, '王芳', 'wang fang', '004', '` + account + `', '', 3, '', 'SALES', '', 'ACTIVE')`)
	if err == nil {
		_, err = db.Exec(`insert into member_roles (member_id, role) values (` + id + `, 'employee')`)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
}

// tokens tries tokens on a server in earnest that knows wangfang004.
func tokens(t *testing.T, s *testkit.Server) {
	t.Helper()
	now := time.Now()
	good := jwt.MapClaims{"iss": ownIssuer, "aud": "guanxi", "sub": "wangfang004", "exp": now.Add(time.Hour).Unix()}
	sign := func(method jwt.SigningMethod, key any, change ...any) string {
		claims := jwt.MapClaims{}
		for k, v := range good {
			claims[k] = v
		}
		for i := 0; i+1 < len(change); i += 2 {
			claims[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(claims, change[i].(string))
			}
		}
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ask := func(token string) testkit.Reply {
		return s.Send("POST", "/graphql", `{"query":"{viewer{member{accountName}}}"}`, "Content-Type", "application/json", "Authorization", "Bearer "+token)
	}
	own := []byte(ownSecret)
	for what, token := range map[string]string{
		"one of its own":        sign(jwt.SigningMethodHS256, own),
		"within the leeway":     sign(jwt.SigningMethodHS256, own, "exp", now.Add(-10*time.Second).Unix()),
		"one of two audiences":  sign(jwt.SigningMethodHS256, own, "aud", []string{"mail", "guanxi"}),
		"valid from the leeway": sign(jwt.SigningMethodHS256, own, "nbf", now.Add(10*time.Second).Unix()),
	} {
		r := ask(token)
		expect(t, what, fmt.Sprint(r.Status, strings.Contains(r.Body, "wangfang004")), "200 true")
	}
	for what, token := range map[string]string{
		"the demo's":         testkit.Token(t, "wangfang004"),
		"expired":            sign(jwt.SigningMethodHS256, own, "exp", now.Add(-time.Minute).Unix()),
		"without an end":     sign(jwt.SigningMethodHS256, own, "exp", nil),
		"not valid yet":      sign(jwt.SigningMethodHS256, own, "nbf", now.Add(time.Minute).Unix()),
		"another issuer's":   sign(jwt.SigningMethodHS256, own, "iss", "https://login.example.org"),
		"nobody's issue":     sign(jwt.SigningMethodHS256, own, "iss", nil),
		"for another one":    sign(jwt.SigningMethodHS256, own, "aud", "mail"),
		"for nobody":         sign(jwt.SigningMethodHS256, own, "aud", nil),
		"of nobody":          sign(jwt.SigningMethodHS256, own, "sub", nil),
		"of somebody else":   sign(jwt.SigningMethodHS256, own, "sub", "liqiang005"),
		"another secret":     sign(jwt.SigningMethodHS256, []byte(ownSecret+"!")),
		"another method":     sign(jwt.SigningMethodHS512, own),
		"not signed":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"the line break too": sign(jwt.SigningMethodHS256, []byte(ownSecret+"\n")),
	} {
		r := ask(token)
		expect(t, what+": status", r.Status, 401)
		expect(t, what+": code", r.Code(), "UNAUTHENTICATED")
		expect(t, what+" on a socket", closeCode(s.As(""), testkit.Message{Type: "connection_init", Payload: vars{"authorization": "Bearer " + token}}), 4403)
	}
	key := s.Send("POST", "/graphql", `{"query":"{viewer{member{accountName}}}"}`, "Content-Type", "application/json", "X-API-Key", "gxk_none")
	if key.Status != 401 || !strings.Contains(key.Body, "API key") || strings.Contains(key.Body, "Bearer") {
		t.Errorf("a key that is none: %d %s", key.Status, key.Body)
	}
	// Nobody outside is told what was wrong; the log is, in the line of the request and of the socket.
	for _, why := range []string{"expired", `"no exp"`, `"not valid yet"`, "issuer", `"no iss"`, "audience", `"no aud"`, `"no account"`, `"unknown account"`,
		"signature", `"malformed key"`} {
		if line := "type=refused code=UNAUTHENTICATED reason=" + why; !strings.Contains(s.Log(), line) {
			t.Errorf("the log has no %s", line)
		}
	}
	if line := regexp.MustCompile(`route="/graphql live" .*took_ms=[0-9.]+ type=refused code=UNAUTHENTICATED reason=`); !line.MatchString(s.Log()) {
		t.Errorf("no line of a socket says why it was refused")
	}
}
