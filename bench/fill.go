package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/envelope"
	"github.com/guanxi-im/guanxi/internal/im"
)

// fill writes a company into an empty database whose schema is current, past the gateway: by COPY on PostgreSQL, by
// statements of many rows on SQLite. Texts are sealed and the trail is linked as the gateway would have done.
// Decisions, intents and changes of its relationships are left out: no shape of the benchmarks reads them.
func (d *database) fill(ctx context.Context, c company, master *envelope.Master) error {
	into, done, err := d.sink(ctx)
	if err != nil {
		return err
	}
	f := filler{c: c, into: into, keys: make(map[im.ID]envelope.Key)}
	err = f.run(master)
	if err := done(err); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if _, ok := d.sqlite(); ok { // nobody analyzes it in production either
		return nil
	}
	_, err = d.sql.ExecContext(ctx, "vacuum analyze") // as autovacuum does before long
	return err
}

// sink takes n rows of a table.
type sink func(table, columns string, n int, row func(i int) []any) error

type filler struct {
	c    company
	into sink
	keys map[im.ID]envelope.Key // by subject
}

// us is a moment as the store keeps it.
func us(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// row is an id as the drivers take it; nil for none.
func row(id im.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func (f *filler) run(master *envelope.Master) error {
	c := f.c
	spaces := c.workspaces()
	if err := f.into("workspaces", "id, name, platform, region, time_zone, customer_contact", len(spaces), func(i int) []any {
		w := spaces[i]
		return []any{row(w.ID), w.Name, w.Platform, w.Region, w.TimeZone, w.CustomerContact}
	}); err != nil {
		return err
	}
	if err := f.directory(); err != nil {
		return err
	}
	// Keys: of all members, and of the contacts that are targets.
	blockedContacts := c.members * relationshipsEach / 5
	var failed error
	err := f.into("data_keys", "id, subject_id, wrapped, created_at, destroyed_at", c.members+blockedContacts, func(i int) []any {
		subject := memberRow.id(i)
		if k := i - c.members; k >= 0 {
			subject = contactRow.id(k/(relationshipsEach/5)*contactsEach + k%(relationshipsEach/5))
		}
		key, wrapped, err := master.NewKey(keyRow.id(i), subject)
		if err != nil {
			failed = err
		}
		f.keys[subject] = key
		return []any{row(keyRow.id(i)), row(subject), wrapped, us(founded), nil}
	})
	if err != nil || failed != nil {
		return fmt.Errorf("data keys: %w, %w", err, failed)
	}
	undo := func(u im.UndoTerms) string { b, _ := json.Marshal(u); return string(b) } // it always marshals
	err = f.into("relationships", `id, workspace_id, kind, state, version, scope, source, initiator_id, target_kind, target_id, group_id, reason, created_at,
		effective_at, expires_at, ended_at, enforcement, undo_terms, needs, decision_id`, c.relationships(), func(i int) []any {
		r := c.relationship(i)
		return []any{row(r.ID), row(r.WorkspaceID), string(r.Kind), string(r.State), r.Version, string(r.Scope), string(r.Source), row(r.InitiatorID),
			string(r.Target.Kind), row(r.Target.ID), nil, f.seal(r.Target.ID, string(r.Reason), "relationships", "reason", r.ID), us(r.CreatedAt),
			us(r.EffectiveAt), nil, us(r.EndedAt), string(r.Enforcement), undo(r.Undo), "null", row(r.DecisionID)}
	})
	if err != nil {
		return err
	}
	last := audit.Genesis
	return f.into("audit_events", `id, at, actor_kind, actor_id, actor_name, action, outcome, subject_kind, subject_id, about_id, subject_name, detail,
		workspace_id, decision_id, request_id, sequence, hash, previous_hash`, c.events(), func(i int) []any {
		e := c.event(i)
		rec := audit.Record{ID: e.ID, At: e.At.UnixMicro(), Actor: e.Actor, ActorName: f.seal(e.Actor.ID, e.ActorName, "audit_events", "actor_name", e.ID),
			Action: e.Action, Outcome: string(e.Outcome), Subject: e.Subject, About: e.About,
			SubjectName: f.seal(e.About, e.SubjectName, "audit_events", "subject_name", e.ID),
			Detail:      f.seal(e.About, string(e.Detail), "audit_events", "detail", e.ID), WorkspaceID: e.WorkspaceID, DecisionID: e.DecisionID, RequestID: e.RequestID}
		rec.Sequence, rec.Previous = int64(i+1), last
		rec.Hash = rec.Link(rec.Sequence, last)
		last = rec.Hash
		return []any{row(rec.ID), rec.At, string(rec.Actor.Kind), row(rec.Actor.ID), rec.ActorName, rec.Action, rec.Outcome, string(rec.Subject.Kind),
			row(rec.Subject.ID), row(rec.About), rec.SubjectName, rec.Detail, row(rec.WorkspaceID), row(rec.DecisionID), rec.RequestID, rec.Sequence,
			rec.Hash, rec.Previous}
	})
}

func (f *filler) seal(subject im.ID, text, table, column string, of im.ID) []byte {
	return f.keys[subject].Seal(text, envelope.At(table, column, of))
}

// directory writes people, and what they have.
func (f *filler) directory() error {
	c := f.c
	tables := []struct {
		name, columns string
		n             int
		row           func(i int) []any
	}{
		{"departments", "id, name, sort_key, parent_id, manager_id, path", c.departments(), func(i int) []any {
			d := c.department(i)
			return []any{row(d.ID), d.Name, d.SortKey, row(d.ParentID), row(d.ManagerID), d.Path}
		}},
		{"members", "id, name, sort_key, employee_no, account_name, position, rank, phone, job_function, region, manager_id, employment, folded", c.members,
			func(i int) []any {
				m := c.member(i)
				return []any{row(m.ID), m.Name, m.SortKey, m.EmployeeNo, m.AccountName, m.Position, m.Rank, m.Phone, string(m.JobFunction), m.Region,
					row(m.ManagerID), string(m.Employment), directory.Folds(m.Name, m.AccountName, m.EmployeeNo)}
			}},
		{"member_roles", "member_id, role", c.members, func(i int) []any { return []any{row(memberRow.id(i)), c.member(i).Roles[0]} }},
		{"member_departments", "member_id, department_id, is_primary", c.members + c.divisions(), func(i int) []any {
			if division := i - c.members; division >= 0 { // who leads a division is of it, too
				return []any{row(memberRow.id(c.headOf(division))), row(departmentRow.id(1 + division)), false}
			}
			return []any{row(memberRow.id(i)), row(c.member(i).DepartmentID), true}
		}},
		{"accounts", "id, member_id, workspace_id, kind, platform_id, status, status_until, status_scope, last_active_at", 2 * c.members, func(i int) []any {
			return []any{row(accountRow.id(i)), row(memberRow.id(i / 2)), row(workspaceRow.id(i % 2)), string(im.HumanAccount), c.member(i / 2).AccountName,
				string(im.AccountActive), nil, string(im.FullScope), us(lastActive(i))}
		}},
		{"external_contacts", `id, workspace_id, platform_id, name, sort_key, company, phone, verified, region, importance, status, owner_id, pool_department_id, folded`,
			c.contacts(), func(i int) []any {
				x := c.contact(i)
				return []any{row(x.ID), row(x.WorkspaceID), x.PlatformID, x.Name, x.SortKey, x.Company, x.Phone, x.Verified, x.Region, string(x.Importance),
					string(x.Status), row(x.OwnerID), nil, directory.Folds(x.Name, x.Company)}
			}},
		{"contact_tags", "contact_id, tag", c.contacts() / rareTag, func(i int) []any { return []any{row(contactRow.id(i * rareTag)), "vip"} }},
		{"contact_follows", "contact_id, member_id, since, source", c.contacts(), func(i int) []any {
			return []any{row(contactRow.id(i)), row(memberRow.id(i / contactsEach)), us(founded), "SCAN"}
		}},
		{"groups", "id, workspace_id, platform_id, name, sort_key, kind, owner_id, project_closed, announcement, dissolved_at, folded", c.groups(), func(i int) []any {
			g, _ := c.group(i)
			return []any{row(g.ID), row(g.WorkspaceID), g.PlatformID, g.Name, g.SortKey, string(g.Kind), row(g.OwnerID), *g.ProjectClosed, g.Announcement, nil, directory.Folds(g.Name)}
		}},
		{"group_members", "id, group_id, party_kind, party_id, is_admin, joined_at, left_at, invited_by", c.groups() * membersPerGroup, func(i int) []any {
			g, members := c.group(i / membersPerGroup)
			return []any{row(membershipRow.id(i)), row(g.ID), string(im.KindMember), row(memberRow.id(members[i%membersPerGroup])), false, us(founded), nil, nil}
		}},
	}
	for _, t := range tables {
		if err := f.into(t.name, t.columns, t.n, t.row); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// sink opens the fastest way into the database; done ends it, and keeps nothing where there was an error.
func (d *database) sink(ctx context.Context) (_ sink, done func(error) error, err error) {
	path, lite := d.sqlite()
	if !lite {
		conn, err := pgx.Connect(ctx, d.url)
		if err != nil {
			return nil, nil, err
		}
		return func(table, columns string, n int, row func(i int) []any) error {
				names := strings.FieldsFunc(columns, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })
				_, err := conn.CopyFrom(ctx, pgx.Identifier{table}, names, pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
				return err
			}, func(err error) error {
				if e := conn.Close(ctx); err == nil {
					err = e
				}
				return err
			}, nil
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		return nil, nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	return func(table, columns string, n int, row func(i int) []any) error {
			return insert(ctx, tx, table, columns, n, row)
		},
		func(err error) error {
			if err != nil {
				_ = tx.Rollback()
				_ = db.Close()
				return err
			}
			if err := tx.Commit(); err != nil {
				return err
			}
			return db.Close()
		}, nil
}

// insert inserts n rows, many with one statement.
func insert(ctx context.Context, tx *sql.Tx, table, columns string, n int, row func(i int) []any) error {
	const most = 200
	values := "(" + strings.Repeat("?, ", strings.Count(columns, ",")) + "?)"
	text := func(rows int) string {
		return "insert into " + table + " (" + columns + ") values " + strings.Repeat(values+", ", rows-1) + values
	}
	many, err := tx.PrepareContext(ctx, text(most))
	if err != nil {
		return err
	}
	defer func() { _ = many.Close() }()
	for i := 0; i < n; i += most {
		rows := min(most, n-i)
		var args []any
		for k := range rows {
			args = append(args, row(i+k)...)
		}
		if rows == most {
			_, err = many.ExecContext(ctx, args...)
		} else {
			_, err = tx.ExecContext(ctx, text(rows), args...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
