package identity

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/authz"
	"github.com/guanxi-im/guanxi/internal/im"
)

const (
	// knownFor is how long a person is taken for what he was when he was read, where nothing says that he changed: what another
	// process wrote and told nobody of holds by then.
	knownFor = 500 * time.Millisecond
	// knownMost bounds the memory for people to a few megabytes.
	knownMost = 2000
)

// readAsOf is when, and of which state of things, somebody was read.
type readAsOf struct {
	read    time.Time
	version uint64
	engine  *authz.Engine
}

// asOf is what is read now. It is taken before rows are read: what changes meanwhile makes it old.
func (s *Service) asOf() readAsOf {
	return readAsOf{time.Now(), s.store.PeopleVersion() + s.heard.Load(), s.policy.Engine()}
}

// holds reports whether what was read then is as good as what would be read now.
func (r readAsOf) holds(now readAsOf) bool {
	return r.version == now.version && r.engine == now.engine && now.read.Sub(r.read) < knownFor
}

// person is who asked lately, with his rights. Who asks again and again is read once in a while instead of each time; a write of
// this process that may have changed somebody, and a word from another replica, have all read anew.
type person struct {
	viewer   im.Viewer
	standing im.Standing
	readAsOf
}

// knownKey is a key that was right lately, and who asks with it.
type knownKey struct {
	key    im.APIKey
	viewer im.Viewer
	readAsOf
}

// person reads whom a token names.
func (s *Service) person(ctx context.Context, account string) (p person, found bool, err error) {
	asOf := s.asOf()
	if p, ok := s.people.Get(account); ok && p.holds(asOf) {
		return p, true, nil
	}
	m, found, err := s.store.MemberByAccount(ctx, account)
	if err != nil || !found {
		return person{}, false, err
	}
	p = person{allowed(asOf.engine, im.Viewer{Member: m}), standing(m), asOf}
	s.people.Add(account, p)
	return p, true, nil
}

// Heard says that another replica has written something: nobody is known any more, and live sessions are looked after.
func (s *Service) Heard() {
	s.heard.Add(1)
	s.Wake()
}
