package live

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strings"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// A cursor is a version, a position that is sealed, and a checksum. It is sealed as SIV does (RFC 5297), by the one keyed hash that
// there is: the hash of the position is its tag, and that of the tag what hides it. Equal positions have equal cursors, so that
// whoever has two knows whether they are the same, and no more: neither how many changes lie between them, nor how to make another.
const (
	cursorVersion = 2
	positionSize  = 8 + 8 // epoch, number
	tagSize       = 16
	cursorSize    = 1 + tagSize + positionSize + 4
	// cursorSizeBefore is that of version 1, which told its number to everybody.
	cursorSizeBefore = 1 + positionSize + 4
)

// sealer is the keyed hash of a database.
type sealer interface{ Fingerprint(b []byte) []byte }

// Encode makes the opaque cursor of a position.
func Encode(key sealer, p Position) string {
	plain := make([]byte, 0, positionSize)
	e, _ := hex.DecodeString(p.Epoch)
	plain = append(plain, append(make([]byte, 8-min(8, len(e))), e...)[:8]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(p.Number))
	b := make([]byte, 0, cursorSize)
	b = append(b, cursorVersion)
	b = append(b, tag(key, plain)...)
	b = append(b, veil(key, b[1:1+tagSize], plain)...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads what Encode wrote. What is no cursor is BAD_USER_INPUT; one of another database, of another key or of the version before
// is CURSOR_EXPIRED: its owner reads the lists anew.
func Decode(key sealer, s string) (Position, error) {
	bad := fault.New(fault.BadUserInput, "cursor_malformed")
	if len(s) > 64 || strings.ContainsAny(s, "\r\n") { // which base64 would leave out
		return Position{}, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorSize && len(b) != cursorSizeBefore {
		return Position{}, bad
	}
	body := b[:len(b)-4]
	switch sum := binary.BigEndian.Uint32(b[len(body):]); {
	case crc32.ChecksumIEEE(body) != sum:
		return Position{}, bad
	case len(b) == cursorSizeBefore && b[0] == 1:
		return Position{}, fault.New(fault.CursorExpired, "cursor_expired")
	case len(b) != cursorSize || b[0] != cursorVersion:
		return Position{}, bad
	}
	t := body[1 : 1+tagSize]
	plain := veil(key, t, body[1+tagSize:])
	if subtle.ConstantTimeCompare(t, tag(key, plain)) != 1 {
		return Position{}, fault.New(fault.CursorExpired, "cursor_expired")
	}
	return Position{Epoch: hex.EncodeToString(plain[:8]), Number: int64(binary.BigEndian.Uint64(plain[8:]))}, nil
}

func tag(key sealer, plain []byte) []byte {
	return key.Fingerprint(append([]byte("cursor tag\x00"), plain...))[:tagSize]
}

// veil hides a position, or shows one that is hidden.
func veil(key sealer, t, b []byte) []byte {
	out := make([]byte, len(b))
	subtle.XORBytes(out, b, key.Fingerprint(append([]byte("cursor veil\x00"), t...)))
	return out
}
