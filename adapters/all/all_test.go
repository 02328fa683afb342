package all

import (
	"bytes"
	"os"
	"testing"

	"github.com/guanxi-im/guanxi/adapters/all/folders"
)

//go:generate go run gen.go

// An adapter's folder that is not imported would be a platform that silently does not exist.
func TestFresh(t *testing.T) {
	want, err := folders.Source("..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("all.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("all.go does not list the folders beside it; run go generate ./adapters/all")
	}
}
