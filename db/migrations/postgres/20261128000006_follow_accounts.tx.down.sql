alter table approvals drop column request;
drop table account_steps;
drop index accounts_until;
alter table accounts drop column version;
