delete from changes where kind <> 'relationship';
drop index changes_kind;
alter table changes drop column kind;
alter table changes drop column what;
alter table changes drop column workspace_id;
alter table changes alter column snapshot set not null;
alter table changes rename column subject_id to relationship_id;
alter table changes add constraint changes_relationship_id_fkey foreign key (relationship_id) references relationships (id);
