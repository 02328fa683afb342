package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/guanxi-im/guanxi/internal/im"
)

var ids = im.NewIDs(time.Now)

const reason = "对方持续发送广告"

// newMaster makes a master and gives its keyset.
func newMaster(t *testing.T) (*Master, []byte) {
	t.Helper()
	ks, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(ks)
	if err != nil {
		t.Fatal(err)
	}
	return m, ks
}

func newDataKey(t testing.TB, m *Master) (k Key, subject im.ID, wrapped []byte) {
	t.Helper()
	subject = ids.New()
	k, wrapped, err := m.NewKey(ids.New(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return k, subject, wrapped
}

func TestABoxOpensAfterARestart(t *testing.T) {
	m, ks := newMaster(t)
	k, subject, wrapped := newDataKey(t, m)
	aad := At("relationships", "reason", ids.New())
	box := k.Seal(reason, aad)
	if bytes.Contains(box, []byte(reason)) {
		t.Error("the text stands in the box")
	}
	if id, err := KeyID(box); err != nil || id != k.ID() {
		t.Errorf("key id: got %s, %v", id, err)
	}

	again, err := Open(ks)
	if err != nil {
		t.Fatal(err)
	}
	unwrapped, err := again.Unwrap(k.ID(), subject, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unwrapped.Open(box, aad); err != nil || got != reason {
		t.Errorf("got %q, %v", got, err)
	}
	if bytes.Equal(box, k.Seal(reason, aad)) {
		t.Error("two boxes of one text are alike")
	}
}

func TestEmptyTextAndEmptyPlace(t *testing.T) {
	m, _ := newMaster(t)
	k, _, _ := newDataKey(t, m)
	if got, err := k.Open(k.Seal("", nil), nil); err != nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The format stands in databases: a box is what Tink's own AES-GCM makes, behind its head.
func TestFormat(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	id := ids.New()
	k := newKey(id, secret)
	theirs, err := subtle.NewAESGCM(secret)
	if err != nil {
		t.Fatal(err)
	}
	head := append([]byte{1}, id[:]...)
	aad := []byte("place")
	bound := append(bytes.Clone(head), aad...)

	box := k.Seal(reason, aad)
	if !bytes.HasPrefix(box, head) {
		t.Fatalf("head: got %x, want %x", box[:17], head)
	}
	if got, err := theirs.Decrypt(box[17:], bound); err != nil || string(got) != reason {
		t.Errorf("theirs of ours: %q, %v", got, err)
	}
	sealed, err := theirs.Encrypt([]byte(reason), bound)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(append(head, sealed...), aad); err != nil || got != reason {
		t.Errorf("ours of theirs: %q, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	m, _ := newMaster(t)
	k, _, _ := newDataKey(t, m)
	other, _, _ := newDataKey(t, m)
	row := ids.New()
	aad := At("relationships", "reason", row)
	box := k.Seal(reason, aad)
	flip := func(at int) []byte {
		b := bytes.Clone(box)
		b[at] ^= 1
		return b
	}
	tests := []struct {
		name string
		key  Key
		box  []byte
		aad  []byte
		want error
	}{
		{"nothing", k, nil, aad, ErrMalformed},
		{"a head alone", k, box[:17], aad, ErrMalformed},
		{"one byte less than the least box", k, box[:44], aad, ErrMalformed},
		{"another version", k, flip(0), aad, ErrMalformed},
		{"the box of another key", other, box, aad, ErrWrongKey},
		{"another key id", k, flip(5), aad, ErrWrongKey},
		{"the zero key", Key{}, box, aad, ErrWrongKey},
		{"a nonce changed", k, flip(20), aad, ErrAltered},
		{"a text changed", k, flip(32), aad, ErrAltered},
		{"a tag changed", k, flip(len(box) - 1), aad, ErrAltered},
		{"a tail cut", k, box[:len(box)-1], aad, ErrAltered},
		{"a tail added", k, append(bytes.Clone(box), 0), aad, ErrAltered},
		{"another row", k, box, At("relationships", "reason", ids.New()), ErrAltered},
		{"another column", k, box, At("relationships", "remark", row), ErrAltered},
		{"another table", k, box, At("approvals", "reason", row), ErrAltered},
		{"no place", k, box, nil, ErrAltered},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.key.Open(tt.box, tt.aad)
			if !errors.Is(err, tt.want) || got != "" {
				t.Errorf("got %q, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// A box under a key that has the bytes of another and its own id does not pass for the other's.
func TestTheHeadIsAuthenticated(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	first, second := newKey(ids.New(), secret), newKey(ids.New(), secret)
	box := first.Seal(reason, nil)
	id := second.ID()
	copy(box[1:], id[:])
	if _, err := second.Open(box, nil); !errors.Is(err, ErrAltered) {
		t.Errorf("got %v", err)
	}
}

func TestPlacesDiffer(t *testing.T) {
	row := ids.New()
	seen := map[string]string{}
	for _, place := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}} {
		at := string(At(place[0], place[1], row))
		if was, ok := seen[at]; ok {
			t.Errorf("%q and %s are one place", place, was)
		}
		seen[at] = fmt.Sprint(place)
	}
}

func TestUnwrapRefuses(t *testing.T) {
	m, _ := newMaster(t)
	other, _ := newMaster(t)
	k, subject, wrapped := newDataKey(t, m)
	changed := bytes.Clone(wrapped)
	changed[len(changed)-1] ^= 1
	short, err := m.aead.Encrypt([]byte("no 32 bytes"), owner(k.ID(), subject))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name           string
		master         *Master
		keyID, subject im.ID
		wrapped        []byte
		want           error
	}{
		{"another master", other, k.ID(), subject, wrapped, ErrWrongKey},
		{"another row", m, ids.New(), subject, wrapped, ErrWrongKey},
		{"another subject", m, k.ID(), ids.New(), wrapped, ErrWrongKey},
		{"row and subject swapped", m, subject, k.ID(), wrapped, ErrWrongKey},
		{"changed", m, k.ID(), subject, changed, ErrWrongKey},
		{"nothing", m, k.ID(), subject, nil, ErrWrongKey},
		{"a key of another length", m, k.ID(), subject, short, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.master.Unwrap(tt.keyID, tt.subject, tt.wrapped); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestKeysNeedIDs(t *testing.T) {
	m, _ := newMaster(t)
	for _, tt := range []struct{ keyID, subject im.ID }{{im.ID{}, ids.New()}, {ids.New(), im.ID{}}} {
		if _, _, err := m.NewKey(tt.keyID, tt.subject); err == nil {
			t.Errorf("a key %s of subject %s", tt.keyID, tt.subject)
		}
	}
	if _, err := m.Wrap(Key{}, ids.New()); err == nil {
		t.Error("wrapped the zero key")
	}
}

func TestSealWithNoKeyPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("sealed with no key")
		}
	}()
	Key{}.Seal(reason, nil)
}

// After a rotation old wraps open, new ones are under the new key, and a key wrapped anew outlives the old one.
func TestRotation(t *testing.T) {
	old, ks := newMaster(t)
	k, subject, wrapped := newDataKey(t, old)
	box := k.Seal(reason, nil)

	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(ks)))
	if err != nil {
		t.Fatal(err)
	}
	first, err := handle.Primary()
	if err != nil {
		t.Fatal(err)
	}
	manager := keyset.NewManagerFromHandle(handle)
	second, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.SetPrimary(second); err != nil {
		t.Fatal(err)
	}
	reopen := func() *Master {
		t.Helper()
		handle, err := manager.Handle()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&b)); err != nil {
			t.Fatal(err)
		}
		m, err := Open(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}

	rotated := reopen()
	unwrapped, err := rotated.Unwrap(k.ID(), subject, wrapped)
	if err != nil {
		t.Fatalf("an old wrap: %v", err)
	}
	rewrapped, err := rotated.Wrap(unwrapped, subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unwrap(k.ID(), subject, rewrapped); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the old master opens a new wrap: %v", err)
	}

	if err := manager.Delete(first.KeyID()); err != nil {
		t.Fatal(err)
	}
	left := reopen()
	if _, err := left.Unwrap(k.ID(), subject, wrapped); !errors.Is(err, ErrWrongKey) {
		t.Errorf("an old wrap without the old key: %v", err)
	}
	last, err := left.Unwrap(k.ID(), subject, rewrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := last.Open(box, nil); err != nil || got != reason {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenKeysetRefuses(t *testing.T) {
	handle, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	var macs bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&macs)); err != nil {
		t.Fatal(err)
	}
	_, ks := newMaster(t)
	for name, text := range map[string]string{
		"nothing":               "",
		"no JSON":               "canary-secret",
		"no keyset":             `{"canary-secret": 1}`,
		"no keys":               `{"primaryKeyId": 1, "key": []}`,
		"keys for another use":  macs.String(),
		"a primary that is off": strings.Replace(string(ks), "ENABLED", "DISABLED", 1),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Open([]byte(text))
			if !errors.Is(err, ErrMalformed) || m != nil {
				t.Fatalf("got %v, %v", m, err)
			}
			if strings.Contains(err.Error(), "canary-secret") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestDemo(t *testing.T) {
	k, subject, wrapped := newDataKey(t, Demo())
	if _, err := Demo().Unwrap(k.ID(), subject, wrapped); err != nil {
		t.Errorf("a demo started again: %v", err)
	}
	_, ks := newMaster(t)
	tests := []struct {
		name   string
		keyset string
		want   bool
	}{
		{"as it is", demoKeyset, true},
		{"laid out otherwise, with another key id",
			strings.NewReplacer("\n", "", "\t", "", `eyId": 1`, `eyId": 77`).Replace(demoKeyset), true},
		{"beside another key", strings.Replace(demoKeyset, `"key": [`, `"key": [`+key(t, ks)+`,`, 1), true},
		{"another", string(ks), false},
		{"no keyset", "{", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := IsDemo([]byte(tt.keyset)); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// key is the one key of a keyset, as JSON.
func key(t *testing.T, ks []byte) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(ks), `"key":[`)
	if !ok {
		t.Fatalf("no key in %s", ks)
	}
	return strings.TrimSuffix(strings.TrimSpace(rest), "]}")
}

func TestMAC(t *testing.T) {
	m, _ := newMaster(t)
	k, subject, wrapped := newDataKey(t, m)
	other, _, _ := newDataKey(t, m)
	again, err := m.Unwrap(k.ID(), subject, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	mac := k.MAC([]byte(reason))
	if !bytes.Equal(mac, again.MAC([]byte(reason))) {
		t.Error("it changes over a restart")
	}
	if bytes.Equal(mac, other.MAC([]byte(reason))) || bytes.Equal(mac, k.MAC([]byte(reason+"!"))) {
		t.Error("another key or another text gives the same")
	}
	defer func() {
		if recover() == nil {
			t.Error("hashed with no key")
		}
	}()
	Key{}.MAC([]byte(reason))
}

// Whatever prints a key or a master, and however, the secret stays out.
func TestSecretsDoNotPrint(t *testing.T) {
	secret := []byte("canary-canary-canary-canary-cana")
	k := newKey(ids.New(), secret)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("key", "key", k, "in", struct{ Key Key }{k}, "master", Demo())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", struct{ K Key }{k})
		fmt.Fprintf(&out, verb+"\n", struct{ k *Key }{&k}) // methods of hidden fields are not called
		fmt.Fprintf(&out, verb+"\n", Demo())
	}
	for _, s := range [][]byte{secret, []byte(demoSecret)} {
		for _, form := range []string{string(s), fmt.Sprintf("%x", s), fmt.Sprint(s[:8])[1:20]} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s is in\n%s", form, out.String())
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, _, _ := newDataKey(f, Demo())
	aad := []byte("place")
	box := k.Seal(reason, aad)
	for _, b := range [][]byte{nil, {1}, box, box[:17], box[:45], append([]byte{2}, box[1:]...)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := k.Open(b, aad)
		switch {
		case err == nil && text != reason:
			t.Errorf("a forged box opened: %q", text)
		case err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrWrongKey) && !errors.Is(err, ErrAltered):
			t.Errorf("an error of another kind: %v", err)
		}
	})
}

func FuzzKeyset(f *testing.F) {
	f.Add([]byte(demoKeyset))
	f.Add([]byte(`{"primaryKeyId":1,"key":[{}]}`))
	f.Fuzz(func(t *testing.T, ks []byte) {
		if _, err := Open(ks); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("an error of another kind: %v", err)
		}
		IsDemo(ks)
	})
}
