package db

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/guanxi-im/guanxi/internal/fault"
	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
)

// writeTimeout bounds a unit that has begun. It does not end with its request: a client that hangs up must not leave
// open whether its command was carried out.
const writeTimeout = 10 * time.Second

// Post writes a unit in one transaction, or nothing of it: then it fails with [ledger.ErrAnswered],
// [ledger.ErrLive], [ledger.ErrStale] or an UNAVAILABLE fault.
func (s *Store) Post(ctx context.Context, u ledger.Unit) error {
	w, ss, err := s.unitStmts(ctx, u)
	if err != nil {
		return err
	}
	err = s.post(ctx, ss)
	if len(u.CutOffs)+len(u.AccountSteps)+len(u.Bindings)+len(u.Revoked) > 0 { // also after an error, which does not always mean that nothing was written
		s.people.Add(1)
	}
	if err != nil {
		return err
	}
	w.committed()
	return nil
}

// unitStmts are the statements of a unit, sealed with the keys of whom it is about and of others.
func (s *Store) unitStmts(ctx context.Context, u ledger.Unit, others ...im.ID) (*writing, []stmt, error) {
	w, err := s.keysOf(ctx, u, others...)
	if err != nil {
		return nil, nil, err
	}
	return w, append(append(s.lockStmts(u), w.inserts()...), s.stmtsOf(w, u)...), nil
}

// keysOf has the keys ready that a unit, and what is about others, is sealed with.
func (s *Store) keysOf(ctx context.Context, u ledger.Unit, others ...im.ID) (*writing, error) {
	subjects := make(map[im.ID]bool)
	for _, id := range others {
		subjects[id] = true
	}
	for _, r := range u.Relationships {
		subjects[r.Target.ID] = true
	}
	for _, a := range u.Approvals {
		subjects[a.About] = true
	}
	for _, v := range u.Verdicts {
		subjects[v.About] = true
	}
	for _, h := range u.Holds {
		subjects[h.ContactID] = true
	}
	for _, f := range u.Shortfalls {
		subjects[f.About] = true
	}
	for _, x := range u.Sent {
		subjects[x.Message.Sender.ID] = true
	}
	for _, t := range u.AccountSteps {
		subjects[t.About] = true
	}
	for _, b := range u.Bindings {
		subjects[b.About] = true
	}
	for _, e := range u.Events {
		subjects[who(e)] = true
		subjects[about(e)] = true
	}
	w, err := s.keys.forWriting(ctx, subjects)
	return w, unavailable(err, "load data keys")
}

// stmtsOf are the statements of a unit but its locks and keys.
func (s *Store) stmtsOf(w *writing, u ledger.Unit) (ss []stmt) {
	if a := u.Answer; a != nil {
		ss = append(ss, stmt{text: "insert into idempotency (actor_id, key, operation, request_hash, result, at) values (?, ?, ?, ?, ?, ?)",
			args: []any{a.ActorID, a.Key, a.Operation, a.RequestHash, string(a.Result), us(a.At)}})
	}
	for _, d := range u.Decisions {
		ss = append(ss, decisionsLoad.insert(decisionRow(d)))
	}
	if r := u.Denial; r != nil {
		ss = append(ss, firstDenial(*r))
	}
	// Steps come before new rows: an expired relationship makes room for its successor.
	ss = append(ss, stepStmts(u.Steps)...)
	ss = append(ss, s.pruneStmts(u.Pruned)...)
	for i, r := range u.Relationships {
		if c := u.Counted; c != nil && i == 0 { // the others are of the same command
			insert := made(new(builder).add(insertRelationship, relationshipRow(w, r)...).add(" where "), *c, nil).add(" = ?", c.N).stmt(nil)
			insert.want = 1
			ss = append(ss, insert)
			continue
		}
		ss = append(ss, relationshipsLoad.insert(relationshipRow(w, r))) // which SQLite writes without a journal of the statement's own
	}
	for _, a := range u.ApprovalSteps {
		ss = append(ss, stmt{text: `update approvals set state = ?, version = ?, needs = ?, final_decision_id = ?, ended_at = ?, escalated_at = ?
			where id = ? and version = ?`, want: 1,
			args: []any{a.State, a.Version, toJSON(a.Needs), a.FinalDecisionID, us(a.EndedAt), us(a.EscalatedAt), a.ID, a.Version - 1}})
	}
	for _, a := range u.Approvals {
		ss = append(ss, stmt{text: `insert into approvals (id, action, subject_kind, subject_id, workspace_id, requested_by, reason, about_id,
			request_hash, needs, decision_id, final_decision_id, state, version, created_at, expires_at, ended_at, request, escalates_at, escalate_to)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			args: []any{a.ID, a.Action, a.Subject.Kind, a.Subject.ID, a.WorkspaceID, a.RequestedBy,
				w.seal(a.About, a.Reason, placeApproval, a.ID), a.About, a.RequestHash, toJSON(a.Needs), a.DecisionID, a.FinalDecisionID,
				a.State, a.Version, us(a.CreatedAt), us(a.ExpiresAt), us(a.EndedAt), null(string(a.Request)),
				us(a.EscalatesAt), jsonOrNull(a.EscalateTo)}})
	}
	for _, c := range u.Candidates {
		ss = append(ss, stmt{text: "insert into approval_candidates (approval_id, member_id, role) values (?, ?, ?) on conflict do nothing",
			args: []any{c.ApprovalID, c.MemberID, c.Role}})
	}
	for _, v := range u.Verdicts {
		ss = append(ss, stmt{text: "insert into approval_verdicts (id, approval_id, by_id, approved, comment, at) values (?, ?, ?, ?, ?, ?)",
			args: []any{v.ID, v.ApprovalID, v.ByID, v.Approved, w.seal(v.About, v.Comment, placeVerdict, v.ID), us(v.At)}})
	}
	for _, i := range u.Intents {
		if i.State != im.DeliveryPending { // what is not carried out has no turn
			ss = append(ss, intentsLoad.insert(intentRow(i, nil)))
			continue
		}
		ss = append(ss, stmt{text: `insert into intents (id, key, kind, workspace_id, subject_kind, subject_id, target_id, turn, state, created_at,
			next_try_at, settled_at) values (?, ?, ?, ?, ?, ?, ?,
			(select coalesce(max(o.turn), 0) + 1 from intents o where o.target_id = ? and o.state = 'PENDING'), ?, ?, ?, ?)`,
			args: []any{i.ID, i.Key, i.Kind, i.WorkspaceID, i.Subject.Kind, i.Subject.ID, i.TargetID, i.TargetID, i.State, us(i.CreatedAt),
				us(i.NextTryAt), us(i.SettledAt)}})
	}
	for _, i := range u.IntentSteps { // attempts is the fence: whoever claimed later has counted one more
		ss = append(ss, stmt{text: `update intents set state = ?, last_error_code = ?, vendor_ref = ?, next_try_at = ?, settled_at = ?,
			claimed_until = null where id = ? and state = 'PENDING' and attempts = ?`, want: 1,
			args: []any{i.State, null(i.LastErrorCode), null(i.VendorRef), us(i.NextTryAt), us(i.SettledAt), i.ID, i.Attempts}})
	}
	ss = append(ss, deliveredStmts(w, u)...)
	ss = append(ss, identityStmts(u)...)
	ss = append(ss, accountStmts(w, u)...)
	ss = append(ss, importStmts(u)...)
	ss = append(ss, s.messageStmts(w, u)...)
	if p := u.Policy; p != nil {
		ss = append(ss, policyStmts(*p)...)
	}
	for _, a := range u.Alerts { // what somebody's doing was alerted of once is not news again
		ss = append(ss, stmt{text: `insert into alerts (id, kind, severity, at, subject_kind, subject_id, person_id, contact_id)
			select ?, ?, ?, ?, ?, ?, ?, ? where not exists (select 1 from alerts o where o.person_id = ? and o.subject_id = ? and o.kind = ?)`,
			args: []any{a.ID, a.Kind, a.Severity, us(a.At), a.Subject.Kind, a.Subject.ID, a.PersonID, a.ContactID, a.PersonID, a.Subject.ID, a.Kind}},
			stmt{text: "insert into changes (id, at, kind, subject_id, what) select l.id, l.at, ?, l.id, ? from alerts l where l.id = ?",
				args: []any{im.KindAlert, im.Created, a.ID}})
	}
	ss = append(ss, noticeStmts(u)...)
	ss = append(ss, webhookSteps(u)...)
	for _, a := range u.Acknowledged {
		ss = append(ss, stmt{text: "update alerts set acknowledged_by = ?, acknowledged_at = ? where id = ? and acknowledged_at is null", want: 1,
			args: []any{a.AcknowledgedBy, us(a.AcknowledgedAt), a.ID}})
	}
	for _, e := range u.Events {
		ss = append(ss, eventsLoad.insert(eventRow(w, e)))
	}
	return append(ss, insertChanges(u.Changes)...)
}

// The tables that a command writes new rows to, and their rows.
var (
	relationshipsLoad = load{table: "relationships", columns: []string{"id", "workspace_id", "kind", "state", "version", "scope", "source", "initiator_id",
		"target_kind", "target_id", "group_id", "reason", "created_at", "effective_at", "expires_at", "ended_at", "enforcement", "undo_terms", "needs",
		"decision_id", "further", "delegate_id", "requested_by", "declared"}}
	intentsLoad = load{table: "intents", columns: []string{"id", "key", "kind", "workspace_id", "subject_kind", "subject_id", "target_id", "turn", "state",
		"created_at", "next_try_at", "settled_at"}}
	eventsLoad = load{table: "audit_events", columns: []string{"id", "at", "actor_kind", "actor_id", "actor_name", "action", "outcome", "subject_kind",
		"subject_id", "about_id", "subject_name", "detail", "workspace_id", "decision_id", "request_id", "prevented"}}
	changesLoad = load{table: "changes", columns: []string{"id", "at", "kind", "subject_id", "what", "workspace_id", "previous_state", "snapshot"}}
)

// insertRelationship has a condition behind it.
var insertRelationship = "insert into relationships (" + strings.Join(relationshipsLoad.columns, ", ") + ") select ?" +
	strings.Repeat(", ?", len(relationshipsLoad.columns)-1)

func relationshipRow(w *writing, r im.Relationship) []any {
	return []any{r.ID, r.WorkspaceID, string(r.Kind), string(r.State), r.Version, string(r.Scope), string(r.Source), r.InitiatorID,
		string(r.Target.Kind), r.Target.ID, r.GroupID, w.seal(r.Target.ID, r.Reason, placeReason, r.ID), us(r.CreatedAt),
		us(r.EffectiveAt), us(r.ExpiresAt), us(r.EndedAt), string(r.Enforcement), toJSON(r.Undo), toJSON(r.Needs), r.DecisionID,
		jsonOrNull(r.Further), r.DelegateID, r.RequestedBy, r.Declared}
}

func eventRow(w *writing, e im.AuditEvent) []any {
	return []any{e.ID, us(e.At), null(e.Actor.Kind), e.Actor.ID, w.seal(who(e), im.Text(e.ActorName), placeActor, e.ID),
		e.Action, null(e.Outcome), null(e.Subject.Kind), e.Subject.ID, e.About,
		w.seal(about(e), im.Text(e.SubjectName), placeSubject, e.ID), w.seal(about(e), e.Detail, placeDetail, e.ID),
		e.WorkspaceID, e.DecisionID, null(e.RequestID), null(e.Prevented)}
}

// intentRow is the row of an intent; turn is NULL for one that does not wait to be carried out.
func intentRow(i im.Intent, turn any) []any {
	return []any{i.ID, i.Key, i.Kind, i.WorkspaceID, string(i.Subject.Kind), i.Subject.ID, i.TargetID, turn, string(i.State), us(i.CreatedAt),
		us(i.NextTryAt), us(i.SettledAt)}
}

func changeRow(c im.Change) []any {
	return []any{c.ID, us(c.At), string(c.About.Kind), c.About.ID, string(c.What), c.WorkspaceID, null(c.PreviousState), snapshot(c)}
}

// stepStmts move relationships on.
func stepStmts(steps []im.Relationship) (ss []stmt) {
	for _, r := range steps {
		ss = append(ss, stmt{text: `update relationships set state = ?, version = ?, effective_at = ?, ended_at = ?, enforcement = ?,
			needs = ?, decision_id = ? where id = ? and version = ?`, want: 1,
			args: []any{r.State, r.Version, us(r.EffectiveAt), us(r.EndedAt), r.Enforcement, toJSON(r.Needs), r.DecisionID, r.ID, r.Version - 1}})
	}
	return ss
}

// changesAtOnce is how many changes one statement inserts.
const changesAtOnce = 64

// insertChanges inserts changes, many to a statement as long as there are many.
func insertChanges(cs []im.Change) (ss []stmt) {
	for len(cs) > 0 {
		n := 1
		if len(cs) >= changesAtOnce {
			n = changesAtOnce
		}
		args := make([]any, 0, n*len(changesLoad.columns))
		for _, c := range cs[:n] {
			args = append(args, changeRow(c)...)
		}
		ss, cs = append(ss, stmt{text: insertText(changesLoad, n), args: args}), cs[n:]
	}
	return ss
}

// snapshot is what a change is about as its step left it; NULL of what is read as it stands.
func snapshot(c im.Change) any {
	switch {
	case c.Relationship != nil:
		return toJSON(c.Relationship)
	case c.Approval != nil:
		a := *c.Approval
		a.RequestHash, a.Request = nil, nil // nobody reads them there
		return toJSON(a)
	}
	return nil
}

// oneAtATime is the advisory lock under which units are written that count one person's relationships: two at once would
// each overlook the other.
func oneAtATime(person im.ID) int64 { return int64(binary.BigEndian.Uint64(person[8:])) }

// post writes the statements of a unit and says in the ledger's words what stood in its way.
func (s *Store) post(ctx context.Context, ss []stmt) error {
	if len(ss) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil { // whoever hung up before it began
		return unavailable(err, "write")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	err := s.commit(ctx, ss) // fault_on.go replaces it by a planted fault
	if err == nil {
		return nil
	}
	if errors.Is(err, errUnmet) {
		return ledger.ErrStale
	}
	switch c := s.eng.constraint(err); {
	case strings.HasPrefix(c, "idempotency"):
		return ledger.ErrAnswered
	case strings.HasPrefix(c, "relationships"):
		return ledger.ErrLive
	case strings.HasPrefix(c, "approval"), strings.HasPrefix(c, "services"):
		return ledger.ErrStale
	}
	return unavailable(err, "write")
}

// The places of sealed texts.
var (
	placeReason   = place{"relationships", "reason"}
	placeStatus   = place{"accounts", "status_reason"}
	placeBinding  = place{"account_bindings", "reason"}
	placeHold     = place{"contact_holds", "snapshot"}
	placeShort    = place{"relationship_shortfalls", "items"}
	placeApproval = place{"approvals", "reason"}
	placeVerdict  = place{"approval_verdicts", "comment"}
	placeActor    = place{"audit_events", "actor_name"}
	placeSubject  = place{"audit_events", "subject_name"}
	placeDetail   = place{"audit_events", "detail"}
)

// who is whose key seals the actor's name of an event: of the gateway's own acts, the subject's.
func who(e im.AuditEvent) im.ID {
	if e.Actor.IsZero() {
		return e.About
	}
	return e.Actor.ID
}

// about is whose key seals the subject's name and the detail of an event.
func about(e im.AuditEvent) im.ID {
	if e.About.IsZero() {
		return e.Actor.ID
	}
	return e.About
}

// unavailable is the fault of a database that does not do its work. A wait that the caller gave up is told apart.
func unavailable(err error, doing string) error {
	if err == nil {
		return nil
	}
	f := fault.Wrap(err, doing)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f.Code, f.Key = fault.DeadlineExceeded, "deadline"
	} else {
		f.Code, f.Key = fault.Unavailable, "unavailable"
	}
	return f
}
