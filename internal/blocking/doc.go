// Package blocking is the use-case of relationships between people: making them, reviewing them, ending them, and
// answering who may reach whom. A command gathers facts, asks policy, and writes what came of it in one transaction.
//
// Every command has one shape: read the facts, work out a [Result] and a ledger.Unit as values, post the unit. Where
// somebody was faster, nothing is written and the command is worked out again on what stands then.
package blocking
