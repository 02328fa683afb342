-- What subscribers hear is no longer of relationships alone: it is of requests, alerts and the directory too, all in one
-- line. kind and subject_id say what changed, what says how; a thing of the directory that lives on a workspace has that.
create table widened (
  id blob not null primary key,
  at integer not null,
  kind text not null,
  subject_id blob not null,
  what text not null,
  workspace_id blob,
  previous_state text,
  snapshot text,
  number integer unique
) strict, without rowid;
insert into widened (id, at, kind, subject_id, what, previous_state, snapshot, number)
  select id, at, 'relationship', relationship_id, case when previous_state is null then 'CREATED' else 'UPDATED' end, previous_state, snapshot, number from changes;
drop table changes;
alter table widened rename to changes;
create index changes_unnumbered on changes (id) where number is null;
create index changes_kind on changes (kind, number);
