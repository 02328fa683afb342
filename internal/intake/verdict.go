package intake

import (
	"encoding/binary"
	"errors"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Verdict is what came of one row.
type Verdict struct {
	ID      im.ID // see im.RowOf
	Line    int
	Verdict im.RowVerdict
	Subject im.Ref       // what the row made, changed or left as it was
	Note    *fault.Error // of a refused row why; of another what is to be known
	Text    string       // of a refused row, as the file has it
}

var verdicts = []im.RowVerdict{im.RowAccepted, im.RowRejected, im.RowUnchanged, im.RowInReview, im.RowWaiting}

var subjects = []im.Kind{"", im.KindMember, im.KindContact, im.KindDepartment, im.KindGroup, im.KindAccount, im.KindWorkspace, im.KindOpportunity,
	im.KindRelationship}

func place[T comparable](all []T, one T) byte {
	for i, x := range all {
		if x == one {
			return byte(i)
		}
	}
	return 0
}

// Pack writes the verdicts of a batch in some 18 bytes a row: two million rows are 40 MB and not two million rows.
// Notes are kept apart, for few rows have one.
func Pack(vs []Verdict) []byte {
	b := make([]byte, 0, 20*len(vs))
	last := 0
	for _, v := range vs {
		b = binary.AppendUvarint(b, uint64(v.Line-last))
		last = v.Line
		kind := place(subjects, v.Subject.Kind)
		if v.Subject.IsZero() {
			kind = 0
		}
		b = append(b, place(verdicts, v.Verdict)<<4|kind)
		if kind != 0 {
			b = append(b, v.Subject.ID[:]...)
		}
	}
	return b
}

// Unpack reads what Pack wrote for a batch.
func Unpack(batch im.ID, b []byte) ([]Verdict, error) {
	var out []Verdict
	for last := 0; len(b) > 0; {
		delta, n := binary.Uvarint(b)
		if n <= 0 || n >= len(b) || delta > 1<<40 {
			return nil, errTorn
		}
		last += int(delta)
		v := Verdict{ID: im.RowOf(batch, len(out)), Line: last}
		kind, verdict := b[n]&15, b[n]>>4
		b = b[n+1:]
		if int(kind) >= len(subjects) || int(verdict) >= len(verdicts) || kind != 0 && len(b) < len(v.Subject.ID) {
			return nil, errTorn
		}
		v.Verdict = verdicts[verdict]
		if kind != 0 {
			v.Subject.Kind = subjects[kind]
			copy(v.Subject.ID[:], b)
			b = b[len(v.Subject.ID):]
		}
		out = append(out, v)
	}
	return out, nil
}

var errTorn = errors.New("intake: the verdicts of a batch are torn")

// said remembers which keys a file has named, as hashes of eight bytes in an open table. A file that says two things of
// one would else never come to rest: each time it would be changed, and changed back.
type said struct {
	slots []uint64 // 0 is free
	used  int
}

// saidMax bounds what is remembered to 128 MB; of what comes after that, the last word holds.
const saidMax = 1 << 24

// again notes a key by its hash, and reports whether it was there.
func (s *said) again(hash uint64) bool {
	hash |= 1
	if s.used*4 >= len(s.slots)*3 {
		if len(s.slots) >= saidMax {
			return false
		}
		old := s.slots
		s.slots, s.used = make([]uint64, max(1<<12, 2*len(old))), 0
		for _, h := range old {
			if h != 0 {
				s.again(h)
			}
		}
	}
	for i := hash >> 32; ; i++ {
		switch x := &s.slots[i&uint64(len(s.slots)-1)]; *x {
		case 0:
			*x = hash
			s.used++
			return false
		case hash:
			return true
		}
	}
}
