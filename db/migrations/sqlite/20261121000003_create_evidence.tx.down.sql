drop table changes;
drop table audit_events;
