package authz

import (
	"embed"
	"io/fs"
)

//go:embed policies/guard.csv
var guardFiles embed.FS

//go:embed policies/roles.csv policies/default.csv policies/reads.csv policies/approvals.csv policies/risk.csv policies/reasons.csv
var defaultFiles embed.FS

//go:embed policies/cases/*.yaml
var caseFiles embed.FS

// CasesPath is where the shipped cases stand in the sources.
const CasesPath = "authz/policies/cases/"

// Cases is the files of cases that hold the shipped layers, and those of the platforms, to what they promise:
// package policytest reads them.
func Cases() fs.FS { return policies(caseFiles, "policies/cases") }

// Shipped is the layers that the product brings, and after them those of the platforms and of the company.
func Shipped(more ...Layer) []Layer {
	own := []Layer{{Name: GuardLayer, Files: policies(guardFiles, "policies")}, {Name: DefaultLayer, Files: policies(defaultFiles, "policies")}}
	return append(own, more...)
}

func policies(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // the names are constants
	}
	return sub
}
