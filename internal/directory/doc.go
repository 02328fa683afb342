// Package directory is the use-case of looking at the organisation: people, departments, accounts, contacts, groups
// and workspaces, each only as far as its caller may see it.
package directory
