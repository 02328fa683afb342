-- Services ask with API keys, in nobody's name. A key's secret is not here: hash is SHA-256 of the whole key. Times of keys, and
-- of sessions_valid_from, are real ones, in the demo too, as those of tokens are.
create table services (
  id uuid primary key,
  name text collate "C" not null unique
);

create table api_keys (
  id uuid primary key,
  service_id uuid not null references services (id),
  prefix text collate "C" not null unique,
  hash bytea not null,
  created_by uuid references members (id),
  created_at bigint not null,
  expires_at bigint,
  revoked_at bigint,
  last_used_at bigint
);
create index api_keys_service on api_keys (service_id, id);

create table api_key_scopes (
  key_id uuid not null references api_keys (id) on delete cascade,
  scope text collate "C" not null,
  primary key (key_id, scope)
);

-- Sessions of a member that began before this have ended.
alter table members add column sessions_valid_from bigint;

-- Whose doing something is, may be a service, too: in the place of a reference there is a trigger.
alter table relationships drop constraint relationships_initiator_id_fkey;
alter table alerts drop constraint alerts_person_id_fkey;
create function relationships_initiator_is_there() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from members where id = new.initiator_id) and not exists (select 1 from services where id = new.initiator_id) then
    raise exception 'no such member or service' using errcode = 'foreign_key_violation';
  end if;
  return new;
end $$;
create trigger relationships_initiator_is_there before insert on relationships
  for each row execute function relationships_initiator_is_there();
create function alerts_person_is_there() returns trigger language plpgsql as $$
begin
  if not exists (select 1 from members where id = new.person_id) and not exists (select 1 from services where id = new.person_id) then
    raise exception 'no such member or service' using errcode = 'foreign_key_violation';
  end if;
  return new;
end $$;
create trigger alerts_person_is_there before insert on alerts
  for each row when (new.person_id is not null) execute function alerts_person_is_there();
