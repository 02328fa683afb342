package view

// name gives the loads the names by which they are seen in metrics and traces: those of their fields.
func (b *Batch) name() {
	b.members.name, b.departments.name, b.contacts.name, b.groups.name = "members", "departments", "contacts", "groups"
	b.relationships.name, b.approvals.name, b.subjects.name, b.decisions.name = "relationships", "approvals", "subjects", "decisions"
	b.imports.name, b.importRows.name = "imports", "importRows"
	b.keys.name, b.messages.name, b.announcements.name = "keys", "messages", "announcements"
	b.accounts.name, b.opportunities.name, b.events.name, b.alerts.name = "accounts", "opportunities", "events", "alerts"
	b.departmentsOf.name, b.accountsOf.name, b.opportunitiesOf.name, b.adminsOf.name = "departmentsOf", "accountsOf", "opportunitiesOf", "adminsOf"
	b.followed.name, b.deliveries.name, b.shortfalls.name, b.approvalsOf.name = "followed", "deliveries", "shortfalls", "approvalsOf"
	b.services.name = "services"
	b.identities.name, b.devices.name, b.memberships.name = "identities", "devices", "memberships"
	b.childrenOf.name, b.identitiesOf.name, b.devicesOf.name, b.bindingsOf.name = "childrenOf", "identitiesOf", "devicesOf", "bindingsOf"
	b.followsOf.name, b.statusReasons.name = "followsOf", "statusReasons"
	b.verdicts.name, b.candidates.name, b.asked.name, b.may.name = "verdicts", "candidates", "asked", "may"
}

func (r *request) name() {
	r.workspaces.name, r.waiting.name, r.quotas.name = "workspaces", "waiting", "quotas"
}
