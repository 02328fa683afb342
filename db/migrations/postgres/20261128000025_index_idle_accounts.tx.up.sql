-- Of accounts that nobody has used lately there are few or nearly all, and lists of them go by ids: which they are is read from
-- the index alone, in that order.
drop index accounts_idle;
create index accounts_idle on accounts (id, last_active_at, status_until, member_id) where status = 'ACTIVE';
