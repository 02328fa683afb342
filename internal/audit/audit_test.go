package audit

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/guanxi-im/guanxi/internal/im"
)

// trail is a chain in memory.
type trail struct {
	rs       []Record
	unsealed int64
}

func (t trail) Sealed(_ context.Context, after int64, limit int) (out []Record, err error) {
	for _, r := range t.rs {
		if r.Sequence > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (t trail) Head(context.Context) (Head, error) {
	h := Head{Epoch: "e1", Hash: Genesis}
	if n := len(t.rs); n > 0 {
		h.Sequence, h.Hash = t.rs[n-1].Sequence, t.rs[n-1].Hash
	}
	return h, nil
}

func (t trail) Unsealed(context.Context) (int64, error) { return t.unsealed, nil }

// linked is a chain of n events that holds.
func linked(n int) (t trail) {
	last := Genesis
	for i := range n {
		r := Record{ID: im.ID{byte(i), byte(i >> 8), 1}, At: int64(i), Actor: im.Ref{Kind: im.KindMember, ID: im.ID{7}}, ActorName: []byte("a"),
			Action: "block", Outcome: "ALLOW", Subject: im.Ref{Kind: im.KindRelationship, ID: im.ID{8}}, About: im.ID{9}, SubjectName: []byte("s"),
			Detail: []byte("d"), WorkspaceID: im.ID{10}, DecisionID: im.ID{11}, RequestID: "r", Sequence: int64(i + 1), Previous: last}
		if i%3 == 1 {
			r.Prevented = "CONFLICT"
		}
		r.Hash = r.Link(r.Sequence, last)
		last = r.Hash
		t.rs = append(t.rs, r)
	}
	return t
}

func TestVerify(t *testing.T) {
	for _, n := range []int{0, 1, 1999, 2000, 2001, 4000} { // steps of 2000
		c := linked(n)
		c.unsealed = 3
		rep, err := Verify(t.Context(), c, nil)
		if err != nil || rep.Sealed != int64(n) || rep.Unsealed != 3 {
			t.Errorf("%d events: %+v, %v", n, rep, err)
		}
		if n > 0 && string(rep.Head) != string(c.rs[n-1].Hash) {
			t.Errorf("%d events: the head is not the last", n)
		}
	}
}

func TestVerifyFinds(t *testing.T) {
	const n = 2500
	for name, c := range map[string]struct {
		do func(rs []Record) []Record
		at int64
	}{
		"a missing event":       {func(rs []Record) []Record { return append(rs[:2100:2100], rs[2101:]...) }, 2101},
		"a missing first event": {func(rs []Record) []Record { return rs[1:] }, 1},
		"two that change places": {func(rs []Record) []Record {
			rs[4], rs[5] = rs[5], rs[4]
			rs[4].Sequence, rs[5].Sequence = 5, 6
			return rs
		}, 5},
		"links that change places": {func(rs []Record) []Record {
			rs[4].Hash, rs[5].Hash = rs[5].Hash, rs[4].Hash
			rs[4].Previous, rs[5].Previous = rs[5].Previous, rs[4].Previous
			return rs
		}, 5},
		"a hash of its own": {func(rs []Record) []Record {
			rs[4].Detail = []byte("x")
			rs[4].Hash = rs[4].Link(5, rs[4].Previous)
			return rs
		}, 6},
		"a number twice": {func(rs []Record) []Record { rs[5].Sequence = 5; return rs }, 6},
		"no link":        {func(rs []Record) []Record { rs[0].Previous = nil; return rs }, 1},
	} {
		_, err := Verify(t.Context(), trail{rs: c.do(linked(n).rs)}, nil)
		if b, ok := errors.AsType[*Broken](err); !ok || b.Sequence != c.at {
			t.Errorf("%s: %v; want event %d", name, err, c.at)
		}
	}
}

// Every column is under the hash, and no byte can move from one to the next.
func TestLinkCoversEverything(t *testing.T) {
	r := linked(1).rs[0]
	base := string(r.Link(1, Genesis))
	if string(r.Link(2, Genesis)) == base || string(r.Link(1, r.Hash)) == base {
		t.Error("place or previous hash are not under the hash")
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Sequence" || name == "Hash" || name == "Previous" { // given to Link
			continue
		}
		x := r
		f := reflect.ValueOf(&x).Elem().Field(i)
		switch p := f.Addr().Interface().(type) {
		case *im.ID:
			p[15] ^= 1
		case *int64:
			*p ^= 1
		case *string:
			*p += "x"
		case *[]byte:
			*p = append([]byte("x"), *p...)
		case *im.Ref:
			y := x
			p.Kind += "x"
			if string(x.Link(1, Genesis)) == base {
				t.Errorf("the kind of %s is not under the hash", name)
			}
			x = y
			p.ID[0] ^= 1
		default:
			t.Fatalf("%s: a column of a type that this test does not know", name)
		}
		if string(x.Link(1, Genesis)) == base {
			t.Errorf("%s is not under the hash", name)
		}
	}
	a, b := r, r
	a.Action, a.Outcome = "block", "ALLOW"
	b.Action, b.Outcome = "blockA", "LLOW"
	if string(a.Link(1, Genesis)) == string(b.Link(1, Genesis)) {
		t.Error("a byte can move from one column to the next")
	}
}
