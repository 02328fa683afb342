package identity

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// tokenAllocations is how often asking again may allocate: looking through a token takes dozens.
const tokenAllocations = 8

// A token that was looked through lets in no longer than one that was not: until it ends, and until its key is gone.
func TestTokensAreLookedThroughOnce(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(kid string, key ed25519.PublicKey) []byte {
		return must(json.Marshal(map[string]any{"keys": []any{map[string]string{"kid": kid, "kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(key)}}}))
	}
	at, published := now, set("a", public)
	keys := NewKeySet(KeySetOptions{Refresh: time.Minute, Keep: 10 * time.Minute, Now: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler),
		Read: func(context.Context) ([]byte, error) { return published, nil }})
	o := ours
	o.Keys, o.Now = keys, func() time.Time { return at }
	s := service(t, o)
	c := claims()
	c["exp"] = now.Add(5 * time.Minute).Unix()
	signed := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c)
	signed.Header["kid"] = "a"
	byKey := must(signed.SignedString(private))
	bySecret := sign(t, jwt.SigningMethodHS256, ours.Secret, c)
	ask := func(what, token string, want fault.Code) {
		t.Helper()
		_, err := s.Authenticate(t.Context(), token)
		if want == "" && err != nil || want != "" && !fault.Is(err, want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	for what, token := range map[string]string{"by key": byKey, "by secret": bySecret} {
		ask(what, token, "")
		if n := testing.AllocsPerRun(10, func() { _, _ = s.Authenticate(t.Context(), token) }); n > tokenAllocations {
			t.Errorf("%s: asking again allocates %.0f times, at most %d are meant", what, n, tokenAllocations)
		}
		ask(what+", altered", token[:len(token)-6]+"AAAAAA", fault.Unauthenticated)
	}

	at = now.Add(5*time.Minute + ours.Leeway - time.Second)
	ask("by key within the leeway", byKey, "")
	ask("by secret within the leeway", bySecret, "")
	at = at.Add(time.Second)
	ask("by key, over", byKey, fault.Unauthenticated)
	ask("by secret, over", bySecret, fault.Unauthenticated)
	if n := s.tokens.Len(); n != 0 {
		t.Errorf("%d tokens are remembered that are over", n)
	}

	at = now
	ask("by key again", byKey, "")
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask("its key was read anew", byKey, "")
	other, _, _ := ed25519.GenerateKey(nil)
	published = set("a", other)
	ask("its key is gone, and nobody knows", byKey, "")
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask("its key is gone", byKey, fault.Unauthenticated)

	published = set("a", public)
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	c["exp"] = now.Add(time.Hour).Unix()
	byKey = must(signed.SignedString(private))
	ask("one that lasts longer", byKey, "")
	published, at = nil, now.Add(10*time.Minute+time.Second)
	ask("the issuer has been away for too long", byKey, fault.Unavailable)
}
