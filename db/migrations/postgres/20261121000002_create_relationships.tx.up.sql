-- One data key per person whom texts are about. Destroying it (wrapped set to null) erases every text sealed by it,
-- in this database and in every copy of it that learns of the erasure.
create table data_keys (
  id uuid primary key,
  subject_id uuid not null,
  wrapped bytea,
  created_at bigint not null,
  destroyed_at bigint
);
create index data_keys_subject on data_keys (subject_id);

-- The policy files of one version, whole, so that a decision's rules can be shown as they stood.
create table policy_versions (
  version text collate "C" primary key,
  bundle bytea not null,
  loaded_at bigint not null
);

-- The decision log. Ids begin with their time, so that a range of ids is a range of days: partitions by day need no
-- second key. Until there are any, all rows are in the default one.
create table decisions (
  id uuid primary key,
  at bigint not null,
  action text not null,
  actor_id uuid,
  target_kind text,
  target_id uuid,
  workspace_id uuid,
  outcome text not null,
  rules jsonb not null,
  needs jsonb not null,
  obligations jsonb not null,
  facts jsonb not null,
  policy_version text not null
) partition by range (id);
create table decisions_default partition of decisions default;

create table relationships (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  kind text not null,
  state text not null,
  version bigint not null,
  scope text not null,
  source text not null,
  initiator_id uuid not null references members (id),
  target_kind text not null,
  target_id uuid not null,
  group_id uuid references groups (id),
  reason bytea not null,
  created_at bigint not null,
  effective_at bigint,
  expires_at bigint,
  ended_at bigint,
  enforcement text not null,
  undo_terms jsonb not null,
  needs jsonb not null,
  decision_id uuid not null
);
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
  id uuid primary key,
  action text not null,
  subject_kind text not null,
  subject_id uuid not null,
  workspace_id uuid,
  requested_by uuid,
  reason bytea not null,
  about_id uuid not null,
  request_hash bytea not null,
  needs jsonb not null,
  decision_id uuid not null,
  final_decision_id uuid,
  state text not null,
  version bigint not null,
  created_at bigint not null,
  expires_at bigint,
  ended_at bigint
);
create unique index approvals_pending on approvals (subject_id, action) where state = 'PENDING';
create index approvals_subject on approvals (subject_id, id);
create index approvals_decision on approvals (decision_id);
create index approvals_requested on approvals (requested_by, id);
create index approvals_expiry on approvals (expires_at) where state = 'PENDING';

create table approval_candidates (
  approval_id uuid not null references approvals (id) on delete cascade,
  member_id uuid not null references members (id),
  role text collate "C" not null,
  primary key (approval_id, member_id, role)
);
create index approval_candidates_member on approval_candidates (member_id, approval_id);

create table approval_verdicts (
  id uuid primary key,
  approval_id uuid not null references approvals (id) on delete cascade,
  by_id uuid not null references members (id),
  approved boolean not null,
  comment bytea not null,
  at bigint not null,
  unique (approval_id, by_id)
);

create table intents (
  id uuid primary key,
  key text collate "C" not null unique,
  kind text not null,
  workspace_id uuid not null references workspaces (id),
  subject_kind text not null,
  subject_id uuid not null,
  state text not null,
  attempts bigint not null default 0,
  last_error_code text,
  vendor_ref text,
  created_at bigint not null,
  settled_at bigint
);
create index intents_subject on intents (subject_id, id);

create table alerts (
  id uuid primary key,
  kind text not null,
  severity text not null,
  at bigint not null,
  subject_kind text not null,
  subject_id uuid not null,
  person_id uuid references members (id),
  contact_id uuid,
  acknowledged_by uuid references members (id),
  acknowledged_at bigint
);
create index alerts_person on alerts (person_id, id);

create table idempotency (
  actor_id uuid not null,
  key text collate "C" not null,
  operation text not null,
  request_hash bytea not null,
  result jsonb not null,
  at bigint not null,
  primary key (actor_id, key)
);
