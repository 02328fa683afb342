package im

import "slices"

// Scope is what policy lets somebody read of one kind of thing: a set of terms, of which any one suffices. None
// shows nothing. The store turns the terms into SQL.
type Scope []string

// Has reports whether the scope holds the term.
func (s Scope) Has(term string) bool { return slices.Contains(s, term) }

// Viewer is who asks, a person or a service, and what of each kind of thing may be read. The zero Viewer is the gateway itself.
type Viewer struct {
	Member  Member   // zero: it is a service
	Service Service  // zero: it is a person
	Roles   []string // what the roles imply, by policy
	Scopes  map[Kind]Scope
	Unmask  Scope // of which people and contacts phone numbers and platform ids show in full
}

// ID is the person's or the service's: whose doing it is, whose idempotency keys these are, and who "I" is in scopes.
func (v Viewer) ID() ID { return v.Ref().ID }

// Ref points at the person or the service.
func (v Viewer) Ref() Ref {
	if v.IsService() {
		return Ref{KindService, v.Service.ID}
	}
	return v.Member.Ref()
}

// Standing is how the viewer stands where no workspace is in question, as policy calls it. A service is active, as its key holds; so is
// who has no account of his own, and is known to the directory alone.
func (v Viewer) Standing() string {
	if v.Member.Standing == "" {
		return string(AccountActive)
	}
	return v.Member.Standing
}

// Name is the person's or the service's, for the trail.
func (v Viewer) Name() string {
	if v.IsService() {
		return v.Service.Name
	}
	return v.Member.Name
}

// IsService reports whether a program asks, in nobody's name.
func (v Viewer) IsService() bool { return !v.Service.ID.IsZero() }

// Is reports whether the viewer holds the role, by name or by implication.
func (v Viewer) Is(role string) bool { return slices.Contains(v.Roles, role) }

// ReadsTrail reports whether the viewer may read what anybody did; an undo without a trace leaves all of it to such as these.
func (v Viewer) ReadsTrail() bool {
	trail := v.Scopes[KindAudit]
	return trail.Has(ScopeAll) || trail.Has(ScopeAllButArchive)
}

// The terms of scopes. A policy file that names another one for its kind of thing is refused. "His departments" are
// all that the viewer belongs to; "below" adds the departments under them ([Department.Path]).
const (
	ScopeAll                  = "all"                     // every row; it swallows the other terms
	ScopeOwnDepartments       = "own_departments"         // members, accounts: those of his departments
	ScopeFollows              = "follows"                 // contacts: those he owns or follows
	ScopeDepartmentsBelow     = "departments_below"       // contacts: owned in his departments and below
	ScopeIn                   = "in"                      // groups: those he is in
	ScopeOwnedBelow           = "owned_below"             // groups: his own, and those owned in his departments and below
	ScopeInitiated            = "initiated"               // relationships: those he initiated
	ScopeInitiatedBelow       = "initiated_below"         // relationships: initiated in his departments and below
	ScopeAsActor              = "as_actor"                // audit: what he did
	ScopeOnPolicyAndPlatforms = "on_policy_and_platforms" // audit: about policy, workspaces and platforms
	ScopeAllButArchive        = "all_but_archive"         // audit: everything but reads of the archive
	ScopeOwn                  = "own"                     // departures: his own; messages: those he sent, or was sent while he was in the group; of unmasking: his own numbers and ids
	ScopePersonBelow          = "person_below"            // departures: of members of his departments and below
	ScopePersonSubordinate    = "person_subordinate"      // alerts: about subordinates at any distance
	ScopeContactOwner         = "contact_owner"           // alerts: about contacts he owns
	ScopeRequested            = "requested"               // approvals: those he asked for
	ScopeCandidate            = "candidate"               // approvals: those he may satisfy
)
