package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// tokenHash stands for a token: tokens themselves are not kept.
type tokenHash [sha256.Size]byte

// named is what a token says that was looked through: its signature, its issuer and whom it is for were right, and it had begun.
type named struct {
	account      string
	began, until time.Time
	keys         *publicKeys // that it was signed with one of; nil: with the secret, which stays as it is
}

// nameIn reads whom a token names. One that was looked through before is not looked through again, as long as it lasts and the
// issuer's keys have not been read anew since. Anything wrong with it is UNAUTHENTICATED; while the keys of the issuer cannot be
// had, it is UNAVAILABLE.
func (s *Service) nameIn(ctx context.Context, token string) (named, error) {
	hash := tokenHash(sha256.Sum256([]byte(token)))
	if n, ok := s.tokens.Get(hash); ok {
		if s.o.Now().Before(n.until.Add(s.o.Leeway)) && (n.keys == nil || s.o.Keys.still(n.keys)) {
			return n, nil
		}
		s.tokens.Remove(hash)
	}
	var n named
	claims := jwt.MapClaims{}
	if _, err := s.parser.ParseWithClaims(token, claims, s.keyOf(ctx, &n.keys)); errors.Is(err, errKeysAway) {
		f := fault.New(fault.Unavailable, "unavailable")
		f.Cause = err
		return named{}, f
	} else if err != nil {
		return named{}, refuse(whyNot(err, claims))
	}
	if n.account, _ = claims[s.o.Claim].(string); n.account == "" {
		return named{}, refuse(noAccount)
	}
	if began, err := claims.GetIssuedAt(); err == nil && began != nil {
		n.began = began.Time
	}
	until, err := claims.GetExpirationTime()
	if err != nil || until == nil {
		return named{}, refuse(noEnd)
	}
	n.until = until.Time
	s.tokens.Add(hash, n)
	return n, nil
}

// keyOf finds the key that a token must be signed with: by its algorithm first, so that no key is ever used for another one. It
// tells from among which it was chosen.
func (s *Service) keyOf(ctx context.Context, among **publicKeys) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		if _, asks := t.Header["crit"]; asks {
			return nil, errors.New("the token asks for what we do not know")
		}
		if t.Method.Alg() == secretMethod {
			return s.o.Secret, nil
		}
		kid, _ := t.Header["kid"].(string)
		key, keys, err := s.o.Keys.find(ctx, kid, t.Method.Alg())
		*among = keys
		return key, err
	}
}
