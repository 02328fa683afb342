package im

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// ID names one row: a UUIDv7, so that ids sort by the time they were made. The zero ID means "none" and is
// NULL in the store.
type ID [16]byte

// IsZero reports whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String is the canonical UUID text. Clients never see it: the API shows type-prefixed ids.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// ParseID reads what [ID.String] wrote.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("im: %d characters are no UUID", len(s))
	}
	compact := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return ID{}, fmt.Errorf("im: no UUID: %w", err)
	}
	return id, nil
}

// Value stores the ID as 16 bytes, the zero ID as NULL.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// Scan reads 16 bytes (SQLite), UUID text (PostgreSQL) or NULL.
func (id *ID) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*id = ID{}
		return nil
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
		return fmt.Errorf("im: an id of %d bytes", len(v))
	case string:
		p, err := ParseID(v)
		if err != nil {
			return err
		}
		*id = p
		return nil
	}
	return fmt.Errorf("im: an id from %T", src)
}

// MarshalText and UnmarshalText carry ids through JSON as UUID text; the zero ID is the empty string.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	p, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = p
	return nil
}

// IDs makes UUIDv7 from a clock that the caller owns. Ids of one IDs strictly increase, also within a
// millisecond and when the clock stands still. Safe for concurrent use.
type IDs struct {
	now  func() time.Time
	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
}

// NewIDs makes a source of ids that follows now.
func NewIDs(now func() time.Time) *IDs { return &IDs{now: now} }

// New makes the next id.
func (g *IDs) New() ID {
	t := g.now()
	ms := uint64(t.UnixMilli())
	tick := ms<<12 | uint64(t.Nanosecond()%int(time.Millisecond))>>8 // the part below a millisecond in 256 ns steps
	g.mu.Lock()
	if tick <= g.last {
		tick = g.last + 1
	}
	g.last = tick
	g.mu.Unlock()

	var id ID
	binary.BigEndian.PutUint64(id[:8], tick>>12<<16|0x7000|tick&0x0fff)
	_, _ = rand.Read(id[8:]) // crypto/rand.Read never fails: it ends the process instead
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IDGrain is the grain of the time in an id.
const IDGrain = time.Millisecond

// IDAt is below every id that was made at t or later, and above every earlier one.
func IDAt(t time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return id
}

// Kind says what a reference points at.
type Kind string

// The kinds of things that have an ID. The values stand in the database.
const (
	KindMember       Kind = "member"
	KindContact      Kind = "contact"
	KindDepartment   Kind = "department"
	KindGroup        Kind = "group"
	KindAccount      Kind = "account"
	KindWorkspace    Kind = "workspace"
	KindRelationship Kind = "relationship"
	KindDecision     Kind = "decision"
	KindRule         Kind = "rule"
	KindApproval     Kind = "approval"
	KindAudit        Kind = "audit"
	KindAlert        Kind = "alert"
	KindOpportunity  Kind = "opportunity"
	KindService      Kind = "service"
	KindAPIKey       Kind = "api_key"
	KindIdentity     Kind = "identity"
	KindDevice       Kind = "device"
	KindMembership   Kind = "membership"
	KindMessage      Kind = "message"
	KindConversation Kind = "conversation" // an id that leads nowhere
)

// Company stands for a person where an event is about none: its data key is never destroyed.
var Company = ID{15: 2}

// Ref points at one thing of any kind. The zero Ref points at nothing.
type Ref struct {
	Kind Kind `json:"kind,omitempty"`
	ID   ID   `json:"id,omitzero"`
}

// IsZero reports whether the Ref points at nothing.
func (r Ref) IsZero() bool { return r.ID.IsZero() }
