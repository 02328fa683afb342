drop index relationships_staged;
