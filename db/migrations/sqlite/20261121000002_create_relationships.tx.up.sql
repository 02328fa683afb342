-- One data key per person whom texts are about. Destroying it (wrapped set to null) erases every text sealed by it,
-- in this database and in every copy of it that learns of the erasure.
create table data_keys (
  id blob not null primary key,
  subject_id blob not null,
  wrapped blob,
  created_at integer not null,
  destroyed_at integer
) strict, without rowid;
create index data_keys_subject on data_keys (subject_id);

-- The policy files of one version, whole, so that a decision's rules can be shown as they stood.
create table policy_versions (
  version text not null primary key,
  bundle blob not null,
  loaded_at integer not null
) strict, without rowid;

-- The decision log. (On PostgreSQL it is partitioned by ranges of ids, which are ranges of days.)
create table decisions (
  id blob not null primary key,
  at integer not null,
  action text not null,
  actor_id blob,
  target_kind text,
  target_id blob,
  workspace_id blob,
  outcome text not null,
  rules text not null,
  needs text not null,
  obligations text not null,
  facts text not null,
  policy_version text not null
) strict, without rowid;

create table relationships (
  id blob not null primary key,
  workspace_id blob not null references workspaces (id),
  kind text not null,
  state text not null,
  version integer not null,
  scope text not null,
  source text not null,
  initiator_id blob not null references members (id),
  target_kind text not null,
  target_id blob not null,
  group_id blob references groups (id),
  reason blob not null,
  created_at integer not null,
  effective_at integer,
  expires_at integer,
  ended_at integer,
  enforcement text not null,
  undo_terms text not null,
  needs text not null,
  decision_id blob not null
) strict, without rowid;
-- One live relationship of a kind between two on a workspace, and one a group. The states are those of
-- im.RelationshipState.Live.
create unique index relationships_live on relationships (initiator_id, target_id, workspace_id, kind)
  where group_id is null and state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL');
create unique index relationships_live_group on relationships (initiator_id, target_id, workspace_id, kind, group_id)
  where group_id is not null and state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL');
create index relationships_initiator on relationships (initiator_id, id);
create index relationships_target on relationships (target_id, id);
create index relationships_expiry on relationships (expires_at)
  where expires_at is not null and state in ('PENDING_APPROVAL', 'STAGED', 'ACTIVE', 'UNDO_PENDING_APPROVAL');

create table approvals (
  id blob not null primary key,
  action text not null,
  subject_kind text not null,
  subject_id blob not null,
  workspace_id blob,
  requested_by blob,
  reason blob not null,
  about_id blob not null,
  request_hash blob not null,
  needs text not null,
  decision_id blob not null,
  final_decision_id blob,
  state text not null,
  version integer not null,
  created_at integer not null,
  expires_at integer,
  ended_at integer
) strict, without rowid;
create unique index approvals_pending on approvals (subject_id, action) where state = 'PENDING';
create index approvals_subject on approvals (subject_id, id);
create index approvals_decision on approvals (decision_id);
create index approvals_requested on approvals (requested_by, id);
create index approvals_expiry on approvals (expires_at) where state = 'PENDING';

create table approval_candidates (
  approval_id blob not null references approvals (id) on delete cascade,
  member_id blob not null references members (id),
  role text not null,
  primary key (approval_id, member_id, role)
) strict, without rowid;
create index approval_candidates_member on approval_candidates (member_id, approval_id);

create table approval_verdicts (
  id blob not null primary key,
  approval_id blob not null references approvals (id) on delete cascade,
  by_id blob not null references members (id),
  approved integer not null,
  comment blob not null,
  at integer not null,
  unique (approval_id, by_id)
) strict, without rowid;

create table intents (
  id blob not null primary key,
  key text not null unique,
  kind text not null,
  workspace_id blob not null references workspaces (id),
  subject_kind text not null,
  subject_id blob not null,
  state text not null,
  attempts integer not null default 0,
  last_error_code text,
  vendor_ref text,
  created_at integer not null,
  settled_at integer
) strict, without rowid;
create index intents_subject on intents (subject_id, id);

create table alerts (
  id blob not null primary key,
  kind text not null,
  severity text not null,
  at integer not null,
  subject_kind text not null,
  subject_id blob not null,
  person_id blob references members (id),
  contact_id blob,
  acknowledged_by blob references members (id),
  acknowledged_at integer
) strict, without rowid;
create index alerts_person on alerts (person_id, id);

create table idempotency (
  actor_id blob not null,
  key text not null,
  operation text not null,
  request_hash blob not null,
  result text not null,
  at integer not null,
  primary key (actor_id, key)
) strict, without rowid;
