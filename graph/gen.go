// Package graph is what clients see: the schema, one noun a file, and what is generated from it.
package graph

//go:generate go tool gqlgen generate --config ../gqlgen.yml
