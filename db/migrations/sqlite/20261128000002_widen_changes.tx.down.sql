create table narrowed (
  id blob not null primary key,
  at integer not null,
  relationship_id blob not null references relationships (id),
  previous_state text,
  snapshot text not null,
  number integer unique
) strict, without rowid;
insert into narrowed (id, at, relationship_id, previous_state, snapshot, number)
  select id, at, subject_id, previous_state, snapshot, number from changes where kind = 'relationship';
drop table changes;
alter table narrowed rename to changes;
create index changes_unnumbered on changes (id) where number is null;
