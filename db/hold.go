package db

import "context"

// storeLock is the advisory lock that servers share and that whoever must have the store to himself takes alone.
const storeLock = 0x67756103

// Hold keeps the store from those who must have it to themselves; alone: from everybody. It reports false where others
// hold it so that this cannot be. It is let go by the store's end, also by that of the process. A SQLite file is one
// process's anyway.
func (s *Store) Hold(ctx context.Context, alone bool) (bool, error) {
	p, ok := s.eng.(*postgres)
	if !ok {
		return true, nil
	}
	c, err := p.db.Conn(ctx) // it is not given back: the lock is the connection's
	if err != nil {
		return false, unavailable(err, "hold the store")
	}
	q := "select pg_try_advisory_lock_shared($1)"
	if alone {
		q = "select pg_try_advisory_lock($1)"
	}
	if err := c.QueryRowContext(ctx, q, storeLock).Scan(&ok); err != nil || !ok {
		_ = c.Close()
		return false, unavailable(err, "hold the store")
	}
	s.held = append(s.held, c)
	return true, nil
}
