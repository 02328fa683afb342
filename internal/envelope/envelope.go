// Package envelope keeps what people wrote unreadable at rest (TRUST: "Encryption at rest"). Message bodies, reasons,
// notes and vendor tokens stand in the database as boxes: ciphertext under a data key of the person they are about.
// The data key itself stands there wrapped under the master key, which the database never sees. So whoever erases a
// person destroys one key, and every box of that person, in backups too, stays shut for good; and what hashes a box
// still verifies.
//
// The master key is a keyset of Tink. A new master key is added to the keyset as its primary: keys wrapped before
// still open, and [Master.Wrap] moves them to the new one, after which the old one can go. Boxes need no touch.
//
// A box is
//
//	version, 1 byte | id of the data key, 16 bytes | nonce, 12 bytes | AES-256-GCM ciphertext and tag
//
// where version and key id are authenticated along with the place that the box stands in.
package envelope

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/guanxi-im/guanxi/internal/im"
)

var (
	// ErrMalformed: these bytes are no box, no wrapped key or no keyset.
	ErrMalformed = errors.New("envelope: malformed")
	// ErrWrongKey: the box was sealed with another data key, or the wrapped key belongs to another master key,
	// another key id or another subject.
	ErrWrongKey = errors.New("envelope: wrong key")
	// ErrAltered: the box names this key and does not open: it was changed, or moved here from another place.
	ErrAltered = errors.New("envelope: altered or moved")
)

const (
	version   = 1
	keyBytes  = 32
	headBytes = 1 + len(im.ID{})
)

// Master wraps data keys. It is safe for concurrent use.
type Master struct {
	aead tink.AEAD
}

// NewKeyset makes a keyset for a new installation, in Tink's JSON. Whoever holds it reads everything: it belongs in a
// file that only the gateway may read, and in a safe place, for without it nothing opens again.
func NewKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("envelope: make a keyset: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("envelope: write a keyset: %w", err)
	}
	return b.Bytes(), nil
}

// Open reads a keyset in Tink's JSON, unencrypted, whose keys are AEADs. Anything else is [ErrMalformed].
func Open(keysetJSON []byte) (*Master, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysetJSON)))
	if err != nil {
		return nil, fmt.Errorf("%w keyset", ErrMalformed) // the cause may quote the file
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("%w keyset: its keys are not for authenticated encryption", ErrMalformed)
	}
	return &Master{primitive}, nil
}

// NewKey makes the data key of a subject, and wraps it for the row keyID. It opens only as the key of that row and
// that subject.
func (m *Master) NewKey(keyID, subject im.ID) (Key, []byte, error) {
	secret := make([]byte, keyBytes)
	_, _ = rand.Read(secret) // never fails: it ends the process instead
	k := newKey(keyID, secret)
	wrapped, err := m.Wrap(k, subject)
	return k, wrapped, err
}

// Wrap wraps a data key anew, under the primary key of the keyset.
func (m *Master) Wrap(k Key, subject im.ID) ([]byte, error) {
	if k.material == nil || k.id.IsZero() || subject.IsZero() {
		return nil, errors.New("envelope: wrap a key without an id or a subject")
	}
	wrapped, err := m.aead.Encrypt(k.material().secret, owner(k.id, subject))
	if err != nil {
		return nil, fmt.Errorf("envelope: wrap key %s: %w", k.id, err)
	}
	return wrapped, nil
}

// Unwrap opens a wrapped data key. It is [ErrWrongKey] where no key of the keyset wrapped these bytes for this row
// and this subject, which includes bytes that were changed.
func (m *Master) Unwrap(keyID, subject im.ID, wrapped []byte) (Key, error) {
	secret, err := m.aead.Decrypt(wrapped, owner(keyID, subject))
	if err != nil {
		return Key{}, fmt.Errorf("%w: unwrap key %s", ErrWrongKey, keyID)
	}
	if len(secret) != keyBytes {
		return Key{}, fmt.Errorf("%w: key %s has %d bytes", ErrMalformed, keyID, len(secret))
	}
	return newKey(keyID, secret), nil
}

// owner is what a wrapped key is bound to.
func owner(keyID, subject im.ID) []byte { return append(keyID[:], subject[:]...) }

// Key is the data key of one subject. It is safe for concurrent use, and prints without its secret. The zero Key
// opens nothing and seals nothing.
type Key struct {
	id       im.ID
	material func() material // package fmt looks behind pointers, but not into functions
}

type material struct {
	secret []byte
	aead   cipher.AEAD
}

func newKey(id im.ID, secret []byte) Key {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic("envelope: " + err.Error()) // secrets have 32 bytes
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("envelope: " + err.Error()) // AES has the block size of GCM
	}
	return Key{id, func() material { return material{secret, gcm} }}
}

// ID names the key in boxes.
func (k Key) ID() im.ID { return k.id }

// LogValue keeps the secret out of logs.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.id.String()) }

// Seal makes a box of plaintext. It opens only with the same aad, see [At]. Sealing the same again gives another box.
// To seal with the zero Key is a fault of the program, and panics: nothing may be stored in the clear.
func (k Key) Seal(plaintext string, aad []byte) []byte {
	if k.material == nil {
		panic("envelope: seal with no key")
	}
	head := append([]byte{version}, k.id[:]...)
	gcm := k.material().aead
	box := append(make([]byte, 0, headBytes+len(plaintext)+gcm.Overhead()), head...)
	return gcm.Seal(box, nil, []byte(plaintext), append(head, aad...))
}

// Open opens a box that this key sealed with the same aad. It fails with [ErrMalformed], [ErrWrongKey] or
// [ErrAltered].
func (k Key) Open(box, aad []byte) (string, error) {
	id, err := KeyID(box)
	if err != nil {
		return "", err
	}
	if k.material == nil || id != k.id {
		return "", fmt.Errorf("%w: a box of key %s opened with key %s", ErrWrongKey, id, k.id)
	}
	head, sealed := box[:headBytes:headBytes], box[headBytes:]
	plaintext, err := k.material().aead.Open(nil, nil, sealed, append(head, aad...))
	if err != nil {
		return "", fmt.Errorf("%w: a box of key %s", ErrAltered, id)
	}
	return string(plaintext), nil
}

// KeyID is the id of the data key that opens a box; [ErrMalformed] where the bytes are none.
func KeyID(box []byte) (im.ID, error) {
	const nonceAndTag = 12 + 16
	if len(box) < headBytes+nonceAndTag {
		return im.ID{}, fmt.Errorf("%w: a box of %d bytes", ErrMalformed, len(box))
	}
	if box[0] != version {
		return im.ID{}, fmt.Errorf("%w: a box of version %d", ErrMalformed, box[0])
	}
	return im.ID(box[1:headBytes]), nil
}

// At is the aad of the place a box stands in, so that a box copied to another row or column does not open there. A
// place that was written down is part of every box in it: renaming a column means sealing it anew.
func At(table, column string, row im.ID) []byte {
	b := make([]byte, 0, len(table)+len(column)+2+len(row))
	b = append(append(b, table...), 0)
	b = append(append(b, column...), 0)
	return append(b, row[:]...)
}

// MAC is a keyed hash (HMAC-SHA256) of b: equal for equal input, and of no use to whoever sees it without the key.
func (k Key) MAC(b []byte) []byte {
	if k.material == nil {
		panic("envelope: hash with no key")
	}
	// A key of its own, so that the one that encrypts serves nothing else.
	key, err := hkdf.Expand(sha256.New, k.material().secret, "guanxi mac", sha256.Size)
	if err != nil {
		panic("envelope: " + err.Error()) // only for a longer key than SHA-256 can give
	}
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(b) // a hash never fails
	return h.Sum(nil)
}
