// Package sheet makes cells that spreadsheets show and never run.
package sheet

import (
	"strings"
	"unicode"
)

// starters begin what a spreadsheet takes for a formula, also in the wide forms that it folds (OWASP, "CSV Injection").
const starters = "=+-@|＝＋－＠｜\t\r\n"

// Inert is a cell that is shown as it is: one that could be taken for a formula gets a quote before it.
func Inert(cell string) string {
	if rest := strings.TrimLeftFunc(cell, unicode.IsSpace); rest != "" && strings.ContainsRune(starters, first(rest)) ||
		cell != "" && strings.ContainsRune(starters, first(cell)) {
		return "'" + cell
	}
	return cell
}

func first(s string) rune {
	for _, r := range s {
		return r
	}
	return 0
}
