// Package audit is the trail: reading it, and the chain of hashes that shows whether anyone has touched it. Events are
// inserted unlinked, in the transaction of what they tell of; the sealer links them afterwards.
package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
)

// Filter narrows a list of events; zero fields do not.
type Filter struct {
	ActorID     im.ID
	SubjectID   im.ID // the event's subject, or the person or contact that it is about
	Actions     []string
	From, Until time.Time // from up to, not including, until
	WorkspaceID im.ID
	Outcome     im.Outcome
	// Shut leaves out the texts that lie sealed, of actors and subjects and what was said: nobody asks for them.
	Shut bool
}

// Newest is the order of lists of events.
const Newest = "audit.newest"

// Store is what the trail is read from.
type Store interface {
	ListEvents(ctx context.Context, v im.Viewer, f Filter, r page.Request) (page.Result[im.AuditEvent], error)
	// HistoryOf is what was done to accounts or relationships, and ReadingsOf who read what about members.
	HistoryOf(ctx context.Context, v im.Viewer, kind im.Kind, ids []im.ID, r page.Request) (map[im.ID]page.Result[im.AuditEvent], error)
	ReadingsOf(ctx context.Context, v im.Viewer, members []im.ID, r page.Request) (map[im.ID]page.Result[im.AuditEvent], error)
	Events(ctx context.Context, v im.Viewer, ids []im.ID) (map[im.ID]im.AuditEvent, error)
}

// Record is an event as it lies in the store: what names people is still sealed, so that the chain also verifies
// after a person was erased.
type Record struct {
	ID          im.ID
	At          int64 // microseconds since 1970
	Actor       im.Ref
	ActorName   []byte
	Action      string
	Outcome     string
	Subject     im.Ref
	About       im.ID
	SubjectName []byte
	Detail      []byte
	WorkspaceID im.ID
	DecisionID  im.ID
	RequestID   string
	Prevented   string

	Sequence int64
	Hash     []byte
	Previous []byte
}

// The version is hashed first: another encoding of records gets another one.
const (
	chainVersion     = 1
	chainOfPrevented = 2 // with what prevented it; of what nothing prevented the hash stays as it was before there was such a thing
)

// Link is the hash of a record at its place in the chain: SHA-256 over version, sequence, previous hash and every
// column, each with its length.
func (r Record) Link(sequence int64, previous []byte) []byte {
	h := sha256.New()
	var n [8]byte
	field := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		_, _ = h.Write(n[:]) // a hash never fails
		_, _ = h.Write(b)
	}
	number := func(v int64) { field(binary.BigEndian.AppendUint64(nil, uint64(v))) }
	version := int64(chainVersion)
	if r.Prevented != "" {
		version = chainOfPrevented
	}
	number(version)
	number(sequence)
	field(previous)
	field(r.ID[:])
	number(r.At)
	field([]byte(r.Actor.Kind))
	field(r.Actor.ID[:])
	field(r.ActorName)
	field([]byte(r.Action))
	field([]byte(r.Outcome))
	field([]byte(r.Subject.Kind))
	field(r.Subject.ID[:])
	field(r.About[:])
	field(r.SubjectName)
	field(r.Detail)
	field(r.WorkspaceID[:])
	field(r.DecisionID[:])
	field([]byte(r.RequestID))
	if r.Prevented != "" {
		field([]byte(r.Prevented))
	}
	return h.Sum(nil)
}

// Genesis is the previous hash of the first event.
var Genesis = make([]byte, sha256.Size)

// Broken is the first place where the chain does not hold.
type Broken struct {
	Sequence int64 // the place
	ID       im.ID // the event that stands there; zero where none does
	What     string
}

// Error has no id: people know events by those of the API.
func (b *Broken) Error() string { return fmt.Sprintf("event %d: %s", b.Sequence, b.What) }

// Report is what a verification found.
type Report struct {
	Sealed   int64  // events in the chain
	Unsealed int64  // events that wait for the sealer
	Head     []byte // the hash of the last one
	// Checkpoints that the chain agrees with.
	Checkpoints int
}

// Chain gives every record of the store in the order of the chain, counts the unsealed, and says where it stands.
type Chain interface {
	Sealed(ctx context.Context, after int64, limit int) ([]Record, error)
	Unsealed(ctx context.Context) (int64, error)
	Head(ctx context.Context) (Head, error)
}

// Verify walks the whole chain, and holds it against the checkpoints. Its error is a *[Broken] where it does not hold.
func Verify(ctx context.Context, c Chain, marks []Checkpoint) (Report, error) {
	const step = 2000
	rep := Report{Head: Genesis}
	if len(marks) > 0 {
		h, err := c.Head(ctx)
		if err != nil {
			return rep, err
		}
		for _, m := range marks {
			if m.Epoch != h.Epoch {
				return rep, &Broken{Sequence: m.Sequence, What: "has a checkpoint of another database: this one was made anew"}
			}
		}
	}
	marks = slices.Clone(marks)
	slices.SortStableFunc(marks, func(a, b Checkpoint) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for {
		rs, err := c.Sealed(ctx, rep.Sealed, step)
		if err != nil {
			return rep, err
		}
		for _, r := range rs {
			switch want := rep.Sealed + 1; {
			case r.Sequence != want:
				return rep, &Broken{Sequence: want, What: fmt.Sprintf("is missing; the next one is %d", r.Sequence)}
			case string(r.Previous) != string(rep.Head):
				return rep, &Broken{Sequence: want, ID: r.ID, What: "does not link to the one before it"}
			case string(r.Hash) != string(r.Link(want, rep.Head)):
				return rep, &Broken{Sequence: want, ID: r.ID, What: "was altered: its hash is not that of what stands in it"}
			}
			rep.Sealed, rep.Head = r.Sequence, r.Hash
			for ; len(marks) > 0 && marks[0].Sequence <= rep.Sealed; marks = marks[1:] {
				if m := marks[0]; m.Sequence != rep.Sealed || string(m.Hash) != string(rep.Head) {
					return rep, &Broken{Sequence: r.Sequence, ID: r.ID, What: "is not what its checkpoint of " + m.At.Format(time.RFC3339) + " signed: it, or one before it, was rewritten"}
				}
				rep.Checkpoints++
			}
		}
		if len(rs) < step {
			break
		}
	}
	if len(marks) > 0 {
		m := marks[0]
		return rep, &Broken{Sequence: m.Sequence, What: fmt.Sprintf("is missing, though a checkpoint of %s signed it: the chain ends at %d", m.At.Format(time.RFC3339), rep.Sealed)}
	}
	n, err := c.Unsealed(ctx)
	rep.Unsealed = n
	return rep, err
}
