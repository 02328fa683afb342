// Package adapters is the contract between guanxi and the platforms behind it. An integrator adds a platform by
// writing one folder here: it says what the platform can do, brings the policy lines of that platform's house rules,
// and translates wishes into the vendor's calls. This package and the folders import nothing of ours but this package.
//
// An adapter is small on purpose. Pacing, retries and the record of what was wished belong to the caller; an adapter
// turns one request into the vendor's calls, and the vendor's answer into an [Outcome] or an [*Error]. What every
// adapter offers is [Adapter]; all else is a capability, a small interface that it implements or does not. Absence is
// a fact that callers ask for by type assertion, never a stub that answers "not implemented".
//
// Every adapter passes package adaptertest, which is also the contract's sharper half: where this text and a case
// there differ, the case is right. Package memory is the adapter to copy from.
package adapters
