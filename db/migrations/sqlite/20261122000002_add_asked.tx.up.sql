-- Who asked, where a decision was only asked for: such ones may be forgotten.
alter table decisions add column asked_by blob;
create index decisions_asked on decisions (id) where asked_by is not null;

-- Refusals of questions that can be asked again and again: the first one is a decision, those after it are counted.
create table denials (
  fold blob not null primary key,
  decision_id blob not null,
  times integer not null,
  last_at integer not null
) strict, without rowid;
create index denials_decision on denials (decision_id);
