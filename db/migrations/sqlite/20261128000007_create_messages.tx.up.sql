-- What people write to each other on the gateway's own workspaces. body is sealed by the sender's data key; what a search
-- finds it by stands in message_grams: keyed hashes of the pairs of letters in it, of which nobody without the key learns the
-- letters. conversation_id is the same for all between two parties, and for all in one group.
create table messages (
  id blob not null primary key,
  workspace_id blob not null references workspaces (id),
  conversation_id blob not null,
  group_id blob references groups (id),
  sender_kind text not null,
  sender_id blob not null,
  recipient_kind text,
  recipient_id blob,
  announcement integer not null,
  kind text not null,
  body blob not null,
  sent_at integer not null,
  recalled_at integer,
  recalled_by blob references members (id)
) strict, without rowid;
create index messages_conversation on messages (conversation_id, id);
create index messages_sender on messages (sender_id, id);
create index messages_recipient on messages (recipient_id, id) where recipient_id is not null;
create index messages_group on messages (group_id, id) where group_id is not null;

create table message_mentions (
  message_id blob not null references messages (id) on delete cascade,
  member_id blob not null references members (id),
  primary key (message_id, member_id)
) strict, without rowid;

create table message_grams (
  gram integer not null,
  message_id blob not null references messages (id) on delete cascade,
  primary key (gram, message_id)
) strict, without rowid;

-- The message that is a group's announcement, in the place of the text that its platform gave.
alter table groups add column announcement_id blob;

-- Whoever was in a group goes on reading what was said meanwhile.
create index group_members_ever on group_members (party_id, group_id);
