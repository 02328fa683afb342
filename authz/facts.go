package authz

import (
	"maps"
	"slices"

	"github.com/guanxi-im/guanxi/internal/im"
)

// Actor (操作人) is who asks, as policy sees him.
type Actor struct {
	ID          string
	Roles       []string // as the directory gives them; what they imply is policy
	Rank        int      // job rank; higher is more senior
	JobFunction string   // of im.JobFunction
	Status      string   // standing on the workspace in question (im.Account.Standing); empty: no account there
	Employment  string   // of im.Employment
	// LastHour counts what he did in the last hour of the sort that is asked for, what is asked for now included: freezes and
	// disables (without those that departures bring), blacklistings, or departures opened.
	LastHour int
	// RecentBlocks counts the BLOCKs of external contacts that he made in the last ten minutes, in whatever state they are now
	// and without those of bulks; where a BLOCK of a contact is asked for it counts as well, and the ten minutes are those
	// before it was asked for, however late it is decided again.
	RecentBlocks int
	// Departments is the names of his departments and of all above them; known where he wants to keep somebody away.
	Departments []string
}

// Object is what the action is about. Fields that do not fit its Type stay zero.
type Object struct {
	Type string // one of the Type constants
	ID   string

	// Of a member, and of the person who a departure is about.
	Relation string // where he stands to the actor in the reporting line, at any distance: superior, subordinate or empty
	// Of a member.
	OwnsSharedGroup bool // he owns a group, on any workspace, that both are in
	OtherDepartment bool // of a wish about him: he and the initiator share no department

	// Of a group, of a message to one and of a wish to block in one: owner, admin, member, or empty for who is not in it.
	ActorPlace string
	Place      string // of the member who is to be blocked

	// Of a contact.
	Importance string  // of im.Importance
	OpenValue  float64 // of the open opportunities, in the company's currency
	// OpenForeign: some are in another currency, of which nobody knows what they come to in the company's.
	OpenForeign bool
	Verified    bool
	// OwnDepartment: its owner is in a department of the actor, or in one below.
	OwnDepartment bool
	// OwnPool: it lies in the pool of a department that the actor is in.
	OwnPool bool

	// Of a wish to block, isolate or blacklist.
	OnBehalf bool   // the initiator is to be another person than the actor
	Scope    string // of im.Scope; empty: the platform's own
	Bulk     string // it is part of a bulk: plain, that needed no approval, or approved, as a whole; empty: by itself

	// Of a wish on behalf of another person, who that is; Initiator.Relation is where the target stands to him, and
	// Initiator.Stands where he stands to the actor.
	Initiator Initiator

	// Of a bulk, an export, and contacts to be deleted: how many rows.
	Rows int

	// Of an account: of im.AccountStatus, as it is, and as it is to be.
	Status string
	To     string

	// Of any command: nobody would be left who can act as super_admin.
	LastSuperAdmin bool

	// Of a departure.
	Lane        string // the lane that the command speaks for, or that its step is in
	OtherLane   bool   // the actor has acted in another of its lanes
	Involuntary bool

	// Of a relationship.
	Kind     string // of im.RelationshipKind
	Pending  bool   // it waits for approval or for the end of its cool-down
	Reviewed bool   // to lift: somebody had to agree to it; to undo: its terms ask for somebody beside the actor

	// Of a message that is to be sent: a group is to be told something as a whole. ActorPlace is the sender's there.
	Announcement bool

	// The actor is the initiator of the relationship, the requester of the approval, the owner of the contacts, the sender of
	// the message, the person behind the account or identity, or the one whom alone the group is to lose.
	Mine bool
	// Of an approval: the actor may satisfy a need that is still unmet.
	Candidate bool

	// Of a pair.
	Party bool // the actor is one of the two
	// Of a pair, and of a member who is to hand over: one of the two, or he, is in a department of the actor or below.
	Below bool
}

// Initiator (发起人) is whom an actor acts for. Guardrails test him as they test the actor.
type Initiator struct {
	ID         string
	Relation   string // as Object.Relation, to the initiator
	Stands     string // as Object.Relation, the initiator to the actor
	Status     string // as Actor.Status
	Employment string
	Auditor    bool // he is an auditor
}

// Env is what is known of the place.
type Env struct {
	CustomerContact bool // the workspace has the licence for customer contact (客户联系)
	OtherSuperAdmin bool // a super_admin besides the actor can act
	// Regions is where the actor, the workspace and, of a wish about somebody, that person are at home, each once.
	Regions []string
}

// Request is one question to policy.
type Request struct {
	Platform string
	Action   string // one of the Action constants
	Actor    Actor
	Object   Object
	Env      Env
}

// facts is a request with what was worked out of it once: all roles that the actor's roles imply on the platform.
type facts struct {
	*Request
	roles roleSet
}

// kind is the type of a term in a condition.
type kind int

const (
	word     kind = iota // one of a closed list of texts
	identity             // an id; compared with another id only
	number
	truth
	roles   // the set of the actor's roles
	nameSet // a set of names that stand in the directory
)

var kindNames = [...]string{"a word", "an id", "a number", "true or false", "a set of roles", "a set of names"}

func (k kind) String() string { return kindNames[k] }

// attribute is a fact that conditions may name. The accessor of its kind is set, and of a word its closed list.
type attribute struct {
	kind   kind
	text   func(*facts) string // of word and identity
	number func(*facts) float64
	truth  func(*facts) bool
	names  func(*facts) []string
	words  []string
}

func words[T ~string](get func(*facts) string, known ...T) attribute {
	list := make([]string, len(known))
	for i, k := range known {
		list[i] = string(k)
	}
	return attribute{kind: word, text: get, words: list}
}

func ids(get func(*facts) string) attribute      { return attribute{kind: identity, text: get} }
func numbers(get func(*facts) float64) attribute { return attribute{kind: number, number: get} }
func flags(get func(*facts) bool) attribute      { return attribute{kind: truth, truth: get} }

// attributes is all that conditions may name. Plain strings, numbers and booleans only: Casbin's evaluator finds two
// values of a named string type unequal without a word.
var attributes = map[string]attribute{
	"r.act": words(func(f *facts) string { return f.Action }, actions...),

	"r.sub.ID":           ids(func(f *facts) string { return f.Actor.ID }),
	"r.sub.Roles":        {kind: roles},
	"r.sub.Rank":         numbers(func(f *facts) float64 { return float64(f.Actor.Rank) }),
	"r.sub.JobFunction":  words(func(f *facts) string { return f.Actor.JobFunction }, "", im.General, im.Sales, im.CustomerService, im.HR, im.IT, im.Legal, im.Management),
	"r.sub.Status":       standings(func(f *facts) string { return f.Actor.Status }),
	"r.sub.Employment":   words(func(f *facts) string { return f.Actor.Employment }, "", im.Employed, im.Departing, im.Departed),
	"r.sub.LastHour":     numbers(func(f *facts) float64 { return float64(f.Actor.LastHour) }),
	departmentsFact:      {kind: nameSet, names: func(f *facts) []string { return f.Actor.Departments }},
	"r.sub.RecentBlocks": numbers(func(f *facts) float64 { return float64(f.Actor.RecentBlocks) }),

	"r.obj.Type":            words(func(f *facts) string { return f.Object.Type }, types...),
	"r.obj.ID":              ids(func(f *facts) string { return f.Object.ID }),
	"r.obj.Relation":        words(func(f *facts) string { return f.Object.Relation }, "", Superior, Subordinate),
	"r.obj.OwnsSharedGroup": flags(func(f *facts) bool { return f.Object.OwnsSharedGroup }),
	"r.obj.OtherDepartment": flags(func(f *facts) bool { return f.Object.OtherDepartment }),
	"r.obj.Importance":      words(func(f *facts) string { return f.Object.Importance }, "", im.NormalContact, im.KeyContact),
	"r.obj.OpenValue":       numbers(func(f *facts) float64 { return f.Object.OpenValue }),
	"r.obj.OpenForeign":     flags(func(f *facts) bool { return f.Object.OpenForeign }),
	"r.obj.Verified":        flags(func(f *facts) bool { return f.Object.Verified }),
	"r.obj.OnBehalf":        flags(func(f *facts) bool { return f.Object.OnBehalf }),
	"r.obj.Scope":           words(func(f *facts) string { return f.Object.Scope }, "", im.InitiatorView, im.WorkspaceScope),
	"r.obj.Kind":            words(func(f *facts) string { return f.Object.Kind }, "", im.Block, im.Isolation, im.Blacklist, im.GroupBlock),
	"r.obj.Pending":         flags(func(f *facts) bool { return f.Object.Pending }),
	"r.obj.Reviewed":        flags(func(f *facts) bool { return f.Object.Reviewed }),
	"r.obj.Mine":            flags(func(f *facts) bool { return f.Object.Mine }),
	"r.obj.Candidate":       flags(func(f *facts) bool { return f.Object.Candidate }),
	"r.obj.Party":           flags(func(f *facts) bool { return f.Object.Party }),
	"r.obj.Below":           flags(func(f *facts) bool { return f.Object.Below }),
	"r.obj.ActorPlace":      words(func(f *facts) string { return f.Object.ActorPlace }, "", PlaceOwner, PlaceAdmin, PlaceMember),
	"r.obj.Place":           words(func(f *facts) string { return f.Object.Place }, "", PlaceOwner, PlaceAdmin, PlaceMember),
	"r.obj.OwnDepartment":   flags(func(f *facts) bool { return f.Object.OwnDepartment }),
	"r.obj.OwnPool":         flags(func(f *facts) bool { return f.Object.OwnPool }),
	"r.obj.Bulk":            words(func(f *facts) string { return f.Object.Bulk }, "", BulkPlain, BulkApproved),
	"r.obj.Rows":            numbers(func(f *facts) float64 { return float64(f.Object.Rows) }),
	"r.obj.Status":          words(func(f *facts) string { return f.Object.Status }, "", im.AccountActive, im.AccountFrozen, im.AccountDormant, im.AccountDisabled),
	"r.obj.To":              words(func(f *facts) string { return f.Object.To }, "", im.AccountActive, im.AccountFrozen, im.AccountDormant, im.AccountDisabled),
	"r.obj.LastSuperAdmin":  flags(func(f *facts) bool { return f.Object.LastSuperAdmin }),
	"r.obj.Lane":            words(func(f *facts) string { return f.Object.Lane }, "", LaneHR, LaneBusiness, LaneLegal, LaneIT),
	"r.obj.OtherLane":       flags(func(f *facts) bool { return f.Object.OtherLane }),
	"r.obj.Announcement":    flags(func(f *facts) bool { return f.Object.Announcement }),
	"r.obj.Involuntary":     flags(func(f *facts) bool { return f.Object.Involuntary }),

	"r.obj.InitiatorID":         ids(func(f *facts) string { return f.Object.Initiator.ID }),
	"r.obj.InitiatorRelation":   words(func(f *facts) string { return f.Object.Initiator.Relation }, "", Superior, Subordinate),
	"r.obj.InitiatorStands":     words(func(f *facts) string { return f.Object.Initiator.Stands }, "", Superior, Subordinate),
	"r.obj.InitiatorStatus":     standings(func(f *facts) string { return f.Object.Initiator.Status }),
	"r.obj.InitiatorEmployment": words(func(f *facts) string { return f.Object.Initiator.Employment }, "", im.Employed, im.Departing, im.Departed),
	"r.obj.InitiatorAuditor":    flags(func(f *facts) bool { return f.Object.Initiator.Auditor }),

	"r.env.CustomerContact": flags(func(f *facts) bool { return f.Env.CustomerContact }),
	"r.env.Regions":         {kind: nameSet, names: func(f *facts) []string { return f.Env.Regions }},
	"r.env.OtherSuperAdmin": flags(func(f *facts) bool { return f.Env.OtherSuperAdmin }),
}

// standings are the words of im.Account.Standing.
func standings(get func(*facts) string) attribute {
	return words(get, "", string(im.AccountActive), string(im.AccountFrozen), string(im.AccountDormant), string(im.AccountDisabled), string(im.ExportOnlyScope))
}

// Whose place somebody has in a group.
const (
	PlaceOwner  = "owner"
	PlaceAdmin  = "admin"
	PlaceMember = "member"
)

// What kind of bulk something is part of.
const (
	BulkPlain    = "plain"    // one that needed no approval
	BulkApproved = "approved" // one that was approved as a whole
)

// The lanes (泳道) of a departure: one person acts in one of them only.
const (
	LaneHR       = "HR"
	LaneBusiness = "BUSINESS"
	LaneLegal    = "LEGAL"
	LaneIT       = "IT"
)

// Where the object stands to the actor in the reporting line.
const (
	Superior    = "superior"
	Subordinate = "subordinate"
)

var attributeNames = slices.Sorted(maps.Keys(attributes))
