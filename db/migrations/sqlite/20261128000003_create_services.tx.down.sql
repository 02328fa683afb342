drop trigger alerts_person_is_there;
drop trigger relationships_initiator_is_there;
pragma writable_schema = on;
update sqlite_schema set sql = replace(sql, 'initiator_id blob not null', 'initiator_id blob not null references members (id)')
  where type = 'table' and name = 'relationships';
update sqlite_schema set sql = replace(sql, 'person_id blob', 'person_id blob references members (id)')
  where type = 'table' and name = 'alerts';
pragma writable_schema = reset;
alter table members drop column sessions_valid_from;
drop table api_key_scopes;
drop table api_keys;
drop table services;
