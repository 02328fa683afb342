// Package page is how long lists are read: by keyset, in pages that survive inserts and deletes.
package page

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Sizes of pages.
const (
	DefaultSize = 20
	MaxSize     = 100
	// CountMax is how far totalCount is exact; beyond it is unknown.
	CountMax = 100_000
)

// Position is a row's place in an order: its sort key, and its id to break ties. Orders by id alone have no key.
type Position struct {
	Key string
	ID  im.ID
}

// Request asks for one page of an order.
type Request struct {
	Order    string // names the order; a cursor of another one is refused
	Size     int
	Backward bool
	From     *Position // exclusive; nil: from the end that the direction starts at
	Count    bool      // also count all rows
}

// Args are the paging arguments of a list as clients give them.
type Args struct {
	First  *int
	After  *string
	Last   *int
	Before *string
}

// Parse checks the arguments. Faults are BAD_USER_INPUT.
func Parse(order string, a Args, count bool) (Request, error) {
	r := Request{Order: order, Size: DefaultSize, Count: count}
	forward, backward := a.First != nil || a.After != nil, a.Last != nil || a.Before != nil
	if forward && backward {
		return r, fault.New(fault.BadUserInput, "page_both")
	}
	r.Backward = backward
	for name, n := range map[string]*int{"first": a.First, "last": a.Last} {
		if n == nil {
			continue
		}
		if *n < 0 || *n > MaxSize {
			return r, fault.New(fault.BadUserInput, "page_size", name, strconv.Itoa(MaxSize), strconv.Itoa(*n))
		}
		r.Size = *n
	}
	for _, c := range []*string{a.After, a.Before} {
		if c == nil {
			continue
		}
		p, err := Decode(order, *c)
		if err != nil {
			return r, err
		}
		r.From = &p
	}
	return r, nil
}

// Result is one page.
type Result[T any] struct {
	Nodes       []T
	Order       string
	At          []Position // of the nodes
	HasNext     bool
	HasPrevious bool
	Total       *int // nil: not asked for, or more than CountMax
}

// Trim makes a page of the rows that a query for r.Size+1 gave, in the direction of r.
func Trim[T any](r Request, rows []T, at []Position) Result[T] {
	more := len(rows) > r.Size
	if more {
		rows, at = rows[:r.Size], at[:r.Size]
	}
	out := Result[T]{Nodes: rows, Order: r.Order, At: at, HasNext: more, HasPrevious: r.From != nil}
	if r.Backward {
		slices.Reverse(rows)
		slices.Reverse(at)
		out.HasNext, out.HasPrevious = r.From != nil, more
	}
	return out
}

// Cursor is that of the i-th node.
func (r Result[T]) Cursor(i int) string { return Encode(r.Order, r.At[i]) }

// Map makes a page of other things, one for one.
func Map[T, U any](r Result[T], f func(T) U) Result[U] {
	out := Result[U]{Order: r.Order, At: r.At, HasNext: r.HasNext, HasPrevious: r.HasPrevious, Total: r.Total}
	out.Nodes = make([]U, len(r.Nodes))
	for i, n := range r.Nodes {
		out.Nodes[i] = f(n)
	}
	return out
}

const (
	cursorVersion = 1
	// cursorMax is longer than any cursor of ours: a sort key has at most 400 bytes.
	cursorMax = 1024
)

// Encode makes the opaque cursor of a position: version, order, key, id and a checksum.
func Encode(order string, p Position) string {
	b := make([]byte, 0, 32+len(p.Key))
	b = append(b, cursorVersion)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(order)))
	b = append(b, p.ID[:]...)
	b = append(b, p.Key...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads what Encode wrote for the same order. Anything else is BAD_USER_INPUT.
func Decode(order, s string) (Position, error) {
	var p Position
	bad := fault.New(fault.BadUserInput, "cursor_malformed")
	if len(s) > cursorMax {
		return p, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	const least = 1 + 4 + 16 + 4
	if err != nil || len(b) < least || b[0] != cursorVersion {
		return p, bad
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum || binary.BigEndian.Uint32(body[1:5]) != crc32.ChecksumIEEE([]byte(order)) {
		return p, bad
	}
	copy(p.ID[:], body[5:21])
	p.Key = string(body[21:])
	if !utf8.ValidString(p.Key) || strings.ContainsRune(p.Key, 0) { // no key of ours; a checksum is no signature
		return Position{}, bad
	}
	return p, nil
}
