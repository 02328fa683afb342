package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/blocking"
	"github.com/guanxi-im/guanxi/internal/directory"
	"github.com/guanxi-im/guanxi/internal/gateway"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/page"
	"github.com/guanxi-im/guanxi/resolvers"
	"github.com/guanxi-im/guanxi/resolvers/view"
)

// q2Allocations is how often Q2 may allocate where its rows are in memory: nearly all of it is ours then, and no time of
// a machine's is measured.
const q2Allocations = 3000

func TestQ2Allocations(t *testing.T) {
	ask := inMemory(t)
	if got := testing.AllocsPerRun(20, ask); got > q2Allocations {
		t.Errorf("Q2 allocates %.0f times, at most %d are meant", got, q2Allocations)
	} else {
		t.Logf("Q2 allocates %.0f times", got)
	}
}

func BenchmarkQ2InMemory(b *testing.B) {
	ask := inMemory(b)
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// inMemory is a gateway whose rows are those of a made-up company, made before; it answers a function that asks Q2.
func inMemory(t testing.TB) func() {
	t.Helper()
	rows := newRows(company{200})
	viewer := im.Viewer{Member: rows.members[memberRow.id(administrator)], Scopes: map[im.Kind]im.Scope{}}
	for _, k := range []im.Kind{im.KindMember, im.KindContact, im.KindRelationship} {
		viewer.Scopes[k] = im.Scope{im.ScopeAll}
	}
	g, err := gateway.New(gateway.Options{
		Resolver: &resolvers.Resolver{Sources: view.Sources{Directory: directory.New(people200{rows: rows}),
			Blocking: blocking.New(blocks{rows: rows}, blocking.Options{Now: time.Now}), Audit: struct{ audit.Store }{}}},
		Authenticate: func(context.Context, string) (im.Session, error) {
			return im.Session{Viewer: viewer, Until: time.Now().Add(time.Hour)}, nil
		},
		Log: slog.New(slog.DiscardHandler), Stop: t.Context(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var q2 shape
	for _, s := range shapes {
		if s.name == "Q2" {
			q2 = s
		}
	}
	body, err := q2.body(rows.c, 0)
	if err != nil {
		t.Fatal(err)
	}
	ask := func() []byte { return asked(g, "anybody", body) }
	if got := string(ask()); strings.Count(got, `"rel_`) != 150 || strings.Count(got, `"department":{"name":`) != 50 || strings.Contains(got, `"errors"`) {
		t.Fatalf("no answer to Q2: %.1000s", got)
	}
	return func() { ask() }
}

// rows are a company's, by id.
type rows struct {
	c           company
	list        []im.Member
	members     map[im.ID]im.Member
	departments map[im.ID]im.Department
	contacts    map[im.ID]im.ExternalContact
	blocks      map[im.ID]page.Result[im.Relationship]
}

func newRows(c company) *rows {
	r := &rows{c, nil, map[im.ID]im.Member{}, map[im.ID]im.Department{}, map[im.ID]im.ExternalContact{}, map[im.ID]page.Result[im.Relationship]{}}
	for i := range c.members {
		m := c.member(i)
		r.list, r.members[m.ID] = append(r.list, m), m
		three := page.Result[im.Relationship]{HasNext: true, Order: blocking.RelationshipsNewest}
		for k := relationshipsEach - 1; k > relationshipsEach-4; k-- {
			rel := c.relationship(k*c.members + i)
			three.Nodes, three.At = append(three.Nodes, rel), append(three.At, page.Position{ID: rel.ID})
		}
		r.blocks[m.ID] = three
	}
	for i := range c.departments() {
		r.departments[departmentRow.id(i)] = c.department(i)
	}
	for i := range c.contacts() {
		r.contacts[contactRow.id(i)] = c.contact(i)
	}
	return r
}

// people200 is the directory as Q2 reads it.
type people200 struct {
	directory.Store
	*rows
}

func (s people200) ListMembers(_ context.Context, _ im.Viewer, _ directory.MemberFilter, r page.Request) (page.Result[im.Member], error) {
	at := make([]page.Position, r.Size+1)
	for i := range at {
		at[i] = page.Position{ID: s.list[i].ID}
	}
	return page.Trim(r, s.list[:r.Size+1], at), nil
}

func (s people200) Members(_ context.Context, _ im.Viewer, ids []im.ID) (map[im.ID]im.Member, error) {
	return some(s.members, ids), nil
}

func (s people200) Departments(_ context.Context, ids []im.ID) (map[im.ID]im.Department, error) {
	return some(s.departments, ids), nil
}

func (s people200) Contacts(_ context.Context, _ im.Viewer, ids []im.ID) (map[im.ID]im.ExternalContact, error) {
	return some(s.contacts, ids), nil
}

// some is those of all that have one of the ids.
func some[T any](all map[im.ID]T, ids []im.ID) map[im.ID]T {
	out := make(map[im.ID]T, len(ids))
	for _, id := range ids {
		out[id] = all[id]
	}
	return out
}

// blocks is the relationships.
type blocks struct {
	blocking.Store
	*rows
}

func (s blocks) RelationshipsOf(_ context.Context, _ im.Viewer, _ im.Kind, ids []im.ID, _ blocking.End, _ blocking.RelationshipFilter, _ time.Time, _ page.Request) (map[im.ID]page.Result[im.Relationship], error) {
	return some(s.blocks, ids), nil
}
