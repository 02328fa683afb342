package adapters

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Enforcement (执行程度) is how far a platform really carries an action out.
type Enforcement string

// The degrees of enforcement.
const (
	Native      Enforcement = "NATIVE"      // the platform itself refuses
	Emulated    Enforcement = "EMULATED"    // reached by another lever
	Recorded    Enforcement = "RECORDED"    // only the gateway knows and obeys; the platform stops nothing
	Unsupported Enforcement = "UNSUPPORTED" // makes no sense there
)

// Action is something that an adapter may carry out.
type Action string

// The actions.
const (
	BlockMember  Action = "block_member"
	BlockContact Action = "block_contact"
	// BlacklistContact is what [Blacklister] carries out.
	BlacklistContact Action = "blacklist"
	IsolateMember    Action = "isolate"     // keep two members apart, both ways
	GroupBlockMember Action = "group_block" // keep one member from mentioning another in one group
	BlockDepartment  Action = "block_department"
	Bulk             Action = "bulk" // many at once; where it is Unsupported, each is for a person to do
	BlockGroup       Action = "block_group"
	Notify           Action = "notify" // what [Notifier] carries out
)

// Feature is something that an organisation may or may not have opened on its platform.
type Feature string

// CustomerContact (客户联系) is the licence to reach external contacts through the platform's server.
const CustomerContact Feature = "customer_contact"

// Description is what an adapter declares of its platform. It is constant.
type Description struct {
	Platform string // the name in policy files and workspaces: wecom
	Title    string // for people: WeCom (企业微信)
	// Organisation says that people have a place in a hierarchy there. Guardrails hold on such platforms only.
	Organisation bool
	// Rules holds the platform's house rules: *.csv, as package authz reads them. They may name no other platform.
	Rules fs.FS
	// Enforces says how far each action is carried out. An action that is missing is Recorded.
	Enforces map[Action]Enforcement
	// Notes explain an enforcement to people, by action.
	Notes map[Action]string
	// Channels says how far the ways between two parties are really closed by an action, where that is less than Enforces
	// says of the action as a whole: a blacklisting that marks a contact stops no message. It is never more.
	Channels map[Action]Enforcement
	// Requires names what an organisation must have opened before an action makes sense there. Without it the action is
	// refused as not enabled.
	Requires map[Action]Feature
	// Own says that the gateway itself is the platform: it obeys in the transaction that decides, so nothing is delivered,
	// and its adapter has no capability that carries out.
	Own bool
	// Docs is the home of the vendor's server API.
	Docs string
	// Budgets are the limits that the vendor publishes. Keeping to them is the caller's, see [Budget].
	Budgets []Budget
	// KeyHorizon says how long the vendor remembers a [Key], by action. An action that is missing is not remembered at
	// all: whoever repeats it after an [Indeterminate] answer reads back first.
	KeyHorizon map[Action]time.Duration
}

// Budget is a published limit: N calls of Op per Per, counted for each Scope. An empty Op means each operation by
// itself.
type Budget struct {
	Op    string // the vendor's path: /cgi-bin/externalcontact/mark_tag
	Scope string // app, organisation, member, address
	N     int
	Per   time.Duration
}

var registered []Description

// Register makes a platform known. It is called from an adapter's init, and panics where two claim one name.
func Register(d Description) {
	if d.Platform == "" {
		panic("adapters: a platform without a name")
	}
	if slices.ContainsFunc(registered, func(o Description) bool { return o.Platform == d.Platform }) {
		panic(fmt.Sprintf("adapters: two adapters for %s", d.Platform))
	}
	registered = append(registered, d)
	slices.SortFunc(registered, func(a, b Description) int { return strings.Compare(a.Platform, b.Platform) })
}

// All lists what is registered, by name.
func All() []Description { return slices.Clone(registered) }
