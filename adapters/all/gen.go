//go:build ignore

// Gen writes all.go: an import of each adapter's folder.
package main

import (
	"log"
	"os"

	"github.com/guanxi-im/guanxi/adapters/all/folders"
)

func main() {
	src, err := folders.Source("..")
	if err == nil {
		err = os.WriteFile("all.go", src, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}
