package identity

import (
	"context"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// desk is a directory that changes, and counts who is read.
type desk struct {
	people
	reads   int
	version uint64
	during  func() // a read
}

func (d *desk) MemberByAccount(ctx context.Context, account string) (im.Member, bool, error) {
	d.reads++
	m, found, err := d.people.MemberByAccount(ctx, account)
	if d.during != nil {
		d.during()
	}
	return m, found, err
}

func (d *desk) PeopleVersion() uint64 { return d.version }

// Who asks again at once is not read again, unless something was written, here or elsewhere, or time has passed.
func TestKnown(t *testing.T) {
	s, d := service(t, ours), &desk{people: people{"wangfang004": directoryOf["wangfang004"]}}
	s.store = d
	token := sign(t, jwt.SigningMethodHS256, ours.Secret, claims())
	ask := func(what string, reads int, in bool) {
		t.Helper()
		at, err := s.Authenticate(t.Context(), token)
		if in != (err == nil) || !in && !fault.Is(err, fault.Unauthenticated) || in && at.Viewer.Member.AccountName != "wangfang004" {
			t.Errorf("%s: %+v, %v", what, at.Viewer.Member, err)
		}
		if d.reads != reads {
			t.Errorf("%s: read %d times, want %d", what, d.reads, reads)
		}
	}
	ask("the first time", 1, true)
	ask("again", 1, true)
	s.policy = service(t, ours).policy
	ask("under other rules", 2, true)
	s.Heard()
	ask("another replica wrote", 3, true)

	m := d.people["wangfang004"]
	m.Employment = im.Departed
	d.people["wangfang004"] = m
	ask("he left behind our back", 3, true)
	time.Sleep(knownFor)
	ask("a moment later", 4, false)

	m.Employment = im.Employed
	d.people["wangfang004"] = m
	d.version++
	ask("he is back", 5, true)
	m.ValidFrom = now.Add(time.Second)
	d.people["wangfang004"] = m
	d.version++
	ask("his sessions were ended here", 6, false)

	// A write that was committed while he was read is not overlooked.
	m.ValidFrom = time.Time{}
	d.people["wangfang004"] = m
	d.version++
	d.during = func() { d.version++ }
	ask("written to while he is read", 7, true)
	d.during = nil
	ask("and read anew", 8, true)
}

// keyring is a store of one key, and counts how often it is read.
type keyring struct {
	desk
	key  im.APIKey
	keys int
}

func (k *keyring) KeyByPrefix(_ context.Context, prefix string) (im.APIKey, bool, error) {
	k.keys++
	return k.key, prefix == k.key.Prefix, nil
}

func (k *keyring) UsedKey(_ context.Context, _ im.ID, now, _ time.Time) error {
	k.key.LastUsedAt = now
	return nil
}

// A key that was right is not read again at once, unless something was written, here or elsewhere, or time has passed.
func TestKeysAreKnown(t *testing.T) {
	s := service(t, ours)
	prefix, text, hash := newKey()
	k := &keyring{key: im.APIKey{ID: im.ID{1}, ServiceName: "crm", Prefix: prefix, Hash: hash, Scopes: []string{"service:check"}}}
	s.store = k
	ask := func(what, text string, reads int, in bool) {
		t.Helper()
		at, err := s.AuthenticateKey(t.Context(), text)
		if in != (err == nil) || !in && !fault.Is(err, fault.Unauthenticated) || in && at.Viewer.Service.Name != "crm" {
			t.Errorf("%s: %+v, %v", what, at.Viewer.Service, err)
		}
		if k.keys != reads {
			t.Errorf("%s: read %d times, want %d", what, k.keys, reads)
		}
	}
	ask("the first time, which is noted", text, 1, true)
	ask("the second time", text, 2, true)
	ask("again", text, 2, true)
	last := text[len(text)-2:] // the very last letter stands for fewer bits
	other := text[:len(text)-2] + map[bool]string{true: "B", false: "A"}[last[0] == 'A'] + last[1:]
	ask("another secret of the same prefix", other, 3, false)
	ask("and once more", other, 4, false)
	s.policy = service(t, ours).policy
	ask("under other rules", text, 5, true)
	s.Heard()
	ask("another replica wrote", text, 6, true)

	k.key.RevokedAt = now.Add(-time.Second)
	ask("revoked behind our back", text, 6, true)
	k.version++
	ask("a write of this process is noticed", text, 7, false)
	ask("and stays so", text, 8, false)

	k.key.RevokedAt, k.key.ExpiresAt = time.Time{}, now
	k.version++
	ask("ended by itself", text, 9, false)
	k.key.ExpiresAt = time.Time{}
	k.version++
	ask("it holds", text, 10, true)
	time.Sleep(knownFor)
	ask("a moment later", text, 11, true)
}
