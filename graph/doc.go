// Package graph is what clients see: the schema, one noun a file, and what is generated from it.
package graph
