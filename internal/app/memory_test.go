package app

import "testing"

// Memory is given back once after each load, when it is over, and not while it lasts.
func TestRest(t *testing.T) {
	const mega = 1 << 20
	var r rest
	at := uint64(0)
	for i, step := range []struct {
		allocated uint64
		want      bool
	}{
		{20 * mega, false},  // the start is work
		{1 * mega, true},    // it has come to rest
		{1 * mega, false},   // nothing new to give back
		{200 * mega, false}, // a load
		{90 * mega, false},  // that lasts
		{2 * mega, true},
		{3 * mega, false},
		{3 * mega, false},
		{3 * mega, false},
		{3 * mega, false},
		{3 * mega, false},
		{3 * mega, true}, // looking for work adds up
		{3 * mega, false},
	} {
		at += step.allocated
		if got := r.over(at); got != step.want {
			t.Errorf("step %d: after %d MiB more: %t", i, step.allocated/mega, got)
		}
	}
}

func TestAllocatedBytes(t *testing.T) {
	before := allocatedBytes()
	held = make([]byte, 8<<20)
	if got := allocatedBytes() - before; got < 8<<20 {
		t.Errorf("%d bytes more after allocating 8 MiB", got)
	}
}

// held keeps what a test allocates.
var held []byte
