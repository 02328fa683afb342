package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-im/guanxi/graph/nodeid"
	"github.com/guanxi-im/guanxi/internal/audit"
	"github.com/guanxi-im/guanxi/internal/im"
)

// ideal is the limit: net/http, encoding/json and the best way to write the rows of a block that the database knows, linked and
// numbered as the gateway leaves them. It authenticates nobody, reads nothing, decides nothing and encrypts nothing.
func ideal(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("ideal", flag.ContinueOnError)
	url := flags.String("db", "", "database to write to")
	like := flags.String("like", "", "database with a block to write others like it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h := &idealHandler{ids: im.NewIDs(time.Now)}
	if err := h.learn(ctx, &database{url: *like}); err != nil {
		return fmt.Errorf("read a block: %w", err)
	}
	at, err := standing(ctx, *url)
	if err != nil {
		return fmt.Errorf("read where the trail stands: %w", err)
	}
	if path, ok := strings.CutPrefix(*url, "sqlite:"); ok {
		h.write, err = sqliteWriter(ctx, path, at)
	} else {
		h.write, err = postgresWriter(ctx, *url, at)
	}
	if err != nil {
		return err
	}
	return serveIdeal(ctx, h)
}

// serveIdeal serves an ideal handler until ctx ends.
func serveIdeal(ctx context.Context, h http.Handler) error {
	debug.SetGCPercent(idealGC)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	fmt.Printf("listening on http://%s\n", l.Addr())
	if err := srv.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

// idealHandler answers Q4.
type idealHandler struct {
	ids   *im.IDs
	like  model
	keys  sync.Map // people who have a data key
	write func(context.Context, written) error
}

// model is a block that the gateway wrote: rows of the ideal have its constants, and boxes of its sizes.
type model struct {
	rules, needs, obligations, facts, policy string // of its decision
	enforcement, undo, asked                 string // of its relationship
	reason, actor, subject, detail, wrapped  []byte // of its texts and keys
}

func (h *idealHandler) learn(ctx context.Context, d *database) error {
	if err := d.open(); err != nil {
		return err
	}
	defer func() { _ = d.sql.Close() }()
	m := &h.like
	return d.sql.QueryRowContext(ctx, `select cast(d.rules as text), cast(d.needs as text), cast(d.obligations as text), cast(d.facts as text), d.policy_version,
		r.enforcement, cast(r.undo_terms as text), cast(r.needs as text), r.reason, e.actor_name, e.subject_name, e.detail, k.wrapped
		from relationships r join decisions d on d.id = r.decision_id join audit_events e on e.decision_id = d.id join data_keys k on k.subject_id = r.target_id
		order by r.id desc limit 1`).
		Scan(&m.rules, &m.needs, &m.obligations, &m.facts, &m.policy, &m.enforcement, &m.undo, &m.asked, &m.reason, &m.actor, &m.subject, &m.detail, &m.wrapped)
}

// The inserts of a block that become linked and numbered.
const (
	insertEvent  = 3
	insertChange = 4
)

// idealInserts are the rows of a block.
var idealInserts = []string{
	`insert into decisions (id, at, action, actor_id, target_kind, target_id, workspace_id, outcome, rules, needs, obligations, facts, policy_version)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	`insert into relationships (id, workspace_id, kind, state, version, scope, source, initiator_id, target_kind, target_id, group_id, reason, created_at,
		effective_at, expires_at, ended_at, enforcement, undo_terms, needs, decision_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?, ?, ?, null, null, ?, ?, ?, ?)`,
	`insert into intents (id, key, kind, workspace_id, subject_kind, subject_id, state, created_at, settled_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	`insert into audit_events (id, at, actor_kind, actor_id, actor_name, action, outcome, subject_kind, subject_id, about_id, subject_name, detail, workspace_id,
		decision_id, request_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
	`insert into changes (id, at, kind, subject_id, what, workspace_id, previous_state, snapshot) values (?, ?, 'relationship', ?, 'CREATED', null, null, ?)`,
}

const idealKey = "insert into data_keys (id, subject_id, wrapped, created_at) values (?, ?, ?, ?)"

// ServeHTTP reads the request, writes the rows and answers.
func (h *idealHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q q4Request
	err := json.NewDecoder(r.Body).Decode(&q)
	from, ok := nodeid.Decode(r.Header.Get("X-Initiator"))
	to, ok2 := nodeid.Decode(q.Variables.Input.TargetID)
	if err != nil || !ok || !ok2 || len(q.Variables.Input.WorkspaceIDs) != 1 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	on, _ := nodeid.Decode(q.Variables.Input.WorkspaceIDs[0])
	now := time.Now().UTC().Truncate(time.Microsecond)
	at := now.UnixMicro()
	m := &h.like
	rel := im.Relationship{ID: h.ids.New(), WorkspaceID: on.ID, Kind: im.Block, State: im.Active, Version: 1, Scope: im.InitiatorView, Source: im.FromAPI,
		InitiatorID: from.ID, Target: to, CreatedAt: now, EffectiveAt: now, Enforcement: im.Enforcement(m.enforcement), DecisionID: h.ids.New(),
		Undo: im.UndoTerms{Allowed: true, Until: now.Add(72 * time.Hour), Trace: true}}
	snapshot, err := json.Marshal(rel)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	event := audit.Record{ID: h.ids.New(), At: at, Actor: from, ActorName: m.actor, Action: "block", Outcome: "ALLOW",
		Subject: im.Ref{Kind: im.KindRelationship, ID: rel.ID}, About: to.ID, SubjectName: m.subject, Detail: m.detail, WorkspaceID: on.ID,
		DecisionID: rel.DecisionID, RequestID: uuid.NewString()}
	out := written{event: event, change: h.ids.New()}
	out.rows = [][]any{
		{rel.DecisionID, at, "block", from.ID, "member", to.ID, on.ID, "ALLOW", m.rules, m.needs, m.obligations, m.facts, m.policy},
		{rel.ID, on.ID, "BLOCK", "ACTIVE", 1, "INITIATOR_VIEW", "API", from.ID, "member", to.ID, m.reason, at, at, m.enforcement, m.undo, m.asked, rel.DecisionID},
		{h.ids.New(), "block:" + rel.ID.String() + ":1", "block", on.ID, "relationship", rel.ID, "NOT_NEEDED", at, at},
		{event.ID, at, "member", from.ID, m.actor, "block", "ALLOW", "relationship", rel.ID, to.ID, m.subject, m.detail, on.ID, rel.DecisionID, event.RequestID},
		{out.change, at, rel.ID, string(snapshot)},
	}
	for _, subject := range []im.ID{from.ID, to.ID} {
		if _, known := h.keys.LoadOrStore(subject, true); !known {
			wrapped := make([]byte, len(m.wrapped))
			_, _ = rand.Read(wrapped) // never fails
			out.fresh = append(out.fresh, []any{h.ids.New(), subject, wrapped, at})
		}
	}
	if err := h.write(r.Context(), out); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var a q4Answer
	var res q4Result
	res.Relationship.ID, res.Relationship.State, res.Relationship.Version = nodeid.Encode(im.KindRelationship, rel.ID), "ACTIVE", 1
	res.Relationship.Enforcement, res.Relationship.CreatedAt, res.Relationship.Reason = m.enforcement, now, q.Variables.Input.Reason
	res.Decision.ID, res.Decision.Outcome = nodeid.Encode(im.KindDecision, rel.DecisionID), "ALLOW"
	a.Data.Block.Results, a.Data.Block.UserErrors = []q4Result{res}, []struct{}{}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(a) // a client that hung up is no fault of ours
}
