alter table imports drop column bulk;
alter table imports drop column workspace_id;
