-- Who asked, where a decision was only asked for: such ones may be forgotten.
alter table decisions add column asked_by uuid;
create index decisions_asked on decisions (id) where asked_by is not null;

-- Refusals of questions that can be asked again and again: the first one is a decision, those after it are counted.
create table denials (
  fold bytea primary key,
  decision_id uuid not null,
  times bigint not null,
  last_at bigint not null
);
create index denials_decision on denials (decision_id);
