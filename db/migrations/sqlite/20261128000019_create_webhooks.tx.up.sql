-- Word to systems of what was done, written with it: a queue that says what is due, who has it and how often it was tried. Of what
-- goes to one endpoint about one thing only the oldest is due. Ids only: what is sent beside them stands elsewhere.
create table webhooks (
  id blob not null primary key,
  at integer not null,
  purpose text not null,
  subject_kind text not null,
  subject_id blob not null,
  subject_state text not null,
  subject_version integer not null,
  endpoint text not null,
  state text not null,
  attempts integer not null default 0,
  last_error_code text,
  next_try_at integer,
  claimed_until integer,
  settled_at integer
) strict, without rowid;
create index webhooks_subject on webhooks (subject_id, id);
create index webhooks_due on webhooks (endpoint, next_try_at, id) where state = 'PENDING';

-- How an endpoint does since it was last answered as it should. url is a hash: one that is given another address begins anew.
create table webhook_endpoints (
  name text not null primary key,
  url text not null,
  failures integer not null default 0,
  failing_since integer,
  last_error_code text,
  delivered_at integer,
  disabled_at integer,
  probe_at integer
) strict, without rowid;
