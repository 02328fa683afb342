-- Conventions of every table: ids are UUIDv7 of 16 bytes; times are microseconds since 1970 in UTC; what people
-- wrote and what names a person in the trail is a sealed box (see data_keys); text that is sorted compares by bytes.

create table meta (
  key text primary key,
  value text not null
);

create table workspaces (
  id uuid primary key,
  name text collate "C" not null unique,
  platform text not null,
  region text not null,
  time_zone text not null,
  customer_contact boolean not null
);

create table departments (
  id uuid primary key,
  name text not null,
  sort_key text collate "C" not null,
  parent_id uuid references departments (id),
  manager_id uuid,
  path text collate "C" not null unique
);

create table members (
  id uuid primary key,
  name text not null,
  sort_key text collate "C" not null,
  employee_no text collate "C" not null unique,
  account_name text collate "C" not null unique,
  position text not null,
  rank bigint not null,
  phone text not null,
  job_function text not null,
  region text not null,
  manager_id uuid,
  employment text not null
);
create index members_sort on members (sort_key, id);
create index members_manager on members (manager_id);

create table member_roles (
  member_id uuid not null references members (id) on delete cascade,
  role text collate "C" not null,
  primary key (member_id, role)
);
create index member_roles_role on member_roles (role, member_id);

create table member_departments (
  member_id uuid not null references members (id) on delete cascade,
  department_id uuid not null references departments (id),
  is_primary boolean not null,
  primary key (member_id, department_id)
);
create unique index member_departments_primary on member_departments (member_id) where is_primary;
create index member_departments_department on member_departments (department_id, member_id);

create table accounts (
  id uuid primary key,
  member_id uuid references members (id),
  workspace_id uuid not null references workspaces (id),
  kind text not null,
  platform_id text collate "C" not null,
  status text not null,
  status_until bigint,
  status_scope text not null,
  last_active_at bigint,
  unique (workspace_id, platform_id)
);
create index accounts_member on accounts (member_id, workspace_id);

create table external_contacts (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  platform_id text collate "C" not null,
  name text not null,
  sort_key text collate "C" not null,
  company text not null,
  phone text not null,
  verified boolean not null,
  region text not null,
  importance text not null,
  status text not null,
  owner_id uuid references members (id),
  pool_department_id uuid references departments (id),
  unique (workspace_id, platform_id)
);
create index external_contacts_owner on external_contacts (owner_id);
create index external_contacts_sort on external_contacts (sort_key, id);

create table contact_tags (
  contact_id uuid not null references external_contacts (id) on delete cascade,
  tag text collate "C" not null,
  primary key (contact_id, tag)
);

create table contact_follows (
  contact_id uuid not null references external_contacts (id) on delete cascade,
  member_id uuid not null references members (id),
  since bigint not null,
  source text not null,
  primary key (contact_id, member_id)
);
create index contact_follows_member on contact_follows (member_id, contact_id);

create table opportunities (
  id uuid primary key,
  contact_id uuid not null references external_contacts (id) on delete cascade,
  title text not null,
  amount bigint not null,
  currency text not null,
  stage text not null,
  is_open boolean not null,
  owner_id uuid references members (id)
);
create index opportunities_contact on opportunities (contact_id);

create table groups (
  id uuid primary key,
  workspace_id uuid not null references workspaces (id),
  platform_id text collate "C" not null,
  name text not null,
  sort_key text collate "C" not null,
  kind text not null,
  owner_id uuid references members (id),
  project_closed boolean,
  announcement text not null,
  dissolved_at bigint,
  unique (workspace_id, platform_id)
);
create index groups_owner on groups (owner_id);

create table group_members (
  id uuid primary key,
  group_id uuid not null references groups (id),
  party_kind text not null,
  party_id uuid not null,
  is_admin boolean not null,
  joined_at bigint not null,
  left_at bigint,
  invited_by uuid
);
create unique index group_members_current on group_members (group_id, party_id) where left_at is null;
create index group_members_party on group_members (party_id, group_id) where left_at is null;
