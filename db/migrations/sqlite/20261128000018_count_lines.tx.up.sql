-- How many lines the file of an import has, as its line ends tell. Null: nobody has counted.
alter table imports add column lines integer;
-- Of the accounts those few that have another status than most, or will: a status that ends by itself is no column's.
drop index accounts_status;
create index accounts_unusual on accounts (id) where status <> 'ACTIVE' or status_until is not null;
