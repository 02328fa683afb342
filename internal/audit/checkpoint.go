package audit

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Checkpoint is where the chain stood at a moment, signed and kept outside the database. The chain alone shows whoever
// changes one event; who owns the database can rewrite all that follow it, cut its end, or put yesterday's file back.
// That shows against a checkpoint (TRUST: "Audit").
type Checkpoint struct {
	Epoch     string    `json:"epoch"` // the life of the database
	Sequence  int64     `json:"sequence"`
	Hash      hexBytes  `json:"hash"` // of the event at Sequence
	At        time.Time `json:"at"`
	Signature []byte    `json:"signature"` // Ed25519
}

// hexBytes is bytes that read as hex, like the hashes that people see elsewhere.
type hexBytes []byte

// MarshalText is part of encoding.TextMarshaler.
func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.AppendDecode(nil, text)
	return err
}

// signed is what a checkpoint's signature is of.
func (c Checkpoint) signed() []byte {
	return fmt.Appendf(nil, "guanxi checkpoint 1\n%q\n%d\n%x\n%s\n", c.Epoch, c.Sequence, []byte(c.Hash), c.At.UTC().Format(time.RFC3339Nano))
}

// Sign makes the checkpoint of a head.
func Sign(key ed25519.PrivateKey, h Head, at time.Time) Checkpoint {
	c := Checkpoint{Epoch: h.Epoch, Sequence: h.Sequence, Hash: h.Hash, At: at.UTC()}
	c.Signature = ed25519.Sign(key, c.signed())
	return c
}

// Limits of a file of checkpoints, which may come from anywhere.
const (
	checkpointMax  = 1 << 10 // bytes of a line
	checkpointsMax = 1 << 20 // lines: two years of one a minute
)

// Tampered is a line of a file of checkpoints that key has not signed as it stands there.
type Tampered struct {
	Line int
	What string
}

func (t *Tampered) Error() string { return fmt.Sprintf("line %d %s", t.Line, t.What) }

// ReadCheckpoints reads a file of checkpoints, one JSON object a line, and believes those alone that key has signed. One
// that is malformed, or signed by another, fails the whole with a [Tampered]: somebody was at the file.
func ReadCheckpoints(r io.Reader, key ed25519.PublicKey) ([]Checkpoint, error) {
	var out []Checkpoint
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, checkpointMax), checkpointMax)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if len(out) == checkpointsMax {
			return nil, fmt.Errorf("line %d: more than %d checkpoints", n, checkpointsMax)
		}
		var c Checkpoint
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return nil, &Tampered{n, "is no checkpoint in JSON"}
		}
		if !ed25519.Verify(key, c.signed(), c.Signature) {
			return nil, &Tampered{n, "has a signature that is not of this key and this checkpoint"}
		}
		out = append(out, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("after line with checkpoint %d: %w", len(out), err)
	}
	return out, nil
}

// NewKey makes a key that signs checkpoints, in PEM (PKCS #8).
func NewKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// PublicPEM is the half of a key that checks signatures, in PEM (PKIX).
func PublicPEM(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

var errKey = errors.New("expected an Ed25519 key in PEM")

// ParseKey reads a key that signs.
func ParseKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errKey
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signs, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errKey
	}
	return signs, nil
}

// ParsePublicKey reads a key that checks: the public half, or a whole one.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	if key, err := ParseKey(text); err == nil {
		return key.Public().(ed25519.PublicKey), nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errKey
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	checks, ok := key.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, errKey
	}
	return checks, nil
}

// Head is where the chain stands.
type Head struct {
	Epoch    string
	Sequence int64
	Hash     []byte
}

// ErrRewritten: what the last checkpoint signed is not in the chain any more.
var ErrRewritten = errors.New("the trail was rewritten or cut: it does not hold what its last checkpoint signed")

// Keeper writes a checkpoint whenever the chain has moved. Make it with [NewKeeper]; it is for one goroutine.
type Keeper struct {
	chain Chain
	key   ed25519.PrivateKey
	now   func() time.Time
	file  *os.File
	last  Checkpoint
}

// NewKeeper keeps checkpoints in a file, after those that are there.
func NewKeeper(c Chain, key ed25519.PrivateKey, path string, now func() time.Time) (*Keeper, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	marks, err := ReadCheckpoints(file, key.Public().(ed25519.PublicKey))
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	k := &Keeper{chain: c, key: key, now: now, file: file}
	if len(marks) > 0 {
		k.last = marks[len(marks)-1]
	}
	return k, nil
}

// Close closes the file.
func (k *Keeper) Close() error { return k.file.Close() }

// Keep writes a checkpoint durably, or nothing where the chain stands where it stood. A chain that does not hold what the
// last one signed gets no other: it fails with [ErrRewritten].
func (k *Keeper) Keep(ctx context.Context) error {
	h, err := k.chain.Head(ctx)
	if err != nil {
		return err
	}
	if k.last.Sequence > 0 {
		if k.last.Epoch != h.Epoch {
			return fmt.Errorf("the checkpoints are of another database: %w", ErrRewritten)
		}
		rs, err := k.chain.Sealed(ctx, k.last.Sequence-1, 1)
		if err != nil {
			return err
		}
		if len(rs) == 0 || rs[0].Sequence != k.last.Sequence || string(rs[0].Hash) != string(k.last.Hash) {
			return fmt.Errorf("event %d: %w", k.last.Sequence, ErrRewritten)
		}
	}
	if h.Sequence == k.last.Sequence {
		return nil
	}
	c := Sign(k.key, h, k.now())
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := k.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := k.file.Sync(); err != nil {
		return err
	}
	k.last = c
	return nil
}
