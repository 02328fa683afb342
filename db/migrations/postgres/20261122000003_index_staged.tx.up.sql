-- The sweep asks for relationships whose cool-down is over.
create index relationships_staged on relationships (effective_at) where state = 'STAGED';
