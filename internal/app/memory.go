package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Times and sizes of giving memory back.
const (
	restPeriod = 5 * time.Second
	// restBytes is allocated in a period at most by a gateway at rest, which still looks for work twice a second.
	restBytes = 4 << 20
	// busyBytes is allocated since memory was given back last, at least: there is something to give back.
	busyBytes = 16 << 20
)

// rest tells when a gateway that was busy has come to rest, by the bytes that it has allocated since its start.
type rest struct {
	last  uint64 // when it was looked at last
	given uint64 // when memory was given back last
}

// over reports whether memory is to be given back now.
func (r *rest) over(allocated uint64) bool {
	quiet := allocated-r.last <= restBytes
	r.last = allocated
	if !quiet || allocated-r.given < busyBytes {
		return false
	}
	r.given = allocated
	return true
}

// giveBack gives memory back to the system whenever the gateway comes to rest, until ctx ends. The collector keeps what it needed
// under load for the next load, three times what lives, for as long as the process runs; after a rest it is had again in no time.
func giveBack(ctx context.Context) {
	var r rest
	tick := time.NewTicker(restPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.over(allocatedBytes()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// allocatedBytes is how many bytes were allocated since the start of the process.
func allocatedBytes() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
