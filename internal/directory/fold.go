package directory

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Fold is a text as search compares it: without case, and with wide and narrow forms of a letter as one. It is worked out
// here for what is searched in and for what is searched for, as each database folds letters in a way of its own.
func Fold(s string) string {
	s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Folds is several texts folded, none of which runs into the next.
func Folds(texts ...string) string {
	for i, t := range texts {
		texts[i] = Fold(t)
	}
	return strings.Join(texts, "\n")
}
