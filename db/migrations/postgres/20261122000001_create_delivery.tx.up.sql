-- Intents are their own queue: which is due, who has it, and what it is about. Those on one target go one by one, by their
-- turn: ids come from the clocks of replicas, and a lift may have a lesser one than what it ends.
alter table intents add column target_id uuid;
alter table intents add column turn bigint;
alter table intents add column next_try_at bigint;
alter table intents add column claimed_until bigint;
create index intents_due on intents (workspace_id, next_try_at) where state = 'PENDING';
create index intents_waiting on intents (target_id, turn, id) where state = 'PENDING';

-- What a blacklisting took off one member's side of a contact: the only copy there is.
create table contact_holds (
  contact_id uuid not null,
  member_id uuid not null,
  snapshot bytea not null,
  taken_at bigint not null,
  primary key (contact_id, member_id)
);

-- What the undo of a relationship could not put back.
create table relationship_shortfalls (
  relationship_id uuid not null primary key references relationships (id),
  items bytea not null
);

-- A contact's status asks whether a blacklisting is in effect.
create index relationships_blacklist on relationships (target_id)
  where kind = 'BLACKLIST' and state in ('ACTIVE', 'UNDO_PENDING_APPROVAL');

-- What replicas have called, or may still call, of a platform's published budgets; by slot of the window.
create table platform_calls (
  workspace_id uuid not null,
  budget text collate "C" not null,
  slot bigint not null,
  calls bigint not null,
  primary key (workspace_id, budget, slot)
);
