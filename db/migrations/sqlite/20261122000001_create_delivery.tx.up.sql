-- Intents are their own queue: which is due, who has it, and what it is about. Those on one target go one by one, by their
-- turn: ids come from the clocks of replicas, and a lift may have a lesser one than what it ends.
alter table intents add column target_id blob;
alter table intents add column turn integer;
alter table intents add column next_try_at integer;
alter table intents add column claimed_until integer;
create index intents_due on intents (workspace_id, next_try_at) where state = 'PENDING';
create index intents_waiting on intents (target_id, turn, id) where state = 'PENDING';

-- What a blacklisting took off one member's side of a contact: the only copy there is.
create table contact_holds (
  contact_id blob not null,
  member_id blob not null,
  snapshot blob not null,
  taken_at integer not null,
  primary key (contact_id, member_id)
) strict, without rowid;

-- What the undo of a relationship could not put back.
create table relationship_shortfalls (
  relationship_id blob not null primary key references relationships (id),
  items blob not null
) strict, without rowid;

-- A contact's status asks whether a blacklisting is in effect.
create index relationships_blacklist on relationships (target_id)
  where kind = 'BLACKLIST' and state in ('ACTIVE', 'UNDO_PENDING_APPROVAL');

-- What replicas have called, or may still call, of a platform's published budgets; by slot of the window.
create table platform_calls (
  workspace_id blob not null,
  budget text not null,
  slot integer not null,
  calls integer not null,
  primary key (workspace_id, budget, slot)
) strict, without rowid;
