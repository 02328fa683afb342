package live

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/bits"
	"strings"
	"testing"

	"github.com/guanxi-im/guanxi/internal/fault"
)

// keyed is a database's key.
type keyed string

func (k keyed) Fingerprint(b []byte) []byte {
	h := hmac.New(sha256.New, []byte(k))
	_, _ = h.Write(b)
	return h.Sum(nil)
}

func TestCursorRoundTrip(t *testing.T) {
	for _, p := range []Position{{"0123456789abcdef", 0}, {"ffffffffffffffff", 1}, {"0000000000000000", 1 << 62}} {
		got, err := Decode(keyed("a"), Encode(keyed("a"), p))
		if err != nil || got != p {
			t.Errorf("%v reads as %v: %v", p, got, err)
		}
		if _, err := Decode(keyed("b"), Encode(keyed("a"), p)); !fault.Is(err, fault.CursorExpired) {
			t.Errorf("%v with another key: %v", p, err)
		}
	}
	whole := Encode(keyed("a"), Position{"0123456789abcdef", 7})
	for i := range whole {
		for _, s := range []string{whole[:i], whole[:i] + "~" + whole[i+1:], whole[:i] + string(whole[i]^1) + whole[i+1:]} {
			if p, err := Decode(keyed("a"), s); !fault.Is(err, fault.BadUserInput) {
				t.Errorf("%q reads as %v: %v", s, p, err)
			}
		}
	}
}

// summed is a cursor of any content whose checksum is right: anybody can make one.
func summed(body []byte) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.ChecksumIEEE(body)))
}

// A cursor tells nobody its number, nor whether another one is near, and nobody makes one.
func TestCursorIsSealed(t *testing.T) {
	const epoch = "0123456789abcdef"
	var before []byte
	apart := 0
	for n := range int64(200) {
		s := Encode(keyed("a"), Position{epoch, n})
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := hex.DecodeString(epoch); bytes.Contains(b, e) || bytes.Contains(b, binary.BigEndian.AppendUint64(nil, uint64(n))) {
			t.Fatalf("%d can be read in %x", n, b)
		}
		if again := Encode(keyed("a"), Position{epoch, n}); again != s {
			t.Fatalf("%d has two cursors", n)
		}
		for i := range before {
			apart += bits.OnesCount8(before[i] ^ b[i])
		}
		before = b
		for i := 1; i < len(b)-4; i++ { // a forger who mends the checksum
			forged := bytes.Clone(b[:len(b)-4])
			forged[i] ^= 1
			if p, err := Decode(keyed("a"), summed(forged)); !fault.Is(err, fault.CursorExpired) {
				t.Fatalf("forged at %d: %v %v", i, p, err)
			}
		}
	}
	if mean := float64(apart) / 199 / float64(8*len(before)); mean < 0.4 || mean > 0.6 {
		t.Errorf("neighbours differ in %.2f of their bits", mean)
	}
	// Those of before told their number; whoever still has one reads the lists anew.
	old := summed(binary.BigEndian.AppendUint64(append([]byte{1}, 1, 2, 3, 4, 5, 6, 7, 8), 7))
	if _, err := Decode(keyed("a"), old); !fault.Is(err, fault.CursorExpired) {
		t.Errorf("one of the version before: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(keyed("a"), Position{"0123456789abcdef", 7}))
	f.Add("")
	f.Add(strings.Repeat("A", 65))
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Decode(keyed("a"), s)
		if err != nil {
			if !fault.Is(err, fault.BadUserInput) && !fault.Is(err, fault.CursorExpired) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again := Encode(keyed("a"), p); again != s {
			t.Errorf("%q reads as %v, whose cursor is %q", s, p, again)
		}
	})
}
