-- An import may wait for people to agree: what they agree to is a file of so many rows.
alter table imports add column row_count integer;
