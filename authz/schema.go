package authz

import (
	"slices"
	"strings"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Vocabulary is all that policy files may say: what `guanxi policy schema` prints.
type Vocabulary struct {
	Attributes []AttributeSchema `json:"attributes"`
	Actions    []Word            `json:"actions"`
	Types      []Word            `json:"types"`
	Duties     []Word            `json:"duties"`
	Approvers  []Word            `json:"approvers"`
}

// AttributeSchema is a fact that conditions may name.
type AttributeSchema struct {
	Name string `json:"name"` // r.sub.Rank
	Type string `json:"type"` // word, id, number, boolean, roles or names
	// Values is the closed list of a word; an empty one means that nothing is known, or that there is none.
	Values []string `json:"values,omitempty"`
	// Objects is the types of objects that have it; empty: all.
	Objects     []string `json:"objects,omitempty"`
	Description string   `json:"description"`
}

// Word is a word of the files and what it means.
type Word struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// described is what an attribute means, and which types of objects have it: none named, all do.
type described struct {
	text    string
	objects []string
}

// attributeTexts describes every attribute, in one line each.
var attributeTexts = map[string]described{
	"r.act":              {text: "the action that is asked for"},
	"r.sub.ID":           {text: "who asks"},
	"r.sub.Roles":        {text: "all roles that the actor's roles imply on the platform; asked as in 'admin' in r.sub.Roles"},
	"r.sub.Rank":         {text: "the actor's job rank; higher is more senior"},
	"r.sub.JobFunction":  {text: "the actor's job function"},
	"r.sub.Status":       {text: "the actor's standing on the workspace in question; empty: no account there"},
	"r.sub.Employment":   {text: "whether the actor is employed, about to leave, or gone"},
	"r.sub.LastHour":     {text: "how much of the sort that is asked for the actor did in the last hour, this included: freezes and disables, blacklistings, departures"},
	"r.sub.Departments":  {text: "the names of the actor's departments and of all above them, where he wants to keep somebody away; asked as in '销售部' in r.sub.Departments"},
	"r.sub.RecentBlocks": {text: "how many external contacts the actor has blocked in the last ten minutes, in whatever state that is now; this one included, those of bulks and what was denied left out"},

	"r.obj.Type":            {text: "the type of what the action is about"},
	"r.obj.ID":              {text: "what the action is about; compared with another id only"},
	"r.obj.Relation":        {"where the target stands to the actor in the reporting line, at any distance", []string{TypeMember, TypeDeparture, TypeGroup}},
	"r.obj.OwnsSharedGroup": {"the target owns a group that both are in", []string{TypeMember}},
	"r.obj.OtherDepartment": {"the member who is to be kept away and the initiator share no department", []string{TypeMember}},
	"r.obj.ActorPlace":      {"the actor's place in the group; empty: not in it", []string{TypeGroup, TypeMember, TypeMessage}},
	"r.obj.Place":           {"the place in the group of the member who is to be blocked", []string{TypeGroup, TypeMember}},
	"r.obj.Importance":      {"how much the contact matters", []string{TypeContact}},
	"r.obj.OpenValue":       {"the contact's open business, in the company's currency", []string{TypeContact}},
	"r.obj.OpenForeign":     {"the contact has open business in another currency", []string{TypeContact}},
	"r.obj.Verified":        {"the contact is a verified enterprise user", []string{TypeContact}},
	"r.obj.OwnDepartment":   {"the contact's owner is in a department of the actor, or in one below", []string{TypeContact}},
	"r.obj.OwnPool":         {"the contact lies in the pool of a department that the actor is in", []string{TypeContact}},
	"r.obj.OnBehalf":        {text: "the initiator is to be another person than the actor"},
	"r.obj.Scope":           {text: "how far a block is to reach; empty: as far as is usual on the platform"},
	"r.obj.Bulk":            {text: "it is part of a bulk: one that needed no approval (plain), or one that was approved as a whole (approved)"},
	"r.obj.Rows":            {text: "how many rows the bulk, the export or the deletion has"},
	"r.obj.Status":          {"the account's status as it is", []string{TypeAccount}},
	"r.obj.To":              {"the account's status as it is to be", []string{TypeAccount}},
	"r.obj.LastSuperAdmin":  {"nobody would be left who can act as super_admin", []string{TypeAccount, TypeDeparture, TypeDirectory, TypeBulk}},
	"r.obj.Lane":            {"the lane of the departure that the command speaks for, or that its step is in", []string{TypeDeparture}},
	"r.obj.OtherLane":       {"the actor has acted in another lane of the departure", []string{TypeDeparture, TypeMember}},
	"r.obj.Announcement":    {"the message tells a group something as a whole", []string{TypeMessage}},
	"r.obj.Involuntary":     {"the departure was not the person's own wish", []string{TypeDeparture}},
	"r.obj.Kind":            {"the kind of the relationship, or of what a bulk is to make", []string{TypeRelationship, TypeBulk}},
	"r.obj.Pending":         {"the relationship waits for approval, or for the end of its cool-down", []string{TypeRelationship}},
	"r.obj.Reviewed":        {"to lift: somebody had to agree to it; to undo: its terms ask for somebody besides the actor", []string{TypeRelationship}},
	"r.obj.Mine":            {text: "it is the actor's own: he initiated, requested, owns or sent it, or is the person behind it"},
	"r.obj.Candidate":       {"the actor may satisfy a need of the approval that is still unmet", []string{TypeApproval}},
	"r.obj.Party":           {"the actor is one of the two", []string{TypePair}},
	"r.obj.Below":           {text: "the member, or one of the two, is in a department of the actor or in one below"},

	"r.obj.InitiatorID":         {text: "whom the actor acts for; empty: himself"},
	"r.obj.InitiatorRelation":   {text: "where the target stands to whom the actor acts for"},
	"r.obj.InitiatorStands":     {text: "where whom the actor acts for stands to the actor"},
	"r.obj.InitiatorStatus":     {text: "the standing on the workspace of whom the actor acts for"},
	"r.obj.InitiatorEmployment": {text: "the employment of whom the actor acts for"},
	"r.obj.InitiatorAuditor":    {text: "whom the actor acts for is an auditor"},

	"r.env.CustomerContact": {text: "the workspace has the licence for customer contact"},
	"r.env.Regions":         {text: "where the actor, the workspace and, of a wish about somebody, that person are at home; asked as in 'EU' in r.env.Regions"},
	"r.env.OtherSuperAdmin": {text: "a super_admin besides the actor can act"},
}

// fits reports whether objects of a type have an attribute. One that is not described is taken to be had by all.
func fits(attribute, objectType string) bool {
	of := attributeTexts[attribute].objects
	return len(of) == 0 || slices.Contains(of, objectType)
}

// asked is what actions are asked about; one that is not named here may be asked about any type.
var asked = map[string][]string{
	ActionBlock:                 {TypeMember, TypeContact, TypeDepartment, TypeGroup},
	ActionIsolate:               {TypeMember},
	ActionBlacklist:             {TypeContact},
	ActionGroupBlock:            {TypeMember},
	ActionLift:                  {TypeRelationship},
	ActionUndo:                  {TypeRelationship},
	ActionDecideApproval:        {TypeApproval},
	ActionCancelApproval:        {TypeApproval},
	ActionAcknowledgeAlert:      {TypeAlert},
	ActionRequestArchiveAccess:  {TypeArchive},
	ActionCheckContact:          {TypePair},
	ActionUnmask:                {""},
	ActionBulk:                  {TypeBulk},
	ActionPrune:                 {TypeRelationship},
	ActionSetAccountStatus:      {TypeAccount},
	ActionSendMessage:           {TypeMessage},
	ActionRecallMessage:         {TypeMessage},
	ActionRemoveGroupMembers:    {TypeGroup},
	ActionDissolveGroup:         {TypeGroup},
	ActionHandOver:              {TypeMember},
	ActionClaimContacts:         {TypeContact},
	ActionDeleteContacts:        {TypeContact},
	ActionExport:                {TypeExport},
	ActionImportDirectory:       {TypeDirectory},
	ActionSignOutDevices:        {TypeAccount},
	ActionBindAccount:           {TypeAccount},
	ActionUnlinkIdentity:        {TypeIdentity},
	ActionSyncWorkspace:         {TypeWorkspace},
	ActionResolveDrift:          {TypeAlert},
	ActionOpenDeparture:         {TypeDeparture},
	ActionCancelDeparture:       {TypeDeparture},
	ActionPauseDeparture:        {TypeDeparture},
	ActionResumeDeparture:       {TypeDeparture},
	ActionConfirmDeparture:      {TypeDeparture},
	ActionCompleteDepartureStep: {TypeDeparture},
	ActionRetryDepartureStep:    {TypeDeparture},
	ActionSetLegalHold:          {TypeMember},
	ActionActivatePolicy:        {TypePolicy},
	ActionWeigh:                 {TypeMember, TypeContact, TypeDepartment, TypeGroup},
	ActionCreateAPIKey:          {TypeAPIKey},
	ActionRevokeAPIKey:          {TypeAPIKey},
}

// isAsked reports whether anybody asks about this action on this type.
func isAsked(action, objectType string) bool {
	of, named := asked[action]
	switch {
	case named:
		return slices.Contains(of, objectType)
	case action == ActionRead:
		return len(Terms(objectType)) > 0
	}
	return objectType != ""
}

// actionTexts describes the actions.
var actionTexts = map[string]string{
	ActionBlock:                "block one way: the target reaches the initiator no more",
	ActionIsolate:              "keep two members apart, both ways",
	ActionBlacklist:            "put an external contact on the organisation's blacklist",
	ActionGroupBlock:           "keep a member from the initiator within one group",
	ActionLift:                 "end a relationship, or cancel it before it takes effect",
	ActionUndo:                 "take a relationship back within its undo window",
	ActionDecideApproval:       "agree to a request, or refuse it",
	ActionCancelApproval:       "take a request for approval back",
	ActionAcknowledgeAlert:     "take note of an alert",
	ActionRequestArchiveAccess: "ask for access to kept messages",
	ActionCheckContact:         "ask whether one party may reach the other",
	ActionRead:                 "read rows; the duty scope says which",
	ActionUnmask:               "see phone numbers and platform ids whole; the duty unmask says whose",
	ActionBulk:                 "block or blacklist many at once, as a whole",
	ActionPrune:                "remove blacklistings that have expired",
	ActionSetAccountStatus:     "freeze, disable or restore an account",
	ActionSignOutDevices:       "sign an account out everywhere",
	ActionBindAccount:          "say which person an account belongs to",
	ActionUnlinkIdentity:       "cut a member's link with a personal account",
	ActionSyncWorkspace:        "read a workspace anew from its platform",
	ActionResolveDrift:         "settle where a platform and the gateway differ",
	ActionImportDirectory:      "bring people and departments in",
	ActionSendMessage:          "send a message",
	ActionRecallMessage:        "take a message back",
	ActionRemoveGroupMembers:   "take members out of a group",
	ActionDissolveGroup:        "end a group",
	ActionHandOver:             "hand contacts and groups of a member over",
	ActionClaimContacts:        "take contacts out of a department's pool",
	ActionDeleteContacts:       "delete contacts",
	ActionExport:               "export rows",

	ActionOpenDeparture:         "open a departure",
	ActionCancelDeparture:       "cancel a departure",
	ActionPauseDeparture:        "halt a departure",
	ActionResumeDeparture:       "let a halted departure go on",
	ActionConfirmDeparture:      "confirm a departure for its lane",
	ActionCompleteDepartureStep: "report a step of a departure as done",
	ActionRetryDepartureStep:    "try a step of a departure again",
	ActionSetLegalHold:          "place or lift a legal hold",

	ActionActivatePolicy: "put another version of the policy in force",
	ActionWeigh:          "weigh how risky it is to keep somebody away; the duties risk and risk_level say it",
	ActionCreateAPIKey:   "let a service in by a new API key",
	ActionRevokeAPIKey:   "keep a service out by its API key",
}

// typeTexts describes the types of objects.
var typeTexts = map[string]string{
	TypeMember:       "a person with an account in the organisation",
	TypeAccount:      "a member's account on a workspace",
	TypeContact:      "an external contact, a customer",
	TypeGroup:        "a chat group",
	TypeDepartment:   "a department of the organisation, with all below it",
	TypeRelationship: "a block, isolation, blacklisting or group block",
	TypeApproval:     "a request that somebody has to agree to",
	TypePair:         "two parties, of check_contact",
	TypeAudit:        "an entry of the audit log",
	TypeAlert:        "an alert",
	TypeDeparture:    "a case of somebody leaving",
	TypePolicy:       "the policy files",
	TypeBulk:         "a bulk as a whole",
	TypeIdentity:     "a member's link with a personal account",
	TypeWorkspace:    "an organisation's place on a platform",
	TypeDirectory:    "the organisation as a whole",
	TypeMessage:      "a message",
	TypeExport:       "an export",
	TypeArchive:      "the kept messages",
	TypeAPIKey:       "the API key of a service",
	TypeImport:       "a file that is or was taken in",
}

// dutyTexts describes the duties that the product knows.
var dutyTexts = map[string]string{
	DutyUndo:       "how long it can be taken back: undo:72h, undo:same_day, undo:any_time",
	DutyUndoReview: "who must agree to an undo, as in the by column; those whom it names are spared: undo_review:admin",
	DutyUndoTrace:  "after an undo nothing of it shows but to those who read the trail of all: undo_trace:none",
	DutyAlert:      "raises an alert of this kind, which the superiors of who did it may read; of what has a cool-down when that begins: alert:KEY_CONTACT_BLOCKED",
	DutyNotify:     "has these told of it, people as soon as an alert would be raised, systems once it takes effect: a role, manager_of_actor, owner (of the contact), owner_dept_manager, group_owner, systems (the webhooks that take what it is about); + between several, = before what it is about: notify:owner+systems=OPPORTUNITY_LOSS",
	DutyExpire:     "how long an approval waits: expire:72h",
	DutyEscalate:   "of an approval that is still open after a time: these may then agree in anybody's place: roles, manager_of_actor, owner_dept_manager, group_owner; + between several: escalate:admin=24h",
	DutyCooldown:   "holds back what keeps somebody away: it takes effect so much later, if policy still allows it then, and can be cancelled until then: cooldown:15m",
	DutyCuts:       "cuts a further channel between the two, both ways: cuts:APPROVAL_FLOW, which takes somebody who stands in",
	DutyCloses:     "closes a further channel of the initiator to the target: closes:DOCUMENT_LIBRARY",
	DutyRisk:       "of the action weigh: a signal of risk with its weight: risk:KEY_CUSTOMER=0.5",
	DutyRiskLevel:  "of the action weigh: from which score on a risk is called LOW, MEDIUM or HIGH: risk_level:HIGH=0.7",
	dutyScope:      "of the action read: which rows show: scope:own_departments",
	dutyUnmask:     "of the action unmask: whose phone numbers and platform ids show whole: unmask:own",
}

// approverTexts describes the approvers that are worked out from the facts; every role is an approver too.
var approverTexts = map[string]string{
	im.ManagerOfActor:   "the manager of who asks",
	im.OwnerDeptManager: "the nearest dept_manager up the departments of the contact's owner who does not ask himself",
	im.GroupOwner:       "the owner of the group",
	im.AsMade:           "of lift and undo: those who had to agree when it was made",
}

// Schema lists what policy files may say, in the order of the alphabet; actions and types in the order of the product.
func Schema() Vocabulary {
	var v Vocabulary
	for _, name := range attributeNames {
		a, d := attributes[name], attributeTexts[name]
		v.Attributes = append(v.Attributes, AttributeSchema{
			Name: name, Type: [...]string{"word", "id", "number", "boolean", "roles", "names"}[a.kind], Values: a.words, Objects: d.objects, Description: d.text,
		})
	}
	known := []string{dutyScope, dutyUnmask, DutyUndo, DutyUndoReview, DutyAlert, DutyNotify, DutyExpire, DutyEscalate, DutyCooldown, DutyUndoTrace, DutyCuts, DutyCloses, DutyRisk, DutyRiskLevel}
	slices.Sort(known)
	for _, list := range []struct {
		to    *[]Word
		names []string
		texts map[string]string
	}{
		{&v.Actions, actions, actionTexts},
		{&v.Types, types, typeTexts},
		{&v.Duties, known, dutyTexts},
		{&v.Approvers, approvers, approverTexts},
	} {
		for _, name := range list.names {
			*list.to = append(*list.to, Word{name, list.texts[name]})
		}
	}
	return v
}

// String is the vocabulary as a page for people.
func (v Vocabulary) String() string {
	var b strings.Builder
	b.WriteString("attributes\n")
	for _, a := range v.Attributes {
		kind := a.Type
		if a.Type == "word" {
			kind = "'" + strings.Join(a.Values, "' | '") + "'"
		}
		b.WriteString("  " + a.Name + "  " + kind + "\n      " + a.Description)
		if len(a.Objects) > 0 {
			b.WriteString(" (of " + strings.Join(a.Objects, ", ") + ")")
		}
		b.WriteString("\n")
	}
	for _, part := range []struct {
		title string
		words []Word
	}{{"actions", v.Actions}, {"targets", v.Types}, {"duties", v.Duties}, {"approvers, besides roles", v.Approvers}} {
		b.WriteString("\n" + part.title + "\n")
		for _, w := range part.words {
			b.WriteString("  " + w.Name + "  " + w.Description + "\n")
		}
	}
	return b.String()
}
