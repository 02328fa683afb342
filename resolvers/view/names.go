package view

// name gives the loads the names by which they are seen in metrics and traces: those of their fields.
func (b *Batch) name() {
	b.members.of(b, "members")
	b.departments.of(b, "departments")
	b.contacts.of(b, "contacts")
	b.groups.of(b, "groups")
	b.relationships.of(b, "relationships")
	b.approvals.of(b, "approvals")
	b.subjects.of(b, "subjects")
	b.decisions.of(b, "decisions")
	b.imports.of(b, "imports")
	b.importRows.of(b, "importRows")
	b.keys.of(b, "keys")
	b.messages.of(b, "messages")
	b.announcements.of(b, "announcements")
	b.accounts.of(b, "accounts")
	b.opportunities.of(b, "opportunities")
	b.events.of(b, "events")
	b.alerts.of(b, "alerts")
	b.departmentsOf.of(b, "departmentsOf")
	b.accountsOf.of(b, "accountsOf")
	b.opportunitiesOf.of(b, "opportunitiesOf")
	b.adminsOf.of(b, "adminsOf")
	b.followed.of(b, "followed")
	b.deliveries.of(b, "deliveries")
	b.shortfalls.of(b, "shortfalls")
	b.notices.of(b, "notices")
	b.approvalsOf.of(b, "approvalsOf")
	b.services.of(b, "services")
	b.identities.of(b, "identities")
	b.devices.of(b, "devices")
	b.memberships.of(b, "memberships")
	b.childrenOf.of(b, "childrenOf")
	b.identitiesOf.of(b, "identitiesOf")
	b.devicesOf.of(b, "devicesOf")
	b.bindingsOf.of(b, "bindingsOf")
	b.followsOf.of(b, "followsOf")
	b.statusReasons.of(b, "statusReasons")
	b.verdicts.of(b, "verdicts")
	b.candidates.of(b, "candidates")
	b.asked.of(b, "asked")
	b.may.of(b, "may")
}

func (r *request) name() {
	r.workspaces.name, r.waiting.name, r.quotas.name = "workspaces", "waiting", "quotas"
}
