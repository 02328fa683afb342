-- Files that are taken in. What only an import under way needs (its file, rows that wait, what a dry run would have
-- written, who is in a complete file) goes when it ends.
create table imports (
  id uuid primary key,
  kind text not null,
  state text not null,
  dry_run boolean not null,
  complete boolean not null,
  shrink boolean not null,
  privileged boolean not null,
  requested_by uuid,
  decision_id uuid,
  file_hash bytea not null,
  file_size bigint not null,
  encoding text not null,
  is_stored boolean not null,
  created_at bigint not null,
  ended_at bigint,
  error text,
  line bigint not null,
  accepted bigint not null,
  rejected bigint not null,
  unchanged bigint not null,
  in_review bigint not null,
  waiting bigint not null,
  attempt bigint not null,
  claimed_until bigint
);
create index imports_running on imports (kind, id) where state = 'RUNNING';

create table import_chunks (
  import_id uuid not null,
  n bigint not null,
  bytes bytea not null,
  primary key (import_id, n)
);

-- The verdicts of a batch in one box of bytes (intake.Pack): a row each would be as much again as what is imported.
create table import_batches (
  id uuid primary key,
  import_id uuid not null references imports (id),
  first_line bigint not null,
  last_line bigint not null,
  verdicts bytea not null,
  unique (import_id, first_line)
);

-- Why a row was refused, with its text, sealed.
create table import_notes (
  id uuid primary key,
  import_id uuid not null references imports (id),
  line bigint not null,
  is_rejected boolean not null,
  note bytea not null,
  unique (import_id, line)
);

create table import_waiting (
  import_id uuid not null,
  line bigint not null,
  id uuid not null,
  content bytea not null,
  primary key (import_id, line)
);

create table import_scratch (
  import_id uuid not null,
  key text collate "C" not null,
  value text not null,
  primary key (import_id, key)
);

create table import_roster (
  import_id uuid not null,
  employee_no text collate "C" not null,
  primary key (import_id, employee_no)
);
