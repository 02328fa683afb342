package fault

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-im/guanxi/internal/im"
)

// reasonMax is how many characters of a reason or a comment people may write.
const reasonMax = 2000

// CheckReason checks a reason or a comment that a person wrote; empty is good where it need not be given. What can be read must be
// all that is there: others decide by it, in logs, tables and files where an invisible character or one that turns the direction of
// writing makes it say something else (Unicode UAX #9; CVE-2021-42574).
func CheckReason(path string, t im.Text, required bool) *Error {
	s := string(t)
	switch {
	case required && strings.TrimSpace(s) == "":
		return Input(path, "reason_required")
	case s != "" && strings.TrimSpace(s) != "" && Blank(t):
		return Input(path, "text_invisible")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }):
		return Input(path, "text_direction")
	}
	return CheckText(path, t, reasonMax)
}

// CheckText checks any text that a person wrote: at most so many characters, UTF-8, and no control characters but line ends and tabs.
func CheckText(path string, t im.Text, most int) *Error {
	s := string(t)
	if n := utf8.RuneCountInString(s); n > most {
		return Input(path, "text_too_long", strconv.Itoa(most), strconv.Itoa(n))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		return Input(path, "text_malformed")
	}
	return nil
}

// Blank reports whether nothing of a text can be seen.
func Blank(t im.Text) bool {
	return !strings.ContainsFunc(string(t), func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != '\u2800' && // a pattern of Braille without a dot
			!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}
