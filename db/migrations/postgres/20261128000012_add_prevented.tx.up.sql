-- What kept from being done what policy allowed. It is part of the hash of those events that have it.
alter table audit_events add column prevented text;
