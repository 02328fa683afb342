package authz

import (
	"embed"
	"io/fs"
)

//go:embed policies/guard.csv
var guardFiles embed.FS

//go:embed policies/roles.csv policies/default.csv policies/reads.csv policies/approvals.csv policies/reasons.csv
var defaultFiles embed.FS

// Shipped is the layers that the product brings, and after them those of the platforms and of the company.
func Shipped(more ...Layer) []Layer {
	own := []Layer{{Name: GuardLayer, Files: policies(guardFiles)}, {Name: DefaultLayer, Files: policies(defaultFiles)}}
	return append(own, more...)
}

func policies(files embed.FS) fs.FS {
	sub, err := fs.Sub(files, "policies")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}
