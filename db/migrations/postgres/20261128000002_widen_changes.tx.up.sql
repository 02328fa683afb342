-- What subscribers hear is no longer of relationships alone: it is of requests, alerts and the directory too, all in one
-- line. kind and subject_id say what changed, what says how; a thing of the directory that lives on a workspace has that.
alter table changes drop constraint changes_relationship_id_fkey;
alter table changes rename column relationship_id to subject_id;
alter table changes alter column snapshot drop not null;
alter table changes add column kind text not null default 'relationship';
alter table changes add column what text not null default 'UPDATED';
alter table changes add column workspace_id uuid;
update changes set what = 'CREATED' where previous_state is null;
alter table changes alter column kind drop default;
alter table changes alter column what drop default;
create index changes_kind on changes (kind, number);
