// Package im is the vocabulary of guanxi: members, external contacts, groups, relationships, decisions and what is
// written down about them, with the invariants that hold wherever they appear. It does no I/O and imports nothing
// of ours. Chinese terms in brackets are the field's own words.
package im
