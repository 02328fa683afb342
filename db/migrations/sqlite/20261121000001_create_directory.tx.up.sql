-- Conventions of every table: ids are UUIDv7 of 16 bytes; times are microseconds since 1970 in UTC; what people
-- wrote and what names a person in the trail is a sealed box (see data_keys); text that is sorted compares by bytes.

create table meta (
  key text not null primary key,
  value text not null
) strict, without rowid;

create table workspaces (
  id blob not null primary key,
  name text not null unique,
  platform text not null,
  region text not null,
  time_zone text not null,
  customer_contact integer not null
) strict, without rowid;

create table departments (
  id blob not null primary key,
  name text not null,
  sort_key text not null,
  parent_id blob references departments (id),
  manager_id blob,
  path text not null unique
) strict, without rowid;

create table members (
  id blob not null primary key,
  name text not null,
  sort_key text not null,
  employee_no text not null unique,
  account_name text not null unique,
  position text not null,
  rank integer not null,
  phone text not null,
  job_function text not null,
  region text not null,
  manager_id blob,
  employment text not null
) strict, without rowid;
create index members_sort on members (sort_key, id);
create index members_manager on members (manager_id);

create table member_roles (
  member_id blob not null references members (id) on delete cascade,
  role text not null,
  primary key (member_id, role)
) strict, without rowid;
create index member_roles_role on member_roles (role, member_id);

create table member_departments (
  member_id blob not null references members (id) on delete cascade,
  department_id blob not null references departments (id),
  is_primary integer not null,
  primary key (member_id, department_id)
) strict, without rowid;
create unique index member_departments_primary on member_departments (member_id) where is_primary;
create index member_departments_department on member_departments (department_id, member_id);

create table accounts (
  id blob not null primary key,
  member_id blob references members (id),
  workspace_id blob not null references workspaces (id),
  kind text not null,
  platform_id text not null,
  status text not null,
  status_until integer,
  status_scope text not null,
  last_active_at integer,
  unique (workspace_id, platform_id)
) strict, without rowid;
create index accounts_member on accounts (member_id, workspace_id);

create table external_contacts (
  id blob not null primary key,
  workspace_id blob not null references workspaces (id),
  platform_id text not null,
  name text not null,
  sort_key text not null,
  company text not null,
  phone text not null,
  verified integer not null,
  region text not null,
  importance text not null,
  status text not null,
  owner_id blob references members (id),
  pool_department_id blob references departments (id),
  unique (workspace_id, platform_id)
) strict, without rowid;
create index external_contacts_owner on external_contacts (owner_id);
create index external_contacts_sort on external_contacts (sort_key, id);

create table contact_tags (
  contact_id blob not null references external_contacts (id) on delete cascade,
  tag text not null,
  primary key (contact_id, tag)
) strict, without rowid;

create table contact_follows (
  contact_id blob not null references external_contacts (id) on delete cascade,
  member_id blob not null references members (id),
  since integer not null,
  source text not null,
  primary key (contact_id, member_id)
) strict, without rowid;
create index contact_follows_member on contact_follows (member_id, contact_id);

create table opportunities (
  id blob not null primary key,
  contact_id blob not null references external_contacts (id) on delete cascade,
  title text not null,
  amount integer not null,
  currency text not null,
  stage text not null,
  is_open integer not null,
  owner_id blob references members (id)
) strict, without rowid;
create index opportunities_contact on opportunities (contact_id);

create table groups (
  id blob not null primary key,
  workspace_id blob not null references workspaces (id),
  platform_id text not null,
  name text not null,
  sort_key text not null,
  kind text not null,
  owner_id blob references members (id),
  project_closed integer,
  announcement text not null,
  dissolved_at integer,
  unique (workspace_id, platform_id)
) strict, without rowid;
create index groups_owner on groups (owner_id);

create table group_members (
  id blob not null primary key,
  group_id blob not null references groups (id),
  party_kind text not null,
  party_id blob not null,
  is_admin integer not null,
  joined_at integer not null,
  left_at integer,
  invited_by blob
) strict, without rowid;
create unique index group_members_current on group_members (group_id, party_id) where left_at is null;
create index group_members_party on group_members (party_id, group_id) where left_at is null;
