package memory

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
)

// World is the platform: people, contacts, and what goes wrong. All of it happens under one lock.
type World struct {
	mu          sync.Mutex
	secret      string
	members     []adapters.Member
	departments []adapters.Department
	contacts    []*contact
	tags        map[adapters.TagID]adapters.Tag
	effects     map[adapters.Key]int
	told        map[adapters.MemberID][]string
	toldKeys    map[adapters.Key]bool
	current     Token
	issued      int
	trouble     *Trouble
}

// Token is what the world gives for the secret, and takes until it expires.
type Token int

type contact struct {
	adapters.Contact
	follows map[adapters.MemberID]*follow
}

type follow struct {
	adapters.Follow
	listed bool
}

// Codes are the world's errors.
var Codes = map[string]adapters.Code{
	"E400": adapters.InvalidArgument, "E401": adapters.Unauthenticated, "E404": adapters.NotFound,
	"E429": adapters.RateLimited, "E503": adapters.Unavailable, expired: adapters.Unauthenticated,
}

const expired = "E419"

// Trouble is how the world refuses, and what can be armed to go wrong.
type Trouble struct {
	Code       adapters.Code
	Vendor     string
	RetryAfter time.Duration
	// LoseAnswer lets the next change happen and loses the word of it. Stall answers no call. Otherwise every call
	// is refused with Code.
	LoseAnswer, Stall bool
}

func (t *Trouble) Error() string { return fmt.Sprintf("%s %s", t.Vendor, t.Code) }

// New makes a world. Its contacts' tags are its tag library.
func New(secret string, members []adapters.Member, departments []adapters.Department, contacts []adapters.Contact) *World {
	w := &World{secret: secret, members: members, departments: departments, tags: map[adapters.TagID]adapters.Tag{}, effects: map[adapters.Key]int{},
		told: map[adapters.MemberID][]string{}, toldKeys: map[adapters.Key]bool{}}
	for _, c := range contacts {
		k := &contact{Contact: c, follows: map[adapters.MemberID]*follow{}}
		for _, f := range c.Follows {
			k.follows[f.Member] = &follow{Follow: f}
			for _, t := range f.Tags {
				w.tags[t.ID] = t
			}
		}
		w.contacts = append(w.contacts, k)
	}
	return w
}

// Arm lets things go wrong; nil heals them.
func (w *World) Arm(t *Trouble) { w.mu.Lock(); defer w.mu.Unlock(); w.trouble = t }

// Expire makes every token stale.
func (w *World) Expire() { w.mu.Lock(); defer w.mu.Unlock(); w.current++ }

// Issued counts the tokens given.
func (w *World) Issued() int { w.mu.Lock(); defer w.mu.Unlock(); return w.issued }

// Effects counts what a key changed.
func (w *World) Effects(k adapters.Key) int { w.mu.Lock(); defer w.mu.Unlock(); return w.effects[k] }

// Told is what a member was told, the oldest first.
func (w *World) Told(id adapters.MemberID) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told[id])
}

// tell tells a member something, once for a key. The lock is held.
func (w *World) tell(k adapters.Key, id adapters.MemberID, text string) (changed bool, _ error) {
	if !slices.ContainsFunc(w.members, func(m adapters.Member) bool { return m.ID == id }) {
		return false, &Trouble{Code: adapters.NotFound, Vendor: "E404"}
	}
	if w.toldKeys[k] {
		return false, nil
	}
	w.toldKeys[k] = true
	w.told[id] = append(w.told[id], text)
	return true, w.effect(k)
}

func (w *World) issue(secret string) (Token, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if secret != w.secret {
		return 0, &Trouble{Code: adapters.Unauthenticated, Vendor: "E401"}
	}
	w.issued++
	w.current++
	return w.current, nil
}

// serve does one call under the lock.
func (w *World) serve(ctx context.Context, t Token, do func(Token) error) error {
	w.mu.Lock()
	if t != w.current {
		w.mu.Unlock()
		return &Trouble{Code: adapters.Unauthenticated, Vendor: expired}
	}
	tr := w.trouble
	if tr != nil && !tr.LoseAnswer {
		w.mu.Unlock()
		if !tr.Stall {
			return tr
		}
		<-ctx.Done()
		return &Trouble{Code: adapters.Unavailable} // it was not even begun
	}
	defer w.mu.Unlock()
	return do(t)
}

// effect counts a change, or loses the word of it. The lock is held.
func (w *World) effect(k adapters.Key) error {
	w.effects[k]++
	if t := w.trouble; t != nil && t.LoseAnswer {
		w.trouble = nil
		return &Trouble{Code: adapters.Indeterminate}
	}
	return nil
}

// follow is the owner's side of a contact. The lock is held.
func (w *World) follow(owner adapters.MemberID, id adapters.ContactID) (*follow, error) {
	for _, c := range w.contacts {
		if f := c.follows[owner]; c.ID == id && f != nil {
			return f, nil
		}
	}
	return nil, &Trouble{Code: adapters.NotFound, Vendor: "E404"}
}

func follows(c *contact) iter.Seq[*follow] { return maps.Values(c.follows) }

// as is the contact with these of its follows.
func (c *contact) as(fs ...*follow) adapters.Contact {
	out := c.Contact
	out.Follows = nil
	for _, f := range fs {
		out.Follows = append(out.Follows, f.Follow)
	}
	return out
}
