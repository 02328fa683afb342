package platform

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/adapters"
	"github.com/guanxi-im/guanxi/internal/im"
)

// Spent is how much of a budget replicas have called, or may still call, in one slot of its window.
type Spent struct {
	Workspace im.ID
	Budget    string
	Slot      int64
	Calls     int
}

// Quota is how much is left of a limit that a platform publishes. Of one that counts each call by itself it is that of
// the call of which the least is left.
type Quota struct {
	Scope     string // whom it counts for, the call or * for each, and the window: organisation/*/1m
	Limit     int    // calls in a window
	Remaining int
	ResetsAt  time.Time // when all of it is there again, if nothing more is called; zero where all of it is
}

// Quotas says how much of their platforms' published limits the connected workspaces have left, all replicas together.
// What a replica has set aside to call counts as called.
func (c *Connections) Quotas(ctx context.Context) (map[im.ID][]Quota, error) {
	out := make(map[im.ID][]Quota, len(c.byID))
	if len(c.byID) == 0 {
		return out, nil
	}
	spent, err := c.budgets.Spent(ctx)
	if err != nil {
		return nil, err
	}
	for id, k := range c.byID {
		for _, b := range c.Platform(k.workspace.Platform).budgets {
			out[id] = append(out[id], quota(b, id, spent, c.now()))
		}
	}
	return out, nil
}

// quota adds up what counts of one budget.
func quota(b adapters.Budget, workspace im.ID, spent []Spent, now time.Time) Quota {
	window := b.Per / slotsOfWindow
	first := now.UnixNano()/int64(window) - slotsOfWindow // what is before it is out of the window
	prefix, suffix, of := b.Scope+"/"+b.Op, "/"+b.Per.String(), make(map[string]int)
	q := Quota{Scope: fmt.Sprintf("%s/%s/%s", b.Scope, cmp.Or(b.Op, "*"), short(b.Per)), Limit: b.N, Remaining: b.N}
	last := int64(-1)
	for _, s := range spent {
		if s.Workspace != workspace || s.Slot < first || !strings.HasPrefix(s.Budget, prefix) || !strings.HasSuffix(s.Budget, suffix) ||
			(b.Op != "" && s.Budget != prefix+suffix) {
			continue
		}
		of[s.Budget] += s.Calls
		q.Remaining, last = min(q.Remaining, b.N-of[s.Budget]), max(last, s.Slot)
	}
	if last >= 0 {
		q.ResetsAt = time.Unix(0, (last+slotsOfWindow+1)*int64(window)).UTC()
	}
	return q
}

// short is a duration without parts that are zero: 1m, not 1m0s.
func short(d time.Duration) string {
	s := d.String()
	s = strings.TrimSuffix(s, "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return cmp.Or(s, d.String())
}
