-- A blacklist is one of a workspace, and policy was asked about its rows as a whole.
alter table imports add column workspace_id blob;
alter table imports add column bulk text;
