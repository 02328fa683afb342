package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// The algorithms of tokens. Which one a key is for hangs on what it is, never on what a token says.
const secretMethod = "HS256"

var keyMethods = []string{"RS256", "ES256", "EdDSA"}

// KeySet is the public keys of an issuer, as they stand at a URL or in a file. They are read again and again: one that is new
// is believed at the first token that names it, one that has gone is not believed once the set was read without it.
type KeySet struct {
	o KeySetOptions

	mu     sync.Mutex
	keys   *publicKeys
	sought time.Time // when a key was last looked for that is not among them
	flight *reading  // that is under way
}

// KeySetOptions are where keys come from, and for how long they are good.
type KeySetOptions struct {
	Read func(ctx context.Context) ([]byte, error)
	// Refresh is how often they are read: a key that has gone is believed no longer than this, and the time of one reading.
	Refresh time.Duration
	// Keep is how long they are good without having been read again, while the issuer is away.
	Keep time.Duration
	Now  func() time.Time
	Log  *slog.Logger
}

// publicKeys is what one reading of the set gave.
type publicKeys struct {
	of []publicKey
	at time.Time // when it was read
}

type publicKey struct {
	id     string
	method string
	key    crypto.PublicKey
}

const (
	// KeySetMax bounds what is read.
	KeySetMax  = 1 << 20
	keysMax    = 100
	rsaBitsMin = 2048
	readTime   = 10 * time.Second
	// seekEvery is how often somebody who names a key that is not there can have the set read.
	seekEvery = 10 * time.Second
)

// NewKeySet makes a set that holds nothing yet: see [KeySet.Refresh] and [KeySet.Run].
func NewKeySet(o KeySetOptions) *KeySet { return &KeySet{o: o} }

var (
	errKeysAway = errors.New("identity: the keys of the issuer cannot be had")
	errNoKey    = errors.New("identity: no key of the issuer is called so and for this algorithm")
)

// Run reads the set again and again until ctx ends.
func (k *KeySet) Run(ctx context.Context) {
	next := k.o.Refresh
	if k.Ready() != nil {
		next = min(next, seekEvery)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = k.o.Refresh
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			k.o.Log.WarnContext(ctx, "the keys of the issuer cannot be read; the last ones stay for a while", "error", err)
			next = min(next, seekEvery)
		}
	}
}

// Ready fails while no key is believed.
func (k *KeySet) Ready() error {
	if _, ok := k.good(); !ok {
		return errKeysAway
	}
	return nil
}

// good gives the keys while they are.
func (k *KeySet) good() (keys *publicKeys, good bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys, k.keys != nil && k.o.Now().Sub(k.keys.at) <= k.o.Keep
}

// still reports whether these keys are the last that were read, and good.
func (k *KeySet) still(keys *publicKeys) bool {
	last, good := k.good()
	return good && last == keys
}

// reading is one reading of the set; err holds once it is done.
type reading struct {
	done chan struct{}
	err  error
}

// Refresh reads the set. Several at once are one reading, which does not end with whoever began it.
func (k *KeySet) Refresh(ctx context.Context) error {
	k.mu.Lock()
	r := k.flight
	if r == nil {
		r = &reading{done: make(chan struct{})}
		k.flight = r
		go k.fly(context.WithoutCancel(ctx), r)
	}
	k.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *KeySet) fly(ctx context.Context, r *reading) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	began := k.o.Now()
	keys, err := k.read(ctx)
	k.mu.Lock()
	if err == nil {
		k.keys = &publicKeys{keys, began}
	}
	k.flight = nil
	k.mu.Unlock()
	r.err = err
	close(r.done)
}

func (k *KeySet) read(ctx context.Context) ([]publicKey, error) {
	b, err := k.o.Read(ctx)
	if err != nil {
		return nil, err
	}
	return parseKeys(b)
}

// find gives the keys that a token may be signed with, and from among which they are. Where none is called so, the set may have
// changed: it is read again, but not more often than so, whoever asks.
func (k *KeySet) find(ctx context.Context, id, method string) (key any, among *publicKeys, err error) {
	keys, good := k.good()
	if good {
		if found := choose(keys.of, id, method); found != nil {
			return *found, keys, nil
		}
	}
	if k.maySeek() {
		if err := k.Refresh(ctx); err != nil {
			k.o.Log.WarnContext(ctx, "the keys of the issuer cannot be read", "error", err)
		}
	}
	if keys, good = k.good(); !good {
		return nil, nil, errKeysAway
	}
	if found := choose(keys.of, id, method); found != nil {
		return *found, keys, nil
	}
	return nil, nil, errNoKey
}

func (k *KeySet) maySeek() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil { // somebody else's look serves as well
		return true
	}
	now := k.o.Now()
	if !k.sought.IsZero() && now.Sub(k.sought) < min(seekEvery, k.o.Refresh) {
		return false
	}
	k.sought = now
	return true
}

// choose picks the keys of a name that are for an algorithm; several may share a name. A token that names none means the only
// one that there is.
func choose(keys []publicKey, id, method string) *jwt.VerificationKeySet {
	var out jwt.VerificationKeySet
	for _, k := range keys {
		if k.method == method && (k.id == id || id == "" && len(keys) == 1) {
			out.Keys = append(out.Keys, k.key)
		}
	}
	if len(out.Keys) == 0 {
		return nil
	}
	return &out
}

// parseKeys reads a JSON Web Key Set (RFC 7517). Keys that are not for signatures of ours are passed over, among them secret ones,
// which have no business there; a set without any other is an error.
func parseKeys(b []byte) ([]publicKey, error) {
	if len(b) > KeySetMax {
		return nil, errors.New("identity: the key set is too large")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, errors.New("identity: no JSON Web Key Set")
	}
	if len(set.Keys) > keysMax {
		return nil, errors.New("identity: the key set has too many keys")
	}
	var out []publicKey
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("identity: the key set has no key for RS256, ES256 or EdDSA")
	}
	return out, nil
}

func parseKey(raw json.RawMessage) (out publicKey, ok bool) {
	var m jwkset.JWKMarshal
	if json.Unmarshal(raw, &m) != nil || m.D != "" || m.K != "" || m.USE != "" && m.USE != jwkset.UseSig {
		return out, false
	}
	if len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return out, false
	}
	m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", "" // the key itself is what counts
	j, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return out, false
	}
	out = publicKey{id: m.KID, key: j.Key()}
	switch key := j.Key().(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= rsaBitsMin {
			out.method = "RS256"
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			out.method = "ES256"
		}
	case ed25519.PublicKey:
		out.method = "EdDSA"
	}
	return out, out.method != "" && (m.ALG == "" || m.ALG.String() == out.method)
}
