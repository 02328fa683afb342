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
}

// Object is what the action is about. Fields that do not fit its Type stay zero.
type Object struct {
	Type string // one of the Type constants
	ID   string

	// Of a member.
	Relation        string // where he stands to the actor in the reporting line, at any distance: superior, subordinate or empty
	OwnsSharedGroup bool   // he owns a group, on any workspace, that both are in

	// Of a contact.
	Importance string  // of im.Importance
	OpenValue  float64 // of the open opportunities, in the company's currency
	Verified   bool

	// Of a wish to block, isolate or blacklist.
	OnBehalf bool   // the initiator is to be another person than the actor
	Scope    string // of im.Scope; empty: the platform's own

	// Of a relationship.
	Kind     string // of im.RelationshipKind
	Pending  bool   // it waits for approval or for the end of its cool-down
	Reviewed bool   // to lift: somebody had to agree to it; to undo: its terms ask for somebody beside the actor

	// Of a relationship or an approval: the actor is its initiator or requester.
	Mine bool
	// Of an approval: the actor may satisfy a need that is still unmet.
	Candidate bool

	// Of a pair.
	Party bool // the actor is one of the two
	Below bool // one of the two members is below the actor
}

// Env is what is known of the place.
type Env struct {
	CustomerContact bool // the workspace has the licence for customer contact (客户联系)
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
	roles // the set of the actor's roles
)

var kindNames = [...]string{"a word", "an id", "a number", "true or false", "a set of roles"}

func (k kind) String() string { return kindNames[k] }

// attribute is a fact that conditions may name. The accessor of its kind is set, and of a word its closed list.
type attribute struct {
	kind   kind
	text   func(*facts) string // of word and identity
	number func(*facts) float64
	truth  func(*facts) bool
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

	"r.sub.ID":          ids(func(f *facts) string { return f.Actor.ID }),
	"r.sub.Roles":       {kind: roles},
	"r.sub.Rank":        numbers(func(f *facts) float64 { return float64(f.Actor.Rank) }),
	"r.sub.JobFunction": words(func(f *facts) string { return f.Actor.JobFunction }, "", im.General, im.Sales, im.CustomerService, im.HR, im.IT, im.Legal, im.Management),
	"r.sub.Status": words(func(f *facts) string { return f.Actor.Status }, "",
		string(im.AccountActive), string(im.AccountFrozen), string(im.AccountDormant), string(im.AccountDisabled), string(im.ExportOnlyScope)),
	"r.sub.Employment": words(func(f *facts) string { return f.Actor.Employment }, "", im.Employed, im.Departing, im.Departed),

	"r.obj.Type":            words(func(f *facts) string { return f.Object.Type }, types...),
	"r.obj.ID":              ids(func(f *facts) string { return f.Object.ID }),
	"r.obj.Relation":        words(func(f *facts) string { return f.Object.Relation }, "", Superior, Subordinate),
	"r.obj.OwnsSharedGroup": flags(func(f *facts) bool { return f.Object.OwnsSharedGroup }),
	"r.obj.Importance":      words(func(f *facts) string { return f.Object.Importance }, "", im.NormalContact, im.KeyContact),
	"r.obj.OpenValue":       numbers(func(f *facts) float64 { return f.Object.OpenValue }),
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

	"r.env.CustomerContact": flags(func(f *facts) bool { return f.Env.CustomerContact }),
}

// Where the object stands to the actor in the reporting line.
const (
	Superior    = "superior"
	Subordinate = "subordinate"
)

var attributeNames = slices.Sorted(maps.Keys(attributes))
