//go:build guanxi_planted_fault

package db

import (
	"context"
	"time"
)

// commit is wrong on purpose: it answers first and commits afterwards. The crash tests build the gateway so, and must
// find what is lost; no release is ever built with this tag.
func (s *Store) commit(ctx context.Context, ss []stmt) error {
	go func() {
		const late = 20 * time.Millisecond
		time.Sleep(late)
		_ = s.write(context.WithoutCancel(ctx), ss)
	}()
	return nil
}
