package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Fault is one thing that is wrong with the settings.
type Fault struct {
	Source   string // FILE:LINE:COLUMN, a variable or a flag; empty where nobody gave anything
	Path     string // the setting, or the name that is none
	Value    string // as given; [redacted] for what may hold a secret, empty for a name that is none
	Expected string
	Nearest  string // the valid name that was probably meant, if any
}

// String is the fault as a line for people.
func (f Fault) String() string {
	var b strings.Builder
	if f.Source != "" {
		b.WriteString(f.Source + ": ")
	}
	b.WriteString(f.Path + ": ")
	if f.Value != "" {
		fmt.Fprintf(&b, "got %q, ", f.Value)
	}
	b.WriteString("expected " + f.Expected)
	if f.Nearest != "" {
		b.WriteString("; did you mean " + f.Nearest + "?")
	}
	return b.String()
}

// Faults are all that is wrong, in the order file, environment, flags and then setting by setting.
type Faults []Fault

// Error is a line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// err is the faults as an error, nil where there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// about reports whether there is a fault of the setting.
func (f Faults) about(path string) bool {
	for _, fault := range f {
		if fault.Path == path {
			return true
		}
	}
	return false
}

// nearest is the name that was probably meant by a word; empty where all are far from it. Two slips are forgiven, in
// long words more, but never as many as there are letters.
func nearest(word string, names []string) string {
	letters := utf8.RuneCountInString(word)
	best, least := "", min(max(2, letters/3)+1, letters)
	for _, name := range names {
		if d := levenshtein.ComputeDistance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
}
