-- What the directory still lacked. status_reason, reason: sealed boxes. tags: a JSON array. folded: what is searched in,
-- written by the gateway, as the databases fold letters differently; '' is filled in when a store is opened.
alter table accounts add column status_reason blob;

alter table contact_follows add column remark text not null default '';
alter table contact_follows add column tags text not null default '[]';

create table account_bindings (
  id blob not null primary key,
  account_id blob not null references accounts (id) on delete cascade,
  member_id blob references members (id),
  from_at integer not null,
  until_at integer,
  reason blob
) strict, without rowid;
create unique index account_bindings_current on account_bindings (account_id) where until_at is null;
create index account_bindings_account on account_bindings (account_id, from_at);

create table devices (
  id blob not null primary key,
  account_id blob not null references accounts (id) on delete cascade,
  label text not null,
  kind text not null,
  company_owned integer not null,
  last_seen_at integer,
  signed_in integer not null
) strict, without rowid;
create index devices_account on devices (account_id, id);

create table identity_links (
  id blob not null primary key,
  member_id blob not null references members (id) on delete cascade,
  provider text not null,
  subject text not null,
  personal integer not null,
  linked_at integer not null,
  unique (provider, subject)
) strict, without rowid;
create index identity_links_member on identity_links (member_id, id);

alter table members add column folded text not null default '';
alter table external_contacts add column folded text not null default '';
alter table groups add column folded text not null default '';
create index members_unfolded on members (id) where folded = '';
create index external_contacts_unfolded on external_contacts (id) where folded = '';
create index groups_unfolded on groups (id) where folded = '';

create index members_rank on members ((-rank), id);
create index departments_parent on departments (parent_id, id);
create index accounts_idle on accounts (last_active_at) where status = 'ACTIVE';
create index accounts_nobody on accounts (id) where member_id is null;
drop index external_contacts_owner;
create index external_contacts_owner on external_contacts (owner_id, id);
create index external_contacts_pool on external_contacts (pool_department_id, id) where pool_department_id is not null;
create index contact_tags_tag on contact_tags (tag, contact_id);
create index group_members_group on group_members (group_id, id);
create index group_members_all on group_members (party_id, id);
