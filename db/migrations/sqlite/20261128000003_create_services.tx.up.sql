-- Services ask with API keys, in nobody's name. A key's secret is not here: hash is SHA-256 of the whole key. Times of keys, and
-- of sessions_valid_from, are real ones, in the demo too, as those of tokens are.
create table services (
  id blob not null primary key,
  name text not null unique
) strict, without rowid;

create table api_keys (
  id blob not null primary key,
  service_id blob not null references services (id),
  prefix text not null unique,
  hash blob not null,
  created_by blob references members (id),
  created_at integer not null,
  expires_at integer,
  revoked_at integer,
  last_used_at integer
) strict, without rowid;
create index api_keys_service on api_keys (service_id, id);

create table api_key_scopes (
  key_id blob not null references api_keys (id) on delete cascade,
  scope text not null,
  primary key (key_id, scope)
) strict, without rowid;

-- Sessions of a member that began before this have ended.
alter table members add column sessions_valid_from integer;

-- Whose doing something is, may be a service, too: in the place of a reference there is a trigger. SQLite changes no constraint;
-- that a reference is dropped changes nothing of what lies on disk, and is done by its text (https://www.sqlite.org/lang_altertable.html#otheralter, seen 2026-11).
pragma writable_schema = on;
update sqlite_schema set sql = replace(sql, 'initiator_id blob not null references members (id)', 'initiator_id blob not null')
  where type = 'table' and name = 'relationships';
update sqlite_schema set sql = replace(sql, 'person_id blob references members (id)', 'person_id blob')
  where type = 'table' and name = 'alerts';
pragma writable_schema = reset;
create trigger relationships_initiator_is_there before insert on relationships
  when not exists (select 1 from members where id = new.initiator_id) and not exists (select 1 from services where id = new.initiator_id)
  begin select raise(abort, 'no such member or service'); end;
create trigger alerts_person_is_there before insert on alerts
  when new.person_id is not null and not exists (select 1 from members where id = new.person_id)
    and not exists (select 1 from services where id = new.person_id)
  begin select raise(abort, 'no such member or service'); end;
