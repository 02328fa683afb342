package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where replicas tell each other that something was sealed.
const channel = "guanxi_sealed"

// announce wakes the other replicas. It follows the commit and is none of the transaction's business: inside one,
// NOTIFY takes a lock that all commits of the server wait for. One that is lost costs a poll.
func (p *postgres) announce(ctx context.Context) error {
	_, err := p.db.ExecContext(ctx, "select pg_notify('"+channel+"', '')")
	return err
}

func (p *postgres) alone(lock int64) []stmt {
	return []stmt{{text: "select pg_advisory_xact_lock(?)", args: []any{lock}, scan: func(row) error { return nil }}}
}

func (p *postgres) together(lock int64) []stmt {
	return []stmt{{text: "select pg_advisory_xact_lock_shared(?)", args: []any{lock}, scan: func(row) error { return nil }}}
}

// putOut finds them by what pg_locks makes of the number of a lock: two halves, and a 1.
func (p *postgres) putOut(from string, args ...any) []stmt {
	return []stmt{{text: `select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.pid <> pg_backend_pid()
		and l.database = (select d.oid from pg_database d where d.datname = current_database())
		and l.classid::bigint << 32 | l.objid::bigint in (select ('x' || right(replace(i.id::text, '-', ''), 16))::bit(64)::bigint ` + from + ")",
		args: args, scan: func(row) error { return nil }}}
}

// oldest goes by the transaction that inserted the row: whoever has read what another committed has a later number. Ids
// come from the replicas' clocks, and may say otherwise.
func (p *postgres) oldest(alias string) string {
	return "age(" + alias + ".xmin) desc, " + alias + ".id"
}

func (e *sqlite) oldest(alias string) string { return alias + ".id" } // one process made them all

func (p *postgres) unlocked() string { return " for update of i skip locked" }
func (e *sqlite) unlocked() string   { return "" } // there is one writer

func (e *sqlite) alone(int64) []stmt    { return nil } // there is one writer
func (e *sqlite) together(int64) []stmt { return nil }

func (e *sqlite) putOut(string, ...any) []stmt { return nil } // nobody else has the file

func (e *sqlite) announce(context.Context) error { return nil } // there is no other replica

// relisten is how long a listener waits before it tries a database again that it lost.
const relisten = time.Second

// Listen calls wake whenever another replica has sealed something, until ctx ends. It keeps a connection of its own.
func (s *Store) Listen(ctx context.Context, wake func()) {
	p, ok := s.eng.(*postgres)
	if !ok {
		return
	}
	for ctx.Err() == nil {
		err := p.raw(ctx, func(c *pgx.Conn) error {
			if _, err := c.Exec(ctx, "listen "+channel); err != nil {
				return err
			}
			wake() // for what was sealed before anybody listened
			for {
				if _, err := c.WaitForNotification(ctx); err != nil {
					return err
				}
				wake()
			}
		})
		if ctx.Err() != nil {
			return
		}
		s.log.WarnContext(ctx, "listening for other replicas failed; polling goes on", "error", err)
		select {
		case <-time.After(relisten):
		case <-ctx.Done():
		}
	}
}
