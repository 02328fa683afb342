drop table denials;
drop index decisions_asked;
alter table decisions drop column asked_by;
