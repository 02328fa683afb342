-- Commands insert events unlinked, in their own transaction; the sealer gives each its place in the chain and the
-- link to the one before it.
create table audit_events (
  id blob not null primary key,
  at integer not null,
  actor_kind text,
  actor_id blob,
  actor_name blob not null,
  action text not null,
  outcome text,
  subject_kind text,
  subject_id blob,
  about_id blob,
  subject_name blob not null,
  detail blob not null,
  workspace_id blob,
  decision_id blob,
  request_id text,
  sequence integer unique,
  hash blob,
  previous_hash blob
) strict, without rowid;
create index audit_events_unsealed on audit_events (id) where sequence is null;
create index audit_events_subject on audit_events (subject_id, id);
create index audit_events_about on audit_events (about_id, id);
create index audit_events_actor on audit_events (actor_id, id);

-- What subscribers hear. Rows become visible in the order of their number, which the sealer gives to what is
-- committed: a transaction that commits late gets a late number, and no cursor skips it.
create table changes (
  id blob not null primary key,
  at integer not null,
  relationship_id blob not null references relationships (id),
  previous_state text,
  snapshot text not null,
  number integer unique
) strict, without rowid;
create index changes_unnumbered on changes (id) where number is null;
