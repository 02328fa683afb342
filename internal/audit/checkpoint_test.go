package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var when = time.Date(2026, 11, 28, 1, 2, 3, 4000, time.UTC)

// signer is a key from its file.
func signer(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// marked is the checkpoints of a chain at some places.
func marked(key ed25519.PrivateKey, c trail, places ...int) (out []Checkpoint) {
	for _, n := range places {
		out = append(out, Sign(key, Head{Epoch: "e1", Sequence: int64(n), Hash: c.rs[n-1].Hash}, when))
	}
	return out
}

func TestVerifyAgainstCheckpoints(t *testing.T) {
	key := signer(t)
	const n = 2500
	marks := marked(key, linked(n), 2000, 1, 2001, n) // in any order, and at the edge of a step
	if rep, err := Verify(t.Context(), linked(n), marks); err != nil || rep.Checkpoints != len(marks) {
		t.Errorf("the chain that was signed: %+v, %v", rep, err)
	}
	longer := linked(n + 100)
	if rep, err := Verify(t.Context(), longer, marks); err != nil || rep.Sealed != n+100 {
		t.Errorf("one that went on: %+v, %v", rep, err)
	}
	for name, c := range map[string]struct {
		chain trail
		marks []Checkpoint
		at    int64
		says  string
	}{
		"an event and all after it rewritten": {rewritten(n, 1999), marks, 2000, "rewritten"},
		"the first one rewritten":             {rewritten(n, 0), marks, 1, "rewritten"},
		"the last 100 cut off":                {trail{rs: linked(n).rs[:n-100]}, marks, n, "ends at 2400"},
		"yesterday put back":                  {linked(1500), marks, 2000, "ends at 1500"},
		"emptied":                             {trail{}, marks, 1, "ends at 0"},
		"made anew": {linked(n), []Checkpoint{Sign(key, Head{Epoch: "e2", Sequence: 7, Hash: Genesis}, when)}, 7,
			"another database"},
	} {
		_, err := Verify(t.Context(), c.chain, c.marks)
		broken, ok := errors.AsType[*Broken](err)
		if !ok || broken.Sequence != c.at || !strings.Contains(broken.What, c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Verify(t.Context(), c.chain, nil); err != nil {
			t.Errorf("%s: the chain alone shows it: %v; then this test shows nothing", name, err)
		}
	}
}

// rewritten is a chain that holds, of which one event says something else.
func rewritten(n, i int) trail {
	c := linked(n)
	c.rs[i].Detail = []byte("changed")
	last := Genesis
	for k := range c.rs {
		c.rs[k].Previous = last
		c.rs[k].Hash = c.rs[k].Link(c.rs[k].Sequence, last)
		last = c.rs[k].Hash
	}
	return c
}

func lines(t testing.TB, marks ...Checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, m := range marks {
		if err := json.NewEncoder(&b).Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestReadCheckpoints(t *testing.T) {
	key := signer(t)
	marks := marked(key, linked(9), 3, 9)
	good := lines(t, marks...)
	got, err := ReadCheckpoints(bytes.NewReader(append([]byte("\n"), good...)), public(key))
	if err != nil || len(got) != 2 || got[1].Sequence != 9 || !got[1].At.Equal(when) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"no JSON":                 []byte("{\n"),
		"another's":               lines(t, marked(signer(t), linked(9), 3)...),
		"a sequence changed":      bytes.Replace(good, []byte(`"sequence":3`), []byte(`"sequence":4`), 1),
		"an epoch changed":        bytes.Replace(good, []byte(`"e1"`), []byte(`"e2"`), 1),
		"a time changed":          bytes.Replace(good, []byte(`01:02:03`), []byte(`01:02:04`), 1),
		"a hash changed":          bytes.Replace(good, []byte(`"hash":"`), []byte(`"hash":"00`), 1),
		"no signature":            lines(t, Checkpoint{Epoch: "e1", Sequence: 1, Hash: Genesis, At: when}),
		"longer than a line is":   append(bytes.Repeat([]byte(" "), checkpointMax+1), good...),
		"a time that is none":     []byte(`{"at":"yesterday"}` + "\n"),
		"a number that is no int": []byte(`{"sequence":1e99}` + "\n"),
	} {
		if got, err := ReadCheckpoints(bytes.NewReader(b), public(key)); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

func FuzzReadCheckpoints(f *testing.F) {
	key := signer(f)
	f.Add(lines(f, marked(key, linked(9), 3, 9)...))
	f.Add([]byte(`{"epoch":"e","sequence":-1,"hash":"zz","at":"2026-11-28T00:00:00Z","signature":"AA=="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadCheckpoints(bytes.NewReader(b), public(key))
		for _, c := range got {
			if err == nil && !ed25519.Verify(public(key), c.signed(), c.Signature) {
				t.Errorf("believed %+v", c)
			}
		}
	})
}

func TestKeys(t *testing.T) {
	key := signer(t)
	half, err := PublicPEM(public(key))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePublicKey(half); err != nil || !got.Equal(public(key)) {
		t.Errorf("the public half: %v", err)
	}
	if _, err := ParseKey(half); err == nil {
		t.Error("the public half signs")
	}
	for _, text := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := ParsePublicKey([]byte(text)); err == nil {
			t.Errorf("%q is a key", text)
		}
	}
}

func TestKeeper(t *testing.T) {
	key, path := signer(t), filepath.Join(t.TempDir(), "marks.jsonl")
	keep := func(c trail) error {
		t.Helper()
		k, err := NewKeeper(c, key, path, func() time.Time { return when })
		if err != nil {
			return err
		}
		defer func() { _ = k.Close() }()
		return errors.Join(k.Keep(t.Context()), k.Keep(t.Context()))
	}
	kept := func() int {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		marks, err := ReadCheckpoints(bytes.NewReader(b), public(key))
		if err != nil {
			t.Fatal(err)
		}
		return len(marks)
	}
	for _, step := range []struct {
		chain trail
		kept  int
	}{{trail{}, 0}, {linked(3), 1}, {linked(3), 1}, {linked(8), 2}} { // each as after a restart
		if err := keep(step.chain); err != nil || kept() != step.kept {
			t.Errorf("%d events: %d checkpoints, %v", len(step.chain.rs), kept(), err)
		}
	}
	for name, c := range map[string]trail{"rewritten": rewritten(12, 2), "cut": linked(5), "emptied": {}} {
		if err := keep(c); !errors.Is(err, ErrRewritten) || kept() != 2 {
			t.Errorf("%s: %v, and %d checkpoints", name, err, kept())
		}
	}
	if err := os.WriteFile(path, lines(t, marked(signer(t), linked(9), 3)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keep(linked(9)); err == nil {
		t.Error("goes on after checkpoints of another key")
	}
}
