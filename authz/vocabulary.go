package authz

import (
	"maps"
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// The actions that policy is asked about. A line may also name a set of them (g2) or * for all.
const (
	ActionBlock                = "block"
	ActionIsolate              = "isolate"
	ActionBlacklist            = "blacklist"
	ActionGroupBlock           = "group_block"
	ActionLift                 = "lift" // the ordinary end of a relationship, also before it took effect
	ActionUndo                 = "undo" // taking back within the undo window
	ActionDecideApproval       = "decide_approval"
	ActionCancelApproval       = "cancel_approval"
	ActionAcknowledgeAlert     = "acknowledge_alert"
	ActionRequestArchiveAccess = "request_archive_access"
	ActionCheckContact         = "check_contact" // may one party reach the other: a question, not a command
	ActionRead                 = "read"          // answered by [Engine.Scope]
	ActionUnmask               = "unmask"        // answered by [Engine.Unmask]
	ActionPrune                = "prune"         // removing blacklistings that have expired
	ActionBulk                 = "bulk"          // many blocks or blacklistings at once, as a whole; each of them is asked about besides

	ActionSetAccountStatus = "set_account_status"
	ActionSignOutDevices   = "sign_out_devices"
	ActionBindAccount      = "bind_account"
	ActionUnlinkIdentity   = "unlink_identity"
	ActionSyncWorkspace    = "sync_workspace"
	ActionResolveDrift     = "resolve_drift"
	ActionImportDirectory  = "import_directory"

	ActionSendMessage        = "send_message"
	ActionRecallMessage      = "recall_message"
	ActionRemoveGroupMembers = "remove_group_members"
	ActionDissolveGroup      = "dissolve_group"

	ActionHandOver       = "hand_over"
	ActionClaimContacts  = "claim_contacts"
	ActionDeleteContacts = "delete_contacts"
	ActionExport         = "export"

	ActionOpenDeparture         = "open_departure"
	ActionCancelDeparture       = "cancel_departure"
	ActionPauseDeparture        = "pause_departure"
	ActionResumeDeparture       = "resume_departure"
	ActionConfirmDeparture      = "confirm_departure"
	ActionCompleteDepartureStep = "complete_departure_step"
	ActionRetryDepartureStep    = "retry_departure_step"
	ActionSetLegalHold          = "set_legal_hold"

	ActionActivatePolicy = "activate_policy"

	ActionWeigh = "weigh" // how risky it is to keep somebody away: a question that gathers duties, and no command

	ActionCreateAPIKey = "create_api_key"
	ActionRevokeAPIKey = "revoke_api_key"
)

var actions = []string{
	ActionBlock, ActionIsolate, ActionBlacklist, ActionGroupBlock, ActionLift, ActionUndo, ActionDecideApproval, ActionCancelApproval,
	ActionAcknowledgeAlert, ActionRequestArchiveAccess, ActionCheckContact, ActionRead, ActionUnmask, ActionBulk, ActionPrune,
	ActionSetAccountStatus, ActionSignOutDevices, ActionBindAccount, ActionUnlinkIdentity, ActionSyncWorkspace, ActionResolveDrift,
	ActionImportDirectory, ActionSendMessage, ActionRecallMessage, ActionRemoveGroupMembers, ActionDissolveGroup, ActionHandOver,
	ActionClaimContacts, ActionDeleteContacts, ActionExport, ActionOpenDeparture, ActionCancelDeparture, ActionPauseDeparture,
	ActionResumeDeparture, ActionConfirmDeparture, ActionCompleteDepartureStep, ActionRetryDepartureStep, ActionSetLegalHold,
	ActionActivatePolicy, ActionWeigh, ActionCreateAPIKey, ActionRevokeAPIKey,
}

// The types of objects that an action may be about. A line may also name * for all.
const (
	TypeMember       = "member"
	TypeAccount      = "account"
	TypeContact      = "contact"
	TypeGroup        = "group"
	TypeDepartment   = "department"
	TypeRelationship = "relationship"
	TypeApproval     = "approval"
	TypePair         = "pair" // two parties, of check_contact
	TypeAudit        = "audit"
	TypeAlert        = "alert"
	TypeDeparture    = "departure"
	TypePolicy       = "policy"
	TypeBulk         = "bulk"      // of bulk
	TypeIdentity     = "identity"  // a member's link with a personal account
	TypeWorkspace    = "workspace" // of sync_workspace
	TypeDirectory    = "directory" // the organisation as a whole, of import_directory
	TypeMessage      = "message"
	TypeExport       = "export"
	TypeArchive      = "archive" // the kept messages, of request_archive_access
	TypeAPIKey       = "api_key" // of a service
	TypeImport       = "import"  // a file that is or was taken in
)

var types = []string{
	TypeMember, TypeAccount, TypeContact, TypeGroup, TypeRelationship, TypeApproval, TypePair, TypeAudit, TypeAlert, TypeDeparture, TypePolicy,
	TypeBulk, TypeIdentity, TypeWorkspace, TypeDirectory, TypeMessage, TypeExport, TypeArchive, TypeAPIKey, TypeDepartment, TypeImport,
}

// Anyone is the role that every actor has, whatever the directory says of him: no guardrail misses a role that it has
// not heard of.
const Anyone = "anyone"

// The approvers that are worked out from the facts of a request (im.ManagerOfActor and so on); every other term of the
// by column is a role. Only a lift and an undo may ask for im.AsMade.
var approvers = []string{im.ManagerOfActor, im.OwnerDeptManager, im.GroupOwner, im.AsMade}

// readTerms says on which types of objects a term means something.
var readTerms = map[string][]string{
	im.ScopeAll:                  {TypeMember, TypeAccount, TypeContact, TypeGroup, TypeRelationship, TypeApproval, TypeAudit, TypeAlert, TypeDeparture, TypePolicy, TypeAPIKey, TypeImport, TypeMessage},
	im.ScopeOwnDepartments:       {TypeMember, TypeAccount},
	im.ScopeFollows:              {TypeContact},
	im.ScopeDepartmentsBelow:     {TypeContact},
	im.ScopeIn:                   {TypeGroup},
	im.ScopeOwnedBelow:           {TypeGroup},
	im.ScopeInitiated:            {TypeRelationship},
	im.ScopeInitiatedBelow:       {TypeRelationship},
	im.ScopeAsActor:              {TypeAudit},
	im.ScopeOnPolicyAndPlatforms: {TypeAudit},
	im.ScopeAllButArchive:        {TypeAudit},
	im.ScopeOwn:                  {TypeDeparture, TypeMessage},
	im.ScopePersonBelow:          {TypeDeparture},
	im.ScopePersonSubordinate:    {TypeAlert},
	im.ScopeContactOwner:         {TypeAlert},
	im.ScopeRequested:            {TypeApproval, TypeImport},
	im.ScopeCandidate:            {TypeApproval},
}

// The names of what API keys may do; roles.csv says so. A service has them, and no role of the directory, as Actor.Roles.
const (
	RoleService          = "service"
	RoleServiceBulk      = "service:bulk"      // blocks and blacklistings in bulk
	RoleServiceContacts  = "service:contacts"  // reads contacts
	RoleServiceMembers   = "service:members"   // reads people and their accounts
	RoleServiceUnmask    = "service:unmask"    // sees phone numbers and platform ids of what it reads
	RoleServiceDirectory = "service:directory" // imports the organisation
	RoleServiceCheck     = "service:check"     // asks whether one may reach another
)

// OfService reports whether a role is one that API keys have.
func OfService(role string) bool {
	return role == RoleService || strings.HasPrefix(role, RoleService+":")
}

// Scopes lists what an API key may be given: the roles of services that the files know, sorted. A role of a person is none.
func (e *Engine) Scopes() []string {
	return slices.DeleteFunc(e.hierarchy.names(), func(role string) bool { return role == RoleService || !OfService(role) })
}

// unmaskTerms are the terms of unmasking: whose phone numbers and platform ids show.
var unmaskTerms = []string{im.ScopeOwn, im.ScopeFollows, im.ScopeAll}

// Terms lists the terms that read scopes of an object type may hold, sorted.
func Terms(objectType string) []string {
	var out []string
	for _, t := range slices.Sorted(maps.Keys(readTerms)) {
		if slices.Contains(readTerms[t], objectType) {
			out = append(out, t)
		}
	}
	return out
}

// The duties of the product. Sources name those that somebody fulfils; scope and unmask are authz's own.
const (
	// DutyUndo frames the undo window of what is made: a duration after it was made (undo:72h), same_day, or any_time.
	DutyUndo = "undo"
	// DutyUndoReview names who must agree to an undo, as in the by column; those whom it names are spared.
	DutyUndoReview = "undo_review"
	// DutyUndoTrace says what an undo leaves in the eyes of ordinary users: undo_trace:none. Without it the relationship and
	// its history go on showing.
	DutyUndoTrace = "undo_trace"
	// DutyAlert raises an alert of the kind named.
	DutyAlert = "alert"
	// DutyNotify has people and systems told of what was done: notify:manager_of_actor, notify:owner+systems=OPPORTUNITY_LOSS.
	DutyNotify = "notify"
	// DutyExpire is how long an approval waits.
	DutyExpire = "expire"
	// DutyEscalate passes an approval on that is still open after a time: escalate:admin=24h.
	DutyEscalate = "escalate"
	// DutyCooldown holds back what is made: it takes effect so much later, and can be cancelled until then.
	DutyCooldown = "cooldown"
	// DutyCuts closes a further channel between the two parties of a block, both ways, and DutyCloses one from the target to
	// the initiator alone: cuts:APPROVAL_FLOW, closes:DOCUMENT_LIBRARY. Who cuts the flow of approvals names who stands in.
	DutyCuts   = "cuts"
	DutyCloses = "closes"

	// DutyRisk is a signal of risk with its weight: risk:KEY_CUSTOMER=0.5; DutyRiskLevel is from which score on a risk is
	// called what: risk_level:HIGH=0.7. Both are duties of the action weigh.
	DutyRisk      = "risk"
	DutyRiskLevel = "risk_level"

	// NotifyOwner is the owner of the contact in question, and NotifySystems the endpoints of systems that take the purpose: they are
	// notified beside roles and those who may be approvers.
	NotifyOwner   = "owner"
	NotifySystems = "systems"

	dutyScope  = "scope"
	dutyUnmask = "unmask"
)

// tightening is the duties for whose sake a line that only narrows may have the effect allow: whatever they are added to
// comes later, or is seen by more people, and nobody may do more for them.
var tightening = []string{DutyAlert, DutyNotify, DutyCooldown}

// departmentsFact is the name of the actor's departments.
const departmentsFact = "r.sub.Departments"

// making is the actions that make a relationship: what they make can be held back.
var making = []string{ActionBlock, ActionIsolate, ActionBlacklist, ActionGroupBlock}
