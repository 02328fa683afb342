-- Of two commands on one account the second is worked out anew.
alter table accounts add column version integer not null default 1;
create index accounts_until on accounts (status_until) where status_until is not null;

-- Who set which status when: what somebody did of late counts. by_id is null where the clock did it.
create table account_steps (
  id blob not null primary key,
  account_id blob not null references accounts (id) on delete cascade,
  by_id blob,
  status text not null,
  at integer not null
) strict, without rowid;
create index account_steps_by on account_steps (by_id, id);
create index account_steps_account on account_steps (account_id, id);

-- What is asked for, where the subject does not hold it: JSON.
alter table approvals add column request text;
