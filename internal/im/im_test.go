package im

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestIDsIncrease(t *testing.T) {
	start := time.Date(2026, 11, 20, 1, 30, 0, 999_999_999, time.UTC)
	for name, now := range map[string]func() time.Time{
		"a clock that stands":     func() time.Time { return start },
		"a clock that goes":       time.Now,
		"a clock that runs back":  backwards(start),
		"a moment of a long past": func() time.Time { return time.UnixMilli(0) },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewIDs(now)
			const workers, each = 8, 3000 // more than a millisecond's counter holds
			made := make([][]ID, workers)
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for range each {
						made[w] = append(made[w], g.New())
					}
				})
			}
			wg.Wait()
			seen := map[ID]bool{}
			for _, ids := range made {
				if !slices.IsSortedFunc(ids, func(a, b ID) int { return bytes.Compare(a[:8], b[:8]) }) {
					t.Error("ids of one goroutine do not increase")
				}
				for _, id := range ids {
					if seen[ID(append(bytes.Clone(id[:8]), make([]byte, 8)...))] {
						t.Fatal("two ids share their time and counter")
					}
					seen[ID(append(bytes.Clone(id[:8]), make([]byte, 8)...))] = true
				}
			}
		})
	}
}

// backwards is a clock that is set back by a second at each look.
func backwards(t time.Time) func() time.Time {
	var mu sync.Mutex
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		t = t.Add(-time.Second)
		return t
	}
}

func TestIDsAreUUIDv7(t *testing.T) {
	now := time.Date(2026, 11, 20, 1, 30, 0, 123_000_000, time.UTC)
	id := NewIDs(func() time.Time { return now }).New()
	u, err := uuid.Parse(id.String())
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		t.Fatalf("%s: version %d, variant %s: %v", id, u.Version(), u.Variant(), err)
	}
	sec, nsec := u.Time().UnixTime()
	if got := time.Unix(sec, nsec); !got.Equal(now) {
		t.Errorf("its time is %s, not %s", got, now)
	}
	back, err := ParseID(id.String())
	if err != nil || back != id {
		t.Errorf("%s reads as %s: %v", id, back, err)
	}
}

// What is made at a moment lies at or above its IDAt, what was made before lies below; before all ids lies each moment before 1970.
func TestIDAt(t *testing.T) {
	at := time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)
	ids := NewIDs(func() time.Time { return at })
	id := ids.New()
	for moment, above := range map[time.Time]bool{at: true, at.Add(-time.Hour): true, at.Add(time.Millisecond): false, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC): false,
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC): true, time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC): true} {
		if bound := IDAt(moment); (bytes.Compare(id[:], bound[:]) >= 0) != above {
			t.Errorf("%s: %s, of an id made at %s: %s", moment, bound, at, id)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{"", "x", "019a9f3e-1b2c-7000-8000-00000000000", "019a9f3e-1b2c-7000-8000-0000000000000",
		"019a9f3e_1b2c-7000-8000-000000000000", "019a9f3e-1b2c-7000-8000-00000000000g", "{19a9f3e-1b2c-7000-8000-00000000000}"} {
		if id, err := ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("%q reads as %s", s, id)
		}
	}
}

func TestIDScanAndValue(t *testing.T) {
	id := NewIDs(time.Now).New()
	if v, err := id.Value(); err != nil || !bytes.Equal(v.([]byte), id[:]) {
		t.Errorf("stored as %v: %v", v, err)
	}
	if v, err := (ID{}).Value(); err != nil || v != nil {
		t.Errorf("none is stored as %v: %v", v, err)
	}
	for _, src := range []any{id[:], id.String()} {
		var got ID
		if err := got.Scan(src); err != nil || got != id {
			t.Errorf("%T reads as %s: %v", src, got, err)
		}
	}
	got := id
	if err := got.Scan(nil); err != nil || !got.IsZero() {
		t.Errorf("NULL reads as %s: %v", got, err)
	}
	for _, src := range []any{id[:15], "x", int64(1), []byte(id.String())} {
		if err := new(ID).Scan(src); err == nil {
			t.Errorf("%v was taken for an id", src)
		}
	}
	text, err := id.MarshalText()
	if err != nil || got.UnmarshalText(text) != nil || got != id {
		t.Errorf("%s reads as %s", text, got)
	}
	if text, err = (ID{}).MarshalText(); err != nil || len(text) > 0 || got.UnmarshalText(text) != nil || !got.IsZero() {
		t.Errorf("none is %q and reads as %s", text, got)
	}
}

// Something that ends at a moment has ended at that moment, to the nanosecond.
func TestStateAt(t *testing.T) {
	end := time.Date(2026, 11, 20, 1, 30, 0, 0, time.UTC)
	for _, s := range []RelationshipState{PendingApproval, Rejected, Staged, Cancelled, Active, UndoPendingApproval, Undone, Lifted, Expired} {
		r := Relationship{State: s, ExpiresAt: end}
		ended := s
		if s.Live() {
			ended = Expired
		}
		for at, want := range map[time.Time]RelationshipState{end.Add(-1): s, end: ended, end.Add(1): ended} {
			if got := r.StateAt(at); got != want {
				t.Errorf("%s at %s: %s, not %s", s, at, got, want)
			}
		}
		if got := (Relationship{State: s}).StateAt(end); got != s {
			t.Errorf("%s without an end is %s", s, got)
		}
	}
	for _, s := range []ApprovalState{ApprovalPending, ApprovalApproved, ApprovalRejected, ApprovalExpired, ApprovalCancelled} {
		a := Approval{State: s, ExpiresAt: end}
		ended := s
		if s == ApprovalPending {
			ended = ApprovalExpired
		}
		for at, want := range map[time.Time]ApprovalState{end.Add(-1): s, end: ended, end.Add(1): ended} {
			if got := a.StateAt(at); got != want {
				t.Errorf("%s at %s: %s, not %s", s, at, got, want)
			}
		}
		if got := (Approval{State: s}).StateAt(end); got != s {
			t.Errorf("%s without an end is %s", s, got)
		}
	}
}

// What stops, and that nothing else does.
func TestStops(t *testing.T) {
	closed := []Reach{{Channel: DocumentLibrary, FromTarget: true}}
	for _, c := range []struct {
		r    Relationship
		want string
	}{
		{Relationship{Kind: Block}, "DIRECT_MESSAGE from"},
		{Relationship{Kind: Block, Further: closed}, "DIRECT_MESSAGE from, DOCUMENT_LIBRARY from"},
		{Relationship{Kind: Isolation}, "DIRECT_MESSAGE from, DIRECT_MESSAGE to, MESSAGE_HISTORY from, MESSAGE_HISTORY to, GROUP_MENTION from, GROUP_MENTION to"},
		{Relationship{Kind: Blacklist}, "DIRECT_MESSAGE from, DIRECT_MESSAGE to"},
		{Relationship{Kind: GroupBlock}, "GROUP_MENTION from"},
		{Relationship{}, ""},
	} {
		var got []string
		for _, channel := range []Channel{DirectMessage, MessageHistory, GroupMessage, GroupMention, GroupAnnouncement, DocumentLibrary, ApprovalFlow} {
			for _, way := range []string{"from", "to"} {
				if c.r.Stops(channel, way == "from") {
					got = append(got, string(channel)+" "+way)
				}
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s stops %s; want %s", c.r.Kind, s, c.want)
		}
	}
}
