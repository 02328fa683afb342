-- Word to people of what was done, written with it. Ids only: what is told beside them stands elsewhere.
create table notices (
  id blob not null primary key,
  at integer not null,
  purpose text not null,
  subject_kind text not null,
  subject_id blob not null,
  member_id blob not null references members (id)
) strict, without rowid;
create index notices_subject on notices (subject_id, id);
