-- What the directory still lacked. status_reason, reason: sealed boxes. tags: a JSON array. folded: what is searched in,
-- written by the gateway, as the databases fold letters differently; '' is filled in when a store is opened.
alter table accounts add column status_reason bytea;

alter table contact_follows add column remark text not null default '';
alter table contact_follows add column tags text not null default '[]';

create table account_bindings (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  member_id uuid references members (id),
  from_at bigint not null,
  until_at bigint,
  reason bytea
);
create unique index account_bindings_current on account_bindings (account_id) where until_at is null;
create index account_bindings_account on account_bindings (account_id, from_at);

create table devices (
  id uuid primary key,
  account_id uuid not null references accounts (id) on delete cascade,
  label text not null,
  kind text not null,
  company_owned boolean not null,
  last_seen_at bigint,
  signed_in boolean not null
);
create index devices_account on devices (account_id, id);

create table identity_links (
  id uuid primary key,
  member_id uuid not null references members (id) on delete cascade,
  provider text collate "C" not null,
  subject text collate "C" not null,
  personal boolean not null,
  linked_at bigint not null,
  unique (provider, subject)
);
create index identity_links_member on identity_links (member_id, id);

alter table members add column folded text collate "C" not null default '';
alter table external_contacts add column folded text collate "C" not null default '';
alter table groups add column folded text collate "C" not null default '';
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
