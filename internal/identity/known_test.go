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
