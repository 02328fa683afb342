drop table platform_calls;
drop index relationships_blacklist;
drop table relationship_shortfalls;
drop table contact_holds;
drop index intents_waiting;
drop index intents_due;
alter table intents drop column claimed_until;
alter table intents drop column next_try_at;
alter table intents drop column target_id;
