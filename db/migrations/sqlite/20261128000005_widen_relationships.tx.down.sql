drop index relationships_workspace;
drop index relationships_effective;
alter table relationships drop column declared;
alter table relationships drop column requested_by;
alter table relationships drop column delegate_id;
alter table relationships drop column further;
