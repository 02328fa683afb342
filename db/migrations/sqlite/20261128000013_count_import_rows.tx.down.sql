alter table imports drop column row_count;
