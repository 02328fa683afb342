drop table webhook_endpoints;
drop table webhooks;
