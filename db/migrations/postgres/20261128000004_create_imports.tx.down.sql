drop table import_roster;
drop table import_scratch;
drop table import_waiting;
drop table import_notes;
drop table import_batches;
drop table import_chunks;
drop table imports;
