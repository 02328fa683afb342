package identity

import (
	"errors"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// reason is why a credential is not believed, for the log: words of ours, and nothing of what the credential says. Whoever sent it is
// not told.
type reason string

// Error is Reason.
func (r reason) Error() string { return string(r) }

// Reason is the words.
func (r reason) Reason() string { return string(r) }

// Reasons that no library gives.
const (
	tooLong    reason = "too long"
	noAccount  reason = "no account"      // the claim that names it is not there
	noSuch     reason = "unknown account" // nobody in the directory has it
	departed   reason = "departed"        // he has, or his sessions are shut
	cutOff     reason = "sessions ended"  // after the token was issued
	noKey      reason = "malformed key"   // it has not the form of an API key
	unknownKey reason = "unknown key"     // or one that was revoked, or has expired
	noEnd      reason = "no exp"
)

// tokenReasons are what can be wrong with a token by itself.
var tokenReasons = []struct {
	is  error
	say string
}{
	{jwt.ErrTokenSignatureInvalid, "signature"},
	{jwt.ErrTokenUnverifiable, "key"},
	{jwt.ErrTokenInvalidIssuer, "issuer"},
	{jwt.ErrTokenInvalidAudience, "audience"},
	{jwt.ErrTokenExpired, "expired"},
	{jwt.ErrTokenNotValidYet, "not valid yet"},
	{jwt.ErrTokenUsedBeforeIssued, "issued ahead"},
}

// whyNot says what the parser has against a token with the claims.
func whyNot(err error, claims jwt.MapClaims) reason {
	var all []string
	if errors.Is(err, jwt.ErrTokenRequiredClaimMissing) {
		for _, name := range []string{"exp", "iss", "aud"} {
			if claims[name] == nil {
				all = append(all, "no "+name)
			}
		}
	}
	for _, r := range tokenReasons {
		if errors.Is(err, r.is) && !slices.Contains(all, r.say) {
			all = append(all, r.say)
		}
	}
	if all == nil {
		return "malformed"
	}
	return reason(strings.Join(all, ", "))
}
