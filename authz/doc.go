// Package authz decides who may do what, from policy files that an administrator can read: Casbin's model (model.conf)
// and CSV lines in layers.
//
// # Layers
//
//	guard          the product's guardrails: they deny or ask for review, and nothing replaces them
//	default        what holds on every platform, and the default.* lines for a platform that nobody wrote rules for
//	platform:NAME  what an adapter brings for its own platform, and for no other
//	region:NAME    the company's files for a region; they narrow, where somebody or something of it has to do with a request
//	company        the company's own files
//
// A company line takes the place of all lines of default and platform layers that bear its id, within what those were
// about. With an id of its own it may deny, ask for review or add duties that tighten, never grant.
//
// # What a set of lines says
//
// Deny beats review beats allow; where nothing matched the answer is deny; the order of lines never matters. Lines that
// only narrow (guardrails, those of regions, and company lines with ids of their own) deny or ask for review of what another
// line grants, or allow with duties alone, which are added to what another line grants. They grant nothing themselves: a
// guardrail that wants a manager's word for a block does not make a block possible where the platform knows none. Several
// reviews add up: all whom they name must agree.
//
// # How it is decided
//
// [Build] compiles all lines into an index by platform, action and target that [Engine.Decide] answers from, in
// about a microsecond. The same lines stand in a Casbin enforcer: [Engine.Reference] asks that one, and tests hold the two
// equal. Conditions in the `when` column are compiled against typed facts, so an unknown attribute or an impossible
// value is refused with file, line and column when the files are read, never at a request.
//
// For whoever edits the files there are [Lint], [Engine.Explain], [Engine.Covered], [Engine.Matrix], [Diff] and [Schema]. They
// read conditions as they stand and try every way in which these can come out; what decides knows nothing of them. Package
// policytest holds the files to cases that people write.
//
// An Engine never changes; new files make a new Engine. The files of every version are kept as one blob
// ([Policy.Bundle]), so that the rule behind an old decision can still be shown ([OpenBundle]).
package authz
