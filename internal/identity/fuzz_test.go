package identity

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// lock is a directory with one key.
type lock struct {
	people
	key     im.APIKey
	used    int
	version uint64
}

func (l *lock) PeopleVersion() uint64 { return l.version }

func (l *lock) KeyByPrefix(_ context.Context, prefix string) (im.APIKey, bool, error) {
	if prefix != l.key.Prefix {
		return im.APIKey{}, false, nil
	}
	return l.key, true, nil
}

func (l *lock) UsedKey(context.Context, im.ID, time.Time, time.Time) error {
	l.used++
	return errors.New("the database cannot be written")
}

func TestAuthenticateKey(t *testing.T) {
	prefix, key, hash := newKey()
	s := service(t, ours)
	l := &lock{people: directoryOf, key: im.APIKey{ID: im.ID{1}, ServiceID: im.ID{2}, ServiceName: "billing", Prefix: prefix, Hash: hash,
		Scopes: []string{"service:contacts"}, ExpiresAt: now.Add(time.Minute)}}
	s.store = l
	at, err := s.AuthenticateKey(t.Context(), key)
	if err != nil || at.Viewer.Service.Name != "billing" || !at.Until.Equal(now.Add(time.Minute)) || !at.Viewer.Scopes[im.KindContact].Has(im.ScopeAll) {
		t.Errorf("%+v, %v", at.Viewer, err)
	}
	if len(at.Viewer.Scopes[im.KindMember]) > 0 || l.used != 1 {
		t.Errorf("reads members %v; used %d times", at.Viewer.Scopes[im.KindMember], l.used)
	}
	l.key.LastUsedAt = now.Add(-time.Minute)
	if _, err := s.AuthenticateKey(t.Context(), key); err != nil || l.used != 1 {
		t.Errorf("noted %d times: %v", l.used, err)
	}
	_, another, _ := newKey()
	for what, text := range map[string]string{"nothing": "", "the prefix": prefix, "another secret": prefix + another[len(prefix):], "another key": another,
		"one more": key + "A", "one less": key[:len(key)-1], "the demo's": DemoKey, "of another case": strings.ToUpper(key), "spaces": " " + key} {
		if at, err := s.AuthenticateKey(t.Context(), text); !fault.Is(err, fault.Unauthenticated) || !at.Viewer.ID().IsZero() {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, end := range map[string]func(){"expired": func() { l.key.ExpiresAt = now }, "revoked": func() { l.key.ExpiresAt, l.key.RevokedAt = time.Time{}, now }} {
		before := l.key
		l.version++
		if end(); !fault.Is(func() error { _, err := s.AuthenticateKey(t.Context(), key); return err }(), fault.Unauthenticated) {
			t.Errorf("%s and good", what)
		}
		l.key = before
	}
}

func FuzzKey(f *testing.F) {
	prefix, key, hash := newKey()
	f.Add(key)
	f.Add(prefix)
	f.Add(DemoKey)
	f.Add(keyMark + strings.Repeat("\n", keyLen-len(keyMark)))
	s := service(f, ours)
	s.store = &lock{people: directoryOf, key: im.APIKey{Prefix: prefix, Hash: hash, ServiceID: im.ID{1}, LastUsedAt: now}}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := s.AuthenticateKey(t.Context(), text); (err == nil) != (text == key) || err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func FuzzToken(f *testing.F) {
	token := must(jwt.NewWithClaims(jwt.SigningMethodHS256, claims()).SignedString(ours.Secret))
	f.Add(token)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	s := service(f, ours)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := s.Authenticate(t.Context(), text)
		if err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && at.Viewer.Member.AccountName != "wangfang004" { // whatever still verifies is what was signed
			t.Errorf("%q let %s in", text, at.Viewer.Member.AccountName)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Add([]byte(`{"keys":[null,1,"x",{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if k.method == secretMethod || k.key == nil {
				t.Errorf("a key for %s", k.method)
			}
		}
	})
}

// Many who look for a key at once are one reading, and one who hangs up does not end it.
func TestKeySetReadsOnce(t *testing.T) {
	var reads atomic.Int64
	going := make(chan struct{})
	set := must(json.Marshal(map[string]any{"keys": []any{map[string]string{"kid": "d", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}}))
	k := NewKeySet(KeySetOptions{Refresh: time.Minute, Keep: time.Hour, Now: clock, Log: slog.New(slog.DiscardHandler),
		Read: func(context.Context) ([]byte, error) {
			reads.Add(1)
			<-going
			return set, nil
		}})
	gone, hangUp := context.WithCancel(t.Context())
	results := make(chan error, 21)
	go func() { results <- k.Refresh(gone) }()
	for reads.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		go func() { _, _, err := k.find(t.Context(), "d", "EdDSA"); results <- err }()
	}
	hangUp()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("who hung up got %v", err)
	}
	close(going)
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := reads.Load(); n != 1 {
		t.Errorf("%d readings", n)
	}
}
