-- Word to people of what was done, written with it. Ids only: what is told beside them stands elsewhere.
create table notices (
  id uuid not null primary key,
  at bigint not null,
  purpose text collate "C" not null,
  subject_kind text collate "C" not null,
  subject_id uuid not null,
  member_id uuid not null references members (id)
);
create index notices_subject on notices (subject_id, id);
