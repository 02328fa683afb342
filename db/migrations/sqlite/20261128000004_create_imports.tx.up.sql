-- Files that are taken in. What only an import under way needs (its file, rows that wait, what a dry run would have
-- written, who is in a complete file) goes when it ends.
create table imports (
  id blob not null primary key,
  kind text not null,
  state text not null,
  dry_run integer not null,
  complete integer not null,
  shrink integer not null,
  privileged integer not null,
  requested_by blob,
  decision_id blob,
  file_hash blob not null,
  file_size integer not null,
  encoding text not null,
  is_stored integer not null,
  created_at integer not null,
  ended_at integer,
  error text,
  line integer not null,
  accepted integer not null,
  rejected integer not null,
  unchanged integer not null,
  in_review integer not null,
  waiting integer not null,
  attempt integer not null,
  claimed_until integer
) strict, without rowid;
create index imports_running on imports (kind, id) where state = 'RUNNING';

create table import_chunks (
  import_id blob not null,
  n integer not null,
  bytes blob not null,
  primary key (import_id, n)
) strict;

-- The verdicts of a batch in one box of bytes (intake.Pack): a row each would be as much again as what is imported.
create table import_batches (
  id blob not null primary key,
  import_id blob not null references imports (id),
  first_line integer not null,
  last_line integer not null,
  verdicts blob not null,
  unique (import_id, first_line)
) strict;

-- Why a row was refused, with its text, sealed.
create table import_notes (
  id blob not null primary key,
  import_id blob not null references imports (id),
  line integer not null,
  is_rejected integer not null,
  note blob not null,
  unique (import_id, line)
) strict, without rowid;

create table import_waiting (
  import_id blob not null,
  line integer not null,
  id blob not null,
  content blob not null,
  primary key (import_id, line)
) strict, without rowid;

create table import_scratch (
  import_id blob not null,
  key text not null,
  value text not null,
  primary key (import_id, key)
) strict, without rowid;

create table import_roster (
  import_id blob not null,
  employee_no text not null,
  primary key (import_id, employee_no)
) strict, without rowid;
