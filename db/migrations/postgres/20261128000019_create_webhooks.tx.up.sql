-- Word to systems of what was done, written with it: a queue that says what is due, who has it and how often it was tried. Of what
-- goes to one endpoint about one thing only the oldest is due. Ids only: what is sent beside them stands elsewhere.
create table webhooks (
  id uuid not null primary key,
  at bigint not null,
  purpose text collate "C" not null,
  subject_kind text collate "C" not null,
  subject_id uuid not null,
  subject_state text collate "C" not null,
  subject_version bigint not null,
  endpoint text collate "C" not null,
  state text collate "C" not null,
  attempts bigint not null default 0,
  last_error_code text collate "C",
  next_try_at bigint,
  claimed_until bigint,
  settled_at bigint
);
create index webhooks_subject on webhooks (subject_id, id);
create index webhooks_due on webhooks (endpoint, next_try_at, id) where state = 'PENDING';

-- How an endpoint does since it was last answered as it should. url is a hash: one that is given another address begins anew.
create table webhook_endpoints (
  name text collate "C" not null primary key,
  url text collate "C" not null,
  failures bigint not null default 0,
  failing_since bigint,
  last_error_code text collate "C",
  delivered_at bigint,
  disabled_at bigint,
  probe_at bigint
);
