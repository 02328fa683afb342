package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// An API key is gxk_PREFIX_SECRET: the prefix finds it, and the secret is 256 random bits. The store has SHA-256 of the whole:
// what is that random needs no slow hash.
const (
	keyMark   = "gxk_"
	prefixLen = len(keyMark) + 16 // 80 bits in base 32
	keyLen    = prefixLen + 1 + 43
)

// DemoKey lets the service in that DEMO.md names; everybody knows it. It has not the form of a key, so that no real server takes
// it for one.
const DemoKey = "demo-crm-key"

var prefixEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// newKey makes a key.
func newKey() (prefix, key string, hash []byte) {
	var lookup [10]byte
	var secret [32]byte
	_, _ = rand.Read(lookup[:]) // never fails
	_, _ = rand.Read(secret[:])
	prefix = keyMark + prefixEncoding.EncodeToString(lookup[:])
	key = prefix + "_" + base64.RawURLEncoding.EncodeToString(secret[:])
	return prefix, key, hashKey(key)
}

func hashKey(key string) []byte {
	h := sha256.Sum256([]byte(key))
	return h[:]
}

// prefixOf reads a key as far as it may be looked up.
func (s *Service) prefixOf(key string) (prefix string, ok bool) {
	if key == DemoKey && s.o.IsDemo() {
		return DemoKey, true
	}
	if len(key) != keyLen || !strings.HasPrefix(key, keyMark) || key[prefixLen] != '_' {
		return "", false
	}
	if _, err := prefixEncoding.DecodeString(key[len(keyMark):prefixLen]); err != nil {
		return "", false
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(key[prefixLen+1:]); err != nil {
		return "", false
	}
	return key[:prefixLen], true
}

// refuseKey is refuse for keys.
func refuseKey(cause error) error {
	f := fault.New(fault.Unauthenticated, "unauthenticated_key")
	f.Cause = cause
	return f
}

// usedEvery is how exactly it is known when a key was last used.
const usedEvery = time.Hour

// everyKey sees all keys.
var everyKey = im.Viewer{Scopes: map[im.Kind]im.Scope{im.KindAPIKey: {im.ScopeAll}}}

// AuthenticateKey reads which service a key lets in. Anything wrong with it is UNAUTHENTICATED. How long it takes tells nothing of
// the secret: hashes are compared, and those in constant time.
func (s *Service) AuthenticateKey(ctx context.Context, key string) (im.Session, error) {
	prefix, ok := s.prefixOf(key)
	if !ok {
		return im.Session{}, refuseKey(noKey)
	}
	k, viewer, err := s.serviceKey(ctx, prefix, key)
	if err != nil {
		return im.Session{}, err
	}
	now := s.o.Now()
	if !k.HoldsAt(now) {
		return im.Session{}, refuseKey(unknownKey)
	}
	if now.Sub(k.LastUsedAt) > usedEvery {
		if err := s.store.UsedKey(ctx, k.ID, now, now.Add(-usedEvery)); err != nil { // no reason to keep anybody out
			s.o.Log.WarnContext(ctx, "the use of an API key was not noted", "key", k.ID, "error", err)
		}
	}
	return im.Session{Viewer: viewer, Until: k.ExpiresAt}, nil
}

// serviceKey reads the key of that text, and who asks with it. One that was right is known by its hash as long as a person is, see
// [Service.person]: whoever revokes it makes it unknown.
func (s *Service) serviceKey(ctx context.Context, prefix, text string) (im.APIKey, im.Viewer, error) {
	hash := hashKey(text)
	asOf := s.asOf()
	if k, ok := s.keys.Get(tokenHash(hash)); ok && k.holds(asOf) {
		return k.key, k.viewer, nil
	}
	k, found, err := s.store.KeyByPrefix(ctx, prefix)
	if err != nil {
		return im.APIKey{}, im.Viewer{}, err
	}
	if subtle.ConstantTimeCompare(hash, k.Hash) != 1 || !found {
		return im.APIKey{}, im.Viewer{}, refuseKey(unknownKey)
	}
	v := allowed(asOf.engine, im.Viewer{Service: serviceOf(k)})
	if now := s.o.Now(); k.HoldsAt(now) && now.Sub(k.LastUsedAt) <= usedEvery { // else its use is still to be noted
		s.keys.Add(tokenHash(hash), knownKey{k, v, asOf})
	}
	return k, v, nil
}

// DemoService is the service of the demo, with its key.
func DemoService(ids *im.IDs, now time.Time) (im.Service, im.APIKey) {
	v := im.Service{ID: ids.New(), Name: "crm-demo"}
	return v, im.APIKey{ID: ids.New(), ServiceID: v.ID, Prefix: DemoKey, Hash: hashKey(DemoKey), CreatedAt: now,
		Scopes: []string{"service:bulk", "service:contacts"}}
}
