package db

import (
	"context"
	"time"

	"github.com/guanxi-im/guanxi/internal/im"
	"github.com/guanxi-im/guanxi/internal/ledger"
	"github.com/guanxi-im/guanxi/internal/webhook"
)

var _ webhook.Store = (*Store)(nil)

// webhookStmt writes word to a system, which is due at once. That something has ended hears only who was told of it.
func webhookStmt(n im.Notice) stmt {
	q := new(builder).add(`insert into webhooks (id, at, purpose, subject_kind, subject_id, subject_state, subject_version, endpoint, state, next_try_at)
		select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`,
		n.ID, us(n.At), n.Purpose, n.Subject.Kind, n.Subject.ID, n.State, n.Version, n.Endpoint, im.DeliveryPending, us(n.At))
	if n.Purpose == im.NoticeEnded {
		q.add(" where exists (select 1 from webhooks o where o.subject_id = ? and o.endpoint = ?)", n.Subject.ID, n.Endpoint)
	}
	return q.stmt(nil)
}

// disabledAfter is how often an endpoint must have failed before it can be disabled: that nobody was there to try it for days
// says nothing of it.
const disabledAfter = 5

// webhookSteps write what became of tries, and what that says of the endpoints.
func webhookSteps(u ledger.Unit) (ss []stmt) {
	for _, w := range u.Webhooks {
		d := w.Notice.Delivery
		ss = append(ss, stmt{text: `update webhooks set state = ?, last_error_code = ?, next_try_at = ?, settled_at = ?, claimed_until = null
			where id = ? and state = 'PENDING' and attempts = ?`, want: 1,
			args: []any{d.State, null(d.LastErrorCode), us(w.NextTryAt), us(d.SettledAt), w.Notice.ID, d.Attempts}})
		if w.URL == "" {
			continue
		}
		ss = append(ss, stmt{text: "delete from webhook_endpoints where name = ? and url <> ?", args: []any{w.Notice.Endpoint, w.URL}})
		if d.State == im.DeliveryDelivered {
			ss = append(ss, stmt{text: `insert into webhook_endpoints (name, url, delivered_at) values (?, ?, ?) on conflict (name) do update set
				failures = 0, failing_since = null, last_error_code = null, delivered_at = excluded.delivered_at, disabled_at = null, probe_at = null`,
				args: []any{w.Notice.Endpoint, w.URL, us(w.At)}})
			continue
		}
		var gone any // who said so is not asked again, whatever a try that was under way says later
		if d.LastErrorCode == im.WebhookGone {
			gone = us(w.At)
		}
		ss = append(ss, stmt{text: `insert into webhook_endpoints (name, url, failures, failing_since, last_error_code, disabled_at, probe_at)
			values (?, ?, 1, ?, ?, ?, ?) on conflict (name) do update set failures = webhook_endpoints.failures + 1,
			failing_since = coalesce(webhook_endpoints.failing_since, excluded.failing_since),
			last_error_code = case when webhook_endpoints.last_error_code = '` + im.WebhookGone + `' then webhook_endpoints.last_error_code else excluded.last_error_code end,
			disabled_at = coalesce(webhook_endpoints.disabled_at, excluded.disabled_at, case when webhook_endpoints.failures + 1 >= ?
				and webhook_endpoints.failing_since <= ? then cast(? as bigint) end),
			probe_at = excluded.probe_at`,
			args: []any{w.Notice.Endpoint, w.URL, us(w.At), d.LastErrorCode, gone, us(w.ProbeAt), disabledAfter, us(w.DisableSince), us(w.At)}})
	}
	return ss
}

// WebhooksDue lists the endpoints for which something is due that nobody has claimed.
func (s *Store) WebhooksDue(ctx context.Context, now time.Time) (out []webhook.Due, err error) {
	err = s.read(ctx, stmt{text: `select w.endpoint, min(w.at), e.url, e.last_error_code, e.disabled_at, e.probe_at
		from webhooks w left join webhook_endpoints e on e.name = w.endpoint
		where w.state = 'PENDING' and w.next_try_at <= ? and (w.claimed_until is null or w.claimed_until <= ?)
		group by w.endpoint, e.url, e.last_error_code, e.disabled_at, e.probe_at`, args: []any{us(now), us(now)}, scan: func(r row) error {
		var d webhook.Due
		err := r.Scan(&d.Health.Name, stamp{&d.Oldest}, textOf(&d.Health.URL), textOf(&d.Health.LastErrorCode), stamp{&d.Health.DisabledAt}, stamp{&d.Health.ProbeAt})
		out = append(out, d)
		return err
	}})
	return out, unavailable(err, "read what is due")
}

// ClaimWebhooks takes what is due for an endpoint, until the lease ends, and counts the try. Of what is about one thing only
// the oldest can be taken.
func (s *Store) ClaimWebhooks(ctx context.Context, q webhook.ClaimQuery) ([]webhook.Job, error) {
	b := new(builder).add(`with due as materialized (select i.id from webhooks i where i.endpoint = ? and i.state = 'PENDING'
		and i.next_try_at <= ? and (i.claimed_until is null or i.claimed_until <= ?)
		and not exists (select 1 from webhooks o where o.subject_id = i.subject_id and o.endpoint = i.endpoint and o.state = 'PENDING' and o.id < i.id)`,
		q.Endpoint, us(q.Now), us(q.Now))
	if !q.ToldUntil.IsZero() {
		b.add(" and i.at <= ?", us(q.ToldUntil))
	}
	b.add(" order by i.next_try_at, i.id limit ?"+s.eng.unlocked()+`)
		update webhooks set claimed_until = ?, attempts = attempts + 1 where id in (select d.id from due d) and state = 'PENDING'
		and (claimed_until is null or claimed_until <= ?) returning id`, q.Limit, us(q.Until), us(q.Now))
	var ids []im.ID
	err := s.write(ctx, []stmt{b.stmt(func(r row) error {
		var id im.ID
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})})
	if err != nil || len(ids) == 0 {
		return nil, unavailable(err, "claim webhooks")
	}
	var jobs []webhook.Job
	err = s.read(ctx, new(builder).add(`select w.id, w.at, w.purpose, w.subject_kind, w.subject_id, w.subject_state, w.subject_version, w.endpoint, w.attempts,
		r.kind, r.initiator_id, r.target_kind, r.target_id, r.workspace_id, p.name, p.platform, coalesce(c.name, m.name), coalesce(c.platform_id, a.platform_id)
		from webhooks w join relationships r on r.id = w.subject_id join workspaces p on p.id = r.workspace_id
		left join external_contacts c on c.id = r.target_id left join members m on m.id = r.target_id
		left join accounts a on a.member_id = r.target_id and a.workspace_id = r.workspace_id
		where w.id in `).in(ids).add(" order by w.id").stmt(func(r row) error {
		var j webhook.Job
		n, l := &j.Notice, &j.Relationship
		err := r.Scan(&n.ID, stamp{&n.At}, &n.Purpose, textOf(&n.Subject.Kind), &n.Subject.ID, textOf(&n.State), &n.Version, &n.Endpoint, &n.Delivery.Attempts,
			textOf(&l.Kind), &l.InitiatorID, textOf(&l.Target.Kind), &l.Target.ID, &l.WorkspaceID, &j.Workspace, &j.Platform, textOf(&j.TargetName), textOf(&j.PlatformID))
		if k := len(jobs); k > 0 && jobs[k-1].Notice.ID == n.ID { // a member with several accounts on the workspace
			return err
		}
		jobs = append(jobs, j)
		return err
	}))
	return jobs, unavailable(err, "read what webhooks are about")
}

// EndpointHealth is how endpoints do of which something is known.
func (s *Store) EndpointHealth(ctx context.Context) (map[string]im.EndpointHealth, error) {
	out := map[string]im.EndpointHealth{}
	err := s.read(ctx,
		stmt{text: "select e.name, e.url, e.failures, e.failing_since, e.last_error_code, e.delivered_at, e.disabled_at, e.probe_at from webhook_endpoints e",
			scan: func(r row) error {
				var h im.EndpointHealth
				err := r.Scan(&h.Name, &h.URL, &h.Failures, stamp{&h.FailingSince}, textOf(&h.LastErrorCode), stamp{&h.DeliveredAt}, stamp{&h.DisabledAt}, stamp{&h.ProbeAt})
				out[h.Name] = h
				return err
			}},
		stmt{text: "select w.endpoint, count(*) from webhooks w where w.state = 'PENDING' group by w.endpoint", scan: func(r row) error {
			var name string
			var n int
			err := r.Scan(&name, &n)
			h := out[name]
			h.Name, h.Pending = name, n
			out[name] = h
			return err
		}})
	return out, unavailable(err, "read how endpoints do")
}
