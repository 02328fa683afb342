-- The phone number of a contact as it is dialled from anywhere, to be found by whatever way it is written. Null: not worked out yet.
alter table external_contacts add column dialled text;
create index external_contacts_undialled on external_contacts (id) where dialled is null;
