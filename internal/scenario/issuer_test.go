package scenario

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/testkit"
)

// issuer is a real server of a key set.
type issuer struct {
	URL   string
	asked atomic.Int64
	set   atomic.Pointer[string]
	away  atomic.Bool
}

func newIssuer(t *testing.T, keys ...vars) *issuer {
	t.Helper()
	i := &issuer{}
	i.publish(keys...)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		if i.away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(*i.set.Load()))
	}))
	t.Cleanup(s.Close)
	i.URL = s.URL + "/keys"
	return i
}

func (i *issuer) publish(keys ...vars) {
	b, _ := json.Marshal(vars{"keys": keys})
	text := string(b)
	i.set.Store(&text)
}

// b64 is how key sets write bytes.
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk writes a public key down.
func jwk(t *testing.T, id string, key crypto.PublicKey) vars {
	t.Helper()
	switch k := key.(type) {
	case *rsa.PublicKey:
		return vars{"kid": id, "kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		raw, err := k.Bytes()
		must(t, "encode", err, nil)
		half := (len(raw) - 1) / 2
		return vars{"kid": id, "kty": "EC", "crv": k.Curve.Params().Name, "x": b64(raw[1 : 1+half]), "y": b64(raw[1+half:])}
	case ed25519.PublicKey:
		return vars{"kid": id, "kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	}
	t.Fatalf("no way to write a %T", key)
	return nil
}

// adding adds members to a key.
func adding(k vars, more ...any) vars {
	out := vars{}
	for n, v := range k {
		out[n] = v
	}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i].(string)] = more[i+1]
	}
	return out
}

// signed is a token of the issuer's.
func signed(t *testing.T, m jwt.SigningMethod, key any, kid any, claims ...any) string {
	t.Helper()
	c := jwt.MapClaims{"iss": ownIssuer, "aud": "guanxi", "sub": "wangfang004", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for i := 0; i+1 < len(claims); i += 2 {
		c[claims[i].(string)] = claims[i+1]
	}
	token := jwt.NewWithClaims(m, c)
	if kid != nil {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	must(t, "sign", err, nil)
	return s
}

// status is how a server answers who asks with a token.
func status(s *testkit.Server, token string) string {
	r := s.Send("POST", "/graphql", `{"query":"{viewer{member{accountName}}}"}`, "Content-Type", "application/json", "Authorization", "Bearer "+token)
	return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code()))
}

// signers are the keys of a test.
type signers struct {
	rsa, otherRSA *rsa.PrivateKey
	ec            *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
}

func newSigners(t *testing.T) (s signers) {
	t.Helper()
	var err error
	s.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(t, "make a key", err, nil)
	s.otherRSA, err = rsa.GenerateKey(rand.Reader, 2048)
	must(t, "make a key", err, nil)
	s.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, "make a key", err, nil)
	_, s.ed, err = ed25519.GenerateKey(rand.Reader)
	must(t, "make a key", err, nil)
	return s
}

// A server that believes an issuer by its key set: what is signed by a key of it comes in, by its own algorithm, and nothing else.
func TestIssuersKeys(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		k := newSigners(t)
		weak, err := rsa.GenerateKey(rand.Reader, 1024)
		must(t, "make a weak key", err, nil)
		p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		must(t, "make a key of another curve", err, nil)
		oct := []byte(strings.Repeat("public", 6))
		i := newIssuer(t, jwk(t, "r", k.rsa.Public()), jwk(t, "e", k.ec.Public()), jwk(t, "d", k.ed.Public()),
			jwk(t, "same", k.otherRSA.Public()), jwk(t, "same", k.ec.Public()),
			adding(jwk(t, "enc", k.rsa.Public()), "use", "enc"), adding(jwk(t, "r512", k.rsa.Public()), "alg", "RS512"),
			jwk(t, "weak", weak.Public()), jwk(t, "p384", p384.Public()), vars{"kid": "oct", "kty": "oct", "k": b64(oct)},
			vars{"kid": "new", "kty": "of tomorrow"})
		migrated(t, dsn)
		hire(t, dsn, "wangfang004")
		s := testkit.Serve(t, real(t, dsn, "--auth-secret-file", "", "--auth-jwks-url", i.URL, "--outbound-networks", "127.0.0.0/8",
			"--auth-account-claim", "preferred_username")...)
		expect(t, "ready", s.Send("GET", "/readyz", "").Status, 200)
		claim := []any{"preferred_username", "wangfang004", "sub", "0815"}
		pemOf := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must1(x509.MarshalPKIXPublicKey(k.rsa.Public()))})
		for what, token := range map[string]string{
			"RS256":                     signed(t, jwt.SigningMethodRS256, k.rsa, "r", claim...),
			"ES256":                     signed(t, jwt.SigningMethodES256, k.ec, "e", claim...),
			"EdDSA":                     signed(t, jwt.SigningMethodEdDSA, k.ed, "d", claim...),
			"one of two of a name":      signed(t, jwt.SigningMethodRS256, k.otherRSA, "same", claim...),
			"the other of a name":       signed(t, jwt.SigningMethodES256, k.ec, "same", claim...),
			"one of several audiences":  signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "aud", []string{"x", "guanxi"})...),
			"a little late, in leeway":  signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "exp", time.Now().Add(-10*time.Second).Unix())...),
			"a clock that is fast, too": signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "iat", time.Now().Add(10*time.Second).Unix())...),
		} {
			expect(t, what, status(s, token), "200")
		}
		for what, token := range map[string]string{
			"of another key's name":       signed(t, jwt.SigningMethodRS256, k.otherRSA, "r", claim...),
			"of a key of another kind":    signed(t, jwt.SigningMethodRS256, k.rsa, "e", claim...),
			"of no key's name":            signed(t, jwt.SigningMethodRS256, k.rsa, nil, claim...),
			"of a name that is no text":   signed(t, jwt.SigningMethodRS256, k.rsa, 7, claim...),
			"of a path for a name":        signed(t, jwt.SigningMethodRS256, k.rsa, "../../r", claim...),
			"RS512":                       signed(t, jwt.SigningMethodRS512, k.rsa, "r", claim...),
			"RS512 by a key that is":      signed(t, jwt.SigningMethodRS512, k.rsa, "r512", claim...),
			"RS256 by a key for RS512":    signed(t, jwt.SigningMethodRS256, k.rsa, "r512", claim...),
			"PS256":                       signed(t, jwt.SigningMethodPS256, k.rsa, "r", claim...),
			"by a key for encryption":     signed(t, jwt.SigningMethodRS256, k.rsa, "enc", claim...),
			"by a key that is weak":       signed(t, jwt.SigningMethodRS256, weak, "weak", claim...),
			"by another curve":            signed(t, jwt.SigningMethodES384, p384, "p384", claim...),
			"HS256 by the public key":     signed(t, jwt.SigningMethodHS256, pemOf, "r", claim...),
			"HS256 by its modulus":        signed(t, jwt.SigningMethodHS256, k.rsa.N.Bytes(), "r", claim...),
			"HS256 by a published secret": signed(t, jwt.SigningMethodHS256, oct, "oct", claim...),
			"HS256 by nothing":            signed(t, jwt.SigningMethodHS256, []byte{}, "r", claim...),
			"unsigned":                    signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r", claim...),
			"another issuer":              signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "iss", "https://other.example")...),
			"another audience":            signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "aud", "mail")...),
			"without an end":              signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "exp", nil)...),
			"expired":                     signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "exp", time.Now().Add(-time.Minute).Unix())...),
			"of tomorrow":                 signed(t, jwt.SigningMethodES256, k.ec, "e", append(claim, "iat", time.Now().Add(time.Hour).Unix())...),
			"without the claim":           signed(t, jwt.SigningMethodES256, k.ec, "e"),
			"the demo's":                  testkit.Token(t, "wangfang004"),
		} {
			expect(t, what, status(s, token), "401 UNAUTHENTICATED")
		}
		if n := i.asked.Load(); n > 3 { // once at the start, and once for names that nobody knows
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Keys come and go: a new one is believed at its first token, one that has gone no longer after the time that is set, and while the
// issuer is away the last set is good for a bounded time; then nobody comes in, and nobody is called unknown.
func TestKeysComeAndGo(t *testing.T) {
	t.Parallel()
	testkit.OnEach(t, func(t *testing.T, dsn string) {
		k := newSigners(t)
		i := newIssuer(t, jwk(t, "first", k.rsa.Public()))
		migrated(t, dsn)
		hire(t, dsn, "wangfang004")
		s := testkit.Serve(t, real(t, dsn, "--auth-secret-file", "", "--auth-jwks-url", i.URL, "--outbound-networks", "127.0.0.1",
			"--auth-jwks-refresh", "1s", "--auth-jwks-keep", "3s")...)
		first, second := signed(t, jwt.SigningMethodRS256, k.rsa, "first"), signed(t, jwt.SigningMethodES256, k.ec, "second")
		expect(t, "the first", status(s, first), "200")
		expect(t, "one that is not there yet", status(s, second), "401 UNAUTHENTICATED")
		i.publish(jwk(t, "first", k.rsa.Public()), jwk(t, "second", k.ec.Public()))
		eventually(t, "the new key is believed", func() bool { return status(s, second) == "200" })
		expect(t, "the first still", status(s, first), "200")
		i.publish(jwk(t, "second", k.ec.Public()))
		gone := time.Now()
		eventually(t, "the key that has gone is not believed", func() bool { return status(s, first) == "401 UNAUTHENTICATED" })
		if took := time.Since(gone); took > 2500*time.Millisecond {
			t.Errorf("a key that has gone was believed for %s", took)
		}

		i.away.Store(true)
		since := time.Now()
		for time.Since(since) < 1500*time.Millisecond {
			expect(t, "while the issuer is away for a while", status(s, second), "200")
			time.Sleep(100 * time.Millisecond)
		}
		eventually(t, "the issuer is away for too long", func() bool { return status(s, second) == "503 UNAVAILABLE" })
		expect(t, "not ready", s.Send("GET", "/readyz", "").Status, 503)
		i.away.Store(false)
		eventually(t, "it is back", func() bool { return status(s, second) == "200" })
		for what, set := range map[string]string{"nothing": "", "no set": "[]", "another thing": "<html>", "no key": `{"keys":[]}`,
			"none of ours": `{"keys":[{"kty":"oct","k":"AAAA"}]}`, "too much": `{"keys":["` + strings.Repeat("x", 2<<20) + `"]}`} {
			read := func() {
				asked := i.asked.Load()
				eventually(t, "it was read", func() bool { return i.asked.Load() > asked })
			}
			i.publish(jwk(t, "second", k.ec.Public()))
			read()
			i.set.Store(&set)
			read()
			expect(t, "after "+what+" was published", status(s, second), "200")
		}
		if strings.Contains(s.Log(), second) || strings.Contains(s.Log(), first) {
			t.Error("a token is in the log")
		}
	})
}

// A flood of names that nobody knows has the issuer asked once in a while.
func TestUnknownKeysDoNotFlood(t *testing.T) {
	t.Parallel()
	dsn := testkit.SQLite(t)
	k := newSigners(t)
	i := newIssuer(t, jwk(t, "r", k.rsa.Public()))
	migrated(t, dsn)
	hire(t, dsn, "wangfang004")
	s := testkit.Serve(t, real(t, dsn, "--auth-secret-file", "", "--auth-jwks-url", i.URL, "--outbound-networks", "127.0.0.1")...)
	for n := range 50 {
		expect(t, "a name that nobody knows", status(s, signed(t, jwt.SigningMethodES256, k.ec, fmt.Sprint(n))), "401 UNAUTHENTICATED")
	}
	expect(t, "asked", i.asked.Load(), int64(2))
}

// The key set is read from where it was said to be, and from nowhere else.
func TestIssuerElsewhere(t *testing.T) {
	t.Parallel()
	dsn := testkit.SQLite(t)
	k := newSigners(t)
	i := newIssuer(t, jwk(t, "r", k.rsa.Public()))
	migrated(t, dsn)
	hire(t, dsn, "wangfang004")
	token := signed(t, jwt.SigningMethodRS256, k.rsa, "r")
	keyset, err := envelope.NewKeyset()
	must(t, "make a keyset", err, nil)
	master := file(t, "keyset.json", keyset)
	real := func(t *testing.T, dsn string, replace ...string) []string {
		return real(t, dsn, append(replace, "--encryption-keyset-file", master)...)
	}
	s := testkit.Serve(t, real(t, dsn, "--auth-secret-file", "", "--auth-jwks-url", i.URL)...)
	expect(t, "on this machine, which is not listed", status(s, token), "503 UNAVAILABLE")
	expect(t, "asked", i.asked.Load(), int64(0))
	s.Stop()
	moved := httptest.NewServer(http.RedirectHandler(i.URL, http.StatusFound))
	t.Cleanup(moved.Close)
	s = testkit.Serve(t, real(t, dsn, "--auth-secret-file", "", "--auth-jwks-url", moved.URL, "--outbound-networks", "127.0.0.1")...)
	expect(t, "by a redirect", status(s, token), "503 UNAVAILABLE")
	expect(t, "asked", i.asked.Load(), int64(0))
	s.Stop()

	// The secret goes on beside a key set, and a file does as a URL.
	path := file(t, "jwks.json", []byte(*i.set.Load()))
	s = testkit.Serve(t, real(t, dsn, "--auth-jwks-file", path, "--auth-jwks-refresh", "1s")...)
	expect(t, "by a file", status(s, token), "200")
	expect(t, "by the secret", status(s, signed(t, jwt.SigningMethodHS256, []byte(ownSecret), nil)), "200")
	expect(t, "by the secret, with a key's name", status(s, signed(t, jwt.SigningMethodHS256, []byte(ownSecret), "r")), "200")
	i.publish(jwk(t, "r", k.otherRSA.Public()))
	must(t, "write", os.WriteFile(path, []byte(*i.set.Load()), 0o600), nil)
	eventually(t, "the file was read again", func() bool { return status(s, token) == "401 UNAUTHENTICATED" })
	s.Stop()
	refuses(t, "a file that is none", real(t, dsn, "--auth-jwks-file", file(t, "none.json", []byte("{}"))), "auth.jwks_file")
	refuses(t, "both", real(t, dsn, "--auth-jwks-file", path, "--auth-jwks-url", i.URL), "either auth.jwks_url or auth.jwks_file")
	refuses(t, "neither", real(t, dsn, "--auth-secret-file", ""), "one of auth.secret_file, auth.jwks_url and auth.jwks_file")
}
