-- Rows that have not the usual value of a column are few and looked for: each such index holds these alone, so that it costs
-- nothing where a row is as most are. Queries name the usual value, see unusual in db/list.go.
create index members_employment on members (employment, id) where employment <> 'ACTIVE';
create index accounts_status on accounts (status, id) where status <> 'ACTIVE';
create index external_contacts_status on external_contacts (status, id) where status <> 'ACTIVE';
create index external_contacts_importance on external_contacts (importance, id) where importance <> 'NORMAL';
create index relationships_state on relationships (state, id) where state <> 'ACTIVE';
create index relationships_kind on relationships (kind, id) where kind <> 'BLOCK';
create index alerts_contact on alerts (contact_id, id) where contact_id is not null;
create index audit_events_action on audit_events (action text_pattern_ops, id);
create index audit_events_refused on audit_events (outcome, id) where outcome <> 'ALLOW';
