-- Channels that a relationship closes besides those of its kind, as the platform's rules said when it was made; null: none.
alter table relationships add column further text;
-- Who takes over the approvals that it cuts.
alter table relationships add column delegate_id blob;
-- Who asked for it, where that was not its initiator.
alter table relationships add column requested_by blob;
-- A person did it in the platform's own client, and it is only written down here.
alter table relationships add column declared integer not null default 0;

-- What is in effect, as contact checks look for it.
create index relationships_effective on relationships (target_id, initiator_id) where state in ('ACTIVE', 'UNDO_PENDING_APPROVAL');
create index relationships_workspace on relationships (target_id)
  where scope = 'WORKSPACE' and state in ('ACTIVE', 'UNDO_PENDING_APPROVAL');
