//go:build !guanxi_planted_fault

package db

import "context"

// commit writes the statements of a unit, and answers once they are committed.
func (s *Store) commit(ctx context.Context, ss []stmt) error { return s.write(ctx, ss) }
