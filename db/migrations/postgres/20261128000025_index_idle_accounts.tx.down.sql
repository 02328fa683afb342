drop index accounts_idle;
create index accounts_idle on accounts (last_active_at) where status = 'ACTIVE';
