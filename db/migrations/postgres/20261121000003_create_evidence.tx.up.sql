-- Commands insert events unlinked, in their own transaction; the sealer gives each its place in the chain and the
-- link to the one before it.
create table audit_events (
  id uuid primary key,
  at bigint not null,
  actor_kind text,
  actor_id uuid,
  actor_name bytea not null,
  action text not null,
  outcome text,
  subject_kind text,
  subject_id uuid,
  about_id uuid,
  subject_name bytea not null,
  detail bytea not null,
  workspace_id uuid,
  decision_id uuid,
  request_id text,
  sequence bigint unique,
  hash bytea,
  previous_hash bytea
);
create index audit_events_unsealed on audit_events (id) where sequence is null;
create index audit_events_subject on audit_events (subject_id, id);
create index audit_events_about on audit_events (about_id, id);
create index audit_events_actor on audit_events (actor_id, id);

-- What subscribers hear. Rows become visible in the order of their number, which the sealer gives to what is
-- committed: a transaction that commits late gets a late number, and no cursor skips it.
create table changes (
  id uuid primary key,
  at bigint not null,
  relationship_id uuid not null references relationships (id),
  previous_state text,
  snapshot jsonb not null,
  number bigint unique
);
create index changes_unnumbered on changes (id) where number is null;
