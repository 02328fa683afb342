drop index accounts_unusual;
create index accounts_status on accounts (status, id) where status <> 'ACTIVE';
alter table imports drop column lines;
