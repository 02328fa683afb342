package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Secret signs. It prints as nothing.
type Secret struct{ key []byte }

// String hides it.
func (Secret) String() string { return "[redacted]" }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

const (
	secretPrefix = "whsec_"
	secretMin    = 24 // bytes, as Standard Webhooks has it
	secretMax    = 64
)

// ParseSecret reads whsec_ and base64 of 24 to 64 bytes. The error does not quote it.
func ParseSecret(text string) (Secret, error) {
	code, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(code)
	if !ok || err != nil || len(key) < secretMin || len(key) > secretMax {
		return Secret{}, errors.New("a secret is whsec_ and base64 of 24 to 64 bytes")
	}
	return Secret{key}, nil
}

// sign is the header webhook-signature: one signature for each secret, so that receivers may know the old or the new one.
func sign(secrets []Secret, id string, at time.Time, body []byte) string {
	var out []string
	for _, s := range secrets {
		h := hmac.New(sha256.New, s.key)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(out, " ")
}
