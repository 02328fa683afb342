drop index approvals_escalate;
alter table approvals drop column escalated_at;
alter table approvals drop column escalate_to;
alter table approvals drop column escalates_at;
