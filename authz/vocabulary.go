package authz

import (
	"maps"
	"slices"

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
)

var actions = []string{
	ActionBlock, ActionIsolate, ActionBlacklist, ActionGroupBlock, ActionLift, ActionUndo, ActionDecideApproval, ActionCancelApproval,
	ActionAcknowledgeAlert, ActionRequestArchiveAccess, ActionCheckContact, ActionRead, ActionUnmask,
}

// The types of objects that an action may be about. A line may also name * for all.
const (
	TypeMember       = "member"
	TypeAccount      = "account"
	TypeContact      = "contact"
	TypeGroup        = "group"
	TypeRelationship = "relationship"
	TypeApproval     = "approval"
	TypePair         = "pair" // two parties, of check_contact
	TypeAudit        = "audit"
	TypeAlert        = "alert"
	TypeDeparture    = "departure"
	TypePolicy       = "policy"
)

var types = []string{
	TypeMember, TypeAccount, TypeContact, TypeGroup, TypeRelationship, TypeApproval, TypePair, TypeAudit, TypeAlert, TypeDeparture, TypePolicy,
}

// Anyone is the role that every actor has, whatever the directory says of him: no guardrail misses a role that it has
// not heard of.
const Anyone = "anyone"

// The approvers that are worked out from the facts of a request (im.ManagerOfActor and so on); every other term of the
// by column is a role. Only a lift and an undo may ask for im.AsMade.
var approvers = []string{im.ManagerOfActor, im.OwnerDeptManager, im.GroupOwner, im.AsMade}

// readTerms says on which types of objects a term means something.
var readTerms = map[string][]string{
	im.ScopeAll:                  {TypeMember, TypeAccount, TypeContact, TypeGroup, TypeRelationship, TypeApproval, TypeAudit, TypeAlert, TypeDeparture, TypePolicy},
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
	im.ScopeOwn:                  {TypeDeparture},
	im.ScopePersonBelow:          {TypeDeparture},
	im.ScopePersonSubordinate:    {TypeAlert},
	im.ScopeContactOwner:         {TypeAlert},
	im.ScopeRequested:            {TypeApproval},
	im.ScopeCandidate:            {TypeApproval},
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
	// DutyUndo frames the undo window of what is made: a duration after it was made (undo:72h), or same_day.
	DutyUndo = "undo"
	// DutyUndoReview names who must agree to an undo, as in the by column; those whom it names are spared.
	DutyUndoReview = "undo_review"
	// DutyAlert raises an alert of the kind named.
	DutyAlert = "alert"
	// DutyExpire is how long an approval waits.
	DutyExpire = "expire"

	dutyScope  = "scope"
	dutyUnmask = "unmask"
)
