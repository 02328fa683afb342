package blocking

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
)

// StatsQuery asks how policy bore on people in a span of time, up to, not including, Until; in a department and below it, where
// one is named.
type StatsQuery struct {
	From, Until  time.Time
	DepartmentID im.ID
}

// Stats is how policy bore on people. What an undo left no trace of counts for those alone who may read of it.
type Stats struct {
	From, Until               time.Time
	Allowed, Denied, Reviewed int
	Blocks, InternalBlocks    int         // that were made; between members
	Avoided                   int         // of these, what was cancelled, turned down or undone since
	Rules                     []RuleStats // those that decided most first
}

// RuleStats is how one policy line bore on people.
type RuleStats struct {
	Rule                      im.RuleRef
	Allowed, Denied, Reviewed int
	Members                   int // whom it decided on
}

// StatsSpan is how far back is looked where nobody says.
const StatsSpan = 30 * 24 * time.Hour

// StatsRules bounds the lines that are named.
const StatsRules = 1000

// PolicyStats counts what policy decided on commands and what it refused. A span that ends before it begins is BAD_USER_INPUT.
func (s *Service) PolicyStats(ctx context.Context, v im.Viewer, q StatsQuery) (Stats, error) {
	if q.Until.IsZero() {
		q.Until = s.o.Now()
	}
	if q.From.IsZero() {
		q.From = q.Until.Add(-StatsSpan)
	}
	if !q.From.Before(q.Until) {
		f := fault.New(fault.BadUserInput, "span_backwards")
		f.Path = []string{"until"}
		return Stats{}, f
	}
	return s.store.PolicyStats(ctx, v, q)
}
