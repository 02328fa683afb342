drop index group_members_ever;
alter table groups drop column announcement_id;
drop table message_grams;
drop table message_mentions;
drop table messages;
