drop index external_contacts_undialled;
alter table external_contacts drop column dialled;
