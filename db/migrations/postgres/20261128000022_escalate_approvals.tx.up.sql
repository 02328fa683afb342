-- When an approval that is still open is passed on, to whom, and when it was. Null: never.
alter table approvals add column escalates_at bigint;
alter table approvals add column escalate_to jsonb;
alter table approvals add column escalated_at bigint;
create index approvals_escalate on approvals (escalates_at) where state = 'PENDING' and escalated_at is null;
