alter table audit_events drop column prevented;
